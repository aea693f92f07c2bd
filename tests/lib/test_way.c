// SPDX-License-Identifier: GPL-2.0
/* The whole way, as it should be. */
#include <linux/vfio.h>

#include "program.h"

#define UPDATES	10

/* One way through one kexec, and what is left at the end */
static void test_way(void **state)
{
	struct fake *fake = fake_new();
	struct program program;

	(void)state;
	program_start(&program, fake);
	program_live(&program);
	assert_int_equal(program.retried, 0);
	program_next(&program);
	program_run(&program, take_back_steps);
	program_check(&program);
	assert_int_equal(program.retried, 0);
	assert_int_equal(ilu_role(program.ilu), ILU_ROLE_FINISHED);
	assert_int_equal(fake_count(fake, OBJECT_IOAS), 2);
	assert_int_equal(fake_count(fake, OBJECT_HWPT), 3);
	program_end(&program);
	assert_nothing(fake);
	fake_free(fake);
}

/* Over and over, with the same objects: nothing piles up. */
static void test_chain(void **state)
{
	struct fake *fake = fake_new();
	struct program program;

	(void)state;
	program_start(&program, fake);
	for (int i = 0; i < UPDATES; i++) {
		program_live(&program);
		program_next(&program);
	}
	program_run(&program, take_back_steps);
	program_check(&program);
	assert_int_equal(ilu_generation(program.ilu), UPDATES);
	assert_int_equal(fake_count(fake, OBJECT_IOAS), 2);
	assert_int_equal(fake_count(fake, OBJECT_HWPT), 3);
	assert_int_equal(fake_count(fake, OBJECT_DEVICE), 3);
	program_end(&program);
	assert_nothing(fake);
	fake_free(fake);
}

/* What is in the memory arrives, and is where the device finds it. */
static void test_bytes(void **state)
{
	struct fake *fake = fake_new();
	struct program program;
	unsigned char *ram;

	(void)state;
	program_start(&program, fake);
	program_run(&program, set_up_steps);
	ram = ilu_memory_address(ilu_memory(program.ilu, "ram"));
	ram[FAKE_PAGE] = 42;
	assert_int_equal(*fake_dma(&fake->cards[1], RAM_IOVA, ILU_MAP_READ), 42);
	program_run(&program, leave_steps);
	*fake_dma(&fake->cards[1], RAM_IOVA, ILU_MAP_WRITE) = 43;
	program_next(&program);
	program_run(&program, take_back_steps);
	ram = ilu_memory_address(ilu_memory(program.ilu, "ram"));
	assert_int_equal(ram[FAKE_PAGE], 43);
	assert_int_equal(ilu_memory_length(ilu_memory(program.ilu, "ram")), RAM_LENGTH);
	assert_true(ilu_memory_fd(ilu_memory(program.ilu, "ram")) >= 0);
	program_end(&program);
	fake_free(fake);
}

/* Step by step: it says when there is no more, and the progress gets there. */
struct told {
	unsigned int done, left;
};

static void told(void *arg, unsigned int done, unsigned int of, const char *what)
{
	struct told *last = arg;

	assert_true(done > last->done && what[0]);
	assert_true(done <= of);
	*last = (struct told) { .done = done, .left = of - done };
}

static unsigned int count_on_old(const struct fake *fake)
{
	unsigned int count = 0;

	for (int i = 0; i < FAKE_CARDS; i++)
		count += fake->cards[i].on_old;
	return count;
}

static void test_steps(void **state)
{
	struct fake *fake = fake_new();
	struct told last = { 0 };
	struct program program;
	unsigned int steps = 0;
	int result;

	(void)state;
	program_start(&program, fake);
	program_live(&program);
	program_next(&program);
	ilu_free(program.ilu);
	program.ilu = ilu_new(&ILU_OPTS(ilu_new_opts, .ops = &fake_ops, .ops_arg = fake,
					.progress = told, .progress_arg = &last));
	assert_ok(&program, ilu_session_open(program.ilu, "vm1"));
	assert_refused(&program, ilu_finish(program.ilu), EBUSY);
	while ((result = ilu_restore_step(program.ilu)) > 0) {
		steps++;
		/* All three change over last, a step each. */
		assert_int_equal(count_on_old(fake), last.left < 3 ? last.left : 3);
	}
	assert_ok(&program, result);
	assert_int_equal(last.left, 0);
	assert_int_equal(steps, RESTORE_STEPS);
	assert_int_equal(ilu_restore_step(program.ilu), 0);
	assert_ok(&program, ilu_restore(program.ilu));
	assert_ok(&program, ilu_finish(program.ilu));
	program_check(&program);
	program_end(&program);
	assert_nothing(fake);
	fake_free(fake);
}

/* Page tables that no device uses, and memory alone: no iommufd goes along. */
static void test_no_device(void **state)
{
	struct fake *fake = fake_new();
	struct program program;

	(void)state;
	program_start(&program, fake);
	assert_ok(&program, ilu_session_create(program.ilu, "vm1"));
	assert_int_equal(ilu_role(program.ilu), ILU_ROLE_OUTGOING);
	assert_non_null(ilu_memory_create(program.ilu, "ram", RAM_LENGTH,
					  &ILU_OPTS(ilu_memory_opts, .untouched = true)));
	assert_null(fake->mappings);
	assert_non_null(ilu_space_create(program.ilu, "dma"));
	assert_ok(&program, ilu_map(ilu_space(program.ilu, "dma"), RAM_IOVA,
				    ilu_memory(program.ilu, "ram"), 0, RAM_LENGTH, ILU_MAP_RW));
	program_run(&program, leave_steps);
	program_next(&program);
	assert_ok(&program, ilu_session_retrieve(program.ilu, "vm1"));
	assert_ok(&program, ilu_restore(program.ilu));
	assert_ok(&program, ilu_finish(program.ilu));
	assert_non_null(ilu_device_open(program.ilu, "nic", "0000:01:00.0",
					ilu_space(program.ilu, "dma")));
	assert_ok(&program, ilu_device_allow_dma(ilu_device(program.ilu, "nic")));
	assert_non_null(fake_dma(&fake->cards[0], RAM_IOVA, ILU_MAP_RW));
	program_end(&program);
	assert_nothing(fake);
	fake_free(fake);
}

/* A refused kexec: all goes on as preserved, interrupts on and fired; then it works. */
static void test_refused_kexec(void **state)
{
	struct fake *fake = fake_new();
	struct program program;
	char *before, *after;
	unsigned int fired;

	(void)state;
	program_start(&program, fake);
	program_run(&program, set_up_steps);
	assert_ok(&program, ilu_preserve(program.ilu));
	before = fake_text(fake);
	fired = fake->cards[0].fired;
	/* No kernel is loaded. */
	assert_refused(&program, ilu_kexec(program.ilu), EINVAL);
	assert_string_equal(ilu_error(program.ilu)->call, "LINUX_REBOOT_CMD_KEXEC");
	fake->kexec_errno = EBUSY;
	assert_refused(&program, ilu_kexec(program.ilu), EBUSY);
	after = fake_text(fake);
	assert_string_equal(before, after);
	assert_int_equal(fake->cards[0].fired, fired + 2 * 3);
	fake->kexec_errno = 0;
	free(before);
	free(after);
	assert_ok(&program, ilu_unpreserve(program.ilu));
	program_run(&program, leave_steps);
	program_next(&program);
	program_run(&program, take_back_steps);
	program_check(&program);
	program_end(&program);
	fake_free(fake);
}

/* Taken back, changed, preserved again */
static void test_unpreserve(void **state)
{
	struct fake *fake = fake_new();
	struct program program;
	char *before, *after;
	struct ilu_space *dma;

	(void)state;
	program_start(&program, fake);
	program_run(&program, set_up_steps);
	before = fake_text(fake);
	for (int i = 0; i < 3; i++) {
		assert_ok(&program, ilu_preserve(program.ilu));
		assert_int_equal(ilu_role(program.ilu), ILU_ROLE_OUTGOING);
		assert_ok(&program, ilu_quiesce(program.ilu));
		assert_int_equal(fake->cards[0].irqs[VFIO_PCI_MSIX_IRQ_INDEX], 0);
		assert_ok(&program, ilu_unpreserve(program.ilu));
		assert_int_equal(fake->cards[0].irqs[VFIO_PCI_MSIX_IRQ_INDEX], 3);
		assert_int_equal(ilu_role(program.ilu), ILU_ROLE_NONE);
	}
	after = fake_text(fake);
	assert_string_equal(before, after);
	free(before);
	free(after);
	dma = ilu_space(program.ilu, "dma");
	assert_ok(&program, ilu_unmap(dma, ROM_IOVA));
	assert_ok(&program, ilu_map(dma, ROM_IOVA, ilu_memory(program.ilu, "rom"), 0, ROM_LENGTH,
				    ILU_MAP_READ));
	program_run(&program, leave_steps);
	program_next(&program);
	program_run(&program, take_back_steps);
	program_check(&program);
	program_end(&program);
	fake_free(fake);
}

/* Given up before the kexec: devices are reset, nothing is left. */
static void test_free_preserved(void **state)
{
	struct fake *fake = fake_new();
	struct program program;

	(void)state;
	program_start(&program, fake);
	program_run(&program, set_up_steps);
	assert_ok(&program, ilu_preserve(program.ilu));
	program_end(&program);
	assert_nothing(fake);
	fake_free(fake);
}

/* Given up in the next kernel: the devices go on, and the next one has them. */
static void test_free_restored(void **state)
{
	struct fake *fake = fake_new();
	struct program program;

	(void)state;
	program_start(&program, fake);
	program_live(&program);
	program_next(&program);
	for (int i = 0; i < 4; i++) {
		assert_ok(&program, ilu_session_open(program.ilu, "vm1"));
		if (i)
			assert_ok(&program, ilu_restore(program.ilu));
		program_check(&program);
		program_end(&program);
		program_check(&program);
		program.ilu = fake_context(fake);
	}
	program_run(&program, take_back_steps);
	program_check(&program);
	assert_int_equal(fake_count(fake, OBJECT_IOAS), 2);
	assert_int_equal(fake_count(fake, OBJECT_HWPT), 3);
	program_end(&program);
	assert_nothing(fake);
	fake_free(fake);
}

/* Abandoned: stopped and reset, restored before or not. */
static void abandon(bool restored)
{
	struct fake *fake = fake_new();
	struct program program;

	program_start(&program, fake);
	program_live(&program);
	program_next(&program);
	assert_ok(&program, ilu_session_open(program.ilu, "vm1"));
	if (restored)
		assert_ok(&program, ilu_restore(program.ilu));
	assert_ok(&program, ilu_abandon(program.ilu));
	assert_int_equal(ilu_role(program.ilu), ILU_ROLE_FINISHED);
	assert_int_equal(ilu_generation(program.ilu), 0);
	assert_null(ilu_device(program.ilu, "nic"));
	for (int i = 0; i < FAKE_CARDS; i++)
		assert_int_equal(fake->cards[i].bar[0], 0);
	program_end(&program);
	/* A card that no driver had closed keeps its command register. */
	for (int i = 0; i < FAKE_CARDS; i++)
		fake->cards[i].config[4] = 0;
	assert_nothing(fake);
	fake_free(fake);
}

static void test_abandon(void **state)
{
	(void)state;
	abandon(false);
	abandon(true);
}

/* One that cannot be finished as yet is kept, and can be tried again. */
static void test_abandon_later(void **state)
{
	struct fake *fake = fake_new();
	struct program program;

	(void)state;
	program_start(&program, fake);
	program_live(&program);
	program_next(&program);
	assert_ok(&program, ilu_session_open(program.ilu, "vm1"));
	assert_ok(&program, ilu_restore(program.ilu));
	fake->finish_late = fake->time + 20000;
	assert_refused(&program, ilu_abandon(program.ilu), EBUSY);
	assert_int_equal(ilu_role(program.ilu), ILU_ROLE_INCOMING);
	/* Then it is taken after all. */
	assert_ok(&program, ilu_restore(program.ilu));
	fake->finish_late = 0;
	assert_ok(&program, ilu_finish(program.ilu));
	program_check(&program);
	program_end(&program);
	assert_nothing(fake);
	fake_free(fake);
}

/* What is set last counts, before and after, and what came in goes with the finish. */
static void test_blobs(void **state)
{
	struct fake *fake = fake_new();
	struct program program;
	char data[3 * FAKE_PAGE], got[3 * FAKE_PAGE];

	(void)state;
	memset(data, 'x', sizeof(data));
	program_start(&program, fake);
	program_run(&program, set_up_steps);
	assert_ok(&program, ilu_blob_set(program.ilu, "long", data, sizeof(data)));
	assert_ok(&program, ilu_blob_set(program.ilu, "empty", NULL, 0));
	assert_ok(&program, ilu_blob_set(program.ilu, "state", "other", 5));
	assert_int_equal(ilu_blob_get(program.ilu, "state", got, 3), 5);
	assert_memory_equal(got, "oth", 3);
	program_run(&program, leave_steps);
	program_next(&program);
	assert_ok(&program, ilu_session_open(program.ilu, "vm1"));
	assert_int_equal(ilu_blob_get(program.ilu, "long", got, sizeof(got)), sizeof(data));
	assert_memory_equal(got, data, sizeof(data));
	assert_int_equal(ilu_blob_get(program.ilu, "empty", got, sizeof(got)), 0);
	assert_int_equal(ilu_blob_get(program.ilu, "late", got, sizeof(got)), 6);
	assert_refused(&program, (int)ilu_blob_get(program.ilu, "none", got, sizeof(got)), ENOENT);
	/* one of its own comes first */
	assert_ok(&program, ilu_blob_set(program.ilu, "late", "mine", 4));
	assert_int_equal(ilu_blob_get(program.ilu, "late", got, sizeof(got)), 4);
	assert_ok(&program, ilu_restore(program.ilu));
	assert_ok(&program, ilu_finish(program.ilu));
	assert_refused(&program, (int)ilu_blob_get(program.ilu, "long", got, sizeof(got)), ENOENT);
	assert_int_equal(ilu_blob_get(program.ilu, "late", got, sizeof(got)), 4);
	program_end(&program);
	assert_nothing(fake);
	fake_free(fake);
}

/* So many after ilu_preserve(), and no more; all arrive. */
static void test_blob_room(void **state)
{
	struct fake *fake = fake_new();
	struct program program;
	char name[16];
	int nr;

	(void)state;
	program_start(&program, fake);
	assert_ok(&program, ilu_session_open(program.ilu, "vm1"));
	assert_non_null(ilu_memory_create(program.ilu, "ram", RAM_LENGTH, NULL));
	assert_ok(&program, ilu_preserve(program.ilu));
	for (nr = 0; nr < 64; nr++) {
		snprintf(name, sizeof(name), "blob%d", nr);
		assert_ok(&program, ilu_blob_set(program.ilu, name, name, strlen(name)));
	}
	assert_refused(&program, ilu_blob_set(program.ilu, "more", "x", 1), ENOSPC);
	assert_refused(&program, (int)ilu_blob_get(program.ilu, "more", NULL, 0), ENOENT);
	fake->image = true;
	assert_ok(&program, ilu_kexec(program.ilu));
	program_next(&program);
	assert_ok(&program, ilu_session_retrieve(program.ilu, "vm1"));
	while (nr--) {
		char got[16] = "";

		snprintf(name, sizeof(name), "blob%d", nr);
		assert_int_equal(ilu_blob_get(program.ilu, name, got, sizeof(got)), strlen(name));
		assert_string_equal(got, name);
	}
	program_end(&program);
	assert_nothing(fake);
	fake_free(fake);
}

/* Interrupts that a program that died has left are in nobody's way. */
static void test_irqs_of_the_dead(void **state)
{
	struct fake *fake = fake_new();
	struct program program;

	(void)state;
	program_start(&program, fake);
	program_live(&program);
	program_next(&program);
	program_run(&program, take_back_steps);
	/* by somebody who knows nothing of the library */
	fake->cards[1].irqs[VFIO_PCI_MSI_IRQ_INDEX] = 2;
	program_run(&program, leave_steps);
	program_next(&program);
	program_run(&program, take_back_steps);
	fake->cards[0].irqs[VFIO_PCI_MSIX_IRQ_INDEX] = 7;
	assert_ok(&program, ilu_device_irqs(ilu_device(program.ilu, "nic"),
					    VFIO_PCI_MSIX_IRQ_INDEX, 2, (int[]) { -1, -1 }, 0));
	assert_int_equal(fake->cards[0].irqs[VFIO_PCI_MSIX_IRQ_INDEX], 2);
	assert_ok(&program, ilu_device_irqs(ilu_device(program.ilu, "nic"),
					    VFIO_PCI_MSIX_IRQ_INDEX, 0, NULL, 0));
	assert_int_equal(fake->cards[0].irqs[VFIO_PCI_MSIX_IRQ_INDEX], 0);
	program_end(&program);
	fake_free(fake);
}

/* Errors and requests of a device are told to nobody who has not got one. */
static void test_no_false_alarm(void **state)
{
	struct fake *fake = fake_new();
	struct program program;
	unsigned int fired;

	(void)state;
	program_start(&program, fake);
	program_run(&program, set_up_steps);
	assert_int_equal(fake->cards[0].irqs[VFIO_PCI_REQ_IRQ_INDEX], 1);
	assert_ok(&program, ilu_device_irqs(ilu_device(program.ilu, "nic"),
					    VFIO_PCI_MSIX_IRQ_INDEX, 0, NULL, 0));
	assert_ok(&program, ilu_preserve(program.ilu));
	fired = fake->cards[0].fired;
	assert_refused(&program, ilu_kexec(program.ilu), EINVAL);
	assert_int_equal(fake->cards[0].irqs[VFIO_PCI_REQ_IRQ_INDEX], 1);
	assert_int_equal(fake->cards[0].fired, fired);
	program_end(&program);
	fake_free(fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_way),
		cmocka_unit_test(test_chain),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_no_device),
		cmocka_unit_test(test_refused_kexec),
		cmocka_unit_test(test_unpreserve),
		cmocka_unit_test(test_free_preserved),
		cmocka_unit_test(test_free_restored),
		cmocka_unit_test(test_abandon),
		cmocka_unit_test(test_abandon_later),
		cmocka_unit_test(test_blobs),
		cmocka_unit_test(test_blob_room),
		cmocka_unit_test(test_irqs_of_the_dead),
		cmocka_unit_test(test_no_false_alarm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
