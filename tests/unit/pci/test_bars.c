// SPDX-License-Identifier: GPL-2.0
/*
 * Sizes of BARs without a write, and the MPS below a bridge that keeps its own, as
 * cut out of drivers/pci/liveupdate_bars.c by the Makefile. A model of a function
 * says what sizing by a write would have read.
 */
#include "test.h"
#include <linux/bits.h>
#include "shims.h"

#define ROM	0x30
#define ROUNDS	20000

struct pci_dev {
	u32 config[16];
	/* which bits a write of all ones leaves set, beside those that are constant */
	u32 writable[16];
	bool incoming, busy;
	struct pci_dev_ser record;
	struct pci_dev *above;
	int pcie_mpss, mps;
};

unsigned int kzalloc_fails;

#define PCI_BASE_ADDRESS_0		0x10
#define PCI_BASE_ADDRESS_SPACE		0x01
#define PCI_BASE_ADDRESS_SPACE_IO	0x01
#define PCI_BASE_ADDRESS_MEM_TYPE_MASK	0x06
#define PCI_BASE_ADDRESS_MEM_TYPE_64	0x04
#define PCI_BASE_ADDRESS_MEM_MASK	(~0x0fUL)
#define PCI_BASE_ADDRESS_IO_MASK	(~0x03UL)
#define PCI_ROM_ADDRESS_MASK		(~0x7ffU)

#define U32_MAX				0xffffffffu
#define upper_32_bits(n)		((u32)((n) >> 32))
#define lower_32_bits(n)		((u32)(n))
#define min(a, b)			((a) < (b) ? (a) : (b))
#define pci_info(dev, ...)		((void)(dev))
#define pci_warn(dev, ...)		((void)(dev))

static int pci_read_config_dword(struct pci_dev *dev, int where, u32 *value)
{
	*value = dev->config[where / 4];
	return 0;
}

static bool pci_liveupdate_record(struct pci_dev *dev, struct pci_dev_ser *record)
{
	*record = dev->record;
	return dev->incoming;
}

static struct pci_dev *pci_upstream_bridge(struct pci_dev *dev)
{
	return dev->above;
}

static bool pci_liveupdate_busy(struct pci_dev *dev)
{
	return dev->busy;
}

static int pcie_get_mps(struct pci_dev *dev)
{
	return dev->mps;
}

#include "cut/bars.h"

static unsigned int one_of(unsigned int from, unsigned int to)
{
	return from + random() % (to - from + 1);
}

static u64 random_address(unsigned int lg2, unsigned int bits)
{
	u64 address = ((u64)random() << 32 ^ (u64)random() << 8 ^ random()) & (bits == 64 ? ~0ULL : (1ULL << bits) - 1);

	address &= ~((1ULL << lg2) - 1);
	return address ?: 1ULL << lg2;
}

static void add_bar32(struct pci_dev *dev, unsigned int i, unsigned int lg2, u32 kind)
{
	dev->writable[4 + i] = ~((1u << lg2) - 1);
	dev->config[4 + i] = (u32)random_address(lg2, 32) | kind;
	dev->record.bar_lg2[i] = lg2;
}

static void add_bar64(struct pci_dev *dev, unsigned int i, unsigned int lg2, u32 kind)
{
	u64 mask = ~((1ULL << lg2) - 1), address = random_address(lg2, 64);

	dev->writable[4 + i] = mask;
	dev->writable[5 + i] = mask >> 32;
	dev->config[4 + i] = (u32)address | kind;
	dev->config[5 + i] = address >> 32;
	dev->record.bar_lg2[i] = lg2;
}

static struct pci_dev random_function(unsigned int nr_bars)
{
	struct pci_dev dev = { .incoming = true, .record.flags = PCI_DEV_SER_SIZES };

	for (unsigned int i = 0; i < nr_bars; i++) {
		u32 prefetch = random() % 2 * 8;

		switch (random() % 4) {
		case 0:
			add_bar32(&dev, i, one_of(2, 8), 1);
			break;
		case 1:
			add_bar32(&dev, i, one_of(4, 31), prefetch);
			break;
		case 2:
			if (i + 1 < nr_bars) {
				add_bar64(&dev, i, one_of(4, 62), 4 | prefetch);
				i++;
			}
			break;
		}
	}
	if (random() % 2) {
		unsigned int lg2 = one_of(11, 24);

		dev.writable[ROM / 4] = ~((1u << lg2) - 1);
		dev.config[ROM / 4] = random() % 2 ? (u32)random_address(lg2, 32) | random() % 2 : 0;
		dev.record.rom_lg2 = lg2;
	}
	return dev;
}

/* What the register reads after all ones: those address bits, and the constant ones */
static u32 sized(const struct pci_dev *dev, unsigned int i)
{
	u32 value = dev->config[4 + i];

	if (!dev->record.bar_lg2[i])
		return 0;
	return dev->writable[4 + i] | (value & (value & 1 ? 3 : 15));
}

static bool is_upper_half(const struct pci_dev *dev, unsigned int i)
{
	return i && dev->record.bar_lg2[i - 1] && (dev->config[3 + i] & 7) == 4;
}

static void test_as_sized_by_a_write(void **state)
{
	srandom(1);
	for (int round = 0; round < ROUNDS; round++) {
		unsigned int nr_bars = random() % 2 ? 6 : 2;
		struct pci_dev dev = random_function(nr_bars);
		u32 sizes[6], rom;

		memset(sizes, 0xff, sizeof(sizes));
		assert_true(pci_liveupdate_bar_sizes(&dev, nr_bars, sizes, ROM, &rom));
		for (unsigned int i = 0; i < nr_bars; i++)
			assert_int_equal(sizes[i], is_upper_half(&dev, i) ? dev.writable[4 + i] :
						   sized(&dev, i));
		assert_int_equal(rom, dev.writable[ROM / 4]);
		for (unsigned int i = nr_bars; i < 6; i++)
			assert_int_equal(sizes[i], U32_MAX);
	}
}

static bool sizes_are_taken(struct pci_dev *dev)
{
	u32 sizes[6], rom;

	return pci_liveupdate_bar_sizes(dev, 6, sizes, ROM, &rom);
}

/* The igb of the tests: 128 KiB, 128 KiB, 32 ports, 16 KiB of 64 bits, no ROM */
static struct pci_dev igb(void)
{
	struct pci_dev dev = { .incoming = true, .record.flags = PCI_DEV_SER_SIZES };

	dev.config[4] = 0xfe400000;
	dev.config[5] = 0xfe420000;
	dev.config[6] = 0xc001;
	dev.config[7] = 0xfe440004;
	dev.record.bar_lg2[0] = 17;
	dev.record.bar_lg2[1] = 17;
	dev.record.bar_lg2[2] = 5;
	dev.record.bar_lg2[3] = 14;
	return dev;
}

/* X(name, what is altered) */
#define ALTERATIONS(X) \
X(not_incoming, dev->incoming = false) \
X(not_recorded, dev->record.flags = PCI_DEV_SER_IO_WINDOW) \
X(lost_by_a_reset, dev->config[4] = 0) \
X(lost_io, dev->config[6] = 1) \
X(lost_64, dev->config[7] = 4) \
X(not_aligned, dev->config[5] |= 0x10000) \
X(not_aligned_io, dev->config[6] |= 0x10) \
X(larger, dev->record.bar_lg2[1] = 20) \
X(none_recorded, dev->record.bar_lg2[0] = 0) \
X(none_there, dev->record.bar_lg2[5] = 12) \
X(another_there, dev->config[9] = 0xfe500000) \
X(upper_half_recorded, dev->record.bar_lg2[4] = 12) \
X(type_32, dev->record.bar_lg2[3] = 32) \
X(huge_32, dev->record.bar_lg2[0] = 32) \
X(huge_io, dev->record.bar_lg2[2] = 40) \
X(last_is_64, (dev->config[9] = 0xfe500004, dev->record.bar_lg2[5] = 12)) \
X(rom_there, dev->config[12] = 0xfe600000) \
X(rom_not_aligned, (dev->config[12] = 0xfe600800, dev->record.rom_lg2 = 16)) \
X(rom_tiny, (dev->record.rom_lg2 = 31, dev->config[12] = 0xfe600000))

#define ALTERED struct pci_dev *dev
DEFINE_ALTERATIONS();

/* Registers that do not fit the record: the function is asked itself. */
static void test_alteration(void **state)
{
	const struct alteration *a = *state;
	struct pci_dev dev = igb();

	assert_true(sizes_are_taken(&dev));
	a->alter(&dev);
	assert_false(sizes_are_taken(&dev));
}

static void test_upper_half(void **state)
{
	struct pci_dev dev = igb();

	/* Above 4 GiB, and as large */
	dev.config[8] = 0x100;
	dev.config[7] = 0x0000000c;
	dev.record.bar_lg2[3] = 38;
	assert_true(sizes_are_taken(&dev));
	dev.config[8] = 0x101;
	assert_false(sizes_are_taken(&dev));
}

static void test_rom_that_is_off(void **state)
{
	struct pci_dev dev = igb();

	dev.record.rom_lg2 = 18;
	assert_true(sizes_are_taken(&dev));
	dev.config[12] = 0xfe640000;
	assert_true(sizes_are_taken(&dev));
}

/* MPS: root port - port - card, and a neighbour below either port */
static void test_mps_below(void **state)
{
	struct pci_dev root = { .mps = 256, .pcie_mpss = 2 };
	struct pci_dev port = { .mps = 512, .pcie_mpss = 2, .above = &root };
	struct pci_dev card = { .mps = 128, .pcie_mpss = 1, .above = &port };

	/* Nothing goes on: as the command line wants it */
	assert_int_equal(pci_liveupdate_mps_below(&root, 128), 128);
	assert_int_equal(pci_liveupdate_mps_below(&card, 512), 512);
	root.busy = true;
	/* That of the port above, not of the one that goes on */
	assert_int_equal(pci_liveupdate_mps_below(&port, 128), 256);
	assert_int_equal(pci_liveupdate_mps_below(&port, 512), 256);
	card.pcie_mpss = 2;
	assert_int_equal(pci_liveupdate_mps_below(&card, 128), 512);
	/* As far as it can */
	card.pcie_mpss = 0;
	assert_int_equal(pci_liveupdate_mps_below(&card, 512), 128);
}

int main(void)
{
	static const struct CMUnitTest fixed[] = {
		cmocka_unit_test(test_as_sized_by_a_write),
		cmocka_unit_test(test_upper_half),
		cmocka_unit_test(test_rom_that_is_off),
		cmocka_unit_test(test_mps_below),
	};

	return RUN_TESTS_AND_TABLE("pci-bars", fixed, test_alteration, alterations);
}
