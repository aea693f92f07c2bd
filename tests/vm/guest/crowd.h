/* SPDX-License-Identifier: GPL-2.0 */
/* A neighbour that has come since the machine started, and wants addresses. */
#ifndef TESTS_VM_GUEST_CROWD_H
#define TESTS_VM_GUEST_CROWD_H

struct nic_model;

/*
 * Old kernel: the neighbour loses its address, and with crowd=2 the port above it
 * and above the card its room for it, as if both had been set up without it.
 */
void crowd_the_port(const struct nic_model *model);
/* Next kernel: it has one again if there is room, and does without if not. */
void crowd_is_served(void);

#endif
