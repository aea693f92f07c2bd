#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# usage: make-root.sh DIRECTORY ARCHIVE
# Makes the root file system of the machine whose PID 1 is systemd, as an archive of cpio:
# of the unpacked packages in DIRECTORY (scripts/fetch-systemd.sh) only what it takes, the
# units of examples/systemd and system/ as they are, and those of the rig beside this script.
# The programs of the rig come with vm-run.
#
#   TOOL   the command iommu-liveupdate, a static program
set -eu
here=$(cd "$(dirname "$0")" && pwd)
top=$here/../../..
from=$1 archive=$2
CARD=0000:02:00.0	# where the rig has it

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

# take PATH... ; with the directories above
take()
{
	(cd "$from" && cp -a --parents "$@" "$root")
}

take usr/lib/os-release 2>/dev/null || :
take usr/lib64 usr/bin/sh usr/bin/dash usr/bin/systemctl \
	usr/lib/systemd/systemd usr/lib/systemd/systemd-executor usr/lib/systemd/systemd-shutdown \
	usr/lib/x86_64-linux-gnu/systemd usr/lib/systemd/system/systemd-kexec.service \
	usr/lib/systemd/system/systemd-poweroff.service usr/lib/systemd/system/systemd-reboot.service
(cd "$from" && find usr/lib/systemd/system -name '*.target' -o -name '*.slice') | while read -r unit; do
	take "$unit"
done
(cd "$from" && find usr/lib/x86_64-linux-gnu -maxdepth 1 \( -name 'ld-linux*' -o -name 'libc.so.*' \
	-o -name 'libm.so.*' -o -name 'libsystemd.so.*' -o -name 'libmount.so.*' -o -name 'libblkid.so.*' \
	-o -name 'libselinux.so.*' -o -name 'libpcre2-8.so.*' \)) | while read -r library; do
	take "$library"
done
for directory in bin lib lib64 sbin; do
	ln -s "usr/$directory" "$root/$directory"
done
ln -s bin "$root/usr/sbin"
mkdir -p "$root/etc/systemd/system/multi-user.target.wants" "$root/run" "$root/tmp" "$root/var" \
	"$root/usr/lib/iommu-liveupdate" "$root/usr/lib/systemd/system-shutdown"

# ---- what an administrator does ----
cp "$top/examples/systemd/nic@.service" "$top/system/liveupdate-guard.service" "$root/etc/systemd/system/"
cp "$top/system/liveupdate-guard" "$root/usr/lib/iommu-liveupdate/"
ln -s /examples/rig-service "$root/usr/lib/iommu-liveupdate/service"
cp "$TOOL" "$root/usr/bin/iommu-liveupdate"
cp "$here"/*.service "$root/etc/systemd/system/"
# enable_unit UNIT [NAME] ; as systemctl enable does
enable_unit()
{
	ln -s "../$1" "$root/etc/systemd/system/multi-user.target.wants/${2:-$1}"
}
enable_unit nic@.service "nic@$CARD.service"
enable_unit bystander.service
enable_unit control.service
enable_unit liveupdate-guard.service
ln -s /usr/lib/systemd/system/multi-user.target "$root/etc/systemd/system/default.target"
ln -s /init "$root/usr/lib/systemd/system-shutdown/rig"
# There is no journal: to the kernel's log, where the rig looks.
printf '[Manager]\nLogTarget=kmsg\nShowStatus=no\nDefaultStandardOutput=null\n' >"$root/etc/systemd/system.conf"
for unit in nic@.service liveupdate-guard.service; do
	mkdir "$root/etc/systemd/system/$unit.d"
	printf '[Service]\nStandardOutput=file:/dev/kmsg\nStandardError=file:/dev/kmsg\n' \
		>"$root/etc/systemd/system/$unit.d/log.conf"
done
printf '0123456789abcdef0123456789abcdef\n' >"$root/etc/machine-id"
printf 'ID=debian\nPRETTY_NAME="the rig"\n' >"$root/etc/os-release"

(cd "$root" && find . ! -name . | sed 's,^\./,,' | sort | cpio --quiet -o -H newc -R 0:0) >"$archive.$$"
mv "$archive.$$" "$archive"
