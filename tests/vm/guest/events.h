/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Lines to the host on a serial port of their own, where no kernel message
 * can cut them:
 *
 *	LU NANOSECONDS WORD key=value ...
 *	LU? NANOSECONDS WORD key=value ...	the host answers "ok"
 */
#ifndef TESTS_VM_GUEST_EVENTS_H
#define TESTS_VM_GUEST_EVENTS_H

#include <stdbool.h>

int events_open(void);
void event(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Waits for the host's answer, so that both agree on the order of things. */
void event_ask(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* One statement that the run depends on.  Returns whether it holds. */
bool check(bool holds, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* result is 0 or a negative errno; errno_wanted is positive or 0. */
bool check_errno(int result, int errno_wanted, const char *what);
/* For what the test itself needs: reports and powers off. */
int must(int result, const char *what);
void give_up(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
/* The kernel lacks what the scenario is about. */
void skip(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif
