// SPDX-License-Identifier: GPL-2.0
/*
 * The next kernel finds KHO data that it cannot use: of another version, or damaged
 * (damage=1).  The root of the data is found by its content in memory and changed
 * there.  If files were preserved the next kernel must not go on, and says so where
 * it is seen; of another version and without any (preserve=no) it does.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "events.h"
#include "liveupdate.h"
#include "machine.h"
#include "preserve.h"
#include "scenarios.h"

#define VERSION		"kho-v"
#define MAGIC		"\xd0\x0d\xfe\xed"

static char *find_version(char *page)
{
	return memcmp(page, MAGIC, 4) ? NULL : memmem(page, 512, VERSION, strlen(VERSION));
}

static int change_page(int memory, char *page, off_t at)
{
	char *version = find_version(page);

	if (!version)
		return 0;
	if (option_number("damage", 0))
		page[0] ^= 0xff;
	else
		version[strlen(VERSION)] = '9';
	if (pwrite(memory, page, 512, at) != 512)
		give_up("write to the data: %m");
	return 1;
}

static int change_range(int memory, off_t from, off_t end)
{
	char page[512];
	int found = 0;

	for (off_t at = from; at < end; at += PAGE)
		if (pread(memory, page, sizeof(page), at) == sizeof(page))
			found += change_page(memory, page, at);
	return found;
}

/* KHO's own page, and nothing else that looks like it. */
static void change_data(void)
{
	int memory = open("/dev/mem", O_RDWR | O_CLOEXEC), found = 0;
	FILE *map = fopen("/proc/iomem", "r");
	unsigned long from, end;
	char line[128];

	if (memory < 0 || !map)
		give_up("memory of the machine: %m");
	while (fgets(line, sizeof(line), map))
		if (sscanf(line, "%lx-%lx : System RAM", &from, &end) == 2 &&
		    strstr(line, "System RAM"))
			found += change_range(memory, (from + PAGE - 1) & ~(PAGE - 1ul), end);
	check(found == 1, "the root of the data is found once: %d times", found);
	fclose(map);
	close(memory);
}

void kho_data_old_kernel(void)
{
	struct receiver receiver;

	prepare_kexec();
	receiver_set_up(&receiver);
	if (strcmp(option_text("preserve", "yes"), "no"))
		preserve_everything(&receiver);
	change_data();
	must(announce_and_jump(), "kexec");
}

/* Like after a cold boot. */
void kho_data_new_kernel(void)
{
	check(session_create("afterwards") >= 0, "live update works");
}
