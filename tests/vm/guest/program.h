/* SPDX-License-Identifier: GPL-2.0 */
/* Programs as their users run them, and what they print. */
#ifndef TESTS_VM_GUEST_PROGRAM_H
#define TESTS_VM_GUEST_PROGRAM_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

/* One that is traced stands at its beginning, until it is told to go on. */
pid_t program_start(char **arguments, bool traced, FILE **output);

#endif
