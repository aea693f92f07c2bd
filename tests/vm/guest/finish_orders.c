// SPDX-License-Identifier: GPL-2.0
/*
 * After the switch: FINISH, and closing of all files, in the order asked for, one
 * letter each.  Whatever the order, in the end the card is an ordinary one.
 *
 *	order=	f FINISH, d device, i iommufd, s session, m memory
 */
#include <errno.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "events.h"
#include "function.h"
#include "liveupdate.h"
#include "machine.h"
#include "preserve.h"
#include "scenarios.h"
#include "wayback.h"

static void expect_own_device_resets(const struct device *device)
{
	if (device->fd >= 0)
		check_errno(ioctl(device->fd, VFIO_DEVICE_RESET) ? -errno : 0, 0,
			    "reset by the device file after finish");
}

static void finish(struct way_back *back)
{
	if (back->session < 0)
		back->session = must(session_retrieve(SESSION_NAME), "retrieve session");
	back_take(back, BACK_FINISH);
	expect_own_device_resets(&back->receiver->device);
}

static void close_session(struct way_back *back)
{
	close(back->session);
	back->session = -1;
}

static void take_letter(struct way_back *back, char letter)
{
	event("order next=%c", letter);
	switch (letter) {
	case 'f':
		finish(back);
		break;
	case 'd':
		device_close(&back->receiver->device);
		break;
	case 'i':
		close(back->iommufd);
		break;
	case 's':
		close_session(back);
		break;
	case 'm':
		close(back->receiver->memfd);
		break;
	default:
		give_up("no such letter: %c", letter);
	}
}

static void expect_ordinary_function(const char *bdf)
{
	char path[128];

	function_path(path, sizeof(path), bdf, "reset");
	check_errno(write_file(path, "1"), 0, "reset by sysfs");
	check_errno(write_file("/sys/bus/pci/drivers/vfio-pci/unbind", bdf), 0, "unbind vfio-pci");
	function_path(path, sizeof(path), bdf, "driver_override");
	check_errno(write_file(path, "pci-stub"), 0, "override the driver");
	check_errno(write_file("/sys/bus/pci/drivers/pci-stub/bind", bdf), 0, "bind pci-stub");
	check_errno(write_file("/sys/bus/pci/drivers/pci-stub/unbind", bdf), 0, "unbind pci-stub");
}

void finish_orders_new_kernel(void)
{
	struct receiver receiver;
	struct way_back back;

	back_begin(&back, &receiver);
	back_go_to(&back, BACK_FINISH);
	expect_growth(&receiver);
	back_let_go(&back);
	for (const char *letter = option_text("order", "fdism"); *letter; letter++)
		take_letter(&back, *letter);
	expect_ordinary_function(back.bdf);
	use_afresh();
}
