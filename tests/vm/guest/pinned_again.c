// SPDX-License-Identifier: GPL-2.0
/*
 * The memory of the ring is where the next kernel would not let anybody pin it, in a
 * movable zone, and stays there as long as it is in use.  Once it is finished, and
 * nobody has it mapped, it is ordinary memory: to be pinned again it has to move.
 */
#include "events.h"
#include "machine.h"
#include "scenarios.h"
#include "wayback.h"

#define PAGES	16

static void look(const struct receiver *receiver, __u64 *addresses)
{
	/* What this process has not touched has no address. */
	for (int i = 0; i < PAGES; i++)
		(void)*((volatile char *)receiver->ring.memory + i * PAGE);
	physical_addresses(receiver->ring.memory, PAGES, addresses);
}

static int count_moved(const __u64 *before, const __u64 *after)
{
	int moved = 0;

	for (int i = 0; i < PAGES; i++)
		moved += before[i] != after[i];
	return moved;
}

void pinned_again_new_kernel(void)
{
	__u64 in_use[PAGES], finished[PAGES], again[PAGES];
	struct receiver receiver;
	struct way_back back;

	back_begin(&back, &receiver);
	back_go_to(&back, BACK_BIND);
	look(&receiver, in_use);
	back_complete(&back, BACK_BIND);
	look(&receiver, finished);
	check(!count_moved(in_use, finished), "nothing moves while it is in use");

	back_let_go(&back);
	back_close_files(&back);
	receiver_open_device(&receiver, back.bdf);
	receiver_attach(&receiver);
	look(&receiver, again);
	check(count_moved(finished, again) == PAGES, "all pages move to be pinned again: %d of %d",
	      count_moved(finished, again), PAGES);
	traffic_stop();
}
