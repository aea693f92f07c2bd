// SPDX-License-Identifier: GPL-2.0
/*
 * Live updates in a row, over the same device and the same memory: each kernel
 * takes them back, goes on with them, and hands them over to the next.
 */
#include "events.h"
#include "images.h"
#include "machine.h"
#include "preserve.h"
#include "scenarios.h"
#include "wayback.h"

static void hand_over(struct receiver *receiver, struct images *images)
{
	images_prepare_kexec(images);
	preserve_everything(receiver);
	images_preserve(images);
	receiver_receive(receiver, option_number("before_ms", 1000) / 2);
	must(announce_and_jump(), "kexec");
}

/* The images alone, without a device: what the other scenarios build on. */
static void hand_images_over(struct images *images)
{
	images_prepare_kexec(images);
	images_preserve(images);
	must(announce_and_jump(), "kexec");
}

void images_old_kernel(void)
{
	struct images images;

	images_read(&images);
	hand_images_over(&images);
}

void images_new_kernel(void)
{
	struct images images;

	images_retrieve(&images);
	images_finish(&images);
	event_ask("finished");
	if (option_number("stage", 1) <= option_number("updates", 1))
		hand_images_over(&images);
}

void chain_old_kernel(void)
{
	struct receiver receiver;
	struct images images;

	images_read(&images);
	receiver_set_up(&receiver);
	receiver.rearm = true;
	report_pages("base");
	traffic_start(&receiver);
	receiver_receive(&receiver, option_number("before_ms", 1000) / 2);
	hand_over(&receiver, &images);
}

void chain_new_kernel(void)
{
	struct receiver receiver;
	struct way_back back;
	struct images images;

	back_begin(&back, &receiver);
	back_go_to(&back, BACK_STEPS);
	report_pages("finished");
	images_retrieve(&images);
	images_finish(&images);
	if (option_number("stage", 1) > option_number("updates", 1)) {
		back_end(&back);
		return;
	}
	expect_growth(&receiver);
	hand_over(&receiver, &images);
}
