// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <asm/page.h>

#include "memory.h"

static unsigned char pages[MEMORY_PAGES][PAGE_SIZE] __attribute__((aligned(4096)));
/* Of the first page of a preserved block one more than its order. */
static unsigned char orders[MEMORY_PAGES];
static unsigned int used;

void memory_clear(void)
{
	memset(orders, 0, sizeof(orders));
	used = 0;
}

u64 memory_add(unsigned int order)
{
	unsigned int nr = 1u << order, first = (used + nr - 1) & ~(nr - 1);

	if (first + nr > MEMORY_PAGES)
		abort();
	used = first + nr;
	orders[first] = order + 1;
	return MEMORY_BASE + first * PAGE_SIZE;
}

void *memory_at(u64 phys)
{
	return (char *)pages + (phys - MEMORY_BASE);
}

int memory_order(u64 phys)
{
	u64 nr = (phys - MEMORY_BASE) >> PAGE_SHIFT;

	if (phys % PAGE_SIZE || phys < MEMORY_BASE || nr >= MEMORY_PAGES || !orders[nr])
		return -ENOENT;
	return orders[nr] - 1;
}

const void *memory_preserved(u64 phys, unsigned int order)
{
	return memory_order(phys) == (int)order ? memory_at(phys) : NULL;
}
