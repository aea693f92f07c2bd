// SPDX-License-Identifier: GPL-2.0
/*
 * A machine with a disk and a network that never does a live update.  Both must
 * work, as often as it is looked:
 *
 *	then=suspend	again after it slept, S3, until the clock's alarm
 *	then=kexec	again in the kernel that a plain kexec starts
 *	then=old-kexec	the same, loaded by kexec_load(2)
 *	then=left-on	as kexec, and the one before leaves VT-d translating
 *	then=crash	again in the crash kernel
 *
 *	harm=disk	the disk has other bytes than were written to it
 *	harm=network	the card does not reach memory any more
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/ip_icmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "crash.h"
#include "events.h"
#include "liveupdate.h"
#include "machine.h"
#include "preserve.h"
#include "scenarios.h"

#define DISK		"/dev/nvme0n1"
#define DISK_BYTES	(64 * 1024)
#define PING_BYTES	1000
#define TRIES		50
#define TRY_MS		100

/* QEMU's network of its own */
#define OUR_ADDRESS	"10.0.2.15"
#define OUR_MASK	"255.255.255.0"
#define THEIR_ADDRESS	"10.0.2.2"

/* Of a kernel that kexec has started, as x86/boot.rst has it */
#define LOADER_KEXEC	0xd0

#define CARD		"/sys/class/net/eth0/device/config"

struct ping {
	struct icmphdr header;
	unsigned char data[PING_BYTES];
};

static bool harms(const char *what)
{
	return !strcmp(option_text("harm", ""), what);
}

static void fill(unsigned char *data, size_t size, unsigned int seed)
{
	for (size_t i = 0; i < size; i++)
		data[i] = i * 31 + (i >> 8) + seed;
}

static int open_disk(void)
{
	int disk = -1;

	for (int i = 0; i < TRIES && disk < 0; i++) {
		disk = open(DISK, O_RDWR | O_DIRECT | O_CLOEXEC);
		if (disk < 0)
			sleep_ms(TRY_MS);
	}
	return disk;
}

static void expect_disk_works(unsigned int seed)
{
	unsigned char *data = aligned_alloc(PAGE, 2 * DISK_BYTES);
	unsigned char *wanted = data + DISK_BYTES;
	int disk = open_disk();

	if (!check(disk >= 0, "there is a disk: %m"))
		return;
	fill(wanted, DISK_BYTES, seed);
	memcpy(data, wanted, DISK_BYTES);
	if (harms("disk"))
		data[DISK_BYTES - 1] ^= 1;
	check(pwrite(disk, data, DISK_BYTES, 0) == DISK_BYTES, "it can be written: %m");
	memset(data, 0, DISK_BYTES);
	check(pread(disk, data, DISK_BYTES, 0) == DISK_BYTES, "it can be read: %m");
	check(!memcmp(data, wanted, DISK_BYTES), "what was written is there");
	close(disk);
	free(data);
}

static void set_address(int fd, struct ifreq *request, int what, const char *address)
{
	struct sockaddr_in *place = (void *)&request->ifr_addr;

	memset(place, 0, sizeof(*place));
	place->sin_family = AF_INET;
	inet_pton(AF_INET, address, &place->sin_addr);
	if (ioctl(fd, what, request))
		give_up("address of the card: %m");
}

static void keep_card_from_memory(void)
{
	int config = open(CARD, O_RDWR | O_CLOEXEC);
	unsigned short command;

	if (pread(config, &command, sizeof(command), PCI_COMMAND) != sizeof(command))
		give_up("config space of the card: %m");
	command &= ~PCI_COMMAND_MASTER;
	if (pwrite(config, &command, sizeof(command), PCI_COMMAND) != sizeof(command))
		give_up("config space of the card: %m");
	close(config);
}

static void set_up_card(void)
{
	struct ifreq request = { .ifr_name = "eth0" };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	set_address(fd, &request, SIOCSIFADDR, OUR_ADDRESS);
	set_address(fd, &request, SIOCSIFNETMASK, OUR_MASK);
	request.ifr_flags = IFF_UP | IFF_RUNNING;
	if (ioctl(fd, SIOCSIFFLAGS, &request))
		give_up("start the card: %m");
	close(fd);
	if (harms("network"))
		keep_card_from_memory();
}

static unsigned short checksum(const void *data, size_t size)
{
	const unsigned short *word = data;
	unsigned int sum = 0;

	for (; size; size -= 2)
		sum += *word++;
	sum = (sum >> 16) + (sum & 0xffff);
	return ~(sum + (sum >> 16));
}

static bool is_answer(const char *packet, ssize_t size, const struct ping *ping)
{
	size_t at = (packet[0] & 0xf) * 4;
	const struct ping *answer = (const void *)(packet + at);

	return size == (ssize_t)(at + sizeof(*ping)) &&
	       answer->header.type == ICMP_ECHOREPLY &&
	       answer->header.un.echo.sequence == ping->header.un.echo.sequence &&
	       !memcmp(answer->data, ping->data, sizeof(ping->data));
}

static bool ask_once(int fd, struct ping *ping, int sequence)
{
	struct sockaddr_in place = { .sin_family = AF_INET };
	char packet[2048];
	ssize_t got;

	ping->header = (struct icmphdr){ .type = ICMP_ECHO };
	ping->header.un.echo.sequence = htons(sequence);
	ping->header.checksum = checksum(ping, sizeof(*ping));
	inet_pton(AF_INET, THEIR_ADDRESS, &place.sin_addr);
	if (sendto(fd, ping, sizeof(*ping), 0, (void *)&place, sizeof(place)) < 0)
		sleep_ms(TRY_MS);
	while ((got = recv(fd, packet, sizeof(packet), 0)) > 0)
		if (is_answer(packet, got, ping))
			return true;
	return false;
}

/* The first ones may be lost while the link comes up. */
static void expect_network_works(unsigned int seed)
{
	struct timeval patience = { .tv_usec = TRY_MS * 1000 };
	int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
	static struct ping ping;
	bool answered = false;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	fill(ping.data, sizeof(ping.data), seed);
	for (int i = 0; i < TRIES && !answered; i++)
		answered = ask_once(fd, &ping, i);
	check(answered, "the network answers");
	close(fd);
}

static void expect_all_works(unsigned int seed)
{
	expect_disk_works(seed);
	expect_network_works(seed);
	event("works seed=%u", seed);
}

/* The one clock goes on while the machine sleeps, the other stands still. */
static long slept_ms(void)
{
	struct timespec all, awake;

	clock_gettime(CLOCK_BOOTTIME, &all);
	clock_gettime(CLOCK_MONOTONIC, &awake);
	return (all.tv_sec - awake.tv_sec) * 1000 + (all.tv_nsec - awake.tv_nsec) / 1000000;
}

static void sleep_until_alarm(void)
{
	check_errno(write_file("/sys/class/rtc/rtc0/wakealarm", "+3"), 0, "set the alarm");
	check_errno(write_file("/sys/power/mem_sleep", "deep"), 0, "choose S3");
	check_errno(write_file("/sys/power/state", "mem"), 0, "sleep");
	check(slept_ms() >= 1000, "the machine slept: %ld ms", slept_ms());
}

/* A machine that slept here is not switched off any more; a reset ends it as well. */
static void end_by_reset(void)
{
	event("done");
	sync();
	reboot(RB_AUTOBOOT);
}

static void expect_loader(bool kexec)
{
	char text[16];
	int loader = atoi(read_file("/proc/sys/kernel/bootloader_type", text, sizeof(text)));

	check((loader == LOADER_KEXEC) == kexec, "kexec has %sstarted this kernel: %#x",
	      kexec ? "" : "not ", loader);
}

static void go_on(const char *then)
{
	if (!strcmp(then, "suspend")) {
		sleep_until_alarm();
		expect_all_works(2);
		end_by_reset();
	} else if (!strcmp(then, "kexec")) {
		prepare_kexec();
		must(announce_and_jump(), "kexec");
	} else if (!strcmp(then, "left-on")) {
		prepare_kexec();
		leave_translation_on();
		must(announce_and_jump(), "kexec");
	} else if (!strcmp(then, "old-kexec")) {
		prepare_old_image();
		must(announce_and_jump(), "kexec");
	} else if (!strcmp(then, "crash")) {
		crash_load_kernel();
		crash_now();
	} else if (*then) {
		give_up("no such thing to do");
	}
}

void ordinary_old_kernel(void)
{
	expect_loader(false);
	set_up_card();
	expect_all_works(1);
	go_on(option_text("then", ""));
}

void ordinary_new_kernel(void)
{
	long stage = option_number("stage", 1);

	expect_loader(true);
	set_up_card();
	expect_all_works(stage + 1);
	if (stage == STAGE_CRASHED)
		crash_expect_dump();
}
