// SPDX-License-Identifier: GPL-2.0
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */

/**
 * DOC: Check of the live update records of VT-d units
 *
 * What the IOMMU core's check of the records, ../liveupdate-check.c, does not
 * know: which tables a unit has, and what liveupdate-abi.h adds to the records.
 * Like that these are functions over bytes which run in user space as well. The
 * core has checked the records in every other respect, and their sum. Whether
 * registers and live tables agree with the records is seen when the driver
 * adopts the unit.
 *
 * Locking: none. The caller makes sure that nobody writes the records.
 */

#include <asm/page.h>
#include <linux/array_size.h>
#include <linux/bits.h>
#include <linux/string.h>

#include "liveupdate-abi.h"
#include "../liveupdate-check.h"

#define VTD_MAX_SEGMENT		0xffffu
#define VTD_MAX_RID		0xffffu
#define VTD_MAX_DID		0xffffu

/* Fields of the RTADDR and IRTA registers, sizes of what they point to */
#define VTD_RTADDR_TTM		GENMASK_ULL(11, 0)
#define VTD_RTADDR_SCALABLE	BIT_ULL(10)
#define VTD_IRTA_SIZE		GENMASK_ULL(3, 0)
#define VTD_IRTE_SIZE		16u
#define VTD_PASIDS_PER_BYTE	8u
#define VTD_ADDR_MASK		GENMASK_ULL(63, 12)

static bool is_scalable(const struct iommu_unit_ser *unit)
{
	return iommu_unit_vtd_const(unit)->flags & IOMMU_UNIT_VTD_SCALABLE;
}

static const char *check_root(const struct iommu_unit_ser *unit)
{
	const struct iommu_table_ser *root = &unit->tables[IOMMU_UNIT_VTD_ROOT];
	u64 rtaddr = iommu_unit_vtd_const(unit)->rtaddr;

	if (root->kind != IOMMU_TABLE_VTD_ROOT || root->order || root->flags)
		return "unit without a root table";
	if ((rtaddr & VTD_ADDR_MASK) != root->pa ||
	    (rtaddr & VTD_RTADDR_TTM) !=
		    (is_scalable(unit) ? VTD_RTADDR_SCALABLE : 0))
		return "root table and its register differ";
	return NULL;
}

static const char *check_intremap(const struct iommu_unit_ser *unit)
{
	const struct iommu_table_ser *table = &unit->tables[IOMMU_UNIT_VTD_IRT];
	u64 irta = iommu_unit_vtd_const(unit)->irta;
	u64 size;

	if (!table->pa)
		return irta ? "interrupt remapping without a table" : NULL;
	if (table->kind != IOMMU_TABLE_VTD_IRT || table->flags)
		return "unit with an unknown table";

	size = (u64)VTD_IRTE_SIZE << ((irta & VTD_IRTA_SIZE) + 1);
	if ((irta & VTD_ADDR_MASK) != table->pa ||
	    size > (u64)PAGE_SIZE << table->order)
		return "interrupt remapping table and its register differ";
	return NULL;
}

static const char *check_unit(const struct iommu_unit_ser *unit)
{
	const struct iommu_unit_vtd_ser *vtd = iommu_unit_vtd_const(unit);
	const char *reason;
	unsigned int i;

	if (unit->driver_length != sizeof(*vtd))
		return "part of a unit has another length";
	if (vtd->flags & ~IOMMU_UNIT_VTD_SCALABLE || vtd->reserved)
		return "unit with unknown flags";
	if (unit->base_kind != IOMMU_UNIT_SER_BASE_MMIO ||
	    unit->segment > VTD_MAX_SEGMENT)
		return "unit at an impossible place";
	if (unit->tables[IOMMU_UNIT_VTD_IRT + 1].pa)
		return "unit with an unknown table";

	/* Two per bus in scalable mode only */
	for (i = IOMMU_UNIT_VTD_CTX_WORDS / 2;
	     !is_scalable(unit) && i < IOMMU_UNIT_VTD_CTX_WORDS; i++)
		if (vtd->context_tables[i])
			return "impossible context table";

	reason = check_root(unit);
	return reason ?: check_intremap(unit);
}

static bool has_context_table(const struct iommu_unit_ser *unit, u32 rid)
{
	const struct iommu_unit_vtd_ser *vtd = iommu_unit_vtd_const(unit);
	unsigned int bit = is_scalable(unit) ? rid >> 7 : rid >> 8;

	return vtd->context_tables[bit / 64] & BIT_ULL(bit % 64);
}

static const char *check_pasid_dir(const struct iommu_device_ser *dev,
				   bool scalable)
{
	const struct iommu_table_ser *dir = &dev->table;

	if (!scalable)
		return dir->pa ? "PASID directory does not fit the unit's mode" : NULL;
	if (dir->kind != IOMMU_TABLE_VTD_PASID_DIR)
		return "PASID directory does not fit the unit's mode";
	if (!dev->max_pasid || dev->max_pasid > ((u64)PAGE_SIZE << dir->order) *
							VTD_PASIDS_PER_BYTE)
		return "PASID directory is too small";
	return NULL;
}

static const char *check_device(const struct iommu_device_ser *dev,
				const struct iommu_unit_ser *unit)
{
	unsigned int i;

	if (dev->segment != unit->segment)
		return "device and its unit are on different segments";
	if (dev->ids[0] != dev->rid)
		return "first requester id is not the device's own";
	for (i = 0; i < dev->nr_ids; i++)
		if (dev->ids[i] > VTD_MAX_RID ||
		    !has_context_table(unit, dev->ids[i]))
			return "requester id without a context table";
	if (dev->ats.enabled)
		return "device with ATS";
	if (memchr_inv(dev->driver_data, 0, sizeof(dev->driver_data)))
		return "part of a device is not 0";
	return check_pasid_dir(dev, is_scalable(unit));
}

static const char *check_attachment(const struct iommu_attachment_ser *att,
				    const struct iommu_device_ser *dev,
				    const struct iommu_unit_ser *unit,
				    const struct iommu_domain_ser *dser)
{
	if (att->pasid != IOMMU_ATTACHMENT_SER_NO_PASID)
		return "attachment of a PASID";
	if (att->hw_id > VTD_MAX_DID)
		return "impossible domain id";
	if (dser->pt_format != IOMMU_DOMAIN_SER_VTDSS &&
	    !(is_scalable(unit) && dser->pt_format == IOMMU_DOMAIN_SER_X86_64))
		return "domain format does not fit the unit";
	return NULL;
}

const struct iommu_liveupdate_type intel_liveupdate_type = {
	.type = IOMMU_UNIT_SER_VTD,
	.name = "vtd",
	.unit = check_unit,
	.device = check_device,
	.attachment = check_attachment,
};
