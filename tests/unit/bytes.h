/* SPDX-License-Identifier: GPL-2.0 */
/* The bytes of records, wherever they lie. */
#ifndef TESTS_UNIT_BYTES_H
#define TESTS_UNIT_BYTES_H

#include <stdio.h>
#include <linux/types.h>

struct bytes {
	void *start;
	size_t len;
};

size_t bytes_total(const struct bytes *areas, size_t nr);
/* The area in which the at-th byte of all is; at becomes its offset in there. */
const struct bytes *bytes_area(const struct bytes *areas, size_t nr, size_t *at);

/* A copy of all of them, and how they become again what it says. */
void *bytes_copy(const struct bytes *areas, size_t nr);
void bytes_restore(const struct bytes *areas, size_t nr, const void *copy);

/*
 * Alters each byte in turn, in several ways, and calls back while it is altered.
 * Returns how often.
 */
unsigned long bytes_flip_each(const struct bytes *areas, size_t nr,
			      void (*flipped)(void *arg, unsigned char *byte), void *arg);

/* As lines of 16 bytes, those that are all zero are left out. */
void bytes_print(FILE *file, u64 address, const unsigned char *data, size_t len);

#endif
