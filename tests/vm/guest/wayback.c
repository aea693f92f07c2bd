// SPDX-License-Identifier: GPL-2.0
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "events.h"
#include "function.h"
#include "liveupdate.h"
#include "machine.h"
#include "wayback.h"

/* Enough for one round; the rest is not due. */
#define TAKE_MS		10

static const char *const names[] = {
	[BACK_DRIVER] = "driver",
	[BACK_SESSION] = "session",
	[BACK_MEMORY] = "memory",
	[BACK_IOMMUFD] = "iommufd",
	[BACK_DEVICE] = "device",
	[BACK_BIND] = "bind",
	[BACK_TABLES] = "tables",
	[BACK_SWITCH] = "switch",
	[BACK_FINISH] = "finish",
};

const char *back_step_name(enum back_step step)
{
	return names[step];
}

void back_begin(struct way_back *back, struct receiver *receiver)
{
	memset(back, 0, sizeof(*back));
	back->receiver = receiver;
	back->session = -1;
	back->iommufd = -1;
	back->device_fd = -1;
	receiver_choose(receiver);
	must(pci_find(receiver->model->vendor, receiver->model->device, 0, back->bdf),
	     "find the network card");
	receiver_report_registers(receiver, back->bdf, "after");
}

static void retrieve_memory(struct way_back *back)
{
	receiver_adopt_memory(back->receiver,
			      must(session_retrieve_fd(back->session, TOKEN_MEMORY),
				   "retrieve memfd"));
	event("memory-retrieved");
}

static void bind_device(struct way_back *back)
{
	must(device_reclaim(&back->receiver->device, back->bdf, back->device_fd, back->iommufd),
	     "reclaim device");
	event("reclaimed devid=%u", back->receiver->device.id);
	receiver_resume(back->receiver);
}

/* Mapped before the device is attached: it would not wait. */
static void make_tables(struct way_back *back)
{
	struct receiver *receiver = back->receiver;

	must(ioas_create(back->iommufd, true, &receiver->ioas_id), "create IOAS");
	if (!back->without_ring)
		must(ioas_map_file(back->iommufd, receiver->ioas_id, receiver->memfd, 0,
				   receiver->size, receiver->ring.iova), "map memfd");
	must(hwpt_create(&receiver->device, receiver->ioas_id, &receiver->hwpt_id),
	     "create HWPT");
}

static void switch_over(struct way_back *back)
{
	event_ask("switching");
	must(device_attach(&back->receiver->device, back->receiver->hwpt_id), "switch");
	event_ask("switched");
}

static void finish(struct way_back *back)
{
	must(session_finish(back->session), "finish");
	event_ask("finished");
}

void back_take(struct way_back *back, enum back_step step)
{
	switch (step) {
	case BACK_DRIVER:
		must(pci_bind_vfio(back->bdf), "bind vfio-pci");
		break;
	case BACK_SESSION:
		back->session = must(session_retrieve(SESSION_NAME), "retrieve session");
		break;
	case BACK_MEMORY:
		retrieve_memory(back);
		break;
	case BACK_IOMMUFD:
		back->iommufd = must(session_retrieve_fd(back->session, TOKEN_IOMMUFD),
				     "retrieve iommufd");
		break;
	case BACK_DEVICE:
		back->device_fd = must(session_retrieve_fd(back->session, TOKEN_DEVICE),
				       "retrieve device");
		break;
	case BACK_BIND:
		bind_device(back);
		break;
	case BACK_TABLES:
		make_tables(back);
		break;
	case BACK_SWITCH:
		switch_over(back);
		break;
	case BACK_FINISH:
		finish(back);
		break;
	case BACK_STEPS:
		break;
	}
}

static void take_steps(struct way_back *back, enum back_step from, enum back_step until)
{
	for (enum back_step step = from; step < until; step++)
		back_take(back, step);
}

void back_go_to(struct way_back *back, enum back_step until)
{
	take_steps(back, BACK_DRIVER, until);
}

void back_complete(struct way_back *back, enum back_step from)
{
	take_steps(back, from, BACK_STEPS);
}

void back_close_files(struct way_back *back)
{
	device_close(&back->receiver->device);
	close(back->iommufd);
	close(back->session);
}

void back_end(struct way_back *back)
{
	expect_growth(back->receiver);
	receiver_report_registers(back->receiver, back->bdf, "end");
	traffic_stop();
	receiver_report_landed(back->receiver);
	back_close_files(back);
}

void back_let_go(struct way_back *back)
{
	release(0);
	receiver_receive(back->receiver, TAKE_MS);
}

static void use(bool count)
{
	struct receiver receiver;

	receiver_set_up(&receiver);
	receiver.rearm = true;
	event("reopened");
	receiver_receive(&receiver, 500);
	check(receiver.taken.landed, "the card works afresh: %u frames", receiver.taken.landed);
	if (count)
		report_pages("afresh");
	traffic_stop();
	receiver_report_landed(&receiver);
	device_close(&receiver.device);
}

void use_afresh(void)
{
	use(true);
}

void use_elsewhere(void)
{
	use(false);
}

void expect_silence(struct receiver *receiver)
{
	__u32 before = receiver_scan(receiver).landed, after;

	sleep_ms(500);
	after = receiver_scan(receiver).landed;
	check(after == before, "nothing lands any more: %u, then %u", before, after);
}

/* Of a card that is idle vfio-pci takes the power, and the registers cannot be read. */
static void expect_reset(const struct receiver *receiver, const char *bdf)
{
	volatile void *registers;
	struct nic_state state;
	char path[128], power[16];
	__u16 command = 0;
	size_t size;

	function_path(path, sizeof(path), bdf, "power/control");
	read_file(path, power, sizeof(power));
	function_write(bdf, "power/control", "on");
	pci_config_read(bdf, PCI_COMMAND, &command, sizeof(command));
	function_set_command(bdf, command | PCI_COMMAND_MEMORY);
	registers = pci_peek_registers(bdf, &size);
	if (!registers)
		give_up("map registers: %m");
	nic_read_state(receiver->model, registers, &state);
	munmap((void *)registers, size);
	check(!state.rctl && !state.rdbal && !state.rdlen,
	      "it was reset: rctl=0x%x rdbal=0x%x rdlen=0x%x", state.rctl, state.rdbal,
	      state.rdlen);
	function_set_command(bdf, command);
	function_write(bdf, "power/control", power);
}

void expect_stopped(struct way_back *back)
{
	__u16 command = PCI_COMMAND_MASTER;

	must(pci_config_read(back->bdf, PCI_COMMAND, &command, sizeof(command)), "config");
	check(!(command & PCI_COMMAND_MASTER), "bus mastering is off: command 0x%x", command);
	expect_silence(back->receiver);
	expect_reset(back->receiver, back->bdf);
	receiver_report_landed(back->receiver);
}
