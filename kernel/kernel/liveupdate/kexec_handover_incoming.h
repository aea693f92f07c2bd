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
void __init kho_panic_if_lost(void);

#endif /* LINUX_KEXEC_HANDOVER_INCOMING_H */
