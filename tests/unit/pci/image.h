/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory that the previous kernel has preserved, with the records of the PCI core
 * in it. Each page is an allocation of its own, so that the address sanitizer sees
 * every access beyond it; what is read without being preserved ends the program.
 */
#ifndef PCI_IMAGE_H
#define PCI_IMAGE_H

#include <stdio.h>
#include <linux/kho/abi/block.h>
#include <linux/kho/abi/pci.h>
#include "bytes.h"
#include "liveupdate_check.h"

#define IMAGE_BASE	0x200000000ULL
#define IMAGE_PAGES	10240
/* never preserved */
#define BAD_PA		(IMAGE_BASE + (IMAGE_PAGES - 1) * PAGE_SIZE)

struct image {
	struct pci_ser *ser;
	u64 ser_pa;
	struct kho_block_header_ser *last;
	unsigned int nr_pages;
	unsigned long maps;
	unsigned char *pages[IMAGE_PAGES];
};

/* A network card below two ports, another one on another segment */
struct standard {
	struct image *image;
	struct pci_ser *ser;
	struct kho_block_header_ser *first, *second;
	struct pci_dev_ser *nic, *port, *root, *given_up, *other;
};

/* One at a time: the functions that the check calls take no context. */
struct image *image_new(void);
void image_free(struct image *image);
/* Another page that is preserved, all zero */
u64 image_page(struct image *image);
/* NULL if it is not preserved */
void *image_ptr(struct image *image, u64 pa);
/* A block at the end of the chain */
struct kho_block_header_ser *image_block(struct image *image);
/* A record in the last block */
struct pci_dev_ser *image_record(struct image *image, u32 segment, u16 rid, u32 refcount);
/* Makes the checksum right, as far as the chain leads. */
void image_seal(struct image *image);
int image_check(struct image *image);
void image_print(struct image *image, FILE *file);
struct standard image_standard(void);

/* The top object and both blocks, as far as they are filled */
#define STANDARD_AREAS	3
void standard_areas(struct standard *s, struct bytes areas[STANDARD_AREAS]);

extern const struct pci_liveupdate_mem image_mem;

#endif
