// SPDX-License-Identifier: GPL-2.0
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */

/**
 * DOC: KUnit tests of the replacement of live VT-d entries
 *
 * A plan is judged by what hardware may find at any time: it reads each 128 bits
 * of an entry as they are before or after a write that no sync has followed yet.
 * Whatever it puts together has to translate like the old entry or like the new
 * one. Entries are built here as the specification has them, and not by the
 * driver's helpers.
 */

#include <kunit/test.h>
#include <linux/array_size.h>
#include <linux/bitfield.h>
#include <linux/bits.h>
#include <linux/cpufeature.h>
#include <linux/string.h>

#include "replace.h"

#define OLD_ROOT	0x123456000ULL
#define NEW_ROOT	0x7fedcba000ULL
#define OLD_DID		0x1234
#define NEW_DID		0xfffe

/* Of the first two words, and of the third */
#define ENTRY_P		BIT_ULL(0)
#define ENTRY_PGTT	GENMASK_ULL(8, 6)
#define ENTRY_SSADE	BIT_ULL(9)
#define ENTRY_ROOT	GENMASK_ULL(63, 12)
#define ENTRY_PWSNP	BIT_ULL(23)
#define ENTRY_PGSNP	BIT_ULL(24)
#define ENTRY_FSPM	GENMASK_ULL(3, 2)

/* Fields that are chosen at will, a bit each of the old and of the new entry */
enum {
	CHOICE_AW,
	CHOICE_PWSNP,
	CHOICE_PGSNP,
	CHOICE_SSADE,
	CHOICE_FIVE_LEVELS,
	NR_CHOICES,
};

static bool is_first(enum intel_replace_kind kind, bool new)
{
	return kind == INTEL_REPLACE_FS_TO_FS ||
	       kind == (new ? INTEL_REPLACE_SS_TO_FS : INTEL_REPLACE_FS_TO_SS);
}

static void make_entry(u64 *entry, enum intel_replace_kind kind, bool new,
		       unsigned int choice)
{
	u64 root = new ? NEW_ROOT : OLD_ROOT;
	u16 did = new ? NEW_DID : OLD_DID;
	u64 aw = choice & BIT(CHOICE_AW) ? 3 : 2;

	memset(entry, 0, INTEL_REPLACE_WORDS * sizeof(*entry));
	if (kind == INTEL_REPLACE_CONTEXT) {
		entry[0] = root | ENTRY_P;
		entry[1] = (u64)did << 8 | aw;
		return;
	}

	entry[0] = aw << 2 | ENTRY_P;
	entry[1] = did | (choice & BIT(CHOICE_PWSNP) ? ENTRY_PWSNP : 0) |
		   (choice & BIT(CHOICE_PGSNP) ? ENTRY_PGSNP : 0);
	if (is_first(kind, new)) {
		entry[0] |= FIELD_PREP(ENTRY_PGTT, 1);
		entry[2] = root | (choice & BIT(CHOICE_FIVE_LEVELS) ? BIT_ULL(2) : 0);
	} else {
		entry[0] |= FIELD_PREP(ENTRY_PGTT, 2) | root |
			    (choice & BIT(CHOICE_SSADE) ? ENTRY_SSADE : 0);
	}
}

static void make(struct intel_replace *replace, enum intel_replace_kind kind,
		 unsigned int choices, bool new_id_unused)
{
	replace->kind = kind;
	replace->new_id_unused = new_id_unused;
	make_entry(replace->old, kind, false, choices & GENMASK(NR_CHOICES - 1, 0));
	make_entry(replace->new, kind, true, choices >> NR_CHOICES);
}

/* Does @entry lead where @like does? Snooping and the id may be the other one's */
static bool translates_like(enum intel_replace_kind kind, const u64 *entry,
			    const u64 *like, bool first)
{
	if (!(entry[0] & ENTRY_P))
		return false;
	if (kind == INTEL_REPLACE_CONTEXT)
		return entry[0] == like[0] && entry[1] == like[1];
	if ((entry[0] ^ like[0]) & ENTRY_PGTT)
		return false;
	if (first)
		return !((entry[2] ^ like[2]) & (ENTRY_ROOT | ENTRY_FSPM));
	return entry[0] == like[0];
}

static void expect_translates(struct kunit *test, const struct intel_replace *replace,
			      const u64 *entry, unsigned int choices)
{
	if (translates_like(replace->kind, entry, replace->old,
			    is_first(replace->kind, false)) ||
	    translates_like(replace->kind, entry, replace->new,
			    is_first(replace->kind, true)))
		return;
	KUNIT_FAIL(test, "kind %u, choice %#x: hardware may find %#llx %#llx %#llx",
		   replace->kind, choices, entry[0], entry[1], entry[2]);
}

/* Each write is complete for hardware when its sync is, which ends by a wait */
static void expect_whole(struct kunit *test, const struct intel_replace *replace,
			 const struct intel_replace_plan *plan, unsigned int choices)
{
	u64 entry[INTEL_REPLACE_WORDS];

	memcpy(entry, replace->old, sizeof(entry));
	for (unsigned int i = 0; i < plan->nr_writes; i++) {
		const struct intel_replace_write *write = &plan->writes[i];

		expect_translates(test, replace, entry, choices);
		entry[2 * write->chunk] = write->lo;
		entry[2 * write->chunk + 1] = write->hi;
		KUNIT_ASSERT_GT(test, write->sync.nr, 0);
		KUNIT_EXPECT_EQ(test, write->sync.inval[write->sync.nr - 1],
				INTEL_REPLACE_WAIT);
	}
	KUNIT_EXPECT_MEMEQ(test, entry, replace->new, sizeof(entry));
}

static void hardware_finds_old_or_new(struct kunit *test)
{
	struct intel_replace replace;
	struct intel_replace_plan plan;

	for (int kind = 0; kind <= INTEL_REPLACE_FS_TO_SS; kind++)
		for (unsigned int choices = 0; choices < BIT(2 * NR_CHOICES); choices++)
			for (int unused = 0; unused < 2; unused++) {
				make(&replace, kind, choices, unused);
				KUNIT_ASSERT_EQ(test, intel_replace_plan(&replace, &plan), 0);
				expect_whole(test, &replace, &plan, choices);
			}
}

static const char * const inval_names[] = {
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

static void print_invals(char *text, size_t size,
			 const struct intel_replace_invals *invals)
{
	for (unsigned int i = 0; i < invals->nr; i++)
		snprintf(text + strlen(text), size - strlen(text), "%s ",
			 inval_names[invals->inval[i]]);
}

/* How a plan with two writes begins when chunk 0 goes first */
#define CHUNK_0_FIRST "0 line pasid(old) wait 1 line pasid(old) pasid(new) wait "

/* The plain plans, word for word: the chunk of each write, its sync, the end */
static void plans_are_these(struct kunit *test)
{
	static const struct {
		enum intel_replace_kind kind;
		bool new_id_unused;
		const char *plan;
	} wanted[] = {
		{ INTEL_REPLACE_CONTEXT, true,
		  "0 line context(old) wait - iotlb(old) wait devtlb wait " },
		{ INTEL_REPLACE_SS_TO_SS, false,
		  "0 line pasid(old) wait - iotlb(old) wait devtlb wait " },
		{ INTEL_REPLACE_SS_TO_FS, false,
		  "1 line pasid(old) wait 0 line pasid(old) wait - iotlb(old) wait devtlb wait " },
		{ INTEL_REPLACE_FS_TO_SS, false,
		  CHUNK_0_FIRST
		  "- piotlb(old) wait devtlb wait " },
		{ INTEL_REPLACE_FS_TO_FS, true,
		  CHUNK_0_FIRST
		  "- piotlb(old) piotlb(new) wait devtlb wait " },
		{ INTEL_REPLACE_FS_TO_FS, false,
		  "1 line pasid(old) wait 0 line pasid(old) wait - piotlb(old) wait devtlb wait " },
	};
	struct intel_replace replace;
	struct intel_replace_plan plan;
	char text[160];

	for (unsigned int i = 0; i < ARRAY_SIZE(wanted); i++) {
		make(&replace, wanted[i].kind, 0, wanted[i].new_id_unused);
		KUNIT_ASSERT_EQ(test, intel_replace_plan(&replace, &plan), 0);
		text[0] = '\0';
		for (unsigned int j = 0; j < plan.nr_writes; j++) {
			snprintf(text + strlen(text), sizeof(text) - strlen(text),
				 "%u ", plan.writes[j].chunk);
			print_invals(text, sizeof(text), &plan.writes[j].sync);
		}
		strlcat(text, "- ", sizeof(text));
		print_invals(text, sizeof(text), &plan.closing);
		KUNIT_EXPECT_STREQ(test, text, wanted[i].plan);
		KUNIT_EXPECT_EQ(test, plan.tag,
				intel_replace_tag(wanted[i].kind,
						  wanted[i].new_id_unused));
	}
}

static void expect_refused(struct kunit *test, const struct intel_replace *replace,
			   const char *reason)
{
	struct intel_replace_plan plan;

	KUNIT_EXPECT_EQ(test, intel_replace_plan(replace, &plan), -EOPNOTSUPP);
	KUNIT_EXPECT_STREQ(test, plan.reason, reason);
	KUNIT_EXPECT_EQ(test, plan.nr_writes, 0);
}

static void others_are_refused(struct kunit *test)
{
	struct intel_replace replace;

	for (int kind = 0; kind <= INTEL_REPLACE_FS_TO_SS; kind++) {
		unsigned int shift = kind == INTEL_REPLACE_CONTEXT ? 8 : 0;

		make(&replace, kind, 0, true);
		replace.old[0] &= ~ENTRY_P;
		expect_refused(test, &replace, "entry is not present");
		make(&replace, kind, 0, true);
		replace.new[0] = 0;
		expect_refused(test, &replace, "entry is not present");

		make(&replace, kind, 0, true);
		replace.new[1] &= ~(0xffffULL << shift);
		expect_refused(test, &replace, "domain id is shared");
		replace.new[1] |= (u64)OLD_DID << shift;
		expect_refused(test, &replace, "both entries have the same domain id");

		/* No kernel of ours sets it, and what it means is not known */
		make(&replace, kind, 0, true);
		replace.new[7] = 1;
		expect_refused(test, &replace, "unknown field is set");

		make(&replace, kind, 0, true);
		if (kind == INTEL_REPLACE_CONTEXT)
			continue;
		replace.old[0] ^= FIELD_PREP(ENTRY_PGTT, 3);
		expect_refused(test, &replace,
			       "translation type is not that of the transition");
	}

	make(&replace, INTEL_REPLACE_CONTEXT, 0, true);
	replace.new[0] |= BIT(2);
	expect_refused(test, &replace, "translation type changes");
}

struct executed {
	unsigned int writes;
	unsigned int invals;
};

static void count_write(void *ctx, const struct intel_replace_write *write,
			u64 old_lo, u64 old_hi)
{
	struct executed *executed = ctx;

	executed->writes++;
}

static void count_inval(void *ctx, enum intel_replace_inval inval, u16 did)
{
	struct executed *executed = ctx;

	executed->invals++;
}

static const struct intel_replace_ops count_ops = {
	.wrote = count_write,
	.invalidate = count_inval,
};

/* All of it is done, or nothing; a legacy entry has neighbours that stay */
static void executed_whole(struct kunit *test)
{
	u64 table[4 + INTEL_REPLACE_WORDS] __aligned(64);
	u64 *live = &table[2];
	struct intel_replace replace;
	struct intel_replace_plan plan;

	if (!system_has_cmpxchg128())
		kunit_skip(test, "needs a processor that writes 128 bits at once");

	for (int kind = 0; kind <= INTEL_REPLACE_FS_TO_SS; kind++) {
		struct executed executed = {};

		make(&replace, kind, 0, true);
		KUNIT_ASSERT_EQ(test, intel_replace_plan(&replace, &plan), 0);
		memset(table, 0x5a, sizeof(table));
		memcpy(live, replace.old, plan.nr_words * sizeof(u64));

		live[1] ^= BIT_ULL(9);
		KUNIT_EXPECT_EQ(test, intel_replace_execute(live, &plan, &count_ops,
							    &executed), -EBUSY);
		KUNIT_EXPECT_EQ(test, executed.writes + executed.invals, 0);
		live[1] ^= BIT_ULL(9);
		KUNIT_EXPECT_MEMEQ(test, live, replace.old,
				   plan.nr_words * sizeof(u64));

		KUNIT_EXPECT_EQ(test, intel_replace_execute(live, &plan, &count_ops,
							    &executed), 0);
		KUNIT_EXPECT_EQ(test, executed.writes, plan.nr_writes);
		KUNIT_EXPECT_MEMEQ(test, live, replace.new,
				   plan.nr_words * sizeof(u64));
		KUNIT_EXPECT_EQ(test, live[-1], 0x5a5a5a5a5a5a5a5aULL);
		KUNIT_EXPECT_EQ(test, live[plan.nr_words], 0x5a5a5a5a5a5a5a5aULL);
	}
}

static struct kunit_case intel_replace_cases[] = {
	KUNIT_CASE(hardware_finds_old_or_new),
	KUNIT_CASE(plans_are_these),
	KUNIT_CASE(others_are_refused),
	KUNIT_CASE(executed_whole),
	{}
};

static struct kunit_suite intel_replace_suite = {
	.name = "intel-iommu-replace",
	.test_cases = intel_replace_cases,
};

kunit_test_suite(intel_replace_suite);
