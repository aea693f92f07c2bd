// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "notify.h"

#define BARRIER_MS	30000

static void add_fd(struct msghdr *message, int fd)
{
	struct cmsghdr *header = CMSG_FIRSTHDR(message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
}

/* A name that begins with "@" is in no file system. */
static socklen_t set_address(struct sockaddr_un *address, const char *path)
{
	size_t length = strnlen(path, sizeof(address->sun_path) - 1);

	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	memcpy(address->sun_path, path, length);
	if (*path == '@')
		address->sun_path[0] = '\0';
	return offsetof(struct sockaddr_un, sun_path) + length;
}

static int send_text(const char *path, int fd, char *text)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(fd))];
	} control = { 0 };
	struct sockaddr_un address;
	struct iovec vector = { .iov_base = text, .iov_len = strlen(text) };
	struct msghdr message = {
		.msg_name = &address,
		.msg_namelen = set_address(&address, path),
		.msg_iov = &vector,
		.msg_iovlen = 1,
	};
	int to = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), error = 0;

	if (to < 0)
		return -errno;
	if (fd >= 0) {
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
		add_fd(&message, fd);
	}
	if (sendmsg(to, &message, MSG_NOSIGNAL) < 0)
		error = -errno;
	close(to);
	return error;
}

static int send_format(int fd, const char *format, va_list arguments)
{
	const char *path = getenv("NOTIFY_SOCKET");
	char text[1024];

	if (!path)
		return 0;
	vsnprintf(text, sizeof(text), format, arguments);
	return send_text(path, fd, text);
}

int notify(const char *format, ...)
{
	va_list arguments;
	int error;

	va_start(arguments, format);
	error = send_format(-1, format, arguments);
	va_end(arguments);
	return error;
}

int notify_with_fd(int fd, const char *format, ...)
{
	va_list arguments;
	int error;

	va_start(arguments, format);
	error = send_format(fd, format, arguments);
	va_end(arguments);
	return error;
}

/* The manager closes its end when it comes to this message. */
int notify_barrier(void)
{
	struct pollfd end = { .events = 0 };
	int ends[2], error, closed;

	if (!getenv("NOTIFY_SOCKET"))
		return 0;
	if (pipe(ends))
		return -errno;
	error = notify_with_fd(ends[1], "BARRIER=1");
	close(ends[1]);
	end.fd = ends[0];
	closed = error ? 0 : poll(&end, 1, BARRIER_MS);
	close(ends[0]);
	if (error)
		return error;
	return closed > 0 ? 0 : -ETIMEDOUT;
}
