/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the blocks of a disk hold, so that each can be told from any other: its number, a
 * version, which is 0 for what the disk came with, and words that follow from both.
 */
#ifndef EXAMPLES_DISK_H
#define EXAMPLES_DISK_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define DISK_BLOCK	512
#define DISK_WORDS	(DISK_BLOCK / sizeof(uint64_t))
#define DISK_BLOCKS	(32u << 20 >> 9)

static inline uint64_t disk_word(uint64_t block, uint64_t version, unsigned int index)
{
	uint64_t word = (block << 16 | version << 8 | index) * 0x9e3779b97f4a7c15ull;

	if (index < 2)
		return index ? version : block;
	word = (word ^ word >> 29) * 0xbf58476d1ce4e5b9ull;
	return word ^ word >> 32;
}

static inline void disk_fill(void *data, uint64_t block, uint64_t version, unsigned int count)
{
	uint64_t *words = data;

	for (; count; count--, block++)
		for (unsigned int i = 0; i < DISK_WORDS; i++)
			*words++ = disk_word(block, version, i);
}

/* A new image; closes the file. 0, or -1 with errno */
static inline int disk_write_image(FILE *file)
{
	uint64_t words[DISK_WORDS];
	bool good = true;

	for (uint64_t block = 0; good && block < DISK_BLOCKS; block++) {
		disk_fill(words, block, 0, 1);
		good = fwrite(words, sizeof(words), 1, file) == 1;
	}
	return fclose(file) || !good ? -1 : 0;
}

/* The first block that holds something else, or count */
static inline unsigned int disk_differs(const void *data, uint64_t block, uint64_t version,
					unsigned int count)
{
	const uint64_t *words = data;

	for (unsigned int at = 0; at < count; at++)
		for (unsigned int i = 0; i < DISK_WORDS; i++)
			if (*words++ != disk_word(block + at, version, i))
				return at;
	return count;
}

#endif
