// SPDX-License-Identifier: GPL-2.0
/*
 * For QEMU 10.0: its VT-d keeps pointers to the bus of a port that was pulled out, and
 * to the config space that tells the number of that bus, and reads both whenever it
 * looks a device up.  What could be one of them is never given back, so that it reads
 * what was there last: a bus that no entry of a table is for.
 */
#include <malloc.h>
#include <stddef.h>

/* A port with its bus is some 8 KiB, its config space 4 KiB. */
#define SMALLEST	2048
#define LARGEST		65536

/* The C library's own name for it. */
void __libc_free(void *memory);

void free(void *memory)
{
	size_t size = malloc_usable_size(memory);

	if (size < SMALLEST || size > LARGEST)
		__libc_free(memory);
}
