// SPDX-License-Identifier: GPL-2.0
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */

/**
 * DOC: KUnit tests of VT-d live update
 *
 * Units, tables and attachments are made up here, no hardware is touched. What
 * is done to them is written down as one letter a step, and compared as a
 * whole; the addresses and values are looked at where they matter.
 *
 *   w   a word of a table is written
 *   f   its cache line is flushed
 *   i   all caches of the unit are invalidated
 *   e   what is cached of one context entry is invalidated
 *   x   all cached interrupt entries are invalidated
 *   p u a page is preserved, unpreserved
 *   r   a page is claimed from KHO
 */

#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <linux/idr.h>
#include <linux/io.h>
#include <linux/pci.h>
#include <linux/sizes.h>

#include "iommu.h"
#include "liveupdate.h"
#include "pasid.h"
#include "../iommu-pages.h"
#include "../liveupdate.h"

#define FAKE_STEPS	32
#define FAKE_DIDS	64
#define FAKE_SEQ_ID	3
#define FAKE_ECAP_SMTS	BIT_ULL(43)

struct fake_step {
	void *addr;
	u64 val;
};

/* What happens in the current test */
static char fake_log[FAKE_STEPS + 1];
static struct fake_step fake_steps[FAKE_STEPS];
static unsigned int fake_nr_steps;
static unsigned int fake_failing;

static void fake_step(char name, void *addr, u64 val)
{
	unsigned int nr = fake_nr_steps++;

	if (nr >= FAKE_STEPS)
		return;
	fake_log[nr] = name;
	fake_steps[nr].addr = addr;
	fake_steps[nr].val = val;
}

static void fake_forget(void)
{
	memset(fake_log, 0, sizeof(fake_log));
	fake_nr_steps = 0;
}

static void fake_write(u64 *slot, u64 val)
{
	fake_step('w', slot, val);
	*slot = val;
}

static void fake_flush_cache(struct intel_iommu *iommu, void *addr, int size)
{
	fake_step('f', addr, size);
}

static void fake_flush_all(struct intel_iommu *iommu)
{
	fake_step('i', NULL, 0);
}

static void fake_flush_entry(struct intel_iommu *iommu, u16 rid,
			     struct context_entry *context)
{
	fake_step('e', context, rid);
}

static void fake_flush_iec(struct intel_iommu *iommu)
{
	fake_step('x', NULL, 0);
}

/* Fails at the step whose number is in fake_failing, counted from 1 */
static int fake_preserve_page(void *virt)
{
	fake_step('p', virt, 0);
	return fake_nr_steps == fake_failing ? -ENOMEM : 0;
}

static void fake_unpreserve_page(void *virt)
{
	fake_step('u', virt, 0);
}

static void *fake_restore_page(phys_addr_t phys, unsigned int order)
{
	fake_step('r', phys_to_virt(phys), order);
	return phys_to_virt(phys);
}

static struct intel_iommu *fake_iommu(struct kunit *test, bool scalable)
{
	struct intel_iommu *iommu = kunit_kzalloc(test, sizeof(*iommu), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, iommu);
	spin_lock_init(&iommu->lock);
	mutex_init(&iommu->did_lock);
	ida_init(&iommu->domain_ida);
	iommu->max_domain_id = FAKE_DIDS;
	iommu->seq_id = FAKE_SEQ_ID;
	iommu->iommu.kept.found = true;
	iommu->flags = VTD_FLAG_FOUND_MODE;
	if (scalable) {
		iommu->flags |= VTD_FLAG_FOUND_SCALABLE;
		iommu->ecap = FAKE_ECAP_SMTS;
	}
	return iommu;
}

/* A page of registers that keep what is written to them, and do nothing */
static void fake_registers(struct kunit *test, struct intel_iommu *iommu)
{
	void *page = kunit_kzalloc(test, SZ_4K, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, page);
	iommu->reg = (void __iomem *)page;
	raw_spin_lock_init(&iommu->register_lock);
}

KUNIT_DEFINE_ACTION_WRAPPER(fake_free_pages, iommu_free_pages, void *);

static void *fake_pages(struct kunit *test, size_t size)
{
	void *virt = iommu_alloc_pages_sz(GFP_KERNEL, size);

	KUNIT_ASSERT_NOT_NULL(test, virt);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, fake_free_pages, virt));
	return virt;
}

/* Domain ids */

#define FAKE_RECORDS	3

struct fake_record {
	struct iommu_liveupdate_in_device dev;
	struct iommu_liveupdate_in_attachment att;
};

struct fake_records {
	struct iommu_liveupdate_in_unit unit;
	struct fake_record record[FAKE_RECORDS];
};

/* As the core has read them, a device for each attachment */
static const struct iommu_unit_ser *
fake_records(struct kunit *test, const struct iommu_attachment_ser *atts,
	     unsigned int nr)
{
	struct fake_records *records = kunit_kzalloc(test, sizeof(*records),
						     GFP_KERNEL);
	struct fake_record *record;
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, records);
	INIT_LIST_HEAD(&records->unit.devices);
	for (i = 0; i < nr; i++) {
		record = &records->record[i];
		INIT_LIST_HEAD(&record->dev.attachments);
		list_add_tail(&record->dev.unit_entry, &records->unit.devices);
		record->att.ser = atts[i];
		list_add_tail(&record->att.device_entry,
			      &record->dev.attachments);
	}
	return &records->unit.ser;
}

/* Two devices on one domain, and another domain */
static const struct iommu_attachment_ser three_atts[FAKE_RECORDS] = {
	{ .hw_id = 5, .domain_pa = 0x1000 },
	{ .hw_id = 9, .domain_pa = 0x2000 },
	{ .hw_id = 5, .domain_pa = 0x1000 },
};

static const struct iommu_attachment_ser stolen_att[] = {
	{ .hw_id = 5, .domain_pa = 0x1000 },
	{ .hw_id = 5, .domain_pa = 0x2000 },
};

static void reserved_dids_are_not_given_out(struct kunit *test)
{
	struct intel_iommu *iommu = fake_iommu(test, false);
	const struct iommu_unit_ser *unit;
	unsigned int nr = 0;
	int did;

	unit = fake_records(test, three_atts, ARRAY_SIZE(three_atts));
	KUNIT_ASSERT_EQ(test, 0, intel_liveupdate_reserve_dids(iommu, unit));

	/* As domain_attach_iommu() does, up to the limit of the unit */
	for (;;) {
		did = ida_alloc_range(&iommu->domain_ida, IDA_START_DID,
				      iommu->max_domain_id - 1, GFP_KERNEL);
		if (did < 0)
			break;
		KUNIT_EXPECT_NE(test, did, 5);
		KUNIT_EXPECT_NE(test, did, 9);
		nr++;
	}
	KUNIT_EXPECT_EQ(test, did, -ENOSPC);
	KUNIT_EXPECT_EQ(test, nr, FAKE_DIDS - IDA_START_DID - 2);

	ida_destroy(&iommu->domain_ida);
}

static void taken_did_is_an_error(struct kunit *test)
{
	struct intel_iommu *iommu = fake_iommu(test, false);
	const struct iommu_unit_ser *unit;

	KUNIT_ASSERT_EQ(test, 9, ida_alloc_range(&iommu->domain_ida, 9, 9,
						 GFP_KERNEL));
	unit = fake_records(test, three_atts, ARRAY_SIZE(three_atts));
	KUNIT_EXPECT_EQ(test, -ENOSPC,
			intel_liveupdate_reserve_dids(iommu, unit));
	KUNIT_EXPECT_FALSE(test, ida_exists(&iommu->domain_ida, 5));
	KUNIT_EXPECT_TRUE(test, ida_exists(&iommu->domain_ida, 9));
	ida_free(&iommu->domain_ida, 9);

	unit = fake_records(test, stolen_att, ARRAY_SIZE(stolen_att));
	KUNIT_EXPECT_EQ(test, -ENOSPC,
			intel_liveupdate_reserve_dids(iommu, unit));
	KUNIT_EXPECT_TRUE(test, ida_is_empty(&iommu->domain_ida));
}

static void dids_are_released_once(struct kunit *test)
{
	struct intel_iommu *iommu = fake_iommu(test, false);
	const struct iommu_unit_ser *unit;
	struct dmar_domain *domain;

	unit = fake_records(test, three_atts, ARRAY_SIZE(three_atts));
	KUNIT_ASSERT_EQ(test, 0, intel_liveupdate_reserve_dids(iommu, unit));
	intel_liveupdate_release_dids(iommu, unit, NULL);
	KUNIT_EXPECT_TRUE(test, ida_is_empty(&iommu->domain_ida));

	/* The devices come and go, the reservation has a reference of its own */
	domain = kunit_kzalloc(test, sizeof(*domain), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, domain);
	xa_init(&domain->iommu_array);
	KUNIT_ASSERT_EQ(test, 0, intel_liveupdate_reserve_dids(iommu, unit));
	KUNIT_EXPECT_EQ(test, 0, intel_liveupdate_adopt_did(domain, iommu, 5));
	KUNIT_EXPECT_EQ(test, 0, intel_liveupdate_adopt_did(domain, iommu, 5));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			intel_liveupdate_adopt_did(domain, iommu, 9));
	KUNIT_EXPECT_EQ(test, 5, domain_id_iommu(domain, iommu));

	domain_detach_iommu(domain, iommu);
	domain_detach_iommu(domain, iommu);
	KUNIT_EXPECT_TRUE(test, ida_exists(&iommu->domain_ida, 5));
	domain_detach_iommu(domain, iommu);
	KUNIT_EXPECT_FALSE(test, ida_exists(&iommu->domain_ida, 5));
	KUNIT_EXPECT_TRUE(test, ida_exists(&iommu->domain_ida, 9));
	KUNIT_EXPECT_TRUE(test, xa_empty(&domain->iommu_array));

	ida_destroy(&iommu->domain_ida);
	xa_destroy(&domain->iommu_array);
}

/* Order of writes */

struct fake_tables {
	struct intel_iommu *iommu;
	struct iommu_unit_ser unit;
	unsigned long *rids;
};

static u64 *fake_context_table(struct kunit *test, struct fake_tables *t,
			       unsigned int table, bool known)
{
	u64 *context = fake_pages(test, SZ_4K);

	*intel_liveupdate_root_slot(t->iommu, table) = virt_to_phys(context) | 1;
	if (known)
		iommu_unit_vtd(&t->unit)->context_tables[table / 64] |=
			BIT_ULL(table % 64);
	return context;
}

static void fake_tables(struct kunit *test, struct fake_tables *t, bool scalable)
{
	t->iommu = fake_iommu(test, scalable);
	t->iommu->root_entry = fake_pages(test, SZ_4K);
	t->rids = kunit_kcalloc(test, BITS_TO_LONGS(INTEL_LIVEUPDATE_NR_RIDS),
				sizeof(long), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t->rids);

	kunit_activate_static_stub(test, intel_liveupdate_write, fake_write);
	kunit_activate_static_stub(test, intel_liveupdate_flush_cache,
				   fake_flush_cache);
	kunit_activate_static_stub(test, intel_liveupdate_flush_all,
				   fake_flush_all);
	kunit_activate_static_stub(test, intel_liveupdate_flush_iec,
				   fake_flush_iec);
}

static void expect_step(struct kunit *test, unsigned int nr, void *addr,
			u64 val)
{
	KUNIT_EXPECT_PTR_EQ(test, fake_steps[nr].addr, addr);
	KUNIT_EXPECT_EQ(test, fake_steps[nr].val, val);
}

static void legacy_scrub_order(struct kunit *test)
{
	u64 *known, *foreign, *kept, *gone;
	struct fake_tables t = {};

	fake_tables(test, &t, false);
	known = fake_context_table(test, &t, 1, true);
	foreign = fake_context_table(test, &t, 2, false);

	/* 01:01.0 is preserved, 01:02.0 and 02:01.0 are not */
	kept = &known[2 * 0x08];
	kept[0] = 0x1234000 | 1;
	kept[1] = 0x502;
	__set_bit(0x0108, t.rids);
	gone = &known[2 * 0x10];
	gone[0] = 0x5678000 | 1;
	gone[1] = 0x602;
	foreign[2 * 0x08] = 0x9abc000 | 1;

	intel_liveupdate_scrub(t.iommu, &t.unit, t.rids);

	KUNIT_EXPECT_STREQ(test, fake_log, "wfwfiwwf");
	expect_step(test, 0, &gone[0], 0x5678000);
	expect_step(test, 1, &gone[0], sizeof(u64));
	expect_step(test, 2, &t.iommu->root_entry[2].lo, 0);
	expect_step(test, 3, &t.iommu->root_entry[2].lo, sizeof(u64));
	expect_step(test, 5, &gone[0], 0);
	expect_step(test, 6, &gone[1], 0);
	expect_step(test, 7, &gone[0], 2 * sizeof(u64));

	KUNIT_EXPECT_EQ(test, kept[0], 0x1234000 | 1);
	KUNIT_EXPECT_EQ(test, kept[1], 0x502);
	KUNIT_EXPECT_NE(test, t.iommu->root_entry[1].lo, 0);
	/* What nothing leads to any more is not written */
	KUNIT_EXPECT_EQ(test, foreign[2 * 0x08], 0x9abc000 | 1);
}

static void scalable_scrub_order(struct kunit *test)
{
	struct fake_tables t = {};
	u64 *lower, *upper, *gone, *kept, *stale;

	fake_tables(test, &t, true);
	lower = fake_context_table(test, &t, 2 * 1, true);
	upper = fake_context_table(test, &t, 2 * 1 + 1, true);

	/* 01:00.1 and 01:10.1 differ in the table, and stay apart */
	gone = &lower[4 * 1];
	gone[0] = 0x5678000 | 1;
	gone[2] = 7;
	kept = &upper[4 * 1];
	kept[0] = 0x1234000 | 1;
	__set_bit(0x0181, t.rids);
	/* Nothing to block, but not zero either */
	stale = &upper[4 * 2];
	stale[3] = 7;

	intel_liveupdate_scrub(t.iommu, &t.unit, t.rids);

	KUNIT_EXPECT_STREQ(test, fake_log, "wfiwwwwfwwwwf");
	expect_step(test, 0, &gone[0], 0x5678000);
	expect_step(test, 3, &gone[0], 0);
	expect_step(test, 6, &gone[3], 0);
	expect_step(test, 7, &gone[0], 4 * sizeof(u64));
	expect_step(test, 8, &stale[0], 0);
	expect_step(test, 11, &stale[3], 0);
	KUNIT_EXPECT_EQ(test, kept[0], 0x1234000 | 1);
	KUNIT_EXPECT_EQ(test, stale[3], 0);
}

/* PASID tables */

struct fake_pasids {
	struct pasid_table table;
	struct pasid_dir_entry *dir;
	void *leaves[2];
};

/* A directory of two pages, with a leaf table on each of them */
static void fake_pasids(struct kunit *test, struct fake_pasids *p)
{
	unsigned int i, per_page = SZ_4K / sizeof(*p->dir);

	p->dir = fake_pages(test, SZ_8K);
	for (i = 0; i < ARRAY_SIZE(p->leaves); i++) {
		p->leaves[i] = fake_pages(test, SZ_4K);
		p->dir[i * (per_page + 88)].val = virt_to_phys(p->leaves[i]) |
						  PASID_PTE_PRESENT;
	}
	p->table.table = p->dir;
	p->table.max_pasid = 2 * per_page << PASID_PDE_SHIFT;

	kunit_activate_static_stub(test, iommu_preserve_page,
				   fake_preserve_page);
	kunit_activate_static_stub(test, iommu_unpreserve_page,
				   fake_unpreserve_page);
	kunit_activate_static_stub(test, iommu_restore_page, fake_restore_page);
}

static void all_pasid_tables_are_preserved(struct kunit *test)
{
	struct iommu_device_ser devrec = {};
	struct fake_pasids p = {};
	unsigned int nr_leaves;

	fake_pasids(test, &p);
	KUNIT_ASSERT_EQ(test, 0,
			intel_liveupdate_preserve_pasid_table(&p.table, &devrec,
							      &nr_leaves));
	KUNIT_EXPECT_STREQ(test, fake_log, "ppp");
	expect_step(test, 0, p.dir, 0);
	expect_step(test, 1, p.leaves[0], 0);
	expect_step(test, 2, p.leaves[1], 0);
	KUNIT_EXPECT_EQ(test, nr_leaves, 2);
	KUNIT_EXPECT_EQ(test, nr_leaves,
			intel_liveupdate_count_leaves(&p.table));
	KUNIT_EXPECT_EQ(test, devrec.table.pa, virt_to_phys(p.dir));
	KUNIT_EXPECT_EQ(test, devrec.table.order, 1);
	KUNIT_EXPECT_EQ(test, devrec.max_pasid, 65536);

	/* The next kernel claims the same, with the right order */
	fake_forget();
	KUNIT_EXPECT_EQ(test, 0, intel_liveupdate_claim_pasid_table(&devrec));
	KUNIT_EXPECT_STREQ(test, fake_log, "rrr");
	expect_step(test, 0, p.dir, 1);
	expect_step(test, 1, p.leaves[0], 0);
	expect_step(test, 2, p.leaves[1], 0);

	fake_forget();
	intel_liveupdate_unpreserve_pasid_table(&devrec, nr_leaves);
	KUNIT_EXPECT_STREQ(test, fake_log, "uuu");
	expect_step(test, 0, p.leaves[0], 0);
	expect_step(test, 1, p.leaves[1], 0);
	expect_step(test, 2, p.dir, 0);
}

static void failed_pasid_preserve_is_undone(struct kunit *test)
{
	static const char *const logs[] = { "p", "ppu", "pppuu" };
	struct iommu_device_ser devrec = {};
	struct fake_pasids p = {};
	unsigned int nr_leaves, i;

	fake_pasids(test, &p);
	for (i = 0; i < ARRAY_SIZE(logs); i++) {
		fake_failing = i + 1;
		fake_forget();
		KUNIT_EXPECT_EQ(test, -ENOMEM,
				intel_liveupdate_preserve_pasid_table(&p.table,
								      &devrec,
								      &nr_leaves));
		KUNIT_EXPECT_STREQ(test, fake_log, logs[i]);
		/* Nobody else may undo it once more */
		KUNIT_EXPECT_EQ(test, devrec.table.pa, 0);
		/* The directory comes first and goes last */
		if (i)
			expect_step(test, fake_nr_steps - 1, p.dir, 0);
	}
}

/* The set-up of an adopted unit has failed: it is one that was found on */
static void unit_is_given_up(struct kunit *test)
{
	struct intel_iommu *iommu = fake_iommu(test, false);

	/* Others have nothing to lose */
	intel_liveupdate_give_up(iommu);
	KUNIT_EXPECT_FALSE(test, iommu_kept_on(&iommu->iommu));

	iommu->lu_incoming = intel_liveupdate_alloc();
	KUNIT_ASSERT_NOT_NULL(test, iommu->lu_incoming);
	iommu_kept_set(&iommu->iommu, IOMMU_KEPT_ADOPTED);
	iommu->root_entry = fake_pages(test, SZ_4K);
	KUNIT_ASSERT_EQ(test, 7, ida_alloc_range(&iommu->domain_ida, 7, 7,
						 GFP_KERNEL));

	intel_liveupdate_give_up(iommu);
	KUNIT_EXPECT_NULL(test, iommu->lu_incoming);
	KUNIT_EXPECT_TRUE(test, iommu_kept_on(&iommu->iommu));
	KUNIT_EXPECT_EQ(test, iommu->flags, VTD_FLAG_FOUND_MODE);
	KUNIT_EXPECT_NULL(test, iommu->root_entry);
	KUNIT_EXPECT_TRUE(test, ida_is_empty(&iommu->domain_ida));
}

/* VMD numbers its devices in a segment of its own, from bus 0 on */
static void devices_of_other_segments_are_strangers(struct kunit *test)
{
	struct intel_iommu *iommu = fake_iommu(test, false);
	struct device dev = {};
	struct device_domain_info info = {
		.iommu = iommu,
		.dev = &dev,
		.bus = 1,
	};

	KUNIT_EXPECT_FALSE(test, intel_liveupdate_device_incoming(&info));
	iommu->lu_incoming = intel_liveupdate_alloc();
	KUNIT_ASSERT_NOT_NULL(test, iommu->lu_incoming);
	__set_bit(PCI_DEVID(info.bus, info.devfn), iommu->lu_incoming->rids);
	KUNIT_EXPECT_TRUE(test, intel_liveupdate_device_incoming(&info));

	info.segment = 0x10000;
	KUNIT_EXPECT_FALSE(test, intel_liveupdate_device_incoming(&info));
	iommu->segment = 1;
	info.segment = 0;
	KUNIT_EXPECT_FALSE(test, intel_liveupdate_device_incoming(&info));
	info.segment = 1;
	KUNIT_EXPECT_TRUE(test, intel_liveupdate_device_incoming(&info));

	intel_liveupdate_free(iommu->lu_incoming);
}

#define FAKE_LEGACY	0
#define FAKE_SCALABLE	DMA_RTADDR_SMT
#define FAKE_ABORT	GENMASK_ULL(11, 10)

/* What decides the mode of a unit */
static void found_unit_keeps_its_mode(struct kunit *test)
{
	static const struct {
		u32 gsts;
		u64 rtaddr;
		unsigned int flags;
	} cases[] = {
		{ 0, FAKE_SCALABLE, 0 },
		{ DMA_GSTS_IRES, FAKE_LEGACY, 0 },
		{ DMA_GSTS_TES, FAKE_ABORT, 0 },
		{ DMA_GSTS_TES, FAKE_LEGACY, VTD_FLAG_FOUND_MODE },
		{ DMA_GSTS_TES, FAKE_SCALABLE,
		  VTD_FLAG_FOUND_MODE | VTD_FLAG_FOUND_SCALABLE },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		KUNIT_EXPECT_EQ_MSG(test, cases[i].flags,
				    intel_liveupdate_found_flags(cases[i].gsts,
								 cases[i].rtaddr),
				    "case %u", i);
}

/* Requester ids that were adopted */

static const struct iommu_device_ser two_rids = {
	.rid = 0x108, .nr_ids = 2, .ids = { 0x108, 0x109 },
};

/* An adopted unit in legacy mode, both ids present, and one of somebody else */
static u64 *fake_adopted(struct kunit *test, struct fake_tables *t)
{
	u64 *context;
	unsigned int i;

	fake_tables(test, t, false);
	kunit_activate_static_stub(test, intel_liveupdate_flush_entry,
				   fake_flush_entry);
	t->iommu->lu_incoming = intel_liveupdate_alloc();
	KUNIT_ASSERT_NOT_NULL(test, t->iommu->lu_incoming);

	context = fake_context_table(test, t, 1, true);
	for (i = 8; i < 11; i++) {
		context[2 * i] = 0x1234000 | 1;
		context[2 * i + 1] = 0x502;
		__set_bit(0x100 + i, t->iommu->lu_incoming->rids);
	}
	return context;
}

static void recorded_ids_are_blocked(struct kunit *test)
{
	struct fake_tables t = {};
	u64 *context = fake_adopted(test, &t);

	/* The device, if it is there, has one of the two ids at most */
	KUNIT_EXPECT_TRUE(test, intel_liveupdate_ids_block(&t.iommu->iommu, &two_rids));
	KUNIT_EXPECT_STREQ(test, fake_log, "wfewwfwfewwf");
	expect_step(test, 0, &context[16], 0x1234000);
	expect_step(test, 2, &context[16], 0x108);
	expect_step(test, 6, &context[18], 0x1234000);
	expect_step(test, 8, &context[18], 0x109);
	KUNIT_EXPECT_EQ(test, context[16] | context[17], 0);
	KUNIT_EXPECT_EQ(test, context[18] | context[19], 0);
	KUNIT_EXPECT_EQ(test, context[20], 0x1234000 | 1);
	KUNIT_EXPECT_FALSE(test, intel_liveupdate_incoming(t.iommu, 1, 8));
	KUNIT_EXPECT_FALSE(test, intel_liveupdate_incoming(t.iommu, 1, 9));
	KUNIT_EXPECT_TRUE(test, intel_liveupdate_incoming(t.iommu, 1, 10));

	fake_forget();
	KUNIT_EXPECT_TRUE(test, intel_liveupdate_ids_block(&t.iommu->iommu, &two_rids));
	KUNIT_EXPECT_STREQ(test, fake_log, "");
	intel_liveupdate_free(t.iommu->lu_incoming);
}

static void left_ids_go_with_the_device(struct kunit *test)
{
	struct fake_tables t = {};
	u64 *context = fake_adopted(test, &t);

	/* The first was taken over, and is an ordinary entry of this kernel */
	__clear_bit(0x108, t.iommu->lu_incoming->rids);
	intel_liveupdate_dev_release(&t.iommu->iommu, &two_rids);
	KUNIT_EXPECT_STREQ(test, fake_log, "wfewwf");
	expect_step(test, 2, &context[18], 0x109);
	KUNIT_EXPECT_EQ(test, context[16], 0x1234000 | 1);
	KUNIT_EXPECT_EQ(test, context[18] | context[19], 0);
	intel_liveupdate_free(t.iommu->lu_incoming);
}

/* A unit that was not adopted: what counts is which root is in force */
static void blocked_by_root_only(struct kunit *test)
{
	struct intel_iommu *iommu = fake_iommu(test, false);
	u64 others = 0x1000;

	fake_registers(test, iommu);
	iommu->root_entry = fake_pages(test, SZ_4K);

	writeq(others, iommu->reg + DMAR_RTADDR_REG);
	KUNIT_EXPECT_FALSE(test, intel_liveupdate_ids_block(&iommu->iommu, &two_rids));
	writeq(virt_to_phys(iommu->root_entry), iommu->reg + DMAR_RTADDR_REG);
	KUNIT_EXPECT_TRUE(test, intel_liveupdate_ids_block(&iommu->iommu, &two_rids));
	writeq(page_to_phys(ZERO_PAGE(0)), iommu->reg + DMAR_RTADDR_REG);
	KUNIT_EXPECT_TRUE(test, intel_liveupdate_ids_block(&iommu->iommu, &two_rids));
}

/* A flush by domain id is enough only if there is one id */
static void flush_by_id_or_all(struct kunit *test)
{
	struct context_entry context = {};
	struct fake_tables t = {};
	struct pasid_entry *leaf;
	u64 *dir;

	fake_tables(test, &t, true);
	dir = fake_pages(test, SZ_4K);
	leaf = fake_pages(test, SZ_4K);
	dir[0] = virt_to_phys(leaf) | PASID_PTE_PRESENT;
	context.lo = virt_to_phys(dir);

	leaf[0].val[0] = 1;
	leaf[0].val[1] = 5;
	intel_liveupdate_flush_entry(t.iommu, 0x108, &context);
	KUNIT_EXPECT_STREQ(test, fake_log, "");

	leaf[1].val[0] = 1;
	leaf[1].val[1] = 6;
	intel_liveupdate_flush_entry(t.iommu, 0x108, &context);
	KUNIT_EXPECT_STREQ(test, fake_log, "i");

	fake_forget();
	leaf[0].val[0] = 0;
	intel_liveupdate_flush_entry(t.iommu, 0x108, &context);
	KUNIT_EXPECT_STREQ(test, fake_log, "i");
}

#ifdef CONFIG_IRQ_REMAP
/* Interrupt entries */

static void posted_entries_are_cleared(struct kunit *test)
{
	struct ir_table table = {};
	struct fake_tables t = {};
	struct irte *irte;

	fake_tables(test, &t, false);
	irte = fake_pages(test, SZ_1M);
	table.base = irte;
	t.iommu->ir_table = &table;

	irte[5].present = 1;
	irte[5].pst = 1;
	irte[5].pda_l = 0x1234;
	irte[9].present = 1;
	irte[9].svt = 1;
	irte[12].pst = 1;
	irte[INTR_REMAP_TABLE_ENTRIES - 1].present = 1;
	irte[INTR_REMAP_TABLE_ENTRIES - 1].pst = 1;

	intel_liveupdate_stop_posting(t.iommu);
	KUNIT_EXPECT_STREQ(test, fake_log, "wwfwwfx");
	expect_step(test, 0, &irte[5].low, 0);
	expect_step(test, 1, &irte[5].high, 0);
	expect_step(test, 2, &irte[5], sizeof(*irte));
	expect_step(test, 3, &irte[INTR_REMAP_TABLE_ENTRIES - 1].low, 0);
	KUNIT_EXPECT_TRUE(test, irte[9].present);

	fake_forget();
	intel_liveupdate_stop_posting(t.iommu);
	t.iommu->ir_table = NULL;
	intel_liveupdate_stop_posting(t.iommu);
	KUNIT_EXPECT_STREQ(test, fake_log, "");
}

#endif

static int fake_init(struct kunit *test)
{
	fake_forget();
	fake_failing = 0;
	return 0;
}

static struct kunit_case intel_liveupdate_cases[] = {
	KUNIT_CASE(reserved_dids_are_not_given_out),
	KUNIT_CASE(taken_did_is_an_error),
	KUNIT_CASE(dids_are_released_once),
	KUNIT_CASE(legacy_scrub_order),
	KUNIT_CASE(scalable_scrub_order),
	KUNIT_CASE(all_pasid_tables_are_preserved),
	KUNIT_CASE(failed_pasid_preserve_is_undone),
	KUNIT_CASE(unit_is_given_up),
	KUNIT_CASE(devices_of_other_segments_are_strangers),
	KUNIT_CASE(found_unit_keeps_its_mode),
	KUNIT_CASE(recorded_ids_are_blocked),
	KUNIT_CASE(left_ids_go_with_the_device),
	KUNIT_CASE(blocked_by_root_only),
	KUNIT_CASE(flush_by_id_or_all),
#ifdef CONFIG_IRQ_REMAP
	KUNIT_CASE(posted_entries_are_cleared),
#endif
	{}
};

static struct kunit_suite intel_liveupdate_suite = {
	.name = "intel-iommu-liveupdate",
	.init = fake_init,
	.test_cases = intel_liveupdate_cases,
};

kunit_test_suite(intel_liveupdate_suite);
