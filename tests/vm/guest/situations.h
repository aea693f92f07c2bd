/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Situations in which a preserve is refused, made for those who look at the refusal and for
 * those who look at what the operator's command says of them.
 */
#ifndef TESTS_VM_GUEST_SITUATIONS_H
#define TESTS_VM_GUEST_SITUATIONS_H

#include "receiver.h"

/* What is mapped besides the receiver's own memory, and its token */
#define EXTRA_IOVA	0x30000000ull
#define EXTRA_SIZE	(2ull << 20)
#define TOKEN_EXTRA	9

void extra_map(const struct receiver *receiver, int memfd);
void extra_unmap(const struct receiver *receiver);

/* Mapped there until extra_anonymous_end() */
void *extra_anonymous(const struct receiver *receiver);
void extra_anonymous_end(const struct receiver *receiver, void *memory);

/*
 * A memfd of hugetlbfs, sealed and mapped there. -1: this kernel has no such, which is noted;
 * that there are pages in the pool is up to the scenario.
 */
int extra_huge_pages(const struct receiver *receiver);

/* The file goes on without the pages that were mapped there. */
void extra_punch_hole(int memfd);

/* The card of ats_card_find(), open and attached, with its HWPT marked */
void ats_card_set_up(struct receiver *card);

#endif
