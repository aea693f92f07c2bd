// SPDX-License-Identifier: GPL-2.0
/*
 * A guest that reads a disk from its beginning to its end, again and again, with as many
 * reads under way as there can be. Each block says which one it is (disk.h): so the guest
 * itself knows which never came. What its driver has to know is in the guest's memory.
 */
#include <string.h>

#include "disk.h"
#include "guest.h"
#include "nvme.h"

#define VENDOR		0x1b36		/* QEMU's */
#define DEVICE		0x0010
/* Of the guest's memory; what is before it is for the queues. */
#define BUFFERS		(2ull << 20)
#define PIECE		(NVME_TRANSFER / DISK_BLOCK)

_Static_assert(NVME_QUEUES_SIZE <= BUFFERS && BUFFERS + NVME_BUFFERS_SIZE <= GUEST_MEMORY,
	       "the guest's memory has room for both");

static struct nvme disk_of(const struct guest *guest)
{
	struct nvme_memory queues = { guest->memory, GUEST_IOVA };
	struct nvme_memory buffers = { (char *)guest->memory + BUFFERS, GUEST_IOVA + BUFFERS };
	struct nvme disk;

	nvme_init(&disk, guest->bar, queues, buffers);
	return disk;
}

int guest_knows(struct guest *guest, uint16_t vendor, uint16_t id)
{
	(void)guest;
	return vendor == VENDOR && id == DEVICE;
}

int guest_reset(struct guest *guest)
{
	struct nvme disk = disk_of(guest);

	return nvme_stop(&disk);
}

static bool is_of_whole_pieces(const struct nvme_state *disk)
{
	return disk->block_size == DISK_BLOCK && disk->blocks_at_once >= PIECE &&
	       disk->blocks >= PIECE;
}

/* A disk that does not start is one of which everything is lost. */
void guest_boot(struct guest *guest)
{
	struct nvme disk = disk_of(guest);

	if (nvme_start(&disk) || !is_of_whole_pieces(disk.state))
		guest->state.lost++;
}

static void read_next(struct guest *guest, struct nvme *disk, struct nvme_command *command)
{
	uint64_t pieces = disk->state->blocks / PIECE;

	command->block = guest->state.next_number++ % pieces * PIECE;
	command->count = PIECE;
	command->write = 0;
	/* What was in the buffer before is not what was read. */
	memset(nvme_buffer(disk, command), 0, NVME_TRANSFER);
	nvme_submit(disk, command);
}

static void take_read(struct guest *guest, struct nvme *disk, struct nvme_command *command)
{
	unsigned int right = 0;

	if (!command->status)
		right = disk_differs(nvme_buffer(disk, command), command->block, 0, command->count);
	guest->state.work += right;
	guest->state.lost += command->count - right;
	nvme_put(command);
}

void guest_run(struct guest *guest)
{
	struct nvme disk = disk_of(guest);
	struct nvme_command *command;

	if (!is_of_whole_pieces(disk.state))
		return;
	nvme_poll(&disk);
	while ((command = nvme_done(&disk)))
		take_read(guest, &disk, command);
	while ((command = nvme_get(&disk)))
		read_next(guest, &disk, command);
}
