// SPDX-License-Identifier: GPL-2.0
#include <string.h>

#include "area.h"
#include "memory.h"

static u64 new_chunk(void)
{
	u64 phys = memory_add(0);

	memset(memory_at(phys), 0, PAGE_SIZE);
	return phys;
}

struct kho_vmalloc area_new(unsigned int blocks, unsigned int order)
{
	struct kho_vmalloc area = { .total_pages = blocks << order, .order = order };
	struct kho_vmalloc_chunk *chunk;
	unsigned int i, at = 0;

	memory_clear();
	area.first.phys = new_chunk();
	chunk = memory_at(area.first.phys);
	for (i = 0; i < blocks; i++) {
		chunk->phys[at++] = memory_add(order);
		if (at < KHO_VMALLOC_SIZE)
			continue;
		/* One more, full or not. */
		chunk->hdr.next.phys = new_chunk();
		chunk = memory_at(chunk->hdr.next.phys);
		at = 0;
	}
	return area;
}
