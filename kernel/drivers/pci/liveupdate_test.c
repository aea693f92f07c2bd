// SPDX-License-Identifier: GPL-2.0
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */

/**
 * DOC: Test hook: bus mastering of a function that is not preserved
 *
 * That the IOMMU blocks what was not preserved cannot be seen while the PCI
 * core stops such functions first. With
 *
 *	iommu_liveupdate_test.keep_master=DDDD:BB:DD.F
 *
 * on the command line this one function, and the bridges above it, keep bus
 * mastering at kexec without being preserved. Nothing else changes: there is
 * no record, and the next kernel knows nothing of it. Never for production.
 */

#include <linux/moduleparam.h>
#include <linux/pci.h>

#include "pci.h"

#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX "iommu_liveupdate_test."

static char *keep_master;
module_param(keep_master, charp, 0444);
MODULE_PARM_DESC(keep_master,
		 "Function that masters the bus across kexec without being preserved");

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
