// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzzer of kho_vmalloc_check() and memfd_luo_check*(): whatever the bytes are, they
 * end, stay within bounds, and what they accept can be used without looking. Some
 * words of a sound area, or of a sound file, are replaced.
 */
#include <string.h>

#include "area.h"
#include "fuzz.h"
#include "memory.h"

#define FOLIOS	64

static u64 value(u64 now)
{
	if (fuzz_u32() % 3)
		return fuzz_value(now);
	return MEMORY_BASE + fuzz_u32() % MEMORY_PAGES * PAGE_SIZE;
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

static u64 some_chunk(const struct kho_vmalloc *area)
{
	u64 phys = area->first.phys;

	while (fuzz_u32() % 2) {
		u64 next = ((const struct kho_vmalloc_chunk *)memory_at(phys))->hdr.next.phys;

		if (!memory_preserved(next, 0))
			break;
		phys = next;
	}
	return phys;
}

static void edit_area(struct kho_vmalloc *area)
{
	u64 phys = some_chunk(area);
	struct kho_vmalloc_chunk *chunk = memory_at(phys);

	switch (fuzz_u32() % 10) {
	case 0:
		area->first.phys = value(area->first.phys);
		break;
	case 1:
		area->total_pages = value(area->total_pages);
		break;
	case 2:
		area->order = value(area->order);
		break;
	case 3:
	case 4:
		chunk->hdr.next.phys = value(chunk->hdr.next.phys);
		break;
	case 5:	/* a circle */
		chunk->hdr.next.phys = fuzz_u32() % 2 ? phys : area->first.phys;
		break;
	case 6:	/* nothing in it */
		chunk->phys[0] = 0;
		break;
	default:
		chunk->phys[fuzz_u32() % KHO_VMALLOC_SIZE] = value(area->first.phys);
	}
}

static bool fuzz_area(void)
{
	struct kho_vmalloc area = area_new(1 + fuzz_u32() % 1100, fuzz_u32() % 2);

	for (unsigned int edits = fuzz_u32() % 4; edits; edits--) {
		edit_area(&area);
		if (!memory_preserved(area.first.phys, 0))
			break;
	}
	if (kho_vmalloc_check(&area, memory_preserved))
		return false;
	require_usable_area(&area);
	return true;
}

static struct memfd_luo_ser file_new(struct memfd_luo_folio_ser *list)
{
	struct memfd_luo_ser ser = { .nr_folios = 1 + fuzz_u32() % FOLIOS,
				     .folios.total_pages = 1 };
	u64 index = 0;

	memory_clear();
	for (u64 i = 0; i < ser.nr_folios; i++) {
		unsigned int order = fuzz_u32() % 4;

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

	require(ser->size <= 1ull << 62 && ser->pos < 1ull << 63 && ser->nr_folios <= pages);
	require(ser->flags <= 1 && ser->seals <= 0x3f);
	require(ser->nr_folios <= ser->folios.total_pages * (PAGE_SIZE / sizeof(*list)));
	for (u64 i = 0; i < ser->nr_folios; i++) {
		int order = memory_order((u64)list[i].pfn << PAGE_SHIFT);

		require(order >= 0 && list[i].pfn && list[i].flags <= 3);
		require(list[i].index == index && index < pages && index % (1u << order) == 0);
		index += 1u << order;
	}
	require(index >= pages);
}

static bool fuzz_file(void)
{
	static struct memfd_luo_folio_ser list[PAGE_SIZE / sizeof(struct memfd_luo_folio_ser)];
	struct memfd_luo_ser ser = file_new(list);
	unsigned int edits = fuzz_u32() % 3;

	while (edits--) {
		unsigned int what = fuzz_u32() % 12, at = fuzz_u32() % ser.nr_folios;

		if (what == 0)
			ser.size = value(ser.size);
		else if (what == 1)
			ser.nr_folios = value(ser.nr_folios) | 1;
		else if (what == 2)
			ser.flags = value(ser.flags);
		else if (what == 3)
			ser.seals = value(ser.seals);
		else if (what == 4)
			ser.pos = value(ser.pos);
		else if (what == 5)
			list[at % FOLIOS].flags = value(list[at % FOLIOS].flags);
		else if (what == 6)
			ser.folios.total_pages = value(ser.folios.total_pages) % 3;
		else if (what < 9)
			list[at % FOLIOS].index = value(list[at % FOLIOS].index);
		else
			list[at % FOLIOS].pfn = value(list[at % FOLIOS].pfn);
	}
	if (memfd_luo_check(&ser) || memfd_luo_check_list(&ser, list, memory_order))
		return false;
	require_usable_file(&ser, list);
	return true;
}

const struct fuzz_target fuzz_targets[] = {
	{ "vmalloc area", fuzz_area, 20000, 90 },
	{ "memfd", fuzz_file, 20000, 90 },
	{}
};
