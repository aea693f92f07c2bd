#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The kernel's own tests, on a kernel with the series and on one without it: what
# KUnit finds at boot, and the programs of kselftest for iommufd and liveupdate,
# those of the latter through a kexec. Every suite and every program has to pass
# on both; what only the series has is run only there.
#
#   KERNEL_KUNIT, KERNEL_KUNIT_PRISTINE   bzImages, see scripts/env.sh
#   SOURCE_KUNIT, SOURCE_KUNIT_PRISTINE   the trees they were built from
set -eu
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/vm/lib.sh
. "$here/lib.sh"
: "${KERNEL_KUNIT:?bzImage}" "${KERNEL_KUNIT_PRISTINE:?bzImage}"
passed=0 failed=0

# compile OUTPUT SOURCE... ; a program that does not compile is told as failed
compile()
{
	output=$1
	shift
	# shellcheck disable=SC2086
	gcc -static -O2 -w -D_GNU_SOURCE= -isystem "$UAPI/include" \
		-I "$selftests" -I "$selftests/liveupdate/lib/include" -o "$output" "$@" -lcap \
		>"$output.log" 2>&1 || {
		sed 's/^/    /' "$output.log"
		echo "FAIL $(basename "$output") does not compile"
		failed=$((failed + 1))
	}
	rm -f "$output.log"
}

# build_programs SOURCE DIRECTORY
build_programs()
{
	selftests=$1/tools/testing/selftests programs=$2
	rm -rf "$programs"
	mkdir -p "$programs"
	compile "$programs/iommufd" "$selftests/iommu/iommufd.c"
	compile "$programs/liveupdate" "$selftests/liveupdate/liveupdate.c" \
		"$selftests"/liveupdate/lib/*.c
	for source in "$selftests"/liveupdate/luo_*.c; do
		case $source in */luo_stress_*) continue ;; esac
		compile "$programs/$(basename "$source" .c)" "$source" \
			"$selftests"/liveupdate/lib/*.c
	done
}

# run WHICH KERNEL SOURCE
run()
{
	echo "== $1"
	build_programs "$3" "$BUILD_DIR/selftests-$1"
	status=0
	vm_run "kernel-tests-$1" "$2" "$2" --script kernel-tests --expect checks \
		--timeout "${TEST_TIMEOUT:-900}" --memory 1024 --guest lu_jump=1 \
		--tests "$BUILD_DIR/selftests-$1" || status=$?
	count "$1"
	[ "$status" -eq 0 ] || failed=$((failed + 1))
}

# count WHICH ; one line for each suite and program, as the guest told it
count()
{
	events=$results/kernel-tests-$1/events.log
	sed -n 's/^.* suite /    suite /p; s/^.* program /    program /p' "$events"
	passed=$((passed + $(grep -c ' check ok ' "$events" || true)))
}

run pristine "$KERNEL_KUNIT_PRISTINE" "$SOURCE_KUNIT_PRISTINE"
run series "$KERNEL_KUNIT" "$SOURCE_KUNIT"
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
