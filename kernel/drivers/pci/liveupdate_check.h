/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 *
 * Check of the PCI live update records. Nothing in here needs a kernel.
 */
#ifndef DRIVERS_PCI_LIVEUPDATE_CHECK_H
#define DRIVERS_PCI_LIVEUPDATE_CHECK_H

#include <linux/types.h>

struct pci_ser;

/**
 * struct pci_liveupdate_mem - How the record check gets at preserved memory
 * @preserved: Is @pa the address of one page that the other kernel preserved?
 * @map: Address under which what lies at @pa can be read
 *
 * The check itself is a function of bytes only, so that it can be run, and
 * fuzzed, outside of a kernel.
 */
struct pci_liveupdate_mem {
	bool (*preserved)(u64 pa);
	const void *(*map)(u64 pa);
};

u32 pci_liveupdate_crc(const struct pci_ser *ser,
		       const struct pci_liveupdate_mem *mem);
int pci_liveupdate_check(u64 pa, const struct pci_liveupdate_mem *mem);

#endif /* DRIVERS_PCI_LIVEUPDATE_CHECK_H */
