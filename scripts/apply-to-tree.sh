#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# usage: KDIR=directory apply-to-tree.sh
# Puts the series, new files included, into somebody's own Linux 7.3 tree. All
# is tried on a copy first: either everything is applied or nothing.
# shellcheck disable=SC2015,SC2016,SC2034,SC2086
set -eu
TOP=$(cd "$(dirname "$0")/.." && pwd)
. "$TOP/scripts/lib.sh"
need_tool patch
[ -n "${KDIR:-}" ] || die "KDIR is not set" "make apply KDIR=directory of your Linux $BASE_VERSION tree"
[ -d "$KDIR" ] || die "KDIR=$KDIR is no directory"
base=$(cd "$KDIR" && pwd)
check_tree_version "$base"
total=$(series_list | wc -l)
[ "$total" -gt 0 ] || die "there is no series: patches/series names no patch"
[ -w "$base/Makefile" ] || die "$base cannot be written to"
make_tmp

for path in $(overlay_list); do
	[ ! -e "$base/$path" ] ||
		die "the series is in this tree already, or part of it: $base/$path exists" \
		    "nothing was changed; start from a pristine tree (git stash, git clean)"
done
# the last patch applies backwards: it is there already
last=$PATCHES/$(series_list | tail -n 1)
if patch -d "$base" -p1 -F0 -R -f --dry-run <"$last" >/dev/null 2>&1; then
	die "the series is in this tree already: $(basename "$last") is applied" "nothing was changed"
fi

stage=$tmp/stage
mkdir -p "$stage"
(stage_series "$stage") || die "the series does not apply to $base" "nothing was changed"

# Files that the series removes: none today, but do not leave them behind.
removed=
for patch in $(series_list); do
	for path in $(patch_edits "$PATCHES/$patch"); do
		[ -e "$stage/$path" ] || removed="$removed $path"
	done
done
need=$(du -sk "$stage" | cut -f1)
free=$(df -Pk "$base" | awk 'NR == 2 { print $4 }')
[ "$free" -gt "$((need + 1024))" ] || die "disk full: $need KB are needed in $base" "nothing was changed"

# Write everything beside its place, then rename: the renames do not fail.
files_below "$stage" >"$tmp/list"
undo()
{
	while read -r undo_path; do rm -f "$base/$undo_path.iommu-liveupdate"; done <"$tmp/list"
}
while read -r path; do
	mkdir -p "$base/$(dirname "$path")" && cp "$stage/$path" "$base/$path.iommu-liveupdate" || {
		undo
		die "cannot write to $base/$path" "no file was changed"
	}
done <"$tmp/list"
while read -r path; do
	mv -f "$base/$path.iommu-liveupdate" "$base/$path"
done <"$tmp/list"
for path in $removed; do
	rm -f "$base/$path"
done
say "applied to $base (Linux $(tree_version "$base")): $total patches, $(wc -l <"$tmp/list") files"
say "switch CONFIG_IOMMU_LIVEUPDATE on and build; 'make series' gives the same for git am"
