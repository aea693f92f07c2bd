// SPDX-License-Identifier: GPL-2.0
/*
 * The program dies before every single call. Before the kexec all is then as if nothing
 * had been; afterwards the devices go on, and another instance gets to the end, which
 * may die as well.
 */
#include "program.h"

#ifndef PLAIN
#include <sanitizer/lsan_interface.h>
#else
#define __lsan_disable()
#define __lsan_enable()
#endif

/* Of the points of a second death, and which of them depends on the first. */
#define STRIDE		11

static void live_to_the_end(struct program *program)
{
	program_run(program, take_back_steps);
}

/* The whole way, in a machine where somebody has died */
static void live_anew(struct fake *fake)
{
	struct program program;

	program_start(&program, fake);
	assert_non_null(program.ilu);
	program_live(&program);
	program_next(&program);
	program_run(&program, take_back_steps);
	program_check(&program);
	program_end(&program);
	assert_nothing(fake);
}

/* In the next kernel, to the end. Nothing of anybody else is left in the iommufd. */
static void live_on(struct program *program)
{
	program->ilu = fake_context(program->fake);
	program_run(program, take_back_steps);
	program_check(program);
	assert_int_equal(fake_count(program->fake, OBJECT_IOAS), 2);
	assert_int_equal(fake_count(program->fake, OBJECT_HWPT), 3);
	assert_int_equal(fake_count(program->fake, OBJECT_DEVICE), 3);
	program_run(program, leave_steps);
	program_next(program);
	program_run(program, take_back_steps);
	program_check(program);
	program_end(program);
	assert_nothing(program->fake);
}

static bool die_before_kexec(unsigned long at)
{
	struct fake *fake = fake_new();
	struct program program = { .fake = fake };
	bool died = program_dies(&program, at, program_live);

	if (died) {
		assert_nothing(fake);
		live_anew(fake);
	} else {
		fake_lose(fake, program.ilu);
	}
	fake_free(fake);
	return died;
}

static void test_before_kexec(void **state)
{
	unsigned long points = program_each_point(die_before_kexec);

	(void)state;
	print_message("before the kexec: %lu points\n", points);
	assert_true(points >= 100);
}

/* A machine in which everything has just come in */
static struct fake *arrived(struct program *program)
{
	struct fake *fake = fake_new();

	program_start(program, fake);
	program_live(program);
	program_next(program);
	fake_lose(fake, program->ilu);
	program->ilu = NULL;
	return fake;
}

static bool is_finished(const struct fake *fake)
{
	return !fake->sessions;
}

/* Whoever dies after the finish has had devices like any others. */
static void go_on(struct program *program)
{
	if (is_finished(program->fake)) {
		assert_nothing(program->fake);
		live_anew(program->fake);
	} else {
		program_check(program);
		live_on(program);
	}
}

static bool die_after_kexec(unsigned long at)
{
	struct program program;
	struct fake *fake = arrived(&program);
	bool died = program_dies(&program, at, live_to_the_end);

	if (died)
		go_on(&program);
	else
		program_end(&program);
	fake_free(fake);
	return died;
}

static void test_after_kexec(void **state)
{
	unsigned long points = program_each_point(die_after_kexec);

	(void)state;
	print_message("after the kexec: %lu points\n", points);
	assert_true(points >= 100);
}

/* 0: the first was never met; 1: both were, 2: the second was not */
static int die_twice(unsigned long first, unsigned long second)
{
	struct program program;
	struct fake *fake = arrived(&program);
	int result = 0;

	if (program_dies(&program, first, live_to_the_end)) {
		result = 2;
		if (!is_finished(fake) && program_dies(&program, second, live_to_the_end))
			result = 1;
		if (program.ilu) {
			program_check(&program);
			program_end(&program);
		} else {
			go_on(&program);
		}
	} else {
		program_end(&program);
	}
	fake_free(fake);
	return result;
}

static void test_twice(void **state)
{
	unsigned long pairs = program_each_pair(die_twice, STRIDE);

	(void)state;
	print_message("twice after the kexec: %lu pairs\n", pairs);
	assert_true(pairs > 1000);
}

/* Many times in a row, each a little later than the last; and it gets there. */
static void test_many_times(void **state)
{
	struct program program;
	struct fake *fake = arrived(&program);
	unsigned long at = 1, deaths = 0;

	(void)state;
	while (program_dies(&program, at, live_to_the_end) && !is_finished(fake)) {
		program_check(&program);
		deaths++;
		at += 3;
	}
	print_message("in a row: %lu deaths\n", deaths);
	assert_true(deaths > 50);
	if (program.ilu)
		program_end(&program);
	assert_nothing(fake);
	fake_free(fake);
}

/* Up to where all devices have changed over, and what others have left is still there. */
static void restore_only(struct program *program)
{
	assert_ok(program, ilu_session_open(program->ilu, "vm1"));
	for (int i = 0; i < RESTORE_STEPS; i++)
		assert_int_equal(ilu_restore_step(program->ilu), 1);
}

/* What is in the iommufd is what the last two have made, if all die when all is restored. */
static void test_leftovers(void **state)
{
	struct program program;
	struct fake *fake = arrived(&program);

	(void)state;
	for (int i = 0; i < 40; i++) {
		assert_false(program_dies(&program, 0, restore_only));
		program_check(&program);
		/* in which the dead one's memory is, for the leak check */
		fake_lose(fake, program.ilu);
		program.ilu = NULL;
		fake_kill(fake);
		program_check(&program);
		assert_in_range(fake_count_incoming(fake, OBJECT_IOAS), 2, 4);
		assert_in_range(fake_count_incoming(fake, OBJECT_HWPT), 3, 6);
	}
	live_on(&program);
	fake_free(fake);
}

/* ---- somebody else, such as systemd, holds the session ---- */

static void set_blobs(struct program *program)
{
	assert_ok(program, ilu_blob_set(program->ilu, "late", "new", 3));
	assert_ok(program, ilu_blob_set(program->ilu, "late", "newest", 6));
}

/* The kernel switches off what nobody is left to switch off. */
static void kexec_by_another(struct fake *fake, struct file *session)
{
	fake->image = true;
	for (int i = 0; i < FAKE_CARDS; i++)
		memset(fake->cards[i].irqs, 0, sizeof(fake->cards[i].irqs));
	assert_int_equal(machine_kexec(fake), 0);
	file_put(fake, session);
	fake->jumped = false;
}

/* What was set counts as a whole, or what was set before */
static void assert_some_blob(struct ilu *ilu, ssize_t *last)
{
	char got[8] = "";
	ssize_t length = ilu_blob_get(ilu, "late", got, sizeof(got));

	if (length == -ENOENT)
		length = 0;
	else
		assert_string_equal(got, length == 3 ? "new" : "newest");
	assert_true(length >= *last);
	*last = length;
}

static bool die_with_a_witness(unsigned long at, ssize_t *last)
{
	struct fake *fake = fake_new();
	struct program program;
	struct file *session;
	bool died;

	__lsan_disable();
	program_start(&program, fake);
	program_run(&program, set_up_steps);
	assert_ok(&program, ilu_preserve(program.ilu));
	__lsan_enable();
	session = file_get(fake->fds[ilu_session_fd(program.ilu)]);
	died = program_dies(&program, at, set_blobs);
	if (!died)
		fake_lose(fake, program.ilu);
	kexec_by_another(fake, session);
	program_check(&program);
	program.generation = 1;
	program.ilu = fake_context(fake);
	assert_ok(&program, ilu_session_open(program.ilu, "vm1"));
	assert_int_equal(ilu_role(program.ilu), ILU_ROLE_INCOMING);
	assert_some_blob(program.ilu, last);
	assert_ok(&program, ilu_restore(program.ilu));
	assert_ok(&program, ilu_finish(program.ilu));
	program_check(&program);
	program_end(&program);
	assert_nothing(fake);
	fake_free(fake);
	return died;
}

/* The manifest is sound at any time: a blob is added to it, or is not. */
static void test_witness(void **state)
{
	unsigned long at = 1;
	ssize_t last = 0;

	(void)state;
	while (die_with_a_witness(at, &last))
		at++;
	print_message("with a witness: %lu points\n", at - 1);
	assert_int_equal(last, 6);
	assert_true(at > 15);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_before_kexec),
		cmocka_unit_test(test_after_kexec),
		cmocka_unit_test(test_twice),
		cmocka_unit_test(test_many_times),
		cmocka_unit_test(test_leftovers),
		cmocka_unit_test(test_witness),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
