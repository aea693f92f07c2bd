// SPDX-License-Identifier: GPL-2.0
/*
 * While preserved nothing about the mapping can change; closing the session
 * gives everything back, and it can be preserved a second time.
 */
#include <errno.h>
#include <linux/vfio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "events.h"
#include "liveupdate.h"
#include "machine.h"
#include "preserve.h"
#include "scenarios.h"
#include "shown.h"

#define EXTRA_IOVA	0x30000000ull
#define EXTRA_SIZE	(2ull << 20)

static void map_and_unmap(const struct receiver *receiver, void *memory, int error)
{
	int iommufd = receiver->device.iommufd;
	__u32 ioas = receiver->ioas_id;

	check_errno(ioas_map_memory(iommufd, ioas, memory, EXTRA_SIZE, EXTRA_IOVA), error, "map");
	if (!error)
		check_errno(ioas_unmap(iommufd, ioas, EXTRA_IOVA, EXTRA_SIZE), 0, "unmap");
	check_errno(ioas_map_file(iommufd, ioas, receiver->memfd, 0, EXTRA_SIZE, EXTRA_IOVA),
		    error, "map a file");
	if (!error)
		check_errno(ioas_unmap(iommufd, ioas, EXTRA_IOVA, EXTRA_SIZE), 0, "unmap a file");
}

/* Of this card alone it would be its owner's business: owner_reset.c. */
static int hot_reset(const struct device *device)
{
	struct vfio_pci_hot_reset reset = { .argsz = sizeof(reset) };

	return ioctl(device->fd, VFIO_DEVICE_PCI_HOT_RESET, &reset) ? -errno : 0;
}

static void expect_frozen(const struct receiver *receiver, void *memory, __u32 other_hwpt)
{
	const struct device *device = &receiver->device;
	int session;

	map_and_unmap(receiver, memory, EBUSY);
	check_errno(ioas_unmap(device->iommufd, receiver->ioas_id, receiver->ring.iova,
			       receiver->size), EBUSY, "unmap of the ring");
	check_errno(device_detach(device), EBUSY, "detach");
	check_errno(device_attach(device, other_hwpt), EBUSY, "replace");
	check_errno(device_attach(device, receiver->ioas_id), EBUSY, "attach to the IOAS");
	check_errno(hwpt_mark_preserve(device->iommufd, other_hwpt, TOKEN_HWPT), EBUSY, "mark");
	check_errno(iommufd_destroy(device->iommufd, receiver->hwpt_id), EBUSY, "destroy HWPT");
	check_errno(iommufd_destroy(device->iommufd, receiver->ioas_id), EBUSY, "destroy IOAS");
	check_errno(hot_reset(device), EBUSY, "hot reset");

	session = must(session_create("second"), "create session");
	check_errno(session_preserve_fd(session, receiver->memfd, TOKEN_MEMORY), EBUSY,
		    "second preserve of the memfd");
	check_errno(session_preserve_fd(session, device->iommufd, TOKEN_IOMMUFD), EBUSY,
		    "second preserve of the iommufd");
	check_errno(session_preserve_fd(session, device->fd, TOKEN_DEVICE), EBUSY,
		    "second preserve of the device");
	close(session);
}

void frozen_old_kernel(void)
{
	struct receiver receiver;
	__u32 other_ioas, other_hwpt;
	void *memory;
	int session;

	receiver_set_up(&receiver);
	memory = mmap(NULL, EXTRA_SIZE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	must(ioas_create(receiver.device.iommufd, 1, &other_ioas), "create IOAS");
	must(hwpt_create(&receiver.device, other_ioas, &other_hwpt), "create HWPT");
	traffic_start(&receiver);

	expect_none_shown("outgoing");
	session = preserve_everything(&receiver);
	expect_records_shown("outgoing", receiver.device.bdf, "outgoing");
	expect_frozen(&receiver, memory, other_hwpt);
	close(session);
	expect_none_shown("outgoing");
	map_and_unmap(&receiver, memory, 0);
	session = preserve_again(&receiver);
	expect_frozen(&receiver, memory, other_hwpt);
	close(session);
	map_and_unmap(&receiver, memory, 0);

	sleep_ms(500);
	traffic_stop();
	receiver_report_landed(&receiver);
	check_errno(device_attach(&receiver.device, other_hwpt), 0, "replace after the close");
	check_errno(device_detach(&receiver.device), 0, "detach after the close");
	check_errno(iommufd_destroy(receiver.device.iommufd, receiver.hwpt_id), 0,
		    "destroy HWPT after the close");
}
