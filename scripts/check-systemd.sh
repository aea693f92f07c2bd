#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# What make check-systemd does: gets a systemd with LUOSession=, tries the guard of a kexec
# with it, and runs the scenarios of tests/vm/scenarios.systemd. Where it cannot be had all
# of that is skipped, and the reason is said.
set -eu
TOP=$(cd "$(dirname "$0")/.." && pwd)
status=0
SYSTEMD_ROOT=$("$TOP/scripts/fetch-systemd.sh") || status=$?
if [ "$status" -eq 4 ]; then
	echo "SKIP: make check-systemd, see above"
	echo "0 passed, 0 failed, 1 skipped"
	exit 0
fi
[ "$status" -eq 0 ] || exit "$status"
export SYSTEMD_ROOT
PARTS='guard systemd' exec "$TOP/scripts/check.sh"
