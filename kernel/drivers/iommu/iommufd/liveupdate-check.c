// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */

/**
 * DOC: Check of the record of an iommufd
 *
 * It comes from another kernel, through memory that anything may have written
 * to, so that nothing of it is used before it was checked here. One function
 * over bytes, which keeps nothing and allocates nothing: tests and fuzzers
 * compile the same source for user space.
 *
 * What the HWPTs of a record refer to is not followed but looked up among the
 * records of the IOMMU core, which have a check of their own.
 *
 * Locking: none. Nobody writes the record any more.
 */

#include <linux/crc32.h>
#include <linux/stddef.h>
#include <linux/types.h>
#include <linux/kho/abi/iommufd.h>
#include <asm/page.h>

#include "liveupdate-check.h"

/* A larger allocation than that of the length would not have been made */
static bool ser_fits(const struct iommufd_ser *ser, unsigned int order)
{
	u64 size = (u64)PAGE_SIZE << order;

	return ser->length <= size && (!order || ser->length > size / 2);
}

static u32 ser_crc(const struct iommufd_ser *ser)
{
	const u32 none = 0;
	u32 crc;

	crc = crc32_le(~0, (const u8 *)ser, offsetof(struct iommufd_ser, crc));
	crc = crc32_le(crc, (const u8 *)&none, sizeof(none));
	return crc32_le(crc, (const u8 *)&ser->nr_hwpts,
			ser->length - offsetof(struct iommufd_ser, nr_hwpts));
}

/**
 * iommufd_ser_check() - Check the record of an iommufd
 * @ser: The record, in memory of its own
 * @order: The order of that memory, of which nothing else is read
 *
 * Context: Any.
 * Return: NULL, or what is wrong, in a word for the log.
 */
const char *iommufd_ser_check(const struct iommufd_ser *ser, unsigned int order)
{
	u64 length = sizeof(*ser) + (u64)ser->nr_hwpts * sizeof(ser->hwpts[0]);
	u32 i;

	if (ser->version != IOMMUFD_SER_VERSION)
		return "version";
	if (ser->length != length || !ser_fits(ser, order))
		return "length";
	if (ser->crc != ser_crc(ser))
		return "checksum";
	if (ser->reserved[0] || ser->reserved[1])
		return "reserved field";
	for (i = 0; i < ser->nr_hwpts; i++) {
		if (!ser->hwpts[i].domain_pa)
			return "HWPT without page table";
		if (ser->hwpts[i].reserved[0] || ser->hwpts[i].reserved[1])
			return "reserved field of an HWPT";
	}
	return NULL;
}
