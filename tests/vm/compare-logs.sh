#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# usage: compare-logs.sh PRISTINE-CONSOLE-LOG CONSOLE-LOG
# Prints the lines of the second that the first has not, and the other way round,
# each with the kernel that says it, the first or a later one, and how often. Every
# figure counts, but for those that measure the time or the size of the kernel; the
# order does not, as some of it is chance. There is no exception for what the series
# says: unused it says nothing.
set -eu
[ $# -eq 2 ] || { sed -n '3,8s/^# \{0,1\}//p' "$0" >&2; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Lines that a busy host brings about, or changes, or that come before or after the
# end; and the frames of a stack, of which a crash prints some by chance.
passing='^((tsc|clocksource): .*|sched_clock: Marking stable .*|APIC calibration not consistent with PM-Timer: .*|APIC delta adjusted to PM-Timer: .*|random: crng init done| *\?? ?[A-Za-z0-9_.]+\+0x[0-9a-f]+/0x[0-9a-f]+|hpet: Lost [0-9]+ RTC interrupts|Spurious LAPIC timer interrupt on cpu [0-9]+|pci [0-9a-f:.]+: [a-z0-9_]+\+0x0/0x[0-9a-f]+ took [0-9]+ usecs)$'

# Lines whose figures measure: the time, how fast the host is, how large the kernel,
# and with it the memory that KHO sets aside.
measuring='^(Calibrating delay loop |smpboot: Total of |Memory: [0-9]+K/|Freeing initrd memory: |Freeing unused kernel image |RAMDISK: |pcpu-alloc: |percpu: Embedded | *node +[0-9]+: \[mem |rtc_cmos .*: setting system clock to |Filesystems sync: [0-9.]+ seconds|Freezing .* completed \(elapsed )'

lines()
{
	sed -e 's/^ *[0-9.]* //' -e 's/^\[ *[0-9.]*\] //' -e 's/[[:space:]]*$//' "$1" |
		grep -vE "$passing" |
		sed -E "/$(printf '%s' "$measuring" | sed 's,/,\\/,g')/s/-?(0x)?[0-9a-f]*[0-9][0-9a-f]*/N/g" |
		awk '/^Linux version / { kernel++ } { print "kernel " kernel + 0 ": " $0 }' |
		sort | uniq -c
}

lines "$1" >"$work/pristine"
lines "$2" >"$work/series"
for log in pristine series; do
	grep -q ': Linux version ' "$work/$log" || { echo "a log without a kernel proves nothing"; exit 1; }
done
! diff "$work/pristine" "$work/series" >"$work/diff" || exit 0
echo "the log differs from that of the pristine kernel (<: only there, >: only here):"
sed -n "s,^\([<>]\) *,\1 ,p" "$work/diff"
exit 1
