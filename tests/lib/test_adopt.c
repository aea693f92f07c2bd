// SPDX-License-Identifier: GPL-2.0
/* What another program owns: what is refused, what is left alone, and who has it in the end. */
#include <fcntl.h>
#include <linux/vfio.h>

#include "broker.h"

/* Everything adopted, nothing preserved */
static struct fake *adopted(struct program *program, struct owner *owner)
{
	struct fake *fake = broker_start(program, owner);

	program_run(program, broker_adopt_steps);
	return fake;
}

static struct ilu_space *dma(struct program *program)
{
	return ilu_space(program->ilu, "dma");
}

static struct ilu_device *nic(struct program *program)
{
	return ilu_device(program->ilu, "nic");
}

#define assert_missing(program, call, error) \
	assert_refused(program, (call) ? 0 : ilu_error((program)->ilu)->err, error)

static void assert_id(const struct program *program, enum ilu_id id)
{
	assert_string_equal(ilu_id_name(ilu_error(program->ilu)->id), ilu_id_name(id));
}

static struct ilu_device *adopt(struct program *program, const char *name, int fd, uint32_t hwpt,
				const char *bdf)
{
	struct ilu_device *device =
		ilu_device_adopt(program->ilu, name,
				 &ILU_OPTS(ilu_device_adopt_opts, .fd = fd, .hwpt = hwpt, .bdf = bdf),
				 dma(program));

	if (fd >= 0)
		fake_close(program->fake, fd);
	return device;
}

/* ---- letting go ---- */

enum stage { ADOPTED, PRESERVED, QUIET, CHECKED, STAGES };

static void get_to(struct program *program, enum stage stage)
{
	program_run(program, broker_adopt_steps);
	if (stage == CHECKED)
		assert_int_equal(ilu_check(program->ilu, NULL, NULL), ILU_PASS);
	if (stage == PRESERVED || stage == QUIET)
		assert_ok(program, ilu_preserve(program->ilu));
	if (stage == QUIET)
		assert_ok(program, ilu_quiesce(program->ilu));
}

/* By ilu_release() or by ilu_free(): the owner has it all as it was. */
static void let_go(enum stage stage, bool release)
{
	struct program program;
	struct owner owner;
	struct fake *fake = broker_start(&program, &owner);
	char *before = fake_text(fake), *after;

	fake->image = true;
	fake->image_kind = LIVEUPDATE_IMAGE_HANDOVER;
	get_to(&program, stage);
	if (release) {
		assert_ok(&program, ilu_release(program.ilu));
		assert_null(ilu_memory(program.ilu, "ram"));
		assert_null(ilu_space(program.ilu, "dma"));
		assert_int_equal(ilu_session_fd(program.ilu), -EBADF);
		/* with what is left of it another one can begin */
		assert_ok(&program, ilu_release(program.ilu));
		assert_non_null(ilu_space_create(program.ilu, "own"));
	}
	program_end(&program);
	after = fake_text(fake);
	assert_string_equal(before, after);
	free(before);
	free(after);
	owner_check(&program);
	fake_kill_other(fake);
	assert_nothing(fake);
	fake_free(fake);
}

static void test_let_go(void **state)
{
	(void)state;
	for (enum stage stage = ADOPTED; stage < STAGES; stage++) {
		let_go(stage, true);
		let_go(stage, false);
	}
}

/* What no device is on could be destroyed, and is the owner's all the same. */
static void test_unused(void **state)
{
	struct program program;
	struct owner owner;
	struct fake *fake;

	(void)state;
	for (int release = 0; release < 2; release++) {
		struct iommu_ioas_alloc ioas = { .size = sizeof(ioas) };
		struct iommu_hwpt_alloc hwpt = { .size = sizeof(hwpt) };

		fake = adopted(&program, &owner);
		assert_int_equal(owner_ioctl(fake, &owner, IOMMU_IOAS_ALLOC, &ioas), 0);
		assert_non_null(ilu_space_adopt(program.ilu, "unused", ioas.out_ioas_id));
		hwpt.dev_id = owner.ids[0];
		hwpt.pt_id = owner.ioas[0];
		assert_int_equal(owner_ioctl(fake, &owner, IOMMU_HWPT_ALLOC, &hwpt), 0);
		assert_non_null(adopt(&program, "again", fake_take(fake, owner.devices[0]),
				      hwpt.out_hwpt_id, NULL));
		if (release)
			assert_ok(&program, ilu_release(program.ilu));
		program_end(&program);
		assert_int_equal(fake_count_other(fake, OBJECT_IOAS), 3);
		assert_int_equal(fake_count_other(fake, OBJECT_HWPT), 4);
		owner_check(&program);
		program.ilu = fake_context(fake);
		broker_end_all(&program);
	}
}

/* Likewise in the next kernel, when somebody else has it. */
static void test_unused_restored(void **state)
{
	struct iommu_ioas_alloc ioas = { .size = sizeof(ioas) };
	struct program program;
	struct owner owner;
	struct fake *fake = adopted(&program, &owner);

	(void)state;
	assert_int_equal(owner_ioctl(fake, &owner, IOMMU_IOAS_ALLOC, &ioas), 0);
	assert_non_null(ilu_space_adopt(program.ilu, "unused", ioas.out_ioas_id));
	fake->image = true;
	assert_ok(&program, ilu_preserve(program.ilu));
	assert_ok(&program, ilu_kexec(program.ilu));
	program_next(&program);
	assert_ok(&program, ilu_session_open(program.ilu, "vm1"));
	assert_ok(&program, ilu_restore(program.ilu));
	fake_give(fake, ilu_iommufd(program.ilu));
	assert_ok(&program, ilu_finish(program.ilu));
	assert_ok(&program, ilu_release(program.ilu));
	assert_int_equal(fake_count_other(fake, OBJECT_IOAS), 3);
	/* those that devices were on as well */
	assert_int_equal(fake_count_other(fake, OBJECT_HWPT), 3);
	broker_end_all(&program);
}

/* Taken back as often as one likes: each vector is fired each time. */
static void test_unpreserve(void **state)
{
	struct program program;
	struct owner owner;
	struct fake *fake = adopted(&program, &owner);
	unsigned int fired;

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_ok(&program, ilu_preserve(program.ilu));
		assert_ok(&program, ilu_quiesce(program.ilu));
		assert_int_equal(fake->cards[0].irqs[VFIO_PCI_MSIX_IRQ_INDEX], 0);
		fired = fake->cards[0].fired;
		assert_ok(&program, ilu_unpreserve(program.ilu));
		/* requests are not */
		assert_int_equal(fake->cards[0].fired, fired + NR_MSIX);
	}
	assert_ok(&program, ilu_release(program.ilu));
	owner_check(&program);
	broker_end_all(&program);
}

/* Somebody else holds the session: what is preserved stays so, and nothing can be mapped. */
static void test_release_later(void **state)
{
	struct program program;
	struct owner owner;
	struct fake *fake = adopted(&program, &owner);
	struct file *session;

	(void)state;
	assert_ok(&program, ilu_preserve(program.ilu));
	assert_ok(&program, ilu_quiesce(program.ilu));
	session = file_get(fake->fds[ilu_session_fd(program.ilu)]);
	assert_refused(&program, ilu_release(program.ilu), EBUSY);
	assert_id(&program, ILU_ID_SPACE_PRESERVED);
	/* but interrupts are on */
	assert_int_equal(fake->cards[0].irqs[VFIO_PCI_MSIX_IRQ_INDEX], NR_MSIX);
	assert_non_null(nic(&program));
	file_put(fake, session);
	assert_ok(&program, ilu_release(program.ilu));
	owner_check(&program);
	broker_end_all(&program);
}

/* One thing that stays as it should not is in the way of no other one, and is told. */
static void test_release_twice(void **state)
{
	struct program program;
	struct owner owner;
	struct fake *fake = adopted(&program, &owner);

	(void)state;
	assert_ok(&program, ilu_preserve(program.ilu));
	assert_ok(&program, ilu_quiesce(program.ilu));
	fake->cards[0].on_errno = EIO;
	assert_refused(&program, ilu_release(program.ilu), EIO);
	assert_id(&program, ILU_ID_DEV_IRQS_OFF);
	assert_string_equal(ilu_error(program.ilu)->object, "nic");
	assert_ptr_equal(fake_dma(&fake->cards[0], BIOS_IOVA, ILU_MAP_READ),
			 fake->others[owner.bios]->content->bytes);
	assert_int_equal(fake->cards[0].irqs[VFIO_PCI_REQ_IRQ_INDEX], 1);
	fake->cards[0].on_errno = 0;
	assert_ok(&program, ilu_release(program.ilu));
	owner_check(&program);
	broker_end_all(&program);
}

/* The owner ends: the broker has all that is needed. */
static void test_owner_dies(void **state)
{
	struct program program;
	struct owner owner;
	struct fake *fake = adopted(&program, &owner);

	(void)state;
	fake_kill_other(fake);
	program_check(&program);
	fake->image = true;
	assert_ok(&program, ilu_preserve(program.ilu));
	assert_ok(&program, ilu_blob_set(program.ilu, "late", "newest", 6));
	assert_ok(&program, ilu_kexec(program.ilu));
	program_next(&program);
	program_run(&program, broker_back_steps);
	owner_check(&program);
	broker_end_all(&program);
}

/* Then the broker lets go, and it was the last one: the devices are stopped. */
static void test_both_let_go(void **state)
{
	struct program program;
	struct owner owner;
	struct fake *fake = adopted(&program, &owner);

	(void)state;
	fake_kill_other(fake);
	assert_ok(&program, ilu_release(program.ilu));
	assert_nothing(fake);
	program_end(&program);
	fake_free(fake);
}

/* In a session that knows nothing of the library */
static void preserve_foreign(struct fake *fake)
{
	struct liveupdate_session_preserve_fd preserve = {
		.size = sizeof(preserve),
		.fd = fake_memfd(fake, FAKE_PAGE, true),
		.token = 1,
	};
	int session = fake_session(fake, "foreign", false);

	assert_int_equal(fake_ops.ioctl(fake, session, LIVEUPDATE_SESSION_PRESERVE_FD, &preserve),
			 0);
}

static void test_release_too_early(void **state)
{
	struct program program;
	struct owner owner;
	struct fake *fake = adopted(&program, &owner);

	(void)state;
	fake->image = true;
	preserve_foreign(fake);
	assert_ok(&program, ilu_preserve(program.ilu));
	assert_ok(&program, ilu_kexec(program.ilu));
	program_next(&program);
	assert_ok(&program, ilu_session_open(program.ilu, "foreign"));
	assert_int_equal(ilu_role(program.ilu), ILU_ROLE_FOREIGN);
	assert_refused(&program, ilu_release(program.ilu), EBUSY);
	assert_ok(&program, ilu_abandon(program.ilu));
	assert_ok(&program, ilu_session_open(program.ilu, "vm1"));
	assert_refused(&program, ilu_release(program.ilu), EBUSY);
	assert_ok(&program, ilu_restore(program.ilu));
	assert_refused(&program, ilu_release(program.ilu), EBUSY);
	assert_id(&program, ILU_ID_SESSION_UNFINISHED);
	program_check(&program);
	assert_ok(&program, ilu_finish(program.ilu));
	program_check(&program);
	/* Nobody else has it. */
	assert_ok(&program, ilu_release(program.ilu));
	program_end(&program);
	assert_nothing(fake);
	fake_free(fake);
}

/* ---- spaces ---- */

struct seen {
	int nr, stop_after;
	struct ilu_area areas[8];
};

static int see(void *arg, const struct ilu_area *area)
{
	struct seen *seen = arg;

	assert_int_equal(area->size, sizeof(*area));
	seen->areas[seen->nr++] = *area;
	return seen->nr == seen->stop_after ? 42 : 0;
}

static void assert_stranger(const struct ilu_area *area, uint64_t iova, enum ilu_area_type type,
			    unsigned int flags, enum ilu_id id)
{
	assert_int_equal(area->iova, iova);
	assert_int_equal(area->type, type);
	assert_int_equal(area->flags, flags);
	assert_string_equal(ilu_id_name(area->id), ilu_id_name(id));
}

/* Refused before anything is preserved, with the place */
static void assert_preserve_refused(struct program *program, int error, enum ilu_id id,
				    const char *where)
{
	char *before = fake_text(program->fake), *after;

	assert_refused(program, ilu_preserve(program->ilu), error);
	assert_id(program, id);
	assert_string_equal(ilu_error(program->ilu)->object, "dma");
	assert_non_null(strstr(ilu_error(program->ilu)->reason, where));
	after = fake_text(program->fake);
	assert_string_equal(before, after);
	free(before);
	free(after);
}

static void test_strangers(void **state)
{
	struct program program;
	struct owner owner;
	struct fake *fake = adopted(&program, &owner);
	struct seen seen = { 0 };
	int fd = fake_memfd(fake, 4 * FAKE_PAGE, true), late = fake_give(fake, fd);
	uint32_t ioas = owner.ioas[0];

	(void)state;
	fake_close(fake, fd);
	owner_map_type(fake, &owner, ioas, 0x1000, IOMMU_IOAS_AREA_USER);
	owner_map_type(fake, &owner, ioas, 0x3000, IOMMU_IOAS_AREA_DMABUF);
	owner_map_type(fake, &owner, ioas, 0x5000, 77);
	owner_map(fake, &owner, ioas, late, 0x7000, FAKE_PAGE, 2 * FAKE_PAGE,
		  IOMMU_IOAS_MAP_READABLE);
	assert_int_equal(ilu_space_strangers(dma(&program), NULL, NULL), 4);
	assert_int_equal(ilu_space_strangers(ilu_space(program.ilu, "other"), NULL, NULL), 0);
	assert_int_equal(ilu_space_strangers(dma(&program), see, &seen), 4);
	assert_stranger(&seen.areas[0], 0x1000, ILU_AREA_USER, ILU_MAP_RW, ILU_ID_MEM_NOT_FILE);
	assert_int_equal(seen.areas[0].start, 0x7f0000000000ull);
	assert_stranger(&seen.areas[1], 0x3000, ILU_AREA_DMABUF, ILU_MAP_RW, ILU_ID_MEM_DMABUF);
	assert_string_equal(ilu_id_name(seen.areas[2].id), "mem.not-file");
	assert_stranger(&seen.areas[3], 0x7000, ILU_AREA_FILE, ILU_MAP_READ,
			ILU_ID_MEM_NOT_PRESERVED);
	assert_int_equal(seen.areas[3].start, FAKE_PAGE);
	assert_int_equal(seen.areas[3].length, 2 * FAKE_PAGE);
	assert_int_equal(seen.areas[3].ino, fake->others[late]->content->ino);
	assert_int_equal(seen.areas[3].dev_minor, FAKE_SHMEM);
	seen = (struct seen) { .stop_after = 2 };
	assert_int_equal(ilu_space_strangers(dma(&program), see, &seen), 42);
	assert_int_equal(seen.nr, 2);

	assert_preserve_refused(&program, EOPNOTSUPP, ILU_ID_MEM_NOT_FILE, "at IOVA 0x1000: ");
	owner_unmap(fake, &owner, ioas, 0x1000, FAKE_PAGE);
	assert_preserve_refused(&program, EOPNOTSUPP, ILU_ID_MEM_DMABUF, "at IOVA 0x3000: ");
	owner_unmap(fake, &owner, ioas, 0x3000, FAKE_PAGE);
	owner_unmap(fake, &owner, ioas, 0x5000, FAKE_PAGE);
	assert_preserve_refused(&program, ENOENT, ILU_ID_MEM_NOT_PRESERVED, "at IOVA 0x7000: ");
	broker_end_all(&program);
}

/* A memory that becomes one of the context is no stranger then; nor one that is sealed by then. */
static void test_unsealed(void **state)
{
	struct program program;
	struct owner owner;
	struct fake *fake = adopted(&program, &owner);
	int fd = fake_memfd(fake, 2 * FAKE_PAGE, true), late = fake_give(fake, fd);
	struct seen seen = { 0 };
	struct ilu_memory *memory;

	(void)state;
	owner_map(fake, &owner, owner.ioas[0], late, 0x7000, 0, 2 * FAKE_PAGE,
		  IOMMU_IOAS_MAP_READABLE);
	memory = ilu_memory_add(program.ilu, "late", fd);
	assert_non_null(memory);
	assert_int_equal(ilu_space_strangers(dma(&program), see, &seen), 1);
	assert_stranger(&seen.areas[0], 0x7000, ILU_AREA_FILE, ILU_MAP_READ, ILU_ID_MEM_UNSEALED);
	assert_int_equal(seen.areas[0].seals, 0);
	assert_preserve_refused(&program, EINVAL, ILU_ID_MEM_UNSEALED, "at IOVA 0x7000: ");
	assert_ok(&program, ilu_map_instead(dma(&program), 0x7000, memory, 0, fd));
	assert_int_equal(ilu_space_strangers(dma(&program), NULL, NULL), 0);
	fake->image = true;
	assert_ok(&program, ilu_preserve(program.ilu));
	assert_ok(&program, ilu_kexec(program.ilu));
	program_next(&program);
	assert_ok(&program, ilu_session_open(program.ilu, "vm1"));
	assert_ok(&program, ilu_restore(program.ilu));
	assert_non_null(fake_dma(&fake->cards[0], 0x8000, ILU_MAP_READ));
	assert_ok(&program, ilu_finish(program.ilu));
	program_check(&program);
	program_end(&program);
	assert_nothing(fake);
	fake_free(fake);
}

/* What no manifest can say is refused here, and not in the next kernel. */
static void test_odd_areas(void **state)
{
	static const struct {
		uint64_t iova, length, start;
		uint32_t flags;
		const char *where;
	} odd[] = {
		{ 0x1000, FAKE_PAGE, RAM_LENGTH, IOMMU_IOAS_MAP_READABLE, "at IOVA 0x1000: " },
		{ 0x1000, 2 * RAM_LENGTH, 0, IOMMU_IOAS_MAP_READABLE, "at IOVA 0x1000: " },
		{ 0x1000, FAKE_PAGE, 0, 0, "at IOVA 0x1000: " },
		{ 0x1000, 0, 0, IOMMU_IOAS_MAP_READABLE, "at IOVA 0x1000: " },
		/* beyond the last one there is */
		{ -0x1000ull, 2 * FAKE_PAGE, 0, IOMMU_IOAS_MAP_READABLE,
		  "at IOVA 0xfffffffffffff000: " },
	};

	(void)state;
	for (size_t i = 0; i < NR(odd); i++) {
		struct program program;
		struct owner owner;
		struct fake *fake = adopted(&program, &owner);
		struct fake_map *map;

		owner_map(fake, &owner, owner.ioas[0], owner.ram, 0x1000, 0, FAKE_PAGE,
			  IOMMU_IOAS_MAP_READABLE);
		map = fake->others[owner.iommufd]->objects[owner.ioas[0]].maps;
		map->iova = odd[i].iova;
		map->length = odd[i].length;
		map->start = odd[i].start;
		map->flags = odd[i].flags;
		assert_preserve_refused(&program, EINVAL, ILU_ID_SPACE_IOVA, odd[i].where);
		broker_end_all(&program);
	}
}

static unsigned int lists;

static void more_than_room(struct iommu_ioas_list_areas *list)
{
	list->nr = 65;
}

static void the_same_again(struct iommu_ioas_list_areas *list)
{
	assert_true(++lists < 100);
	list->out_flags = IOMMU_IOAS_AREAS_MORE;
	list->iova = 0;
}

static void none_and_more(struct iommu_ioas_list_areas *list)
{
	assert_true(++lists < 100);
	list->out_flags = IOMMU_IOAS_AREAS_MORE;
	list->iova++;
	list->nr = 0;
}

/* What answers need not be an iommufd. */
static void test_odd_lists(void **state)
{
	static void (*const answers[])(struct iommu_ioas_list_areas *list) = {
		more_than_room, the_same_again, none_and_more,
	};

	(void)state;
	for (size_t i = 0; i < NR(answers); i++) {
		struct program program;
		struct owner owner;
		struct fake *fake = adopted(&program, &owner);

		lists = 0;
		fake->listed = answers[i];
		assert_refused(&program, ilu_space_strangers(dma(&program), NULL, NULL), EIO);
		assert_id(&program, ILU_ID_CALL_IO);
		assert_string_equal(ilu_error(program.ilu)->object, "dma");
		assert_refused(&program, ilu_preserve(program.ilu), EIO);
		fake->listed = NULL;
		assert_ok(&program, ilu_release(program.ilu));
		owner_check(&program);
		broker_end_all(&program);
	}
}

static struct owner *moving;

static void maps_more(struct fake *fake)
{
	owner_map(fake, moving, moving->ioas[0], moving->ram, 0x1000, 0, FAKE_PAGE,
		  IOMMU_IOAS_MAP_READABLE);
}

static void maps_less(struct fake *fake)
{
	owner_unmap(fake, moving, moving->ioas[0], HIGH_IOVA, RAM_LENGTH / 2);
}

static void maps_high(struct fake *fake, uint64_t start, uint64_t length, uint32_t flags)
{
	maps_less(fake);
	owner_map(fake, moving, moving->ioas[0], moving->ram, HIGH_IOVA, start, length, flags);
}

static void maps_otherwise(struct fake *fake)
{
	maps_high(fake, 0, RAM_LENGTH / 2, IOMMU_IOAS_MAP_WRITEABLE);
}

static void maps_shorter(struct fake *fake)
{
	maps_high(fake, RAM_LENGTH / 2, RAM_LENGTH / 4, IOMMU_IOAS_MAP_WRITEABLE);
}

static void maps_readable(struct fake *fake)
{
	maps_high(fake, RAM_LENGTH / 2, RAM_LENGTH / 2,
		  IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE);
}

static void maps_other_memory(struct fake *fake)
{
	owner_unmap(fake, moving, moving->ioas[0], ROM_IOVA, ROM_LENGTH);
	owner_map(fake, moving, moving->ioas[0], moving->ram, ROM_IOVA, 0, ROM_LENGTH,
		  IOMMU_IOAS_MAP_READABLE);
}

/* An owner that does not stand still: between the manifest and the freeze */
static void test_moving_owner(void **state)
{
	static const struct {
		void (*move)(struct fake *fake);
		const char *where;
	} moves[] = {
		{ maps_more, "at IOVA 0x1000: " },
		{ maps_less, "at IOVA 0x8000000000: " },
		{ maps_otherwise, "at IOVA 0x8000000000: " },
		{ maps_shorter, "at IOVA 0x8000000000: " },
		{ maps_readable, "at IOVA 0x8000000000: " },
		{ maps_other_memory, "at IOVA 0x20000000: " },
	};

	(void)state;
	for (size_t i = 0; i < NR(moves); i++) {
		struct program program;
		struct owner owner;
		struct fake *fake = adopted(&program, &owner);

		moving = &owner;
		fake->frozen = moves[i].move;
		assert_refused(&program, ilu_preserve(program.ilu), EBUSY);
		assert_id(&program, ILU_ID_SPACE_CHANGING);
		assert_non_null(strstr(ilu_error(program.ilu)->reason, moves[i].where));
		assert_null(fake->sessions);
		fake->frozen = NULL;
		/* It is read anew. */
		assert_ok(&program, ilu_preserve(program.ilu));
		assert_ok(&program, ilu_release(program.ilu));
		broker_end_all(&program);
	}
}

/* ---- something else instead ---- */

static void test_instead_refused(void **state)
{
	struct program program;
	struct owner owner;
	struct fake *fake = broker_start(&program, &owner);
	struct ilu_memory *ram, *small, *bios, *large;
	struct ilu *other;
	int fd, rom;

	(void)state;
	fd = fake_take(fake, owner.ram);
	ram = ilu_memory_add(program.ilu, "ram", fd);
	fake_close(fake, fd);
	small = ilu_memory_create(program.ilu, "small", FAKE_PAGE, NULL);
	bios = ilu_memory_create(program.ilu, "bios", ROM_LENGTH, NULL);
	fd = fake_take(fake, owner.iommufd);
	assert_ok(&program, ilu_iommufd_adopt(program.ilu, fd));
	fake_close(fake, fd);
	assert_non_null(ilu_space_adopt(program.ilu, "dma", owner.ioas[0]));
	fd = fake_take(fake, owner.bios);
	rom = fake_take(fake, owner.rom);
	/* the device may be writing there */
	assert_refused(&program, ilu_map_instead(dma(&program), RAM_IOVA, ram, 0, fd), EPERM);
	assert_id(&program, ILU_ID_CALL_FOREIGN);
	/* from the middle on */
	assert_refused(&program, ilu_map_instead(dma(&program), BIOS_IOVA + FAKE_PAGE, bios, 0, fd),
		       ENOENT);
	assert_refused(&program, ilu_map_instead(dma(&program), 0x1000, bios, 0, fd), ENOENT);
	/* that is not what is there */
	assert_refused(&program, ilu_map_instead(dma(&program), BIOS_IOVA, bios, 0, rom), EINVAL);
	assert_refused(&program, ilu_map_instead(dma(&program), BIOS_IOVA, bios, 0, -1), EBADF);
	/* too short */
	assert_refused(&program, ilu_map_instead(dma(&program), BIOS_IOVA, small, 0, fd), EINVAL);
	assert_id(&program, ILU_ID_CALL_ARGUMENT);
	assert_refused(&program, ilu_map_instead(dma(&program), BIOS_IOVA, bios, FAKE_PAGE, fd),
		       EINVAL);
	assert_refused(&program, ilu_map_instead(dma(&program), BIOS_IOVA, bios, 8 * FAKE_PAGE, fd),
		       EINVAL);
	/* by the library: the kernel would be asked after the gap */
	assert_id(&program, ILU_ID_CALL_ARGUMENT);
	/* not at the same byte of a page */
	large = ilu_memory_create(program.ilu, "large", 2 * ROM_LENGTH, NULL);
	assert_refused(&program, ilu_map_instead(dma(&program), BIOS_IOVA, large, 512, fd), EINVAL);
	assert_id(&program, ILU_ID_CALL_ARGUMENT);
	assert_refused(&program, ilu_map_instead(dma(&program), BIOS_IOVA, NULL, 0, fd), EINVAL);
	assert_int_equal(ilu_map_instead(NULL, BIOS_IOVA, bios, 0, fd), -EINVAL);
	other = fake_context(fake);
	assert_refused(&program,
		       ilu_map_instead(dma(&program), BIOS_IOVA,
				       ilu_memory_create(other, "bios", ROM_LENGTH, NULL), 0, fd),
		       EINVAL);
	assert_non_null(ilu_space_create(other, "own"));
	assert_int_equal(ilu_map_instead(ilu_space(other, "own"), BIOS_IOVA,
					 ilu_memory(other, "bios"), 0, fd), -EINVAL);
	assert_int_equal(ilu_space_strangers(ilu_space(other, "own"), NULL, NULL), -EINVAL);
	assert_int_equal(ilu_error(other)->id, ILU_ID_CALL_ARGUMENT);
	ilu_free(other);
	/* once */
	assert_ok(&program, ilu_map_instead(dma(&program), BIOS_IOVA, bios, 0, fd));
	assert_refused(&program, ilu_map_instead(dma(&program), BIOS_IOVA, bios, 0, fd), EEXIST);
	fake_close(fake, fd);
	fake_close(fake, rom);
	broker_end_all(&program);
}

/* The first map fails, the second one maps the original. */
static void test_instead_fails(void **state)
{
	struct program program;
	struct owner owner;
	struct fake *fake = broker_start(&program, &owner);
	const struct step *step = broker_adopt_steps;

	(void)state;
	for (; strcmp(step->name, "replace bios"); step++)
		assert_ok(&program, step->run(&program));
	fake->map_errno = ENOMEM;
	fake->map_fails = 1;
	assert_refused(&program, step->run(&program), ENOMEM);
	assert_id(&program, ILU_ID_MEM_LIMIT);
	owner_check(&program);
	/* That fails as well: a gap, and another try when all is let go of. */
	fake->map_fails = 2;
	assert_refused(&program, step->run(&program), ENOMEM);
	assert_id(&program, ILU_ID_SPACE_GAP);
	assert_non_null(strstr(ilu_error(program.ilu)->reason, "at IOVA 0x30000000"));
	assert_null(fake_dma(&fake->cards[0], BIOS_IOVA, ILU_MAP_READ));
	fake->map_fails = 1;
	assert_refused(&program, ilu_release(program.ilu), ENOMEM);
	assert_id(&program, ILU_ID_SPACE_GAP);
	assert_ok(&program, ilu_release(program.ilu));
	owner_check(&program);
	broker_end_all(&program);
}

static void replace_rom(struct program *program)
{
	struct ilu_memory *copy = ilu_memory_create(program->ilu, "copy", ROM_LENGTH, NULL);
	int rom = fake_take(program->fake, program->owner->rom);

	assert_ok(program, ilu_map_instead(dma(program), ROM_IOVA, copy, 0, rom));
	fake_close(program->fake, rom);
}

/* One that cannot be mapped again is in the way of no other one. */
static void test_insteads_fail(void **state)
{
	struct program program;
	struct owner owner;
	struct fake *fake = adopted(&program, &owner);

	(void)state;
	replace_rom(&program);
	fake->map_errno = ENOMEM;
	fake->map_fails = 1;
	assert_refused(&program, ilu_release(program.ilu), ENOMEM);
	assert_id(&program, ILU_ID_SPACE_GAP);
	assert_non_null(strstr(ilu_error(program.ilu)->reason, "at IOVA 0x20000000: "));
	assert_null(fake_dma(&fake->cards[0], ROM_IOVA, ILU_MAP_READ));
	assert_ptr_equal(fake_dma(&fake->cards[0], BIOS_IOVA, ILU_MAP_READ),
			 fake->others[owner.bios]->content->bytes);
	assert_ok(&program, ilu_release(program.ilu));
	owner_check(&program);
	broker_end_all(&program);
}

/* A gap that the owner has filled, if only in part, is none. */
static void test_gap_filled(void **state)
{
	struct program program;
	struct owner owner;
	struct fake *fake = adopted(&program, &owner);

	(void)state;
	fake->map_errno = ENOMEM;
	fake->map_fails = 1;
	assert_refused(&program, ilu_release(program.ilu), ENOMEM);
	assert_id(&program, ILU_ID_SPACE_GAP);
	owner_map(fake, &owner, owner.ioas[0], owner.rom, BIOS_IOVA + FAKE_PAGE, 0, FAKE_PAGE,
		  IOMMU_IOAS_MAP_READABLE);
	assert_ok(&program, ilu_release(program.ilu));
	assert_null(fake_dma(&fake->cards[0], BIOS_IOVA, ILU_MAP_READ));
	assert_int_equal(*fake_dma(&fake->cards[0], BIOS_IOVA + FAKE_PAGE, ILU_MAP_READ), 'r');
	broker_end_all(&program);
}

/* Nor is there anything to map again in a space that the owner has destroyed. */
static void test_space_destroyed(void **state)
{
	struct iommu_ioas_alloc ioas = { .size = sizeof(ioas) };
	struct iommu_destroy destroy = { .size = sizeof(destroy) };
	struct program program;
	struct owner owner;
	struct fake *fake = adopted(&program, &owner);
	struct ilu_space *space;
	int bios;

	(void)state;
	assert_int_equal(owner_ioctl(fake, &owner, IOMMU_IOAS_ALLOC, &ioas), 0);
	owner_map(fake, &owner, ioas.out_ioas_id, owner.bios, BIOS_IOVA, 0, ROM_LENGTH,
		  IOMMU_IOAS_MAP_READABLE);
	space = ilu_space_adopt(program.ilu, "short", ioas.out_ioas_id);
	bios = fake_take(fake, owner.bios);
	assert_ok(&program, ilu_map_instead(space, BIOS_IOVA, ilu_memory(program.ilu, "bios"), 0,
					    bios));
	fake_close(fake, bios);
	destroy.id = ioas.out_ioas_id;
	assert_int_equal(owner_ioctl(fake, &owner, IOMMU_DESTROY, &destroy), 0);
	assert_ok(&program, ilu_release(program.ilu));
	owner_check(&program);
	broker_end_all(&program);
}

/* The copy itself, by the owner, and not as it was mapped instead: that is his as well. */
static void copy_changed(uint64_t start, uint64_t length, uint32_t flags)
{
	struct program program;
	struct owner owner;
	struct fake *fake = adopted(&program, &owner);
	int copy = fake_give(fake, ilu_memory_fd(ilu_memory(program.ilu, "bios")));

	owner_unmap(fake, &owner, owner.ioas[0], BIOS_IOVA, ROM_LENGTH);
	owner_map(fake, &owner, owner.ioas[0], copy, BIOS_IOVA, start, length, flags);
	assert_ok(&program, ilu_release(program.ilu));
	assert_ptr_equal(fake_dma(&fake->cards[0], BIOS_IOVA, ILU_MAP_READ),
			 fake->others[copy]->content->bytes + start);
	broker_end_all(&program);
}

static void test_copy_changed(void **state)
{
	(void)state;
	copy_changed(0, FAKE_PAGE, IOMMU_IOAS_MAP_READABLE);
	copy_changed(0, ROM_LENGTH, IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE);
}

/* Likewise, another part of it */
static void test_copy_moved(void **state)
{
	struct program program;
	struct owner owner;
	struct fake *fake = broker_start(&program, &owner);
	const struct step *step = broker_adopt_steps;
	struct ilu_memory *large;
	int bios, copy;

	(void)state;
	for (; strcmp(step->name, "copy bios"); step++)
		assert_ok(&program, step->run(&program));
	large = ilu_memory_create(program.ilu, "large", 2 * ROM_LENGTH, NULL);
	bios = fake_take(fake, owner.bios);
	assert_ok(&program, ilu_map_instead(dma(&program), BIOS_IOVA, large, FAKE_PAGE, bios));
	fake_close(fake, bios);
	copy = fake_give(fake, ilu_memory_fd(large));
	owner_unmap(fake, &owner, owner.ioas[0], BIOS_IOVA, ROM_LENGTH);
	owner_map(fake, &owner, owner.ioas[0], copy, BIOS_IOVA, 0, ROM_LENGTH,
		  IOMMU_IOAS_MAP_READABLE);
	assert_ok(&program, ilu_release(program.ilu));
	assert_ptr_equal(fake_dma(&fake->cards[0], BIOS_IOVA, ILU_MAP_READ),
			 fake->others[copy]->content->bytes);
	broker_end_all(&program);
}

/* What the owner has changed meanwhile is his. */
static void test_instead_changed(void **state)
{
	struct program program;
	struct owner owner;
	struct fake *fake;

	(void)state;
	fake = adopted(&program, &owner);
	owner_unmap(fake, &owner, owner.ioas[0], BIOS_IOVA, ROM_LENGTH);
	assert_ok(&program, ilu_release(program.ilu));
	assert_null(fake_dma(&fake->cards[0], BIOS_IOVA, ILU_MAP_READ));
	broker_end_all(&program);

	fake = adopted(&program, &owner);
	owner_unmap(fake, &owner, owner.ioas[0], BIOS_IOVA, ROM_LENGTH);
	owner_map(fake, &owner, owner.ioas[0], owner.rom, BIOS_IOVA, 0, ROM_LENGTH,
		  IOMMU_IOAS_MAP_READABLE);
	assert_ok(&program, ilu_release(program.ilu));
	assert_int_equal(*fake_dma(&fake->cards[0], BIOS_IOVA, ILU_MAP_READ), 'r');
	broker_end_all(&program);
}

/* ---- wrong descriptors, wrong ids, wrong order ---- */

static int adopt_other_file(struct program *program, int fd)
{
	int error = ilu_iommufd_adopt(program->ilu, fd);

	if (fd >= 0)
		fake_close(program->fake, fd);
	return error;
}

static void test_iommufd(void **state)
{
	struct program program;
	struct owner owner;
	struct fake *fake = broker_start(&program, &owner);
	int fd;

	(void)state;
	assert_int_equal(ilu_iommufd_adopt(NULL, 3), -EINVAL);
	assert_int_equal(ilu_iommufd(NULL), -EBADF);
	assert_int_equal(ilu_iommufd(program.ilu), -EBADF);
	assert_refused(&program, ilu_iommufd_adopt(program.ilu, -1), EBADF);
	assert_refused(&program, adopt_other_file(&program, fake_eventfd(fake)), ENOTTY);
	assert_refused(&program, adopt_other_file(&program, fake_take(fake, owner.devices[0])),
		       ENOTTY);
	assert_id(&program, ILU_ID_HOST_CANNOT_ANSWER);
	fake->old_kernel = true;
	assert_refused(&program, adopt_other_file(&program, fake_take(fake, owner.iommufd)), ENOTTY);
	fake->old_kernel = false;
	assert_null(ilu_space_adopt(program.ilu, "dma", owner.ioas[0]));
	assert_id(&program, ILU_ID_CALL_ARGUMENT);
	/* There are no objects of its own in there. */
	assert_non_null(ilu_space_create(program.ilu, "own"));
	assert_refused(&program, adopt_other_file(&program, fake_take(fake, owner.iommufd)), EBUSY);
	assert_missing(&program, ilu_space_adopt(program.ilu, "dma", owner.ioas[0]), EINVAL);
	assert_missing(&program,
		       ilu_device_adopt(program.ilu, "nic",
					&ILU_OPTS(ilu_device_adopt_opts, .fd = 3, .hwpt = 1),
					ilu_space(program.ilu, "own")), EINVAL);
	program_end(&program);
	program.ilu = fake_context(fake);
	assert_ok(&program, adopt_other_file(&program, fake_take(fake, owner.iommufd)));
	assert_refused(&program, adopt_other_file(&program, fake_take(fake, owner.iommufd)), EBUSY);
	/* What comes in has an iommufd of its own. */
	assert_refused(&program, ilu_session_open(program.ilu, "vm1"), EBUSY);
	assert_refused(&program, ilu_session_retrieve(program.ilu, "vm1"), EBUSY);
	fd = fake_session(fake, "given", false);
	assert_refused(&program, ilu_session_from_fd(program.ilu, fd), EBUSY);
	assert_id(&program, ILU_ID_CALL_ORDER);
	fake_close(fake, fd);
	broker_end_all(&program);
}

static void test_spaces(void **state)
{
	struct program program;
	struct owner owner;
	struct fake *fake = adopted(&program, &owner);

	(void)state;
	assert_null(ilu_space_adopt(NULL, "x", 1));
	assert_int_equal(ilu_space_id(NULL), 0);
	assert_int_equal(ilu_space_id(dma(&program)), owner.ioas[0]);
	assert_int_equal(ilu_space_strangers(NULL, NULL, NULL), -EINVAL);
	assert_missing(&program, ilu_space_adopt(program.ilu, "x", 0), ENOENT);
	assert_missing(&program, ilu_space_adopt(program.ilu, "x", 200), ENOENT);
	/* that of a page table, which nobody has told of */
	assert_missing(&program, ilu_space_adopt(program.ilu, "x", owner.ids[0]), ENOENT);
	assert_missing(&program, ilu_space_adopt(program.ilu, "x", owner.ioas[0]), EEXIST);
	assert_missing(&program, ilu_space_adopt(program.ilu, "x", owner.hwpts[0]), EEXIST);
	assert_missing(&program, ilu_space_adopt(program.ilu, "dma", owner.ids[0]), EEXIST);
	assert_missing(&program, ilu_space_adopt(program.ilu, "", owner.ids[0]), EINVAL);
	/* It is not this program's. */
	assert_missing(&program, ilu_space_create(program.ilu, "own"), EPERM);
	assert_refused(&program, ilu_map(dma(&program), 0x1000, ilu_memory(program.ilu, "ram"), 0,
					 FAKE_PAGE, ILU_MAP_RW), EPERM);
	assert_refused(&program, ilu_unmap(dma(&program), RAM_IOVA), EPERM);
	assert_id(&program, ILU_ID_CALL_FOREIGN);
	assert_ok(&program, ilu_preserve(program.ilu));
	assert_missing(&program, ilu_space_adopt(program.ilu, "x", owner.ids[0]), EBUSY);
	assert_refused(&program, ilu_map_instead(dma(&program), ROM_IOVA,
						 ilu_memory(program.ilu, "ram"), 0, 3), EBUSY);
	(void)fake;
	broker_end_all(&program);
}

static void test_devices(void **state)
{
	struct program program;
	struct owner owner;
	struct fake *fake = adopted(&program, &owner);
	unsigned char newer[sizeof(struct ilu_device_adopt_opts) + 8] = { 0 };
	uint32_t id, hwpt;
	uint16_t vendor;
	int fd;

	(void)state;
	assert_null(ilu_device_adopt(NULL, "x", NULL, NULL));
	assert_int_equal(ilu_device_pt(NULL, &id, &hwpt), -EINVAL);
	assert_ok(&program, ilu_device_pt(nic(&program), &id, &hwpt));
	assert_int_equal(id, owner.ids[0]);
	assert_int_equal(hwpt, owner.hwpts[0]);
	assert_ok(&program, ilu_device_ids(nic(&program), &vendor, NULL));
	assert_int_equal(vendor, 0x8086);
	/* an automatic one */
	fd = fake_take(fake, owner.devices[0]);
	assert_missing(&program, adopt(&program, "x", fd, 0, NULL), EOPNOTSUPP);
	assert_id(&program, ILU_ID_HWPT_KIND);
	/* ids of something else */
	fd = fake_take(fake, owner.devices[0]);
	assert_missing(&program, adopt(&program, "x", fd, owner.hwpts[1], NULL), EEXIST);
	fd = fake_take(fake, owner.devices[0]);
	assert_missing(&program, adopt(&program, "x", fd, owner.ioas[0], NULL), EEXIST);
	fd = fake_take(fake, owner.devices[0]);
	assert_missing(&program, adopt(&program, "x", fd, owner.ioas[1], NULL), EEXIST);
	/* no file of a device, or of none that is bound */
	assert_missing(&program, adopt(&program, "x", -1, owner.hwpts[0], NULL), EBADF);
	assert_missing(&program, adopt(&program, "x", fake_eventfd(fake), owner.hwpts[0], NULL),
		       ENOTTY);
	fd = fake_take(fake, owner.devices[0]);
	assert_missing(&program, adopt(&program, "x", fd, owner.hwpts[0], "../x"), EINVAL);
	fd = fake_take(fake, owner.devices[0]);
	assert_missing(&program, adopt(&program, "nic", fd, owner.hwpts[0], NULL), EEXIST);
	assert_missing(&program, ilu_device_adopt(program.ilu, "x", NULL, dma(&program)), EINVAL);
	assert_id(&program, ILU_ID_CALL_ARGUMENT);
	newer[0] = sizeof(newer);
	newer[sizeof(newer) - 1] = 1;
	assert_missing(&program,
		       ilu_device_adopt(program.ilu, "x",
					(const struct ilu_device_adopt_opts *)newer, dma(&program)),
		       E2BIG);
	/* It is not this program's. */
	assert_missing(&program, ilu_device_open(program.ilu, "x", "0000:01:00.0", dma(&program)),
		       EPERM);
	fd = fake_take(fake, owner.devices[0]);
	assert_missing(&program, ilu_device_add(program.ilu, "x", fd, dma(&program)), EPERM);
	fake_close(fake, fd);
	assert_refused(&program, ilu_device_reset(nic(&program)), EPERM);
	assert_refused(&program, ilu_device_config_write(nic(&program), 0x60, &vendor, 2), EPERM);
	assert_refused(&program, ilu_device_allow_dma(nic(&program)), EPERM);
	assert_ok(&program, ilu_device_config_read(nic(&program), 0, &vendor, 2));
	assert_non_null(ilu_device_bar(nic(&program), 0, NULL));
	program_check(&program);
	assert_ok(&program, ilu_preserve(program.ilu));
	fd = fake_take(fake, owner.devices[0]);
	assert_missing(&program, adopt(&program, "x", fd, owner.hwpts[0], NULL), EBUSY);
	broker_end_all(&program);
}

/* A device of nobody, opened by the broker itself */
static void test_unbound(void **state)
{
	struct program program;
	struct owner owner;
	struct fake *fake = broker_start(&program, &owner);
	int fd;

	(void)state;
	fd = fake_take(fake, owner.iommufd);
	assert_ok(&program, ilu_iommufd_adopt(program.ilu, fd));
	fake_close(fake, fd);
	assert_non_null(ilu_space_adopt(program.ilu, "dma", owner.ioas[0]));
	fake_kill_other(fake);
	fd = fake_open(fake, "/dev/vfio/devices/vfio0");
	assert_missing(&program, adopt(&program, "nic", fd, owner.hwpts[0], NULL), EINVAL);
	assert_id(&program, ILU_ID_DEV_NOT_BOUND);
	broker_end_all(&program);
}

/* What only the kernel can tell is refused by it. */
static void refused_by_kernel(int error, enum ilu_id id, void (*spoil)(struct program *program))
{
	struct program program;
	struct owner owner;
	struct fake *fake = adopted(&program, &owner);

	spoil(&program);
	assert_refused(&program, ilu_preserve(program.ilu), error);
	assert_id(&program, id);
	assert_null(fake->sessions);
	assert_ok(&program, ilu_release(program.ilu));
	program_check(&program);
	broker_end_all(&program);
}

/* The page table that it is told to be on exists, but is an automatic one. */
static void automatic(struct program *program)
{
	const struct owner *owner = program->owner;

	program->fake->others[owner->iommufd]->objects[owner->hwpts[0]].automatic = true;
}

static void twice(struct program *program)
{
	assert_non_null(adopt(program, "again", fake_take(program->fake, program->owner->devices[0]),
			      program->owner->hwpts[0], NULL));
}

/* That is of no page table at all. */
static void no_page_table(struct program *program)
{
	assert_non_null(adopt(program, "again", fake_take(program->fake, program->owner->devices[0]),
			      200, NULL));
}

/* It has changed over to one that nobody has told of. */
static void elsewhere(struct program *program)
{
	struct file *iommufd = program->fake->others[program->owner->iommufd];
	uint32_t id = object_alloc(iommufd, OBJECT_HWPT, 0);

	iommufd->objects[id].ioas = program->owner->ioas[0];
	program->fake->cards[0].hwpt = id;
}

static void token_taken(struct program *program)
{
	const struct owner *owner = program->owner;
	struct iommu_hwpt_liveupdate_mark_preserve mark = {
		.size = sizeof(mark),
		.hwpt_id = owner->hwpts[1],
		.hwpt_token = owner->hwpts[0],
	};

	assert_int_equal(owner_ioctl(program->fake, owner, IOMMU_HWPT_LIVEUPDATE_MARK_PRESERVE,
				     &mark), 0);
}

static void test_refused_by_kernel(void **state)
{
	(void)state;
	refused_by_kernel(EOPNOTSUPP, ILU_ID_HWPT_KIND, automatic);
	refused_by_kernel(EBUSY, ILU_ID_DEV_BUSY, twice);
	refused_by_kernel(ENOENT, ILU_ID_CALL_REFUSED, no_page_table);
	refused_by_kernel(ENOENT, ILU_ID_HWPT_UNMARKED, elsewhere);
	refused_by_kernel(EADDRINUSE, ILU_ID_HWPT_TOKEN, token_taken);
}

/* A page table that is another one of the same id the next time is marked as well. */
static void test_marked_anew(void **state)
{
	struct program program;
	struct owner owner;
	struct fake *fake = adopted(&program, &owner);

	(void)state;
	assert_ok(&program, ilu_preserve(program.ilu));
	assert_ok(&program, ilu_unpreserve(program.ilu));
	fake->others[owner.iommufd]->objects[owner.hwpts[0]].marked = false;
	assert_ok(&program, ilu_preserve(program.ilu));
	assert_ok(&program, ilu_release(program.ilu));
	broker_end_all(&program);
}

/* Two devices of one kind share a page table, before and after. */
static void test_shared_page_table(void **state)
{
	struct program program;
	struct owner owner;
	struct fake *fake = broker_start(&program, &owner);
	struct vfio_device_attach_iommufd_pt attach = { .argsz = sizeof(attach) };
	const struct step *step = broker_adopt_steps;
	uint32_t hwpts[2];

	(void)state;
	attach.pt_id = owner.hwpts[0];
	assert_int_equal(device_ioctl(fake, fake->others[owner.devices[1]],
				      VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach), 0);
	for (; strcmp(step->name, "adopt other"); step++)
		assert_ok(&program, step->run(&program));
	assert_non_null(adopt(&program, "nic2", fake_take(fake, owner.devices[1]), owner.hwpts[0],
			      NULL));
	fake->image = true;
	assert_ok(&program, ilu_preserve(program.ilu));
	/* by the owner itself */
	memset(fake->cards[0].irqs, 0, sizeof(fake->cards[0].irqs));
	assert_ok(&program, ilu_kexec(program.ilu));
	program_next(&program);
	assert_ok(&program, ilu_session_open(program.ilu, "vm1"));
	assert_ok(&program, ilu_restore(program.ilu));
	assert_ok(&program, ilu_device_pt(nic(&program), NULL, &hwpts[0]));
	assert_ok(&program, ilu_device_pt(ilu_device(program.ilu, "nic2"), NULL, &hwpts[1]));
	assert_int_equal(hwpts[0], hwpts[1]);
	assert_int_equal(fake_count(fake, OBJECT_HWPT), 1);
	assert_non_null(fake_dma(&fake->cards[1], BIOS_IOVA, ILU_MAP_READ));
	assert_ok(&program, ilu_finish(program.ilu));
	program_end(&program);
	fake_free(fake);
}

/* Only what is mapped goes along then, to an iommufd of the next kernel. */
static void test_no_device(void **state)
{
	struct program program;
	struct owner owner;
	struct fake *fake = broker_start(&program, &owner);
	const struct step *step = broker_adopt_steps;

	(void)state;
	for (; strcmp(step->name, "adopt nic"); step++)
		assert_ok(&program, step->run(&program));
	fake->image = true;
	assert_ok(&program, ilu_preserve(program.ilu));
	program_check(&program);
	assert_ok(&program, ilu_kexec(program.ilu));
	program_next(&program);
	assert_ok(&program, ilu_session_open(program.ilu, "vm1"));
	assert_ok(&program, ilu_restore(program.ilu));
	assert_int_equal(fake_count(fake, OBJECT_IOAS), 1);
	assert_non_null(fake->fds[ilu_iommufd(program.ilu)]->objects[ilu_space_id(dma(&program))].maps);
	assert_ok(&program, ilu_finish(program.ilu));
	assert_ok(&program, ilu_release(program.ilu));
	broker_end_all(&program);
}

/* ---- interrupts ---- */

static void test_irqs(void **state)
{
	struct program program;
	struct owner owner;
	struct fake *fake = adopted(&program, &owner);
	int eventfd = fake_eventfd(fake);
	struct ilu *other;

	(void)state;
	assert_int_equal(ilu_device_irqs_adopt(NULL, 0, 0, NULL), -EINVAL);
	assert_refused(&program, ilu_device_irqs_adopt(nic(&program), 5, 1, &eventfd), EINVAL);
	assert_refused(&program, ilu_device_irqs_adopt(nic(&program), 2, 1, NULL), EINVAL);
	assert_refused(&program, ilu_device_irqs_adopt(nic(&program), 2, 2049, &eventfd), EINVAL);
	assert_refused(&program, ilu_device_irqs_adopt(nic(&program), 2, 1, &(int) { 99 }), EBADF);
	/* Nobody could switch it on again as it was. */
	assert_refused(&program, ilu_device_irqs_adopt(nic(&program), VFIO_PCI_INTX_IRQ_INDEX, 1,
						       &eventfd), EOPNOTSUPP);
	assert_id(&program, ILU_ID_DEV_IRQ_KIND);
	/* Those of the owner are not for this program to change. */
	assert_refused(&program, ilu_device_irqs(nic(&program), VFIO_PCI_MSIX_IRQ_INDEX, 1,
						 &eventfd, 0), EPERM);
	assert_refused(&program, ilu_device_irqs(nic(&program), VFIO_PCI_MSIX_IRQ_INDEX, 0, NULL,
						 0), EPERM);
	assert_ok(&program, ilu_release(program.ilu));
	owner_check(&program);
	/* and those of this program are not the owner's. */
	other = fake_context(fake);
	program_end(&program);
	fake_kill_other(fake);
	assert_non_null(ilu_device_open(other, "nic", "0000:01:00.0",
					ilu_space_create(other, "own")));
	assert_int_equal(ilu_device_irqs_adopt(ilu_device(other, "nic"), VFIO_PCI_MSIX_IRQ_INDEX, 1,
					       &eventfd), -EINVAL);
	ilu_free(other);
	fake_free(fake);
}

/* What was not adopted stays on: it could not be switched on again. */
static void test_unknown_irqs(void **state)
{
	struct program program;
	struct owner owner;
	struct fake *fake = adopted(&program, &owner);

	(void)state;
	fake->cards[1].irqs[VFIO_PCI_MSI_IRQ_INDEX] = 2;
	fake->image = true;
	assert_ok(&program, ilu_preserve(program.ilu));
	assert_refused(&program, ilu_kexec(program.ilu), EINVAL);
	assert_id(&program, ILU_ID_DEV_IRQS);
	assert_int_equal(fake->cards[1].irqs[VFIO_PCI_MSI_IRQ_INDEX], 2);
	assert_int_equal(ilu_check(program.ilu, NULL, NULL), ILU_FAIL);
	assert_int_equal(fake->cards[1].irqs[VFIO_PCI_MSI_IRQ_INDEX], 2);
	/* by its owner */
	fake->cards[1].irqs[VFIO_PCI_MSI_IRQ_INDEX] = 0;
	assert_ok(&program, ilu_kexec(program.ilu));
	program_next(&program);
	program_run(&program, (const struct step[]) { broker_back_steps[0], broker_back_steps[1],
						      { NULL, NULL, NOTHING } });
	program_end(&program);
	fake_free(fake);
}

/* Those that are adopted last count, and nobody is disturbed by it. */
static void test_irqs_adopted_again(void **state)
{
	struct program program;
	struct owner owner;
	struct fake *fake = adopted(&program, &owner);
	int eventfds[NR_MSIX];

	(void)state;
	for (int i = 0; i < NR_MSIX; i++)
		eventfds[i] = i == 1 ? -1 : fake_take(fake, owner.eventfds[i]);
	assert_ok(&program, ilu_device_irqs_adopt(nic(&program), VFIO_PCI_MSIX_IRQ_INDEX, 1,
						  eventfds));
	assert_ok(&program, ilu_device_irqs_adopt(nic(&program), VFIO_PCI_MSIX_IRQ_INDEX, NR_MSIX,
						  eventfds));
	for (int i = 0; i < NR_MSIX; i++)
		if (i != 1)
			fake_close(fake, eventfds[i]);
	assert_ok(&program, ilu_preserve(program.ilu));
	assert_ok(&program, ilu_quiesce(program.ilu));
	assert_ok(&program, ilu_release(program.ilu));
	owner_check(&program);
	broker_end_all(&program);
}

/* Not while they are off: they would stay so. A kind that was never off can still be. */
static void test_irqs_adopted_late(void **state)
{
	struct program program;
	struct owner owner;
	struct fake *fake = broker_start(&program, &owner);
	const struct step *step = broker_adopt_steps;
	int eventfds[NR_MSIX + 1], *request = &eventfds[NR_MSIX];

	(void)state;
	for (; strcmp(step->name, "adopt requests"); step++)
		assert_ok(&program, step->run(&program));
	for (int i = 0; i <= NR_MSIX; i++)
		eventfds[i] = i == 1 ? -1 : fake_take(fake, owner.eventfds[i]);
	assert_ok(&program, ilu_quiesce(program.ilu));
	assert_refused(&program, ilu_device_irqs_adopt(nic(&program), VFIO_PCI_MSIX_IRQ_INDEX,
						       NR_MSIX, eventfds), EBUSY);
	assert_id(&program, ILU_ID_CALL_ORDER);
	assert_ok(&program, ilu_device_irqs_adopt(nic(&program), VFIO_PCI_REQ_IRQ_INDEX, 1,
						  request));
	assert_ok(&program, ilu_quiesce(program.ilu));
	assert_int_equal(fake->cards[0].irqs[VFIO_PCI_REQ_IRQ_INDEX], 0);
	for (int i = 0; i <= NR_MSIX; i++)
		if (i != 1)
			fake_close(fake, eventfds[i]);
	assert_ok(&program, ilu_release(program.ilu));
	owner_check(&program);
	broker_end_all(&program);
}

/* Armed, and not fired: that is told, and they stay on, as their owner has them. */
static void test_irqs_not_fired(void **state)
{
	struct program program;
	struct owner owner;
	struct fake *fake = adopted(&program, &owner);

	(void)state;
	assert_ok(&program, ilu_quiesce(program.ilu));
	fake->cards[0].fire_errno = ENOMEM;
	assert_refused(&program, ilu_release(program.ilu), ENOMEM);
	assert_id(&program, ILU_ID_DEV_IRQS_OFF);
	owner_check(&program);
	fake->cards[0].fire_errno = 0;
	assert_ok(&program, ilu_release(program.ilu));
	assert_int_equal(fake->cards[0].fired, NR_MSIX);
	owner_check(&program);
	broker_end_all(&program);
}

/* ---- memory before the rest ---- */

static int frozen_memories(const struct program *program)
{
	const struct file *ram = program->fake->others[program->owner->ram];
	const struct file *rom = program->fake->others[program->owner->rom];

	return !!ram->content->frozen + !!rom->content->frozen;
}

static void is_unknown(void *arg, const struct ilu_finding *finding)
{
	assert_int_equal(finding->verdict, ILU_UNKNOWN);
	assert_int_equal(finding->id, ILU_ID_CALL_ORDER);
	++*(int *)arg;
}

static void test_early_memory(void **state)
{
	struct program program;
	struct owner owner;
	struct fake *fake = broker_start(&program, &owner);
	const struct step *step = broker_adopt_steps;
	int told = 0;

	(void)state;
	assert_int_equal(ilu_preserve_memory(NULL), -EINVAL);
	assert_refused(&program, ilu_preserve_memory(program.ilu), EINVAL);
	for (int i = 0; i < 2; i++, step++)
		assert_ok(&program, step->run(&program));
	assert_ok(&program, ilu_preserve_memory(program.ilu));
	assert_int_equal(ilu_role(program.ilu), ILU_ROLE_OUTGOING);
	assert_int_equal(frozen_memories(&program), 1);
	for (; step->name; step++)
		assert_ok(&program, step->run(&program));
	assert_int_equal(frozen_memories(&program), 1);
	assert_ok(&program, ilu_preserve_memory(program.ilu));
	assert_ok(&program, ilu_preserve_memory(program.ilu));
	assert_int_equal(frozen_memories(&program), 2);
	/* It could only be tried in another session, where it cannot be. */
	assert_int_equal(ilu_check(program.ilu, is_unknown, &told), ILU_UNKNOWN);
	assert_int_equal(told, 1);
	assert_int_equal(frozen_memories(&program), 2);
	assert_ok(&program, ilu_unpreserve(program.ilu));
	assert_int_equal(frozen_memories(&program), 0);
	assert_refused(&program, ilu_unpreserve(program.ilu), EINVAL);
	assert_null(fake->sessions);
	/* A failure of the rest takes it back. */
	assert_ok(&program, ilu_preserve_memory(program.ilu));
	fake->cards[2].refusal = "it has something that cannot be";
	assert_refused(&program, ilu_preserve(program.ilu), EOPNOTSUPP);
	assert_int_equal(frozen_memories(&program), 0);
	fake->cards[2].refusal = NULL;
	assert_ok(&program, ilu_preserve_memory(program.ilu));
	assert_ok(&program, ilu_preserve(program.ilu));
	assert_refused(&program, ilu_preserve_memory(program.ilu), EBUSY);
	assert_ok(&program, ilu_blob_set(program.ilu, "late", "newest", 6));
	fake->image = true;
	assert_ok(&program, ilu_kexec(program.ilu));
	program_next(&program);
	program_run(&program, broker_back_steps);
	owner_check(&program);
	broker_end_all(&program);
}

/* A stranger is refused before anything is asked, so the memory stays. */
static void test_early_memory_stays(void **state)
{
	struct program program;
	struct owner owner;
	struct fake *fake = adopted(&program, &owner);

	(void)state;
	assert_ok(&program, ilu_preserve_memory(program.ilu));
	owner_map_type(fake, &owner, owner.ioas[0], 0x1000, IOMMU_IOAS_AREA_USER);
	assert_refused(&program, ilu_preserve(program.ilu), EOPNOTSUPP);
	assert_int_equal(frozen_memories(&program), 2);
	owner_unmap(fake, &owner, owner.ioas[0], 0x1000, FAKE_PAGE);
	assert_ok(&program, ilu_preserve(program.ilu));
	assert_ok(&program, ilu_release(program.ilu));
	owner_check(&program);
	broker_end_all(&program);
}

/* ---- sessions of the machine ---- */

struct listed {
	int nr, stop_after;
	struct fake *fake;
	char names[4][64];
	struct ilu_session_info infos[4];
};

static int list(void *arg, const struct ilu_session_info *session)
{
	struct listed *listed = arg;
	struct ilu *ilu = fake_context(listed->fake);

	/* /dev/liveupdate is free. */
	assert_int_equal(ilu_session_retrieve(ilu, "none"), -ENOENT);
	ilu_free(ilu);
	assert_int_equal(session->size, sizeof(*session));
	snprintf(listed->names[listed->nr], sizeof(listed->names[0]), "%s", session->name);
	listed->infos[listed->nr++] = *session;
	return listed->nr == listed->stop_after ? -7 : 0;
}

static void test_sessions(void **state)
{
	struct program program;
	struct owner owner;
	struct fake *fake = adopted(&program, &owner);
	struct listed listed = { .fake = fake };
	int fd;

	(void)state;
	assert_int_equal(ilu_sessions(NULL, list, &listed), -EINVAL);
	assert_refused(&program, ilu_sessions(program.ilu, NULL, NULL), EINVAL);
	assert_ok(&program, ilu_sessions(program.ilu, list, &listed));
	assert_int_equal(listed.nr, 0);
	fake->image = true;
	assert_ok(&program, ilu_preserve(program.ilu));
	assert_ok(&program, ilu_kexec(program.ilu));
	program_next(&program);
	fd = fake_session(fake, "new", false);
	assert_int_equal(ilu_sessions(program.ilu, list, &listed), 0);
	assert_int_equal(listed.nr, 2);
	assert_string_equal(listed.names[0], "vm1");
	assert_true(listed.infos[0].incoming && listed.infos[0].needs_finish);
	assert_false(listed.infos[0].open);
	/* ram, rom, bios, manifest, iommufd, three devices */
	assert_int_equal(listed.infos[0].files, 8);
	assert_string_equal(listed.names[1], "new");
	assert_true(listed.infos[1].open);
	assert_false(listed.infos[1].incoming || listed.infos[1].needs_finish);
	assert_int_equal(listed.infos[1].files, 0);
	listed = (struct listed) { .fake = fake, .stop_after = 1 };
	assert_int_equal(ilu_sessions(program.ilu, list, &listed), -7);
	assert_int_equal(listed.nr, 1);
	fake->old_kernel = true;
	assert_refused(&program, ilu_sessions(program.ilu, list, &listed), ENOTTY);
	assert_id(&program, ILU_ID_HOST_CANNOT_ANSWER);
	fake->old_kernel = false;
	fake_close(fake, fd);
	program_run(&program, (const struct step[]) { broker_back_steps[0], broker_back_steps[1],
						      { NULL, NULL, NOTHING } });
	program_end(&program);
	fake_free(fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_let_go),
		cmocka_unit_test(test_unused),
		cmocka_unit_test(test_unused_restored),
		cmocka_unit_test(test_unpreserve),
		cmocka_unit_test(test_release_later),
		cmocka_unit_test(test_release_twice),
		cmocka_unit_test(test_owner_dies),
		cmocka_unit_test(test_both_let_go),
		cmocka_unit_test(test_release_too_early),
		cmocka_unit_test(test_strangers),
		cmocka_unit_test(test_unsealed),
		cmocka_unit_test(test_odd_areas),
		cmocka_unit_test(test_odd_lists),
		cmocka_unit_test(test_moving_owner),
		cmocka_unit_test(test_instead_refused),
		cmocka_unit_test(test_instead_fails),
		cmocka_unit_test(test_insteads_fail),
		cmocka_unit_test(test_gap_filled),
		cmocka_unit_test(test_space_destroyed),
		cmocka_unit_test(test_copy_changed),
		cmocka_unit_test(test_copy_moved),
		cmocka_unit_test(test_instead_changed),
		cmocka_unit_test(test_iommufd),
		cmocka_unit_test(test_spaces),
		cmocka_unit_test(test_devices),
		cmocka_unit_test(test_unbound),
		cmocka_unit_test(test_refused_by_kernel),
		cmocka_unit_test(test_marked_anew),
		cmocka_unit_test(test_shared_page_table),
		cmocka_unit_test(test_no_device),
		cmocka_unit_test(test_irqs),
		cmocka_unit_test(test_unknown_irqs),
		cmocka_unit_test(test_irqs_adopted_again),
		cmocka_unit_test(test_irqs_adopted_late),
		cmocka_unit_test(test_irqs_not_fired),
		cmocka_unit_test(test_early_memory),
		cmocka_unit_test(test_early_memory_stays),
		cmocka_unit_test(test_sessions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
