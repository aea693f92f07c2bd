/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _SHIM_LINUX_KHO_ABI_MEMFD_H
#define _SHIM_LINUX_KHO_ABI_MEMFD_H

/* copied: the layout of include/linux/kho/abi/memfd.h of the kernel */
#include <linux/bits.h>
#include <linux/kho/abi/kexec_handover.h>
#include <linux/types.h>

#define MEMFD_LUO_FOLIO_DIRTY		BIT(0)
#define MEMFD_LUO_FOLIO_UPTODATE	BIT(1)

struct memfd_luo_folio_ser {
	u64 pfn:52;
	u64 flags:12;
	u64 index;
} __attribute__((packed));

#define MEMFD_LUO_ALL_SEALS	0x3f
#define MEMFD_LUO_NOEXEC	BIT(0)
#define MEMFD_LUO_ALL_FLAGS	MEMFD_LUO_NOEXEC

struct memfd_luo_ser {
	u64 pos;
	u64 size;
	u32 seals;
	u32 flags;
	u64 nr_folios;
	struct kho_vmalloc folios;
} __attribute__((packed));

#endif
