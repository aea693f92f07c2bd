// SPDX-License-Identifier: LGPL-2.1-or-later
/* What the library calls: by default the C library, else what the program has given. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <linux/reboot.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"

#ifndef KEXEC_FILE_NO_INITRAMFS
#define KEXEC_FILE_NO_INITRAMFS	0x00000004
#endif

#define SYSFS_DEVICES	"/sys/bus/pci/devices"
#define AGAIN_MS	10
#define SEALS		(F_SEAL_SEAL | F_SEAL_GROW | F_SEAL_SHRINK)

/* ---- the default ones ---- */

static int sys_open(void *arg, const char *path, int flags)
{
	(void)arg;
	return open(path, flags);
}

static int sys_close(void *arg, int fd)
{
	(void)arg;
	return close(fd);
}

static int sys_ioctl(void *arg, int fd, unsigned long request, void *data)
{
	(void)arg;
	return ioctl(fd, request, data);
}

static void *sys_mmap(void *arg, size_t length, int prot, int flags, int fd, off_t offset)
{
	(void)arg;
	return mmap(NULL, length, prot, flags, fd, offset);
}

static int sys_munmap(void *arg, void *address, size_t length)
{
	(void)arg;
	return munmap(address, length);
}

static ssize_t sys_pread(void *arg, int fd, void *data, size_t length, off_t offset)
{
	(void)arg;
	return pread(fd, data, length, offset);
}

static ssize_t sys_pwrite(void *arg, int fd, const void *data, size_t length, off_t offset)
{
	(void)arg;
	return pwrite(fd, data, length, offset);
}

static int sys_memfd_create(void *arg, const char *name, unsigned int flags)
{
	(void)arg;
	return memfd_create(name, flags);
}

static int sys_ftruncate(void *arg, int fd, off_t length)
{
	(void)arg;
	return ftruncate(fd, length);
}

static int sys_fcntl(void *arg, int fd, int command, int value)
{
	(void)arg;
	return fcntl(fd, command, value);
}

static int sys_fstat_size(void *arg, int fd, uint64_t *length)
{
	struct stat status;

	(void)arg;
	if (fstat(fd, &status))
		return -1;
	*length = status.st_size;
	return 0;
}

static int sys_fstat_inode(void *arg, int fd, uint64_t *ino, uint32_t *dev_major,
			   uint32_t *dev_minor)
{
	struct stat status;

	(void)arg;
	if (fstat(fd, &status))
		return -1;
	*ino = status.st_ino;
	*dev_major = major(status.st_dev);
	*dev_minor = minor(status.st_dev);
	return 0;
}

static int sys_dup(void *arg, int fd)
{
	(void)arg;
	return fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

static int sys_kexec_file_load(void *arg, int kernel, int initrd, const char *command_line)
{
	unsigned long flags = initrd < 0 ? KEXEC_FILE_NO_INITRAMFS : 0;

	(void)arg;
	return syscall(SYS_kexec_file_load, kernel, initrd, strlen(command_line) + 1, command_line,
		       flags);
}

static int sys_reboot_kexec(void *arg)
{
	(void)arg;
	return syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2,
		       LINUX_REBOOT_CMD_KEXEC, NULL);
}

/* It is the one entry of the vfio-dev directory. */
static int sys_device_name(void *arg, const char *bdf, char *name, size_t length)
{
	char path[sizeof(SYSFS_DEVICES) + ILU_BDF_SIZE + sizeof("//vfio-dev")];
	struct dirent *entry;
	int found = -1;
	DIR *dir;

	(void)arg;
	snprintf(path, sizeof(path), SYSFS_DEVICES "/%s/vfio-dev", bdf);
	dir = opendir(path);
	if (!dir)
		return -1;
	errno = ENOENT;
	while (found && (entry = readdir(dir))) {
		if (strncmp(entry->d_name, "vfio", 4) || strlen(entry->d_name) >= length)
			continue;
		strcpy(name, entry->d_name);
		found = 0;
	}
	closedir(dir);
	return found;
}

static int64_t sys_now(void *arg)
{
	struct timespec now;

	(void)arg;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

static void sys_sleep(void *arg, int64_t milliseconds)
{
	struct timespec time = {
		.tv_sec = milliseconds / 1000,
		.tv_nsec = milliseconds % 1000 * 1000000,
	};

	(void)arg;
	nanosleep(&time, NULL);
}

static const struct ilu_ops system_ops = {
	.size = sizeof(system_ops),
	.open = sys_open,
	.close = sys_close,
	.ioctl = sys_ioctl,
	.mmap = sys_mmap,
	.munmap = sys_munmap,
	.pread = sys_pread,
	.pwrite = sys_pwrite,
	.memfd_create = sys_memfd_create,
	.ftruncate = sys_ftruncate,
	.fcntl = sys_fcntl,
	.fstat_size = sys_fstat_size,
	.dup = sys_dup,
	.kexec_file_load = sys_kexec_file_load,
	.reboot_kexec = sys_reboot_kexec,
	.device_name = sys_device_name,
	.now = sys_now,
	.sleep = sys_sleep,
	.fstat_inode = sys_fstat_inode,
};

/* A program gives those that it has an opinion of, the others are the default. */
void ilu_ops_init(struct ilu *ilu, const struct ilu_ops *given)
{
	ilu->ops = system_ops;
	if (!given)
		return;
#define TAKE(op) do { if (given->op) ilu->ops.op = given->op; } while (0)
	TAKE(open);
	TAKE(close);
	TAKE(ioctl);
	TAKE(mmap);
	TAKE(munmap);
	TAKE(pread);
	TAKE(pwrite);
	TAKE(memfd_create);
	TAKE(ftruncate);
	TAKE(fcntl);
	TAKE(fstat_size);
	TAKE(dup);
	TAKE(kexec_file_load);
	TAKE(reboot_kexec);
	TAKE(device_name);
	TAKE(now);
	TAKE(sleep);
	TAKE(fstat_inode);
#undef TAKE
}

/* ---- how they are called ---- */

int ilu_try_open(struct ilu *ilu, const char *path)
{
	int fd;

	do
		fd = ilu->ops.open(ilu->arg, path, O_RDWR | O_CLOEXEC);
	while (fd < 0 && errno == EINTR);
	return fd < 0 ? -errno : fd;
}

int ilu_open(struct ilu *ilu, enum ilu_call call, const char *path, const char *object)
{
	int fd = ilu_try_open(ilu, path);

	return fd < 0 ? ilu_fail(ilu, fd, call, object) : fd;
}

void ilu_close(struct ilu *ilu, int *fd)
{
	if (*fd >= 0)
		ilu->ops.close(ilu->arg, *fd);
	*fd = -1;
}

int ilu_try_ioctl(struct ilu *ilu, int fd, unsigned long request, void *data)
{
	int result;

	do
		result = ilu->ops.ioctl(ilu->arg, fd, request, data);
	while (result < 0 && errno == EINTR);
	return result < 0 ? -errno : result;
}

int ilu_ioctl(struct ilu *ilu, enum ilu_call call, int fd, unsigned long request, void *data,
	      const char *object)
{
	int result = ilu_try_ioctl(ilu, fd, request, data);

	return result < 0 ? ilu_fail(ilu, result, call, object) : result;
}

int ilu_dup(struct ilu *ilu, int fd, const char *object)
{
	int copy = ilu->ops.dup(ilu->arg, fd);

	return copy < 0 ? ilu_fail(ilu, -errno, ILU_CALL_DUP, object) : copy;
}

void *ilu_mmap(struct ilu *ilu, size_t length, int flags, int fd, uint64_t offset,
	       const char *object)
{
	void *address = ilu->ops.mmap(ilu->arg, length, PROT_READ | PROT_WRITE, MAP_SHARED | flags,
				      fd, offset);

	if (address != MAP_FAILED)
		return address;
	ilu_fail(ilu, -errno, ILU_CALL_MMAP, object);
	return NULL;
}

int ilu_read(struct ilu *ilu, enum ilu_call call, int fd, void *data, size_t length,
	     uint64_t offset, const char *object)
{
	while (length) {
		ssize_t got = ilu->ops.pread(ilu->arg, fd, data, length, offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return ilu_fail(ilu, -errno, call, object);
		if (!got)
			return ilu_refuse(ilu, ILU_OWN_SHORT_READ, object);
		data = (char *)data + got;
		length -= got;
		offset += got;
	}
	return 0;
}

int ilu_write(struct ilu *ilu, enum ilu_call call, int fd, const void *data, size_t length,
	      uint64_t offset, const char *object)
{
	while (length) {
		ssize_t put = ilu->ops.pwrite(ilu->arg, fd, data, length, offset);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return ilu_fail(ilu, -errno, call, object);
		if (!put)
			return ilu_refuse(ilu, ILU_OWN_SHORT_READ, object);
		data = (const char *)data + put;
		length -= put;
		offset += put;
	}
	return 0;
}

int ilu_length(struct ilu *ilu, int fd, uint64_t *length, const char *object)
{
	if (ilu->ops.fstat_size(ilu->arg, fd, length))
		return ilu_fail(ilu, -errno, ILU_CALL_STAT, object);
	return 0;
}

int ilu_inode(struct ilu *ilu, int fd, struct ilu_inode *inode, const char *object)
{
	if (ilu->ops.fstat_inode(ilu->arg, fd, &inode->ino, &inode->dev_major, &inode->dev_minor))
		return ilu_fail(ilu, -errno, ILU_CALL_STAT, object);
	inode->known = true;
	return 0;
}

bool ilu_same_inode(const struct ilu_inode *one, const struct ilu_inode *other)
{
	return one->known && other->known && one->ino == other->ino &&
	       one->dev_major == other->dev_major && one->dev_minor == other->dev_minor;
}

int ilu_seal(struct ilu *ilu, int fd, const char *object)
{
	int seals = ilu->ops.fcntl(ilu->arg, fd, F_GET_SEALS, 0);

	if (seals < 0)
		return ilu_fail(ilu, -errno, ILU_CALL_SEAL, object);
	if ((seals & SEALS) == SEALS)
		return 0;
	/* Also what was made without MFD_ALLOW_SEALING */
	if (seals & F_SEAL_SEAL)
		return ilu_refuse(ilu, ILU_OWN_BAD_SEALS, object);
	if (ilu->ops.fcntl(ilu->arg, fd, F_ADD_SEALS, SEALS))
		return ilu_fail(ilu, -errno, ILU_CALL_SEAL, object);
	return 0;
}

int ilu_memfd(struct ilu *ilu, const char *name, uint64_t length)
{
	int fd = ilu->ops.memfd_create(ilu->arg, name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int error = 0;

	if (fd < 0)
		return ilu_fail(ilu, -errno, ILU_CALL_MEMFD_CREATE, name);
	if (ilu->ops.ftruncate(ilu->arg, fd, length))
		error = ilu_fail(ilu, -errno, ILU_CALL_FTRUNCATE, name);
	if (!error)
		error = ilu_seal(ilu, fd, name);
	if (error)
		ilu_close(ilu, &fd);
	return error ? error : fd;
}

bool ilu_again(struct ilu *ilu, int64_t *until)
{
	int64_t now = ilu->ops.now(ilu->arg);

	if (!*until)
		*until = now + ilu->patience_ms;
	if (now >= *until)
		return false;
	ilu->ops.sleep(ilu->arg, AGAIN_MS);
	return true;
}
