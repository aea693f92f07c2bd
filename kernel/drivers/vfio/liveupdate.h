/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 *
 * VFIO live update: what is private to the VFIO core.
 */
#ifndef __VFIO_LIVEUPDATE_H__
#define __VFIO_LIVEUPDATE_H__

#include <linux/vfio-liveupdate.h>

#ifdef CONFIG_PCI_LIVEUPDATE
bool vfio_device_incoming(struct vfio_device *device);
#else
static inline bool vfio_device_incoming(struct vfio_device *device)
{
	return false;
}
#endif

#endif /* __VFIO_LIVEUPDATE_H__ */
