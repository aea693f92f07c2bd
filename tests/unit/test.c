// SPDX-License-Identifier: GPL-2.0
#include "test.h"

int run_tests_and_table(const char *group, const struct CMUnitTest *tests, size_t nr_tests,
			CMUnitTestFunction test, const void *table, size_t row_size, size_t nr_rows)
{
	struct CMUnitTest *all = calloc(nr_tests + nr_rows, sizeof(*all));
	int failed;

	memcpy(all, tests, nr_tests * sizeof(*all));
	for (size_t i = 0; i < nr_rows; i++) {
		const char *row = (const char *)table + i * row_size;

		all[nr_tests + i] = (struct CMUnitTest){
			.name = *(const char *const *)row,
			.test_func = test,
			.initial_state = (void *)row,
		};
	}
	failed = _cmocka_run_group_tests(group, all, nr_tests + nr_rows, NULL, NULL);
	free(all);
	return failed;
}

void assert_golden(const char *path, void (*print)(FILE *file))
{
	char *before, *now;
	size_t len, got;
	FILE *file = open_memstream(&now, &len);

	print(file);
	fclose(file);
	before = calloc(1, len + 2);
	file = fopen(path, "r");
	if (!file)
		fail_msg("cannot open %s", path);
	got = fread(before, 1, len + 1, file);
	fclose(file);
	assert_int_equal(got, len);
	assert_string_equal(before, now);
	free(before);
	free(now);
}

const char *golden_path_of(int argc, char **argv, const char *otherwise, void (*print)(FILE *file))
{
	if (argc > 1 && !strcmp(argv[1], "--print-golden")) {
		print(stdout);
		exit(0);
	}
	return argc > 1 ? argv[1] : otherwise;
}
