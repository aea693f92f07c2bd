// SPDX-License-Identifier: GPL-2.0
/*
 * What must say why: a device that was opened by its group cannot be preserved,
 * and one whose group is open cannot be taken back.  What must be as ever: after
 * FINISH an idle device sleeps.
 *
 *	then=reap	in the next kernel nobody takes the card back
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "events.h"
#include "function.h"
#include "liveupdate.h"
#include "machine.h"
#include "preserve.h"
#include "scenarios.h"
#include "tenant.h"
#include "wayback.h"

#define SLEEPS_WITHIN_MS	3000

static int open_group(const char *bdf)
{
	char link[128], target[256], path[300];
	ssize_t length;
	int fd;

	function_path(link, sizeof(link), bdf, "iommu_group");
	length = readlink(link, target, sizeof(target) - 1);
	if (length < 0)
		give_up("group: %m");
	target[length] = '\0';
	snprintf(path, sizeof(path), "/dev/vfio/%s", strrchr(target, '/') + 1);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		skip("this kernel has no groups");
	return must(fd < 0 ? -errno : fd, "open the group");
}

static void refuse_device_of_group(int session)
{
	int group, iommufd = must(iommufd_open(), "open iommufd"), device;
	int log = kernel_log_open();
	struct receiver second;
	char bdf[BDF_LENGTH];

	receiver_choose(&second);
	receiver_find_device(&second, 1, bdf);
	group = open_group(bdf);
	if (ioctl(group, VFIO_GROUP_SET_CONTAINER, &iommufd))
		give_up("iommufd as container: %m");
	device = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, bdf);
	if (device < 0)
		give_up("device of the group: %m");
	check_errno(session_preserve_fd(session, device, TOKEN_DEVICE), EOPNOTSUPP,
		    "device that was opened by its group");
	check(kernel_log_has(log, "open its character device"), "the log says what to do");
	close(device);
	close(group);
	close(iommufd);
	close(log);
}

void group_files_old_kernel(void)
{
	struct receiver receiver;
	int session;

	prepare_kexec();
	receiver_set_up(&receiver);
	traffic_start(&receiver);
	session = preserve_memory_only(&receiver);
	refuse_device_of_group(session);
	close(session);
	preserve_everything(&receiver);
	sleep_ms(300);
	must(announce_and_jump(), "kexec");
}

static void refuse_bind_beside_group(const struct way_back *back)
{
	struct vfio_device_bind_iommufd bind = {
		.argsz = sizeof(bind),
		.iommufd = back->iommufd,
	};
	int group = open_group(back->bdf), log = kernel_log_open();

	check_errno(ioctl(back->device_fd, VFIO_DEVICE_BIND_IOMMUFD, &bind) ? -errno : 0, EBUSY,
		    "BIND while the group is open");
	check(kernel_log_has(log, "its group is open"), "the log says why");
	close(log);
	close(group);
}

static void expect_sleep(const char *bdf)
{
	char path[128], status[32] = "";

	function_path(path, sizeof(path), bdf, "power/runtime_status");
	for (int waited = 0; waited < SLEEPS_WITHIN_MS; waited += 100) {
		read_file(path, status, sizeof(status));
		if (!strcmp(status, "suspended"))
			break;
		sleep_ms(100);
	}
	check(!strcmp(status, "suspended"), "the idle card sleeps: %s", status);
}

void group_files_new_kernel(void)
{
	struct receiver receiver;
	struct way_back back;

	back_begin(&back, &receiver);
	if (!strcmp(option_text("then", ""), "reap")) {
		back_take(&back, BACK_DRIVER);
		back_take(&back, BACK_SESSION);
		traffic_stop();
		back_take(&back, BACK_FINISH);
		close(back.session);
		expect_sleep(back.bdf);
		return;
	}
	back_go_to(&back, BACK_BIND);
	refuse_bind_beside_group(&back);
	back_complete(&back, BACK_BIND);
	expect_growth(&receiver);
	traffic_stop();
	back_close_files(&back);
	expect_sleep(back.bdf);
}
