// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <string.h>
#include <linux/array_size.h>

#include "bytes.h"

size_t bytes_total(const struct bytes *areas, size_t nr)
{
	size_t total = 0;

	for (size_t i = 0; i < nr; i++)
		total += areas[i].len;
	return total;
}

const struct bytes *bytes_area(const struct bytes *areas, size_t nr, size_t *at)
{
	*at %= bytes_total(areas, nr);
	while (*at >= areas->len)
		*at -= areas++->len;
	return areas;
}

void *bytes_copy(const struct bytes *areas, size_t nr)
{
	unsigned char *copy = malloc(bytes_total(areas, nr)), *end = copy;

	for (size_t i = 0; i < nr; end += areas[i++].len)
		memcpy(end, areas[i].start, areas[i].len);
	return copy;
}

void bytes_restore(const struct bytes *areas, size_t nr, const void *copy)
{
	for (size_t i = 0; i < nr; copy = (const char *)copy + areas[i++].len)
		memcpy(areas[i].start, copy, areas[i].len);
}

unsigned long bytes_flip_each(const struct bytes *areas, size_t nr,
			      void (*flipped)(void *arg, unsigned char *byte), void *arg)
{
	static const unsigned char masks[] = { 0x01, 0x80, 0xff };
	unsigned long flips = 0;

	for (size_t at = 0, total = bytes_total(areas, nr); at < total; at++) {
		size_t offset = at;
		unsigned char *start = bytes_area(areas, nr, &offset)->start;

		for (size_t i = 0; i < ARRAY_SIZE(masks); i++, flips++) {
			start[offset] ^= masks[i];
			flipped(arg, start + offset);
			start[offset] ^= masks[i];
		}
	}
	return flips;
}

void bytes_print(FILE *file, u64 address, const unsigned char *data, size_t len)
{
	static const unsigned char zero[16];

	for (size_t i = 0; i < len; i += sizeof(zero)) {
		if (!memcmp(data + i, zero, sizeof(zero)))
			continue;
		fprintf(file, "%llx:", (unsigned long long)(address + i));
		for (size_t j = 0; j < sizeof(zero); j++)
			fprintf(file, " %02x", data[i + j]);
		fprintf(file, "\n");
	}
}
