#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Checks every step of the series as a reviewer would: it applies, it builds and
# links with IOMMU_LIVEUPDATE on and off at W=1 without a warning that the
# pristine tree does not give, checkpatch has nothing to say; sparse at the end. Where a
# part of the series ends it is built with modules as well, boots, and passes a
# scenario in QEMU: a card that receives, one whose page table is replaced all the time,
# or the whole way to the next kernel, whatever the series can do by then. Each part is
# also built alone, with no other parts than those that its cover letter says it needs.
#
#   STEPS="3 4"   only these steps (all before them are applied, not checked)
#   SPARSE=no     leave sparse out
#   ALONE=no      leave out the parts alone; or names of some
#   PAGES=no      leave out the pages of the kernel's documentation
#   BUILD=no      nothing but whether each step applies, and checkpatch
#
# Ends with a line "N passed, N failed, N skipped".
# shellcheck disable=SC2015,SC2034
set -eu
TOP=$(cd "$(dirname "$0")/.." && pwd)
. "$TOP/scripts/lib.sh"
. "$TOP/scripts/kbuild.sh"
. "$TOP/scripts/results.sh"
need_tool gcc make flex bison bc perl python3 patch flock cmp git

# the steps: what patches/series names, numbered from 1
BUILD=${BUILD:-yes}
[ "$BUILD" = yes ] || SPARSE=no ALONE=no PAGES=no
steps=$(series_list | wc -l)
[ "$steps" -gt 0 ] || die "there is no series: patches/series names no patch"
own_tree series

# where sparse looks
SPARSE_DIRS='drivers/iommu/ drivers/vfio/ drivers/pci/ kernel/liveupdate/'
wide="$CONFIGS/vm-min.config $CONFIGS/vm-fast.config $CONFIGS/wide.config"
option_on="$CONFIGS/liveupdate.config $CONFIGS/kunit-series.config"
smoke="$CONFIGS/vm-min.config $CONFIGS/vm-fast.config $CONFIGS/liveupdate.config $CONFIGS/old.config"
build_parts()
{
	gcc --version | head -n 1
	# it may not be there
	sparse --version 2>/dev/null || :
	# shellcheck disable=SC2086
	cat $wide $option_on
	echo "$SPARSE_DIRS"
}
build_key=$(key build_parts)

use()
{
	out=$tree/build-$1
	files=$wide
	case $1 in
	on) files="$files $option_on" ;;
	modular) files="$files $CONFIGS/liveupdate.config $CONFIGS/modular.config" ;;
	smoke) files=$smoke ;;
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

# build_whole WHICH LOG COMMAND...: like build, by the command, warnings are not looked at
build_whole()
{
	use "$1"
	whole_log=$2
	(configure "series-$1") || return 1
	shift 2
	run_logged "$step_name, $*" "$whole_log" "$@"
}

# smoke_scenario PART: the most that the series can do when PART is there
smoke_scenario()
{
	case $1 in
	fixes | kho) echo control-igb ;;
	# (others count pages, by a patch that only kernels of tests have)
	vfio | tests) echo example ;;
	*) echo replace-sm-fs ;;
	esac
}

# part_end PART: what is looked at where it ends, in the tree as it is now
part_end()
{
	log=$CACHE/log/series-$1-modular.log
	if build_whole modular "$log" kmake -j"$JOBS" vmlinux modules; then
		pass "part $1: builds with modules"
	else
		fail "part $1: does not build with modules (see $log)"
	fi
	log=$CACHE/log/series-$1-smoke.log
	if ! build_whole smoke "$log" kmake_image; then
		fail "part $1: the kernel to boot does not build (see $log)"
		return
	fi
	scenario=$(smoke_scenario "$1") image=$out/arch/x86/boot/bzImage
	if "$TOP/scripts/env.sh" --kernels '' env KERNEL_OLD="$image" KERNEL_NEW="$image" \
		RESULTS="$CACHE/log/series-$1" "$TOP/tests/vm/run-checks.sh" "$scenario" >"$tmp/log" 2>&1
	then
		pass "part $1: boots, $scenario"
	else
		fail "part $1: $scenario" "$tmp/log"
	fi
}

# ends_part PATCH: prints the part that ends with it
ends_part()
{
	for ends in $(series_parts); do
		[ "$(part_patches "$ends" | tail -n 1)" != "$1" ] || echo "$ends"
	done
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

# touched_pages: pages of the documentation that the series brings, or that take
# kernel-doc from a file of it
touched_pages()
{
	(cd "$tree" && sed 's,^/,,' "$tmp/touched" | grep '\.[ch]$' >"$tmp/sources" || true
	 grep -rl --include='*.rst' '^\.\. kernel-doc::' Documentation | while read -r page; do
		! grep '^\.\. kernel-doc::' "$page" | grep -qFf "$tmp/sources" || echo "$page"
	 done
	 sed 's,^/,,' "$tmp/touched" | grep '^Documentation/.*\.rst$' | while read -r page; do
		[ ! -f "$page" ] || echo "$page"
	 done) | sort -u
}

# pages_warn PAGE... : what "make htmldocs" says of these pages, in a directory of
# their own: whole directories take a quarter of an hour. References to pages that are
# not among them are left out.
pages_warn()
{
	rm -rf "$tree/Documentation/touched" "$tree/build-pages"
	mkdir -p "$tree/Documentation/touched" "$tree/build-pages"
	printf 'Touched\n=======\n\n.. toctree::\n\n' >"$tree/Documentation/touched/index.rst"
	for warn_page; do
		warn_name=$(printf '%s' "${warn_page#Documentation/}" | tr / -)
		[ ! -f "$tree/$warn_page" ] || cp "$tree/$warn_page" "$tree/Documentation/touched/$warn_name"
		printf '   %s\n' "${warn_name%.rst}" >>"$tree/Documentation/touched/index.rst"
	done
	run_logged "$step_name" "$CACHE/log/series-pages.log" \
		make -C "$tree" O="$tree/build-pages" htmldocs SPHINXDIRS=touched || pages_failed=yes
	rm -rf "$tree/Documentation/touched" "$tree/build-pages"
	grep -E 'WARNING|ERROR|warning:|error:' "$CACHE/log/series-pages.log" |
		grep -vE 'unknown document|nonexisting document|undefined label|isn.t included in any toctree|graphviz|sphinx_rtd_theme' |
		sed -E 's/:[0-9]+(:[0-9]+)?:/:/g' | sort -u
}

# check_pages: none of the touched pages may say what it does not say without the series
check_pages()
{
	pages_failed=no
	# shellcheck disable=SC2046
	pages_warn $(touched_pages) >"$tmp/pages.now"
	pages=$(touched_pages | tr '\n' ' ')
	sync_to 0
	# shellcheck disable=SC2086
	pages_warn $pages >"$tmp/pages.before"
	sync_to "$steps"
	comm -23 "$tmp/pages.now" "$tmp/pages.before" >"$tmp/warnings"
	if [ "$pages_failed" = yes ]; then
		fail "$step_name: htmldocs fails (see $CACHE/log/series-pages.log)"
	elif [ -s "$tmp/warnings" ]; then
		fail "$step_name: htmldocs has new warnings" "$tmp/warnings"
	else
		pass "$step_name: htmldocs has no new warning for $(echo "$pages" | wc -w) pages"
	fi
}

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
	[ "$BUILD" = yes ] || continue
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
	[ "$BUILD" = yes ] || options=''
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
	for part in $(ends_part "$patch"); do
		[ "$BUILD" = no ] || part_end "$part"
	done
	mail=$(find "$tmp/mails" -name '[0-9]*.patch' ! -name '0000-*' | sort | sed -n "${i}p")
	# (not in a git tree: it would start a script of its own that needs Python modules;
	# and the commits of Fixes: tags are in no tree that is here)
	(cd "$tmp" && "$base/scripts/checkpatch.pl" --strict --no-signoff --ignore FILE_PATH_CHANGES,UNKNOWN_COMMIT_ID --root="$base" \
		--terse --showfile --show-types --no-summary "$mail") >"$tmp/checkpatch" 2>&1 || true
	: >"$tmp/refused"
	while IFS= read -r line; do
		# path:line: LEVEL:TYPE: text
		path=${line%%:*}
		type=$(printf '%s\n' "$line" | sed -nE 's/^[^ ]* (WARNING|CHECK):([A-Z0-9_]+):.*/\2/p')
		[ -n "$type" ] && grep -qE "^${path}[[:space:]]+${type}[[:space:]]+[^[:space:]]" \
			"$TOP/scripts/checkpatch.allow" && continue
		printf '%s\n' "$line" >>"$tmp/refused"
	done <"$tmp/checkpatch"
	if [ -s "$tmp/refused" ]; then
		fail "$step_name: checkpatch" "$tmp/refused"
	else
		pass "$step_name: checkpatch"
	fi
done

# ---- each part alone, if it does not need all that comes before it
# before_part PART: all parts before it
before_part() { series_parts | sed "/^$1\$/,\$d" | tr '\n' ' ' | sed 's/ $//'; }

# alone PART: was it asked for? Of all if there are no STEPS.
alone()
{
	case " ${ALONE:-yes} " in
	" yes ") [ -z "${STEPS:-}" ] ;;
	*" $1 "*) ;;
	*) false ;;
	esac
}

for part in $(series_parts); do
	alone "$part" || { skip "part $part alone"; continue; }
	needs=$(part_needs "$part")
	[ "$needs" != "$(before_part "$part")" ] || continue
	step_name="part $part alone${needs:+, with $needs}"
	printf '== %s\n' "$step_name"
	rm -rf "$tmp/stage"
	mkdir -p "$tmp/stage"
	# shellcheck disable=SC2086
	stage_parts "$tmp/stage" $needs "$part"
	sync_tree "$tmp/stage"
	if build on "$CACHE/log/series-$part-alone.log"; then
		pass "$step_name: builds"
	else
		fail "$step_name: does not build (see $CACHE/log/series-$part-alone.log)"
	fi
done

# kernel_doc TREE LIST: what it says, without places. It fails if it finds something, which
# xargs makes 123; what cannot be run is another matter.
kernel_doc()
{
	doc_status=0
	(cd "$1" && xargs scripts/kernel-doc -none <"$2") >"$tmp/said" 2>&1 || doc_status=$?
	case $doc_status in
	0 | 123) ;;
	*) die "kernel-doc cannot be run in $1: $(tail -n 1 "$tmp/said")" ;;
	esac
	sed -E 's/:[0-9]+ /: /' "$tmp/said" | sort -u
}

# ---- the whole
step_name='whole series'
printf '== %s\n' "$step_name"
sync_to "$steps"
if ! in_series IOMMU_LIVEUPDATE; then
	skip "$step_name: no patch brings IOMMU_LIVEUPDATE yet, on and off are the same"
fi
sed 's,^/,,' "$tree.touched" | grep '\.[ch]$' >"$tmp/sources" || true
(cd "$base" && xargs -I '{}' sh -c '[ ! -f {} ] || echo {}' <"$tmp/sources") >"$tmp/sources.base"
kernel_doc "$tree" "$tmp/sources" >"$tmp/kernel-doc"
kernel_doc "$base" "$tmp/sources.base" >"$tmp/kernel-doc.base"
comm -23 "$tmp/kernel-doc" "$tmp/kernel-doc.base" >"$tmp/warnings"
if [ -s "$tmp/warnings" ]; then
	fail "$step_name: kernel-doc" "$tmp/warnings"
else
	pass "$step_name: kernel-doc has nothing new to say of $(wc -l <"$tmp/sources") files"
fi
if [ "${PAGES:-yes}" != yes ]; then
	skip "$step_name: pages (PAGES=$PAGES)"
elif ! command -v sphinx-build >/dev/null 2>&1; then
	skip "$step_name: sphinx-build is not installed"
else
	cp "$tree.touched" "$tmp/touched"
	check_pages
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
