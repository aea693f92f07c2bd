#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Gets the configuration of Debian's 7.3 cloud kernel, without its modules, and prints
# the file (last line of standard output; everything else goes to standard error).
#
# The rule: what Debian builds in stays, what it builds as a module is left out. The
# rig loads none of them but iommufd and VFIO, which tests/configs/debian.config puts
# back as modules, with what is to be off for its time or because the rig lacks it.
#
# Debian packages its configurations as linux-config-7.3.
# shellcheck disable=SC2015,SC2034
set -eu
TOP=$(cd "$(dirname "$0")/.." && pwd)
. "$TOP/scripts/lib.sh"
. "$TOP/scripts/apt.sh"

SUITES=${KERNEL_SUITES:-"trixie-backports forky sid trixie forky-backports bookworm-backports"}
PACKAGE=linux-config-$BASE_VERSION
FLAVOUR=config.amd64_none_cloud-amd64

need_tool dpkg-deb tar xz awk sha256sum
cache_dir download
cache_dir log
lock fetch

# One that was downloaded before; apt writes : as %3a.
there()
{
	for deb in "$CACHE/download/${PACKAGE}_$BASE_VERSION."*.deb; do
		[ ! -f "$deb" ] || ! dpkg-deb -f "$deb" Version >/dev/null 2>&1 || return 0
	done
	return 1
}

# shown SUITE FIELD: of the newest in it
shown() { papt "$1" apt-cache show "$PACKAGE" 2>/dev/null | sed -n "s/^$2: //p" | head -n 1; }

# download SUITE
download()
{
	say "downloading $PACKAGE $(shown "$1" Version) from $1"
	rm -rf "$CACHE/download/config"
	mkdir -p "$CACHE/download/config"
	(cd "$CACHE/download/config" && papt "$1" apt-get -q download "$PACKAGE=$(shown "$1" Version)") \
		>"$CACHE/log/download-config.log" 2>&1 ||
		die "the download of $PACKAGE failed" "is the network up? The log: $CACHE/log/download-config.log"
	deb=$(echo "$CACHE/download/config/"*.deb)
	[ "$(sha256sum "$deb" | cut -d' ' -f1)" = "$(shown "$1" SHA256)" ] ||
		die "the SHA256 of $deb is not the one in the index of $1" "remove it and run this again"
	mv "$deb" "$CACHE/download/"
	rmdir "$CACHE/download/config"
	deb=$CACHE/download/$(basename "$deb")
}

fetch()
{
	archive_uri
	for suite in $SUITES; do
		apt_list "$suite" "$suite" || continue
		case $(shown "$suite" Version) in "$BASE_VERSION".*) ;; *) continue ;; esac
		download "$suite"
		return
	done
	die "no suite has a $PACKAGE" "looked in: $SUITES" "is the network up? The logs: $CACHE/log/apt-*.log"
}

there || fetch
config=$CACHE/download/$(basename "$deb" .deb).cloud
[ -z "${IOMMU_LIVEUPDATE_QUIET:-}" ] ||
	say "configuration: $PACKAGE $(dpkg-deb -f "$deb" Version), SHA256 $(sha256sum "$deb" | cut -d' ' -f1)"
dpkg-deb --fsys-tarfile "$deb" >"$config.tar" &&
	tar -xOf "$config.tar" "./usr/src/$PACKAGE/$FLAVOUR.xz" >"$config.xz" &&
	xz -dc "$config.xz" >"$config.whole" ||
	die "$deb cannot be unpacked" "remove it and run this again"
awk '/^CONFIG_[A-Za-z0-9_]*=m$/ { sub(/=m$/, ""); $0 = "# " $0 " is not set" } { print }' "$config.whole" >"$config.new"
rm -f "$config.tar" "$config.xz" "$config.whole"
grep -q '^CONFIG_X86_64=y' "$config.new" || die "$deb holds no $FLAVOUR" "remove it and run this again"
cmp -s "$config.new" "$config" || cp "$config.new" "$config"
rm -f "$config.new"
printf '%s\n' "$config"
