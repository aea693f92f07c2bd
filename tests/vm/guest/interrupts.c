// SPDX-License-Identifier: GPL-2.0
/*
 * A program on the library whose only reason to look at its ring is the interrupt, and a
 * card that raises it once, until that is acknowledged. One that was raised before they
 * were off and that nobody has served is gone with the kernel that had its eventfd: the
 * card raises no other, and the next program sleeps for ever, unless each is fired once.
 * With inject=no they are not.
 */
#include <errno.h>
#include <linux/vfio.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "events.h"
#include "machine.h"
#include "old_image.h"
#include "pages.h"
#include "scenarios.h"
#include "vmm.h"

/* Of the ring, and one that the card never raises */
enum { RECEIVE, OTHER, VECTORS };

#define WORK_MS		500
/* Frames enough, and longer than an interrupt is on its way. */
#define PAUSE_MS	200
#define WAKE_UP_MS	3000

struct program {
	struct ilu *ilu;
	struct ilu_device *device;
	struct receiver receiver;
	char bdf[BDF_LENGTH];
	int events[VECTORS];
};

/* ---- one program for both kernels ---- */

static void begin(struct program *program)
{
	struct receiver *receiver = &program->receiver;

	memset(program, 0, sizeof(*program));
	program->ilu = ilu_new(NULL);
	receiver_choose(receiver);
	must(pci_find(receiver->model->vendor, receiver->model->device, 0, program->bdf),
	     "find the network card");
}

/* The ring lies in several memories, one behind the other. */
static size_t piece_of(const struct program *program)
{
	return program->receiver.size / option_number("memories", 1);
}

static const char *piece_name(size_t offset)
{
	static char name[32];

	snprintf(name, sizeof(name), "ring at %zu", offset);
	return name;
}

static void add_piece(const struct program *program, struct ilu_space *dma, size_t offset)
{
	size_t piece = piece_of(program);
	struct ilu_memory *memory = ilu_memory_create(program->ilu, piece_name(offset), piece, NULL);

	must_ilu(program->ilu, !memory, "memory");
	must_ilu(program->ilu, ilu_map(dma, RING_IOVA + offset, memory, 0, piece, ILU_MAP_RW),
		 "map");
}

static void set_up(struct program *program)
{
	struct ilu_space *dma = ilu_space_create(program->ilu, "dma");

	must_ilu(program->ilu, !dma, "space");
	for (size_t at = 0; at < program->receiver.size; at += piece_of(program))
		add_piece(program, dma, at);
	must_ilu(program->ilu, !ilu_device_open(program->ilu, "nic", program->bdf, dma),
		 "open the card");
}

static void map_piece(const struct program *program, char *place, size_t offset)
{
	struct ilu_memory *memory = ilu_memory(program->ilu, piece_name(offset));

	must_ilu(program->ilu, !memory, "find a memory");
	if (mmap(place + offset, piece_of(program), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		 ilu_memory_fd(memory), 0) == MAP_FAILED)
		give_up("map a memory: %m");
}

static void *map_ring(const struct program *program)
{
	size_t size = program->receiver.size;
	char *place = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (place == MAP_FAILED)
		give_up("room for the ring: %m");
	for (size_t at = 0; at < size; at += piece_of(program))
		map_piece(program, place, at);
	return place;
}

static void find(struct program *program)
{
	struct receiver *receiver = &program->receiver;

	receiver->ring.memory = map_ring(program);
	program->device = vmm_find_card(program->ilu, "nic", receiver);
}

static void arm(struct program *program, unsigned int flags)
{
	for (int i = 0; i < VECTORS; i++)
		program->events[i] = must(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd");
	must_ilu(program->ilu, ilu_device_irqs(program->device, VFIO_PCI_MSIX_IRQ_INDEX, VECTORS,
					       program->events, flags), "arm interrupts");
}

static unsigned int count_of(const struct program *program, int vector)
{
	eventfd_t count = 0;

	eventfd_read(program->events[vector], &count);
	return count;
}

static bool sleep_until_woken(const struct program *program, int milliseconds)
{
	struct pollfd event = { .fd = program->events[RECEIVE], .events = POLLIN };

	return poll(&event, 1, milliseconds) == 1;
}

/* In this order: what lands after the look raises the vector again. */
static void serve(struct program *program)
{
	nic_acknowledge(program->receiver.device.registers, RECEIVE);
	receiver_take(&program->receiver);
}

/* Nothing but an interrupt makes it look. */
static void work(struct program *program, int milliseconds)
{
	long long end = monotonic_ns() + milliseconds * 1000000LL;
	__u32 before = program->receiver.taken.landed;
	unsigned int wake_ups = 0;

	for (long long left; (left = end - monotonic_ns()) > 0; wake_ups++) {
		if (!sleep_until_woken(program, left / 1000000 + 1))
			break;
		count_of(program, RECEIVE);
		serve(program);
	}
	check(wake_ups > 1 && program->receiver.taken.landed > before,
	      "frames come by interrupts alone: %u wake-ups, %u frames", wake_ups,
	      program->receiver.taken.landed - before);
}

/* It does not look any more, and the card raises the last interrupt that it will. */
static void pause_program(void)
{
	sleep_ms(PAUSE_MS);
}

static bool has_frames(const struct program *program)
{
	const struct receiver *receiver = &program->receiver;

	return nic_slot_is_full(receiver->model, &receiver->ring, receiver->next_slot);
}

/* The emulated card sends one late that was held back while they were off, so there may be two. */
static void expect_wake_up(struct program *program, unsigned int most, const char *when)
{
	__u32 before = program->receiver.taken.landed, landed;
	unsigned int receive, other;

	check(has_frames(program), "frames wait %s", when);
	sleep_until_woken(program, WAKE_UP_MS);
	receive = count_of(program, RECEIVE);
	other = count_of(program, OTHER);
	check(receive && receive <= most && other == 1, "each vector is fired once %s: %u and %u",
	      when, receive, other);
	if (!receive)
		return;
	serve(program);
	landed = program->receiver.taken.landed - before;
	check(landed >= PAUSE_MS * option_number("rate", 1000) / 2000,
	      "all frames are found %s: %u", when, landed);
}

/* ---- the old kernel ---- */

static void start(struct program *program)
{
	struct receiver *receiver = &program->receiver;

	receiver_fill_pattern(receiver);
	arm(program, 0);
	vmm_start_card(program->ilu, program->device, receiver);
	nic_start_interrupts(receiver->device.registers, RECEIVE);
	receiver->rearm = true;
}

static void expect_silence_while_off(struct program *program)
{
	must_ilu(program->ilu, ilu_quiesce(program->ilu), "interrupts off");
	count_of(program, RECEIVE);
	serve(program);
	pause_program();
	check(has_frames(program) && !count_of(program, RECEIVE) && !count_of(program, OTHER),
	      "frames land while the interrupts are off, and nobody hears of it");
}

static void expect_refused_kexec(struct program *program)
{
	must(load_image_without_data(), "load an image without KHO data");
	must_ilu(program->ilu, ilu_preserve(program->ilu), "preserve");
	expect_silence_while_off(program);
	check_errno(ilu_kexec(program->ilu), EINVAL, "kexec into an image without KHO data");
	expect_wake_up(program, 2, "after a refused kexec");
	work(program, WORK_MS);
}

void interrupts_old_kernel(void)
{
	struct program program;

	begin(&program);
	receiver_find_device(&program.receiver, 0, program.bdf);
	must_ilu(program.ilu, ilu_session_open(program.ilu, SESSION_NAME), "open the session");
	set_up(&program);
	find(&program);
	start(&program);
	receiver_report_registers(&program.receiver, program.bdf, "armed");
	report_pages("base");
	traffic_start(&program.receiver);
	work(&program, WORK_MS);
	expect_refused_kexec(&program);
	vmm_load_kernel(program.ilu);
	serve(&program);
	pause_program();
	check(count_of(&program, RECEIVE), "an interrupt was raised that nobody serves");
	event_ask("kexec-call");
	must_ilu(program.ilu, ilu_kexec(program.ilu), "kexec");
}

/* ---- the next one ---- */

static void restore(struct program *program)
{
	must(pci_bind_vfio(program->bdf), "bind vfio-pci");
	must_ilu(program->ilu, ilu_session_open(program->ilu, SESSION_NAME), "open the session");
	check(ilu_role(program->ilu) == ILU_ROLE_INCOMING, "the session came in");
	event_ask("switching");
	must_ilu(program->ilu, ilu_restore(program->ilu), "restore");
	event_ask("switched");
	find(program);
	receiver_resume(&program->receiver);
}

static void finish(struct program *program)
{
	must_ilu(program->ilu, ilu_finish(program->ilu), "finish");
	event_ask("finished");
	report_pages("finished");
}

void interrupts_new_kernel(void)
{
	bool inject = strcmp(option_text("inject", "yes"), "no");
	struct program program;

	begin(&program);
	receiver_report_registers(&program.receiver, program.bdf, "after");
	restore(&program);
	arm(&program, inject ? ILU_IRQ_INJECT : 0);
	expect_wake_up(&program, 1, "in the next kernel");
	work(&program, WORK_MS);
	finish(&program);
	work(&program, WORK_MS);
	receiver_report_registers(&program.receiver, program.bdf, "end");
	traffic_stop();
	receiver_report_landed(&program.receiver);
	ilu_free(program.ilu);
}
