# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# Shared by run-checks.sh, run-demo.sh, run-soak.sh and run-chain.sh; sourced, not run.
#
#   QEMU, UAPI, BUILD_DIR        see scripts/env.sh
#   COVERAGE  a directory for the counters of kernels with gcov, see scripts/coverage.sh
#   RESULTS   where the logs go, default $BUILD_DIR/results
#   KERNEL_PRISTINE, KERNEL_OLD, KERNEL_NEW, KERNEL_OFF,
#   KERNEL_WIDE_OLD, KERNEL_WIDE_NEW, KERNEL_MODULAR,
#   KERNEL_DEBIAN_OLD, KERNEL_DEBIAN_NEW                  bzImages
#   KERNEL_SYSTEMD_OLD, KERNEL_SYSTEMD_NEW                bzImages
#   KERNEL_VMM_OLD, KERNEL_VMM_NEW, KERNEL_INNER          bzImages
#   INNER_QEMU    where scripts/fetch-inner-qemu.sh has unpacked it; without it what needs it is skipped
#   SYSTEMD_ROOT  where scripts/fetch-systemd.sh has unpacked it; without it what needs it is skipped
#   RATE      frames per second, default 1000
#   TIMEOUT   seconds per run, default 180, 900 on debug kernels
#   MEMORY    of the machine in MB, default 512, 2048 on debug kernels

: "${QEMU:?a qemu-system-x86_64 of version 10 or later; scripts/env.sh sets it}"
: "${UAPI:?exported kernel headers; scripts/env.sh sets it}"
: "${BUILD_DIR:?directory for the programs; scripts/env.sh sets it}"
: "${here:?set by the script that sources this}"
RATE=${RATE:-1000}
if [ -n "${CHECK_DEBUG:-}" ]; then
	TIMEOUT=${TIMEOUT:-900} MEMORY=${MEMORY:-2048}
	# KASAN's shadow counts as used at boot: KHO's default, three times as much
	# again and more, is not to be had. Page poisoning is off without a word.
	kernel_options=kho_scratch=75% poison=page_poison=1
else
	TIMEOUT=${TIMEOUT:-180} MEMORY=${MEMORY:-512} kernel_options='' poison=''
fi
results=${RESULTS:-$BUILD_DIR/results}
mkdir -p "$results"
# One run at a time: two would write over each other's logs.
exec 6>"$results/lock"
if ! flock -n 6; then
	echo "waiting for another run that uses $results (RESULTS= puts this one elsewhere)" >&2
	flock 6
fi
"$here/build.sh" >/dev/null
[ -z "${SYSTEMD_ROOT:-}" ] ||
	TOOL=$BUILD_DIR/tool/iommu-liveupdate "$here/systemd/make-root.sh" "$SYSTEMD_ROOT" "$BUILD_DIR/systemd.cpio"
[ -z "${INNER_QEMU:-}" ] ||
	INNER_KERNEL=$KERNEL_INNER INNER_INIT=$BUILD_DIR/inner-init \
		"$here/inner/make-root.sh" "$INNER_QEMU" "$BUILD_DIR/usr.image"

# in_use KERNEL... ; what is used is not removed as old, however long all of it takes
in_use()
{
	for used; do
		used=${used%/arch/x86/boot/bzImage}/.complete
		[ ! -f "$used" ] || touch "$used"
	done
	touch "$BUILD_DIR"
}

# lacks_series KERNEL
lacks_series()
{
	[ "$1" = "${KERNEL_PRISTINE:-}" ] || [ "$1" = "${KERNEL_KUNIT_PRISTINE:-}" ]
}

# vm_run NAME OLD NEW OPTIONS... ; status: 0 passed, 4 skipped, else failed. Rarely an
# emulated machine with two processors hangs in the first kernel's set-up of its
# timers. Nothing has been tried by then, so such a machine is started once more;
# but not with a kernel that has the series, which might be what hangs. It is with
# any kernel when vm-run has shown that the emulator stands still (host/stall.c), and
# has seen nothing else that is wrong.
vm_run()
{
	vm_status=0
	vm_start "$@" || vm_status=$?
	case $vm_status in
	5)
		if ! lacks_series "$2"; then
			echo "  the machine did not come up"
			return 1
		fi
		echo "AGAIN $1: the machine did not come up"
		;;
	6)
		keep_results "$1"
		echo "AGAIN $1: $(tail -n 1 "$kept/processors.log") (see $kept)"
		;;
	*)
		return "$vm_status"
		;;
	esac
	vm_start "$@"
}

# keep_results NAME ; of a run that is followed by another one, in $kept
keep_results()
{
	kept=$results/$1.stood-still
	rm -rf "$kept"
	mv "$results/$1" "$kept"
}

# options_of_kernel OPTIONS... ; where the host looks for stray frames in all of the
# guest's memory, the next kernel must not write over them when it frees that.
options_of_kernel()
{
	case " $* " in
	*' --shared-memory '*) printf '%s' "$kernel_options" ;;
	*) printf '%s' "$kernel_options${poison:+ $poison}" ;;
	esac
}

# lacks OPTIONS... ; says what is not at hand, if it is needed
lacks()
{
	case " $* " in
	*' --nested '*) [ -n "${INNER_QEMU:-}" ] || echo "no QEMU for virtual machines: INNER_QEMU is not set" ;;
	*' --script systemd '*) [ -n "${SYSTEMD_ROOT:-}" ] || echo "no systemd: SYSTEMD_ROOT is not set" ;;
	esac
}

# modules_of KERNEL ; what build-kernel.sh has put beside it, if there are any
modules_of() { find "${1%/arch/x86/boot/bzImage}/modules" -maxdepth 0 -type d 2>/dev/null || :; }

vm_start()
{
	vm_name=$1 vm_old=$2 vm_new=$3
	shift 3
	in_use "$vm_old" "$vm_new"
	mkdir -p "$results/$vm_name"
	[ -z "${COVERAGE:-}" ] || set -- "$@" --counters "$here/../coverage/add.sh"
	case " $* " in *' --nested '*) set -- --usr "$BUILD_DIR/usr.image" "$@" ;; esac
	case " $* " in *' --script systemd '*) set -- --root "$BUILD_DIR/systemd.cpio" "$@" ;; esac
	[ -z "$(modules_of "$vm_old")" ] || set -- --old-modules "$(modules_of "$vm_old")" "$@"
	[ -z "$(modules_of "$vm_new")" ] || set -- --new-modules "$(modules_of "$vm_new")" "$@"
	vm_machine "$@"
}

# vm_machine OPTIONS... ; of the names of vm_start
vm_machine()
{
	"$BUILD_DIR/vm-run" --name "$vm_name" --qemu "$QEMU" --old-kernel "$vm_old" \
		--new-kernel "$vm_new" --init "$BUILD_DIR/init" --examples "$BUILD_DIR/examples" \
		--tool "$BUILD_DIR/tool/iommu-liveupdate" --output "$results/$vm_name" \
		--rate "$RATE" --timeout "$TIMEOUT" --memory "$MEMORY" --append "$(options_of_kernel "$@")" "$@"
}

# field LINE KEY ; the value of KEY= in a result line
field()
{
	printf '%s\n' "$1" | tr ' ' '\n' | sed -n "s/^$2=//p"
}
