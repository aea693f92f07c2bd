/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A small piece of "physical memory" that the previous kernel has preserved,
 * with records in it. Each block of records is an allocation of its own, so
 * that the address sanitizer sees every access beyond it.
 */
#ifndef IMAGE_H
#define IMAGE_H

#include <stdio.h>
#include <linux/kho/abi/block.h>
#include <linux/kho/abi/iommu.h>
#include "bytes.h"
#include "intel/liveupdate-abi.h"
#include "liveupdate-check.h"

#define IMAGE_BASE	0x100000000ULL
#define IMAGE_PAGES	4096

enum image_kind { UNITS, DOMAINS, DEVICES, ATTACHMENTS, IMAGE_KINDS };

struct image_page {
	bool preserved;
	unsigned int order;
	unsigned char *data;
};

struct image_chain {
	size_t size;
	struct kho_block_header_ser *last;
};

struct image {
	struct iommu_ser *ser;
	struct iommu_liveupdate_check_ops ops;
	struct image_chain chains[IMAGE_KINDS];
	unsigned int nr_pages;
	/* calls of map, and the one that fails (0: none) */
	unsigned long maps;
	unsigned long failing_map;
	struct image_page pages[IMAGE_PAGES];
};

extern const struct iommu_liveupdate_type intel_liveupdate_type;

/* The records of image_standard(), by what they are */
struct standard {
	struct image *image;
	struct iommu_ser *ser;
	/* VT-d in legacy and in scalable mode, two mocks that share a table, a deleted one */
	struct iommu_unit_ser *legacy, *scalable, *mock, *mock_peer, *old_unit;
	/* on the legacy unit, first and second stage on the scalable one, ... */
	struct iommu_domain_ser *ss, *fs, *nested, *mock_domain, *old_domain;
	/*
	 * Two on the legacy unit, the second with an alias, ..., two of one group behind
	 * the mock, with an id in common
	 */
	struct iommu_device_ser *nic, *alias, *gpu, *disk, *mock_dev, *sibling, *svm, *old_dev;
	/* Of each of them, and of a PASID of svm */
	struct iommu_attachment_ser *nic_att, *alias_att, *gpu_att, *disk_att, *mock_att;
	struct iommu_attachment_ser *sibling_att, *svm_att, *pasid_att, *old_att;
};

struct image *image_new(void);
void image_free(struct image *image);
/* Returns the address of preserved memory, with content if data is set. */
u64 image_alloc(struct image *image, unsigned int order, bool data);
struct image_page *image_page(struct image *image, u64 pa);
void *image_ptr(struct image *image, u64 pa);
u64 image_pa(struct image *image, const void *ptr);
/* Returns a new record, all zero, at the end of its chain. */
void *image_add(struct image *image, enum image_kind kind);
/* Makes the checksum right. */
void image_seal(struct image *image);
int image_check(struct image *image, const char **reason);
void image_print(struct image *image, FILE *file);

struct iommu_unit_ser *image_add_unit(struct image *image, u32 type, u64 base);
struct iommu_unit_ser *image_add_vtd(struct image *image, u64 base, bool scalable);
struct iommu_domain_ser *image_add_domain(struct image *image, u32 pt_format);
struct iommu_device_ser *image_add_device(struct image *image, struct iommu_unit_ser *unit, u16 rid);
struct iommu_attachment_ser *image_attach(struct image *image, struct iommu_device_ser *dev,
					  struct iommu_domain_ser *dser, u32 hw_id);

struct standard image_standard(void);

/* The top object, and the blocks of each kind as far as they are filled */
#define STANDARD_AREAS	(1 + IMAGE_KINDS)
void standard_areas(struct standard *s, struct bytes areas[STANDARD_AREAS]);

#endif
