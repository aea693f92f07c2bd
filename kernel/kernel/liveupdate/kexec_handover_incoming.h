/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LINUX_KEXEC_HANDOVER_INCOMING_H
#define LINUX_KEXEC_HANDOVER_INCOMING_H

#include <linux/init.h>
#include <linux/types.h>

/* Neighbouring preserved blocks, to be reserved in one go. */
struct kho_reserve_run {
	phys_addr_t start;
	phys_addr_t end;
};

int __init kho_reserve_run_add(struct kho_reserve_run *run, phys_addr_t phys,
			       phys_addr_t size);
int __init kho_reserve_run_flush(struct kho_reserve_run *run);
bool kho_is_lost(void);
void __init kho_lost_shrink_scratch(void);
void __init kho_lost_keep_off(bool scratch_known);
int __init kho_check_node(phys_addr_t phys);

struct kho_scratch;
bool __init kho_scratch_is_sane(const struct kho_scratch *scratch, unsigned int nr);
bool __init kho_has_no_files(const void *fdt);

#endif /* LINUX_KEXEC_HANDOVER_INCOMING_H */
