// SPDX-License-Identifier: GPL-2.0
/*
 * A tenant lets an ATTACH of his device last as long as he likes, which is inside
 * locks of VFIO: by its argument, and by a mapping of memory that does not come.
 * PRESERVE_FD and FINISH of the same device have to come back in time with an
 * errno and a line in the log, and when he lets go all works as ever.
 */
#include <errno.h>
#include <linux/vfio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "events.h"
#include "liveupdate.h"
#include "machine.h"
#include "preserve.h"
#include "scenarios.h"
#include "tenant.h"
#include "wayback.h"

#define OTHER_IOVA	0x50000000ull
#define OTHER_SIZE	(2ull << 20)
#define BOUND_MS	6000
/* For another thread to be where it waits. */
#define BEGUN_MS	300

struct preserve {
	int session, fd;
};

static int preserve_device(void *argument)
{
	const struct preserve *what = argument;

	return session_preserve_fd(what->session, what->fd, TOKEN_DEVICE);
}

static int finish(void *argument)
{
	return session_finish(*(const int *)argument);
}

struct attach {
	int fd;
	struct vfio_device_attach_iommufd_pt *to;
};

static int attach(void *argument)
{
	const struct attach *what = argument;

	return ioctl(what->fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, what->to) ? -errno : 0;
}

/* Writing the answer waits. */
static void hold_by_argument(const struct receiver *receiver, int session)
{
	struct preserve what = { session, receiver->device.fd };
	struct background_call attaching, preserving;
	struct late_memory late;
	struct attach held;

	late_memory_create(&late, PAGE, LATE_WRITE);
	held = (struct attach){ receiver->device.fd, late.memory };
	*held.to = (struct vfio_device_attach_iommufd_pt) {
		.argsz = sizeof(*held.to),
		.pt_id = receiver->hwpt_id,
	};
	late_memory_protect(&late);
	call_in_background(&attaching, attach, &held);
	late_memory_expect_waiter(&late);

	call_in_background(&preserving, preserve_device, &what);
	check(call_returns_within(&preserving, BOUND_MS),
	      "PRESERVE_FD comes back while the argument of an ATTACH is held");
	late_memory_let_go(&late);
	event("note PRESERVE_FD: %d after %d ms, ATTACH: %d", call_result(&preserving),
	      preserving.milliseconds, call_result(&attaching));
}

/* A page table under change, and an ATTACH to its IOAS that has to wait for that. */
struct change {
	const struct device *device;
	__u32 ioas_id, hwpt_id;
	struct late_memory late;
	struct background_call mapping, attaching;
};

static int map_late(void *argument)
{
	const struct change *change = argument;

	return ioas_map_memory(change->device->iommufd, change->ioas_id, change->late.memory,
			       change->late.size, OTHER_IOVA);
}

static int attach_to_ioas(void *argument)
{
	const struct change *change = argument;

	return device_attach(change->device, change->ioas_id);
}

static void hold_by_mapping(struct change *change, const struct device *device)
{
	change->device = device;
	must(ioas_create(device->iommufd, 1, &change->ioas_id), "create IOAS");
	must(hwpt_create(device, change->ioas_id, &change->hwpt_id), "create HWPT");
	late_memory_create(&change->late, OTHER_SIZE, LATE_TOUCH);
	call_in_background(&change->mapping, map_late, change);
	late_memory_expect_waiter(&change->late);
	call_in_background(&change->attaching, attach_to_ioas, change);
	sleep_ms(BEGUN_MS);
	check(!call_returns_within(&change->attaching, 20), "the ATTACH waits for the mapping");
}

/*
 * All of it is given back, and the device is where it was before.  A HWPT that is
 * preserved nobody may join, so the session goes first.
 */
static void let_go(struct change *change, __u32 hwpt_id, int session)
{
	const struct device *device = change->device;

	late_memory_let_go(&change->late);
	check_errno(call_result(&change->mapping), 0, "the mapping, in the end");
	check_errno(call_result(&change->attaching), 0, "the ATTACH, in the end");
	if (session >= 0)
		close(session);
	check_errno(device_attach(device, hwpt_id), 0, "ATTACH to the HWPT of before");
	check_errno(iommufd_destroy(device->iommufd, change->hwpt_id), 0, "destroy HWPT");
	check_errno(ioas_unmap(device->iommufd, change->ioas_id, OTHER_IOVA, OTHER_SIZE), 0,
		    "unmap");
}

static void expect_refusal(struct background_call *call, int log, const char *what,
			   const char *line)
{
	if (!check(call_returns_within(call, BOUND_MS), "%s comes back in time", what))
		return;
	check_errno(call_result(call), EBUSY, what);
	event("note %s took %d ms", what, call->milliseconds);
	check(kernel_log_has(log, line), "the log says: %s", line);
}

void held_attach_old_kernel(void)
{
	struct background_call preserving;
	int log = kernel_log_open();
	struct receiver receiver;
	struct preserve what;
	struct change change;

	prepare_kexec();
	receiver_set_up(&receiver);
	must(hwpt_mark_preserve(receiver.device.iommufd, receiver.hwpt_id, TOKEN_HWPT), "mark");

	what.session = preserve_memory_only(&receiver);
	must(session_preserve_fd(what.session, receiver.device.iommufd, TOKEN_IOMMUFD),
	     "preserve iommufd");
	hold_by_argument(&receiver, what.session);
	close(what.session);

	what.session = preserve_memory_only(&receiver);
	what.fd = receiver.device.fd;
	must(session_preserve_fd(what.session, receiver.device.iommufd, TOKEN_IOMMUFD),
	     "preserve iommufd");
	hold_by_mapping(&change, &receiver.device);
	call_in_background(&preserving, preserve_device, &what);
	expect_refusal(&preserving, log, "PRESERVE_FD while an ATTACH waits",
		       "being attached for too long");
	if (!preserving.ended)
		give_up("PRESERVE_FD is held up");
	let_go(&change, receiver.hwpt_id, what.session);

	/* When nobody is waited for. */
	preserve_again(&receiver);
	must(announce_and_jump(), "kexec");
}

void held_attach_new_kernel(void)
{
	struct background_call finishing;
	int log = kernel_log_open();
	struct receiver receiver;
	struct way_back back;
	struct change change;

	back_begin(&back, &receiver);
	back_go_to(&back, BACK_FINISH);
	hold_by_mapping(&change, &receiver.device);
	call_in_background(&finishing, finish, &back.session);
	expect_refusal(&finishing, log, "FINISH while an ATTACH waits",
		       "being bound or attached, and that does not end");
	let_go(&change, receiver.hwpt_id, -1);
	back_take(&back, BACK_FINISH);
	back_close_files(&back);
}
