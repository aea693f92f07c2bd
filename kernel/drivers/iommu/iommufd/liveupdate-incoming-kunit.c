// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */

/**
 * DOC: KUnit tests of the way back of an iommufd
 *
 * The check of the record, and the life of a restored HWPT from the retrieve to
 * its end: who finds it, who may destroy it, when it goes. The core is stubbed
 * where it says what became of a domain. Reclaiming a device takes a group and a
 * record of the core, so only its refusal is here.
 */

#include <kunit/device.h>
#include <kunit/static_stub.h>
#include <kunit/test.h>

#include <linux/crc32.h>
#include <linux/err.h>
#include <linux/iommu.h>
#include <linux/kho/abi/iommufd.h>
#include <linux/overflow.h>
#include <linux/xarray.h>

#include "iommufd_private.h"
#include "liveupdate-check.h"

#define NR_HWPTS	2
#define TOKEN		0x100000001ULL
#define OTHER_TOKEN	0x1ULL
#define DOMAIN_PA	0x1000ULL
#define OTHER_DOMAIN_PA	0x2000ULL

/**
 * struct restored_world - An iommufd with two restored HWPTs
 * @ictx: The context, without file
 * @domain_err: What the core says about every domain, 0 if it is in use
 */
struct restored_world {
	struct iommufd_ctx ictx;
	int domain_err;
};

static struct iommu_domain *stub_restored_domain(u64 domain_pa)
{
	struct restored_world *w = kunit_get_current_test()->priv;

	/* Never looked into */
	return w->domain_err ? ERR_PTR(w->domain_err) : (void *)w;
}

static struct iommufd_object *world_find(struct restored_world *w, u64 token)
{
	struct iommu_hwpt_liveupdate_restore cmd = { .hwpt_token = token };
	struct iommufd_ucmd ucmd = { .ictx = &w->ictx, .cmd = &cmd };
	int rc;

	/* The answer is copied to nowhere, as user_size is 0 */
	rc = iommufd_hwpt_liveupdate_restore(&ucmd);
	return rc ? ERR_PTR(rc) : xa_load(&w->ictx.objects, cmd.out_hwpt_id);
}

static int world_destroy(struct restored_world *w, u32 id)
{
	return iommufd_object_remove(&w->ictx, NULL, id, 0);
}

static void world_make(struct kunit *test, struct restored_world *w, u64 token,
		       u64 domain_pa)
{
	const struct iommufd_hwpt_ser ser = {
		.token = token,
		.domain_pa = domain_pa,
	};

	KUNIT_ASSERT_EQ(test, 0, iommufd_hwpt_restored_create(&w->ictx, &ser));
}

static int world_init(struct kunit *test)
{
	struct restored_world *w;

	w = kunit_kzalloc(test, sizeof(*w), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, w);
	test->priv = w;

	xa_init_flags(&w->ictx.objects, XA_FLAGS_ALLOC1 | XA_FLAGS_ACCOUNT);
	init_waitqueue_head(&w->ictx.destroy_wait);
	kunit_activate_static_stub(test, iommufd_restored_domain,
				   stub_restored_domain);

	world_make(test, w, TOKEN, DOMAIN_PA);
	world_make(test, w, OTHER_TOKEN, OTHER_DOMAIN_PA);
	return 0;
}

static void world_exit(struct kunit *test)
{
	struct restored_world *w = test->priv;
	struct iommufd_object *obj;
	unsigned long index;

	if (!w)
		return;
	iommufd_ctx_unpin_restored(&w->ictx);
	xa_for_each(&w->ictx.objects, index, obj)
		KUNIT_EXPECT_EQ(test, 0, world_destroy(w, index));
	KUNIT_EXPECT_TRUE(test, xa_empty(&w->ictx.objects));
}

static void test_record(struct kunit *test)
{
	struct iommufd_ser *ser;
	size_t size = struct_size(ser, hwpts, NR_HWPTS);
	u32 i;

	ser = kunit_kzalloc(test, size, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, ser);
	ser->version = IOMMUFD_SER_VERSION;
	ser->length = size;
	ser->nr_hwpts = NR_HWPTS;
	for (i = 0; i < NR_HWPTS; i++)
		ser->hwpts[i].domain_pa = DOMAIN_PA;
	ser->hwpts[1].token = TOKEN;
	/* As the previous kernel does it */
	ser->crc = crc32_le(~0, (void *)ser, size);
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

static void test_look_up(struct kunit *test)
{
	struct restored_world *w = test->priv;
	struct iommufd_object *obj, *other;

	obj = world_find(w, TOKEN);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, obj);
	KUNIT_EXPECT_PTR_EQ(test, obj, world_find(w, TOKEN));

	other = world_find(w, OTHER_TOKEN);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, other);
	KUNIT_EXPECT_PTR_NE(test, obj, other);

	KUNIT_EXPECT_EQ(test, -ENOENT, PTR_ERR_OR_ZERO(world_find(w, TOKEN + 1)));

	/* No device is there, but one may come */
	w->domain_err = -EIO;
	KUNIT_EXPECT_EQ(test, -ENOENT, PTR_ERR_OR_ZERO(world_find(w, TOKEN)));
	w->domain_err = 0;
	KUNIT_EXPECT_PTR_EQ(test, obj, world_find(w, TOKEN));
}

static void test_reserved_fields(struct kunit *test)
{
	struct iommu_hwpt_liveupdate_restore cmd = { .hwpt_token = TOKEN };
	struct restored_world *w = test->priv;
	struct iommufd_ucmd ucmd = { .ictx = &w->ictx, .cmd = &cmd };

	cmd.__reserved = 1;
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP, iommufd_hwpt_liveupdate_restore(&ucmd));
	cmd.__reserved = 0;
	cmd.__reserved2 = 1;
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP, iommufd_hwpt_liveupdate_restore(&ucmd));
}

/* It is no good for any command, whatever type that wants */
static void test_no_use(struct kunit *test)
{
	struct iommu_hwpt_liveupdate_mark_preserve mark = {};
	struct restored_world *w = test->priv;
	struct iommufd_ucmd ucmd = { .ictx = &w->ictx, .cmd = &mark };
	u32 id = world_find(w, TOKEN)->id;
	unsigned int type;

	for (type = IOMMUFD_OBJ_ANY; type < IOMMUFD_OBJ_MAX; type++)
		KUNIT_EXPECT_EQ(test, -EOPNOTSUPP,
				PTR_ERR_OR_ZERO(iommufd_get_object(&w->ictx, id,
								   type)));
	mark.hwpt_id = id;
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP,
			iommufd_hwpt_liveupdate_mark_preserve(&ucmd));
}

static void test_destroy(struct kunit *test)
{
	struct restored_world *w = test->priv;
	u32 id = world_find(w, TOKEN)->id;

	/* Nobody has reclaimed anything */
	KUNIT_EXPECT_EQ(test, -EBUSY, world_destroy(w, id));

	/* The session is finished. Who knows the ID keeps it */
	iommufd_ctx_unpin_restored(&w->ictx);
	KUNIT_EXPECT_NOT_NULL(test, xa_load(&w->ictx.objects, id));
	KUNIT_EXPECT_EQ(test, -ENOENT, PTR_ERR_OR_ZERO(world_find(w, TOKEN)));
	KUNIT_EXPECT_EQ(test, 0, world_destroy(w, id));
	/* The other one, of which nobody knew, has gone by itself */
	KUNIT_EXPECT_TRUE(test, xa_empty(&w->ictx.objects));
}

/* What a device does with its reference. The last one takes the HWPT along. */
static void test_last_device(struct kunit *test)
{
	struct restored_world *w = test->priv;
	struct iommufd_hw_pagetable *hwpt;
	struct iommufd_object *obj;
	unsigned long index = 0;
	u32 id;

	obj = xa_find(&w->ictx.objects, &index, ULONG_MAX, XA_PRESENT);
	KUNIT_ASSERT_NOT_NULL(test, obj);
	hwpt = container_of(obj, struct iommufd_hw_pagetable, obj);
	id = obj->id;

	/* Two devices, the first one leaves */
	refcount_add(2, &obj->users);
	iommufd_hw_pagetable_put(&w->ictx, hwpt);
	KUNIT_EXPECT_EQ(test, 3, refcount_read(&obj->users));
	/* A device that is not there keeps it as well */
	w->domain_err = -EIO;
	iommufd_hw_pagetable_put(&w->ictx, hwpt);
	KUNIT_EXPECT_EQ(test, 2, refcount_read(&obj->users));

	refcount_inc(&obj->users);
	w->domain_err = -ENOENT;
	iommufd_hw_pagetable_put(&w->ictx, hwpt);
	KUNIT_EXPECT_NULL(test, xa_load(&w->ictx.objects, id));
}

static void test_last_device_known(struct kunit *test)
{
	struct restored_world *w = test->priv;
	struct iommufd_hw_pagetable *hwpt;
	struct iommufd_object *obj;

	obj = world_find(w, TOKEN);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, obj);
	hwpt = container_of(obj, struct iommufd_hw_pagetable, obj);

	refcount_inc(&obj->users);
	w->domain_err = -ENOENT;
	iommufd_hw_pagetable_put(&w->ictx, hwpt);
	KUNIT_EXPECT_EQ(test, -ENOENT, PTR_ERR_OR_ZERO(world_find(w, TOKEN)));
	KUNIT_EXPECT_PTR_EQ(test, obj, xa_load(&w->ictx.objects, obj->id));
	KUNIT_EXPECT_EQ(test, 0, world_destroy(w, obj->id));
}

static void test_reclaim_stranger(struct kunit *test)
{
	struct device *dev = kunit_device_register(test, "iommufd-stranger");
	struct restored_world *w = test->priv;
	u32 id;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev);
	KUNIT_EXPECT_EQ(test, -ENODEV,
			PTR_ERR_OR_ZERO(iommufd_device_reclaim(&w->ictx, dev,
							       &id)));
}

/* A device of this iommufd that is there is not made a second time */
static void test_reclaim_again(struct kunit *test)
{
	struct device *dev = kunit_device_register(test, "iommufd-again");
	struct restored_world *w = test->priv;
	struct iommufd_device idev = { .dev = dev };
	u32 id, index;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev);
	idev.obj.type = IOMMUFD_OBJ_DEVICE;
	KUNIT_ASSERT_EQ(test, 0, xa_alloc(&w->ictx.objects, &index, &idev.obj,
					  xa_limit_31b, GFP_KERNEL));
	idev.obj.id = index;
	KUNIT_EXPECT_PTR_EQ(test, &idev, iommufd_device_reclaim(&w->ictx, dev, &id));
	KUNIT_EXPECT_EQ(test, index, id);
	xa_erase(&w->ictx.objects, index);
}

static void test_replace(struct kunit *test)
{
	struct device *dev = kunit_device_register(test, "iommufd-restored");
	struct restored_world *w = test->priv;
	struct iommufd_hw_pagetable hwpt = {};
	struct iommufd_hw_pagetable *restored;
	struct iommufd_group igroup = {};
	struct iommufd_attach attach = {};
	struct iommufd_device idev = { .dev = dev, .igroup = &igroup };

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev);
	mutex_init(&igroup.lock);
	xa_init(&igroup.pasid_attach);
	KUNIT_EXPECT_FALSE(test, iommufd_device_is_restored(&idev));

	restored = container_of(world_find(w, TOKEN),
				struct iommufd_hw_pagetable, obj);
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
	hwpt.fault = (void *)w;
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP,
			iommufd_device_check_replace(&idev, restored, &hwpt));
	KUNIT_EXPECT_EQ(test, 0,
			iommufd_device_check_replace(&idev, &hwpt, &hwpt));
	hwpt.fault = NULL;
	hwpt.obj.type = IOMMUFD_OBJ_HWPT_NESTED;
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP,
			iommufd_device_check_replace(&idev, restored, &hwpt));
	mutex_unlock(&igroup.lock);

	attach.hwpt = &hwpt;
	KUNIT_EXPECT_FALSE(test, iommufd_device_is_restored(&idev));
	xa_destroy(&igroup.pasid_attach);
	xa_destroy(&attach.device_array);
}

static struct kunit_case iommufd_restored_cases[] = {
	KUNIT_CASE(test_record),
	KUNIT_CASE(test_look_up),
	KUNIT_CASE(test_reserved_fields),
	KUNIT_CASE(test_no_use),
	KUNIT_CASE(test_destroy),
	KUNIT_CASE(test_last_device),
	KUNIT_CASE(test_last_device_known),
	KUNIT_CASE(test_reclaim_stranger),
	KUNIT_CASE(test_reclaim_again),
	KUNIT_CASE(test_replace),
	{}
};

static struct kunit_suite iommufd_restored_suite = {
	.name = "iommufd-liveupdate-restored",
	.init = world_init,
	.exit = world_exit,
	.test_cases = iommufd_restored_cases,
};

kunit_test_suite(iommufd_restored_suite);
