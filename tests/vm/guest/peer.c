// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "events.h"
#include "machine.h"
#include "peer.h"

#define BAR		VFIO_PCI_BAR0_REGION_INDEX
#define BAR_PART	0x4000
#define IOVA		0x70000000ull
#define PAGE_SHIFT	12

/* Of a part of the BAR.  Closing it changes nothing for who has mapped it. */
static int export_registers(const struct device *device)
{
	struct {
		struct vfio_device_feature feature;
		struct vfio_device_feature_dma_buf dma_buf;
		struct vfio_region_dma_range range;
	} request = {
		.feature.argsz = sizeof(request),
		.feature.flags = VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_DMA_BUF,
		.dma_buf.region_index = BAR,
		.dma_buf.open_flags = O_RDWR | O_CLOEXEC,
		.dma_buf.nr_ranges = 1,
		.range.length = BAR_PART,
	};
	int fd = ioctl(device->fd, VFIO_DEVICE_FEATURE, &request);

	if (fd < 0 && errno == ENOTTY)
		skip("this kernel exports no BAR as a dma-buf");
	return must(fd < 0 ? -errno : fd, "export a BAR");
}

void peer_set_up(struct peer *peer, struct receiver *receiver, int nth)
{
	struct device *device = &peer->device;
	int exported = export_registers(&receiver->device);
	__u32 ioas, hwpt;
	char bdf[BDF_LENGTH];

	receiver_find_device(receiver, nth, bdf);
	must(device_open(device, bdf, must(iommufd_open(), "open iommufd")), "open the peer");
	must(ioas_create(device->iommufd, 0, &ioas), "create IOAS");
	must(hwpt_create(device, ioas, &hwpt), "create HWPT");
	must(device_attach(device, hwpt), "attach");
	must(ioas_map_file(device->iommufd, ioas, exported, 0, BAR_PART, IOVA), "map the BAR");
	close(exported);
}

bool peer_reaches(const struct peer *peer)
{
	char path[128], line[256];
	unsigned long long page;
	bool found = false;
	FILE *tables;

	snprintf(path, sizeof(path),
		 "/sys/kernel/debug/iommu/intel/%s/domain_translation_struct", peer->device.bdf);
	tables = fopen(path, "re");
	if (!tables)
		give_up("%s: %m", path);
	while (!found && fgets(line, sizeof(line), tables))
		found = sscanf(line, "0x%llx", &page) == 1 && page == IOVA >> PAGE_SHIFT;
	fclose(tables);
	return found;
}

void peer_close(struct peer *peer)
{
	device_close(&peer->device);
	close(peer->device.iommufd);
}
