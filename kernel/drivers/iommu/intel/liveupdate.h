/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 *
 * VT-d units that go on translating across a live update. The life cycle is
 * described in liveupdate.c.
 */
#ifndef __INTEL_IOMMU_LIVEUPDATE_H
#define __INTEL_IOMMU_LIVEUPDATE_H

#include <linux/iommu-liveupdate.h>

#include "iommu.h"

#ifdef CONFIG_IOMMU_LIVEUPDATE

/* Entries of a root table */
#define INTEL_LIVEUPDATE_NR_ROOTS	(VTD_PAGE_SIZE / sizeof(struct root_entry))

/* Requester ids of one segment */
#define INTEL_LIVEUPDATE_NR_RIDS	BIT(16)

/**
 * struct intel_liveupdate - Live update state of a unit
 * @rids: One bit per requester id whose entry is preserved (outgoing) or
 *	  adopted (incoming). Written under intel_iommu.lock.
 * @devices: Outgoing: the preserved devices, guarded by the core's mutex
 * @incoming: Incoming: the unit's record
 */
struct intel_liveupdate {
	unsigned long *rids;
	struct list_head devices;
	const struct iommu_unit_ser *incoming;
};

extern const struct iommu_liveupdate_ops intel_iommu_liveupdate_ops;

struct intel_liveupdate *intel_liveupdate_alloc(void);
void intel_liveupdate_free(struct intel_liveupdate *lu);
u64 *intel_liveupdate_root_slot(struct intel_iommu *iommu, unsigned int table);
bool intel_liveupdate_table_known(const struct iommu_unit_ser *unit,
				  unsigned int table);
unsigned int intel_liveupdate_nr_tables(struct intel_iommu *iommu);
void intel_liveupdate_scrub(struct intel_iommu *iommu,
			    const struct iommu_unit_ser *unit,
			    const unsigned long *rids);
void intel_liveupdate_flush_all(struct intel_iommu *iommu);
int intel_liveupdate_verify_device(struct device *dev,
				   struct dmar_domain *domain,
				   const struct iommu_attachment_ser *att);

struct iommu_domain *
intel_liveupdate_domain_restore(struct iommu_device *iommu_dev,
				const struct iommu_domain_ser *dser);
int intel_liveupdate_dev_adopt(struct device *dev, struct iommu_domain *domain,
			       const struct iommu_attachment_ser *att);
void intel_liveupdate_dev_block(struct device *dev);

void intel_liveupdate_find_records(void);
bool intel_liveupdate_adopt(struct intel_iommu *iommu);
bool intel_liveupdate_incoming(struct intel_iommu *iommu, u8 bus, u8 devfn);
bool intel_liveupdate_foreign(struct device_domain_info *info, u8 bus, u8 devfn);
bool intel_liveupdate_in_use(struct intel_iommu *iommu);
int intel_liveupdate_probe(struct device *dev);
bool intel_liveupdate_release(struct device *dev);

#else /* CONFIG_IOMMU_LIVEUPDATE */

static inline void intel_liveupdate_find_records(void)
{
}

static inline bool intel_liveupdate_adopt(struct intel_iommu *iommu)
{
	return false;
}

static inline bool intel_liveupdate_incoming(struct intel_iommu *iommu, u8 bus,
					     u8 devfn)
{
	return false;
}

static inline bool intel_liveupdate_foreign(struct device_domain_info *info,
					    u8 bus, u8 devfn)
{
	return false;
}

static inline bool intel_liveupdate_in_use(struct intel_iommu *iommu)
{
	return false;
}

static inline int intel_liveupdate_probe(struct device *dev)
{
	return 0;
}

static inline bool intel_liveupdate_release(struct device *dev)
{
	return false;
}

#endif /* CONFIG_IOMMU_LIVEUPDATE */
#endif /* __INTEL_IOMMU_LIVEUPDATE_H */
