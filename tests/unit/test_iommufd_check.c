// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of drivers/iommu/iommufd/liveupdate-check.c, and its fuzzer: the record is
 * damaged, sealed again or not, and what is accepted must be true by other code.
 * The memory is as large as KHO says, so that the address sanitizer sees every
 * byte that is read beyond it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <asm/page.h>
#include <linux/crc32.h>
#include <linux/types.h>
#include <linux/kho/abi/iommufd.h>
#include "iommufd/liveupdate-check.h"

#define NR_HWPTS	3
#define MAX_ORDER	10
#define FUZZ_RUNS	200000

static size_t record_size(u32 nr_hwpts)
{
	return sizeof(struct iommufd_ser) + (size_t)nr_hwpts * sizeof(struct iommufd_hwpt_ser);
}

static unsigned int order_of(size_t size)
{
	unsigned int order = 0;

	while (PAGE_SIZE << order < size)
		order++;
	return order;
}

static void seal(struct iommufd_ser *ser)
{
	ser->crc = 0;
	ser->crc = crc32_le(~0, ser, ser->length);
}

static struct iommufd_ser *record(u32 nr_hwpts)
{
	size_t size = record_size(nr_hwpts);
	struct iommufd_ser *ser = calloc(1, PAGE_SIZE << order_of(size));

	ser->version = IOMMUFD_SER_VERSION;
	ser->length = size;
	ser->nr_hwpts = nr_hwpts;
	for (u32 i = 0; i < nr_hwpts; i++) {
		ser->hwpts[i].token = i;
		ser->hwpts[i].domain_pa = 0x100000ull + i * 0x50;
	}
	seal(ser);
	return ser;
}

static void assert_refused(const struct iommufd_ser *ser, unsigned int order, const char *wanted)
{
	const char *reason = iommufd_ser_check(ser, order);

	assert_non_null(reason);
	assert_string_equal(reason, wanted);
}

/* None is possible, and as many as fit into what KHO can preserve at once. */
static void test_sizes(void **state)
{
	static const size_t page = PAGE_SIZE / sizeof(struct iommufd_hwpt_ser);
	const u32 counts[] = { 0, 1, page - 1, page, 2 * page - 1, 2 * page,
			       (page << MAX_ORDER) - 1 };

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		struct iommufd_ser *ser = record(counts[i]);
		unsigned int order = order_of(ser->length);

		assert_null(iommufd_ser_check(ser, order));
		/* The neighbours, of which the smaller one has to be refused unread */
		if (order < MAX_ORDER && !order)
			assert_refused(ser, order + 1, "length");
		if (order)
			assert_refused(ser, order - 1, "length");
		free(ser);
	}
}

static void test_fields(void **state)
{
	struct iommufd_ser *ser = record(NR_HWPTS);

	ser->version++;
	seal(ser);
	assert_refused(ser, 0, "version");
	ser->version--;

	ser->length--;
	assert_refused(ser, 0, "length");
	ser->length += 2;
	assert_refused(ser, 0, "length");
	ser->length--;

	/* Products that overflow 32 bits, with a length that is what is left */
	ser->nr_hwpts = 1u << 28;
	ser->length = sizeof(*ser);
	assert_refused(ser, 0, "length");
	ser->nr_hwpts = UINT32_MAX;
	ser->length = (u32)record_size(UINT32_MAX);
	assert_refused(ser, 0, "length");
	ser->nr_hwpts = NR_HWPTS;
	ser->length = record_size(NR_HWPTS);

	ser->hwpts[1].domain_pa = 0;
	seal(ser);
	assert_refused(ser, 0, "HWPT without page table");
	free(ser);
}

/* The version is looked at first, as lengths of other versions may differ. */
static void test_each_bit(void **state)
{
	struct iommufd_ser *ser = record(NR_HWPTS);
	unsigned char *bytes = (unsigned char *)ser;

	for (size_t bit = 0; bit < 8ul * record_size(NR_HWPTS); bit++) {
		bytes[bit / 8] ^= 1 << bit % 8;
		assert_non_null(iommufd_ser_check(ser, 0));
		bytes[bit / 8] ^= 1 << bit % 8;
	}
	assert_null(iommufd_ser_check(ser, 0));
	free(ser);
}

static u32 random_u32(void)
{
	static u64 state = 0x2545f4914f6cdd1dull;

	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * 0x2545f4914f6cdd1dull >> 32;
}

static void damage(struct iommufd_ser *ser)
{
	u32 *words = (u32 *)ser;
	u32 at = random_u32() % (record_size(NR_HWPTS) / sizeof(*words));

	switch (random_u32() % 4) {
	case 0:
		words[at] = random_u32();
		break;
	case 1:
		words[at] ^= 1u << random_u32() % 32;
		break;
	case 2:
		words[at] = random_u32() % 300;
		break;
	default:
		/* Consistent, and perhaps too large for its memory */
		ser->nr_hwpts = random_u32() % 600;
		ser->length = record_size(ser->nr_hwpts);
		for (u32 i = 0; i < ser->nr_hwpts && record_size(i + 1) <= PAGE_SIZE; i++)
			ser->hwpts[i].domain_pa = random_u32() % 1000;
	}
}

static void test_fuzz(void **state)
{
	unsigned int accepted = 0;

	for (int run = 0; run < FUZZ_RUNS; run++) {
		struct iommufd_ser *ser = record(NR_HWPTS);

		for (u32 edits = 1 + random_u32() % 3; edits; edits--)
			damage(ser);
		if (random_u32() % 8 && ser->length >= sizeof(*ser) && ser->length <= PAGE_SIZE)
			seal(ser);
		if (!iommufd_ser_check(ser, 0)) {
			accepted++;
			assert_int_equal(ser->version, IOMMUFD_SER_VERSION);
			assert_true(record_size(ser->nr_hwpts) <= PAGE_SIZE);
			for (u32 i = 0; i < ser->nr_hwpts; i++)
				assert_true(ser->hwpts[i].domain_pa);
		}
		free(ser);
	}
	/* Neither all nor none: the edits are worth something */
	assert_in_range(accepted, 1, FUZZ_RUNS / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_each_bit),
		cmocka_unit_test(test_fuzz),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
