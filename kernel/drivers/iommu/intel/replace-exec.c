// SPDX-License-Identifier: GPL-2.0
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */

/**
 * DOC: VT-d replacement of live entries, the execution
 *
 * The one routine that writes entries which hardware is using, by the plan of
 * replace-plan.c, in units of 128 bits and in no other way. What a plan wants to
 * be invalidated goes through callbacks, and so does the old and the new value
 * of each write, for the trace point.
 *
 * A write is a cmpxchg16b, a full barrier on x86: hardware sees it before any
 * invalidation that follows. On a CPU without it nothing can be replaced: the
 * kernel has no other way to write 128 bits at once.
 *
 * Nothing is written if the live entry is not the one that was planned for. From
 * the first write on there is no way to fail: half a transition would be worse
 * than anything that could be found.
 *
 * Locking: the caller holds the lock that all writers of the entry take
 * (intel_iommu.lock) across intel_replace_execute(), with the plan made under it
 * or not. intel_replace_close() needs no lock, but the cache tags of both
 * domains, the plan's own tag included, must stay until it has returned.
 */

#include <linux/atomic.h>
#include <linux/bug.h>
#include <linux/compiler.h>
#include <linux/cpufeature.h>
#include <linux/errno.h>
#include <linux/types.h>

#include "replace.h"

/* As much of an entry as is written at once; hardware is little-endian */
union intel_replace_chunk {
	u128 val;
	u64 half[2];
};

static bool same_entry(const u64 *live, const struct intel_replace_plan *plan)
{
	unsigned int i;

	for (i = 0; i < plan->nr_words; i++)
		if (READ_ONCE(live[i]) != plan->old[i])
			return false;
	return true;
}

static void invalidate(const struct intel_replace_invals *invals,
		       const struct intel_replace_plan *plan,
		       const struct intel_replace_ops *ops, void *ctx)
{
	unsigned int i;

	for (i = 0; i < invals->nr; i++) {
		bool new = invals->inval[i] == INTEL_REPLACE_PASID_NEW ||
			   invals->inval[i] == INTEL_REPLACE_PIOTLB_NEW;

		ops->invalidate(ctx, invals->inval[i],
				new ? plan->new_id : plan->old_id);
	}
}

static void write_chunk(u64 *live, const struct intel_replace_write *write,
			const struct intel_replace_ops *ops, void *ctx)
{
	union intel_replace_chunk old, new = { .half = { write->lo, write->hi } };
	u128 *chunk = (u128 *)live + write->chunk;
	bool raced = false;

	old.half[0] = READ_ONCE(live[2 * write->chunk]);
	old.half[1] = READ_ONCE(live[2 * write->chunk + 1]);
	while (!try_cmpxchg128(chunk, &old.val, new.val))
		raced = true;

	/*
	 * Somebody writes entries without the lock. The transition is completed
	 * nevertheless, since DMA depends on it, but it must not go unnoticed.
	 */
	WARN_ON_ONCE(raced);
	ops->wrote(ctx, write, old.half[0], old.half[1]);
}

/**
 * intel_replace_execute - Do the writes of a plan, each with its sync
 * @live: The entry that hardware is using, aligned to 16 bytes
 * @plan: What intel_replace_plan() has made
 * @ops: Invalidation and tracing
 * @ctx: Handed to @ops
 *
 * Hardware uses the wanted entry, and nothing else, when this returns 0, but
 * translations of the old table are still cached: intel_replace_close() must
 * follow.
 *
 * Context: Caller holds the lock of the entry's writers. Sleeps only if @ops do.
 * Return: 0; -EOPNOTSUPP if the CPU cannot write 128 bits at once or the plan is
 * empty, -EBUSY if the live entry is not the one that was planned for. Nothing
 * was written and no callback called on failure.
 */
int intel_replace_execute(u64 *live, const struct intel_replace_plan *plan,
			  const struct intel_replace_ops *ops, void *ctx)
{
	unsigned int i;

	if (!plan->nr_writes || !system_has_cmpxchg128())
		return -EOPNOTSUPP;
	if (!same_entry(live, plan))
		return -EBUSY;

	for (i = 0; i < plan->nr_writes; i++) {
		write_chunk(live, &plan->writes[i], ops, ctx);
		invalidate(&plan->writes[i].sync, plan, ops, ctx);
	}
	return 0;
}

/**
 * intel_replace_close - Remove what is cached of the old table
 * @plan: The plan, executed
 * @ops: Invalidation
 * @ctx: Handed to @ops
 *
 * The old domain's tables may be freed and its id given away after this.
 *
 * Context: No locks needed. Sleeps only if @ops do.
 */
void intel_replace_close(const struct intel_replace_plan *plan,
			 const struct intel_replace_ops *ops, void *ctx)
{
	invalidate(&plan->closing, plan, ops, ctx);
}
