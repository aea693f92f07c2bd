/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 *
 * "Templated C code" to carry a page table over to the next kernel. Part of
 * iommu_pt.h, like that compiled for every page table format.
 */
#ifndef __GENERIC_PT_IOMMU_PT_LIVEUPDATE_H
#define __GENERIC_PT_IOMMU_PT_LIVEUPDATE_H

#ifdef CONFIG_IOMMU_LIVEUPDATE

#include <linux/cc_platform.h>
#include <linux/kho/abi/iommu.h>

/**
 * DOC: Page tables across a live update
 *
 * HW goes on translating through a page table while the kernel is replaced.
 * Every table that HW can reach has to stay where it is, and the next kernel
 * has to know enough to free it one day. What it is told is in struct
 * iommu_domain_ser; the table entries carry the rest.
 *
 * 1. preserve() walks all tables, top first, and hands each to KHO. Their
 *    number and the sum of their page frame numbers, the digest, go into the
 *    record.
 * 2. unpreserve() takes the same walk and gives back as many tables as were
 *    preserved. That is how preserve() undoes itself, too.
 * 3. In the next kernel pt_iommu_XX_restore() builds a struct pt_iommu around
 *    the top table. It looks at no other table.
 * 4. Translating follows a table pointer only if it points to preserved memory.
 * 5. deinit() of a restored table walks twice. The first walk changes nothing.
 *    It follows preserved memory only and compares number and digest with the
 *    record. Only if they agree does the second one take the pages over and
 *    free them. Otherwise some entry is not what the previous kernel wrote:
 *    what it leads to may belong to another page table, and no page is freed.
 *    This takes as long as the table is large, so whoever frees the domain does
 *    it without a lock that others wait for.
 *
 * Tables do not refer to a page twice, so it is not looked for. If they ever
 * did the second walk would find the page taken and leave all of it alone.
 *
 * Not handled: changing a restored table, preserving it again, and table
 * pointers with an encryption bit.
 *
 * Locking: there is none here. From before preserve() until unpreserve(), or
 * until the jump, the caller keeps the table from being changed or freed.
 * A restored table never changes.
 */

#define liveupdate_cfg CONCATENATE(pt_iommu_table, _cfg)

/* They come later in iommu_pt.h, whose ops refer to what is here */
static void NS(get_info)(struct pt_iommu *iommu_table,
			 struct pt_iommu_info *info);
static int pt_init_common(struct pt_common *common);
static int pt_iommu_init_domain(struct pt_iommu *iommu_table,
				struct iommu_domain *domain);
static void pt_iommu_zero(struct pt_iommu_table *fmt_table);

/* A record without tables is refused */
static bool pt_iommu_is_restored(const struct pt_iommu *iommu_table)
{
	return iommu_table->restored.nr_tables;
}

struct pt_iommu_liveupdate_args {
	/* What to do with each table. Other than 0 ends the walk */
	int (*fn)(struct pt_iommu_liveupdate_args *args, phys_addr_t phys,
		  unsigned int order);
	/* Where fn puts what it has taken over */
	struct iommu_pages_list free_list;
	/* Tables to visit at most, the walk fails at the next one */
	u64 max_tables;

	/* Tables fn was called for with success */
	u64 nr_tables;
	u64 digest;
};

static unsigned int liveupdate_top_order(struct pt_common *common,
					 uintptr_t top_of_table)
{
	return get_order(log2_to_int(pt_top_memsize_lg2(common, top_of_table)));
}

/* Of the table that an entry at this level points to, as table_alloc() has it */
static unsigned int liveupdate_lower_order(const struct pt_state *pts)
{
	struct pt_state child_pts = pt_init(pts->range, pts->level - 1, NULL);

	return get_order(log2_to_int(pt_num_items_lg2(&child_pts) +
				     ilog2(PT_ITEM_WORD_SIZE)));
}

static int liveupdate_visit(struct pt_iommu_liveupdate_args *args,
			    phys_addr_t phys, unsigned int order)
{
	int ret;

	if (args->nr_tables == args->max_tables)
		return -E2BIG;

	/* There may be hundreds of thousands */
	cond_resched();
	ret = args->fn(args, phys, order);
	if (ret)
		return ret;

	args->nr_tables++;
	args->digest += PHYS_PFN(phys);
	return 0;
}

/*
 * Goes item by item. A leaf entry means nothing here, so how many items it
 * spans must not matter either: in a restored table that cannot be trusted.
 */
static int __liveupdate_tables(struct pt_range *range, void *arg,
			       unsigned int level, struct pt_table_p *table)
{
	struct pt_state pts = pt_init(range, level, table);
	struct pt_iommu_liveupdate_args *args = arg;
	int ret;

	if (!pt_can_have_table(&pts))
		return 0;

	for (_pt_iter_first(&pts); pts.index < pts.end_index; pts.index++) {
		pts.type = pt_load_entry_raw(&pts);
		if (pts.type != PT_ENTRY_TABLE)
			continue;

		ret = liveupdate_visit(args, pt_table_pa(&pts),
				       liveupdate_lower_order(&pts));
		if (ret)
			return ret;

		pt_index_to_va(&pts);
		pts.table_lower = pt_table_ptr(&pts);
		ret = pt_descend(&pts, arg, __liveupdate_tables);
		if (ret)
			return ret;
	}
	return 0;
}

/* Visits every table once, each before those it points to. */
static int liveupdate_walk(struct pt_common *common,
			   struct pt_iommu_liveupdate_args *args)
{
	struct pt_range range = pt_all_range(common);
	uintptr_t top = _pt_top_set(range.top_table, range.top_level);
	int ret;

	ret = liveupdate_visit(args, virt_to_phys(range.top_table),
			       liveupdate_top_order(common, top));
	if (ret)
		return ret;
	return pt_walk_range(&range, __liveupdate_tables, args);
}

static int liveupdate_preserve_table(struct pt_iommu_liveupdate_args *args,
				     phys_addr_t phys, unsigned int order)
{
	return iommu_preserve_page(phys_to_virt(phys));
}

static int liveupdate_unpreserve_table(struct pt_iommu_liveupdate_args *args,
				       phys_addr_t phys, unsigned int order)
{
	iommu_unpreserve_page(phys_to_virt(phys));
	return 0;
}

static int liveupdate_check_table(struct pt_iommu_liveupdate_args *args,
				  phys_addr_t phys, unsigned int order)
{
	return iommu_page_is_preserved(phys, order) ? 0 : -EFAULT;
}

static int liveupdate_claim_table(struct pt_iommu_liveupdate_args *args,
				  phys_addr_t phys, unsigned int order)
{
	void *virt = iommu_restore_page(phys, order);

	if (!virt)
		return -EFAULT;
	iommu_pages_list_add(&args->free_list, virt);
	return 0;
}

/* Gives back the first nr_tables tables of the walk. */
static void liveupdate_unpreserve(struct pt_common *common, u64 nr_tables,
				  u64 digest)
{
	struct pt_iommu_liveupdate_args args = {
		.fn = liveupdate_unpreserve_table,
		.max_tables = nr_tables,
	};

	/* Where the walk ends does not matter, how far it came does */
	liveupdate_walk(common, &args);

	/*
	 * The table was changed while it was preserved. Pages that have left it
	 * stay with KHO, and the next kernel loses them; worse, HW may have
	 * walked tables that nobody preserved. Only a bug leads here, and the
	 * stack tells which caller let it happen.
	 */
	WARN_ON_ONCE(args.nr_tables != nr_tables || args.digest != digest);
}

static u32 liveupdate_features(struct pt_common *common)
{
	u32 features = 0;

	if (pt_feature(common, PT_FEAT_SIGN_EXTEND))
		features |= IOMMU_DOMAIN_SER_SIGN_EXTEND;
	if (pt_feature(common, PT_FEAT_DYNAMIC_TOP))
		features |= IOMMU_DOMAIN_SER_DYNAMIC_TOP;
	if (pt_feature(common, PT_FEAT_DMA_INCOHERENT))
		features |= IOMMU_DOMAIN_SER_INCOHERENT;
	return features;
}

static int NS(preserve)(struct pt_iommu *iommu_table,
			struct iommu_domain_ser *ser)
{
	struct pt_common *common = common_from_iommu(iommu_table);
	struct pt_iommu_liveupdate_args args = {
		.fn = liveupdate_preserve_table,
		.max_tables = U64_MAX,
	};
	struct pt_range range = pt_top_range(common);
	int ret;

	/* The record cannot say that table pointers have the bit */
	if (cc_platform_has(CC_ATTR_HOST_MEM_ENCRYPT))
		return -EOPNOTSUPP;

	ret = liveupdate_walk(common, &args);
	if (ret) {
		liveupdate_unpreserve(common, args.nr_tables, args.digest);
		return ret;
	}

	ser->pt_format = PT_IOMMU_FMT_SER;
	ser->top_pa = virt_to_phys(range.top_table);
	ser->top_order = liveupdate_top_order(common, _pt_top_set(range.top_table,
								  range.top_level));
	ser->top_level = range.top_level;
	ser->granule_lg2 = PT_GRANULE_LG2SZ;
	ser->vasz_lg2 = common->max_vasz_lg2;
	ser->oasz_lg2 = common->max_oasz_lg2;
	ser->pt_features = liveupdate_features(common);
	ser->pgsize_bitmap = iommu_table->domain.pgsize_bitmap;
	ser->nr_tables = args.nr_tables;
	ser->digest = args.digest;
	return 0;
}

static void NS(unpreserve)(struct pt_iommu *iommu_table,
			   const struct iommu_domain_ser *ser)
{
	liveupdate_unpreserve(common_from_iommu(iommu_table), ser->nr_tables,
			      ser->digest);
}

struct pt_iommu_liveupdate_run {
	pt_oaddr_t oa;
	u64 length;
};

/* Goes on as long as each leaf begins where the one before ended. */
static int __liveupdate_run(struct pt_range *range, void *arg,
			    unsigned int level, struct pt_table_p *table)
{
	struct pt_state pts = pt_init(range, level, table);
	struct pt_iommu_liveupdate_run *run = arg;
	unsigned int size_lg2;
	pt_oaddr_t oa;
	int ret;

	for_each_pt_level_entry(&pts) {
		if (pts.type == PT_ENTRY_TABLE) {
			ret = pt_descend(&pts, arg, __liveupdate_run);
			if (ret)
				return ret;
			continue;
		}
		if (pts.type != PT_ENTRY_OA)
			return -ENOENT;

		oa = pt_entry_oa_exact(&pts);
		if (!run->length)
			run->oa = oa;
		else if (oa != run->oa + run->length)
			return -ENOENT;
		size_lg2 = pt_entry_oa_lg2sz(&pts);
		run->length += log2_to_int_t(u64, size_lg2) -
			       log2_mod(range->va, size_lg2);
	}
	return 0;
}

static size_t NS(mapped_run)(struct pt_iommu *iommu_table, dma_addr_t iova,
			     size_t length, phys_addr_t *phys)
{
	struct pt_iommu_liveupdate_run run = {};
	struct pt_range range;

	if (make_range(common_from_iommu(iommu_table), &range, iova, length))
		return 0;

	/* How the walk ends does not matter, how far it came does */
	pt_walk_range(&range, __liveupdate_run, &run);
	*phys = run.oa;
	return min_t(u64, run.length, length);
}

static const struct pt_iommu_liveupdate_ops NS(liveupdate_ops) = {
	.preserve = NS(preserve),
	.unpreserve = NS(unpreserve),
	.mapped_run = NS(mapped_run),
};

#define PT_IOMMU_LIVEUPDATE_OPS (&NS(liveupdate_ops))

/*
 * Turn the record into what pt_iommu_init() would be asked for. The tables are
 * never written again, but drivers derive from PT_FEAT_DMA_INCOHERENT what the
 * live HW entry must look like.
 */
static int restore_cfg(const struct iommu_domain_ser *ser,
		       struct liveupdate_cfg *cfg)
{
	if (ser->pt_format != PT_IOMMU_FMT_SER ||
	    ser->granule_lg2 != PT_GRANULE_LG2SZ ||
	    ser->pt_features & ~(IOMMU_DOMAIN_SER_SIGN_EXTEND |
				 IOMMU_DOMAIN_SER_DYNAMIC_TOP |
				 IOMMU_DOMAIN_SER_INCOHERENT) ||
	    ser->top_level > PT_MAX_TOP_LEVEL ||
	    !ser->vasz_lg2 || ser->vasz_lg2 > PT_MAX_VA_ADDRESS_LG2 ||
	    !ser->oasz_lg2 || !ser->pgsize_bitmap || !ser->nr_tables)
		return -EINVAL;

	cfg->common.hw_max_vasz_lg2 = ser->vasz_lg2;
	cfg->common.hw_max_oasz_lg2 = ser->oasz_lg2;
	cfg->common.features = PT_FORCE_ENABLED_FEATURES;
	if (ser->pt_features & IOMMU_DOMAIN_SER_SIGN_EXTEND)
		cfg->common.features |= BIT(PT_FEAT_SIGN_EXTEND);
	if (ser->pt_features & IOMMU_DOMAIN_SER_DYNAMIC_TOP)
		cfg->common.features |= BIT(PT_FEAT_DYNAMIC_TOP);
	if (ser->pt_features & IOMMU_DOMAIN_SER_INCOHERENT)
		cfg->common.features |= BIT(PT_FEAT_DMA_INCOHERENT);
	pt_iommu_fmt_ser_cfg(ser, cfg);
	return 0;
}

/* Does what the format made of it agree with the record? */
static int restore_check(struct pt_common *common,
			 const struct iommu_domain_ser *ser)
{
	struct pt_range range = pt_top_range(common);
	struct pt_state pts = pt_init_top(&range);

	if (common->max_vasz_lg2 != ser->vasz_lg2 ||
	    common->max_oasz_lg2 != ser->oasz_lg2 ||
	    common->max_vasz_lg2 < pt_table_item_lg2sz(&pts))
		return -EINVAL;

	if (liveupdate_features(common) != ser->pt_features)
		return -EINVAL;

	if (pt_feature(common, PT_FEAT_SIGN_EXTEND) &&
	    (pt_feature(common, PT_FEAT_FULL_VA) ||
	     pt_feature(common, PT_FEAT_DYNAMIC_TOP)))
		return -EINVAL;
	return 0;
}

/* Like __iova_to_phys, for tables that are not claimed yet */
static int __restored_iova_to_phys(struct pt_range *range, void *arg,
				   unsigned int level, struct pt_table_p *table)
{
	struct pt_state pts = pt_init(range, level, table);
	pt_oaddr_t *res = arg;

	switch (pt_load_single_entry(&pts)) {
	case PT_ENTRY_EMPTY:
		return -ENOENT;
	case PT_ENTRY_TABLE:
		if (!iommu_page_is_preserved(pt_table_pa(&pts),
					     liveupdate_lower_order(&pts)))
			return -EFAULT;
		return pt_descend(&pts, arg, __restored_iova_to_phys);
	case PT_ENTRY_OA:
		*res = pt_entry_oa_exact(&pts);
		return 0;
	}
	return -ENOENT;
}

static phys_addr_t restored_iova_to_phys(struct pt_range *range)
{
	pt_oaddr_t res;

	if (pt_walk_range(range, __restored_iova_to_phys, &res))
		return 0;
	return res;
}

static int NS(restored_map_range)(struct pt_iommu *iommu_table, dma_addr_t iova,
				  phys_addr_t paddr, dma_addr_t len,
				  unsigned int prot, gfp_t gfp, size_t *mapped)
{
	return -EOPNOTSUPP;
}

static size_t NS(restored_unmap_range)(struct pt_iommu *iommu_table,
				       dma_addr_t iova, dma_addr_t len,
				       struct iommu_iotlb_gather *iotlb_gather)
{
	return 0;
}

static int NS(restored_set_dirty)(struct pt_iommu *iommu_table, dma_addr_t iova)
{
	return -EOPNOTSUPP;
}

static int restored_claim(struct pt_iommu *iommu_table,
			  struct pt_iommu_liveupdate_args *claim)
{
	struct pt_common *common = common_from_iommu(iommu_table);
	struct pt_iommu_liveupdate_args check = {
		.fn = liveupdate_check_table,
		.max_tables = iommu_table->restored.nr_tables,
	};
	int ret;

	ret = liveupdate_walk(common, &check);
	if (ret)
		return ret;
	if (check.nr_tables != iommu_table->restored.nr_tables ||
	    check.digest != iommu_table->restored.digest)
		return -EUCLEAN;

	return liveupdate_walk(common, claim);
}

static void NS(restored_deinit)(struct pt_iommu *iommu_table)
{
	struct pt_iommu_liveupdate_args claim = {
		.fn = liveupdate_claim_table,
		.free_list = IOMMU_PAGES_LIST_INIT(claim.free_list),
		.max_tables = iommu_table->restored.nr_tables,
	};
	int ret;

	ret = restored_claim(iommu_table, &claim);
	if (ret) {
		pr_warn("iommu_pt: tables of a restored domain differ from its record (%pe), %llu pages are lost\n",
			ERR_PTR(ret), iommu_table->restored.nr_tables);
		return;
	}

	/* As for deinit, HW must not refer to this memory any more */
	iommu_put_restored_pages(&claim.free_list);
}

static const struct pt_iommu_ops NS(restored_ops) = {
	.map_range = NS(restored_map_range),
	.unmap_range = NS(restored_unmap_range),
	.set_dirty = NS(restored_set_dirty),
	.get_info = NS(get_info),
	.deinit = NS(restored_deinit),
};

#define pt_iommu_restore CONCATENATE(CONCATENATE(pt_iommu_, PTPFX), restore)

/**
 * pt_iommu_restore() - Build a page table around preserved table memory
 * @fmt_table: Table to initialize, zeroed or as for pt_iommu_init()
 * @ser: Record of the page table
 *
 * Counterpart of preserve() in the next kernel. The geometry comes from @ser
 * alone. Nothing is allocated, and the table memory is neither written nor
 * taken over: that is done by deinit, so the time this takes does not depend on
 * the number of tables. What was restored can be translated through and freed,
 * every other operation answers -EOPNOTSUPP.
 *
 * @ser has passed the check of all records, is checked again as far as this
 * format is concerned, and is not referred to afterwards.
 *
 * Context: Any. The caller sets the domain's ops, like for pt_iommu_init().
 * Return: 0 on success, -EINVAL if @ser is for another format, contradicts
 * itself or refers to memory that is not preserved, -EOPNOTSUPP if the table
 * needs something this kernel is built without, -EOVERFLOW if the addresses do
 * not fit into an unsigned long. On failure there is nothing to deinit.
 */
int pt_iommu_restore(struct pt_iommu_table *fmt_table,
		     const struct iommu_domain_ser *ser)
{
	struct pt_iommu *iommu_table = &fmt_table->iommu;
	struct pt_common *common = common_from_iommu(iommu_table);
	struct liveupdate_cfg cfg = {};
	unsigned int order;
	int ret;

	pt_iommu_zero(fmt_table);
	ret = restore_cfg(ser, &cfg);
	if (ret)
		return ret;

	common->features = cfg.common.features;
	common->max_vasz_lg2 = cfg.common.hw_max_vasz_lg2;
	common->max_oasz_lg2 = cfg.common.hw_max_oasz_lg2;
	ret = pt_iommu_fmt_init(fmt_table, &cfg);
	if (ret)
		return ret;
	if (pt_top_get_level(common) != ser->top_level)
		return -EINVAL;

	ret = pt_init_common(common);
	if (ret)
		return ret;
	ret = restore_check(common, ser);
	if (ret)
		return ret;

	ret = pt_iommu_init_domain(iommu_table, &iommu_table->domain);
	if (ret)
		return ret;
	/* The driver may have offered less than the format can do */
	iommu_table->domain.pgsize_bitmap = ser->pgsize_bitmap;

	order = liveupdate_top_order(common, common->top_of_table);
	if (ser->top_order != order ||
	    !iommu_page_is_preserved(ser->top_pa, order))
		return -EINVAL;
	pt_top_set(common, phys_to_virt(ser->top_pa), ser->top_level);

	iommu_table->restored.nr_tables = ser->nr_tables;
	iommu_table->restored.digest = ser->digest;

	/* Must be last, see pt_iommu_deinit() */
	iommu_table->ops = &NS(restored_ops);
	return 0;
}
EXPORT_SYMBOL_NS_GPL(pt_iommu_restore, "GENERIC_PT_IOMMU");

#else /* CONFIG_IOMMU_LIVEUPDATE */

static inline bool pt_iommu_is_restored(const struct pt_iommu *iommu_table)
{
	return false;
}

static inline phys_addr_t restored_iova_to_phys(struct pt_range *range)
{
	return 0;
}

#define PT_IOMMU_LIVEUPDATE_OPS NULL

#endif /* CONFIG_IOMMU_LIVEUPDATE */
#endif
