// SPDX-License-Identifier: GPL-2.0
/*
 * The card that goes on is pulled out of its slot before a step of the way back, or
 * while it is preserved, and the kernel's hotplug driver hears of it. Whatever the
 * step: nothing hangs, FINISH ends it, no page stays, and another card in the same
 * slot works.
 *
 *	at=STEP		before this step; or "preserved": in the first kernel
 *	above=1		with the port that it is below, out of the slot above
 *	finish_first=1	FINISH comes before the files are closed
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "events.h"
#include "function.h"
#include "liveupdate.h"
#include "machine.h"
#include "preserve.h"
#include "scenarios.h"
#include "slot.h"
#include "wayback.h"

#define INCOMING	"/sys/kernel/debug/iommu/liveupdate/incoming"
/* For a removal that has begun and waits for the device file. */
#define BEGIN_MS	1000
#define FINISH_TRIES	50
/* The kernel switches the slot off and waits for a second; it misjudges what comes then. */
#define SLOT_RESTS_MS	2000

static bool is_pulled_in_first_kernel(void)
{
	return !strcmp(option_text("at", ""), "preserved");
}

static enum back_step asked_step(void)
{
	const char *at = option_text("at", back_step_name(BACK_DRIVER));

	for (enum back_step step = BACK_DRIVER; step < BACK_STEPS; step++)
		if (!strcmp(at, back_step_name(step)))
			return step;
	give_up("no such step");
	return BACK_STEPS;
}

static void pull(const char *bdf)
{
	if (option_number("above", 0))
		slot_pull_above(bdf);
	else
		slot_pull(bdf);
	event("pulled");
}

void pulled_old_kernel(void)
{
	struct receiver receiver;
	int session;

	if (!is_pulled_in_first_kernel()) {
		plain_update_old_kernel();
		return;
	}
	prepare_kexec();
	receiver_set_up(&receiver);
	receiver.rearm = true;
	traffic_start(&receiver);
	session = preserve_everything(&receiver);
	receiver_receive(&receiver, 200);
	back_let_go(&(struct way_back) { .receiver = &receiver });
	pull(receiver.device.bdf);
	sleep_ms(BEGIN_MS);
	check(kexec_jump() < 0, "a kexec with a preserved card that is gone is refused");
	close(session);
	device_close(&receiver.device);
	close(receiver.device.iommufd);
	check(function_goes(receiver.device.bdf), "the kernel removes the card");
	/* Nothing holds the next kernel up any more. */
	must(announce_and_jump(), "kexec");
}

/* Steps of a program that does not know yet. Each may fail, none may hang. */
static void go_on_unaware(struct way_back *back, enum back_step from)
{
	struct receiver *receiver = back->receiver;
	__u32 ioas, hwpt;
	int error = 0;

	if (from <= BACK_IOMMUFD)
		back->iommufd = session_retrieve_fd(back->session, TOKEN_IOMMUFD);
	if (from <= BACK_DEVICE) {
		back->device_fd = session_retrieve_fd(back->session, TOKEN_DEVICE);
		event("note retrieving the device: %d", back->device_fd < 0 ? back->device_fd : 0);
	}
	if (from <= BACK_BIND && back->device_fd >= 0 && back->iommufd >= 0) {
		error = device_reclaim(&receiver->device, back->bdf, back->device_fd,
				       back->iommufd);
		event("note binding the device: %d", error);
		/* It is closed then. */
		if (error)
			back->device_fd = -1;
	}
	if (from <= BACK_SWITCH && back->device_fd >= 0 && !error) {
		error = ioas_create(back->iommufd, 1, &ioas);
		if (!error)
			error = hwpt_create(&receiver->device, ioas, &hwpt);
		if (!error)
			error = device_attach(&receiver->device, hwpt);
		event("note switching: %d", error);
	}
}

static void close_all(struct way_back *back)
{
	if (back->receiver->device.registers)
		device_close(&back->receiver->device);
	else if (back->device_fd >= 0)
		close(back->device_fd);
	if (back->iommufd >= 0)
		close(back->iommufd);
}

static void finish_patiently(struct way_back *back)
{
	int error = -EBUSY;

	for (int turn = 0; turn < FINISH_TRIES && error == -EBUSY; turn++) {
		error = session_finish(back->session);
		if (error == -EBUSY)
			sleep_ms(100);
	}
	check_errno(error, 0, "finish");
	event_ask("finished");
	close(back->session);
}

static void expect_nothing_left(void)
{
	struct page_counts counts;
	char status[64];

	count_pages(&counts);
	check(!counts.unclaimed, "pages not claimed: %lu", counts.unclaimed);
	read_file(INCOMING, status, sizeof(status));
	event("note %s", status);
}

static void use_another_card(const struct receiver *receiver)
{
	const struct nic_model *model = receiver->model;
	bool above = option_number("above", 0);
	char bdf[BDF_LENGTH];

	sleep_ms(SLOT_RESTS_MS);
	slot_plug(option_text("nic", "igb"), above ? "rp1" : "rp2", "n0");
	if (!check(function_comes(model->vendor, model->device, bdf), "another card in the slot"))
		return;
	if (above)
		use_elsewhere();
	else
		use_afresh();
}

/* No card, no session, nothing to finish; the slot is as any other. */
static void come_without_card(void)
{
	struct receiver receiver;

	receiver_choose(&receiver);
	check_errno(session_retrieve(SESSION_NAME), ENOENT, "there is no session");
	use_another_card(&receiver);
}

static void lose_the_card(void)
{
	enum back_step at = asked_step();
	struct receiver receiver;
	struct way_back back;

	back_begin(&back, &receiver);
	back.device_fd = -1;
	back_go_to(&back, at);
	if (at <= BACK_SESSION)
		back_take(&back, BACK_SESSION);
	if (at <= BACK_MEMORY)
		back_take(&back, BACK_MEMORY);
	release(0);
	if (at > BACK_BIND)
		receiver_receive(&receiver, 10);
	pull(back.bdf);
	/* Nobody holds it up to BACK_DEVICE. */
	if (at <= BACK_DEVICE)
		check(function_goes(back.bdf), "the kernel removes the card");
	else
		sleep_ms(BEGIN_MS);
	go_on_unaware(&back, at);
	expect_silence(&receiver);
	receiver_report_landed(&receiver);
	/* Slots cannot be given back to a card that is gone. */
	receiver.rearm = false;
	if (option_number("finish_first", 0))
		finish_patiently(&back);
	close_all(&back);
	if (!option_number("finish_first", 0))
		finish_patiently(&back);
	check(function_goes(back.bdf), "the kernel has removed the card");
	expect_nothing_left();
	use_another_card(&receiver);
}

void pulled_new_kernel(void)
{
	if (is_pulled_in_first_kernel())
		come_without_card();
	else
		lose_the_card();
}
