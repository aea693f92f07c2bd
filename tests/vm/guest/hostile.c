// SPDX-License-Identifier: GPL-2.0
/*
 * Before each step of the way back another process tries to get at the device.
 * It has the rights of root, files of a session of its own, and even the device
 * file; it gets errnos, and the traffic goes on.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "events.h"
#include "function.h"
#include "liveupdate.h"
#include "machine.h"
#include "preserve.h"
#include "scenarios.h"
#include "wayback.h"

/* Its iommufd has the same token there as the right one has in its session. */
#define STRANGER	"stranger"

void hostile_old_kernel(void)
{
	struct receiver receiver;
	int session;

	start_receiving(&receiver, 500);
	preserve_everything(&receiver);
	session = must(session_create(STRANGER), "create the stranger's session");
	must(session_preserve_fd(session, must(iommufd_open(), "open iommufd"), TOKEN_IOMMUFD),
	     "preserve the stranger's iommufd");
	receiver_receive(&receiver, 500);
	must(announce_and_jump(), "kexec");
}

static void try_driver(const struct way_back *back, const char *driver)
{
	char override[128], bind[128], what[64];

	snprintf(bind, sizeof(bind), "/sys/bus/pci/drivers/%s/bind", driver);
	function_path(override, sizeof(override), back->bdf, "driver_override");
	must(write_file(override, driver), "override the driver");
	snprintf(what, sizeof(what), "hostile bind of %s", driver);
	check_errno(write_file(bind, back->bdf), EBUSY, what);
	must(write_file(override, "vfio-pci"), "override the driver");
}

/* There is a character device only as long as vfio-pci is bound. */
static void try_open(const struct way_back *back, bool bound)
{
	int iommufd = must(iommufd_open(), "open iommufd");
	struct device device;

	if (bound)
		check_errno(device_open(&device, back->bdf, iommufd), EBUSY, "hostile open");
	close(iommufd);
}

static int open_group(const struct way_back *back)
{
	char link[128], target[256], path[300];
	ssize_t length;
	int fd;

	function_path(link, sizeof(link), back->bdf, "iommu_group");
	length = readlink(link, target, sizeof(target) - 1);
	if (length < 0)
		return -errno;
	target[length] = '\0';
	snprintf(path, sizeof(path), "/dev/vfio/%s", strrchr(target, '/') + 1);
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/*
 * The group's file is there as long as vfio-pci is bound, and opens until the device
 * has an owner in user space; it is of no use.  What asks for the device itself is
 * told that it is busy, what claims the group that it belongs to somebody else.
 */
static void try_group(const struct way_back *back, bool bound)
{
	int group = open_group(back), container;

	if (!bound || group < 0) {
		check_errno(group, bound ? EBUSY : ENOENT, "hostile open of the group");
		return;
	}
	check_errno(ioctl(group, VFIO_GROUP_GET_DEVICE_FD, back->bdf) < 0 ? -errno : 0, EBUSY,
		    "hostile open of the device by its group");
	container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	check(container >= 0, "there is a container");
	check_errno(ioctl(group, VFIO_GROUP_SET_CONTAINER, &container) ? -errno : 0, EPERM,
		    "hostile container");
	close(container);
	close(group);
}

static int bind_to(int device_fd, int iommufd)
{
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind), .iommufd = iommufd };

	return ioctl(device_fd, VFIO_DEVICE_BIND_IOMMUFD, &bind) ? -errno : 0;
}

/* Even who holds the device file needs the iommufd that belongs to it. */
static void try_other_iommufds(const struct way_back *back)
{
	int session = must(session_retrieve(STRANGER), "retrieve the stranger's session");
	int strange = must(session_retrieve_fd(session, TOKEN_IOMMUFD),
			   "retrieve the stranger's iommufd");
	int fresh = must(iommufd_open(), "open iommufd");

	if (back->device_fd >= 0) {
		check_errno(bind_to(back->device_fd, fresh), EPERM, "bind to a fresh iommufd");
		check_errno(bind_to(back->device_fd, strange), EPERM,
			    "bind to the iommufd of another session");
	}
	close(fresh);
	close(strange);
	close(session);
}

static void try_everything(const struct way_back *back, bool bound)
{
	try_driver(back, "pci-stub");
	try_driver(back, "pci-pf-stub");
	try_open(back, bound);
	try_group(back, bound);
	try_other_iommufds(back);
	function_expect_busy(back->bdf, "reset", "1");
	function_expect_busy(back->bdf, "reset_method", "default");
	function_expect_busy(back->bdf, "remove", "1");
	function_expect_busy(back->bdf, "enable", "0");
}

static void be_hostile(const struct way_back *back, enum back_step before)
{
	pid_t child = fork();
	int status;

	if (child < 0)
		give_up("fork: %m");
	if (!child) {
		event("hostile before=%s", back_step_name(before));
		try_everything(back, before > BACK_DRIVER);
		_exit(0);
	}
	waitpid(child, &status, 0);
	check(!status, "the hostile process came through: status 0x%x", status);
}

void hostile_new_kernel(void)
{
	struct receiver receiver;
	struct way_back back;

	back_begin(&back, &receiver);
	for (enum back_step step = BACK_DRIVER; step < BACK_STEPS; step++) {
		be_hostile(&back, step);
		back_take(&back, step);
	}
	check_errno(session_finish(must(session_retrieve(STRANGER), "retrieve session")), 0,
		    "finish the stranger's session");
	back_end(&back);
}
