// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>

#include "events.h"
#include "liveupdate.h"
#include "machine.h"
#include "plain.h"

#define SHMEM_HUGE	"/sys/kernel/mm/transparent_hugepage/shmem_enabled"

/* In kB, of the whole machine. */
static unsigned long huge_shared_memory(void)
{
	unsigned long kilobytes = 0;
	char line[128];
	FILE *file = fopen("/proc/meminfo", "r");

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "ShmemHugePages: %lu", &kilobytes) == 1)
			break;
	if (file)
		fclose(file);
	return kilobytes;
}

static void expect_huge_pages(const struct receiver *receiver)
{
	unsigned long kilobytes = huge_shared_memory();

	check(kilobytes >= receiver->size >> 10, "the ring's memory is in huge pages: %lu of %zu kB",
	      kilobytes, receiver->size >> 10);
}

void receiver_create_memory(struct receiver *receiver)
{
	bool huge = option_number("thp", 0);

	if (huge)
		must(write_file(SHMEM_HUGE, "force"), "huge pages for memfds");
	receiver->memfd = must(memory_create("ring", receiver->size), "create memfd");
	must(memory_seal(receiver->memfd), "seal memfd");
	receiver_map_memory(receiver);
	receiver_fill_pattern(receiver);
	if (huge)
		expect_huge_pages(receiver);
}

void receiver_open_device(struct receiver *receiver, const char *bdf)
{
	int iommufd = must(iommufd_open(), "open iommufd");

	must(device_open(&receiver->device, bdf, iommufd), "open device");
}

void receiver_attach(struct receiver *receiver)
{
	struct device *device = &receiver->device;

	must(ioas_create(device->iommufd, !option_number("hugepages", 0), &receiver->ioas_id),
	     "create IOAS");
	must(hwpt_create(device, receiver->ioas_id, &receiver->hwpt_id), "create HWPT");
	must(device_attach(device, receiver->hwpt_id), "attach");
	must(ioas_map_file(device->iommufd, receiver->ioas_id, receiver->memfd, 0,
			   receiver->size, receiver->ring.iova), "map memfd");
}

void receiver_start(struct receiver *receiver)
{
	must(nic_reset(receiver->model, receiver->device.registers), "reset network card");
	must(device_set_bus_master(&receiver->device), "allow DMA");
	nic_start_receive(receiver->model, receiver->device.registers, &receiver->ring);
}

void receiver_set_up(struct receiver *receiver)
{
	char bdf[BDF_LENGTH];

	receiver_choose(receiver);
	receiver_find_device(receiver, 0, bdf);
	receiver_create_memory(receiver);
	receiver_open_device(receiver, bdf);
	receiver_attach(receiver);
	receiver_start(receiver);
	receiver_report_registers(receiver, bdf, "armed");
}
