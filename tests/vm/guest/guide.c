// SPDX-License-Identifier: GPL-2.0
/*
 * The program of docs/vmm-guide.md, in each kernel anew, as an init system would start it:
 * with the guest that has a network card, or with --nic nvme the one that has a disk. What
 * its guest has received, or read, and missed goes along with the guest. It is stopped
 * where it calls reboot(2), so that the host knows this moment.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drive.h"
#include "events.h"
#include "guest.h"
#include "images.h"
#include "machine.h"
#include "pages.h"
#include "program.h"
#include "receiver.h"
#include "scenarios.h"

#define LINE		128
/* How many it says in the end, at least; and how many there may be until a drive is done. */
#define FEW		3
#define MANY		60

struct vmm {
	bool has_disk;
	struct receiver receiver;	/* of a network card */
	__u32 submitted;		/* to a disk, when it came here */
	char bdf[BDF_LENGTH];
	pid_t program;
	FILE *output;
};

/* What it prints every second */
struct progress {
	unsigned long long update, received, lost;
};

static char *path_of(const struct vmm *vmm)
{
	return vmm->has_disk ? "/examples/vmm-nvme" : "/examples/vmm-nic";
}

/* The controller is looked at before any driver does. */
static void find_disk(struct vmm *vmm)
{
	drive_find(vmm->bdf);
	if (option_number("stage", 1) > 1)
		drive_report(vmm->bdf, "after");
	else
		report_preserved_function(vmm->bdf, "device");
}

static void find_card(struct vmm *vmm)
{
	receiver_choose(&vmm->receiver);
	must(pci_find(vmm->receiver.model->vendor, vmm->receiver.model->device, 0, vmm->bdf),
	     "find the network card");
}

static void find_device(struct vmm *vmm)
{
	memset(vmm, 0, sizeof(*vmm));
	vmm->has_disk = drive_is_asked_for();
	if (vmm->has_disk)
		find_disk(vmm);
	else
		find_card(vmm);
	must(pci_bind_vfio(vmm->bdf), "bind vfio-pci");
}

static void descriptor_path(int fd, char *path, size_t size)
{
	snprintf(path, size, "/proc/%d/fd/%d", getpid(), fd);
}

static void start_for_an_update(struct vmm *vmm, const struct images *images)
{
	char kernel[32], initrd[32], command_line[2100];
	char *arguments[] = { path_of(vmm), vmm->bdf, "2", kernel, initrd, command_line, NULL };

	descriptor_path(images_next(images, command_line, sizeof(command_line)), kernel,
			sizeof(kernel));
	descriptor_path(images_initrd(images), initrd, sizeof(initrd));
	vmm->program = program_start(arguments, true, &vmm->output);
}

static struct progress tell_progress(const struct vmm *vmm, const char *line)
{
	struct progress now = { 0 };

	event("program: %s", line);
	if (sscanf(line, "update %llu: %llu received, %llu lost", &now.update, &now.received,
		   &now.lost) != 3)
		check(false, "the program says: %s", line);
	if (vmm->has_disk)
		event("disk-checked right=%llu wrong=%llu", now.received, now.lost);
	return now;
}

/* It stands with its memory in place, and has told the controller nothing. */
static void tell_found(struct vmm *vmm)
{
	struct nvme disk;

	drive_look(vmm->program, GUEST_MEMORY, &disk);
	vmm->submitted = disk.state->io.submitted;
	event("disk-found count=%u", nvme_found(&disk));
}

static void tell_under_way(const struct vmm *vmm)
{
	struct nvme disk;

	drive_look(vmm->program, GUEST_MEMORY, &disk);
	event("disk-under-way count=%u", nvme_count(&disk, NVME_SENT));
	event("disk-read-only");
	drive_report(vmm->bdf, "armed");
}

/* It makes its eventfd when the machine is its own, and writes first when that is finished. */
static void take_over(struct vmm *vmm)
{
	program_run_until(vmm->program, SYS_eventfd2);
	event("reclaimed");
	if (vmm->has_disk)
		tell_found(vmm);
	program_run_until(vmm->program, SYS_write);
	event_ask("finished");
	report_pages("finished");
}

/* Does not come back: sooner or later the program ends, or this kernel. */
static void update(struct vmm *vmm)
{
	char line[LINE];

	program_run_until(vmm->program, SYS_reboot);
	while (program_said(vmm->output, line, sizeof(line)))
		tell_progress(vmm, line);
	if (vmm->has_disk)
		tell_under_way(vmm);
	if (option_number("stage", 1) == 1)
		report_pages("base");
	event_ask("kexec-call");
	program_let_go(vmm->program);
	while (program_says(vmm->output, line, sizeof(line)))
		tell_progress(vmm, line);
	give_up("the program has ended, or was refused");
}

/* Commands of the kernels before that the controller has not completed */
static unsigned int count_old(const struct vmm *vmm)
{
	unsigned int count = 0;
	struct nvme disk;

	if (!vmm->has_disk)
		return 0;
	drive_look(vmm->program, GUEST_MEMORY, &disk);
	for (int i = 0; i < NVME_COMMANDS; i++) {
		const struct nvme_command *command = &disk.state->commands[i];

		count += command->progress == NVME_SENT &&
			 (__s32)(command->place - vmm->submitted) < 0;
	}
	return count;
}

static void run_to_the_end(struct vmm *vmm)
{
	char *arguments[] = { path_of(vmm), vmm->bdf, NULL }, line[LINE];
	struct progress first = { 0 }, last = { 0 };
	unsigned int old = 1;

	vmm->program = program_start(arguments, true, &vmm->output);
	take_over(vmm);
	program_let_go(vmm->program);
	for (int lines = 0; lines < FEW || (old && lines < MANY); lines++) {
		if (!program_says(vmm->output, line, sizeof(line)))
			break;
		last = tell_progress(vmm, line);
		if (!lines)
			first = last;
		old = count_old(vmm);
	}
	check(!old, "of the commands that came along %u are not done", old);
	check(last.update == (unsigned long long)option_number("updates", 1),
	      "its memory has been through %llu updates", last.update);
	check(last.received > first.received, "it receives: %llu, then %llu", first.received,
	      last.received);
	check(!last.lost, "of what was sent, or read, %llu are missing", last.lost);
}

static void end(const struct vmm *vmm)
{
	if (vmm->has_disk)
		drive_report(vmm->bdf, "end");
	else
		traffic_stop();
	kill(vmm->program, SIGTERM);
	waitpid(vmm->program, NULL, 0);
}

void guide_old_kernel(void)
{
	struct images images;
	struct vmm vmm;

	images_read(&images);
	find_device(&vmm);
	images_preserve(&images);
	start_for_an_update(&vmm, &images);
	/* Once its card works: what was sent before need not have come. */
	program_run_until(vmm.program, SYS_write);
	if (!vmm.has_disk)
		traffic_start(&vmm.receiver);
	update(&vmm);
}

void guide_new_kernel(void)
{
	struct images images;
	struct vmm vmm;

	images_retrieve(&images);
	images_finish(&images);
	find_device(&vmm);
	if (option_number("stage", 1) > option_number("updates", 1)) {
		run_to_the_end(&vmm);
		end(&vmm);
		return;
	}
	images_preserve(&images);
	start_for_an_update(&vmm, &images);
	take_over(&vmm);
	update(&vmm);
}
