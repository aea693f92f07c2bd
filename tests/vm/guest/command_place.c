// SPDX-License-Identifier: GPL-2.0
/*
 * Machines on which a card cannot go along: the operator's command says so of the card and
 * of its program, and it is refused.
 *
 *	place=ats	a card with a cache of its own for translations
 *	place=group	one that shares its group with the ports above it
 *	place=reserved	the second one has memory that the firmware reserves
 *
 * And kernels on which nothing can.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "events.h"
#include "liveupdate.h"
#include "machine.h"
#include "preserve.h"
#include "scenarios.h"
#include "situations.h"

static void refuse_ats(struct operator *operator)
{
	struct receiver other;

	ats_card_set_up(&other);
	check_device(operator, other.device.bdf, 1, "FAIL dev.ats");
	check_program(operator, 1, "FAIL dev.ats");
	try_to_preserve(&other, -1, EOPNOTSUPP, "card with ATS");
	device_close(&other.device);
}

/* It cannot even be bound. */
static void refuse_reserved_memory(struct operator *operator)
{
	int iommufd = must(iommufd_open(), "open iommufd");
	struct receiver other;
	struct device device;
	char bdf[BDF_LENGTH];

	receiver_choose(&other);
	must(pci_find(other.model->vendor, other.model->device, 1, bdf), "find the second card");
	must(pci_bind_vfio(bdf), "bind vfio-pci to the second card");
	check_device(operator, bdf, 1, "FAIL dev.rmrr");
	check(device_open(&device, bdf, iommufd) < 0, "a card with reserved memory is not bound");
	close(iommufd);
	check_device(operator, operator->receiver->device.bdf, 0, "");
}

static void refuse_shared_group(struct operator *operator)
{
	const struct receiver *receiver = operator->receiver;

	check_device(operator, receiver->device.bdf, 1, "FAIL dev.group-shared");
	check_program(operator, 1, "FAIL dev.group-shared");
	try_to_preserve(receiver, -1, EOPNOTSUPP, "card in a shared group");
}

void command_place_old_kernel(void)
{
	const char *place = option_text("place", "ats");
	struct operator *operator = operator_create();
	struct receiver receiver;

	receiver_set_up(&receiver);
	receiver.rearm = true;
	traffic_start(&receiver);
	must(hwpt_mark_preserve(receiver.device.iommufd, receiver.hwpt_id, TOKEN_HWPT), "mark");
	operator->receiver = &receiver;
	if (!strcmp(place, "ats"))
		refuse_ats(operator);
	else if (!strcmp(place, "reserved"))
		refuse_reserved_memory(operator);
	else
		refuse_shared_group(operator);
	receiver_receive(&receiver, 300);
	traffic_stop();
	receiver_report_landed(&receiver);
}

/*
 * A kernel without live update, or without that of IOMMUs: option finds is what the command
 * is to name, with a "+" for a blank and a "/" between two. It ends with 4, and a device
 * cannot be preserved.
 */
static void take_wanted(char *wanted, size_t size)
{
	size_t length = 0;

	for (const char *at = option_text("finds", "FAIL+host.no-support"); *at; at++)
		length += snprintf(wanted + length, size - length, "%s%.*s",
				   *at == '+' ? " " : *at == '/' ? ", " : "",
				   *at != '+' && *at != '/', at);
}

static void expect_nothing_preserved(const struct receiver *receiver)
{
	int session = session_create("trial");

	event("note a session: %d", session);
	if (session < 0)
		return;
	check(hwpt_mark_preserve(receiver->device.iommufd, receiver->hwpt_id, TOKEN_HWPT) < 0,
	      "a HWPT is not marked");
	check(preserve_all(receiver, session) < 0, "a device is not preserved");
	close(session);
}

void command_unsupported_old_kernel(void)
{
	struct operator *operator = operator_create();
	struct receiver receiver;
	char wanted[128];

	take_wanted(wanted, sizeof(wanted));
	prepare_kexec();
	receiver_set_up(&receiver);
	receiver.rearm = true;
	traffic_start(&receiver);
	operator->receiver = &receiver;
	operator_types(operator, "check host");
	operator_expects(operator, 4, wanted);
	operator_types(operator, "check");
	check(operator->code == 4, "check: exit %d, wanted 4", operator->code);
	operator_types(operator, "version");
	operator_expects(operator, 0, "");
	expect_nothing_preserved(&receiver);
	traffic_stop();
	receiver_report_landed(&receiver);
}
