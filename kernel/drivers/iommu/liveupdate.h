/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 *
 * What the files of the IOMMU core's live update part share with each other.
 * For the outline see liveupdate.c.
 */
#ifndef __DRIVERS_IOMMU_LIVEUPDATE_H
#define __DRIVERS_IOMMU_LIVEUPDATE_H

#include <linux/iommu.h>
#include <linux/kho/abi/iommu.h>
#include <linux/kho_block.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/liveupdate.h>
#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/xarray.h>

struct group_device;
struct iommu_liveupdate_type;
struct pci_dev;

/* Incoming */

struct iommu_liveupdate_in_unit {
	struct list_head list;
	struct iommu_liveupdate_incoming *in;
	struct iommu_unit_ser ser;
	/* Its struct iommu_liveupdate_in_device, by unit_entry */
	struct list_head devices;
	u64 pa;
	/* Set when its driver has asked for it, and its part was checked */
	const struct iommu_liveupdate_type *type;
	/* One bit for each of its tables that was claimed from KHO */
	unsigned long claimed;
	int err;
};

struct iommu_liveupdate_in_domain {
	struct list_head list;
	struct iommu_liveupdate_incoming *in;
	struct iommu_domain_ser ser;
	/* Its struct iommu_liveupdate_in_attachment, by domain_entry */
	struct list_head attachments;
	u64 pa;
	struct iommu_domain *domain;
	/* A device has adopted @domain */
	bool used;
	/* The last attachment has left */
	bool freed;
	/* Then: the page table that is still to be given back, and its place */
	struct iommu_domain *freeing;
	struct list_head freeing_entry;
	int err;
};

/* In the order in which they come; from REPLACED on it is done with */
enum iommu_liveupdate_dev_state {
	IOMMU_LIVEUPDATE_DEV_INCOMING,
	IOMMU_LIVEUPDATE_DEV_RESTORED,
	/* Its group was given another domain, and nobody has taken it as yet */
	IOMMU_LIVEUPDATE_DEV_LEFT,
	IOMMU_LIVEUPDATE_DEV_BLOCKED,
	IOMMU_LIVEUPDATE_DEV_REPLACED,
	IOMMU_LIVEUPDATE_DEV_ABANDONED,
	/* Abandoned, and the device is not there, or was reset and is like any other */
	IOMMU_LIVEUPDATE_DEV_RETURNED,
};

struct iommu_liveupdate_in_device {
	struct list_head list;
	struct list_head unit_entry;
	struct iommu_device_ser ser;
	struct iommu_liveupdate_incoming *in;
	struct iommu_liveupdate_in_unit *unit;
	/* Its struct iommu_liveupdate_in_attachment, by device_entry */
	struct list_head attachments;
	u64 pa;
	/* The device's, with a reference, while it is probed and a member */
	struct iommu_group *group;
	enum iommu_liveupdate_dev_state state;
	/* Was to be blocked, and hardware may walk its tables all the same */
	bool live;
	/* What the record names was released, its attachments as well; happens once */
	bool released;
	/* Cannot be blocked, and was reset instead */
	bool stopped;
	/* An iommufd has it. Under group->mutex. */
	bool taken;
	/* Abandoned and reset, waits for its group. Under group->mutex. */
	bool reset;
	int err;
};

struct iommu_liveupdate_in_attachment {
	struct list_head list;
	struct list_head device_entry;
	struct list_head domain_entry;
	struct iommu_attachment_ser ser;
	struct iommu_liveupdate_in_device *device;
	struct iommu_liveupdate_in_domain *domain;
	/* Its device, or the PASID of it, has left the domain */
	bool left;
	/* And was done with */
	bool released;
};

/**
 * struct iommu_liveupdate_incoming - Copies of all incoming records
 * @ref: One of the FLB until finish, one of each device that is here, one
 *	of each domain whose page table is being given back
 * @units: List of struct iommu_liveupdate_in_unit
 * @domains: List of struct iommu_liveupdate_in_domain
 * @devices: List of struct iommu_liveupdate_in_device
 * @attachments: List of struct iommu_liveupdate_in_attachment
 * @by_pa: Units, domains and devices by the address of their record
 * @devices_by_id: The devices by segment and requester id
 * @ser: Top object, kept to be freed
 * @unit_blocks: Memory of the unit records, kept to be freed
 * @domain_blocks: Memory of the domain records, likewise
 * @device_blocks: Memory of the device records, likewise
 * @attachment_blocks: Memory of the attachment records, likewise
 */
struct iommu_liveupdate_incoming {
	struct kref ref;
	struct list_head units;
	struct list_head domains;
	struct list_head devices;
	struct list_head attachments;
	struct xarray by_pa;
	struct xarray devices_by_id;
	struct iommu_ser *ser;
	struct kho_block_set unit_blocks;
	struct kho_block_set domain_blocks;
	struct kho_block_set device_blocks;
	struct kho_block_set attachment_blocks;
};

/* A message about the function of a record, which need not be there */
#define iommu_liveupdate_say(level, ser, fmt, ...)			\
	pr_##level("%04x:%02x:%02x.%u" fmt, (ser)->segment,		\
		   PCI_BUS_NUM((ser)->rid), PCI_SLOT((ser)->rid & 0xff), \
		   PCI_FUNC((ser)->rid & 0xff), ##__VA_ARGS__)

/* Likewise, when a call fails, see liveupdate_refuse() */
#define iommu_liveupdate_say_refused(ser, fmt, ...)			\
	liveupdate_refuse(err, "%04x:%02x:%02x.%u" fmt, (ser)->segment,	\
			  PCI_BUS_NUM((ser)->rid),			\
			  PCI_SLOT((ser)->rid & 0xff),			\
			  PCI_FUNC((ser)->rid & 0xff), ##__VA_ARGS__)

/* Has what came in left its restored domains, and is a device like any other? */
static inline bool
iommu_liveupdate_device_ordinary(const struct iommu_liveupdate_in_device *in_dev)
{
	return in_dev->state == IOMMU_LIVEUPDATE_DEV_REPLACED ||
	       in_dev->state == IOMMU_LIVEUPDATE_DEV_RETURNED;
}

/* Outgoing */

/* Records of one kind */
struct iommu_liveupdate_records {
	struct kho_block_set blocks;
	struct kho_block_set_it end;
	u32 nr;
};

struct iommu_liveupdate_out_unit {
	struct list_head list;
	struct iommu_device *iommu;
	struct iommu_unit_ser *ser;
};

struct iommu_liveupdate_out_domain {
	struct list_head list;
	struct iommu_domain *domain;
	struct iommu_domain_ser *ser;
};

struct iommu_liveupdate_out_attachment {
	struct list_head list;
	struct iommu_liveupdate_out_domain *domain;
	struct iommu_attachment_ser *ser;
};

struct iommu_liveupdate_out_device {
	struct list_head list;
	struct device *dev;
	struct iommu_liveupdate_out_unit *unit;
	struct iommu_device_ser *ser;
	/* Its struct iommu_liveupdate_out_attachment */
	struct list_head attachments;
};

/**
 * struct iommu_liveupdate_outgoing - All that is preserved
 * @ser: Top object, in preserved memory
 * @unit_records: Where the unit records are
 * @domain_records: Where the domain records are
 * @device_records: Where the device records are
 * @attachment_records: Where the attachment records are
 * @units: List of struct iommu_liveupdate_out_unit
 * @domains: List of struct iommu_liveupdate_out_domain
 * @devices: List of struct iommu_liveupdate_out_device
 * @frozen: Successful iommu_liveupdate_freeze() that were not undone
 */
struct iommu_liveupdate_outgoing {
	struct iommu_ser *ser;
	struct iommu_liveupdate_records unit_records;
	struct iommu_liveupdate_records domain_records;
	struct iommu_liveupdate_records device_records;
	struct iommu_liveupdate_records attachment_records;
	struct list_head units;
	struct list_head domains;
	struct list_head devices;
	unsigned int frozen;
};

static inline const struct iommu_liveupdate_ops *
iommu_liveupdate_unit_ops(struct iommu_liveupdate_out_unit *unit)
{
	return unit->iommu->ops->liveupdate_ops;
}

extern struct mutex iommu_liveupdate_outgoing_lock;
extern struct iommu_liveupdate_outgoing *iommu_liveupdate_outgoing;

extern struct mutex iommu_liveupdate_incoming_lock;
extern struct iommu_liveupdate_incoming *iommu_liveupdate_incoming;
extern int iommu_liveupdate_unusable;
extern bool iommu_liveupdate_panic;

/* liveupdate.c */
bool iommu_liveupdate_is_bridge(struct device *dev);
bool iommu_liveupdate_identify(struct device *dev,
			       const struct iommu_liveupdate_ops *ops,
			       struct iommu_device_ser *id);

/* liveupdate-outgoing.c */
int iommu_liveupdate_outgoing_preserve(struct liveupdate_flb_op_args *argp);
void iommu_liveupdate_outgoing_unpreserve(struct liveupdate_flb_op_args *argp);
void iommu_liveupdate_seal(struct iommu_liveupdate_outgoing *out);
int iommu_liveupdate_verify(struct iommu_liveupdate_outgoing *out);
int iommu_liveupdate_check_groups(void);

/* liveupdate-handover.c */
void iommu_liveupdate_handover(void);

/* liveupdate-incoming.c */
int iommu_liveupdate_incoming_retrieve(struct liveupdate_flb_op_args *argp);
void iommu_liveupdate_incoming_finish(struct liveupdate_flb_op_args *argp);
void iommu_liveupdate_incoming_unusable(int err);
bool iommu_liveupdate_incoming_active(void);
void iommu_liveupdate_fail_closed(void);
struct iommu_liveupdate_in_device *
iommu_liveupdate_get_device(struct device *dev,
			    const struct iommu_device_ser *id);
void iommu_liveupdate_put_device(struct iommu_liveupdate_in_device *in_dev);
void iommu_liveupdate_device_failed(struct iommu_liveupdate_in_device *in_dev,
				    int err);
void iommu_liveupdate_set_state(struct iommu_liveupdate_in_device *in_dev,
				enum iommu_liveupdate_dev_state state, int err);
void iommu_liveupdate_device_group(struct iommu_liveupdate_in_device *in_dev,
				   struct iommu_group *group);
struct iommu_liveupdate_in_device *
iommu_liveupdate_lookup_device(u32 segment, u32 rid);
void iommu_liveupdate_incoming_put(struct iommu_liveupdate_incoming *in);

/* liveupdate-probe.c */
bool iommu_liveupdate_pci_incoming(struct pci_dev *pci);
struct iommu_liveupdate_in_device *
iommu_liveupdate_member_record(const struct group_device *gdev);
bool iommu_liveupdate_unnamed(const struct group_device *gdev);
void iommu_liveupdate_close_member(struct iommu_group *group,
				   struct group_device *gdev);
bool iommu_liveupdate_group_restored(struct iommu_group *group);
bool iommu_liveupdate_pasid_restored(struct iommu_group *group, ioasid_t pasid);

/* liveupdate-reclaim.c */
bool iommu_liveupdate_block_ids(struct iommu_liveupdate_in_device *in_dev);
void iommu_liveupdate_free_unused(struct iommu_liveupdate_incoming *in);
long iommu_liveupdate_freeing_pages(void);

#if IS_ENABLED(CONFIG_KUNIT)
struct iommu_liveupdate_incoming *
iommu_liveupdate_incoming_read(struct iommu_ser *ser);
void iommu_liveupdate_incoming_publish(struct iommu_liveupdate_incoming *in,
				       int err);
void iommu_liveupdate_wait_freed(void);
#endif

#endif /* __DRIVERS_IOMMU_LIVEUPDATE_H */
