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
	for ((i = 1; i < cword; i++)); do
		case ${words[i]} in
		-*) ;;
		*) echo "$i"; return ;;
		esac
	done
}

# What may stand here
_iommu_liveupdate_choose()
{
	local at object command choices=
	at=$(_iommu_liveupdate_object)
	object=${at:+${words[at]}}
	[ -z "$at" ] || [ "$((at + 1))" -ge "$cword" ] || command=${words[at + 1]}

	case $prev in
	--kernel | --initrd)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	--cmdline) COMPREPLY=(); return ;;
	esac
	case $object:$command in
	:*)
		choices='check device session kexec status timing record version help -j -p -q -V'
		choices+=' --json --pretty --quiet --version'
		;;
	check:device | device:show | device:explain) choices=$(_iommu_liveupdate_devices) ;;
	check:pid) choices=$(pgrep -u "$(id -u)" . 2>/dev/null) ;;
	check: | check:-*) choices='all host kernel device pid help --kernel --initrd --cmdline' ;;
	check:all | check:kernel) choices='--kernel --initrd --cmdline' ;;
	device:) choices='list show explain help' ;;
	session:) choices='list show finish abandon help' ;;
	session:abandon) choices='--yes' ;;
	kexec:) choices='load test exec help' ;;
	kexec:load) choices='--kernel --initrd --cmdline' ;;
	kexec:exec) choices='--yes' ;;
	status:) choices='--wait help' ;;
	record:) choices='show help' ;;
	record:show)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	timing: | version:) choices='help' ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$choices" -- "$cur")
}

# bash breaks words at colons, and so addresses of devices: the package bash-completion can
# put them together. Without it an address is completed from its beginning only.
_iommu_liveupdate()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local words=("${COMP_WORDS[@]}") cword=$COMP_CWORD

	COMPREPLY=()
	if declare -F _get_comp_words_by_ref __ltrim_colon_completions >/dev/null; then
		_get_comp_words_by_ref -n := cur prev words cword
		_iommu_liveupdate_choose
		__ltrim_colon_completions "$cur"
	elif [[ $prev != : && $cur != : ]]; then
		_iommu_liveupdate_choose
	fi
}

complete -F _iommu_liveupdate iommu-liveupdate
