# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# Shared by run-checks.sh, run-demo.sh and run-soak.sh; sourced, not run.
#
#   QEMU, UAPI, BUILD_DIR        see scripts/env.sh
#   KERNEL_PRISTINE, KERNEL_OLD, KERNEL_NEW, KERNEL_OFF   bzImages
#   RATE      frames per second, default 1000
#   TIMEOUT   seconds per run, default 180, 900 on debug kernels
#   MEMORY    of the machine in MB, default 512, 1536 on debug kernels

: "${QEMU:?a qemu-system-x86_64 of version 10 or later; scripts/env.sh sets it}"
: "${UAPI:?exported kernel headers; scripts/env.sh sets it}"
: "${BUILD_DIR:?directory for the programs; scripts/env.sh sets it}"
: "${here:?set by the script that sources this}"
RATE=${RATE:-1000}
if [ -n "${CHECK_DEBUG:-}" ]; then
	TIMEOUT=${TIMEOUT:-900} MEMORY=${MEMORY:-1536}
else
	TIMEOUT=${TIMEOUT:-180} MEMORY=${MEMORY:-512}
fi
results=${RESULTS:-$BUILD_DIR/results}
mkdir -p "$results"
"$here/build.sh" >/dev/null

# vm_run NAME OLD NEW OPTIONS... ; status: 0 passed, 1 failed, 4 skipped, 5 failed,
# but worth a repetition
vm_run()
{
	vm_name=$1 vm_old=$2 vm_new=$3
	shift 3
	mkdir -p "$results/$vm_name"
	"$BUILD_DIR/vm-run" --name "$vm_name" --qemu "$QEMU" --old-kernel "$vm_old" \
		--new-kernel "$vm_new" --init "$BUILD_DIR/init" --example "$BUILD_DIR/survive" --output "$results/$vm_name" \
		--rate "$RATE" --timeout "$TIMEOUT" --memory "$MEMORY" "$@"
}

# vm_run_patiently NAME OLD NEW OPTIONS... ; the same, but a run that failed by
# frames that the card did not take in time (status 5) is repeated, five times at
# most and not at once: what keeps a shared host busy tends to last for a while
vm_run_patiently()
{
	tries=0 status=5
	while [ "$status" -eq 5 ] && [ "$tries" -lt 6 ]; do
		[ "$tries" -eq 0 ] || {
			echo "AGAIN $1: the card did not take all frames in time, the host may have been busy"
			sleep "$((tries * 5))"
		}
		status=0 tries=$((tries + 1))
		vm_run "$@" || status=$?
	done
	return "$status"
}

# field LINE KEY ; the value of KEY= in a result line
field()
{
	printf '%s\n' "$1" | tr ' ' '\n' | sed -n "s/^$2=//p"
}
