// SPDX-License-Identifier: GPL-2.0
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */

/**
 * DOC: KUnit tests of IOMMU live update, outgoing side
 *
 * What the old kernel refuses, how failures are undone, and that what is
 * preserved cannot change. liveupdate-kunit.h has the made-up devices.
 */

#include <kunit/static_stub.h>
#include <linux/sizes.h>
#include <linux/string.h>

#include "iommu-pages.h"
#include "liveupdate-kunit.h"

#define FAKE_MANY	200

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
	EXPECT_CALLS(test, "DUAEAE");

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
	struct iommu_domain *late = fake_domain(test);
	struct fake_unit *unit = fake_unit(test, 0);
	struct fake_device *fake = fake_attached(test, unit, 0x10, domain);
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

	unit->iommu.ops = &fake_ops_without;
	KUNIT_EXPECT_EQ(test, iommu_device_preserve(dev, domain, 1), -EOPNOTSUPP);
	unit->iommu.ops = &fake_ops;

	dev->bus = NULL;
	KUNIT_EXPECT_EQ(test, iommu_device_preserve(dev, domain, 1), -EOPNOTSUPP);
	dev->bus = &pci_bus_type;

	group->recovery_cnt = 1;
	KUNIT_EXPECT_EQ(test, iommu_device_preserve(dev, domain, 1), -EBUSY);
	group->recovery_cnt = 0;

	KUNIT_EXPECT_EQ(test, iommu_device_preserve(dev, other, 1), -EINVAL);

	/* A restored domain does not go on a second time */
	late->liveupdate = IOMMU_LIVEUPDATE_RESTORED;
	KUNIT_EXPECT_EQ(test, iommu_domain_preserve(late, &pa), -EBUSY);
	KUNIT_EXPECT_EQ(test, iommu_device_preserve(dev, late, 1), -EBUSY);
	EXPECT_CALLS(test, "");
	expect_sound(test, out);

	/* Its pages could never be given back, be there a device or not */
	late->liveupdate = IOMMU_LIVEUPDATE_NONE;
	late->owner = &fake_ops_without;
	KUNIT_EXPECT_EQ(test, iommu_domain_preserve(late, &pa), -EOPNOTSUPP);
	late->owner = &fake_ops_incomplete;
	KUNIT_EXPECT_EQ(test, iommu_domain_preserve(late, &pa), -EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, late->liveupdate, IOMMU_LIVEUPDATE_NONE);
	EXPECT_CALLS(test, "");
	expect_sound(test, out);

	/* Only the attachment without PASID */
	xa_store(&group->pasid_array, IOMMU_NO_PASID, xa_mk_value(1), GFP_KERNEL);
	KUNIT_EXPECT_EQ(test, iommu_device_preserve(dev, domain, 1), 0);
	EXPECT_CALLS(test, "UAE");

	xa_destroy(&group->pasid_array);
	fake_flb_end(out);
}

/* The table of the first stage is the guest's, KHO never hears of its pages */
static void preserve_nested(struct kunit *test)
{
	struct iommu_domain *parent = fake_domain(test);
	struct iommu_domain nested = {
		.type = IOMMU_DOMAIN_NESTED,
		.ops = &fake_domain_ops,
		.owner = &fake_ops,
	};
	struct fake_unit *unit = fake_unit(test, 0);
	struct fake_device *fake = fake_attached(test, unit, 0x10, &nested);
	struct iommu_liveupdate_outgoing *out = fake_flb(test);
	u64 pa;

	KUNIT_EXPECT_EQ(test, iommu_domain_preserve(&nested, &pa), -EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, nested.liveupdate, IOMMU_LIVEUPDATE_NONE);
	KUNIT_EXPECT_EQ(test, iommu_device_preserve(&fake->pci.dev, &nested, 1),
			-EOPNOTSUPP);
	EXPECT_CALLS(test, "");

	/* That the second stage is preserved does not help */
	KUNIT_ASSERT_EQ(test, iommu_domain_preserve(parent, &pa), 0);
	fake_calls_clear();
	KUNIT_EXPECT_EQ(test, iommu_device_preserve(&fake->pci.dev, &nested, 1),
			-EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, iommu_device_preserve(&fake->pci.dev, parent, 1),
			-EINVAL);
	EXPECT_CALLS(test, "");
	KUNIT_EXPECT_FALSE(test, fake->pci.dev.iommu_group->preserved);
	expect_sound(test, out);
	fake_flb_end(out);
}

/* Those that are there are preserved, on domains that are, and none comes later */
static void preserve_pasid(struct kunit *test)
{
	struct iommu_domain *domain = fake_domain(test);
	struct iommu_domain *other = fake_domain(test);
	struct fake_unit *unit = fake_unit(test, 0);
	struct fake_device *fake = fake_attached(test, unit, 0x10, domain);
	struct iommu_group *group = fake->pci.dev.iommu_group;
	struct iommu_liveupdate_outgoing *out = fake_flb(test);
	struct fake_device *sibling = fake_device(test, unit, 0x11);
	struct device *dev = &fake->pci.dev;
	u64 pa;

	fake->param.max_pasids = 16;
	KUNIT_ASSERT_EQ(test, iommu_domain_preserve(domain, &pa), 0);
	fake_calls_clear();

	KUNIT_ASSERT_EQ(test, iommu_attach_device_pasid(other, dev, 5, NULL), 0);
	KUNIT_ASSERT_EQ(test, iommu_attach_device_pasid(domain, dev, 9, NULL), 0);
	EXPECT_CALLS(test, "PP");
	KUNIT_EXPECT_EQ(test, iommu_device_preserve(dev, domain, 1), -ENOENT);
	KUNIT_ASSERT_EQ(test, iommu_domain_preserve(other, &pa), 0);
	fake_calls_clear();

	/* Neither with a driver that has none nor in a group with others */
	unit->iommu.ops = &fake_ops_plain;
	KUNIT_EXPECT_EQ(test, iommu_device_preserve(dev, domain, 1), -EOPNOTSUPP);
	unit->iommu.ops = &fake_ops;
	fake_add(group, sibling);
	KUNIT_EXPECT_EQ(test, iommu_device_preserve(dev, domain, 1), -EOPNOTSUPP);
	list_del(&sibling->gdev.list);
	EXPECT_CALLS(test, "");
	expect_sound(test, out);

	fake_table = 16;
	KUNIT_EXPECT_EQ(test, iommu_device_preserve(dev, domain, 1), 0);
	EXPECT_CALLS(test, "UAEEE");
	expect_sound(test, out);
	KUNIT_EXPECT_EQ(test, iommu_attach_device_pasid(other, dev, 7, NULL), -EBUSY);
	EXPECT_CALLS(test, "");
	iommu_device_unpreserve(dev);
	EXPECT_CALLS(test, "au");
	expect_sound(test, out);
	iommu_domain_unpreserve(other);

	iommu_detach_device_pasid(other, dev, 5);
	iommu_detach_device_pasid(domain, dev, 9);
	EXPECT_CALLS(test, "dpp");
	KUNIT_EXPECT_TRUE(test, xa_empty(&group->pasid_array));
	fake_flb_end(out);
}

/* The second of three attachments fails */
static void preserve_pasid_unwind(struct kunit *test)
{
	struct iommu_domain *domain = fake_domain(test);
	struct fake_unit *unit = fake_unit(test, 0);
	struct fake_device *fake = fake_attached(test, unit, 0x10, domain);
	struct iommu_liveupdate_outgoing *out = fake_flb(test);
	struct device *dev = &fake->pci.dev;
	u64 pa;

	fake->param.max_pasids = 16;
	fake_table = 16;
	KUNIT_ASSERT_EQ(test, iommu_domain_preserve(domain, &pa), 0);
	KUNIT_ASSERT_EQ(test, iommu_attach_device_pasid(domain, dev, 5, NULL), 0);
	KUNIT_ASSERT_EQ(test, iommu_attach_device_pasid(domain, dev, 9, NULL), 0);
	fake_calls_clear();
	fake_unwilling_pasid = 5;
	KUNIT_EXPECT_EQ(test, iommu_device_preserve(dev, domain, 1), -EIO);
	EXPECT_CALLS(test, "UAEEau");
	expect_sound(test, out);
	fake_unwilling_pasid = 0;
	KUNIT_EXPECT_EQ(test, iommu_device_preserve(dev, domain, 1), 0);
	EXPECT_CALLS(test, "UAEEE");
	expect_sound(test, out);
	iommu_device_unpreserve(dev);
	iommu_detach_device_pasid(domain, dev, 5);
	iommu_detach_device_pasid(domain, dev, 9);
	fake_flb_end(out);
}

static u32 key_of(struct fake_device *fake)
{
	struct iommu_liveupdate_out_device *pdev;

	list_for_each_entry(pdev, &iommu_liveupdate_outgoing->devices, list)
		if (pdev->dev == &fake->pci.dev)
			return pdev->ser->group_key;
	return U32_MAX;
}

/* One by one, by one iommufd, and all before the kexec */
static void preserve_group(struct kunit *test)
{
	struct iommu_domain *domain = fake_domain(test);
	struct fake_unit *unit = fake_unit(test, 0);
	struct fake_device *one = fake_attached(test, unit, 0x18, domain);
	struct fake_device *two = fake_device(test, unit, 0x10);
	struct fake_device *bridge = fake_device(test, unit, 0x08);
	struct iommu_group *group = one->pci.dev.iommu_group;
	struct iommu_liveupdate_outgoing *out = fake_flb(test);
	u64 pa;

	fake_add(group, two);
	KUNIT_ASSERT_EQ(test, iommu_domain_preserve(domain, &pa), 0);
	unit->iommu.ops = &fake_ops_plain;
	KUNIT_EXPECT_EQ(test, iommu_device_preserve(&one->pci.dev, domain, 1),
			-EOPNOTSUPP);
	unit->iommu.ops = &fake_ops;
	bridge->pci.hdr_type = PCI_HEADER_TYPE_BRIDGE;
	fake_add(group, bridge);
	KUNIT_ASSERT_EQ(test, iommu_device_preserve(&one->pci.dev, domain, 1), 0);
	KUNIT_EXPECT_EQ(test, key_of(one), 0x18);
	expect_sound(test, out);
	fake_calls_clear();

	KUNIT_EXPECT_EQ(test, iommu_liveupdate_freeze(), -EBUSY);
	KUNIT_EXPECT_EQ(test, iommu_device_preserve(&two->pci.dev, domain, 2), -EINVAL);
	fake_segment(two, 1);
	KUNIT_EXPECT_EQ(test, iommu_device_preserve(&two->pci.dev, domain, 1),
			-EOPNOTSUPP);
	fake_segment(two, 0);
	EXPECT_CALLS(test, "");
	KUNIT_EXPECT_EQ(test, iommu_device_preserve(&two->pci.dev, domain, 1), 0);
	KUNIT_EXPECT_EQ(test, group->preserved, 2);
	KUNIT_EXPECT_EQ(test, key_of(one), 0x10);
	KUNIT_EXPECT_EQ(test, key_of(two), 0x10);
	expect_sound(test, out);
	KUNIT_EXPECT_EQ(test, iommu_liveupdate_freeze(), 0);
	iommu_liveupdate_unfreeze();
	EXPECT_CALLS(test, "AEF");

	/* The one that it was named after goes */
	iommu_device_unpreserve(&two->pci.dev);
	KUNIT_EXPECT_EQ(test, key_of(one), 0x18);
	expect_sound(test, out);
	KUNIT_EXPECT_EQ(test, iommu_attach_group(fake_domain(test), group), -EBUSY);
	KUNIT_EXPECT_EQ(test, iommu_liveupdate_freeze(), -EBUSY);
	list_del(&two->gdev.list);
	KUNIT_EXPECT_EQ(test, iommu_liveupdate_freeze(), 0);
	iommu_liveupdate_unfreeze();
	iommu_device_unpreserve(&one->pci.dev);
	KUNIT_EXPECT_EQ(test, group->preserved, 0);
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

	fake_failing = 'E';
	KUNIT_EXPECT_EQ(test, iommu_device_preserve(&fake->pci.dev, domain, 1),
			-EIO);
	EXPECT_CALLS(test, "UAEau");
	expect_sound(test, out);
	KUNIT_EXPECT_FALSE(test, fake->pci.dev.iommu_group->preserved);
	KUNIT_EXPECT_TRUE(test, list_empty(&out->units));

	KUNIT_EXPECT_EQ(test, iommu_device_preserve(&fake->pci.dev, domain, 1), 0);
	expect_sound(test, out);
	fake_flb_end(out);
}

/* Five blocks of domains, holes in the middle, no growth by coming and going */
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
	KUNIT_EXPECT_EQ(test, out->domain_records.blocks.nblocks, 5);
	expect_sound(test, out);

	for (i = 50; i < 150; i++)
		iommu_domain_unpreserve(domains[i]);
	expect_sound(test, out);
	KUNIT_EXPECT_EQ(test, out->domain_records.nr, FAKE_MANY);

	for (i = 0; i < 1000; i++) {
		KUNIT_ASSERT_EQ(test, iommu_domain_preserve(domains[77], &again), 0);
		KUNIT_EXPECT_EQ(test, again, pa_hole);
		iommu_domain_unpreserve(domains[77]);
	}
	KUNIT_EXPECT_EQ(test, out->domain_records.nr, FAKE_MANY);
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
	/* Parts of the records that are the driver's */
	static const char parts[] = "UAE";
	struct iommu_liveupdate_outgoing *out;
	unsigned int i;
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
	EXPECT_CALLS(test, "FG");

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
	EXPECT_CALLS(test, "");

	/* What the next kernel would refuse is refused here */
	out->ser->page_shift++;
	KUNIT_EXPECT_EQ(test, iommu_liveupdate_freeze(), -EINVAL);
	EXPECT_CALLS(test, "FF");
	out->ser->page_shift--;
	for (i = 0; i < strlen(parts); i++) {
		fake_refused = parts[i];
		KUNIT_EXPECT_EQ_MSG(test, iommu_liveupdate_freeze(), -EINVAL,
				    "%c", parts[i]);
		EXPECT_CALLS(test, "FF");
	}
	fake_refused = 0;

	iommu_device_unpreserve(&three->pci.dev);
	iommu_device_unpreserve(&two->pci.dev);
	iommu_device_unpreserve(&one->pci.dev);
	EXPECT_CALLS(test, "aauau");
	fake_flb_end(out);
}

static char fake_pages_log[8];

static int fake_preserve_page(void *virt)
{
	strlcat(fake_pages_log, "p", sizeof(fake_pages_log));
	return fake_failing == 'p' ? -ENOMEM : 0;
}

static void fake_unpreserve_page(void *virt)
{
	strlcat(fake_pages_log, "u", sizeof(fake_pages_log));
}

#define EXPECT_PAGES(test, log) do {				\
	KUNIT_EXPECT_STREQ(test, fake_pages_log, log);		\
	fake_pages_log[0] = 0;					\
} while (0)

/* With the first unit that has it, until the last one goes */
static void preserve_shared_table(struct kunit *test)
{
	struct iommu_domain *domain = fake_domain(test);
	struct fake_unit *first = fake_unit(test, 0);
	struct fake_unit *second = fake_unit(test, 1);
	struct fake_device *one = fake_attached(test, first, 0x10, domain);
	struct fake_device *two = fake_attached(test, second, 0x18, domain);
	struct iommu_liveupdate_outgoing *out = fake_flb(test);
	u64 pa;

	kunit_activate_static_stub(test, iommu_preserve_page, fake_preserve_page);
	kunit_activate_static_stub(test, iommu_unpreserve_page,
				   fake_unpreserve_page);
	first->table = iommu_alloc_pages_sz(GFP_KERNEL, SZ_4K);
	KUNIT_ASSERT_NOT_NULL(test, first->table);
	second->table = first->table;
	first->table_flags = IOMMU_TABLE_SER_SHARED;
	second->table_flags = IOMMU_TABLE_SER_SHARED;
	KUNIT_ASSERT_EQ(test, iommu_domain_preserve(domain, &pa), 0);

	KUNIT_EXPECT_EQ(test, iommu_device_preserve(&one->pci.dev, domain, 1), 0);
	EXPECT_PAGES(test, "p");
	KUNIT_EXPECT_EQ(test, iommu_device_preserve(&two->pci.dev, domain, 1), 0);
	EXPECT_PAGES(test, "");
	expect_sound(test, out);
	iommu_device_unpreserve(&one->pci.dev);
	EXPECT_PAGES(test, "");
	expect_sound(test, out);
	iommu_device_unpreserve(&two->pci.dev);
	EXPECT_PAGES(test, "u");

	/* The driver refuses after it has named the table, or it cannot be kept */
	fake_calls_clear();
	fake_failing = 'U';
	KUNIT_EXPECT_EQ(test, iommu_device_preserve(&one->pci.dev, domain, 1),
			-EIO);
	EXPECT_PAGES(test, "pu");
	fake_failing = 'p';
	KUNIT_EXPECT_EQ(test, iommu_device_preserve(&one->pci.dev, domain, 1),
			-ENOMEM);
	EXPECT_PAGES(test, "p");
	fake_calls_clear();
	expect_sound(test, out);

	/* Not without the word of both */
	first->table_flags = 0;
	KUNIT_EXPECT_EQ(test, iommu_device_preserve(&one->pci.dev, domain, 1), 0);
	KUNIT_EXPECT_EQ(test, iommu_device_preserve(&two->pci.dev, domain, 1),
			-EINVAL);
	iommu_device_unpreserve(&one->pci.dev);
	EXPECT_PAGES(test, "pu");
	first->table_flags = IOMMU_TABLE_SER_SHARED;
	second->table_flags = 0;
	KUNIT_EXPECT_EQ(test, iommu_device_preserve(&one->pci.dev, domain, 1), 0);
	KUNIT_EXPECT_EQ(test, iommu_device_preserve(&two->pci.dev, domain, 1),
			-EINVAL);
	expect_sound(test, out);
	fake_flb_end(out);
	iommu_free_pages(first->table);
}

static struct kunit_case iommu_liveupdate_outgoing_cases[] = {
	KUNIT_CASE(preserve_order),
	KUNIT_CASE(preserve_refusals),
	KUNIT_CASE(preserve_nested),
	KUNIT_CASE(preserve_pasid),
	KUNIT_CASE(preserve_pasid_unwind),
	KUNIT_CASE(preserve_group),
	KUNIT_CASE(preserve_unwind),
	KUNIT_CASE(preserve_slots),
	KUNIT_CASE(preserve_shared_table),
	KUNIT_CASE(preserve_immutable),
	KUNIT_CASE(freeze),
	{}
};

static struct kunit_suite iommu_liveupdate_outgoing_suite = {
	.name = "iommu_liveupdate_outgoing",
	.init = fake_init,
	.test_cases = iommu_liveupdate_outgoing_cases,
};

kunit_test_suite(iommu_liveupdate_outgoing_suite);
