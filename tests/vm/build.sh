#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Builds the guest's init, the example programs, the operator's command, the host program
# and what it loads into QEMU, and prints the directory.
#
#   UAPI       holds include/, the exported headers of the kernel under test
#   BUILD_DIR  where the programs go
#   CC         default: gcc
set -eu
: "${UAPI:?directory with the exported kernel headers in include/}"
: "${BUILD_DIR:?directory for the programs}"
here=$(cd "$(dirname "$0")" && pwd)
top=$here/../..
examples=$top/examples
warnings='-Wall -Wextra'
[ -n "${ALLOW_WARNINGS:-}" ] || warnings="$warnings -Werror"

# compile OUTPUT FLAGS... ; other programs of the same build may run meanwhile
compile()
{
	output=$1
	shift
	# shellcheck disable=SC2086
	"${CC:-gcc}" -std=gnu11 -O2 -D_GNU_SOURCE $warnings -o "$output.$$" "$@"
	mv "$output.$$" "$output"
}

up_to_date()
{
	[ -x "$1" ] && [ -z "$(find "$here" "$examples" "$top/lib" "$top/include" "$top/tools" "$top/docs/vmm-guide.md" \
		\( -name '*.[ch]' -o -name '*.def' -o -name '*.md' \) -newer "$1")" ]
}

mkdir -p "$BUILD_DIR"
if ! up_to_date "$BUILD_DIR/vm-run"; then
	compile "$BUILD_DIR/init" -static -s -I "$UAPI/include" -I "$here/include" -I "$examples" \
		-I "$top/include" "$here"/guest/*.c "$top/lib"/*.c "$examples/device.c" "$examples/nic.c" "$examples/nvme.c" "$examples/liveupdate.c"
	mkdir -p "$BUILD_DIR/examples"
	compile "$BUILD_DIR/examples/survive" -static -s -I "$UAPI/include" -I "$examples" -I "$top/include" \
		"$examples/survive.c" "$examples/nic.c" "$examples/device.c" "$top/lib"/*.c
	# the program that the guide shows, with each guest
	awk '/^<!-- listing: vmm.c -->/ { next_block = 1 } /^```/ { inside = 0 }
		inside { print } next_block && /^```c/ { inside = 1; next_block = 0 }' \
		"$top/docs/vmm-guide.md" >"$BUILD_DIR/vmm.$$.c"
	compile "$BUILD_DIR/examples/vmm-nic" -static -s -I "$UAPI/include" -I "$examples" -I "$top/include" \
		"$BUILD_DIR/vmm.$$.c" "$examples/guest_nic.c" "$examples/nic.c" "$examples/device.c" "$top/lib"/*.c
	compile "$BUILD_DIR/examples/vmm-nvme" -static -s -I "$UAPI/include" -I "$examples" -I "$top/include" \
		"$BUILD_DIR/vmm.$$.c" "$examples/guest_nvme.c" "$examples/nvme.c" "$top/lib"/*.c
	rm -f "$BUILD_DIR/vmm.$$.c"
	compile "$BUILD_DIR/examples/survive-nvme" -static -s -I "$UAPI/include" -I "$examples" \
		-I "$top/include" "$examples/survive-nvme.c" "$examples/nvme.c" "$examples/device.c" \
		"$top/lib"/*.c
	# the operator's command: static, for the libraries of the host are not in the guest
	mkdir -p "$BUILD_DIR/tool"
	compile "$BUILD_DIR/tool/iommu-liveupdate" -static -s -I "$top/tools/iommu-liveupdate" -I "$top/lib" \
		-I "$top/include" "$top/tools/iommu-liveupdate"/*.c "$top/lib"/*.c \
		-ljson-c -larchive -llzma -lzstd -llz4 -lbz2 -lz
	compile "$BUILD_DIR/examples/raw" -static -s -I "$UAPI/include" -I "$examples" \
		"$examples/raw.c" "$examples/nic.c" "$examples/device.c" "$examples/liveupdate.c"
	compile "$BUILD_DIR/examples/service" -static -s -I "$UAPI/include" -I "$examples" -I "$top/include" \
		"$examples/service.c" "$examples/notify.c" "$examples/nic_work.c" "$examples/nic.c" \
		"$examples/device.c" "$top/lib"/*.c
	compile "$BUILD_DIR/examples/rig-service" -static -s -I "$UAPI/include" -I "$here/include" \
		-I "$examples" -I "$top/include" "$examples/service.c" "$examples/notify.c" \
		"$here/guest/service/work.c" "$here/guest/vmm.c" "$here/guest/receiver.c" "$here/guest/events.c" \
		"$here/guest/machine.c" "$here/guest/function.c" "$here/guest/interrupt_buffer.c" \
		"$examples/nic.c" "$examples/device.c" "$top/lib"/*.c
	compile "$BUILD_DIR/inner-init" -static -s -pthread -I "$here/include" "$here/inner/init.c"
	compile "$BUILD_DIR/keep-freed.so" -shared -fPIC -fno-builtin "$here/host/preload/keep_freed.c"
	compile "$BUILD_DIR/vm-run" -pthread -I "$here/include" -I "$examples" "$here"/host/*.c
fi
printf '%s\n' "$BUILD_DIR"
