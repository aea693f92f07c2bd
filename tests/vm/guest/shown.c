// SPDX-License-Identifier: GPL-2.0
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "events.h"
#include "shown.h"

struct shown {
	char status[32], attachment[32], state[32];
	unsigned int units, domains, attachments;
	bool in_attachment;
};

/* A record begins with what it is, and refers to others by their numbers. */
static void take_line(struct shown *shown, const char *line)
{
	unsigned int number;

	if (sscanf(line, "status: %31s", shown->status) == 1)
		return;
	if (sscanf(line, "unit: %u", &number) == 1) {
		shown->units++;
		shown->in_attachment = false;
	} else if (sscanf(line, "domain: %u", &number) == 1) {
		shown->domains++;
		shown->in_attachment = false;
	} else if (sscanf(line, "attachment: %31s", shown->attachment) == 1) {
		shown->attachments++;
		shown->in_attachment = true;
	} else if (shown->in_attachment) {
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
	      shown.attachments == 1, "debugfs shows %s: %u units, %u domains, %u attachments",
	      shown.status, shown.units, shown.domains, shown.attachments);
	check(!strcmp(shown.attachment, bdf) && !strcmp(shown.state, state),
	      "debugfs shows %s %s, wanted %s", shown.attachment, shown.state, state);
}

void expect_none_shown(const char *side)
{
	struct shown shown;

	read_records(side, &shown);
	check(!strcmp(shown.status, "none") && !shown.units && !shown.domains && !shown.attachments,
	      "debugfs shows %s: %u units, %u domains, %u attachments, wanted none", shown.status,
	      shown.units, shown.domains, shown.attachments);
}
