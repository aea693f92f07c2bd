// SPDX-License-Identifier: GPL-2.0-only

/**
 * DOC: Memory That the Next Kernel Knows in Time
 *
 * The next kernel reserves what was preserved before it gives memory to anybody. By
 * then it has the firmware's map of memory and nothing else. Memory that was added
 * to the running machine is not in there: ACPI tells of it much later, and nothing
 * can be reserved in it, or read from it, at the time. So it must not be preserved:
 *
 * 1. kho_boot_memory_init() notes what this kernel knows at the same point of its
 *    boot. It is what the next one will know.
 *
 * 2. kho_is_boot_memory() is asked for everything that is preserved, and for KHO's
 *    own pages.
 *
 * Memory that is online as movable makes no trouble: pages that are pinned or used by
 * the kernel are elsewhere.
 *
 * Locking: none. The ranges do not change after they are noted.
 */

#define pr_fmt(fmt) "KHO: " fmt

#include <linux/cache.h>
#include <linux/init.h>
#include <linux/liveupdate.h>
#include <linux/memblock.h>
#include <linux/printk.h>

#include "kexec_handover_boot_mem.h"

struct kho_boot_range {
	phys_addr_t start;
	phys_addr_t end;
};

/* In ascending order, with something between two of them. */
static struct kho_boot_range *kho_boot_ranges __ro_after_init;
static unsigned int kho_nr_boot_ranges __ro_after_init;

/* Returns how many ranges there are. They are stored if there is room for them. */
static unsigned int __init kho_boot_memory_collect(struct kho_boot_range *ranges)
{
	phys_addr_t start, end, last_end = 0;
	unsigned int nr = 0;
	u64 i;

	for_each_mem_range(i, &start, &end) {
		if (!nr || start != last_end)
			nr++;
		last_end = end;
		if (!ranges)
			continue;
		if (!ranges[nr - 1].end)
			ranges[nr - 1].start = start;
		ranges[nr - 1].end = end;
	}

	return nr;
}

/**
 * kho_boot_memory_init - Note which memory there is.
 *
 * Without memory for that, nothing counts as known, and nothing can be preserved.
 *
 * Context: From kho_memory_init(), as long as memblock can be used.
 */
void __init kho_boot_memory_init(void)
{
	unsigned int nr = kho_boot_memory_collect(NULL);

	kho_boot_ranges = memblock_alloc(nr * sizeof(*kho_boot_ranges),
					 SMP_CACHE_BYTES);
	if (!kho_boot_ranges) {
		pr_err("no memory to note which memory there is, nothing can be preserved\n");
		return;
	}

	kho_nr_boot_ranges = kho_boot_memory_collect(kho_boot_ranges);
}

/**
 * kho_is_boot_memory - Will the next kernel know this memory in time?
 * @phys: Physical address.
 * @size: Size in bytes.
 *
 * Context: Any context, once kho_memory_init() has run.
 * Return: true if so. false if it was added later, after a line in the log.
 */
bool kho_is_boot_memory(phys_addr_t phys, phys_addr_t size)
{
	unsigned int low = 0, high = kho_nr_boot_ranges;

	/* The first range that ends behind @phys. */
	while (low < high) {
		unsigned int middle = low + (high - low) / 2;

		if (kho_boot_ranges[middle].end <= phys)
			low = middle + 1;
		else
			high = middle;
	}

	if (low < kho_nr_boot_ranges && kho_boot_ranges[low].start <= phys &&
	    size <= kho_boot_ranges[low].end - phys)
		return true;

	/* Where memory is, is not for everybody who has a session */
	pr_warn_ratelimited("memory at %pa was added to the running machine and cannot be preserved: set added memory online as movable\n",
			    &phys);
	liveupdate_note_reason("memory was added to the running machine and cannot be preserved: set added memory online as movable\n");
	return false;
}
