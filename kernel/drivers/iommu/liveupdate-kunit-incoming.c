// SPDX-License-Identifier: GPL-2.0
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */

/**
 * DOC: KUnit tests of IOMMU live update, incoming side
 *
 * What the next kernel makes of devices that came in, and each way to end up
 * blocked. The incoming side reads the records that the outgoing side has just
 * written, from the same memory. liveupdate-kunit.h has the made-up devices.
 */

#include <kunit/static_stub.h>
#include <linux/kexec_handover.h>
#include <linux/sizes.h>
#include <linux/string.h>

#include "iommu-kept.h"
#include "iommu-pages.h"
#include "liveupdate-kunit.h"

/* The PCI core has records of the same functions */
static bool fake_pci_incoming(struct pci_dev *pci)
{
	struct iommu_liveupdate_in_device *in_dev;
	bool ordinary;

	in_dev = iommu_liveupdate_lookup_device(pci_domain_nr(pci->bus),
						pci_dev_id(pci));
	if (!in_dev)
		return false;

	ordinary = iommu_liveupdate_device_ordinary(in_dev);
	iommu_liveupdate_incoming_put(in_dev->in);
	return !ordinary;
}

static bool fake_is_preserved(phys_addr_t phys, unsigned int order)
{
	return true;
}

/* What the outgoing side wrote, as the next kernel sees it */
static struct iommu_liveupdate_incoming *
fake_kexec(struct kunit *test, struct iommu_liveupdate_outgoing *out)
{
	struct iommu_liveupdate_incoming *in;

	kunit_activate_static_stub(test, kho_is_preserved, fake_is_preserved);
	expect_sound(test, out);
	in = iommu_liveupdate_incoming_read(out->ser);
	KUNIT_ASSERT_FALSE(test, IS_ERR(in));
	iommu_liveupdate_incoming_publish(in, 0);
	kunit_activate_static_stub(test, iommu_liveupdate_pci_incoming,
				   fake_pci_incoming);
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

	/* The next case has calls of its own */
	iommu_liveupdate_wait_freed();
	list_for_each_entry(dom, &in->domains, list)
		if (dom->domain)
			kfree(iommupt_from_domain(dom->domain));
	fake_forget_blocks(&in->unit_blocks);
	fake_forget_blocks(&in->domain_blocks);
	fake_forget_blocks(&in->device_blocks);
	fake_forget_blocks(&in->attachment_blocks);
	iommu_liveupdate_incoming_publish(NULL, 0);
	iommu_liveupdate_incoming_put(in);
}

/* The steps of __iommu_probe_device() that concern live update */
static int fake_probe(struct iommu_group *group, struct fake_device *fake)
{
	int ret;

	guard(mutex)(&iommu_probe_device_lock);
	iommu_liveupdate_init_device(&fake->pci.dev, fake->param.iommu_dev->ops);
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
		iommu_liveupdate_leave_group(group);
		fake->pci.dev.iommu_group = NULL;
	}
	iommu_liveupdate_release_device(&fake->pci.dev);
}

static void expect_blocked(struct kunit *test, struct iommu_group *group,
			   struct fake_device *fake)
{
	KUNIT_EXPECT_PTR_EQ(test, group->domain, &fake_blocked_domain);
	KUNIT_EXPECT_EQ(test, group->owner_cnt, 1);
	KUNIT_EXPECT_TRUE(test, IS_ERR(iommu_liveupdate_device_record(&fake->pci.dev)));
	KUNIT_EXPECT_EQ(test, iommu_device_claim_dma_owner(&fake->pci.dev, test),
			-EPERM);
	KUNIT_EXPECT_EQ(test, iommu_attach_group(fake_domain(test), group), -EBUSY);
}

static int fake_preserve_page(void *virt)
{
	return 0;
}

static void fake_unpreserve_page(void *virt)
{
}

static void *fake_restore_page(phys_addr_t phys, unsigned int order)
{
	return fake_call('r') ? NULL : phys_to_virt(phys);
}

static const struct iommu_unit_ser *fake_find(u64 base)
{
	return iommu_liveupdate_find_unit(&fake_type, IOMMU_UNIT_SER_BASE_MMIO,
					  base);
}

static u64 token_of(const struct iommu_device_ser *devrec)
{
	return iommu_liveupdate_next_attachment(devrec, NULL)->iommufd_token;
}

static void lookup(struct kunit *test)
{
	static const struct iommu_liveupdate_type other_type = { .type = 7 };
	struct iommu_domain *domain = fake_domain(test);
	struct fake_unit *first = fake_unit(test, 0);
	struct fake_unit *second = fake_unit(test, 1);
	struct fake_device *one = fake_attached(test, first, 0x10, domain);
	struct fake_device *two = fake_attached(test, second, 0x18, domain);
	struct fake_device *gone = fake_attached(test, first, 0x20, domain);
	struct fake_device *three = fake_attached(test, first, 0x28, domain);
	struct iommu_liveupdate_outgoing *out = fake_flb(test);
	const struct iommu_attachment_ser *att;
	const struct iommu_device_ser *devrec;
	struct iommu_liveupdate_incoming *in;
	const struct iommu_unit_ser *unit;
	u64 pa;

	KUNIT_EXPECT_NULL(test, fake_find(FAKE_BASE));
	iommu_liveupdate_incoming_publish(NULL, -EBADMSG);
	KUNIT_EXPECT_EQ(test, PTR_ERR(fake_find(FAKE_BASE)), -EBADMSG);
	iommu_liveupdate_incoming_publish(NULL, 0);

	KUNIT_ASSERT_EQ(test, iommu_domain_preserve(domain, &pa), 0);
	KUNIT_ASSERT_EQ(test, iommu_device_preserve(&one->pci.dev, domain, 5), 0);
	KUNIT_ASSERT_EQ(test, iommu_device_preserve(&two->pci.dev, domain, 6), 0);
	KUNIT_ASSERT_EQ(test, iommu_device_preserve(&gone->pci.dev, domain, 7), 0);
	KUNIT_ASSERT_EQ(test, iommu_device_preserve(&three->pci.dev, domain, 8), 0);
	iommu_device_unpreserve(&gone->pci.dev);
	in = fake_kexec(test, out);

	KUNIT_EXPECT_NULL(test, iommu_liveupdate_find_unit(&other_type,
							   IOMMU_UNIT_SER_BASE_MMIO,
							   FAKE_BASE));
	KUNIT_EXPECT_NULL(test, iommu_liveupdate_find_unit(&fake_type,
							   IOMMU_UNIT_SER_BASE_RID,
							   FAKE_BASE));
	KUNIT_EXPECT_NULL(test, fake_find(1));
	unit = fake_find(FAKE_BASE);
	KUNIT_ASSERT_FALSE(test, IS_ERR_OR_NULL(unit));
	KUNIT_EXPECT_EQ(test, unit->nr_devices, 2);

	devrec = iommu_liveupdate_next_device(unit, NULL);
	KUNIT_ASSERT_NOT_NULL(test, devrec);
	KUNIT_EXPECT_EQ(test, devrec->rid, 0x10);
	KUNIT_EXPECT_EQ(test, token_of(devrec), 5);
	devrec = iommu_liveupdate_next_device(unit, devrec);
	KUNIT_ASSERT_NOT_NULL(test, devrec);
	KUNIT_EXPECT_EQ(test, devrec->rid, 0x28);
	att = iommu_liveupdate_next_attachment(devrec, NULL);
	KUNIT_EXPECT_EQ(test, att->pasid, IOMMU_ATTACHMENT_SER_NO_PASID);
	KUNIT_EXPECT_NULL(test, iommu_liveupdate_next_attachment(devrec, att));
	KUNIT_EXPECT_NULL(test, iommu_liveupdate_next_device(unit, devrec));

	/* By device: there, not there, another kind of device, failed unit */
	mutex_lock(&iommu_probe_device_lock);
	one->pci.device++;
	iommu_liveupdate_init_device(&one->pci.dev, &fake_ops);
	iommu_liveupdate_init_device(&two->pci.dev, &fake_ops);
	iommu_liveupdate_init_device(&gone->pci.dev, &fake_ops);
	iommu_liveupdate_init_device(&three->pci.dev, &fake_ops);
	mutex_unlock(&iommu_probe_device_lock);
	KUNIT_EXPECT_EQ(test, PTR_ERR(iommu_liveupdate_device_record(&one->pci.dev)),
			-EIO);
	devrec = iommu_liveupdate_device_record(&two->pci.dev);
	KUNIT_ASSERT_FALSE(test, IS_ERR_OR_NULL(devrec));
	KUNIT_EXPECT_EQ(test, token_of(devrec), 6);
	KUNIT_EXPECT_NULL(test, iommu_liveupdate_device_record(&gone->pci.dev));

	iommu_liveupdate_fail_unit(unit, -ENXIO);
	KUNIT_EXPECT_EQ(test, PTR_ERR(fake_find(FAKE_BASE)), -ENXIO);
	KUNIT_EXPECT_EQ(test, PTR_ERR(iommu_liveupdate_device_record(&three->pci.dev)),
			-ENXIO);
	KUNIT_EXPECT_FALSE(test, IS_ERR(iommu_liveupdate_device_record(&two->pci.dev)));

	/* The PCI core knows nothing of it */
	iommu_liveupdate_release_device(&two->pci.dev);
	kunit_deactivate_static_stub(test, iommu_liveupdate_pci_incoming);
	scoped_guard(mutex, &iommu_probe_device_lock)
		iommu_liveupdate_init_device(&two->pci.dev, &fake_ops);
	KUNIT_EXPECT_EQ(test, PTR_ERR(iommu_liveupdate_device_record(&two->pci.dev)),
			-EIO);

	iommu_liveupdate_release_device(&one->pci.dev);
	iommu_liveupdate_release_device(&two->pci.dev);
	iommu_liveupdate_release_device(&three->pci.dev);

	/* Behind VMD: the same 16 bits, in a segment that is none of hardware */
	fake_segment(two, 0x10000);
	scoped_guard(mutex, &iommu_probe_device_lock)
		iommu_liveupdate_init_device(&two->pci.dev, &fake_ops);
	KUNIT_EXPECT_NULL(test, iommu_liveupdate_device_record(&two->pci.dev));
	KUNIT_EXPECT_NULL(test, iommu_liveupdate_lookup_device(0x10000, 0x18));
	KUNIT_EXPECT_NULL(test, iommu_liveupdate_lookup_device(0, 0x10018));
	KUNIT_EXPECT_EQ(test, kref_read(&in->ref), 1);
	fake_kexec_end(in);
	fake_flb_end(out);
}

/* What its driver had added is looked at when its driver asks, and costs the unit */
static void refused_part(struct kunit *test)
{
	static const char parts[] = "UAE";
	struct iommu_domain *domain = fake_domain(test);
	struct fake_unit *first = fake_unit(test, 0);
	struct fake_unit *second = fake_unit(test, 1);
	struct fake_device *old_one = fake_attached(test, first, 0x10, domain);
	struct fake_device *old_two = fake_attached(test, second, 0x18, domain);
	struct fake_device *one = fake_device(test, first, 0x10);
	struct iommu_group *group = fake_group(test);
	struct iommu_liveupdate_outgoing *out = fake_flb(test);
	struct iommu_liveupdate_incoming *in;
	unsigned int i;
	u64 pa;

	KUNIT_ASSERT_EQ(test, iommu_domain_preserve(domain, &pa), 0);
	KUNIT_ASSERT_EQ(test, iommu_device_preserve(&old_one->pci.dev, domain, 1), 0);
	KUNIT_ASSERT_EQ(test, iommu_device_preserve(&old_two->pci.dev, domain, 1), 0);

	for (i = 0; i < strlen(parts); i++) {
		in = fake_kexec(test, out);
		fake_refused = parts[i];
		KUNIT_EXPECT_EQ_MSG(test, PTR_ERR(fake_find(FAKE_BASE)), -EBADMSG,
				    "%c", parts[i]);
		/* Once, and no other unit */
		fake_refused = 0;
		KUNIT_EXPECT_EQ(test, PTR_ERR(fake_find(FAKE_BASE)), -EBADMSG);
		KUNIT_EXPECT_FALSE(test, IS_ERR_OR_NULL(fake_find(FAKE_BASE + SZ_4K)));
		KUNIT_EXPECT_EQ(test, fake_probe(group, one), 0);
		EXPECT_CALLS(test, "B");
		expect_blocked(test, group, one);
		fake_remove(group, one);
		fake_kexec_end(in);
	}
	fake_flb_end(out);
}

/* Each unit that shares it has it, KHO gives it once */
static void claim_shared_table(struct kunit *test)
{
	struct iommu_domain *domain = fake_domain(test);
	struct fake_unit *first = fake_unit(test, 0);
	struct fake_unit *second = fake_unit(test, 1);
	struct fake_device *one = fake_attached(test, first, 0x10, domain);
	struct fake_device *two = fake_attached(test, second, 0x18, domain);
	struct iommu_liveupdate_outgoing *out = fake_flb(test);
	struct iommu_liveupdate_incoming *in;
	u64 pa;

	kunit_activate_static_stub(test, iommu_preserve_page, fake_preserve_page);
	kunit_activate_static_stub(test, iommu_unpreserve_page,
				   fake_unpreserve_page);
	kunit_activate_static_stub(test, iommu_restore_page, fake_restore_page);
	first->table = iommu_alloc_pages_sz(GFP_KERNEL, SZ_4K);
	KUNIT_ASSERT_NOT_NULL(test, first->table);
	second->table = first->table;
	first->table_flags = IOMMU_TABLE_SER_SHARED;
	second->table_flags = IOMMU_TABLE_SER_SHARED;
	KUNIT_ASSERT_EQ(test, iommu_domain_preserve(domain, &pa), 0);
	KUNIT_ASSERT_EQ(test, iommu_device_preserve(&one->pci.dev, domain, 1), 0);
	KUNIT_ASSERT_EQ(test, iommu_device_preserve(&two->pci.dev, domain, 1), 0);
	in = fake_kexec(test, out);

	/* What KHO does not have stays unclaimed */
	fake_failing = 'r';
	KUNIT_EXPECT_NULL(test, iommu_liveupdate_claim_table(fake_find(FAKE_BASE), 0));
	EXPECT_CALLS(test, "r");
	KUNIT_EXPECT_PTR_EQ(test, first->table,
			    iommu_liveupdate_claim_table(fake_find(FAKE_BASE), 0));
	EXPECT_CALLS(test, "r");
	KUNIT_EXPECT_PTR_EQ(test, first->table,
			    iommu_liveupdate_claim_table(fake_find(FAKE_BASE + SZ_4K), 0));
	KUNIT_EXPECT_NULL(test, iommu_liveupdate_claim_table(fake_find(FAKE_BASE), 1));
	EXPECT_CALLS(test, "");

	fake_kexec_end(in);
	fake_flb_end(out);
	iommu_free_pages(first->table);
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

static void fail_closed(struct kunit *test)
{
	struct iommu_domain *domain = fake_domain(test);
	struct iommu_domain *other = fake_domain(test);
	struct fake_unit *unit = fake_unit(test, 0);
	struct fake_device *old_one = fake_attached(test, unit, 0x10, domain);
	struct fake_device *old_two = fake_attached(test, unit, 0x18, other);
	struct fake_device *old_three = fake_attached(test, unit, 0x20, other);
	struct fake_device *old_four = fake_attached(test, unit, 0x28, other);
	struct fake_device *one = fake_device(test, unit, 0x10);
	struct fake_device *two = fake_device(test, unit, 0x18);
	struct fake_device *three = fake_device(test, unit, 0x20);
	struct fake_device *four = fake_device(test, unit, 0x28);
	struct fake_device *stranger = fake_device(test, unit, 0x21);
	struct iommu_group *group_one = fake_group(test);
	struct iommu_group *group_two = fake_group(test);
	struct iommu_group *group_three = fake_group(test);
	struct iommu_group *group_four = fake_group(test);
	struct iommu_liveupdate_outgoing *out = fake_flb(test);
	struct iommu_liveupdate_incoming *in;
	u64 pa;

	KUNIT_ASSERT_EQ(test, iommu_domain_preserve(domain, &pa), 0);
	KUNIT_ASSERT_EQ(test, iommu_domain_preserve(other, &pa), 0);
	KUNIT_ASSERT_EQ(test, iommu_device_preserve(&old_one->pci.dev, domain, 1), 0);
	KUNIT_ASSERT_EQ(test, iommu_device_preserve(&old_two->pci.dev, other, 1), 0);
	KUNIT_ASSERT_EQ(test, iommu_device_preserve(&old_three->pci.dev, other, 1), 0);
	KUNIT_ASSERT_EQ(test, iommu_device_preserve(&old_four->pci.dev, other, 1), 0);
	in = fake_kexec(test, out);

	/* The domain cannot be restored, and stays so */
	fake_failing = 'R';
	KUNIT_EXPECT_EQ(test, fake_probe(group_one, one), 0);
	EXPECT_CALLS(test, "RB");
	expect_blocked(test, group_one, one);
	fake_remove(group_one, one);
	KUNIT_EXPECT_EQ(test, fake_probe(group_one, one), 0);
	EXPECT_CALLS(test, "B");

	/* The device cannot be adopted: the object goes, the tables do not */
	fake_failing = 'O';
	KUNIT_EXPECT_EQ(test, fake_probe(group_two, two), 0);
	EXPECT_CALLS(test, "ROXB");
	expect_blocked(test, group_two, two);

	/* The next device of the same domain has a new one */
	KUNIT_EXPECT_EQ(test, fake_probe(group_three, three), 0);
	EXPECT_CALLS(test, "RO");
	fake_remove(group_three, three);

	/* It was adopted, so it stays for the device when that comes back */
	fake_failing = 'O';
	KUNIT_EXPECT_EQ(test, fake_probe(group_three, three), 0);
	EXPECT_CALLS(test, "OB");
	fake_remove(group_three, three);

	/* A stranger was there first, and nothing is wrong with the device */
	KUNIT_EXPECT_EQ(test, fake_probe(group_four, stranger), 0);
	EXPECT_CALLS(test, "");
	KUNIT_EXPECT_EQ(test, fake_probe(group_four, four), 0);
	EXPECT_CALLS(test, "Bb");
	expect_blocked(test, group_four, four);
	fake_remove(group_four, four);
	fake_remove(group_four, stranger);

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

static bool fake_goes_on(struct pci_dev *pci)
{
	return true;
}

/* The PCI core knows that it goes on, and no record of the IOMMU names it */
static void unnamed(struct kunit *test)
{
	struct fake_unit *unit = fake_unit(test, 0);
	struct fake_device *fake = fake_device(test, unit, 0x28);
	struct iommu_group *group = fake_group(test);

	if (iommu_liveupdate_panic)
		kunit_skip(test, "needs iommu.liveupdate=block");
	kunit_activate_static_stub(test, iommu_liveupdate_pci_incoming, fake_goes_on);

	KUNIT_EXPECT_EQ(test, fake_probe(group, fake), 0);
	EXPECT_CALLS(test, "B");
	expect_blocked(test, group, fake);
	KUNIT_EXPECT_TRUE(test, iommu_liveupdate_device_owned(&fake->pci.dev));
	fake_remove(group, fake);

	/* A bridge goes on as well, and has no record */
	fake->pci.hdr_type = PCI_HEADER_TYPE_BRIDGE;
	KUNIT_EXPECT_EQ(test, fake_probe(group, fake), 0);
	EXPECT_CALLS(test, "");
	KUNIT_EXPECT_NULL(test, group->owner);
	fake_remove(group, fake);
}

/* A unit that could not be adopted, and one whose driver knows nothing of it */
static void fail_unit(struct kunit *test)
{
	struct iommu_domain *domain = fake_domain(test);
	struct fake_unit *first = fake_unit(test, 0);
	struct fake_unit *second = fake_unit(test, 1);
	struct fake_device *old_one = fake_attached(test, first, 0x10, domain);
	struct fake_device *old_two = fake_attached(test, second, 0x18, domain);
	struct fake_device *one = fake_device(test, first, 0x10);
	struct fake_device *two = fake_device(test, second, 0x18);
	struct fake_device *cold = fake_device(test, second, 0x20);
	struct iommu_group *group_one = fake_group(test);
	struct iommu_group *group_two = fake_group(test);
	struct iommu_group *group_cold = fake_group(test);
	struct iommu_liveupdate_outgoing *out = fake_flb(test);
	const struct iommu_ops *ops = second->iommu.ops;
	struct iommu_liveupdate_incoming *in;
	u64 pa;

	KUNIT_ASSERT_EQ(test, iommu_domain_preserve(domain, &pa), 0);
	KUNIT_ASSERT_EQ(test, iommu_device_preserve(&old_one->pci.dev, domain, 1), 0);
	KUNIT_ASSERT_EQ(test, iommu_device_preserve(&old_two->pci.dev, domain, 1), 0);
	in = fake_kexec(test, out);

	iommu_liveupdate_fail_unit(fake_find(FAKE_BASE), -ENXIO);
	KUNIT_EXPECT_EQ(test, fake_probe(group_one, one), 0);
	EXPECT_CALLS(test, "B");
	expect_blocked(test, group_one, one);
	KUNIT_EXPECT_TRUE(test, iommu_liveupdate_device_owned(&one->pci.dev));

	second->iommu.ops = &fake_ops_without;
	KUNIT_EXPECT_EQ(test, fake_probe(group_two, two), 0);
	EXPECT_CALLS(test, "b");
	/* Nor is the unit of the record known, which may go on all the same */
	KUNIT_EXPECT_FALSE(test, iommu_liveupdate_can_block(0, 0x18));
	KUNIT_EXPECT_PTR_EQ(test, group_two->domain, &fake_blocked_domain);
	KUNIT_EXPECT_TRUE(test, iommu_liveupdate_device_owned(&two->pci.dev));

	/* Who did not come in goes on as ever */
	KUNIT_EXPECT_EQ(test, fake_probe(group_cold, cold), 0);
	EXPECT_CALLS(test, "");
	KUNIT_EXPECT_NULL(test, group_cold->owner);
	KUNIT_EXPECT_FALSE(test, iommu_liveupdate_device_owned(&cold->pci.dev));

	/* The lack of a default domain ends nothing as long as devices are here */
	mutex_lock(&group_one->mutex);
	KUNIT_EXPECT_TRUE(test, iommu_liveupdate_default_domain_failed(group_one, -ENOMEM));
	KUNIT_EXPECT_TRUE(test, iommu_liveupdate_ignore_group(group_one, -ENOMEM));
	mutex_unlock(&group_one->mutex);
	mutex_lock(&group_cold->mutex);
	KUNIT_EXPECT_FALSE(test, iommu_liveupdate_default_domain_failed(group_cold, -ENOMEM));
	KUNIT_EXPECT_TRUE(test, iommu_liveupdate_ignore_group(group_cold, -ENOMEM));
	mutex_unlock(&group_cold->mutex);

	fake_remove(group_cold, cold);
	fake_remove(group_two, two);
	fake_remove(group_one, one);
	KUNIT_EXPECT_EQ(test, kref_read(&in->ref), 1);
	fake_kexec_end(in);
	KUNIT_EXPECT_FALSE(test, iommu_liveupdate_ignore_failure(&cold->pci.dev, -ENOMEM));
	second->iommu.ops = ops;
	fake_flb_end(out);
}

static u16 fake_command;

static int fake_config_read(struct pci_bus *bus, unsigned int devfn, int where,
			    int size, u32 *val)
{
	*val = fake_command;
	return where == PCI_COMMAND ? PCIBIOS_SUCCESSFUL :
				      PCIBIOS_BAD_REGISTER_NUMBER;
}

static int fake_config_write(struct pci_bus *bus, unsigned int devfn, int where,
			     int size, u32 val)
{
	fake_command = val;
	return where == PCI_COMMAND ? PCIBIOS_SUCCESSFUL :
				      PCIBIOS_BAD_REGISTER_NUMBER;
}

static const struct {
	u16 class;
	u8 hdr_type;
	bool stops;
} fake_functions[] = {
	{ PCI_CLASS_NETWORK_ETHERNET, PCI_HEADER_TYPE_NORMAL, true },
	{ PCI_CLASS_BRIDGE_OTHER, PCI_HEADER_TYPE_NORMAL, true },
	{ PCI_CLASS_BRIDGE_HOST, PCI_HEADER_TYPE_NORMAL, false },
	{ PCI_CLASS_BRIDGE_ISA, PCI_HEADER_TYPE_NORMAL, false },
	{ PCI_CLASS_BRIDGE_PCI, PCI_HEADER_TYPE_BRIDGE, false },
	{ PCI_CLASS_BRIDGE_CARDBUS, PCI_HEADER_TYPE_CARDBUS, false },
	/* As some switches do */
	{ PCI_CLASS_BRIDGE_OTHER, PCI_HEADER_TYPE_BRIDGE, false },
};

static bool fake_stops(struct fake_device *fake, struct fake_unit *unit)
{
	fake_command = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	iommu_kept_quiesce(&fake->pci.dev, &unit->iommu);
	return fake_command == PCI_COMMAND_MEMORY;
}

/* Whatever forwards for others goes on, and what only calls itself a bridge stops */
static void strangers_are_stopped(struct kunit *test)
{
	static struct pci_ops ops = {
		.read = fake_config_read,
		.write = fake_config_write,
	};
	struct fake_unit *unit = fake_unit(test, 0);
	struct fake_device *fake = fake_device(test, unit, 0x18);
	unsigned int i;

	fake->bus.ops = &ops;
	fake->pci.error_state = pci_channel_io_normal;

	/* Only behind a unit that was left on */
	KUNIT_EXPECT_FALSE(test, fake_stops(fake, unit));
	unit->iommu.kept.found = true;
	for (i = 0; i < ARRAY_SIZE(fake_functions); i++) {
		fake->pci.class = fake_functions[i].class << 8;
		fake->pci.hdr_type = fake_functions[i].hdr_type;
		KUNIT_EXPECT_EQ_MSG(test, fake_stops(fake, unit),
				    fake_functions[i].stops, "case %u", i);
	}
}

/* From found to blocked, adopted, given up, started, and what each of them means */
static void kept_states(struct kunit *test)
{
	struct fake_unit *unit = fake_unit(test, 0);
	struct iommu_device *iommu = &unit->iommu;

	if (iommu_liveupdate_panic)
		kunit_skip(test, "needs iommu.liveupdate=block");
	KUNIT_EXPECT_FALSE(test, iommu_kept_on(iommu));
	KUNIT_EXPECT_FALSE(test, iommu_kept_block(iommu, "fake"));
	KUNIT_EXPECT_EQ(test, iommu_kept_remove(iommu, "fake"), 0);

	iommu_kept_set(iommu, IOMMU_KEPT_FOUND);
	KUNIT_EXPECT_TRUE(test, iommu_kept_on(iommu));
	KUNIT_EXPECT_FALSE(test, iommu_kept_in_use(iommu));
	KUNIT_EXPECT_EQ(test, iommu_kept_remove(iommu, "fake"), -EBUSY);

	/* Whenever it was to be switched off, until it is started */
	KUNIT_EXPECT_TRUE(test, iommu_kept_block(iommu, "fake"));
	KUNIT_EXPECT_TRUE(test, iommu_kept_block(iommu, "fake"));
	KUNIT_EXPECT_TRUE(test, iommu_kept_on(iommu));
	KUNIT_EXPECT_EQ(test, iommu_kept_remove(iommu, "fake"), -EBUSY);
	iommu_kept_started(iommu);
	KUNIT_EXPECT_FALSE(test, iommu_kept_on(iommu));
	KUNIT_EXPECT_EQ(test, iommu_kept_remove(iommu, "fake"), 0);

	/* It is this kernel's, and switched on again after a suspend */
	iommu_kept_set(iommu, IOMMU_KEPT_ADOPTED);
	iommu_kept_started(iommu);
	KUNIT_EXPECT_TRUE(test, iommu_kept_in_use(iommu));
	KUNIT_EXPECT_FALSE(test, iommu_kept_on(iommu));
	KUNIT_EXPECT_FALSE(test, iommu_kept_block(iommu, "fake"));
	KUNIT_EXPECT_EQ(test, iommu_kept_remove(iommu, "fake"), -EBUSY);

	/* At shutdown what is handed over stays on, and nothing else */
	iommu_kept_set(iommu, IOMMU_KEPT_HANDED_OVER);
	iommu_kept_release(iommu);
	KUNIT_EXPECT_TRUE(test, iommu_kept_on(iommu));
	KUNIT_EXPECT_FALSE(test, iommu_kept_block(iommu, "fake"));
	iommu_kept_set(iommu, IOMMU_KEPT_FOUND);
	iommu_kept_release(iommu);
	KUNIT_EXPECT_FALSE(test, iommu_kept_on(iommu));

	iommu->kept.preserved = true;
	KUNIT_EXPECT_EQ(test, iommu_kept_remove(iommu, "fake"), -EBUSY);
}

/* The only unit of the tests that look for one */
static struct fake_unit *fake_found;

static struct iommu_device *fake_unit_device(const struct iommu_unit_ser *unit)
{
	return fake_found ? &fake_found->iommu : NULL;
}

static enum iommu_liveupdate_dev_state state_of(u32 rid)
{
	struct iommu_liveupdate_in_device *in_dev;
	enum iommu_liveupdate_dev_state state;

	in_dev = iommu_liveupdate_lookup_device(0, rid);
	state = in_dev->state;
	iommu_liveupdate_incoming_put(in_dev->in);
	return state;
}

/* Two devices on one domain: the one is replaced, the other detached */
static void reclaim(struct kunit *test)
{
	struct iommu_domain *domain = fake_domain(test), *restored;
	struct fake_unit *unit = fake_unit(test, 0);
	struct fake_device *old_one = fake_attached(test, unit, 0x10, domain);
	struct fake_device *old_two = fake_attached(test, unit, 0x18, domain);
	struct fake_device *one = fake_device(test, unit, 0x10);
	struct fake_device *two = fake_device(test, unit, 0x18);
	struct fake_device *stranger = fake_device(test, unit, 0x11);
	struct iommu_group *group_one = fake_group(test);
	struct iommu_group *group_two = fake_group(test);
	struct iommu_liveupdate_outgoing *out = fake_flb(test);
	struct iommu_attach_handle handle = {};
	struct iommu_liveupdate_incoming *in;
	int owner;
	u64 pa;

	fake_found = unit;
	kunit_activate_static_stub(test, iommu_liveupdate_unit_device,
				   fake_unit_device);
	KUNIT_ASSERT_EQ(test, iommu_domain_preserve(domain, &pa), 0);
	KUNIT_ASSERT_EQ(test, iommu_device_preserve(&old_one->pci.dev, domain, 1), 0);
	KUNIT_ASSERT_EQ(test, iommu_device_preserve(&old_two->pci.dev, domain, 1), 0);
	in = fake_kexec(test, out);
	group_one->default_domain = &fake_default_domain;
	group_two->default_domain = &fake_default_domain;

	KUNIT_ASSERT_EQ(test, fake_probe(group_one, one), 0);
	KUNIT_ASSERT_EQ(test, fake_probe(group_two, two), 0);
	KUNIT_EXPECT_TRUE(test, iommu_liveupdate_device_restored(&one->pci.dev));
	restored = group_one->domain;
	KUNIT_EXPECT_PTR_EQ(test, group_two->domain, restored);
	EXPECT_CALLS(test, "ROO");

	/* The owner changes, nothing else does */
	KUNIT_EXPECT_EQ(test, iommu_device_reclaim(&stranger->pci.dev, &owner), -ENODEV);
	KUNIT_EXPECT_EQ(test, iommu_device_reclaim(&one->pci.dev, &owner), 0);
	KUNIT_EXPECT_PTR_EQ(test, group_one->owner, (void *)&owner);
	KUNIT_EXPECT_EQ(test, group_one->owner_cnt, 1);
	KUNIT_EXPECT_PTR_EQ(test, group_one->domain, restored);
	KUNIT_EXPECT_EQ(test, iommu_device_reclaim(&one->pci.dev, &owner), -EPERM);
	KUNIT_EXPECT_EQ(test, fake_probe(group_one, stranger), -ENODEV);
	KUNIT_EXPECT_EQ(test, iommu_device_claim_dma_owner(&one->pci.dev, test),
			-EPERM);
	KUNIT_EXPECT_FALSE(test, iommu_liveupdate_device_owned(&one->pci.dev));
	KUNIT_EXPECT_TRUE(test, iommu_liveupdate_device_restored(&one->pci.dev));
	EXPECT_CALLS(test, "");

	/* A replacement that fails changes nothing */
	fake_failing = 'n';
	KUNIT_EXPECT_EQ(test, iommu_replace_group_handle(group_one, domain,
							 &handle), -EIO);
	KUNIT_EXPECT_TRUE(test, iommu_liveupdate_device_restored(&one->pci.dev));
	EXPECT_CALLS(test, "n");

	KUNIT_EXPECT_EQ(test, iommu_replace_group_handle(group_one, domain,
							 &handle), 0);
	iommu_liveupdate_replaced(&one->pci.dev, IOMMU_NO_PASID);
	EXPECT_CALLS(test, "nQL");
	KUNIT_EXPECT_EQ(test, state_of(0x10), IOMMU_LIVEUPDATE_DEV_REPLACED);
	KUNIT_EXPECT_FALSE(test, iommu_liveupdate_device_restored(&one->pci.dev));
	KUNIT_EXPECT_NULL(test, iommu_liveupdate_device_record(&one->pci.dev));
	iommu_liveupdate_replaced(&one->pci.dev, IOMMU_NO_PASID);
	iommu_liveupdate_block(0, 0x10);
	iommu_liveupdate_abandon(0, 0x10, true);
	KUNIT_EXPECT_PTR_EQ(test, group_one->domain, domain);
	EXPECT_CALLS(test, "");

	/* It is one like any other now */
	KUNIT_EXPECT_EQ(test, iommu_device_reclaim(&one->pci.dev, &owner), -ENODEV);

	/* With the last device the domain goes */
	KUNIT_EXPECT_EQ(test, iommu_device_reclaim(&two->pci.dev, &owner), 0);
	iommu_detach_group_handle(restored, group_two);
	EXPECT_CALLS(test, "b");
	iommu_liveupdate_replaced(&two->pci.dev, IOMMU_NO_PASID);
	EXPECT_CALLS(test, "QIT");

	iommu_detach_group_handle(domain, group_one);
	iommu_device_release_dma_owner(&one->pci.dev);
	EXPECT_CALLS(test, "bi");

	/* One that was not reset is live update's again, and blocked */
	iommu_liveupdate_stay_blocked(&two->pci.dev);
	iommu_device_release_dma_owner(&two->pci.dev);
	EXPECT_CALLS(test, "");
	KUNIT_EXPECT_TRUE(test, iommu_liveupdate_device_owned(&two->pci.dev));
	KUNIT_EXPECT_EQ(test, iommu_device_claim_dma_owner(&two->pci.dev, test),
			-EPERM);
	KUNIT_EXPECT_EQ(test, iommu_device_use_default_domain(&two->pci.dev),
			-EBUSY);
	KUNIT_EXPECT_EQ(test, kref_read(&in->ref), 1);
	iommu_liveupdate_free_unused(in);
	EXPECT_CALLS(test, "");
	fake_kexec_end(in);
	fake_flb_end(out);
}

/* What is done to groups that never had to do with live update stays as it was */
static void group_ordinary(struct kunit *test)
{
	struct fake_device *fake = fake_device(test, fake_unit(test, 0), 0x10);
	struct iommu_group *group = fake_group(test);

	fake_add(group, fake);
	group->default_domain = &fake_default_domain;
	group->domain = fake_domain(test);

	/* What cannot be attached is not blocked for that */
	fake_calls_clear();
	fake_failing = 'i';
	kunit_warning_suppress(test)
		iommu_detach_group(group->domain, group);
	EXPECT_CALLS(test, "i");
	KUNIT_EXPECT_NULL(test, group->blocking_domain);
}

/* Two devices of one group, as the previous kernel had them */
struct fake_pair {
	struct iommu_domain *domain;
	struct fake_unit *unit;
	struct fake_device *one, *two, *three;
	struct iommu_group *group;
	struct iommu_liveupdate_outgoing *out;
	struct iommu_liveupdate_incoming *in;
};

/* And one in a group of its own, on the same domain or another */
static void fake_pair(struct kunit *test, struct fake_pair *p, bool same)
{
	struct fake_device *old_one, *old_two, *old_three;
	struct iommu_domain *domain;
	u64 pa;

	p->domain = fake_domain(test);
	domain = same ? p->domain : fake_domain(test);
	p->unit = fake_unit(test, 0);
	old_one = fake_attached(test, p->unit, 0x10, p->domain);
	old_two = fake_device(test, p->unit, 0x11);
	old_three = fake_attached(test, p->unit, 0x18, domain);
	fake_add(old_one->pci.dev.iommu_group, old_two);
	p->one = fake_device(test, p->unit, 0x10);
	p->two = fake_device(test, p->unit, 0x11);
	p->three = fake_device(test, p->unit, 0x18);
	p->group = fake_group(test);
	p->group->default_domain = &fake_default_domain;
	p->out = fake_flb(test);

	fake_found = p->unit;
	kunit_activate_static_stub(test, iommu_liveupdate_unit_device,
				   fake_unit_device);
	KUNIT_ASSERT_EQ(test, iommu_domain_preserve(p->domain, &pa), 0);
	if (!same)
		KUNIT_ASSERT_EQ(test, iommu_domain_preserve(domain, &pa), 0);
	KUNIT_ASSERT_EQ(test, iommu_device_preserve(&old_two->pci.dev, p->domain, 1), 0);
	KUNIT_ASSERT_EQ(test, iommu_device_preserve(&old_one->pci.dev, p->domain, 1), 0);
	KUNIT_ASSERT_EQ(test, iommu_device_preserve(&old_three->pci.dev, domain, 1), 0);
	p->in = fake_kexec(test, p->out);
}

/* The others of what came in have nobody yet */
static void fake_pair_one_taken(struct kunit *test, struct fake_pair *p, void *owner)
{
	fake_pair(test, p, false);
	KUNIT_ASSERT_EQ(test, fake_probe(p->group, p->one), 0);
	KUNIT_ASSERT_EQ(test, fake_probe(p->group, p->two), 0);
	KUNIT_ASSERT_EQ(test, iommu_device_reclaim(&p->one->pci.dev, owner), 0);
	fake_calls_clear();
}

static void fake_pair_end(struct fake_pair *p)
{
	fake_kexec_end(p->in);
	fake_flb_end(p->out);
}

/* An owner lets go of what is still where it came in: live update has it again */
static void let_go_too_early(struct kunit *test)
{
	struct fake_pair p;
	int owner;

	fake_pair(test, &p, false);
	KUNIT_ASSERT_EQ(test, fake_probe(p.group, p.one), 0);
	KUNIT_ASSERT_EQ(test, iommu_device_reclaim(&p.one->pci.dev, &owner), 0);
	fake_calls_clear();
	kunit_warning_suppress(test)
		iommu_device_release_dma_owner(&p.one->pci.dev);
	EXPECT_CALLS(test, "");
	KUNIT_EXPECT_TRUE(test, iommu_liveupdate_device_owned(&p.one->pci.dev));
	KUNIT_EXPECT_PTR_NE(test, p.group->owner, (void *)&owner);
	KUNIT_EXPECT_EQ(test, fake_probe(p.group, p.two), -ENODEV);
	EXPECT_CALLS(test, "BK");
	iommu_liveupdate_release_device(&p.two->pci.dev);

	/* As if it had never been taken: finish stops it */
	iommu_liveupdate_abandon(0, 0x10, true);
	EXPECT_CALLS(test, "bNiQL");
	KUNIT_EXPECT_NULL(test, p.group->owner);
	KUNIT_EXPECT_EQ(test, iommu_device_claim_dma_owner(&p.one->pci.dev, &owner), 0);
	iommu_device_release_dma_owner(&p.one->pci.dev);
	EXPECT_CALLS(test, "bi");
	fake_remove(p.group, p.one);
	fake_pair_end(&p);
}

/* Both are taken, the second when the first has changed over for both */
static void group_taken(struct kunit *test)
{
	struct iommu_attach_handle handle = {}, later = {};
	struct fake_pair p;
	int owner, stranger;

	fake_pair(test, &p, false);
	KUNIT_ASSERT_EQ(test, fake_probe(p.group, p.two), 0);
	KUNIT_ASSERT_EQ(test, fake_probe(p.group, p.one), 0);
	EXPECT_CALLS(test, "ROO");
	KUNIT_EXPECT_EQ(test, p.group->owner_cnt, 1);

	KUNIT_ASSERT_EQ(test, iommu_device_reclaim(&p.one->pci.dev, &owner), 0);
	KUNIT_EXPECT_EQ(test, iommu_device_reclaim(&p.one->pci.dev, &owner), -EPERM);
	/* The other one is for the same owner, and for nobody in another way */
	KUNIT_EXPECT_EQ(test, iommu_device_reclaim(&p.two->pci.dev, &stranger), -EPERM);
	KUNIT_EXPECT_EQ(test, iommu_device_claim_dma_owner(&p.two->pci.dev, &owner),
			-EPERM);
	KUNIT_EXPECT_EQ(test, iommu_device_use_default_domain(&p.two->pci.dev), -EBUSY);
	KUNIT_EXPECT_TRUE(test, iommu_liveupdate_device_owned(&p.two->pci.dev));
	KUNIT_EXPECT_FALSE(test, iommu_liveupdate_device_owned(&p.one->pci.dev));

	/* One that cannot change over takes the other one back */
	fake_unwilling = &p.one->pci.dev;
	fake_failing = 'm';
	KUNIT_EXPECT_EQ(test, iommu_replace_group_handle(p.group, p.domain, &handle),
			-EIO);
	EXPECT_CALLS(test, "nmn");
	KUNIT_EXPECT_TRUE(test, iommu_liveupdate_device_restored(&p.one->pci.dev));
	KUNIT_EXPECT_TRUE(test, iommu_liveupdate_device_restored(&p.two->pci.dev));

	KUNIT_EXPECT_EQ(test, iommu_replace_group_handle(p.group, p.domain, &handle), 0);
	iommu_liveupdate_replaced(&p.one->pci.dev, IOMMU_NO_PASID);
	EXPECT_CALLS(test, "nmQLQIT");
	KUNIT_EXPECT_EQ(test, state_of(0x10), IOMMU_LIVEUPDATE_DEV_REPLACED);
	KUNIT_EXPECT_EQ(test, state_of(0x11), IOMMU_LIVEUPDATE_DEV_LEFT);
	KUNIT_EXPECT_TRUE(test, iommu_liveupdate_device_owned(&p.two->pci.dev));
	KUNIT_EXPECT_NULL(test, iommu_liveupdate_device_record(&p.two->pci.dev));
	KUNIT_EXPECT_FALSE(test, IS_ERR_OR_NULL(iommu_liveupdate_incoming_record(&p.two->pci.dev)));
	KUNIT_EXPECT_EQ(test, iommu_device_claim_dma_owner(&p.two->pci.dev, &owner),
			-EPERM);

	KUNIT_EXPECT_EQ(test, iommu_device_reclaim(&p.two->pci.dev, &owner), 0);
	KUNIT_EXPECT_EQ(test, state_of(0x11), IOMMU_LIVEUPDATE_DEV_REPLACED);
	KUNIT_EXPECT_EQ(test, p.group->owner_cnt, 2);
	KUNIT_EXPECT_NULL(test, iommu_liveupdate_incoming_record(&p.two->pci.dev));
	iommu_liveupdate_block(0, 0x11);
	iommu_liveupdate_abandon(0, 0x11, true);
	EXPECT_CALLS(test, "");
	KUNIT_EXPECT_EQ(test, iommu_replace_group_handle(p.group, fake_domain(test),
							 &later), 0);
	EXPECT_CALLS(test, "nm");
	KUNIT_EXPECT_EQ(test, kref_read(&p.in->ref), 1);
	xa_destroy(&p.group->pasid_array);
	fake_pair_end(&p);
}

/* Nobody takes the one, before or after the other has changed over */
static void group_member_abandoned(struct kunit *test, bool moved, bool reset)
{
	struct iommu_attach_handle handle = {}, later = {};
	struct iommu_domain *domain = fake_domain(test);
	struct fake_pair p;
	int owner;
	u64 pa;

	fake_pair_one_taken(test, &p, &owner);
	fake_unwilling = &p.two->pci.dev;
	if (moved) {
		KUNIT_EXPECT_EQ(test, iommu_replace_group_handle(p.group, p.domain,
								 &handle), 0);
		iommu_liveupdate_replaced(&p.one->pci.dev, IOMMU_NO_PASID);
		EXPECT_CALLS(test, "nmQLQIT");
	}

	iommu_liveupdate_block(0, 0x11);
	EXPECT_CALLS(test, "b");
	KUNIT_EXPECT_EQ(test, iommu_device_reclaim(&p.two->pci.dev, &owner), -EIO);
	KUNIT_EXPECT_PTR_EQ(test, p.group->owner, (void *)&owner);
	KUNIT_EXPECT_NE(test, moved,
			iommu_liveupdate_device_restored(&p.one->pci.dev));
	iommu_liveupdate_abandon(0, 0x11, reset);
	EXPECT_CALLS(test, moved ? reset ? "Nm" : "" : "QL");
	KUNIT_EXPECT_EQ(test, state_of(0x11), moved && reset ?
			IOMMU_LIVEUPDATE_DEV_RETURNED :
			IOMMU_LIVEUPDATE_DEV_ABANDONED);

	/* What was not reset does not follow its group any more */
	KUNIT_EXPECT_EQ(test, iommu_replace_group_handle(p.group, domain, &later),
			0);
	EXPECT_CALLS(test, moved && reset ? "nm" : "n");
	fake_free_held = !moved;
	reinit_completion(&fake_free_go);
	iommu_liveupdate_replaced(&p.one->pci.dev, IOMMU_NO_PASID);
	complete(&fake_free_go);
	EXPECT_CALLS(test, moved ? "" : reset ? "QINmT" : "QIT");
	KUNIT_EXPECT_NE(test, reset,
			iommu_liveupdate_device_owned(&p.two->pci.dev));
	KUNIT_EXPECT_EQ(test, iommu_device_claim_dma_owner(&p.two->pci.dev, &owner),
			reset ? 0 : -EPERM);

	/* What could not go the next time is not preserved */
	KUNIT_ASSERT_EQ(test, iommu_domain_preserve(domain, &pa), 0);
	if (!reset)
		KUNIT_EXPECT_EQ(test, iommu_device_preserve(&p.one->pci.dev, domain, 1),
				-EBUSY);
	iommu_domain_unpreserve(domain);
	fake_calls_clear();

	fake_remove(p.group, p.two);
	xa_destroy(&p.group->pasid_array);
	fake_pair_end(&p);
}

/* The owner of a group lets go of it before the one that nobody took is finished */
static void group_let_go(struct kunit *test)
{
	struct iommu_attach_handle handle = {};
	struct fake_pair p;
	int owner;

	fake_pair_one_taken(test, &p, &owner);
	fake_unwilling = &p.two->pci.dev;
	KUNIT_ASSERT_EQ(test, iommu_replace_group_handle(p.group, p.domain, &handle), 0);
	iommu_liveupdate_replaced(&p.one->pci.dev, IOMMU_NO_PASID);
	EXPECT_CALLS(test, "nmQLQIT");

	iommu_detach_group_handle(p.domain, p.group);
	EXPECT_CALLS(test, "bb");
	iommu_device_release_dma_owner(&p.one->pci.dev);
	EXPECT_CALLS(test, "i");
	KUNIT_EXPECT_EQ(test, iommu_device_claim_dma_owner(&p.two->pci.dev, &owner),
			-EPERM);
	KUNIT_EXPECT_EQ(test, iommu_group_claim_dma_owner(p.group, &owner), -EPERM);

	iommu_liveupdate_block(0, 0x11);
	EXPECT_CALLS(test, "");
	KUNIT_EXPECT_EQ(test, state_of(0x11), IOMMU_LIVEUPDATE_DEV_BLOCKED);
	iommu_liveupdate_abandon(0, 0x11, true);
	EXPECT_CALLS(test, "Ni");
	KUNIT_EXPECT_EQ(test, state_of(0x11), IOMMU_LIVEUPDATE_DEV_RETURNED);
	KUNIT_EXPECT_EQ(test, iommu_group_claim_dma_owner(p.group, &owner), 0);
	iommu_group_release_dma_owner(p.group);
	fake_pair_end(&p);
}

static void group_one_abandoned(struct kunit *test)
{
	group_member_abandoned(test, true, true);
	group_member_abandoned(test, true, false);
	group_member_abandoned(test, false, true);
	group_member_abandoned(test, false, false);
}

/* Nobody takes any: given back with the last one, if all were reset */
static void group_all_abandoned(struct kunit *test)
{
	struct fake_pair p;
	bool reset;

	for (reset = true;; reset = false) {
		fake_pair(test, &p, false);
		KUNIT_ASSERT_EQ(test, fake_probe(p.group, p.one), 0);
		KUNIT_ASSERT_EQ(test, fake_probe(p.group, p.two), 0);
		fake_calls_clear();

		iommu_liveupdate_block(0, 0x10);
		EXPECT_CALLS(test, "b");
		KUNIT_EXPECT_TRUE(test, iommu_liveupdate_device_restored(&p.two->pci.dev));
		KUNIT_EXPECT_FALSE(test, iommu_liveupdate_device_restored(&p.one->pci.dev));
		iommu_liveupdate_abandon(0, 0x10, reset);
		EXPECT_CALLS(test, "QL");
		KUNIT_EXPECT_TRUE(test, iommu_liveupdate_device_owned(&p.one->pci.dev));

		iommu_liveupdate_abandon(0, 0x11, true);
		EXPECT_CALLS(test, reset ? "bNNiiQIT" : "bQIT");
		KUNIT_EXPECT_NE(test, reset,
				iommu_liveupdate_device_owned(&p.one->pci.dev));
		KUNIT_EXPECT_NE(test, reset,
				iommu_liveupdate_device_owned(&p.two->pci.dev));
		KUNIT_EXPECT_PTR_EQ(test, p.group->domain, reset ?
				    &fake_default_domain : &fake_blocked_domain);
		fake_remove(p.group, p.one);
		fake_remove(p.group, p.two);
		fake_pair_end(&p);
		if (!reset)
			break;
	}
}

/* The others go on, in whatever order they come */
static void group_one_blocked(struct kunit *test)
{
	struct iommu_attach_handle handle = {};
	struct fake_device *stranger, *bridge;
	struct fake_pair p;
	int owner;

	fake_pair(test, &p, false);
	stranger = fake_device(test, p.unit, 0x12);
	bridge = fake_device(test, p.unit, 0x08);
	bridge->pci.hdr_type = PCI_HEADER_TYPE_BRIDGE;
	KUNIT_EXPECT_EQ(test, fake_probe(p.group, bridge), 0);
	fake_failing = 'O';
	KUNIT_EXPECT_EQ(test, fake_probe(p.group, p.one), 0);
	EXPECT_CALLS(test, "ROXBKb");
	expect_blocked(test, p.group, p.one);
	KUNIT_EXPECT_EQ(test, fake_probe(p.group, p.two), 0);
	EXPECT_CALLS(test, "RO");
	KUNIT_EXPECT_TRUE(test, iommu_liveupdate_device_restored(&p.two->pci.dev));
	KUNIT_EXPECT_FALSE(test, iommu_liveupdate_device_restored(&p.one->pci.dev));

	/* Nobody comes in between */
	KUNIT_EXPECT_EQ(test, fake_probe(p.group, stranger), -ENODEV);
	EXPECT_CALLS(test, "");

	KUNIT_EXPECT_EQ(test, iommu_device_reclaim(&p.one->pci.dev, &owner), -EIO);
	KUNIT_EXPECT_EQ(test, iommu_device_reclaim(&p.two->pci.dev, &owner), 0);
	KUNIT_EXPECT_EQ(test, iommu_replace_group_handle(p.group, p.domain, &handle), 0);
	EXPECT_CALLS(test, "nn");
	iommu_liveupdate_replaced(&p.two->pci.dev, IOMMU_NO_PASID);
	EXPECT_CALLS(test, "QL");

	fake_remove(p.group, p.two);
	fake_remove(p.group, p.one);
	fake_remove(p.group, bridge);
	xa_destroy(&p.group->pasid_array);
	fake_pair_end(&p);
}

/* A bridge was never on what came in, and does not get there when a replace fails */
static void group_with_bridge(struct kunit *test)
{
	struct iommu_attach_handle handle = {};
	struct fake_device *bridge;
	struct fake_pair p;
	int owner;

	fake_pair(test, &p, false);
	bridge = fake_device(test, p.unit, 0x08);
	bridge->pci.hdr_type = PCI_HEADER_TYPE_BRIDGE;
	KUNIT_ASSERT_EQ(test, fake_probe(p.group, bridge), 0);
	KUNIT_ASSERT_EQ(test, fake_probe(p.group, p.one), 0);
	KUNIT_ASSERT_EQ(test, fake_probe(p.group, p.two), 0);
	KUNIT_ASSERT_EQ(test, iommu_device_reclaim(&p.one->pci.dev, &owner), 0);
	fake_calls_clear();

	fake_unwilling = &p.two->pci.dev;
	fake_failing = 'm';
	KUNIT_EXPECT_EQ(test, iommu_replace_group_handle(p.group, p.domain, &handle),
			-EIO);
	EXPECT_CALLS(test, "nnmbn");
	KUNIT_EXPECT_TRUE(test, iommu_liveupdate_device_restored(&p.one->pci.dev));

	p.group->owner = NULL;
	fake_remove(p.group, bridge);
	fake_remove(p.group, p.one);
	fake_remove(p.group, p.two);
	KUNIT_EXPECT_EQ(test, kref_read(&p.in->ref), 1);
	fake_pair_end(&p);
}

/* One that no record names is blocked, and the others go back without it */
static void group_unnamed(struct kunit *test)
{
	struct fake_device *unnamed;
	struct fake_pair p;

	if (iommu_liveupdate_panic)
		kunit_skip(test, "needs iommu.liveupdate=block");
	fake_pair(test, &p, false);
	unnamed = fake_device(test, p.unit, 0x12);
	kunit_activate_static_stub(test, iommu_liveupdate_pci_incoming, fake_goes_on);
	KUNIT_EXPECT_EQ(test, fake_probe(p.group, p.one), 0);
	EXPECT_CALLS(test, "RO");
	KUNIT_ASSERT_EQ(test, fake_probe(p.group, unnamed), 0);
	EXPECT_CALLS(test, "B");
	KUNIT_EXPECT_TRUE(test, iommu_liveupdate_device_owned(&unnamed->pci.dev));
	KUNIT_EXPECT_TRUE(test, iommu_liveupdate_device_restored(&p.one->pci.dev));

	iommu_liveupdate_abandon(0, 0x10, true);
	EXPECT_CALLS(test, "bNiQL");
	KUNIT_EXPECT_NULL(test, p.group->owner);
	KUNIT_EXPECT_FALSE(test, iommu_liveupdate_device_owned(&p.one->pci.dev));
	KUNIT_EXPECT_TRUE(test, iommu_liveupdate_device_owned(&unnamed->pci.dev));
	KUNIT_EXPECT_EQ(test, state_of(0x10), IOMMU_LIVEUPDATE_DEV_RETURNED);
	fake_remove(p.group, unnamed);
	fake_remove(p.group, p.one);
	fake_pair_end(&p);
}

/* And does not stand in their way */
static void group_unnamed_first(struct kunit *test)
{
	struct iommu_attach_handle handle = {};
	struct fake_device *unnamed;
	struct fake_pair p;
	int owner;

	if (iommu_liveupdate_panic)
		kunit_skip(test, "needs iommu.liveupdate=block");
	fake_pair(test, &p, false);
	unnamed = fake_device(test, p.unit, 0x12);
	kunit_activate_static_stub(test, iommu_liveupdate_pci_incoming, fake_goes_on);
	KUNIT_EXPECT_EQ(test, fake_probe(p.group, unnamed), 0);
	EXPECT_CALLS(test, "B");
	KUNIT_EXPECT_PTR_EQ(test, p.group->domain, &fake_blocked_domain);

	KUNIT_ASSERT_EQ(test, fake_probe(p.group, p.one), 0);
	EXPECT_CALLS(test, "RO");
	KUNIT_EXPECT_EQ(test, fake_probe(p.group, p.three), -ENODEV);
	EXPECT_CALLS(test, "BK");
	iommu_liveupdate_release_device(&p.three->pci.dev);
	KUNIT_EXPECT_TRUE(test, iommu_liveupdate_device_restored(&p.one->pci.dev));
	KUNIT_EXPECT_FALSE(test, iommu_liveupdate_device_restored(&unnamed->pci.dev));
	KUNIT_EXPECT_EQ(test, iommu_device_reclaim(&p.one->pci.dev, &owner), 0);
	KUNIT_EXPECT_EQ(test, iommu_device_reclaim(&unnamed->pci.dev, &owner), -EIO);
	scoped_guard(mutex, &p.group->mutex)
		KUNIT_EXPECT_PTR_EQ(test,
				    iommu_driver_get_domain_for_dev(&unnamed->pci.dev),
				    &fake_blocked_domain);

	KUNIT_EXPECT_EQ(test, iommu_replace_group_handle(p.group, p.domain, &handle), 0);
	EXPECT_CALLS(test, "n");
	iommu_liveupdate_replaced(&p.one->pci.dev, IOMMU_NO_PASID);
	EXPECT_CALLS(test, "QL");
	iommu_detach_group_handle(p.domain, p.group);
	iommu_device_release_dma_owner(&p.one->pci.dev);
	EXPECT_CALLS(test, "bi");
	KUNIT_EXPECT_TRUE(test, iommu_liveupdate_device_owned(&unnamed->pci.dev));

	fake_remove(p.group, unnamed);
	fake_pair_end(&p);
}

/* A member that is blocked for good, while its group has PASIDs and is reset */
static void group_closed_member(struct kunit *test)
{
	struct iommu_attach_handle handle = {}, pasid = {};
	struct iommu_domain *domain = fake_domain(test);
	struct device *one, *two;
	struct fake_pair p;
	int owner;

	fake_pair_one_taken(test, &p, &owner);
	one = &p.one->pci.dev;
	two = &p.two->pci.dev;
	p.one->param.max_pasids = 16;
	p.two->param.max_pasids = 16;
	KUNIT_ASSERT_EQ(test, iommu_replace_group_handle(p.group, domain, &handle), 0);
	iommu_liveupdate_replaced(one, IOMMU_NO_PASID);
	iommu_liveupdate_wait_freed();
	fake_calls_clear();
	KUNIT_EXPECT_EQ(test, iommu_attach_device_pasid(domain, one, 5, &pasid), 0);
	EXPECT_CALLS(test, "PP");

	iommu_liveupdate_block(0, 0x11);
	EXPECT_CALLS(test, "bp");
	/* As long as it would lack the PASID of its group it is not given back */
	iommu_liveupdate_abandon(0, 0x11, true);
	EXPECT_CALLS(test, "");
	KUNIT_EXPECT_TRUE(test, iommu_liveupdate_device_owned(two));

	/* A reset does not bring anything back */
	p.two->pci.ats_cap = 1;
	KUNIT_EXPECT_EQ(test, pci_dev_reset_iommu_prepare(&p.two->pci), 0);
	EXPECT_CALLS(test, "");
	pci_dev_reset_iommu_done(&p.two->pci);
	EXPECT_CALLS(test, "");

	/* It follows its group when that has no PASID any more */
	iommu_detach_device_pasid(domain, one, 5);
	EXPECT_CALLS(test, "pNn");
	KUNIT_EXPECT_FALSE(test, iommu_liveupdate_device_owned(two));
	KUNIT_EXPECT_EQ(test, kref_read(&p.in->ref), 1);

	fake_remove(p.group, p.two);
	xa_destroy(&p.group->pasid_array);
	fake_calls_clear();
	fake_pair_end(&p);
}

/* A driver that asks what a blocked one is on is not told what its group is on */
static void group_second_blocked(struct kunit *test)
{
	struct fake_pair p;

	fake_pair(test, &p, false);
	KUNIT_ASSERT_EQ(test, fake_probe(p.group, p.one), 0);
	fake_calls_clear();
	fake_failing = 'O';
	KUNIT_EXPECT_EQ(test, fake_probe(p.group, p.two), 0);
	EXPECT_CALLS(test, "OBK");
	scoped_guard(mutex, &p.group->mutex) {
		KUNIT_EXPECT_PTR_EQ(test,
				    iommu_driver_get_domain_for_dev(&p.one->pci.dev),
				    p.group->domain);
		KUNIT_EXPECT_PTR_EQ(test,
				    iommu_driver_get_domain_for_dev(&p.two->pci.dev),
				    &fake_blocked_domain);
	}
	fake_remove(p.group, p.two);
	fake_remove(p.group, p.one);
	fake_pair_end(&p);
}

/* Two that were no group then and are one now, and a group that is in pieces */
static void group_of_another(struct kunit *test)
{
	struct iommu_group *group = fake_group(test);
	struct fake_pair p;

	fake_pair(test, &p, true);
	KUNIT_EXPECT_EQ(test, fake_probe(p.group, p.one), 0);
	EXPECT_CALLS(test, "RO");
	KUNIT_EXPECT_EQ(test, fake_probe(p.group, p.three), -ENODEV);
	EXPECT_CALLS(test, "BK");
	iommu_liveupdate_release_device(&p.three->pci.dev);
	KUNIT_EXPECT_TRUE(test, iommu_liveupdate_device_restored(&p.one->pci.dev));

	KUNIT_EXPECT_EQ(test, fake_probe(group, p.two), 0);
	EXPECT_CALLS(test, "O");
	KUNIT_EXPECT_PTR_EQ(test, group->domain, p.group->domain);
	fake_remove(group, p.two);

	/* With the one that was on it what came in goes, the domain of the group as well */
	KUNIT_EXPECT_EQ(test, fake_probe(p.group, p.two), 0);
	iommu_liveupdate_block(0, 0x10);
	EXPECT_CALLS(test, "Ob");
	fake_remove(p.group, p.two);
	KUNIT_EXPECT_PTR_EQ(test, p.group->domain, &fake_blocked_domain);
	KUNIT_EXPECT_NOT_NULL(test, p.group->owner);
	KUNIT_EXPECT_EQ(test, fake_probe(p.group, p.two), 0);
	KUNIT_EXPECT_TRUE(test, iommu_liveupdate_device_restored(&p.two->pci.dev));
	fake_remove(p.group, p.one);
	fake_remove(p.group, p.two);
	fake_calls_clear();
	fake_pair_end(&p);
}

/* A device on one domain, with a PASID on the same and one on another */
struct fake_pasids {
	struct iommu_domain *domain;
	struct fake_unit *unit;
	struct fake_device *old, *fake;
	struct iommu_group *group;
	struct iommu_liveupdate_outgoing *out;
	struct iommu_liveupdate_incoming *in;
};

static void fake_pasids(struct kunit *test, struct fake_pasids *p)
{
	struct iommu_domain *other = fake_domain(test);
	struct device *dev;
	u64 pa;

	p->domain = fake_domain(test);
	p->unit = fake_unit(test, 0);
	p->old = fake_attached(test, p->unit, 0x10, p->domain);
	p->fake = fake_device(test, p->unit, 0x10);
	p->group = fake_group(test);
	p->group->default_domain = &fake_default_domain;
	p->out = fake_flb(test);
	p->old->param.max_pasids = 16;
	p->fake->param.max_pasids = 16;
	fake_table = 16;
	fake_unwilling_pasid = 0;

	fake_found = p->unit;
	kunit_activate_static_stub(test, iommu_liveupdate_unit_device,
				   fake_unit_device);
	dev = &p->old->pci.dev;
	KUNIT_ASSERT_EQ(test, iommu_attach_device_pasid(p->domain, dev, 5, NULL), 0);
	KUNIT_ASSERT_EQ(test, iommu_attach_device_pasid(other, dev, 9, NULL), 0);
	KUNIT_ASSERT_EQ(test, iommu_domain_preserve(p->domain, &pa), 0);
	KUNIT_ASSERT_EQ(test, iommu_domain_preserve(other, &pa), 0);
	KUNIT_ASSERT_EQ(test, iommu_device_preserve(dev, p->domain, 1), 0);
	p->in = fake_kexec(test, p->out);
}

static void fake_pasids_end(struct fake_pasids *p)
{
	fake_kexec_end(p->in);
	fake_flb_end(p->out);
	xa_destroy(&p->old->pci.dev.iommu_group->pasid_array);
	xa_destroy(&p->group->pasid_array);
}

static bool fake_pasid_restored(struct fake_pasids *p, ioasid_t pasid)
{
	guard(mutex)(&p->group->mutex);
	return iommu_liveupdate_pasid_restored(p->group, pasid);
}

static void pasids(struct kunit *test)
{
	struct iommu_attach_handle handles[3] = {};
	struct fake_pasids p;
	struct device *dev;
	int owner;

	fake_pasids(test, &p);
	dev = &p.fake->pci.dev;
	KUNIT_ASSERT_EQ(test, fake_probe(p.group, p.fake), 0);
	EXPECT_CALLS(test, "ROORO");
	KUNIT_EXPECT_TRUE(test, fake_pasid_restored(&p, IOMMU_NO_PASID));
	KUNIT_EXPECT_TRUE(test, fake_pasid_restored(&p, 5));
	KUNIT_EXPECT_TRUE(test, fake_pasid_restored(&p, 9));
	KUNIT_EXPECT_FALSE(test, fake_pasid_restored(&p, 7));
	KUNIT_EXPECT_EQ(test, iommu_replace_device_pasid(p.domain, dev, 5, &handles[0]),
			-EBUSY);
	EXPECT_CALLS(test, "");

	/* Gone and back */
	fake_remove(p.group, p.fake);
	KUNIT_EXPECT_TRUE(test, xa_empty(&p.group->pasid_array));
	p.group->domain = NULL;
	KUNIT_ASSERT_EQ(test, fake_probe(p.group, p.fake), 0);
	EXPECT_CALLS(test, "OOO");

	/* One after the other, the last takes the record with it */
	KUNIT_ASSERT_EQ(test, iommu_device_reclaim(dev, &owner), 0);
	KUNIT_EXPECT_EQ(test, iommu_replace_group_handle(p.group, p.domain, &handles[0]), 0);
	iommu_liveupdate_replaced(dev, IOMMU_NO_PASID);
	EXPECT_CALLS(test, "nL");
	KUNIT_EXPECT_EQ(test, state_of(0x10), IOMMU_LIVEUPDATE_DEV_RESTORED);
	KUNIT_EXPECT_TRUE(test, iommu_liveupdate_device_restored(dev));
	/* What has left has left */
	iommu_liveupdate_replaced(dev, IOMMU_NO_PASID);
	iommu_liveupdate_replaced(dev, 7);
	EXPECT_CALLS(test, "");
	KUNIT_EXPECT_EQ(test, iommu_replace_device_pasid(p.domain, dev, 5, &handles[1]), 0);
	iommu_liveupdate_replaced(dev, 5);
	EXPECT_CALLS(test, "PIT");
	KUNIT_EXPECT_FALSE(test, IS_ERR_OR_NULL(iommu_liveupdate_device_record(dev)));
	iommu_detach_device_pasid(NULL, dev, 9);
	iommu_liveupdate_replaced(dev, 9);
	EXPECT_CALLS(test, "pQIT");
	KUNIT_EXPECT_EQ(test, state_of(0x10), IOMMU_LIVEUPDATE_DEV_REPLACED);
	KUNIT_EXPECT_FALSE(test, iommu_liveupdate_device_restored(dev));
	KUNIT_EXPECT_NULL(test, iommu_liveupdate_device_record(dev));
	KUNIT_EXPECT_EQ(test, kref_read(&p.in->ref), 1);
	fake_pasids_end(&p);
}

/* PASIDs that came in are still there */
static void pasids_let_go_too_early(struct kunit *test)
{
	struct fake_pasids p;
	struct device *dev;
	int owner;

	fake_pasids(test, &p);
	dev = &p.fake->pci.dev;
	KUNIT_ASSERT_EQ(test, fake_probe(p.group, p.fake), 0);
	KUNIT_ASSERT_EQ(test, iommu_device_reclaim(dev, &owner), 0);
	kunit_warning_suppress(test)
		iommu_device_release_dma_owner(dev);
	KUNIT_EXPECT_PTR_NE(test, p.group->owner, (void *)&owner);
	KUNIT_EXPECT_TRUE(test, iommu_liveupdate_device_owned(dev));
	fake_remove(p.group, p.fake);
	fake_calls_clear();
	fake_pasids_end(&p);
}

static void pasids_blocked(struct kunit *test)
{
	struct fake_pasids p;

	/* All of it is blocked if one cannot be adopted */
	fake_pasids(test, &p);
	fake_unwilling_pasid = 9;
	KUNIT_EXPECT_EQ(test, fake_probe(p.group, p.fake), 0);
	EXPECT_CALLS(test, "ROOROXBK");
	expect_blocked(test, p.group, p.fake);
	KUNIT_EXPECT_TRUE(test, xa_empty(&p.group->pasid_array));
	fake_remove(p.group, p.fake);
	fake_pasids_end(&p);

	/* More than the device has here, and a driver that has none */
	fake_pasids(test, &p);
	p.fake->param.max_pasids = 9;
	KUNIT_EXPECT_EQ(test, fake_probe(p.group, p.fake), 0);
	EXPECT_CALLS(test, "ROOBK");
	expect_blocked(test, p.group, p.fake);
	fake_remove(p.group, p.fake);
	fake_pasids_end(&p);

	fake_pasids(test, &p);
	p.unit->iommu.ops = &fake_ops_plain;
	KUNIT_EXPECT_EQ(test, fake_probe(p.group, p.fake), 0);
	EXPECT_CALLS(test, "ROBK");
	KUNIT_EXPECT_TRUE(test, xa_empty(&p.group->pasid_array));
	fake_remove(p.group, p.fake);
	p.unit->iommu.ops = &fake_ops;
	fake_pasids_end(&p);
}

/* It goes away when it has left a part, and that cannot be had once more */
static void pasids_left_in_part(struct kunit *test)
{
	struct iommu_attach_handle handle = {};
	struct fake_pasids p;
	struct device *dev;
	int owner;

	fake_pasids(test, &p);
	dev = &p.fake->pci.dev;
	KUNIT_ASSERT_EQ(test, fake_probe(p.group, p.fake), 0);
	KUNIT_ASSERT_EQ(test, iommu_device_reclaim(dev, &owner), 0);
	fake_calls_clear();
	KUNIT_EXPECT_EQ(test, iommu_replace_device_pasid(p.domain, dev, 9, &handle), 0);
	iommu_liveupdate_replaced(dev, 9);
	EXPECT_CALLS(test, "PIT");

	fake_remove(p.group, p.fake);
	xa_destroy(&p.group->pasid_array);
	p.group->owner = NULL;
	p.group->owner_cnt = 0;
	p.group->domain = NULL;
	KUNIT_EXPECT_EQ(test, fake_probe(p.group, p.fake), 0);
	EXPECT_CALLS(test, "OOBK");
	expect_blocked(test, p.group, p.fake);
	iommu_liveupdate_abandon(0, 0x10, false);
	EXPECT_CALLS(test, "QLIT");
	fake_remove(p.group, p.fake);
	fake_pasids_end(&p);
}

static void pasids_abandoned(struct kunit *test)
{
	struct fake_pasids p;

	fake_pasids(test, &p);
	KUNIT_ASSERT_EQ(test, fake_probe(p.group, p.fake), 0);
	fake_calls_clear();
	iommu_liveupdate_block(0, 0x10);
	EXPECT_CALLS(test, "bpp");
	KUNIT_EXPECT_TRUE(test, xa_empty(&p.group->pasid_array));
	iommu_liveupdate_abandon(0, 0x10, true);
	/* Page tables go in their own time */
	iommu_liveupdate_wait_freed();
	KUNIT_EXPECT_EQ(test, fake_calls[0], 'N');
	KUNIT_EXPECT_EQ(test, state_of(0x10), IOMMU_LIVEUPDATE_DEV_RETURNED);
	KUNIT_EXPECT_EQ(test, kref_read(&p.in->ref), 1);
	fake_calls_clear();
	fake_remove(p.group, p.fake);
	fake_pasids_end(&p);
}

/* The id goes with the last device of each unit, the page table with the last of all */
static void two_units(struct kunit *test)
{
	struct iommu_domain *domain = fake_domain(test);
	struct fake_unit *first = fake_unit(test, 0);
	struct fake_unit *second = fake_unit(test, 1);
	struct fake_device *one = fake_attached(test, first, 0x10, domain);
	struct fake_device *two = fake_attached(test, second, 0x18, domain);
	struct fake_device *three = fake_attached(test, second, 0x20, domain);
	struct iommu_liveupdate_outgoing *out = fake_flb(test);
	struct iommu_liveupdate_incoming *in;
	u64 pa;

	fake_found = first;
	kunit_activate_static_stub(test, iommu_liveupdate_unit_device,
				   fake_unit_device);
	KUNIT_ASSERT_EQ(test, iommu_domain_preserve(domain, &pa), 0);
	KUNIT_ASSERT_EQ(test, iommu_device_preserve(&one->pci.dev, domain, 1), 0);
	KUNIT_ASSERT_EQ(test, iommu_device_preserve(&two->pci.dev, domain, 1), 0);
	KUNIT_ASSERT_EQ(test, iommu_device_preserve(&three->pci.dev, domain, 1), 0);
	in = fake_kexec(test, out);

	iommu_liveupdate_abandon(0, 0x18, false);
	EXPECT_CALLS(test, "KQL");
	iommu_liveupdate_abandon(0, 0x10, false);
	EXPECT_CALLS(test, "KQI");
	iommu_liveupdate_abandon(0, 0x20, false);
	EXPECT_CALLS(test, "KQIRT");

	iommu_liveupdate_abandon(0, 0x20, true);
	iommu_liveupdate_free_unused(in);
	EXPECT_CALLS(test, "");
	fake_kexec_end(in);
	fake_flb_end(out);
}

/* Blocked at its probe, and no file stands for it that could be finished */
static void blocked_until_finish(struct kunit *test)
{
	struct iommu_domain *domain = fake_domain(test);
	struct fake_unit *unit = fake_unit(test, 0);
	struct fake_device *old_one = fake_attached(test, unit, 0x10, domain);
	struct fake_device *old_two = fake_attached(test, unit, 0x18, domain);
	struct fake_device *two = fake_device(test, unit, 0x18);
	struct iommu_group *group = fake_group(test);
	struct iommu_liveupdate_outgoing *out = fake_flb(test);
	struct iommu_liveupdate_incoming *in;
	u64 pa;

	fake_found = unit;
	kunit_activate_static_stub(test, iommu_liveupdate_unit_device,
				   fake_unit_device);
	KUNIT_ASSERT_EQ(test, iommu_domain_preserve(domain, &pa), 0);
	KUNIT_ASSERT_EQ(test, iommu_device_preserve(&old_one->pci.dev, domain, 1), 0);
	KUNIT_ASSERT_EQ(test, iommu_device_preserve(&old_two->pci.dev, domain, 1), 0);
	in = fake_kexec(test, out);
	fake_failing = 'O';
	KUNIT_ASSERT_EQ(test, fake_probe(group, two), 0);
	EXPECT_CALLS(test, "ROXBK");

	iommu_liveupdate_abandon(0, 0x10, false);
	EXPECT_CALLS(test, "KQL");
	iommu_liveupdate_free_unused(in);
	EXPECT_CALLS(test, "QIRT");
	KUNIT_EXPECT_EQ(test, state_of(0x18), IOMMU_LIVEUPDATE_DEV_ABANDONED);
	expect_blocked(test, group, two);

	iommu_liveupdate_free_unused(in);
	EXPECT_CALLS(test, "");
	fake_remove(group, two);
	fake_kexec_end(in);
	fake_flb_end(out);
}

/* The way of each table page is long, and other devices go on meanwhile */
static void freed_later(struct kunit *test)
{
	struct iommu_domain *domain = fake_domain(test);
	struct fake_unit *unit = fake_unit(test, 0);
	struct fake_device *old = fake_attached(test, unit, 0x10, domain);
	struct iommu_liveupdate_outgoing *out = fake_flb(test);
	struct iommu_liveupdate_incoming *in;
	u64 pa;

	fake_found = unit;
	kunit_activate_static_stub(test, iommu_liveupdate_unit_device,
				   fake_unit_device);
	KUNIT_ASSERT_EQ(test, iommu_domain_preserve(domain, &pa), 0);
	KUNIT_ASSERT_EQ(test, iommu_device_preserve(&old->pci.dev, domain, 1), 0);
	in = fake_kexec(test, out);

	/* The copies stay for it, whoever else lets go of them */
	fake_free_held = true;
	iommu_liveupdate_abandon(0, 0x10, false);
	KUNIT_EXPECT_EQ(test, iommu_liveupdate_freeing_pages(), 1);
	KUNIT_EXPECT_EQ(test, kref_read(&in->ref), 2);
	KUNIT_EXPECT_STREQ(test, fake_calls, "KQIR");
	complete(&fake_free_go);
	EXPECT_CALLS(test, "KQIRT");
	KUNIT_EXPECT_EQ(test, iommu_liveupdate_freeing_pages(), 0);
	KUNIT_EXPECT_EQ(test, kref_read(&in->ref), 1);

	fake_kexec_end(in);
	fake_flb_end(out);
}

static void abandon(struct kunit *test)
{
	struct iommu_domain *domain = fake_domain(test);
	struct iommu_domain *other = fake_domain(test);
	struct iommu_domain *unused = fake_domain(test);
	struct fake_unit *unit = fake_unit(test, 0);
	struct fake_device *old_one = fake_attached(test, unit, 0x10, domain);
	struct fake_device *old_two = fake_attached(test, unit, 0x18, domain);
	struct fake_device *old_three = fake_attached(test, unit, 0x20, other);
	struct fake_device *one = fake_device(test, unit, 0x10);
	struct fake_device *three = fake_device(test, unit, 0x20);
	struct iommu_group *group_one = fake_group(test);
	struct iommu_group *group_three = fake_group(test);
	struct iommu_liveupdate_outgoing *out = fake_flb(test);
	struct iommu_liveupdate_incoming *in;
	u64 pa;

	fake_found = unit;
	kunit_activate_static_stub(test, iommu_liveupdate_unit_device,
				   fake_unit_device);
	KUNIT_ASSERT_EQ(test, iommu_domain_preserve(domain, &pa), 0);
	KUNIT_ASSERT_EQ(test, iommu_domain_preserve(other, &pa), 0);
	KUNIT_ASSERT_EQ(test, iommu_domain_preserve(unused, &pa), 0);
	KUNIT_ASSERT_EQ(test, iommu_device_preserve(&old_one->pci.dev, domain, 1), 0);
	KUNIT_ASSERT_EQ(test, iommu_device_preserve(&old_two->pci.dev, domain, 1), 0);
	KUNIT_ASSERT_EQ(test, iommu_device_preserve(&old_three->pci.dev, other, 1), 0);
	in = fake_kexec(test, out);
	group_one->default_domain = &fake_default_domain;
	group_three->default_domain = &fake_default_domain;
	KUNIT_ASSERT_EQ(test, fake_probe(group_one, one), 0);
	fake_calls_clear();

	/* To ask changes nothing, be they there or not, with a record or without */
	KUNIT_EXPECT_TRUE(test, iommu_liveupdate_can_block(0, 0x10));
	KUNIT_EXPECT_TRUE(test, iommu_liveupdate_can_block(0, 0x18));
	KUNIT_EXPECT_TRUE(test, iommu_liveupdate_can_block(0, 0x28));
	EXPECT_CALLS(test, "");
	KUNIT_EXPECT_EQ(test, state_of(0x10), IOMMU_LIVEUPDATE_DEV_RESTORED);

	/* There, and reset: an ordinary device */
	iommu_liveupdate_block(0, 0x10);
	EXPECT_CALLS(test, "b");
	KUNIT_EXPECT_EQ(test, state_of(0x10), IOMMU_LIVEUPDATE_DEV_BLOCKED);
	KUNIT_EXPECT_TRUE(test, iommu_liveupdate_device_owned(&one->pci.dev));
	KUNIT_EXPECT_EQ(test, iommu_device_reclaim(&one->pci.dev, test),
			-EIO);
	iommu_liveupdate_abandon(0, 0x10, true);
	EXPECT_CALLS(test, "NiQL");
	KUNIT_EXPECT_EQ(test, state_of(0x10), IOMMU_LIVEUPDATE_DEV_RETURNED);
	KUNIT_EXPECT_NULL(test, group_one->owner);
	KUNIT_EXPECT_EQ(test, group_one->owner_cnt, 0);
	KUNIT_EXPECT_PTR_EQ(test, group_one->domain, &fake_default_domain);
	KUNIT_EXPECT_EQ(test, iommu_device_reclaim(&one->pci.dev, test),
			-ENODEV);
	iommu_liveupdate_abandon(0, 0x10, true);
	EXPECT_CALLS(test, "");

	/* Not there, the last one of its domain */
	iommu_liveupdate_abandon(0, 0x18, false);
	EXPECT_CALLS(test, "KQIT");

	/* Blocked at its probe, no object of its domain, not reset */
	fake_failing = 'O';
	KUNIT_ASSERT_EQ(test, fake_probe(group_three, three), 0);
	EXPECT_CALLS(test, "ROXBK");
	iommu_liveupdate_block(0, 0x20);
	EXPECT_CALLS(test, "");
	iommu_liveupdate_abandon(0, 0x20, false);
	EXPECT_CALLS(test, "QIRT");
	KUNIT_EXPECT_EQ(test, state_of(0x20), IOMMU_LIVEUPDATE_DEV_ABANDONED);
	expect_blocked(test, group_three, three);

	/* Removed and found again it is an ordinary device */
	fake_remove(group_three, three);
	KUNIT_EXPECT_EQ(test, fake_probe(group_three, three), 0);
	EXPECT_CALLS(test, "");
	KUNIT_EXPECT_NULL(test, group_three->owner);
	KUNIT_EXPECT_FALSE(test, iommu_liveupdate_device_owned(&three->pci.dev));

	/* No record, and a domain without a device */
	iommu_liveupdate_abandon(0, 0x28, true);
	EXPECT_CALLS(test, "");
	iommu_liveupdate_free_unused(in);
	EXPECT_CALLS(test, "RT");

	fake_remove(group_three, three);
	KUNIT_EXPECT_EQ(test, kref_read(&in->ref), 1);
	fake_kexec_end(in);
	fake_flb_end(out);
}

/* What hardware may walk on is not freed, and its device not given back */
static void abandon_unblocked(struct kunit *test)
{
	struct iommu_domain *domain = fake_domain(test);
	struct iommu_domain *other = fake_domain(test);
	struct iommu_domain *third = fake_domain(test);
	struct fake_unit *unit = fake_unit(test, 0);
	struct fake_device *old_one = fake_attached(test, unit, 0x10, domain);
	struct fake_device *old_two = fake_attached(test, unit, 0x18, other);
	struct fake_device *old_three = fake_attached(test, unit, 0x20, third);
	struct fake_device *three = fake_device(test, unit, 0x20);
	struct iommu_group *group_three = fake_group(test);
	struct iommu_liveupdate_outgoing *out = fake_flb(test);
	struct iommu_liveupdate_incoming *in;
	u64 pa;

	kunit_activate_static_stub(test, iommu_liveupdate_unit_device,
				   fake_unit_device);
	KUNIT_ASSERT_EQ(test, iommu_domain_preserve(domain, &pa), 0);
	KUNIT_ASSERT_EQ(test, iommu_domain_preserve(other, &pa), 0);
	KUNIT_ASSERT_EQ(test, iommu_domain_preserve(third, &pa), 0);
	KUNIT_ASSERT_EQ(test, iommu_device_preserve(&old_one->pci.dev, domain, 1), 0);
	KUNIT_ASSERT_EQ(test, iommu_device_preserve(&old_two->pci.dev, other, 1), 0);
	KUNIT_ASSERT_EQ(test, iommu_device_preserve(&old_three->pci.dev, third, 1), 0);
	in = fake_kexec(test, out);
	group_three->default_domain = &fake_default_domain;

	/* The unit is not known here */
	fake_found = NULL;
	KUNIT_EXPECT_FALSE(test, iommu_liveupdate_can_block(0, 0x10));
	iommu_liveupdate_block(0, 0x10);
	KUNIT_EXPECT_FALSE(test, iommu_liveupdate_can_block(0, 0x10));
	iommu_liveupdate_abandon(0, 0x10, true);
	EXPECT_CALLS(test, "");
	KUNIT_EXPECT_EQ(test, state_of(0x10), IOMMU_LIVEUPDATE_DEV_ABANDONED);

	/* It is, and its driver cannot say that the entries have gone */
	fake_found = unit;
	fake_failing = 'K';
	iommu_liveupdate_abandon(0, 0x18, false);
	EXPECT_CALLS(test, "K");

	/* The device is there, and was reset */
	fake_failing = 'K';
	iommu_liveupdate_fail_unit(fake_find(FAKE_BASE), -ENXIO);
	KUNIT_ASSERT_EQ(test, fake_probe(group_three, three), 0);
	EXPECT_CALLS(test, "BK");
	KUNIT_EXPECT_FALSE(test, iommu_liveupdate_can_block(0, 0x20));
	iommu_liveupdate_abandon(0, 0x20, true);
	EXPECT_CALLS(test, "");
	expect_blocked(test, group_three, three);
	KUNIT_EXPECT_TRUE(test, iommu_liveupdate_device_owned(&three->pci.dev));

	iommu_liveupdate_free_unused(in);
	EXPECT_CALLS(test, "");
	fake_remove(group_three, three);
	fake_kexec_end(in);
	fake_flb_end(out);
}

/* No driver's record stands for the devices that are on it */
static void abandon_domain(struct kunit *test)
{
	struct iommu_domain *domain = fake_domain(test);
	struct iommu_domain *other = fake_domain(test);
	struct fake_unit *unit = fake_unit(test, 0);
	struct fake_device *one = fake_attached(test, unit, 0x10, domain);
	struct fake_device *two = fake_attached(test, unit, 0x18, domain);
	struct fake_device *three = fake_attached(test, unit, 0x20, other);
	struct iommu_liveupdate_outgoing *out = fake_flb(test);
	struct iommu_liveupdate_incoming *in;
	u64 pa, other_pa;

	fake_found = unit;
	kunit_activate_static_stub(test, iommu_liveupdate_unit_device,
				   fake_unit_device);
	KUNIT_ASSERT_EQ(test, iommu_domain_preserve(domain, &pa), 0);
	KUNIT_ASSERT_EQ(test, iommu_domain_preserve(other, &other_pa), 0);
	KUNIT_ASSERT_EQ(test, iommu_device_preserve(&one->pci.dev, domain, 1), 0);
	KUNIT_ASSERT_EQ(test, iommu_device_preserve(&two->pci.dev, domain, 1), 0);
	KUNIT_ASSERT_EQ(test, iommu_device_preserve(&three->pci.dev, other, 1), 0);
	in = fake_kexec(test, out);
	fake_calls_clear();

	iommu_liveupdate_abandon_domain(pa);
	KUNIT_EXPECT_EQ(test, state_of(0x10), IOMMU_LIVEUPDATE_DEV_RETURNED);
	KUNIT_EXPECT_EQ(test, state_of(0x18), IOMMU_LIVEUPDATE_DEV_RETURNED);
	KUNIT_EXPECT_EQ(test, state_of(0x20), IOMMU_LIVEUPDATE_DEV_INCOMING);
	KUNIT_EXPECT_NOT_NULL(test, strchr(fake_calls, 'K'));

	/* Nobody is left on it, and nobody was on this one */
	iommu_liveupdate_wait_freed();
	fake_calls_clear();
	iommu_liveupdate_abandon_domain(pa);
	iommu_liveupdate_abandon_domain(1);
	EXPECT_CALLS(test, "");

	iommu_liveupdate_abandon_domain(other_pa);
	KUNIT_EXPECT_EQ(test, state_of(0x20), IOMMU_LIVEUPDATE_DEV_RETURNED);
	fake_calls_clear();
	fake_kexec_end(in);
	fake_flb_end(out);
}

/* One on a unit that is not known here keeps what the domain maps */
static void abandon_domain_in_use(struct kunit *test)
{
	struct iommu_domain *domain = fake_domain(test);
	struct iommu_domain *other = fake_domain(test);
	struct fake_unit *unit = fake_unit(test, 0);
	struct fake_device *one = fake_attached(test, unit, 0x10, domain);
	struct fake_device *two = fake_attached(test, unit, 0x18, domain);
	struct iommu_liveupdate_outgoing *out = fake_flb(test);
	struct iommu_liveupdate_incoming *in;
	u64 pa, other_pa;

	kunit_activate_static_stub(test, iommu_liveupdate_unit_device,
				   fake_unit_device);
	KUNIT_ASSERT_EQ(test, iommu_domain_preserve(domain, &pa), 0);
	KUNIT_ASSERT_EQ(test, iommu_domain_preserve(other, &other_pa), 0);
	KUNIT_ASSERT_EQ(test, iommu_device_preserve(&one->pci.dev, domain, 1), 0);
	KUNIT_ASSERT_EQ(test, iommu_device_preserve(&two->pci.dev, domain, 1), 0);
	in = fake_kexec(test, out);

	fake_found = NULL;
	KUNIT_EXPECT_FALSE(test, iommu_liveupdate_can_abandon_domain(pa));
	KUNIT_EXPECT_TRUE(test, iommu_liveupdate_can_abandon_domain(other_pa));
	KUNIT_EXPECT_TRUE(test, iommu_liveupdate_can_abandon_domain(1));

	/* The other one is still at it; a stranger is nobody */
	iommu_liveupdate_stopped(0, 0x10);
	iommu_liveupdate_stopped(0, 0x20);
	KUNIT_EXPECT_FALSE(test, iommu_liveupdate_can_abandon_domain(pa));
	/* To try to block it does not help */
	iommu_liveupdate_block(0, 0x18);
	KUNIT_EXPECT_FALSE(test, iommu_liveupdate_can_abandon_domain(pa));
	KUNIT_EXPECT_FALSE(test, iommu_liveupdate_can_block(0, 0x18));
	iommu_liveupdate_stopped(0, 0x18);
	KUNIT_EXPECT_TRUE(test, iommu_liveupdate_can_abandon_domain(pa));
	KUNIT_EXPECT_TRUE(test, iommu_liveupdate_can_block(0, 0x18));

	fake_kexec_end(in);
	fake_flb_end(out);
}

/* None of a domain whose unit can block is in the way */
static void abandon_domain_blockable(struct kunit *test)
{
	struct iommu_domain *domain = fake_domain(test);
	struct fake_unit *unit = fake_unit(test, 0);
	struct fake_device *one = fake_attached(test, unit, 0x10, domain);
	struct iommu_liveupdate_outgoing *out = fake_flb(test);
	struct iommu_liveupdate_incoming *in;
	u64 pa;

	fake_found = unit;
	kunit_activate_static_stub(test, iommu_liveupdate_unit_device,
				   fake_unit_device);
	KUNIT_ASSERT_EQ(test, iommu_domain_preserve(domain, &pa), 0);
	KUNIT_ASSERT_EQ(test, iommu_device_preserve(&one->pci.dev, domain, 1), 0);
	in = fake_kexec(test, out);
	KUNIT_EXPECT_TRUE(test, iommu_liveupdate_can_abandon_domain(pa));
	iommu_liveupdate_abandon(0, 0x10, false);
	KUNIT_EXPECT_TRUE(test, iommu_liveupdate_can_abandon_domain(pa));

	fake_kexec_end(in);
	fake_flb_end(out);
}

static struct kunit_case iommu_liveupdate_incoming_cases[] = {
	KUNIT_CASE(lookup),
	KUNIT_CASE(refused_part),
	KUNIT_CASE(claim_shared_table),
	KUNIT_CASE(restore),
	KUNIT_CASE(fail_closed),
	KUNIT_CASE(unnamed),
	KUNIT_CASE(fail_unit),
	KUNIT_CASE(strangers_are_stopped),
	KUNIT_CASE(kept_states),
	KUNIT_CASE(reclaim),
	KUNIT_CASE(group_ordinary),
	KUNIT_CASE(let_go_too_early),
	KUNIT_CASE(group_taken),
	KUNIT_CASE(group_let_go),
	KUNIT_CASE(group_one_abandoned),
	KUNIT_CASE(group_all_abandoned),
	KUNIT_CASE(group_one_blocked),
	KUNIT_CASE(group_second_blocked),
	KUNIT_CASE(group_with_bridge),
	KUNIT_CASE(group_unnamed),
	KUNIT_CASE(group_unnamed_first),
	KUNIT_CASE(group_closed_member),
	KUNIT_CASE(group_of_another),
	KUNIT_CASE(pasids),
	KUNIT_CASE(pasids_let_go_too_early),
	KUNIT_CASE(pasids_blocked),
	KUNIT_CASE(pasids_left_in_part),
	KUNIT_CASE(pasids_abandoned),
	KUNIT_CASE(two_units),
	KUNIT_CASE(blocked_until_finish),
	KUNIT_CASE(freed_later),
	KUNIT_CASE(abandon),
	KUNIT_CASE(abandon_unblocked),
	KUNIT_CASE(abandon_domain),
	KUNIT_CASE(abandon_domain_in_use),
	KUNIT_CASE(abandon_domain_blockable),
	{}
};

static struct kunit_suite iommu_liveupdate_incoming_suite = {
	.name = "iommu_liveupdate_incoming",
	.init = fake_init,
	.test_cases = iommu_liveupdate_incoming_cases,
};

kunit_test_suite(iommu_liveupdate_incoming_suite);
