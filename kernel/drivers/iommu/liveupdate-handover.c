// SPDX-License-Identifier: GPL-2.0
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */

/**
 * DOC: IOMMU live update, hand-over
 *
 * The last things the old kernel does with what liveupdate-outgoing.c has
 * recorded. liveupdate.c has the whole picture.
 *
 * 1. iommu_liveupdate_freeze(): last step that may fail. A failure means that
 *    the kexec is refused and everything goes on.
 * 2. iommu_liveupdate_unfreeze(): something else refused the kexec.
 * 3. iommu_liveupdate_handover(): no way back, and nothing that can fail.
 *
 * Locking: iommu_liveupdate_outgoing_lock guards everything in this file.
 */

#define pr_fmt(fmt) "iommu: liveupdate: " fmt

#include <linux/iommu.h>
#include <linux/iommu-liveupdate.h>
#include <linux/liveupdate.h>
#include <linux/liveupdate_timing.h>
#include <linux/mutex.h>

#include "liveupdate.h"

static int iommu_liveupdate_freeze_all(struct iommu_liveupdate_outgoing *out)
{
	struct iommu_liveupdate_out_unit *unit;
	int ret;

	list_for_each_entry(unit, &out->units, list) {
		ret = iommu_liveupdate_unit_ops(unit)->unit_freeze(unit->iommu,
								   unit->ser);
		if (ret) {
			liveupdate_refuse_err("unit 0x%llx cannot be handed over: %pe\n",
					      unit->ser->base, ERR_PTR(ret));
			return ret;
		}
	}
	iommu_liveupdate_seal(out);
	return iommu_liveupdate_verify(out);
}

/**
 * iommu_liveupdate_freeze - Last check of all preserved units
 *
 * To be called from the freeze callback of each preserved iommufd. The first
 * call does the work: groups are looked at, each driver compares its hardware
 * with the records and preserves what has been added since, and the records are
 * sealed. This may allocate and fail. What was added stays preserved until its
 * unit is not.
 *
 * Context: May sleep. Takes group->mutex.
 * Return: 0 on success, -ENOENT if nothing is preserved, -EBUSY if a group is
 * preserved in part, the errno of the
 * driver whose unit does not fit, or that of iommu_liveupdate_check() if the
 * next kernel would not read the records. Then nothing is frozen.
 */
int iommu_liveupdate_freeze(void)
{
	struct iommu_liveupdate_outgoing *out;
	int ret;

	ret = iommu_liveupdate_check_groups();
	if (ret)
		return ret;

	guard(mutex)(&iommu_liveupdate_outgoing_lock);
	out = iommu_liveupdate_outgoing;
	if (!out)
		return -ENOENT;

	if (!out->frozen) {
		ret = iommu_liveupdate_freeze_all(out);
		if (ret)
			return ret;
	}
	out->frozen++;
	return 0;
}
EXPORT_SYMBOL_NS_GPL(iommu_liveupdate_freeze, "IOMMUFD_INTERNAL");

/**
 * iommu_liveupdate_unfreeze - Undo one iommu_liveupdate_freeze()
 *
 * With the last one things may be preserved and given up again.
 *
 * Context: May sleep.
 */
void iommu_liveupdate_unfreeze(void)
{
	struct iommu_liveupdate_outgoing *out;

	guard(mutex)(&iommu_liveupdate_outgoing_lock);
	out = iommu_liveupdate_outgoing;
	/* One more than there were freezes: what is frozen would change */
	if (WARN_ON_ONCE(!out || !out->frozen))
		return;
	out->frozen--;
}
EXPORT_SYMBOL_NS_GPL(iommu_liveupdate_unfreeze, "IOMMUFD_INTERNAL");

/**
 * iommu_liveupdate_handover - Hand all preserved units over
 *
 * Does nothing unless a frozen session goes with this kexec. Cannot fail.
 *
 * Context: Syscore shutdown of a kexec: process context, all CPUs run. The lock
 * cannot be held for long by anybody, since LUO lets nobody into a session.
 */
void iommu_liveupdate_handover(void)
{
	struct iommu_liveupdate_outgoing *out;
	struct iommu_liveupdate_out_unit *unit;

	guard(mutex)(&iommu_liveupdate_outgoing_lock);
	out = iommu_liveupdate_outgoing;
	if (!out || !out->frozen)
		return;

	liveupdate_phase_begin(LIVEUPDATE_PHASE_HANDOVER);
	list_for_each_entry(unit, &out->units, list) {
		pr_debug("handing over unit 0x%llx with %u devices\n",
			 unit->ser->base, unit->ser->nr_devices);
		iommu_liveupdate_unit_ops(unit)->unit_handover(unit->iommu,
							       unit->ser);
	}
	iommu_liveupdate_seal(out);
	/* One line for all: a serial console is slow, and the guests stand still */
	pr_info("%zu unit(s) handed over, translation stays on for %zu device(s)\n",
		list_count_nodes(&out->units), list_count_nodes(&out->devices));
	liveupdate_phase_end(LIVEUPDATE_PHASE_HANDOVER);
}
