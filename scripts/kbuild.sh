# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh disable=SC2034,SC2154,SC2016
# Kernel builds: configuration from fragments, ccache, the make call itself. To
# be sourced after lib.sh. Uses $tree, $out, $files (the fragments) and $own.

# build_setup: $tree and $out are known. The build directory is a child of the
# source tree: then kbuild uses relative paths throughout, and ccache hits across
# trees, clones and machines.
build_setup()
{
	mkdir -p "$out" || die "cannot create $out"
	cache_dir log
	cc=gcc
	if command -v ccache >/dev/null 2>&1; then
		cc='ccache gcc'
		cache_dir ccache
		CCACHE_DIR=$CACHE/ccache CCACHE_BASEDIR=$CACHE CCACHE_NOHASHDIR=1
		CCACHE_MAXSIZE=6G CCACHE_COMPILERCHECK=content
		# Without a pass of the preprocessor for each miss: a fifth of a cold build.
		CCACHE_DEPEND=1
		# Files are edited and built within one tick of the clock: an old object was given
		# back for one that check-mutations had changed.
		CCACHE_NOINODECACHE=1
		export CCACHE_DIR CCACHE_BASEDIR CCACHE_NOHASHDIR CCACHE_MAXSIZE CCACHE_COMPILERCHECK \
			CCACHE_DEPEND CCACHE_NOINODECACHE
	fi
	KBUILD_BUILD_TIMESTAMP='@1700000000' KBUILD_BUILD_VERSION=1
	KBUILD_BUILD_USER=user KBUILD_BUILD_HOST=host
	export KBUILD_BUILD_TIMESTAMP KBUILD_BUILD_VERSION KBUILD_BUILD_USER KBUILD_BUILD_HOST
	# KDIR has done its work, the others would be taken by kbuild
	unset KDIR KCONFIG_CONFIG MAKEFLAGS MFLAGS MAKELEVEL O V W C CHECK CF LOCALVERSION \
		ARCH CROSS_COMPILE 2>/dev/null || true
}

# profiled_objects: the new files of the series, as kbuild wants to hear of them, and the
# formats of page tables, each of which is compiled with a header of the series. It
# goes by the name alone, so a file of the same name elsewhere may count as well.
profiled_objects()
{
	{
		overlay_list | sed -n 's,^\(drivers\|kernel\|mm\)/\(.*/\)*\([^/]*\)\.c$,\3,p' | grep -v kunit
		printf 'iommu_%s\n' amdv1 mock vtdss x86_64
	} | sort -u | sed 's/.*/GCOV_PROFILE_&.o=y/' | tr '\n' ' '
}

# variant_files VARIANT: sets $files, the fragments of its configuration, $first, what
# they are merged into unless that is a tiny one, and $work, the tree it is built from;
# and $profile and $words, words for make. build-kernel.sh says what the variants are.
variant_files()
{
	small='vm-min vm-fast'
	host="$small liveupdate host" tested="$small liveupdate host switches"
	work=tested profile='' words='' first=''
	case $1 in
	off | ordinary | kunit) work=patched ;;
	esac
	case $1 in
	pristine) fragments="$small old pristine"; work=plain ;;
	old) fragments="$tested old" ;;
	new) fragments="$tested new" ;;
	debug-old) fragments="$tested old debug debug-old" ;;
	debug-new) fragments="$tested new debug debug-new" ;;
	wide-old) fragments="$tested old distribution wide-old" ;;
	wide-new) fragments="$tested new distribution wide-new" ;;
	coverage-old) fragments="$tested old coverage"; profile=$(profiled_objects) ;;
	coverage-new) fragments="$tested new coverage"; profile=$(profiled_objects) ;;
	coverage-kunit) fragments="$tested old kunit kunit-series coverage coverage-kunit"; profile=$(profiled_objects) ;;
	replaced) fragments="$small old pristine"; work=replaced ;;
	modular) fragments="$tested new modular" ;;
	# These and the next two are the same but for the name, so that the second one comes
	# out of ccache.
	debian-old | debian-new)
		fragments="debian liveupdate switches"
		words=LOCALVERSION=-$1
		first=$("$TOP/scripts/debian-config.sh") || exit 1
		;;
	systemd-old | systemd-new) fragments="$tested old distribution systemd"; words=LOCALVERSION=-$1 ;;
	vmm-old | vmm-new) fragments="$tested ${1#vmm-} vmm" ;;
	inner) fragments=inner; work=plain ;;
	off) fragments="$small old off" ;;
	ordinary) fragments="$host old ordinary" ;;
	ordinary-pristine) fragments="$small host old ordinary"; work=plain ;;
	kunit) fragments="$host old kunit kunit-series" ;;
	kunit-pristine) fragments="$small host old kunit"; work=plain ;;
	kunit-front) fragments="$small host old kunit front"; work=front ;;
	*) die "no such variant: $1" "one of: pristine replaced old new wide-old wide-new modular debug-old debug-new off" \
		"debian-old debian-new systemd-old systemd-new vmm-old vmm-new inner coverage-old coverage-new coverage-kunit" \
		"ordinary ordinary-pristine kunit kunit-pristine kunit-front" ;;
	esac
	files=
	for fragment in $fragments; do
		files="$files $CONFIGS/$fragment.config"
	done
}

# shellcheck disable=SC2086
kmake() { make -C "$tree" O="$out" ARCH=x86_64 CC="$cc" HOSTCC="$cc" ${profile:-} ${words:-} "$@"; }

# holds_kernel: is the kernel that was linked the one that is wrapped up?
holds_kernel()
{
	wrap=$out/arch/x86/boot/compressed
	packed=$(find "$wrap" -name 'vmlinux.bin.?*' | head -n 1)
	objcopy -O binary --only-section=.rodata..compressed "$wrap/piggy.o" "$wrap/payload" &&
	cmp -s "$wrap/payload" "$packed"
}

has_modules() { grep -qsx CONFIG_MODULES=y "$out/.config"; }

# install_modules DIR: to DIR/modules/RELEASE, stripped, all in one place: who loads
# them finds in each what it depends on.
install_modules()
{
	modules=$1/modules/$(cat "$out/include/config/kernel.release")
	rm -rf "$1/modules"
	mkdir -p "$modules" &&
	find "$out" -name '*.ko' ! -path "$out/modules/*" -exec cp {} "$modules/" ';' &&
	strip --strip-debug "$modules/"*.ko
}

# kmake_image: a bzImage, and modules. With CCACHE_DEPEND ccache does not look for .incbin, and has
# given back the object with another kernel in it, packed to the same length.
kmake_image()
{
	targets=bzImage
	! has_modules || targets='bzImage modules'
	# shellcheck disable=SC2086
	kmake -j"$JOBS" $targets || return 1
	! holds_kernel || return 0
	say "another kernel was wrapped up: wrapping it up again, without ccache"
	rm -f "$out/arch/x86/boot/compressed/piggy.o"
	(CCACHE_DISABLE=1; export CCACHE_DISABLE; kmake bzImage) || return 1
	holds_kernel || { say "error: bzImage does not hold the kernel that was linked"; return 1; }
}

# The configuration is made beside the one in use, and replaces it only if it
# differs: else everything would be looked at again. (Without ccache: the many
# tiny compilations of kconfig only get slower by it.)
make_first_config()
{
	if [ -n "${first:-}" ]; then
		cp "$first" "$out/.config.new"
	else
		kmake CC=gcc KCONFIG_CONFIG=.config.new tinyconfig
	fi
}

make_config()
{
	# shellcheck disable=SC2086
	make_first_config &&
	(cd "$out" && KCONFIG_CONFIG=.config.new "$tree/scripts/kconfig/merge_config.sh" \
		-m -O "$out" "$out/.config.new" $files) &&
	kmake CC=gcc KCONFIG_CONFIG=.config.new olddefconfig || return 1
	rm -f "$out/.config.new.old"
	cmp -s "$out/.config.new" "$out/.config" || cp "$out/.config.new" "$out/.config" || return 1
	rm -f "$out/.config.new"
}

touched_kconfig() { grep '/Kconfig' "$tree.touched" || true; }

# What the configuration depends on: fragments, compiler, the Kconfig files.
config_key()
{
	# shellcheck disable=SC2086
	cat ${first:-} $files
	gcc --version | head -n 1
	if [ "$own" = yes ]; then
		date +%s%N
	else
		touched_kconfig | while read -r key_path; do
			[ ! -f "$tree$key_path" ] || sha256sum "$tree$key_path"
		done
	fi
}

# in_series SYMBOL: does the series, as far as it is applied, define it?
in_series()
{
	for in_path in $(touched_kconfig); do
		! grep -qsE "^(menu)?config $1\$" "$tree$in_path" || return 0
	done
	return 1
}

# Every line of the fragments must have survived; the last word on a symbol counts.
check_config()
{
	# shellcheck disable=SC2086
	cat $files >"$out/.fragments"
	sed -n -e 's/^\(CONFIG_[A-Za-z0-9_]*\)=\(.*\)/\1 \2/p' \
		-e 's/^# \(CONFIG_[A-Za-z0-9_]*\) is not set/\1 n/p' "$out/.fragments" |
	awk '{ want[$1] = $0 } END { for (i in want) print want[i] }' | sort |
	while read -r symbol value; do
		if [ "$value" = n ]; then
			! grep -q "^$symbol=" "$out/.config" || echo "$symbol is set, wanted: not set"
		elif ! grep -qFx "$symbol=$value" "$out/.config"; then
			if grep -qs "^$symbol=" "$CONFIGS/liveupdate.config" "$CONFIGS/switches.config" "$CONFIGS/kunit-series.config" &&
			   ! in_series "${symbol#CONFIG_}"; then
				say "    note: the series does not bring $symbol yet"
				continue
			fi
			printf '%s=%s did not survive: %s\n' "$symbol" "$value" \
				"$(grep -w "$symbol" "$out/.config" || echo 'no such symbol, or a dependency is missing')"
		fi
	done
}

# configure NAME: bring $out/.config in line with the fragments.
configure()
{
	configure_key=$(key config_key)
	if [ ! -f "$out/.config" ] || [ "$(cat "$out/.config-key" 2>/dev/null)" != "$configure_key" ]; then
		rm -f "$out/.config-key"
		run_logged "configuration of $1" "$CACHE/log/config-$1.log" make_config ||
			die "the configuration of $1 failed" "the whole log: $CACHE/log/config-$1.log"
		echo "$configure_key" >"$out/.config-key"
	fi
	check_config >"$tmp/config"
	if [ -s "$tmp/config" ]; then
		sed 's/^/    /' "$tmp/config" >&2
		die "the configuration of $1 is not what its fragments want" \
		    "look at the dependencies of these symbols, or change the fragments:" "$files"
	fi
}

# own_tree NAME: sets $base and $tree, a work tree that nobody else uses, for scripts
# that change it over and over; $own says whether the base is the user's.
# shellcheck disable=SC2034
own_tree()
{
	base=$("$TOP/scripts/fetch-kernel.sh")
	IOMMU_LIVEUPDATE_QUIET=1; export IOMMU_LIVEUPDATE_QUIET
	own=no
	case $(base_id) in kdir-*) own=yes ;; esac
	make_tmp
	lock "$1"
	(lock tree; work_tree "$1")
	tree=$CACHE/base/$(base_id)/$1
	free_mb "$CACHE" 1500 "$1"
}
