// SPDX-License-Identifier: GPL-2.0
/*
 * Kernels whose iommufd and vfio-pci are modules.  In the next one they come late, or
 * with modules=never not at all: until then the card goes on and is nobody's, and what
 * needs a module is refused and said.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "events.h"
#include "liveupdate.h"
#include "machine.h"
#include "module.h"
#include "preserve.h"
#include "scenarios.h"
#include "wayback.h"

/* By these names the log says what to load. */
#define IOMMUFD_ALIAS	"liveupdate-ilu-iommufd-v1"
#define DEVICE_ALIAS	"liveupdate-ilu-vfio-pci-v1"

/* Each before those that it needs. */
static const char *const modules[] = {
	"vfio_pci", "vfio_pci_core", "vfio_iommu_type1", "vfio", "iommufd",
};

#define MODULES	(sizeof(modules) / sizeof(modules[0]))

static bool never_come(void)
{
	return !strcmp(option_text("modules", "late"), "never");
}

static void expect_unloading(const char *name, int errno_wanted, const char *when)
{
	char what[96];

	snprintf(what, sizeof(what), "unload %s %s", name, when);
	check_errno(module_unload(name), errno_wanted, what);
}

/* Twice, for what the first time leaves behind is in the way of the second. */
static void expect_to_come_and_go(const char *when)
{
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < MODULES; i++)
			expect_unloading(modules[i], 0, when);
		modules_load_all();
	}
}

static void expect_to_stay(const char *when)
{
	for (size_t i = 0; i < MODULES; i++)
		if (strcmp(modules[i], "vfio_iommu_type1"))
			expect_unloading(modules[i], EAGAIN, when);
}

void modules_old_kernel(void)
{
	struct receiver receiver;

	if (modules_exist())
		expect_to_come_and_go("when nothing is preserved");
	prepare_kexec();
	receiver_set_up(&receiver);
	/* Where nobody takes the ring back it must not go round. */
	receiver.rearm = !never_come();
	traffic_start(&receiver);
	receiver_receive(&receiver, 500);
	if (!never_come())
		report_pages("base");
	preserve_everything(&receiver);
	if (modules_exist())
		expect_to_stay("while it is preserved");
	receiver_receive(&receiver, 500);
	must(announce_and_jump(), "kexec");
}

static void expect_no_driver(const struct way_back *back)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver", back->bdf);
	check(access(path, F_OK), "the card has no driver");
	check(access("/dev/iommu", F_OK), "there is no iommufd");
}

static void expect_refusals(const struct way_back *back)
{
	check_errno(session_retrieve_fd(back->session, TOKEN_IOMMUFD), EAGAIN,
		    "retrieve the iommufd without its module");
	check(log_says("modprobe " IOMMUFD_ALIAS), "the log says what to load for it");
	check_errno(session_retrieve_fd(back->session, TOKEN_DEVICE), EAGAIN,
		    "retrieve the device without its module");
	check(log_says("modprobe " DEVICE_ALIAS), "the log says what to load for it");
	check_errno(session_finish(back->session), EAGAIN, "FINISH without the modules");
}

/* This image would be started if no data had to go with it. */
static void expect_no_kexec(void)
{
	must(load_image_without_data(), "load an image");
	check_errno(kexec_jump(), EBUSY, "kexec while the session cannot be finished");
}

static void go_without_modules(struct way_back *back)
{
	expect_no_driver(back);
	sleep_ms(option_number("late_ms", 1000));
	back_take(back, BACK_SESSION);
	back_take(back, BACK_MEMORY);
	expect_refusals(back);
	expect_no_kexec();
	expect_growth(back->receiver);
	expect_no_driver(back);
	/* It is not finished by that, and nothing is lost with it. */
	close(back->session);
	back_take(back, BACK_SESSION);
	expect_refusals(back);
}

/* The session holds what it has found, with and without a file of it. */
static void load_modules(struct way_back *back)
{
	must(module_load(IOMMUFD_ALIAS), "load the module of iommufds");
	expect_unloading("iommufd", 0, "before anybody asks for it");
	must(module_load(IOMMUFD_ALIAS), "load the module of iommufds");
	check_errno(session_finish(back->session), EAGAIN, "FINISH with one of the modules");
	expect_unloading("iommufd", EAGAIN, "while the session has one");
	must(module_load(DEVICE_ALIAS), "load the module of device files");
	check_errno(session_retrieve_fd(back->session, TOKEN_DEVICE), EAGAIN,
		    "retrieve the device that is not bound");
	expect_unloading("vfio_pci", EAGAIN, "while the session has a device");
	modules_load_all();
}

static void look_on(struct way_back *back)
{
	receiver_report_registers(back->receiver, back->bdf, "end");
	traffic_stop();
	receiver_report_landed(back->receiver);
}

void modules_new_kernel(void)
{
	struct receiver receiver;
	struct way_back back;

	if (!modules_exist())
		skip("this kernel has no modules");
	back_begin(&back, &receiver);
	go_without_modules(&back);
	if (never_come()) {
		look_on(&back);
		return;
	}
	load_modules(&back);
	back_take(&back, BACK_DRIVER);
	back_complete(&back, BACK_IOMMUFD);
	report_pages("finished");
	expect_to_stay("while the card is open");
	back_end(&back);
	expect_to_come_and_go("when all is over");
}
