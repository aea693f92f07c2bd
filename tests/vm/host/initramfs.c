// SPDX-License-Identifier: GPL-2.0
/*
 * Two archives in the "newc" format: the inner one holds /init alone and is
 * the next kernel's, the outer one carries the next kernel and the inner one.
 * For several kexecs in a row it carries the old kernel, too. Each has the modules
 * of its kernel, below the release that uname tells: modules/RELEASE/NAME.ko.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "run.h"

struct archive {
	char *data;
	size_t size;
	FILE *stream;
	unsigned int inode;
};

static void pad(struct archive *archive)
{
	while (ftell(archive->stream) % 4)
		fputc(0, archive->stream);
}

static void add_entry(struct archive *archive, const char *name, unsigned int mode,
		      const void *data, size_t size, unsigned int major, unsigned int minor)
{
	fprintf(archive->stream, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X",
		archive->inode++, mode, 0, 0, 1, 0, (unsigned int)size, 0, 0, major, minor,
		(unsigned int)strlen(name) + 1, 0);
	fwrite(name, 1, strlen(name) + 1, archive->stream);
	pad(archive);
	fwrite(data, 1, size, archive->stream);
	pad(archive);
}

static void add_file(struct archive *archive, const char *name, unsigned int mode,
		     const void *data, size_t size)
{
	add_entry(archive, name, S_IFREG | mode, data, size, 0, 0);
}

static char *read_whole(const char *path, size_t *size)
{
	FILE *file = fopen(path, "r");
	struct stat status;
	char *data;

	if (!file || fstat(fileno(file), &status)) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return NULL;
	}
	*size = status.st_size;
	data = malloc(*size + 1);
	if (data && fread(data, 1, *size, file) != *size) {
		free(data);
		data = NULL;
	}
	fclose(file);
	return data;
}

struct file {
	char *data;
	size_t size;
};

static void archive_begin(struct archive *archive, const struct file *init)
{
	static const char *const directories[] = { "dev", "proc", "sys" };

	archive->inode = 1;
	archive->stream = open_memstream(&archive->data, &archive->size);
	for (int i = 0; i < 3; i++)
		add_entry(archive, directories[i], S_IFDIR | 0755, NULL, 0, 0, 0);
	add_entry(archive, "dev/console", S_IFCHR | 0600, NULL, 0, 5, 1);
	add_file(archive, "init", 0755, init->data, init->size);
}

/* Where the kernel looks for tables before it unpacks anything. */
static void add_acpi_table(const struct run *run, struct archive *archive)
{
	char table[DMAR_SIZE_MAX];

	if (run->options.reserved_memory)
		add_file(archive, "kernel/firmware/acpi/dmar.aml", 0644, table,
			 dmar_with_reserved_memory(table));
}

static bool is_directory(const char *path)
{
	struct stat status;

	return !stat(path, &status) && S_ISDIR(status.st_mode);
}

/* A directory of the host as @place, with all that is in it. */
static int add_directory(struct archive *archive, const char *place, const char *directory)
{
	DIR *stream = opendir(directory);
	struct dirent *entry;
	int error = 0;

	if (!stream)
		return -errno;
	add_entry(archive, place, S_IFDIR | 0755, NULL, 0, 0, 0);
	while (!error && (entry = readdir(stream))) {
		char path[1024], name[600];
		struct file file;

		if (*entry->d_name == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
		snprintf(name, sizeof(name), "%s/%s", place, entry->d_name);
		if (is_directory(path)) {
			error = add_directory(archive, name, path);
			continue;
		}
		file.data = read_whole(path, &file.size);
		if (file.data)
			add_file(archive, name, 0755, file.data, file.size);
		free(file.data);
	}
	closedir(stream);
	return error;
}

static int add_programs(const struct run *run, struct archive *archive, const char *const *names,
			int count)
{
	char path[1024], place[64];

	add_entry(archive, "examples", S_IFDIR | 0755, NULL, 0, 0, 0);
	for (int i = 0; i < count && names[i]; i++) {
		struct file file;

		snprintf(path, sizeof(path), "%s/%s", run->options.examples, names[i]);
		snprintf(place, sizeof(place), "examples/%s", names[i]);
		file.data = read_whole(path, &file.size);
		if (!file.data)
			return -ENOENT;
		add_file(archive, place, 0755, file.data, file.size);
		free(file.data);
	}
	return 0;
}

/* Of the example programs those that this script starts; each is more memory to preserve. */
static int add_examples(const struct run *run, struct archive *archive)
{
	static const struct {
		const char *script, *names[2];
	} programs[] = {
		{ "example", { "survive", "raw" } },
		{ "guide", { "vmm-nic", "vmm-nvme" } },
		{ "disk", { "survive-nvme" } },
		{ "manager", { "rig-service" } },
		{ "systemd", { "rig-service" } },
	};

	for (size_t i = 0; run->options.script && i < sizeof(programs) / sizeof(programs[0]); i++)
		if (!strcmp(run->options.script, programs[i].script))
			return add_programs(run, archive, programs[i].names, 2);
	return 0;
}

/* What need not be there is not: each program is more memory to preserve. */
static bool needs_tool(const char *script)
{
	return script && !strncmp(script, "command", strlen("command"));
}

static int add_tool(const struct run *run, struct archive *archive)
{
	struct file tool = { 0 };

	if (run->options.tool)
		tool.data = read_whole(run->options.tool, &tool.size);
	if (!tool.data)
		return -ENOENT;
	add_file(archive, "iommu-liveupdate", 0755, tool.data, tool.size);
	free(tool.data);
	return 0;
}

/* Programs and modules: the examples, the operator's command, the kernel's own tests. */
static int add_directories(const struct run *run, struct archive *archive, const char *modules)
{
	int error = add_examples(run, archive);

	if (!error && needs_tool(run->options.script))
		error = add_tool(run, archive);
	if (!error && run->options.tests)
		error = add_directory(archive, "tests", run->options.tests);
	if (!error && modules)
		error = add_directory(archive, "modules", modules);
	return error;
}

/* The kernel unpacks one archive after the other. */
static void archive_end(struct archive *archive, const struct file *root)
{
	add_entry(archive, "TRAILER!!!", 0, NULL, 0, 0, 0);
	if (root)
		fwrite(root->data, 1, root->size, archive->stream);
	fclose(archive->stream);
}

static int write_whole(const char *path, const char *data, size_t size)
{
	FILE *file = fopen(path, "w");
	int error = 0;

	if (!file)
		return -errno;
	if (fwrite(data, 1, size, file) != size)
		error = -EIO;
	if (fclose(file))
		error = -errno;
	return error;
}

static int add_old_kernel(const struct run *run, struct archive *archive)
{
	struct file kernel;

	if (run->options.updates < 2)
		return 0;
	kernel.data = read_whole(run->options.old_kernel, &kernel.size);
	if (!kernel.data)
		return -ENOENT;
	add_file(archive, "bzImage-old", 0644, kernel.data, kernel.size);
	free(kernel.data);
	return 0;
}

/* In the archives of both kernels, for either may crash; its own holds /init alone. */
static void make_crash_initrd(const struct file *init, struct archive *archive)
{
	archive_begin(archive, init);
	archive_end(archive, NULL);
}

static void add_crash_files(const struct run *run, struct archive *archive,
			    const struct archive *initrd)
{
	char line[2048];

	crash_command_line(run, line, sizeof(line));
	add_file(archive, "crash-initrd", 0644, initrd->data, initrd->size);
	add_file(archive, "crash-cmdline", 0644, line, strlen(line));
}

int initramfs_build(const struct run *run, const char *path)
{
	struct archive inner = { 0 }, outer = { 0 }, crash = { 0 };
	struct file init = { 0 }, kernel = { 0 }, root = { 0 };
	char command_line[2048];
	int error = 0;

	init.data = read_whole(run->options.init, &init.size);
	kernel.data = read_whole(run->options.new_kernel, &kernel.size);
	if (run->options.root)
		root.data = read_whole(run->options.root, &root.size);
	if (!init.data || !kernel.data || (run->options.root && !root.data))
		return -ENOENT;
	if (run->options.crash)
		make_crash_initrd(&init, &crash);
	archive_begin(&inner, &init);
	add_acpi_table(run, &inner);
	if (run->options.crash) {
		add_crash_files(run, &inner, &crash);
		add_file(&inner, "bzImage", 0644, kernel.data, kernel.size);
	}
	error = add_directories(run, &inner, run->options.new_modules);
	archive_end(&inner, &root);

	next_command_line(run, command_line, sizeof(command_line));
	archive_begin(&outer, &init);
	add_acpi_table(run, &outer);
	add_file(&outer, "bzImage", 0644, kernel.data, kernel.size);
	if (run->options.crash)
		add_crash_files(run, &outer, &crash);
	add_file(&outer, "initrd", 0644, inner.data, inner.size);
	add_file(&outer, "next-cmdline", 0644, command_line, strlen(command_line));
	if (!error)
		error = add_directories(run, &outer, run->options.old_modules);
	if (!error)
		error = add_old_kernel(run, &outer);
	archive_end(&outer, &root);

	if (!error)
		error = write_whole(path, outer.data, outer.size);
	free(crash.data);
	free(inner.data);
	free(outer.data);
	free(root.data);
	free(init.data);
	free(kernel.data);
	return error;
}
