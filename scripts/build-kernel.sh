#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# usage: build-kernel.sh VARIANT
# Builds a kernel and prints its directory (last line of standard output), with
# arch/x86/boot/bzImage, System.map, vmlinux and .config in it. That directory
# belongs to this very content: base, series, configuration and compiler. When
# it is there already nothing is built.
#
#   pristine              the kernel without the series
#   old, new              with it; two builds that differ on purpose
#   debug-old, debug-new  the same with KASAN, lockdep and so on
#   off                   the series applied, IOMMU_LIVEUPDATE=n
#   suspend, group        with system sleep; with legacy VFIO
#
# A variant is a list of fragments in tests/configs/, see below.
# EXTRA_CONFIG=file... adds fragments of your own (a variant of its own each).
set -eu
TOP=$(cd "$(dirname "$0")/.." && pwd)
. "$TOP/scripts/lib.sh"

[ $# -eq 1 ] || { sed -n '3,16s/^# \{0,1\}//p' "$0" >&2; exit 2; }
variant=$1
small='vm-min vm-fast'
work=patched
case $variant in
pristine) fragments="$small old pristine"; work=plain ;;
old) fragments="$small liveupdate old" ;;
new) fragments="$small liveupdate new" ;;
debug-old) fragments="$small liveupdate old debug debug-old" ;;
debug-new) fragments="$small liveupdate new debug debug-new" ;;
off) fragments="$small old off" ;;
suspend) fragments="$small liveupdate old suspend" ;;
group) fragments="$small liveupdate old group" ;;
*) die "no such variant: $variant" "one of: pristine old new debug-old debug-new off suspend group" ;;
esac
files=
for fragment in $fragments; do
	files="$files $CONFIGS/$fragment.config"
done
for fragment in ${EXTRA_CONFIG:-}; do
	[ -f "$fragment" ] || die "EXTRA_CONFIG: no such file: $fragment"
	files="$files $(cd "$(dirname "$fragment")" && pwd)/$(basename "$fragment")"
	variant=$variant-extra
done

need_tool gcc make flex bison bc cpio lz4 perl python3 patch flock cmp
base=$("$TOP/scripts/fetch-kernel.sh")
IOMMU_LIVEUPDATE_QUIET=1; export IOMMU_LIVEUPDATE_QUIET
id=$(base_id)

# somebody's own tree may change under us: then only a build can tell
case $id in kdir-*) own=yes ;; *) own=no ;; esac
# shellcheck disable=SC2086
content=$({
	echo "$id $work"
	[ "$work" = plain ] || series_hash
	for fragment in $files; do echo "$(basename "$fragment")"; cat "$fragment"; done
	gcc --version | head -n 1
	echo "format 1"
} | sha)
image=$CACHE/images/$content/$variant

done_already()
{
	[ -f "$image/.complete" ] || return 1
	touch "$image/.complete"
	say "kernel $variant: there already"
	printf '%s\n' "$image"
}

[ "$own" = yes ] || ! done_already || exit 0
lock tree
[ "$own" = yes ] || ! done_already || exit 0

make_tmp
cache_dir log
cache_dir ccache
if [ "$work" = patched ]; then
	tree=$("$TOP/scripts/apply-series.sh")
else
	work_tree plain
fi
case $variant in debug*) free_mb "$CACHE" 2500 "the build of $variant" ;;
*) free_mb "$CACHE" 800 "the build of $variant" ;; esac

# The build directory is a child of the source tree: then kbuild uses relative
# paths throughout, and ccache hits across trees, clones and machines.
out=$tree/build-$variant
log=$CACHE/log/build-$variant.log
mkdir -p "$out"
cc=gcc
if command -v ccache >/dev/null 2>&1; then
	cc='ccache gcc'
	CCACHE_DIR=$CACHE/ccache CCACHE_BASEDIR=$CACHE CCACHE_NOHASHDIR=1 CCACHE_MAXSIZE=6G CCACHE_COMPILERCHECK=content
	export CCACHE_DIR CCACHE_BASEDIR CCACHE_NOHASHDIR CCACHE_MAXSIZE CCACHE_COMPILERCHECK
fi
KBUILD_BUILD_TIMESTAMP='@1700000000' KBUILD_BUILD_USER=user KBUILD_BUILD_HOST=host KBUILD_BUILD_VERSION=1
export KBUILD_BUILD_TIMESTAMP KBUILD_BUILD_USER KBUILD_BUILD_HOST KBUILD_BUILD_VERSION
unset KCONFIG_CONFIG MAKEFLAGS MFLAGS MAKELEVEL O V W C KDIR 2>/dev/null || true

kmake() { make -C "$tree" O="$out" ARCH=x86_64 CC="$cc" HOSTCC="$cc" "$@"; }

# The configuration is made beside the one in use, and replaces it only if it
# differs: else everything would be looked at again.
configure()
{
	kmake CC=gcc KCONFIG_CONFIG=.config.new tinyconfig &&
	(cd "$out" && KCONFIG_CONFIG=.config.new "$tree/scripts/kconfig/merge_config.sh" \
		-m -O "$out" "$out/.config.new" $files) &&
	kmake CC=gcc KCONFIG_CONFIG=.config.new olddefconfig || return 1
	rm -f "$out/.config.new.old"
	cmp -s "$out/.config.new" "$out/.config" || cp "$out/.config.new" "$out/.config" || return 1
	rm -f "$out/.config.new"
}

# What the configuration depends on: fragments, compiler, the Kconfig files.
config_key()
{
	# shellcheck disable=SC2086
	cat $files
	gcc --version | head -n 1
	if [ "$own" = yes ]; then
		date +%s%N
	else
		grep Kconfig "$tree.touched" | while read -r path; do sha256sum "$tree$path" || true; done
	fi
}

# Every line of the fragments must have survived, the last word on a symbol counts.
check_config()
{
	# shellcheck disable=SC2086
	cat $files | sed -n -e 's/^\(CONFIG_[A-Za-z0-9_]*\)=\(.*\)/\1 \2/p' \
		-e 's/^# \(CONFIG_[A-Za-z0-9_]*\) is not set/\1 n/p' |
	awk '{ want[$1] = $0 } END { for (i in want) print want[i] }' | sort |
	while read -r symbol value; do
		if [ "$value" = n ]; then
			! grep -q "^$symbol=" "$out/.config" || echo "$symbol is set, wanted: not set"
		elif ! grep -qFx "$symbol=$value" "$out/.config"; then
			if grep -q "^$symbol=" "$CONFIGS/liveupdate.config" && ! defined "${symbol#CONFIG_}"; then
				say "    note: the series does not bring $symbol yet"
				continue
			fi
			echo "$symbol=$value did not survive: $(grep -w "$symbol" "$out/.config" || echo 'no such symbol, or a dependency is missing')"
		fi
	done
}

# defined SYMBOL: by the series?
defined() { grep -rqsE "^\+?(menu)?config $1\$" "$PATCHES" "$OVERLAY"; }

say "building kernel $variant"
start=$(date +%s)
key=$(config_key | sha)
if [ ! -f "$out/.config" ] || [ "$(cat "$out/.config-key" 2>/dev/null)" != "$key" ]; then
	rm -f "$out/.config-key"
	run_logged "configuration of $variant" "$log.config" configure ||
		die "the configuration of $variant failed" "the whole log: $log.config"
	echo "$key" >"$out/.config-key"
fi
check_config >"$tmp/config"
if [ -s "$tmp/config" ]; then
	sed 's/^/    /' "$tmp/config" >&2
	die "the configuration of $variant is not what its fragments want" \
	    "look at the dependencies of these symbols, or change the fragments:$(printf ' %s' $fragments)"
fi
run_logged "kernel $variant" "$log" kmake -j"$JOBS" bzImage ||
	die "the build of $variant failed" "the whole log: $log"

new=$CACHE/images/$content/$variant.new
rm -rf "$new"
mkdir -p "$new/arch/x86/boot"
cp "$out/arch/x86/boot/bzImage" "$new/arch/x86/boot/" &&
cp "$out/System.map" "$out/vmlinux" "$out/.config" "$new/" ||
	die "cannot copy the kernel to $new" "is the disk full?"
: >"$new/.complete"
rm -rf "$image"
mv "$new" "$image"
# old ones go, unless they were used during the last day
find "$CACHE/images" -mindepth 3 -maxdepth 3 -name .complete -mtime +1 -exec dirname {} \; |
	xargs -r rm -rf
say "kernel $variant: built in $(($(date +%s) - start)) s, $(grep -cE '^  (CC|AS)  ' "$log") files compiled," \
    "$(($(wc -c <"$image/arch/x86/boot/bzImage") / 1024)) KiB"
printf '%s\n' "$image"
