// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */

/**
 * DOC: KUnit tests of iommufd's part of live update
 *
 * Which attachments of a device can be preserved, and what is refused while one
 * is. The devices, groups and HWPTs are made up: the mock IOMMU of
 * CONFIG_IOMMUFD_TEST has no callbacks for live update, so none of its devices
 * can be preserved. The mark, which needs none of this, is tested by
 * tools/testing/selftests/iommu/iommufd_liveupdate.c.
 */

#include <kunit/device.h>
#include <kunit/test.h>

#include <linux/iommu.h>
#include <linux/mutex.h>
#include <linux/xarray.h>

#include "io_pagetable.h"
#include "iommufd_private.h"

#define DEVICE_ID	7
#define OTHER_ID	8
#define SOME_PASID	1
#define HIGH_PASID	0xfffff

/**
 * struct world - A device attached to a preserved HWPT, and another one
 * @igroup: The group of both devices
 * @attach: Its attachment without PASID
 * @pasid_attach: An attachment that a test may enter with a PASID
 * @idev: The device
 * @other: A device that is not attached
 * @ioas: Where @hwpt is from
 * @hwpt: What @idev is attached to, a paging HWPT
 * @unmarked: One that is not preserved
 * @nested: A nested HWPT
 */
struct world {
	struct iommufd_group igroup;
	struct iommufd_attach attach;
	struct iommufd_attach pasid_attach;
	struct iommufd_device idev;
	struct iommufd_device other;
	struct iommufd_ioas ioas;
	struct iommufd_hwpt_paging hwpt;
	struct iommufd_hwpt_paging unmarked;
	struct iommufd_hwpt_nested nested;
};

static void world_free(void *data)
{
	struct world *w = data;

	xa_destroy(&w->igroup.pasid_attach);
	xa_destroy(&w->attach.device_array);
	xa_destroy(&w->pasid_attach.device_array);
}

static void world_make_device(struct kunit *test, struct world *w,
			      struct iommufd_device *idev, u32 id,
			      const char *name)
{
	idev->dev = kunit_device_register(test, name);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, idev->dev);
	idev->obj.id = id;
	idev->obj.type = IOMMUFD_OBJ_DEVICE;
	idev->igroup = &w->igroup;
}

static int world_init(struct kunit *test)
{
	struct world *w;

	w = kunit_kzalloc(test, sizeof(*w), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, w);
	test->priv = w;

	mutex_init(&w->igroup.lock);
	xa_init(&w->igroup.pasid_attach);
	xa_init(&w->attach.device_array);
	xa_init(&w->pasid_attach.device_array);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, world_free, w));

	world_make_device(test, w, &w->idev, DEVICE_ID, "iommufd-preserved");
	world_make_device(test, w, &w->other, OTHER_ID, "iommufd-other");

	mutex_init(&w->ioas.mutex);
	iopt_init_table(&w->ioas.iopt);
	w->hwpt.ioas = &w->ioas;
	w->hwpt.common.obj.type = IOMMUFD_OBJ_HWPT_PAGING;
	w->hwpt.liveupdate.marked = true;
	w->hwpt.liveupdate.preserved = true;
	w->unmarked.ioas = &w->ioas;
	w->unmarked.common.obj.type = IOMMUFD_OBJ_HWPT_PAGING;
	w->nested.common.obj.type = IOMMUFD_OBJ_HWPT_NESTED;
	w->nested.parent = &w->hwpt;

	w->attach.hwpt = &w->hwpt.common;
	w->pasid_attach.hwpt = &w->hwpt.common;
	xa_store(&w->attach.device_array, DEVICE_ID, &w->idev, GFP_KERNEL);
	xa_store(&w->igroup.pasid_attach, IOMMU_NO_PASID, &w->attach,
		 GFP_KERNEL);
	return 0;
}

static void world_exit(struct kunit *test)
{
	struct world *w = test->priv;

	if (w)
		iopt_destroy_table(&w->ioas.iopt);
}

static void expect_hwpt(struct kunit *test, int err)
{
	struct world *w = test->priv;
	struct iommufd_hwpt_paging *hwpt;

	mutex_lock(&w->igroup.lock);
	hwpt = iommufd_device_preserved_hwpt(&w->idev);
	mutex_unlock(&w->igroup.lock);

	if (err)
		KUNIT_EXPECT_EQ(test, err, PTR_ERR_OR_ZERO(hwpt));
	else
		KUNIT_EXPECT_PTR_EQ(test, &w->hwpt, hwpt);
}

static void test_plain_attachment(struct kunit *test)
{
	expect_hwpt(test, 0);
}

static void test_not_attached(struct kunit *test)
{
	struct world *w = test->priv;

	/* Another device of the group is */
	xa_erase(&w->attach.device_array, DEVICE_ID);
	xa_store(&w->attach.device_array, OTHER_ID, &w->other, GFP_KERNEL);
	expect_hwpt(test, -ENOENT);

	/* None is */
	xa_erase(&w->igroup.pasid_attach, IOMMU_NO_PASID);
	expect_hwpt(test, -ENOENT);
}

static void test_attached_on_pasid(struct kunit *test)
{
	struct world *w = test->priv;

	/* This device, beside its attachment without PASID */
	xa_store(&w->pasid_attach.device_array, DEVICE_ID, &w->idev,
		 GFP_KERNEL);
	xa_store(&w->igroup.pasid_attach, SOME_PASID, &w->pasid_attach,
		 GFP_KERNEL);
	expect_hwpt(test, 0);

	/* On a PASID only */
	xa_erase(&w->igroup.pasid_attach, IOMMU_NO_PASID);
	expect_hwpt(test, -ENOENT);
	xa_store(&w->igroup.pasid_attach, IOMMU_NO_PASID, &w->attach,
		 GFP_KERNEL);

	/* The last PASID there is, on what is not fit */
	xa_erase(&w->igroup.pasid_attach, SOME_PASID);
	xa_store(&w->igroup.pasid_attach, HIGH_PASID, &w->pasid_attach,
		 GFP_KERNEL);
	w->pasid_attach.hwpt = &w->nested.common;
	expect_hwpt(test, -EOPNOTSUPP);
	w->pasid_attach.hwpt = &w->unmarked.common;
	expect_hwpt(test, -ENOENT);

	xa_erase(&w->igroup.pasid_attach, HIGH_PASID);
	expect_hwpt(test, 0);
}

/* Each of a group for itself; whether all of it were is asked before the kexec */
static void test_attached_with_others(struct kunit *test)
{
	struct world *w = test->priv;

	xa_store(&w->attach.device_array, OTHER_ID, &w->other, GFP_KERNEL);
	expect_hwpt(test, 0);
}

static void test_unfit_hwpt(struct kunit *test)
{
	struct world *w = test->priv;

	w->attach.hwpt = &w->nested.common;
	expect_hwpt(test, -EOPNOTSUPP);
	w->attach.hwpt = &w->hwpt.common;

	/* Never looked into, only whether there is one */
	w->hwpt.common.fault = (void *)w;
	expect_hwpt(test, -EOPNOTSUPP);
	w->hwpt.common.fault = NULL;

	w->hwpt.liveupdate.preserved = false;
	expect_hwpt(test, -ENOENT);
}

static void test_vdevice(struct kunit *test)
{
	struct world *w = test->priv;

	/* Never looked into, only whether there is one */
	w->idev.vdev = (void *)w;
	expect_hwpt(test, -EOPNOTSUPP);
	w->idev.vdev = NULL;
	expect_hwpt(test, 0);
}

static void test_preserved_device(struct kunit *test)
{
	struct world *w = test->priv;

	guard(mutex)(&w->igroup.lock);
	KUNIT_EXPECT_EQ(test, 0,
			iommufd_device_check_mutable(&w->idev, NULL, "attach"));

	w->idev.liveupdate.preserved = true;
	w->igroup.liveupdate.nr_preserved = 1;
	KUNIT_EXPECT_EQ(test, -EBUSY,
			iommufd_device_check_mutable(&w->idev, NULL, "attach"));
	/* It would take the preserved device along */
	KUNIT_EXPECT_EQ(test, -EBUSY,
			iommufd_device_check_mutable(&w->other, NULL, "replace"));
	/* But it may leave */
	KUNIT_EXPECT_TRUE(test, iommufd_device_is_preserved(&w->idev));
	KUNIT_EXPECT_FALSE(test, iommufd_device_is_preserved(&w->other));
}

/* Each HWPT on an IOAS counts, the first one given up does not thaw it */
static void test_immutable_ioas(struct kunit *test)
{
	struct world *w = test->priv;
	struct io_pagetable *iopt = &w->ioas.iopt;
	unsigned long iova = 0;

	iopt->liveupdate.nr_preserved = 2;
	KUNIT_EXPECT_EQ(test, -EBUSY, iopt_cut_iova(iopt, &iova, 1));
	KUNIT_EXPECT_EQ(test, -EBUSY, iopt_unmap_all(iopt, NULL));
	iopt->liveupdate.nr_preserved--;
	KUNIT_EXPECT_EQ(test, -EBUSY, iopt_cut_iova(iopt, &iova, 1));
	KUNIT_EXPECT_EQ(test, -EBUSY, iopt_unmap_all(iopt, NULL));
	iopt->liveupdate.nr_preserved--;
	KUNIT_EXPECT_EQ(test, 0, iopt_cut_iova(iopt, &iova, 1));
}

/* A switch that failed has not switched anything */
static void test_dirty_tracking_is_noted(struct kunit *test)
{
	struct world *w = test->priv;

	iommufd_hwpt_lock_dirty_tracking(&w->hwpt);
	iommufd_hwpt_unlock_dirty_tracking(&w->hwpt, true, -EOPNOTSUPP);
	KUNIT_EXPECT_FALSE(test, w->hwpt.liveupdate.dirty_tracking);
	iommufd_hwpt_lock_dirty_tracking(&w->hwpt);
	iommufd_hwpt_unlock_dirty_tracking(&w->hwpt, true, 0);
	KUNIT_EXPECT_TRUE(test, w->hwpt.liveupdate.dirty_tracking);
	iommufd_hwpt_lock_dirty_tracking(&w->hwpt);
	iommufd_hwpt_unlock_dirty_tracking(&w->hwpt, false, 0);
	KUNIT_EXPECT_FALSE(test, w->hwpt.liveupdate.dirty_tracking);
}

/* As VFIO's noiommu mode has it; the session is not even looked at */
static void test_no_iommu(struct kunit *test)
{
	struct world *w = test->priv;
	u64 token;

	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP,
			iommufd_device_preserve(NULL, &w->idev, &token));
}

/* FINISH is refused and does not wait for who holds the group */
static void test_held_group(struct kunit *test)
{
	struct world *w = test->priv;
	unsigned long begin = jiffies;

	KUNIT_EXPECT_FALSE(test, iommufd_device_is_restored(&w->idev));
	scoped_guard(mutex, &w->igroup.lock)
		KUNIT_EXPECT_TRUE(test, iommufd_device_is_restored(&w->idev));
	KUNIT_EXPECT_TRUE(test, time_before(jiffies, begin + 5 * HZ));
	KUNIT_EXPECT_FALSE(test, iommufd_device_is_restored(&w->idev));
}

static struct kunit_case iommufd_liveupdate_cases[] = {
	KUNIT_CASE(test_plain_attachment),
	KUNIT_CASE(test_not_attached),
	KUNIT_CASE(test_attached_on_pasid),
	KUNIT_CASE(test_attached_with_others),
	KUNIT_CASE(test_unfit_hwpt),
	KUNIT_CASE(test_vdevice),
	KUNIT_CASE(test_preserved_device),
	KUNIT_CASE(test_immutable_ioas),
	KUNIT_CASE(test_dirty_tracking_is_noted),
	KUNIT_CASE(test_no_iommu),
	KUNIT_CASE(test_held_group),
	{}
};

static struct kunit_suite iommufd_liveupdate_suite = {
	.name = "iommufd-liveupdate",
	.init = world_init,
	.exit = world_exit,
	.test_cases = iommufd_liveupdate_cases,
};

kunit_test_suite(iommufd_liveupdate_suite);
