/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 *
 * VT-d units that are found translating. The life cycle is described in
 * liveupdate-found.c.
 */
#ifndef __INTEL_IOMMU_LIVEUPDATE_FOUND_H
#define __INTEL_IOMMU_LIVEUPDATE_FOUND_H

#include "iommu.h"

/* In iommu.c, for live update only */
void iommu_set_root_entry(struct intel_iommu *iommu);
void intel_iommu_init_qi(struct intel_iommu *iommu);

/**
 * intel_liveupdate_in_use - Is a unit preserved or adopted?
 * @iommu: The unit
 *
 * Return: True if it must not be removed, its tables not be replaced or freed.
 */
static inline bool intel_liveupdate_in_use(struct intel_iommu *iommu)
{
#ifdef CONFIG_IOMMU_LIVEUPDATE
	return iommu->lu_outgoing || iommu->lu_incoming;
#else
	return false;
#endif
}

#ifdef CONFIG_IOMMU_LIVEUPDATE
/* liveupdate-check.c */
extern const struct iommu_liveupdate_type intel_liveupdate_type;
#endif

#ifdef CONFIG_KEXEC_HANDOVER

extern bool intel_liveupdate_unit_blocked;

void intel_liveupdate_found(struct intel_iommu *iommu);
bool intel_liveupdate_found_on(struct dmar_drhd_unit *drhd);
bool intel_liveupdate_stays_on(struct intel_iommu *iommu);
bool intel_liveupdate_ir_stays_on(struct intel_iommu *iommu);
void intel_liveupdate_woken(struct intel_iommu *iommu);
void intel_liveupdate_resume(struct intel_iommu *iommu);
void intel_liveupdate_release_blocked(struct intel_iommu *iommu);
int intel_liveupdate_remove(struct intel_iommu *iommu);
void intel_liveupdate_quiesce(struct device *dev);

#if IS_ENABLED(CONFIG_KUNIT)
unsigned int intel_liveupdate_found_flags(u32 gsts, u64 rtaddr, bool kdump);
#endif

#else /* CONFIG_KEXEC_HANDOVER */

#define intel_liveupdate_unit_blocked	false

static inline void intel_liveupdate_found(struct intel_iommu *iommu)
{
}

static inline bool intel_liveupdate_found_on(struct dmar_drhd_unit *drhd)
{
	return false;
}

static inline bool intel_liveupdate_stays_on(struct intel_iommu *iommu)
{
	return false;
}

static inline bool intel_liveupdate_ir_stays_on(struct intel_iommu *iommu)
{
	return false;
}

static inline void intel_liveupdate_woken(struct intel_iommu *iommu)
{
}

static inline void intel_liveupdate_resume(struct intel_iommu *iommu)
{
}

static inline void intel_liveupdate_release_blocked(struct intel_iommu *iommu)
{
}

static inline int intel_liveupdate_remove(struct intel_iommu *iommu)
{
	return 0;
}

static inline void intel_liveupdate_quiesce(struct device *dev)
{
}

#endif /* CONFIG_KEXEC_HANDOVER */

#endif /* __INTEL_IOMMU_LIVEUPDATE_FOUND_H */
