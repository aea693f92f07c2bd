/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A network card that receives into a memfd, and the judgement of that memory. Who has
 * the card is not said here: plain.h is by plain ioctls, vmm.h by the library.
 */
#ifndef TESTS_VM_GUEST_RECEIVER_H
#define TESTS_VM_GUEST_RECEIVER_H

#include <stdbool.h>

#include "device.h"
#include "nic.h"

/* Valid guest RAM as well: a write without translation would do damage there. */
#define RING_IOVA		0x10000000ull
#define SESSION_NAME		"tester"

struct scan {
	__u32 landed;
	__u32 corrupted;
	/* Full by their descriptor, but the pattern is untouched. */
	__u32 hollow;
};

struct receiver {
	const struct nic_model *model;
	struct device device;	/* of a program on the library only its registers */
	struct rx_ring ring;
	int memfd;
	size_t size;
	unsigned int stream;	/* of the host's frames */
	/* by plain ioctls */
	__u32 ioas_id;
	__u32 hwpt_id;
	/* What no frame has reached: the pattern, or zeroes if it was never written. */
	bool background_is_zero;
	/* Slots are taken and given back, so that the ring has no end. */
	bool rearm;
	__u32 next_slot;	/* the first that has not been taken */
	struct scan taken;
	/* How many slots were full at once, at most. */
	__u32 fullest;
};

/* Tells the host what must not be disturbed: the function, and the bridges above it. */
void report_preserved_function(const char *bdf, const char *role);

void receiver_choose(struct receiver *receiver);
void receiver_choose_slots(struct receiver *receiver, __u32 slots);
void receiver_find_device(struct receiver *receiver, int nth, char *bdf);
void receiver_map_memory(struct receiver *receiver);
void receiver_fill_pattern(struct receiver *receiver);

/* In the next kernel: only the memory, from the session. */
void receiver_adopt_memory(struct receiver *receiver, int memfd);
/* Goes on with the ring where its last owner stopped; the device is open. */
void receiver_resume(struct receiver *receiver);

void receiver_report_registers(const struct receiver *receiver, const char *bdf,
			       const char *when);
/*
 * With rearm: takes what lands, tells the host, and gives the slots back, a few
 * at a time.  Else it only waits.
 */
void receiver_receive(struct receiver *receiver, int milliseconds);
/* With rearm, once: what is there now. */
void receiver_take(struct receiver *receiver);
/* What is in memory, and what was taken before. */
struct scan receiver_scan(struct receiver *receiver);
/* The same, and tell the host each run of sequence numbers that is in memory. */
struct scan receiver_report_landed(struct receiver *receiver);

/* The second look must find what a second of traffic brings. */
void expect_growth(struct receiver *receiver);

/* The host starts or stops sending before this returns. */
void traffic_start(const struct receiver *receiver);
void traffic_stop(void);
/* Frames of this card are no longer due; returns when all that were are in memory. */
void release(unsigned int stream);

#endif
