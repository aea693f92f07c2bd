// SPDX-License-Identifier: GPL-2.0
/* Tests of the record of vfio-pci: its check, and what an open takes from it */
#include "test.h"
#include "shims.h"

static bool opens(void)
{
	struct vfio_pci_core_device *vdev = device_open(RECORD_PA);

	if (!vdev)
		return false;
	device_close(vdev);
	return true;
}

static void test_open(void **state)
{
	static const u32 sizes[] = { PCI_CFG_SPACE_SIZE, PCI_CFG_SPACE_EXP_SIZE };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct vfio_pci_ser *ser = record_new(sizes[i]);
		struct vfio_pci_core_device *vdev;

		ser->flags |= VFIO_PCI_SER_NOINTX | VFIO_PCI_SER_BARDIRTY;
		record_seal(ser);
		vdev = device_open(RECORD_PA);
		assert_non_null(vdev);
		assert_memory_equal(vdev->rbar, ser->bars, sizeof(ser->bars));
		assert_int_equal(vdev->rbar[6], device_rom());
		assert_true(vdev->reset_works && vdev->nointx && vdev->bardirty);
		assert_false(vdev->pci_2_3 || vdev->virq_disabled);
		assert_int_equal(vdev->vconfig[sizes[i] - 1], 0xc0);
		assert_int_equal(vdev->pci_saved_state->config_space[1], 0x02020202);
		device_close(vdev);
		record_free();
	}
}

/* Without it the present state of the device has to do, wherever it would be. */
static void test_no_saved_state(void **state)
{
	struct vfio_pci_ser *ser = record_new(PCI_CFG_SPACE_SIZE);

	ser->flags &= ~VFIO_PCI_SER_SAVED_STATE;
	ser->saved_state_offset = ~0u;
	ser->saved_state_length = ~0u;
	record_seal(ser);
	assert_true(opens());
	record_free();
}

/* Nothing is read that was not preserved. */
static void test_address(void **state)
{
	static const u64 wrong[] = { 0, 1, 8, RECORD_PA + 8, RECORD_PA + PAGE_SIZE, RECORD_PA - PAGE_SIZE, ~0ull };

	record_new(PCI_CFG_SPACE_SIZE);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_null(record_incoming(wrong[i]));
	/* No record is as large */
	memory.order = 5;
	assert_null(record_incoming(RECORD_PA));
	memory.order = 0;
	assert_non_null(record_incoming(RECORD_PA));
	record_free();
}

/* X(name, what is altered in a record of which the device can be opened otherwise, is the record sound?) */
#define ALTERATIONS(X) \
X(version_next, ser->version++, false) \
X(version_before, ser->version--, false) \
X(length_0, ser->length = 0, false) \
X(length_short, ser->length = sizeof(*ser) - 1, false) \
X(length_less, ser->length--, false) \
X(length_memory, ser->length = PAGE_SIZE, true) \
X(length_beyond, ser->length = PAGE_SIZE + 1, false) \
X(length_huge, ser->length = ~0u, false) \
X(flags_next, ser->flags |= 0x200, false) \
X(flags_high, ser->flags |= 1u << 31, false) \
X(not_frozen, ser->flags &= ~VFIO_PCI_SER_FROZEN, false) \
X(bridge, ser->hdr_type = 1, false) \
X(multifunction, ser->hdr_type = 0x80, false) \
X(cfg_size_0, ser->cfg_size = 0, false) \
X(cfg_size_more, ser->cfg_size++, false) \
X(cfg_size_huge, ser->cfg_size = 0xffff, false) \
X(cfg_size_exp, ser->cfg_size = PCI_CFG_SPACE_EXP_SIZE, false) \
X(vconfig_in_header, ser->vconfig_offset = sizeof(*ser) - 1, false) \
X(vconfig_0, ser->vconfig_offset = 0, false) \
X(vconfig_beyond, ser->vconfig_offset = ser->length - ser->cfg_size + 1, false) \
X(vconfig_end, ser->vconfig_offset = ser->length, false) \
X(vconfig_after, ser->vconfig_offset = ser->length + 1, false) \
X(vconfig_wraps, ser->vconfig_offset = -ser->cfg_size, false) \
X(map_in_header, ser->config_map_offset = sizeof(*ser) - 1, false) \
X(map_beyond, ser->config_map_offset++, false) \
X(map_wraps, ser->config_map_offset = ~0u, false) \
X(state_in_header, ser->saved_state_offset = sizeof(*ser) - 4, false) \
X(state_unaligned, ser->saved_state_offset++, false) \
X(state_beyond, ser->saved_state_length = ser->length - sizeof(*ser) + 1, false) \
X(state_huge, ser->saved_state_length = ~0u, false) \
X(state_wraps, ser->saved_state_offset = -4, false) \
X(reserved, ser->reserved[0] = 1, false) \
X(reserved_last, ser->reserved[11] = 1u << 31, false) \
X(requester_id, ser->rid = 0x10000, false) \
\
X(vendor, ser->vendor++, true) \
X(device, ser->device++, true) \
X(subsystem_vendor, ser->subsystem_vendor++, true) \
X(subsystem_device, ser->subsystem_device++, true) \
X(revision, ser->revision++, true) \
X(class, ser->class++, true) \
X(bar, ser->bars[0] = 0, true) \
X(bar_last, ser->bars[5] ^= 0x1000, true) \
X(state_empty, ser->saved_state_length = 0, true) \
X(state_short, ser->saved_state_length -= 4, true) \
X(state_of_another, ser->saved_state_offset = ser->vconfig_offset, true) \
X(map_header, map_of(ser)[63] = 0xff, true) \
X(map_other, map_of(ser)[0x42] = 0x11, true) \
X(map_more, map_of(ser)[0x90] = 0x05, true)

static u8 *map_of(struct vfio_pci_ser *ser)
{
	return (u8 *)ser + ser->config_map_offset;
}

#define ALTERED struct vfio_pci_ser *ser
DEFINE_ALTERATIONS(bool sound;);

/* The record is refused, or does not fit the device. */
static void test_alteration(void **state)
{
	const struct alteration *a = *state;
	struct vfio_pci_ser *ser = record_new(PCI_CFG_SPACE_SIZE);

	a->alter(ser);
	record_seal(ser);
	assert_int_equal(!!record_incoming(RECORD_PA), a->sound);
	/* That which reaches to the end of its memory is one of this device */
	if (strcmp(a->name, "length_memory"))
		assert_false(opens());
	else
		assert_true(opens());
	record_free();
}

/* What this kernel has learned to hide since, it must not show */
static void test_map_hides(void **state)
{
	struct vfio_pci_ser *ser = record_new(PCI_CFG_SPACE_SIZE);

	map_of(ser)[0x70] = PCI_CAP_ID_INVALID;
	record_seal(ser);
	assert_true(opens());
	record_free();
}

static void is_noticed(void *unused, unsigned char *byte)
{
	assert_null(record_incoming(RECORD_PA));
}

static void test_every_byte_flipped(void **state)
{
	struct vfio_pci_ser *ser = record_new(PCI_CFG_SPACE_SIZE);
	const struct bytes all = { ser, ser->length };

	assert_int_equal(bytes_flip_each(&all, 1, is_noticed, NULL), 3 * ser->length);
	assert_true(opens());
	record_free();
}

int main(void)
{
	static const struct CMUnitTest fixed[] = {
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_no_saved_state),
		cmocka_unit_test(test_address),
		cmocka_unit_test(test_map_hides),
		cmocka_unit_test(test_every_byte_flipped),
	};

	return RUN_TESTS_AND_TABLE("vfio-record", fixed, test_alteration, alterations);
}
