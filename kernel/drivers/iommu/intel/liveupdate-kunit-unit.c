// SPDX-License-Identifier: GPL-2.0
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */

/**
 * DOC: KUnit tests of what VT-d live update compares and waits for
 *
 * Live entries against wanted ones, requester ids, the sources of interrupt
 * entries, the invalidation queue and the state of a unit. All of it is made up
 * here, no hardware is touched; registers keep what is written to them.
 */

#include <kunit/test.h>
#include <linux/dmar.h>
#include <linux/io.h>
#include <linux/sizes.h>
#include <asm/irq_remapping.h>

#include "iommu.h"
#include "liveupdate.h"
#include "pasid.h"

#define FAKE_ECAP_SMTS	BIT_ULL(43)

static struct intel_iommu *fake_unit(struct kunit *test, u64 ecap)
{
	struct intel_iommu *iommu = kunit_kzalloc(test, sizeof(*iommu), GFP_KERNEL);
	void *registers = kunit_kzalloc(test, SZ_4K, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, iommu);
	KUNIT_ASSERT_NOT_NULL(test, registers);
	iommu->reg = (void __iomem *)registers;
	raw_spin_lock_init(&iommu->register_lock);
	iommu->ecap = ecap;
	iommu->flags = VTD_FLAG_FOUND_ON;
	return iommu;
}

/* What of a live entry has to agree with the one that an attach would write */

struct fake_difference {
	const char *field;
	unsigned int word;
	u64 bits;
};

static const struct fake_difference context_rows[] = {
	{ NULL, 0, 0 },
	{ "present bit", 0, BIT_ULL(0) },
	{ NULL, 0, BIT_ULL(1) },			/* fault processing */
	{ "translation type", 0, BIT_ULL(2) },
	{ "translation type", 0, BIT_ULL(3) },
	{ NULL, 0, GENMASK_ULL(11, 4) },
	{ "page table", 0, BIT_ULL(12) },
	{ "page table", 0, BIT_ULL(51) },
	{ "address width", 1, BIT_ULL(0) },
	{ "address width", 1, BIT_ULL(2) },
	{ NULL, 1, GENMASK_ULL(7, 3) },			/* for software */
	{ "domain id", 1, BIT_ULL(8) },
	{ "domain id", 1, BIT_ULL(23) },
	{ NULL, 1, GENMASK_ULL(63, 24) },
};

static const struct fake_difference second_stage_rows[] = {
	{ NULL, 0, 0 },
	{ "present bit", 0, BIT_ULL(0) },
	{ NULL, 0, BIT_ULL(1) },
	{ "address width", 0, BIT_ULL(2) },
	{ "address width", 0, BIT_ULL(4) },
	{ "translation type", 0, BIT_ULL(6) },
	{ "translation type", 0, BIT_ULL(8) },
	{ NULL, 0, BIT_ULL(9) },			/* dirty bits */
	{ "page table", 0, BIT_ULL(12) },
	{ "page table", 0, BIT_ULL(51) },
	{ "domain id", 1, BIT_ULL(0) },
	{ "domain id", 1, BIT_ULL(15) },
	{ NULL, 1, BIT_ULL(23) | BIT_ULL(24) },		/* snooping */
	{ NULL, 2, GENMASK_ULL(63, 0) },		/* first stage */
	{ NULL, 7, GENMASK_ULL(63, 0) },
};

static const struct fake_difference first_stage_rows[] = {
	{ NULL, 0, 0 },
	{ "present bit", 0, BIT_ULL(0) },
	{ NULL, 0, GENMASK_ULL(4, 2) },			/* second stage */
	{ "translation type", 0, BIT_ULL(7) },
	{ NULL, 0, GENMASK_ULL(51, 12) },
	{ "domain id", 1, BIT_ULL(0) },
	{ NULL, 1, BIT_ULL(23) | BIT_ULL(24) },
	{ NULL, 2, BIT_ULL(0) | BIT_ULL(1) },		/* supervisor */
	{ "paging mode", 2, BIT_ULL(2) },
	{ "paging mode", 2, BIT_ULL(3) },
	{ NULL, 2, BIT_ULL(4) | BIT_ULL(7) },		/* write protect, accessed */
	{ "page table", 2, BIT_ULL(12) },
	{ "page table", 2, BIT_ULL(51) },
	{ NULL, 7, GENMASK_ULL(63, 0) },
};

static void expect_field(struct kunit *test, const struct fake_difference *row,
			 const char *field)
{
	if (row->field && field)
		KUNIT_EXPECT_STREQ_MSG(test, field, row->field, "word %u bits %llx",
				       row->word, row->bits);
	else
		KUNIT_EXPECT_PTR_EQ_MSG(test, field, row->field, "word %u bits %llx",
					row->word, row->bits);
}

static void context_entries_are_compared(struct kunit *test)
{
	const struct context_entry want = { .lo = 0x1234000 | 1, .hi = 0x502 };
	const struct fake_difference *row = context_rows;
	struct context_entry live;

	for (; row < context_rows + ARRAY_SIZE(context_rows); row++) {
		live = want;
		*(row->word ? &live.hi : &live.lo) ^= row->bits;
		expect_field(test, row,
			     intel_liveupdate_context_differs(&live, &want));
	}
}

static void expect_pasid_rows(struct kunit *test, const struct pasid_entry *want,
			      const struct fake_difference *row, size_t nr)
{
	struct pasid_entry live;

	for (; nr; row++, nr--) {
		live = *want;
		live.val[row->word] ^= row->bits;
		expect_field(test, row,
			     intel_liveupdate_pasid_differs(&live, want));
	}
}

static void pasid_entries_are_compared(struct kunit *test)
{
	const struct pasid_entry second = {
		.val = { 0x1234000 | PASID_ENTRY_PGTT_SL_ONLY << 6 | 2 << 2 | 1, 5 },
	};
	const struct pasid_entry first = {
		.val = { PASID_ENTRY_PGTT_FL_ONLY << 6 | 1, 5, 0x1234000 },
	};

	expect_pasid_rows(test, &second, second_stage_rows,
			  ARRAY_SIZE(second_stage_rows));
	expect_pasid_rows(test, &first, first_stage_rows,
			  ARRAY_SIZE(first_stage_rows));
}

/* Requester ids */

static const struct iommu_attachment_ser two_rids = {
	.rid = 0x108, .nr_rids = 2, .rids = { 0x108, 0x109 },
};

static void rids_are_compared(struct kunit *test)
{
	static const struct iommu_attachment_ser others[] = {
		{ .rid = 0x108, .nr_rids = 1, .rids = { 0x108 } },
		{ .rid = 0x108, .nr_rids = 3, .rids = { 0x108, 0x109, 0x10a } },
		{ .rid = 0x108, .nr_rids = 2, .rids = { 0x108, 0x10a } },
		{ .rid = 0x108, .nr_rids = 2, .rids = { 0x108, 0x108 } },
		{ .rid = 0x109, .nr_rids = 2, .rids = { 0x109, 0x108 } },
	};
	struct iommu_attachment_ser turned = {
		.rid = 0x108, .nr_rids = 2, .rids = { 0x109, 0x108 },
	};
	unsigned int i;

	KUNIT_EXPECT_TRUE(test, intel_liveupdate_same_rids(&two_rids, &two_rids));
	KUNIT_EXPECT_TRUE(test, intel_liveupdate_same_rids(&two_rids, &turned));
	for (i = 0; i < ARRAY_SIZE(others); i++) {
		KUNIT_EXPECT_FALSE_MSG(test,
				       intel_liveupdate_same_rids(&two_rids, &others[i]),
				       "row %u", i);
		KUNIT_EXPECT_FALSE_MSG(test,
				       intel_liveupdate_same_rids(&others[i], &two_rids),
				       "row %u", i);
	}
}

#ifdef CONFIG_IRQ_REMAP
/* Entries that 01:02.3 gets through to, and such that it does not */
static void sources_are_understood(struct kunit *test)
{
	static const struct {
		u16 sid;
		u8 svt, sq;
		bool accepts;
	} rows[] = {
		{ 0x0113, 1, 0, true }, { 0x0112, 1, 0, false },
		{ 0x0117, 1, 0, false }, { 0x0117, 1, 1, true },
		{ 0x0113, 1, 1, true }, { 0x0112, 1, 1, false },
		{ 0x0111, 1, 2, true }, { 0x0115, 1, 2, true },
		{ 0x0114, 1, 2, false }, { 0x0110, 1, 3, true },
		{ 0x011b, 1, 3, false }, { 0x0213, 1, 3, false },
		{ 0x0001, 2, 0, true }, { 0x0101, 2, 0, true },
		{ 0x0105, 2, 0, true }, { 0x0203, 2, 0, false },
		{ 0x0000, 2, 0, false },
	};
	unsigned long *rids = kunit_kcalloc(test, BITS_TO_LONGS(INTEL_LIVEUPDATE_NR_RIDS),
					    sizeof(long), GFP_KERNEL);
	struct irte irte;
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, rids);
	__set_bit(0x0113, rids);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		irte = (struct irte){};
		irte.sid = rows[i].sid;
		irte.svt = rows[i].svt;
		irte.sq = rows[i].sq;
		KUNIT_EXPECT_EQ_MSG(test, rows[i].accepts,
				    intel_liveupdate_irte_accepts(&irte, rids),
				    "row %u", i);
	}
}
#endif

/* The invalidation queue */

struct fake_queue {
	struct q_inval qi;
	struct qi_desc desc[QI_LENGTH];
	int status[QI_LENGTH];
};

static struct fake_queue *fake_queue(struct kunit *test, struct intel_iommu *iommu)
{
	struct fake_queue *queue = kunit_kzalloc(test, sizeof(*queue), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, queue);
	raw_spin_lock_init(&queue->qi.q_lock);
	queue->qi.desc = queue->desc;
	queue->qi.desc_status = queue->status;
	iommu->qi = &queue->qi;
	return queue;
}

/* Descriptors of 32 bytes */
static void no_device_tlb_once_handed_over(struct kunit *test)
{
	static const struct qi_desc batch[] = {
		{ .qw0 = QI_DIOTLB_TYPE }, { .qw0 = QI_IOTLB_TYPE | 0x100 },
		{ .qw0 = QI_DEIOTLB_TYPE }, { .qw0 = QI_IOTLB_TYPE | 0x200 },
	};
	struct intel_iommu *iommu = fake_unit(test, FAKE_ECAP_SMTS);
	struct fake_queue *queue = fake_queue(test, iommu);

	KUNIT_EXPECT_EQ(test, qi_fill(iommu, QI_LENGTH - 1, batch, 4), 4);
	KUNIT_EXPECT_EQ(test, queue->desc[QI_LENGTH - 1].qw0, QI_DIOTLB_TYPE);
	KUNIT_EXPECT_EQ(test, queue->desc[2].qw0, QI_IOTLB_TYPE | 0x200);
	KUNIT_EXPECT_EQ(test, queue->status[2], QI_IN_USE);

	memset(queue->desc, 0, sizeof(queue->desc));
	memset(queue->status, 0, sizeof(queue->status));
	iommu->flags |= VTD_FLAG_HANDED_OVER;
	KUNIT_EXPECT_EQ(test, qi_fill(iommu, QI_LENGTH - 1, batch, 4), 2);
	KUNIT_EXPECT_EQ(test, queue->desc[QI_LENGTH - 1].qw0, QI_IOTLB_TYPE | 0x100);
	KUNIT_EXPECT_EQ(test, queue->desc[0].qw0, QI_IOTLB_TYPE | 0x200);
	KUNIT_EXPECT_EQ(test, queue->desc[1].qw0, 0);
	KUNIT_EXPECT_EQ(test, queue->status[1], 0);
}

static void queue_is_dead_if_its_head_stands(struct kunit *test)
{
	const cycles_t bound = DMAR_OPERATION_TIMEOUT;
	struct intel_iommu *iommu = fake_unit(test, FAKE_ECAP_SMTS);
	struct fake_queue *queue = fake_queue(test, iommu);
	struct qi_watch watch;
	cycles_t t;

	qi_watch_start(iommu, &watch);
	t = watch.start;
	KUNIT_EXPECT_FALSE(test, qi_watch_stalled(iommu, &watch, t + bound));
	KUNIT_EXPECT_TRUE(test, qi_watch_stalled(iommu, &watch, t + bound + 1));

	/* It moves */
	writel(0x40, iommu->reg + DMAR_IQH_REG);
	KUNIT_EXPECT_FALSE(test, qi_watch_stalled(iommu, &watch, t + 3 * bound));
	KUNIT_EXPECT_FALSE(test, qi_watch_stalled(iommu, &watch, t + 4 * bound));
	KUNIT_EXPECT_TRUE(test, qi_watch_stalled(iommu, &watch, t + 4 * bound + 1));

	/* It waits for a device */
	queue->desc[2].qw0 = QI_DIOTLB_TYPE;
	queue->status[2] = QI_IN_USE;
	KUNIT_EXPECT_FALSE(test, qi_watch_stalled(iommu, &watch,
						  t + 3 * bound + QI_DEVTLB_TIMEOUT));
	KUNIT_EXPECT_TRUE(test, qi_watch_stalled(iommu, &watch,
						 t + 3 * bound + QI_DEVTLB_TIMEOUT + 1));
	queue->status[2] = QI_DONE;
	KUNIT_EXPECT_TRUE(test, qi_watch_stalled(iommu, &watch, t + 5 * bound));

	/* It moves, and never gets there */
	writel(0x60, iommu->reg + DMAR_IQH_REG);
	KUNIT_EXPECT_TRUE(test, qi_watch_stalled(iommu, &watch,
						 t + 2 * QI_DEVTLB_TIMEOUT + 1));
}

/* Units */

static void hot_added_unit_is_refused(struct kunit *test)
{
	struct intel_iommu *iommu = fake_unit(test, 0);
	struct dmar_drhd_unit drhd = { .iommu = iommu };

	fake_queue(test, iommu);
	iommu->drhd = &drhd;
	writel(DMA_GSTS_TES, iommu->reg + DMAR_GSTS_REG);
	KUNIT_EXPECT_EQ(test, intel_liveupdate_unit_supported(iommu), 0);
	drhd.hot_added = 1;
	KUNIT_EXPECT_EQ(test, intel_liveupdate_unit_supported(iommu), -EOPNOTSUPP);
}

/* One that failed when it was added has no root of its own */
static void unused_unit_is_blocked_after_suspend(struct kunit *test)
{
	struct intel_iommu *iommu = fake_unit(test, 0);

	iommu->cap = BIT_ULL(63);	/* the root pointer flushes by itself */
	writel(DMA_GSTS_TES | DMA_GSTS_RTPS, iommu->reg + DMAR_GSTS_REG);

	intel_liveupdate_resume(iommu);
	KUNIT_EXPECT_EQ(test, readq(iommu->reg + DMAR_RTADDR_REG), 0);

	iommu->flags |= VTD_FLAG_KEEP_ON;
	intel_liveupdate_resume(iommu);
	KUNIT_EXPECT_EQ(test, readq(iommu->reg + DMAR_RTADDR_REG),
			page_to_phys(ZERO_PAGE(0)));
	KUNIT_EXPECT_EQ(test, readl(iommu->reg + DMAR_GCMD_REG), DMA_GCMD_TE);
	KUNIT_EXPECT_NULL(test, iommu->root_entry);
}

/* Whoever writes the command before that must not switch it on by the way */
static void unused_unit_is_not_switched_on_without_root(struct kunit *test)
{
	struct intel_iommu *iommu = fake_unit(test, 0);

	iommu->gcmd = DMA_GCMD_TE | DMA_GCMD_QIE;
	intel_liveupdate_woken(iommu);
	KUNIT_EXPECT_EQ(test, iommu->gcmd, DMA_GCMD_TE | DMA_GCMD_QIE);

	iommu->flags |= VTD_FLAG_KEEP_ON;
	writel(DMA_GSTS_TES, iommu->reg + DMAR_GSTS_REG);
	intel_liveupdate_woken(iommu);
	KUNIT_EXPECT_EQ(test, iommu->gcmd, DMA_GCMD_TE | DMA_GCMD_QIE);

	writel(0, iommu->reg + DMAR_GSTS_REG);
	intel_liveupdate_woken(iommu);
	KUNIT_EXPECT_EQ(test, iommu->gcmd, DMA_GCMD_QIE);
}

static struct kunit_case intel_liveupdate_unit_cases[] = {
	KUNIT_CASE(context_entries_are_compared),
	KUNIT_CASE(pasid_entries_are_compared),
	KUNIT_CASE(rids_are_compared),
#ifdef CONFIG_IRQ_REMAP
	KUNIT_CASE(sources_are_understood),
#endif
	KUNIT_CASE(no_device_tlb_once_handed_over),
	KUNIT_CASE(queue_is_dead_if_its_head_stands),
	KUNIT_CASE(hot_added_unit_is_refused),
	KUNIT_CASE(unused_unit_is_blocked_after_suspend),
	KUNIT_CASE(unused_unit_is_not_switched_on_without_root),
	{}
};

static struct kunit_suite intel_liveupdate_unit_suite = {
	.name = "intel-iommu-liveupdate-unit",
	.test_cases = intel_liveupdate_unit_cases,
};

kunit_test_suite(intel_liveupdate_unit_suite);
