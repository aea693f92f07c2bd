/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The form in which a saved config space is handed over: pci_export_saved_state()
 * and pci_import_saved_state(), as cut out of drivers/pci by the makefiles.
 */
#ifndef PCI_STATE_H
#define PCI_STATE_H

#include "shims.h"

struct pci_cap_saved_state {
	struct pci_cap_saved_data cap;
};

/* A function: what this kernel saves of it, and what a driver knows */
struct pci_dev {
	struct pci_cap_saved_state caps[4];
	u32 config[16];
	u16 vendor, device, subsystem_vendor, subsystem_device;
	u8 revision, hdr_type;
	u32 class;
	int cfg_size;
};

/* With PCI Express of its odd length, MSI-X, and two extended ones of one number */
extern struct pci_dev device;

/* To be freed; as the previous kernel has saved and exported it */
struct pci_saved_state *state_new(void);
struct pci_saved_state_ser *state_export(size_t *len);
struct pci_saved_state *state_import(struct pci_dev *dev, const struct pci_saved_state_ser *ser, size_t len);

/* Up to the end of the list of its capabilities */
size_t state_len(const struct pci_saved_state *state);

#endif
