// SPDX-License-Identifier: GPL-2.0
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */

/**
 * DOC: IOMMU live update, incoming side
 *
 * How the next kernel reads the records, and answers the look-ups of drivers.
 * What it does with devices and groups is in liveupdate-probe.c; liveupdate.c
 * has the whole picture.
 *
 * 1. iommu_liveupdate_incoming_retrieve() has the records checked and copies
 *    them. Nothing points into handed-over memory later on. Without a usable
 *    record iommu_liveupdate_incoming_unusable() remembers that.
 * 2. Drivers look their units up. What the driver of the previous kernel has
 *    added to a record is checked when a unit is first found, by a function
 *    of the driver's. They walk the devices of a unit, and the attachments of a
 *    device. iommu_liveupdate_fail_unit() tells that a unit cannot be adopted.
 * 3. Devices find their records and leave them, as they come and go.
 * 4. Devices leave their domains for good, see liveupdate-reclaim.c.
 * 5. iommu_liveupdate_incoming_finish() gives the memory of the records back.
 *
 * The copy of a device's record is incoming or restored, and goes from there to
 * replaced or blocked, to the former by way of left if its group is first, from
 * blocked to abandoned, from there to returned. There is no way back from these,
 * since the entry in the hardware is gone. Its error goes from 0 to negative
 * once and never back, so it may be read without a lock.
 *
 * Each device that has a record holds a reference to all the copies, so that a
 * device may outlive finish.
 *
 * Locking: iommu_liveupdate_incoming_lock guards the pointer to the copies and
 * the state of units and devices. It is a leaf. The lists and XArrays do not
 * change between retrieve and finish. The domain object and the error of a restored
 * domain are guarded by iommu_probe_device_lock.
 */

#define pr_fmt(fmt) "iommu: liveupdate: " fmt

#include <kunit/visibility.h>
#include <linux/bitops.h>
#include <linux/init.h>
#include <linux/io.h>
#include <linux/iommu-liveupdate.h>
#include <linux/kexec_handover.h>
#include <linux/liveupdate_timing.h>
#include <linux/mutex.h>
#include <linux/panic.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "iommu-pages.h"
#include "liveupdate.h"
#include "liveupdate-check.h"

/* A leaf lock, for what the DOC block says */
DEFINE_MUTEX(iommu_liveupdate_incoming_lock);
struct iommu_liveupdate_incoming *iommu_liveupdate_incoming;

/* Why the records cannot be used, 0 if they can or if there are none */
int iommu_liveupdate_unusable;

/* Panic instead of blocking, see iommu_liveupdate_fail_closed() */
bool iommu_liveupdate_panic __ro_after_init;

static int __init iommu_liveupdate_setup(char *str)
{
	if (!str)
		return -EINVAL;
	if (!strcmp(str, "panic"))
		iommu_liveupdate_panic = true;
	else if (!strcmp(str, "block"))
		iommu_liveupdate_panic = false;
	else
		return -EINVAL;
	return 0;
}
early_param("iommu.liveupdate", iommu_liveupdate_setup);

/**
 * iommu_liveupdate_fail_closed - Something that came in cannot be used
 *
 * Whoever calls this has said what it is, and blocks the device, or all devices
 * of the unit, with translation left on.
 *
 * That is enough: what the devices could reach was preserved memory, and
 * nobody else is hurt. But the virtual machines that own them have lost them. A
 * host with others to take over its guests may rather have that happen at once,
 * so its operator can ask for a panic. Nothing milder would make somebody else
 * take over.
 *
 * Context: Any.
 */
void iommu_liveupdate_fail_closed(void)
{
	if (iommu_liveupdate_panic)
		panic("iommu: live update: a device cannot go on, and iommu.liveupdate=panic was given\n");
	add_taint(TAINT_WARN, LOCKDEP_STILL_OK);
}

static void iommu_liveupdate_incoming_free(struct iommu_liveupdate_incoming *in)
{
	struct iommu_liveupdate_in_attachment *att, *next_att;
	struct iommu_liveupdate_in_device *in_dev, *next_dev;
	struct iommu_liveupdate_in_domain *dom, *next_dom;
	struct iommu_liveupdate_in_unit *unit, *next_unit;

	list_for_each_entry_safe(att, next_att, &in->attachments, list)
		kfree(att);
	list_for_each_entry_safe(in_dev, next_dev, &in->devices, list)
		kfree(in_dev);
	/*
	 * A restored domain that is still here belongs to a device that went
	 * away without being replaced or blocked. Its table may be live, so
	 * neither the object nor the table pages are freed.
	 */
	list_for_each_entry_safe(dom, next_dom, &in->domains, list)
		kfree(dom);
	list_for_each_entry_safe(unit, next_unit, &in->units, list)
		kfree(unit);
	xa_destroy(&in->devices_by_id);
	xa_destroy(&in->by_pa);
	kfree(in);
}

static void iommu_liveupdate_incoming_release(struct kref *ref)
{
	iommu_liveupdate_incoming_free(container_of(ref,
						    struct iommu_liveupdate_incoming,
						    ref));
}

/**
 * iommu_liveupdate_incoming_put - Drop a reference to all copies
 * @in: The copies
 *
 * Context: May sleep.
 */
void iommu_liveupdate_incoming_put(struct iommu_liveupdate_incoming *in)
{
	kref_put(&in->ref, iommu_liveupdate_incoming_release);
}

/* From here on look-ups find @in, or fail by @err, or find nothing */
VISIBLE_IF_KUNIT void
iommu_liveupdate_incoming_publish(struct iommu_liveupdate_incoming *in, int err)
{
	guard(mutex)(&iommu_liveupdate_incoming_lock);
	iommu_liveupdate_incoming = in;
	iommu_liveupdate_unusable = err;
}

static int iommu_liveupdate_copy_units(struct iommu_liveupdate_incoming *in)
{
	struct iommu_liveupdate_in_unit *unit;
	struct kho_block_set_it it;
	struct iommu_unit_ser *ser;
	int ret;

	kho_block_set_it_init(&it, &in->unit_blocks);
	while ((ser = kho_block_set_it_read_entry(&it))) {
		if (ser->flags & IOMMU_SER_DELETED)
			continue;
		unit = kzalloc_obj(*unit);
		if (!unit)
			return -ENOMEM;
		unit->ser = *ser;
		unit->in = in;
		unit->pa = virt_to_phys(ser);
		INIT_LIST_HEAD(&unit->devices);
		list_add_tail(&unit->list, &in->units);
		ret = xa_insert(&in->by_pa, unit->pa, unit, GFP_KERNEL);
		if (ret)
			return ret;
	}
	return 0;
}

static int iommu_liveupdate_copy_domains(struct iommu_liveupdate_incoming *in)
{
	struct iommu_liveupdate_in_domain *dom;
	struct kho_block_set_it it;
	struct iommu_domain_ser *ser;
	int ret;

	kho_block_set_it_init(&it, &in->domain_blocks);
	while ((ser = kho_block_set_it_read_entry(&it))) {
		if (ser->flags & IOMMU_SER_DELETED)
			continue;
		dom = kzalloc_obj(*dom);
		if (!dom)
			return -ENOMEM;
		dom->ser = *ser;
		dom->in = in;
		dom->pa = virt_to_phys(ser);
		INIT_LIST_HEAD(&dom->attachments);
		list_add_tail(&dom->list, &in->domains);
		ret = xa_insert(&in->by_pa, dom->pa, dom, GFP_KERNEL);
		if (ret)
			return ret;
	}
	return 0;
}

/* The segment is part of it, and has more than 16 bits where it is made up */
static unsigned long iommu_liveupdate_index(u32 segment, u16 rid)
{
	static_assert(sizeof(unsigned long) > sizeof(segment));

	return (unsigned long)segment << 16 | rid;
}

/* Needs the units, to which the devices refer by address */
static int iommu_liveupdate_copy_devices(struct iommu_liveupdate_incoming *in)
{
	struct iommu_liveupdate_in_device *in_dev;
	struct iommu_device_ser *ser;
	struct kho_block_set_it it;
	int ret;

	kho_block_set_it_init(&it, &in->device_blocks);
	while ((ser = kho_block_set_it_read_entry(&it))) {
		if (ser->flags & IOMMU_SER_DELETED)
			continue;
		in_dev = kzalloc_obj(*in_dev);
		if (!in_dev)
			return -ENOMEM;
		list_add_tail(&in_dev->list, &in->devices);
		in_dev->ser = *ser;
		in_dev->in = in;
		in_dev->pa = virt_to_phys(ser);
		INIT_LIST_HEAD(&in_dev->attachments);
		in_dev->unit = xa_load(&in->by_pa, ser->unit_pa);
		if (!in_dev->unit)
			return -EBADMSG;
		list_add_tail(&in_dev->unit_entry, &in_dev->unit->devices);
		ret = xa_insert(&in->by_pa, in_dev->pa, in_dev, GFP_KERNEL);
		if (ret)
			return ret;
		ret = xa_insert(&in->devices_by_id,
				iommu_liveupdate_index(ser->segment, ser->rid),
				in_dev, GFP_KERNEL);
		if (ret)
			return ret;
	}
	return 0;
}

/* Likewise the devices and domains */
static int
iommu_liveupdate_copy_attachments(struct iommu_liveupdate_incoming *in)
{
	struct iommu_liveupdate_in_attachment *att;
	struct iommu_attachment_ser *ser;
	struct kho_block_set_it it;

	kho_block_set_it_init(&it, &in->attachment_blocks);
	while ((ser = kho_block_set_it_read_entry(&it))) {
		if (ser->flags & IOMMU_SER_DELETED)
			continue;
		att = kzalloc_obj(*att);
		if (!att)
			return -ENOMEM;
		list_add_tail(&att->list, &in->attachments);
		att->ser = *ser;
		att->device = xa_load(&in->by_pa, ser->device_pa);
		att->domain = xa_load(&in->by_pa, ser->domain_pa);
		if (!att->device || !att->domain)
			return -EBADMSG;
		list_add_tail(&att->device_entry, &att->device->attachments);
		list_add_tail(&att->domain_entry, &att->domain->attachments);
	}
	return 0;
}

/* Each set is tried: one that fails gives the whole of its chain back */
static int iommu_liveupdate_restore_blocks(struct iommu_liveupdate_incoming *in)
{
	int units, domains, devices, attachments;

	kho_block_set_init(&in->unit_blocks, sizeof(struct iommu_unit_ser));
	kho_block_set_init(&in->domain_blocks, sizeof(struct iommu_domain_ser));
	kho_block_set_init(&in->device_blocks, sizeof(struct iommu_device_ser));
	kho_block_set_init(&in->attachment_blocks,
			   sizeof(struct iommu_attachment_ser));

	units = kho_block_set_restore(&in->unit_blocks, in->ser->units_pa);
	domains = kho_block_set_restore(&in->domain_blocks, in->ser->domains_pa);
	devices = kho_block_set_restore(&in->device_blocks, in->ser->devices_pa);
	attachments = kho_block_set_restore(&in->attachment_blocks,
					    in->ser->attachments_pa);
	return units ?: domains ?: devices ?: attachments;
}

static void iommu_liveupdate_destroy_blocks(struct iommu_liveupdate_incoming *in)
{
	kho_block_set_destroy(&in->attachment_blocks);
	kho_block_set_destroy(&in->device_blocks);
	kho_block_set_destroy(&in->domain_blocks);
	kho_block_set_destroy(&in->unit_blocks);
}

VISIBLE_IF_KUNIT struct iommu_liveupdate_incoming *
iommu_liveupdate_incoming_read(struct iommu_ser *ser)
{
	struct iommu_liveupdate_incoming *in;
	int ret;

	in = kzalloc_obj(*in);
	if (!in)
		return ERR_PTR(-ENOMEM);

	kref_init(&in->ref);
	INIT_LIST_HEAD(&in->units);
	INIT_LIST_HEAD(&in->domains);
	INIT_LIST_HEAD(&in->devices);
	INIT_LIST_HEAD(&in->attachments);
	xa_init(&in->by_pa);
	xa_init(&in->devices_by_id);
	in->ser = ser;

	ret = iommu_liveupdate_restore_blocks(in);
	if (ret)
		goto err_destroy_blocks;
	ret = iommu_liveupdate_copy_units(in);
	if (ret)
		goto err_destroy_blocks;
	ret = iommu_liveupdate_copy_domains(in);
	if (ret)
		goto err_destroy_blocks;
	ret = iommu_liveupdate_copy_devices(in);
	if (ret)
		goto err_destroy_blocks;
	ret = iommu_liveupdate_copy_attachments(in);
	if (ret)
		goto err_destroy_blocks;
	return in;

err_destroy_blocks:
	iommu_liveupdate_destroy_blocks(in);
	iommu_liveupdate_incoming_free(in);
	return ERR_PTR(ret);
}

static const void *iommu_liveupdate_map_incoming(void *ctx, u64 pa, size_t len)
{
	return phys_to_virt(pa);
}

static bool iommu_liveupdate_preserved_incoming(void *ctx, u64 pa,
						unsigned int order)
{
	return kho_is_preserved(pa, order);
}

static const struct iommu_liveupdate_check_ops iommu_liveupdate_incoming_memory = {
	.map = iommu_liveupdate_map_incoming,
	.preserved = iommu_liveupdate_preserved_incoming,
};

/**
 * iommu_liveupdate_incoming_retrieve - The FLB's retrieve
 * @argp: Arguments of LUO, obj is set
 *
 * LUO remembers a failure and does not ask again. What it answers then must not
 * look like "no incoming data", which are errnos of their own. The sessions that
 * depend on the FLB cannot be finished then, so this is also the last time that
 * anybody could give the memory of the records back:
 *
 * - Records that fail the check stay with KHO until the next reboot or kexec.
 *   Nothing they say can be trusted, least of all which pages are theirs: freeing
 *   those could free a page table that hardware walks. It is a few pages, once,
 *   and this kernel hands nothing of it on.
 * - Records that are sound, but cannot be copied, are given back.
 *
 * In both cases the page tables they describe stay with KHO: until its device is
 * blocked hardware walks them.
 *
 * Context: May sleep. LUO holds the FLB's mutex.
 * Return: 0, -EBADMSG if the records cannot be used, or -ENOMEM.
 */
int iommu_liveupdate_incoming_retrieve(struct liveupdate_flb_op_args *argp)
{
	const char *reason = "top object is not in preserved memory";
	struct iommu_liveupdate_incoming *in;
	struct iommu_ser *ser;

	if (!kho_is_preserved(argp->data, get_order(sizeof(*ser)))) {
		pr_err("records refused: %s\n", reason);
		return -EBADMSG;
	}

	ser = phys_to_virt(argp->data);
	if (iommu_liveupdate_check(ser, &iommu_liveupdate_incoming_memory,
				   &reason)) {
		pr_err("records refused: %s\n", reason);
		return -EBADMSG;
	}

	in = iommu_liveupdate_incoming_read(ser);
	if (IS_ERR(in)) {
		pr_err("records cannot be read: %pe\n", in);
		kho_restore_free(ser);
		return PTR_ERR(in);
	}

	pr_info("%zu units, %zu domains, %zu devices came in\n",
		list_count_nodes(&in->units), list_count_nodes(&in->domains),
		list_count_nodes(&in->devices));
	argp->obj = in;
	iommu_liveupdate_incoming_publish(in, 0);
	return 0;
}

/**
 * iommu_liveupdate_incoming_finish - The FLB's finish
 * @argp: Arguments of LUO
 *
 * Gives the memory of all records back, and the page tables that no device was
 * attached to. Whoever still holds the copy of one, a
 * device that has not been taken over, keeps it for itself, and stays blocked
 * or on its restored domain.
 *
 * Context: May sleep. LUO holds the FLB's mutex.
 */
void iommu_liveupdate_incoming_finish(struct liveupdate_flb_op_args *argp)
{
	struct iommu_liveupdate_incoming *in = argp->obj;

	iommu_liveupdate_incoming_publish(NULL, 0);
	iommu_liveupdate_free_unused(in);
	iommu_liveupdate_destroy_blocks(in);
	kho_restore_free(in->ser);
	in->ser = NULL;
	iommu_liveupdate_incoming_put(in);
}

/**
 * iommu_liveupdate_incoming_unusable - There are records, but none can be used
 * @err: Why
 *
 * From here on each look-up of a unit fails, so that drivers block what they
 * find translating.
 *
 * Context: Boot, before any IOMMU driver starts.
 */
void iommu_liveupdate_incoming_unusable(int err)
{
	pr_err("records of the previous kernel are lost (%pe), its devices will be blocked\n",
	       ERR_PTR(err));
	iommu_liveupdate_fail_closed();
	iommu_liveupdate_incoming_publish(NULL, err);
}

static struct iommu_liveupdate_in_unit *
iommu_liveupdate_lookup_unit(u32 type, u32 base_kind, u64 base)
{
	struct iommu_liveupdate_in_unit *unit;

	guard(mutex)(&iommu_liveupdate_incoming_lock);
	if (iommu_liveupdate_unusable)
		return ERR_PTR(iommu_liveupdate_unusable);
	if (!iommu_liveupdate_incoming)
		return NULL;

	list_for_each_entry(unit, &iommu_liveupdate_incoming->units, list) {
		if (unit->ser.type != type || unit->ser.base_kind != base_kind ||
		    unit->ser.base != base)
			continue;
		return unit->err ? ERR_PTR(unit->err) : unit;
	}
	return NULL;
}

static const char *
iommu_liveupdate_check_unit(const struct iommu_liveupdate_in_unit *unit,
			    const struct iommu_liveupdate_type *type)
{
	struct iommu_liveupdate_in_attachment *att;
	struct iommu_liveupdate_in_device *in_dev;
	const char *reason = type->unit(&unit->ser);

	list_for_each_entry(in_dev, &unit->devices, unit_entry) {
		if (reason)
			break;
		reason = type->device(&in_dev->ser, &unit->ser);
		list_for_each_entry(att, &in_dev->attachments, device_entry)
			if (!reason)
				reason = type->attachment(&att->ser, &in_dev->ser,
							  &unit->ser,
							  &att->domain->ser);
	}
	return reason;
}

/**
 * iommu_liveupdate_find_unit - Find the record of a unit
 * @type: What kind of unit it is, and how its record is checked
 * @base_kind: IOMMU_UNIT_SER_BASE_*
 * @base: What tells it apart, see &iommu_unit_ser.base
 *
 * When it is first found, what the driver of the previous kernel has added to its
 * record, and to those of its devices, is checked. A unit for which that goes wrong
 * is failed.
 *
 * Context: May sleep. Takes a leaf lock only, so any lock that allows to sleep
 * may be held. Calls for one unit do not come at the same time.
 * Return: A copy of the record, valid until finish. NULL if there is no record
 * of this unit. An error pointer if there are records, but none of them can be
 * used, or if the unit was failed: then nothing of what it translates can be
 * trusted, and what it translates must be blocked.
 */
const struct iommu_unit_ser *
iommu_liveupdate_find_unit(const struct iommu_liveupdate_type *type,
			   u32 base_kind, u64 base)
{
	struct iommu_liveupdate_in_unit *unit;
	const char *reason;

	unit = iommu_liveupdate_lookup_unit(type->type, base_kind, base);
	if (IS_ERR_OR_NULL(unit))
		return ERR_CAST(unit);

	liveupdate_phase_begin(LIVEUPDATE_PHASE_IOMMU);
	if (!unit->type) {
		reason = iommu_liveupdate_check_unit(unit, type);
		if (reason) {
			pr_err("records of unit 0x%llx refused: %s\n", base,
			       reason);
			iommu_liveupdate_fail_unit(&unit->ser, -EBADMSG);
			return ERR_PTR(-EBADMSG);
		}
		scoped_guard(mutex, &iommu_liveupdate_incoming_lock)
			unit->type = type;
	}
	return &unit->ser;
}
EXPORT_SYMBOL_GPL(iommu_liveupdate_find_unit);

/* By another unit that shares it */
static bool iommu_liveupdate_table_claimed(struct iommu_liveupdate_incoming *in,
					   const struct iommu_table_ser *table)
{
	struct iommu_liveupdate_in_unit *unit;
	unsigned int i;

	if (!(table->flags & IOMMU_TABLE_SER_SHARED))
		return false;
	list_for_each_entry(unit, &in->units, list)
		for_each_set_bit(i, &unit->claimed, IOMMU_UNIT_SER_TABLES)
			if (unit->ser.tables[i].pa == table->pa)
				return true;
	return false;
}

/**
 * iommu_liveupdate_claim_table - Make a table of a unit one of this kernel
 * @unit: What iommu_liveupdate_find_unit() returned
 * @nr: Number of the table in the record
 *
 * A table that several units share is claimed by each of them, and is there as long
 * as one of them uses it: who frees it has to know.
 *
 * Context: May sleep. Takes a leaf lock and the KHO locks. Calls for units that
 * share tables do not come at the same time.
 * Return: The table, from now on memory like that of iommu_alloc_pages_node_sz(),
 * or NULL if that place in the record is unused or KHO does not have it any more.
 */
void *iommu_liveupdate_claim_table(const struct iommu_unit_ser *unit,
				   unsigned int nr)
{
	const struct iommu_table_ser *table = &unit->tables[nr];
	struct iommu_liveupdate_in_unit *owner;
	bool claimed;
	void *virt;

	if (!table->pa)
		return NULL;
	owner = container_of(unit, struct iommu_liveupdate_in_unit, ser);
	scoped_guard(mutex, &iommu_liveupdate_incoming_lock)
		claimed = iommu_liveupdate_table_claimed(owner->in, table);
	if (claimed)
		virt = phys_to_virt(table->pa);
	else
		virt = iommu_restore_page(table->pa, table->order);
	if (!virt)
		return NULL;
	scoped_guard(mutex, &iommu_liveupdate_incoming_lock)
		__set_bit(nr, &owner->claimed);
	return virt;
}
EXPORT_SYMBOL_GPL(iommu_liveupdate_claim_table);

/**
 * iommu_liveupdate_next_device - Walk the devices of a unit
 * @unit: What iommu_liveupdate_find_unit() returned
 * @prev: What this function returned last, NULL to start
 *
 * Devices that have failed are part of the walk: their ids and tables are
 * those of the hardware all the same.
 *
 * Context: Any. The lists do not change.
 * Return: Copy of the next record, valid until finish, or NULL at the end.
 */
const struct iommu_device_ser *
iommu_liveupdate_next_device(const struct iommu_unit_ser *unit,
			     const struct iommu_device_ser *prev)
{
	const struct iommu_liveupdate_in_unit *owner;
	const struct list_head *next;

	owner = container_of(unit, struct iommu_liveupdate_in_unit, ser);
	next = prev ? container_of(prev, struct iommu_liveupdate_in_device,
				   ser)->unit_entry.next : owner->devices.next;
	if (next == &owner->devices)
		return NULL;
	return &list_entry(next, struct iommu_liveupdate_in_device,
			   unit_entry)->ser;
}
EXPORT_SYMBOL_GPL(iommu_liveupdate_next_device);

/**
 * iommu_liveupdate_next_attachment - Walk the attachments of a device
 * @devrec: What iommu_liveupdate_next_device() returned
 * @prev: What this function returned last, NULL to start
 *
 * Context: Any. The lists do not change.
 * Return: Copy of the next record, valid until finish, or NULL at the end.
 */
const struct iommu_attachment_ser *
iommu_liveupdate_next_attachment(const struct iommu_device_ser *devrec,
				 const struct iommu_attachment_ser *prev)
{
	const struct iommu_liveupdate_in_device *owner;
	const struct list_head *next;

	owner = container_of(devrec, struct iommu_liveupdate_in_device, ser);
	next = prev ? container_of(prev, struct iommu_liveupdate_in_attachment,
				   ser)->device_entry.next : owner->attachments.next;
	if (next == &owner->attachments)
		return NULL;
	return &list_entry(next, struct iommu_liveupdate_in_attachment,
			   device_entry)->ser;
}
EXPORT_SYMBOL_GPL(iommu_liveupdate_next_attachment);

/**
 * iommu_liveupdate_first_with_id - Is an attachment the first with its hardware id?
 * @unit: What iommu_liveupdate_find_unit() returned
 * @att: An attachment of one of its devices
 *
 * Several devices on one domain have one id, which is to be reserved once.
 *
 * Context: Any. The lists do not change.
 * Return: false if the walks meet another attachment to the same domain before,
 * under the same id.
 */
bool iommu_liveupdate_first_with_id(const struct iommu_unit_ser *unit,
				    const struct iommu_attachment_ser *att)
{
	const struct iommu_attachment_ser *other = NULL;
	const struct iommu_device_ser *devrec = NULL;

	while ((devrec = iommu_liveupdate_next_device(unit, devrec)))
		while ((other = iommu_liveupdate_next_attachment(devrec, other))) {
			if (other == att)
				return true;
			if (other->hw_id == att->hw_id &&
			    other->domain_pa == att->domain_pa)
				return false;
		}
	return true;
}
EXPORT_SYMBOL_GPL(iommu_liveupdate_first_with_id);

static void iommu_liveupdate_fail(struct iommu_liveupdate_in_device *in_dev,
				  int err)
{
	lockdep_assert_held(&iommu_liveupdate_incoming_lock);

	if (!in_dev->err)
		WRITE_ONCE(in_dev->err, err);
}

/**
 * iommu_liveupdate_fail_unit - A unit cannot be adopted
 * @unit: What iommu_liveupdate_find_unit() returned
 * @err: Why, a negative errno
 *
 * All its devices will be blocked at their probe. What they can reach until
 * then is up to the driver, which knows whether the live tables can be left.
 *
 * Context: May sleep. Takes a leaf lock only.
 */
void iommu_liveupdate_fail_unit(const struct iommu_unit_ser *unit, int err)
{
	struct iommu_liveupdate_in_device *in_dev;
	struct iommu_liveupdate_in_unit *failed;

	pr_err("unit 0x%llx cannot be adopted (%pe), its devices will be blocked\n",
	       unit->base, ERR_PTR(err));
	iommu_liveupdate_fail_closed();

	guard(mutex)(&iommu_liveupdate_incoming_lock);
	if (!iommu_liveupdate_incoming)
		return;

	failed = container_of(unit, struct iommu_liveupdate_in_unit, ser);
	failed->err = err;
	list_for_each_entry(in_dev, &failed->devices, unit_entry)
		iommu_liveupdate_fail(in_dev, err);
}
EXPORT_SYMBOL_GPL(iommu_liveupdate_fail_unit);

static struct iommu_liveupdate_in_device *
iommu_liveupdate_lookup(struct iommu_liveupdate_incoming *in, u32 segment,
			u32 rid)
{
	lockdep_assert_held(&iommu_liveupdate_incoming_lock);

	/* A caller has read @rid somewhere, it may be none */
	if (!in || rid > U16_MAX)
		return NULL;
	return xa_load(&in->devices_by_id, iommu_liveupdate_index(segment, rid));
}

/**
 * iommu_liveupdate_lookup_device - Find the record of a requester id
 * @segment: PCI segment
 * @rid: Bus, device and function
 *
 * Context: May sleep. Takes a leaf lock only.
 * Return: The record, whatever became of it, with a reference to all copies
 * that is dropped by iommu_liveupdate_incoming_put(), or NULL.
 */
struct iommu_liveupdate_in_device *
iommu_liveupdate_lookup_device(u32 segment, u32 rid)
{
	struct iommu_liveupdate_in_device *in_dev;

	guard(mutex)(&iommu_liveupdate_incoming_lock);
	in_dev = iommu_liveupdate_lookup(iommu_liveupdate_incoming, segment, rid);
	if (in_dev)
		kref_get(&in_dev->in->ref);
	return in_dev;
}

/**
 * iommu_liveupdate_get_device - Find the record of a device
 * @dev: The device
 * @id: By what it is known
 *
 * It fails if another kind of device is now where it was. If the device was
 * replaced or abandoned, what is found there is an ordinary one.
 *
 * Context: May sleep. Takes a leaf lock only.
 * Return: The record with a reference, to be dropped by
 * iommu_liveupdate_put_device(), or NULL if there is none.
 */
struct iommu_liveupdate_in_device *
iommu_liveupdate_get_device(struct device *dev,
			    const struct iommu_device_ser *id)
{
	struct iommu_liveupdate_in_device *in_dev;

	guard(mutex)(&iommu_liveupdate_incoming_lock);
	in_dev = iommu_liveupdate_lookup(iommu_liveupdate_incoming, id->segment,
					 id->rid);
	if (!in_dev || iommu_liveupdate_device_ordinary(in_dev))
		return NULL;

	if (!in_dev->err && (in_dev->ser.vendor != id->vendor ||
			     in_dev->ser.device != id->device)) {
		dev_err(dev, "live update: %04x:%04x was preserved here\n",
			in_dev->ser.vendor, in_dev->ser.device);
		iommu_liveupdate_fail(in_dev, -EIO);
	}
	kref_get(&in_dev->in->ref);
	return in_dev;
}

/**
 * iommu_liveupdate_put_device - A device goes away
 * @in_dev: What iommu_liveupdate_get_device() returned
 *
 * Its entries in the hardware stay as they are, so the record is incoming
 * again. If it was abandoned they are blocked, if it has left them with its group
 * they are ordinary ones: what is found next in its place is an ordinary device.
 *
 * Context: May sleep. Takes a leaf lock only.
 */
void iommu_liveupdate_put_device(struct iommu_liveupdate_in_device *in_dev)
{
	scoped_guard(mutex, &iommu_liveupdate_incoming_lock) {
		if (in_dev->state == IOMMU_LIVEUPDATE_DEV_RESTORED)
			in_dev->state = IOMMU_LIVEUPDATE_DEV_INCOMING;
		else if (in_dev->state == IOMMU_LIVEUPDATE_DEV_ABANDONED ||
			 in_dev->state == IOMMU_LIVEUPDATE_DEV_LEFT)
			in_dev->state = IOMMU_LIVEUPDATE_DEV_RETURNED;
	}
	iommu_liveupdate_device_group(in_dev, NULL);
	iommu_liveupdate_incoming_put(in_dev->in);
}

/**
 * iommu_liveupdate_device_group - The device has joined or left a group
 * @in_dev: Its record
 * @group: The group, NULL if the device has left it
 *
 * The group can be reached through the record in between.
 *
 * Context: May sleep. Takes a leaf lock only.
 */
void iommu_liveupdate_device_group(struct iommu_liveupdate_in_device *in_dev,
				   struct iommu_group *group)
{
	if (group)
		iommu_group_ref_get(group);
	scoped_guard(mutex, &iommu_liveupdate_incoming_lock)
		swap(in_dev->group, group);
	if (group)
		iommu_group_put(group);
}

/**
 * iommu_liveupdate_device_failed - A device must not have its domain
 * @in_dev: Its record
 * @err: Why, a negative errno
 *
 * It will be blocked at its probe.
 *
 * Context: May sleep. Takes a leaf lock only.
 */
void iommu_liveupdate_device_failed(struct iommu_liveupdate_in_device *in_dev,
				    int err)
{
	guard(mutex)(&iommu_liveupdate_incoming_lock);
	iommu_liveupdate_fail(in_dev, err);
}

/**
 * iommu_liveupdate_set_state - Something has become of a device that came in
 * @in_dev: Its record
 * @state: What
 * @err: Why it must not have its domain, a negative errno, or 0
 *
 * One that is done with is not blocked any more.
 *
 * Context: May sleep. Takes a leaf lock only.
 */
void iommu_liveupdate_set_state(struct iommu_liveupdate_in_device *in_dev,
				enum iommu_liveupdate_dev_state state, int err)
{
	guard(mutex)(&iommu_liveupdate_incoming_lock);
	if (err)
		iommu_liveupdate_fail(in_dev, err);
	if (state != IOMMU_LIVEUPDATE_DEV_BLOCKED ||
	    in_dev->state < IOMMU_LIVEUPDATE_DEV_REPLACED)
		in_dev->state = state;
}

/**
 * iommu_liveupdate_incoming_active - Did anything come in, usable or not?
 *
 * Context: May sleep. Takes a leaf lock only.
 * Return: true from boot to finish, if it did.
 */
bool iommu_liveupdate_incoming_active(void)
{
	guard(mutex)(&iommu_liveupdate_incoming_lock);
	return iommu_liveupdate_incoming || iommu_liveupdate_unusable;
}
