// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that was allocated but never touched by a CPU, with a device writing
 * to it: preserving the memfd must not wipe what was received before.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "events.h"
#include "liveupdate.h"
#include "machine.h"
#include "preserve.h"
#include "scenarios.h"

static void fill_descriptors_only(struct receiver *receiver)
{
	if (fallocate(receiver->memfd, 0, 0, receiver->size))
		give_up("fallocate: %m");
	receiver_map_memory(receiver);
	rx_ring_fill_descriptors(&receiver->ring);
	receiver->background_is_zero = true;
}

void fallocated_old_kernel(void)
{
	struct receiver receiver;
	char bdf[BDF_LENGTH];
	int before_ms = option_number("before_ms", 1000), session;

	receiver_choose(&receiver);
	receiver_find_device(&receiver, 0, bdf);
	receiver.memfd = must(memory_create("ring", receiver.size), "create memfd");
	must(memory_seal(receiver.memfd), "seal memfd");
	fill_descriptors_only(&receiver);
	receiver_open_device(&receiver, bdf);
	receiver_attach(&receiver);
	receiver_start(&receiver);

	traffic_start(&receiver);
	sleep_ms(before_ms);
	session = preserve_memory_only(&receiver);
	sleep_ms(before_ms);
	traffic_stop();
	receiver_report_landed(&receiver);
	close(session);
}
