/* SPDX-License-Identifier: GPL-2.0 */
/* A crash kernel, which vm-run packs with --crash, and the crash it waits for. */
#ifndef TESTS_VM_GUEST_CRASH_H
#define TESTS_VM_GUEST_CRASH_H

/* The value of lu_stage in it. */
#define STAGE_CRASHED	3

void crash_load_kernel(void);
void crash_now(void) __attribute__((noreturn));
/* In the crash kernel: the headers, the note a debugger starts from, memory itself. */
void crash_expect_dump(void);

#endif
