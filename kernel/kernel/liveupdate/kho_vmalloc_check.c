// SPDX-License-Identifier: GPL-2.0-only

/**
 * DOC: Check of a Preserved vmalloc Area
 *
 * A &struct kho_vmalloc and the chunks behind it come from the previous kernel. Who
 * restores the area follows the addresses in them, so all are looked at before:
 *
 * 1. kho_vmalloc_check() walks the chunks. Each is asked for before it is read, and
 *    it must be a preserved page.
 *
 * 2. Each address in a chunk must be that of a preserved block of the area's order.
 *
 * 3. The blocks must add up to the size of the area, and the chunks come to an end:
 *    the way is compared with a chunk on it that is moved on at each power of two, so
 *    a circle is found within a few rounds.
 *
 * This is a function over bytes that reaches memory through one callback, so the same
 * source is tested in user space.
 *
 * Locking: none. Nobody else knows the area.
 */

#include <linux/array_size.h>
#include <linux/errno.h>
#include <linux/kho/abi/kexec_handover.h>

#include "kho_vmalloc_check.h"

/* Larger blocks cannot be had from the page allocator. */
#define KHO_VMALLOC_MAX_ORDER	20

/* Returns how many blocks are in the chunk, or a negative errno. */
static int kho_vmalloc_check_chunk(const struct kho_vmalloc_chunk *chunk,
				   unsigned int order, kho_preserved_fn preserved)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(chunk->phys) && chunk->phys[i]; i++) {
		if (!preserved(chunk->phys[i], order))
			return -EINVAL;
	}

	return i;
}

/**
 * kho_vmalloc_check - Can a preserved vmalloc area be restored?
 * @preservation: What the previous kernel handed over.
 * @preserved:    Tells what was preserved.
 *
 * Context: Any context.
 * Return: 0 if every chunk and every page is preserved memory, and there are as many
 *         pages as there should be, -EINVAL if not.
 */
int kho_vmalloc_check(const struct kho_vmalloc *preservation,
		      kho_preserved_fn preserved)
{
	u64 left = preservation->total_pages, phys = preservation->first.phys;
	const struct kho_vmalloc_chunk *chunk;
	unsigned int order = preservation->order;
	unsigned long steps = 0, next_mark = 1;
	u64 mark = 0;
	int nr;

	if (!left || order > KHO_VMALLOC_MAX_ORDER || left % (1UL << order))
		return -EINVAL;

	left >>= order;
	while (phys) {
		chunk = phys == mark ? NULL : preserved(phys, 0);
		if (!chunk)
			return -EINVAL;
		if (++steps == next_mark) {
			mark = phys;
			next_mark *= 2;
		}

		nr = kho_vmalloc_check_chunk(chunk, order, preserved);
		if (nr < 0 || nr > left)
			return -EINVAL;

		phys = chunk->hdr.next.phys;
		left -= nr;
	}

	return left ? -EINVAL : 0;
}
