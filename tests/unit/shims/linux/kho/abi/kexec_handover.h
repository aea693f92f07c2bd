/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _SHIM_LINUX_KHO_ABI_KEXEC_HANDOVER_H
#define _SHIM_LINUX_KHO_ABI_KEXEC_HANDOVER_H

/* copied: the layout of a vmalloc area in include/linux/kho/abi/kexec_handover.h */
#include <asm/page.h>
#include <linux/types.h>

#define DECLARE_KHOSER_PTR(name, type)	\
	union {                        \
		u64 phys;              \
		type ptr;              \
	} name

struct kho_vmalloc_hdr {
	DECLARE_KHOSER_PTR(next, struct kho_vmalloc_chunk *);
};

#define KHO_VMALLOC_SIZE	((PAGE_SIZE - sizeof(struct kho_vmalloc_hdr)) / sizeof(u64))

struct kho_vmalloc_chunk {
	struct kho_vmalloc_hdr hdr;
	u64 phys[KHO_VMALLOC_SIZE];
};

struct kho_vmalloc {
	DECLARE_KHOSER_PTR(first, struct kho_vmalloc_chunk *);
	unsigned int total_pages;
	unsigned short flags;
	unsigned short order;
};

#endif
