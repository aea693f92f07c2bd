// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzzer of drivers/iommu/liveupdate-check.c: whatever the bytes are, the check
 * ends, stays within bounds, and what it accepts can be used without looking.
 */
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
	const u64 heads[] = { image->ser->units_pa, image->ser->domains_pa, image->ser->attachments_pa };
	const u32 numbers[] = { image->ser->nr_units, image->ser->nr_domains, image->ser->nr_attachments };
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

static void require_unit(struct image *image, const struct iommu_unit_ser *unit)
{
	const struct iommu_unit_vtd_ser *vtd = &unit->vtd;
	bool scalable = vtd->flags & IOMMU_UNIT_VTD_SCALABLE;

	require(unit->base);
	require(unit->type == IOMMU_UNIT_SER_VTD || unit->type == IOMMU_UNIT_SER_MOCK);
	require(!unit->root_pa || is_preserved(image, unit->root_pa, 0));
	if (unit->type != IOMMU_UNIT_SER_VTD)
		return;
	require(unit->root_pa && vtd->flags < 4 && unit->segment < 0x10000);
	for (size_t i = sizeof(*vtd) / 8; i < ARRAY_SIZE(unit->driver_data); i++)
		require(!unit->driver_data[i]);
	require(vtd->rtaddr == (unit->root_pa | (scalable ? 0x400 : 0)));
	require(scalable || !(vtd->context_tables[4] | vtd->context_tables[5] |
			      vtd->context_tables[6] | vtd->context_tables[7]));
	if (vtd->flags & IOMMU_UNIT_VTD_INTREMAP) {
		require(is_preserved(image, vtd->irt_pa, vtd->irt_order));
		require(vtd->irta >> 12 == vtd->irt_pa >> 12);
		require(32ULL << (vtd->irta & 15) <= PAGE_SIZE << vtd->irt_order);
	} else {
		require(!vtd->irt_pa && !vtd->irta && !vtd->irt_order);
	}
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
	require(is_preserved(image, dser->top_pa, 0));
	require(dser->nr_tables && !dser->reserved);
	require(dser->nr_tables > 1 || dser->digest == dser->top_pa / PAGE_SIZE);
	require(!(dser->domain_flags & ~IOMMU_DOMAIN_SER_FORCE_SNOOP));
	require(is_level(dser));
	require(dser->vasz_lg2 >= 11 + 9 * dser->top_level && dser->vasz_lg2 <= 64);
	require(dser->oasz_lg2 >= 12 && dser->oasz_lg2 <= 56);
	require(dser->pgsize_bitmap && !(dser->pgsize_bitmap & 0x7ff));
}

static bool has_context(const struct iommu_unit_ser *unit, u16 rid)
{
	unsigned int bit = unit->vtd.flags & IOMMU_UNIT_VTD_SCALABLE ? rid >> 7 : rid >> 8;

	return unit->vtd.context_tables[bit / 64] >> bit % 64 & 1;
}

static void require_vtd_attachment(const struct iommu_attachment_ser *att,
				   const struct iommu_unit_ser *unit, const struct iommu_domain_ser *dser)
{
	bool scalable = unit->vtd.flags & IOMMU_UNIT_VTD_SCALABLE;

	require(att->segment == unit->segment);
	for (unsigned int i = 0; i < att->nr_rids; i++)
		require(has_context(unit, att->rids[i]));
	require(dser->pt_format == IOMMU_DOMAIN_SER_VTDSS ||
		(scalable && dser->pt_format == IOMMU_DOMAIN_SER_X86_64));
	require(scalable == (att->pasid_dir_pa != 0));
	require(!scalable || att->max_pasid <= 8 * (u64)PAGE_SIZE << att->pasid_dir_order);
}

static void require_attachment(struct image *image, const struct all_found *all,
			       const struct iommu_attachment_ser *att)
{
	const struct iommu_domain_ser *dser = find(all, DOMAINS, att->domain_pa);
	const struct iommu_unit_ser *unit = find(all, UNITS, att->unit_pa);

	require(dser && unit);
	require(att->nr_rids >= 1 && att->nr_rids <= 8 && att->rids[0] == att->rid);
	for (unsigned int i = 0; i < 8; i++)
		for (unsigned int j = 0; j < i; j++)
			require(i < att->nr_rids ? att->rids[i] != att->rids[j] : !att->rids[i]);
	require(att->hw_id < 0x10000 && !att->reserved);
	if (att->pasid_dir_pa) {
		require(is_preserved(image, att->pasid_dir_pa, att->pasid_dir_order));
		require(att->max_pasid && att->max_pasid <= 1 << 20);
	} else {
		require(!att->pasid_dir_order && !att->max_pasid);
	}
	if (unit->type == IOMMU_UNIT_SER_VTD)
		require_vtd_attachment(att, unit, dser);
}

static void require_two_attachments(const struct iommu_attachment_ser *a, const struct iommu_attachment_ser *b)
{
	for (unsigned int i = 0; a->segment == b->segment && i < a->nr_rids; i++)
		for (unsigned int j = 0; j < b->nr_rids; j++)
			require(a->rids[i] != b->rids[j]);
	require(a->unit_pa != b->unit_pa || a->hw_id != b->hw_id || a->domain_pa == b->domain_pa);
	require(a->unit_pa != b->unit_pa || a->domain_pa != b->domain_pa || a->hw_id == b->hw_id);
	require(!a->pasid_dir_pa || a->pasid_dir_pa != b->pasid_dir_pa);
}

static void require_attachments(struct image *image, const struct all_found *all)
{
	const struct found *found = all->found[ATTACHMENTS];

	for (unsigned int i = 0; i < all->nr[ATTACHMENTS]; i++) {
		require_attachment(image, all, found[i].record);
		for (unsigned int j = 0; j < i; j++)
			require_two_attachments(found[i].record, found[j].record);
	}
}

/* How many attachments refer to it */
static u32 users(const struct all_found *all, u64 pa)
{
	u32 nr = 0;

	for (unsigned int i = 0; i < all->nr[ATTACHMENTS]; i++) {
		const struct iommu_attachment_ser *att = all->found[ATTACHMENTS][i].record;

		nr += att->unit_pa == pa || att->domain_pa == pa;
	}
	return nr;
}

static void require_units(struct image *image, const struct all_found *all)
{
	const struct found *found = all->found[UNITS];

	for (unsigned int i = 0; i < all->nr[UNITS]; i++) {
		const struct iommu_unit_ser *unit = found[i].record;

		require_unit(image, unit);
		require(unit->nr_devices == users(all, found[i].pa));
		for (unsigned int j = 0; j < i; j++) {
			const struct iommu_unit_ser *other = found[j].record;

			require(unit->base != other->base);
			/* the mock has no root table of its own */
			require(other->type != IOMMU_UNIT_SER_VTD || unit->root_pa != other->root_pa);
		}
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

static void require_usable(struct image *image)
{
	static struct all_found all;
	const struct iommu_ser *ser = image->ser;

	require(ser->version == IOMMU_SER_VERSION && ser->length == sizeof(*ser));
	require(!ser->reserved && !ser->reserved2);
	find_all(image, &all);
	require_units(image, &all);
	require_domains(image, &all);
	require_attachments(image, &all);
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
	u32 *numbers[] = { &s->ser->nr_units, &s->ser->nr_domains, &s->ser->nr_attachments };
	enum image_kind kind = fuzz_u32() % IMAGE_KINDS;
	struct kho_block_header_ser *block = areas[1 + kind].start;

	block->count = fuzz_u32() % 2 ? fuzz_u32() % 128 : fuzz_value(block->count);
	*numbers[kind] = block->count;
}

/* Two chains in one block, with one record */
static void edit_heads(struct standard *s, struct bytes *areas)
{
	u64 *heads[] = { &s->ser->units_pa, &s->ser->domains_pa, &s->ser->attachments_pa };
	u32 *numbers[] = { &s->ser->nr_units, &s->ser->nr_domains, &s->ser->nr_attachments };
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
	u64 address = some_address(s->image);

	switch (fuzz_u32() % 3) {
	case 0:
		unit->root_pa = address;
		unit->vtd.rtaddr = address | (unit->vtd.rtaddr & 0xfff);
		break;
	case 1:
		unit->vtd.flags |= IOMMU_UNIT_VTD_INTREMAP;
		unit->vtd.irt_order = fuzz_u32() % 2 ? 0 : 8;
		unit->vtd.irt_pa = address;
		unit->vtd.irta = address | (unit->vtd.irta & 0xfff);
		break;
	default:
		s->fs->top_pa = address;
		s->fs->digest = address / PAGE_SIZE;
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
	default:
		fuzz_edit(areas, STANDARD_AREAS, some_address(s->image));
	}
}

/* With a device that has as many requester ids as a record can hold */
static struct standard records_new(struct bytes *areas)
{
	struct standard s = image_standard();

	s.mock_dev->nr_rids = ARRAY_SIZE(s.mock_dev->rids);
	for (u16 i = 0; i < s.mock_dev->nr_rids; i++)
		s.mock_dev->rids[i] = s.mock_dev->rid + i;
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

	ret = image_check(s.image, &reason);
	require(!ret == !reason);
	if (!ret)
		require_usable(s.image);
	return !ret;
}

const struct fuzz_target fuzz_targets[] = {
	{ "records", fuzz_records, 20000, 50 },
	{}
};
