#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# usage: run.sh demo|soak|check-debug
# Makes what is needed and starts the tests in QEMU.
set -eu
TOP=$(cd "$(dirname "$0")/.." && pwd)
. "$TOP/scripts/lib.sh"
case ${1:-} in
demo) script=tests/vm/run-demo.sh ;;
soak) script=tests/vm/run-soak.sh ;;
check-debug) script=tests/vm/run-checks.sh ;;
*) die "usage: run.sh demo|soak|check-debug" ;;
esac
[ -x "$TOP/$script" ] || die "there is no $script yet: this clone has nothing to run here"
if [ "$1" = check-debug ]; then
	exec "$TOP/scripts/env.sh" --debug "$TOP/$script"
fi
exec "$TOP/scripts/env.sh" --kernels "old new" "$TOP/$script"
