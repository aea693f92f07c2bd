#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Removes work trees, builds, kernels and logs from the cache, and out/ from the
# clone, with the exported mails. Downloads, the pristine source and QEMU stay, and
# ccache too: with ALL=1 everything goes.
set -eu
TOP=$(cd "$(dirname "$0")/.." && pwd)
. "$TOP/scripts/lib.sh"
rm -rf "$TOP/out"
[ -d "$CACHE" ] || { say "nothing to remove"; exit 0; }
# only a directory that is ours
[ -d "$CACHE/lock" ] || die "$CACHE does not look like the cache of this project" "nothing was removed"
lock fetch
lock tree
lock series
lock mutated
if [ -n "${ALL:-}" ]; then
	for dir in apt base ccache chroot download images log qemu user series; do
		rm -rf "${CACHE:?}/$dir"
	done
	say "removed everything in $CACHE"
	exit 0
fi
for dir in images log user series; do
	rm -rf "${CACHE:?}/$dir"
done
for dir in "$CACHE"/base/*/; do
	for name in patched plain series mutated own; do
		rm -rf "$dir$name" "$dir$name".*
	done
done
say "removed the builds in $CACHE (ALL=1: also what was downloaded)"
