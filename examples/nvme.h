/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A small NVMe driver: the admin queue, and one pair of queues for reads and writes of the
 * first namespace. What it has to know is in the memory that the controller uses, or
 * follows from it. So whoever has this memory goes on where the one before has stopped,
 * wherever that was: commands that wait, that are with the controller, that are done. The
 * controller is not told.
 *
 * Every function returns 0 or a negative errno unless it says otherwise; nothing prints.
 */
#ifndef EXAMPLES_NVME_H
#define EXAMPLES_NVME_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#define NVME_COMMANDS	60		/* at a time */
#define NVME_TRANSFER	(64u << 10)	/* bytes of one, at most */
#define NVME_VECTORS	2		/* of MSI-X: the admin queue's, and the other one's */
#define NVME_VECTOR_IO	1

enum nvme_progress {
	NVME_FREE,
	NVME_WAITING,	/* for room in the queue */
	NVME_SENT,	/* it is the controller's */
	NVME_DONE,
};

struct nvme_command {
	__u32 progress;
	__u32 place;		/* in the queue, counted from the first ever */
	__u32 status;		/* of one that is done; 0 is success */
	__u32 write;
	__u64 block;
	__u64 version;		/* for the program, as are the next */
	__u32 count;		/* of blocks */
};

/* Counted since the queue was made, so they tell the place, and the phase as well. */
struct nvme_queue {
	__u32 submitted;	/* the tail */
	__u32 rung;		/* of these, told to the controller */
	__u32 fetched;		/* of these, known to be read by it */
	__u32 completed;	/* the head of the other queue */
};

/* Where this one and the next program find everything */
struct nvme_state {
	__u64 magic;
	__u32 configuration;	/* CC while it runs */
	__u32 stride;		/* between doorbells */
	__u32 block_size;
	__u32 blocks_at_once;
	__u64 blocks;
	struct nvme_queue admin, io;
	struct nvme_command commands[NVME_COMMANDS];
};

/* Memory as it is here, and as the controller sees it */
struct nvme_memory {
	void *address;
	__u64 iova;
};

struct nvme {
	volatile void *registers;	/* BAR 0 */
	struct nvme_memory queues;	/* NVME_QUEUES_SIZE */
	struct nvme_memory buffers;	/* NVME_BUFFERS_SIZE */
	struct nvme_state *state;	/* at the beginning of the queues */
};

#define NVME_PAGE		4096
#define NVME_QUEUES_SIZE	((6 + NVME_COMMANDS) * NVME_PAGE)
#define NVME_BUFFERS_SIZE	(NVME_COMMANDS * NVME_TRANSFER)

/* What a reset, or a new owner, would have changed */
struct nvme_registers {
	__u32 configuration, status, admin_sizes;
	__u64 submission, completion;
};

void nvme_init(struct nvme *nvme, volatile void *registers, struct nvme_memory queues,
	       struct nvme_memory buffers);

/*
 * The controller forgets all that it knows. Before bus mastering is switched on: what was
 * before may have left it running.
 */
int nvme_stop(struct nvme *nvme);
/* Bus mastering is on, and so is MSI-X. -ENODEV: no namespace that this driver understands */
int nvme_start(struct nvme *nvme);
/*
 * Instead of both, with memory of a program that has gone: nothing is written to the
 * controller but what that one had not told it any more. -EIO: it is not the controller
 * that this memory belongs to, or it does not run any more.
 */
int nvme_resume(struct nvme *nvme);

/* A command that nobody uses, or NULL. */
struct nvme_command *nvme_get(struct nvme *nvme);
void *nvme_buffer(const struct nvme *nvme, const struct nvme_command *command);
/* With block, count and write set, and the data of a write in its buffer. */
void nvme_submit(struct nvme *nvme, struct nvme_command *command);
/* What the controller has done since; returns how many commands that are. */
unsigned int nvme_poll(struct nvme *nvme);
/* One that is done, or NULL; it is the program's until it is submitted or put. */
struct nvme_command *nvme_done(struct nvme *nvme);
void nvme_put(struct nvme_command *command);

unsigned int nvme_count(const struct nvme *nvme, enum nvme_progress progress);
/* Entries of the completion queue that nobody has looked at. Reads memory, no more. */
unsigned int nvme_found(const struct nvme *nvme);
/* Reading disturbs nothing, so they may come from pci_peek_registers(). */
void nvme_read_registers(const volatile void *registers, struct nvme_registers *values);

#endif
