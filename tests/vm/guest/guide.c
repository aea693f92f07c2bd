// SPDX-License-Identifier: GPL-2.0
/*
 * The program of docs/vmm-guide.md, in each kernel anew, as an init system would start it.
 * What its guest has received and missed goes along with the guest.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "events.h"
#include "images.h"
#include "machine.h"
#include "program.h"
#include "receiver.h"
#include "scenarios.h"

#define PROGRAM		"/examples/vmm-nic"

struct child {
	pid_t pid;
	FILE *output;
};

/* What it prints every second */
struct progress {
	unsigned long long update, received, lost;
};

static struct child start(char **arguments)
{
	struct child child;

	child.pid = program_start(arguments, false, &child.output);
	return child;
}

static void find_card(struct receiver *receiver, char *bdf)
{
	receiver_choose(receiver);
	must(pci_find(receiver->model->vendor, receiver->model->device, 0, bdf),
	     "find the network card");
	must(pci_bind_vfio(bdf), "bind vfio-pci");
}

static void descriptor_path(int fd, char *path, size_t size)
{
	snprintf(path, size, "/proc/%d/fd/%d", getpid(), fd);
}

static struct child start_for_an_update(const struct images *images, char *bdf)
{
	char kernel[32], initrd[32], command_line[2100];
	char *arguments[] = { PROGRAM, bdf, "2", kernel, initrd, command_line, NULL };

	descriptor_path(images_next(images, command_line, sizeof(command_line)), kernel,
			sizeof(kernel));
	descriptor_path(images->initrd, initrd, sizeof(initrd));
	return start(arguments);
}

static void tell_progress(const struct child *child)
{
	char line[128];

	if (!fgets(line, sizeof(line), child->output))
		give_up("the program has ended, or was refused");
	event("program: %.*s", (int)strcspn(line, "\n"), line);
}

/* Does not come back: sooner or later the program ends, or this kernel. */
static void wait_for_update(const struct child *child)
{
	event_ask("kexec-call");
	for (;;)
		tell_progress(child);
}

static void run_to_the_end(char *bdf)
{
	char *arguments[] = { PROGRAM, bdf, NULL }, line[128];
	struct progress first = { 0 }, last = { 0 };
	struct child child = start(arguments);

	for (int lines = 0; lines < 3 && fgets(line, sizeof(line), child.output); lines++) {
		sscanf(line, "update %llu: %llu received, %llu lost", &last.update,
		       &last.received, &last.lost);
		if (!lines)
			first = last;
	}
	kill(child.pid, SIGTERM);
	waitpid(child.pid, NULL, 0);
	check(last.update == (unsigned long long)option_number("updates", 1),
	      "its memory has been through %llu updates", last.update);
	check(last.received > first.received, "it receives: %llu, then %llu", first.received,
	      last.received);
	check(!last.lost, "of the numbers of its frames %llu are missing", last.lost);
}

void guide_old_kernel(void)
{
	struct receiver receiver;
	struct images images;
	char bdf[BDF_LENGTH];
	struct child child;

	images_read(&images);
	find_card(&receiver, bdf);
	images_preserve(&images);
	child = start_for_an_update(&images, bdf);
	/* Once its card works: what was sent before need not have come. */
	tell_progress(&child);
	traffic_start(&receiver);
	wait_for_update(&child);
}

void guide_new_kernel(void)
{
	struct receiver receiver;
	struct images images;
	char bdf[BDF_LENGTH];
	struct child child;

	images_retrieve(&images);
	images_finish(&images);
	find_card(&receiver, bdf);
	if (option_number("stage", 1) > option_number("updates", 1)) {
		run_to_the_end(bdf);
		traffic_stop();
		return;
	}
	images_preserve(&images);
	child = start_for_an_update(&images, bdf);
	wait_for_update(&child);
}
