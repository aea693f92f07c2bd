/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a tenant can do to keep others waiting: memory of his that answers when he
 * likes it to, and calls made by another thread while it does not.
 */
#ifndef TESTS_VM_GUEST_TENANT_H
#define TESTS_VM_GUEST_TENANT_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

enum late_access {
	LATE_TOUCH,	/* the first touch waits */
	LATE_WRITE	/* reading does not, writing does */
};

struct late_memory {
	void *memory;
	size_t size;
	int fd;
};

/* Skips the scenario where the kernel cannot do it. */
void late_memory_create(struct late_memory *late, size_t size, enum late_access access);
/* Of memory that only writing waits for: from now on, so fill it before. */
void late_memory_protect(const struct late_memory *late);
/* Returns when somebody waits for it, and gives up if nobody does. */
void late_memory_expect_waiter(const struct late_memory *late);
/* From here on it is memory like any other. */
void late_memory_let_go(struct late_memory *late);

struct background_call {
	pthread_t thread;
	int (*function)(void *argument);
	void *argument;
	bool ended;
	int result;
	int milliseconds;
};

void call_in_background(struct background_call *call, int (*function)(void *argument),
			void *argument);
/* Whether it has returned by then. */
bool call_returns_within(struct background_call *call, int milliseconds);
int call_result(struct background_call *call);

/* The kernel's log from here on, and whether a line with this text has come. */
int kernel_log_open(void);
bool kernel_log_has(int log, const char *text);

#endif
