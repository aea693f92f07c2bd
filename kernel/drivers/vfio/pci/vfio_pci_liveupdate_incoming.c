// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */

/**
 * DOC: vfio-pci live update, the way back
 *
 * The incoming half of drivers/vfio/pci/vfio_pci_liveupdate.c: gives a device
 * that goes on with DMA back to user space, or stops it if nobody wants it. The
 * device is neither reset nor put to sleep, its registers are not written, and
 * it is never without a translation.
 *
 * Life cycle:
 *
 * 1. vfio_pci_liveupdate_retrieve() finds the device of a record and makes a
 *    file for it, which belongs to the iommufd of the same session. The device
 *    is told its record. Nothing is opened yet.
 * 2. BIND_IOMMUFD of that file opens the device: vfio_pci_liveupdate_enable()
 *    instead of what vfio_pci_core_enable() does to a device at rest. It takes
 *    from the record what cannot be read from a running device, above all the
 *    clean state to go back to at close. iommufd takes over the attachment
 *    afterwards, and if it fails vfio_pci_liveupdate_disable() gives back what
 *    the open has taken, and no more.
 * 3. From then on it is an open device, with interrupts, MMIO, config space, and
 *    a reset of its own. Only the hot reset is refused. Attaching replaces what
 *    it came in on.
 * 4. vfio_pci_liveupdate_can_finish() says no as long as somebody holds the file
 *    and the device still is where it came in. It says so for good if nobody
 *    holds the file, the IOMMU of the device is not in use here, and it cannot be
 *    reset: it may be writing to the memory of its session.
 * 5. vfio_pci_liveupdate_finish() makes an ordinary open device of it. One that
 *    still is where it came in belongs to nobody: it is detached,
 *    which blocks it, and closed and reset when LUO puts the file. If the reset
 *    cannot be had it stays blocked, vfio_pci_liveupdate_closed(). When it is
 *    closed it may sleep again.
 * 6. A device that was not opened is abandoned by its record, be it there or
 *    not, with a driver or without: blocked at the IOMMU, reset if that needs no
 *    waiting, else stripped of bus mastering and left blocked.
 *
 * Locking: vfio_pci_core_device.liveupdate_ser is set under dev_set->lock, and
 * means that the file was retrieved and the update is not finished;
 * liveupdate_abandoned means that it was given up since. liveupdate_no_d3 means
 * that disable_idle_d3 is for live update alone. Finish clears or sets them
 * without dev_set->lock, which a user may hold for as long as he likes: either
 * nobody but the session has the file, so that nobody can bind, attach or close
 * it, or it is bound and on another HWPT, and then nobody looks at them before it
 * is closed. An ordinary open is refused until the PCI core has finished the
 * function, which comes last.
 *
 * The device lock is only ever tried: whoever unbinds the driver holds it and
 * waits for the file. Order as in vfio_pci_liveupdate.c.
 */

#define pr_fmt(fmt) "vfio-pci: live update: " fmt

#include <linux/cleanup.h>
#include <linux/file.h>
#include <linux/io.h>
#include <linux/iommu-liveupdate.h>
#include <linux/iommufd.h>
#include <linux/kexec_handover.h>
#include <linux/kho/abi/pci.h>
#include <linux/kho/abi/vfio_pci.h>
#include <linux/liveupdate.h>
#include <linux/pci.h>
#include <linux/pci-liveupdate.h>
#include <linux/pm_runtime.h>
#include <linux/slab.h>
#include <linux/vfio-liveupdate.h>

#include "vfio_pci_priv.h"

#define VFIO_PCI_SER_FLAGS						\
	(VFIO_PCI_SER_FROZEN | VFIO_PCI_SER_RESET_WORKS |		\
	 VFIO_PCI_SER_SAVED_STATE | VFIO_PCI_SER_NOINTX |		\
	 VFIO_PCI_SER_PCI_2_3 | VFIO_PCI_SER_VIRQ_DISABLED |		\
	 VFIO_PCI_SER_BARDIRTY | VFIO_PCI_SER_MASTER |			\
	 VFIO_PCI_SER_INTX_ON)

/* As dev_printk() would do it; the device need not be there */
#define vfio_pci_ser_say(level, ser, fmt, ...)				\
	pr_##level##_ratelimited("%04x:%02x:%02x.%d: " fmt,		\
				 (ser)->segment, PCI_BUS_NUM((ser)->rid), \
				 PCI_SLOT((ser)->rid & 0xff),		\
				 PCI_FUNC((ser)->rid & 0xff), ##__VA_ARGS__)

/* And user space is told as well, see liveupdate_refuse() */
#define vfio_pci_ser_refuse(level, ser, fmt, ...)			\
	liveupdate_refuse(level, "%04x:%02x:%02x.%d: " fmt,		\
			  (ser)->segment, PCI_BUS_NUM((ser)->rid),	\
			  PCI_SLOT((ser)->rid & 0xff),			\
			  PCI_FUNC((ser)->rid & 0xff), ##__VA_ARGS__)

/* The record */

static bool vfio_pci_ser_holds(const struct vfio_pci_ser *ser, u32 offset,
			       u32 length)
{
	return offset >= sizeof(*ser) && offset <= ser->length &&
	       length <= ser->length - offset;
}

static bool vfio_pci_ser_sane(const struct vfio_pci_ser *ser)
{
	bool state = ser->flags & VFIO_PCI_SER_SAVED_STATE;

	if (ser->rid > U16_MAX ||
	    memchr_inv(ser->reserved, 0, sizeof(ser->reserved)))
		return false;
	if ((ser->flags & ~VFIO_PCI_SER_FLAGS) ||
	    !(ser->flags & VFIO_PCI_SER_FROZEN))
		return false;
	if (ser->hdr_type != PCI_HEADER_TYPE_NORMAL)
		return false;
	if (ser->cfg_size != PCI_CFG_SPACE_SIZE &&
	    ser->cfg_size != PCI_CFG_SPACE_EXP_SIZE)
		return false;
	if (!vfio_pci_ser_holds(ser, ser->vconfig_offset, ser->cfg_size) ||
	    !vfio_pci_ser_holds(ser, ser->config_map_offset, ser->cfg_size))
		return false;
	return !state || (IS_ALIGNED(ser->saved_state_offset, 4) &&
			  vfio_pci_ser_holds(ser, ser->saved_state_offset,
					     ser->saved_state_length));
}

/* The record at @pa, or NULL; nothing is read that was not preserved */
static const struct vfio_pci_ser *vfio_pci_ser_incoming(u64 pa)
{
	const struct vfio_pci_ser *ser;
	unsigned int order = 0;

	if (!pa || pa % PAGE_SIZE)
		return NULL;
	while (!kho_is_preserved(pa, order))
		if (++order > get_order(VFIO_PCI_SER_MAX_LENGTH))
			return NULL;

	ser = phys_to_virt(pa);
	if (ser->version != VFIO_PCI_SER_VERSION ||
	    ser->length < sizeof(*ser) || ser->length > PAGE_SIZE << order ||
	    ser->crc != vfio_pci_ser_crc(ser) || !vfio_pci_ser_sane(ser))
		return NULL;
	return ser;
}

/* Retrieve */

static bool vfio_pci_ser_same_device(const struct vfio_pci_ser *ser,
				     struct pci_dev *pdev)
{
	u32 id;

	/* Is it there at all? */
	pci_read_config_dword(pdev, PCI_VENDOR_ID, &id);
	return id == (ser->vendor | (u32)ser->device << 16) &&
	       ser->vendor == pdev->vendor &&
	       ser->device == pdev->device &&
	       ser->subsystem_vendor == pdev->subsystem_vendor &&
	       ser->subsystem_device == pdev->subsystem_device &&
	       ser->revision == pdev->revision &&
	       ser->hdr_type == pdev->hdr_type &&
	       ser->class == pdev->class &&
	       ser->cfg_size == pdev->cfg_size;
}

/* What the user has mapped, or knows, of the device is where it was */
static bool vfio_pci_ser_same_bars(const struct vfio_pci_ser *ser,
				   struct pci_dev *pdev)
{
	u32 bar;

	for (int i = 0; i < ARRAY_SIZE(ser->bars); i++) {
		pci_read_config_dword(pdev, PCI_BASE_ADDRESS_0 + 4 * i, &bar);
		if (bar != ser->bars[i])
			return false;
	}
	return true;
}

static int vfio_pci_liveupdate_identify(const struct vfio_pci_ser *ser,
					struct pci_dev *pdev)
{
	u16 cmd;

	if (!pci_liveupdate_incoming(pdev)) {
		vfio_pci_ser_refuse(warn, ser, "retrieve refused, the device has not gone on\n");
		return -EIO;
	}
	if (!vfio_pci_ser_same_device(ser, pdev)) {
		vfio_pci_ser_refuse(warn, ser, "retrieve refused, this is another device\n");
		return -ENODEV;
	}
	if (!vfio_pci_ser_same_bars(ser, pdev)) {
		vfio_pci_ser_refuse(warn, ser, "retrieve refused, BARs have moved\n");
		return -EIO;
	}

	pci_read_config_word(pdev, PCI_COMMAND, &cmd);
	if (ser->flags & VFIO_PCI_SER_MASTER && !(cmd & PCI_COMMAND_MASTER))
		vfio_pci_ser_say(warn, ser, "bus mastering has gone off, was the device reset?\n");
	return 0;
}

static struct pci_dev *
vfio_pci_liveupdate_get_pdev(const struct vfio_pci_ser *ser)
{
	return pci_get_domain_bus_and_slot(ser->segment, PCI_BUS_NUM(ser->rid),
					   ser->rid & 0xff);
}

/* The device lock is held, so the driver stays what it is */
static struct vfio_pci_core_device *
vfio_pci_liveupdate_bound(struct pci_dev *pdev)
{
	struct vfio_pci_core_device *vdev;

	device_lock_assert(&pdev->dev);

	/* No other driver with this flag, and so no other kind of drvdata */
	if (!pdev->driver || !pdev->driver->liveupdate_incoming)
		return NULL;
	vdev = pci_get_drvdata(pdev);
	return vdev && vfio_pci_liveupdate_knows(&vdev->vdev) ? vdev : NULL;
}

static struct file *
vfio_pci_liveupdate_make_file(struct vfio_pci_core_device *vdev,
			      const struct vfio_pci_ser *ser,
			      struct file *iommufd_file)
{
	struct file *file;

	if (!vfio_pci_liveupdate_trylock_set(&vdev->vdev)) {
		vfio_pci_ser_refuse(warn, ser,
				    "retrieve refused, one of its set is being attached for too long\n");
		return ERR_PTR(-EAGAIN);
	}

	if (vdev->liveupdate_ser || vdev->vdev.open_count) {
		vfio_pci_ser_refuse(warn, ser, "retrieve refused, it is open\n");
		file = ERR_PTR(-EBUSY);
	} else {
		file = vfio_device_retrieve_file(&vdev->vdev, iommufd_file);
		if (!IS_ERR(file))
			vdev->liveupdate_ser = ser;
		else
			vfio_pci_ser_refuse(warn, ser,
					    "retrieve refused, its file cannot be made: %pe\n",
					    file);
	}
	mutex_unlock(&vdev->vdev.dev_set->lock);
	return file;
}

static struct file *vfio_pci_liveupdate_get_file(struct pci_dev *pdev,
						 const struct vfio_pci_ser *ser,
						 struct file *iommufd_file)
{
	struct vfio_pci_core_device *vdev;
	struct file *file;

	if (!pci_liveupdate_trylock(pdev)) {
		vfio_pci_ser_refuse(warn, ser,
				    "retrieve refused, it is being bound or configured, try again\n");
		return ERR_PTR(-EAGAIN);
	}

	vdev = vfio_pci_liveupdate_bound(pdev);
	if (!vdev) {
		vfio_pci_ser_refuse(warn, ser, "cannot be retrieved before vfio-pci is bound\n");
		file = ERR_PTR(-EAGAIN);
	} else if (IS_ERR_OR_NULL(iommu_liveupdate_incoming_record(&pdev->dev))) {
		vfio_pci_ser_refuse(warn, ser, "retrieve refused, the IOMMU has blocked it\n");
		file = ERR_PTR(-EIO);
	} else {
		file = vfio_pci_liveupdate_make_file(vdev, ser, iommufd_file);
	}
	device_unlock(&pdev->dev);
	return file;
}

/**
 * vfio_pci_liveupdate_retrieve - Retrieve callback of the file handler
 * @args: Arguments of LUO; the file is set
 *
 * Touches neither hardware nor its translation.
 *
 * Context: Process context, session mutex held.
 * Return: 0, or
 * * -EAGAIN: vfio-pci is not bound to the device yet, or somebody else is at it;
 *   this may be tried again, like -ENOMEM
 * * -EINVAL: the record cannot be used
 * * -ENODEV: the device is gone, or is another one
 * * -EIO: the device has not gone on, has other BARs, or was blocked
 * * -EBUSY: it is open already
 * * -EBADFD: the token of the record is none of an iommufd
 * * an error of liveupdate_get_file_incoming()
 */
int vfio_pci_liveupdate_retrieve(struct liveupdate_file_op_args *args)
{
	struct pci_dev *pdev __free(pci_dev_put) = NULL;
	const struct vfio_pci_ser *ser;
	struct file *iommufd_file;
	struct file *file;
	int err;

	ser = vfio_pci_ser_incoming(args->serialized_data);
	if (!ser) {
		liveupdate_refuse_warn("retrieve refused, the record cannot be used\n");
		return -EINVAL;
	}

	pdev = vfio_pci_liveupdate_get_pdev(ser);
	if (!pdev) {
		vfio_pci_ser_refuse(warn, ser, "retrieve refused, there is no such device\n");
		return -ENODEV;
	}
	err = vfio_pci_liveupdate_identify(ser, pdev);
	if (err)
		return err;

	err = liveupdate_get_file_incoming(args->session, ser->iommufd_token,
					   &iommufd_file);
	if (err) {
		vfio_pci_ser_refuse(warn, ser, "retrieve refused, its iommufd cannot be had: %d\n",
				    err);
		return err;
	}
	file = vfio_pci_liveupdate_get_file(pdev, ser, iommufd_file);
	fput(iommufd_file);
	if (IS_ERR(file))
		return PTR_ERR(file);

	args->file = file;
	return 0;
}

/* Open */

/*
 * A byte of the map says which rules hold for this byte of config space. The
 * previous kernel may have hidden what this one knows, but not the other way
 * round: the rules would be those of a capability that is not there.
 */
static bool vfio_pci_liveupdate_map_fits(struct vfio_pci_core_device *vdev,
					 const u8 *map)
{
	for (u32 i = 0; i < vdev->pdev->cfg_size; i++) {
		if (map[i] == vdev->pci_config_map[i])
			continue;
		if (map[i] != PCI_CAP_ID_INVALID ||
		    i < PCI_STD_HEADER_SIZEOF)
			return false;
	}
	return true;
}

/* Config space as the user has left it, on top of what the device says */
static int vfio_pci_liveupdate_config(struct vfio_pci_core_device *vdev,
				      const struct vfio_pci_ser *ser)
{
	const u8 *map = vfio_pci_ser_at(ser, ser->config_map_offset);
	int err;

	/* Reads only */
	err = vfio_config_init(vdev);
	if (err)
		return err;

	if (!vfio_pci_liveupdate_map_fits(vdev, map)) {
		vfio_pci_liveupdate_say(vdev, "bind refused, other capabilities than recorded\n");
		vfio_config_free(vdev);
		return -EINVAL;
	}

	memcpy(vdev->pci_config_map, map, ser->cfg_size);
	memcpy(vdev->vconfig, vfio_pci_ser_at(ser, ser->vconfig_offset),
	       ser->cfg_size);
	/* The BARs were compared; the user's switch of the ROM is not kept */
	memcpy(vdev->rbar, ser->bars, sizeof(ser->bars));
	pci_read_config_dword(vdev->pdev, PCI_ROM_ADDRESS,
			      &vdev->rbar[ARRAY_SIZE(ser->bars)]);
	vdev->bardirty = ser->flags & VFIO_PCI_SER_BARDIRTY;
	vdev->virq_disabled = ser->flags & VFIO_PCI_SER_VIRQ_DISABLED;
	return 0;
}

static int vfio_pci_liveupdate_state(struct vfio_pci_core_device *vdev,
				     const struct vfio_pci_ser *ser)
{
	const struct pci_saved_state_ser *saved = NULL;
	struct pci_saved_state *state;

	if (ser->flags & VFIO_PCI_SER_SAVED_STATE)
		saved = vfio_pci_ser_at(ser, ser->saved_state_offset);

	state = pci_liveupdate_saved_state(vdev->pdev, saved,
					   ser->saved_state_length);
	if (IS_ERR(state)) {
		vfio_pci_liveupdate_say(vdev, "bind refused, no clean state to go back to: %pe\n",
					state);
		return PTR_ERR(state);
	}
	vdev->pci_saved_state = state;
	vdev->reset_works = ser->flags & VFIO_PCI_SER_RESET_WORKS;
	vdev->nointx = ser->flags & VFIO_PCI_SER_NOINTX;
	vdev->pci_2_3 = ser->flags & VFIO_PCI_SER_PCI_2_3;
	return 0;
}

/**
 * vfio_pci_liveupdate_enable - Open a running device
 * @vdev: A device whose file was retrieved
 *
 * What vfio_pci_core_enable() does up to vfio_config_init(), without a reset
 * and without writing to the device. The PCI core holds a runtime PM reference,
 * and vfio-pci has not dropped its own, see vfio_pci_core_register_device().
 *
 * Context: Process context, dev_set->lock is held.
 * Return: 0, -EINVAL if the record does not fit the device, -ENOMEM, another
 * error of pci_enable_device() or vfio_config_init(). The device is as it was.
 */
int vfio_pci_liveupdate_enable(struct vfio_pci_core_device *vdev)
{
	const struct vfio_pci_ser *ser = vdev->liveupdate_ser;
	int err;

	lockdep_assert_held(&vdev->vdev.dev_set->lock);

	/* COMMAND stays as it is, see pci_liveupdate_leave_command() */
	err = pci_enable_device(vdev->pdev);
	if (err)
		return err;

	err = vfio_pci_liveupdate_state(vdev, ser);
	if (err)
		goto err_disable;

	err = vfio_pci_liveupdate_config(vdev, ser);
	if (err)
		goto err_free_state;
	return 0;

err_free_state:
	kfree(vdev->pci_saved_state);
	vdev->pci_saved_state = NULL;
err_disable:
	/* Bus mastering stays on, see pci_liveupdate_keep_master() */
	pci_disable_device(vdev->pdev);
	return err;
}

/**
 * vfio_pci_liveupdate_disable - Take back the open of a running device
 * @vdev: The device, what is in memory only was given back
 *
 * A device is closed before finish only if iommufd could not take it over.
 *
 * Context: Process context, dev_set->lock is held.
 * Return: true if that was so and all is done, false for an ordinary device.
 */
bool vfio_pci_liveupdate_disable(struct vfio_pci_core_device *vdev)
{
	if (!vfio_pci_retrieved(vdev))
		return false;

	kfree(vdev->pci_saved_state);
	vdev->pci_saved_state = NULL;
	vdev->needs_reset = false;
	pci_disable_device(vdev->pdev);
	return true;
}

/**
 * vfio_pci_liveupdate_trylock_reset - Lock a function for the reset at close
 * @vdev: The device that is closed
 * @pdev: Its function, or the bridge above it
 *
 * One that was abandoned has no second chance to be reset.
 *
 * Context: Process context, dev_set->lock is held.
 * Return: true if the locks of pci_dev_trylock() are held.
 */
bool vfio_pci_liveupdate_trylock_reset(struct vfio_pci_core_device *vdev,
				       struct pci_dev *pdev)
{
	if (vdev->liveupdate_abandoned)
		return pci_liveupdate_trylock_reset(pdev);
	return pci_dev_trylock(pdev);
}

/**
 * vfio_pci_liveupdate_registered - A device is registered, perhaps a running one
 * @vdev: The device
 *
 * What goes on with DMA must not sleep.
 *
 * Context: Process context, probe of the driver.
 */
void vfio_pci_liveupdate_registered(struct vfio_pci_core_device *vdev)
{
	if (vdev->disable_idle_d3 || !pci_liveupdate_incoming(vdev->pdev))
		return;

	vdev->disable_idle_d3 = true;
	vdev->liveupdate_no_d3 = true;
}

/* The caller owes a pm_runtime_put() afterwards, unless this says no */
static bool vfio_pci_liveupdate_allow_d3(struct vfio_pci_core_device *vdev)
{
	if (!vdev->liveupdate_no_d3)
		return false;

	vdev->liveupdate_no_d3 = false;
	vdev->disable_idle_d3 = false;
	return true;
}

/**
 * vfio_pci_liveupdate_closed - A device was closed, and reset if that could be
 * had
 * @vdev: The device
 *
 * One that was abandoned may still be running without a reset. The IOMMU is
 * told before iommufd lets go of the group. Else it may sleep from now on: the
 * caller puts the runtime PM reference that an open device has.
 *
 * Context: Process context, dev_set->lock is held.
 */
void vfio_pci_liveupdate_closed(struct vfio_pci_core_device *vdev)
{
	vfio_pci_liveupdate_allow_d3(vdev);
	if (!vdev->liveupdate_abandoned)
		return;

	vdev->liveupdate_abandoned = false;
	if (!vdev->needs_reset)
		return;
	iommu_liveupdate_stay_blocked(&vdev->pdev->dev);
	vfio_pci_liveupdate_say(vdev, "abandoned, no reset, blocked until it is removed\n");
}

/* Finish */

/* Nobody can bind or attach it anew while the caller looks, and until finish */
static bool vfio_pci_liveupdate_settled(struct vfio_device *core_vdev,
					struct file *file)
{
	lockdep_assert_held(&core_vdev->dev_set->lock);

	return vfio_cdev_file_is_bound(file) &&
	       !iommufd_device_is_restored(core_vdev->iommufd_device);
}

/*
 * One that the IOMMU cannot block can be taken by nobody any more, so it is reset
 * without waiting for finish.
 */
static bool vfio_pci_liveupdate_can_stop(const struct vfio_pci_ser *ser)
{
	if (iommu_liveupdate_can_block(ser->segment, ser->rid))
		return true;
	if (pci_liveupdate_abandon(ser->segment, ser->rid)) {
		iommu_liveupdate_stopped(ser->segment, ser->rid);
		return true;
	}

	vfio_pci_ser_refuse(err, ser,
			    "finish refused, its IOMMU is not in use here and it was not reset: its memory is kept until the machine is rebooted\n");
	return false;
}

/**
 * vfio_pci_liveupdate_can_finish - Can_finish callback of the file handler
 * @args: Arguments of LUO
 *
 * The pages that it came in on are held until finish only. A device
 * that still needs it is in somebody's hands, or it is nobody's, and then
 * finish stops it.
 *
 * Context: Process context, session mutex held.
 * Return: false if that is so and anybody but LUO has the file, if only for a
 * moment; likewise if somebody is just binding or attaching a device of its set,
 * and does not come to an end for some seconds, for that may take as long as a
 * page fault of the user; if the record is damaged, for then it is not known
 * which device to stop, and its memory must not be given back; and if it is known,
 * but there is no way to.
 */
bool vfio_pci_liveupdate_can_finish(struct liveupdate_file_op_args *args)
{
	const struct vfio_pci_ser *ser;
	struct vfio_device *core_vdev;
	bool settled;

	ser = vfio_pci_ser_incoming(args->serialized_data);
	if (!ser) {
		liveupdate_refuse_err("finish refused, the record of a device is damaged\n");
		return false;
	}
	/* Without another holder nobody can bind or attach it until finish */
	if (args->retrieve_status <= 0 || file_count(args->file) == 1)
		return vfio_pci_liveupdate_can_stop(ser);

	core_vdev = vfio_device_from_cdev_file(args->file);
	if (!vfio_pci_liveupdate_trylock_set(core_vdev)) {
		liveupdate_dev_warn(core_vdev->dev,
				    "live update: finish refused, it or one of its set is being bound or attached, and that does not end\n");
		return false;
	}
	settled = vfio_pci_liveupdate_settled(core_vdev, args->file);
	mutex_unlock(&core_vdev->dev_set->lock);

	if (!settled)
		liveupdate_dev_warn(core_vdev->dev,
				    "live update: finish refused, it is still on the old page table, and its file is open\n");
	return settled;
}

/* Its driver, if it has one, does not know that it is an ordinary device now */
static void vfio_pci_liveupdate_let_sleep(const struct vfio_pci_ser *ser)
{
	struct pci_dev *pdev __free(pci_dev_put) =
		vfio_pci_liveupdate_get_pdev(ser);
	struct vfio_pci_core_device *vdev;

	/* Whoever unbinds the driver puts an end to it as well */
	if (!pdev || !pci_liveupdate_trylock(pdev))
		return;

	vdev = vfio_pci_liveupdate_bound(pdev);
	if (vdev && vfio_pci_liveupdate_allow_d3(vdev))
		pm_runtime_put(&pdev->dev);
	device_unlock(&pdev->dev);
}

/* Nobody has opened it since the kexec. Needs nothing but the record. */
static void vfio_pci_liveupdate_abandon(const struct vfio_pci_ser *ser)
{
	bool reset_done;

	iommu_liveupdate_block(ser->segment, ser->rid);
	reset_done = pci_liveupdate_abandon(ser->segment, ser->rid);
	iommu_liveupdate_abandon(ser->segment, ser->rid, reset_done);
	if (reset_done)
		vfio_pci_liveupdate_let_sleep(ser);
	pci_liveupdate_finish(ser->segment, ser->rid);

	if (reset_done)
		vfio_pci_ser_say(info, ser, "abandoned, it was reset\n");
	else
		vfio_pci_ser_say(warn, ser, "abandoned, no reset, blocked until it is removed\n");
}

/* Returns false for a file that was never bound: the device is not ours */
static bool vfio_pci_liveupdate_settle(struct file *file,
				       const struct vfio_pci_ser *ser)
{
	struct vfio_device *core_vdev = vfio_device_from_cdev_file(file);
	struct vfio_pci_core_device *vdev = vfio_pci_liveupdate_vdev(core_vdev);

	vdev->liveupdate_ser = NULL;
	vfio_device_finish_file(file);
	if (!vfio_cdev_file_is_bound(file))
		return false;

	/*
	 * The memory it writes to is given back before LUO puts the file. With
	 * another holder it is known to be on another HWPT, see can_finish, and
	 * he may be attaching it, inside the lock that would be asked for. So may
	 * who holds another of its group, unless the group is still where it came
	 * in: then can_finish has seen that nobody holds any of them.
	 */
	if (file_count(file) == 1 &&
	    iommu_liveupdate_device_restored(&vdev->pdev->dev)) {
		vfio_pci_ser_say(info, ser, "abandoned, it is reset when its file is closed\n");
		vdev->liveupdate_abandoned = true;
		vfio_device_detach_abandoned(core_vdev);
	}
	pci_liveupdate_finish(ser->segment, ser->rid);
	return true;
}

/**
 * vfio_pci_liveupdate_finish - Finish callback of the file handler
 * @args: Arguments of LUO, can_finish has said yes
 *
 * Afterwards the device is an ordinary one: open, if it was opened and attached
 * anew, or else stopped.
 *
 * Context: Process context, session mutex held. Waits for no driver, and for no
 * user: see locking above.
 */
void vfio_pci_liveupdate_finish(struct liveupdate_file_op_args *args)
{
	const struct vfio_pci_ser *ser;

	ser = vfio_pci_ser_incoming(args->serialized_data);
	/* It was fine for can_finish a moment ago; nothing can be freed by it */
	if (WARN_ON_ONCE(!ser))
		return;

	if (args->retrieve_status <= 0 ||
	    !vfio_pci_liveupdate_settle(args->file, ser))
		vfio_pci_liveupdate_abandon(ser);

	kho_restore_free((void *)ser);
}
