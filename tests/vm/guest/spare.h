/* SPDX-License-Identifier: GPL-2.0 */
/* A second card, with an iommufd and a session of its own, and a call on it that does not end. */
#ifndef TESTS_VM_GUEST_SPARE_H
#define TESTS_VM_GUEST_SPARE_H

#include "plain.h"
#include "tenant.h"

/* It is attached, its HWPT is not marked yet, and it receives nothing. */
void spare_set_up(struct receiver *spare);
/* Memory, iommufd, device: the session, named "second" */
int spare_preserve(const struct receiver *spare);

/* A read of its config space that lasts as long as its tenant likes. */
struct endless_read {
	struct background_call call;
	struct late_memory late;
	const struct device *device;
};

void endless_read_begin(struct endless_read *read, const struct device *device);
void endless_read_end(struct endless_read *read);

#endif
