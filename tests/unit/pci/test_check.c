// SPDX-License-Identifier: GPL-2.0
/* Tests of drivers/pci/liveupdate_check.c */
#include "test.h"
#include "image.h"

#define PER_BLOCK	72
#define LONGEST		10000	/* blocks */

static const char *golden_path;

static void print_standard(FILE *file)
{
	struct standard s = image_standard();

	image_print(s.image, file);
	image_free(s.image);
}

/* The bytes of the standard records are those of every kernel before. */
static void test_golden(void **state)
{
	struct standard s;

	assert_golden(golden_path, print_standard);
	s = image_standard();
	assert_int_equal(image_check(s.image), 0);
	assert_int_equal(pci_liveupdate_crc(s.ser, &image_mem), s.ser->crc);
	image_free(s.image);
}

/* What the last unpreserve leaves before its FLB goes */
static void test_empty(void **state)
{
	struct image *image = image_new();

	image_seal(image);
	assert_int_equal(image_check(image), 0);
	image_free(image);
}

/* A full chain is accepted, in bearable time, and one record more is not. */
static void test_longest(void **state)
{
	struct image *image = image_new();

	for (unsigned int i = 0; i < LONGEST; i++) {
		image_block(image);
		for (unsigned int j = 0; j < PER_BLOCK; j++)
			image_record(image, i, j, 1);
	}
	image_seal(image);
	assert_int_equal(image_check(image), 0);
	image_block(image);
	image_record(image, LONGEST, 0, 1);
	image_seal(image);
	assert_int_equal(image_check(image), -EINVAL);
	image_free(image);
}

static void test_top(void **state)
{
	const u64 wrong[] = { 0, 0x1000, 8, 1, ~0ULL, ~0xfffULL, BAD_PA, IMAGE_BASE - PAGE_SIZE };
	struct standard s = image_standard();

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_int_equal(pci_liveupdate_check(wrong[i], &image_mem), -EFAULT);
	assert_int_equal(pci_liveupdate_check(s.image->ser_pa + 8, &image_mem), -EFAULT);
	assert_int_equal(s.image->maps, 0);
	image_free(s.image);
}

/* Chains that bite their tail end, however many records are promised. */
static void test_circles(void **state)
{
	const u32 promised[] = { 5, 6, 8, 100, 10000 * PER_BLOCK };

	for (size_t i = 0; i < ARRAY_SIZE(promised); i++) {
		for (int where = 0; where < 3; where++) {
			struct standard s = image_standard();

			s.ser->nr_devices = promised[i];
			if (where == 0)
				s.first->next = s.ser->devices_pa;
			else
				s.second->next = where == 1 ? s.ser->devices_pa : s.first->next;
			image_seal(s.image);
			assert_int_equal(image_check(s.image), -EINVAL);
			assert_true(s.image->maps <= promised[i] + 2);
			image_free(s.image);
		}
	}
}

/* The records and the top object are read as blocks. */
static void test_circle_over_top(void **state)
{
	struct standard s = image_standard();

	s.second->next = s.image->ser_pa;
	image_seal(s.image);
	assert_int_equal(image_check(s.image), -EINVAL);
	image_free(s.image);
}

/* X(name, what is altered in the standard records, errno) */
#define ALTERATIONS(X) \
X(version_next, s->ser->version++, -EPROTONOSUPPORT) \
X(version_before, s->ser->version--, -EPROTONOSUPPORT) \
X(length_more, s->ser->length += 8, -EPROTONOSUPPORT) \
X(length_less, s->ser->length = 0, -EPROTONOSUPPORT) \
X(nr_more, s->ser->nr_devices++, -EINVAL) \
X(nr_less, s->ser->nr_devices--, -EINVAL) \
X(nr_none, s->ser->nr_devices = 0, -EINVAL) \
X(nr_huge, s->ser->nr_devices = ~0u, -EINVAL) \
X(devices_none, s->ser->devices_pa = 0, -EINVAL) \
X(devices_stray, s->ser->devices_pa = BAD_PA, -EFAULT) \
X(devices_unaligned, s->ser->devices_pa += 8, -EFAULT) \
X(devices_low, s->ser->devices_pa = PAGE_SIZE, -EFAULT) \
X(devices_high, s->ser->devices_pa = ~0xfffULL, -EFAULT) \
X(devices_second, s->ser->devices_pa = s->first->next, -EINVAL) \
X(next_stray, s->second->next = BAD_PA, -EFAULT) \
X(next_unaligned, s->first->next |= 16, -EFAULT) \
X(next_high, s->first->next = ~0xfffULL, -EFAULT) \
X(next_none, s->first->next = 0, -EINVAL) \
X(count_0, s->first->count = 0, -EINVAL) \
X(count_last_0, (s->second->count = 0, s->ser->nr_devices -= 2), -EINVAL) \
X(count_less, s->first->count--, -EINVAL) \
X(count_more, s->second->count++, -EINVAL) \
X(count_capacity, (s->first->count = PER_BLOCK + 1, s->ser->nr_devices = PER_BLOCK + 3), -EINVAL) \
X(count_huge, (s->second->count = ~0ULL, s->ser->nr_devices = 1000), -EINVAL) \
X(count_wraps, (s->second->count = 1ULL << 60, s->ser->nr_devices = 1000), -EINVAL) \
X(reserved, s->other->reserved = 0x80, -EINVAL) \
X(reserved2, s->nic->reserved2[0] = 1, -EINVAL) \
X(reserved2_high, s->nic->reserved2[7] = 1u << 31, -EINVAL) \
X(rid_huge, s->nic->rid |= 0x10000, -EINVAL) \
X(flags_next, s->port->flags |= PCI_DEV_SER_FLAGS + 1, -EINVAL) \
X(flags_high, s->port->flags |= 1u << 31, -EINVAL) \
X(bar_huge, s->nic->bar_lg2[5] = 64, -EINVAL) \
X(bar_max, s->nic->bar_lg2[0] = 0xff, -EINVAL) \
X(rom_huge, s->nic->rom_lg2 = 32, -EINVAL) \
X(bar_alone, s->root->bar_lg2[1] = 12, -EINVAL) \
X(rom_alone, s->root->rom_lg2 = 12, -EINVAL) \
X(sizes_gone, s->nic->flags = 0, -EINVAL) \
X(no_count, s->nic->refcount = 0, -EINVAL) \
X(no_count_bridge, s->root->refcount = 0, -EINVAL) \
X(given_up_segment, s->given_up->segment = 1, -EINVAL) \
X(given_up_rid, s->given_up->rid = 0x0100, -EINVAL) \
X(given_up_flags, s->given_up->flags = PCI_DEV_SER_IO_WINDOW, -EINVAL) \
X(given_up_reserved, s->given_up->reserved = 1, -EINVAL) \
X(given_up_bar, s->given_up->bar_lg2[3] = 12, -EINVAL) \
X(given_up_rom, s->given_up->rom_lg2 = 16, -EINVAL) \
X(given_up_reserved2, s->given_up->reserved2[7] = 1, -EINVAL)

#define ALTERED struct standard *s
DEFINE_ALTERATIONS(int err;);

/* One wrong field is refused, for the right reason, under a right checksum ... */
static void test_alteration(void **state)
{
	const struct alteration *a = *state;
	struct standard s = image_standard();

	a->alter(&s);
	image_seal(s.image);
	assert_int_equal(image_check(s.image), a->err);
	image_free(s.image);
}

/* ... and under the one that was right before. */
static void test_alterations_unsealed(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(alterations); i++) {
		struct standard s = image_standard();

		alterations[i].alter(&s);
		if (!image_check(s.image))
			fail_msg("%s is accepted", alterations[i].name);
		image_free(s.image);
	}
}

/* What a neighbour of the limits looks like is accepted. */
static void test_limits(void **state)
{
	struct standard s = image_standard();

	s.nic->bar_lg2[5] = 63;
	s.nic->rom_lg2 = 31;
	s.nic->refcount = ~0u;
	s.root->flags = PCI_DEV_SER_FLAGS;
	s.other->segment = ~0u;
	image_seal(s.image);
	assert_int_equal(image_check(s.image), 0);
	image_free(s.image);
}

static void is_noticed(void *arg, unsigned char *byte)
{
	struct standard *s = arg;

	if (!image_check(s->image))
		fail_msg("%02x is not noticed", *byte);
}

static void test_every_byte_flipped(void **state)
{
	struct standard s = image_standard();
	struct bytes areas[STANDARD_AREAS];

	standard_areas(&s, areas);
	assert_int_equal(bytes_flip_each(areas, STANDARD_AREAS, is_noticed, &s),
			 3 * (24 + 2 * 16 + 5 * 56));
	assert_int_equal(image_check(s.image), 0);
	image_free(s.image);
}

#define IN(record, field, byte) \
	((byte) >= (unsigned char *)&(record)->field && \
	 (byte) < (unsigned char *)&(record)->field + sizeof((record)->field))

/* Of which another value can be true as well */
static bool is_free(struct pci_dev_ser *record, unsigned char *byte)
{
	return IN(record, segment, byte) || IN(record, rid, byte) || IN(record, refcount, byte) ||
	       IN(record, flags, byte) || IN(record, bar_lg2, byte) || IN(record, rom_lg2, byte);
}

static bool may_pass(struct standard *s, unsigned char *byte)
{
	return is_free(s->nic, byte) || is_free(s->port, byte) || is_free(s->root, byte) ||
	       is_free(s->other, byte) || IN(s->given_up, refcount, byte);
}

struct sealed {
	struct standard standard;
	unsigned long refused;
};

static void is_noticed_sealed(void *arg, unsigned char *byte)
{
	struct sealed *sealed = arg;
	struct standard *s = &sealed->standard;

	/* There is no wrong checksum under a right one. */
	if (IN(s->ser, crc, byte))
		return;
	image_seal(s->image);
	if (image_check(s->image))
		sealed->refused++;
	else if (!may_pass(s, byte))
		fail_msg("a sealed %02x is not noticed", *byte);
}

static void test_every_byte_flipped_sealed(void **state)
{
	struct sealed sealed = { .standard = image_standard() };
	struct image *image = sealed.standard.image;
	struct bytes areas[STANDARD_AREAS];

	standard_areas(&sealed.standard, areas);
	bytes_flip_each(areas, STANDARD_AREAS, is_noticed_sealed, &sealed);
	assert_true(sealed.refused > 3 * (20 + 2 * 16 + 24));
	image_seal(image);
	assert_int_equal(image_check(image), 0);
	image_free(image);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest fixed[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_longest),
		cmocka_unit_test(test_top),
		cmocka_unit_test(test_circles),
		cmocka_unit_test(test_circle_over_top),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_alterations_unsealed),
		cmocka_unit_test(test_every_byte_flipped),
		cmocka_unit_test(test_every_byte_flipped_sealed),
	};

	golden_path = golden_path_of(argc, argv, "golden/pci-v1.txt", print_standard);
	return RUN_TESTS_AND_TABLE("pci-check", fixed, test_alteration, alterations);
}
