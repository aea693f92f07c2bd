// SPDX-License-Identifier: GPL-2.0
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */

/**
 * DOC: PCI live update
 *
 * A kexec does not reset PCI. What a function needs for its DMA is therefore
 * still in its registers, and in those of the bridges above it, when the next
 * kernel starts: bus mastering, bus numbers, BARs, windows, ACS, ARI, payload
 * sizes. This file makes sure that neither kernel "repairs" them. It hands over a
 * list of functions, and the sizes of their BARs, which registers do not say.
 *
 * Preserved: a function of the old kernel that is to go on with DMA, and every
 * bridge above it. Incoming: the same function in the next kernel, from its
 * enumeration until its driver finishes it. Adopted: was incoming at some
 * time; it keeps bus numbers, ACS and ARI for the life of its pci_dev. BARs and
 * windows are kept until it is finished, see liveupdate_bars.c.
 *
 * Life cycle:
 *
 * 1. A driver hangs the FLB on its file handler, pci_liveupdate_register_flb().
 *    The first preserved file makes the empty top object.
 * 2. pci_liveupdate_preserve() writes a record for the function and counts one
 *    reference for every bridge above it. Until pci_liveupdate_unpreserve()
 *    resets, removal, suspend, SR-IOV and changes of BARs are refused. A rescan
 *    is not: it leaves known functions and valid bus numbers alone. Nor is a
 *    reset of the function that its owner asks for, pci_liveupdate_reset().
 *    When the driver's file is frozen, pci_liveupdate_can_shut_down() looks whether
 *    shutdown would wait for somebody who holds a device lock, of whichever function.
 * 3. The first PCI function that is shut down seals the records,
 *    pci_liveupdate_seal(). Bus mastering stays on where a record says so,
 *    pci_liveupdate_keep_master().
 * 4. Next kernel: the first function that is set up fetches and checks the
 *    records. Each function is looked up before anything is written to it,
 *    pci_liveupdate_setup_device(), and once its capabilities are known takes
 *    over ACS and a runtime PM reference, pci_liveupdate_init_device().
 * 5. Only a driver that says so may bind, and only while live update owns the
 *    function's IOMMU group, pci_liveupdate_may_bind().
 * 6. pci_liveupdate_finish() walks the same way up again; after the last
 *    function the records are freed. The function need not be there any more.
 *    One that nobody has taken over is stopped before, pci_liveupdate_abandon().
 *
 * Failing closed: records that exist and cannot be used leave no name to spare
 * anybody by. Bus mastering is then cleared on every function that is set up;
 * what was not preserved had it cleared by the old kernel anyway. The IOMMU
 * core blocks what is not incoming here, but has a record there.
 *
 * Limits. Not handed over and not promised: ASPM and interrupts; power states
 * other than D0. Refused: VFs, PFs with VFs, functions below a CardBus bridge or a port
 * whose ACS is switched on by a quirk, since it cannot be read back. AER and
 * DPC recovery and surprise removal cannot be refused; they end the DMA, and
 * the function stays blocked by the IOMMU as far as it was. Writing config
 * space through sysfs and switching off a slot are left to the administrator.
 *
 * Locking:
 *
 * pci_liveupdate_lock
 *	the outgoing records and the seal. Taken by preserve and unpreserve and
 *	once at shutdown.
 * pci_liveupdate_in.lock
 *	the incoming records: state, index and counts. Taken by enumeration,
 *	finish, and when a driver is to bind to an incoming function.
 * device locks of the function and of the bridges above it
 *	held, by trylock, while preserve raises pci_dev_liveupdate.outgoing.
 *	Whoever resets one of them, its slot or its bus, unbinds its driver,
 *	resizes its BARs or enables its VFs holds its lock as well, so that
 *	either side sees the other.
 *
 * The counts in struct pci_dev are written under one of the first two and read
 * without a lock, because bus mastering can be cleared in any context.
 *
 * Order, outermost first: pci_rescan_remove_lock, device lock,
 * pci_liveupdate_lock or pci_liveupdate_in.lock, FLB mutex, KHO. Trylocks do not
 * wait for ever, see pci_liveupdate_trylock(), so that of the function is also
 * taken below the locks of the caller, and those of the bridges inside
 * pci_liveupdate_lock: two functions below one bridge are then never in each
 * other's way. The FLB callbacks take none of the locks above the FLB mutex.
 *
 * The way up the tree needs no lock of its own. Removal stops all functions
 * below a bridge before it frees any of them, and stopping waits for the driver
 * of the function to be gone. Preserve holds the device lock of a function that
 * has a driver; unpreserve is called for a file of that driver, which by contract
 * stays until its last file is closed. Finish may come without a driver, and
 * goes up by the records, as they were found. pci_rescan_remove_lock
 * cannot be taken there: removal holds it while it waits for the driver, and so
 * for that file.
 */

#include <linux/cleanup.h>
#include <linux/io.h>
#include <linux/iopoll.h>
#include <linux/kexec_handover.h>
#include <linux/kho/abi/pci.h>
#include <linux/kho_block.h>
#include <linux/ktime.h>
#include <linux/liveupdate.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/pci-liveupdate.h>
#include <linux/pm_runtime.h>
#include <linux/slab.h>

#include "pci.h"

/**
 * struct pci_liveupdate_outgoing - Records for the next kernel
 * @ser: Top object
 * @blocks: The chain at @ser->devices_pa
 * @it: Where the chain ends
 */
struct pci_liveupdate_outgoing {
	struct pci_ser *ser;
	struct kho_block_set blocks;
	struct kho_block_set_it it;
};

static DEFINE_MUTEX(pci_liveupdate_lock);
static bool pci_liveupdate_sealed;
static unsigned int pci_liveupdate_nr_preserved;

static bool pci_liveupdate_mem_preserved(u64 pa)
{
	return kho_is_preserved(pa, 0);
}

static const void *pci_liveupdate_mem_map(u64 pa)
{
	return phys_to_virt(pa);
}

const struct pci_liveupdate_mem pci_liveupdate_mem = {
	.preserved = pci_liveupdate_mem_preserved,
	.map = pci_liveupdate_mem_map,
};

/* The FLB; its incoming half is in liveupdate_incoming.c */

static void pci_liveupdate_renew_crc(struct pci_liveupdate_outgoing *out)
{
	out->ser->crc = pci_liveupdate_crc(out->ser, &pci_liveupdate_mem);
}

static int pci_liveupdate_flb_preserve(struct liveupdate_flb_op_args *args)
{
	struct pci_liveupdate_outgoing *out;
	struct pci_ser *ser;

	out = kzalloc_obj(*out);
	if (!out)
		return -ENOMEM;

	ser = kho_alloc_preserve(sizeof(*ser));
	if (IS_ERR(ser)) {
		kfree(out);
		return PTR_ERR(ser);
	}

	ser->version = PCI_SER_VERSION;
	ser->length = sizeof(*ser);
	out->ser = ser;
	kho_block_set_init(&out->blocks, sizeof(struct pci_dev_ser));
	pci_liveupdate_renew_crc(out);

	args->obj = out;
	args->data = virt_to_phys(ser);
	return 0;
}

static void pci_liveupdate_flb_unpreserve(struct liveupdate_flb_op_args *args)
{
	struct pci_liveupdate_outgoing *out = args->obj;

	kho_block_set_destroy(&out->blocks);
	kho_unpreserve_free(out->ser);
	kfree(out);
}

static const struct liveupdate_flb_ops pci_liveupdate_flb_ops = {
	.preserve = pci_liveupdate_flb_preserve,
	.unpreserve = pci_liveupdate_flb_unpreserve,
	.retrieve = pci_liveupdate_flb_retrieve,
	.finish = pci_liveupdate_flb_finish,
	.owner = THIS_MODULE,
};

struct liveupdate_flb pci_liveupdate_flb = {
	.ops = &pci_liveupdate_flb_ops,
	.compatible = PCI_SER_FLB_COMPATIBLE,
};

LIVEUPDATE_NOTE(PCI_SER_FLB_COMPATIBLE);

/**
 * pci_liveupdate_register_flb - Let files of a handler carry the PCI records
 * @fh: Registered handler of a driver that calls pci_liveupdate_preserve()
 *
 * Context: Process context, once per handler.
 * Return: 0, -EOPNOTSUPP when live update is off (nothing to worry about), or
 * another error of liveupdate_register_flb().
 */
int pci_liveupdate_register_flb(struct liveupdate_file_handler *fh)
{
	return liveupdate_register_flb(fh, &pci_liveupdate_flb);
}
EXPORT_SYMBOL_GPL(pci_liveupdate_register_flb);

/* Device locks */

#define PCI_LIVEUPDATE_TRY_EVERY_US	200

static int pci_liveupdate_device_trylock(struct pci_dev *dev)
{
	return device_trylock(&dev->dev);
}

static bool pci_liveupdate_retry(int (*trylock)(struct pci_dev *dev),
				 struct pci_dev *dev, ktime_t deadline)
{
	/* Once at least, and 0 would be without end */
	s64 timeout_us = max(ktime_us_delta(deadline, ktime_get()), 1);
	int locked;

	return !read_poll_timeout(trylock, locked, locked,
				  PCI_LIVEUPDATE_TRY_EVERY_US, timeout_us,
				  false, dev);
}

static ktime_t pci_liveupdate_in_a_second(void)
{
	return ktime_add_us(ktime_get(), USEC_PER_SEC);
}

/**
 * pci_liveupdate_trylock - device_trylock() for as long as honest holders need
 * @dev: A function or bridge
 *
 * Whoever unbinds a driver holds the device lock until the last file of the
 * device is closed, which may be the one the caller is working for. Others have
 * it for a moment only, be they any user who reads sriov_numvfs, again and
 * again: they must not make anything fail.
 *
 * Context: Process context. Sleeps for no more than a second.
 * Return: true if the device lock is held.
 */
bool pci_liveupdate_trylock(struct pci_dev *dev)
{
	return pci_liveupdate_retry(pci_liveupdate_device_trylock, dev,
				    pci_liveupdate_in_a_second());
}
EXPORT_SYMBOL_GPL(pci_liveupdate_trylock);

/**
 * pci_liveupdate_trylock_reset - Lock a function for a reset
 * @dev: A function or bridge
 *
 * As pci_liveupdate_trylock(), but with what pci_dev_trylock() locks besides.
 * Undone by pci_dev_unlock().
 *
 * Context: Process context. Sleeps for no more than a second.
 * Return: true if the locks are held.
 */
bool pci_liveupdate_trylock_reset(struct pci_dev *dev)
{
	return pci_liveupdate_retry(pci_dev_trylock, dev,
				    pci_liveupdate_in_a_second());
}
EXPORT_SYMBOL_GPL(pci_liveupdate_trylock_reset);

/* Will somebody take the lock of this function, and wait for its driver with it? */
static bool pci_liveupdate_will_be_held(struct pci_dev *dev, ktime_t deadline)
{
	bool removed;

	if (!pci_liveupdate_retry(pci_liveupdate_device_trylock, dev, deadline)) {
		pci_liveupdate_say(dev, "kexec refused, it is being removed or configured\n");
		return true;
	}
	removed = pci_dev_is_disconnected(dev) && dev->driver;
	device_unlock(&dev->dev);
	if (removed)
		pci_liveupdate_say(dev, "kexec refused, disconnected and not removed yet\n");
	return removed;
}

/**
 * pci_liveupdate_can_shut_down - Can shutdown have the lock of every function?
 *
 * It waits for each of them without bound. Whoever unbinds a driver has one until
 * the last file of the device is closed, and so has whoever removes a device, be it
 * preserved or any other that a user has open. That of a disconnected device with a
 * driver is about to be taken. A kexec is better refused than begun then. Who starts
 * to unbind later than this is not seen.
 *
 * Context: Process context. Sleeps for no more than a second in all.
 * Return: false, with a line in the log, if there is such a function.
 */
bool pci_liveupdate_can_shut_down(void)
{
	ktime_t deadline = pci_liveupdate_in_a_second();
	struct pci_dev *dev = NULL;

	for_each_pci_dev(dev) {
		if (pci_liveupdate_will_be_held(dev, deadline)) {
			pci_dev_put(dev);
			return false;
		}
	}
	return true;
}
EXPORT_SYMBOL_GPL(pci_liveupdate_can_shut_down);

/* Old kernel: preserve */

/*
 * The record of @dev, or a new one. Records never move: one that was given up
 * is used again, so the chain is no longer than the most that were ever in use.
 */
static struct pci_dev_ser *
pci_liveupdate_outgoing_record(struct pci_liveupdate_outgoing *out,
			       struct pci_dev *dev, bool create)
{
	u32 segment = pci_liveupdate_segment(dev);
	struct pci_dev_ser *rec, *hole = NULL;
	u16 rid = pci_dev_id(dev);
	struct kho_block_set_it it;
	int err;

	kho_block_set_it_init(&it, &out->blocks);
	while ((rec = kho_block_set_it_read_entry(&it))) {
		if (!rec->refcount)
			hole = hole ?: rec;
		else if (rec->segment == segment && rec->rid == rid)
			return rec;
	}
	if (!create)
		return NULL;

	if (!hole) {
		err = kho_block_set_grow(&out->blocks, out->ser->nr_devices + 1);
		if (err)
			return ERR_PTR(err);
		if (!out->ser->nr_devices)
			kho_block_set_it_init(&out->it, &out->blocks);

		hole = kho_block_set_it_reserve_entry(&out->it);
		out->ser->devices_pa = kho_block_set_head_pa(&out->blocks);
		out->ser->nr_devices++;
	}

	hole->segment = segment;
	hole->rid = rid;
	pci_liveupdate_note_sizes(dev, hole);
	return hole;
}

static int pci_liveupdate_get_outgoing(struct pci_liveupdate_outgoing *out,
				       struct pci_dev *dev)
{
	struct pci_dev_ser *rec;

	rec = pci_liveupdate_outgoing_record(out, dev, true);
	if (IS_ERR(rec))
		return PTR_ERR(rec);

	rec->refcount++;
	/* It is in D0 because what is below it is active; keep it there */
	pm_runtime_get_noresume(&dev->dev);
	/* Last: from here on others see it */
	WRITE_ONCE(dev->liveupdate.outgoing, dev->liveupdate.outgoing + 1);
	return 0;
}

static void pci_liveupdate_put_outgoing(struct pci_liveupdate_outgoing *out,
					struct pci_dev *dev)
{
	struct pci_dev_ser *rec;

	WRITE_ONCE(dev->liveupdate.outgoing, dev->liveupdate.outgoing - 1);
	pm_runtime_put(&dev->dev);

	rec = pci_liveupdate_outgoing_record(out, dev, false);
	/*
	 * The count in @dev says there is one. Without it the records are not
	 * what this kernel wrote, which must not pass unseen.
	 */
	if (!WARN_ON_ONCE(!rec) && !--rec->refcount)
		memset(rec, 0, sizeof(*rec));
}

static void pci_liveupdate_unlock_bridges(struct pci_dev *pdev,
					  struct pci_dev *end)
{
	struct pci_dev *dev;

	for (dev = pci_upstream_bridge(pdev); dev != end;
	     dev = pci_upstream_bridge(dev))
		device_unlock(&dev->dev);
}

/* A bridge whose reset or unbind has passed its check must not be counted */
static int pci_liveupdate_trylock_bridges(struct pci_dev *pdev)
{
	struct pci_dev *dev;

	for (dev = pci_upstream_bridge(pdev); dev;
	     dev = pci_upstream_bridge(dev)) {
		if (pci_liveupdate_trylock(dev))
			continue;
		pci_liveupdate_say(pdev, "%s is being reset, removed or configured\n",
				   pci_name(dev));
		pci_liveupdate_unlock_bridges(pdev, dev);
		return -EBUSY;
	}
	return 0;
}

static int pci_liveupdate_preserve_path(struct pci_liveupdate_outgoing *out,
					struct pci_dev *pdev)
{
	struct pci_dev *dev, *undo;
	int err = 0;

	for (dev = pdev; dev; dev = pci_upstream_bridge(dev)) {
		err = pci_liveupdate_get_outgoing(out, dev);
		if (err)
			break;
	}
	if (err) {
		for (undo = pdev; undo != dev; undo = pci_upstream_bridge(undo))
			pci_liveupdate_put_outgoing(out, undo);
		pci_liveupdate_say(pdev, "no room for the records: %d\n", err);
	} else {
		WRITE_ONCE(pci_liveupdate_nr_preserved,
			   pci_liveupdate_nr_preserved + 1);
	}

	pci_liveupdate_renew_crc(out);
	return err;
}

/* Properties that never change; what can change is checked under the locks */
static int pci_liveupdate_preservable(struct pci_dev *pdev)
{
	struct pci_dev *dev;

	if (pdev->is_virtfn) {
		pci_liveupdate_say(pdev, "a VF cannot be preserved\n");
		return -EOPNOTSUPP;
	}
	if (pdev->hdr_type != PCI_HEADER_TYPE_NORMAL) {
		pci_liveupdate_say(pdev, "a bridge is not preserved by itself\n");
		return -EOPNOTSUPP;
	}
	for (dev = pdev; dev; dev = pci_upstream_bridge(dev)) {
		if (dev->hdr_type == PCI_HEADER_TYPE_CARDBUS) {
			pci_liveupdate_say(pdev, "%s above it is a CardBus bridge\n",
					   pci_name(dev));
			return -EOPNOTSUPP;
		}
		if (!pci_dev_acs_by_quirk(dev))
			continue;
		pci_liveupdate_say(pdev, "ACS of %s depends on a quirk\n",
				   pci_name(dev));
		return -EOPNOTSUPP;
	}
	return 0;
}

static int pci_liveupdate_preserve_locked(struct pci_dev *pdev)
{
	struct pci_liveupdate_outgoing *out;
	int err;

	device_lock_assert(&pdev->dev);

	if (!pdev->dev.driver) {
		pci_liveupdate_say(pdev, "no driver to preserve it for\n");
		return -ENODEV;
	}

	guard(mutex)(&pci_liveupdate_lock);

	if (pci_liveupdate_sealed) {
		pci_liveupdate_say(pdev, "too late to preserve, shutdown has begun\n");
		return -EBUSY;
	}
	if (pdev->liveupdate.outgoing) {
		pci_liveupdate_say(pdev, "is preserved already\n");
		return -EBUSY;
	}
	if (READ_ONCE(pdev->liveupdate.incoming)) {
		pci_liveupdate_say(pdev, "the last live update is not finished\n");
		return -EBUSY;
	}
	if (pci_num_vf(pdev)) {
		pci_liveupdate_say(pdev, "VFs are enabled\n");
		return -EOPNOTSUPP;
	}

	err = liveupdate_flb_get_outgoing(&pci_liveupdate_flb, (void **)&out);
	if (err) {
		pci_liveupdate_say(pdev, "no file carries PCI records: %d\n", err);
		return err;
	}

	err = pci_liveupdate_trylock_bridges(pdev);
	if (err)
		goto out_put_flb;

	err = pci_liveupdate_preserve_path(out, pdev);
	pci_liveupdate_unlock_bridges(pdev, NULL);
out_put_flb:
	liveupdate_flb_put_outgoing(&pci_liveupdate_flb);
	return err;
}

/**
 * pci_liveupdate_preserve - Keep a function doing DMA across a live update
 * @pdev: A function bound to a driver
 *
 * Writes a record for @pdev and counts it at every bridge above. Touches no
 * register. Until pci_liveupdate_unpreserve() whatever would reset, remove or
 * suspend the function is refused, but for pci_liveupdate_reset().
 *
 * Context: Process context, in the preserve callback of a file handler that
 * has the PCI FLB. May be called with locks of the driver held that nest inside
 * the device lock, which is therefore only tried.
 * Return: 0, or
 * * -EOPNOTSUPP: a VF, a PF with VFs, a bridge, below a CardBus bridge, ACS by
 *   quirk, live update off
 * * -EBUSY: preserved already, incoming and not finished, shutdown has begun,
 *   or somebody holds the device lock of the function or of a bridge above it,
 *   for longer than a second
 * * -ENODEV: it has no driver
 * * -ENOENT: the FLB is not carried by any file
 * * -ENOMEM, -ENOSPC: no room for the records
 * * another error: the function could not be resumed
 */
int pci_liveupdate_preserve(struct pci_dev *pdev)
{
	int err;

	err = pci_liveupdate_preservable(pdev);
	if (err)
		return err;

	if (!pci_liveupdate_trylock(pdev)) {
		pci_liveupdate_say(pdev, "is being reset, removed or configured\n");
		return -EBUSY;
	}

	/* With the function active the bridges above it are active as well */
	err = pm_runtime_resume_and_get(&pdev->dev);
	if (err) {
		pci_liveupdate_say(pdev, "does not resume: %d\n", err);
		goto out_unlock;
	}

	err = pci_liveupdate_preserve_locked(pdev);
	pm_runtime_put(&pdev->dev);
out_unlock:
	device_unlock(&pdev->dev);
	return err;
}
EXPORT_SYMBOL_GPL(pci_liveupdate_preserve);

/**
 * pci_liveupdate_unpreserve - Undo pci_liveupdate_preserve()
 * @pdev: A function that was preserved, and still has its driver
 *
 * Does nothing once shutdown has begun: the records are final then.
 *
 * Context: Process context, while the FLB is still carried by a file.
 */
void pci_liveupdate_unpreserve(struct pci_dev *pdev)
{
	struct pci_liveupdate_outgoing *out;
	struct pci_dev *dev;
	int err;

	guard(mutex)(&pci_liveupdate_lock);

	if (pci_liveupdate_sealed)
		return;

	err = liveupdate_flb_get_outgoing(&pci_liveupdate_flb, (void **)&out);
	/*
	 * LUO keeps the FLB until after the unpreserve of the file. Were it
	 * gone, the function would stay closed to everybody for good.
	 */
	if (WARN_ON_ONCE(err))
		return;

	for (dev = pdev; dev; dev = pci_upstream_bridge(dev))
		pci_liveupdate_put_outgoing(out, dev);
	WRITE_ONCE(pci_liveupdate_nr_preserved,
		   pci_liveupdate_nr_preserved - 1);
	pci_liveupdate_renew_crc(out);
	liveupdate_flb_put_outgoing(&pci_liveupdate_flb);
}
EXPORT_SYMBOL_GPL(pci_liveupdate_unpreserve);

/**
 * pci_liveupdate_seal - The records are final
 *
 * Called for every function that is shut down, before its driver is.
 *
 * Context: Process context, may sleep.
 */
void pci_liveupdate_seal(void)
{
	guard(mutex)(&pci_liveupdate_lock);
	WRITE_ONCE(pci_liveupdate_sealed, true);
}

/**
 * pci_liveupdate_keep_master - Does this function keep mastering the bus?
 * @dev: A function or bridge whose bus mastering is about to be cleared
 *
 * Once shutdown has begun only what is preserved counts: what the previous
 * kernel left and nobody finished has no record for the next one.
 *
 * Context: Any.
 * Return: true for preserved and for incoming functions, and the bridges above
 * them.
 */
bool pci_liveupdate_keep_master(struct pci_dev *dev)
{
	if (READ_ONCE(dev->liveupdate.outgoing))
		return true;
	return !READ_ONCE(pci_liveupdate_sealed) &&
	       READ_ONCE(dev->liveupdate.incoming);
}

/**
 * pci_liveupdate_any_preserved - Is any function preserved?
 *
 * Context: Any.
 * Return: true from the first preserve to the last unpreserve.
 */
bool pci_liveupdate_any_preserved(void)
{
	return READ_ONCE(pci_liveupdate_nr_preserved);
}

/**
 * pci_export_saved_state - Write a saved state down as bytes
 * @state: Saved state returned from pci_store_saved_state()
 * @ser: Where to, or NULL to learn the length
 *
 * @ser must be zeroed and have room for as many bytes as a call with NULL says.
 *
 * Context: Any.
 * Return: bytes written or needed.
 */
size_t pci_export_saved_state(const struct pci_saved_state *state,
			      struct pci_saved_state_ser *ser)
{
	const struct pci_cap_saved_data *cap = state->cap;
	struct pci_saved_cap_ser *out;
	size_t len = sizeof(*ser);
	u32 nr_caps = 0;

	while (cap->size) {
		if (ser) {
			out = (void *)ser + len;
			out->cap = cap->cap_nr;
			out->extended = cap->cap_extended;
			out->length = cap->size;
			memcpy(out->data, cap->data, cap->size);
		}
		nr_caps++;
		len += sizeof(*out) + ALIGN(cap->size, 4);
		cap = (const void *)cap + sizeof(*cap) + cap->size;
	}

	if (ser) {
		ser->length = len;
		ser->nr_caps = nr_caps;
		memcpy(ser->config_space, state->config_space,
		       sizeof(ser->config_space));
	}
	return len;
}
EXPORT_SYMBOL_GPL(pci_export_saved_state);

/* Both kernels: what must not happen meanwhile */

/**
 * pci_liveupdate_busy - Is live update using this function?
 * @dev: A function or bridge
 *
 * Context: Any.
 * Return: true while it, or something below it, is preserved, or incoming and
 * not finished.
 */
bool pci_liveupdate_busy(struct pci_dev *dev)
{
	return READ_ONCE(dev->liveupdate.outgoing) ||
	       READ_ONCE(dev->liveupdate.incoming);
}

/**
 * pci_liveupdate_refuse - Refuse what would end the DMA
 * @dev: A function or bridge
 * @what: What somebody wants to do to it, for the log
 *
 * Context: Any. Under the device lock of the function the answer stays true.
 * Return: 0, -EBUSY if pci_liveupdate_busy().
 */
int pci_liveupdate_refuse(struct pci_dev *dev, const char *what)
{
	if (!pci_liveupdate_busy(dev))
		return 0;

	pci_liveupdate_say(dev, "%s refused, %s\n", what,
			   READ_ONCE(dev->liveupdate.outgoing) ? "it is preserved" :
			   "it is not finished");
	return -EBUSY;
}

/**
 * pci_liveupdate_refuse_slot - pci_liveupdate_refuse() for a slot
 * @slot: A slot all of whose functions the caller has locked
 * @what: What somebody wants to do to it, for the log
 *
 * Context: Process context.
 * Return: 0, -EBUSY if any function in the slot is busy.
 */
int pci_liveupdate_refuse_slot(struct pci_slot *slot, const char *what)
{
	struct pci_dev *dev;
	int err = 0;

	list_for_each_entry(dev, &slot->bus->devices, bus_list)
		if (dev->slot == slot)
			err = err ?: pci_liveupdate_refuse(dev, what);
	return err;
}
