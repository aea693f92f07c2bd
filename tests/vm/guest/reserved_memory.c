// SPDX-License-Identifier: GPL-2.0
/*
 * Another card has reserved memory of the firmware's, which it uses without a driver.
 * It is behind the unit that is handed over, and so it is blocked until the next kernel
 * has set it up: who preserves is told.  The one that goes on is not concerned.
 */
#include <stdio.h>

#include "events.h"
#include "machine.h"
#include "pages.h"
#include "scenarios.h"
#include "vmm.h"

#define WARNING	"DMAR: has reserved memory, and is blocked from a live update"

static void expect_warning(const struct vmm *vmm)
{
	char bdf[BDF_LENGTH], words[128];

	must(pci_find(vmm->receiver.model->vendor, vmm->receiver.model->device, 1, bdf),
	     "find the other card");
	snprintf(words, sizeof(words), "%s: %s", bdf, WARNING);
	check(log_says(words), "the log says: %s", words);
	snprintf(words, sizeof(words), "%s: %s", vmm->bdf, WARNING);
	check(!log_says(words), "the log does not say: %s", words);
}

void reserved_memory_old_kernel(void)
{
	struct vmm vmm;

	vmm_start_receiving(&vmm, 500);
	report_pages("base");
	check(!log_says(WARNING), "no word of it before");
	vmm_preserve(&vmm);
	expect_warning(&vmm);
	receiver_receive(&vmm.receiver, 500);
	vmm_jump(&vmm);
}
