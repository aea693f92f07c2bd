// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "events.h"
#include "liveupdate.h"
#include "machine.h"
#include "preserve.h"

void prepare_kexec(void)
{
	char command_line[2048];

	read_file("/next-cmdline", command_line, sizeof(command_line));
	must(kexec_prepare("/bzImage", "/initrd", command_line), "kexec_file_load");
}

void start_receiving(struct receiver *receiver, int milliseconds)
{
	prepare_kexec();
	receiver_set_up(receiver);
	receiver->rearm = true;
	traffic_start(receiver);
	receiver_receive(receiver, milliseconds);
}

int announce_and_jump(void)
{
	event_ask("kexec-call");
	return kexec_jump();
}

int preserve_memory_only(const struct receiver *receiver)
{
	int session = must(session_create(SESSION_NAME), "create session");

	must(session_preserve_fd(session, receiver->memfd, TOKEN_MEMORY), "preserve memfd");
	return session;
}

int preserve_everything(const struct receiver *receiver)
{
	const struct device *device = &receiver->device;
	int session;

	must(hwpt_mark_preserve(device->iommufd, receiver->hwpt_id, TOKEN_HWPT), "mark HWPT");
	session = preserve_memory_only(receiver);
	must(session_preserve_fd(session, device->iommufd, TOKEN_IOMMUFD), "preserve iommufd");
	must(session_preserve_fd(session, device->fd, TOKEN_DEVICE), "preserve device");
	return session;
}

int preserve_again(const struct receiver *receiver)
{
	int session = preserve_memory_only(receiver);

	check_errno(session_preserve_fd(session, receiver->device.iommufd, TOKEN_IOMMUFD), 0,
		    "preserve the iommufd again");
	check_errno(session_preserve_fd(session, receiver->device.fd, TOKEN_DEVICE), 0,
		    "preserve the device again");
	return session;
}

static void expect_refusal(const struct receiver *receiver, int session)
{
	const struct device *device = &receiver->device;

	check_errno(hwpt_mark_preserve(device->iommufd, receiver->hwpt_id, TOKEN_HWPT), ENOTTY,
		    "mark HWPT");
	check_errno(session_preserve_fd(session, device->iommufd, TOKEN_IOMMUFD), ENOENT,
		    "preserve iommufd");
	check_errno(session_preserve_fd(session, device->fd, TOKEN_DEVICE), ENOENT,
		    "preserve device");
}

static void preserve_and_take_back(const struct receiver *receiver)
{
	close(preserve_everything(receiver));
	preserve_memory_only(receiver);
}

void preserve_as_asked(const struct receiver *receiver)
{
	const char *what = option_text("preserve", "yes");

	if (!strcmp(what, "yes"))
		preserve_everything(receiver);
	else if (!strcmp(what, "closed"))
		preserve_and_take_back(receiver);
	else if (!strcmp(what, "refused"))
		expect_refusal(receiver, preserve_memory_only(receiver));
	else
		preserve_memory_only(receiver);
	event("preserved what=%s", what);
}
