// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */

/**
 * DOC: VFIO live update
 *
 * What the VFIO core adds to the live update of a device, whose driver does the
 * work (drivers/vfio/pci/vfio_pci_liveupdate.c for vfio-pci):
 *
 * 1. The driver preserves the file of a device that was opened through its
 *    character device, and sets vfio_device.liveupdate_preserved. Until it
 *    clears that, the attachment of the device does not change. The callback
 *    for detach cannot return an error, so this is refused before it is called.
 * 2. In the next kernel a device that goes on with DMA cannot be opened, since
 *    an open would reset it and an opener would get a device that is another
 *    user's.
 * 3. The driver makes the file that user space retrieves from the session,
 *    vfio_device_retrieve_file(). It is like one of the character device, and
 *    can do nothing before BIND_IOMMUFD.
 * 4. BIND_IOMMUFD of it, vfio_df_bind_retrieved(), takes no iommufd but that of
 *    the session. The driver opens the running device first; iommufd takes over
 *    group and attachment last, and cannot fail once it has begun. May be done
 *    again until the update is finished, for a program that was started anew.
 * 5. vfio_device_finish_file() makes an ordinary file of it, which can be bound
 *    anew as soon as the driver has finished the device.
 *
 * Nobody closes a retrieved file before step 5: the session holds it.
 *
 * Locking: vfio_device.liveupdate_preserved is set and vfio_device_file.retrieved_ictx
 * used under dev_set->lock, which is held around attach, detach and BIND_IOMMUFD.
 * A user can hold that lock for as long as he likes, since attach and detach wait
 * for locks of iommufd that are held over his page faults. So whoever works for
 * a session does not wait for it without bound, and what must not fail does
 * without it: both are cleared when nothing can be under way that depends on
 * them. Nothing is copied from or to the user under the lock.
 */

#include <linux/anon_inodes.h>
#include <linux/cleanup.h>
#include <linux/file.h>
#include <linux/iommu.h>
#include <linux/iommufd.h>
#include <linux/pci.h>
#include <linux/pci-liveupdate.h>
#include <linux/uaccess.h>
#include <linux/vfio-liveupdate.h>

#include "vfio.h"

/**
 * vfio_device_refuse_preserved - Refuse what would end the DMA of a device
 * @device: The device
 * @what: What somebody wants to do to it, for the log
 *
 * Context: Any; 0 stays true under dev_set->lock.
 * Return: 0, -EBUSY if the device is preserved.
 */
int vfio_device_refuse_preserved(struct vfio_device *device, const char *what)
{
	if (!vfio_device_preserved(device))
		return 0;

	dev_warn_ratelimited(device->dev,
			     "live update: %s refused, it is preserved\n", what);
	return -EBUSY;
}
EXPORT_SYMBOL_GPL(vfio_device_refuse_preserved);

/* True until the live update is finished, also after BIND_IOMMUFD */
static bool vfio_device_running(struct vfio_device *device)
{
	return dev_is_pci(device->dev) &&
	       pci_liveupdate_incoming(to_pci_dev(device->dev));
}

/**
 * vfio_device_incoming - Is this device closed until a live update is over?
 * @device: The device somebody wants to open
 *
 * It is doing DMA for a user of the previous kernel, and is handed back to
 * nobody but the one who retrieves its file from the session.
 *
 * Context: Any.
 * Return: true until the live update is finished; a plain open is then refused.
 */
bool vfio_device_incoming(struct vfio_device *device)
{
	if (!vfio_device_running(device))
		return false;

	dev_warn_ratelimited(device->dev,
			     "live update: open refused, it is not finished\n");
	return true;
}

/**
 * vfio_device_from_cdev_file - The device whose character device was opened
 * @file: Any file
 *
 * Context: Any. The device lives as long as the file.
 * Return: The device, or NULL for other files, those of a group included.
 */
struct vfio_device *vfio_device_from_cdev_file(struct file *file)
{
	struct vfio_device_file *df = file->private_data;

	if (file->f_op != &vfio_device_fops || df->group)
		return NULL;
	return df->device;
}
EXPORT_SYMBOL_GPL(vfio_device_from_cdev_file);

/**
 * vfio_device_of_file - The device that a file belongs to
 * @file: Any file
 *
 * Context: Any. The device lives as long as the file.
 * Return: The device, or NULL for files of anything else. Those of a device that
 * was opened by its group are files of a device.
 */
struct vfio_device *vfio_device_of_file(struct file *file)
{
	struct vfio_device_file *df = file->private_data;

	return file->f_op == &vfio_device_fops ? df->device : NULL;
}
EXPORT_SYMBOL_GPL(vfio_device_of_file);

/**
 * vfio_cdev_file_is_bound - Is this the file by which the device is in use?
 * @file: A file that vfio_device_from_cdev_file() knows
 *
 * Context: Any. No may become yes unless dev_set->lock of the device is held, or
 * nobody but the caller has the file.
 * Return: true if this file, and not another one, is bound to an iommufd.
 */
bool vfio_cdev_file_is_bound(struct file *file)
{
	struct vfio_device_file *df = file->private_data;

	/* Paired with smp_store_release() of whoever binds it */
	return smp_load_acquire(&df->access_granted);
}
EXPORT_SYMBOL_GPL(vfio_cdev_file_is_bound);

/**
 * vfio_device_retrieve_file - Make the file of a running device
 * @device: The device, bound to its driver
 * @iommufd_file: File of the iommufd of the same session
 *
 * Context: Process context; the driver cannot go away.
 * Return: A file that vfio_device_from_cdev_file() knows, or an ERR_PTR:
 * * -EAGAIN: the device is not registered yet, or no longer
 * * -EBADFD: @iommufd_file is none of an iommufd
 * * -ENOMEM
 * * another error of anon_inode_getfile()
 */
struct file *vfio_device_retrieve_file(struct vfio_device *device,
				       struct file *iommufd_file)
{
	struct vfio_device_file *df;
	struct file *file;
	int err;

	/* Paired with the put in vfio_device_fops_release() */
	if (!vfio_device_try_get_registration(device))
		return ERR_PTR(-EAGAIN);

	df = vfio_allocate_device_file(device);
	if (IS_ERR(df)) {
		err = PTR_ERR(df);
		goto err_put_registration;
	}

	df->retrieved_ictx = iommufd_ctx_from_file(iommufd_file);
	if (IS_ERR(df->retrieved_ictx)) {
		err = PTR_ERR(df->retrieved_ictx);
		goto err_free;
	}

	file = anon_inode_getfile_fmode("[vfio-device]", &vfio_device_fops, df,
					O_RDWR, FMODE_PREAD | FMODE_PWRITE);
	if (IS_ERR(file)) {
		err = PTR_ERR(file);
		goto err_put_ctx;
	}
	/* As vfio_device_fops_cdev_open() does it, and for its reason */
	file->f_mapping = device->inode->i_mapping;
	return file;

err_put_ctx:
	iommufd_ctx_put(df->retrieved_ictx);
err_free:
	kfree(df);
err_put_registration:
	vfio_device_put_registration(device);
	return ERR_PTR(err);
}
EXPORT_SYMBOL_GPL(vfio_device_retrieve_file);

/**
 * vfio_device_finish_file - Make an ordinary file of a retrieved one
 * @file: A file of vfio_device_retrieve_file(). It is bound, or nobody but the
 *	  caller has it.
 *
 * Context: Process context.
 */
void vfio_device_finish_file(struct file *file)
{
	struct vfio_device_file *df = file->private_data;
	struct iommufd_ctx *ictx = df->retrieved_ictx;

	/* Of a file that is bound already BIND_IOMMUFD only compares it */
	WRITE_ONCE(df->retrieved_ictx, NULL);
	iommufd_ctx_put(ictx);
}
EXPORT_SYMBOL_GPL(vfio_device_finish_file);

/**
 * vfio_device_detach_abandoned - Take a device off what it came in on
 * @device: The device, open by a file that nobody but the session has
 *
 * What the driver's detach_ioas() does, but without dev_set->lock: this device
 * can be neither attached nor closed, and whoever has the lock for another one
 * of the set may have it for long.
 *
 * Context: Process context.
 */
void vfio_device_detach_abandoned(struct vfio_device *device)
{
	iommufd_device_detach(device->iommufd_device, IOMMU_NO_PASID);
	device->iommufd_attached = false;
}
EXPORT_SYMBOL_GPL(vfio_device_detach_abandoned);

/**
 * vfio_df_retrieved - Does this file come from a session that goes on?
 * @df: Any file of a device
 *
 * Context: Any.
 * Return: true until the live update is finished.
 */
bool vfio_df_retrieved(struct vfio_device_file *df)
{
	return READ_ONCE(df->retrieved_ictx);
}

/* Take over the attachment; nothing may fail afterwards */
static int vfio_df_iommufd_reclaim(struct vfio_device_file *df)
{
	struct vfio_device *device = df->device;
	struct iommufd_device *idev;

	idev = iommufd_device_reclaim(df->retrieved_ictx, device->dev,
				      &df->devid);
	if (IS_ERR(idev))
		return PTR_ERR(idev);

	device->iommufd_device = idev;
	ida_init(&device->pasids);
	/* What is attached next replaces what it came in on */
	device->iommufd_attached = true;
	return 0;
}

/* The other way round than vfio_df_device_first_open(), and without a way back */
static int vfio_df_open_retrieved(struct vfio_device_file *df)
{
	struct vfio_device *device = df->device;
	int ret;

	lockdep_assert_held(&device->dev_set->lock);

	if (device->open_count)
		return -EINVAL;
	if (!try_module_get(device->dev->driver->owner))
		return -ENODEV;

	device->open_count++;
	ret = device->ops->open_device(device);
	if (ret)
		goto err_module_put;

	ret = vfio_df_iommufd_reclaim(df);
	if (ret)
		goto err_close;
	return 0;

err_close:
	/* The driver knows that it is running, and leaves it alone */
	device->ops->close_device(device);
err_module_put:
	device->open_count--;
	module_put(device->dev->driver->owner);
	return ret;
}

/* The first program is gone, and so may be its virtual machine */
static void vfio_df_renew_kvm(struct vfio_device_file *df)
{
	vfio_device_put_kvm(df->device);
	vfio_df_get_kvm_safe(df);
}

static int vfio_df_bind_retrieved_locked(struct vfio_device_file *df,
					 const struct vfio_device_bind_iommufd *bind,
					 const uuid_t *uuid,
					 struct iommufd_ctx *ictx, bool *again)
{
	struct iommufd_ctx *session_ictx = READ_ONCE(df->retrieved_ictx);
	struct vfio_device *device = df->device;
	int ret;

	lockdep_assert_held(&device->dev_set->lock);

	/* Finished while the lock was waited for */
	if (!session_ictx) {
		dev_warn_ratelimited(device->dev,
				     "live update: bind refused, it is just being finished, try again\n");
		return -EBUSY;
	}

	/* The context, not a number: tokens are unique within a session only */
	if (session_ictx != ictx) {
		dev_warn_ratelimited(device->dev,
				     "live update: bind refused, the iommufd is not that of the session\n");
		return -EPERM;
	}

	ret = vfio_df_check_token(device, bind, uuid);
	if (ret)
		return ret;

	*again = df->access_granted;
	if (*again) {
		vfio_df_renew_kvm(df);
		return 0;
	}

	vfio_df_get_kvm_safe(df);
	ret = vfio_df_open_retrieved(df);
	if (ret) {
		vfio_device_put_kvm(device);
		return ret;
	}

	/* Kept until the device is closed, vfio_df_unbind_iommufd() */
	df->iommufd = ictx;
	device->cdev_opened = true;
	/* Paired with smp_load_acquire() in vfio_device_fops */
	smp_store_release(&df->access_granted, true);
	return 0;
}

/**
 * vfio_df_bind_retrieved - BIND_IOMMUFD of a retrieved file
 * @df: The file
 * @bind: Argument of the ioctl, checked but for the iommufd
 * @arg: Where it came from, and where the device id goes to
 *
 * Takes the running device over as it is: no reset, and no change of its
 * attachment. Whatever fails leaves device and translation as they were. Once
 * it has succeeded it does so again, with the same id, until the live update is
 * finished, and then as well if only the id could not be written.
 *
 * Context: Process context, no locks held.
 * Return: 0, or
 * * -EFAULT: the token cannot be read, or @arg not be written; if that was so from
 *   the beginning nothing was done
 * * -EBUSY: the group of the device is open, or it was finished meanwhile
 * * -EPERM: not the iommufd of the session
 * * -EIO: the IOMMU has blocked the device
 * * an error of the driver's open, or of iommufd
 */
int vfio_df_bind_retrieved(struct vfio_device_file *df,
			   const struct vfio_device_bind_iommufd *bind,
			   struct vfio_device_bind_iommufd __user *arg)
{
	struct vfio_device *device = df->device;
	struct iommufd_ctx *ictx;
	bool again = false;
	uuid_t uuid;
	u32 devid;
	int ret;

	ret = vfio_df_get_token(bind, &uuid);
	if (ret)
		return ret;
	/* What was taken over cannot be given back, so see first if it works */
	if (put_user(bind->out_devid, &arg->out_devid))
		return -EFAULT;

	ictx = iommufd_ctx_from_fd(bind->iommufd);
	if (IS_ERR(ictx))
		return PTR_ERR(ictx);

	ret = vfio_device_block_group(device);
	if (ret) {
		dev_warn_ratelimited(device->dev,
				     "live update: bind refused, its group is open, close that first\n");
		goto out_put_ctx;
	}

	scoped_guard(mutex, &device->dev_set->lock) {
		ret = vfio_df_bind_retrieved_locked(df, bind, &uuid, ictx,
						    &again);
		devid = df->devid;
	}

	/* Both are kept by the first bind that works */
	if (ret || again) {
		vfio_device_unblock_group(device);
		goto out_put_ctx;
	}
	return put_user(devid, &arg->out_devid);

out_put_ctx:
	iommufd_ctx_put(ictx);
	return ret ?: put_user(devid, &arg->out_devid);
}
