/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 *
 * Make-before-break replacement of live VT-d table entries. The planner is
 * described in replace-plan.c, its execution in replace-exec.c, the use of both
 * in replace.c.
 */
#ifndef __INTEL_IOMMU_REPLACE_H
#define __INTEL_IOMMU_REPLACE_H

#include <linux/errno.h>
#include <linux/types.h>

/* 64-bit words of the largest entry; a legacy context entry has two of them */
#define INTEL_REPLACE_WORDS		8
#define INTEL_REPLACE_CONTEXT_WORDS	2
#define INTEL_REPLACE_MAX_WRITES	3
#define INTEL_REPLACE_MAX_INVALS	5

/* Domain ids 0 and 1 are shared by unrelated users and never replaced */
#define INTEL_REPLACE_FIRST_DID		2

/**
 * enum intel_replace_kind - What an entry is, and what it is to become
 * @INTEL_REPLACE_CONTEXT: Legacy context entry, second stage to second stage
 * @INTEL_REPLACE_SS_TO_SS: PASID entry, second stage to second stage
 * @INTEL_REPLACE_FS_TO_FS: PASID entry, first stage to first stage
 * @INTEL_REPLACE_SS_TO_FS: PASID entry, second stage to first stage
 * @INTEL_REPLACE_FS_TO_SS: PASID entry, first stage to second stage
 */
enum intel_replace_kind {
	INTEL_REPLACE_CONTEXT,
	INTEL_REPLACE_SS_TO_SS,
	INTEL_REPLACE_FS_TO_FS,
	INTEL_REPLACE_SS_TO_FS,
	INTEL_REPLACE_FS_TO_SS,
};

/**
 * enum intel_replace_inval - What has to be done after a write
 * @INTEL_REPLACE_LINE: Flush the entry's cache line if hardware does not snoop
 * @INTEL_REPLACE_CONTEXT_OLD: Context cache, device-selective, old id
 * @INTEL_REPLACE_PASID_OLD: PASID cache, old id and pasid
 * @INTEL_REPLACE_PASID_NEW: PASID cache, new id and pasid
 * @INTEL_REPLACE_IOTLB_OLD: IOTLB by domain, old id
 * @INTEL_REPLACE_PIOTLB_OLD: PASID-based IOTLB, old id and pasid
 * @INTEL_REPLACE_PIOTLB_NEW: PASID-based IOTLB, new id and pasid
 * @INTEL_REPLACE_DEVTLB: The device's own cache, if it uses one
 * @INTEL_REPLACE_WAIT: Wait until all invalidations above are complete
 */
enum intel_replace_inval {
	INTEL_REPLACE_LINE,
	INTEL_REPLACE_CONTEXT_OLD,
	INTEL_REPLACE_PASID_OLD,
	INTEL_REPLACE_PASID_NEW,
	INTEL_REPLACE_IOTLB_OLD,
	INTEL_REPLACE_PIOTLB_OLD,
	INTEL_REPLACE_PIOTLB_NEW,
	INTEL_REPLACE_DEVTLB,
	INTEL_REPLACE_WAIT,
};

/**
 * enum intel_replace_tag - A cache tag across the domains, see replace-plan.c
 * @INTEL_REPLACE_TAG_NONE: None is needed
 * @INTEL_REPLACE_TAG_OLD_ID: The new domain also invalidates the old id
 * @INTEL_REPLACE_TAG_NEW_ID: The old domain also invalidates the new id
 */
enum intel_replace_tag {
	INTEL_REPLACE_TAG_NONE,
	INTEL_REPLACE_TAG_OLD_ID,
	INTEL_REPLACE_TAG_NEW_ID,
};

/**
 * struct intel_replace - A replacement that is asked for
 * @kind: The transition; the entries must be what it says
 * @new_id_unused: Nothing else on the unit uses the new domain id
 * @old: The live entry, unused words 0
 * @new: The wanted entry, unused words 0
 */
struct intel_replace {
	enum intel_replace_kind kind;
	bool new_id_unused;
	u64 old[INTEL_REPLACE_WORDS];
	u64 new[INTEL_REPLACE_WORDS];
};

/**
 * struct intel_replace_invals - Invalidations, in this order
 * @nr: How many
 * @inval: enum intel_replace_inval
 */
struct intel_replace_invals {
	u8 nr;
	u8 inval[INTEL_REPLACE_MAX_INVALS];
};

/**
 * struct intel_replace_write - One 128-bit write and what follows it
 * @chunk: Which 128 bits of the entry
 * @lo: Low half of the new value
 * @hi: High half of the new value
 * @sync: Complete before the next write
 */
struct intel_replace_write {
	u8 chunk;
	u64 lo;
	u64 hi;
	struct intel_replace_invals sync;
};

/**
 * struct intel_replace_plan - How to get from one entry to the other
 * @nr_words: Size of the entry in 64-bit words
 * @nr_writes: Number of writes, 0 if the plan was refused
 * @writes: The writes, in order
 * @closing: After the last sync; what the caches have of the old tables
 * @old_id: Domain id of the old entry
 * @new_id: Domain id of the new entry
 * @tag: Cache tag needed from before the first write until @closing is done
 * @old: The live entry the plan starts from
 * @reason: Why the plan was refused, else NULL
 */
struct intel_replace_plan {
	u8 nr_words;
	u8 nr_writes;
	struct intel_replace_write writes[INTEL_REPLACE_MAX_WRITES];
	struct intel_replace_invals closing;
	u16 old_id;
	u16 new_id;
	enum intel_replace_tag tag;
	u64 old[INTEL_REPLACE_WORDS];
	const char *reason;
};

/**
 * struct intel_replace_ops - What the execution of a plan calls
 * @wrote: A chunk was written, for tracing; @old is its value before
 * @invalidate: Do one invalidation; @did is the domain id it is for
 *
 * Both are called with the caller's locks held and cannot fail. An
 * implementation of @invalidate may wait in every call and do nothing for
 * INTEL_REPLACE_WAIT.
 */
struct intel_replace_ops {
	void (*wrote)(void *ctx, const struct intel_replace_write *write,
		      u64 old_lo, u64 old_hi);
	void (*invalidate)(void *ctx, enum intel_replace_inval inval, u16 did);
};

enum intel_replace_tag intel_replace_tag(enum intel_replace_kind kind,
					 bool new_id_unused);
int intel_replace_plan(const struct intel_replace *replace,
		       struct intel_replace_plan *plan);

int intel_replace_execute(u64 *live, const struct intel_replace_plan *plan,
			  const struct intel_replace_ops *ops, void *ctx);
void intel_replace_close(const struct intel_replace_plan *plan,
			 const struct intel_replace_ops *ops, void *ctx);

struct device;
struct dmar_domain;

int intel_legacy_replace(struct dmar_domain *domain, struct dmar_domain *old,
			 struct device *dev);
int intel_pasid_replace(struct dmar_domain *domain, struct dmar_domain *old,
			struct device *dev, u32 pasid);
int intel_replace_domain(struct dmar_domain *domain, struct device *dev);

#endif /* __INTEL_IOMMU_REPLACE_H */
