// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzzer of the record of vfio-pci: from the address that the session has to the
 * device that is open. Whatever the bytes are, nothing beyond the record is read.
 */
#include "fuzz.h"
#include "shims.h"

/* What has a meaning more often than what has none */
static void edit(struct vfio_pci_ser *ser, size_t len)
{
	const struct bytes areas[] = {
		{ ser, sizeof(*ser) },
		{ ser + 1, len - sizeof(*ser) },
	};

	fuzz_edit(areas, fuzz_u32() % 3 ? 1 : 2, len);
}

static void edit_offset(struct vfio_pci_ser *ser, size_t len)
{
	u32 *fields[] = {
		&ser->vconfig_offset, &ser->config_map_offset, &ser->saved_state_offset,
		&ser->saved_state_length, &ser->length,
	};
	u32 *field = fields[fuzz_u32() % ARRAY_SIZE(fields)];

	*field = fuzz_u32() % 4 ? fuzz_u32() % (2 * len) : fuzz_value(*field);
}

/* The saved state is elsewhere, and the record knows. */
static void move_state(struct vfio_pci_ser *ser, size_t len)
{
	u32 offset = sizeof(*ser) + fuzz_u32() % 32;

	memmove((u8 *)ser + offset, ser + 1, len);
	ser->saved_state_offset = offset;
}

/* Another one is in its place, which may have another config space. */
static void edit_device(void)
{
	u16 *ids[] = {
		&device.vendor, &device.device, &device.subsystem_vendor, &device.subsystem_device,
	};

	switch (fuzz_u32() % 4) {
	case 0:
		*ids[fuzz_u32() % ARRAY_SIZE(ids)] ^= 1 << fuzz_u32() % 16;
		break;
	case 1:
		device.config[4 + fuzz_u32() % 6] ^= 0x1000;
		break;
	default:
		device.cfg_size ^= PCI_CFG_SPACE_SIZE ^ PCI_CFG_SPACE_EXP_SIZE;
	}
}

static bool within(const struct vfio_pci_ser *ser, u64 offset, u64 len)
{
	return offset >= sizeof(*ser) && offset + len <= ser->length;
}

static void require_open(struct vfio_pci_ser *ser, const struct vfio_pci_core_device *vdev)
{
	const u8 *bytes = (const u8 *)ser;
	u32 crc = ser->crc;

	require(ser->version == VFIO_PCI_SER_VERSION && ser->flags & VFIO_PCI_SER_FROZEN && ser->flags < 0x200);
	for (int i = 0; i < 12; i++)
		require(!ser->reserved[i]);
	require(ser->rid < 0x10000);
	require(ser->length <= PAGE_SIZE << memory.order && ser->cfg_size == device.cfg_size);
	require(within(ser, ser->vconfig_offset, ser->cfg_size));
	require(within(ser, ser->config_map_offset, ser->cfg_size));
	if (ser->flags & VFIO_PCI_SER_SAVED_STATE)
		require(within(ser, ser->saved_state_offset, ser->saved_state_length) &&
			ser->saved_state_offset % 4 == 0);
	require(ser->vendor == device.vendor && ser->device == device.device && ser->hdr_type == 0);
	require(!memcmp(ser->bars, device.config + 4, sizeof(ser->bars)));
	require(!memcmp(vdev->vconfig, bytes + ser->vconfig_offset, ser->cfg_size));
	for (u32 i = 0; i < PCI_STD_HEADER_SIZEOF; i++)
		require(!vdev->pci_config_map[i]);
	require(vdev->pci_saved_state && state_len(vdev->pci_saved_state));
	record_seal(ser);
	require(ser->crc == crc);
}

static bool fuzz_record(void)
{
	struct vfio_pci_ser *ser = record_new(fuzz_u32() % 16 ? PCI_CFG_SPACE_SIZE : PCI_CFG_SPACE_EXP_SIZE);
	struct vfio_pci_core_device *vdev;
	size_t len = ser->length, state_len = ser->saved_state_length;

	for (unsigned int edits = fuzz_edits(3); edits; edits--) {
		switch (fuzz_u32() % 8) {
		case 0:
			move_state(ser, state_len);
			break;
		case 1:
		case 2:
		case 3:
			edit_offset(ser, len);
			break;
		case 4:
			edit_device();
			break;
		default:
			edit(ser, len);
		}
	}
	if (fuzz_seals())
		record_seal(ser);

	vdev = device_open(RECORD_PA);
	if (vdev) {
		require_open(ser, vdev);
		device_close(vdev);
	}
	record_free();
	return vdev;
}

const struct fuzz_target fuzz_targets[] = {
	{ "record", fuzz_record, 50000, 50 },
	{}
};
