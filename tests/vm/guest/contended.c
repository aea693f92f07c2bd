// SPDX-License-Identifier: GPL-2.0
/*
 * Any user may read sriov_numvfs, again and again, which takes the lock of the
 * device for a moment.  PRESERVE_FD, the kexec, RETRIEVE_FD and FINISH need that
 * lock and work all the same; so does the reset of a card that nobody wants.
 *
 *	then=reap	in the next kernel nobody takes the card back
 *	then=close	somebody had it open, on the old HWPT, and has gone
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "events.h"
#include "function.h"
#include "liveupdate.h"
#include "machine.h"
#include "preserve.h"
#include "scenarios.h"
#include "wayback.h"

#define READERS		4
#define ROUNDS		200

/* Nothing else, so that the lock is held as often as can be. */
static void read_for_ever(const char *bdf)
{
	char path[128], value[32];
	int fd;

	function_path(path, sizeof(path), bdf, "sriov_numvfs");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		give_up("sriov_numvfs: %m");
	while (pread(fd, value, sizeof(value), 0) > 0)
		;
	give_up("read of sriov_numvfs: %m");
}

static void readers_start(const char *bdf, pid_t *readers)
{
	for (int i = 0; i < READERS; i++) {
		readers[i] = fork();
		if (readers[i] < 0)
			give_up("fork: %m");
		if (!readers[i])
			read_for_ever(bdf);
	}
}

static void readers_stop(const pid_t *readers)
{
	for (int i = 0; i < READERS; i++) {
		kill(readers[i], SIGKILL);
		waitpid(readers[i], NULL, 0);
	}
}

static int preserve_all_but_device(const struct receiver *receiver)
{
	int session = preserve_memory_only(receiver);

	must(session_preserve_fd(session, receiver->device.iommufd, TOKEN_IOMMUFD),
	     "preserve iommufd");
	return session;
}

void contended_old_kernel(void)
{
	pid_t readers[READERS];
	struct receiver receiver;
	int session, refused = 0;

	start_receiving(&receiver, 300);
	must(hwpt_mark_preserve(receiver.device.iommufd, receiver.hwpt_id, TOKEN_HWPT), "mark");
	report_pages("base");
	readers_start(receiver.device.bdf, readers);
	for (int i = 0; i < ROUNDS; i++) {
		session = preserve_all_but_device(&receiver);
		refused += session_preserve_fd(session, receiver.device.fd, TOKEN_DEVICE) < 0;
		close(session);
	}
	check(!refused, "PRESERVE_FD under contention: refused %d times of %d", refused, ROUNDS);

	session = preserve_all_but_device(&receiver);
	while (session_preserve_fd(session, receiver.device.fd, TOKEN_DEVICE) == -EBUSY)
		;
	receiver_receive(&receiver, 300);
	check_errno(announce_and_jump(), 0, "kexec under contention");
}

static void open_and_leave(void)
{
	pid_t child = fork();
	struct receiver receiver;
	struct way_back back;
	int status;

	if (child < 0)
		give_up("fork: %m");
	if (!child) {
		back_begin(&back, &receiver);
		back_go_to(&back, BACK_TABLES);
		_exit(0);
	}
	waitpid(child, &status, 0);
	check(!status, "somebody had it open: status 0x%x", status);
}

static void reap(struct way_back *back)
{
	back_take(back, BACK_SESSION);
	back_take(back, BACK_MEMORY);
	release(0);
	back_take(back, BACK_FINISH);
	close(back->session);
}

void contended_new_kernel(void)
{
	const char *then = option_text("then", "again");
	pid_t readers[READERS];
	struct receiver receiver;
	struct way_back back;

	back_begin(&back, &receiver);
	readers_start(back.bdf, readers);
	if (!strcmp(then, "again")) {
		back_go_to(&back, BACK_STEPS);
		readers_stop(readers);
		report_pages("finished");
		back_end(&back);
		return;
	}
	if (!strcmp(then, "close"))
		open_and_leave();
	reap(&back);
	readers_stop(readers);
	expect_stopped(&back);
	use_afresh();
}
