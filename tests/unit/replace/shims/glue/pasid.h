/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _SHIM_GLUE_PASID_H
#define _SHIM_GLUE_PASID_H

#include "iommu.h"

#define PASID_PDE_SHIFT		6
#define PASID_PTE_MASK		0x3f

struct pasid_entry {
	u64 val[8];
};

struct pasid_dir_entry {
	u64 val;
};

struct pasid_table {
	void *table;
	u32 max_pasid;
};

static inline struct pasid_entry *get_pasid_table_from_pde(struct pasid_dir_entry *pde)
{
	return (struct pasid_entry *)(uintptr_t)pde->val;
}

int intel_pasid_config_paging(struct intel_iommu *iommu, struct pasid_entry *pte,
			     struct dmar_domain *domain);
void devtlb_invalidation_with_pasid(struct intel_iommu *iommu, struct device *dev,
				    u32 pasid);
int intel_pasid_setup_dirty_tracking(struct intel_iommu *iommu, struct device *dev,
				     u32 pasid, bool enabled);
void intel_pasid_setup_page_snoop_control(struct intel_iommu *iommu, struct device *dev,
					  u32 pasid);

#endif
