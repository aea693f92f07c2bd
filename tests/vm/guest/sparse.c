// SPDX-License-Identifier: GPL-2.0
/*
 * Memfds that are mostly holes, and larger than the machine: refused without harm to
 * anybody.  A process beside that has its memory in use is what the OOM killer would
 * take.  One whose holes there is memory for is preserved, and so is one afterwards.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "events.h"
#include "liveupdate.h"
#include "machine.h"
#include "preserve.h"
#include "scenarios.h"

#define MIB		(1ull << 20)
#define BYSTANDER_SIZE	(60 * MIB)
#define TOKEN_SPARSE	50

/* Uses its memory until it is killed. */
static pid_t start_bystander(void)
{
	pid_t child = fork();

	if (child)
		return must(child, "fork");
	memset(malloc(BYSTANDER_SIZE), 1, BYSTANDER_SIZE);
	for (;;)
		pause();
}

static void end_bystander(pid_t bystander)
{
	int status = 0;

	check(!waitpid(bystander, &status, WNOHANG), "the bystander lives: status 0x%x", status);
	kill(bystander, SIGKILL);
	waitpid(bystander, &status, 0);
}

static int preserve_sparse(__u64 size)
{
	int memfd = must(memory_create("sparse", size), "create memfd");
	int session = must(session_create("sparse"), "create session"), result;
	char *first;

	must(memory_seal(memfd), "seal memfd");
	first = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
	*first = 1;
	munmap(first, PAGE);
	result = session_preserve_fd(session, memfd, TOKEN_SPARSE);
	close(session);
	close(memfd);
	return result;
}

/* In a process of its own: it may be killed. */
static void expect_preserve(__u64 size, int errno_wanted, const char *what)
{
	pid_t child = fork();
	int status = 0;

	if (!child)
		_exit(-preserve_sparse(size));
	must(child, "fork");
	waitpid(child, &status, 0);
	if (check(WIFEXITED(status), "%s: the caller is not killed, status 0x%x", what, status))
		check_errno(-WEXITSTATUS(status), errno_wanted, what);
}

void sparse_old_kernel(void)
{
	struct receiver receiver;
	pid_t bystander;

	receiver_set_up(&receiver);
	traffic_start(&receiver);
	bystander = start_bystander();
	sleep_ms(500);
	expect_preserve(1024 * 1024 * MIB, ENOMEM, "preserve a hole of 1 TiB");
	expect_preserve(2048 * MIB, ENOMEM, "preserve a hole of 2 GiB");
	end_bystander(bystander);
	expect_preserve(8 * MIB, 0, "preserve a hole of 8 MiB");
	check_errno(session_preserve_fd(must(session_create("ring"), "create session"),
					receiver.memfd, TOKEN_MEMORY), 0, "preserve the ring");
	sleep_ms(200);
	traffic_stop();
	receiver_report_landed(&receiver);
}
