#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# usage: run.sh demo|soak|check-debug
# Makes what is needed and starts the tests in QEMU.
set -eu
TOP=$(cd "$(dirname "$0")/.." && pwd)
. "$TOP/scripts/lib.sh"
case ${1:-} in
demo) script=tests/vm/run-demo.sh; options= ;;
soak) script=tests/vm/run-soak.sh; options= ;;
check-debug) script=tests/vm/run-checks.sh; options=--debug ;;
*) die "usage: run.sh demo|soak|check-debug" ;;
esac
[ -x "$TOP/$script" ] || die "there is no $script yet: this clone has nothing to run here"
# shellcheck disable=SC2086
exec "$TOP/scripts/env.sh" $options "$TOP/$script"
