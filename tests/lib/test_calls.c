// SPDX-License-Identifier: GPL-2.0
/*
 * Every call fails in turn, with every errno of a list: what was asked fails or gets by
 * without it, says why, leaves the machine as it was, and works when it is tried again.
 */
#include "program.h"

static const int errnos[] = { ENOMEM, EBUSY, EINVAL, EAGAIN, ENOENT, EIO, EPERM, EOPNOTSUPP, EINTR };

struct count {
	unsigned int calls, failed, retried;
};

/* Through two kexecs, so that also what was restored is preserved. True: the call was met. */
static bool go(unsigned long fail_at, int fail_errno, struct count *count)
{
	struct fake *fake = fake_new();
	struct program program;
	bool met;

	if (fail_errno) {
		fake->fail_at = fail_at;
		fake->fail_errno = fail_errno;
	} else {
		fake->allocation_fails_at = fail_at;
	}
	program_start(&program, fake);
	for (int i = 0; i < 2; i++) {
		program_live(&program);
		program_next(&program);
	}
	program_run(&program, take_back_steps);
	program_check(&program);
	/* what goes on without may have made one page table more */
	assert_int_equal(fake_count(fake, OBJECT_IOAS), 2);
	assert_true(fake_count(fake, OBJECT_HWPT) <= 4);
	program_end(&program);
	assert_nothing(fake);
	met = fake->failed;
	count->failed += met;
	count->retried += program.retried;
	/* Once it failed, nothing fails any more. */
	assert_true(program.retried <= met);
	fake_free(fake);
	return met;
}

static void all_with(int fail_errno, struct count *count)
{
	unsigned long fail_at = 1;

	while (go(fail_at, fail_errno, count)) {
		fail_at++;
		assert_true(fail_at < LONGEST);
	}
	count->calls = fail_at - 1;
}

static void test_each_call(void **state)
{
	const int *fail_errno = *state;
	struct count count = { 0 };

	all_with(*fail_errno, &count);
	print_message("%u calls fail with %s: %u were failures of the library\n", count.calls,
		      strerrorname_np(*fail_errno), count.retried);
	assert_true(count.calls > 300);
	/* An interrupted call is made again; what may pass is waited for. */
	if (*fail_errno == EIO)
		assert_true(count.retried > count.calls - 20);
	if (*fail_errno == EINTR)
		assert_true(count.retried < count.calls / 4);
}

/* Likewise of its own memory */
static void test_each_allocation(void **state)
{
	struct count count = { 0 };

	(void)state;
	all_with(0, &count);
	print_message("%u allocations fail: %u were failures of the library\n", count.calls,
		      count.retried);
	assert_true(count.calls > 100);
	assert_true(count.retried > 40);
}

int main(void)
{
	struct CMUnitTest tests[NR(errnos) + 1];
	char names[NR(errnos)][32];

	for (size_t i = 0; i < NR(errnos); i++) {
		snprintf(names[i], sizeof(names[i]), "every call fails: %s", strerrorname_np(errnos[i]));
		tests[i] = (struct CMUnitTest) {
			.name = names[i],
			.test_func = test_each_call,
			.initial_state = (void *)&errnos[i],
		};
	}
	tests[NR(errnos)] = (struct CMUnitTest)cmocka_unit_test(test_each_allocation);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
