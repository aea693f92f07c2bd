// SPDX-License-Identifier: GPL-2.0
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */

/**
 * DOC: Check of the live update records of VT-d units
 *
 * What the IOMMU core's check of the records, ../liveupdate-check.c, does not
 * know: root and context tables, interrupt remapping tables, PASID directories.
 * Like that it is a function over bytes which runs in user space as well. The
 * core has checked the records in every other respect, and their sum. Whether
 * registers and live tables agree with the records is seen when the driver
 * adopts the unit.
 *
 * Locking: none. The caller makes sure that nobody writes the records.
 */

#include <asm/page.h>
#include <linux/array_size.h>
#include <linux/bits.h>
#include <linux/kho/abi/iommu.h>

#include "../liveupdate-check.h"

#define VTD_MAX_SEGMENT		0xffffu

/* Fields of the RTADDR and IRTA registers, sizes of what they point to */
#define VTD_RTADDR_TTM		GENMASK_ULL(11, 0)
#define VTD_RTADDR_SCALABLE	BIT_ULL(10)
#define VTD_IRTA_SIZE		GENMASK_ULL(3, 0)
#define VTD_IRTE_SIZE		16u
#define VTD_PASIDS_PER_BYTE	8u
#define VTD_ADDR_MASK		GENMASK_ULL(63, 12)

static const char *check_intremap(const struct iommu_unit_vtd_ser *vtd,
				  const struct iommu_liveupdate_check_ops *ops)
{
	u64 size;

	if (!(vtd->flags & IOMMU_UNIT_VTD_INTREMAP)) {
		if (vtd->irt_order || vtd->irta || vtd->irt_pa)
			return "unit without interrupt remapping has a table";
		return NULL;
	}

	if (!iommu_liveupdate_preserved(ops, vtd->irt_pa, vtd->irt_order))
		return "interrupt remapping table is not preserved";
	size = (u64)VTD_IRTE_SIZE << ((vtd->irta & VTD_IRTA_SIZE) + 1);
	if ((vtd->irta & VTD_ADDR_MASK) != vtd->irt_pa ||
	    size > (u64)PAGE_SIZE << vtd->irt_order)
		return "interrupt remapping table and its register differ";
	return NULL;
}

static const char *check_unit(const struct iommu_unit_ser *unit,
			      const struct iommu_liveupdate_check_ops *ops)
{
	const struct iommu_unit_vtd_ser *vtd = &unit->vtd;
	bool scalable = vtd->flags & IOMMU_UNIT_VTD_SCALABLE;
	unsigned int i;

	if (vtd->flags & ~(IOMMU_UNIT_VTD_SCALABLE | IOMMU_UNIT_VTD_INTREMAP))
		return "unit with unknown VT-d flags";
	if (unit->segment > VTD_MAX_SEGMENT)
		return "unit with an impossible segment";
	if (!iommu_liveupdate_preserved(ops, unit->root_pa, 0))
		return "root table is not preserved";
	if ((vtd->rtaddr & VTD_ADDR_MASK) != unit->root_pa ||
	    (vtd->rtaddr & VTD_RTADDR_TTM) !=
		    (scalable ? VTD_RTADDR_SCALABLE : 0))
		return "root table and its register differ";

	/* Two per bus in scalable mode only */
	for (i = IOMMU_UNIT_VTD_CTX_WORDS / 2;
	     !scalable && i < IOMMU_UNIT_VTD_CTX_WORDS; i++)
		if (vtd->context_tables[i])
			return "impossible context table";

	for (i = sizeof(*vtd) / sizeof(u64);
	     i < ARRAY_SIZE(unit->driver_data); i++)
		if (unit->driver_data[i])
			return "padding of a unit is not 0";

	return check_intremap(vtd, ops);
}

static bool has_context_table(const struct iommu_unit_vtd_ser *vtd, u16 rid)
{
	unsigned int bit = rid >> 8;

	if (vtd->flags & IOMMU_UNIT_VTD_SCALABLE)
		bit = rid >> 7;
	return vtd->context_tables[bit / 64] & BIT_ULL(bit % 64);
}

static const char *check_attachment(const struct iommu_attachment_ser *att,
				    const struct iommu_unit_ser *unit,
				    const struct iommu_domain_ser *dser)
{
	bool scalable = unit->vtd.flags & IOMMU_UNIT_VTD_SCALABLE;
	unsigned int i;

	if (att->segment != unit->segment)
		return "device and its unit are on different segments";
	for (i = 0; i < att->nr_rids; i++)
		if (!has_context_table(&unit->vtd, att->rids[i]))
			return "requester id without a context table";

	if (dser->pt_format != IOMMU_DOMAIN_SER_VTDSS &&
	    !(scalable && dser->pt_format == IOMMU_DOMAIN_SER_X86_64))
		return "domain format does not fit the unit";

	if (scalable != !!att->pasid_dir_pa)
		return "PASID directory does not fit the unit's mode";
	if (scalable && att->max_pasid > ((u64)PAGE_SIZE << att->pasid_dir_order) *
						 VTD_PASIDS_PER_BYTE)
		return "PASID directory is too small";
	return NULL;
}

const struct iommu_liveupdate_check_type intel_liveupdate_check_type = {
	.type = IOMMU_UNIT_SER_VTD,
	.name = "vtd",
	.own_root = true,
	.unit = check_unit,
	.attachment = check_attachment,
};
