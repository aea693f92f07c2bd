// SPDX-License-Identifier: GPL-2.0
/* Tests of drivers/iommu/intel/replace-plan.c and replace-exec.c */
#include "test.h"
#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/bug.h>
#include "judge.h"

static bool verbose;

/* --- the tests --- */

/* Hardware sees old or new, whole, in all choices, with an unmap anywhere. */
static void test_all(enum intel_replace_kind kind)
{
	struct intel_replace_plan plan;
	unsigned int choice, nr = 0;
	const char *failed;
	struct scenario s;

	for (choice = 0; choice < CHOICES; choice++) {
		if (!scenario_at(&s, kind, choice))
			continue;
		nr++;
		assert_int_equal(intel_replace_plan(&s.replace, &plan), 0);
		assert_null(plan.reason);
		failed = judge(&s, &plan);
		if (failed) {
			print_plan(&s, &plan);
			fail_msg("%s, choice %#x: %s", kind_names[kind], choice, failed);
		}
	}
	assert_true(nr >= 64);
	if (verbose)
		printf("# %s: %u choices\n", kind_names[kind], nr);
}

static void test_all_legacy(void **state)
{
	test_all(INTEL_REPLACE_CONTEXT);
}

static void test_all_ss_to_ss(void **state)
{
	test_all(INTEL_REPLACE_SS_TO_SS);
}

static void test_all_fs_to_fs(void **state)
{
	test_all(INTEL_REPLACE_FS_TO_FS);
}

static void test_all_ss_to_fs(void **state)
{
	test_all(INTEL_REPLACE_SS_TO_FS);
}

static void test_all_fs_to_ss(void **state)
{
	test_all(INTEL_REPLACE_FS_TO_SS);
}

/* The plain plans, word for word: chunks, invalidations, closing, tag */
static void test_shape(void **state)
{
	static const struct {
		enum intel_replace_kind kind;
		bool new_id_unused;
		const char *plan;
	} shapes[] = {
		{ INTEL_REPLACE_CONTEXT, true,
		  "0 line context(old) wait; iotlb(old) wait devtlb wait; 0" },
		{ INTEL_REPLACE_SS_TO_SS, false,
		  "0 line pasid(old) wait; iotlb(old) wait devtlb wait; 0" },
		{ INTEL_REPLACE_SS_TO_FS, false,
		  "1 line pasid(old) wait; 0 line pasid(old) wait; "
		  "iotlb(old) wait devtlb wait; 0" },
		{ INTEL_REPLACE_FS_TO_SS, false,
		  "0 line pasid(old) wait; 1 line pasid(old) pasid(new) wait; "
		  "piotlb(old) wait devtlb wait; 0" },
		{ INTEL_REPLACE_FS_TO_FS, true,
		  "0 line pasid(old) wait; 1 line pasid(old) pasid(new) wait; "
		  "piotlb(old) piotlb(new) wait devtlb wait; 2" },
		{ INTEL_REPLACE_FS_TO_FS, false,
		  "1 line pasid(old) wait; 0 line pasid(old) wait; "
		  "piotlb(old) wait devtlb wait; 1" },
	};
	struct intel_replace_plan plan;
	unsigned int i, j, k;
	struct scenario s;
	char text[256];
	size_t len;

	for (i = 0; i < ARRAY_SIZE(shapes); i++) {
		assert_true(scenario_at(&s, shapes[i].kind,
					shapes[i].new_id_unused ? 0 : 4));
		assert_int_equal(intel_replace_plan(&s.replace, &plan), 0);
		if (verbose)
			print_plan(&s, &plan);
		for (len = j = 0; j < plan.nr_writes; j++) {
			len += snprintf(text + len, sizeof(text) - len, "%u",
					plan.writes[j].chunk);
			for (k = 0; k < plan.writes[j].sync.nr; k++)
				len += snprintf(text + len, sizeof(text) - len, " %s",
						inval_names[plan.writes[j].sync.inval[k]]);
			len += snprintf(text + len, sizeof(text) - len, "; ");
		}
		for (k = 0; k < plan.closing.nr; k++)
			len += snprintf(text + len, sizeof(text) - len, "%s%s",
					k ? " " : "", inval_names[plan.closing.inval[k]]);
		snprintf(text + len, sizeof(text) - len, "; %u", plan.tag);
		assert_string_equal(text, shapes[i].plan);
		assert_int_equal(plan.tag, intel_replace_tag(shapes[i].kind,
							     shapes[i].new_id_unused));
	}
}

/* A third write only where snooping would be lost in the state between */
static void test_third_write(void **state)
{
	struct intel_replace_plan plan;
	unsigned int choice, wanted;
	struct scenario s;
	u64 lost, snoop = PWSNP | PGSNP;

	for (choice = 0; choice < CHOICES; choice++) {
		if (!scenario_at(&s, INTEL_REPLACE_FS_TO_FS, choice))
			continue;
		assert_int_equal(intel_replace_plan(&s.replace, &plan), 0);
		lost = s.new_id_shared ? s.replace.new[1] & ~s.replace.old[1] :
					 s.replace.old[1] & ~s.replace.new[1];
		wanted = lost & snoop ? 3 : 2;
		assert_int_equal(plan.nr_writes, wanted);
	}
}

static void assert_refused(const struct intel_replace *replace, const char *reason)
{
	struct intel_replace_plan plan, empty = {};

	memset(&plan, 0xa5, sizeof(plan));
	assert_int_equal(intel_replace_plan(replace, &plan), -EOPNOTSUPP);
	if (!plan.reason || (reason && strcmp(plan.reason, reason)))
		fail_msg("%s, wanted %s", plan.reason, reason);
	/* nothing planned, nothing left from before */
	plan.reason = NULL;
	assert_memory_equal(&plan, &empty, sizeof(plan));
}

/*
 * An unknown bit in the half of the old entry that the first write replaces is gone with
 * that write. All else is as without it, but that first to first stage this may take a
 * write that else changes nothing.
 */
static void assert_overwritten(const struct intel_replace *replace, unsigned int bit)
{
	unsigned int word = bit / 64, more;
	struct intel_replace_plan plan, without;
	struct intel_replace plain = *replace;
	u64 written;

	plain.old[word] &= ~BIT_ULL(bit % 64);
	assert_int_equal(intel_replace_plan(&plain, &without), 0);
	assert_int_equal(intel_replace_plan(replace, &plan), 0);
	assert_int_equal(plan.old[word], replace->old[word]);
	assert_int_equal(plan.writes[0].chunk, 0);
	written = word ? plan.writes[0].hi : plan.writes[0].lo;
	assert_int_equal(written >> bit % 64 & 1, replace->new[word] >> bit % 64 & 1);

	more = plan.nr_writes - without.nr_writes;
	assert_in_range(more, 0, replace->kind == INTEL_REPLACE_FS_TO_FS);
	assert_in_range(plan.nr_writes, 1, INTEL_REPLACE_MAX_WRITES);
	assert_memory_equal(&plan.writes[more], without.writes,
			    without.nr_writes * sizeof(plan.writes[0]));
	assert_memory_equal(&plan.closing, &without.closing, sizeof(plan.closing));
}

/* Whether the first write of the plan replaces the first 128 bits */
static bool first_half_goes_first(const struct scenario *s)
{
	return s->replace.kind != INTEL_REPLACE_SS_TO_FS;
}

/*
 * Each of the 512 bits that is no known field is refused, in either entry, but for
 * those of another kernel that the first write takes away. The known ones are here by
 * number, as the specification has them.
 */
static void test_unknown_bits(void **state)
{
	static const u64 known[][2][3] = {
		[INTEL_REPLACE_CONTEXT] = {
			{ 0xffffffffff00dULL, 0xffff07 },
			{ 0xffffffffff00dULL, 0xffff07 } },
		[INTEL_REPLACE_SS_TO_SS] = {
			{ 0xffffffffff3ddULL, 0x180ffff },
			{ 0xffffffffff3ddULL, 0x180ffff } },
		[INTEL_REPLACE_FS_TO_FS] = {
			{ 0x1dd, 0x180ffff, 0xffffffffff004ULL },
			{ 0x1dd, 0x180ffff, 0xffffffffff004ULL } },
		[INTEL_REPLACE_SS_TO_FS] = {
			{ 0xffffffffff3ddULL, 0x180ffff },
			{ 0x1dd, 0x180ffff, 0xffffffffff004ULL } },
		[INTEL_REPLACE_FS_TO_SS] = {
			{ 0x1dd, 0x180ffff, 0xffffffffff004ULL },
			{ 0xffffffffff3ddULL, 0x180ffff } },
	};
	static const unsigned int choices[] = { 0, 4 };
	unsigned int kind, side, bit, word, i;
	struct scenario s;
	u64 *entry;

	for (kind = 0; kind < ARRAY_SIZE(known); kind++) {
		for (i = 0; i < 2 * ARRAY_SIZE(choices); i++) {
			side = i % 2 ? NEW : OLD;
			for (bit = 0; bit < 512; bit++) {
				word = bit / 64;
				if (word < 3 && known[kind][side][word] >> bit % 64 & 1)
					continue;
				scenario_at(&s, kind, choices[i / 2]);
				entry = side == OLD ? s.replace.old : s.replace.new;
				assert_false(entry[word] >> bit % 64 & 1);
				entry[word] |= BIT_ULL(bit % 64);
				if (side == OLD && word < 2 && first_half_goes_first(&s))
					assert_overwritten(&s.replace, bit);
				else
					assert_refused(&s.replace, "unknown field is set");
			}
		}
	}
}

/* What is refused although each field is known */
static void test_refused(void **state)
{
	unsigned int kind, side, other, pgtt;
	struct scenario s, wrong;
	u64 *entry, *entry2;

	for (kind = 0; kind <= INTEL_REPLACE_FS_TO_SS; kind++) {
		for (side = OLD; side <= NEW; side++) {
			bool legacy = kind == INTEL_REPLACE_CONTEXT;
			unsigned int shift = legacy ? 8 : 0;

#define PREPARE() do {							\
	scenario_at(&s, kind, 0);					\
	entry = side == OLD ? s.replace.old : s.replace.new;		\
	entry2 = side == NEW ? s.replace.old : s.replace.new;		\
} while (0)
			PREPARE();
			entry[0] &= ~1ULL;
			assert_refused(&s.replace, "entry is not present");

			PREPARE();
			memset(entry, 0, sizeof(s.replace.old));
			assert_refused(&s.replace, "entry is not present");

			PREPARE();
			entry[1] &= ~(0xffffULL << shift);
			assert_refused(&s.replace, "domain id is shared");
			entry[1] |= 1ULL << shift;
			assert_refused(&s.replace, "domain id is shared");

			PREPARE();
			entry[1] &= ~(0xffffULL << shift);
			entry[1] |= entry2[1] & 0xffffULL << shift;
			assert_refused(&s.replace, "both entries have the same domain id");

			for (pgtt = 0; !legacy && pgtt < 8; pgtt++) {
				PREPARE();
				if ((entry[0] >> 6 & 7) == pgtt)
					continue;
				entry[0] = (entry[0] & ~(7ULL << 6)) | (u64)pgtt << 6;
				assert_refused(&s.replace,
					       "translation type is not that of the transition");
			}
		}

		/* called by another name than the entries have */
		for (other = 0; other <= INTEL_REPLACE_FS_TO_SS; other++) {
			scenario_at(&wrong, kind, 0);
			wrong.replace.kind = other;
			if (other != kind)
				assert_refused(&wrong.replace, NULL);
		}
	}
	s.replace.kind = INTEL_REPLACE_FS_TO_SS + 1;
	assert_refused(&s.replace, "unknown transition");
}

/* Device TLB on or off, pass-through, reserved widths */
static void test_refused_fields(void **state)
{
	struct intel_replace_plan plan;
	struct scenario s;
	u64 aw;

	scenario_at(&s, INTEL_REPLACE_CONTEXT, 0);
	s.replace.new[0] |= 1 << 2;
	assert_refused(&s.replace, "translation type changes");
	s.replace.old[0] |= 1 << 2;
	assert_int_equal(intel_replace_plan(&s.replace, &plan), 0);
	s.replace.old[0] ^= 3 << 2;
	assert_refused(&s.replace, "translation type is not a page table");
	s.replace.new[0] ^= 3 << 2;
	assert_refused(&s.replace, "translation type is not a page table");

	for (aw = 0; aw < 8; aw++) {
		scenario_at(&s, INTEL_REPLACE_CONTEXT, 0);
		s.replace.new[1] = (s.replace.new[1] & ~7ULL) | aw;
		if (aw >= 1 && aw <= 3)
			assert_int_equal(intel_replace_plan(&s.replace, &plan), 0);
		else
			assert_refused(&s.replace, "invalid address width");

		scenario_at(&s, INTEL_REPLACE_SS_TO_FS, 0);
		s.replace.old[0] = (s.replace.old[0] & ~(7ULL << 2)) | aw << 2;
		if (aw >= 1 && aw <= 3)
			assert_int_equal(intel_replace_plan(&s.replace, &plan), 0);
		else
			assert_refused(&s.replace, "invalid address width");

		/* not looked at by hardware */
		scenario_at(&s, INTEL_REPLACE_FS_TO_SS, 0);
		s.replace.old[0] = (s.replace.old[0] & ~(7ULL << 2)) | aw << 2;
		assert_int_equal(intel_replace_plan(&s.replace, &plan), 0);
	}
}

/* --- execution --- */

static unsigned int nr_called;

static void count_wrote(void *ctx, const struct intel_replace_write *write,
			u64 old_lo, u64 old_hi)
{
	nr_called++;
}

static void count_invalidate(void *ctx, enum intel_replace_inval inval, u16 did)
{
	nr_called++;
}

static const struct intel_replace_ops count_ops = {
	.wrote = count_wrote,
	.invalidate = count_invalidate,
};

/* Nothing is written and nothing called unless all of it can be done. */
static void test_execute_refused(void **state)
{
	u64 live[INTEL_REPLACE_WORDS] __attribute__((aligned(64)));
	u64 before[INTEL_REPLACE_WORDS];
	struct intel_replace_plan plan, none = {};
	unsigned int kind, word;
	struct scenario s;

	nr_called = 0;
	for (kind = 0; kind <= INTEL_REPLACE_FS_TO_SS; kind++) {
		scenario_at(&s, kind, 0);
		assert_int_equal(intel_replace_plan(&s.replace, &plan), 0);
		memcpy(live, s.replace.old, sizeof(live));

		shim_has_cx16 = false;
		assert_int_equal(intel_replace_execute(live, &plan, &count_ops, NULL),
				 -EOPNOTSUPP);
		shim_has_cx16 = true;
		assert_int_equal(intel_replace_execute(live, &none, &count_ops, NULL),
				 -EOPNOTSUPP);
		assert_memory_equal(live, s.replace.old, sizeof(live));

		for (word = 0; word < plan.nr_words; word++) {
			memcpy(live, s.replace.old, sizeof(live));
			live[word] ^= BIT_ULL(9);
			memcpy(before, live, sizeof(live));
			assert_int_equal(intel_replace_execute(live, &plan, &count_ops,
							       NULL), -EBUSY);
			assert_memory_equal(live, before, sizeof(live));
		}
	}
	assert_int_equal(nr_called, 0);
}

/* A legacy entry is 16 bytes of a table: its neighbours stay as they are. */
static void test_execute_neighbours(void **state)
{
	u64 table[6] __attribute__((aligned(16)));
	struct intel_replace_plan plan;
	struct scenario s;

	scenario_at(&s, INTEL_REPLACE_CONTEXT, 0);
	assert_int_equal(intel_replace_plan(&s.replace, &plan), 0);
	assert_int_equal(plan.nr_words, 2);
	memset(table, 0x5a, sizeof(table));
	memcpy(&table[2], s.replace.old, 16);
	nr_called = 0;
	assert_int_equal(intel_replace_execute(&table[2], &plan, &count_ops, NULL), 0);
	assert_int_equal(nr_called, 1 + 3);
	assert_memory_equal(&table[2], s.replace.new, 16);
	assert_true(table[1] == 0x5a5a5a5a5a5a5a5aULL && table[4] == table[1]);
}

static unsigned int race_in;

static void race(u128 *ptr)
{
	if (race_in && !--race_in)
		((u64 *)ptr)[0] ^= BIT_ULL(9);
}

/* A write of somebody else without the lock: warned of, but not half done */
static void test_execute_race(void **state)
{
	u64 live[INTEL_REPLACE_WORDS] __attribute__((aligned(64)));
	struct intel_replace_plan plan;
	unsigned int kind, n;
	struct scenario s;

	shim_before_cmpxchg = race;
	for (kind = 0; kind <= INTEL_REPLACE_FS_TO_SS; kind++) {
		scenario_at(&s, kind, 0);
		assert_int_equal(intel_replace_plan(&s.replace, &plan), 0);
		for (n = 1; n <= plan.nr_writes; n++) {
			memcpy(live, s.replace.old, sizeof(live));
			shim_warnings = 0;
			race_in = n;
			assert_int_equal(intel_replace_execute(live, &plan, &count_ops,
							       NULL), 0);
			assert_int_equal(shim_warnings, 1);
			assert_memory_equal(live, s.replace.new, sizeof(live));
		}
	}
	shim_before_cmpxchg = NULL;
	shim_warnings = 0;
}

/* --- mutations: a plan that lacks anything must be found out --- */

static unsigned int nr_mutations, nr_survivors;

static void remove_inval(struct intel_replace_invals *invals, unsigned int i)
{
	memmove(&invals->inval[i], &invals->inval[i + 1], invals->nr - i - 1);
	invals->nr--;
}

static void swap_inval(struct intel_replace_invals *invals, unsigned int i)
{
	u8 inval = invals->inval[i];

	invals->inval[i] = invals->inval[i + 1];
	invals->inval[i + 1] = inval;
}

static bool same_shape_invals(const struct intel_replace_invals *a,
			      const struct intel_replace_invals *b)
{
	return a->nr == b->nr && !memcmp(a->inval, b->inval, a->nr);
}

/* Do two plans have the same steps, whatever the values are? */
static bool same_shape(const struct intel_replace_plan *a,
		       const struct intel_replace_plan *b)
{
	unsigned int i;

	if (a->nr_writes != b->nr_writes || a->tag != b->tag ||
	    !same_shape_invals(&a->closing, &b->closing))
		return false;
	for (i = 0; i < a->nr_writes; i++)
		if (a->writes[i].chunk != b->writes[i].chunk ||
		    !same_shape_invals(&a->writes[i].sync, &b->writes[i].sync))
			return false;
	return true;
}

typedef void (*mutation_fn)(struct intel_replace_plan *plan, unsigned int write,
			    unsigned int i);

static void drop_write(struct intel_replace_plan *plan, unsigned int write,
		       unsigned int i)
{
	plan->nr_writes--;
	memmove(&plan->writes[write], &plan->writes[write + 1],
		(plan->nr_writes - write) * sizeof(plan->writes[0]));
}

static void swap_writes(struct intel_replace_plan *plan, unsigned int write,
			unsigned int i)
{
	struct intel_replace_write first = plan->writes[write];

	plan->writes[write] = plan->writes[write + 1];
	plan->writes[write + 1] = first;
}

/* The values change places, the syncs stay */
static void swap_values(struct intel_replace_plan *plan, unsigned int write,
			unsigned int i)
{
	struct intel_replace_invals sync = plan->writes[write].sync;

	swap_writes(plan, write, i);
	plan->writes[write + 1].sync = plan->writes[write].sync;
	plan->writes[write].sync = sync;
}

static void drop_sync(struct intel_replace_plan *plan, unsigned int write,
		      unsigned int i)
{
	remove_inval(&plan->writes[write].sync, i);
}

static void swap_sync(struct intel_replace_plan *plan, unsigned int write,
		      unsigned int i)
{
	swap_inval(&plan->writes[write].sync, i);
}

/* The wait of a sync only after the next write */
static void late_wait(struct intel_replace_plan *plan, unsigned int write,
		      unsigned int i)
{
	struct intel_replace_invals *from = &plan->writes[write].sync;
	struct intel_replace_invals *to = &plan->writes[write + 1].sync;

	memmove(&to->inval[1], &to->inval[0], to->nr++);
	to->inval[0] = from->inval[--from->nr];
}

static void drop_closing(struct intel_replace_plan *plan, unsigned int write,
			 unsigned int i)
{
	remove_inval(&plan->closing, i);
}

static void swap_closing(struct intel_replace_plan *plan, unsigned int write,
			 unsigned int i)
{
	swap_inval(&plan->closing, i);
}

static void drop_tag(struct intel_replace_plan *plan, unsigned int write,
		     unsigned int i)
{
	plan->tag = INTEL_REPLACE_TAG_NONE;
}

static void other_tag(struct intel_replace_plan *plan, unsigned int write,
		      unsigned int i)
{
	plan->tag = plan->tag == INTEL_REPLACE_TAG_OLD_ID ? INTEL_REPLACE_TAG_NEW_ID :
							    INTEL_REPLACE_TAG_OLD_ID;
}

/* The closing before the last write is done */
static void early_closing(struct intel_replace_plan *plan, unsigned int write,
			  unsigned int i)
{
	struct intel_replace_invals *sync = &plan->writes[plan->nr_writes - 1].sync;
	struct intel_replace_invals closing = plan->closing;

	plan->closing = *sync;
	*sync = closing;
}

/*
 * Among all choices whose plan has the same steps, one must show the fault. The
 * first is the one that is named.
 */
static void mutate(const struct scenario *like, const struct intel_replace_plan *shape,
		   mutation_fn fn, const char *what, unsigned int write, unsigned int i)
{
	struct intel_replace_plan plan;
	const char *failed;
	unsigned int choice;
	struct scenario s;

	nr_mutations++;
	for (choice = 0; choice < CHOICES; choice++) {
		/* ids swapped and other widths show nothing that is not seen without */
		if (choice & (1 << 14 | 3 << 3) ||
		    !scenario_at(&s, like->replace.kind, choice))
			continue;
		intel_replace_plan(&s.replace, &plan);
		if (!same_shape(&plan, shape))
			continue;
		fn(&plan, write, i);
		failed = judge(&s, &plan);
		if (!failed)
			continue;
		if (verbose)
			printf("#   %s %u.%u: %s\n", what, write, i, failed);
		return;
	}
	printf("# %s: %s %u.%u survives\n", kind_names[like->replace.kind], what, write, i);
	nr_survivors++;
}

/* Two invalidations that are waited for together have no order. */
static bool unordered(const struct intel_replace_invals *invals, unsigned int i)
{
	u8 a = invals->inval[i], b = invals->inval[i + 1];

	return a != INTEL_REPLACE_LINE && a != INTEL_REPLACE_WAIT &&
	       b != INTEL_REPLACE_WAIT;
}

static void mutate_shape(const struct scenario *s, const struct intel_replace_plan *plan)
{
	unsigned int w, i;

	if (verbose)
		print_plan(s, plan);
	for (w = 0; w < plan->nr_writes; w++) {
		mutate(s, plan, drop_write, "drop write", w, 0);
		if (w + 1 < plan->nr_writes) {
			mutate(s, plan, late_wait, "late wait", w, 0);
			mutate(s, plan, swap_writes, "swap writes", w, 0);
			mutate(s, plan, swap_values, "swap values", w, 0);
		}
		for (i = 0; i < plan->writes[w].sync.nr; i++) {
			mutate(s, plan, drop_sync, "drop from sync", w, i);
			if (i + 1 < plan->writes[w].sync.nr &&
			    !unordered(&plan->writes[w].sync, i))
				mutate(s, plan, swap_sync, "swap in sync", w, i);
		}
	}
	for (i = 0; i < plan->closing.nr; i++) {
		mutate(s, plan, drop_closing, "drop from closing", 0, i);
		if (i + 1 < plan->closing.nr && !unordered(&plan->closing, i))
			mutate(s, plan, swap_closing, "swap in closing", 0, i);
	}
	mutate(s, plan, early_closing, "early closing", 0, 0);
	if (plan->tag) {
		mutate(s, plan, drop_tag, "drop tag", 0, 0);
		mutate(s, plan, other_tag, "other tag", 0, 0);
	}
}

/* Every step of every shape of plan, removed or exchanged, is found out. */
static void test_mutations(void **state)
{
	struct intel_replace_plan plan, seen[16];
	unsigned int kind, choice, i, nr;
	struct scenario s;

	nr_mutations = 0;
	nr_survivors = 0;
	for (kind = 0; kind <= INTEL_REPLACE_FS_TO_SS; kind++) {
		for (nr = 0, choice = 0; choice < CHOICES; choice++) {
			if (!scenario_at(&s, kind, choice))
				continue;
			intel_replace_plan(&s.replace, &plan);
			for (i = 0; i < nr; i++)
				if (same_shape(&plan, &seen[i]))
					break;
			if (i < nr)
				continue;
			assert_true(nr < ARRAY_SIZE(seen));
			seen[nr++] = plan;
			mutate_shape(&s, &plan);
		}
		assert_int_equal(nr, kind == INTEL_REPLACE_FS_TO_FS ? 4 : 1);
	}
	printf("# %u mutations, %u survive\n", nr_mutations, nr_survivors);
	assert_int_equal(nr_survivors, 0);
}

/*
 * REQ-214: the wrong order for the facts is found out, also when its own tag and
 * closing come with it.
 */
static void test_wrong_order(void **state)
{
	struct intel_replace_plan plan;
	const char *failed;
	struct scenario s;

	/* id first, although the new id is in use */
	assert_true(scenario_at(&s, INTEL_REPLACE_FS_TO_FS, 1 << 2));
	s.replace.new_id_unused = true;
	assert_int_equal(intel_replace_plan(&s.replace, &plan), 0);
	failed = judge(&s, &plan);
	assert_non_null(failed);
	assert_string_equal(failed, "devices of the new domain hit translations of the old one");

	/* root first for the last device of the old domain needs the tag as well */
	assert_true(scenario_at(&s, INTEL_REPLACE_FS_TO_FS, 1 << 2));
	assert_false(s.old_id_shared);
	assert_int_equal(intel_replace_plan(&s.replace, &plan), 0);
	assert_null(judge(&s, &plan));
	plan.tag = INTEL_REPLACE_TAG_NONE;
	failed = judge(&s, &plan);
	assert_non_null(failed);
	assert_string_equal(failed, "translation survives an unmap in the IOTLB");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shape),
		cmocka_unit_test(test_third_write),
		cmocka_unit_test(test_all_legacy),
		cmocka_unit_test(test_all_ss_to_ss),
		cmocka_unit_test(test_all_fs_to_fs),
		cmocka_unit_test(test_all_ss_to_fs),
		cmocka_unit_test(test_all_fs_to_ss),
		cmocka_unit_test(test_wrong_order),
		cmocka_unit_test(test_unknown_bits),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_refused_fields),
		cmocka_unit_test(test_execute_refused),
		cmocka_unit_test(test_execute_neighbours),
		cmocka_unit_test(test_execute_race),
		cmocka_unit_test(test_mutations),
	};

	verbose = argc > 1 && !strcmp(argv[1], "-v");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
