/* SPDX-License-Identifier: GPL-2.0 */
/* Processes that do all a program can do, at the same time, until they are told to stop. */
#ifndef TESTS_VM_GUEST_STRESS_H
#define TESTS_VM_GUEST_STRESS_H

#include "plain.h"

/* A session with a memfd, there all the time and in both kernels. */
#define STRESS_SESSION	"kept"

struct stress {
	/* The card that must not be disturbed; in the next kernel only its name is used. */
	struct receiver *receiver;
	const char *bdf;
	/* Another HWPT of the same IOAS, that it is attached to for a while. */
	__u32 other_hwpt;
	/* A card that anybody may do anything to. */
	char spare[BDF_LENGTH];
	bool next_kernel;
	/* Too short for everybody to have had its turn. */
	bool rehearsal;
	/* By how much longer one may take than on a kernel without debugging. */
	int patience;
};

void stress_begin(const struct stress *stress);
/* Kills one of those that may be killed, and starts it again. */
void stress_kill_one(void);
/* Tells the host how far each of them is; one that does not get on for long is a failure. */
void stress_report(int second);
/* They end by themselves, and all that they have left behind is given back. */
void stress_end(void);

/* So that the page table has what it keeps when their memory is unmapped. */
void stress_map_once(const struct receiver *receiver);

#endif
