#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The same program twice, with and without preservation of its device; then a
# table and a picture of the frames that reached memory, from before the kexec
# until the device has changed over to page tables of the next kernel.
# MODE=legacy|sm-ss|sm-fs NIC=igb|e1000e CPUS=1|2 RATE=frames per second
# PICTURE=file.png puts a copy of the picture there.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/vm/lib.sh
. "$here/lib.sh"
: "${KERNEL_OLD:?bzImage}" "${KERNEL_NEW:?bzImage}"
MODE=${MODE:-legacy} NIC=${NIC:-igb} CPUS=${CPUS:-1}
demo=$results/demo
mkdir -p "$demo"

# run WHICH OPTIONS...
run()
{
	which=$1
	shift
	vm_run "demo-$which" "$KERNEL_OLD" "$KERNEL_NEW" --mode "$MODE" --nic "$NIC" \
		--cpus "$CPUS" "$@" >"$demo/$which.log" 2>&1 || failed="$failed $which"
	sed 's/^/  /' "$demo/$which.log"
	awk '!/^#/ { bin = int(($2 + 100000) / 10) * 10 - 100000; landed[bin] += $3 }
	     END { for (bin in landed) print bin, landed[bin] }' \
		"$results/demo-$which/frames.dat" | sort -n >"$demo/$which.bins"
}

result_line()
{
	sed -n '/^result: /p' "$demo/$1.log" | tail -n 1
}

# row TITLE KEY
row()
{
	printf '%-34s %16s %16s\n' "$1" "$(field "$yes" "$2")" "$(field "$no" "$2")"
}

table()
{
	yes=$(result_line yes) no=$(result_line no)
	printf '\n%-34s %16s %16s\n' "$NIC, $MODE, $RATE frames/s" 'with' 'without'
	printf '%-34s %16s %16s\n' '' 'preservation' 'preservation'
	row 'frames sent' sent
	row 'landed in memory' landed
	row 'late (by more than 5 ms)' late
	row 'lost' lost
	row 'corrupted' corrupted
	row 'longest gap, ms' gap_ms
	row 'DMAR faults' faults
	row 'kexec call to user space, ms' blackout_ms
	row 'switch to new page tables' switch
	row 'session finished' finish
	printf 'old kernel  %s\nnew kernel  %s\n\n' "$(field "$yes" old)" "$(field "$yes" new)"
}

# phase WHICH NAME ; ms after the kexec call, -9999 when it did not happen
phase()
{
	value=
	[ ! -f "$results/demo-$1/phases.dat" ] ||
		value=$(sed -n "s/^$2 //p" "$results/demo-$1/phases.dat")
	printf '%s' "${value:--9999}"
}

# title WHICH TEXT
title()
{
	line=$(result_line "$1")
	printf '%s: %s of %s frames lost, longest gap %s ms' "$2" "$(field "$line" lost)" \
		"$(field "$line" sent)" "$(field "$line" gap_ms)"
}

picture()
{
	gnuplot -e "dir='$demo'" -e "output='$demo/demo.png'" -e "rate=$RATE" \
		-e "title_yes='$(title yes 'with preservation')'" \
		-e "title_no='$(title no 'without')'" \
		-e "kernel_yes=$(phase yes kernel)" -e "iommu_yes=$(phase yes iommu)" \
		-e "user_yes=$(phase yes user)" -e "kernel_no=$(phase no kernel)" \
		-e "iommu_no=$(phase no iommu)" -e "user_no=$(phase no user)" \
		-e "switch_yes=$(phase yes switched)" -e "finish_yes=$(phase yes finished)" \
		-e "open_no=$(phase no reopened)" "$here/demo.gnuplot"
	[ -z "${PICTURE:-}" ] || cp "$demo/demo.png" "$PICTURE"
	echo "picture: ${PICTURE:-$demo/demo.png}"
}

failed=
echo "with preservation"
run yes
echo "without: the next kernel's program has to set up its device anew"
run no --script plain-update --preserve no --expect loss --guest lu_reopen=1
table
picture
[ -z "$failed" ] || echo "not as expected:$failed"
[ -z "$failed" ]
