/* SPDX-License-Identifier: GPL-2.0 */
/* The machine around the test: mounts, command line, clock, power. */
#ifndef TESTS_VM_GUEST_MACHINE_H
#define TESTS_VM_GUEST_MACHINE_H

#include <linux/types.h>
#include <stdbool.h>

#define PAGE		4096

void machine_mount_filesystems(void);
/* The disk of --usr */
void machine_mount_usr(void);
long long monotonic_ns(void);
void sleep_ms(int milliseconds);
/* Release and version of the running kernel, without blanks. */
const char *kernel_build(void);
const char *kernel_place(void);
void power_off(void) __attribute__((noreturn));

/* The value of lu_NAME= on the command line, or the given default. */
const char *option_text(const char *name, const char *otherwise);
long option_number(const char *name, long otherwise);

/* Lets kmemleak look, where the kernel has it. */
void check_for_leaks(void);

/* Where pages of this process are; 0 for one that was never touched. */
void physical_addresses(const void *pages, unsigned long count, __u64 *addresses);
__u64 physical_address(const void *page);

int write_file(const char *path, const char *text);
int touch_file(const char *path);
/* Strips the newline.  Empty when it cannot be read. */
const char *read_file(const char *path, char *buffer, unsigned int size);

/* Whether the kernel's log has these words. */
bool log_says(const char *words);

#endif
