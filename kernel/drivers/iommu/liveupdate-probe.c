// SPDX-License-Identifier: GPL-2.0
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */

/**
 * DOC: IOMMU live update, devices and groups of the next kernel
 *
 * What happens to a device that came in by live update, and to its group, from
 * the moment the IOMMU core sees it. liveupdate.c has the whole picture.
 *
 * 1. iommu_liveupdate_init_device() finds the record before the driver's
 *    probe_device and hangs it on dev->iommu. The driver asks for it by
 *    iommu_liveupdate_device_record().
 * 2. iommu_liveupdate_join_group() decides about the device and the group it is
 *    about to be a member of: restored, blocked, or turned away. The members of a
 *    group come one by one, in any order, and perhaps not all of them; each is
 *    restored or blocked for itself.
 * 3. The default domain is allocated, but not attached.
 *    iommu_liveupdate_default_domain_failed() says so if it cannot be had.
 * 4. iommu_liveupdate_refuse_group() keeps the domain of the group from being
 *    changed, here and in the old kernel.
 * 5. A member that is blocked, while others are not, is *closed*: whatever domain
 *    the group is given, iommu_liveupdate_closed() keeps the member from it.
 *    iommu_liveupdate_untaken() keeps members that nobody has taken from being had
 *    otherwise, when the group belongs to somebody already.
 * 6. iommu_liveupdate_leave_group() and iommu_liveupdate_release_device() take
 *    leave of a device that goes away. Hardware is not touched. The next probe
 *    of the device starts again with step 1 and finds the domain object made.
 * 7. iommu_liveupdate_stay_blocked() and iommu_liveupdate_keep_group() get the
 *    group back of a device that was taken over, then abandoned and not reset.
 *
 * Locking: all of it but step 4 happens under iommu_probe_device_lock, or to a
 * device that nobody else can reach. group->mutex is held for everything about
 * a group.
 */

#define pr_fmt(fmt) "iommu: liveupdate: " fmt

#include <kunit/static_stub.h>
#include <linux/generic_pt/iommu.h>
#include <linux/iommu.h>
#include <linux/iommu-liveupdate.h>
#include <linux/liveupdate_timing.h>
#include <linux/mutex.h>
#include <linux/pci.h>

#include "iommu-group.h"
#include "iommu-priv.h"
#include "liveupdate.h"
#include "liveupdate-hooks.h"

/* For functions that were preserved, but that no usable record names */
static struct iommu_liveupdate_in_device iommu_liveupdate_no_record = {
	.err = -EIO,
	.state = IOMMU_LIVEUPDATE_DEV_BLOCKED,
};

/* The owner of incoming groups. Only its address matters. */
static char iommu_liveupdate_owner;

/**
 * iommu_liveupdate_member_record - The record that a member of a group came in by
 * @gdev: The member
 *
 * Context: The caller holds group->mutex.
 * Return: The record, or NULL for what did not come in, or is done with.
 */
struct iommu_liveupdate_in_device *
iommu_liveupdate_member_record(const struct group_device *gdev)
{
	return gdev->dev->iommu ? READ_ONCE(gdev->dev->iommu->liveupdate) : NULL;
}

/**
 * iommu_liveupdate_unnamed - Does no usable record name a member that came in?
 * @gdev: The member
 *
 * Nobody can take it, and nobody finishes it.
 *
 * Context: The caller holds group->mutex.
 * Return: true if it stays blocked until it is removed.
 */
bool iommu_liveupdate_unnamed(const struct group_device *gdev)
{
	return iommu_liveupdate_member_record(gdev) == &iommu_liveupdate_no_record;
}

static struct group_device *iommu_liveupdate_gdev(struct iommu_group *group,
						  struct device *dev)
{
	struct group_device *gdev;

	lockdep_assert_held(&group->mutex);

	for_each_group_device(group, gdev)
		if (gdev->dev == dev)
			return gdev;
	return NULL;
}

/**
 * iommu_liveupdate_closed - Is a member blocked, whatever domain its group has?
 * @gdev: The member
 *
 * Context: The caller holds group->mutex.
 * Return: true from when it was blocked until it was reset, or goes away.
 */
bool iommu_liveupdate_closed(const struct group_device *gdev)
{
	return gdev->closed;
}

/* What of a group is on a restored domain by a PASID, was blocked or is not there */
static void iommu_liveupdate_forget_pasids(struct iommu_group *group)
{
	unsigned long pasid;
	void *entry;

	lockdep_assert_held(&group->mutex);

	xa_for_each_start(&group->pasid_array, pasid, entry, IOMMU_NO_PASID + 1)
		if (iommu_liveupdate_pasid_restored(group, pasid))
			xa_erase(&group->pasid_array, pasid);
}

/*
 * One member less is on what came in. If it was the last, and nobody owns the group
 * but live update, then its domain is the blocking one, like that of its members.
 * Nothing is attached.
 */
static void iommu_liveupdate_settle_group(struct iommu_group *group)
{
	struct group_device *gdev;

	lockdep_assert_held(&group->mutex);

	if (!iommu_liveupdate_owns_group(group))
		return;
	for_each_group_device(group, gdev)
		if (iommu_liveupdate_member_record(gdev) && !gdev->closed)
			return;
	iommu_liveupdate_forget_pasids(group);
	if (!__iommu_group_alloc_blocking_domain(group))
		group->domain = group->blocking_domain;
}

/**
 * iommu_liveupdate_close_member - A member is blocked, whatever its group is given
 * @group: The group
 * @gdev: The member
 *
 * Context: The caller holds group->mutex, and has blocked the device.
 */
void iommu_liveupdate_close_member(struct iommu_group *group,
				   struct group_device *gdev)
{
	/* Drivers ask what it is on. Those with live update have one that cannot fail. */
	if (__iommu_group_alloc_blocking_domain(group))
		dev_warn(gdev->dev, "live update: no blocking domain\n");
	gdev->closed = true;
	iommu_liveupdate_settle_group(group);
}

static struct device *iommu_liveupdate_first_device(struct iommu_group *group)
{
	lockdep_assert_held(&group->mutex);

	return list_first_entry(&group->devices, struct group_device, list)->dev;
}

/**
 * iommu_liveupdate_pci_incoming - Does the PCI core know that a function goes on?
 * @pci: The function
 *
 * The PCI core has records of its own, and is an option of its own.
 *
 * Context: Any.
 * Return: true until the live update of the function is finished; false as well
 * if the PCI core has no records, or none that it can use.
 */
bool iommu_liveupdate_pci_incoming(struct pci_dev *pci)
{
	KUNIT_STATIC_STUB_REDIRECT(iommu_liveupdate_pci_incoming, pci);

#ifdef CONFIG_PCI_LIVEUPDATE
	return pci_liveupdate_incoming(pci);
#else
	return false;
#endif
}

/**
 * iommu_liveupdate_init_device - Find the record of a device for its probe
 * @dev: Device that is about to be shown to its IOMMU driver
 * @ops: Of that driver
 *
 * A PCI function that came in, but that no record names, is treated like one
 * whose record cannot be used. (Bridges come in as well, and have none.) If the
 * PCI core has lost its own records, or never had any, nobody can tell whether
 * this is the function that was preserved: the numbers of buses may be others,
 * and nothing keeps it from being reset or bound.
 *
 * Context: The caller holds iommu_probe_device_lock. @dev->iommu is there.
 */
void iommu_liveupdate_init_device(struct device *dev,
				  const struct iommu_ops *ops)
{
	struct iommu_liveupdate_in_device *in_dev;
	struct iommu_device_ser id = {};
	bool incoming;

	lockdep_assert_held(&iommu_probe_device_lock);

	if (dev->iommu->liveupdate ||
	    !iommu_liveupdate_identify(dev, ops->liveupdate_ops, &id))
		return;

	in_dev = iommu_liveupdate_get_device(dev, &id);
	if (dev_is_pci(dev)) {
		incoming = iommu_liveupdate_pci_incoming(to_pci_dev(dev));
		if (in_dev && !incoming && !READ_ONCE(in_dev->err)) {
			dev_err(dev, "live update: not taken over, the PCI core has no record of it\n");
			iommu_liveupdate_device_failed(in_dev, -EIO);
		}
		if (!in_dev && incoming &&
		    to_pci_dev(dev)->hdr_type == PCI_HEADER_TYPE_NORMAL)
			in_dev = &iommu_liveupdate_no_record;
	}
	WRITE_ONCE(dev->iommu->liveupdate, in_dev);
}

/**
 * iommu_liveupdate_device_record - Find the record of a device
 * @dev: Device whose driver is being probed, or is probed
 *
 * A driver that gets anything but NULL must leave alone what hardware reads for
 * this device: neither allocate and install tables nor clear entries, at
 * probe_device and at release_device.
 *
 * Context: Any. @dev->iommu is there.
 * Return: A copy of the record, valid until @dev is released. NULL if @dev is
 * not incoming, or has left its restored domains with its group. An error pointer
 * if it is, but failed: it is blocked or about to be.
 */
const struct iommu_device_ser *
iommu_liveupdate_device_record(struct device *dev)
{
	return iommu_liveupdate_device_incoming(dev) ?
	       iommu_liveupdate_incoming_record(dev) : NULL;
}
EXPORT_SYMBOL_GPL(iommu_liveupdate_device_record);

/**
 * iommu_liveupdate_incoming_record - Find the record of a device that may be taken
 * @dev: Device that is probed
 *
 * For whoever stands for the device in a session.
 *
 * Context: Any. @dev->iommu is there.
 * Return: As iommu_liveupdate_device_record(); and the record as well of a device
 * that has left its restored domains with its group, before it was taken.
 */
const struct iommu_device_ser *
iommu_liveupdate_incoming_record(struct device *dev)
{
	struct iommu_liveupdate_in_device *in_dev;
	int err;

	in_dev = dev->iommu ? READ_ONCE(dev->iommu->liveupdate) : NULL;
	if (!in_dev)
		return NULL;

	err = READ_ONCE(in_dev->err);
	return err ? ERR_PTR(err) : &in_dev->ser;
}
EXPORT_SYMBOL_GPL(iommu_liveupdate_incoming_record);

/**
 * iommu_liveupdate_device_incoming - Is hardware to be left alone for a device?
 * @dev: Device that is probed
 *
 * Context: Any. @dev->iommu is there.
 * Return: true from its probe on if it came in, until it has left its restored
 * domains.
 */
bool iommu_liveupdate_device_incoming(struct device *dev)
{
	struct iommu_liveupdate_in_device *in_dev;

	in_dev = dev->iommu ? READ_ONCE(dev->iommu->liveupdate) : NULL;
	return in_dev && READ_ONCE(in_dev->state) != IOMMU_LIVEUPDATE_DEV_LEFT;
}

/**
 * iommu_liveupdate_untaken - Has nobody taken a device that came in?
 * @dev: The device
 *
 * Somebody may have taken others of its group.
 *
 * Context: The caller holds group->mutex.
 * Return: true until it was taken, or was reset and is like any other.
 */
bool iommu_liveupdate_untaken(struct device *dev)
{
	struct iommu_liveupdate_in_device *in_dev;

	lockdep_assert_held(&dev->iommu_group->mutex);

	in_dev = dev->iommu ? READ_ONCE(dev->iommu->liveupdate) : NULL;
	return in_dev && !in_dev->taken;
}

/**
 * iommu_liveupdate_group_untaken - Does a group have a device that nobody has taken?
 * @group: The group
 *
 * Context: The caller holds group->mutex.
 * Return: true if iommu_liveupdate_untaken() says so of a member.
 */
bool iommu_liveupdate_group_untaken(struct iommu_group *group)
{
	struct group_device *gdev;

	for_each_group_device(group, gdev)
		if (iommu_liveupdate_untaken(gdev->dev))
			return true;
	return false;
}

/**
 * iommu_liveupdate_close_untaken - The owner of a group lets go of it
 * @group: The group, on its blocking domain
 *
 * Members that nobody has taken went with it from what came in, and may still be
 * running. They stay blocked, whatever the group is given now, until they are
 * finished and were reset.
 *
 * Context: The caller holds group->mutex.
 */
void iommu_liveupdate_close_untaken(struct iommu_group *group)
{
	struct group_device *gdev;

	for_each_group_device(group, gdev)
		if (iommu_liveupdate_untaken(gdev->dev))
			gdev->closed = true;
}

/**
 * iommu_liveupdate_release_device - A device loses its software state
 * @dev: Device whose dev->iommu is about to be freed
 *
 * Touches no hardware: DMA of a restored device goes on. A device that comes
 * back finds the record as it was.
 *
 * Context: May sleep. Nobody else uses @dev->iommu any more.
 */
void iommu_liveupdate_release_device(struct device *dev)
{
	struct iommu_liveupdate_in_device *in_dev;

	in_dev = READ_ONCE(dev->iommu->liveupdate);
	if (!in_dev)
		return;

	WRITE_ONCE(dev->iommu->liveupdate, NULL);
	if (in_dev != &iommu_liveupdate_no_record)
		iommu_liveupdate_put_device(in_dev);
}

/**
 * iommu_liveupdate_owns_group - Does live update own an incoming group?
 * @group: The group
 *
 * Context: The caller holds group->mutex.
 * Return: true if its devices came in and none was taken over.
 */
bool iommu_liveupdate_owns_group(struct iommu_group *group)
{
	lockdep_assert_held(&group->mutex);

	return group->owner == &iommu_liveupdate_owner;
}

/**
 * iommu_liveupdate_group_restored - Is a group on a restored domain?
 * @group: The group
 *
 * Whoever owns such a group may replace the domain or block the device, and
 * nothing else: the device may be running.
 *
 * Context: The caller holds group->mutex.
 * Return: true if it is, or if a PASID of it is.
 */
bool iommu_liveupdate_group_restored(struct iommu_group *group)
{
	unsigned long pasid;
	void *entry;

	lockdep_assert_held(&group->mutex);

	if (iommu_liveupdate_pasid_restored(group, IOMMU_NO_PASID))
		return true;
	xa_for_each_start(&group->pasid_array, pasid, entry, IOMMU_NO_PASID + 1)
		if (iommu_liveupdate_pasid_restored(group, pasid))
			return true;
	return false;
}

/**
 * iommu_liveupdate_pasid_restored - Is a PASID of a group on a restored domain?
 * @group: The group
 * @pasid: The PASID, IOMMU_NO_PASID for what has none
 *
 * Context: The caller holds group->mutex.
 * Return: true if it is.
 */
bool iommu_liveupdate_pasid_restored(struct iommu_group *group, ioasid_t pasid)
{
	struct iommu_domain *domain = group->domain;
	void *entry;

	lockdep_assert_held(&group->mutex);

	if (pasid != IOMMU_NO_PASID) {
		entry = xa_load(&group->pasid_array, pasid);
		domain = entry ? iommu_pasid_array_domain(entry) : NULL;
	}
	return domain &&
	       READ_ONCE(domain->liveupdate) == IOMMU_LIVEUPDATE_RESTORED;
}

/**
 * iommu_liveupdate_member_domain - Which domain is a member on?
 * @group: The group
 * @gdev: The member
 *
 * One that is closed is on none. So is one that did not come in, which is a bridge,
 * while the group is on a restored domain.
 *
 * Context: The caller holds group->mutex.
 * Return: The domain of the group, or the blocking one.
 */
struct iommu_domain *
iommu_liveupdate_member_domain(struct iommu_group *group,
			       const struct group_device *gdev)
{
	if (gdev->closed ||
	    (group->blocking_domain && !iommu_liveupdate_member_record(gdev) &&
	     iommu_liveupdate_pasid_restored(group, IOMMU_NO_PASID)))
		return group->blocking_domain;
	return group->domain;
}

/**
 * iommu_liveupdate_detached_domain - Which domain is a PASID detached from?
 * @group: The group
 * @pasid: The PASID
 * @domain: What the caller takes it for
 *
 * Nobody but live update knows a restored domain.
 *
 * Context: The caller holds group->mutex.
 * Return: The domain.
 */
struct iommu_domain *
iommu_liveupdate_detached_domain(struct iommu_group *group, ioasid_t pasid,
				 struct iommu_domain *domain)
{
	if (!iommu_liveupdate_pasid_restored(group, pasid))
		return domain;
	return iommu_pasid_array_domain(xa_load(&group->pasid_array, pasid));
}

/**
 * iommu_liveupdate_device_owned - Is a device live update's, and nobody else's?
 * @dev: Device
 *
 * For the bus and for VFIO, before they let a driver or a file have @dev. An
 * incoming function for which this is false was not even probed, and must not
 * get a driver either.
 *
 * Context: May sleep. Takes group->mutex.
 * Return: true if live update owns its group, or if somebody has taken others of
 * the group, and not the device.
 */
bool iommu_liveupdate_device_owned(struct device *dev)
{
	struct iommu_group *group = iommu_group_get(dev);
	bool owned;

	if (!group)
		return false;

	scoped_guard(mutex, &group->mutex)
		owned = iommu_liveupdate_owns_group(group) ||
			iommu_liveupdate_untaken(dev);
	iommu_group_put(group);
	return owned;
}

static int iommu_liveupdate_block_entries(struct device *dev)
{
	const struct iommu_ops *ops = dev_iommu_ops(dev);

	if (ops->liveupdate_ops)
		return ops->liveupdate_ops->dev_block(dev) ? 0 : -ENODEV;
	/* A driver without it knows nothing of live tables: the ordinary way */
	if (ops->blocked_domain)
		return ops->blocked_domain->ops->attach_dev(ops->blocked_domain,
							    dev, NULL);
	return -EOPNOTSUPP;
}

/*
 * Make a device unable to do DMA. By the device, and by its record: the record may
 * name requester ids that the device lacks now, or a unit that is not the one the
 * device is behind now.
 */
static void iommu_liveupdate_block_device(struct device *dev, int err,
					  const char *reason)
{
	struct iommu_liveupdate_in_device *in_dev = dev->iommu->liveupdate;
	int ret = iommu_liveupdate_block_entries(dev);

	if (in_dev != &iommu_liveupdate_no_record &&
	    !iommu_liveupdate_block_ids(in_dev) && !ret)
		ret = -ENODEV;

	dev_err(dev, "live update: DMA %s blocked: %s: %pe\n",
		ret ? "cannot be" : "is", reason, ERR_PTR(err));
	iommu_liveupdate_fail_closed();
	iommu_liveupdate_set_state(in_dev, IOMMU_LIVEUPDATE_DEV_BLOCKED, err);
}

/* The first device of a domain makes the object, the others find it */
static struct iommu_domain *
iommu_liveupdate_restore_domain(struct device *dev,
				struct iommu_liveupdate_in_domain *dom)
{
	const struct iommu_ops *ops = dev_iommu_ops(dev);
	struct iommu_domain *domain;

	lockdep_assert_held(&iommu_probe_device_lock);

	if (dom->err)
		return ERR_PTR(dom->err);
	/* All have left it, this device as well, which has gone and come back since */
	if (dom->freed)
		return ERR_PTR(-ESTALE);
	if (dom->domain) {
		/* One page table cannot serve units of different drivers */
		if (dom->domain->owner != ops)
			return ERR_PTR(-EINVAL);
		return dom->domain;
	}

	domain = ops->liveupdate_ops->domain_restore(dev->iommu->iommu_dev,
						     &dom->ser);
	if (IS_ERR(domain)) {
		dom->err = PTR_ERR(domain);
		return domain;
	}

	iommu_domain_init(domain, IOMMU_DOMAIN_UNMANAGED, ops);
	/* Who else sees the domain gets it from the group, later */
	WRITE_ONCE(domain->liveupdate, IOMMU_LIVEUPDATE_RESTORED);
	dom->domain = domain;
	return domain;
}

/*
 * A device could not adopt its domain. If no other one has, the object goes; the
 * next device of the domain makes a new one. The tables stay with KHO, since
 * there may be a device to come whose entries point to them. An object that was
 * adopted once stays with its record: its device may have gone, and may be back.
 */
static void iommu_liveupdate_drop_domain(struct iommu_liveupdate_in_domain *dom)
{
	struct pt_iommu *pt = iommupt_from_domain(dom->domain);

	lockdep_assert_held(&iommu_probe_device_lock);

	if (dom->used)
		return;

	/* Leaves nothing for pt_iommu_deinit() to do */
	if (pt)
		pt->ops = NULL;
	iommu_domain_free(dom->domain);
	dom->domain = NULL;
}

static int iommu_liveupdate_adopt_attachment(struct iommu_group *group,
					     struct device *dev,
					     struct iommu_liveupdate_in_attachment *att,
					     const char **reason)
{
	const struct iommu_liveupdate_ops *ops = dev_iommu_ops(dev)->liveupdate_ops;
	ioasid_t pasid = att->ser.pasid;
	struct iommu_domain *domain;
	int ret;

	*reason = "a PASID of it was preserved";
	if (pasid != IOMMU_NO_PASID &&
	    (!ops->pasids || pasid >= dev->iommu->max_pasids))
		return -EOPNOTSUPP;

	*reason = "its domain cannot be restored";
	domain = iommu_liveupdate_restore_domain(dev, att->domain);
	if (IS_ERR(domain))
		return PTR_ERR(domain);
	*reason = "the others of its group are on another domain";
	if (pasid == IOMMU_NO_PASID &&
	    iommu_liveupdate_pasid_restored(group, pasid) && group->domain != domain)
		return -EINVAL;
	*reason = "the PASID is not its own";
	if (pasid != IOMMU_NO_PASID) {
		ret = xa_insert(&group->pasid_array, pasid, XA_ZERO_ENTRY,
				GFP_KERNEL);
		if (ret)
			return ret;
	}

	*reason = "the IOMMU driver cannot adopt it";
	ret = ops->att_adopt(dev, domain, &att->device->ser, &att->ser);
	if (ret) {
		if (pasid != IOMMU_NO_PASID)
			xa_release(&group->pasid_array, pasid);
		iommu_liveupdate_drop_domain(att->domain);
		return ret;
	}

	att->domain->used = true;
	if (pasid == IOMMU_NO_PASID)
		group->domain = domain;
	else	/* The place is reserved. What came in has no handle. */
		xa_store(&group->pasid_array, pasid,
			 iommu_make_pasid_array_entry(domain, NULL), GFP_KERNEL);
	return 0;
}

static int iommu_liveupdate_adopt_device(struct iommu_group *group,
					 struct device *dev,
					 const char **reason)
{
	struct iommu_liveupdate_in_device *in_dev = dev->iommu->liveupdate;
	struct iommu_liveupdate_in_attachment *att;
	int ret;

	*reason = "no usable record of it or of its unit";
	ret = READ_ONCE(in_dev->err);
	if (ret)
		return ret;

	*reason = "no support in the IOMMU driver";
	if (!dev_iommu_ops(dev)->liveupdate_ops)
		return -EOPNOTSUPP;

	list_for_each_entry(att, &in_dev->attachments, device_entry) {
		ret = iommu_liveupdate_adopt_attachment(group, dev, att, reason);
		if (ret)
			return ret;
		att->left = false;
	}
	iommu_liveupdate_set_state(in_dev, IOMMU_LIVEUPDATE_DEV_RESTORED, 0);
	liveupdate_phase_end(LIVEUPDATE_PHASE_IOMMU);
	return 0;
}

/* Members that came before the incoming device and did not come in, and have no domain */
static void iommu_liveupdate_block_others(struct iommu_group *group,
					  struct device *dev)
{
	struct iommu_domain *blocked = group->blocking_domain;
	struct group_device *gdev;
	int ret;

	for_each_group_device(group, gdev) {
		if (iommu_liveupdate_member_record(gdev))
			continue;
		ret = blocked ? blocked->ops->attach_dev(blocked, gdev->dev, NULL) :
				-ENODEV;
		dev_err(gdev->dev, "live update: DMA %s blocked: shares its group with %s\n",
			ret ? "cannot be" : "is", dev_name(dev));
	}
}

/* What no record names is blocked alone, and stands in nobody's way */
static bool iommu_liveupdate_same_group(const struct iommu_liveupdate_in_device *a,
					const struct iommu_liveupdate_in_device *b)
{
	if (a == &iommu_liveupdate_no_record || b == &iommu_liveupdate_no_record)
		return true;
	return a->ser.segment == b->ser.segment &&
	       a->ser.group_key == b->ser.group_key;
}

/*
 * A group that is not live update's as yet has no domain either. One that is has
 * nobody but those that were in one group in the previous kernel: two of that could
 * be on one domain by chance, and belong to two programs.
 */
static bool iommu_liveupdate_may_join(struct iommu_group *group, struct device *dev)
{
	struct iommu_liveupdate_in_device *in_dev = dev->iommu->liveupdate;
	struct iommu_liveupdate_in_device *other;
	struct group_device *gdev;

	if (!iommu_liveupdate_owns_group(group))
		return !group->owner && !group->owner_cnt && !group->domain;
	if (group->stay_blocked)
		return false;
	for_each_group_device(group, gdev) {
		other = iommu_liveupdate_member_record(gdev);
		if (gdev->dev != dev && other &&
		    !iommu_liveupdate_same_group(other, in_dev))
			return false;
	}
	return true;
}

/* Members that neither came in nor are bridges could do what they like */
static bool iommu_liveupdate_has_company(struct iommu_group *group)
{
	struct group_device *gdev;

	for_each_group_device(group, gdev)
		if (!iommu_liveupdate_member_record(gdev) &&
		    !iommu_liveupdate_is_bridge(gdev->dev))
			return true;
	return false;
}

/**
 * iommu_liveupdate_join_group - Decide about a device and its group
 * @group: Group that @dev has just been added to
 * @dev: Device, probed by its driver
 *
 * A device that is not incoming passes, unless its group belongs to live
 * update, in either kernel: it would share the translation of a virtual machine
 * unseen.
 *
 * An incoming device gets its restored domain, and its group live update as owner,
 * if all members came in as one group, apart from bridges and what no record names. If
 * anything of that fails it is blocked and owned likewise, and the other members go on.
 * An incoming device with others cannot get its domain, since that would
 * be everybody's. If nobody else has one either, all are blocked; if somebody
 * has, or came in as another group, or was taken already, they go on, and the
 * incoming device is blocked and turned away.
 *
 * This must run before anything that can fail, and before the group is on any
 * list, for what fails or comes later has to find the owner.
 *
 * Context: The caller holds iommu_probe_device_lock and group->mutex.
 * Return: 0 if @dev is a member, whatever became of it. -ENODEV if it is turned
 * away, which whoever walks over all devices takes for one without IOMMU.
 */
int iommu_liveupdate_join_group(struct iommu_group *group, struct device *dev)
{
	struct iommu_liveupdate_in_device *in_dev = dev->iommu->liveupdate;
	const char *reason = "other devices in its group";
	int ret = -EBUSY;

	lockdep_assert_held(&iommu_probe_device_lock);
	lockdep_assert_held(&group->mutex);

	if (!in_dev && (group->preserved || iommu_liveupdate_owns_group(group) ||
			iommu_liveupdate_group_restored(group))) {
		dev_err(dev, "stays blocked: live update keeps group %d as it is\n",
			group->id);
		return -ENODEV;
	}
	if (!in_dev)
		return 0;

	if (!iommu_liveupdate_may_join(group, dev)) {
		iommu_liveupdate_block_device(dev, -EBUSY, reason);
		return -ENODEV;
	}

	if (!iommu_liveupdate_has_company(group))
		ret = iommu_liveupdate_adopt_device(group, dev, &reason);

	group->owner = &iommu_liveupdate_owner;
	group->owner_cnt = 1;
	if (in_dev != &iommu_liveupdate_no_record)
		iommu_liveupdate_device_group(in_dev, group);
	if (ret) {
		iommu_liveupdate_block_device(dev, ret, reason);
		iommu_liveupdate_close_member(group, iommu_liveupdate_gdev(group, dev));
		iommu_liveupdate_block_others(group, dev);
	}
	return 0;
}

/**
 * iommu_liveupdate_leave_group - A device has left a group
 * @group: Group without that member
 *
 * The restored domain stays with its record. With its last member the group goes,
 * by its last reference.
 *
 * Context: The caller holds group->mutex.
 */
void iommu_liveupdate_leave_group(struct iommu_group *group)
{
	if (!iommu_liveupdate_owns_group(group))
		return;
	if (!list_empty(&group->devices)) {
		iommu_liveupdate_settle_group(group);
		return;
	}

	iommu_liveupdate_forget_pasids(group);
	group->owner = NULL;
	group->owner_cnt = 0;
	group->stay_blocked = false;
	group->domain = group->default_domain;
}

/**
 * iommu_liveupdate_stay_blocked - An abandoned device could not be reset
 * @dev: The device, owned by user space, not on its restored domain any more
 *
 * It may still try DMA, so its group goes back to live update and not to the
 * default domain when its owner releases it.
 *
 * Context: May sleep. Takes group->mutex. The caller makes sure that @dev stays.
 */
void iommu_liveupdate_stay_blocked(struct device *dev)
{
	struct iommu_group *group = dev->iommu_group;

	if (!group)
		return;

	guard(mutex)(&group->mutex);
	group->stay_blocked = true;
}
EXPORT_SYMBOL_GPL(iommu_liveupdate_stay_blocked);

static void iommu_liveupdate_untake(struct iommu_group *group)
{
	struct iommu_liveupdate_in_device *in_dev;
	struct group_device *gdev;

	for_each_group_device(group, gdev) {
		in_dev = iommu_liveupdate_member_record(gdev);
		if (in_dev)
			in_dev->taken = false;
	}
}

/**
 * iommu_liveupdate_keep_group - Does a group stay as it is without its owner?
 * @group: The group
 *
 * Because it is on its blocking domain for good. Or because its owner should not have
 * let go yet, and cannot be told: what it had is still in use, so that live update
 * has it again, as if nobody had taken it, and nobody joins.
 *
 * Context: The caller holds group->mutex and is the last to release it.
 * Return: true if the group belongs to live update now, and is left as it is.
 */
bool iommu_liveupdate_keep_group(struct iommu_group *group)
{
	lockdep_assert_held(&group->mutex);

	if (WARN_ON_ONCE(iommu_liveupdate_refuse_group(group) ||
			 iommu_liveupdate_group_restored(group))) {
		group->stay_blocked = true;
		iommu_liveupdate_untake(group);
	}
	if (!group->stay_blocked)
		return false;

	group->owner = &iommu_liveupdate_owner;
	return true;
}

/**
 * iommu_liveupdate_refuse_group - May the domain of a group change?
 * @group: The group
 *
 * Context: The caller holds group->mutex.
 * Return: true if it may not, because devices of it are preserved or came in. A line
 * for debugging says so, as the owner of the device may try again and again.
 */
bool iommu_liveupdate_refuse_group(struct iommu_group *group)
{
	struct group_device *gdev;

	lockdep_assert_held(&group->mutex);

	if (!group->preserved && !iommu_liveupdate_owns_group(group))
		return false;

	gdev = list_first_entry_or_null(&group->devices, struct group_device,
					list);
	if (gdev)
		dev_dbg(gdev->dev, "live update keeps its domain, change refused\n");
	return true;
}

/**
 * iommu_liveupdate_default_domain_failed - Is the lack of one an error?
 * @group: Group with a member, that has got no default domain
 * @err: Why
 *
 * An incoming device has a domain already, the default domain is for later.
 *
 * Context: The caller holds group->mutex.
 * Return: true if the group goes without.
 */
bool iommu_liveupdate_default_domain_failed(struct iommu_group *group, int err)
{
	if (!iommu_liveupdate_owns_group(group))
		return false;

	dev_warn(iommu_liveupdate_first_device(group),
		 "live update: no default domain: %pe\n", ERR_PTR(err));
	return true;
}

/**
 * iommu_liveupdate_ignore_failure - Is a failure at probe one of its own?
 * @dev: Device that failed
 * @err: Errno of the failure
 *
 * Registration of an IOMMU gives up at the first device that fails, and takes
 * everything back. Incoming devices would lose their owner by that, so there
 * the others go on. What has failed is left without domain.
 *
 * Context: May sleep. Takes a leaf lock only.
 * Return: true if the caller is to go on with the next device or group.
 */
bool iommu_liveupdate_ignore_failure(struct device *dev, int err)
{
	if (!iommu_liveupdate_incoming_active())
		return false;

	dev_err(dev, "no IOMMU domain: %pe; others go on because of live update\n",
		ERR_PTR(err));
	return true;
}

/**
 * iommu_liveupdate_ignore_group - Likewise for the default domain of a group
 * @group: Group with a member, that has got no default domain
 * @err: Errno of the failure
 *
 * Context: The caller holds group->mutex.
 * Return: true if the caller is to go on with the next group.
 */
bool iommu_liveupdate_ignore_group(struct iommu_group *group, int err)
{
	return iommu_liveupdate_default_domain_failed(group, err) ||
	       iommu_liveupdate_ignore_failure(iommu_liveupdate_first_device(group),
					       err);
}
