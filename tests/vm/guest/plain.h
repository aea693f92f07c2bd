/* SPDX-License-Identifier: GPL-2.0 */
/* A card that receives, by plain ioctls: in pieces, so that one can be left out or done wrongly. */
#ifndef TESTS_VM_GUEST_PLAIN_H
#define TESTS_VM_GUEST_PLAIN_H

#include "receiver.h"

#define TOKEN_MEMORY		1
#define TOKEN_IOMMUFD		2
#define TOKEN_DEVICE		3
#define TOKEN_HWPT		0x1122334455667788ull	/* more than 32 bits */

void receiver_create_memory(struct receiver *receiver);
void receiver_open_device(struct receiver *receiver, const char *bdf);
/* With entries of 4 KiB, wherever the memory is. */
void receiver_attach(struct receiver *receiver);
void receiver_start(struct receiver *receiver);

/* All of the above with the options of the command line. */
void receiver_set_up(struct receiver *receiver);

#endif
