// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include "shims.h"

struct memory memory;

bool kho_is_preserved(u64 pa, unsigned int order)
{
	return pa == RECORD_PA && order == memory.order;
}

void *phys_to_virt(u64 pa)
{
	if (pa != RECORD_PA) {
		fprintf(stderr, "followed, but not preserved: %#llx\n", (unsigned long long)pa);
		abort();
	}
	return memory.data;
}

unsigned int get_order(size_t size)
{
	unsigned int order = 0;

	while (PAGE_SIZE << order < size)
		order++;
	return order;
}

void pci_read_config_dword(struct pci_dev *dev, int where, u32 *value)
{
	*value = dev->config[where / 4];
}

struct pci_saved_state *pci_liveupdate_saved_state(struct pci_dev *dev,
						   const struct pci_saved_state_ser *ser, size_t len)
{
	struct pci_saved_state *state = ser ? state_import(dev, ser, len) : NULL;

	/* Of no use, or none at all: that of the device has to do */
	return state ?: state_new();
}

/* PCI Express at 0x40, MSI-X at 0x70, and what the header is */
int vfio_config_init(struct vfio_pci_core_device *vdev)
{
	vdev->vconfig = calloc(1, vdev->pdev->cfg_size);
	vdev->pci_config_map = malloc(vdev->pdev->cfg_size);
	memset(vdev->pci_config_map, PCI_CAP_ID_INVALID, vdev->pdev->cfg_size);
	memset(vdev->pci_config_map, 0, PCI_STD_HEADER_SIZEOF);
	memset(vdev->pci_config_map + 0x40, 0x10, 0x30);
	memset(vdev->pci_config_map + 0x70, 0x11, 0x10);
	return 0;
}

void vfio_config_free(struct vfio_pci_core_device *vdev)
{
	free(vdev->vconfig);
	free(vdev->pci_config_map);
	vdev->vconfig = vdev->pci_config_map = NULL;
}

#include "cut/vfio.h"

static void device_init(u32 cfg_size)
{
	device.vendor = device.subsystem_vendor = 0x8086;
	device.device = 0x10c9;
	device.subsystem_device = 0xa03c;
	device.revision = 1;
	device.class = 0x020000;
	device.cfg_size = cfg_size;
	device.config[PCI_VENDOR_ID / 4] = 0x10c98086;
	for (int i = 0; i < 6; i++)
		device.config[PCI_BASE_ADDRESS_0 / 4 + i] = 0xfe400000 + i * 0x20000;
	device.config[PCI_ROM_ADDRESS / 4] = 0xfe700000;
}

u32 device_rom(void)
{
	return device.config[PCI_ROM_ADDRESS / 4];
}

static void record_identify(struct vfio_pci_ser *ser)
{
	ser->rid = 0x0208;
	ser->vendor = device.vendor;
	ser->device = device.device;
	ser->subsystem_vendor = device.subsystem_vendor;
	ser->subsystem_device = device.subsystem_device;
	ser->revision = device.revision;
	ser->hdr_type = device.hdr_type;
	ser->class = device.class;
	ser->cfg_size = device.cfg_size;
	memcpy(ser->bars, device.config + PCI_BASE_ADDRESS_0 / 4, sizeof(ser->bars));
}

static void record_fill(struct vfio_pci_ser *ser, const struct pci_saved_state_ser *state, size_t len)
{
	struct vfio_pci_core_device vdev = { .pdev = &device };
	u8 *parts = (u8 *)(ser + 1);

	vfio_config_init(&vdev);
	memcpy(parts, state, len);
	memset(parts + ALIGN(len, 8), 0xc0, ser->cfg_size);
	memcpy(parts + ALIGN(len, 8) + ser->cfg_size, vdev.pci_config_map, ser->cfg_size);
	vfio_config_free(&vdev);

	ser->saved_state_offset = sizeof(*ser);
	ser->saved_state_length = len;
	ser->vconfig_offset = sizeof(*ser) + ALIGN(len, 8);
	ser->config_map_offset = ser->vconfig_offset + ser->cfg_size;
	ser->length = ser->config_map_offset + ser->cfg_size;
}

struct vfio_pci_ser *record_new(u32 cfg_size)
{
	struct pci_saved_state_ser *state;
	struct vfio_pci_ser *ser;
	size_t len;

	device_init(cfg_size);
	state = state_export(&len);
	memory.order = get_order(sizeof(*ser) + ALIGN(len, 8) + 2 * cfg_size);
	memory.data = ser = calloc(1, PAGE_SIZE << memory.order);
	ser->version = VFIO_PCI_SER_VERSION;
	ser->flags = VFIO_PCI_SER_FROZEN | VFIO_PCI_SER_RESET_WORKS | VFIO_PCI_SER_SAVED_STATE;
	ser->iommufd_token = 0x1111;
	record_identify(ser);
	record_fill(ser, state, len);
	record_seal(ser);
	free(state);
	return ser;
}

void record_free(void)
{
	free(memory.data);
	memory.data = NULL;
}

/* Written without the kernel's help */
void record_seal(struct vfio_pci_ser *ser)
{
	if (ser->length < sizeof(*ser) || ser->length > PAGE_SIZE << memory.order)
		return;
	ser->crc = 0;
	ser->crc = crc32_le(~0, ser, ser->length);
}

const struct vfio_pci_ser *record_incoming(u64 pa)
{
	return vfio_pci_ser_incoming(pa);
}

struct vfio_pci_core_device *device_open(u64 pa)
{
	const struct vfio_pci_ser *ser = vfio_pci_ser_incoming(pa);
	struct vfio_pci_core_device *vdev;

	if (!ser || !vfio_pci_ser_same_device(ser, &device) || !vfio_pci_ser_same_bars(ser, &device))
		return NULL;

	vdev = calloc(1, sizeof(*vdev));
	vdev->pdev = &device;
	if (!vfio_pci_liveupdate_state(vdev, ser)) {
		if (!vfio_pci_liveupdate_config(vdev, ser))
			return vdev;
		free(vdev->pci_saved_state);
	}
	free(vdev);
	return NULL;
}

void device_close(struct vfio_pci_core_device *vdev)
{
	vfio_config_free(vdev);
	free(vdev->pci_saved_state);
	free(vdev);
}
