// SPDX-License-Identifier: GPL-2.0
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */

/**
 * DOC: Test hooks: VT-d live update with one thing left out
 *
 * That a rule is kept can only be shown if a test fails where it is broken.
 * Each parameter breaks one, in the kernel on whose command line it stands.
 * All but linger_ms are booleans, and all can also be set at run time, below
 * /sys/module/iommu_liveupdate_test/parameters. The prefix is
 * "iommu_liveupdate_test.". Never for production.
 *
 * Old kernel, hand-over:
 *
 * no_scrub
 *	Entries that are not preserved stay as they are. (In the next kernel
 *	the scrub after adopting is left out likewise.)
 * no_flush
 *	The caches are not invalidated after that. (Likewise.)
 * no_flag
 *	That the unit was handed over is not noted, entries can become present again.
 * no_keep
 *	Translation is switched off with the other units.
 * no_mask
 *	The interrupts of the unit are not masked.
 * stop_queue
 *	The invalidation queue is switched off first: the wait for it has to
 *	end with a panic.
 * linger_ms
 *	A number: for so long the CPUs go on after the hand-over, with all that
 *	they want to do to the tables.
 * freeze_fails
 *	The live entries of each device seem to differ at freeze: the kexec is
 *	to be refused.
 *
 * Next kernel:
 *
 * root_write
 *	The root pointer is written after adopting, with the same address.
 * translation_off
 *	Translation is switched off and on after adopting.
 * no_reserve
 *	The domain ids of the record are not reserved.
 * no_block
 *	A unit that is found translating and not adopted is switched off, as if
 *	it was none that a live update left on.
 * ir_off
 *	Interrupt remapping is switched off and on while its table is replaced.
 * probe_fails
 *	The software PASID table of an incoming device cannot be allocated.
 *
 * Any kernel, when a live entry is replaced:
 *
 * replace_gap
 *	The entry is written as not present first.
 * no_replace_sync
 *	The context or PASID cache is not invalidated after a write.
 * no_replace_flush
 *	The translation caches are not invalidated at the end.
 * no_replace_id
 *	There is no domain id for the new domain as long as the old one has its own.
 */

#define pr_fmt(fmt)	"DMAR: " fmt

#include <linux/delay.h>
#include <linux/dmar.h>
#include <linux/moduleparam.h>

#include "iommu.h"
#include "liveupdate-found.h"
#include "liveupdate-test.h"

#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX "iommu_liveupdate_test."

bool intel_liveupdate_test_no_scrub;
module_param_named(no_scrub, intel_liveupdate_test_no_scrub, bool, 0644);

bool intel_liveupdate_test_no_flush;
module_param_named(no_flush, intel_liveupdate_test_no_flush, bool, 0644);

bool intel_liveupdate_test_no_flag;
module_param_named(no_flag, intel_liveupdate_test_no_flag, bool, 0644);

bool intel_liveupdate_test_no_keep;
module_param_named(no_keep, intel_liveupdate_test_no_keep, bool, 0644);

bool intel_liveupdate_test_no_mask;
module_param_named(no_mask, intel_liveupdate_test_no_mask, bool, 0644);

bool intel_liveupdate_test_no_reserve;
module_param_named(no_reserve, intel_liveupdate_test_no_reserve, bool, 0644);

bool intel_liveupdate_test_no_block;
module_param_named(no_block, intel_liveupdate_test_no_block, bool, 0644);

bool intel_liveupdate_test_ir_off;
module_param_named(ir_off, intel_liveupdate_test_ir_off, bool, 0644);

bool intel_liveupdate_test_freeze_fails;
module_param_named(freeze_fails, intel_liveupdate_test_freeze_fails, bool, 0644);

bool intel_liveupdate_test_probe_fails;
module_param_named(probe_fails, intel_liveupdate_test_probe_fails, bool, 0644);

bool intel_liveupdate_test_replace_gap;
module_param_named(replace_gap, intel_liveupdate_test_replace_gap, bool, 0644);

bool intel_liveupdate_test_no_replace_sync;
module_param_named(no_replace_sync, intel_liveupdate_test_no_replace_sync, bool, 0644);

bool intel_liveupdate_test_no_replace_flush;
module_param_named(no_replace_flush, intel_liveupdate_test_no_replace_flush, bool, 0644);

bool intel_liveupdate_test_no_replace_id;
module_param_named(no_replace_id, intel_liveupdate_test_no_replace_id, bool, 0644);

static unsigned int linger_ms;
module_param(linger_ms, uint, 0644);

static bool stop_queue;
module_param(stop_queue, bool, 0644);

static bool root_write;
module_param(root_write, bool, 0644);

static bool translation_off;
module_param(translation_off, bool, 0644);

/**
 * intel_liveupdate_test_warn - Say that a rule is broken on purpose
 * @name: Name of the parameter
 *
 * Return: True.
 */
bool intel_liveupdate_test_warn(const char *name)
{
	pr_warn("live update test: %s\n", name);
	return true;
}

static void write_te(struct intel_iommu *iommu, u32 te)
{
	u32 sts;

	guard(raw_spinlock_irqsave)(&iommu->register_lock);
	writel((iommu->gcmd & ~DMA_GCMD_TE) | te, iommu->reg + DMAR_GCMD_REG);
	IOMMU_WAIT_OP(iommu, DMAR_GSTS_REG, readl,
		      !(sts & DMA_GSTS_TES) == !te, sts);
}

/**
 * intel_liveupdate_test_handover - What goes wrong before a hand-over
 * @iommu: The unit that is about to be handed over
 */
void intel_liveupdate_test_handover(struct intel_iommu *iommu)
{
	if (stop_queue && intel_liveupdate_test_warn("stop_queue"))
		dmar_disable_qi(iommu);
}

/**
 * intel_liveupdate_test_linger - Time between the hand-over and the jump
 *
 * Context: All CPUs run, the caller's may not be taken away.
 */
void intel_liveupdate_test_linger(void)
{
	if (linger_ms &&
	    intel_liveupdate_test_warn("linger_ms, handed over, translation stays on"))
		mdelay(linger_ms);
}

/**
 * intel_liveupdate_test_adopted - What is done too much after adopting
 * @iommu: The unit that was adopted
 */
void intel_liveupdate_test_adopted(struct intel_iommu *iommu)
{
	if (root_write && intel_liveupdate_test_warn("root_write"))
		iommu_set_root_entry(iommu);
	if (translation_off && intel_liveupdate_test_warn("translation_off")) {
		write_te(iommu, 0);
		write_te(iommu, DMA_GCMD_TE);
	}
}
