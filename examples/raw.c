// SPDX-License-Identifier: GPL-2.0
/*
 * survive.c without the library: the calls that a program makes, and nothing else.
 *
 *	raw old BDF KERNEL INITRD COMMAND-LINE	sets up, ends in the kexec
 *	raw new BDF				in the next kernel: takes all back
 *	raw new BDF KERNEL INITRD COMMAND-LINE	the same, ends in another kexec
 *
 * The command line of the next kernel needs kho=on liveupdate=on intel_iommu=on,
 * and the initrd this program.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "device.h"
#include "liveupdate.h"
#include "nic.h"

#define SESSION		"raw"
#define IOVA		0x10000000ull
#define SLOTS		16384
#define TWO_MIB		(2ul << 20)

enum token { TOKEN_MEMORY = 1, TOKEN_IOMMUFD, TOKEN_DEVICE, TOKEN_PAGE_TABLE };

struct program {
	const char *bdf;
	const struct nic_model *model;
	struct device device;
	struct rx_ring ring;
	int memfd;
	__u32 hwpt_id;
	__u32 next_slot;
};

/* Passes on what worked; nothing here can go on after an error. */
static int try(int result, const char *what)
{
	if (result < 0) {
		fprintf(stderr, "%s: %s\n", what, strerror(-result));
		exit(1);
	}
	return result;
}

static void begin(struct program *program, const char *bdf)
{
	memset(program, 0, sizeof(*program));
	program->bdf = bdf;
	program->model = nic_identify(bdf);
	if (!program->model)
		try(-ENODEV, bdf);
	rx_ring_init(&program->ring, program->model, IOVA, SLOTS);
	try(pci_bind_vfio(bdf), "bind vfio-pci");
}

static size_t memory_size(const struct program *program)
{
	return (rx_ring_size(&program->ring) + TWO_MIB - 1) & ~(TWO_MIB - 1);
}

static void map_memory(struct program *program)
{
	program->ring.memory = mmap(NULL, memory_size(program), PROT_READ | PROT_WRITE,
				    MAP_SHARED, program->memfd, 0);
	if (program->ring.memory == MAP_FAILED)
		try(-errno, "mmap");
}

/*
 * Sealed before it is mapped, or it cannot be preserved.  Every page is
 * touched: the device must not be the first to write to it.
 */
static void create_memory(struct program *program)
{
	program->memfd = try(memory_create("ring", memory_size(program)), "memfd");
	try(memory_seal(program->memfd), "seal memfd");
	map_memory(program);
	memset(program->ring.memory, 0, memory_size(program));
	rx_ring_fill_descriptors(&program->ring);
}

/*
 * Page tables of this kernel.  Mapped first, attached then: a device that is
 * running changes over without a gap, and finds all that it had before.
 */
static void attach(struct program *program)
{
	const struct device *device = &program->device;
	__u32 ioas_id;

	try(ioas_create(device->iommufd, 0, &ioas_id), "create IOAS");
	try(ioas_map_file(device->iommufd, ioas_id, program->memfd, 0, memory_size(program),
			  program->ring.iova), "map memfd");
	try(hwpt_create(device, ioas_id, &program->hwpt_id), "create HWPT");
	try(device_attach(device, program->hwpt_id), "attach");
}

static void set_up(struct program *program)
{
	create_memory(program);
	try(device_open(&program->device, program->bdf, try(iommufd_open(), "open iommufd")),
	    "open device");
	attach(program);
	try(nic_reset(program->model, program->device.registers), "reset network card");
	try(device_set_bus_master(&program->device), "allow DMA");
	nic_start_receive(program->model, program->device.registers, &program->ring);
}

/* The device never stops meanwhile. */
static void take_back(struct program *program)
{
	int session = try(session_retrieve(SESSION), "retrieve session");
	int iommufd, device_fd;

	program->memfd = try(session_retrieve_fd(session, TOKEN_MEMORY), "retrieve memfd");
	iommufd = try(session_retrieve_fd(session, TOKEN_IOMMUFD), "retrieve iommufd");
	device_fd = try(session_retrieve_fd(session, TOKEN_DEVICE), "retrieve device");
	map_memory(program);

	try(device_reclaim(&program->device, program->bdf, device_fd, iommufd), "reclaim device");
	attach(program);
	try(session_finish(session), "finish");
	close(session);
	program->next_slot = nic_next_slot(program->model, program->device.registers,
					   &program->ring);
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
	nic_give_back(program->model, program->device.registers, ring, program->next_slot);
	return count;
}

static void receive(struct program *program, int seconds)
{
	unsigned int count = take_frames(program);

	while (seconds--) {
		printf("%u frames received\n", count);
		fflush(stdout);
		sleep(1);
		count += take_frames(program);
	}
}

/*
 * Load first: that takes long, and it can fail.  The order of the files
 * matters: each refers to the one before it.
 */
static void update(const struct program *program, char **next)
{
	const struct device *device = &program->device;
	int session;

	try(kexec_prepare(next[0], next[1], next[2]), "load the next kernel");
	session = try(session_create(SESSION), "create session");
	try(hwpt_mark_preserve(device->iommufd, program->hwpt_id, TOKEN_PAGE_TABLE), "mark HWPT");
	try(session_preserve_fd(session, program->memfd, TOKEN_MEMORY), "preserve memfd");
	try(session_preserve_fd(session, device->iommufd, TOKEN_IOMMUFD), "preserve iommufd");
	try(session_preserve_fd(session, device->fd, TOKEN_DEVICE), "preserve device");
	/* Interrupts must be off by now; this driver never switched them on. */
	try(kexec_jump(), "kexec");
}

int main(int argc, char **argv)
{
	struct program program;
	int is_old = argc == 6 && !strcmp(argv[1], "old");
	int is_new = (argc == 3 || argc == 6) && !strcmp(argv[1], "new");

	if (!is_old && !is_new) {
		fprintf(stderr, "usage: raw old BDF KERNEL INITRD COMMAND-LINE\n"
				"       raw new BDF [KERNEL INITRD COMMAND-LINE]\n");
		return 2;
	}
	begin(&program, argv[2]);
	if (is_old)
		set_up(&program);
	else
		take_back(&program);
	receive(&program, is_old ? 1 : 5);
	if (argc == 6)
		update(&program, argv + 3);
	return 0;
}
