// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzzer of drivers/iommu/liveupdate-check.c: whatever the bytes are, the check
 * ends, stays within bounds, and what it accepts can be used without looking.
 */
#include <string.h>
#include <linux/array_size.h>
#include <linux/crc32.h>
#include "fuzz.h"
#include "image.h"

/* More than the standard records can become */
#define MOST_BLOCKS	16
#define MOST_RECORDS	256

/*
 * What the kernel relies on after the check, written without its help.
 *
 * The records that are not deleted, of one kind, with their addresses
 */
struct found {
	u64 pa;
	const void *record;
};

struct all_found {
	u32 crc;
	unsigned int nr_blocks, nr[IMAGE_KINDS];
	u64 blocks[MOST_BLOCKS];
	struct found found[IMAGE_KINDS][MOST_RECORDS];
};

static void find_block(struct image *image, struct all_found *all, enum image_kind kind, u64 pa)
{
	size_t size = image->chains[kind].size;
	const struct kho_block_header_ser *block;

	require(pa % PAGE_SIZE == 0 && image_page(image, pa) && image_page(image, pa)->preserved);
	block = image_ptr(image, pa);
	require(block && block->count && block->count <= (PAGE_SIZE - sizeof(*block)) / size);
	require(all->nr_blocks < MOST_BLOCKS);
	for (unsigned int i = 0; i < all->nr_blocks; i++)
		require(all->blocks[i] != pa);
	all->blocks[all->nr_blocks++] = pa;
	all->crc = crc32_le(all->crc, block, sizeof(*block) + block->count * size);

	for (u64 i = 0; i < block->count; i++) {
		const u32 *flags = (const void *)(block + 1) + i * size;

		require(!(*flags & ~IOMMU_SER_DELETED));
		if (*flags)
			continue;
		require(all->nr[kind] < MOST_RECORDS);
		all->found[kind][all->nr[kind]++] = (struct found){
			pa + sizeof(*block) + i * size, flags,
		};
	}
}

static void find_all(struct image *image, struct all_found *all)
{
	const u64 heads[] = { image->ser->units_pa, image->ser->domains_pa, image->ser->devices_pa,
			      image->ser->attachments_pa };
	const u32 numbers[] = { image->ser->nr_units, image->ser->nr_domains, image->ser->nr_devices,
				image->ser->nr_attachments };
	struct iommu_ser top = *image->ser;

	top.crc = 0;
	*all = (struct all_found){ .crc = crc32_le(~0, &top, sizeof(top)) };
	for (enum image_kind kind = UNITS; kind < IMAGE_KINDS; kind++) {
		u64 nr = 0;

		for (u64 pa = heads[kind]; pa;) {
			const struct kho_block_header_ser *block = image_ptr(image, pa);

			find_block(image, all, kind, pa);
			nr += block->count;
			pa = block->next;
		}
		require(nr == numbers[kind]);
	}
	require(all->crc == image->ser->crc);
}

static const void *find(const struct all_found *all, enum image_kind kind, u64 pa)
{
	for (unsigned int i = 0; i < all->nr[kind]; i++)
		if (all->found[kind][i].pa == pa)
			return all->found[kind][i].record;
	return NULL;
}

static bool is_preserved(struct image *image, u64 pa, unsigned int order)
{
	const struct image_page *page = image_page(image, pa);

	return page && page->preserved && page->order == order && pa % PAGE_SIZE == 0;
}

static bool is_scalable(const struct iommu_unit_ser *unit)
{
	return iommu_unit_vtd_const(unit)->flags & IOMMU_UNIT_VTD_SCALABLE;
}

static void require_table(struct image *image, const struct iommu_table_ser *table)
{
	if (!table->pa)
		require(!table->order && !table->kind && !table->flags);
	else
		require(is_preserved(image, table->pa, table->order) && table->kind && table->flags < 2);
}

static void require_vtd_unit(const struct iommu_unit_ser *unit)
{
	const struct iommu_table_ser *root = &unit->tables[0], *irt = &unit->tables[1];
	const struct iommu_unit_vtd_ser *vtd = iommu_unit_vtd_const(unit);

	require(unit->driver_length == sizeof(*vtd) && vtd->flags < 2 && !vtd->reserved);
	require(unit->base_kind == IOMMU_UNIT_SER_BASE_MMIO && unit->segment < 0x10000);
	require(root->pa && root->kind == 1 && !root->order && !root->flags && !unit->tables[2].pa);
	require(vtd->rtaddr == (root->pa | (is_scalable(unit) ? 0x400 : 0)));
	require(is_scalable(unit) || !(vtd->context_tables[4] | vtd->context_tables[5] |
				       vtd->context_tables[6] | vtd->context_tables[7]));
	if (irt->pa) {
		require(irt->kind == 2 && !irt->flags && vtd->irta >> 12 == irt->pa >> 12);
		require(32ULL << (vtd->irta & 15) <= PAGE_SIZE << irt->order);
	} else {
		require(!vtd->irta);
	}
}

static void require_unit(struct image *image, const struct iommu_unit_ser *unit)
{
	const unsigned char *part = (const unsigned char *)unit->driver_data;

	require(unit->base && unit->type && unit->base_kind >= 1 && unit->base_kind <= 2);
	require(unit->driver_length <= sizeof(unit->driver_data));
	for (size_t i = unit->driver_length; i < sizeof(unit->driver_data); i++)
		require(!part[i]);
	for (unsigned int i = 0; i < ARRAY_SIZE(unit->tables); i++) {
		require_table(image, &unit->tables[i]);
		for (unsigned int j = 0; j < i && unit->tables[i].pa; j++)
			require(unit->tables[j].pa && unit->tables[j].pa != unit->tables[i].pa);
	}
}

static void require_two_units(const struct iommu_unit_ser *a, const struct iommu_unit_ser *b)
{
	require(a->base != b->base || a->base_kind != b->base_kind ||
		(a->base_kind == IOMMU_UNIT_SER_BASE_RID && a->segment != b->segment));
	for (unsigned int i = 0; i < ARRAY_SIZE(a->tables); i++)
		for (unsigned int j = 0; j < ARRAY_SIZE(b->tables); j++)
			if (a->tables[i].pa && a->tables[i].pa == b->tables[j].pa)
				require(a->type == b->type &&
					!memcmp(&a->tables[i], &b->tables[j], sizeof(a->tables[i])) &&
					a->tables[i].flags == IOMMU_TABLE_SER_SHARED);
}

static const struct levels {
	u32 pt_format;
	u8 min, max;
} levels[] = {
	{ IOMMU_DOMAIN_SER_AMDV1, 1, 5 },
	{ IOMMU_DOMAIN_SER_X86_64, 3, 4 },
	{ IOMMU_DOMAIN_SER_VTDSS, 2, 4 },
	{ IOMMU_DOMAIN_SER_RISCV_64, 2, 4 },
	{ IOMMU_DOMAIN_SER_AMDV1_MOCK, 1, 4 },
};

static bool is_level(const struct iommu_domain_ser *dser)
{
	for (size_t i = 0; i < ARRAY_SIZE(levels); i++)
		if (levels[i].pt_format == dser->pt_format)
			return dser->top_level >= levels[i].min && dser->top_level <= levels[i].max;
	return false;
}

static void require_domain(struct image *image, const struct iommu_domain_ser *dser)
{
	require(is_preserved(image, dser->top_pa, dser->top_order));
	require(dser->nr_tables && !dser->reserved[0] && !dser->reserved[1] && !dser->reserved[2] && !dser->reserved2);
	for (unsigned int i = 0; i < ARRAY_SIZE(dser->format_data); i++)
		require(!dser->format_data[i]);
	require(dser->granule_lg2 == (dser->pt_format == IOMMU_DOMAIN_SER_AMDV1_MOCK ? 11 : 12));
	require(dser->nr_tables > 1 || dser->digest == dser->top_pa / PAGE_SIZE);
	require(!(dser->domain_flags & ~IOMMU_DOMAIN_SER_FORCE_SNOOP));
	require(is_level(dser));
	require(dser->vasz_lg2 >= 11 + 9 * dser->top_level && dser->vasz_lg2 <= 64);
	require(dser->oasz_lg2 >= 12 && dser->oasz_lg2 <= 56);
	require(dser->pgsize_bitmap && !(dser->pgsize_bitmap & 0x7ff));
}

static bool has_context(const struct iommu_unit_ser *unit, u32 rid)
{
	unsigned int bit = is_scalable(unit) ? rid >> 7 : rid >> 8;

	return iommu_unit_vtd_const(unit)->context_tables[bit / 64] >> bit % 64 & 1;
}

static void require_vtd_device(const struct iommu_device_ser *dev, const struct iommu_unit_ser *unit)
{
	require(dev->segment == unit->segment && dev->ids[0] == dev->rid && !dev->ats.enabled);
	for (unsigned int i = 0; i < dev->nr_ids; i++)
		require(dev->ids[i] < 0x10000 && has_context(unit, dev->ids[i]));
	for (unsigned int i = 0; i < ARRAY_SIZE(dev->driver_data); i++)
		require(!dev->driver_data[i]);
	require(is_scalable(unit) == (dev->table.pa != 0));
	require(!dev->table.pa || dev->table.kind == 3);
	require(!dev->table.pa || (dev->max_pasid && dev->max_pasid <= 8 * (u64)PAGE_SIZE << dev->table.order));
}

static void require_ats(const struct iommu_ats_ser *ats)
{
	require(!ats->reserved);
	if (ats->enabled)
		require(ats->enabled == 1 && ats->stu < 32 && ats->qdep >= 1 && ats->qdep <= 32 && ats->pfsid < 0x10000);
	else
		require(!ats->stu && !ats->qdep && !ats->pfsid);
}

/* The one that its group is named after */
static bool has_leader(const struct all_found *all, const struct iommu_device_ser *dev)
{
	for (unsigned int i = 0; i < all->nr[DEVICES]; i++) {
		const struct iommu_device_ser *other = all->found[DEVICES][i].record;

		if (other->segment == dev->segment && other->rid == dev->group_key && other->group_key == other->rid)
			return true;
	}
	return false;
}

static void require_device(struct image *image, const struct all_found *all, const struct iommu_device_ser *dev)
{
	require(find(all, UNITS, dev->unit_pa) && dev->rid < 0x10000);
	require(dev->nr_ids && dev->nr_ids <= ARRAY_SIZE(dev->ids));
	for (unsigned int i = 0; i < ARRAY_SIZE(dev->ids); i++)
		for (unsigned int j = 0; j < i; j++)
			require(i >= dev->nr_ids ? !dev->ids[i] : dev->ids[i] != dev->ids[j]);
	require_table(image, &dev->table);
	require(!dev->table.flags && dev->max_pasid <= 1 << 20 && (dev->table.pa || !dev->max_pasid));
	require_ats(&dev->ats);
	require(dev->group_key <= dev->rid && has_leader(all, dev));
}

static void require_two_devices(const struct iommu_device_ser *a, const struct iommu_device_ser *b)
{
	require(a->segment != b->segment || a->rid != b->rid);
	require(!a->table.pa || a->table.pa != b->table.pa);
	if (a->unit_pa != b->unit_pa || (a->segment == b->segment && a->group_key == b->group_key))
		return;
	for (unsigned int i = 0; i < a->nr_ids; i++)
		for (unsigned int j = 0; j < b->nr_ids; j++)
			require(a->ids[i] != b->ids[j]);
}

static u64 unit_of(const struct all_found *all, const struct iommu_attachment_ser *att)
{
	const struct iommu_device_ser *dev = find(all, DEVICES, att->device_pa);

	return dev->unit_pa;
}

static bool is_alone(const struct all_found *all, const struct iommu_device_ser *dev)
{
	for (unsigned int i = 0; i < all->nr[DEVICES]; i++) {
		const struct iommu_device_ser *other = all->found[DEVICES][i].record;

		if (other != dev && other->segment == dev->segment && other->group_key == dev->group_key)
			return false;
	}
	return true;
}

static void require_attachment(const struct all_found *all, const struct iommu_attachment_ser *att)
{
	const struct iommu_domain_ser *dser = find(all, DOMAINS, att->domain_pa);
	const struct iommu_device_ser *dev = find(all, DEVICES, att->device_pa);

	require(dser && dev && !att->reserved);
	require(!att->pasid || (att->pasid < dev->max_pasid && is_alone(all, dev)));
}

static void require_two_attachments(const struct all_found *all, const struct iommu_attachment_ser *a,
				    const struct iommu_attachment_ser *b)
{
	require(a->device_pa != b->device_pa || a->pasid != b->pasid);
	if (unit_of(all, a) == unit_of(all, b))
		require((a->hw_id == b->hw_id) == (a->domain_pa == b->domain_pa));
}

static void require_attachments(const struct all_found *all)
{
	const struct found *found = all->found[ATTACHMENTS];

	for (unsigned int i = 0; i < all->nr[ATTACHMENTS]; i++) {
		require_attachment(all, found[i].record);
		for (unsigned int j = 0; j < i; j++)
			require_two_attachments(all, found[i].record, found[j].record);
	}
}

/* How many devices or attachments refer to it */
static u32 users(const struct all_found *all, u64 pa)
{
	u32 nr = 0;

	for (unsigned int i = 0; i < all->nr[DEVICES]; i++)
		nr += ((const struct iommu_device_ser *)all->found[DEVICES][i].record)->unit_pa == pa;
	for (unsigned int i = 0; i < all->nr[ATTACHMENTS]; i++) {
		const struct iommu_attachment_ser *att = all->found[ATTACHMENTS][i].record;

		nr += att->device_pa == pa || att->domain_pa == pa;
	}
	return nr;
}

static bool has_own_attachment(const struct all_found *all, u64 pa)
{
	for (unsigned int i = 0; i < all->nr[ATTACHMENTS]; i++) {
		const struct iommu_attachment_ser *att = all->found[ATTACHMENTS][i].record;

		if (att->device_pa == pa && !att->pasid)
			return true;
	}
	return false;
}

static void require_devices(struct image *image, const struct all_found *all)
{
	const struct found *found = all->found[DEVICES];

	for (unsigned int i = 0; i < all->nr[DEVICES]; i++) {
		const struct iommu_device_ser *dev = found[i].record;

		require_device(image, all, dev);
		require(dev->nr_attachments && dev->nr_attachments == users(all, found[i].pa));
		require(has_own_attachment(all, found[i].pa));
		for (unsigned int j = 0; j < i; j++)
			require_two_devices(dev, found[j].record);
	}
}

static void require_units(struct image *image, const struct all_found *all)
{
	const struct found *found = all->found[UNITS];

	for (unsigned int i = 0; i < all->nr[UNITS]; i++) {
		const struct iommu_unit_ser *unit = found[i].record;

		require_unit(image, unit);
		require(unit->nr_devices == users(all, found[i].pa));
		for (unsigned int j = 0; j < i; j++)
			require_two_units(unit, found[j].record);
	}
}

static void require_domains(struct image *image, const struct all_found *all)
{
	const struct found *found = all->found[DOMAINS];

	for (unsigned int i = 0; i < all->nr[DOMAINS]; i++) {
		const struct iommu_domain_ser *dser = found[i].record;

		require_domain(image, dser);
		require(dser->nr_attachments == users(all, found[i].pa));
		for (unsigned int j = 0; j < i; j++)
			require(dser->top_pa != ((const struct iommu_domain_ser *)found[j].record)->top_pa);
	}
}

static void require_vtd_attachment(const struct all_found *all, const struct iommu_attachment_ser *att)
{
	const struct iommu_domain_ser *dser = find(all, DOMAINS, att->domain_pa);
	const struct iommu_device_ser *dev = find(all, DEVICES, att->device_pa);
	const struct iommu_unit_ser *unit = find(all, UNITS, dev->unit_pa);

	if (unit->type != IOMMU_UNIT_SER_VTD)
		return;
	require(!att->pasid && att->hw_id < 0x10000);
	require(dser->pt_format == IOMMU_DOMAIN_SER_VTDSS ||
		(is_scalable(unit) && dser->pt_format == IOMMU_DOMAIN_SER_X86_64));
}

/* What the driver of VT-d relies on besides, after its own check */
static void require_vtd(const struct all_found *all)
{
	for (unsigned int i = 0; i < all->nr[UNITS]; i++) {
		const struct iommu_unit_ser *unit = all->found[UNITS][i].record;

		if (unit->type == IOMMU_UNIT_SER_VTD)
			require_vtd_unit(unit);
	}
	for (unsigned int i = 0; i < all->nr[DEVICES]; i++) {
		const struct iommu_device_ser *dev = all->found[DEVICES][i].record;
		const struct iommu_unit_ser *unit = find(all, UNITS, dev->unit_pa);

		if (unit->type == IOMMU_UNIT_SER_VTD)
			require_vtd_device(dev, unit);
	}
	for (unsigned int i = 0; i < all->nr[ATTACHMENTS]; i++)
		require_vtd_attachment(all, all->found[ATTACHMENTS][i].record);
}

/* One that the drivers refuse has to be usable by the core. */
static void require_usable(struct image *image, bool vtd)
{
	static struct all_found all;
	const struct iommu_ser *ser = image->ser;

	require(ser->version == IOMMU_SER_VERSION && ser->length == sizeof(*ser));
	require(ser->page_shift == 12);
	find_all(image, &all);
	require_units(image, &all);
	require_domains(image, &all);
	require_devices(image, &all);
	require_attachments(&all);
	if (vtd)
		require_vtd(&all);
}

/* That of some page, or of something right behind its beginning */
static u64 some_address(struct image *image)
{
	return IMAGE_BASE + fuzz_u32() % image->nr_pages * PAGE_SIZE + fuzz_u32() % 2 * 8;
}

/* No record is left: what refers to them does not matter any more. */
static void delete_all(struct standard *s, struct bytes *areas)
{
	for (enum image_kind kind = UNITS; kind < IMAGE_KINDS; kind++) {
		struct kho_block_header_ser *block = areas[1 + kind].start;

		unsigned char *records = (unsigned char *)(block + 1);
		size_t end = areas[1 + kind].len - sizeof(*block);

		/* All records begin with their flags. */
		for (size_t at = 0; at < end; at += s->image->chains[kind].size)
			records[at] |= IOMMU_SER_DELETED;
	}
}

/* A block has another number of records, and the chain knows. */
static void edit_count(struct standard *s, struct bytes *areas)
{
	u32 *numbers[] = { &s->ser->nr_units, &s->ser->nr_domains, &s->ser->nr_devices, &s->ser->nr_attachments };
	enum image_kind kind = fuzz_u32() % IMAGE_KINDS;
	struct kho_block_header_ser *block = areas[1 + kind].start;

	block->count = fuzz_u32() % 2 ? fuzz_u32() % 128 : fuzz_value(block->count);
	*numbers[kind] = block->count;
}

/* Two chains in one block, with one record */
static void edit_heads(struct standard *s, struct bytes *areas)
{
	u64 *heads[] = { &s->ser->units_pa, &s->ser->domains_pa, &s->ser->devices_pa, &s->ser->attachments_pa };
	u32 *numbers[] = { &s->ser->nr_units, &s->ser->nr_domains, &s->ser->nr_devices, &s->ser->nr_attachments };
	enum image_kind from = fuzz_u32() % IMAGE_KINDS, to = fuzz_u32() % IMAGE_KINDS;
	struct kho_block_header_ser *block = areas[1 + from].start;

	block->count = 1;
	*heads[to] = *heads[from];
	*numbers[to] = *numbers[from] = 1;
}

/* A table is elsewhere, and what says so agrees. */
static void edit_table(struct standard *s)
{
	struct iommu_unit_ser *unit = fuzz_u32() % 2 ? s->legacy : s->scalable;
	struct iommu_unit_vtd_ser *vtd = iommu_unit_vtd(unit);
	u64 address = some_address(s->image);

	switch (fuzz_u32() % 4) {
	case 0:
		unit->tables[0].pa = address;
		vtd->rtaddr = address | (vtd->rtaddr & 0xfff);
		break;
	case 1:
		unit->tables[1].order = fuzz_u32() % 2 ? 0 : 8;
		unit->tables[1].pa = address;
		unit->tables[1].kind = 2;
		vtd->irta = address | (vtd->irta & 0xfff);
		break;
	case 2:
		s->mock->tables[fuzz_u32() % 2].pa = address;
		break;
	default:
		s->fs->top_pa = address;
		s->fs->digest = address / PAGE_SIZE;
	}
}

/* Who is in a group, and how many are on something, in a way that agrees. */
static void edit_group(struct standard *s)
{
	switch (fuzz_u32() % 5) {
	case 0:
		s->sibling->group_key = fuzz_u32() % 16;
		break;
	case 3:
		s->svm->group_key = fuzz_u32() % 2 ? s->mock_dev->rid : fuzz_u32() % 32;
		break;
	case 1:
		s->sibling->ids[1] = fuzz_u32() % 2 ? s->mock_dev->ids[0] : fuzz_u32() % 4;
		break;
	case 2:
		s->sibling->group_key = s->sibling->rid;
		s->sibling->nr_ids = 1;
		s->sibling->ids[1] = 0;
		break;
	default:
		s->pasid_att->pasid = fuzz_u32() % 32;
	}
}

static void edit(struct standard *s, struct bytes *areas)
{
	switch (fuzz_u32() % 16) {
	case 0:
		delete_all(s, areas);
		break;
	case 1:
		edit_count(s, areas);
		break;
	case 2:
		edit_heads(s, areas);
		break;
	case 3:
		edit_table(s);
		break;
	case 4:
		edit_group(s);
		break;
	default:
		fuzz_edit(areas, STANDARD_AREAS, some_address(s->image));
	}
}

/* With a device that has as many ids as a record can hold */
static struct standard records_new(struct bytes *areas)
{
	struct standard s = image_standard();

	s.mock_dev->nr_ids = ARRAY_SIZE(s.mock_dev->ids);
	for (u32 i = 0; i < s.mock_dev->nr_ids; i++)
		s.mock_dev->ids[i] = s.mock_dev->ids[0] + 16 * i;
	image_seal(s.image);
	standard_areas(&s, areas);
	return s;
}

static bool fuzz_records(void)
{
	static struct bytes areas[STANDARD_AREAS];
	static struct standard s;
	static void *sound;
	const char *reason = "not set";
	int ret;

	/* To make them anew each time would take longer than the check. */
	if (!sound) {
		s = records_new(areas);
		sound = bytes_copy(areas, STANDARD_AREAS);
	}
	bytes_restore(areas, STANDARD_AREAS, sound);

	for (unsigned int edits = fuzz_edits(4); edits; edits--)
		edit(&s, areas);
	if (fuzz_seals())
		image_seal(s.image);

	ret = iommu_liveupdate_check(s.image->ser, &s.image->ops, &reason);
	require(!ret == !reason);
	if (ret)
		return false;
	reason = iommu_liveupdate_check_type(s.image->ser, &s.image->ops, &intel_liveupdate_type);
	require_usable(s.image, !reason);
	return !reason;
}

const struct fuzz_target fuzz_targets[] = {
	{ "records", fuzz_records, 20000, 50 },
	{}
};
