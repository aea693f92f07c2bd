// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */

/**
 * DOC: IOMMU pages across a live update
 *
 * Page tables and directories that hardware goes on reading while the kernel is
 * replaced stay where they are. This is how a page of iommu-pages.c gets to the
 * next kernel, and how it becomes one of that kernel's.
 *
 * 1. iommu_preserve_page() hands it to KHO, iommu_unpreserve_page() takes that
 *    back.
 * 2. In the next kernel iommu_page_is_preserved() tells whether an address that
 *    was read somewhere is that of such a page.
 * 3. iommu_restore_page() takes it over, and accounts it. From then on it is
 *    freed like any other.
 *
 * Locking: iommu_restore_mutex, a leaf above the locks of KHO, makes looking at
 * a page and taking it one step.
 */

#include <kunit/static_stub.h>
#include <linux/cleanup.h>
#include <linux/gfp.h>
#include <linux/kexec_handover.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/sched.h>

#include "iommu-pages.h"

/* For iommu_restore_page() */
static DEFINE_MUTEX(iommu_restore_mutex);

/* How many pages are freed in a row */
#define IOMMU_RESTORED_BATCH 512

/**
 * iommu_preserve_page - Keep an allocation across a live update
 * @virt: Address returned from iommu_alloc_pages_node_sz()
 *
 * Hands the whole allocation to KHO, with its order. The memory stays where it
 * is, can be used and written as before, and must not be freed before
 * iommu_unpreserve_page().
 *
 * Context: May sleep.
 * Return: 0 on success, -ENOMEM if KHO has no memory for its bookkeeping,
 * -EINVAL if KHO is not enabled or refuses the address.
 */
int iommu_preserve_page(void *virt)
{
	KUNIT_STATIC_STUB_REDIRECT(iommu_preserve_page, virt);

	return kho_preserve_folio(virt_to_folio(virt));
}
EXPORT_SYMBOL_GPL(iommu_preserve_page);

/**
 * iommu_unpreserve_page - Undo iommu_preserve_page()
 * @virt: Address that was passed to iommu_preserve_page()
 *
 * Does not free the memory.
 *
 * Context: May sleep.
 */
void iommu_unpreserve_page(void *virt)
{
	KUNIT_STATIC_STUB_REDIRECT(iommu_unpreserve_page, virt);

	kho_unpreserve_folio(virt_to_folio(virt));
}
EXPORT_SYMBOL_GPL(iommu_unpreserve_page);

/**
 * iommu_page_is_preserved - Is there an allocation of the previous kernel?
 * @phys: Physical address
 * @order: Order the allocation must have
 *
 * Memory for which this is true can be read through phys_to_virt(); its
 * struct page is not fit for use before iommu_restore_page(). Until then the
 * page counts as one in use that cannot be moved, so that its memory block
 * cannot be taken offline.
 *
 * Return: True if the previous kernel preserved exactly this allocation and
 * nobody has restored it.
 */
bool iommu_page_is_preserved(phys_addr_t phys, unsigned int order)
{
	KUNIT_STATIC_STUB_REDIRECT(iommu_page_is_preserved, phys, order);

	/* KHO may have recorded runs of pages under larger orders */
	return order <= MAX_PAGE_ORDER && kho_is_preserved(phys, order);
}
EXPORT_SYMBOL_GPL(iommu_page_is_preserved);

/**
 * iommu_restore_page - Take over an allocation of the previous kernel
 * @phys: Physical address
 * @order: Order the allocation must have
 *
 * After this the page is one like those of iommu_alloc_pages_node_sz(), with
 * the content that the previous kernel or the hardware gave it. It is accounted
 * and is freed by iommu_free_pages() or iommu_put_pages_list(). It is not
 * incoherent, whatever it was in the previous kernel: who needs that calls
 * iommu_pages_start_incoherent().
 *
 * What the failure means is up to the caller; @phys may come from memory that
 * cannot be trusted.
 *
 * Context: May sleep.
 * Return: Virtual address, or NULL if @phys is not preserved, was preserved
 * with another order or was restored before. Nothing is changed then.
 */
void *iommu_restore_page(phys_addr_t phys, unsigned int order)
{
	struct folio *folio;

	KUNIT_STATIC_STUB_REDIRECT(iommu_restore_page, phys, order);

	/*
	 * kho_restore_folio() warns about a page that is not there, and that
	 * must not depend on who else tries to take the same page.
	 */
	guard(mutex)(&iommu_restore_mutex);

	if (!iommu_page_is_preserved(phys, order))
		return NULL;

	folio = kho_restore_folio(phys);
	if (!folio)
		return NULL;

	/* Shares its storage with what the boot left in struct page */
	folio_ioptdesc(folio)->incoherent = false;
	iommu_account_folio(folio, true);
	return folio_address(folio);
}
EXPORT_SYMBOL_GPL(iommu_restore_page);

/**
 * iommu_put_restored_pages - Free a list of pages that may be a long one
 * @list: The list, invalid afterwards
 *
 * iommu_put_pages_list() is for the lists of one unmap. The tables of a whole
 * page table are many more, and others shall get a turn in between.
 *
 * Context: May sleep.
 */
void iommu_put_restored_pages(struct iommu_pages_list *list)
{
	while (!iommu_pages_list_empty(list)) {
		struct iommu_pages_list batch =
			IOMMU_PAGES_LIST_INIT(batch);
		struct list_head *end = list->pages.next;
		unsigned int nr;

		for (nr = 0; nr < IOMMU_RESTORED_BATCH && end != &list->pages; nr++)
			end = end->next;
		list_cut_before(&batch.pages, &list->pages, end);
		iommu_put_pages_list(&batch);
		cond_resched();
	}
}
EXPORT_SYMBOL_GPL(iommu_put_restored_pages);
