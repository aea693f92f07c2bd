#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Runs all tests that this clone has and adds up what they count. Each part ends
# with a line "N passed, N failed, N skipped"; so does this, with the sum.
#
#   PARTS="scripts rig lib tool unit kunit vm"   only these; there are more: planted planted-lib long
#                                            guard systemd
set -eu
TOP=$(cd "$(dirname "$0")/.." && pwd)
. "$TOP/scripts/lib.sh"
make_tmp
: >"$tmp/counts"
# what make passes down would disturb the makes of the parts
unset MAKEFLAGS MFLAGS MAKELEVEL 2>/dev/null || true

# part NAME COMMAND...
part()
{
	part_name=$1
	shift
	case " ${PARTS:-scripts rig lib tool unit kunit vm} " in *" $part_name "*) ;; *) return 0 ;; esac
	part_start=$(date +%s)
	printf '== %s\n' "$part_name"
	rm -f "$tmp/status"
	{
		status=0
		"$@" </dev/null || status=$?
		echo "$status" >"$tmp/status"
	} 2>&1 | tee "$tmp/output"
	status=$(cat "$tmp/status")
	count=$(grep -E '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$' "$tmp/output" | tail -n 1)
	if [ -z "$count" ]; then
		printf 'FAIL: %s ended with status %s and counted nothing\n' "$part_name" "$status"
		count='0 passed, 1 failed, 0 skipped'
	elif [ "$status" -ne 0 ] && [ "${count#*, 0 failed}" != "$count" ]; then
		printf 'FAIL: %s counted no failure but ended with status %s\n' "$part_name" "$status"
		count="${count%%, *}, 1 failed, ${count##*, }"
	fi
	printf '== %s: %s (%s s)\n' "$part_name" "$count" "$(($(date +%s) - part_start))"
	printf '%s\n' "$count" >>"$tmp/counts"
}

[ ! -x "$TOP/tests/scripts/run.sh" ] || part scripts "$TOP/tests/scripts/run.sh"
[ ! -x "$TOP/tests/vm/host/tests/run.sh" ] || part rig "$TOP/tests/vm/host/tests/run.sh"
[ ! -f "$TOP/tests/lib/Makefile" ] || part lib make --no-print-directory -C "$TOP/tests/lib" check
[ ! -f "$TOP/tests/tool/Makefile" ] || part tool make --no-print-directory -C "$TOP/tests/tool" check
[ ! -f "$TOP/tests/unit/Makefile" ] ||
	part unit "$TOP/scripts/env.sh" --kernels "" make --no-print-directory -C "$TOP/tests/unit" check
[ ! -f "$TOP/tests/unit/planted" ] ||
	part planted "$TOP/scripts/env.sh" --kernels "" make --no-print-directory -C "$TOP/tests/unit" check-planted
[ ! -f "$TOP/tests/lib/planted" ] ||
	part planted-lib make --no-print-directory -C "$TOP/tests/lib" check-planted
[ ! -x "$TOP/tests/vm/run-kernel-tests.sh" ] ||
	part kunit "$TOP/scripts/env.sh" --kernels kunit "$TOP/tests/vm/run-kernel-tests.sh" kunit
kernels="pristine old new"
[ ! -f "$TOP/tests/vm/scenarios" ] || kernels=$(listed_kernels "$TOP/tests/vm/scenarios")
[ ! -x "$TOP/tests/vm/run-checks.sh" ] ||
	part vm "$TOP/scripts/env.sh" --kernels "$kernels" "$TOP/tests/vm/run-checks.sh"
[ ! -f "$TOP/tests/vm/scenarios.long" ] ||
	part long "$TOP/scripts/run.sh" check-long
# SYSTEMD_ROOT: see check-systemd.sh
[ -z "${SYSTEMD_ROOT:-}" ] || part guard "$TOP/tests/systemd/run.sh" "$SYSTEMD_ROOT"
[ -z "${SYSTEMD_ROOT:-}" ] || part systemd "$TOP/scripts/run.sh" check-systemd

awk -F '[ ,]+' '
	{ p += $1; f += $3; s += $5 }
	END { printf "%d passed, %d failed, %d skipped\n", p, f, s; exit !(f == 0 && p > 0) }' "$tmp/counts"
