// SPDX-License-Identifier: GPL-2.0
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "events.h"
#include "module.h"

#define NAME_LENGTH	64
#define SUFFIX		".ko"

struct module {
	char name[NAME_LENGTH];
	char *data;
	size_t size;
};

static const char *directory(void)
{
	static char path[PATH_MAX];
	struct utsname names;

	uname(&names);
	snprintf(path, sizeof(path), "/modules/%s", names.release);
	return path;
}

static bool read_module(const char *file, struct module *module)
{
	char path[PATH_MAX + NAME_MAX];
	struct stat status;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory(), file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &status))
		return false;
	snprintf(module->name, sizeof(module->name), "%.*s",
		 (int)(strlen(file) - strlen(SUFFIX)), file);
	module->size = status.st_size;
	module->data = malloc(module->size + 1);
	if (read(fd, module->data, module->size) != (ssize_t)module->size)
		give_up("%s: %m", path);
	/* So that all that is found in it ends. */
	module->data[module->size] = '\0';
	close(fd);
	return true;
}

/* What the module says of itself is a list of KEY=VALUE, each ended by a zero. */
static const char *next_value(const struct module *module, const char *key, const char *after)
{
	const char *at = after ? after : module->data;
	char word[32];
	int length = snprintf(word, sizeof(word), "%c%s=", '\0', key);

	at = memmem(at, module->data + module->size - at, word, length);
	return at ? at + length : NULL;
}

/* A name has dashes in some places where it has underscores in others. */
static bool same_name(const char *one, const char *other, size_t length)
{
	if (strlen(one) != length)
		return false;
	for (size_t i = 0; i < length; i++)
		if (one[i] != other[i] && !(strchr("-_", one[i]) && strchr("-_", other[i])))
			return false;
	return true;
}

static bool is_called(const struct module *module, const char *name, size_t length)
{
	const char *alias = NULL;

	if (same_name(module->name, name, length))
		return true;
	while ((alias = next_value(module, "alias", alias)))
		if (same_name(alias, name, length))
			return true;
	return false;
}

static bool is_module(const char *file)
{
	size_t length = strlen(file);

	return length > strlen(SUFFIX) && !strcmp(file + length - strlen(SUFFIX), SUFFIX);
}

static bool find_module(const char *name, size_t length, struct module *module)
{
	DIR *stream = opendir(directory());
	struct dirent *entry;
	bool found = false;

	while (stream && !found && (entry = readdir(stream))) {
		if (!is_module(entry->d_name) || !read_module(entry->d_name, module))
			continue;
		found = is_called(module, name, length);
		if (!found)
			free(module->data);
	}
	if (stream)
		closedir(stream);
	return found;
}

static int load(const char *name, size_t length);

static int load_needed(const struct module *module)
{
	const char *needed = next_value(module, "depends", NULL);
	int error = 0;

	while (needed && *needed && !error) {
		size_t length = strcspn(needed, ",");

		error = load(needed, length);
		needed += length + !!needed[length];
	}
	return error;
}

static int load(const char *name, size_t length)
{
	struct module module;
	int error;

	if (!find_module(name, length, &module))
		return -ENOENT;
	error = load_needed(&module);
	if (!error && syscall(SYS_init_module, module.data, module.size, "") && errno != EEXIST)
		error = -errno;
	free(module.data);
	return error;
}

int module_load(const char *name)
{
	return load(name, strlen(name));
}

bool modules_exist(void)
{
	return !access(directory(), F_OK);
}

void modules_load_all(void)
{
	DIR *stream = opendir(directory());
	struct dirent *entry;

	while (stream && (entry = readdir(stream)))
		if (is_module(entry->d_name))
			must(load(entry->d_name, strlen(entry->d_name) - strlen(SUFFIX)),
			     entry->d_name);
	if (stream)
		closedir(stream);
}

int module_unload(const char *name)
{
	return syscall(SYS_delete_module, name, O_NONBLOCK) ? -errno : 0;
}
