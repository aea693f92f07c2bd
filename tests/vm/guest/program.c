// SPDX-License-Identifier: GPL-2.0
#include <sys/ptrace.h>
#include <unistd.h>

#include "events.h"
#include "program.h"

static void run_in_child(char **arguments, int output, bool traced)
{
	dup2(output, STDOUT_FILENO);
	if (!traced || !ptrace(PTRACE_TRACEME, 0, NULL, NULL))
		execv(arguments[0], arguments);
	_exit(127);
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
	return child;
}
