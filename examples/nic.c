// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "nic.h"

#define CTRL		0x0000
#define  CTRL_SLU	(1u << 6)
#define  CTRL_RST	(1u << 26)
#define STATUS		0x0008
#define  STATUS_LU	(1u << 1)
#define MDIC		0x0020
#define  MDIC_RESTART	(0x1340 | (1u << 21) | (1u << 26))
#define IMC		0x00d8
#define RCTL		0x0100
#define  RCTL_EN	(1u << 1)
#define  RCTL_UPE	(1u << 3)
#define  RCTL_MPE	(1u << 4)
#define  RCTL_BAM	(1u << 15)
#define  RCTL_256_BYTES	(3u << 16)
#define  RCTL_SECRC	(1u << 26)
#define MTA		0x5200
#define MTA_WORDS	128

/* igb's interrupts by vector */
#define GPIE		0x1514
#define  GPIE_MSIX	(1u << 4)
#define EIMS		0x1524
#define EIMC		0x1528
#define EICR		0x1580
#define IVAR0		0x1700		/* the first byte is receive queue 0's */
#define  IVAR_VALID	(1u << 7)

/* Offsets within a receive queue's block */
#define RDBAL		0x00
#define RDBAH		0x04
#define RDLEN		0x08
#define SRRCTL		0x0c
#define  SRRCTL_ONE_BUFFER (1u << 25)
#define RDH		0x10
#define RDT		0x18
#define RXDCTL		0x28
#define  RXDCTL_ENABLE	(1u << 25)

#define RCTL_COMMON	(RCTL_EN | RCTL_UPE | RCTL_MPE | RCTL_BAM | RCTL_SECRC)
#define LINK_WAIT_MS	4000
#define PAGE		4096

struct rx_descriptor {
	__u64 buffer;
	__u64 status;
};

static const struct nic_model models[] = {
	{
		.name = "igb",
		.vendor = 0x8086,
		.device = 0x10c9,
		.queue = 0xc000,
		.slot_size = 1024,
		.slot_done = 1,
		.rctl = RCTL_COMMON,
		.has_queue_enable = 1,
		.restart_link = 1,
	}, {
		.name = "e1000e",
		.vendor = 0x8086,
		.device = 0x10d3,
		.queue = 0x2800,
		.slot_size = 256,
		.slot_done = 1ull << 32,
		.rctl = RCTL_COMMON | RCTL_256_BYTES,
	},
};

const struct nic_model *nic_model(const char *name)
{
	for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++)
		if (!strcmp(models[i].name, name))
			return &models[i];
	return NULL;
}

const struct nic_model *nic_model_of(unsigned int vendor, unsigned int device)
{
	for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++)
		if (models[i].vendor == vendor && models[i].device == device)
			return &models[i];
	return NULL;
}

const struct nic_model *nic_identify(const char *bdf)
{
	__u16 ids[2];

	return pci_config_read(bdf, 0, ids, sizeof(ids)) ? NULL : nic_model_of(ids[0], ids[1]);
}

void rx_ring_init(struct rx_ring *ring, const struct nic_model *model, __u64 iova, __u32 slots)
{
	*ring = (struct rx_ring) {
		.iova = iova,
		.slots = slots,
		.slot_size = model->slot_size,
		.slot_stride = model->slot_size,
	};
}

static size_t rx_buffers_offset(const struct rx_ring *ring)
{
	size_t descriptors = ring->slots * sizeof(struct rx_descriptor);

	return (descriptors + PAGE - 1) & ~(size_t)(PAGE - 1);
}

size_t rx_slot_offset(const struct rx_ring *ring, __u32 slot)
{
	return rx_buffers_offset(ring) + (size_t)slot * ring->slot_stride;
}

size_t rx_ring_size(const struct rx_ring *ring)
{
	return rx_slot_offset(ring, ring->slots);
}

void rx_ring_fill_descriptor(const struct rx_ring *ring, __u32 slot)
{
	struct rx_descriptor *descriptors = ring->memory;

	descriptors[slot].buffer = ring->iova + rx_slot_offset(ring, slot);
	descriptors[slot].status = 0;
}

void rx_ring_fill_descriptors(const struct rx_ring *ring)
{
	for (__u32 slot = 0; slot < ring->slots; slot++)
		rx_ring_fill_descriptor(ring, slot);
}

static __u32 get(const volatile void *registers, __u32 offset)
{
	return *(const volatile __u32 *)((const volatile char *)registers + offset);
}

static void put(volatile void *registers, __u32 offset, __u32 value)
{
	*(volatile __u32 *)((volatile char *)registers + offset) = value;
}

static int link_is_up(const volatile void *registers)
{
	return !!(get(registers, STATUS) & STATUS_LU);
}

static int wait_for_link(volatile void *registers)
{
	for (int waited = 0; waited < LINK_WAIT_MS; waited++) {
		if (link_is_up(registers))
			return 0;
		usleep(1000);
	}
	return -ETIMEDOUT;
}

int nic_reset(const struct nic_model *model, volatile void *registers)
{
	put(registers, IMC, ~0u);
	put(registers, CTRL, get(registers, CTRL) | CTRL_RST);
	usleep(20 * 1000);
	put(registers, IMC, ~0u);
	put(registers, CTRL, get(registers, CTRL) | CTRL_SLU);
	/* igb's link stays down after a reset until it negotiates anew. */
	if (model->restart_link && !link_is_up(registers))
		put(registers, MDIC, MDIC_RESTART);
	for (__u32 word = 0; word < MTA_WORDS; word++)
		put(registers, MTA + 4 * word, 0);
	return wait_for_link(registers);
}

void nic_start_receive(const struct nic_model *model, volatile void *registers,
		       const struct rx_ring *ring)
{
	__u32 queue = model->queue;

	put(registers, queue + RDBAL, (__u32)ring->iova);
	put(registers, queue + RDBAH, ring->iova >> 32);
	put(registers, queue + RDLEN, ring->slots * sizeof(struct rx_descriptor));
	put(registers, queue + RDH, 0);
	put(registers, queue + RDT, 0);
	if (model->has_queue_enable) {
		put(registers, queue + SRRCTL, ring->slot_size / 1024 | SRRCTL_ONE_BUFFER);
		put(registers, queue + RXDCTL, RXDCTL_ENABLE);
	}
	put(registers, RCTL, model->rctl);
	/* The ring counts as empty when tail equals head: one slot stays unused. */
	put(registers, queue + RDT, ring->slots - 1);
}

void nic_stop_receive(const struct nic_model *model, volatile void *registers)
{
	put(registers, RCTL, 0);
	if (model->has_queue_enable)
		put(registers, model->queue + RXDCTL, 0);
}

void nic_start_interrupts(volatile void *registers, unsigned int vector)
{
	put(registers, EIMC, ~0u);
	put(registers, EICR, ~0u);
	put(registers, GPIE, GPIE_MSIX);
	put(registers, IVAR0, IVAR_VALID | vector);
	put(registers, EIMS, 1u << vector);
}

void nic_acknowledge(volatile void *registers, unsigned int vector)
{
	put(registers, EICR, 1u << vector);
}

__u32 nic_next_slot(const struct nic_model *model, volatile void *registers,
		    const struct rx_ring *ring)
{
	return (get(registers, model->queue + RDT) + 1) % ring->slots;
}

int nic_slot_is_full(const struct nic_model *model, const struct rx_ring *ring, __u32 slot)
{
	const struct rx_descriptor *descriptors = ring->memory;
	/* The card writes the buffer first, and so it has to be read. */
	__u64 status = __atomic_load_n(&descriptors[slot].status, __ATOMIC_ACQUIRE);

	return !!(status & model->slot_done);
}

void nic_give_back(const struct nic_model *model, volatile void *registers,
		   const struct rx_ring *ring, __u32 next_slot)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	put(registers, model->queue + RDT, (next_slot + ring->slots - 1) % ring->slots);
}

void nic_read_state(const struct nic_model *model, const volatile void *registers,
		    struct nic_state *state)
{
	state->status = get(registers, STATUS);
	state->rctl = get(registers, RCTL);
	state->rdbal = get(registers, model->queue + RDBAL);
	state->rdlen = get(registers, model->queue + RDLEN);
	state->rdh = get(registers, model->queue + RDH);
	state->rdt = get(registers, model->queue + RDT);
}
