// SPDX-License-Identifier: GPL-2.0
/* Files of the machine, below the root. */
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

#define LONGEST	(512u << 20)	/* of what is read as a whole */

static void below(const struct tool *tool, char *full, const char *path)
{
	snprintf(full, PATH_SIZE * 2, "%s%s", tool->root, path);
}

#define FORMATTED(path, format) do { \
	va_list args_; \
	va_start(args_, format); \
	vsnprintf(path, PATH_SIZE, format, args_); \
	va_end(args_); \
} while (0)

FILE *file_open(const struct tool *tool, const char *path)
{
	char full[PATH_SIZE * 2];

	below(tool, full, path);
	return fopen(full, "re");
}

bool file_exists(const struct tool *tool, const char *path)
{
	char full[PATH_SIZE * 2];

	below(tool, full, path);
	return !access(full, F_OK);
}

bool file_existsf(const struct tool *tool, const char *format, ...)
{
	char path[PATH_SIZE];

	FORMATTED(path, format);
	return file_exists(tool, path);
}

int file_text(const struct tool *tool, const char *path, char *text, size_t size)
{
	FILE *file = file_open(tool, path);
	int error = 0;

	text[0] = 0;
	if (!file)
		return -errno;
	errno = 0;
	if (!fgets(text, size, file))
		error = -errno;
	fclose(file);
	text[strcspn(text, "\n")] = 0;
	return error;
}

int file_textf(const struct tool *tool, char *text, size_t size, const char *format, ...)
{
	char path[PATH_SIZE];

	FORMATTED(path, format);
	return file_text(tool, path, text, size);
}

/* Files of sysfs do not say how long they are. */
unsigned char *file_bytes(const struct tool *tool, const char *path, size_t *length)
{
	FILE *file = file_open(tool, path);
	size_t room = 1 << 16, got;
	unsigned char *bytes, *more;

	*length = 0;
	if (!file)
		return NULL;
	bytes = malloc(room);
	while (bytes && (got = fread(bytes + *length, 1, room - *length, file))) {
		*length += got;
		if (*length < room)
			continue;
		more = room < LONGEST ? realloc(bytes, room *= 2) : NULL;
		if (!more)
			free(bytes);
		bytes = more;
	}
	fclose(file);
	return bytes;
}

static int read_link(const struct tool *tool, const char *path, char *text, size_t size)
{
	char full[PATH_SIZE * 2];
	ssize_t length;

	below(tool, full, path);
	length = readlink(full, text, size - 1);
	text[length < 0 ? 0 : length] = 0;
	return length < 0 ? -errno : 0;
}

int file_link(const struct tool *tool, char *text, size_t size, const char *format, ...)
{
	char path[PATH_SIZE];

	FORMATTED(path, format);
	return read_link(tool, path, text, size);
}

int file_link_name(const struct tool *tool, char *text, size_t size, const char *format, ...)
{
	char path[PATH_SIZE], target[PATH_SIZE], *slash;
	int error;

	FORMATTED(path, format);
	error = read_link(tool, path, target, sizeof(target));
	slash = strrchr(target, '/');
	snprintf(text, size, "%s", slash ? slash + 1 : target);
	return error;
}

/* ---- directories ---- */

static int by_name(const void *one, const void *other)
{
	return strverscmp(*(char *const *)one, *(char *const *)other);
}

static char **append(char **names, size_t nr, const char *name)
{
	char **more = realloc(names, (nr + 2) * sizeof(*names));

	if (!more)
		return names;
	more[nr] = strdup(name);
	more[more[nr] ? nr + 1 : nr] = NULL;
	return more;
}

char **file_names(const struct tool *tool, const char *format, ...)
{
	char path[PATH_SIZE], full[PATH_SIZE * 2], **names = NULL;
	struct dirent *entry;
	size_t nr = 0;
	DIR *dir;

	FORMATTED(path, format);
	below(tool, full, path);
	dir = opendir(full);
	if (!dir)
		return NULL;
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.') {
			names = append(names, nr, entry->d_name);
			nr += names && names[nr];
		}
	closedir(dir);
	if (nr)
		qsort(names, nr, sizeof(*names), by_name);
	return names;
}

void names_free(char **names)
{
	for (char **name = names; name && *name; name++)
		free(*name);
	free(names);
}

unsigned int names_count(char **names)
{
	unsigned int nr = 0;

	while (names && names[nr])
		nr++;
	return nr;
}

static bool mentions(const struct tool *tool, const char *path, const char *text)
{
	FILE *file = file_open(tool, path);
	char line[1024];
	bool found = false;

	while (file && !found && fgets(line, sizeof(line), file))
		found = line[strspn(line, " \t")] != '#' && strstr(line, text);
	if (file)
		fclose(file);
	return found;
}

bool file_mentions(const struct tool *tool, const char *directory, const char *text)
{
	char **names = file_names(tool, "%s", directory), path[PATH_SIZE];
	bool found = false;

	for (char **name = names; name && *name && !found; name++) {
		snprintf(path, sizeof(path), "%s/%s", directory, *name);
		found = mentions(tool, path, text);
	}
	names_free(names);
	return found;
}

char *directory_text(const struct tool *tool, const char *directory)
{
	char **names = file_names(tool, "%s", directory), path[PATH_SIZE], *text = NULL;
	size_t length = 0;

	for (char **name = names; name && *name; name++) {
		size_t got;
		unsigned char *bytes;

		snprintf(path, sizeof(path), "%s/%s", directory, *name);
		bytes = file_bytes(tool, path, &got);
		if (bytes)
			text_append(&text, &length, bytes, got);
		free(bytes);
	}
	names_free(names);
	return text;
}

/* ---- texts ---- */

/* What has NULs in it has lines that end there. */
bool text_append(char **text, size_t *length, const unsigned char *bytes, size_t nr)
{
	char *grown = nr < LONGEST - *length ? realloc(*text, *length + nr + 2) : NULL;

	if (!grown)
		return false;
	*text = grown;
	for (size_t i = 0; i < nr; i++)
		grown[(*length)++] = bytes[i] ? bytes[i] : '\n';
	grown[(*length)++] = '\n';
	grown[*length] = 0;
	return true;
}

/* ---- command lines ---- */

bool cmdline_value(const char *cmdline, const char *name, char *value, size_t size)
{
	size_t length = strlen(name);
	bool found = false;

	while (*cmdline) {
		size_t word = strcspn(cmdline, " \t\n");

		if (word >= length && !strncmp(cmdline, name, length) &&
		    (word == length || cmdline[length] == '=')) {
			size_t start = word == length ? length : length + 1;

			snprintf(value, size, "%.*s", (int)(word - start), cmdline + start);
			found = true;
		}
		cmdline += word;
		cmdline += strspn(cmdline, " \t\n");
	}
	return found;
}

/* The options of VT-d are words between commas, and each NAME= adds some. */
const char *cmdline_last(const char *cmdline, const char *name, const char *one, const char *other)
{
	size_t length = strlen(name), word;
	const char *last = "";

	for (; *cmdline; cmdline += word + strspn(cmdline + word, " \t\n")) {
		word = strcspn(cmdline, " \t\n");
		if (word <= length || strncmp(cmdline, name, length) || cmdline[length] != '=')
			continue;
		for (size_t at = length + 1, part; at < word; at += part + 1) {
			part = strcspn(cmdline + at, ", \t\n");
			if (part == strlen(one) && !strncmp(cmdline + at, one, part))
				last = one;
			else if (part == strlen(other) && !strncmp(cmdline + at, other, part))
				last = other;
		}
	}
	return last;
}

/* As kstrtobool() */
bool cmdline_is_on(const char *cmdline, const char *name)
{
	char value[64];

	if (!cmdline_value(cmdline, name, value, sizeof(value)))
		return false;
	return strchr("yYtT1", value[0]) ? value[0] != 0 : !strcasecmp(value, "on");
}
