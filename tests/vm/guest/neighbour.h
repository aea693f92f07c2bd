/* SPDX-License-Identifier: GPL-2.0 */
#ifndef TESTS_VM_GUEST_NEIGHBOUR_H
#define TESTS_VM_GUEST_NEIGHBOUR_H

void neighbour_works_again(void);

#endif
