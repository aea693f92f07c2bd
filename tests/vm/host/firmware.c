// SPDX-License-Identifier: GPL-2.0
/*
 * What firmware does that protects memory from devices before there is a kernel:
 * VT-d translates, with a root table that lets nothing through.  Done here through
 * QEMU's test port, while the machine does not run yet.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "run.h"

#define TRIES		100
#define TRY_US		100000

/* Memory that is all zero and that nobody uses so early. */
#define ROOT_TABLE	0x7000000ul

static int connect_to_test_port(const struct run *run)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/qtest", run->socket_dir);
	for (int i = 0; i < TRIES; i++) {
		if (!connect(fd, (void *)&address, sizeof(address)))
			return fd;
		usleep(TRY_US);
	}
	close(fd);
	return -ETIMEDOUT;
}

/* Each command is answered by a line, with the value after a read. */
static int command(int fd, const char *line, uint64_t *value)
{
	char answer[256];
	ssize_t got;

	if (send(fd, line, strlen(line), MSG_NOSIGNAL) < 0)
		return -errno;
	got = recv(fd, answer, sizeof(answer) - 1, 0);
	if (got < 2 || strncmp(answer, "OK", 2))
		return -EIO;
	answer[got] = '\0';
	*value = strtoull(answer + 2, NULL, 0);
	return 0;
}

static int write_register(int fd, char width, unsigned int place, unsigned long value)
{
	uint64_t nothing;
	char line[64];

	snprintf(line, sizeof(line), "write%c 0x%lx 0x%lx\n", width, VTD_REGISTERS + place, value);
	return command(fd, line, &nothing);
}

/* What was written counts for nothing if the unit has not taken it. */
static int expect_translation(int fd)
{
	uint64_t status;
	char line[64];
	int error;

	snprintf(line, sizeof(line), "readl 0x%lx\n", VTD_REGISTERS + VTD_STATUS);
	error = command(fd, line, &status);
	if (error)
		return error;
	return (status & (GCMD_TE | GCMD_SRTP)) == (GCMD_TE | GCMD_SRTP) ? 0 : -EIO;
}

static int switch_translation_on(int fd)
{
	int error = write_register(fd, 'q', VTD_ROOT_ADDRESS, ROOT_TABLE);

	if (!error)
		error = write_register(fd, 'l', VTD_COMMAND, GCMD_SRTP);
	if (!error)
		error = write_register(fd, 'l', VTD_COMMAND, GCMD_TE);
	return error ?: expect_translation(fd);
}

int firmware_protect(struct run *run)
{
	int test = connect_to_test_port(run);
	struct monitor *monitor = test < 0 ? NULL : monitor_open(run);
	int error = monitor ? switch_translation_on(test) : -EIO;

	if (!error)
		error = monitor_run_machine(monitor, true);
	monitor_close(monitor);
	/* The other stays open: it takes its clock along. */
	return error;
}

struct switches {
	int64_t kernel_ns;	/* the first line of the first kernel */
	bool on, at_kernel, refused, off_later;
};

static void note_switch(void *data, int64_t when, const char *text)
{
	struct switches *switches = data;
	int enabled;

	if (!strncmp(text, "vtd_dmar_fault ", 15) && when < switches->kernel_ns)
		switches->refused = true;
	if (sscanf(text, "vtd_dmar_enable enable %d", &enabled) != 1)
		return;
	switches->on = enabled;
	if (when < switches->kernel_ns)
		switches->at_kernel = enabled;
	else if (!enabled)
		switches->off_later = true;
}

/*
 * The first kernel must find translation on, or there was nothing to be as on another
 * kernel.  And that it is on has a meaning: boot firmware that looks at the disk is
 * refused.  Whatever the kernel is told to do, it takes that off sooner or later.
 */
void firmware_judge(struct run *run)
{
	struct switches switches = { .kernel_ns = run->first_kernel_ns };

	if (trace_read(run, note_switch, &switches))
		run_problem(run, "no trace");
	if (!switches.at_kernel)
		run_problem(run, "firmware: translation was not on when the kernel came");
	if (!switches.refused)
		run_problem(run, "firmware: no device was refused before the kernel came");
	if (!switches.off_later)
		run_problem(run, "firmware: no kernel has switched translation off");
}
