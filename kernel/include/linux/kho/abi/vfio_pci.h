/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */

/**
 * DOC: vfio-pci live update ABI
 *
 * What vfio-pci of one kernel tells that of the next one about a device file
 * that is preserved while the device goes on with DMA. The next kernel opens
 * the device without a reset, so everything that an open otherwise learns from
 * a freshly reset device is handed over: whether a reset works, the clean
 * config space to go back to at close, and the virtual config space as the
 * user has left it. Which HWPT the device is attached to is told by the IOMMU
 * core, and which bridges are above it by the PCI core.
 *
 * This header is a contract between two kernels. It holds layout only. Every
 * field has a fixed width and a natural alignment, padding is explicit and
 * zero, numbers are little endian. A change of layout or meaning needs a new
 * VFIO_PCI_SER_VERSION; while there is one version, any other is refused.
 *
 * Object graph: the data of the file in its session is the physical address of
 * one preserved folio that begins with struct vfio_pci_ser. The three variable
 * parts follow in it, at the offsets given there::
 *
 *   file data -> struct vfio_pci_ser
 *                  saved_state_offset: struct pci_saved_state_ser, if any
 *                  vconfig_offset: cfg_size bytes
 *                  config_map_offset: cfg_size bytes
 */

#ifndef _LINUX_KHO_ABI_VFIO_PCI_H
#define _LINUX_KHO_ABI_VFIO_PCI_H

#include <linux/build_bug.h>
#include <linux/stddef.h>
#include <linux/types.h>

#define VFIO_PCI_SER_COMPATIBLE		"ilu-vfio-pci-v1"
#define VFIO_PCI_SER_VERSION		1

/* No record is longer than this */
#define VFIO_PCI_SER_MAX_LENGTH		(64 * 1024)

/* struct vfio_pci_ser.flags */
#define VFIO_PCI_SER_FROZEN		0x1u	/* the fields of freeze are valid */
#define VFIO_PCI_SER_RESET_WORKS	0x2u	/* a function reset was done */
#define VFIO_PCI_SER_SAVED_STATE	0x4u	/* there is a clean saved state */
#define VFIO_PCI_SER_NOINTX		0x8u	/* INTx is hidden from the user */
#define VFIO_PCI_SER_PCI_2_3		0x10u	/* INTx can be masked in COMMAND */
#define VFIO_PCI_SER_VIRQ_DISABLED	0x20u	/* the user has INTx disabled */
#define VFIO_PCI_SER_BARDIRTY		0x40u	/* virtual BARs need a fix-up */
#define VFIO_PCI_SER_MASTER		0x80u	/* mastered the bus at freeze */
#define VFIO_PCI_SER_INTX_ON		0x100u	/* COMMAND allowed INTx at freeze */

#define VFIO_PCI_SER_RESERVED		12

/**
 * struct vfio_pci_ser - One preserved vfio-pci device file
 * @version: VFIO_PCI_SER_VERSION
 * @length: Bytes of this struct and all parts that follow
 * @crc: CRC-32 (little endian, seed ~0) over @length bytes, @crc taken as 0
 * @flags: VFIO_PCI_SER_*
 * @iommufd_token: Token of the iommufd in the same session
 * @segment: PCI segment
 * @rid: Bus, device and function, in the lower 16 bits
 * @vendor: PCI vendor id, like the next fields a check that it is the same
 *	    device
 * @device: PCI device id
 * @subsystem_vendor: PCI subsystem vendor id
 * @subsystem_device: PCI subsystem id
 * @revision: PCI revision
 * @hdr_type: PCI header type
 * @class: PCI class code
 * @cfg_size: Bytes of config space
 * @bars: BARs in hardware at freeze, which the device has to have still
 * @saved_state_offset: struct pci_saved_state_ser, 0 without a saved state. Bus
 *			mastering is off in it.
 * @saved_state_length: Its bytes
 * @vconfig_offset: Virtual config space, in full after freeze
 * @config_map_offset: Which capability each of its bytes belongs to
 * @reserved: 0, room for interrupts that stay set up, and for VFs
 *
 * Written by the preserve callback of the file handler, again by its freeze
 * callback. Complete after freeze.
 */
struct vfio_pci_ser {
	u32 version;
	u32 length;
	u32 crc;
	u32 flags;
	u64 iommufd_token;
	u32 segment;
	u32 rid;
	u16 vendor;
	u16 device;
	u16 subsystem_vendor;
	u16 subsystem_device;
	u32 class;
	u8 revision;
	u8 hdr_type;
	u16 cfg_size;
	u32 bars[6];
	u32 saved_state_offset;
	u32 saved_state_length;
	u32 vconfig_offset;
	u32 config_map_offset;
	u32 reserved[VFIO_PCI_SER_RESERVED];
};
static_assert(sizeof(struct vfio_pci_ser) == 136);
static_assert(offsetof(struct vfio_pci_ser, crc) == 8);
static_assert(offsetof(struct vfio_pci_ser, iommufd_token) == 16);
static_assert(offsetof(struct vfio_pci_ser, bars) == 48);
static_assert(offsetof(struct vfio_pci_ser, saved_state_offset) == 72);

#endif /* _LINUX_KHO_ABI_VFIO_PCI_H */
