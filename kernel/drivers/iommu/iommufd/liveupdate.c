// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */

/**
 * DOC: Preserving an iommufd across a live update
 *
 * A device that user space drives through VFIO and iommufd can go on with DMA
 * while the kernel is replaced by kexec. For that the page table it uses must
 * stay as it is, and the memory this maps must stay, too. Here is iommufd's
 * part of it: the file handler by which the Live Update Orchestrator (LUO)
 * preserves an iommufd, and what VFIO calls to preserve a device of it.
 *
 * Terms: a HWPT is *marked* when user space has asked for it to be preserved
 * (hwpt_liveupdate.c), and *preserved* when its page table is in the hands of
 * the IOMMU core (drivers/iommu/liveupdate.c). An IOAS is *immutable* while a
 * HWPT on it is preserved. Dependencies between files go by *tokens*: a file
 * has one if it was preserved before in the same session.
 *
 * The way through it, in the old kernel:
 *
 * 1. User space maps sealed memfds, marks HWPTs, and preserves the memfds.
 * 2. iommufd_liveupdate_preserve(): for each marked HWPT its IOAS is checked
 *    (liveupdate-areas.c) and made immutable (ioas_make_immutable()), and its
 *    domain is given to the core (hwpt_preserve()). All HWPTs are preserved, or
 *    none is.
 * 3. iommufd_device_preserve(), called by VFIO when the device file is
 *    preserved: the attachment is fixed and recorded by the core. From then on
 *    the device is neither attached, replaced nor given a vDEVICE.
 *    Devices of other groups may leave the HWPT as ever, nothing is asked then:
 *    the count of a group and the flag of a device are about themselves only.
 * 4. iommufd_liveupdate_freeze(): the core looks at each unit for a last time.
 *
 * Undone in reverse when the session is closed or the kexec fails, by
 * iommufd_liveupdate_unfreeze(), iommufd_device_unpreserve() and
 * iommufd_liveupdate_unpreserve(). Marks stay, so the same can be done again.
 *
 * What happens in the next kernel is in liveupdate-incoming.c.
 *
 * Not handled: HWPTs that are nested, can fault or were created automatically;
 * devices that have a vDEVICE; MSI pages that iommufd
 * maps on its own for platforms whose IOMMU translates MSIs. All of these are
 * refused.
 *
 * Locking:
 *
 * - The mutex of the session is held by LUO and by VFIO in all callbacks. It
 *   keeps an iommufd that has a token preserved, and so the preserved flags of
 *   its HWPTs as they are.
 * - iommufd_ctx_liveupdate::lock protects the rest of that struct and the marks.
 *   It is held from counting the marked HWPTs until the last one is preserved.
 * - iommufd_ioas::mutex keeps dirty tracking as it is.
 * - io_pagetable::domains_rwsem and iova_rwsem are both held for writing to
 *   check the areas and to raise iopt_liveupdate::nr_preserved. They are not
 *   held around calls of the core; the count is what keeps the IOAS from changing.
 *   It is lowered without them, under iommufd_ctx_liveupdate::lock only: whoever
 *   sees the new count too late is refused once more than need be.
 * - iommufd_ctx::objects is locked to find HWPTs and to take references, never
 *   around anything that may sleep.
 * - iommufd_group::lock protects what is preserved of a device.
 *
 * The owner of an iommufd can make the locks of an IOAS, and by an attach that
 * of a group, be held across a page fault that he serves himself, or does not.
 * LUO is not to wait for him: a kexec would wait for LUO, and with it all other
 * sessions. So what is called by LUO takes them by mutex_lock_until() and
 * down_write_until(), and gives up with -EBUSY. What gives things up again, and
 * cannot fail, takes no lock of an IOAS, and that of a group only while its
 * device is preserved, when nothing below the lock gets as far as to wait.
 *
 * Order: session mutex, then liveupdate.lock, ioas->mutex, domains_rwsem,
 * iova_rwsem, objects; and session mutex, then VFIO's dev_set->lock,
 * igroup->lock, the locks of the core.
 */
#define pr_fmt(fmt) "iommufd: liveupdate: " fmt

#include <linux/crc32.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/init.h>
#include <linux/io.h>
#include <linux/iommu.h>
#include <linux/iommufd.h>
#include <linux/iommu-liveupdate.h>
#include <linux/jiffies.h>
#include <linux/kexec_handover.h>
#include <linux/kho/abi/iommufd.h>
#include <linux/liveupdate.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/printk.h>
#include <linux/rwsem.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "../iommu-priv.h"
#include "io_pagetable.h"
#include "iommufd_private.h"

/**
 * struct iommufd_liveupdate - Run-time state of a preserved iommufd
 * @ser: The record for the next kernel
 * @nr_hwpts: Entries of @hwpts
 * @hwpts: The preserved HWPTs, with a users reference each
 */
struct iommufd_liveupdate {
	struct iommufd_ser *ser;
	u32 nr_hwpts;
	struct iommufd_hwpt_paging *hwpts[] __counted_by(nr_hwpts);
};

/* Whether to ask for a lock once more. Nobody is woken, so it is asked often. */
static bool wait_until(unsigned long deadline)
{
	if (time_after(jiffies, deadline) || fatal_signal_pending(current))
		return false;
	fsleep(USEC_PER_MSEC);
	return true;
}

/**
 * mutex_lock_until() - Take a mutex that user space may hold up
 * @lock: The mutex
 * @deadline: When to give up, in jiffies
 *
 * Context: May sleep.
 * Return: true if the mutex is held.
 */
bool mutex_lock_until(struct mutex *lock, unsigned long deadline)
{
	while (!mutex_trylock(lock))
		if (!wait_until(deadline))
			return false;
	return true;
}

static bool down_write_until(struct rw_semaphore *sem, unsigned long deadline)
{
	while (!down_write_trylock(sem))
		if (!wait_until(deadline))
			return false;
	return true;
}

/**
 * iopt_ioas_id() - The IOAS that a line in the log is about
 * @iopt: Its page table
 *
 * Context: Any context.
 * Return: The id of the object, as user space knows it.
 */
u32 iopt_ioas_id(struct io_pagetable *iopt)
{
	return container_of(iopt, struct iommufd_ioas, iopt)->obj.id;
}

/* What the rest of iommufd asks and tells */

/**
 * iopt_check_mutable() - May the mappings of an IOAS be changed?
 * @iopt: Its page table
 *
 * Context: iova_rwsem is held, for reading or writing.
 * Return: 0, or -EBUSY if a HWPT of the IOAS is preserved.
 */
int iopt_check_mutable(struct io_pagetable *iopt)
{
	lockdep_assert_held(&iopt->iova_rwsem);

	if (!READ_ONCE(iopt->liveupdate.nr_preserved))
		return 0;
	pr_debug("IOAS %u is preserved and cannot be changed\n",
		 iopt_ioas_id(iopt));
	return -EBUSY;
}

/**
 * iommufd_hwpt_lock_dirty_tracking() - Before dirty tracking is switched
 * @hwpt_paging: The HWPT
 *
 * Only the driver knows whether it is on. For the note of it to be right, two
 * threads must not switch it at the same time.
 *
 * Context: May sleep. Takes iommufd_ioas::mutex.
 */
void iommufd_hwpt_lock_dirty_tracking(struct iommufd_hwpt_paging *hwpt_paging)
{
	mutex_lock(&hwpt_paging->ioas->mutex);
}

/**
 * iommufd_hwpt_unlock_dirty_tracking() - After dirty tracking was switched
 * @hwpt_paging: The HWPT
 * @enable: Whether it should be on
 * @rc: Not 0 if that failed
 *
 * Context: Releases iommufd_ioas::mutex.
 */
void iommufd_hwpt_unlock_dirty_tracking(struct iommufd_hwpt_paging *hwpt_paging,
					bool enable, int rc)
{
	if (!rc)
		hwpt_paging->liveupdate.dirty_tracking = enable;
	mutex_unlock(&hwpt_paging->ioas->mutex);
}

/**
 * iommufd_device_check_mutable() - May the use of its IOMMU be changed?
 * @idev: The device
 * @hwpt_paging: What is to be attached, NULL if it has no page table of ours
 * @what: What is to be done, for the debug log
 *
 * It is the group that is attached and replaced, whichever device asks for it.
 * A page table that is preserved gets no further users: the next kernel would
 * not know of them.
 *
 * Context: iommufd_group::lock is held.
 * Return: 0, or -EBUSY if a device of the group is preserved, or the HWPT.
 */
int iommufd_device_check_mutable(struct iommufd_device *idev,
				 struct iommufd_hwpt_paging *hwpt_paging,
				 const char *what)
{
	const char *preserved = NULL;

	lockdep_assert_held(&idev->igroup->lock);

	if (idev->igroup->liveupdate.nr_preserved)
		preserved = "it";
	else if (hwpt_paging && READ_ONCE(hwpt_paging->liveupdate.preserved))
		preserved = "the HWPT";
	if (!preserved)
		return 0;

	dev_dbg(idev->dev, "iommufd: %s refused, %s is preserved for a live update\n",
		what, preserved);
	return -EBUSY;
}

/**
 * iommufd_device_is_preserved() - Is the attachment of this device fixed?
 * @idev: The device
 *
 * Context: iommufd_group::lock is held.
 * Return: true from iommufd_device_preserve() to iommufd_device_unpreserve().
 */
bool iommufd_device_is_preserved(struct iommufd_device *idev)
{
	lockdep_assert_held(&idev->igroup->lock);
	return idev->liveupdate.preserved;
}

/* Preserving an iommufd */

/* The first of its MSI pages, if it has any */
static bool hwpt_has_sw_msi(struct iommufd_ctx *ictx,
			    struct iommufd_hwpt_paging *hwpt_paging,
			    u64 *iova)
{
	struct iommufd_sw_msi_map *map;

	guard(mutex)(&ictx->sw_msi_lock);
	list_for_each_entry(map, &ictx->sw_msi_list, sw_msi_item) {
		if (!test_bit(map->id, hwpt_paging->present_sw_msi.bitmap))
			continue;
		*iova = map->sw_msi_start + map->pgoff * PAGE_SIZE;
		return true;
	}
	return false;
}

static int ioas_make_immutable_locked(struct iommufd_hwpt_paging *hwpt_paging,
				      struct liveupdate_session *session)
{
	struct io_pagetable *iopt = &hwpt_paging->ioas->iopt;
	unsigned int nr = iopt->liveupdate.nr_preserved;
	int rc;

	if (hwpt_paging->liveupdate.dirty_tracking) {
		liveupdate_refuse_warn("cannot preserve HWPT %u: dirty tracking is on\n",
				       hwpt_paging->common.obj.id);
		return -EBUSY;
	}

	/*
	 * If it is immutable already it has not changed since it was checked,
	 * and all its domains map the same pages.
	 */
	if (!nr) {
		rc = iopt_check_areas(iopt, hwpt_paging->common.domain, session);
		if (rc)
			return rc;
	}
	WRITE_ONCE(iopt->liveupdate.nr_preserved, nr + 1);
	return 0;
}

static bool ioas_lock_until(struct iommufd_ioas *ioas, unsigned long deadline)
{
	if (!mutex_lock_until(&ioas->mutex, deadline))
		return false;
	if (!down_write_until(&ioas->iopt.domains_rwsem, deadline))
		goto err_unlock_ioas;
	if (!down_write_until(&ioas->iopt.iova_rwsem, deadline))
		goto err_unlock_domains;
	return true;

err_unlock_domains:
	up_write(&ioas->iopt.domains_rwsem);
err_unlock_ioas:
	mutex_unlock(&ioas->mutex);
	return false;
}

static void ioas_unlock(struct iommufd_ioas *ioas)
{
	up_write(&ioas->iopt.iova_rwsem);
	up_write(&ioas->iopt.domains_rwsem);
	mutex_unlock(&ioas->mutex);
}

/* Undone by ioas_make_mutable() */
static int ioas_make_immutable(struct iommufd_hwpt_paging *hwpt_paging,
			       struct liveupdate_session *session,
			       unsigned long deadline)
{
	struct iommufd_ioas *ioas = hwpt_paging->ioas;
	int rc;

	if (!ioas_lock_until(ioas, deadline)) {
		liveupdate_refuse_warn("IOAS %u: a call of its owner does not end, does it wait for a page fault?\n",
				       ioas->obj.id);
		return -EBUSY;
	}
	rc = ioas_make_immutable_locked(hwpt_paging, session);
	ioas_unlock(ioas);
	return rc;
}

/* Waits for nobody, as the DOC block has it */
static void ioas_make_mutable(struct iommufd_ctx *ictx,
			      struct iommufd_ioas *ioas)
{
	unsigned int nr = ioas->iopt.liveupdate.nr_preserved;

	lockdep_assert_held(&ictx->liveupdate.lock);
	WRITE_ONCE(ioas->iopt.liveupdate.nr_preserved, nr - 1);
}

static int hwpt_preserve(struct iommufd_ctx *ictx,
			 struct iommufd_hwpt_paging *hwpt_paging,
			 struct liveupdate_session *session,
			 unsigned long deadline,
			 struct iommufd_hwpt_ser *hwpt_ser)
{
	u32 id = hwpt_paging->common.obj.id;
	u64 domain_pa, iova;
	int rc;

	lockdep_assert_held(&ictx->liveupdate.lock);

	if (hwpt_has_sw_msi(ictx, hwpt_paging, &iova)) {
		liveupdate_refuse_warn("cannot preserve HWPT %u: it maps MSI pages, at IOVA %#llx\n",
				       id, iova);
		return -EOPNOTSUPP;
	}

	/* Before all that takes time */
	rc = iommu_domain_check_preserve(hwpt_paging->common.domain);
	if (rc)
		return rc;

	rc = ioas_make_immutable(hwpt_paging, session, deadline);
	if (rc)
		return rc;

	rc = iommu_domain_preserve(hwpt_paging->common.domain, &domain_pa);
	if (rc) {
		liveupdate_refuse_warn("cannot preserve HWPT %u: its domain cannot be preserved: %pe\n",
				       id, ERR_PTR(rc));
		goto err_make_mutable;
	}

	hwpt_ser->token = hwpt_paging->liveupdate.token;
	hwpt_ser->domain_pa = domain_pa;
	WRITE_ONCE(hwpt_paging->liveupdate.preserved, true);
	return 0;

err_make_mutable:
	ioas_make_mutable(ictx, hwpt_paging->ioas);
	return rc;
}

static void hwpt_unpreserve(struct iommufd_ctx *ictx,
			    struct iommufd_hwpt_paging *hwpt_paging)
{
	lockdep_assert_held(&ictx->liveupdate.lock);

	WRITE_ONCE(hwpt_paging->liveupdate.preserved, false);
	iommu_domain_unpreserve(hwpt_paging->common.domain);
	ioas_make_mutable(ictx, hwpt_paging->ioas);
}

static struct iommufd_hwpt_paging *object_marked_hwpt(struct iommufd_object *obj)
{
	struct iommufd_hwpt_paging *hwpt_paging;

	if (obj->type != IOMMUFD_OBJ_HWPT_PAGING)
		return NULL;
	hwpt_paging = container_of(obj, struct iommufd_hwpt_paging, common.obj);
	return hwpt_paging->liveupdate.marked ? hwpt_paging : NULL;
}

static u32 ictx_count_marked(struct iommufd_ctx *ictx)
{
	struct iommufd_object *obj;
	unsigned long index;
	u32 nr = 0;

	lockdep_assert_held(&ictx->liveupdate.lock);

	xa_lock(&ictx->objects);
	xa_for_each(&ictx->objects, index, obj)
		if (object_marked_hwpt(obj))
			nr++;
	xa_unlock(&ictx->objects);
	return nr;
}

/* Take a reference to at most @max marked HWPTs, return to how many */
static u32 ictx_get_marked(struct iommufd_ctx *ictx,
			   struct iommufd_hwpt_paging **hwpts, u32 max)
{
	struct iommufd_hwpt_paging *hwpt_paging;
	struct iommufd_object *obj;
	unsigned long index;
	u32 nr = 0;

	lockdep_assert_held(&ictx->liveupdate.lock);

	xa_lock(&ictx->objects);
	xa_for_each(&ictx->objects, index, obj) {
		hwpt_paging = object_marked_hwpt(obj);
		if (!hwpt_paging)
			continue;
		if (nr == max)
			break;
		/* Not zero, as the object is in the XArray */
		refcount_inc(&obj->users);
		hwpts[nr++] = hwpt_paging;
	}
	xa_unlock(&ictx->objects);
	return nr;
}

/* Undone by liveupdate_free() */
static struct iommufd_liveupdate *liveupdate_alloc(struct iommufd_ctx *ictx)
{
	struct iommufd_liveupdate *lu;
	u32 nr;

	nr = ictx_count_marked(ictx);
	lu = kvzalloc_flex(*lu, hwpts, nr, GFP_KERNEL_ACCOUNT);
	if (!lu)
		return ERR_PTR(-ENOMEM);

	/*
	 * None can have been marked since the count, but some may have been
	 * destroyed. It is what was found now that counts.
	 */
	lu->nr_hwpts = nr;
	lu->nr_hwpts = ictx_get_marked(ictx, lu->hwpts, nr);
	return lu;
}

static void liveupdate_free(struct iommufd_liveupdate *lu)
{
	u32 i;

	for (i = 0; i < lu->nr_hwpts; i++)
		refcount_dec(&lu->hwpts[i]->common.obj.users);
	kvfree(lu);
}

static void ser_complete(struct iommufd_ser *ser, u32 nr_hwpts)
{
	ser->version = IOMMUFD_SER_VERSION;
	ser->length = struct_size(ser, hwpts, nr_hwpts);
	ser->nr_hwpts = nr_hwpts;
	ser->crc = 0;
	ser->crc = crc32_le(~0, ser, ser->length);
}

static bool iommufd_liveupdate_can_preserve(struct liveupdate_file_handler *fh,
					    struct file *file)
{
	struct iommufd_ctx *ictx = iommufd_ctx_from_file(file);

	if (IS_ERR(ictx))
		return false;
	iommufd_ctx_put(ictx);
	return true;
}

/*
 * A HWPT that is destroyed now gets -EBUSY from its users reference, its IOAS
 * from the reference that the HWPT has.
 */
static int iommufd_liveupdate_preserve(struct liveupdate_file_op_args *args)
{
	unsigned long deadline = jiffies + IOMMUFD_LIVEUPDATE_WAIT;
	struct iommufd_ctx *ictx = args->file->private_data;
	struct iommufd_liveupdate *lu;
	struct iommufd_ser *ser;
	u32 i;
	int rc;

	guard(mutex)(&ictx->liveupdate.lock);

	lu = liveupdate_alloc(ictx);
	if (IS_ERR(lu)) {
		liveupdate_refuse_warn("no memory to preserve an iommufd\n");
		return PTR_ERR(lu);
	}

	ser = kho_alloc_preserve(struct_size(ser, hwpts, lu->nr_hwpts));
	if (IS_ERR(ser)) {
		rc = PTR_ERR(ser);
		liveupdate_refuse_warn("no memory for the record of %u HWPTs: %pe\n",
				       lu->nr_hwpts, ser);
		goto err_free_liveupdate;
	}

	for (i = 0; i < lu->nr_hwpts; i++) {
		rc = hwpt_preserve(ictx, lu->hwpts[i], args->session, deadline,
				   &ser->hwpts[i]);
		if (rc)
			goto err_unpreserve_hwpts;
	}
	ser_complete(ser, lu->nr_hwpts);
	lu->ser = ser;

	args->serialized_data = virt_to_phys(ser);
	args->private_data = lu;
	/* Last, as from here on no HWPT can be marked */
	ictx->liveupdate.preserved = lu;
	return 0;

err_unpreserve_hwpts:
	while (i--)
		hwpt_unpreserve(ictx, lu->hwpts[i]);
	kho_unpreserve_free(ser);
err_free_liveupdate:
	liveupdate_free(lu);
	return rc;
}

static void iommufd_liveupdate_unpreserve(struct liveupdate_file_op_args *args)
{
	struct iommufd_ctx *ictx = args->file->private_data;
	struct iommufd_liveupdate *lu = args->private_data;
	u32 i = lu->nr_hwpts;

	guard(mutex)(&ictx->liveupdate.lock);

	ictx->liveupdate.preserved = NULL;
	while (i--)
		hwpt_unpreserve(ictx, lu->hwpts[i]);
	kho_unpreserve_free(lu->ser);
	liveupdate_free(lu);
}

/* Nothing to do for the iommufd itself, its record is complete */
static int iommufd_liveupdate_freeze(struct liveupdate_file_op_args *args)
{
	int rc = iommu_liveupdate_freeze();

	if (rc)
		liveupdate_refuse_warn("the IOMMUs refuse the live update: %pe\n",
				       ERR_PTR(rc));
	return rc;
}

static void iommufd_liveupdate_unfreeze(struct liveupdate_file_op_args *args)
{
	iommu_liveupdate_unfreeze();
}

static const struct liveupdate_file_ops iommufd_liveupdate_file_ops = {
	.can_preserve = iommufd_liveupdate_can_preserve,
	.preserve = iommufd_liveupdate_preserve,
	.unpreserve = iommufd_liveupdate_unpreserve,
	.freeze = iommufd_liveupdate_freeze,
	.unfreeze = iommufd_liveupdate_unfreeze,
	.retrieve = iommufd_liveupdate_retrieve,
	.can_finish = iommufd_liveupdate_can_finish,
	.finish = iommufd_liveupdate_finish,
	.owner = THIS_MODULE,
};

static struct liveupdate_file_handler iommufd_liveupdate_handler = {
	.ops = &iommufd_liveupdate_file_ops,
	.compatible = IOMMUFD_SER_FH_COMPATIBLE,
	.explicit_finish = true,
};

/* Preserving a device of it */

static int device_check_hwpt(struct iommufd_device *idev,
			     struct iommufd_hw_pagetable *hwpt)
{
	if (iommufd_hwpt_is_restored(hwpt)) {
		liveupdate_dev_warn(idev->dev,
				    "iommufd: cannot preserve: it came in by a live update and was not moved to a HWPT\n");
		return -EBUSY;
	}
	if (!hwpt_is_paging(hwpt) || hwpt->fault) {
		liveupdate_dev_warn(idev->dev,
				    "iommufd: cannot preserve: HWPT %u is nested or able to fault\n",
				    hwpt->obj.id);
		return -EOPNOTSUPP;
	}
	if (!to_hwpt_paging(hwpt)->liveupdate.preserved) {
		liveupdate_dev_warn(idev->dev,
				    "iommufd: cannot preserve: HWPT %u is not preserved\n",
				    hwpt->obj.id);
		return -ENOENT;
	}
	return 0;
}

/**
 * iommufd_device_preserved_hwpt() - The HWPT that a device can be preserved with
 * @idev: The device
 *
 * Looks at all attachments of the group, on whatever PASID.
 *
 * Context: iommufd_group::lock is held.
 * Return: The HWPT, preserved, to which this device is attached, without PASID, and
 *	   whoever else of its group is, if all others are preserved as well by which
 *	   it has PASIDs; else an error of iommufd_device_preserve().
 */
struct iommufd_hwpt_paging *
iommufd_device_preserved_hwpt(struct iommufd_device *idev)
{
	struct iommufd_group *igroup = idev->igroup;
	struct iommufd_attach *attach, *other;
	unsigned long index;
	int rc;

	lockdep_assert_held(&igroup->lock);

	if (idev->vdev) {
		liveupdate_dev_warn(idev->dev,
				    "iommufd: cannot preserve: it has a vDEVICE\n");
		return ERR_PTR(-EOPNOTSUPP);
	}

	attach = xa_load(&igroup->pasid_attach, IOMMU_NO_PASID);
	if (!attach || !xa_load(&attach->device_array, idev->obj.id)) {
		liveupdate_dev_warn(idev->dev,
				    "iommufd: cannot preserve: not attached\n");
		return ERR_PTR(-ENOENT);
	}

	xa_for_each(&igroup->pasid_attach, index, other) {
		rc = device_check_hwpt(idev, other->hwpt);
		if (rc)
			return ERR_PTR(rc);
	}
	return to_hwpt_paging(attach->hwpt);
}

static int device_preserve_locked(struct iommufd_device *idev, u64 token)
{
	struct iommufd_hwpt_paging *hwpt_paging;
	int rc;

	lockdep_assert_held(&idev->igroup->lock);

	if (idev->liveupdate.preserved) {
		liveupdate_dev_warn(idev->dev,
				    "iommufd: cannot preserve: it is preserved\n");
		return -EBUSY;
	}

	hwpt_paging = iommufd_device_preserved_hwpt(idev);
	if (IS_ERR(hwpt_paging))
		return PTR_ERR(hwpt_paging);

	rc = iommu_device_preserve(idev->dev, hwpt_paging->common.domain, token);
	if (rc)
		return rc;

	idev->liveupdate.preserved = true;
	idev->igroup->liveupdate.nr_preserved++;
	return 0;
}

/**
 * iommufd_device_preserve() - Preserve the attachment of a device
 * @session: The session in which the device is being preserved
 * @idev: The device
 * @iommufd_token: Set to the token of the device's iommufd in @session
 *
 * Fixes the attachments of the device to its HWPTs, with PASIDs and without, and
 * records them for the next kernel, so that it goes on translating. From then on attach and
 * replace of its group, on any PASID, and a vDEVICE for it get -EBUSY, and the
 * caller must not detach or unbind it. Other devices can leave the HWPT; those of
 * its group have to be preserved as well before the kexec.
 *
 * Does not preserve the HWPT, which has to be preserved before, nor anything of
 * the device beyond its translation.
 *
 * Context: Called from the preserve callback of the file of the device, with
 *	    the mutex of @session held. May sleep. Takes the lock of the group.
 * Return: 0, or
 *	   -ENOENT if the iommufd is not preserved in @session, the device is not
 *	   attached, or its HWPT is not preserved,
 *	   -EOPNOTSUPP if the device has no IOMMU, has a vDEVICE, or is attached to a
 *	   HWPT that is nested or able to fault,
 *	   -EBUSY if the device is preserved already, or came in by a live update
 *	   and was not moved since, or if its owner holds a call on it up, or
 *	   what iommu_device_preserve() returns.
 */
int iommufd_device_preserve(struct liveupdate_session *session,
			    struct iommufd_device *idev, u64 *iommufd_token)
{
	struct iommufd_group *igroup = idev->igroup;
	u64 token;
	int rc;

	if (!igroup->group) {
		liveupdate_dev_warn(idev->dev,
				    "iommufd: cannot preserve: no IOMMU\n");
		return -EOPNOTSUPP;
	}

	rc = liveupdate_get_token_outgoing(session, idev->ictx->file, &token);
	if (rc) {
		liveupdate_dev_warn(idev->dev,
				    "iommufd: cannot preserve: its iommufd is not preserved in this session: %pe\n",
				    ERR_PTR(rc));
		return rc;
	}

	if (!mutex_lock_until(&igroup->lock, jiffies + IOMMUFD_LIVEUPDATE_WAIT)) {
		liveupdate_dev_warn(idev->dev,
				    "iommufd: cannot preserve: an attach of its owner does not end, does it wait for a page fault?\n");
		return -EBUSY;
	}
	rc = device_preserve_locked(idev, token);
	mutex_unlock(&igroup->lock);
	if (!rc)
		*iommufd_token = token;
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iommufd_device_preserve, "IOMMUFD");

/**
 * iommufd_device_unpreserve() - Undo iommufd_device_preserve()
 * @idev: The device, preserved
 *
 * The attachment stays as it is and can be changed again.
 *
 * Context: Called from the unpreserve callback of the file of the device, or
 *	    when preserving it fails in a later step, with the mutex of the
 *	    session held. May sleep. Takes the lock of the group.
 */
void iommufd_device_unpreserve(struct iommufd_device *idev)
{
	struct iommufd_group *igroup = idev->igroup;

	guard(mutex)(&igroup->lock);

	/*
	 * Giving up what was not preserved would corrupt the records of other
	 * devices. There is no caller to return an error to.
	 */
	if (WARN_ON(!idev->liveupdate.preserved))
		return;

	iommu_device_unpreserve(idev->dev);
	igroup->liveupdate.nr_preserved--;
	idev->liveupdate.preserved = false;
}
EXPORT_SYMBOL_NS_GPL(iommufd_device_unpreserve, "IOMMUFD");

static bool iommufd_liveupdate_registered;

/**
 * iommufd_liveupdate_init() - Register the file handler
 *
 * Without it iommufd works as ever, but nothing can be preserved or retrieved,
 * so a failure is only reported. Live update being off is no failure.
 *
 * Context: Process context, once, when iommufd is loaded. Sessions of the
 *	    previous kernel may have been read by then: LUO looks for the handler
 *	    again when it needs one.
 */
void __init iommufd_liveupdate_init(void)
{
	int rc;

	rc = liveupdate_register_file_handler(&iommufd_liveupdate_handler);
	if (rc)
		goto err_report;

	rc = iommu_liveupdate_register_flb(&iommufd_liveupdate_handler);
	if (rc)
		goto err_unregister;
	iommufd_liveupdate_registered = true;
	return;

err_unregister:
	liveupdate_unregister_file_handler(&iommufd_liveupdate_handler);
err_report:
	if (rc != -EOPNOTSUPP)
		pr_err("cannot register the file handler: %pe\n", ERR_PTR(rc));
}

/**
 * iommufd_liveupdate_exit() - Unregister the file handler
 *
 * Context: Process context, when iommufd is unloaded. No file is preserved or
 *	    incoming that the handler was found for: each holds a reference to
 *	    the module.
 */
void __exit iommufd_liveupdate_exit(void)
{
	if (iommufd_liveupdate_registered)
		liveupdate_unregister_file_handler(&iommufd_liveupdate_handler);
}

LIVEUPDATE_NOTE(IOMMUFD_SER_FH_COMPATIBLE);
MODULE_ALIAS_LIVEUPDATE(IOMMUFD_SER_FH_COMPATIBLE);
