// SPDX-License-Identifier: GPL-2.0
/*
 * The whole user space of a virtual machine inside the machine: an unmodified QEMU runs it,
 * with cards that are passed through. It knows nothing of live updates. It says what it sees
 * on its serial port, and what must hold is judged outside:
 *
 *	IN ready cards=N cpus=N memory=BYTES
 *	IN tick n=N ... came0=A-B,C-D came1=...	how it is, four times a second: the frames of
 *						each stream that came in so far, whole and in order
 *	IN torn stream=S			one that is not what was sent
 *	IN log TEXT				what its kernel says, of what matters
 *	IN trouble TEXT				it cannot do what it is for
 *
 * A tick tells all, for one may be lost on its way. Memory is filled with a pattern, and
 * looked through over and over.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "frame.h"

#define STREAMS		2
#define STRETCHES	16	/* more gaps than these are not told one by one */
#define CPUS		4
#define FRAME_TYPE	0x88b5
#define RECEIVE_BUFFER	(16 << 20)
#define CARD_PATIENCE_MS 30000
#define TICK_NS		250000000ll
#define ROUND_MS	20
#define LOOKED_AT	(128 << 10)	/* bytes of memory a round */
#define IMPORTANT	4		/* levels of the kernel's log up to warnings */

/* Frames that came in one after the other */
struct stretch {
	unsigned int first, last;
};

struct stream {
	struct stretch stretches[STRETCHES];
	int count;
	unsigned long again, beyond;	/* a second time; more stretches than are kept */
};

struct clocks {
	long long monotonic, real;
};

struct inner {
	int port, packets, log;
	struct stream streams[STREAMS];
	uint64_t *memory;
	size_t words, next_word;
	unsigned long rounds, wrong;
	struct clocks before;
	long long leap, told;	/* leap: the longest time between two looks at the clock */
	unsigned long ticks, backwards;
	int cpus;
};

/* Each is counted up by a thread that only its processor runs. */
struct counter {
	int cpu;
	volatile unsigned long count;
};

static struct counter counters[CPUS];

/* ---- what it says ---- */

static int port_open(void)
{
	struct termios settings;
	int port = open("/dev/ttyS0", O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (port >= 0 && !tcgetattr(port, &settings)) {
		cfmakeraw(&settings);
		tcsetattr(port, TCSANOW, &settings);
	}
	return port;
}

static void __attribute__((format(printf, 2, 3)))
say(const struct inner *inner, const char *format, ...)
{
	char line[512] = "IN ";
	size_t length = strlen(line);
	va_list values;

	va_start(values, format);
	length += vsnprintf(line + length, sizeof(line) - length - 1, format, values);
	va_end(values);
	if (length > sizeof(line) - 2)
		length = sizeof(line) - 2;
	line[length++] = '\n';
	for (size_t done = 0; done < length; ) {
		ssize_t written = write(inner->port, line + done, length - done);

		if (written <= 0)
			return;
		done += written;
	}
}

static void __attribute__((noreturn))
give_up(const struct inner *inner, const char *what)
{
	say(inner, "trouble %s: %s", what, strerror(errno));
	tcdrain(inner->port);
	reboot(RB_POWER_OFF);
	_exit(1);
}

/* ---- time ---- */

static long long clock_ns(clockid_t which)
{
	struct timespec now;

	clock_gettime(which, &now);
	return now.tv_sec * 1000000000ll + now.tv_nsec;
}

static struct clocks read_clocks(void)
{
	return (struct clocks){ clock_ns(CLOCK_MONOTONIC), clock_ns(CLOCK_REALTIME) };
}

static void watch_clocks(struct inner *inner)
{
	struct clocks now = read_clocks();

	if (now.monotonic < inner->before.monotonic || now.real < inner->before.real)
		inner->backwards++;
	if (now.monotonic - inner->before.monotonic > inner->leap)
		inner->leap = now.monotonic - inner->before.monotonic;
	inner->before = now;
}

/* ---- memory ---- */

static void fill_memory(struct inner *inner, size_t size)
{
	inner->memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (inner->memory == MAP_FAILED)
		give_up(inner, "memory");
	inner->words = size / sizeof(*inner->memory);
	for (size_t i = 0; i < inner->words; i++)
		inner->memory[i] = pattern_word(i * sizeof(*inner->memory));
}

static void look_at_memory(struct inner *inner)
{
	for (size_t i = 0; i < LOOKED_AT / sizeof(*inner->memory); i++, inner->next_word++) {
		if (inner->next_word == inner->words) {
			inner->next_word = 0;
			inner->rounds++;
		}
		inner->wrong += inner->memory[inner->next_word] !=
				pattern_word(inner->next_word * sizeof(*inner->memory));
	}
}

/* ---- processors ---- */

static void *count_up(void *argument)
{
	struct counter *counter = argument;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(counter->cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
	for (;;) {
		counter->count++;
		usleep(10000);
	}
	return NULL;
}

static void start_counters(struct inner *inner)
{
	inner->cpus = sysconf(_SC_NPROCESSORS_ONLN);
	if (inner->cpus > CPUS)
		inner->cpus = CPUS;
	for (int i = 0; i < inner->cpus; i++) {
		pthread_t thread;

		counters[i].cpu = i;
		if (pthread_create(&thread, NULL, count_up, &counters[i]))
			give_up(inner, "thread");
	}
}

/* ---- cards ---- */

static void set_ring(const struct inner *inner, struct ifreq *request)
{
	struct ethtool_ringparam ring = { .cmd = ETHTOOL_GRINGPARAM };

	request->ifr_data = (void *)&ring;
	if (ioctl(inner->packets, SIOCETHTOOL, request))
		return;
	ring.cmd = ETHTOOL_SRINGPARAM;
	ring.rx_pending = ring.rx_max_pending;
	ioctl(inner->packets, SIOCETHTOOL, request);
}

static bool card_runs(const struct inner *inner, struct ifreq *request)
{
	return !ioctl(inner->packets, SIOCGIFFLAGS, request) &&
	       request->ifr_flags & IFF_RUNNING;
}

/* A ring as long as it can be: the card fills it while nobody is there. */
static void start_card(const struct inner *inner, const char *name)
{
	struct ifreq request = { 0 };

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%.15s", name);
	set_ring(inner, &request);
	request.ifr_flags = IFF_UP | IFF_PROMISC;
	if (ioctl(inner->packets, SIOCSIFFLAGS, &request))
		give_up(inner, name);
	for (int waited = 0; !card_runs(inner, &request); waited += 10) {
		if (waited > CARD_PATIENCE_MS)
			give_up(inner, "no link");
		usleep(10000);
	}
}

static int start_cards(const struct inner *inner)
{
	DIR *list = opendir("/sys/class/net");
	struct dirent *entry;
	int count = 0;

	while (list && (entry = readdir(list)))
		if (*entry->d_name != '.' && strcmp(entry->d_name, "lo")) {
			start_card(inner, entry->d_name);
			count++;
		}
	if (list)
		closedir(list);
	return count;
}

static int open_packets(void)
{
	int size = RECEIVE_BUFFER;
	int packets = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(FRAME_TYPE));

	if (packets >= 0)
		setsockopt(packets, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	return packets;
}

/* ---- frames ---- */

static void note_frame(struct inner *inner, struct stream *stream, unsigned int sequence)
{
	struct stretch *last = stream->count ? &stream->stretches[stream->count - 1] : NULL;

	if (last && sequence <= last->last) {
		stream->again++;
	} else if (last && sequence == last->last + 1) {
		last->last++;
	} else if (stream->count < STRETCHES) {
		stream->stretches[stream->count++] = (struct stretch){ sequence, sequence };
	} else {
		if (!stream->beyond++)
			say(inner, "trouble more than %d gaps between frames", STRETCHES);
		last->last = sequence;
	}
}

static void take_frame(struct inner *inner, const struct frame *frame, ssize_t length)
{
	if (length < (ssize_t)sizeof(*frame) || frame->stream >= STREAMS ||
	    !frame_is_intact(frame))
		say(inner, "torn stream=%u", frame->stream);
	else
		note_frame(inner, &inner->streams[frame->stream], frame->sequence);
}

static void take_frames(struct inner *inner)
{
	union {
		struct frame frame;
		char bytes[2048];
	} packet;
	ssize_t length;

	while ((length = recv(inner->packets, &packet, sizeof(packet), 0)) > 0)
		take_frame(inner, &packet.frame, length);
}

/* ---- what its kernel says ---- */

static bool matters(const char *record, const char *text)
{
	static const char *const words[] = {
		"eset", "imeout", "timed out", "Link is", "Hang", "hang", "igb", "e1000e", "nvme",
	};

	if ((atoi(record) & 7) <= IMPORTANT)
		return true;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strstr(text, words[i]))
			return true;
	return false;
}

static void take_log(struct inner *inner, bool tell)
{
	char record[1024], *text;
	ssize_t length;

	while ((length = read(inner->log, record, sizeof(record) - 1)) > 0) {
		record[length] = '\0';
		text = strchr(record, ';');
		if (!tell || !text)
			continue;
		text[strcspn(text, "\n")] = '\0';
		if (matters(record, text + 1))
			say(inner, "log %.200s", text + 1);
	}
}

/* ---- all of it ---- */

static void __attribute__((format(printf, 3, 4)))
append(char *text, size_t size, const char *format, ...)
{
	size_t length = strlen(text);
	va_list values;

	va_start(values, format);
	vsnprintf(text + length, size - length, format, values);
	va_end(values);
}

static void append_counters(const struct inner *inner, char *text, size_t size)
{
	append(text, size, " cpus=");
	for (int i = 0; i < inner->cpus; i++)
		append(text, size, "%s%lu", i ? "," : "", counters[i].count);
}

static void append_stream(const struct inner *inner, int number, char *text, size_t size)
{
	const struct stream *stream = &inner->streams[number];

	if (!stream->count)
		return;
	append(text, size, " again%d=%lu came%d=", number, stream->again, number);
	for (int i = 0; i < stream->count; i++)
		append(text, size, "%s%u-%u", i ? "," : "", stream->stretches[i].first,
		       stream->stretches[i].last);
}

static void tick(struct inner *inner)
{
	char rest[400] = "";

	append_counters(inner, rest, sizeof(rest));
	for (int i = 0; i < STREAMS; i++)
		append_stream(inner, i, rest, sizeof(rest));
	say(inner, "tick n=%lu leap_ms=%lld back=%lu rounds=%lu wrong=%lu%s",
	    inner->ticks++, inner->leap / 1000000, inner->backwards, inner->rounds, inner->wrong, rest);
	inner->told = inner->before.monotonic;
}

static void live(struct inner *inner)
{
	struct pollfd what[] = {
		{ .fd = inner->packets, .events = POLLIN },
		{ .fd = inner->log, .events = POLLIN },
	};

	for (;;) {
		poll(what, 2, ROUND_MS);
		watch_clocks(inner);
		take_frames(inner);
		take_log(inner, true);
		look_at_memory(inner);
		if (inner->before.monotonic - inner->told >= TICK_NS)
			tick(inner);
	}
}

static long option(const char *name, long otherwise)
{
	char line[1024] = "", *found;
	int fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, line, sizeof(line) - 1) < 0)
		return otherwise;
	close(fd);
	found = strstr(line, name);
	return found ? atol(found + strlen(name)) : otherwise;
}

static void mount_filesystems(void)
{
	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	mkdir("/dev", 0755);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
}

int main(void)
{
	static struct inner inner;
	int cards;

	mount_filesystems();
	inner.port = port_open();
	inner.log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	inner.packets = open_packets();
	if (inner.log < 0 || inner.packets < 0)
		give_up(&inner, "sockets and log");
	fill_memory(&inner, option("in_memory=", 8) << 20);
	cards = start_cards(&inner);
	start_counters(&inner);
	take_log(&inner, false);
	inner.before = read_clocks();
	say(&inner, "ready cards=%d cpus=%d memory=%zu", cards, inner.cpus,
	    inner.words * sizeof(*inner.memory));
	live(&inner);
}
