/* SPDX-License-Identifier: GPL-2.0 */
/* The drive of --nic nvme, seen from beside the program that has it. */
#ifndef TESTS_VM_GUEST_DRIVE_H
#define TESTS_VM_GUEST_DRIVE_H

#include <stdbool.h>
#include <sys/types.h>

#include "nvme.h"

bool drive_is_asked_for(void);
void drive_find(char *bdf);
/* Tells the host where the controller stands. */
void drive_report(const char *bdf, const char *when);

/*
 * What the driver knows that is at the beginning of memory of this size, which the program
 * has mapped: a copy. The program may stand or run.
 */
void drive_look(pid_t program, size_t memory_size, struct nvme *copy);

#endif
