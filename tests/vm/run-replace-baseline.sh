#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# What the part vt-d-replace of the series changes, without any live update: a card
# receives while its program changes over between page tables, 1000 times, on the kernel
# as it is and on one with that part and nothing else.  Each in turn, in each table mode:
# N=runs (3) NIC=igb|e1000e RATE=frames per second.  Ends with a table.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/vm/lib.sh
. "$here/lib.sh"
: "${KERNEL_PRISTINE:?bzImage}" "${KERNEL_REPLACED:?bzImage}"
N=${N:-3} NIC=${NIC:-igb}
passed=0 failed=0
table=$results/replace-baseline.txt
: >"$table"

# once WHICH KERNEL MODE OPTIONS... ; its result line, and whether it went as it must
once()
{
	which=$1 kernel=$2 mode=$3
	shift 3
	name=replace-$which-$mode status=0
	vm_run "$name" "$kernel" "$kernel" --script replace --expect nothing-lost --nic "$NIC" \
		--mode "$mode" "$@" >"$results/$name.log" 2>&1 || status=$?
	line=$(sed -n '/^result: /p' "$results/$name.log" | tail -n 1)
	if [ "$status" -eq 0 ] && [ -n "$line" ]; then
		passed=$((passed + 1))
		echo "PASS $name: ${line#result: }"
	else
		failed=$((failed + 1))
		sed 's/^/    /' "$results/$name.log"
		echo "FAIL $name"
	fi
	printf '%s %s %s %s %s\n' "$mode" "$which" "$(field "$line" sent)" "$(field "$line" lost)" \
		"$(field "$line" faults)" >>"$table"
}

# The kernel as it is has to be seen to break its translations: else this shows nothing.
for mode in legacy sm-ss sm-fs; do
	run=1
	while [ "$run" -le "$N" ]; do
		once pristine "$KERNEL_PRISTINE" "$mode" --must-find DMAR.faults \
			--may-find frames.lost --may-find ran.full --may-find without.a.frame
		once replaced "$KERNEL_REPLACED" "$mode"
		run=$((run + 1))
	done
done

echo
awk -v runs="$N" '
	BEGIN { printf "%-8s %-22s %12s %8s %8s\n", "mode", "kernel", "frames", "lost", "faults" }
	{ key = $1 " " $2; if (!(key in sent)) order[++n] = key
	  sent[key] += $3; lost[key] += $4; faults[key] += $5 }
	END {
		for (i = 1; i <= n; i++) {
			split(order[i], word, " ")
			printf "%-8s %-22s %12d %8d %8d\n", word[1],
				word[2] == "pristine" ? "as it is" : "with vt-d-replace",
				sent[order[i]], lost[order[i]], faults[order[i]]
		}
		printf "\n1000 changes of the page table a run, runs: %d of each\n", runs
	}' "$table"
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
