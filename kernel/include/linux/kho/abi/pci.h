/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */

/**
 * DOC: PCI live update ABI
 *
 * What the PCI core of one kernel tells that of the next one: which functions,
 * and which bridges above them, go on with DMA across a live update, and what
 * can only be learned about them by writing to their registers: the sizes of
 * BARs, and which windows a bridge has. Nothing else is handed over. BARs,
 * windows, bus numbers, ACS, ARI and bus mastering are still in the registers of
 * these functions, and the next kernel adopts them from there.
 *
 * This header is a contract between two kernels. It holds layout only. Every
 * field has a fixed width and a natural alignment, padding is explicit and
 * zero, numbers are little endian. A change of layout or meaning needs a new
 * PCI_SER_VERSION; while there is one version, any other is refused.
 *
 * Object graph (every reference is a physical address, 0 means none)::
 *
 *   FLB data -> struct pci_ser
 *                 devices_pa -> kho_block chain of struct pci_dev_ser
 *
 * Records are keyed by segment and requester id. A function has one record
 * however many functions below it are preserved. A record that was given up
 * stays in its place with all fields zero, and may be used again.
 *
 * The form in which a driver hands over a saved config space,
 * struct pci_saved_state_ser, is defined here as well, since the PCI core alone
 * knows what it saves. It is no part of the FLB.
 */

#ifndef _LINUX_KHO_ABI_PCI_H
#define _LINUX_KHO_ABI_PCI_H

#include <linux/bits.h>
#include <linux/build_bug.h>
#include <linux/stddef.h>
#include <linux/types.h>

#define PCI_SER_FLB_COMPATIBLE	"ilu-pci-v1"
#define PCI_SER_VERSION		1

/**
 * struct pci_ser - Top object of the PCI FLB
 * @version: PCI_SER_VERSION
 * @length: Bytes of this struct
 * @crc: CRC-32 (little endian, seed ~0) over this struct with @crc taken as 0,
 *	 followed by every block of the chain: header and the records counted
 *	 there
 * @nr_devices: Records in the chain, those given up included
 * @devices_pa: First block of struct pci_dev_ser
 *
 * Written by the preserve callback of the FLB and by pci_liveupdate_preserve()
 * and pci_liveupdate_unpreserve(); complete after each of them, final when the
 * first function is shut down. Read by the FLB's retrieve.
 */
struct pci_ser {
	u32 version;
	u32 length;
	u32 crc;
	u32 nr_devices;
	u64 devices_pa;
};
static_assert(sizeof(struct pci_ser) == 24);
static_assert(offsetof(struct pci_ser, crc) == 8);
static_assert(offsetof(struct pci_ser, devices_pa) == 16);

/* struct pci_dev_ser.flags */
#define PCI_DEV_SER_SIZES		BIT(0)	/* the sizes below count */
#define PCI_DEV_SER_IO_WINDOW		BIT(1)
#define PCI_DEV_SER_PREF_WINDOW		BIT(2)
#define PCI_DEV_SER_PREF_64_WINDOW	BIT(3)
#define PCI_DEV_SER_FLAGS		0xf

#define PCI_DEV_SER_NR_BARS	6
#define PCI_DEV_SER_RESERVED	8

/**
 * struct pci_dev_ser - One function that goes on with DMA
 * @segment: PCI segment, 32 bits wide because VMD numbers start at 0x10000
 * @rid: Bus, device and function, in the lower 16 bits
 * @flags: PCI_DEV_SER_SIZES, and which optional windows a bridge has
 * @refcount: For an endpoint 1, for a bridge the number of preserved endpoints
 *	      below it, 0 for a record that was given up
 * @bar_lg2: Sizes of the BARs as powers of two, 0 where there is none, which
 *	     the upper half of a BAR of 64 bits counts as
 * @rom_lg2: The same for the expansion ROM
 * @reserved: 0
 * @reserved2: 0, room for what SR-IOV and ATS will have to tell
 *
 * Written by pci_liveupdate_preserve() and pci_liveupdate_unpreserve(), read
 * when the next kernel enumerates the function.
 */
struct pci_dev_ser {
	u32 segment;
	u32 rid;
	u32 flags;
	u32 refcount;
	u8 bar_lg2[PCI_DEV_SER_NR_BARS];
	u8 rom_lg2;
	u8 reserved;
	u32 reserved2[PCI_DEV_SER_RESERVED];
};
static_assert(sizeof(struct pci_dev_ser) == 56);
static_assert(offsetof(struct pci_dev_ser, rid) == 4);
static_assert(offsetof(struct pci_dev_ser, refcount) == 12);
static_assert(offsetof(struct pci_dev_ser, bar_lg2) == 16);
static_assert(offsetof(struct pci_dev_ser, rom_lg2) == 22);
static_assert(offsetof(struct pci_dev_ser, reserved2) == 24);

/**
 * struct pci_saved_cap_ser - Saved registers of one capability
 * @cap: Capability id
 * @extended: 1 for an extended capability, else 0
 * @length: Bytes in @data that count; what fills up to a multiple of 4 is 0
 * @data: The registers, in the form in which the PCI core saves this capability
 */
struct pci_saved_cap_ser {
	u16 cap;
	u16 extended;
	u32 length;
	u8 data[];
};
static_assert(sizeof(struct pci_saved_cap_ser) == 8);

/**
 * struct pci_saved_state_ser - Saved config space of one function
 * @length: Bytes of this struct and all of @caps
 * @nr_caps: Number of capabilities
 * @config_space: The header
 * @caps: struct pci_saved_cap_ser, one after the other
 *
 * Part of the record of a driver. Written by pci_export_saved_state(), read by
 * pci_liveupdate_saved_state().
 */
struct pci_saved_state_ser {
	u32 length;
	u32 nr_caps;
	u32 config_space[16];
	u8 caps[];
};
static_assert(sizeof(struct pci_saved_state_ser) == 72);

#endif /* _LINUX_KHO_ABI_PCI_H */
