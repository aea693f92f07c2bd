// SPDX-License-Identifier: GPL-2.0
/*
 * The new page table lacks a mapping that the old one had.  Until the switch
 * the device does not notice; from then on its next access faults.
 */
#include "events.h"
#include "machine.h"
#include "preserve.h"
#include "scenarios.h"
#include "wayback.h"

/* The same memory once more: this one is there in both kernels. */
#define SECOND_IOVA	0x40000000ull

static void map_elsewhere(const struct receiver *receiver)
{
	must(ioas_map_file(receiver->device.iommufd, receiver->ioas_id, receiver->memfd, 0,
			   receiver->size, SECOND_IOVA), "map memfd a second time");
}

void unmapped_old_kernel(void)
{
	struct receiver receiver;

	prepare_kexec();
	receiver_set_up(&receiver);
	receiver.rearm = true;
	map_elsewhere(&receiver);
	traffic_start(&receiver);
	receiver_receive(&receiver, 500);
	preserve_everything(&receiver);
	receiver_receive(&receiver, 500);
	must(announce_and_jump(), "kexec");
}

void unmapped_new_kernel(void)
{
	struct receiver receiver;
	struct way_back back;

	back_begin(&back, &receiver);
	back.without_ring = true;
	back_go_to(&back, BACK_SWITCH);
	map_elsewhere(&receiver);
	expect_growth(&receiver);
	release(0);
	event_ask("unmapping stream=0");
	back_take(&back, BACK_SWITCH);
	event_ask("unmapped stream=0");
	sleep_ms(500);
	back_take(&back, BACK_FINISH);
	traffic_stop();
	receiver_report_landed(&receiver);
}
