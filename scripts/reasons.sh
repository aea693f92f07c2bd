#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# usage: reasons.sh header | enum | page | count [KERNEL [PATCHES]]
# What is made of lib/reasons.def:
#
#   header   enum ilu_id, into include/iommu-liveupdate.h where its marks are
#   enum     prints it
#   page     prints docs/reasons.md:  scripts/reasons.sh page >docs/reasons.md
#   count    each line of the kernel half has to mean exactly one reason, and each
#            pattern has to fit a line; prints what does not, and how many there are
set -eu
TOP=$(cd "$(dirname "$0")/.." && pwd)
. "$TOP/scripts/lib.sh"

HEADER=$TOP/include/iommu-liveupdate.h
what=${1:-}
[ $# -eq 0 ] || shift
need_tool "${CC:-cc}" awk
make_tmp

enum()
{
	cat <<'C' >"$tmp/enum.c"
#include <stdio.h>
int main(void)
{
	puts("enum ilu_id {\n\tILU_ID_NONE = 0,");
#define ILU_ID(id, number, name, text, hint) printf("\tILU_ID_%s = %d,\t/* %s */\n", #id, number, name);
#include "reasons.def"
	puts("};");
}
C
	"${CC:-cc}" -w -I"$TOP/lib" -o "$tmp/enum" "$tmp/enum.c" || die "cannot compile lib/reasons.def"
	"$tmp/enum"
}

header()
{
	enum >"$tmp/list"
	awk -v list="$tmp/list" '
		/^\/\* made by scripts\/reasons.sh header \*\/$/ { print; while ((getline line < list) > 0) print line; made = 1 }
		/^\/\* end of what is made \*\/$/ { made = 0 }
		!made { print }' "$HEADER" >"$tmp/header"
	cat "$tmp/header" >"$HEADER"
}

# table [count]: reads the lines of the kernel half, and prints what they mean, or what is
# wrong with them
table()
{
	cat <<'C' >"$tmp/table.c"
#include <stdio.h>
#include <stdlib.h>
#include "ids.c"

#define LINES 2000
static char *said[LINES];
static int meant[LINES], nr;

static void read_lines(void)
{
	static char line[4096];

	while (nr < LINES && fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = 0;
		said[nr++] = strdup(line);
	}
}

static const char *text(int i)
{
	const char *tab = strchr(said[i], '\t');

	return tab ? tab + 1 : said[i];
}

static int count(void)
{
	int wrong = 0;

	for (int i = 0; i < nr; i++) {
		int first = 0;

		for (size_t j = 0; j < COUNT(lines); j++) {
			if (!ilu_line_fits(text(i), lines[j].pattern) || (int)lines[j].id == first)
				continue;
			if (first)
				wrong = !!printf("%s: means %s and %s\n", said[i], ids[first].name,
						 ids[lines[j].id].name);
			first = lines[j].id;
		}
		if (!first)
			wrong = !!printf("%s: means nothing\n", said[i]);
	}
	for (size_t j = 0; j < COUNT(lines); j++) {
		int i = 0;

		while (i < nr && !ilu_line_fits(text(i), lines[j].pattern))
			i++;
		if (i == nr)
			wrong = !!printf("the kernel says nothing like \"%s\"\n", lines[j].pattern);
	}
	printf("%d lines\n", nr);
	return wrong;
}

static void page(void)
{
	char group[32] = "";

	for (int i = 0; i < nr; i++)
		meant[i] = ilu_id_by_line(text(i));
	for (size_t id = 1; id < COUNT(ids); id++) {
		size_t length = ids[id].name ? strcspn(ids[id].name, ".") : 0;

		if (!length)
			continue;
		if (strlen(group) != length || memcmp(group, ids[id].name, length)) {
			snprintf(group, sizeof(group), "%.*s", (int)length, ids[id].name);
			printf("\n## %s\n", group);
		}
		printf("\n### %s\n\n%s.\n\nWhat to do: %s.\n", ids[id].name, ids[id].text, ids[id].hint);
		for (int i = 0, first = 1; i < nr; i++) {
			if (meant[i] != (int)id)
				continue;
			if (first)
				puts("");
			first = 0;
			printf("    %s\n", text(i));
		}
	}
}

int main(int argc, char **argv)
{
	(void)argv;
	read_lines();
	if (argc > 1)
		return count();
	page();
	return 0;
}
C
	"${CC:-cc}" -std=gnu11 -w -I"$TOP/lib" -I"$TOP/include" -o "$tmp/table" "$tmp/table.c" ||
		die "cannot compile lib/reasons.def"
	"$tmp/table" "$@"
}

page()
{
	cat <<'HEAD'
# Reasons

<!-- written by scripts/reasons.sh, do not edit -->

Why something is refused: each reason has a name that stays, which
[the command](operators-guide.md) prints and `ilu_error()` of [the library](library.md)
gives as a number. Below it stands what it means, what to do, and the lines of the kernel's
log that say so. The page is made from `lib/reasons.def` and from the kernel half; `make
check` fails if it is not what they say, or if the kernel has a line that means no reason,
or two.
HEAD
	table
}

case $what in
header) header ;;
enum) enum ;;
page | count)
	"$TOP/scripts/refusals.sh" "$@" >"$tmp/lines"
	case $what in
	page) page <"$tmp/lines" ;;
	count) table count <"$tmp/lines" ;;
	esac
	;;
*) die "header, enum, page or count?" ;;
esac
