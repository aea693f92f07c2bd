// SPDX-License-Identifier: GPL-2.0
/*
 * Live updates in a row, over the same device and the same memory: each kernel's
 * program on the library takes them back, goes on with them, and hands them over to
 * the next.
 */
#include "events.h"
#include "images.h"
#include "machine.h"
#include "pages.h"
#include "scenarios.h"
#include "vmm.h"

static void hand_over(struct vmm *vmm, struct images *images)
{
	images_prepare_kexec(images);
	vmm_preserve(vmm);
	images_preserve(images);
	receiver_receive(&vmm->receiver, option_number("before_ms", 1000) / 2);
	vmm_jump(vmm);
}

/* The images alone, without a device: what the other scenarios build on. */
static void hand_images_over(struct images *images)
{
	images_prepare_kexec(images);
	images_preserve(images);
	event_ask("kexec-call");
	must_ilu(images->ilu, ilu_kexec(images->ilu), "kexec");
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
	struct images images;
	struct vmm vmm;

	images_read(&images);
	vmm_begin(&vmm);
	vmm_set_up(&vmm);
	vmm.receiver.rearm = true;
	report_pages("base");
	traffic_start(&vmm.receiver);
	receiver_receive(&vmm.receiver, option_number("before_ms", 1000) / 2);
	hand_over(&vmm, &images);
}

void chain_new_kernel(void)
{
	struct images images;
	struct vmm vmm;

	vmm_begin_again(&vmm);
	vmm_take_back(&vmm);
	report_pages("finished");
	images_retrieve(&images);
	images_finish(&images);
	if (option_number("stage", 1) > option_number("updates", 1)) {
		vmm_end(&vmm);
		return;
	}
	expect_growth(&vmm.receiver);
	hand_over(&vmm, &images);
}
