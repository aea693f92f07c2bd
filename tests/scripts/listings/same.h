/* SPDX-License-Identifier: GPL-2.0 */
/* SAME(): a field of a structure of the kernel is where a page says, and as wide. */
#include <stddef.h>

#define SAME(kernel, page, field) \
	_Static_assert(offsetof(struct kernel, field) == offsetof(struct page, field) && \
		       sizeof(((struct kernel *)0)->field) == sizeof(((struct page *)0)->field), \
		       "struct " #kernel ": " #field)
