// SPDX-License-Identifier: GPL-2.0-only

/*
 * Files that depend on other files of their session, and files that want an
 * explicit finish. Uses /dev/liveupdate_test (CONFIG_LIVEUPDATE_TEST).
 */

#include <libliveupdate.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define TEST_DEVICE "/dev/liveupdate_test"

#define SESSION_DEPS "deps-session"
#define SESSION_CYCLE "cycle-session"
#define SESSION_OTHER "deps-other-session"
#define MEMFD_DATA "the file that others depend on"

enum {
	TOKEN_MEMFD = 1,
	TOKEN_MIDDLE,
	TOKEN_TOP,
	TOKEN_AGAIN,
	/* The cycle session. */
	TOKEN_SELF,
	TOKEN_LATER,
	TOKEN_LAST,
	TOKEN_MISSING,
};

/* Constants for the state-tracking mechanism, specific to this test file. */
#define STATE_SESSION_NAME "file_deps_state"
#define STATE_MEMFD_TOKEN 999

static void test_file_command(int fd, const char *command, int arg)
{
	char buf[64];
	int len;

	len = snprintf(buf, sizeof(buf), "%s %d", command, arg);
	if (write(fd, buf, len) != len)
		fail_exit("write '%s' to test file", buf);
}

static int test_file_open(int value)
{
	int fd = open(TEST_DEVICE, O_RDWR);

	if (fd < 0)
		ksft_exit_skip("no " TEST_DEVICE "\n");

	test_file_command(fd, "value", value);

	return fd;
}

static void test_file_verify(int fd, int value, int dep)
{
	char buf[64] = {}, expected[64];

	snprintf(expected, sizeof(expected), "value=%d dep=%d\n", value, dep);
	if (read(fd, buf, sizeof(buf) - 1) < 0)
		fail_exit("read test file");
	if (strcmp(buf, expected))
		fail_exit("test file says '%s', expected '%s'", buf, expected);
}

static void preserve(int session, int fd, int token, int expected)
{
	int err = luo_session_preserve_fd(session, fd, token);

	if (err != expected)
		fail_exit("token %d preserved: %d, expected %d", token, err,
			  expected);
}

static void retrieve_fails(int session, int token, int expected)
{
	int fd = luo_session_retrieve_fd(session, token);

	if (fd != expected)
		fail_exit("token %d retrieved: %d, expected %d", token, fd,
			  expected);
}

static int retrieve(int session, int token)
{
	int fd = luo_session_retrieve_fd(session, token);

	if (fd < 0)
		fail_exit("token %d retrieved: %d", token, fd);

	return fd;
}

static int retrieve_session(int luo_fd, const char *name)
{
	int session = luo_retrieve_session(luo_fd, name);

	if (session < 0)
		fail_exit("retrieve session %s: %d", name, session);

	return session;
}

static int create_session(int luo_fd, const char *name)
{
	int session = luo_create_session(luo_fd, name);

	if (session < 0)
		fail_exit("create session %s: %d", name, session);

	return session;
}

/* The same file opened again: another struct file, the same inode. */
static int reopen(int fd)
{
	char path[64];
	int again;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, O_RDWR);
	if (again < 0)
		fail_exit("open %s", path);

	return again;
}

static void preserve_deps(int luo_fd)
{
	int session, other, memfd, middle, top, again;

	session = create_session(luo_fd, SESSION_DEPS);

	memfd = memfd_create("deps", 0);
	if (memfd < 0 || ftruncate(memfd, getpagesize()) ||
	    pwrite(memfd, MEMFD_DATA, sizeof(MEMFD_DATA), 0) < 0)
		fail_exit("create memfd");

	middle = test_file_open(20);
	test_file_command(middle, "dep", reopen(memfd));
	top = test_file_open(30);
	test_file_command(top, "dep", middle);
	again = test_file_open(40);
	test_file_command(again, "again", 2);

	/* What a file depends on must be there first... */
	preserve(session, middle, TOKEN_MIDDLE, -ENOENT);
	preserve(session, memfd, TOKEN_MEMFD, 0);
	preserve(session, top, TOKEN_TOP, -ENOENT);

	/* ... and in the same session. */
	other = create_session(luo_fd, SESSION_OTHER);
	preserve(other, middle, TOKEN_MIDDLE, -ENOENT);
	close(other);

	preserve(session, middle, TOKEN_MIDDLE, 0);
	preserve(session, top, TOKEN_TOP, 0);
	preserve(session, again, TOKEN_AGAIN, 0);
}

static void preserve_cycle(int luo_fd)
{
	int session, self, later, last, missing;

	session = create_session(luo_fd, SESSION_CYCLE);

	self = test_file_open(50);
	test_file_command(self, "token", TOKEN_SELF);
	later = test_file_open(60);
	test_file_command(later, "token", TOKEN_LAST);
	last = test_file_open(70);
	test_file_command(last, "token", TOKEN_LATER);
	missing = test_file_open(80);
	test_file_command(missing, "token", TOKEN_MISSING + 1);

	preserve(session, self, TOKEN_SELF, 0);
	preserve(session, later, TOKEN_LATER, 0);
	preserve(session, last, TOKEN_LAST, 0);
	preserve(session, missing, TOKEN_MISSING, 0);
}

/* Stage 1: Executed before the kexec reboot. */
static void run_stage_1(int luo_fd)
{
	ksft_print_msg("[STAGE 1] Starting pre-kexec setup...\n");

	create_state_file(luo_fd, STATE_SESSION_NAME, STATE_MEMFD_TOKEN, 2);
	preserve_deps(luo_fd);
	preserve_cycle(luo_fd);

	close(luo_fd);
	daemonize_and_wait();
}

static void verify_memfd(int memfd)
{
	char buf[sizeof(MEMFD_DATA)] = {};

	if (pread(memfd, buf, sizeof(buf), 0) < 0 || strcmp(buf, MEMFD_DATA))
		fail_exit("memfd holds '%s'", buf);
}

static void check_deps(int luo_fd)
{
	int session, top, busy, memfd;

	ksft_print_msg("[STAGE 2] Dependencies are retrieved with a file...\n");
	session = retrieve_session(luo_fd, SESSION_DEPS);
	top = retrieve(session, TOKEN_TOP);
	test_file_verify(top, 30, 1);
	close(top);

	ksft_print_msg("[STAGE 2] ... and may be retrieved after it...\n");
	memfd = retrieve(session, TOKEN_MEMFD);
	verify_memfd(memfd);

	ksft_print_msg("[STAGE 2] A retrieve that failed by EAGAIN works later...\n");
	retrieve_fails(session, TOKEN_AGAIN, -EAGAIN);
	retrieve_fails(session, TOKEN_AGAIN, -EAGAIN);

	ksft_print_msg("[STAGE 2] Closing the session does not finish it...\n");
	close(session);
	session = retrieve_session(luo_fd, SESSION_DEPS);
	if (luo_retrieve_session(luo_fd, SESSION_DEPS) != -EINVAL)
		fail_exit("session was retrieved twice");
	test_file_verify(retrieve(session, TOKEN_TOP), 30, 1);
	test_file_verify(retrieve(session, TOKEN_MIDDLE), 20, 1);
	verify_memfd(retrieve(session, TOKEN_MEMFD));
	busy = retrieve(session, TOKEN_AGAIN);
	test_file_verify(busy, 40, 0);

	ksft_print_msg("[STAGE 2] A retrieved memfd is frozen until finish...\n");
	if (!ftruncate(memfd, 0) || errno != EPERM)
		fail_exit("truncating a frozen memfd");

	ksft_print_msg("[STAGE 2] A finish that fails can be repeated...\n");
	test_file_command(busy, "busy", 1);
	if (luo_session_finish(session) != -EBUSY)
		fail_exit("finish of a busy session");
	close(session);
	session = retrieve_session(luo_fd, SESSION_DEPS);
	test_file_command(busy, "busy", 0);
	if (luo_session_finish(session))
		fail_exit("finish of the session");
	close(session);

	verify_memfd(memfd);
	if (ftruncate(memfd, 0))
		fail_exit("truncating a memfd after finish");
	if (luo_retrieve_session(luo_fd, SESSION_DEPS) != -ENOENT)
		fail_exit("a finished session is still there");
}

static void check_cycle(int luo_fd)
{
	int session;

	ksft_print_msg("[STAGE 2] Files cannot depend on each other...\n");
	session = retrieve_session(luo_fd, SESSION_CYCLE);
	retrieve_fails(session, TOKEN_SELF, -ELOOP);
	retrieve_fails(session, TOKEN_LAST, -ELOOP);
	retrieve_fails(session, TOKEN_LATER, -ELOOP);
	retrieve_fails(session, TOKEN_MISSING, -ENOENT);
	if (luo_session_finish(session))
		fail_exit("finish of the session");
	close(session);
}

/* Stage 2: Executed after the kexec reboot. */
static void run_stage_2(int luo_fd, int state_session_fd)
{
	int stage;

	ksft_print_msg("[STAGE 2] Starting post-kexec verification...\n");

	restore_and_read_stage(state_session_fd, STATE_MEMFD_TOKEN, &stage);
	if (stage != 2)
		fail_exit("Expected stage 2, but state file contains %d", stage);

	check_deps(luo_fd);
	check_cycle(luo_fd);

	if (luo_session_finish(state_session_fd) < 0)
		fail_exit("luo_session_finish for state session");
	close(state_session_fd);

	ksft_print_msg("\n--- FILE DEPENDENCY TEST PASSED ---\n");
}

int main(int argc, char *argv[])
{
	return luo_test(argc, argv, STATE_SESSION_NAME,
			run_stage_1, run_stage_2);
}
