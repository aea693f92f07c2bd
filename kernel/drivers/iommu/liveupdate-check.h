/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */
#ifndef __DRIVERS_IOMMU_LIVEUPDATE_CHECK_H
#define __DRIVERS_IOMMU_LIVEUPDATE_CHECK_H

#include <linux/types.h>

struct iommu_ser;

/*
 * Records of one kind that the check accepts, deleted ones included. Looking
 * for duplicates compares each with each; at this size that takes a fraction of
 * a second. Who writes records must not write more.
 */
#define IOMMU_LIVEUPDATE_MAX_RECORDS	8192

/**
 * struct iommu_liveupdate_check_ops - How the check reaches memory
 * @ctx: Passed to the functions
 * @map: Returns a pointer to @len bytes at @pa, or NULL. Only called for memory
 *	for which @preserved is true. The range never crosses a page.
 * @preserved: Did the previous kernel preserve exactly the allocation of
 *	@order at @pa? May be asked about any address.
 */
struct iommu_liveupdate_check_ops {
	void *ctx;
	const void *(*map)(void *ctx, u64 pa, size_t len);
	bool (*preserved)(void *ctx, u64 pa, unsigned int order);
};

u32 iommu_liveupdate_crc(const struct iommu_ser *ser,
			 const struct iommu_liveupdate_check_ops *ops);
int iommu_liveupdate_check(const struct iommu_ser *ser,
			   const struct iommu_liveupdate_check_ops *ops,
			   const char **reason);

#endif /* __DRIVERS_IOMMU_LIVEUPDATE_CHECK_H */
