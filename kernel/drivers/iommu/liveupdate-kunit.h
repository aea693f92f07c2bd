/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */

/**
 * DOC: Made-up devices for the KUnit tests of IOMMU live update
 *
 * Devices, groups, units and page tables are made up here, so that every
 * refusal and every failure can be had at will. What the made-up driver and
 * page table are asked to do is written down as one letter for each call, and
 * compared as a whole: that shows order and completeness at once.
 *
 *   D d   page table preserve, unpreserve
 *   U u   unit_preserve, unit_unpreserve
 *   A a   dev_preserve, dev_unpreserve
 *   E     att_preserve
 *   F     unit_freeze (G fails for the second unit only)
 *   H     unit_handover
 *   R     domain_restore
 *   O     att_adopt
 *   B N   dev_block, dev_unblock
 *   K     ids_block
 *   Q     dev_release
 *   L I   att_release, of the last on the unit with this id
 *   b i n attach of the blocking, the default, any other domain; m of the device that
 *         may be unwilling
 *   X T   free of a restored domain, without and with its tables; t if the
 *         tables are freed by whoever has left it, with his locks held
 *   P p   attach with PASID to any but the blocking domain, to that one
 *   r     a page is claimed from KHO
 *
 * Included by each file of tests, which run one after the other.
 */
#ifndef __DRIVERS_IOMMU_LIVEUPDATE_KUNIT_H
#define __DRIVERS_IOMMU_LIVEUPDATE_KUNIT_H

#include <kunit/test.h>
#include <kunit/test-bug.h>
#include <linux/completion.h>
#include <linux/generic_pt/iommu.h>
#include <linux/io.h>
#include <linux/iommu.h>
#include <linux/iommu-liveupdate.h>
#include <linux/kexec_handover.h>
#include <linux/pci.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "iommu-group.h"
#include "iommu-priv.h"
#include "liveupdate.h"
#include "liveupdate-check.h"
#include "liveupdate-hooks.h"

#define FAKE_CALLS	64
#define FAKE_BASE	0xfed90000ull

struct fake_unit {
	struct iommu_device iommu;
	u64 base;
	void *table;
	u16 table_flags;
};

struct fake_device {
	struct pci_dev pci;
	struct pci_bus bus;
#ifndef CONFIG_PCI_DOMAINS_GENERIC
	struct pci_sysdata sysdata;
#endif
	struct dev_iommu param;
	struct group_device gdev;
};

/* What happens in the current test */
static char fake_calls[FAKE_CALLS];
static char fake_failing;
static u64 fake_next_page;
/* What a device has a table for, and the PASID that cannot be preserved or adopted */
static u32 fake_table;
static u32 fake_unwilling_pasid;
/* A device whose attach of any other domain is told apart, and may fail */
static struct device *fake_unwilling;
/* The free of a restored domain waits */
static bool fake_free_held;
static DECLARE_COMPLETION(fake_free_go);

/* Write the call down, and fail if it is the one that is to fail */
static int fake_call(char name)
{
	size_t len = strlen(fake_calls);

	if (len < FAKE_CALLS - 1)
		fake_calls[len] = name;
	return name == fake_failing ? -EIO : 0;
}

static void fake_calls_clear(void)
{
	memset(fake_calls, 0, sizeof(fake_calls));
	fake_failing = 0;
}

#define EXPECT_CALLS(test, calls) do {				\
	iommu_liveupdate_wait_freed();				\
	KUNIT_EXPECT_STREQ(test, fake_calls, calls);		\
	fake_calls_clear();					\
} while (0)

static int fake_pt_preserve(struct pt_iommu *pt, struct iommu_domain_ser *ser)
{
	int ret = fake_call('D');

	if (ret)
		return ret;
	fake_next_page += PAGE_SIZE;
	ser->pt_format = IOMMU_DOMAIN_SER_AMDV1;
	ser->pt_features = IOMMU_DOMAIN_SER_DYNAMIC_TOP;
	ser->top_pa = fake_next_page;
	ser->top_level = 2;
	ser->granule_lg2 = 12;
	ser->vasz_lg2 = 48;
	ser->oasz_lg2 = 52;
	ser->pgsize_bitmap = PAGE_SIZE;
	ser->nr_tables = 1;
	ser->digest = ser->top_pa >> PAGE_SHIFT;
	return 0;
}

static void fake_pt_unpreserve(struct pt_iommu *pt,
			       const struct iommu_domain_ser *ser)
{
	fake_call('d');
}

static const struct pt_iommu_liveupdate_ops fake_pt_liveupdate_ops = {
	.preserve = fake_pt_preserve,
	.unpreserve = fake_pt_unpreserve,
};

static const struct pt_iommu_ops fake_pt_ops = {
	.liveupdate = &fake_pt_liveupdate_ops,
};

/* Of a restored domain; the others belong to the test */
static void fake_domain_free(struct iommu_domain *domain)
{
	struct pt_iommu *pt = iommupt_from_domain(domain);

	if (fake_free_held)
		wait_for_completion_timeout(&fake_free_go, 10 * HZ);
	fake_free_held = false;
	/* Somebody would free the tables */
	if (!pt->ops)
		fake_call('X');
	else
		fake_call(kunit_get_current_test() ? 't' : 'T');
	kfree(pt);
}

static int fake_set_dev_pasid(struct iommu_domain *domain, struct device *dev,
			      ioasid_t pasid, struct iommu_domain *old)
{
	return fake_call('P');
}

static int fake_attach(struct iommu_domain *domain, struct device *dev,
		       struct iommu_domain *old)
{
	return fake_call(dev == fake_unwilling ? 'm' : 'n');
}

static const struct iommu_domain_ops fake_domain_ops = {
	.attach_dev = fake_attach,
	.set_dev_pasid = fake_set_dev_pasid,
	.free = fake_domain_free,
};

/* The records of which it does not like, by the call that wrote them */
static char fake_refused;

static const char *fake_check_unit(const struct iommu_unit_ser *unit)
{
	return fake_refused == 'U' ? "unit" : NULL;
}

static const char *fake_check_device(const struct iommu_device_ser *devrec,
				     const struct iommu_unit_ser *unit)
{
	return fake_refused == 'A' ? "device" : NULL;
}

static const char *fake_check_attachment(const struct iommu_attachment_ser *att,
					 const struct iommu_device_ser *devrec,
					 const struct iommu_unit_ser *unit,
					 const struct iommu_domain_ser *dser)
{
	return fake_refused == 'E' ? "attachment" : NULL;
}

static const struct iommu_liveupdate_type fake_type = {
	.type = IOMMU_UNIT_SER_MOCK,
	.name = "fake",
	.unit = fake_check_unit,
	.device = fake_check_device,
	.attachment = fake_check_attachment,
};

static int fake_unit_preserve(struct iommu_device *iommu,
			      struct iommu_unit_ser *unit)
{
	struct fake_unit *fake = container_of(iommu, struct fake_unit, iommu);
	int ret;

	unit->base_kind = IOMMU_UNIT_SER_BASE_MMIO;
	unit->base = fake->base;
	if (fake->table) {
		ret = iommu_liveupdate_preserve_table(unit, 1, fake->table,
						      fake->table_flags);
		if (ret)
			return ret;
	}
	return fake_call('U');
}

static void fake_unit_unpreserve(struct iommu_device *iommu,
				 struct iommu_unit_ser *unit)
{
	fake_call('u');
}

static int fake_dev_preserve(struct device *dev, struct iommu_unit_ser *unit,
			     struct iommu_device_ser *devrec)
{
	/* No two devices have the same one */
	devrec->max_pasid = fake_table;
	if (fake_table) {
		devrec->table.pa = SZ_1G + devrec->rid * PAGE_SIZE;
		devrec->table.kind = 1;
	}
	return fake_call('A');
}

static void fake_dev_unpreserve(struct device *dev, struct iommu_unit_ser *unit,
				struct iommu_device_ser *devrec)
{
	fake_call('a');
}

static int fake_att_preserve(struct device *dev, struct iommu_domain *domain,
			     const struct iommu_device_ser *devrec,
			     struct iommu_attachment_ser *att,
			     struct iommu_domain_ser *dser)
{
	att->hw_id = (dser->top_pa >> PAGE_SHIFT) & 0xffff;
	fake_call('E');
	return fake_failing == 'E' ||
	       (att->pasid && att->pasid == fake_unwilling_pasid) ? -EIO : 0;
}

static int fake_unit_freeze(struct iommu_device *iommu,
			    struct iommu_unit_ser *unit)
{
	bool second = unit->base != FAKE_BASE;

	return fake_call(second && fake_failing == 'G' ? 'G' : 'F');
}

static void fake_unit_handover(struct iommu_device *iommu,
			       struct iommu_unit_ser *unit)
{
	fake_call('H');
}

static struct iommu_domain *
fake_domain_restore(struct iommu_device *iommu,
		    const struct iommu_domain_ser *dser)
{
	struct pt_iommu *pt;

	if (fake_call('R'))
		return ERR_PTR(-EIO);
	pt = kzalloc_obj(*pt);
	if (!pt)
		return ERR_PTR(-ENOMEM);
	pt->ops = &fake_pt_ops;
	pt->domain.ops = &fake_domain_ops;
	pt->domain.is_iommupt = true;
	pt->domain.pgsize_bitmap = dser->pgsize_bitmap;
	return &pt->domain;
}

static int fake_att_adopt(struct device *dev, struct iommu_domain *domain,
			  const struct iommu_device_ser *devrec,
			  const struct iommu_attachment_ser *att)
{
	fake_call('O');
	return fake_failing == 'O' ||
	       (att->pasid && att->pasid == fake_unwilling_pasid) ? -EIO : 0;
}

static bool fake_dev_block(struct device *dev)
{
	return !fake_call('B');
}

static int fake_dev_unblock(struct device *dev)
{
	return fake_call('N');
}

static bool fake_unit_match(struct iommu_device *iommu,
			    const struct iommu_unit_ser *unit)
{
	return container_of(iommu, struct fake_unit, iommu)->base == unit->base;
}

static bool fake_ids_block(struct iommu_device *iommu,
			   const struct iommu_device_ser *devrec)
{
	return !fake_call('K');
}

static void fake_att_release(struct iommu_device *iommu,
			     struct iommu_domain *domain,
			     const struct iommu_attachment_ser *att, bool last)
{
	fake_call(last ? 'I' : 'L');
}

static void fake_dev_release(struct iommu_device *iommu,
			     const struct iommu_device_ser *devrec)
{
	fake_call('Q');
}

static int fake_default_attach(struct iommu_domain *domain, struct device *dev,
			       struct iommu_domain *old)
{
	return fake_call('i');
}

static const struct iommu_domain_ops fake_default_ops = {
	.attach_dev = fake_default_attach,
};

static struct iommu_domain fake_default_domain __maybe_unused = {
	.type = IOMMU_DOMAIN_UNMANAGED,
	.ops = &fake_default_ops,
};

static int fake_blocked_attach(struct iommu_domain *domain, struct device *dev,
			       struct iommu_domain *old)
{
	return fake_call('b');
}

static int fake_blocked_set_dev_pasid(struct iommu_domain *domain,
				      struct device *dev, ioasid_t pasid,
				      struct iommu_domain *old)
{
	/* Whoever detaches from what came in does not know what it is */
	return fake_call(old ? 'p' : '?');
}

static const struct iommu_domain_ops fake_blocked_ops = {
	.attach_dev = fake_blocked_attach,
	.set_dev_pasid = fake_blocked_set_dev_pasid,
};

static struct iommu_domain fake_blocked_domain = {
	.type = IOMMU_DOMAIN_BLOCKED,
	.ops = &fake_blocked_ops,
};

#define FAKE_LIVEUPDATE_OPS						\
	.type = &fake_type,						\
	.unit_preserve = fake_unit_preserve,				\
	.unit_unpreserve = fake_unit_unpreserve,			\
	.dev_preserve = fake_dev_preserve,				\
	.dev_unpreserve = fake_dev_unpreserve,				\
	.att_preserve = fake_att_preserve,				\
	.unit_freeze = fake_unit_freeze,				\
	.unit_handover = fake_unit_handover,				\
	.domain_restore = fake_domain_restore,				\
	.att_adopt = fake_att_adopt,					\
	.dev_block = fake_dev_block,					\
	.dev_unblock = fake_dev_unblock,				\
	.unit_match = fake_unit_match,					\
	.ids_block = fake_ids_block,					\
	.att_release = fake_att_release,				\
	.dev_release = fake_dev_release

static const struct iommu_liveupdate_ops fake_liveupdate_ops = {
	FAKE_LIVEUPDATE_OPS,
	.groups = true,
	.pasids = true,
};

static const struct iommu_ops fake_ops = {
	.blocked_domain = &fake_blocked_domain,
	.liveupdate_ops = &fake_liveupdate_ops,
};

static const struct iommu_ops fake_ops_without = {
	.blocked_domain = &fake_blocked_domain,
};

/* A driver that knows single devices only, without PASIDs */
static const struct iommu_liveupdate_ops fake_liveupdate_ops_plain __maybe_unused = {
	FAKE_LIVEUPDATE_OPS,
};

static const struct iommu_ops fake_ops_plain __maybe_unused = {
	.blocked_domain = &fake_blocked_domain,
	.liveupdate_ops = &fake_liveupdate_ops_plain,
};

/* Half a driver is none */
static const struct iommu_liveupdate_ops fake_liveupdate_ops_half = {
	.domain_restore = fake_domain_restore,
};

static const struct iommu_ops fake_ops_incomplete __maybe_unused = {
	.blocked_domain = &fake_blocked_domain,
	.liveupdate_ops = &fake_liveupdate_ops_half,
};

static struct fake_unit *fake_unit(struct kunit *test, unsigned int nr)
{
	struct fake_unit *unit = kunit_kzalloc(test, sizeof(*unit), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, unit);
	unit->iommu.ops = &fake_ops;
	unit->base = FAKE_BASE + nr * SZ_4K;
	return unit;
}

static struct iommu_group *fake_group(struct kunit *test)
{
	struct iommu_group *group;

	group = kunit_kzalloc(test, sizeof(*group), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, group);
	mutex_init(&group->mutex);
	INIT_LIST_HEAD(&group->devices);
	xa_init(&group->pasid_array);
	return group;
}

static void fake_segment(struct fake_device *fake, int segment)
{
#ifdef CONFIG_PCI_DOMAINS_GENERIC
	fake->bus.domain_nr = segment;
#else
	fake->bus.sysdata = &fake->sysdata;
	fake->sysdata.domain = segment;
#endif
}

static struct fake_device *fake_device(struct kunit *test,
				       struct fake_unit *unit, u16 rid)
{
	struct fake_device *fake;

	fake = kunit_kzalloc(test, sizeof(*fake), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, fake);
	fake->bus.number = PCI_BUS_NUM(rid);
	fake_segment(fake, 0);
	fake->pci.bus = &fake->bus;
	fake->pci.devfn = rid & 0xff;
	fake->pci.vendor = 0x1af4;
	fake->pci.device = 0x1000;
	fake->pci.dev.bus = &pci_bus_type;
	fake->pci.dev.init_name = "fake";
	fake->pci.dev.iommu = &fake->param;
	fake->param.iommu_dev = &unit->iommu;
	fake->gdev.dev = &fake->pci.dev;
	return fake;
}

static void fake_add(struct iommu_group *group, struct fake_device *fake)
{
	fake->pci.dev.iommu_group = group;
	list_add_tail(&fake->gdev.list, &group->devices);
}

static struct iommu_domain *fake_domain(struct kunit *test)
{
	struct pt_iommu *pt = kunit_kzalloc(test, sizeof(*pt), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, pt);
	pt->ops = &fake_pt_ops;
	pt->domain.ops = &fake_domain_ops;
	pt->domain.is_iommupt = true;
	pt->domain.type = IOMMU_DOMAIN_UNMANAGED;
	pt->domain.pgsize_bitmap = PAGE_SIZE;
	pt->domain.owner = &fake_ops; /* for iommu_attach_group() */
	return &pt->domain;
}

/* A device as iommufd leaves it after attach: owned, alone, on @domain */
static struct fake_device *fake_attached(struct kunit *test,
					 struct fake_unit *unit, u16 rid,
					 struct iommu_domain *domain)
{
	struct fake_device *fake = fake_device(test, unit, rid);
	struct iommu_group *group = fake_group(test);

	fake_add(group, fake);
	group->owner = test;
	group->owner_cnt = 1;
	group->domain = domain;
	return fake;
}

static struct iommu_liveupdate_outgoing *fake_flb(struct kunit *test)
{
	struct liveupdate_flb_op_args args = {};

	if (!kho_is_enabled())
		kunit_skip(test, "needs kho=on");
	if (iommu_liveupdate_outgoing || iommu_liveupdate_incoming_active())
		kunit_skip(test, "something is preserved or came in");
	if (iommu_liveupdate_panic)
		kunit_skip(test, "needs iommu.liveupdate=block");
	KUNIT_ASSERT_EQ(test, iommu_liveupdate_outgoing_preserve(&args), 0);
	KUNIT_EXPECT_EQ(test, args.data,
			virt_to_phys(iommu_liveupdate_outgoing->ser));
	return args.obj;
}

/* Unpreserve what the test has left */
static void fake_flb_end(struct iommu_liveupdate_outgoing *out)
{
	struct liveupdate_flb_op_args args = { .obj = out };
	struct iommu_liveupdate_out_device *pdev, *next_pdev;
	struct iommu_liveupdate_out_domain *pdom, *next_pdom;

	list_for_each_entry_safe(pdev, next_pdev, &out->devices, list)
		iommu_device_unpreserve(pdev->dev);
	list_for_each_entry_safe(pdom, next_pdom, &out->domains, list)
		iommu_domain_unpreserve(pdom->domain);
	iommu_liveupdate_outgoing_unpreserve(&args);
}

static void expect_sound(struct kunit *test,
			 struct iommu_liveupdate_outgoing *out)
{
	guard(mutex)(&iommu_liveupdate_outgoing_lock);
	iommu_liveupdate_seal(out);
	KUNIT_EXPECT_EQ(test, iommu_liveupdate_verify(out), 0);
}

static int fake_init(struct kunit *test)
{
	fake_calls_clear();
	fake_refused = 0;
	fake_unwilling = NULL;
	fake_unwilling_pasid = 0;
	fake_table = 0;
	fake_next_page = 0;
	fake_free_held = false;
	reinit_completion(&fake_free_go);
	return 0;
}

#endif /* __DRIVERS_IOMMU_LIVEUPDATE_KUNIT_H */
