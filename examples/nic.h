/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Receive side of two Intel network cards, without interrupts: once the ring
 * is armed the card fetches descriptors and writes frames all by itself.
 */
#ifndef EXAMPLES_NIC_H
#define EXAMPLES_NIC_H

#include "device.h"

/*
 * One piece of DMA memory: descriptors from offset 0 on, buffers from the
 * next page on.  A stride larger than the buffer leaves room between two.
 */
struct rx_ring {
	void *memory;
	__u64 iova;
	__u32 slots;
	__u32 slot_size;
	__u32 slot_stride;
};

/* What a reset or a new owner would have changed. */
struct nic_state {
	__u32 rctl;
	__u32 rdbal;
	__u32 rdlen;
	__u32 rdh;
	__u32 rdt;
	__u32 status;
};

struct nic_model {
	const char *name;
	unsigned int vendor, device;
	__u32 queue;		/* register block of receive queue 0 */
	__u32 slot_size;
	__u64 slot_done;	/* what the card sets in a descriptor's second word */
	__u32 rctl;
	int has_queue_enable;
	int restart_link;
};

const struct nic_model *nic_model(const char *name);
/* NULL for what is none of them */
const struct nic_model *nic_model_of(unsigned int vendor, unsigned int device);
const struct nic_model *nic_identify(const char *bdf);

void rx_ring_init(struct rx_ring *ring, const struct nic_model *model, __u64 iova, __u32 slots);

size_t rx_ring_size(const struct rx_ring *ring);
size_t rx_slot_offset(const struct rx_ring *ring, __u32 slot);
void rx_ring_fill_descriptors(const struct rx_ring *ring);
/* The card overwrites a descriptor when it fills the slot. */
void rx_ring_fill_descriptor(const struct rx_ring *ring, __u32 slot);

/*
 * The reset must come before bus mastering is switched on: a card that kept
 * its ring would at once write into memory it no longer owns.
 */
int nic_reset(const struct nic_model *model, volatile void *registers);
void nic_start_receive(const struct nic_model *model, volatile void *registers,
		       const struct rx_ring *ring);
void nic_stop_receive(const struct nic_model *model, volatile void *registers);

/*
 * igb: what the queue receives raises this vector of MSI-X, once, and not again until it
 * is acknowledged. So one that nobody has served is the last one.
 */
void nic_start_interrupts(volatile void *registers, unsigned int vector);
/* Before the ring is looked at: what comes after that raises it again. */
void nic_acknowledge(volatile void *registers, unsigned int vector);

/*
 * One slot is always left out: the one before the first that has not been taken
 * from the ring.  So the card itself remembers how far its owner has come.
 */
__u32 nic_next_slot(const struct nic_model *model, volatile void *registers,
		    const struct rx_ring *ring);
int nic_slot_is_full(const struct nic_model *model, const struct rx_ring *ring, __u32 slot);
/* Gives back all slots before this one; their descriptors must be filled. */
void nic_give_back(const struct nic_model *model, volatile void *registers,
		   const struct rx_ring *ring, __u32 next_slot);

/* Reading disturbs nothing, so registers may come from pci_peek_registers(). */
void nic_read_state(const struct nic_model *model, const volatile void *registers,
		    struct nic_state *state);

#endif
