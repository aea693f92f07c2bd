// SPDX-License-Identifier: GPL-2.0
/*
 * Two cards on one page table, both preserved.  They change over one after the
 * other, and after each change the mapping of that card is taken away: it has to
 * fault then, whatever the IOMMU remembers of the other one or of the old table.
 *
 * Before that both rings go round, so that the old table's translations of all
 * their pages are cached.  What the change leaves behind the card will use.
 */
#include <errno.h>

#include "events.h"
#include "liveupdate.h"
#include "machine.h"
#include "preserve.h"
#include "scenarios.h"
#include "two_cards.h"
#include "wayback.h"

static bool went_round(const struct receiver *receiver)
{
	return receiver->taken.landed >= receiver->ring.slots;
}

static void go_round(struct receiver *first, struct receiver *second)
{
	while (!went_round(first) || !went_round(second))
		two_cards_receive(first, second, 100);
}

void two_devices_old_kernel(void)
{
	struct receiver first, second;
	int session;

	prepare_kexec();
	two_cards_set_up(&first, &second);
	must(device_attach(&second.device, first.hwpt_id), "attach the second card");
	receiver_start(&second);
	traffic_start(&first);
	two_cards_receive(&first, &second, 500);

	must(hwpt_mark_preserve(first.device.iommufd, first.hwpt_id, TOKEN_HWPT), "mark HWPT");
	session = two_cards_session(&first, &second);
	must(session_preserve_fd(session, first.device.fd, TOKEN_DEVICE), "preserve device");
	two_cards_preserve_second(session, &second);
	two_cards_receive(&first, &second, 500);
	must(announce_and_jump(), "kexec");
}

static void unmap_ring(const struct receiver *first, const struct receiver *receiver,
		       unsigned int stream)
{
	release(stream);
	event_ask("unmapping stream=%u", stream);
	must(ioas_unmap(first->device.iommufd, first->ioas_id, receiver->ring.iova,
			receiver->size), "unmap a ring");
	event_ask("unmapped stream=%u", stream);
}

static void expect_second_goes_on(struct receiver *second, const char *when)
{
	__u32 before = second->taken.landed;

	receiver_receive(second, 500);
	check(second->taken.landed > before, "the second card goes on, %s: %u, then %u", when,
	      before, second->taken.landed);
}

void two_devices_new_kernel(void)
{
	struct receiver first, second;
	struct way_back back;

	back_begin(&back, &first);
	back_go_to(&back, BACK_TABLES);
	two_cards_reclaim_second(&back, &second);
	back_take(&back, BACK_TABLES);
	two_cards_map_second(&first, &second);

	go_round(&first, &second);
	back_take(&back, BACK_SWITCH);
	two_cards_receive(&first, &second, 200);
	check_errno(session_finish(back.session), EBUSY,
		    "finish while the second card is on the old page table");
	unmap_ring(&first, &first, 0);
	expect_second_goes_on(&second, "on the old page table");

	must(device_attach(&second.device, first.hwpt_id), "switch the second card");
	expect_second_goes_on(&second, "on the new page table");
	unmap_ring(&first, &second, 1);
	sleep_ms(500);
	back_take(&back, BACK_FINISH);
	traffic_stop();
	receiver_report_landed(&first);
	receiver_report_landed(&second);
}
