/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */

/**
 * DOC: IOMMU live update ABI
 *
 * What the IOMMU core of one kernel tells that of the next one about the
 * units, domains, devices and attachments whose translation goes on across a
 * live update. The records travel as one FLB of the Live Update Orchestrator.
 *
 * This header is a contract between two kernels. It holds layout only. Every
 * field has a fixed width and a natural alignment, padding is explicit and
 * zero. A change of layout or meaning needs a new IOMMU_SER_VERSION; while
 * there is one version, any other is refused.
 *
 * Object graph (every reference is a physical address, 0 means none)::
 *
 *   FLB data -> struct iommu_ser
 *                 units_pa -> kho_block chain of struct iommu_unit_ser
 *                 domains_pa -> kho_block chain of struct iommu_domain_ser
 *                 devices_pa -> kho_block chain of struct iommu_device_ser
 *                 attachments_pa -> kho_block chain of
 *                                   struct iommu_attachment_ser
 *   iommu_device_ser: unit_pa -> the record of its unit
 *   iommu_attachment_ser: device_pa, domain_pa -> the records above
 *
 * Records are keyed by hardware facts: unit type and register base, segment
 * and requester id, PASID. A record that was given up stays in its place with
 * IOMMU_SER_DELETED set and must be skipped.
 *
 * No record depends on one kind of IOMMU. What a driver adds to the record of
 * a unit or of a device is its own: only the driver of the unit's type, in
 * either kernel, knows what it means.
 *
 * One CRC-32 over all records sits in struct iommu_ser. It is made when the
 * records are final.
 */

#ifndef _LINUX_KHO_ABI_IOMMU_H
#define _LINUX_KHO_ABI_IOMMU_H

#include <linux/build_bug.h>
#include <linux/stddef.h>
#include <linux/types.h>

#define IOMMU_SER_FLB_COMPATIBLE	"ilu-iommu-v1"
#define IOMMU_SER_VERSION		1

/* Common to the flags of all records: the record was given up, skip it */
#define IOMMU_SER_DELETED		0x1u

/**
 * struct iommu_ser - Top object of the IOMMU FLB
 * @version: IOMMU_SER_VERSION
 * @length: Bytes of this struct
 * @crc: CRC-32 (little endian, seed ~0) over this struct with @crc taken as 0,
 *	 followed by every block of the four chains, in the order units,
 *	 domains, devices, attachments: header and the entries counted there
 * @page_shift: Size of a page of the kernel that wrote this, as a power of two.
 *		Orders are counted in such pages.
 * @units_pa: First block of struct iommu_unit_ser
 * @domains_pa: First block of struct iommu_domain_ser
 * @devices_pa: First block of struct iommu_device_ser
 * @attachments_pa: First block of struct iommu_attachment_ser
 * @nr_units: Records in the chain at @units_pa, deleted ones included
 * @nr_domains: Records in the chain at @domains_pa, likewise
 * @nr_devices: Records in the chain at @devices_pa, likewise
 * @nr_attachments: Records in the chain at @attachments_pa, likewise
 *
 * Written by the IOMMU core from the preserve callback of its FLB on, final
 * after freeze and again after the hand-over. Read by the FLB's retrieve.
 */
struct iommu_ser {
	u32 version;
	u32 length;
	u32 crc;
	u32 page_shift;
	u64 units_pa;
	u64 domains_pa;
	u64 devices_pa;
	u64 attachments_pa;
	u32 nr_units;
	u32 nr_domains;
	u32 nr_devices;
	u32 nr_attachments;
};
static_assert(sizeof(struct iommu_ser) == 64);
static_assert(offsetof(struct iommu_ser, crc) == 8);
static_assert(offsetof(struct iommu_ser, units_pa) == 16);
static_assert(offsetof(struct iommu_ser, nr_units) == 48);

/* struct iommu_table_ser.flags: other units have the same table */
#define IOMMU_TABLE_SER_SHARED		0x1u

/**
 * struct iommu_table_ser - Memory that hardware reads or writes
 * @pa: Where it is, preserved as one allocation; 0 for an unused place
 * @order: Order of the allocation
 * @kind: What it is, a number that the driver of the unit's type gives it
 * @flags: IOMMU_TABLE_SER_SHARED
 */
struct iommu_table_ser {
	u64 pa;
	u32 order;
	u16 kind;
	u16 flags;
};
static_assert(sizeof(struct iommu_table_ser) == 16);

/* enum-like: struct iommu_unit_ser.type */
#define IOMMU_UNIT_SER_VTD		1
#define IOMMU_UNIT_SER_MOCK		0xffff

/* enum-like: struct iommu_unit_ser.base_kind */
#define IOMMU_UNIT_SER_BASE_MMIO	1	/* physical address of registers */
#define IOMMU_UNIT_SER_BASE_RID		2	/* segment << 16 | requester id */

/* Room in a record of a unit */
#define IOMMU_UNIT_SER_TABLES		8
#define IOMMU_UNIT_SER_DRIVER_WORDS	20

/**
 * struct iommu_unit_ser - One IOMMU unit that goes on translating
 * @flags: IOMMU_SER_DELETED
 * @type: IOMMU_UNIT_SER_*
 * @base: What tells it apart from other units of its type, whatever their segments
 * @base_kind: IOMMU_UNIT_SER_BASE_*, what @base is
 * @segment: PCI segment
 * @nr_devices: Device records that refer to it and are not deleted
 * @driver_length: Bytes of @driver_data that the driver has filled
 * @tables: Tables that all its devices use, the unused places last
 * @driver_data: The driver's own part, what is behind @driver_length is 0
 *
 * Written by the core and the driver's unit_preserve and unit_freeze, read by
 * the driver's adopt code.
 */
struct iommu_unit_ser {
	u32 flags;
	u32 type;
	u64 base;
	u32 base_kind;
	u32 segment;
	u32 nr_devices;
	u32 driver_length;
	struct iommu_table_ser tables[IOMMU_UNIT_SER_TABLES];
	u64 driver_data[IOMMU_UNIT_SER_DRIVER_WORDS];
};
static_assert(sizeof(struct iommu_unit_ser) == 320);
static_assert(offsetof(struct iommu_unit_ser, base) == 8);
static_assert(offsetof(struct iommu_unit_ser, tables) == 32);
static_assert(offsetof(struct iommu_unit_ser, driver_data) == 160);

/* struct iommu_domain_ser.pt_format */
#define IOMMU_DOMAIN_SER_AMDV1		1
#define IOMMU_DOMAIN_SER_X86_64		2
#define IOMMU_DOMAIN_SER_VTDSS		3
#define IOMMU_DOMAIN_SER_RISCV_64	4
#define IOMMU_DOMAIN_SER_AMDV1_MOCK	0xffff	/* AMDV1 with 2 KiB granules */

/* struct iommu_domain_ser.pt_features: the bits that are needed to walk and free */
#define IOMMU_DOMAIN_SER_SIGN_EXTEND	0x1u
#define IOMMU_DOMAIN_SER_DYNAMIC_TOP	0x2u
#define IOMMU_DOMAIN_SER_INCOHERENT	0x4u	/* the walker does not snoop caches */

/* struct iommu_domain_ser.domain_flags */
#define IOMMU_DOMAIN_SER_FORCE_SNOOP	0x1u

#define IOMMU_DOMAIN_SER_FORMAT_WORDS	4

/**
 * struct iommu_domain_ser - One domain, that is one page table
 * @flags: IOMMU_SER_DELETED
 * @pt_format: IOMMU_DOMAIN_SER_* format
 * @top_pa: Top table, preserved
 * @top_order: Order of its allocation
 * @top_level: Level of the top table, 0 is the level of the smallest entries
 * @granule_lg2: Size of what the smallest entry maps, as a power of two
 * @vasz_lg2: Size of the input address
 * @oasz_lg2: Size of the output address
 * @reserved: 0
 * @pt_features: Format bits, see above
 * @domain_flags: Driver neutral settings of the domain
 * @pgsize_bitmap: Page sizes the domain offered
 * @nr_tables: Allocations that were preserved, the top table included
 * @digest: Sum of the page frame numbers of all of them, modulo 2^64
 * @format_data: What else a walker of @pt_format has to know. No format that is
 *		 known here needs any, so it is 0.
 * @nr_attachments: Attachments that refer to it and are not deleted
 * @reserved2: 0
 *
 * Written by the domain's preserve operation and by the core, read by the
 * record check and the driver's restore operation.
 */
struct iommu_domain_ser {
	u32 flags;
	u32 pt_format;
	u64 top_pa;
	u8 top_order;
	u8 top_level;
	u8 granule_lg2;
	u8 vasz_lg2;
	u8 oasz_lg2;
	u8 reserved[3];
	u32 pt_features;
	u32 domain_flags;
	u64 pgsize_bitmap;
	u64 nr_tables;
	u64 digest;
	u64 format_data[IOMMU_DOMAIN_SER_FORMAT_WORDS];
	u32 nr_attachments;
	u32 reserved2;
};
static_assert(sizeof(struct iommu_domain_ser) == 96);
static_assert(offsetof(struct iommu_domain_ser, pt_features) == 24);
static_assert(offsetof(struct iommu_domain_ser, pgsize_bitmap) == 32);
static_assert(offsetof(struct iommu_domain_ser, nr_attachments) == 88);

/**
 * struct iommu_ats_ser - Address translation services of a device
 * @enabled: 1 if the device may have translations cached, else all of this is 0
 * @stu: Smallest translation unit, as in the ATS control register
 * @qdep: Invalidations that may be under way to the device
 * @reserved: 0
 * @pfsid: Source id of the physical function, by which invalidations are throttled
 */
struct iommu_ats_ser {
	u8 enabled;
	u8 stu;
	u8 qdep;
	u8 reserved;
	u32 pfsid;
};
static_assert(sizeof(struct iommu_ats_ser) == 8);

/* Ids a record of a device has room for; a device with more is refused */
#define IOMMU_DEVICE_SER_IDS		8
#define IOMMU_DEVICE_SER_DRIVER_WORDS	4

/**
 * struct iommu_device_ser - One device
 * @flags: IOMMU_SER_DELETED
 * @segment: PCI segment, or a number that no segment has, if its driver says so
 * @rid: Bus, device and function, or the driver's own number of it
 * @vendor: PCI vendor id, or the like; a check that it is still the same device
 * @device: PCI device id, likewise
 * @unit_pa: Its struct iommu_unit_ser
 * @nr_ids: Entries of @ids in use, at least 1
 * @max_pasid: PASIDs that @table has room for, 0 without a table
 * @ids: All ids by which the unit looks the device up, @rid's is the first
 * @table: Table of its own that hardware reads, if it has one
 * @group_key: Lowest @rid of the devices that were preserved in its group, the
 *	       same for all of them
 * @nr_attachments: Attachments that refer to it and are not deleted
 * @ats: Its address translation services
 * @driver_data: The driver's own part
 */
struct iommu_device_ser {
	u32 flags;
	u32 segment;
	u32 rid;
	u16 vendor;
	u16 device;
	u64 unit_pa;
	u32 nr_ids;
	u32 max_pasid;
	u32 ids[IOMMU_DEVICE_SER_IDS];
	struct iommu_table_ser table;
	u32 group_key;
	u32 nr_attachments;
	struct iommu_ats_ser ats;
	u64 driver_data[IOMMU_DEVICE_SER_DRIVER_WORDS];
};
static_assert(sizeof(struct iommu_device_ser) == 128);
static_assert(offsetof(struct iommu_device_ser, unit_pa) == 16);
static_assert(offsetof(struct iommu_device_ser, ids) == 32);
static_assert(offsetof(struct iommu_device_ser, table) == 64);
static_assert(offsetof(struct iommu_device_ser, driver_data) == 96);

/* struct iommu_attachment_ser.pasid: requests without a PASID */
#define IOMMU_ATTACHMENT_SER_NO_PASID	0

/**
 * struct iommu_attachment_ser - One device, or one PASID of it, on one domain
 * @flags: IOMMU_SER_DELETED
 * @pasid: The PASID, of a device alone in its group, or
 *	   IOMMU_ATTACHMENT_SER_NO_PASID
 * @device_pa: Its struct iommu_device_ser
 * @domain_pa: Its struct iommu_domain_ser
 * @hw_id: Id under which the unit caches translations: domain id, ASID, VMID
 * @reserved: 0
 * @iommufd_token: Token of the owning iommufd in its session. A number, unique
 *		   within that session only.
 */
struct iommu_attachment_ser {
	u32 flags;
	u32 pasid;
	u64 device_pa;
	u64 domain_pa;
	u32 hw_id;
	u32 reserved;
	u64 iommufd_token;
};
static_assert(sizeof(struct iommu_attachment_ser) == 40);
static_assert(offsetof(struct iommu_attachment_ser, hw_id) == 24);
static_assert(offsetof(struct iommu_attachment_ser, iommufd_token) == 32);

#endif /* _LINUX_KHO_ABI_IOMMU_H */
