/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 *
 * Where iommu.c asks about live update. liveupdate-probe.c says what the
 * functions do, for iommu_liveupdate_deinit_device() liveupdate-outgoing.c.
 * Without the option all of them are empty.
 */
#ifndef __DRIVERS_IOMMU_LIVEUPDATE_HOOKS_H
#define __DRIVERS_IOMMU_LIVEUPDATE_HOOKS_H

#include <linux/iommu.h>
#include <linux/iommu-liveupdate.h>
#include <linux/kexec.h>
#include <linux/printk.h>

struct group_device;
struct iommu_group;

#ifdef CONFIG_IOMMU_LIVEUPDATE

void iommu_liveupdate_deinit_device(struct device *dev);
void iommu_liveupdate_init_device(struct device *dev,
				  const struct iommu_ops *ops);
void iommu_liveupdate_release_device(struct device *dev);
int iommu_liveupdate_join_group(struct iommu_group *group, struct device *dev);
void iommu_liveupdate_leave_group(struct iommu_group *group);
bool iommu_liveupdate_closed(const struct group_device *gdev);
bool iommu_liveupdate_untaken(struct device *dev);
bool iommu_liveupdate_group_untaken(struct iommu_group *group);
void iommu_liveupdate_close_untaken(struct iommu_group *group);
bool iommu_liveupdate_owns_group(struct iommu_group *group);
bool iommu_liveupdate_refuse_group(struct iommu_group *group);
struct iommu_domain *
iommu_liveupdate_member_domain(struct iommu_group *group,
			       const struct group_device *gdev);
struct iommu_domain *
iommu_liveupdate_detached_domain(struct iommu_group *group, ioasid_t pasid,
				 struct iommu_domain *domain);
bool iommu_liveupdate_keep_group(struct iommu_group *group);
void iommu_liveupdate_give_back_waiting(struct iommu_group *group);
bool iommu_liveupdate_default_domain_failed(struct iommu_group *group, int err);
bool iommu_liveupdate_ignore_group(struct iommu_group *group, int err);
bool iommu_liveupdate_ignore_failure(struct device *dev, int err);
bool iommu_liveupdate_device_incoming(struct device *dev);

/* Once a unit was handed over nothing is attached any more, and that is right */
static inline bool iommu_liveupdate_unexpected(int err)
{
	return err && !(err == -EBUSY && kexec_in_progress);
}

/* Must the mappings of the domain stay as they are? Tenants may ask at will */
static inline bool iommu_liveupdate_refuse_domain(struct iommu_domain *domain)
{
	if (likely(READ_ONCE(domain->liveupdate) == IOMMU_LIVEUPDATE_NONE))
		return false;

	pr_debug("live update keeps the domain, map or unmap refused\n");
	return true;
}

static inline bool iommu_liveupdate_domain_preserved(struct iommu_domain *domain)
{
	return READ_ONCE(domain->liveupdate) == IOMMU_LIVEUPDATE_PRESERVED;
}

#else /* CONFIG_IOMMU_LIVEUPDATE */

static inline bool iommu_liveupdate_unexpected(int err)
{
	return err;
}

static inline void iommu_liveupdate_init_device(struct device *dev,
						const struct iommu_ops *ops)
{
}

static inline void iommu_liveupdate_deinit_device(struct device *dev)
{
}

static inline void iommu_liveupdate_release_device(struct device *dev)
{
}

static inline int iommu_liveupdate_join_group(struct iommu_group *group,
					      struct device *dev)
{
	return 0;
}

static inline void iommu_liveupdate_leave_group(struct iommu_group *group)
{
}

static inline bool iommu_liveupdate_closed(const struct group_device *gdev)
{
	return false;
}

static inline bool iommu_liveupdate_untaken(struct device *dev)
{
	return false;
}

static inline bool iommu_liveupdate_group_untaken(struct iommu_group *group)
{
	return false;
}

static inline void iommu_liveupdate_close_untaken(struct iommu_group *group)
{
}

static inline bool iommu_liveupdate_owns_group(struct iommu_group *group)
{
	return false;
}

static inline bool iommu_liveupdate_refuse_group(struct iommu_group *group)
{
	return false;
}

static inline struct iommu_domain *
iommu_liveupdate_member_domain(struct iommu_group *group,
			       const struct group_device *gdev)
{
	return group->domain;
}

static inline struct iommu_domain *
iommu_liveupdate_detached_domain(struct iommu_group *group, ioasid_t pasid,
				 struct iommu_domain *domain)
{
	return domain;
}

static inline bool iommu_liveupdate_keep_group(struct iommu_group *group)
{
	return false;
}

static inline void
iommu_liveupdate_give_back_waiting(struct iommu_group *group)
{
}

static inline bool
iommu_liveupdate_default_domain_failed(struct iommu_group *group, int err)
{
	return false;
}

static inline bool iommu_liveupdate_ignore_group(struct iommu_group *group,
						 int err)
{
	return false;
}

static inline bool iommu_liveupdate_ignore_failure(struct device *dev, int err)
{
	return false;
}

static inline bool iommu_liveupdate_device_incoming(struct device *dev)
{
	return false;
}

static inline bool iommu_liveupdate_refuse_domain(struct iommu_domain *domain)
{
	return false;
}

static inline bool iommu_liveupdate_domain_preserved(struct iommu_domain *domain)
{
	return false;
}

#endif /* CONFIG_IOMMU_LIVEUPDATE */

#endif /* __DRIVERS_IOMMU_LIVEUPDATE_HOOKS_H */
