// SPDX-License-Identifier: GPL-2.0
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */

/**
 * DOC: VT-d live update, tables
 *
 * What both kernels do with the tables of a unit: find their way through them,
 * compare the live entries of a device with what an attach would write, as far
 * as it decides where DMA goes, and clear the entries of everybody else.
 *
 * Clearing follows the handshake of the specification ("Guidance to Software
 * for Invalidations"), for the hardware may read an entry in pieces and may
 * have it cached:
 *
 * 1. Every entry that is to go loses its present bit, and nothing but that;
 *    its cache line is flushed for a unit that does not snoop.
 * 2. All caches of the unit are invalidated, once, and completion awaited. The
 *    entries belong to software from then on.
 * 3. The rest of each entry is cleared and flushed, so that all of it is 0.
 *
 * The halves of a root entry are a single word each and go in one step.
 *
 * Locking: as in liveupdate.c.
 */

#define pr_fmt(fmt)	"DMAR: " fmt

#include <kunit/static_stub.h>
#include <kunit/visibility.h>
#include <linux/bitmap.h>
#include <linux/dmar.h>
#include <linux/liveupdate.h>
#include <linux/slab.h>

#include "iommu.h"
#include "liveupdate.h"
#include "pasid.h"

/* Scalable mode context entry: device TLB, page requests */
#define CONTEXT_DTE		BIT_ULL(2)
#define CONTEXT_PRE		BIT_ULL(4)
/* Its second word: the PASID of requests without one */
#define CONTEXT_RID_PASID	GENMASK_ULL(19, 0)

/* Legacy context entry; the last two are in its second word */
#define CONTEXT_P		BIT_ULL(0)
#define CONTEXT_TT		GENMASK_ULL(3, 2)
#define CONTEXT_AW		GENMASK_ULL(2, 0)
#define CONTEXT_DID		GENMASK_ULL(23, 8)

/* PASID entry, one word after the other */
#define PASID_AW		GENMASK_ULL(4, 2)
#define PASID_PGTT_SHIFT	6
#define PASID_PGTT		GENMASK_ULL(8, 6)
#define PASID_DID		GENMASK_ULL(15, 0)
#define PASID_FSPM		GENMASK_ULL(3, 2)

/**
 * intel_liveupdate_alloc - Allocate the live update state of a unit
 *
 * Context: May sleep.
 * Return: The state, or NULL without memory.
 */
struct intel_liveupdate *intel_liveupdate_alloc(void)
{
	struct intel_liveupdate *lu __free(kfree) = kzalloc_obj(*lu);

	if (!lu)
		return NULL;
	lu->rids = bitmap_zalloc(INTEL_LIVEUPDATE_NR_RIDS, GFP_KERNEL);
	lu->tables = bitmap_zalloc(INTEL_LIVEUPDATE_NR_RIDS, GFP_KERNEL);
	if (!lu->rids || !lu->tables) {
		bitmap_free(lu->tables);
		bitmap_free(lu->rids);
		return NULL;
	}
	INIT_LIST_HEAD(&lu->devices);

	return no_free_ptr(lu);
}

/**
 * intel_liveupdate_free - Free the live update state of a unit
 * @lu: What intel_liveupdate_alloc() returned, or NULL
 */
void intel_liveupdate_free(struct intel_liveupdate *lu)
{
	if (!lu)
		return;
	bitmap_free(lu->tables);
	bitmap_free(lu->rids);
	kfree(lu);
}

/**
 * intel_liveupdate_nr_tables - How many context tables a unit can have
 * @iommu: The unit
 *
 * Return: 256 in legacy mode, one a bus; 512 in scalable mode, two a bus.
 */
unsigned int intel_liveupdate_nr_tables(struct intel_iommu *iommu)
{
	return INTEL_LIVEUPDATE_NR_ROOTS * (sm_supported(iommu) ? 2 : 1);
}

/**
 * intel_liveupdate_root_slot - The half of a root entry that names a table
 * @iommu: The unit
 * @table: Number of the context table, below intel_liveupdate_nr_tables()
 *
 * Context: The caller holds intel_iommu.lock, or is alone.
 * Return: Where the context table's address is kept.
 */
u64 *intel_liveupdate_root_slot(struct intel_iommu *iommu, unsigned int table)
{
	struct root_entry *root = iommu->root_entry;

	if (!sm_supported(iommu))
		return &root[table].lo;
	return table & 1 ? &root[table / 2].hi : &root[table / 2].lo;
}

/**
 * intel_liveupdate_table_known - Is a context table named in the record?
 * @unit: The unit's record
 * @table: Number of the context table
 *
 * Return: True if the table was preserved.
 */
bool intel_liveupdate_table_known(const struct iommu_unit_ser *unit,
				  unsigned int table)
{
	return iommu_unit_vtd_const(unit)->context_tables[table / 64] &
	       BIT_ULL(table % 64);
}

/**
 * intel_liveupdate_context_table - Find a context table
 * @iommu: The unit
 * @table: Number of the context table, below intel_liveupdate_nr_tables()
 *
 * Context: The caller holds intel_iommu.lock, or is alone.
 * Return: The table, or NULL if the unit has none there.
 */
void *intel_liveupdate_context_table(struct intel_iommu *iommu,
				     unsigned int table)
{
	u64 slot = READ_ONCE(*intel_liveupdate_root_slot(iommu, table));

	return slot & 1 ? phys_to_virt(slot & VTD_PAGE_MASK) : NULL;
}

/**
 * intel_liveupdate_context_differs - Compare what matters of a context entry
 * @live: The entry that hardware uses, of a unit in legacy mode
 * @want: The entry that an attach would write
 *
 * What decides where DMA goes has to agree: present, translation type, address
 * width, root and domain id. The other bits are those of the kernel that wrote
 * the entry, and stay as they are until it is replaced.
 *
 * Context: Any.
 * Return: Name of the field that differs, or NULL.
 */
VISIBLE_IF_KUNIT const char *
intel_liveupdate_context_differs(const struct context_entry *live,
				 const struct context_entry *want)
{
	u64 lo = live->lo ^ want->lo, hi = live->hi ^ want->hi;

	if (lo & CONTEXT_P)
		return "present bit";
	if (lo & CONTEXT_TT)
		return "translation type";
	if (hi & CONTEXT_AW)
		return "address width";
	if (lo & VTD_PAGE_MASK)
		return "page table";
	if (hi & CONTEXT_DID)
		return "domain id";
	return NULL;
}

/**
 * intel_liveupdate_pasid_differs - Compare what matters of a PASID entry
 * @live: The entry that hardware uses
 * @want: The entry that an attach would write, of first or second stage
 *
 * As intel_liveupdate_context_differs(). A first stage entry has its depth in
 * the paging mode, a second stage entry in the address width.
 *
 * Context: Any.
 * Return: Name of the field that differs, or NULL.
 */
VISIBLE_IF_KUNIT const char *
intel_liveupdate_pasid_differs(const struct pasid_entry *live,
			       const struct pasid_entry *want)
{
	u64 lo = live->val[0] ^ want->val[0];
	u64 fs = live->val[2] ^ want->val[2];
	bool first_stage;

	first_stage = (want->val[0] & PASID_PGTT) >> PASID_PGTT_SHIFT ==
		      PASID_ENTRY_PGTT_FL_ONLY;
	if (lo & PASID_PTE_PRESENT)
		return "present bit";
	if (lo & PASID_PGTT)
		return "translation type";
	if (!first_stage && lo & PASID_AW)
		return "address width";
	if (first_stage && fs & PASID_FSPM)
		return "paging mode";
	if ((first_stage ? fs : lo) & VTD_PAGE_MASK)
		return "page table";
	if ((live->val[1] ^ want->val[1]) & PASID_DID)
		return "domain id";
	return NULL;
}

static const char *legacy_entry_differs(struct intel_iommu *iommu,
					struct dmar_domain *domain, u16 rid)
{
	struct pt_iommu_vtdss_hw_info pt_info;
	struct context_entry want = {}, *live;

	if (!intel_domain_is_ss_paging(domain))
		return "kind of page table";

	pt_iommu_vtdss_hw_info(&domain->sspt, &pt_info);
	context_set_domain_id(&want, domain_id_iommu(domain, iommu));
	context_set_address_root(&want, pt_info.ssptptr);
	context_set_address_width(&want, pt_info.aw);
	context_set_translation_type(&want, CONTEXT_TT_MULTI_LEVEL);
	context_set_present(&want);

	guard(spinlock)(&iommu->lock);
	live = iommu_context_addr(iommu, PCI_BUS_NUM(rid), rid & 0xff, 0);
	return live ? intel_liveupdate_context_differs(live, &want) :
		      "context table";
}

/* The context entry must lead to the PASID directory software knows */
static const char *scalable_entry_differs(struct intel_iommu *iommu,
					  struct pasid_table *table, u16 rid)
{
	struct context_entry *live;

	if (!table)
		return "PASID table";

	guard(spinlock)(&iommu->lock);
	live = iommu_context_addr(iommu, PCI_BUS_NUM(rid), rid & 0xff, 0);
	if (!live || !context_present(live))
		return "present bit";
	/* Hardware must not look beyond the directory that was preserved */
	if (get_pasid_dir_size(live) > table->max_pasid >> PASID_PDE_SHIFT)
		return "size of the PASID directory";
	if ((live->lo & VTD_PAGE_MASK) != virt_to_phys(table->table))
		return "PASID directory";
	if (live->lo & (CONTEXT_DTE | CONTEXT_PRE))
		return "use of ATS or page requests";
	if (live->hi & CONTEXT_RID_PASID)
		return "PASID of requests without one";
	return NULL;
}

/* Requests with a PASID would go through tables that nobody has preserved */
static bool sole_pasid_entry(const struct pasid_table *table)
{
	struct pasid_dir_entry *dir = table->table;
	unsigned int i, j, nr = 0;
	struct pasid_entry *leaf;

	for (i = 0; i < table->max_pasid >> PASID_PDE_SHIFT; i++) {
		leaf = get_pasid_table_from_pde(&dir[i]);
		for (j = 0; leaf && j < PASID_TBL_ENTRIES; j++)
			nr += pasid_pte_is_present(&leaf[j]);
	}
	return nr == 1;
}

static const char *pasid_entry_differs(struct intel_iommu *iommu,
				       struct pasid_table *table,
				       struct dmar_domain *domain)
{
	struct pasid_entry want = {}, *live;

	live = get_pasid_table_from_pde(table->table);
	if (!live || !sole_pasid_entry(table))
		return "set of PASID entries";

	guard(spinlock)(&iommu->lock);
	if (intel_pasid_config_paging(iommu, &want, domain))
		return "depth of the page table";
	return intel_liveupdate_pasid_differs(live, &want);
}

/**
 * intel_liveupdate_verify_device - Compare the live entries of a device
 * @dev: The device
 * @domain: The domain it is attached to, or that it is about to be adopted by
 * @devrec: Its record
 *
 * Nothing is written. The entries are right when they translate as those would
 * that an attach of @domain would write.
 *
 * Context: Takes intel_iommu.lock.
 * Return: 0, or -EINVAL if an entry differs.
 */
int intel_liveupdate_verify_device(struct device *dev,
				   struct dmar_domain *domain,
				   const struct iommu_device_ser *devrec)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	struct intel_iommu *iommu = info->iommu;
	const char *differs = NULL;
	unsigned int i;

	for (i = 0; i < devrec->nr_ids && !differs; i++)
		differs = sm_supported(iommu) ?
			  scalable_entry_differs(iommu, info->pasid_table,
						 devrec->ids[i]) :
			  legacy_entry_differs(iommu, domain, devrec->ids[i]);
	if (!differs && sm_supported(iommu))
		differs = pasid_entry_differs(iommu, info->pasid_table, domain);
	if (!differs)
		return 0;

	liveupdate_dev_err(dev, "live table entry differs from the expected one: %s\n",
			   differs);
	return -EINVAL;
}

/*
 * None of these is for a device TLB, so what fails is the queue. Old and next
 * kernel panic alike, the next one at boot or when a device is blocked: in both
 * the caller cannot fail.
 */
static void flush_sync(struct intel_iommu *iommu, struct qi_desc *desc,
		       unsigned int nr, unsigned long options)
{
	int ret = qi_submit_sync(iommu, desc, nr,
				 options | QI_OPT_WAIT_BOUNDED);

	if (ret)
		panic("%s: translation caches cannot be flushed: %d\n",
		      iommu->name, ret);
}

/**
 * intel_liveupdate_flush_all - Flush every translation cache of a unit
 * @iommu: The unit, with queued invalidation on
 *
 * Context cache, PASID cache in scalable mode, IOTLB, one after the other as
 * hardware may fill a later cache from an earlier one. Preserved devices walk
 * their tables again, which is harmless.
 *
 * Context: Any context in which the queue may be used, all CPUs running. The
 * waits are bounded; a queue that does not answer panics, since going on would
 * leave translations into memory that gets another use.
 */
void intel_liveupdate_flush_all(struct intel_iommu *iommu)
{
	struct qi_desc desc = {};

	KUNIT_STATIC_STUB_REDIRECT(intel_liveupdate_flush_all, iommu);

	iommu_flush_write_buffer(iommu);

	desc.qw0 = QI_CC_GRAN(DMA_CCMD_GLOBAL_INVL) | QI_CC_TYPE;
	flush_sync(iommu, &desc, 1, 0);

	if (sm_supported(iommu)) {
		desc.qw0 = QI_PC_GRAN(QI_PC_GLOBAL) | QI_PC_TYPE;
		flush_sync(iommu, &desc, 1, 0);
	}

	qi_desc_iotlb(iommu, 0, 0, 0, DMA_TLB_GLOBAL_FLUSH, &desc);
	flush_sync(iommu, &desc, 1, 0);
}

/* Does hardware translate everything the entry leads to under one id? */
static bool has_one_did(struct intel_iommu *iommu,
			struct context_entry *context, u16 *did)
{
	struct pasid_table table = {};
	struct pasid_entry *entry;

	if (!sm_supported(iommu)) {
		*did = context_domain_id(context);
		return true;
	}

	table.table = phys_to_virt(context->lo & VTD_PAGE_MASK);
	table.max_pasid = get_pasid_dir_size(context) << PASID_PDE_SHIFT;
	entry = get_pasid_table_from_pde(table.table);
	if (!entry || !pasid_pte_is_present(entry) || !sole_pasid_entry(&table))
		return false;
	*did = pasid_get_domain_id(entry);
	return true;
}

/**
 * intel_liveupdate_flush_entry - Flush what is cached of one context entry
 * @iommu: The unit, with queued invalidation on
 * @rid: Requester id of the entry
 * @context: The entry, no longer present, otherwise as it was while in use; what
 *	     it leads to lies in memory that was adopted
 *
 * The same order as in intel_liveupdate_flush_all(), but only what the entry's
 * own domain id covers, so that others keep what is cached for them. An entry
 * that leads to more than one id makes it a flush of everything.
 *
 * Context: As intel_liveupdate_flush_all().
 */
void intel_liveupdate_flush_entry(struct intel_iommu *iommu, u16 rid,
				  struct context_entry *context)
{
	struct qi_desc desc = {};
	u16 did;

	KUNIT_STATIC_STUB_REDIRECT(intel_liveupdate_flush_entry, iommu, rid,
				   context);

	if (!has_one_did(iommu, context, &did)) {
		intel_liveupdate_flush_all(iommu);
		return;
	}

	iommu_flush_write_buffer(iommu);

	desc.qw0 = QI_CC_FM(DMA_CCMD_MASK_NOBIT) | QI_CC_SID(rid) |
		   QI_CC_DID(did) | QI_CC_GRAN(DMA_CCMD_DEVICE_INVL) |
		   QI_CC_TYPE;
	flush_sync(iommu, &desc, 1, 0);

	if (sm_supported(iommu)) {
		desc.qw0 = QI_PC_DID(did) | QI_PC_GRAN(QI_PC_ALL_PASIDS) |
			   QI_PC_TYPE;
		flush_sync(iommu, &desc, 1, 0);
		qi_desc_piotlb_all(did, IOMMU_NO_PASID, &desc);
		flush_sync(iommu, &desc, 1, 0);
	}

	memset(&desc, 0, sizeof(desc));
	qi_desc_iotlb(iommu, did, 0, 0, DMA_TLB_DSI_FLUSH, &desc);
	flush_sync(iommu, &desc, 1, 0);
}

/**
 * intel_liveupdate_flush_iec - Flush every cached interrupt entry of a unit
 * @iommu: The unit, with queued invalidation on
 *
 * Context: As intel_liveupdate_flush_all().
 */
void intel_liveupdate_flush_iec(struct intel_iommu *iommu)
{
	struct qi_desc desc = { .qw0 = QI_IEC_TYPE };

	KUNIT_STATIC_STUB_REDIRECT(intel_liveupdate_flush_iec, iommu);

	flush_sync(iommu, &desc, 1, 0);
}

/**
 * intel_liveupdate_drain_prq - Wait for page requests that are on their way
 * @iommu: The unit, with queued invalidation on, its entries scrubbed
 *
 * No entry is left that allows page requests: those of others are gone, and a
 * preserved one never does. The page-request queue has no off switch, but once
 * it is drained nothing writes into it any more.
 *
 * Context: As intel_liveupdate_flush_all().
 */
void intel_liveupdate_drain_prq(struct intel_iommu *iommu)
{
	struct qi_desc desc = {};

	if (ecap_prs(iommu->ecap) && ecap_pds(iommu->ecap))
		flush_sync(iommu, &desc, 0, QI_OPT_WAIT_DRAIN);
}

/**
 * intel_liveupdate_write - Write a word of a table that hardware may read
 * @slot: The word
 * @val: What to write
 *
 * Words are seen in the order in which they are written. KUnit writes that down.
 *
 * Context: Any.
 */
void intel_liveupdate_write(u64 *slot, u64 val)
{
	KUNIT_STATIC_STUB_REDIRECT(intel_liveupdate_write, slot, val);

	WRITE_ONCE(*slot, val);
	dma_wmb();
}

/**
 * intel_liveupdate_flush_cache - Let a unit that does not snoop see a table
 * @iommu: The unit
 * @addr: What was written
 * @size: Bytes
 *
 * Context: Any.
 */
void intel_liveupdate_flush_cache(struct intel_iommu *iommu, void *addr,
				  int size)
{
	KUNIT_STATIC_STUB_REDIRECT(intel_liveupdate_flush_cache, iommu, addr,
				   size);

	__iommu_flush_cache(iommu, addr, size);
}

/* Words of a context entry */
static unsigned int entry_words(struct intel_iommu *iommu)
{
	unsigned int nr = sizeof(struct context_entry) / sizeof(u64);

	return sm_supported(iommu) ? 2 * nr : nr;
}

/**
 * intel_liveupdate_clear_present - First step of clearing a context entry
 * @iommu: The unit
 * @context: The entry
 *
 * The caches have to be flushed before intel_liveupdate_clear_rest().
 *
 * Context: The caller holds intel_iommu.lock.
 */
void intel_liveupdate_clear_present(struct intel_iommu *iommu,
				    struct context_entry *context)
{
	if (!context_present(context))
		return;

	intel_liveupdate_write(&context->lo, context->lo & ~1ULL);
	intel_liveupdate_flush_cache(iommu, &context->lo, sizeof(u64));
}

/**
 * intel_liveupdate_clear_rest - Last step of clearing a context entry
 * @iommu: The unit
 * @context: The entry, not present, and cached nowhere
 *
 * Context: Nobody makes the entry present meanwhile.
 */
void intel_liveupdate_clear_rest(struct intel_iommu *iommu,
				 struct context_entry *context)
{
	unsigned int i, nr = entry_words(iommu);
	u64 *word = &context->lo;

	if (!memchr_inv(word, 0, nr * sizeof(*word)))
		return;

	for (i = 0; i < nr; i++)
		intel_liveupdate_write(&word[i], 0);
	intel_liveupdate_flush_cache(iommu, word, nr * sizeof(*word));
}

/* Do one of the two steps for all entries of a table that are not preserved */
static void scrub_table(struct intel_iommu *iommu, unsigned int table,
			const unsigned long *rids,
			void (*step)(struct intel_iommu *iommu,
				     struct context_entry *context))
{
	unsigned int words = entry_words(iommu), i, entries;
	u64 *context = intel_liveupdate_context_table(iommu, table);

	entries = VTD_PAGE_SIZE / (words * sizeof(*context));
	for (i = 0; i < entries; i++, context += words)
		if (!test_bit(table * entries + i, rids))
			step(iommu, (struct context_entry *)context);
}

static void scrub_present(struct intel_iommu *iommu,
			  const struct iommu_unit_ser *unit,
			  const unsigned long *rids)
{
	unsigned int table;
	u64 *slot;

	for (table = 0; table < intel_liveupdate_nr_tables(iommu); table++) {
		guard(spinlock)(&iommu->lock);
		if (!intel_liveupdate_context_table(iommu, table))
			continue;
		if (intel_liveupdate_table_known(unit, table)) {
			scrub_table(iommu, table, rids,
				    intel_liveupdate_clear_present);
			continue;
		}
		slot = intel_liveupdate_root_slot(iommu, table);
		intel_liveupdate_write(slot, 0);
		intel_liveupdate_flush_cache(iommu, slot, sizeof(*slot));
	}
}

static void scrub_rest(struct intel_iommu *iommu,
		       const struct iommu_unit_ser *unit,
		       const unsigned long *rids)
{
	unsigned int table;

	for (table = 0; table < intel_liveupdate_nr_tables(iommu); table++) {
		guard(spinlock)(&iommu->lock);
		if (intel_liveupdate_context_table(iommu, table))
			scrub_table(iommu, table, rids,
				    intel_liveupdate_clear_rest);
	}
}

/**
 * intel_liveupdate_scrub - Clear every entry that is not preserved
 * @iommu: The unit
 * @unit: Its record
 * @rids: The requester ids whose entries stay
 *
 * Makes non-present what any other requester id could translate through, and
 * flushes all caches of the unit. A root entry whose context table is not in
 * the record is emptied.
 *
 * Context: Takes intel_iommu.lock, cannot fail. No entry becomes present any
 * more, because the unit was handed over, or not yet because it was not put in
 * use. For the flush see intel_liveupdate_flush_all().
 */
void intel_liveupdate_scrub(struct intel_iommu *iommu,
			    const struct iommu_unit_ser *unit,
			    const unsigned long *rids)
{
	scrub_present(iommu, unit, rids);
	intel_liveupdate_flush_all(iommu);
	scrub_rest(iommu, unit, rids);
}
