#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# usage: run.sh [valgrind]
# Builds the command with a kernel that is none, prepares situations, and looks at what it
# says of them: exit code, lines, and JSON against the schema. Called by make check, with O
# and V, and by make valgrind. The last line is "N passed, N failed, N skipped".
# shellcheck disable=SC2015,SC2046,SC2086
set -u
cd "$(dirname "$0")" || exit 1
TOP=$(cd ../.. && pwd)
TOOL=$TOP/tools/iommu-liveupdate
LC_ALL=C; export LC_ALL
passed=0 failed=0 skipped=0
mkdir -p "$O"
O=$(cd "$O" && pwd)
root=$O/machine
make=$O/make
ILU_SYSROOT=$root; export ILU_SYSROOT
# shellcheck source=tests/tool/machine.sh
. ./machine.sh

run_make() { ${MAKE:-make} --no-print-directory -s "$@"; }
count() { echo "$passed passed, $failed failed, $skipped skipped"; [ "$failed" -eq 0 ]; }

tool=$O/iommu-liveupdate
valgrind='' goal=programs
if [ "${1:-}" = valgrind ]; then
	command -v valgrind >/dev/null 2>&1 || { echo "SKIP: there is no valgrind"; skipped=1; count; exit; }
	valgrind='valgrind -q --leak-check=full --errors-for-leak-kinds=definite --error-exitcode=99'
	tool=$O/plain/iommu-liveupdate goal=valgrind-programs
fi
run_make $goal >"$O/build.log" 2>&1 || { cat "$O/build.log"; echo "FAIL: build"; failed=1; count; exit 1; }
rm -rf "$O/documents"
mkdir -p "$O/documents"

# ---------------------------------------------------------------- how it is said

begin() { name=$1 bad=''; }
wrong() { bad="$bad
    $1"; }
end()
{
	if [ -z "$bad" ]; then
		passed=$((passed + 1))
		[ -z "${V:-}" ] || printf 'PASS: %s\n' "$name"
	else
		failed=$((failed + 1))
		printf 'FAIL: %s%s\n' "$name" "$bad"
		sed 's/^/    | /' "$O/out" "$O/err" | head -n 30
	fi
}

# sound FILE: of standard error
sound() { ! grep -q 'ERROR: \|runtime error\|^==[0-9]' "$1" || wrong "a sanitizer or valgrind speaks"; }

nr=0
# run CODE ARGUMENT...: text in $O/out, and JSON in a document for later, with the same code
run()
{
	wanted=$1
	shift
	rm -f "$root/calls"
	code=0
	$valgrind "$tool" "$@" >"$O/out" 2>"$O/err" || code=$?
	[ "$code" -eq "$wanted" ] || wrong "$*: exit $code, wanted $wanted"
	sound "$O/err"
	held "$root/calls"
	[ "$wanted" -ne 2 ] || return 0
	nr=$((nr + 1)) code=0
	$valgrind "$tool" -j "$@" >"$O/documents/$nr.json" 2>"$O/json.err" || code=$?
	[ "$code" -eq "$wanted" ] || wrong "-j $*: exit $code, wanted $wanted"
	sound "$O/json.err"
	grep -q "\"exit\":$code[,}]" "$O/documents/$nr.json" || wrong "-j $*: the document has another exit than $code"
	same_items "$O/documents/$nr.json"
}

# /dev/liveupdate is open for one ioctl, and nothing stays open
held()
{
	[ ! -f "$1" ] || awk '
		/^open$/ { if (open) exit 1; open = 1; ioctls = 0 }
		/^ioctl$/ { if (!open || ioctls++) exit 1 }
		/^close$/ { open = 0 }
		/^left open/ { exit 1 }' "$1" || wrong "/dev/liveupdate is held, or something is left open"
}

# The document has the items of the text
same_items()
{
	grep -o '"verdict":"[A-Z]*","id":"[^"]*"' "$1" | sed 's/"verdict":"//; s/","id":"/ /; s/"$//' >"$O/items"
	awk '/^(PASS|FAIL|WARN|UNKNOWN) / { print $1, $2 }' "$O/out" >"$O/lines"
	cmp -s "$O/items" "$O/lines" || wrong "text and JSON have other items"
}

# says VERDICT ID [OBJECT]; only: nothing else that is not PASS
says()
{
	awk -v verdict="$1" -v id="$2" -v object="${3:-}" '
		$1 == verdict && $2 == id && (object == "" || index($0, object)) { found = 1 }
		END { exit !found }' "$O/out" || wrong "does not say $*"
}
only()
{
	says "$@"
	others=$(awk -v id="$2" '/^(FAIL|WARN|UNKNOWN) / && $2 != id { print $1 " " $2 }' "$O/out")
	[ -z "$others" ] || wrong "says $others as well"
}
fine() { ! grep -q '^\(FAIL\|WARN\|UNKNOWN\) ' "$O/out" || wrong "not all is fine"; }
# one clear line on standard error
complains() { grep -q -e "$1" "$O/err" && [ "$(wc -l <"$O/err")" -eq 1 ] || wrong "does not complain of $1"; }
shows() { grep -qF -e "$1" "$O/out" || wrong "does not show $1"; }

# situation CODE VERDICT ID WORDS COMMAND...: on the good machine, which was changed before
situation()
{
	code=$1 verdict=$2 id=$3
	begin "$4"
	shift 4
	run "$code" "$@"
	[ -n "$id" ] && only "$verdict" "$id" || fine
	end
}
next() { echo "--kernel /boot/vmlinuz-next --initrd /boot/initrd-next"; }

# ---------------------------------------------------------------- situations

machine
situation 0 '' '' 'all is fine' check $(next) --cmdline "$NEXT_CMDLINE"
situation 0 '' '' 'the host is fine' check host
situation 0 '' '' 'the device is fine' check device $NIC
situation 0 '' '' 'the process is fine' check pid 123
situation 0 '' '' 'the next kernel is fine' check kernel $(next) --cmdline "$NEXT_CMDLINE"

# of the host
answer 'open /dev/liveupdate ENOENT'
situation 4 FAIL host.no-support 'no live update' check host
put proc/cmdline 'root=/dev/vda1'
begin 'no live update, and nobody asked for it'
run 4 check host
shows 'liveupdate=on is not on its command line'
end
machine; answer 'open /dev/liveupdate ENODEV'
situation 4 FAIL host.not-set-up 'live update is not set up' check host
machine; answer 'open /dev/liveupdate EACCES'
situation 3 UNKNOWN host.permission 'not root' check host
machine; answer 'open /dev/liveupdate EIO'
situation 1 FAIL session.unreadable 'the sessions cannot be read' check host
machine; answer 'open /dev/liveupdate EBUSY'
begin 'somebody holds /dev/liveupdate'
run 5 check host
only UNKNOWN host.busy
complains 'busy, waiting for up to 5 s'
end
begin 'a kexec that cannot be tested beside a daemon'
run 5 kexec test
only UNKNOWN host.busy kexec
shows 'somebody else holds /dev/liveupdate  -> '
shows 'have him ask, or end him; sessions stay'
says PASS image.none
run 5 kexec exec
! grep -q jump "$root/calls" || wrong 'there was a jump'
run 5 kexec exec --yes
grep -q jump "$root/calls" || wrong 'there was no jump'
end
machine; answer 'open /dev/liveupdate EIO'
begin 'a kexec that cannot be tested, for the sessions cannot be read'
run 1 kexec test
only FAIL session.unreadable kexec
shows 'reboot without kexec'
run 1 kexec exec --yes
! grep -q jump "$root/calls" || wrong 'there was a jump'
end
machine; answer 'open /dev/liveupdate EBUSY 3000'
situation 0 '' '' 'somebody holds /dev/liveupdate for a while' check host
# nothing to ask with is no refusal, but an answer is one
machine; answer 'open /dev/liveupdate ENOMEM'
situation 3 UNKNOWN call.memory 'no memory to ask with' check host
machine; answer 'open /dev/liveupdate EMFILE'
situation 3 UNKNOWN call.files 'no descriptor to ask with' kexec test
machine; no_answer test; answer 'test ENOMEM 3 vm1 '
situation 1 FAIL kexec.refused 'refused for lack of memory' kexec test
machine; answer 'session vm0 5 4'
situation 1 FAIL session.unfinished 'the last live update is not finished' check host
machine; answer old
situation 3 UNKNOWN host.cannot-answer 'a kernel without a test' check host
machine; "$make" notes kho-v4 luo-v5 memfd-v2 >"$root/sys/kernel/notes"
situation 4 FAIL iommufd.no-support 'live update, but none of IOMMUs' check host
machine; rm "$root/sys/kernel/notes"
situation 3 UNKNOWN iommufd.no-support 'it does not say what it preserves' check host
machine; answer 'open /dev/liveupdate ENODEV'; echo none >"$root/sys/kernel/kexec/loaded_kind"
echo 0 >"$root/sys/kernel/kexec/loaded"
begin 'no kernel is loaded, which only sysfs says'
run 4 kexec test
says FAIL host.not-set-up
[ "$(grep -c image.none "$O/out")" -eq 1 ] || wrong 'image.none is not said once'
end
machine; no_answer test; answer 'test 0 0 - '
situation 1 FAIL image.none 'no kernel is loaded' check host
machine; no_answer test; answer 'test 0 1 - '
situation 0 WARN image.segments 'loaded by kexec_load, and nothing is preserved' check host
machine; no_answer test; answer 'test 0 2 - '
situation 0 WARN image.no-data 'loaded without KHO, and nothing is preserved' check host
machine; no_answer test; answer 'test EINVAL 1 vm1 Session [vm1] holds preserved files, but the image has no KHO data: load it by kexec_file_load(2)'
situation 1 FAIL image.segments 'loaded by kexec_load' check host
machine; no_answer test; answer 'test EINVAL 2 vm1 Session [vm1] holds preserved files, but the image has no KHO data: load it by kexec_file_load(2)'
situation 1 FAIL image.no-data 'loaded without KHO' check host
machine; no_answer test; answer 'test EINVAL 3 vm1 vfio-pci 0000:01:00.0: live update: kexec refused, interrupts are configured'
situation 1 FAIL dev.irqs 'interrupts of a preserved device are on' check host
machine; no_answer test; answer 'test EHWPOISON 3 - Preserved memory at 0x1000 is poisoned: kexec refused, close the session that it belongs to'
situation 1 FAIL mem.poisoned 'a page is poisoned' check host
machine; no_answer test; answer 'test EBUSY 3 vm1 something that nobody knows'
situation 1 FAIL kexec.refused 'refused for a reason that is new' check host
machine; rm -r "$root/sys/class/iommu"
situation 1 FAIL host.no-iommu 'no IOMMU' check host
machine; mkdir "$root/sys/class/iommu/ivhd0"
situation 1 FAIL host.iommu-kind 'an IOMMU of AMD' check host
machine; put sys/class/iommu/dmar0/intel-iommu/ecap f05058
situation 1 FAIL unit.unsupported 'a unit without queued invalidation' check host
machine; mv "$root/usr/lib/systemd/libsystemd-shared-262.so" "$root/usr/lib/systemd/libsystemd-shared-257.9.so"
situation 0 WARN host.systemd 'an old systemd' check host
machine; rm "$root"/usr/lib/systemd/*
situation 3 UNKNOWN host.systemd 'a systemd of no version' check host

# of a device
machine
situation 1 FAIL dev.none 'no such device' check device 0000:09:00.0
situation 1 FAIL dev.none 'a device by another name' check device 01:00.0
machine; ln -sfn "$root/sys/bus/pci/drivers/igb" "$(nic)/driver"
situation 1 FAIL dev.driver 'another driver' check device $NIC
machine; ln -sfn "$root/sys/bus/pci/drivers/mlx5-vfio-pci" "$(nic)/driver"
situation 1 FAIL dev.variant 'a variant driver' check device $NIC
machine; rm -r "$(nic)/vfio-dev"
situation 1 FAIL dev.no-cdev 'no character device' check device $NIC
machine; rm "$(nic)/iommu_group"
situation 1 FAIL dev.no-iommu 'not behind an IOMMU' check device $NIC
machine; a_device 0000:01:00.1 pci0000:00/0000:00:01.0/0000:01:00.1 8086:10c9 020000 7
situation 1 FAIL dev.group-shared 'another device in its group' check device $NIC
machine; ln -s ../../../../devices/pci0000:00/0000:00:01.0 "$root/sys/kernel/iommu_groups/7/devices/0000:00:01.0"
situation 1 FAIL dev.group-shared 'a bridge in its group' check device $NIC
machine; put sys/kernel/iommu_groups/7/reserved_regions '0x00000000000e0000 0x00000000000effff direct'
situation 1 FAIL dev.rmrr 'reserved memory' check device $NIC
machine; put sys/kernel/iommu_groups/7/reserved_regions '0x00000000000e0000 0x00000000000effff direct-relaxable'
situation 0 '' '' 'reserved memory that may be given up' check device $NIC
machine; "$make" config 0x1 0xf >"$(nic)/config"
situation 1 FAIL dev.ats 'ATS' check device $NIC
put proc/cmdline 'kho=on liveupdate=on intel_iommu=on pci=noats'
situation 0 '' '' 'ATS that is off' check device $NIC
machine; "$make" config 0x13 >"$(nic)/config"
situation 1 FAIL dev.pri 'page requests' check device $NIC
machine; head -c 64 /dev/zero >"$(nic)/config"
situation 3 UNKNOWN host.permission 'capabilities that only root sees' check device $NIC
machine; ln -s .. "$(nic)/physfn"
situation 1 FAIL dev.vf 'a VF' check device $NIC
machine; echo 2 >"$(nic)/sriov_numvfs"
situation 1 FAIL dev.pf 'a PF with VFs' check device $NIC
machine; echo 0x030000 >"$(nic)/class"
situation 1 FAIL dev.display 'a display device' check device $NIC
machine; rm "$root/sys/devices/pci0000:00/0000:00:01.0/current_link_speed"
situation 1 FAIL dev.shared-id 'below a bridge of PCI' check device $NIC
machine; echo 0x060700 >"$root/sys/devices/pci0000:00/0000:00:01.0/class"
situation 1 FAIL dev.cardbus 'below a CardBus bridge' check device $NIC
machine; echo D3hot >"$(nic)/power_state"
situation 1 FAIL dev.power 'it sleeps, and somebody has it open' check device $NIC
rm "$root/proc/123/fd/3"
begin 'it sleeps, and nobody has it open'
run 0 check device $NIC
fine
shows 'it sleeps until it is opened'
end
ln -sfn "$root/sys/bus/pci/drivers/igb" "$(nic)/driver"
begin 'it sleeps, with another driver'
run 1 check device $NIC
says FAIL dev.power
end
machine; rm "$(nic)/reset_method"
situation 0 WARN dev.no-reset 'no reset' check device $NIC
machine; mkdir -p "$(nic)/msi_irqs/40" "$(nic)/msi_irqs/41"
situation 0 WARN dev.irqs 'interrupts are on' check device $NIC
machine; put proc/interrupts ' 16:          0  IO-APIC  16-fasteoi   vfio-intx(0000:01:00.0)'
situation 0 WARN dev.irqs 'INTx is on' check device $NIC
put proc/interrupts ' 16:          0  IO-APIC  16-fasteoi   vfio-intx(0000:01:00.1)'
situation 0 '' '' 'INTx of another function is on' check device $NIC

# of a process
machine
situation 1 FAIL call.argument 'no such process' check pid 99
machine; rm "$root/proc/123/fd/3"
situation 1 FAIL dev.none 'a process without a device' check pid 123
machine; ln -s /dev/vfio/7 "$root/proc/123/fd/6"
situation 1 FAIL dev.group-file 'a device by its group' check pid 123
machine; answer 'area 1 0x8000000 0 0 0'
situation 1 FAIL mem.not-file 'anonymous memory is mapped' check pid 123
machine; answer 'area 3 0x8000000 2 0 0'
situation 1 FAIL mem.dmabuf 'a dma-buf is mapped' check pid 123
machine; no_answer area; answer 'area 1 0x1000000 1 0x1 77'
situation 1 FAIL mem.unsealed 'memory was not sealed' check pid 123
machine; no_answer memfd; answer 'memfd 123 5 0x7 huge 77'
situation 1 FAIL mem.hugetlb 'memory of hugetlbfs' check pid 123
machine; ln -s '/memfd:other (deleted)' "$root/proc/123/fd/7"; answer 'memfd 123 7 0x0 plain 78'
situation 0 '' '' 'memory that is not mapped' check pid 123
machine; rm "$root/proc/123/fd/5"
situation 3 UNKNOWN mem.not-preserved 'memory is mapped whose file is closed' check pid 123
# maps INODE...: in one IOAS
maps() { for inode; do printf 'area 1 0x%x 1 0x7 %u\n' $((0x1000000 + 4096 * inode)) "$inode"; done >>"$root/answers"; }
machine; no_answer area; maps $(yes 78 | head -n 300); answer 'area 1 0x9000000 1 0x7 77'
ln -s '/memfd:other (deleted)' "$root/proc/123/fd/7"; answer 'memfd 123 7 0x7 plain 78'; no_answer 'memfd 123 5'; answer 'memfd 123 5 0x7 huge 77'
situation 1 FAIL mem.hugetlb 'a file is mapped many times, and then another one' check pid 123
machine; no_answer area; maps $(seq 1001 1300) 77; no_answer memfd; answer 'memfd 123 5 0x7 huge 77'
begin 'many files are mapped'
run 1 check pid 123
says FAIL mem.hugetlb memfd:ram
shows '300 files are mapped that the process does not have as memfds'
end
machine; ln -s '/memfd:other (deleted)' "$root/proc/123/fd/7"; answer 'memfd 123 7 0x7 huge 77 2'
situation 0 '' '' 'a file of another file system has the number of one that is mapped' check pid 123
machine; rm "$root/proc/123/fd/5"; ln -s /dev/shm/ram "$root/proc/123/fd/5"
begin 'memory is mapped whose file has a path'
run 3 check pid 123
shows '1 files are mapped that the process does not have as memfds'
end
machine; answer 'area 2000 0x8000000 0 0 0'
situation 1 FAIL mem.not-file 'an IOAS of a program with many devices' check pid 123
machine; rm "$root/proc/123/fd/3" "$root/proc/123/fd/5"; mkdir "$root/proc/123/fdinfo"
ln -s 'anon_inode:[vfio-device]' "$root/proc/123/fd/3"; ln -s '/ (deleted)' "$root/proc/123/fd/5"
rm "$root/proc/123/fd/4"; ln -s 'anon_inode:[iommufd]' "$root/proc/123/fd/4"
put proc/123/fdinfo/3 "vfio-device-syspath: /sys/devices/pci0000:00/0000:00:01.0/$NIC"
begin 'files that came in by a session'
run 0 check pid 123
fine
says PASS dev.driver $NIC
says PASS mem.unsealed memfd
echo D3hot >"$(nic)/power_state"
run 1 check device $NIC
only FAIL dev.power
end
machine; rm "$root/proc/123/fd/3"; ln -s 'anon_inode:[vfio-device]' "$root/proc/123/fd/3"
situation 3 UNKNOWN dev.none 'a device that came in, of which nothing is said' check pid 123
# session_of ANSWER: the process has it, and its last call ended so
session_of() { machine; ln -s 'anon_inode:[luo_session] vm1' "$root/proc/123/fd/8"; answer "luo 123 8 $1"; }
session_of 0
situation 0 '' '' 'a session, of which nothing was refused' check pid 123
session_of 'ENOENT iommufd: cannot preserve: HWPT 3 is not preserved'
situation 1 FAIL hwpt.unmarked 'a page table was not marked' check pid 123
session_of 'EINVAL iommufd: cannot preserve IOAS 1: the file at IOVA 0x1000 has other memory now than is mapped'
situation 1 FAIL mem.changed 'a hole was punched' check pid 123
session_of 'EIO '
situation 1 FAIL call.refused 'a call was refused without a line' check pid 123
session_of 0; answer 'denied 123 8'
situation 3 UNKNOWN host.permission 'a session that may not be taken' check pid 123
session_of 0; answer old
begin 'a session of a kernel that cannot be asked'
run 3 check pid 123
says UNKNOWN host.cannot-answer vm1
end
machine; answer old; no_answer memfd; answer 'memfd 123 5 0x0 plain 77'
begin 'maps that cannot be asked for'
run 3 check pid 123
says UNKNOWN host.cannot-answer iommufd
says WARN mem.unsealed memfd:ram
end
machine; answer 'denied 123 4'; answer 'denied 123 5'
situation 3 UNKNOWN host.permission 'a process of somebody else' check pid 123
machine; put etc/systemd/system/vm1.service '#LUOSession=vm1'
put etc/systemd/system/vm1.service.d/old.conf '# LUOSession=vm1'
situation 0 WARN host.unit 'a unit whose session is closed' check pid 123
put etc/systemd/system/vm1.service.d/keep.conf 'FileDescriptorStorePreserve=yes'
situation 0 '' '' 'a unit with a setting that was added' check pid 123
machine; put proc/123/cgroup "0::/system.slice/system-nic.slice/nic@$NIC.service"
situation 0 WARN host.unit 'a unit of a template, whose session is closed' check pid 123
put etc/systemd/system/nic@.service 'LUOSession=%i'
situation 0 '' '' 'a unit of a template that has the setting' check pid 123
echo >"$root/etc/systemd/system/nic@.service"; put run/systemd/system/nic@.service.d/keep.conf 'LUOSession=%i'
situation 0 '' '' 'a unit of a template to which the setting was added' check pid 123
rm -r "$root/run/systemd/system/nic@.service.d"; put "etc/systemd/system/nic@$NIC.service.d/keep.conf" 'LUOSession=nic'
situation 0 '' '' 'a unit of a template with a setting of its own' check pid 123

# of the next kernel
machine
situation 3 UNKNOWN next.unknown 'no next kernel' check kernel
situation 3 UNKNOWN next.unknown 'no command line' check kernel --kernel /boot/vmlinuz-next
situation 1 FAIL next.image 'no such kernel' check kernel --kernel /boot/none --cmdline "$NEXT_CMDLINE"
situation 1 FAIL next.image 'not a kernel' check kernel --kernel /proc/cmdline --cmdline "$NEXT_CMDLINE"
situation 1 FAIL next.kho 'KHO is off in it' check kernel $(next) --cmdline "$NEXT_CMDLINE kho=off"
situation 1 FAIL next.liveupdate 'live update is off in it' check kernel $(next) --cmdline "$NEXT_CMDLINE liveupdate=0"
situation 1 FAIL next.iommu 'VT-d is off in it' check kernel $(next) --cmdline "$NEXT_CMDLINE intel_iommu=off"
for words in on,igfx_off on,sp_off off,on 'off intel_iommu=on' 'on intel_iommu=sp_off'; do
	situation 0 '' '' "VT-d is on in it, by $words" check kernel $(next) --cmdline "$NEXT_CMDLINE intel_iommu=$words"
done
for words in on,off 'on intel_iommu=off' 'on iommu=soft,off'; do
	situation 1 FAIL next.iommu "VT-d is off in it, by $words" check kernel $(next) --cmdline "$NEXT_CMDLINE intel_iommu=$words"
done
begin 'VT-d is off in it, and only its table mode is on'
run 1 check kernel $(next) --cmdline 'kho=on liveupdate=on intel_iommu=sm_on vfio-pci.ids=8086:10c9'
says FAIL next.iommu
says WARN next.mode
end
situation 0 WARN next.mode 'another table mode' check kernel $(next) --cmdline "$NEXT_CMDLINE intel_iommu=on,sm_on"
situation 0 WARN next.vfio 'nobody binds the driver' check kernel $(next) --cmdline 'kho=on liveupdate=on intel_iommu=on'
situation 0 WARN next.vfio 'the driver is for other cards' check kernel $(next) --cmdline 'kho=on liveupdate=on intel_iommu=on vfio-pci.ids=8086:10c90,18086:10c9,8086:10d3'
situation 0 '' '' 'the driver is for cards of all kinds of a vendor' check kernel $(next) --cmdline 'kho=on liveupdate=on intel_iommu=on vfio_pci.ids=1af4:1000,8086:ffffffff'
# initrd FILE TEXT: one with this file, and with what the package puts into each
initrd()
{
	rm -rf "$O/initrd"
	mkdir -p "$O/initrd/$(dirname "$1")" "$O/initrd/scripts/init-top"
	printf "$2" >"$O/initrd/$1"
	cp "$TOP/system/initramfs-script" "$O/initrd/scripts/init-top/iommu-liveupdate"
	(cd "$O/initrd" && printf '' | cpio -o -H newc >"$root/boot/initrd-next" &&
	 find . | LC_ALL=C sort | cpio -o -H newc >"$O/cpio" && gzip <"$O/cpio" >>"$root/boot/initrd-next") 2>/dev/null ||
		rm -f "$root/boot/initrd-next"
}
# initrd_binds FILE TEXT, initrd_leaves FILE TEXT
initrd_binds() { initrd "$@"; situation 0 '' '' "the initrd binds the driver, by $1: $2" check kernel $(next) --cmdline 'kho=on liveupdate=on intel_iommu=on'; }
initrd_leaves() { initrd "$@"; situation 0 WARN next.vfio "the initrd does not bind the driver, with $1: $2" check kernel $(next) --cmdline 'kho=on liveupdate=on intel_iommu=on'; }
initrd_binds etc/modprobe.d/vfio.conf 'options vfio-pci ids=8086:10c9'
initrd_binds etc/modprobe.d/vfio.conf '# cards\noptions vfio_pci disable_vga=1 ids=1af4:1000,8086:10C9:1234:5678\n'
initrd_leaves etc/modprobe.d/vfio.conf 'options vfio-pci ids=1af4:1000'
initrd_leaves etc/modprobe.d/vfio.conf '# options vfio-pci ids=8086:10c9'
initrd_binds etc/iommu-liveupdate/vfio-pci.conf "8086:10d3\n$NIC\n"
initrd_binds etc/iommu-liveupdate/vfio-pci.conf '8086:10c9\n'
initrd_leaves etc/iommu-liveupdate/vfio-pci.conf "8086:10d3\n0000:01:00.1\n#$NIC\n"
initrd_leaves etc/other.conf "$NIC"
initrd_binds usr/lib/udev/rules.d/70-vfio.rules 'ATTR{driver_override}="vfio-pci"'
initrd_leaves usr/lib/udev/rules.d/70-vfio.rules '#ATTR{driver_override}="vfio-pci"'
initrd_binds etc/modprobe.d/long.conf "$(printf '#%020000d' 0)\noptions vfio-pci ids=8086:10c9\n"
answer 'unnamed etc/modprobe.d/long.conf'
situation 0 WARN next.vfio 'the initrd has a file whose name cannot be told' check kernel $(next) --cmdline 'kho=on liveupdate=on intel_iommu=on'
machine; put etc/modprobe.d/vfio.conf 'options vfio-pci ids=8086:10c9'
situation 0 '' '' 'the driver is for the card, by this machine' check kernel $(next) --cmdline 'kho=on liveupdate=on intel_iommu=on'
put etc/modprobe.d/vfio.conf 'options vfio-pci ids=8086:10d3'
situation 0 WARN next.vfio 'the driver is for another card, by this machine' check kernel $(next) --cmdline 'kho=on liveupdate=on intel_iommu=on'
machine; put etc/udev/rules.d/70-vfio.rules 'ATTR{driver_override}="vfio-pci"'
situation 0 '' '' 'a rule of udev binds the driver' check kernel $(next) --cmdline 'kho=on liveupdate=on intel_iommu=on'
machine; a_kernel vmlinuz-next "${GOOD_CONFIG% CONFIG_VFIO_DEVICE_CDEV=y}" $RECORDS
situation 1 FAIL next.config 'it lacks an option' check kernel $(next) --cmdline "$NEXT_CMDLINE"
machine; a_kernel vmlinuz-next - $RECORDS
situation 3 UNKNOWN next.no-config 'its configuration is not known' check kernel $(next) --cmdline "$NEXT_CMDLINE"
begin 'whether KHO and VT-d are on in it is up to a configuration that is not known'
run 3 check kernel $(next) --cmdline 'liveupdate=on vfio-pci.ids=8086:10c9'
says UNKNOWN next.kho
says UNKNOWN next.iommu
end
printf '%s\n' "$GOOD_CONFIG" | tr ' ' '\n' >"$root/boot/config-next"
situation 0 '' '' 'its configuration is beside it' check kernel $(next) --cmdline "$NEXT_CMDLINE"
machine; a_kernel vmlinuz-next "$GOOD_CONFIG" ilu-iommu-v2 ilu-iommufd-v1 ilu-pci-v1 ilu-vfio-pci-v1
situation 1 FAIL next.versions 'it does not know a record' check kernel $(next) --cmdline "$NEXT_CMDLINE"
put lib/modules/7.3.4-next/modules.alias 'alias liveupdate-ilu-iommu-v1 a_module'
situation 0 '' '' 'a module knows the record' check kernel $(next) --cmdline "$NEXT_CMDLINE"
put lib/modules/7.3.4-next/modules.alias 'alias liveupdate-ilu-iommu-v3 a_module'
situation 1 FAIL next.versions 'a module knows another one' check kernel $(next) --cmdline "$NEXT_CMDLINE"
machine; a_kernel vmlinuz-next "$GOOD_CONFIG" $RECORDS
put lib/modules/7.3.4/modules.alias 'alias liveupdate-ilu-more-v1 a_module'
situation 1 FAIL next.versions 'it does not know a record of a module' check kernel $(next) --cmdline "$NEXT_CMDLINE"
machine; a_kernel vmlinuz-next "$GOOD_CONFIG" $RECORDS; "$make" notes $RECORDS luo-timing-v1 >"$root/sys/kernel/notes"
situation 0 WARN timing.unknown 'it does not know the record of times' check kernel $(next) --cmdline "$NEXT_CMDLINE"
machine; "$make" notes $RECORDS memblock-v1 >"$root/sys/kernel/notes"
situation 0 WARN next.versions 'it does not know the record of reserved memory' check kernel $(next) --cmdline "$NEXT_CMDLINE"
machine; rm "$root/sys/kernel/notes"
situation 3 UNKNOWN next.versions 'this kernel has no notes' check kernel $(next) --cmdline "$NEXT_CMDLINE"
machine; echo 0x1000000 >"$root/sys/kernel/debug/kho/out/scratch_len"
situation 1 FAIL next.scratch 'it does not fit' check kernel $(next) --cmdline "$NEXT_CMDLINE"
machine; rm -r "$root/sys/kernel/debug" "$root/sys/kernel/kexec"
situation 3 UNKNOWN next.scratch 'whether it fits is not known' check kernel $(next) --cmdline "$NEXT_CMDLINE"
# damage WORDS: whatever it is, there is an answer
damage()
{
	$valgrind "$tool" check kernel $(next) --cmdline "$NEXT_CMDLINE" >"$O/out" 2>"$O/err"
	[ $? -lt 6 ] || wrong "$1"
	sound "$O/err"
}
begin 'a damaged kernel'
machine
cp "$root/boot/vmlinuz-next" "$O/whole"
for at in 497 514 526 584 585 586 588 589 1024 1040 1100; do
	cp "$O/whole" "$root/boot/vmlinuz-next"
	printf '\377\377' | dd of="$root/boot/vmlinuz-next" bs=1 seek=$at conv=notrunc 2>/dev/null
	damage "at $at"
	head -c $at "$O/whole" >"$root/boot/vmlinuz-next"
	damage "cut off at $at"
done
"$make" elf - $RECORDS >"$O/whole"
for at in $(seq 3 4 240); do
	cp "$O/whole" "$root/boot/vmlinuz-next"
	printf '\377\377' | dd of="$root/boot/vmlinuz-next" bs=1 seek="$at" conv=notrunc 2>/dev/null
	damage "unpacked, at $at"
done
end

# not packed, so that the headers of cpio are seen
begin 'a damaged initrd'
machine
initrd etc/modprobe.d/vfio.conf 'options vfio-pci ids=8086:10c9'
(cd "$O/initrd" && find . | LC_ALL=C sort | cpio -o -H newc 2>/dev/null) >"$O/whole" || wrong 'there is none'
for at in $(seq 0 7 700); do
	cp "$O/whole" "$root/boot/initrd-next"
	printf 'fff' | dd of="$root/boot/initrd-next" bs=1 seek="$at" conv=notrunc 2>/dev/null
	damage "initrd, at $at"
	head -c "$at" "$O/whole" >"$root/boot/initrd-next"
	damage "initrd, cut off at $at"
done
gzip <"$O/whole" >"$root/whole.gz"
for at in 2 3 9 12 40 100 200; do
	cp "$root/whole.gz" "$root/boot/initrd-next"
	printf '\377\000f' | dd of="$root/boot/initrd-next" bs=1 seek="$at" conv=notrunc 2>/dev/null
	damage "packed initrd, at $at"
done
# the length of its name is none
sed '1s/^\(.\{94\}\)......../\100000000/' "$O/whole" >"$root/boot/initrd-next"
damage 'initrd, without a name'
end

begin 'no file has a program started that unpacks it'
machine
mkdir -p "$O/unpackers"
for program in lrzip grzip lzop; do
	printf '#!/bin/sh\n: >"%s/started"\nexec cat\n' "$root" >"$O/unpackers/$program"
	chmod 755 "$O/unpackers/$program"
done
for magic in 'LRZI\000\006' 'GRZipII\000\002\004:)' '\211LZO\000\015\012\032\012'; do
	{ printf "$magic"; head -c 4096 /dev/zero; } >"$root/boot/initrd-next"
	"$make" bzimage "$root/boot/initrd-next" >"$root/boot/vmlinuz-next"
	PATH=$O/unpackers:$PATH "$tool" check kernel $(next) --cmdline "$NEXT_CMDLINE" >"$O/out" 2>"$O/err"
	[ ! -e "$root/started" ] || wrong "of $magic"
	rm -f "$root/started"
done
end

# all at once
machine
begin 'a device that no process has is looked at, too'
other=0000:01:00.1
a_device $other "pci0000:00/0000:00:01.0/$other" 8086:10d3 030000 8
bound $other "pci0000:00/0000:00:01.0/$other" vfio1
run 1 check all
says PASS dev.display $NIC
says FAIL dev.display $other
[ "$(grep -c "dev.display  *$NIC" "$O/out")" -eq 1 ] || wrong 'one is looked at twice'
end
machine; answer 'area 1 0x8000000 0 0 0'; echo D3hot >"$(nic)/power_state"
begin 'what is wrong in several places'
run 1 check --kernel /boot/vmlinuz-next
says FAIL mem.not-file
says FAIL dev.power $NIC
says UNKNOWN next.unknown
end

# ---------------------------------------------------------------- the other objects

machine
begin 'device list, show and explain'
run 0 device list
shows "$NIC  8086:10c9  020000  group 7    vfio0     D0"
run 0 device show $NIC
shows 'driver      vfio-pci'
run 0 device explain $NIC
shows "$NIC could go along"
"$make" config 0xf >"$(nic)/config"
run 1 device explain $NIC
shows 'dev.ats: the device is capable of ATS.'
run 1 device show 0000:09:00.0
end

begin 'sessions are listed'
machine; answer 'session vm0 5 4'
run 0 session list
shows 'vm1                   outgoing  open    4 files'
shows 'vm0                   incoming  closed  4 files, to be finished'
run 0 session show vm1
run 1 session show vm9
says FAIL session.none vm9
machine; no_answer session
run 0 session list
shows 'there is no session'
end

begin 'a session that came in'
machine; "$make" manifest >"$root/manifest"; answer 'session vm0 5 4 /manifest'
run 0 session show vm0
says PASS dev.other-card nic
echo 0x10d3 >"$(nic)/device"
run 1 session show vm0
says FAIL dev.other-card 'it was 8086:10c9'
rm "$root/sys/bus/pci/devices/$NIC"
run 1 session show vm0
says FAIL dev.other-card 'there is no device'
machine; "$make" manifest >"$root/manifest"; answer 'session vm0 5 4 /manifest'; answer 'session vm0 2 1'
run 0 session show vm0
says PASS dev.other-card nic
end

begin 'a session is finished, or not'
machine; "$make" manifest >"$root/manifest"; answer 'session vm0 5 4 /manifest'
run 1 session finish vm0
says FAIL session.has-devices vm0
! grep -q finish "$root/calls" || wrong 'it was finished'
"$make" manifest memory >"$root/manifest"
run 0 session finish vm0
says PASS session.unfinished vm0
grep -q finish "$root/calls" || wrong 'it was not finished'
run 1 session finish vm9
says FAIL session.none
machine; answer 'session vm0 7 4 /manifest'
run 5 session finish vm0
says FAIL session.taken
machine; answer 'session vm0 5 4'
run 1 session finish vm0
says FAIL session.foreign
end

begin 'a session is abandoned, whatever its manifest is'
for how in '' newer damaged; do
	machine; "$make" manifest $how >"$root/manifest"; answer 'session vm0 5 4 /manifest'
	run 0 session abandon vm0 --yes
	grep -q finish "$root/calls" || wrong 'it was not finished'
done
run 2 session abandon vm0
complains 'say --yes'
answer 'finish EBUSY'
run 1 session abandon vm0 --yes
says FAIL dev.cannot-stop vm0
end

begin 'the manifest of a newer version, and a damaged one'
machine; "$make" manifest newer >"$root/manifest"; answer 'session vm0 5 4 /manifest'
run 1 session finish vm0
only FAIL record.newer vm0
run 1 record show /manifest
only FAIL record.newer
"$make" manifest damaged >"$root/manifest"
run 1 record show /manifest
only FAIL record.damaged
run 1 session show vm0
only FAIL record.damaged
run 1 record show /none
only FAIL call.argument
end

begin 'a manifest is shown'
"$make" manifest >"$root/manifest"
run 0 record show /manifest
shows 'device  nic           8086:10c9 at 0000:01:00.0'
shows 'map     dma           0x1000000 + 0x4000000: ram at 0'
shows 'after 3 live updates'
end

begin 'a kernel is loaded, and the jump is made'
machine
run 0 kexec load --kernel /boot/vmlinuz-next --initrd /boot/initrd-next --cmdline 'kho=on liveupdate=on'
grep -qx 'load initrd kho=on liveupdate=on' "$root/calls" || wrong 'it was not loaded'
run 0 kexec test
run 0 kexec exec
grep -qx jump "$root/calls" || wrong 'there was no jump'
no_answer test; answer 'test EBUSY 3 vm1 Session [vm1] is in a call that does not end: kexec refused, look what its owner holds up, or close it'
run 1 kexec exec
says FAIL session.hangs vm1
! grep -q jump "$root/calls" || wrong 'there was a jump'
end

begin 'a jump that cannot be tried before'
machine; answer old
run 3 kexec exec
! grep -q jump "$root/calls" || wrong 'there was a jump'
run 3 kexec exec --yes
grep -q jump "$root/calls" || wrong 'there was no jump'
answer 'reboot EHWPOISON'
run 1 kexec exec --yes
says FAIL mem.poisoned
end

begin 'a kernel that is not loaded'
machine; answer 'load EADDRNOTAVAIL'
run 1 kexec load --kernel /boot/vmlinuz-next --cmdline x
only FAIL next.scratch
no_answer load; answer 'load EPERM'
run 1 kexec load --kernel /boot/vmlinuz-next --cmdline x
only FAIL image.not-allowed
run 1 kexec load --kernel /boot/none --cmdline x
only FAIL next.image
run 2 kexec load
complains '--kernel and --cmdline'
end

begin 'status'
machine
run 0 status
answer 'session vm0 5 4'
run 1 status
says FAIL session.unfinished vm0
run 1 status --wait=2
complains '1 to be finished, the first is vm0'
for seconds in soon 5x '' 0 -1 86401 99999999999999999999; do
	run 2 status "--wait=$seconds"
	complains 'is no number of seconds'
done
machine; answer 'open /dev/liveupdate ENOENT'
run 4 status
end

begin 'timing'
machine; put sys/kernel/debug/liveupdate/timing 'old freeze 1200 850'
printf 'new reserve 0 20500\nnew jump - 310000\nnew records - -\n' >>"$root/sys/kernel/debug/liveupdate/timing"
run 0 timing
shows 'old     freeze               1.200        0.850'
shows 'new     jump                     -      310.000'
: >"$root/sys/kernel/debug/liveupdate/timing"
run 0 timing
shows 'no live update came in'
echo nonsense >"$root/sys/kernel/debug/liveupdate/timing"
run 3 timing
rm "$root/sys/kernel/debug/liveupdate/timing"
run 3 timing
only UNKNOWN host.cannot-answer
end

begin 'version'
machine
run 0 version
shows 'record   ilu-vfio-pci-v1'
"$tool" -V >"$O/out" 2>&1 || wrong '-V'
shows 'iommu-liveupdate 0.2'
end

# ---------------------------------------------------------------- wrong arguments

begin 'wrong arguments: one line, exit 2'
for words in '' 'nothing' 'check nothing' 'check device' 'check pid x' 'check --kernel' 'check host more' \
	'device list --what' '--what' 'session show' 'session finish' 'record show' 'kexec load --kernel x' \
	'check host --kernel x' 'check pid 1 --cmdline x' 'device list --yes' 'session finish x --yes' \
	'session list --wait' 'kexec test --initrd x' 'status --yes' 'timing --wait=5' 'version --kernel x'; do
	run 2 $words
	complains 'iommu-liveupdate: '
done
end

begin 'help: of the command, and of each object'
"$tool" help >"$O/out" 2>"$O/err" && grep -q '^OBJECT:' "$O/out" || wrong 'help'
for object in check device session kexec status timing record version; do
	"$tool" $object help >"$O/out" 2>"$O/err" && grep -q "^Usage: iommu-liveupdate .* $object" "$O/out" || wrong "$object help"
	"$tool" $object --help >"$O/out" 2>"$O/err" && grep -q '^Exit: 0 fine' "$O/out" || wrong "$object --help"
done
machine; "$make" manifest memory >"$root/manifest"; answer 'session --help 5 4 /manifest'
for words in '--help' '-h'; do
	"$tool" session finish $words >"$O/out" 2>"$O/err" && grep -q '^Usage: ' "$O/out" || wrong "session finish $words"
done
! grep -q finish "$root/calls" 2>/dev/null || wrong 'a session of this name was finished'
end

begin 'what cannot be written is not taken for said'
machine
for words in 'check host' '-j check host' 'help' 'session help' 'version'; do
	"$tool" $words >/dev/full 2>"$O/err"
	[ $? -eq 3 ] || wrong "$words: another exit than 3"
	complains 'cannot write: No space left'
done
end

begin 'names and versions of others are no commands for a terminal, and no broken JSON'
machine
esc=$(printf '\033') other=$(printf '\377') umlaut=$(printf '\303\266')
answer "session vm$esc[2J$other$umlaut 5 4"
put proc/sys/kernel/osrelease "7.3$esc]0;x$other"
run 0 session list
shows "vm\\x1b[2J\\xff$umlaut"
grep -q "u001b\[2J..xff$umlaut" "$O/documents/$nr.json" || wrong "the name is not in the JSON"
run 0 version
shows '7.3\x1b]0;x\xff'
run 1 status --wait=1
grep -q 'the first is vm.x1b' "$O/err" || wrong 'what is waited for'
! grep -q "$esc" "$O/out" "$O/err" "$O"/documents/$nr.json || wrong 'there is a control character'
# too long, a surrogate, beyond the last character, cut off, a control character of two bytes
for bytes in '\300\257' '\355\240\200' '\364\220\200\200' '\342\202' '\302\233'; do
	put proc/sys/kernel/osrelease "$(printf "7.3$bytes")"
	run 0 version
	! grep -q '[^ -~]' "$O/out" || wrong "of $bytes"
done
put proc/sys/kernel/osrelease "$(printf '7.3\342\202\254\360\237\230\200')"
run 0 version
shows "$(printf '7.3\342\202\254\360\237\230\200')"
end

begin 'quiet: what is fine is not said'
machine
"$tool" -q check host >"$O/out" 2>"$O/err" || wrong "exit $?"
[ ! -s "$O/out" ] && [ ! -s "$O/err" ] || wrong 'it is not quiet'
"$tool" -p check host >"$O/out" 2>"$O/err" && [ "$(wc -l <"$O/out")" -gt 20 ] || wrong 'not pretty'
end

if [ -n "$valgrind" ]; then
	count
	exit
fi

# ---------------------------------------------------------------- documents

begin 'every document fits the schema'
if python3 -c 'import jsonschema' 2>/dev/null; then
	python3 - "$TOOL/schema.json" "$O"/documents/*.json >"$O/out" 2>"$O/err" <<'P' || wrong 'see below'
import json, sys
import jsonschema
schema = json.load(open(sys.argv[1]))
jsonschema.Draft7Validator.check_schema(schema)
check = jsonschema.Draft7Validator(schema)
wrong = 0
for name in sys.argv[2:]:
    for error in check.iter_errors(json.load(open(name))):
        wrong = 1
        print(name.rsplit("/", 1)[1], list(error.path), error.message)
sys.exit(wrong)
P
	end
	# shellcheck disable=SC2012
	echo "$(ls "$O/documents" | wc -l) documents"
else
	skipped=$((skipped + 1))
	echo "SKIP: $name: there is no python3-jsonschema"
fi

begin 'every reason that it names is one of the table'
grep -oh '"id":"[^"]*"' "$O"/documents/*.json | sed 's/.*:"//; s/"//' | sort -u >"$O/ids"
[ -s "$O/ids" ] || wrong 'there is none'
while read -r id; do grep -q "\"$id\"" "$TOP/lib/reasons.def" || wrong "$id"; done <"$O/ids"
end
echo "$(wc -l <"$O/ids") reasons"

# ---------------------------------------------------------------- as it is built and installed

: >"$O/out"
# build COMPILER
build()
{
	begin "builds with $1 without a warning"
	if ! command -v "$1" >/dev/null 2>&1; then
		skipped=$((skipped + 1))
		echo "SKIP: $name: there is no $1"
		return
	fi
	run_make -C "$TOOL" O="$O/tool-$1" CC="$1" CFLAGS='-O2 -g -Werror' >"$O/out" 2>"$O/err" || wrong 'it does not'
	end
}
build gcc
build clang

begin 'installs'
rm -rf "$O/root"
run_make -C "$TOOL" O="$O/tool-gcc" DESTDIR="$O/root" PREFIX=/usr install >"$O/out" 2>"$O/err" || wrong 'it does not'
for file in sbin/iommu-liveupdate share/man/man8/iommu-liveupdate.8 share/doc/iommu-liveupdate/schema.json \
	share/bash-completion/completions/iommu-liveupdate; do
	[ -f "$O/root/usr/$file" ] || wrong "there is no $file"
done
run_make -C "$TOOL" O="$O/tool-gcc" DESTDIR="$O/root" PREFIX=/usr uninstall >"$O/out" 2>"$O/err" || wrong 'it does not uninstall'
[ -z "$(find "$O/root" -type f)" ] || wrong 'it leaves files'
end

# unit_runs ROOT PREFIX: each program of the unit of the guard is where the unit says
unit_runs()
{
	sed -n 's/^Exec[A-Za-z]*=\([^ ]*\).*/\1/p' "$1$2/lib/systemd/system/liveupdate-guard.service" >"$O/programs" ||
		wrong "$2: there is no unit"
	[ "$(wc -l <"$O/programs")" -eq 2 ] || wrong "$2: other programs than two"
	while read -r program; do
		case $program in /*) ;; *) wrong "$2: the path of $program is not known" ;; esac
		[ -x "$1$program" ] || wrong "$2: there is no $program"
	done <"$O/programs"
}

begin 'the unit of the guard finds its programs wherever it is installed'
for prefix in /usr /usr/local /opt/x '/opt/x SBINDIR=/opt/x/bin'; do
	rm -rf "$O/root"
	for part in "$TOOL" "$TOP/system"; do
		run_make -C "$part" O="$O/tool-gcc" DESTDIR="$O/root" PREFIX=$prefix install >"$O/out" 2>"$O/err" || wrong 'it does not install'
	done
	unit_runs "$O/root" "${prefix%% *}"
done
end

begin '/dev/liveupdate is open for one ioctl, by strace'
if command -v strace >/dev/null 2>&1; then
	machine; mkdir -p "$root/dev"; : >"$root/dev/liveupdate"
	strace -f -o "$O/trace" -e trace=openat,close,ioctl "$O/tool-gcc/iommu-liveupdate" check host >"$O/out" 2>"$O/err"
	# a plain file knows no ioctl: it is asked twice, and nothing is open meanwhile
	awk '/openat.*\/dev\/liveupdate/ { if (open) exit 1; open = 1; fd = $NF; n++; ioctls = 0 }
	     /ioctl\(/ && open { if (ioctls++) exit 1 }
	     /close\(/ && open && index($0, "close(" fd ")") { open = 0 }
	     END { exit open || n < 2 }' "$O/trace" || wrong 'it is held'
	end
else
	skipped=$((skipped + 1))
	echo "SKIP: $name: there is no strace"
fi

# ---------------------------------------------------------------- manual and completion

begin 'the page of manual'
page=$TOP/man/man8/iommu-liveupdate.8
if command -v groff >/dev/null 2>&1; then
	[ -z "$(groff -man -Tutf8 -ww -z "$page" 2>&1)" ] || wrong 'groff has something to say'
fi
for object in check device session kexec status timing record version; do
	grep -q "$object" "$page" || wrong "it does not know $object"
done
for option in --kernel --initrd --cmdline --yes --wait -j -p -q -V; do
	sed 's/\\-/-/g' "$page" | grep -q -e "$option" || wrong "it does not know $option"
done
end

begin 'completion'
if command -v bash >/dev/null 2>&1; then
	# complete_as LINE: what it offers
	complete_as()
	{
		bash -c '. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _iommu_liveupdate; echo "${COMPREPLY[*]}"' \
			complete "$TOOL/completion.bash" "$@" 2>"$O/err"
	}
	[ "$(complete_as iommu-liveupdate ch)" = check ] || wrong 'of an object'
	[ "$(complete_as iommu-liveupdate -j session ab)" = abandon ] || wrong 'of a command'
	[ "$(complete_as iommu-liveupdate check --ker)" = --kernel ] || wrong 'of an option'
	machine
	[ "$(complete_as iommu-liveupdate check device '')" = "$NIC" ] || wrong 'of a device'
	[ "$(complete_as iommu-liveupdate check device 000)" = "$NIC" ] || wrong 'of a device that has begun'
	# as bash breaks the words: at each colon
	[ -z "$(complete_as iommu-liveupdate check device 0000 : 01 : 00)" ] || wrong 'of the end of an address'
	[ -z "$(complete_as iommu-liveupdate check device 0000 :)" ] || wrong 'of a colon'
	# with LINE WORD...: by the package bash-completion
	with()
	{
		bash -c '. "$1"; . "$2"; COMP_LINE=$3; shift 3; COMP_POINT=${#COMP_LINE} COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _iommu_liveupdate; echo "${COMPREPLY[*]}"' \
			with "$package" "$TOOL/completion.bash" "$@" 2>"$O/err"
	}
	package=/usr/share/bash-completion/bash_completion
	if [ -f "$package" ]; then
		# what is behind the last colon replaces what is there
		[ "$(with 'iommu-liveupdate check device 0000:01:00' iommu-liveupdate check device 0000 : 01 : 00)" = 00.0 ] || wrong 'of the end of an address, with the package'
		[ "$(with 'iommu-liveupdate check device 0000:' iommu-liveupdate check device 0000 :)" = 01:00.0 ] || wrong 'of a colon, with the package'
		[ "$(with 'iommu-liveupdate check device 0001:0' iommu-liveupdate check device 0001 : 0)" = '' ] || wrong 'of no device, with the package'
		[ "$(with 'iommu-liveupdate session ab' iommu-liveupdate session ab)" = abandon ] || wrong 'of a command, with the package'
	fi
	for option in json pretty quiet version; do
		[ "$(complete_as iommu-liveupdate --$option)" = --$option ] || wrong "of --$option"
	done
	[ -z "$(complete_as iommu-liveupdate check host --)" ] || wrong 'of an option that the command does not have'
	for object in check device session kexec status timing record version; do
		complete_as iommu-liveupdate '' | grep -qw $object || wrong "it does not know $object"
		"$tool" $object help >"$O/help" || wrong "help of $object"
		sed -n "s/^  $object \([a-z][a-z]*\).*/\1/p" "$O/help" | while read -r command; do
			complete_as iommu-liveupdate $object '' | grep -qw "$command" || echo "$object $command"
		done >"$O/missing"
		[ ! -s "$O/missing" ] || wrong "it does not know $(cat "$O/missing")"
	done
	end
else
	skipped=$((skipped + 1))
	echo "SKIP: $name: there is no bash"
fi

# shellcheck source=tests/tool/guide.sh
. ./guide.sh

count
