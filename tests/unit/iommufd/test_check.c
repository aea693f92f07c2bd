// SPDX-License-Identifier: GPL-2.0
/* Tests of drivers/iommu/iommufd/liveupdate-check.c */
#include "test.h"
#include "record.h"

#define NR_HWPTS	3
#define MAX_ORDER	10

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

	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		struct iommufd_ser *ser = record_new(counts[i]);
		unsigned int order = record_order(ser->length);

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
	struct iommufd_ser *ser = record_new(NR_HWPTS);

	ser->version++;
	record_seal(ser);
	assert_refused(ser, 0, "version");
	ser->version--;

	ser->length--;
	assert_refused(ser, 0, "length");
	ser->length += 2;
	assert_refused(ser, 0, "length");
	ser->length--;

	/* Products that overflow 32 bits, with a length that is what is left */
	ser->nr_hwpts = 1u << 27;
	ser->length = sizeof(*ser);
	assert_refused(ser, 0, "length");
	ser->nr_hwpts = UINT32_MAX;
	ser->length = (u32)record_size(UINT32_MAX);
	assert_refused(ser, 0, "length");
	ser->nr_hwpts = NR_HWPTS;
	ser->length = record_size(NR_HWPTS);

	ser->reserved[1] = 1ull << 63;
	record_seal(ser);
	assert_refused(ser, 0, "reserved field");
	ser->reserved[1] = 0;
	ser->hwpts[2].reserved[0] = 1;
	record_seal(ser);
	assert_refused(ser, 0, "reserved field of an HWPT");
	ser->hwpts[2].reserved[0] = 0;

	ser->hwpts[1].domain_pa = 0;
	record_seal(ser);
	assert_refused(ser, 0, "HWPT without page table");
	free(ser);
}

static void is_noticed(void *ser, unsigned char *byte)
{
	assert_non_null(iommufd_ser_check(ser, 0));
}

static void test_every_byte_flipped(void **state)
{
	struct iommufd_ser *ser = record_new(NR_HWPTS);
	const struct bytes all = { ser, record_size(NR_HWPTS) };

	assert_int_equal(bytes_flip_each(&all, 1, is_noticed, ser), 3 * record_size(NR_HWPTS));
	assert_null(iommufd_ser_check(ser, 0));
	free(ser);
}

/* The version is looked at first, as lengths of other versions may differ. */
static void test_each_bit(void **state)
{
	struct iommufd_ser *ser = record_new(NR_HWPTS);
	unsigned char *bytes = (unsigned char *)ser;

	for (size_t bit = 0; bit < 8ul * record_size(NR_HWPTS); bit++) {
		bytes[bit / 8] ^= 1 << bit % 8;
		assert_non_null(iommufd_ser_check(ser, 0));
		bytes[bit / 8] ^= 1 << bit % 8;
	}
	assert_null(iommufd_ser_check(ser, 0));
	free(ser);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_every_byte_flipped),
		cmocka_unit_test(test_each_bit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
