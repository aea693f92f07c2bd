// SPDX-License-Identifier: GPL-2.0
/*
 * Memfds that are mostly holes, and larger than the machine: refused without harm to
 * anybody, and so is one whose pages lie all beyond its end, where they fill no hole.  A
 * process beside that has its memory in use is what the OOM killer would take.  One
 * whose holes there is memory for is preserved, and so is one afterwards.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
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

/* What can be had without harm to anybody, according to the kernel. */
static __u64 available_memory(void)
{
	FILE *meminfo = fopen("/proc/meminfo", "r");
	unsigned long long kib = 0;
	char line[100];

	while (meminfo && fgets(line, sizeof(line), meminfo))
		if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1)
			break;
	if (meminfo)
		fclose(meminfo);
	check(kib, "/proc/meminfo tells what is available");
	return kib << 10;
}

static int preserve_sparse(__u64 size, __u64 beyond)
{
	int memfd = must(memory_create("sparse", size), "create memfd");
	int session = must(session_create("sparse"), "create session"), result;
	char *first;

	if (beyond)
		must(fallocate(memfd, FALLOC_FL_KEEP_SIZE, size, beyond),
		     "fallocate beyond the end");
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
static void expect_preserve(__u64 size, __u64 beyond, int errno_wanted, const char *what)
{
	pid_t child = fork();
	int status = 0;

	if (!child)
		_exit(-preserve_sparse(size, beyond));
	must(child, "fork");
	waitpid(child, &status, 0);
	if (check(WIFEXITED(status), "%s: the caller is not killed, status 0x%x", what, status))
		check_errno(-WEXITSTATUS(status), errno_wanted, what);
}

void sparse_old_kernel(void)
{
	struct receiver receiver;
	pid_t bystander;
	__u64 hole;

	receiver_set_up(&receiver);
	traffic_start(&receiver);
	bystander = start_bystander();
	sleep_ms(500);
	expect_preserve(1024 * 1024 * MIB, 0, ENOMEM, "preserve a hole of 1 TiB");
	expect_preserve(2048 * MIB, 0, ENOMEM, "preserve a hole of 2 GiB");
	/* There is memory for one of them, and not for the other as well. */
	hole = available_memory() / 5 * 3 & -PAGE;
	expect_preserve(hole, hole, ENOMEM, "preserve a hole with as many pages beyond the end");
	end_bystander(bystander);
	expect_preserve(8 * MIB, 0, 0, "preserve a hole of 8 MiB");
	expect_preserve(8 * MIB, 8 * MIB, 0, "preserve a hole of 8 MiB with pages beyond the end");
	check_errno(session_preserve_fd(must(session_create("ring"), "create session"),
					receiver.memfd, TOKEN_MEMORY), 0, "preserve the ring");
	sleep_ms(200);
	traffic_stop();
	receiver_report_landed(&receiver);
}
