// SPDX-License-Identifier: GPL-2.0
/*
 * The example program for a disk, as its users run it. The old kernel's is stopped when it
 * calls reboot(2), so that the host knows this moment: up to there it may do what it likes
 * with its controller. What the programs say is told to the host, who has the disk. With
 * killed=1 the next kernel's is killed before each of its ioctls in turn, and started again.
 */
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/liveupdate.h>

#include "device.h"
#include "events.h"
#include "machine.h"
#include "nvme.h"
#include "program.h"
#include "receiver.h"
#include "scenarios.h"
#include "wayback.h"

#define PROGRAM		"/examples/survive-nvme"
#define VENDOR		0x1b36
#define DEVICE		0x0010
#define LINE		256
#define SYSCALL_STOP	(SIGTRAP | 0x80)

static void find_disk(char *bdf)
{
	must(pci_find(VENDOR, DEVICE, 0, bdf), "find the disk");
}

/* Through sysfs: nothing is opened and nothing is written. */
static void report_controller(const char *bdf, const char *when)
{
	struct nvme_registers now;
	volatile void *registers;
	size_t size;

	registers = pci_peek_registers(bdf, &size);
	if (!registers)
		give_up("registers of the controller: %m");
	nvme_read_registers(registers, &now);
	munmap((void *)registers, size);
	event("controller when=%s cc=0x%x csts=0x%x aqa=0x%x asq=0x%llx acq=0x%llx", when,
	      now.configuration, now.status, now.admin_sizes, now.submission, now.completion);
}

/* ---- what a program says ---- */

/* What counts is the first program in this kernel. */
static bool tell_found(const char *line)
{
	static bool told;
	unsigned int came, found;

	if (sscanf(line, "%u commands came along: %*u are done, %u entries", &came, &found) != 2)
		return false;
	if (!told)
		event("disk-found came=%u count=%u", came, found);
	told = true;
	return true;
}

static bool tell_under_way(const char *line)
{
	unsigned int count;

	if (sscanf(line, "%u commands under way", &count) != 1 || !strstr(line, "under way"))
		return false;
	event("disk-under-way count=%u", count);
	return true;
}

static bool tell_written(const char *line)
{
	unsigned long long pieces, first, version;
	unsigned int blocks;

	if (sscanf(line, "%llu pieces of %u blocks from %llu on have version %llu", &pieces, &blocks,
		   &first, &version) != 4)
		return false;
	event("disk-written first=%llu count=%llu version=%llu", first, pieces * blocks, version);
	return true;
}

static bool tell_checked(const char *line)
{
	unsigned long long right, wrong;

	if (sscanf(line, "%*[a-z ]: %llu blocks of data right, %llu wrong", &right, &wrong) != 2)
		return false;
	event("disk-checked right=%llu wrong=%llu", right, wrong);
	return true;
}

static void tell_line(const char *line)
{
	event("note survive-nvme: %s", line);
	if (!tell_found(line) && !tell_under_way(line) && !tell_written(line) && !tell_checked(line))
		check(false, "the program says: %s", line);
}

static bool tell_next_line(FILE *output, char *line)
{
	if (!fgets(line, LINE, output))
		return false;
	line[strcspn(line, "\n")] = '\0';
	tell_line(line);
	return true;
}

/* ---- the program ---- */

static unsigned long register_of(pid_t child, size_t offset)
{
	return ptrace(PTRACE_PEEKUSER, child, offset, NULL);
}

static bool calls(pid_t child, unsigned long call)
{
	return register_of(child, offsetof(struct user_regs_struct, orig_rax)) == call;
}

/* The call made by who stands at an ioctl */
static bool finishes(pid_t child)
{
	return register_of(child, offsetof(struct user_regs_struct, rsi)) ==
	       LIVEUPDATE_SESSION_FINISH;
}

/* To the next call into the kernel, or back from there */
static void run_on(pid_t child)
{
	int status;

	ptrace(PTRACE_SYSCALL, child, NULL, NULL);
	waitpid(child, &status, 0);
	if (!WIFSTOPPED(status) || WSTOPSIG(status) != SYSCALL_STOP)
		give_up("the program ended with status 0x%x", status);
}

/* It stands then, with the nth call of this kind not made so far, or with FINISH. */
static void run_until(pid_t child, unsigned long call, unsigned int nth)
{
	int status;

	waitpid(child, &status, 0);
	ptrace(PTRACE_SETOPTIONS, child, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
	for (;;) {
		run_on(child);
		if (calls(child, call) && (!--nth || finishes(child)))
			return;
		run_on(child);
	}
}

/* What is in the pipe, and no more. */
static void tell_lines(FILE *output)
{
	char line[LINE];

	fcntl(fileno(output), F_SETFL, O_NONBLOCK);
	while (tell_next_line(output, line))
		;
}

/* ---- the two kernels ---- */

/* Comes back only when the program failed; what it says then is on the console. */
void disk_old_kernel(void)
{
	char bdf[BDF_LENGTH], command_line[2048];
	char *arguments[] = { PROGRAM, bdf, "/bzImage", "/initrd", command_line, NULL };
	FILE *output;
	int status;
	pid_t child;

	find_disk(bdf);
	read_file("/next-cmdline", command_line, sizeof(command_line));
	report_preserved_function(bdf, "device");
	child = program_start(arguments, true, &output);
	run_until(child, SYS_reboot, 1);
	tell_lines(output);
	report_controller(bdf, "armed");
	report_pages("base");
	event_ask("kexec-call");
	ptrace(PTRACE_DETACH, child, NULL, NULL);
	waitpid(child, &status, 0);
	give_up("the program ended with status 0x%x", status);
}

/* The pages are counted while it goes on with page tables of its own. */
static void tell_finished(const char *bdf)
{
	event_ask("finished");
	report_pages("finished");
	report_controller(bdf, "end");
}

/* It is killed before its nth ioctl; false if it was FINISH that it would have made. */
static bool kill_before(char **arguments, unsigned int nth)
{
	FILE *output;
	pid_t child = program_start(arguments, true, &output);
	bool last;

	run_until(child, SYS_ioctl, nth);
	last = finishes(child);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	tell_lines(output);
	fclose(output);
	return !last;
}

static void kill_before_each(char **arguments)
{
	unsigned int nth = 1;

	while (kill_before(arguments, nth))
		nth++;
	check(nth > 20, "killed before each of %u ioctls", nth);
}

void disk_new_kernel(void)
{
	char bdf[BDF_LENGTH], *arguments[] = { PROGRAM, bdf, NULL };
	char line[LINE];
	FILE *output;
	int status;
	pid_t child;

	find_disk(bdf);
	report_controller(bdf, "after");
	event("reclaimed");
	if (option_number("killed", 0))
		kill_before_each(arguments);
	child = program_start(arguments, false, &output);
	while (tell_next_line(output, line))
		if (!strncmp(line, "finished", 8))
			tell_finished(bdf);
	waitpid(child, &status, 0);
	check(WIFEXITED(status) && !WEXITSTATUS(status), "the program ends with status 0x%x", status);
}
