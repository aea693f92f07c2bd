// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */

/**
 * DOC: The way back of an iommufd after a live update
 *
 * Devices that were preserved go on with DMA through the page tables of the
 * previous kernel. Here is how user space gets hold of them again: the second
 * half of LUO's file handler, and what VFIO calls for a device of it. The first
 * half is in liveupdate.c.
 *
 * What a device came in on is no object of iommufd: nothing can be mapped or
 * allocated with it, no other device can be attached to it, and user space has
 * no name for it. The domain belongs to the IOMMU core. In the attachment of the
 * device iommufd_hwpt_restored stands for it, one for all.
 *
 * The way through it:
 *
 * 1. iommufd_liveupdate_retrieve() checks the record and makes a fresh iommufd,
 *    which keeps a copy of it.
 * 2. iommufd_device_reclaim(), called by VFIO instead of iommufd_device_bind(),
 *    takes over the group of a device that came in on one of the domains of the
 *    record, or follows another device of it. Nothing changes for the hardware.
 * 3. User space attaches the device to a HWPT of its own. For iommufd this is a
 *    replace as any other, of the whole group, after which
 *    iommufd_device_left_restored() tells the core. A detach of the last device,
 *    which blocks, ends in the same way. Who is reclaimed after that counts as
 *    attached to what its group has.
 * 4. iommufd_liveupdate_finish(): what the domains map gets another use. It is the
 *    file of a device that refuses this before, as long as the device is where it
 *    came in and somebody needs it; and iommufd_liveupdate_can_finish(), if a
 *    device that has no file can be stopped by nobody.
 *
 * A restored attachment has no attach handle, for those are about page faults
 * and MSI pages, and neither comes in.
 *
 * Until step 4 LUO has a reference to the file, so that closing it changes
 * nothing, and a second program finds everything as it is. After that the file
 * is one as any other.
 *
 * Locking: the copy of the record is written before anybody has the file.
 * iommufd_group::lock protects the attachments, and is held around the calls of
 * the core that change one. Order: session mutex, VFIO's dev_set->lock,
 * igroup->lock, the locks of the core.
 */
#define pr_fmt(fmt) "iommufd: liveupdate: " fmt

#include <kunit/visibility.h>
#include <linux/device.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/io.h>
#include <linux/iommu.h>
#include <linux/iommu-liveupdate.h>
#include <linux/iommufd.h>
#include <linux/kexec_handover.h>
#include <linux/kho/abi/iommufd.h>
#include <linux/liveupdate.h>
#include <linux/liveupdate_timing.h>
#include <linux/mmzone.h>
#include <linux/mutex.h>
#include <linux/printk.h>
#include <linux/slab.h>
#include <linux/xarray.h>
#include <uapi/linux/iommufd.h>

#include "../iommu-priv.h"
#include "iommufd_private.h"
#include "liveupdate-check.h"

/* Where a device is attached that has not left the domain it came in on */
VISIBLE_IF_KUNIT struct iommufd_hw_pagetable iommufd_hwpt_restored = {
	.obj.users = REFCOUNT_INIT(1),
	/* No PASID comes to it that did not come in */
	.pasid_compat = true,
};

/**
 * iommufd_hwpt_is_restored() - Does an attachment stand for what came in?
 * @hwpt: What a device is attached to
 *
 * Context: Any.
 * Return: true until the device is attached to a HWPT.
 */
bool iommufd_hwpt_is_restored(const struct iommufd_hw_pagetable *hwpt)
{
	return hwpt == &iommufd_hwpt_restored;
}

/* The record */

static struct iommufd_ser *ser_get(u64 pa)
{
	const char *reason = "not in preserved memory";
	unsigned int order;

	for (order = 0; order <= MAX_PAGE_ORDER; order++) {
		if (!kho_is_preserved(pa, order))
			continue;
		reason = iommufd_ser_check(phys_to_virt(pa), order);
		break;
	}
	if (reason) {
		liveupdate_refuse_warn("record of an iommufd refused: %s\n",
				       reason);
		return ERR_PTR(-EIO);
	}
	return phys_to_virt(pa);
}

/* LUO's file handler */

/**
 * iommufd_liveupdate_retrieve() - Make the iommufd of the previous kernel again
 * @args: Arguments of LUO
 *
 * Asks nothing of devices, whose drivers may come later.
 *
 * Context: May sleep. The mutex of the session is held.
 * Return: 0, -EIO if the record cannot be used, or -ENOMEM or -EAGAIN, after
 *	   which LUO will ask again.
 */
int iommufd_liveupdate_retrieve(struct liveupdate_file_op_args *args)
{
	struct iommufd_ser *copy __free(kvfree) = NULL;
	struct iommufd_ctx *ictx;
	struct iommufd_ser *ser;
	struct file *file;
	int rc;

	ser = ser_get(args->serialized_data);
	if (IS_ERR(ser))
		return PTR_ERR(ser);

	rc = -ENOMEM;
	copy = kvmemdup(ser, ser->length, GFP_KERNEL_ACCOUNT);
	if (!copy)
		goto err_log;

	file = iommufd_file_alloc();
	if (IS_ERR(file)) {
		rc = PTR_ERR(file);
		/* Too many files are open. That may pass, so it is not final. */
		if (rc == -ENFILE)
			rc = -EAGAIN;
		goto err_log;
	}

	ictx = file->private_data;
	ictx->liveupdate.incoming = no_free_ptr(copy);
	args->file = file;
	return 0;

err_log:
	liveupdate_refuse_warn("cannot make an iommufd of %u HWPTs: %pe\n",
			       ser->nr_hwpts, ERR_PTR(rc));
	return rc;
}

/**
 * iommufd_liveupdate_can_finish() - Whether the memory may be given back
 * @args: Arguments of LUO
 *
 * The devices of the session were asked before. A device whose record is none of
 * theirs is asked for here.
 *
 * Context: May sleep. The mutex of the session is held.
 * Return: false if a device may go on with DMA to what a HWPT maps. A record that
 *	   cannot be used names no HWPT, and then it is for the devices to say.
 */
bool iommufd_liveupdate_can_finish(struct liveupdate_file_op_args *args)
{
	const struct iommufd_ser *ser = ser_get(args->serialized_data);

	if (IS_ERR(ser))
		return true;
	for (u32 i = 0; i < ser->nr_hwpts; i++)
		if (!iommu_liveupdate_can_abandon_domain(ser->hwpts[i].domain_pa))
			return false;
	return true;
}

/**
 * iommufd_liveupdate_finish() - The session is finished
 * @args: Arguments of LUO
 *
 * The devices of the session are finished before, so no attachment is left as it
 * came in, unless the record of a device named another one: that is seen to
 * here, before the memory is finished. A record that cannot be used stays with
 * KHO: nobody knows how much memory it is.
 *
 * Context: May sleep. The mutex of the session is held.
 */
void iommufd_liveupdate_finish(struct liveupdate_file_op_args *args)
{
	struct iommufd_ser *ser;

	ser = ser_get(args->serialized_data);
	if (IS_ERR(ser))
		return;
	for (u32 i = 0; i < ser->nr_hwpts; i++)
		iommu_liveupdate_abandon_domain(ser->hwpts[i].domain_pa);
	kho_restore_free(ser);
}

/* Devices */

VISIBLE_IF_KUNIT bool iommufd_ctx_has_domain(struct iommufd_ctx *ictx, u64 domain_pa)
{
	const struct iommufd_ser *ser = ictx->liveupdate.incoming;

	for (u32 i = 0; ser && i < ser->nr_hwpts; i++)
		if (ser->hwpts[i].domain_pa == domain_pa)
			return true;
	return false;
}

/* Did the device come in by this iommufd, and can it go on? */
static int device_check_incoming(struct iommufd_ctx *ictx, struct device *dev)
{
	const struct iommu_attachment_ser *att = NULL;
	const struct iommu_device_ser *devrec;

	devrec = iommu_liveupdate_incoming_record(dev);
	if (!devrec)
		return -ENODEV;
	if (IS_ERR(devrec))
		return PTR_ERR(devrec);

	while ((att = iommu_liveupdate_next_attachment(devrec, att)))
		if (!iommufd_ctx_has_domain(ictx, att->domain_pa))
			return -EPERM;
	return 0;
}

static struct iommufd_attach *attach_alloc(struct iommufd_device *idev)
{
	struct iommufd_attach *attach;
	int rc;

	attach = kzalloc_obj(*attach);
	if (!attach)
		return ERR_PTR(-ENOMEM);

	xa_init(&attach->device_array);
	rc = xa_reserve(&attach->device_array, idev->obj.id, GFP_KERNEL);
	if (rc) {
		kfree(attach);
		return ERR_PTR(rc);
	}
	return attach;
}

static void attach_free(struct iommufd_attach *attach)
{
	xa_destroy(&attach->device_array);
	kfree(attach);
}

/* The slot is reserved, so there is nothing to allocate */
static void attach_join(struct iommufd_attach *attach,
			struct iommufd_device *idev)
{
	refcount_inc(&attach->hwpt->obj.users);
	xa_store(&attach->device_array, idev->obj.id, idev, GFP_KERNEL);
}

/* For each attachment of the record, with a place in the group */
static int attaches_alloc(struct iommufd_device *idev, struct xarray *attaches)
{
	const struct iommu_attachment_ser *att = NULL;
	const struct iommu_device_ser *devrec;
	struct iommufd_attach *attach;
	int rc;

	devrec = iommu_liveupdate_incoming_record(idev->dev);
	if (IS_ERR_OR_NULL(devrec))
		return -EIO;
	while ((att = iommu_liveupdate_next_attachment(devrec, att))) {
		attach = attach_alloc(idev);
		if (IS_ERR(attach))
			return PTR_ERR(attach);
		rc = xa_insert(attaches, att->pasid, attach, GFP_KERNEL);
		if (rc) {
			attach_free(attach);
			return rc;
		}
		/* One that fails is not given back, as it is somebody else's */
		rc = xa_insert(&idev->igroup->pasid_attach, att->pasid,
			       XA_ZERO_ENTRY, GFP_KERNEL);
		if (rc) {
			xa_erase(attaches, att->pasid);
			attach_free(attach);
			return rc;
		}
	}
	return 0;
}

static void attaches_free(struct iommufd_group *igroup, struct xarray *attaches)
{
	struct iommufd_attach *attach;
	unsigned long pasid;

	xa_for_each(attaches, pasid, attach) {
		xa_release(&igroup->pasid_attach, pasid);
		attach_free(attach);
	}
}

/* All slots are reserved, so there is nothing to allocate */
static void attaches_install(struct iommufd_device *idev, struct xarray *attaches)
{
	struct iommufd_attach *attach;
	unsigned long pasid;

	xa_for_each(attaches, pasid, attach) {
		attach->hwpt = &iommufd_hwpt_restored;
		attach_join(attach, idev);
		/* Pairs with iommufd_device_detach() */
		refcount_inc(&idev->obj.users);
		xa_store(&idev->igroup->pasid_attach, pasid, attach, GFP_KERNEL);
	}
}

/* All that may fail is before the call of the core, and that is all or nothing */
static int device_take_over(struct iommufd_device *idev,
			    struct iommufd_group *igroup)
{
	struct xarray attaches;
	int rc;

	lockdep_assert_held(&igroup->lock);

	/* Its group was detached, and it is blocked like the others */
	if (!iommu_liveupdate_device_restored(idev->dev))
		return -EIO;

	xa_init(&attaches);
	rc = attaches_alloc(idev, &attaches);
	if (!rc)
		rc = iommu_device_reclaim(idev->dev, idev->ictx);
	if (rc)
		attaches_free(igroup, &attaches);
	else
		attaches_install(idev, &attaches);
	xa_destroy(&attaches);
	return rc;
}

/* Likewise when others of the group are attached to what the device is on as well */
static int device_follow(struct iommufd_device *idev,
			 struct iommufd_attach *attach)
{
	struct iommufd_hwpt_paging *hwpt_paging = NULL;
	int rc;

	lockdep_assert_held(&idev->igroup->lock);

	rc = iommufd_device_check_mutable(idev, NULL, "bind");
	if (rc)
		return rc;
	if (!iommufd_hwpt_is_restored(attach->hwpt))
		hwpt_paging = find_hwpt_paging(attach->hwpt);

	rc = xa_reserve(&attach->device_array, idev->obj.id, GFP_KERNEL);
	if (rc)
		return rc;
	if (hwpt_paging) {
		rc = iommufd_device_attach_reserved_iova(idev, hwpt_paging);
		if (rc)
			goto err_release;
	}
	rc = iommu_device_reclaim(idev->dev, idev->ictx);
	if (rc)
		goto err_unresv;

	attach_join(attach, idev);
	refcount_inc(&idev->obj.users);
	return 0;

err_unresv:
	if (hwpt_paging)
		iopt_remove_reserved_iova(&hwpt_paging->ioas->iopt, idev->dev);
err_release:
	xa_release(&attach->device_array, idev->obj.id);
	return rc;
}

static int device_join(struct iommufd_device *idev, struct iommufd_group *igroup)
{
	struct iommufd_attach *attach;
	int rc;

	guard(mutex)(&igroup->lock);

	/* From here on destroying the device releases the group, unless it fails */
	idev->igroup = igroup;
	attach = xa_load(&igroup->pasid_attach, IOMMU_NO_PASID);
	rc = attach ? device_follow(idev, attach) : device_take_over(idev, igroup);
	if (rc)
		idev->igroup = NULL;
	return rc;
}

/**
 * iommufd_device_reclaim() - Bind a device that came in by live update
 * @ictx: The iommufd that was retrieved for this device
 * @dev: The device
 * @id: Set to the ID of the device object
 *
 * Instead of iommufd_device_bind() and iommufd_device_attach() for a device that
 * goes on with DMA. The group is handed over from live update to @ictx, unless it has
 * the group by another device of it, and the device counts as attached to what it
 * came in on, with each of its PASIDs, or to what its group was moved to since. Neither
 * hardware nor the domain of the group is touched. Everything is allocated
 * before, so that a failure changes nothing.
 *
 * Must be undone by iommufd_device_detach() of each PASID, as long as something is
 * attached, and iommufd_device_unbind().
 *
 * Context: May sleep. The caller keeps other threads from binding or unbinding
 *	    @dev, and its session from being finished. Takes the lock of the group.
 * Return: The device object, or an error pointer,
 *	   -ENODEV if @dev did not come in,
 *	   -EIO if it is blocked, by itself or with its group,
 *	   -EPERM if it did not come in by @ictx, or without secure interrupts,
 *	   -EINVAL if it is not cache coherent, or
 *	   what iommu_device_reclaim() returns.
 */
struct iommufd_device *iommufd_device_reclaim(struct iommufd_ctx *ictx,
					      struct device *dev, u32 *id)
{
	struct iommufd_device *idev;
	struct iommufd_group *igroup;
	int rc;

	rc = device_check_incoming(ictx, dev);
	if (rc)
		goto err_log;

	idev = iommufd_object_alloc(ictx, idev, IOMMUFD_OBJ_DEVICE);
	if (IS_ERR(idev)) {
		rc = PTR_ERR(idev);
		goto err_log;
	}
	idev->ictx = ictx;
	idev->dev = dev;

	igroup = iommufd_device_get_group(idev);
	if (IS_ERR(igroup)) {
		rc = PTR_ERR(igroup);
		goto err_abort_device;
	}

	rc = device_join(idev, igroup);
	if (rc)
		goto err_put_group;

	if (!iommufd_selftest_is_mock_dev(dev))
		iommufd_ctx_get(ictx);
	/* As after iommufd_device_bind() */
	refcount_inc(&idev->obj.users);
	*id = idev->obj.id;
	iommufd_object_finalize(ictx, &idev->obj);
	return idev;

err_put_group:
	iommufd_put_group(igroup);
err_abort_device:
	iommufd_object_abort(ictx, &idev->obj);
err_log:
	/* Any iommufd gets -EPERM, as often as its owner likes */
	if (rc == -EPERM)
		dev_dbg(dev, "iommufd: cannot be reclaimed, did not come in by this iommufd\n");
	else
		dev_warn_ratelimited(dev, "iommufd: cannot be reclaimed: %pe\n",
				     ERR_PTR(rc));
	return ERR_PTR(rc);
}
EXPORT_SYMBOL_NS_GPL(iommufd_device_reclaim, "IOMMUFD");

/**
 * iommufd_device_is_restored() - Is a device where it came in?
 * @idev: The device
 *
 * The core knows as well, but not whether its records have been told: that is so when
 * whoever replaces has given the lock of the group back.
 *
 * Context: May sleep. Takes the lock of the group, and does not wait long for it.
 * Return: true from iommufd_device_reclaim() until the device is attached to
 *	   a HWPT or detached, and each PASID of it; also if that is just under way and does not
 *	   come to an end.
 */
bool iommufd_device_is_restored(struct iommufd_device *idev)
{
	struct iommufd_group *igroup = idev->igroup;
	struct iommufd_attach *attach;
	bool restored = false;
	unsigned long pasid;

	if (!mutex_lock_until(&igroup->lock, jiffies + IOMMUFD_LIVEUPDATE_WAIT)) {
		liveupdate_dev_warn(idev->dev,
				    "iommufd: an attach of its owner does not end, does it wait for a page fault?\n");
		return true;
	}
	xa_for_each(&igroup->pasid_attach, pasid, attach)
		if (iommufd_hwpt_is_restored(attach->hwpt))
			restored = true;
	mutex_unlock(&igroup->lock);
	return restored;
}
EXPORT_SYMBOL_NS_GPL(iommufd_device_is_restored, "IOMMUFD");

/**
 * iommufd_device_check_replace() - May a device go from one HWPT to the other?
 * @idev: The device
 * @old: What it is attached to
 * @hwpt: What it is to be attached to
 *
 * It must not stop translating when it leaves what it came in on. Drivers promise
 * that, or refuse, for ordinary HWPTs.
 *
 * Context: iommufd_group::lock is held.
 * Return: 0, or -EOPNOTSUPP if @old is restored and @hwpt is not ordinary.
 */
int iommufd_device_check_replace(struct iommufd_device *idev,
				 struct iommufd_hw_pagetable *old,
				 struct iommufd_hw_pagetable *hwpt)
{
	lockdep_assert_held(&idev->igroup->lock);

	if (!iommufd_hwpt_is_restored(old))
		return 0;
	if (hwpt_is_paging(hwpt) && !hwpt->fault) {
		liveupdate_phase_begin(LIVEUPDATE_PHASE_ATTACH);
		return 0;
	}
	dev_dbg(idev->dev, "iommufd: replace refused, it came in by a live update and HWPT %u is nested or able to fault\n",
		hwpt->obj.id);
	return -EOPNOTSUPP;
}

/**
 * iommufd_device_check_attach() - May a device be attached on a PASID?
 * @idev: The device
 * @pasid: The PASID, IOMMU_NO_PASID for none
 *
 * Nobody knows whether what the device came in on could have one more.
 *
 * Context: iommufd_group::lock is held.
 * Return: 0, or -EBUSY if it is a PASID and the device has not left what it came in
 *	   on without one.
 */
int iommufd_device_check_attach(struct iommufd_device *idev, u32 pasid)
{
	struct iommufd_attach *attach;

	lockdep_assert_held(&idev->igroup->lock);

	attach = xa_load(&idev->igroup->pasid_attach, IOMMU_NO_PASID);
	if (pasid == IOMMU_NO_PASID || !attach ||
	    !iommufd_hwpt_is_restored(attach->hwpt))
		return 0;
	dev_dbg(idev->dev, "iommufd: attach of a PASID refused, it came in by a live update and was not moved to a HWPT\n");
	return -EBUSY;
}

/**
 * iommufd_device_left_restored() - A device and its group have another domain now
 * @idev: The device
 * @pasid: The PASID of which this goes, IOMMU_NO_PASID for none
 * @old: What it was attached to, restored or not
 *
 * The restored domain goes with its last attachment.
 *
 * Context: May sleep. iommufd_group::lock is held.
 */
void iommufd_device_left_restored(struct iommufd_device *idev, u32 pasid,
				  struct iommufd_hw_pagetable *old)
{
	lockdep_assert_held(&idev->igroup->lock);

	if (iommufd_hwpt_is_restored(old))
		iommu_liveupdate_replaced(idev->dev, pasid);
}
