/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Words to the service manager, as sd_notify(3) has them, without its library. Each
 * function returns 0 or a negative errno, and 0 where nobody listens.
 */
#ifndef EXAMPLES_NOTIFY_H
#define EXAMPLES_NOTIFY_H

/* VARIABLE=VALUE, one a line */
int notify(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* With a descriptor, which stays the caller's. */
int notify_with_fd(int fd, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Returns when all that was said before has been done. */
int notify_barrier(void);

#endif
