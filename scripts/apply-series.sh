#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# usage: apply-series.sh [patched|tested]
# Brings a kernel tree in the cache in line with patches/ and kernel/, for "tested" with
# the switches of tests/kernel/ on top, and prints its directory (last line of standard
# output). Do not edit that tree: the next run undoes it. Without a series it is the
# pristine kernel.
set -eu
TOP=$(cd "$(dirname "$0")/.." && pwd)
. "$TOP/scripts/lib.sh"
work=${1:-patched}
case $work in patched | tested) ;; *) die "usage: apply-series.sh [patched|tested]" ;; esac
need_tool patch flock
make_tmp
base=$("$TOP/scripts/fetch-kernel.sh")
lock tree
stage=$tmp/stage
mkdir -p "$stage"
stage_series "$stage"
[ "$work" = patched ] || stage_switches "$stage"
work_tree "$work"
sync_tree "$stage"
say "$work tree: $(series_list | wc -l) patches, $(overlay_list | wc -l) new files, $sync_count files written"
printf '%s\n' "$tree"
