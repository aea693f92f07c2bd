/* SPDX-License-Identifier: GPL-2.0 */
#ifndef TESTS_VM_GUEST_PRESSURE_H
#define TESTS_VM_GUEST_PRESSURE_H

#include "receiver.h"

/*
 * Allocates nearly all free memory and writes to all of it, so that anything
 * which is in use and not known to be would be hit.
 */
void scribble_over_free_memory(void);
/*
 * Moves what can be moved: memory like that of the ring, made for the purpose, has
 * to move, and that of the ring has to stay.
 */
void compact_memory(const struct receiver *receiver);

#endif
