// SPDX-License-Identifier: GPL-2.0
/*
 * A card is put into a slot below a port that goes on. It works at once, for another
 * program on the library, and the one that goes on loses nothing.
 *
 *	at=preserved	in the first kernel, while the other one is preserved
 *	at=driver	in the next kernel, before it has a driver
 *	at=switch	when it is ours again, and before it changes over
 */
#include <string.h>

#include "events.h"
#include "machine.h"
#include "scenarios.h"
#include "slot.h"
#include "vmm.h"

#define CARD		"e1000e"
#define CARD_VENDOR	0x8086
#define CARD_DEVICE	0x10d3

static void use_card(const char *bdf)
{
	struct ilu *ilu = ilu_new(NULL);
	struct ilu_space *space = ilu_space_create(ilu, "other");
	struct ilu_device *card;

	must_ilu(ilu, !space, "another space");
	check_errno(pci_bind_vfio(bdf), 0, "bind vfio-pci to the new card");
	card = ilu_device_open(ilu, "new", bdf, space);
	check(card, "open the new card: %s", ilu_error(ilu)->text);
	check(ilu_device_bar(card, 0, NULL), "its registers are there");
	ilu_free(ilu);
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

static void plug_if_asked(const char *moment, struct receiver *receiver)
{
	if (!strcmp(option_text("at", ""), moment))
		plug(receiver);
}

void plugged_old_kernel(void)
{
	struct vmm vmm;

	vmm_start_receiving(&vmm, 500);
	vmm_preserve(&vmm);
	plug_if_asked("preserved", &vmm.receiver);
	receiver_receive(&vmm.receiver, 500);
	vmm_jump(&vmm);
}

void plugged_new_kernel(void)
{
	struct vmm vmm;

	vmm_begin_again(&vmm);
	plug_if_asked("driver", &vmm.receiver);
	vmm_take_memory(&vmm);
	vmm_take_card(&vmm);
	plug_if_asked("switch", &vmm.receiver);
	vmm_switch(&vmm);
	vmm_finish(&vmm);
	vmm_end(&vmm);
}
