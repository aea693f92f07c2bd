# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh disable=SC2015
# Counts what a script has checked, and ends it with the sum. To be sourced.

passed=0 failed=0 skipped=0
pass() { passed=$((passed + 1)); printf 'PASS: %s\n' "$1"; }
skip() { skipped=$((skipped + 1)); printf 'SKIP: %s\n' "$1"; }
# fail WHAT [FILE]: the file's head is shown
fail()
{
	failed=$((failed + 1))
	printf 'FAIL: %s\n' "$1"
	[ $# -lt 2 ] || head -n 40 "$2" | sed 's/^/    /'
}
finish()
{
	printf '%s passed, %s failed, %s skipped\n' "$passed" "$failed" "$skipped"
	[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
	exit
}
