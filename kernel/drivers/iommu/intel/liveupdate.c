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
 * 2. dev_preserve: the requester ids and, in scalable mode, the PASID directory
 *    and its leaf tables of one device. att_preserve: its domain id, and that its
 *    live entry is what an attach would write.
 * 3. unit_freeze: the registers and the live entry of every preserved device
 *    are compared once more with what an attach would write, and context
 *    tables that have come since are added. The last step that can fail.
 * 4. unit_handover: from syscore shutdown. IOMMU_KEPT_HANDED_OVER makes every
 *    writer of root, context and PASID entries fail; entries may only be
 *    cleared from then on. All entries that are not preserved are cleared, the
 *    caches flushed (liveupdate-tables.c), the interrupts of the unit masked.
 *    It keeps intel_iommu_shutdown() from switching translation off. CPUs that
 *    run until then may still submit invalidations, but each waits for them with
 *    interrupts off, so it cannot be stopped before hardware has written their
 *    status into memory of this kernel. Those for the TLB of a device are left
 *    out from then on, see qi_submit_sync().
 *
 * In the interrupt remapping table no entry of a preserved device is left
 * (unit_freeze verifies that), and every other entry checks the source id, so a
 * preserved device can raise nothing by writing to the interrupt address range.
 * The table stays in force until the next kernel has switched the unit to its
 * own, with remapping on all the time. An entry that raises a vector is left as
 * it is. One that posts makes hardware write into a descriptor in memory of this
 * kernel, so unit_handover clears all of these, and modify_irte() makes no new
 * one.
 *
 * Not handled: devices with ATS, PRI or PASIDs in use, devices behind a bridge
 * that changes the requester id, real DMA sub-devices, units in the hands of
 * tboot, units that are not in the DMAR table, so that the next kernel would not
 * know them, register based invalidation. They are refused. A device next to a
 * preserved one that uses reserved memory of the firmware's (RMRR) is blocked
 * like all others, until the next kernel probes it; unit_preserve names it.
 *
 * Locking: the core calls all of these one at a time under its record mutex,
 * unit_handover while all CPUs still run. intel_iommu.lock protects the table
 * entries, IOMMU_KEPT_HANDED_OVER and intel_liveupdate.rids; nothing that can
 * sleep is called under it. irq_2_ir_lock protects the interrupt entries. Order:
 * record mutex, did_lock, intel_iommu.lock or irq_2_ir_lock, q_lock,
 * register_lock.
 */

#define pr_fmt(fmt)	"DMAR: " fmt

#include <kunit/visibility.h>
#include <linux/bitmap.h>
#include <linux/dmar.h>
#include <linux/liveupdate.h>
#include <linux/pci.h>
#include <linux/pci-ats.h>
#include <linux/slab.h>
#include <asm/irq_remapping.h>

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
	/* Set by att_preserve */
	struct dmar_domain *domain;
	struct iommu_device_ser *devrec;
	unsigned int nr_leaves;
};

static void unpreserve_contexts(struct intel_iommu *iommu,
				struct iommu_unit_ser *unit)
{
	unsigned int table;

	for (table = 0; table < intel_liveupdate_nr_tables(iommu); table++) {
		if (!intel_liveupdate_table_known(unit, table))
			continue;
		iommu_unpreserve_page(intel_liveupdate_context_table(iommu,
								     table));
		iommu_unit_vtd(unit)->context_tables[table / 64] &=
			~BIT_ULL(table % 64);
	}
}

/*
 * Preserve the context tables that are in use and not yet in the record. A
 * context table is never freed before its unit, so it may be looked up under
 * the lock and handed to KHO, which sleeps, without it. Tables added before a
 * failure stay in the record.
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
		context = intel_liveupdate_context_table(iommu, table);
		spin_unlock(&iommu->lock);
		if (!context)
			continue;

		ret = iommu_preserve_page(context);
		if (ret)
			return ret;
		iommu_unit_vtd(unit)->context_tables[table / 64] |=
			BIT_ULL(table % 64);
	}

	return 0;
}

#ifdef CONFIG_IRQ_REMAP
static int preserve_irt(struct intel_iommu *iommu, struct iommu_unit_ser *unit)
{
	if (!iommu->ir_table ||
	    !(readl(iommu->reg + DMAR_GSTS_REG) & DMA_GSTS_IRES))
		return 0;

	iommu_unit_vtd(unit)->irta = readq(iommu->reg + DMAR_IRTA_REG);
	return iommu_liveupdate_preserve_table(unit, IOMMU_TABLE_VTD_IRT,
					       iommu->ir_table->base, 0);
}

/**
 * intel_liveupdate_irte_accepts - Does an interrupt entry take a device's request?
 * @irte: The entry, which checks its source
 * @rids: Requester ids of the devices in question
 *
 * Context: Any.
 * Return: True if it does for at least one of them.
 */
VISIBLE_IF_KUNIT bool
intel_liveupdate_irte_accepts(const struct irte *irte, const unsigned long *rids)
{
	/* Bits of the function number that are not compared, per qualifier */
	static const u16 ignored[] = { 0, 0x4, 0x6, 0x7 };
	unsigned long first, last;
	u16 function;

	if (irte->svt == IRTE_SVT_VERIFY_BUS) {
		first = PCI_DEVID(irte->sid >> 8, 0);
		last = PCI_DEVID(irte->sid & 0xff, 0xff);
		return find_next_bit(rids, last + 1, first) <= last;
	}

	for (function = 0; function <= PCI_FUNC(~0); function++)
		if (!((function ^ PCI_FUNC(irte->sid)) & ~ignored[irte->sq]) &&
		    test_bit((irte->sid & ~PCI_FUNC(~0)) | function, rids))
			return true;
	return false;
}

/* Writers of an entry write it in pieces, under the lock */
static struct irte read_irte(const struct irte *irte)
{
	guard(raw_spinlock_irqsave)(&irq_2_ir_lock);
	return *irte;
}

/*
 * No entry of a preserved device may be left, and what is left of others must
 * check who sends: otherwise a DMA write of the device to the interrupt address
 * range would raise a vector in the next kernel. Requests in the format that
 * passes by the table must be blocked for the same reason.
 */
static int verify_irt(struct intel_iommu *iommu, struct iommu_unit_ser *unit)
{
	struct irte *table = iommu->ir_table ? iommu->ir_table->base : NULL;
	struct irte irte;
	unsigned int i;

	if (!unit->tables[IOMMU_UNIT_VTD_IRT].pa)
		return 0;
	if (readq(iommu->reg + DMAR_IRTA_REG) != iommu_unit_vtd(unit)->irta ||
	    readl(iommu->reg + DMAR_GSTS_REG) & DMA_GSTS_CFIS) {
		liveupdate_refuse_err("%s: interrupt remapping changed since it was preserved\n",
				      iommu->name);
		return -EINVAL;
	}

	for (i = 0; i < INTR_REMAP_TABLE_ENTRIES; i++) {
		if (!table[i].present)
			continue;
		irte = read_irte(&table[i]);
		if (!irte.present)
			continue;
		if (!irte.svt) {
			liveupdate_refuse_err("%s: interrupt entry %u does not check its source\n",
					      iommu->name, i);
			return -EINVAL;
		}
		if (intel_liveupdate_irte_accepts(&irte, iommu->lu_outgoing->rids)) {
			liveupdate_refuse_err("%s: a preserved device can still raise interrupt entry %u\n",
					      iommu->name, i);
			return -EINVAL;
		}
	}

	return 0;
}

static void clear_irte(struct intel_iommu *iommu, struct irte *irte)
{
	/* The present bit is in the first word, so nothing is read in between */
	intel_liveupdate_write(&irte->low, 0);
	intel_liveupdate_write(&irte->high, 0);
	intel_liveupdate_flush_cache(iommu, irte, sizeof(*irte));
}

/**
 * intel_liveupdate_stop_posting - Clear the interrupt entries that post
 * @iommu: The unit, handed over
 *
 * A posted entry leads to a descriptor in memory of this kernel, which hardware
 * writes at each interrupt. Its device is not preserved, and is not heard any
 * more.
 *
 * Context: Takes irq_2_ir_lock. Cannot fail: for the flush see
 * intel_liveupdate_flush_all(). modify_irte() makes no new one.
 */
VISIBLE_IF_KUNIT void intel_liveupdate_stop_posting(struct intel_iommu *iommu)
{
	struct irte *table = iommu->ir_table ? iommu->ir_table->base : NULL;
	bool found = false;
	unsigned int i;

	scoped_guard(raw_spinlock_irqsave, &irq_2_ir_lock)
		for (i = 0; table && i < INTR_REMAP_TABLE_ENTRIES; i++) {
			if (!table[i].present || !table[i].pst)
				continue;
			clear_irte(iommu, &table[i]);
			found = true;
		}
	if (found)
		intel_liveupdate_flush_iec(iommu);
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

static void intel_liveupdate_stop_posting(struct intel_iommu *iommu)
{
}
#endif

/**
 * intel_liveupdate_unit_supported - Can a unit be preserved?
 * @iommu: The unit
 *
 * Context: Any.
 * Return: 0, or -EOPNOTSUPP; one line says why.
 */
VISIBLE_IF_KUNIT int intel_liveupdate_unit_supported(struct intel_iommu *iommu)
{
	const char *reason;

	if (iommu->drhd->ignored)
		reason = "unit is ignored";
	else if (iommu->drhd->hot_added)
		reason = "unit was hot-added, the next kernel would not find it";
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

	liveupdate_refuse_err("%s: cannot be preserved: %s\n", iommu->name, reason);
	return -EOPNOTSUPP;
}

static void fill_unit(struct intel_iommu *iommu, struct iommu_unit_ser *unit)
{
	struct iommu_unit_vtd_ser *vtd = iommu_unit_vtd(unit);

	unit->base_kind = IOMMU_UNIT_SER_BASE_MMIO;
	unit->base = iommu->reg_phys;
	unit->segment = iommu->segment;
	unit->driver_length = sizeof(*vtd);
	vtd->cap = iommu->cap;
	vtd->ecap = iommu->ecap;
	vtd->rtaddr = readq(iommu->reg + DMAR_RTADDR_REG);
	if (vtd->rtaddr & DMA_RTADDR_SMT)
		vtd->flags |= IOMMU_UNIT_VTD_SCALABLE;
}

static int intel_unit_preserve(struct iommu_device *iommu_dev,
			       struct iommu_unit_ser *unit)
{
	struct intel_iommu *iommu = to_intel_iommu(iommu_dev);
	struct intel_liveupdate *lu;
	int ret;

	ret = intel_liveupdate_unit_supported(iommu);
	if (ret)
		return ret;

	lu = intel_liveupdate_alloc();
	if (!lu)
		return -ENOMEM;

	fill_unit(iommu, unit);
	ret = iommu_liveupdate_preserve_table(unit, IOMMU_TABLE_VTD_ROOT,
					      iommu->root_entry, 0);
	if (ret)
		goto err_free;
	ret = preserve_irt(iommu, unit);
	if (ret)
		goto err_free;
	ret = preserve_contexts(iommu, unit);
	if (ret)
		goto err_contexts;

	scoped_guard(spinlock, &iommu->lock)
		iommu->lu_outgoing = lu;
	intel_iommu_warn_rmrr(iommu);
	return 0;

err_contexts:
	unpreserve_contexts(iommu, unit);
err_free:
	intel_liveupdate_free(lu);
	return ret;
}

static void intel_unit_unpreserve(struct iommu_device *iommu_dev,
				  struct iommu_unit_ser *unit)
{
	struct intel_iommu *iommu = to_intel_iommu(iommu_dev);
	struct intel_liveupdate *lu = iommu->lu_outgoing;

	/* intel_liveupdate_foreign() looks at it at any time */
	scoped_guard(spinlock, &iommu->lock)
		iommu->lu_outgoing = NULL;

	unpreserve_contexts(iommu, unit);
	intel_liveupdate_free(lu);
}

/* pci_for_each_dma_alias() callback, collects the requester ids of one device */
static int collect_rid(struct pci_dev *pdev, u16 alias, void *data)
{
	struct iommu_device_ser *devrec = data;
	unsigned int i;

	/* A bridge that sends in the device's name: not the device alone */
	if (pci_dev_id(pdev) != devrec->rid)
		return -EOPNOTSUPP;
	for (i = 0; i < devrec->nr_ids; i++)
		if (devrec->ids[i] == alias)
			return 0;
	if (devrec->nr_ids == IOMMU_DEVICE_SER_IDS)
		return -EOPNOTSUPP;

	devrec->ids[devrec->nr_ids++] = alias;
	return 0;
}

/**
 * intel_liveupdate_collect_rids - Find all requester ids of a device
 * @dev: The device
 * @devrec: Its record, in which rid, ids and nr_ids are written
 *
 * The device's own id is the first.
 *
 * Context: Any.
 * Return: 0, or -EOPNOTSUPP if a bridge takes part, or if they are too many.
 */
int intel_liveupdate_collect_rids(struct device *dev,
				  struct iommu_device_ser *devrec)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);

	devrec->rid = PCI_DEVID(info->bus, info->devfn);
	devrec->ids[0] = devrec->rid;
	devrec->nr_ids = 1;
	return pci_for_each_dma_alias(to_pci_dev(dev), collect_rid, devrec);
}

static int refuse_device(struct device *dev, const char *reason)
{
	if (!reason)
		return 0;
	liveupdate_dev_err(dev, "cannot be preserved: %s\n", reason);
	return -EOPNOTSUPP;
}

static const char *device_unsupported(struct device *dev)
{
	struct pci_dev *pdev = to_pci_dev(dev);

	if (dev_is_real_dma_subdevice(dev))
		return "its requester id is not its own";
	if (pci_ats_supported(pdev))
		return "it is capable of ATS";
	if (pci_pri_supported(pdev))
		return "it is capable of page requests";
	if (dev->iommu->require_direct)
		return "it needs direct mappings of reserved memory";
	return NULL;
}

static const char *domain_unsupported(struct dmar_domain *domain)
{
	if (!intel_domain_is_fs_paging(domain) &&
	    !intel_domain_is_ss_paging(domain))
		return "its domain is not a paging domain of this driver";
	if (domain->nested_parent && !list_empty(&domain->s1_domains))
		return "other domains are nested on its domain";
	return NULL;
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

/**
 * intel_liveupdate_count_leaves - Count the leaf tables of a PASID table
 * @table: The PASID table
 *
 * Return: How many there are.
 */
unsigned int intel_liveupdate_count_leaves(struct pasid_table *table)
{
	unsigned int i, nr = 0, max_pde = table->max_pasid >> PASID_PDE_SHIFT;
	struct pasid_dir_entry *dir = table->table;

	for (i = 0; i < max_pde; i++)
		nr += pasid_pde_is_present(&dir[i]);
	return nr;
}

/* Leaf tables live as long as the device is bound to the unit */
VISIBLE_IF_KUNIT int
intel_liveupdate_preserve_pasid_table(struct pasid_table *table,
				      struct iommu_device_ser *devrec,
				      unsigned int *nr_leaves)
{
	unsigned int i, nr = 0, max_pde = table->max_pasid >> PASID_PDE_SHIFT;
	struct pasid_dir_entry *dir = table->table;
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
		nr++;
	}

	devrec->table.pa = virt_to_phys(dir);
	devrec->table.order = folio_order(virt_to_folio(dir));
	devrec->table.kind = IOMMU_TABLE_VTD_PASID_DIR;
	devrec->max_pasid = table->max_pasid;
	*nr_leaves = nr;
	return 0;

err_leaves:
	unpreserve_leaves(dir, nr);
	iommu_unpreserve_page(dir);
	return ret;
}

VISIBLE_IF_KUNIT void
intel_liveupdate_unpreserve_pasid_table(const struct iommu_device_ser *devrec,
					unsigned int nr_leaves)
{
	struct pasid_dir_entry *dir;

	if (!devrec->table.pa)
		return;
	dir = phys_to_virt(devrec->table.pa);
	unpreserve_leaves(dir, nr_leaves);
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

	if (rid == PCI_DEVID(info->bus, info->devfn) &&
	    !dev_is_real_dma_subdevice(info->dev))
		return false;
	return intel_liveupdate_incoming(iommu, bus, devfn) ||
	       (iommu->lu_outgoing && test_bit(rid, iommu->lu_outgoing->rids));
}

static void set_rids(struct intel_iommu *iommu,
		     const struct iommu_device_ser *devrec, bool preserved)
{
	unsigned int i;

	guard(spinlock)(&iommu->lock);
	for (i = 0; i < devrec->nr_ids; i++)
		__assign_bit(devrec->ids[i], iommu->lu_outgoing->rids, preserved);
}

static struct intel_liveupdate_device *
find_device(struct intel_iommu *iommu, const struct device *dev)
{
	struct intel_liveupdate_device *ldev;

	list_for_each_entry(ldev, &iommu->lu_outgoing->devices, link)
		if (ldev->dev == dev)
			return ldev;
	return NULL;
}

static int intel_dev_preserve(struct device *dev, struct iommu_unit_ser *unit,
			      struct iommu_device_ser *devrec)
{
	struct intel_liveupdate_device *ldev __free(kfree) = NULL;
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	struct intel_iommu *iommu = info->iommu;
	int ret;

	ret = refuse_device(dev, device_unsupported(dev));
	if (ret)
		return ret;
	ret = intel_liveupdate_collect_rids(dev, devrec);
	if (ret)
		return refuse_device(dev, "a bridge shares its requester id");

	ldev = kzalloc_obj(*ldev);
	if (!ldev)
		return -ENOMEM;
	ldev->dev = dev;
	ldev->devrec = devrec;

	ret = preserve_contexts(iommu, unit);
	if (ret)
		return ret;
	if (sm_supported(iommu)) {
		ret = intel_liveupdate_preserve_pasid_table(info->pasid_table,
							    devrec,
							    &ldev->nr_leaves);
		if (ret)
			return ret;
	}

	set_rids(iommu, devrec, true);
	list_add_tail(&no_free_ptr(ldev)->link, &iommu->lu_outgoing->devices);
	return 0;
}

static void intel_dev_unpreserve(struct device *dev, struct iommu_unit_ser *unit,
				 struct iommu_device_ser *devrec)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	struct intel_iommu *iommu = info->iommu;
	struct intel_liveupdate_device *ldev = find_device(iommu, dev);

	list_del(&ldev->link);
	set_rids(iommu, devrec, false);
	intel_liveupdate_unpreserve_pasid_table(devrec, ldev->nr_leaves);
	kfree(ldev);
}

static int intel_att_preserve(struct device *dev, struct iommu_domain *domain,
			      const struct iommu_device_ser *devrec,
			      struct iommu_attachment_ser *att,
			      struct iommu_domain_ser *dser)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	struct dmar_domain *dmar_domain = to_dmar_domain(domain);
	struct intel_iommu *iommu = info->iommu;
	int ret;

	ret = refuse_device(dev, domain_unsupported(dmar_domain));
	if (ret)
		return ret;
	if (dmar_domain->dirty_tracking)
		return -EBUSY;

	att->hw_id = domain_id_iommu(dmar_domain, iommu);
	/* Part of a first stage PASID entry, which the next kernel compares */
	if (dmar_domain->force_snooping)
		dser->domain_flags |= IOMMU_DOMAIN_SER_FORCE_SNOOP;
	ret = intel_liveupdate_verify_device(dev, dmar_domain, devrec);
	if (ret)
		return ret;

	find_device(iommu, dev)->domain = dmar_domain;
	return 0;
}

static int verify_registers(struct intel_iommu *iommu,
			    const struct iommu_unit_ser *unit)
{
	if (readq(iommu->reg + DMAR_RTADDR_REG) ==
		    iommu_unit_vtd_const(unit)->rtaddr &&
	    readl(iommu->reg + DMAR_GSTS_REG) & DMA_GSTS_TES)
		return 0;

	liveupdate_refuse_err("%s: root table or translation changed since it was preserved\n",
			      iommu->name);
	return -EINVAL;
}

static int verify_devices(struct intel_iommu *iommu)
{
	struct intel_liveupdate_device *ldev;
	struct device_domain_info *info;
	int ret;

	list_for_each_entry(ldev, &iommu->lu_outgoing->devices, link) {
		ret = intel_liveupdate_verify_device(ldev->dev, ldev->domain,
						     ldev->devrec);
		if (ret)
			return ret;
		info = dev_iommu_priv_get(ldev->dev);
		if (info->pasid_table &&
		    intel_liveupdate_count_leaves(info->pasid_table) !=
			    ldev->nr_leaves) {
			liveupdate_dev_err(ldev->dev, "PASID table grew since it was preserved\n");
			return -EBUSY;
		}
	}

	return 0;
}

static int intel_unit_freeze(struct iommu_device *iommu_dev,
			     struct iommu_unit_ser *unit)
{
	struct intel_iommu *iommu = to_intel_iommu(iommu_dev);
	int ret;

	ret = verify_registers(iommu, unit);
	if (ret)
		return ret;
	ret = verify_devices(iommu);
	if (ret)
		return ret;
	ret = verify_irt(iommu, unit);
	if (ret)
		return ret;

	return preserve_contexts(iommu, unit);
}

/* The vectors belong to a kernel that is going away; read back to be sure */
static void mask_unit_interrupts(struct intel_iommu *iommu)
{
	guard(raw_spinlock_irqsave)(&iommu->register_lock);

	writel(INTEL_LIVEUPDATE_IM, iommu->reg + DMAR_FECTL_REG);
	readl(iommu->reg + DMAR_FECTL_REG);
	if (ecap_prs(iommu->ecap)) {
		writel(INTEL_LIVEUPDATE_IM, iommu->reg + DMAR_PECTL_REG);
		readl(iommu->reg + DMAR_PECTL_REG);
	}
	if (ecap_pms(iommu->ecap)) {
		writel(INTEL_LIVEUPDATE_IM, iommu->reg + DMAR_PERFINTRCTL_REG);
		readl(iommu->reg + DMAR_PERFINTRCTL_REG);
	}
}

/*
 * Whoever replaces an entry holds the lock while it waits for the queue, and may
 * wait for ever. Like all waits of a hand-over this one is bounded.
 */
static void lock_unit(struct intel_iommu *iommu)
{
	struct qi_watch watch;

	qi_watch_start(iommu, &watch);
	while (!spin_trylock(&iommu->lock)) {
		if (qi_watch_stalled(iommu, &watch, get_cycles()))
			panic("%s: cannot be locked for the hand-over\n",
			      iommu->name);
		cpu_relax();
	}
}

static void intel_unit_handover(struct iommu_device *iommu_dev,
				struct iommu_unit_ser *unit)
{
	struct intel_iommu *iommu = to_intel_iommu(iommu_dev);

	/* First the flag, so that what is scrubbed stays scrubbed */
	lock_unit(iommu);
	iommu_kept_set(&iommu->iommu, IOMMU_KEPT_HANDED_OVER);
	spin_unlock(&iommu->lock);

	intel_liveupdate_scrub(iommu, unit, iommu->lu_outgoing->rids);
	intel_liveupdate_stop_posting(iommu);
	intel_liveupdate_drain_prq(iommu);
	mask_unit_interrupts(iommu);
	pr_debug("%s: handed over, stays translating for %u device(s)\n",
		 iommu->name, unit->nr_devices);
}

const struct iommu_liveupdate_ops intel_iommu_liveupdate_ops = {
	.type			= &intel_liveupdate_type,
	.unit_preserve		= intel_unit_preserve,
	.unit_unpreserve	= intel_unit_unpreserve,
	.dev_preserve		= intel_dev_preserve,
	.dev_unpreserve		= intel_dev_unpreserve,
	.att_preserve		= intel_att_preserve,
	.unit_freeze		= intel_unit_freeze,
	.unit_handover		= intel_unit_handover,
	.domain_restore		= intel_liveupdate_domain_restore,
	.att_adopt		= intel_liveupdate_att_adopt,
	.dev_block		= intel_liveupdate_dev_block,
	.dev_unblock		= intel_liveupdate_dev_unblock,
	.unit_match		= intel_liveupdate_unit_match,
	.ids_block		= intel_liveupdate_ids_block,
	.att_release		= intel_liveupdate_att_release,
	.dev_release		= intel_liveupdate_dev_release,
};
