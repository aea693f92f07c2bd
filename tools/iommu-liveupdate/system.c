// SPDX-License-Identifier: GPL-2.0
/* The command on a real machine. Tests have a main() of their own. */
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <fcntl.h>
#include <unistd.h>

#include "tool.h"

#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd	438
#endif

static int open_below(void *arg, const char *path, int flags)
{
	const char *root = getenv("ILU_SYSROOT");
	char full[PATH_SIZE * 2];

	(void)arg;
	snprintf(full, sizeof(full), "%s%s", root ? root : "", path);
	return open(full, flags);
}

static int take_fd(void *arg, pid_t pid, int fd)
{
	int process = syscall(SYS_pidfd_open, pid, 0), copy;

	(void)arg;
	if (process < 0)
		return -1;
	copy = syscall(SYS_pidfd_getfd, process, fd, 0);
	close(process);
	return copy;
}

static int file_kind(void *arg, int fd, long *magic, uint64_t *inode, dev_t *device)
{
	struct statfs system;
	struct stat status;

	(void)arg;
	if (fstatfs(fd, &system) || fstat(fd, &status))
		return -1;
	*magic = system.f_type;
	*inode = status.st_ino;
	*device = status.st_dev;
	return 0;
}

int main(int argc, char **argv)
{
	struct tool_ops ops = { .take_fd = take_fd, .file_kind = file_kind };
	struct ilu defaults;

	/* Those of the library, but for the root */
	ilu_ops_init(&defaults, NULL);
	ops.ilu = defaults.ops;
	ops.ilu.open = open_below;
	return tool_main(&ops, NULL, argc, argv);
}
