// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <linux/string.h>
#include "judge.h"

#define OLD_ROOT	0x123456000ULL
#define NEW_ROOT	0x7fedcba000ULL
#define OLD_ID		0x1234
#define NEW_ID		0xfffe

const char * const kind_names[] = {
	[INTEL_REPLACE_CONTEXT] = "legacy",
	[INTEL_REPLACE_SS_TO_SS] = "second to second",
	[INTEL_REPLACE_FS_TO_FS] = "first to first",
	[INTEL_REPLACE_SS_TO_FS] = "second to first",
	[INTEL_REPLACE_FS_TO_SS] = "first to second",
};

const char * const inval_names[] = {
	[INTEL_REPLACE_LINE] = "line",
	[INTEL_REPLACE_CONTEXT_OLD] = "context(old)",
	[INTEL_REPLACE_PASID_OLD] = "pasid(old)",
	[INTEL_REPLACE_PASID_NEW] = "pasid(new)",
	[INTEL_REPLACE_IOTLB_OLD] = "iotlb(old)",
	[INTEL_REPLACE_PIOTLB_OLD] = "piotlb(old)",
	[INTEL_REPLACE_PIOTLB_NEW] = "piotlb(new)",
	[INTEL_REPLACE_DEVTLB] = "devtlb",
	[INTEL_REPLACE_WAIT] = "wait",
};

/* --- entries as the driver writes them, from a choice of their fields --- */

struct fields {
	u64 root, aw;
	u16 did;
	bool pwsnp, pgsnp, ssade, five_levels, dev_iotlb;
};

static void legacy_entry(u64 *entry, const struct fields *f)
{
	entry[0] = f->root | f->dev_iotlb << 2 | 1;
	entry[1] = (u64)f->did << 8 | f->aw;
}

static void snoop_and_id(u64 *entry, const struct fields *f)
{
	entry[1] = f->did | (f->pwsnp ? PWSNP : 0) | (f->pgsnp ? PGSNP : 0);
}

static void first_entry(u64 *entry, const struct fields *f)
{
	entry[0] = 1 << 6 | f->aw << 2 | 1;
	snoop_and_id(entry, f);
	entry[2] = f->root | f->five_levels << 2;
}

static void second_entry(u64 *entry, const struct fields *f)
{
	entry[0] = f->root | f->ssade << 9 | 2 << 6 | f->aw << 2 | 1;
	snoop_and_id(entry, f);
}

static void build(struct intel_replace *replace, const struct fields *old,
		  const struct fields *new)
{
	memset(replace->old, 0, sizeof(replace->old));
	memset(replace->new, 0, sizeof(replace->new));
	switch (replace->kind) {
	case INTEL_REPLACE_CONTEXT:
		legacy_entry(replace->old, old);
		legacy_entry(replace->new, new);
		break;
	case INTEL_REPLACE_SS_TO_SS:
		second_entry(replace->old, old);
		second_entry(replace->new, new);
		break;
	case INTEL_REPLACE_FS_TO_FS:
		first_entry(replace->old, old);
		first_entry(replace->new, new);
		break;
	case INTEL_REPLACE_SS_TO_FS:
		second_entry(replace->old, old);
		first_entry(replace->new, new);
		break;
	case INTEL_REPLACE_FS_TO_SS:
		first_entry(replace->old, old);
		second_entry(replace->new, new);
		break;
	}
}

bool scenario_at(struct scenario *s, enum intel_replace_kind kind, unsigned int choice)
{
	struct fields old = { .root = OLD_ROOT, .did = OLD_ID };
	struct fields new = { .root = NEW_ROOT, .did = NEW_ID };

	memset(s, 0, sizeof(*s));
	s->replace.kind = kind;
	s->coherent = choice & 1;
	s->old_id_shared = choice >> 1 & 1;
	s->new_id_shared = choice >> 2 & 1;
	s->replace.new_id_unused = !s->new_id_shared;
	old.aw = (choice >> 3 & 1) + 2;
	new.aw = (choice >> 4 & 1) + 2;
	old.pwsnp = choice >> 5 & 1;
	new.pwsnp = choice >> 6 & 1;
	old.pgsnp = choice >> 7 & 1;
	new.pgsnp = choice >> 8 & 1;
	old.ssade = choice >> 9 & 1;
	new.ssade = choice >> 10 & 1;
	old.five_levels = choice >> 11 & 1;
	new.five_levels = choice >> 12 & 1;
	old.dev_iotlb = choice >> 13 & 1;
	new.dev_iotlb = choice >> 13 & 1;
	if (choice >> 14 & 1) {
		old.did = NEW_ID;
		new.did = OLD_ID;
	}

	/* choices that this kind of entry does not have */
	if (kind == INTEL_REPLACE_CONTEXT && choice & 0x1fe0)
		return false;
	if (kind != INTEL_REPLACE_CONTEXT && old.dev_iotlb)
		return false;
	if (old.ssade && kind != INTEL_REPLACE_SS_TO_SS && kind != INTEL_REPLACE_SS_TO_FS)
		return false;
	if (new.ssade && kind != INTEL_REPLACE_SS_TO_SS && kind != INTEL_REPLACE_FS_TO_SS)
		return false;
	if (old.five_levels && kind != INTEL_REPLACE_FS_TO_FS && kind != INTEL_REPLACE_FS_TO_SS)
		return false;
	if (new.five_levels && kind != INTEL_REPLACE_FS_TO_FS && kind != INTEL_REPLACE_SS_TO_FS)
		return false;

	build(&s->replace, &old, &new);
	return true;
}

/* --- a plan is executed on memory, and the model sees what is done --- */

struct run {
	struct model model;
	u64 live[INTEL_REPLACE_WORDS] __attribute__((aligned(64)));
	/* what was called so far, and before which call a domain unmaps */
	unsigned int calls;
	unsigned int unmap_at;
	enum side unmapper;
	const char *failed;
};

static void run_tick(struct run *run)
{
	if (run->calls++ == run->unmap_at)
		model_unmap(&run->model, run->unmapper);
}

static void run_wrote(void *ctx, const struct intel_replace_write *write,
		      u64 old_lo, u64 old_hi)
{
	struct model *model = &((struct run *)ctx)->model;
	struct chunk *last = &model->version[write->chunk][model->last[write->chunk]];

	run_tick(ctx);
	if (old_lo != last->lo || old_hi != last->hi)
		((struct run *)ctx)->failed = "trace has the wrong old value";
	model_write(model, write->chunk, write->lo, write->hi);
}

static void run_invalidate(void *ctx, enum intel_replace_inval inval, u16 did)
{
	run_tick(ctx);
	model_inval(&((struct run *)ctx)->model, inval, did);
}

static const struct intel_replace_ops run_ops = {
	.wrote = run_wrote,
	.invalidate = run_invalidate,
};

/* REQ-125 and REQ-126 by the letter, beyond what the model insists on */
static const char *check_letter(const struct scenario *s,
				const struct intel_replace_plan *plan)
{
	unsigned int i;

	if (plan->nr_writes < 1 || plan->nr_writes > 3)
		return "number of writes";
	for (i = 0; i < plan->nr_writes; i++) {
		const struct intel_replace_invals *sync = &plan->writes[i].sync;

		if (sync->nr < 3 || sync->inval[0] != INTEL_REPLACE_LINE ||
		    sync->inval[sync->nr - 1] != INTEL_REPLACE_WAIT)
			return "a sync is not line flush, invalidation, wait";
		if (sync->inval[1] != (entry_legacy(s) ? INTEL_REPLACE_CONTEXT_OLD :
				       INTEL_REPLACE_PASID_OLD))
			return "a sync does not invalidate the old id";
	}
	if (plan->closing.inval[0] != (side_first_stage(s, OLD) ?
				       INTEL_REPLACE_PIOTLB_OLD : INTEL_REPLACE_IOTLB_OLD))
		return "the closing does not begin with the old id";
	return NULL;
}

/* One run with an unmap at one place, or with none if that is never reached */
static const char *run_plan(const struct scenario *s,
			    const struct intel_replace_plan *plan,
			    unsigned int unmap_at, enum side unmapper,
			    unsigned int *calls)
{
	static struct run run;
	int ret;

	memset(&run, 0, sizeof(run));
	memcpy(run.live, s->replace.old, sizeof(run.live));
	run.unmap_at = unmap_at;
	run.unmapper = unmapper;
	model_init(&run.model, s, plan->tag);
	ret = intel_replace_execute(run.live, plan, &run_ops, &run);
	if (ret)
		return "it was not executed";
	intel_replace_close(plan, &run_ops, &run);
	model_end(&run.model);
	*calls = run.calls;

	/* the tag is gone now, the old domain on its way out */
	run.model.tag = INTEL_REPLACE_TAG_NONE;
	if (unmap_at == run.calls)
		model_unmap(&run.model, unmapper);
	if (run.failed)
		return run.failed;
	if (run.model.failed)
		return run.model.failed;
	if (memcmp(run.live, s->replace.new, sizeof(run.live)))
		return "the entry is not the wanted one";
	return NULL;
}

const char *judge(const struct scenario *s, const struct intel_replace_plan *plan)
{
	unsigned int calls = 0, at;
	const char *failed;
	enum side side;

	failed = run_plan(s, plan, ~0U, OLD, &calls);
	for (side = OLD; side <= NEW && !failed; side++)
		for (at = 0; at <= calls && !failed; at++)
			failed = run_plan(s, plan, at, side, &calls);
	if (!failed)
		failed = check_letter(s, plan);
	return failed;
}

static void print_invals(const struct intel_replace_invals *invals)
{
	unsigned int i;

	for (i = 0; i < invals->nr; i++)
		printf(" %s", inval_names[invals->inval[i]]);
}

void print_plan(const struct scenario *s, const struct intel_replace_plan *plan)
{
	static const char * const tags[] = { "none", "old id", "new id" };
	unsigned int i;

	printf("# %s, new id %s, tag %s\n", kind_names[s->replace.kind],
	       s->new_id_shared ? "in use" : "unused", tags[plan->tag]);
	for (i = 0; i < plan->nr_writes; i++) {
		printf("#   chunk %u = %llx %llx, sync", plan->writes[i].chunk,
		       (unsigned long long)plan->writes[i].hi,
		       (unsigned long long)plan->writes[i].lo);
		print_invals(&plan->writes[i].sync);
		printf("\n");
	}
	printf("#   closing");
	print_invals(&plan->closing);
	printf("\n");
}
