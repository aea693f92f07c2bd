// SPDX-License-Identifier: GPL-2.0
/*
 * Another card has reserved memory of the firmware's, which it uses without a driver.
 * It is behind the unit that is handed over, and so it is blocked until the next kernel
 * has set it up: who preserves is told.  The one that goes on is not concerned.
 */
#include <stdio.h>

#include "events.h"
#include "machine.h"
#include "preserve.h"
#include "scenarios.h"
#include "wayback.h"

#define WARNING	"DMAR: has reserved memory, and is blocked from a live update"

static void expect_warning(const struct receiver *receiver)
{
	char bdf[BDF_LENGTH], words[128];

	must(pci_find(receiver->model->vendor, receiver->model->device, 1, bdf),
	     "find the other card");
	snprintf(words, sizeof(words), "%s: %s", bdf, WARNING);
	check(log_says(words), "the log says: %s", words);
	snprintf(words, sizeof(words), "%s: %s", receiver->device.bdf, WARNING);
	check(!log_says(words), "the log does not say: %s", words);
}

void reserved_memory_old_kernel(void)
{
	struct receiver receiver;

	prepare_kexec();
	receiver_set_up(&receiver);
	receiver.rearm = true;
	traffic_start(&receiver);
	receiver_receive(&receiver, 500);
	report_pages("base");
	check(!log_says(WARNING), "no word of it before");
	preserve_everything(&receiver);
	expect_warning(&receiver);
	receiver_receive(&receiver, 500);
	must(announce_and_jump(), "kexec");
}
