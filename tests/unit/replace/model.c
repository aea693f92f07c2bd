// SPDX-License-Identifier: GPL-2.0
#include <linux/bits.h>
#include <linux/string.h>
#include "model.h"

/* Bit numbers of the specification: low and high half of chunk 0, chunk 1 */
#define P		BIT_ULL(0)
#define PGTT(lo)	((lo) >> 6 & 7)
#define PGTT_FIRST	1
#define PGTT_SECOND	2
#define TT(lo)		((lo) >> 2 & 3)
#define POINTER		GENMASK_ULL(63, 12)
#define LEGACY_AW	GENMASK_ULL(2, 0)
#define LEGACY_DID	GENMASK_ULL(23, 8)
#define AW		GENMASK_ULL(4, 2)
#define SSADE		BIT_ULL(9)
#define DID		GENMASK_ULL(15, 0)
#define PWSNP		BIT_ULL(23)
#define PGSNP		BIT_ULL(24)
#define FSPM		GENMASK_ULL(3, 2)

/*
 * What may change in a present entry, and nothing else. Chunk 1 may change only
 * while hardware does not use it, or as a whole (root and depth of the table).
 */
static const struct {
	struct chunk chunk[2];
} changeable[] = {
	[INTEL_REPLACE_CONTEXT] = { { { POINTER, LEGACY_AW | LEGACY_DID } } },
	[INTEL_REPLACE_SS_TO_SS] = { {
		{ POINTER | AW | SSADE, DID | PWSNP | PGSNP } } },
	[INTEL_REPLACE_FS_TO_FS] = { {
		{ AW, DID | PWSNP | PGSNP }, { POINTER | FSPM, 0 } } },
	[INTEL_REPLACE_SS_TO_FS] = { {
		{ POINTER | AW | SSADE | 7 << 6, DID | PWSNP | PGSNP },
		{ POINTER | FSPM, 0 } } },
	[INTEL_REPLACE_FS_TO_SS] = { {
		{ POINTER | AW | SSADE | 7 << 6, DID | PWSNP | PGSNP },
		{ POINTER | FSPM, 0 } } },
};

bool entry_legacy(const struct scenario *s)
{
	return s->replace.kind == INTEL_REPLACE_CONTEXT;
}

static const u64 *side_entry(const struct scenario *s, enum side side)
{
	return side == OLD ? s->replace.old : s->replace.new;
}

bool side_first_stage(const struct scenario *s, enum side side)
{
	return !entry_legacy(s) && PGTT(side_entry(s, side)[0]) == PGTT_FIRST;
}

static u16 entry_did(const struct scenario *s, const u64 *entry)
{
	return entry_legacy(s) ? entry[1] >> 8 : entry[1];
}

u16 side_did(const struct scenario *s, enum side side)
{
	return entry_did(s, side_entry(s, side));
}

static void fail(struct model *model, const char *what)
{
	if (!model->failed)
		model->failed = what;
}

static bool equal_in(const u64 *a, const u64 *b, unsigned int word, u64 mask)
{
	return !((a[word] ^ b[word]) & mask);
}

/* Is this what @side's entry translates to, as far as hardware looks at it? */
static bool translates_like(const struct scenario *s, const u64 *entry,
			    enum side side)
{
	const u64 *whole = side_entry(s, side);

	if (entry_legacy(s))
		return equal_in(entry, whole, 0, ~0ULL) &&
		       equal_in(entry, whole, 1, LEGACY_AW);
	if (PGTT(entry[0]) != PGTT(whole[0]))
		return false;
	/* a walk that does not snoop misses tables that were never flushed */
	if (whole[1] & ~entry[1] & (PWSNP | PGSNP))
		return false;
	if (PGTT(entry[0]) == PGTT_FIRST)
		return equal_in(entry, whole, 2, POINTER | FSPM);
	return equal_in(entry, whole, 0, POINTER | AW | SSADE);
}

/* Bits that hardware demands to be 0, or ignores and software leaves 0 */
static bool reserved_set(const struct scenario *s, const u64 *entry)
{
	unsigned int i;
	bool first = PGTT(entry[0]) == PGTT_FIRST;

	for (i = 3; i < INTEL_REPLACE_WORDS; i++)
		if (entry[i])
			return true;
	if (entry_legacy(s))
		return entry[0] & GENMASK_ULL(11, 4) || entry[0] & 2 || entry[2] ||
		       entry[1] & ~(LEGACY_AW | LEGACY_DID);
	if (entry[0] & 2 || entry[0] & BIT_ULL(5) || entry[0] & GENMASK_ULL(11, 10) ||
	    entry[1] & ~(DID | PWSNP | PGSNP))
		return true;
	/* chunk 1 is not looked at for a second stage entry */
	return first && entry[2] & ~(POINTER | FSPM);
}

static int translation_of(struct model *model, const u64 *entry)
{
	const struct scenario *s = model->scenario;

	if (!(entry[0] & P))
		fail(model, "hardware sees a non-present entry");
	else if (reserved_set(s, entry))
		fail(model, "hardware sees a reserved bit");
	else if (entry_did(s, entry) != side_did(s, OLD) &&
		 entry_did(s, entry) != side_did(s, NEW))
		fail(model, "hardware sees a foreign domain id");
	else if (translates_like(s, entry, NEW))
		return NEW;
	else if (translates_like(s, entry, OLD))
		return OLD;
	else
		fail(model, "hardware sees an entry that is neither old nor new");
	return -1;
}

static void fill_iotlb(struct model *model, const u64 *entry)
{
	const struct scenario *s = model->scenario;
	int side = translation_of(model, entry);
	enum side id;

	if (side < 0)
		return;
	id = entry_did(s, entry) == side_did(s, NEW) ? NEW : OLD;
	if (id == NEW && side == OLD && s->new_id_shared)
		fail(model, "devices of the new domain hit translations of the old one");
	if (id == OLD && side == NEW && s->old_id_shared &&
	    model->tag != INTEL_REPLACE_TAG_OLD_ID)
		fail(model, "devices of the old domain hit translations without a tag");
	model->iotlb[id][side][model->generation[side]] = true;
}

static void keep(struct model *model, const u64 *entry)
{
	unsigned int i;

	for (i = 0; i < model->nr_cached; i++)
		if (!memcmp(model->cached[i], entry, sizeof(model->cached[i])))
			return;
	if (model->nr_cached == MODEL_CACHED) {
		fail(model, "model is too small");
		return;
	}
	memcpy(model->cached[model->nr_cached++], entry, sizeof(model->cached[0]));
}

/* Every combination of versions, one chunk after the other */
static void read_entry(struct model *model, unsigned int chunk, u64 *entry)
{
	unsigned int i;

	if (chunk == 4) {
		keep(model, entry);
		return;
	}
	for (i = model->low[chunk]; i <= model->last[chunk]; i++) {
		entry[2 * chunk] = model->version[chunk][i].lo;
		entry[2 * chunk + 1] = model->version[chunk][i].hi;
		read_entry(model, chunk + 1, entry);
	}
}

static void run_hardware(struct model *model)
{
	u64 entry[INTEL_REPLACE_WORDS];
	unsigned int i, id, side, gen;

	read_entry(model, 0, entry);
	for (i = 0; i < model->nr_cached; i++)
		fill_iotlb(model, model->cached[i]);
	for (id = OLD; id <= NEW; id++)
		for (side = OLD; side <= NEW; side++)
			for (gen = 0; gen < 2; gen++)
				model->devtlb[side][gen] |= model->iotlb[id][side][gen];
}

void model_init(struct model *model, const struct scenario *scenario,
		enum intel_replace_tag tag)
{
	unsigned int i;

	memset(model, 0, sizeof(*model));
	model->scenario = scenario;
	model->tag = tag;
	for (i = 0; i < 4; i++) {
		model->version[i][0].lo = scenario->replace.old[2 * i];
		model->version[i][0].hi = scenario->replace.old[2 * i + 1];
	}
	/* the new domain may have other devices, which have filled its caches */
	model->iotlb[NEW][NEW][0] = scenario->new_id_shared;
	run_hardware(model);
}

void model_write(struct model *model, unsigned int chunk, u64 lo, u64 hi)
{
	const struct chunk *now = &model->version[chunk][model->last[chunk]];
	const struct chunk *may;

	if (chunk > 1 || ++model->nr_writes > INTEL_REPLACE_MAX_WRITES) {
		fail(model, "unexpected write");
		return;
	}
	may = &changeable[model->scenario->replace.kind].chunk[chunk];
	if ((now->lo ^ lo) & ~may->lo || (now->hi ^ hi) & ~may->hi)
		fail(model, "a field is changed that must not change");

	model->version[chunk][++model->last[chunk]] = (struct chunk){ lo, hi };
	if (model->scenario->coherent)
		model->flushed[chunk] = model->last[chunk];
	run_hardware(model);
}

static bool is_entry_inval(enum intel_replace_inval inval)
{
	return inval == INTEL_REPLACE_CONTEXT_OLD ||
	       inval == INTEL_REPLACE_PASID_OLD || inval == INTEL_REPLACE_PASID_NEW;
}

static void invalidate_iotlb(struct model *model, bool first_stage, u16 did)
{
	const struct scenario *s = model->scenario;
	unsigned int id, side;

	for (id = OLD; id <= NEW; id++)
		for (side = OLD; side <= NEW; side++)
			if (side_did(s, id) == did &&
			    side_first_stage(s, side) == first_stage)
				memset(model->iotlb[id][side], 0,
				       sizeof(model->iotlb[id][side]));
}

static void drop_cached(struct model *model, u16 did)
{
	unsigned int i = 0;

	while (i < model->nr_cached) {
		if (entry_did(model->scenario, model->cached[i]) == did)
			memcpy(model->cached[i], model->cached[--model->nr_cached],
			       sizeof(model->cached[i]));
		else
			i++;
	}
}

/*
 * A read that began before is drained only if it was of an entry that has the
 * invalidated id: until then the id that the entry had is the one that counts.
 */
static void complete_entry_inval(struct model *model, const struct request *request)
{
	unsigned int i;
	u64 id_word[INTEL_REPLACE_WORDS] = {
		[1] = model->version[0][model->low[0]].hi
	};
	bool legacy = request->inval == INTEL_REPLACE_CONTEXT_OLD;

	if (legacy != entry_legacy(model->scenario)) {
		fail(model, "invalidation of the wrong cache");
		return;
	}
	if (entry_did(model->scenario, id_word) != request->did) {
		drop_cached(model, request->did);
		return;
	}
	for (i = 0; i < 4; i++)
		if (model->low[i] < request->flushed[i])
			model->low[i] = request->flushed[i];
	drop_cached(model, request->did);
}

/* Nothing orders requests that are waited for together: worst order */
static void complete(struct model *model)
{
	unsigned int i;

	for (i = 0; i < model->nr_queued; i++)
		if (model->queue[i].inval == INTEL_REPLACE_DEVTLB)
			memset(model->devtlb, 0, sizeof(model->devtlb));
	run_hardware(model);
	for (i = 0; i < model->nr_queued; i++) {
		switch (model->queue[i].inval) {
		case INTEL_REPLACE_IOTLB_OLD:
			invalidate_iotlb(model, false, model->queue[i].did);
			break;
		case INTEL_REPLACE_PIOTLB_OLD:
		case INTEL_REPLACE_PIOTLB_NEW:
			invalidate_iotlb(model, true, model->queue[i].did);
			break;
		default:
			break;
		}
	}
	run_hardware(model);
	for (i = 0; i < model->nr_queued; i++)
		if (is_entry_inval(model->queue[i].inval))
			complete_entry_inval(model, &model->queue[i]);
	model->nr_queued = 0;
	run_hardware(model);
}

void model_inval(struct model *model, enum intel_replace_inval inval, u16 did)
{
	struct request *request;

	run_hardware(model);
	switch (inval) {
	case INTEL_REPLACE_LINE:
		memcpy(model->flushed, model->last, sizeof(model->flushed));
		break;
	case INTEL_REPLACE_WAIT:
		complete(model);
		break;
	default:
		request = &model->queue[model->nr_queued++];
		request->inval = inval;
		request->did = did;
		memcpy(request->flushed, model->flushed, sizeof(request->flushed));
		break;
	}
}

void model_unmap(struct model *model, enum side side)
{
	const struct scenario *s = model->scenario;
	bool first = side_first_stage(s, side);
	unsigned int id;

	model->generation[side] = 1;
	run_hardware(model);
	invalidate_iotlb(model, first, side_did(s, side));
	if (side == NEW && model->tag == INTEL_REPLACE_TAG_OLD_ID)
		invalidate_iotlb(model, first, side_did(s, OLD));
	if (side == OLD && model->tag == INTEL_REPLACE_TAG_NEW_ID)
		invalidate_iotlb(model, first, side_did(s, NEW));
	run_hardware(model);
	memset(model->devtlb, 0, sizeof(model->devtlb));
	run_hardware(model);

	for (id = OLD; id <= NEW; id++)
		if (model->iotlb[id][side][0])
			fail(model, "translation survives an unmap in the IOTLB");
	if (model->devtlb[side][0])
		fail(model, "translation survives an unmap in the device");
}

void model_end(struct model *model)
{
	const struct scenario *s = model->scenario;
	unsigned int id, gen, i;

	run_hardware(model);
	if (model->nr_queued)
		fail(model, "an invalidation is not waited for");
	for (i = 0; i < 4; i++)
		if (model->low[i] != model->last[i])
			fail(model, "hardware may still read an earlier entry");
	if (model->nr_cached != 1 ||
	    memcmp(model->cached[0], s->replace.new, sizeof(model->cached[0])))
		fail(model, "hardware may still have an earlier entry cached");
	for (gen = 0; gen < 2; gen++) {
		for (id = OLD; id <= NEW; id++)
			if (model->iotlb[id][OLD][gen])
				fail(model, "old translations are left in the IOTLB");
		if (model->iotlb[OLD][NEW][gen])
			fail(model, "new translations are left under the old id");
		if (model->devtlb[OLD][gen])
			fail(model, "old translations are left in the device");
	}
}
