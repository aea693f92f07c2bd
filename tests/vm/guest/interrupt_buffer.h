/* SPDX-License-Identifier: GPL-2.0 */
#ifndef TESTS_VM_GUEST_INTERRUPT_BUFFER_H
#define TESTS_VM_GUEST_INTERRUPT_BUFFER_H

#include "nic.h"

#define INTERRUPT_SLOT_EVERY	64

/* Before the card is started. */
void divert_slots(const struct rx_ring *ring);
/* The host counts these as arrived, though not in memory. */
void report_diverted(const struct rx_ring *ring);

#endif
