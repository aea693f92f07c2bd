// SPDX-License-Identifier: GPL-2.0
/*
 * One kernel: a running card changes over between page tables all the time, to
 * HWPTs of the program and to the automatic one of an IOAS.
 */
#include "events.h"
#include "machine.h"
#include "plain.h"
#include "scenarios.h"

#define TABLES	3
#define BURST	10

static void make_tables(const struct receiver *receiver, __u32 *tables)
{
	int iommufd = receiver->device.iommufd;
	__u32 ioas;

	must(ioas_create(iommufd, true, &ioas), "create another IOAS");
	must(ioas_map_file(iommufd, ioas, receiver->memfd, 0, receiver->size,
			   receiver->ring.iova), "map memfd there");
	tables[0] = receiver->hwpt_id;
	must(hwpt_create(&receiver->device, ioas, &tables[1]), "create another HWPT");
	tables[2] = ioas;
}

void replace_old_kernel(void)
{
	int replaces = option_number("replaces", 1000);
	struct receiver receiver;
	__u32 tables[TABLES];

	receiver_set_up(&receiver);
	receiver.rearm = true;
	make_tables(&receiver, tables);
	traffic_start(&receiver);
	for (int i = 1; i <= replaces; i++) {
		must(device_attach(&receiver.device, tables[i % TABLES]), "replace");
		if (i % BURST == 0)
			receiver_receive(&receiver, 1);
	}
	event("replaced times=%d", replaces);
	receiver_receive(&receiver, 200);
	traffic_stop();
	receiver_report_landed(&receiver);
}
