#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# usage: report.sh STORE SOURCES KERNEL...
# Prints lines and branches per source file, of all the KERNELs together, and the
# functions that were never executed, from the counters that add.sh has put into STORE.
# SOURCES lists the files that count, of the directory SOURCE_TREE. The lines
# that were never executed are put into STORE/idle.
#
# With REASONS, a file with a line for each of SOURCES that is allowed to be below
# $LEAST percent of its lines, its name and the reason: fails if another one is.
set -eu
store=$1 sources=$2
shift 2
: "${SOURCE_TREE:?where the sources are}"
LEAST=${LEAST:-90}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# gcov says nothing of a source that it does not find, and goes there by ways like
# ../drivers/iommu/generic_pt/fmt/../file.h.
tree=$work/tree
mkdir -p "$tree/build"
while read -r source; do
	mkdir -p "$tree/$(dirname "$source")"
	[ ! -f "$SOURCE_TREE/$source" ] || cp "$SOURCE_TREE/$source" "$tree/$source"
done <"$sources"

# show_file KERNEL NAME ; what gcov says of one object: the notes have to lie beside
# the counters
show_file()
{
	mkdir -p "$tree/$(dirname "$2")"
	cp "$1/$2.gcno" "$tree/build/file.gcno"
	cp "$store/of/$(basename "$1")/$2.gcda" "$tree/build/file.gcda"
	(cd "$tree/build" && gcov -b -c -t file.gcda)
}

for kernel; do
	counters=$store/of/$(basename "$kernel")
	[ -d "$counters" ] || continue
	(cd "$counters" && find . -name '*.gcda') | sed 's,^\./,,; s,\.gcda$,,' | sort >"$work/names"
	while read -r name; do
		show_file "${kernel%/}" "$name"
	done <"$work/names"
done >"$work/shown" 2>"$work/errors" || { cat "$work/errors" >&2; exit 1; }
# gcov goes on without the counters then
if grep mismatch "$work/errors" >&2; then
	exit 1
fi

# One word a line: what it is, the file, which of its kind, and how often. A header, or
# what is compiled once for each format of a table, is in several objects.
awk '
	NR == FNR { sources[$1] = 1; next }
	/^ *-: *0:Source:/ {
		source = substr($0, index($0, "Source:") + 7)
		# relative to the build directory, which is one of the source tree
		while (sub(/[^\/.]+\/\.\.\//, "", source))
			;
		while (source != "" && !(source in sources) && sub(/^[^\/]*\//, "", source))
			;
		wanted = source in sources
		next
	}
	!wanted { next }
	/^function / { sub(/\..*/, "", $2); print "function", source, $2, $4; next }
	/^branch / { print "branch", source, line "/" $2, $3 == "taken" ? $4 : 0; next }
	/^ *[0-9#=]+\*?: *[0-9]+:/ {
		split($0, part, ":")
		line = part[2] + 0
		print "line", source, line, part[1] + 0
	}
' "$sources" "$work/shown" >"$work/counts"
[ -s "$work/counts" ] || { echo 'coverage: there are no counters' >&2; exit 1; }

# sums KIND ; file, how many there are of the kind, and how many were met
sums()
{
	awk -v kind="$1" '
		$1 == kind { count[$2 " " $3] += $4 }
		$1 == "line" { files[$2] = 1 }
		END {
			for (key in count) {
				split(key, part, " ")
				all[part[1]]++
				done[part[1]] += count[key] > 0
			}
			for (file in files)
				print file, all[file] + 0, done[file] + 0
		}' "$work/counts" | sort
}

# idle KIND ; file and which of its kind were never met
idle()
{
	awk -v kind="$1" '
		$1 == kind { count[$2 " " $3] += $4 }
		END { for (key in count) if (!count[key]) print key }' "$work/counts" | sort -k 1,1 -k 2,2n
}

sums line >"$work/lines"
sums branch >"$work/branches"
join "$work/lines" "$work/branches" >"$work/sums"
awk -v least="$LEAST" '
	function share(done, all) {
		return sprintf("%5d of %5d  %3d %%", done, all, all ? int(100 * done / all) : 100)
	}
	BEGIN { printf "%-52s%16s%24s\n", "file", "lines", "branches" }
	{
		printf "%-46s%s  %s%s\n", $1, share($3, $2), share($5, $4),
			100 * $3 < least * $2 ? "  < " least " %" : ""
		lines += $2; lines_done += $3; branches += $4; branches_done += $5
	}
	END { printf "%-46s%s  %s\n", "all", share(lines_done, lines), share(branches_done, branches) }
' "$work/sums"

printf '\nfunctions that were never executed:\n'
idle function |
	awk '$1 != file { if (file) printf "\n"; file = $1; printf "  %s:", file }
	     { printf " %s", $2 }
	     END { if (file) printf "\n" }'

idle line | while read -r file line; do
	printf '%s:%s:%s\n' "$file" "$line" "$(sed -n "${line}p" "$tree/$file")"
done >"$store/idle"

[ -n "${REASONS:-}" ] || exit 0
# A source without a single counter is not covered either; a header may have no code.
awk '{ print $1 }' "$work/sums" | sort >"$work/met"
sort "$sources" | grep '\.c$' | join -v 1 - "$work/met" >"$work/below" || :
awk -v least="$LEAST" '100 * $3 < least * $2 { print $1 }' "$work/sums" >>"$work/below"
sort -u -o "$work/below" "$work/below"
sed -n 's/^\([^# ][^ ]*\) *\([^ ].*\)/\1/p' "$REASONS" | sort >"$work/allowed"
join -v 1 "$work/below" "$work/allowed" >"$work/wrong"
join -v 2 "$work/below" "$work/allowed" |
	sed "s,^,coverage: no reason is needed any more for ," >&2
[ -s "$work/wrong" ] || exit 0
sed "s,\$, is below $LEAST % of its lines without a reason in ${REASONS##*/},; s,^,coverage: ," \
	"$work/wrong" >&2
exit 1
