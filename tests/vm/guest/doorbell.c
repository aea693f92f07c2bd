// SPDX-License-Identifier: GPL-2.0
#include <linux/vfio.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "doorbell.h"
#include "events.h"

/* The last entry of the table of VLANs, which is not used: no VLANs are filtered. */
#define REGISTER	(0x5600 + 127 * 4)
#define RUNG		0x00c0ffee

static volatile __u32 *register_of(const struct doorbell *doorbell)
{
	return (volatile __u32 *)((volatile char *)doorbell->device->registers + REGISTER);
}

static void bind_register(const struct doorbell *doorbell, int fd)
{
	struct vfio_region_info region = {
		.argsz = sizeof(region),
		.index = VFIO_PCI_BAR0_REGION_INDEX,
	};
	struct vfio_device_ioeventfd bind = {
		.argsz = sizeof(bind),
		.flags = VFIO_DEVICE_IOEVENTFD_32,
		.data = RUNG,
		.fd = fd,
	};

	if (ioctl(doorbell->device->fd, VFIO_DEVICE_GET_REGION_INFO, &region))
		give_up("region of the registers: %m");
	bind.offset = region.offset + REGISTER;
	if (ioctl(doorbell->device->fd, VFIO_DEVICE_IOEVENTFD, &bind))
		give_up("ioeventfd: %m");
}

void doorbell_make(struct doorbell *doorbell, const struct device *device)
{
	*doorbell = (struct doorbell){ .device = device, .fd = eventfd(0, EFD_CLOEXEC) };
	if (doorbell->fd < 0)
		give_up("eventfd: %m");
	doorbell->before = *register_of(doorbell);
	check(doorbell->before != RUNG, "the register is another one before");
	bind_register(doorbell, doorbell->fd);
}

void doorbell_ring(const struct doorbell *doorbell)
{
	if (eventfd_write(doorbell->fd, 1))
		give_up("ring: %m");
}

bool doorbell_has_rung(const struct doorbell *doorbell)
{
	return *register_of(doorbell) == RUNG;
}

void doorbell_end(const struct doorbell *doorbell)
{
	bind_register(doorbell, -1);
	close(doorbell->fd);
	*register_of(doorbell) = doorbell->before;
}
