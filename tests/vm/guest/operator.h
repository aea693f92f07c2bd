/* SPDX-License-Identifier: GPL-2.0 */
/* The command iommu-liveupdate as an operator types it, what it says, and how it ends. */
#ifndef TESTS_VM_GUEST_OPERATOR_H
#define TESTS_VM_GUEST_OPERATOR_H

#include <sys/types.h>

#include "receiver.h"

#define OPERATOR_COMMAND	"/iommu-liveupdate"

struct operator {
	struct receiver *receiver;	/* whose frames are taken meanwhile, or NULL */
	uid_t user;
	pid_t child;			/* of what has begun and not ended */
	int code;
	char words[2560];
	char text[16384];
	char document[32768];		/* the same in JSON, where it was typed */
	char complaints[2048];
};

/* For as long as the machine lasts. */
struct operator *operator_create(void);

/*
 * Runs it twice, for people and for programs: both have to end in the same way and to name
 * the same. Words are what blanks separate; between two apostrophes there may be some.
 */
void operator_types(struct operator *operator, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Once and for people; the end is waited for by operator_waits(). */
void operator_begins(struct operator *operator, const char *command);
void operator_waits(struct operator *operator);

/*
 * How the last one ended, and all that it found and that is not fine, in its order:
 * "FAIL dev.ats, WARN dev.no-reset"; "" for nothing.
 */
void operator_expects(const struct operator *operator, int code, const char *items);
/* What is in its lines. */
void operator_sees(const struct operator *operator, const char *words);
void operator_sees_not(const struct operator *operator, const char *words);

#endif
