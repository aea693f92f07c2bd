// SPDX-License-Identifier: GPL-2.0
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */

/**
 * DOC: IOMMU live update, the way back
 *
 * How a device that came in by live update becomes one like any other, and how
 * the domain it came with goes. liveupdate.c has the whole picture.
 *
 * A device that is taken over by its program:
 *
 * 1. iommu_device_reclaim() hands the group from live update to the iommufd, with
 *    its first device that is taken. The others are for the same iommufd, one by one.
 *    Domain and hardware stay as they are.
 * 2. iommufd replaces the domain, or detaches the device, in the ordinary way, which
 *    is that all members change over at once, those that nobody has taken as well.
 *    The driver replaces a restored domain without a gap or not at all.
 * 3. iommu_liveupdate_replaced(): the records of all that were taken are done with,
 *    of a device with PASIDs when each has left what it came in on. Whoever was
 *    not has *left*: it may be taken yet, and until then it is the session's, to
 *    be blocked if nobody comes.
 * 4. If the device was abandoned in between, and cannot be reset when its file
 *    is closed, iommu_liveupdate_stay_blocked() gets its group back.
 *
 * A device that nobody has taken, with a driver or without, there or not:
 *
 * 1. iommu_liveupdate_block() blocks it at the IOMMU.
 * 2. The caller tries to reset it.
 * 3. iommu_liveupdate_abandon(): its record is done with. A device that was
 *    reset is given back to the kernel, with the last one of its group if that is
 *    still live update's, or follows its group if that is somebody's. One that was
 *    not may still be running: it stays blocked and owned by live update.
 *
 * iommu_liveupdate_can_block() says before, without any effect, whether 1. will stop
 * the device. If not, and if it cannot be reset, its memory must not be given back:
 * iommu_liveupdate_stopped() tells that it was, and before a session is finished
 * iommu_liveupdate_can_abandon_domain() looks at each device of a domain.
 *
 * When the last attachment of a restored domain on a unit is done with, the id
 * of the domain is flushed and released there. With the last of all the domain is
 * freed: its table pages are claimed and returned. A domain that nobody could
 * restore, or that had no attachment at all, is restored for that purpose only.
 *
 * The pages may be hundreds of thousands. The caller holds locks that others wait
 * for, iommu_probe_device_lock and those of VFIO and iommufd, so only ids and PASID
 * tables are given back at once, and a work item sees to the pages. By then nobody else
 * knows of the page table, no hardware walks it, and its pages are marked by KHO
 * until they are claimed. So whatever comes in between need not wait for it:
 * another device, FINISH, the next PRESERVE_FD. A kexec may come as well: it hands
 * over what is preserved in this kernel, and these pages are not, so for the next
 * kernel they are free memory. iommu_liveupdate_freeing_pages() tells how many
 * pages are left.
 *
 * Locking: iommu_probe_device_lock is held by everything that ends an
 * attachment, so that no device is being probed and the domain objects stay.
 * group->mutex is taken below it. None of this takes a device_lock.
 */

#define pr_fmt(fmt) "iommu: liveupdate: " fmt

#include <linux/atomic.h>
#include <linux/iommu.h>
#include <linux/iommu-liveupdate.h>
#include <linux/list.h>
#include <linux/liveupdate_timing.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include "dma-iommu.h"
#include "iommu-group.h"
#include "iommu-priv.h"
#include "liveupdate.h"
#include "liveupdate-hooks.h"

static void iommu_liveupdate_free_work(struct work_struct *work);

/* Page tables to be given back, struct iommu_liveupdate_in_domain */
static LIST_HEAD(iommu_liveupdate_freeing);
static DEFINE_SPINLOCK(iommu_liveupdate_freeing_lock);
static DECLARE_WORK(iommu_liveupdate_freeing_work, iommu_liveupdate_free_work);
static atomic_long_t iommu_liveupdate_nr_freeing = ATOMIC_LONG_INIT(0);

static const struct iommu_liveupdate_ops *
iommu_liveupdate_ops_of(struct iommu_device *iommu)
{
	return iommu->ops->liveupdate_ops;
}

/* Is nobody else on the domain? With @unit, on it behind the same unit? */
static bool iommu_liveupdate_last(struct iommu_liveupdate_in_domain *dom,
				  const struct iommu_liveupdate_in_unit *unit)
{
	struct iommu_liveupdate_in_attachment *att;

	lockdep_assert_held(&iommu_probe_device_lock);

	list_for_each_entry(att, &dom->attachments, domain_entry)
		if ((!unit || att->device->unit == unit) && !att->released)
			return false;
	return true;
}

/* A unit for the domain: that of an attachment, else any of the same driver */
static struct iommu_device *
iommu_liveupdate_domain_unit(struct iommu_liveupdate_in_domain *dom)
{
	struct iommu_liveupdate_in_attachment *att;
	struct iommu_device *iommu;

	list_for_each_entry(att, &dom->attachments, domain_entry) {
		iommu = iommu_liveupdate_unit_device(&att->device->unit->ser);
		if (iommu)
			return iommu;
	}
	return iommu_liveupdate_unit_device(NULL);
}

/* Nobody has the domain, but its pages have to be found to be given back */
static struct iommu_domain *
iommu_liveupdate_domain_to_free(struct iommu_liveupdate_in_domain *dom)
{
	struct iommu_device *iommu = iommu_liveupdate_domain_unit(dom);
	struct iommu_domain *domain;

	if (!iommu)
		return ERR_PTR(-ENODEV);
	domain = iommu_liveupdate_ops_of(iommu)->domain_restore(iommu, &dom->ser);
	if (IS_ERR(domain))
		return domain;

	iommu_domain_init(domain, IOMMU_DOMAIN_UNMANAGED, iommu->ops);
	WRITE_ONCE(domain->liveupdate, IOMMU_LIVEUPDATE_RESTORED);
	return domain;
}

static struct iommu_liveupdate_in_domain *iommu_liveupdate_next_freeing(void)
{
	struct iommu_liveupdate_in_domain *dom;

	guard(spinlock)(&iommu_liveupdate_freeing_lock);
	dom = list_first_entry_or_null(&iommu_liveupdate_freeing,
				       struct iommu_liveupdate_in_domain,
				       freeing_entry);
	if (dom)
		list_del(&dom->freeing_entry);
	return dom;
}

/* Without any lock, see the DOC block */
static void iommu_liveupdate_free_work(struct work_struct *work)
{
	struct iommu_liveupdate_in_domain *dom;

	while ((dom = iommu_liveupdate_next_freeing())) {
		iommu_domain_free(dom->freeing);
		atomic_long_sub(dom->ser.nr_tables, &iommu_liveupdate_nr_freeing);
		iommu_liveupdate_incoming_put(dom->in);
		cond_resched();
	}
}

static void iommu_liveupdate_free_later(struct iommu_liveupdate_in_domain *dom,
					struct iommu_domain *domain)
{
	kref_get(&dom->in->ref);
	dom->freeing = domain;
	atomic_long_add(dom->ser.nr_tables, &iommu_liveupdate_nr_freeing);
	scoped_guard(spinlock, &iommu_liveupdate_freeing_lock)
		list_add_tail(&dom->freeing_entry, &iommu_liveupdate_freeing);
	queue_work(system_dfl_wq, &iommu_liveupdate_freeing_work);
}

/**
 * iommu_liveupdate_freeing_pages - How many pages are being given back?
 *
 * Context: Any.
 * Return: Table pages of restored domains that are done with. 0 when nothing is
 * left to be done for them.
 */
long iommu_liveupdate_freeing_pages(void)
{
	return atomic_long_read(&iommu_liveupdate_nr_freeing);
}

#if IS_ENABLED(CONFIG_KUNIT)
void iommu_liveupdate_wait_freed(void)
{
	flush_work(&iommu_liveupdate_freeing_work);
}
#endif

static void iommu_liveupdate_free_domain(struct iommu_liveupdate_in_domain *dom)
{
	struct iommu_domain *domain;

	scoped_guard(mutex, &iommu_liveupdate_incoming_lock) {
		domain = dom->domain;
		dom->domain = NULL;
		dom->freed = true;
	}
	if (!domain)
		domain = iommu_liveupdate_domain_to_free(dom);
	if (IS_ERR(domain)) {
		pr_warn("%llu table pages of a domain cannot be given back: %pe\n",
			dom->ser.nr_tables, domain);
		return;
	}
	iommu_liveupdate_free_later(dom, domain);
}

static bool
iommu_liveupdate_all_left(const struct iommu_liveupdate_in_device *in_dev)
{
	struct iommu_liveupdate_in_attachment *att;

	list_for_each_entry(att, &in_dev->attachments, device_entry)
		if (!att->left)
			return false;
	return true;
}

/* Once. If it was the last of a domain, that goes. */
static void
iommu_liveupdate_release_attachment(struct iommu_device *iommu,
				    struct iommu_liveupdate_in_attachment *att)
{
	struct iommu_liveupdate_in_unit *unit = att->device->unit;
	struct iommu_liveupdate_in_domain *dom = att->domain;

	if (att->released)
		return;

	att->released = true;
	if (iommu)
		iommu_liveupdate_ops_of(iommu)->att_release(iommu, dom->domain,
							    &att->ser,
							    iommu_liveupdate_last(dom, unit));
	if (!dom->freed && iommu_liveupdate_last(dom, NULL))
		iommu_liveupdate_free_domain(dom);
}

/* A device has left all that its record names */
static void iommu_liveupdate_release(struct iommu_liveupdate_in_device *in_dev)
{
	struct iommu_device *iommu = iommu_liveupdate_unit_device(&in_dev->unit->ser);
	struct iommu_liveupdate_in_attachment *att;

	lockdep_assert_held(&iommu_probe_device_lock);

	/* Nothing is freed that hardware may walk, and nothing twice */
	if (in_dev->live || in_dev->released)
		return;

	in_dev->released = true;
	if (iommu)
		iommu_liveupdate_ops_of(iommu)->dev_release(iommu, &in_dev->ser);
	list_for_each_entry(att, &in_dev->attachments, device_entry)
		iommu_liveupdate_release_attachment(iommu, att);
}

/* Likewise of what the device was on without PASID, or by one of its PASIDs */
static void iommu_liveupdate_release_left(struct iommu_liveupdate_in_attachment *att)
{
	struct iommu_liveupdate_in_device *in_dev = att->device;
	struct iommu_device *iommu;

	iommu = iommu_liveupdate_unit_device(&in_dev->unit->ser);
	if (iommu_liveupdate_all_left(in_dev))
		iommu_liveupdate_release(in_dev);
	else if (!in_dev->live)
		iommu_liveupdate_release_attachment(iommu, att);
}

/**
 * iommu_liveupdate_free_unused - Free domains that no device will leave any more
 * @in: All copies, found by nobody any more
 *
 * A page table may be preserved without any device, and then nobody comes to
 * leave it. Or its devices were blocked at their probe, and the files that stand
 * for them cannot be used.
 *
 * Context: May sleep. Takes iommu_probe_device_lock. Finish of the FLB.
 */
void iommu_liveupdate_free_unused(struct iommu_liveupdate_incoming *in)
{
	struct iommu_liveupdate_in_device *in_dev;
	struct iommu_liveupdate_in_domain *dom;

	guard(mutex)(&iommu_probe_device_lock);
	list_for_each_entry(in_dev, &in->devices, list) {
		if (in_dev->state != IOMMU_LIVEUPDATE_DEV_BLOCKED)
			continue;
		iommu_liveupdate_set_state(in_dev, IOMMU_LIVEUPDATE_DEV_ABANDONED, 0);
		iommu_liveupdate_release(in_dev);
	}
	list_for_each_entry(dom, &in->domains, list) {
		if (dom->freed)
			continue;
		if (iommu_liveupdate_last(dom, NULL))
			iommu_liveupdate_free_domain(dom);
		else
			pr_warn("a domain is still in use, its %llu table pages are lost\n",
				dom->ser.nr_tables);
	}
}

/* For later: at boot there may have been none to be had */
static int iommu_liveupdate_default_domain(struct iommu_group *group)
{
	struct group_device *gdev;
	int ret;

	if (group->default_domain)
		return 0;

	/* Live update owns the group, so that nothing is attached */
	ret = iommu_setup_default_domain(group, 0);
	if (ret)
		return ret;
	for_each_group_device(group, gdev)
		iommu_setup_dma_ops(gdev->dev, group->default_domain);
	return 0;
}

static enum iommu_liveupdate_dev_state
iommu_liveupdate_state(const struct iommu_liveupdate_in_device *in_dev)
{
	guard(mutex)(&iommu_liveupdate_incoming_lock);
	return in_dev->state;
}

static int iommu_liveupdate_reclaim_check(struct iommu_group *group,
					  struct iommu_liveupdate_in_device *in_dev)
{
	enum iommu_liveupdate_dev_state state = iommu_liveupdate_state(in_dev);

	if (READ_ONCE(in_dev->err))
		return -EIO;
	if (state == IOMMU_LIVEUPDATE_DEV_LEFT)
		return 0;
	if (state != IOMMU_LIVEUPDATE_DEV_RESTORED)
		return -EIO;
	/* It is on the domain of its group; else it was blocked */
	if (WARN_ON_ONCE(!iommu_liveupdate_group_restored(group)))
		return -EIO;
	return 0;
}

/* All that may be needed later and could not be had then */
static int iommu_liveupdate_reclaim_group(struct iommu_group *group)
{
	int ret = __iommu_group_alloc_blocking_domain(group);

	return ret ?: iommu_liveupdate_default_domain(group);
}

/* From here on @dev is released and probed like any other */
static void iommu_liveupdate_drop_record(struct device *dev)
{
	struct iommu_liveupdate_in_device *in_dev = dev->iommu->liveupdate;

	lockdep_assert_held(&dev->iommu_group->mutex);

	WRITE_ONCE(dev->iommu->liveupdate, NULL);
	iommu_liveupdate_put_device(in_dev);
}

static void iommu_liveupdate_take(struct iommu_group *group, struct device *dev,
				  void *owner)
{
	struct iommu_liveupdate_in_device *in_dev = dev->iommu->liveupdate;

	if (iommu_liveupdate_owns_group(group))
		group->owner = owner;
	else
		group->owner_cnt++;
	in_dev->taken = true;
	if (iommu_liveupdate_state(in_dev) == IOMMU_LIVEUPDATE_DEV_LEFT) {
		iommu_liveupdate_set_state(in_dev, IOMMU_LIVEUPDATE_DEV_REPLACED, 0);
		iommu_liveupdate_drop_record(dev);
	}
}

/**
 * iommu_device_reclaim - Take an incoming device over from live update
 * @dev: The device, bound to a driver
 * @owner: Its owner from now on
 *
 * The owner of the group changes and nothing else: the domain stays, hardware is
 * not touched, the blocking domain is not attached. Everything that could fail
 * later on, when the device is detached or given up, is allocated first. From
 * here on the group can be given another domain by iommu_replace_group_handle()
 * or be detached; there is no handle of the restored attachment.
 *
 * Of a group that @owner has by another member nothing changes at all. If it has
 * another domain by now, then @dev has it as well, and is a device like any other.
 *
 * Context: May sleep. Takes group->mutex. The caller makes sure that @dev stays.
 * Return: 0. -ENODEV if @dev did not come in by live update, or is not on its
 * restored domain any more. -EPERM if it, or another of its group by another owner,
 * was taken over before. -EIO if it was blocked. -ENOMEM or another errno of the
 * IOMMU driver if it has no domain for the time after. Nothing has changed then.
 */
int iommu_device_reclaim(struct device *dev, void *owner)
{
	struct iommu_group *group = dev->iommu_group;
	struct iommu_liveupdate_in_device *in_dev;
	int ret;

	if (WARN_ON(!owner))
		return -EINVAL;
	if (!group)
		return -ENODEV;

	guard(mutex)(&group->mutex);
	in_dev = dev->iommu ? READ_ONCE(dev->iommu->liveupdate) : NULL;
	if (!in_dev)
		return -ENODEV;
	if (in_dev->taken || (!iommu_liveupdate_owns_group(group) &&
			      group->owner != owner))
		return -EPERM;
	ret = iommu_liveupdate_reclaim_check(group, in_dev);
	if (ret)
		return ret;
	if (iommu_liveupdate_owns_group(group)) {
		ret = iommu_liveupdate_reclaim_group(group);
		if (ret)
			return ret;
	}

	iommu_liveupdate_take(group, dev, owner);
	return 0;
}
EXPORT_SYMBOL_NS_GPL(iommu_device_reclaim, "IOMMUFD_INTERNAL");

/* A member that was blocked and then reset gets what its group has */
static int iommu_liveupdate_give_back_member(struct iommu_group *group,
					     struct group_device *gdev)
{
	const struct iommu_liveupdate_ops *ops = dev_iommu_ops(gdev->dev)->liveupdate_ops;
	unsigned long pasid = IOMMU_NO_PASID;
	int ret = 0;

	lockdep_assert_held(&group->mutex);

	/* Not what came in, which the others will leave, nor PASIDs that it has not */
	if (iommu_liveupdate_group_restored(group) ||
	    xa_find_after(&group->pasid_array, &pasid, ULONG_MAX, XA_PRESENT))
		return -EAGAIN;
	if (ops)
		ret = ops->dev_unblock(gdev->dev);
	if (!ret && group->domain != group->blocking_domain)
		ret = group->domain->ops->attach_dev(group->domain, gdev->dev,
						     group->blocking_domain);
	if (ret)
		return ret;
	gdev->closed = false;
	iommu_liveupdate_drop_record(gdev->dev);
	return 0;
}

/**
 * iommu_liveupdate_give_back_waiting - Members follow their group again
 * @group: The group, which has left a domain or a PASID
 *
 * That is those that were reset, and had to wait until their group had no more of
 * what came in, nor PASIDs.
 *
 * Context: The caller holds group->mutex.
 */
void iommu_liveupdate_give_back_waiting(struct iommu_group *group)
{
	struct iommu_liveupdate_in_device *in_dev;
	struct group_device *gdev;

	for_each_group_device(group, gdev) {
		in_dev = iommu_liveupdate_member_record(gdev);
		if (in_dev && in_dev->reset)
			iommu_liveupdate_give_back_member(group, gdev);
	}
}

static struct iommu_liveupdate_in_attachment *
iommu_liveupdate_attachment(struct iommu_liveupdate_in_device *in_dev,
			    u32 pasid)
{
	struct iommu_liveupdate_in_attachment *att;

	list_for_each_entry(att, &in_dev->attachments, device_entry)
		if (att->ser.pasid == pasid)
			return att;
	return NULL;
}

/* A member whose record says that it is on what the group has left, with a reference */
static struct iommu_liveupdate_in_attachment *
iommu_liveupdate_next_left(struct iommu_group *group, u32 pasid)
{
	struct iommu_liveupdate_in_attachment *att;
	struct iommu_liveupdate_in_device *in_dev;
	struct group_device *gdev;

	lockdep_assert_held(&group->mutex);

	for_each_group_device(group, gdev) {
		in_dev = iommu_liveupdate_member_record(gdev);
		if (!in_dev || READ_ONCE(in_dev->err) ||
		    iommu_liveupdate_state(in_dev) != IOMMU_LIVEUPDATE_DEV_RESTORED)
			continue;
		att = iommu_liveupdate_attachment(in_dev, pasid);
		if (!att || att->left)
			continue;
		kref_get(&in_dev->in->ref);
		att->left = true;
		if (!iommu_liveupdate_all_left(in_dev))
			return att;
		iommu_liveupdate_set_state(in_dev, in_dev->taken ?
					   IOMMU_LIVEUPDATE_DEV_REPLACED :
					   IOMMU_LIVEUPDATE_DEV_LEFT, 0);
		if (in_dev->taken)
			iommu_liveupdate_drop_record(gdev->dev);
		return att;
	}
	return NULL;
}

/**
 * iommu_liveupdate_replaced - A group has left its restored domain
 * @dev: A device of it, reclaimed, and attached to another domain since
 * @pasid: The PASID by which it was on it, IOMMU_NO_PASID for none
 *
 * If it was the last one the domain is freed, so the caller must not use it any
 * more. Does nothing for a group that is not on a restored domain.
 *
 * Context: May sleep. Takes iommu_probe_device_lock, group->mutex and locks of the
 * IOMMU driver.
 */
void iommu_liveupdate_replaced(struct device *dev, u32 pasid)
{
	struct iommu_group *group = dev->iommu_group;
	struct iommu_liveupdate_in_attachment *att;
	struct iommu_liveupdate_incoming *in;

	if (!group)
		return;

	guard(mutex)(&iommu_probe_device_lock);
	do {
		scoped_guard(mutex, &group->mutex) {
			if (iommu_liveupdate_owns_group(group))
				return;
			/* The table is live; a caller that comes too early loses it */
			if (WARN_ON_ONCE(iommu_liveupdate_pasid_restored(group, pasid)))
				return;
			att = iommu_liveupdate_next_left(group, pasid);
			if (!att)
				iommu_liveupdate_give_back_waiting(group);
		}
		if (att) {
			in = att->device->in;
			iommu_liveupdate_release_left(att);
			iommu_liveupdate_incoming_put(in);
			liveupdate_phase_end(LIVEUPDATE_PHASE_ATTACH);
		}
	} while (att);
}
EXPORT_SYMBOL_NS_GPL(iommu_liveupdate_replaced, "IOMMUFD_INTERNAL");

/**
 * iommu_liveupdate_device_restored - Is a device on its restored domain?
 * @dev: The device
 *
 * Context: May sleep. Takes group->mutex. The caller makes sure that @dev stays.
 * Return: true from its probe until its group is replaced or detached, or it is
 * blocked, whoever owns it.
 */
bool iommu_liveupdate_device_restored(struct device *dev)
{
	struct iommu_group *group = dev->iommu_group;
	struct group_device *gdev;

	if (!group)
		return false;

	guard(mutex)(&group->mutex);
	for_each_group_device(group, gdev)
		if (gdev->dev == dev)
			return !gdev->closed &&
			       iommu_liveupdate_group_restored(group);
	return false;
}
EXPORT_SYMBOL_GPL(iommu_liveupdate_device_restored);

/* The member of a record, as long as the group is locked */
static struct group_device *
iommu_liveupdate_member(struct iommu_group *group,
			struct iommu_liveupdate_in_device *in_dev)
{
	struct group_device *gdev;

	lockdep_assert_held(&group->mutex);

	for_each_group_device(group, gdev)
		if (iommu_liveupdate_member_record(gdev) == in_dev)
			return gdev;
	return NULL;
}

static struct iommu_group *
iommu_liveupdate_group_of(struct iommu_liveupdate_in_device *in_dev)
{
	guard(mutex)(&iommu_liveupdate_incoming_lock);
	return in_dev->group ? iommu_group_ref_get(in_dev->group) : NULL;
}

/*
 * Also those that the group was given since, as what they lead to may be freed when
 * this device does not follow its group any more. Ops are there: they were attached.
 */
static void iommu_liveupdate_block_pasids(struct iommu_group *group,
					  struct device *dev)
{
	struct iommu_domain *blocked = group->blocking_domain;
	unsigned long pasid;
	void *entry;

	if (!dev->iommu->max_pasids)
		return;
	xa_for_each_start(&group->pasid_array, pasid, entry, IOMMU_NO_PASID + 1) {
		WARN_ON_ONCE(blocked->ops->set_dev_pasid(blocked, dev, pasid,
							 iommu_pasid_array_domain(entry)));
		/* Of several that came in with records none has */
		if (iommu_liveupdate_pasid_restored(group, pasid))
			xa_erase(&group->pasid_array, pasid);
	}
}

/* Not by the core's way, which the group's owner bars */
static bool iommu_liveupdate_block_member(struct iommu_group *group,
					  struct iommu_liveupdate_in_device *in_dev)
{
	struct group_device *gdev;
	int ret;

	guard(mutex)(&group->mutex);
	gdev = iommu_liveupdate_member(group, in_dev);
	if (!gdev)
		return false;
	/* When the owner of its group let go of that */
	if (gdev->closed)
		return true;

	ret = __iommu_group_alloc_blocking_domain(group);
	if (!ret)
		ret = group->blocking_domain->ops->attach_dev(group->blocking_domain,
							      gdev->dev,
							      group->domain);
	/* Drivers with live update have a blocking domain that cannot fail */
	if (WARN_ON_ONCE(ret))
		return false;
	/* The driver may ask what the device is on, when its PASIDs are blocked */
	gdev->closed = true;
	iommu_liveupdate_block_pasids(group, gdev->dev);
	iommu_liveupdate_close_member(group, gdev);
	return true;
}

/**
 * iommu_liveupdate_block_ids - Block what the record of a device names
 * @in_dev: The record
 *
 * If that cannot be done its tables, and the page table of its domain, are never
 * freed, and the device is not given back: hardware may go on with it.
 *
 * Context: May sleep. The caller holds iommu_probe_device_lock.
 * Return: true if it is blocked; false if the unit of the record is not known
 * here, or not in the hands of its driver.
 */
bool iommu_liveupdate_block_ids(struct iommu_liveupdate_in_device *in_dev)
{
	struct iommu_device *iommu = iommu_liveupdate_unit_device(&in_dev->unit->ser);

	lockdep_assert_held(&iommu_probe_device_lock);

	in_dev->live = !iommu ||
		    !iommu_liveupdate_ops_of(iommu)->ids_block(iommu, &in_dev->ser);
	if (in_dev->live)
		iommu_liveupdate_say(err, &in_dev->ser,
				     ": unit 0x%llx is not in use here, its tables are kept until reboot\n",
				     in_dev->unit->ser.base);
	return !in_dev->live;
}

static void
iommu_liveupdate_block_record(struct iommu_liveupdate_in_device *in_dev)
{
	struct iommu_group *group;
	bool blocked = false;

	lockdep_assert_held(&iommu_probe_device_lock);

	/* Those before have something of their own to be blocked */
	if (iommu_liveupdate_state(in_dev) >= IOMMU_LIVEUPDATE_DEV_BLOCKED)
		return;

	group = iommu_liveupdate_group_of(in_dev);
	if (group) {
		blocked = iommu_liveupdate_block_member(group, in_dev);
		iommu_group_put(group);
	}
	if (!blocked)
		blocked = iommu_liveupdate_block_ids(in_dev);
	iommu_liveupdate_set_state(in_dev, IOMMU_LIVEUPDATE_DEV_BLOCKED, -ECANCELED);
	iommu_liveupdate_say(info, &in_dev->ser, " was not taken over, its %s\n",
			     blocked ? "DMA is blocked" : "IOMMU is not in use");
}

static bool iommu_liveupdate_record_can_block(const struct iommu_liveupdate_in_device *in_dev)
{
	lockdep_assert_held(&iommu_liveupdate_incoming_lock);

	if (in_dev->stopped)
		return true;
	if (in_dev->state == IOMMU_LIVEUPDATE_DEV_INCOMING)
		return iommu_liveupdate_unit_device(&in_dev->unit->ser);
	return !in_dev->live;
}

/**
 * iommu_liveupdate_can_block - Will an incoming device be blocked if nobody takes it?
 * @segment: PCI segment
 * @rid: Bus, device and function
 *
 * Changes nothing. That a unit which is known here can block is never in doubt: its
 * driver has adopted it, or has given it another root table.
 *
 * Context: May sleep. Takes iommu_probe_device_lock.
 * Return: false if the device may go on with DMA after iommu_liveupdate_block(), and
 * nobody can take it. True if it is blocked or can be, if it was replaced, was reset
 * before (iommu_liveupdate_stopped()), or if there is no record: then nothing is known
 * of its unit either, which is blocked as a whole if it is one of this kernel's.
 */
bool iommu_liveupdate_can_block(u32 segment, u32 rid)
{
	struct iommu_liveupdate_in_device *in_dev;
	bool can_block;

	guard(mutex)(&iommu_probe_device_lock);
	in_dev = iommu_liveupdate_lookup_device(segment, rid);
	if (!in_dev)
		return true;
	scoped_guard(mutex, &iommu_liveupdate_incoming_lock)
		can_block = iommu_liveupdate_record_can_block(in_dev);
	iommu_liveupdate_incoming_put(in_dev->in);
	return can_block;
}
EXPORT_SYMBOL_GPL(iommu_liveupdate_can_block);

/**
 * iommu_liveupdate_stopped - An incoming device that cannot be blocked was reset
 * @segment: PCI segment
 * @rid: Bus, device and function
 *
 * Nobody can take it, so it stays as it is after the reset, and its memory may be
 * given back.
 *
 * Context: May sleep. Takes iommu_probe_device_lock.
 */
void iommu_liveupdate_stopped(u32 segment, u32 rid)
{
	struct iommu_liveupdate_in_device *in_dev;

	guard(mutex)(&iommu_probe_device_lock);
	in_dev = iommu_liveupdate_lookup_device(segment, rid);
	if (!in_dev)
		return;
	scoped_guard(mutex, &iommu_liveupdate_incoming_lock)
		in_dev->stopped = true;
	iommu_liveupdate_incoming_put(in_dev->in);
}
EXPORT_SYMBOL_GPL(iommu_liveupdate_stopped);

/**
 * iommu_liveupdate_block - Block an incoming device that nobody has taken
 * @segment: PCI segment
 * @rid: Bus, device and function
 *
 * First half of abandoning it, before its reset. Works by the record, so that
 * the device may have no driver, or be gone. Does nothing if it was replaced or
 * blocked before, or if there is no record.
 *
 * Context: May sleep. Takes iommu_probe_device_lock, group->mutex and locks of the
 * IOMMU driver, but no device_lock. Cannot fail.
 */
void iommu_liveupdate_block(u32 segment, u32 rid)
{
	struct iommu_liveupdate_in_device *in_dev;

	guard(mutex)(&iommu_probe_device_lock);
	in_dev = iommu_liveupdate_lookup_device(segment, rid);
	if (!in_dev)
		return;
	iommu_liveupdate_block_record(in_dev);
	iommu_liveupdate_incoming_put(in_dev->in);
}
EXPORT_SYMBOL_GPL(iommu_liveupdate_block);

/*
 * Was whoever is not a bridge reset? A stranger that was blocked with it was not.
 * What no record names never is, and stays blocked without the others.
 */
static int iommu_liveupdate_group_reset(struct iommu_group *group)
{
	struct iommu_liveupdate_in_device *in_dev;
	struct group_device *gdev;
	int ret = 0;

	for_each_group_device(group, gdev) {
		in_dev = iommu_liveupdate_member_record(gdev);
		if (!in_dev && !iommu_liveupdate_is_bridge(gdev->dev))
			return -EBUSY;
		if (in_dev && !in_dev->reset && !iommu_liveupdate_unnamed(gdev))
			ret = -EAGAIN;
	}
	return ret;
}

static bool iommu_liveupdate_goes_back(const struct group_device *gdev)
{
	return iommu_liveupdate_member_record(gdev) &&
	       !iommu_liveupdate_unnamed(gdev);
}

/* Ops are there, else the devices could not have been preserved */
static int iommu_liveupdate_unblock_group(struct iommu_group *group)
{
	const struct iommu_liveupdate_ops *ops;
	struct group_device *gdev;
	int ret;

	for_each_group_device(group, gdev) {
		ops = dev_iommu_ops(gdev->dev)->liveupdate_ops;
		if (!ops || !iommu_liveupdate_goes_back(gdev))
			continue;
		ret = ops->dev_unblock(gdev->dev);
		if (ret)
			return ret;
	}
	return 0;
}

static void iommu_liveupdate_set_closed(struct iommu_group *group, bool closed)
{
	struct group_device *gdev;

	for_each_group_device(group, gdev)
		if (iommu_liveupdate_goes_back(gdev))
			gdev->closed = closed;
}

/* With the last of its members to be reset */
static int iommu_liveupdate_give_back_group(struct iommu_group *group)
{
	struct group_device *gdev;
	void *owner;
	int ret;

	ret = iommu_liveupdate_group_reset(group);
	if (ret)
		return ret;
	ret = iommu_liveupdate_default_domain(group);
	if (ret)
		return ret;
	ret = iommu_liveupdate_unblock_group(group);
	if (ret)
		return ret;

	owner = group->owner;
	group->owner = NULL;
	group->owner_cnt = 0;
	group->stay_blocked = false;
	iommu_liveupdate_set_closed(group, false);
	ret = iommu_liveupdate_set_domain(group, group->default_domain);
	if (ret) {
		iommu_liveupdate_set_closed(group, true);
		group->owner = owner;
		group->owner_cnt = 1;
		return ret;
	}
	for_each_group_device(group, gdev)
		if (iommu_liveupdate_goes_back(gdev))
			iommu_liveupdate_drop_record(gdev->dev);
	return 0;
}

static int iommu_liveupdate_give_back(struct iommu_group *group,
				      struct iommu_liveupdate_in_device *in_dev)
{
	struct group_device *gdev;

	guard(mutex)(&group->mutex);
	gdev = iommu_liveupdate_member(group, in_dev);
	if (!gdev)
		return 0;
	in_dev->reset = true;
	if (iommu_liveupdate_owns_group(group))
		return iommu_liveupdate_give_back_group(group);
	return iommu_liveupdate_give_back_member(group, gdev);
}

static bool iommu_liveupdate_return(struct iommu_liveupdate_in_device *in_dev,
				    bool reset_done)
{
	struct iommu_group *group = iommu_liveupdate_group_of(in_dev);
	int ret = -EBUSY;

	/* It is not there. What comes back is enumerated like any other */
	if (!group)
		return !in_dev->live;

	if (reset_done && !in_dev->live)
		ret = iommu_liveupdate_give_back(group, in_dev);
	if (ret == -EAGAIN)
		iommu_liveupdate_say(info, &in_dev->ser,
				     " stays blocked until it is the turn of its group\n");
	else if (ret && reset_done)
		iommu_liveupdate_say(err, &in_dev->ser, " stays blocked: %pe\n",
				     ERR_PTR(ret));
	iommu_group_put(group);
	return !ret;
}

static bool iommu_liveupdate_uses(const struct iommu_liveupdate_in_device *in_dev,
				  u64 domain_pa)
{
	struct iommu_liveupdate_in_attachment *att;

	list_for_each_entry(att, &in_dev->attachments, device_entry)
		if (att->domain->pa == domain_pa)
			return true;
	return false;
}

/**
 * iommu_liveupdate_can_abandon_domain - Will nothing use a domain that is let go of?
 * @domain_pa: What iommu_domain_preserve() of the previous kernel returned
 *
 * Changes nothing. Asked when whoever finishes devices has said that they can be
 * stopped: only of a device that no such record names is it not known yet.
 *
 * Context: May sleep. Takes iommu_probe_device_lock.
 * Return: false if a device of a usable record may go on with DMA to what the domain
 * maps, and neither can be blocked nor was reset. It is named in the log.
 */
bool iommu_liveupdate_can_abandon_domain(u64 domain_pa)
{
	struct iommu_liveupdate_in_device *in_dev;

	guard(mutex)(&iommu_probe_device_lock);
	guard(mutex)(&iommu_liveupdate_incoming_lock);
	if (!iommu_liveupdate_incoming)
		return true;
	list_for_each_entry(in_dev, &iommu_liveupdate_incoming->devices, list) {
		if (!iommu_liveupdate_uses(in_dev, domain_pa) ||
		    iommu_liveupdate_record_can_block(in_dev))
			continue;
		iommu_liveupdate_say_refused(&in_dev->ser,
					     ": finish refused, its IOMMU is not in use here, and no file of its session stands for it: its memory is kept until the machine is rebooted\n");
		return false;
	}
	return true;
}
EXPORT_SYMBOL_NS_GPL(iommu_liveupdate_can_abandon_domain, "IOMMUFD_INTERNAL");

static void iommu_liveupdate_abandon_record(struct iommu_liveupdate_in_device *in_dev,
					    bool reset_done)
{
	bool returned;

	lockdep_assert_held(&iommu_probe_device_lock);

	iommu_liveupdate_block_record(in_dev);
	returned = iommu_liveupdate_return(in_dev, reset_done);
	iommu_liveupdate_set_state(in_dev, returned ?
				   IOMMU_LIVEUPDATE_DEV_RETURNED :
				   IOMMU_LIVEUPDATE_DEV_ABANDONED, 0);
	iommu_liveupdate_release(in_dev);
}

/**
 * iommu_liveupdate_abandon - Let go of an incoming device that nobody has taken
 * @segment: PCI segment
 * @rid: Bus, device and function
 * @reset_done: The device was reset since iommu_liveupdate_block(), so that
 *	nothing of what it was doing is left
 *
 * Second half of abandoning it. Its domain is freed if it was the last one on
 * it. If it was reset the group gets its default domain and has no owner any more,
 * like at boot. Else it may still try DMA, so it stays blocked, and owned by live
 * update, until it is removed or the machine is rebooted.
 *
 * Context: May sleep. Takes iommu_probe_device_lock, group->mutex and locks of the
 * IOMMU driver, but no device_lock. Cannot fail.
 */
void iommu_liveupdate_abandon(u32 segment, u32 rid, bool reset_done)
{
	struct iommu_liveupdate_in_device *in_dev;

	guard(mutex)(&iommu_probe_device_lock);
	in_dev = iommu_liveupdate_lookup_device(segment, rid);
	if (!in_dev)
		return;
	if (!iommu_liveupdate_device_ordinary(in_dev))
		iommu_liveupdate_abandon_record(in_dev, reset_done);
	iommu_liveupdate_incoming_put(in_dev->in);
}
EXPORT_SYMBOL_GPL(iommu_liveupdate_abandon);

/* The copies, so that their lists can be walked without a lock */
static struct iommu_liveupdate_incoming *iommu_liveupdate_incoming_get(void)
{
	guard(mutex)(&iommu_liveupdate_incoming_lock);
	if (iommu_liveupdate_incoming)
		kref_get(&iommu_liveupdate_incoming->ref);
	return iommu_liveupdate_incoming;
}

/**
 * iommu_liveupdate_abandon_domain - Let go of a domain that came in
 * @domain_pa: What iommu_domain_preserve() of the previous kernel returned
 *
 * What it maps gets another use after this. Whoever finishes devices has taken
 * them off the domain by now, each by a record of its own. A device that no such
 * record names is still on it, and is blocked until it is removed.
 *
 * Context: As iommu_liveupdate_abandon().
 */
void iommu_liveupdate_abandon_domain(u64 domain_pa)
{
	struct iommu_liveupdate_incoming *in = iommu_liveupdate_incoming_get();
	struct iommu_liveupdate_in_device *in_dev;

	if (!in)
		return;
	scoped_guard(mutex, &iommu_probe_device_lock)
		list_for_each_entry(in_dev, &in->devices, list) {
			if (!iommu_liveupdate_uses(in_dev, domain_pa) ||
			    READ_ONCE(in_dev->state) >= IOMMU_LIVEUPDATE_DEV_REPLACED)
				continue;
			iommu_liveupdate_say(err, &in_dev->ser,
					     " came in, but no file of its session stands for it: blocked until it is removed\n");
			iommu_liveupdate_abandon_record(in_dev, false);
		}
	iommu_liveupdate_incoming_put(in);
}
EXPORT_SYMBOL_NS_GPL(iommu_liveupdate_abandon_domain, "IOMMUFD_INTERNAL");
