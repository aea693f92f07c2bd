// SPDX-License-Identifier: GPL-2.0
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */

/**
 * DOC: IOMMU live update
 *
 * A live update replaces the kernel by kexec while virtual machines go on. For
 * a device that user space drives through vfio-pci and iommufd this means that
 * its DMA must go on as well, all the time, through the same page tables. The
 * IOMMU core's part is to tell the next kernel which IOMMU units, domains and
 * devices translate, to keep everybody's hands off them, and in the next
 * kernel to give each of these devices what it had: its domain, and nobody
 * else as its owner.
 *
 * Terms:
 *
 * - Unit: one IOMMU hardware instance, struct iommu_device.
 * - Record: what is handed over about one unit, one domain, one device or one
 *   attachment (a device, or a PASID of it, on a domain).
 *   include/linux/kho/abi/iommu.h has the layout. What only the driver of the
 *   unit knows is a part of its own. All records hang on one FLB (file lifecycle bound data) of
 *   the Live Update Orchestrator, which lives as long as preserved iommufds.
 * - Outgoing: the side of the old kernel, liveupdate-outgoing.c.
 * - Incoming: the side of the next kernel, liveupdate-incoming.c.
 * - Restored domain: a domain of the next kernel around a page table that
 *   was handed over. It can be translated through and freed, not mapped.
 *
 * Life cycle of a device:
 *
 * 1. The first iommufd of any session is preserved: the FLB's preserve
 *    allocates an empty struct iommu_ser, nothing else.
 * 2. iommufd calls iommu_domain_preserve() for each marked page table. From
 *    here on the domain is immutable: iommu_map() answers -EBUSY and
 *    iommu_unmap() does nothing.
 * 3. VFIO asks iommufd, and iommufd calls iommu_device_preserve(). With the
 *    first device of a unit the unit is preserved, too. From here on the group
 *    of the device keeps its domain and its owner, and nobody joins it.
 * 4. iommu_liveupdate_freeze() is the last step that may fail. Each member of a
 *    group is preserved by now, or none; the drivers compare hardware and records
 *    once more.
 * 5. Syscore shutdown calls iommu_liveupdate_handover(), which cannot fail:
 *    the drivers block whatever is not preserved and leave translation on.
 * 6. In the next kernel iommu_liveupdate_init() has the records checked and
 *    copied, before any IOMMU driver starts.
 * 7. A driver finds its unit with iommu_liveupdate_find_unit() and adopts the
 *    live tables in place.
 * 8. At probe of a device, iommu_liveupdate_init_device() finds its record
 *    before the driver sees it, and iommu_liveupdate_join_group() gives the new
 *    group its owner, live update, and the restored domain. The other members
 *    follow as they come. A default domain is allocated, but not attached.
 * 9. iommu_device_reclaim() of the first member hands the group to the iommufd of
 *    the session, which replaces the domain of all. A device that nobody takes is
 *    blocked and abandoned, and only that. With its last device the restored domain
 *    goes. See liveupdate-reclaim.c.
 * 10. When the last iommufd is finished the FLB's finish gives the memory of
 *     the records back. The device can be preserved again.
 *
 * Each of the steps 1 to 3 has a way back that leaves everything as it was. What
 * step 4 has added to the records stays in them until its unit is given up.
 *
 * When something is wrong in the next kernel, it fails closed: a device whose
 * record cannot be read or does not fit, or whose driver cannot adopt it, is
 * blocked with translation left on, stays owned by live update, and is
 * reported. Its probe returns 0, so that the rest of the machine comes up. (The
 * boot option iommu.liveupdate=panic asks for a panic instead.) "No record" is
 * another answer than "no usable record", which is why the look-ups return NULL
 * for the one and an error pointer for the other.
 *
 * The owner of an incoming group is a cookie that nobody but live update knows.
 * Kernel drivers therefore get -EBUSY from iommu_device_use_default_domain(),
 * and whoever claims the group gets -EPERM. The ownership ends by step 9. When
 * the device goes away before, it ends with the group; the record stays and the
 * next probe attaches it again.
 *
 * What a PASID is attached to is preserved, restored and replaced like what the
 * device is attached to without, if the driver can do so, and if the device has its
 * group for itself: a PASID that is attached is one of all members.
 *
 * Not handled here: registers and the layout of hardware tables (the driver
 * does them), page tables (generic_pt does them), the mapped memory (it belongs
 * to the preserved memfd).
 *
 * Locking:
 *
 * - iommu_liveupdate_outgoing_lock guards the outgoing records and lists, and
 *   is held across the outgoing driver operations and the KHO calls. It
 *   also serialises iommu_domain.liveupdate of preserved domains. That field is
 *   read without lock by map and unmap; the caller of iommu_domain_preserve()
 *   excludes them meanwhile.
 * - iommu_liveupdate_incoming_lock guards the pointer to the incoming records
 *   and the state of each of them. It is a leaf: no driver operation and
 *   no allocation happens under it. The lists do not change between retrieve
 *   and finish.
 * - iommu_probe_device_lock serialises everything at probe and release of a
 *   device: looking for its record, restoring its domain, adopting it. Whatever
 *   ends an attachment, and decides that a domain goes, holds it as well. The
 *   page table of such a domain is freed by a work item, under no lock.
 * - group->mutex guards owner, domain, members and the preserved flag of a
 *   group. It is held where they are tested or changed, in both kernels.
 *
 * The callbacks of the FLB take the two locks of live update and the KHO
 * tree lock, and finish takes iommu_probe_device_lock before them. The FLB's
 * own mutex is never taken with any lock of this file held: the outgoing object
 * is found through a pointer that the callbacks set and clear, so that no
 * reference can leak into the next kernel, and the incoming one is got and put
 * once, at boot. So look-ups may be made under a driver's global lock.
 *
 * Order, from the outermost: session mutex, luo_file mutex, iommufd's igroup
 * lock or the FLB's mutex (in its callbacks), iommu_probe_device_lock,
 * group->mutex, iommu_liveupdate_outgoing_lock, locks of the IOMMU driver,
 * iommu_liveupdate_incoming_lock, KHO tree lock.
 */

#define pr_fmt(fmt) "iommu: liveupdate: " fmt

#include <linux/crash_dump.h>
#include <linux/init.h>
#include <linux/iommu-liveupdate.h>
#include <linux/kexec.h>
#include <linux/liveupdate_timing.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/syscore_ops.h>

#include "liveupdate.h"

static const struct liveupdate_flb_ops iommu_liveupdate_flb_ops = {
	.preserve = iommu_liveupdate_outgoing_preserve,
	.unpreserve = iommu_liveupdate_outgoing_unpreserve,
	.retrieve = iommu_liveupdate_incoming_retrieve,
	.finish = iommu_liveupdate_incoming_finish,
	.owner = THIS_MODULE,
};

static struct liveupdate_flb iommu_liveupdate_flb = {
	.ops = &iommu_liveupdate_flb_ops,
	.compatible = IOMMU_SER_FLB_COMPATIBLE,
};

LIVEUPDATE_NOTE(IOMMU_SER_FLB_COMPATIBLE);

/**
 * iommu_liveupdate_identify - By what is a device known to the next kernel?
 * @dev: Any device
 * @ops: What its IOMMU driver does for live update, NULL for nothing
 * @id: Segment, requester id and what the device is are set
 *
 * Context: Any.
 * Return: false if there is nothing by which it can be known, or a record has no
 * room for it.
 */
bool iommu_liveupdate_identify(struct device *dev,
			       const struct iommu_liveupdate_ops *ops,
			       struct iommu_device_ser *id)
{
	struct pci_dev *pci;

	if (!dev_is_pci(dev))
		return ops && ops->dev_identify && ops->dev_identify(dev, id) &&
		       id->rid <= U16_MAX;

	pci = to_pci_dev(dev);
	id->segment = pci_domain_nr(pci->bus);
	id->rid = pci_dev_id(pci);
	id->vendor = pci->vendor;
	id->device = pci->device;
	return true;
}

/**
 * iommu_liveupdate_is_bridge - Does a member of a group only forward for others?
 * @dev: The member
 *
 * What forwards has no page table of anybody, and need not be preserved.
 *
 * Context: Any.
 * Return: true for a PCI bridge, by its header.
 */
bool iommu_liveupdate_is_bridge(struct device *dev)
{
	return dev_is_pci(dev) &&
	       to_pci_dev(dev)->hdr_type != PCI_HEADER_TYPE_NORMAL;
}

/**
 * iommu_liveupdate_register_flb - Hang the IOMMU records on a file handler
 * @fh: iommufd's file handler, registered already
 *
 * From then on the outgoing records exist while at least one file of @fh is
 * preserved. Nothing is allocated before that.
 *
 * Context: May sleep, takes LUO's registration lock. Called once per handler.
 * Return: 0, or the negative errno of liveupdate_register_flb().
 */
int iommu_liveupdate_register_flb(struct liveupdate_file_handler *fh)
{
	return liveupdate_register_flb(fh, &iommu_liveupdate_flb);
}
EXPORT_SYMBOL_NS_GPL(iommu_liveupdate_register_flb, "IOMMUFD_INTERNAL");

/*
 * The list of callbacks is walked from its end, so that what registers early
 * runs late: after the IOMMU drivers' own callbacks, if they have any. The same
 * callbacks run at plain reboot and halt, where nothing is to be kept.
 */
static void iommu_liveupdate_shutdown(void *data)
{
	if (kexec_in_progress)
		iommu_liveupdate_handover();
}

static const struct syscore_ops iommu_liveupdate_syscore_ops = {
	.shutdown = iommu_liveupdate_shutdown,
};

static struct syscore iommu_liveupdate_syscore = {
	.ops = &iommu_liveupdate_syscore_ops,
};

/*
 * Get the incoming records checked and copied before any IOMMU driver starts.
 * This is done whether or not a unit will ask for them: put_incoming must not
 * be the first that LUO sees of an FLB. A crash kernel has other means to deal
 * with running devices, records do not concern it.
 */
static void __init iommu_liveupdate_init_incoming(void)
{
	void *obj;
	int err;

	if (is_kdump_kernel())
		return;

	err = liveupdate_flb_get_incoming(&iommu_liveupdate_flb, &obj);
	switch (err) {
	case 0:
		/* The files that depend on the FLB keep it until finish */
		liveupdate_flb_put_incoming(&iommu_liveupdate_flb);
		break;
	case -ENODATA:
	case -ENOENT:
	case -EOPNOTSUPP:
		/* Cold boot, live update is off, or no iommufd was preserved */
		break;
	default:
		iommu_liveupdate_incoming_unusable(err);
	}
}

static int __init iommu_liveupdate_init(void)
{
	register_syscore(&iommu_liveupdate_syscore);
	liveupdate_phase_begin(LIVEUPDATE_PHASE_RECORDS);
	iommu_liveupdate_init_incoming();
	liveupdate_phase_end(LIVEUPDATE_PHASE_RECORDS);
	return 0;
}
core_initcall(iommu_liveupdate_init);
