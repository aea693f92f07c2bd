// SPDX-License-Identifier: GPL-2.0
/*
 * The command on a machine that is none. Files are those below ILU_SYSROOT; what is asked by
 * ioctls and of other processes is answered by lines of the file "answers" there:
 *
 *   open PATH ERRNO [MS]              opening it fails, for so long of its own clock
 *   old                               a kernel without the calls of the series
 *   session NAME FLAGS FILES [FILE]   and its manifest
 *   test ERRNO IMAGE NAME REASON      what a test of the kexec says; NAME - for none
 *   memfd PID FD SEALS KIND INODE [MINOR]   KIND: plain, huge
 *   iommufd PID FD
 *   area IOAS IOVA TYPE SEALS INODE [MINOR]  of all iommufds; MINOR of its device, 1
 *   luo PID FD ERRNO REASON           a session, and why its last call failed; ERRNO 0 for none
 *   denied PID FD                     it cannot be taken
 *   load ERRNO, reboot ERRNO, finish ERRNO
 *   unnamed PATH                      a file of an archive, whose name libarchive cannot tell
 *
 * Each open, ioctl and close of /dev/liveupdate, load and jump goes to the file "calls".
 */
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "tool.h"

#define LINES	1024
#define FDS	64
#define FIRST	100	/* no number of a file that is really open */

enum kind { NONE, LIVEUPDATE, SESSION, MANIFEST, MEMFD, IOMMUFD, TAKEN_SESSION, PLAIN };

struct file {
	enum kind kind;
	int line;		/* of the answers */
};

static char *answers[LINES];
static int nr_answers;
static struct file files[FDS];
static int64_t clock_ms;
static FILE *calls;

static void below(char *full, size_t size, const char *path)
{
	snprintf(full, size, "%s%s", getenv("ILU_SYSROOT"), path);
}

static void read_answers(void)
{
	char path[1024], text[1024];
	FILE *file;

	below(path, sizeof(path), "/answers");
	file = fopen(path, "r");
	while (file && nr_answers < LINES && fgets(text, sizeof(text), file)) {
		text[strcspn(text, "\n")] = 0;
		answers[nr_answers++] = strdup(text);
	}
	if (file)
		fclose(file);
	below(path, sizeof(path), "/calls");
	calls = fopen(path, "a");
}

/* The next line from there on that begins so, or -1 */
static int find(int from, const char *format, ...)
{
	char start[256];
	va_list args;

	va_start(args, format);
	vsnprintf(start, sizeof(start), format, args);
	va_end(args);
	for (int i = from; i < nr_answers; i++)
		if (!strncmp(answers[i], start, strlen(start)))
			return i;
	return -1;
}

static int error_named(const char *name)
{
	static const struct {
		const char *name;
		int number;
	} errors[] = {
		{ "ENOENT", ENOENT }, { "EBUSY", EBUSY }, { "EACCES", EACCES }, { "EPERM", EPERM },
		{ "ENODEV", ENODEV }, { "EINVAL", EINVAL }, { "EIO", EIO }, { "ENOEXEC", ENOEXEC },
		{ "EADDRNOTAVAIL", EADDRNOTAVAIL }, { "ENOTTY", ENOTTY }, { "EHWPOISON", EHWPOISON },
		{ "ENOMEM", ENOMEM }, { "EMFILE", EMFILE },
	};

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (!strcmp(errors[i].name, name))
			return errors[i].number;
	return 0;
}

/* -1 with the errno of "WORD ERRNO", 0 if there is no such line */
static int planned(const char *word)
{
	int line = find(0, "%s ", word);

	if (line < 0)
		return 0;
	errno = error_named(answers[line] + strlen(word) + 1);
	return -1;
}

/* ---- files ---- */

static int new_fd(enum kind kind, int line)
{
	for (int i = 0; i < FDS; i++)
		if (files[i].kind == NONE) {
			files[i] = (struct file) { kind, line };
			return FIRST + i;
		}
	abort();
}

static struct file *file_of(int fd)
{
	if (fd < FIRST || fd >= FIRST + FDS || files[fd - FIRST].kind == NONE)
		abort();
	return &files[fd - FIRST];
}

static int op_open(void *arg, const char *path, int flags)
{
	char full[1024], error[32] = "";
	int64_t until = INT64_MAX;
	int line = find(0, "open %s ", path), real;

	(void)arg;
	if (line >= 0)
		sscanf(answers[line], "open %*s %31s %ld", error, &until);
	if (error[0] && clock_ms < until) {
		errno = error_named(error);
		return -1;
	}
	if (!strcmp(path, "/dev/liveupdate")) {
		fprintf(calls, "open\n");
		return new_fd(LIVEUPDATE, -1);
	}
	below(full, sizeof(full), path);
	real = open(full, flags);
	if (real < 0)
		return -1;
	close(real);
	return new_fd(PLAIN, -1);
}

static int op_close(void *arg, int fd)
{
	struct file *file = file_of(fd);

	(void)arg;
	if (file->kind == LIVEUPDATE)
		fprintf(calls, "close\n");
	file->kind = NONE;
	return 0;
}

/* ---- ioctls ---- */

static int list_sessions(struct liveupdate_ioctl_list_sessions *call)
{
	/* its id is one more than the line that it is in */
	int line = find(call->id, "session ");

	if (line < 0)
		return ENOENT;
	call->id = line + 1;
	sscanf(answers[line], "session %63s %u %u", (char *)call->name, &call->flags, &call->nr_files);
	return 0;
}

static int test_kexec(struct liveupdate_ioctl_test_kexec *call)
{
	int line = find(0, "test "), reason = 0;
	char error[32], name[64];

	if (line < 0)
		return 0;
	sscanf(answers[line], "test %31s %u %63s %n", error, &call->image, name, &reason);
	call->error = -error_named(error);
	if (strcmp(name, "-"))
		strcpy((char *)call->name, name);
	snprintf((char *)call->reason, sizeof(call->reason), "%s", answers[line] + reason);
	return 0;
}

static int retrieve_session(struct liveupdate_ioctl_retrieve_session *call)
{
	int line = find(0, "session %s ", (const char *)call->name);
	unsigned int flags;

	if (line < 0)
		return ENOENT;
	sscanf(answers[line], "session %*s %u", &flags);
	if (flags & LIVEUPDATE_SESSION_FLAG_OPEN)
		return EINVAL;
	call->fd = new_fd(SESSION, line);
	return 0;
}

static int liveupdate_ioctl(unsigned long request, void *data)
{
	bool old = find(0, "old") >= 0;

	fprintf(calls, "ioctl\n");
	/* as Linux 7.3 says to numbers beyond those that it knows */
	if (request == LIVEUPDATE_IOCTL_LIST_SESSIONS)
		return old ? EINVAL : list_sessions(data);
	if (request == LIVEUPDATE_IOCTL_TEST_KEXEC)
		return old ? EINVAL : test_kexec(data);
	if (request == LIVEUPDATE_IOCTL_RETRIEVE_SESSION)
		return retrieve_session(data);
	return ENOTTY;
}

static bool manifest_path(int line, char *path, size_t size)
{
	char name[256];

	if (sscanf(answers[line], "session %*s %*u %*u %255s", name) != 1)
		return false;
	below(path, size, name);
	return true;
}

static int session_ioctl(struct file *file, unsigned long request, void *data)
{
	struct liveupdate_session_retrieve_fd *retrieve = data;
	char path[1024];

	if (request == LIVEUPDATE_SESSION_FINISH) {
		fprintf(calls, "finish\n");
		return planned("finish") ? errno : 0;
	}
	if (request != LIVEUPDATE_SESSION_RETRIEVE_FD)
		return ENOTTY;
	if (!manifest_path(file->line, path, sizeof(path)))
		return ENOENT;
	retrieve->fd = new_fd(MANIFEST, file->line);
	return 0;
}

static int get_reason(struct file *file, struct liveupdate_session_get_reason *call)
{
	char error[32];
	int reason = 0;

	sscanf(answers[file->line], "luo %*d %*d %31s %n", error, &reason);
	call->error = -error_named(error);
	snprintf((char *)call->reason, sizeof(call->reason), "%s", answers[file->line] + reason);
	return 0;
}

static void add_area(const char *answer, struct iommu_ioas_list_areas *call)
{
	struct iommu_ioas_area *area = (struct iommu_ioas_area *)(uintptr_t)call->areas + call->nr;
	unsigned long long iova, inode;
	unsigned int ioas, type, seals, minor = 1;

	sscanf(answer, "area %u %llx %u %x %llu %u", &ioas, &iova, &type, &seals, &inode, &minor);
	*area = (struct iommu_ioas_area) {
		.iova = iova, .type = type, .seals = seals, .ino = inode, .dev_minor = minor,
	};
	call->nr++;
}

/* One area a call */
static int list_areas(struct iommu_ioas_list_areas *call)
{
	int line = find(0, "area %u ", call->ioas_id);

	call->nr = 0;
	if (line < 0)
		return ENOENT;
	line = find(line + (int)call->iova, "area %u ", call->ioas_id);
	if (line < 0)
		return 0;
	add_area(answers[line], call);
	call->iova = line - find(0, "area %u ", call->ioas_id) + 1;
	if (find(line + 1, "area %u ", call->ioas_id) >= 0)
		call->out_flags = IOMMU_IOAS_AREAS_MORE;
	return 0;
}

static int op_ioctl(void *arg, int fd, unsigned long request, void *data)
{
	struct file *file = file_of(fd);
	int error = ENOTTY;

	(void)arg;
	if (file->kind == LIVEUPDATE)
		error = liveupdate_ioctl(request, data);
	else if (file->kind == SESSION)
		error = session_ioctl(file, request, data);
	else if (file->kind == TAKEN_SESSION && request == LIVEUPDATE_SESSION_GET_REASON)
		error = find(0, "old") < 0 ? get_reason(file, data) : EINVAL;
	else if (file->kind == IOMMUFD && request == IOMMU_IOAS_LIST_AREAS && find(0, "old") < 0)
		error = list_areas(data);
	errno = error;
	return error ? -1 : 0;
}

/* ---- a manifest ---- */

static ssize_t op_pread(void *arg, int fd, void *data, size_t length, off_t offset)
{
	char path[1024];
	ssize_t got;
	int real;

	(void)arg;
	manifest_path(file_of(fd)->line, path, sizeof(path));
	real = open(path, O_RDONLY);
	got = pread(real, data, length, offset);
	close(real);
	return got;
}

static int op_fstat_size(void *arg, int fd, uint64_t *length)
{
	char path[1024];
	int real;

	(void)arg;
	manifest_path(file_of(fd)->line, path, sizeof(path));
	real = open(path, O_RDONLY);
	*length = lseek(real, 0, SEEK_END);
	close(real);
	return 0;
}

/* ---- other processes ---- */

static int take_fd(void *arg, pid_t pid, int fd)
{
	int line;

	(void)arg;
	if (find(0, "denied %d %d", pid, fd) >= 0) {
		errno = EPERM;
		return -1;
	}
	line = find(0, "memfd %d %d ", pid, fd);
	if (line >= 0)
		return new_fd(MEMFD, line);
	line = find(0, "iommufd %d %d", pid, fd);
	if (line >= 0)
		return new_fd(IOMMUFD, line);
	line = find(0, "luo %d %d ", pid, fd);
	if (line >= 0)
		return new_fd(TAKEN_SESSION, line);
	errno = EBADF;
	return -1;
}

static int op_fcntl(void *arg, int fd, int command, int value)
{
	unsigned int seals = 0;

	(void)arg, (void)value;
	if (command == F_GET_SEALS)
		sscanf(answers[file_of(fd)->line], "memfd %*d %*d %x", &seals);
	return (int)seals;
}

static int file_kind(void *arg, int fd, long *magic, uint64_t *inode, dev_t *device)
{
	unsigned long long number;
	unsigned int minor = 1;
	char kind[16];

	(void)arg;
	sscanf(answers[file_of(fd)->line], "memfd %*d %*d %*x %15s %llu %u", kind, &number, &minor);
	*device = makedev(0, minor);
	*magic = strcmp(kind, "huge") ? TMPFS_MAGIC : 0x958458f6;
	*inode = number;
	return 0;
}

/* ---- the rest ---- */

static int op_load(void *arg, int kernel, int initrd, const char *cmdline)
{
	(void)arg;
	file_of(kernel);
	fprintf(calls, "load %s %s\n", initrd < 0 ? "-" : "initrd", cmdline);
	return planned("load");
}

static int op_reboot(void *arg)
{
	(void)arg;
	fprintf(calls, "jump\n");
	return planned("reboot");
}

static int64_t op_now(void *arg)
{
	(void)arg;
	return clock_ms;
}

static void op_sleep(void *arg, int64_t milliseconds)
{
	(void)arg;
	clock_ms += milliseconds;
}

/* ---- in place of libarchive's, which may return NULL ---- */

const char *__real_archive_entry_pathname(struct archive_entry *entry);
const char *__wrap_archive_entry_pathname(struct archive_entry *entry);

const char *__wrap_archive_entry_pathname(struct archive_entry *entry)
{
	const char *path = __real_archive_entry_pathname(entry);
	int line = find(0, "unnamed ");

	return line >= 0 && !strcmp(answers[line] + strlen("unnamed "), path) ? NULL : path;
}

int main(int argc, char **argv)
{
	const struct tool_ops ops = {
		.ilu = {
			.open = op_open,
			.close = op_close,
			.ioctl = op_ioctl,
			.pread = op_pread,
			.fcntl = op_fcntl,
			.fstat_size = op_fstat_size,
			.kexec_file_load = op_load,
			.reboot_kexec = op_reboot,
			.now = op_now,
			.sleep = op_sleep,
		},
		.take_fd = take_fd,
		.file_kind = file_kind,
	};
	int code;

	read_answers();
	code = tool_main(&ops, NULL, argc, argv);
	for (int i = 0; i < FDS; i++)
		if (files[i].kind != NONE)
			fprintf(calls, "left open: %d\n", files[i].kind);
	fclose(calls);
	for (int i = 0; i < nr_answers; i++)
		free(answers[i]);
	return code;
}
