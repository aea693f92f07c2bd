// SPDX-License-Identifier: GPL-2.0
/*
 * The next kernel finds KHO data that it cannot use: of another version, damaged
 * (harm=damage), or in memory that it does not have (harm=gone).  The root of the data
 * is found in memory by its content.  If files were preserved the next kernel must not
 * go on, and says so where it is seen; of another version and without any
 * (preserve=no) it does.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "events.h"
#include "liveupdate.h"
#include "machine.h"
#include "preserve.h"
#include "scenarios.h"

#define VERSION		"kho-v"
#define MAGIC		"\xd0\x0d\xfe\xed"
#define HEAD		512	/* of the page, with all that is looked for */

static int open_memory(void)
{
	int memory = open("/dev/mem", O_RDWR | O_CLOEXEC);

	if (memory < 0)
		give_up("open the memory of the machine: %m");
	return memory;
}

static void read_head(int memory, off_t at, char *head)
{
	if (pread(memory, head, HEAD, at) != HEAD)
		memset(head, 0, HEAD);
}

static char *find_version(char *head)
{
	return memcmp(head, MAGIC, 4) ? NULL : memmem(head, HEAD, VERSION, strlen(VERSION));
}

static int find_in_range(int memory, off_t from, off_t end, off_t *found)
{
	char head[HEAD];
	int count = 0;

	for (off_t at = from; at + PAGE <= end + 1; at += PAGE) {
		read_head(memory, at, head);
		if (!find_version(head))
			continue;
		*found = at;
		count++;
	}
	return count;
}

/* KHO's own page, and nothing else that looks like it. */
static off_t find_data(void)
{
	int memory = open_memory(), count = 0;
	FILE *map = fopen("/proc/iomem", "r");
	unsigned long from, end;
	off_t found = 0;
	char line[128];

	while (map && fgets(line, sizeof(line), map))
		if (strstr(line, "System RAM") && sscanf(line, "%lx-%lx", &from, &end) == 2)
			count += find_in_range(memory, (from + PAGE - 1) & ~(PAGE - 1ul), end,
					       &found);
	if (count != 1)
		give_up("the root of the data is found %d times", count);
	fclose(map);
	close(memory);
	return found;
}

static void change_data(off_t at, bool damage)
{
	int memory = open_memory();
	char head[HEAD];

	read_head(memory, at, head);
	if (damage)
		head[0] ^= 0xff;
	else
		find_version(head)[strlen(VERSION)] = '9';
	if (pwrite(memory, head, HEAD, at) != HEAD)
		give_up("write to the data: %m");
	close(memory);
}

/* The next kernel takes the page for reserved by the firmware. */
static void prepare_kexec_without(off_t page)
{
	char command_line[2048 + 64];
	size_t length;

	read_file("/next-cmdline", command_line, 2048);
	length = strlen(command_line);
	snprintf(command_line + length, sizeof(command_line) - length, " memmap=4K$0x%llx",
		 (unsigned long long)page);
	must(kexec_prepare("/bzImage", "/initrd", command_line), "kexec_file_load");
}

void kho_data_old_kernel(void)
{
	const char *harm = option_text("harm", "version");
	off_t data = find_data();
	struct receiver receiver;

	if (!strcmp(harm, "gone"))
		prepare_kexec_without(data);
	else
		prepare_kexec();
	receiver_set_up(&receiver);
	if (strcmp(option_text("preserve", "yes"), "no"))
		preserve_everything(&receiver);
	if (strcmp(harm, "gone"))
		change_data(data, !strcmp(harm, "damage"));
	must(announce_and_jump(), "kexec");
}

/* Like after a cold boot. */
void kho_data_new_kernel(void)
{
	check(session_create("afterwards") >= 0, "live update works");
}
