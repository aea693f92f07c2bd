#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# usage: kernel-deb.sh CONFIG
# Builds Debian packages of a kernel with the series, its image and its headers, from
# the configuration in the file CONFIG, and prints their paths (on standard output,
# everything else goes to standard error).
#
# What the series needs is merged into it, see kernel-deb.config; if some of that does
# not survive, because something that it depends on is off, nothing is built.
#
#   OUT             where the packages go, default out/kernel-deb
#   SUFFIX          what is added to the kernel's version, default -liveupdate
#   KDEB_PKGVERSION the version of the packages, default that of the kernel, and -1
#
# Exit status: 0 built, 1 it failed, 2 wrong arguments, 3 the configuration was refused.
# shellcheck disable=SC2034,SC2154
set -eu
TOP=$(cd "$(dirname "$0")/.." && pwd)
. "$TOP/scripts/lib.sh"
. "$TOP/scripts/kbuild.sh"
NEEDED=$TOP/scripts/kernel-deb.config

refuse() { (die "$@") || exit 3; }

# read_config FILE: sets $first, a copy of the user's configuration
read_config()
{
	[ -f "$1" ] || refuse "there is no $1" "CONFIG= names the configuration of a kernel, /boot/config-\$(uname -r) for instance"
	grep -q '^CONFIG_[A-Za-z0-9_]*=' "$1" ||
		refuse "$1 is not the configuration of a kernel" "it has no line CONFIG_NAME=value"
	first=$tmp/first
	cp "$1" "$first"
}

# value SYMBOL FILE: y, m, n or nothing; the last word counts
value()
{
	sed -n -e "s/^$1=\(.*\)/\1/p" -e "s/^# $1 is not set\$/n/p" "$2" | tail -n 1
}

# needed_lines: into a file, so that a list that cannot be read is not one of nothing
needed_lines() { sed -n 's/^\(CONFIG_[A-Z0-9_]*\)=\([ym]\)$/\1 \2/p' "$NEEDED" >"$tmp/lines"; }

# A distribution names keys that only it has.
forget_keys()
{
	keys=$(value CONFIG_SYSTEM_TRUSTED_KEYS "$first" | tr -d '"')
	[ -n "$keys" ] && [ ! -f "$tree/$keys" ] || return 0
	say "    note: the keys $keys are not in the kernel source, going on without"
	echo 'CONFIG_SYSTEM_TRUSTED_KEYS=""'
}

# write_fragment: what is merged; what is built in already stays so
write_fragment()
{
	needed_lines
	while read -r symbol wanted; do
		[ "$(value "$symbol" "$first")" != y ] || wanted=y
		printf '%s=%s\n' "$symbol" "$wanted"
	done <"$tmp/lines"
	forget_keys
}

# lacking: what is needed and did not survive
lacking()
{
	needed_lines
	while read -r symbol wanted; do
		got=$(value "$symbol" "$out/.config")
		[ "$got" = y ] || [ "$got" = "$wanted" ] ||
			printf '    %s=%s is needed, and it is %s\n' "$symbol" "$wanted" "${got:-not known here}"
	done <"$tmp/lines"
}

configure_kernel()
{
	files=$tmp/needed
	write_fragment >"$files"
	run_logged "configuration" "$CACHE/log/config-deb.log" make_config ||
		die "the configuration failed" "the whole log: $CACHE/log/config-deb.log"
	lacking >"$tmp/lacking"
	[ -s "$tmp/lacking" ] || return 0
	say "the series cannot be used with $1:"
	cat "$tmp/lacking" >&2
	refuse "the configuration lacks what the series needs" \
		"switch on what these depend on, 'make menuconfig' shows it for each"
}

# build_packages: of a kernel that is built already; bindeb-pkg leaves them beside the
# build directory. What it asks for is more than what this needs (-d): libdw-dev is for
# kernels with DWARF.
build_packages()
{
	rm -f "$tree"/*.deb "$tree"/*.changes "$tree"/*.buildinfo
	kmake -j"$JOBS" DPKG_FLAGS=-d bindeb-pkg
}

[ -n "${1:-}" ] || { sed -n '3,15s/^# \{0,1\}//p' "$0" >&2; exit 2; }
make_tmp
read_config "$1"
need_x86_64
need_tool gcc make flex bison bc cpio perl python3 patch flock rsync dpkg-buildpackage dh_testdir depmod
to=${OUT:-$TOP/out/kernel-deb}
mkdir -p "$to" || die "cannot create $to"

base=$("$TOP/scripts/fetch-kernel.sh")
IOMMU_LIVEUPDATE_QUIET=1; export IOMMU_LIVEUPDATE_QUIET
own=no
lock tree
tree=$("$TOP/scripts/apply-series.sh" patched)
free_mb "$CACHE" 2500 "the build of the kernel"
out=$tree/build-deb
log=$CACHE/log/build-deb.log
profile=
words="LOCALVERSION=${SUFFIX--liveupdate}"
suite=${KDEB_CHANGELOG_DIST:-unstable}
build_setup
KDEB_PKGVERSION=${KDEB_PKGVERSION:-$(tree_version "$tree")-1} KDEB_CHANGELOG_DIST=$suite
DEB_BUILD_PROFILES=pkg.linux-upstream.nokerneldbg DEB_BUILD_OPTIONS=terse
export KDEB_PKGVERSION KDEB_CHANGELOG_DIST DEB_BUILD_PROFILES DEB_BUILD_OPTIONS

say "building packages of Linux $(tree_version "$tree") with the series, from $1"
start=$(date +%s)
configure_kernel "$1"
run_logged "kernel" "$log" kmake_image || die "the build failed" "the whole log: $log"
run_logged "packages" "$CACHE/log/packages-deb.log" build_packages ||
	die "the packages could not be made" "the whole log: $CACHE/log/packages-deb.log"
release=$(cat "$out/include/config/kernel.release")
for package in linux-image linux-headers; do
	deb=$(echo "$tree/${package}-${release}_"*.deb)
	[ -f "$deb" ] || die "there is no package of $package" "the whole log: $CACHE/log/packages-deb.log"
	mv "$deb" "$to/"
	printf '%s\n' "$to/$(basename "$deb")"
done
rm -f "$tree"/*.deb "$tree"/*.changes "$tree"/*.buildinfo
say "built in $(($(date +%s) - start)) s; install them with apt-get install, and boot $release with" \
    "kho=on liveupdate=on intel_iommu=on"
