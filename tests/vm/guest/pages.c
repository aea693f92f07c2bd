// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "events.h"
#include "machine.h"
#include "pages.h"

#define LIVEUPDATE	"/sys/kernel/debug/iommu/liveupdate/"
#define UNCLAIMED	LIVEUPDATE "unclaimed_pages"
#define FREEING		LIVEUPDATE "freeing_pages"
/* A page table of a machine of ours is freed in a fraction of it. */
#define FREED_MS	5000

static unsigned long statistic(const char *name)
{
	char line[128];
	unsigned long value = 0;
	FILE *file = fopen("/proc/vmstat", "r");

	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, name, strlen(name)) && line[strlen(name)] == ' ')
			value = strtoul(line + strlen(name), NULL, 10);
	if (file)
		fclose(file);
	return value;
}

/* The page table that a device has left is freed behind its back. */
static void wait_until_freed(void)
{
	char pages[32];

	for (int waited = 0; waited < FREED_MS; waited += 10) {
		read_file(FREEING, pages, sizeof(pages));
		if (!strtoul(pages, NULL, 10))
			return;
		sleep_ms(10);
	}
	check(false, "page tables are freed at last: %s pages are left", pages);
}

/*
 * Each processor keeps small differences to itself until it is asked; a kernel for one
 * processor has none.
 */
void count_pages(struct page_counts *counts)
{
	char unclaimed[32];
	int error;

	wait_until_freed();
	error = write_file("/proc/sys/vm/stat_refresh", "1");
	if (error != -ENOENT)
		must(error, "refresh statistics");
	read_file(UNCLAIMED, unclaimed, sizeof(unclaimed));
	if (!*unclaimed)
		give_up("this kernel does not count unclaimed pages");
	*counts = (struct page_counts) {
		.iommu = statistic("nr_iommu_pages"),
		.secondary = statistic("nr_sec_page_table_pages"),
		.unclaimed = strtoul(unclaimed, NULL, 10),
	};
}

void report_pages(const char *when)
{
	struct page_counts counts;

	count_pages(&counts);
	event("pages when=%s iommu=%lu secondary=%lu unclaimed=%lu", when, counts.iommu,
	      counts.secondary, counts.unclaimed);
}
