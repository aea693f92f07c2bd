/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 *
 * VT-d units that go on translating across a live update. The life cycle is
 * described in liveupdate.c (old kernel) and liveupdate-incoming.c (next one).
 */
#ifndef __INTEL_IOMMU_LIVEUPDATE_H
#define __INTEL_IOMMU_LIVEUPDATE_H

#include <linux/iommu-liveupdate.h>

#include "iommu.h"
#include "liveupdate-abi.h"
#include "liveupdate-found.h"

struct pasid_dir_entry;
struct pasid_entry;
struct pasid_table;

/* Entries of a root table */
#define INTEL_LIVEUPDATE_NR_ROOTS	(VTD_PAGE_SIZE / sizeof(struct root_entry))

/* Requester ids of one segment */
#define INTEL_LIVEUPDATE_NR_RIDS	BIT(16)

/* Interrupt mask, the same bit in FECTL, PECTL and PERFINTRCTL */
#define INTEL_LIVEUPDATE_IM		DMA_FECTL_IM

/**
 * struct intel_liveupdate - Live update state of a unit
 * @rids: One bit per requester id whose entry is preserved (outgoing) or
 *	  adopted (incoming). Written under intel_iommu.lock.
 * @devices: Outgoing: the preserved devices, guarded by the core's mutex
 * @tables: Incoming: one bit per requester id of a device whose PASID tables
 *	    were adopted and are in no device's hands. Written under
 *	    intel_iommu.lock.
 */
struct intel_liveupdate {
	unsigned long *rids;
	struct list_head devices;
	unsigned long *tables;
};

/* In iommu.c and pasid.c, for live update only */
struct dmar_domain *paging_domain_alloc(void);
void intel_iommu_warn_rmrr(struct intel_iommu *iommu);

static inline struct intel_iommu *to_intel_iommu(struct iommu_device *iommu_dev)
{
	return container_of(iommu_dev, struct intel_iommu, iommu);
}

/**
 * intel_liveupdate_handed_over - Was a unit handed over to the next kernel?
 * @iommu: The unit
 *
 * Context: The caller holds intel_iommu.lock.
 * Return: True if no entry of its tables may become present any more. Clearing
 * stays allowed.
 */
static inline bool intel_liveupdate_handed_over(struct intel_iommu *iommu)
{
	lockdep_assert_held(&iommu->lock);
	return iommu_kept_is(&iommu->iommu, IOMMU_KEPT_HANDED_OVER);
}

#ifdef CONFIG_IOMMU_LIVEUPDATE

extern const struct iommu_liveupdate_ops intel_iommu_liveupdate_ops;

/* liveupdate-tables.c */
struct intel_liveupdate *intel_liveupdate_alloc(void);
void intel_liveupdate_free(struct intel_liveupdate *lu);
unsigned int intel_liveupdate_nr_tables(struct intel_iommu *iommu);
u64 *intel_liveupdate_root_slot(struct intel_iommu *iommu, unsigned int table);
void *intel_liveupdate_context_table(struct intel_iommu *iommu,
				     unsigned int table);
bool intel_liveupdate_table_known(const struct iommu_unit_ser *unit,
				  unsigned int table);
void intel_liveupdate_clear_present(struct intel_iommu *iommu,
				    struct context_entry *context);
void intel_liveupdate_clear_rest(struct intel_iommu *iommu,
				 struct context_entry *context);
void intel_liveupdate_scrub(struct intel_iommu *iommu,
			    const struct iommu_unit_ser *unit,
			    const unsigned long *rids);
void intel_liveupdate_write(u64 *slot, u64 val);
void intel_liveupdate_flush_cache(struct intel_iommu *iommu, void *addr,
				  int size);
void intel_liveupdate_flush_all(struct intel_iommu *iommu);
void intel_liveupdate_flush_entry(struct intel_iommu *iommu, u16 rid,
				  struct context_entry *context);
void intel_liveupdate_flush_iec(struct intel_iommu *iommu);
void intel_liveupdate_drain_prq(struct intel_iommu *iommu);
int intel_liveupdate_verify_device(struct device *dev,
				   struct dmar_domain *domain,
				   const struct iommu_device_ser *devrec);

/* liveupdate.c */
int intel_liveupdate_collect_rids(struct device *dev,
				  struct iommu_device_ser *devrec);
unsigned int intel_liveupdate_count_leaves(struct pasid_table *table);

/* liveupdate-incoming.c */
struct iommu_domain *
intel_liveupdate_domain_restore(struct iommu_device *iommu_dev,
				const struct iommu_domain_ser *dser);
int intel_liveupdate_att_adopt(struct device *dev, struct iommu_domain *domain,
			       const struct iommu_device_ser *devrec,
			       const struct iommu_attachment_ser *att);
bool intel_liveupdate_adopt(struct intel_iommu *iommu);
void intel_liveupdate_give_up(struct intel_iommu *iommu);
bool intel_liveupdate_incoming(struct intel_iommu *iommu, u8 bus, u8 devfn);
bool intel_liveupdate_device_incoming(struct device_domain_info *info);
bool intel_liveupdate_foreign(struct device_domain_info *info, u8 bus, u8 devfn);
bool intel_liveupdate_probe(struct device *dev);
bool intel_liveupdate_release(struct device *dev);

/* liveupdate-reclaim.c */
void intel_liveupdate_let_go(struct device *dev);
bool intel_liveupdate_unit_match(struct iommu_device *iommu_dev,
				 const struct iommu_unit_ser *unit);
bool intel_liveupdate_ids_block(struct iommu_device *iommu_dev,
				const struct iommu_device_ser *devrec);
bool intel_liveupdate_dev_block(struct device *dev);
int intel_liveupdate_dev_unblock(struct device *dev);
void intel_liveupdate_att_release(struct iommu_device *iommu_dev,
				  struct iommu_domain *domain,
				  const struct iommu_attachment_ser *att,
				  bool last);
void intel_liveupdate_dev_release(struct iommu_device *iommu_dev,
				  const struct iommu_device_ser *devrec);

#if IS_ENABLED(CONFIG_KUNIT)
const char *intel_liveupdate_context_differs(const struct context_entry *live,
					     const struct context_entry *want);
const char *intel_liveupdate_pasid_differs(const struct pasid_entry *live,
					   const struct pasid_entry *want);
bool intel_liveupdate_same_rids(const struct iommu_device_ser *a,
				const struct iommu_device_ser *b);
#ifdef CONFIG_IRQ_REMAP
bool intel_liveupdate_irte_accepts(const struct irte *irte,
				   const unsigned long *rids);
void intel_liveupdate_stop_posting(struct intel_iommu *iommu);
#endif
int intel_liveupdate_unit_supported(struct intel_iommu *iommu);
int intel_liveupdate_preserve_pasid_table(struct pasid_table *table,
					  struct iommu_device_ser *devrec,
					  unsigned int *nr_leaves);
void intel_liveupdate_unpreserve_pasid_table(const struct iommu_device_ser *devrec,
					     unsigned int nr_leaves);
int intel_liveupdate_reserve_dids(struct intel_iommu *iommu,
				  const struct iommu_unit_ser *unit);
void intel_liveupdate_release_dids(struct intel_iommu *iommu,
				   const struct iommu_unit_ser *unit,
				   const struct iommu_attachment_ser *end);
int intel_liveupdate_adopt_did(struct dmar_domain *domain,
			       struct intel_iommu *iommu, u16 did);
int intel_liveupdate_claim_pasid_table(const struct iommu_device_ser *devrec);
#endif

#else /* CONFIG_IOMMU_LIVEUPDATE */

static inline bool intel_liveupdate_adopt(struct intel_iommu *iommu)
{
	return false;
}

static inline void intel_liveupdate_give_up(struct intel_iommu *iommu)
{
}

static inline bool intel_liveupdate_incoming(struct intel_iommu *iommu, u8 bus,
					     u8 devfn)
{
	return false;
}

static inline bool
intel_liveupdate_device_incoming(struct device_domain_info *info)
{
	return false;
}

static inline bool intel_liveupdate_foreign(struct device_domain_info *info,
					    u8 bus, u8 devfn)
{
	return false;
}

static inline bool intel_liveupdate_probe(struct device *dev)
{
	return false;
}

static inline bool intel_liveupdate_release(struct device *dev)
{
	return false;
}

static inline void intel_liveupdate_let_go(struct device *dev)
{
}

#endif /* CONFIG_IOMMU_LIVEUPDATE */

/**
 * intel_liveupdate_entry_fixed - May a context entry not be made present?
 * @iommu: The unit
 * @bus: Bus number of the requester id
 * @devfn: Device and function of the requester id
 *
 * An adopted entry is replaced or blocked, never silently kept for a domain or
 * a PASID directory of this kernel.
 *
 * Context: The caller holds intel_iommu.lock.
 * Return: True if the unit was handed over, or the entry adopted.
 */
static inline bool intel_liveupdate_entry_fixed(struct intel_iommu *iommu,
						u8 bus, u8 devfn)
{
	return intel_liveupdate_handed_over(iommu) ||
	       intel_liveupdate_incoming(iommu, bus, devfn);
}

#endif /* __INTEL_IOMMU_LIVEUPDATE_H */
