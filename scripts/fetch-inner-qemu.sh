#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Gets a QEMU of version 10.1 or later, the first one that hands a card of iommufd over to
# another QEMU, with all the libraries that it runs with, from Debian's packages, and prints
# the directory where they are unpacked (last line of standard output). It is for the
# machines of the rig, inside of which it runs with KVM; scripts/fetch-qemu.sh has the one
# that emulates them. No package is installed.
#
#   INNER_QEMU_SUITES   pairs of Debian suites to look in, the second one for QEMU itself,
#                       default: trixie,trixie-backports forky,forky
#
# Status 4: it cannot be had, and the reason has been said.
set -eu
TOP=$(cd "$(dirname "$0")/.." && pwd)
. "$TOP/scripts/lib.sh"
. "$TOP/scripts/apt.sh"
MIN=10.1
PAIRS=${INNER_QEMU_SUITES:-trixie,trixie-backports forky,forky}

root=$CACHE/inner-qemu/root
found() { say "inner QEMU: $(cat "$CACHE/inner-qemu/version")"; printf '%s\n' "$root"; exit 0; }
# cannot REASON: for a test that is skipped then
cannot() { say "a QEMU of version $MIN or later is not to be had: $1"; exit 4; }

cache_dir inner-qemu
lock fetch
[ ! -f "$CACHE/inner-qemu/version" ] || found
[ "$(dpkg --print-architecture 2>/dev/null)" = amd64 ] || cannot "only amd64 is supported"
(archive_uri) || exit 4
archive_uri

# newest LIST SUITE: the version that this suite of the list has, nothing if it has none
newest()
{
	papt "$1" apt-cache -t "$2" policy qemu-system-x86 | sed -n 's/^  Candidate: \([0-9].*\)/\1/p'
}

# new_enough VERSION, with or without an epoch
new_enough() { dpkg --compare-versions "${1#*:}" ge "$MIN"; }

reached=no best='' list=''
for pair in $PAIRS; do
	base=${pair%,*} suite=${pair#*,}
	name=inner-qemu-$base
	if [ "$base" = "$suite" ]; then apt_list "$name" "$base" || continue
	else apt_list "$name" "$base" "$suite" || continue; fi
	reached=yes
	version=$(newest "$name" "$suite")
	[ -n "$version" ] || continue
	best=$version
	! new_enough "$version" || { list=$name; break; }
done
[ "$reached" = yes ] || cannot "no network: the Debian archive could not be reached"
[ -n "$list" ] || cannot "the newest one in $PAIRS is ${best:-none}"

free_mb "$CACHE" 400 "the inner QEMU"
say "getting QEMU $version and its libraries from: $suite"
# With a list of installed packages that is empty all that it depends on is fetched.
rm -f "$CACHE/apt/$list/cache/archives/"*.deb
papt "$list" apt-get -q -y -d --no-install-recommends -t "$suite" install \
	qemu-system-x86 qemu-system-data seabios >"$CACHE/log/download-inner-qemu.log" 2>&1 || {
	tail -n 5 "$CACHE/log/download-inner-qemu.log" >&2
	cannot "the download failed (log: $CACHE/log/download-inner-qemu.log)"
}
rm -rf "$root"
mkdir -p "$root"
for deb in "$CACHE/apt/$list/cache/archives/"*.deb; do
	dpkg-deb -x "$deb" "$root" || die "cannot unpack $deb" "is the disk full?"
	rm -f "$deb"
done
printf '%s\n' "$version" >"$CACHE/inner-qemu/version"
found
