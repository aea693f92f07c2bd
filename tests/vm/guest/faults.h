/* SPDX-License-Identifier: GPL-2.0 */
/* Allocations of the kernel that fail, on behalf of this process alone. */
#ifndef TESTS_VM_GUEST_FAULTS_H
#define TESTS_VM_GUEST_FAULTS_H

#include <stdbool.h>

enum fault_extent {
	FAULT_ONE,	/* only this allocation */
	FAULT_REST,	/* this one, and all that follow */
};

/* Skips the scenario when the kernel is built without fault injection. */
void faults_prepare(void);
/* From here on the nth allocation fails; the first is number 1. */
void faults_begin(unsigned int nth, enum fault_extent extent);
/* Nothing fails any more.  Whether there were as many allocations. */
bool faults_end(void);

#endif
