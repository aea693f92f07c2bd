// SPDX-License-Identifier: GPL-2.0
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */

/**
 * DOC: KUnit tests of IOMMU live update
 *
 * Devices, groups, units and page tables are made up here, so that every
 * refusal and every failure can be had at will. What the made-up driver and
 * page table are asked to do is written down as one letter for each call, and
 * compared as a whole: that shows order and completeness at once.
 *
 *   D d   page table preserve, unpreserve
 *   U u   unit_preserve, unit_unpreserve
 *   A a   dev_preserve, dev_unpreserve
 *   F f   unit_freeze (G fails for the second unit only), unit_unfreeze
 *   H     unit_handover
 *   R     domain_restore
 *   O     dev_adopt
 *   B     dev_block
 *   b     attach of the blocking domain
 *
 * The incoming side reads the records that the outgoing side has just written,
 * from the same memory.
 */

#include <kunit/test.h>
#include <linux/generic_pt/iommu.h>
#include <linux/io.h>
#include <linux/iommu.h>
#include <linux/iommu-liveupdate.h>
#include <linux/kexec_handover.h>
#include <linux/pci.h>
#include <linux/slab.h>

#include "iommu-priv.h"
#include "liveupdate.h"

#define FAKE_CALLS	64
#define FAKE_BASE	0xfed90000ull
#define FAKE_MANY	200

struct fake_unit {
	struct iommu_device iommu;
	u64 base;
};

struct fake_device {
	struct pci_dev pci;
	struct pci_bus bus;
	struct pci_sysdata sysdata;
	struct dev_iommu param;
	struct group_device gdev;
};

/* What happens in the current test */
static char fake_calls[FAKE_CALLS];
static char fake_failing;
static u64 fake_next_page;

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

static const struct pt_iommu_ops fake_pt_ops = {
	.preserve = fake_pt_preserve,
	.unpreserve = fake_pt_unpreserve,
};

static int fake_unit_preserve(struct iommu_device *iommu,
			      struct iommu_unit_ser *unit)
{
	unit->type = IOMMU_UNIT_SER_MOCK;
	unit->base = container_of(iommu, struct fake_unit, iommu)->base;
	return fake_call('U');
}

static void fake_unit_unpreserve(struct iommu_device *iommu,
				 struct iommu_unit_ser *unit)
{
	fake_call('u');
}

static int fake_dev_preserve(struct device *dev, struct iommu_domain *domain,
			     struct iommu_unit_ser *unit,
			     struct iommu_attachment_ser *att)
{
	const struct iommu_domain_ser *dser = phys_to_virt(att->domain_pa);

	att->hw_id = (dser->top_pa >> PAGE_SHIFT) & 0xffff;
	return fake_call('A');
}

static void fake_dev_unpreserve(struct device *dev, struct iommu_domain *domain,
				struct iommu_unit_ser *unit,
				struct iommu_attachment_ser *att)
{
	fake_call('a');
}

static int fake_unit_freeze(struct iommu_device *iommu,
			    struct iommu_unit_ser *unit)
{
	bool second = unit->base != FAKE_BASE;

	return fake_call(second && fake_failing == 'G' ? 'G' : 'F');
}

static void fake_unit_unfreeze(struct iommu_device *iommu,
			       struct iommu_unit_ser *unit)
{
	fake_call('f');
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
	pt->domain.is_iommupt = true;
	pt->domain.pgsize_bitmap = dser->pgsize_bitmap;
	return &pt->domain;
}

static int fake_dev_adopt(struct device *dev, struct iommu_domain *domain,
			  const struct iommu_attachment_ser *att)
{
	return fake_call('O');
}

static void fake_dev_block(struct device *dev)
{
	fake_call('B');
}

static int fake_blocked_attach(struct iommu_domain *domain, struct device *dev,
			       struct iommu_domain *old)
{
	return fake_call('b');
}

static const struct iommu_domain_ops fake_blocked_ops = {
	.attach_dev = fake_blocked_attach,
};

static struct iommu_domain fake_blocked_domain = {
	.type = IOMMU_DOMAIN_BLOCKED,
	.ops = &fake_blocked_ops,
};

static const struct iommu_liveupdate_ops fake_liveupdate_ops = {
	.unit_preserve = fake_unit_preserve,
	.unit_unpreserve = fake_unit_unpreserve,
	.dev_preserve = fake_dev_preserve,
	.dev_unpreserve = fake_dev_unpreserve,
	.unit_freeze = fake_unit_freeze,
	.unit_unfreeze = fake_unit_unfreeze,
	.unit_handover = fake_unit_handover,
	.domain_restore = fake_domain_restore,
	.dev_adopt = fake_dev_adopt,
	.dev_block = fake_dev_block,
};

static const struct iommu_ops fake_ops = {
	.blocked_domain = &fake_blocked_domain,
	.liveupdate_ops = &fake_liveupdate_ops,
};

static const struct iommu_ops fake_ops_without = {
	.blocked_domain = &fake_blocked_domain,
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

static struct fake_device *fake_device(struct kunit *test,
				       struct fake_unit *unit, u16 rid)
{
	struct fake_device *fake;

	fake = kunit_kzalloc(test, sizeof(*fake), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, fake);
	fake->bus.number = PCI_BUS_NUM(rid);
	fake->bus.sysdata = &fake->sysdata;
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
	KUNIT_EXPECT_EQ(test, iommu_liveupdate_verify(out), 0);
}

static void preserve_order(struct kunit *test)
{
	struct iommu_domain *domain = fake_domain(test);
	struct fake_unit *unit = fake_unit(test, 0);
	struct fake_device *one = fake_attached(test, unit, 0x10, domain);
	struct fake_device *two = fake_attached(test, unit, 0x18, domain);
	struct iommu_liveupdate_outgoing *out;
	u64 pa;

	KUNIT_EXPECT_EQ(test, iommu_domain_preserve(domain, &pa), -ENOENT);
	KUNIT_EXPECT_EQ(test, iommu_device_preserve(&one->pci.dev, domain, 1),
			-ENOENT);
	EXPECT_CALLS(test, "");

	out = fake_flb(test);
	expect_sound(test, out);
	KUNIT_EXPECT_EQ(test, iommu_device_preserve(&one->pci.dev, domain, 1),
			-ENOENT);
	KUNIT_EXPECT_EQ(test, iommu_domain_preserve(domain, &pa), 0);
	KUNIT_EXPECT_EQ(test, iommu_domain_preserve(domain, &pa), -EBUSY);
	KUNIT_EXPECT_EQ(test, iommu_device_preserve(&one->pci.dev, domain, 1), 0);
	KUNIT_EXPECT_EQ(test, iommu_device_preserve(&one->pci.dev, domain, 1),
			-EBUSY);
	expect_sound(test, out);
	KUNIT_EXPECT_EQ(test, iommu_device_preserve(&two->pci.dev, domain, 1), 0);
	expect_sound(test, out);
	EXPECT_CALLS(test, "DUAA");

	iommu_device_unpreserve(&one->pci.dev);
	expect_sound(test, out);
	iommu_device_unpreserve(&two->pci.dev);
	iommu_domain_unpreserve(domain);
	expect_sound(test, out);
	EXPECT_CALLS(test, "aaud");
	KUNIT_EXPECT_FALSE(test, one->pci.dev.iommu_group->preserved);
	KUNIT_EXPECT_EQ(test, domain->liveupdate, IOMMU_LIVEUPDATE_NONE);
	fake_flb_end(out);
}

static void preserve_refusals(struct kunit *test)
{
	struct iommu_domain *domain = fake_domain(test);
	struct iommu_domain *other = fake_domain(test);
	struct fake_unit *unit = fake_unit(test, 0);
	struct fake_device *fake = fake_attached(test, unit, 0x10, domain);
	struct fake_device *sibling = fake_device(test, unit, 0x11);
	struct iommu_group *group = fake->pci.dev.iommu_group;
	struct iommu_liveupdate_outgoing *out = fake_flb(test);
	struct device *dev = &fake->pci.dev;
	u64 pa;

	KUNIT_EXPECT_EQ(test, iommu_domain_preserve(&fake_blocked_domain, &pa),
			-EOPNOTSUPP);
	KUNIT_ASSERT_EQ(test, iommu_domain_preserve(domain, &pa), 0);
	KUNIT_ASSERT_EQ(test, iommu_domain_preserve(other, &pa), 0);
	fake_calls_clear();

	group->owner = NULL;
	KUNIT_EXPECT_EQ(test, iommu_device_preserve(dev, domain, 1), -EPERM);
	group->owner = test;

	fake_add(group, sibling);
	KUNIT_EXPECT_EQ(test, iommu_device_preserve(dev, domain, 1), -EOPNOTSUPP);
	list_del(&sibling->gdev.list);

	unit->iommu.ops = &fake_ops_without;
	KUNIT_EXPECT_EQ(test, iommu_device_preserve(dev, domain, 1), -EOPNOTSUPP);
	unit->iommu.ops = &fake_ops;

	xa_store(&group->pasid_array, 7, xa_mk_value(1), GFP_KERNEL);
	KUNIT_EXPECT_EQ(test, iommu_device_preserve(dev, domain, 1), -EOPNOTSUPP);
	xa_erase(&group->pasid_array, 7);

	dev->bus = NULL;
	KUNIT_EXPECT_EQ(test, iommu_device_preserve(dev, domain, 1), -EOPNOTSUPP);
	dev->bus = &pci_bus_type;

	group->recovery_cnt = 1;
	KUNIT_EXPECT_EQ(test, iommu_device_preserve(dev, domain, 1), -EBUSY);
	group->recovery_cnt = 0;

	KUNIT_EXPECT_EQ(test, iommu_device_preserve(dev, other, 1), -EINVAL);
	EXPECT_CALLS(test, "");
	expect_sound(test, out);

	/* Only the attachment without PASID */
	xa_store(&group->pasid_array, IOMMU_NO_PASID, xa_mk_value(1), GFP_KERNEL);
	KUNIT_EXPECT_EQ(test, iommu_device_preserve(dev, domain, 1), 0);
	EXPECT_CALLS(test, "UA");

	xa_destroy(&group->pasid_array);
	fake_flb_end(out);
}

static void preserve_unwind(struct kunit *test)
{
	struct iommu_domain *domain = fake_domain(test);
	struct fake_unit *unit = fake_unit(test, 0);
	struct fake_device *fake = fake_attached(test, unit, 0x10, domain);
	struct iommu_liveupdate_outgoing *out = fake_flb(test);
	u64 pa;

	fake_failing = 'D';
	KUNIT_EXPECT_EQ(test, iommu_domain_preserve(domain, &pa), -EIO);
	EXPECT_CALLS(test, "D");
	KUNIT_EXPECT_EQ(test, domain->liveupdate, IOMMU_LIVEUPDATE_NONE);
	expect_sound(test, out);
	KUNIT_ASSERT_EQ(test, iommu_domain_preserve(domain, &pa), 0);
	fake_calls_clear();

	fake_failing = 'U';
	KUNIT_EXPECT_EQ(test, iommu_device_preserve(&fake->pci.dev, domain, 1),
			-EIO);
	EXPECT_CALLS(test, "U");
	expect_sound(test, out);

	fake_failing = 'A';
	KUNIT_EXPECT_EQ(test, iommu_device_preserve(&fake->pci.dev, domain, 1),
			-EIO);
	EXPECT_CALLS(test, "UAu");
	expect_sound(test, out);
	KUNIT_EXPECT_FALSE(test, fake->pci.dev.iommu_group->preserved);
	KUNIT_EXPECT_TRUE(test, list_empty(&out->units));

	KUNIT_EXPECT_EQ(test, iommu_device_preserve(&fake->pci.dev, domain, 1), 0);
	expect_sound(test, out);
	fake_flb_end(out);
}

/* Three blocks of domains, holes in the middle, no growth by coming and going */
static void preserve_slots(struct kunit *test)
{
	struct iommu_liveupdate_outgoing *out = fake_flb(test);
	struct iommu_domain **domains;
	u64 pa, pa_hole = 0, again;
	unsigned int i;

	domains = kunit_kcalloc(test, FAKE_MANY, sizeof(*domains), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, domains);
	for (i = 0; i < FAKE_MANY; i++) {
		domains[i] = fake_domain(test);
		KUNIT_ASSERT_EQ(test, iommu_domain_preserve(domains[i], &pa), 0);
		if (i == 50)
			pa_hole = pa;
	}
	KUNIT_EXPECT_EQ(test, out->domain_records.blocks.nblocks, 3);
	expect_sound(test, out);

	for (i = 50; i < 150; i++)
		iommu_domain_unpreserve(domains[i]);
	expect_sound(test, out);
	KUNIT_EXPECT_EQ(test, out->ser->nr_domains, FAKE_MANY);

	for (i = 0; i < 1000; i++) {
		KUNIT_ASSERT_EQ(test, iommu_domain_preserve(domains[77], &again), 0);
		KUNIT_EXPECT_EQ(test, again, pa_hole);
		iommu_domain_unpreserve(domains[77]);
	}
	KUNIT_EXPECT_EQ(test, out->ser->nr_domains, FAKE_MANY);
	expect_sound(test, out);
	fake_flb_end(out);
}

static void preserve_immutable(struct kunit *test)
{
	struct iommu_domain *domain = fake_domain(test);
	struct fake_unit *unit = fake_unit(test, 0);
	struct fake_device *fake = fake_attached(test, unit, 0x10, domain);
	struct fake_device *stranger = fake_device(test, unit, 0x11);
	struct iommu_group *group = fake->pci.dev.iommu_group;
	struct iommu_liveupdate_outgoing *out = fake_flb(test);
	u64 pa;

	KUNIT_ASSERT_EQ(test, iommu_domain_preserve(domain, &pa), 0);
	KUNIT_EXPECT_EQ(test, iommu_map(domain, 0, PAGE_SIZE, PAGE_SIZE,
					IOMMU_READ, GFP_KERNEL), -EBUSY);
	KUNIT_EXPECT_EQ(test, iommu_unmap(domain, 0, PAGE_SIZE), 0);

	KUNIT_ASSERT_EQ(test, iommu_device_preserve(&fake->pci.dev, domain, 1), 0);
	KUNIT_EXPECT_EQ(test, iommu_attach_group(fake_domain(test), group), -EBUSY);

	mutex_lock(&iommu_probe_device_lock);
	mutex_lock(&group->mutex);
	KUNIT_EXPECT_TRUE(test, iommu_liveupdate_refuse_group(group));
	fake_add(group, stranger);
	KUNIT_EXPECT_EQ(test, iommu_liveupdate_join_group(group, &stranger->pci.dev),
			-ENODEV);
	list_del(&stranger->gdev.list);
	mutex_unlock(&group->mutex);
	mutex_unlock(&iommu_probe_device_lock);

	iommu_device_unpreserve(&fake->pci.dev);
	KUNIT_EXPECT_FALSE(test, group->preserved);
	fake_flb_end(out);
}

static void freeze(struct kunit *test)
{
	struct iommu_domain *domain = fake_domain(test);
	struct iommu_domain *late = fake_domain(test);
	struct fake_unit *first = fake_unit(test, 0);
	struct fake_unit *second = fake_unit(test, 1);
	struct fake_device *one = fake_attached(test, first, 0x10, domain);
	struct fake_device *two = fake_attached(test, second, 0x18, domain);
	struct fake_device *three = fake_attached(test, second, 0x20, domain);
	struct iommu_liveupdate_outgoing *out;
	u64 pa;

	KUNIT_EXPECT_EQ(test, iommu_liveupdate_freeze(), -ENOENT);
	out = fake_flb(test);
	KUNIT_ASSERT_EQ(test, iommu_domain_preserve(domain, &pa), 0);
	KUNIT_ASSERT_EQ(test, iommu_device_preserve(&one->pci.dev, domain, 1), 0);
	KUNIT_ASSERT_EQ(test, iommu_device_preserve(&two->pci.dev, domain, 1), 0);
	KUNIT_ASSERT_EQ(test, iommu_device_preserve(&three->pci.dev, domain, 1), 0);
	fake_calls_clear();

	fake_failing = 'G';
	KUNIT_EXPECT_EQ(test, iommu_liveupdate_freeze(), -EIO);
	EXPECT_CALLS(test, "FGf");

	/* Nothing is handed over that is not frozen */
	iommu_liveupdate_handover();
	EXPECT_CALLS(test, "");

	/* Two iommufds, one freeze */
	KUNIT_EXPECT_EQ(test, iommu_liveupdate_freeze(), 0);
	KUNIT_EXPECT_EQ(test, iommu_liveupdate_freeze(), 0);
	KUNIT_EXPECT_EQ(test, iommu_domain_preserve(late, &pa), -EBUSY);
	iommu_liveupdate_unfreeze();
	EXPECT_CALLS(test, "FF");
	iommu_liveupdate_handover();
	EXPECT_CALLS(test, "HH");
	expect_sound(test, out);
	iommu_liveupdate_unfreeze();
	EXPECT_CALLS(test, "ff");

	/* What the next kernel would refuse is refused here */
	out->ser->reserved = 1;
	KUNIT_EXPECT_EQ(test, iommu_liveupdate_freeze(), -EINVAL);
	EXPECT_CALLS(test, "FFff");
	out->ser->reserved = 0;

	iommu_device_unpreserve(&three->pci.dev);
	iommu_device_unpreserve(&two->pci.dev);
	iommu_device_unpreserve(&one->pci.dev);
	EXPECT_CALLS(test, "aauau");
	fake_flb_end(out);
}

/* What the outgoing side wrote, as the next kernel sees it */
static struct iommu_liveupdate_incoming *
fake_kexec(struct kunit *test, struct iommu_liveupdate_outgoing *out)
{
	struct iommu_liveupdate_incoming *in;

	in = iommu_liveupdate_incoming_read(out->ser);
	KUNIT_ASSERT_FALSE(test, IS_ERR(in));
	iommu_liveupdate_incoming_publish(in, 0);
	fake_calls_clear();
	return in;
}

static void fake_forget_blocks(struct kho_block_set *bs)
{
	struct kho_block *block, *next;

	/* The pages belong to the outgoing side */
	list_for_each_entry_safe(block, next, &bs->blocks, list)
		kfree(block);
}

static void fake_kexec_end(struct iommu_liveupdate_incoming *in)
{
	struct iommu_liveupdate_in_domain *dom;

	list_for_each_entry(dom, &in->domains, list)
		if (dom->domain)
			kfree(iommupt_from_domain(dom->domain));
	fake_forget_blocks(&in->unit_blocks);
	fake_forget_blocks(&in->domain_blocks);
	fake_forget_blocks(&in->attachment_blocks);
	iommu_liveupdate_incoming_publish(NULL, 0);
	iommu_liveupdate_incoming_put(in);
}

/* The steps of __iommu_probe_device() that concern live update */
static int fake_probe(struct iommu_group *group, struct fake_device *fake)
{
	int ret;

	guard(mutex)(&iommu_probe_device_lock);
	iommu_liveupdate_init_device(&fake->pci.dev);
	guard(mutex)(&group->mutex);
	fake_add(group, fake);
	ret = iommu_liveupdate_join_group(group, &fake->pci.dev);
	if (ret)
		list_del(&fake->gdev.list);
	return ret;
}

/* Likewise for the removal of a device */
static void fake_remove(struct iommu_group *group, struct fake_device *fake)
{
	guard(mutex)(&iommu_probe_device_lock);
	if (fake->pci.dev.iommu_group == group) {
		guard(mutex)(&group->mutex);
		list_del(&fake->gdev.list);
		if (list_empty(&group->devices))
			iommu_liveupdate_disown_group(group);
		fake->pci.dev.iommu_group = NULL;
	}
	iommu_liveupdate_release_device(&fake->pci.dev);
}

static void lookup(struct kunit *test)
{
	struct iommu_domain *domain = fake_domain(test);
	struct fake_unit *first = fake_unit(test, 0);
	struct fake_unit *second = fake_unit(test, 1);
	struct fake_device *one = fake_attached(test, first, 0x10, domain);
	struct fake_device *two = fake_attached(test, second, 0x18, domain);
	struct fake_device *gone = fake_attached(test, first, 0x20, domain);
	struct fake_device *three = fake_attached(test, first, 0x28, domain);
	struct iommu_liveupdate_outgoing *out = fake_flb(test);
	const struct iommu_attachment_ser *att;
	struct iommu_liveupdate_incoming *in;
	const struct iommu_unit_ser *unit;
	u64 pa;

	KUNIT_EXPECT_NULL(test, iommu_liveupdate_find_unit(IOMMU_UNIT_SER_MOCK,
							   FAKE_BASE));
	iommu_liveupdate_incoming_publish(NULL, -EBADMSG);
	KUNIT_EXPECT_EQ(test, PTR_ERR(iommu_liveupdate_find_unit(IOMMU_UNIT_SER_MOCK,
								 FAKE_BASE)),
			-EBADMSG);
	iommu_liveupdate_incoming_publish(NULL, 0);

	KUNIT_ASSERT_EQ(test, iommu_domain_preserve(domain, &pa), 0);
	KUNIT_ASSERT_EQ(test, iommu_device_preserve(&one->pci.dev, domain, 5), 0);
	KUNIT_ASSERT_EQ(test, iommu_device_preserve(&two->pci.dev, domain, 6), 0);
	KUNIT_ASSERT_EQ(test, iommu_device_preserve(&gone->pci.dev, domain, 7), 0);
	KUNIT_ASSERT_EQ(test, iommu_device_preserve(&three->pci.dev, domain, 8), 0);
	iommu_device_unpreserve(&gone->pci.dev);
	expect_sound(test, out);
	in = fake_kexec(test, out);

	KUNIT_EXPECT_NULL(test, iommu_liveupdate_find_unit(IOMMU_UNIT_SER_VTD,
							   FAKE_BASE));
	KUNIT_EXPECT_NULL(test, iommu_liveupdate_find_unit(IOMMU_UNIT_SER_MOCK, 1));
	unit = iommu_liveupdate_find_unit(IOMMU_UNIT_SER_MOCK, FAKE_BASE);
	KUNIT_ASSERT_FALSE(test, IS_ERR_OR_NULL(unit));
	KUNIT_EXPECT_EQ(test, unit->nr_devices, 2);

	att = iommu_liveupdate_next_attachment(unit, NULL);
	KUNIT_ASSERT_NOT_NULL(test, att);
	KUNIT_EXPECT_EQ(test, att->rid, 0x10);
	KUNIT_EXPECT_EQ(test, att->iommufd_token, 5);
	att = iommu_liveupdate_next_attachment(unit, att);
	KUNIT_ASSERT_NOT_NULL(test, att);
	KUNIT_EXPECT_EQ(test, att->rid, 0x28);
	KUNIT_EXPECT_NULL(test, iommu_liveupdate_next_attachment(unit, att));

	/* By device: there, not there, another kind of device, failed unit */
	mutex_lock(&iommu_probe_device_lock);
	one->pci.device++;
	iommu_liveupdate_init_device(&one->pci.dev);
	iommu_liveupdate_init_device(&two->pci.dev);
	iommu_liveupdate_init_device(&gone->pci.dev);
	iommu_liveupdate_init_device(&three->pci.dev);
	mutex_unlock(&iommu_probe_device_lock);
	KUNIT_EXPECT_EQ(test, PTR_ERR(iommu_liveupdate_device_attachment(&one->pci.dev)),
			-EIO);
	att = iommu_liveupdate_device_attachment(&two->pci.dev);
	KUNIT_ASSERT_FALSE(test, IS_ERR_OR_NULL(att));
	KUNIT_EXPECT_EQ(test, att->iommufd_token, 6);
	KUNIT_EXPECT_NULL(test, iommu_liveupdate_device_attachment(&gone->pci.dev));

	iommu_liveupdate_fail_unit(unit, -ENXIO);
	KUNIT_EXPECT_EQ(test, PTR_ERR(iommu_liveupdate_find_unit(IOMMU_UNIT_SER_MOCK,
								 FAKE_BASE)),
			-ENXIO);
	KUNIT_EXPECT_EQ(test, PTR_ERR(iommu_liveupdate_device_attachment(&three->pci.dev)),
			-ENXIO);
	KUNIT_EXPECT_FALSE(test, IS_ERR(iommu_liveupdate_device_attachment(&two->pci.dev)));

	iommu_liveupdate_release_device(&one->pci.dev);
	iommu_liveupdate_release_device(&two->pci.dev);
	iommu_liveupdate_release_device(&three->pci.dev);
	KUNIT_EXPECT_EQ(test, kref_read(&in->ref), 1);
	fake_kexec_end(in);
	fake_flb_end(out);
}

static void restore(struct kunit *test)
{
	struct iommu_domain *domain = fake_domain(test);
	struct fake_unit *unit = fake_unit(test, 0);
	struct fake_device *old_one = fake_attached(test, unit, 0x10, domain);
	struct fake_device *old_two = fake_attached(test, unit, 0x18, domain);
	struct fake_device *one = fake_device(test, unit, 0x10);
	struct fake_device *two = fake_device(test, unit, 0x18);
	struct fake_device *stranger = fake_device(test, unit, 0x11);
	struct iommu_group *group_one = fake_group(test);
	struct iommu_group *group_two = fake_group(test);
	struct iommu_liveupdate_outgoing *out = fake_flb(test);
	struct iommu_liveupdate_incoming *in;
	u64 pa;

	KUNIT_ASSERT_EQ(test, iommu_domain_preserve(domain, &pa), 0);
	KUNIT_ASSERT_EQ(test, iommu_device_preserve(&old_one->pci.dev, domain, 1), 0);
	KUNIT_ASSERT_EQ(test, iommu_device_preserve(&old_two->pci.dev, domain, 1), 0);
	in = fake_kexec(test, out);

	KUNIT_EXPECT_EQ(test, fake_probe(group_one, one), 0);
	EXPECT_CALLS(test, "RO");
	KUNIT_EXPECT_EQ(test, fake_probe(group_two, two), 0);
	EXPECT_CALLS(test, "O");
	KUNIT_ASSERT_NOT_NULL(test, group_one->domain);
	KUNIT_EXPECT_PTR_EQ(test, group_one->domain, group_two->domain);
	KUNIT_EXPECT_EQ(test, group_one->domain->type, IOMMU_DOMAIN_UNMANAGED);
	KUNIT_EXPECT_EQ(test, group_one->owner_cnt, 1);

	/* Nobody else can have it */
	KUNIT_EXPECT_EQ(test, iommu_device_claim_dma_owner(&one->pci.dev, test),
			-EPERM);
	group_one->default_domain = &fake_blocked_domain;
	KUNIT_EXPECT_EQ(test, iommu_device_use_default_domain(&one->pci.dev),
			-EBUSY);
	group_one->default_domain = NULL;
	KUNIT_EXPECT_EQ(test, iommu_attach_group(fake_domain(test), group_one),
			-EBUSY);
	KUNIT_EXPECT_EQ(test, iommu_map(group_one->domain, 0, PAGE_SIZE, PAGE_SIZE,
					IOMMU_READ, GFP_KERNEL), -EBUSY);
	KUNIT_EXPECT_EQ(test, fake_probe(group_one, stranger), -ENODEV);
	KUNIT_EXPECT_EQ(test, iommu_device_preserve(&one->pci.dev,
						    group_one->domain, 1), -EBUSY);
	EXPECT_CALLS(test, "");

	/* Gone and back: hardware is left alone, the domain is still there */
	fake_remove(group_one, one);
	KUNIT_EXPECT_NULL(test, group_one->owner);
	KUNIT_EXPECT_EQ(test, group_one->owner_cnt, 0);
	KUNIT_EXPECT_NULL(test, group_one->domain);
	EXPECT_CALLS(test, "");
	KUNIT_EXPECT_EQ(test, fake_probe(group_one, one), 0);
	EXPECT_CALLS(test, "O");
	KUNIT_EXPECT_PTR_EQ(test, group_one->domain, group_two->domain);

	fake_remove(group_one, one);
	fake_remove(group_two, two);
	KUNIT_EXPECT_EQ(test, kref_read(&in->ref), 1);
	fake_kexec_end(in);
	fake_flb_end(out);
}

static void expect_blocked(struct kunit *test, struct iommu_group *group,
			   struct fake_device *fake)
{
	KUNIT_EXPECT_PTR_EQ(test, group->domain, &fake_blocked_domain);
	KUNIT_EXPECT_EQ(test, group->owner_cnt, 1);
	KUNIT_EXPECT_TRUE(test, IS_ERR(iommu_liveupdate_device_attachment(&fake->pci.dev)));
	KUNIT_EXPECT_EQ(test, iommu_device_claim_dma_owner(&fake->pci.dev, test),
			-EPERM);
	KUNIT_EXPECT_EQ(test, iommu_attach_group(fake_domain(test), group), -EBUSY);
}

static void fail_closed(struct kunit *test)
{
	struct iommu_domain *domain = fake_domain(test);
	struct iommu_domain *other = fake_domain(test);
	struct fake_unit *unit = fake_unit(test, 0);
	struct fake_device *old_one = fake_attached(test, unit, 0x10, domain);
	struct fake_device *old_two = fake_attached(test, unit, 0x18, other);
	struct fake_device *old_three = fake_attached(test, unit, 0x20, other);
	struct fake_device *one = fake_device(test, unit, 0x10);
	struct fake_device *two = fake_device(test, unit, 0x18);
	struct fake_device *three = fake_device(test, unit, 0x20);
	struct fake_device *stranger = fake_device(test, unit, 0x21);
	struct iommu_group *group_one = fake_group(test);
	struct iommu_group *group_two = fake_group(test);
	struct iommu_group *group_three = fake_group(test);
	struct iommu_liveupdate_outgoing *out = fake_flb(test);
	struct iommu_liveupdate_incoming *in;
	u64 pa;

	KUNIT_ASSERT_EQ(test, iommu_domain_preserve(domain, &pa), 0);
	KUNIT_ASSERT_EQ(test, iommu_domain_preserve(other, &pa), 0);
	KUNIT_ASSERT_EQ(test, iommu_device_preserve(&old_one->pci.dev, domain, 1), 0);
	KUNIT_ASSERT_EQ(test, iommu_device_preserve(&old_two->pci.dev, other, 1), 0);
	KUNIT_ASSERT_EQ(test, iommu_device_preserve(&old_three->pci.dev, other, 1), 0);
	in = fake_kexec(test, out);

	/* The domain cannot be restored, and stays so */
	fake_failing = 'R';
	KUNIT_EXPECT_EQ(test, fake_probe(group_one, one), 0);
	EXPECT_CALLS(test, "RB");
	expect_blocked(test, group_one, one);
	fake_remove(group_one, one);
	KUNIT_EXPECT_EQ(test, fake_probe(group_one, one), 0);
	EXPECT_CALLS(test, "B");

	/* The device cannot be adopted, the domain serves others all the same */
	fake_failing = 'O';
	KUNIT_EXPECT_EQ(test, fake_probe(group_two, two), 0);
	EXPECT_CALLS(test, "ROB");
	expect_blocked(test, group_two, two);

	/* A stranger was there first */
	KUNIT_EXPECT_EQ(test, fake_probe(group_three, stranger), 0);
	EXPECT_CALLS(test, "");
	KUNIT_EXPECT_EQ(test, fake_probe(group_three, three), 0);
	EXPECT_CALLS(test, "Bb");
	expect_blocked(test, group_three, three);
	fake_remove(group_three, three);
	fake_remove(group_three, stranger);

	/* A stranger was there first and has a domain */
	group_three->domain = domain;
	KUNIT_EXPECT_EQ(test, fake_probe(group_three, stranger), 0);
	KUNIT_EXPECT_EQ(test, fake_probe(group_three, three), -ENODEV);
	EXPECT_CALLS(test, "B");
	KUNIT_EXPECT_NULL(test, group_three->owner);

	iommu_liveupdate_release_device(&three->pci.dev);
	fake_remove(group_three, stranger);
	fake_remove(group_two, two);
	fake_remove(group_one, one);
	KUNIT_EXPECT_EQ(test, kref_read(&in->ref), 1);
	fake_kexec_end(in);
	fake_flb_end(out);
}

static int fake_init(struct kunit *test)
{
	fake_calls_clear();
	fake_next_page = 0;
	return 0;
}

static struct kunit_case iommu_liveupdate_cases[] = {
	KUNIT_CASE(preserve_order),
	KUNIT_CASE(preserve_refusals),
	KUNIT_CASE(preserve_unwind),
	KUNIT_CASE(preserve_slots),
	KUNIT_CASE(preserve_immutable),
	KUNIT_CASE(freeze),
	KUNIT_CASE(lookup),
	KUNIT_CASE(restore),
	KUNIT_CASE(fail_closed),
	{}
};

static struct kunit_suite iommu_liveupdate_suite = {
	.name = "iommu_liveupdate",
	.init = fake_init,
	.test_cases = iommu_liveupdate_cases,
};

kunit_test_suite(iommu_liveupdate_suite);
