// SPDX-License-Identifier: GPL-2.0
/*
 * A disk under load while the kernel below is replaced: dozens of reads and writes are
 * under way at the kexec, the controller goes on with them while there is no kernel that
 * could help, and the next instance finds the completions and checks each block.
 *
 *	survive-nvme BDF				for some seconds
 *	survive-nvme BDF KERNEL INITRD COMMAND-LINE	the same, ends in the kexec
 *	survive-nvme image FILE				makes the disk's image: for QEMU's
 *							nvme, with throttling.iops-total=10
 *
 * One way for both kernels, as in survive.c. It writes to no disk but one that bears the
 * pattern of such an image. Its only reason to look is the interrupt of the queue.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>
#include <iommu-liveupdate.h>
#include <linux/vfio.h>

#include "device.h"
#include "disk.h"
#include "nvme.h"
#include "try.h"

#define QUEUES_IOVA	0x10000000ull
#define BUFFERS_IOVA	0x20000000ull
#define TALLY_SIZE	4096
#define SECONDS		5
/* One in so many commands writes, and reads again what it wrote. */
#define WRITES		8
/* The slowest disk has done something in this time. */
#define PATIENCE_MS	20000

/* The first half of the disk is read, the second one is written to, piece by piece. */
#define PIECE		(NVME_TRANSFER / DISK_BLOCK)

/* How far it is: in a memory of its own, which the disk does not reach */
struct tally {
	__u64 started, next_read, next_write, right, wrong;
	__u64 version;		/* of what is written now; the image has 0 */
	__u64 first_written;	/* piece of this version */
};

struct program {
	struct ilu *ilu;
	struct ilu_device *device;
	struct nvme nvme;
	struct tally *tally;
	int events[NVME_VECTORS];
};

/* ---- the disk ---- */

static __u64 half(const struct program *program)
{
	return program->nvme.state->blocks / 2;
}

/* Nothing that was in the buffer before may be taken for what was read. */
static void read_again(struct program *program, struct nvme_command *command)
{
	command->write = 0;
	memset(nvme_buffer(&program->nvme, command), 0xee, NVME_TRANSFER);
	nvme_submit(&program->nvme, command);
}

static void read_next(struct program *program, struct nvme_command *command)
{
	command->block = program->tally->next_read++ * PIECE % half(program);
	command->version = 0;
	command->count = PIECE;
	read_again(program, command);
}

static void write_next(struct program *program, struct nvme_command *command)
{
	command->block = half(program) + program->tally->next_write * PIECE;
	command->version = program->tally->version;
	command->count = PIECE;
	command->write = 1;
	disk_fill(nvme_buffer(&program->nvme, command), command->block, command->version, PIECE);
	nvme_submit(&program->nvme, command);
	/* Last: one that is written twice is the same. */
	program->tally->next_write++;
}

static bool has_room(const struct program *program)
{
	return half(program) + (program->tally->next_write + 1) * PIECE <=
	       program->nvme.state->blocks;
}

/* As many as there can be at a time */
static void submit_all(struct program *program)
{
	struct nvme_command *command;

	while ((command = nvme_get(&program->nvme))) {
		if (++program->tally->started % WRITES || !has_room(program))
			read_next(program, command);
		else
			write_next(program, command);
	}
}

static void complain(struct program *program, const struct nvme_command *command,
		     unsigned int at)
{
	program->tally->wrong++;
	printf("wrong: %s block %llu, status 0x%x\n", command->write ? "write" : "read",
	       (unsigned long long)command->block + at, command->status);
}

/* What was written is read again, and then it is as right as anything. */
static void judge(struct program *program, struct nvme_command *command)
{
	unsigned int at = 0;

	if (!command->status && command->write) {
		read_again(program, command);
		return;
	}
	if (!command->status)
		at = disk_differs(nvme_buffer(&program->nvme, command), command->block,
				  command->version, command->count);
	if (at == command->count)
		program->tally->right++;
	else
		complain(program, command, at);
	nvme_put(command);
}

static void take(struct program *program)
{
	struct nvme_command *command;

	nvme_poll(&program->nvme);
	while ((command = nvme_done(&program->nvme)))
		judge(program, command);
}

/* Sleeps until the controller says that there is something. */
static void wait_for_interrupt(const struct program *program)
{
	struct pollfd event = { .fd = program->events[NVME_VECTOR_IO], .events = POLLIN };
	eventfd_t count;

	try_system(poll(&event, 1, PATIENCE_MS) == 1 ? 0 : -ETIMEDOUT, "wait for an interrupt");
	eventfd_read(event.fd, &count);
}

static time_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec;
}

static void tell(const struct program *program, const char *what)
{
	printf("%s: %llu blocks of data right, %llu wrong, update %llu\n", what,
	       (unsigned long long)program->tally->right * PIECE,
	       (unsigned long long)program->tally->wrong,
	       (unsigned long long)ilu_generation(program->ilu));
	fflush(stdout);
}

static void work(struct program *program, int seconds)
{
	time_t end = now() + seconds;

	do {
		submit_all(program);
		wait_for_interrupt(program);
		take(program);
	} while (now() < end);
	tell(program, "worked");
}

/* Nothing new; but what was written is still read again. */
static void drain(struct program *program)
{
	while (nvme_count(&program->nvme, NVME_FREE) != NVME_COMMANDS) {
		wait_for_interrupt(program);
		take(program);
	}
	tell(program, "done");
}

/* ---- one way for both kernels ---- */

/* In the first kernel: what goes along from then on. */
static void set_up(struct program *program, const char *bdf)
{
	struct ilu *ilu = program->ilu;
	struct ilu_memory *queues = ilu_memory_create(ilu, "queues", NVME_QUEUES_SIZE, NULL);
	struct ilu_memory *buffers = ilu_memory_create(ilu, "buffers", NVME_BUFFERS_SIZE, NULL);
	struct ilu_space *space = ilu_space_create(ilu, "dma");

	try(program->ilu, !queues || !buffers || !space);
	try(program->ilu, !ilu_memory_create(ilu, "tally", TALLY_SIZE, NULL));
	try(program->ilu, ilu_map(space, QUEUES_IOVA, queues, 0, NVME_QUEUES_SIZE, ILU_MAP_RW));
	try(program->ilu, ilu_map(space, BUFFERS_IOVA, buffers, 0, NVME_BUFFERS_SIZE, ILU_MAP_RW));
	try(program->ilu, !ilu_device_open(ilu, "disk", bdf, space));
}

static void *address_of(const struct program *program, const char *name)
{
	struct ilu_memory *memory = ilu_memory(program->ilu, name);
	void *address = memory ? ilu_memory_address(memory) : NULL;

	try(program->ilu, !address);
	return address;
}

/* In either: the objects by their names. */
static void find(struct program *program)
{
	struct nvme_memory queues = { address_of(program, "queues"), QUEUES_IOVA };
	struct nvme_memory buffers = { address_of(program, "buffers"), BUFFERS_IOVA };
	volatile void *registers;

	program->tally = address_of(program, "tally");
	program->device = ilu_device(program->ilu, "disk");
	try(program->ilu, !program->device);
	registers = ilu_device_bar(program->device, 0, NULL);
	try(program->ilu, !registers);
	nvme_init(&program->nvme, registers, queues, buffers);
}

/* For both; what was raised while they were off is lost, so each is fired once. */
static void arm(struct program *program)
{
	for (int i = 0; i < NVME_VECTORS; i++) {
		program->events[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		try_system(program->events[i] < 0 ? -errno : 0, "eventfd");
	}
	try(program->ilu, ilu_device_irqs(program->device, VFIO_PCI_MSIX_IRQ_INDEX, NVME_VECTORS,
				     program->events, ILU_IRQ_INJECT));
}

/* Anybody else's disk stays as it is. */
static void expect_pattern(struct program *program)
{
	const struct nvme_state *state = program->nvme.state;

	if (state->block_size == DISK_BLOCK && state->blocks_at_once >= PIECE) {
		read_next(program, nvme_get(&program->nvme));
		drain(program);
	}
	if (program->tally->right)
		return;
	fprintf(stderr, "this is not a disk from an image of \"survive-nvme image\"\n");
	exit(1);
}

/* Stopped first: bus mastering is off until it has forgotten what it did before. */
static void start(struct program *program)
{
	try_system(nvme_stop(&program->nvme), "stop the controller");
	try(program->ilu, ilu_device_allow_dma(program->device));
	arm(program);
	try_system(nvme_start(&program->nvme), "start the controller");
	expect_pattern(program);
}

/* Nobody tells the controller anything: it has never stopped. */
static void go_on(struct program *program)
{
	printf("%u commands came along: %u are done, %u entries found, update %llu\n",
	       NVME_COMMANDS - nvme_count(&program->nvme, NVME_FREE),
	       nvme_count(&program->nvme, NVME_DONE), nvme_found(&program->nvme),
	       (unsigned long long)ilu_generation(program->ilu));
	fflush(stdout);
	try_system(nvme_resume(&program->nvme), "go on with the controller");
	arm(program);
	take(program);
	tell(program, "gone on");
}

/* A new one after each update */
static void begin_version(struct program *program)
{
	__u64 version = ilu_generation(program->ilu) + 1;

	if (program->tally->version == version)
		return;
	program->tally->version = version;
	program->tally->first_written = program->tally->next_write;
}

static void begin(struct program *program, const char *bdf)
{
	bool incoming = ilu_role(program->ilu) == ILU_ROLE_INCOMING;

	if (incoming)
		try(program->ilu, ilu_restore(program->ilu));
	else
		set_up(program, bdf);
	find(program);
	if (incoming)
		go_on(program);
	else
		start(program);
	begin_version(program);
	submit_all(program);
}

static void finish(struct program *program)
{
	if (ilu_role(program->ilu) != ILU_ROLE_INCOMING)
		return;
	try(program->ilu, ilu_finish(program->ilu));
	tell(program, "finished");
}

static void tell_written(const struct program *program)
{
	printf("%llu pieces of %u blocks from %llu on have version %llu\n",
	       (unsigned long long)(program->tally->next_write - program->tally->first_written), PIECE,
	       (unsigned long long)(half(program) + program->tally->first_written * PIECE),
	       (unsigned long long)program->tally->version);
	fflush(stdout);
}

/* With as much under way as there can be. */
static void update(struct program *program, char **next)
{
	int kernel = open(next[0], O_RDONLY | O_CLOEXEC);
	int initrd = open(next[1], O_RDONLY | O_CLOEXEC);

	/* Early: it takes long, and it can fail. */
	try(program->ilu, ilu_kexec_load(program->ilu, kernel, initrd, next[2]));
	take(program);
	try(program->ilu, ilu_preserve(program->ilu));
	take(program);
	submit_all(program);
	tell_written(program);
	printf("%u commands under way\n", nvme_count(&program->nvme, NVME_SENT));
	fflush(stdout);
	try(program->ilu, ilu_kexec(program->ilu));
}

static int make_image(const char *path)
{
	FILE *file = fopen(path, "wx");

	if (file && !disk_write_image(file))
		return 0;
	fprintf(stderr, "%s: %s\n", path, strerror(errno));
	if (file)
		unlink(path);
	return 1;
}

int main(int argc, char **argv)
{
	struct program program = { 0 };
	__u64 wrong;

	if (argc == 3 && !strcmp(argv[1], "image"))
		return make_image(argv[2]);
	if (argc != 2 && argc != 5) {
		fprintf(stderr, "usage: survive-nvme BDF [KERNEL INITRD COMMAND-LINE]\n"
			"       survive-nvme image FILE\n");
		return 2;
	}
	program.ilu = ilu_new(NULL);
	if (!program.ilu) {
		perror("survive-nvme");
		return 1;
	}
	try_system(pci_bind_vfio(argv[1]), "bind vfio-pci");
	try(program.ilu, ilu_session_open(program.ilu, "survive-nvme"));
	begin(&program, argv[1]);
	finish(&program);
	work(&program, argc == 2 ? SECONDS : 1);
	if (argc == 5)
		update(&program, argv + 2);
	drain(&program);
	tell_written(&program);
	wrong = program.tally->wrong;
	ilu_free(program.ilu);
	return wrong ? 1 : 0;
}
