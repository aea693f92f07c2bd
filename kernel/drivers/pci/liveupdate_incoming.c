// SPDX-License-Identifier: GPL-2.0
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */

/**
 * DOC: PCI live update, next kernel
 *
 * The incoming side of drivers/pci/liveupdate.c, where terms, life cycle and
 * locking are described: finds out which functions the previous kernel left
 * doing DMA, and answers those parts of enumeration and driver binding that
 * must treat them in another way.
 *
 * State: nobody has looked; nothing was left; records are there; records are
 * there and cannot be used. It is settled by the first function that is set up,
 * and changes no more. After the last finish the records go, but bus numbers,
 * ACS and ARI stay as they were found for as long as this kernel runs.
 */

#define pr_fmt(fmt) "PCI: live update: " fmt

#include <linux/cleanup.h>
#include <linux/io.h>
#include <linux/iommu-liveupdate.h>
#include <linux/kexec_handover.h>
#include <linux/kho/abi/pci.h>
#include <linux/kho_block.h>
#include <linux/liveupdate.h>
#include <linux/liveupdate_timing.h>
#include <linux/mutex.h>
#include <linux/panic.h>
#include <linux/pci.h>
#include <linux/pci-liveupdate.h>
#include <linux/pm_runtime.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "pci.h"

/**
 * struct pci_liveupdate_node - One record of the previous kernel
 * @rec: The record
 * @parent: The bridge above, as far as the function was found below one
 * @found: The function was found, so @parent and the bus numbers are known
 * @secondary: Of a bridge, the first bus below it
 * @subordinate: Of a bridge, the last bus below it
 *
 * Whoever finishes a function that is gone by then needs to know what was above
 * it, which the record does not say.
 */
struct pci_liveupdate_node {
	struct pci_dev_ser *rec;
	struct pci_liveupdate_node *parent;
	bool found;
	u8 secondary;
	u8 subordinate;
};

/**
 * struct pci_liveupdate_incoming - Records of the previous kernel
 * @ser: Top object
 * @blocks: The chain at @ser->devices_pa
 * @devices: struct pci_liveupdate_node by segment << 16 | rid
 */
struct pci_liveupdate_incoming {
	struct pci_ser *ser;
	struct kho_block_set blocks;
	struct xarray devices;
};

enum pci_liveupdate_state {
	PCI_LIVEUPDATE_UNKNOWN,		/* nobody has looked */
	PCI_LIVEUPDATE_NONE,		/* the previous kernel left nothing */
	PCI_LIVEUPDATE_PRESENT,
	PCI_LIVEUPDATE_FAILED,		/* it left something unusable */
};

static struct {
	struct mutex lock;			/* all of this, and the records */
	enum pci_liveupdate_state state;
	struct pci_liveupdate_incoming *obj;	/* NULL after the last finish */
} pci_liveupdate_in = {
	.lock = __MUTEX_INITIALIZER(pci_liveupdate_in.lock),
};

static unsigned long pci_liveupdate_key(u32 segment, u16 rid)
{
	return (unsigned long)segment << 16 | rid;
}

static int pci_liveupdate_index(struct pci_liveupdate_incoming *in)
{
	struct pci_liveupdate_node *node;
	struct kho_block_set_it it;
	struct pci_dev_ser *rec;
	int err;

	kho_block_set_it_init(&it, &in->blocks);
	while ((rec = kho_block_set_it_read_entry(&it))) {
		if (!rec->refcount)
			continue;

		node = kzalloc_obj(*node);
		if (!node)
			return -ENOMEM;
		node->rec = rec;
		err = xa_insert(&in->devices,
				pci_liveupdate_key(rec->segment, rec->rid),
				node, GFP_KERNEL);
		if (err) {
			kfree(node);
			return err == -EBUSY ? -EINVAL : err;
		}
	}
	return 0;
}

static void pci_liveupdate_free_index(struct pci_liveupdate_incoming *in)
{
	struct pci_liveupdate_node *node;
	unsigned long key;

	xa_for_each(&in->devices, key, node)
		kfree(node);
	xa_destroy(&in->devices);
}

static struct pci_liveupdate_node *
pci_liveupdate_node(struct pci_liveupdate_incoming *in, u32 segment, u16 rid)
{
	return xa_load(&in->devices, pci_liveupdate_key(segment, rid));
}

/**
 * pci_liveupdate_flb_retrieve - Retrieve callback of the FLB
 * @args: Address of the top object; set to what was found there
 *
 * What cannot be used is left where it is.
 *
 * Context: Process context, FLB mutex held.
 * Return: 0, an error of pci_liveupdate_check(), -EINVAL if two records name
 * the same function, -ENOMEM.
 */
int pci_liveupdate_flb_retrieve(struct liveupdate_flb_op_args *args)
{
	struct pci_liveupdate_incoming *in;
	int err;

	err = pci_liveupdate_check(args->data, &pci_liveupdate_mem);
	if (err)
		return err;

	in = kzalloc_obj(*in);
	if (!in)
		return -ENOMEM;

	in->ser = phys_to_virt(args->data);
	xa_init(&in->devices);
	kho_block_set_init(&in->blocks, sizeof(struct pci_dev_ser));
	err = kho_block_set_restore(&in->blocks, in->ser->devices_pa);
	if (err)
		goto err_free;

	err = pci_liveupdate_index(in);
	if (err)
		goto err_blocks;

	args->obj = in;
	return 0;

err_blocks:
	pci_liveupdate_free_index(in);
	kho_block_set_destroy(&in->blocks);
err_free:
	kfree(in);
	return err;
}

/**
 * pci_liveupdate_flb_finish - Finish callback of the FLB
 * @args: What pci_liveupdate_flb_retrieve() has made
 *
 * Context: Process context, FLB mutex held.
 */
void pci_liveupdate_flb_finish(struct liveupdate_flb_op_args *args)
{
	struct pci_liveupdate_incoming *in = args->obj;

	pci_liveupdate_free_index(in);
	kho_block_set_destroy(&in->blocks);
	kho_restore_free(in->ser);
	kfree(in);
}

static void pci_liveupdate_fail(int err)
{
	pr_emerg("the records of the previous kernel cannot be used (%d): bus mastering is cleared on every function\n",
		 err);
	add_taint(TAINT_WARN, LOCKDEP_STILL_OK);
	WRITE_ONCE(pci_liveupdate_in.state, PCI_LIVEUPDATE_FAILED);
}

/*
 * Get the records once. The reference on the FLB is kept until the last
 * function is finished; if nothing was handed over there is none.
 */
static enum pci_liveupdate_state pci_liveupdate_fetch(void)
{
	struct pci_liveupdate_incoming *in;
	int err;

	lockdep_assert_held(&pci_liveupdate_in.lock);

	if (pci_liveupdate_in.state != PCI_LIVEUPDATE_UNKNOWN)
		return pci_liveupdate_in.state;

	err = liveupdate_flb_get_incoming(&pci_liveupdate_flb, (void **)&in);
	switch (err) {
	case 0:
		pci_liveupdate_in.obj = in;
		WRITE_ONCE(pci_liveupdate_in.state, PCI_LIVEUPDATE_PRESENT);
		break;
	case -ENODATA:
	case -ENOENT:
	case -EOPNOTSUPP:
		WRITE_ONCE(pci_liveupdate_in.state, PCI_LIVEUPDATE_NONE);
		break;
	default:
		pci_liveupdate_fail(err);
	}
	return pci_liveupdate_in.state;
}

/**
 * pci_liveupdate_silence - Clear bus mastering, live update or not
 * @dev: Any function; it may have no name yet
 *
 * Context: Process context.
 */
void pci_liveupdate_silence(struct pci_dev *dev)
{
	u16 cmd;

	pci_read_config_word(dev, PCI_COMMAND, &cmd);
	if (!PCI_POSSIBLE_ERROR(cmd) && (cmd & PCI_COMMAND_MASTER))
		pci_write_config_word(dev, PCI_COMMAND,
				      cmd & ~PCI_COMMAND_MASTER);
}

/* The bridge may be gone, or have been reset, when they are asked for */
static void pci_liveupdate_note_buses(struct pci_liveupdate_node *node,
				      struct pci_dev *dev)
{
	pci_read_config_byte(dev, PCI_SECONDARY_BUS, &node->secondary);
	pci_read_config_byte(dev, PCI_SUBORDINATE_BUS, &node->subordinate);
}

/* @dev is nowhere linked yet, but its bus is */
static void pci_liveupdate_mark_incoming(struct pci_liveupdate_incoming *in,
					 struct pci_dev *dev)
{
	struct pci_dev *bridge = dev->bus->self;
	struct pci_liveupdate_node *node;

	node = pci_liveupdate_node(in, pci_liveupdate_segment(dev),
				   PCI_DEVID(dev->bus->number, dev->devfn));
	if (!node || !node->rec->refcount)
		return;

	liveupdate_phase_begin(LIVEUPDATE_PHASE_PCI);
	if (bridge && !node->found)
		node->parent = pci_liveupdate_node(in,
						   pci_liveupdate_segment(bridge),
						   pci_dev_id(bridge));
	if (dev->hdr_type == PCI_HEADER_TYPE_BRIDGE && !node->found)
		pci_liveupdate_note_buses(node, dev);
	node->found = true;
	dev->liveupdate.adopted = true;
	WRITE_ONCE(dev->liveupdate.incoming, node->rec->refcount);
}

/**
 * pci_liveupdate_setup_device - Find out whether a function is incoming
 * @dev: The function; bus, devfn and header type are known, nothing else
 *
 * Must come before anything is written to the function.
 *
 * Context: Process context, called by pci_setup_device().
 */
void pci_liveupdate_setup_device(struct pci_dev *dev)
{
	/* They have no bus mastering of their own yet, and are never preserved */
	if (dev->is_virtfn)
		return;

	guard(mutex)(&pci_liveupdate_in.lock);

	switch (pci_liveupdate_fetch()) {
	case PCI_LIVEUPDATE_FAILED:
		pci_liveupdate_silence(dev);
		break;
	case PCI_LIVEUPDATE_PRESENT:
		if (pci_liveupdate_in.obj)
			pci_liveupdate_mark_incoming(pci_liveupdate_in.obj, dev);
		break;
	default:
		break;
	}
}

/**
 * pci_liveupdate_record - What the previous kernel has told of a function
 * @dev: Any function
 * @rec: Copy of the record
 *
 * Context: Process context.
 * Return: true if @dev is incoming, and @rec is filled in.
 */
bool pci_liveupdate_record(struct pci_dev *dev, struct pci_dev_ser *rec)
{
	struct pci_liveupdate_node *node;

	if (!READ_ONCE(dev->liveupdate.incoming))
		return false;

	guard(mutex)(&pci_liveupdate_in.lock);

	if (!pci_liveupdate_in.obj)
		return false;
	node = pci_liveupdate_node(pci_liveupdate_in.obj,
				   pci_liveupdate_segment(dev),
				   PCI_DEVID(dev->bus->number, dev->devfn));
	if (!node || !node->rec->refcount)
		return false;
	*rec = *node->rec;
	return true;
}

/**
 * pci_liveupdate_init_device - Adopt what an incoming function brings along
 * @dev: The function, its capabilities are known
 *
 * Takes the ACS control word, which is written from now on whenever ACS is set
 * up, and a runtime PM reference until finish.
 *
 * Context: Process context, called by pci_init_capabilities(), after
 * pci_pm_init() since that resets runtime PM.
 */
void pci_liveupdate_init_device(struct pci_dev *dev)
{
	u16 cmd;

	if (!dev->liveupdate.incoming)
		return;

	pm_runtime_get_noresume(&dev->dev);
	if (dev->acs_cap)
		pci_read_config_word(dev, dev->acs_cap + PCI_ACS_CTRL,
				     &dev->liveupdate.acs_ctrl);

	pci_read_config_word(dev, PCI_COMMAND, &cmd);
	pci_info(dev, "live update: incoming, bus mastering is %s\n",
		 cmd & PCI_COMMAND_MASTER ? "on" : "off");
}

/**
 * pci_liveupdate_adopt_acs - Write the ACS controls of the previous kernel
 * @dev: Any function
 *
 * IOMMU groups must come out as they were, whatever the command line says now,
 * also after a reset.
 *
 * Context: Process context.
 * Return: true if @dev is adopted, and ACS needs nothing else.
 */
bool pci_liveupdate_adopt_acs(struct pci_dev *dev)
{
	if (!dev->liveupdate.adopted)
		return false;

	if (dev->acs_cap)
		pci_write_config_word(dev, dev->acs_cap + PCI_ACS_CTRL,
				      dev->liveupdate.acs_ctrl);
	return true;
}

/**
 * pci_liveupdate_adopt_ari - Take ARI forwarding from an adopted bridge
 * @dev: A function that was found below a bridge
 *
 * Context: Process context, called by pci_configure_ari().
 * Return: true if the bridge is adopted, and ARI needs nothing else.
 */
bool pci_liveupdate_adopt_ari(struct pci_dev *dev)
{
	struct pci_dev *bridge = dev->bus->self;
	u16 ctl2;

	if (!bridge || !bridge->liveupdate.adopted)
		return false;

	if (!dev->devfn && pci_is_pcie(dev)) {
		pcie_capability_read_word(bridge, PCI_EXP_DEVCTL2, &ctl2);
		bridge->ari_enabled = !!(ctl2 & PCI_EXP_DEVCTL2_ARI);
	}
	return true;
}

/**
 * pci_liveupdate_keep_buses - Must bus numbers stay what they are?
 *
 * Completions are routed by requester id, so a renumbered bus ends the DMA
 * below it; and the records name functions by bus number. If the previous
 * kernel preserved anything, no bridge with valid numbers gets others, on any
 * bus, for as long as this kernel runs; nor while this one has preserved
 * anything, when it is told to scan again.
 *
 * Context: Any, after the first function was set up.
 * Return: true if pcibios_assign_all_busses() is to be ignored.
 */
bool pci_liveupdate_keep_buses(void)
{
	return READ_ONCE(pci_liveupdate_in.state) >= PCI_LIVEUPDATE_PRESENT ||
	       pci_liveupdate_any_preserved();
}

/**
 * pci_liveupdate_skip_bridge - Must a scan leave this bridge alone?
 * @dev: The bridge
 * @broken: Its bus numbers are not valid
 * @pass: 0 for bridges with numbers, 1 for those that need some
 *
 * An incoming bridge without valid numbers was reset. What was below it is
 * stopped, its old numbers are in the records, and whatever gets them would be
 * taken for something that it is not. So nothing below it is scanned, and no
 * bridge beside it is given numbers.
 *
 * Context: Process context, during a scan.
 * Return: true if the scan must not go on with @dev.
 */
bool pci_liveupdate_skip_bridge(struct pci_dev *dev, bool broken, int pass)
{
	struct pci_dev *other;

	if (!pass && broken && READ_ONCE(dev->liveupdate.incoming) &&
	    !dev->liveupdate.bus_lost) {
		pci_err(dev, "live update: the bridge was reset, nothing below it is scanned\n");
		dev->liveupdate.bus_lost = true;
	}
	if (dev->liveupdate.bus_lost)
		return true;
	if (!pass || !pci_liveupdate_keep_buses())
		return false;

	list_for_each_entry(other, &dev->bus->devices, bus_list)
		if (other->liveupdate.bus_lost)
			return true;
	return false;
}

/* Finish does not find a function that is not on the bus yet */
static void pci_liveupdate_look_again(struct pci_dev *dev)
{
	struct pci_liveupdate_node *node = NULL;
	unsigned int left = 0;

	guard(mutex)(&pci_liveupdate_in.lock);

	if (pci_liveupdate_in.obj)
		node = pci_liveupdate_node(pci_liveupdate_in.obj,
					   pci_liveupdate_segment(dev),
					   pci_dev_id(dev));
	if (node)
		left = node->rec->refcount;
	if (dev->liveupdate.incoming <= left)
		return;

	WRITE_ONCE(dev->liveupdate.incoming, left);
	if (!left)
		pm_runtime_put(&dev->dev);
}

/**
 * pci_liveupdate_may_bind - May this driver bind to this function?
 * @dev: The function
 * @drv: The driver
 *
 * A function that is doing DMA is nobody's but the IOMMU core's, which holds
 * its group for live update. Without that nothing keeps a driver from
 * programming a device that still writes to memory of the previous kernel's
 * users.
 *
 * A function that was finished while it was being set up is put right here.
 *
 * Context: Process context, called by pci_dma_configure().
 * Return: 0, or -EBUSY.
 */
int pci_liveupdate_may_bind(struct pci_dev *dev, const struct pci_driver *drv)
{
	if (pci_liveupdate_failed()) {
		if (!iommu_liveupdate_device_owned(&dev->dev))
			return 0;
		pci_liveupdate_say(dev, "no driver may bind, the PCI records are lost\n");
		return -EBUSY;
	}

	if (READ_ONCE(dev->liveupdate.incoming))
		pci_liveupdate_look_again(dev);
	if (!READ_ONCE(dev->liveupdate.incoming) ||
	    dev->hdr_type != PCI_HEADER_TYPE_NORMAL)
		return 0;

	if (!drv->liveupdate_incoming) {
		pci_liveupdate_say(dev, "driver %s may not bind before finish\n",
				   drv->name);
		return -EBUSY;
	}

	if (!iommu_liveupdate_device_owned(&dev->dev)) {
		pci_liveupdate_say(dev, "no driver may bind, live update does not own its group\n");
		return -EBUSY;
	}
	return 0;
}

/**
 * pci_liveupdate_incoming - Is this function still doing DMA for the previous
 * kernel's users?
 * @pdev: Any function
 *
 * Context: Any.
 * Return: true from its enumeration until pci_liveupdate_finish(), also for
 * the bridges above.
 */
bool pci_liveupdate_incoming(struct pci_dev *pdev)
{
	return READ_ONCE(pdev->liveupdate.incoming);
}
EXPORT_SYMBOL_GPL(pci_liveupdate_incoming);

/**
 * pci_liveupdate_failed - Did the previous kernel leave unusable PCI records?
 *
 * Then it is unknown which functions were preserved; all of them have lost bus
 * mastering, and the IOMMU core must block those it finds attached.
 *
 * Context: Any, after the first function was set up.
 * Return: true if so.
 */
bool pci_liveupdate_failed(void)
{
	return READ_ONCE(pci_liveupdate_in.state) == PCI_LIVEUPDATE_FAILED;
}

/**
 * pci_liveupdate_leave_command - Must the COMMAND register stay as it is?
 * @dev: A function that is being enabled
 *
 * The user's decoding, and INTx that the user has disabled, outlive the update.
 *
 * Context: Any.
 * Return: true for an incoming function; bridges are enabled as ever.
 */
bool pci_liveupdate_leave_command(struct pci_dev *dev)
{
	return READ_ONCE(dev->liveupdate.incoming) &&
	       dev->hdr_type == PCI_HEADER_TYPE_NORMAL;
}

static bool pci_liveupdate_all_finished(struct pci_liveupdate_incoming *in)
{
	struct pci_liveupdate_node *node;
	unsigned long key;

	xa_for_each(&in->devices, key, node)
		if (node->rec->refcount)
			return false;
	return true;
}

static struct pci_dev *pci_liveupdate_get_dev(const struct pci_dev_ser *rec)
{
	return pci_get_domain_bus_and_slot(rec->segment, PCI_BUS_NUM(rec->rid),
					   rec->rid & 0xff);
}

/* The record counts for a function that is gone, or comes back */
static void pci_liveupdate_finish_one(struct pci_liveupdate_node *node)
{
	struct pci_dev *dev __free(pci_dev_put) = NULL;

	if (!node->rec->refcount)
		return;
	node->rec->refcount--;

	dev = pci_liveupdate_get_dev(node->rec);
	if (!dev || !dev->liveupdate.incoming)
		return;
	WRITE_ONCE(dev->liveupdate.incoming, dev->liveupdate.incoming - 1);
	if (!dev->liveupdate.incoming)
		pm_runtime_put(&dev->dev);
}

/* For a function that was never found: by the bus numbers of the bridges */
static void pci_liveupdate_finish_above(struct pci_liveupdate_incoming *in,
					const struct pci_dev_ser *rec)
{
	unsigned int bus = PCI_BUS_NUM(rec->rid);
	struct pci_liveupdate_node *node;
	unsigned long key;

	xa_for_each(&in->devices, key, node)
		if (node->secondary && node->rec->segment == rec->segment &&
		    bus >= node->secondary && bus <= node->subordinate)
			pci_liveupdate_finish_one(node);
}

/*
 * If nothing but bridges is left there is nothing below them. The numbers of one
 * that was reset do not say any more what was.
 */
static void pci_liveupdate_finish_bridges(struct pci_liveupdate_incoming *in)
{
	struct pci_liveupdate_node *node;
	unsigned long key;

	xa_for_each(&in->devices, key, node) {
		struct pci_dev *dev __free(pci_dev_put) =
			pci_liveupdate_get_dev(node->rec);

		if (node->rec->refcount && !(dev && pci_is_bridge(dev)))
			return;
	}

	xa_for_each(&in->devices, key, node)
		while (node->rec->refcount)
			pci_liveupdate_finish_one(node);
}

/**
 * pci_liveupdate_finish - An incoming function is an ordinary one from now on
 * @segment: PCI segment of the function
 * @rid: Its bus, device and function in the previous kernel
 *
 * Drops what holds the function and, with the last function below them, the
 * bridges. ACS, ARI and bus numbers stay adopted. Touches no register. The
 * function need not be present: were its record left, whatever is found at its
 * place later would be taken for it.
 *
 * Context: Process context, in the finish callback of the driver's file.
 */
void pci_liveupdate_finish(u32 segment, u16 rid)
{
	struct pci_liveupdate_incoming *in;
	struct pci_liveupdate_node *node;

	guard(mutex)(&pci_liveupdate_in.lock);

	in = pci_liveupdate_in.obj;
	if (!in)
		return;
	node = pci_liveupdate_node(in, segment, rid);
	if (!node || !node->rec->refcount)
		return;

	if (!node->found)
		pci_liveupdate_finish_above(in, node->rec);
	for (; node; node = node->parent)
		pci_liveupdate_finish_one(node);
	pci_liveupdate_finish_bridges(in);

	if (!pci_liveupdate_all_finished(in))
		return;
	pci_liveupdate_in.obj = NULL;
	liveupdate_flb_put_incoming(&pci_liveupdate_flb);
}
EXPORT_SYMBOL_GPL(pci_liveupdate_finish);
