// SPDX-License-Identifier: GPL-2.0
/*
 * The smallest complete program: a network card receives into memory, and goes on doing
 * so while the kernel below is replaced, any number of times.
 *
 *	survive BDF					until it is interrupted, or some seconds
 *	survive BDF KERNEL INITRD COMMAND-LINE		the same, ends in the kexec
 *
 * It does not ask which kernel it runs on, but what came in. The command line of the next
 * kernel needs kho=on liveupdate=on intel_iommu=on, and the initrd this program. raw.c is
 * the same program without the library.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <iommu-liveupdate.h>

#include "device.h"
#include "nic.h"
#include "try.h"

#define IOVA		0x10000000ull
#define SLOTS		16384
#define TWO_MIB		(2ul << 20)
#define SECONDS		5

struct program {
	struct ilu *ilu;
	struct ilu_device *device;
	const struct nic_model *model;
	volatile void *registers;
	struct rx_ring ring;
	__u32 next_slot;
};

static size_t memory_size(const struct program *program)
{
	return (rx_ring_size(&program->ring) + TWO_MIB - 1) & ~(TWO_MIB - 1);
}

/* In the first kernel: what goes along from then on. */
static void set_up(struct program *program, const char *bdf)
{
	size_t size = memory_size(program);
	struct ilu_memory *memory = ilu_memory_create(program->ilu, "ring", size, NULL);
	struct ilu_space *space;

	try(program->ilu, !memory);
	space = ilu_space_create(program->ilu, "dma");
	try(program->ilu, !space);
	try(program->ilu, ilu_map(space, IOVA, memory, 0, size, ILU_MAP_RW));
	try(program->ilu, !ilu_device_open(program->ilu, "nic", bdf, space));
}

/* In either: the objects by their names. */
static void find(struct program *program)
{
	struct ilu_memory *memory = ilu_memory(program->ilu, "ring");

	try(program->ilu, !memory);
	program->device = ilu_device(program->ilu, "nic");
	try(program->ilu, !program->device);
	program->ring.memory = ilu_memory_address(memory);
	try(program->ilu, !program->ring.memory);
	program->registers = ilu_device_bar(program->device, 0, NULL);
	try(program->ilu, !program->registers);
}

/* The reset first: bus mastering is off until the card has forgotten what it did before. */
static void start(const struct program *program)
{
	rx_ring_fill_descriptors(&program->ring);
	try_system(nic_reset(program->model, program->registers), "reset network card");
	try(program->ilu, ilu_device_allow_dma(program->device));
	nic_start_receive(program->model, program->registers, &program->ring);
}

/* The card never stops meanwhile, and knows how far its owner had come. */
static void begin(struct program *program, const char *bdf)
{
	bool incoming = ilu_role(program->ilu) == ILU_ROLE_INCOMING;

	if (incoming) {
		try(program->ilu, ilu_restore(program->ilu));
		try(program->ilu, ilu_finish(program->ilu));
	} else {
		set_up(program, bdf);
	}
	find(program);
	if (!incoming)
		start(program);
	program->next_slot = nic_next_slot(program->model, program->registers, &program->ring);
}

static unsigned int take_frames(struct program *program)
{
	const struct rx_ring *ring = &program->ring;
	unsigned int count = 0;

	while (nic_slot_is_full(program->model, ring, program->next_slot)) {
		rx_ring_fill_descriptor(ring, program->next_slot);
		program->next_slot = (program->next_slot + 1) % ring->slots;
		count++;
	}
	nic_give_back(program->model, program->registers, ring, program->next_slot);
	return count;
}

static void receive(struct program *program, int seconds)
{
	unsigned int count = take_frames(program);

	while (seconds--) {
		printf("%u frames received, update %llu\n", count,
		       (unsigned long long)ilu_generation(program->ilu));
		fflush(stdout);
		sleep(1);
		count += take_frames(program);
	}
}

static void update(const struct program *program, char **next)
{
	int kernel = open(next[0], O_RDONLY | O_CLOEXEC);
	int initrd = open(next[1], O_RDONLY | O_CLOEXEC);

	/* Early: it takes long, and it can fail. */
	try(program->ilu, ilu_kexec_load(program->ilu, kernel, initrd, next[2]));
	try(program->ilu, ilu_preserve(program->ilu));
	try(program->ilu, ilu_kexec(program->ilu));
}

int main(int argc, char **argv)
{
	struct program program = { .ilu = ilu_new(NULL) };

	if (argc != 2 && argc != 5) {
		fprintf(stderr, "usage: survive BDF [KERNEL INITRD COMMAND-LINE]\n");
		return 2;
	}
	program.model = nic_identify(argv[1]);
	if (!program.ilu || !program.model) {
		fprintf(stderr, "%s: no driver for this device\n", argv[1]);
		return 1;
	}
	try_system(pci_bind_vfio(argv[1]), "bind vfio-pci");
	rx_ring_init(&program.ring, program.model, IOVA, SLOTS);
	try(program.ilu, ilu_session_open(program.ilu, "survive"));
	begin(&program, argv[1]);
	receive(&program, argc == 2 ? SECONDS : 1);
	if (argc == 5)
		update(&program, argv + 2);
	ilu_free(program.ilu);
	return 0;
}
