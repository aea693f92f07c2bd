/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LINUX_KEXEC_HANDOVER_BOOT_MEM_H
#define LINUX_KEXEC_HANDOVER_BOOT_MEM_H

#include <linux/init.h>
#include <linux/types.h>

#ifdef CONFIG_MEMORY_HOTPLUG
void __init kho_boot_memory_init(void);
bool kho_is_boot_memory(phys_addr_t phys, phys_addr_t size);
#else
static inline void kho_boot_memory_init(void) { }

static inline bool kho_is_boot_memory(phys_addr_t phys, phys_addr_t size)
{
	return true;
}
#endif

#endif /* LINUX_KEXEC_HANDOVER_BOOT_MEM_H */
