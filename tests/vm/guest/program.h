/* SPDX-License-Identifier: GPL-2.0 */
/* Programs as their users run them, what they print, and where they are stopped. */
#ifndef TESTS_VM_GUEST_PROGRAM_H
#define TESTS_VM_GUEST_PROGRAM_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

/* One that is traced stands at its first call into the kernel, until it is told to go on. */
pid_t program_start(char **arguments, bool traced, FILE **output);
/* It makes the call at which it stands, and those that follow, but not the next of this kind. */
void program_run_until(pid_t child, unsigned long call);
/* Of the call at which it stands */
unsigned long program_second_argument(pid_t child);
/* It goes on, and is not traced any more. */
void program_let_go(pid_t child);

/* A line without its end. Of what it has said so far, or else it is waited for. */
bool program_said(FILE *output, char *line, int size);
bool program_says(FILE *output, char *line, int size);

#endif
