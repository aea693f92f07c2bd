// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */

/**
 * DOC: KUnit tests of the way back of an iommufd
 *
 * The check of the record, which domains are those of an iommufd, and what a
 * device may be attached to next. Reclaiming a device takes a group and a record
 * of the core, so only its refusal is here.
 */

#include <kunit/device.h>
#include <kunit/test.h>

#include <linux/crc32.h>
#include <linux/err.h>
#include <linux/kho/abi/iommufd.h>
#include <linux/overflow.h>
#include <linux/xarray.h>

#include "iommufd_private.h"
#include "liveupdate-check.h"

#define NR_HWPTS	2
#define TOKEN		0x100000001ULL
#define DOMAIN_PA	0x1000ULL
#define OTHER_DOMAIN_PA	0x2000ULL

/* What test->priv is */
static struct iommufd_ctx *ictx_of(struct kunit *test)
{
	return test->priv;
}

static int ictx_init(struct kunit *test)
{
	struct iommufd_ctx *ictx;

	ictx = kunit_kzalloc(test, sizeof(*ictx), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, ictx);
	xa_init_flags(&ictx->objects, XA_FLAGS_ALLOC1 | XA_FLAGS_ACCOUNT);
	test->priv = ictx;
	return 0;
}

static struct iommufd_ser *ser_alloc(struct kunit *test)
{
	struct iommufd_ser *ser;
	size_t size = struct_size(ser, hwpts, NR_HWPTS);

	ser = kunit_kzalloc(test, size, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, ser);
	ser->version = IOMMUFD_SER_VERSION;
	ser->length = size;
	ser->nr_hwpts = NR_HWPTS;
	ser->hwpts[0].domain_pa = DOMAIN_PA;
	ser->hwpts[1].domain_pa = OTHER_DOMAIN_PA;
	ser->hwpts[1].token = TOKEN;
	return ser;
}

static void test_record(struct kunit *test)
{
	struct iommufd_ser *ser = ser_alloc(test);

	/* As the previous kernel does it */
	ser->crc = crc32_le(~0, (void *)ser, ser->length);
	KUNIT_EXPECT_NULL(test, iommufd_ser_check(ser, 0));

	KUNIT_EXPECT_STREQ(test, "length", iommufd_ser_check(ser, 1));

	ser->hwpts[1].token ^= 1;
	KUNIT_EXPECT_STREQ(test, "checksum", iommufd_ser_check(ser, 0));
	ser->hwpts[1].token ^= 1;

	ser->version++;
	KUNIT_EXPECT_STREQ(test, "version", iommufd_ser_check(ser, 0));
	ser->version--;

	/* Nothing beyond the page is looked at */
	ser->nr_hwpts = U32_MAX;
	KUNIT_EXPECT_STREQ(test, "length", iommufd_ser_check(ser, 0));
	ser->length = (u32)struct_size(ser, hwpts, ser->nr_hwpts);
	KUNIT_EXPECT_STREQ(test, "length", iommufd_ser_check(ser, 0));
	ser->nr_hwpts = PAGE_SIZE / sizeof(ser->hwpts[0]);
	ser->length = struct_size(ser, hwpts, ser->nr_hwpts);
	KUNIT_EXPECT_STREQ(test, "length", iommufd_ser_check(ser, 0));
}

static void test_domains(struct kunit *test)
{
	struct iommufd_ctx *ictx = ictx_of(test);

	/* It was opened here */
	KUNIT_EXPECT_FALSE(test, iommufd_ctx_has_domain(ictx, DOMAIN_PA));
	ictx->liveupdate.incoming = ser_alloc(test);
	KUNIT_EXPECT_TRUE(test, iommufd_ctx_has_domain(ictx, DOMAIN_PA));
	KUNIT_EXPECT_TRUE(test, iommufd_ctx_has_domain(ictx, OTHER_DOMAIN_PA));
	KUNIT_EXPECT_FALSE(test, iommufd_ctx_has_domain(ictx, DOMAIN_PA + 1));
	KUNIT_EXPECT_FALSE(test, iommufd_ctx_has_domain(ictx, 0));
}

static void test_reclaim_stranger(struct kunit *test)
{
	struct device *dev = kunit_device_register(test, "iommufd-stranger");
	struct iommufd_ctx *ictx = ictx_of(test);
	u32 id;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev);
	KUNIT_EXPECT_EQ(test, -ENODEV,
			PTR_ERR_OR_ZERO(iommufd_device_reclaim(ictx, dev,
							       &id)));
}

static void test_replace(struct kunit *test)
{
	struct device *dev = kunit_device_register(test, "iommufd-restored");
	struct iommufd_hw_pagetable hwpt = {};
	struct iommufd_hw_pagetable *restored = &iommufd_hwpt_restored;
	struct iommufd_group igroup = {};
	struct iommufd_attach attach = {}, pasid_attach = {};
	struct iommufd_device idev = { .dev = dev, .igroup = &igroup };

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev);
	mutex_init(&igroup.lock);
	xa_init(&igroup.pasid_attach);
	KUNIT_EXPECT_FALSE(test, iommufd_device_is_restored(&idev));

	attach.hwpt = restored;
	xa_init(&attach.device_array);
	xa_store(&attach.device_array, 1, &idev, GFP_KERNEL);
	xa_store(&igroup.pasid_attach, IOMMU_NO_PASID, &attach, GFP_KERNEL);
	KUNIT_EXPECT_TRUE(test, iommufd_device_is_restored(&idev));

	mutex_lock(&igroup.lock);
	/* It is incoming, so it is not outgoing */
	idev.obj.id = 1;
	KUNIT_EXPECT_EQ(test, -EBUSY,
			PTR_ERR_OR_ZERO(iommufd_device_preserved_hwpt(&idev)));

	hwpt.obj.type = IOMMUFD_OBJ_HWPT_PAGING;
	KUNIT_EXPECT_EQ(test, 0,
			iommufd_device_check_replace(&idev, restored, &hwpt));
	/* Never looked into, only whether there is one */
	hwpt.fault = (void *)test;
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP,
			iommufd_device_check_replace(&idev, restored, &hwpt));
	KUNIT_EXPECT_EQ(test, 0,
			iommufd_device_check_replace(&idev, &hwpt, &hwpt));
	hwpt.fault = NULL;
	hwpt.obj.type = IOMMUFD_OBJ_HWPT_NESTED;
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP,
			iommufd_device_check_replace(&idev, restored, &hwpt));
	mutex_unlock(&igroup.lock);

	/* No PASID comes, and one that came in counts */
	mutex_lock(&igroup.lock);
	KUNIT_EXPECT_EQ(test, -EBUSY, iommufd_device_check_attach(&idev, 5));
	KUNIT_EXPECT_EQ(test, 0,
			iommufd_device_check_attach(&idev, IOMMU_NO_PASID));
	attach.hwpt = &hwpt;
	KUNIT_EXPECT_EQ(test, 0, iommufd_device_check_attach(&idev, 5));
	mutex_unlock(&igroup.lock);
	KUNIT_EXPECT_FALSE(test, iommufd_device_is_restored(&idev));
	pasid_attach.hwpt = restored;
	xa_store(&igroup.pasid_attach, 5, &pasid_attach, GFP_KERNEL);
	KUNIT_EXPECT_TRUE(test, iommufd_device_is_restored(&idev));
	pasid_attach.hwpt = &hwpt;
	KUNIT_EXPECT_FALSE(test, iommufd_device_is_restored(&idev));
	xa_destroy(&igroup.pasid_attach);
	xa_destroy(&attach.device_array);
}

static struct kunit_case iommufd_restored_cases[] = {
	KUNIT_CASE(test_record),
	KUNIT_CASE(test_domains),
	KUNIT_CASE(test_reclaim_stranger),
	KUNIT_CASE(test_replace),
	{}
};

static struct kunit_suite iommufd_restored_suite = {
	.name = "iommufd-liveupdate-restored",
	.init = ictx_init,
	.test_cases = iommufd_restored_cases,
};

kunit_test_suite(iommufd_restored_suite);
