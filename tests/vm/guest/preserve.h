/* SPDX-License-Identifier: GPL-2.0 */
/* The sessions of a live update and the jump by plain ioctls, as the scenarios use them. */
#ifndef TESTS_VM_GUEST_PRESERVE_H
#define TESTS_VM_GUEST_PRESERVE_H

#include "old_image.h"
#include "plain.h"

/* Loads /bzImage and /initrd with the command line in /next-cmdline. */
void prepare_kexec(void);
/* prepare_kexec(), and the card receives, for so long before this returns. */
void start_receiving(struct receiver *receiver, int milliseconds);
/* The last thing that the host hears from the old kernel. */
int announce_and_jump(void);

/* Mark, session, memfd, iommufd, device: all of it has to work. */
int preserve_everything(const struct receiver *receiver);
/* The same when the HWPT bears its mark already. */
int preserve_again(const struct receiver *receiver);
/* Memory alone, which 7.3.4 can do: what landed can be counted afterwards. */
int preserve_memory_only(const struct receiver *receiver);

/*
 * Option preserve:
 *	yes	everything: no frame may be missing
 *	no	only the memory, as on a kernel without the series
 *	refused	the same, and the rest is tried and must be refused
 *	closed	everything, taken back by closing the session; then the memory
 */
void preserve_as_asked(const struct receiver *receiver);

#endif
