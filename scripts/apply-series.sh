#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# usage: apply-series.sh [patched|tested|front|replaced]
# Brings a kernel tree in the cache in line with patches/ and kernel/, for "tested" with
# the switches of tests/kernel/ on top, and prints its directory (last line of standard
# output). "front" has the parts of the series that come before live update of IOMMUs and
# have no option, "replaced" nothing but the replacement without a gap of VT-d. Do not edit that tree: the next run undoes it. Without a series it is the
# pristine kernel.
set -eu
TOP=$(cd "$(dirname "$0")/.." && pwd)
. "$TOP/scripts/lib.sh"
work=${1:-patched}
case $work in
patched | tested | front | replaced) ;;
*) die "usage: apply-series.sh [patched|tested|front|replaced]" ;;
esac
need_tool patch flock
make_tmp
base=$("$TOP/scripts/fetch-kernel.sh")
lock tree
stage=$tmp/stage
mkdir -p "$stage"
case $work in
patched) stage_series "$stage" ;;
tested) stage_series "$stage"; stage_switches "$stage" ;;
front) stage_parts "$stage" fixes kho vt-d-replace luo memfd ;;
replaced) stage_parts "$stage" vt-d-replace ;;
esac
work_tree "$work"
sync_tree "$stage"
say "$work tree: $(series_list | wc -l) patches, $(overlay_list | wc -l) new files, $sync_count files written"
printf '%s\n' "$tree"
