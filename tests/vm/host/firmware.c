// SPDX-License-Identifier: GPL-2.0
/*
 * What firmware does that protects memory from devices before there is a kernel:
 * VT-d translates, with a root table that lets nothing through.  Done here through
 * QEMU's test port, while the machine does not run yet.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "run.h"

#define TRIES		100
#define TRY_US		100000

/* Memory that is all zero and that nobody uses so early. */
#define ROOT_TABLE	0x7000000ul

static int connect_to(const struct run *run, const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", run->socket_dir, name);
	for (int i = 0; i < TRIES; i++) {
		if (!connect(fd, (void *)&address, sizeof(address)))
			return fd;
		usleep(TRY_US);
	}
	close(fd);
	return -ETIMEDOUT;
}

/* Each command is answered by a line. */
static int command(int fd, const char *line)
{
	char answer[256];
	ssize_t got;

	if (send(fd, line, strlen(line), MSG_NOSIGNAL) < 0)
		return -errno;
	got = recv(fd, answer, sizeof(answer), 0);
	return got >= 2 && !strncmp(answer, "OK", 2) ? 0 : -EIO;
}

static int switch_translation_on(int fd)
{
	char line[64];
	int error;

	snprintf(line, sizeof(line), "writeq 0x%lx 0x%lx\n", VTD_REGISTERS + VTD_ROOT_ADDRESS,
		 ROOT_TABLE);
	error = command(fd, line);
	snprintf(line, sizeof(line), "writel 0x%lx 0x%x\n", VTD_REGISTERS + VTD_COMMAND, GCMD_SRTP);
	if (!error)
		error = command(fd, line);
	snprintf(line, sizeof(line), "writel 0x%lx 0x%x\n", VTD_REGISTERS + VTD_COMMAND, GCMD_TE);
	if (!error)
		error = command(fd, line);
	return error;
}

int firmware_protect(struct run *run)
{
	int test = connect_to(run, "qtest"), monitor = connect_to(run, "monitor");
	int error = test < 0 || monitor < 0 ? -EIO : switch_translation_on(test);

	if (!error && send(monitor, "cont\n", 5, MSG_NOSIGNAL) != 5)
		error = -EIO;
	/* Both stay open: a port that is closed takes its clock along. */
	return error;
}
