/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A program as the library wants it: one way for both kernels. Two memories, one of
 * them its own; two spaces; three devices behind two kinds of IOMMU, one of which
 * somebody else has opened; interrupts; and blobs before and after ilu_preserve().
 */
#ifndef TESTS_LIB_PROGRAM_H
#define TESTS_LIB_PROGRAM_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fake.h"

/* More points than any way has: who counts so far counts in vain. */
#define LONGEST		2000
#define NR(array)	(sizeof(array) / sizeof((array)[0]))

#define RAM_LENGTH	(16 * FAKE_PAGE)
#define ROM_LENGTH	(2 * FAKE_PAGE)
#define RAM_IOVA	0x10000000ull
#define HIGH_IOVA	0x8000000000ull
#define ROM_IOVA	0x20000000ull

/* Of the way back: manifest, sweep, iommufd, memories, spaces, maps, 3 for each device */
#define RESTORE_STEPS	(3 + 2 + 2 + 4 + 9)

struct owner;

struct program {
	struct fake *fake;
	struct owner *owner;	/* of a broker, see broker.h */
	struct ilu *ilu;
	uint64_t generation;	/* how many updates there were */
	unsigned int retried;
};

struct step {
	const char *name;
	/* 0 or a negative errno */
	int (*run)(struct program *program);
	/* A failure leaves as it was: nothing of it, open files, all. */
	enum { NOTHING, FILES, ALL } unwinds;
};

extern const struct step set_up_steps[], take_back_steps[], leave_steps[];

/* What set_up_steps begins with */
int program_open_session(struct program *program);
void program_start(struct program *program, struct fake *fake);
/* Each of them; one that fails is tried once more, and has to unwind and to say why. */
void program_run(struct program *program, const struct step *steps);
/* From whatever there is, one kernel's worth: set up or take back, then leave. */
void program_live(struct program *program);
/* After the kexec: another process */
void program_next(struct program *program);
void program_end(struct program *program);
/*
 * Lives until it dies before that point; 0: it does not. The memory of who has died is
 * nobody's, and all that it has is closed. True: it died.
 */
bool program_dies(struct program *program, unsigned long at,
		  void (*live)(struct program *program));
/* Point after point, until there is no other one: how many there were. */
unsigned long program_each_point(bool (*dies)(unsigned long at));
/*
 * Pairs of points, each of the first ones with every stride-th second one. 0: the first one
 * is not met, 1: both are, 2: the second one is not.
 */
unsigned long program_each_pair(int (*die_twice)(unsigned long first, unsigned long second),
				unsigned long stride);
/* Devices run, were never reset, find what they found before; nothing was broken. */
void program_check(struct program *program);
/* All devices are closed, no file is open, no session is left. */
void assert_nothing(struct fake *fake);

#define assert_ok(program, call) assert_ok_at(program, call, #call, __FILE__, __LINE__)
void assert_ok_at(const struct program *program, int result, const char *what, const char *file,
		  int line);
/* It fails so, and says why. */
#define assert_refused(program, call, error) \
	assert_refused_at(program, call, error, #call, __FILE__, __LINE__)
void assert_refused_at(const struct program *program, int result, int error, const char *what,
		       const char *file, int line);

#endif
