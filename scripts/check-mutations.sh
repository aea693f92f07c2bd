#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# usage: check-mutations.sh [NAME...]
# Shows that the tests can fail: takes one rule of the kernel half away at a time,
# builds the kernel that it concerns, and runs the scenario or the case of KUnit
# that guards the rule. That has to fail, with the words that the mutation tells.
# tests/mutations has one patch for each, with these lines in front of the diff:
#
#   Kernel: old|new|modular|kunit   which one is built with it
#   Scenario: NAME          what has to fail; of KUnit: SUITE.CASE
#   Finds: WORDS            a regular expression for a line of its verdict, of KUnit
#                           for a line of what was expected
#
# NAME may be a shell pattern. Needs the environment of env.sh. Ends with a line
# "N passed, N failed, N skipped".
# shellcheck disable=SC2015,SC2034
set -eu
TOP=$(cd "$(dirname "$0")/.." && pwd)
. "$TOP/scripts/lib.sh"
. "$TOP/scripts/kbuild.sh"
# shellcheck source=tests/names.sh
. "$TOP/tests/names.sh"
: "${KERNEL_OLD:?see scripts/env.sh}" "${KERNEL_NEW:?see scripts/env.sh}"
need_tool gcc make flex bison bc perl python3 patch flock cmp
mutations=$TOP/tests/mutations
passed=0 failed=0

own_tree mutated
# stage_patch takes patches from here
series=$PATCHES

header() { patch_header "$mutations/$1.patch" | sed -n "s/^$2:[[:space:]]*//p"; }

fail()
{
	failed=$((failed + 1))
	printf 'FAIL: %s: %s\n' "$name" "$1"
	[ $# -lt 2 ] || sed 's/^/    /' "$2" | tail -n 20
}

# stage_mutation NAME: the series and one patch more
stage_mutation()
{
	rm -rf "$tmp/stage"
	mkdir -p "$tmp/stage"
	stage_series "$tmp/stage"
	PATCHES=$mutations
	stage_patch "$tmp/stage" "$1.patch"
	PATCHES=$series
	# KUnit breaks no rule on demand
	[ "$kernel" = kunit ] || stage_switches "$tmp/stage"
}

# build VARIANT: prints the bzImage
build()
{
	variant_files "$1"
	out=$tree/build-$1
	build_setup
	configure "mutated $1" >&2
	run_logged "kernel $1 with $name" "$CACHE/log/mutated-$1.log" kmake_image >&2 || return 1
	! has_modules || install_modules "$out" >&2 || return 1
	printf '%s\n' "$out/arch/x86/boot/bzImage"
}

# run VARIANT BZIMAGE SCENARIO: its status; of KUnit that of the whole suite
run()
(
	RESULTS=$BUILD_DIR/results/mutations; export RESULTS
	case $1 in
	old) KERNEL_OLD=$2; export KERNEL_OLD ;;
	new) KERNEL_NEW=$2; export KERNEL_NEW ;;
	modular) KERNEL_MODULAR=$2; export KERNEL_MODULAR ;;
	kunit)
		KERNEL_KUNIT=$2 SOURCE_KUNIT=$tree TEST_TIMEOUT=120
		export KERNEL_KUNIT SOURCE_KUNIT TEST_TIMEOUT
		case $3 in
		mock-*) "$TOP/tests/vm/run-kernel-tests.sh" mock "$3" </dev/null ;;
		*) "$TOP/tests/vm/run-kernel-tests.sh" kunit "${3%.*}" </dev/null ;;
		esac
		return
		;;
	esac
	"$TOP/tests/vm/run-checks.sh" "$3" </dev/null
)

mutate()
{
	name=$1
	kernel=$(header "$name" Kernel) scenario=$(header "$name" Scenario) finds=$(header "$name" Finds)
	case $kernel in old | new | modular | kunit) ;; *) fail "it says Kernel: '$kernel'"; return ;; esac
	[ -n "$scenario" ] && [ -n "$finds" ] || { fail "it lacks Scenario or Finds"; return; }
	# as run-kernel-tests.sh shows what a case has found
	case $kernel-$scenario in
	kunit-mock-*) ;;
	kunit-*) finds="^  ${scenario##*.}: .*($finds)" ;;
	esac
	if ! (stage_mutation "$name") 2>"$tmp/log"; then
		fail "it does not apply to the series" "$tmp/log"
		return
	fi
	sync_tree "$tmp/stage"
	if ! image=$(build "$kernel"); then
		fail "it does not build" "$CACHE/log/mutated-$kernel.log"
		return
	fi
	status=0
	run "$kernel" "$image" "$scenario" >"$tmp/log" 2>&1 || status=$?
	if [ "$status" -eq 0 ]; then
		fail "$scenario passes all the same" "$tmp/log"
	elif ! grep -qE "$finds" "$tmp/log"; then
		fail "$scenario fails, but does not say '$finds'" "$tmp/log"
	else
		passed=$((passed + 1))
		printf 'PASS: %s: %s fails: %s\n' "$name" "$scenario" "$(grep -E "$finds" "$tmp/log" | head -n 1 | sed 's/^ *//')"
	fi
}

for patch in "$mutations"/*.patch; do
	patch=$(basename "$patch" .patch)
	wanted "$patch" "$@" || continue
	mutate "$patch"
done
printf '%s passed, %s failed, 0 skipped\n' "$passed" "$failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
