// SPDX-License-Identifier: GPL-2.0
/* One kernel, no kexec: shows that the rig itself loses nothing, and sees a fault. */
#include "events.h"
#include "machine.h"
#include "plain.h"
#include "scenarios.h"

void control_old_kernel(void)
{
	struct receiver receiver;

	receiver_set_up(&receiver);
	receiver.rearm = option_number("rearm", 0);
	traffic_start(&receiver);
	receiver_receive(&receiver, option_number("before_ms", 1000));
	traffic_stop();
	receiver_report_landed(&receiver);
}

void unmap_old_kernel(void)
{
	struct receiver receiver;

	receiver_set_up(&receiver);
	traffic_start(&receiver);
	sleep_ms(option_number("before_ms", 1000));
	event_ask("unmapping stream=0");
	must(ioas_unmap(receiver.device.iommufd, receiver.ioas_id, receiver.ring.iova,
			receiver.size), "unmap under traffic");
	event_ask("unmapped stream=0");
	sleep_ms(200);
	traffic_stop();
	receiver_report_landed(&receiver);
}
