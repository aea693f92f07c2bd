// SPDX-License-Identifier: GPL-2.0
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "events.h"
#include "images.h"
#include "liveupdate.h"
#include "machine.h"

#define SESSION		"images"

enum { TOKEN_KERNELS = 1, TOKEN_INITRD = TOKEN_KERNELS + 2 };

/* By stage: the odd ones are those of the old kernel. */
static const char *const kernel_files[] = { "/bzImage", "/bzImage-old" };

static int read_into_memory(const char *path)
{
	int file = open(path, O_RDONLY | O_CLOEXEC), memory;
	struct stat status;

	if (file < 0 || fstat(file, &status))
		give_up("%s: %m", path);
	memory = must(memory_create(path, status.st_size), "create memfd");
	for (off_t done = 0; done < status.st_size; )
		if (sendfile(memory, file, &done, status.st_size - done) <= 0)
			give_up("copy %s: %m", path);
	close(file);
	return memory;
}

void images_read(struct images *images)
{
	images->session = -1;
	for (int i = 0; i < 2; i++)
		images->kernels[i] = read_into_memory(kernel_files[i]);
	images->initrd = read_into_memory("/initrd");
}

void images_retrieve(struct images *images)
{
	images->session = must(session_retrieve(SESSION), "retrieve the images' session");
	for (int i = 0; i < 2; i++)
		images->kernels[i] = must(session_retrieve_fd(images->session, TOKEN_KERNELS + i),
					  "retrieve a kernel");
	images->initrd = must(session_retrieve_fd(images->session, TOKEN_INITRD),
			      "retrieve the initrd");
}

void images_finish(struct images *images)
{
	check_errno(session_finish(images->session), 0, "finish the images' session");
	close(images->session);
	images->session = -1;
}

void images_preserve(struct images *images)
{
	images->session = must(session_create(SESSION), "create the images' session");
	for (int i = 0; i < 2; i++)
		must(session_preserve_fd(images->session, images->kernels[i], TOKEN_KERNELS + i),
		     "preserve a kernel");
	must(session_preserve_fd(images->session, images->initrd, TOKEN_INITRD),
	     "preserve the initrd");
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

int images_next(const struct images *images, char *command_line, unsigned int size)
{
	long stage = option_number("stage", 1);

	next_command_line(stage, command_line, size);
	return images->kernels[(stage + 1) % 2];
}

void images_prepare_kexec(const struct images *images)
{
	char line[2100];
	int kernel = images_next(images, line, sizeof(line));

	must(kexec_prepare_files(kernel, images->initrd, line), "kexec_file_load");
}
