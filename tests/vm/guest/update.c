// SPDX-License-Identifier: GPL-2.0
/*
 * A live update with frames arriving all the time.  The next kernel's program
 * takes the device back and finishes; with back=no it only looks on.  With
 * reopen=1 it opens the device anew, as one has to that was not preserved.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "crowd.h"
#include "events.h"
#include "liveupdate.h"
#include "machine.h"
#include "neighbour.h"
#include "preserve.h"
#include "pressure.h"
#include "scenarios.h"
#include "wayback.h"

static bool is_preserved(void)
{
	return !strcmp(option_text("preserve", "yes"), "yes");
}

static bool goes_back(void)
{
	return is_preserved() && strcmp(option_text("back", "yes"), "no");
}

#define OUTGOING	"/sys/kernel/debug/iommu/liveupdate/outgoing"
#define PAGE_OF_TABLE	(2ul << 20)	/* what a table of 4 KiB entries maps */

/* With entries of 4 KiB there would be a table for each 2 MiB of the ring. */
static void expect_large_entries(const struct receiver *receiver)
{
	unsigned long tables = ~0ul;
	char line[128];
	FILE *file = fopen(OUTGOING, "r");

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "tables: %lu", &tables) == 1)
			break;
	if (file)
		fclose(file);
	check(tables < receiver->size / PAGE_OF_TABLE, "the ring is mapped by large entries: %lu tables",
	      tables);
}

void update_old_kernel(void)
{
	int before_ms = option_number("before_ms", 1000);
	struct receiver receiver;

	prepare_kexec();
	receiver_set_up(&receiver);
	receiver.rearm = goes_back();
	traffic_start(&receiver);
	receiver_receive(&receiver, before_ms / 2);
	if (option_number("crowd", 0))
		crowd_the_port(receiver.model);
	if (goes_back())
		report_pages("base");
	preserve_as_asked(&receiver);
	if (option_number("hugepages", 0) && is_preserved())
		expect_large_entries(&receiver);
	receiver_receive(&receiver, before_ms / 2);
	must(announce_and_jump(), "kexec");
}

/* As long as it is not finished nobody gets it who does not have the session. */
static void expect_nobody_opens_the_device(const char *bdf)
{
	struct device device;
	int iommufd = must(iommufd_open(), "open iommufd");

	check_errno(device_open(&device, bdf, iommufd), EBUSY, "ordinary open of the device");
	close(iommufd);
}

static void trouble_the_new_kernel(const struct receiver *receiver)
{
	if (option_number("scribble", 0))
		scribble_over_free_memory();
	if (option_number("compact", 0))
		compact_memory(receiver);
	if (option_number("neighbour", 0))
		neighbour_works_again();
	if (option_number("crowd", 0))
		crowd_is_served();
}

static void look_on(struct way_back *back)
{
	struct receiver *receiver = back->receiver;

	back_go_to(back, BACK_IOMMUFD);
	expect_nobody_opens_the_device(back->bdf);
	trouble_the_new_kernel(back->receiver);
	expect_growth(receiver);
	receiver_report_registers(receiver, back->bdf, "end");
	traffic_stop();
	receiver_report_landed(receiver);
}

static void go_back(struct way_back *back)
{
	back_go_to(back, BACK_IOMMUFD);
	expect_nobody_opens_the_device(back->bdf);
	trouble_the_new_kernel(back->receiver);
	back_complete(back, BACK_IOMMUFD);
	report_pages("finished");
	/* With tables of its own it is to stand the same. */
	trouble_the_new_kernel(back->receiver);
	back_end(back);
}

static void start_again(struct receiver *receiver)
{
	receiver_set_up(receiver);
	event("reopened");
}

static void go_on_anew(struct way_back *back)
{
	struct receiver again = { .memfd = -1 };
	bool reopen = option_number("reopen", 0);

	back_take(back, BACK_SESSION);
	back_take(back, BACK_MEMORY);
	trouble_the_new_kernel(back->receiver);
	if (reopen)
		start_again(&again);
	sleep_ms(option_number("after_ms", 1000));
	traffic_stop();
	receiver_report_landed(back->receiver);
	if (reopen)
		receiver_report_landed(&again);
	check_errno(session_finish(back->session), 0, "finish");
}

void update_new_kernel(void)
{
	struct receiver receiver;
	struct way_back back;

	back_begin(&back, &receiver);
	if (goes_back())
		go_back(&back);
	else if (is_preserved())
		look_on(&back);
	else
		go_on_anew(&back);
}
