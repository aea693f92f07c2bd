// SPDX-License-Identifier: GPL-2.0
/*
 * Two cards on two page tables of one IOAS: each table is carried along with its
 * own token and its own card, and each card changes over by itself.
 */
#include <errno.h>

#include "events.h"
#include "liveupdate.h"
#include "machine.h"
#include "preserve.h"
#include "scenarios.h"
#include "two_cards.h"
#include "wayback.h"

#define TOKEN_SECOND_HWPT	7

static void attach_second(struct receiver *second)
{
	must(hwpt_create(&second->device, second->ioas_id, &second->hwpt_id),
	     "create the second HWPT");
	must(device_attach(&second->device, second->hwpt_id), "attach the second card");
}

void two_hwpts_old_kernel(void)
{
	struct receiver first, second;
	int iommufd, session;

	prepare_kexec();
	two_cards_set_up(&first, &second);
	attach_second(&second);
	receiver_start(&second);
	traffic_start(&first);
	two_cards_receive(&first, &second, 500);

	iommufd = first.device.iommufd;
	must(hwpt_mark_preserve(iommufd, first.hwpt_id, TOKEN_HWPT), "mark HWPT");
	must(hwpt_mark_preserve(iommufd, second.hwpt_id, TOKEN_SECOND_HWPT), "mark HWPT");
	session = two_cards_session(&first, &second);
	two_cards_preserve_second(session, &second);
	must(session_preserve_fd(session, first.device.fd, TOKEN_DEVICE), "preserve device");
	two_cards_receive(&first, &second, 500);
	must(announce_and_jump(), "kexec");
}

void two_hwpts_new_kernel(void)
{
	struct receiver first, second;
	struct way_back back;

	back_begin(&back, &first);
	back_go_to(&back, BACK_TABLES);
	two_cards_reclaim_second(&back, &second);
	back_take(&back, BACK_TABLES);
	back_take(&back, BACK_SWITCH);
	check_errno(session_finish(back.session), EBUSY, "finish while the second is in use");
	two_cards_receive(&first, &second, 300);
	two_cards_map_second(&first, &second);
	attach_second(&second);
	back_take(&back, BACK_FINISH);
	two_cards_receive(&first, &second, 500);
	receiver_report_registers(&first, back.bdf, "end");
	traffic_stop();
	receiver_report_landed(&first);
	receiver_report_landed(&second);
}
