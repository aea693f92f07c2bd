/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */
#ifndef __DRIVERS_IOMMU_LIVEUPDATE_CHECK_H
#define __DRIVERS_IOMMU_LIVEUPDATE_CHECK_H

#include <linux/types.h>

struct iommu_attachment_ser;
struct iommu_device_ser;
struct iommu_domain_ser;
struct iommu_ser;
struct iommu_unit_ser;

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

/**
 * struct iommu_liveupdate_type - A kind of unit, and what its driver adds to records
 * @type: IOMMU_UNIT_SER_*
 * @name: For people
 * @unit: Check what the driver has added to the record of a unit
 * @device: Likewise for a device behind such a unit
 * @attachment: Likewise for an attachment of such a device, and whether the unit
 *		can have such a domain and such an id
 *
 * The records are sound in every respect that needs no driver, tables are
 * preserved. The functions allocate nothing, keep nothing, and return NULL or
 * what is wrong.
 */
struct iommu_liveupdate_type {
	u32 type;
	const char *name;
	const char *(*unit)(const struct iommu_unit_ser *unit);
	const char *(*device)(const struct iommu_device_ser *dev,
			      const struct iommu_unit_ser *unit);
	const char *(*attachment)(const struct iommu_attachment_ser *att,
				  const struct iommu_device_ser *dev,
				  const struct iommu_unit_ser *unit,
				  const struct iommu_domain_ser *dser);
};

u32 iommu_liveupdate_crc(const struct iommu_ser *ser,
			 const struct iommu_liveupdate_check_ops *ops);
int iommu_liveupdate_check(const struct iommu_ser *ser,
			   const struct iommu_liveupdate_check_ops *ops,
			   const char **reason);
const char *iommu_liveupdate_check_type(const struct iommu_ser *ser,
					const struct iommu_liveupdate_check_ops *ops,
					const struct iommu_liveupdate_type *type);

#endif /* __DRIVERS_IOMMU_LIVEUPDATE_CHECK_H */
