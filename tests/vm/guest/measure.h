/* SPDX-License-Identifier: GPL-2.0 */
/* What a question must not change: records, what KHO hands over, pages, and the card. */
#ifndef TESTS_VM_GUEST_MEASURE_H
#define TESTS_VM_GUEST_MEASURE_H

#include "pages.h"
#include "receiver.h"

struct measure {
	char outgoing[16384];
	char handed_over[4096];
	ssize_t outgoing_length, handed_over_length;
	struct page_counts pages;
	__u16 command;
};

void take_measure(struct measure *measure, const struct receiver *receiver);
void expect_same(const struct measure *before, const struct receiver *receiver);

#endif
