#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# usage: check-planted.sh [NAME...]
# Shows that the fuzzers find bugs: puts one at a time of those in "planted" into a
# copy of the sources and runs the fuzzer, which has to fail within a minute. NAME may
# be a shell pattern. Called by make check-planted, with KSRC and O. Ends with a line
# "N passed, N failed, N skipped".
set -eu
cd "$(dirname "$0")"
# shellcheck source=tests/names.sh
. ../names.sh
SECONDS_TO_FIND=60
passed=0 failed=0
own=$O/planted
rm -rf "$own"
mkdir -p "$own"

fail()
{
	failed=$((failed + 1))
	printf 'FAIL: %s: %s\n' "$name" "$1"
	[ $# -lt 2 ] || tail -n 20 "$2" | sed 's/^/    /'
}

# plant FILE EXPRESSION: the copy has one line that the sources have not
plant()
{
	rm -rf "$own/source"
	cp -rs "$(realpath "$KSRC")" "$own/source"
	sed --follow-symlinks "$2" "$KSRC/$1" >"$own/changed"
	rm "$own/source/$1"
	cp "$own/changed" "$own/source/$1"
	[ "$(diff "$KSRC/$1" "$own/changed" | grep -c '^>')" -eq 1 ]
}

build()
{
	rm -rf "$own/build"
	# what is left of a rule may warn
	${MAKE:-make} --no-print-directory -s KSRC="$own/source" O="$own/build" WERROR= \
		-C "$1" "$own/build/$2" >"$own/log" 2>&1
}

directory_of()
{
	case $1 in
	fuzz_liveupdate_check) echo . ;;
	*) grep -lx "programs:.*\$(O)/$1\b.*" ./*/Makefile | xargs dirname ;;
	esac
}

# try FUZZER: what it found
try()
{
	status=0
	start=$(date +%s)
	FUZZ_RUNS=1000000000 timeout "$SECONDS_TO_FIND" "$own/build/$1" >"$own/log" 2>&1 || status=$?
	seconds=$(($(date +%s) - start))
	# what each of them says in its way
	found=$(grep -m 1 -e '^accepted, but' -e '^followed, but' -e 'ERROR: AddressSanitizer' -e 'runtime error:' -e 'does not end' \
		"$own/log" | sed 's/^==[0-9]*==//; s/ on .*address 0x.*//; s,^/[^ ]*/,,') || :
	# one that just ends, for whatever reason, has found nothing
	[ "$status" -ne 0 ] && [ "$status" -ne 124 ] && [ -n "$found" ]
}

while read -r name fuzzer file expression; do
	case $name in '' | \#*) continue ;; esac
	wanted "$name" "$@" || continue
	if ! plant "$file" "$expression"; then
		fail "it does not change one line of $file"
	elif ! build "$(directory_of "$fuzzer")" "$fuzzer"; then
		fail "it does not build" "$own/log"
	elif ! try "$fuzzer"; then
		fail "$fuzzer does not find it within $SECONDS_TO_FIND seconds" "$own/log"
	else
		passed=$((passed + 1))
		printf 'PASS: %s: %s, %s s: %s\n' "$name" "$fuzzer" "$seconds" "$found"
	fi
done <planted

echo "$passed passed, $failed failed, 0 skipped"
# with NAMES all of them may be in another list; who adds up wants one at least
[ "$failed" -eq 0 ]
