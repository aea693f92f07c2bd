// SPDX-License-Identifier: GPL-2.0
/* Tests of kernel/liveupdate/kho_vmalloc_check.c and mm/memfd_luo_check.c */
#include "test.h"
#include "area.h"
#include "memory.h"

static int check_area(const struct kho_vmalloc *area)
{
	return kho_vmalloc_check(area, memory_preserved);
}

static void test_area(void **state)
{
	static const unsigned int sizes[] = { 1, 2, 510, 511, 512, 1021, 1022, 1023, 1500 };

	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct kho_vmalloc area = area_new(sizes[i], 0);

		assert_int_equal(check_area(&area), 0);
		area.total_pages++;
		assert_int_equal(check_area(&area), -EINVAL);
		area.total_pages -= 2;
		assert_int_equal(check_area(&area), -EINVAL);
	}
}

static void test_area_of_large_pages(void **state)
{
	struct kho_vmalloc area = area_new(3, 9);

	assert_int_equal(area.total_pages, 3 * 512);
	assert_int_equal(check_area(&area), 0);
	area.order = 0;
	assert_int_equal(check_area(&area), -EINVAL);
}

static void test_area_orders(void **state)
{
	struct kho_vmalloc area = area_new(1, 0);

	for (unsigned int order = 1; order < 0x10000; order++) {
		area.order = order;
		assert_int_equal(check_area(&area), -EINVAL);
	}
}

static void test_area_empty(void **state)
{
	struct kho_vmalloc area = area_new(1, 0);

	area.total_pages = 0;
	assert_int_equal(check_area(&area), -EINVAL);
	area.first.phys = 0;
	assert_int_equal(check_area(&area), -EINVAL);
	area.total_pages = 1;
	assert_int_equal(check_area(&area), -EINVAL);
}

/* Full, half full and empty chunks that lead to themselves and to each other. */
static void test_area_circles(void **state)
{
	static const unsigned int sizes[] = { 511, 3, 1022, 1500 };

	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct kho_vmalloc area = area_new(sizes[i], 0);
		struct kho_vmalloc_chunk *chunk = memory_at(area.first.phys);

		while (chunk->hdr.next.phys)
			chunk = memory_at(chunk->hdr.next.phys);
		chunk->hdr.next.phys = area.first.phys;
		assert_int_equal(check_area(&area), -EINVAL);
		area.total_pages = UINT32_MAX;
		assert_int_equal(check_area(&area), -EINVAL);
	}

	for (unsigned int nr = 0; nr < 2; nr++) {
		struct kho_vmalloc area = area_new(1, 0);
		struct kho_vmalloc_chunk *chunk = memory_at(area.first.phys);

		chunk->phys[0] *= nr;
		chunk->hdr.next.phys = area.first.phys;
		assert_int_equal(check_area(&area), -EINVAL);
	}
}

static void test_area_addresses(void **state)
{
	struct kho_vmalloc area = area_new(600, 0);
	struct kho_vmalloc_chunk *chunk = memory_at(area.first.phys);
	u64 wrong[] = { 8, 1, MEMORY_BASE - PAGE_SIZE, area.first.phys + 8, ~0ull,
			MEMORY_BASE + MEMORY_PAGES * PAGE_SIZE };

	for (unsigned int i = 0; i < ARRAY_SIZE(wrong); i++) {
		u64 right = chunk->phys[17];

		chunk->phys[17] = wrong[i];
		assert_int_equal(check_area(&area), -EINVAL);
		chunk->phys[17] = right;

		right = chunk->hdr.next.phys;
		chunk->hdr.next.phys = wrong[i];
		assert_int_equal(check_area(&area), -EINVAL);
		chunk->hdr.next.phys = right;
		assert_int_equal(check_area(&area), 0);
	}
}

/* A file of folios of several orders, that of a page and a half at its end. */
static struct memfd_luo_folio_ser list[8];

static struct memfd_luo_ser file_new(void)
{
	static const unsigned int orders[] = { 2, 2, 3, 9, 0, 0, 1 };
	struct memfd_luo_ser ser = { .pos = 5, .seals = 0x27, .flags = MEMFD_LUO_NOEXEC };
	u64 index = 0;

	memory_clear();
	memset(list, 0, sizeof(list));
	/* In an order that is not that of the file. */
	for (unsigned int i = 0; i < 3; i++)
		memory_add(i);
	for (unsigned int i = 0; i < 7; i++) {
		/* 2, 2, 3 begin at 0, 4, 8; 9 must begin at a multiple of 512 */
		unsigned int order = i == 3 ? 4 : orders[i];

		list[i].pfn = memory_add(order) >> PAGE_SHIFT;
		list[i].index = index;
		list[i].flags = MEMFD_LUO_FOLIO_DIRTY | MEMFD_LUO_FOLIO_UPTODATE;
		index += 1ull << order;
	}
	ser.nr_folios = 7;
	ser.size = (index - 1) * PAGE_SIZE + 100;
	ser.folios.total_pages = 1;
	return ser;
}

static int check_list(const struct memfd_luo_ser *ser)
{
	return memfd_luo_check_list(ser, list, memory_order);
}

static void test_file(void **state)
{
	struct memfd_luo_ser ser = file_new();

	assert_int_equal(memfd_luo_check(&ser), 0);
	assert_int_equal(check_list(&ser), 0);
	/* The last folio may reach beyond the end. */
	ser.size -= PAGE_SIZE;
	assert_int_equal(check_list(&ser), 0);
	/* But it must not be there for nothing. */
	ser.size -= PAGE_SIZE;
	assert_int_equal(check_list(&ser), -EINVAL);
}

static void test_file_empty(void **state)
{
	struct memfd_luo_ser ser = { 0 };

	assert_int_equal(memfd_luo_check(&ser), 0);
	assert_int_equal(check_list(&ser), 0);
	ser.nr_folios = 1;
	assert_int_equal(memfd_luo_check(&ser), -EINVAL);
	ser.nr_folios = 0;
	ser.size = 1;
	assert_int_equal(memfd_luo_check(&ser), -EINVAL);
}

#define refuses(change, err) do { \
	struct memfd_luo_ser ser = file_new(); \
	change; \
	assert_int_equal(memfd_luo_check(&ser), err); \
} while (0)

static void test_file_fields(void **state)
{
	refuses(ser.flags = 2, -EOPNOTSUPP);
	refuses(ser.flags = 1u << 31, -EOPNOTSUPP);
	refuses(ser.seals = 0x40, -EOPNOTSUPP);
	refuses(ser.size = ~0ull, -EINVAL);
	refuses(ser.size = 1ull << 63, -EINVAL);
	refuses(ser.pos = 1ull << 63, -EINVAL);
	refuses(ser.nr_folios = ser.size / PAGE_SIZE + 2, -EINVAL);
	refuses(ser.nr_folios = ~0ull, -EINVAL);
	refuses(ser.folios.total_pages = 0, -EINVAL);
	refuses((ser.size = 1ull << 40, ser.nr_folios = 257), -EINVAL);
	refuses((ser.size = 1ull << 40, ser.nr_folios = 256), 0);
}

#define list_refuses(change) do { \
	struct memfd_luo_ser ser = file_new(); \
	change; \
	assert_int_equal(check_list(&ser), -EINVAL); \
} while (0)

static void test_file_list(void **state)
{
	for (unsigned int i = 0; i < 7; i++) {
		list_refuses(list[i].pfn = 0);
		/* Behind the fifth is another of the same size: that it is there twice is seen later. */
		list_refuses(list[i].pfn += i == 4 ? 2 : 1);
		list_refuses(list[i].pfn = 1ull << 51);
		list_refuses(list[i].index++);
		list_refuses(list[i].index--);
		list_refuses(list[i].index = ~0ull);
		list_refuses(list[i].flags |= 4);
		list_refuses((list[i] = list[(i + 3) % 7], (void)0));
	}
	list_refuses(ser.nr_folios--);
	list_refuses(ser.nr_folios++);
	list_refuses(ser.size += PAGE_SIZE);
}

/* A folio may not begin in the middle of its own size. */
static void test_file_alignment(void **state)
{
	struct memfd_luo_ser ser = { .size = 3 * PAGE_SIZE, .nr_folios = 2,
				     .folios.total_pages = 1 };

	memory_clear();
	memset(list, 0, sizeof(list));
	list[0].pfn = memory_add(0) >> PAGE_SHIFT;
	list[1].pfn = memory_add(1) >> PAGE_SHIFT;
	list[1].index = 1;
	assert_int_equal(check_list(&ser), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_area),
		cmocka_unit_test(test_area_of_large_pages),
		cmocka_unit_test(test_area_orders),
		cmocka_unit_test(test_area_empty),
		cmocka_unit_test(test_area_circles),
		cmocka_unit_test(test_area_addresses),
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_file_empty),
		cmocka_unit_test(test_file_fields),
		cmocka_unit_test(test_file_list),
		cmocka_unit_test(test_file_alignment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
