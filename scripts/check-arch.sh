#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Compiles what the series touches for processors where there is no rig: arm64, which
# can hand memory over, with IOMMU_LIVEUPDATE; riscv, which cannot, where the option
# has to be gone. No warning may come of a file of the series. Cross compilers from Debian.
#
#   ARCHS="arm64"   only these
#
# Ends with a line "N passed, N failed, N skipped".
# shellcheck disable=SC2015,SC2034
set -eu
TOP=$(cd "$(dirname "$0")/.." && pwd)
. "$TOP/scripts/lib.sh"
. "$TOP/scripts/kbuild.sh"
. "$TOP/scripts/results.sh"
need_tool make flex bison bc perl python3 patch flock
ARCHS=${ARCHS:-arm64 riscv}
DIRECTORIES='kernel/liveupdate/ mm/ drivers/iommu/ drivers/pci/ drivers/vfio/ init/'

compiler_of()
{
	case $1 in
	arm64) echo aarch64-linux-gnu- ;;
	riscv) echo riscv64-linux-gnu- ;;
	*) die "no such architecture: $1" "one of: arm64 riscv" ;;
	esac
}

# like that of kbuild.sh, for another processor
kmake()
{
	make -C "$tree" O="$out" ARCH="$arch" CROSS_COMPILE="$prefix" "$@"
}

# own_warnings LOG: those of files that the series brings or edits
own_warnings()
{
	sed 's,^/,,' "$tree.touched" >"$tmp/touched"
	grep -E ': (warning|error): ' "$1" | sed 's,^\.\./,,' | grep -F -f "$tmp/touched" || true
}

# option_is ARCH: is IOMMU_LIVEUPDATE what it must be there?
option_is()
{
	case $1 in
	riscv) ! grep -q 'CONFIG_IOMMU_LIVEUPDATE' "$out/.config" ;;
	*) grep -q '^CONFIG_IOMMU_LIVEUPDATE=y' "$out/.config" &&
		grep -q '^CONFIG_IOMMU_LIVEUPDATE_MOCK=y' "$out/.config" ;;
	esac
}

check_arch()
{
	arch=$1 prefix=$(compiler_of "$1") out=$tree/build-$1 log=$CACHE/log/arch-$1.log
	need_tool "${prefix}gcc"
	build_setup
	files=$CONFIGS/arch.config
	run_logged "configuration of $arch" "$CACHE/log/config-$arch.log" make_config ||
		{ fail "$arch: the configuration fails (see $CACHE/log/config-$arch.log)"; return; }
	if option_is "$arch"; then
		pass "$arch: IOMMU_LIVEUPDATE is $([ "$arch" = riscv ] && echo 'not offered' || echo on)"
	else
		grep 'LIVEUPDATE\|HANDOVER\|IOMMUFD\|VFIO_PCI' "$out/.config" >"$tmp/option" || true
		fail "$arch: IOMMU_LIVEUPDATE" "$tmp/option"
	fi
	# shellcheck disable=SC2086
	if run_logged "$arch" "$log" kmake W=1 -k -j"$JOBS" $DIRECTORIES; then
		pass "$arch: ${DIRECTORIES% } compile"
	else
		fail "$arch: does not compile (see $log)"
	fi
	own_warnings "$log" >"$tmp/warnings"
	if [ -s "$tmp/warnings" ]; then
		fail "$arch: warnings" "$tmp/warnings"
	else
		pass "$arch: no warning of a file of the series"
	fi
}

tree=$("$TOP/scripts/apply-series.sh")
make_tmp
free_mb "$CACHE" 1500 "the builds"
lock tree
for arch_name in $ARCHS; do
	check_arch "$arch_name"
done
finish
