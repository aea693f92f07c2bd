/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */

/**
 * DOC: iommufd live update ABI
 *
 * What the iommufd of one kernel tells that of the next one about a preserved
 * iommufd: the page tables of which HWPTs live on, the tokens that user space gave
 * these, and which record of the IOMMU core describes each page table.
 * Nothing else of an iommufd is preserved.
 *
 * This header is a contract between two kernels. It holds layout only. Every
 * field has a fixed width and a natural alignment. Numbers are stored as the
 * CPU stores them. A change of layout or meaning needs a new IOMMUFD_SER_VERSION
 * or another compatible string; while there is one version, any other is
 * refused.
 *
 * Object graph (every reference is a physical address)::
 *
 *   LUO file data -> struct iommufd_ser
 *                      hwpts[nr_hwpts]: domain_pa -> struct iommu_domain_ser
 */

#ifndef _LINUX_KHO_ABI_IOMMUFD_H
#define _LINUX_KHO_ABI_IOMMUFD_H

#include <linux/build_bug.h>
#include <linux/stddef.h>
#include <linux/types.h>

/* The compatible string of the file handler */
#define IOMMUFD_SER_FH_COMPATIBLE	"ilu-iommufd-v1"
#define IOMMUFD_SER_VERSION		1

/**
 * struct iommufd_hwpt_ser - One preserved HWPT
 * @token: Given by user space, unique in its iommufd, for people only
 * @domain_pa: Its struct iommu_domain_ser, owned by the IOMMU core
 * @reserved: 0, room for the window of software-mapped MSIs
 */
struct iommufd_hwpt_ser {
	u64 token;
	u64 domain_pa;
	u64 reserved[2];
};
static_assert(sizeof(struct iommufd_hwpt_ser) == 32);
static_assert(offsetof(struct iommufd_hwpt_ser, domain_pa) == 8);

/**
 * struct iommufd_ser - One preserved iommufd
 * @version: IOMMUFD_SER_VERSION
 * @length: Bytes of this struct and of @hwpts together
 * @crc: CRC-32 (little endian, seed ~0) over @length bytes from @version on,
 *	 with @crc taken as 0
 * @nr_hwpts: Entries of @hwpts. None is possible.
 * @reserved: 0
 * @hwpts: The preserved HWPTs, in no particular order
 *
 * Written, and complete, when the iommufd is preserved. It is never changed
 * after. Read when the iommufd is retrieved.
 */
struct iommufd_ser {
	u32 version;
	u32 length;
	u32 crc;
	u32 nr_hwpts;
	u64 reserved[2];
	struct iommufd_hwpt_ser hwpts[];
};
static_assert(sizeof(struct iommufd_ser) == 32);
static_assert(offsetof(struct iommufd_ser, crc) == 8);
static_assert(offsetof(struct iommufd_ser, nr_hwpts) == 12);
static_assert(offsetof(struct iommufd_ser, hwpts) == 32);

#endif /* _LINUX_KHO_ABI_IOMMUFD_H */
