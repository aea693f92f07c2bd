// SPDX-License-Identifier: GPL-2.0
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */

/**
 * DOC: Test hooks: PCI live update with one thing done too much, or too little
 *
 * That a rule is kept can only be shown if a test fails where it is broken.
 * Each parameter breaks one, in the kernel on whose command line it stands. The
 * prefix is "iommu_liveupdate_test.". Never for production.
 *
 * Old kernel, shutdown:
 *
 * keep_master=DDDD:BB:DD.F
 *	This one function, and the bridges above it, keep bus mastering without
 *	being preserved. That the IOMMU blocks what was not preserved cannot be
 *	seen while the PCI core stops such functions first. Nothing else changes:
 *	there is no record, and the next kernel knows nothing of it.
 * no_master
 *	A preserved function loses bus mastering like any other.
 * no_bridge_master
 *	So do the bridges above it.
 *
 * Next kernel:
 *
 * reset
 *	An incoming function is reset when its driver opens it.
 */

#include <linux/delay.h>
#include <linux/kexec.h>
#include <linux/moduleparam.h>
#include <linux/pci.h>

#include "pci.h"

#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX "iommu_liveupdate_test."

static char *keep_master;
module_param(keep_master, charp, 0444);
MODULE_PARM_DESC(keep_master,
		 "Function that masters the bus across kexec without being preserved");

static bool no_master;
module_param(no_master, bool, 0644);

static bool no_bridge_master;
module_param(no_bridge_master, bool, 0644);

static bool reset;
module_param(reset, bool, 0644);

/**
 * pci_liveupdate_test_keep_master - Is this the function under test?
 * @dev: A function that a kexec shuts down
 *
 * Context: Process context, may sleep.
 * Return: true for the function of the parameter and the bridges above it.
 */
bool pci_liveupdate_test_keep_master(struct pci_dev *dev)
{
	unsigned int segment, bus, slot, func;
	struct pci_dev *pdev, *d;
	bool found = false;

	if (!keep_master ||
	    sscanf(keep_master, "%x:%x:%x.%x", &segment, &bus, &slot, &func) != 4)
		return false;

	pdev = pci_get_domain_bus_and_slot(segment, bus, PCI_DEVFN(slot, func));
	for (d = pdev; d && !found; d = pci_upstream_bridge(d))
		found = d == dev;
	pci_dev_put(pdev);

	if (found)
		pci_warn(dev, "keeps bus mastering for a test, it is not preserved\n");
	return found;
}

/**
 * pci_liveupdate_test_clear_master - Is what is preserved to be stopped?
 * @dev: A preserved function, or a bridge above one
 *
 * Context: Any.
 * Return: true if bus mastering is to be cleared.
 */
bool pci_liveupdate_test_clear_master(struct pci_dev *dev)
{
	if (!kexec_in_progress ||
	    !(pci_is_bridge(dev) ? no_bridge_master : no_master))
		return false;

	pci_warn(dev, "loses bus mastering for a test, it is preserved\n");
	return true;
}

/**
 * pci_liveupdate_test_reset - Reset an incoming function
 * @dev: A function that its driver opens
 *
 * By hand, for whoever resets functions in earnest asks live update first.
 *
 * Context: Process context.
 */
void pci_liveupdate_test_reset(struct pci_dev *dev)
{
	if (!reset)
		return;

	pci_warn(dev, "is reset for a test, it is not finished\n");
	pci_save_state(dev);
	pcie_capability_set_word(dev, PCI_EXP_DEVCTL, PCI_EXP_DEVCTL_BCR_FLR);
	msleep(100);
	pci_restore_state(dev);
}
