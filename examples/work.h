/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What service.c does with its device, once it has one: nic_work.c receives frames, and
 * the tests have a work of their own. Nobody has to ask which kernel this is.
 */
#ifndef EXAMPLES_WORK_H
#define EXAMPLES_WORK_H

#include <stdbool.h>
#include <iommu-liveupdate.h>

struct work;

/* NULL when there is no driver for this function; it is bound to vfio-pci. */
struct work *work_new(const char *bdf);
/* In the first kernel: memory, space and device. Negative when something failed. */
int work_set_up(struct work *work, struct ilu *ilu);
/* In either: finds them by their names; the device runs already if it came in. */
int work_begin(struct work *work, struct ilu *ilu, bool incoming);
/* Some milliseconds of it. */
void work_go_on(struct work *work);

enum work_event { WORK_RESTORING, WORK_RESTORED, WORK_FINISHED };

/* What has become of the devices that came in. */
void work_hear(struct work *work, enum work_event event);

#endif
