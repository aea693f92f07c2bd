// SPDX-License-Identifier: GPL-2.0-only

/**
 * DOC: Taking Over Preserved Memory
 *
 * What the previous kernel has preserved must be reserved before this one gives
 * memory to anybody, all of it, or not be used at all:
 *
 * 1. kho_populate() finds that the previous kernel has passed KHO data.
 *
 * 2. kho_memory_init() walks the tree of preserved blocks, in ascending order of
 *    addresses for each size of block. Neighbours are put together by
 *    kho_reserve_run_add(), and reserved by one call.
 *
 * 3. Whoever finds on the way that the data cannot be used calls kho_mark_lost().
 *
 * 4. kho_panic_if_lost() ends it in this case, before memory is given away.
 *
 * Locking: none. All of this runs on one CPU, before there is another.
 */

#define pr_fmt(fmt) "KHO: " fmt

#include <linux/err.h>
#include <linux/errno.h>
#include <linux/kexec_handover.h>
#include <linux/memblock.h>
#include <linux/panic.h>
#include <linux/printk.h>

#include "kexec_handover_incoming.h"

static bool kho_lost __initdata;

/**
 * kho_reserve_run_flush - Reserve the run that was collected so far.
 * @run: The run; empty afterwards.
 *
 * Return: 0 on success, or the error of memblock, which was reported.
 */
int __init kho_reserve_run_flush(struct kho_reserve_run *run)
{
	phys_addr_t size = run->end - run->start;
	int err;

	if (!size)
		return 0;

	err = memblock_reserve(run->start, size);
	if (!err)
		err = memblock_reserved_mark_noinit(run->start, size);
	if (err)
		pr_err("failed to reserve %pa bytes of preserved memory at %pa: %pe\n",
		       &size, &run->start, ERR_PTR(err));

	run->start = run->end;

	return err;
}

/**
 * kho_reserve_run_add - Add a preserved block, to be reserved sooner or later.
 * @run:  The run that ends with the block before. It is reserved when @phys does
 *        not continue it.
 * @phys: Physical address of the block.
 * @size: Size of the block in bytes.
 *
 * Return: 0 on success, or a negative errno, which was reported:
 *         -EINVAL if the block is not in memory.
 *         Any error of memblock for the run before.
 */
int __init kho_reserve_run_add(struct kho_reserve_run *run, phys_addr_t phys,
			       phys_addr_t size)
{
	int err;

	if (!memblock_is_region_memory(phys, size)) {
		pr_err("%pa bytes of preserved memory at %pa are no memory\n",
		       &size, &phys);
		return -EINVAL;
	}

	if (phys != run->end) {
		err = kho_reserve_run_flush(run);
		if (err)
			return err;
		run->start = phys;
	}
	run->end = phys + size;

	return 0;
}

/**
 * kho_mark_lost - Note that KHO data were passed and cannot be used.
 *
 * The reason should have been printed. This is called so early that neither the
 * console nor the panic= option are known in most cases, and a panic here would
 * let the machine hang without a word. kho_memory_init() does it.
 *
 * Context: Before kho_memory_init() has ended.
 */
void __init kho_mark_lost(void)
{
	pr_warn("data of the previous kernel cannot be used\n");
	kho_lost = true;
}

/**
 * kho_panic_if_lost - End it if KHO data were passed and cannot be used.
 *
 * Context: From kho_memory_init(), when all data were looked at and no memory
 *          was given to the page allocator.
 */
void __init kho_panic_if_lost(void)
{
	/*
	 * The previous kernel has preserved memory, and this one does not know
	 * which. It may be in use by devices that are running all the time, and
	 * that would write into whatever it is used for now. Nothing can be
	 * called off any more, and there is no memory left to be trusted, not
	 * even for a kernel that goes on without any of the preserved state.
	 */
	if (kho_lost)
		panic("KHO: data of the previous kernel cannot be used, its preserved memory is lost\n");
}
