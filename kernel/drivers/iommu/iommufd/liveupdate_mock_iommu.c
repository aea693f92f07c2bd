// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */

/**
 * DOC: Mock IOMMU, the driver
 *
 * As small as an IOMMU driver with live update can be, and a pattern for others:
 * what each operation does here, a driver for real hardware has to do as well. Both
 * units have one device table, as AMD's have.
 *
 * 1. The old kernel: mock_unit_preserve(), mock_dev_preserve(), mock_att_preserve()
 *    write down what the next kernel has to know. mock_unit_freeze() compares it
 *    with the hardware once more. mock_unit_handover() clears the entries of all
 *    devices that are not preserved; from then on no entry becomes present.
 *    mock_shutdown() switches a unit off that nobody needs any more.
 * 2. The next kernel: mock_iommu_add_unit() finds a unit translating, and takes it
 *    over where it is, mock_adopt(), or blocks all of its devices.
 *    mock_domain_restore() and mock_att_adopt() are the software half of an attach.
 * 3. The way back: an attach replaces the live entry. mock_dev_block(),
 *    mock_ids_block() and mock_dev_release() close the entries of devices that
 *    nobody takes, mock_att_release() gives the id of a domain back.
 *
 * Locking: mock_entry_lock guards the entries of all devices, and whether the unit
 * was handed over. Before it comes the lock of a domain's top table, under which
 * an attach reads what it is to write. mock_id_lock, a mutex, guards which ids came
 * in. Bits of what was adopted are changed one by one, atomically: only devices of one
 * group exclude each other. What is preserved is guarded by the core.
 */

#define pr_fmt(fmt) "iommu mock: " fmt

#include <linux/bitfield.h>
#include <linux/io.h>
#include <linux/iommu-liveupdate.h>
#include <linux/module.h>
#include <linux/idr.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/syscore_ops.h>
#include <linux/xarray.h>

#include "../iommu-kept.h"
#include "../iommu-pages.h"
#include "../iommu-priv.h"
#include "../liveupdate-check.h"
#include "liveupdate_mock.h"

/* No address of registers */
#define MOCK_BASE		0xfffffffffff00000ULL

#define MOCK_VENDOR_ID		0x1af4
#define MOCK_DEVICE_ID		0x10c5

/* struct iommu_unit_ser.tables */
#define MOCK_TABLE		0
#define MOCK_TABLE_KIND		1
/* struct iommu_device_ser.table */
#define MOCK_PASID_KIND		2

#define MOCK_MIN_ID		1
#define MOCK_MAX_ID		0xffff

/* The driver's part of the record of a unit */
struct mock_unit_ser {
	u64 nr;
	u64 control;
};

struct mock_domain {
	union {
		struct iommu_domain domain;
		struct pt_iommu iommu;
		struct pt_iommu_amdv1 amdv1;
	};
	u32 id;
	/* Keeps the top table where it is while entries are written */
	spinlock_t top_lock;
};

PT_IOMMU_CHECK_DOMAIN(struct mock_domain, iommu, domain);

/* What mock_damage() does to the record of unit 0 */
enum mock_harm {
	MOCK_HARM_NONE,
	MOCK_HARM_TYPE,
	MOCK_HARM_LENGTH,
	MOCK_HARM_NR,
	MOCK_HARM_CONTROL,
	MOCK_HARM_TABLE_KIND,
	MOCK_HARM_PASID,
	MOCK_HARM_FREEZE,
};

/* A slot that is preserved, and what was found there */
struct mock_kept {
	struct list_head list;
	u32 rid;
	u32 pasid;
	struct mock_hw_slot slot;
};

static int mock_failing = -1;
module_param_named(failing, mock_failing, int, 0644);
MODULE_PARM_DESC(failing, "Device that no page table can be attached to, -1 for none");

static unsigned int mock_harm;
module_param_named(harm, mock_harm, uint, 0644);
MODULE_PARM_DESC(harm, "What is wrong with the record or a table of unit 0, see enum mock_harm");

static struct mock_unit mock_units[MOCK_UNITS];
static DEFINE_SPINLOCK(mock_entry_lock);
/* The device table of both */
static struct mock_hw_entry *mock_table;
/* In force where there is no other, and never written: no device has an entry */
static struct mock_hw_entry mock_nothing[PAGE_SIZE / sizeof(struct mock_hw_entry)]
	__aligned(PAGE_SIZE);
/* Of each device one bit for each slot that came in and was not given up, 0 for the RID */
static unsigned long mock_adopted[MOCK_DEVICES];
/* Its slots for PASIDs, as long as it may have some */
static struct mock_hw_slot *mock_pasids[MOCK_DEVICES];
/* Those that KHO gave back, once */
static DECLARE_BITMAP(mock_claimed, MOCK_DEVICES);
/* Devices that are there */
static DECLARE_BITMAP(mock_probed, MOCK_DEVICES);
static LIST_HEAD(mock_preserved);
static DEFINE_IDA(mock_ids);
static DEFINE_MUTEX(mock_id_lock);
/* Ids that came in, with one bit for each unit that has it */
static DEFINE_XARRAY(mock_reserved);
/* One bit for each unit whose ids are among them */
static unsigned long mock_units_reserved;

static struct mock_domain *to_mock_domain(struct iommu_domain *domain)
{
	return container_of(domain, struct mock_domain, domain);
}

static struct mock_unit *to_mock_unit(struct iommu_device *iommu)
{
	return container_of(iommu, struct mock_unit, iommu);
}

static struct mock_hw_unit *mock_regs(struct mock_unit *unit)
{
	return &mock_hw()->unit[unit->nr];
}

struct mock_unit *mock_iommu_unit(u32 rid)
{
	return &mock_units[rid / MOCK_PER_UNIT];
}

static u64 mock_root_of(phys_addr_t top, unsigned int levels)
{
	return top | FIELD_PREP(MOCK_HW_LEVEL, levels) | MOCK_HW_PRESENT;
}

/* The entry that an attach writes */
static u64 mock_root(struct mock_domain *domain)
{
	struct pt_iommu_amdv1_hw_info info;

	pt_iommu_amdv1_hw_info(&domain->amdv1, &info);
	return mock_root_of(info.host_pt_root, info.mode);
}

/* Domains */

static void mock_domain_free(struct iommu_domain *domain)
{
	struct mock_domain *mock = to_mock_domain(domain);

	pt_iommu_deinit(&mock->iommu);
	if (mock->id)
		ida_free(&mock_ids, mock->id);
	kfree(mock);
}

static void mock_flush_domain(struct mock_domain *mock)
{
	unsigned int nr;

	for (nr = 0; nr < MOCK_UNITS; nr++)
		mock_hw_flush(nr, mock->id);
}

static void mock_iotlb_sync(struct iommu_domain *domain,
			    struct iommu_iotlb_gather *gather)
{
	mock_flush_domain(to_mock_domain(domain));
	iommu_put_pages_list(&gather->freelist);
}

static void mock_close(u32 rid, u32 pasid)
{
	unsigned int nr = mock_iommu_unit(rid)->nr;
	struct mock_hw_slot *slot;
	u64 id;

	scoped_guard(spinlock_irqsave, &mock_entry_lock) {
		slot = mock_hw_slot(rid, pasid);
		id = slot ? slot->id : 0;
		if (id)
			mock_hw_write_slot(rid, pasid, 0, 0);
	}
	if (id)
		mock_hw_flush(nr, id);
}

/* Returns the id that the slot had before, 0 if it was not present */
static int mock_open_slot(u32 rid, u32 pasid, u64 root, u64 id)
{
	struct mock_unit *unit = mock_iommu_unit(rid);
	int old_id;

	guard(spinlock_irqsave)(&mock_entry_lock);
	if (iommu_kept_is(&unit->iommu, IOMMU_KEPT_HANDED_OVER))
		return -EBUSY;
	if (pasid)
		mock_hw_write_pasids(rid, virt_to_phys(mock_pasids[rid]));
	old_id = mock_hw_slot(rid, pasid)->id;
	mock_hw_write_slot(rid, pasid, root, id);
	return old_id;
}

static const struct iommu_attachment_ser *
mock_attachment(const struct iommu_device_ser *devrec, u32 pasid)
{
	const struct iommu_attachment_ser *att = NULL;

	while ((att = iommu_liveupdate_next_attachment(devrec, att)))
		if (att->pasid == pasid)
			return att;
	return NULL;
}

/* That of a restored domain is what the unit has it by. 0 if the device was not on it */
static u32 mock_id(struct mock_domain *mock, struct device *dev, u32 pasid)
{
	const struct iommu_attachment_ser *att = NULL;
	const struct iommu_device_ser *devrec;

	if (mock->id)
		return mock->id;
	devrec = iommu_liveupdate_device_record(dev);
	if (!IS_ERR_OR_NULL(devrec))
		att = mock_attachment(devrec, pasid);
	return att ? att->hw_id : 0;
}

/* The live slot leads to the old or to the new table whenever hardware looks */
static int mock_attach_slot(struct iommu_domain *domain, struct device *dev,
			    u32 pasid)
{
	struct mock_device *mdev = to_mock_device(dev);
	struct mock_unit *unit = mock_iommu_unit(mdev->rid);
	struct mock_domain *mock = to_mock_domain(domain);
	u32 id = mock_id(mock, dev, pasid);
	int old_id;

	if (!id)
		return -EINVAL;
	if (mock_failing == mdev->rid)
		return -EIO;
	scoped_guard(spinlock_irqsave, &mock->top_lock)
		old_id = mock_open_slot(mdev->rid, pasid, mock_root(mock), id);
	if (old_id < 0)
		return old_id;
	if (old_id)
		mock_hw_flush(unit->nr, old_id);
	/* A replace that fails for another of its group is taken back */
	assign_bit(pasid, &mock_adopted[mdev->rid], !mock->id);
	return 0;
}

static int mock_attach(struct iommu_domain *domain, struct device *dev,
		       struct iommu_domain *old)
{
	return mock_attach_slot(domain, dev, 0);
}

static int mock_set_dev_pasid(struct iommu_domain *domain, struct device *dev,
			      ioasid_t pasid, struct iommu_domain *old)
{
	u32 rid = to_mock_device(dev)->rid;

	if (!mock_pasids[rid])
		mock_pasids[rid] = iommu_alloc_pages_sz(GFP_KERNEL, PAGE_SIZE);
	if (!mock_pasids[rid])
		return -ENOMEM;
	return mock_attach_slot(domain, dev, pasid);
}

static int mock_blocked_set_dev_pasid(struct iommu_domain *domain,
				      struct device *dev, ioasid_t pasid,
				      struct iommu_domain *old)
{
	struct mock_device *mdev = to_mock_device(dev);

	mock_close(mdev->rid, pasid);
	clear_bit(pasid, &mock_adopted[mdev->rid]);
	return 0;
}

static int mock_blocked_attach(struct iommu_domain *domain, struct device *dev,
			       struct iommu_domain *old)
{
	return mock_blocked_set_dev_pasid(domain, dev, 0, old);
}

static const struct iommu_domain_ops mock_blocked_ops = {
	.attach_dev = mock_blocked_attach,
	.set_dev_pasid = mock_blocked_set_dev_pasid,
};

static struct iommu_domain mock_blocked_domain = {
	.type = IOMMU_DOMAIN_BLOCKED,
	.ops = &mock_blocked_ops,
};

static bool mock_has_id(u32 rid, u32 pasid, u32 id)
{
	struct mock_hw_slot *slot;

	if (!mock_iommu_unit(rid)->registered)
		return false;
	slot = mock_hw_slot(rid, pasid);
	return slot && slot->id == id;
}

/* The page table has grown at its top: whoever is attached follows */
static void mock_change_top(struct pt_iommu *iommu_table, phys_addr_t top,
			    unsigned int top_level)
{
	struct mock_domain *mock = container_of(iommu_table, struct mock_domain,
						iommu);
	u64 root = mock_root_of(top, top_level + 1);
	u32 rid, pasid;

	/* One that is handed over maps nothing new, so that its top stays */
	scoped_guard(spinlock_irqsave, &mock_entry_lock)
		for (rid = 0; rid < MOCK_DEVICES; rid++)
			for (pasid = 0; pasid < MOCK_PASIDS; pasid++)
				if (mock_has_id(rid, pasid, mock->id))
					mock_hw_write_slot(rid, pasid, root,
							   mock->id);
	mock_flush_domain(mock);
}

static spinlock_t *mock_top_lock(struct pt_iommu *iommu_table)
{
	return &container_of(iommu_table, struct mock_domain, iommu)->top_lock;
}

static const struct pt_iommu_driver_ops mock_pt_ops = {
	.change_top = mock_change_top,
	.get_top_lock = mock_top_lock,
};

static const struct iommu_domain_ops mock_domain_ops = {
	IOMMU_PT_DOMAIN_OPS(amdv1),
	.free = mock_domain_free,
	.attach_dev = mock_attach,
	.set_dev_pasid = mock_set_dev_pasid,
	.iotlb_sync = mock_iotlb_sync,
};

static struct mock_domain *mock_domain_new(void)
{
	struct mock_domain *mock = kzalloc_obj(*mock);

	if (!mock)
		return NULL;
	mock->domain.type = IOMMU_DOMAIN_UNMANAGED;
	mock->domain.ops = &mock_domain_ops;
	mock->iommu.nid = NUMA_NO_NODE;
	mock->iommu.driver_ops = &mock_pt_ops;
	spin_lock_init(&mock->top_lock);
	return mock;
}

static struct iommu_domain *
mock_domain_alloc(struct device *dev, u32 flags,
		  const struct iommu_user_data *user_data)
{
	struct pt_iommu_amdv1_cfg cfg = {
		.common.features = BIT(PT_FEAT_DYNAMIC_TOP),
		.common.hw_max_vasz_lg2 = 48,
		.common.hw_max_oasz_lg2 = 52,
		.starting_level = 2,
	};
	struct mock_domain *mock;
	int ret;

	if (flags & ~IOMMU_HWPT_ALLOC_PASID || user_data)
		return ERR_PTR(-EOPNOTSUPP);
	mock = mock_domain_new();
	if (!mock)
		return ERR_PTR(-ENOMEM);

	ret = ida_alloc_range(&mock_ids, MOCK_MIN_ID, MOCK_MAX_ID, GFP_KERNEL);
	if (ret < 0)
		goto err_free;
	mock->id = ret;
	ret = pt_iommu_amdv1_init(&mock->amdv1, &cfg, GFP_KERNEL);
	if (ret)
		goto err_id;
	return &mock->domain;

err_id:
	ida_free(&mock_ids, mock->id);
err_free:
	kfree(mock);
	return ERR_PTR(ret);
}

/* Devices */

static struct iommu_device *mock_probe_device(struct device *dev)
{
	u32 rid = to_mock_device(dev)->rid;

	set_bit(rid, mock_probed);
	return &mock_iommu_unit(rid)->iommu;
}

/* No PASID is in use any more, or the table belongs to what came in and goes on */
static void mock_free_pasids(u32 rid)
{
	scoped_guard(spinlock_irqsave, &mock_entry_lock)
		if (mock_iommu_unit(rid)->started)
			mock_hw_write_pasids(rid, 0);
	iommu_free_pages(mock_pasids[rid]);
	mock_pasids[rid] = NULL;
}

static void mock_release_device(struct device *dev)
{
	u32 rid = to_mock_device(dev)->rid;

	clear_bit(rid, mock_probed);
	if (!iommu_liveupdate_device_record(dev))
		mock_free_pasids(rid);
}

static int mock_is_twin(struct device *dev, const void *rid)
{
	return to_mock_device(dev)->rid == (*(const u32 *)rid ^ 1);
}

/* Two and two, as functions behind a bridge that lets them reach each other */
static struct iommu_group *mock_device_group(struct device *dev)
{
	struct device *twin;
	struct iommu_group *group = NULL;

	twin = bus_find_device(dev->bus, NULL, &to_mock_device(dev)->rid, mock_is_twin);
	if (twin)
		group = iommu_group_get(twin);
	put_device(twin);
	return group ?: generic_device_group(dev);
}

static bool mock_capable(struct device *dev, enum iommu_cap cap)
{
	return cap == IOMMU_CAP_CACHE_COHERENCY;
}

/* What this driver adds to the records, and its check */

static const char *mock_check_unit(const struct iommu_unit_ser *unit)
{
	const struct mock_unit_ser *part = (const void *)unit->driver_data;
	const struct iommu_table_ser *table = &unit->tables[MOCK_TABLE];

	if (unit->driver_length != sizeof(*part))
		return "part of another length";
	if (part->nr >= MOCK_UNITS || unit->base != MOCK_BASE + part->nr)
		return "no such unit";
	if (part->control != MOCK_HW_TRANSLATE)
		return "unit that does not translate";
	if (table->kind != MOCK_TABLE_KIND || table->order ||
	    table->flags != IOMMU_TABLE_SER_SHARED ||
	    unit->tables[MOCK_TABLE + 1].pa)
		return "no device table";
	return NULL;
}

static const char *mock_check_device(const struct iommu_device_ser *devrec,
				     const struct iommu_unit_ser *unit)
{
	const struct mock_unit_ser *part = (const void *)unit->driver_data;

	if (devrec->segment != MOCK_SEGMENT || devrec->nr_ids != 1 ||
	    devrec->ids[0] != devrec->rid ||
	    devrec->rid / MOCK_PER_UNIT != part->nr)
		return "no such device";
	if (devrec->table.pa &&
	    (devrec->table.kind != MOCK_PASID_KIND || devrec->table.order ||
	     devrec->max_pasid != MOCK_PASIDS))
		return "another table than one of PASIDs";
	if (devrec->ats.enabled ||
	    memchr_inv(devrec->driver_data, 0, sizeof(devrec->driver_data)))
		return "device with something that it cannot have";
	return NULL;
}

static const char *mock_check_attachment(const struct iommu_attachment_ser *att,
					 const struct iommu_device_ser *devrec,
					 const struct iommu_unit_ser *unit,
					 const struct iommu_domain_ser *dser)
{
	if (att->hw_id < MOCK_MIN_ID || att->hw_id > MOCK_MAX_ID)
		return "impossible domain id";
	if (dser->pt_format != IOMMU_DOMAIN_SER_AMDV1 || dser->domain_flags)
		return "domain of another format";
	return NULL;
}

static const struct iommu_liveupdate_type mock_type = {
	.type = IOMMU_UNIT_SER_MOCK,
	.name = "mock",
	.unit = mock_check_unit,
	.device = mock_check_device,
	.attachment = mock_check_attachment,
};

/* The old kernel */

static bool mock_dev_identify(struct device *dev, struct iommu_device_ser *id)
{
	id->segment = MOCK_SEGMENT;
	id->rid = to_mock_device(dev)->rid;
	id->vendor = MOCK_VENDOR_ID;
	id->device = MOCK_DEVICE_ID;
	return true;
}

static int mock_unit_preserve(struct iommu_device *iommu,
			      struct iommu_unit_ser *unit)
{
	struct mock_unit_ser *part = (void *)unit->driver_data;
	struct mock_unit *mock = to_mock_unit(iommu);

	unit->base_kind = IOMMU_UNIT_SER_BASE_MMIO;
	unit->base = MOCK_BASE + mock->nr;
	unit->driver_length = sizeof(*part);
	part->nr = mock->nr;
	part->control = mock_regs(mock)->control;
	return iommu_liveupdate_preserve_table(unit, MOCK_TABLE_KIND,
					       phys_to_virt(mock_regs(mock)->table),
					       IOMMU_TABLE_SER_SHARED);
}

static void mock_unit_unpreserve(struct iommu_device *iommu,
				 struct iommu_unit_ser *unit)
{
}

static int mock_dev_preserve(struct device *dev, struct iommu_unit_ser *unit,
			     struct iommu_device_ser *devrec)
{
	struct mock_hw_slot *slots = mock_hw_slot(devrec->rid, 1) ?
				     mock_pasids[devrec->rid] : NULL;
	int ret;

	/* It has never had a PASID */
	if (!slots)
		return 0;
	ret = iommu_preserve_page(slots);
	if (ret)
		return ret;
	devrec->table.pa = virt_to_phys(slots);
	devrec->table.kind = MOCK_PASID_KIND;
	devrec->max_pasid = MOCK_PASIDS;
	return 0;
}

static void mock_dev_unpreserve(struct device *dev, struct iommu_unit_ser *unit,
				struct iommu_device_ser *devrec)
{
	struct mock_kept *kept, *next;

	list_for_each_entry_safe(kept, next, &mock_preserved, list) {
		if (kept->rid != devrec->rid)
			continue;
		list_del(&kept->list);
		kfree(kept);
	}
	if (devrec->table.pa)
		iommu_unpreserve_page(phys_to_virt(devrec->table.pa));
}

static bool mock_slot_is(u32 rid, u32 pasid, const struct mock_hw_slot *want)
{
	const struct mock_hw_slot *slot = mock_hw_slot(rid, pasid);

	return slot && slot->root == want->root && slot->id == want->id;
}

static int mock_att_preserve(struct device *dev, struct iommu_domain *domain,
			     const struct iommu_device_ser *devrec,
			     struct iommu_attachment_ser *att,
			     struct iommu_domain_ser *dser)
{
	struct mock_domain *mock = to_mock_domain(domain);
	struct mock_kept *kept;

	kept = kzalloc_obj(*kept);
	if (!kept)
		return -ENOMEM;
	kept->rid = devrec->rid;
	kept->pasid = att->pasid;
	/* What an attach would write */
	kept->slot.root = mock_root(mock);
	kept->slot.id = mock->id;
	if (!mock_slot_is(kept->rid, kept->pasid, &kept->slot)) {
		kfree(kept);
		return -EINVAL;
	}
	att->hw_id = mock->id;
	list_add_tail(&kept->list, &mock_preserved);
	return 0;
}

static int mock_compare_kept(struct mock_unit *mock)
{
	struct mock_kept *kept;

	list_for_each_entry(kept, &mock_preserved, list) {
		if (mock_iommu_unit(kept->rid) != mock ||
		    mock_slot_is(kept->rid, kept->pasid, &kept->slot))
			continue;
		pr_err("device %u: entry of PASID %u is not what was preserved\n",
		       kept->rid, kept->pasid);
		return -EINVAL;
	}
	return 0;
}

/* Something else has written to it, once more it is as it was */
static void mock_damage_pasid(void)
{
	struct mock_hw_slot *slot;
	struct mock_kept *kept;

	list_for_each_entry(kept, &mock_preserved, list) {
		if (!kept->pasid)
			continue;
		slot = mock_hw_slot(kept->rid, kept->pasid);
		slot->root ^= MOCK_HW_ROOT & -MOCK_HW_ROOT;
		return;
	}
}

static int mock_unit_freeze(struct iommu_device *iommu,
			    struct iommu_unit_ser *unit)
{
	struct mock_unit *mock = to_mock_unit(iommu);
	const struct mock_hw_unit *regs = mock_regs(mock);
	int ret;

	/* As long as it is looked at */
	if (mock_harm == MOCK_HARM_FREEZE)
		mock_damage_pasid();
	ret = mock_compare_kept(mock);
	if (mock_harm == MOCK_HARM_FREEZE)
		mock_damage_pasid();
	if (ret)
		return ret;
	if (regs->control != MOCK_HW_TRANSLATE ||
	    regs->table != unit->tables[MOCK_TABLE].pa)
		return -EINVAL;
	return 0;
}

static void mock_scrub_device(u32 rid, unsigned long kept)
{
	u32 pasid;

	for (pasid = 0; pasid < MOCK_PASIDS; pasid++)
		if (mock_hw_slot(rid, pasid) && !(kept & BIT(pasid)))
			mock_hw_write_slot(rid, pasid, 0, 0);
	if (!kept)
		mock_hw_write_pasids(rid, 0);
}

/* Nothing but what is in @kept, by device, can translate through the unit any more */
static void mock_scrub(struct mock_unit *unit, const unsigned long *kept)
{
	u32 rid, first = unit->nr * MOCK_PER_UNIT;

	for (rid = first; rid < first + MOCK_PER_UNIT; rid++)
		mock_scrub_device(rid, kept[rid]);
	mock_hw_flush(unit->nr, 0);
}

/* All was checked for the last time: only the next kernel can notice */
static void mock_damage(struct iommu_unit_ser *unit)
{
	struct mock_unit_ser *part = (void *)unit->driver_data;

	switch (mock_harm) {
	case MOCK_HARM_TYPE:
		unit->type--;
		break;
	case MOCK_HARM_LENGTH:
		unit->driver_length -= sizeof(part->control);
		part->control = 0;
		break;
	case MOCK_HARM_NR:
		part->nr++;
		break;
	case MOCK_HARM_CONTROL:
		part->control = 0;
		break;
	case MOCK_HARM_TABLE_KIND:
		unit->tables[MOCK_TABLE].kind++;
		break;
	case MOCK_HARM_PASID:
		mock_damage_pasid();
		break;
	}
}

static void mock_unit_handover(struct iommu_device *iommu,
			       struct iommu_unit_ser *unit)
{
	unsigned long preserved[MOCK_DEVICES] = {};
	struct mock_unit *mock = to_mock_unit(iommu);
	struct mock_kept *kept;

	list_for_each_entry(kept, &mock_preserved, list)
		preserved[kept->rid] |= BIT(kept->pasid);
	scoped_guard(spinlock_irqsave, &mock_entry_lock) {
		iommu_kept_set(iommu, IOMMU_KEPT_HANDED_OVER);
		mock_scrub(mock, preserved);
	}
	if (!mock->nr)
		mock_damage(unit);
}

/* The next kernel */

static bool mock_unit_match(struct iommu_device *iommu,
			    const struct iommu_unit_ser *unit)
{
	return unit->type == IOMMU_UNIT_SER_MOCK &&
	       unit->base == MOCK_BASE + to_mock_unit(iommu)->nr;
}

static struct iommu_domain *
mock_domain_restore(struct iommu_device *iommu,
		    const struct iommu_domain_ser *dser)
{
	struct mock_domain *mock = mock_domain_new();
	int ret;

	if (!mock)
		return ERR_PTR(-ENOMEM);
	ret = pt_iommu_amdv1_restore(&mock->amdv1, dser);
	if (ret) {
		kfree(mock);
		return ERR_PTR(ret);
	}
	/* Its ids are reserved by the units that have them */
	return &mock->domain;
}

static int mock_att_adopt(struct device *dev, struct iommu_domain *domain,
			  const struct iommu_device_ser *devrec,
			  const struct iommu_attachment_ser *att)
{
	struct mock_device *mdev = to_mock_device(dev);
	struct mock_hw_slot want = {
		.root = mock_root(to_mock_domain(domain)),
		.id = att->hw_id,
	};

	if (!test_bit(att->pasid, &mock_adopted[mdev->rid]) ||
	    !mock_slot_is(mdev->rid, att->pasid, &want))
		return -EINVAL;
	return 0;
}

static bool mock_close_adopted(u32 rid)
{
	u32 pasid;

	for (pasid = 0; pasid < MOCK_PASIDS; pasid++)
		if (test_and_clear_bit(pasid, &mock_adopted[rid]))
			mock_close(rid, pasid);
	return true;
}

static bool mock_dev_block(struct device *dev)
{
	return mock_close_adopted(to_mock_device(dev)->rid);
}

static int mock_dev_unblock(struct device *dev)
{
	return 0;
}

static bool mock_ids_block(struct iommu_device *iommu,
			   const struct iommu_device_ser *devrec)
{
	return mock_close_adopted(devrec->rid);
}

static void mock_dev_release(struct iommu_device *iommu,
			     const struct iommu_device_ser *devrec)
{
	mock_close_adopted(devrec->rid);
	if (!test_bit(devrec->rid, mock_probed))
		mock_free_pasids(devrec->rid);
	/* A unit that was not adopted has not got it */
	if (devrec->table.pa && !test_and_set_bit(devrec->rid, mock_claimed))
		iommu_free_pages(iommu_restore_page(devrec->table.pa,
						    devrec->table.order));
}

/* The units have their ids in common, so it is free when the last has no use for it */
static int mock_reserve_id(unsigned int nr, u32 id)
{
	unsigned long units = xa_to_value(xa_load(&mock_reserved, id));
	int ret = 0;

	lockdep_assert_held(&mock_id_lock);

	if (units & BIT(nr))
		return -EEXIST;
	if (!units)
		ret = ida_alloc_range(&mock_ids, id, id, GFP_KERNEL);
	if (ret < 0)
		return ret;
	ret = xa_err(xa_store(&mock_reserved, id, xa_mk_value(units | BIT(nr)),
			      GFP_KERNEL));
	if (ret && !units)
		ida_free(&mock_ids, id);
	return ret;
}

static void mock_put_id(unsigned int nr, u32 id)
{
	unsigned long units = xa_to_value(xa_load(&mock_reserved, id));

	lockdep_assert_held(&mock_id_lock);

	units &= ~BIT(nr);
	/* The place is there, and is not allocated */
	if (units) {
		xa_store(&mock_reserved, id, xa_mk_value(units), GFP_KERNEL);
		return;
	}
	xa_erase(&mock_reserved, id);
	ida_free(&mock_ids, id);
}

static void mock_att_release(struct iommu_device *iommu,
			     struct iommu_domain *domain,
			     const struct iommu_attachment_ser *att, bool last)
{
	unsigned int nr = to_mock_unit(iommu)->nr;

	/* A unit whose record was refused has reserved none */
	guard(mutex)(&mock_id_lock);
	if (!last || !(mock_units_reserved & BIT(nr)))
		return;
	mock_hw_flush(nr, att->hw_id);
	mock_put_id(nr, att->hw_id);
}

static const struct iommu_liveupdate_ops mock_liveupdate_ops = {
	.type = &mock_type,
	.groups = true,
	.pasids = true,
	.dev_identify = mock_dev_identify,
	.unit_preserve = mock_unit_preserve,
	.unit_unpreserve = mock_unit_unpreserve,
	.dev_preserve = mock_dev_preserve,
	.dev_unpreserve = mock_dev_unpreserve,
	.att_preserve = mock_att_preserve,
	.unit_freeze = mock_unit_freeze,
	.unit_handover = mock_unit_handover,
	.domain_restore = mock_domain_restore,
	.att_adopt = mock_att_adopt,
	.dev_block = mock_dev_block,
	.dev_unblock = mock_dev_unblock,
	.unit_match = mock_unit_match,
	.ids_block = mock_ids_block,
	.att_release = mock_att_release,
	.dev_release = mock_dev_release,
};

static const struct iommu_ops mock_iommu_ops = {
	.owner = THIS_MODULE,
	.default_domain = &mock_blocked_domain,
	.blocked_domain = &mock_blocked_domain,
	.release_domain = &mock_blocked_domain,
	.capable = mock_capable,
	.domain_alloc_paging_flags = mock_domain_alloc,
	.probe_device = mock_probe_device,
	.release_device = mock_release_device,
	.device_group = mock_device_group,
	.liveupdate_ops = &mock_liveupdate_ops,
};

/* Units */

static const char *mock_verify_device(const struct iommu_device_ser *devrec)
{
	const struct mock_hw_entry *table = phys_to_virt(mock_hw_unit(devrec->rid)->table);
	const struct iommu_attachment_ser *att = NULL;
	const struct mock_hw_slot *slot;

	/* Before anything is looked up in it */
	if (table[devrec->rid].pasids != devrec->table.pa)
		return "table of PASIDs";
	while ((att = iommu_liveupdate_next_attachment(devrec, att))) {
		slot = mock_hw_slot(devrec->rid, att->pasid);
		if (!slot || !(slot->root & MOCK_HW_PRESENT) ||
		    slot->id != att->hw_id)
			return "entry of a device";
	}
	return NULL;
}

static const char *mock_verify(struct mock_unit *unit,
			       const struct iommu_unit_ser *rec)
{
	const struct iommu_device_ser *devrec = NULL;
	const char *differs;

	if (mock_regs(unit)->table != rec->tables[MOCK_TABLE].pa)
		return "device table";
	while ((devrec = iommu_liveupdate_next_device(rec, devrec))) {
		differs = mock_verify_device(devrec);
		if (differs)
			return differs;
	}
	return NULL;
}

/* Walks the attachments of all devices of a unit */
static const struct iommu_attachment_ser *
mock_next(const struct iommu_unit_ser *rec, const struct iommu_device_ser **devrec,
	  const struct iommu_attachment_ser *att)
{
	if (*devrec)
		att = iommu_liveupdate_next_attachment(*devrec, att);
	while (!att) {
		*devrec = iommu_liveupdate_next_device(rec, *devrec);
		if (!*devrec)
			break;
		att = iommu_liveupdate_next_attachment(*devrec, NULL);
	}
	return att;
}

static void mock_put_ids_until(unsigned int nr, const struct iommu_unit_ser *rec,
			       const struct iommu_attachment_ser *end)
{
	const struct iommu_attachment_ser *att = NULL;
	const struct iommu_device_ser *devrec = NULL;

	while ((att = mock_next(rec, &devrec, att))) {
		if (att == end)
			return;
		if (iommu_liveupdate_first_with_id(rec, att))
			mock_put_id(nr, att->hw_id);
	}
}

static int mock_reserve_ids(unsigned int nr, const struct iommu_unit_ser *rec)
{
	const struct iommu_attachment_ser *att = NULL;
	const struct iommu_device_ser *devrec = NULL;
	int ret;

	while ((att = mock_next(rec, &devrec, att))) {
		if (!iommu_liveupdate_first_with_id(rec, att))
			continue;
		ret = mock_reserve_id(nr, att->hw_id);
		if (ret) {
			mock_put_ids_until(nr, rec, att);
			return ret;
		}
	}
	return 0;
}

static const struct iommu_unit_ser *mock_find_record(unsigned int nr)
{
	return iommu_liveupdate_find_unit(&mock_type, IOMMU_UNIT_SER_BASE_MMIO,
					  MOCK_BASE + nr);
}

/* The units have them in common, so nobody may get one of a unit that comes later */
static void mock_reserve_all_ids(void)
{
	const struct iommu_unit_ser *rec;
	unsigned int nr;
	int ret;

	guard(mutex)(&mock_id_lock);
	for (nr = 0; nr < MOCK_UNITS; nr++) {
		rec = mock_find_record(nr);
		if (IS_ERR_OR_NULL(rec))
			continue;
		ret = mock_reserve_ids(nr, rec);
		if (ret)
			iommu_liveupdate_fail_unit(rec, ret);
		else
			mock_units_reserved |= BIT(nr);
	}
}

static int mock_claim_pasids(const struct iommu_unit_ser *rec)
{
	const struct iommu_device_ser *devrec = NULL;
	u32 rid;

	while ((devrec = iommu_liveupdate_next_device(rec, devrec))) {
		rid = devrec->rid;
		if (!devrec->table.pa || test_and_set_bit(rid, mock_claimed))
			continue;
		mock_pasids[rid] = iommu_restore_page(devrec->table.pa,
						      devrec->table.order);
		if (!mock_pasids[rid])
			return -EINVAL;
	}
	return 0;
}

static int mock_adopt(struct mock_unit *unit, const struct iommu_unit_ser *rec)
{
	const struct iommu_attachment_ser *att = NULL;
	const struct iommu_device_ser *devrec = NULL;
	const char *differs = mock_verify(unit, rec);
	struct mock_hw_entry *table;

	if (differs) {
		pr_err("unit %u: %s differs from the record of the previous kernel\n",
		       unit->nr, differs);
		return -EINVAL;
	}
	table = iommu_liveupdate_claim_table(rec, MOCK_TABLE);
	if (!table)
		return -EINVAL;
	if (!mock_table)
		mock_table = table;
	if (mock_claim_pasids(rec))
		return -EINVAL;

	while ((att = mock_next(rec, &devrec, att)))
		set_bit(att->pasid, &mock_adopted[devrec->rid]);
	mock_scrub(unit, mock_adopted);
	iommu_kept_set(&unit->iommu, IOMMU_KEPT_ADOPTED);
	unit->started = true;
	unit->record = rec;
	pr_info("unit %u: adopted the live tables of the previous kernel, %u device(s)\n",
		unit->nr, rec->nr_devices);
	return 0;
}

/*
 * With a table that this kernel can trust, in which no device of the unit has an entry.
 * A unit that was found translating is blocked before anything can fail.
 */
static int mock_start(struct mock_unit *unit, const char *name)
{
	u32 rid, first = unit->nr * MOCK_PER_UNIT;

	if (iommu_kept_block(&unit->iommu, name)) {
		mock_regs(unit)->table = __pa_symbol(mock_nothing);
		mock_hw_flush(unit->nr, 0);
		unit->started = true;
	}
	if (!mock_table)
		mock_table = iommu_alloc_pages_sz(GFP_KERNEL, PAGE_SIZE);
	if (!mock_table)
		return -ENOMEM;

	memset(mock_table + first, 0, MOCK_PER_UNIT * sizeof(*mock_table));
	mock_regs(unit)->table = virt_to_phys(mock_table);
	mock_hw_flush(unit->nr, 0);
	/* Whoever came in has lost them, and the next in its place gets them empty */
	for (rid = first; rid < first + MOCK_PER_UNIT; rid++)
		if (mock_pasids[rid])
			memset(mock_pasids[rid], 0, PAGE_SIZE);
	mock_regs(unit)->control = MOCK_HW_TRANSLATE;
	unit->started = true;
	iommu_kept_started(&unit->iommu);
	return 0;
}

/* Takes the unit over as it is, or starts it */
static int mock_set_up(struct mock_unit *unit, const char *name)
{
	const struct iommu_unit_ser *rec;
	int ret;

	if (mock_regs(unit)->control & MOCK_HW_TRANSLATE &&
	    iommu_kept_found(&unit->iommu)) {
		rec = mock_find_record(unit->nr);
		if (!IS_ERR_OR_NULL(rec)) {
			ret = mock_adopt(unit, rec);
			if (!ret)
				return 0;
			iommu_liveupdate_fail_unit(rec, ret);
		}
	}
	return mock_start(unit, name);
}

/* It cannot be put in use: all behind it is blocked, and may be added again */
static void mock_give_up(struct mock_unit *unit, const char *name)
{
	if (unit->record) {
		iommu_kept_set(&unit->iommu, IOMMU_KEPT_FOUND);
		iommu_liveupdate_fail_unit(unit->record, -EIO);
		unit->record = NULL;
	}
	memset(&mock_adopted[unit->nr * MOCK_PER_UNIT], 0,
	       MOCK_PER_UNIT * sizeof(mock_adopted[0]));
	mock_start(unit, name);
}

/**
 * mock_iommu_add_unit - A unit is there, from the beginning or since now
 * @nr: Which
 * @bus: Of the devices behind it
 *
 * Return: 0, -EEXIST if it was there, or another errno.
 */
int mock_iommu_add_unit(unsigned int nr, const struct bus_type *bus)
{
	struct mock_unit *unit = &mock_units[nr];
	char name[16];
	int ret;

	if (unit->registered)
		return -EEXIST;
	memset(unit, 0, sizeof(*unit));
	unit->nr = nr;
	snprintf(name, sizeof(name), "iommu-mock%u", nr);

	unit->iommu.max_pasids = MOCK_PASIDS;
	ret = mock_set_up(unit, name);
	if (ret)
		return ret;
	ret = iommu_device_sysfs_add(&unit->iommu, NULL, NULL, "%s", name);
	if (ret)
		goto err_give_up;
	ret = iommu_device_register_bus(&unit->iommu, &mock_iommu_ops, bus,
					&unit->nb);
	if (ret)
		goto err_sysfs;
	unit->registered = true;
	return 0;

err_sysfs:
	iommu_device_sysfs_remove(&unit->iommu);
err_give_up:
	mock_give_up(unit, name);
	return ret;
}

/**
 * mock_iommu_remove_unit - A unit goes away
 * @nr: Which; it has no devices any more
 * @bus: As for mock_iommu_add_unit()
 *
 * Return: 0, -ENODEV if it is not there, -EBUSY if live update keeps it.
 */
int mock_iommu_remove_unit(unsigned int nr, const struct bus_type *bus)
{
	struct mock_unit *unit = &mock_units[nr];
	int ret;

	if (!unit->registered)
		return -ENODEV;
	ret = iommu_kept_remove(&unit->iommu, dev_name(unit->iommu.dev));
	if (ret)
		return ret;

	iommu_device_unregister_bus(&unit->iommu, bus, &unit->nb);
	iommu_device_sysfs_remove(&unit->iommu);
	mock_regs(unit)->control = 0;
	unit->started = false;
	unit->registered = false;
	return 0;
}

/*
 * Comes before the core's hand-over. What is not preserved behind a unit that is, is
 * closed there; a unit with nothing that is preserved would go on with tables that
 * are free memory to the next kernel. Without translation addresses are physical
 * ones, so its devices are stopped first, as the PCI core does with functions.
 */
static void mock_shutdown(void *data)
{
	struct mock_unit *unit;
	unsigned int nr;
	u32 rid;

	for (nr = 0; nr < MOCK_UNITS; nr++) {
		unit = &mock_units[nr];
		if (!unit->started || unit->iommu.kept.preserved)
			continue;
		for (rid = nr * MOCK_PER_UNIT; rid < (nr + 1) * MOCK_PER_UNIT; rid++)
			mock_hw_master(rid, false);
		iommu_kept_release(&unit->iommu);
		mock_regs(unit)->control = 0;
		mock_hw_flush(nr, 0);
	}
}

static const struct syscore_ops mock_syscore_ops = {
	.shutdown = mock_shutdown,
};

static struct syscore mock_syscore = {
	.ops = &mock_syscore_ops,
};

/**
 * mock_iommu_init - Before the first unit is added
 */
void __init mock_iommu_init(void)
{
	mock_reserve_all_ids();
	register_syscore(&mock_syscore);
}
