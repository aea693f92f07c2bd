#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# usage: coverage.sh [NAME...]
# What of the new files of the series the scenarios execute: runs those of make check,
# or the named ones, on kernels with gcov, and prints lines and branches per file and
# the functions that were never executed. The counters are read in the machine's
# memory, after the hand-over of each kernel and at the end of the last. Needs the
# environment of env.sh.
set -eu
TOP=$(cd "$(dirname "$0")/.." && pwd)
: "${KERNEL_COVERAGE_OLD:?see scripts/env.sh}" "${KERNEL_COVERAGE_NEW:?see scripts/env.sh}"
COVERAGE=$BUILD_DIR/coverage RESULTS=$BUILD_DIR/results/coverage
KERNEL_OLD=$KERNEL_COVERAGE_OLD KERNEL_NEW=$KERNEL_COVERAGE_NEW
export COVERAGE RESULTS KERNEL_OLD KERNEL_NEW
rm -rf "$COVERAGE"
mkdir -p "$COVERAGE"
status=0
"$TOP/tests/vm/run-checks.sh" "$@" || status=$?
"$TOP/tests/coverage/report.sh" "$COVERAGE" "${KERNEL_OLD%/arch/x86/boot/bzImage}" \
	"${KERNEL_NEW%/arch/x86/boot/bzImage}"
exit "$status"
