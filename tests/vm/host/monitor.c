// SPDX-License-Identifier: GPL-2.0
/* QEMU's monitor: changes to the machine while it runs, and questions to the emulator. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "run.h"

#define ANSWER_TIMEOUT_S	5

struct monitor {
	int fd;
	FILE *answers;
};

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
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (!connect(fd, (struct sockaddr *)&address, sizeof(address)))
		return fd;
	close(fd);
	return -errno;
}

/* A control character or a sign; others do not come, and are '?'. */
static char escaped(char letter)
{
	switch (letter) {
	case 'n': return '\n';
	case 't': return '\t';
	case 'r': return '\r';
	case '"': case '\\': case '/': return letter;
	default: return '?';
	}
}

/* The text of {"return": "..."}, in its place; empty when it is not a text. */
static void unpack(char *line)
{
	const char *from = strchr(line, ':');
	char *to = line;

	from += from ? strspn(from, ": ") : 0;
	if (from && *from++ == '"')
		while (*from && *from != '"') {
			char letter = *from++;

			if (letter == '\\' && *from)
				letter = escaped(*from++);
			if (letter != '\r')
				*to++ = letter;
		}
	*to = '\0';
}

/* One line: the answer to a command, whatever events come before it.  Its text, if wanted. */
static int read_answer(struct monitor *monitor, char **text)
{
	int error = -ETIMEDOUT;
	char *line = NULL;
	size_t room = 0;

	while (error == -ETIMEDOUT && getline(&line, &room, monitor->answers) > 0) {
		if (!strncmp(line, "{\"return\"", 9)) {
			error = 0;
		} else if (!strncmp(line, "{\"error\"", 8)) {
			fprintf(stderr, "monitor: %s", line);
			error = -EIO;
		}
	}
	if (!error && text) {
		unpack(line);
		*text = line;
		return 0;
	}
	free(line);
	return error;
}

static int command(struct monitor *monitor, const char *line, char **text)
{
	if (send(monitor->fd, line, strlen(line), MSG_NOSIGNAL) != (ssize_t)strlen(line))
		return -EPIPE;
	return read_answer(monitor, text);
}

struct monitor *monitor_open(const struct run *run)
{
	struct monitor *monitor = calloc(1, sizeof(*monitor));

	if (!monitor)
		return NULL;
	monitor->fd = connect_monitor(run);
	monitor->answers = monitor->fd < 0 ? NULL : fdopen(monitor->fd, "r");
	if (monitor->answers && !command(monitor, "{\"execute\":\"qmp_capabilities\"}\n", NULL))
		return monitor;
	monitor_close(monitor);
	return NULL;
}

void monitor_close(struct monitor *monitor)
{
	if (!monitor)
		return;
	if (monitor->answers)
		fclose(monitor->answers);
	else if (monitor->fd >= 0)
		close(monitor->fd);
	free(monitor);
}

int monitor_run_machine(struct monitor *monitor, bool on)
{
	return command(monitor, on ? "{\"execute\":\"cont\"}\n" : "{\"execute\":\"stop\"}\n", NULL);
}

char *monitor_ask(struct monitor *monitor, const char *question)
{
	char line[256], *text = NULL;

	snprintf(line, sizeof(line), "{\"execute\":\"human-monitor-command\",\"arguments\":"
		 "{\"command-line\":\"%s\"}}\n", question);
	return command(monitor, line, &text) ? NULL : text;
}

int monitor_add_card(const struct run *run, const char *card, const char *slot,
		     const char *netdev)
{
	struct monitor *monitor = monitor_open(run);
	char text[256], frames[64] = "";
	int error;

	if (!monitor)
		return -EIO;
	if (*netdev)
		snprintf(frames, sizeof(frames), ",\"netdev\":\"%s\"", netdev);
	snprintf(text, sizeof(text), "{\"execute\":\"device_add\",\"arguments\":"
		 "{\"driver\":\"%s\",\"bus\":\"%s\"%s}}\n", card, slot, frames);
	error = command(monitor, text, NULL);
	monitor_close(monitor);
	return error;
}
