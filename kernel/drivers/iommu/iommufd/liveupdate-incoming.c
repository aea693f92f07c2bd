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
 * A *restored HWPT* stands for a page table of the previous kernel. It is an
 * object type of its own: it has no IOAS, nothing can be mapped or allocated
 * with it, and only the devices that came in on it can be attached to it. The
 * domain belongs to the IOMMU core, not to the HWPT. It cannot be looked at
 * from here: hw_pagetable.domain stays NULL. The HWPT is tied to it by the
 * address of its record, a number that attachments and HWPTs share.
 *
 * The way through it:
 *
 * 1. iommufd_liveupdate_retrieve() checks the record and makes a fresh iommufd
 *    with one restored HWPT per entry. Each is *pinned*: it has a users
 *    reference for the attachments that nobody has reclaimed yet.
 * 2. iommufd_hwpt_liveupdate_restore() tells user space its ID, if it asks. From
 *    then on it is *known*.
 * 3. iommufd_device_reclaim(), called by VFIO instead of iommufd_device_bind(),
 *    takes over the group and attaches the device to its restored HWPT. Nothing
 *    changes for the hardware.
 * 4. User space attaches the device to a HWPT of its own. For iommufd this is a
 *    replace as any other, after which iommufd_device_left_restored() tells the
 *    core. A detach, which blocks, ends in the same way.
 * 5. iommufd_hwpt_restored_put() drops the reference of the attachment. If the
 *    core says that the domain is freed, the pin goes as well, and with it the
 *    HWPT. If it is known it stays, without use, until it is destroyed, so that
 *    its ID is not used again behind the back of user space.
 * 6. iommufd_liveupdate_finish() drops the pins that are left. They were for
 *    devices that were abandoned, or that never came. It is the file of a device
 *    that refuses this before, as long as the device needs its restored HWPT and
 *    somebody needs the device; and iommufd_liveupdate_can_finish(), if a device
 *    that has no file can be stopped by nobody.
 *
 * A restored attachment has no attach handle, for those are about page faults
 * and MSI pages, and neither comes in.
 *
 * Until step 6 LUO has a reference to the file, so that closing it changes
 * nothing, and a second program finds everything as it is. After that the file
 * is one as any other.
 *
 * Locking: the lock of iommufd_ctx::objects protects the flags of a restored
 * HWPT. It is never held around anything that may sleep; who goes on to use a
 * HWPT takes a users reference. iommufd_group::lock protects the attachments,
 * and is held around the calls of the core that change one. Order: session
 * mutex, VFIO's dev_set->lock, igroup->lock, the locks of the core; objects is
 * innermost.
 */
#define pr_fmt(fmt) "iommufd: liveupdate: " fmt

#include <kunit/static_stub.h>
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
#include <linux/mmzone.h>
#include <linux/mutex.h>
#include <linux/printk.h>
#include <linux/slab.h>
#include <linux/xarray.h>
#include <uapi/linux/iommufd.h>

#include "../iommu-priv.h"
#include "iommufd_private.h"
#include "liveupdate-check.h"

/**
 * struct iommufd_hwpt_restored - A HWPT that came from the previous kernel
 * @common: Only obj is used, all else is 0
 * @token: What user space called it when it was marked
 * @domain_pa: Where the record of its domain was. Only a key, never followed.
 * @pinned: It has a users reference for attachments that are not reclaimed
 * @known: User space was told the ID
 */
struct iommufd_hwpt_restored {
	struct iommufd_hw_pagetable common;
	u64 token;
	u64 domain_pa;
	bool pinned;
	bool known;
};

static struct iommufd_hwpt_restored *
to_hwpt_restored(struct iommufd_object *obj)
{
	return container_of(obj, struct iommufd_hwpt_restored, common.obj);
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
		pr_warn_ratelimited("record of an iommufd refused: %s\n",
				    reason);
		return ERR_PTR(-EIO);
	}
	return phys_to_virt(pa);
}

/* Restored HWPTs */

/* Does not take a reference */
static struct iommufd_hwpt_restored *
pinned_hwpt_next(struct iommufd_ctx *ictx, unsigned long *index)
{
	struct iommufd_object *obj;

	lockdep_assert_held(&ictx->objects.xa_lock);

	for (obj = xa_find(&ictx->objects, index, ULONG_MAX, XA_PRESENT); obj;
	     obj = xa_find_after(&ictx->objects, index, ULONG_MAX, XA_PRESENT))
		if (iommufd_object_is_restored(obj) &&
		    to_hwpt_restored(obj)->pinned)
			return to_hwpt_restored(obj);
	return NULL;
}

static struct iommufd_hwpt_restored *get_any_pinned(struct iommufd_ctx *ictx)
{
	struct iommufd_hwpt_restored *restored;
	unsigned long index = 0;

	xa_lock(&ictx->objects);
	restored = pinned_hwpt_next(ictx, &index);
	if (restored)
		refcount_inc(&restored->common.obj.users);
	xa_unlock(&ictx->objects);
	return restored;
}

static struct iommufd_hwpt_restored *
get_pinned_by_token(struct iommufd_ctx *ictx, u64 token)
{
	struct iommufd_hwpt_restored *restored;
	unsigned long index = 0;

	xa_lock(&ictx->objects);
	while ((restored = pinned_hwpt_next(ictx, &index))) {
		if (restored->token == token) {
			refcount_inc(&restored->common.obj.users);
			break;
		}
		index++;
	}
	xa_unlock(&ictx->objects);
	return restored;
}

static struct iommufd_hwpt_restored *
get_pinned_by_record(struct iommufd_ctx *ictx, u64 domain_pa)
{
	struct iommufd_hwpt_restored *restored;
	unsigned long index = 0;

	xa_lock(&ictx->objects);
	while ((restored = pinned_hwpt_next(ictx, &index))) {
		if (restored->domain_pa == domain_pa) {
			refcount_inc(&restored->common.obj.users);
			break;
		}
		index++;
	}
	xa_unlock(&ictx->objects);
	return restored;
}

/* The caller has a reference */
static void hwpt_unpin(struct iommufd_ctx *ictx,
		       struct iommufd_hwpt_restored *restored)
{
	xa_lock(&ictx->objects);
	if (restored->pinned) {
		restored->pinned = false;
		refcount_dec(&restored->common.obj.users);
	}
	xa_unlock(&ictx->objects);
}

/*
 * Drop a reference, and with the last one of a HWPT without attachments, and of
 * which nobody knows, the HWPT.
 */
static void hwpt_put(struct iommufd_ctx *ictx,
		     struct iommufd_hwpt_restored *restored)
{
	struct iommufd_object *obj = &restored->common.obj;
	bool stays;

	xa_lock(&ictx->objects);
	stays = restored->pinned || restored->known;
	if (stays)
		refcount_dec(&obj->users);
	xa_unlock(&ictx->objects);

	/* -EBUSY if somebody else has one, and will do the same */
	if (!stays)
		iommufd_object_remove(ictx, obj, obj->id, 0);
}

/* For tests, which have no records */
VISIBLE_IF_KUNIT struct iommu_domain *iommufd_restored_domain(u64 domain_pa)
{
	KUNIT_STATIC_STUB_REDIRECT(iommufd_restored_domain, domain_pa);
	return iommu_liveupdate_restored_domain(domain_pa);
}

/* Is a device attached that came in so? If not, one may come later all the same */
static bool hwpt_is_attached(struct iommufd_hwpt_restored *restored)
{
	return !IS_ERR(iommufd_restored_domain(restored->domain_pa));
}

/* The core has freed the domain: no device is attached, and none will come */
static bool hwpt_is_gone(struct iommufd_hwpt_restored *restored)
{
	return iommufd_restored_domain(restored->domain_pa) == ERR_PTR(-ENOENT);
}

/**
 * iommufd_hwpt_restored_put() - A device has left its restored HWPT
 * @ictx: Context of the HWPT
 * @hwpt: The restored HWPT, with the users reference of the attachment
 *
 * Context: May sleep. iommufd_device_left_restored() has been called.
 */
void iommufd_hwpt_restored_put(struct iommufd_ctx *ictx,
			       struct iommufd_hw_pagetable *hwpt)
{
	struct iommufd_hwpt_restored *restored = to_hwpt_restored(&hwpt->obj);

	if (hwpt_is_gone(restored))
		hwpt_unpin(ictx, restored);
	hwpt_put(ictx, restored);
}

/**
 * iommufd_hwpt_restored_destroy() - Free a restored HWPT
 * @obj: Its object, not in use
 *
 * The domain is the core's, so there is nothing to do.
 *
 * Context: Any.
 */
void iommufd_hwpt_restored_destroy(struct iommufd_object *obj)
{
}

VISIBLE_IF_KUNIT int
iommufd_hwpt_restored_create(struct iommufd_ctx *ictx,
			     const struct iommufd_hwpt_ser *hwpt_ser)
{
	struct iommufd_hwpt_restored *restored;

	restored = __iommufd_object_alloc(ictx, restored,
					  IOMMUFD_OBJ_HWPT_RESTORED, common.obj);
	if (IS_ERR(restored))
		return PTR_ERR(restored);

	restored->token = hwpt_ser->token;
	restored->domain_pa = hwpt_ser->domain_pa;
	restored->pinned = true;
	refcount_inc(&restored->common.obj.users);
	iommufd_object_finalize(ictx, &restored->common.obj);
	return 0;
}

VISIBLE_IF_KUNIT void iommufd_ctx_unpin_restored(struct iommufd_ctx *ictx)
{
	struct iommufd_hwpt_restored *restored;

	while ((restored = get_any_pinned(ictx))) {
		hwpt_unpin(ictx, restored);
		hwpt_put(ictx, restored);
	}
}

/**
 * iommufd_hwpt_liveupdate_restore() - Look a restored HWPT up by its token
 * @ucmd: The command, a struct iommu_hwpt_liveupdate_restore
 *
 * Context: ioctl of the iommufd. May sleep.
 * Return: 0, -ENOENT if there is none, or if none of its attachments is as it
 *	   came, -EOPNOTSUPP if a reserved field is not 0, or -EFAULT.
 */
int iommufd_hwpt_liveupdate_restore(struct iommufd_ucmd *ucmd)
{
	struct iommu_hwpt_liveupdate_restore *cmd = ucmd->cmd;
	struct iommufd_hwpt_restored *restored;
	struct iommufd_ctx *ictx = ucmd->ictx;
	bool found = false;

	if (cmd->__reserved || cmd->__reserved2)
		return -EOPNOTSUPP;

	restored = get_pinned_by_token(ictx, cmd->hwpt_token);
	if (restored) {
		if (hwpt_is_attached(restored)) {
			xa_lock(&ictx->objects);
			found = restored->pinned;
			restored->known |= found;
			xa_unlock(&ictx->objects);
			cmd->out_hwpt_id = restored->common.obj.id;
		}
		hwpt_put(ictx, restored);
	}
	if (!found) {
		pr_debug("no restored HWPT with token %#llx\n", cmd->hwpt_token);
		return -ENOENT;
	}
	return iommufd_ucmd_respond(ucmd, sizeof(*cmd));
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
	struct iommufd_ctx *ictx;
	struct iommufd_ser *ser;
	struct file *file;
	u32 i;
	int rc;

	ser = ser_get(args->serialized_data);
	if (IS_ERR(ser))
		return PTR_ERR(ser);

	file = iommufd_file_alloc();
	if (IS_ERR(file)) {
		rc = PTR_ERR(file);
		/* Too many files are open. That may pass, so it is not final. */
		if (rc == -ENFILE)
			rc = -EAGAIN;
		goto err_log;
	}

	ictx = file->private_data;
	for (i = 0; i < ser->nr_hwpts; i++) {
		rc = iommufd_hwpt_restored_create(ictx, &ser->hwpts[i]);
		if (rc)
			goto err_unpin;
	}

	args->file = file;
	return 0;

err_unpin:
	iommufd_ctx_unpin_restored(ictx);
	fput(file);
err_log:
	pr_warn_ratelimited("cannot make an iommufd of %u HWPTs: %pe\n",
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

	if (args->retrieve_status > 0)
		iommufd_ctx_unpin_restored(args->file->private_data);

	ser = ser_get(args->serialized_data);
	if (IS_ERR(ser))
		return;
	for (u32 i = 0; i < ser->nr_hwpts; i++)
		iommu_liveupdate_abandon_domain(ser->hwpts[i].domain_pa);
	kho_restore_free(ser);
}

/* Devices */

static struct iommufd_device *ictx_find_device(struct iommufd_ctx *ictx,
					       struct device *dev)
{
	struct iommufd_device *idev;
	struct iommufd_object *obj;
	unsigned long index;

	xa_lock(&ictx->objects);
	xa_for_each(&ictx->objects, index, obj) {
		if (obj->type != IOMMUFD_OBJ_DEVICE)
			continue;
		idev = container_of(obj, struct iommufd_device, obj);
		if (idev->dev == dev) {
			xa_unlock(&ictx->objects);
			return idev;
		}
	}
	xa_unlock(&ictx->objects);
	return NULL;
}

static struct iommufd_hwpt_restored *
device_get_restored(struct iommufd_ctx *ictx, struct device *dev)
{
	const struct iommu_attachment_ser *att;
	struct iommufd_hwpt_restored *restored;

	att = iommu_liveupdate_device_attachment(dev);
	if (!att)
		return ERR_PTR(-ENODEV);
	if (IS_ERR(att))
		return ERR_CAST(att);

	restored = get_pinned_by_record(ictx, att->domain_pa);
	return restored ?: ERR_PTR(-EPERM);
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

/* All that may fail is before the call of the core, and that is all or nothing */
static int device_take_over(struct iommufd_device *idev,
			    struct iommufd_group *igroup,
			    struct iommufd_attach *attach)
{
	struct iommu_domain *domain;
	int rc;

	guard(mutex)(&igroup->lock);

	/* -EBUSY if the group has an attachment, which cannot be */
	rc = xa_insert(&igroup->pasid_attach, IOMMU_NO_PASID, XA_ZERO_ENTRY,
		       GFP_KERNEL);
	if (rc)
		return rc;

	rc = iommu_device_reclaim(idev->dev, idev->ictx, &domain);
	if (rc) {
		xa_release(&igroup->pasid_attach, IOMMU_NO_PASID);
		return rc;
	}

	/* From here on destroying the device releases the group */
	idev->igroup = igroup;
	/* Both slots are reserved, so there is nothing to allocate */
	xa_store(&attach->device_array, idev->obj.id, idev, GFP_KERNEL);
	xa_store(&igroup->pasid_attach, IOMMU_NO_PASID, attach, GFP_KERNEL);
	return 0;
}

/**
 * iommufd_device_reclaim() - Bind a device that came in by live update
 * @ictx: The iommufd that was retrieved for this device
 * @dev: The device
 * @id: Set to the ID of the device object
 *
 * Instead of iommufd_device_bind() and iommufd_device_attach() for a device that
 * goes on with DMA. The group is handed over from live update to @ictx, and the
 * device is attached, without PASID, to the restored HWPT of its record. Neither
 * hardware nor the domain of the group is touched. Everything is allocated
 * before, so that a failure changes nothing.
 *
 * To do so again for the same device and iommufd gives the same object, and
 * changes nothing, whatever it is attached to by then.
 *
 * Must be undone by iommufd_device_detach(), as long as something is attached,
 * and iommufd_device_unbind().
 *
 * Context: May sleep. The caller keeps other threads from binding or unbinding
 *	    @dev, and its session from being finished. Takes the lock of the group.
 * Return: The device object, or an error pointer,
 *	   -ENODEV if @dev did not come in,
 *	   -EIO if it is blocked,
 *	   -EPERM if it did not come in by @ictx, or without secure interrupts,
 *	   -EINVAL if it is not cache coherent, or
 *	   what iommu_device_reclaim() returns.
 */
struct iommufd_device *iommufd_device_reclaim(struct iommufd_ctx *ictx,
					      struct device *dev, u32 *id)
{
	struct iommufd_hwpt_restored *restored;
	struct iommufd_attach *attach;
	struct iommufd_device *idev;
	struct iommufd_group *igroup;
	int rc;

	idev = ictx_find_device(ictx, dev);
	if (idev) {
		*id = idev->obj.id;
		return idev;
	}

	restored = device_get_restored(ictx, dev);
	if (IS_ERR(restored)) {
		rc = PTR_ERR(restored);
		goto err_log;
	}

	idev = iommufd_object_alloc(ictx, idev, IOMMUFD_OBJ_DEVICE);
	if (IS_ERR(idev)) {
		rc = PTR_ERR(idev);
		goto err_put_restored;
	}
	idev->ictx = ictx;
	idev->dev = dev;

	igroup = iommufd_device_get_group(idev);
	if (IS_ERR(igroup)) {
		rc = PTR_ERR(igroup);
		goto err_abort_device;
	}

	attach = attach_alloc(idev);
	if (IS_ERR(attach)) {
		rc = PTR_ERR(attach);
		goto err_put_group;
	}
	/* The reference to the restored HWPT is that of the attachment now */
	attach->hwpt = &restored->common;

	rc = device_take_over(idev, igroup, attach);
	if (rc)
		goto err_free_attach;

	if (!iommufd_selftest_is_mock_dev(dev))
		iommufd_ctx_get(ictx);
	/* One as after iommufd_device_bind(), one as after an attach */
	refcount_add(2, &idev->obj.users);
	*id = idev->obj.id;
	iommufd_object_finalize(ictx, &idev->obj);
	return idev;

err_free_attach:
	attach_free(attach);
err_put_group:
	iommufd_put_group(igroup);
err_abort_device:
	iommufd_object_abort(ictx, &idev->obj);
err_put_restored:
	hwpt_put(ictx, restored);
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
 * iommufd_device_is_restored() - Does a device need its restored HWPT?
 * @idev: The device
 *
 * Context: May sleep. Takes the lock of the group, and does not wait long for it.
 * Return: true from iommufd_device_reclaim() until the device is attached to
 *	   another HWPT or detached; also if that is just under way and does not
 *	   come to an end.
 */
bool iommufd_device_is_restored(struct iommufd_device *idev)
{
	struct iommufd_group *igroup = idev->igroup;
	struct iommufd_attach *attach;
	bool restored;

	if (!mutex_lock_until(&igroup->lock, jiffies + IOMMUFD_LIVEUPDATE_WAIT)) {
		dev_warn_ratelimited(idev->dev,
				     "iommufd: an attach of its owner does not end, does it wait for a page fault?\n");
		return true;
	}
	attach = xa_load(&igroup->pasid_attach, IOMMU_NO_PASID);
	restored = attach && iommufd_object_is_restored(&attach->hwpt->obj);
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
 * It must not stop translating when it leaves a restored HWPT. Drivers promise
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

	if (!iommufd_object_is_restored(&old->obj) ||
	    (hwpt_is_paging(hwpt) && !hwpt->fault))
		return 0;
	dev_dbg(idev->dev, "iommufd: replace refused, its HWPT is restored and HWPT %u is nested or able to fault\n",
		hwpt->obj.id);
	return -EOPNOTSUPP;
}

/**
 * iommufd_device_left_restored() - A device has another domain now
 * @idev: The device
 * @old: What it was attached to, restored or not
 *
 * The restored domain goes with its last attachment.
 *
 * Context: May sleep. iommufd_group::lock is held.
 */
void iommufd_device_left_restored(struct iommufd_device *idev,
				  struct iommufd_hw_pagetable *old)
{
	lockdep_assert_held(&idev->igroup->lock);

	if (iommufd_object_is_restored(&old->obj))
		iommu_liveupdate_replaced(idev->dev);
}
