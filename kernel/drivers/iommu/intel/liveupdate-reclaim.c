// SPDX-License-Identifier: GPL-2.0
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */

/**
 * DOC: VT-d live update, the end of what was adopted
 *
 * liveupdate-incoming.c adopts entries, domain ids and PASID tables of the
 * previous kernel. This is how each of them becomes an ordinary one of this
 * kernel again:
 *
 * 1. intel_liveupdate_let_go(): the device was moved to another page table
 *    (replace.c), or is about to be blocked by an ordinary detach. Its context
 *    entries may be written like any others from then on; its PASID table,
 *    which stays in use, goes with the device.
 * 2. intel_liveupdate_dev_block(): the device cannot be trusted, or
 *    intel_liveupdate_ids_block(): nobody has taken it, and it may not even be
 *    there. Its context entries become non-present.
 * 3. intel_liveupdate_dev_unblock(): a device whose context entries were made
 *    non-present, and that was reset, gets what an attach needs.
 * 4. intel_liveupdate_dev_release(): whatever is left of its context entries
 *    becomes non-present, PASID tables that no device has taken are freed.
 * 5. intel_liveupdate_att_release(): with the last attachment of a domain nothing
 *    refers to its id any more, so that the caches are flushed and the id is free.
 *
 * Locking: 1., 3. and intel_liveupdate_dev_block() under the group mutex. The core
 * calls the others one at a time, under a lock that also keeps the device from
 * being probed. Requester ids are guarded by intel_iommu.lock, domain ids by
 * intel_iommu.did_lock.
 */

#define pr_fmt(fmt)	"DMAR: " fmt

#include <linux/bitmap.h>
#include <linux/dmar.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "iommu.h"
#include "liveupdate.h"
#include "pasid.h"
#include "../iommu-pages.h"

static int let_go_alias(struct pci_dev *pdev, u16 alias, void *data)
{
	__clear_bit(alias, data);
	return 0;
}

/**
 * intel_liveupdate_let_go - The entries of an incoming device become ordinary
 * @dev: The device, moved to another table or about to be blocked
 *
 * Does nothing for any other device.
 *
 * Context: Group mutex held. Takes intel_iommu.lock.
 */
void intel_liveupdate_let_go(struct device *dev)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	struct intel_iommu *iommu = info->iommu;

	if (!dev_is_pci(dev) || !intel_liveupdate_device_incoming(info))
		return;
	guard(spinlock)(&iommu->lock);
	pci_for_each_dma_alias(to_pci_dev(dev), let_go_alias,
			       iommu->lu_incoming->rids);
}

/**
 * intel_liveupdate_unit_match - Is this the unit of a record?
 * @iommu_dev: The unit
 * @unit: The record
 *
 * Context: Any.
 * Return: True if it is.
 */
bool intel_liveupdate_unit_match(struct iommu_device *iommu_dev,
				 const struct iommu_unit_ser *unit)
{
	return unit->type == IOMMU_UNIT_SER_VTD &&
	       to_intel_iommu(iommu_dev)->reg_phys == unit->base;
}

/*
 * The same three steps as in liveupdate-tables.c, for one adopted entry. It is an
 * ordinary, empty one afterwards.
 */
static void block_rid(struct intel_iommu *iommu, u16 rid)
{
	struct context_entry *context;
	bool present = false;

	scoped_guard(spinlock, &iommu->lock) {
		context = iommu_context_addr(iommu, PCI_BUS_NUM(rid),
					     rid & 0xff, 0);
		if (context) {
			present = context_present(context);
			intel_liveupdate_clear_present(iommu, context);
		}
	}
	if (present)
		intel_liveupdate_flush_entry(iommu, rid, context);

	/* While the bit is set nobody makes the entry present */
	guard(spinlock)(&iommu->lock);
	if (context)
		intel_liveupdate_clear_rest(iommu, context);
	__clear_bit(rid, iommu->lu_incoming->rids);
}

/* Nothing of the previous kernel is walked: the root in force is empty or ours */
static bool own_root(struct intel_iommu *iommu)
{
	u64 root = readq(iommu->reg + DMAR_RTADDR_REG) & VTD_PAGE_MASK;

	return root == page_to_phys(ZERO_PAGE(0)) ||
	       (iommu->root_entry && root == virt_to_phys(iommu->root_entry));
}

/**
 * intel_liveupdate_ids_block - Block an incoming device by its record
 * @iommu_dev: The unit
 * @devrec: The record of the device, which need not be there
 *
 * On a unit that was not adopted the device has no entries.
 *
 * Context: May sleep. Takes intel_iommu.lock.
 * Return: True if no entry of the record is present any more. False if the unit
 * may still walk the tables of the previous kernel.
 */
bool intel_liveupdate_ids_block(struct iommu_device *iommu_dev,
				const struct iommu_device_ser *devrec)
{
	struct intel_iommu *iommu = to_intel_iommu(iommu_dev);
	unsigned int i;

	if (!iommu->lu_incoming)
		return own_root(iommu);
	for (i = 0; i < devrec->nr_ids; i++)
		if (intel_liveupdate_incoming(iommu, PCI_BUS_NUM(devrec->ids[i]),
					      devrec->ids[i] & 0xff))
			block_rid(iommu, devrec->ids[i]);
	return true;
}

static int block_alias(struct pci_dev *pdev, u16 alias, void *data)
{
	struct device_domain_info *info = data;

	if (intel_liveupdate_incoming(info->iommu, PCI_BUS_NUM(alias),
				      alias & 0xff))
		block_rid(info->iommu, alias);
	return 0;
}

/**
 * intel_liveupdate_dev_block - Block an incoming device that cannot be trusted
 * @dev: The device, probed
 *
 * Its context entries become non-present, translation stays on. The software
 * PASID table, if there is one, stays with the device: nothing refers to it.
 * Requester ids that only its record names are left to
 * intel_liveupdate_ids_block().
 *
 * Context: Probe, group mutex held. Takes intel_iommu.lock.
 * Return: True if none of its entries is present. False if its unit may still
 * walk the tables of the previous kernel.
 */
bool intel_liveupdate_dev_block(struct device *dev)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);

	if (!info->iommu->lu_incoming)
		return own_root(info->iommu);
	if (intel_liveupdate_incoming(info->iommu, info->bus, info->devfn))
		pci_for_each_dma_alias(to_pci_dev(dev), block_alias, info);
	return true;
}

/**
 * intel_liveupdate_dev_unblock - Make a blocked device one like any other
 * @dev: The device, blocked, in no domain, reset
 *
 * In scalable mode the context entry leads to the PASID table again. There is
 * nothing left in that table: what it had was a domain of the previous kernel.
 *
 * Context: Group mutex held, may sleep.
 * Return: 0, or -ENOMEM.
 */
int intel_liveupdate_dev_unblock(struct device *dev)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	struct intel_iommu *iommu = info->iommu;
	int ret;

	if (!sm_supported(iommu) || dev_is_real_dma_subdevice(dev))
		return 0;
	if (info->pasid_table) {
		intel_pasid_tear_down_entry(iommu, dev, IOMMU_NO_PASID, false);
	} else {
		ret = intel_pasid_alloc_table(dev);
		if (ret)
			return ret;
	}
	return intel_pasid_setup_sm_context(dev);
}

/* Once for each unit, whatever the level: the tables are about to be freed */
static void flush_did(struct intel_iommu *iommu, u16 did)
{
	if (sm_supported(iommu)) {
		qi_flush_pasid_cache(iommu, did, QI_PC_ALL_PASIDS, 0);
		qi_flush_piotlb_all(iommu, did, IOMMU_NO_PASID);
	}
	iommu->flush.flush_iotlb(iommu, did, 0, 0, DMA_TLB_DSI_FLUSH);
}

/*
 * The counterpart of the reservation at adopt, and of the reference that
 * intel_liveupdate_adopt_did() keeps for it.
 */
static void release_did(struct intel_iommu *iommu, struct iommu_domain *domain,
			u16 did)
{
	struct iommu_domain_info *info;

	flush_did(iommu, did);

	guard(mutex)(&iommu->did_lock);
	if (domain) {
		info = xa_erase(&to_dmar_domain(domain)->iommu_array,
				iommu->seq_id);
		/*
		 * A device still holds the id, which the core has counted out.
		 * Its entry may be live, so the id must not be used again.
		 */
		if (WARN_ON_ONCE(info && info->refcnt != 1))
			return;
		kfree(info);
	}
	ida_free(&iommu->domain_ida, did);
}

static void free_pasid_table(const struct iommu_device_ser *devrec)
{
	struct pasid_dir_entry *dir = phys_to_virt(devrec->table.pa);
	unsigned int i;

	for (i = 0; i < devrec->max_pasid >> PASID_PDE_SHIFT; i++)
		iommu_free_pages(get_pasid_table_from_pde(&dir[i]));
	iommu_free_pages(dir);
}

/**
 * intel_liveupdate_dev_release - Free what a device has left behind
 * @iommu_dev: The unit
 * @devrec: The record of the device, its entries gone or in use by the device
 *
 * Nothing may lead to the tables, nor have the id of a domain, once the core goes
 * on. So each requester id of the record is looked at, not those that the device
 * has now.
 *
 * Context: May sleep. Takes intel_iommu.lock. The device is not being probed.
 * Cannot fail.
 */
void intel_liveupdate_dev_release(struct iommu_device *iommu_dev,
				  const struct iommu_device_ser *devrec)
{
	struct intel_iommu *iommu = to_intel_iommu(iommu_dev);
	bool left = false;

	/* On a unit that was not adopted nothing was taken over */
	if (!iommu->lu_incoming)
		return;

	/* What a device of this kernel has is not among the adopted ones */
	intel_liveupdate_ids_block(iommu_dev, devrec);
	if (devrec->table.pa) {
		guard(spinlock)(&iommu->lock);
		left = __test_and_clear_bit(devrec->rid,
					    iommu->lu_incoming->tables);
	}
	if (left)
		free_pasid_table(devrec);
}

/**
 * intel_liveupdate_att_release - Give the id of a domain back
 * @iommu_dev: The unit
 * @domain: The domain, NULL if it was never restored
 * @att: The record of an attachment that nothing of the unit has any more
 * @last: No other attachment of the unit has the domain's id
 *
 * Context: May sleep. Takes did_lock. Cannot fail.
 */
void intel_liveupdate_att_release(struct iommu_device *iommu_dev,
				  struct iommu_domain *domain,
				  const struct iommu_attachment_ser *att,
				  bool last)
{
	struct intel_iommu *iommu = to_intel_iommu(iommu_dev);

	if (iommu->lu_incoming && last)
		release_did(iommu, domain, att->hw_id);
}
