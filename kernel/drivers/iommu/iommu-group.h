/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2007-2008 Advanced Micro Devices, Inc.
 * Author: Joerg Roedel <jroedel@suse.de>
 *
 * Groups of devices, for the files of the IOMMU core
 */
#ifndef __DRIVERS_IOMMU_GROUP_H
#define __DRIVERS_IOMMU_GROUP_H

#include <linux/iommu.h>
#include <linux/kobject.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/xarray.h>

struct iommu_group {
	struct kobject kobj;
	struct kobject *devices_kobj;
	struct list_head devices;
	struct xarray pasid_array;
	struct mutex mutex;
	void *iommu_data;
	void (*iommu_data_release)(void *iommu_data);
	char *name;
	int id;
	struct iommu_domain *default_domain;
	struct iommu_domain *blocking_domain;
	struct iommu_domain *domain;
	struct list_head entry;
	unsigned int owner_cnt;
	/*
	 * Number of devices in the group undergoing or awaiting recovery.
	 * If non-zero, concurrent domain attachments are rejected.
	 */
	unsigned int recovery_cnt;
	void *owner;
#ifdef CONFIG_IOMMU_LIVEUPDATE
	/* How many devices are preserved: domain, owner and members stay then */
	unsigned int preserved;
	/* It came in, was abandoned and not reset: never the default domain */
	bool stay_blocked;
#endif
};

struct group_device {
	struct list_head list;
	struct device *dev;
	char *name;
	/*
	 * Device is blocked for a pending recovery while its group->domain is
	 * retained. This can happen when:
	 *  - Device is undergoing a reset
	 */
	bool blocked;
	unsigned int reset_depth;
#ifdef CONFIG_IOMMU_LIVEUPDATE
	/* It came in and is blocked, whatever the domain of the group */
	bool closed;
#endif
};

/* Iterate over each struct group_device in a struct iommu_group */
#define for_each_group_device(group, pos) \
	list_for_each_entry(pos, &(group)->devices, list)

void iommu_domain_init(struct iommu_domain *domain, unsigned int type,
		       const struct iommu_ops *ops);
int __iommu_group_alloc_blocking_domain(struct iommu_group *group);
struct iommu_domain *iommu_pasid_array_domain(void *entry);
void *iommu_make_pasid_array_entry(struct iommu_domain *domain,
				   struct iommu_attach_handle *handle);
int iommu_setup_default_domain(struct iommu_group *group, int target_type);
#ifdef CONFIG_IOMMU_LIVEUPDATE
struct iommu_unit_ser;

struct iommu_device *
iommu_liveupdate_unit_device(const struct iommu_unit_ser *unit);
int iommu_liveupdate_set_domain(struct iommu_group *group,
				struct iommu_domain *domain);
#endif

#endif /* __DRIVERS_IOMMU_GROUP_H */
