// SPDX-License-Identifier: GPL-2.0
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */

/**
 * DOC: VT-d replacement of a device's paging domain
 *
 * The ordinary attach of a paging domain to a device that is attached to another
 * one, without an instant in which an address that both map does not translate.
 * The entry is planned by replace-plan.c and written by replace-exec.c; here is
 * what surrounds it.
 *
 * The steps of intel_replace_domain(), which fails before 4. or not at all:
 *
 * 1. The new domain gets an id on the unit. It is never that of the old one.
 * 2. Its cache tags are assigned, before hardware can use it. For the time in
 *    which one domain's translations can be cached under the other's id, the
 *    plan's tag across the domains is assigned too.
 * 3. The device leaves the old domain's list, so that what is done to all its
 *    devices (dirty tracking, snooping) does not reach an entry of another.
 * 4. The live entry is written, in legacy mode that of each requester id.
 * 5. The closing invalidations.
 * 6. The device joins the new domain's list, and what was done to that domain's
 *    devices in the meantime is caught up with.
 * 7. The old domain's cache tags and its id go.
 *
 * Both domains must belong to one owner: until step 5 other devices of the old
 * domain may hit translations of the new table.
 *
 * Not handled, answered by -EOPNOTSUPP with nothing changed: other domains than
 * paging ones, domains with a page fault handler, real DMA sub-devices, entries
 * copied from a crashed kernel, CPUs without cmpxchg16b. Whether a device is to
 * be blocked first then, as if there was no replacement, is for the caller to
 * say, and likewise where there is no domain id left beside the old one; a device
 * that goes on with DMA since a live update never is.
 *
 * Locking: the core's group mutex keeps other attachments of the device away.
 * intel_iommu.did_lock is held from the look at the use of the ids until they
 * have been invalidated, so that no device joins the new id meanwhile.
 * intel_iommu.lock is held over all writes and their syncs, as by every writer of
 * entries; the unit cannot be handed over in between. Order: group mutex,
 * did_lock, dmar_domain.lock, intel_iommu.lock, dmar_domain.cache_lock, q_lock.
 */

#include <linux/atomic.h>
#include <linux/cpufeature.h>
#include <linux/dmar.h>
#include <linux/iommu.h>
#include <linux/pci.h>
#include <linux/string.h>

#include "iommu.h"
#include "liveupdate.h"
#include "pasid.h"
#include "replace.h"
#include "trace.h"

/* Page Snoop, bit 88 of a PASID entry */
#define PASID_ENTRY_PGSNP	BIT_ULL(24)

static_assert(INTEL_REPLACE_FIRST_DID == IDA_START_DID);
static_assert(sizeof(struct pasid_entry) == INTEL_REPLACE_WORDS * sizeof(u64));
static_assert(sizeof(struct context_entry) ==
	      INTEL_REPLACE_CONTEXT_WORDS * sizeof(u64));

/**
 * struct intel_replace_ctx - A replacement under way
 * @dev: The device
 * @info: Its IOMMU data
 * @domain: The new domain, with an id on the unit and cache tags
 * @old: The old domain
 * @pasid: The PASID, IOMMU_NO_PASID in legacy mode
 * @rid: The requester id whose entry is being replaced
 * @live: That entry
 * @replace: What is asked of the planner
 * @plan: What it has answered, for several requester ids the last time
 * @write: Legacy mode: false while all requester ids are planned for
 */
struct intel_replace_ctx {
	struct device *dev;
	struct device_domain_info *info;
	struct dmar_domain *domain;
	struct dmar_domain *old;
	u32 pasid;
	u16 rid;
	u64 *live;
	struct intel_replace replace;
	struct intel_replace_plan plan;
	bool write;
};

static void replace_wrote(void *data, const struct intel_replace_write *write,
			  u64 old_lo, u64 old_hi)
{
	struct intel_replace_ctx *ctx = data;

	trace_entry_replace(ctx->info->iommu, ctx->dev, ctx->rid, ctx->pasid,
			    write->chunk, old_lo, old_hi, write->lo, write->hi);
}

/*
 * All of these wait for completion by themselves. DMA goes on, so the device
 * TLBs that need a second flush get it.
 */
static void replace_invalidate(void *data, enum intel_replace_inval inval,
			       u16 did)
{
	struct intel_replace_ctx *ctx = data;
	struct device_domain_info *info = ctx->info;
	struct intel_iommu *iommu = info->iommu;

	switch (inval) {
	case INTEL_REPLACE_LINE:
		__iommu_flush_cache(iommu, ctx->live,
				    ctx->plan.nr_words * sizeof(u64));
		break;
	case INTEL_REPLACE_CONTEXT_OLD:
		iommu->flush.flush_context(iommu, did, ctx->rid,
					   DMA_CCMD_MASK_NOBIT,
					   DMA_CCMD_DEVICE_INVL);
		break;
	case INTEL_REPLACE_PASID_OLD:
	case INTEL_REPLACE_PASID_NEW:
		qi_flush_pasid_cache(iommu, did, QI_PC_PASID_SEL, ctx->pasid);
		break;
	case INTEL_REPLACE_IOTLB_OLD:
		iommu->flush.flush_iotlb(iommu, did, 0, 0, DMA_TLB_DSI_FLUSH);
		break;
	case INTEL_REPLACE_PIOTLB_OLD:
	case INTEL_REPLACE_PIOTLB_NEW:
		qi_flush_piotlb_all(iommu, did, ctx->pasid);
		break;
	case INTEL_REPLACE_DEVTLB:
		devtlb_invalidation_with_pasid(iommu, ctx->dev, ctx->pasid);
		if (info->ats_enabled)
			quirk_extra_dev_tlb_flush(info, 0, MAX_AGAW_PFN_WIDTH,
						  ctx->pasid, info->ats_qdep);
		break;
	case INTEL_REPLACE_WAIT:
		break;
	}
}

static const struct intel_replace_ops replace_ops = {
	.wrote = replace_wrote,
	.invalidate = replace_invalidate,
};

/* Only who cannot be blocked and attached instead is held up by it */
static int refuse(struct intel_replace_ctx *ctx, const char *reason)
{
	if (intel_liveupdate_device_incoming(ctx->info))
		dev_warn_ratelimited(ctx->dev, "entry of %02x:%02x.%d pasid %u cannot be replaced live: %s\n",
				     PCI_BUS_NUM(ctx->rid),
				     PCI_SLOT(ctx->rid & 0xff),
				     PCI_FUNC(ctx->rid & 0xff), ctx->pasid,
				     reason);
	return -EOPNOTSUPP;
}

/* The live and the wanted entry are in ctx->replace; nothing is written */
static int plan_entry(struct intel_replace_ctx *ctx)
{
	struct intel_iommu *iommu = ctx->info->iommu;

	lockdep_assert_held(&iommu->lock);
	if (intel_replace_plan(&ctx->replace, &ctx->plan))
		return refuse(ctx, ctx->plan.reason);
	if (ctx->plan.old_id != domain_id_iommu(ctx->old, iommu))
		return refuse(ctx, "it is not that of the old domain");
	return 0;
}

/* What an attach would write, but with the device TLB on or off as it is */
static void want_context(struct intel_replace_ctx *ctx,
			 const struct context_entry *live,
			 struct context_entry *want)
{
	struct pt_iommu_vtdss_hw_info pt_info;

	pt_iommu_vtdss_hw_info(&ctx->domain->sspt, &pt_info);
	context_set_domain_id(want, domain_id_iommu(ctx->domain, ctx->info->iommu));
	context_set_address_root(want, pt_info.ssptptr);
	context_set_address_width(want, pt_info.aw);
	context_set_translation_type(want, live->lo >> 2);
	context_set_present(want);
}

static int legacy_replace_rid(struct intel_replace_ctx *ctx, u16 rid)
{
	struct context_entry want = {}, *live;
	int ret;

	ctx->rid = rid;
	live = iommu_context_addr(ctx->info->iommu, PCI_BUS_NUM(rid),
				  rid & 0xff, 0);
	if (!live)
		return refuse(ctx, "it does not exist");

	want_context(ctx, live, &want);
	/* Met before, or shared with a device that was moved before */
	if (live->lo == want.lo && live->hi == want.hi)
		return 0;
	ctx->live = &live->lo;
	memcpy(ctx->replace.old, live, sizeof(*live));
	memcpy(ctx->replace.new, &want, sizeof(want));
	ret = plan_entry(ctx);
	if (ret || !ctx->write)
		return ret;
	return intel_replace_execute(ctx->live, &ctx->plan, &replace_ops, ctx);
}

static int legacy_replace_alias(struct pci_dev *pdev, u16 alias, void *data)
{
	return legacy_replace_rid(data, alias);
}

static int legacy_replace_rids(struct intel_replace_ctx *ctx)
{
	struct device_domain_info *info = ctx->info;

	if (!dev_is_pci(ctx->dev))
		return legacy_replace_rid(ctx, PCI_DEVID(info->bus, info->devfn));
	return pci_for_each_dma_alias(to_pci_dev(ctx->dev), legacy_replace_alias,
				      ctx);
}

/**
 * intel_legacy_replace - Replace the live context entries of a device
 * @domain: Second stage domain, with an id on the unit and cache tags
 * @old: The one the entries name
 * @dev: The device, on a unit in legacy mode
 *
 * All requester ids of the device are planned for before the first is written.
 * One that names the new domain already stays as it is: a device may have the
 * same requester id in several ways, or share one with another of its group.
 * Lists, ids and cache tags of the domains are not touched.
 *
 * Context: Group mutex held. Takes did_lock and intel_iommu.lock.
 * Return: 0; -EOPNOTSUPP if an entry cannot be replaced without a gap, -EBUSY if
 * the unit was handed over to the next kernel. Nothing is written on failure.
 */
int intel_legacy_replace(struct dmar_domain *domain, struct dmar_domain *old,
			 struct device *dev)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	struct intel_replace_ctx ctx = {
		.dev = dev, .info = info, .domain = domain, .old = old,
		.pasid = IOMMU_NO_PASID,
		.replace.kind = INTEL_REPLACE_CONTEXT,
	};
	struct intel_iommu *iommu = info->iommu;
	int ret;

	if (!intel_domain_is_ss_paging(domain) || !intel_domain_is_ss_paging(old))
		return -EOPNOTSUPP;

	guard(mutex)(&iommu->did_lock);
	scoped_guard(spinlock, &iommu->lock) {
		if (intel_liveupdate_handed_over(iommu))
			return -EBUSY;
		ret = legacy_replace_rids(&ctx);
		if (ret)
			return ret;
		ctx.write = true;
		ret = legacy_replace_rids(&ctx);
		/* Planned under the same lock: there is nothing left to fail */
		WARN_ON_ONCE(ret);
	}
	intel_replace_close(&ctx.plan, &replace_ops, &ctx);
	return ret;
}

static bool is_paging(struct dmar_domain *domain)
{
	return intel_domain_is_fs_paging(domain) ||
	       intel_domain_is_ss_paging(domain);
}

/* Page requests under way name no domain, so they cannot change it */
static bool replaceable(struct dmar_domain *domain, struct dmar_domain *old)
{
	return is_paging(domain) && is_paging(old) &&
	       !domain->domain.iopf_handler && !old->domain.iopf_handler;
}

static enum intel_replace_kind pasid_kind(struct dmar_domain *domain,
					  struct dmar_domain *old)
{
	bool new_fs = intel_domain_is_fs_paging(domain);

	if (intel_domain_is_fs_paging(old))
		return new_fs ? INTEL_REPLACE_FS_TO_FS : INTEL_REPLACE_FS_TO_SS;
	return new_fs ? INTEL_REPLACE_SS_TO_FS : INTEL_REPLACE_SS_TO_SS;
}

/* Does @domain have its id on the unit for one attachment only? */
static bool id_used_once(struct dmar_domain *domain, struct intel_iommu *iommu)
{
	struct iommu_domain_info *info;

	lockdep_assert_held(&iommu->did_lock);
	info = xa_load(&domain->iommu_array, iommu->seq_id);
	return info->refcnt == 1;
}

/* The domain that needs the plan's cache tag, and the id it is for */
static struct dmar_domain *tag_owner(struct intel_replace_ctx *ctx, u16 *did)
{
	struct intel_iommu *iommu = ctx->info->iommu;

	switch (intel_replace_tag(ctx->replace.kind, ctx->replace.new_id_unused)) {
	case INTEL_REPLACE_TAG_OLD_ID:
		*did = domain_id_iommu(ctx->old, iommu);
		return ctx->domain;
	case INTEL_REPLACE_TAG_NEW_ID:
		*did = domain_id_iommu(ctx->domain, iommu);
		return ctx->old;
	default:
		return NULL;
	}
}

/* The live entry; unlike for an attach there is nothing to allocate */
static struct pasid_entry *pasid_live_entry(struct device_domain_info *info,
					    u32 pasid)
{
	struct pasid_table *table = info->pasid_table;
	struct pasid_dir_entry *dir;
	struct pasid_entry *entries;

	if (!table || pasid >= table->max_pasid)
		return NULL;
	dir = table->table;
	entries = get_pasid_table_from_pde(&dir[pasid >> PASID_PDE_SHIFT]);
	return entries ? &entries[pasid & PASID_PTE_MASK] : NULL;
}

static int pasid_write_entry(struct intel_replace_ctx *ctx)
{
	struct intel_iommu *iommu = ctx->info->iommu;
	struct pasid_entry want = {}, *live;
	int ret;

	guard(spinlock)(&iommu->lock);
	if (intel_liveupdate_handed_over(iommu))
		return -EBUSY;
	live = pasid_live_entry(ctx->info, ctx->pasid);
	if (!live)
		return refuse(ctx, "it does not exist");
	ret = intel_pasid_config_paging(iommu, &want, ctx->domain);
	if (ret)
		return ret;

	ctx->live = live->val;
	memcpy(ctx->replace.old, live->val, sizeof(live->val));
	memcpy(ctx->replace.new, want.val, sizeof(want.val));
	ret = plan_entry(ctx);
	if (ret)
		return ret;
	return intel_replace_execute(ctx->live, &ctx->plan, &replace_ops, ctx);
}

/**
 * intel_pasid_replace - Replace a live PASID entry
 * @domain: First or second stage domain, with an id on the unit and cache tags
 * @old: The one the entry names
 * @dev: The device, on a unit in scalable mode
 * @pasid: The PASID, or IOMMU_NO_PASID
 *
 * Lists and ids of the domains are not touched, their cache tags only while this
 * runs.
 *
 * Context: Group mutex held, may sleep. Takes did_lock and intel_iommu.lock.
 * Return: 0; -EOPNOTSUPP if the entry cannot be replaced without a gap, -EBUSY if
 * the unit was handed over to the next kernel, -ENOMEM without memory for a cache
 * tag, -EINVAL for a table of another depth than first stage has. Nothing is
 * written on failure.
 */
int intel_pasid_replace(struct dmar_domain *domain, struct dmar_domain *old,
			struct device *dev, u32 pasid)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	struct intel_replace_ctx ctx = {
		.dev = dev, .info = info, .domain = domain, .old = old,
		.pasid = pasid, .rid = PCI_DEVID(info->bus, info->devfn),
		.replace.kind = pasid_kind(domain, old),
	};
	struct intel_iommu *iommu = info->iommu;
	struct dmar_domain *owner;
	u16 did = 0;
	int ret;

	if (!replaceable(domain, old))
		return -EOPNOTSUPP;

	guard(mutex)(&iommu->did_lock);
	ctx.replace.new_id_unused = id_used_once(domain, iommu);
	owner = tag_owner(&ctx, &did);
	if (owner) {
		ret = cache_tag_assign(owner, did, dev, pasid, CACHE_TAG_IOTLB);
		if (ret)
			return ret;
	}

	ret = pasid_write_entry(&ctx);
	if (!ret)
		intel_replace_close(&ctx.plan, &replace_ops, &ctx);

	if (owner)
		cache_tag_unassign(owner, did, dev, pasid, CACHE_TAG_IOTLB);
	return ret;
}

static void unlink_device(struct device_domain_info *info,
			  struct dmar_domain *domain)
{
	guard(spinlock_irqsave)(&domain->lock);
	list_del(&info->link);
}

static bool lacks_page_snoop(struct device_domain_info *info)
{
	struct pasid_entry *live = pasid_live_entry(info, IOMMU_NO_PASID);

	return live && !(READ_ONCE(live->val[1]) & PASID_ENTRY_PGSNP);
}

/*
 * While the device was on no list, dirty tracking or snooping may have been
 * changed for all devices that were. Nothing is written if the entry agrees.
 */
static void link_device(struct device_domain_info *info,
			struct dmar_domain *domain)
{
	struct intel_iommu *iommu = info->iommu;

	guard(spinlock_irqsave)(&domain->lock);
	info->domain = domain;
	list_add(&info->link, &domain->devices);
	if (!sm_supported(iommu))
		return;
	if (intel_domain_is_ss_paging(domain))
		intel_pasid_setup_dirty_tracking(iommu, info->dev, IOMMU_NO_PASID,
						 domain->dirty_tracking);
	else if (domain->force_snooping && lacks_page_snoop(info))
		intel_pasid_setup_page_snoop_control(iommu, info->dev,
						     IOMMU_NO_PASID);
}

static bool can_replace(struct device_domain_info *info,
			struct dmar_domain *domain)
{
	struct dmar_domain *old = info->domain;

	return info->domain_attached && old && old != domain &&
	       replaceable(domain, old) &&
	       !dev_is_real_dma_subdevice(info->dev) &&
	       !context_copied(info->iommu, info->bus, info->devfn) &&
	       system_has_cmpxchg128();
}

/**
 * intel_replace_domain - Attach a device to another paging domain without a gap
 * @domain: Paging domain
 * @dev: The device, attached to another one
 *
 * Context: Group mutex held, may sleep.
 * Return: 0; -EOPNOTSUPP if it is not possible without a gap, -EINVAL if @domain
 * does not fit the unit, -EBUSY if the unit was handed over to the next kernel,
 * -ENOSPC without a free domain id, -ENOMEM without memory. On failure the device
 * is attached as it was and nothing is left behind.
 */
int intel_replace_domain(struct dmar_domain *domain, struct device *dev)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	struct dmar_domain *old = info->domain;
	struct intel_iommu *iommu = info->iommu;
	int ret;

	if (!can_replace(info, domain))
		return -EOPNOTSUPP;
	ret = paging_domain_compatible(&domain->domain, dev);
	if (ret)
		return ret;
	ret = domain_attach_iommu(domain, iommu);
	if (ret)
		return ret;
	ret = cache_tag_assign_domain(domain, dev, IOMMU_NO_PASID);
	if (ret)
		goto err_detach;

	unlink_device(info, old);
	if (sm_supported(iommu))
		ret = intel_pasid_replace(domain, old, dev, IOMMU_NO_PASID);
	else
		ret = intel_legacy_replace(domain, old, dev);
	if (ret)
		goto err_link;

	link_device(info, domain);
	cache_tag_unassign_domain(old, dev, IOMMU_NO_PASID);
	domain_detach_iommu(old, iommu);
	return 0;

err_link:
	link_device(info, old);
	cache_tag_unassign_domain(domain, dev, IOMMU_NO_PASID);
err_detach:
	domain_detach_iommu(domain, iommu);
	return ret;
}
