// SPDX-License-Identifier: GPL-2.0
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */

/**
 * DOC: Check of the IOMMU live update records
 *
 * The records of struct iommu_ser come from another kernel, through memory that
 * anything may have written to. They steer what is taken for a page table and
 * who may do DMA, so nothing of them is used before all of it has been checked
 * here. This is one function over bytes. It allocates nothing, keeps nothing,
 * and reaches memory through two callbacks only, so that the same source runs
 * in the kernel, in tests and fuzzers in user space, and in tools that show
 * records.
 *
 * What it does, in this order:
 *
 * 1. check_top(): version, length, reserved fields.
 * 2. check_chain(): the blocks of the three chains lie in preserved memory, are
 *    filled within bounds, come to an end, and hold as many records as the top
 *    object says. A chain that runs into itself holds more.
 * 3. iommu_liveupdate_crc(): the checksum. From here on what is wrong was
 *    written that way.
 * 4. check_units(), check_domains(), check_attachments(): each record by
 *    itself, what it refers to, and what must not occur twice.
 *
 * What is special to one kind of unit is checked by a function of that kind,
 * see struct iommu_liveupdate_check_type, which is as pure. What hardware says
 * is left to the driver: whether registers and live entries agree with the
 * records. The content of page tables is checked when a page table is freed.
 *
 * Locking: none. The caller makes sure that nobody writes the records.
 */

#include <linux/align.h>
#include <linux/array_size.h>
#include <linux/bits.h>
#include <linux/crc32.h>
#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/string.h>
#include <linux/kho/abi/block.h>
#include <linux/kho/abi/iommu.h>

#include "liveupdate-check.h"

/* A folio that is asked for cannot be larger, whatever the page size */
#define CHECK_MAX_ORDER		10

/* Architectural limits */
#define CHECK_MAX_HW_ID		0xffffu
#define CHECK_MAX_PASIDS	BIT(20)

/* Index bits of one table level, common to all formats */
#define CHECK_LEVEL_LG2		9

struct check_chain {
	u64 head_pa;
	u32 nr;
	size_t size;
};

struct check {
	const struct iommu_ser *ser;
	const struct iommu_liveupdate_check_ops *ops;
	struct check_chain units;
	struct check_chain domains;
	struct check_chain attachments;
	const char *reason;
};

/* Walks the records of one chain. */
struct check_cursor {
	const struct check *check;
	const struct check_chain *chain;
	const struct kho_block_header_ser *block;
	u64 block_pa;
	u64 next_pa;
	u64 index;
	/* Where the current record is */
	u64 pa;
};

static const struct check_format {
	u32 pt_format;
	u32 features;
	u8 granule_lg2;
	u8 min_level;
	u8 max_level;
	u8 max_vasz_lg2;
	u8 max_oasz_lg2;
} check_formats[] = {
	{ IOMMU_DOMAIN_SER_AMDV1, IOMMU_DOMAIN_SER_DYNAMIC_TOP,
	  12, 1, 5, 64, 52 },
	{ IOMMU_DOMAIN_SER_X86_64,
	  IOMMU_DOMAIN_SER_SIGN_EXTEND | IOMMU_DOMAIN_SER_INCOHERENT,
	  12, 3, 4, 57, 52 },
	{ IOMMU_DOMAIN_SER_VTDSS, IOMMU_DOMAIN_SER_INCOHERENT,
	  12, 2, 4, 57, 52 },
	{ IOMMU_DOMAIN_SER_RISCV_64, IOMMU_DOMAIN_SER_SIGN_EXTEND,
	  12, 2, 4, 57, 56 },
	{ IOMMU_DOMAIN_SER_AMDV1_MOCK, IOMMU_DOMAIN_SER_DYNAMIC_TOP,
	  11, 1, 4, 56, 51 },
};

static int refuse(struct check *c, const char *reason)
{
	c->reason = reason;
	return -EINVAL;
}

/**
 * iommu_liveupdate_preserved - Is an address that of a preserved allocation?
 * @ops: How to reach memory
 * @pa: Any number
 * @order: Any number
 *
 * Context: Any that @ops allow.
 * Return: true if the previous kernel preserved just this.
 */
bool iommu_liveupdate_preserved(const struct iommu_liveupdate_check_ops *ops,
				u64 pa, unsigned int order)
{
	return pa && order <= CHECK_MAX_ORDER &&
	       IS_ALIGNED(pa, (u64)PAGE_SIZE << order) &&
	       ops->preserved(ops->ctx, pa, order);
}

static bool is_preserved(const struct check *c, u64 pa, unsigned int order)
{
	return iommu_liveupdate_preserved(c->ops, pa, order);
}

static const struct kho_block_header_ser *
map_block(const struct iommu_liveupdate_check_ops *ops, u64 pa)
{
	if (!pa || !IS_ALIGNED(pa, KHO_BLOCK_SIZE) ||
	    !ops->preserved(ops->ctx, pa, 0))
		return NULL;
	return ops->map(ops->ctx, pa, KHO_BLOCK_SIZE);
}

static u64 records_per_block(size_t size)
{
	return (KHO_BLOCK_SIZE - sizeof(struct kho_block_header_ser)) / size;
}

static struct check_cursor cursor_init(const struct check *c,
				       const struct check_chain *chain)
{
	return (struct check_cursor){
		.check = c,
		.chain = chain,
		.next_pa = chain->head_pa,
	};
}

/* The next record that is not deleted, or NULL. After check_chain() only. */
static const void *cursor_next(struct check_cursor *cur)
{
	const u32 *flags;
	size_t offset;

	do {
		while (!cur->block || cur->index >= cur->block->count) {
			cur->block_pa = cur->next_pa;
			cur->block = map_block(cur->check->ops, cur->block_pa);
			if (!cur->block)
				return NULL;
			cur->next_pa = cur->block->next;
			cur->index = 0;
		}

		offset = sizeof(*cur->block) + cur->index * cur->chain->size;
		cur->index++;
		cur->pa = cur->block_pa + offset;
		/* All records begin with their flags */
		flags = (const void *)cur->block + offset;
	} while (*flags & IOMMU_SER_DELETED);

	return flags;
}

static const void *find_record(const struct check *c,
			       const struct check_chain *chain, u64 pa)
{
	struct check_cursor cur = cursor_init(c, chain);
	const void *record;

	while ((record = cursor_next(&cur)))
		if (cur.pa == pa)
			return record;
	return NULL;
}

static u32 crc_chain(u32 crc, const struct iommu_liveupdate_check_ops *ops,
		     u64 pa, u32 nr, size_t size)
{
	const struct kho_block_header_ser *block;
	u64 count;

	/* @nr bounds the loop, for what the writer got wrong as well */
	while (nr) {
		block = map_block(ops, pa);
		if (!block || !block->count)
			break;
		count = min3(block->count, records_per_block(size), (u64)nr);
		crc = crc32_le(crc, (const void *)block,
			       sizeof(*block) + count * size);
		nr -= count;
		pa = block->next;
	}
	return crc;
}

/**
 * iommu_liveupdate_crc - Checksum over all records
 * @ser: Top object
 * @ops: How to reach the blocks
 *
 * The value in @ser->crc is not part of it. Blocks that cannot be reached are
 * left out, so the result means something only for chains that are intact.
 *
 * Context: Any that @ops allow.
 * Return: What belongs into @ser->crc.
 */
u32 iommu_liveupdate_crc(const struct iommu_ser *ser,
			 const struct iommu_liveupdate_check_ops *ops)
{
	struct iommu_ser top = *ser;
	u32 crc;

	top.crc = 0;
	crc = crc32_le(~0u, (const void *)&top, sizeof(top));
	crc = crc_chain(crc, ops, top.units_pa, top.nr_units,
			sizeof(struct iommu_unit_ser));
	crc = crc_chain(crc, ops, top.domains_pa, top.nr_domains,
			sizeof(struct iommu_domain_ser));
	return crc_chain(crc, ops, top.attachments_pa, top.nr_attachments,
			 sizeof(struct iommu_attachment_ser));
}

static int check_top(struct check *c)
{
	const struct iommu_ser *ser = c->ser;

	if (ser->version != IOMMU_SER_VERSION) {
		c->reason = "unknown version";
		return -EPROTONOSUPPORT;
	}
	if (ser->length != sizeof(*ser))
		return refuse(c, "length does not fit the version");
	if (ser->reserved || ser->reserved2)
		return refuse(c, "reserved field of the top object is not 0");
	return 0;
}

static int check_chain(struct check *c, const struct check_chain *chain)
{
	const struct kho_block_header_ser *block;
	u64 pa = chain->head_pa;
	u64 nr = 0;

	if (chain->nr > IOMMU_LIVEUPDATE_MAX_RECORDS)
		return refuse(c, "too many records");

	/* Each block adds at least one record, so this comes to an end */
	while (pa) {
		block = map_block(c->ops, pa);
		if (!block)
			return refuse(c, "block is not in preserved memory");
		if (!block->count ||
		    block->count > records_per_block(chain->size))
			return refuse(c, "block with a bad number of records");
		nr += block->count;
		if (nr > chain->nr)
			return refuse(c, "chain is cyclic or has too many records");
		pa = block->next;
	}

	if (nr != chain->nr)
		return refuse(c, "chain has too few records");
	return 0;
}

/* Finish frees every block of every chain once. */
static int check_chains_disjoint(struct check *c, const struct check_chain *a,
				 const struct check_chain *b)
{
	const struct kho_block_header_ser *block_a, *block_b;
	u64 pa_a, pa_b;

	for (pa_a = a->head_pa; pa_a; pa_a = block_a->next) {
		block_a = map_block(c->ops, pa_a);
		if (!block_a)
			return refuse(c, "block is not in preserved memory");
		for (pa_b = b->head_pa; pa_b; pa_b = block_b->next) {
			if (pa_a == pa_b)
				return refuse(c, "block belongs to two chains");
			block_b = map_block(c->ops, pa_b);
			if (!block_b)
				return refuse(c, "block is not in preserved memory");
		}
	}
	return 0;
}

static int check_chains(struct check *c)
{
	int ret;

	ret = check_chain(c, &c->units);
	if (ret)
		return ret;
	ret = check_chain(c, &c->domains);
	if (ret)
		return ret;
	ret = check_chain(c, &c->attachments);
	if (ret)
		return ret;

	ret = check_chains_disjoint(c, &c->units, &c->domains);
	if (ret)
		return ret;
	ret = check_chains_disjoint(c, &c->units, &c->attachments);
	if (ret)
		return ret;
	return check_chains_disjoint(c, &c->domains, &c->attachments);
}

static int check_crc(struct check *c)
{
	if (c->ser->crc == iommu_liveupdate_crc(c->ser, c->ops))
		return 0;
	c->reason = "checksum is wrong";
	return -EBADMSG;
}

/* Deleted records are skipped, but they have no flag that is not known. */
static int check_flags(struct check *c, const struct check_chain *chain)
{
	const struct kho_block_header_ser *block;
	u64 pa, i;

	for (pa = chain->head_pa; pa; pa = block->next) {
		block = map_block(c->ops, pa);
		if (!block)
			return refuse(c, "block is not in preserved memory");
		for (i = 0; i < block->count; i++) {
			const u32 *flags = (const void *)(block + 1) +
					   i * chain->size;

			if (*flags & ~IOMMU_SER_DELETED)
				return refuse(c, "record with unknown flags");
		}
	}
	return 0;
}

static const char *check_unit_mock(const struct iommu_unit_ser *unit,
				   const struct iommu_liveupdate_check_ops *ops)
{
	if (unit->root_pa && !iommu_liveupdate_preserved(ops, unit->root_pa, 0))
		return "root table is not preserved";
	return NULL;
}

static const struct iommu_liveupdate_check_type check_type_mock = {
	.type = IOMMU_UNIT_SER_MOCK,
	.name = "mock",
	.unit = check_unit_mock,
};

/* Kinds of units that this kernel has a driver for */
static const struct iommu_liveupdate_check_type *const check_types[] = {
#ifdef CONFIG_INTEL_IOMMU
	&intel_liveupdate_check_type,
#endif
	&check_type_mock,
};

static const struct iommu_liveupdate_check_type *find_type(u32 type)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(check_types); i++)
		if (check_types[i]->type == type)
			return check_types[i];
	return NULL;
}

/**
 * iommu_liveupdate_type_name - Name a kind of unit
 * @type: IOMMU_UNIT_SER_*, or any other number
 *
 * Context: Any.
 * Return: A short word.
 */
const char *iommu_liveupdate_type_name(u32 type)
{
	const struct iommu_liveupdate_check_type *found = find_type(type);

	return found ? found->name : "unknown";
}

static int check_unit_alone(struct check *c, const struct iommu_unit_ser *unit)
{
	const struct iommu_liveupdate_check_type *type = find_type(unit->type);
	const char *reason;

	if (!unit->base)
		return refuse(c, "unit without registers");
	if (!type)
		return refuse(c, "unit of unknown type");

	reason = type->unit(unit, c->ops);
	return reason ? refuse(c, reason) : 0;
}

/* @cur is at @unit, a copy of it goes through those that follow. */
static int check_unit_twice(struct check *c, struct check_cursor cur,
			    const struct iommu_unit_ser *unit)
{
	const struct iommu_liveupdate_check_type *type = find_type(unit->type);
	const struct iommu_unit_ser *other;

	while ((other = cursor_next(&cur))) {
		if (other->base == unit->base)
			return refuse(c, "two units with the same registers");
		if (type->own_root && other->root_pa == unit->root_pa)
			return refuse(c, "two units with the same root table");
	}
	return 0;
}

static int check_units(struct check *c)
{
	struct check_cursor cur = cursor_init(c, &c->units);
	const struct iommu_unit_ser *unit;
	int ret;

	ret = check_flags(c, &c->units);
	if (ret)
		return ret;

	while ((unit = cursor_next(&cur))) {
		ret = check_unit_alone(c, unit);
		if (ret)
			return ret;
		ret = check_unit_twice(c, cur, unit);
		if (ret)
			return ret;
	}
	return 0;
}

static const struct check_format *find_format(u32 pt_format)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(check_formats); i++)
		if (check_formats[i].pt_format == pt_format)
			return &check_formats[i];
	return NULL;
}

static int check_domain_geometry(struct check *c,
				 const struct iommu_domain_ser *dser)
{
	const struct check_format *fmt = find_format(dser->pt_format);
	unsigned int item_lg2;

	if (!fmt)
		return refuse(c, "domain of unknown format");
	if (dser->pt_features & ~fmt->features)
		return refuse(c, "domain with features its format lacks");
	if (dser->top_level < fmt->min_level ||
	    dser->top_level > fmt->max_level)
		return refuse(c, "domain with an impossible top level");

	/* What one entry of the top table translates */
	item_lg2 = fmt->granule_lg2 + CHECK_LEVEL_LG2 * dser->top_level;
	if (dser->vasz_lg2 < item_lg2 || dser->vasz_lg2 > fmt->max_vasz_lg2 ||
	    (!(dser->pt_features & IOMMU_DOMAIN_SER_DYNAMIC_TOP) &&
	     dser->vasz_lg2 > item_lg2 + CHECK_LEVEL_LG2))
		return refuse(c, "domain with an impossible input size");
	if (dser->oasz_lg2 <= fmt->granule_lg2 ||
	    dser->oasz_lg2 > fmt->max_oasz_lg2)
		return refuse(c, "domain with an impossible output size");
	if (!dser->pgsize_bitmap ||
	    !IS_ALIGNED(dser->pgsize_bitmap, BIT_ULL(fmt->granule_lg2)))
		return refuse(c, "domain with impossible page sizes");
	return 0;
}

static int check_domain_alone(struct check *c,
			      const struct iommu_domain_ser *dser)
{
	int ret;

	if (dser->reserved)
		return refuse(c, "reserved field of a domain is not 0");
	if (dser->domain_flags & ~IOMMU_DOMAIN_SER_FORCE_SNOOP)
		return refuse(c, "domain with unknown settings");
	ret = check_domain_geometry(c, dser);
	if (ret)
		return ret;

	if (!is_preserved(c, dser->top_pa, 0))
		return refuse(c, "top table is not preserved");
	if (!dser->nr_tables)
		return refuse(c, "domain without tables");
	if (dser->nr_tables == 1 && dser->digest != dser->top_pa >> PAGE_SHIFT)
		return refuse(c, "digest does not fit the only table");
	return 0;
}

static int check_domain_twice(struct check *c, struct check_cursor cur,
			      const struct iommu_domain_ser *dser)
{
	const struct iommu_domain_ser *other;

	while ((other = cursor_next(&cur)))
		if (other->top_pa == dser->top_pa)
			return refuse(c, "two domains with the same top table");
	return 0;
}

static int check_domains(struct check *c)
{
	struct check_cursor cur = cursor_init(c, &c->domains);
	const struct iommu_domain_ser *dser;
	int ret;

	ret = check_flags(c, &c->domains);
	if (ret)
		return ret;

	while ((dser = cursor_next(&cur))) {
		ret = check_domain_alone(c, dser);
		if (ret)
			return ret;
		ret = check_domain_twice(c, cur, dser);
		if (ret)
			return ret;
	}
	return 0;
}

static bool has_rid(const struct iommu_attachment_ser *att, unsigned int nr,
		    u16 rid)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		if (att->rids[i] == rid)
			return true;
	return false;
}

static int check_attachment_rids(struct check *c,
				 const struct iommu_attachment_ser *att)
{
	unsigned int i;

	if (!att->nr_rids || att->nr_rids > IOMMU_ATTACHMENT_SER_RIDS)
		return refuse(c, "attachment with a bad number of requester ids");
	if (att->rids[0] != att->rid)
		return refuse(c, "first requester id is not the device's own");
	for (i = 1; i < att->nr_rids; i++)
		if (has_rid(att, i, att->rids[i]))
			return refuse(c, "requester id occurs twice");
	for (; i < IOMMU_ATTACHMENT_SER_RIDS; i++)
		if (att->rids[i])
			return refuse(c, "unused requester id is not 0");
	return 0;
}

static int check_attachment_pasid_dir(struct check *c,
				      const struct iommu_attachment_ser *att)
{
	if (!att->pasid_dir_pa) {
		if (att->pasid_dir_order || att->max_pasid)
			return refuse(c, "PASIDs without a directory");
		return 0;
	}

	if (!is_preserved(c, att->pasid_dir_pa, att->pasid_dir_order))
		return refuse(c, "PASID directory is not preserved");
	if (!att->max_pasid || att->max_pasid > CHECK_MAX_PASIDS)
		return refuse(c, "impossible number of PASIDs");
	return 0;
}

static int check_attachment_alone(struct check *c,
				  const struct iommu_attachment_ser *att)
{
	const struct iommu_liveupdate_check_type *type;
	const struct iommu_domain_ser *dser;
	const struct iommu_unit_ser *unit;
	const char *reason = NULL;
	int ret;

	if (att->reserved)
		return refuse(c, "reserved field of an attachment is not 0");
	if (att->hw_id > CHECK_MAX_HW_ID)
		return refuse(c, "impossible hardware id");
	ret = check_attachment_rids(c, att);
	if (ret)
		return ret;
	ret = check_attachment_pasid_dir(c, att);
	if (ret)
		return ret;

	dser = find_record(c, &c->domains, att->domain_pa);
	if (!dser)
		return refuse(c, "attachment to a domain without a record");
	unit = find_record(c, &c->units, att->unit_pa);
	if (!unit)
		return refuse(c, "attachment to a unit without a record");
	type = find_type(unit->type);
	if (type->attachment)
		reason = type->attachment(att, unit, dser);
	return reason ? refuse(c, reason) : 0;
}

static int check_attachment_twice(struct check *c, struct check_cursor cur,
				  const struct iommu_attachment_ser *att)
{
	const struct iommu_attachment_ser *other;
	unsigned int i;

	while ((other = cursor_next(&cur))) {
		/* @other has not been checked yet */
		unsigned int nr = min_t(unsigned int, other->nr_rids,
					IOMMU_ATTACHMENT_SER_RIDS);

		for (i = 0; other->segment == att->segment && i < nr; i++)
			if (has_rid(att, att->nr_rids, other->rids[i]))
				return refuse(c, "requester id occurs twice");

		if (other->unit_pa == att->unit_pa &&
		    other->hw_id == att->hw_id &&
		    other->domain_pa != att->domain_pa)
			return refuse(c, "two domains with the same hardware id");
		if (other->unit_pa == att->unit_pa &&
		    other->hw_id != att->hw_id &&
		    other->domain_pa == att->domain_pa)
			return refuse(c, "domain with two hardware ids on a unit");

		if (other->pasid_dir_pa &&
		    other->pasid_dir_pa == att->pasid_dir_pa)
			return refuse(c, "two devices with the same PASID directory");
	}
	return 0;
}

static int check_attachments(struct check *c)
{
	struct check_cursor cur = cursor_init(c, &c->attachments);
	const struct iommu_attachment_ser *att;
	int ret;

	ret = check_flags(c, &c->attachments);
	if (ret)
		return ret;

	while ((att = cursor_next(&cur))) {
		ret = check_attachment_alone(c, att);
		if (ret)
			return ret;
		ret = check_attachment_twice(c, cur, att);
		if (ret)
			return ret;
	}
	return 0;
}

static u32 count_attachments(const struct check *c, u64 unit_pa, u64 domain_pa)
{
	struct check_cursor cur = cursor_init(c, &c->attachments);
	const struct iommu_attachment_ser *att;
	u32 nr = 0;

	while ((att = cursor_next(&cur)))
		if (att->unit_pa == unit_pa || att->domain_pa == domain_pa)
			nr++;
	return nr;
}

static int check_counts(struct check *c)
{
	struct check_cursor units = cursor_init(c, &c->units);
	struct check_cursor domains = cursor_init(c, &c->domains);
	const struct iommu_domain_ser *dser;
	const struct iommu_unit_ser *unit;

	/* No record is at address 0 */
	while ((unit = cursor_next(&units)))
		if (unit->nr_devices != count_attachments(c, units.pa, 0))
			return refuse(c, "unit with a wrong number of devices");
	while ((dser = cursor_next(&domains)))
		if (dser->nr_attachments !=
		    count_attachments(c, 0, domains.pa))
			return refuse(c, "domain with a wrong number of attachments");
	return 0;
}

static int check_all(struct check *c)
{
	static int (*const checks[])(struct check *c) = {
		check_top,
		check_chains,
		check_crc,
		check_units,
		check_domains,
		check_attachments,
		check_counts,
	};
	unsigned int i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(checks); i++) {
		ret = checks[i](c);
		if (ret)
			return ret;
	}
	return 0;
}

/**
 * iommu_liveupdate_check - Check all records before any of them is used
 * @ser: Top object. The caller has found the memory it lies in, sizeof(*ser)
 *	 bytes, to be preserved.
 * @ops: How to reach everything else
 * @reason: Set to what is wrong if the check fails, to NULL otherwise. Not
 *	    NULL itself.
 *
 * Trusts no byte: it follows no address that @ops do not call preserved, and
 * ends after a bounded number of steps, whatever it reads.
 *
 * It does not tell apart "nothing was handed over"; without records it is not
 * called.
 *
 * Context: Any that @ops allow.
 * Return: 0 if all is well, -EPROTONOSUPPORT if the records have another
 * version, -EBADMSG if the checksum is wrong, -EINVAL for everything else.
 */
int iommu_liveupdate_check(const struct iommu_ser *ser,
			   const struct iommu_liveupdate_check_ops *ops,
			   const char **reason)
{
	struct check c = {
		.ser = ser,
		.ops = ops,
		.units = { ser->units_pa, ser->nr_units,
			   sizeof(struct iommu_unit_ser) },
		.domains = { ser->domains_pa, ser->nr_domains,
			     sizeof(struct iommu_domain_ser) },
		.attachments = { ser->attachments_pa, ser->nr_attachments,
				 sizeof(struct iommu_attachment_ser) },
	};
	int ret = check_all(&c);

	*reason = c.reason;
	return ret;
}
