#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Builds the tests, runs them and counts. Called by make check, with KSRC, O, V.
set -eu
cd "$(dirname "$0")"

if [ ! -f "$KSRC/drivers/iommu/liveupdate-check.c" ]; then
	echo "SKIP: no kernel sources in kernel/, name a tree with KSRC="
	echo "0 passed, 0 failed, 1 skipped"
	exit 0
fi

mkdir -p "$O"
passed=0 failed=0 skipped=0
if ! ${MAKE:-make} --no-print-directory -s KSRC="$KSRC" programs >"$O/build.log" 2>&1; then
	cat "$O/build.log"
	echo "FAIL: build"
	echo "0 passed, 1 failed, 0 skipped"
	exit 1
fi
cat "$O/build.log"

# cmocka PROGRAM ARGS...: each test of the program counts
cmocka()
{
	status=0
	CMOCKA_MESSAGE_OUTPUT=TAP "$@" >"$O/output" 2>"$O/errors" || status=$?
	p=$(grep -c '^ok ' "$O/output") || :
	f=$(grep -c '^not ok ' "$O/output") || :
	plan=$(sed -n 's/^1\.\.\([0-9]*\)$/\1/p' "$O/output" | head -n 1)
	# died halfway, or a sanitizer spoke
	if [ "$((p + f))" -ne "${plan:-0}" ] || { [ "$status" -ne 0 ] && [ "$f" -eq 0 ]; }; then
		echo "FAIL: $(basename "$1") ended with status $status"
		f=$((f + 1))
	fi
	if [ "$f" -ne 0 ] || [ -n "$V" ]; then
		cat "$O/output" "$O/errors"
	fi
	passed=$((passed + p)) failed=$((failed + f))
}

# program NAME COMMAND...: one test, by exit status
program()
{
	name=$1
	shift
	if "$@" >"$O/output" 2>&1; then
		passed=$((passed + 1))
		sed "s/^/PASS: $name: /" "$O/output"
	else
		failed=$((failed + 1))
		cat "$O/output"
		printf 'FAIL: %s\n' "$name"
	fi
}

# The page about the records is what the headers say
abi_page()
{
	../../scripts/abi-page.sh "$KSRC" >"$O/abi.md"
	diff "$O/abi.md" ../../docs/abi.md || { echo "docs/abi.md is old: scripts/abi-page.sh >docs/abi.md" >&2; return 1; }
	echo "docs/abi.md is made from them"
}

program 'headers of the records' abi_page
cmocka "$O/test_liveupdate_check" golden/iommu-v1.txt
cmocka "$O/test_iommufd_check"
cmocka "$O/test_replace"
cmocka "$O/test_glue"
cmocka "$O/test_handover"
cmocka "$O/test_hold"
cmocka "$O/test_pci_check" golden/pci-v1.txt
cmocka "$O/test_pci_state"
cmocka "$O/test_pci_bars"
cmocka "$O/test_pci_preserve"
cmocka "$O/test_pci_reset"
cmocka "$O/test_vfio_record"
cmocka "$O/test_vfio_incoming"
cmocka "$O/test_reclaim"
for fuzzer in liveupdate_check iommufd_check handover pci_check pci_state vfio_record; do
	program "fuzz $fuzzer" "$O/fuzz_$fuzzer"
done

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
