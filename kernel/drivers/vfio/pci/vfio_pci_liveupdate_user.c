// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */

/**
 * DOC: vfio-pci live update, the user's side
 *
 * What the user of a device may do while live update has it:
 *
 * 1. While it is frozen nothing: file operations answer -EBUSY, and an access to
 *    a mapped BAR sleeps until the kexec is refused after all. If the kexec is only
 *    tested, all of them sleep until that is over, unless the process is killed.
 *    So do accesses to a mapped BAR on behalf of the user, such as those of a
 *    guest through KVM, to which any answer would be an error. What was written to
 *    an ioeventfd is done afterwards.
 * 2. While it is preserved, and after the kexec once it is bound, he may reset
 *    it: vfio_pci_liveupdate_reset().
 *
 * Locking is described in drivers/vfio/pci/vfio_pci_liveupdate.c.
 */

#include <linux/atomic.h>
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/pci.h>
#include <linux/pci-liveupdate.h>
#include <linux/vfio-liveupdate.h>
#include <linux/wait_bit.h>

#include "vfio_pci_priv.h"

/* File operations: none while frozen, some not while preserved */

static void vfio_pci_liveupdate_leave(struct vfio_device *core_vdev)
{
	/* Paired with atomic_read_acquire() in vfio_pci_liveupdate_shut() */
	atomic_dec_return_release(&vfio_pci_liveupdate_vdev(core_vdev)->liveupdate_users);
}

static bool vfio_pci_liveupdate_try_enter(struct vfio_device *core_vdev)
{
	struct vfio_pci_core_device *vdev = vfio_pci_liveupdate_vdev(core_vdev);

	/* Who comes again and again must not keep the count up */
	if (vfio_pci_frozen(vdev))
		return false;

	atomic_inc(&vdev->liveupdate_users);
	/* Either the flag is seen here, or vfio_pci_liveupdate_shut() sees us */
	smp_mb__after_atomic();
	if (!vfio_pci_frozen(vdev))
		return true;

	vfio_pci_liveupdate_leave(core_vdev);
	return false;
}

/*
 * What comes after a test may be a kexec, or another test before this one was woken:
 * it is looked at from the beginning.
 */
static int vfio_pci_liveupdate_enter(struct vfio_device *core_vdev)
{
	struct vfio_pci_core_device *vdev = vfio_pci_liveupdate_vdev(core_vdev);

	while (!vfio_pci_liveupdate_try_enter(core_vdev)) {
		if (wait_var_event_killable(&vdev->liveupdate_frozen,
					    !vfio_pci_frozen_for_test(vdev)))
			return -EINTR;
		if (READ_ONCE(vdev->liveupdate_frozen) == VFIO_PCI_FROZEN)
			return -EBUSY;
	}
	return 0;
}

/* Call an operation of the VFIO PCI core unless the device is frozen */
#define vfio_pci_liveupdate_call(op, core_vdev, ...)			\
({									\
	struct vfio_device *__vdev = core_vdev;				\
	typeof(op(__vdev, __VA_ARGS__)) __ret;				\
									\
	__ret = vfio_pci_liveupdate_enter(__vdev);			\
	if (!__ret) {							\
		__ret = op(__vdev, __VA_ARGS__);			\
		vfio_pci_liveupdate_leave(__vdev);			\
	}								\
	__ret;								\
})

/**
 * vfio_pci_liveupdate_ioctl - vfio_pci_core_ioctl() unless frozen
 * @core_vdev: The device
 * @cmd: The ioctl
 * @arg: Its argument
 *
 * Context: Process context, of any user.
 * Return: -EBUSY while frozen for a kexec, -EINTR for a process that is killed during a
 * test, else as vfio_pci_core_ioctl().
 */
long vfio_pci_liveupdate_ioctl(struct vfio_device *core_vdev, unsigned int cmd,
			       unsigned long arg)
{
	return vfio_pci_liveupdate_call(vfio_pci_core_ioctl, core_vdev, cmd, arg);
}
EXPORT_SYMBOL_GPL(vfio_pci_liveupdate_ioctl);

/**
 * vfio_pci_liveupdate_feature - vfio_pci_core_ioctl_feature() unless frozen
 * @core_vdev: The device
 * @flags: Which feature, and what to do with it
 * @arg: Its argument
 * @argsz: Size of the argument
 *
 * Context: Process context, of any user.
 * Return: -EBUSY while frozen for a kexec, -EINTR for a process that is killed during a
 * test, else as vfio_pci_core_ioctl_feature().
 */
int vfio_pci_liveupdate_feature(struct vfio_device *core_vdev, u32 flags,
				void __user *arg, size_t argsz)
{
	return vfio_pci_liveupdate_call(vfio_pci_core_ioctl_feature, core_vdev,
					flags, arg, argsz);
}
EXPORT_SYMBOL_GPL(vfio_pci_liveupdate_feature);

/**
 * vfio_pci_liveupdate_region_info - vfio_pci_ioctl_get_region_info() unless
 * frozen
 * @core_vdev: The device
 * @info: Region to ask about
 * @caps: Capabilities of the answer
 *
 * The question for the ROM switches memory decoding on for a moment.
 *
 * Context: Process context, of any user.
 * Return: -EBUSY while frozen for a kexec, -EINTR for a process that is killed during a
 * test, else as vfio_pci_ioctl_get_region_info().
 */
int vfio_pci_liveupdate_region_info(struct vfio_device *core_vdev,
				    struct vfio_region_info *info,
				    struct vfio_info_cap *caps)
{
	return vfio_pci_liveupdate_call(vfio_pci_ioctl_get_region_info,
					core_vdev, info, caps);
}
EXPORT_SYMBOL_GPL(vfio_pci_liveupdate_region_info);

/**
 * vfio_pci_liveupdate_read - vfio_pci_core_read() unless frozen
 * @core_vdev: The device
 * @buf: Where to
 * @count: How many bytes
 * @ppos: Region and offset
 *
 * Context: Process context, of any user.
 * Return: -EBUSY while frozen for a kexec, -EINTR for a process that is killed during a
 * test, else as vfio_pci_core_read().
 */
ssize_t vfio_pci_liveupdate_read(struct vfio_device *core_vdev,
				 char __user *buf, size_t count, loff_t *ppos)
{
	return vfio_pci_liveupdate_call(vfio_pci_core_read, core_vdev, buf,
					count, ppos);
}
EXPORT_SYMBOL_GPL(vfio_pci_liveupdate_read);

/**
 * vfio_pci_liveupdate_write - vfio_pci_core_write() unless frozen
 * @core_vdev: The device
 * @buf: Where from
 * @count: How many bytes
 * @ppos: Region and offset
 *
 * Context: Process context, of any user.
 * Return: -EBUSY while frozen for a kexec, -EINTR for a process that is killed during a
 * test, else as vfio_pci_core_write().
 */
ssize_t vfio_pci_liveupdate_write(struct vfio_device *core_vdev,
				  const char __user *buf, size_t count,
				  loff_t *ppos)
{
	return vfio_pci_liveupdate_call(vfio_pci_core_write, core_vdev, buf,
					count, ppos);
}
EXPORT_SYMBOL_GPL(vfio_pci_liveupdate_write);

/**
 * vfio_pci_liveupdate_mmap - vfio_pci_core_mmap() unless frozen
 * @core_vdev: The device
 * @vma: The mapping
 *
 * Context: Process context, of any user.
 * Return: -EBUSY while frozen for a kexec, -EINTR for a process that is killed during a
 * test, else as vfio_pci_core_mmap().
 */
int vfio_pci_liveupdate_mmap(struct vfio_device *core_vdev,
			     struct vm_area_struct *vma)
{
	return vfio_pci_liveupdate_call(vfio_pci_core_mmap, core_vdev, vma);
}
EXPORT_SYMBOL_GPL(vfio_pci_liveupdate_mmap);

/*
 * The kernel must not repeat a fault on behalf of a user, as no signal ends that, nor an
 * unfreeze if it is a file operation that freeze waits for. A test ends by itself.
 */
static bool vfio_pci_frozen_may_repeat(struct vfio_pci_core_device *vdev,
				       struct vm_fault *vmf)
{
	if (vmf->flags & FAULT_FLAG_USER)
		return true;
	/* It may have ended since it was seen */
	return READ_ONCE(vdev->liveupdate_frozen) != VFIO_PCI_FROZEN &&
	       vmf->flags & FAULT_FLAG_ALLOW_RETRY;
}

/**
 * vfio_pci_frozen_fault - Answer a fault on a BAR of a frozen device
 * @vdev: The device
 * @vmf: The fault
 *
 * Neither an error nor access: the fault is repeated, and waits when it comes
 * again, see vfio_pci_frozen_wait().
 *
 * Context: Page fault, memory_lock held.
 * Return: VM_FAULT_NOPAGE for a fault that may be repeated, else VM_FAULT_SIGBUS.
 */
vm_fault_t vfio_pci_frozen_fault(struct vfio_pci_core_device *vdev,
				 struct vm_fault *vmf)
{
	return vfio_pci_frozen_may_repeat(vdev, vmf) ? VM_FAULT_NOPAGE :
						       VM_FAULT_SIGBUS;
}

/**
 * vfio_pci_frozen_wait - Let a fault on a BAR of a frozen device wait
 * @vdev: The device, frozen
 * @vmf: The fault
 *
 * Until unfreeze, or until a signal comes; one of the kernel until the end of the
 * test.
 *
 * Context: Page fault, memory_lock not held. May drop the lock of the fault.
 * Return: what the fault handler returns: VM_FAULT_RETRY after a wait; else as
 * vfio_pci_frozen_fault(), if this fault cannot wait.
 */
vm_fault_t vfio_pci_frozen_wait(struct vfio_pci_core_device *vdev,
				struct vm_fault *vmf)
{
	unsigned int flags = vmf->flags;
	struct file *file;

	if (!vfio_pci_frozen_may_repeat(vdev, vmf) ||
	    !(flags & FAULT_FLAG_ALLOW_RETRY))
		return vfio_pci_frozen_fault(vdev, vmf);
	if (flags & FAULT_FLAG_RETRY_NOWAIT)
		return VM_FAULT_RETRY;

	/* Without the lock the mapping may go, and the device with it */
	file = get_file(vmf->vma->vm_file);
	release_fault_lock(vmf);

	if (!(flags & FAULT_FLAG_USER))
		wait_var_event_killable(&vdev->liveupdate_frozen,
					!vfio_pci_frozen_for_test(vdev));
	else if (flags & FAULT_FLAG_INTERRUPTIBLE)
		wait_var_event_interruptible(&vdev->liveupdate_frozen,
					     !vfio_pci_frozen(vdev));
	else
		wait_var_event_killable(&vdev->liveupdate_frozen,
					!vfio_pci_frozen(vdev));
	fput(file);
	return VM_FAULT_RETRY;
}
/* Reset by the user */

/**
 * vfio_pci_liveupdate_reset - Reset a device for its user
 * @vdev: The device, open
 *
 * A device that goes on with DMA is reset as any other, since its user is about
 * to give the memory another use. Nobody else can do that.
 *
 * Context: Process context, memory_lock is held for writing.
 * Return: as pci_try_reset_function(), or pci_liveupdate_reset() of a device that
 * is preserved or not finished.
 */
int vfio_pci_liveupdate_reset(struct vfio_pci_core_device *vdev)
{
	lockdep_assert_held_write(&vdev->memory_lock);

	/* It can cease to be live meanwhile, which does not matter */
	if (vfio_pci_live(vdev))
		return pci_liveupdate_reset(vdev->pdev);
	return pci_try_reset_function(vdev->pdev);
}

/**
 * vfio_pci_liveupdate_flr - Reset that the user has asked for in config space
 * @vdev: The device, open
 *
 * Context: As vfio_pci_liveupdate_reset().
 * Return: 0, and what is wrong if a device that goes on with DMA was not reset.
 * That of another one is not told to the user, as ever.
 */
int vfio_pci_liveupdate_flr(struct vfio_pci_core_device *vdev)
{
	bool live = vfio_pci_live(vdev);
	int err;

	err = vfio_pci_liveupdate_reset(vdev);
	return live ? err : 0;
}
