#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# usage: run.sh demo|soak|chain|check-long|check-debug|check-debian|check-systemd|check-kernel|check-mutations|coverage|replace-baseline
# Makes what is needed and starts the tests in QEMU.
set -eu
TOP=$(cd "$(dirname "$0")/.." && pwd)
. "$TOP/scripts/lib.sh"
case ${1:-} in
demo) script=tests/vm/run-demo.sh ;;
soak) script=tests/vm/run-soak.sh ;;
chain) script=tests/vm/run-chain.sh ;;
check-debug | check-long | check-debian | check-systemd) script=tests/vm/run-checks.sh ;;
check-kernel) script=tests/vm/run-kernel-tests.sh ;;
check-mutations) script=scripts/check-mutations.sh ;;
replace-baseline) script=tests/vm/run-replace-baseline.sh ;;
coverage) script=scripts/coverage.sh ;;
*) die "usage: run.sh demo|soak|chain|check-long|check-debug|check-debian|check-systemd|check-kernel|check-mutations|coverage|replace-baseline" ;;
esac
[ -x "$TOP/$script" ] || die "there is no $script yet: this clone has nothing to run here"
if [ "$1" = check-long ]; then
	kernels=$(listed_kernels "$TOP/tests/vm/scenarios.long")
	LONG=yes exec "$TOP/scripts/env.sh" --kernels "$kernels" "$TOP/$script"
fi
if [ "$1" = check-debian ]; then
	kernels=$(listed_kernels "$TOP/tests/vm/scenarios.debian")
	DEBIAN=yes exec "$TOP/scripts/env.sh" --kernels "$kernels" "$TOP/$script"
fi
if [ "$1" = check-systemd ]; then
	SYSTEMD_ROOT=$("$TOP/scripts/fetch-systemd.sh") || exit
	export SYSTEMD_ROOT
	kernels=$(listed_kernels "$TOP/tests/vm/scenarios.systemd")
	SYSTEMD=yes exec "$TOP/scripts/env.sh" --kernels "$kernels" "$TOP/$script"
fi
if [ "$1" = check-debug ]; then
	exec "$TOP/scripts/env.sh" --debug "$TOP/$script"
fi
if [ "$1" = check-kernel ]; then
	SOURCE_KUNIT=$("$TOP/scripts/apply-series.sh")
	SOURCE_KUNIT_FRONT=$("$TOP/scripts/apply-series.sh" front)
	SOURCE_KUNIT_PRISTINE=${SOURCE_KUNIT%/*}/plain
	export SOURCE_KUNIT SOURCE_KUNIT_FRONT SOURCE_KUNIT_PRISTINE
	exec "$TOP/scripts/env.sh" --kernels "kunit-pristine kunit-front kunit" "$TOP/$script"
fi
if [ "$1" = replace-baseline ]; then
	exec "$TOP/scripts/env.sh" --kernels "pristine replaced" "$TOP/$script"
fi
if [ "$1" = coverage ]; then
	# shellcheck disable=SC2086
	exec "$TOP/scripts/env.sh" --kernels "coverage-old coverage-new coverage-kunit" "$TOP/$script" ${NAMES:-}
fi
names=
[ "$1" != check-mutations ] || names=${NAMES:-}
# shellcheck disable=SC2086
exec "$TOP/scripts/env.sh" --kernels "old new" "$TOP/$script" $names
