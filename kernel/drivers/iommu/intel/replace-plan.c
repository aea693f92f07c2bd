// SPDX-License-Identifier: GPL-2.0
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */

/**
 * DOC: VT-d replacement of live entries, the planner
 *
 * A device that goes on with DMA is moved from one page table to another. Its
 * entry, a context entry in legacy mode and a PASID entry in scalable mode, must
 * at no instant be non-present, malformed or torn.
 *
 * Terms. A *chunk* is 128 bits of an entry, the largest unit that software can
 * write and hardware reads at once. A *write* changes one chunk. The *sync*
 * after a write makes sure that hardware sees nothing older any more: cache line
 * flush, invalidation of the context or PASID cache, wait. It follows every
 * write, because hardware may read the chunks of an entry at different times,
 * and without it could combine chunks of different writes. The *closing*
 * invalidations remove from the translation caches what came from the old page
 * table.
 *
 * The steps of a replacement:
 *
 * 1. The wanted entry is built aside, with the new domain's own id.
 * 2. intel_replace_plan() decides, from the contents alone, which chunks are
 *    written in which order, or that it cannot be done without a gap.
 * 3. intel_replace_execute() does the writes, each with its sync.
 * 4. intel_replace_close() does the closing invalidations.
 *
 * The order of the writes:
 *
 * - A legacy entry is one chunk, and of a second stage entry only chunk 0
 *   matters: one write.
 * - Second to first stage: chunk 1 is unused as long as chunk 0 says second
 *   stage, so it is written first. First to second stage: the reverse.
 * - First to first stage: chunk 0 has the id, chunk 1 the root, so there is a
 *   state with the one of the old and the other of the new domain. Where domains
 *   map an address alike this state translates it alike, but caches are filled
 *   under the wrong id. If nothing else uses the new id the id goes first; the
 *   closing invalidations cover both ids then. Else the root goes first, and
 *   only users of the old id can hit a translation of the new table: nobody if
 *   this is the last device to leave the old domain on the unit, otherwise
 *   devices of the old domain, until the closing invalidations are done. In each
 *   case the domain whose translations are cached under the other's id needs a
 *   cache tag for that id, from before the first write until the closing
 *   invalidations are done, or an unmap in between would leave stale
 *   translations: see enum intel_replace_tag. This holds for the last device
 *   too, so the plan does not depend on it. In the state between, PWSNP and
 *   PGSNP are set if either domain wants them, because the tables of a domain
 *   with PWSNP have never been flushed out of the CPU caches. This can take one
 *   write more.
 *
 * A sync invalidates the PASID cache of the old id, and that of the new id as
 * well once the entry had it before the write.
 *
 * Only the fields listed in intel_replace_known() may be set at all: the planner
 * does not reason about what it does not know. There is one exception. The old
 * entry may be that of another kernel, which may have set more. Where the first
 * write replaces all of chunk 0, it takes these bits away: hardware reads the chunk
 * either as the other kernel has left it or without them. Of a context or a second
 * stage entry nothing else has a meaning then. Of a first stage entry the old root is
 * walked until the next write by known bits only: what the others said of caching is
 * lost for that moment, PWSNP and PGSNP are not.
 *
 * Not handled: nested and pass-through translation, shared domain ids (SVA), a
 * change of the translation type of a legacy entry (ATS), address widths or
 * features that the unit lacks, which is for the caller to check.
 *
 * Locking: none. Nothing here has state, and nothing depends on the kernel.
 */

#include <linux/bits.h>
#include <linux/errno.h>
#include <linux/string.h>
#include <linux/types.h>

#include "replace.h"

/* Chunk 0, low half; in scalable mode and, as far as named so, in legacy mode */
#define ENTRY_P			BIT_ULL(0)
#define CONTEXT_TT		GENMASK_ULL(3, 2)
#define CONTEXT_TT_PT		BIT_ULL(3)
#define PASID_AW		GENMASK_ULL(4, 2)
#define PASID_PGTT		GENMASK_ULL(8, 6)
#define PASID_PGTT_FS		BIT_ULL(6)
#define PASID_PGTT_SS		BIT_ULL(7)
#define PASID_SSADE		BIT_ULL(9)

/* Chunk 0, high half */
#define CONTEXT_AW		GENMASK_ULL(2, 0)
#define CONTEXT_DID		GENMASK_ULL(23, 8)
#define PASID_DID		GENMASK_ULL(15, 0)
#define PASID_PWSNP		BIT_ULL(23)
#define PASID_PGSNP		BIT_ULL(24)
#define PASID_SNOOP		(PASID_PWSNP | PASID_PGSNP)

/* Chunk 1, low half */
#define PASID_FSPM		GENMASK_ULL(3, 2)
#define PASID_FSPM_5LEVEL	BIT_ULL(2)

/* Both kinds of roots; no x86 CPU has more than 52 address bits */
#define ENTRY_ROOT		GENMASK_ULL(51, 12)

static bool is_first_stage(const u64 *entry)
{
	return (entry[0] & PASID_PGTT) == PASID_PGTT_FS;
}

/* The fields that a present entry may have set, 0 for words without any */
static u64 intel_replace_known(enum intel_replace_kind kind, bool first_stage,
			       unsigned int word)
{
	if (kind == INTEL_REPLACE_CONTEXT) {
		switch (word) {
		case 0:
			return ENTRY_P | CONTEXT_TT | ENTRY_ROOT;
		case 1:
			return CONTEXT_AW | CONTEXT_DID;
		default:
			return 0;
		}
	}

	switch (word) {
	case 0:
		if (first_stage)
			return ENTRY_P | PASID_AW | PASID_PGTT;
		return ENTRY_P | PASID_AW | PASID_PGTT | PASID_SSADE | ENTRY_ROOT;
	case 1:
		return PASID_DID | PASID_SNOOP;
	case 2:
		return first_stage ? PASID_FSPM_5LEVEL | ENTRY_ROOT : 0;
	default:
		return 0;
	}
}

static u16 entry_did(enum intel_replace_kind kind, const u64 *entry)
{
	if (kind == INTEL_REPLACE_CONTEXT)
		return (entry[1] & CONTEXT_DID) >> 8;
	return entry[1] & PASID_DID;
}

/* 1, 2 and 3 are 3, 4 and 5 levels; the rest is reserved */
static bool width_valid(u64 aw)
{
	return aw >= 1 && aw <= 3;
}

static const char *check_context(const u64 *entry)
{
	if ((entry[0] & CONTEXT_TT) >= CONTEXT_TT_PT)
		return "translation type is not a page table";
	if (!width_valid(entry[1] & CONTEXT_AW))
		return "invalid address width";
	return NULL;
}

static const char *check_pasid(const u64 *entry, bool first_stage)
{
	if ((entry[0] & PASID_PGTT) !=
	    (first_stage ? PASID_PGTT_FS : PASID_PGTT_SS))
		return "translation type is not that of the transition";
	if (!first_stage && !width_valid((entry[0] & PASID_AW) >> 2))
		return "invalid address width";
	return NULL;
}

/* The order of the writes, see the DOC block */
static bool chunk_0_goes_first(const struct intel_replace *replace)
{
	switch (replace->kind) {
	case INTEL_REPLACE_CONTEXT:
	case INTEL_REPLACE_SS_TO_SS:
	case INTEL_REPLACE_FS_TO_SS:
	case INTEL_REPLACE_FS_TO_FS:
		return true;
	default:
		return false;
	}
}

/* @from: words before this one are not looked at */
static bool has_unknown(enum intel_replace_kind kind, const u64 *entry,
			bool first_stage, unsigned int from)
{
	unsigned int i;

	for (i = from; i < INTEL_REPLACE_WORDS; i++)
		if (entry[i] & ~intel_replace_known(kind, first_stage, i))
			return true;
	return false;
}

static const char *check_entry(enum intel_replace_kind kind, const u64 *entry,
			       bool first_stage, unsigned int from)
{
	const char *reason;

	if (!(entry[0] & ENTRY_P))
		return "entry is not present";
	if (kind == INTEL_REPLACE_CONTEXT)
		reason = check_context(entry);
	else
		reason = check_pasid(entry, first_stage);
	if (reason)
		return reason;

	if (has_unknown(kind, entry, first_stage, from))
		return "unknown field is set";
	if (entry_did(kind, entry) < INTEL_REPLACE_FIRST_DID)
		return "domain id is shared";
	return NULL;
}

static const char *check_replace(const struct intel_replace *replace)
{
	bool old_fs = replace->kind == INTEL_REPLACE_FS_TO_FS ||
		      replace->kind == INTEL_REPLACE_FS_TO_SS;
	bool new_fs = replace->kind == INTEL_REPLACE_FS_TO_FS ||
		      replace->kind == INTEL_REPLACE_SS_TO_FS;
	const char *reason;

	if (replace->kind > INTEL_REPLACE_FS_TO_SS)
		return "unknown transition";
	reason = check_entry(replace->kind, replace->old, old_fs,
			     chunk_0_goes_first(replace) ? 2 : 0);
	if (!reason)
		reason = check_entry(replace->kind, replace->new, new_fs, 0);
	if (reason)
		return reason;
	if (entry_did(replace->kind, replace->old) ==
	    entry_did(replace->kind, replace->new))
		return "both entries have the same domain id";
	if (replace->kind == INTEL_REPLACE_CONTEXT &&
	    (replace->old[0] ^ replace->new[0]) & CONTEXT_TT)
		return "translation type changes";
	return NULL;
}

static void add_inval(struct intel_replace_invals *invals,
		      enum intel_replace_inval inval)
{
	invals->inval[invals->nr++] = inval;
}

/*
 * What was cached or is being read has the id from before the write, @now. The
 * old id is always among the invalidated ones.
 */
static void plan_sync(enum intel_replace_kind kind, struct intel_replace_plan *plan,
		      struct intel_replace_invals *sync, const u64 *now)
{
	add_inval(sync, INTEL_REPLACE_LINE);
	if (kind == INTEL_REPLACE_CONTEXT) {
		add_inval(sync, INTEL_REPLACE_CONTEXT_OLD);
	} else {
		add_inval(sync, INTEL_REPLACE_PASID_OLD);
		if (entry_did(kind, now) == plan->new_id)
			add_inval(sync, INTEL_REPLACE_PASID_NEW);
	}
	add_inval(sync, INTEL_REPLACE_WAIT);
}

/* @now is the entry as it is before the write, and then as it is after it */
static void plan_write(enum intel_replace_kind kind, struct intel_replace_plan *plan,
		       u64 *now, u8 chunk, u64 lo, u64 hi)
{
	struct intel_replace_write *write = &plan->writes[plan->nr_writes];

	if (now[2 * chunk] == lo && now[2 * chunk + 1] == hi)
		return;

	write->chunk = chunk;
	write->lo = lo;
	write->hi = hi;
	plan_sync(kind, plan, &write->sync, now);
	plan->nr_writes++;

	now[2 * chunk] = lo;
	now[2 * chunk + 1] = hi;
}

static void plan_first_to_first(const struct intel_replace *replace,
				struct intel_replace_plan *plan, u64 *now)
{
	const u64 *old = replace->old, *new = replace->new;
	const u64 *between = replace->new_id_unused ? new : old;
	u64 snoop = (old[1] | new[1]) & PASID_SNOOP;
	u64 lo = between[0] & intel_replace_known(replace->kind, true, 0);
	u64 hi = between[1] & intel_replace_known(replace->kind, true, 1);

	plan_write(replace->kind, plan, now, 0, lo, hi | snoop);
	plan_write(replace->kind, plan, now, 1, new[2], new[3]);
	plan_write(replace->kind, plan, now, 0, new[0], new[1]);
}

static void plan_writes(const struct intel_replace *replace,
			struct intel_replace_plan *plan)
{
	const u64 *new = replace->new;
	u64 now[INTEL_REPLACE_WORDS];

	memcpy(now, replace->old, sizeof(now));
	switch (replace->kind) {
	case INTEL_REPLACE_CONTEXT:
	case INTEL_REPLACE_SS_TO_SS:
		plan_write(replace->kind, plan, now, 0, new[0], new[1]);
		break;
	case INTEL_REPLACE_FS_TO_FS:
		plan_first_to_first(replace, plan, now);
		break;
	case INTEL_REPLACE_SS_TO_FS:
		plan_write(replace->kind, plan, now, 1, new[2], new[3]);
		plan_write(replace->kind, plan, now, 0, new[0], new[1]);
		break;
	case INTEL_REPLACE_FS_TO_SS:
		plan_write(replace->kind, plan, now, 0, new[0], new[1]);
		plan_write(replace->kind, plan, now, 1, new[2], new[3]);
		break;
	}
}

/*
 * The context or PASID cache was invalidated by the last sync, so that nothing
 * is filled from it behind these. The device comes last: it is filled from the
 * IOTLB.
 */
static void plan_closing(const struct intel_replace *replace,
			 struct intel_replace_plan *plan)
{
	if (replace->kind != INTEL_REPLACE_CONTEXT && is_first_stage(replace->old))
		add_inval(&plan->closing, INTEL_REPLACE_PIOTLB_OLD);
	else
		add_inval(&plan->closing, INTEL_REPLACE_IOTLB_OLD);
	if (plan->tag == INTEL_REPLACE_TAG_NEW_ID)
		add_inval(&plan->closing, INTEL_REPLACE_PIOTLB_NEW);
	add_inval(&plan->closing, INTEL_REPLACE_WAIT);
	add_inval(&plan->closing, INTEL_REPLACE_DEVTLB);
	add_inval(&plan->closing, INTEL_REPLACE_WAIT);
}

/**
 * intel_replace_tag - Which cache tag across the domains a replacement needs
 * @kind: The transition
 * @new_id_unused: Nothing else on the unit uses the new domain id
 *
 * For callers that have to assign it before they can look at the live entry.
 *
 * Context: Any.
 * Return: What intel_replace_plan() will have in its plan.
 */
enum intel_replace_tag intel_replace_tag(enum intel_replace_kind kind,
					 bool new_id_unused)
{
	if (kind != INTEL_REPLACE_FS_TO_FS)
		return INTEL_REPLACE_TAG_NONE;
	return new_id_unused ? INTEL_REPLACE_TAG_NEW_ID :
			       INTEL_REPLACE_TAG_OLD_ID;
}

/**
 * intel_replace_plan - Plan the replacement of a live entry
 * @replace: The entries, the transition and what is known about the ids
 * @plan: Where the plan is written to
 *
 * Writes nothing but @plan. Does not allocate, does not look at hardware.
 *
 * Context: Any.
 * Return: 0, or -EOPNOTSUPP if the transition is not possible without a gap;
 * @plan then has no writes and no invalidations, only the reason.
 */
int intel_replace_plan(const struct intel_replace *replace,
		       struct intel_replace_plan *plan)
{
	memset(plan, 0, sizeof(*plan));
	plan->reason = check_replace(replace);
	if (plan->reason)
		return -EOPNOTSUPP;

	plan->nr_words = replace->kind == INTEL_REPLACE_CONTEXT ?
			 INTEL_REPLACE_CONTEXT_WORDS : INTEL_REPLACE_WORDS;
	memcpy(plan->old, replace->old, sizeof(plan->old));
	plan->old_id = entry_did(replace->kind, replace->old);
	plan->new_id = entry_did(replace->kind, replace->new);
	plan->tag = intel_replace_tag(replace->kind, replace->new_id_unused);
	plan_writes(replace, plan);
	plan_closing(replace, plan);
	return 0;
}
