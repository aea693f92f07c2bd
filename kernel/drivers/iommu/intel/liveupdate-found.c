// SPDX-License-Identifier: GPL-2.0
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */

/**
 * DOC: VT-d units that are found translating
 *
 * ../iommu-kept.c says why such a unit is not switched off, and what becomes of
 * it. Here is what VT-d does for that.
 *
 * A crash kernel copies the tables it finds and goes on translating. It takes
 * no more from here than the table mode. Units in abort mode are none of these:
 * nothing passes, which is how firmware leaves a unit, and no kernel.
 *
 * 1. intel_liveupdate_found(), when the unit is set up: VTD_FLAG_FOUND_MODE is
 *    raised, and fixes the table mode, which cannot change while translation is
 *    on.
 * 2. intel_liveupdate_ir_stays_on(): interrupt remapping is not switched off
 *    either, since a device can raise an interrupt by an ordinary write to the
 *    interrupt address range. The table of this kernel is put in force with
 *    remapping on. Records cannot be read this early. For the same reason
 *    intel_liveupdate_needs_intremap() overrules intremap=off.
 * 3. intel_liveupdate_adopt() in init_dmars() or at hot-add, see
 *    liveupdate-incoming.c.
 * 4. Without that: whoever is about to switch translation off asks
 *    intel_liveupdate_stays_on(), which gives the unit an empty root table
 *    instead. That goes for init_dmars(), its error path, ignored units, unit
 *    hot-add and intel_iommu=off alike.
 * 5. intel_liveupdate_woken() and intel_liveupdate_resume(): a unit that is not
 *    used is blocked again when the machine comes back from suspend, and not
 *    switched on before that, by interrupt remapping which comes first.
 *
 * Locking: as in ../iommu-kept.c.
 */

#define pr_fmt(fmt)	"DMAR: " fmt

#include <kunit/visibility.h>
#include <linux/crash_dump.h>
#include <linux/dmar.h>
#include <linux/iommu-liveupdate.h>
#include <linux/kexec_handover.h>

#include "iommu.h"
#include "liveupdate-abi.h"
#include "liveupdate-found.h"
#include "../irq_remapping.h"

/* Translation table mode of the root table register, and its abort mode */
#define RTADDR_TTM		GENMASK_ULL(11, 10)
#define RTADDR_TTM_ABORT	GENMASK_ULL(11, 10)

/* A unit has got an empty root: its struct and its shutdown are needed */
bool intel_liveupdate_unit_blocked;

/**
 * intel_liveupdate_found_flags - What the registers of a unit found on mean
 * @gsts: Global status register
 * @rtaddr: Root table address register
 *
 * Return: VTD_FLAG_*, none for a unit that does not walk tables.
 */
VISIBLE_IF_KUNIT unsigned int intel_liveupdate_found_flags(u32 gsts, u64 rtaddr)
{
	if (!(gsts & DMA_GSTS_TES) ||
	    (rtaddr & RTADDR_TTM) == RTADDR_TTM_ABORT)
		return 0;

	return VTD_FLAG_FOUND_MODE |
	       (rtaddr & DMA_RTADDR_SMT ? VTD_FLAG_FOUND_SCALABLE : 0);
}

/**
 * intel_liveupdate_found - Take note of a unit that translates
 * @iommu: The unit, its registers mapped
 *
 * Context: Set-up of a unit, before anything depends on its table mode.
 */
void intel_liveupdate_found(struct intel_iommu *iommu)
{
	unsigned int flags;

	flags = intel_liveupdate_found_flags(readl(iommu->reg + DMAR_GSTS_REG),
					     readq(iommu->reg + DMAR_RTADDR_REG));
	if (flags && (iommu_kept_found(&iommu->iommu) || is_kdump_kernel()))
		iommu->flags |= flags;
}

/**
 * intel_liveupdate_found_on - Was a unit found translating?
 * @drhd: The unit
 *
 * Return: True if it was, so that no option may take it out of use.
 */
bool intel_liveupdate_found_on(struct dmar_drhd_unit *drhd)
{
	return drhd->iommu && drhd->iommu->iommu.kept.found;
}

/* If it has a record its devices are lost for live update, that has to show */
static void fail_record(struct intel_iommu *iommu)
{
#ifdef CONFIG_IOMMU_LIVEUPDATE
	const struct iommu_unit_ser *unit;

	unit = iommu_liveupdate_find_unit(&intel_liveupdate_type,
					  IOMMU_UNIT_SER_BASE_MMIO,
					  iommu->reg_phys);
	if (!IS_ERR_OR_NULL(unit))
		iommu_liveupdate_fail_unit(unit, -EIO);
#endif
}

/*
 * A root table that is always there, always empty and never written, so that
 * this cannot fail. What software has for a root stays as it is: it is put in
 * force later, or freed.
 */
static void set_empty_root(struct intel_iommu *iommu)
{
	struct root_entry *root = iommu->root_entry;

	iommu->root_entry = page_address(ZERO_PAGE(0));
	__iommu_flush_cache(iommu, iommu->root_entry, VTD_PAGE_SIZE);
	iommu_flush_write_buffer(iommu);
	iommu_set_root_entry(iommu);
	iommu->root_entry = root;
}

static void block_unit(struct intel_iommu *iommu)
{
	if (!iommu->flush.flush_context)
		intel_iommu_init_qi(iommu);
	set_empty_root(iommu);

	intel_liveupdate_unit_blocked = true;
	fail_record(iommu);
}

/**
 * intel_liveupdate_woken - A unit may have lost its registers
 * @iommu: The unit
 *
 * Each write to the global command register repeats what is on. With the root
 * that the unit has lost translation must not be switched on by that.
 *
 * Context: Resume, interrupts off, other CPUs offline. Before the first write.
 */
void intel_liveupdate_woken(struct intel_iommu *iommu)
{
	if (iommu_kept_on(&iommu->iommu) &&
	    !(readl(iommu->reg + DMAR_GSTS_REG) & DMA_GSTS_TES))
		iommu->gcmd &= ~DMA_GCMD_TE;
}

/**
 * intel_liveupdate_resume - Block a unit again that has lost its registers
 * @iommu: The unit, which is not used by this kernel
 *
 * Without this translation would be off after a suspend of the machine.
 *
 * Context: Resume, interrupts off, other CPUs offline.
 */
void intel_liveupdate_resume(struct intel_iommu *iommu)
{
	u32 sts;

	if (!iommu_kept_on(&iommu->iommu))
		return;
	intel_liveupdate_woken(iommu);
	if (iommu->qi)
		dmar_reenable_qi(iommu);
	set_empty_root(iommu);

	guard(raw_spinlock_irqsave)(&iommu->register_lock);
	iommu->gcmd |= DMA_GCMD_TE;
	writel(iommu->gcmd, iommu->reg + DMAR_GCMD_REG);
	IOMMU_WAIT_OP(iommu, DMAR_GSTS_REG, readl, (sts & DMA_GSTS_TES), sts);
}

/**
 * intel_liveupdate_stays_on - Must translation not be switched off?
 * @iommu: The unit that is about to be switched off
 *
 * A unit that was found translating gets an empty root table instead. A unit that
 * was handed over is left alone.
 *
 * Context: Set-up and hot-add of units, may sleep. After hand-over any.
 * Return: True if translation stays on.
 */
bool intel_liveupdate_stays_on(struct intel_iommu *iommu)
{
	if (iommu_kept_block(&iommu->iommu, iommu->name))
		block_unit(iommu);
	return iommu_kept_on(&iommu->iommu);
}

/* Interrupts in this format pass by the table. Whoever switches remapping on looks */
static void block_compatibility_format(struct intel_iommu *iommu)
{
	u32 sts;

	guard(raw_spinlock_irqsave)(&iommu->register_lock);
	if (!(readl(iommu->reg + DMAR_GSTS_REG) & DMA_GSTS_CFIS))
		return;

	iommu->gcmd &= ~DMA_GCMD_CFI;
	writel(iommu->gcmd, iommu->reg + DMAR_GCMD_REG);
	IOMMU_WAIT_OP(iommu, DMAR_GSTS_REG, readl, !(sts & DMA_GSTS_CFIS), sts);
}

/**
 * intel_liveupdate_ir_stays_on - Must interrupt remapping not be switched off?
 * @iommu: The unit
 *
 * Context: Set-up of interrupt remapping, and its error path. That also meets
 * units that were not yet set up, and must not free the table of those that were.
 * Return: True if the unit was found translating, interrupts included.
 */
bool intel_liveupdate_ir_stays_on(struct intel_iommu *iommu)
{
	if (!iommu_kept_on(&iommu->iommu) ||
	    !(readl(iommu->reg + DMAR_GSTS_REG) & DMA_GSTS_IRES))
		return false;

	pr_info("%s: interrupt remapping stays on\n", iommu->name);
	block_compatibility_format(iommu);
	return true;
}

/**
 * intel_liveupdate_needs_intremap - Must interrupt remapping be set up?
 *
 * Told not to, this kernel would leave the table of the previous one in force,
 * whose memory it could never use, and could adopt none of the units. The message
 * is for whoever asked for that.
 *
 * Context: Boot, before interrupt remapping is set up.
 * Return: True if a unit was found translating, with its interrupts remapped.
 */
bool __init intel_liveupdate_needs_intremap(void)
{
	struct dmar_drhd_unit *drhd;
	struct intel_iommu *iommu;

	if (!kho_files_came_in() || is_kdump_kernel() || dmar_table_init() < 0)
		return false;

	for_each_iommu(iommu, drhd) {
		if (!iommu_kept_on(&iommu->iommu) ||
		    !(readl(iommu->reg + DMAR_GSTS_REG) & DMA_GSTS_IRES))
			continue;
		pr_warn("%s: found remapping interrupts for running devices, intremap=off is ignored\n",
			iommu->name);
		return true;
	}
	return false;
}
