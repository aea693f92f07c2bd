// SPDX-License-Identifier: GPL-2.0
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */

/**
 * DOC: IOMMU units that are kept translating
 *
 * A unit that is found translating by a kernel that came by live update was left
 * on for devices that went on with DMA while the kernel was replaced. If it was
 * switched off, their addresses would be taken for physical ones: they would
 * write into memory of this kernel. That holds for every kernel that can be
 * started by a live update, whether or not it knows what to do with the unit,
 * so this file depends on KEXEC_HANDOVER and not on IOMMU_LIVEUPDATE.
 *
 * It is a live update if files may have been handed over, see
 * kho_files_came_in(): no device is without one, and LUO refuses to start an
 * image that does not take the word of them along. Everybody else knows nothing
 * of this: firmware leaves units translating, to keep devices from memory before
 * the kernel comes, and so may a plain kexec. Nor does it concern a crash
 * kernel, which has means of its own.
 *
 * What a driver does:
 *
 * 1. When it has looked at the registers of a unit and found translation on, it
 *    calls iommu_kept_found(), before anything depends on what it does with
 *    the unit.
 * 2. If it can use the tables, it says iommu_kept_set(IOMMU_KEPT_ADOPTED). It may
 *    go back to IOMMU_KEPT_FOUND, before the unit has a device, if the set-up of
 *    the unit fails later on.
 * 3. Wherever it is about to switch translation off it asks iommu_kept_on(), and
 *    iommu_kept_block(): as long as that is true it puts an empty table in
 *    force, with translation on all the time, so that all devices are blocked.
 *    That must be possible without memory, and comes again whenever translation
 *    was about to be switched off, since the caller may be about to free what
 *    is in force.
 * 4. When it switches translation on, with tables of its own, it says so by
 *    iommu_kept_started(). From then on the unit is like any other.
 * 5. The old kernel: in the hand-over iommu_kept_set(IOMMU_KEPT_HANDED_OVER), under
 *    the lock of the unit's entries. Whoever makes an entry present looks at it.
 * 6. At shutdown iommu_kept_release(): also a unit that was never used is switched
 *    off then. Bus mastering is off, and its table goes away with this kernel.
 * 7. Before a unit is removed it asks iommu_kept_remove().
 *
 * A device that is probed behind such a unit may be running still, and loses bus
 * mastering before it gets a domain with other contents: iommu_kept_quiesce().
 *
 * Locking: the state is changed by set-up, hot-add, hand-over and shutdown of a
 * unit only, which do not run at the same time.
 */

#define pr_fmt(fmt) "iommu: " fmt

#include <linux/crash_dump.h>
#include <linux/iommu.h>
#include <linux/kexec_handover.h>
#include <linux/panic.h>
#include <linux/pci.h>

#include "iommu-kept.h"

/**
 * iommu_kept_found - A unit was found translating
 * @iommu: The unit
 *
 * Context: Set-up of a unit, registered or not.
 * Return: true if a live update has left it on, so that translation has to stay on.
 */
bool iommu_kept_found(struct iommu_device *iommu)
{
	if (is_kdump_kernel() || !kho_files_came_in())
		return false;

	iommu->kept.found = true;
	iommu->kept.state = IOMMU_KEPT_FOUND;
	return true;
}
EXPORT_SYMBOL_GPL(iommu_kept_found);

/**
 * iommu_kept_on - Must translation of a unit not be switched off?
 * @iommu: The unit
 *
 * Context: Any.
 * Return: true if it must not.
 */
bool iommu_kept_on(const struct iommu_device *iommu)
{
	return iommu_kept_is(iommu, IOMMU_KEPT_FOUND) ||
	       iommu_kept_is(iommu, IOMMU_KEPT_BLOCKED) ||
	       iommu_kept_is(iommu, IOMMU_KEPT_HANDED_OVER);
}
EXPORT_SYMBOL_GPL(iommu_kept_on);

/**
 * iommu_kept_block - Must a unit get an empty table?
 * @iommu: The unit, about to be switched off
 * @name: What to call it
 *
 * Context: Set-up and hot-add of units, may sleep.
 * Return: true if the caller is to put an empty table in force now, instead of
 * switching the unit off. False is no leave to do that: see iommu_kept_on().
 */
bool iommu_kept_block(struct iommu_device *iommu, const char *name)
{
	if (!iommu_kept_on(iommu) || iommu_kept_is(iommu, IOMMU_KEPT_HANDED_OVER))
		return false;

	pr_err("%s: found translating and not adopted, all of its devices are blocked\n",
	       name);
	add_taint(TAINT_WARN, LOCKDEP_STILL_OK);
	iommu->kept.state = IOMMU_KEPT_BLOCKED;
	return true;
}
EXPORT_SYMBOL_GPL(iommu_kept_block);

/**
 * iommu_kept_set - The tables of a unit have changed hands
 * @iommu: The unit
 * @state: IOMMU_KEPT_ADOPTED, or IOMMU_KEPT_FOUND for a unit that was adopted and
 *	cannot be put in use, or IOMMU_KEPT_HANDED_OVER
 *
 * Context: As the DOC block says for each of them.
 */
void iommu_kept_set(struct iommu_device *iommu, enum iommu_kept_state state)
{
	iommu->kept.state = state;
}
EXPORT_SYMBOL_GPL(iommu_kept_set);

/**
 * iommu_kept_started - A unit translates by tables that this kernel has put in force
 * @iommu: The unit
 *
 * What was adopted stays so, a suspend of the machine does not change that.
 *
 * Context: Set-up, hot-add and resume of a unit.
 */
void iommu_kept_started(struct iommu_device *iommu)
{
	if (iommu_kept_is(iommu, IOMMU_KEPT_FOUND) ||
	    iommu_kept_is(iommu, IOMMU_KEPT_BLOCKED))
		iommu->kept.state = IOMMU_KEPT_NO;
}
EXPORT_SYMBOL_GPL(iommu_kept_started);

/**
 * iommu_kept_release - Let a unit that is not used be switched off
 * @iommu: The unit
 *
 * Context: Shutdown, no other CPU runs.
 */
void iommu_kept_release(struct iommu_device *iommu)
{
	if (!iommu_kept_is(iommu, IOMMU_KEPT_HANDED_OVER))
		iommu->kept.state = IOMMU_KEPT_NO;
}
EXPORT_SYMBOL_GPL(iommu_kept_release);

/**
 * iommu_kept_in_use - Is a unit preserved or adopted?
 * @iommu: The unit
 *
 * Context: Any.
 * Return: true if its tables must not be replaced or freed.
 */
bool iommu_kept_in_use(const struct iommu_device *iommu)
{
	return iommu->kept.preserved || iommu_kept_is(iommu, IOMMU_KEPT_ADOPTED);
}
EXPORT_SYMBOL_GPL(iommu_kept_in_use);

/**
 * iommu_kept_remove - May a unit be removed?
 * @iommu: The unit
 * @name: What to call it
 *
 * To be asked before anything of it is taken down. What was adopted stays for as
 * long as this kernel runs.
 *
 * Context: Unit hot-plug.
 * Return: 0, or -EBUSY if devices may be running behind it.
 */
int iommu_kept_remove(const struct iommu_device *iommu, const char *name)
{
	if (!iommu_kept_in_use(iommu) && !iommu_kept_on(iommu))
		return 0;

	pr_err("%s: cannot be removed, live update keeps it\n", name);
	return -EBUSY;
}
EXPORT_SYMBOL_GPL(iommu_kept_remove);

/**
 * iommu_kept_quiesce - Stop a device whose unit was found translating
 * @dev: The device being probed
 * @iommu: Its unit
 *
 * It may be running still, at addresses that mean something else in the domain
 * that it is about to get. That the previous kernel has stopped what it did not
 * preserve is no help: its programs may have started it again. What is to go on
 * the PCI core spares.
 *
 * Context: Probe, before the device is attached to anything.
 */
void iommu_kept_quiesce(struct device *dev, const struct iommu_device *iommu)
{
	if (iommu->kept.found && dev_is_pci(dev) && !dev->driver)
		pci_stop_dma(to_pci_dev(dev));
}
