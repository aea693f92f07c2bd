// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/liveupdate.h>
#include <linux/reboot.h>

#include "liveupdate.h"

static int open_liveupdate(void)
{
	/* One opener at a time; another program has it only for a moment. */
	for (int attempt = 0; ; attempt++) {
		int fd = open("/dev/liveupdate", O_RDWR | O_CLOEXEC);

		if (fd >= 0)
			return fd;
		if (errno != EBUSY || attempt == 100)
			return -errno;
		usleep(10 * 1000);
	}
}

int session_create(const char *name)
{
	struct liveupdate_ioctl_create_session create = { .size = sizeof(create) };
	int liveupdate = open_liveupdate();
	int result;

	if (liveupdate < 0)
		return liveupdate;
	snprintf((char *)create.name, sizeof(create.name), "%s", name);
	result = ioctl(liveupdate, LIVEUPDATE_IOCTL_CREATE_SESSION, &create) ? -errno : create.fd;
	close(liveupdate);
	return result;
}

int session_retrieve(const char *name)
{
	struct liveupdate_ioctl_retrieve_session retrieve = { .size = sizeof(retrieve) };
	int liveupdate = open_liveupdate();
	int result;

	if (liveupdate < 0)
		return liveupdate;
	snprintf((char *)retrieve.name, sizeof(retrieve.name), "%s", name);
	result = ioctl(liveupdate, LIVEUPDATE_IOCTL_RETRIEVE_SESSION, &retrieve) ?
		 -errno : retrieve.fd;
	close(liveupdate);
	return result;
}

int session_preserve_fd(int session, int fd, __u64 token)
{
	struct liveupdate_session_preserve_fd preserve = {
		.size = sizeof(preserve),
		.fd = fd,
		.token = token,
	};

	return ioctl(session, LIVEUPDATE_SESSION_PRESERVE_FD, &preserve) ? -errno : 0;
}

int session_retrieve_fd(int session, __u64 token)
{
	struct liveupdate_session_retrieve_fd retrieve = {
		.size = sizeof(retrieve),
		.token = token,
	};

	return ioctl(session, LIVEUPDATE_SESSION_RETRIEVE_FD, &retrieve) ? -errno : retrieve.fd;
}

int session_finish(int session)
{
	struct liveupdate_session_finish finish = { .size = sizeof(finish) };

	return ioctl(session, LIVEUPDATE_SESSION_FINISH, &finish) ? -errno : 0;
}

int memory_create(const char *name, __u64 size)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, size)) {
		int error = -errno;

		close(fd);
		return error;
	}
	return fd;
}

int memory_seal(int memfd)
{
	return fcntl(memfd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_GROW | F_SEAL_SHRINK) ? -errno : 0;
}

int kexec_prepare_files(int kernel, int initrd, const char *command_line)
{
	return syscall(SYS_kexec_file_load, kernel, initrd, strlen(command_line) + 1, command_line,
		       0) ? -errno : 0;
}

int kexec_prepare(const char *kernel, const char *initrd, const char *command_line)
{
	int kernel_fd = open(kernel, O_RDONLY | O_CLOEXEC);
	int initrd_fd = open(initrd, O_RDONLY | O_CLOEXEC);
	int result = -ENOENT;

	if (kernel_fd >= 0 && initrd_fd >= 0)
		result = kexec_prepare_files(kernel_fd, initrd_fd, command_line);
	close(kernel_fd);
	close(initrd_fd);
	return result;
}

int kexec_jump(void)
{
	syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_KEXEC, NULL);
	return -errno;
}
