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
#include <linux/mm.h>
#include <linux/pci.h>
#include <linux/sizes.h>
#include <asm/irq_remapping.h>

#include "iommu.h"
#include "liveupdate.h"
#include "pasid.h"
#include "../iommu-pages.h"

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
	iommu->iommu.kept.found = true;
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

static const struct iommu_device_ser two_rids = {
	.rid = 0x108, .nr_ids = 2, .ids = { 0x108, 0x109 },
};

static void rids_are_compared(struct kunit *test)
{
	static const struct iommu_device_ser others[] = {
		{ .rid = 0x108, .nr_ids = 1, .ids = { 0x108 } },
		{ .rid = 0x108, .nr_ids = 3, .ids = { 0x108, 0x109, 0x10a } },
		{ .rid = 0x108, .nr_ids = 2, .ids = { 0x108, 0x10a } },
		{ .rid = 0x108, .nr_ids = 2, .ids = { 0x108, 0x108 } },
		{ .rid = 0x109, .nr_ids = 2, .ids = { 0x109, 0x108 } },
	};
	struct iommu_device_ser turned = {
		.rid = 0x108, .nr_ids = 2, .ids = { 0x109, 0x108 },
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
	iommu_kept_set(&iommu->iommu, IOMMU_KEPT_HANDED_OVER);
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

	iommu_kept_set(&iommu->iommu, IOMMU_KEPT_FOUND);
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

	iommu_kept_set(&iommu->iommu, IOMMU_KEPT_FOUND);
	writel(DMA_GSTS_TES, iommu->reg + DMAR_GSTS_REG);
	intel_liveupdate_woken(iommu);
	KUNIT_EXPECT_EQ(test, iommu->gcmd, DMA_GCMD_TE | DMA_GCMD_QIE);

	writel(0, iommu->reg + DMAR_GSTS_REG);
	intel_liveupdate_woken(iommu);
	KUNIT_EXPECT_EQ(test, iommu->gcmd, DMA_GCMD_QIE);
}

/* No option takes it out of use */
static void found_unit_is_known(struct kunit *test)
{
	struct intel_iommu *iommu = fake_unit(test, 0);
	struct dmar_drhd_unit drhd = {};

	KUNIT_EXPECT_FALSE(test, intel_liveupdate_found_on(&drhd));
	drhd.iommu = iommu;
	KUNIT_EXPECT_TRUE(test, intel_liveupdate_found_on(&drhd));
	iommu->iommu.kept.found = false;
	KUNIT_EXPECT_FALSE(test, intel_liveupdate_found_on(&drhd));
}

/* The last look before the kexec, at registers and at interrupt entries */

#define FAKE_ROOT	0x1234000ULL
#define FAKE_IRTA	0x5678000ULL
#define FAKE_RID	0x108

static int fake_freeze(struct intel_iommu *iommu, struct iommu_unit_ser *unit)
{
	return intel_iommu_liveupdate_ops.unit_freeze(&iommu->iommu, unit);
}

/* Preserved, without any context table */
static struct intel_iommu *fake_outgoing(struct kunit *test, struct iommu_unit_ser *unit)
{
	struct intel_iommu *iommu = fake_unit(test, 0);

	spin_lock_init(&iommu->lock);
	iommu->root_entry = kunit_kzalloc(test, SZ_4K, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, iommu->root_entry);
	iommu->lu_outgoing = intel_liveupdate_alloc();
	KUNIT_ASSERT_NOT_NULL(test, iommu->lu_outgoing);
	__set_bit(FAKE_RID, iommu->lu_outgoing->rids);

	iommu_unit_vtd(unit)->rtaddr = FAKE_ROOT;
	writeq(FAKE_ROOT, iommu->reg + DMAR_RTADDR_REG);
	writel(DMA_GSTS_TES, iommu->reg + DMAR_GSTS_REG);
	return iommu;
}

static void changed_registers_refuse_the_kexec(struct kunit *test)
{
	struct iommu_unit_ser unit = {};
	struct intel_iommu *iommu = fake_outgoing(test, &unit);

	KUNIT_EXPECT_EQ(test, fake_freeze(iommu, &unit), 0);
	writeq(FAKE_ROOT + SZ_4K, iommu->reg + DMAR_RTADDR_REG);
	KUNIT_EXPECT_EQ(test, fake_freeze(iommu, &unit), -EINVAL);
	writeq(FAKE_ROOT, iommu->reg + DMAR_RTADDR_REG);
	writel(0, iommu->reg + DMAR_GSTS_REG);
	KUNIT_EXPECT_EQ(test, fake_freeze(iommu, &unit), -EINVAL);
	writel(DMA_GSTS_TES, iommu->reg + DMAR_GSTS_REG);
	KUNIT_EXPECT_EQ(test, fake_freeze(iommu, &unit), 0);
	intel_liveupdate_free(iommu->lu_outgoing);
}

#ifdef CONFIG_IRQ_REMAP
static void interrupt_entries_refuse_the_kexec(struct kunit *test)
{
	struct iommu_unit_ser unit = {
		.tables[IOMMU_UNIT_VTD_IRT].pa = FAKE_IRTA,
	};
	struct intel_iommu *iommu = fake_outgoing(test, &unit);
	struct ir_table table = {};
	struct irte *irte;

	table.base = kunit_kcalloc(test, INTR_REMAP_TABLE_ENTRIES, sizeof(*irte),
				   GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, table.base);
	iommu->ir_table = &table;
	iommu_unit_vtd(&unit)->irta = FAKE_IRTA;
	writeq(FAKE_IRTA, iommu->reg + DMAR_IRTA_REG);
	KUNIT_EXPECT_EQ(test, fake_freeze(iommu, &unit), 0);

	/* The last one of the table; what is not present has no say */
	irte = &table.base[INTR_REMAP_TABLE_ENTRIES - 1];
	irte->svt = 1;
	irte->sid = FAKE_RID;
	KUNIT_EXPECT_EQ(test, fake_freeze(iommu, &unit), 0);
	irte->present = 1;
	KUNIT_EXPECT_EQ(test, fake_freeze(iommu, &unit), -EINVAL);
	irte->sid = FAKE_RID + 8;
	KUNIT_EXPECT_EQ(test, fake_freeze(iommu, &unit), 0);
	irte->svt = 0;
	KUNIT_EXPECT_EQ(test, fake_freeze(iommu, &unit), -EINVAL);
	irte->present = 0;

	/* Requests that pass by the table, or another table */
	writel(DMA_GSTS_TES | DMA_GSTS_CFIS, iommu->reg + DMAR_GSTS_REG);
	KUNIT_EXPECT_EQ(test, fake_freeze(iommu, &unit), -EINVAL);
	writel(DMA_GSTS_TES, iommu->reg + DMAR_GSTS_REG);
	writeq(FAKE_IRTA + SZ_1M, iommu->reg + DMAR_IRTA_REG);
	KUNIT_EXPECT_EQ(test, fake_freeze(iommu, &unit), -EINVAL);
	intel_liveupdate_free(iommu->lu_outgoing);
}
#endif

/* Whoever shares a preserved requester id gets no entry of its own there */
static void preserved_ids_are_foreign(struct kunit *test)
{
	struct iommu_unit_ser unit = {};
	struct intel_iommu *iommu = fake_outgoing(test, &unit);
	struct device dev = {};
	struct device_domain_info info = {
		.iommu = iommu, .dev = &dev, .bus = 2, .devfn = 0,
	};

	KUNIT_EXPECT_TRUE(test, intel_liveupdate_foreign(&info, PCI_BUS_NUM(FAKE_RID),
							 FAKE_RID & 0xff));
	KUNIT_EXPECT_FALSE(test, intel_liveupdate_foreign(&info, 3, 0));
	/* Its own is its own */
	info.bus = PCI_BUS_NUM(FAKE_RID);
	info.devfn = FAKE_RID & 0xff;
	KUNIT_EXPECT_FALSE(test, intel_liveupdate_foreign(&info, info.bus, info.devfn));
	intel_liveupdate_free(iommu->lu_outgoing);
}

/* Devices of an adopted unit, in software */

#define FAKE_UNIT_NR	3

static struct intel_iommu *fake_adopted_unit(struct kunit *test)
{
	struct intel_iommu *iommu = fake_unit(test, 0);

	spin_lock_init(&iommu->lock);
	mutex_init(&iommu->did_lock);
	iommu->seq_id = FAKE_UNIT_NR;
	iommu->root_entry = kunit_kzalloc(test, SZ_4K, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, iommu->root_entry);
	iommu->lu_incoming = intel_liveupdate_alloc();
	KUNIT_ASSERT_NOT_NULL(test, iommu->lu_incoming);
	__set_bit(FAKE_RID, iommu->lu_incoming->rids);
	return iommu;
}

/* A function at the adopted id, and a domain for it */
struct fake_function {
	struct pci_dev pci;
	struct pci_bus bus;
	struct pci_sysdata sysdata;
	struct dev_iommu param;
	struct device_domain_info info;
};

static struct fake_function *fake_function(struct kunit *test,
					   struct intel_iommu *iommu)
{
	struct fake_function *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, f);
	f->bus.number = 1;
	f->bus.sysdata = &f->sysdata;
	f->pci.bus = &f->bus;
	f->pci.devfn = 8;
	f->pci.dev.bus = &pci_bus_type;
	f->pci.dev.init_name = "fake";
	f->pci.dev.iommu = &f->param;
	f->param.priv = &f->info;
	f->info.iommu = iommu;
	f->info.dev = &f->pci.dev;
	f->info.bus = 1;
	f->info.devfn = 8;
	return f;
}

/* Never an entry of a unit in legacy mode */
static struct dmar_domain *fake_first_stage(struct kunit *test)
{
	struct dmar_domain *domain = paging_domain_alloc();

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, domain);
	domain->domain.ops = &intel_fs_paging_domain_ops;
	return domain;
}

static void fake_domain_free(struct dmar_domain *domain)
{
	kfree(xa_erase(&domain->iommu_array, FAKE_UNIT_NR));
	xa_destroy(&domain->iommu_array);
	kfree(domain->qi_batch);
	kfree(domain);
}

static unsigned int fake_references(struct dmar_domain *domain)
{
	struct iommu_domain_info *info = xa_load(&domain->iommu_array, FAKE_UNIT_NR);

	return info ? info->refcnt : 0;
}

static void failed_adoption_is_undone(struct kunit *test)
{
	struct iommu_device_ser devrec = {
		.rid = FAKE_RID, .nr_ids = 1, .ids = { FAKE_RID },
	};
	struct iommu_attachment_ser att = { .hw_id = 5 };
	struct dmar_domain *domain = fake_first_stage(test);
	struct intel_iommu *iommu = fake_adopted_unit(test);
	struct fake_function *f = fake_function(test, iommu);
	struct device *dev = &f->pci.dev;

	/* It has had an id more */
	KUNIT_EXPECT_EQ(test, intel_liveupdate_att_adopt(dev, &domain->domain,
							 &two_rids, &att), -EINVAL);
	KUNIT_EXPECT_EQ(test, fake_references(domain), 0);

	/* The live entry is not that of the domain */
	KUNIT_EXPECT_EQ(test, intel_liveupdate_att_adopt(dev, &domain->domain,
							 &devrec, &att), -EINVAL);
	KUNIT_EXPECT_EQ(test, fake_references(domain), 0);
	KUNIT_EXPECT_TRUE(test, list_empty(&domain->cache_tags));
	KUNIT_EXPECT_NULL(test, f->info.domain);

	/* Another device has been adopted by the domain, and stays */
	KUNIT_ASSERT_EQ(test, intel_liveupdate_adopt_did(domain, iommu, 5), 0);
	KUNIT_EXPECT_EQ(test, intel_liveupdate_att_adopt(dev, &domain->domain,
							 &devrec, &att), -EINVAL);
	KUNIT_EXPECT_EQ(test, fake_references(domain), 2);
	att.hw_id = 9;
	KUNIT_EXPECT_EQ(test, intel_liveupdate_att_adopt(dev, &domain->domain,
							 &devrec, &att), -EINVAL);
	KUNIT_EXPECT_EQ(test, fake_references(domain), 2);

	intel_liveupdate_free(iommu->lu_incoming);
	fake_domain_free(domain);
}

static void released_device_stays_adopted(struct kunit *test)
{
	struct dmar_domain *domain = fake_first_stage(test);
	struct intel_iommu *iommu = fake_adopted_unit(test);
	struct fake_function *f = fake_function(test, iommu);
	struct device *dev = &f->pci.dev;

	KUNIT_ASSERT_EQ(test, intel_liveupdate_adopt_did(domain, iommu, 5), 0);
	KUNIT_ASSERT_EQ(test, cache_tag_assign_domain(domain, dev, IOMMU_NO_PASID), 0);
	f->info.domain = domain;
	f->info.domain_attached = true;
	list_add(&f->info.link, &domain->devices);
	f->info.pasid_table = kzalloc_obj(*f->info.pasid_table);

	KUNIT_EXPECT_TRUE(test, intel_liveupdate_release(dev));
	KUNIT_EXPECT_NULL(test, f->info.domain);
	KUNIT_EXPECT_FALSE(test, f->info.domain_attached);
	KUNIT_EXPECT_TRUE(test, list_empty(&domain->devices));
	KUNIT_EXPECT_TRUE(test, list_empty(&domain->cache_tags));
	/* The id is reserved still, and the table waits for the next probe */
	KUNIT_EXPECT_EQ(test, fake_references(domain), 1);
	KUNIT_EXPECT_NULL(test, f->info.pasid_table);
	KUNIT_EXPECT_TRUE(test, test_bit(FAKE_RID, iommu->lu_incoming->tables));
	KUNIT_EXPECT_TRUE(test, intel_liveupdate_device_incoming(&f->info));

	/* Of one that was taken over nothing is kept */
	__clear_bit(FAKE_RID, iommu->lu_incoming->rids);
	KUNIT_EXPECT_FALSE(test, intel_liveupdate_release(dev));
	intel_liveupdate_free(iommu->lu_incoming);
	fake_domain_free(domain);
}

/* Freed to all but this reference */
static void *fake_page(struct kunit *test)
{
	void *virt = iommu_alloc_pages_sz(GFP_KERNEL, SZ_4K);

	KUNIT_ASSERT_NOT_NULL(test, virt);
	get_page(virt_to_page(virt));
	return virt;
}

/* Of a device that was never found nobody has claimed the table */
static void left_table_is_freed_once(struct kunit *test)
{
	struct iommu_device_ser devrec = {
		.rid = FAKE_RID, .max_pasid = 4 << PASID_PDE_SHIFT,
	};
	struct intel_iommu *iommu = fake_adopted_unit(test);
	struct pasid_dir_entry *dir = fake_page(test);
	void *leaf = fake_page(test);

	dir[2].val = virt_to_phys(leaf) | PASID_PTE_PRESENT;
	devrec.table.pa = virt_to_phys(dir);
	__set_bit(FAKE_RID, iommu->lu_incoming->tables);

	intel_liveupdate_dev_release(&iommu->iommu, &devrec);
	KUNIT_EXPECT_EQ(test, page_count(virt_to_page(dir)), 1);
	KUNIT_EXPECT_EQ(test, page_count(virt_to_page(leaf)), 1);
	KUNIT_EXPECT_FALSE(test, test_bit(FAKE_RID, iommu->lu_incoming->tables));

	/* Whoever comes again finds it gone */
	intel_liveupdate_dev_release(&iommu->iommu, &devrec);
	KUNIT_EXPECT_EQ(test, page_count(virt_to_page(dir)), 1);
	intel_liveupdate_free(iommu->lu_incoming);
	put_page(virt_to_page(leaf));
	put_page(virt_to_page(dir));
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
	KUNIT_CASE(found_unit_is_known),
	KUNIT_CASE(changed_registers_refuse_the_kexec),
#ifdef CONFIG_IRQ_REMAP
	KUNIT_CASE(interrupt_entries_refuse_the_kexec),
#endif
	KUNIT_CASE(preserved_ids_are_foreign),
	KUNIT_CASE(failed_adoption_is_undone),
	KUNIT_CASE(released_device_stays_adopted),
	KUNIT_CASE(left_table_is_freed_once),
	{}
};

static struct kunit_suite intel_liveupdate_unit_suite = {
	.name = "intel-iommu-liveupdate-unit",
	.test_cases = intel_liveupdate_unit_cases,
};

kunit_test_suite(intel_liveupdate_unit_suite);
