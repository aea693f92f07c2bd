// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "asked.h"
#include "events.h"
#include "machine.h"

#define ATTEMPTS	100

/* One opener at a time, as everywhere. */
static int ask_device(unsigned long question, void *answer)
{
	int fd, error;

	for (int attempt = 0; ; attempt++) {
		fd = open("/dev/liveupdate", O_RDWR | O_CLOEXEC);
		if (fd >= 0)
			break;
		if (errno != EBUSY || attempt == ATTEMPTS)
			return -errno;
		sleep_ms(10);
	}
	error = ioctl(fd, question, answer) ? -errno : 0;
	close(fd);
	return error;
}

int ask_kexec(struct liveupdate_ioctl_test_kexec *answer)
{
	*answer = (struct liveupdate_ioctl_test_kexec){ .size = sizeof(*answer) };
	return ask_device(LIVEUPDATE_IOCTL_TEST_KEXEC, answer);
}

int ask_for_session(__u64 after, struct liveupdate_ioctl_list_sessions *answer)
{
	*answer = (struct liveupdate_ioctl_list_sessions){ .size = sizeof(*answer), .id = after };
	return ask_device(LIVEUPDATE_IOCTL_LIST_SESSIONS, answer);
}

int ask_session(int session, struct liveupdate_session_test *answer)
{
	*answer = (struct liveupdate_session_test){ .size = sizeof(*answer) };
	return ioctl(session, LIVEUPDATE_SESSION_TEST, answer) ? -errno : 0;
}

int ask_reason(int session, struct liveupdate_session_get_reason *answer)
{
	*answer = (struct liveupdate_session_get_reason){ .size = sizeof(*answer) };
	return ioctl(session, LIVEUPDATE_SESSION_GET_REASON, answer) ? -errno : 0;
}

const char *loaded_kind(void)
{
	static char kind[16];

	return read_file("/sys/kernel/kexec/loaded_kind", kind, sizeof(kind));
}

/* The log has the same words, but for what it begins a line with. */
static bool reason_fits(const char *reason, const char *words)
{
	if (!*words)
		return !*reason;
	return strstr(reason, words) && log_says(reason);
}

void expect_kexec(int error, const char *session, __u64 token, const char *words)
{
	struct liveupdate_ioctl_test_kexec answer;

	check_errno(ask_kexec(&answer), 0, "test of the kexec");
	check_errno(answer.error, error, "what the test says");
	check(!strcmp((const char *)answer.name, session) && answer.token == token,
	      "session '%s' and token %llu refuse, wanted '%s' and %llu", answer.name,
	      (unsigned long long)answer.token, session, (unsigned long long)token);
	check(reason_fits((const char *)answer.reason, words), "reason: '%s', wanted '%s'",
	      answer.reason, words);
}

void expect_reason(int session, int error, __u64 token, const char *words)
{
	struct liveupdate_session_get_reason answer;

	check_errno(ask_reason(session, &answer), 0, "question for the reason");
	check_errno(answer.error, error, "the error that is kept");
	check(answer.token == token, "the token that is kept: %llu, wanted %llu",
	      (unsigned long long)answer.token, (unsigned long long)token);
	check(reason_fits((const char *)answer.reason, words), "reason: '%s', wanted '%s'",
	      answer.reason, words);
}
