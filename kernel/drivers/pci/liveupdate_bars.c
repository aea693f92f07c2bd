// SPDX-License-Identifier: GPL-2.0
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */

/**
 * DOC: PCI live update, BARs, windows and payload sizes
 *
 * While a function is preserved or incoming its BARs, and the windows of all
 * bridges above it, keep their addresses, whatever the command line or a
 * neighbour asks for. Their registers are not even written with what they hold:
 * a window that is written is closed for a moment, and a BAR that is sized
 * decodes nothing.
 *
 * 1. Old kernel: the sizes of BARs go into the record, and which windows a
 *    bridge has, pci_liveupdate_note_sizes().
 * 2. Next kernel: they are taken from there instead of being probed,
 *    pci_liveupdate_bar_sizes() and pci_liveupdate_bridge_windows(), if the
 *    registers agree. If they do not, because another device is at that place,
 *    it is sized like any other.
 * 3. As soon as the bus is scanned, and before anybody else gets an address,
 *    the resources are claimed, pci_liveupdate_claim_bus().
 * 4. Until finish nobody releases, grows or assigns them,
 *    pci_liveupdate_keep_resource(). What does not fit in beside them does
 *    without. What had no address in the old kernel gets none before finish.
 *
 * Excepted are expansion ROMs, whose registers are not written before somebody
 * switches them on, and the BARs of VFs, which are off.
 *
 * MPS, MRRS and the other controls of requests stay as they are, too. A
 * neighbour below a bridge that goes on gets the MPS of that bridge, as far as
 * it can, since both are in the way of the same requests.
 */

#include <linux/bits.h>
#include <linux/kho/abi/pci.h>
#include <linux/liveupdate_timing.h>
#include <linux/log2.h>
#include <linux/pci.h>
#include <linux/pci-liveupdate.h>
#include <linux/string.h>
#include <linux/wordpart.h>

#include "pci.h"

static_assert(PCI_DEV_SER_NR_BARS == PCI_STD_NUM_BARS);

/* Old kernel */

/* 0 where there is no BAR, negative where its register cannot be foretold */
static int pci_liveupdate_size_lg2(struct pci_dev *dev, int resno)
{
	const struct resource *res = pci_resource_n(dev, resno);
	resource_size_t size = resource_size(res);

	if (!res->flags || res->flags & IORESOURCE_PCI_EA_BEI)
		return 0;
	if (res->flags & IORESOURCE_PCI_FIXED || !is_power_of_2(size))
		return -EINVAL;
	if (res->flags & IORESOURCE_UNSET && resno != PCI_ROM_RESOURCE)
		return -EINVAL;
	return ilog2(size);
}

/**
 * pci_liveupdate_note_sizes - Record what the next kernel must not probe
 * @dev: The function or bridge
 * @rec: Its record, where sizes and flags are 0
 *
 * Context: Process context.
 */
void pci_liveupdate_note_sizes(struct pci_dev *dev, struct pci_dev_ser *rec)
{
	int lg2[PCI_STD_NUM_BARS], rom_lg2;
	bool known;

	rom_lg2 = pci_liveupdate_size_lg2(dev, PCI_ROM_RESOURCE);
	known = rom_lg2 >= 0;
	for (int i = 0; i < PCI_STD_NUM_BARS; i++) {
		lg2[i] = pci_liveupdate_size_lg2(dev, i);
		known &= lg2[i] >= 0;
	}

	if (known) {
		rec->flags |= PCI_DEV_SER_SIZES;
		rec->rom_lg2 = rom_lg2;
		for (int i = 0; i < PCI_STD_NUM_BARS; i++)
			rec->bar_lg2[i] = lg2[i];
	}

	if (dev->io_window)
		rec->flags |= PCI_DEV_SER_IO_WINDOW;
	if (dev->pref_window)
		rec->flags |= PCI_DEV_SER_PREF_WINDOW;
	if (dev->pref_64_window)
		rec->flags |= PCI_DEV_SER_PREF_64_WINDOW;
}

/* Next kernel: what is known without a write */

/*
 * The masks that sizing would read, for the BAR at @i and its upper half.
 * Return: how many registers that is, 0 if they are not as recorded.
 */
static unsigned int pci_liveupdate_bar_mask(struct pci_dev *dev,
					    const struct pci_dev_ser *rec,
					    unsigned int i,
					    unsigned int nr_bars, u32 *masks)
{
	unsigned int reg = PCI_BASE_ADDRESS_0 + 4 * i;
	u64 size = BIT_ULL(rec->bar_lg2[i]);
	u32 low, high = 0, address_bits;
	bool wide = false;
	u64 address;

	pci_read_config_dword(dev, reg, &low);
	masks[i] = 0;
	if (!rec->bar_lg2[i])
		return low ? 0 : 1;

	if ((low & PCI_BASE_ADDRESS_SPACE) == PCI_BASE_ADDRESS_SPACE_IO) {
		address_bits = (u32)PCI_BASE_ADDRESS_IO_MASK;
	} else {
		address_bits = (u32)PCI_BASE_ADDRESS_MEM_MASK;
		wide = (low & PCI_BASE_ADDRESS_MEM_TYPE_MASK) ==
		       PCI_BASE_ADDRESS_MEM_TYPE_64;
	}

	if (wide) {
		if (i + 1 >= nr_bars || rec->bar_lg2[i + 1])
			return 0;
		pci_read_config_dword(dev, reg + 4, &high);
		masks[i + 1] = upper_32_bits(~(size - 1));
	}

	address = (u64)high << 32 | (low & address_bits);
	if (!address || address & (size - 1))
		return 0;

	masks[i] = (lower_32_bits(~(size - 1)) & address_bits) |
		   (low & ~address_bits);
	return wide ? 2 : 1;
}

static bool pci_liveupdate_rom_mask(struct pci_dev *dev,
				    const struct pci_dev_ser *rec,
				    unsigned int reg, u32 *mask)
{
	u32 value, size = BIT(rec->rom_lg2);

	pci_read_config_dword(dev, reg, &value);
	*mask = 0;
	if (!rec->rom_lg2)
		return !value;

	*mask = ~(size - 1) & PCI_ROM_ADDRESS_MASK;
	return *mask && !(value & PCI_ROM_ADDRESS_MASK & (size - 1));
}

/**
 * pci_liveupdate_bar_sizes - Size the BARs of an incoming function by its record
 * @dev: Any function, or a bridge
 * @nr_bars: How many BARs its header has
 * @sizes: What they would read after all ones were written to them
 * @rom: Register of the expansion ROM, 0 for none
 * @rom_size: The same for @rom
 *
 * Sizing by a write takes the BARs away from whoever uses them, and a running
 * device is not made for it.
 *
 * Context: Process context, called by pci_read_bases().
 * Return: true if @sizes and @rom_size are filled in; false if @dev must be
 * asked itself.
 */
bool pci_liveupdate_bar_sizes(struct pci_dev *dev, unsigned int nr_bars,
			      u32 *sizes, unsigned int rom, u32 *rom_size)
{
	struct pci_dev_ser rec;
	unsigned int i, step;

	if (!pci_liveupdate_record(dev, &rec))
		return false;
	if (!(rec.flags & PCI_DEV_SER_SIZES)) {
		pci_info(dev, "live update: sizes of BARs are not recorded\n");
		return false;
	}

	for (i = 0; i < nr_bars; i += step) {
		step = pci_liveupdate_bar_mask(dev, &rec, i, nr_bars, sizes);
		if (!step) {
			pci_warn(dev, "live update: BAR %u is not as recorded\n", i);
			return false;
		}
	}
	if (rom && !pci_liveupdate_rom_mask(dev, &rec, rom, rom_size)) {
		pci_warn(dev, "live update: ROM is not as recorded\n");
		return false;
	}
	return true;
}

/**
 * pci_liveupdate_bridge_windows - Take the windows of an incoming bridge from
 * its record
 * @bridge: Any bridge
 *
 * Context: Process context, called by pci_read_bridge_windows().
 * Return: true if the bridge is incoming, and need not be probed.
 */
bool pci_liveupdate_bridge_windows(struct pci_dev *bridge)
{
	struct pci_dev_ser rec;

	if (!pci_liveupdate_record(bridge, &rec))
		return false;

	bridge->io_window = !!(rec.flags & PCI_DEV_SER_IO_WINDOW);
	bridge->pref_window = !!(rec.flags & PCI_DEV_SER_PREF_WINDOW);
	bridge->pref_64_window = !!(rec.flags & PCI_DEV_SER_PREF_64_WINDOW);
	return true;
}

/* Next kernel: claims */

static void pci_liveupdate_claim(struct pci_dev *dev, int first, int end)
{
	struct resource *res;

	for (int i = first; i < end; i++) {
		res = pci_resource_n(dev, i);
		if (!res->flags || !res->start || resource_assigned(res) ||
		    res->flags & (IORESOURCE_UNSET | IORESOURCE_DISABLED))
			continue;
		if (pci_claim_resource(dev, i))
			pci_err(dev, "live update: %s cannot be claimed, its address is left alone\n",
				pci_resource_name(dev, i));
	}
}

/**
 * pci_liveupdate_claim_bus - Claim what incoming functions decode
 * @bus: A bus that has just been scanned, but not the buses below it
 *
 * Before anybody else has claimed or been assigned anything at this place of
 * the tree, so that of two who decode the same address the neighbour loses.
 *
 * Context: Process context, called by pci_scan_child_bus_extend() after
 * pcibios_fixup_bus(), which has read the windows of the bridge above.
 */
void pci_liveupdate_claim_bus(struct pci_bus *bus)
{
	struct pci_dev *dev;

	if (bus->self && pci_liveupdate_incoming(bus->self))
		pci_liveupdate_claim(bus->self, PCI_BRIDGE_RESOURCES,
				     PCI_BRIDGE_PREF_MEM_WINDOW + 1);

	list_for_each_entry(dev, &bus->devices, bus_list) {
		if (!pci_liveupdate_incoming(dev))
			continue;
		pci_liveupdate_claim(dev, PCI_STD_RESOURCES,
				     PCI_STD_RESOURCE_END + 1);
		liveupdate_phase_end(LIVEUPDATE_PHASE_PCI);
	}
}

/* Both kernels */

/**
 * pci_liveupdate_keep_resource - Must this resource stay where it is?
 * @dev: Any function
 * @resno: Number of the resource
 *
 * Context: Any.
 * Return: true for BARs of functions that go on with DMA, and for BARs and
 * windows of the bridges above them.
 */
bool pci_liveupdate_keep_resource(struct pci_dev *dev, int resno)
{
	return pci_liveupdate_busy(dev) && resno != PCI_ROM_RESOURCE &&
	       !pci_resource_is_iov(resno);
}

/**
 * pci_liveupdate_mps_below - MPS of a function below a bridge that keeps its own
 * @dev: A function that does not go on with DMA
 * @mps: What it would get
 *
 * Context: Process context.
 * Return: what the bridge above has, as far as @dev can do it, if any bridge
 * above goes on; else @mps.
 */
int pci_liveupdate_mps_below(struct pci_dev *dev, int mps)
{
	struct pci_dev *above = pci_upstream_bridge(dev);

	for (struct pci_dev *up = above; up; up = pci_upstream_bridge(up))
		if (pci_liveupdate_busy(up))
			return min(128 << dev->pcie_mpss, pcie_get_mps(above));
	return mps;
}
