// SPDX-License-Identifier: GPL-2.0
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "events.h"
#include "machine.h"
#include "pressure.h"

#define LEAVE_BYTES	(24ul << 20)
#define CHUNK		(1ul << 20)
#define COMPACTIONS	20
#define OTHER_BYTES	(32ul << 20)

static unsigned long meminfo_bytes(const char *key)
{
	unsigned long kilobytes = 0;
	size_t length = strlen(key);
	char line[128];
	FILE *file = fopen("/proc/meminfo", "r");

	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, key, length) && sscanf(line + length, ": %lu", &kilobytes) == 1)
			break;
	if (file)
		fclose(file);
	return kilobytes << 10;
}

/* The kernel itself has no use for free memory of the scratch areas of KHO. */
static unsigned long free_for_kernel(void)
{
	unsigned long free = meminfo_bytes("MemFree"), scratch = meminfo_bytes("CmaFree");

	return free > scratch ? free - scratch : 0;
}

/* The kernel keeps some for itself, and more of it on a debug kernel. */
static unsigned long bytes_to_leave(void)
{
	unsigned long kilobytes = 0;
	FILE *file = fopen("/proc/sys/vm/min_free_kbytes", "r");

	if (!file || fscanf(file, "%lu", &kilobytes) != 1)
		give_up("min_free_kbytes: %m");
	fclose(file);
	return LEAVE_BYTES + (kilobytes << 10);
}

void scribble_over_free_memory(void)
{
	unsigned long size = meminfo_bytes("MemFree"), leave = bytes_to_leave(), done = 0;
	char *memory;

	size = size > leave ? (size - leave) & ~(CHUNK - 1) : 0;
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (!size || memory == MAP_FAILED)
		give_up("no memory to scribble over");
	/* Free memory is asked again: other users of it must not be starved. */
	while (done < size && free_for_kernel() > leave) {
		memset(memory + done, 0xa5, CHUNK);
		done += CHUNK;
	}
	check(done > size / 10 * 9, "scribbled over %lu of %lu MiB", done >> 20, size >> 20);
	munmap(memory, size);
}

/* Every other page is given back, so that there is something to be gained by moving. */
static void *make_holes(__u64 size)
{
	int memfd = must(memfd_create("other", MFD_CLOEXEC), "memfd");
	char *memory;

	must(ftruncate(memfd, size), "size of the memfd");
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
	if (memory == MAP_FAILED)
		give_up("other memory: %m");
	memset(memory, 0xa5, size);
	for (__u64 at = PAGE; at < size; at += 2 * PAGE)
		must(fallocate(memfd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, PAGE), "hole");
	close(memfd);
	return memory;
}

/* What is mapped is touched, so that it has a place. */
static __u64 *note_places(const volatile char *memory, __u64 size, __u64 step)
{
	__u64 *places = malloc(size / PAGE * sizeof(*places));

	if (!places)
		give_up("out of memory");
	for (__u64 at = 0; at < size; at += step)
		(void)memory[at];
	physical_addresses((const void *)memory, size / PAGE, places);
	return places;
}

/* Of every nth page. */
static unsigned long count_moved(const char *memory, __u64 size, __u64 step, __u64 *places)
{
	__u64 *now = note_places(memory, size, step);
	unsigned long moved = 0;

	for (__u64 page = 0; page < size / PAGE; page += step / PAGE)
		moved += now[page] != places[page];
	free(now);
	free(places);
	return moved;
}

void compact_memory(const struct receiver *receiver)
{
	const void *ring = receiver->ring.memory, *other = make_holes(OTHER_BYTES);
	__u64 *ring_places = note_places(ring, receiver->size, PAGE);
	__u64 *other_places = note_places(other, OTHER_BYTES, 2 * PAGE);
	unsigned long moved;

	for (int round = 0; round < COMPACTIONS; round++)
		must(write_file("/proc/sys/vm/compact_memory", "1"), "compact memory");
	moved = count_moved(other, OTHER_BYTES, 2 * PAGE, other_places);
	check(moved, "compaction moves memory: %lu pages", moved);
	moved = count_moved(ring, receiver->size, PAGE, ring_places);
	check(!moved, "that of the ring stays: %lu pages moved", moved);
	munmap((void *)other, OTHER_BYTES);
}
