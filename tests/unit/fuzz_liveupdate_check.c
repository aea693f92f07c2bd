// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzzer of drivers/iommu/liveupdate-check.c: whatever the bytes are, the check
 * ends, stays within bounds, and what it accepts can be used without looking.
 *
 * Input: a byte of flags, then edits of six bytes: where (2: page and offset are
 * folded into the bytes that hold records), kind of edit, operand (3). With
 * libFuzzer (make fuzz) the input comes from there; otherwise from a generator
 * with a fixed seed, or from the files named.
 */
#include <stdlib.h>
#include <string.h>
#include "image.h"

#define FUZZ_SEAL	0x01
#define FUZZ_MAX_EDITS	64

static unsigned long accepted;

#define require(what) do { if (!(what)) { \
	fprintf(stderr, "accepted, but not true: %s\n", #what); abort(); } } while (0)

/* What the kernel relies on after the check, written without its help */
static const void *usable_record(struct image *image, u64 head, u64 pa, size_t size)
{
	unsigned int blocks = 0;

	while (head) {
		struct kho_block_header_ser *block = image_ptr(image, head);
		u64 i;

		require(block && ++blocks < 10000);
		for (i = 0; i < block->count; i++) {
			u64 here = head + sizeof(*block) + i * size;
			u32 *flags = image_ptr(image, here);

			if (here == pa && !(*flags & IOMMU_SER_DELETED))
				return flags;
		}
		head = block->next;
	}
	return NULL;
}

static void require_usable(struct image *image)
{
	struct iommu_ser *ser = image->ser;
	u64 head = ser->attachments_pa;
	unsigned int nr = 0;

	require(ser->version == IOMMU_SER_VERSION);
	while (head) {
		struct kho_block_header_ser *block = image_ptr(image, head);
		struct iommu_attachment_ser *att;
		u64 i;

		require(block && block->count && block->count <= 51);
		for (i = 0; i < block->count; i++, nr++) {
			const struct iommu_domain_ser *dser;
			const struct iommu_unit_ser *unit;

			att = (struct iommu_attachment_ser *)(block + 1) + i;
			if (att->flags)
				continue;
			dser = usable_record(image, ser->domains_pa, att->domain_pa, sizeof(*dser));
			unit = usable_record(image, ser->units_pa, att->unit_pa, sizeof(*unit));
			require(dser && unit);
			require(image_page(image, dser->top_pa) &&
				image_page(image, dser->top_pa)->preserved);
			require(!image_page(image, dser->top_pa)->order);
			require(att->nr_rids >= 1 && att->nr_rids <= 8);
			require(unit->base && dser->nr_tables);
			require(dser->top_level <= 5 && dser->vasz_lg2 <= 64);
			if (unit->type == IOMMU_UNIT_SER_VTD)
				require(image_page(image, unit->root_pa)->preserved);
		}
		head = block->next;
	}
	require(nr == ser->nr_attachments);
}

/* The address of the n-th byte that belongs to records */
static unsigned char *record_byte(struct standard *s, unsigned int n)
{
	struct {
		void *start;
		size_t len;
	} areas[] = {
		{ s->ser, sizeof(*s->ser) },
		{ (char *)s->legacy - 16, 16 + 4 * sizeof(*s->legacy) },
		{ (char *)s->ss - 16, 16 + 5 * sizeof(*s->ss) },
		{ (char *)s->nic - 16, 16 + 6 * sizeof(*s->nic) },
	};
	unsigned int i, total = 0;

	for (i = 0; i < 4; i++)
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
		value = IMAGE_BASE + ((e[3] << 8 | e[4]) % s->image->nr_pages) * PAGE_SIZE + (e[5] & 1) * 8;
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
	const char *reason = "not set";
	unsigned char flags = 0;
	unsigned int edits = 0;
	int ret;

	if (size) {
		flags = *data++;
		size--;
	}
	for (; size >= 6 && edits < FUZZ_MAX_EDITS; data += 6, size -= 6, edits++)
		edit(&s, data);
	if (flags & FUZZ_SEAL)
		image_seal(s.image);

	ret = image_check(s.image, &reason);
	require(!ret == !reason);
	if (!ret) {
		require_usable(s.image);
		accepted++;
	}
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

static int run_file(const char *path)
{
	unsigned char data[1 + 6 * FUZZ_MAX_EDITS];
	FILE *file = fopen(path, "rb");
	size_t size;

	if (!file) {
		perror(path);
		return 1;
	}
	size = fread(data, 1, sizeof(data), file);
	fclose(file);
	return LLVMFuzzerTestOneInput(data, size);
}

int main(int argc, char **argv)
{
	unsigned long i, runs = env_number("FUZZ_RUNS", 20000);
	unsigned char data[1 + 6 * 8];
	int ret = 0;

	if (argc > 1) {
		while (*++argv)
			ret |= run_file(*argv);
		return ret;
	}

	random_state = env_number("FUZZ_SEED", 1) | 1ULL << 63;
	for (i = 0; i < runs; i++) {
		size_t j, size = 1 + 6 * (1 + random_u32() % 4);

		for (j = 0; j < size; j++)
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
