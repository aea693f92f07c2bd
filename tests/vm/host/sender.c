// SPDX-License-Identifier: GPL-2.0
/*
 * Sends numbered frames by an absolute schedule.  A frame that is refused is
 * offered again for 20 ms.  They are counted from its first offer, or from when
 * the card last took another one: after a stall there is a queue to work off.
 * And they are counted only while the emulator runs, see emulator_clock.c.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "frame.h"
#include "run.h"

#define OFFER_AGAIN_NS	(20 * NS_PER_MS)
/* Of the host's time, for an emulator that has ended. */
#define GIVE_UP_NS	(2 * NS_PER_S)
#define RETRY_NS	(NS_PER_MS / 2)

struct sender {
	int socket;
	struct sockaddr_un remote;
	struct emulator_clock *clock;
	unsigned int stream;
	int64_t interval_ns;
	unsigned int limit;
	struct frame_record *records;
	pthread_t thread;
	bool running;
	int64_t taken_running_ns;	/* when the card last took a frame, by clock */
	atomic_bool stop;
	atomic_uint scheduled;
};

int64_t wall_clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static void sleep_until(int64_t when_ns)
{
	struct timespec when = {
		.tv_sec = when_ns / NS_PER_S,
		.tv_nsec = when_ns % NS_PER_S,
	};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL) == EINTR)
		;
}

struct sockaddr_un unix_address(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	return address;
}

struct sender *sender_create(const char *local, const char *remote,
			     struct emulator_clock *clock, unsigned int stream, int rate,
			     int limit_s)
{
	struct sender *sender = calloc(1, sizeof(*sender));
	struct sockaddr_un address = unix_address(local);

	if (!sender)
		return NULL;
	sender->remote = unix_address(remote);
	sender->clock = clock;
	sender->stream = stream;
	sender->interval_ns = NS_PER_S / rate;
	sender->limit = (unsigned int)rate * limit_s;
	sender->records = calloc(sender->limit, sizeof(*sender->records));
	sender->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (!sender->records || sender->socket < 0 ||
	    bind(sender->socket, (struct sockaddr *)&address, sizeof(address))) {
		perror(local);
		return NULL;
	}
	return sender;
}

static bool offer(struct sender *sender, unsigned int sequence, int64_t now_ns)
{
	struct frame frame;

	frame_build(&frame, sender->stream, sequence, now_ns);
	return sendto(sender->socket, &frame, sizeof(frame), 0,
		      (struct sockaddr *)&sender->remote, sizeof(sender->remote)) ==
	       sizeof(frame);
}

static bool time_is_over(const struct sender *sender, const struct frame_record *record)
{
	int64_t since = record->due_running_ns;

	if (since < sender->taken_running_ns)
		since = sender->taken_running_ns;
	if (emulator_clock_read(sender->clock) - since >= OFFER_AGAIN_NS)
		return true;
	return sender->stop && monotonic_ns() - record->due_ns >= GIVE_UP_NS;
}

/* Whether the frame's fate is decided. */
static bool offer_again(struct sender *sender, unsigned int sequence)
{
	struct frame_record *record = &sender->records[sequence];

	record->taken_ns = wall_clock_ns();
	if (offer(sender, sequence, record->taken_ns)) {
		record->fate = FRAME_TAKEN;
		sender->taken_running_ns = emulator_clock_read(sender->clock);
		return true;
	}
	record->late = 1;
	if (!time_is_over(sender, record))
		return false;
	record->fate = FRAME_REFUSED;
	record->late = 0;
	return true;
}

/* A sender that was not run for a while counts a frame's 20 ms from its waking. */
static unsigned int schedule_due_frames(struct sender *sender, unsigned int next, int64_t begin)
{
	int64_t now = monotonic_ns(), running = emulator_clock_read(sender->clock);

	for (; next < sender->limit && begin + next * sender->interval_ns <= now; next++) {
		sender->records[next].due_ns = now;
		sender->records[next].due_running_ns = running;
	}
	sender->scheduled = next;
	return next;
}

/* Nothing is drowned out by other programs of the host, where that is allowed. */
static void raise_priority(void)
{
	struct sched_param first = { .sched_priority = 1 };

	setpriority(PRIO_PROCESS, syscall(SYS_gettid), -15);
	sched_setscheduler(0, SCHED_RR, &first);
}

/*
 * Frames go out in order.  With a stopped card the oldest waits for its end
 * while the ones behind it wait as well, each for 20 ms of its own.
 */
static void *send_all(void *argument)
{
	struct sender *sender = argument;
	int64_t begin = monotonic_ns();
	unsigned int oldest = 0, next = 0;

	raise_priority();
	for (;;) {
		int64_t wake;

		if (!sender->stop)
			next = schedule_due_frames(sender, next, begin);
		while (oldest < next && offer_again(sender, oldest))
			oldest++;
		if (oldest == next && (sender->stop || next == sender->limit))
			return NULL;
		wake = begin + next * sender->interval_ns;
		if (oldest < next && wake > monotonic_ns() + RETRY_NS)
			wake = monotonic_ns() + RETRY_NS;
		if (sender->stop)
			wake = monotonic_ns() + RETRY_NS;
		sleep_until(wake);
	}
}

int sender_start(struct sender *sender)
{
	int error = pthread_create(&sender->thread, NULL, send_all, sender);

	sender->running = !error;
	return -error;
}

void sender_stop(struct sender *sender)
{
	if (!sender || !sender->running)
		return;
	sender->stop = true;
	pthread_join(sender->thread, NULL);
	sender->running = false;
}

void sender_stalls(const struct sender *sender, int64_t *sum_ns, int64_t *longest_ns)
{
	emulator_clock_stalls(sender->clock, sum_ns, longest_ns);
}

unsigned int sender_count(const struct sender *sender)
{
	return sender->scheduled;
}

struct frame_record *sender_record(struct sender *sender, unsigned int sequence)
{
	return sequence < sender->scheduled ? &sender->records[sequence] : NULL;
}
