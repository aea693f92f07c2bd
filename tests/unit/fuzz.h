/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the fuzzers have in common. Each makes records that are sound, damages them
 * as it chooses, makes their checksum right again, mostly, and has them checked.
 * What is accepted must be true, by code that has nothing of the kernel's. A check
 * that does not end within half a minute has failed.
 *
 * The choices are drawn from a generator with a fixed seed. With libFuzzer (make
 * fuzz) they come from there, and from files that it has left if some are named.
 *
 *   FUZZ_RUNS    how many records, of each kind; default that of the target
 *   FUZZ_SEED    other ones
 */
#ifndef TESTS_UNIT_FUZZ_H
#define TESTS_UNIT_FUZZ_H

#include <stdio.h>
#include <stdlib.h>
#include <linux/types.h>

#include "bytes.h"

struct fuzz_target {
	const char *name;
	/* One record; returns true if it was accepted. */
	bool (*one)(void);
	unsigned long runs;
	/* More of a hundred, or none at all: then the damage would be worth nothing. */
	unsigned int most_accepted;
};

/* Defined by the fuzzer; the last one has no name. */
extern const struct fuzz_target fuzz_targets[];

#define require(what) do { if (!(what)) { \
	fprintf(stderr, "accepted, but not true: %s\n", #what); abort(); } } while (0)

u32 fuzz_u32(void);
/* An extreme value, or one that is close to this. */
u64 fuzz_value(u64 now);
/* Few get past the checksum otherwise. */
bool fuzz_seals(void);
/* One to so many. */
unsigned int fuzz_edits(unsigned int most);
/* Changes a byte, or some, somewhere; address is one that could mean something there. */
void fuzz_edit(const struct bytes *areas, size_t nr, u64 address);

#endif
