// SPDX-License-Identifier: GPL-2.0
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */

/**
 * DOC: VT-d live update, outgoing
 *
 * A unit that serves a preserved device goes on translating while the kernel
 * is replaced: its root, context, PASID and page tables stay where they are,
 * and the next kernel adopts them there (liveupdate-incoming.c). Translation
 * is never switched off and the root pointer never written in between.
 *
 * Life cycle, each step called by the IOMMU core:
 *
 * 1. unit_preserve: the first device of a unit. The root table, the context
 *    tables in use and the interrupt remapping table are handed to KHO, the
 *    registers recorded. Context tables belong to the unit, since several
 *    devices share one.
 * 2. dev_preserve: the requester ids, the domain id and, in scalable mode, the
 *    PASID directory and its leaf tables of one device.
 * 3. unit_freeze: the registers and the live entry of every preserved device
 *    are compared once more with what an attach would write, and context
 *    tables that have come since are added. The last step that can fail.
 * 4. unit_handover: from syscore shutdown. VTD_FLAG_HANDED_OVER makes every
 *    writer of root, context and PASID entries fail; entries may only be
 *    cleared from then on. All entries that are not preserved are cleared, the
 *    caches flushed, the interrupts of the unit masked. VTD_FLAG_KEPT keeps
 *    intel_iommu_shutdown() from switching translation off.
 *
 * The interrupt remapping table is not touched at all: no entry of a preserved
 * device is left in it (unit_freeze verifies that), and every other entry
 * checks the source id, so a preserved device can raise nothing by writing to
 * the interrupt address range. It stays in force until the next kernel has
 * switched the unit to its own, with remapping on all the time.
 *
 * Not handled: devices with ATS, PRI or PASIDs in use, devices behind a bridge
 * that changes the requester id, real DMA sub-devices, units in the hands of
 * tboot, register based invalidation. They are refused.
 *
 * Locking: the core calls all of these one at a time under its record mutex,
 * unit_handover while all CPUs still run. intel_iommu.lock protects the table
 * entries, VTD_FLAG_HANDED_OVER and intel_liveupdate.rids; nothing that can
 * sleep is called under it. Order: record mutex, did_lock, intel_iommu.lock,
 * q_lock, register_lock.
 */

#define pr_fmt(fmt)	"DMAR: " fmt

#include <linux/bitmap.h>
#include <linux/dmar.h>
#include <linux/pci.h>
#include <linux/pci-ats.h>
#include <linux/slab.h>

#include "iommu.h"
#include "liveupdate.h"
#include "pasid.h"
#include "../iommu-pages.h"

/* The source id of an interrupt entry is a range of buses */
#define IRTE_SVT_VERIFY_BUS	2

/* A preserved device; @dev and @domain cannot go away before unpreserve */
struct intel_liveupdate_device {
	struct list_head link;
	struct device *dev;
	struct dmar_domain *domain;
	struct iommu_attachment_ser *att;
	unsigned int nr_leaves;
};

static struct intel_iommu *to_intel_iommu(struct iommu_device *iommu_dev)
{
	return container_of(iommu_dev, struct intel_iommu, iommu);
}

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
	if (!lu->rids)
		return NULL;
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
	return sm_supported(iommu) ? 2 * INTEL_LIVEUPDATE_NR_ROOTS : INTEL_LIVEUPDATE_NR_ROOTS;
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
	return unit->vtd.context_tables[table / 64] & BIT_ULL(table % 64);
}

static void *context_table(struct intel_iommu *iommu, unsigned int table)
{
	u64 slot = READ_ONCE(*intel_liveupdate_root_slot(iommu, table));

	return slot & 1 ? phys_to_virt(slot & VTD_PAGE_MASK) : NULL;
}

static void unpreserve_contexts(struct intel_iommu *iommu,
				struct iommu_unit_ser *unit)
{
	unsigned int table;

	for (table = 0; table < intel_liveupdate_nr_tables(iommu); table++) {
		if (!intel_liveupdate_table_known(unit, table))
			continue;
		iommu_unpreserve_page(context_table(iommu, table));
		unit->vtd.context_tables[table / 64] &= ~BIT_ULL(table % 64);
	}
}

/*
 * Preserve the context tables that are in use and not yet in the record. A
 * context table is never freed before its unit, so it may be looked up under
 * the lock and handed to KHO, which sleeps, without it. Tables added before a
 * failure stay in the record: they go with the unit.
 */
static int preserve_contexts(struct intel_iommu *iommu,
			     struct iommu_unit_ser *unit)
{
	unsigned int table;
	void *context;
	int ret;

	for (table = 0; table < intel_liveupdate_nr_tables(iommu); table++) {
		if (intel_liveupdate_table_known(unit, table))
			continue;

		spin_lock(&iommu->lock);
		context = context_table(iommu, table);
		spin_unlock(&iommu->lock);
		if (!context)
			continue;

		ret = iommu_preserve_page(context);
		if (ret)
			return ret;
		unit->vtd.context_tables[table / 64] |= BIT_ULL(table % 64);
	}

	return 0;
}

#ifdef CONFIG_IRQ_REMAP
static int preserve_irt(struct intel_iommu *iommu, struct iommu_unit_ser *unit)
{
	void *base;
	int ret;

	if (!iommu->ir_table ||
	    !(readl(iommu->reg + DMAR_GSTS_REG) & DMA_GSTS_IRES))
		return 0;

	base = iommu->ir_table->base;
	ret = iommu_preserve_page(base);
	if (ret)
		return ret;

	unit->vtd.irta = readq(iommu->reg + DMAR_IRTA_REG);
	unit->vtd.irt_pa = virt_to_phys(base);
	unit->vtd.irt_order = folio_order(virt_to_folio(base));
	unit->vtd.flags |= IOMMU_UNIT_VTD_INTREMAP;
	return 0;
}

/* Would the unit take a request from a preserved device for this entry? */
static bool irte_accepts_preserved(const struct irte *irte,
				   const struct intel_liveupdate *lu)
{
	/* Bits of the function number that are not compared, per qualifier */
	static const u16 ignored[] = { 0, 0x4, 0x6, 0x7 };
	unsigned long first, last, rid;

	if (irte->svt == IRTE_SVT_VERIFY_BUS) {
		first = PCI_DEVID(irte->sid >> 8, 0);
		last = PCI_DEVID(irte->sid & 0xff, 0xff);
		return find_next_bit(lu->rids, last + 1, first) <= last;
	}

	for_each_set_bit(rid, lu->rids, INTEL_LIVEUPDATE_NR_RIDS)
		if (!((rid ^ irte->sid) & ~ignored[irte->sq]))
			return true;
	return false;
}

/*
 * No entry of a preserved device may be left, and what is left of others must
 * check who sends: otherwise a DMA write of the device to the interrupt address
 * range would raise a vector in the next kernel.
 */
static int verify_irt(struct intel_iommu *iommu, struct iommu_unit_ser *unit)
{
	struct irte *irte = iommu->ir_table ? iommu->ir_table->base : NULL;
	unsigned int i;

	if (!(unit->vtd.flags & IOMMU_UNIT_VTD_INTREMAP))
		return 0;
	if (readq(iommu->reg + DMAR_IRTA_REG) != unit->vtd.irta)
		return -EINVAL;

	for (i = 0; i < INTR_REMAP_TABLE_ENTRIES; i++) {
		if (!irte[i].present)
			continue;
		if (!irte[i].svt) {
			pr_err_ratelimited("%s: interrupt entry %u does not check its source\n",
					   iommu->name, i);
			return -EINVAL;
		}
		if (irte_accepts_preserved(&irte[i], iommu->lu_outgoing)) {
			pr_err_ratelimited("%s: a preserved device can still raise interrupt entry %u\n",
					   iommu->name, i);
			return -EINVAL;
		}
	}

	return 0;
}
#else
static int preserve_irt(struct intel_iommu *iommu, struct iommu_unit_ser *unit)
{
	return 0;
}

static int verify_irt(struct intel_iommu *iommu, struct iommu_unit_ser *unit)
{
	return 0;
}
#endif

static void unpreserve_irt(struct iommu_unit_ser *unit)
{
	if (unit->vtd.flags & IOMMU_UNIT_VTD_INTREMAP)
		iommu_unpreserve_page(phys_to_virt(unit->vtd.irt_pa));
}

static int unit_supported(struct intel_iommu *iommu)
{
	const char *reason;

	if (iommu->drhd->ignored)
		reason = "unit is ignored";
	else if (!(readl(iommu->reg + DMAR_GSTS_REG) & DMA_GSTS_TES))
		reason = "translation is off";
	else if (iommu->copied_tables)
		reason = "tables were copied from a crashed kernel";
	else if (dmar_policy_force_on())
		reason = "tboot or the platform forces the unit on";
	else if (!iommu->qi)
		reason = "no queued invalidation";
	else
		return 0;

	pr_err_ratelimited("%s: cannot be preserved: %s\n", iommu->name, reason);
	return -EOPNOTSUPP;
}

static int intel_unit_preserve(struct iommu_device *iommu_dev,
			       struct iommu_unit_ser *unit)
{
	struct intel_iommu *iommu = to_intel_iommu(iommu_dev);
	struct intel_liveupdate *lu;
	int ret;

	ret = unit_supported(iommu);
	if (ret)
		return ret;

	lu = intel_liveupdate_alloc();
	if (!lu)
		return -ENOMEM;

	unit->type = IOMMU_UNIT_SER_VTD;
	unit->base = iommu->reg_phys;
	unit->segment = iommu->segment;
	unit->root_pa = virt_to_phys(iommu->root_entry);
	unit->vtd.cap = iommu->cap;
	unit->vtd.ecap = iommu->ecap;
	unit->vtd.rtaddr = readq(iommu->reg + DMAR_RTADDR_REG);
	if (unit->vtd.rtaddr & DMA_RTADDR_SMT)
		unit->vtd.flags |= IOMMU_UNIT_VTD_SCALABLE;

	ret = iommu_preserve_page(iommu->root_entry);
	if (ret)
		goto err_free;
	ret = preserve_contexts(iommu, unit);
	if (ret)
		goto err_contexts;
	ret = preserve_irt(iommu, unit);
	if (ret)
		goto err_contexts;

	iommu->lu_outgoing = lu;
	return 0;

err_contexts:
	unpreserve_contexts(iommu, unit);
	iommu_unpreserve_page(iommu->root_entry);
err_free:
	intel_liveupdate_free(lu);
	return ret;
}

static void intel_unit_unpreserve(struct iommu_device *iommu_dev,
				  struct iommu_unit_ser *unit)
{
	struct intel_iommu *iommu = to_intel_iommu(iommu_dev);

	unpreserve_irt(unit);
	unpreserve_contexts(iommu, unit);
	iommu_unpreserve_page(iommu->root_entry);
	intel_liveupdate_free(iommu->lu_outgoing);
	iommu->lu_outgoing = NULL;
}

/* pci_for_each_dma_alias() callback, collects the requester ids of one device */
static int collect_rid(struct pci_dev *pdev, u16 alias, void *data)
{
	struct iommu_attachment_ser *att = data;
	unsigned int i;

	/* A bridge that sends in the device's name: not the device alone */
	if (pci_dev_id(pdev) != att->rid)
		return -EOPNOTSUPP;
	for (i = 0; i < att->nr_rids; i++)
		if (att->rids[i] == alias)
			return 0;
	if (att->nr_rids == IOMMU_ATTACHMENT_SER_RIDS)
		return -EOPNOTSUPP;

	att->rids[att->nr_rids++] = alias;
	return 0;
}

static int device_supported(struct device *dev, struct dmar_domain *domain)
{
	struct pci_dev *pdev = to_pci_dev(dev);
	const char *reason;

	if (dev_is_real_dma_subdevice(dev))
		reason = "its requester id is not its own";
	else if (pci_ats_supported(pdev))
		reason = "it is capable of ATS";
	else if (pci_pri_supported(pdev))
		reason = "it is capable of page requests";
	else if (dev->iommu->require_direct)
		reason = "it needs direct mappings of reserved memory";
	else if (!intel_domain_is_fs_paging(domain) &&
		 !intel_domain_is_ss_paging(domain))
		reason = "its domain is not a paging domain of this driver";
	else if (domain->nested_parent && !list_empty(&domain->s1_domains))
		reason = "other domains are nested on its domain";
	else
		return 0;

	dev_err_ratelimited(dev, "cannot be preserved: %s\n", reason);
	return -EOPNOTSUPP;
}

static void unpreserve_leaves(struct pasid_dir_entry *dir, unsigned int nr)
{
	struct pasid_entry *leaf;

	for (; nr; dir++) {
		leaf = get_pasid_table_from_pde(dir);
		if (!leaf)
			continue;
		iommu_unpreserve_page(leaf);
		nr--;
	}
}

static unsigned int count_leaves(struct pasid_table *table)
{
	unsigned int i, nr = 0, max_pde = table->max_pasid >> PASID_PDE_SHIFT;
	struct pasid_dir_entry *dir = table->table;

	for (i = 0; i < max_pde; i++)
		nr += pasid_pde_is_present(&dir[i]);
	return nr;
}

/* Leaf tables live as long as the device is bound to the unit */
static int preserve_pasid_table(struct device *dev,
				struct intel_liveupdate_device *ldev)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	struct pasid_table *table = info->pasid_table;
	struct iommu_attachment_ser *att = ldev->att;
	struct pasid_dir_entry *dir = table->table;
	unsigned int i, max_pde = table->max_pasid >> PASID_PDE_SHIFT;
	struct pasid_entry *leaf;
	int ret;

	ret = iommu_preserve_page(dir);
	if (ret)
		return ret;
	for (i = 0; i < max_pde; i++) {
		leaf = get_pasid_table_from_pde(&dir[i]);
		if (!leaf)
			continue;
		ret = iommu_preserve_page(leaf);
		if (ret)
			goto err_leaves;
		ldev->nr_leaves++;
	}

	att->pasid_dir_pa = virt_to_phys(dir);
	att->pasid_dir_order = folio_order(virt_to_folio(dir));
	att->max_pasid = table->max_pasid;
	return 0;

err_leaves:
	unpreserve_leaves(dir, ldev->nr_leaves);
	iommu_unpreserve_page(dir);
	return ret;
}

static void unpreserve_pasid_table(struct intel_liveupdate_device *ldev)
{
	struct pasid_dir_entry *dir;

	if (!ldev->att->pasid_dir_pa)
		return;
	dir = phys_to_virt(ldev->att->pasid_dir_pa);
	unpreserve_leaves(dir, ldev->nr_leaves);
	iommu_unpreserve_page(dir);
}

/**
 * intel_liveupdate_foreign - Does an entry belong to another, kept device?
 * @info: The device that is about to clear the entry
 * @bus: Bus number of the requester id
 * @devfn: Device and function of the requester id
 *
 * A device may share a requester id with one that is preserved or adopted, by
 * a quirk of its function number. It is kept out of that group, and must leave
 * the entry alone when it goes.
 *
 * Context: The caller holds intel_iommu.lock.
 * Return: True if the entry must not be touched.
 */
bool intel_liveupdate_foreign(struct device_domain_info *info, u8 bus, u8 devfn)
{
	struct intel_iommu *iommu = info->iommu;
	u16 rid = PCI_DEVID(bus, devfn);

	if (rid == PCI_DEVID(info->bus, info->devfn))
		return false;
	return intel_liveupdate_incoming(iommu, bus, devfn) ||
	       (iommu->lu_outgoing && test_bit(rid, iommu->lu_outgoing->rids));
}

static bool legacy_entry_matches(struct intel_iommu *iommu,
				 struct dmar_domain *domain, u16 rid)
{
	struct pt_iommu_vtdss_hw_info pt_info;
	struct context_entry want = {}, *live;

	pt_iommu_vtdss_hw_info(&domain->sspt, &pt_info);
	context_set_domain_id(&want, domain_id_iommu(domain, iommu));
	context_set_address_root(&want, pt_info.ssptptr);
	context_set_address_width(&want, pt_info.aw);
	context_set_translation_type(&want, CONTEXT_TT_MULTI_LEVEL);
	context_set_present(&want);

	guard(spinlock)(&iommu->lock);
	live = iommu_context_addr(iommu, PCI_BUS_NUM(rid), rid & 0xff, 0);
	return live && live->lo == want.lo && live->hi == want.hi;
}

/* The context entry must lead to the PASID directory software knows */
static bool scalable_entry_matches(struct intel_iommu *iommu,
				   struct pasid_table *table, u16 rid)
{
	struct context_entry *live;

	guard(spinlock)(&iommu->lock);
	live = iommu_context_addr(iommu, PCI_BUS_NUM(rid), rid & 0xff, 0);
	if (!live || !context_present(live))
		return false;
	/* Device TLB and page requests off, requests without PASID use 0 */
	if (live->lo & (BIT_ULL(2) | BIT_ULL(4)))
		return false;
	return (live->lo & VTD_PAGE_MASK) == virt_to_phys(table->table) &&
	       !(live->hi & GENMASK_ULL(19, 0));
}

/**
 * intel_liveupdate_verify_device - Compare the live entries of a device
 * @dev: The device
 * @domain: The domain it is attached to, or that it is about to be adopted by
 * @att: Its record
 *
 * Nothing is written. The entries are right when they are exactly what an
 * attach of @domain would have written.
 *
 * Context: Takes intel_iommu.lock.
 * Return: 0, or -EINVAL if an entry differs.
 */
int intel_liveupdate_verify_device(struct device *dev,
				   struct dmar_domain *domain,
				   const struct iommu_attachment_ser *att)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	struct intel_iommu *iommu = info->iommu;
	unsigned int i;
	bool match;

	for (i = 0; i < att->nr_rids; i++) {
		if (sm_supported(iommu))
			match = scalable_entry_matches(iommu, info->pasid_table,
						       att->rids[i]);
		else
			match = intel_domain_is_ss_paging(domain) &&
				legacy_entry_matches(iommu, domain,
						     att->rids[i]);
		if (!match)
			goto err_differs;
	}

	if (!sm_supported(iommu) || intel_pasid_entry_matches(iommu, dev, domain))
		return 0;

err_differs:
	dev_err_ratelimited(dev, "live table entry differs from the expected one\n");
	return -EINVAL;
}

static void set_rids(struct intel_iommu *iommu,
		     const struct iommu_attachment_ser *att, bool preserved)
{
	unsigned int i;

	guard(spinlock)(&iommu->lock);
	for (i = 0; i < att->nr_rids; i++)
		__assign_bit(att->rids[i], iommu->lu_outgoing->rids, preserved);
}

static int intel_dev_preserve(struct device *dev, struct iommu_domain *domain,
			      struct iommu_unit_ser *unit,
			      struct iommu_attachment_ser *att)
{
	struct intel_liveupdate_device *ldev __free(kfree) = NULL;
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	struct dmar_domain *dmar_domain = to_dmar_domain(domain);
	struct intel_iommu *iommu = info->iommu;
	struct iommu_domain_ser *dser;
	int ret;

	ret = device_supported(dev, dmar_domain);
	if (ret)
		return ret;
	if (dmar_domain->dirty_tracking)
		return -EBUSY;

	att->rid = PCI_DEVID(info->bus, info->devfn);
	att->rids[0] = att->rid;
	att->nr_rids = 1;
	ret = pci_for_each_dma_alias(to_pci_dev(dev), collect_rid, att);
	if (ret) {
		dev_err_ratelimited(dev, "cannot be preserved: a bridge shares its requester id\n");
		return ret;
	}
	att->hw_id = domain_id_iommu(dmar_domain, iommu);
	/* Part of a first stage PASID entry, which the next kernel compares */
	if (dmar_domain->force_snooping) {
		dser = phys_to_virt(att->domain_pa);
		dser->domain_flags |= IOMMU_DOMAIN_SER_FORCE_SNOOP;
	}
	ret = intel_liveupdate_verify_device(dev, dmar_domain, att);
	if (ret)
		return ret;

	ldev = kzalloc_obj(*ldev);
	if (!ldev)
		return -ENOMEM;
	ldev->dev = dev;
	ldev->domain = dmar_domain;
	ldev->att = att;

	ret = preserve_contexts(iommu, unit);
	if (ret)
		return ret;
	if (sm_supported(iommu)) {
		ret = preserve_pasid_table(dev, ldev);
		if (ret)
			return ret;
	}

	set_rids(iommu, att, true);
	list_add_tail(&no_free_ptr(ldev)->link, &iommu->lu_outgoing->devices);
	return 0;
}

static void intel_dev_unpreserve(struct device *dev, struct iommu_domain *domain,
				 struct iommu_unit_ser *unit,
				 struct iommu_attachment_ser *att)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	struct intel_iommu *iommu = info->iommu;
	struct intel_liveupdate_device *ldev;

	list_for_each_entry(ldev, &iommu->lu_outgoing->devices, link) {
		if (ldev->dev != dev)
			continue;
		list_del(&ldev->link);
		set_rids(iommu, att, false);
		unpreserve_pasid_table(ldev);
		kfree(ldev);
		return;
	}
}

static int verify_registers(struct intel_iommu *iommu,
			    const struct iommu_unit_ser *unit)
{
	if (readq(iommu->reg + DMAR_RTADDR_REG) == unit->vtd.rtaddr &&
	    readl(iommu->reg + DMAR_GSTS_REG) & DMA_GSTS_TES)
		return 0;

	pr_err_ratelimited("%s: root table or translation changed since it was preserved\n",
			   iommu->name);
	return -EINVAL;
}

static int intel_unit_freeze(struct iommu_device *iommu_dev,
			     struct iommu_unit_ser *unit)
{
	struct intel_iommu *iommu = to_intel_iommu(iommu_dev);
	struct intel_liveupdate_device *ldev;
	struct device_domain_info *info;
	int ret;

	ret = verify_registers(iommu, unit);
	if (ret)
		return ret;

	list_for_each_entry(ldev, &iommu->lu_outgoing->devices, link) {
		ret = intel_liveupdate_verify_device(ldev->dev, ldev->domain,
						     ldev->att);
		if (ret)
			return ret;
		info = dev_iommu_priv_get(ldev->dev);
		if (info->pasid_table &&
		    count_leaves(info->pasid_table) != ldev->nr_leaves) {
			dev_err_ratelimited(ldev->dev, "PASID table grew since it was preserved\n");
			return -EBUSY;
		}
	}

	ret = verify_irt(iommu, unit);
	if (ret)
		return ret;

	/* On failure they stay in the record and go with the unit */
	return preserve_contexts(iommu, unit);
}

static void intel_unit_unfreeze(struct iommu_device *iommu_dev,
				struct iommu_unit_ser *unit)
{
	/* Context tables added by freeze stay preserved, like those before */
}

/* Clear what is not preserved in one context table, P first */
static void scrub_context_table(struct intel_iommu *iommu, unsigned int table,
				struct context_entry *context,
				const unsigned long *rids)
{
	unsigned int entries = VTD_PAGE_SIZE / sizeof(*context);
	unsigned int step = sm_supported(iommu) ? 2 : 1;
	unsigned int i;
	u16 rid;

	for (i = 0; i < entries; i += step) {
		rid = table * (entries / step) + i / step;
		if (test_bit(rid, rids))
			continue;
		if (context_present(&context[i])) {
			context_clear_present(&context[i]);
			__iommu_flush_cache(iommu, &context[i],
					    step * sizeof(*context));
		}
		memset(&context[i], 0, step * sizeof(*context));
	}
	__iommu_flush_cache(iommu, context, VTD_PAGE_SIZE);
}

/**
 * intel_liveupdate_scrub - Clear every entry that is not preserved
 * @iommu: The unit
 * @unit: Its record
 * @rids: The requester ids whose entries stay
 *
 * Makes non-present what any other requester id could translate through. A
 * root entry whose context table is not in the record is emptied. The caller
 * flushes the caches afterwards.
 *
 * Context: Takes intel_iommu.lock, cannot fail.
 */
void intel_liveupdate_scrub(struct intel_iommu *iommu,
			    const struct iommu_unit_ser *unit,
			    const unsigned long *rids)
{
	unsigned int table;
	void *context;
	u64 *slot;

	for (table = 0; table < intel_liveupdate_nr_tables(iommu); table++) {
		guard(spinlock)(&iommu->lock);
		context = context_table(iommu, table);
		if (!context)
			continue;
		if (intel_liveupdate_table_known(unit, table)) {
			scrub_context_table(iommu, table, context, rids);
			continue;
		}
		slot = intel_liveupdate_root_slot(iommu, table);
		WRITE_ONCE(*slot, 0);
		__iommu_flush_cache(iommu, slot, sizeof(*slot));
	}
}

/*
 * A device TLB of somebody else that does not answer takes all that is pending
 * with it, then this was not done. Anything else is an error of the queue.
 */
static void flush_sync(struct intel_iommu *iommu, struct qi_desc *desc)
{
	unsigned int tries = 16;
	int ret;

	do {
		ret = qi_submit_sync(iommu, desc, 1, QI_OPT_WAIT_BOUNDED);
	} while (ret == -ETIMEDOUT && --tries);

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

	iommu_flush_write_buffer(iommu);

	desc.qw0 = QI_CC_GRAN(DMA_CCMD_GLOBAL_INVL) | QI_CC_TYPE;
	flush_sync(iommu, &desc);

	if (sm_supported(iommu)) {
		desc.qw0 = QI_PC_GRAN(QI_PC_GLOBAL) | QI_PC_TYPE;
		flush_sync(iommu, &desc);
	}

	qi_desc_iotlb(iommu, 0, 0, 0, DMA_TLB_GLOBAL_FLUSH, &desc);
	flush_sync(iommu, &desc);
}

/* The vectors belong to a kernel that is going away; read back to be sure */
static void mask_unit_interrupts(struct intel_iommu *iommu)
{
	guard(raw_spinlock_irqsave)(&iommu->register_lock);

	writel(DMA_FECTL_IM, iommu->reg + DMAR_FECTL_REG);
	readl(iommu->reg + DMAR_FECTL_REG);
	if (ecap_prs(iommu->ecap)) {
		writel(DMA_PECTL_IM, iommu->reg + DMAR_PECTL_REG);
		readl(iommu->reg + DMAR_PECTL_REG);
	}
	if (ecap_pms(iommu->ecap)) {
		writel(DMA_FECTL_IM, iommu->reg + DMAR_PERFINTRCTL_REG);
		readl(iommu->reg + DMAR_PERFINTRCTL_REG);
	}
}

static void intel_unit_handover(struct iommu_device *iommu_dev,
				struct iommu_unit_ser *unit)
{
	struct intel_iommu *iommu = to_intel_iommu(iommu_dev);

	/* First the flag, so that what is scrubbed stays scrubbed */
	scoped_guard(spinlock, &iommu->lock)
		iommu->flags |= VTD_FLAG_HANDED_OVER;

	intel_liveupdate_scrub(iommu, unit, iommu->lu_outgoing->rids);
	intel_liveupdate_flush_all(iommu);
	mask_unit_interrupts(iommu);
	iommu->flags |= VTD_FLAG_KEPT;
	pr_info("%s: handed over, stays translating for %u device(s)\n",
		iommu->name, unit->nr_devices);
}

const struct iommu_liveupdate_ops intel_iommu_liveupdate_ops = {
	.unit_preserve		= intel_unit_preserve,
	.unit_unpreserve	= intel_unit_unpreserve,
	.dev_preserve		= intel_dev_preserve,
	.dev_unpreserve		= intel_dev_unpreserve,
	.unit_freeze		= intel_unit_freeze,
	.unit_unfreeze		= intel_unit_unfreeze,
	.unit_handover		= intel_unit_handover,
	.domain_restore		= intel_liveupdate_domain_restore,
	.dev_adopt		= intel_liveupdate_dev_adopt,
	.dev_block		= intel_liveupdate_dev_block,
};
