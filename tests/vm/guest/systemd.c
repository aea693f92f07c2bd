// SPDX-License-Identifier: GPL-2.0
/*
 * A machine whose PID 1 is systemd, and whose service, examples/service.c with a work of the
 * rig's, has the card. This program comes first, and hands over to systemd; then it is
 * several units of its, see tests/vm/systemd:
 *
 *	control		what an operator would type, and what has to hold then
 *	culprit		another program, whose interrupts are on: the kexec would be refused
 *	bystander	a service that has nothing to do with it
 *
 * and it is what systemd-shutdown runs right before it jumps.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <linux/vfio.h>
#include <unistd.h>

#include "device.h"
#include "events.h"
#include "liveupdate.h"
#include "machine.h"
#include "preserve.h"
#include "receiver.h"
#include "scenarios.h"
#include "systemd.h"

#define SYSTEMD		"/usr/lib/systemd/systemd"
#define SERVICE		"nic@0000:02:00.0.service"
#define GUARD		"liveupdate-guard.service"
#define PATIENCE_MS	30000
#define STEP_MS		200

/* ---- PID 1 ---- */

static void become_systemd(void)
{
	/* of all that is said there nothing is left out */
	write_file("/proc/sys/kernel/printk_devkmsg", "on");
	execl(SYSTEMD, SYSTEMD, NULL);
	give_up("%s: %m", SYSTEMD);
}

void systemd_old_kernel(void)
{
	become_systemd();
}

void systemd_new_kernel(void)
{
	become_systemd();
}

/* ---- commands ---- */

static void run_in_child(char **arguments, int output)
{
	dup2(output, STDOUT_FILENO);
	dup2(output, STDERR_FILENO);
	execvp(arguments[0], arguments);
	_exit(127);
}

/* The command's exit status; what it said, in one line. */
static int run(char *said, size_t size, const char *command)
{
	char words[256], *arguments[16], *rest = words;
	int ends[2], status, count = 0;
	ssize_t got, length = 0;
	pid_t child;

	snprintf(words, sizeof(words), "%s", command);
	while ((arguments[count] = strtok_r(rest, " ", &rest)))
		count++;
	if (pipe2(ends, O_CLOEXEC))
		give_up("pipe: %m");
	child = fork();
	if (!child)
		run_in_child(arguments, ends[1]);
	close(ends[1]);
	while ((got = read(ends[0], said + length, size - 1 - length)) > 0)
		length += got;
	close(ends[0]);
	said[length] = '\0';
	while (length && said[length - 1] == '\n')
		said[--length] = '\0';
	for (char *at = said; (at = strchr(at, '\n')); )
		*at = ';';
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void expect_done(const char *command)
{
	char said[512];
	int status = run(said, sizeof(said), command);

	check(!status, "%s: status %d: %s", command, status, said);
}

static void property(const char *of, const char *name, char *value, size_t size)
{
	char command[200];

	snprintf(command, sizeof(command), "systemctl show -P %s %s", name, of);
	run(value, size, command);
}

static bool has_property(const char *of, const char *name, const char *wanted)
{
	char value[256];

	property(of, name, value, sizeof(value));
	return !strcmp(value, wanted);
}

/* Becomes so, or does not. */
static bool expect_property(const char *of, const char *name, const char *wanted)
{
	char value[256];

	for (int waited = 0; waited < PATIENCE_MS; waited += STEP_MS) {
		if (has_property(of, name, wanted))
			return check(true, "%s of %s is %s", name, of, wanted);
		sleep_ms(STEP_MS);
	}
	property(of, name, value, sizeof(value));
	return check(false, "%s of %s is %s: %s", name, of, wanted, value);
}

/* ---- before the kexec ---- */

/* A second program on a second card, with interrupts on and all preserved. */
static void expect_called_off(void)
{
	char before[32], said[512];

	expect_done("systemctl start culprit.service");
	property(SERVICE, "MainPID", before, sizeof(before));
	expect_done("systemctl kexec");
	/* It is over when the guard has started again. */
	for (int waited = 0; waited < PATIENCE_MS; waited += STEP_MS) {
		if (log_says("the kexec would be refused and is called off") &&
		    has_property(GUARD, "ActiveState", "active"))
			break;
		sleep_ms(STEP_MS);
	}
	check(log_says("the kexec would be refused and is called off"), "the guard says so");
	expect_property(GUARD, "ActiveState", "active");
	expect_property(SERVICE, "ActiveState", "active");
	expect_property(SERVICE, "MainPID", before);
	expect_property("bystander.service", "NRestarts", "0");
	expect_property("bystander.service", "ActiveState", "active");
	run(said, sizeof(said), "systemctl list-jobs --no-legend");
	check(!*said, "no job is left: %s", said);
	/* The program that is to blame goes, and its session with it. */
	expect_done("systemctl stop culprit.service");
}

static void control_old_kernel_of_systemd(void)
{
	expect_property(GUARD, "ActiveState", "active");
	expect_property(SERVICE, "ActiveState", "active");
	expect_property(SERVICE, "NFileDescriptorStore", "1");
	prepare_kexec();
	if (option_number("reload", 1)) {
		expect_done("systemctl reload " SERVICE);
		expect_property(SERVICE, "StatusText", "preserved");
	}
	if (option_number("refused", 0))
		expect_called_off();
	sleep_ms(1000);
	expect_done("systemctl kexec");
}

/* ---- after it ---- */

/* What LUOSession= made was for the first live update: the service makes one of its own. */
static void expect_ready_for_another(void)
{
	expect_done("systemctl reload " SERVICE);
	expect_property(SERVICE, "StatusText", "preserved");
	expect_property(SERVICE, "NFileDescriptorStore", "1");
	expect_done("systemctl kill --kill-whom=main --signal=SIGUSR1 " SERVICE);
	expect_property(SERVICE, "StatusText", "running");
	expect_property(SERVICE, "NFileDescriptorStore", "0");
}

static void control_new_kernel_of_systemd(void)
{
	expect_property(SERVICE, "ActiveState", "active");
	expect_property(SERVICE, "NFileDescriptorStore", "0");
	expect_property(SERVICE, "NRestarts", *option_text("die", "") ? "1" : "0");
	expect_property("", "KExecCount", "1");
	expect_ready_for_another();
	must(touch_file(RIG_END), RIG_END);
}

static int control(void)
{
	if (option_number("stage", 1) == 1)
		control_old_kernel_of_systemd();
	else
		control_new_kernel_of_systemd();
	return 0;
}

/* ---- the others ---- */

static void arm_interrupt(const struct device *device)
{
	char room[sizeof(struct vfio_irq_set) + sizeof(int)] __attribute__((aligned(4)));
	struct vfio_irq_set *set = (struct vfio_irq_set *)room;
	int fd = eventfd(0, EFD_CLOEXEC);

	*set = (struct vfio_irq_set) {
		.argsz = sizeof(room),
		.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = VFIO_PCI_MSIX_IRQ_INDEX,
		.count = 1,
	};
	memcpy(set->data, &fd, sizeof(fd));
	if (ioctl(device->fd, VFIO_DEVICE_SET_IRQS, set))
		give_up("arm an interrupt: %m");
}

static int culprit(void)
{
	struct receiver receiver;
	char bdf[BDF_LENGTH];

	receiver_choose(&receiver);
	receiver_choose_slots(&receiver, 256);
	must(pci_find(receiver.model->vendor, receiver.model->device, 1, bdf), "find a second card");
	must(pci_bind_vfio(bdf), "bind vfio-pci");
	receiver_create_memory(&receiver);
	receiver_open_device(&receiver, bdf);
	receiver_attach(&receiver);
	arm_interrupt(&receiver.device);
	preserve_everything(&receiver);
	pause();
	return 0;
}

/*
 * systemd-shutdown names what it is about to do; where it says reboot the memory is gone.
 * That of 262-1 has overwritten the word by then.
 */
static int shutting_down(const char *how)
{
	if (!strcmp(how, "kexec") || !*how)
		event_ask("kexec-call");
	else
		check(false, "the machine shuts down by %s", how);
	return 0;
}

int systemd_unit(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (events_open())
		return 1;
	if (!strcmp(what, "control"))
		return control();
	if (!strcmp(what, "culprit"))
		return culprit();
	if (!strcmp(what, "bystander"))
		return pause();
	return shutting_down(what);
}
