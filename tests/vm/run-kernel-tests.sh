#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The kernel's own tests, on a kernel with the series, on one without it, and on one with
# the parts of it that have no option (see scripts/apply-series.sh, front): what
# KUnit finds at boot, the programs of kselftest for iommufd, udmabuf and liveupdate,
# those of the latter through a kexec, and the simulator of memblock. Every suite of
# KUnit has to pass.
# Some tests of kselftest want more than this small machine has: what counts is that
# none passes on the one kernel and fails on the other.
#
# usage: run-kernel-tests.sh [kunit [SUITE] | mock [NAME]]
# With "kunit" only the suites of live update and of the replacement, on the series only,
# or those with SUITE in their names. With "mock" the test with the made-up IOMMU, in all
# its forms or in those with NAME in theirs; plain "kunit" has it at its end.
#
#   KERNEL_KUNIT, KERNEL_KUNIT_FRONT, KERNEL_KUNIT_PRISTINE   bzImages, see scripts/env.sh
#   SOURCE_KUNIT, SOURCE_KUNIT_FRONT, SOURCE_KUNIT_PRISTINE   the trees they were built
#                                                 from; the first is found
set -eu
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/vm/lib.sh
. "$here/lib.sh"
: "${KERNEL_KUNIT:?bzImage}"
SOURCE_KUNIT=${SOURCE_KUNIT:-$("$here/../../scripts/apply-series.sh")}
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
	for source in "$selftests"/iommu/iommufd.c "$selftests"/iommu/iommufd_liveupdate.c \
		"$selftests"/drivers/dma-buf/udmabuf_fallocate.c; do
		# the last two come with the series
		[ ! -f "$source" ] || compile "$programs/$(basename "$source" .c)" "$source"
	done
	compile "$programs/liveupdate" "$selftests/liveupdate/liveupdate.c" \
		"$selftests"/liveupdate/lib/*.c
	for source in "$selftests"/liveupdate/luo_*.c; do
		# that of the made-up IOMMU wants a machine of its own, see run_mock
		case $source in */luo_stress_* | */luo_iommu_mock.c) continue ;; esac
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
		--timeout "${TEST_TIMEOUT:-1200}" --memory 1024 --guest lu_jump=1 \
		--append kunit.autorun=0 --tests "$BUILD_DIR/selftests-$1" || status=$?
	sed -n 's/^.* suite /  suite /p; s/^.* program /  program /p' \
		"$results/kernel-tests-$1/events.log"
	tests_of "$1" ok >"$BUILD_DIR/ok-$1"
	tests_of "$1" 'not ok' >"$BUILD_DIR/not-ok-$1"
	echo "  tests of kselftest: $(wc -l <"$BUILD_DIR/ok-$1") passed, $(wc -l <"$BUILD_DIR/not-ok-$1") not"
	count "$status" "$1: every KUnit suite passes, no warning in the log"
}

# tests_of WHICH ok|'not ok' ; names like iommufd_ioas.no_domain.map, and each
# program, of two stages or of one
tests_of()
{
	{
		sed -n "s/^ *[0-9.]* $2 [0-9][0-9]* \([A-Za-z0-9_]*\.[^ ]*\).*/\1/p" \
			"$results/kernel-tests-$1/console.log"
		sed -n 's/^.* program name=\([^ ]*\) stage=\([-12]\) status=\(.*\)/\1-\2 \3/p' \
			"$results/kernel-tests-$1/events.log" |
			while read -r program status; do
				case "$2 $status" in 'ok 0x0' | 'not ok 0x'[1-9a-f]*) echo "$program" ;; esac
			done
	} | sort
}

# count STATUS TEXT
count()
{
	if [ "$1" -eq 0 ]; then
		passed=$((passed + 1)); echo "PASS $2"
	else
		failed=$((failed + 1)); echo "FAIL $2"
	fi
}

# compare WHICH ; with the pristine kernel
compare()
{
	comm -12 "$BUILD_DIR/ok-pristine" "$BUILD_DIR/not-ok-$1" >"$BUILD_DIR/worse"
	sed "s/^/  passes on the pristine kernel, not on $1: /" "$BUILD_DIR/worse"
	status=0
	[ -s "$BUILD_DIR/ok-$1" ] && [ ! -s "$BUILD_DIR/worse" ] || status=1
	count "$status" "$1: what passes on the pristine kernel passes"
	comm -23 "$BUILD_DIR/not-ok-$1" "$BUILD_DIR/not-ok-pristine" >"$BUILD_DIR/new"
	sed 's/^/  fails: /' "$BUILD_DIR/new"
	status=0
	[ ! -s "$BUILD_DIR/new" ] || status=1
	count "$status" "$1: what the pristine kernel does not have passes"
}

# failed_cases ; what the log has of each, with its name in front: all between the
# result of the case before and its own.
failed_cases()
{
	sed 's/^ *[0-9.]* \[ *[0-9.]*\] //' "$results/kunit/console.log" | awk '
		/KTAP version/ || /^    ok [0-9]/ { nr = 0; next }
		/^    not ok [0-9]/ {
			for (i = 0; i < nr; i++)
				print "  " $4 ": " line[i]
			nr = 0
			next
		}
		{ sub(/^ */, ""); line[nr++] = $0 }'
}

# mock_run NAME OPTIONS... ; a machine without an IOMMU, from kernel to kernel
mock_run()
{
	case $1 in *"$wanted"*) ;; *) return 0 ;; esac
	name=$1
	shift
	status=0
	vm_run "$name" "$KERNEL_KUNIT" "$KERNEL_KUNIT" --script mock --expect checks --no-iommu \
		--timeout "${TEST_TIMEOUT:-300}" --memory 1024 --tests "$BUILD_DIR/selftests-mock" \
		--append "kunit.autorun=0;iommufd.allow_unsafe_interrupts=1" "$@" || status=$?
	count "$status" "$name"
}

# mock_damaged NUMBER NAME ARGUMENT ; the number is that of enum mock_harm
mock_damaged()
{
	mock_run "mock-damaged-$2" --guest "lu_arguments=$3" \
		--old-append "iommu_liveupdate_mock.harm=$1"
}

# run_mock [NAME] ; a table that both units name, and not alike, makes all records useless
run_mock()
{
	wanted=${1:-}
	selftests=$SOURCE_KUNIT/tools/testing/selftests
	rm -rf "$BUILD_DIR/selftests-mock"
	mkdir -p "$BUILD_DIR/selftests-mock"
	compile "$BUILD_DIR/selftests-mock/luo_iommu_mock" "$selftests/liveupdate/luo_iommu_mock.c" \
		"$selftests"/liveupdate/lib/*.c
	mock_run mock-chain --updates 3
	mock_run mock-group-partly --guest lu_arguments=-k
	mock_run mock-late-unit --new-append iommu_liveupdate_mock.units=1
	mock_damaged 1 type -X
	mock_damaged 2 length -x
	mock_damaged 3 nr -x
	mock_damaged 4 control -x
	mock_damaged 5 table-kind -X
	mock_damaged 6 pasid -p
}

# run_kunit [SUITE] ; each suite counts, and the log of the whole run. The others of
# page tables take minutes, and are for make check-kernel.
run_kunit()
{
	status=0
	vm_run kunit "$KERNEL_KUNIT" "$KERNEL_KUNIT" --script kernel-tests --expect checks \
		--timeout "${TEST_TIMEOUT:-600}" --memory 1024 --append kunit.autorun=0 \
		--guest "lu_suites=${1:-liveupdate+intel-iommu-replace}" || status=$?
	sed -n 's/^.* suite name=/  suite /p' "$results/kunit/events.log"
	failed_cases
	passed=$(grep -c ' check ok KUnit suite ' "$results/kunit/events.log") || :
	failed=$(grep -c ' check FAILED KUnit suite ' "$results/kunit/events.log") || :
	[ "$status" -eq 0 ] && [ "$passed" -gt 0 ] || status=1
	count "$status" "no warning in the log of KUnit's run"
}

# run_memblock ; the kernel's own simulator of early memory compiles mm/memblock.c by itself
run_memblock()
{
	tree=$BUILD_DIR/memblock
	rm -rf "$tree"
	mkdir -p "$tree/tools/testing"
	for part in mm include lib arch tools/include tools/lib tools/arch tools/testing/selftests; do
		ln -s "$SOURCE_KUNIT/$part" "$tree/$part"
	done
	cp -r "$SOURCE_KUNIT/tools/testing/memblock" "$tree/tools/testing"
	status=0
	{ make -C "$tree/tools/testing/memblock" && "$tree/tools/testing/memblock/main" -v; } \
		>"$BUILD_DIR/memblock.log" 2>&1 || status=1
	[ "$status" -eq 0 ] || tail -n 20 "$BUILD_DIR/memblock.log" | sed 's/^/    /'
	count "$status" "the simulator of memblock"
}

case ${1:-} in
kunit)
	run_kunit "${2:-}"
	[ -n "${2:-}" ] || run_mock
	;;
mock) run_mock "${2:-}" ;;
'')
	: "${KERNEL_KUNIT_PRISTINE:?bzImage}" "${SOURCE_KUNIT:?}" "${SOURCE_KUNIT_PRISTINE:?}"
	: "${KERNEL_KUNIT_FRONT:?bzImage}" "${SOURCE_KUNIT_FRONT:?}"
	run_memblock
	run pristine "$KERNEL_KUNIT_PRISTINE" "$SOURCE_KUNIT_PRISTINE"
	run front "$KERNEL_KUNIT_FRONT" "$SOURCE_KUNIT_FRONT"
	run series "$KERNEL_KUNIT" "$SOURCE_KUNIT"
	compare front
	compare series
	;;
*) sed -n '11,14s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
