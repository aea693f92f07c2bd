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
 * here. These are functions over bytes. They allocate nothing, keep nothing,
 * and reach memory through two callbacks only, so that the same source runs
 * in the kernel, in tests and fuzzers in user space, and in tools that show
 * records.
 *
 * What iommu_liveupdate_check() does, in this order:
 *
 * 1. check_top(): version, length, size of pages.
 * 2. check_chain(): the blocks of the four chains lie in preserved memory, are
 *    filled within bounds, come to an end, and hold as many records as the top
 *    object says. A chain that runs into itself holds more.
 * 3. iommu_liveupdate_crc(): the checksum. From here on what is wrong was
 *    written that way.
 * 4. check_units(), check_domains(), check_devices(), check_attachments(): each
 *    record by itself, what it refers to, and what must not occur twice.
 * 5. check_counts(): how many refer to a record.
 *
 * That is all of it but the parts that drivers add to the records. Nobody but
 * the driver of a unit's type uses these, so they are checked when that driver
 * first asks for one of its units, by functions of its own that are as pure: see
 * struct iommu_liveupdate_type. A unit whose driver never comes is of no use to
 * anybody, whatever its part says. iommu_liveupdate_check_type() makes the same
 * check before the records leave the old kernel.
 *
 * What hardware says is left to the driver as well: whether registers and live
 * entries agree with the records. The content of page tables is checked when a
 * page table is freed.
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

/* Architectural limits of PCI */
#define CHECK_MAX_RID		0xffffu
#define CHECK_MAX_PASIDS	BIT(20)
#define CHECK_MAX_STU		31
#define CHECK_MAX_QDEP		32

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
	struct check_chain devices;
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

/* A format has one line for each granule it can have */
static const struct check_format {
	u32 pt_format;
	u32 features;
	u8 granule_lg2;
	/* Index bits of one level */
	u8 level_lg2;
	u8 min_level;
	u8 max_level;
	u8 max_vasz_lg2;
	u8 max_oasz_lg2;
} check_formats[] = {
	{ IOMMU_DOMAIN_SER_AMDV1, IOMMU_DOMAIN_SER_DYNAMIC_TOP,
	  12, 9, 1, 5, 64, 52 },
	{ IOMMU_DOMAIN_SER_X86_64,
	  IOMMU_DOMAIN_SER_SIGN_EXTEND | IOMMU_DOMAIN_SER_INCOHERENT,
	  12, 9, 3, 4, 57, 52 },
	{ IOMMU_DOMAIN_SER_VTDSS, IOMMU_DOMAIN_SER_INCOHERENT,
	  12, 9, 2, 4, 57, 52 },
	{ IOMMU_DOMAIN_SER_RISCV_64, IOMMU_DOMAIN_SER_SIGN_EXTEND,
	  12, 9, 2, 4, 57, 56 },
	{ IOMMU_DOMAIN_SER_AMDV1_MOCK, IOMMU_DOMAIN_SER_DYNAMIC_TOP,
	  11, 9, 1, 4, 56, 51 },
};

static int refuse(struct check *c, const char *reason)
{
	c->reason = reason;
	return -EINVAL;
}

static bool is_preserved(const struct check *c, u64 pa, unsigned int order)
{
	return pa && order <= CHECK_MAX_ORDER &&
	       IS_ALIGNED(pa, (u64)PAGE_SIZE << order) &&
	       c->ops->preserved(c->ops->ctx, pa, order);
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
	crc = crc_chain(crc, ops, top.devices_pa, top.nr_devices,
			sizeof(struct iommu_device_ser));
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
	if (ser->page_shift != PAGE_SHIFT)
		return refuse(c, "pages of another size");
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
	const struct check_chain *const chains[] = {
		&c->units, &c->domains, &c->devices, &c->attachments,
	};
	unsigned int i, j;
	int ret;

	for (i = 0; i < ARRAY_SIZE(chains); i++) {
		ret = check_chain(c, chains[i]);
		if (ret)
			return ret;
	}
	for (i = 0; i < ARRAY_SIZE(chains); i++)
		for (j = 0; j < i; j++) {
			ret = check_chains_disjoint(c, chains[i], chains[j]);
			if (ret)
				return ret;
		}
	return 0;
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

/* An unused place is all zero */
static int check_table(struct check *c, const struct iommu_table_ser *table)
{
	if (!table->pa) {
		if (table->order || table->kind || table->flags)
			return refuse(c, "table without an address");
		return 0;
	}
	if (!table->kind || table->flags & ~IOMMU_TABLE_SER_SHARED)
		return refuse(c, "table of an unknown kind");
	if (!is_preserved(c, table->pa, table->order))
		return refuse(c, "table is not preserved");
	return 0;
}

static int check_unit_tables(struct check *c, const struct iommu_unit_ser *unit)
{
	unsigned int i, j;
	int ret;

	for (i = 0; i < IOMMU_UNIT_SER_TABLES; i++) {
		ret = check_table(c, &unit->tables[i]);
		if (ret)
			return ret;
		if (!unit->tables[i].pa)
			continue;
		if (i && !unit->tables[i - 1].pa)
			return refuse(c, "unit with a gap in its tables");
		for (j = 0; j < i; j++)
			if (unit->tables[j].pa == unit->tables[i].pa)
				return refuse(c, "table occurs twice");
	}
	return 0;
}

static int check_unit_alone(struct check *c, const struct iommu_unit_ser *unit)
{
	const char *part = (const char *)unit->driver_data;
	size_t length = unit->driver_length;

	if (!unit->base)
		return refuse(c, "unit without an address");
	if (unit->base_kind != IOMMU_UNIT_SER_BASE_MMIO &&
	    unit->base_kind != IOMMU_UNIT_SER_BASE_RID)
		return refuse(c, "unit with an address of an unknown kind");
	if (!unit->type)
		return refuse(c, "unit without a type");
	if (length > sizeof(unit->driver_data) ||
	    memchr_inv(part + length, 0, sizeof(unit->driver_data) - length))
		return refuse(c, "driver's part of a unit is too long");
	return check_unit_tables(c, unit);
}

/* Every driver that has it knows that others do */
static bool may_share(const struct iommu_unit_ser *a,
		      const struct iommu_table_ser *a_table,
		      const struct iommu_unit_ser *b,
		      const struct iommu_table_ser *b_table)
{
	return a->type == b->type && a_table->kind == b_table->kind &&
	       a_table->order == b_table->order &&
	       a_table->flags & b_table->flags & IOMMU_TABLE_SER_SHARED;
}

static int check_units_share(struct check *c, const struct iommu_unit_ser *a,
			     const struct iommu_unit_ser *b)
{
	unsigned int i, j;

	for (i = 0; i < IOMMU_UNIT_SER_TABLES && a->tables[i].pa; i++)
		for (j = 0; j < IOMMU_UNIT_SER_TABLES && b->tables[j].pa; j++)
			if (a->tables[i].pa == b->tables[j].pa &&
			    !may_share(a, &a->tables[i], b, &b->tables[j]))
				return refuse(c, "two units with the same table");
	return 0;
}

/* @cur is at @unit, a copy of it goes through those that follow. */
static int check_unit_twice(struct check *c, struct check_cursor cur,
			    const struct iommu_unit_ser *unit)
{
	const struct iommu_unit_ser *other;
	int ret;

	while ((other = cursor_next(&cur))) {
		if (other->base == unit->base &&
		    other->base_kind == unit->base_kind)
			return refuse(c, "two units at the same address");
		ret = check_units_share(c, unit, other);
		if (ret)
			return ret;
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

static const struct check_format *find_format(u32 pt_format, u8 granule_lg2)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(check_formats); i++)
		if (check_formats[i].pt_format == pt_format &&
		    check_formats[i].granule_lg2 == granule_lg2)
			return &check_formats[i];
	return NULL;
}

static int check_domain_geometry(struct check *c,
				 const struct iommu_domain_ser *dser)
{
	const struct check_format *fmt = find_format(dser->pt_format,
						     dser->granule_lg2);
	unsigned int item_lg2;

	if (!fmt)
		return refuse(c, "domain of unknown format");
	if (dser->pt_features & ~fmt->features)
		return refuse(c, "domain with features its format lacks");
	if (dser->top_level < fmt->min_level ||
	    dser->top_level > fmt->max_level)
		return refuse(c, "domain with an impossible top level");

	/* What one entry of the top table translates */
	item_lg2 = fmt->granule_lg2 + fmt->level_lg2 * dser->top_level;
	if (dser->vasz_lg2 < item_lg2 || dser->vasz_lg2 > fmt->max_vasz_lg2 ||
	    (!(dser->pt_features & IOMMU_DOMAIN_SER_DYNAMIC_TOP) &&
	     dser->vasz_lg2 > item_lg2 + fmt->level_lg2))
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

	if (memchr_inv(dser->reserved, 0, sizeof(dser->reserved)) ||
	    memchr_inv(dser->format_data, 0, sizeof(dser->format_data)) ||
	    dser->reserved2)
		return refuse(c, "reserved field of a domain is not 0");
	if (dser->domain_flags & ~IOMMU_DOMAIN_SER_FORCE_SNOOP)
		return refuse(c, "domain with unknown settings");
	ret = check_domain_geometry(c, dser);
	if (ret)
		return ret;

	if (!is_preserved(c, dser->top_pa, dser->top_order))
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

static bool has_id(const struct iommu_device_ser *dev, unsigned int nr, u32 id)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		if (dev->ids[i] == id)
			return true;
	return false;
}

static int check_device_ids(struct check *c, const struct iommu_device_ser *dev)
{
	unsigned int i;

	if (dev->rid > CHECK_MAX_RID)
		return refuse(c, "impossible requester id");
	if (!dev->nr_ids || dev->nr_ids > IOMMU_DEVICE_SER_IDS)
		return refuse(c, "device with a bad number of ids");
	for (i = 1; i < dev->nr_ids; i++)
		if (has_id(dev, i, dev->ids[i]))
			return refuse(c, "id occurs twice");
	for (; i < IOMMU_DEVICE_SER_IDS; i++)
		if (dev->ids[i])
			return refuse(c, "unused id is not 0");
	return 0;
}

static int check_device_table(struct check *c,
			      const struct iommu_device_ser *dev)
{
	int ret;

	ret = check_table(c, &dev->table);
	if (ret)
		return ret;
	if (dev->table.flags)
		return refuse(c, "table of a device is shared");
	if (!dev->table.pa && dev->max_pasid)
		return refuse(c, "PASIDs without a table");
	if (dev->max_pasid > CHECK_MAX_PASIDS)
		return refuse(c, "impossible number of PASIDs");
	return 0;
}

static int check_device_ats(struct check *c, const struct iommu_ats_ser *ats)
{
	if (ats->reserved)
		return refuse(c, "reserved field of a device is not 0");
	if (!ats->enabled) {
		if (ats->stu || ats->qdep || ats->pfsid)
			return refuse(c, "settings of ATS, which is off");
		return 0;
	}
	if (ats->enabled != 1 || ats->stu > CHECK_MAX_STU || !ats->qdep ||
	    ats->qdep > CHECK_MAX_QDEP || ats->pfsid > CHECK_MAX_RID)
		return refuse(c, "impossible settings of ATS");
	return 0;
}

/* The first device of a group, which the others name, names itself */
static int check_device_group(struct check *c,
			      const struct iommu_device_ser *dev)
{
	struct check_cursor cur = cursor_init(c, &c->devices);
	const struct iommu_device_ser *other;

	if (dev->group_key > dev->rid)
		return refuse(c, "group is named after another than its first device");
	while ((other = cursor_next(&cur)))
		if (other->segment == dev->segment &&
		    other->rid == dev->group_key &&
		    other->group_key == dev->group_key)
			return 0;
	return refuse(c, "group without its first device");
}

static int check_device_alone(struct check *c,
			      const struct iommu_device_ser *dev)
{
	int ret;

	ret = check_device_ids(c, dev);
	if (ret)
		return ret;
	ret = check_device_table(c, dev);
	if (ret)
		return ret;
	ret = check_device_ats(c, &dev->ats);
	if (ret)
		return ret;
	ret = check_device_group(c, dev);
	if (ret)
		return ret;
	if (!find_record(c, &c->units, dev->unit_pa))
		return refuse(c, "device behind a unit without a record");
	return 0;
}

static bool same_group(const struct iommu_device_ser *a,
		       const struct iommu_device_ser *b)
{
	return a->segment == b->segment && a->group_key == b->group_key;
}

static int check_device_twice(struct check *c, struct check_cursor cur,
			      const struct iommu_device_ser *dev)
{
	const struct iommu_device_ser *other;
	unsigned int i, nr;

	while ((other = cursor_next(&cur))) {
		if (other->segment == dev->segment && other->rid == dev->rid)
			return refuse(c, "device occurs twice");
		if (other->table.pa && other->table.pa == dev->table.pa)
			return refuse(c, "two devices with the same table");
		if (other->unit_pa != dev->unit_pa || same_group(other, dev))
			continue;
		/* @other has not been checked yet */
		nr = min_t(unsigned int, other->nr_ids, IOMMU_DEVICE_SER_IDS);
		for (i = 0; i < nr; i++)
			if (has_id(dev, dev->nr_ids, other->ids[i]))
				return refuse(c, "id occurs twice");
	}
	return 0;
}

static int check_devices(struct check *c)
{
	struct check_cursor cur = cursor_init(c, &c->devices);
	const struct iommu_device_ser *dev;
	int ret;

	ret = check_flags(c, &c->devices);
	if (ret)
		return ret;

	while ((dev = cursor_next(&cur))) {
		ret = check_device_alone(c, dev);
		if (ret)
			return ret;
		ret = check_device_twice(c, cur, dev);
		if (ret)
			return ret;
	}
	return 0;
}

/* Only of a group that is one device is a PASID that of a device */
static bool in_group_of_several(struct check *c,
				const struct iommu_device_ser *dev)
{
	struct check_cursor cur = cursor_init(c, &c->devices);
	const struct iommu_device_ser *other;

	while ((other = cursor_next(&cur)))
		if (other != dev && same_group(other, dev))
			return true;
	return false;
}

static int check_attachment_pasid(struct check *c, u32 pasid,
				  const struct iommu_device_ser *dev)
{
	if (pasid == IOMMU_ATTACHMENT_SER_NO_PASID)
		return 0;
	if (pasid >= dev->max_pasid)
		return refuse(c, "attachment of an impossible PASID");
	if (in_group_of_several(c, dev))
		return refuse(c, "attachment of a PASID in a group of several");
	return 0;
}

static int check_attachment_alone(struct check *c,
				  const struct iommu_attachment_ser *att)
{
	const struct iommu_device_ser *dev;

	if (att->reserved)
		return refuse(c, "reserved field of an attachment is not 0");
	dev = find_record(c, &c->devices, att->device_pa);
	if (!dev)
		return refuse(c, "attachment of a device without a record");
	if (!find_record(c, &c->domains, att->domain_pa))
		return refuse(c, "attachment to a domain without a record");
	return check_attachment_pasid(c, att->pasid, dev);
}

/* The record of its device was found before, and need not be looked for again */
static u64 unit_of(const struct check *c, const struct iommu_attachment_ser *att)
{
	const struct kho_block_header_ser *block;
	const struct iommu_device_ser *dev;
	u64 block_pa = ALIGN_DOWN(att->device_pa, KHO_BLOCK_SIZE);

	block = map_block(c->ops, block_pa);
	if (!block)
		return 0;
	dev = (const void *)block + (att->device_pa - block_pa);
	return dev->unit_pa;
}

/* Of what cannot be read it is not known */
static bool may_share_unit(const struct check *c,
			   const struct iommu_attachment_ser *a,
			   const struct iommu_attachment_ser *b)
{
	u64 unit_a = unit_of(c, a), unit_b = unit_of(c, b);

	return !unit_a || !unit_b || unit_a == unit_b;
}

static int check_attachment_twice(struct check *c, struct check_cursor cur,
				  const struct iommu_attachment_ser *att)
{
	const struct iommu_attachment_ser *other;
	bool same_id, same_domain;

	while ((other = cursor_next(&cur))) {
		if (other->device_pa == att->device_pa &&
		    other->pasid == att->pasid)
			return refuse(c, "device or PASID on two domains");

		same_id = other->hw_id == att->hw_id;
		same_domain = other->domain_pa == att->domain_pa;
		if (same_id == same_domain || !may_share_unit(c, att, other))
			continue;
		return refuse(c, same_id ?
			      "two domains with the same hardware id" :
			      "domain with two hardware ids on a unit");
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
	}

	cur = cursor_init(c, &c->attachments);
	while ((att = cursor_next(&cur))) {
		ret = check_attachment_twice(c, cur, att);
		if (ret)
			return ret;
	}
	return 0;
}

static u32 count_devices(const struct check *c, u64 unit_pa)
{
	struct check_cursor cur = cursor_init(c, &c->devices);
	const struct iommu_device_ser *dev;
	u32 nr = 0;

	while ((dev = cursor_next(&cur)))
		if (dev->unit_pa == unit_pa)
			nr++;
	return nr;
}

/* No record is at address 0 */
static u32 count_attachments(const struct check *c, u64 device_pa, u64 domain_pa)
{
	struct check_cursor cur = cursor_init(c, &c->attachments);
	const struct iommu_attachment_ser *att;
	u32 nr = 0;

	while ((att = cursor_next(&cur)))
		if (att->device_pa == device_pa || att->domain_pa == domain_pa)
			nr++;
	return nr;
}

/* What is attached by PASIDs has a group, and that has a domain */
static bool has_own_attachment(const struct check *c, u64 device_pa)
{
	struct check_cursor cur = cursor_init(c, &c->attachments);
	const struct iommu_attachment_ser *att;

	while ((att = cursor_next(&cur)))
		if (att->device_pa == device_pa &&
		    att->pasid == IOMMU_ATTACHMENT_SER_NO_PASID)
			return true;
	return false;
}

static int check_counts(struct check *c)
{
	struct check_cursor units = cursor_init(c, &c->units);
	struct check_cursor domains = cursor_init(c, &c->domains);
	struct check_cursor devices = cursor_init(c, &c->devices);
	const struct iommu_domain_ser *dser;
	const struct iommu_device_ser *dev;
	const struct iommu_unit_ser *unit;

	while ((unit = cursor_next(&units)))
		if (unit->nr_devices != count_devices(c, units.pa))
			return refuse(c, "unit with a wrong number of devices");
	while ((dser = cursor_next(&domains)))
		if (dser->nr_attachments !=
		    count_attachments(c, 0, domains.pa))
			return refuse(c, "domain with a wrong number of attachments");
	while ((dev = cursor_next(&devices))) {
		if (!dev->nr_attachments ||
		    dev->nr_attachments != count_attachments(c, devices.pa, 0))
			return refuse(c, "device with a wrong number of attachments");
		if (!has_own_attachment(c, devices.pa))
			return refuse(c, "device with PASIDs only");
	}
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
		check_devices,
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

static struct check check_init(const struct iommu_ser *ser,
			       const struct iommu_liveupdate_check_ops *ops)
{
	return (struct check){
		.ser = ser,
		.ops = ops,
		.units = { ser->units_pa, ser->nr_units,
			   sizeof(struct iommu_unit_ser) },
		.domains = { ser->domains_pa, ser->nr_domains,
			     sizeof(struct iommu_domain_ser) },
		.devices = { ser->devices_pa, ser->nr_devices,
			     sizeof(struct iommu_device_ser) },
		.attachments = { ser->attachments_pa, ser->nr_attachments,
				 sizeof(struct iommu_attachment_ser) },
	};
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
 * ends after a bounded number of steps, whatever it reads. The parts of drivers
 * are not looked at, see struct iommu_liveupdate_type.
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
	struct check c = check_init(ser, ops);
	int ret = check_all(&c);

	*reason = c.reason;
	return ret;
}

/* They have been found before, but that may have been another memory */
static const char *check_type_device(struct check *c,
				     const struct iommu_liveupdate_type *type,
				     const struct iommu_device_ser *dev)
{
	const struct iommu_unit_ser *unit;

	unit = find_record(c, &c->units, dev->unit_pa);
	if (!unit)
		return "record cannot be read";
	return unit->type == type->type ? type->device(dev, unit) : NULL;
}

static const char *check_type_attachment(struct check *c,
					 const struct iommu_liveupdate_type *type,
					 const struct iommu_attachment_ser *att)
{
	const struct iommu_domain_ser *dser;
	const struct iommu_device_ser *dev;
	const struct iommu_unit_ser *unit;

	dser = find_record(c, &c->domains, att->domain_pa);
	dev = find_record(c, &c->devices, att->device_pa);
	unit = dev ? find_record(c, &c->units, dev->unit_pa) : NULL;
	if (!dser || !unit)
		return "record cannot be read";
	return unit->type == type->type ?
	       type->attachment(att, dev, unit, dser) : NULL;
}

/**
 * iommu_liveupdate_check_type - Check what a driver has added to the records
 * @ser: Top object, for which iommu_liveupdate_check() has found nothing
 * @ops: How to reach everything else
 * @type: The driver's kind of unit
 *
 * Context: Any that @ops allow.
 * Return: NULL if all is well, else what is wrong.
 */
const char *iommu_liveupdate_check_type(const struct iommu_ser *ser,
					const struct iommu_liveupdate_check_ops *ops,
					const struct iommu_liveupdate_type *type)
{
	struct check c = check_init(ser, ops);
	struct check_cursor units = cursor_init(&c, &c.units);
	struct check_cursor devices = cursor_init(&c, &c.devices);
	struct check_cursor atts = cursor_init(&c, &c.attachments);
	const struct iommu_attachment_ser *att;
	const struct iommu_device_ser *dev;
	const struct iommu_unit_ser *unit;
	const char *reason = NULL;

	while (!reason && (unit = cursor_next(&units)))
		if (unit->type == type->type)
			reason = type->unit(unit);
	while (!reason && (dev = cursor_next(&devices)))
		reason = check_type_device(&c, type, dev);
	while (!reason && (att = cursor_next(&atts)))
		reason = check_type_attachment(&c, type, att);
	return reason;
}
