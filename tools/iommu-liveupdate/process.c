// SPDX-License-Identifier: GPL-2.0
/* What a process holds: device files, memory, address spaces, sessions, and its unit of systemd. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "tool.h"

#define NEEDED_SEALS	(F_SEAL_SEAL | F_SEAL_GROW | F_SEAL_SHRINK)
#define AREAS		64
/* So many ids in a row that are none: there are no more. Devices and page tables have ids, too. */
#define IOAS_GAP	4096
#define VFIO_DEVICES	"/dev/vfio/devices/"
/* What came in by a session has no path. */
#define CAME_IN		"anon_inode:[vfio-device]"
#define MEMORY_CAME_IN	"/ (deleted)"
#define SESSION		"anon_inode:[luo_session] "

#ifndef HUGETLBFS_MAGIC
#define HUGETLBFS_MAGIC	0x958458f6
#endif

struct process {
	struct tool *tool;
	const char *pid;
	unsigned int devices;
	/* what is mapped for devices, if it could be asked, and whether its file is open */
	bool knows_mapped, knows_files;
	struct mapped {
		uint64_t inode;
		dev_t device;
		bool open;
	} *mapped;
	size_t nr_mapped, room;
};

static bool starts(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

static bool is_number(const char *text)
{
	return text[0] && text[strspn(text, "0123456789")] == 0;
}

static int take(struct process *process, const char *fd)
{
	struct tool *tool = process->tool;
	int copy = tool->ops->take_fd(tool->arg, atoi(process->pid), atoi(fd));

	return copy < 0 ? -errno : copy;
}

/* The last part of a path of sysfs that a line of fdinfo says */
static int device_of_fdinfo(const struct tool *tool, const char *pid, const char *fd, char *bdf,
			    size_t size)
{
	static const char key[] = "vfio-device-syspath:";
	char path[PATH_SIZE], line[PATH_SIZE];
	int error = -ENOENT;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%s/fdinfo/%s", pid, fd);
	file = file_open(tool, path);
	while (file && error && fgets(line, sizeof(line), file)) {
		char *slash = strrchr(line, '/');

		line[strcspn(line, "\n")] = 0;
		if (!starts(line, key) || !slash)
			continue;
		snprintf(bdf, size, "%s", slash + 1);
		error = 0;
	}
	if (file)
		fclose(file);
	return error;
}

/* 1: it is the file of a device, with its address, "" if that cannot be told; else 0 */
static int device_of_file(const struct tool *tool, const char *pid, const char *fd,
			  const char *target, char *bdf, size_t size)
{
	bdf[0] = 0;
	if (starts(target, VFIO_DEVICES)) {
		if (file_link_name(tool, bdf, size, "/sys/class/vfio-dev/%s/device",
				   target + strlen(VFIO_DEVICES)))
			bdf[0] = 0;
		return 1;
	}
	if (strcmp(target, CAME_IN))
		return 0;
	device_of_fdinfo(tool, pid, fd, bdf, size);
	return 1;
}

static void say_untold(struct process *process, const char *what, int error)
{
	item(process->tool, ILU_UNKNOWN,
	     error == -EPERM || error == -EACCES ? ILU_ID_HOST_PERMISSION : ILU_ID_HOST_CANNOT_ANSWER,
	     what, "it cannot be looked at: %s", strerror(-error));
}

/* ---- address spaces ---- */

static struct mapped *find_mapped(const struct process *process, uint64_t inode, dev_t device)
{
	for (size_t i = 0; i < process->nr_mapped; i++)
		if (process->mapped[i].inode == inode && process->mapped[i].device == device)
			return &process->mapped[i];
	return NULL;
}

/* A file once, however often it is mapped */
static int add_mapped(struct process *process, uint64_t inode, dev_t device)
{
	if (find_mapped(process, inode, device))
		return 0;
	if (process->nr_mapped == process->room) {
		size_t room = process->room ? process->room * 2 : 64;
		struct mapped *more = realloc(process->mapped, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		process->mapped = more;
		process->room = room;
	}
	process->mapped[process->nr_mapped++] = (struct mapped) { .inode = inode, .device = device };
	return 0;
}

/* 0, or the errno with which what is mapped is not known */
static int check_area(struct process *process, uint32_t ioas, const struct iommu_ioas_area *area)
{
	char object[64];

	snprintf(object, sizeof(object), "ioas %u %#llx", ioas, (unsigned long long)area->iova);
	if (area->type == IOMMU_IOAS_AREA_USER)
		item(process->tool, ILU_FAIL, ILU_ID_MEM_NOT_FILE, object,
		     "memory without a file is mapped");
	else if (area->type == IOMMU_IOAS_AREA_DMABUF)
		item(process->tool, ILU_FAIL, ILU_ID_MEM_DMABUF, object, "a dma-buf is mapped");
	else if ((area->seals & NEEDED_SEALS) != NEEDED_SEALS)
		item(process->tool, ILU_FAIL, ILU_ID_MEM_UNSEALED, object,
		     "the file was not sealed when it was mapped");
	else
		return add_mapped(process, area->ino, makedev(area->dev_major, area->dev_minor));
	return 0;
}

/* 0, or the errno with which there is no more to ask */
static int check_ioas(struct process *process, int iommufd, uint32_t id)
{
	struct iommu_ioas_area areas[AREAS];
	struct iommu_ioas_list_areas list = { .size = sizeof(list), .ioas_id = id };
	int error;

	do {
		list.nr = AREAS;
		list.areas = (uintptr_t)areas;
		list.out_flags = 0;
		error = ilu_try_ioctl(process->tool->ilu, iommufd, IOMMU_IOAS_LIST_AREAS, &list);
		for (uint32_t i = 0; !error && i < list.nr && i < AREAS; i++)
			error = check_area(process, id, &areas[i]);
	} while (!error && list.out_flags & IOMMU_IOAS_AREAS_MORE);
	return error;
}

/* Ids are the lowest ones that are free: they are gone through. */
static void check_iommufd(struct process *process, const char *fd)
{
	struct tool *tool = process->tool;
	unsigned int failed = tool->failed;
	int iommufd = take(process, fd), error = iommufd < 0 ? iommufd : 0;

	for (uint32_t id = 1, last = 0; !error && id <= last + IOAS_GAP; id++) {
		error = check_ioas(process, iommufd, id);
		if (!error)
			last = id;
		if (error == -ENOENT || error == -EINVAL)
			error = 0;
	}
	ilu_close(tool->ilu, &iommufd);
	if (error) {
		say_untold(process, "iommufd", error);
		return;
	}
	process->knows_mapped = true;
	if (tool->failed == failed)
		item(tool, ILU_PASS, ILU_ID_MEM_NOT_FILE, "iommufd",
		     "all that is mapped is memory of sealed files");
}

/* ---- memory ---- */

/* It is noted that its file is open. */
static bool is_mapped(struct process *process, uint64_t inode, dev_t device)
{
	struct mapped *mapped = find_mapped(process, inode, device);

	if (mapped)
		mapped->open = true;
	return mapped;
}

/* What is not mapped for a device may be anything. */
static void say_memfd(struct process *process, const char *name, int seals, long magic,
		      uint64_t inode, dev_t device)
{
	bool mapped = is_mapped(process, inode, device);
	enum ilu_verdict verdict = mapped ? ILU_FAIL : ILU_WARN;

	if (process->knows_mapped && !mapped)
		return;
	if (magic == HUGETLBFS_MAGIC)
		item(process->tool, verdict, ILU_ID_MEM_HUGETLB, name, "%s",
		     ilu_id_text(ILU_ID_MEM_HUGETLB));
	else if ((seals & NEEDED_SEALS) == NEEDED_SEALS)
		item(process->tool, ILU_PASS, ILU_ID_MEM_UNSEALED, name, "it is sealed");
	else if (!mapped)
		item(process->tool, verdict, ILU_ID_MEM_UNSEALED, name,
		     "it is not sealed: if it is mapped for a device, that is refused");
}

static bool is_memory(const char *target)
{
	return starts(target, "/memfd:") || !strcmp(target, MEMORY_CAME_IN);
}

/* Of "/memfd:ram (deleted)" what is in the middle */
static const char *name_memory(char *target)
{
	char *end = strstr(target, " (deleted)");

	if (!strcmp(target, MEMORY_CAME_IN))
		return "memfd";
	if (end)
		*end = 0;
	return target + 1;
}

static void check_memfd(struct process *process, const char *fd, const char *name)
{
	struct tool *tool = process->tool;
	int memfd = take(process, fd), seals, error = 0;
	uint64_t inode = 0;
	dev_t device = 0;
	long magic = 0;

	if (memfd < 0) {
		process->knows_files = false;
		say_untold(process, name, memfd);
		return;
	}
	seals = tool->ops->ilu.fcntl(tool->arg, memfd, F_GET_SEALS, 0);
	if (seals < 0 || tool->ops->file_kind(tool->arg, memfd, &magic, &inode, &device))
		error = -errno;
	ilu_close(tool->ilu, &memfd);
	process->knows_files &= !error;
	if (error)
		say_untold(process, name, error);
	else
		say_memfd(process, name, seals, magic, inode, device);
}

/* Somebody else may have it, or a session that it is in already. */
static void check_closed_memory(struct process *process)
{
	unsigned int closed = 0;

	for (size_t i = 0; i < process->nr_mapped; i++)
		closed += !process->mapped[i].open;
	if (closed && process->knows_files)
		item(process->tool, ILU_UNKNOWN, ILU_ID_MEM_NOT_PRESERVED, "iommufd",
		     "%u files are mapped that the process does not have as memfds: somebody has to preserve them",
		     closed);
}

/* ---- sessions ---- */

static void say_refused(struct process *process, const char *name,
			const struct liveupdate_session_get_reason *last)
{
	const char *reason = (const char *)last->reason;
	enum ilu_id id = ilu_id_by_line(reason);

	item(process->tool, ILU_FAIL, id == ILU_ID_NONE ? ILU_ID_CALL_REFUSED : id, name, "%s",
	     reason[0] ? reason : strerror(-last->error));
}

/* Marks, holes and more are seen by nobody but the kernel, when it is tried. */
static void check_session(struct process *process, const char *fd, const char *name)
{
	struct liveupdate_session_get_reason last = { .size = sizeof(last) };
	struct tool *tool = process->tool;
	int session = take(process, fd), error = session < 0 ? session : 0;

	if (!error)
		error = ilu_try_ioctl(tool->ilu, session, LIVEUPDATE_SESSION_GET_REASON, &last);
	ilu_close(tool->ilu, &session);
	last.reason[sizeof(last.reason) - 1] = 0;
	if (error)
		say_untold(process, name, error);
	else if (last.error)
		say_refused(process, name, &last);
	else
		item(tool, ILU_PASS, ILU_ID_CALL_REFUSED, name,
		     "the last call on the session was not refused");
}

/* ---- files ---- */

static void check_device_file(struct process *process, const char *target, const char *bdf)
{
	process->devices++;
	if (bdf[0])
		check_device(process->tool, bdf);
	else
		item(process->tool, ILU_UNKNOWN, ILU_ID_DEV_NONE, target,
		     "which device this is cannot be told");
}

static void check_group_file(struct process *process, const char *path)
{
	process->devices++;
	item(process->tool, ILU_FAIL, ILU_ID_DEV_GROUP_FILE, path, "%s",
	     ilu_id_text(ILU_ID_DEV_GROUP_FILE));
}

static bool is_iommufd(const char *target)
{
	return !strcmp(target, "/dev/iommu") || !strcmp(target, "anon_inode:[iommufd]");
}

static void check_file(struct process *process, const char *fd, char *target)
{
	static const char groups[] = "/dev/vfio/";
	char bdf[64];

	if (device_of_file(process->tool, process->pid, fd, target, bdf, sizeof(bdf)))
		check_device_file(process, target, bdf);
	else if (starts(target, groups) && is_number(target + strlen(groups)))
		check_group_file(process, target);
	else if (is_iommufd(target))
		check_iommufd(process, fd);
	else if (starts(target, SESSION))
		check_session(process, fd, target + strlen(SESSION));
}

static void each_file(struct process *process, char **fds, bool memory)
{
	char target[PATH_SIZE];

	for (char **fd = fds; fd && *fd; fd++) {
		if (file_link(process->tool, target, sizeof(target), "/proc/%s/fd/%s", process->pid, *fd))
			continue;
		if (!memory)
			check_file(process, *fd, target);
		else if (is_memory(target))
			check_memfd(process, *fd, name_memory(target));
	}
}

/* ---- its unit of systemd ---- */

/* The last part of its cgroup that is a service */
static bool unit_of(const struct process *process, char *unit, size_t size)
{
	char path[PATH_SIZE], cgroup[PATH_SIZE], *save = NULL;

	snprintf(path, sizeof(path), "/proc/%s/cgroup", process->pid);
	file_text(process->tool, path, cgroup, sizeof(cgroup));
	unit[0] = 0;
	for (char *part = strtok_r(cgroup, "/", &save); part; part = strtok_r(NULL, "/", &save))
		if (strlen(part) > 8 && !strcmp(part + strlen(part) - 8, ".service"))
			snprintf(unit, size, "%s", part);
	return unit[0];
}

/* In the file of this name, or in what was added to it */
static bool unit_file_sets(const struct tool *tool, const char *unit, const char *setting)
{
	static const char *const directories[] = {
		"/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system",
		"/lib/systemd/system",
	};
	char path[PATH_SIZE], line[512];
	bool found = false;

	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]) && !found; i++) {
		FILE *file;

		snprintf(path, sizeof(path), "%s/%s", directories[i], unit);
		file = file_open(tool, path);
		while (file && !found && fgets(line, sizeof(line), file))
			found = starts(line, setting);
		if (file)
			fclose(file);
		snprintf(path, sizeof(path), "%s/%s.d", directories[i], unit);
		found |= file_mentions(tool, path, setting);
	}
	return found;
}

/* A unit of a template, NAME@INSTANCE.service, may have all of it in NAME@.service. */
static bool unit_sets(const struct tool *tool, const char *unit, const char *setting)
{
	const char *at = strchr(unit, '@');
	char template[128];

	if (unit_file_sets(tool, unit, setting))
		return true;
	snprintf(template, sizeof(template), "%.*s@.service", at ? (int)(at - unit) : 0, unit);
	return at && unit_file_sets(tool, template, setting);
}

static void check_unit(struct process *process)
{
	struct tool *tool = process->tool;
	char unit[128];

	if (!unit_of(process, unit, sizeof(unit)) || !systemd_version(tool))
		return;
	if (unit_sets(tool, unit, "LUOSession=") ||
	    unit_sets(tool, unit, "FileDescriptorStorePreserve=yes"))
		item(tool, ILU_PASS, ILU_ID_HOST_UNIT, unit, "systemd keeps its session");
	else
		item(tool, ILU_WARN, ILU_ID_HOST_UNIT, unit, "%s", ilu_id_text(ILU_ID_HOST_UNIT));
}

void check_process(struct tool *tool, const char *pid)
{
	struct process process = { .tool = tool, .pid = pid, .knows_files = true };
	char **fds = file_names(tool, "/proc/%s/fd", pid);

	if (!fds) {
		bool there = file_existsf(tool, "/proc/%s/fd", pid);

		item(tool, there ? ILU_UNKNOWN : ILU_FAIL,
		     there ? ILU_ID_HOST_PERMISSION : ILU_ID_CALL_ARGUMENT, pid,
		     there ? "its files are not to be seen" : "there is no such process");
		return;
	}
	each_file(&process, fds, false);
	each_file(&process, fds, true);
	check_closed_memory(&process);
	free(process.mapped);
	names_free(fds);
	if (!process.devices)
		item(tool, ILU_FAIL, ILU_ID_DEV_NONE, pid, "the process has no device file of VFIO");
	check_unit(&process);
}

/* bdf NULL: any */
static bool has_device(const struct tool *tool, const char *pid, const char *bdf)
{
	char **fds = file_names(tool, "/proc/%s/fd", pid), target[PATH_SIZE], found[64];
	bool has = false;

	for (char **fd = fds; fd && *fd && !has; fd++)
		has = !file_link(tool, target, sizeof(target), "/proc/%s/fd/%s", pid, *fd) &&
		      device_of_file(tool, pid, *fd, target, found, sizeof(found)) &&
		      (!bdf || !strcmp(bdf, found));
	names_free(fds);
	return has;
}

/* Those that have this device open, or any, to be freed by names_free() */
static char **processes_with(const struct tool *tool, const char *bdf)
{
	char **names = file_names(tool, "/proc"), **kept = names;

	for (char **name = names; name && *name; name++) {
		if (is_number(*name) && has_device(tool, *name, bdf))
			*kept++ = *name;
		else
			free(*name);
	}
	if (names)
		*kept = NULL;
	return names;
}

char **vfio_processes(const struct tool *tool)
{
	return processes_with(tool, NULL);
}

bool device_is_open(const struct tool *tool, const char *bdf)
{
	char **names = processes_with(tool, bdf);
	bool open = names_count(names);

	names_free(names);
	return open;
}
