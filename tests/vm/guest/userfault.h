/* SPDX-License-Identifier: GPL-2.0 */
/* Memory whose first touch ends when this program says so. */
#ifndef TESTS_VM_GUEST_USERFAULT_H
#define TESTS_VM_GUEST_USERFAULT_H

#include <stdbool.h>
#include <stddef.h>

struct userfault {
	void *memory;
	size_t size;
	int fd;
};

/* Skips the scenario where the kernel has no userfaultfd. */
void userfault_create(struct userfault *userfault, size_t size);
/* Whether somebody is waiting for a page of it, which may take a moment. */
bool userfault_wait(const struct userfault *userfault);
/* Whoever waits goes on; from here on it is memory like any other. */
void userfault_release(struct userfault *userfault);

#endif
