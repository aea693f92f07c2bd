// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "events.h"
#include "machine.h"

#define ANSWER_TIMEOUT_MS	30000

static int port = -1;

int events_open(void)
{
	struct termios settings;

	port = open("/dev/ttyS1", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (port < 0)
		return -errno;
	if (tcgetattr(port, &settings))
		return -errno;
	cfmakeraw(&settings);
	return tcsetattr(port, TCSANOW, &settings) ? -errno : 0;
}

static void write_all(const char *text, size_t length)
{
	while (length) {
		ssize_t written = write(port, text, length);

		if (written <= 0)
			return;
		text += written;
		length -= written;
	}
}

static void send_line(const char *prefix, const char *word, const char *format,
		      va_list arguments)
{
	char line[1024];
	size_t length;

	length = snprintf(line, sizeof(line), "%s %lld %s", prefix, monotonic_ns(), word);
	length += vsnprintf(line + length, sizeof(line) - length - 1, format, arguments);
	if (length > sizeof(line) - 2)
		length = sizeof(line) - 2;
	line[length++] = '\n';
	write_all(line, length);
	tcdrain(port);
}

void event(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	send_line("LU", "", format, arguments);
	va_end(arguments);
}

static void wait_for_answer(void)
{
	struct pollfd readable = { .fd = port, .events = POLLIN };
	char byte = 0;

	while (byte != '\n') {
		if (poll(&readable, 1, ANSWER_TIMEOUT_MS) <= 0)
			give_up("the host does not answer");
		if (read(port, &byte, 1) != 1)
			return;
	}
}

void event_ask(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	send_line("LU?", "", format, arguments);
	va_end(arguments);
	wait_for_answer();
}

bool check(bool holds, const char *format, ...)
{
	char text[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	event("check %s %s", holds ? "ok" : "FAILED", text);
	return holds;
}

static const char *errno_text(int error)
{
	return error ? strerrorname_np(error) : "success";
}

bool check_errno(int result, int errno_wanted, const char *what)
{
	int error = result < 0 ? -result : 0;

	return check(error == errno_wanted, "%s: %s, wanted %s", what, errno_text(error),
		     errno_text(errno_wanted));
}

int must(int result, const char *what)
{
	if (result < 0)
		give_up("%s: %s", what, errno_text(-result));
	return result;
}

void give_up(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	send_line("LU", "gave-up ", format, arguments);
	va_end(arguments);
	power_off();
}

void skip(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	send_line("LU", "skipped ", format, arguments);
	va_end(arguments);
	power_off();
}
