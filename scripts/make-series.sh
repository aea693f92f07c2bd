#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Exports the series as mails for git am into $OUT (default out/series): one
# topic each, the new files of its Adds: line included. Each part of it, see
# series_parts(), is in a directory of its own, with a cover letter made of
# docs/cover-letters/PART.txt. The result is proven by git am on a scratch
# repository, and must give the very tree that is built. A part is proven to apply
# to the bare kernel as well, after no other parts than its letter says it needs.
# No Signed-off-by is added: whoever sends them does that.
# shellcheck disable=SC2015,SC2016,SC2034,SC2046,SC2086
set -eu
TOP=$(cd "$(dirname "$0")/.." && pwd)
. "$TOP/scripts/lib.sh"
need_tool git patch
OUT=${OUT:-$TOP/out/series}
case $OUT in /*) ;; *) OUT=$PWD/$OUT ;; esac
total=$(series_list | wc -l)
[ "$total" -gt 0 ] || die "there is no series: patches/series names no patch"
base=$("$TOP/scripts/fetch-kernel.sh")
make_tmp

# The author stands in the patch; else it is whoever exports.
name=$(git -C "$TOP" config user.name || echo nobody)
mail=$(git -C "$TOP" config user.email || echo nobody@localhost)

g() { git -C "$tmp/repo" -c user.name="$name" -c user.email="$mail" -c core.autocrlf=false \
	-c commit.gpgsign=false -c gc.auto=0 "$@"; }

# the files of the base that any patch touches
git init -q "$tmp/repo"
for patch in $(series_list); do
	[ -f "$PATCHES/$patch" ] || die "patches/series names $patch, but there is no such file"
	for path in $(patch_edits "$PATCHES/$patch"); do
		[ -f "$base/$path" ] || continue
		mkdir -p "$tmp/repo/$(dirname "$path")"
		cp "$base/$path" "$tmp/repo/$path"
	done
done
g add -A -f
g commit -q --allow-empty -m "Linux $(tree_version "$base")"
g tag base

stage=$tmp/stage
mkdir -p "$stage" "$tmp/out"
count=0
for patch in $(series_list); do
	count=$((count + 1))
	stage_patch "$stage" "$patch"
	patch_header "$PATCHES/$patch" >"$tmp/header"
	from=$(sed -n '/^$/q; s/^From: //p' "$tmp/header" | head -n 1)
	date=$(sed -n '/^$/q; s/^Date: //p' "$tmp/header" | head -n 1)
	# subject with its continuation lines; [PATCH ...] is made anew
	subject=$(awk '/^Subject: / { s = substr($0, 10); on = 1; next }
		       on && /^[ \t]/ { sub(/^[ \t]+/, " "); s = s $0; next }
		       { on = 0 } END { print s }' "$tmp/header" | sed 's/^\[[^]]*\] *//')
	# the body is what follows the first empty line, or everything but our header lines
	if [ -n "$subject" ]; then
		sed '1,/^$/d' "$tmp/header"
	else
		sed -e '/^Adds:/d' -e '/^From: /d' -e '/^Date: /d' "$tmp/header"
	fi | sed '/^Adds:/d' | sed -e '/./,$!d' | cat -s >"$tmp/body"
	if [ -z "$subject" ]; then
		subject=$(head -n 1 "$tmp/body")
		sed '1d' "$tmp/body" | sed '/./,$!d' >"$tmp/body.rest"
		mv "$tmp/body.rest" "$tmp/body"
	fi
	[ -n "$subject" ] || die "patches/$patch has no subject" "its first lines must be a commit message"
	[ -s "$tmp/body" ] || die "patches/$patch has no message but its subject" "say why in its header"
	{ printf '%s\n\n' "$subject"; cat "$tmp/body"; } >"$tmp/message"
	# bring what the stage has now into the repository
	cp -a "$stage/." "$tmp/repo/"
	for path in $(patch_edits "$PATCHES/$patch"); do
		[ -f "$stage/$path" ] || rm -f "$tmp/repo/$path"
	done
	find "$tmp/repo" -name '*.orig' -exec rm -f {} +
	g add -A -f
	[ -n "$date" ] || date=$(git -C "$TOP" log -1 --format=%aD -- "patches/$patch" 2>/dev/null || true)
	[ -n "$date" ] || date='Tue, 14 Nov 2023 22:13:20 +0000'
	GIT_COMMITTER_DATE=$date g commit -q --cleanup=whitespace --date="$date" \
		--author="${from:-$name <$mail>}" -F "$tmp/message" ||
		die "patches/$patch changes nothing"
	g tag "done-$patch"
done
left=
for path in $(overlay_list); do
	[ -e "$stage/$path" ] || left="$left kernel/$path"
done
[ -z "$left" ] || die "no patch brings these files:$left" "name each in an 'Adds: path' line of the patch it enters with"

# ---- the mails
# letter PART: the text of its cover letter, subject first
letter()
{
	[ -f "$COVERS/$1.txt" ] || die "part $1 of the series has no cover letter" "write docs/cover-letters/$1.txt"
	sed '/^Needs: /d' "$COVERS/$1.txt" | cat -s
	printf '\nPart %s of %s, on Linux %s' "$part_number" "$parts" "$(tree_version "$base")"
	needs=$(part_needs "$1" | sed -e 's/^ *//' -e 's/ *$//' -e 's/  */, /g')
	printf '%s.\n' "${needs:+; needs: $needs}"
}

# part_mails PART DIRECTORY: its patches, numbered from 1, and the cover letter
part_mails()
{
	first=$(part_patches "$1" | head -n 1) last=$(part_patches "$1" | tail -n 1)
	before=$(series_list | sed -n "/^$first\$/q; p" | tail -n 1)
	letter "$1" >"$tmp/letter"
	g checkout -q -B "part-$1" "done-$last"
	g config "branch.part-$1.description" "$(cat "$tmp/letter")"
	g format-patch -q --no-signature --zero-commit --cover-letter \
		--cover-from-description=subject -o "$2" "${before:+done-}${before:-base}..part-$1"
}

end=$(g rev-parse HEAD)
parts=$(series_parts | wc -l) part_number=0
if [ "$parts" -eq 0 ]; then
	g format-patch -q --no-signature --zero-commit -o "$tmp/out" base..HEAD
fi
for part in $(series_parts); do
	part_number=$((part_number + 1))
	part_mails "$part" "$tmp/out/$(printf '%02d' "$part_number")-$part"
done
for part in $(series_parts); do part_patches "$part"; done >"$tmp/in-parts"
[ "$parts" -eq 0 ] || [ "$(cat "$tmp/in-parts")" = "$(series_list)" ] ||
	die "a part begins twice in patches/series, or a patch is in none" "each '# part: NAME' once, the first on top"

# mails_of DIRECTORY...: without the cover letters, which git am takes for empty patches
mails_of() { find "$@" -name '[0-9]*.patch' ! -name '0000-*' | sort; }

# the proof
g checkout -q -b proof base
if ! g am -q $(mails_of "$tmp/out") >"$tmp/am.log" 2>&1; then
	cat "$tmp/am.log" >&2
	die "git am refuses the exported series"
fi
[ "$(g rev-parse 'HEAD^{tree}')" = "$(g rev-parse "$end^{tree}")" ] ||
	die "git am gives another tree than the commits that were exported"
: >"$tmp/diff"
files_below "$stage" >"$tmp/built"
while read -r path; do
	cmp "$stage/$path" "$tmp/repo/$path" >>"$tmp/diff" 2>&1 || true
done <"$tmp/built"
[ ! -s "$tmp/diff" ] || { cat "$tmp/diff" >&2; die "git am gives another tree than the one that is built"; }

# each part alone, with what it needs
for part in $(series_parts); do
	g checkout -q -B alone base
	for with in $(part_needs "$part") "$part"; do
		[ -d "$(echo "$tmp/out"/[0-9][0-9]-"$with")" ] ||
			die "docs/cover-letters/$part.txt: it needs $with, which is no part of the series"
		g am -q $(mails_of "$tmp/out"/[0-9][0-9]-"$with") >"$tmp/am.log" 2>&1 || {
			cat "$tmp/am.log" >&2
			die "part $part does not apply with nothing but: $(part_needs "$part")" \
			    "say in docs/cover-letters/$part.txt what it needs"
		}
	done
done

mkdir -p "$OUT" || die "cannot create $OUT"
rm -rf "$OUT"/[0-9][0-9][0-9][0-9]-*.patch "$OUT"/[0-9][0-9]-*/
cp -r "$tmp/out"/* "$OUT/" || die "cannot write to $OUT" "is the disk full?"
say "$count patches in $OUT, accepted by git am on Linux $(tree_version "$base")"
[ "$parts" -eq 0 ] || say "$parts parts, each with a cover letter: git am --empty=drop $OUT/*/*.patch"
printf '%s\n' "$OUT"
