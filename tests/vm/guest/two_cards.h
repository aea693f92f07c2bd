/* SPDX-License-Identifier: GPL-2.0 */
/* A second card beside the first, with the same iommufd, IOAS and session. */
#ifndef TESTS_VM_GUEST_TWO_CARDS_H
#define TESTS_VM_GUEST_TWO_CARDS_H

#include "receiver.h"
#include "wayback.h"

/* Its ring has another place and is half as long, as half as many frames come. */
void two_cards_choose_second(struct receiver *second);
/* The first receives. The second is open and its ring mapped; it is attached to nothing. */
void two_cards_set_up(struct receiver *first, struct receiver *second);
void two_cards_receive(struct receiver *first, struct receiver *second, int milliseconds);

/* A session with what both need: memory and iommufd. The cards are still to come. */
int two_cards_session(const struct receiver *first, const struct receiver *second);
void two_cards_preserve_second(int session, const struct receiver *second);

/* In the next kernel: the second goes on, with the memory and the file of the session. */
void two_cards_reclaim_second(const struct way_back *back, struct receiver *second);
/* Its ring in the IOAS of the first, as in the kernel before */
void two_cards_map_second(const struct receiver *first, struct receiver *second);

#endif
