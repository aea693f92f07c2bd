/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What runs in the memory of docs/vmm-guide.md: in a real VMM a guest on its vCPUs, with
 * a driver of the device that was passed through. Here it is the driver alone, called by
 * a loop. It knows nothing of live updates. guest_nic.c is one for network cards,
 * guest_nvme.c one for a disk.
 */
#ifndef EXAMPLES_GUEST_H
#define EXAMPLES_GUEST_H

#include <stddef.h>
#include <stdint.h>

/* What its registers are for a vCPU: they go along as the VMM's own state. */
struct guest_state {
	uint64_t work;		/* frames received, or blocks read */
	uint64_t lost;		/* numbers that no frame has had, or blocks that are wrong */
	uint32_t next_number;
	uint32_t next_slot;
};

struct guest {
	void *memory;		/* all of it, at GUEST_IOVA for the device */
	volatile void *bar;	/* the first one of its device */
	const void *driver;	/* what guest_knows() has found */
	struct guest_state state;
};

#define GUEST_IOVA	0x10000000ull
#define GUEST_MEMORY	(32ull << 20)

/* Whether it has a driver for such a device. */
int guest_knows(struct guest *guest, uint16_t vendor, uint16_t id);
/*
 * In the order of a real guest: its driver resets the device, allows DMA, starts it.
 * A VMM allows DMA when the guest writes to the command register.
 */
int guest_reset(struct guest *guest);
void guest_boot(struct guest *guest);
/* One turn of its vCPU: takes what the device has brought. */
void guest_run(struct guest *guest);

#endif
