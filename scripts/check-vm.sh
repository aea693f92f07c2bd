#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# What make check-vm does: gets a QEMU that can hand over cards of iommufd, and runs the
# scenarios of tests/vm/scenarios.inner: virtual machines that it runs in a machine of the
# rig, whose kernel stays. Where it cannot be had all of that is skipped, and the reason is said.
#
#   NAMES   some of the scenarios; shell patterns
set -eu
TOP=$(cd "$(dirname "$0")/.." && pwd)
. "$TOP/scripts/lib.sh"
status=0
INNER_QEMU=$("$TOP/scripts/fetch-inner-qemu.sh") || status=$?
if [ "$status" -eq 4 ]; then
	echo "SKIP: make check-vm, see above"
	echo "0 passed, 0 failed, 1 skipped"
	exit 0
fi
[ "$status" -eq 0 ] || exit "$status"
export INNER_QEMU
kernels="$(listed_kernels "$TOP/tests/vm/scenarios.inner") inner"
# shellcheck disable=SC2086
VIRTUAL=yes exec "$TOP/scripts/env.sh" --kernels "$kernels" "$TOP/tests/vm/run-checks.sh" ${NAMES:-}
