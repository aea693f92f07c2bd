// SPDX-License-Identifier: GPL-2.0
/*
 * As long as the device's session is not finished there is no further kexec,
 * whatever has been done of the way back; the session can be closed and
 * retrieved at any time.  A session of memory alone stands in nobody's way.
 */
#include <errno.h>
#include <unistd.h>

#include "events.h"
#include "images.h"
#include "liveupdate.h"
#include "machine.h"
#include "preserve.h"
#include "scenarios.h"
#include "wayback.h"

static void retrieve_session_again(struct way_back *back)
{
	close(back->session);
	back->session = must(session_retrieve(SESSION_NAME), "retrieve the session again");
}

static void expect_no_finish(const struct way_back *back, enum back_step before)
{
	/* Before that nobody holds the device, and FINISH would abandon it. */
	if (before > BACK_DEVICE && before <= BACK_SWITCH)
		check_errno(session_finish(back->session), EBUSY,
			    "finish while held and not switched");
}

static void go_and_be_refused(struct way_back *back)
{
	for (enum back_step step = BACK_DRIVER; step < BACK_FINISH; step++) {
		event("kexec before=%s", back_step_name(step));
		check_errno(kexec_jump(), EBUSY, "kexec while unfinished");
		expect_no_finish(back, step);
		if (step > BACK_SESSION)
			retrieve_session_again(back);
		back_take(back, step);
	}
	check_errno(kexec_jump(), EBUSY, "kexec before finish");
	retrieve_session_again(back);
}

/* The images' session is open and unfinished all the time. */
static void jump_in_the_end(struct way_back *back)
{
	struct images images;

	images_retrieve(&images);
	images_prepare_kexec(&images);
	go_and_be_refused(back);
	back_take(back, BACK_FINISH);
	close(back->session);
	preserve_everything(back->receiver);
	receiver_receive(back->receiver, 500);
	must(announce_and_jump(), "kexec");
}

void unfinished_old_kernel(void)
{
	struct receiver receiver;
	struct images images;

	images_read(&images);
	start_receiving(&receiver, 500);
	report_pages("base");
	preserve_everything(&receiver);
	images_preserve(&images);
	receiver_receive(&receiver, 500);
	must(announce_and_jump(), "kexec");
}

void unfinished_new_kernel(void)
{
	struct receiver receiver;
	struct way_back back;

	back_begin(&back, &receiver);
	if (option_number("stage", 1) == 2)
		jump_in_the_end(&back);
	back_go_to(&back, BACK_STEPS);
	report_pages("finished");
	back_end(&back);
}
