// SPDX-License-Identifier: GPL-2.0
#include "events.h"
#include "liveupdate.h"
#include "plain.h"

void receiver_create_memory(struct receiver *receiver)
{
	receiver->memfd = must(memory_create("ring", receiver->size), "create memfd");
	must(memory_seal(receiver->memfd), "seal memfd");
	receiver_map_memory(receiver);
	receiver_fill_pattern(receiver);
}

void receiver_open_device(struct receiver *receiver, const char *bdf)
{
	int iommufd = must(iommufd_open(), "open iommufd");

	must(device_open(&receiver->device, bdf, iommufd), "open device");
}

void receiver_attach(struct receiver *receiver)
{
	struct device *device = &receiver->device;

	must(ioas_create(device->iommufd, true, &receiver->ioas_id), "create IOAS");
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
