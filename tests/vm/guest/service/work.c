// SPDX-License-Identifier: GPL-2.0
/*
 * The work of examples/service.c that the rig can judge: it receives, and tells the host
 * each frame. Beside what a work does, it dies on the way back when it is asked to, and
 * ends the run when control.c says so.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <work.h>

#include "../events.h"
#include "../machine.h"
#include "../systemd.h"
#include "../vmm.h"

#define ROUND_MS	20
#define LOOK_MS		1000

struct work {
	struct receiver receiver;
	char bdf[BDF_LENGTH];
};

struct work *work_new(const char *bdf)
{
	struct work *work = calloc(1, sizeof(*work));

	if (!work || events_open())
		return NULL;
	receiver_choose(&work->receiver);
	receiver_find_device(&work->receiver, 0, work->bdf);
	check(!strcmp(work->bdf, bdf), "the unit names the card: %s, %s", bdf, work->bdf);
	return work;
}

int work_set_up(struct work *work, struct ilu *ilu)
{
	vmm_make(ilu, &work->receiver, work->bdf);
	return 0;
}

static void start(struct work *work, struct ilu *ilu, struct ilu_device *card)
{
	struct receiver *receiver = &work->receiver;

	vmm_start_card(ilu, card, receiver);
	receiver->rearm = true;
	receiver_report_registers(receiver, work->bdf, "armed");
	traffic_start(receiver);
}

int work_begin(struct work *work, struct ilu *ilu, bool incoming)
{
	struct receiver *receiver = &work->receiver;
	struct ilu_device *card;

	vmm_find_memory(ilu, "ring", receiver);
	card = vmm_find_card(ilu, "nic", receiver);
	if (incoming)
		receiver_resume(receiver);
	else
		start(work, ilu, card);
	return 0;
}

static void end(struct work *work)
{
	struct receiver *receiver = &work->receiver;
	__u32 before = receiver_scan(receiver).landed, after;

	receiver_receive(receiver, LOOK_MS);
	after = receiver_scan(receiver).landed;
	check(after > before, "frames go on landing in the service: %u, then %u", before, after);
	receiver_report_registers(receiver, work->bdf, "end");
	traffic_stop();
	receiver_report_landed(receiver);
	event_ask("done");
	power_off();
}

void work_go_on(struct work *work)
{
	receiver_receive(&work->receiver, ROUND_MS);
	if (!access(RIG_END, F_OK))
		end(work);
}

/* Only once: the next instance finds the file. */
static void die_if_asked(enum work_event now)
{
	char asked[2] = { '0' + now };

	if (strcmp(option_text("die", ""), asked) || !access(RIG_DIED, F_OK))
		return;
	must(touch_file(RIG_DIED), RIG_DIED);
	event("note the service dies");
	raise(SIGKILL);
}

void work_hear(struct work *work, enum work_event event)
{
	switch (event) {
	case WORK_RESTORING:
		if (access(RIG_DIED, F_OK))
			receiver_report_registers(&work->receiver, work->bdf, "after");
		event_ask("reclaimed");
		event_ask("switching");
		break;
	case WORK_RESTORED:
		event_ask("switched");
		break;
	case WORK_FINISHED:
		event_ask("finished");
		break;
	}
	die_if_asked(event);
}
