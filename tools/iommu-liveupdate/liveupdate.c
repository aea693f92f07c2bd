// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/liveupdate: it is for one at a time, so it is open for one ioctl each, and it is
 * waited for when somebody else has it.
 */
#include <errno.h>
#include <string.h>

#include "tool.h"

static int call(struct tool *tool, enum ilu_call call, unsigned long request, void *data)
{
	int error, fd = ilu_liveupdate_open(tool->ilu);

	if (fd < 0)
		return fd;
	error = ilu_ioctl(tool->ilu, call, fd, request, data, NULL);
	ilu_close(tool->ilu, &fd);
	return error;
}

/* the next one after that of this id */
static int next_session(struct tool *tool, uint64_t id,
			struct liveupdate_ioctl_list_sessions *session)
{
	int error;

	*session = (struct liveupdate_ioctl_list_sessions) { .size = sizeof(*session), .id = id };
	error = call(tool, ILU_CALL_LIST_SESSIONS, LIVEUPDATE_IOCTL_LIST_SESSIONS, session);
	session->name[sizeof(session->name) - 1] = 0;
	return error;
}

int luo_test(struct tool *tool, struct liveupdate_ioctl_test_kexec *test)
{
	int error;

	*test = (struct liveupdate_ioctl_test_kexec) { .size = sizeof(*test) };
	error = call(tool, ILU_CALL_TEST_KEXEC, LIVEUPDATE_IOCTL_TEST_KEXEC, test);
	test->name[sizeof(test->name) - 1] = 0;
	test->reason[sizeof(test->reason) - 1] = 0;
	return error;
}

int luo_each_session(struct tool *tool,
		     int (*each)(void *arg, const struct liveupdate_ioctl_list_sessions *session),
		     void *arg)
{
	struct liveupdate_ioctl_list_sessions session = { .id = 0 };
	int error = 0;

	while (!error) {
		error = next_session(tool, session.id, &session);
		/* of the ioctl, past the end: that the device is not there is ENODEV here */
		if (error == -ENOENT)
			return 0;
		if (!error)
			error = each(arg, &session);
	}
	return error;
}
