#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# usage: check-planted.sh [NAME...]
# Shows that the tests of the library can fail: puts one at a time of the bugs in
# "planted" into a copy of it and runs the program that is named there, which has to
# fail. NAME may be a shell pattern. Called by make check-planted, with O. Ends with a
# line "N passed, N failed, N skipped".
set -eu
cd "$(dirname "$0")"
# shellcheck source=tests/names.sh
. ../names.sh
SECONDS_TO_FIND=120
SOURCES=$(cd ../../lib && pwd)
passed=0 failed=0
own=$O/planted
rm -rf "$own"
mkdir -p "$own"
cp -r "$SOURCES" "$own/lib"

fail()
{
	failed=$((failed + 1))
	printf 'FAIL: %s: %s\n' "$name" "$1"
	[ $# -lt 2 ] || tail -n 20 "$2" | sed 's/^/    /'
}

# plant FILE EXPRESSION
plant()
{
	sed "$2" "$SOURCES/$1" >"$own/lib/$1"
	! cmp -s "$SOURCES/$1" "$own/lib/$1"
}

program_of()
{
	case $1 in
	fuzz) echo "$own/build/fuzz_manifest" ;;
	*) echo "$own/build/test_$1" ;;
	esac
}

# what is left of a function may warn
build()
{
	${MAKE:-make} --no-print-directory -s LIB="$own/lib" O="$own/build" WERROR=-w "$1" >"$own/log" 2>&1
}

# try PROGRAM: what it found
try()
{
	status=0
	FUZZ_RUNS=5000000 timeout "$SECONDS_TO_FIND" "$1" >"$own/log" 2>&1 || status=$?
	found=$(grep -a -m 1 -e '^\[  FAILED  \] [a-z]' -e '^accepted, but' -e 'ERROR: AddressSanitizer' \
		-e 'ERROR: LeakSanitizer' -e 'runtime error:' -e 'does not end' "$own/log" |
		sed 's/^==[0-9]*==//; s/ on .*address 0x.*//; s,^/[^ ]*/,,; s/^\[  FAILED  \] //') || :
	[ "$status" -ne 0 ] && { [ "$status" -eq 124 ] || [ -n "$found" ] || [ "$status" -gt 128 ]; }
}

while read -r name test file expression; do
	case $name in '' | \#*) continue ;; esac
	wanted "$name" "$@" || continue
	program=$(program_of "$test")
	if ! plant "$file" "$expression"; then
		fail "it does not change $file"
	elif ! build "$program"; then
		fail "it does not build" "$own/log"
	elif ! try "$program"; then
		fail "$(basename "$program") does not find it" "$own/log"
	else
		passed=$((passed + 1))
		printf 'PASS: %s: %s: %s\n' "$name" "$(basename "$program")" "${found:-ended with status $status}"
	fi
	cp "$SOURCES/$file" "$own/lib/$file"
done <planted

echo "$passed passed, $failed failed, 0 skipped"
# with NAMES all of them may be in another list; who adds up wants one at least
[ "$failed" -eq 0 ]
