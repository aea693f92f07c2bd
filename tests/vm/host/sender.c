// SPDX-License-Identifier: GPL-2.0
/*
 * Sends numbered frames by an absolute schedule.  A frame is taken when QEMU has
 * read it: the socket keeps count of what its peer has not read.  So what QEMU's
 * socket can hold, which differs from host to host, plays no part, and of a
 * stopped card QEMU itself keeps one frame, and no more.
 *
 * A frame that QEMU has not read 20 ms after it was due is refused, even if it
 * lands later: what is in the socket cannot be taken back.  They are counted from
 * when it was due, or from when another one was read last: after a stall there is
 * a queue to work off.  And they are counted only while the emulator runs, see
 * emulator_clock.c.
 */
#include <errno.h>
#include <linux/sockios.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "frame.h"
#include "run.h"

/* Both by the emulator's clock. */
#define TAKEN_WITHIN_NS	(20 * NS_PER_MS)
#define LATE_NS		(5 * NS_PER_MS)
/* Of the host's time, for an emulator that has ended. */
#define GIVE_UP_NS	(2 * NS_PER_S)
/* While a frame is on its way into QEMU, and else: the clock wants to be read. */
#define LOOK_AGAIN_NS	(NS_PER_MS / 5)
#define WAKE_NS		NS_PER_MS
/* Fewer than any host's sockets hold; on a busy one the sender does not wake often. */
#define IN_SOCKET	8

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
	/* When QEMU last read a frame, by its clock and by the host's. */
	int64_t taken_running_ns, taken_ns;
	int frame_cost;			/* what one unread frame counts for */
	unsigned int in_socket[IN_SOCKET], unread;	/* in order */
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

/* The socket counts memory, the same for each frame. */
static int cost_of_frame(void)
{
	struct frame frame = { 0 };
	int ends[2], cost = 0;

	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends))
		return 0;
	if (write(ends[0], &frame, sizeof(frame)) != sizeof(frame) ||
	    ioctl(ends[0], SIOCOUTQ, &cost))
		cost = 0;
	close(ends[0]);
	close(ends[1]);
	return cost;
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
	sender->frame_cost = cost_of_frame();
	if (!sender->records || !sender->frame_cost || sender->socket < 0 ||
	    bind(sender->socket, (struct sockaddr *)&address, sizeof(address))) {
		perror(local);
		return NULL;
	}
	return sender;
}

static unsigned int count_unread(const struct sender *sender)
{
	int bytes = 0;

	if (ioctl(sender->socket, SIOCOUTQ, &bytes))
		return sender->unread;
	return (bytes + sender->frame_cost - 1) / sender->frame_cost;
}

/* The oldest one was read; it may have been given up before. */
static void note_read(struct sender *sender, int64_t running)
{
	struct frame_record *record = &sender->records[sender->in_socket[0]];

	sender->unread--;
	memmove(sender->in_socket, sender->in_socket + 1,
		sender->unread * sizeof(*sender->in_socket));
	sender->taken_running_ns = running;
	sender->taken_ns = monotonic_ns();
	if (record->fate != FRAME_WAITING)
		return;
	record->fate = FRAME_TAKEN;
	record->late = running - record->due_running_ns > LATE_NS;
}

static void note_what_was_read(struct sender *sender)
{
	int64_t running = emulator_clock_read(sender->clock);
	unsigned int unread = count_unread(sender);

	while (sender->unread > unread)
		note_read(sender, running);
}

static bool put_into_socket(struct sender *sender, unsigned int sequence)
{
	struct frame_record *record = &sender->records[sequence];
	struct frame frame;

	if (sender->unread == IN_SOCKET)
		return false;
	record->sent_ns = wall_clock_ns();
	frame_build(&frame, sender->stream, sequence, record->sent_ns);
	if (sendto(sender->socket, &frame, sizeof(frame), 0,
		   (struct sockaddr *)&sender->remote, sizeof(sender->remote)) != sizeof(frame))
		return false;
	sender->in_socket[sender->unread++] = sequence;
	return true;
}

static bool time_is_over(const struct sender *sender, const struct frame_record *record)
{
	int64_t since = record->due_running_ns, since_ns = record->due_ns;

	if (since < sender->taken_running_ns) {
		since = sender->taken_running_ns;
		since_ns = sender->taken_ns;
	}
	if (emulator_clock_read(sender->clock) - since >= TAKEN_WITHIN_NS)
		return true;
	return sender->stop && monotonic_ns() - since_ns >= GIVE_UP_NS;
}

static bool is_decided(struct sender *sender, unsigned int sequence)
{
	struct frame_record *record = &sender->records[sequence];

	if (record->fate == FRAME_TAKEN)
		return true;
	if (!time_is_over(sender, record))
		return false;
	/* Or it would count as sent when it was not even tried. */
	if (!record->sent_ns)
		record->sent_ns = wall_clock_ns();
	record->fate = FRAME_REFUSED;
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

static int64_t next_look(const struct sender *sender, bool waiting, int64_t due)
{
	int64_t now = monotonic_ns(), latest = now + (waiting ? LOOK_AGAIN_NS : WAKE_NS);

	return sender->stop || due > latest ? latest : due;
}

/*
 * Frames go out in order.  With a stopped card the oldest waits for its end
 * while the ones behind it wait as well, each for 20 ms of its own.
 */
static void *send_all(void *argument)
{
	struct sender *sender = argument;
	int64_t begin = monotonic_ns();
	unsigned int oldest = 0, unsent = 0, next = 0;

	raise_priority();
	for (;;) {
		note_what_was_read(sender);
		if (!sender->stop)
			next = schedule_due_frames(sender, next, begin);
		while (unsent < next && put_into_socket(sender, unsent))
			unsent++;
		while (oldest < next && is_decided(sender, oldest))
			oldest++;
		if (unsent < oldest)
			unsent = oldest;
		if (oldest == next && (sender->stop || next == sender->limit))
			return NULL;
		sleep_until(next_look(sender, oldest < next,
				      begin + next * sender->interval_ns));
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

const struct clock_history *sender_clock(const struct sender *sender)
{
	return emulator_clock_history(sender->clock);
}

/*
 * The emulator's 20 ms, at worst. Before them one frame goes into QEMU and the next
 * one into the socket, each when it is due.
 */
int64_t sender_blind_ns(const struct sender *sender, int64_t from_ns, int64_t until_ns)
{
	return 2 * sender->interval_ns + WAKE_NS +
	       clock_history_longest_wait(sender_clock(sender), TAKEN_WITHIN_NS, from_ns, until_ns);
}

unsigned int sender_count(const struct sender *sender)
{
	return sender->scheduled;
}

struct frame_record *sender_record(struct sender *sender, unsigned int sequence)
{
	return sequence < sender->scheduled ? &sender->records[sequence] : NULL;
}
