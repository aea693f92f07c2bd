// SPDX-License-Identifier: GPL-2.0
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "events.h"
#include "program.h"

#define SYSCALL_STOP	(SIGTRAP | 0x80)

static void run_in_child(char **arguments, int output, bool traced)
{
	dup2(output, STDOUT_FILENO);
	if (!traced || !ptrace(PTRACE_TRACEME, 0, NULL, NULL))
		execv(arguments[0], arguments);
	_exit(127);
}

static unsigned long register_of(pid_t child, size_t offset)
{
	return ptrace(PTRACE_PEEKUSER, child, offset, NULL);
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

/* It is stopped by its exec, and goes on to its first call. */
static void begin_to_trace(pid_t child)
{
	int status;

	waitpid(child, &status, 0);
	if (!WIFSTOPPED(status))
		give_up("the program did not start: status 0x%x", status);
	ptrace(PTRACE_SETOPTIONS, child, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
	run_on(child);
}

pid_t program_start(char **arguments, bool traced, FILE **output)
{
	int ends[2];
	pid_t child;

	if (pipe(ends))
		give_up("pipe: %m");
	child = fork();
	if (child < 0)
		give_up("fork: %m");
	if (!child)
		run_in_child(arguments, ends[1], traced);
	close(ends[1]);
	*output = fdopen(ends[0], "r");
	if (!*output)
		give_up("fdopen: %m");
	if (traced)
		begin_to_trace(child);
	return child;
}

void program_run_until(pid_t child, unsigned long call)
{
	do {
		run_on(child);
		run_on(child);
	} while (register_of(child, offsetof(struct user_regs_struct, orig_rax)) != call);
}

unsigned long program_second_argument(pid_t child)
{
	return register_of(child, offsetof(struct user_regs_struct, rsi));
}

void program_let_go(pid_t child)
{
	ptrace(PTRACE_DETACH, child, NULL, NULL);
}

bool program_says(FILE *output, char *line, int size)
{
	if (!fgets(line, size, output))
		return false;
	line[strcspn(line, "\n")] = '\0';
	return true;
}

bool program_said(FILE *output, char *line, int size)
{
	bool said;

	fcntl(fileno(output), F_SETFL, O_NONBLOCK);
	said = program_says(output, line, size);
	fcntl(fileno(output), F_SETFL, 0);
	return said;
}
