// SPDX-License-Identifier: GPL-2.0
/*
 * The example program for a disk, as its users run it. The old kernel's is stopped when it
 * calls reboot(2), so that the host knows this moment: up to there it may do what it likes
 * with its controller. What the programs say is told to the host, who has the disk. With
 * killed=1 the next kernel's is killed before each of its ioctls in turn, and started again.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/liveupdate.h>

#include "device.h"
#include "drive.h"
#include "events.h"
#include "machine.h"
#include "pages.h"
#include "program.h"
#include "receiver.h"
#include "scenarios.h"

#define PROGRAM		"/examples/survive-nvme"
#define LINE		256

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

/* ---- the program ---- */

/* The call made by who stands at an ioctl */
static bool finishes(pid_t child)
{
	return program_second_argument(child) == LIVEUPDATE_SESSION_FINISH;
}

/* It stands then with the nth ioctl not made so far, or with FINISH. */
static void run_until_ioctl(pid_t child, unsigned int nth)
{
	program_run_until(child, SYS_ioctl);
	while (--nth && !finishes(child))
		program_run_until(child, SYS_ioctl);
}

static void tell_lines(FILE *output)
{
	char line[LINE];

	while (program_said(output, line, sizeof(line)))
		tell_line(line);
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

	drive_find(bdf);
	read_file("/next-cmdline", command_line, sizeof(command_line));
	report_preserved_function(bdf, "device");
	child = program_start(arguments, true, &output);
	program_run_until(child, SYS_reboot);
	tell_lines(output);
	drive_report(bdf, "armed");
	report_pages("base");
	event_ask("kexec-call");
	program_let_go(child);
	waitpid(child, &status, 0);
	give_up("the program ended with status 0x%x", status);
}

/* The pages are counted while it goes on with page tables of its own. */
static void tell_finished(const char *bdf)
{
	event_ask("finished");
	report_pages("finished");
	drive_report(bdf, "end");
}

/* It is killed before its nth ioctl; false if it was FINISH that it would have made. */
static bool kill_before(char **arguments, unsigned int nth)
{
	FILE *output;
	pid_t child = program_start(arguments, true, &output);
	bool last;

	run_until_ioctl(child, nth);
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

	drive_find(bdf);
	drive_report(bdf, "after");
	event("reclaimed");
	if (option_number("killed", 0))
		kill_before_each(arguments);
	child = program_start(arguments, false, &output);
	while (program_says(output, line, sizeof(line))) {
		tell_line(line);
		if (!strncmp(line, "finished", 8))
			tell_finished(bdf);
	}
	waitpid(child, &status, 0);
	check(WIFEXITED(status) && !WEXITSTATUS(status), "the program ends with status 0x%x", status);
}
