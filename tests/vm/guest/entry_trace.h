/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The table entry of a device as the IOMMU driver shows it, and the kernel's
 * trace of what was written to it and of what was invalidated.
 */
#ifndef TESTS_VM_GUEST_ENTRY_TRACE_H
#define TESTS_VM_GUEST_ENTRY_TRACE_H

#include <linux/types.h>
#include <stdbool.h>

#define ENTRY_WORDS	4
#define TRACE_EVENTS	64

/* A context entry of two words, or what is used of a PASID entry. */
struct table_entry {
	bool scalable;
	__u64 word[ENTRY_WORDS];
};

/* One write of 128 bits, or one invalidation descriptor. */
struct trace_event {
	bool is_write;
	struct {
		unsigned int rid, pasid, chunk;
		__u64 before[2], after[2];
	} write;
	__u64 descriptor;	/* the word that holds what and for whom */
};

struct entry_trace {
	int count;
	struct trace_event events[TRACE_EVENTS];
};

/* From debugfs; gives up when the device has none, or several. */
struct table_entry entry_read(const char *bdf);

void entry_trace_start(void);
void entry_trace_stop(struct entry_trace *trace);

#endif
