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
/* What is worth telling; a round is usually over within one interval. */
#define STALL_NS	(20 * NS_PER_MS)

struct emulator_clock {
	int out, in;
	struct sockaddr_un remote;
	int64_t asked_ns;	/* 0: no answer is awaited */
	int64_t running_ns;
	int64_t stalled_ns, longest_stall_ns;
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

static void take_answer(struct emulator_clock *clock, int64_t now)
{
	char answer[64];
	int64_t round;

	if (recv(clock->in, answer, sizeof(answer), 0) <= 0)
		return;
	round = now - clock->asked_ns;
	clock->asked_ns = 0;
	clock->running_ns += round < ROUND_NS ? round : ROUND_NS;
	if (round < STALL_NS)
		return;
	clock->stalled_ns += round;
	if (round > clock->longest_stall_ns)
		clock->longest_stall_ns = round;
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

void emulator_clock_stalls(const struct emulator_clock *clock, int64_t *sum_ns,
			   int64_t *longest_ns)
{
	*sum_ns = clock->stalled_ns;
	*longest_ns = clock->longest_stall_ns;
}
