// SPDX-License-Identifier: GPL-2.0
/*
 * How iommufd and VFIO take a running device over, as cut out of
 * drivers/iommu/iommufd/liveupdate-incoming.c and drivers/vfio/liveupdate.c by the
 * Makefile: each step fails in turn, and then nothing may be left of it. That walks what
 * no allocation that fails in a machine gets to.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <linux/types.h>

#define GFP_KERNEL		0
#define IOMMU_NO_PASID		0
#define XA_ZERO_ENTRY		((void *)1)
#define ERR_PTR(err)		((void *)(long)(err))
#define PTR_ERR(ptr)		((long)(ptr))
#define IS_ERR(ptr)		((unsigned long)(ptr) >= -4095UL)
#define guard(type)		(void)
#define dev_dbg(dev, ...)	((void)(dev))
#define dev_warn_ratelimited(dev, ...)	((void)(dev))
#define lockdep_assert_held(lock)	((void)(lock))
#define EXPORT_SYMBOL_NS_GPL(symbol, namespace)

/* What can fail, in the order in which it comes */
enum step {
	NOTHING, MODULE, OPEN, INCOMING, OBJECT, GROUP, ATTACH, RESERVE, INSERT, RECLAIM, STEPS
};

/* Of one entry, which is all that is wanted here */
struct xarray {
	bool used, reserved;
	void *entry;
};

struct module { int references; };
struct driver { struct module *owner; };
struct device { struct driver *driver; };
struct iommufd_object { u32 id; int users; bool finalized; };
struct iommufd_ctx { int references; };
struct iommufd_hw_pagetable { struct iommufd_object obj; };

struct iommufd_group {
	int lock;
	int references;
	struct xarray pasid_attach;
};

struct iommufd_attach {
	struct iommufd_hw_pagetable *hwpt;
	struct xarray device_array;
};

struct iommufd_device {
	struct iommufd_object obj;
	struct iommufd_ctx *ictx;
	struct device *dev;
	struct iommufd_group *igroup;
};

struct vfio_device_set { int lock; };
struct vfio_device;

struct vfio_device_ops {
	int (*open_device)(struct vfio_device *device);
	void (*close_device)(struct vfio_device *device);
};

struct vfio_device {
	struct device *dev;
	const struct vfio_device_ops *ops;
	struct vfio_device_set *dev_set;
	struct iommufd_device *iommufd_device;
	int pasids, open_count;
	bool iommufd_attached;
};

struct vfio_device_file {
	struct vfio_device *device;
	struct iommufd_ctx *retrieved_ictx;
	u32 devid;
};

static enum step failing;
static int allocated;
static bool device_open, reclaimed;
static struct module module;
static struct driver driver = { .owner = &module };
static struct device dev = { .driver = &driver };
static struct iommufd_ctx ictx;
static struct iommufd_group group;
static struct iommufd_hw_pagetable iommufd_hwpt_restored;
static struct iommufd_device object;

static bool fails(enum step step)
{
	return failing == step;
}

static void *allocate(size_t size)
{
	if (fails(ATTACH))
		return NULL;
	allocated++;
	return calloc(1, size);
}

static void release(void *memory)
{
	allocated--;
	free(memory);
}

#define kzalloc_obj(object)	allocate(sizeof(object))
#define kfree			release

static void xa_init(struct xarray *xa)
{
	*xa = (struct xarray){ .used = true };
}

static int xa_reserve(struct xarray *xa, unsigned long index, int gfp)
{
	if (fails(RESERVE))
		return -ENOMEM;
	xa->reserved = true;
	return 0;
}

static int xa_insert(struct xarray *xa, unsigned long index, void *entry, int gfp)
{
	if (fails(INSERT))
		return -EBUSY;
	assert_false(xa->reserved);
	xa->reserved = true;
	return 0;
}

static void xa_release(struct xarray *xa, unsigned long index)
{
	assert_null(xa->entry);
	xa->reserved = false;
}

/* Nothing may fail any more, so there has to be room. */
static void xa_store(struct xarray *xa, unsigned long index, void *entry, int gfp)
{
	assert_true(xa->reserved);
	xa->entry = entry;
}

static void xa_destroy(struct xarray *xa)
{
	xa->used = false;
}

static int iommu_device_reclaim(struct device *device, void *owner)
{
	if (fails(RECLAIM))
		return -EIO;
	reclaimed = true;
	return 0;
}

static int device_check_incoming(struct iommufd_ctx *ctx, struct device *device)
{
	return fails(INCOMING) ? -EPERM : 0;
}

static struct iommufd_device *make_object(void)
{
	if (fails(OBJECT))
		return ERR_PTR(-ENOMEM);
	object = (struct iommufd_device){ .obj = { .id = 7, .users = 1 } };
	return &object;
}

#define iommufd_object_alloc(ctx, pointer, type)	make_object()
#define refcount_add(number, users)			(*(users) += (number))
#define refcount_inc(users)				(++*(users))
#define iommufd_selftest_is_mock_dev(device)		((void)(device), false)

static void iommufd_object_abort(struct iommufd_ctx *ctx, struct iommufd_object *obj)
{
	assert_int_equal(obj->users, 1);
	obj->users = 0;
}

static void iommufd_object_finalize(struct iommufd_ctx *ctx, struct iommufd_object *obj)
{
	obj->finalized = true;
}

static struct iommufd_group *iommufd_device_get_group(struct iommufd_device *idev)
{
	if (fails(GROUP))
		return ERR_PTR(-ENOMEM);
	group.references++;
	return &group;
}

static void iommufd_put_group(struct iommufd_group *igroup)
{
	igroup->references--;
}

static void iommufd_ctx_get(struct iommufd_ctx *ctx)
{
	ctx->references++;
}

static bool try_module_get(struct module *owner)
{
	if (fails(MODULE))
		return false;
	owner->references++;
	return true;
}

static void module_put(struct module *owner)
{
	owner->references--;
}

static void ida_init(int *ida)
{
	*ida = 1;
}

static int open_device(struct vfio_device *device)
{
	if (fails(OPEN))
		return -EINVAL;
	device_open = true;
	return 0;
}

static void close_device(struct vfio_device *device)
{
	assert_true(device_open);
	device_open = false;
}

#include "cut/reclaim.h"

static const struct vfio_device_ops ops = {
	.open_device = open_device,
	.close_device = close_device,
};
static struct vfio_device_set set;
static struct vfio_device vfio = { .dev = &dev, .ops = &ops, .dev_set = &set };
static struct vfio_device_file file = { .device = &vfio, .retrieved_ictx = &ictx };

static int set_up(void **state)
{
	failing = NOTHING;
	allocated = 0;
	device_open = reclaimed = false;
	module = (struct module){ 0 };
	ictx = (struct iommufd_ctx){ 0 };
	group = (struct iommufd_group){ 0 };
	iommufd_hwpt_restored.obj.users = 1;
	object = (struct iommufd_device){ 0 };
	vfio.open_count = 0;
	vfio.iommufd_device = NULL;
	vfio.iommufd_attached = false;
	return 0;
}

static void expect_nothing(void)
{
	assert_false(device_open || reclaimed);
	assert_int_equal(vfio.open_count, 0);
	assert_null(vfio.iommufd_device);
	assert_false(vfio.iommufd_attached);
	assert_int_equal(module.references, 0);
	assert_int_equal(ictx.references, 0);
	assert_int_equal(group.references, 0);
	assert_false(group.pasid_attach.reserved);
	assert_int_equal(iommufd_hwpt_restored.obj.users, 1);
	assert_int_equal(object.obj.users, 0);
	assert_false(object.obj.finalized);
	assert_int_equal(allocated, 0);
}

static void test_bind(void **state)
{
	struct iommufd_attach *attach;

	assert_int_equal(vfio_df_open_retrieved(&file), 0);
	assert_true(device_open && reclaimed && vfio.iommufd_attached);
	assert_ptr_equal(vfio.iommufd_device, &object);
	assert_int_equal(file.devid, 7);
	assert_int_equal(object.obj.users, 3);
	assert_int_equal(ictx.references, 1);
	assert_int_equal(iommufd_hwpt_restored.obj.users, 2);
	attach = group.pasid_attach.entry;
	assert_ptr_equal(attach->hwpt, &iommufd_hwpt_restored);
	assert_ptr_equal(attach->device_array.entry, &object);

	/* Somebody has it open */
	assert_int_equal(vfio_df_open_retrieved(&file), -EINVAL);
	assert_int_equal(module.references, 1);
	release(attach);
}

static void test_each_step_fails(void **state)
{
	static const int errors[] = {
		[MODULE] = -ENODEV, [OPEN] = -EINVAL, [INCOMING] = -EPERM, [OBJECT] = -ENOMEM,
		[GROUP] = -ENOMEM, [ATTACH] = -ENOMEM, [RESERVE] = -ENOMEM, [INSERT] = -EBUSY,
		[RECLAIM] = -EIO,
	};

	for (enum step step = MODULE; step < STEPS; step++) {
		set_up(NULL);
		failing = step;
		assert_int_equal(vfio_df_open_retrieved(&file), errors[step]);
		expect_nothing();

		/* And then it can be had. */
		failing = NOTHING;
		assert_int_equal(vfio_df_open_retrieved(&file), 0);
		assert_true(reclaimed);
		release(group.pasid_attach.entry);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_bind, set_up),
		cmocka_unit_test_setup(test_each_step_fails, set_up),
	};

	return cmocka_run_group_tests_name("reclaim", tests, NULL, NULL);
}
