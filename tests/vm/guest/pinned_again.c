// SPDX-License-Identifier: GPL-2.0
/*
 * The next kernel has a movable zone, where nothing may be pinned for long.  What
 * came in stays where it is all the same, also when it is mapped for a device once
 * more.  That is no licence for the file: pages that are added to it after the
 * FINISH have to leave that zone when they are mapped for a device.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "device.h"
#include "events.h"
#include "liveupdate.h"
#include "machine.h"
#include "preserve.h"
#include "scenarios.h"
#include "wayback.h"

#define TOKEN_OTHER	60
#define OTHER_SIZE	(16ull << 20)
#define OTHER_PAGES	(OTHER_SIZE / PAGE)
#define OTHER_IOVA	0x50000000ull
#define AGAIN_IOVA	0x60000000ull

struct zone {
	unsigned long start, pages;
};

static void find_movable_zone(struct zone *zone)
{
	FILE *zones = fopen("/proc/zoneinfo", "r");
	char line[128], name[32] = "";

	memset(zone, 0, sizeof(*zone));
	while (zones && fgets(line, sizeof(line), zones)) {
		if (sscanf(line, "Node %*d, zone %31s", name) == 1 || strcmp(name, "Movable"))
			continue;
		sscanf(line, " spanned %lu", &zone->pages);
		sscanf(line, " start_pfn: %lu", &zone->start);
	}
	if (zones)
		fclose(zones);
	check(zone->pages, "there is a movable zone: %lu pages", zone->pages);
}

/* Each of them is touched, so that it has a place. */
static void note_places(const volatile char *memory, unsigned long pages, __u64 *places)
{
	for (unsigned long page = 0; page < pages; page++)
		(void)memory[page * PAGE];
	physical_addresses((const void *)memory, pages, places);
}

static unsigned long count_movable(const struct zone *zone, const void *memory,
				   unsigned long pages)
{
	__u64 *places = calloc(pages, sizeof(*places));
	unsigned long count = 0;

	if (!places)
		give_up("out of memory");
	note_places(memory, pages, places);
	for (unsigned long page = 0; page < pages; page++)
		count += places[page] / PAGE - zone->start < zone->pages;
	free(places);
	return count;
}

static char *map_other(int memfd)
{
	char *memory = mmap(NULL, OTHER_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);

	if (memory == MAP_FAILED)
		give_up("other memory: %m");
	return memory;
}

void pinned_again_old_kernel(void)
{
	struct receiver receiver;
	int session, other;

	prepare_kexec();
	receiver_set_up(&receiver);
	receiver.rearm = true;
	traffic_start(&receiver);
	session = preserve_everything(&receiver);
	other = must(memory_create("other", OTHER_SIZE), "memfd");
	memset(map_other(other), 0xa5, OTHER_SIZE);
	check_errno(session_preserve_fd(session, other, TOKEN_OTHER), 0, "preserve other memory");
	receiver_receive(&receiver, 500);
	must(announce_and_jump(), "kexec");
}

/* A page table that is ready for it pins at once what is mapped. */
static __u32 prepare_tables(const struct device *device)
{
	__u32 ioas_id, hwpt_id;

	must(ioas_create(device->iommufd, 1, &ioas_id), "create IOAS");
	must(hwpt_create(device, ioas_id, &hwpt_id), "create HWPT");
	return ioas_id;
}

static void expect_ring_stays(const struct receiver *receiver, const struct zone *zone,
			      __u32 ioas_id)
{
	unsigned long pages = receiver->size / PAGE, moved = 0, movable;
	__u64 *before = calloc(pages, sizeof(*before)), *after = calloc(pages, sizeof(*after));
	const void *ring = receiver->ring.memory;

	if (!before || !after)
		give_up("out of memory");
	movable = count_movable(zone, ring, pages);
	check(movable, "%lu of %lu pages of the ring are in the movable zone", movable, pages);
	note_places(ring, pages, before);
	check_errno(ioas_map_file(receiver->device.iommufd, ioas_id, receiver->memfd, 0,
				  receiver->size, AGAIN_IOVA), 0, "map the ring once more");
	note_places(ring, pages, after);
	for (unsigned long page = 0; page < pages; page++)
		moved += before[page] != after[page];
	check(!moved, "the ring stays: %lu pages moved", moved);
	free(after);
	free(before);
}

static void expect_new_pages_leave(const struct receiver *receiver, const struct zone *zone,
				   __u32 ioas_id, int other)
{
	char *memory = map_other(other);
	unsigned long count;

	must(fallocate(other, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, OTHER_SIZE), "hole");
	memset(memory, 0x5a, OTHER_SIZE);
	count = count_movable(zone, memory, OTHER_PAGES);
	check(count, "new pages are in the movable zone: %lu of %llu", count, OTHER_PAGES);
	check_errno(ioas_map_file(receiver->device.iommufd, ioas_id, other, 0, OTHER_SIZE,
				  OTHER_IOVA), 0, "map other memory");
	count = count_movable(zone, memory, OTHER_PAGES);
	check(!count, "pinned for a device in the movable zone: %lu pages", count);
	munmap(memory, OTHER_SIZE);
}

void pinned_again_new_kernel(void)
{
	struct receiver receiver;
	struct way_back back;
	struct zone zone;
	__u32 ioas_id;
	int other;

	find_movable_zone(&zone);
	back_begin(&back, &receiver);
	back_take(&back, BACK_DRIVER);
	back_take(&back, BACK_SESSION);
	other = must(session_retrieve_fd(back.session, TOKEN_OTHER), "retrieve other memory");
	back_complete(&back, BACK_MEMORY);
	ioas_id = prepare_tables(&receiver.device);
	expect_ring_stays(&receiver, &zone, ioas_id);
	expect_new_pages_leave(&receiver, &zone, ioas_id, other);
	back_end(&back);
}
