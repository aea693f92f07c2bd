// SPDX-License-Identifier: GPL-2.0
/*
 * A live update with frames arriving all the time.  With reopen=1 the next
 * kernel opens the device anew, as a program has to that was not preserved.
 */
#include <errno.h>
#include <string.h>

#include "events.h"
#include "liveupdate.h"
#include "machine.h"
#include "neighbour.h"
#include "preserve.h"
#include "pressure.h"
#include "scenarios.h"

void update_old_kernel(void)
{
	int before_ms = option_number("before_ms", 1000);
	struct receiver receiver;

	prepare_kexec();
	receiver_set_up(&receiver);
	traffic_start(&receiver);
	sleep_ms(before_ms / 2);
	preserve_as_asked(&receiver);
	sleep_ms(before_ms / 2);
	must(announce_and_jump(), "kexec");
}

static int adopt_memory(struct receiver *receiver)
{
	int session = must(session_retrieve(SESSION_NAME), "retrieve session");

	receiver_adopt_memory(receiver, must(session_retrieve_fd(session, TOKEN_MEMORY),
					     "retrieve memfd"));
	event("memory-retrieved");
	return session;
}

/* Until the way back exists nobody may take the device, and nothing ends. */
static void expect_nobody_gets_the_device(int session, const char *bdf)
{
	struct device device;
	int iommufd = must(iommufd_open(), "open iommufd");

	check_errno(session_retrieve_fd(session, TOKEN_IOMMUFD), EOPNOTSUPP, "retrieve iommufd");
	check_errno(session_retrieve_fd(session, TOKEN_DEVICE), EOPNOTSUPP, "retrieve device");
	check_errno(pci_bind_vfio(bdf), 0, "bind vfio-pci");
	check_errno(device_open(&device, bdf, iommufd), EBUSY, "ordinary open of the device");
	check_errno(session_finish(session), EBUSY, "finish");
}

/* The second look must find what a second of traffic brings. */
static void expect_growth(struct receiver *receiver)
{
	int rate = option_number("rate", 1000), look_ms = 1000;
	__u32 before = receiver_scan(receiver).landed, after;

	sleep_ms(look_ms);
	after = receiver_scan(receiver).landed;
	check(after - before >= (__u32)rate * look_ms / 2000,
	      "frames go on landing in the new kernel: %u, then %u", before, after);
}

static void trouble_the_new_kernel(void)
{
	if (option_number("scribble", 0))
		scribble_over_free_memory();
	if (option_number("compact", 0))
		compact_memory();
	if (option_number("neighbour", 0))
		neighbour_works_again();
}

static void go_on_preserved(struct receiver *receiver, int session, const char *bdf)
{
	expect_nobody_gets_the_device(session, bdf);
	trouble_the_new_kernel();
	expect_growth(receiver);
	receiver_report_registers(receiver, bdf, "end");
	traffic_stop();
	receiver_report_landed(receiver);
}

static void start_again(struct receiver *receiver)
{
	receiver_set_up(receiver);
	event("reopened");
}

static void go_on_anew(struct receiver *receiver, int session)
{
	struct receiver again = { .memfd = -1 };
	bool reopen = option_number("reopen", 0);

	trouble_the_new_kernel();
	if (reopen)
		start_again(&again);
	sleep_ms(option_number("after_ms", 1000));
	traffic_stop();
	receiver_report_landed(receiver);
	if (reopen)
		receiver_report_landed(&again);
	check_errno(session_finish(session), 0, "finish");
}

void update_new_kernel(void)
{
	struct receiver receiver;
	char bdf[BDF_LENGTH];
	int session;

	receiver_choose(&receiver);
	must(pci_find(receiver.model->vendor, receiver.model->device, 0, bdf),
	     "find the network card");
	receiver_report_registers(&receiver, bdf, "after");
	session = adopt_memory(&receiver);
	if (!strcmp(option_text("preserve", "yes"), "yes"))
		go_on_preserved(&receiver, session, bdf);
	else
		go_on_anew(&receiver, session);
}
