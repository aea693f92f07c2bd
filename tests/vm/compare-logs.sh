#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# usage: compare-logs.sh PRISTINE-CONSOLE-LOG CONSOLE-LOG
# Prints the lines of the second that the first has not, and the other way round.
# Numbers do not count, nor how often a line comes: times, addresses and sizes are
# others each time. What the series says of itself is left out, and so are the
# frames of a stack, of which a crash prints some by chance.
set -eu
[ $# -eq 2 ] || { sed -n '3,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Of a host that is busy, and of what differs between any two builds
passing='Linux version|clocksource|tsc:|BogoMIPS|Calibrat|Memory: |Freeing |random: crng|perf: interrupt took|sched_clock|^ *\? .*\+0x'
ours='liveupdate|live update|Live update|KHO:'

lines()
{
	sed -e 's/^ *[0-9.]* //' -e 's/^\[ *[0-9.]*\] //' -e 's/[[:space:]]*$//' "$1" |
		grep -vE "$passing|$ours" |
		sed -e 's/0x[0-9a-f]*/N/g' -e 's/\<[0-9a-f]\{8,\}\>/N/g' -e 's/[0-9][0-9]*/N/g' |
		sort -u
}

lines "$1" >"$work/pristine"
lines "$2" >"$work/series"
for log in pristine series; do
	[ -s "$work/$log" ] || { echo "an empty log proves nothing"; exit 1; }
done
diff "$work/pristine" "$work/series" | grep '^[<>]' >"$work/diff" || exit 0
echo "the log differs from that of the pristine kernel (<: only there, >: only here):"
cat "$work/diff"
exit 1
