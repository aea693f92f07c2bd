#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# usage: env.sh [--kernels "VARIANT..."] [--debug] [COMMAND ARGS...]
# Makes what the tests need and runs COMMAND with it in the environment; without
# a command, prints the exports:  e=$(scripts/env.sh) && eval "$e"
#
#   QEMU               a qemu-system-x86_64
#   KERNEL_VARIANT     bzImage of each variant (KERNEL_OLD, KERNEL_DEBUG_NEW, ...);
#                      default: pristine old new
#   UAPI               directory with the exported user headers in include/
#   BUILD_DIR          for user-space programs; the same content, the same directory
#   CACHE              the cache
#
# --debug makes debug-old and debug-new instead, and names them KERNEL_OLD and
# KERNEL_NEW as well; CHECK_DEBUG=1 and a lower RATE are set then.
# shellcheck disable=SC2034,SC2154,SC2163
set -eu
TOP=$(cd "$(dirname "$0")/.." && pwd)
. "$TOP/scripts/lib.sh"

kernels='pristine old new'
debug=no
while [ $# -gt 0 ]; do
	case $1 in
	--kernels) kernels=$2; shift 2 ;;
	--debug) debug=yes; kernels='debug-old debug-new'; shift ;;
	--) shift; break ;;
	-*) sed -n '3,18s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
	*) break ;;
	esac
done

need_x86_64
QEMU=$("$TOP/scripts/fetch-qemu.sh")
IOMMU_LIVEUPDATE_QUIET=; export IOMMU_LIVEUPDATE_QUIET
"$TOP/scripts/fetch-kernel.sh" >/dev/null
IOMMU_LIVEUPDATE_QUIET=1
names='QEMU CACHE UAPI BUILD_DIR'
for kernel in $kernels; do
	dir=$("$TOP/scripts/build-kernel.sh" "$kernel")
	name=KERNEL_$(printf '%s' "$kernel" | tr 'a-z-' 'A-Z_')
	eval "$name=\$dir/arch/x86/boot/bzImage"
	names="$names $name"
done
if [ "$debug" = yes ]; then
	KERNEL_OLD=$KERNEL_DEBUG_OLD KERNEL_NEW=$KERNEL_DEBUG_NEW CHECK_DEBUG=1 RATE=${RATE:-100}
	names="$names KERNEL_OLD KERNEL_NEW CHECK_DEBUG RATE"
fi
UAPI=$("$TOP/scripts/uapi-headers.sh")
user_parts()
{
	hash_files "$TOP/examples" "$TOP/tests/unit" "$TOP/tests/vm" "$TOP/include" "$TOP/lib" \
		"$TOP/docs/vmm-guide.md" "$TOP/tools" "$OVERLAY"
	echo "$UAPI"
	gcc --version | head -n 1
}
content=$(key user_parts)
BUILD_DIR=$CACHE/user/$content
cache_dir "user/$content"
touch "$BUILD_DIR"
find "$CACHE/user" -mindepth 1 -maxdepth 1 -type d -mtime +2 -exec rm -rf {} + || true

if [ $# -eq 0 ]; then
	for name in $names; do
		eval "value=\$$name"
		printf "export %s='%s'\n" "$name" "$value"
	done
	exit 0
fi
# shellcheck disable=SC2086
export $names
exec "$@"
