// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */

/**
 * DOC: vfio-pci live update
 *
 * Preserves the device file of a vfio-pci device, opened through its character
 * device and bound to an iommufd, without the device noticing: it is neither
 * reset nor put to sleep, and of its COMMAND register nothing is written but INTx
 * disable, in either kernel. What the next kernel cannot read from a running
 * device is in the record, include/linux/kho/abi/vfio_pci.h.
 *
 * Life cycle:
 *
 * 1. vfio_pci_liveupdate_can_preserve() takes all files of devices, so that a
 *    refusal can say why.
 * 2. vfio_pci_liveupdate_preserve() checks what may change, then preserves in
 *    this order: what the device is attached to (iommufd), the function and the
 *    bridges above it (PCI core), the record. From the first step on
 *    attachment, hot reset and low power are refused with -EBUSY; MMIO, config
 *    space and interrupts are the user's as before, and so is a reset of this
 *    one function, by ioctl or through config space: vfio_pci_liveupdate_reset().
 *    It ends the DMA, as its owner wants it, and the translation stays.
 * 3. vfio_pci_liveupdate_freeze() refuses the kexec while interrupts are
 *    configured or the device is not in D0. Else the user loses access: file
 *    operations answer -EBUSY, BAR mappings are zapped and faults wait,
 *    ioeventfds do nothing. (If a kexec is only tested, the user waits instead, see
 *    vfio_pci_liveupdate_user.c.) INTx is disabled: nobody listens until the next
 *    kernel's user does, and others may share the line. The record is completed.
 *    vfio_pci_liveupdate_unfreeze() gives all of it back. dma-bufs are left
 *    alone: whoever uses one is a device that is stopped at shutdown, and if the
 *    kexec is refused could not be given back what was revoked.
 * 4. vfio_pci_liveupdate_unpreserve() undoes step 2, in reverse.
 * 5. Next kernel: vfio-pci may bind, without D3. A plain open of the device is
 *    refused, see vfio_device_incoming(); resets of its set as well.
 * 6. The way back to user space is in vfio_pci_liveupdate_incoming.c.
 *
 * Limits. Refused: group files, variant drivers, noiommu, VFs and PFs with VFs,
 * VGA and Intel display devices. ATS and PRI are refused by the IOMMU side. The
 * user can reset the device and clear bus mastering at any time; isolation does
 * not depend on it. INTx of a device that cannot disable it stays as it is, its
 * line is not shared. Migration and DMA logging do not exist for vfio-pci.
 * Unbinding the driver of a preserved device waits for its file, as ever; begun
 * before freeze it makes the kexec fail. Begun in the moment between freeze and
 * the shutdown of the device it makes the shutdown wait, which nobody can prevent
 * since a driver cannot refuse to be unbound.
 *
 * Locking:
 *
 * dev_set->lock
 *	that vfio_device.liveupdate_preserved is not set, and that the device
 *	stays open and attached as it is until it is.
 * memory_lock
 *	that vfio_pci_core_device.liveupdate_frozen is not set, as seen by page
 *	faults, BAR accesses and ioeventfds; and that low power is not entered
 *	between check and flag.
 * vfio_pci_core_device.liveupdate_users
 *	no lock: counts the file operations under way, which are in
 *	vfio_pci_liveupdate_user.c. Freeze raises the flag and waits for those that
 *	have not seen it, holding no lock that they may want. It does not wait for
 *	ever: they copy from and to memory of the user, who decides how long a page
 *	fault takes.
 *
 * Whoever works for a session must not wait for ever either, for with it waits
 * every kexec. dev_set->lock can be held for as long as a user likes, see
 * drivers/vfio/liveupdate.c, so it is tried for some seconds only,
 * vfio_pci_liveupdate_trylock_set(). igate and memory_lock are held over no page
 * fault, but for as long as a reset or the importer of a dma-buf takes: waiting
 * for them can be ended by a signal that kills. All that must not fail does
 * without these locks: both flags are cleared without one.
 *
 * Order, outermost first: session mutex, device lock (by trylock), dev_set->lock,
 * igate, memory_lock; in preserve below dev_set->lock: the locks of iommufd,
 * then those of drivers/pci/liveupdate.c. A reset by the user tries the device
 * lock inside memory_lock.
 */

#define pr_fmt(fmt) "vfio-pci: live update: " fmt

#include <linux/atomic.h>
#include <linux/cleanup.h>
#include <linux/crc32.h>
#include <linux/delay.h>
#include <linux/io.h>
#include <linux/iommufd.h>
#include <linux/iopoll.h>
#include <linux/jiffies.h>
#include <linux/kexec_handover.h>
#include <linux/kho/abi/pci.h>
#include <linux/kho/abi/vfio_pci.h>
#include <linux/liveupdate.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/pci-liveupdate.h>
#include <linux/vfio-liveupdate.h>
#include <linux/wait_bit.h>

#include "vfio_pci_priv.h"

/* How long freeze waits for file operations that are under way */
#define VFIO_PCI_LIVEUPDATE_DRAIN	(2 * HZ)

/* How long dev_set->lock is tried: a bind resets, and may reset a whole bus */
#define VFIO_PCI_LIVEUPDATE_SET_US	(4 * USEC_PER_SEC)

/* Of vfio-pci, while the handler is registered */
static const struct vfio_device_ops *vfio_pci_liveupdate_device_ops;

/**
 * vfio_pci_liveupdate_knows - Is this a device of vfio-pci?
 * @core_vdev: Any device of VFIO
 *
 * Context: Any.
 * Return: false for those of other drivers, variants of vfio-pci among them.
 */
bool vfio_pci_liveupdate_knows(const struct vfio_device *core_vdev)
{
	const struct vfio_device_ops *ops;

	ops = READ_ONCE(vfio_pci_liveupdate_device_ops);
	return ops && core_vdev->ops == ops;
}

/* Sets of devices that are reset together */

/**
 * vfio_pci_liveupdate_trylock_set - Lock the set of a device, but not at any price
 * @core_vdev: The device
 *
 * Whoever binds or attaches a device of the set holds the lock, and may wait in
 * iommufd for a page fault that the user serves when it pleases him.
 *
 * Context: Process context. Sleeps for no more than some seconds.
 * Return: true if dev_set->lock is held.
 */
bool vfio_pci_liveupdate_trylock_set(struct vfio_device *core_vdev)
{
	struct mutex *lock = &core_vdev->dev_set->lock;
	bool locked;

	return !read_poll_timeout(mutex_trylock, locked, locked, USEC_PER_MSEC,
				  VFIO_PCI_LIVEUPDATE_SET_US, false, lock);
}

static struct vfio_pci_core_device *
vfio_pci_dev_set_find_live(struct vfio_device_set *dev_set)
{
	struct vfio_pci_core_device *vdev;

	lockdep_assert_held(&dev_set->lock);

	list_for_each_entry(vdev, &dev_set->device_list, vdev.dev_set_list)
		if (vfio_pci_live(vdev))
			return vdev;
	return NULL;
}

/**
 * vfio_pci_dev_set_live - Does a device of this set go on with DMA?
 * @dev_set: The set, all of it vfio-pci
 *
 * Context: dev_set->lock is held.
 * Return: true if one is preserved, or incoming and not finished.
 */
bool vfio_pci_dev_set_live(struct vfio_device_set *dev_set)
{
	return vfio_pci_dev_set_find_live(dev_set);
}

/**
 * vfio_pci_dev_set_refuse - Refuse a reset of this set
 * @dev_set: The set, all of it vfio-pci
 * @what: What somebody wants to do, for the log
 *
 * Context: dev_set->lock is held.
 * Return: 0, -EBUSY if vfio_pci_dev_set_live().
 */
int vfio_pci_dev_set_refuse(struct vfio_device_set *dev_set, const char *what)
{
	struct vfio_pci_core_device *vdev = vfio_pci_dev_set_find_live(dev_set);

	if (!vdev)
		return 0;

	vfio_pci_liveupdate_say(vdev, "%s refused, it goes on with DMA\n", what);
	return -EBUSY;
}

/* The record */

/**
 * vfio_pci_ser_crc - Checksum of a record
 * @ser: The record, its length is valid
 *
 * Context: Any.
 * Return: what belongs into vfio_pci_ser.crc.
 */
u32 vfio_pci_ser_crc(const struct vfio_pci_ser *ser)
{
	struct vfio_pci_ser top = *ser;
	u32 crc;

	top.crc = 0;
	crc = crc32_le(~0, (const u8 *)&top, sizeof(top));
	return crc32_le(crc, (const u8 *)(ser + 1), ser->length - sizeof(top));
}

/* What the user can change as long as the file is not frozen */
static void vfio_pci_ser_update(struct vfio_pci_core_device *vdev,
				struct vfio_pci_ser *ser)
{
	struct pci_dev *pdev = vdev->pdev;

	u16 command;

	pci_read_config_word(pdev, PCI_COMMAND, &command);
	ser->flags &= ~(VFIO_PCI_SER_VIRQ_DISABLED | VFIO_PCI_SER_BARDIRTY |
			VFIO_PCI_SER_MASTER | VFIO_PCI_SER_INTX_ON);
	if (vdev->virq_disabled)
		ser->flags |= VFIO_PCI_SER_VIRQ_DISABLED;
	if (vdev->bardirty)
		ser->flags |= VFIO_PCI_SER_BARDIRTY;
	if (command & PCI_COMMAND_MASTER)
		ser->flags |= VFIO_PCI_SER_MASTER;
	if (!(command & PCI_COMMAND_INTX_DISABLE))
		ser->flags |= VFIO_PCI_SER_INTX_ON;

	memcpy(vfio_pci_ser_at(ser, ser->vconfig_offset), vdev->vconfig,
	       ser->cfg_size);
	memcpy(vfio_pci_ser_at(ser, ser->config_map_offset),
	       vdev->pci_config_map, ser->cfg_size);

	for (int i = 0; i < ARRAY_SIZE(ser->bars); i++)
		pci_read_config_dword(pdev, PCI_BASE_ADDRESS_0 + 4 * i,
				      &ser->bars[i]);
}

static void vfio_pci_ser_fill(struct vfio_pci_core_device *vdev,
			      struct vfio_pci_ser *ser)
{
	struct pci_dev *pdev = vdev->pdev;

	ser->segment = pci_domain_nr(pdev->bus);
	ser->rid = pci_dev_id(pdev);
	ser->vendor = pdev->vendor;
	ser->device = pdev->device;
	ser->subsystem_vendor = pdev->subsystem_vendor;
	ser->subsystem_device = pdev->subsystem_device;
	ser->revision = pdev->revision;
	ser->hdr_type = pdev->hdr_type;
	ser->class = pdev->class;

	if (vdev->reset_works)
		ser->flags |= VFIO_PCI_SER_RESET_WORKS;
	if (vdev->nointx)
		ser->flags |= VFIO_PCI_SER_NOINTX;
	if (vdev->pci_2_3)
		ser->flags |= VFIO_PCI_SER_PCI_2_3;
}

static struct vfio_pci_ser *
vfio_pci_ser_alloc(struct vfio_pci_core_device *vdev, u64 iommufd_token)
{
	u32 cfg_size = vdev->pdev->cfg_size;
	u32 state_len = 0, len;
	struct vfio_pci_ser *ser;

	if (vdev->pci_saved_state)
		state_len = pci_export_saved_state(vdev->pci_saved_state, NULL);

	len = sizeof(*ser) + ALIGN(state_len, 8) + 2 * cfg_size;
	if (len > VFIO_PCI_SER_MAX_LENGTH)
		return ERR_PTR(-E2BIG);

	ser = kho_alloc_preserve(len);
	if (IS_ERR(ser))
		return ser;

	ser->version = VFIO_PCI_SER_VERSION;
	ser->length = len;
	ser->iommufd_token = iommufd_token;
	ser->cfg_size = cfg_size;
	ser->vconfig_offset = sizeof(*ser) + ALIGN(state_len, 8);
	ser->config_map_offset = ser->vconfig_offset + cfg_size;
	if (state_len) {
		ser->flags |= VFIO_PCI_SER_SAVED_STATE;
		ser->saved_state_offset = sizeof(*ser);
		ser->saved_state_length = state_len;
		pci_export_saved_state(vdev->pci_saved_state,
				       vfio_pci_ser_at(ser, sizeof(*ser)));
	}

	vfio_pci_ser_fill(vdev, ser);
	vfio_pci_ser_update(vdev, ser);
	ser->crc = vfio_pci_ser_crc(ser);
	return ser;
}

/* Old kernel: preserve */

static bool
vfio_pci_liveupdate_can_preserve(struct liveupdate_file_handler *handler,
				 struct file *file)
{
	return vfio_device_of_file(file);
}

static int vfio_pci_liveupdate_check_kind(struct file *file)
{
	struct vfio_device *core_vdev = vfio_device_of_file(file);

	if (!vfio_pci_liveupdate_knows(core_vdev)) {
		liveupdate_dev_warn(core_vdev->dev,
				    "live update: driver %s cannot preserve it, use vfio-pci\n",
				    core_vdev->ops->name);
		return -EOPNOTSUPP;
	}
	if (!vfio_device_from_cdev_file(file)) {
		liveupdate_dev_warn(core_vdev->dev,
				    "live update: a file of its group cannot be preserved, open its character device\n");
		return -EOPNOTSUPP;
	}
	return 0;
}

static int vfio_pci_liveupdate_check(struct vfio_pci_core_device *vdev,
				     struct file *file)
{
	struct pci_dev *pdev = vdev->pdev;

	lockdep_assert_held(&vdev->vdev.dev_set->lock);

	if (!vfio_cdev_file_is_bound(file)) {
		vfio_pci_liveupdate_say(vdev, "file is not bound to an iommufd\n");
		return -EINVAL;
	}
	if (vfio_device_preserved(&vdev->vdev)) {
		vfio_pci_liveupdate_say(vdev, "is preserved already\n");
		return -EBUSY;
	}
	if (vdev->vdev.noiommu || !vdev->vdev.iommufd_device) {
		vfio_pci_liveupdate_say(vdev, "has no IOMMU\n");
		return -EOPNOTSUPP;
	}
	if (pdev->is_virtfn || vdev->sriov_active || pci_num_vf(pdev)) {
		vfio_pci_liveupdate_say(vdev, "VFs and their PFs cannot be preserved\n");
		return -EOPNOTSUPP;
	}
	if (vfio_pci_is_vga(pdev) ||
	    (pdev->vendor == PCI_VENDOR_ID_INTEL && pci_is_display(pdev))) {
		vfio_pci_liveupdate_say(vdev, "display devices cannot be preserved\n");
		return -EOPNOTSUPP;
	}
	return 0;
}

static bool vfio_pci_liveupdate_awake(struct vfio_pci_core_device *vdev)
{
	lockdep_assert_held(&vdev->memory_lock);

	return !vdev->pm_runtime_engaged &&
	       vdev->pdev->current_state == PCI_D0;
}

/* Low power is checked and refused from now on under one lock */
static int vfio_pci_liveupdate_mark(struct vfio_pci_core_device *vdev)
{
	int err;

	err = down_write_killable(&vdev->memory_lock);
	if (err)
		return err;

	if (vfio_pci_liveupdate_awake(vdev)) {
		WRITE_ONCE(vdev->vdev.liveupdate_preserved, true);
	} else {
		vfio_pci_liveupdate_say(vdev, "is in low power\n");
		err = -EINVAL;
	}
	up_write(&vdev->memory_lock);
	return err;
}

static void vfio_pci_liveupdate_unmark(struct vfio_pci_core_device *vdev)
{
	/* Last: whoever sees it may do what was refused */
	smp_store_release(&vdev->vdev.liveupdate_preserved, false);
}

/* All but the record; undone by vfio_pci_liveupdate_release() */
static int vfio_pci_liveupdate_hold(struct vfio_pci_core_device *vdev,
				    struct liveupdate_session *session,
				    u64 *iommufd_token)
{
	int err;

	/* The next kernel would have to know which of them the file has */
	if (!ida_is_empty(&vdev->vdev.pasids)) {
		vfio_pci_liveupdate_say(vdev, "is attached on a PASID\n");
		return -EOPNOTSUPP;
	}

	err = vfio_pci_liveupdate_mark(vdev);
	if (err)
		return err;

	err = iommufd_device_preserve(session, vdev->vdev.iommufd_device,
				      iommufd_token);
	if (err)
		goto err_unmark;

	err = pci_liveupdate_preserve(vdev->pdev);
	if (err)
		goto err_unpreserve_iommufd;
	return 0;

err_unpreserve_iommufd:
	iommufd_device_unpreserve(vdev->vdev.iommufd_device);
err_unmark:
	vfio_pci_liveupdate_unmark(vdev);
	return err;
}

static void vfio_pci_liveupdate_release(struct vfio_pci_core_device *vdev)
{
	pci_liveupdate_unpreserve(vdev->pdev);
	iommufd_device_unpreserve(vdev->vdev.iommufd_device);
	vfio_pci_liveupdate_unmark(vdev);
}

static int
vfio_pci_liveupdate_preserve_locked(struct vfio_pci_core_device *vdev,
				    struct liveupdate_file_op_args *args)
{
	struct vfio_pci_ser *ser;
	u64 token;
	int err;

	err = vfio_pci_liveupdate_check(vdev, args->file);
	if (err)
		return err;

	err = vfio_pci_liveupdate_hold(vdev, args->session, &token);
	if (err)
		return err;

	ser = vfio_pci_ser_alloc(vdev, token);
	if (IS_ERR(ser)) {
		vfio_pci_liveupdate_say(vdev, "no room for the record: %pe\n",
					ser);
		vfio_pci_liveupdate_release(vdev);
		return PTR_ERR(ser);
	}

	args->serialized_data = virt_to_phys(ser);
	args->private_data = ser;
	return 0;
}

static int vfio_pci_liveupdate_preserve(struct liveupdate_file_op_args *args)
{
	struct vfio_pci_core_device *vdev;
	struct vfio_device *core_vdev;
	int err;

	err = vfio_pci_liveupdate_check_kind(args->file);
	if (err)
		return err;

	core_vdev = vfio_device_from_cdev_file(args->file);
	vdev = vfio_pci_liveupdate_vdev(core_vdev);
	if (!vfio_pci_liveupdate_trylock_set(core_vdev)) {
		vfio_pci_liveupdate_say(vdev,
					"it or one of its set is being attached for too long\n");
		return -EBUSY;
	}

	err = vfio_pci_liveupdate_preserve_locked(vdev, args);
	mutex_unlock(&core_vdev->dev_set->lock);
	return err;
}

/*
 * Must not fail, so it does without dev_set->lock: the file is held, and the
 * mark keeps the device as it is until it is taken away.
 */
static void vfio_pci_liveupdate_unpreserve(struct liveupdate_file_op_args *args)
{
	struct vfio_device *core_vdev = vfio_device_from_cdev_file(args->file);

	kho_unpreserve_free(args->private_data);
	vfio_pci_liveupdate_release(vfio_pci_liveupdate_vdev(core_vdev));
}

/* Old kernel: freeze */

static int vfio_pci_liveupdate_quiet(struct vfio_pci_core_device *vdev)
{
	lockdep_assert_held(&vdev->igate);

	if (vdev->irq_type != VFIO_PCI_NUM_IRQS) {
		vfio_pci_liveupdate_say(vdev, "kexec refused, interrupts are configured\n");
		return -EINVAL;
	}
	if (!vfio_pci_liveupdate_awake(vdev)) {
		vfio_pci_liveupdate_say(vdev, "kexec refused, the device is not in D0\n");
		return -EINVAL;
	}
	return 0;
}

/* Look before the user is shut out, so that a refusal changes nothing */
static int vfio_pci_liveupdate_look(struct vfio_pci_core_device *vdev)
{
	int err;

	err = mutex_lock_killable(&vdev->igate);
	if (err)
		return err;

	err = down_read_killable(&vdev->memory_lock);
	if (!err) {
		err = vfio_pci_liveupdate_quiet(vdev);
		up_read(&vdev->memory_lock);
	}
	mutex_unlock(&vdev->igate);
	return err;
}

/* Undone by vfio_pci_liveupdate_open(), also after a failure */
static int vfio_pci_liveupdate_shut(struct vfio_pci_core_device *vdev,
				    enum vfio_pci_frozen frozen)
{
	unsigned long deadline = jiffies + VFIO_PCI_LIVEUPDATE_DRAIN;
	int err;

	err = down_write_killable(&vdev->memory_lock);
	if (err)
		return err;
	WRITE_ONCE(vdev->liveupdate_frozen, frozen);
	up_write(&vdev->memory_lock);

	/*
	 * File operations that have not seen the flag run to their end. Some
	 * take dev_set->lock or igate: neither is held here. The end may never
	 * come if the user's buffer is behind userfaultfd or FUSE.
	 */
	smp_mb(); /* paired with that of vfio_pci_liveupdate_enter() */
	while (atomic_read_acquire(&vdev->liveupdate_users)) {
		if (time_after(jiffies, deadline)) {
			vfio_pci_liveupdate_say(vdev,
						"kexec refused, a file operation does not end\n");
			return -EBUSY;
		}
		fsleep(USEC_PER_MSEC);
	}
	return 0;
}

static void vfio_pci_liveupdate_open(struct vfio_pci_core_device *vdev)
{
	store_release_wake_up(&vdev->liveupdate_frozen, VFIO_PCI_NOT_FROZEN);
	vfio_pci_ioeventfds_late(vdev);
}

/* The line may be shared, and nobody listens to this device any more */
static void vfio_pci_liveupdate_intx_off(struct vfio_pci_core_device *vdev)
{
	if (vdev->pci_2_3)
		pci_intx(vdev->pdev, 0);
}

static void vfio_pci_liveupdate_intx_back(struct vfio_pci_core_device *vdev,
					  const struct vfio_pci_ser *ser)
{
	if (vdev->pci_2_3 && ser->flags & VFIO_PCI_SER_INTX_ON)
		pci_intx(vdev->pdev, 1);
}

/*
 * The user is shut out: nothing that is looked at here can change any more.
 * Open, close and reset, which dev_set->lock is for, are not possible anyway.
 */
static int vfio_pci_liveupdate_complete(struct vfio_pci_core_device *vdev,
					struct vfio_pci_ser *ser)
{
	int err;

	guard(mutex)(&vdev->igate);

	vfio_pci_zap_and_down_write_memory_lock(vdev);
	err = vfio_pci_liveupdate_quiet(vdev);
	if (!err) {
		vfio_pci_ser_update(vdev, ser);
		ser->flags |= VFIO_PCI_SER_FROZEN;
		ser->crc = vfio_pci_ser_crc(ser);
		vfio_pci_liveupdate_intx_off(vdev);
	}
	up_write(&vdev->memory_lock);
	return err;
}

static int vfio_pci_liveupdate_freeze(struct liveupdate_file_op_args *args)
{
	struct vfio_device *core_vdev = vfio_device_from_cdev_file(args->file);
	struct vfio_pci_core_device *vdev = vfio_pci_liveupdate_vdev(core_vdev);
	struct device *dev = &vdev->pdev->dev;
	int err;

	if (!pci_liveupdate_can_shut_down())
		return -EBUSY;

	/* Whoever unbinds the driver holds it until the file is closed */
	if (!pci_liveupdate_trylock(vdev->pdev)) {
		vfio_pci_liveupdate_say(vdev, "kexec refused, it is being removed or configured\n");
		return -EBUSY;
	}

	err = vfio_pci_liveupdate_look(vdev);
	if (err)
		goto out_unlock;

	err = vfio_pci_liveupdate_shut(vdev, args->test ? VFIO_PCI_FROZEN_TEST :
							   VFIO_PCI_FROZEN);
	if (!err)
		err = vfio_pci_liveupdate_complete(vdev, args->private_data);
	if (err)
		vfio_pci_liveupdate_open(vdev);

out_unlock:
	device_unlock(dev);
	return err;
}

static void vfio_pci_liveupdate_unfreeze(struct liveupdate_file_op_args *args)
{
	struct vfio_device *core_vdev = vfio_device_from_cdev_file(args->file);
	struct vfio_pci_core_device *vdev = vfio_pci_liveupdate_vdev(core_vdev);
	struct vfio_pci_ser *ser = args->private_data;

	ser->flags &= ~VFIO_PCI_SER_FROZEN;
	ser->crc = vfio_pci_ser_crc(ser);
	vfio_pci_liveupdate_intx_back(vdev, ser);
	vfio_pci_liveupdate_open(vdev);
}

static struct liveupdate_file_ops vfio_pci_liveupdate_ops = {
	.can_preserve = vfio_pci_liveupdate_can_preserve,
	.preserve = vfio_pci_liveupdate_preserve,
	.unpreserve = vfio_pci_liveupdate_unpreserve,
	.freeze = vfio_pci_liveupdate_freeze,
	.unfreeze = vfio_pci_liveupdate_unfreeze,
	.retrieve = vfio_pci_liveupdate_retrieve,
	.can_finish = vfio_pci_liveupdate_can_finish,
	.finish = vfio_pci_liveupdate_finish,
};

static struct liveupdate_file_handler vfio_pci_liveupdate_handler = {
	.ops = &vfio_pci_liveupdate_ops,
	.compatible = VFIO_PCI_SER_COMPATIBLE,
	.explicit_finish = true,
};

static int vfio_pci_liveupdate_register(void)
{
	int err;

	err = liveupdate_register_file_handler(&vfio_pci_liveupdate_handler);
	if (err)
		return err;

	err = pci_liveupdate_register_flb(&vfio_pci_liveupdate_handler);
	if (err)
		liveupdate_unregister_file_handler(&vfio_pci_liveupdate_handler);
	return err;
}

/**
 * vfio_pci_liveupdate_init - Register the file handler
 * @ops: Of the devices that it is for, with the file operations of
 *	 vfio_pci_liveupdate_user.c
 * @owner: The module of their driver
 *
 * The handler is part of the VFIO PCI core, whose functions ask it, but it is
 * for the devices of vfio-pci only, and comes and goes with it. Files that are
 * preserved, or incoming and asked for, keep @owner.
 *
 * Without it vfio-pci works as ever, but nothing can be preserved or retrieved,
 * so a failure is only reported. Live update being off is no failure.
 *
 * Context: Process context, when vfio-pci is loaded. Sessions of the previous
 * kernel may have been read by then: LUO looks for the handler again when it
 * needs one.
 */
void vfio_pci_liveupdate_init(const struct vfio_device_ops *ops,
			      struct module *owner)
{
	int err;

	vfio_pci_liveupdate_ops.owner = owner;
	WRITE_ONCE(vfio_pci_liveupdate_device_ops, ops);
	err = vfio_pci_liveupdate_register();
	if (!err)
		return;

	WRITE_ONCE(vfio_pci_liveupdate_device_ops, NULL);
	if (err != -EOPNOTSUPP)
		pr_err("could not register the file handler: %pe\n",
		       ERR_PTR(err));
}
EXPORT_SYMBOL_GPL(vfio_pci_liveupdate_init);

/**
 * vfio_pci_liveupdate_exit - Unregister the file handler
 *
 * Context: Process context, when vfio-pci is unloaded. No file is left that is
 * preserved, or incoming and was asked for: each has a reference to the module.
 */
void vfio_pci_liveupdate_exit(void)
{
	if (!vfio_pci_liveupdate_device_ops)
		return;

	liveupdate_unregister_file_handler(&vfio_pci_liveupdate_handler);
	WRITE_ONCE(vfio_pci_liveupdate_device_ops, NULL);
}
EXPORT_SYMBOL_GPL(vfio_pci_liveupdate_exit);

MODULE_IMPORT_NS("IOMMUFD");
