// SPDX-License-Identifier: GPL-2.0
/*
 * Two cards on one page table, one of them preserved.  The other may leave at
 * any time, by detach and by being closed; nobody may join.
 */
#include <errno.h>
#include <unistd.h>

#include "events.h"
#include "liveupdate.h"
#include "machine.h"
#include "preserve.h"
#include "scenarios.h"

static void open_sibling(struct receiver *receiver, struct device *sibling)
{
	char bdf[BDF_LENGTH];

	receiver_find_device(receiver, 1, bdf);
	must(pci_bind_vfio(bdf), "bind the sibling");
	must(device_open(sibling, bdf, receiver->device.iommufd), "open the sibling");
	must(device_attach(sibling, receiver->hwpt_id), "attach the sibling");
}

void sibling_old_kernel(void)
{
	struct receiver receiver;
	struct device sibling;
	int session;

	receiver_set_up(&receiver);
	open_sibling(&receiver, &sibling);
	traffic_start(&receiver);
	session = preserve_everything(&receiver);

	check_errno(device_detach(&sibling), 0, "detach a card that is not preserved");
	check_errno(device_attach(&sibling, receiver.hwpt_id), EBUSY,
		    "attach it to the preserved HWPT");
	device_close(&sibling);
	close(session);

	open_sibling(&receiver, &sibling);
	preserve_again(&receiver);
	device_close(&sibling);
	check_errno(device_detach(&receiver.device), EBUSY, "detach the preserved card");
	sleep_ms(500);
	traffic_stop();
	receiver_report_landed(&receiver);
}
