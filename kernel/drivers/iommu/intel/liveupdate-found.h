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
#include "../iommu-kept.h"

/* In iommu.c, for live update only */
void iommu_set_root_entry(struct intel_iommu *iommu);
void intel_iommu_init_qi(struct intel_iommu *iommu);

#ifdef CONFIG_KEXEC_HANDOVER

extern bool intel_liveupdate_unit_blocked;

void intel_liveupdate_found(struct intel_iommu *iommu);
bool intel_liveupdate_found_on(struct dmar_drhd_unit *drhd);
bool intel_liveupdate_stays_on(struct intel_iommu *iommu);
bool intel_liveupdate_ir_stays_on(struct intel_iommu *iommu);
void intel_liveupdate_woken(struct intel_iommu *iommu);
void intel_liveupdate_resume(struct intel_iommu *iommu);

#if IS_ENABLED(CONFIG_KUNIT)
unsigned int intel_liveupdate_found_flags(u32 gsts, u64 rtaddr);
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

#endif /* CONFIG_KEXEC_HANDOVER */

#endif /* __INTEL_IOMMU_LIVEUPDATE_FOUND_H */
