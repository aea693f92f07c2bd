// SPDX-License-Identifier: GPL-2.0
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "entry_trace.h"
#include "events.h"
#include "machine.h"

#define TABLES		"/sys/kernel/debug/iommu/intel/dmar_translation_struct"
#define TRACING		"/sys/kernel/tracing"
#define EVENTS		TRACING "/events/intel_iommu"

/* B.D.F ROOT_HI:LO CONTEXT_HI:LO PASID PASID_ENTRY_2:1:0, the PASID -1 for none */
static bool parse_entry(const char *line, const char *bdf, struct table_entry *entry)
{
	unsigned long long context[2], words[3];
	int pasid;

	if (strncmp(line, bdf + 5, 7) ||
	    sscanf(line + 7, " %*[0-9a-fx:] %llx:%llx %d %llx:%llx:%llx", &context[1],
		   &context[0], &pasid, &words[2], &words[1], &words[0]) != 6 ||
	    pasid > 0)
		return false;
	memset(entry, 0, sizeof(*entry));
	entry->scalable = !pasid;
	for (int i = 0; i < (pasid ? 2 : 3); i++)
		entry->word[i] = pasid ? context[i] : words[i];
	return true;
}

struct table_entry entry_read(const char *bdf)
{
	struct table_entry entry = { 0 }, found;
	FILE *file = fopen(TABLES, "r");
	char line[512];
	int count = 0;

	while (file && fgets(line, sizeof(line), file)) {
		if (parse_entry(line, bdf, &found)) {
			entry = found;
			count++;
		}
	}
	if (file)
		fclose(file);
	if (count != 1)
		give_up("%d table entries of %s in %s", count, bdf, TABLES);
	return entry;
}

static void clear_trace(void)
{
	int fd = open(TRACING "/trace", O_WRONLY | O_TRUNC | O_CLOEXEC);

	if (fd < 0)
		give_up("clear the trace: %m");
	close(fd);
}

void entry_trace_start(void)
{
	/* It may be there already. */
	mount("tracefs", TRACING, "tracefs", 0, NULL);
	must(write_file(EVENTS "/entry_replace/enable", "1"), "trace writes of entries");
	must(write_file(EVENTS "/qi_submit/enable", "1"), "trace invalidations");
	must(write_file(TRACING "/tracing_on", "1"), "switch tracing on");
	clear_trace();
}

static bool parse_write(const char *text, struct trace_event *event)
{
	unsigned long long before[2], after[2];

	if (sscanf(text, "entry_replace: %*s rid %x pasid %u chunk %u old %llx %llx new %llx %llx",
		   &event->write.rid, &event->write.pasid, &event->write.chunk, &before[0],
		   &before[1], &after[0], &after[1]) != 7)
		return false;
	event->is_write = true;
	for (int i = 0; i < 2; i++) {
		event->write.before[i] = before[i];
		event->write.after[i] = after[i];
	}
	return true;
}

static bool parse_invalidation(const char *text, struct trace_event *event)
{
	unsigned long long descriptor;

	if (sscanf(text, "qi_submit: %*s %*s %llx", &descriptor) != 1)
		return false;
	event->is_write = false;
	event->descriptor = descriptor;
	return true;
}

static void take_line(struct entry_trace *trace, char *line)
{
	struct trace_event *next = &trace->events[trace->count];
	char *write = strstr(line, "entry_replace: "), *submit = strstr(line, "qi_submit: ");

	if (trace->count == TRACE_EVENTS)
		give_up("more than %d trace events", TRACE_EVENTS);
	line[strcspn(line, "\n")] = '\0';
	if (!(write && parse_write(write, next)) && !(submit && parse_invalidation(submit, next)))
		return;
	trace->count++;
	event("trace %s", write ? write : submit);
}

void entry_trace_stop(struct entry_trace *trace)
{
	char line[512];
	FILE *file;

	must(write_file(TRACING "/tracing_on", "0"), "switch tracing off");
	trace->count = 0;
	file = fopen(TRACING "/trace", "r");
	while (file && fgets(line, sizeof(line), file))
		if (*line != '#')
			take_line(trace, line);
	if (file)
		fclose(file);
}
