/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 *
 * An IOMMU that is made up, to test live update where there is none. What it is
 * for is in liveupdate_mock.c.
 */
#ifndef __IOMMUFD_LIVEUPDATE_MOCK_H
#define __IOMMUFD_LIVEUPDATE_MOCK_H

#include <linux/bitmap.h>
#include <linux/device.h>
#include <linux/generic_pt/iommu.h>
#include <linux/iommu.h>
#include <linux/types.h>

#include "liveupdate_mock_uapi.h"

/* The hardware */

#define MOCK_HW_TLB		16

/* struct mock_hw_unit.control */
#define MOCK_HW_TRANSLATE	BIT_ULL(0)

/* struct mock_hw_slot.root: the rest is the address of the top table */
#define MOCK_HW_PRESENT		BIT_ULL(0)
#define MOCK_HW_LEVEL		GENMASK_ULL(11, 9)
#define MOCK_HW_ROOT		GENMASK_ULL(51, 12)

/**
 * struct mock_hw_slot - What hardware reads about a device or a PASID of it
 * @root: MOCK_HW_*, and the top table of the page table
 * @id: Under which its translations are cached, not 0
 */
struct mock_hw_slot {
	u64 root;
	u64 id;
};

/**
 * struct mock_hw_entry - What hardware reads about a device
 * @slot: For requests without a PASID
 * @pasids: Address of MOCK_PASIDS more of them, of which the first is not used, or 0
 * @reserved: 0
 */
struct mock_hw_entry {
	struct mock_hw_slot slot;
	u64 pasids;
	u64 reserved;
};

struct mock_hw_tlb {
	u64 id;
	u64 iova;
	u64 pa;
};

/**
 * struct mock_hw_unit - Registers and cache of one unit
 * @control: MOCK_HW_TRANSLATE
 * @table: Address of the device table, struct mock_hw_entry for each device, which
 *	   both units may have in common
 * @tlb: The cache
 */
struct mock_hw_unit {
	u64 control;
	u64 table;
	struct mock_hw_tlb tlb[MOCK_HW_TLB];
};

/**
 * struct mock_hw - All that a kexec does not touch in a real machine
 * @unit: The units
 * @present: One bit for each device that is plugged in
 * @masters: Likewise, for those that may do DMA
 */
struct mock_hw {
	struct mock_hw_unit unit[MOCK_UNITS];
	u64 present;
	u64 masters;
};

int mock_hw_init(void);
void mock_hw_exit(void);
struct mock_hw *mock_hw(void);
struct mock_hw_unit *mock_hw_unit(u32 rid);
struct mock_hw_slot *mock_hw_slot(u32 rid, u32 pasid);
void mock_hw_write_slot(u32 rid, u32 pasid, u64 root, u64 id);
void mock_hw_write_pasids(u32 rid, u64 pasids);
void mock_hw_flush(unsigned int unit, u64 id);
int mock_hw_dma(u32 rid, u32 pasid, u64 iova, bool write, u64 *value);
void mock_hw_master(u32 rid, bool on);

/* The IOMMU driver */

/* The segment of its devices is none of PCI functions */
#define MOCK_SEGMENT		0xfffffff0U

/**
 * struct mock_unit - A unit, as its driver knows it
 * @iommu: For the core
 * @nr: Which
 * @nb: For the bus
 * @record: What came in for it and is in force, or NULL
 * @started: It translates by tables that are this kernel's, be it registered or not
 * @registered: It is there
 */
struct mock_unit {
	struct iommu_device iommu;
	unsigned int nr;
	struct notifier_block nb;
	const struct iommu_unit_ser *record;
	bool started;
	bool registered;
};

/**
 * struct mock_device - A device behind one of them
 * @dev: For the driver core
 * @rid: Its number
 * @open: Somebody has its file
 * @preserved: For the next kernel
 */
struct mock_device {
	struct device dev;
	u32 rid;
	bool open;
	bool preserved;
};

static inline struct mock_device *to_mock_device(struct device *dev)
{
	return container_of(dev, struct mock_device, dev);
}

struct mock_unit *mock_iommu_unit(u32 rid);
void mock_iommu_init(void);
int mock_iommu_add_unit(unsigned int nr, const struct bus_type *bus);
int mock_iommu_remove_unit(unsigned int nr, const struct bus_type *bus);

#endif /* __IOMMUFD_LIVEUPDATE_MOCK_H */
