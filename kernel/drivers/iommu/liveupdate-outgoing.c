// SPDX-License-Identifier: GPL-2.0
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */

/**
 * DOC: IOMMU live update, outgoing side
 *
 * What the old kernel does until the kexec: write the records that the next
 * kernel will read, and keep what they describe from changing. The kexec itself
 * is in liveupdate-handover.c; liveupdate.c has the whole picture.
 *
 * 1. iommu_liveupdate_outgoing_preserve() makes the empty top object.
 * 2. iommu_domain_preserve(), iommu_device_preserve() add records. Nothing
 *    rests on something that is not preserved: the domain comes first, then
 *    the unit, the device, the attachment.
 * 3. iommu_device_unpreserve(), iommu_domain_unpreserve() give them up again.
 *    A unit goes with its last device. A record that was given up stays where
 *    it is, flagged as deleted, since others are found by their address; the
 *    next record of its kind takes the place, for by then nobody refers to it.
 * 4. iommu_liveupdate_outgoing_unpreserve() frees everything, if no kexec came.
 *
 * Records are written in place, in preserved memory. They are complete when
 * iommu_liveupdate_seal() has written the top object, which is done at freeze, and
 * again when the units have been handed over.
 *
 * Locking: iommu_liveupdate_outgoing_lock guards everything in this file;
 * group->mutex, taken before it, keeps the group of a device as it is. Every
 * refusal leaves one line in the log and no trace elsewhere.
 */

#define pr_fmt(fmt) "iommu: liveupdate: " fmt

#include <linux/generic_pt/iommu.h>
#include <linux/io.h>
#include <linux/iommu.h>
#include <linux/iommu-liveupdate.h>
#include <linux/kexec_handover.h>
#include <linux/liveupdate.h>
#include <linux/mutex.h>
#include <linux/slab.h>

#include "iommu-group.h"
#include "iommu-pages.h"
#include "iommu-priv.h"
#include "liveupdate.h"
#include "liveupdate-check.h"
#include "liveupdate-hooks.h"

/* Guards all that is outgoing, liveupdate.c has the order */
DEFINE_MUTEX(iommu_liveupdate_outgoing_lock);
struct iommu_liveupdate_outgoing *iommu_liveupdate_outgoing;

static void iommu_liveupdate_records_init(struct iommu_liveupdate_records *recs,
					  size_t size)
{
	kho_block_set_init(&recs->blocks, size);
	kho_block_set_it_init(&recs->end, &recs->blocks);
	recs->nr = 0;
}

/* Every record starts with its flags, see below */
static_assert(offsetof(struct iommu_unit_ser, flags) == 0);
static_assert(offsetof(struct iommu_domain_ser, flags) == 0);
static_assert(offsetof(struct iommu_device_ser, flags) == 0);
static_assert(offsetof(struct iommu_attachment_ser, flags) == 0);

static void *iommu_liveupdate_find_deleted(struct iommu_liveupdate_records *recs)
{
	struct kho_block_set_it it;
	u32 *flags;

	kho_block_set_it_init(&it, &recs->blocks);
	while ((flags = kho_block_set_it_read_entry(&it)))
		if (*flags & IOMMU_SER_DELETED)
			return flags;
	return NULL;
}

/*
 * Find room for a record, all zero. A deleted record comes first: it is deleted
 * only after every record that referred to it, so the place is free. Without
 * that a session that comes and goes next to one that stays would fill memory.
 */
static void *iommu_liveupdate_record_add(struct iommu_liveupdate_records *recs)
{
	void *ser = iommu_liveupdate_find_deleted(recs);
	int ret;

	if (ser) {
		memset(ser, 0, recs->blocks.entry_size);
		return ser;
	}

	/* The next kernel reads no more than that */
	if (recs->nr >= IOMMU_LIVEUPDATE_MAX_RECORDS)
		return ERR_PTR(-ENOSPC);

	ret = kho_block_set_grow(&recs->blocks, (u64)recs->nr + 1);
	if (ret)
		return ERR_PTR(ret);

	/* An iterator over an empty set does not notice the first block */
	if (!recs->end.block)
		kho_block_set_it_init(&recs->end, &recs->blocks);
	ser = kho_block_set_it_reserve_entry(&recs->end);
	recs->nr++;
	return ser;
}

static void iommu_liveupdate_record_delete(struct iommu_liveupdate_records *recs,
					   void *ser)
{
	u32 *flags = ser;

	memset(ser, 0, recs->blocks.entry_size);
	*flags = IOMMU_SER_DELETED;
}

static const void *iommu_liveupdate_map_outgoing(void *ctx, u64 pa, size_t len)
{
	return phys_to_virt(pa);
}

/* KHO cannot be asked about what goes out, but this kernel wrote it itself */
static bool iommu_liveupdate_preserved_outgoing(void *ctx, u64 pa,
						unsigned int order)
{
	return true;
}

static const struct iommu_liveupdate_check_ops iommu_liveupdate_outgoing_memory = {
	.map = iommu_liveupdate_map_outgoing,
	.preserved = iommu_liveupdate_preserved_outgoing,
};

/**
 * iommu_liveupdate_seal - Make the outgoing records complete
 * @out: All that is preserved
 *
 * To be called after the last write to any record.
 *
 * Context: The caller holds iommu_liveupdate_outgoing_lock.
 */
void iommu_liveupdate_seal(struct iommu_liveupdate_outgoing *out)
{
	struct iommu_ser *ser = out->ser;

	lockdep_assert_held(&iommu_liveupdate_outgoing_lock);

	ser->units_pa = kho_block_set_head_pa(&out->unit_records.blocks);
	ser->nr_units = out->unit_records.nr;
	ser->domains_pa = kho_block_set_head_pa(&out->domain_records.blocks);
	ser->nr_domains = out->domain_records.nr;
	ser->devices_pa = kho_block_set_head_pa(&out->device_records.blocks);
	ser->nr_devices = out->device_records.nr;
	ser->attachments_pa =
		kho_block_set_head_pa(&out->attachment_records.blocks);
	ser->nr_attachments = out->attachment_records.nr;
	ser->crc = iommu_liveupdate_crc(ser, &iommu_liveupdate_outgoing_memory);
}

/* What the drivers have added, each kind of unit once */
static int iommu_liveupdate_verify_types(struct iommu_liveupdate_outgoing *out,
					 const char **reason)
{
	const struct iommu_liveupdate_type *type, *last = NULL;
	struct iommu_liveupdate_out_unit *unit;

	list_for_each_entry(unit, &out->units, list) {
		type = iommu_liveupdate_unit_ops(unit)->type;
		if (type == last)
			continue;
		last = type;
		*reason = iommu_liveupdate_check_type(out->ser,
						      &iommu_liveupdate_outgoing_memory,
						      type);
		if (*reason)
			return -EINVAL;
	}
	return 0;
}

/**
 * iommu_liveupdate_verify - Read the records with the eyes of the next kernel
 * @out: All that is preserved, sealed
 *
 * This is done as long as a complaint costs a kexec only, not a blocked device.
 *
 * Context: The caller holds iommu_liveupdate_outgoing_lock.
 * Return: 0, the negative errno of iommu_liveupdate_check(), or -EINVAL for what
 * a driver has added.
 */
int iommu_liveupdate_verify(struct iommu_liveupdate_outgoing *out)
{
	const char *reason;
	int ret;

	lockdep_assert_held(&iommu_liveupdate_outgoing_lock);

	ret = iommu_liveupdate_check(out->ser, &iommu_liveupdate_outgoing_memory,
				     &reason);
	if (!ret)
		ret = iommu_liveupdate_verify_types(out, &reason);
	if (ret)
		liveupdate_refuse_err("the next kernel would refuse the records: %s\n",
				      reason);
	return ret;
}

/**
 * iommu_liveupdate_outgoing_preserve - The FLB's preserve
 * @argp: Arguments of LUO, data and obj are set
 *
 * Makes the top object and nothing else. It runs before the preserve of the
 * first file that needs it.
 *
 * Context: May sleep. LUO holds the FLB's mutex.
 * Return: 0, -ENOMEM, or the negative errno of kho_alloc_preserve().
 */
int iommu_liveupdate_outgoing_preserve(struct liveupdate_flb_op_args *argp)
{
	struct iommu_liveupdate_outgoing *out __free(kfree) = kzalloc_obj(*out);
	struct iommu_ser *ser;

	if (!out)
		return -ENOMEM;

	ser = kho_alloc_preserve(sizeof(*ser));
	if (IS_ERR(ser))
		return PTR_ERR(ser);

	ser->version = IOMMU_SER_VERSION;
	ser->length = sizeof(*ser);
	ser->page_shift = PAGE_SHIFT;
	out->ser = ser;
	iommu_liveupdate_records_init(&out->unit_records,
				      sizeof(struct iommu_unit_ser));
	iommu_liveupdate_records_init(&out->domain_records,
				      sizeof(struct iommu_domain_ser));
	iommu_liveupdate_records_init(&out->device_records,
				      sizeof(struct iommu_device_ser));
	iommu_liveupdate_records_init(&out->attachment_records,
				      sizeof(struct iommu_attachment_ser));
	INIT_LIST_HEAD(&out->units);
	INIT_LIST_HEAD(&out->domains);
	INIT_LIST_HEAD(&out->devices);

	argp->data = virt_to_phys(ser);
	argp->obj = out;

	guard(mutex)(&iommu_liveupdate_outgoing_lock);
	iommu_liveupdate_outgoing = no_free_ptr(out);
	return 0;
}

/**
 * iommu_liveupdate_outgoing_unpreserve - The FLB's unpreserve
 * @argp: Arguments of LUO
 *
 * Context: May sleep. LUO holds the FLB's mutex.
 */
void iommu_liveupdate_outgoing_unpreserve(struct liveupdate_flb_op_args *argp)
{
	struct iommu_liveupdate_outgoing *out = argp->obj;

	guard(mutex)(&iommu_liveupdate_outgoing_lock);
	iommu_liveupdate_outgoing = NULL;

	/*
	 * iommufd forgot something. Its page tables are still marked as
	 * preserved and the lists still point to it, so all of it has to stay.
	 */
	if (WARN_ON_ONCE(!list_empty(&out->units) ||
			 !list_empty(&out->domains) ||
			 !list_empty(&out->devices)))
		return;

	kho_block_set_destroy(&out->attachment_records.blocks);
	kho_block_set_destroy(&out->device_records.blocks);
	kho_block_set_destroy(&out->domain_records.blocks);
	kho_block_set_destroy(&out->unit_records.blocks);
	kho_unpreserve_free(out->ser);
	kfree(out);
}

static struct iommu_liveupdate_out_domain *
iommu_liveupdate_find_domain(struct iommu_liveupdate_outgoing *out,
			     struct iommu_domain *domain)
{
	struct iommu_liveupdate_out_domain *pdom;

	list_for_each_entry(pdom, &out->domains, list)
		if (pdom->domain == domain)
			return pdom;
	return NULL;
}

static struct iommu_liveupdate_out_device *
iommu_liveupdate_find_device(struct iommu_liveupdate_outgoing *out,
			     struct device *dev)
{
	struct iommu_liveupdate_out_device *pdev;

	list_for_each_entry(pdev, &out->devices, list)
		if (pdev->dev == dev)
			return pdev;
	return NULL;
}

static bool iommu_liveupdate_ops_complete(const struct iommu_liveupdate_ops *ops)
{
	return ops && ops->type && ops->unit_preserve && ops->unit_unpreserve &&
	       ops->dev_preserve && ops->dev_unpreserve && ops->att_preserve &&
	       ops->unit_freeze && ops->unit_handover && ops->domain_restore &&
	       ops->att_adopt && ops->dev_block && ops->dev_unblock &&
	       ops->unit_match && ops->ids_block && ops->att_release &&
	       ops->dev_release;
}

/**
 * iommu_domain_check_preserve - Can this kind of domain be preserved at all?
 * @domain: Domain, whatever its type
 *
 * The page table has to know how, and so has the IOMMU driver: it is the driver
 * of the next kernel that gives the pages back, even if no device is preserved.
 *
 * Context: Any.
 * Return: 0, or -EOPNOTSUPP with a line in the log.
 */
int iommu_domain_check_preserve(struct iommu_domain *domain)
{
	struct pt_iommu *pt = iommupt_from_domain(domain);
	const struct iommu_ops *owner = domain->owner;

	/* A nested domain has a table of its own, which only the guest knows */
	if (!pt || !pt->ops->liveupdate) {
		liveupdate_refuse_warn("domain refused, its page table cannot be preserved\n");
		return -EOPNOTSUPP;
	}
	if (!owner || !iommu_liveupdate_ops_complete(owner->liveupdate_ops)) {
		liveupdate_refuse_warn("domain refused, no support in its IOMMU driver\n");
		return -EOPNOTSUPP;
	}
	return 0;
}
EXPORT_SYMBOL_NS_GPL(iommu_domain_check_preserve, "IOMMUFD_INTERNAL");

/**
 * iommu_domain_mapped_run - How much does a domain map in one piece?
 * @domain: One that iommu_domain_check_preserve() had nothing against
 * @iova: Where to start
 * @length: How much to look at, at most
 * @phys: Set to what @iova is mapped to, if it is
 *
 * Instead of looking up page by page. The time is that for the entries of the
 * page table that are passed.
 *
 * Context: Any. The caller keeps the mappings from being changed.
 * Return: Bytes from @iova on that are mapped to memory without a gap from @phys
 * on, at most @length. 0 if @iova is not mapped.
 */
size_t iommu_domain_mapped_run(struct iommu_domain *domain, unsigned long iova,
			       size_t length, phys_addr_t *phys)
{
	struct pt_iommu *pt = iommupt_from_domain(domain);

	return pt->ops->liveupdate->mapped_run(pt, iova, length, phys);
}
EXPORT_SYMBOL_NS_GPL(iommu_domain_mapped_run, "IOMMUFD_INTERNAL");

static int
iommu_liveupdate_check_domain(struct iommu_liveupdate_outgoing *out,
			      struct iommu_domain *domain)
{
	u8 state;

	if (!out) {
		liveupdate_refuse_warn("domain refused, its iommufd is not preserved\n");
		return -ENOENT;
	}
	if (out->frozen) {
		liveupdate_refuse_warn("domain refused, the kexec has begun\n");
		return -EBUSY;
	}
	state = READ_ONCE(domain->liveupdate);
	if (state != IOMMU_LIVEUPDATE_NONE) {
		liveupdate_refuse_warn("domain refused, it is %s\n",
				       state == IOMMU_LIVEUPDATE_RESTORED ?
				       "a restored one" : "preserved already");
		return -EBUSY;
	}
	return iommu_domain_check_preserve(domain);
}

static int iommu_liveupdate_add_domain(struct iommu_liveupdate_outgoing *out,
				       struct iommu_domain *domain,
				       u64 *domain_pa)
{
	struct pt_iommu *pt = iommupt_from_domain(domain);
	struct iommu_liveupdate_out_domain *pdom;
	int ret;

	pdom = kzalloc_obj(*pdom);
	if (!pdom)
		return -ENOMEM;

	pdom->domain = domain;
	pdom->ser = iommu_liveupdate_record_add(&out->domain_records);
	if (IS_ERR(pdom->ser)) {
		ret = PTR_ERR(pdom->ser);
		goto err_free;
	}

	/* Before the walk, which must see the table as it will stay */
	WRITE_ONCE(domain->liveupdate, IOMMU_LIVEUPDATE_PRESERVED);
	ret = pt->ops->liveupdate->preserve(pt, pdom->ser);
	if (ret)
		goto err_mutable;

	list_add_tail(&pdom->list, &out->domains);
	*domain_pa = virt_to_phys(pdom->ser);
	return 0;

err_mutable:
	WRITE_ONCE(domain->liveupdate, IOMMU_LIVEUPDATE_NONE);
	iommu_liveupdate_record_delete(&out->domain_records, pdom->ser);
err_free:
	kfree(pdom);
	return ret;
}

/**
 * iommu_domain_preserve - Preserve a domain's page table
 * @domain: Paging domain of a generic page table
 * @domain_pa: Set to the physical address of the domain's record
 *
 * From here on, not from freeze on, the domain is immutable: map fails, unmap
 * does nothing, and it must not be freed. Neither the memory that is mapped nor
 * any device is preserved by this.
 *
 * Context: May sleep. The caller excludes map and unmap of @domain until this
 * returns, and has the FLB preserved, see iommu_liveupdate_register_flb().
 * Return: 0 on success. -ENOENT without FLB, -EOPNOTSUPP if @domain is not a
 * generic page table (a nested one is none) or its IOMMU driver knows nothing
 * of live update, -EBUSY if it is preserved
 * already, is a restored domain, or the kexec has begun, -ENOMEM or another
 * errno of KHO or the page table.
 */
int iommu_domain_preserve(struct iommu_domain *domain, u64 *domain_pa)
{
	struct iommu_liveupdate_outgoing *out;
	int ret;

	guard(mutex)(&iommu_liveupdate_outgoing_lock);
	out = iommu_liveupdate_outgoing;
	ret = iommu_liveupdate_check_domain(out, domain);
	if (ret)
		return ret;

	ret = iommu_liveupdate_add_domain(out, domain, domain_pa);
	if (ret)
		liveupdate_refuse_warn("domain refused, its page table cannot be preserved: %pe\n",
				       ERR_PTR(ret));
	return ret;
}
EXPORT_SYMBOL_NS_GPL(iommu_domain_preserve, "IOMMUFD_INTERNAL");

/**
 * iommu_domain_unpreserve - Undo iommu_domain_preserve()
 * @domain: Preserved domain, all its devices were unpreserved before
 *
 * Context: May sleep.
 */
void iommu_domain_unpreserve(struct iommu_domain *domain)
{
	struct pt_iommu *pt = iommupt_from_domain(domain);
	struct iommu_liveupdate_outgoing *out;
	struct iommu_liveupdate_out_domain *pdom;

	guard(mutex)(&iommu_liveupdate_outgoing_lock);
	out = iommu_liveupdate_outgoing;
	pdom = out ? iommu_liveupdate_find_domain(out, domain) : NULL;

	/*
	 * The attachment records of devices hold the address of this one. A
	 * caller that comes too early, or twice, cannot be told otherwise.
	 */
	if (WARN_ON_ONCE(!pdom || pdom->ser->nr_attachments))
		return;

	list_del(&pdom->list);
	pt->ops->liveupdate->unpreserve(pt, pdom->ser);
	iommu_liveupdate_record_delete(&out->domain_records, pdom->ser);
	WRITE_ONCE(domain->liveupdate, IOMMU_LIVEUPDATE_NONE);
	kfree(pdom);
}
EXPORT_SYMBOL_NS_GPL(iommu_domain_unpreserve, "IOMMUFD_INTERNAL");

/* Does another unit have this very table? */
static const struct iommu_table_ser *
iommu_liveupdate_shared_table(const struct iommu_unit_ser *unit, u64 pa)
{
	struct iommu_liveupdate_out_unit *other;
	unsigned int i;

	list_for_each_entry(other, &iommu_liveupdate_outgoing->units, list)
		for (i = 0; other->ser != unit && i < IOMMU_UNIT_SER_TABLES; i++)
			if (other->ser->tables[i].pa == pa)
				return &other->ser->tables[i];
	return NULL;
}

/**
 * iommu_liveupdate_preserve_table - Preserve a table that all devices of a unit use
 * @unit: The unit's record, being filled
 * @kind: What it is, see &iommu_table_ser.kind
 * @virt: The table, from iommu_alloc_pages_node_sz() or one of its kind
 * @flags: IOMMU_TABLE_SER_SHARED if other units may have the same table. It is
 *	preserved with the first of them, and given back with the last.
 *
 * There is no counterpart: the core gives the tables back when the unit is not
 * preserved any more, or when the driver's unit_preserve fails.
 *
 * Context: In the driver's unit_preserve, dev_preserve or unit_freeze. May sleep.
 * Return: 0, -ENOSPC if the record has no room for one more, -EINVAL if another unit
 * has the same table as something else, or for itself alone, or the errno of
 * iommu_preserve_page().
 */
int iommu_liveupdate_preserve_table(struct iommu_unit_ser *unit, u16 kind,
				    void *virt, u16 flags)
{
	struct iommu_table_ser table = {
		.pa = virt_to_phys(virt),
		.order = folio_order(virt_to_folio(virt)),
		.kind = kind,
		.flags = flags,
	};
	const struct iommu_table_ser *other;
	unsigned int i = 0;
	int ret;

	lockdep_assert_held(&iommu_liveupdate_outgoing_lock);

	while (i < IOMMU_UNIT_SER_TABLES && unit->tables[i].pa)
		i++;
	if (i == IOMMU_UNIT_SER_TABLES)
		return -ENOSPC;
	other = iommu_liveupdate_shared_table(unit, table.pa);
	if (other && (!(flags & other->flags & IOMMU_TABLE_SER_SHARED) ||
		      other->kind != kind))
		return -EINVAL;
	if (!other) {
		ret = iommu_preserve_page(virt);
		if (ret)
			return ret;
	}
	unit->tables[i] = table;
	return 0;
}
EXPORT_SYMBOL_GPL(iommu_liveupdate_preserve_table);

static void iommu_liveupdate_unpreserve_tables(struct iommu_unit_ser *unit)
{
	unsigned int i;

	for (i = 0; i < IOMMU_UNIT_SER_TABLES && unit->tables[i].pa; i++)
		if (!iommu_liveupdate_shared_table(unit, unit->tables[i].pa))
			iommu_unpreserve_page(phys_to_virt(unit->tables[i].pa));
}

static struct iommu_liveupdate_out_unit *
iommu_liveupdate_add_unit(struct iommu_liveupdate_outgoing *out,
			  struct iommu_device *iommu, u32 segment)
{
	const struct iommu_liveupdate_ops *ops = iommu->ops->liveupdate_ops;
	struct iommu_liveupdate_out_unit *unit;
	int ret;

	unit = kzalloc_obj(*unit);
	if (!unit)
		return ERR_PTR(-ENOMEM);

	unit->iommu = iommu;
	unit->ser = iommu_liveupdate_record_add(&out->unit_records);
	if (IS_ERR(unit->ser)) {
		ret = PTR_ERR(unit->ser);
		goto err_free;
	}

	unit->ser->type = ops->type->type;
	unit->ser->segment = segment;
	ret = ops->unit_preserve(iommu, unit->ser);
	if (ret)
		goto err_delete_record;

	iommu->kept.preserved = true;
	list_add_tail(&unit->list, &out->units);
	return unit;

err_delete_record:
	iommu_liveupdate_unpreserve_tables(unit->ser);
	iommu_liveupdate_record_delete(&out->unit_records, unit->ser);
err_free:
	kfree(unit);
	return ERR_PTR(ret);
}

/* Get the unit of a device, and preserve it if this is its first device */
static struct iommu_liveupdate_out_unit *
iommu_liveupdate_get_unit(struct iommu_liveupdate_outgoing *out,
			  struct device *dev, u32 segment)
{
	struct iommu_device *iommu = dev->iommu->iommu_dev;
	struct iommu_liveupdate_out_unit *unit;

	list_for_each_entry(unit, &out->units, list)
		if (unit->iommu == iommu)
			goto out_count;

	unit = iommu_liveupdate_add_unit(out, iommu, segment);
	if (IS_ERR(unit))
		return unit;

out_count:
	unit->ser->nr_devices++;
	return unit;
}

static void iommu_liveupdate_put_unit(struct iommu_liveupdate_outgoing *out,
				      struct iommu_liveupdate_out_unit *unit)
{
	if (--unit->ser->nr_devices)
		return;

	list_del(&unit->list);
	unit->iommu->kept.preserved = false;
	iommu_liveupdate_unit_ops(unit)->unit_unpreserve(unit->iommu, unit->ser);
	iommu_liveupdate_unpreserve_tables(unit->ser);
	iommu_liveupdate_record_delete(&out->unit_records, unit->ser);
	kfree(unit);
}

static int iommu_liveupdate_refuse(struct device *dev, int err,
				   const char *reason)
{
	liveupdate_dev_warn(dev, "not preserved for live update: %s: %pe\n",
			    reason, ERR_PTR(err));
	return err;
}

/* Does the device belong with the members of its group that are preserved? */
static int
iommu_liveupdate_check_members(struct iommu_liveupdate_outgoing *out,
			       struct device *dev, u64 iommufd_token,
			       const struct iommu_device_ser *id)
{
	struct iommu_liveupdate_out_attachment *patt;
	struct iommu_liveupdate_out_device *pdev;

	/* It can be bound and preserved by nobody, and all must be */
	if (iommu_liveupdate_group_untaken(dev->iommu_group))
		return iommu_liveupdate_refuse(dev, -EBUSY,
					       "a member of its group is blocked since the last one");
	list_for_each_entry(pdev, &out->devices, list) {
		if (pdev->dev->iommu_group != dev->iommu_group)
			continue;
		/* One number names the group in the records of all */
		if (pdev->ser->segment != id->segment)
			return iommu_liveupdate_refuse(dev, -EOPNOTSUPP,
						       "its group has members in other segments");
		patt = list_first_entry(&pdev->attachments,
					struct iommu_liveupdate_out_attachment, list);
		if (patt->ser->iommufd_token != iommufd_token)
			return iommu_liveupdate_refuse(dev, -EINVAL,
						       "its group was preserved with another iommufd");
	}
	return 0;
}

static int iommu_liveupdate_check_attached(struct iommu_liveupdate_outgoing *out,
					   struct device *dev,
					   struct iommu_domain *domain)
{
	if (domain->type == IOMMU_DOMAIN_NESTED)
		return iommu_liveupdate_refuse(dev, -EOPNOTSUPP, "its domain is a nested one");
	if (READ_ONCE(domain->liveupdate) == IOMMU_LIVEUPDATE_RESTORED)
		return iommu_liveupdate_refuse(dev, -EBUSY, "still on a restored domain");
	if (!iommu_liveupdate_find_domain(out, domain))
		return iommu_liveupdate_refuse(dev, -ENOENT, "its domain is not preserved");
	return 0;
}

/* The next PASID that a group is attached on, IOMMU_NO_PASID at the end */
static ioasid_t iommu_liveupdate_next_pasid(struct iommu_group *group,
					    ioasid_t pasid)
{
	unsigned long index = pasid;

	return xa_find_after(&group->pasid_array, &index, ULONG_MAX, XA_PRESENT) ?
	       index : IOMMU_NO_PASID;
}

static struct iommu_domain *
iommu_liveupdate_pasid_domain(struct iommu_group *group, ioasid_t pasid)
{
	return iommu_pasid_array_domain(xa_load(&group->pasid_array, pasid));
}

static int iommu_liveupdate_check_pasids(struct iommu_liveupdate_outgoing *out,
					 struct device *dev)
{
	struct iommu_group *group = dev->iommu_group;
	ioasid_t pasid = IOMMU_NO_PASID;
	int ret = 0;

	while (!ret && (pasid = iommu_liveupdate_next_pasid(group, pasid)))
		ret = iommu_liveupdate_check_attached(out, dev,
						      iommu_liveupdate_pasid_domain(group, pasid));
	return ret;
}

/*
 * All refusals that need no driver. group->mutex is held from here until the
 * group is marked as preserved, and whoever joins it later is turned away. Its
 * other members are looked at before the kexec, when all that are to be preserved
 * have been.
 */
static int
iommu_liveupdate_check_device(struct iommu_liveupdate_outgoing *out,
			      struct device *dev, struct iommu_domain *domain,
			      u64 iommufd_token, struct iommu_device_ser *id)
{
	const struct iommu_liveupdate_ops *ops = dev_iommu_ops(dev)->liveupdate_ops;
	struct iommu_group *group = dev->iommu_group;
	int ret;
	bool alone = list_is_singular(&group->devices);
	bool pasids = iommu_liveupdate_next_pasid(group, IOMMU_NO_PASID);

	lockdep_assert_held(&group->mutex);

	if (!group->owner)
		return iommu_liveupdate_refuse(dev, -EPERM, "not owned by user space");
	if (iommu_liveupdate_owns_group(group))
		return iommu_liveupdate_refuse(dev, -EBUSY, "not taken over since the last one");
	if (!iommu_liveupdate_identify(dev, ops, id))
		return iommu_liveupdate_refuse(dev, -EOPNOTSUPP, "nothing to know it by");
	if (!iommu_liveupdate_ops_complete(ops))
		return iommu_liveupdate_refuse(dev, -EOPNOTSUPP, "no support in the IOMMU driver");
	if (!alone && !ops->groups)
		return iommu_liveupdate_refuse(dev, -EOPNOTSUPP, "other devices in its group");
	if (pasids && !ops->pasids)
		return iommu_liveupdate_refuse(dev, -EOPNOTSUPP, "a PASID is attached");
	/* The PASIDs of a group are those of all its devices, as are they of nobody */
	if (pasids && !alone)
		return iommu_liveupdate_refuse(dev, -EOPNOTSUPP,
					       "a PASID is attached, and other devices in its group");
	if (!out)
		return iommu_liveupdate_refuse(dev, -ENOENT, "its iommufd is not preserved");
	if (iommu_liveupdate_find_device(out, dev))
		return iommu_liveupdate_refuse(dev, -EBUSY, "preserved already");
	if (group->recovery_cnt || dev->iommu->attach_deferred)
		return iommu_liveupdate_refuse(dev, -EBUSY, "in reset, or attach pending");
	if (out->frozen)
		return iommu_liveupdate_refuse(dev, -EBUSY, "the kexec has begun");
	ret = iommu_liveupdate_check_attached(out, dev, domain);
	if (ret)
		return ret;
	if (group->domain != domain)
		return iommu_liveupdate_refuse(dev, -EINVAL, "not attached to that domain");
	ret = iommu_liveupdate_check_pasids(out, dev);
	if (ret)
		return ret;
	return iommu_liveupdate_check_members(out, dev, iommufd_token, id);
}

/* The same name for all members, and that of one that has a record */
static void iommu_liveupdate_name_group(struct iommu_liveupdate_outgoing *out,
					struct iommu_group *group)
{
	struct iommu_liveupdate_out_device *pdev;
	u32 key = U32_MAX;

	list_for_each_entry(pdev, &out->devices, list)
		if (pdev->dev->iommu_group == group)
			key = min(key, pdev->ser->rid);
	list_for_each_entry(pdev, &out->devices, list)
		if (pdev->dev->iommu_group == group)
			pdev->ser->group_key = key;
}

static int iommu_liveupdate_add_attachment(struct iommu_liveupdate_outgoing *out,
					   struct iommu_liveupdate_out_device *pdev,
					   struct iommu_domain *domain,
					   ioasid_t pasid, u64 iommufd_token)
{
	const struct iommu_liveupdate_ops *ops = iommu_liveupdate_unit_ops(pdev->unit);
	struct iommu_liveupdate_out_attachment *patt;
	int ret;

	patt = kzalloc_obj(*patt);
	if (!patt)
		return -ENOMEM;

	patt->domain = iommu_liveupdate_find_domain(out, domain);
	patt->ser = iommu_liveupdate_record_add(&out->attachment_records);
	if (IS_ERR(patt->ser)) {
		ret = PTR_ERR(patt->ser);
		goto err_free;
	}

	static_assert(IOMMU_ATTACHMENT_SER_NO_PASID == IOMMU_NO_PASID);
	patt->ser->pasid = pasid;
	patt->ser->device_pa = virt_to_phys(pdev->ser);
	patt->ser->domain_pa = virt_to_phys(patt->domain->ser);
	patt->ser->iommufd_token = iommufd_token;
	ret = ops->att_preserve(pdev->dev, domain, pdev->ser, patt->ser,
				patt->domain->ser);
	if (ret)
		goto err_delete_record;

	pdev->ser->nr_attachments++;
	patt->domain->ser->nr_attachments++;
	list_add_tail(&patt->list, &pdev->attachments);
	return 0;

err_delete_record:
	iommu_liveupdate_record_delete(&out->attachment_records, patt->ser);
err_free:
	kfree(patt);
	return ret;
}

static void
iommu_liveupdate_remove_attachments(struct iommu_liveupdate_outgoing *out,
				    struct iommu_liveupdate_out_device *pdev)
{
	struct iommu_liveupdate_out_attachment *patt, *next;

	list_for_each_entry_safe(patt, next, &pdev->attachments, list) {
		patt->domain->ser->nr_attachments--;
		iommu_liveupdate_record_delete(&out->attachment_records,
					       patt->ser);
		kfree(patt);
	}
}

static int iommu_liveupdate_add_pasids(struct iommu_liveupdate_outgoing *out,
				       struct iommu_liveupdate_out_device *pdev,
				       u64 iommufd_token)
{
	struct iommu_group *group = pdev->dev->iommu_group;
	ioasid_t pasid = IOMMU_NO_PASID;
	int ret = 0;

	while (!ret && (pasid = iommu_liveupdate_next_pasid(group, pasid)))
		ret = iommu_liveupdate_add_attachment(out, pdev,
						      iommu_liveupdate_pasid_domain(group, pasid),
						      pasid, iommufd_token);
	return ret;
}

static int
iommu_liveupdate_add_device(struct iommu_liveupdate_outgoing *out,
			    struct device *dev, struct iommu_domain *domain,
			    u64 iommufd_token, const struct iommu_device_ser *id)
{
	const struct iommu_liveupdate_ops *ops = dev_iommu_ops(dev)->liveupdate_ops;
	struct iommu_liveupdate_out_device *pdev;
	int ret;

	pdev = kzalloc_obj(*pdev);
	if (!pdev)
		return -ENOMEM;

	pdev->dev = dev;
	INIT_LIST_HEAD(&pdev->attachments);
	pdev->unit = iommu_liveupdate_get_unit(out, dev, id->segment);
	if (IS_ERR(pdev->unit)) {
		ret = PTR_ERR(pdev->unit);
		goto err_free;
	}

	pdev->ser = iommu_liveupdate_record_add(&out->device_records);
	if (IS_ERR(pdev->ser)) {
		ret = PTR_ERR(pdev->ser);
		goto err_put_unit;
	}

	*pdev->ser = *id;
	pdev->ser->unit_pa = virt_to_phys(pdev->unit->ser);
	pdev->ser->nr_ids = 1;
	pdev->ser->ids[0] = id->rid;
	ret = ops->dev_preserve(dev, pdev->unit->ser, pdev->ser);
	if (ret)
		goto err_delete_record;
	ret = iommu_liveupdate_add_attachment(out, pdev, domain, IOMMU_NO_PASID,
					      iommufd_token);
	if (!ret)
		ret = iommu_liveupdate_add_pasids(out, pdev, iommufd_token);
	if (ret)
		goto err_unpreserve;

	list_add_tail(&pdev->list, &out->devices);
	iommu_liveupdate_name_group(out, dev->iommu_group);
	return 0;

err_unpreserve:
	iommu_liveupdate_remove_attachments(out, pdev);
	ops->dev_unpreserve(dev, pdev->unit->ser, pdev->ser);
err_delete_record:
	iommu_liveupdate_record_delete(&out->device_records, pdev->ser);
err_put_unit:
	iommu_liveupdate_put_unit(out, pdev->unit);
err_free:
	kfree(pdev);
	return ret;
}

/**
 * iommu_device_preserve - Preserve the attachment of a device to its domain
 * @dev: Device that user space owns
 * @domain: Domain it is attached to, preserved before
 * @iommufd_token: Token of the owning iommufd in its session
 *
 * Preserves the attachment without PASID and those of all PASIDs, whose domains were
 * preserved before as well: the device's entries in the tables of
 * its unit, and the tables of its own that hardware reads. With the first
 * device the unit itself is preserved. Until iommu_device_unpreserve() the
 * group of @dev keeps domain, owner and members: attach, detach, replace, release
 * of it and joining it are refused. Before the kexec all other members that are no
 * bridges have to be preserved as well. The mapped memory, the configuration space
 * and the interrupts of @dev are not preserved by this.
 *
 * Context: May sleep. Takes group->mutex, so not to be called from an operation
 * of an IOMMU driver.
 * Return: 0 on success. -EPERM if user space does not own the group. -EOPNOTSUPP
 * if @dev is in no group, no PCI function or the like, uses a PASID in a group with
 * others, or a nested domain, or cannot be preserved by its IOMMU driver. -ENOENT
 * without FLB, or if
 * @domain is not preserved. -EBUSY if @dev is preserved already, came out of a
 * live update and was not taken over yet, is in reset, or if the kexec has
 * begun. -EINVAL if @dev is attached to another domain, or if its group was preserved
 * with another iommufd. -ENOMEM or another errno
 * of KHO or the IOMMU driver.
 */
int iommu_device_preserve(struct device *dev, struct iommu_domain *domain,
			  u64 iommufd_token)
{
	struct iommu_group *group = dev->iommu_group;
	struct iommu_liveupdate_outgoing *out;
	struct iommu_device_ser id = {};
	int ret;

	if (!group || !dev->iommu || !dev->iommu->iommu_dev)
		return iommu_liveupdate_refuse(dev, -EOPNOTSUPP, "no IOMMU");

	guard(mutex)(&group->mutex);
	guard(mutex)(&iommu_liveupdate_outgoing_lock);
	out = iommu_liveupdate_outgoing;
	ret = iommu_liveupdate_check_device(out, dev, domain, iommufd_token, &id);
	if (ret)
		return ret;

	ret = iommu_liveupdate_add_device(out, dev, domain, iommufd_token, &id);
	if (ret)
		return iommu_liveupdate_refuse(dev, ret, "IOMMU driver or memory");

	group->preserved++;
	return 0;
}
EXPORT_SYMBOL_NS_GPL(iommu_device_preserve, "IOMMUFD_INTERNAL");

static void iommu_device_unpreserve_locked(struct device *dev)
{
	struct iommu_liveupdate_outgoing *out;
	struct iommu_liveupdate_out_device *pdev;

	lockdep_assert_held(&dev->iommu_group->mutex);
	guard(mutex)(&iommu_liveupdate_outgoing_lock);

	out = iommu_liveupdate_outgoing;
	pdev = out ? iommu_liveupdate_find_device(out, dev) : NULL;
	/* A caller that comes twice cannot be told otherwise */
	if (WARN_ON_ONCE(!pdev))
		return;

	list_del(&pdev->list);
	iommu_liveupdate_remove_attachments(out, pdev);
	iommu_liveupdate_unit_ops(pdev->unit)->dev_unpreserve(dev,
							      pdev->unit->ser,
							      pdev->ser);
	iommu_liveupdate_record_delete(&out->device_records, pdev->ser);
	iommu_liveupdate_put_unit(out, pdev->unit);
	iommu_liveupdate_name_group(out, dev->iommu_group);
	dev->iommu_group->preserved--;
	kfree(pdev);
}

/**
 * iommu_device_unpreserve - Undo iommu_device_preserve()
 * @dev: Preserved device
 *
 * With the last device of a unit the unit is unpreserved, too.
 *
 * Context: May sleep. Takes group->mutex.
 */
void iommu_device_unpreserve(struct device *dev)
{
	struct iommu_group *group = dev->iommu_group;

	/* It has been torn away, see iommu_liveupdate_deinit_device() */
	if (!group)
		return;

	guard(mutex)(&group->mutex);
	iommu_device_unpreserve_locked(dev);
}
EXPORT_SYMBOL_NS_GPL(iommu_device_unpreserve, "IOMMUFD_INTERNAL");

static bool iommu_liveupdate_has_record(struct device *dev)
{
	guard(mutex)(&iommu_liveupdate_outgoing_lock);
	return iommu_liveupdate_outgoing &&
	       iommu_liveupdate_find_device(iommu_liveupdate_outgoing, dev);
}

/**
 * iommu_liveupdate_deinit_device - A device is losing its IOMMU
 * @dev: Device whose IOMMU state is about to be freed
 *
 * The session holds the device's file and its driver waits for that file, so
 * that a preserved device does not get here. If it does, its record must not
 * outlive it: the next kernel would restore a domain for who knows what.
 *
 * Context: The caller holds group->mutex.
 */
void iommu_liveupdate_deinit_device(struct device *dev)
{
	struct iommu_group *group = dev->iommu_group;

	lockdep_assert_held(&group->mutex);

	/* Other members may go, and so does who was turned away */
	if (group->preserved && WARN_ON_ONCE(iommu_liveupdate_has_record(dev)))
		iommu_device_unpreserve_locked(dev);
}

static int iommu_liveupdate_check_group(struct iommu_group *group)
{
	struct group_device *gdev;

	guard(mutex)(&group->mutex);
	for_each_group_device(group, gdev) {
		if (iommu_liveupdate_is_bridge(gdev->dev) ||
		    iommu_liveupdate_has_record(gdev->dev))
			continue;
		liveupdate_dev_err(gdev->dev, "live update: kexec refused, others of group %d are preserved and this one is not\n",
				   group->id);
		return -EBUSY;
	}
	return 0;
}

/* With a reference. LUO lets nobody into a session, so that no device comes or goes */
static struct iommu_group *iommu_liveupdate_nth_group(unsigned int nr)
{
	struct iommu_liveupdate_out_device *pdev;

	guard(mutex)(&iommu_liveupdate_outgoing_lock);
	if (!iommu_liveupdate_outgoing)
		return NULL;
	list_for_each_entry(pdev, &iommu_liveupdate_outgoing->devices, list)
		if (!nr--)
			return iommu_group_ref_get(pdev->dev->iommu_group);
	return NULL;
}

/**
 * iommu_liveupdate_check_groups - Are groups preserved as a whole?
 *
 * A member that is left out would be free to do what it likes with the others, or
 * with what they may reach, and is blocked by nothing but the next kernel's care.
 *
 * Context: May sleep. Takes group->mutex. Part of freeze.
 * Return: 0, or -EBUSY with a line that names a member that is missing.
 */
int iommu_liveupdate_check_groups(void)
{
	struct iommu_group *group;
	unsigned int nr = 0;
	int ret = 0;

	while (!ret && (group = iommu_liveupdate_nth_group(nr++))) {
		ret = iommu_liveupdate_check_group(group);
		iommu_group_put(group);
	}
	return ret;
}
