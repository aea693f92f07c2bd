// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "events.h"
#include "function.h"
#include "frame.h"
#include "interrupt_buffer.h"
#include "machine.h"
#include "receiver.h"

#define MEMORY_ALIGNMENT	(2ul << 20)
#define PCI_PRIMARY_BUS		0x18
#define SETTLE_MS		200
/* Longer than a frame is under way from the host to memory. */
#define RELEASE_MS		100
#define DETAILS_MAX		8
/* Frames go on arriving while slots are looked at. */
#define BITE_SLOTS		256
#define BITE_EVERY_MS		20

void receiver_choose(struct receiver *receiver)
{
	memset(receiver, 0, sizeof(*receiver));
	receiver->memfd = -1;
	receiver->model = nic_model(option_text("nic", "igb"));
	if (!receiver->model)
		give_up("unknown network card");
	receiver->ring.iova = RING_IOVA;
	receiver->ring.slot_size = receiver->model->slot_size;
	receiver->ring.slot_stride = option_number("stride", receiver->model->slot_size);
	receiver_choose_slots(receiver, option_number("slots", 32768));
}

void receiver_choose_slots(struct receiver *receiver, __u32 slots)
{
	receiver->ring.slots = slots;
	receiver->size = (rx_ring_size(&receiver->ring) + MEMORY_ALIGNMENT - 1) &
			 ~(MEMORY_ALIGNMENT - 1);
}

/* The host judges config writes by these places. */
static void report_function(const char *bdf, const char *role)
{
	__u32 buses = 0;

	must(pci_config_read(bdf, PCI_PRIMARY_BUS, &buses, sizeof(buses)), "bus numbers");
	event("function bdf=%s role=%s pcie=0x%x pm=0x%x ats=0x%x pri=0x%x pasid=0x%x buses=0x%x",
	      bdf, role, pci_find_capability(bdf, PCI_CAP_EXPRESS),
	      pci_find_capability(bdf, PCI_CAP_POWER),
	      pci_find_extended(bdf, PCI_EXTENDED_ATS), pci_find_extended(bdf, PCI_EXTENDED_PRI),
	      pci_find_extended(bdf, PCI_EXTENDED_PASID), buses & 0xffffff);
}

static void report_bridges_above(const char *bdf, const char *role)
{
	char link[128], path[512] = "", *at;
	ssize_t length;

	snprintf(link, sizeof(link), "/sys/bus/pci/devices/%s", bdf);
	length = readlink(link, path, sizeof(path) - 1);
	if (length < 0)
		return;
	path[length] = '\0';
	for (at = strtok(path, "/"); at; at = strtok(NULL, "/"))
		if (strlen(at) == 12 && at[4] == ':' && strcmp(at, bdf))
			report_function(at, role);
}

void report_preserved_function(const char *bdf, const char *role)
{
	report_bridges_above(bdf, "bridge");
	report_function(bdf, role);
}

void receiver_find_device(struct receiver *receiver, int nth, char *bdf)
{
	must(pci_find(receiver->model->vendor, receiver->model->device, nth, bdf),
	     "find the network card");
	must(pci_bind_vfio(bdf), "bind vfio-pci");
	if (nth && strcmp(option_text("second", "stray"), "preserved")) {
		report_bridges_above(bdf, "other");
		report_function(bdf, "other");
	} else {
		report_preserved_function(bdf, nth ? "second" : "device");
	}
}

void receiver_map_memory(struct receiver *receiver)
{
	receiver->ring.memory = mmap(NULL, receiver->size, PROT_READ | PROT_WRITE, MAP_SHARED,
				     receiver->memfd, 0);
	if (receiver->ring.memory == MAP_FAILED)
		give_up("mmap of the ring: %m");
}

/* Writing to all of it also makes every page present before it is mapped. */
void receiver_fill_pattern(struct receiver *receiver)
{
	__u64 *words = receiver->ring.memory;

	for (size_t offset = 0; offset < receiver->size; offset += sizeof(*words))
		words[offset / sizeof(*words)] = pattern_word(offset);
	rx_ring_fill_descriptors(&receiver->ring);
	if (option_number("divert", 0))
		divert_slots(&receiver->ring);
}

void receiver_adopt_memory(struct receiver *receiver, int memfd)
{
	receiver->memfd = memfd;
	receiver_map_memory(receiver);
}

/* Through sysfs: nothing is opened and nothing is written. */
void receiver_report_registers(const struct receiver *receiver, const char *bdf,
			       const char *when)
{
	struct nic_state state;
	__u16 command = 0;
	volatile void *registers;
	size_t size;

	pci_config_read(bdf, PCI_COMMAND, &command, sizeof(command));
	if (!(command & PCI_COMMAND_MEMORY)) {
		event("registers when=%s command=0x%x", when, command);
		return;
	}
	registers = pci_peek_registers(bdf, &size);
	if (!registers) {
		event("registers when=%s command=0x%x unreadable=1", when, command);
		return;
	}
	nic_read_state(receiver->model, registers, &state);
	event("registers when=%s command=0x%x rctl=0x%x rdbal=0x%x rdlen=0x%x rdh=%u rdt=%u",
	      when, command, state.rctl, state.rdbal, state.rdlen, state.rdh, state.rdt);
	munmap((void *)registers, size);
}

static __u64 background(const struct receiver *receiver, size_t offset)
{
	return receiver->background_is_zero ? 0 : pattern_word(offset);
}

static bool background_is_intact(const struct receiver *receiver, size_t from, size_t to)
{
	const __u64 *words = receiver->ring.memory;

	for (size_t offset = from; offset < to; offset += sizeof(*words))
		if (words[offset / sizeof(*words)] != background(receiver, offset))
			return false;
	return true;
}

/* A run of consecutive numbers in consecutive slots. */
struct run {
	bool open;
	__u32 slot, first, last, stream;
};

static void report_run(struct run *run)
{
	if (run->open)
		event("landed slot=%u first=%u last=%u stream=%u", run->slot, run->first,
		      run->last, run->stream);
	run->open = false;
}

static void extend_run(struct run *run, __u32 slot, const struct frame *frame)
{
	if (run->open && frame->stream == run->stream && frame->sequence == run->last + 1) {
		run->last++;
		return;
	}
	report_run(run);
	*run = (struct run) {
		.open = true,
		.slot = slot,
		.first = frame->sequence,
		.last = frame->sequence,
		.stream = frame->stream,
	};
}

static void report_corruption(const struct receiver *receiver, size_t from, size_t to,
			      __u32 *corrupted)
{
	const __u64 *words = receiver->ring.memory;

	if ((*corrupted)++ >= DETAILS_MAX)
		return;
	while (from < to && words[from / 8] == background(receiver, from))
		from += 8;
	event("corrupted offset=0x%zx found=0x%llx", from, words[from / 8]);
}

/* A slot holds a whole frame and its untouched tail, or its untouched pattern. */
static void look_at_slot(const struct receiver *receiver, __u32 slot, struct run *run,
			 struct scan *scan)
{
	const struct rx_ring *ring = &receiver->ring;
	size_t start = rx_slot_offset(ring, slot), end = start + ring->slot_stride;
	const struct frame *frame = (void *)((char *)ring->memory + start);

	if (frame_is_intact(frame)) {
		scan->landed++;
		if (run)
			extend_run(run, slot, frame);
		start += sizeof(*frame);
	}
	if (background_is_intact(receiver, start, end))
		return;
	if (run)
		report_corruption(receiver, start, end, &scan->corrupted);
	else
		scan->corrupted++;
}

static struct scan walk(struct receiver *receiver, bool report)
{
	const struct rx_ring *ring = &receiver->ring;
	struct scan scan = { 0 };
	struct run run = { 0 };
	__u32 used = 0;

	for (__u32 slot = 0; slot < ring->slots; slot++) {
		__u32 before = scan.landed;

		look_at_slot(receiver, slot, report ? &run : NULL, &scan);
		if (scan.landed > before)
			used = slot + 1;
	}
	if (used > receiver->fullest)
		receiver->fullest = used;
	report_run(&run);
	if (!background_is_intact(receiver, rx_ring_size(ring), receiver->size))
		report_corruption(receiver, rx_ring_size(ring), receiver->size, &scan.corrupted);
	return scan;
}

static void restore_background(const struct receiver *receiver, __u32 slot)
{
	size_t offset = rx_slot_offset(&receiver->ring, slot);
	size_t end = offset + receiver->ring.slot_stride;
	__u64 *words = receiver->ring.memory;

	for (; offset < end; offset += sizeof(*words))
		words[offset / sizeof(*words)] = background(receiver, offset);
}

/*
 * A full slot without a frame: the card reached the descriptor and not the buffer.
 * Writes are posted, so it does not know.  The host knows when that may happen.
 */
static void take_slot(const struct receiver *receiver, __u32 slot, struct run *run,
		      struct scan *scan)
{
	struct scan before = *scan;

	look_at_slot(receiver, slot, run, scan);
	if (scan->landed == before.landed && scan->corrupted == before.corrupted)
		scan->hollow++;
}

static void give_back(struct receiver *receiver, __u32 until)
{
	const struct rx_ring *ring = &receiver->ring;

	if (until == receiver->next_slot)
		return;
	for (__u32 slot = receiver->next_slot; slot != until; slot = (slot + 1) % ring->slots) {
		restore_background(receiver, slot);
		rx_ring_fill_descriptor(ring, slot);
	}
	nic_give_back(receiver->model, receiver->device.registers, ring, until);
	receiver->next_slot = until;
}

/*
 * Told first, then given back: nothing is overwritten that the host has not
 * heard of.  Returns whether there may be more.
 */
static bool take_bite(struct receiver *receiver, struct scan *scan)
{
	const struct rx_ring *ring = &receiver->ring;
	__u32 next = receiver->next_slot;
	struct run run = { 0 };
	int count = 0;

	for (; count < BITE_SLOTS && nic_slot_is_full(receiver->model, ring, next); count++) {
		take_slot(receiver, next, &run, scan);
		next = (next + 1) % ring->slots;
	}
	report_run(&run);
	give_back(receiver, next);
	return count == BITE_SLOTS;
}

static void report_memory(const struct receiver *receiver, struct scan scan)
{
	event("memory landed=%u corrupted=%u hollow=%u stream=%u fullest=%u", scan.landed,
	      scan.corrupted, scan.hollow, receiver->stream, receiver->fullest);
}

static void take_full_slots(struct receiver *receiver)
{
	struct scan all = { 0 };

	while (take_bite(receiver, &all))
		;
	receiver->taken.landed += all.landed;
	receiver->taken.corrupted += all.corrupted;
	if (all.landed > receiver->fullest)
		receiver->fullest = all.landed;
	/* At once: this kernel may not live to see the end. */
	if (all.corrupted || all.hollow || all.landed + 2 >= receiver->ring.slots)
		report_memory(receiver, all);
}

void receiver_take(struct receiver *receiver)
{
	take_full_slots(receiver);
}

void receiver_receive(struct receiver *receiver, int milliseconds)
{
	long long end = monotonic_ns() + milliseconds * 1000000LL;

	if (!receiver->rearm) {
		sleep_ms(milliseconds);
		return;
	}
	while (monotonic_ns() < end) {
		take_full_slots(receiver);
		sleep_ms(BITE_EVERY_MS);
	}
}

void receiver_resume(struct receiver *receiver)
{
	receiver->rearm = true;
	receiver->next_slot = nic_next_slot(receiver->model, receiver->device.registers,
					    &receiver->ring);
}

static struct scan look(struct receiver *receiver, bool report)
{
	struct scan scan;

	if (receiver->rearm)
		take_full_slots(receiver);
	scan = walk(receiver, report);
	scan.landed += receiver->taken.landed;
	return scan;
}

struct scan receiver_scan(struct receiver *receiver)
{
	return look(receiver, false);
}

struct scan receiver_report_landed(struct receiver *receiver)
{
	struct scan scan = look(receiver, true);

	if (option_number("divert", 0))
		report_diverted(&receiver->ring);
	report_memory(receiver, scan);
	return scan;
}

void expect_growth(struct receiver *receiver)
{
	int rate = option_number("rate", 1000), look_ms = 1000;
	__u32 before = receiver_scan(receiver).landed, after;

	receiver_receive(receiver, look_ms);
	after = receiver_scan(receiver).landed;
	check(after - before >= (__u32)rate * look_ms / 2000,
	      "frames go on landing in the new kernel: %u, then %u", before, after);
}

void traffic_start(const struct receiver *receiver)
{
	event_ask("traffic-start slots=%u buffers=0x%llx stride=%u", receiver->ring.slots,
		  receiver->ring.iova + rx_slot_offset(&receiver->ring, 0),
		  receiver->ring.slot_stride);
}

void traffic_stop(void)
{
	event_ask("traffic-stop");
	/* QEMU may still hold a dozen frames. */
	sleep_ms(SETTLE_MS);
}

void release(unsigned int stream)
{
	event_ask("released stream=%u", stream);
	sleep_ms(RELEASE_MS);
}
