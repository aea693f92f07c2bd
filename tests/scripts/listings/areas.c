// SPDX-License-Identifier: GPL-2.0
/* The list of areas in docs/uapi.md is that of the library, which is that of the kernel. */
#include "uapi.h"

enum { HERE = IOMMU_IOAS_LIST_AREAS };
#undef IOMMU_IOAS_LIST_AREAS
#define iommu_ioas_list_areas page_list
#define iommu_ioas_area page_area
#include LISTING
_Static_assert(HERE == IOMMU_IOAS_LIST_AREAS, "number");
#undef iommu_ioas_list_areas
#undef iommu_ioas_area

#include "same.h"

SAME(iommu_ioas_list_areas, page_list, size);
SAME(iommu_ioas_list_areas, page_list, flags);
SAME(iommu_ioas_list_areas, page_list, ioas_id);
SAME(iommu_ioas_list_areas, page_list, nr);
SAME(iommu_ioas_list_areas, page_list, iova);
SAME(iommu_ioas_list_areas, page_list, areas);
SAME(iommu_ioas_list_areas, page_list, out_flags);
SAME(iommu_ioas_list_areas, page_list, reserved);
_Static_assert(sizeof(struct iommu_ioas_list_areas) == sizeof(struct page_list), "size");

SAME(iommu_ioas_area, page_area, iova);
SAME(iommu_ioas_area, page_area, length);
SAME(iommu_ioas_area, page_area, start);
SAME(iommu_ioas_area, page_area, flags);
SAME(iommu_ioas_area, page_area, type);
SAME(iommu_ioas_area, page_area, ino);
SAME(iommu_ioas_area, page_area, dev_major);
SAME(iommu_ioas_area, page_area, dev_minor);
SAME(iommu_ioas_area, page_area, seals);
SAME(iommu_ioas_area, page_area, reserved);
_Static_assert(sizeof(struct iommu_ioas_area) == sizeof(struct page_area), "size");
