#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Gets systemd of version 262 or later, which has LUOSession=, and what it runs with, from
# Debian's packages, and prints the directory where they are unpacked (last line of
# standard output). No package is installed.
#
#   SYSTEMD_SUITES   Debian suites to look in, default: trixie-backports forky sid
#
# Status 4: it cannot be had, and the reason has been said.
set -eu
TOP=$(cd "$(dirname "$0")/.." && pwd)
. "$TOP/scripts/lib.sh"
. "$TOP/scripts/apt.sh"
MIN=262
SUITES=${SYSTEMD_SUITES:-trixie-backports forky sid}
PACKAGES='systemd libsystemd-shared libc6 libmount1 libblkid1 libselinux1 libpcre2-8-0 libsystemd0 dash'

root=$CACHE/systemd/root
found() { say "systemd: $(cat "$CACHE/systemd/version")"; printf '%s\n' "$root"; exit 0; }
# cannot REASON: for a test that is skipped then
cannot() { say "systemd $MIN or later is not to be had: $1"; exit 4; }

cache_dir systemd
lock fetch
[ ! -f "$CACHE/systemd/version" ] || found
[ "$(dpkg --print-architecture 2>/dev/null)" = amd64 ] || cannot "only amd64 is supported"
(archive_uri) || exit 4
archive_uri

# candidate LIST: the version that this list has, nothing if it has none
candidate()
{
	papt "$1" apt-cache policy systemd | sed -n 's/^  Candidate: \([0-9].*\)/\1/p'
}

reached=no newest='' suite=''
for name in $SUITES; do
	apt_list "systemd-$name" "$name" || continue
	reached=yes
	version=$(candidate "systemd-$name")
	[ -n "$version" ] || continue
	newest=$version
	[ "${version%%[!0-9]*}" -lt "$MIN" ] || { suite=$name; break; }
done
[ "$reached" = yes ] || cannot "no network: the Debian archive could not be reached"
[ -n "$suite" ] || cannot "the newest one in $SUITES is ${newest:-none}"

free_mb "$CACHE" 200 systemd
say "getting systemd $newest from: $suite"
rm -rf "$CACHE/systemd/deb" "$root"
mkdir -p "$CACHE/systemd/deb" "$root"
# shellcheck disable=SC2086
(cd "$CACHE/systemd/deb" && papt "systemd-$suite" apt-get -q download $PACKAGES) \
	>"$CACHE/log/download-systemd.log" 2>&1 || {
	tail -n 5 "$CACHE/log/download-systemd.log" >&2
	cannot "the download failed (log: $CACHE/log/download-systemd.log)"
}
for deb in "$CACHE/systemd/deb/"*.deb; do
	dpkg-deb -x "$deb" "$root" || die "cannot unpack $deb" "is the disk full?"
done
rm -rf "$CACHE/systemd/deb"
printf '%s\n' "$newest" >"$CACHE/systemd/version"
found
