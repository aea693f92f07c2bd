// SPDX-License-Identifier: GPL-2.0
#include <linux/vfio.h>

#include "program.h"

#ifndef PLAIN
#include <sanitizer/lsan_interface.h>
#else
#define __lsan_disable()
#define __lsan_enable()
#endif

#define SESSION		"vm1"

void assert_ok_at(const struct program *program, int result, const char *what, const char *file,
		  int line)
{
	const struct ilu_error *error = ilu_error(program->ilu);

	if (result >= 0)
		return;
	print_error("%s: %d: %s: %s: %s\n", what, result, error->call, error->object, error->text);
	_fail(file, line);
}

void assert_refused_at(const struct program *program, int result, int expected, const char *what,
		       const char *file, int line)
{
	const struct ilu_error *error = ilu_error(program->ilu);

	if (result == -expected && error->err == -expected && error->text[0])
		return;
	print_error("%s: %d, %d: %s, not %d\n", what, result, error->err, error->text, -expected);
	_fail(file, line);
}

/* ---- setting up ---- */

static int last_error(struct program *program, bool failed)
{
	return failed ? ilu_error(program->ilu)->err : 0;
}

/* What the kernel is made to say may be wrong: it came in, and it is said that it did not. */
int program_open_session(struct program *program)
{
	enum ilu_role role = program->generation ? ILU_ROLE_INCOMING : ILU_ROLE_NONE;
	int error = ilu_session_open(program->ilu, SESSION);

	if (error || ilu_role(program->ilu) == role)
		return error;
	assert_non_null(program->fake->failed);
	ilu_free(program->ilu);
	program->ilu = fake_context(program->fake);
	return ilu_session_open(program->ilu, SESSION);
}

static int create_ram(struct program *program)
{
	return last_error(program, !ilu_memory_create(program->ilu, "ram", RAM_LENGTH, NULL));
}

static int add_rom(struct program *program)
{
	int fd = fake_memfd(program->fake, ROM_LENGTH, true);
	struct ilu_memory *memory = ilu_memory_add(program->ilu, "rom", fd);

	fake_close(program->fake, fd);
	return last_error(program, !memory);
}

static int create_dma(struct program *program)
{
	return last_error(program, !ilu_space_create(program->ilu, "dma"));
}

static int create_other(struct program *program)
{
	return last_error(program, !ilu_space_create(program->ilu, "other"));
}

static int map_ram(struct program *program)
{
	return ilu_map(ilu_space(program->ilu, "dma"), RAM_IOVA, ilu_memory(program->ilu, "ram"), 0,
		       RAM_LENGTH / 2, ILU_MAP_RW);
}

static int map_high(struct program *program)
{
	return ilu_map(ilu_space(program->ilu, "dma"), HIGH_IOVA, ilu_memory(program->ilu, "ram"),
		       RAM_LENGTH / 2, RAM_LENGTH / 2, ILU_MAP_WRITE);
}

static int map_rom(struct program *program)
{
	return ilu_map(ilu_space(program->ilu, "dma"), ROM_IOVA, ilu_memory(program->ilu, "rom"), 0,
		       ROM_LENGTH, ILU_MAP_READ);
}

static int map_elsewhere(struct program *program)
{
	return ilu_map(ilu_space(program->ilu, "other"), RAM_IOVA, ilu_memory(program->ilu, "ram"),
		       FAKE_PAGE, FAKE_PAGE, ILU_MAP_RW);
}

static int map_in_vain(struct program *program)
{
	return ilu_map(ilu_space(program->ilu, "other"), 0, ilu_memory(program->ilu, "rom"), 0,
		       FAKE_PAGE, ILU_MAP_READ);
}

static int unmap_it(struct program *program)
{
	return ilu_unmap(ilu_space(program->ilu, "other"), 0);
}

static int open_nic(struct program *program)
{
	return last_error(program, !ilu_device_open(program->ilu, "nic", "0000:01:00.0",
						    ilu_space(program->ilu, "dma")));
}

/* In the same space, behind another IOMMU */
static int open_disk(struct program *program)
{
	return last_error(program, !ilu_device_open(program->ilu, "disk", "0000:03:00.0",
						    ilu_space(program->ilu, "dma")));
}

static int add_nic2(struct program *program)
{
	int fd = fake_open(program->fake, "/dev/vfio/devices/vfio1");
	struct ilu_device *device = ilu_device_add(program->ilu, "nic2", fd,
						   ilu_space(program->ilu, "other"));

	fake_close(program->fake, fd);
	return last_error(program, !device);
}

/* Its registers say that it does, and count what it is asked. */
static int start_devices(struct program *program)
{
	static const char *const names[] = { "nic", "nic2", "disk" };

	for (size_t i = 0; i < NR(names); i++) {
		volatile uint32_t *bar;
		size_t length;
		int result;

		bar = ilu_device_bar(ilu_device(program->ilu, names[i]), 0, &length);
		if (!bar)
			return ilu_error(program->ilu)->err;
		assert_int_equal(length, FAKE_BAR);
		if (program->generation)
			continue;
		bar[0] = 1;
		result = ilu_device_allow_dma(ilu_device(program->ilu, names[i]));
		if (result)
			return result;
	}
	for (int i = 0; !program->generation && i < FAKE_CARDS; i++)
		program->fake->cards[i].resets = 0;
	return 0;
}

static int arm(struct program *program, const char *name, unsigned int index, unsigned int count,
	       unsigned int flags)
{
	int eventfds[4], result;

	for (unsigned int i = 0; i < count; i++)
		eventfds[i] = fake_eventfd(program->fake);
	result = ilu_device_irqs(ilu_device(program->ilu, name), index, count, eventfds, flags);
	for (unsigned int i = 0; i < count; i++)
		fake_close(program->fake, eventfds[i]);
	return result;
}

static int arm_nic(struct program *program)
{
	return arm(program, "nic", VFIO_PCI_MSIX_IRQ_INDEX, 4, ILU_IRQ_INJECT);
}

static int arm_again(struct program *program)
{
	return arm(program, "nic", VFIO_PCI_MSIX_IRQ_INDEX, 3, 0);
}

static int arm_requests(struct program *program)
{
	return arm(program, "nic", VFIO_PCI_REQ_IRQ_INDEX, 1, 0);
}

static int set_blob(struct program *program)
{
	return ilu_blob_set(program->ilu, "state", "early", 5);
}

static int reset_disk(struct program *program)
{
	int error = ilu_device_reset(ilu_device(program->ilu, "disk"));

	if (!error)
		program->fake->cards[2].bar[0] = 1;
	program->fake->cards[2].resets = 0;
	return error;
}

static int config(struct program *program)
{
	struct ilu_device *nic = ilu_device(program->ilu, "nic");
	uint16_t ids[2] = { 0, 0 }, vendor, id;
	int error = ilu_device_config_read(nic, 0, ids, sizeof(ids));

	if (!error)
		error = ilu_device_config_write(nic, 0x60, ids, sizeof(ids));
	if (error)
		return error;
	assert_int_equal(ilu_device_ids(nic, &vendor, &id), 0);
	assert_int_equal(vendor, ids[0]);
	assert_int_equal(id, ids[1]);
	return 0;
}

const struct step set_up_steps[] = {
	{ "open the session", program_open_session, ALL },
	{ "create ram", create_ram, ALL },
	{ "add rom", add_rom, ALL },
	{ "create dma", create_dma, ALL },
	{ "map ram", map_ram, ALL },
	{ "map high", map_high, ALL },
	{ "map rom", map_rom, ALL },
	{ "open nic", open_nic, ALL },
	{ "create other", create_other, ALL },
	{ "map elsewhere", map_elsewhere, ALL },
	{ "map in vain", map_in_vain, ALL },
	{ "unmap it", unmap_it, ALL },
	{ "open disk", open_disk, ALL },
	{ "add nic2", add_nic2, ALL },
	{ "start devices", start_devices, NOTHING },
	{ "reset disk", reset_disk, ALL },
	{ "config", config, ALL },
	{ "arm nic", arm_nic, ALL },
	{ "arm requests", arm_requests, ALL },
	{ "arm nic again", arm_again, ALL },
	{ "set blob", set_blob, ALL },
	{ NULL, NULL, NOTHING },
};

/* ---- taking back ---- */

static int restore(struct program *program)
{
	return ilu_restore(program->ilu);
}

static int get_blobs(struct program *program)
{
	char late[16];
	ssize_t length;

	length = ilu_blob_get(program->ilu, "late", late, sizeof(late));
	if (length < 0)
		return length;
	assert_int_equal(length, 6);
	assert_memory_equal(late, "newest", 6);
	length = ilu_blob_get(program->ilu, "state", NULL, 0);
	if (length < 0)
		return length;
	assert_int_equal(length, 5);
	return 0;
}

static int finish(struct program *program)
{
	return ilu_finish(program->ilu);
}

const struct step take_back_steps[] = {
	{ "open the session", program_open_session, ALL },
	{ "restore", restore, NOTHING },
	{ "get blobs", get_blobs, ALL },
	{ "start devices", start_devices, NOTHING },
	{ "arm nic", arm_nic, ALL },
	{ "arm requests", arm_requests, ALL },
	{ "finish", finish, NOTHING },
	{ "set blob", set_blob, ALL },
	{ NULL, NULL, NOTHING },
};

/* ---- leaving ---- */

static int load(struct program *program)
{
	int kernel = fake_eventfd(program->fake);
	int error = ilu_kexec_load(program->ilu, kernel, -1, "kho=on");

	fake_close(program->fake, kernel);
	return error;
}

static int preserve(struct program *program)
{
	return ilu_preserve(program->ilu);
}

static int set_late(struct program *program)
{
	return ilu_blob_set(program->ilu, "late", "new", 3);
}

static int set_newest(struct program *program)
{
	return ilu_blob_set(program->ilu, "late", "newest", 6);
}

static int jump(struct program *program)
{
	return ilu_kexec(program->ilu);
}

/* Whatever it is that could not be told: there is nothing that would be refused. */
static int check(struct program *program)
{
	int verdict = ilu_check(program->ilu, NULL, NULL);

	return verdict > 0 ? ilu_error(program->ilu)->err : verdict;
}

/* A blob that fails after preserve leaves a file in the session that nothing names. */
const struct step leave_steps[] = {
	{ "load", load, ALL },
	{ "check before", check, ALL },
	{ "preserve", preserve, ALL },
	{ "check", check, ALL },
	{ "set late blob", set_late, FILES },
	{ "set newest blob", set_newest, FILES },
	{ "kexec", jump, ALL },
	{ NULL, NULL, NOTHING },
};

/* ---- the program ---- */

void program_start(struct program *program, struct fake *fake)
{
	*program = (struct program) { .fake = fake, .ilu = fake_context(fake) };
	assert_non_null(program->ilu);
}

static void assert_unwound(const struct step *step, const char *before, const char *after)
{
	if (step->unwinds != ALL || !strcmp(before, after))
		return;
	print_error("%s leaves something:\n%s--- after\n%s", step->name, before, after);
	fail();
}

static int count_files(const struct fake *fake)
{
	int nr = 0;

	for (int fd = 0; fd < FAKE_FDS; fd++)
		nr += !!fake->fds[fd];
	return nr;
}

static void run(struct program *program, const struct step *step)
{
	char *before = fake_text(program->fake), *after;
	int files = count_files(program->fake);
	int error = step->run(program);

	after = fake_text(program->fake);
	if (error) {
		const struct ilu_error *said = ilu_error(program->ilu);

		if (said->err != error || !said->text[0]) {
			print_error("%s: %d, but said is %d %s\n", step->name, error, said->err,
				    said->text);
			fail();
		}
		assert_unwound(step, before, after);
		if (step->unwinds == FILES)
			assert_int_equal(count_files(program->fake), files);
		program->retried++;
		assert_ok(program, step->run(program));
	}
	free(before);
	free(after);
}

void program_run(struct program *program, const struct step *steps)
{
	for (; steps->name; steps++)
		run(program, steps);
}

void program_live(struct program *program)
{
	program_run(program, program->generation ? take_back_steps : set_up_steps);
	assert_int_equal(ilu_generation(program->ilu), program->generation);
	program_check(program);
	program_run(program, leave_steps);
}

void program_next(struct program *program)
{
	assert_true(program->fake->jumped);
	fake_lose(program->fake, program->ilu);
	program->fake->jumped = false;
	program->generation++;
	program->ilu = fake_context(program->fake);
	assert_non_null(program->ilu);
}

bool program_dies(struct program *program, unsigned long at,
		  void (*live)(struct program *program))
{
	struct fake *fake = program->fake;
	jmp_buf death;

	fake->death = &death;
	fake->points = 0;
	fake->die_at = at;
	__lsan_disable();
	if (setjmp(death)) {
		__lsan_enable();
		fake->die_at = 0;
		fake_kill(fake);
		program->ilu = NULL;
		return true;
	}
	if (!program->ilu)
		program->ilu = fake_context(fake);
	live(program);
	__lsan_enable();
	fake->die_at = 0;
	return false;
}

void program_end(struct program *program)
{
	ilu_free(program->ilu);
	program->ilu = NULL;
}

/* ---- what has to be true ---- */

static void assert_finds(struct fake *fake, int card, uint64_t iova, uint32_t flags)
{
	unsigned char *byte = fake_dma(&fake->cards[card], iova, flags);

	if (!byte) {
		print_error("%s does not reach %llx\n", fake->cards[card].bdf,
			    (unsigned long long)iova);
		fail();
	}
}

/* Each finds what was mapped for it, and no more. */
static void check_maps(struct fake *fake)
{
	for (int card = 0; card < FAKE_CARDS; card += 2) {
		assert_finds(fake, card, RAM_IOVA, ILU_MAP_RW);
		assert_finds(fake, card, HIGH_IOVA + RAM_LENGTH / 2 - 1, ILU_MAP_WRITE);
		assert_finds(fake, card, ROM_IOVA, ILU_MAP_READ);
		assert_null(fake_dma(&fake->cards[card], ROM_IOVA, ILU_MAP_WRITE));
		assert_null(fake_dma(&fake->cards[card], HIGH_IOVA, ILU_MAP_READ));
		assert_null(fake_dma(&fake->cards[card], RAM_IOVA + RAM_LENGTH / 2, 0));
	}
	assert_finds(fake, 1, RAM_IOVA, ILU_MAP_RW);
	assert_null(fake_dma(&fake->cards[1], 0, ILU_MAP_READ));
	assert_ptr_equal(fake_dma(&fake->cards[1], RAM_IOVA, 0),
			 fake_dma(&fake->cards[0], RAM_IOVA + FAKE_PAGE, 0));
}

void program_check(struct program *program)
{
	struct fake *fake = program->fake;

	assert_string_equal(fake->broken, "");
	check_maps(fake);
	for (int i = 0; i < FAKE_CARDS; i++) {
		assert_int_equal(fake->cards[i].bar[0], 1);
		assert_int_equal(fake->cards[i].resets, 0);
		assert_int_equal(fake->cards[i].config[4], 6);
	}
}

void assert_nothing(struct fake *fake)
{
	assert_string_equal(fake->broken, "");
	for (int fd = 0; fd < FAKE_FDS; fd++)
		if (fake->fds[fd]) {
			print_error("fd %d of kind %d is open\n", fd, fake->fds[fd]->kind);
			fail();
		}
	assert_null(fake->mappings);
	assert_null(fake->sessions);
	for (int i = 0; i < FAKE_CARDS; i++) {
		const struct card *card = &fake->cards[i];

		assert_null(card->file);
		assert_null(card->iommufd);
		assert_null(card->preserved);
		assert_null(card->incoming);
		assert_int_equal(card->bar[0], 0);
		assert_int_equal(card->config[4], 0);
		for (int j = 0; j < FAKE_IRQS; j++)
			assert_int_equal(card->irqs[j], 0);
	}
}

unsigned long program_each_point(bool (*dies)(unsigned long at))
{
	unsigned long at = 1;

	while (dies(at)) {
		at++;
		assert_true(at < LONGEST);
	}
	return at - 1;
}

unsigned long program_each_pair(int (*die_twice)(unsigned long first, unsigned long second),
				unsigned long stride)
{
	unsigned long pairs = 0;
	int result = 1;

	for (unsigned long first = 1; result; first++)
		for (unsigned long second = 1 + first % stride; ; second += stride, pairs++) {
			result = die_twice(first, second);
			if (result != 1)
				break;
		}
	return pairs;
}
