#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# usage: install-packages.sh [GROUP...]
# Installs the Debian packages that are needed for something, as root; says what is
# missing otherwise. Does nothing, and takes no time, when all are there. Without a
# GROUP all packages.
#
#   series   patches and mails: make series, make apply
#   build    kernels, headers, programs of the guest, the operator's command among them
#   unit     unit tests
#   lib      the library, its manual and its tests
#   tool     the operator's command and its tests
#   static   make check-series
#   arch     make check-arch
#   kernel   programs of kselftest
#   demo     the picture
#   deb      make deb
#   kernel-deb  make kernel-deb, besides build
#   systemd  make check-systemd, besides build
#   vm       make check-vm, besides build
#   chroot   make check-packages
#
#   SKIP_PACKAGES=1   look at nothing, install nothing
#   APT_OPTIONS       for every call of apt-get and apt-cache
# shellcheck disable=SC2015,SC2016,SC2034,SC2086
set -eu
TOP=$(cd "$(dirname "$0")/.." && pwd)
. "$TOP/scripts/lib.sh"

packages_of()
{
	case $1 in
	series) echo patch git xz-utils ca-certificates ;;
	build) echo gcc libc6-dev make flex bison bc libelf-dev libssl-dev cpio lz4 xz-utils python3 \
		perl ccache rsync patch ca-certificates libjson-c-dev libarchive-dev liblzma-dev libzstd-dev \
		liblz4-dev libbz2-dev zlib1g-dev ;;
	unit) echo gcc libc6-dev make libcmocka-dev ;;
	lib) echo gcc g++ clang libc6-dev linux-libc-dev make libcmocka-dev pkgconf groff-base valgrind ;;
	tool) echo gcc clang libc6-dev linux-libc-dev make libjson-c-dev libarchive-dev python3-jsonschema \
		groff-base valgrind strace cpio bash ;;
	static) echo sparse python3-sphinx python3-yaml ;;
	arch) echo gcc-aarch64-linux-gnu gcc-riscv64-linux-gnu ;;
	kernel) echo libcap-dev liburcu-dev ;;
	demo) echo gnuplot-nox ;;
	deb) echo build-essential pkgconf dpkg-dev debhelper libjson-c-dev libarchive-dev lintian ;;
	kernel-deb) echo dpkg-dev debhelper kmod rsync ;;
	systemd) echo cpio util-linux ;;
	vm) echo cpio e2fsprogs ;;
	chroot) echo debootstrap debian-archive-keyring binutils util-linux ;;
	*) die "no such group of packages: $1" "one of: series build unit lib tool static arch kernel demo deb kernel-deb systemd vm chroot" ;;
	esac
}

PACKAGES=
[ $# -gt 0 ] || set -- series build unit lib tool static arch kernel demo deb kernel-deb systemd vm chroot
for group; do
	group_packages=$(packages_of "$group")
	for package in $group_packages; do
		case " $PACKAGES " in *" $package "*) ;; *) PACKAGES="$PACKAGES $package" ;; esac
	done
done

[ -z "${SKIP_PACKAGES:-}" ] || exit 0
command -v dpkg-query >/dev/null 2>&1 ||
	die "this is not a Debian system" \
	    "install the equivalents of these packages and set SKIP_PACKAGES=1:" $PACKAGES

missing=
# shellcheck disable=SC2086
for package in $PACKAGES; do
	state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
	[ "$state" = installed ] || missing="$missing $package"
done
missing=${missing# }
[ -n "$missing" ] || exit 0

[ "$(id -u)" -eq 0 ] ||
	die "packages are missing: $missing" "install them as root: apt-get install --no-install-recommends $missing"

case $(. /etc/os-release && echo "${ID:-}-${VERSION_ID:-}") in
debian-12|debian-13) ;;
*) warn "this is neither Debian 12 nor 13; trying all the same" ;;
esac

say "installing packages: $missing"
make_tmp
DEBIAN_FRONTEND=noninteractive
export DEBIAN_FRONTEND

update()
{
	say "    apt-get update"
	# shellcheck disable=SC2086
	apt-get ${APT_OPTIONS:-} -q -o APT::Update::Error-Mode=any update >"$tmp/log" 2>&1 || {
		tail -n 5 "$tmp/log" >&2
		die "apt-get update failed" "is the network up, and are the machine's apt sources right?"
	}
	updated=yes
}

updated=no
for package in $missing; do
	# shellcheck disable=SC2086
	if ! apt-cache ${APT_OPTIONS:-} policy "$package" | grep -q '^  Candidate: [0-9]'; then
		update
		break
	fi
done
while :; do
	# shellcheck disable=SC2086
	if apt-get ${APT_OPTIONS:-} -q -y --no-install-recommends install $missing >"$tmp/log" 2>&1 </dev/null; then
		say "    installed"
		exit 0
	fi
	if grep -q 'No space left on device\|not have enough free space' "$tmp/log"; then
		die "disk full while installing packages" "free some space and run this again"
	fi
	# the lists may be older than the archive
	[ "$updated" = no ] || break
	update
done
tail -n 12 "$tmp/log" >&2
die "these packages could not be installed: $missing" "see the messages above"
