// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */

/**
 * DOC: Mock IOMMU for live update
 *
 * Units, devices and a driver for both that need no hardware: what the IOMMU core
 * and iommufd do for a live update can be tried, through a real kexec, on a machine
 * without an IOMMU, and with more units, shared tables and hot-plug than an emulator
 * has. The hardware is liveupdate_mock_hw.c, the IOMMU driver, which is also a
 * pattern for others, is liveupdate_mock_iommu.c. Here are the devices and what
 * stands in for VFIO: a file for each device, which LUO can preserve.
 *
 * 1. MOCK_OPEN makes the file of a device, MOCK_BIND and MOCK_ATTACH do what their
 *    namesakes of VFIO do.
 * 2. mock_liveupdate_preserve() preserves the attachment by iommufd, and writes down
 *    which device it is. The device goes on as it is.
 * 3. In the next kernel the device is found again. The file that
 *    mock_liveupdate_retrieve() makes belongs to the iommufd of its session, and its
 *    MOCK_BIND reclaims the device. The next MOCK_ATTACH replaces.
 * 4. mock_liveupdate_finish() leaves a device that was attached anew alone, and stops
 *    one that nobody has taken.
 *
 * Locking: mock_lock, a mutex, guards which units and devices are there and who has
 * them open. mock_file.lock guards what a file is bound to, and is taken first. It is
 * held while iommufd attaches, so LUO only tries it.
 */

#define pr_fmt(fmt) "iommu mock: " fmt

#include <linux/anon_inodes.h>
#include <linux/cleanup.h>
#include <linux/crc32.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/io.h>
#include <linux/iommu-liveupdate.h>
#include <linux/iommufd.h>
#include <linux/kexec_handover.h>
#include <linux/liveupdate.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/property.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "../iommu-priv.h"
#include "liveupdate_mock.h"

static unsigned int mock_units_at_boot = BIT(MOCK_UNITS) - 1;
module_param_named(units, mock_units_at_boot, uint, 0444);
MODULE_PARM_DESC(units, "Units that are there from the beginning, one bit for each");

/**
 * struct mock_ser - Record of the file of a device
 * @length: Bytes of this struct
 * @crc: CRC-32 of what follows
 * @rid: Which device
 * @reserved: 0
 * @iommufd_token: Of its iommufd, in the session
 */
struct mock_ser {
	u32 length;
	u32 crc;
	u32 rid;
	u32 reserved;
	u64 iommufd_token;
};

/**
 * struct mock_file - A device that somebody has open
 * @mdev: The device, with a reference
 * @lock: Guards the rest
 * @idev: Its object in iommufd, if it is bound
 * @attached: One bit for each PASID that has a page table, 0 for requests without one
 * @retrieved: The iommufd of the session it came from, until that is finished
 */
struct mock_file {
	struct mock_device *mdev;
	/* Taken before mock_lock */
	struct mutex lock;
	struct iommufd_device *idev;
	unsigned long attached;
	struct iommufd_ctx *retrieved;
};

/* As firmware tells it of other devices */
static const struct property_entry mock_properties[] = {
	PROPERTY_ENTRY_U32("pasid-num-bits", ilog2(MOCK_PASIDS)),
	{}
};

static DEFINE_MUTEX(mock_lock);
static const struct bus_type mock_bus = {
	.name = "iommu_mock",
};

/* Devices */

static void mock_device_free(struct device *dev)
{
	kfree(to_mock_device(dev));
}

static int mock_device_is(struct device *dev, const void *rid)
{
	return to_mock_device(dev)->rid == *(const u32 *)rid;
}

/* The caller puts it */
static struct mock_device *mock_device_get(u32 rid)
{
	struct device *dev = bus_find_device(&mock_bus, NULL, &rid, mock_device_is);

	return dev ? to_mock_device(dev) : NULL;
}

static int mock_device_add(u32 rid)
{
	struct mock_unit *unit = mock_iommu_unit(rid);
	struct mock_device *mdev;
	int ret;

	lockdep_assert_held(&mock_lock);

	if (!unit->registered)
		return -ENODEV;
	mdev = mock_device_get(rid);
	if (mdev) {
		put_device(&mdev->dev);
		return -EEXIST;
	}
	mdev = kzalloc_obj(*mdev);
	if (!mdev)
		return -ENOMEM;

	mdev->rid = rid;
	device_initialize(&mdev->dev);
	mdev->dev.bus = &mock_bus;
	mdev->dev.release = mock_device_free;
	ret = dev_set_name(&mdev->dev, "iommu_mock.%u", rid);
	if (ret)
		goto err_put;
	ret = device_create_managed_software_node(&mdev->dev, mock_properties, NULL);
	if (ret)
		goto err_put;
	ret = iommu_mock_device_add(&mdev->dev, &unit->iommu);
	if (ret)
		goto err_node;
	mock_hw()->present |= BIT_ULL(rid);
	return 0;

err_node:
	device_remove_software_node(&mdev->dev);
err_put:
	put_device(&mdev->dev);
	return ret;
}

static int mock_device_remove(u32 rid)
{
	struct mock_device *mdev = mock_device_get(rid);
	int ret = -EBUSY;

	lockdep_assert_held(&mock_lock);

	if (!mdev)
		return -ENODEV;
	if (!mdev->open) {
		device_unregister(&mdev->dev);
		mock_hw()->present &= ~BIT_ULL(rid);
		ret = 0;
	}
	put_device(&mdev->dev);
	return ret;
}

/* What is plugged in is found, like on any bus, be it running or not */
static int mock_unit_add(unsigned int nr)
{
	u32 rid, first = nr * MOCK_PER_UNIT;
	int ret;

	lockdep_assert_held(&mock_lock);

	ret = mock_iommu_add_unit(nr, &mock_bus);
	for (rid = first; !ret && rid < first + MOCK_PER_UNIT; rid++)
		if (mock_hw()->present & BIT_ULL(rid))
			ret = mock_device_add(rid);
	return ret;
}

static int mock_unit_remove(unsigned int nr)
{
	struct mock_device *mdev;
	u32 rid;

	lockdep_assert_held(&mock_lock);

	for (rid = nr * MOCK_PER_UNIT; rid < (nr + 1) * MOCK_PER_UNIT; rid++) {
		mdev = mock_device_get(rid);
		if (mdev) {
			put_device(&mdev->dev);
			return -EBUSY;
		}
	}
	return mock_iommu_remove_unit(nr, &mock_bus);
}

/* The file of a device */

/* What a device came in attached by */
static unsigned long mock_file_restored(struct mock_file *mf)
{
	const struct iommu_attachment_ser *att = NULL;
	const struct iommu_device_ser *devrec;
	unsigned long pasids = 0;

	devrec = iommu_liveupdate_incoming_record(&mf->mdev->dev);
	if (IS_ERR_OR_NULL(devrec))
		return 0;
	while ((att = iommu_liveupdate_next_attachment(devrec, att)))
		pasids |= BIT(att->pasid);
	return pasids;
}

static long mock_file_bind(struct mock_file *mf, struct mock_cmd *cmd)
{
	unsigned long restored = mf->retrieved ? mock_file_restored(mf) : 0;
	struct iommufd_device *idev;
	struct iommufd_ctx *ictx;

	if (mf->idev)
		return -EBUSY;
	ictx = iommufd_ctx_from_fd(cmd->nr);
	if (IS_ERR(ictx))
		return PTR_ERR(ictx);

	if (!mf->retrieved)
		idev = iommufd_device_bind(ictx, &mf->mdev->dev, &cmd->nr);
	else if (mf->retrieved == ictx)
		idev = iommufd_device_reclaim(ictx, &mf->mdev->dev, &cmd->nr);
	else
		idev = ERR_PTR(-EPERM);
	iommufd_ctx_put(ictx);
	if (IS_ERR(idev))
		return PTR_ERR(idev);

	mf->idev = idev;
	/* What is attached next replaces what it came in on */
	mf->attached = restored;
	return 0;
}

static long mock_file_attach(struct mock_file *mf, struct mock_cmd *cmd)
{
	int ret;

	if (!mf->idev || cmd->pasid >= MOCK_PASIDS)
		return -EINVAL;
	if (mf->attached & BIT(cmd->pasid))
		return iommufd_device_replace(mf->idev, cmd->pasid, &cmd->nr);
	ret = iommufd_device_attach(mf->idev, cmd->pasid, &cmd->nr);
	if (!ret)
		mf->attached |= BIT(cmd->pasid);
	return ret;
}

static void mock_file_detach_all(struct mock_file *mf)
{
	unsigned int pasid;

	for_each_set_bit(pasid, &mf->attached, MOCK_PASIDS)
		iommufd_device_detach(mf->idev, pasid);
	mf->attached = 0;
}

/* As VFIO has it, what came in is not detached from all before it is finished */
static long mock_file_detach(struct mock_file *mf, struct mock_cmd *cmd)
{
	if (!mf->idev || cmd->pasid >= MOCK_PASIDS ||
	    !(mf->attached & BIT(cmd->pasid)))
		return -EINVAL;
	if ((mf->retrieved && !cmd->pasid) || mf->mdev->preserved)
		return -EBUSY;
	iommufd_device_detach(mf->idev, cmd->pasid);
	mf->attached &= ~BIT(cmd->pasid);
	return 0;
}

static long mock_file_command(struct mock_file *mf, unsigned int nr,
			      struct mock_cmd *cmd)
{
	lockdep_assert_held(&mf->lock);

	switch (nr) {
	case MOCK_BIND:
		return mock_file_bind(mf, cmd);
	case MOCK_ATTACH:
		return mock_file_attach(mf, cmd);
	case MOCK_DETACH:
		return mock_file_detach(mf, cmd);
	default:
		return -ENOTTY;
	}
}

static long mock_file_ioctl(struct file *file, unsigned int nr, unsigned long arg)
{
	struct mock_file *mf = file->private_data;
	void __user *user = (void __user *)arg;
	struct mock_cmd cmd;
	long ret;

	if (copy_from_user(&cmd, user, sizeof(cmd)))
		return -EFAULT;

	/* Not held over copies: they may wait for another program */
	scoped_guard(mutex, &mf->lock)
		ret = mock_file_command(mf, nr, &cmd);
	if (!ret && copy_to_user(user, &cmd, sizeof(cmd)))
		return -EFAULT;
	return ret;
}

static int mock_file_release(struct inode *inode, struct file *file)
{
	struct mock_file *mf = file->private_data;

	if (mf->idev) {
		mock_file_detach_all(mf);
		iommufd_device_unbind(mf->idev);
	}
	if (mf->retrieved)
		iommufd_ctx_put(mf->retrieved);
	scoped_guard(mutex, &mock_lock)
		mf->mdev->open = false;
	put_device(&mf->mdev->dev);
	mutex_destroy(&mf->lock);
	kfree(mf);
	return 0;
}

static const struct file_operations mock_file_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = mock_file_ioctl,
	.release = mock_file_release,
};

/* For a device of the session of @retrieved, or NULL for an ordinary one */
static struct file *mock_file_open(u32 rid, struct iommufd_ctx *retrieved)
{
	struct mock_device *mdev = mock_device_get(rid);
	struct mock_file *mf;
	struct file *file;

	lockdep_assert_held(&mock_lock);

	if (!mdev)
		return ERR_PTR(-ENODEV);
	if (mdev->open) {
		file = ERR_PTR(-EBUSY);
		goto err_put;
	}
	mf = kzalloc_obj(*mf);
	if (!mf) {
		file = ERR_PTR(-ENOMEM);
		goto err_put;
	}
	file = anon_inode_getfile("[iommu_mock]", &mock_file_fops, mf, O_RDWR);
	if (IS_ERR(file))
		goto err_free;

	mutex_init(&mf->lock);
	mf->mdev = mdev;
	mf->retrieved = retrieved;
	mdev->open = true;
	return file;

err_free:
	kfree(mf);
err_put:
	put_device(&mdev->dev);
	return file;
}

/* Live update of it */

static bool mock_liveupdate_can_preserve(struct liveupdate_file_handler *handler,
					 struct file *file)
{
	return file->f_op == &mock_file_fops;
}

static u32 mock_ser_crc(const struct mock_ser *ser)
{
	return crc32_le(~0, (const u8 *)&ser->rid,
			sizeof(*ser) - offsetof(struct mock_ser, rid));
}

static int mock_liveupdate_preserve(struct liveupdate_file_op_args *args)
{
	struct mock_file *mf = args->file->private_data;
	struct mock_ser *ser;
	int ret;

	ACQUIRE(mutex_try, locked)(&mf->lock);
	if (ACQUIRE_ERR(mutex_try, &locked)) {
		liveupdate_dev_warn(&mf->mdev->dev, "cannot be preserved, it is being attached\n");
		return -EBUSY;
	}
	if (!mf->idev || !(mf->attached & BIT(IOMMU_NO_PASID))) {
		liveupdate_dev_warn(&mf->mdev->dev, "cannot be preserved, it is not attached\n");
		return -EINVAL;
	}
	ser = kho_alloc_preserve(sizeof(*ser));
	if (IS_ERR(ser))
		return PTR_ERR(ser);

	ret = iommufd_device_preserve(args->session, mf->idev,
				      &ser->iommufd_token);
	if (ret) {
		kho_unpreserve_free(ser);
		return ret;
	}
	ser->length = sizeof(*ser);
	ser->rid = mf->mdev->rid;
	ser->reserved = 0;
	ser->crc = mock_ser_crc(ser);
	mf->mdev->preserved = true;
	args->private_data = ser;
	args->serialized_data = virt_to_phys(ser);
	return 0;
}

static void mock_liveupdate_unpreserve(struct liveupdate_file_op_args *args)
{
	struct mock_file *mf = args->file->private_data;

	/* Nothing of it could change meanwhile, so it is done without the lock */
	iommufd_device_unpreserve(mf->idev);
	mf->mdev->preserved = false;
	kho_unpreserve_free(args->private_data);
}

/* The record at @pa, or NULL */
static struct mock_ser *mock_ser_incoming(u64 pa)
{
	struct mock_ser *ser;

	if (!pa || pa % PAGE_SIZE || !kho_is_preserved(pa, 0))
		return NULL;
	ser = phys_to_virt(pa);
	if (ser->length != sizeof(*ser) || ser->crc != mock_ser_crc(ser) ||
	    ser->rid >= MOCK_DEVICES || ser->reserved)
		return NULL;
	return ser;
}

static struct file *mock_liveupdate_get_file(u32 rid, struct iommufd_ctx *ictx)
{
	struct mock_device *mdev;
	struct file *file;

	guard(mutex)(&mock_lock);
	mdev = mock_device_get(rid);
	/* Its unit may be added yet */
	if (!mdev)
		return ERR_PTR(-EAGAIN);
	if (IS_ERR_OR_NULL(iommu_liveupdate_incoming_record(&mdev->dev)))
		file = ERR_PTR(-EIO);
	else
		file = mock_file_open(rid, ictx);
	put_device(&mdev->dev);
	return file;
}

static int mock_liveupdate_retrieve(struct liveupdate_file_op_args *args)
{
	struct file *iommufd_file;
	struct iommufd_ctx *ictx;
	struct mock_ser *ser;
	struct file *file;
	int ret;

	ser = mock_ser_incoming(args->serialized_data);
	if (!ser) {
		liveupdate_refuse_warn("retrieve refused, the record cannot be used\n");
		return -EINVAL;
	}
	ret = liveupdate_get_file_incoming(args->session, ser->iommufd_token,
					   &iommufd_file);
	if (ret)
		return ret;
	ictx = iommufd_ctx_from_file(iommufd_file);
	fput(iommufd_file);
	if (IS_ERR(ictx))
		return PTR_ERR(ictx);

	file = mock_liveupdate_get_file(ser->rid, ictx);
	if (IS_ERR(file)) {
		liveupdate_refuse_warn("retrieve refused, device %u cannot be had: %pe\n",
				       ser->rid, file);
		iommufd_ctx_put(ictx);
		return PTR_ERR(file);
	}
	args->file = file;
	return 0;
}

/* A device that nobody holds can be stopped, one that somebody holds is to be his */
static bool mock_liveupdate_can_finish(struct liveupdate_file_op_args *args)
{
	struct mock_ser *ser = mock_ser_incoming(args->serialized_data);
	struct mock_file *mf;

	if (!ser) {
		liveupdate_refuse_err("finish refused, the record cannot be used\n");
		return false;
	}
	if (args->retrieve_status <= 0 || file_count(args->file) == 1) {
		if (iommu_liveupdate_can_block(MOCK_SEGMENT, ser->rid))
			return true;
		liveupdate_refuse_err("finish refused, the unit of device %u is not in use here\n",
				      ser->rid);
		return false;
	}

	mf = args->file->private_data;
	ACQUIRE(mutex_try, locked)(&mf->lock);
	if (ACQUIRE_ERR(mutex_try, &locked)) {
		liveupdate_dev_warn(&mf->mdev->dev, "finish refused, it is being attached\n");
		return false;
	}
	if (mf->idev && !iommufd_device_is_restored(mf->idev))
		return true;
	liveupdate_dev_warn(&mf->mdev->dev, "finish refused, it is still on the old page table, and its file is open\n");
	return false;
}

/*
 * Returns false for a file that was never bound. Either nobody but the session has the
 * file, or it is bound and on another HWPT: no lock is needed, as with VFIO.
 */
static bool mock_liveupdate_settle(struct file *file)
{
	struct mock_file *mf = file->private_data;
	struct iommufd_ctx *ictx = mf->retrieved;

	WRITE_ONCE(mf->retrieved, NULL);
	iommufd_ctx_put(ictx);
	if (!mf->idev)
		return false;
	if (file_count(file) == 1 &&
	    iommu_liveupdate_device_restored(&mf->mdev->dev)) {
		mock_hw_master(mf->mdev->rid, false);
		mock_file_detach_all(mf);
	}
	return true;
}

static void mock_liveupdate_finish(struct liveupdate_file_op_args *args)
{
	struct mock_ser *ser = mock_ser_incoming(args->serialized_data);

	/* It was fine for can_finish a moment ago */
	if (WARN_ON_ONCE(!ser))
		return;
	if (args->retrieve_status <= 0 || !mock_liveupdate_settle(args->file)) {
		iommu_liveupdate_block(MOCK_SEGMENT, ser->rid);
		mock_hw_master(ser->rid, false);
		iommu_liveupdate_abandon(MOCK_SEGMENT, ser->rid, true);
	}
	kho_restore_free(ser);
}

static const struct liveupdate_file_ops mock_liveupdate_ops = {
	.can_preserve = mock_liveupdate_can_preserve,
	.preserve = mock_liveupdate_preserve,
	.unpreserve = mock_liveupdate_unpreserve,
	.retrieve = mock_liveupdate_retrieve,
	.can_finish = mock_liveupdate_can_finish,
	.finish = mock_liveupdate_finish,
	.owner = THIS_MODULE,
};

static struct liveupdate_file_handler mock_liveupdate_handler = {
	.ops = &mock_liveupdate_ops,
	.compatible = "ilu-iommu-mock-v1",
	.explicit_finish = true,
};

/* The character device */

/* One that came in is nobody's but its session's */
static struct file *mock_file_open_ordinary(u32 rid)
{
	struct mock_device *mdev = mock_device_get(rid);
	struct file *file = ERR_PTR(-EBUSY);

	if (!mdev)
		return ERR_PTR(-ENODEV);
	if (!iommu_liveupdate_device_owned(&mdev->dev))
		file = mock_file_open(rid, NULL);
	put_device(&mdev->dev);
	return file;
}

static long mock_open(u32 rid)
{
	int fd = get_unused_fd_flags(O_CLOEXEC);
	struct file *file;

	lockdep_assert_held(&mock_lock);

	if (fd < 0)
		return fd;
	file = mock_file_open_ordinary(rid);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		return PTR_ERR(file);
	}
	fd_install(fd, file);
	return fd;
}

static long mock_command(unsigned int nr, struct mock_cmd *cmd)
{
	if (cmd->nr >= (nr == MOCK_UNIT ? MOCK_UNITS : MOCK_DEVICES))
		return -EINVAL;

	guard(mutex)(&mock_lock);
	switch (nr) {
	case MOCK_UNIT:
		return cmd->on ? mock_unit_add(cmd->nr) : mock_unit_remove(cmd->nr);
	case MOCK_DEVICE:
		return cmd->on ? mock_device_add(cmd->nr) :
				 mock_device_remove(cmd->nr);
	case MOCK_MASTER:
		mock_hw_master(cmd->nr, cmd->on);
		return 0;
	case MOCK_DMA:
		return mock_hw_dma(cmd->nr, cmd->pasid, cmd->iova, cmd->on,
				   &cmd->value);
	case MOCK_OPEN:
		return mock_open(cmd->nr);
	default:
		return -ENOTTY;
	}
}

static long mock_ioctl(struct file *file, unsigned int nr, unsigned long arg)
{
	void __user *user = (void __user *)arg;
	struct mock_cmd cmd;
	long ret;

	if (copy_from_user(&cmd, user, sizeof(cmd)))
		return -EFAULT;
	ret = mock_command(nr, &cmd);
	if (!ret && copy_to_user(user, &cmd, sizeof(cmd)))
		return -EFAULT;
	return ret;
}

static const struct file_operations mock_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = mock_ioctl,
};

static struct miscdevice mock_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = MOCK_DEVICE_FILE,
	.fops = &mock_fops,
	.mode = 0600,
};

/* One that cannot be added does not keep the others from it */
static void __init mock_add_units(void)
{
	unsigned int nr;
	int ret;

	guard(mutex)(&mock_lock);
	for (nr = 0; nr < MOCK_UNITS; nr++) {
		if (!(mock_units_at_boot & BIT(nr)))
			continue;
		ret = mock_unit_add(nr);
		if (ret)
			pr_err("unit %u: not added: %pe\n", nr, ERR_PTR(ret));
	}
}

/* What was added stays: there is no way back from a unit, which may be keeping devices */
static int __init mock_init(void)
{
	int ret;

	ret = mock_hw_init();
	if (ret)
		return ret;
	ret = bus_register(&mock_bus);
	if (ret) {
		mock_hw_exit();
		return ret;
	}
	mock_iommu_init();
	mock_add_units();

	/* Without live update nothing can be preserved, and all else works */
	ret = liveupdate_register_file_handler(&mock_liveupdate_handler);
	if (ret && ret != -EOPNOTSUPP)
		pr_err("could not register the file handler: %pe\n", ERR_PTR(ret));
	return misc_register(&mock_misc);
}
device_initcall(mock_init);

MODULE_IMPORT_NS("GENERIC_PT_IOMMU");
MODULE_IMPORT_NS("IOMMUFD");
MODULE_DESCRIPTION("Made-up IOMMU to test live update with");
MODULE_LICENSE("GPL");
