/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests have in common: cmocka, tables whose rows are one test each, and
 * the comparison with bytes that were written once and for all.
 */
#ifndef TESTS_UNIT_TEST_H
#define TESTS_UNIT_TEST_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <linux/array_size.h>

#include "bytes.h"

/*
 * A table of alterations: ALTERATIONS(X) has a row X(name, what is altered, members
 * of struct alteration...) for each, ALTERED declares what is altered. The arguments
 * are the members, as they would be declared.
 */
#define DEFINE_ALTERATIONS(...) \
ALTERATIONS(ALTERATION_FUNCTION) \
struct alteration { \
	const char *name; \
	void (*alter)(ALTERED); \
	__VA_ARGS__ \
}; \
static const struct alteration alterations[] = { ALTERATIONS(ALTERATION_ROW) }

#define ALTERATION_FUNCTION(name, what, ...) static void alter_##name(ALTERED) { what; }
#define ALTERATION_ROW(name, what, ...) { #name, alter_##name, ##__VA_ARGS__ },

/*
 * Runs the tests, and then one test for each row of the table, which begins with its
 * name and is found in *state.
 */
#define RUN_TESTS_AND_TABLE(group, tests, test, table) \
	run_tests_and_table(group, tests, ARRAY_SIZE(tests), test, table, sizeof((table)[0]), ARRAY_SIZE(table))

int run_tests_and_table(const char *group, const struct CMUnitTest *tests, size_t nr_tests,
			CMUnitTestFunction test, const void *table, size_t row_size, size_t nr_rows);

/* That path has what this prints. */
void assert_golden(const char *path, void (*print)(FILE *file));
/* The path that is named, if one is. With --print-golden prints what should be there, and ends. */
const char *golden_path_of(int argc, char **argv, const char *otherwise, void (*print)(FILE *file));

#endif
