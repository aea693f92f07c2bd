// SPDX-License-Identifier: GPL-2.0
#include <endian.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "nvme.h"

#define CAP		0x00
#define  CAP_TIMEOUT(cap)	((cap) >> 24 & 0xff)	/* in half seconds */
#define  CAP_STRIDE(cap)	((cap) >> 32 & 0xf)
#define CC		0x14
#define  CC_ENABLE	(1u << 0)
#define  CC_ENTRIES	(6u << 16 | 4u << 20)	/* of 64 and 16 bytes */
#define CSTS		0x1c
#define  CSTS_READY	(1u << 0)
#define  CSTS_FATAL	(1u << 1)
#define AQA		0x24
#define ASQ		0x28
#define ACQ		0x30
#define DOORBELLS	0x1000

#define ADMIN_CREATE_SQ		0x01
#define ADMIN_CREATE_CQ		0x05
#define ADMIN_IDENTIFY		0x06
#define ADMIN_SET_FEATURES	0x09
#define IO_WRITE		0x01
#define IO_READ			0x02

#define FEATURE_QUEUES		0x07
#define IDENTIFY_NAMESPACE	0x00
#define NAMESPACE		1
#define CONTIGUOUS		(1u << 0)
#define INTERRUPTS		(1u << 1)

#define MAGIC		0x31656d766e756c69ull	/* "ilunvme1" */
/*
 * Powers of two, so that counters may overflow. More commands can be under way than fit
 * into the queue: the controller reads some of them long after they were submitted.
 */
#define ADMIN_ENTRIES	16
#define SQ_ENTRIES	32
#define CQ_ENTRIES	64

enum { ADMIN, IO };

/* Pages of the memory for queues */
enum { PAGE_STATE, PAGE_ADMIN_SQ, PAGE_ADMIN_CQ, PAGE_SQ, PAGE_CQ, PAGE_IDENTIFY, PAGE_LISTS };

_Static_assert(sizeof(struct nvme_state) <= NVME_PAGE, "the state fits into its page");
_Static_assert(NVME_COMMANDS < CQ_ENTRIES, "there is room for all completions");

struct submission {
	__u8 opcode, flags;
	__le16 id;
	__le32 namespace;
	__le64 reserved, metadata, prp1, prp2;
	__le32 words[6];	/* 10 to 15 */
};

struct completion {
	__le32 result, reserved;
	__le16 sq_head, sq_id, id, status;	/* with the phase in its lowest bit */
};

/* ---- registers ---- */

static __u32 get(const volatile void *registers, unsigned int offset)
{
	return *(const volatile __u32 *)((const volatile char *)registers + offset);
}

static void put(volatile void *registers, unsigned int offset, __u32 value)
{
	*(volatile __u32 *)((volatile char *)registers + offset) = value;
}

static __u64 get64(const volatile void *registers, unsigned int offset)
{
	return get(registers, offset) | (__u64)get(registers, offset + 4) << 32;
}

static void put64(volatile void *registers, unsigned int offset, __u64 value)
{
	put(registers, offset, (__u32)value);
	put(registers, offset + 4, value >> 32);
}

/* All that was written to memory before is there when the controller hears of it. */
static void ring(const struct nvme *nvme, unsigned int number, __u32 value)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	put(nvme->registers, DOORBELLS + number * nvme->state->stride, value);
}

void nvme_read_registers(const volatile void *registers, struct nvme_registers *values)
{
	*values = (struct nvme_registers) {
		.configuration = get(registers, CC),
		.status = get(registers, CSTS),
		.admin_sizes = get(registers, AQA),
		.submission = get64(registers, ASQ),
		.completion = get64(registers, ACQ),
	};
}

static int wait_for(const struct nvme *nvme, __u32 ready)
{
	unsigned int tries = (CAP_TIMEOUT(get64(nvme->registers, CAP)) + 1) * 500;

	for (; tries; tries--) {
		__u32 status = get(nvme->registers, CSTS);

		if (status & CSTS_FATAL)
			return -EIO;
		if ((status & CSTS_READY) == ready)
			return 0;
		usleep(1000);
	}
	return -ETIMEDOUT;
}

/* ---- memory ---- */

static void *page(const struct nvme *nvme, unsigned int number)
{
	return (char *)nvme->queues.address + number * NVME_PAGE;
}

static __u64 page_iova(const struct nvme *nvme, unsigned int number)
{
	return nvme->queues.iova + number * NVME_PAGE;
}

static unsigned int number_of(const struct nvme *nvme, const struct nvme_command *command)
{
	return command - nvme->state->commands;
}

void *nvme_buffer(const struct nvme *nvme, const struct nvme_command *command)
{
	return (char *)nvme->buffers.address + number_of(nvme, command) * NVME_TRANSFER;
}

void nvme_init(struct nvme *nvme, volatile void *registers, struct nvme_memory queues,
	       struct nvme_memory buffers)
{
	*nvme = (struct nvme) {
		.registers = registers,
		.queues = queues,
		.buffers = buffers,
		.state = queues.address,
	};
}

/* ---- completions ---- */

/* The one of this number since the beginning, or NULL if it is not there so far. */
static const struct completion *completion_at(const struct completion *entries,
					      unsigned int size, __u32 number)
{
	const struct completion *entry = &entries[number % size];
	__u16 status = le16toh(__atomic_load_n(&entry->status, __ATOMIC_ACQUIRE));

	/* The phase is 1 in the first round, and another one in each. */
	return (status & 1) == !(number / size & 1) ? entry : NULL;
}

unsigned int nvme_found(const struct nvme *nvme)
{
	unsigned int count = 0;

	while (count < CQ_ENTRIES && completion_at(page(nvme, PAGE_CQ), CQ_ENTRIES,
						    nvme->state->io.completed + count))
		count++;
	return count;
}

/* Its head is an index; a queue is never full, so the way to it is unique. */
static void note_fetched(struct nvme_queue *queue, unsigned int size, __u16 head)
{
	queue->fetched += (head - queue->fetched) & (size - 1);
}

/* ---- the admin queue: one command at a time ---- */

static int admin(struct nvme *nvme, const struct submission *command)
{
	struct nvme_queue *queue = &nvme->state->admin;
	struct submission *entries = page(nvme, PAGE_ADMIN_SQ);
	const struct completion *done;

	entries[queue->submitted++ % ADMIN_ENTRIES] = *command;
	ring(nvme, 2 * ADMIN, queue->submitted % ADMIN_ENTRIES);
	for (int tries = 0; tries < 5000; tries++) {
		done = completion_at(page(nvme, PAGE_ADMIN_CQ), ADMIN_ENTRIES, queue->completed);
		if (done)
			break;
		usleep(1000);
	}
	if (!done)
		return -ETIMEDOUT;
	queue->completed++;
	ring(nvme, 2 * ADMIN + 1, queue->completed % ADMIN_ENTRIES);
	return le16toh(done->status) >> 1 ? -EIO : 0;
}

/* Of the namespace: its size, and the format that it has */
static int identify(struct nvme *nvme)
{
	struct nvme_state *state = nvme->state;
	const __u8 *data = page(nvme, PAGE_IDENTIFY);
	struct submission command = {
		.opcode = ADMIN_IDENTIFY,
		.namespace = htole32(NAMESPACE),
		.prp1 = htole64(page_iova(nvme, PAGE_IDENTIFY)),
		.words = { htole32(IDENTIFY_NAMESPACE) },
	};
	unsigned int shift;
	int error = admin(nvme, &command);

	if (error)
		return error;
	memcpy(&state->blocks, data, sizeof(state->blocks));
	state->blocks = le64toh(state->blocks);
	shift = data[128 + 4 * (data[26] & 0xf) + 2];
	if (!state->blocks || shift < 9 || shift > 12)
		return -ENODEV;
	state->block_size = 1u << shift;
	state->blocks_at_once = NVME_TRANSFER >> shift;
	return 0;
}

static int ask_for_queues(struct nvme *nvme)
{
	struct submission command = {
		.opcode = ADMIN_SET_FEATURES,
		.words = { htole32(FEATURE_QUEUES), htole32(0) },	/* one of each */
	};

	return admin(nvme, &command);
}

static int create_completion_queue(struct nvme *nvme)
{
	struct submission command = {
		.opcode = ADMIN_CREATE_CQ,
		.prp1 = htole64(page_iova(nvme, PAGE_CQ)),
		.words = {
			htole32((CQ_ENTRIES - 1) << 16 | IO),
			htole32(NVME_VECTOR_IO << 16 | INTERRUPTS | CONTIGUOUS),
		},
	};

	return admin(nvme, &command);
}

static int create_submission_queue(struct nvme *nvme)
{
	struct submission command = {
		.opcode = ADMIN_CREATE_SQ,
		.prp1 = htole64(page_iova(nvme, PAGE_SQ)),
		.words = {
			htole32((SQ_ENTRIES - 1) << 16 | IO),
			htole32(IO << 16 | CONTIGUOUS),
		},
	};

	return admin(nvme, &command);
}

/* ---- start, stop, and neither ---- */

int nvme_stop(struct nvme *nvme)
{
	put(nvme->registers, CC, 0);
	return wait_for(nvme, 0);
}

static void enable(struct nvme *nvme)
{
	volatile void *registers = nvme->registers;

	put(registers, AQA, (ADMIN_ENTRIES - 1) << 16 | (ADMIN_ENTRIES - 1));
	put64(registers, ASQ, page_iova(nvme, PAGE_ADMIN_SQ));
	put64(registers, ACQ, page_iova(nvme, PAGE_ADMIN_CQ));
	put(registers, CC, nvme->state->configuration);
}

int nvme_start(struct nvme *nvme)
{
	struct nvme_state *state = nvme->state;
	int error;

	memset(nvme->queues.address, 0, NVME_QUEUES_SIZE);
	state->configuration = CC_ENTRIES | CC_ENABLE;
	state->stride = 4u << CAP_STRIDE(get64(nvme->registers, CAP));
	enable(nvme);
	error = wait_for(nvme, CSTS_READY);
	if (!error)
		error = identify(nvme);
	if (!error)
		error = ask_for_queues(nvme);
	if (!error)
		error = create_completion_queue(nvme);
	if (!error)
		error = create_submission_queue(nvme);
	if (!error)
		state->magic = MAGIC;
	return error;
}

static bool is_the_same(const struct nvme *nvme)
{
	struct nvme_registers now;

	nvme_read_registers(nvme->registers, &now);
	return nvme->state->magic == MAGIC && now.configuration == nvme->state->configuration &&
	       (now.status & (CSTS_READY | CSTS_FATAL)) == CSTS_READY &&
	       now.submission == page_iova(nvme, PAGE_ADMIN_SQ) &&
	       now.completion == page_iova(nvme, PAGE_ADMIN_CQ);
}

/* ---- reads and writes ---- */

static void ring_submissions(struct nvme *nvme)
{
	struct nvme_queue *queue = &nvme->state->io;

	if (queue->rung == queue->submitted)
		return;
	ring(nvme, 2 * IO, queue->submitted % SQ_ENTRIES);
	queue->rung = queue->submitted;
}

/* The first page, and the second one or a list of all but the first */
static void set_buffer(const struct nvme *nvme, const struct nvme_command *command,
		       struct submission *entry)
{
	unsigned int number = number_of(nvme, command);
	__u64 iova = nvme->buffers.iova + number * NVME_TRANSFER;
	unsigned int pages = (command->count * nvme->state->block_size + NVME_PAGE - 1) / NVME_PAGE;
	__le64 *list = page(nvme, PAGE_LISTS + number);

	for (unsigned int i = 1; i < pages; i++)
		list[i - 1] = htole64(iova + i * NVME_PAGE);
	entry->prp1 = htole64(iova);
	if (pages > 1)
		entry->prp2 = pages == 2 ? list[0] : htole64(page_iova(nvme, PAGE_LISTS + number));
}

/* It counts once submitted does; until then the next program sends it again. */
static void send(struct nvme *nvme, struct nvme_command *command)
{
	struct nvme_queue *queue = &nvme->state->io;
	struct submission *entries = page(nvme, PAGE_SQ), entry = {
		.opcode = command->write ? IO_WRITE : IO_READ,
		.id = htole16(number_of(nvme, command)),
		.namespace = htole32(NAMESPACE),
		.words = {
			htole32((__u32)command->block),
			htole32(command->block >> 32),
			htole32(command->count - 1),
		},
	};

	set_buffer(nvme, command, &entry);
	entries[queue->submitted % SQ_ENTRIES] = entry;
	command->place = queue->submitted;
	__atomic_store_n(&command->progress, NVME_SENT, __ATOMIC_RELEASE);
	__atomic_store_n(&queue->submitted, queue->submitted + 1, __ATOMIC_RELEASE);
}

static void send_waiting(struct nvme *nvme)
{
	struct nvme_state *state = nvme->state;

	for (int i = 0; i < NVME_COMMANDS; i++) {
		if (state->io.submitted - state->io.fetched == SQ_ENTRIES - 1)
			break;
		if (state->commands[i].progress == NVME_WAITING)
			send(nvme, &state->commands[i]);
	}
	ring_submissions(nvme);
}

int nvme_resume(struct nvme *nvme)
{
	struct nvme_state *state = nvme->state;

	if (!is_the_same(nvme))
		return -EIO;
	for (int i = 0; i < NVME_COMMANDS; i++) {
		struct nvme_command *command = &state->commands[i];

		if (command->progress == NVME_SENT && command->place == state->io.submitted)
			command->progress = NVME_WAITING;
	}
	ring_submissions(nvme);
	return 0;
}

static struct nvme_command *find(struct nvme *nvme, enum nvme_progress progress)
{
	for (int i = 0; i < NVME_COMMANDS; i++)
		if (nvme->state->commands[i].progress == progress)
			return &nvme->state->commands[i];
	return NULL;
}

struct nvme_command *nvme_get(struct nvme *nvme)
{
	return find(nvme, NVME_FREE);
}

void nvme_submit(struct nvme *nvme, struct nvme_command *command)
{
	__atomic_store_n(&command->progress, NVME_WAITING, __ATOMIC_RELEASE);
	send_waiting(nvme);
}

/* First the command, then the counter: who dies in between has the next one do it again. */
static void take(struct nvme *nvme, const struct completion *entry)
{
	struct nvme_queue *queue = &nvme->state->io;
	unsigned int number = le16toh(entry->id);
	struct nvme_command *command = &nvme->state->commands[number];

	if (number < NVME_COMMANDS && command->progress == NVME_SENT) {
		command->status = le16toh(entry->status) >> 1;
		__atomic_store_n(&command->progress, NVME_DONE, __ATOMIC_RELEASE);
	}
	note_fetched(queue, SQ_ENTRIES, le16toh(entry->sq_head));
	__atomic_store_n(&queue->completed, queue->completed + 1, __ATOMIC_RELEASE);
}

unsigned int nvme_poll(struct nvme *nvme)
{
	struct nvme_queue *queue = &nvme->state->io;
	const struct completion *entry;
	unsigned int count = 0;

	for (; (entry = completion_at(page(nvme, PAGE_CQ), CQ_ENTRIES, queue->completed)); count++)
		take(nvme, entry);
	if (count)
		ring(nvme, 2 * IO + 1, queue->completed % CQ_ENTRIES);
	send_waiting(nvme);
	return count;
}

struct nvme_command *nvme_done(struct nvme *nvme)
{
	return find(nvme, NVME_DONE);
}

void nvme_put(struct nvme_command *command)
{
	__atomic_store_n(&command->progress, NVME_FREE, __ATOMIC_RELEASE);
}

unsigned int nvme_count(const struct nvme *nvme, enum nvme_progress progress)
{
	unsigned int count = 0;

	for (int i = 0; i < NVME_COMMANDS; i++)
		count += nvme->state->commands[i].progress == progress;
	return count;
}
