// SPDX-License-Identifier: GPL-2.0
/* Tests of drivers/pci/liveupdate_check.c */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "image.h"

#define PER_BLOCK	170
#define LONGEST		10000	/* blocks */

static const char *golden_path = "golden/pci-v1.txt";

/* The bytes of the standard records are those of every kernel before. */
static void test_golden(void **state)
{
	struct standard s = image_standard();
	char *now, *before;
	size_t len, got;
	FILE *file;

	file = open_memstream(&now, &len);
	image_print(s.image, file);
	fclose(file);

	file = fopen(golden_path, "r");
	if (!file)
		fail_msg("cannot open %s", golden_path);
	before = calloc(1, len + 2);
	got = fread(before, 1, len + 1, file);
	fclose(file);
	assert_int_equal(got, len);
	assert_string_equal(before, now);
	free(before);
	free(now);
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

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(pci_liveupdate_check(wrong[i], &image_mem), -EFAULT);
	assert_int_equal(pci_liveupdate_check(s.image->ser_pa + 8, &image_mem), -EFAULT);
	assert_int_equal(s.image->maps, 0);
	image_free(s.image);
}

/* Chains that bite their tail end, however many records are promised. */
static void test_circles(void **state)
{
	const u32 promised[] = { 5, 6, 8, 100, 10000 * PER_BLOCK };

	for (size_t i = 0; i < sizeof(promised) / sizeof(promised[0]); i++) {
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
X(reserved, s->nic->reserved = 1, -EINVAL) \
X(reserved_high, s->nic->reserved = 1u << 31, -EINVAL) \
X(reserved2, s->other->reserved2 = 0x80, -EINVAL) \
X(flags_next, s->port->flags |= PCI_DEV_SER_FLAGS + 1, -EINVAL) \
X(flags_high, s->port->flags |= 0x8000, -EINVAL) \
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
X(given_up_reserved2, s->given_up->reserved2 = 1, -EINVAL)

#define ALTER_FUNCTION(name, what, err) \
static void alter_##name(struct standard *s) { what; }
ALTERATIONS(ALTER_FUNCTION)

struct alteration {
	const char *name;
	void (*alter)(struct standard *s);
	int err;
};

#define ALTER_ENTRY(name, what, err) { #name, alter_##name, err },
static const struct alteration alterations[] = { ALTERATIONS(ALTER_ENTRY) };
#define NR_ALTERATIONS (sizeof(alterations) / sizeof(alterations[0]))

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
	for (size_t i = 0; i < NR_ALTERATIONS; i++) {
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

typedef void (*byte_fn)(struct standard *s, unsigned char *byte, unsigned long *nr);

static void for_each_byte(struct standard *s, byte_fn fn, unsigned long *nr)
{
	struct {
		void *start;
		size_t len;
	} areas[] = {
		{ s->ser, sizeof(*s->ser) },
		{ s->first, sizeof(*s->first) + 3 * sizeof(struct pci_dev_ser) },
		{ s->second, sizeof(*s->second) + 2 * sizeof(struct pci_dev_ser) },
	};

	for (size_t i = 0; i < sizeof(areas) / sizeof(areas[0]); i++)
		for (size_t j = 0; j < areas[i].len; j++)
			fn(s, (unsigned char *)areas[i].start + j, nr);
}

static const unsigned char masks[] = { 0x01, 0x80, 0xff };

static void flip(struct standard *s, unsigned char *byte, unsigned long *nr)
{
	for (size_t i = 0; i < sizeof(masks); i++, ++*nr) {
		*byte ^= masks[i];
		if (!image_check(s->image))
			fail_msg("flipping %02x after %lu is not noticed", masks[i], *nr);
		*byte ^= masks[i];
	}
}

static void test_every_byte_flipped(void **state)
{
	struct standard s = image_standard();
	unsigned long nr = 0;

	for_each_byte(&s, flip, &nr);
	assert_int_equal(nr, 3 * (24 + 2 * 16 + 5 * 24));
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

static void flip_sealed(struct standard *s, unsigned char *byte, unsigned long *nr)
{
	struct pci_dev_ser *records[] = { s->nic, s->port, s->root, s->other };
	bool may_pass = IN(s->given_up, refcount, byte);

	/* There is no wrong checksum under a right one. */
	if (IN(s->ser, crc, byte))
		return;
	for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++)
		may_pass |= is_free(records[i], byte);
	for (size_t i = 0; i < sizeof(masks); i++) {
		*byte ^= masks[i];
		image_seal(s->image);
		if (image_check(s->image))
			++*nr;
		else if (!may_pass)
			fail_msg("a sealed %02x is not noticed", masks[i]);
		*byte ^= masks[i];
	}
	image_seal(s->image);
}

static void test_every_byte_flipped_sealed(void **state)
{
	struct standard s = image_standard();
	unsigned long refused = 0;

	for_each_byte(&s, flip_sealed, &refused);
	assert_true(refused > 3 * (20 + 2 * 16 + 24));
	assert_int_equal(image_check(s.image), 0);
	image_free(s.image);
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
	static struct CMUnitTest all[sizeof(fixed) / sizeof(fixed[0]) + NR_ALTERATIONS];
	size_t nr = sizeof(fixed) / sizeof(fixed[0]);

	if (argc > 1 && !strcmp(argv[1], "--print-golden")) {
		struct standard s = image_standard();

		image_print(s.image, stdout);
		image_free(s.image);
		return 0;
	}
	if (argc > 1)
		golden_path = argv[1];

	memcpy(all, fixed, sizeof(fixed));
	for (size_t i = 0; i < NR_ALTERATIONS; i++)
		all[nr + i] = (struct CMUnitTest){
			.name = alterations[i].name,
			.test_func = test_alteration,
			.initial_state = (void *)&alterations[i],
		};
	return _cmocka_run_group_tests("pci-check", all, nr + NR_ALTERATIONS, NULL, NULL);
}
