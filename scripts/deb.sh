#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# usage: deb.sh
# Builds the Debian packages and the source package, has lintian look at them, and prints
# their paths (on standard output, everything else goes to standard error). Works on a
# copy: nothing is written into the clone but below OUT.
#
#   OUT      where they go, default out/deb; other packages are removed from there
#
# Exit status: 0 built and clean, 1 it failed, or lintian has a warning.
# shellcheck disable=SC2154
set -eu
TOP=$(cd "$(dirname "$0")/.." && pwd)
. "$TOP/scripts/lib.sh"

[ $# -eq 0 ] || { sed -n '3,10s/^# \{0,1\}//p' "$0" >&2; exit 2; }
need_tool dpkg-buildpackage dh lintian
cache_dir log
make_tmp
free_mb "$tmp" 200 "the build of the packages"
to=${OUT:-$TOP/out/deb}
mkdir -p "$to" || die "cannot create $to"
version=$(dpkg-parsechangelog -l "$TOP/debian/changelog" -S Version)
source=$tmp/iommu-liveupdate-$version
copy_clone "$source"
# what the clone was made with makes no difference
chmod -R u=rwX,go=rX "$source"

build()
(
	unset MAKEFLAGS MFLAGS MAKELEVEL O V W C CFLAGS LDFLAGS CPPFLAGS 2>/dev/null || true
	cd "$source" && dpkg-buildpackage -us -uc
)

say "building packages of version $version"
run_logged "packages" "$CACHE/log/deb.log" build || die "the packages could not be built" "the whole log: $CACHE/log/deb.log"
rm -f "$to"/*iommu-liveupdate*.deb "$to"/iommu-liveupdate_*
mv "$tmp"/*.deb "$tmp"/*.dsc "$tmp"/*.tar.* "$tmp"/*.buildinfo "$tmp"/*.changes "$to/"
say "lintian"
lintian --allow-root --fail-on error,warning --tag-display-limit 0 "$to"/iommu-liveupdate_*.changes >&2 ||
	die "lintian is not content with the packages" "they are in $to all the same"
ls "$to"/*.deb "$to"/*.dsc
