// SPDX-License-Identifier: GPL-2.0
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */

/**
 * DOC: VT-d live update, incoming
 *
 * The kernel that was started by a live update finds a unit that translates.
 * It takes over the live root, context, PASID and interrupt tables where they
 * are, without a write to the root pointer and without switching translation
 * or interrupt remapping off for an instant.
 *
 * Life cycle:
 *
 * 1. Interrupt remapping set-up, long before records can be read, switches a
 *    unit that is found translating to its own table with remapping on, see
 *    liveupdate-found.c.
 * 2. intel_liveupdate_adopt(): per unit, from init_dmars() or hot-add. Registers
 *    and live tables are compared with the record, the table pages claimed from
 *    KHO, the domain ids of the unit's attachments reserved, every entry that
 *    belongs to no attachment cleared, the caches flushed once. If anything
 *    differs the unit is not adopted: the core is told, and the unit gets an
 *    empty root table, translation staying on. All its devices are blocked then.
 *    The same becomes of a record whose unit this kernel is told not to use, and
 *    of a unit whose set-up fails later on: intel_liveupdate_give_up().
 * 3. intel_liveupdate_probe(): a device's software PASID table is put around
 *    the adopted directory.
 * 4. intel_liveupdate_domain_restore() and intel_liveupdate_att_adopt(): the
 *    software half of an attach. intel_liveupdate_dev_block() where that
 *    fails.
 * 5. intel_liveupdate_release(): the device goes away before it was
 *    reclaimed; software state goes, the tables and ids stay.
 *
 * The reservation of a domain id holds one reference of its own, so the id
 * cannot be given to another domain while the hardware still uses it.
 *
 * Locking: as in liveupdate.c. intel_iommu.lu_incoming is set by
 * intel_liveupdate_adopt(), or cleared by intel_liveupdate_give_up(), before the
 * unit has a device, and not changed later.
 */

#define pr_fmt(fmt)	"DMAR: " fmt

#include <kunit/visibility.h>
#include <linux/bitmap.h>
#include <linux/dmar.h>
#include <linux/pci.h>
#include <linux/slab.h>

#include "iommu.h"
#include "liveupdate.h"
#include "pasid.h"
#include "../iommu-pages.h"

#define for_each_device(unit, devrec)					   \
	for ((devrec) = iommu_liveupdate_next_device(unit, NULL); (devrec); \
	     (devrec) = iommu_liveupdate_next_device(unit, devrec))

#define for_each_attachment(devrec, att)					\
	for ((att) = iommu_liveupdate_next_attachment(devrec, NULL); (att);	\
	     (att) = iommu_liveupdate_next_attachment(devrec, att))

static const char *verify_registers(struct intel_iommu *iommu,
				    const struct iommu_unit_ser *unit)
{
	const struct iommu_unit_vtd_ser *vtd = iommu_unit_vtd_const(unit);
	u64 rtaddr = readq(iommu->reg + DMAR_RTADDR_REG);

	if (iommu->drhd->ignored)
		return "use of the unit";
	/* Without it nothing could be flushed */
	if (!iommu->qi)
		return "queued invalidation";
	if (unit->segment != iommu->segment)
		return "PCI segment";
	if (vtd->cap != iommu->cap || vtd->ecap != iommu->ecap)
		return "capabilities";
	if (rtaddr != vtd->rtaddr)
		return "root table address";
	if (!!(rtaddr & DMA_RTADDR_SMT) != !!sm_supported(iommu) ||
	    !!(rtaddr & DMA_RTADDR_SMT) !=
	    !!(vtd->flags & IOMMU_UNIT_VTD_SCALABLE))
		return "table mode";
	if (!(readl(iommu->reg + DMAR_GSTS_REG) & DMA_GSTS_TES))
		return "translation enable";
	return NULL;
}

/*
 * The set-up of interrupt remapping cannot read records. If it has not switched
 * the unit to a table of this kernel's, the old one stays preserved and in force,
 * and the unit is not adopted. In which mode this kernel remaps and how large its
 * table is, is its own affair: nothing of the old table is read.
 */
static const char *verify_intremap(struct intel_iommu *iommu,
				   const struct iommu_unit_ser *unit)
{
	const struct iommu_table_ser *old = &unit->tables[IOMMU_UNIT_VTD_IRT];
	u64 irta;

	if (!old->pa)
		return NULL;
	if (!(readl(iommu->reg + DMAR_GSTS_REG) & DMA_GSTS_IRES))
		return "interrupt remapping enable";
	irta = readq(iommu->reg + DMAR_IRTA_REG);
	if ((irta & VTD_PAGE_MASK) == old->pa)
		return "interrupt remapping table";
	if (!iommu_page_is_preserved(old->pa, old->order))
		return "memory of the interrupt remapping table";
	return NULL;
}

/* The live root, read through the linear map: it lies in preserved memory */
static const char *verify_tables(struct intel_iommu *iommu,
				 const struct iommu_unit_ser *unit)
{
	u64 root_pa = unit->tables[IOMMU_UNIT_VTD_ROOT].pa;
	unsigned int table;
	u64 slot;

	if (!iommu_page_is_preserved(root_pa, 0))
		return "memory of the root table";

	iommu->root_entry = phys_to_virt(root_pa);
	for (table = 0; table < intel_liveupdate_nr_tables(iommu); table++) {
		slot = *intel_liveupdate_root_slot(iommu, table);
		if (!(slot & 1) != !intel_liveupdate_table_known(unit, table))
			return "set of context tables";
		if (slot & 1 && !iommu_page_is_preserved(slot & VTD_PAGE_MASK, 0))
			return "memory of a context table";
	}
	return NULL;
}

static const char *verify_scalable(const struct iommu_device_ser *devrec,
				   const struct context_entry *context,
				   u32 did)
{
	const struct iommu_table_ser *table = &devrec->table;
	struct pasid_dir_entry *dir;
	u64 pde;

	if ((context->lo & VTD_PAGE_MASK) != table->pa)
		return "PASID directory";
	/* Whoever walks it, hardware or this kernel, goes by what it says there */
	if (get_pasid_dir_size(context) > devrec->max_pasid >> PASID_PDE_SHIFT)
		return "size of a PASID directory";
	if (!iommu_page_is_preserved(table->pa, table->order) ||
	    devrec->max_pasid != 1U << (table->order + PAGE_SHIFT + 3))
		return "memory of a PASID directory";

	dir = phys_to_virt(table->pa);
	pde = READ_ONCE(dir->val);
	if (!(pde & PASID_PTE_PRESENT) ||
	    !iommu_page_is_preserved(pde & PDE_PFN_MASK, 0))
		return "PASID table";
	if (pasid_get_domain_id(get_pasid_table_from_pde(dir)) != did)
		return "domain id";
	return NULL;
}

static const char *verify_entries(struct intel_iommu *iommu,
				  const struct iommu_device_ser *devrec, u32 did)
{
	struct context_entry *context;
	const char *differs;
	unsigned int i;

	if (did < IDA_START_DID || did >= iommu->max_domain_id)
		return "domain id";

	guard(spinlock)(&iommu->lock);
	for (i = 0; i < devrec->nr_ids; i++) {
		context = iommu_context_addr(iommu, PCI_BUS_NUM(devrec->ids[i]),
					     devrec->ids[i] & 0xff, 0);
		if (!context || !context_present(context))
			return "context entry";
		if (sm_supported(iommu)) {
			differs = verify_scalable(devrec, context, did);
			if (differs)
				return differs;
		} else if (context_domain_id(context) != did) {
			return "domain id";
		}
	}
	return NULL;
}

static const char *verify_unit(struct intel_iommu *iommu,
			       const struct iommu_unit_ser *unit)
{
	const struct iommu_attachment_ser *att;
	const struct iommu_device_ser *devrec;
	const char *differs;

	differs = verify_registers(iommu, unit);
	if (!differs)
		differs = verify_intremap(iommu, unit);
	if (!differs)
		differs = verify_tables(iommu, unit);
	if (differs)
		return differs;

	for_each_device(unit, devrec)
		for_each_attachment(devrec, att) {
			differs = verify_entries(iommu, devrec, att->hw_id);
			if (differs)
				return differs;
		}
	return NULL;
}

VISIBLE_IF_KUNIT void
intel_liveupdate_release_dids(struct intel_iommu *iommu,
			      const struct iommu_unit_ser *unit,
			      const struct iommu_attachment_ser *end)
{
	const struct iommu_attachment_ser *att;
	const struct iommu_device_ser *devrec;

	for_each_device(unit, devrec)
		for_each_attachment(devrec, att) {
			if (att == end)
				return;
			if (iommu_liveupdate_first_with_id(unit, att))
				ida_free(&iommu->domain_ida, att->hw_id);
		}
}

static int reserve_did(struct intel_iommu *iommu,
		       const struct iommu_unit_ser *unit,
		       const struct iommu_attachment_ser *att)
{
	int did;

	if (!iommu_liveupdate_first_with_id(unit, att))
		return 0;
	did = ida_alloc_range(&iommu->domain_ida, att->hw_id, att->hw_id,
			      GFP_KERNEL);
	return did < 0 ? did : 0;
}

/* Exactly these ids, before any domain of this kernel can get one */
VISIBLE_IF_KUNIT int
intel_liveupdate_reserve_dids(struct intel_iommu *iommu,
			      const struct iommu_unit_ser *unit)
{
	const struct iommu_attachment_ser *att;
	const struct iommu_device_ser *devrec;
	int ret;

	for_each_device(unit, devrec)
		for_each_attachment(devrec, att) {
			ret = reserve_did(iommu, unit, att);
			if (ret) {
				intel_liveupdate_release_dids(iommu, unit, att);
				return ret;
			}
		}
	return 0;
}

static void set_rids(const struct iommu_unit_ser *unit,
		     struct intel_liveupdate *lu)
{
	const struct iommu_device_ser *devrec;
	unsigned int i;

	for_each_device(unit, devrec) {
		for (i = 0; i < devrec->nr_ids; i++)
			__set_bit(devrec->ids[i], lu->rids);
		if (devrec->table.pa)
			__set_bit(devrec->rid, lu->tables);
	}
}

/* From here on they are ordinary table pages of this kernel */
VISIBLE_IF_KUNIT int
intel_liveupdate_claim_pasid_table(const struct iommu_device_ser *devrec)
{
	struct pasid_dir_entry *dir;
	unsigned int i;

	dir = iommu_restore_page(devrec->table.pa, devrec->table.order);
	if (!dir)
		return -EINVAL;
	for (i = 0; i < devrec->max_pasid >> PASID_PDE_SHIFT; i++)
		if (pasid_pde_is_present(&dir[i]) &&
		    !iommu_restore_page(dir[i].val & PDE_PFN_MASK, 0))
			return -EINVAL;
	return 0;
}

static int claim_tables(struct intel_iommu *iommu,
			const struct iommu_unit_ser *unit)
{
	const struct iommu_device_ser *devrec;
	unsigned int table;
	u64 slot;

	if (!iommu_liveupdate_claim_table(unit, IOMMU_UNIT_VTD_ROOT))
		return -EINVAL;
	for (table = 0; table < intel_liveupdate_nr_tables(iommu); table++) {
		slot = *intel_liveupdate_root_slot(iommu, table);
		if (slot & 1 && !iommu_restore_page(slot & VTD_PAGE_MASK, 0))
			return -EINVAL;
	}
	if (!sm_supported(iommu))
		return 0;
	for_each_device(unit, devrec)
		if (intel_liveupdate_claim_pasid_table(devrec))
			return -EINVAL;
	return 0;
}

/* Nothing refers to it any more: verify_intremap() saw another one in force */
static void free_old_irt(const struct iommu_unit_ser *unit)
{
	iommu_free_pages(iommu_liveupdate_claim_table(unit, IOMMU_UNIT_VTD_IRT));
}

/*
 * Everything that can fail without a trace comes first. Pages that were claimed
 * before a failure are leaked on purpose: hardware may walk them until the unit
 * has got its empty root.
 */
static int adopt_unit(struct intel_iommu *iommu,
		      const struct iommu_unit_ser *unit)
{
	struct intel_liveupdate *lu;
	const char *differs;
	int ret;

	differs = verify_unit(iommu, unit);
	if (differs) {
		pr_err("%s: %s differs from the record of the previous kernel\n",
		       iommu->name, differs);
		return -EINVAL;
	}

	lu = intel_liveupdate_alloc();
	if (!lu)
		return -ENOMEM;
	set_rids(unit, lu);

	ret = intel_liveupdate_reserve_dids(iommu, unit);
	if (ret)
		goto err_free;
	ret = claim_tables(iommu, unit);
	if (ret)
		goto err_dids;

	free_old_irt(unit);
	intel_liveupdate_scrub(iommu, unit, lu->rids);
	iommu->lu_incoming = lu;
	iommu_kept_set(&iommu->iommu, IOMMU_KEPT_ADOPTED);
	pr_info("%s: adopted the live tables of the previous kernel, %u device(s)\n",
		iommu->name, unit->nr_devices);
	return 0;

err_dids:
	intel_liveupdate_release_dids(iommu, unit, NULL);
err_free:
	intel_liveupdate_free(lu);
	return ret;
}

/**
 * intel_liveupdate_adopt - Take over the live tables of a unit
 * @iommu: The unit
 *
 * Done once per unit; a second call says what the first one did. A unit that
 * has a record but does not translate fails like any other that differs.
 *
 * Context: Boot or unit hot-add, before any device of the unit is probed. May
 * sleep, dmar_global_lock may be held: the core has read the records before.
 * Return: True if the unit was adopted, and its root pointer must not be
 * written. False if there is nothing to adopt or it cannot be trusted; if the
 * unit translates it must get an empty root table before anything else.
 */
bool intel_liveupdate_adopt(struct intel_iommu *iommu)
{
	const struct iommu_unit_ser *unit;
	int ret;

	if (iommu->lu_incoming)
		return true;
	unit = iommu_liveupdate_find_unit(&intel_liveupdate_type,
					  IOMMU_UNIT_SER_BASE_MMIO,
					  iommu->reg_phys);
	if (IS_ERR_OR_NULL(unit))
		return false;

	if (!iommu->flush.flush_context)
		intel_iommu_init_qi(iommu);
	ret = adopt_unit(iommu, unit);
	if (!ret) {
		intel_svm_check(iommu);
		return true;
	}

	iommu->root_entry = NULL;
	iommu_liveupdate_fail_unit(unit, ret);
	return false;
}

/**
 * intel_liveupdate_give_up - An adopted unit cannot be put in use after all
 * @iommu: The unit; nothing happens if it was not adopted
 *
 * It becomes one that was found translating and not adopted. When it is to be
 * switched off next it gets an empty root table, and its record fails. What it
 * had is leaked on purpose: hardware walks it until then.
 *
 * Context: Error path of set-up or hot-add, no device of the unit was probed.
 */
void intel_liveupdate_give_up(struct intel_iommu *iommu)
{
	if (!iommu->lu_incoming)
		return;

	intel_liveupdate_free(iommu->lu_incoming);
	iommu->lu_incoming = NULL;
	iommu->root_entry = NULL;
	iommu_kept_set(&iommu->iommu, IOMMU_KEPT_FOUND);
	/* Nobody but the record has any yet */
	ida_destroy(&iommu->domain_ida);
}

/**
 * intel_liveupdate_incoming - Does an entry belong to an adopted device?
 * @iommu: The unit
 * @bus: Bus number of the requester id
 * @devfn: Device and function of the requester id
 *
 * Return: True if the entry was adopted and not given up since.
 */
bool intel_liveupdate_incoming(struct intel_iommu *iommu, u8 bus, u8 devfn)
{
	return iommu->lu_incoming &&
	       test_bit(PCI_DEVID(bus, devfn), iommu->lu_incoming->rids);
}

/**
 * intel_liveupdate_device_incoming - Was the entry of a device adopted?
 * @info: The device
 *
 * A device behind VMD has numbers of a segment that exists in software only, and
 * sends by the requester id of another function. Its own one may happen to be
 * that of an adopted device, with which it has nothing to do.
 *
 * Return: True if its entry was adopted and not given up since.
 */
bool intel_liveupdate_device_incoming(struct device_domain_info *info)
{
	return info->segment == info->iommu->segment &&
	       !dev_is_real_dma_subdevice(info->dev) &&
	       intel_liveupdate_incoming(info->iommu, info->bus, info->devfn);
}

/**
 * intel_liveupdate_probe - Put a PASID table around its directory
 * @dev: The device being probed, its device_domain_info set
 *
 * In legacy mode, and for a device that is not incoming, there is nothing to
 * do. A device at an adopted requester id that has no usable record is blocked
 * first, and then treated like any other. Without memory the device is blocked
 * for good and its probe goes on without a PASID table, so that the core finds it
 * and takes it for one that could not be adopted. (When the probe fails before it
 * comes to this, for lack of memory, hardware is left alone: nobody gets the
 * device, and another probe adopts it.)
 *
 * Context: Probe, may sleep.
 * Return: True if the caller is to leave tables and entries alone.
 */
bool intel_liveupdate_probe(struct device *dev)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	const struct iommu_device_ser *devrec;
	struct pasid_table *table;

	if (!dev_is_pci(dev) || !intel_liveupdate_device_incoming(info))
		return false;

	devrec = iommu_liveupdate_device_record(dev);
	if (IS_ERR_OR_NULL(devrec)) {
		intel_liveupdate_dev_block(dev);
		return false;
	}
	if (!sm_supported(info->iommu))
		return true;

	table = kzalloc_obj(*table);
	if (!table) {
		dev_err(dev, "no memory to adopt its PASID table\n");
		intel_liveupdate_dev_block(dev);
		return true;
	}
	table->table = phys_to_virt(devrec->table.pa);
	table->max_pasid = devrec->max_pasid;
	info->pasid_table = table;
	scoped_guard(spinlock, &info->iommu->lock)
		__clear_bit(devrec->rid, info->iommu->lu_incoming->tables);
	return true;
}

/* What the old kernel set on a domain and a walk of its tables depends on */
static void restore_settings(struct dmar_domain *domain,
			     struct intel_iommu *iommu,
			     const struct iommu_domain_ser *dser)
{
	domain->force_snooping =
		!!(dser->domain_flags & IOMMU_DOMAIN_SER_FORCE_SNOOP);
	domain->iommu.iommu_device = iommu->iommu.dev;
	domain->iommu.nid = iommu->node;
}

/**
 * intel_liveupdate_domain_restore - Build a domain around a preserved table
 * @iommu_dev: The unit of the first device on it
 * @dser: The domain's record, checked
 *
 * Context: May sleep.
 * Return: A domain that can be translated through and freed, or ERR_PTR:
 * -EOPNOTSUPP for a format this driver does not have, -ENOMEM, or what
 * the page table's restore says.
 */
struct iommu_domain *
intel_liveupdate_domain_restore(struct iommu_device *iommu_dev,
				const struct iommu_domain_ser *dser)
{
	struct intel_iommu *iommu = to_intel_iommu(iommu_dev);
	struct dmar_domain *domain;
	int ret;

	domain = paging_domain_alloc();
	if (IS_ERR(domain))
		return ERR_CAST(domain);
	restore_settings(domain, iommu, dser);

	switch (dser->pt_format) {
	case IOMMU_DOMAIN_SER_X86_64:
		domain->domain.ops = &intel_fs_paging_domain_ops;
		ret = pt_iommu_x86_64_restore(&domain->fspt, dser);
		break;
	case IOMMU_DOMAIN_SER_VTDSS:
		domain->domain.ops = &intel_ss_paging_domain_ops;
		ret = pt_iommu_vtdss_restore(&domain->sspt, dser);
		break;
	default:
		ret = -EOPNOTSUPP;
	}
	if (ret) {
		kfree(domain);
		return ERR_PTR(ret);
	}
	return &domain->domain;
}

/*
 * The counterpart of domain_attach_iommu() with an id that is reserved. The
 * reservation keeps a reference, so the id outlives the devices.
 */
VISIBLE_IF_KUNIT int intel_liveupdate_adopt_did(struct dmar_domain *domain,
						struct intel_iommu *iommu,
						u16 did)
{
	struct iommu_domain_info *info, *curr;

	info = kzalloc_obj(*info);
	if (!info)
		return -ENOMEM;
	info->refcnt = 2;
	info->did = did;
	info->iommu = iommu;

	guard(mutex)(&iommu->did_lock);
	curr = xa_cmpxchg(&domain->iommu_array, iommu->seq_id, NULL, info,
			  GFP_KERNEL);
	if (!curr)
		return 0;

	kfree(info);
	if (xa_is_err(curr))
		return xa_err(curr);
	if (curr->did != did)
		return -EINVAL;
	curr->refcnt++;
	return 0;
}

/*
 * Undo intel_liveupdate_adopt_did(). The id stays reserved in the unit, where
 * the live entry may still have it.
 */
static void unadopt_did(struct dmar_domain *domain, struct intel_iommu *iommu)
{
	struct iommu_domain_info *info;

	guard(mutex)(&iommu->did_lock);
	info = xa_load(&domain->iommu_array, iommu->seq_id);
	if (--info->refcnt > 1)
		return;
	xa_erase(&domain->iommu_array, iommu->seq_id);
	kfree(info);
}

static void link_device(struct device_domain_info *info,
			struct dmar_domain *domain)
{
	info->domain = domain;
	info->domain_attached = true;
	guard(spinlock_irqsave)(&domain->lock);
	list_add(&info->link, &domain->devices);
}

static void unlink_device(struct device_domain_info *info)
{
	scoped_guard(spinlock_irqsave, &info->domain->lock)
		list_del(&info->link);
	info->domain_attached = false;
	info->domain = NULL;
}

static bool has_rids_of(const struct iommu_device_ser *a,
			const struct iommu_device_ser *b)
{
	unsigned int i, j;

	for (i = 0; i < b->nr_ids; i++) {
		for (j = 0; j < a->nr_ids; j++)
			if (a->ids[j] == b->ids[i])
				break;
		if (j == a->nr_ids)
			return false;
	}
	return true;
}

/**
 * intel_liveupdate_same_rids - Do two records name the same requester ids?
 * @a: One record
 * @b: The other
 *
 * Context: Any.
 * Return: True if they do, in whatever order.
 */
VISIBLE_IF_KUNIT bool
intel_liveupdate_same_rids(const struct iommu_device_ser *a,
			   const struct iommu_device_ser *b)
{
	return a->rid == b->rid && has_rids_of(a, b) && has_rids_of(b, a);
}

/*
 * With more requester ids than were preserved the device could not leave its
 * domain, with less an entry of it would be forgotten. A quirk of this kernel
 * may have added or lost one.
 */
static bool rids_preserved(struct device *dev,
			   const struct iommu_device_ser *devrec)
{
	struct iommu_device_ser now = {};

	if (!intel_liveupdate_collect_rids(dev, &now) &&
	    intel_liveupdate_same_rids(devrec, &now))
		return true;

	dev_err(dev, "its requester ids are not those that were preserved\n");
	return false;
}

/**
 * intel_liveupdate_att_adopt - Attach an incoming device in software only
 * @dev: The device, probed
 * @domain: The restored domain of the attachment
 * @devrec: The device's record
 * @att: The attachment
 *
 * All that an attach leaves behind but the hardware entry, which is there and
 * compared. The cache tag is assigned before anything could invalidate.
 *
 * Context: Probe, group mutex held, may sleep.
 * Return: 0, -EINVAL if the live entry, the unit or the set of requester ids is
 * not that of the record, -ENOMEM without memory. Nothing is left behind on
 * failure.
 */
int intel_liveupdate_att_adopt(struct device *dev, struct iommu_domain *domain,
			       const struct iommu_device_ser *devrec,
			       const struct iommu_attachment_ser *att)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	struct dmar_domain *dmar_domain = to_dmar_domain(domain);
	struct intel_iommu *iommu = info->iommu;
	int ret;

	if (!intel_liveupdate_device_incoming(info) || !rids_preserved(dev, devrec))
		return -EINVAL;

	ret = intel_liveupdate_adopt_did(dmar_domain, iommu, att->hw_id);
	if (ret)
		return ret;
	ret = cache_tag_assign_domain(dmar_domain, dev, IOMMU_NO_PASID);
	if (ret)
		goto err_did;
	ret = intel_liveupdate_verify_device(dev, dmar_domain, devrec);
	if (ret)
		goto err_tag;

	link_device(info, dmar_domain);
	return 0;

err_tag:
	cache_tag_unassign_domain(dmar_domain, dev, IOMMU_NO_PASID);
err_did:
	unadopt_did(dmar_domain, iommu);
	return ret;
}

/**
 * intel_liveupdate_release - Let go of a device that was not reclaimed
 * @dev: The device being released
 *
 * Only software state goes. The live entry, the tables and the reserved id
 * stay, so that DMA goes on and a later probe adopts the device again.
 *
 * Context: Device release, may sleep.
 * Return: True if that was done and the caller must not touch the tables, false
 * for any other device.
 */
bool intel_liveupdate_release(struct device *dev)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	struct dmar_domain *domain = info->domain;

	if (!dev_is_pci(dev) || !intel_liveupdate_device_incoming(info))
		return false;

	if (domain) {
		cache_tag_unassign_domain(domain, dev, IOMMU_NO_PASID);
		unlink_device(info);
		domain_detach_iommu(domain, info->iommu);
	}
	if (info->pasid_table) {
		guard(spinlock)(&info->iommu->lock);
		__set_bit(PCI_DEVID(info->bus, info->devfn),
			  info->iommu->lu_incoming->tables);
	}
	kfree(info->pasid_table);
	info->pasid_table = NULL;
	return true;
}
