#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# usage: abi-page.sh [KERNEL-SOURCES]
# Prints docs/abi.md: what one kernel hands over to the next one, byte by byte, from
# the headers that say so. Words are those of their comments, places and sizes those
# that the compiler gives the fields. Default for the sources: kernel/ of this clone.
#
#   scripts/abi-page.sh >docs/abi.md
set -eu
TOP=$(cd "$(dirname "$0")/.." && pwd)
. "$TOP/scripts/lib.sh"

sources=${1:-$TOP/kernel}
headers='include/linux/kho/abi/iommu.h drivers/iommu/intel/liveupdate-abi.h
include/linux/kho/abi/iommufd.h include/linux/kho/abi/pci.h include/linux/kho/abi/vfio_pci.h'
need_tool "${CC:-cc}" awk
make_tmp
mkdir -p "$tmp/linux/kho"
ln -s "$(cd "$sources" && pwd)/include/linux/kho/abi" "$tmp/linux/kho/abi"

# program HEADER: C that prints the chapter of a header
program()
{
	awk -v header="$1" '
	# @field is `field`
	function code(text) {
		while (match(text, /@[a-z_0-9]+/))
			text = substr(text, 1, RSTART - 1) "`" substr(text, RSTART + 1, RLENGTH - 1) "`" substr(text, RSTART + RLENGTH)
		return text
	}
	function quoted(text) { text = code(text); gsub(/\\/, "\\\\", text); gsub(/"/, "\\\"", text); gsub(/%/, "%%", text); return text }
	function say(text) { printf "\tprintf(\"%s\\n\");\n", quoted(text) }
	function title(text) { gsub(/^[ \t]+|[ \t]+$/, "", text); return text }
	# the words of a comment: "name: text" of a field go on in lines that are indented
	function comment(line) {
		sub(/^ \* ?/, "", line)
		if (kind == "" && line ~ /^DOC: /) {
			kind = "doc"; say(""); say("## " title(substr(line, 6))); say("")
		} else if (kind == "" && line ~ /^struct /) {
			kind = "struct"; name = line
			sub(/^struct /, "", name); sub(/ - .*/, "", name)
			about = line; sub(/^[^-]* - /, "", about); field = ""
			say(""); say("### struct " name); say(""); say(about ".")
		} else if (kind == "doc") {
			sub(/::$/, ":", line)
			say(line ~ /^  / ? "  " line : line)
		} else if (kind == "struct" && line ~ /^@/) {
			field = line; sub(/^@/, "", field); sub(/:.*/, "", field)
			words[name, field] = line; sub(/^[^:]*: */, "", words[name, field])
		} else if (kind == "struct" && field != "" && line ~ /^[ \t]+[^ \t]/) {
			words[name, field] = words[name, field] " " title(line)
		} else if (kind == "struct") {
			field = ""
			rest[name] = rest[name] line "\n"
		}
	}
	# a line "type field;" or "type field[N];"
	function member(line) {
		gsub(/^[ \t]+|;.*$/, "", line)
		field = line; sub(/^.*[ ]/, "", field)
		type = substr(line, 1, length(line) - length(field) - 1)
		bare = field; sub(/\[.*/, "", bare)
		if (field ~ /\[\]$/)
			printf "\tprintf(\"| %%zu | | `%s %s` | %s |\\n\", offsetof(struct %s, %s));\n",
				type, field, quoted(words[current, bare]), current, bare
		else
			printf "\tprintf(\"| %%zu | %%zu | `%s %s` | %s |\\n\", offsetof(struct %s, %s), sizeof(((struct %s *)0)->%s));\n",
				type, field, quoted(words[current, bare]), current, bare, current, bare
	}
	function number(line,  what) {
		what = line ~ /\/\*/ ? line : ""
		sub(/^.*\/\* */, "", what); sub(/ *\*\/.*$/, "", what)
		sub(/\/\*.*$/, "", line)
		name = $2; sub(/^#define [A-Z0-9_]+[ \t]+/, "", line)
		numbers = numbers "| `" name "` | `" title(line) "` | " what " |\n"
	}
	BEGIN { base = header; sub(/^.*\//, "", base); printf "#include \"%s\"\n#include <stdio.h>\nint main(void)\n{\n", header }
	/^\/\*\*$/ { inside = 1; kind = ""; next }
	inside && /^ \*\// { inside = 0; next }
	inside { comment($0); next }
	/^#define [A-Z0-9_]+[ \t]+("|0x|[0-9]|BIT)/ { number($0) }
	/^struct [a-z_0-9]+ \{$/ {
		current = $2
		printf "\tprintf(\"\\n%%zu bytes.\\n\\n| at | bytes | field | what |\\n|---|---|---|---|\\n\", sizeof(struct %s));\n", current
		members = 1; next
	}
	members && /^\}/ {
		members = 0
		say("")
		n = split(rest[current], line, "\n")
		for (i = 1; i <= n; i++) if (i > 1 || line[i] != "") say(line[i])
		next
	}
	members && /;/ { member($0) }
	END { if (numbers != "") {
		say(""); say("### Numbers"); say(""); say("| name | value | what |"); say("|---|---|---|")
		n = split(numbers, line, "\n")
		for (i = 1; i < n; i++) say(line[i])
	      }
	      printf "\treturn 0;\n}\n" }' "$sources/$1"
}

cat <<'HEAD'
# What is handed over

<!-- written by scripts/abi-page.sh, do not edit -->

Records that one kernel leaves in preserved memory for the next one. This page is made
from the comments of the headers in `kernel/` and from what the compiler makes of them;
`make check` fails if it is not what they say. docs/design.md says who writes and reads
them.
HEAD
for header in $headers; do
	program "$header" >"$tmp/page.c"
	"${CC:-cc}" -std=gnu11 -w -I"$tmp" -I"$TOP/tests/unit/shims" -I"$sources" -o "$tmp/page" "$tmp/page.c" ||
		die "cannot compile $sources/$header"
	printf '\nFrom `%s`.\n' "$header"
	"$tmp/page"
done >"$tmp/pages"
cat -s "$tmp/pages"
