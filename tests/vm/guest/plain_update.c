// SPDX-License-Identifier: GPL-2.0
/*
 * The live update of update.c by plain ioctls: for scenarios that go on in single steps,
 * that preserve less than all of it, or that want entries of 4 KiB.  The next kernel's
 * program takes the device back and finishes; with back=no it only looks on.  With
 * reopen=1 it opens the device anew, as one has to that was not preserved.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "events.h"
#include "liveupdate.h"
#include "machine.h"
#include "neighbour.h"
#include "preserve.h"
#include "scenarios.h"
#include "wayback.h"

static bool is_preserved(void)
{
	return !strcmp(option_text("preserve", "yes"), "yes");
}

static bool goes_back(void)
{
	return is_preserved() && strcmp(option_text("back", "yes"), "no");
}

void plain_update_old_kernel(void)
{
	int before_ms = option_number("before_ms", 1000);
	struct receiver receiver;

	prepare_kexec();
	receiver_set_up(&receiver);
	receiver.rearm = goes_back();
	traffic_start(&receiver);
	receiver_receive(&receiver, before_ms / 2);
	if (goes_back())
		report_pages("base");
	preserve_as_asked(&receiver);
	receiver_receive(&receiver, before_ms / 2);
	must(announce_and_jump(), "kexec");
}

/* As long as it is not finished nobody gets it who does not have the session. */
static void expect_nobody_opens_the_device(const char *bdf)
{
	struct device device;
	int iommufd = must(iommufd_open(), "open iommufd");

	check_errno(device_open(&device, bdf, iommufd), EBUSY, "ordinary open of the device");
	close(iommufd);
}

static void look_on(struct way_back *back)
{
	struct receiver *receiver = back->receiver;

	back_go_to(back, BACK_IOMMUFD);
	expect_nobody_opens_the_device(back->bdf);
	if (option_number("neighbour", 0))
		neighbour_works_again();
	expect_growth(receiver);
	receiver_report_registers(receiver, back->bdf, "end");
	traffic_stop();
	receiver_report_landed(receiver);
}

static void go_back(struct way_back *back)
{
	back_go_to(back, BACK_IOMMUFD);
	expect_nobody_opens_the_device(back->bdf);
	back_complete(back, BACK_IOMMUFD);
	report_pages("finished");
	back_end(back);
}

static void start_again(struct receiver *receiver)
{
	receiver_set_up(receiver);
	event("reopened");
}

static void go_on_anew(struct way_back *back)
{
	struct receiver again = { .memfd = -1 };
	bool reopen = option_number("reopen", 0);

	back_take(back, BACK_SESSION);
	back_take(back, BACK_MEMORY);
	if (reopen)
		start_again(&again);
	sleep_ms(option_number("after_ms", 1000));
	traffic_stop();
	receiver_report_landed(back->receiver);
	if (reopen)
		receiver_report_landed(&again);
	check_errno(session_finish(back->session), 0, "finish");
}

void plain_update_new_kernel(void)
{
	struct receiver receiver;
	struct way_back back;

	back_begin(&back, &receiver);
	if (goes_back())
		go_back(&back);
	else if (is_preserved())
		look_on(&back);
	else
		go_on_anew(&back);
}
