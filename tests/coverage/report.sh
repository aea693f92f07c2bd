#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# usage: report.sh STORE KERNEL...
# Prints lines and branches per source file, of all the KERNELs together, and the
# functions that were never executed, from the counters that add.sh has put into STORE.
set -eu
store=$1
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# show_file KERNEL NAME ; what gcov says of one object, with the name of its source
# in front: the notes have to lie beside the counters
show_file()
{
	cp "$1/$2.gcno" "$work/file.gcno"
	cp "$store/of/$(basename "$1")/$2.gcda" "$work/file.gcda"
	echo "object $2.c"
	(cd "$work" && gcov -b -c -t file.gcda)
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
[ -s "$work/shown" ] || { echo 'coverage: there are no counters' >&2; exit 1; }

# One word a line: what it is, the file, which of its kind, and how often.
awk '
	$1 == "object" && NF == 2 { object = $2; wanted = 0; next }
	/^ *-: *0:Source:/ {
		source = substr($0, index($0, "Source:") + 7)
		at = length(source) - length(object)
		wanted = at >= 0 && substr(source, at + 1) == object
		next
	}
	!wanted { next }
	/^function / { sub(/\..*/, "", $2); print "function", object, $2, $4; next }
	/^branch / { print "branch", object, line "/" $2, $3 == "taken" ? $4 : 0; next }
	/^ *[0-9#=]+\*?: *[0-9]+:/ {
		split($0, part, ":")
		line = part[2] + 0
		print "line", object, line, part[1] + 0
	}
' "$work/shown" >"$work/counts"

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

sums line >"$work/lines"
sums branch >"$work/branches"
join "$work/lines" "$work/branches" | awk '
	function share(done, all) {
		return sprintf("%5d of %5d  %3d %%", done, all, all ? int(100 * done / all) : 100)
	}
	BEGIN { printf "%-52s%16s%24s\n", "file", "lines", "branches" }
	{
		printf "%-46s%s  %s\n", $1, share($3, $2), share($5, $4)
		lines += $2; lines_done += $3; branches += $4; branches_done += $5
	}
	END { printf "%-46s%s  %s\n", "all", share(lines_done, lines), share(branches_done, branches) }'

printf '\nfunctions that were never executed:\n'
awk '$1 == "function" { count[$2 " " $3] += $4 }
     END { for (key in count) if (!count[key]) print key }' "$work/counts" | sort |
	awk '$1 != file { if (file) printf "\n"; file = $1; printf "  %s:", file }
	     { printf " %s", $2 }
	     END { if (file) printf "\n" }'
