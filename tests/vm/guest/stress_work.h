/* SPDX-License-Identifier: GPL-2.0 */
/* What the processes of stress.h do. */
#ifndef TESTS_VM_GUEST_STRESS_WORK_H
#define TESTS_VM_GUEST_STRESS_WORK_H

#include <stdbool.h>

#include "stress.h"

/* Areas of the IOAS that the ring is in: one for each thread of each worker. */
#define AREA_SIZE	(2ull << 20)
#define AREA_IOVA(n)	(0x40000000ull + (n) * AREA_SIZE)
#define THREADS_MAX	2

/* Shared with the process that watches. */
struct worker {
	int number;
	bool stop;
	unsigned long calls, refused;
	/* How often a session had all of a card. */
	unsigned long preserved;
	/* The first errno that none of the calls should have, and whose it is. */
	int strange;
	char what[48];
};

enum stress_where { BOTH_KERNELS, OLD_KERNEL, NEXT_KERNEL };

/* Of its calls: some are granted, none is, or that depends on others. */
enum stress_outcome { GRANTED, REFUSED, EITHER };

struct work {
	const char *name;
	/* What each of its threads does over and over. */
	void (*turns[THREADS_MAX])(const struct stress *stress, struct worker *worker);
	int processes;
	/* Whatever it holds is given back by its end, or can be found by others. */
	bool may_be_killed;
	/* What it needs is there in these kernels. */
	enum stress_where where;
	enum stress_outcome outcome;
};

extern const struct work stress_works[];
extern const int stress_works_count;

#endif
