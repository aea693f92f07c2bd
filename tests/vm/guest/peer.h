/* SPDX-License-Identifier: GPL-2.0 */
/* A neighbour that writes to registers of a card: its page table maps a BAR by a dma-buf. */
#ifndef TESTS_VM_GUEST_PEER_H
#define TESTS_VM_GUEST_PEER_H

#include "receiver.h"

struct peer {
	struct device device;
};

/* The nth card of this kind reaches the first BAR of the receiver's. */
void peer_set_up(struct peer *peer, struct receiver *receiver, int nth);
/* Whether its page table leads there still. */
bool peer_reaches(const struct peer *peer);
void peer_close(struct peer *peer);

#endif
