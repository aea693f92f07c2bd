// SPDX-License-Identifier: GPL-2.0
#include <signal.h>
#include <string.h>
#include <unistd.h>
#include <sys/param.h>
#include <linux/array_size.h>

#include "fuzz.h"

#define LONGEST_INPUT	4096
#define END_SECONDS	30
/* Asking for an alarm takes longer than some checks. */
#define RUNS_PER_ALARM	256

/* Instead of the generator, until they are used up */
static const unsigned char *input;
static size_t input_left;
static u64 random_state = 1;

/* Freed memory that is kept back for long is fetched anew each time. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "quarantine_size_mb=1";
}

u32 fuzz_u32(void)
{
	u32 value = 0;

	if (input) {
		size_t len = MIN(input_left, sizeof(value));

		memcpy(&value, input, len);
		input += len;
		input_left -= len;
		return value;
	}
	/* xorshift64* */
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * 0x2545f4914f6cdd1dULL >> 32;
}

u64 fuzz_value(u64 now)
{
	switch (fuzz_u32() % 6) {
	case 0:
		return 0;
	case 1:
		return ~0ULL >> fuzz_u32() % 64;
	case 2:
		return now ^ 1ULL << fuzz_u32() % 64;
	case 3:
		return 1ULL << fuzz_u32() % 64;
	case 4:
		return fuzz_u32() % 300;
	default:
		return now + fuzz_u32() % 7 - 3;
	}
}

bool fuzz_seals(void)
{
	return fuzz_u32() % 16;
}

unsigned int fuzz_edits(unsigned int most)
{
	return 1 + fuzz_u32() % most;
}

/* A value of 2 to 8 bytes, at a multiple of its size, becomes what it is not. */
static void edit_value(unsigned char *start, size_t len, size_t at)
{
	size_t width = 2u << fuzz_u32() % 3;
	u64 value = 0;

	at -= at % width;
	width = MIN(width, len - at);
	memcpy(&value, start + at, width);
	value = fuzz_value(value);
	memcpy(start + at, &value, width);
}

static void edit_word(unsigned char *start, size_t len, size_t at, u64 value)
{
	at -= at % sizeof(value);
	memcpy(start + at, &value, MIN(sizeof(value), len - at));
}

/* Something that stands elsewhere */
static u64 other_word(const struct bytes *areas, size_t nr)
{
	size_t at = fuzz_u32();
	const struct bytes *area = bytes_area(areas, nr, &at);
	u64 value = 0;

	at -= at % sizeof(value);
	memcpy(&value, (char *)area->start + at, MIN(sizeof(value), area->len - at));
	return value;
}

void fuzz_edit(const struct bytes *areas, size_t nr, u64 address)
{
	size_t at = fuzz_u32();
	const struct bytes *area = bytes_area(areas, nr, &at);
	unsigned char *start = area->start;

	switch (fuzz_u32() % 8) {
	case 0:
		start[at] = fuzz_u32();
		break;
	case 1:
		start[at] ^= 1 << fuzz_u32() % 8;
		break;
	case 2:
		start[at] += fuzz_u32() % 7 - 3;
		break;
	case 3:
		edit_word(start, area->len, at, address);
		break;
	case 4:
		edit_word(start, area->len, at, other_word(areas, nr));
		break;
	case 5:	/* a page that is nowhere */
		edit_word(start, area->len, at, fuzz_value(address) & ~0xfffULL);
		break;
	default:
		edit_value(start, area->len, at);
	}
}

static unsigned int nr_targets(void)
{
	unsigned int nr = 0;

	while (fuzz_targets[nr].name)
		nr++;
	return nr;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	input = data;
	input_left = size;
	fuzz_targets[fuzz_u32() % nr_targets()].one();
	return 0;
}

#ifndef FUZZ_LIBFUZZER
static unsigned long env_number(const char *name, unsigned long value)
{
	const char *text = getenv(name);

	return text ? strtoul(text, NULL, 0) : value;
}

static int run_file(const char *path)
{
	unsigned char data[LONGEST_INPUT];
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

static void no_end(int unused)
{
	static const char text[] = "the check does not end\n";

	if (write(STDERR_FILENO, text, sizeof(text) - 1))
		abort();
}

struct count {
	unsigned long runs, accepted;
};

static void run_some(const struct fuzz_target *target, struct count *count)
{
	unsigned long runs = env_number("FUZZ_RUNS", target->runs);

	for (int i = 0; i < RUNS_PER_ALARM && count->runs < runs; i++, count->runs++)
		count->accepted += target->one();
}

static bool print_result(const struct fuzz_target *target, const struct count *count)
{
	printf("%s: %lu inputs, %lu accepted\n", target->name, count->runs, count->accepted);
	return count->accepted && count->accepted <= count->runs * target->most_accepted / 100;
}

/* All targets in turns, so that a bug in the last one is found as soon. */
static int run_all(void)
{
	struct count *counts = calloc(nr_targets(), sizeof(*counts));
	unsigned long before, after = 0;
	int ret = 0;

	random_state = env_number("FUZZ_SEED", 1) | 1ULL << 63;
	signal(SIGALRM, no_end);
	do {
		before = after;
		after = 0;
		for (unsigned int i = 0; i < nr_targets(); i++) {
			alarm(END_SECONDS);
			run_some(&fuzz_targets[i], &counts[i]);
			after += counts[i].runs;
		}
	} while (after != before);

	for (unsigned int i = 0; i < nr_targets(); i++)
		ret |= !print_result(&fuzz_targets[i], &counts[i]);
	free(counts);
	return ret;
}

int main(int argc, char **argv)
{
	int ret = 0;

	if (argc > 1) {
		while (*++argv)
			ret |= run_file(*argv);
		return ret;
	}
	return run_all();
}
#endif
