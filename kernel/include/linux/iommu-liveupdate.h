/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 *
 * IOMMU live update: what iommufd, the PCI core and the IOMMU drivers share
 * with drivers/iommu/liveupdate.c. The life cycle is described there.
 */
#ifndef _LINUX_IOMMU_LIVEUPDATE_H
#define _LINUX_IOMMU_LIVEUPDATE_H

#include <linux/err.h>
#include <linux/errno.h>
#include <linux/types.h>
#include <linux/kho/abi/iommu.h>

struct device;
struct iommu_device;
struct iommu_domain;
struct iommu_liveupdate_type;
struct liveupdate_file_handler;

/**
 * enum iommu_liveupdate_domain_state - What live update does with a domain
 * @IOMMU_LIVEUPDATE_NONE: Nothing, an ordinary domain
 * @IOMMU_LIVEUPDATE_PRESERVED: It goes to the next kernel: no map, no unmap, no
 *	free
 * @IOMMU_LIVEUPDATE_RESTORED: It came from the previous kernel: no map, no unmap
 *
 * In &iommu_domain.liveupdate. Changed under a lock of liveupdate-outgoing.c, or
 * at probe, and read without.
 */
enum iommu_liveupdate_domain_state {
	IOMMU_LIVEUPDATE_NONE,
	IOMMU_LIVEUPDATE_PRESERVED,
	IOMMU_LIVEUPDATE_RESTORED,
};

/**
 * struct iommu_liveupdate_ops - What a driver does for live update
 * @type: The kind of its units, and the check of what it adds to records
 * @dev_identify: Fill segment, rid, vendor and device of @id for a device that is
 *	no PCI function, by facts that it has in every kernel, and that no PCI
 *	function has, @rid in 16 bits. Comes before the driver's probe_device.
 *	Returns false for a device that cannot be known again. NULL if none can.
 * @groups: Devices of groups of several can be preserved. They change over one after
 *	the other, and if one cannot then the others are attached to the restored
 *	domain again that they came in on.
 * @pasids: Attachments of PASIDs can be preserved.
 * @unit_preserve: The first device of the unit is being preserved. Refuse an
 *	unsuitable state, fill @unit but for flags and number of devices, hand
 *	the tables that all devices share to the core by
 *	iommu_liveupdate_preserve_table(), which gives them back if this fails.
 *	May sleep.
 * @unit_unpreserve: Undo @unit_preserve, after the last device has gone. The
 *	tables are the core's to give back.
 * @dev_preserve: Preserve what hardware has of @dev whatever its domain: fill
 *	ids, ATS and the table of its own in @devrec, add tables of the unit that
 *	have come since. What identifies device and unit is filled in already,
 *	the requester id is the first of the ids. Refuses what cannot come back.
 *	May sleep. group->mutex is held.
 * @dev_unpreserve: Undo @dev_preserve and each @att_preserve.
 * @att_preserve: Preserve the attachment of @dev, or of a PASID of it, to @domain:
 *	fill the hardware id of @att, compare the live entry. The PASID in @att is
 *	set, the attachment without one comes first. The driver may set
 *	domain_flags of @dser, the domain's record. As @dev_preserve, which came
 *	before.
 * @unit_freeze: Last step that may fail. Compare the hardware with the records,
 *	preserve shared tables added since, which stay preserved until
 *	@unit_unpreserve. Comes again if the kexec was refused. May sleep.
 * @unit_handover: Called by syscore shutdown, cannot fail: from here on no
 *	entry can become present, every entry that is not preserved is cleared,
 *	caches are flushed, what hardware writes to memory is stopped, and the
 *	unit is kept translating. May take locks, must bound its waits.
 * @domain_restore: Next kernel: build the domain object around the preserved
 *	page table, touching no hardware. Once per domain, whatever the number
 *	of devices and units. Returns an ERR_PTR on failure.
 * @att_adopt: Next kernel: software half of an attach. The live entry is
 *	compared with what it should be, never written. @devrec is one of the
 *	device's unit, see iommu_liveupdate_next_device(), @att one of its
 *	attachments, with a PASID or without. Comes again if the device is released,
 *	which leaves hardware alone, and probed again.
 * @dev_block: Next kernel: @dev cannot be trusted; make its entries not
 *	present, translation stays on. The unit may have been failed, and @dev
 *	may have no record of its own. Returns false if the unit may still
 *	translate for it by tables of the previous kernel.
 * @dev_unblock: Next kernel: @dev was blocked, by whatever means, and reset.
 *	Make it a device that an attach works for. May sleep.
 * @unit_match: Next kernel: is this the unit of the record? Called under a
 *	spinlock.
 * @ids_block: Next kernel: like @dev_block, for the entries that a record names.
 *	The device may not be there, or not known to the driver, or have other
 *	ids now. Does nothing, and returns true, if the unit has no such entries
 *	any more. May sleep.
 * @att_release: Next kernel: the device of the attachment was taken over or
 *	blocked for good, and none of its entries leads to the domain any more.
 *	With @last that goes for all devices of the unit: flush the id of the
 *	attachment from the caches and let others have it. The other attachments of
 *	the device may still be as they came in. @domain is the restored
 *	domain, or NULL if there is none; it is freed after the last. The unit may
 *	not have been adopted. May sleep.
 * @dev_release: Next kernel: that was the last attachment of the device. Block
 *	what is left of the entries that the record names, free the tables that
 *	came in for it and that no device has. Comes before the @att_release of
 *	that attachment. The unit may not have been adopted. May sleep.
 *
 * A driver offers all of them, but for @dev_identify, or none.
 */
struct iommu_liveupdate_ops {
	const struct iommu_liveupdate_type *type;
	bool groups;
	bool pasids;
	bool (*dev_identify)(struct device *dev, struct iommu_device_ser *id);
	int (*unit_preserve)(struct iommu_device *iommu,
			     struct iommu_unit_ser *unit);
	void (*unit_unpreserve)(struct iommu_device *iommu,
				struct iommu_unit_ser *unit);
	int (*dev_preserve)(struct device *dev, struct iommu_unit_ser *unit,
			    struct iommu_device_ser *devrec);
	void (*dev_unpreserve)(struct device *dev, struct iommu_unit_ser *unit,
			       struct iommu_device_ser *devrec);
	int (*att_preserve)(struct device *dev, struct iommu_domain *domain,
			    const struct iommu_device_ser *devrec,
			    struct iommu_attachment_ser *att,
			    struct iommu_domain_ser *dser);
	int (*unit_freeze)(struct iommu_device *iommu,
			   struct iommu_unit_ser *unit);
	void (*unit_handover)(struct iommu_device *iommu,
			      struct iommu_unit_ser *unit);
	struct iommu_domain *(*domain_restore)(struct iommu_device *iommu,
					       const struct iommu_domain_ser *dser);
	int (*att_adopt)(struct device *dev, struct iommu_domain *domain,
			 const struct iommu_device_ser *devrec,
			 const struct iommu_attachment_ser *att);
	bool (*dev_block)(struct device *dev);
	int (*dev_unblock)(struct device *dev);
	bool (*unit_match)(struct iommu_device *iommu,
			   const struct iommu_unit_ser *unit);
	bool (*ids_block)(struct iommu_device *iommu,
			  const struct iommu_device_ser *devrec);
	void (*att_release)(struct iommu_device *iommu,
			    struct iommu_domain *domain,
			    const struct iommu_attachment_ser *att, bool last);
	void (*dev_release)(struct iommu_device *iommu,
			    const struct iommu_device_ser *devrec);
};

#ifdef CONFIG_IOMMU_LIVEUPDATE

/* Outgoing: for iommufd */
int iommu_liveupdate_register_flb(struct liveupdate_file_handler *fh);
int iommu_domain_check_preserve(struct iommu_domain *domain);
size_t iommu_domain_mapped_run(struct iommu_domain *domain, unsigned long iova,
			       size_t length, phys_addr_t *phys);
int iommu_domain_preserve(struct iommu_domain *domain, u64 *domain_pa);
void iommu_domain_unpreserve(struct iommu_domain *domain);
int iommu_device_preserve(struct device *dev, struct iommu_domain *domain,
			  u64 iommufd_token);
void iommu_device_unpreserve(struct device *dev);
int iommu_liveupdate_freeze(void);
void iommu_liveupdate_unfreeze(void);

/* Outgoing: for drivers, in unit_preserve, dev_preserve and unit_freeze */
int iommu_liveupdate_preserve_table(struct iommu_unit_ser *unit, u16 kind,
				    void *virt, u16 flags);

/* Incoming: for the PCI core and VFIO */
bool iommu_liveupdate_device_owned(struct device *dev);
const struct iommu_device_ser *iommu_liveupdate_incoming_record(struct device *dev);

/* Incoming, the way back: for iommufd and VFIO */
int iommu_device_reclaim(struct device *dev, void *owner);
void iommu_liveupdate_replaced(struct device *dev, u32 pasid);
bool iommu_liveupdate_device_restored(struct device *dev);
bool iommu_liveupdate_can_block(u32 segment, u32 rid);
void iommu_liveupdate_stopped(u32 segment, u32 rid);
void iommu_liveupdate_block(u32 segment, u32 rid);
void iommu_liveupdate_abandon(u32 segment, u32 rid, bool reset_done);
bool iommu_liveupdate_can_abandon_domain(u64 domain_pa);
void iommu_liveupdate_abandon_domain(u64 domain_pa);
void iommu_liveupdate_stay_blocked(struct device *dev);

/* Incoming: for drivers. What is returned stays valid until finish. */
const struct iommu_unit_ser *
iommu_liveupdate_find_unit(const struct iommu_liveupdate_type *type,
			   u32 base_kind, u64 base);
void *iommu_liveupdate_claim_table(const struct iommu_unit_ser *unit,
				   unsigned int nr);
const struct iommu_device_ser *
iommu_liveupdate_next_device(const struct iommu_unit_ser *unit,
			     const struct iommu_device_ser *prev);
const struct iommu_attachment_ser *
iommu_liveupdate_next_attachment(const struct iommu_device_ser *devrec,
				 const struct iommu_attachment_ser *prev);
bool iommu_liveupdate_first_with_id(const struct iommu_unit_ser *unit,
				    const struct iommu_attachment_ser *att);
const struct iommu_device_ser *iommu_liveupdate_device_record(struct device *dev);
void iommu_liveupdate_fail_unit(const struct iommu_unit_ser *unit, int err);

#else /* CONFIG_IOMMU_LIVEUPDATE */

static inline bool iommu_liveupdate_device_owned(struct device *dev)
{
	return false;
}

static inline const struct iommu_device_ser *
iommu_liveupdate_incoming_record(struct device *dev)
{
	return NULL;
}

static inline int iommu_device_reclaim(struct device *dev, void *owner)
{
	return -ENODEV;
}

static inline void iommu_liveupdate_replaced(struct device *dev, u32 pasid)
{
}

static inline bool iommu_liveupdate_device_restored(struct device *dev)
{
	return false;
}

static inline bool iommu_liveupdate_can_block(u32 segment, u32 rid)
{
	return true;
}

static inline void iommu_liveupdate_stopped(u32 segment, u32 rid)
{
}

static inline void iommu_liveupdate_block(u32 segment, u32 rid)
{
}

static inline void iommu_liveupdate_abandon(u32 segment, u32 rid,
					    bool reset_done)
{
}

static inline const struct iommu_device_ser *
iommu_liveupdate_device_record(struct device *dev)
{
	return NULL;
}

#endif /* CONFIG_IOMMU_LIVEUPDATE */
#endif /* _LINUX_IOMMU_LIVEUPDATE_H */
