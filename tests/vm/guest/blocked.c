// SPDX-License-Identifier: GPL-2.0
/*
 * Into a kernel that cannot take the device over: it must be cut off, and at
 * no time may its addresses be taken for physical ones.  The session may be
 * unreadable there, so the host looks for the frames in guest memory.
 */
#include "events.h"
#include "machine.h"
#include "receiver.h"
#include "scenarios.h"

void blocked_new_kernel(void)
{
	struct receiver receiver;
	char bdf[BDF_LENGTH];

	receiver_choose(&receiver);
	if (!pci_find(receiver.model->vendor, receiver.model->device, 0, bdf))
		receiver_report_registers(&receiver, bdf, "after");
	sleep_ms(option_number("after_ms", 1500));
	traffic_stop();
	event_ask("scan-memory stream=0");
}
