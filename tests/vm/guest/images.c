// SPDX-License-Identifier: GPL-2.0
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "events.h"
#include "images.h"
#include "machine.h"
#include "vmm.h"

#define SESSION		"images"
#define INITRD		"/initrd"

/* By stage: the odd ones are those of the old kernel. */
static const char *const kernels[] = { "/bzImage", "/bzImage-old" };

/* The memory has the name of the file. */
static void read_into_memory(struct ilu *ilu, const char *path)
{
	int file = open(path, O_RDONLY | O_CLOEXEC);
	struct ilu_memory *memory;
	struct stat status;

	if (file < 0 || fstat(file, &status))
		give_up("%s: %m", path);
	memory = ilu_memory_create(ilu, path, status.st_size, NULL);
	must_ilu(ilu, !memory, path);
	for (off_t done = 0; done < status.st_size; )
		if (sendfile(ilu_memory_fd(memory), file, &done, status.st_size - done) <= 0)
			give_up("copy %s: %m", path);
	close(file);
}

static void open_session(struct images *images)
{
	images->ilu = ilu_new(NULL);
	if (!images->ilu)
		give_up("the library: %m");
	must_ilu(images->ilu, ilu_session_open(images->ilu, SESSION), "open the images' session");
}

void images_read(struct images *images)
{
	open_session(images);
	for (int i = 0; i < 2; i++)
		read_into_memory(images->ilu, kernels[i]);
	read_into_memory(images->ilu, INITRD);
}

void images_retrieve(struct images *images)
{
	open_session(images);
	must_ilu(images->ilu, ilu_restore(images->ilu), "retrieve the images");
}

void images_finish(struct images *images)
{
	must_ilu(images->ilu, ilu_finish(images->ilu), "finish the images' session");
}

void images_preserve(struct images *images)
{
	must_ilu(images->ilu, ilu_preserve(images->ilu), "preserve the images");
}

static void next_command_line(long stage, char *line, unsigned int size)
{
	char now[2048], key[32], *found;

	read_file("/proc/cmdline", now, sizeof(now));
	snprintf(key, sizeof(key), "lu_stage=%ld", stage);
	found = strstr(now, key);
	if (!found)
		give_up("no stage on the command line");
	*found = '\0';
	snprintf(line, size, "%slu_stage=%ld%s", now, stage + 1, found + strlen(key));
}

static int file_of(const struct images *images, const char *name)
{
	struct ilu_memory *memory = ilu_memory(images->ilu, name);

	must_ilu(images->ilu, !memory, name);
	return ilu_memory_fd(memory);
}

int images_next(const struct images *images, char *command_line, unsigned int size)
{
	long stage = option_number("stage", 1);

	next_command_line(stage, command_line, size);
	return file_of(images, kernels[(stage + 1) % 2]);
}

int images_initrd(const struct images *images)
{
	return file_of(images, INITRD);
}

void images_prepare_kexec(const struct images *images)
{
	char line[2100];
	int kernel = images_next(images, line, sizeof(line));

	must_ilu(images->ilu, ilu_kexec_load(images->ilu, kernel, images_initrd(images), line),
		 "load the next kernel");
}
