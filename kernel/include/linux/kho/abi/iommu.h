/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */

/**
 * DOC: IOMMU live update ABI
 *
 * What the IOMMU core of one kernel tells that of the next one about the
 * units, domains and attachments whose translation goes on across a live
 * update. The records travel as one FLB of the Live Update Orchestrator.
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
 *                 attachments_pa -> kho_block chain of
 *                                   struct iommu_attachment_ser
 *   iommu_attachment_ser: domain_pa, unit_pa -> the records above
 *
 * Records are keyed by hardware facts: unit type and register base, segment
 * and requester id. A record that was given up stays in its place with
 * IOMMU_SER_DELETED set and must be skipped.
 *
 * One CRC-32 over all records sits in struct iommu_ser and is renewed by every
 * call that writes a record.
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
 *	 followed by every block of the three chains, in the order units,
 *	 domains, attachments: header and the entries counted there
 * @reserved: 0
 * @units_pa: First block of struct iommu_unit_ser
 * @domains_pa: First block of struct iommu_domain_ser
 * @attachments_pa: First block of struct iommu_attachment_ser
 * @nr_units: Records in the chain at @units_pa, deleted ones included
 * @nr_domains: Records in the chain at @domains_pa, deleted ones included
 * @nr_attachments: Records in the chain at @attachments_pa, likewise
 * @reserved2: 0
 *
 * Written by the IOMMU core from the preserve callback of its FLB on, complete
 * after each call that changes a record. Read by the FLB's retrieve.
 */
struct iommu_ser {
	u32 version;
	u32 length;
	u32 crc;
	u32 reserved;
	u64 units_pa;
	u64 domains_pa;
	u64 attachments_pa;
	u32 nr_units;
	u32 nr_domains;
	u32 nr_attachments;
	u32 reserved2;
};
static_assert(sizeof(struct iommu_ser) == 56);
static_assert(offsetof(struct iommu_ser, crc) == 8);
static_assert(offsetof(struct iommu_ser, units_pa) == 16);
static_assert(offsetof(struct iommu_ser, nr_units) == 40);

/* enum-like: struct iommu_unit_ser.type */
#define IOMMU_UNIT_SER_VTD		1
#define IOMMU_UNIT_SER_MOCK		0xffff

/* struct iommu_unit_vtd_ser.flags */
#define IOMMU_UNIT_VTD_SCALABLE		0x1u	/* RTADDR says scalable mode */
#define IOMMU_UNIT_VTD_INTREMAP		0x2u	/* irt_pa and irta are valid */

/* One bit per context table: bus, or in scalable mode bus * 2 + (devfn >= 0x80) */
#define IOMMU_UNIT_VTD_CTX_WORDS	8

/**
 * struct iommu_unit_vtd_ser - What is special to a VT-d unit
 * @flags: IOMMU_UNIT_VTD_*
 * @irt_order: Order of the folio that holds the interrupt remapping table
 * @cap: Capability register
 * @ecap: Extended capability register
 * @rtaddr: Root table address register, mode bits included
 * @irta: Interrupt remapping table address register, EIM and size included
 * @irt_pa: Interrupt remapping table, preserved until the next kernel has
 *	    switched to its own
 * @context_tables: The context tables that were preserved. They are found
 *		    through the root table. A root entry whose bit is not set
 *		    must be empty.
 */
struct iommu_unit_vtd_ser {
	u32 flags;
	u32 irt_order;
	u64 cap;
	u64 ecap;
	u64 rtaddr;
	u64 irta;
	u64 irt_pa;
	u64 context_tables[IOMMU_UNIT_VTD_CTX_WORDS];
};
static_assert(sizeof(struct iommu_unit_vtd_ser) == 112);

/**
 * struct iommu_unit_ser - One IOMMU unit that goes on translating
 * @flags: IOMMU_SER_DELETED
 * @type: IOMMU_UNIT_SER_*
 * @base: Physical address of the unit's registers
 * @segment: PCI segment
 * @nr_devices: Attachments that are not deleted
 * @root_pa: Root table (VT-d), device table, stream table
 * @vtd: For IOMMU_UNIT_SER_VTD
 * @driver_data: Keeps the size of the record; what a driver does not use is 0
 *
 * Written by the core and the driver's unit_preserve and unit_freeze, read by
 * the driver's adopt code.
 */
struct iommu_unit_ser {
	u32 flags;
	u32 type;
	u64 base;
	u32 segment;
	u32 nr_devices;
	u64 root_pa;
	union {
		struct iommu_unit_vtd_ser vtd;
		u64 driver_data[20];
	};
};
static_assert(sizeof(struct iommu_unit_ser) == 192);
static_assert(offsetof(struct iommu_unit_ser, root_pa) == 24);
static_assert(offsetof(struct iommu_unit_ser, vtd) == 32);

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

/**
 * struct iommu_domain_ser - One domain, that is one page table
 * @flags: IOMMU_SER_DELETED
 * @pt_format: IOMMU_DOMAIN_SER_* format
 * @top_pa: Top table, preserved
 * @top_level: Level of the top table, 0 is the level of 4 KiB entries
 * @vasz_lg2: Size of the input address
 * @oasz_lg2: Size of the output address
 * @reserved: 0
 * @pt_features: Format bits, see above
 * @pgsize_bitmap: Page sizes the domain offered
 * @nr_tables: Table pages that were preserved, the top table included
 * @digest: Sum of the page frame numbers of all of them, modulo 2^64
 * @domain_flags: Driver neutral settings of the domain
 * @nr_attachments: Attachments that refer to it and are not deleted
 *
 * Written by the page table's preserve operation and by the core, read by the
 * record check, the driver's domain_restore and the page table's restore.
 */
struct iommu_domain_ser {
	u32 flags;
	u32 pt_format;
	u64 top_pa;
	u8 top_level;
	u8 vasz_lg2;
	u8 oasz_lg2;
	u8 reserved;
	u32 pt_features;
	u64 pgsize_bitmap;
	u64 nr_tables;
	u64 digest;
	u32 domain_flags;
	u32 nr_attachments;
};
static_assert(sizeof(struct iommu_domain_ser) == 56);
static_assert(offsetof(struct iommu_domain_ser, pt_features) == 20);
static_assert(offsetof(struct iommu_domain_ser, domain_flags) == 48);

/* Requester ids a record has room for; a device with more is refused */
#define IOMMU_ATTACHMENT_SER_RIDS	8

/**
 * struct iommu_attachment_ser - One device on one domain, without PASID
 * @flags: IOMMU_SER_DELETED
 * @segment: PCI segment
 * @rid: Bus, device and function of the device itself
 * @vendor: PCI vendor id, a check that it is still the same device
 * @device: PCI device id, likewise
 * @nr_rids: Entries of @rids in use, at least 1
 * @rids: All requester ids the unit has an entry for, @rid is the first
 * @hw_id: Id under which the unit caches translations: DID, ASID, VMID
 * @max_pasid: PASIDs the table at @pasid_dir_pa has room for, 0 without one
 * @domain_pa: Its struct iommu_domain_ser
 * @unit_pa: Its struct iommu_unit_ser
 * @pasid_dir_pa: Per device table that hardware reads: VT-d's PASID directory
 * @pasid_dir_order: Order of its folio
 * @reserved: 0
 * @iommufd_token: Token of the owning iommufd in its session. A number, unique
 *		   within that session only.
 */
struct iommu_attachment_ser {
	u32 flags;
	u32 segment;
	u16 rid;
	u16 vendor;
	u16 device;
	u16 nr_rids;
	u16 rids[IOMMU_ATTACHMENT_SER_RIDS];
	u32 hw_id;
	u32 max_pasid;
	u64 domain_pa;
	u64 unit_pa;
	u64 pasid_dir_pa;
	u32 pasid_dir_order;
	u32 reserved;
	u64 iommufd_token;
};
static_assert(sizeof(struct iommu_attachment_ser) == 80);
static_assert(offsetof(struct iommu_attachment_ser, hw_id) == 32);
static_assert(offsetof(struct iommu_attachment_ser, iommufd_token) == 72);

#endif /* _LINUX_KHO_ABI_IOMMU_H */
