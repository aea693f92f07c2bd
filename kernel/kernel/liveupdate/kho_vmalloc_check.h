/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LINUX_KHO_VMALLOC_CHECK_H
#define LINUX_KHO_VMALLOC_CHECK_H

#include <linux/types.h>

struct kho_vmalloc;

/*
 * Where a preserved block begins, or NULL if exactly this block was not preserved.
 */
typedef const void *(*kho_preserved_fn)(u64 phys, unsigned int order);

int kho_vmalloc_check(const struct kho_vmalloc *preservation,
		      kho_preserved_fn preserved);

#endif /* LINUX_KHO_VMALLOC_CHECK_H */
