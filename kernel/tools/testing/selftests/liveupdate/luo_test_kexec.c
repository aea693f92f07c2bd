// SPDX-License-Identifier: GPL-2.0-only

/*
 * Whether a kexec would be refused, why a call was, and which sessions there are.
 * Uses /dev/liveupdate_test (CONFIG_LIVEUPDATE_TEST).
 */

#include <libliveupdate.h>

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEST_DEVICE "/dev/liveupdate_test"

#define SESSION_A "asked-session-a"
#define SESSION_B "asked-session-b"
#define REFUSED "kexec refused, a test file was told to"
#define SLOW_SESSION "asked-session-slow"
#define SLOW_MS 8000
#define UNFINISHED "must be finished before the next kexec"
#define IN_A_CALL "is in a call that does not end"
#define TESTS 100

enum {
	TOKEN_FIRST = 1,
	TOKEN_SECOND,
	TOKEN_THIRD,
};

/* Constants for the state-tracking mechanism, specific to this test file. */
#define STATE_SESSION_NAME "test_kexec_state"
#define STATE_MEMFD_TOKEN 999

static void test_file_command(int fd, const char *command, int arg)
{
	char buf[64];
	int len;

	len = snprintf(buf, sizeof(buf), "%s %d", command, arg);
	if (write(fd, buf, len) != len)
		fail_exit("write '%s' to test file", buf);
}

static int test_file_open(void)
{
	int fd = open(TEST_DEVICE, O_RDWR);

	if (fd < 0)
		ksft_exit_skip("no " TEST_DEVICE "\n");

	return fd;
}

static int create_session(int luo_fd, const char *name)
{
	int session = luo_create_session(luo_fd, name);

	if (session < 0)
		fail_exit("create session %s: %d", name, session);

	return session;
}

static void preserve(int session, int fd, int token, int expected)
{
	int err = luo_session_preserve_fd(session, fd, token);

	if (err != expected)
		fail_exit("token %d preserved: %d, expected %d", token, err,
			  expected);
}

static bool says(const __u8 *reason, const char *words)
{
	return *words ? !!strstr((const char *)reason, words) : !*reason;
}

static void expect_kexec(int luo_fd, int error, const char *name, int token,
			 const char *words)
{
	struct liveupdate_ioctl_test_kexec test = { .size = sizeof(test) };

	if (ioctl(luo_fd, LIVEUPDATE_IOCTL_TEST_KEXEC, &test))
		fail_exit("test of the kexec");
	if (test.error != error || test.token != token ||
	    strcmp((const char *)test.name, name) || !says(test.reason, words))
		fail_exit("the test says %d, session '%s', token %llu, '%s'",
			  test.error, test.name,
			  (unsigned long long)test.token, test.reason);
}

static void expect_test(int session, int error, int token, const char *words)
{
	struct liveupdate_session_test test = { .size = sizeof(test) };

	if (ioctl(session, LIVEUPDATE_SESSION_TEST, &test))
		fail_exit("test of a session");
	if (test.error != error || test.token != token ||
	    !says(test.reason, words))
		fail_exit("the test of a session says %d, token %llu, '%s'",
			  test.error, (unsigned long long)test.token,
			  test.reason);
}

static void expect_reason(int session, int error, int token, const char *words)
{
	struct liveupdate_session_get_reason reason = { .size = sizeof(reason) };

	if (ioctl(session, LIVEUPDATE_SESSION_GET_REASON, &reason))
		fail_exit("question for the reason");
	if (reason.error != error || reason.token != token ||
	    !says(reason.reason, words))
		fail_exit("the reason is %d, token %llu, '%s'", reason.error,
			  (unsigned long long)reason.token, reason.reason);
}

/* Returns whether there is such a session, in whatever place. */
static bool find_session(int luo_fd, const char *name, __u32 flags,
			 __u32 nr_files)
{
	struct liveupdate_ioctl_list_sessions list = { .size = sizeof(list) };

	while (!ioctl(luo_fd, LIVEUPDATE_IOCTL_LIST_SESSIONS, &list))
		if (!strcmp((const char *)list.name, name))
			return list.flags == flags && list.nr_files == nr_files;
	if (errno != ENOENT)
		fail_exit("list of sessions");

	return false;
}

static void ask_wrongly(int luo_fd, int session)
{
	struct liveupdate_ioctl_test_kexec test = {
		.size = sizeof(test),
		.flags = 1,
	};
	struct liveupdate_session_test session_test = {
		.size = sizeof(session_test),
		.reserved = 1,
	};

	if (!ioctl(luo_fd, LIVEUPDATE_IOCTL_TEST_KEXEC, &test) || errno != EINVAL)
		fail_exit("test with a flag");
	test.size = 8;
	if (!ioctl(luo_fd, LIVEUPDATE_IOCTL_TEST_KEXEC, &test) || errno != EINVAL)
		fail_exit("test with little room");
	if (!ioctl(session, LIVEUPDATE_SESSION_TEST, &session_test) ||
	    errno != EINVAL)
		fail_exit("test of a session with a reserved field");
}

static void check_reasons(int session, int file)
{
	int ends[2];

	ksft_print_msg("[STAGE 1] A call that fails leaves its reason...\n");
	if (pipe(ends))
		fail_exit("pipe");
	expect_reason(session, 0, 0, "");
	preserve(session, ends[0], TOKEN_THIRD, -ENOENT);
	expect_reason(session, -ENOENT, TOKEN_THIRD,
		      "there is no handler for such a file");
	preserve(session, file, TOKEN_FIRST, -EEXIST);
	expect_reason(session, -EEXIST, TOKEN_FIRST,
		      "the session has a file of this token");
	preserve(session, file, TOKEN_THIRD, -EBUSY);
	expect_reason(session, -EBUSY, TOKEN_THIRD,
		      "the file is preserved already");

	ksft_print_msg("[STAGE 1] ... until one succeeds...\n");
	preserve(session, test_file_open(), TOKEN_THIRD, 0);
	expect_reason(session, 0, 0, "");
	close(ends[0]);
	close(ends[1]);
}

/* Files before and after the one that refuses, in both sessions. */
static void check_refusal(int luo_fd, int session_a, int session_b, int file)
{
	ksft_print_msg("[STAGE 1] A file that refuses is named...\n");
	test_file_command(file, "refuse", 1);
	expect_kexec(luo_fd, -EBUSY, SESSION_B, TOKEN_SECOND, REFUSED);
	expect_test(session_b, -EBUSY, TOKEN_SECOND, REFUSED);
	expect_reason(session_b, -EBUSY, TOKEN_SECOND, REFUSED);
	expect_test(session_a, 0, 0, "");
	test_file_command(file, "refuse", 0);
	expect_test(session_b, 0, 0, "");
	expect_reason(session_b, 0, 0, "");
}

/* A call takes longer than anybody waits for it. */
static void check_slow_call(int luo_fd, int session)
{
	int slow_session = create_session(luo_fd, SLOW_SESSION);
	int slow = test_file_open();
	int status;
	pid_t child;

	ksft_print_msg("[STAGE 1] A call that does not end is in the way...\n");
	test_file_command(slow, "slow", SLOW_MS);
	child = fork();
	if (child < 0)
		fail_exit("fork");
	if (!child) {
		close(luo_fd);
		_exit(luo_session_preserve_fd(slow_session, slow, TOKEN_FIRST) ?
		      KSFT_FAIL : KSFT_PASS);
	}

	usleep(500 * 1000);
	expect_kexec(luo_fd, -EBUSY, SLOW_SESSION, 0,
		     "Session [" SLOW_SESSION "] " IN_A_CALL);
	/* Who has another session does not get to know the name. */
	expect_test(session, -EBUSY, 0, "Another session " IN_A_CALL);
	if (waitpid(child, &status, 0) != child || status)
		fail_exit("the slow call");
	expect_test(session, 0, 0, "");
	close(slow_session);
	close(slow);
}

/* Stage 1: Executed before the kexec reboot. */
static void run_stage_1(int luo_fd)
{
	int session_a, session_b, file, refusing;

	ksft_print_msg("[STAGE 1] Starting pre-kexec setup...\n");
	expect_kexec(luo_fd, 0, "", 0, "");
	create_state_file(luo_fd, STATE_SESSION_NAME, STATE_MEMFD_TOKEN, 2);

	session_a = create_session(luo_fd, SESSION_A);
	file = test_file_open();
	preserve(session_a, file, TOKEN_FIRST, 0);
	session_b = create_session(luo_fd, SESSION_B);
	preserve(session_b, test_file_open(), TOKEN_FIRST, 0);
	refusing = test_file_open();
	preserve(session_b, refusing, TOKEN_SECOND, 0);
	preserve(session_b, test_file_open(), TOKEN_THIRD, 0);

	if (!find_session(luo_fd, SESSION_A, LIVEUPDATE_SESSION_FLAG_OPEN, 1) ||
	    !find_session(luo_fd, SESSION_B, LIVEUPDATE_SESSION_FLAG_OPEN, 3) ||
	    find_session(luo_fd, "no-such-session", 0, 0))
		fail_exit("sessions");
	ask_wrongly(luo_fd, session_a);
	check_reasons(session_a, file);
	check_refusal(luo_fd, session_a, session_b, refusing);
	check_slow_call(luo_fd, session_a);

	ksft_print_msg("[STAGE 1] Nothing is in the way, as often as asked...\n");
	for (int i = 0; i < TESTS; i++) {
		expect_kexec(luo_fd, 0, "", 0, "");
		expect_test(session_b, 0, 0, "");
	}
	preserve(session_a, test_file_open(), TOKEN_SECOND, 0);
	expect_kexec(luo_fd, 0, "", 0, "");

	close(luo_fd);
	daemonize_and_wait();
}

static void finish_session(int luo_fd, const char *name, int busy_token)
{
	struct liveupdate_session_test test = { .size = sizeof(test) };
	int session = luo_retrieve_session(luo_fd, name);
	int busy;

	if (session < 0)
		fail_exit("retrieve session %s: %d", name, session);
	if (!ioctl(session, LIVEUPDATE_SESSION_TEST, &test) || errno != EINVAL)
		fail_exit("test of an incoming session");
	busy = luo_session_retrieve_fd(session, busy_token);
	if (busy < 0)
		fail_exit("retrieve token %d: %d", busy_token, busy);

	test_file_command(busy, "busy", 1);
	if (luo_session_finish(session) != -EBUSY)
		fail_exit("finish of a busy session");
	expect_reason(session, -EBUSY, busy_token, "");
	if (luo_session_retrieve_fd(session, 77) != -ENOENT)
		fail_exit("retrieve of an unknown token");
	expect_reason(session, -ENOENT, 77, "the session has no file of this token");
	test_file_command(busy, "busy", 0);
	if (luo_session_finish(session))
		fail_exit("finish of session %s", name);
	expect_reason(session, 0, 0, "");
	close(session);
}

/* Stage 2: Executed after the kexec reboot. */
static void run_stage_2(int luo_fd, int state_session_fd)
{
	const __u32 flags = LIVEUPDATE_SESSION_FLAG_INCOMING |
			    LIVEUPDATE_SESSION_FLAG_NEEDS_FINISH;
	int stage;

	ksft_print_msg("[STAGE 2] Starting post-kexec verification...\n");

	restore_and_read_stage(state_session_fd, STATE_MEMFD_TOKEN, &stage);
	if (stage != 2)
		fail_exit("Expected stage 2, but state file contains %d", stage);

	ksft_print_msg("[STAGE 2] What is not finished is in the way...\n");
	if (!find_session(luo_fd, SESSION_A, flags, 3) ||
	    !find_session(luo_fd, SESSION_B, flags, 3))
		fail_exit("sessions");
	expect_kexec(luo_fd, -EBUSY, SESSION_A, 0, UNFINISHED);
	finish_session(luo_fd, SESSION_A, TOKEN_SECOND);
	expect_kexec(luo_fd, -EBUSY, SESSION_B, 0, UNFINISHED);
	finish_session(luo_fd, SESSION_B, TOKEN_FIRST);
	expect_kexec(luo_fd, 0, "", 0, "");

	if (luo_session_finish(state_session_fd) < 0)
		fail_exit("luo_session_finish for state session");
	close(state_session_fd);

	ksft_print_msg("\n--- TEST OF THE KEXEC PASSED ---\n");
}

int main(int argc, char *argv[])
{
	return luo_test(argc, argv, STATE_SESSION_NAME,
			run_stage_1, run_stage_2);
}
