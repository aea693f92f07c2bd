#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# usage: check-packages.sh
# Tries the packages on fresh systems of Debian 12 and 13, as root: built there, twice,
# installed, used, removed. And on the latter the tests of the library, and the packages
# of a kernel, which has to boot in QEMU. The last line is "N passed, N failed, N skipped".
#
#   SUITES        default "bookworm trixie"
#   PARTS         default "packages lib kernel"
#   KERNEL_DEBS   packages of kernel-deb.sh to try, instead of building some
#
# Skipped is only what a Debian archive that cannot be reached does not allow.
# Exit status: 0 nothing failed, 1 something did.
# shellcheck disable=SC2154
set -eu
TOP=$(cd "$(dirname "$0")/.." && pwd)
. "$TOP/scripts/lib.sh"
. "$TOP/scripts/apt.sh"
. "$TOP/scripts/chroot.sh"
chroot_private "$@"

SUITES=${SUITES:-bookworm trixie}
PARTS=${PARTS:-packages lib kernel}
ARCH_LIBDIR=usr/lib/$(dpkg-architecture -q DEB_HOST_MULTIARCH 2>/dev/null || echo x86_64-linux-gnu)
HERE=$TOP/tests/packages
passed=0 failed=0 skipped=0

# check NAME COMMAND...: one test, by exit status, with errexit; what it prints is shown
# if it fails. $good says how it went.
check()
{
	name="$suite: $1"
	shift
	set +e
	(set -e; "$@") >"$tmp/output" 2>&1 </dev/null
	status=$?
	set -e
	good=
	if [ "$status" -eq 0 ]; then
		good=yes passed=$((passed + 1))
		printf 'PASS: %s\n' "$name"
	else
		failed=$((failed + 1))
		tail -n 40 "$tmp/output"
		printf 'FAIL: %s\n' "$name"
	fi
}

fail() { failed=$((failed + 1)); printf 'FAIL: %s: %s\n' "$suite" "$1"; }
skip() { skipped=$((skipped + 1)); printf 'SKIP: %s: %s\n' "$suite" "$1"; }

wanted() { case " $PARTS " in *" $1 "*) ;; *) return 1 ;; esac; }

# same WHAT FILE FILE
same() { diff "$2" "$3" || { echo "$1: see above"; return 1; }; }

# silent COMMAND...: does it, and says nothing?
silent()
{
	"$@" >"$tmp/said" 2>&1 || { cat "$tmp/said"; return 1; }
	[ ! -s "$tmp/said" ] || { cat "$tmp/said"; return 1; }
}

# ---------------------------------------------------------------- built there

# make_deb DIRECTORY OUT COMMANDS: a build of the clone in DIRECTORY, after COMMANDS
make_deb()
{
	copy_clone "$run/build/root$1"
	in_chroot "$run/build/root" sh -c "$3 cd $1 && make deb OUT=$2"
}

build() { make_deb /src /out ''; }

# elsewhere, at another time of day, and with other habits
build_again()
{
	make_deb /srv/another/place /out-2 \
		'umask 077; mkdir -p /var/tmp/t; export TMPDIR=/var/tmp/t TZ=Pacific/Kiritimati LANG=C;'
	(cd "$run/build/root/out" && sha256sum ./*.deb ./*.tar.*) >"$tmp/one"
	(cd "$run/build/root/out-2" && sha256sum ./*.deb ./*.tar.*) >"$tmp/other"
	same 'another build' "$tmp/one" "$tmp/other"
}

other_version()
{
	if in_chroot "$run/build/root" sh -c \
		'cd /src && sed -i "1s/(.*)/(99.9)/" debian/changelog && debian/rules override_dh_auto_configure' \
		>"$tmp/said" 2>&1
	then
		return 1
	fi
	grep -F 'debian/changelog says 99.9' "$tmp/said"
}

# protected FILE: as all programs of Debian, and what is more than that
protected()
{
	readelf -W -h -l -d "$1" >"$tmp/elf" && nm -D "$1" >"$tmp/symbols" || echo "$1: cannot be read"
	grep -q GNU_RELRO "$tmp/elf" || echo "$1: no RELRO"
	grep -q 'BIND_NOW\|FLAGS_1.*NOW' "$tmp/elf" || echo "$1: not bound at start"
	! grep -q 'GNU_STACK.*RWE' "$tmp/elf" || echo "$1: a stack that can be executed"
	grep -q 'Type:  *DYN' "$tmp/elf" || echo "$1: not position independent"
	grep -q '_chk\|__stack_chk_fail' "$tmp/symbols" || echo "$1: neither fortified nor with a protected stack"
}

hardened()
{
	rm -rf "$tmp/x"
	for deb in "$run/build/root/out/libiommu-liveupdate0_"*.deb "$run/build/root/out/iommu-liveupdate_"*.deb; do
		dpkg-deb -x "$deb" "$tmp/x"
	done
	protected "$(echo "$tmp/x/$ARCH_LIBDIR"/libiommu-liveupdate.so.0.*)" >"$tmp/wrong"
	for program in "$tmp/x"/usr/*bin/*; do
		[ ! -e "$program" ] || protected "$program" >>"$tmp/wrong"
	done
	[ ! -s "$tmp/wrong" ] || { cat "$tmp/wrong"; return 1; }
}

# ---------------------------------------------------------------- installed, used, removed

# files_of FILE: what is there, with modes; not what apt and dpkg note for themselves, nor
# the group, which stays
files_of()
{
	(cd "$run/user/root" || exit 1
	 find . \( -path ./proc -o -path ./dev -o -path ./tmp -o -path ./out -o -path ./run \
		-o -path ./var/cache -o -path ./var/log -o -path ./var/lib/apt -o -path ./root \) -prune -o \
		-printf '%p %y %m %u %g\n' >"$tmp/all" &&
	 find . -xdev -type l -path './usr/*' -printf '%p %l\n' >"$tmp/links") || return 1
	{
		grep -v -e ' l 777 ' -e '^\./var/lib/dpkg/\(status-old\|lock.*\|triggers/.*\|diversions-old\|statoverride-old\) \|^\./etc/g\?shadow- \|^\./etc/\(group\|passwd\|gshadow\)- \|^\./etc/\.pwd\.lock ' "$tmp/all" | sort
		sort "$tmp/links"
	} >"$1"
}

user() { in_chroot "$run/user/root" "$@"; }

install_packages()
{
	files_of "$tmp/before"
	mkdir "$run/user/root/out"
	cp "$run/build/root/out/"*.deb "$run/user/root/out/"
	rm -f "$run/user/root/out/"*-dbgsym_*.deb
	user sh -c 'apt-get -q -y install /out/*.deb'
}

# verified: files are what the packages say
verified()
{
	silent user dpkg -V libiommu-liveupdate0 libiommu-liveupdate-dev iommu-liveupdate iommu-liveupdate-doc
	silent user dpkg --audit
}

group() { user getent group liveupdate; }

# The rule is one that udev understands, and no name in it is unknown
rule()
{
	rules=/usr/lib/udev/rules.d/60-iommu-liveupdate.rules
	grep -q '^SUBSYSTEM=="misc", KERNEL=="liveupdate", GROUP="liveupdate", MODE="0660"$' "$run/user/root$rules"
	# older ones cannot be asked
	if user udevadm verify --help >/dev/null 2>&1; then
		user udevadm verify --resolve-names=late "$rules"
	fi
}

# compiles STATIC-OR-NOTHING: the example out of the package of documents
compiles()
{
	user sh -c "mkdir -p /tmp/e && cd /tmp/e && cp -r /usr/share/doc/iommu-liveupdate-doc/examples/* . &&
		gcc -Wall -Werror -D_GNU_SOURCE ${1:-} -o survive${1:-} survive.c nic.c device.c \$(pkg-config --cflags --libs ${1:+-}${1:-} iommu-liveupdate) &&
		{ ./survive${1:-} 2>said; [ \$? -eq 2 ]; } && grep '^usage: survive' said"
	if [ -n "${1:-}" ]; then
		readelf -d "$run/user/root/tmp/e/survive-static" >"$tmp/elf"
		! grep NEEDED "$tmp/elf"
	else
		user ldd /tmp/e/survive >"$tmp/libraries"
		grep 'libiommu-liveupdate.so.0 => /' "$tmp/libraries"
	fi
}

command_runs()
{
	user iommu-liveupdate version
	user sh -c 'test -s /usr/share/bash-completion/completions/iommu-liveupdate && test -s /usr/share/man/man8/iommu-liveupdate.8.gz &&
		test -s /usr/share/doc/iommu-liveupdate/schema.json && test -s /usr/lib/systemd/system/liveupdate-guard.service'
}

# make_initrd FILE: of a kernel of which only the name is there; what it says is in said
make_initrd()
{
	status=0
	# shellcheck disable=SC2016
	user sh -c 'mkdir -p /lib/modules/1.2.3 && cd /lib/modules/1.2.3 && touch modules.order modules.builtin && depmod 1.2.3 &&
		echo CONFIG_RD_GZIP=y >/boot/config-1.2.3 && mkinitramfs -o "$1" 1.2.3' sh "$1" >"$tmp/said" 2>&1 || status=$?
	rm -rf "$run/user/root/usr/lib/modules" "$run/user/root/boot/config-1.2.3"
	cat "$tmp/said"
	return "$status"
}

initrd()
{
	printf '%s\n' '# a comment' '0000:01:00.0' '8086:10C9 # both ports' 'eth0' '0000:0G:00.0' '01:00.0' \
		>"$run/user/root/etc/iommu-liveupdate/vfio-pci.conf"
	make_initrd /tmp/initrd
	user sh -c 'mkdir -p /tmp/i && cd /tmp/i && unmkinitramfs /tmp/initrd .'
	for line in "4: 'eth0'" "5: '0000:0G:00.0'" "6: '01:00.0'"; do
		grep "^W: /etc/iommu-liveupdate/vfio-pci.conf:$line is neither" "$tmp/said" || { echo "not named: $line"; return 1; }
	done
	at=$run/user/root/tmp/i
	[ ! -d "$at/main" ] || at=$at/main
	printf '0000:01:00.0\n8086:10c9\n' >"$tmp/wanted"
	same 'the list in the initrd' "$tmp/wanted" "$at/etc/iommu-liveupdate/vfio-pci.conf"
	[ -x "$at/scripts/init-top/iommu-liveupdate" ] || { echo "no script in the initrd"; return 1; }
	# before any driver is loaded
	grep -n '^/scripts/init-top/\(iommu-liveupdate\|udev\) ' "$at/scripts/init-top/ORDER" | head -n 1 | grep iommu-liveupdate ||
		{ cat "$at/scripts/init-top/ORDER"; return 1; }
}

# Without a list nothing of it is in the initrd
no_initrd()
{
	make_initrd /tmp/none
	user lsinitramfs /tmp/none >"$tmp/said"
	! grep 'etc/iommu-liveupdate\|vfio' "$tmp/said"
}

removed()
{
	user sh -c 'apt-get -q -y remove libiommu-liveupdate0 iommu-liveupdate iommu-liveupdate-doc'
	[ -f "$run/user/root/etc/iommu-liveupdate/vfio-pci.conf" ] || { echo "the configuration went with the package"; return 1; }
	# shellcheck disable=SC2016
	user dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' >"$tmp/packages"
	! grep '^ii.*iommu-liveupdate' "$tmp/packages"
}

purged()
{
	# what they brought along goes, also if something else would like to have it
	user sh -c 'apt-get -q -y purge iommu-liveupdate && apt-get -q -y -o APT::AutoRemove::SuggestsImportant=false \
			-o APT::AutoRemove::RecommendsImportant=false autoremove --purge && rm -rf /tmp/* /out'
	files_of "$tmp/after"
	same 'before and after' "$tmp/before" "$tmp/after"
}

# make install, below another directory; and its opposite leaves the configuration
by_make()
{
	rm -rf "$run/build/root/src"
	copy_clone "$run/build/root/src"
	in_chroot "$run/build/root" sh -c 'cd /src && make install DESTDIR=/d PREFIX=/opt/ilu && cd /d && find . ! -type d' \
		>"$tmp/said" 2>&1 || { cat "$tmp/said"; return 1; }
	for file in include/iommu-liveupdate.h lib/libiommu-liveupdate.so.0 lib/libiommu-liveupdate.a \
		lib/pkgconfig/iommu-liveupdate.pc share/man/man3/ilu_new.3 lib/udev/rules.d/60-iommu-liveupdate.rules \
		lib/sysusers.d/iommu-liveupdate.conf; do
		grep -qx "./opt/ilu/$file" "$tmp/said" || { cat "$tmp/said"; echo "no $file"; return 1; }
	done
	for file in hooks scripts/init-top; do
		grep -qx "./etc/initramfs-tools/$file/iommu-liveupdate" "$tmp/said" || { echo "no $file"; return 1; }
	done
	in_chroot "$run/build/root" sh -c 'cd /src && make uninstall DESTDIR=/d PREFIX=/opt/ilu >/dev/null && cd /d && find . ! -type d' \
		>"$tmp/said" 2>&1 || { cat "$tmp/said"; return 1; }
	echo ./etc/iommu-liveupdate/vfio-pci.conf >"$tmp/wanted"
	same 'what is left' "$tmp/wanted" "$tmp/said"
}

packages()
{
	chroot_mount "$run/build" "$CACHE/chroot/$suite-build" "$CACHE/chroot/$suite"
	check 'make deb builds the packages, and lintian has nothing to say' build
	[ -n "$good" ] || return 0
	check 'another build gives the same packages' build_again
	check 'library and command are hardened' hardened
	check 'another version in the changelog is refused' other_version
	check 'make install and make uninstall' by_make
	chroot_mount "$run/user" "$CACHE/chroot/$suite-user" "$CACHE/chroot/$suite"
	check 'the packages install' install_packages
	[ -n "$good" ] || return 0
	check 'dpkg finds all files as they should be' verified
	check 'the group is there' group
	check 'the rule of udev names it' rule
	check 'the example compiles by pkg-config' compiles
	check 'the example compiles by pkg-config, static' compiles -static
	[ ! -f "$TOP/tools/iommu-liveupdate/Makefile" ] ||
		check 'the command says its version, and has completion and manual' command_runs
	check 'an initrd without a list has nothing of it' no_initrd
	check 'the initrd has the list, without what is wrong in it' initrd
	check 'the packages are removed, but for the configuration' removed
	check 'purged, nothing is left' purged
}

# ---------------------------------------------------------------- tests of the library

library()
{
	chroot_mount "$run/lib" "$CACHE/chroot/$suite-build" "$CACHE/chroot/$suite"
	copy_clone "$run/lib/root/src"
	in_chroot "$run/lib/root" sh -c 'cd /src && make lib && make check-lib'
}

# ---------------------------------------------------------------- packages of a kernel

# refused: without IOMMUs there is nothing to keep
refused()
{
	printf 'CONFIG_X86_64=y\n# CONFIG_IOMMU_SUPPORT is not set\n' >"$tmp/config"
	status=0
	OUT=$run/refused "$TOP/scripts/kernel-deb.sh" "$tmp/config" >"$tmp/said" 2>&1 || status=$?
	cat "$tmp/said"
	[ "$status" -eq 3 ] || { echo "status $status, wanted: 3"; return 1; }
	grep 'CONFIG_IOMMUFD=m is needed, and it is' "$tmp/said"
	status=0
	"$TOP/scripts/kernel-deb.sh" "$TOP/README.md" >"$tmp/said" 2>&1 || status=$?
	cat "$tmp/said"
	[ "$status" -eq 3 ] || { echo "status $status, wanted: 3"; return 1; }
	grep 'is not the configuration of a kernel' "$tmp/said"
}

# Debian's configuration of a cloud kernel, as make check-debian has it
build_kernel()
{
	{ cat "$("$TOP/scripts/debian-config.sh")" && cat "$TOP/tests/configs/debian.config"; } >"$tmp/config"
	OUT=$KERNEL_DEBS "$TOP/scripts/kernel-deb.sh" "$tmp/config"
}

install_kernel()
{
	mkdir -p "$run/user/root/out"
	cp "$KERNEL_DEBS"/linux-image-*.deb "$KERNEL_DEBS"/linux-headers-*.deb "$run/user/root/out/"
	cp "$run/build/root/out"/iommu-liveupdate_*.deb "$run/build/root/out"/libiommu-liveupdate0_*.deb "$run/user/root/out/"
	cp "$HERE/report" "$run/user/root/etc/initramfs-tools/scripts/init-premount/report"
	cp "$HERE/report-hook" "$run/user/root/etc/initramfs-tools/hooks/report"
	# the list is there before the kernel is
	user sh -c 'apt-get -q -y install /out/*iommu-liveupdate*.deb'
	echo '8086:10c9' >"$run/user/root/etc/iommu-liveupdate/vfio-pci.conf"
	user sh -c 'apt-get -q -y install /out/linux-*.deb'
	release=$(basename "$(echo "$run/user/root/boot"/vmlinuz-*)")
	release=${release#vmlinuz-}
	for file in "boot/initrd.img-$release" "lib/modules/$release/modules.dep" "usr/src/linux-headers-$release/Makefile"; do
		[ -s "$run/user/root/$file" ] || { echo "there is no /$file"; return 1; }
	done
}

# boot: with VT-d, and a card of which the list says that it is for vfio-pci
boot()
{
	kernel=$(echo "$run/user/root/boot"/vmlinuz-*)
	release=${kernel##*/vmlinuz-}
	timeout -k 5 "${TIMEOUT:-300}" "$QEMU" -accel tcg -cpu qemu64 -m 1024 -M q35,kernel-irqchip=split -nodefaults \
		-no-reboot -display none -serial stdio -kernel "$kernel" -initrd "$run/user/root/boot/initrd.img-$release" \
		-append 'console=ttyS0 panic=-1 no_timer_check kho=on liveupdate=on intel_iommu=on' \
		-device intel-iommu,intremap=on,aw-bits=48,caching-mode=on -device pcie-root-port,id=rp1,addr=4 \
		-netdev hubport,id=n0,hubid=0 -device igb,netdev=n0,bus=rp1 </dev/null 2>&1 | tr -d '\r' >"$tmp/console"
	for line in "report: release $release" 'report: /dev/liveupdate is there' 'report: vfio-pci has 0000:01:00.0' 'report: end'; do
		grep -qF "$line" "$tmp/console" || { cat "$tmp/console"; echo "the machine did not say: $line"; return 1; }
	done
	grep '^report: \|iommu-liveupdate:' "$tmp/console"
}

kernel()
{
	check 'make kernel-deb refuses a configuration that lacks what is needed, with a list' refused
	if [ -z "${KERNEL_DEBS:-}" ]; then
		KERNEL_DEBS=$run/kernel
		check 'make kernel-deb' build_kernel
		[ -n "$good" ] || return 0
	fi
	chroot_mount "$run/user" "$CACHE/chroot/$suite-user" "$CACHE/chroot/$suite"
	if [ ! -d "$run/build/root" ]; then
		chroot_mount "$run/build" "$CACHE/chroot/$suite-build" "$CACHE/chroot/$suite"
		check 'make deb' build
		[ -n "$good" ] || return 0
	fi
	QEMU=$("$TOP/scripts/fetch-qemu.sh")
	check 'packages of the kernel install, an initrd is made' install_kernel
	[ -n "$good" ] || return 0
	check 'kernel and initrd boot, with /dev/liveupdate and the card at vfio-pci' boot
}

# ---------------------------------------------------------------- all of a suite

# What a user of the packages has
user_packages='gcc libc6-dev pkgconf initramfs-tools systemd udev kmod'

systems()
{
	if ! chroot_base "$suite"; then
		if no_mirror; then
			skip "debootstrap reaches no Debian archive, $log says why"
		else
			fail "debootstrap failed, $log says why"
		fi
		return 1
	fi
	newer=
	# Its own headers know no iommufd, which examples use without the library.
	[ "$suite" != bookworm ] || newer="sed 's/ bookworm / bookworm-backports /' /etc/apt/sources.list >/etc/apt/sources.list.d/b.list &&
		apt-get -q update && apt-get -q -y install -t bookworm-backports linux-libc-dev && "
	if ! chroot_layer "$suite" build 'cd /src && scripts/install-packages.sh lib deb' ||
	   ! chroot_layer "$suite" user "${newer}apt-get -q -y install $user_packages"
	then
		fail "packages could not be installed, $log says why"
		return 1
	fi
}

suite=all
archive_uri
cache_dir log
lock chroot
chroot_run
for suite in $SUITES; do
	systems || continue
	! wanted packages || packages
	if [ "$suite" = trixie ]; then
		! wanted lib || check 'make lib, make check-lib' library
		[ ! -d "$run/user" ] || { umount "$run/user/root"; rm -rf "$run/user"; }
		! wanted kernel || kernel
	fi
	umount "$run"/*/root 2>/dev/null || :
	rm -rf "${run:?}"/*
done
printf '%s passed, %s failed, %s skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" -eq 0 ]
