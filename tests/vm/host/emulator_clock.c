// SPDX-License-Identifier: GPL-2.0
/*
 * How long the emulator has been running, told by its own answers.
 *
 * The machine is a process of this host.  When it gets no processor for a
 * moment it takes no frames, as a stopped card does.  To tell the one from the
 * other a datagram goes round all the time through the loop that also feeds the
 * card: into one socket of QEMU, through a hub, out of another.  An answer
 * proves that the loop ran, so it moves this clock on by the time the round
 * took, but never by more than ROUND_NS.  With a stopped card the answers come
 * as ever, and the clock runs like any other.
 *
 * What this clock leaves out is time in which a stopped card would not be
 * noticed.  So it remembers how it went, and says afterwards what it cannot tell.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "run.h"

/* Two intervals of the sender: an answer is read when the sender wakes. */
#define ROUND_NS	(2 * NS_PER_MS)
#define TICKS_AT_FIRST	4096

struct emulator_clock {
	int out, in;
	struct sockaddr_un remote;
	int64_t asked_ns;	/* 0: no answer is awaited */
	int64_t running_ns;
	struct clock_history history;
};

int64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static int bound_socket(const char *path)
{
	struct sockaddr_un address = unix_address(path);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address))) {
		perror(path);
		return -1;
	}
	return fd;
}

struct emulator_clock *emulator_clock_create(const char *ask, const char *answer,
					     const char *remote)
{
	struct emulator_clock *clock = calloc(1, sizeof(*clock));

	if (!clock)
		return NULL;
	clock->remote = unix_address(remote);
	clock->out = bound_socket(ask);
	clock->in = bound_socket(answer);
	return clock->out < 0 || clock->in < 0 ? NULL : clock;
}

/* Without memory for it a run is not judged at all. */
void clock_history_add(struct clock_history *history, int64_t wall_ns, int64_t running_ns)
{
	if (history->count == history->room) {
		history->room = history->room ? 2 * history->room : TICKS_AT_FIRST;
		history->ticks = realloc(history->ticks, history->room * sizeof(*history->ticks));
		if (!history->ticks)
			abort();
	}
	history->ticks[history->count++] = (struct clock_tick) {
		.wall_ns = wall_ns,
		.running_ns = running_ns,
	};
}

static void take_answer(struct emulator_clock *clock, int64_t now)
{
	char answer[64];
	int64_t round;

	if (recv(clock->in, answer, sizeof(answer), 0) <= 0)
		return;
	round = now - clock->asked_ns;
	clock->asked_ns = 0;
	clock->running_ns += round < ROUND_NS ? round : ROUND_NS;
	clock_history_add(&clock->history, wall_clock_ns(), clock->running_ns);
}

static void ask(struct emulator_clock *clock, int64_t now)
{
	static const char question[64];

	if (sendto(clock->out, question, sizeof(question), 0,
		   (struct sockaddr *)&clock->remote, sizeof(clock->remote)) ==
	    sizeof(question))
		clock->asked_ns = now;
}

int64_t emulator_clock_read(struct emulator_clock *clock)
{
	int64_t now = monotonic_ns();

	if (clock->asked_ns)
		take_answer(clock, now);
	if (!clock->asked_ns)
		ask(clock, now);
	return clock->running_ns;
}

const struct clock_history *emulator_clock_history(const struct emulator_clock *clock)
{
	return &clock->history;
}

/* Time without an answer at the end of the span counts as much as any other. */
int64_t clock_history_ran(const struct clock_history *history, int64_t from_ns, int64_t until_ns)
{
	int64_t first = 0, last = 0;

	for (size_t i = 0; i < history->count; i++) {
		const struct clock_tick *tick = &history->ticks[i];

		if (tick->wall_ns <= from_ns)
			first = tick->running_ns;
		if (tick->wall_ns <= until_ns)
			last = tick->running_ns;
	}
	return last - first;
}

/*
 * A tick ends a round, so who waits for running_ns from right after one tick on
 * has waited enough at the first tick that is so much later.
 */
int64_t clock_history_longest_wait(const struct clock_history *history, int64_t running_ns,
				   int64_t from_ns, int64_t until_ns)
{
	int64_t longest = 0, waited;
	size_t end = 0;

	for (size_t i = 0; i < history->count; i++) {
		const struct clock_tick *tick = &history->ticks[i];

		while (end < history->count &&
		       history->ticks[end].running_ns - tick->running_ns < running_ns)
			end++;
		if (tick->wall_ns < from_ns || tick->wall_ns > until_ns)
			continue;
		/* Not over when the span ends: at least until then. */
		waited = (end < history->count ? history->ticks[end].wall_ns : until_ns) -
			 tick->wall_ns;
		if (waited > longest)
			longest = waited;
	}
	return longest;
}
