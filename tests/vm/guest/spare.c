// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <linux/vfio.h>
#include <unistd.h>

#include "events.h"
#include "liveupdate.h"
#include "machine.h"
#include "spare.h"

#define SPARE_SLOTS		64
#define SPARE_IOVA		0x40000000ull
/* Of the offset in a device file: the region is above it. */
#define REGION_SHIFT		40

void spare_set_up(struct receiver *spare)
{
	char bdf[BDF_LENGTH];

	receiver_choose(spare);
	receiver_choose_slots(spare, SPARE_SLOTS);
	spare->ring.iova = SPARE_IOVA;
	receiver_find_device(spare, 1, bdf);
	receiver_create_memory(spare);
	receiver_open_device(spare, bdf);
	receiver_attach(spare);
}

int spare_preserve(const struct receiver *spare)
{
	int session = must(session_create("second"), "create session");

	must(session_preserve_fd(session, spare->memfd, TOKEN_MEMORY), "preserve memfd");
	must(session_preserve_fd(session, spare->device.iommufd, TOKEN_IOMMUFD),
	     "preserve iommufd");
	must(session_preserve_fd(session, spare->device.fd, TOKEN_DEVICE), "preserve device");
	return session;
}

static int read_device(void *argument)
{
	struct endless_read *read = argument;

	return pread(read->device->fd, read->late.memory, 4,
		     (off_t)VFIO_PCI_CONFIG_REGION_INDEX << REGION_SHIFT) < 0 ? -errno : 0;
}

void endless_read_begin(struct endless_read *read, const struct device *device)
{
	read->device = device;
	late_memory_create(&read->late, PAGE, LATE_TOUCH);
	call_in_background(&read->call, read_device, read);
	late_memory_expect_waiter(&read->late);
}

void endless_read_end(struct endless_read *read)
{
	late_memory_let_go(&read->late);
	check_errno(call_result(&read->call), 0, "the read");
}
