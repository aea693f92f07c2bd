/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The way back in the next kernel by plain ioctls, cut into steps, so that a scenario
 * can stop, die or be disturbed before each of them.
 */
#ifndef TESTS_VM_GUEST_WAYBACK_H
#define TESTS_VM_GUEST_WAYBACK_H

#include <stdbool.h>

#include "pages.h"
#include "plain.h"

enum back_step {
	BACK_DRIVER,	/* vfio-pci is bound */
	BACK_SESSION,	/* retrieved, as the next three */
	BACK_MEMORY,
	BACK_IOMMUFD,
	BACK_DEVICE,
	BACK_BIND,	/* the device is ours again */
	BACK_TABLES,	/* IOAS, mapping, HWPT of this kernel */
	BACK_SWITCH,	/* the device changes over to them */
	BACK_FINISH,
	BACK_STEPS
};

struct way_back {
	struct receiver *receiver;
	char bdf[BDF_LENGTH];
	int session, iommufd, device_fd;
	/* What the old kernel mapped is missing in the new page table. */
	bool without_ring;
};

const char *back_step_name(enum back_step step);

/* Sees to the receiver's options, and looks at the running card. */
void back_begin(struct way_back *back, struct receiver *receiver);
void back_take(struct way_back *back, enum back_step step);
/* From the first step on, up to this one but without it. */
void back_go_to(struct way_back *back, enum back_step until);
/* The steps from this one on. */
void back_complete(struct way_back *back, enum back_step from);

/* Frames go on arriving, then the host stops and judges; the device is closed. */
void back_end(struct way_back *back);
/* Frames are no longer due, and all that were are taken; from here on the card may be stopped. */
void back_let_go(struct way_back *back);
void back_close_files(struct way_back *back);

/* Nothing that the abandoned card is sent may land where it used to. */
void expect_silence(struct receiver *receiver);
/* After the finish of a card that nobody had: it was reset, nothing lands any more. */
void expect_stopped(struct way_back *back);

/*
 * After a finish: the card is an ordinary one, and works for a program that sets
 * it up anew.  Ends the traffic.
 */
void use_afresh(void);
/* Below other ports than before, which have their share in the pages of the IOMMU. */
void use_elsewhere(void);

#endif
