/* SPDX-License-Identifier: GPL-2.0 */
/* A little memory, of which some blocks were preserved by another kernel. */
#ifndef TESTS_UNIT_HANDOVER_MEMORY_H
#define TESTS_UNIT_HANDOVER_MEMORY_H

#include <linux/types.h>

#define MEMORY_PAGES	4096
#define MEMORY_BASE	0x40000000ull

void memory_clear(void);
/* The next block of this order, which is preserved; its content is whatever it was. */
u64 memory_add(unsigned int order);
void *memory_at(u64 phys);

/* What the kernel is asked in its place. */
const void *memory_preserved(u64 phys, unsigned int order);
int memory_order(u64 phys);

#endif
