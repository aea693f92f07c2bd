// SPDX-License-Identifier: GPL-2.0
/*
 * A guest that receives frames. Each carries a number, one more than the one before, in
 * the bytes behind FRAME_NUMBER: so the guest itself knows how many never came.
 */
#include <string.h>

#include "guest.h"
#include "nic.h"

#define SLOTS		16384
#define FRAME_NUMBER	18	/* Ethernet header, and a word */

static struct rx_ring ring_of(const struct guest *guest)
{
	struct rx_ring ring;

	rx_ring_init(&ring, guest->driver, GUEST_IOVA, SLOTS);
	ring.memory = guest->memory;
	return ring;
}

int guest_knows(struct guest *guest, uint16_t vendor, uint16_t id)
{
	guest->driver = nic_model_of(vendor, id);
	return guest->driver != NULL;
}

int guest_reset(struct guest *guest)
{
	return nic_reset(guest->driver, guest->bar);
}

void guest_boot(struct guest *guest)
{
	struct rx_ring ring = ring_of(guest);

	rx_ring_fill_descriptors(&ring);
	nic_start_receive(guest->driver, guest->bar, &ring);
}

static void take_frame(struct guest *guest, const void *frame)
{
	struct guest_state *state = &guest->state;
	uint32_t number;

	memcpy(&number, (const char *)frame + FRAME_NUMBER, sizeof(number));
	if (state->work++)
		state->lost += number - state->next_number;
	state->next_number = number + 1;
}

void guest_run(struct guest *guest)
{
	struct rx_ring ring = ring_of(guest);
	struct guest_state *state = &guest->state;

	while (nic_slot_is_full(guest->driver, &ring, state->next_slot)) {
		take_frame(guest, (char *)ring.memory + rx_slot_offset(&ring, state->next_slot));
		rx_ring_fill_descriptor(&ring, state->next_slot);
		state->next_slot = (state->next_slot + 1) % ring.slots;
	}
	nic_give_back(guest->driver, guest->bar, &ring, state->next_slot);
}
