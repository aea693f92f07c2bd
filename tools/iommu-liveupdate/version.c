// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <string.h>

#include "tool.h"

static void add_records(struct tool *tool, struct json_object *versions, char *lines)
{
	struct json_object *records = json_object_new_array();
	char *save = NULL;

	json_object_object_add(versions, "records", records);
	for (char *record = lines ? strtok_r(lines, "\n", &save) : NULL; record;
	     record = strtok_r(NULL, "\n", &save)) {
		json_object_array_add(records, json_string(record));
		line(tool, "record   %s", record);
	}
}

static int version(struct tool *tool, int argc, char **argv, const struct options *options)
{
	struct json_object *versions = json_object_new_object();
	char release[128], command[32], *lines = own_records(tool);

	(void)argc, (void)argv, (void)options;
	json_object_object_add(tool->document, "versions", versions);
	snprintf(command, sizeof(command), "%d.%d", ILU_VERSION_MAJOR, ILU_VERSION_MINOR);
	file_text(tool, "/proc/sys/kernel/osrelease", release, sizeof(release));
	json_text(versions, "command", command);
	json_text(versions, "kernel", release);
	line(tool, TOOL_NAME " %s", command);
	line(tool, "kernel   %s", release);
	add_records(tool, versions, lines);
	free(lines);
	return EXIT_FINE;
}

const struct command version_commands[] = {
	{ "", version, 0, 0, 0, "\n      of the command, the kernel, and the records that it writes" },
	{ NULL, NULL, 0, 0, 0, NULL },
};
