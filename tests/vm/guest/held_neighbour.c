// SPDX-License-Identifier: GPL-2.0
/*
 * Somebody takes the driver away from a card that is not preserved and that a tenant
 * has open, so he waits for the tenant, with the lock of the card, which shutdown
 * needs as well.  The kexec call is refused and does not wait, and goes through once
 * the tenant has closed it.
 */
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "events.h"
#include "liveupdate.h"
#include "machine.h"
#include "preserve.h"
#include "scenarios.h"
#include "tenant.h"

#define KEXEC_MS	5000

struct unbinder {
	pid_t child;
	int start;
};

/* Made before there is a device file, for it must not have one itself. */
static void unbinder_create(struct unbinder *unbinder, const char *bdf)
{
	int ends[2];
	char byte;

	if (pipe(ends))
		give_up("pipe: %m");
	unbinder->child = fork();
	if (unbinder->child < 0)
		give_up("fork: %m");
	unbinder->start = ends[1];
	if (unbinder->child) {
		close(ends[0]);
		return;
	}
	close(ends[1]);
	if (read(ends[0], &byte, 1) != 1)
		_exit(1);
	_exit(write_file("/sys/bus/pci/drivers/vfio-pci/unbind", bdf) ? 1 : 0);
}

/* From here on it waits for the device file, and holds the lock that the kexec needs. */
static void unbinder_start(const struct unbinder *unbinder)
{
	if (write(unbinder->start, "", 1) != 1)
		give_up("pipe: %m");
	sleep_ms(300);
	check(!waitpid(unbinder->child, NULL, WNOHANG), "the unbind waits for the device file");
}

static void expect_unbound(const struct unbinder *unbinder)
{
	int status;

	waitpid(unbinder->child, &status, 0);
	check(!status, "the unbind came through: status 0x%x", status);
}

static void open_spare(struct device *spare, const char *bdf)
{
	must(pci_bind_vfio(bdf), "bind vfio-pci");
	must(device_open(spare, bdf, must(iommufd_open(), "open iommufd")), "open the spare card");
}

static int jump(void *argument)
{
	(void)argument;
	return kexec_jump();
}

static void expect_refusal(void)
{
	struct background_call kexec;

	call_in_background(&kexec, jump, NULL);
	/* Without an answer it is on its way, and goes on when the card is closed. */
	if (check(call_returns_within(&kexec, KEXEC_MS), "the kexec call returns"))
		check_errno(call_result(&kexec), EBUSY, "kexec while the unbind waits");
}

void held_neighbour_old_kernel(void)
{
	struct unbinder unbinder;
	struct receiver receiver;
	struct device spare;
	char bdf[BDF_LENGTH];

	prepare_kexec();
	receiver_choose(&receiver);
	must(pci_find(receiver.model->vendor, receiver.model->device, 1, bdf), "find the spare card");
	unbinder_create(&unbinder, bdf);
	receiver_set_up(&receiver);
	receiver.rearm = true;
	open_spare(&spare, bdf);
	traffic_start(&receiver);
	receiver_receive(&receiver, 300);
	preserve_everything(&receiver);
	unbinder_start(&unbinder);
	expect_refusal();
	device_close(&spare);
	expect_unbound(&unbinder);
	receiver_receive(&receiver, 300);
	must(announce_and_jump(), "kexec");
}
