#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# usage: import-series.sh GITDIR BASE..BRANCH
# The way back of make-series.sh: takes the commits of a git tree, one patch
# each, and writes them as patches/ and kernel/. Files that BASE does not have
# go to kernel/ as they are in BRANCH, and enter with the commit that adds them;
# what later commits change in them is in their patches.
# Work on the series in a tree that make series and git am have filled, with
# git rebase, then bring it home with this. A patch stays in the part where it was, a
# new one goes into that of the patch before it. Nothing is replaced before all of it
# has been written.
set -eu
TOP=$(cd "$(dirname "$0")/.." && pwd)
. "$TOP/scripts/lib.sh"

[ $# -eq 2 ] || { sed -n '3,11s/^# \{0,1\}//p' "$0" >&2; exit 2; }
tree=$1 base=${2%..*} branch=${2#*..}
need_tool git awk sed
make_tmp
for commit in "$base" "$branch"; do
	git -C "$tree" rev-parse -q --verify "$commit^{commit}" >/dev/null ||
		die "no such commit in $tree: $commit" "name two commits as BASE..BRANCH"
done
mkdir -p "$tmp/patches" "$tmp/kernel"

in_tree() { git -C "$tree" "$@"; }

# patch_name NUMBER SUBJECT
patch_name()
{
	printf '%04d-%s.patch\n' "$1" "$(printf '%s' "$2" | tr '[:upper:]' '[:lower:]' |
		sed -e 's/[^a-z0-9][^a-z0-9]*/-/g' -e 's/^-//' | cut -c1-56 | sed 's/-$//')"
}

# the message, no line over 75 columns, no empty line at its end
message()
{
	in_tree show -s --format=%b "$1" >"$tmp/message"
	awk '
		length($0) <= 75 || /^Fixes: / { line[++n] = $0; next }
		{ text = ""
		  for (i = 1; i <= NF; i++) {
			if (length(text) + length($i) + 1 > 75) { line[++n] = text; text = $i }
			else text = text (text == "" ? "" : " ") $i
		  }
		  line[++n] = text }
		END { while (n && line[n] == "") n--; for (i = 1; i <= n; i++) print line[i] }' "$tmp/message"
}

# edits COMMIT: its changes of files that are there before it
edits()
{
	in_tree diff --name-only --diff-filter=MD "$1~" "$1" >"$tmp/edited"
	[ -s "$tmp/edited" ] || return 0
	# shellcheck disable=SC2046
	in_tree diff --no-renames "$1~" "$1" -- $(cat "$tmp/edited") >"$tmp/edits"
	sed '/^index /d' "$tmp/edits"
}

# part_of SUBJECT: the part in which the patch of this subject is until now
part_of()
{
	for part_name in $(series_parts); do
		for part_patch in $(part_patches "$part_name"); do
			! grep -qsFx "Subject: $1" "$PATCHES/$part_patch" || { echo "$part_name"; return; }
		done
	done
}

number=0 part=
for commit in $(in_tree rev-list --reverse --no-merges "$base..$branch"); do
	number=$((number + 1))
	subject=$(in_tree show -s --format=%s "$commit")
	name=$(patch_name "$number" "$subject")
	{
		printf 'Subject: %s\n\n' "$subject"
		message "$commit"
		echo
		in_tree diff --name-only --diff-filter=A "$commit~" "$commit" >"$tmp/adds"
		sed 's/^/Adds: /' "$tmp/adds"
		[ ! -s "$tmp/adds" ] || echo
		edits "$commit"
	} >"$tmp/patches/$name"
	# a new one goes on with the part of the patch before it
	part_now=$(part_of "$subject")
	if [ "${part_now:-$part}" != "$part" ]; then
		part=$part_now
		printf '# part: %s\n' "$part" >>"$tmp/patches/series"
	fi
	printf '%s\n' "$name" >>"$tmp/patches/series"
done
[ "$number" -gt 0 ] || die "no commits in $base..$branch"

in_tree diff --name-only --diff-filter=A "$base" "$branch" >"$tmp/adds"
while IFS= read -r path; do
	mkdir -p "$tmp/kernel/$(dirname "$path")"
	in_tree show "$branch:$path" >"$tmp/kernel/$path"
done <"$tmp/adds"
rm -rf "$PATCHES" "$OVERLAY"
mv "$tmp/patches" "$PATCHES"
mv "$tmp/kernel" "$OVERLAY"
say "$number patches, $(overlay_list | wc -l) new files"
