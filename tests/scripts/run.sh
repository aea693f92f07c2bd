#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Tests of scripts/: what they say and do when something is wrong, and that the
# patched tree is kept in line. All on a toy kernel tree, in a cache of its own,
# without network and without building anything: a few seconds.
# shellcheck disable=SC2015,SC2016
set -u
TOP=$(cd "$(dirname "$0")/../.." && pwd)
S=$TOP/scripts
T=$(mktemp -d "${TMPDIR:-/tmp}/iommu-liveupdate-scripts.XXXXXX") || exit 1
trap 'rm -rf "$T"' EXIT
trap 'exit 130' INT TERM

# nothing of the caller's must leak in, above all not the cache
unset KDIR QEMU OUT MAKEFLAGS MFLAGS MAKELEVEL EXTRA_CONFIG IOMMU_LIVEUPDATE_LOCKS IOMMU_LIVEUPDATE_SCRIPTS \
	IOMMU_LIVEUPDATE_QUIET APT_OPTIONS SKIP_PACKAGES PARTS
IOMMU_LIVEUPDATE_CACHE=$T/cache PATCHES=$T/patches OVERLAY=$T/kernel SWITCHES=$T/switches
COVERS=$T/covers
export IOMMU_LIVEUPDATE_CACHE PATCHES OVERLAY SWITCHES COVERS

passed=0 failed=0 skipped=0
name=
begin() { name=$1; bad=; }
expect() { [ "$1" = "$2" ] || bad="$bad
    $3: got '$1', wanted '$2'"; }
# says TEXT...: all in what the last try printed
says() { for text; do grep -qF -e "$text" "$T/err" || bad="$bad
    does not say '$text'"; done; }
end()
{
	if [ -z "$bad" ]; then
		passed=$((passed + 1)); printf 'PASS: %s\n' "$name"
	else
		failed=$((failed + 1)); printf 'FAIL: %s%s\n' "$name" "$bad"
		sed 's/^/    | /' "$T/err" | head -n 20
	fi
}
# try WANTED-STATUS COMMAND...: standard output in $T/outp, standard error in $T/err
try()
{
	want=$1
	shift
	"$@" >"$T/outp" 2>"$T/err" </dev/null
	got=$?
	case $want in
	ok) expect "$got" 0 status ;;
	fail) [ "$got" -ne 0 ] || bad="$bad
    succeeded, an error was wanted" ;;
	esac
}
# (what cannot be read is like nothing, also not itself)
sums() { (cd "$1" && find . -type f ! -path './build-*' | sort | xargs cksum) || echo "$1: $(date +%s%N)"; }

toy()	# toy DIR VERSION PATCHLEVEL
{
	mkdir -p "$1/kernel/liveupdate" "$1/drivers/iommu"
	printf '# SPDX-License-Identifier: GPL-2.0\nVERSION = %s\nPATCHLEVEL = %s\nSUBLEVEL = 4\nEXTRAVERSION =\nNAME = Toy\n' \
		"$2" "$3" >"$1/Makefile"
	echo 'int luo;' >"$1/kernel/liveupdate/luo_core.c"
	seq 1 40 >"$1/drivers/iommu/numbers.c"
	seq 101 140 >"$1/drivers/iommu/hundreds.c"
}

# a series of two patches, the first of them bringing a new file
series()
{
	rm -rf "$T/patches" "$T/kernel"
	mkdir -p "$T/patches" "$T/kernel/drivers/iommu"
	printf 'first.patch\n# a comment\nsecond.patch\n' >"$T/patches/series"
	cat >"$T/patches/first.patch" <<'P'
Subject: iommu: make twenty bigger

Twenty was too small.

Adds: drivers/iommu/new.c
---
--- a/drivers/iommu/numbers.c
+++ b/drivers/iommu/numbers.c
@@ -17,7 +17,7 @@
 17
 18
 19
-20
+2000
 21
 22
 23
P
	cat >"$T/patches/second.patch" <<'P'
Subject: iommu: make thirty bigger

Thirty was too small as well, and so was 120.

--- a/drivers/iommu/numbers.c
+++ b/drivers/iommu/numbers.c
@@ -27,7 +27,7 @@
 27
 28
 29
-30
+3000
 31
 32
 33
--- a/drivers/iommu/hundreds.c
+++ b/drivers/iommu/hundreds.c
@@ -17,7 +17,7 @@
 117
 118
 119
-120
+12000
 121
 122
 123
P
	echo 'int new;' >"$T/kernel/drivers/iommu/new.c"
}

toy "$T/linux" 7 3
toy "$T/wrong" 6 12
mkdir "$T/empty"

# ---------------------------------------------------------------- syntax

begin 'all scripts parse as POSIX shell'
: >"$T/err"
for script in "$S"/*.sh "$0"; do
	sh -n "$script" 2>>"$T/err" || bad="$bad
    $script"
done
end

# Programs that can fail after they have said something, or of which nothing is good news.
fail_in_pipes='nm readelf objdump size ldd tar cpio xz dpkg-deb dpkg-query git in_tree groff make run_make user'
begin 'no script loses in a pipe that a program failed'
: >"$T/err"
# shellcheck disable=SC2046
(cd "$TOP" && awk -v programs="$fail_in_pipes \$tool \$make \$TOP/scripts/refusals.sh" -f tests/scripts/pipes.awk \
	$(find scripts tests system debian .ci -type f ! -name '*.awk' -exec grep -lE '^#!/bin/(ba)?sh|shellcheck shell=' {} +) \
	debian/rules) >"$T/outp" || bad="$bad
    the scripts could not be read"
expect "$(cat "$T/outp")" '' 'in pipes'
# each of the ways in which one is found, and not found
cat >"$T/pipes" <<'P'
! nm a | grep -q b
if (cd a && tar -cf - .) | tar -C b -xf -; then
	x=$(readelf -d "$a" 2>&1 | sed s/a/b/)
fi
{ echo a; git diff; } | sed s/a/b/
"$tool" help |
	grep -q a
A=b ldd a \
	-v | grep b
nm a >b && sort b | uniq || exit 1
git diff || true; echo a | sort # nm a | sort
printf 'nm a | sort'
case $a in make | b) ;; esac
P
expect "$(awk -v programs="$fail_in_pipes \$tool" -f "$TOP/tests/scripts/pipes.awk" "$T/pipes" | sed 's/.*pipes://' | tr '\n' ' ')" \
	'1: nm 2: tar 3: readelf 5: git 6: $tool 8: ldd ' 'planted'
end

# ---------------------------------------------------------------- the base

begin 'KDIR with a wrong version is refused'
try fail env KDIR="$T/wrong" "$S/fetch-kernel.sh"
says 'is Linux 6.12.4, the series is for Linux 7.3' 'leave KDIR out'
end

begin 'KDIR that does not exist is refused'
try fail env KDIR="$T/nowhere" "$S/fetch-kernel.sh"
says 'is no directory'
end

begin 'KDIR that is no kernel tree is refused'
try fail env KDIR="$T/empty" "$S/fetch-kernel.sh"
says 'is not a Linux source tree'
end

begin 'KDIR with the right version is taken, its path is all that is printed'
try ok env KDIR="$T/linux" "$S/fetch-kernel.sh"
expect "$(cat "$T/outp")" "$T/linux" 'standard output'
end

begin 'no Debian archive among the apt sources: an error that says what to do'
try fail env APT_OPTIONS='-o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts=/dev/null' "$S/fetch-kernel.sh"
says 'no Debian archive among the apt sources' 'KDIR='
end

# an address that refuses at once
echo 'deb http://127.0.0.1:9/debian bookworm main' >"$T/sources.list"
begin 'no network: an error that says what to do'
try fail env KERNEL_SUITES='trixie-backports sid' \
	APT_OPTIONS="-o Dir::Etc::sourcelist=$T/sources.list -o Dir::Etc::sourceparts=/dev/null" "$S/fetch-kernel.sh"
says 'no network' 'KDIR='
[ ! -e "$T/cache/base/current" ] || bad="$bad
    something was recorded"
end

begin 'disk full: an error that says what to do, before anything is unpacked'
mkdir -p "$T/stub-df" "$T/cache/download"
printf '#!/bin/sh\necho Filesystem\necho "x 100000 99000 1000 99%% /"\n' >"$T/stub-df/df"
chmod +x "$T/stub-df/df"
try fail env KDIR="$T/linux" PATH="$T/stub-df:$PATH" "$S/apply-series.sh"
says 'disk full' 'make clean'
end

# ---------------------------------------------------------------- QEMU

begin 'QEMU that is too old is refused'
printf '#!/bin/sh\necho "QEMU emulator version 7.2.1 (Debian)"\n' >"$T/old-qemu"
chmod +x "$T/old-qemu"
try fail env QEMU="$T/old-qemu" "$S/fetch-qemu.sh"
says 'is version 7.2.1'
end

begin 'QEMU that is no program is refused'
try fail env QEMU="$T/no-qemu" "$S/fetch-qemu.sh"
says 'cannot be run'
end

begin 'QEMU that is good is taken'
printf '#!/bin/sh\necho "QEMU emulator version 10.0.2 (Debian)"\n' >"$T/new-qemu"
chmod +x "$T/new-qemu"
try ok env QEMU="$T/new-qemu" "$S/fetch-qemu.sh"
expect "$(cat "$T/outp")" "$T/new-qemu" 'standard output'
end

# ---------------------------------------------------------------- packages

begin 'missing packages without being root: an error that names them'
mkdir -p "$T/stub-apt"
printf '#!/bin/sh\ncase "$*" in *sparse*) exit 1;; esac\necho installed\n' >"$T/stub-apt/dpkg-query"
printf '#!/bin/sh\necho 1000\n' >"$T/stub-apt/id"
chmod +x "$T/stub-apt"/*
try fail env PATH="$T/stub-apt:$PATH" "$S/install-packages.sh"
says 'packages are missing: sparse' 'apt-get install'
end

begin 'only the packages that a target needs are asked for'
try ok env PATH="$T/stub-apt:$PATH" "$S/install-packages.sh" series unit
try fail env PATH="$T/stub-apt:$PATH" "$S/install-packages.sh" series static
says 'packages are missing: sparse'
try fail "$S/install-packages.sh" nonsense
says 'no such group of packages: nonsense'
end

begin 'the changelog of the packages has the version of the header'
number() { sed -n "s/^.define ILU_VERSION_$1[[:space:]]*//p" "$TOP/include/iommu-liveupdate.h"; }
expect "$(sed -n '1s/.*(\(.*\)).*/\1/p' "$TOP/debian/changelog")" "$(number MAJOR).$(number MINOR)" 'debian/changelog'
end

begin 'the program of the guide has less than 150 lines'
lines=$(awk '/^```/ { inside = 0 } inside { n++ } /^```c/ { inside = 1 } END { print n + 0 }' "$TOP/docs/vmm-guide.md")
[ "$lines" -gt 50 ] && [ "$lines" -lt 150 ] || bad="it has $lines"
end

begin 'packages of a kernel: no configuration, or something else, is refused'
try fail "$S/kernel-deb.sh"
expect "$got" 2 status
says 'usage: kernel-deb.sh CONFIG'
try fail "$S/kernel-deb.sh" "$T/nowhere"
expect "$got" 3 status
says "there is no $T/nowhere" 'CONFIG= names'
try fail "$S/kernel-deb.sh" "$TOP/README.md"
expect "$got" 3 status
says 'is not the configuration of a kernel'
end

# ---------------------------------------------------------------- the host

begin 'a host of another architecture: an error that says so'
mkdir -p "$T/stub-arm"
printf '#!/bin/sh\necho aarch64\n' >"$T/stub-arm/uname"
chmod +x "$T/stub-arm/uname"
try fail env PATH="$T/stub-arm:$PATH" "$S/env.sh" --kernels ''
says 'this host is aarch64' 'x86_64 only'
end

begin 'blanks in the path of the cache, or of the clone: an error that says so'
try fail env IOMMU_LIVEUPDATE_CACHE="$T/my cache" "$S/fetch-kernel.sh"
says 'a blank in the path' "$T/my cache"
mkdir -p "$T/my clone"
cp -r "$S" "$T/my clone/"
try fail "$T/my clone/scripts/check.sh"
says 'a blank in the path' "$T/my clone"
end

begin 'clean removes what was written into the clone'
mkdir -p "$T/clean/out/series" "$T/cache/lock"
cp -r "$S" "$T/clean/"
try ok env IOMMU_LIVEUPDATE_CACHE="$T/no-cache" "$T/clean/scripts/clean.sh"
expect "$(cd "$T/clean" && echo *)" scripts 'what is left'
end

# ---------------------------------------------------------------- the patched tree

KDIR=$T/linux
export KDIR

begin 'without a series the patched tree is the pristine one'
try ok "$S/apply-series.sh"
tree=$(cat "$T/outp")
expect "$(sums "$tree")" "$(sums "$T/linux")" 'content'
end

begin 'the series and the new files are in the patched tree'
series
try ok "$S/apply-series.sh"
expect "$(cat "$T/outp")" "$tree" 'standard output'
expect "$(sed -n 20p "$tree/drivers/iommu/numbers.c") $(sed -n 30p "$tree/drivers/iommu/numbers.c")" '2000 3000' 'edits'
expect "$(cat "$tree/drivers/iommu/new.c")" 'int new;' 'new file'
expect "$(find "$tree" -name '*.orig' -o -name '*.rej' -o -name '*.sync')" '' 'left-overs'
end

begin 'a second run writes nothing'
before=$(sums "$tree"; stat -c %Y.%y "$tree/drivers/iommu/"*)
try ok "$S/apply-series.sh"
says '0 files written'
expect "$(sums "$tree"; stat -c %Y.%y "$tree/drivers/iommu/"*)" "$before" 'content and time stamps'
end

begin 'an edit of one patch rewrites only what it changes'
stamp=$(stat -c %y "$tree/drivers/iommu/numbers.c" "$tree/drivers/iommu/new.c")
sed -i 's/^+12000/+12001/' "$T/patches/second.patch"
try ok "$S/apply-series.sh"
says '1 files written'
expect "$(sed -n 20p "$tree/drivers/iommu/hundreds.c")" 12001 'edit'
expect "$(stat -c %y "$tree/drivers/iommu/numbers.c" "$tree/drivers/iommu/new.c")" "$stamp" 'time stamps of the others'
end

begin 'what leaves the series leaves the tree, with a new time stamp'
touch -d '2020-01-01' "$T/linux/drivers/iommu/hundreds.c"
series
echo first.patch >"$T/patches/series"
try ok "$S/apply-series.sh"
expect "$(sed -n 20p "$tree/drivers/iommu/hundreds.c")" 120 'file of the second patch'
[ -n "$(find "$tree/drivers/iommu/hundreds.c" -newer "$T/linux/drivers/iommu/hundreds.c")" ] || bad="$bad
    the file put back looks old to make"
rm -rf "$T/patches" "$T/kernel"
try ok "$S/apply-series.sh"
expect "$(sums "$tree")" "$(sums "$T/linux")" 'content without a series'
end

begin 'a change of the own base tree gets into the patched tree'
series
echo 'int more;' >"$T/linux/kernel/liveupdate/more.c"
try ok "$S/apply-series.sh"
expect "$(cat "$tree/kernel/liveupdate/more.c" 2>&1)" 'int more;' 'new file of the base'
expect "$(sed -n 20p "$tree/drivers/iommu/numbers.c")" 2000 'edit'
rm -f "$T/linux/kernel/liveupdate/more.c"
try ok "$S/apply-series.sh"
end

begin 'offsets are fine'
{ echo 0; seq 1 40; } >"$T/linux/drivers/iommu/numbers.c"
try ok "$S/apply-series.sh"
expect "$(sed -n 21p "$tree/drivers/iommu/numbers.c")" 2000 'edit'
end

begin 'a patch that needs fuzz is refused, by name, with the reject'
seq 1 40 | sed 's/^32$/changed/' >"$T/linux/drivers/iommu/numbers.c"
before=$(sums "$tree")
try fail "$S/apply-series.sh"
says 'patch second.patch does not apply' '-30' '+3000' 'without fuzz'
expect "$(sums "$tree" | grep -v numbers.c)" "$(printf '%s\n' "$before" | grep -v numbers.c)" 'the tree'
seq 1 40 >"$T/linux/drivers/iommu/numbers.c"
end

begin 'a patch may bring new files only'
series
printf 'Subject: iommu: add a file\n\nIt is needed next.\n\nAdds: drivers/iommu/only.c\n' >"$T/patches/third.patch"
echo third.patch >>"$T/patches/series"
echo 'int only;' >"$T/kernel/drivers/iommu/only.c"
try ok "$S/apply-series.sh"
expect "$(cat "$tree/drivers/iommu/only.c")" 'int only;' 'new file'
try ok env OUT="$T/mails3" "$S/make-series.sh"
expect "$(cat "$T/mails3/0003"* | grep '^+int')" '+int only;' 'mail'
end

# edit NAME FROM TO: a patch that makes one line of the new file another one
edit()
{
	cat >"$T/patches/$1.patch" <<EOF
Subject: iommu: change a new file, $1

It is not yet what it should be.

diff --git a/drivers/iommu/only.c b/drivers/iommu/only.c
--- a/drivers/iommu/only.c
+++ b/drivers/iommu/only.c
@@ -1,3 +1,3 @@
 int only;
-$2
+$3
 int last;
EOF
	echo "$1.patch" >>"$T/patches/series"
}

begin 'a new file enters without what later patches do to it'
series
printf 'Subject: iommu: add a file\n\nIt is needed next.\n\nAdds: drivers/iommu/only.c\n' >"$T/patches/third.patch"
echo third.patch >>"$T/patches/series"
edit fourth 'int early;' 'int later;'
edit fifth 'int later;' 'int final;'
printf 'int only;\nint final;\nint last;\n' >"$T/kernel/drivers/iommu/only.c"
try ok "$S/apply-series.sh"
expect "$(sed -n 2p "$tree/drivers/iommu/only.c")" 'int final;' 'the end'
try ok env OUT="$T/mails3" "$S/make-series.sh"
expect "$(cat "$T/mails3/0003"* | grep '^+int e')" '+int early;' 'the first mail'
expect "$(cat "$T/mails3/0005"* | grep '^[-+]int')" '-int later;
+int final;' 'the last mail'
rm -rf "$T/am"
(cp -r "$T/linux" "$T/am" && cd "$T/am" && git init -q . && git add -A && G='-c user.name=t -c user.email=t@t' &&
 git $G commit -q -m base && git tag base && git $G am -q "$T/mails3"/*.patch) >"$T/err" 2>&1 || bad="$bad
    git am fails"
mkdir -p "$T/back"
try ok env PATCHES="$T/back/patches" OVERLAY="$T/back/kernel" "$S/import-series.sh" "$T/am" base..HEAD
expect "$(sums "$T/back/kernel")" "$(sums "$T/kernel")" 'new files that come back from git'
try ok env PATCHES="$T/back/patches" OVERLAY="$T/back/kernel" OUT="$T/mails4" "$S/make-series.sh"
expect "$(cat "$T/mails4"/* | grep '^[-+]')" "$(cat "$T/mails3"/* | grep '^[-+]')" 'mails of what came back'
rm -rf "$T/back" "$T/am"
echo 'int other;' >"$T/kernel/drivers/iommu/only.c"
try fail "$S/apply-series.sh"
says 'kernel/drivers/iommu/only.c is not what patches/fifth.patch makes of it'
end

begin 'a patch of the series that is not there is named'
series
echo third.patch >>"$T/patches/series"
try fail "$S/apply-series.sh"
says 'patches/series names third.patch'
end

begin 'an Adds: line without its file is named'
series
rm "$T/kernel/drivers/iommu/new.c"
try fail "$S/apply-series.sh"
says "patches/first.patch says 'Adds: drivers/iommu/new.c'"
end

begin 'a file of kernel/ that the base has already is refused'
series
cp "$T/linux/drivers/iommu/hundreds.c" "$T/kernel/drivers/iommu/"
try fail "$S/apply-series.sh"
says 'kernel/drivers/iommu/hundreds.c exists in the base tree already'
end

begin 'two runs at once do not disturb each other'
series
rm -rf "$tree" "$tree.complete" "$tree.touched"
"$S/apply-series.sh" >"$T/one" 2>/dev/null & one=$!
try ok "$S/apply-series.sh"
wait "$one" || bad="$bad
    the other run failed"
expect "$(cat "$T/one")" "$tree" 'the other run'
expect "$(sed -n 20p "$tree/drivers/iommu/numbers.c")" 2000 'edit'
end

# soon COMMAND...: within ten seconds
soon()
{
	for i in $(seq 100); do
		! "$@" || return 0
		sleep 0.1
	done
	return 1
}
is_gone() { ! kill -0 "$1" 2>/dev/null; }
is_free() { flock -n "$T/cache/lock/$1" true; }

# killed SIGNAL COMMAND...: a script that has the tree locked, and a make that does not end,
# is killed when that has begun: then both have to go. (In the background of a script SIGINT
# is ignored, which a shell cannot change for itself.)
killed()
{
	signal=$1
	shift
	rm -f "$T/child"
	env --default-signal=INT,TERM,HUP "$@" >"$T/outp" 2>"$T/err" </dev/null & script=$!
	soon test -s "$T/child" || bad="$bad
    $signal: it did not begin"
	child=$(cat "$T/child")
	! is_free tree || bad="$bad
    $signal: the tree is not locked"
	kill -s "$signal" "$script"
	wait "$script" 2>/dev/null
	soon is_gone "$child" || bad="$bad
    $signal: its child goes on"
	soon is_free tree || bad="$bad
    $signal: the tree stays locked"
	kill "$child" 2>/dev/null
}
# a tree whose headers take long, and a script that does the same in a subshell
cp -r "$T/linux" "$T/long"
printf 'headers_install:\n\techo $$$$ >%s; exec sleep 600\n' "$T/child" >>"$T/long/Makefile"
printf '#!/bin/sh\nset -eu\nTOP=%s\n. "$TOP/scripts/lib.sh"\nlock tree\ncache_dir log\n' "$TOP" >"$T/subshell"
printf '(run_logged long "$CACHE/log/long.log" sh -c "echo \\$\\$ >%s; exec sleep 600")\necho went on\n' "$T/child" >>"$T/subshell"
chmod +x "$T/subshell"

begin 'a script that is killed takes along what it has started, and its lock'
series
for signal in TERM INT HUP; do
	killed $signal env KDIR="$T/long" "$S/uapi-headers.sh"
done
end

begin 'so does one that is waited for by a script that is killed, and one with a subshell'
killed TERM env KDIR="$T/long" QEMU="$T/new-qemu" "$S/env.sh" --kernels ''
killed TERM "$T/subshell"
expect "$(cat "$T/outp")" '' 'standard output'
end

begin 'a variant that does not exist is refused, the others are named'
try fail "$S/build-kernel.sh" nonsense
says 'no such variant: nonsense' 'debug-old'
end

# ---------------------------------------------------------------- export

# wrap PAYLOAD PAYLOAD-WITHOUT-CCACHE: a build whose compiler hands out these
wrap()
(
	out=$T/wrap JOBS=1
	. "$TOP/scripts/lib.sh"
	. "$TOP/scripts/kbuild.sh"
	cached=$1 compiled=$2
	kmake()
	{
		cd "$out/arch/x86/boot/compressed" || return 1
		printf '.section ".rodata..compressed","a"\n.ascii "%s"\n' \
			"$([ -n "${CCACHE_DISABLE:-}" ] && echo "$compiled" || echo "$cached")" >piggy.S
		gcc -c piggy.S -o piggy.o
	}
	kmake_image
)

begin 'another kernel in the wrapping is noticed, and it is wrapped up again'
mkdir -p "$T/wrap/arch/x86/boot/compressed"
printf new >"$T/wrap/arch/x86/boot/compressed/vmlinux.bin.lz4"
try ok wrap new old
expect "$(cat "$T/err")" '' 'a sound one'
try ok wrap old new
says 'another kernel was wrapped up'
try fail wrap old old
says 'does not hold the kernel that was linked'
end

# put_aside: the modules of a build directory with two of them
put_aside()
(
	out=$T/built
	. "$TOP/scripts/lib.sh"
	. "$TOP/scripts/kbuild.sh"
	strip() { shift; for stripped; do echo stripped >"$stripped"; done; }
	has_modules && install_modules "$T/image"
)

begin 'modules are put aside, stripped, by the release of their kernel'
rm -rf "$T/built" "$T/image"
mkdir -p "$T/built/include/config" "$T/built/drivers/vfio" "$T/built/drivers/iommu" "$T/image/modules/older"
echo 7.3.4-toy >"$T/built/include/config/kernel.release"
echo whole >"$T/built/drivers/vfio/vfio.ko"
echo whole >"$T/built/drivers/iommu/iommufd.ko"
echo '# CONFIG_MODULES is not set' >"$T/built/.config"
try fail put_aside
echo CONFIG_MODULES=y >"$T/built/.config"
try ok put_aside
expect "$(cd "$T/image/modules" && echo *)" 7.3.4-toy 'releases'
expect "$(cd "$T/image/modules/7.3.4-toy" && cat iommufd.ko vfio.ko | uniq -c | tr -s ' ')" ' 2 stripped' 'modules'
end

begin 'the export is one mail per patch, new files included, and git am takes it'
series
try ok env OUT="$T/mails" "$S/make-series.sh"
expect "$(cd "$T/mails" && echo *)" '0001-iommu-make-twenty-bigger.patch 0002-iommu-make-thirty-bigger.patch' 'files'
grep -q '^+int new;' "$T/mails/0001"* || bad="$bad
    the new file is not in the first mail"
! grep -q '^Adds:\|Signed-off-by' "$T/mails"/* || bad="$bad
    Adds: or Signed-off-by: in a mail"
grep -q '^Twenty was too small' "$T/mails/0001"* || bad="$bad
    the message is lost"
(cd "$T/linux" && rm -rf "$T/am" && cp -r . "$T/am" && cd "$T/am" && git init -q . && git add -A &&
 git -c user.name=t -c user.email=t@t commit -q -m base &&
 git -c user.name=t -c user.email=t@t am -q "$T/mails"/*.patch) >"$T/err" 2>&1 || bad="$bad
    git am fails"
expect "$(sums "$T/am" | grep -v '\.git/')" "$(sums "$tree")" 'the tree that git am gives'
end

begin 'the export of the same series is the same'
mv "$T/mails" "$T/mails1"
try ok env OUT="$T/mails" "$S/make-series.sh"
expect "$(cat "$T/mails"/* | grep -v '^From [0-9a-f]')" "$(cat "$T/mails1"/* | grep -v '^From [0-9a-f]')" 'mails'
end

begin 'a new file that no patch brings cannot be exported'
echo 'int stray;' >"$T/kernel/drivers/iommu/stray.c"
try fail env OUT="$T/mails" "$S/make-series.sh"
says 'no patch brings these files: kernel/drivers/iommu/stray.c'
end

begin 'a patch without a message cannot be exported'
series
sed -i '1,/^---$/d' "$T/patches/first.patch"
rm -r "$T/kernel"
try fail env OUT="$T/mails" "$S/make-series.sh"
says 'patches/first.patch has no subject'
end

# two parts of a patch each; the second goes without the first unless NEEDED is given
parts()
{
	series
	mkdir -p "$T/covers"
	printf '# part: low\nfirst.patch\n# part: high\nsecond.patch\n' >"$T/patches/series"
	printf 'iommu: low numbers\n\nThey were too small.\n' >"$T/covers/low.txt"
	printf 'iommu: high numbers\n\nThey as well.\n%s\n' "${1:-}" >"$T/covers/high.txt"
}

begin 'each part of the series has its directory and its cover letter'
parts 'Needs: low'
try ok env OUT="$T/mails" "$S/make-series.sh"
expect "$(cd "$T/mails" && echo */*)" '01-low/0000-cover-letter.patch 01-low/0001-iommu-make-twenty-bigger.patch 02-high/0000-cover-letter.patch 02-high/0001-iommu-make-thirty-bigger.patch' 'files'
expect "$(sed -n 's/^Subject: //p' "$T/mails/02-high/0000-cover-letter.patch")" '[PATCH 0/1] iommu: high numbers' 'subject'
expect "$(grep -c '^They as well\|^Part 2 of 2, on Linux 7.3.4; needs: low\.$' "$T/mails/02-high/0000-cover-letter.patch")" 2 'letter'
rm -rf "$T/am"
(cp -r "$T/linux" "$T/am" && cd "$T/am" && git init -q . && git add -A && G='-c user.name=t -c user.email=t@t' &&
 git $G commit -q -m base && git tag base && git $G am -q --empty=drop "$T/mails"/*/*.patch) >"$T/err" 2>&1 || bad="$bad
    git am fails"
try ok "$S/import-series.sh" "$T/am" base..HEAD
expect "$(cat "$T/patches/series")" '# part: low
0001-iommu-make-twenty-bigger.patch
# part: high
0002-iommu-make-thirty-bigger.patch' 'parts of what came back'
end

begin 'a part without a letter, or one that begins twice, cannot be exported'
parts
rm "$T/covers/high.txt"
try fail env OUT="$T/mails" "$S/make-series.sh"
says 'part high of the series has no cover letter'
parts
echo '# part: low' >>"$T/patches/series"
echo first.patch >>"$T/patches/series"
sed -i 2d "$T/patches/series"
try fail env OUT="$T/mails" "$S/make-series.sh"
says 'part'
parts
sed -i 1d "$T/patches/series"
try fail env OUT="$T/mails" "$S/make-series.sh"
says 'or a patch is in none'
end

begin 'a part that does not apply without another has to say so'
parts
try ok env OUT="$T/mails" "$S/make-series.sh"
parts
cat >"$T/patches/second.patch" <<'P'
Subject: iommu: make twenty still bigger

It is still too small.

--- a/drivers/iommu/numbers.c
+++ b/drivers/iommu/numbers.c
@@ -17,7 +17,7 @@
 17
 18
 19
-2000
+20000
 21
 22
 23
P
try fail env OUT="$T/mails" "$S/make-series.sh"
says 'part high does not apply with nothing but'
parts 'Needs: middle'
try fail env OUT="$T/mails" "$S/make-series.sh"
says 'it needs middle, which is no part of the series'
rm -rf "$T/covers"
end

# ---------------------------------------------------------------- make apply

begin 'apply without KDIR says how'
try fail env -u KDIR "$S/apply-to-tree.sh"
says 'KDIR is not set'
end

begin 'apply puts the series into a tree of somebody'
series
cp -r "$T/linux" "$T/mine"
try ok env KDIR="$T/mine" "$S/apply-to-tree.sh"
expect "$(sums "$T/mine")" "$(sums "$tree")" 'content'
end

begin 'apply refuses a tree that has it, and changes nothing'
before=$(sums "$T/mine")
try fail env KDIR="$T/mine" "$S/apply-to-tree.sh"
says 'in this tree already'
expect "$(sums "$T/mine")" "$before" 'content'
rm "$T/mine/drivers/iommu/new.c"
before=$(sums "$T/mine")
mv "$T/kernel/drivers/iommu/new.c" "$T/new.c"
sed -i '/^Adds/d' "$T/patches/first.patch"
try fail env KDIR="$T/mine" "$S/apply-to-tree.sh"
says 'in this tree already'
expect "$(sums "$T/mine")" "$before" 'content, edits only'
end

begin 'apply refuses a tree of another version'
series
before=$(sums "$T/wrong")
try fail env KDIR="$T/wrong" "$S/apply-to-tree.sh"
says 'is Linux 6.12.4'
expect "$(sums "$T/wrong")" "$before" 'content'
end

begin 'apply does all or nothing'
rm -rf "$T/mine"
cp -r "$T/linux" "$T/mine"
sed -i 's/^119$/changed/' "$T/mine/drivers/iommu/hundreds.c"
before=$(sums "$T/mine")
try fail env KDIR="$T/mine" "$S/apply-to-tree.sh"
says 'second.patch' 'nothing was changed'
expect "$(sums "$T/mine")" "$before" 'content'
end

# ---------------------------------------------------------------- make check

# a clone with parts that count what we want
clone()
{
	rm -rf "$T/clone"
	mkdir -p "$T/clone/tests/scripts"
	cp -r "$S" "$T/clone/"
	[ $# -eq 0 ] || {
		printf '#!/bin/sh\n%s\n' "$1" >"$T/clone/tests/scripts/run.sh"
		chmod +x "$T/clone/tests/scripts/run.sh"
	}
}
last() { tail -n 1 "$T/outp"; }

begin 'check: what passed is counted'
clone 'echo noise; echo 3 passed, 0 failed, 1 skipped'
try ok "$T/clone/scripts/check.sh"
expect "$(last)" '3 passed, 0 failed, 1 skipped' 'last line'
end

begin 'check: a failure makes it fail'
clone 'echo 3 passed, 2 failed, 0 skipped; exit 1'
try fail "$T/clone/scripts/check.sh"
expect "$(last)" '3 passed, 2 failed, 0 skipped' 'last line'
end

begin 'check: a part that dies without a count is a failure'
clone 'echo noise; exit 0'
try fail "$T/clone/scripts/check.sh"
expect "$(last)" '0 passed, 1 failed, 0 skipped' 'last line'
end

begin 'check: a part that counts no failure but ends badly is a failure'
clone 'echo 3 passed, 0 failed, 0 skipped; exit 1'
try fail "$T/clone/scripts/check.sh"
expect "$(last)" '3 passed, 1 failed, 0 skipped' 'last line'
end

begin 'check: nothing that ran is a failure'
clone
try fail "$T/clone/scripts/check.sh"
expect "$(last)" '0 passed, 0 failed, 0 skipped' 'last line'
end

# ---------------------------------------------------------------- coverage

# a program that keeps its counters as the kernel does, and writes its memory out
toy_kernel()
{
	mkdir -p "$1/drivers/iommu" "$T/build-coverage-toy/drivers/iommu/way"
	printf 'static inline int other(void)\n{\n\treturn 2;\n}\n' >"$T/build-coverage-toy/drivers/iommu/toy.h"
	printf 'drivers/iommu/toy.%s\n' c h >"$T/sources"
	export SOURCE_TREE="$T/build-coverage-toy"
	[ -n "${keep_toy:-}" ] || cat >"$T/build-coverage-toy/drivers/iommu/toy.c" <<'C'
#include "way/../toy.h"
int half(int way)
{
	if (way)
		return 1;
	return other();
}

int never(void)
{
	return 3;
}
C
	cat >"$T/keep.c" <<'C'
#include <stdio.h>
#include <stdlib.h>
struct gcov_info { unsigned int version; struct gcov_info *next; };
struct gcov_info *gcov_info_head;
const char linux_banner[] = "Linux version toy";
extern char __executable_start, _end;
int half(int way);
int never(void);
void __gcov_init(struct gcov_info *info) { info->next = gcov_info_head; gcov_info_head = info; }
void __gcov_exit(void) { }
void __gcov_merge_add(long *counters, unsigned int count) { (void)counters; (void)count; }
static int run(int count)
{
	if (count > 2)
		return never();
	half(1);
	half(1);
	return 0;
}
static void write_out(FILE *memory, long at)
{
	fseek(memory, at + (long)&__executable_start, SEEK_SET);
	fwrite(&__executable_start, 1, &_end - &__executable_start, memory);
}
int main(int count, char **words)
{
	FILE *memory = fopen(words[1], "w");
	/* what no kernel is, and then the image, aligned as one */
	fputs(linux_banner, memory);
	if (count == 4)
		write_out(memory, 0x600000);
	run(count);
	if (count > 4)
		gcov_info_head = NULL;
	write_out(memory, count > 3 ? 0x2600000 : 0x600000);
	return 0;
}
C
	(cd "$T/build-coverage-toy/drivers/iommu" &&
	 gcc -O0 -fno-pie -fprofile-arcs -ftest-coverage -c -o toy.o "$PWD/toy.c") &&
	gcc -O0 -no-pie -fno-pie -Wl,-z,noseparate-code,--defsym=_text=__executable_start -o "$1/vmlinux" "$T/keep.c" "$T/build-coverage-toy/drivers/iommu/toy.o" &&
	cp "$T/build-coverage-toy/drivers/iommu/toy.gcno" "$1/drivers/iommu/" &&
	nm "$1/vmlinux" >"$1/symbols" && grep -E '^[0-9a-f]+ . [^ ]+$' "$1/symbols" >"$1/System.map"
}

begin 'coverage: lines, branches and idle functions are those of the program'
C=$TOP/tests/coverage
if command -v gcov >/dev/null 2>&1; then
	try ok toy_kernel "$T/toy"
	try ok "$T/toy/vmlinux" "$T/memory-1"
	try ok env COVERAGE="$T/store" "$C/add.sh" "$T/toy" "$T/memory-1"
	try ok env COVERAGE="$T/store" "$C/add.sh" "$T/toy" "$T/memory-1"
	try ok "$C/report.sh" "$T/store" "$T/sources" "$T/toy"
	expect "$(sed -n 's/  */ /g; /^drivers/p' "$T/outp" | head -n 1)" \
		'drivers/iommu/toy.c 3 of 6 50 % 1 of 2 50 % < 90 %' 'figures'
	expect "$(sed -n 's/  */ /g; /^drivers/p' "$T/outp" | tail -n 1)" \
		'drivers/iommu/toy.h 0 of 2 0 % 0 of 0 100 % < 90 %' 'figures of a header'
	expect "$(tail -n 2 "$T/outp" | tr -d '\n')" \
		'  drivers/iommu/toy.c: never  drivers/iommu/toy.h: other' 'idle functions'
	expect "$(grep -c 'toy.h:3:' "$T/store/idle")" 1 'idle lines'
	end

	begin 'coverage: a file with too few lines needs a reason'
	: >"$T/reasons"
	try fail env REASONS="$T/reasons" "$C/report.sh" "$T/store" "$T/sources" "$T/toy"
	says 'toy.c is below 90 % of its lines without a reason'
	printf '# words\ndrivers/iommu/toy.c its hardware is rare\ndrivers/iommu/toy.h\n' >"$T/reasons"
	try fail env REASONS="$T/reasons" "$C/report.sh" "$T/store" "$T/sources" "$T/toy"
	says 'toy.h is below 90 % of its lines without a reason'
	expect "$(grep -c 'toy.c is below' "$T/err")" 0 'with a reason'
	printf 'drivers/iommu/toy.h never needed\n' >>"$T/reasons"
	try ok env REASONS="$T/reasons" "$C/report.sh" "$T/store" "$T/sources" "$T/toy"
	try ok env LEAST=0 REASONS="$T/reasons" "$C/report.sh" "$T/store" "$T/sources" "$T/toy"
	says 'no reason is needed any more for drivers/iommu/toy.c'
	printf 'drivers/iommu/%s.c\n' toy unmet >"$T/sources-2"
	try fail env REASONS="$T/reasons" "$C/report.sh" "$T/store" "$T/sources-2" "$T/toy"
	says 'unmet.c is below'
	end

	begin 'coverage: of two images of a kernel the one at its place counts'
	try ok "$T/toy/vmlinux" "$T/memory-6" never twice
	try ok env COVERAGE="$T/store-2" "$C/add.sh" "$T/toy" "$T/memory-6"
	try ok "$C/report.sh" "$T/store-2" "$T/sources" "$T/toy"
	expect "$(sed -n 's/  */ /g; /^all/p' "$T/outp")" 'all 0 of 8 0 % 0 of 2 0 %' 'the first'
	try ok env COVERAGE="$T/store-3" "$C/add.sh" "$T/toy" "$T/memory-6" 0x2a00000
	try ok "$C/report.sh" "$T/store-3" "$T/sources" "$T/toy"
	expect "$(sed -n 's/  */ /g; /^all/p' "$T/outp")" 'all 2 of 8 25 % 0 of 2 0 %' 'the other'
	try fail env COVERAGE="$T/store-3" "$C/add.sh" "$T/toy" "$T/memory-6" 0x1a00000
	says 'at 0x1a00000'
	end

	begin 'coverage: of a kernel without constructors counters are looked for'
	try ok "$T/toy/vmlinux" "$T/memory-7" never and panics
	try ok env COVERAGE="$T/store-4" "$C/add.sh" "$T/toy" "$T/memory-7"
	try ok "$C/report.sh" "$T/store-4" "$T/sources" "$T/toy"
	expect "$(sed -n 's/  */ /g; /^all/p' "$T/outp")" 'all 2 of 8 25 % 0 of 2 0 %' 'counters'
	end

	begin 'coverage: counters of several kernels add up'
	try ok "$T/toy/vmlinux" "$T/memory-2" never
	cp -r "$T/toy" "$T/toy-2"
	try ok env COVERAGE="$T/store" "$C/add.sh" "$T/toy-2" "$T/memory-2"
	try ok "$C/report.sh" "$T/store" "$T/sources" "$T/toy" "$T/toy-2"
	expect "$(sed -n 's/  */ /g; /^all/p' "$T/outp")" 'all 5 of 8 62 % 1 of 2 50 %' 'figures'
	expect "$(tail -n 1 "$T/outp")" '  drivers/iommu/toy.h: other' 'idle functions'
	end

	begin 'coverage: counters of several runs add up'
	try ok env COVERAGE="$T/store" "$C/add.sh" "$T/toy" "$T/memory-2"
	try ok "$C/report.sh" "$T/store" "$T/sources" "$T/toy"
	expect "$(sed -n 's/  */ /g; /^all/p' "$T/outp")" 'all 5 of 8 62 % 1 of 2 50 %' 'figures'
	end

	begin 'coverage: no counters, no kernel in the memory, a list that ends nowhere'
	try fail "$C/report.sh" "$T/no-store" "$T/sources" "$T/toy"
	says 'there are no counters'
	head -c 4096 /dev/zero >"$T/memory-3"
	try fail env COVERAGE="$T/store" "$C/add.sh" "$T/toy" "$T/memory-3"
	says 'no kernel of'
	head -c 6310000 "$T/memory-1" >"$T/memory-4"
	try fail env COVERAGE="$T/store" "$C/add.sh" "$T/toy" "$T/memory-4"
	end

	begin 'coverage: counters of another build are not added'
	sed -i 's/int way/int  which/; s/if (way)/if (which \&\& which > -5)/' \
		"$T/build-coverage-toy/drivers/iommu/toy.c"
	keep_toy=yes try ok toy_kernel "$T/toy"
	try ok "$T/toy/vmlinux" "$T/memory-5"
	try fail env COVERAGE="$T/store" "$C/add.sh" "$T/toy" "$T/memory-5"
	says 'is of another kernel'
	try fail "$C/report.sh" "$T/store" "$T/sources" "$T/toy"
	says 'stamp mismatch'
	end
else
	skipped=$((skipped + 1)); printf 'SKIP: %s\n' "$name"
fi

# ---------------------------------------------------------------- scenarios

# a rig whose machine ends as its scenario's name says, or as $T/vm/status says
toy_vm()
{
	rm -rf "$T/vm" "$T/user"
	mkdir -p "$T/vm" "$T/user" "$T/images/key/old/arch/x86/boot"
	cp "$TOP/tests/vm/lib.sh" "$TOP/tests/vm/run-checks.sh" "$T/vm/"
	cp "$TOP/tests/names.sh" "$T/"
	printf '#!/bin/sh\n' >"$T/vm/build.sh"
	printf 'good old old\nbad old old\nskipped old old\nhangs old old\nhangs-pristine pristine pristine\n' \
		>"$T/vm/scenarios"
	printf 'stalls old old\nstalls-once old old\n' >>"$T/vm/scenarios"
	: >"$T/vm/scenarios.long"
	: >"$T/vm/scenarios.debug"
	: >"$T/vm/scenarios.debian"
	: >"$T/vm/scenarios.systemd"
	: >"$T/vm/scenarios.inner"
	cat >"$T/user/vm-run" <<'V'
#!/bin/sh
echo run >>"${0%/*}/runs"
case $2 in good) exit 0 ;; skipped) exit 4 ;; hangs*) exit 5 ;; esac
case $2 in stalls*)
	[ "$2" != stalls-once ] || [ "$(wc -l <"${0%/*}/runs")" -eq 1 ] || exit 0
	echo "the emulator stands still: planted" >"${0%/*}/results/$2/processors.log"
	exit 6 ;;
esac
[ ! -f "${0%/*}/slow" ] || sleep 1
exit 1
V
	chmod +x "$T/vm/build.sh" "$T/user/vm-run"
	touch -d '3 days ago' "$T/images/key/old/.complete" "$T/user"
}
run_checks()
{
	env QEMU=q UAPI=u BUILD_DIR="$T/user" KERNEL_OLD="$T/images/key/old/arch/x86/boot/bzImage" \
		KERNEL_PRISTINE="$T/images/key/pristine/arch/x86/boot/bzImage" "$T/vm/run-checks.sh" "$@"
}

begin 'scenarios: what passed is counted'
toy_vm
try ok run_checks good skipped
expect "$(last)" '1 passed, 0 failed, 1 skipped' 'last line'
try fail run_checks good bad
expect "$(last)" '1 passed, 1 failed, 0 skipped' 'last line'
end

begin 'scenarios: a name that matches nothing is an error'
toy_vm
try fail run_checks good nonsense
says 'no scenario is called nonsense'
end

begin 'scenarios: nothing that passed is a failure'
toy_vm
try fail run_checks skipped
expect "$(last)" '0 passed, 0 failed, 1 skipped' 'last line'
end

begin 'scenarios: a machine that hangs is started again with the pristine kernel only'
toy_vm
try fail run_checks hangs
expect "$(wc -l <"$T/user/runs")" 1 'starts'
rm "$T/user/runs"
try fail run_checks hangs-pristine
expect "$(wc -l <"$T/user/runs")" 2 'starts'
end

begin 'scenarios: a machine whose emulator stands still is started again once'
toy_vm
try fail run_checks stalls
expect "$(grep '^AGAIN' "$T/outp")" \
	"AGAIN stalls: the emulator stands still: planted (see $T/user/results/stalls.stood-still)" 'said'
expect "$(wc -l <"$T/user/runs")" 2 'starts'
expect "$(last)" '0 passed, 1 failed, 0 skipped' 'last line'
rm "$T/user/runs"
try ok run_checks stalls-once
expect "$(grep '^AGAIN' "$T/outp")" \
	"AGAIN stalls-once: the emulator stands still: planted (see $T/user/results/stalls-once.stood-still)" 'said'
expect "$(wc -l <"$T/user/runs")" 2 'starts'
expect "$(last)" '1 passed, 0 failed, 0 skipped' 'last line'
expect "$(cat "$T/user/results/stalls-once.stood-still/processors.log")" \
	'the emulator stands still: planted' 'evidence'
end

begin 'scenarios: what is in use is kept young'
toy_vm
try ok run_checks good
expect "$(find "$T/images" "$T/user" -maxdepth 0 -mmin -5; find "$T/images" -name .complete -mmin -5)" \
	"$T/images
$T/user
$T/images/key/old/.complete" 'young'
end

begin 'scenarios: several at a time are each run once, and counted'
toy_vm
for i in 1 2 3 4 5 6 7 8 9; do echo "bad-$i old old"; done >"$T/vm/scenarios"
echo 'good old old' >>"$T/vm/scenarios"
: >"$T/user/slow"
VMS=4; export VMS
try fail run_checks
unset VMS
expect "$(last)" '1 passed, 9 failed, 0 skipped' 'last line'
expect "$(grep -c ^FAIL "$T/outp")" 9 'verdicts'
expect "$(wc -l <"$T/user/runs")" 10 'starts'
end

begin 'scenarios: two runs do not share their results'
toy_vm
: >"$T/user/slow"
run_checks bad >"$T/one" 2>&1 & one=$!
sleep 0.5
try ok run_checks good
says 'waiting for another run'
kill -0 "$one" 2>/dev/null && bad="$bad
    the other run was not waited for"
wait "$one"
end

# ---------------------------------------------------------------- docs

testing=$TOP/docs/testing.md
# section FILE HEADING: rows of its tables, without the head
section()
{
	awk -v heading="## $2" '
		/^## / { inside = $0 == heading; rows = 0 }
		inside && /^\|/ && rows++ > 1' "$1"
}
# cell NUMBER: of each row; the separator is " | "
cell() { sed 's/^| //; s/ |$//' | awk -F ' [|] ' -v number="$1" '{ print $number }'; }
# quoted: what stands between backquotes, one a line
quoted() { tr '\n' ' ' | awk -v RS='`' 'NR % 2 == 0'; }
is_scenario()
{
	while read -r known; do
		# shellcheck disable=SC2254
		case $known in $1) return 0 ;; esac
	done <"$T/names"
	return 1
}
# row_names CELL: the patterns that it stands for. A STEP is any, and "-x" follows
# the name before it, or what is left of that when its end is cut off at a "-".
row_names()
{
	full=
	printf '%s\n' "$1" | quoted | sed 's/STEP/*/' | while read -r word; do
		case $word in
		-*)
			base=$full
			until is_scenario "$base$word" || [ "$base" = "${base%-*}" ]; do
				base=${base%-*}
			done
			word=$base$word
			;;
		*) full=${word%\*} ;;
		esac
		printf '%s\n' "$word"
	done
}
sed 's/#.*//' "$TOP"/tests/vm/scenarios "$TOP"/tests/vm/scenarios.long "$TOP"/tests/vm/scenarios.debug \
	"$TOP"/tests/vm/scenarios.debian "$TOP"/tests/vm/scenarios.systemd "$TOP"/tests/vm/scenarios.inner |
	awk 'NF > 1 { print $1 }' >"$T/names"
# those that need a kernel of the kernel's own tests
sed -n 's/^	mock_run \(mock-[a-z-]*\) .*/\1/p; s/^	mock_damaged [0-9]* \([a-z-]*\) .*/mock-damaged-\1/p' \
	"$TOP/tests/vm/run-kernel-tests.sh" >>"$T/names"
sort -o "$T/names" "$T/names"
section "$testing" Scenarios | cell 1 >"$T/cells"
while read -r row; do row_names "$row"; done <"$T/cells" >"$T/patterns"

: >"$T/err"
begin 'docs: each scenario is listed once'
expect "$(uniq -d "$T/names")" '' 'listed twice'
end

begin 'docs: each scenario has a row, and each row is of scenarios that there are'
expect "$(sort "$T/cells" | uniq -d)" '' 'rows that are there twice'
while read -r pattern; do
	is_scenario "$pattern" || echo "$pattern"
done <"$T/patterns" >"$T/outp"
expect "$(cat "$T/outp")" '' 'rows without a scenario'
while read -r scenario; do
	while read -r pattern; do
		# shellcheck disable=SC2254
		case $scenario in $pattern) continue 2 ;; esac
	done <"$T/patterns"
	echo "$scenario"
done <"$T/names" >"$T/outp"
expect "$(cat "$T/outp")" '' 'scenarios without a row'
end

begin 'docs: each row of what happens when has its test'
section "$TOP/docs/design.md" 'What happens when' | cell 1 | sort >"$T/wanted"
section "$testing" 'What happens when, and what shows it' | cell 1 | sort >"$T/there"
[ -s "$T/there" ] || bad="$bad
    no rows"
diff "$T/wanted" "$T/there" >"$T/err" || bad="$bad
    the rows differ"
end

begin 'docs: each test option has its test'
sed -n 's/^module_param\(_named\)*(\([a-z_]*\),.*/`\2`/p' "$TOP/tests/kernel/drivers/iommu/intel/liveupdate-test.c" \
	"$TOP/tests/kernel/drivers/pci/liveupdate_test.c" | sort >"$T/wanted"
section "$testing" 'Test options' | cell 1 | sort >"$T/there"
[ -s "$T/there" ] || bad="$bad
    no rows"
diff "$T/wanted" "$T/there" >"$T/err" || bad="$bad
    the options differ"
end

begin 'docs: each mutation is named'
: >"$T/err"
for mutation in "$TOP"/tests/mutations/*.patch; do
	mutation=$(basename "$mutation" .patch)
	grep -q "\`$mutation\`" "$testing" || echo "$mutation"
done >"$T/outp"
expect "$(cat "$T/outp")" '' 'not named'
end

# players GUEST: programs that play in a scenario, one a line
players()
{
	grep -lE '^void [a-z0-9_]+_(old|new)_kernel\(void\)' "$1"/*.c | sed 's,.*/,,; s/\.c$//' | sort
}
# played_by BY: programs of the rows that say so
played_by()
{
	section "$testing" 'The programs of the guest' | awk -F ' [|] ' -v by="$1" '$2 ~ by' | cell 1 | quoted
}
# plain_in GUEST PROGRAM...: lines that include a header of plain ioctls, or call a function of one
plain_in()
{
	guest=$1
	shift
	own=$(cd "$guest" && grep -lE '#include [<"](linux/)?(iommufd|liveupdate|plain|preserve|wayback)\.h' -- *.h)
	headers="$(printf '%s\n' device.h liveupdate.h plain.h preserve.h wayback.h linux/iommufd.h \
		linux/liveupdate.h "$own" | sort -u | paste -s -d '|' | sed 's/\./\\./g')"
	# what sysfs tells of a function is no ioctl
	calls=$(cd "$guest" && cat "$TOP/examples/device.h" "$TOP/examples/liveupdate.h" plain.h preserve.h wayback.h |
		sed -nE 's/^[a-z][a-z_ ]*[ *]([a-z0-9_]+)\(.*/\1/p' | grep -v '^pci_' | paste -s -d '|')
	for program; do
		(cd "$guest" && grep -nE "#include [<\"]($headers)[>\"]|(^|[^a-z0-9_])($calls)\(" "$program.c" /dev/null)
	done
}

begin 'guest: each program is by the library or by plain ioctls, and said to be'
: >"$T/err"
guest=$TOP/tests/vm/guest
played_by . | sort >"$T/said"
expect "$(uniq -d "$T/said")" '' 'said twice'
expect "$(players "$guest" | comm -23 - "$T/said")" '' 'not said'
played_by '^library$' >"$T/by_library"
[ -s "$T/by_library" ] || bad="$bad
    no rows"
# shellcheck disable=SC2046
expect "$(plain_in "$guest" vmm $(cat "$T/by_library"))" '' 'plain'
expect "$(played_by . | while read -r program; do [ -f "$guest/$program.c" ] || echo "$program"; done)" '' 'not there'
end

begin 'guest: plain ioctls of a program by the library are found'
: >"$T/err"
mkdir -p "$T/guest"
cp "$guest"/*.h "$T/guest"
printf '#include "two_cards.h"\n#include <linux/iommufd.h>\n#include "receiver.h"\n' >"$T/guest/one.c"
printf '\tilu_device_open(ilu);\n\tif (session_finish(1))\n\tpci_find(1);\n\tmust(back_take(1));\n' >"$T/guest/other.c"
expect "$(plain_in "$T/guest" one other | cut -d : -f 1,2 | tr '\n' ' ')" 'one.c:1 one.c:2 other.c:2 other.c:4 ' 'planted'
end

begin 'mutations: each says what is built, what has to fail, and how'
: >"$T/err"
# said FIELD: of $mutation
said() { sed -n "/^diff /q; s/^$1: //p" "$mutation"; }
for mutation in "$TOP"/tests/mutations/*.patch; do
	case $(said Kernel) in
	old | new | modular) is_scenario "$(said Scenario)" ;;
	kunit)
		! is_scenario "$(said Scenario)" || continue
		suite=$(said Scenario)
		grep -q "KUNIT_CASE(${suite##*.})" $(grep -rlF ".name = \"${suite%.*}\"" \
			--include='*kunit*.c' "$TOP/kernel") </dev/null
		;;
	*) false ;;
	esac && [ -n "$(said Finds)" ] || basename "$mutation"
done >"$T/outp"
expect "$(cat "$T/outp")" '' 'not said, or not there'
end

begin 'mutations: those of new files apply'
: >"$T/err"
for mutation in "$TOP"/tests/mutations/*.patch; do
	for file in $(sed -n 's,^+++ b/,,p' "$mutation"); do
		[ -f "$TOP/kernel/$file" ] || continue 2
	done
	patch -d "$TOP/kernel" -p1 -F0 -N -s --dry-run <"$mutation" >/dev/null 2>&1 || basename "$mutation"
done >"$T/outp"
expect "$(cat "$T/outp")" '' 'do not apply'
end

# ---------------------------------------------------------------- one core for all IOMMUs

# knows_vtd ROOT: lines of new files, and those that patches add, that name VT-d where only
# what holds for every IOMMU may stand. Left out are VT-d's own rooms; the switchboard
# of interrupt remapping, which names each driver; quirks, which name devices;
# names of page table formats and of the type of a unit, which are numbers of the records;
# and names that the kernel has for counters.
knows_vtd()
{
	{
		(cd "$1/kernel" && grep -rn '' drivers include kernel mm 2>/dev/null)
		(cd "$1/patches" && awk '
			/^\+\+\+ / { path = substr($2, 3); next }
			/^\+/ { print path ":" FNR ":" substr($0, 2) }' [0-9]*.patch 2>/dev/null)
	} | grep -E '^(drivers|include|kernel|mm)/' |
		grep -vE '^(drivers/iommu/intel/|drivers/iommu/irq_remapping\.[ch]:|include/linux/dmar\.h:|drivers/pci/quirks\.c:)' |
		sed -E 's/IOMMU_UNIT_SER_VTD|IOMMU_DOMAIN_SER_(VTDSS|X86_64)|"(vtdss|x86_64)"|PCI_VENDOR_ID_INTEL|Intel display|CSID_X86_[A-Z_]*//g' |
		sed -E 's/^([^:]*:[0-9]*):/\1\t/' | awk '
			{ line = tolower($0); sub(/^[^\t]*\t/, "", line) }
			line ~ /vt-?d|dmar|intel|x86/'
}

begin 'series: nothing outside the driver of VT-d knows what VT-d is'
: >"$T/err"
knows_vtd "$TOP" >"$T/outp"
expect "$(cat "$T/outp")" '' 'named'
mkdir -p "$T/room/kernel/drivers/iommu/intel" "$T/room/patches"
echo '/* a DMAR unit */' | tee "$T/room/kernel/drivers/iommu/core.c" >"$T/room/kernel/drivers/iommu/intel/own.c"
printf '+++ b/drivers/pci/pci.c\n+	if (is_intel)\n' >"$T/room/patches/0001-one.patch"
expect "$(knows_vtd "$T/room" | cut -f 1 | tr '\n' ' ')" 'drivers/iommu/core.c:1 drivers/pci/pci.c:2 ' 'planted'
end

begin 'docs: the tests that are named are there'
: >"$T/err"
for part in 'What happens when, and what shows it' 'Test options'; do
	section "$testing" "$part" | cell 2 | quoted
done | sort -u | while read -r word; do
	[ -e "$TOP/$word" ] || is_scenario "$word" ||
		grep -rqw --include='*kunit*' -e "$word" "$TOP/kernel/drivers" ||
		[ -n "$(find "$TOP/tests/unit" -name "$word")" ] || echo "$word"
done >"$T/outp"
expect "$(cat "$T/outp")" '' 'not there'
end

# shellcheck source=tests/scripts/listings.sh
. "$TOP/tests/scripts/listings.sh"

printf '%s passed, %s failed, %s skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" -eq 0 ]
