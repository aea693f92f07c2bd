// SPDX-License-Identifier: GPL-2.0
/*
 * A host of virtual machines: each is run by an unmodified QEMU and has cards of its own.
 * Frames arrive at the cards all the time, and what is in the machines says which.
 */
#include <signal.h>
#include <string.h>

#include "events.h"
#include "inner_vm.h"
#include "machine.h"
#include "receiver.h"
#include "scenarios.h"

#define VMS_MAX		2
/* More than the ring of a card stands, with 300 frames a second */
#define STALL_MS	20000
/* What is on its way to a machine and through it to here; it tells four times a second. */
#define SETTLE_MS	1500
#define LISTEN_MS	100
#define LOOK_MS		30000

struct host {
	struct inner_vm vms[VMS_MAX];
	struct inner_tick before[VMS_MAX];
	int count;
};

/* Card after card to machine after machine */
static void deal_out_cards(struct host *host)
{
	int cards = option_number("cards", host->count);
	struct receiver receiver;
	char bdf[BDF_LENGTH];

	receiver_choose(&receiver);
	for (int i = 0; i < cards; i++) {
		receiver_find_device(&receiver, i, bdf);
		inner_vm_add_card(&host->vms[i % host->count], bdf);
	}
}

static void host_init(struct host *host)
{
	memset(host, 0, sizeof(*host));
	host->count = option_number("vms", 1);
	for (int i = 0; i < host->count; i++)
		inner_vm_init(&host->vms[i], i);
	deal_out_cards(host);
}

static void start_vms(struct host *host)
{
	for (int i = 0; i < host->count; i++)
		inner_vm_start(&host->vms[i]);
	inner_vms_wait_until_ready(host->vms, host->count);
	event("note all virtual machines are up");
}

static void listen_for(struct host *host, int milliseconds)
{
	inner_vms_listen(host->vms, host->count, milliseconds);
}

static void remember_ticks(struct host *host)
{
	for (int i = 0; i < host->count; i++)
		host->before[i] = host->vms[i].tick;
}

static bool all_have_looked(const struct host *host)
{
	for (int i = 0; i < host->count; i++)
		if (host->vms[i].tick.rounds <= host->before[i].rounds + 1)
			return false;
	return true;
}

/* A busy machine takes longer to look through its memory. */
static void end_traffic(struct host *host)
{
	event_ask("traffic-stop");
	listen_for(host, SETTLE_MS);
	for (int waited = 0; !all_have_looked(host) && waited < LOOK_MS; waited += LISTEN_MS)
		listen_for(host, LISTEN_MS);
	for (int i = 0; i < host->count; i++)
		inner_vm_tell_frames(&host->vms[i]);
	for (int i = 0; i < host->count; i++)
		inner_vm_judge(&host->vms[i], &host->before[i]);
	for (int i = 0; i < host->count; i++)
		inner_vm_kill(&host->vms[i]);
}

/* What the judge has to notice */
static void do_harm(struct host *host, const char *what)
{
	struct inner_vm *vm = &host->vms[0];

	if (!strcmp(what, "stall")) {
		kill(vm->qemu, SIGSTOP);
		listen_for(host, STALL_MS);
		kill(vm->qemu, SIGCONT);
	} else if (!strcmp(what, "memory")) {
		inner_vm_spoil_memory(vm);
	} else if (!strcmp(what, "end")) {
		inner_vm_kill(vm);
	}
}

/* No update: what the rig itself does to frames, memory and clocks */
void inner_control_old_kernel(void)
{
	struct host host;

	machine_mount_usr();
	host_init(&host);
	start_vms(&host);
	event_ask("traffic-start buffers=0x0 slots=0 stride=0");
	listen_for(&host, 500);
	remember_ticks(&host);
	do_harm(&host, option_text("harm", ""));
	listen_for(&host, option_number("ms", 15000));
	end_traffic(&host);
}
