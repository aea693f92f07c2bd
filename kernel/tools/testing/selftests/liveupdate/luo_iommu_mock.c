// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 *
 * Devices go on with DMA while the kernel is replaced, and come back to user space:
 * the whole way of the IOMMU core and of iommufd, by the mock IOMMU of
 * drivers/iommu/iommufd/liveupdate_mock.c, so that no hardware is needed.
 *
 * Needs CONFIG_IOMMU_LIVEUPDATE_MOCK in both kernels, started with kho=on
 * liveupdate=on iommufd.allow_unsafe_interrupts=1.
 *
 *	-s STAGE	1 in the first kernel, 2 in the next, and so on
 *	-n LAST		the last stage: what is before takes back and hands over again
 *	-x		the record of unit 0 is damaged: what is behind it is blocked
 *	-X		no record can be used: all are blocked
 *	-k		an image for kexec is loaded: to jump is tried when it must be refused
 *	-p		an entry of a PASID is damaged: the device that has it is blocked
 */
#include <libliveupdate.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/iommufd.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/reboot.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <unistd.h>

#include "../../../../drivers/iommu/iommufd/liveupdate_mock_uapi.h"

#define SESSION		"iommu-mock"
#define PLACE		4096ULL
#define IOVA		0x40000000ULL
#define PLACES		256ULL
#define LENGTH		(PLACES * PLACE)
#define TURN		7
#define HWPT_TOKEN	7

/* Page tables of a stage */
#define NR_TABLES	2
/* By how much the second one is turned further */
#define TABLE_TURN	64

enum {
	TOKEN_MEMORY = 1,
	TOKEN_IOMMUFD,
	TOKEN_DEVICE,
};

#define PARAMETERS	"/sys/module/iommu_liveupdate_mock/parameters/"
#define FAILING		PARAMETERS "failing"
#define HARM		PARAMETERS "harm"
/* Of enum mock_harm */
#define HARM_NONE	"0"
#define HARM_FREEZE	"7"

/* Two have one group; one is behind unit 1; and one is not preserved */
#define TWIN		4
#define OTHER_TWIN	5
static const uint32_t preserved[] = { 1, 2, MOCK_PER_UNIT + 1, TWIN, OTHER_TWIN };
#define NR_PRESERVED	ARRAY_SIZE(preserved)
#define OTHER		(MOCK_PER_UNIT + 2)

/*
 * What does DMA is a device, or a PASID of it. Those of a device are on both page
 * tables; a device without has the first one.
 */
#define WITH_PASID(rid, pasid)	((pasid) * MOCK_DEVICES + (rid))
#define NR_SOURCES		(MOCK_PASIDS * MOCK_DEVICES)
#define DAMAGED			1
#define FIRST_PASID		3
#define SECOND_PASID		5
static const uint32_t sources[] = {
	1, WITH_PASID(1, FIRST_PASID), WITH_PASID(1, SECOND_PASID),
	2, WITH_PASID(2, FIRST_PASID),
	MOCK_PER_UNIT + 1, WITH_PASID(MOCK_PER_UNIT + 1, FIRST_PASID),
	TWIN,
	OTHER_TWIN,
};

#define NR_SOURCES_USED		ARRAY_SIZE(sources)

struct test {
	int stage;
	int last;
	/* Units from here on go on */
	unsigned int first_good;
	bool image_loaded;
	bool pasid_damaged;
	int mock;
	int luo;
	int iommufd;
	int memory;
	int device[MOCK_DEVICES];
	uint32_t device_id[MOCK_DEVICES];
	/* The stage that made the page table it is on */
	int table_of[NR_SOURCES];
	uint64_t written[NR_SOURCES];
	uint64_t seq;
	uint32_t ioas_id[NR_TABLES];
	uint32_t hwpt_id[NR_TABLES];
	uint64_t *map;
};

#define must(call, ...)							\
	({								\
		int must_ret = (call);					\
		if (must_ret < 0)					\
			fail_exit(__VA_ARGS__);				\
		must_ret;						\
	})

static void expect(int got, int expected, const char *what, uint32_t rid)
{
	if (got != expected)
		ksft_exit_fail_msg("%s of %u: %d, expected %d\n", what, rid,
				   got, expected);
}

/* The mock */

static int mock(int fd, unsigned long nr, uint32_t rid, uint32_t on)
{
	struct mock_cmd cmd = { .nr = rid, .on = on };
	int ret = ioctl(fd, nr, &cmd);

	return ret < 0 ? -errno : ret;
}

static int with_pasid(int fd, unsigned long nr, uint32_t source, uint32_t id)
{
	struct mock_cmd cmd = { .nr = id, .pasid = source / MOCK_DEVICES };

	return ioctl(fd, nr, &cmd) < 0 ? -errno : 0;
}

static uint32_t device_of(uint32_t source)
{
	return source % MOCK_DEVICES;
}

/* Which of the page tables of a stage */
static unsigned int table_nr(uint32_t source)
{
	return source / MOCK_DEVICES == FIRST_PASID;
}

/* No two are as far from each other as two page tables are turned */
static uint64_t page_of(uint32_t source)
{
	uint32_t pasid = source / MOCK_DEVICES, rid = device_of(source);

	if (!pasid)
		return rid;
	return PLACES / 2 + 5 * pasid + (rid > MOCK_PER_UNIT ? 0 : rid);
}

/* Each page table has the memory turned some pages further: an old one is noticed */
static uint64_t *place(struct test *t, uint32_t source)
{
	uint64_t page = page_of(source) + TURN * t->table_of[source] +
			TABLE_TURN * table_nr(source);

	return t->map + page % PLACES * PLACE / sizeof(*t->map);
}

/* A page that no device gets to */
static uint64_t *jumped(struct test *t)
{
	return t->map + (PLACES - 1) * PLACE / sizeof(*t->map);
}

static int dma(struct test *t, uint32_t source, bool write, uint64_t *value)
{
	struct mock_cmd cmd = {
		.nr = device_of(source),
		.on = write,
		.pasid = source / MOCK_DEVICES,
		.iova = IOVA + page_of(source) * PLACE,
		.value = *value,
	};

	if (ioctl(t->mock, MOCK_DMA, &cmd))
		return -errno;
	*value = cmd.value;
	return 0;
}

static uint64_t mark_of(int stage, uint32_t rid)
{
	return (uint64_t)stage << 48 | rid;
}

/* What the stage has left, or, if that was this one, the very value */
static bool is_left(const struct test *t, uint32_t rid, int left_by, uint64_t value)
{
	if (left_by == t->stage)
		return value == t->written[rid];
	return (value & ~0xffffffff0000ULL) == mark_of(left_by, rid);
}

/* A read of what was left, and a write of something new, both judged in memory */
static void works(struct test *t, uint32_t rid, int left_by)
{
	uint64_t value = 0;

	expect(dma(t, rid, false, &value), 0, "read", rid);
	if (!is_left(t, rid, left_by, value))
		ksft_exit_fail_msg("%u reads %#llx\n", rid,
				   (unsigned long long)value);
	value = mark_of(t->stage, rid) | ++t->seq << 16;
	t->written[rid] = value;
	expect(dma(t, rid, true, &value), 0, "write", rid);
	/* Before the memory is there the next look at it tells */
	if (t->map && __atomic_load_n(place(t, rid), __ATOMIC_SEQ_CST) != value)
		ksft_exit_fail_msg("the write of %u has gone astray\n", rid);
}

static void fails(struct test *t, uint32_t rid, int expected)
{
	uint64_t value = ~0ULL;

	expect(dma(t, rid, true, &value), expected, "write", rid);
}

static bool goes_on(const struct test *t, uint32_t source)
{
	uint32_t rid = device_of(source);

	return rid / MOCK_PER_UNIT >= t->first_good &&
	       (rid != DAMAGED || !t->pasid_damaged);
}

/* Memory and page tables */

static void map_memory(struct test *t)
{
	t->map = mmap(NULL, LENGTH, PROT_READ | PROT_WRITE, MAP_SHARED,
		      t->memory, 0);
	if (t->map == MAP_FAILED)
		fail_exit("mmap");
}

static void make_memory(struct test *t)
{
	t->memory = must(memfd_create("mock", MFD_ALLOW_SEALING), "memfd");
	must(ftruncate(t->memory, LENGTH), "ftruncate");
	must(fallocate(t->memory, 0, 0, LENGTH), "fallocate");
	must(fcntl(t->memory, F_ADD_SEALS,
		   F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW), "seal");
	map_memory(t);
}

static void map_part(struct test *t, uint32_t ioas_id, uint64_t iova,
		     uint64_t start, uint64_t length)
{
	struct iommu_ioas_map_file map = {
		.size = sizeof(map),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE |
			 IOMMU_IOAS_MAP_WRITEABLE,
		.ioas_id = ioas_id,
		.fd = t->memory,
		.start = start,
		.length = length,
		.iova = iova,
	};

	must(ioctl(t->iommufd, IOMMU_IOAS_MAP_FILE, &map), "map");
}

static void make_table(struct test *t, unsigned int nr, uint32_t device_id)
{
	uint64_t turn = (TURN * t->stage + TABLE_TURN * nr) % PLACES * PLACE;
	struct iommu_ioas_alloc ioas = { .size = sizeof(ioas) };
	struct iommu_hwpt_alloc hwpt = {
		.size = sizeof(hwpt),
		.flags = IOMMU_HWPT_ALLOC_PASID,
		.dev_id = device_id,
	};

	must(ioctl(t->iommufd, IOMMU_IOAS_ALLOC, &ioas), "IOAS");
	t->ioas_id[nr] = ioas.out_ioas_id;
	map_part(t, t->ioas_id[nr], IOVA, turn, LENGTH - turn);
	map_part(t, t->ioas_id[nr], IOVA + LENGTH - turn, 0, turn);
	hwpt.pt_id = t->ioas_id[nr];
	must(ioctl(t->iommufd, IOMMU_HWPT_ALLOC, &hwpt), "HWPT");
	t->hwpt_id[nr] = hwpt.out_hwpt_id;
}

/* Page tables of their own for what is attached next */
static void make_hwpts(struct test *t, uint32_t device_id)
{
	for (unsigned int nr = 0; nr < NR_TABLES; nr++)
		make_table(t, nr, device_id);
}

/* What is in a cache has to go as well */
static void unmap_memory(struct test *t)
{
	for (unsigned int nr = 0; nr < NR_TABLES; nr++) {
		struct iommu_ioas_unmap unmap = {
			.size = sizeof(unmap),
			.ioas_id = t->ioas_id[nr],
			.iova = IOVA,
			.length = LENGTH,
		};

		must(ioctl(t->iommufd, IOMMU_IOAS_UNMAP, &unmap), "unmap");
	}
}

static void bind_device(struct test *t, uint32_t rid)
{
	struct mock_cmd cmd = { .nr = t->iommufd };

	must(ioctl(t->device[rid], MOCK_BIND, &cmd), "bind %u", rid);
	t->device_id[rid] = cmd.nr;
}

/* A group is one program's */
static void refuse_another_iommufd(struct test *t, uint32_t rid)
{
	int iommufd = must(open("/dev/iommu", O_RDWR), "/dev/iommu");

	expect(mock(t->device[rid], MOCK_BIND, iommufd, 0), -EPERM,
	       "bind to another iommufd", rid);
	close(iommufd);
}

/* As an ordinary device */
static void open_device(struct test *t, uint32_t rid)
{
	/* It stays plugged in while the kernel is replaced */
	expect(mock(t->mock, MOCK_DEVICE, rid, 1), t->stage == 1 ? 0 : -EEXIST,
	       "add", rid);
	t->device[rid] = must(mock(t->mock, MOCK_OPEN, rid, 0), "open %u", rid);
	if (rid == OTHER_TWIN)
		refuse_another_iommufd(t, rid);
	bind_device(t, rid);
	expect(mock(t->mock, MOCK_MASTER, rid, 1), 0, "master", rid);
	fails(t, rid, -EACCES);
}

static void move_value(struct test *t, uint32_t rid)
{
	uint64_t value = *place(t, rid);

	t->table_of[rid] = t->stage;
	*place(t, rid) = value;
}

/* A group has one page table, be its other device bound or not */
static void attach_device(struct test *t, uint32_t source)
{
	move_value(t, source);
	if (source == TWIN || source == OTHER_TWIN)
		move_value(t, source ^ 1);
	expect(with_pasid(t->device[device_of(source)], MOCK_ATTACH, source,
			  t->hwpt_id[table_nr(source)]), 0, "attach", source);
}

static void set_parameter(const char *path, const char *value)
{
	int fd = must(open(path, O_WRONLY), "%s", path);

	must(write(fd, value, strlen(value)), "%s", path);
	close(fd);
}

/* The one has changed over, the other cannot: both go on with what they had */
static void fail_in_the_middle(struct test *t, int left_by)
{
	set_parameter(FAILING, "5");
	expect(mock(t->device[TWIN], MOCK_ATTACH, t->hwpt_id[0], 0), -EIO,
	       "attach that fails for its twin", TWIN);
	set_parameter(FAILING, "-1");
	works(t, TWIN, left_by);
	works(t, OTHER_TWIN, left_by);
}

static void all_work(struct test *t, int left_by)
{
	for (unsigned int i = 0; i < NR_SOURCES_USED; i++)
		works(t, sources[i], left_by);
}

/* The old kernel */

static void refused_kexec(struct test *t, int expected)
{
	if (!t->image_loaded)
		return;
	/* If it is not refused the next kernel finds it */
	*jumped(t) = 1;
	if (!reboot(LINUX_REBOOT_CMD_KEXEC) || errno != expected)
		fail_exit("kexec that must be refused");
	*jumped(t) = 0;
}

/* The live entry of a PASID is not what was preserved */
static void refuse_other_entry(struct test *t)
{
	if (!t->image_loaded)
		return;
	set_parameter(HARM, HARM_FREEZE);
	refused_kexec(t, EINVAL);
	set_parameter(HARM, HARM_NONE);
	all_work(t, t->stage);
}

/* No part of the group goes elsewhere, and none is left behind */
static void refuse_part_of_group(struct test *t, int session)
{
	int other = must(luo_create_session(t->luo, SESSION "-other"), "session");

	refused_kexec(t, EBUSY);
	expect(luo_session_preserve_fd(other, t->device[OTHER_TWIN], TOKEN_DEVICE),
	       -ENOENT, "preserve in another session", OTHER_TWIN);
	expect(mock(t->device[OTHER_TWIN], MOCK_ATTACH, t->hwpt_id[0], 0), -EBUSY,
	       "attach", OTHER_TWIN);
	close(other);
	all_work(t, t->stage);
}

static void mark(struct test *t, unsigned int nr)
{
	struct iommu_hwpt_liveupdate_mark_preserve mark = {
		.size = sizeof(mark),
		.hwpt_id = t->hwpt_id[nr],
		.hwpt_token = HWPT_TOKEN + nr,
	};

	must(ioctl(t->iommufd, IOMMU_HWPT_LIVEUPDATE_MARK_PRESERVE, &mark), "mark");
}

static int preserve_iommufd(struct test *t)
{
	int session = must(luo_create_session(t->luo, SESSION), "session");

	must(luo_session_preserve_fd(session, t->memory, TOKEN_MEMORY), "memory");
	must(luo_session_preserve_fd(session, t->iommufd, TOKEN_IOMMUFD), "iommufd");
	return session;
}

/* A device is preserved with all that it has, or it is not */
static void refuse_unmarked(struct test *t)
{
	int session = preserve_iommufd(t);

	expect(luo_session_preserve_fd(session, t->device[1], TOKEN_DEVICE), -ENOENT,
	       "preserve with a PASID on what is not marked", 1);
	close(session);
	all_work(t, t->stage);
}

static void hand_over(struct test *t)
{
	int session;

	mark(t, 0);
	refuse_unmarked(t);
	mark(t, 1);
	session = preserve_iommufd(t);
	for (unsigned int i = 0; i < NR_PRESERVED; i++) {
		uint32_t rid = preserved[i];

		if (rid == OTHER_TWIN)
			refuse_part_of_group(t, session);
		must(luo_session_preserve_fd(session, t->device[rid],
					     TOKEN_DEVICE + rid), "device %u", rid);
		expect(mock(t->device[rid], MOCK_DETACH, 0, 0), -EBUSY, "detach", rid);
		expect(with_pasid(t->device[rid], MOCK_ATTACH,
				  WITH_PASID(rid, SECOND_PASID), t->hwpt_id[1]),
		       -EBUSY, "attach of a PASID", rid);
		all_work(t, t->stage);
	}
	expect(mock(t->mock, MOCK_UNIT, 0, 0), -EBUSY, "removal of unit", 0);
	refuse_other_entry(t);
	/* Only one program can have it open */
	close(t->luo);
	daemonize_and_wait();
}

static void first_stage(struct test *t)
{
	t->iommufd = must(open("/dev/iommu", O_RDWR), "/dev/iommu");
	make_memory(t);
	for (uint32_t nr = 0; nr < MOCK_UNITS; nr++)
		mock(t->mock, MOCK_UNIT, nr, 1);
	for (unsigned int i = 0; i < NR_PRESERVED; i++)
		open_device(t, preserved[i]);
	make_hwpts(t, t->device_id[preserved[0]]);
	for (unsigned int i = 0; i < NR_SOURCES_USED; i++) {
		if (sources[i] != OTHER_TWIN)
			fails(t, sources[i], -EACCES);
		attach_device(t, sources[i]);
		*place(t, sources[i]) = mark_of(0, sources[i]);
		works(t, sources[i], 0);
	}
	/* It runs, and nobody preserves it */
	*place(t, OTHER) = mark_of(0, OTHER);
	open_device(t, OTHER);
	attach_device(t, OTHER);
	works(t, OTHER, 0);
	hand_over(t);
}

/* The next kernel */

/* Nobody has done anything yet, and a unit that is not there yet does its work */
static void look_on(struct test *t)
{
	for (unsigned int i = 0; i < NR_SOURCES_USED; i++) {
		if (goes_on(t, sources[i]))
			works(t, sources[i], t->stage - 1);
		else
			fails(t, sources[i], -EACCES);
	}
	fails(t, OTHER, -EACCES);
}

/* Those behind a unit that came later, if one did */
static void retrieve_device(struct test *t, int session, uint32_t rid)
{
	int ret = luo_session_retrieve_fd(session, TOKEN_DEVICE + rid);

	if (!goes_on(t, rid)) {
		expect(ret, -EIO, "retrieve", rid);
		return;
	}
	if (ret == -EAGAIN && rid / MOCK_PER_UNIT == 1) {
		expect(mock(t->mock, MOCK_UNIT, 1, 1), 0, "late unit", 1);
		works(t, rid, t->stage);
		ret = luo_session_retrieve_fd(session, TOKEN_DEVICE + rid);
	}
	/* As long as its session has it nobody else opens it */
	expect(mock(t->mock, MOCK_OPEN, rid, 0), -EBUSY, "ordinary open", rid);
	t->device[rid] = must(ret, "retrieve %u", rid);
}

static void retrieve(struct test *t, int session)
{
	t->memory = must(luo_session_retrieve_fd(session, TOKEN_MEMORY), "memory");
	map_memory(t);
	if (*jumped(t))
		ksft_exit_fail_msg("the kexec was not refused\n");
	t->iommufd = must(luo_session_retrieve_fd(session, TOKEN_IOMMUFD), "iommufd");
}

/* In the last stage one is nobody's, and one of the two of a group */
static bool is_taken(const struct test *t, uint32_t source)
{
	uint32_t rid = device_of(source);

	return goes_on(t, rid) &&
	       (t->stage < t->last || (rid != preserved[1] && rid != OTHER_TWIN));
}

/* It is no more than detached, and attached again to what is new */
static void detach_pasid(struct test *t, uint32_t source)
{
	int fd = t->device[device_of(source)];

	expect(with_pasid(fd, MOCK_DETACH, source, 0), 0, "detach", source);
	fails(t, source, -EACCES);
	expect(with_pasid(fd, MOCK_DETACH, source, 0), -EINVAL, "second detach",
	       source);
}

/* No PASID comes to what came in, and it counts as much as what has none */
static void attach_pasids(struct test *t, int session, uint32_t rid)
{
	for (unsigned int i = 0; i < NR_SOURCES_USED; i++) {
		uint32_t source = sources[i];

		if (source == rid || device_of(source) != rid)
			continue;
		expect(luo_session_finish(session), -EBUSY, "early finish", source);
		works(t, source, t->stage);
		/* The device has left what it came in on */
		if (source == WITH_PASID(1, SECOND_PASID) && t->stage % 2 == 0)
			detach_pasid(t, source);
		attach_device(t, source);
		works(t, source, t->stage);
	}
}

static void attach_anew(struct test *t, int session, uint32_t rid)
{
	if (!t->hwpt_id[0])
		make_hwpts(t, t->device_id[rid]);
	if (rid != OTHER_TWIN)
		expect(with_pasid(t->device[rid], MOCK_ATTACH, WITH_PASID(rid, 7),
				  t->hwpt_id[0]), -EBUSY, "attach of another PASID",
		       rid);
	/* In one order or the other */
	if (t->stage % 2)
		attach_pasids(t, session, rid);
	attach_device(t, rid);
	works(t, rid, t->stage);
	if (t->stage % 2 == 0)
		attach_pasids(t, session, rid);
}

static void take_back(struct test *t, int session)
{
	for (unsigned int i = 0; i < NR_PRESERVED; i++) {
		uint32_t rid = preserved[i];

		retrieve_device(t, session, rid);
		if (!is_taken(t, rid)) {
			if (goes_on(t, rid))
				close(t->device[rid]);
			continue;
		}
		expect(luo_session_finish(session), -EBUSY, "early finish", rid);
		bind_device(t, rid);
		works(t, rid, t->stage);
		/* One by one: a unit may come when new page tables are there */
		if (t->stage == t->last)
			attach_anew(t, session, rid);
	}
	/* Or in two steps */
	for (unsigned int i = 0; i < NR_PRESERVED && t->stage < t->last; i++) {
		if (preserved[i] == TWIN)
			fail_in_the_middle(t, t->stage);
		attach_anew(t, session, preserved[i]);
	}
	expect(luo_session_finish(session), 0, "finish", 0);
	close(session);
}

/* Was stopped, as nobody has taken it: what is it if somebody starts it again? */
static void stopped(struct test *t, uint32_t rid)
{
	uint64_t value = mark_of(t->stage, rid);

	/* The PASIDs of it come after it */
	if (rid == device_of(rid))
		fails(t, rid, -ENODEV);
	expect(mock(t->mock, MOCK_MASTER, device_of(rid), 1), 0, "master", rid);
	if (rid != OTHER_TWIN || !is_taken(t, TWIN)) {
		fails(t, rid, -EACCES);
		return;
	}
	/* It has what its group has, which has another owner */
	expect(dma(t, rid, true, &value), 0, "write", rid);
	if (*place(t, rid) != value)
		ksft_exit_fail_msg("the write of %u has gone astray\n", rid);
}

static void after_finish(struct test *t)
{
	for (unsigned int i = 0; i < NR_SOURCES_USED; i++) {
		if (is_taken(t, sources[i]))
			works(t, sources[i], t->stage);
		else
			stopped(t, sources[i]);
	}
	/* And what was not preserved is a device like any other */
	t->written[OTHER] = mark_of(t->stage, OTHER);
	*place(t, OTHER) = t->written[OTHER];
	open_device(t, OTHER);
	if (!t->hwpt_id[0])
		make_hwpts(t, t->device_id[OTHER]);
	attach_device(t, OTHER);
	works(t, OTHER, t->stage);
}

static void take_down_device(struct test *t, uint32_t rid)
{
	for (unsigned int i = 0; i < NR_SOURCES_USED; i++) {
		if (device_of(sources[i]) != rid)
			continue;
		fails(t, sources[i], -EFAULT);
		expect(with_pasid(t->device[rid], MOCK_DETACH, sources[i], 0), 0,
		       "detach", sources[i]);
		fails(t, sources[i], -EACCES);
	}
}

/* What was adopted stays, and devices come and go */
static void take_down(struct test *t)
{
	unmap_memory(t);
	fails(t, OTHER, -EFAULT);
	for (unsigned int i = 0; i < NR_PRESERVED; i++) {
		uint32_t rid = preserved[i];

		if (is_taken(t, rid)) {
			expect(mock(t->mock, MOCK_DEVICE, rid, 0), -EBUSY,
			       "removal of an open one", rid);
			take_down_device(t, rid);
			close(t->device[rid]);
		}
		expect(mock(t->mock, MOCK_DEVICE, rid, 0), 0, "removal", rid);
	}
	close(t->device[OTHER]);
	expect(mock(t->mock, MOCK_DEVICE, OTHER, 0), 0, "removal", OTHER);
	expect(mock(t->mock, MOCK_UNIT, 1, 0), t->first_good < MOCK_UNITS ? -EBUSY : 0,
	       "removal of unit", 1);
}

static void next_stage(struct test *t)
{
	int session;

	for (uint32_t source = 0; source < NR_SOURCES; source++)
		t->table_of[source] = t->stage - 1;
	look_on(t);
	session = must(luo_retrieve_session(t->luo, SESSION), "session");
	retrieve(t, session);
	take_back(t, session);
	after_finish(t);
	if (t->stage < t->last)
		hand_over(t);
	take_down(t);
}

int main(int argc, char **argv)
{
	struct test t = { .stage = 1, .last = 2 };
	int opt;

	while ((opt = getopt(argc, argv, "s:n:xXkp")) != -1) {
		switch (opt) {
		case 's':
			t.stage = atoi(optarg);
			break;
		case 'n':
			t.last = atoi(optarg);
			break;
		case 'x':
			t.first_good = 1;
			break;
		case 'X':
			t.first_good = MOCK_UNITS;
			break;
		case 'k':
			t.image_loaded = true;
			break;
		case 'p':
			t.pasid_damaged = true;
			break;
		default:
			fail_exit("unknown argument");
		}
	}

	t.mock = open("/dev/" MOCK_DEVICE_FILE, O_RDWR);
	if (t.mock < 0 && t.stage > 1)
		fail_exit("/dev/" MOCK_DEVICE_FILE);
	if (t.mock < 0)
		ksft_exit_skip("no /dev/" MOCK_DEVICE_FILE "\n");
	t.luo = luo_open_device();
	if (t.luo < 0)
		ksft_exit_skip("no " LUO_DEVICE "\n");

	if (t.stage == 1)
		first_stage(&t);
	else
		next_stage(&t);
	ksft_print_msg("stage %d of %d passed\n", t.stage, t.last);
	return 0;
}
