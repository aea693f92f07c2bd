#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Live updates over and over, each the whole way from before the kexec until after
# the finish: N=100 MODE=legacy|sm-ss|sm-fs NIC=igb|e1000e CPUS=1|2
# RATE=frames per second; PRESERVE=no is the control, in which every run has to
# lose frames.  A failed run's directory is kept in $RESULTS.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/vm/lib.sh
. "$here/lib.sh"
: "${KERNEL_OLD:?bzImage}" "${KERNEL_NEW:?bzImage}"
N=${N:-100} MODE=${MODE:-legacy} NIC=${NIC:-igb} CPUS=${CPUS:-1}
PRESERVE=${PRESERVE:-yes}
script=update expect=continuity
[ "$PRESERVE" = yes ] || script=plain-update expect=loss
name=soak-$MODE-$NIC-$CPUS
log=$results/$name.log

passed=0 failed=0 lost=0 faults=0 warnings=0

# add_up LINE ; a run that ended without a result line counts as failed only
add_up()
{
	[ -n "$1" ] || return 0
	lost=$((lost + $(field "$1" lost)))
	faults=$((faults + $(field "$1" faults)))
	warnings=$((warnings + $(field "$1" warnings)))
}

# whole_way LINE ; what was not taken back to the end proves nothing
whole_way()
{
	[ "$PRESERVE" != yes ] ||
		{ [ "$(field "$1" switch)" = hitless ] && [ "$(field "$1" finish)" = yes ]; }
}

run=1
while [ "$run" -le "$N" ]; do
	status=0
	vm_run "$name" "$KERNEL_OLD" "$KERNEL_NEW" --mode "$MODE" --nic "$NIC" --cpus "$CPUS" \
		--script "$script" --preserve "$PRESERVE" --expect "$expect" >"$log" 2>&1 || status=$?
	line=$(sed -n '/^result: /p' "$log" | tail -n 1)
	add_up "$line"
	if [ "$status" -eq 0 ] && whole_way "$line"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		sed 's/^/    /' "$log"
		rm -rf "$results/$name.failed-$run"
		mv "$results/$name" "$results/$name.failed-$run"
	fi
	echo "$run/$N: ${line:-no result}"
	run=$((run + 1))
done

echo "soak: runs=$N passed=$passed failed=$failed lost=$lost faults=$faults warnings=$warnings"
[ "$failed" -eq 0 ]
