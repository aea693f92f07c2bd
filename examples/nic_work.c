// SPDX-License-Identifier: GPL-2.0
/* A network card receives; how many frames there were is said every ten seconds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "device.h"
#include "nic.h"
#include "work.h"

#define IOVA		0x10000000ull
#define SLOTS		16384
#define TWO_MIB		(2ul << 20)
#define PAUSE_US	20000
#define REPORT_S	10

struct work {
	char bdf[BDF_LENGTH];
	const struct nic_model *model;
	volatile void *registers;
	struct rx_ring ring;
	__u32 next_slot;
	unsigned long frames;
	time_t reported;
};

struct work *work_new(const char *bdf)
{
	struct work *work = calloc(1, sizeof(*work));

	if (!work)
		return NULL;
	snprintf(work->bdf, sizeof(work->bdf), "%s", bdf);
	work->model = nic_identify(bdf);
	if (!work->model || pci_bind_vfio(bdf)) {
		free(work);
		return NULL;
	}
	rx_ring_init(&work->ring, work->model, IOVA, SLOTS);
	return work;
}

int work_set_up(struct work *work, struct ilu *ilu)
{
	size_t size = (rx_ring_size(&work->ring) + TWO_MIB - 1) & ~(TWO_MIB - 1);
	struct ilu_memory *memory = ilu_memory_create(ilu, "ring", size, NULL);
	struct ilu_space *space = memory ? ilu_space_create(ilu, "dma") : NULL;

	if (!space || ilu_map(space, IOVA, memory, 0, size, ILU_MAP_RW) ||
	    !ilu_device_open(ilu, "nic", work->bdf, space))
		return ilu_error(ilu)->err;
	return 0;
}

/* The reset first: bus mastering is off until the card has forgotten what it did before. */
static int start(const struct work *work, struct ilu_device *device)
{
	int error;

	rx_ring_fill_descriptors(&work->ring);
	error = nic_reset(work->model, work->registers);
	if (!error)
		error = ilu_device_allow_dma(device);
	if (!error)
		nic_start_receive(work->model, work->registers, &work->ring);
	return error;
}

int work_begin(struct work *work, struct ilu *ilu, bool incoming)
{
	struct ilu_memory *memory = ilu_memory(ilu, "ring");
	struct ilu_device *device = ilu_device(ilu, "nic");
	int error;

	work->ring.memory = memory ? ilu_memory_address(memory) : NULL;
	work->registers = device ? ilu_device_bar(device, 0, NULL) : NULL;
	if (!work->ring.memory || !work->registers)
		return ilu_error(ilu)->err;
	error = incoming ? 0 : start(work, device);
	if (!error)
		work->next_slot = nic_next_slot(work->model, work->registers, &work->ring);
	return error;
}

static void take_frames(struct work *work)
{
	const struct rx_ring *ring = &work->ring;

	while (nic_slot_is_full(work->model, ring, work->next_slot)) {
		rx_ring_fill_descriptor(ring, work->next_slot);
		work->next_slot = (work->next_slot + 1) % ring->slots;
		work->frames++;
	}
	nic_give_back(work->model, work->registers, ring, work->next_slot);
}

void work_go_on(struct work *work)
{
	time_t now = time(NULL);

	take_frames(work);
	if (now >= work->reported + REPORT_S) {
		printf("%lu frames received\n", work->frames);
		fflush(stdout);
		work->reported = now;
	}
	usleep(PAUSE_US);
}

void work_hear(struct work *work, enum work_event event)
{
	static const char *const words[] = {
		[WORK_RESTORING] = "comes back",
		[WORK_RESTORED] = "is on page tables of this kernel",
		[WORK_FINISHED] = "is back, the live update is finished",
	};

	printf("%s %s\n", work->bdf, words[event]);
	fflush(stdout);
}
