// SPDX-License-Identifier: GPL-2.0
/* The mark in docs/uapi.md is that of the library, which is that of the kernel. */
#include "uapi.h"

enum { HERE = IOMMU_HWPT_LIVEUPDATE_MARK_PRESERVE };
#undef IOMMU_HWPT_LIVEUPDATE_MARK_PRESERVE
#define iommu_hwpt_liveupdate_mark_preserve page_mark
#include LISTING
_Static_assert(HERE == IOMMU_HWPT_LIVEUPDATE_MARK_PRESERVE, "number");
#undef iommu_hwpt_liveupdate_mark_preserve

#include "same.h"

SAME(iommu_hwpt_liveupdate_mark_preserve, page_mark, size);
SAME(iommu_hwpt_liveupdate_mark_preserve, page_mark, hwpt_id);
SAME(iommu_hwpt_liveupdate_mark_preserve, page_mark, hwpt_token);
_Static_assert(sizeof(struct iommu_hwpt_liveupdate_mark_preserve) == sizeof(struct page_mark), "size");
