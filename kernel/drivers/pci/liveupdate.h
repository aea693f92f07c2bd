/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 *
 * PCI live update: what is private to drivers/pci. Drivers use
 * include/linux/pci-liveupdate.h.
 */
#ifndef DRIVERS_PCI_LIVEUPDATE_H
#define DRIVERS_PCI_LIVEUPDATE_H

#include <linux/dev_printk.h>
#include <linux/liveupdate.h>
#include <linux/pci.h>
#include <linux/types.h>

#include "liveupdate_check.h"

struct liveupdate_flb;
struct pci_dev_ser;
struct liveupdate_flb_op_args;

/* One line for every refusal, with the function and the reason */
#define pci_liveupdate_say(pdev, fmt, ...)				\
	liveupdate_dev_warn(&(pdev)->dev, "live update: " fmt, ##__VA_ARGS__)

static inline u32 pci_liveupdate_segment(struct pci_dev *dev)
{
	return pci_domain_nr(dev->bus);
}

#ifdef CONFIG_PCI_LIVEUPDATE
extern const struct pci_liveupdate_mem pci_liveupdate_mem;
extern struct liveupdate_flb pci_liveupdate_flb;

int pci_liveupdate_flb_retrieve(struct liveupdate_flb_op_args *args);
void pci_liveupdate_flb_finish(struct liveupdate_flb_op_args *args);

bool pci_liveupdate_record(struct pci_dev *dev, struct pci_dev_ser *rec);
void pci_liveupdate_note_sizes(struct pci_dev *dev, struct pci_dev_ser *rec);

bool pci_liveupdate_bar_sizes(struct pci_dev *dev, unsigned int nr_bars,
			      u32 *sizes, unsigned int rom, u32 *rom_size);
bool pci_liveupdate_bridge_windows(struct pci_dev *bridge);
void pci_liveupdate_claim_bus(struct pci_bus *bus);
bool pci_liveupdate_keep_resource(struct pci_dev *dev, int resno);
int pci_liveupdate_mps_below(struct pci_dev *dev, int mps);

void pci_liveupdate_setup_device(struct pci_dev *dev);
void pci_liveupdate_init_device(struct pci_dev *dev);
bool pci_liveupdate_adopt_acs(struct pci_dev *dev);
bool pci_liveupdate_adopt_ari(struct pci_dev *dev);
bool pci_liveupdate_keep_buses(void);
bool pci_liveupdate_skip_bridge(struct pci_dev *dev, bool broken, int pass);
int pci_liveupdate_may_bind(struct pci_dev *dev, const struct pci_driver *drv);
void pci_liveupdate_silence(struct pci_dev *dev);
bool pci_liveupdate_leave_command(struct pci_dev *dev);
bool pci_liveupdate_busy(struct pci_dev *dev);
int pci_liveupdate_refuse(struct pci_dev *dev, const char *what);
int pci_liveupdate_refuse_slot(struct pci_slot *slot, const char *what);
bool pci_liveupdate_any_preserved(void);
void pci_liveupdate_seal(void);
bool pci_liveupdate_keep_master(struct pci_dev *dev);
#else
static inline bool pci_liveupdate_bar_sizes(struct pci_dev *dev,
					    unsigned int nr_bars, u32 *sizes,
					    unsigned int rom, u32 *rom_size)
{
	return false;
}

static inline bool pci_liveupdate_bridge_windows(struct pci_dev *bridge)
{
	return false;
}

static inline void pci_liveupdate_claim_bus(struct pci_bus *bus) { }
static inline bool pci_liveupdate_keep_resource(struct pci_dev *dev, int resno)
{
	return false;
}

static inline int pci_liveupdate_mps_below(struct pci_dev *dev, int mps)
{
	return mps;
}

static inline void pci_liveupdate_setup_device(struct pci_dev *dev) { }
static inline void pci_liveupdate_init_device(struct pci_dev *dev) { }
static inline bool pci_liveupdate_adopt_acs(struct pci_dev *dev)
{
	return false;
}

static inline bool pci_liveupdate_adopt_ari(struct pci_dev *dev)
{
	return false;
}

static inline bool pci_liveupdate_keep_buses(void)
{
	return false;
}

static inline bool pci_liveupdate_skip_bridge(struct pci_dev *dev, bool broken,
					      int pass)
{
	return false;
}

static inline int pci_liveupdate_may_bind(struct pci_dev *dev,
					  const struct pci_driver *drv)
{
	return 0;
}

static inline bool pci_liveupdate_leave_command(struct pci_dev *dev)
{
	return false;
}

static inline bool pci_liveupdate_busy(struct pci_dev *dev)
{
	return false;
}

static inline int pci_liveupdate_refuse(struct pci_dev *dev, const char *what)
{
	return 0;
}

static inline int pci_liveupdate_refuse_slot(struct pci_slot *slot,
					     const char *what)
{
	return 0;
}

static inline void pci_liveupdate_seal(void) { }
static inline bool pci_liveupdate_keep_master(struct pci_dev *dev)
{
	return false;
}
#endif /* CONFIG_PCI_LIVEUPDATE */

#ifdef CONFIG_PCI_QUIRKS
bool pci_dev_acs_by_quirk(struct pci_dev *dev);
#else
static inline bool pci_dev_acs_by_quirk(struct pci_dev *dev)
{
	return false;
}
#endif

#endif /* DRIVERS_PCI_LIVEUPDATE_H */
