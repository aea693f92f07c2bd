/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 *
 * Page tables that are preserved for the next kernel and restored by it. Part
 * of kunit_iommu_pt.h.
 *
 * There is one kernel only, so KHO is played by an xarray: a page that
 * was preserved can be restored, once. The page keeps its struct page all the
 * time, and what is freed at last is what was allocated.
 */
#ifndef __GENERIC_PT_KUNIT_IOMMU_PT_LIVEUPDATE_H
#define __GENERIC_PT_KUNIT_IOMMU_PT_LIVEUPDATE_H

#ifdef CONFIG_IOMMU_LIVEUPDATE

#include <kunit/static_stub.h>
#include <linux/cpumask.h>
#include <linux/kho/abi/iommu.h>
#include <linux/mmzone.h>
#include <linux/nodemask.h>
#include <linux/xarray.h>

#define pt_iommu_restore CONCATENATE(CONCATENATE(pt_iommu_, PTPFX), restore)
#define pt_iommu_dirty \
	CONCATENATE(CONCATENATE(pt_iommu_, PTPFX), read_and_clear_dirty)

static_assert(sizeof(u64) == PT_ITEM_WORD_SIZE);

/* What KHO would know: order by page frame number. One test runs at a time. */
static DEFINE_XARRAY(preserved);
/* iommu_preserve_page() fails when this counts down to 0 */
static unsigned int preserve_fail_nth;
/* NR_SECONDARY_PAGETABLE without the table of the test */
static unsigned long nr_other_pages;

static int stub_preserve_page(void *virt)
{
	struct folio *folio = virt_to_folio(virt);

	if (preserve_fail_nth && !--preserve_fail_nth)
		return -ENOMEM;
	return xa_insert(&preserved, folio_pfn(folio),
			 xa_mk_value(folio_order(folio)), GFP_KERNEL);
}

static void stub_unpreserve_page(void *virt)
{
	KUNIT_EXPECT_NOT_NULL(kunit_get_current_test(),
			      xa_erase(&preserved,
				       folio_pfn(virt_to_folio(virt))));
}

static bool stub_page_is_preserved(phys_addr_t phys, unsigned int order)
{
	void *entry = xa_load(&preserved, PHYS_PFN(phys));

	return entry && xa_to_value(entry) == order &&
	       IS_ALIGNED(phys, PAGE_SIZE << order);
}

static void *stub_restore_page(phys_addr_t phys, unsigned int order)
{
	if (!stub_page_is_preserved(phys, order))
		return NULL;
	xa_erase(&preserved, PHYS_PFN(phys));
	return phys_to_virt(phys);
}

/*
 * global_node_page_state() lags behind by what each CPU has counted and not
 * added yet, which may be more than a small table has.
 */
static unsigned long nr_secondary_pagetable(void)
{
	unsigned long nr = 0;
	int nid, cpu;

	for_each_online_node(nid) {
		struct pglist_data *pgdat = NODE_DATA(nid);

		nr += atomic_long_read(&pgdat->vm_stat[NR_SECONDARY_PAGETABLE]);
		for_each_online_cpu(cpu)
			nr += per_cpu_ptr(pgdat->per_cpu_nodestats, cpu)
				      ->vm_node_stat_diff[NR_SECONDARY_PAGETABLE];
	}
	return nr;
}

static unsigned long nr_table_pages(void)
{
	return nr_secondary_pagetable() - nr_other_pages;
}

static void liveupdate_begin(struct kunit *test)
{
	/* A new table is its top, a single page in every format restored here */
	nr_other_pages = nr_secondary_pagetable() - 1;
	/* A test that was given up may have left something */
	xa_destroy(&preserved);
	preserve_fail_nth = 0;
	kunit_activate_static_stub(test, iommu_preserve_page,
				   stub_preserve_page);
	kunit_activate_static_stub(test, iommu_unpreserve_page,
				   stub_unpreserve_page);
	kunit_activate_static_stub(test, iommu_page_is_preserved,
				   stub_page_is_preserved);
	kunit_activate_static_stub(test, iommu_restore_page, stub_restore_page);
}

/* Everything that was preserved has been given back or claimed. */
static void liveupdate_end(struct kunit *test)
{
	KUNIT_EXPECT_TRUE(test, xa_empty(&preserved));
	xa_destroy(&preserved);
}

/*
 * Make a table with several branches, in both halves if there are two, and with
 * tables that have become empty.
 */
static void liveupdate_fill(struct kunit *test)
{
	struct kunit_iommu_priv *priv = test->priv;
	struct pt_range ranges[] = { pt_top_range(priv->common),
				     pt_upper_range(priv->common) };
	unsigned int i, nr_ranges = 1;
	pt_vaddr_t va;

	if (pt_feature(priv->common, PT_FEAT_SIGN_EXTEND) && !IS_32BIT)
		nr_ranges = 2;

	for (i = 0; i != nr_ranges; i++) {
		va = ranges[i].va + priv->smallest_pgsz * 256;
		do_map(test, va, priv->smallest_pgsz * 16, priv->smallest_pgsz);
		/* Another branch, whose leaf goes away and leaves the tables */
		va = ranges[i].va + (ranges[i].last_va - ranges[i].va) / 2 + 1;
		do_map(test, va, 0, priv->smallest_pgsz);
		do_unmap(test, va, priv->smallest_pgsz);
		va += priv->smallest_pgsz * 4096;
		do_map(test, va, 0, priv->smallest_pgsz);
	}
}

static int __check_preserved(struct pt_range *range, void *arg,
			     unsigned int level, struct pt_table_p *table)
{
	struct pt_state pts = pt_init(range, level, table);
	struct kunit *test = arg;

	KUNIT_EXPECT_TRUE(test, stub_page_is_preserved(virt_to_phys(table), 0));

	for_each_pt_level_entry(&pts)
		if (pts.type == PT_ENTRY_TABLE)
			pt_descend(&pts, arg, __check_preserved);
	return 0;
}

static struct iommu_domain_ser liveupdate_preserve(struct kunit *test)
{
	struct kunit_iommu_priv *priv = test->priv;
	struct iommu_domain_ser ser = {};

	KUNIT_ASSERT_NO_ERRNO(test,
			      priv->iommu->ops->liveupdate->preserve(priv->iommu, &ser));
	return ser;
}

static struct pt_iommu_table *
liveupdate_restore(struct kunit *test, const struct iommu_domain_ser *ser)
{
	struct pt_iommu_table *restored;

	restored = kunit_kzalloc(test, sizeof(*restored), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, restored);
	restored->iommu.domain.ops = &kunit_pt_ops;
	KUNIT_ASSERT_NO_ERRNO(test, pt_iommu_restore(restored, ser));
	return restored;
}

static void expect_run(struct kunit *test, pt_vaddr_t va, u64 length,
		       u64 wanted, pt_oaddr_t oa)
{
	struct kunit_iommu_priv *priv = test->priv;
	phys_addr_t phys = 0;

	KUNIT_EXPECT_EQ(test, wanted,
			priv->iommu->ops->liveupdate->mapped_run(priv->iommu, va,
								 length, &phys));
	if (wanted)
		KUNIT_EXPECT_EQ(test, oa, phys);
}

/* Runs end where memory goes on elsewhere, or not at all, and nowhere else. */
static void test_mapped_run(struct kunit *test)
{
	struct kunit_iommu_priv *priv = test->priv;
	struct pt_range range = pt_top_range(priv->common);
	pt_vaddr_t size = priv->smallest_pgsz;
	/* Enough for several tables of the lowest level, or for larger leaves */
	pt_vaddr_t many = size * 2048;
	pt_vaddr_t va = range.va + many;

	expect_run(test, va, size, 0, 0);

	/* Two pieces of one run, mapped one after the other, and another one */
	do_map(test, va, many, many);
	do_map(test, va + many, many * 2, many);
	do_map(test, va + many * 2, 0, size);
	expect_run(test, va, many * 2 + size, many * 2, many);
	expect_run(test, va, many, many, many);
	expect_run(test, va, size / 2, size / 2, many);
	expect_run(test, va + size + size / 2, many * 2,
		   many * 2 - size - size / 2, many + size + size / 2);
	expect_run(test, va + many * 2, size * 2, size, 0);
	expect_run(test, va + many * 2 + size, size, 0, 0);
	expect_run(test, va - size, size * 2, 0, 0);
	expect_run(test, va, 0, 0, 0);
}

/* The preserved pages are those that deinit would free, and no others. */
static void test_preserve(struct kunit *test)
{
	struct kunit_iommu_priv *priv = test->priv;
	struct pt_range range;
	struct iommu_domain_ser ser;
	unsigned long pfn, nr = 0;
	void *entry;
	u64 digest = 0;

	liveupdate_begin(test);
	liveupdate_fill(test);
	ser = liveupdate_preserve(test);

	range = pt_all_range(priv->common);
	KUNIT_EXPECT_EQ(test, ser.top_pa, virt_to_phys(range.top_table));
	KUNIT_EXPECT_EQ(test, ser.top_level, range.top_level);
	pt_walk_range(&range, __check_preserved, test);

	xa_for_each(&preserved, pfn, entry) {
		digest += pfn;
		nr++;
	}
	KUNIT_EXPECT_EQ(test, nr, nr_table_pages());
	KUNIT_EXPECT_EQ(test, ser.nr_tables, nr);
	KUNIT_EXPECT_EQ(test, ser.digest, digest);
	/* Is what fill made worth it? */
	KUNIT_EXPECT_GT(test, nr, 3);

	priv->iommu->ops->liveupdate->unpreserve(priv->iommu, &ser);
	liveupdate_end(test);
}

/* Whichever page fails, those before it are given back and nothing is said. */
static void test_preserve_fails(struct kunit *test)
{
	struct kunit_iommu_priv *priv = test->priv;
	struct iommu_domain_ser ser, before;
	unsigned long nr;
	unsigned int i;

	liveupdate_begin(test);
	liveupdate_fill(test);
	nr = nr_table_pages();

	memset(&before, 0x5a, sizeof(before));
	for (i = 1; i <= nr; i++) {
		ser = before;
		preserve_fail_nth = i;
		KUNIT_EXPECT_EQ(test, -ENOMEM,
				priv->iommu->ops->liveupdate->preserve(priv->iommu, &ser));
		KUNIT_EXPECT_EQ(test, 0, preserve_fail_nth);
		KUNIT_EXPECT_TRUE(test, xa_empty(&preserved));
		KUNIT_EXPECT_MEMEQ(test, &ser, &before, sizeof(ser));
	}

	/* What the caller has in the record is left alone on success, too */
	preserve_fail_nth = nr + 1;
	KUNIT_EXPECT_EQ(test, 0,
			priv->iommu->ops->liveupdate->preserve(priv->iommu, &ser));
	KUNIT_EXPECT_EQ(test, ser.flags, before.flags);
	KUNIT_EXPECT_EQ(test, ser.domain_flags, before.domain_flags);
	KUNIT_EXPECT_EQ(test, ser.nr_attachments, before.nr_attachments);
	KUNIT_EXPECT_EQ(test, ser.granule_lg2, PT_GRANULE_LG2SZ);
	KUNIT_EXPECT_EQ(test, ser.top_order, 0);
	priv->iommu->ops->liveupdate->unpreserve(priv->iommu, &ser);
	liveupdate_end(test);
}

static void check_same(struct kunit *test, struct pt_iommu_table *restored)
{
	struct kunit_iommu_priv *priv = test->priv;
	struct iommu_domain *domain = &restored->iommu.domain;
	struct pt_common *common = common_from_iommu(&restored->iommu);

#ifdef pt_iommu_fmt_hw_info
	struct CONCATENATE(pt_iommu_table, _hw_info) was = {}, is = {};

	CONCATENATE(CONCATENATE(pt_iommu_, PTPFX), hw_info)(&priv->fmt_table,
							    &was);
	CONCATENATE(CONCATENATE(pt_iommu_, PTPFX), hw_info)(restored, &is);
	KUNIT_EXPECT_MEMEQ(test, &is, &was, sizeof(was));
#endif
	KUNIT_EXPECT_NE(test, restored->iommu.restored.nr_tables, 0);
	KUNIT_EXPECT_EQ(test, priv->iommu->restored.nr_tables, 0);
	KUNIT_EXPECT_EQ(test, common->top_of_table, priv->common->top_of_table);
	KUNIT_EXPECT_EQ(test, common->max_vasz_lg2, priv->common->max_vasz_lg2);
	KUNIT_EXPECT_EQ(test, common->max_oasz_lg2, priv->common->max_oasz_lg2);
	KUNIT_EXPECT_EQ(test, pt_feature(common, PT_FEAT_SIGN_EXTEND),
			pt_feature(priv->common, PT_FEAT_SIGN_EXTEND));
	KUNIT_EXPECT_EQ(test, domain->pgsize_bitmap,
			priv->domain.pgsize_bitmap);
	KUNIT_EXPECT_MEMEQ(test, &domain->geometry, &priv->domain.geometry,
			   sizeof(domain->geometry));
	KUNIT_EXPECT_TRUE(test, domain->is_iommupt);
}

/* The table lives on: same geometry, same translations, freed as a whole. */
static void test_restore(struct kunit *test)
{
	struct kunit_iommu_priv *priv = test->priv;
	struct pt_range range = pt_top_range(priv->common);
	pt_vaddr_t va = range.va + priv->smallest_pgsz * 256;
	struct pt_iommu_table *restored;
	struct iommu_domain_ser ser;

	liveupdate_begin(test);
	liveupdate_fill(test);
	/* A driver may offer less than the format can do */
	priv->domain.pgsize_bitmap = priv->smallest_pgsz;
	ser = liveupdate_preserve(test);
	restored = liveupdate_restore(test, &ser);
	/* The old kernel is gone */
	check_same(test, restored);
	priv->iommu->ops = NULL;
	memset(&ser, 0xff, sizeof(ser));

	KUNIT_EXPECT_EQ(test, iommu_iova_to_phys(&restored->iommu.domain, va),
			priv->smallest_pgsz * 16);
	KUNIT_EXPECT_EQ(test, iommu_iova_to_phys(&restored->iommu.domain,
						 va + priv->smallest_pgsz), 0);

	pt_iommu_deinit(&restored->iommu);
	KUNIT_EXPECT_EQ(test, nr_table_pages(), 0);
	liveupdate_end(test);
}

/* The level comes from the record, whatever a new table would start with. */
static void test_restore_levels(struct kunit *test)
{
	struct kunit_iommu_priv *priv = test->priv;
	struct pt_common *common = priv->common;
	struct iommu_domain_ser ser;
	struct pt_range top_range;

	if (!pt_feature(common, PT_FEAT_DYNAMIC_TOP) || IS_32BIT)
		kunit_skip(test, "The level cannot change");

	liveupdate_begin(test);
	do {
		ser = liveupdate_preserve(test);
		check_same(test, liveupdate_restore(test, &ser));
		priv->iommu->ops->liveupdate->unpreserve(priv->iommu, &ser);
		KUNIT_EXPECT_TRUE(test, xa_empty(&preserved));

		top_range = pt_top_range(common);
		if (common->max_vasz_lg2 == top_range.max_vasz_lg2)
			break;
		do_map(test,
		       top_range.va ? top_range.va - priv->smallest_pgsz :
				      top_range.last_va + 1,
		       0, priv->smallest_pgsz);
		KUNIT_ASSERT_EQ(test, pt_top_range(common).top_level,
				top_range.top_level + 1);
	} while (true);
	liveupdate_end(test);
}

static void check_bad_record(struct kunit *test, struct iommu_domain_ser ser)
{
	struct pt_iommu_table *restored;

	restored = kunit_kzalloc(test, sizeof(*restored), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, restored);
	KUNIT_EXPECT_LT(test, pt_iommu_restore(restored, &ser), 0);
	/* Must not free anything, must not crash */
	KUNIT_EXPECT_NULL(test, restored->iommu.ops);
	pt_iommu_deinit(&restored->iommu);
}

static void test_restore_bad_record(struct kunit *test)
{
	struct kunit_iommu_priv *priv = test->priv;
	struct iommu_domain_ser ser, bad;

	liveupdate_begin(test);
	liveupdate_fill(test);
	ser = liveupdate_preserve(test);

#define CHECK_BAD_RECORD(field, value)        \
	({                                    \
		bad = ser;                    \
		bad.field = value;            \
		check_bad_record(test, bad);  \
	})
	CHECK_BAD_RECORD(pt_format, 0);
	CHECK_BAD_RECORD(pt_format, ser.pt_format + 1);
	CHECK_BAD_RECORD(pt_features, ser.pt_features | 0x80000000);
	CHECK_BAD_RECORD(pt_features,
			 ser.pt_features | IOMMU_DOMAIN_SER_SIGN_EXTEND |
				 IOMMU_DOMAIN_SER_DYNAMIC_TOP);
	CHECK_BAD_RECORD(top_pa, 0);
	CHECK_BAD_RECORD(top_pa, ser.top_pa + 1);
	CHECK_BAD_RECORD(top_pa, virt_to_phys(priv) & PAGE_MASK);
	CHECK_BAD_RECORD(top_level, PT_MAX_TOP_LEVEL + 1);
	CHECK_BAD_RECORD(top_level, 0xff);
	CHECK_BAD_RECORD(top_order, 1);
	CHECK_BAD_RECORD(granule_lg2, PT_GRANULE_LG2SZ + 1);
	CHECK_BAD_RECORD(vasz_lg2, 0);
	CHECK_BAD_RECORD(vasz_lg2, 1);
	CHECK_BAD_RECORD(vasz_lg2, PT_MAX_VA_ADDRESS_LG2 + 1);
	CHECK_BAD_RECORD(oasz_lg2, 0);
	CHECK_BAD_RECORD(oasz_lg2, 65);
	CHECK_BAD_RECORD(pgsize_bitmap, 0);
	CHECK_BAD_RECORD(nr_tables, 0);
#undef CHECK_BAD_RECORD

	KUNIT_EXPECT_EQ(test, nr_table_pages(), ser.nr_tables);
	priv->iommu->ops->liveupdate->unpreserve(priv->iommu, &ser);
	liveupdate_end(test);
}

/* Translated through and freed, nothing else */
static void test_restored_refuses(struct kunit *test)
{
	struct kunit_iommu_priv *priv = test->priv;
	struct pt_range range = pt_top_range(priv->common);
	pt_vaddr_t va = range.va + priv->smallest_pgsz * 256;
	struct iommu_dirty_bitmap dirty = {};
	struct pt_iommu_table *restored;
	struct iommu_domain_ser ser;
	struct iommu_domain *domain;
	struct pt_iommu *iommu;

	liveupdate_begin(test);
	liveupdate_fill(test);
	ser = liveupdate_preserve(test);
	restored = liveupdate_restore(test, &ser);
	iommu = &restored->iommu;
	domain = &iommu->domain;

	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP,
			iommu_map(domain, va + priv->smallest_pgsz, 0,
				  priv->smallest_pgsz, IOMMU_READ, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, 0, iommu_unmap(domain, va, priv->smallest_pgsz));
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP, iommu->ops->set_dirty(iommu, va));
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP,
			pt_iommu_dirty(domain, va, priv->smallest_pgsz, 0,
				       &dirty));
	KUNIT_EXPECT_NULL(test, iommu->ops->liveupdate);

	check_iova(test, va, priv->smallest_pgsz * 16, priv->smallest_pgsz);
	priv->iommu->ops->liveupdate->unpreserve(priv->iommu, &ser);
	liveupdate_end(test);
}

/* Not a page is claimed or freed by this attempt. */
static void check_keeps_all(struct kunit *test, struct pt_iommu_table *restored)
{
	unsigned long pfn, before = 0, still = 0;
	unsigned long nr = nr_table_pages();
	void *entry;

	xa_for_each(&preserved, pfn, entry)
		before++;
	pt_iommu_deinit(&restored->iommu);
	xa_for_each(&preserved, pfn, entry)
		still++;
	KUNIT_EXPECT_EQ(test, nr_table_pages(), nr);
	KUNIT_EXPECT_EQ(test, still, before);
}

/* A restored table that is not what the record says */
static void test_restored_differs(struct kunit *test)
{
	struct kunit_iommu_priv *priv = test->priv;
	struct pt_range range = pt_top_range(priv->common);
	pt_vaddr_t va = range.va + priv->smallest_pgsz * 256;
	struct pt_write_attrs attrs = {};
	struct pt_iommu_table *restored;
	struct iommu_domain_ser ser;
	struct pt_state pts;
	void *foreign, *order;
	unsigned long pfn;
	u64 *item, saved;

	liveupdate_begin(test);
	liveupdate_fill(test);
	ser = liveupdate_preserve(test);
	restored = liveupdate_restore(test, &ser);
	priv->iommu->ops = NULL;

	/* More or fewer tables than there were */
	restored->iommu.restored.nr_tables++;
	check_keeps_all(test, restored);
	restored->iommu.restored.nr_tables -= 2;
	check_keeps_all(test, restored);
	restored->iommu.restored.nr_tables++;
	restored->iommu.restored.digest ^= 1;
	check_keeps_all(test, restored);
	restored->iommu.restored.digest ^= 1;

	/* A table that nobody preserved */
	range = pt_top_range(priv->common);
	range.va = va;
	range.last_va = va;
	pts = pt_init_top(&range);
	KUNIT_ASSERT_EQ(test, pt_load_single_entry(&pts), PT_ENTRY_TABLE);
	pfn = PHYS_PFN(pt_table_pa(&pts));
	order = xa_erase(&preserved, pfn);
	check_keeps_all(test, restored);
	KUNIT_EXPECT_EQ(test, iommu_iova_to_phys(&restored->iommu.domain, va),
			0);
	/* It was preserved with another order */
	xa_store(&preserved, pfn, xa_mk_value(3), GFP_KERNEL);
	check_keeps_all(test, restored);
	xa_store(&preserved, pfn, order, GFP_KERNEL);

	/* An entry that leads to somebody else's table */
	foreign = iommu_alloc_pages_sz(GFP_KERNEL, PAGE_SIZE);
	KUNIT_ASSERT_NOT_NULL(test, foreign);
	KUNIT_ASSERT_NO_ERRNO(test, stub_preserve_page(foreign));
	KUNIT_ASSERT_NO_ERRNO(test, pt_iommu_set_prot(priv->common, &attrs,
						      IOMMU_READ | IOMMU_WRITE));
	item = pt_cur_table(&pts, u64) + pts.index;
	saved = *item;
	KUNIT_ASSERT_TRUE(test, pt_install_table(&pts, virt_to_phys(foreign),
						 &attrs));
	check_keeps_all(test, restored);
	*item = saved;
	stub_unpreserve_page(foreign);
	iommu_free_pages(foreign);

	/* Now it is as it was */
	pt_iommu_deinit(&restored->iommu);
	KUNIT_EXPECT_EQ(test, nr_table_pages(), 0);
	liveupdate_end(test);
}

static struct kunit_case iommu_liveupdate_test_cases[] = {
	KUNIT_CASE_FMT(test_mapped_run),
	KUNIT_CASE_FMT(test_preserve),
	KUNIT_CASE_FMT(test_preserve_fails),
	KUNIT_CASE_FMT(test_restore),
	KUNIT_CASE_FMT(test_restore_levels),
	KUNIT_CASE_FMT(test_restore_bad_record),
	KUNIT_CASE_FMT(test_restored_refuses),
	KUNIT_CASE_FMT(test_restored_differs),
	{},
};

static struct kunit_suite NS(iommu_liveupdate_suite) = {
	.name = __stringify(NS(iommu_liveupdate_test)),
	.init = pt_kunit_iommu_init,
	.exit = pt_kunit_iommu_exit,
	.test_cases = iommu_liveupdate_test_cases,
};

kunit_test_suites(&NS(iommu_liveupdate_suite));

#endif /* CONFIG_IOMMU_LIVEUPDATE */
#endif
