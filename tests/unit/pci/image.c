// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>
#include <linux/crc32.h>
#include "image.h"

static struct image *current;

static unsigned char **page_at(struct image *image, u64 pa)
{
	if (pa < IMAGE_BASE || (pa - IMAGE_BASE) / PAGE_SIZE >= IMAGE_PAGES)
		return NULL;
	return &image->pages[(pa - IMAGE_BASE) / PAGE_SIZE];
}

void *image_ptr(struct image *image, u64 pa)
{
	unsigned char **page = page_at(image, pa);

	return page && *page ? *page + pa % PAGE_SIZE : NULL;
}

/* As the kernel's, this asks for the page around the address. */
static bool image_preserved(u64 pa)
{
	return image_ptr(current, pa);
}

static const void *image_map(u64 pa)
{
	if (pa % PAGE_SIZE || !image_preserved(pa)) {
		fprintf(stderr, "followed, but not preserved: %#llx\n", (unsigned long long)pa);
		abort();
	}
	current->maps++;
	return image_ptr(current, pa);
}

const struct pci_liveupdate_mem image_mem = {
	.preserved = image_preserved,
	.map = image_map,
};

u64 image_page(struct image *image)
{
	if (image->nr_pages == IMAGE_PAGES - 1)
		abort();
	image->pages[image->nr_pages] = calloc(1, PAGE_SIZE);
	return IMAGE_BASE + image->nr_pages++ * PAGE_SIZE;
}

struct image *image_new(void)
{
	struct image *image = calloc(1, sizeof(*image));

	current = image;
	image->ser_pa = image_page(image);
	image->ser = image_ptr(image, image->ser_pa);
	image->ser->version = PCI_SER_VERSION;
	image->ser->length = sizeof(*image->ser);
	return image;
}

void image_free(struct image *image)
{
	for (unsigned int i = 0; i < image->nr_pages; i++)
		free(image->pages[i]);
	free(image);
	current = NULL;
}

struct kho_block_header_ser *image_block(struct image *image)
{
	u64 pa = image_page(image);

	if (image->last)
		image->last->next = pa;
	else
		image->ser->devices_pa = pa;
	image->last = image_ptr(image, pa);
	return image->last;
}

struct pci_dev_ser *image_record(struct image *image, u32 segment, u16 rid, u32 refcount)
{
	struct pci_dev_ser *record = (struct pci_dev_ser *)(image->last + 1) + image->last->count;

	if (sizeof(*image->last) + (image->last->count + 1) * sizeof(*record) > KHO_BLOCK_SIZE)
		abort();
	image->last->count++;
	image->ser->nr_devices++;
	record->segment = segment;
	record->rid = rid;
	record->refcount = refcount;
	return record;
}

/* Written without the kernel's help, and for chains that lead nowhere. */
void image_seal(struct image *image)
{
	struct pci_ser top = *image->ser;
	unsigned int blocks = 0;
	u64 pa = top.devices_pa;

	top.crc = 0;
	image->ser->crc = crc32_le(~0, &top, sizeof(top));
	/* More blocks than records are a circle. */
	while (pa && pa % PAGE_SIZE == 0 && image_preserved(pa) &&
	       blocks++ <= MIN(top.nr_devices, IMAGE_PAGES)) {
		struct kho_block_header_ser *block = image_ptr(image, pa);

		if (block->count > (KHO_BLOCK_SIZE - sizeof(*block)) / sizeof(struct pci_dev_ser))
			return;
		image->ser->crc = crc32_le(image->ser->crc, block,
					   sizeof(*block) + block->count * sizeof(struct pci_dev_ser));
		pa = block->next;
	}
}

int image_check(struct image *image)
{
	return pci_liveupdate_check(image->ser_pa, &image_mem);
}

void image_print(struct image *image, FILE *file)
{
	for (unsigned int i = 0; i < image->nr_pages; i++)
		bytes_print(file, IMAGE_BASE + i * PAGE_SIZE, image->pages[i], PAGE_SIZE);
}

struct standard image_standard(void)
{
	struct standard s = { .image = image_new() };

	s.ser = s.image->ser;
	s.first = image_block(s.image);
	s.nic = image_record(s.image, 0, 0x0200, 1);
	s.nic->flags = PCI_DEV_SER_SIZES;
	/* 128 KiB, 32 ports, 16 KiB of 64 bits, a ROM of 256 KiB */
	s.nic->bar_lg2[0] = 17;
	s.nic->bar_lg2[2] = 5;
	s.nic->bar_lg2[3] = 14;
	s.nic->rom_lg2 = 18;
	s.port = image_record(s.image, 0, 0x0100, 1);
	s.port->flags = PCI_DEV_SER_SIZES | PCI_DEV_SER_IO_WINDOW | PCI_DEV_SER_PREF_WINDOW |
			PCI_DEV_SER_PREF_64_WINDOW;
	s.port->bar_lg2[0] = 12;
	s.root = image_record(s.image, 0, 0x0020, 1);
	s.root->flags = PCI_DEV_SER_IO_WINDOW;
	s.second = image_block(s.image);
	s.given_up = image_record(s.image, 0, 0, 0);
	s.other = image_record(s.image, 0x10000, 0xff07, 1);
	s.other->flags = PCI_DEV_SER_SIZES;
	s.other->bar_lg2[0] = 38;
	image_seal(s.image);
	return s;
}

static struct bytes filled(struct kho_block_header_ser *block)
{
	return (struct bytes){ block, sizeof(*block) + block->count * sizeof(struct pci_dev_ser) };
}

void standard_areas(struct standard *s, struct bytes areas[STANDARD_AREAS])
{
	areas[0] = (struct bytes){ s->ser, sizeof(*s->ser) };
	areas[1] = filled(s->first);
	areas[2] = filled(s->second);
}
