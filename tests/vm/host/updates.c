// SPDX-License-Identifier: GPL-2.0
/* When what happened: the kexecs of a run, and the time that is judged; where its files are. */
#include <stdio.h>

#include "run.h"

#define POWER_OFF_S	20

/* Nothing is left then but to power off, which takes half a second. */
static int64_t power_off_limit_ns(const struct run *run)
{
	int limit_s = run->options.timeout_s / 9;

	return (limit_s > POWER_OFF_S ? limit_s : POWER_OFF_S) * NS_PER_S;
}

int64_t run_deadline_ns(const struct run *run)
{
	/* The first kernel needs 2 s, or 20 s with all debugging. */
	int timeout_s = *run->old_build ? run->options.timeout_s : run->options.timeout_s / 3;
	int64_t end = run->start_ns + timeout_s * NS_PER_S;
	int64_t off = run->done_ns + power_off_limit_ns(run);

	return run->done_ns && off < end ? off : end;
}

void run_path(const struct run *run, const char *file, char *path, size_t size)
{
	snprintf(path, size, "%s/%s", run->options.output, file);
}

struct update *run_update(struct run *run)
{
	return &run->updates[run->update_count ? run->update_count - 1 : 0];
}

int64_t run_begin_ns(const struct run *run)
{
	return run->updates[0].kexec_ns;
}

bool run_had_kexec(const struct run *run)
{
	return run->updates[0].kexec_ns && run->updates[0].user_space_ns;
}

int64_t run_judged_until(const struct run *run)
{
	const struct update *last = &run->updates[run->update_count ? run->update_count - 1 : 0];

	return last->finished_ns ? last->finished_ns : last->user_space_ns;
}

bool run_is_judged(const struct run *run, int64_t when)
{
	int64_t until = run_judged_until(run);

	if (!run_begin_ns(run) || when < run_begin_ns(run) || (until && when > until))
		return false;
	return !run->parting[0].released_ns || when <= run->parting[0].released_ns;
}

bool run_is_reclaimed(const struct run *run, int64_t when)
{
	bool reclaimed = false;

	for (int i = 0; i < run->update_count && when >= run->updates[i].kexec_ns; i++)
		reclaimed = run->updates[i].reclaimed_ns && when >= run->updates[i].reclaimed_ns;
	return reclaimed;
}

bool run_fault_counts(const struct run *run, unsigned int stream, int64_t when)
{
	const struct parting *parting = &run->parting[stream];

	return !parting->released_ns || when < parting->released_ns || parting->unmapping_ns;
}

int run_blackout_of(const struct run *run, int64_t when)
{
	for (int i = 0; i < run->update_count; i++) {
		const struct update *update = &run->updates[i];

		if (when >= update->kexec_ns &&
		    (!update->user_space_ns || when <= update->user_space_ns))
			return i;
	}
	return -1;
}
