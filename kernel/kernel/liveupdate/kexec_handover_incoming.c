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
 *    Data of another version are no reason to, if the previous kernel says that no
 *    files were preserved, see kho_has_no_files().
 *
 * 4. kho_lost_keep_off() reserves everything but the scratch areas in this case,
 *    which nobody has preserved anything in. So the machine can boot on until there
 *    is a console, and kho_panic_if_lost() tells there why it ends.
 *
 * Locking: none. All of this runs on one CPU, before there is another.
 */

#define pr_fmt(fmt) "KHO: " fmt

#include <linux/crash_dump.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/init.h>
#include <linux/kexec_handover.h>
#include <linux/kho/abi/kexec_handover.h>
#include <linux/libfdt.h>
#include <linux/memblock.h>
#include <linux/mm.h>
#include <linux/panic.h>
#include <linux/printk.h>
#include <linux/string.h>

#include "kexec_handover_incoming.h"
#include "kexec_handover_internal.h"

static bool kho_lost __ro_after_init;

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
 * let the machine hang without a word. It comes later.
 *
 * Context: Before kho_memory_init() has ended.
 */
void __init kho_mark_lost(void)
{
	pr_warn("data of the previous kernel cannot be used\n");
	kho_lost = true;
}

/**
 * kho_is_lost - Were KHO data passed that cannot be used?
 */
bool kho_is_lost(void)
{
	return kho_lost;
}

/**
 * kho_check_node - May a node of the tree of preserved memory be looked at?
 * @phys: Its address, as the previous kernel has written it.
 *
 * Context: Before kho_memory_init() has ended.
 * Return: 0 if so. -EINVAL, which was reported, if it is not in memory, and looking
 *         would be a fault.
 */
int __init kho_check_node(phys_addr_t phys)
{
	if (IS_ALIGNED(phys, PAGE_SIZE) && memblock_is_region_memory(phys, PAGE_SIZE))
		return 0;

	pr_err("the map of preserved memory leads to %pa, which is no memory\n", &phys);
	return -EINVAL;
}

/**
 * kho_scratch_is_sane - Can these be the scratch areas?
 * @scratch: What the previous kernel says.
 * @nr:      The number of areas.
 */
bool __init kho_scratch_is_sane(const struct kho_scratch *scratch, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		phys_addr_t end = scratch[i].addr + scratch[i].size;

		if (!IS_ALIGNED(scratch[i].addr | scratch[i].size, PAGE_SIZE) ||
		    end < scratch[i].addr || end > PHYS_ADDR_MAX >> 1)
			return false;
	}

	return nr;
}

/**
 * kho_has_no_files - Has the previous kernel preserved no files?
 * @fdt: The root of its data, of whatever version, with a valid header.
 *
 * Return: true if it says so, false if it has or does not say.
 */
bool __init kho_has_no_files(const void *fdt)
{
	const void *prop;
	u64 nr_files;
	int len;

	prop = fdt_getprop(fdt, 0, KHO_FDT_FILES_PROP_NAME, &len);
	if (!prop || len != sizeof(nr_files))
		return false;

	/* Not aligned in the tree */
	memcpy(&nr_files, prop, sizeof(nr_files));
	return !nr_files;
}

static void __init kho_lost_panic(void)
{
	/*
	 * The previous kernel has preserved memory, and this one does not know
	 * which. It may be in use by devices that are running all the time, and
	 * that would write into whatever it is used for now. Nothing can be
	 * called off any more, and there is no memory left to be trusted, not
	 * even for a kernel that goes on without any of the preserved state.
	 */
	panic("KHO: data of the previous kernel cannot be used, its preserved memory is lost\n");
}

/**
 * kho_lost_shrink_scratch - Leave nothing but the scratch areas marked as such.
 *
 * More was marked, see kho_extend_scratch(), by the same map that turned out to be
 * damaged only afterwards. So what is free there is not known.
 *
 * Context: From kho_memory_init(), before kho_lost_keep_off().
 */
void __init kho_lost_shrink_scratch(void)
{
	int err;

	err = memblock_clear_kho_scratch(0, memblock_end_of_DRAM());
	for (unsigned int i = 0; !err && i < kho_scratch_cnt; i++)
		err = memblock_mark_kho_scratch(kho_scratch[i].addr,
						kho_scratch[i].size);
	if (err)
		kho_lost_panic();
}

/**
 * kho_lost_keep_off - Keep off the memory that the previous kernel may have preserved.
 * @scratch_known: Whether the scratch areas are marked in memblock.
 *
 * Without scratch areas there is no memory to boot on with, and it ends here.
 *
 * Context: From kho_memory_init(), when all data were looked at and no memory
 *          was given to the page allocator.
 */
void __init kho_lost_keep_off(bool scratch_known)
{
	struct memblock_region *region;

	if (!scratch_known)
		kho_lost_panic();

	for_each_mem_region(region) {
		if (!memblock_is_kho_scratch(region) &&
		    memblock_reserve(region->base, region->size))
			kho_lost_panic();
	}
}

/* There is a console now, and no other CPU, bus or device has been started. */
static int __init kho_panic_if_lost(void)
{
	if (kho_lost && !is_kdump_kernel())
		kho_lost_panic();

	return 0;
}
early_initcall(kho_panic_if_lost);
