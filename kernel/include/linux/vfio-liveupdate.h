/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 *
 * VFIO live update: for drivers that preserve the file of a device.
 */
#ifndef _LINUX_VFIO_LIVEUPDATE_H
#define _LINUX_VFIO_LIVEUPDATE_H

#include <linux/vfio.h>

struct file;

#ifdef CONFIG_PCI_LIVEUPDATE
/**
 * vfio_device_preserved - Is this device preserved for a live update?
 * @device: The device
 *
 * Then its attachment must not change, and it must not be reset.
 *
 * Context: Any; a no stays true under dev_set->lock.
 * Return: true from preserve to unpreserve of its file.
 */
static inline bool vfio_device_preserved(const struct vfio_device *device)
{
	return READ_ONCE(device->liveupdate_preserved);
}

int vfio_device_refuse_preserved(struct vfio_device *device, const char *what);
struct vfio_device *vfio_device_of_file(struct file *file);
struct vfio_device *vfio_device_from_cdev_file(struct file *file);
bool vfio_cdev_file_is_bound(struct file *file);
struct file *vfio_device_retrieve_file(struct vfio_device *device,
				       struct file *iommufd_file);
void vfio_device_finish_file(struct file *file);
void vfio_device_detach_abandoned(struct vfio_device *device);
#else
static inline bool vfio_device_preserved(const struct vfio_device *device)
{
	return false;
}

static inline int vfio_device_refuse_preserved(struct vfio_device *device,
					       const char *what)
{
	return 0;
}
#endif /* CONFIG_PCI_LIVEUPDATE */
#endif /* _LINUX_VFIO_LIVEUPDATE_H */
