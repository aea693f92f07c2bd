// SPDX-License-Identifier: GPL-2.0

/**
 * DOC: Memfds From Retrieve to Finish
 *
 * A device of the session may go on using the memory through the mappings of
 * the previous kernel until the session is finished. So the folios stay what
 * they were before the kexec, frozen and pinned:
 *
 * 1. memfd_luo_hold() is the first thing that a retrieve does. It takes over all
 *    folios from KHO and pins each of them where it is. They are only seen by
 *    reclaim and migration when they are pinned already.
 *
 * 2. memfd_luo_add_folios() adds them to the new file, which is frozen. If that
 *    fails half way, the file is dropped and the pins stay, so the memory is not
 *    given to anybody. A later attempt starts with them.
 *
 * 3. memfd_luo_release() drops the pins when the file is finished. Folios that
 *    did not make it into a file are freed. A file that nobody has retrieved is
 *    held before, by can_finish(): this needs memory, and finish() cannot fail.
 *    A file of a session without files that want an explicit finish is released
 *    as soon as it is retrieved: no device can be using it. Files are finished in
 *    the reverse order of their preservation, so that of a device comes before the
 *    memory it uses.
 *
 * Until then the file cannot change its size, no hole can be punched into it, and
 * ``F_SEAL_WRITE`` cannot be added. Reading, writing and mapping work. So does
 * memfd_pin_folios(), with which iommufd maps the file for a device again; it
 * takes the folios where they are, in a movable zone as well.
 *
 * Locking: the session mutex and the mutex of the file in LUO are held throughout,
 * by which the list of folios is protected. The inode lock is taken below them, but
 * not waited for without bound, see memfd_luo_inode_lock().
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/kexec_handover.h>
#include <linux/kho/abi/memfd.h>
#include <linux/liveupdate.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/shmem_fs.h>
#include <linux/swap.h>
#include <linux/vmalloc.h>

#include "internal.h"
#include "memfd_luo_check.h"
#include "memfd_luo_hold.h"

/* How long LUO waits for a write to a memfd. */
#define MEMFD_LUO_WAIT	(2 * HZ)

static int memfd_luo_folio_order(u64 phys)
{
	int order = kho_preserved_order(phys);

	return order > MAX_PAGECACHE_ORDER ? -EINVAL : order;
}

/*
 * This works only once per folio, and the caller must keep @folios_ser, which
 * names them. A pin is the only reference to each of them afterwards. What is no
 * preserved folio, whatever it is, is left alone and taken out of @folios_ser.
 */
static int memfd_luo_restore_folios(struct memfd_luo_folio_ser *folios_ser,
				    u64 nr_folios)
{
	int err = 0;
	u64 i;

	for (i = 0; i < nr_folios; i++) {
		struct memfd_luo_folio_ser *pfolio = &folios_ser[i];
		struct folio *folio;
		phys_addr_t phys;

		phys = PFN_PHYS(pfolio->pfn);
		/* It is not preserved any more if it is named twice. */
		folio = memfd_luo_folio_order(phys) < 0 ? NULL : kho_restore_folio(phys);
		if (!folio || try_grab_folio(folio, 1, FOLL_PIN)) {
			/* Where it is, is not for everybody who has a session */
			pr_err_ratelimited("Unable to restore folio at physical address: %llx\n",
					   phys);
			liveupdate_note_reason("Unable to restore a folio\n");
			pfolio->pfn = 0;
			err = -EIO;
			continue;
		}

		folio_put(folio);
	}

	return err;
}

/* Were all of them restored? */
static int memfd_luo_check_folios(const struct memfd_luo_folio_ser *folios_ser,
				  u64 nr_folios)
{
	for (u64 i = 0; i < nr_folios; i++) {
		if (!folios_ser[i].pfn)
			return -EIO;
	}

	return 0;
}

/**
 * memfd_luo_hold - Take over the memory of a memfd from KHO.
 * @ser:         What the previous kernel handed over.
 * @folios_serp: The list of folios, NULL if they have not been taken over yet. It
 *               is set even on failure if there is something to be released.
 *
 * Once it has succeeded it does so again.
 *
 * Context: Process context, before anything else in retrieve() that can fail for
 *          good, as can_finish() only does this if retrieve() was not tried.
 * Return: 0 on success, or a negative errno on failure:
 *         -ENOMEM if there is not enough memory. Nothing was done.
 *         -EOPNOTSUPP if the file has flags or seals that are not known.
 *         -EINVAL if the record or the list of folios cannot be used.
 *         -EIO if a folio cannot be restored.
 */
int memfd_luo_hold(const struct memfd_luo_ser *ser, void **folios_serp)
{
	struct memfd_luo_folio_ser *folios_ser;
	int err;

	err = memfd_luo_check(ser);
	if (err) {
		liveupdate_refuse_err("The record of a memfd cannot be used: %pe\n",
				      ERR_PTR(err));
		return err;
	}

	if (!ser->nr_folios)
		return 0;
	if (*folios_serp)
		return memfd_luo_check_folios(*folios_serp, ser->nr_folios);

	folios_ser = kho_restore_vmalloc(&ser->folios);
	if (IS_ERR(folios_ser)) {
		liveupdate_refuse_err("Unable to restore the list of folios: %pe\n",
				      folios_ser);
		return PTR_ERR(folios_ser);
	}

	*folios_serp = folios_ser;
	err = memfd_luo_check_list(ser, folios_ser, memfd_luo_folio_order);
	if (err) {
		liveupdate_refuse_err("The list of folios is damaged, their memory stays reserved\n");
		memset(folios_ser, 0, ser->nr_folios * sizeof(*folios_ser));
		return err;
	}

	return memfd_luo_restore_folios(*folios_serp, ser->nr_folios);
}

/**
 * memfd_luo_release - Let go of the memory of a memfd.
 * @ser:        What the previous kernel handed over.
 * @folios_ser: The list that memfd_luo_hold() gave, or NULL. It is freed.
 *
 * Folios that are not part of a file are freed by this.
 *
 * Context: Process context.
 */
void memfd_luo_release(const struct memfd_luo_ser *ser,
		       struct memfd_luo_folio_ser *folios_ser)
{
	u64 i;

	if (!folios_ser)
		return;

	for (i = 0; i < ser->nr_folios; i++) {
		if (folios_ser[i].pfn)
			unpin_folio(pfn_folio(folios_ser[i].pfn));
	}

	vfree(folios_ser);
}

static int memfd_luo_add_folio(struct inode *inode,
			       const struct memfd_luo_folio_ser *pfolio)
{
	struct address_space *mapping = inode->i_mapping;
	struct folio *folio = pfn_folio(pfolio->pfn);
	long npages = folio_nr_pages(folio);
	u64 index = pfolio->index;
	int flags = pfolio->flags;
	int err;

	/* Set up the folio for insertion. */
	__folio_set_locked(folio);
	__folio_set_swapbacked(folio);

	err = mem_cgroup_charge(folio, NULL, mapping_gfp_mask(mapping));
	if (err) {
		liveupdate_refuse_err("failed to charge folio index %llu: %d\n",
				      index, err);
		goto err_unlock;
	}

	err = shmem_add_to_page_cache(folio, mapping, index, NULL,
				      mapping_gfp_mask(mapping));
	if (err) {
		liveupdate_refuse_err("failed to add to page cache folio index %llu: %d\n",
				      index, err);
		goto err_uncharge;
	}

	if (flags & MEMFD_LUO_FOLIO_UPTODATE)
		folio_mark_uptodate(folio);
	if (flags & MEMFD_LUO_FOLIO_DIRTY)
		folio_mark_dirty(folio);

	err = shmem_inode_acct_blocks(inode, npages);
	if (err) {
		/* There is no limit of blocks here, so it is memory, and may pass. */
		err = -ENOMEM;
		liveupdate_refuse_err("failed to account folio index %llu(%ld pages): %d\n",
				      index, npages, err);
		goto err_remove;
	}

	folio_unlock(folio);

	return 0;

err_remove:
	filemap_remove_folio(folio);
err_uncharge:
	mem_cgroup_uncharge(folio);
err_unlock:
	folio_unlock(folio);

	return err;
}

static void memfd_luo_remove_folio(struct folio *folio)
{
	folio_lock(folio);
	filemap_remove_folio(folio);
	mem_cgroup_uncharge(folio);
	folio_unlock(folio);
}

/**
 * memfd_luo_add_folios - Add folios that are held to a file.
 * @file:       The new file, which nobody else has seen yet.
 * @folios_ser: The list that memfd_luo_hold() gave when it succeeded.
 * @nr_folios:  The number of entries in @folios_ser.
 *
 * All or nothing: after a failure the folios are as they were before, so that
 * this can be tried again with another file.
 *
 * Context: Process context.
 * Return: 0 on success, or the errno of what shmem does to add a folio.
 */
int memfd_luo_add_folios(struct file *file,
			 const struct memfd_luo_folio_ser *folios_ser,
			 u64 nr_folios)
{
	struct inode *inode = file_inode(file);
	long nr_added_pages = 0;
	int err;
	u64 i;

	for (i = 0; i < nr_folios; i++) {
		err = memfd_luo_add_folio(inode, &folios_ser[i]);
		if (err)
			goto err_remove;

		nr_added_pages += folio_nr_pages(pfn_folio(folios_ser[i].pfn));
	}

	shmem_recalc_inode(inode, nr_added_pages, 0);

	/* Nothing fails any more, so none has to be taken off the LRU again. */
	for (i = 0; i < nr_folios; i++)
		folio_add_lru(pfn_folio(folios_ser[i].pfn));

	return 0;

err_remove:
	while (i--)
		memfd_luo_remove_folio(pfn_folio(folios_ser[i].pfn));
	/* Finds that none of the added pages is left, and gives them back. */
	shmem_recalc_inode(inode, nr_added_pages, 0);

	return err;
}

/**
 * memfd_luo_inode_lock - Take the inode lock of a memfd, but not at any price.
 * @inode: The inode.
 *
 * A write() holds it while it waits for a page fault on its buffer, and whoever
 * writes decides how long that takes. Nobody is woken, so it is asked for often.
 *
 * Context: Process context. Sleeps for no more than some seconds.
 * Return: true if the lock is held.
 */
bool memfd_luo_inode_lock(struct inode *inode)
{
	unsigned long deadline = jiffies + MEMFD_LUO_WAIT;

	while (!inode_trylock(inode)) {
		if (time_after(jiffies, deadline) || fatal_signal_pending(current))
			return false;
		fsleep(USEC_PER_MSEC);
	}

	return true;
}

/**
 * memfd_luo_set_frozen - Keep the mapping of a memfd from being changed, or not.
 * @file:   The file. To be frozen, nobody else may have it.
 * @frozen: Whether it is frozen from now on.
 *
 * Context: Process context. Takes the inode lock if it can be had: whoever holds it
 *          for long is writing, and a file that is not frozen any more is no worse
 *          for that.
 */
void memfd_luo_set_frozen(struct file *file, bool frozen)
{
	struct inode *inode = file_inode(file);
	bool locked = memfd_luo_inode_lock(inode);

	shmem_freeze(inode, frozen);
	if (locked)
		inode_unlock(inode);
}
