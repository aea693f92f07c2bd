/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _SHIM_LINUX_KHO_ABI_BLOCK_H
#define _SHIM_LINUX_KHO_ABI_BLOCK_H

/* copied: the layout of include/linux/kho/abi/block.h of the kernel */
#include <asm/page.h>
#include <linux/types.h>

#define KHO_BLOCK_SIZE	PAGE_SIZE

struct kho_block_header_ser {
	u64 next;
	u64 count;
};

#endif
