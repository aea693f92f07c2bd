/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */

/**
 * DOC: VT-d part of the IOMMU live update ABI
 *
 * What this driver of one kernel tells that of the next one, in the records that
 * include/linux/kho/abi/iommu.h describes. A contract like that, under the same
 * version.
 */

#ifndef __INTEL_IOMMU_LIVEUPDATE_ABI_H
#define __INTEL_IOMMU_LIVEUPDATE_ABI_H

#include <linux/kho/abi/iommu.h>

/* Places in struct iommu_unit_ser.tables */
#define IOMMU_UNIT_VTD_ROOT		0
#define IOMMU_UNIT_VTD_IRT		1	/* if interrupts are remapped */

/* Kinds of tables there */
#define IOMMU_TABLE_VTD_ROOT		1
#define IOMMU_TABLE_VTD_IRT		2	/* until the next kernel has its own */

/* The kind of struct iommu_device_ser.table */
#define IOMMU_TABLE_VTD_PASID_DIR	3

/* struct iommu_unit_vtd_ser.flags */
#define IOMMU_UNIT_VTD_SCALABLE		0x1u	/* RTADDR says scalable mode */

/* One bit per context table: bus, or in scalable mode bus * 2 + (devfn >= 0x80) */
#define IOMMU_UNIT_VTD_CTX_WORDS	8

/**
 * struct iommu_unit_vtd_ser - The driver's part of the record of a unit
 * @flags: IOMMU_UNIT_VTD_*
 * @reserved: 0
 * @cap: Capability register
 * @ecap: Extended capability register
 * @rtaddr: Root table address register, mode bits included
 * @irta: Interrupt remapping table address register, EIM and size included, 0
 *	  if interrupts are not remapped
 * @context_tables: The context tables that were preserved. They are found
 *		    through the root table. A root entry whose bit is not set
 *		    must be empty.
 */
struct iommu_unit_vtd_ser {
	u32 flags;
	u32 reserved;
	u64 cap;
	u64 ecap;
	u64 rtaddr;
	u64 irta;
	u64 context_tables[IOMMU_UNIT_VTD_CTX_WORDS];
};
static_assert(sizeof(struct iommu_unit_vtd_ser) == 104);
static_assert(sizeof(struct iommu_unit_vtd_ser) <=
	      sizeof_field(struct iommu_unit_ser, driver_data));

static inline struct iommu_unit_vtd_ser *
iommu_unit_vtd(struct iommu_unit_ser *unit)
{
	return (struct iommu_unit_vtd_ser *)unit->driver_data;
}

static inline const struct iommu_unit_vtd_ser *
iommu_unit_vtd_const(const struct iommu_unit_ser *unit)
{
	return (const struct iommu_unit_vtd_ser *)unit->driver_data;
}

/* liveupdate-check.c, which knows all of this */
struct iommu_liveupdate_type;
extern const struct iommu_liveupdate_type intel_liveupdate_type;

#endif /* __INTEL_IOMMU_LIVEUPDATE_ABI_H */
