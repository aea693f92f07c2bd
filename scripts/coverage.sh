#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# usage: coverage.sh [NAME...]
# What of the new files of the series the tests execute: runs unit tests, KUnit and the
# scenarios of tests/coverage/scenarios, or the named ones alone, compiled for gcov, and
# prints lines and branches per file and the functions that were never executed; the
# lines are in $BUILD_DIR/coverage/idle. A kernel's counters are read in the machine's
# memory, after its hand-over and at the end of the last. Without names it fails if less
# than 90 % of a file's lines were executed and tests/coverage/reasons does not say why.
# Needs the environment of env.sh.
set -eu
TOP=$(cd "$(dirname "$0")/.." && pwd)
. "$TOP/scripts/lib.sh"
: "${KERNEL_COVERAGE_OLD:?see scripts/env.sh}" "${KERNEL_COVERAGE_NEW:?see scripts/env.sh}"
: "${KERNEL_COVERAGE_KUNIT:?see scripts/env.sh}"
COVERAGE=$BUILD_DIR/coverage RESULTS=$BUILD_DIR/results/coverage
KERNEL_OLD=$KERNEL_COVERAGE_OLD KERNEL_NEW=$KERNEL_COVERAGE_NEW
KERNEL_KUNIT=$KERNEL_COVERAGE_KUNIT
# the sources that the kernels were built from
SOURCE_TREE=$("$TOP/scripts/apply-series.sh" tested)
export COVERAGE RESULTS KERNEL_OLD KERNEL_NEW KERNEL_KUNIT SOURCE_TREE

# What is not there to test others.
sources()
{
	overlay_list | grep -E '^(drivers|include|kernel|mm)/.*\.[ch]$' | grep -vE 'kunit|[-_]test\.|_mock'
}

# Without sanitizers, which have branches of their own.
unit_tests()
{
	FUZZ_RUNS=20000 BUILD_DIR=$COVERAGE/of make --no-print-directory -C "$TOP/tests/unit" \
		check KSRC="$SOURCE_TREE" CC="${CC:-gcc} --coverage" SANITIZE=
}

# chosen ; the patterns of tests/coverage/scenarios
chosen() { sed 's/#.*//' "$TOP/tests/coverage/scenarios"; }

rm -rf "$COVERAGE"
mkdir -p "$COVERAGE/of"
sources >"$COVERAGE/sources"
status=0
if [ $# -eq 0 ]; then
	REASONS=$TOP/tests/coverage/reasons
	export REASONS
	echo '== unit tests'
	unit_tests || status=$?
	echo '== KUnit'
	"$TOP/tests/vm/run-kernel-tests.sh" kunit || status=$?
	# patterns are for run-checks.sh
	set -f
	# shellcheck disable=SC2046
	set -- $(chosen)
	set +f
	echo '== scenarios'
fi
"$TOP/tests/vm/run-checks.sh" "$@" || status=$?
"$TOP/tests/coverage/report.sh" "$COVERAGE" "$COVERAGE/sources" "${KERNEL_OLD%/arch/x86/boot/bzImage}" \
	"${KERNEL_NEW%/arch/x86/boot/bzImage}" "${KERNEL_KUNIT%/arch/x86/boot/bzImage}" \
	"$COVERAGE/of/unit" || status=$?
exit "$status"
