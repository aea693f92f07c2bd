# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh disable=SC2034,SC2154
# A machine that is none, below $root: one on which all is fine, and what can be wrong with
# it. To be sourced by run.sh. Binary files come from $make.

NIC=0000:01:00.0
RECORDS='ilu-iommu-v1 ilu-iommufd-v1 ilu-pci-v1 ilu-vfio-pci-v1'
NEXT_CMDLINE='kho=on liveupdate=on intel_iommu=on vfio-pci.ids=8086:10c9'

put() { mkdir -p "$root/$(dirname "$1")"; printf '%s\n' "$2" >"$root/$1"; }
answer() { printf '%s\n' "$1" >>"$root/answers"; }
no_answer() { sed -i "/^$1/d" "$root/answers"; }

# a_device BDF PATH IDS CLASS GROUP: as sysfs has it
a_device()
{
	sys=sys/devices/$2
	put "$sys/vendor" "0x${3%:*}"
	put "$sys/device" "0x${3#*:}"
	put "$sys/class" "0x$4"
	put "$sys/power_state" D0
	put "$sys/reset_method" 'flr bus'
	"$make" config >"$root/$sys/config"
	mkdir -p "$root/sys/bus/pci/devices" "$root/sys/kernel/iommu_groups/$5/devices"
	ln -s "../../../devices/$2" "$root/sys/bus/pci/devices/$1"
	ln -s "../../../../devices/$2" "$root/sys/kernel/iommu_groups/$5/devices/$1"
	put "sys/kernel/iommu_groups/$5/reserved_regions" '0x00000000fee00000 0x00000000feefffff msi'
	ln -s "$root/sys/kernel/iommu_groups/$5" "$root/$sys/iommu_group"
}

# bound BDF PATH VFIO: to vfio-pci
bound()
{
	mkdir -p "$root/sys/bus/pci/drivers/vfio-pci" "$root/sys/devices/$2/vfio-dev/$3" "$root/sys/class/vfio-dev/$3"
	ln -sfn "$root/sys/bus/pci/drivers/vfio-pci" "$root/sys/devices/$2/driver"
	ln -s "../../../../devices/$2" "$root/sys/bus/pci/drivers/vfio-pci/$1"
	ln -s "../../../devices/$2" "$root/sys/class/vfio-dev/$3/device"
}

# a_process PID: it has the device, memory and an iommufd
a_process()
{
	mkdir -p "$root/proc/$1/fd"
	ln -s /dev/null "$root/proc/$1/fd/0"
	ln -s /dev/vfio/devices/vfio0 "$root/proc/$1/fd/3"
	ln -s /dev/iommu "$root/proc/$1/fd/4"
	ln -s '/memfd:ram (deleted)' "$root/proc/$1/fd/5"
	put "proc/$1/cgroup" '0::/system.slice/vm1.service'
	answer "iommufd $1 4"
	answer "memfd $1 5 0x7 plain 77"
	answer 'area 1 0x1000000 1 0x7 77'
}

# a_kernel FILE CONFIG RECORD...: CONFIG - for none
a_kernel()
{
	file=$root/boot/$1 config=$2
	shift 2
	mkdir -p "$root/boot"
	[ "$config" = - ] || { printf '%s\n' "$config" | tr ' ' '\n' | gzip -9 >"$root/config.gz"; config=$root/config.gz; }
	"$make" elf "$config" "$@" >"$root/elf" && gzip -9 <"$root/elf" >"$root/payload"
	"$make" bzimage "$root/payload" >"$file"
}

GOOD_CONFIG='CONFIG_KEXEC_FILE=y CONFIG_KEXEC_HANDOVER=y CONFIG_LIVEUPDATE=y CONFIG_LIVEUPDATE_MEMFD=y CONFIG_INTEL_IOMMU=y CONFIG_IOMMU_LIVEUPDATE=y CONFIG_IOMMUFD=m CONFIG_VFIO_PCI=m CONFIG_VFIO_DEVICE_CDEV=y'

# All is fine: a kernel is loaded, one session goes out
machine()
{
	rm -rf "$root"
	mkdir -p "$root"
	: >"$root/answers"
	put proc/cmdline 'root=/dev/vda1 kho=on liveupdate=on intel_iommu=on'
	put proc/sys/kernel/osrelease 7.3.4
	put sys/class/iommu/dmar0/intel-iommu/ecap f0505a
	put sys/kernel/kexec/loaded_kind handover
	put sys/kernel/kexec/loaded 1
	printf '0x1000000\n0x10000000\n' >"$root/scratch" && mkdir -p "$root/sys/kernel/debug/kho/out" &&
		mv "$root/scratch" "$root/sys/kernel/debug/kho/out/scratch_len"
	# shellcheck disable=SC2086
	"$make" notes $RECORDS >"$root/sys/kernel/notes"
	put sys/devices/pci0000:00/0000:00:01.0/class 0x060400
	put sys/devices/pci0000:00/0000:00:01.0/current_link_speed '5.0 GT/s'
	mkdir -p "$root/sys/bus/pci/devices"
	ln -s ../../../devices/pci0000:00/0000:00:01.0 "$root/sys/bus/pci/devices/0000:00:01.0"
	a_device $NIC "pci0000:00/0000:00:01.0/$NIC" 8086:10c9 020000 7
	bound $NIC "pci0000:00/0000:00:01.0/$NIC" vfio0
	mkdir -p "$root/run/systemd/system" "$root/usr/lib/systemd"
	: >"$root/usr/lib/systemd/libsystemd-shared-262.so"
	put etc/systemd/system/vm1.service 'LUOSession=vm1'
	a_process 123
	# shellcheck disable=SC2086
	a_kernel vmlinuz-next "$GOOD_CONFIG" $RECORDS
	put boot/initrd-next 'no archive'
	answer 'session vm1 2 4'
	answer 'test 0 3 - '
}

nic() { echo "$root/sys/devices/pci0000:00/0000:00:01.0/$NIC"; }
