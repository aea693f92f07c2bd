// SPDX-License-Identifier: GPL-2.0
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */

/**
 * DOC: PCI live update, the end of it
 *
 * What the PCI core does for a driver that takes an incoming function over, or
 * gives one up that nobody has taken over. Terms, life cycle and locking are
 * described in drivers/pci/liveupdate.c.
 *
 * 1. The driver opens a running function. It must not take the state to go back
 *    to at close from its registers, since that is the state of a function that
 *    is doing DMA: pci_liveupdate_saved_state() makes it of the record.
 *    Whoever has it open may reset it, pci_liveupdate_reset(), as in the kernel
 *    that preserved it.
 * 2. pci_liveupdate_finish() makes an ordinary function of it.
 * 3. Or nobody wants it. The IOMMU blocks it, pci_liveupdate_abandon() resets it
 *    if that can be had without waiting, and it is finished afterwards.
 *
 * Locking: a reset needs the device locks of the function and of the bridge
 * above it. They are tried for a second, pci_liveupdate_trylock_reset(), and not
 * waited for: whoever holds one may wait for the session that is being finished.
 */

#include <linux/cleanup.h>
#include <linux/kho/abi/pci.h>
#include <linux/pci.h>
#include <linux/pci-ats.h>
#include <linux/pci-liveupdate.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "pci.h"

/* The saved capability at @pos, or NULL if what is there cannot be one */
static const struct pci_saved_cap_ser *
pci_saved_cap_ser_at(const struct pci_saved_state_ser *ser, size_t pos)
{
	const struct pci_saved_cap_ser *cap = (const void *)ser + pos;
	size_t room, filled;

	if (pos > ser->length || ser->length - pos < sizeof(*cap))
		return NULL;
	if (!cap->length || cap->extended > 1 ||
	    (!cap->extended && cap->cap > U8_MAX))
		return NULL;

	room = ser->length - pos - sizeof(*cap);
	filled = ALIGN((size_t)cap->length, 4);
	if (filled > room ||
	    memchr_inv(cap->data + cap->length, 0, filled - cap->length))
		return NULL;
	return cap;
}

/* What pci_load_saved_state() wants; else the record is no use to this kernel */
static bool pci_saved_cap_fits(struct pci_dev *dev,
			       const struct pci_saved_cap_ser *cap)
{
	struct pci_cap_saved_state *known;

	if (cap->extended)
		known = pci_find_saved_ext_cap(dev, cap->cap);
	else
		known = pci_find_saved_cap(dev, cap->cap);
	return known && known->cap.size == cap->length;
}

static struct pci_saved_state *
pci_import_saved_state(struct pci_dev *dev,
		       const struct pci_saved_state_ser *ser, size_t len)
{
	size_t pos, size = sizeof(struct pci_saved_state) +
			   sizeof(struct pci_cap_saved_data);
	const struct pci_saved_cap_ser *cap;
	struct pci_saved_state *state;
	struct pci_cap_saved_data *out;

	if (len < sizeof(*ser) || ser->length != len)
		return ERR_PTR(-EINVAL);

	pos = sizeof(*ser);
	for (u32 i = 0; i < ser->nr_caps; i++) {
		cap = pci_saved_cap_ser_at(ser, pos);
		if (!cap)
			return ERR_PTR(-EINVAL);
		if (!pci_saved_cap_fits(dev, cap))
			return NULL;
		size += sizeof(*out) + cap->length;
		pos += sizeof(*cap) + ALIGN((size_t)cap->length, 4);
	}
	if (pos != len)
		return ERR_PTR(-EINVAL);

	state = kzalloc(size, GFP_KERNEL);
	if (!state)
		return ERR_PTR(-ENOMEM);

	memcpy(state->config_space, ser->config_space,
	       sizeof(state->config_space));
	out = state->cap;
	pos = sizeof(*ser);
	for (u32 i = 0; i < ser->nr_caps; i++) {
		cap = (const void *)ser + pos;
		out->cap_nr = cap->cap;
		out->cap_extended = cap->extended;
		out->size = cap->length;
		memcpy(out->data, cap->data, cap->length);
		out = (void *)out + sizeof(*out) + cap->length;
		pos += sizeof(*cap) + ALIGN((size_t)cap->length, 4);
	}
	/* An empty one ends the list */
	return state;
}

/**
 * pci_liveupdate_saved_state - State to go back to when an incoming function is
 * given up
 * @dev: The incoming function
 * @ser: What the previous kernel had saved, or NULL if it had nothing
 * @len: Bytes at @ser
 *
 * Without a state, or with one that this kernel has no use for, the registers
 * as they are now have to do. Bus mastering is off in the result in any case.
 * Reads registers, and writes none.
 *
 * Context: Process context.
 * Return: A state like that of pci_store_saved_state(), to be freed by kfree();
 * or an ERR_PTR:
 * * -EINVAL: @ser is malformed
 * * -ENOMEM
 */
struct pci_saved_state *
pci_liveupdate_saved_state(struct pci_dev *dev,
			   const struct pci_saved_state_ser *ser, size_t len)
{
	struct pci_saved_state *state = NULL;

	if (ser) {
		state = pci_import_saved_state(dev, ser, len);
		if (IS_ERR(state))
			return state;
	}
	if (!state) {
		pci_info(dev, "live update: no usable saved state, the present one is taken\n");
		pci_save_state(dev);
		state = pci_store_saved_state(dev);
		if (!state)
			return ERR_PTR(-ENOMEM);
	}

	state->config_space[PCI_COMMAND / 4] &= ~PCI_COMMAND_MASTER;
	return state;
}
EXPORT_SYMBOL_GPL(pci_liveupdate_saved_state);

static int pci_liveupdate_reset_locked(struct pci_dev *dev)
{
	int err;

	device_lock_assert(&dev->dev);

	pci_set_power_state(dev, PCI_D0);
	pci_save_state(dev);
	pci_write_config_word(dev, PCI_COMMAND, PCI_COMMAND_INTX_DISABLE);
	err = __pci_reset_function_locked(dev);
	pci_restore_state(dev);

	if (err)
		pci_liveupdate_say(dev, "reset failed: %d\n", err);
	return err;
}

/* Not refused: it is called by the owner, or because there is none any more */
static int pci_liveupdate_try_reset(struct pci_dev *dev)
{
	struct pci_dev *bridge = pci_upstream_bridge(dev);
	int err;

	if (!pci_reset_supported(dev)) {
		pci_liveupdate_say(dev, "there is no way to reset it\n");
		return -ENOTTY;
	}

	if (bridge && !pci_liveupdate_trylock_reset(bridge))
		goto out_locked;
	if (!pci_liveupdate_trylock_reset(dev))
		goto out_unlock_bridge;

	err = pci_liveupdate_reset_locked(dev);
	pci_dev_unlock(dev);
	if (bridge)
		pci_dev_unlock(bridge);
	return err;

out_unlock_bridge:
	if (bridge)
		pci_dev_unlock(bridge);
out_locked:
	pci_liveupdate_say(dev, "not reset, it is being removed or configured\n");
	return -EBUSY;
}

/**
 * pci_liveupdate_reset - Reset a function that goes on with DMA, for its owner
 * @dev: A preserved or incoming function whose driver is open
 *
 * The owner may end the DMA at any time, and must be able to: a guest that has
 * reset its device gives the memory another use. The function is no less
 * preserved or incoming afterwards. Config space is as before the reset, bus
 * mastering included, and its translation never stops, which is why a function
 * with ATS is refused. Everybody else is refused by pci_reset_function() and the
 * like.
 *
 * Context: Process context. May be called with locks of the driver held that
 * nest inside the device lock, which is therefore only tried.
 * Return: 0, or
 * * -EBUSY: it has ATS, or somebody holds its device lock or that of the bridge
 *   above it for longer than a second
 * * -ENOTTY: it cannot be reset
 * * another error: no reset has worked
 */
int pci_liveupdate_reset(struct pci_dev *dev)
{
	if (pci_ats_supported(dev)) {
		pci_liveupdate_say(dev, "reset refused, its translation would stop\n");
		return -EBUSY;
	}
	return pci_liveupdate_try_reset(dev);
}
EXPORT_SYMBOL_GPL(pci_liveupdate_reset);

/**
 * pci_liveupdate_abandon - Stop an incoming function that nobody has taken over
 * @segment: PCI segment of the function
 * @rid: Its bus, device and function in the previous kernel
 *
 * Bus mastering is cleared first. The reset needs device locks, and is left out
 * if they cannot be had within a second. The IOMMU must have blocked the function, or
 * be unable to. It is still incoming afterwards, see pci_liveupdate_finish().
 *
 * Context: Process context. Needs no driver, and waits for none.
 * Return: true if the function was reset; false if it was not, or is not there.
 */
bool pci_liveupdate_abandon(u32 segment, u16 rid)
{
	struct pci_dev *dev __free(pci_dev_put) =
		pci_get_domain_bus_and_slot(segment, PCI_BUS_NUM(rid),
					    rid & 0xff);

	if (!dev || !pci_liveupdate_incoming(dev))
		return false;

	pci_liveupdate_silence(dev);
	return !pci_liveupdate_try_reset(dev);
}
EXPORT_SYMBOL_GPL(pci_liveupdate_abandon);
