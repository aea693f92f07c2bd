// SPDX-License-Identifier: GPL-2.0
/*
 * What the kernel logs while a device changes over.  Each state that its table
 * entry goes through must be present and one that translates by the old or by
 * the new table, and what the IOMMU may have cached of a state must be
 * invalidated before the next step.
 *
 * Nothing here follows the kernel's plan: the entry is read before and after, the
 * logged writes must lead from the one to the other, and what may be cached under
 * which id follows from the states.  Each submission waits for its invalidations.
 */
#include <stdio.h>
#include <string.h>

#include "entry_trace.h"
#include "events.h"
#include "machine.h"
#include "preserve.h"
#include "scenarios.h"
#include "wayback.h"

#define MASK(high, low)		((~0ull >> (63 - (high))) & (~0ull << (low)))

#define PRESENT			1ull
#define ROOT			MASK(51, 12)
/* Context entry: word 0, word 1 */
#define CONTEXT_TYPE		MASK(3, 2)
#define CONTEXT_WIDTH		MASK(2, 0)
#define CONTEXT_ID		MASK(23, 8)
/* PASID entry: word 0, word 1 */
#define PASID_WIDTH		MASK(4, 2)
#define PASID_TYPE		MASK(8, 6)
#define PASID_TYPE_FIRST	(1ull << 6)
#define PASID_TYPE_SECOND	(2ull << 6)
#define PASID_ID		MASK(15, 0)
#define PASID_SNOOP		MASK(24, 23)

/* Invalidation descriptors */
#define INVALIDATE_CONTEXT	1
#define INVALIDATE_IOTLB	2
#define INVALIDATE_PASID_IOTLB	6
#define INVALIDATE_PASID	7
#define BY_DEVICE		3	/* of a context */
#define BY_DOMAIN		2	/* of the IOTLB */
#define BY_PASID		1	/* of a PASID entry */
#define ALL_OF_PASID		2	/* of the IOTLB by PASID */

/* How one device changed over. */
struct change {
	const char *name;
	struct table_entry from, to, now;
	unsigned int rid, ids[2];
	int writes;
	/* Per id of @ids: whether the IOMMU may remember an entry with it, or ... */
	bool entry_cached[2];
	/* ... what the old table says, under it. */
	bool old_cached[2];
};

static bool first_stage(const struct table_entry *entry)
{
	return entry->scalable && (entry->word[0] & PASID_TYPE) == PASID_TYPE_FIRST;
}

static unsigned int id_of(const struct table_entry *entry)
{
	return entry->scalable ? entry->word[1] & PASID_ID : (entry->word[1] & CONTEXT_ID) >> 8;
}

static __u64 root_of(const struct table_entry *entry)
{
	return entry->word[first_stage(entry) ? 2 : 0] & ROOT;
}

/* All that is neither the id nor the root; snooping may be on in between. */
static bool same_kind(const struct table_entry *a, const struct table_entry *b)
{
	__u64 id = a->scalable ? PASID_ID | PASID_SNOOP : CONTEXT_ID;

	return !((a->word[0] ^ b->word[0]) & ~ROOT) && !((a->word[1] ^ b->word[1]) & ~id) &&
	       !((a->word[2] ^ b->word[2]) & ~ROOT) && !((a->word[3] ^ b->word[3]));
}

static bool width_valid(__u64 width)
{
	return width >= 1 && width <= 3;
}

static bool well_formed(const struct table_entry *entry)
{
	const __u64 *word = entry->word;

	if (!(word[0] & PRESENT) || !root_of(entry) || id_of(entry) < 2)
		return false;
	if (!entry->scalable)
		return !(word[0] & CONTEXT_TYPE) && width_valid(word[1] & CONTEXT_WIDTH);
	return first_stage(entry) || ((word[0] & PASID_TYPE) == PASID_TYPE_SECOND &&
				      width_valid((word[0] & PASID_WIDTH) >> 2));
}

/*
 * Two chunks of a first stage entry hold the id and the root, so that they
 * cannot change at once.  Everywhere else a mixture is wrong.
 */
static bool belongs(const struct change *change, const struct table_entry *entry)
{
	const struct table_entry *from = &change->from, *to = &change->to;
	bool old_id = id_of(entry) == id_of(from), new_id = id_of(entry) == id_of(to);
	bool old_root = root_of(entry) == root_of(from), new_root = root_of(entry) == root_of(to);

	if (!same_kind(entry, from) && !same_kind(entry, to))
		return false;
	if (!(old_id || new_id) || !(old_root || new_root))
		return false;
	return first_stage(entry) || old_id == old_root;
}

static void check_state(const struct change *change, const char *when)
{
	const struct table_entry *now = &change->now;

	check(now->word[0] & PRESENT, "%s: %s write %d the entry is present", change->name, when,
	      change->writes);
	check(well_formed(now) && belongs(change, now),
	      "%s: %s write %d the entry is valid: %llx %llx %llx %llx", change->name, when,
	      change->writes, now->word[0], now->word[1], now->word[2], now->word[3]);
}

/* From now on what is in the entry can be in the caches. */
static void note_cached(struct change *change)
{
	for (int i = 0; i < 2; i++) {
		if (id_of(&change->now) != change->ids[i])
			continue;
		change->entry_cached[i] = true;
		if (root_of(&change->now) == root_of(&change->from))
			change->old_cached[i] = true;
	}
}

/* What is cached of the state before a write must be gone before the next. */
static void check_entry_gone(struct change *change)
{
	for (int i = 0; i < 2; i++)
		check(!change->entry_cached[i],
		      "%s: after write %d the cached entry with id %u is invalidated",
		      change->name, change->writes, change->ids[i]);
}

static void take_write(struct change *change, const struct trace_event *event)
{
	__u64 *chunk = change->now.word + 2 * event->write.chunk;

	if (change->writes)
		check_entry_gone(change);
	memset(change->entry_cached, 0, sizeof(change->entry_cached));
	note_cached(change);
	change->writes++;
	check(event->write.rid == change->rid && !event->write.pasid && event->write.chunk < 2,
	      "%s: write %d is to the device's entry", change->name, change->writes);
	if (event->write.chunk >= 2)
		return;
	check(!memcmp(chunk, event->write.before, sizeof(event->write.before)),
	      "%s: write %d finds what was there", change->name, change->writes);
	memcpy(chunk, event->write.after, sizeof(event->write.after));
	check_state(change, "after");
}

static bool removes_entry(const struct change *change, __u64 descriptor)
{
	unsigned int type = descriptor & 0xf, reach = descriptor >> 4 & 3;

	if (change->from.scalable)
		return type == INVALIDATE_PASID && reach == BY_PASID &&
		       !(descriptor >> 32 & 0xfffff);
	return type == INVALIDATE_CONTEXT && reach == BY_DEVICE &&
	       (descriptor >> 32 & 0xffff) == change->rid;
}

static bool removes_translations(const struct change *change, __u64 descriptor)
{
	unsigned int type = descriptor & 0xf, reach = descriptor >> 4 & 3;

	if (first_stage(&change->from))
		return type == INVALIDATE_PASID_IOTLB && reach == ALL_OF_PASID &&
		       !(descriptor >> 32 & 0xfffff);
	return type == INVALIDATE_IOTLB && reach == BY_DOMAIN;
}

static bool entry_may_be_cached(const struct change *change)
{
	return change->entry_cached[0] || change->entry_cached[1];
}

/*
 * Translations are filled from a cached entry: they are gone for good only when
 * no entry with the old table is left, neither in memory nor cached.
 */
static void take_invalidation(struct change *change, __u64 descriptor)
{
	unsigned int id = descriptor >> 16 & 0xffff;
	bool for_good = root_of(&change->now) != root_of(&change->from) &&
			!entry_may_be_cached(change);

	for (int i = 0; i < 2; i++) {
		if (id != change->ids[i])
			continue;
		if (removes_entry(change, descriptor))
			change->entry_cached[i] = false;
		if (removes_translations(change, descriptor) && for_good)
			change->old_cached[i] = false;
	}
}

static void check_end(struct change *change)
{
	check(change->writes, "%s: writes were logged", change->name);
	check_entry_gone(change);
	for (int i = 0; i < 2; i++)
		check(!change->old_cached[i],
		      "%s: in the end translations of the old table under id %u are invalidated",
		      change->name, change->ids[i]);
	check(!memcmp(change->now.word, change->to.word, sizeof(change->to.word)),
	      "%s: the logged writes lead to the entry that is there", change->name);
}

static void judge_change(struct change *change, const struct entry_trace *trace)
{
	change->now = change->from;
	change->ids[0] = id_of(&change->from);
	change->ids[1] = id_of(&change->to);
	check(change->ids[0] != change->ids[1] && root_of(&change->from) != root_of(&change->to),
	      "%s: another table, and another id: %u, %u", change->name, change->ids[0],
	      change->ids[1]);
	check_state(change, "before");
	note_cached(change);
	for (int i = 0; i < trace->count; i++) {
		if (trace->events[i].is_write)
			take_write(change, &trace->events[i]);
		else
			take_invalidation(change, trace->events[i].descriptor);
	}
	check_end(change);
}

static unsigned int requester_id(const char *bdf)
{
	unsigned int bus, slot, function;

	if (sscanf(bdf + 5, "%x:%x.%x", &bus, &slot, &function) != 3)
		give_up("what device is %s", bdf);
	return bus << 8 | slot << 3 | function;
}

static void change_over(struct way_back *back, const char *name, __u32 table)
{
	struct change change = { .name = name, .rid = requester_id(back->bdf) };
	static struct entry_trace trace;

	change.from = entry_read(back->bdf);
	entry_trace_start();
	if (table)
		must(device_attach(&back->receiver->device, table), name);
	else
		back_take(back, BACK_SWITCH);
	entry_trace_stop(&trace);
	change.to = entry_read(back->bdf);
	judge_change(&change, &trace);
}

/* Another card on the new table, so that its id is in use already. */
static void bring_company(struct way_back *back, struct device *company)
{
	struct receiver spare;
	char bdf[BDF_LENGTH];

	receiver_choose(&spare);
	receiver_find_device(&spare, 1, bdf);
	must(device_open(company, bdf, back->iommufd), "open the spare card");
	must(device_attach(company, back->receiver->hwpt_id), "attach the spare card");
}

void switch_trace_new_kernel(void)
{
	struct device company = { .fd = -1 };
	struct receiver receiver;
	struct way_back back;
	__u32 another;

	back_begin(&back, &receiver);
	back_go_to(&back, BACK_SWITCH);
	must(hwpt_create(&receiver.device, receiver.ioas_id, &another), "create another HWPT");
	if (option_number("company", 0))
		bring_company(&back, &company);

	change_over(&back, "to the new table", 0);
	change_over(&back, "to another", another);
	change_over(&back, "and back", receiver.hwpt_id);
	back_take(&back, BACK_FINISH);
	if (company.fd >= 0)
		device_close(&company);
	back_end(&back);
}
