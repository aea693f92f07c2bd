// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "events.h"
#include "machine.h"
#include "pressure.h"

#define LEAVE_BYTES	(24ul << 20)
#define CHUNK		(1ul << 20)
#define COMPACTIONS	20

static unsigned long free_bytes(void)
{
	unsigned long kilobytes = 0;
	char line[128];
	FILE *file = fopen("/proc/meminfo", "r");

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "MemFree: %lu", &kilobytes) == 1)
			break;
	if (file)
		fclose(file);
	return kilobytes << 10;
}

void scribble_over_free_memory(void)
{
	unsigned long size = free_bytes(), done = 0;
	char *memory;

	size = size > LEAVE_BYTES ? (size - LEAVE_BYTES) & ~(CHUNK - 1) : 0;
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (!size || memory == MAP_FAILED)
		give_up("no memory to scribble over");
	/* Free memory is asked again: other users of it must not be starved. */
	while (done < size && free_bytes() > LEAVE_BYTES) {
		memset(memory + done, 0xa5, CHUNK);
		done += CHUNK;
	}
	check(done > size / 2, "scribbled over %lu of %lu MiB", done >> 20, size >> 20);
	munmap(memory, size);
}

void compact_memory(void)
{
	if (write_file("/proc/sys/vm/compact_memory", "1")) {
		event("note this kernel cannot compact memory");
		return;
	}
	for (int round = 0; round < COMPACTIONS; round++)
		write_file("/proc/sys/vm/compact_memory", "1");
	event("compacted");
}
