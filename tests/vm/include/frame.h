/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The frame that the host sends and the guest looks for in memory, and the
 * pattern that fills every byte of a buffer which no frame has reached.
 */
#ifndef TESTS_VM_FRAME_H
#define TESTS_VM_FRAME_H

#include <stdint.h>
#include <string.h>

#define FRAME_MAGIC		0x21514553u	/* "SEQ!" */
#define FRAME_FILLER_WORDS	6

struct frame {
	uint8_t destination[6];
	uint8_t source[6];
	uint8_t type[2];
	uint32_t magic;
	uint32_t sequence;
	uint64_t sent_ns;
	uint32_t stream;
	uint32_t filler[FRAME_FILLER_WORDS];
	uint16_t zero;
	uint32_t checksum;
} __attribute__((packed));

_Static_assert(sizeof(struct frame) == 64, "a frame is the smallest Ethernet frame");

/* FNV-1a: enough to notice a torn or misplaced write. */
static inline uint32_t frame_checksum(const struct frame *frame)
{
	const uint8_t *bytes = (const uint8_t *)frame;
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < sizeof(*frame) - sizeof(frame->checksum); i++)
		hash = (hash ^ bytes[i]) * 16777619u;
	return hash;
}

static inline void frame_build(struct frame *frame, uint32_t stream, uint32_t sequence,
			       uint64_t sent_ns)
{
	static const uint8_t source[6] = { 0x52, 0x54, 0x00, 0x00, 0x00, 0x99 };
	static const uint8_t type[2] = { 0x88, 0xb5 };

	memset(frame, 0, sizeof(*frame));
	memset(frame->destination, 0xff, sizeof(frame->destination));
	memcpy(frame->source, source, sizeof(source));
	memcpy(frame->type, type, sizeof(type));
	frame->magic = FRAME_MAGIC;
	frame->sequence = sequence;
	frame->sent_ns = sent_ns;
	frame->stream = stream;
	for (int i = 0; i < FRAME_FILLER_WORDS; i++)
		frame->filler[i] = (sequence + i) * 2654435761u;
	frame->checksum = frame_checksum(frame);
}

static inline int frame_is_intact(const struct frame *frame)
{
	return frame->magic == FRAME_MAGIC && frame->checksum == frame_checksum(frame);
}

/* Differs for every eight bytes of the memory, so a misplaced copy shows. */
static inline uint64_t pattern_word(uint64_t offset)
{
	return (offset / 8 + 1) * 0x9e3779b97f4a7c15ull;
}

#endif
