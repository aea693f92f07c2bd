// SPDX-License-Identifier: GPL-2.0-only

/**
 * DOC: Questions About Handed Over Memory
 *
 * Whoever reads handed-over data finds physical addresses in it, and wants to
 * know what they are before it trusts them. Nothing in here changes anything:
 *
 * 1. The walk of the preserved memory tree marks the first page of each
 *    preserved block, early in the boot.
 *
 * 2. The question looks at this marker, like a restore does. The tree cannot be
 *    asked: its pages are not preserved, and are given away after the walk.
 *
 * 3. A restore takes the marker off.
 *
 * Locking: none. Two that restore the same block are wrong with or without it.
 */

#include <kunit/static_stub.h>
#include <linux/align.h>
#include <linux/errno.h>
#include <linux/export.h>
#include <linux/kexec_handover.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/pfn.h>

#include "kexec_handover_page.h"

/**
 * kho_is_preserved - Is this memory handed over by the previous kernel?
 * @phys: physical address of the folio.
 * @order: order of the folio.
 *
 * Tells whether kho_restore_folio() would succeed for @phys and give a folio of
 * order @order: the previous kernel preserved exactly that, and it was not
 * restored yet. Unlike a restore this changes nothing and does not warn, so it
 * can be asked about any address, in particular about one that was read from
 * handed-over data and is not trusted yet.
 *
 * Pages that were preserved in runs by kho_preserve_pages() are found under the
 * orders in which such a run was recorded, the largest naturally aligned ones.
 *
 * The answer holds until the folio is restored. Keeping others from doing that
 * is up to the caller, as it is for kho_restore_folio().
 *
 * Context: Any context, once kho_memory_init() has run.
 * Return: true if the folio is preserved and not restored, false otherwise.
 */
bool kho_is_preserved(phys_addr_t phys, unsigned int order)
{
	KUNIT_STATIC_STUB_REDIRECT(kho_is_preserved, phys, order);

	/* One that is no order must not look like an errno */
	return order < BITS_PER_LONG && kho_preserved_order(phys) == (int)order;
}
EXPORT_SYMBOL_GPL(kho_is_preserved);

/**
 * kho_preserved_order - What has the previous kernel handed over here?
 * @phys: physical address of a folio, of which it is not known what it is.
 *
 * The same as kho_is_preserved() for whoever does not know the order.
 *
 * Context: Any context, once kho_memory_init() has run.
 * Return: the order with which kho_is_preserved() says yes, or -ENOENT if there is
 *         none.
 */
int kho_preserved_order(phys_addr_t phys)
{
	union kho_page_info info;
	struct page *page;

	if (!is_kho_boot() || !IS_ALIGNED(phys, PAGE_SIZE))
		return -ENOENT;

	page = pfn_to_online_page(PHYS_PFN(phys));
	if (!page)
		return -ENOENT;

	/* Written by kho_preserved_memory_reserve(), cleared by a restore. */
	info.page_private = READ_ONCE(page->private);

	/* Runs of pages may have an order beyond MAX_PAGE_ORDER. */
	if (info.magic != KHO_PAGE_MAGIC || info.order >= BITS_PER_LONG - PAGE_SHIFT)
		return -ENOENT;

	return IS_ALIGNED(phys, (phys_addr_t)PAGE_SIZE << info.order) ? info.order : -ENOENT;
}
EXPORT_SYMBOL_GPL(kho_preserved_order);
