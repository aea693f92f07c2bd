#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Checks every step of the series as a reviewer would: it applies, it builds and
# links with IOMMU_LIVEUPDATE on and off at W=1 without a warning that the
# pristine tree does not give, checkpatch has nothing to say; sparse at the end.
#
#   STEPS="3 4"   only these steps (all before them are applied, not checked)
#   SPARSE=no     leave sparse out
#
# Ends with a line "N passed, N failed, N skipped".
# shellcheck disable=SC2015,SC2034
set -eu
TOP=$(cd "$(dirname "$0")/.." && pwd)
. "$TOP/scripts/lib.sh"
. "$TOP/scripts/kbuild.sh"
need_tool gcc make flex bison bc perl python3 patch flock cmp git

passed=0 failed=0 skipped=0
pass() { passed=$((passed + 1)); printf 'PASS: %s\n' "$1"; }
skip() { skipped=$((skipped + 1)); printf 'SKIP: %s\n' "$1"; }
# fail WHAT [FILE]: the file's head is shown
fail()
{
	failed=$((failed + 1))
	printf 'FAIL: %s\n' "$1"
	[ $# -lt 2 ] || head -n 40 "$2" | sed 's/^/    /'
}
finish()
{
	printf '%s passed, %s failed, %s skipped\n' "$passed" "$failed" "$skipped"
	[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
	exit
}

# the steps: what patches/series names, numbered from 1
steps=$(series_list | wc -l)
[ "$steps" -gt 0 ] || die "there is no series: patches/series names no patch"
own_tree series

# where sparse looks
SPARSE_DIRS='drivers/iommu/ drivers/vfio/ drivers/pci/ kernel/liveupdate/'
wide="$CONFIGS/vm-min.config $CONFIGS/vm-fast.config $CONFIGS/wide.config"
option_on="$CONFIGS/liveupdate.config $CONFIGS/kunit-series.config"
# shellcheck disable=SC2086
build_key=$({
	gcc --version | head -n 1
	sparse --version 2>/dev/null
	cat $wide $option_on
	echo "$SPARSE_DIRS"
} | sha)

use()
{
	out=$tree/build-$1
	files=$wide
	case $1 in
	on) files="$files $option_on" ;;
	esac
	build_setup
}

# warnings LOG: one a line, without places, which move from patch to patch
warnings()
{
	grep -E ': (warning|error|note): |^WARNING: |: warning: ' "$1" |
		grep -vE ': note: ' |
		sed -E -e 's,^\.\./,,' -e 's/:[0-9]+(:[0-9]+)?:/:/g' | sort -u || true
}

# build ON-OR-OFF LOG
build()
{
	use "$1"
	# in a subshell: an error ends that only
	(configure "series-$1") || return 1
	run_logged "$step_name, option $1" "$2" kmake W=1 -k -j"$JOBS" vmlinux
}

# sync_to N: the tree as it is after N patches
sync_to()
{
	rm -rf "$tmp/stage"
	mkdir -p "$tmp/stage"
	sync_i=0
	for sync_patch in $(series_list); do
		sync_i=$((sync_i + 1))
		[ "$sync_i" -le "$1" ] || break
		stage_patch "$tmp/stage" "$sync_patch"
	done
	sync_tree "$tmp/stage"
}

sparse_run()
{
	use on
	# shellcheck disable=SC2086
	run_logged "sparse, $1" "$2" kmake C=2 CHECK='sparse -D__typeof_unqual__=__typeof__' W=1 \
		-k -j"$JOBS" $SPARSE_DIRS
}
# sparse_warnings LOG: without those of module_param() and its like, see sparse.allow
sparse_warnings()
{
	awk -F : -v tree="$tree" '
		/: error: bad constant expression$/ {
			path = $1
			sub(/^\.\.\//, "", path)
			path = tree "/" path
			source = ""
			for (n = 0; n < $2 && (getline source < path) > 0; n++)
				;
			close(path)
			if (source ~ /^(module_param|MODULE_)/)
				next
		}
		{ print }' "$1" >"$tmp/sparse"
	grep -v '^#' "$TOP/scripts/sparse.allow" | cut -f 1 >"$tmp/sparse.allow"
	warnings "$tmp/sparse" | grep -vxFf "$tmp/sparse.allow" || true
}
# Lines of sparse and of W=1 alike: neither may grow.
sparse_count() { grep -c '^  CHECK ' "$1" || true; }

# ---- the mails: also the input of checkpatch
if OUT=$tmp/mails "$TOP/scripts/make-series.sh" >"$tmp/log" 2>&1; then
	pass "git am accepts the exported series ($steps patches)"
else
	fail "the series cannot be exported" "$tmp/log"
	finish
fi

# ---- the pristine tree: which warnings are not ours
step_name='pristine tree'
printf '== %s\n' "$step_name"
for option in on off; do
	known=$tree.warnings-$option-$build_key
	[ "$own" = no ] || rm -f "$known"
	if [ ! -f "$known" ]; then
		sync_to 0
		rm -rf "$tree/build-$option"
		if ! build "$option" "$CACHE/log/series-0-$option.log"; then
			fail "the pristine tree does not build (see $CACHE/log/series-0-$option.log)"
			finish
		fi
		warnings "$CACHE/log/series-0-$option.log" >"$known.new"
		mv "$known.new" "$known"
	fi
done
if [ "${SPARSE:-yes}" = yes ] && command -v sparse >/dev/null 2>&1; then
	known=$tree.warnings-sparse-$build_key
	[ "$own" = no ] || rm -f "$known"
	if [ ! -f "$known" ]; then
		sync_to 0
		build on "$CACHE/log/series-0-on-again.log" || die "the pristine tree does not build"
		sparse_run 'pristine tree' "$CACHE/log/series-0-sparse.log" ||
			die "sparse fails on the pristine tree" "the whole log: $CACHE/log/series-0-sparse.log"
		# The tree refuses a sparse that it finds wanting without a word of
		# error: then there is not one CHECK line.
		[ "$(sparse_count "$CACHE/log/series-0-sparse.log")" -gt 50 ] ||
			die "sparse did not run on the pristine tree" "the whole log: $CACHE/log/series-0-sparse.log"
		warnings "$CACHE/log/series-0-sparse.log" >"$known.new"
		[ -s "$known.new" ] ||
			die "sparse has nothing to say of the pristine tree, so it does not work" \
			    "the whole log: $CACHE/log/series-0-sparse.log"
		mv "$known.new" "$known"
	fi
fi

# ---- step by step
i=0
for patch in $(series_list); do
	i=$((i + 1))
	case " ${STEPS:-$(seq -s ' ' "$steps")} " in *" $i "*) ;; *) continue ;; esac
	step_name="$i/$steps $patch"
	printf '== %s\n' "$step_name"
	if (sync_to "$i" && cp "$tree.touched" "$tmp/touched") >"$tmp/log" 2>&1; then
		pass "$step_name: applies"
	else
		fail "$step_name: does not apply" "$tmp/log"
		skip "all that follows"
		finish
	fi
	# without the symbol on and off are one and the same
	options='on off'
	in_series IOMMU_LIVEUPDATE || options=on
	for option in $options; do
		log=$CACHE/log/series-$i-$option.log
		if build "$option" "$log"; then
			warnings "$log" | comm -13 "$tree.warnings-$option-$build_key" - >"$tmp/warnings"
			if [ -s "$tmp/warnings" ]; then
				fail "$step_name: option $option: new warnings" "$tmp/warnings"
			else
				pass "$step_name: builds and links with the option $option"
			fi
		else
			fail "$step_name: does not build with the option $option (see $log)"
		fi
	done
	mail=$(printf '%s/mails/%04d-' "$tmp" "$i")
	# (not in a git tree: it would start a script of its own that needs Python modules)
	(cd "$tmp" && "$base/scripts/checkpatch.pl" --strict --no-signoff --ignore FILE_PATH_CHANGES --root="$base" \
		--terse --showfile --show-types --no-summary "$mail"*.patch) >"$tmp/checkpatch" 2>&1 || true
	: >"$tmp/refused"
	while IFS= read -r line; do
		# path:line: LEVEL:TYPE: text
		path=${line%%:*}
		type=$(printf '%s\n' "$line" | sed -nE 's/^[^ ]* (ERROR|WARNING|CHECK):([A-Z0-9_]+):.*/\1 \2/p')
		case $type in
		"CHECK "*) grep -qE "^${path}[[:space:]]+${type#CHECK }[[:space:]]+[^[:space:]]" "$TOP/scripts/checkpatch.allow" && continue ;;
		esac
		printf '%s\n' "$line" >>"$tmp/refused"
	done <"$tmp/checkpatch"
	if [ -s "$tmp/refused" ]; then
		fail "$step_name: checkpatch" "$tmp/refused"
	else
		pass "$step_name: checkpatch"
	fi
done

# ---- the whole
step_name='whole series'
printf '== %s\n' "$step_name"
sync_to "$steps"
if ! in_series IOMMU_LIVEUPDATE; then
	skip "$step_name: no patch brings IOMMU_LIVEUPDATE yet, on and off are the same"
fi
if [ "${SPARSE:-yes}" != yes ]; then
	skip "$step_name: sparse (SPARSE=$SPARSE)"
elif ! command -v sparse >/dev/null 2>&1; then
	skip "$step_name: sparse is not installed"
elif ! build on "$CACHE/log/series-last.log"; then
	fail "$step_name: does not build (see $CACHE/log/series-last.log)"
elif ! sparse_run 'whole series' "$CACHE/log/series-sparse.log"; then
	fail "$step_name: sparse ended with an error (see $CACHE/log/series-sparse.log)"
elif [ "$(sparse_count "$CACHE/log/series-sparse.log")" -le 50 ]; then
	fail "$step_name: sparse did not run (see $CACHE/log/series-sparse.log)"
else
	sparse_warnings "$CACHE/log/series-sparse.log" | comm -13 "$tree.warnings-sparse-$build_key" - >"$tmp/warnings"
	if [ -s "$tmp/warnings" ]; then
		fail "$step_name: sparse says what it does not say of the pristine tree" "$tmp/warnings"
	else
		pass "$step_name: sparse looked at $(sparse_count "$CACHE/log/series-sparse.log") files and says nothing new"
	fi
fi
finish
