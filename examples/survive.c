// SPDX-License-Identifier: GPL-2.0
/*
 * The smallest complete program: a network card receives into a memfd, and
 * goes on doing so while the kernel below is replaced.
 *
 *	survive old BDF KERNEL INITRD COMMAND-LINE	in the old kernel; ends in the kexec
 *	survive new					in the new kernel
 *
 * The command line of the new kernel needs kho=on liveupdate=on intel_iommu=on,
 * and the initrd this program.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "device.h"
#include "liveupdate.h"
#include "nic.h"

#define SESSION		"survive"
#define IOVA		0x10000000ull
#define SLOTS		16384
#define TWO_MIB		(2ul << 20)

enum token { TOKEN_MEMORY = 1, TOKEN_IOMMUFD, TOKEN_DEVICE, TOKEN_PAGE_TABLE };

/* Passes on what worked; nothing here can go on after an error. */
static int try(int result, const char *what)
{
	if (result < 0) {
		fprintf(stderr, "%s: %s\n", what, strerror(-result));
		exit(1);
	}
	return result;
}

static struct rx_ring describe_ring(const struct nic_model *model)
{
	return (struct rx_ring) {
		.iova = IOVA,
		.slots = SLOTS,
		.slot_size = model->slot_size,
		.slot_stride = model->slot_size,
	};
}

static size_t memory_size(const struct rx_ring *ring)
{
	return (rx_ring_size(ring) + TWO_MIB - 1) & ~(TWO_MIB - 1);
}

/*
 * Sealed before it is mapped, or it cannot be preserved.  Every page is
 * touched: the device must not be the first to write to it.
 */
static int create_memory(struct rx_ring *ring)
{
	size_t size = memory_size(ring);
	int memfd = try(memory_create("ring", size), "memfd");

	try(memory_seal(memfd), "seal memfd");
	ring->memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
	if (ring->memory == MAP_FAILED)
		try(-errno, "mmap");
	memset(ring->memory, 0, size);
	rx_ring_fill_descriptors(ring);
	return memfd;
}

static const struct nic_model *identify(const char *bdf)
{
	static const char *const names[] = { "igb", "e1000e" };
	__u16 ids[2];

	try(pci_config_read(bdf, 0, ids, sizeof(ids)), bdf);
	for (int i = 0; i < 2; i++) {
		const struct nic_model *model = nic_model(names[i]);

		if (model->vendor == ids[0] && model->device == ids[1])
			return model;
	}
	fprintf(stderr, "%s: no driver for this device\n", bdf);
	exit(1);
}

/* Returns the page table that is to survive. */
static __u32 attach(struct device *device, int memfd, const struct rx_ring *ring)
{
	__u32 ioas_id, hwpt_id;

	try(ioas_create(device->iommufd, 0, &ioas_id), "create IOAS");
	try(hwpt_create(device, ioas_id, &hwpt_id), "create HWPT");
	try(device_attach(device, hwpt_id), "attach");
	try(ioas_map_file(device->iommufd, ioas_id, memfd, 0, memory_size(ring), ring->iova),
	    "map memfd");
	return hwpt_id;
}

/* The order matters: each file refers to the one before it. */
static void preserve(const struct device *device, __u32 hwpt_id, int memfd)
{
	int session = try(session_create(SESSION), "create session");

	try(hwpt_mark_preserve(device->iommufd, hwpt_id, TOKEN_PAGE_TABLE), "mark HWPT");
	try(session_preserve_fd(session, memfd, TOKEN_MEMORY), "preserve memfd");
	try(session_preserve_fd(session, device->iommufd, TOKEN_IOMMUFD), "preserve iommufd");
	try(session_preserve_fd(session, device->fd, TOKEN_DEVICE), "preserve device");
}

static void old_kernel(char **argv)
{
	const struct nic_model *model = identify(argv[2]);
	struct rx_ring ring = describe_ring(model);
	struct device device;
	int memfd;
	__u32 hwpt_id;

	try(kexec_prepare(argv[3], argv[4], argv[5]), "load the next kernel");

	try(pci_bind_vfio(argv[2]), "bind vfio-pci");
	memfd = create_memory(&ring);
	try(device_open(&device, argv[2], try(iommufd_open(), "open iommufd")), "open device");
	hwpt_id = attach(&device, memfd, &ring);
	try(nic_reset(model, &device), "reset network card");
	try(nic_start_receive(model, &device, &ring), "start receiving");

	preserve(&device, hwpt_id, memfd);
	/* Interrupts must be off by now; this driver never switched them on. */
	try(kexec_jump(), "kexec");
}

/* The memory was zeroed, and no frame begins with zeroes. */
static unsigned int count_frames(const struct rx_ring *ring)
{
	unsigned int count = 0;

	for (__u32 slot = 0; slot < ring->slots; slot++) {
		const char *buffer = (const char *)ring->memory + rx_slot_offset(ring, slot);

		count += !!*(const __u64 *)buffer;
	}
	return count;
}

/* The slot size depends on the model, and the memory's size tells which it was. */
static struct rx_ring recognise_ring(int memfd)
{
	struct rx_ring ring = describe_ring(nic_model("igb"));
	struct stat status;

	if (fstat(memfd, &status))
		try(-errno, "fstat");
	if ((size_t)status.st_size != memory_size(&ring))
		ring = describe_ring(nic_model("e1000e"));
	return ring;
}

static void new_kernel(void)
{
	int session = try(session_retrieve(SESSION), "retrieve session");
	int memfd = try(session_retrieve_fd(session, TOKEN_MEMORY), "retrieve memfd");
	struct rx_ring ring = recognise_ring(memfd);

	ring.memory = mmap(NULL, memory_size(&ring), PROT_READ, MAP_SHARED, memfd, 0);
	if (ring.memory == MAP_FAILED)
		try(-errno, "mmap");
	for (int second = 0; second < 5; second++) {
		printf("%u frames in memory\n", count_frames(&ring));
		sleep(1);
	}
}

int main(int argc, char **argv)
{
	if (argc == 6 && !strcmp(argv[1], "old")) {
		old_kernel(argv);
	} else if (argc == 2 && !strcmp(argv[1], "new")) {
		new_kernel();
	} else {
		fprintf(stderr, "usage: survive old BDF KERNEL INITRD COMMAND-LINE\n"
				"       survive new\n");
		return 2;
	}
	return 0;
}
