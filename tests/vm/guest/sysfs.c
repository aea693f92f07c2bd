// SPDX-License-Identifier: GPL-2.0
/*
 * What an operator could do to a preserved function or to a port above it,
 * through sysfs and the device file, in both kernels: all that would end its
 * DMA is refused.
 */
#include <errno.h>
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

/* Where vm-run puts the card: below two root ports. */
static const char *const ports[] = { "0000:00:04.0", "0000:01:00.0" };

static void expect_no_sleep(void)
{
	static const char *const states[] = { "freeze", "mem" };
	char known[64];

	read_file("/sys/power/state", known, sizeof(known));
	for (int i = 0; i < 2; i++) {
		check(strstr(known, states[i]), "this kernel knows the state %s", states[i]);
		check_errno(write_file("/sys/power/state", states[i]), EBUSY, states[i]);
	}
}

static void expect_function_stays(const char *bdf)
{
	function_expect_busy(bdf, "reset", "1");
	function_expect_busy(bdf, "reset_method", "default");
	function_expect_busy(bdf, "remove", "1");
	function_expect_busy(bdf, "enable", "0");
	for (int i = 0; i < 2; i++) {
		function_expect_busy(ports[i], "remove", "1");
		function_expect_busy(ports[i], "reset_subordinate", "1");
	}
	expect_no_sleep();
}

static int enter_low_power(const struct device *device)
{
	struct vfio_device_feature feature = {
		.argsz = sizeof(feature),
		.flags = VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY,
	};

	return ioctl(device->fd, VFIO_DEVICE_FEATURE, &feature) ? -errno : 0;
}

static int hot_reset(const struct device *device)
{
	struct vfio_pci_hot_reset reset = { .argsz = sizeof(reset) };

	return ioctl(device->fd, VFIO_DEVICE_PCI_HOT_RESET, &reset) ? -errno : 0;
}

void sysfs_old_kernel(void)
{
	struct receiver receiver;

	prepare_kexec();
	receiver_set_up(&receiver);
	traffic_start(&receiver);
	preserve_everything(&receiver);
	expect_function_stays(receiver.device.bdf);
	function_expect_busy(receiver.device.bdf, "sriov_numvfs", "1");
	check_errno(enter_low_power(&receiver.device), EBUSY, "low power");
	check_errno(hot_reset(&receiver.device), EBUSY, "hot reset");
	sleep_ms(500);
	must(announce_and_jump(), "kexec");
}

static void expect_no_driver(const char *bdf, const char *driver)
{
	char path[128], what[64];

	snprintf(path, sizeof(path), "/sys/bus/pci/drivers/%s", driver);
	check(!access(path, F_OK), "there is a driver %s", driver);
	function_write(bdf, "driver_override", driver);
	/* Whatever it says: what counts is who drives the function then. */
	write_file("/sys/bus/pci/drivers_probe", bdf);
	function_path(path, sizeof(path), bdf, "driver");
	snprintf(what, sizeof(what), "%s does not bind", driver);
	check(access(path, F_OK), "%s", what);
	function_write(bdf, "driver_override", "\n");
}

/* The driver may come and go: what it drives stays as it is. */
static void bind_and_unbind(const char *bdf)
{
	check_errno(pci_bind_vfio(bdf), 0, "bind vfio-pci");
	check_errno(write_file("/sys/bus/pci/drivers/vfio-pci/unbind", bdf), 0,
		    "unbind vfio-pci");
	check_errno(pci_bind_vfio(bdf), 0, "bind vfio-pci again");
}

void sysfs_new_kernel(void)
{
	struct receiver receiver;
	char bdf[BDF_LENGTH];
	int session;

	receiver_choose(&receiver);
	must(pci_find(receiver.model->vendor, receiver.model->device, 0, bdf),
	     "find the network card");
	expect_function_stays(bdf);
	expect_no_driver(bdf, "pci-stub");
	expect_no_driver(bdf, "pci-pf-stub");
	session = must(session_retrieve(SESSION_NAME), "retrieve session");
	receiver_adopt_memory(&receiver, must(session_retrieve_fd(session, TOKEN_MEMORY),
					      "retrieve memfd"));
	bind_and_unbind(bdf);
	expect_function_stays(bdf);
	sleep_ms(1000);
	receiver_report_registers(&receiver, bdf, "after");
	traffic_stop();
	receiver_report_landed(&receiver);
}
