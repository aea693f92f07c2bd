/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Entries as the driver writes them, in all choices of their fields, and the
 * judgement of a plan: it is executed on memory under the eyes of the model, once
 * for each place at which one of the domains could unmap.
 */
#ifndef JUDGE_H
#define JUDGE_H

#include <linux/array_size.h>
#include "model.h"

#define PWSNP		(1ULL << 23)
#define PGSNP		(1ULL << 24)

/* Every choice that makes a difference; the bits of a choice name it */
#define CHOICES		(1U << 15)

extern const char * const kind_names[];
extern const char * const inval_names[];

/* False for a choice that entries of this kind do not have. */
bool scenario_at(struct scenario *s, enum intel_replace_kind kind, unsigned int choice);
/* What is wrong with a plan, or NULL. */
const char *judge(const struct scenario *s, const struct intel_replace_plan *plan);
void print_plan(const struct scenario *s, const struct intel_replace_plan *plan);

#endif
