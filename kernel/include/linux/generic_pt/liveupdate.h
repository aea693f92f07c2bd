/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 *
 * The part of <linux/generic_pt/iommu.h> that is about live update
 */
#ifndef __GENERIC_PT_LIVEUPDATE_H
#define __GENERIC_PT_LIVEUPDATE_H

#include <linux/types.h>

struct iommu_domain_ser;
struct pt_iommu;

/**
 * struct pt_iommu_restored - A page table taken over from the previous kernel
 *
 * For a table that was built by pt_iommu_XX_restore(). It can be translated
 * through and freed, nothing else.
 */
struct pt_iommu_restored {
#ifdef CONFIG_IOMMU_LIVEUPDATE
	/**
	 * @nr_tables: Number of table pages according to the record, 0 for a
	 * table of this kernel
	 */
	u64 nr_tables;

	/**
	 * @digest: Sum of their page frame numbers according to the record
	 */
	u64 digest;
#endif
};

/**
 * struct pt_iommu_liveupdate_ops - A page table goes to the next kernel
 */
struct pt_iommu_liveupdate_ops {
	/**
	 * @preserve: Hand all table memory over to the next kernel
	 * @iommu_table: Table to preserve
	 * @ser: Record to fill in
	 *
	 * Preserves the top table and every table below, empty ones too, and
	 * describes the page table in @ser. The flags, the domain flags and the
	 * number of attachments in @ser belong to the caller and are left
	 * alone. HW goes on translating through the table.
	 *
	 * Context: May sleep. The caller keeps the table from being changed or
	 * freed, from before this call until unpreserve().
	 *
	 * Returns: 0 on success, -ENOMEM if memory for the bookkeeping is
	 * missing, -EOPNOTSUPP for a table that the record cannot describe. On
	 * failure nothing is preserved and @ser is unchanged.
	 */
	int (*preserve)(struct pt_iommu *iommu_table,
			struct iommu_domain_ser *ser);

	/**
	 * @unpreserve: Undo preserve()
	 * @iommu_table: Table that was preserved
	 * @ser: Record that preserve() filled in
	 *
	 * Context: May sleep.
	 */
	void (*unpreserve)(struct pt_iommu *iommu_table,
			   const struct iommu_domain_ser *ser);

	/**
	 * @mapped_run: See how much is mapped in one piece
	 * @iommu_table: Table to look at
	 * @iova: Where to start
	 * @length: How much to look at, at most; not beyond what was ever mapped
	 * @phys: Set to what @iova is mapped to, if it is
	 *
	 * Context: Any. The caller keeps the mappings from being changed.
	 *
	 * Returns: Bytes from @iova on that are mapped to memory without a gap,
	 * at most @length; 0 if @iova is not mapped or beyond the table.
	 */
	size_t (*mapped_run)(struct pt_iommu *iommu_table, dma_addr_t iova,
			     size_t length, phys_addr_t *phys);
};

#endif
