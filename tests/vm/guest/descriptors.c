// SPDX-License-Identifier: GPL-2.0
/*
 * What is preserved is a file, not a descriptor: duplicates are the same file, a
 * child that inherits them all and leaves takes nothing away, and FINISH may be
 * called by another process than the one that has the device.
 */
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "events.h"
#include "liveupdate.h"
#include "machine.h"
#include "preserve.h"
#include "scenarios.h"
#include "wayback.h"

#define TOKEN_AGAIN	20

static int run_in_child(int (*function)(int argument), int argument)
{
	pid_t child = fork();
	int status;

	if (child < 0)
		give_up("fork: %m");
	if (!child)
		_exit(function(argument) ? 1 : 0);
	waitpid(child, &status, 0);
	return status;
}

static int close_everything(int argument)
{
	(void)argument;
	return close_range(3, ~0u, 0);
}

static void preserve_duplicate(int session, int fd, __u64 token, const char *what)
{
	int other = must(dup(fd), "dup");

	check_errno(session_preserve_fd(session, other, token), 0, what);
	close(other);
	check_errno(session_preserve_fd(session, fd, TOKEN_AGAIN), EBUSY, what);
}

void descriptors_old_kernel(void)
{
	struct receiver receiver;
	int session;

	start_receiving(&receiver, 300);
	report_pages("base");
	must(hwpt_mark_preserve(receiver.device.iommufd, receiver.hwpt_id, TOKEN_HWPT), "mark");
	session = must(session_create(SESSION_NAME), "create session");
	preserve_duplicate(session, receiver.memfd, TOKEN_MEMORY, "memfd");
	preserve_duplicate(session, receiver.device.iommufd, TOKEN_IOMMUFD, "iommufd");
	preserve_duplicate(session, receiver.device.fd, TOKEN_DEVICE, "device");
	check(!run_in_child(close_everything, 0), "a child leaves with all its descriptors");
	receiver_receive(&receiver, 300);
	must(announce_and_jump(), "kexec");
}

static int finish_session(int session)
{
	return session_finish(session);
}

void descriptors_new_kernel(void)
{
	struct receiver receiver;
	struct way_back back;

	back_begin(&back, &receiver);
	back_go_to(&back, BACK_FINISH);
	check(!run_in_child(close_everything, 0), "a child leaves with all its descriptors");
	check(!run_in_child(finish_session, back.session), "another process finishes");
	event_ask("finished");
	report_pages("finished");
	back_end(&back);
}
