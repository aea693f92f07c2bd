// SPDX-License-Identifier: GPL-2.0
/*
 * Some receive buffers are placed where writes mean interrupts.  The device
 * needs no driver's consent for that, so with interrupt remapping off for one
 * moment it could raise any vector.
 */
#include "events.h"
#include "frame.h"
#include "interrupt_buffer.h"

/*
 * In the format for remapping, with an index that no entry is present for:
 * refused as long as remapping is on.  Nothing else uses this page, so the
 * host can tell these writes apart.
 */
#define INTERRUPT_IOVA	0xfee5a010ull

static bool slot_is_diverted(__u32 slot)
{
	return slot % INTERRUPT_SLOT_EVERY == INTERRUPT_SLOT_EVERY - 1;
}

void divert_slots(const struct rx_ring *ring)
{
	struct { __u64 buffer, status; } *descriptors = ring->memory;

	for (__u32 slot = 0; slot < ring->slots; slot++)
		if (slot_is_diverted(slot))
			descriptors[slot].buffer = INTERRUPT_IOVA;
}

static const struct frame *frame_at(const struct rx_ring *ring, __u32 slot)
{
	return (void *)((char *)ring->memory + rx_slot_offset(ring, slot));
}

/* A frame between two that landed went where its descriptor said. */
void report_diverted(const struct rx_ring *ring)
{
	for (__u32 slot = 1; slot + 1 < ring->slots; slot++) {
		const struct frame *before = frame_at(ring, slot - 1);
		const struct frame *after = frame_at(ring, slot + 1);

		if (slot_is_diverted(slot) && frame_is_intact(before) &&
		    frame_is_intact(after) && after->sequence == before->sequence + 2)
			event("diverted sequence=%u", before->sequence + 1);
	}
}
