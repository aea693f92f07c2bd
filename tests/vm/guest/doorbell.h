/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A doorbell: an eventfd upon which the kernel writes a register, as of a guest that is
 * not to leave for it.  The register is one that a card keeps and does nothing with.
 */
#ifndef TESTS_VM_GUEST_DOORBELL_H
#define TESTS_VM_GUEST_DOORBELL_H

#include <linux/types.h>
#include <stdbool.h>

#include "device.h"

struct doorbell {
	const struct device *device;
	int fd;
	__u32 before;
};

void doorbell_make(struct doorbell *doorbell, const struct device *device);
void doorbell_ring(const struct doorbell *doorbell);
bool doorbell_has_rung(const struct doorbell *doorbell);
/* The register is as it was before. */
void doorbell_end(const struct doorbell *doorbell);

#endif
