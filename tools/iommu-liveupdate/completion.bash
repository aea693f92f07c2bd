# SPDX-License-Identifier: GPL-2.0
# bash completion of iommu-liveupdate

# The devices that are bound to vfio-pci, below the root of a test
_iommu_liveupdate_devices()
{
	local path
	for path in "$ILU_SYSROOT"/sys/bus/pci/drivers/vfio-pci/????:??:??.?; do
		[ -e "$path" ] && echo "${path##*/}"
	done
}

# Where the object stands, behind options
_iommu_liveupdate_object()
{
	local i
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-*) ;;
		*) echo "$i"; return ;;
		esac
	done
}

_iommu_liveupdate()
{
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
	local at object command words=
	at=$(_iommu_liveupdate_object)
	object=${at:+${COMP_WORDS[at]}}
	[ -z "$at" ] || [ "$((at + 1))" -ge "$COMP_CWORD" ] || command=${COMP_WORDS[at + 1]}

	case $before in
	--kernel | --initrd)
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		return
		;;
	--cmdline) COMPREPLY=(); return ;;
	esac
	case $object:$command in
	:*) words='check device session kexec status timing record version help -j -p -q -V' ;;
	check:device | device:show | device:explain) words=$(_iommu_liveupdate_devices) ;;
	check:pid) words=$(pgrep -u "$(id -u)" . 2>/dev/null) ;;
	check: | check:-*) words='all host kernel device pid help --kernel --initrd --cmdline' ;;
	check:*) words='--kernel --initrd --cmdline' ;;
	device:) words='list show explain help' ;;
	session:) words='list show finish abandon help' ;;
	session:abandon) words='--yes' ;;
	kexec:) words='load test exec help' ;;
	kexec:load) words='--kernel --initrd --cmdline' ;;
	kexec:exec) words='--yes' ;;
	status:) words='--wait help' ;;
	record:) words='show help' ;;
	record:show)
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		return
		;;
	timing: | version:) words='help' ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}

complete -F _iommu_liveupdate iommu-liveupdate
