// SPDX-License-Identifier: GPL-2.0
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */

/**
 * DOC: VT-d units that are found translating
 *
 * A unit that is found translating, other than by a crash kernel, was left on
 * for devices that went on with DMA while the kernel was replaced. If it was
 * switched off, their addresses would be taken for physical ones: they would
 * write into memory of this kernel. That holds for every kernel that can be
 * started by a live update, whether or not it knows what to do with the unit,
 * so this file depends on KEXEC_HANDOVER and not on IOMMU_LIVEUPDATE.
 *
 * Life cycle:
 *
 * 1. intel_liveupdate_found(), when the unit is set up: VTD_FLAG_FOUND_ON is
 *    raised, for ever, and with it the table mode is fixed, which cannot change
 *    while translation is on. VTD_FLAG_KEEP_ON is raised, too.
 * 2. intel_liveupdate_ir_stays_on(): interrupt remapping is not switched off
 *    either, since a device can raise an interrupt by an ordinary write to the
 *    interrupt address range. The table of this kernel is put in force with
 *    remapping on. Records cannot be read this early.
 * 3. intel_liveupdate_adopt() in init_dmars() or at hot-add, see
 *    liveupdate-incoming.c. VTD_FLAG_KEEP_ON is lowered, since the unit is
 *    protected by intel_liveupdate_in_use() from then on.
 * 4. Without that: whoever is about to switch translation off asks
 *    intel_liveupdate_stays_on(), which gives the unit an empty root table
 *    instead. That goes for init_dmars(), its error path, ignored units, unit
 *    hot-add and intel_iommu=off alike. All devices are blocked.
 * 5. intel_liveupdate_quiesce(): a device that is probed may be running still,
 *    and loses bus mastering before it gets a domain with other contents. Behind
 *    an adopted unit that goes for all but the adopted devices.
 * 6. VTD_FLAG_KEEP_ON is lowered when this kernel switches translation on with
 *    a root table of its own. From then on this is a unit like any other.
 * 7. intel_liveupdate_release_blocked(): at shutdown also a unit that was never
 *    used is switched off: bus mastering is off by then, and its root table goes
 *    away with this kernel.
 *
 * The hand-over of the old kernel raises VTD_FLAG_KEEP_ON as well.
 *
 * Units that the boot firmware leaves translating are treated alike: blocked
 * for a moment instead of open for a moment.
 *
 * Locking: flags are changed by set-up, hot-add, hand-over and shutdown of a
 * unit only, which do not run at the same time.
 */

#define pr_fmt(fmt)	"DMAR: " fmt

#include <linux/crash_dump.h>
#include <linux/dmar.h>
#include <linux/iommu-liveupdate.h>
#include <linux/panic.h>
#include <linux/pci.h>

#include "iommu.h"
#include "liveupdate-found.h"
#include "liveupdate-test.h"

/* Translation table mode of the root table register, and its abort mode */
#define RTADDR_TTM		GENMASK_ULL(11, 10)
#define RTADDR_TTM_ABORT	GENMASK_ULL(11, 10)

/* A unit has got an empty root: its struct and its shutdown are needed */
bool intel_liveupdate_unit_blocked;

/**
 * intel_liveupdate_found - Take note of a unit that translates
 * @iommu: The unit, its registers mapped
 *
 * Only a unit that walks tables is meant: in abort mode nothing passes, which
 * is how firmware leaves a unit, and no kernel.
 *
 * Context: Set-up of a unit, before anything depends on its table mode.
 */
void intel_liveupdate_found(struct intel_iommu *iommu)
{
	u64 rtaddr;

	if (is_kdump_kernel() || intel_liveupdate_test(no_block) ||
	    !(readl(iommu->reg + DMAR_GSTS_REG) & DMA_GSTS_TES))
		return;

	rtaddr = readq(iommu->reg + DMAR_RTADDR_REG);
	if ((rtaddr & RTADDR_TTM) == RTADDR_TTM_ABORT)
		return;

	iommu->flags |= VTD_FLAG_FOUND_ON | VTD_FLAG_KEEP_ON;
	if (rtaddr & DMA_RTADDR_SMT)
		iommu->flags |= VTD_FLAG_FOUND_SCALABLE;
}

/**
 * intel_liveupdate_found_on - Was a unit found translating?
 * @drhd: The unit
 *
 * Return: True if it was, so that no option may take it out of use.
 */
bool intel_liveupdate_found_on(struct dmar_drhd_unit *drhd)
{
	return drhd->iommu && drhd->iommu->flags & VTD_FLAG_FOUND_ON;
}

/* If it has a record its devices are lost for live update, that has to show */
static void fail_record(struct intel_iommu *iommu)
{
#ifdef CONFIG_IOMMU_LIVEUPDATE
	const struct iommu_unit_ser *unit;

	unit = iommu_liveupdate_find_unit(IOMMU_UNIT_SER_VTD, iommu->reg_phys);
	if (!IS_ERR_OR_NULL(unit))
		iommu_liveupdate_fail_unit(unit, -EIO);
#endif
}

/*
 * A root table that is always there, always empty and never written, so that
 * this cannot fail. What software has for a root stays as it is: it is put in
 * force later, or freed.
 */
static void block_unit(struct intel_iommu *iommu)
{
	struct root_entry *root = iommu->root_entry;

	pr_err("%s: found translating and not adopted, all of its devices are blocked\n",
	       iommu->name);
	add_taint(TAINT_WARN, LOCKDEP_STILL_OK);

	if (!iommu->flush.flush_context)
		intel_iommu_init_qi(iommu);
	iommu->root_entry = page_address(ZERO_PAGE(0));
	__iommu_flush_cache(iommu, iommu->root_entry, VTD_PAGE_SIZE);
	iommu_flush_write_buffer(iommu);
	iommu_set_root_entry(iommu);
	iommu->root_entry = root;

	intel_liveupdate_unit_blocked = true;
	fail_record(iommu);
}

/**
 * intel_liveupdate_stays_on - Must translation not be switched off?
 * @iommu: The unit that is about to be switched off
 *
 * A unit that was found translating gets an empty root table instead, now and
 * whenever this is asked again before the unit is in use, since the caller may
 * be about to free the root table that is in force. A unit that was handed over
 * is left alone.
 *
 * Context: Set-up and hot-add of units, may sleep. After hand-over any.
 * Return: True if translation stays on.
 */
bool intel_liveupdate_stays_on(struct intel_iommu *iommu)
{
	if (!(iommu->flags & VTD_FLAG_KEEP_ON))
		return false;
	if (!intel_liveupdate_in_use(iommu))
		block_unit(iommu);
	return true;
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
	if (!(iommu->flags & VTD_FLAG_KEEP_ON) ||
	    !(readl(iommu->reg + DMAR_GSTS_REG) & DMA_GSTS_IRES) ||
	    intel_liveupdate_test(ir_off))
		return false;

	pr_info("%s: interrupt remapping stays on\n", iommu->name);
	return true;
}

/**
 * intel_liveupdate_release_blocked - Let a unit be switched off at shutdown
 * @iommu: The unit
 *
 * Context: Shutdown, no other CPU runs.
 */
void intel_liveupdate_release_blocked(struct intel_iommu *iommu)
{
	if (!intel_liveupdate_in_use(iommu))
		iommu->flags &= ~VTD_FLAG_KEEP_ON;
}

/**
 * intel_liveupdate_remove - May a unit be removed?
 * @iommu: The unit, or NULL
 *
 * To be asked before anything of it is taken down, interrupt remapping included.
 *
 * Context: Unit hot-plug.
 * Return: 0, or -EBUSY if devices may be running behind it.
 */
int intel_liveupdate_remove(struct intel_iommu *iommu)
{
	if (!iommu || !(intel_liveupdate_in_use(iommu) ||
			iommu->flags & VTD_FLAG_KEEP_ON))
		return 0;

	pr_err("%s: cannot be removed, live update keeps it\n", iommu->name);
	return -EBUSY;
}

/**
 * intel_liveupdate_quiesce - Stop a device whose unit was found translating
 * @dev: The device being probed, its device_domain_info set
 *
 * It may be running still, at addresses that mean something else in the domain
 * that it is about to get. That the previous kernel has stopped what it did not
 * preserve is no help: its programs may have started it again. Bridges have to
 * forward for others. An adopted device is to go on, and the caller spares it.
 *
 * Context: Probe.
 */
void intel_liveupdate_quiesce(struct device *dev)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	struct intel_iommu *iommu = info->iommu;

	if (!dev_is_pci(dev) || dev->driver ||
	    !(iommu->flags & VTD_FLAG_FOUND_ON) ||
	    to_pci_dev(dev)->class >> 16 == PCI_BASE_CLASS_BRIDGE)
		return;

	pci_clear_master(to_pci_dev(dev));
}
