// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzzer of drivers/pci/liveupdate_check.c: whatever the bytes are, the check ends,
 * stays within bounds, and what it accepts can be used without looking.
 *
 * Input: a byte of flags, then edits of six bytes: where (2, folded into the bytes
 * that hold records), kind of edit, operand (3). With libFuzzer (make fuzz) the input
 * comes from there; otherwise from a generator with a fixed seed.
 */
#include <stdlib.h>
#include <string.h>
#include "image.h"

#define FUZZ_SEAL	0x01
#define FUZZ_MAX_EDITS	64

static unsigned long accepted;

#define require(what) do { if (!(what)) { \
	fprintf(stderr, "accepted, but not true: %s\n", #what); abort(); } } while (0)

static void require_record(const struct pci_dev_ser *record)
{
	static const struct pci_dev_ser nothing;

	if (!record->refcount) {
		require(!memcmp(record, &nothing, sizeof(nothing)));
		return;
	}
	require(!record->reserved && !record->reserved2);
	/* They are shifted by */
	for (int i = 0; i < PCI_DEV_SER_NR_BARS; i++)
		require(record->bar_lg2[i] < 64);
	require(record->rom_lg2 < 32);
	require(record->flags & PCI_DEV_SER_SIZES || (!record->rom_lg2 && !record->bar_lg2[0]));
}

/* What the kernel relies on after the check, written without its help */
static void require_usable(struct image *image)
{
	unsigned int nr = 0, blocks = 0;
	u64 pa = image->ser->devices_pa;

	require(image->ser->version == PCI_SER_VERSION);
	while (pa) {
		struct kho_block_header_ser *block = image_ptr(image, pa);
		struct pci_dev_ser *record;

		require(block && pa % PAGE_SIZE == 0 && ++blocks <= 10000);
		require(block->count && block->count <= 170);
		record = (struct pci_dev_ser *)(block + 1);
		for (u64 i = 0; i < block->count; i++, nr++)
			require_record(&record[i]);
		pa = block->next;
	}
	require(nr == image->ser->nr_devices);
}

/* The n-th byte that belongs to records */
static unsigned char *record_byte(struct standard *s, unsigned int n)
{
	struct {
		void *start;
		size_t len;
	} areas[] = {
		{ s->ser, sizeof(*s->ser) },
		{ s->first, sizeof(*s->first) + 3 * sizeof(struct pci_dev_ser) },
		{ s->second, sizeof(*s->second) + 2 * sizeof(struct pci_dev_ser) },
	};
	unsigned int i, total = 0;

	for (i = 0; i < 3; i++)
		total += areas[i].len;
	n %= total;
	for (i = 0; n >= areas[i].len; i++)
		n -= areas[i].len;
	return (unsigned char *)areas[i].start + n;
}

static void edit(struct standard *s, const unsigned char *e)
{
	unsigned char *byte = record_byte(s, e[0] << 8 | e[1]);
	unsigned char *word = (unsigned char *)((unsigned long)byte & ~7UL);
	u64 value;

	switch (e[2] % 6) {
	case 0:
		*byte = e[3];
		break;
	case 1:
		*byte ^= 1 << e[3] % 8;
		break;
	case 2:	/* an address that is somewhere in the image */
		value = IMAGE_BASE + e[3] % 8 * PAGE_SIZE + (e[5] & 1) * 8;
		memcpy(word, &value, sizeof(value));
		break;
	case 3:	/* something that is in the records elsewhere */
		memcpy(&value, (void *)((unsigned long)record_byte(s, e[3] << 8 | e[4]) & ~7UL), sizeof(value));
		memcpy(word, &value, sizeof(value));
		break;
	case 4:	/* extreme values */
		value = e[3] % 4 == 0 ? 0 : e[3] % 4 == 1 ? ~0ULL : e[3] % 4 == 2 ? ~0xfffULL : 1ULL << e[4] % 64;
		memcpy(word, &value, sizeof(value));
		break;
	case 5:
		*byte += (signed char)e[3] % 4;
		break;
	}
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct standard s = image_standard();
	unsigned char flags = 0;
	unsigned int edits = 0;

	if (size) {
		flags = *data++;
		size--;
	}
	for (; size >= 6 && edits < FUZZ_MAX_EDITS; data += 6, size -= 6, edits++)
		edit(&s, data);
	if (flags & FUZZ_SEAL)
		image_seal(s.image);

	if (!image_check(s.image)) {
		require_usable(s.image);
		accepted++;
	}
	require(s.image->maps < 2000000);
	image_free(s.image);
	return 0;
}

#ifndef FUZZ_LIBFUZZER
static u64 random_state;

static u32 random_u32(void)
{
	/* xorshift64* */
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * 0x2545f4914f6cdd1dULL >> 32;
}

static unsigned long env_number(const char *name, unsigned long value)
{
	const char *text = getenv(name);

	return text ? strtoul(text, NULL, 0) : value;
}

int main(void)
{
	unsigned long runs = env_number("FUZZ_RUNS", 20000);
	unsigned char data[1 + 6 * 8];

	random_state = env_number("FUZZ_SEED", 1) | 1ULL << 63;
	for (unsigned long i = 0; i < runs; i++) {
		size_t size = 1 + 6 * (1 + random_u32() % 4);

		for (size_t j = 0; j < size; j++)
			data[j] = random_u32();
		/* few inputs get past the checksum otherwise */
		data[0] |= random_u32() % 8 ? FUZZ_SEAL : 0;
		LLVMFuzzerTestOneInput(data, size);
	}
	printf("%lu inputs, %lu accepted\n", runs, accepted);
	/* neither all nor none: the edits are worth something */
	return !(accepted && accepted < runs / 2);
}
#endif
