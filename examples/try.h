/* SPDX-License-Identifier: GPL-2.0 */
/* What the example programs do about an error: they tell it, and end. */
#ifndef EXAMPLES_TRY_H
#define EXAMPLES_TRY_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <iommu-liveupdate.h>

/* Of the library, which knows what to do about it. */
static inline void try(const struct ilu *ilu, int failed)
{
	const struct ilu_error *error = ilu_error(ilu);

	if (!failed)
		return;
	fprintf(stderr, "%s %s: %s: %s\n%s\n", error->object, error->call, error->text,
		strerror(-error->err), error->hint);
	exit(1);
}

/* Of anything else: a negative errno */
static inline void try_system(int error, const char *what)
{
	if (!error)
		return;
	fprintf(stderr, "%s: %s\n", what, strerror(-error));
	exit(1);
}

#endif
