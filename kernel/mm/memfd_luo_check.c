// SPDX-License-Identifier: GPL-2.0

/**
 * DOC: Check of a Handed Over Memfd
 *
 * What the previous kernel says of a memfd names folios and their places in the
 * file. Neither is used before it is checked:
 *
 * 1. memfd_luo_check() looks at the fixed part: flags, size, position, and how many
 *    folios there are. Then the list of folios may be taken over.
 *
 * 2. memfd_luo_check_list() looks at the list. Each entry names a preserved folio,
 *    and one follows the other without a gap from the beginning of the file to its
 *    end, as the previous kernel leaves no holes. So no place is taken twice, and
 *    none is beyond the end. That no folio is named twice is seen when it is taken
 *    over: afterwards it is not preserved any more.
 *
 * These are functions over bytes that reach memory through one callback, so the same
 * source is tested in user space.
 *
 * Locking: none. The mutex of the file in LUO is held.
 */

#include <linux/align.h>
#include <linux/bits.h>
#include <linux/build_bug.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/kho/abi/memfd.h>

#include <asm/page.h>

#include "memfd_luo_check.h"

/* The layout that the tests in user space have a copy of. */
static_assert(sizeof(struct memfd_luo_ser) == 48);
static_assert(sizeof(struct memfd_luo_folio_ser) == 16);

#define MEMFD_LUO_MAX_SIZE	((u64)1 << 62)
#define MEMFD_LUO_FOLIO_FLAGS	(MEMFD_LUO_FOLIO_DIRTY | MEMFD_LUO_FOLIO_UPTODATE)

static u64 memfd_luo_nr_pages(const struct memfd_luo_ser *ser)
{
	return (ser->size + PAGE_SIZE - 1) >> PAGE_SHIFT;
}

/**
 * memfd_luo_check - Can this memfd be used?
 * @ser: What the previous kernel handed over; preserved memory.
 *
 * Context: Any context.
 * Return: 0 if so. -EOPNOTSUPP if it has flags or seals that this kernel does not
 *         know. -EINVAL if the rest makes no sense.
 */
int memfd_luo_check(const struct memfd_luo_ser *ser)
{
	u64 list_size = (u64)ser->folios.total_pages * PAGE_SIZE;

	if (ser->flags & ~MEMFD_LUO_ALL_FLAGS || ser->seals & ~MEMFD_LUO_ALL_SEALS)
		return -EOPNOTSUPP;
	if (ser->size > MEMFD_LUO_MAX_SIZE || ser->pos > MEMFD_LUO_MAX_SIZE * 2 - 1)
		return -EINVAL;
	/* A file has folios for all of its pages. The list has room for all folios. */
	if (!ser->nr_folios != !ser->size || ser->nr_folios > memfd_luo_nr_pages(ser))
		return -EINVAL;
	if (ser->nr_folios > list_size / sizeof(struct memfd_luo_folio_ser))
		return -EINVAL;

	return 0;
}

/**
 * memfd_luo_check_list - Do the folios of a memfd make up the file?
 * @ser:        What memfd_luo_check() has found usable.
 * @folios_ser: The list of its folios.
 * @order_of:   Tells which folios were preserved.
 *
 * Context: Any context.
 * Return: 0 if so, -EINVAL if not.
 */
int memfd_luo_check_list(const struct memfd_luo_ser *ser,
			 const struct memfd_luo_folio_ser *folios_ser,
			 memfd_luo_order_fn order_of)
{
	u64 nr_pages = memfd_luo_nr_pages(ser), index = 0;

	for (u64 i = 0; i < ser->nr_folios; i++) {
		const struct memfd_luo_folio_ser *pfolio = &folios_ser[i];
		u64 pfn = pfolio->pfn;
		int order;

		if (!pfn || pfolio->flags & ~MEMFD_LUO_FOLIO_FLAGS)
			return -EINVAL;
		order = order_of(pfn << PAGE_SHIFT);
		if (order < 0)
			return -EINVAL;
		if (pfolio->index != index || index >= nr_pages ||
		    !IS_ALIGNED(index, (u64)1 << order))
			return -EINVAL;
		index += (u64)1 << order;
	}

	return index < nr_pages ? -EINVAL : 0;
}
