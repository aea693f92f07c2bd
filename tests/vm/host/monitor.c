// SPDX-License-Identifier: GPL-2.0
/* Changes to the machine while it runs, through QEMU's monitor. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "run.h"

#define ANSWER_TIMEOUT_S	5

static int connect_monitor(const struct run *run)
{
	struct timeval limit = { .tv_sec = ANSWER_TIMEOUT_S };
	struct sockaddr_un address;
	char path[96];
	int fd;

	snprintf(path, sizeof(path), "%s/monitor", run->socket_dir);
	address = unix_address(path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (!connect(fd, (struct sockaddr *)&address, sizeof(address)))
		return fd;
	close(fd);
	return -errno;
}

/* One line: the answer to a command, whatever events come before it. */
static int read_answer(int fd)
{
	char line[4096];
	size_t length = 0;

	while (read(fd, &line[length], 1) == 1) {
		if (line[length] != '\n' && length < sizeof(line) - 2) {
			length++;
			continue;
		}
		line[length] = '\0';
		length = 0;
		if (!strncmp(line, "{\"return\"", 9))
			return 0;
		if (!strncmp(line, "{\"error\"", 8)) {
			fprintf(stderr, "monitor: %s\n", line);
			return -EIO;
		}
	}
	return -ETIMEDOUT;
}

static int command(int fd, const char *text)
{
	if (send(fd, text, strlen(text), MSG_NOSIGNAL) != (ssize_t)strlen(text))
		return -EPIPE;
	return read_answer(fd);
}

int monitor_add_card(const struct run *run, const char *card, const char *slot,
		     const char *netdev)
{
	int fd = connect_monitor(run), error;
	char text[256], frames[64] = "";

	if (fd < 0)
		return fd;
	error = command(fd, "{\"execute\":\"qmp_capabilities\"}\n");
	if (*netdev)
		snprintf(frames, sizeof(frames), ",\"netdev\":\"%s\"", netdev);
	snprintf(text, sizeof(text), "{\"execute\":\"device_add\",\"arguments\":"
		 "{\"driver\":\"%s\",\"bus\":\"%s\"%s}}\n", card, slot, frames);
	if (!error)
		error = command(fd, text);
	close(fd);
	return error;
}
