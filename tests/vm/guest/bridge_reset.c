// SPDX-License-Identifier: GPL-2.0
/*
 * The port above the card loses its bus numbers between the kernels, as by a reset,
 * in the time that linger_ms gives.  The next kernel cannot tell what was below it:
 * it scans nothing there, gives the numbers to nobody, also when asked to look again,
 * and says so.  The session can be retrieved, but for the device, and be finished.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "events.h"
#include "function.h"
#include "liveupdate.h"
#include "machine.h"
#include "preserve.h"
#include "scenarios.h"

#define HANDED_OVER	"handed over, translation stays on"
#define NOT_SCANNED	"the bridge was reset, nothing below it is scanned"
#define PRIMARY_BUS	0x18
#define LOOK_EVERY_MS	2

/* On the processor that the reboot does not run on. */
static void *forget_numbers_once_handed_over(void *argument)
{
	static const __u8 none[3];
	int config = function_open(argument, "../config");
	cpu_set_t other;

	CPU_ZERO(&other);
	CPU_SET(1, &other);
	if (sched_setaffinity(0, sizeof(other), &other))
		give_up("no other processor: %m");
	while (!log_says(HANDED_OVER))
		sleep_ms(LOOK_EVERY_MS);
	if (pwrite(config, none, sizeof(none), PRIMARY_BUS) != sizeof(none))
		give_up("bus numbers: %m");
	event("note the port has no bus numbers");
	return NULL;
}

void bridge_reset_old_kernel(void)
{
	struct receiver receiver;
	pthread_t thread;

	prepare_kexec();
	receiver_set_up(&receiver);
	preserve_everything(&receiver);
	if (pthread_create(&thread, NULL, forget_numbers_once_handed_over, receiver.device.bdf))
		give_up("no thread");
	must(announce_and_jump(), "kexec");
}

static void expect_no_card(const char *when)
{
	struct receiver receiver;
	char bdf[BDF_LENGTH];

	receiver_choose(&receiver);
	check(pci_find(receiver.model->vendor, receiver.model->device, 0, bdf) < 0,
	      "no card is found %s", when);
}

void bridge_reset_new_kernel(void)
{
	int session;

	check(log_says(NOT_SCANNED), "the log says: %s", NOT_SCANNED);
	expect_no_card("at boot");
	must(write_file("/sys/bus/pci/rescan", "1"), "rescan");
	expect_no_card("by a rescan");
	session = must(session_retrieve(SESSION_NAME), "retrieve the session");
	close(must(session_retrieve_fd(session, TOKEN_MEMORY), "retrieve the memory"));
	close(must(session_retrieve_fd(session, TOKEN_IOMMUFD), "retrieve the iommufd"));
	check_errno(session_retrieve_fd(session, TOKEN_DEVICE), ENODEV, "retrieve the device");
	check_errno(session_finish(session), 0, "finish");
	expect_no_card("after the finish");
}
