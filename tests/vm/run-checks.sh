#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# usage: run-checks.sh [NAME...]
# Runs the scenarios: those of make check, with LONG=yes those of make check-long,
# with CHECK_DEBUG=1 besides those that need a debug kernel, or the named ones of
# all; a NAME may be a shell pattern.
# The kernels come from the environment, see lib.sh; KERNEL_OLD and KERNEL_NEW
# may be any two bzImages.  What each run left behind is kept in $RESULTS/NAME
# (default: $BUILD_DIR/results): events.log, console.log, trace.log, frames.dat.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/vm/lib.sh
. "$here/lib.sh"

passed=0 failed=0 skipped=0

wanted()
{
	name=$1
	shift
	[ $# -gt 0 ] || return 0
	for pattern; do
		# shellcheck disable=SC2254
		case $name in $pattern) return 0 ;; esac
	done
	return 1
}

# A NAME that matches nothing is a mistake: it would pass without a test.
check_names()
{
	for asked; do
		found=
		while read -r name _; do
			case $name in '' | '#'*) continue ;; esac
			wanted "$name" "$asked" || continue
			found=yes
			break
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
	esac
}

count()
{
	case $1 in
	0) passed=$((passed + 1)); echo "PASS $2" ;;
	4) skipped=$((skipped + 1)); echo "SKIP $2" ;;
	*) failed=$((failed + 1)); echo "FAIL $2 (see $results/$2)" ;;
	esac
}

run_scenario()
{
	name=$1 old=$(kernel "$2") new=$(kernel "$3")
	if [ -z "$old" ] || [ -z "$new" ]; then
		echo "no kernel for $2 or $3"
		count 4 "$name"
		return
	fi
	shift 3
	status=0
	vm_run "$name" "$old" "$new" "$@" || status=$?
	count "$status" "$name"
}

# lists NAME... ; the scenarios to look at
lists()
{
	[ $# -eq 0 ] ||
		{ cat "$here/scenarios" "$here/scenarios.long"; debug_list; return; }
	[ -z "${LONG:-}" ] || { cat "$here/scenarios.long"; return; }
	[ -n "${CHECK_DEBUG:-}" ] || { cat "$here/scenarios"; return; }
	# These kernels come without the checks of the debug kernels.
	awk '$2 !~ /^wide-/' "$here/scenarios"
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
while read -r name old new options; do
	case $name in '' | '#'*) continue ;; esac
	wanted "$name" "$@" || continue
	# shellcheck disable=SC2086
	run_scenario "$name" "$old" "$new" $options </dev/null
done <"$results/list"

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
