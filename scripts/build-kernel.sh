#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# usage: build-kernel.sh VARIANT
# Builds a kernel and prints its directory (last line of standard output), with
# arch/x86/boot/bzImage, System.map, vmlinux and .config in it, and with
# modules/RELEASE/NAME.ko if it has modules. That directory
# belongs to this very content: base, series, configuration and compiler. When
# it is there already nothing is built.
#
#   pristine              the kernel without the series
#   old, new              with it; two builds that differ on purpose. These, and those that
#                         follow up to coverage-, have switches to break rules, of tests/kernel/
#   wide-old, wide-new    the same with much of what a distribution has: huge pages, NUMA,
#                         memory and cards that come and go, crash kernels
#   modular               new, with iommufd and VFIO as modules
#   debian-old, debian-new  Debian's configuration of a cloud kernel, trimmed
#                         (debian-config.sh), with iommufd and VFIO as modules
#   vmm-old, vmm-new      old and new as hosts of virtual machines
#   inner                 what runs in such a virtual machine
#   systemd-old, systemd-new  wide-old with what systemd as PID 1 needs, under two names
#   debug-old, debug-new  old and new with KASAN, lockdep and so on
#   coverage-old, coverage-new, coverage-kunit  with counters in the new files, see coverage.sh
#   replaced              the kernel with nothing of the series but the part vt-d-replace
#   off                   the series applied, IOMMU_LIVEUPDATE=n
#   ordinary, ordinary-pristine with disk and network; the series applied, and without it
#   kunit, kunit-pristine with the kernel's own tests; the series applied, and without it
#   kunit-front           the same; applied are the parts that come before live update of IOMMUs
#
# A variant is a list of fragments in tests/configs/, see kbuild.sh.
# EXTRA_CONFIG=file... adds fragments of your own (a variant of its own each).
# shellcheck disable=SC2015,SC2086
set -eu
TOP=$(cd "$(dirname "$0")/.." && pwd)
. "$TOP/scripts/lib.sh"
. "$TOP/scripts/kbuild.sh"

[ $# -eq 1 ] || { sed -n '3,30s/^# \{0,1\}//p' "$0" >&2; exit 2; }
variant=$1
variant_files "$variant"
for fragment in ${EXTRA_CONFIG:-}; do
	[ -f "$fragment" ] || die "EXTRA_CONFIG: no such file: $fragment"
	files="$files $(cd "$(dirname "$fragment")" && pwd)/$(basename "$fragment")"
	variant=$variant-extra
done

need_x86_64
need_tool gcc strip make flex bison bc cpio lz4 perl python3 patch flock cmp
base=$("$TOP/scripts/fetch-kernel.sh")
IOMMU_LIVEUPDATE_QUIET=1; export IOMMU_LIVEUPDATE_QUIET
id=$(base_id)

# somebody's own tree may change under us: then only a build can tell
case $id in kdir-*) own=yes ;; *) own=no ;; esac
image_parts()
{
	echo "$id $work"
	[ "$work" = plain ] || series_hash "$work"
	for fragment in $first $files; do basename "$fragment"; cat "$fragment"; done
	gcc --version | head -n 1
	[ -z "$profile" ] || echo "$profile"
	[ -z "$words" ] || echo "$words"
	echo "format 1"
}
set_image()
{
	content=$(key image_parts)
	image=$CACHE/images/$content/$variant
}
set_image

done_already()
{
	[ -f "$image/.complete" ] || return 1
	touch "$image/.complete"
	say "kernel $variant: there already"
	printf '%s\n' "$image"
}

[ "$own" = yes ] || ! done_already || exit 0
lock tree
set_image
[ "$own" = yes ] || ! done_already || exit 0

make_tmp
if [ "$work" != plain ]; then
	tree=$("$TOP/scripts/apply-series.sh" "$work")
	# what was applied just now may be newer than what we looked at first
	set_image
else
	work_tree plain
fi
case $variant in debug* | debian*) free_mb "$CACHE" 2500 "the build of $variant" ;;
*) free_mb "$CACHE" 800 "the build of $variant" ;; esac

out=$tree/build-$variant
log=$CACHE/log/build-$variant.log
build_setup
say "building kernel $variant"
start=$(date +%s)
configure "$variant"
run_logged "kernel $variant" "$log" kmake_image ||
	die "the build of $variant failed" "the whole log: $log"

new=$CACHE/images/$content/$variant.new
rm -rf "$new"
mkdir -p "$new/arch/x86/boot"
cp "$out/arch/x86/boot/bzImage" "$new/arch/x86/boot/" &&
cp "$out/System.map" "$out/vmlinux" "$out/.config" "$new/" ||
	die "cannot copy the kernel to $new" "is the disk full?"
! has_modules || install_modules "$new" || die "cannot copy the modules to $new" "is the disk full?"
[ -z "$profile" ] ||
	(cd "$out" && find . -name '*.gcno' -exec cp --parents -t "$new" {} +) ||
	die "cannot copy the notes of gcov to $new" "is the disk full?"
: >"$new/.complete"
rm -rf "$image"
mv "$new" "$image"
# old ones go, unless they were used during the last day
find "$CACHE/images" -mindepth 3 -maxdepth 3 -name .complete -mtime +1 |
	while read -r old; do rm -rf "${old%/.complete}"; done
say "kernel $variant: built in $(($(date +%s) - start)) s, $(grep -cE '^  (CC|AS)  ' "$log") files compiled," \
    "$(($(wc -c <"$image/arch/x86/boot/bzImage") / 1024)) KiB"
printf '%s\n' "$image"
