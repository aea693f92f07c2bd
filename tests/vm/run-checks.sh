#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# usage: run-checks.sh [NAME...]
# Runs the scenarios: those of make check, with LONG=yes those of make check-long,
# with DEBIAN=yes those of make check-debian, with SYSTEMD=yes those of make check-systemd, with
# VIRTUAL=yes those of make check-vm, with CHECK_DEBUG=1 besides those that need
# a debug kernel, or the named ones of all; a NAME may be a shell pattern.
# The kernels come from the environment, see lib.sh; KERNEL_OLD and KERNEL_NEW
# may be any two bzImages.  VMS machines run at a time, by default two where there
# are two processors: the judge says for each how much its emulator ran.  What each run left behind is kept in $RESULTS/NAME
# (default: $BUILD_DIR/results): events.log, console.log, trace.log, frames.dat.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/vm/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/names.sh
. "$here/../names.sh"

processors=$(nproc 2>/dev/null || echo 1)
VMS=${VMS:-$((processors > 1 ? 2 : 1))}

# A NAME that matches nothing is a mistake: it would pass without a test.
check_names()
{
	for asked; do
		found=
		while read -r name _; do
			case $name in '' | '#'*) continue ;; esac
			! wanted "$name" "$asked" || { found=yes; break; }
		done <"$results/list"
		[ -n "$found" ] || { echo "run-checks.sh: no scenario is called $asked" >&2; exit 2; }
	done
}

# kernel WORD ; empty when this kernel is not at hand
kernel()
{
	case $1 in
	pristine) printf '%s' "${KERNEL_PRISTINE:-}" ;;
	old) printf '%s' "${KERNEL_OLD:-}" ;;
	new) printf '%s' "${KERNEL_NEW:-}" ;;
	off) printf '%s' "${KERNEL_OFF:-}" ;;
	wide-old) printf '%s' "${KERNEL_WIDE_OLD:-}" ;;
	wide-new) printf '%s' "${KERNEL_WIDE_NEW:-}" ;;
	modular) printf '%s' "${KERNEL_MODULAR:-}" ;;
	debian-old) printf '%s' "${KERNEL_DEBIAN_OLD:-}" ;;
	debian-new) printf '%s' "${KERNEL_DEBIAN_NEW:-}" ;;
	systemd-old) printf '%s' "${KERNEL_SYSTEMD_OLD:-}" ;;
	systemd-new) printf '%s' "${KERNEL_SYSTEMD_NEW:-}" ;;
	vmm-old) printf '%s' "${KERNEL_VMM_OLD:-}" ;;
	vmm-new) printf '%s' "${KERNEL_VMM_NEW:-}" ;;
	ordinary) printf '%s' "${KERNEL_ORDINARY:-}" ;;
	ordinary-pristine) printf '%s' "${KERNEL_ORDINARY_PRISTINE:-}" ;;
	esac
}

verdict()
{
	case $1 in
	0) echo "PASS $2" ;;
	4) echo "SKIP $2" ;;
	*) echo "FAIL $2 (see $results/$2)" ;;
	esac
}

# run_scenario NAME OLD NEW OPTIONS...
run_scenario()
{
	name=$1 old=$(kernel "$2") new=$(kernel "$3")
	if [ -z "$old" ] || [ -z "$new" ]; then
		echo "no kernel for $2 or $3"
		verdict 4 "$name"
		return
	fi
	two=$2
	shift 3
	why=$(lacks "$@")
	if [ -n "$why" ]; then
		echo "$why"
		verdict 4 "$name"
		return
	fi
	status=0
	if [ "$two" = ordinary-pristine ]; then
		run_both "$name" "$old" "$new" "$@" || status=$?
	else
		vm_run "$name" "$old" "$new" "$@" || status=$?
	fi
	verdict "$status" "$name"
}

# run_both NAME PRISTINE SERIES OPTIONS... ; two machines with one kernel each, that
# have to say the same
run_both()
{
	both=$1 pristine=$2 series=$3
	shift 3
	vm_run "$both-pristine" "$pristine" "$pristine" "$@" || return 1
	vm_run "$both" "$series" "$series" "$@" || return 1
	"$here/compare-logs.sh" "$results/$both-pristine/console.log" "$results/$both/console.log"
}

# take_line ; the next line that nobody has taken, in $line
take_line()
{
	line=
	exec 5<>"$work/next"
	flock 5
	read -r next <&5 || next=1
	line=$(sed -n "${next}p" "$work/list")
	echo "$((next + 1))" >"$work/next"
	exec 5>&-
	[ -n "$line" ]
}

# One of several at a time; what a scenario has said is shown when it is over.
work()
{
	while take_line; do
		# shellcheck disable=SC2086
		run_scenario $line >"$work/$1.log" 2>&1 </dev/null
		flock "$work/show" cat "$work/$1.log"
		tail -n 1 "$work/$1.log" >>"$work/$1.verdicts"
	done
}

verdicts() { cat "$work"/*.verdicts | grep -c "^$1 " || :; }

# lists NAME... ; the scenarios to look at
lists()
{
	[ $# -eq 0 ] ||
		{ cat "$here/scenarios" "$here/scenarios.long" "$here/scenarios.debian" \
			"$here/scenarios.systemd" "$here/scenarios.inner"; debug_list; return; }
	[ -z "${LONG:-}" ] || { cat "$here/scenarios.long"; return; }
	[ -z "${DEBIAN:-}" ] || { cat "$here/scenarios.debian"; return; }
	[ -z "${SYSTEMD:-}" ] || { cat "$here/scenarios.systemd"; return; }
	[ -z "${VIRTUAL:-}" ] || { cat "$here/scenarios.inner"; return; }
	[ -n "${CHECK_DEBUG:-}" ] || { cat "$here/scenarios"; return; }
	# These kernels come without the checks of the debug kernels.
	awk '$2 !~ /^(wide-|modular)/' "$here/scenarios"
	debug_list
	long_list_for_debug
}

# A line of scenarios.debug that is only a name means one of scenarios.long.
debug_list()
{
	awk 'NF != 1' "$here/scenarios.debug"
}

long_list_for_debug()
{
	awk 'NR == FNR { line[$1] = $0; next }
	     NF != 1 || $1 ~ /^#/ { next }
	     $1 in line { print line[$1]; next }
	     { print "scenarios.debug: no " $1 " in scenarios.long" >"/dev/stderr"; exit 1 }' \
		"$here/scenarios.long" "$here/scenarios.debug"
}

lists "$@" >"$results/list"
check_names "$@"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
: >"$work/next"
: >"$work/0.verdicts"
while read -r name rest; do
	case $name in '' | '#'*) continue ;; esac
	! wanted "$name" "$@" || echo "$name $rest"
done <"$results/list" >"$work/list"

workers=
# vm-run ends with its worker
trap 'kill $workers 2>/dev/null; exit 130' INT TERM HUP
for worker in $(seq "$VMS"); do
	work "$worker" &
	workers="$workers $!"
done
status=0
for worker in $workers; do
	wait "$worker" || status=$?
done

passed=$(verdicts PASS) failed=$(verdicts FAIL) skipped=$(verdicts SKIP)
echo "$passed passed, $failed failed, $skipped skipped"
[ "$((passed + failed + skipped))" -eq "$(wc -l <"$work/list")" ] || status=1
[ "$status" -eq 0 ] && [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
