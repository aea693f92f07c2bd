// SPDX-License-Identifier: GPL-2.0
/*
 * A live update with frames arriving all the time, by a program on the library.  The
 * next kernel's takes the device back and finishes; with back=no it only looks on.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <iommu-liveupdate.h>

#include "crowd.h"
#include "events.h"
#include "machine.h"
#include "pages.h"
#include "pressure.h"
#include "scenarios.h"
#include "vmm.h"

#define SHMEM_HUGE	"/sys/kernel/mm/transparent_hugepage/shmem_enabled"
#define OUTGOING	"/sys/kernel/debug/iommu/liveupdate/outgoing"
#define PAGE_OF_TABLE	(2ul << 20)	/* what a table of 4 KiB entries maps */

static bool goes_back(void)
{
	return strcmp(option_text("back", "yes"), "no");
}

/* ---- memory in huge pages, with thp=1 ---- */

static unsigned long number_in(const char *path, const char *line_format)
{
	unsigned long number = 0;
	char line[128];
	FILE *file = fopen(path, "r");

	if (!file)
		give_up("%s: %m", path);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, line_format, &number) == 1)
			break;
	fclose(file);
	return number;
}

/* Of the whole machine */
static void expect_huge_pages(const struct receiver *receiver)
{
	unsigned long kilobytes = number_in("/proc/meminfo", "ShmemHugePages: %lu");

	check(kilobytes >= receiver->size >> 10, "the ring's memory is in huge pages: %lu of %zu kB",
	      kilobytes, receiver->size >> 10);
}

/* With entries of 4 KiB there would be a table for each 2 MiB of the ring. */
static void expect_large_entries(const struct receiver *receiver)
{
	unsigned long tables = number_in(OUTGOING, "tables: %lu");

	check(tables && tables < receiver->size / PAGE_OF_TABLE,
	      "the ring is mapped by large entries: %lu tables", tables);
}

/* ---- the two kernels ---- */

void update_old_kernel(void)
{
	int before_ms = option_number("before_ms", 1000);
	bool huge = option_number("thp", 0);
	struct receiver *receiver;
	struct vmm vmm;

	if (huge)
		must(write_file(SHMEM_HUGE, "force"), "huge pages for memfds");
	vmm_start_receiving(&vmm, 0);
	receiver = &vmm.receiver;
	receiver->rearm = goes_back();
	receiver_receive(receiver, before_ms / 2);
	if (huge)
		expect_huge_pages(receiver);
	if (option_number("crowd", 0))
		crowd_the_port(receiver->model);
	if (goes_back())
		report_pages("base");
	vmm_preserve(&vmm);
	if (huge)
		expect_large_entries(receiver);
	receiver_receive(receiver, before_ms / 2);
	vmm_jump(&vmm);
}

/* As long as it is not finished nobody gets it who does not have the session. */
static void expect_nobody_opens_the_device(const char *bdf)
{
	struct ilu *other = ilu_new(NULL);
	struct ilu_space *space = ilu_space_create(other, "other");

	must_ilu(other, !space, "another space");
	ilu_device_open(other, "nic", bdf, space);
	check_errno(ilu_error(other)->err, EBUSY, "ordinary open of the device");
	ilu_free(other);
}

static void trouble_the_new_kernel(const struct receiver *receiver)
{
	if (option_number("scribble", 0))
		scribble_over_free_memory();
	if (option_number("compact", 0))
		compact_memory(receiver);
	if (option_number("crowd", 0))
		crowd_is_served();
}

static void go_back(struct vmm *vmm)
{
	vmm_take_card(vmm);
	vmm_switch(vmm);
	vmm_finish(vmm);
	report_pages("finished");
	/* With tables of its own it is to stand the same. */
	trouble_the_new_kernel(&vmm->receiver);
}

void update_new_kernel(void)
{
	struct vmm vmm;

	vmm_begin_again(&vmm);
	vmm_take_memory(&vmm);
	expect_nobody_opens_the_device(vmm.bdf);
	trouble_the_new_kernel(&vmm.receiver);
	if (goes_back())
		go_back(&vmm);
	vmm_end(&vmm);
}
