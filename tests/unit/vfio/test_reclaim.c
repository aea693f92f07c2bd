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
#define IS_ERR_OR_NULL(ptr)	(!(ptr) || IS_ERR(ptr))
#define guard(type)		(void)
#define dev_dbg(dev, ...)	((void)(dev))
#define dev_warn_ratelimited(dev, ...)	((void)(dev))
#define lockdep_assert_held(lock)	((void)(lock))
#define EXPORT_SYMBOL_NS_GPL(symbol, namespace)

/* What can fail, in the order in which it comes */
enum step {
	NOTHING, MODULE, OPEN, INCOMING, OBJECT, GROUP, MUTABLE, RESTORED, RECORD, ATTACH, RESERVE, INSERT,
	RESERVED_IOVA, RECLAIM, STEPS
};

#define XA_ENTRIES	8

struct xarray {
	bool reserved[XA_ENTRIES];
	void *entry[XA_ENTRIES];
};

struct module { int references; };
struct driver { struct module *owner; };
struct device { struct driver *driver; };
struct iommufd_object { u32 id; int users; bool finalized; };
struct iommufd_ctx { int references; };
struct iommufd_hw_pagetable { struct iommufd_object obj; };
struct io_pagetable { int reserved; };
struct iommufd_ioas { struct io_pagetable iopt; };
struct iommufd_hwpt_paging { struct iommufd_hw_pagetable common; struct iommufd_ioas *ioas; };
struct iommu_attachment_ser { u32 pasid; };
struct iommu_device_ser { int nr; };

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
/* How often it works before */
static int after;
static int allocated;
static bool device_open, reclaimed;
static struct module module;
static struct driver driver = { .owner = &module };
static struct device dev = { .driver = &driver };
static struct iommufd_ctx ictx;
static struct iommufd_group group;
static struct iommufd_hw_pagetable iommufd_hwpt_restored;
static struct iommufd_device object;
static struct iommufd_ioas ioas;
static struct iommufd_hwpt_paging hwpt = { .ioas = &ioas };
/* What the device came in on: without a PASID, and by one */
static const struct iommu_device_ser record;
static const struct iommu_attachment_ser attachments[] = { { .pasid = 0 }, { .pasid = 5 } };

static bool fails(enum step step)
{
	return failing == step && !after--;
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
	*xa = (struct xarray){ 0 };
}

static void *xa_load(struct xarray *xa, unsigned long index)
{
	return xa->entry[index];
}

static void xa_erase(struct xarray *xa, unsigned long index)
{
	xa->reserved[index] = false;
	xa->entry[index] = NULL;
}

#define xa_for_each(xa, index, value)					\
	for ((index) = 0; (index) < XA_ENTRIES; (index)++)		\
		if (((value) = xa_load(xa, index)))

static int xa_reserve(struct xarray *xa, unsigned long index, int gfp)
{
	if (fails(RESERVE))
		return -ENOMEM;
	xa->reserved[index] = true;
	return 0;
}

static int xa_insert(struct xarray *xa, unsigned long index, void *entry, int gfp)
{
	if (fails(INSERT))
		return -EBUSY;
	assert_false(xa->reserved[index]);
	xa->reserved[index] = true;
	xa->entry[index] = entry == XA_ZERO_ENTRY ? NULL : entry;
	return 0;
}

static void xa_release(struct xarray *xa, unsigned long index)
{
	assert_null(xa->entry[index]);
	xa->reserved[index] = false;
}

/* Nothing may fail any more, so there has to be room. */
static void xa_store(struct xarray *xa, unsigned long index, void *entry, int gfp)
{
	assert_true(xa->reserved[index]);
	xa->entry[index] = entry;
}

static void xa_destroy(struct xarray *xa)
{
	xa_init(xa);
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

static const struct iommu_device_ser *iommu_liveupdate_incoming_record(struct device *device)
{
	return fails(RECORD) ? ERR_PTR(-ENXIO) : &record;
}

static const struct iommu_attachment_ser *
iommu_liveupdate_next_attachment(const struct iommu_device_ser *devrec,
				 const struct iommu_attachment_ser *att)
{
	if (!att)
		return &attachments[0];
	return att == &attachments[0] ? &attachments[1] : NULL;
}

static bool iommu_liveupdate_device_restored(struct device *device)
{
	return !fails(RESTORED);
}

static int iommufd_device_check_mutable(struct iommufd_device *idev,
					struct iommufd_hwpt_paging *hwpt_paging, const char *what)
{
	return fails(MUTABLE) ? -EBUSY : 0;
}

static bool iommufd_hwpt_is_restored(const struct iommufd_hw_pagetable *table)
{
	return table == &iommufd_hwpt_restored;
}

static struct iommufd_hwpt_paging *find_hwpt_paging(struct iommufd_hw_pagetable *table)
{
	return table == &hwpt.common ? &hwpt : NULL;
}

static int iommufd_device_attach_reserved_iova(struct iommufd_device *idev,
					       struct iommufd_hwpt_paging *hwpt_paging)
{
	if (fails(RESERVED_IOVA))
		return -EADDRINUSE;
	hwpt_paging->ioas->iopt.reserved++;
	return 0;
}

static void iopt_remove_reserved_iova(struct io_pagetable *iopt, struct device *device)
{
	iopt->reserved--;
}

static struct iommufd_device *make_object(void)
{
	if (fails(OBJECT))
		return ERR_PTR(-ENOMEM);
	object = (struct iommufd_device){ .obj = { .id = 7, .users = 1 } };
	return &object;
}

#define iommufd_object_alloc(ctx, pointer, type)	make_object()
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
	after = 0;
	allocated = 0;
	ioas.iopt.reserved = 0;
	hwpt.common.obj.users = 1;
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
	assert_int_equal(ioas.iopt.reserved, 0);
	assert_int_equal(iommufd_hwpt_restored.obj.users, 1);
	assert_int_equal(object.obj.users, 0);
	assert_false(object.obj.finalized);
}

static void expect_nothing_of_group(void)
{
	for (int pasid = 0; pasid < XA_ENTRIES; pasid++)
		assert_false(group.pasid_attach.reserved[pasid]);
	assert_int_equal(allocated, 0);
}

static void free_attaches(void)
{
	release(group.pasid_attach.entry[0]);
	release(group.pasid_attach.entry[5]);
	assert_int_equal(allocated, 0);
}

static void test_bind(void **state)
{
	struct iommufd_attach *attach;

	assert_int_equal(vfio_df_open_retrieved(&file), 0);
	assert_true(device_open && reclaimed && vfio.iommufd_attached);
	assert_ptr_equal(vfio.iommufd_device, &object);
	assert_int_equal(file.devid, 7);
	/* Its own, that of the bind, and one for each attachment */
	assert_int_equal(object.obj.users, 4);
	assert_int_equal(ictx.references, 1);
	assert_int_equal(iommufd_hwpt_restored.obj.users, 3);
	for (unsigned int i = 0; i < 2; i++) {
		attach = group.pasid_attach.entry[attachments[i].pasid];
		assert_ptr_equal(attach->hwpt, &iommufd_hwpt_restored);
		assert_ptr_equal(attach->device_array.entry[7], &object);
	}

	/* Somebody has it open */
	assert_int_equal(vfio_df_open_retrieved(&file), -EINVAL);
	assert_int_equal(module.references, 1);
	free_attaches();
}

static void test_each_step_fails(void **state)
{
	static const int errors[STEPS] = {
		[MODULE] = -ENODEV, [OPEN] = -EINVAL, [INCOMING] = -EPERM, [OBJECT] = -ENOMEM,
		[GROUP] = -ENOMEM, [RESTORED] = -EIO, [RECORD] = -EIO, [ATTACH] = -ENOMEM,
		[RESERVE] = -ENOMEM, [INSERT] = -EBUSY, [RECLAIM] = -EIO,
	};
	/* Of those that come for each attachment, the last one */
	static const int last[STEPS] = { [ATTACH] = 1, [RESERVE] = 1, [INSERT] = 3 };

	for (enum step step = MODULE; step < STEPS; step++) {
		if (!errors[step])
			continue;
		for (int nr = 0; nr <= last[step]; nr++) {
			set_up(NULL);
			failing = step;
			after = nr;
			assert_int_equal(vfio_df_open_retrieved(&file), errors[step]);
			expect_nothing();
			expect_nothing_of_group();
		}
		/* And then it can be had. */
		failing = NOTHING;
		assert_int_equal(vfio_df_open_retrieved(&file), 0);
		assert_true(reclaimed);
		free_attaches();
	}
}

/* Another device of the group was there first. */
static void attach_group(struct iommufd_attach *attach, struct iommufd_hw_pagetable *table)
{
	set_up(NULL);
	*attach = (struct iommufd_attach){ .hwpt = table };
	group.pasid_attach.reserved[0] = true;
	group.pasid_attach.entry[0] = attach;
}

static void test_follow(void **state)
{
	struct iommufd_attach attach;

	/* What both came in on */
	attach_group(&attach, &iommufd_hwpt_restored);
	assert_int_equal(vfio_df_open_retrieved(&file), 0);
	assert_true(reclaimed && vfio.iommufd_attached);
	assert_ptr_equal(attach.device_array.entry[7], &object);
	assert_int_equal(object.obj.users, 3);
	assert_int_equal(iommufd_hwpt_restored.obj.users, 2);
	assert_int_equal(ioas.iopt.reserved, 0);

	/* What the other one has moved both to */
	attach_group(&attach, &hwpt.common);
	assert_int_equal(vfio_df_open_retrieved(&file), 0);
	assert_ptr_equal(attach.device_array.entry[7], &object);
	assert_int_equal(hwpt.common.obj.users, 2);
	assert_int_equal(iommufd_hwpt_restored.obj.users, 1);
	assert_int_equal(ioas.iopt.reserved, 1);
	assert_int_equal(allocated, 0);
}

static void test_each_step_of_follow_fails(void **state)
{
	static const int errors[STEPS] = {
		[MUTABLE] = -EBUSY, [RESERVE] = -ENOMEM, [RESERVED_IOVA] = -EADDRINUSE, [RECLAIM] = -EIO,
	};
	struct iommufd_attach attach;

	for (enum step step = MODULE; step < STEPS; step++) {
		if (!errors[step])
			continue;
		attach_group(&attach, &hwpt.common);
		failing = step;
		assert_int_equal(vfio_df_open_retrieved(&file), errors[step]);
		expect_nothing();
		assert_false(attach.device_array.reserved[7]);
		assert_int_equal(hwpt.common.obj.users, 1);
		assert_ptr_equal(group.pasid_attach.entry[0], &attach);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_bind, set_up),
		cmocka_unit_test_setup(test_each_step_fails, set_up),
		cmocka_unit_test_setup(test_follow, set_up),
		cmocka_unit_test_setup(test_each_step_of_follow_fails, set_up),
	};

	return cmocka_run_group_tests_name("reclaim", tests, NULL, NULL);
}
