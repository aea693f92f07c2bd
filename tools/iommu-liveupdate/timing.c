// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

#define TIMING	"/sys/kernel/debug/liveupdate/timing"

/* "-" where it is not known */
static void add_time(struct json_object *object, const char *key, const char *text)
{
	json_object_object_add(object, key, strcmp(text, "-") ?
			       json_object_new_int64(strtoll(text, NULL, 10)) : NULL);
}

static void in_ms(const char *text, char *out, size_t size)
{
	if (!strcmp(text, "-"))
		snprintf(out, size, "-");
	else
		snprintf(out, size, "%.3f", strtoll(text, NULL, 10) / 1000.0);
}

static bool add_phase(struct tool *tool, const char *text, struct json_object *phases)
{
	char kernel[16], phase[32], start[32], duration[32], start_ms[32], duration_ms[32];
	struct json_object *object;

	if (sscanf(text, "%15s %31s %31s %31s", kernel, phase, start, duration) != 4)
		return false;
	object = json_object_new_object();
	json_text(object, "kernel", kernel);
	json_text(object, "phase", phase);
	add_time(object, "start_us", start);
	add_time(object, "duration_us", duration);
	json_object_array_add(phases, object);
	in_ms(start, start_ms, sizeof(start_ms));
	in_ms(duration, duration_ms, sizeof(duration_ms));
	if (json_object_array_length(phases) == 1)
		line(tool, "kernel  phase             start ms  duration ms");
	line(tool, "%-6s  %-12s  %12s  %11s", kernel, phase, start_ms, duration_ms);
	return true;
}

static int timing(struct tool *tool, int argc, char **argv, const struct options *options)
{
	FILE *file = file_open(tool, TIMING);
	bool denied = !file && errno == EACCES;
	struct json_object *phases = json_object_new_array();
	char text[256];
	bool sound = true;

	(void)argc, (void)argv, (void)options;
	json_object_object_add(tool->document, "phases", phases);
	if (!file) {
		item(tool, ILU_UNKNOWN, denied ? ILU_ID_HOST_PERMISSION : ILU_ID_HOST_CANNOT_ANSWER,
		     TIMING, denied ? "only root may ask how long it took" :
		     "this kernel does not say how long it took, or debugfs is not mounted");
		return exit_code(tool);
	}
	while (fgets(text, sizeof(text), file))
		sound &= add_phase(tool, text, phases);
	fclose(file);
	if (!sound)
		item(tool, ILU_UNKNOWN, ILU_ID_HOST_CANNOT_ANSWER, TIMING,
		     "a line of it is of a kind that is not known");
	else if (!json_object_array_length(phases))
		line(tool, "no live update came in");
	return exit_code(tool);
}

const struct command timing_commands[] = {
	{ "", timing, 0, 0, 0, "\n      each phase of both kernels: when it began, after the call of the kexec\n      or the start of the kernel, and how long it took" },
	{ NULL, NULL, 0, 0, 0, NULL },
};
