# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh disable=SC2034,SC2154,SC2016
# Common ground of the scripts: where things are kept, messages, locks, and the
# synchronised kernel trees. To be sourced, with TOP set to the top of the clone.
#
# In the clone only out/ is written, by 'make series', by what makes packages, by the library
# and its tests, and by tests/unit run by hand, and 'make clean' removes it. In the cache:
#   download/             the .debs, and what they came from
#   apt/NAME/             private apt state, one per list of suites
#   base/ID/linux/        the unpacked kernel, never changed
#   base/ID/patched/      the kernel with the series, builds of it in build-VARIANT/
#   base/ID/tested/       the same with the switches of tests/kernel/
#   base/ID/plain/        the kernel as it is, builds of it
#   base/ID/front/, base/ID/replaced/  with some parts of the series, see apply-series.sh
#   base/ID/series/       the tree that check-series walks through
#   images/KEY/           finished kernels, by content
#   user/KEY/             user-space programs of the tests, by content
#   qemu/                 a privately unpacked QEMU
#   chroot/               fresh systems of Debian, see chroot.sh
#   ccache/ log/ lock/

: "${TOP:?}"
LC_ALL=C; export LC_ALL
CACHE=${IOMMU_LIVEUPDATE_CACHE:-${HOME:?}/.cache/iommu-liveupdate}
JOBS=${JOBS:-$(nproc 2>/dev/null || echo 1)}
PATCHES=${PATCHES:-$TOP/patches}
OVERLAY=${OVERLAY:-$TOP/kernel}
SWITCHES=${SWITCHES:-$TOP/tests/kernel}
COVERS=${COVERS:-$TOP/docs/cover-letters}
CONFIGS=$TOP/tests/configs
BASE_VERSION=7.3
BASE_PACKAGE=linux-source-$BASE_VERSION

case $CACHE in
/*) ;;
*) CACHE=$PWD/$CACHE ;;
esac
case $TOP$CACHE in
*[[:space:]]*)
	printf 'error: a blank in the path of the clone or of the cache: %s, %s\n' "$TOP" "$CACHE" >&2
	printf '    make, which builds the kernels, has no place for it: move the clone, or set IOMMU_LIVEUPDATE_CACHE\n' >&2
	exit 1
	;;
esac

# The scripts that wait for this one, and this one: see is_wanted()
IOMMU_LIVEUPDATE_SCRIPTS="${IOMMU_LIVEUPDATE_SCRIPTS:-} $$"
export IOMMU_LIVEUPDATE_SCRIPTS

say() { printf '%s\n' "$*" >&2; }
warn() { printf 'warning: %s\n' "$*" >&2; }
# die MESSAGE [WHAT-TO-DO...]: one line each.
die()
{
	printf '%s: error: %s\n' "${0##*/}" "$1" >&2
	shift
	for die_hint; do
		printf '    %s\n' "$die_hint" >&2
	done
	exit 1
}

need_tool()
{
	for tool; do
		command -v "$tool" >/dev/null 2>&1 ||
			die "$tool is not installed" "run scripts/install-packages.sh as root first"
	done
}

# The kernels are built by the host's compiler, and their programs run on both.
need_x86_64()
{
	[ "$(uname -m)" = x86_64 ] ||
		die "this host is $(uname -m); the kernels are built and run on x86_64 only" \
		    "make series and make apply work anywhere"
}

cache_dir()
{
	mkdir -p "$CACHE/$1" 2>/dev/null ||
		die "cannot create $CACHE/$1" \
		    "set IOMMU_LIVEUPDATE_CACHE to a directory with 10 GB free that you may write to"
}

# free_mb DIR MEGABYTES FOR-WHAT: refuse early instead of failing half way.
free_mb()
{
	free_kb=$(df -Pk "$1" | awk 'NR == 2 { print $4 }')
	[ "$((free_kb / 1024))" -ge "$2" ] ||
		die "disk full: $3 needs $2 MB, $((free_kb / 1024)) MB are free in $1" \
		    "free some space, run 'make clean', or set IOMMU_LIVEUPDATE_CACHE to a larger disk"
}

# lock NAME: held until this process and its children have ended. A parent that
# holds it already passes that on in IOMMU_LIVEUPDATE_LOCKS.
lock()
{
	case " ${IOMMU_LIVEUPDATE_LOCKS:-} " in
	*" $CACHE/$1 "*) return 0 ;;
	esac
	cache_dir lock
	case $1 in
	fetch) exec 8>"$CACHE/lock/$1"; lock_fd=8 ;;
	series) exec 7>"$CACHE/lock/$1"; lock_fd=7 ;;
	*) exec 9>"$CACHE/lock/$1"; lock_fd=9 ;;
	esac
	if ! flock -n "$lock_fd"; then
		say "waiting for another run that uses $CACHE ($1)"
		flock "$lock_fd" || die "cannot lock $CACHE/lock/$1"
		is_wanted || exit 130
	fi
	IOMMU_LIVEUPDATE_LOCKS="${IOMMU_LIVEUPDATE_LOCKS:-} $CACHE/$1"
	export IOMMU_LIVEUPDATE_LOCKS
}

sha() { sha256sum | cut -c1-"${1:-16}"; }

# key COMMAND...: one number for what it prints. If it fails there is none: the number
# of a beginning might be that of something else.
key()
{
	key_text=$("$@")
	{ [ -z "$key_text" ] || printf '%s\n' "$key_text"; } | sha
}

# sums_of PATH...: of all files below
sums_of()
{
	for sums_path; do
		[ -e "$sums_path" ] || continue
		(cd "$(dirname "$sums_path")" &&
		 sums_list=$(find "$(basename "$sums_path")" -type f ! -name '*~' ! -name '*.orig' ! -name '*.rej') &&
		 { [ -z "$sums_list" ] || printf '%s\n' "$sums_list" | sort |
			while IFS= read -r sums_file; do sha256sum "$sums_file" || exit 1; done; }) || return 1
	done
}

# hash_files PATH...: one number for names and contents of all files below.
hash_files() { key sums_of "$@"; }

# series_hash TREE: of all that makes this tree, see apply-series.sh
series_hash()
{
	case $1 in
	tested) hash_files "$PATCHES" "$OVERLAY" "$SWITCHES" ;;
	*) hash_files "$PATCHES" "$OVERLAY" ;;
	esac
}

# series_list: the patches in order; nothing if there is no series yet.
series_list()
{
	[ -f "$PATCHES/series" ] || return 0
	sed -e 's/#.*//' -e 's/[[:space:]].*//' -e '/^$/d' "$PATCHES/series"
}

# series_parts: the parts that could be posted alone, in order. A line "# part: NAME" in
# patches/series begins one; nothing if there is no such line.
series_parts()
{
	[ -f "$PATCHES/series" ] || return 0
	sed -n 's/^# part: \([a-z0-9-]*\)$/\1/p' "$PATCHES/series"
}

# part_patches NAME: the patches of a part, in order
part_patches()
{
	awk -v part="$1" '
		/^# part: / { on = $3 == part; next }
		on && !/^#/ && NF { print $1 }' "$PATCHES/series"
}

# part_needs NAME: the parts without which it does not build, as its cover letter says
part_needs()
{
	[ ! -f "$COVERS/$1.txt" ] || sed -n 's/^Needs: //p' "$COVERS/$1.txt"
}

# patch_header FILE: everything before the first diff.
patch_header() { sed -e '/^---$/,$d' -e '/^diff /,$d' -e '/^Index: /,$d' -e '/^--- /,$d' "$1"; }

# patch_adds FILE: overlay files that enter with this patch.
patch_adds()
{
	patch_header "$1" | sed -n 's/^Adds:[[:space:]]*//p' | tr ' \t,' '\n\n\n' | sed '/^$/d'
}

# patch_edits FILE: files that this patch's diffs touch.
patch_edits()
{
	sed -n -e 's/^--- \([^	 ]*\).*/\1/p' -e 's/^+++ \([^	 ]*\).*/\1/p' "$1" |
		sed -e '/^\/dev\/null$/d' -e 's,^[^/]*/,,' | sort -u
}

# patch_part FILE PATH: this patch's diff of one file.
patch_part()
{
	awk -v at="diff --git a/$2 b/$2" '/^diff --git / { on = $0 == at } on' "$1"
}

overlay_list()
{
	[ -d "$OVERLAY" ] || return 0
	(cd "$OVERLAY" && find . -type f ! -name '*~' ! -name '*.orig' ! -name '*.rej' \
		! -path './README*') | sed 's,^\./,,' | sort
}

# listed_kernels LIST: the variants that the scenarios of a list name.
listed_kernels()
{
	awk '!/^#/ && NF > 2 { print $2; print $3 }' "$1" | sort -u | tr '\n' ' '
}

# tree_version DIR: prints 7.3.4 and the like, nothing if it is no kernel tree.
tree_version()
{
	[ -f "$1/Makefile" ] || return 0
	awk -F '[ \t]*=[ \t]*' '
		$1 == "VERSION" { v = $2 } $1 == "PATCHLEVEL" { p = $2 }
		$1 == "SUBLEVEL" { s = $2 } $1 == "NAME" { exit }
		END { if (v != "") print v "." p "." s }' "$1/Makefile"
}

check_tree_version()
{
	check_found=$(tree_version "$1")
	case $check_found in
	"$BASE_VERSION".*) ;;
	'') die "$1 is not a Linux source tree" "KDIR must name the top directory of a Linux $BASE_VERSION tree" ;;
	*) die "$1 is Linux $check_found, the series is for Linux $BASE_VERSION" \
	       "give a $BASE_VERSION.x tree, or leave KDIR out to have one fetched" ;;
	esac
	# a git tree of the stable series, or an unpacked release: both are fine
	[ -f "$1/kernel/liveupdate/luo_core.c" ] ||
		die "$1 says $check_found but has no kernel/liveupdate/luo_core.c" "the tree is not complete"
}

# base_id: names the base in the cache. Needs $base (the pristine tree).
base_id()
{
	if [ -f "$base/../record" ]; then
		basename "$(dirname "$base")"
	else
		printf 'kdir-%s-%s\n' "$(tree_version "$base")" "$(printf '%s' "$base" | sha 12)"
	fi
}

# kill_tree PID: with all that it started. (What runs in the background of a
# script does not get the interrupt of the terminal.)
kill_tree()
{
	# shellcheck disable=SC2046
	set -- "$1" $(cat "/proc/$1/task/$1/children" 2>/dev/null)
	kill "$1" 2>/dev/null || true
	shift
	for kill_pid; do
		kill_tree "$kill_pid"
	done
}

# is_wanted: are all of them there? One that is killed while it waits for another takes
# nobody along, and in a subshell nobody hears of it.
is_wanted()
{
	for wanted_pid in $IOMMU_LIVEUPDATE_SCRIPTS; do
		kill -0 "$wanted_pid" 2>/dev/null || return 1
	done
}

# run_end: what runs is killed, and its locks are free
run_end()
{
	[ -z "$run_pid" ] || kill_tree "$run_pid"
	wait
	exit 130
}

# run_logged WHAT LOG COMMAND...: quiet, a line every ten seconds.
# Counts objects when the log is one of kbuild. Returns the command's status.
run_logged()
{
	run_what=$1; run_log=$2 run_pid=
	shift 2
	run_start=$(date +%s)
	trap run_end INT TERM HUP
	"$@" >"$run_log" 2>&1 </dev/null &
	run_pid=$!
	run_next=$((run_start + 10))
	while kill -0 "$run_pid" 2>/dev/null; do
		sleep 1
		is_wanted || run_end
		run_now=$(date +%s)
		[ "$run_now" -ge "$run_next" ] || continue
		run_next=$((run_now + 10))
		say "    $run_what: $((run_now - run_start)) s, $(grep -c '^  [A-Z]' "$run_log") steps done"
	done
	wait "$run_pid"
	run_status=$?
	trap - INT TERM HUP
	if [ "$run_status" -ne 0 ]; then
		say "$run_what failed after $(($(date +%s) - run_start)) s; the end of $run_log:"
		grep -nE 'error:|Error [0-9]|undefined reference|No space left' "$run_log" | head -n 20 >&2 ||
			true
		say "    ..."
		tail -n 12 "$run_log" >&2
		if grep -q 'No space left on device' "$run_log"; then
			die "disk full while doing: $run_what" \
			    "free some space, run 'make clean', or set IOMMU_LIVEUPDATE_CACHE to a larger disk"
		fi
	fi
	return "$run_status"
}

# ------------------------------------------------------------------ trees
#
# A work tree is a copy of the base that is kept and synchronised: the files
# that the series touches are made in a stage directory, compared with what the
# tree has, and only those that differ are written. So the time stamps of all
# others stay, and an edit of one patch costs an incremental build.

# stage_patch STAGE PATCH: apply one more patch of the series to a stage.
stage_patch()
{
	stage=$1; stage_file=$PATCHES/$2
	rm -f "$stage.rej"
	[ -f "$stage_file" ] || die "patches/series names $2, but there is no such file"
	for stage_path in $(patch_edits "$stage_file"); do
		if [ ! -e "$stage/$stage_path" ] && [ -f "$base/$stage_path" ]; then
			mkdir -p "$stage/$(dirname "$stage_path")" &&
			cp -p "$base/$stage_path" "$stage/$stage_path" &&
			chmod u+w "$stage/$stage_path"
		fi
	done
	# a patch may bring new files only
	if [ -n "$(patch_edits "$stage_file")" ] &&
	   ! patch -d "$stage" -p1 -F0 -N --no-backup-if-mismatch -r "$stage.rej" \
		<"$stage_file" >"$stage.log" 2>&1
	then
		say "patch $2 does not apply to $(tree_version "$base") ($base):"
		sed 's/^/    /' "$stage.log" >&2
		if [ -s "$stage.rej" ]; then
			say "rejected:"
			sed 's/^/    /' "$stage.rej" >&2
		fi
		die "patches/$2 does not apply" \
		    "the patches must apply without fuzz, in the order of patches/series;" \
		    "refresh this one against the tree that the patches before it give, or use" \
		    "the base that the series was made for (scripts/kernel-base)"
	fi
	for stage_path in $(patch_adds "$stage_file"); do
		[ -f "$OVERLAY/$stage_path" ] ||
			die "patches/$2 says 'Adds: $stage_path', but kernel/$stage_path does not exist"
		mkdir -p "$stage/$(dirname "$stage_path")" &&
		cp -p "$OVERLAY/$stage_path" "$stage/$stage_path"
		stage_unedit "$2" "$stage_path"
	done
}

# stage_unedit PATCH PATH: kernel/ has each new file as it is in the end. When PATCH
# brings it, it is without what later patches do to it.
stage_unedit()
{
	for stage_later in $(series_list | sed "1,/^$1\$/d" | sed -n '1!G;h;$p'); do
		[ -f "$PATCHES/$stage_later" ] || continue
		patch_part "$PATCHES/$stage_later" "$2" >"$stage.part"
		[ -s "$stage.part" ] || continue
		patch -d "$stage" -p1 -R -F0 --no-backup-if-mismatch -r "$stage.rej" \
			<"$stage.part" >"$stage.log" 2>&1 ||
			die "kernel/$2 is not what patches/$stage_later makes of it" \
			    "$(sed -n '1,3p' "$stage.log" | tr '\n' ' ')" \
			    "kernel/ has each file as the whole series leaves it; refresh the patch"
	done
}

# stage_series STAGE: the whole series and every overlay file.
stage_series()
{
	for stage_left in $(overlay_list); do
		[ ! -e "$base/$stage_left" ] ||
			die "kernel/$stage_left exists in the base tree already" \
			    "kernel/ is for new files only; edits of existing ones are patches"
	done
	for stage_name in $(series_list); do
		stage_patch "$1" "$stage_name"
	done
	for stage_left in $(overlay_list); do
		[ -e "$1/$stage_left" ] && continue
		[ ! -f "$PATCHES/series" ] || warn "kernel/$stage_left: no patch says 'Adds: $stage_left'"
		mkdir -p "$1/$(dirname "$stage_left")" && cp -p "$OVERLAY/$stage_left" "$1/$stage_left"
	done
}

# stage_parts STAGE PART...: these parts, and nothing else
stage_parts()
{
	stage_to=$1
	shift
	for stage_part; do
		for stage_name in $(part_patches "$stage_part"); do
			stage_patch "$stage_to" "$stage_name"
		done
	done
}

# stage_switches STAGE: what kernels for tests have on top of the series.
stage_switches()
(
	PATCHES=$SWITCHES OVERLAY=$SWITCHES
	[ ! -f "$PATCHES/switches.patch" ] || stage_patch "$1" switches.patch
)

# copy_base: into $tree, without what was built in somebody's own
copy_base()
{
	for copy_path in "$base"/* "$base"/.[!.]*; do
		case ${copy_path##*/} in .git | build-* | '*' | '.[!.]*') continue ;; esac
		cp -a "$copy_path" "$tree/" || return 1
	done
}

# work_tree NAME: the directory of a work tree, made or completed if need be.
# Sets $tree. Call with the lock "tree" held.
work_tree()
{
	tree=$CACHE/base/$(base_id)/$1
	if [ ! -f "$tree.complete" ]; then
		cache_dir "base/$(base_id)"
		free_mb "$CACHE" 3000 "a copy of the kernel source"
		say "copying the kernel source to $tree"
		rm -rf "$tree"
		mkdir -p "$tree"
		cache_dir log
		run_logged "copy of the kernel source" "$CACHE/log/copy.log" copy_base ||
			die "cannot copy $base to $tree" "is the disk full?"
		: >"$tree.touched"
		: >"$tree.complete"
	elif [ ! -f "$base/../record" ]; then
		# somebody's own tree, which may have changed since
		need_tool rsync
		rsync -a --delete --exclude=/.git --exclude='/build-*' \
			--exclude-from="$tree.touched" "$base/" "$tree/" ||
			die "cannot bring $tree up to date with $base"
	fi
}

# files_below DIR [PREFIX]: in order
files_below()
{
	below_list=$(cd "$1" && find . -type f)
	[ -z "$below_list" ] || printf '%s\n' "$below_list" | sed "s,^\./,${2:-}," | sort
}

# sync_tree STAGE: make $tree the base plus what is in STAGE.
sync_tree()
{
	sync_stage=$1
	files_below "$sync_stage" / >"$sync_stage.new"
	# The list is what may differ from the base: never lose an entry before
	# the file is back, or a killed run would leave it behind.
	sort -u "$tree.touched" "$sync_stage.new" >"$sync_stage.all"
	cp "$sync_stage.all" "$tree.touched.tmp" && mv "$tree.touched.tmp" "$tree.touched"
	sync_count=0
	while IFS= read -r sync_path; do
		if [ -f "$sync_stage$sync_path" ]; then
			sync_from=$sync_stage$sync_path
		else
			sync_from=$base$sync_path
		fi
		if [ ! -f "$sync_from" ]; then
			if [ -e "$tree$sync_path" ]; then
				rm -f "$tree$sync_path"
				sync_count=$((sync_count + 1))
			fi
		elif ! cmp -s "$sync_from" "$tree$sync_path"; then
			mkdir -p "$tree$(dirname "$sync_path")" &&
			cp "$sync_from" "$tree$sync_path.sync" &&
			mv -f "$tree$sync_path.sync" "$tree$sync_path" ||
				die "cannot write $tree$sync_path" "is the disk full?"
			sync_count=$((sync_count + 1))
		fi
	done <"$sync_stage.all"
	cp "$sync_stage.new" "$tree.touched.tmp" && mv "$tree.touched.tmp" "$tree.touched"
	rm -f "$sync_stage.new" "$sync_stage.all"
}

# private temporary directory, removed at exit
make_tmp()
{
	[ -z "${tmp:-}" ] || return 0
	tmp=$(mktemp -d "${TMPDIR:-/tmp}/iommu-liveupdate.XXXXXX") ||
		die "cannot make a temporary directory" "is the disk full?"
	trap 'rm -rf "$tmp"' EXIT
}

# copy_clone DIR: what is in the clone, without what was built there
copy_clone()
{
	mkdir -p "$1"
	{ (cd "$TOP" && tar -cf "$1.tar" --exclude=./.git --exclude=./out --exclude='*.o' --exclude='*~' .) &&
		tar -C "$1" --no-same-owner -xf "$1.tar" && rm "$1.tar"; } ||
		die "cannot copy $TOP to $1" "is the disk full?"
}
