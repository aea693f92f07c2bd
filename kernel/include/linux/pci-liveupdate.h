/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 *
 * PCI live update: for drivers that preserve a PCI function.
 */
#ifndef _LINUX_PCI_LIVEUPDATE_H
#define _LINUX_PCI_LIVEUPDATE_H

#include <linux/errno.h>
#include <linux/types.h>

struct liveupdate_file_handler;
struct pci_dev;
struct pci_saved_state;
struct pci_saved_state_ser;

#ifdef CONFIG_PCI_LIVEUPDATE
/**
 * struct pci_dev_liveupdate - Part of struct pci_dev
 * @outgoing: How many preserved functions there are here or below
 * @incoming: How many incoming functions here or below are not finished
 * @acs_ctrl: ACS controls of the previous kernel
 * @adopted: Was incoming at some time
 * @bus_lost: An incoming bridge that was reset
 */
struct pci_dev_liveupdate {
	unsigned int outgoing;
	unsigned int incoming;
	u16 acs_ctrl;
	bool adopted;
	bool bus_lost;
};

int pci_liveupdate_register_flb(struct liveupdate_file_handler *fh);
int pci_liveupdate_preserve(struct pci_dev *pdev);
void pci_liveupdate_unpreserve(struct pci_dev *pdev);
bool pci_liveupdate_trylock(struct pci_dev *dev);
bool pci_liveupdate_trylock_reset(struct pci_dev *dev);
bool pci_liveupdate_can_shut_down(void);
int pci_liveupdate_reset(struct pci_dev *dev);
bool pci_liveupdate_incoming(struct pci_dev *pdev);
bool pci_liveupdate_failed(void);
bool pci_liveupdate_abandon(u32 segment, u16 rid);
void pci_liveupdate_finish(u32 segment, u16 rid);
struct pci_saved_state *
pci_liveupdate_saved_state(struct pci_dev *dev,
			   const struct pci_saved_state_ser *ser, size_t len);
size_t pci_export_saved_state(const struct pci_saved_state *state,
			      struct pci_saved_state_ser *ser);
#else
struct pci_dev_liveupdate { };

static inline int pci_liveupdate_register_flb(struct liveupdate_file_handler *fh)
{
	return -EOPNOTSUPP;
}

static inline int pci_liveupdate_preserve(struct pci_dev *pdev)
{
	return -EOPNOTSUPP;
}

static inline void pci_liveupdate_unpreserve(struct pci_dev *pdev)
{
}

static inline bool pci_liveupdate_incoming(struct pci_dev *pdev)
{
	return false;
}

static inline bool pci_liveupdate_failed(void)
{
	return false;
}

static inline void pci_liveupdate_finish(u32 segment, u16 rid)
{
}
#endif /* CONFIG_PCI_LIVEUPDATE */
#endif /* _LINUX_PCI_LIVEUPDATE_H */
