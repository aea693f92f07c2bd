// SPDX-License-Identifier: GPL-2.0
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "events.h"
#include "shown.h"

struct shown {
	char status[32], device[32], state[32];
	unsigned int units, domains, devices, attachments;
	bool in_device;
};

/* A record begins with what it is, and refers to others by their numbers. */
static void take_line(struct shown *shown, const char *line)
{
	unsigned int number;

	if (sscanf(line, "status: %31s", shown->status) == 1)
		return;
	if (sscanf(line, "unit: %u", &number) == 1) {
		shown->units++;
	} else if (sscanf(line, "domain: %u", &number) == 1) {
		shown->domains++;
	} else if (sscanf(line, "attachment: %u", &number) == 1) {
		shown->attachments++;
	} else if (sscanf(line, "device: %31s", shown->device) == 1) {
		shown->devices++;
		shown->in_device = true;
	} else if (shown->in_device) {
		sscanf(line, "state: %31s", shown->state);
	}
}

static void read_records(const char *side, struct shown *shown)
{
	char path[64], line[256];
	FILE *file;

	memset(shown, 0, sizeof(*shown));
	snprintf(path, sizeof(path), "/sys/kernel/debug/iommu/liveupdate/%s", side);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		take_line(shown, line);
	if (file)
		fclose(file);
}

void expect_records_shown(const char *side, const char *bdf, const char *state)
{
	struct shown shown;

	read_records(side, &shown);
	check(!strcmp(shown.status, side) && shown.units == 1 && shown.domains == 1 &&
	      shown.devices == 1 && shown.attachments == 1,
	      "debugfs shows %s: %u units, %u domains, %u devices, %u attachments",
	      shown.status, shown.units, shown.domains, shown.devices, shown.attachments);
	check(!strcmp(shown.device, bdf) && !strcmp(shown.state, state),
	      "debugfs shows %s %s, wanted %s", shown.device, shown.state, state);
}

void expect_none_shown(const char *side)
{
	struct shown shown;

	read_records(side, &shown);
	check(!strcmp(shown.status, "none") && !shown.units && !shown.domains && !shown.devices,
	      "debugfs shows %s: %u units, %u domains, %u devices, wanted none", shown.status,
	      shown.units, shown.domains, shown.devices);
}
