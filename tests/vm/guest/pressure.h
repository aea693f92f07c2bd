/* SPDX-License-Identifier: GPL-2.0 */
#ifndef TESTS_VM_GUEST_PRESSURE_H
#define TESTS_VM_GUEST_PRESSURE_H

/*
 * Allocates nearly all free memory and writes to all of it, so that anything
 * which is in use and not known to be would be hit.
 */
void scribble_over_free_memory(void);
/* Moves what can be moved. */
void compact_memory(void);

#endif
