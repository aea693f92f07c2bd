/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 *
 * VFIO live update: what is private to the VFIO core.
 */
#ifndef __VFIO_LIVEUPDATE_H__
#define __VFIO_LIVEUPDATE_H__

#include <linux/uuid.h>
#include <linux/vfio-liveupdate.h>

struct vfio_device_bind_iommufd;
struct vfio_device_file;

void vfio_df_get_kvm_safe(struct vfio_device_file *df);
int vfio_df_get_token(const struct vfio_device_bind_iommufd *bind, uuid_t *uuid);
int vfio_df_check_token(struct vfio_device *device,
			const struct vfio_device_bind_iommufd *bind,
			const uuid_t *uuid);

#ifdef CONFIG_PCI_LIVEUPDATE
bool vfio_device_incoming(struct vfio_device *device);
bool vfio_df_retrieved(struct vfio_device_file *df);
int vfio_df_bind_retrieved(struct vfio_device_file *df,
			   const struct vfio_device_bind_iommufd *bind,
			   struct vfio_device_bind_iommufd __user *arg);
#else
static inline bool vfio_device_incoming(struct vfio_device *device)
{
	return false;
}

static inline bool vfio_df_retrieved(struct vfio_device_file *df)
{
	return false;
}

static inline int
vfio_df_bind_retrieved(struct vfio_device_file *df,
		       const struct vfio_device_bind_iommufd *bind,
		       struct vfio_device_bind_iommufd __user *arg)
{
	return -EOPNOTSUPP;
}
#endif

#endif /* __VFIO_LIVEUPDATE_H__ */
