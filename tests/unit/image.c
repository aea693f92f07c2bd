// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "image.h"

static bool in_image(u64 pa)
{
	return pa >= IMAGE_BASE && (pa - IMAGE_BASE) / PAGE_SIZE < IMAGE_PAGES;
}

struct image_page *image_page(struct image *image, u64 pa)
{
	return in_image(pa) ? &image->pages[(pa - IMAGE_BASE) / PAGE_SIZE] : NULL;
}

void *image_ptr(struct image *image, u64 pa)
{
	struct image_page *page = image_page(image, pa);

	return page && page->data ? page->data + pa % PAGE_SIZE : NULL;
}

u64 image_pa(struct image *image, const void *ptr)
{
	const unsigned char *byte = ptr;
	unsigned int i;

	for (i = 0; i < image->nr_pages; i++) {
		unsigned char *data = image->pages[i].data;

		if (data && byte >= data && byte < data + PAGE_SIZE)
			return IMAGE_BASE + i * PAGE_SIZE + (byte - data);
	}
	abort();
}

/* As the kernel's, this asks for the page around the address. */
static bool image_preserved(void *ctx, u64 pa, unsigned int order)
{
	struct image_page *page = image_page(ctx, pa);

	return page && page->preserved && page->order == order;
}

static const void *image_map(void *ctx, u64 pa, size_t len)
{
	struct image *image = ctx;
	struct image_page *page = image_page(image, pa);

	/* what the header of the check promises */
	if (!page || !page->preserved || pa % PAGE_SIZE + len > PAGE_SIZE) {
		fprintf(stderr, "followed, but not preserved: %#llx\n", (unsigned long long)pa);
		abort();
	}
	if (++image->maps == image->failing_map)
		return NULL;
	/* something that is preserved, but holds no records: any bytes */
	if (!page->data) {
		page->data = malloc(PAGE_SIZE);
		memset(page->data, 0x5a, PAGE_SIZE);
	}
	return page->data + pa % PAGE_SIZE;
}

u64 image_alloc(struct image *image, unsigned int order, bool data)
{
	unsigned int nr = 1u << order;
	unsigned int i = (image->nr_pages + nr - 1) / nr * nr;
	struct image_page *page = &image->pages[i];

	if (i + nr > IMAGE_PAGES)
		abort();
	image->nr_pages = i + nr;
	page->preserved = true;
	page->order = order;
	if (data)
		page->data = calloc(1, PAGE_SIZE);
	return IMAGE_BASE + i * PAGE_SIZE;
}

struct image *image_new(void)
{
	struct image *image = calloc(1, sizeof(*image));

	image->ops.ctx = image;
	image->ops.map = image_map;
	image->ops.preserved = image_preserved;
	image->chains[UNITS].size = sizeof(struct iommu_unit_ser);
	image->chains[DOMAINS].size = sizeof(struct iommu_domain_ser);
	image->chains[ATTACHMENTS].size = sizeof(struct iommu_attachment_ser);
	image->ser = image_ptr(image, image_alloc(image, 0, true));
	image->ser->version = IOMMU_SER_VERSION;
	image->ser->length = sizeof(*image->ser);
	return image;
}

void image_free(struct image *image)
{
	unsigned int i;

	for (i = 0; i < image->nr_pages; i++)
		free(image->pages[i].data);
	free(image);
}

static u64 *head_of(struct image *image, enum image_kind kind)
{
	u64 *heads[] = { &image->ser->units_pa, &image->ser->domains_pa,
			 &image->ser->attachments_pa };

	return heads[kind];
}

static u32 *count_of(struct image *image, enum image_kind kind)
{
	u32 *counts[] = { &image->ser->nr_units, &image->ser->nr_domains,
			  &image->ser->nr_attachments };

	return counts[kind];
}

void *image_add(struct image *image, enum image_kind kind)
{
	struct image_chain *chain = &image->chains[kind];
	struct kho_block_header_ser *block = chain->last;
	u64 pa;

	if (!block || sizeof(*block) + (block->count + 1) * chain->size > KHO_BLOCK_SIZE) {
		pa = image_alloc(image, 0, true);
		if (block)
			block->next = pa;
		else
			*head_of(image, kind) = pa;
		block = chain->last = image_ptr(image, pa);
	}
	++*count_of(image, kind);
	return (char *)(block + 1) + block->count++ * chain->size;
}

void image_seal(struct image *image)
{
	image->ser->crc = iommu_liveupdate_crc(image->ser, &image->ops);
}

int image_check(struct image *image, const char **reason)
{
	return iommu_liveupdate_check(image->ser, &image->ops, reason);
}

void image_print(struct image *image, FILE *file)
{
	for (unsigned int i = 0; i < image->nr_pages; i++)
		if (image->pages[i].data)
			bytes_print(file, IMAGE_BASE + i * PAGE_SIZE, image->pages[i].data, PAGE_SIZE);
}

struct iommu_unit_ser *image_add_vtd(struct image *image, u64 base, bool scalable)
{
	struct iommu_unit_ser *unit = image_add(image, UNITS);

	unit->type = IOMMU_UNIT_SER_VTD;
	unit->base = base;
	unit->root_pa = image_alloc(image, 0, false);
	unit->vtd.flags = scalable ? IOMMU_UNIT_VTD_SCALABLE : 0;
	unit->vtd.cap = 0xd2008c222f0606ULL;
	unit->vtd.ecap = 0xf00f4aULL;
	unit->vtd.rtaddr = unit->root_pa | (scalable ? 1 << 10 : 0);
	return unit;
}

struct iommu_domain_ser *image_add_domain(struct image *image, u32 pt_format)
{
	struct iommu_domain_ser *dser = image_add(image, DOMAINS);

	dser->pt_format = pt_format;
	dser->top_pa = image_alloc(image, 0, false);
	dser->top_level = 3;
	dser->vasz_lg2 = 48;
	dser->oasz_lg2 = 52;
	dser->pgsize_bitmap = 0x40201000;
	dser->nr_tables = 1;
	dser->digest = dser->top_pa / PAGE_SIZE;
	return dser;
}

struct iommu_attachment_ser *
image_add_attachment(struct image *image, struct iommu_unit_ser *unit,
		     struct iommu_domain_ser *dser, u16 rid, u32 hw_id)
{
	struct iommu_attachment_ser *att = image_add(image, ATTACHMENTS);
	bool vtd = unit->type == IOMMU_UNIT_SER_VTD;
	bool scalable = vtd && unit->vtd.flags & IOMMU_UNIT_VTD_SCALABLE;
	unsigned int bit = scalable ? rid >> 7 : rid >> 8;

	att->segment = unit->segment;
	att->rid = rid;
	att->vendor = 0x8086;
	att->device = 0x10c9;
	att->nr_rids = 1;
	att->rids[0] = rid;
	att->hw_id = hw_id;
	att->unit_pa = image_pa(image, unit);
	att->domain_pa = image_pa(image, dser);
	att->iommufd_token = 0x1111;
	if (vtd)
		unit->vtd.context_tables[bit / 64] |= 1ULL << bit % 64;
	if (scalable) {
		att->pasid_dir_order = 1;
		att->pasid_dir_pa = image_alloc(image, 1, false);
		att->max_pasid = 1 << 16;
	}
	unit->nr_devices++;
	dser->nr_attachments++;
	return att;
}

struct standard image_standard(void)
{
	struct image *image = image_new();
	struct standard s = { .image = image, .ser = image->ser };

	s.legacy = image_add_vtd(image, 0xfed90000, false);
	s.legacy->vtd.flags |= IOMMU_UNIT_VTD_INTREMAP;
	s.legacy->vtd.irt_order = 8;
	s.legacy->vtd.irt_pa = image_alloc(image, 8, false);
	s.legacy->vtd.irta = s.legacy->vtd.irt_pa | 1 << 11 | 15;
	s.old_unit = image_add(image, UNITS);
	s.old_unit->flags = IOMMU_SER_DELETED;
	s.scalable = image_add_vtd(image, 0xfed91000, true);
	s.scalable->segment = 1;
	s.mock = image_add(image, UNITS);
	s.mock->type = IOMMU_UNIT_SER_MOCK;
	s.mock->base = 1;

	s.ss = image_add_domain(image, IOMMU_DOMAIN_SER_VTDSS);
	s.ss->pt_features = IOMMU_DOMAIN_SER_INCOHERENT;
	s.ss->domain_flags = IOMMU_DOMAIN_SER_FORCE_SNOOP;
	s.ss->nr_tables = 7;
	s.ss->digest = 0x123456789;
	s.fs = image_add_domain(image, IOMMU_DOMAIN_SER_X86_64);
	s.fs->pt_features = IOMMU_DOMAIN_SER_SIGN_EXTEND;
	s.old_domain = image_add(image, DOMAINS);
	s.old_domain->flags = IOMMU_SER_DELETED;
	s.nested = image_add_domain(image, IOMMU_DOMAIN_SER_VTDSS);
	s.nested->top_level = 4;
	s.nested->vasz_lg2 = 57;
	s.mock_domain = image_add_domain(image, IOMMU_DOMAIN_SER_AMDV1_MOCK);
	s.mock_domain->vasz_lg2 = 47;
	s.mock_domain->oasz_lg2 = 51;
	s.mock_domain->pgsize_bitmap = 0x800;

	s.nic = image_add_attachment(image, s.legacy, s.ss, 0x0008, 2);
	s.alias = image_add_attachment(image, s.legacy, s.ss, 0x0310, 2);
	s.alias->nr_rids = 2;
	s.alias->rids[1] = 0x0300;
	s.old_att = image_add(image, ATTACHMENTS);
	s.old_att->flags = IOMMU_SER_DELETED;
	s.gpu = image_add_attachment(image, s.scalable, s.fs, 0x8208, 2);
	s.disk = image_add_attachment(image, s.scalable, s.nested, 0x82f0, 3);
	s.mock_dev = image_add_attachment(image, s.mock, s.mock_domain, 0x0008, 0);
	s.mock_dev->segment = 0x10000;
	image_seal(image);
	return s;
}

void standard_areas(struct standard *s, struct bytes areas[STANDARD_AREAS])
{
	areas[0] = (struct bytes){ s->ser, sizeof(*s->ser) };
	for (enum image_kind kind = UNITS; kind < IMAGE_KINDS; kind++) {
		struct kho_block_header_ser *block = image_ptr(s->image, *head_of(s->image, kind));

		areas[1 + kind] = (struct bytes){
			block, sizeof(*block) + block->count * s->image->chains[kind].size,
		};
	}
}
