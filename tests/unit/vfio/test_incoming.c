// SPDX-License-Identifier: GPL-2.0
/*
 * What the next kernel makes of the record of a vfio-pci device, as cut out of
 * drivers/vfio/pci by the Makefile: each field wrong in turn, each difference of the
 * device, and what an open that fails leaves behind.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <asm/page.h>
#include <linux/crc32.h>
#include <linux/kho/abi/vfio_pci.h>
#include <linux/string.h>
#include <linux/types.h>

#define RECORD_PA	0x40000000ull
#define STATE_LENGTH	80
#define ROM		0xfe700000
#define CONFIG		256
#define CONFIG_EXTENDED	4096

#define PCI_CFG_SPACE_SIZE	256
#define PCI_CFG_SPACE_EXP_SIZE	4096
#define PCI_STD_HEADER_SIZEOF	64
#define PCI_CAP_ID_INVALID	0xff
#define PCI_HEADER_TYPE_NORMAL	0
#define PCI_VENDOR_ID		0
#define PCI_COMMAND		4
#define PCI_COMMAND_MASTER	4
#define PCI_BASE_ADDRESS_0	0x10
#define PCI_ROM_ADDRESS		0x30
#define U16_MAX			0xffff
#define VFIO_PCI_SER_FLAGS	0x1ffu

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))
#define IS_ALIGNED(x, a)	(!((x) & ((a) - 1)))
#define ERR_PTR(err)		((void *)(long)(err))
#define PTR_ERR(ptr)		((long)(ptr))
#define IS_ERR(ptr)		((unsigned long)(ptr) >= -4095UL)
#define lockdep_assert_held(lock)	((void)(lock))
#define kfree			free

struct pci_dev {
	u16 vendor, device, subsystem_vendor, subsystem_device;
	u8 revision, hdr_type;
	u32 class, cfg_size;
	/* what the device itself says */
	u32 id, bars[6];
	u16 command;
	bool incoming;
	int enabled;
};

struct mutex { };

struct vfio_device_set {
	struct mutex lock;
};

struct vfio_device {
	struct vfio_device_set *dev_set;
};

struct vfio_pci_core_device {
	struct vfio_device vdev;
	struct pci_dev *pdev;
	const struct vfio_pci_ser *liveupdate_ser;
	void *pci_saved_state;
	u8 *pci_config_map, *vconfig;
	u32 rbar[7];
	bool reset_works, nointx, pci_2_3, bardirty, virq_disabled, needs_reset;
};

/* What is asked of the rest of the kernel, and what is to fail there. */
static struct {
	unsigned int order;
	bool preserved;
	int enable_error, state_error, config_error;
	bool state_was_recorded;
	char said[128];
} kernel;

static union {
	struct vfio_pci_ser ser;
	u8 bytes[VFIO_PCI_SER_MAX_LENGTH];
} memory;
static struct pci_dev card;
static struct vfio_pci_core_device vdev;
static struct vfio_device_set set;
static u8 map[CONFIG_EXTENDED], vconfig[CONFIG_EXTENDED];

#define vfio_pci_ser_say(level, ser, ...)	\
	snprintf(kernel.said, sizeof(kernel.said), __VA_ARGS__)
#define vfio_pci_ser_refuse	vfio_pci_ser_say
#define vfio_pci_liveupdate_say(vdev, ...)	say_error(__VA_ARGS__, NULL)

/* With an error as the kernel prints it. */
static void say_error(const char *format, ...)
{
	snprintf(kernel.said, sizeof(kernel.said), "%.100s", format);
}

static bool kho_is_preserved(u64 pa, unsigned int order)
{
	return kernel.preserved && pa == RECORD_PA && order == kernel.order;
}

static const void *phys_to_virt(u64 pa)
{
	assert_int_equal(pa, RECORD_PA);
	return &memory;
}

static unsigned int get_order(size_t size)
{
	unsigned int order = 0;

	while (PAGE_SIZE << order < size)
		order++;
	return order;
}

static int pci_read_config_dword(struct pci_dev *dev, int where, u32 *value)
{
	if (where == PCI_VENDOR_ID)
		*value = dev->id;
	else if (where == PCI_ROM_ADDRESS)
		*value = ROM;
	else
		*value = dev->bars[(where - PCI_BASE_ADDRESS_0) / 4];
	return 0;
}

static int pci_read_config_word(struct pci_dev *dev, int where, u16 *value)
{
	assert_int_equal(where, PCI_COMMAND);
	*value = dev->command;
	return 0;
}

static bool pci_liveupdate_incoming(struct pci_dev *dev)
{
	return dev->incoming;
}

static int pci_enable_device(struct pci_dev *dev)
{
	if (!kernel.enable_error)
		dev->enabled++;
	return kernel.enable_error;
}

static void pci_disable_device(struct pci_dev *dev)
{
	dev->enabled--;
}

static int vfio_config_init(struct vfio_pci_core_device *vdev)
{
	if (kernel.config_error)
		return kernel.config_error;
	vdev->pci_config_map = map;
	vdev->vconfig = vconfig;
	return 0;
}

static void vfio_config_free(struct vfio_pci_core_device *vdev)
{
	vdev->pci_config_map = NULL;
	vdev->vconfig = NULL;
}

struct pci_saved_state_ser;
struct pci_saved_state;

static struct pci_saved_state *pci_liveupdate_saved_state(struct pci_dev *dev,
							  const struct pci_saved_state_ser *ser,
							  size_t len)
{
	if (kernel.state_error)
		return ERR_PTR(kernel.state_error);
	kernel.state_was_recorded = ser;
	return malloc(1);
}

static bool vfio_pci_retrieved(struct vfio_pci_core_device *vdev)
{
	return vdev->liveupdate_ser;
}

#include "cut/incoming.h"

static void seal(void)
{
	memory.ser.crc = vfio_pci_ser_crc(&memory.ser);
}

static void make_record(u32 cfg_size)
{
	memset(&memory, 0, sizeof(memory));
	memory.ser = (struct vfio_pci_ser){
		.version = VFIO_PCI_SER_VERSION,
		.length = sizeof(memory.ser) + STATE_LENGTH + 2 * cfg_size,
		.flags = VFIO_PCI_SER_FLAGS,
		.vendor = 0x8086, .device = 0x10c9, .subsystem_vendor = 0x1af4,
		.subsystem_device = 0x1100, .revision = 1, .class = 0x020000,
		.cfg_size = cfg_size,
		.bars = { 0xfe600000, 0, 0xe001 },
		.saved_state_offset = sizeof(memory.ser),
		.saved_state_length = STATE_LENGTH,
		.vconfig_offset = sizeof(memory.ser) + STATE_LENGTH,
		.config_map_offset = sizeof(memory.ser) + STATE_LENGTH + cfg_size,
	};
	memset(&memory.bytes[memory.ser.vconfig_offset], 0x11, cfg_size);
	memset(&memory.bytes[memory.ser.config_map_offset], 0x05, cfg_size);
	seal();
}

static int set_up(void **state)
{
	memset(&kernel, 0, sizeof(kernel));
	kernel.preserved = true;
	make_record(CONFIG);
	card = (struct pci_dev){
		.vendor = 0x8086, .device = 0x10c9, .subsystem_vendor = 0x1af4,
		.subsystem_device = 0x1100, .revision = 1, .class = 0x020000,
		.cfg_size = CONFIG, .id = 0x10c98086, .bars = { 0xfe600000, 0, 0xe001 },
		.command = PCI_COMMAND_MASTER, .incoming = true,
	};
	vdev = (struct vfio_pci_core_device){
		.vdev.dev_set = &set,
		.pdev = &card,
		.liveupdate_ser = &memory.ser,
	};
	memset(map, 0x05, sizeof(map));
	return 0;
}

static bool is_taken(void)
{
	return vfio_pci_ser_incoming(RECORD_PA);
}

/* One page, or more; what is longer than the memory that was preserved is not read. */
static void test_sizes(void **state)
{
	assert_true(is_taken());
	make_record(CONFIG_EXTENDED);
	assert_false(is_taken());
	kernel.order = 1;
	assert_false(is_taken());
	kernel.order = 2;
	assert_true(is_taken());
	kernel.order = get_order(VFIO_PCI_SER_MAX_LENGTH);
	assert_true(is_taken());
	kernel.order++;
	assert_false(is_taken());
}

static void test_address(void **state)
{
	assert_null(vfio_pci_ser_incoming(0));
	assert_null(vfio_pci_ser_incoming(RECORD_PA + 8));
	kernel.preserved = false;
	assert_false(is_taken());
}

#define WRONGS(X)							\
X(version, ser->version++)						\
X(shorter, ser->length = sizeof(*ser) - 1)				\
X(longer, ser->length = PAGE_SIZE + 1)					\
X(reserved, ser->reserved[0] = 1)					\
X(reserved_last, ser->reserved[11] = 1u << 31)				\
X(requester_id, ser->rid = 0x10000)					\
X(flag, ser->flags |= VFIO_PCI_SER_FLAGS + 1)				\
X(not_frozen, ser->flags &= ~VFIO_PCI_SER_FROZEN)			\
X(bridge, ser->hdr_type = 1)						\
X(config_size, ser->cfg_size = CONFIG - 4)				\
X(config_in_front, ser->vconfig_offset = 0)				\
X(config_behind, ser->vconfig_offset = ser->length - CONFIG + 1)	\
X(config_far, ser->vconfig_offset = ~0u)				\
X(map_in_front, ser->config_map_offset = sizeof(*ser) - 1)		\
X(map_behind, ser->config_map_offset = ser->length)			\
X(state_odd, ser->saved_state_offset += 2)				\
X(state_in_front, ser->saved_state_offset = 4)				\
X(state_long, ser->saved_state_length = ser->length)

#define WRONG_FUNCTION(name, what) \
static void make_##name(struct vfio_pci_ser *ser) { what; }
WRONGS(WRONG_FUNCTION)

static const struct wrong {
	const char *name;
	void (*make)(struct vfio_pci_ser *ser);
} wrongs[] = {
#define WRONG_ENTRY(name, what) { #name, make_##name },
	WRONGS(WRONG_ENTRY)
};

/* With a checksum that is right, as far as one can be made. */
static void test_wrong(void **state)
{
	const struct wrong *wrong = *state;

	set_up(NULL);
	wrong->make(&memory.ser);
	if (memory.ser.length >= sizeof(memory.ser))
		seal();
	assert_false(is_taken());
}

static void test_no_state(void **state)
{
	memory.ser.flags &= ~VFIO_PCI_SER_SAVED_STATE;
	memory.ser.saved_state_length = ~0u;
	seal();
	assert_true(is_taken());
}

static void test_each_byte(void **state)
{
	for (u32 i = 0; i < memory.ser.length; i++) {
		memory.bytes[i] ^= 0x10;
		assert_false(is_taken());
		memory.bytes[i] ^= 0x10;
	}
	assert_true(is_taken());
}

static void expect_identified(int error, const char *word)
{
	kernel.said[0] = '\0';
	assert_int_equal(vfio_pci_liveupdate_identify(&memory.ser, &card), error);
	assert_non_null(strstr(kernel.said, word));
}

#define DIFFERENCES(X)							\
X(id, card.id = ~0u)							\
X(vendor, card.vendor++)						\
X(device, card.device++)						\
X(subsystem_vendor, card.subsystem_vendor++)				\
X(subsystem_device, card.subsystem_device++)				\
X(revision, card.revision++)						\
X(header, card.hdr_type++)						\
X(class, card.class++)							\
X(config, card.cfg_size++)

static void test_another_device(void **state)
{
#define DIFFERENCE(name, what)						\
	set_up(NULL);							\
	what;								\
	expect_identified(-ENODEV, "another device");
	DIFFERENCES(DIFFERENCE)
}

static void test_identify(void **state)
{
	expect_identified(0, "");
	assert_int_equal(kernel.said[0], 0);
	card.incoming = false;
	expect_identified(-EIO, "has not gone on");
	card.incoming = true;
	for (int i = 0; i < 6; i++) {
		card.bars[i] ^= 0x10000;
		expect_identified(-EIO, "BARs have moved");
		card.bars[i] ^= 0x10000;
	}
	/* Its owner may have done that; it is said, and no reason to refuse. */
	card.command = 0;
	expect_identified(0, "bus mastering has gone off");
}

static void test_open(void **state)
{
	assert_int_equal(vfio_pci_liveupdate_enable(&vdev), 0);
	assert_int_equal(card.enabled, 1);
	assert_true(kernel.state_was_recorded);
	assert_true(vdev.reset_works && vdev.nointx && vdev.pci_2_3);
	assert_true(vdev.bardirty && vdev.virq_disabled);
	assert_int_equal(vdev.vconfig[CONFIG - 1], 0x11);
	assert_memory_equal(vdev.rbar, card.bars, sizeof(card.bars));
	assert_int_equal(vdev.rbar[6], ROM);
	vdev.needs_reset = true;
	assert_true(vfio_pci_liveupdate_disable(&vdev));
	assert_int_equal(card.enabled, 0);
	assert_null(vdev.pci_saved_state);
	assert_false(vdev.needs_reset);
	/* Closed by its owner after FINISH: as any other */
	vdev.liveupdate_ser = NULL;
	assert_false(vfio_pci_liveupdate_disable(&vdev));
}

static void test_open_without_state(void **state)
{
	memory.ser.flags = VFIO_PCI_SER_FROZEN;
	assert_int_equal(vfio_pci_liveupdate_enable(&vdev), 0);
	assert_false(kernel.state_was_recorded);
	assert_false(vdev.reset_works || vdev.nointx || vdev.pci_2_3);
	assert_true(vfio_pci_liveupdate_disable(&vdev));
}

/* The device is as it was. */
static void expect_not_opened(int error)
{
	assert_int_equal(vfio_pci_liveupdate_enable(&vdev), error);
	assert_int_equal(card.enabled, 0);
	assert_null(vdev.pci_saved_state);
	assert_null(vdev.vconfig);
}

static void test_open_fails(void **state)
{
	kernel.enable_error = -EINVAL;
	expect_not_opened(-EINVAL);
	kernel.enable_error = 0;
	kernel.state_error = -ENOMEM;
	expect_not_opened(-ENOMEM);
	kernel.state_error = 0;
	kernel.config_error = -ENOMEM;
	expect_not_opened(-ENOMEM);
	kernel.config_error = 0;

	/* The header has its rules whatever is recorded; a capability may be hidden. */
	map[0] ^= 1;
	expect_not_opened(-EINVAL);
	map[0] ^= 1;
	memory.bytes[memory.ser.config_map_offset + 4] = PCI_CAP_ID_INVALID;
	expect_not_opened(-EINVAL);
	memory.bytes[memory.ser.config_map_offset + 4] = 0x05;
	map[PCI_STD_HEADER_SIZEOF] = 0x10;
	expect_not_opened(-EINVAL);
	memory.bytes[memory.ser.config_map_offset + PCI_STD_HEADER_SIZEOF] = PCI_CAP_ID_INVALID;
	assert_int_equal(vfio_pci_liveupdate_enable(&vdev), 0);
	assert_true(vfio_pci_liveupdate_disable(&vdev));
}

int main(void)
{
	static const struct CMUnitTest fixed[] = {
		cmocka_unit_test_setup(test_sizes, set_up),
		cmocka_unit_test_setup(test_address, set_up),
		cmocka_unit_test_setup(test_no_state, set_up),
		cmocka_unit_test_setup(test_each_byte, set_up),
		cmocka_unit_test_setup(test_another_device, set_up),
		cmocka_unit_test_setup(test_identify, set_up),
		cmocka_unit_test_setup(test_open, set_up),
		cmocka_unit_test_setup(test_open_without_state, set_up),
		cmocka_unit_test_setup(test_open_fails, set_up),
	};
	static struct CMUnitTest all[ARRAY_SIZE(fixed) + ARRAY_SIZE(wrongs)];

	memcpy(all, fixed, sizeof(fixed));
	for (size_t i = 0; i < ARRAY_SIZE(wrongs); i++)
		all[ARRAY_SIZE(fixed) + i] = (struct CMUnitTest){
			.name = wrongs[i].name,
			.test_func = test_wrong,
			.initial_state = (void *)&wrongs[i],
		};
	return _cmocka_run_group_tests("vfio-record", all, ARRAY_SIZE(all), NULL, NULL);
}
