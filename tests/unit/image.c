// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
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
	image->chains[DEVICES].size = sizeof(struct iommu_device_ser);
	image->chains[ATTACHMENTS].size = sizeof(struct iommu_attachment_ser);
	image->ser = image_ptr(image, image_alloc(image, 0, true));
	image->ser->version = IOMMU_SER_VERSION;
	image->ser->length = sizeof(*image->ser);
	image->ser->page_shift = 12;
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
			 &image->ser->devices_pa, &image->ser->attachments_pa };

	return heads[kind];
}

static u32 *count_of(struct image *image, enum image_kind kind)
{
	u32 *counts[] = { &image->ser->nr_units, &image->ser->nr_domains,
			  &image->ser->nr_devices, &image->ser->nr_attachments };

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

/* As a kernel does whose only driver is that of VT-d */
int image_check(struct image *image, const char **reason)
{
	int ret = iommu_liveupdate_check(image->ser, &image->ops, reason);

	if (ret)
		return ret;
	*reason = iommu_liveupdate_check_type(image->ser, &image->ops, &intel_liveupdate_type);
	return *reason ? -EINVAL : 0;
}

void image_print(struct image *image, FILE *file)
{
	for (unsigned int i = 0; i < image->nr_pages; i++)
		if (image->pages[i].data)
			bytes_print(file, IMAGE_BASE + i * PAGE_SIZE, image->pages[i].data, PAGE_SIZE);
}

struct iommu_unit_ser *image_add_unit(struct image *image, u32 type, u64 base)
{
	struct iommu_unit_ser *unit = image_add(image, UNITS);

	unit->type = type;
	unit->base_kind = IOMMU_UNIT_SER_BASE_MMIO;
	unit->base = base;
	return unit;
}

struct iommu_unit_ser *image_add_vtd(struct image *image, u64 base, bool scalable)
{
	struct iommu_unit_ser *unit = image_add_unit(image, IOMMU_UNIT_SER_VTD, base);
	struct iommu_table_ser *root = &unit->tables[IOMMU_UNIT_VTD_ROOT];
	struct iommu_unit_vtd_ser *vtd = iommu_unit_vtd(unit);

	root->pa = image_alloc(image, 0, false);
	root->kind = IOMMU_TABLE_VTD_ROOT;
	unit->driver_length = sizeof(*vtd);
	vtd->flags = scalable ? IOMMU_UNIT_VTD_SCALABLE : 0;
	vtd->cap = 0xd2008c222f0606ULL;
	vtd->ecap = 0xf00f4aULL;
	vtd->rtaddr = root->pa | (scalable ? 1 << 10 : 0);
	return unit;
}

struct iommu_domain_ser *image_add_domain(struct image *image, u32 pt_format)
{
	struct iommu_domain_ser *dser = image_add(image, DOMAINS);

	dser->pt_format = pt_format;
	dser->top_pa = image_alloc(image, 0, false);
	dser->top_level = 3;
	dser->granule_lg2 = 12;
	dser->vasz_lg2 = 48;
	dser->oasz_lg2 = 52;
	dser->pgsize_bitmap = 0x40201000;
	dser->nr_tables = 1;
	dser->digest = dser->top_pa / PAGE_SIZE;
	return dser;
}

static void add_context_table(struct iommu_unit_ser *unit, bool scalable, u16 rid)
{
	unsigned int bit = scalable ? rid >> 7 : rid >> 8;

	iommu_unit_vtd(unit)->context_tables[bit / 64] |= 1ULL << bit % 64;
}

struct iommu_device_ser *image_add_device(struct image *image, struct iommu_unit_ser *unit, u16 rid)
{
	struct iommu_device_ser *dev = image_add(image, DEVICES);
	bool vtd = unit->type == IOMMU_UNIT_SER_VTD;
	bool scalable = vtd && iommu_unit_vtd(unit)->flags & IOMMU_UNIT_VTD_SCALABLE;

	dev->segment = unit->segment;
	dev->rid = rid;
	dev->vendor = 0x8086;
	dev->device = 0x10c9;
	dev->unit_pa = image_pa(image, unit);
	dev->nr_ids = 1;
	dev->ids[0] = rid;
	dev->group_key = rid;
	if (vtd)
		add_context_table(unit, scalable, rid);
	if (scalable) {
		dev->table.order = 1;
		dev->table.pa = image_alloc(image, 1, false);
		dev->table.kind = IOMMU_TABLE_VTD_PASID_DIR;
		dev->max_pasid = 1 << 16;
	}
	unit->nr_devices++;
	return dev;
}

struct iommu_attachment_ser *image_attach(struct image *image, struct iommu_device_ser *dev,
					  struct iommu_domain_ser *dser, u32 hw_id)
{
	struct iommu_attachment_ser *att = image_add(image, ATTACHMENTS);

	att->device_pa = image_pa(image, dev);
	att->domain_pa = image_pa(image, dser);
	att->hw_id = hw_id;
	att->iommufd_token = 0x1111;
	dev->nr_attachments++;
	dser->nr_attachments++;
	return att;
}

static void *add_deleted(struct image *image, enum image_kind kind)
{
	u32 *flags = image_add(image, kind);

	*flags = IOMMU_SER_DELETED;
	return flags;
}

static void add_units(struct standard *s)
{
	struct image *image = s->image;
	struct iommu_table_ser *irt;

	s->legacy = image_add_vtd(image, 0xfed90000, false);
	irt = &s->legacy->tables[IOMMU_UNIT_VTD_IRT];
	irt->order = 8;
	irt->pa = image_alloc(image, 8, false);
	irt->kind = IOMMU_TABLE_VTD_IRT;
	iommu_unit_vtd(s->legacy)->irta = irt->pa | 1 << 11 | 15;
	s->old_unit = add_deleted(image, UNITS);
	s->scalable = image_add_vtd(image, 0xfed91000, true);
	s->scalable->segment = 1;

	s->mock = image_add_unit(image, IOMMU_UNIT_SER_MOCK, 1);
	s->mock->tables[0] = (struct iommu_table_ser){
		.pa = image_alloc(image, 2, false), .order = 2, .kind = 7, .flags = IOMMU_TABLE_SER_SHARED,
	};
	s->mock->driver_length = 9;
	s->mock->driver_data[0] = 0x123456789abcdef0ULL;
	s->mock->driver_data[1] = 0xff;
	s->mock_peer = image_add_unit(image, IOMMU_UNIT_SER_MOCK, 1);
	s->mock_peer->base_kind = IOMMU_UNIT_SER_BASE_RID;
	s->mock_peer->tables[0] = s->mock->tables[0];
}

static void add_domains(struct standard *s)
{
	s->ss = image_add_domain(s->image, IOMMU_DOMAIN_SER_VTDSS);
	s->ss->pt_features = IOMMU_DOMAIN_SER_INCOHERENT;
	s->ss->domain_flags = IOMMU_DOMAIN_SER_FORCE_SNOOP;
	s->ss->nr_tables = 7;
	s->ss->digest = 0x123456789;
	s->fs = image_add_domain(s->image, IOMMU_DOMAIN_SER_X86_64);
	s->fs->pt_features = IOMMU_DOMAIN_SER_SIGN_EXTEND;
	s->old_domain = add_deleted(s->image, DOMAINS);
	s->nested = image_add_domain(s->image, IOMMU_DOMAIN_SER_VTDSS);
	s->nested->top_level = 4;
	s->nested->vasz_lg2 = 57;
	s->mock_domain = image_add_domain(s->image, IOMMU_DOMAIN_SER_AMDV1_MOCK);
	s->mock_domain->granule_lg2 = 11;
	s->mock_domain->vasz_lg2 = 47;
	s->mock_domain->oasz_lg2 = 51;
	s->mock_domain->pgsize_bitmap = 0x800;
}

static void add_devices(struct standard *s)
{
	s->nic = image_add_device(s->image, s->legacy, 0x0008);
	s->alias = image_add_device(s->image, s->legacy, 0x0310);
	s->alias->nr_ids = 2;
	s->alias->ids[1] = 0x0300;
	s->old_dev = add_deleted(s->image, DEVICES);
	s->gpu = image_add_device(s->image, s->scalable, 0x8208);
	s->disk = image_add_device(s->image, s->scalable, 0x82f0);
	s->mock_dev = image_add_device(s->image, s->mock, 0x0008);
	s->mock_dev->segment = 0x10000;
	s->mock_dev->ids[0] = 0x12340008;
	s->mock_dev->table = (struct iommu_table_ser){ .pa = image_alloc(s->image, 0, false), .kind = 9 };
	s->mock_dev->max_pasid = 16;
	s->mock_dev->ats = (struct iommu_ats_ser){ .enabled = 1, .stu = 5, .qdep = 32, .pfsid = 8 };
	s->sibling = image_add_device(s->image, s->mock, 0x0009);
	s->sibling->segment = 0x10000;
	s->sibling->nr_ids = 2;
	s->sibling->ids[0] = 0x12340009;
	s->sibling->ids[1] = s->mock_dev->ids[0];
	s->sibling->group_key = s->mock_dev->rid;
	s->svm = image_add_device(s->image, s->mock, 0x0010);
	s->svm->segment = 0x10000;
	s->svm->ids[0] = 0x12340010;
	s->svm->table = (struct iommu_table_ser){ .pa = image_alloc(s->image, 0, false), .kind = 9 };
	s->svm->max_pasid = 16;
}

struct standard image_standard(void)
{
	struct image *image = image_new();
	struct standard s = { .image = image, .ser = image->ser };

	add_units(&s);
	add_domains(&s);
	add_devices(&s);
	s.nic_att = image_attach(image, s.nic, s.ss, 2);
	s.alias_att = image_attach(image, s.alias, s.ss, 2);
	s.old_att = add_deleted(image, ATTACHMENTS);
	s.gpu_att = image_attach(image, s.gpu, s.fs, 2);
	s.disk_att = image_attach(image, s.disk, s.nested, 3);
	s.mock_att = image_attach(image, s.mock_dev, s.mock_domain, 0x10000);
	s.sibling_att = image_attach(image, s.sibling, s.mock_domain, 0x10000);
	s.svm_att = image_attach(image, s.svm, s.mock_domain, 0x10000);
	s.pasid_att = image_attach(image, s.svm, s.mock_domain, 0x10000);
	s.pasid_att->pasid = 5;
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
