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
 *
 * Locking: vfio_device.liveupdate_preserved is written under dev_set->lock,
 * which is held around attach and detach.
 */

#include <linux/pci.h>
#include <linux/pci-liveupdate.h>
#include <linux/vfio-liveupdate.h>

#include "vfio.h"

/**
 * vfio_device_refuse_preserved - Refuse what would end the DMA of a device
 * @device: The device
 * @what: What somebody wants to do to it, for the log
 *
 * Context: Any; the answer stays true under dev_set->lock.
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
	if (!dev_is_pci(device->dev) ||
	    !pci_liveupdate_incoming(to_pci_dev(device->dev)))
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

/**
 * vfio_cdev_file_is_bound - Is this the file by which the device is in use?
 * @file: A file that vfio_device_from_cdev_file() knows
 *
 * Context: dev_set->lock of the device is held.
 * Return: true if this file, and not another one, is bound to an iommufd.
 */
bool vfio_cdev_file_is_bound(struct file *file)
{
	struct vfio_device_file *df = file->private_data;

	lockdep_assert_held(&df->device->dev_set->lock);
	return df->access_granted;
}
