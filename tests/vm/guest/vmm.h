/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A program on the library whose network card receives: what a VMM does over a live
 * update. It takes its way back in pieces, so that the host hears of each.
 */
#ifndef TESTS_VM_GUEST_VMM_H
#define TESTS_VM_GUEST_VMM_H

#include <iommu-liveupdate.h>

#include "receiver.h"

struct vmm {
	struct ilu *ilu;
	struct receiver receiver;
	char bdf[BDF_LENGTH];
	unsigned int steps_left;	/* of the way back */
};

/* For what has to work: the run ends with the library's own words. */
void must_ilu(const struct ilu *ilu, int failed, const char *what);

/* A context, and the receiver by the options of the command line */
void vmm_begin(struct vmm *vmm);
/* /bzImage and /initrd, with the command line in /next-cmdline */
void vmm_load_kernel(struct ilu *ilu);

/* ---- the old kernel ---- */

/* All of it is there, and the card receives. */
void vmm_set_up(struct vmm *vmm);
/* The same with the next kernel loaded, frames coming, and so long before this returns */
void vmm_start_receiving(struct vmm *vmm, int milliseconds);
void vmm_preserve(struct vmm *vmm);
/* The last thing that the host hears from this kernel. */
void vmm_jump(struct vmm *vmm);

/* ---- the next one ---- */

/* vmm_begin(), and a look at the running card */
void vmm_begin_again(struct vmm *vmm);
void vmm_take_memory(struct vmm *vmm);
/* It is ours again, on what it came in on. */
void vmm_take_device(struct vmm *vmm);
/* The same, of a network card, which goes on with its ring */
void vmm_take_card(struct vmm *vmm);
/* It changes over to page tables of this kernel. */
void vmm_switch(struct vmm *vmm);
void vmm_finish(struct vmm *vmm);
/* Memory, card, switch and finish */
void vmm_take_back(struct vmm *vmm);
/* Frames go on arriving, then the host stops and judges; all is closed. */
void vmm_end(struct vmm *vmm);

/* ---- pieces, for programs with a context of their own ---- */

/* "ring" in the space "dma" for the card "nic" */
void vmm_make(struct ilu *ilu, struct receiver *receiver, const char *bdf);
/* By their names, in either kernel */
void vmm_find_memory(struct ilu *ilu, const char *name, struct receiver *receiver);
struct ilu_device *vmm_find_card(struct ilu *ilu, const char *name, struct receiver *receiver);
void vmm_start_card(const struct ilu *ilu, const struct ilu_device *card,
		    const struct receiver *receiver);

#endif
