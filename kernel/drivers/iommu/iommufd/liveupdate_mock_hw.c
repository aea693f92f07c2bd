// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */

/**
 * DOC: Mock IOMMU, the hardware
 *
 * Two units with a device table and a cache of translations each, and devices that
 * do DMA when they are told to, with a PASID or without. Like real ones they go
 * on with what they have while the kernel is replaced: registers, caches and who
 * is a bus master lie in a page that is handed over by KHO, and is no part of any
 * record. What is in the tables hardware reads for itself, so nothing of the
 * driver or of generic_pt is used here.
 *
 * The cache is filled by each access, and forgets only what it is told to: a
 * driver that forgets a flush is seen.
 *
 * Locking: mock_hw_lock guards entries, caches and masters, as one access of
 * hardware excludes another. Registers are written by the driver alone.
 */

#define pr_fmt(fmt) "iommu mock: " fmt

#include <linux/bitfield.h>
#include <linux/io.h>
#include <linux/kexec_handover.h>
#include <linux/mm.h>

#include "liveupdate_mock.h"

#define MOCK_HW_SUBTREE		"iommu-liveupdate-mock"

/* Of the page table, as its format has them */
#define MOCK_PT_GRANULE_LG2	12
#define MOCK_PT_LEVEL_LG2	9
#define MOCK_PT_PRESENT		BIT_ULL(0)
#define MOCK_PT_NEXT_LEVEL	GENMASK_ULL(11, 9)
#define MOCK_PT_ADDRESS		GENMASK_ULL(51, 12)
#define MOCK_PT_CONTIGUOUS	7

static DEFINE_SPINLOCK(mock_hw_lock);
static struct mock_hw *mock_hw_page;

struct mock_hw *mock_hw(void)
{
	return mock_hw_page;
}

struct mock_hw_unit *mock_hw_unit(u32 rid)
{
	return &mock_hw_page->unit[rid / MOCK_PER_UNIT];
}

/* A machine that was switched on, or one that goes on */
static struct page *mock_hw_find(void)
{
	phys_addr_t phys;
	size_t size;

	if (kho_retrieve_subtree(MOCK_HW_SUBTREE, &phys, &size))
		return alloc_page(GFP_KERNEL | __GFP_ZERO);
	/* Another machine altogether */
	if (size != sizeof(struct mock_hw))
		return NULL;
	return kho_restore_pages(phys, 1);
}

int mock_hw_init(void)
{
	struct page *page;
	int ret;

	static_assert(sizeof(struct mock_hw) <= PAGE_SIZE);

	page = mock_hw_find();
	if (!page)
		return -ENOMEM;
	mock_hw_page = page_address(page);

	/* Without KHO it is a machine like any other, and nothing is preserved */
	if (!kho_is_enabled())
		return 0;
	ret = kho_preserve_pages(page, 1);
	if (ret)
		goto err_free;
	ret = kho_add_subtree(MOCK_HW_SUBTREE, mock_hw_page, sizeof(*mock_hw_page));
	if (ret)
		goto err_unpreserve;
	return 0;

err_unpreserve:
	kho_unpreserve_pages(page, 1);
err_free:
	mock_hw_page = NULL;
	__free_page(page);
	return ret;
}

void mock_hw_exit(void)
{
	if (kho_is_enabled()) {
		kho_remove_subtree(mock_hw_page);
		kho_unpreserve_pages(virt_to_page(mock_hw_page), 1);
	}
	free_page((unsigned long)mock_hw_page);
}

static struct mock_hw_entry *mock_hw_entry(u32 rid)
{
	struct mock_hw_entry *table = phys_to_virt(mock_hw_unit(rid)->table);

	return &table[rid];
}

/* What is read for a request, NULL if the device has no table for its PASIDs */
struct mock_hw_slot *mock_hw_slot(u32 rid, u32 pasid)
{
	struct mock_hw_entry *entry = mock_hw_entry(rid);
	struct mock_hw_slot *slots;

	if (!pasid)
		return &entry->slot;
	if (!entry->pasids || pasid >= MOCK_PASIDS)
		return NULL;
	slots = phys_to_virt(entry->pasids);
	return &slots[pasid];
}

/* Of a PASID: there is a table */
void mock_hw_write_slot(u32 rid, u32 pasid, u64 root, u64 id)
{
	struct mock_hw_slot *slot;

	guard(spinlock_irqsave)(&mock_hw_lock);
	slot = mock_hw_slot(rid, pasid);
	slot->id = id;
	slot->root = root;
}

void mock_hw_write_pasids(u32 rid, u64 pasids)
{
	guard(spinlock_irqsave)(&mock_hw_lock);
	mock_hw_entry(rid)->pasids = pasids;
}

/* With @id 0 all of it */
void mock_hw_flush(unsigned int unit, u64 id)
{
	struct mock_hw_tlb *tlb = mock_hw_page->unit[unit].tlb;
	unsigned int i;

	guard(spinlock_irqsave)(&mock_hw_lock);
	for (i = 0; i < MOCK_HW_TLB; i++)
		if (!id || tlb[i].id == id)
			tlb[i].id = 0;
}

void mock_hw_master(u32 rid, bool on)
{
	guard(spinlock_irqsave)(&mock_hw_lock);
	if (on)
		mock_hw_page->masters |= BIT_ULL(rid);
	else
		mock_hw_page->masters &= ~BIT_ULL(rid);
}

/* Where an entry of a page table leads to, 0 if nowhere; @table is the next table */
static u64 mock_hw_leaf(u64 entry, unsigned int level, u64 iova)
{
	unsigned int next = FIELD_GET(MOCK_PT_NEXT_LEVEL, entry);
	u64 frame = FIELD_GET(MOCK_PT_ADDRESS, entry);
	unsigned int lg2 = MOCK_PT_GRANULE_LG2 + MOCK_PT_LEVEL_LG2 * level;
	u64 size;

	/* The length of the ones at the end says how many entries it stands for */
	if (next == MOCK_PT_CONTIGUOUS)
		lg2 = MOCK_PT_GRANULE_LG2 + 1 + ffz(frame);
	size = BIT_ULL(lg2);
	return ((frame << MOCK_PT_GRANULE_LG2) & ~(size - 1)) |
	       (iova & (size - 1));
}

static u64 mock_hw_walk(u64 root, u64 iova)
{
	unsigned int level = FIELD_GET(MOCK_HW_LEVEL, root);
	u64 table = root & MOCK_HW_ROOT, entry;
	unsigned int next, index;

	if (iova >> (MOCK_PT_GRANULE_LG2 + MOCK_PT_LEVEL_LG2 * level))
		return 0;
	while (level--) {
		index = iova >> (MOCK_PT_GRANULE_LG2 + MOCK_PT_LEVEL_LG2 * level);
		index &= BIT(MOCK_PT_LEVEL_LG2) - 1;
		entry = ((u64 *)phys_to_virt(table))[index];
		if (!(entry & MOCK_PT_PRESENT))
			return 0;
		next = FIELD_GET(MOCK_PT_NEXT_LEVEL, entry);
		if (!next || next == MOCK_PT_CONTIGUOUS)
			return mock_hw_leaf(entry, level, iova);
		/* It goes down, whatever lies there */
		if (next > level)
			return 0;
		table = FIELD_GET(MOCK_PT_ADDRESS, entry) << MOCK_PT_GRANULE_LG2;
		level = next;
	}
	return 0;
}

static u64 mock_hw_translate(struct mock_hw_unit *unit,
			     const struct mock_hw_slot *slot, u64 iova)
{
	u64 page = ALIGN_DOWN(iova, PAGE_SIZE);
	struct mock_hw_tlb *tlb = &unit->tlb[(page >> PAGE_SHIFT) % MOCK_HW_TLB];

	if (tlb->id != slot->id || tlb->iova != page) {
		tlb->pa = mock_hw_walk(slot->root, page);
		tlb->iova = page;
		tlb->id = tlb->pa ? slot->id : 0;
	}
	return tlb->pa ? tlb->pa + (iova - page) : 0;
}

/**
 * mock_hw_dma - One access of a device to memory
 * @rid: The device
 * @pasid: Its PASID, or 0
 * @iova: Its address, that of a u64
 * @write: From the device to memory
 * @value: What is written, or was read
 *
 * Return: 0. -EINVAL if a u64 cannot be there. -ENODEV if the device is not plugged in,
 * or no bus master. -EACCES if it is blocked.
 * -EFAULT if nothing is mapped there. -ENXIO if the unit is switched off: then real
 * hardware would have taken the address for a physical one.
 */
int mock_hw_dma(u32 rid, u32 pasid, u64 iova, bool write, u64 *value)
{
	struct mock_hw_unit *unit = mock_hw_unit(rid);
	const struct mock_hw_slot *slot;
	u64 *memory, pa;

	if (!IS_ALIGNED(iova, sizeof(*value)))
		return -EINVAL;

	guard(spinlock_irqsave)(&mock_hw_lock);
	if (!(mock_hw_page->masters & mock_hw_page->present & BIT_ULL(rid)))
		return -ENODEV;
	if (!(unit->control & MOCK_HW_TRANSLATE))
		return -ENXIO;
	slot = mock_hw_slot(rid, pasid);
	if (!slot || !(slot->root & MOCK_HW_PRESENT))
		return -EACCES;
	pa = mock_hw_translate(unit, slot, iova);
	if (!pa)
		return -EFAULT;

	memory = phys_to_virt(pa);
	if (write)
		WRITE_ONCE(*memory, *value);
	else
		*value = READ_ONCE(*memory);
	return 0;
}
