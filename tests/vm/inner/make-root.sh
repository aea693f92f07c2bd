#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# usage: make-root.sh DIRECTORY IMAGE
# Makes /usr of a host of virtual machines, as a disk with a file system:
# of the unpacked packages in DIRECTORY (scripts/fetch-inner-qemu.sh) QEMU as it is, with the
# libraries and the firmware that it takes, and what runs inside of it.
#
#   INNER_KERNEL   bzImage of the virtual machine
#   INNER_INIT     its whole user space, a static program
set -eu
from=$1 image=$2

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
libraries=usr/lib/x86_64-linux-gnu
loader=$libraries/ld-linux-x86-64.so.2
qemu=usr/bin/qemu-system-x86_64

# take PATH... ; with the directories above
take() { (cd "$from" && cp -aL --parents "$@" "$root"); }

# needed ; the libraries of QEMU and theirs, as the loader finds them
needed()
{
	(cd "$from" && LD_LIBRARY_PATH=$libraries "$loader" --list "$qemu") |
		sed -n "s,.*=> \($libraries/[^ ]*\) .*,\1,p"
}

take "$qemu" "$loader"
needs=$(needed)
[ -n "$needs" ] || { echo "make-root.sh: $from/$qemu cannot be loaded" >&2; exit 1; }
# shellcheck disable=SC2086
take $needs
strip --strip-unneeded "$root/$qemu" 2>/dev/null || :
take usr/share/seabios/bios-256k.bin usr/share/qemu/kvmvapic.bin usr/share/qemu/linuxboot_dma.bin \
	usr/share/qemu/pvh.bin
ln -s lib "$root/usr/lib64"
ln -s x86_64-linux-gnu/ld-linux-x86-64.so.2 "$root/usr/lib/ld-linux-x86-64.so.2"
mkdir -p "$root/usr/inner"

cp "$INNER_KERNEL" "$root/usr/inner/bzImage"
inner=$(mktemp -d)
trap 'rm -rf "$root" "$inner"' EXIT
cp "$INNER_INIT" "$inner/init"
mkdir "$inner/dev"
(cd "$inner" && printf 'dev\ninit\n' | cpio --quiet -o -H newc -R 0:0) >"$root/usr/inner/initrd"

kilobytes=$(du -sk "$root/usr" | cut -f 1)
rm -f "$image.$$"
truncate -s "$((kilobytes * 11 / 10 + 1024))k" "$image.$$"
mke2fs -q -F -t ext2 -b 4096 -m 0 -O ^resize_inode -d "$root/usr" "$image.$$"
mv "$image.$$" "$image"
