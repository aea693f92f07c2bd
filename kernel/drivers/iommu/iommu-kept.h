/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 *
 * IOMMU units whose translation is not switched off, see iommu-kept.c
 */
#ifndef __DRIVERS_IOMMU_IOMMU_KEPT_H
#define __DRIVERS_IOMMU_IOMMU_KEPT_H

#include <linux/iommu.h>

/**
 * enum iommu_kept_state - Whose tables a unit walks
 * @IOMMU_KEPT_NO: Those of this kernel, or none: a unit like any other
 * @IOMMU_KEPT_FOUND: Those of the previous kernel, which was replaced by a live
 *	update. Translation must not be switched off.
 * @IOMMU_KEPT_BLOCKED: An empty one of this kernel, which took the place of those.
 *	Nor must it now.
 * @IOMMU_KEPT_ADOPTED: Those of the previous kernel, which are this kernel's now
 * @IOMMU_KEPT_HANDED_OVER: Those of this kernel, which will be the next one's.
 *	Translation must not be switched off, and no entry become present.
 */
enum iommu_kept_state {
	IOMMU_KEPT_NO,
	IOMMU_KEPT_FOUND,
	IOMMU_KEPT_BLOCKED,
	IOMMU_KEPT_ADOPTED,
	IOMMU_KEPT_HANDED_OVER,
};

#ifdef CONFIG_KEXEC_HANDOVER

static inline bool iommu_kept_is(const struct iommu_device *iommu,
				 enum iommu_kept_state state)
{
	return iommu->kept.state == state;
}

bool iommu_kept_found(struct iommu_device *iommu);
bool iommu_kept_on(const struct iommu_device *iommu);
bool iommu_kept_block(struct iommu_device *iommu, const char *name);
void iommu_kept_set(struct iommu_device *iommu, enum iommu_kept_state state);
void iommu_kept_started(struct iommu_device *iommu);
void iommu_kept_release(struct iommu_device *iommu);
bool iommu_kept_in_use(const struct iommu_device *iommu);
int iommu_kept_remove(const struct iommu_device *iommu, const char *name);
void iommu_kept_quiesce(struct device *dev, const struct iommu_device *iommu);

#else /* CONFIG_KEXEC_HANDOVER */

static inline bool iommu_kept_is(const struct iommu_device *iommu,
				 enum iommu_kept_state state)
{
	return state == IOMMU_KEPT_NO;
}

static inline bool iommu_kept_found(struct iommu_device *iommu)
{
	return false;
}

static inline bool iommu_kept_block(struct iommu_device *iommu,
				    const char *name)
{
	return false;
}

static inline void iommu_kept_set(struct iommu_device *iommu,
				  enum iommu_kept_state state)
{
}

static inline bool iommu_kept_on(const struct iommu_device *iommu)
{
	return false;
}

static inline void iommu_kept_started(struct iommu_device *iommu)
{
}

static inline void iommu_kept_release(struct iommu_device *iommu)
{
}

static inline bool iommu_kept_in_use(const struct iommu_device *iommu)
{
	return false;
}

static inline int iommu_kept_remove(const struct iommu_device *iommu,
				    const char *name)
{
	return 0;
}

static inline void iommu_kept_quiesce(struct device *dev,
				      const struct iommu_device *iommu)
{
}

#endif /* CONFIG_KEXEC_HANDOVER */

#endif /* __DRIVERS_IOMMU_IOMMU_KEPT_H */
