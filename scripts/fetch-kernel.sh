#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Gets the pristine Linux 7.3 source and prints its directory (last line of
# standard output; everything else goes to standard error).
#
#   KDIR=directory   use this tree instead; it is only read
#
# Debian packages the kernel source as linux-source-7.3. It comes from
# trixie-backports, also on Debian 12, else from any suite that has a 7.3.x.
# shellcheck disable=SC2015,SC2016,SC2034,SC2086
set -eu
TOP=$(cd "$(dirname "$0")/.." && pwd)
. "$TOP/scripts/lib.sh"
. "$TOP/scripts/apt.sh"

SUITES=${KERNEL_SUITES:-"trixie-backports forky sid trixie forky-backports bookworm-backports"}

if [ -n "${KDIR:-}" ]; then
	[ -d "$KDIR" ] || die "KDIR=$KDIR is no directory" "KDIR must name the top directory of a Linux $BASE_VERSION tree"
	base=$(cd "$KDIR" && pwd)
	check_tree_version "$base"
	[ -n "${IOMMU_LIVEUPDATE_QUIET:-}" ] || say "kernel source: Linux $(tree_version "$base") in $base (yours)"
	printf '%s\n' "$base"
	exit 0
fi

cache_dir base
lock fetch

show()
{
	[ -n "${IOMMU_LIVEUPDATE_QUIET:-}" ] || say "kernel source: $(sed -n 's/^version //p' "$1/record"), SHA256 $(sed -n 's/^sha256 //p' "$1/record")"
	if [ -z "${IOMMU_LIVEUPDATE_QUIET:-}" ] &&
	   ! grep -q "^sha256  *$(sed -n 's/^sha256 //p' "$1/record")\$" "$TOP/scripts/kernel-base"; then
		warn "the series was made for $(sed -n 's/^version //p' "$TOP/scripts/kernel-base"); this is another base"
	fi
	printf '%s\n' "$1/linux"
}

# The one in use stays until 'make clean' or another one is asked for.
if [ -f "$CACHE/base/current" ]; then
	id=$(cat "$CACHE/base/current")
	if [ -f "$CACHE/base/$id/record" ]; then
		show "$CACHE/base/$id"
		exit 0
	fi
fi

# unpack DEB VERSION SUITE
unpack()
{
	deb_sha=$(sha256sum "$1" | cut -d' ' -f1)
	id=$2-$(printf '%s' "$deb_sha" | cut -c1-8)
	dir=$CACHE/base/$id
	free_mb "$CACHE" 3000 "unpacking the kernel source"
	say "unpacking $(basename "$1")"
	rm -rf "$dir.new" "$dir/linux"
	mkdir -p "$dir.new"
	dpkg-deb --fsys-tarfile "$1" >"$dir.new/deb.tar" &&
	tar -C "$dir.new" -xf "$dir.new/deb.tar" "./usr/src/$BASE_PACKAGE.tar.xz" &&
	rm "$dir.new/deb.tar" &&
	tar -C "$dir.new" -xJf "$dir.new/usr/src/$BASE_PACKAGE.tar.xz" ||
		die "cannot unpack $1" "is the disk full? If not, remove that file and run this again"
	check_tree_version "$dir.new/$BASE_PACKAGE"
	mkdir -p "$dir"
	mv "$dir.new/$BASE_PACKAGE" "$dir/linux"
	rm -rf "$dir.new"
	printf 'package %s\nversion %s\nsha256 %s\nsuite %s\nfile %s\n' "$BASE_PACKAGE" "$2" \
		"$deb_sha" "$3" "$(basename "$1")" >"$dir/record.tmp"
	mv "$dir/record.tmp" "$dir/record"
	printf '%s\n' "$id" >"$CACHE/base/current"
	show "$dir"
}

need_tool xz tar
cache_dir download

# downloaded before? (name_version_arch.deb; apt writes : as %3a)
for deb in "$CACHE/download/${BASE_PACKAGE}_$BASE_VERSION."*.deb; do
	[ -f "$deb" ] || continue
	dpkg-deb -f "$deb" Version >/dev/null 2>&1 || continue
	unpack "$deb" "$(dpkg-deb -f "$deb" Version)" download
	exit 0
done

archive_uri
reached=no
for suite in $SUITES; do
	say "looking for $BASE_PACKAGE in $suite"
	if ! apt_list "$suite" "$suite"; then
		say "    no index: $(grep -m 1 '^E:' "$CACHE/log/apt-$suite.log" || echo "see $CACHE/log/apt-$suite.log")"
		continue
	fi
	reached=yes
	version=$(papt "$suite" apt-cache show "$BASE_PACKAGE" 2>/dev/null |
		  sed -n 's/^Version: //p' | head -n 1)
	case $version in
	"$BASE_VERSION".*) ;;
	*) say "    not there"; continue ;;
	esac
	want_sha=$(papt "$suite" apt-cache show "$BASE_PACKAGE=$version" | sed -n 's/^SHA256: //p' | head -n 1)
	size=$(papt "$suite" apt-cache show "$BASE_PACKAGE=$version" | sed -n 's/^Size: //p' | head -n 1)
	free_mb "$CACHE" 4000 "downloading and unpacking the kernel source"
	say "downloading $BASE_PACKAGE $version from $suite, $((size / 1000000)) MB"
	rm -rf "$CACHE/download/new"
	mkdir -p "$CACHE/download/new"
	(cd "$CACHE/download/new" && papt "$suite" apt-get -q download "$BASE_PACKAGE=$version") \
		>"$CACHE/log/download-$suite.log" 2>&1 || {
		tail -n 5 "$CACHE/log/download-$suite.log" >&2
		die "the download of $BASE_PACKAGE $version failed" "is the network up? Run this again to try once more"
	}
	deb=$(echo "$CACHE/download/new/"*.deb)
	[ "$(sha256sum "$deb" | cut -d' ' -f1)" = "$want_sha" ] ||
		die "the SHA256 of $deb is not the one in the index of $suite" "remove it and run this again"
	mv "$deb" "$CACHE/download/"
	rmdir "$CACHE/download/new"
	unpack "$CACHE/download/$(basename "$deb")" "$version" "$suite"
	exit 0
done

if [ "$reached" = no ]; then
	die "no network: no suite of the Debian archive $archive could be reached" \
	    "check the network, or give a Linux $BASE_VERSION tree of your own: make ... KDIR=directory" \
	    "(logs: $CACHE/log/apt-*.log)"
fi
die "no suite has a $BASE_PACKAGE with a $BASE_VERSION.x" "looked in: $SUITES" \
    "give a Linux $BASE_VERSION tree of your own: make ... KDIR=directory"
