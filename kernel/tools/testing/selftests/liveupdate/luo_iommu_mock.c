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
 */
#include <libliveupdate.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/iommufd.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../../../drivers/iommu/iommufd/liveupdate_mock_uapi.h"

#define SESSION		"iommu-mock"
#define PLACE		4096ULL
#define IOVA		0x40000000ULL
#define LENGTH		(MOCK_DEVICES * PLACE)
#define TURN		4
#define HWPT_TOKEN	7

enum {
	TOKEN_MEMORY = 1,
	TOKEN_IOMMUFD,
	TOKEN_DEVICE,
};

/* Two behind unit 0, one behind unit 1; and one that is not preserved */
static const uint32_t preserved[] = { 1, 2, MOCK_PER_UNIT + 1 };
#define NR_PRESERVED	ARRAY_SIZE(preserved)
#define OTHER		(MOCK_PER_UNIT + 2)

struct test {
	int stage;
	int last;
	/* Units from here on go on */
	unsigned int first_good;
	int mock;
	int luo;
	int iommufd;
	int memory;
	int device[MOCK_DEVICES];
	uint32_t device_id[MOCK_DEVICES];
	/* The stage that made the page table it is on */
	int table_of[MOCK_DEVICES];
	uint64_t written[MOCK_DEVICES];
	uint64_t seq;
	uint32_t ioas_id;
	uint32_t hwpt_id;
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

/* Each page table has the memory turned some pages further: an old one is noticed */
static uint64_t *place(struct test *t, uint32_t rid)
{
	uint64_t page = (rid + TURN * t->table_of[rid]) % MOCK_DEVICES;

	return t->map + page * PLACE / sizeof(*t->map);
}

static int dma(struct test *t, uint32_t rid, bool write, uint64_t *value)
{
	struct mock_cmd cmd = {
		.nr = rid,
		.on = write,
		.iova = IOVA + rid * PLACE,
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

static bool goes_on(const struct test *t, uint32_t rid)
{
	return rid / MOCK_PER_UNIT >= t->first_good;
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

static void map_part(struct test *t, uint64_t iova, uint64_t start, uint64_t length)
{
	struct iommu_ioas_map_file map = {
		.size = sizeof(map),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE |
			 IOMMU_IOAS_MAP_WRITEABLE,
		.ioas_id = t->ioas_id,
		.fd = t->memory,
		.start = start,
		.length = length,
		.iova = iova,
	};

	must(ioctl(t->iommufd, IOMMU_IOAS_MAP_FILE, &map), "map");
}

/* A page table of its own for what is attached next */
static void make_hwpt(struct test *t, uint32_t device_id)
{
	uint64_t turn = TURN * t->stage % MOCK_DEVICES * PLACE;
	struct iommu_ioas_alloc ioas = { .size = sizeof(ioas) };
	struct iommu_hwpt_alloc hwpt = {
		.size = sizeof(hwpt),
		.dev_id = device_id,
	};

	must(ioctl(t->iommufd, IOMMU_IOAS_ALLOC, &ioas), "IOAS");
	t->ioas_id = ioas.out_ioas_id;
	map_part(t, IOVA, turn, LENGTH - turn);
	map_part(t, IOVA + LENGTH - turn, 0, turn);
	hwpt.pt_id = t->ioas_id;
	must(ioctl(t->iommufd, IOMMU_HWPT_ALLOC, &hwpt), "HWPT");
	t->hwpt_id = hwpt.out_hwpt_id;
}

/* What is in a cache has to go as well */
static void unmap_memory(struct test *t)
{
	struct iommu_ioas_unmap unmap = {
		.size = sizeof(unmap),
		.ioas_id = t->ioas_id,
		.iova = IOVA,
		.length = LENGTH,
	};

	must(ioctl(t->iommufd, IOMMU_IOAS_UNMAP, &unmap), "unmap");
}

static void bind_device(struct test *t, uint32_t rid)
{
	struct mock_cmd cmd = { .nr = t->iommufd };

	must(ioctl(t->device[rid], MOCK_BIND, &cmd), "bind %u", rid);
	t->device_id[rid] = cmd.nr;
}

/* As an ordinary device */
static void open_device(struct test *t, uint32_t rid)
{
	/* It stays plugged in while the kernel is replaced */
	expect(mock(t->mock, MOCK_DEVICE, rid, 1), t->stage == 1 ? 0 : -EEXIST,
	       "add", rid);
	t->device[rid] = must(mock(t->mock, MOCK_OPEN, rid, 0), "open %u", rid);
	bind_device(t, rid);
	expect(mock(t->mock, MOCK_MASTER, rid, 1), 0, "master", rid);
	fails(t, rid, -EACCES);
}

static void attach_device(struct test *t, uint32_t rid)
{
	uint64_t value = *place(t, rid);

	t->table_of[rid] = t->stage;
	*place(t, rid) = value;
	expect(mock(t->device[rid], MOCK_ATTACH, t->hwpt_id, 0), 0, "attach", rid);
}

/* The old kernel */

static void hand_over(struct test *t)
{
	struct iommu_hwpt_liveupdate_mark_preserve mark = {
		.size = sizeof(mark),
		.hwpt_id = t->hwpt_id,
		.hwpt_token = HWPT_TOKEN,
	};
	int session = must(luo_create_session(t->luo, SESSION), "session");

	must(ioctl(t->iommufd, IOMMU_HWPT_LIVEUPDATE_MARK_PRESERVE, &mark), "mark");
	must(luo_session_preserve_fd(session, t->memory, TOKEN_MEMORY), "memory");
	must(luo_session_preserve_fd(session, t->iommufd, TOKEN_IOMMUFD), "iommufd");
	for (unsigned int i = 0; i < NR_PRESERVED; i++) {
		uint32_t rid = preserved[i];

		must(luo_session_preserve_fd(session, t->device[rid],
					     TOKEN_DEVICE + rid), "device %u", rid);
		expect(mock(t->device[rid], MOCK_DETACH, 0, 0), -EBUSY, "detach", rid);
		works(t, rid, t->stage);
	}
	expect(mock(t->mock, MOCK_UNIT, 0, 0), -EBUSY, "removal of unit", 0);
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
	for (unsigned int i = 0; i < NR_PRESERVED; i++) {
		open_device(t, preserved[i]);
		if (!i)
			make_hwpt(t, t->device_id[preserved[i]]);
		attach_device(t, preserved[i]);
		*place(t, preserved[i]) = mark_of(0, preserved[i]);
		works(t, preserved[i], 0);
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
	for (unsigned int i = 0; i < NR_PRESERVED; i++) {
		if (goes_on(t, preserved[i]))
			works(t, preserved[i], t->stage - 1);
		else
			fails(t, preserved[i], -EACCES);
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
	t->iommufd = must(luo_session_retrieve_fd(session, TOKEN_IOMMUFD), "iommufd");
}

/* In the last stage one is nobody's */
static bool is_taken(const struct test *t, uint32_t rid)
{
	return goes_on(t, rid) && (t->stage < t->last || rid != preserved[1]);
}

static void take_back(struct test *t, int session)
{
	for (unsigned int i = 0; i < NR_PRESERVED; i++) {
		uint32_t rid = preserved[i];

		/* One by one: a unit may come when new page tables are there */
		retrieve_device(t, session, rid);
		if (!is_taken(t, rid)) {
			if (goes_on(t, rid))
				close(t->device[rid]);
			continue;
		}
		expect(luo_session_finish(session), -EBUSY, "early finish", rid);
		bind_device(t, rid);
		works(t, rid, t->stage);
		if (!t->hwpt_id)
			make_hwpt(t, t->device_id[rid]);
		attach_device(t, rid);
		works(t, rid, t->stage);
	}
	expect(luo_session_finish(session), 0, "finish", 0);
	close(session);
}

static void after_finish(struct test *t)
{
	for (unsigned int i = 0; i < NR_PRESERVED; i++) {
		uint32_t rid = preserved[i];

		if (is_taken(t, rid)) {
			works(t, rid, t->stage);
			continue;
		}
		/* It was stopped, and is blocked if it starts again */
		fails(t, rid, -ENODEV);
		expect(mock(t->mock, MOCK_MASTER, rid, 1), 0, "master", rid);
		fails(t, rid, -EACCES);
	}
	/* And what was not preserved is a device like any other */
	t->written[OTHER] = mark_of(t->stage, OTHER);
	*place(t, OTHER) = t->written[OTHER];
	open_device(t, OTHER);
	if (!t->hwpt_id)
		make_hwpt(t, t->device_id[OTHER]);
	attach_device(t, OTHER);
	works(t, OTHER, t->stage);
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
			fails(t, rid, -EFAULT);
			expect(mock(t->device[rid], MOCK_DETACH, 0, 0), 0,
			       "detach", rid);
			fails(t, rid, -EACCES);
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

	for (uint32_t rid = 0; rid < MOCK_DEVICES; rid++)
		t->table_of[rid] = t->stage - 1;
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

	while ((opt = getopt(argc, argv, "s:n:xX")) != -1) {
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
