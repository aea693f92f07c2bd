/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 *
 * vfio-pci live update: what vfio_pci_liveupdate*.c offer to each other and to
 * the rest of vfio-pci.
 */
#ifndef VFIO_PCI_LIVEUPDATE_H
#define VFIO_PCI_LIVEUPDATE_H

#include <linux/liveupdate.h>
#include <linux/mm_types.h>
#include <linux/pci-liveupdate.h>
#include <linux/vfio-liveupdate.h>
#include <linux/vfio_pci_core.h>

struct liveupdate_file_op_args;
struct module;
struct vfio_pci_ser;

#ifdef CONFIG_PCI_LIVEUPDATE
/* One line for every refusal, with the device and the reason */
#define vfio_pci_liveupdate_say(vdev, fmt, ...)			\
	liveupdate_dev_warn(&(vdev)->pdev->dev, "live update: " fmt,	\
			    ##__VA_ARGS__)

static inline struct vfio_pci_core_device *
vfio_pci_liveupdate_vdev(struct vfio_device *core_vdev)
{
	return container_of(core_vdev, struct vfio_pci_core_device, vdev);
}

/* A part of the record */
static inline void *vfio_pci_ser_at(const struct vfio_pci_ser *ser, u32 offset)
{
	return (u8 *)ser + offset;
}

/* Does it go on with DMA, from preserve to finish? */
static inline bool vfio_pci_live(struct vfio_pci_core_device *vdev)
{
	return vfio_device_preserved(&vdev->vdev) ||
	       pci_liveupdate_incoming(vdev->pdev);
}

long vfio_pci_liveupdate_ioctl(struct vfio_device *core_vdev, unsigned int cmd,
			       unsigned long arg);
int vfio_pci_liveupdate_feature(struct vfio_device *core_vdev, u32 flags,
				void __user *arg, size_t argsz);
int vfio_pci_liveupdate_region_info(struct vfio_device *core_vdev,
				    struct vfio_region_info *info,
				    struct vfio_info_cap *caps);
ssize_t vfio_pci_liveupdate_read(struct vfio_device *core_vdev,
				 char __user *buf, size_t count, loff_t *ppos);
ssize_t vfio_pci_liveupdate_write(struct vfio_device *core_vdev,
				  const char __user *buf, size_t count,
				  loff_t *ppos);
int vfio_pci_liveupdate_mmap(struct vfio_device *core_vdev,
			     struct vm_area_struct *vma);
bool vfio_pci_dev_set_live(struct vfio_device_set *dev_set);
int vfio_pci_dev_set_refuse(struct vfio_device_set *dev_set, const char *what);
bool vfio_pci_liveupdate_trylock_set(struct vfio_device *core_vdev);
void vfio_pci_ioeventfds_late(struct vfio_pci_core_device *vdev);
vm_fault_t vfio_pci_frozen_fault(struct vfio_pci_core_device *vdev,
				 struct vm_fault *vmf);
vm_fault_t vfio_pci_frozen_wait(struct vfio_pci_core_device *vdev,
				struct vm_fault *vmf);
int vfio_pci_liveupdate_reset(struct vfio_pci_core_device *vdev);
int vfio_pci_liveupdate_flr(struct vfio_pci_core_device *vdev);
void vfio_pci_liveupdate_init(const struct vfio_device_ops *ops,
			      struct module *owner);
void vfio_pci_liveupdate_exit(void);
bool vfio_pci_liveupdate_knows(const struct vfio_device *core_vdev);
u32 vfio_pci_ser_crc(const struct vfio_pci_ser *ser);

int vfio_pci_liveupdate_retrieve(struct liveupdate_file_op_args *args);
bool vfio_pci_liveupdate_can_finish(struct liveupdate_file_op_args *args);
void vfio_pci_liveupdate_finish(struct liveupdate_file_op_args *args);
int vfio_pci_liveupdate_enable(struct vfio_pci_core_device *vdev);
bool vfio_pci_liveupdate_disable(struct vfio_pci_core_device *vdev);
bool vfio_pci_liveupdate_trylock_reset(struct vfio_pci_core_device *vdev,
				       struct pci_dev *pdev);
void vfio_pci_liveupdate_closed(struct vfio_pci_core_device *vdev);
void vfio_pci_liveupdate_registered(struct vfio_pci_core_device *vdev);

/* Its file was retrieved, so what is open or opened is a running device */
static inline bool vfio_pci_retrieved(struct vfio_pci_core_device *vdev)
{
	return vdev->liveupdate_ser;
}

/**
 * enum vfio_pci_frozen - vfio_pci_core_device.liveupdate_frozen
 * @VFIO_PCI_NOT_FROZEN: The user has the device
 * @VFIO_PCI_FROZEN: The user is shut out, for a kexec comes
 * @VFIO_PCI_FROZEN_TEST: The user has to wait, as a kexec is only tested
 */
enum vfio_pci_frozen {
	VFIO_PCI_NOT_FROZEN = 0,
	VFIO_PCI_FROZEN,
	VFIO_PCI_FROZEN_TEST,
};

/* The user is shut out; true under memory_lock until unfreeze */
static inline bool vfio_pci_frozen(struct vfio_pci_core_device *vdev)
{
	return READ_ONCE(vdev->liveupdate_frozen) != VFIO_PCI_NOT_FROZEN;
}

/* Is it for a moment only? Then nothing must get lost */
static inline bool vfio_pci_frozen_for_test(struct vfio_pci_core_device *vdev)
{
	return READ_ONCE(vdev->liveupdate_frozen) == VFIO_PCI_FROZEN_TEST;
}

#else
#define vfio_pci_liveupdate_ioctl	vfio_pci_core_ioctl
#define vfio_pci_liveupdate_feature	vfio_pci_core_ioctl_feature
#define vfio_pci_liveupdate_region_info	vfio_pci_ioctl_get_region_info
#define vfio_pci_liveupdate_read	vfio_pci_core_read
#define vfio_pci_liveupdate_write	vfio_pci_core_write
#define vfio_pci_liveupdate_mmap	vfio_pci_core_mmap

static inline bool vfio_pci_dev_set_live(struct vfio_device_set *dev_set)
{
	return false;
}

static inline int vfio_pci_dev_set_refuse(struct vfio_device_set *dev_set,
					  const char *what)
{
	return 0;
}

static inline vm_fault_t
vfio_pci_frozen_fault(struct vfio_pci_core_device *vdev, struct vm_fault *vmf)
{
	return 0;
}

static inline vm_fault_t vfio_pci_frozen_wait(struct vfio_pci_core_device *vdev,
					      struct vm_fault *vmf)
{
	return 0;
}

static inline int vfio_pci_liveupdate_reset(struct vfio_pci_core_device *vdev)
{
	return pci_try_reset_function(vdev->pdev);
}

static inline int vfio_pci_liveupdate_flr(struct vfio_pci_core_device *vdev)
{
	pci_try_reset_function(vdev->pdev);
	return 0;
}

static inline void
vfio_pci_liveupdate_init(const struct vfio_device_ops *ops,
			 struct module *owner)
{
}

static inline void vfio_pci_liveupdate_exit(void)
{
}

static inline bool vfio_pci_retrieved(struct vfio_pci_core_device *vdev)
{
	return false;
}

static inline int vfio_pci_liveupdate_enable(struct vfio_pci_core_device *vdev)
{
	return -EOPNOTSUPP;
}

static inline bool vfio_pci_liveupdate_disable(struct vfio_pci_core_device *vdev)
{
	return false;
}

static inline bool
vfio_pci_liveupdate_trylock_reset(struct vfio_pci_core_device *vdev,
				  struct pci_dev *pdev)
{
	return pci_dev_trylock(pdev);
}

static inline void
vfio_pci_liveupdate_closed(struct vfio_pci_core_device *vdev)
{
}

static inline void
vfio_pci_liveupdate_registered(struct vfio_pci_core_device *vdev)
{
}

static inline bool vfio_pci_frozen(struct vfio_pci_core_device *vdev)
{
	return false;
}

static inline bool vfio_pci_frozen_for_test(struct vfio_pci_core_device *vdev)
{
	return false;
}
#endif /* CONFIG_PCI_LIVEUPDATE */
#endif /* VFIO_PCI_LIVEUPDATE_H */
