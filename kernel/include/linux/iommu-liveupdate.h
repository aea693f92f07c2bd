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
 * @unit_preserve: The first device of the unit is being preserved. Refuse an
 *	unsuitable state, fill @unit but for flags and number of devices, hand
 *	the tables that all devices share to KHO. May sleep.
 * @unit_unpreserve: Undo @unit_preserve, after the last device has gone.
 * @dev_preserve: Preserve the no-PASID attachment of @dev to @domain: fill
 *	requester ids, hardware id and per-device tables of @att, add tables of
 *	the unit that have come since. What identifies device, unit and domain
 *	is filled in already, the device's own requester id is the first; the
 *	driver may set domain_flags of the record at @att->domain_pa. Refuses
 *	what cannot come back. May sleep. group->mutex is held.
 * @dev_unpreserve: Undo @dev_preserve.
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
 * @dev_adopt: Next kernel: software half of an attach. The live entry is
 *	compared with what it should be, never written. @att must be one of the
 *	device's unit, see iommu_liveupdate_next_attachment(). Comes again if
 *	the device is released, which leaves hardware alone, and probed again.
 * @dev_block: Next kernel: @dev cannot be trusted; make its entries not
 *	present, translation stays on. The unit may have been failed, and @dev
 *	may have no record of its own. Returns false if the unit may still
 *	translate for it by tables of the previous kernel.
 * @dev_unblock: Next kernel: @dev was blocked, by whatever means, and reset.
 *	Make it a device that an attach works for. May sleep.
 * @unit_match: Next kernel: is this the unit of the record? Called under a
 *	spinlock.
 * @rids_block: Next kernel: like @dev_block, for the entries that a record names.
 *	The device may not be there, or not known to the driver, or have other
 *	requester ids now. Does nothing, and returns true, if the unit has no
 *	such entries any more. May sleep.
 * @att_release: Next kernel: the device of the record was taken over or
 *	blocked for good. Block what is left of the entries that the record
 *	names, free the tables that came in for it and that no device has. With
 *	@last no entry of the unit has the id of the record any more: flush it from
 *	the caches and let others have it. @domain is the restored domain, or NULL if
 *	there is none; it is freed after the last. May sleep.
 *
 * A driver offers all of them or none.
 */
struct iommu_liveupdate_ops {
	int (*unit_preserve)(struct iommu_device *iommu,
			     struct iommu_unit_ser *unit);
	void (*unit_unpreserve)(struct iommu_device *iommu,
				struct iommu_unit_ser *unit);
	int (*dev_preserve)(struct device *dev, struct iommu_domain *domain,
			    struct iommu_unit_ser *unit,
			    struct iommu_attachment_ser *att);
	void (*dev_unpreserve)(struct device *dev, struct iommu_domain *domain,
			       struct iommu_unit_ser *unit,
			       struct iommu_attachment_ser *att);
	int (*unit_freeze)(struct iommu_device *iommu,
			   struct iommu_unit_ser *unit);
	void (*unit_handover)(struct iommu_device *iommu,
			      struct iommu_unit_ser *unit);
	struct iommu_domain *(*domain_restore)(struct iommu_device *iommu,
					       const struct iommu_domain_ser *dser);
	int (*dev_adopt)(struct device *dev, struct iommu_domain *domain,
			 const struct iommu_attachment_ser *att);
	bool (*dev_block)(struct device *dev);
	int (*dev_unblock)(struct device *dev);
	bool (*unit_match)(struct iommu_device *iommu,
			   const struct iommu_unit_ser *unit);
	bool (*rids_block)(struct iommu_device *iommu,
			   const struct iommu_attachment_ser *att);
	void (*att_release)(struct iommu_device *iommu,
			    struct iommu_domain *domain,
			    const struct iommu_attachment_ser *att, bool last);
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

/* Incoming: for the PCI core and VFIO */
bool iommu_liveupdate_device_owned(struct device *dev);

/* Incoming, the way back: for iommufd and VFIO */
int iommu_device_reclaim(struct device *dev, void *owner);
void iommu_liveupdate_replaced(struct device *dev);
bool iommu_liveupdate_device_restored(struct device *dev);
bool iommu_liveupdate_can_block(u32 segment, u32 rid);
void iommu_liveupdate_stopped(u32 segment, u32 rid);
void iommu_liveupdate_block(u32 segment, u32 rid);
void iommu_liveupdate_abandon(u32 segment, u32 rid, bool reset_done);
bool iommu_liveupdate_can_abandon_domain(u64 domain_pa);
void iommu_liveupdate_abandon_domain(u64 domain_pa);
void iommu_liveupdate_stay_blocked(struct device *dev);

/* Incoming: for drivers. What is returned stays valid until finish. */
const struct iommu_unit_ser *iommu_liveupdate_find_unit(u32 type, u64 base);
const struct iommu_attachment_ser *
iommu_liveupdate_next_attachment(const struct iommu_unit_ser *unit,
				 const struct iommu_attachment_ser *prev);
const struct iommu_attachment_ser *
iommu_liveupdate_device_attachment(struct device *dev);
void iommu_liveupdate_fail_unit(const struct iommu_unit_ser *unit, int err);

#else /* CONFIG_IOMMU_LIVEUPDATE */

static inline bool iommu_liveupdate_device_owned(struct device *dev)
{
	return false;
}

static inline int iommu_device_reclaim(struct device *dev, void *owner)
{
	return -ENODEV;
}

static inline void iommu_liveupdate_replaced(struct device *dev)
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

static inline const struct iommu_unit_ser *
iommu_liveupdate_find_unit(u32 type, u64 base)
{
	return NULL;
}

static inline const struct iommu_attachment_ser *
iommu_liveupdate_device_attachment(struct device *dev)
{
	return NULL;
}

#endif /* CONFIG_IOMMU_LIVEUPDATE */
#endif /* _LINUX_IOMMU_LIVEUPDATE_H */
