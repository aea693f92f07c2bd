// SPDX-License-Identifier: GPL-2.0
#include <fcntl.h>
#include <linux/vfio.h>

#include "broker.h"

#define SEALS	(F_SEAL_SEAL | F_SEAL_GROW | F_SEAL_SHRINK)

static const char *const names[] = { "nic", "nic2", "disk" };

/* ---- the owner ---- */

static void plain(struct fake *fake, int fd, unsigned long request, void *data)
{
	assert_true(fake_ops.ioctl(fake, fd, request, data) >= 0);
}

static int memfd(struct fake *fake, uint64_t length, bool sealed, int byte)
{
	int fd = fake_memfd(fake, length, sealed);
	struct content *content = fake->fds[fd]->content;

	if (sealed)
		content->seals = SEALS;
	memset(content->bytes, byte, length);
	return fd;
}

static void make_spaces(struct fake *fake, struct owner *owner)
{
	for (size_t i = 0; i < NR(owner->ioas); i++) {
		struct iommu_ioas_alloc alloc = { .size = sizeof(alloc) };

		plain(fake, owner->iommufd, IOMMU_IOAS_ALLOC, &alloc);
		owner->ioas[i] = alloc.out_ioas_id;
	}
}

static void make_device(struct fake *fake, struct owner *owner, int i)
{
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind), .iommufd = owner->iommufd };
	struct iommu_hwpt_alloc alloc = { .size = sizeof(alloc), .pt_id = owner->ioas[i == 1] };
	struct vfio_device_attach_iommufd_pt attach = { .argsz = sizeof(attach) };
	struct card *card = &fake->cards[i];
	char path[64];

	snprintf(path, sizeof(path), "/dev/vfio/devices/%s", card->name);
	owner->devices[i] = fake_open(fake, path);
	plain(fake, owner->devices[i], VFIO_DEVICE_BIND_IOMMUFD, &bind);
	owner->ids[i] = alloc.dev_id = bind.out_devid;
	plain(fake, owner->iommufd, IOMMU_HWPT_ALLOC, &alloc);
	owner->hwpts[i] = attach.pt_id = alloc.out_hwpt_id;
	plain(fake, owner->devices[i], VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach);
	card->bar[0] = 1;
	card->config[PCI_COMMAND] = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	card->resets = 0;
}

static void arm_kind(struct fake *fake, int device, unsigned int index, unsigned int count,
		     const int *eventfds)
{
	struct {
		struct vfio_irq_set set;
		int eventfds[NR_MSIX];
	} call = { .set = {
		.argsz = sizeof(call),
		.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = index,
		.count = count,
	} };

	memcpy(call.set.data, eventfds, count * sizeof(*eventfds));
	plain(fake, device, VFIO_DEVICE_SET_IRQS, &call);
}

static void arm_all(struct fake *fake, int nic, const int eventfds[NR_MSIX + 1])
{
	arm_kind(fake, nic, VFIO_PCI_MSIX_IRQ_INDEX, NR_MSIX, eventfds);
	arm_kind(fake, nic, VFIO_PCI_REQ_IRQ_INDEX, 1, eventfds + NR_MSIX);
}

/* As the process, which then is the other one. */
void owner_build(struct fake *fake, struct owner *owner)
{
	owner->iommufd = fake_open(fake, "/dev/iommu");
	owner->ram = memfd(fake, RAM_LENGTH, true, 'm');
	owner->rom = memfd(fake, ROM_LENGTH, true, 'r');
	owner->bios = memfd(fake, ROM_LENGTH, false, 'b');
	make_spaces(fake, owner);
	for (int i = 0; i < FAKE_CARDS; i++)
		make_device(fake, owner, i);
	for (int i = 0; i <= NR_MSIX; i++)
		owner->eventfds[i] = i == 1 ? -1 : fake_eventfd(fake);
	arm_all(fake, owner->devices[0], owner->eventfds);
	fake_become_other(fake);
	owner_map(fake, owner, owner->ioas[0], owner->ram, RAM_IOVA, 0, RAM_LENGTH / 2,
		  IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE);
	owner_map(fake, owner, owner->ioas[0], owner->ram, HIGH_IOVA, RAM_LENGTH / 2,
		  RAM_LENGTH / 2, IOMMU_IOAS_MAP_WRITEABLE);
	owner_map(fake, owner, owner->ioas[0], owner->rom, ROM_IOVA, 0, ROM_LENGTH,
		  IOMMU_IOAS_MAP_READABLE);
	owner_map(fake, owner, owner->ioas[0], owner->bios, BIOS_IOVA, 0, ROM_LENGTH,
		  IOMMU_IOAS_MAP_READABLE);
	owner_map(fake, owner, owner->ioas[1], owner->ram, RAM_IOVA, FAKE_PAGE, FAKE_PAGE,
		  IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE);
	fake->calls = fake->points = 0;
}

long owner_ioctl(struct fake *fake, const struct owner *owner, unsigned long request, void *data)
{
	return iommufd_ioctl(fake, fake->others[owner->iommufd], request, data);
}

void owner_map(struct fake *fake, const struct owner *owner, uint32_t ioas, int fd, uint64_t iova,
	       uint64_t start, uint64_t length, uint32_t flags)
{
	struct iommu_ioas_map_file map = {
		.size = sizeof(map),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | flags,
		.ioas_id = ioas,
		.fd = fake_take(fake, fd),
		.start = start,
		.length = length,
		.iova = iova,
	};

	fake->careless = true;
	assert_int_equal(owner_ioctl(fake, owner, IOMMU_IOAS_MAP_FILE, &map), 0);
	fake->careless = false;
	fake_close(fake, map.fd);
}

void owner_map_type(struct fake *fake, const struct owner *owner, uint32_t ioas, uint64_t iova,
		    uint32_t type)
{
	struct fake_map **at = &fake->others[owner->iommufd]->objects[ioas].maps;
	struct fake_map *map = calloc(1, sizeof(*map));

	while (*at && (*at)->iova < iova)
		at = &(*at)->next;
	*map = (struct fake_map) {
		.next = *at,
		.iova = iova,
		.start = 0x7f0000000000ull,
		.length = FAKE_PAGE,
		.flags = IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE,
		.type = type,
	};
	*at = map;
}

void owner_unmap(struct fake *fake, const struct owner *owner, uint32_t ioas, uint64_t iova,
		 uint64_t length)
{
	struct iommu_ioas_unmap unmap = {
		.size = sizeof(unmap),
		.ioas_id = ioas,
		.iova = iova,
		.length = length,
	};

	assert_int_equal(owner_ioctl(fake, owner, IOMMU_IOAS_UNMAP, &unmap), 0);
}

static const struct fake_map *bios_map(struct fake *fake, const struct owner *owner)
{
	const struct fake_map *map = fake->others[owner->iommufd]->objects[owner->ioas[0]].maps;

	while (map && map->iova != BIOS_IOVA)
		map = map->next;
	return map;
}

/* Interrupts of the one kind first, as they may be on. */
static void disarm(struct fake *fake, int nic, unsigned int index)
{
	struct vfio_irq_set set = {
		.argsz = sizeof(set),
		.flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = index,
	};

	fake_ops.ioctl(fake, nic, VFIO_DEVICE_SET_IRQS, &set);
}

void owner_mend(struct fake *fake, const struct owner *owner)
{
	const struct fake_map *map = bios_map(fake, owner);
	int nic = fake_take(fake, owner->devices[0]), eventfds[NR_MSIX + 1];

	if (map && map->content != fake->others[owner->bios]->content)
		owner_unmap(fake, owner, owner->ioas[0], BIOS_IOVA, ROM_LENGTH);
	if (!map || map != bios_map(fake, owner))
		owner_map(fake, owner, owner->ioas[0], owner->bios, BIOS_IOVA, 0, ROM_LENGTH,
			  IOMMU_IOAS_MAP_READABLE);
	for (int i = 0; i <= NR_MSIX; i++)
		eventfds[i] = i == 1 ? -1 : fake_take(fake, owner->eventfds[i]);
	disarm(fake, nic, VFIO_PCI_MSIX_IRQ_INDEX);
	disarm(fake, nic, VFIO_PCI_REQ_IRQ_INDEX);
	arm_all(fake, nic, eventfds);
	fake_kill(fake);
}

static void check_irqs(const struct fake *fake, const struct owner *owner)
{
	const struct card *nic = &fake->cards[0];

	assert_int_equal(nic->irqs[VFIO_PCI_MSIX_IRQ_INDEX], NR_MSIX);
	for (int i = 0; i < NR_MSIX; i++)
		assert_ptr_equal(nic->eventfds[VFIO_PCI_MSIX_IRQ_INDEX][i],
				 i == 1 ? NULL : fake->others[owner->eventfds[i]]);
	assert_int_equal(nic->irqs[VFIO_PCI_REQ_IRQ_INDEX], 1);
	assert_ptr_equal(nic->eventfds[VFIO_PCI_REQ_IRQ_INDEX][0],
			 fake->others[owner->eventfds[NR_MSIX]]);
}

static void check_pt(const struct fake *fake, const struct owner *owner, int i)
{
	const struct object *objects = fake->others[owner->iommufd]->objects;
	const struct card *card = &fake->cards[i];

	assert_int_equal(card->id, owner->ids[i]);
	assert_int_equal(card->hwpt, owner->hwpts[i]);
	assert_int_equal(objects[card->hwpt].ioas, owner->ioas[i == 1]);
}

void owner_check(struct program *program)
{
	const struct owner *owner = program->owner;
	struct fake *fake = program->fake;

	program_check(program);
	check_irqs(fake, owner);
	for (int i = 0; i < FAKE_CARDS; i++)
		check_pt(fake, owner, i);
	for (int card = 0; card < FAKE_CARDS; card += 2) {
		assert_non_null(fake_dma(&fake->cards[card], BIOS_IOVA, ILU_MAP_READ));
		assert_int_equal(*fake_dma(&fake->cards[card], BIOS_IOVA, ILU_MAP_READ), 'b');
		assert_int_equal(*fake_dma(&fake->cards[card], ROM_IOVA, ILU_MAP_READ), 'r');
		assert_null(fake_dma(&fake->cards[card], BIOS_IOVA, ILU_MAP_WRITE));
	}
	assert_ptr_equal(bios_map(fake, owner)->content, fake->others[owner->bios]->content);
}

/* ---- the broker, before the kexec ---- */

static int last_error(struct program *program, bool failed)
{
	return failed ? ilu_error(program->ilu)->err : 0;
}

static int add(struct program *program, const char *name, int other)
{
	int fd = fake_take(program->fake, other);
	struct ilu_memory *memory = ilu_memory_add(program->ilu, name, fd);

	fake_close(program->fake, fd);
	return last_error(program, !memory);
}

static int add_ram(struct program *program)
{
	return add(program, "ram", program->owner->ram);
}

static int add_rom(struct program *program)
{
	return add(program, "rom", program->owner->rom);
}

static int adopt_iommufd(struct program *program)
{
	int fd = fake_take(program->fake, program->owner->iommufd);
	int error = ilu_iommufd_adopt(program->ilu, fd);

	fake_close(program->fake, fd);
	return error;
}

static int adopt_dma(struct program *program)
{
	return last_error(program, !ilu_space_adopt(program->ilu, "dma", program->owner->ioas[0]));
}

static int adopt_other(struct program *program)
{
	return last_error(program, !ilu_space_adopt(program->ilu, "other",
						    program->owner->ioas[1]));
}

/* After the first kexec it is a copy already. */
static int copy_bios(struct program *program)
{
	struct ilu_memory *copy;
	void *address;

	if (program->generation)
		return add(program, "bios", program->owner->bios);
	copy = ilu_memory_create(program->ilu, "bios", ROM_LENGTH, NULL);
	if (!copy)
		return ilu_error(program->ilu)->err;
	address = ilu_memory_address(copy);
	assert_non_null(address);
	memset(address, 'b', ROM_LENGTH);
	return 0;
}

static int replace_bios(struct program *program)
{
	struct ilu *ilu = program->ilu;
	int original, error;

	if (program->generation)
		return 0;
	original = fake_take(program->fake, program->owner->bios);
	error = ilu_map_instead(ilu_space(ilu, "dma"), BIOS_IOVA, ilu_memory(ilu, "bios"), 0,
				original);
	fake_close(program->fake, original);
	return error;
}

static int adopt_device(struct program *program, int i)
{
	const struct owner *owner = program->owner;
	const struct ilu_device_adopt_opts opts = {
		.size = sizeof(opts),
		.fd = fake_take(program->fake, owner->devices[i]),
		.id = owner->ids[i],
		.hwpt = owner->hwpts[i],
		.bdf = i == 2 ? NULL : program->fake->cards[i].bdf,
	};
	struct ilu_space *space = ilu_space(program->ilu, i == 1 ? "other" : "dma");
	struct ilu_device *device = ilu_device_adopt(program->ilu, names[i], &opts, space);

	fake_close(program->fake, opts.fd);
	return last_error(program, !device);
}

static int adopt_nic(struct program *program)
{
	return adopt_device(program, 0);
}

static int adopt_nic2(struct program *program)
{
	return adopt_device(program, 1);
}

static int adopt_disk(struct program *program)
{
	return adopt_device(program, 2);
}

static int adopt_kind(struct program *program, unsigned int index, unsigned int count,
		      const int *others)
{
	struct ilu_device *nic = ilu_device(program->ilu, "nic");
	int eventfds[NR_MSIX], error;

	for (unsigned int i = 0; i < count; i++)
		eventfds[i] = others[i] < 0 ? -1 : fake_take(program->fake, others[i]);
	error = ilu_device_irqs_adopt(nic, index, count, eventfds);
	for (unsigned int i = 0; i < count; i++)
		if (eventfds[i] >= 0)
			fake_close(program->fake, eventfds[i]);
	return error;
}

static int adopt_vectors(struct program *program)
{
	return adopt_kind(program, VFIO_PCI_MSIX_IRQ_INDEX, NR_MSIX, program->owner->eventfds);
}

static int adopt_requests(struct program *program)
{
	return adopt_kind(program, VFIO_PCI_REQ_IRQ_INDEX, 1, program->owner->eventfds + NR_MSIX);
}

static int no_strangers(struct program *program)
{
	static const char *const spaces[] = { "dma", "other" };

	for (size_t i = 0; i < NR(spaces); i++) {
		int nr = ilu_space_strangers(ilu_space(program->ilu, spaces[i]), NULL, NULL);

		if (nr < 0)
			return nr;
		assert_int_equal(nr, 0);
	}
	return 0;
}

static int check(struct program *program)
{
	int verdict = ilu_check(program->ilu, NULL, NULL);

	return verdict > 0 ? ilu_error(program->ilu)->err : verdict;
}

static int preserve_memory(struct program *program)
{
	return ilu_preserve_memory(program->ilu);
}

static int preserve(struct program *program)
{
	return ilu_preserve(program->ilu);
}

static int set_late(struct program *program)
{
	return ilu_blob_set(program->ilu, "late", "newest", 6);
}

static int quiesce(struct program *program)
{
	return ilu_quiesce(program->ilu);
}

static int release(struct program *program)
{
	int error = ilu_release(program->ilu);

	if (error)
		return error;
	assert_null(ilu_device(program->ilu, "nic"));
	assert_int_equal(ilu_iommufd(program->ilu), -EBADF);
	owner_check(program);
	return 0;
}

static int load(struct program *program)
{
	int kernel = fake_eventfd(program->fake);
	int error = ilu_kexec_load(program->ilu, kernel, -1, "kho=on");

	fake_close(program->fake, kernel);
	return error;
}

static int jump(struct program *program)
{
	return ilu_kexec(program->ilu);
}

#define ADOPT_MEMORY \
	{ "add ram", add_ram, ALL }, \
	{ "add rom", add_rom, ALL }
#define ADOPT_REST \
	{ "adopt the iommufd", adopt_iommufd, ALL }, \
	{ "adopt dma", adopt_dma, ALL }, \
	{ "copy bios", copy_bios, ALL }, \
	{ "replace bios", replace_bios, ALL }, \
	{ "adopt nic", adopt_nic, ALL }, \
	{ "adopt other", adopt_other, ALL }, \
	{ "adopt disk", adopt_disk, ALL }, \
	{ "adopt nic2", adopt_nic2, ALL }, \
	{ "adopt vectors", adopt_vectors, ALL }, \
	{ "adopt requests", adopt_requests, ALL }, \
	{ "no strangers", no_strangers, ALL }
/*
 * What fails after the memory takes that along: it is in the same session. A kexec that is
 * refused switches interrupts on, which were off.
 */
#define ALL_STEPS \
	ADOPT_MEMORY, ADOPT_REST, \
	{ "load", load, ALL }, \
	{ "check", check, ALL }, \
	{ "preserve", preserve, ALL }, \
	{ "quiesce", quiesce, ALL }, \
	{ "release", release, NOTHING }, \
	ADOPT_MEMORY, \
	{ "preserve memory", preserve_memory, ALL }, \
	ADOPT_REST, \
	{ "preserve more memory", preserve_memory, NOTHING }, \
	{ "preserve", preserve, NOTHING }, \
	{ "set late blob", set_late, FILES }, \
	{ "quiesce", quiesce, ALL }, \
	{ "kexec", jump, NOTHING }, \
	{ NULL, NULL, NOTHING }

const struct step broker_first_steps[] = {
	{ "open the session", program_open_session, ALL },
	ALL_STEPS,
};

const struct step broker_later_steps[] = { ALL_STEPS };

const struct step broker_adopt_steps[] = {
	{ "open the session", program_open_session, ALL },
	ADOPT_MEMORY,
	ADOPT_REST,
	{ NULL, NULL, NOTHING },
};

/* ---- and after it ---- */

static int restore(struct program *program)
{
	return ilu_restore(program->ilu);
}

static int give(struct program *program, const char *memory)
{
	return fake_give(program->fake, ilu_memory_fd(ilu_memory(program->ilu, memory)));
}

/* No call of the kernel, so nothing of it fails. */
static int hand_over(struct program *program)
{
	struct ilu *ilu = program->ilu;
	struct owner *owner = program->owner;

	*owner = (struct owner) {
		.iommufd = fake_give(program->fake, ilu_iommufd(ilu)),
		.ram = give(program, "ram"),
		.rom = give(program, "rom"),
		.bios = give(program, "bios"),
		.ioas = { ilu_space_id(ilu_space(ilu, "dma")), ilu_space_id(ilu_space(ilu, "other")) },
	};
	for (int i = 0; i < FAKE_CARDS; i++) {
		struct ilu_device *device = ilu_device(ilu, names[i]);

		owner->devices[i] = fake_give(program->fake, ilu_device_fd(device));
		assert_int_equal(ilu_device_pt(device, &owner->ids[i], &owner->hwpts[i]), 0);
		assert_int_equal(ilu_device_pt(device, NULL, NULL), 0);
	}
	return 0;
}

static int arm(struct program *program, unsigned int index, unsigned int count, int *others,
	       unsigned int flags)
{
	int eventfds[NR_MSIX], error;

	for (unsigned int i = 0; i < count; i++)
		eventfds[i] = i == 1 ? -1 : fake_eventfd(program->fake);
	error = ilu_device_irqs(ilu_device(program->ilu, "nic"), index, count, eventfds, flags);
	for (unsigned int i = 0; i < count; i++) {
		others[i] = eventfds[i];
		if (eventfds[i] < 0)
			continue;
		if (!error)
			others[i] = fake_give(program->fake, eventfds[i]);
		fake_close(program->fake, eventfds[i]);
	}
	return error;
}

static int arm_vectors(struct program *program)
{
	return arm(program, VFIO_PCI_MSIX_IRQ_INDEX, NR_MSIX, program->owner->eventfds,
		   ILU_IRQ_INJECT);
}

static int arm_requests(struct program *program)
{
	return arm(program, VFIO_PCI_REQ_IRQ_INDEX, 1, program->owner->eventfds + NR_MSIX, 0);
}

/* The new owner loads its state, and makes something of its own in the meantime. */
static int feed(struct program *program)
{
	struct iommu_ioas_alloc alloc = { .size = sizeof(alloc) };

	assert_int_equal(owner_ioctl(program->fake, program->owner, IOMMU_IOAS_ALLOC, &alloc), 0);
	owner_check(program);
	return 0;
}

static int finish(struct program *program)
{
	int error = ilu_finish(program->ilu);

	if (!error)
		assert_int_equal(fake_count_other(program->fake, OBJECT_IOAS), 3);
	return error;
}

/* It is of no use any more. */
static int tidy(struct program *program)
{
	const struct owner *owner = program->owner;
	struct fake *fake = program->fake;

	for (uint32_t id = 1; id < FAKE_OBJECTS; id++) {
		struct iommu_destroy destroy = { .size = sizeof(destroy), .id = id };

		if (fake->others[owner->iommufd]->objects[id].type == OBJECT_IOAS &&
		    id != owner->ioas[0] && id != owner->ioas[1])
			assert_int_equal(owner_ioctl(fake, owner, IOMMU_DESTROY, &destroy), 0);
	}
	assert_int_equal(fake_count_other(fake, OBJECT_IOAS), 2);
	assert_int_equal(fake_count_other(fake, OBJECT_DEVICE), FAKE_CARDS);
	return 0;
}

const struct step broker_back_steps[] = {
	{ "open the session", program_open_session, ALL },
	{ "restore", restore, NOTHING },
	{ "hand over", hand_over, NOTHING },
	{ "arm vectors", arm_vectors, ALL },
	{ "arm requests", arm_requests, ALL },
	{ "feed", feed, NOTHING },
	{ "restore again", restore, ALL },
	{ "finish", finish, NOTHING },
	{ "release", release, NOTHING },
	{ "tidy", tidy, NOTHING },
	{ NULL, NULL, NOTHING },
};

/* ---- both ---- */

struct fake *broker_start(struct program *program, struct owner *owner)
{
	struct fake *fake = fake_new();

	owner_build(fake, owner);
	program_start(program, fake);
	program->owner = owner;
	return fake;
}

void broker_end(struct program *program)
{
	program_end(program);
	for (int fd = 0; fd < FAKE_FDS; fd++)
		assert_null(program->fake->fds[fd]);
	assert_null(program->fake->sessions);
}

void broker_end_all(struct program *program)
{
	broker_end(program);
	fake_kill_other(program->fake);
	assert_nothing(program->fake);
	fake_free(program->fake);
}
