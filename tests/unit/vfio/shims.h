/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the functions use that the Makefile cuts out of drivers/vfio/pci: they stand
 * in files that need the whole kernel. Also makes the record of a device.
 */
#ifndef VFIO_SHIMS_H
#define VFIO_SHIMS_H

#include <asm/page.h>
#include <linux/align.h>
#include <linux/array_size.h>
#include <linux/crc32.h>
#include <linux/kho/abi/vfio_pci.h>
#include <linux/string.h>
#include "state.h"

#define PCI_VENDOR_ID		0x00
#define PCI_BASE_ADDRESS_0	0x10
#define PCI_ROM_ADDRESS		0x30
#define U16_MAX			0xffff
#define PCI_HEADER_TYPE_NORMAL	0
#define PCI_STD_HEADER_SIZEOF	64
#define PCI_CFG_SPACE_SIZE	256
#define PCI_CFG_SPACE_EXP_SIZE	4096
#define PCI_CAP_ID_INVALID	0xff

#define vfio_pci_liveupdate_say(vdev, ...)	((void)(vdev))
#define kfree(ptr)				free(ptr)

/* As far as an open takes it from the record */
struct vfio_pci_core_device {
	struct pci_dev *pdev;
	struct pci_saved_state *pci_saved_state;
	u8 *pci_config_map, *vconfig;
	u32 rbar[7];
	bool reset_works, nointx, pci_2_3, bardirty, virq_disabled;
};

/* Where the other kernel has put the record, in a block of this order */
#define RECORD_PA	0x300000000ULL

struct memory {
	void *data;
	unsigned int order;
};

extern struct memory memory;

bool kho_is_preserved(u64 pa, unsigned int order);
void *phys_to_virt(u64 pa);
unsigned int get_order(size_t size);
void pci_read_config_dword(struct pci_dev *dev, int where, u32 *value);
struct pci_saved_state *pci_liveupdate_saved_state(struct pci_dev *dev,
						   const struct pci_saved_state_ser *ser, size_t len);
int vfio_config_init(struct vfio_pci_core_device *vdev);
void vfio_config_free(struct vfio_pci_core_device *vdev);

/* What is in the register of the device's ROM */
u32 device_rom(void);

/* In memory, of the device, which gets a config space of this size */
struct vfio_pci_ser *record_new(u32 cfg_size);
void record_free(void);
/* Makes the checksum right, if the length allows it. */
void record_seal(struct vfio_pci_ser *ser);

/*
 * From an address to the device that is open: NULL if it was refused anywhere, else
 * to be freed by device_close().
 */
struct vfio_pci_core_device *device_open(u64 pa);
void device_close(struct vfio_pci_core_device *vdev);
/* As far as retrieve */
const struct vfio_pci_ser *record_incoming(u64 pa);

#endif
