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
 * 2. Drivers look their units up, and walk the attachments of a unit.
 *    iommu_liveupdate_fail_unit() tells that one cannot be adopted.
 * 3. Devices take and leave attachments, as they come and go.
 * 4. Devices leave their attachments for good, see liveupdate-reclaim.c.
 * 5. iommu_liveupdate_incoming_finish() gives the memory of the records back.
 *
 * An attachment is incoming or restored, and goes from there to replaced or
 * blocked, from blocked to abandoned, from there to returned. There is no way back
 * from these, since the entry in the hardware is gone. The error of an attachment
 * goes from 0 to negative once and never back, so it may be read without a lock.
 *
 * Each device that has an attachment holds a reference to all the copies, so
 * that a device may outlive finish.
 *
 * Locking: iommu_liveupdate_incoming_lock guards the pointer to the copies and
 * the state of units and attachments. It is a leaf. The lists and XArrays do not
 * change between retrieve and finish. The domain object and the error of a restored
 * domain are guarded by iommu_probe_device_lock.
 */

#define pr_fmt(fmt) "iommu: liveupdate: " fmt

#include <kunit/visibility.h>
#include <linux/init.h>
#include <linux/io.h>
#include <linux/iommu-liveupdate.h>
#include <linux/kexec_handover.h>
#include <linux/mutex.h>
#include <linux/panic.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/string.h>

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
	struct iommu_liveupdate_attachment *att, *next_att;
	struct iommu_liveupdate_in_domain *dom, *next_dom;
	struct iommu_liveupdate_in_unit *unit, *next_unit;

	list_for_each_entry_safe(att, next_att, &in->attachments, list)
		kfree(att);
	/*
	 * A restored domain that is still here belongs to a device that went
	 * away without being replaced or blocked. Its table may be live, so
	 * neither the object nor the table pages are freed.
	 */
	list_for_each_entry_safe(dom, next_dom, &in->domains, list)
		kfree(dom);
	list_for_each_entry_safe(unit, next_unit, &in->units, list)
		kfree(unit);
	xa_destroy(&in->attachments_by_id);
	xa_destroy(&in->domains_by_pa);
	xa_destroy(&in->units_by_pa);
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
		unit->pa = virt_to_phys(ser);
		INIT_LIST_HEAD(&unit->attachments);
		list_add_tail(&unit->list, &in->units);
		ret = xa_insert(&in->units_by_pa, unit->pa, unit, GFP_KERNEL);
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
		ret = xa_insert(&in->domains_by_pa, dom->pa, dom, GFP_KERNEL);
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

/* Needs the units and domains, to which the attachments refer by address */
static int
iommu_liveupdate_copy_attachments(struct iommu_liveupdate_incoming *in)
{
	struct iommu_liveupdate_attachment *att;
	struct iommu_attachment_ser *ser;
	struct kho_block_set_it it;
	int ret;

	kho_block_set_it_init(&it, &in->attachment_blocks);
	while ((ser = kho_block_set_it_read_entry(&it))) {
		if (ser->flags & IOMMU_SER_DELETED)
			continue;
		att = kzalloc_obj(*att);
		if (!att)
			return -ENOMEM;
		list_add_tail(&att->list, &in->attachments);
		att->ser = *ser;
		att->in = in;
		att->unit = xa_load(&in->units_by_pa, ser->unit_pa);
		att->domain = xa_load(&in->domains_by_pa, ser->domain_pa);
		if (!att->unit || !att->domain)
			return -EBADMSG;
		list_add_tail(&att->unit_entry, &att->unit->attachments);
		list_add_tail(&att->domain_entry, &att->domain->attachments);
		ret = xa_insert(&in->attachments_by_id,
				iommu_liveupdate_index(ser->segment, ser->rid),
				att, GFP_KERNEL);
		if (ret)
			return ret;
	}
	return 0;
}

/* Each set is tried: one that fails gives the whole of its chain back */
static int iommu_liveupdate_restore_blocks(struct iommu_liveupdate_incoming *in)
{
	int units, domains, attachments;

	kho_block_set_init(&in->unit_blocks, sizeof(struct iommu_unit_ser));
	kho_block_set_init(&in->domain_blocks, sizeof(struct iommu_domain_ser));
	kho_block_set_init(&in->attachment_blocks,
			   sizeof(struct iommu_attachment_ser));

	units = kho_block_set_restore(&in->unit_blocks, in->ser->units_pa);
	domains = kho_block_set_restore(&in->domain_blocks, in->ser->domains_pa);
	attachments = kho_block_set_restore(&in->attachment_blocks,
					    in->ser->attachments_pa);
	return units ?: domains ?: attachments;
}

static void iommu_liveupdate_destroy_blocks(struct iommu_liveupdate_incoming *in)
{
	kho_block_set_destroy(&in->attachment_blocks);
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
	INIT_LIST_HEAD(&in->attachments);
	xa_init(&in->units_by_pa);
	xa_init(&in->domains_by_pa);
	xa_init(&in->attachments_by_id);
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
		list_count_nodes(&in->attachments));
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

/**
 * iommu_liveupdate_find_unit - Find the record of a unit
 * @type: IOMMU_UNIT_SER_*
 * @base: Physical address of the unit's registers
 *
 * Context: May sleep. Takes a leaf lock only, so any lock that allows to sleep
 * may be held.
 * Return: A copy of the record, valid until finish. NULL if there is no record
 * of this unit. An error pointer if there are records, but none of them can be
 * used, or if the unit was failed: then nothing of what it translates can be
 * trusted, and what it translates must be blocked.
 */
const struct iommu_unit_ser *iommu_liveupdate_find_unit(u32 type, u64 base)
{
	struct iommu_liveupdate_incoming *in;
	struct iommu_liveupdate_in_unit *unit;

	guard(mutex)(&iommu_liveupdate_incoming_lock);
	if (iommu_liveupdate_unusable)
		return ERR_PTR(iommu_liveupdate_unusable);

	in = iommu_liveupdate_incoming;
	if (!in)
		return NULL;

	list_for_each_entry(unit, &in->units, list) {
		if (unit->ser.type != type || unit->ser.base != base)
			continue;
		return unit->err ? ERR_PTR(unit->err) : &unit->ser;
	}
	return NULL;
}

/**
 * iommu_liveupdate_next_attachment - Walk the attachments of a unit
 * @unit: What iommu_liveupdate_find_unit() returned
 * @prev: What this function returned last, NULL to start
 *
 * Attachments that have failed are part of the walk: their ids and tables are
 * those of the hardware all the same.
 *
 * Context: May sleep. Takes a leaf lock only.
 * Return: Copy of the next record, valid until finish, or NULL at the end.
 */
const struct iommu_attachment_ser *
iommu_liveupdate_next_attachment(const struct iommu_unit_ser *unit,
				 const struct iommu_attachment_ser *prev)
{
	const struct iommu_liveupdate_attachment *att;
	struct iommu_liveupdate_in_unit *owner;

	guard(mutex)(&iommu_liveupdate_incoming_lock);
	if (!iommu_liveupdate_incoming)
		return NULL;

	owner = container_of(unit, struct iommu_liveupdate_in_unit, ser);
	if (!prev) {
		att = list_first_entry_or_null(&owner->attachments,
					       struct iommu_liveupdate_attachment,
					       unit_entry);
		return att ? &att->ser : NULL;
	}

	att = container_of(prev, struct iommu_liveupdate_attachment, ser);
	if (list_is_last(&att->unit_entry, &owner->attachments))
		return NULL;
	return &list_next_entry(att, unit_entry)->ser;
}

static void iommu_liveupdate_fail(struct iommu_liveupdate_attachment *att,
				  int err)
{
	lockdep_assert_held(&iommu_liveupdate_incoming_lock);

	if (!att->err)
		WRITE_ONCE(att->err, err);
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
	struct iommu_liveupdate_attachment *att;
	struct iommu_liveupdate_in_unit *failed;

	pr_err("unit 0x%llx cannot be adopted (%pe), its devices will be blocked\n",
	       unit->base, ERR_PTR(err));
	iommu_liveupdate_fail_closed();

	guard(mutex)(&iommu_liveupdate_incoming_lock);
	if (!iommu_liveupdate_incoming)
		return;

	failed = container_of(unit, struct iommu_liveupdate_in_unit, ser);
	failed->err = err;
	list_for_each_entry(att, &failed->attachments, unit_entry)
		iommu_liveupdate_fail(att, err);
}

static struct iommu_liveupdate_attachment *
iommu_liveupdate_lookup(struct iommu_liveupdate_incoming *in, u32 segment,
			u32 rid)
{
	lockdep_assert_held(&iommu_liveupdate_incoming_lock);

	/* A caller has read @rid somewhere, it may be none */
	if (!in || rid > U16_MAX)
		return NULL;
	return xa_load(&in->attachments_by_id,
		       iommu_liveupdate_index(segment, rid));
}

/**
 * iommu_liveupdate_find_attachment - Find the attachment of a requester id
 * @segment: PCI segment
 * @rid: Bus, device and function
 *
 * Context: May sleep. Takes a leaf lock only.
 * Return: The attachment, whatever became of it, with a reference to all copies
 * that is dropped by iommu_liveupdate_incoming_put(), or NULL.
 */
struct iommu_liveupdate_attachment *
iommu_liveupdate_find_attachment(u32 segment, u32 rid)
{
	struct iommu_liveupdate_attachment *att;

	guard(mutex)(&iommu_liveupdate_incoming_lock);
	att = iommu_liveupdate_lookup(iommu_liveupdate_incoming, segment, rid);
	if (att)
		kref_get(&att->in->ref);
	return att;
}

/**
 * iommu_liveupdate_get_attachment - Find the attachment of a PCI function
 * @pci: The function
 *
 * The attachment fails if another kind of function is now where it was. One
 * that was replaced or abandoned has no device any more: what is found there is
 * an ordinary one.
 *
 * Context: May sleep. Takes a leaf lock only.
 * Return: The attachment with a reference, to be dropped by
 * iommu_liveupdate_put_attachment(), or NULL if there is none.
 */
struct iommu_liveupdate_attachment *
iommu_liveupdate_get_attachment(struct pci_dev *pci)
{
	struct iommu_liveupdate_attachment *att;

	guard(mutex)(&iommu_liveupdate_incoming_lock);
	att = iommu_liveupdate_lookup(iommu_liveupdate_incoming,
				      pci_domain_nr(pci->bus), pci_dev_id(pci));
	if (!att || iommu_liveupdate_attachment_gone(att))
		return NULL;

	if (!att->err && (att->ser.vendor != pci->vendor ||
			  att->ser.device != pci->device)) {
		pci_err(pci, "live update: %04x:%04x was preserved here\n",
			att->ser.vendor, att->ser.device);
		iommu_liveupdate_fail(att, -EIO);
	}
	kref_get(&att->in->ref);
	return att;
}

/**
 * iommu_liveupdate_put_attachment - A device goes away
 * @att: What iommu_liveupdate_get_attachment() returned
 *
 * Its entries in the hardware stay as they are, so the record is incoming
 * again. If it was abandoned they are blocked, and what is found next in its
 * place is an ordinary device.
 *
 * Context: May sleep. Takes a leaf lock only.
 */
void iommu_liveupdate_put_attachment(struct iommu_liveupdate_attachment *att)
{
	scoped_guard(mutex, &iommu_liveupdate_incoming_lock) {
		if (att->state == IOMMU_LIVEUPDATE_ATT_RESTORED)
			att->state = IOMMU_LIVEUPDATE_ATT_INCOMING;
		else if (att->state == IOMMU_LIVEUPDATE_ATT_ABANDONED)
			att->state = IOMMU_LIVEUPDATE_ATT_RETURNED;
	}
	iommu_liveupdate_attachment_group(att, NULL);
	iommu_liveupdate_incoming_put(att->in);
}

/**
 * iommu_liveupdate_attachment_group - The device has joined or left a group
 * @att: Its attachment
 * @group: The group, NULL if the device has left it
 *
 * The group can be reached through the attachment in between.
 *
 * Context: May sleep. Takes a leaf lock only.
 */
void iommu_liveupdate_attachment_group(struct iommu_liveupdate_attachment *att,
				       struct iommu_group *group)
{
	if (group)
		iommu_group_ref_get(group);
	scoped_guard(mutex, &iommu_liveupdate_incoming_lock)
		swap(att->group, group);
	if (group)
		iommu_group_put(group);
}

/**
 * iommu_liveupdate_attachment_failed - A device must not have its domain
 * @att: Its attachment
 * @err: Why, a negative errno
 *
 * It will be blocked at its probe.
 *
 * Context: May sleep. Takes a leaf lock only.
 */
void iommu_liveupdate_attachment_failed(struct iommu_liveupdate_attachment *att,
					int err)
{
	guard(mutex)(&iommu_liveupdate_incoming_lock);
	iommu_liveupdate_fail(att, err);
}

/**
 * iommu_liveupdate_set_state - Something has become of a device that came in
 * @att: Its attachment
 * @state: What
 * @err: Why it must not have its domain, a negative errno, or 0
 *
 * One that is done with is not blocked any more.
 *
 * Context: May sleep. Takes a leaf lock only.
 */
void iommu_liveupdate_set_state(struct iommu_liveupdate_attachment *att,
				enum iommu_liveupdate_att_state state, int err)
{
	guard(mutex)(&iommu_liveupdate_incoming_lock);
	if (err)
		iommu_liveupdate_fail(att, err);
	if (state != IOMMU_LIVEUPDATE_ATT_BLOCKED ||
	    att->state < IOMMU_LIVEUPDATE_ATT_REPLACED)
		att->state = state;
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
