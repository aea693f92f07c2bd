// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "events.h"
#include "machine.h"

void machine_mount_filesystems(void)
{
	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	mkdir("/dev", 0755);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
}

void machine_mount_usr(void)
{
	static const char *const directories[] = { "bin", "lib", "lib64", "sbin" };
	char target[16], link[16];

	mkdir("/usr", 0755);
	mkdir("/run", 0755);
	if (mount("/dev/vda", "/usr", "ext2", MS_RDONLY, NULL))
		give_up("/usr: %m");
	for (int i = 0; i < 4; i++) {
		snprintf(target, sizeof(target), "usr/%s", directories[i]);
		snprintf(link, sizeof(link), "/%s", directories[i]);
		if (symlink(target, link))
			give_up("%s: %m", link);
	}
}

long long monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

void sleep_ms(int milliseconds)
{
	struct timespec left = {
		.tv_sec = milliseconds / 1000,
		.tv_nsec = milliseconds % 1000 * 1000000L,
	};

	while (nanosleep(&left, &left) && errno == EINTR)
		;
}

const char *kernel_build(void)
{
	static char build[192];
	struct utsname names;

	uname(&names);
	snprintf(build, sizeof(build), "%.64s/%.96s", names.release, names.version);
	for (char *byte = build; *byte; byte++)
		if (*byte == ' ')
			*byte = '_';
	return build;
}

/* Where the kernel is in memory, as the first line of its own says: 0x1000000, say. */
const char *kernel_place(void)
{
	static char place[32] = "0x0";
	char line[128];
	unsigned long long at;
	FILE *file = fopen("/proc/iomem", "re");

	while (file && fgets(line, sizeof(line), file))
		if (strstr(line, " : Kernel code") && sscanf(line, "%llx-", &at) == 1)
			snprintf(place, sizeof(place), "%#llx", at);
	if (file)
		fclose(file);
	return place;
}

void power_off(void)
{
	sync();
	reboot(RB_POWER_OFF);
	/* A kernel without the means to power off halts here. */
	for (;;)
		pause();
}

/* One word after the other, each with its NUL; what was given out stays as it is. */
static const char *command_line_words(size_t *length)
{
	static char words[2048];
	static size_t used;

	if (!used) {
		read_file("/proc/cmdline", words, sizeof(words));
		used = strlen(words);
		for (size_t at = 0; at < used; at++)
			if (words[at] == ' ')
				words[at] = '\0';
	}
	*length = used;
	return words;
}

const char *option_text(const char *name, const char *otherwise)
{
	size_t length, size = strlen(name);
	const char *words = command_line_words(&length);

	for (const char *word = words; word < words + length; word += strlen(word) + 1)
		if (!strncmp(word, "lu_", 3) && !strncmp(word + 3, name, size) &&
		    word[3 + size] == '=')
			return word + 3 + size + 1;
	return otherwise;
}

long option_number(const char *name, long otherwise)
{
	const char *text = option_text(name, NULL);

	return text ? strtol(text, NULL, 0) : otherwise;
}

void physical_addresses(const void *pages, unsigned long count, __u64 *addresses)
{
	off_t first = (uintptr_t)pages / PAGE * sizeof(*addresses);
	ssize_t size = count * sizeof(*addresses);
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || pread(fd, addresses, size, first) != size)
		give_up("pagemap: %m");
	close(fd);
	/* The frame number is in the low 55 bits. */
	for (unsigned long page = 0; page < count; page++)
		addresses[page] = (addresses[page] & ((1ull << 55) - 1)) * PAGE;
}

__u64 physical_address(const void *page)
{
	__u64 address;

	physical_addresses(page, 1, &address);
	return address;
}

int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int error = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		error = -errno;
	close(fd);
	return error;
}

int touch_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

const char *read_file(const char *path, char *buffer, unsigned int size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? 0 : read(fd, buffer, size - 1);

	if (fd >= 0)
		close(fd);
	buffer[length > 0 ? length : 0] = '\0';
	buffer[strcspn(buffer, "\n")] = '\0';
	return buffer;
}

bool log_says(const char *words)
{
	static char log[1 << 18];
	/* SYSLOG_ACTION_READ_ALL */
	int length = klogctl(3, log, sizeof(log) - 1);

	log[length > 0 ? length : 0] = '\0';
	return strstr(log, words);
}

#define KMEMLEAK	"/sys/kernel/debug/kmemleak"

/* Twice, as a pointer may be on its way between two places. */
void check_for_leaks(void)
{
	char found[256];

	if (access(KMEMLEAK, W_OK))
		return;
	for (int scan = 0; scan < 2; scan++) {
		sleep_ms(1000);
		write_file(KMEMLEAK, "scan");
	}
	read_file(KMEMLEAK, found, sizeof(found));
	check(!*found, "no memory is leaked: %s", found);
}
