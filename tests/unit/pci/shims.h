/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the functions use that the Makefile cuts out of drivers/pci: they stand in
 * files that need the whole kernel, and need nothing of it themselves.
 */
#ifndef PCI_SHIMS_H
#define PCI_SHIMS_H

#include <linux/string.h>
#include <stdlib.h>
#include <errno.h>
#include <string.h>
#include <linux/kho/abi/pci.h>
#include <linux/types.h>

#define ALIGN(x, a)	(((x) + (a) - 1) & ~((size_t)(a) - 1))
#define U8_MAX		0xff
#define GFP_KERNEL	0
#define ERR_PTR(err)	((void *)(long)(err))
#define PTR_ERR(ptr)	((long)(ptr))
#define IS_ERR(ptr)	((unsigned long)(ptr) >= -4095UL)

/* Fails as often as this says. */
extern unsigned int kzalloc_fails;

static inline void *kzalloc(size_t size, int flags)
{
	if (kzalloc_fails) {
		kzalloc_fails--;
		return NULL;
	}
	return calloc(1, size);
}

/* copied from drivers/pci/pci.h */
struct pci_cap_saved_data {
	u16 cap_nr;
	bool cap_extended;
	unsigned int size;
	u32 data[];
};

struct pci_saved_state {
	u32 config_space[16];
	struct pci_cap_saved_data cap[];
};

struct pci_dev;
struct pci_cap_saved_state;

struct pci_cap_saved_state *pci_find_saved_cap(struct pci_dev *dev, char cap);
struct pci_cap_saved_state *pci_find_saved_ext_cap(struct pci_dev *dev, u16 cap);

#endif
