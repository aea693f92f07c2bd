/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _SHIM_GLUE_TRACE_H
#define _SHIM_GLUE_TRACE_H

#include "iommu.h"

void trace_entry_replace(struct intel_iommu *iommu, struct device *dev, u16 rid,
			 u32 pasid, u8 chunk, u64 old_lo, u64 old_hi, u64 new_lo,
			 u64 new_hi);

#endif
