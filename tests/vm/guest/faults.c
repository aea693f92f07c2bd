// SPDX-License-Identifier: GPL-2.0
/*
 * fail-nth counts the allocations of a task down and fails one of them.  While it
 * counts nothing else fails, and what make-it-fail says holds from then on.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "events.h"
#include "faults.h"
#include "machine.h"

static int fail_nth = -1, make_it_fail = -1;

static void set(const char *attribute, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/kernel/debug/%s", attribute);
	must(write_file(path, value), path);
}

/* Sleeping allocations, and single pages, are left alone by default. */
static void set_up(const char *kind)
{
	static const char *const settings[][2] = {
		{ "ignore-gfp-wait", "N" },
		{ "task-filter", "Y" },
		{ "probability", "100" },
		{ "interval", "1" },
		{ "times", "-1" },
	};
	char attribute[64];

	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		snprintf(attribute, sizeof(attribute), "%s/%s", kind, settings[i][0]);
		set(attribute, settings[i][1]);
	}
	snprintf(attribute, sizeof(attribute), "%s/verbose", kind);
	set(attribute, option_text("verbose", "0"));
}

void faults_prepare(void)
{
	fail_nth = open("/proc/self/fail-nth", O_RDWR | O_CLOEXEC);
	make_it_fail = open("/proc/self/make-it-fail", O_RDWR | O_CLOEXEC);
	if (fail_nth < 0 || make_it_fail < 0)
		skip("the kernel has no fault injection");
	set_up("failslab");
	set_up("fail_page_alloc");
	set("fail_page_alloc/min-order", "0");
	set("fail_page_alloc/ignore-gfp-highmem", "N");
	/* A page fault of our own would never end. */
	if (mlockall(MCL_CURRENT))
		give_up("mlockall: %m");
}

static void put(int fd, unsigned int number)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%u", number);

	if (pwrite(fd, text, length, 0) != length)
		give_up("fault injection: %m");
}

void faults_begin(unsigned int nth, enum fault_extent extent)
{
	put(fail_nth, nth);
	put(make_it_fail, extent == FAULT_REST);
}

bool faults_end(void)
{
	char text[16] = "";

	put(make_it_fail, 0);
	if (pread(fail_nth, text, sizeof(text) - 1, 0) <= 0)
		give_up("fault injection: %m");
	put(fail_nth, 0);
	return !atoi(text);
}
