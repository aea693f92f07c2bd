// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzzer of kho_vmalloc_check() and memfd_luo_check*(): whatever the bytes are, they
 * end, stay within bounds, and what they accept can be used without looking.
 *
 * Some words of a sound area, or of a sound file, are replaced by values from a
 * generator with a fixed seed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "area.h"
#include "memory.h"

#define FOLIOS	64

#define require(what) do { if (!(what)) { \
	fprintf(stderr, "accepted, but not true: %s\n", #what); abort(); } } while (0)

static u64 random_state = 1;

static u32 random_u32(void)
{
	/* xorshift64* */
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * 0x2545f4914f6cdd1dULL >> 32;
}

static u64 value(u64 now)
{
	switch (random_u32() % 6) {
	case 0:
		return 0;
	case 1:
		return ~0ull >> random_u32() % 64;
	case 2:
		return now ^ 1ull << random_u32() % 64;
	case 3:
		return now + random_u32() % 5 - 2;
	default:
		return MEMORY_BASE + random_u32() % MEMORY_PAGES * PAGE_SIZE;
	}
}

static void require_usable_area(const struct kho_vmalloc *area)
{
	u64 phys = area->first.phys, pages = 0;

	while (phys) {
		const struct kho_vmalloc_chunk *chunk = memory_preserved(phys, 0);

		require(chunk);
		for (unsigned int i = 0; i < KHO_VMALLOC_SIZE && chunk->phys[i]; i++) {
			require(memory_preserved(chunk->phys[i], area->order));
			pages += 1ull << area->order;
		}
		require(pages <= area->total_pages);
		phys = chunk->hdr.next.phys;
	}
	require(pages && pages == area->total_pages);
}

static int fuzz_area(void)
{
	struct kho_vmalloc area = area_new(1 + random_u32() % 1100, random_u32() % 2);
	unsigned int edits = random_u32() % 3;

	while (edits--) {
		struct kho_vmalloc_chunk *chunk = memory_at(area.first.phys);
		unsigned int what = random_u32() % 8;

		if (what == 0)
			area.first.phys = value(area.first.phys);
		else if (what == 1)
			area.total_pages = value(area.total_pages);
		else if (what == 2)
			area.order = value(area.order);
		else if (what < 6)
			chunk->hdr.next.phys = value(chunk->hdr.next.phys);
		else
			chunk->phys[random_u32() % KHO_VMALLOC_SIZE] = value(area.first.phys);
		if (!memory_preserved(area.first.phys, 0))
			break;
	}
	if (kho_vmalloc_check(&area, memory_preserved))
		return 0;
	require_usable_area(&area);
	return 1;
}

static struct memfd_luo_ser file_new(struct memfd_luo_folio_ser *list)
{
	struct memfd_luo_ser ser = { .nr_folios = 1 + random_u32() % FOLIOS,
				     .folios.total_pages = 1 };
	u64 index = 0;

	memory_clear();
	for (u64 i = 0; i < ser.nr_folios; i++) {
		unsigned int order = random_u32() % 4;

		while (index % (1u << order))
			order--;
		list[i] = (struct memfd_luo_folio_ser) {
			.pfn = memory_add(order) >> PAGE_SHIFT, .index = index,
		};
		index += 1u << order;
	}
	ser.size = index * PAGE_SIZE;
	return ser;
}

static void require_usable_file(const struct memfd_luo_ser *ser,
				const struct memfd_luo_folio_ser *list)
{
	u64 index = 0, pages = (ser->size + PAGE_SIZE - 1) / PAGE_SIZE;

	require(ser->size <= 1ull << 62 && ser->nr_folios <= pages);
	for (u64 i = 0; i < ser->nr_folios; i++) {
		int order = memory_order((u64)list[i].pfn << PAGE_SHIFT);

		require(order >= 0 && list[i].index == index && index < pages);
		index += 1u << order;
	}
	require(index >= pages);
}

static int fuzz_file(void)
{
	static struct memfd_luo_folio_ser list[PAGE_SIZE / sizeof(struct memfd_luo_folio_ser)];
	struct memfd_luo_ser ser = file_new(list);
	unsigned int edits = random_u32() % 3;

	while (edits--) {
		unsigned int what = random_u32() % 8, at = random_u32() % ser.nr_folios;

		if (what == 0)
			ser.size = value(ser.size);
		else if (what == 1)
			ser.nr_folios = value(ser.nr_folios) | 1;
		else if (what == 2)
			ser.flags = value(ser.flags);
		else if (what == 3)
			ser.seals = value(ser.seals);
		else if (what < 6)
			list[at % FOLIOS].index = value(list[at % FOLIOS].index);
		else
			list[at % FOLIOS].pfn = value(list[at % FOLIOS].pfn);
	}
	if (memfd_luo_check(&ser) || memfd_luo_check_list(&ser, list, memory_order))
		return 0;
	require_usable_file(&ser, list);
	return 1;
}

int main(void)
{
	const char *runs_text = getenv("FUZZ_RUNS"), *seed = getenv("FUZZ_SEED");
	unsigned long runs = runs_text ? strtoul(runs_text, NULL, 0) : 20000, accepted = 0;

	if (seed)
		random_state = strtoul(seed, NULL, 0) | 1ull << 63;
	for (unsigned long i = 0; i < runs; i++)
		accepted += i % 2 ? fuzz_area() : fuzz_file();
	printf("%lu inputs, %lu accepted\n", runs, accepted);
	/* neither all nor none: the edits are worth something */
	return !(accepted && accepted < runs * 9 / 10);
}
