// SPDX-License-Identifier: GPL-2.0
/*
 * A card is put into a slot below a port that goes on, before a step of the way back
 * or while the other card is preserved. It works at once, and the one that goes on
 * loses nothing.
 *
 *	at=STEP		before this step; or "preserved": in the first kernel
 */
#include <string.h>
#include <unistd.h>

#include "events.h"
#include "liveupdate.h"
#include "machine.h"
#include "preserve.h"
#include "scenarios.h"
#include "slot.h"
#include "wayback.h"

#define CARD		"e1000e"
#define CARD_VENDOR	0x8086
#define CARD_DEVICE	0x10d3

static void use_card(const char *bdf)
{
	int iommufd = must(iommufd_open(), "open iommufd");
	struct device device;
	__u32 ioas, hwpt;
	int error;

	check_errno(pci_bind_vfio(bdf), 0, "bind vfio-pci to the new card");
	error = device_open(&device, bdf, iommufd);
	if (check_errno(error, 0, "open the new card")) {
		must(ioas_create(iommufd, 1, &ioas), "create IOAS");
		must(hwpt_create(&device, ioas, &hwpt), "create HWPT");
		check_errno(device_attach(&device, hwpt), 0, "attach the new card");
		check(device.registers, "its registers are there");
		device_close(&device);
	}
	close(iommufd);
}

static void plug(struct receiver *receiver)
{
	char bdf[BDF_LENGTH];

	slot_plug(CARD, "empty", "");
	/* The kernel waits for somebody to press the button again. */
	receiver_receive(receiver, 6000);
	if (check(function_comes(CARD_VENDOR, CARD_DEVICE, bdf), "the new card comes"))
		use_card(bdf);
}

static bool is_time(const char *step)
{
	return !strcmp(option_text("at", "session"), step);
}

void plugged_old_kernel(void)
{
	struct receiver receiver;

	start_receiving(&receiver, 500);
	preserve_everything(&receiver);
	if (is_time("preserved"))
		plug(&receiver);
	receiver_receive(&receiver, 500);
	must(announce_and_jump(), "kexec");
}

void plugged_new_kernel(void)
{
	struct receiver receiver;
	struct way_back back;

	back_begin(&back, &receiver);
	for (enum back_step step = BACK_DRIVER; step < BACK_STEPS; step++) {
		if (is_time(back_step_name(step)))
			plug(&receiver);
		back_take(&back, step);
	}
	back_end(&back);
}
