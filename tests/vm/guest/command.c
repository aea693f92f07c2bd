// SPDX-License-Identifier: GPL-2.0
/*
 * The whole way, with the operator's command at each point of it: before anything, with a
 * program at work, when all is preserved, and in the next kernel until nothing is left to
 * be finished. What it says is right at each point; frames go on, and whatever it only
 * asks changes nothing. It loads the kernel, and it jumps.
 *
 *	then=abandon	nobody takes the session, and the command gives it up
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "events.h"
#include "liveupdate.h"
#include "machine.h"
#include "measure.h"
#include "operator.h"
#include "preserve.h"
#include "scenarios.h"
#include "wayback.h"

static void ask_before_anything(struct operator *operator)
{
	operator_types(operator, "version");
	operator_expects(operator, 0, "");
	operator_sees(operator, "record   ilu-vfio-pci-v1");
	operator_types(operator, "status");
	operator_expects(operator, 0, "");
	operator_types(operator, "timing");
	operator_expects(operator, 0, "");
	operator_sees(operator, "no live update came in");
	operator_types(operator, "session list");
	operator_expects(operator, 0, "");
	operator_sees(operator, "there is no session");
	operator_types(operator, "kexec test");
	operator_expects(operator, 1, "FAIL image.none");
	operator_types(operator, "check host");
	operator_expects(operator, 1, "FAIL image.none");
	operator_types(operator, "device list");
	operator_sees(operator, "no device is bound to vfio-pci");
}

/* The rig's kernels do not tell their configuration, and vfio-pci is bound by hand. */
static void load(struct operator *operator)
{
	char command_line[2048];

	read_file("/next-cmdline", command_line, sizeof(command_line));
	operator_types(operator, "check kernel --kernel /bzImage --initrd /initrd --cmdline '%s'",
		       command_line);
	operator_expects(operator, 3, "UNKNOWN next.no-config");
	operator_sees(operator, "it knows all records that this kernel writes");
	operator_sees(operator, "kernel and initrd fit into the scratch memory");
	operator_types(operator, "kexec load --kernel /bzImage --initrd /initrd --cmdline '%s'",
		       command_line);
	operator_expects(operator, 0, "");
	operator_types(operator, "kexec test");
	operator_expects(operator, 0, "");
}

/* Of the program, which is this one, and its device, preserved or not */
static void ask_about_program(struct operator *operator)
{
	const char *bdf = operator->receiver->device.bdf;

	operator_types(operator, "device list");
	operator_expects(operator, 0, "");
	operator_sees(operator, bdf);
	operator_types(operator, "device explain %s", bdf);
	operator_expects(operator, 0, "");
	operator_sees(operator, "could go along");
	operator_types(operator, "check device %s", bdf);
	operator_expects(operator, 0, "");
	operator_types(operator, "check pid %d", (int)getpid());
	operator_expects(operator, 0, "");
	operator_sees(operator, bdf);
	operator_sees(operator, "all that is mapped is memory of sealed files");
}

static void ask_about_kexec(struct operator *operator)
{
	operator_types(operator, "kexec test");
	operator_expects(operator, 0, "");
	operator_types(operator, "check host");
	operator_expects(operator, 0, "");
	operator_types(operator, "check");
	operator_expects(operator, 3, "UNKNOWN next.unknown");
	operator_types(operator, "status");
	operator_expects(operator, 0, "");
	operator_sees(operator, "1 sessions go out");
	operator_types(operator, "session list");
	operator_sees(operator, SESSION_NAME "                outgoing  open    3 files");
	operator_types(operator, "session show " SESSION_NAME);
	operator_expects(operator, 0, "");
	operator_types(operator, "session show another");
	operator_expects(operator, 1, "FAIL session.none");
}

static void ask_all_and_change_nothing(struct operator *operator)
{
	struct measure *before = malloc(sizeof(*before));

	if (!before)
		give_up("memory");
	take_measure(before, operator->receiver);
	ask_about_kexec(operator);
	ask_about_program(operator);
	expect_same(before, operator->receiver);
	free(before);
}

/* Comes back only when it was refused. */
static void jump(struct operator *operator)
{
	event_ask("kexec-call");
	operator_begins(operator, "kexec exec");
	operator_waits(operator);
	give_up("kexec exec ends with %d: %s", operator->code, operator->text);
}

void command_old_kernel(void)
{
	struct operator *operator = operator_create();
	struct receiver receiver;

	ask_before_anything(operator);
	load(operator);
	receiver_set_up(&receiver);
	receiver.rearm = true;
	traffic_start(&receiver);
	receiver_receive(&receiver, 300);
	report_pages("base");
	operator->receiver = &receiver;
	ask_about_program(operator);
	preserve_everything(&receiver);
	ask_all_and_change_nothing(operator);
	jump(operator);
}

/* ---- the next kernel ---- */

static void ask_unfinished(struct operator *operator)
{
	operator_types(operator, "status");
	operator_expects(operator, 1, "FAIL session.unfinished");
	operator_begins(operator, "status --wait=1");
	operator_waits(operator);
	operator_expects(operator, 1, "FAIL session.unfinished");
	operator_types(operator, "session list");
	operator_sees(operator, SESSION_NAME "                incoming  closed  3 files, to be finished");
	/* It was not made by the library, and looking at it finishes nothing. */
	operator_types(operator, "session show " SESSION_NAME);
	operator_expects(operator, 0, "WARN session.foreign");
	operator_types(operator, "session finish " SESSION_NAME);
	operator_expects(operator, 1, "FAIL session.foreign");
	operator_types(operator, "kexec test");
	operator_expects(operator, 1, "FAIL image.none, FAIL session.unfinished");
	operator_types(operator, "check host");
	operator_expects(operator, 1, "FAIL session.unfinished, FAIL image.none, FAIL session.unfinished");
	operator_types(operator, "timing");
	operator_expects(operator, 0, "");
	operator_sees(operator, "old     freeze ");
	operator_sees(operator, "new     userspace ");
	operator_sees_not(operator, "new     finish ");
}

/* The files came by the session, and are known as what they are. */
static void ask_taken_back(struct operator *operator)
{
	ask_about_program(operator);
	operator_types(operator, "session list");
	operator_sees(operator, "incoming  open    3 files, to be finished");
}

static void finish_while_waited_for(struct operator *operator, struct way_back *back)
{
	operator_begins(operator, "status --wait");
	receiver_receive(back->receiver, 500);
	back_take(back, BACK_FINISH);
	operator_waits(operator);
	operator_expects(operator, 0, "");
}

static void ask_finished(struct operator *operator)
{
	operator_types(operator, "status");
	operator_expects(operator, 0, "");
	operator_types(operator, "timing");
	operator_expects(operator, 0, "");
	operator_sees(operator, "new     finish ");
	ask_about_program(operator);
}

/* Only the memory is looked at, and its session is closed again. */
static void abandon(struct operator *operator)
{
	struct receiver receiver;
	struct way_back back;

	back_begin(&back, &receiver);
	back_take(&back, BACK_DRIVER);
	back_take(&back, BACK_SESSION);
	back_take(&back, BACK_MEMORY);
	release(0);
	/* It is waited for, for 5 s. */
	operator_begins(operator, "session abandon " SESSION_NAME " --yes");
	operator_waits(operator);
	operator_expects(operator, 5, "FAIL session.taken");
	close(back.session);
	operator_types(operator, "session abandon " SESSION_NAME);
	operator_expects(operator, 2, "");
	operator_begins(operator, "session abandon " SESSION_NAME " --yes");
	operator_waits(operator);
	operator_expects(operator, 0, "");
	event_ask("finished");
	operator_types(operator, "status");
	operator_expects(operator, 0, "");
	expect_stopped(&back);
	use_afresh();
}

void command_new_kernel(void)
{
	struct operator *operator = operator_create();
	struct receiver receiver;
	struct way_back back;

	ask_unfinished(operator);
	if (!strcmp(option_text("then", ""), "abandon")) {
		abandon(operator);
		return;
	}
	back_begin(&back, &receiver);
	back_go_to(&back, BACK_FINISH);
	operator->receiver = &receiver;
	ask_taken_back(operator);
	finish_while_waited_for(operator, &back);
	report_pages("finished");
	ask_finished(operator);
	back_end(&back);
}

/* Of a program on the library more is known; having been looked at, it goes on as ever. */
void command_library_new_kernel(void)
{
	struct operator *operator = operator_create();

	operator_types(operator, "session show " SESSION_NAME);
	operator_expects(operator, 0, "");
	operator_sees(operator, "it is at 0000:02:00.0");
	operator_types(operator, "session finish " SESSION_NAME);
	operator_expects(operator, 1, "FAIL session.has-devices");
	operator_types(operator, "status");
	operator_expects(operator, 1, "FAIL session.unfinished");
	interrupts_new_kernel();
}
