/* SPDX-License-Identifier: GPL-2.0 */
/*
 * VT-d hardware that does, at every moment, everything it is allowed to do: it
 * reads each 128-bit chunk of the entry in each version that no completed sync
 * has made unreadable, in every combination, keeps every result in the context
 * or PASID cache, fills the IOTLB from all of them and the device's TLB from
 * that. What can go wrong is then in one of these sets.
 */
#ifndef MODEL_H
#define MODEL_H

#include "replace.h"

enum side { OLD, NEW };

struct scenario {
	struct intel_replace replace;
	/* another device of the old domain, of the new one, on the unit */
	bool old_id_shared;
	bool new_id_shared;
	/* hardware snoops the CPU caches when it reads entries */
	bool coherent;
};

#define MODEL_VERSIONS	(INTEL_REPLACE_MAX_WRITES + 1)
#define MODEL_CACHED	64

struct chunk {
	u64 lo, hi;
};

/* A request in the invalidation queue, and what memory had when it was put */
struct request {
	enum intel_replace_inval inval;
	u16 did;
	unsigned int flushed[4];
};

struct model {
	const struct scenario *scenario;
	enum intel_replace_tag tag;
	/* versions [low, last] of a chunk can be read, [flushed] is in memory */
	struct chunk version[4][MODEL_VERSIONS];
	unsigned int low[4], flushed[4], last[4];
	/* context or PASID cache, and reads under way */
	u64 cached[MODEL_CACHED][INTEL_REPLACE_WORDS];
	unsigned int nr_cached;
	/* [id of][translation of][generation]; the latter rises by an unmap */
	bool iotlb[2][2][2];
	bool devtlb[2][2];
	unsigned int generation[2];
	struct request queue[16];
	unsigned int nr_queued;
	unsigned int nr_writes;
	/* the first thing that went wrong */
	const char *failed;
};

/* Positions of fields as in the specification, not those of the planner */
bool entry_legacy(const struct scenario *s);
bool side_first_stage(const struct scenario *s, enum side side);
u16 side_did(const struct scenario *s, enum side side);

void model_init(struct model *model, const struct scenario *scenario,
		enum intel_replace_tag tag);
void model_write(struct model *model, unsigned int chunk, u64 lo, u64 hi);
void model_inval(struct model *model, enum intel_replace_inval inval, u16 did);
/* The domain of @side unmaps a page that was in use, and invalidates. */
void model_unmap(struct model *model, enum side side);
/* All is over: nothing of the old domain may be left. */
void model_end(struct model *model);

#endif
