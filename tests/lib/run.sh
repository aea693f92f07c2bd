#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# usage: run.sh [valgrind]
# Builds the library and its tests, runs them and counts. Called by make check, with
# O and V, and by make valgrind. The last line is "N passed, N failed, N skipped".
set -eu
cd "$(dirname "$0")"
TOP=$(cd ../.. && pwd)
LC_ALL=C; export LC_ALL
HEADER=$TOP/include/iommu-liveupdate.h
MAP=$TOP/lib/libiommu-liveupdate.map
PAGES=$TOP/man/man3
WARN='-Wall -Wextra -Wpedantic -Werror'
passed=0 failed=0 skipped=0
mkdir -p "$O"

# quiet COMMAND...: what it prints only if it fails
quiet()
{
	"$@" >"$O/log" 2>&1 || { cat "$O/log"; return 1; }
}

# check NAME COMMAND...: one test, by exit status
check()
{
	name=$1
	shift
	if "$@" >"$O/output" 2>&1; then
		passed=$((passed + 1))
		sed "s/^/PASS: $name: /" "$O/output"
		[ -s "$O/output" ] || printf 'PASS: %s\n' "$name"
	else
		failed=$((failed + 1))
		cat "$O/output"
		printf 'FAIL: %s\n' "$name"
	fi
}

# with TOOL NAME COMMAND...: skipped without the tool
with()
{
	tool=$1
	shift
	if command -v "$tool" >/dev/null 2>&1; then
		check "$@"
	else
		skipped=$((skipped + 1))
		printf 'SKIP: %s: there is no %s\n' "$1" "$tool"
	fi
}

# cmocka PROGRAM: each test of it counts
cmocka()
{
	status=0
	CMOCKA_MESSAGE_OUTPUT=TAP $wrapper "$1" >"$O/output" 2>"$O/errors" || status=$?
	p=$(grep -c '^ok ' "$O/output") || :
	f=$(grep -c '^not ok ' "$O/output") || :
	plan=$(sed -n 's/^1\.\.\([0-9]*\)$/\1/p' "$O/output" | head -n 1)
	# died halfway, or a sanitizer spoke
	if [ "$((p + f))" -ne "${plan:-0}" ] || { [ "$status" -ne 0 ] && [ "$f" -eq 0 ]; }; then
		echo "FAIL: $(basename "$1") ended with status $status"
		f=$((f + 1))
	fi
	if [ "$f" -ne 0 ] || [ -n "${V:-}" ]; then
		cat "$O/output" "$O/errors"
	else
		# what was counted, from messages
		grep -E '^[0-9]+ (calls|allocations|flips)|: [0-9]+ (points|pairs|deaths)$' "$O/output" || :
	fi
	passed=$((passed + p)) failed=$((failed + f))
	echo "$(basename "$1"): $p of ${plan:-0}"
}

count() { echo "$passed passed, $failed failed, $skipped skipped"; [ "$failed" -eq 0 ]; }

run_make() { ${MAKE:-make} --no-print-directory -s "$@"; }

programs='way calls death arguments manifest check adopt broker'
if [ "${1:-}" = valgrind ]; then
	if ! command -v valgrind >/dev/null 2>&1; then
		echo "SKIP: there is no valgrind"
		echo "0 passed, 0 failed, 1 skipped"
		exit 0
	fi
	run_make valgrind-programs
	# what a program that died has left is no error here: the other build looks for leaks
	wrapper='valgrind -q --error-exitcode=9'
	for name in way arguments manifest check adopt; do cmocka "$O/plain/test_$name"; done
	count
	exit
fi

wrapper=
if ! run_make programs >"$O/build.log" 2>&1; then
	cat "$O/build.log"
	echo "FAIL: build"
	echo "0 passed, 1 failed, 0 skipped"
	exit 1
fi
for name in $programs; do cmocka "$O/test_$name"; done
check 'fuzz manifest' "$O/fuzz_manifest"

# ---------------------------------------------------------------- the library as it is built

# build COMPILER
build() { quiet run_make -C "$TOP/lib" O="$O/lib-$1" CC="$1" CFLAGS="-O2 -g -Werror"; }
check 'builds with gcc without a warning' build gcc
with clang 'builds with clang without a warning' build clang

header_of()
{
	printf '#include "iommu-liveupdate.h"\n%s\n' "$3" >"$O/header.$2"
	# shellcheck disable=SC2086
	$1 $WARN -I"$TOP/include" -fsyntax-only "$O/header.$2"
}
check 'header alone, C11' header_of 'gcc -std=c11' c ''
with g++ 'header alone, C++' header_of g++ cc \
	'ilu *make() { ilu_new_opts opts = {}; opts.size = sizeof(opts); return ilu_new(&opts); }'

# Functions of the header, outside of comments
declared() { awk '/^\/\*/ { c = 1 } !c { print } /\*\// { c = 0 }' "$HEADER" | grep -oE '\bilu_[a-z_]+\(' | tr -d '(' | sort -u; }
# symbols OPTION... FILE: into a file, as what nm could not read has no symbols either
symbols() { nm "$@" >"$O/symbols"; }
exported() { symbols -D --defined-only "$O/lib-gcc/libiommu-liveupdate.so" && sed -n 's/.* T \([a-z_]*\)@@ILU_0\.[12]$/\1/p' "$O/symbols" | sort; }
mapped() { sed -n 's/^\t\(ilu_[a-z_]*\);$/\1/p' "$MAP" | sort; }

# same NAME NAME: what two functions of this script print
same()
{
	"$1" >"$O/one"
	"$2" >"$O/other"
	[ -s "$O/one" ] && diff "$O/one" "$O/other" && echo "$(wc -l <"$O/one") functions"
}
check 'header and map agree' same declared mapped
check 'map and library agree' same mapped exported

nothing_else()
{
	symbols -D --defined-only "$O/lib-gcc/libiommu-liveupdate.so" || return 1
	grep -v -e ' A ILU_0\.[12]$' -e '@@ILU_0\.[12]$' "$O/symbols" && return 1
	readelf -d "$O/lib-gcc/libiommu-liveupdate.so" >"$O/dynamic" || return 1
	grep -q 'SONAME.*\[libiommu-liveupdate.so.0\]' "$O/dynamic" || { echo "another soname"; return 1; }
	! grep 'NEEDED' "$O/dynamic" | grep -v 'libc\.so'
}
check 'exports nothing else, needs the C library alone' nothing_else

# Contexts know nothing of each other
no_variables()
{
	size -A "$O/lib-gcc/libiommu-liveupdate.a" >"$O/sizes" || return 1
	awk '$1 ~ /^\.(data|bss|tdata|tbss)$/ { sum += $2 } END { if (sum) print sum " bytes of variables"; exit sum > 0 }' "$O/sizes"
}
check 'has no variables' no_variables

# Neither prints, nor ends the program, nor starts anything
calls_nothing()
{
	symbols "$O/lib-gcc/libiommu-liveupdate.a" || return 1
	! sed -n 's/.* U //p' "$O/symbols" | sort -u |
		grep -E '^(__)?([vfd]*printf|puts|fputs|putc|fputc|f?write|exit|_exit|quick_exit|abort|perror|fork|vfork|clone|system|popen|pthread_create|thrd_create|signal|sigaction|atexit)(_chk)?$'
}
check 'does not print, end or start anything' calls_nothing

installs()
{
	root=$O/root
	rm -rf "$root"
	quiet run_make -C "$TOP/lib" O="$O/lib-gcc" DESTDIR="$root" PREFIX=/usr install || return 1
	printf '#include <iommu-liveupdate.h>\nint main(void) { struct ilu *i = ilu_new(0); ilu_free(i); return !i; }\n' >"$O/user.c"
	gcc -o "$O/user-static" -I"$root/usr/include" "$O/user.c" "$root/usr/lib/libiommu-liveupdate.a" &&
		"$O/user-static" || return 1
	# shellcheck disable=SC2046
	gcc -o "$O/user-shared" "$O/user.c" $(PKG_CONFIG_SYSROOT_DIR=$root PKG_CONFIG_LIBDIR=$root/usr/lib/pkgconfig \
		pkg-config --cflags --libs iommu-liveupdate) && LD_LIBRARY_PATH=$root/usr/lib "$O/user-shared" || return 1
	LD_LIBRARY_PATH=$root/usr/lib ldd "$O/user-shared" >"$O/libraries" || return 1
	grep -q "$root/usr/lib/libiommu-liveupdate.so.0" "$O/libraries" ||
		{ echo "the program does not use the shared library"; return 1; }
	[ "$(find "$root/usr/share/man/man3" -name '*.3' | wc -l)" -gt 10 ] || { echo "where are the pages?"; return 1; }
	echo "$(find "$root" ! -type d | wc -l) files"
}
with pkg-config 'installs, and a program uses it by pkg-config' installs

# ---------------------------------------------------------------- pages of manual

paged() { sed -n '/^\.SH NAME/,/^\.SH/p' "$PAGES"/*.3 | sed 's/\\-.*//' | grep -oE '\bilu_[a-z_]+' | sort; }
check 'each function has a page, and each page a function' same mapped paged

# the prototypes in the pages are those of the header, but for the line ends
flat() { tr '\n\t' '  ' | sed 's/  */ /g'; }
prototypes()
{
	awk '/^\/\*/ { c = 1 } !c { print } /\*\// { c = 0 }' "$HEADER" | flat >"$O/header"
	for page in "$PAGES"/*.3; do
		sed -n '/^\.SH SYNOPSIS/,/^\.SH DESCRIPTION/p' "$page" | grep -v '^\.\(SH\|nf\|fi\|PP\|B\)' | sed 's/\\-/-/g' |
			flat | sed 's/;/;\n/g' | sed 's/^ //' | while read -r line; do
			case $line in
			*'('*';') grep -qF "$line" "$O/header" || { echo "${page##*/}: $line"; } ;;
			esac
		done
	done >"$O/wrong"
	[ ! -s "$O/wrong" ] || { cat "$O/wrong"; return 1; }
	nr=$(cat "$PAGES"/*.3 | sed -n '/^\.SH SYNOPSIS/,/^\.SH DESCRIPTION/p' | grep -c ';$') || :
	[ "$nr" -eq "$(mapped | wc -l)" ] || { echo "$nr prototypes of $(mapped | wc -l) functions"; return 1; }
	echo "$nr prototypes"
}
check 'prototypes of the pages are those of the header' prototypes

clean_pages()
{
	for page in $(grep -L '^\.so ' "$PAGES"/*.3); do
		groff -man -Tutf8 -ww -z "$page" >"$O/groff" 2>&1 || echo "groff fails" >>"$O/groff"
		sed "s/^/${page##*/}: /" "$O/groff"
	done >"$O/wrong"
	[ ! -s "$O/wrong" ] || { cat "$O/wrong"; return 1; }
	echo "$(grep -L '^\.so ' "$PAGES"/*.3 | wc -l) pages"
}
with groff 'groff has nothing to say about the pages' clean_pages

# man finds each function, by a page of its own or one that leads there
found()
{
	mapped | while read -r name; do
		page=$PAGES/$name.3
		[ -f "$page" ] || { echo "there is no $name.3"; continue; }
		other=$(sed -n 's/^\.so man3\///p' "$page")
		[ -z "$other" ] || page=$PAGES/$other
		sed -n '/^\.SH NAME/,/^\.SH LIB/p' "$page" | grep -qw "$name" || echo "$name.3 leads to a page without it"
	done >"$O/wrong"
	[ ! -s "$O/wrong" ] || { cat "$O/wrong"; return 1; }
}
check 'man finds each function' found

links()
{
	grep -ohE '\bilu_[a-z_]+ ?\(3\)|^\.BR ilu_[a-z_]+ \(3\)' "$PAGES"/*.3 | grep -oE 'ilu_[a-z_]+' | sort -u |
		while read -r word; do mapped | grep -qx "$word" || echo "$word"; done >"$O/wrong"
	[ ! -s "$O/wrong" ] || { cat "$O/wrong"; return 1; }
}
check 'pages name only functions that there are' links

# ---------------------------------------------------------------- reasons

# Each line with which the kernel half refuses something means one reason, each pattern a line.
check 'each line of the kernel half means exactly one reason' "$TOP/scripts/reasons.sh" count

# The header and the page are made of the table
made()
{
	sed -n '/^enum ilu_id {/,/^};/p' "$HEADER" >"$O/one"
	"$TOP/scripts/reasons.sh" enum >"$O/other"
	diff "$O/one" "$O/other" && "$TOP/scripts/reasons.sh" page >"$O/page" && diff "$TOP/docs/reasons.md" "$O/page" ||
		{ echo "scripts/reasons.sh header; scripts/reasons.sh page >docs/reasons.md"; return 1; }
	grep -o 'ILU_ID_[A-Z_]* = [1-9][0-9]*' "$O/one" | sed 's/.* //' | sort | uniq -d >"$O/wrong"
	[ ! -s "$O/wrong" ] || { echo "numbers that are there twice:"; cat "$O/wrong"; return 1; }
	echo "$(grep -c '= [1-9]' "$O/one") reasons"
}
check 'enum ilu_id and the page of reasons are made of the table' made

# every call of the system that the library names has its name, and no text is said twice
reasons()
{
	sed -n 's/^ILU_CALL(\([A-Z_]*\),.*/\1/p' "$TOP/lib/reasons.def" | while read -r call; do
		case $call in ANY) continue ;; esac
		grep -q "ILU_CALL_$call\b" "$TOP"/lib/*.c "$TOP"/tools/*/*.c || echo "nobody makes the call $call"
	done >"$O/wrong"
	sed -n 's/^ILU_OWN(\([A-Z_]*\),.*/\1/p' "$TOP/lib/reasons.def" | while read -r own; do
		grep -q "ILU_OWN_$own\b" "$TOP"/lib/*.c || echo "nobody gives the reason $own"
	done >>"$O/wrong"
	sed -n 's/^ILU_REASON(\([A-Z_]*, [A-Z0-9]*\),.*/\1/p' "$TOP/lib/reasons.def" | sort | uniq -d >>"$O/wrong"
	[ ! -s "$O/wrong" ] || { cat "$O/wrong"; return 1; }
	echo "$(grep -c '^ILU_\(REASON\|OWN\)' "$TOP/lib/reasons.def") reasons"
}
check 'each reason is given, and once' reasons

count
