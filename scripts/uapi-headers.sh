#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Exports the user headers of the patched kernel and prints the directory that
# has include/ in it (last line of standard output). Debian's linux-libc-dev is
# older than the interfaces the tests use.
set -eu
TOP=$(cd "$(dirname "$0")/.." && pwd)
. "$TOP/scripts/lib.sh"
need_tool gcc make rsync flock patch
base=$("$TOP/scripts/fetch-kernel.sh")
id=$(base_id)
header_parts() { echo "$id"; series_hash patched; sha256sum <"$0"; }
content=$(key header_parts)
dir=$CACHE/images/$content/uapi
case $id in
kdir-*) ;;
*) if [ -f "$dir/.complete" ]; then touch "$dir/.complete"; printf '%s\n' "$dir"; exit 0; fi ;;
esac
lock tree
tree=$("$TOP/scripts/apply-series.sh")
cache_dir log
mkdir -p "$tree/build-headers"
rm -rf "$dir" "$dir.new"
mkdir -p "$dir.new"
unset MAKEFLAGS MFLAGS MAKELEVEL O V W C KDIR 2>/dev/null || true
run_logged "user headers" "$CACHE/log/uapi.log" \
	make -C "$tree" O="$tree/build-headers" ARCH=x86_64 headers_install INSTALL_HDR_PATH="$dir.new" ||
	die "the export of the user headers failed" "the whole log: $CACHE/log/uapi.log"
: >"$dir.new/.complete"
mv "$dir.new" "$dir"
say "user headers: $dir/include"
printf '%s\n' "$dir"
