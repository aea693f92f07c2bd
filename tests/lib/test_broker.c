// SPDX-License-Identifier: GPL-2.0
/*
 * A broker, as the program of the other tests: the whole way, every call failing in turn
 * with every errno of a list, and the broker dying before every single call. What another
 * program owns goes on before the kexec whatever becomes of the broker, and after it until
 * some broker gets to the end.
 */
#include "broker.h"

#define UPDATES	5
/* Of the points of a second death, and which of them depends on the first. */
#define STRIDE	31

static const int errnos[] = { ENOMEM, EBUSY, EINVAL, ENOENT, EIO, EINTR };

static void live(struct program *program)
{
	program_run(program, program->generation ? broker_later_steps : broker_first_steps);
}

static void back(struct program *program)
{
	program_run(program, broker_back_steps);
}

static void owner_is_served(struct program *program)
{
	owner_check(program);
	assert_int_equal(ilu_role(program->ilu), ILU_ROLE_FINISHED);
	assert_int_equal(ilu_generation(program->ilu), program->generation);
}

/* From one owner to the next, each of whom is killed by the kexec: what was restored is adopted. */
static void test_chain(void **state)
{
	struct program program;
	struct owner owner;

	(void)state;
	broker_start(&program, &owner);
	owner_check(&program);
	for (int i = 0; i < UPDATES; i++) {
		live(&program);
		program_next(&program);
		back(&program);
		owner_is_served(&program);
		assert_int_equal(program.fake->cards[0].fired > 0, 1);
	}
	assert_int_equal(program.retried, 0);
	broker_end(&program);
	owner_check(&program);
	program.ilu = fake_context(program.fake);
	broker_end_all(&program);
}

/* ---- calls that fail ---- */

struct count {
	unsigned int calls, retried;
};

/* True: the call was met. */
static bool go(unsigned long fail_at, int fail_errno, struct count *count)
{
	struct program program;
	struct owner owner;
	struct fake *fake = broker_start(&program, &owner);
	bool met;

	if (fail_errno) {
		fake->fail_at = fail_at;
		fake->fail_errno = fail_errno;
	} else {
		fake->allocations = 0;
		fake->allocation_fails_at = fail_at;
	}
	live(&program);
	program_next(&program);
	back(&program);
	owner_is_served(&program);
	met = fake->failed;
	count->retried += program.retried;
	assert_true(program.retried <= met);
	broker_end_all(&program);
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
	print_message("%u calls of a broker fail with %s: %u were failures of the library\n",
		      count.calls, strerrorname_np(*fail_errno), count.retried);
	assert_true(count.calls > 400);
	if (*fail_errno == EIO)
		assert_true(count.retried > count.calls - 20);
	if (*fail_errno == EINTR)
		assert_true(count.retried < count.calls / 4);
}

static void test_each_allocation(void **state)
{
	struct count count = { 0 };

	(void)state;
	all_with(0, &count);
	print_message("%u allocations of a broker fail: %u were failures of the library\n",
		      count.calls, count.retried);
	assert_true(count.calls > 80);
	assert_true(count.retried > 60);
}

/* ---- deaths ---- */

/* Whatever it was doing: devices go on as they are, and nothing of it is left in the way. */
static void assert_owner_goes_on(struct program *program)
{
	struct fake *fake = program->fake;

	assert_null(fake->sessions);
	for (int i = 0; i < FAKE_CARDS; i++)
		assert_null(fake->cards[i].preserved);
	program_check(program);
	owner_mend(fake, program->owner);
	owner_check(program);
}

static bool die_before_kexec(unsigned long at)
{
	struct program program;
	struct owner owner;
	bool died;

	broker_start(&program, &owner);
	program_end(&program);
	died = program_dies(&program, at, live);
	if (died) {
		assert_owner_goes_on(&program);
		program.ilu = fake_context(program.fake);
		live(&program);
	}
	program_next(&program);
	back(&program);
	owner_is_served(&program);
	broker_end_all(&program);
	return died;
}

static void test_before_kexec(void **state)
{
	unsigned long points = program_each_point(die_before_kexec);

	(void)state;
	print_message("a broker before the kexec: %lu points\n", points);
	assert_true(points >= 200);
}

static struct fake *arrived(struct program *program, struct owner *owner)
{
	struct fake *fake = broker_start(program, owner);

	live(program);
	program_next(program);
	fake_lose(fake, program->ilu);
	program->ilu = NULL;
	return fake;
}

static bool is_finished(const struct fake *fake)
{
	return !fake->sessions;
}

/* The new owner, which has loaded something of its state or all, is killed first. */
static void go_on(struct program *program)
{
	if (is_finished(program->fake)) {
		owner_check(program);
		program->ilu = fake_context(program->fake);
		broker_end_all(program);
		return;
	}
	program_check(program);
	fake_kill_other(program->fake);
	program_check(program);
	program->ilu = fake_context(program->fake);
	back(program);
	owner_is_served(program);
	assert_int_equal(fake_count_other(program->fake, OBJECT_HWPT), 3);
	broker_end_all(program);
}

/* Up to where the new owner has it all */
static void hand_over(struct program *program)
{
	for (const struct step *step = broker_back_steps; strcmp(step->name, "feed"); step++)
		assert_ok(program, step->run(program));
}

/* A new owner that has changed what is mapped, and ended: a new context maps all anew. */
static void test_owner_leaves(void **state)
{
	struct program program;
	struct owner owner;
	struct fake *fake = arrived(&program, &owner);

	(void)state;
	program.ilu = fake_context(fake);
	hand_over(&program);
	owner_check(&program);
	owner_unmap(fake, &owner, owner.ioas[0], BIOS_IOVA, ROM_LENGTH);
	owner_map(fake, &owner, owner.ioas[0], owner.rom, BIOS_IOVA, 0, ROM_LENGTH,
		  IOMMU_IOAS_MAP_READABLE);
	fake_kill_other(fake);
	program_end(&program);
	program.ilu = fake_context(fake);
	back(&program);
	owner_is_served(&program);
	assert_int_equal(fake_count_other(fake, OBJECT_IOAS), 2);
	assert_int_equal(fake_count_other(fake, OBJECT_HWPT), 3);
	broker_end_all(&program);
}

static bool die_after_kexec(unsigned long at)
{
	struct program program;
	struct owner owner;
	bool died;

	arrived(&program, &owner);
	died = program_dies(&program, at, back);
	if (died) {
		go_on(&program);
		return true;
	}
	owner_is_served(&program);
	broker_end_all(&program);
	return false;
}

static void test_after_kexec(void **state)
{
	unsigned long points = program_each_point(die_after_kexec);

	(void)state;
	print_message("a broker after the kexec: %lu points\n", points);
	assert_true(points >= 100);
}

/* 0: the first was never met; 1: both were, 2: the second was not */
static int die_twice(unsigned long first, unsigned long second)
{
	struct program program;
	struct owner owner;
	struct fake *fake = arrived(&program, &owner);

	if (!program_dies(&program, first, back)) {
		broker_end_all(&program);
		return 0;
	}
	if (is_finished(fake)) {
		go_on(&program);
		return 2;
	}
	fake_kill_other(fake);
	if (program_dies(&program, second, back)) {
		go_on(&program);
		return 1;
	}
	owner_is_served(&program);
	broker_end_all(&program);
	return 2;
}

static void test_twice(void **state)
{
	unsigned long pairs = program_each_pair(die_twice, STRIDE);

	(void)state;
	print_message("a broker twice after the kexec: %lu pairs\n", pairs);
	assert_true(pairs > 1000);
}

int main(void)
{
	struct CMUnitTest tests[NR(errnos) + 6];
	char names[NR(errnos)][32];
	size_t nr = 0;

	for (; nr < NR(errnos); nr++) {
		snprintf(names[nr], sizeof(names[nr]), "every call fails: %s",
			 strerrorname_np(errnos[nr]));
		tests[nr] = (struct CMUnitTest) {
			.name = names[nr],
			.test_func = test_each_call,
			.initial_state = (void *)&errnos[nr],
		};
	}
	tests[nr++] = (struct CMUnitTest)cmocka_unit_test(test_each_allocation);
	tests[nr++] = (struct CMUnitTest)cmocka_unit_test(test_chain);
	tests[nr++] = (struct CMUnitTest)cmocka_unit_test(test_before_kexec);
	tests[nr++] = (struct CMUnitTest)cmocka_unit_test(test_after_kexec);
	tests[nr++] = (struct CMUnitTest)cmocka_unit_test(test_twice);
	tests[nr++] = (struct CMUnitTest)cmocka_unit_test(test_owner_leaves);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
