// SPDX-License-Identifier: GPL-2.0
/*
 * A machine that does not come to its end: does its kernel hang, or the emulator?
 *
 * With a thread for each processor QEMU loses the end of an interrupt, rarely and on a
 * busy host: the local APIC keeps its vector in service, so that no other one of its
 * class and below is delivered any more, while the processor sleeps and waits for one.
 * Each handler of the processor's own interrupts, its timer and what other processors
 * send it, ends the interrupt before anything else, and sleeps nowhere.  So no kernel
 * has a processor asleep, with interrupts on, and such a vector in service.
 *
 * A device's interrupt is ended by whatever drives it, which might forget that: its
 * vectors prove nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "run.h"

#define BETWEEN_LOOKS_US	200000
#define FLAG_INTERRUPTS		0x200
#define VECTORS			256
/* LOCAL_TIMER_VECTOR in the kernel; those of processors are above it. */
#define FIRST_OWN_VECTOR	236

/* What follows key in text, before the end; NULL when it is not there. */
static const char *after(const char *text, const char *end, const char *key)
{
	const char *found = strstr(text, key);

	return found && (!end || found < end) ? found + strlen(key) : NULL;
}

/* One part of "info registers -a". */
static bool read_registers(const char *text, const char *end, struct processor_look *processor)
{
	const char *flags = after(text, end, " RFL="), *halted = after(text, end, " HLT=");
	unsigned long value;
	char *behind;

	if (!flags || !halted || (*halted != '0' && *halted != '1'))
		return false;
	value = strtoul(flags, &behind, 16);
	processor->sleeps = *halted == '1' && value & FLAG_INTERRUPTS;
	return behind == flags + 8 && *behind == ' ';
}

/* Vectors in rising order, those of levels with a word behind; or "(none)". */
static bool read_in_service(const char *text, int *highest)
{
	const char *end = strchr(text, '\n');

	*highest = -1;
	if (!strncmp(text, "(none)\n", 7))
		return true;
	while (end && text < end) {
		char *behind;
		long vector = strtol(text, &behind, 10);

		if (behind == text || vector <= *highest || vector >= VECTORS)
			return false;
		*highest = vector;
		text = strncmp(behind, "(level)", 7) ? behind : behind + 7;
		if (*text != ' ')
			return false;
		text += strspn(text, " ");
	}
	return *highest >= 0;
}

/* An answer to "info lapic". */
static bool read_lapic(const char *text, int number, struct processor_look *processor)
{
	const char *in_service = after(text, NULL, "\nISR\t "), *line;
	char head[64];

	snprintf(head, sizeof(head), "dumping local APIC state for CPU %d ", number);
	line = after(text, NULL, "\nSPIV\t ");
	if (!in_service || !line || strncmp(text, head, strlen(head)))
		return false;
	/* One that is switched off interrupts nobody. */
	if (!after(line, strchr(line, '\n'), " APIC enabled,"))
		return false;
	return read_in_service(in_service, &processor->in_service);
}

bool stall_read(struct look *look, const char *registers, char *const *lapics, int count)
{
	memset(look, 0, sizeof(*look));
	if (!registers || count > PROCESSORS)
		return false;
	for (int i = 0; i < count; i++) {
		char head[24], next[24];
		const char *text;

		snprintf(head, sizeof(head), "\nCPU#%d\n", i);
		snprintf(next, sizeof(next), "\nCPU#%d\n", i + 1);
		text = after(registers, NULL, head);
		if (!text || !lapics[i] ||
		    !read_registers(text, strstr(text, next), &look->processors[i]) ||
		    !read_lapic(lapics[i], i, &look->processors[i]))
			return false;
	}
	look->count = count;
	return true;
}

int stall_find(const struct look *first, const struct look *second)
{
	for (int i = 0; i < first->count && i < second->count; i++) {
		const struct processor_look *before = &first->processors[i];
		const struct processor_look *now = &second->processors[i];

		if (before->sleeps && now->sleeps && before->in_service == now->in_service &&
		    now->in_service >= FIRST_OWN_VECTOR)
			return i;
	}
	return -1;
}

static char *ask(struct monitor *monitor, FILE *log, const char *question)
{
	char *text = monitor_ask(monitor, question);

	fprintf(log, "### %s\n%s\n", question, text ? text : "no answer");
	return text;
}

/* All processors at one moment: they stand meanwhile. */
static bool look_at(struct monitor *monitor, FILE *log, int count, struct look *look)
{
	char *lapics[PROCESSORS] = { NULL }, *registers;
	bool understood;

	if (count > PROCESSORS || monitor_run_machine(monitor, false))
		return false;
	registers = ask(monitor, log, "info registers -a");
	for (int i = 0; i < count; i++) {
		char question[32];

		snprintf(question, sizeof(question), "info lapic %d", i);
		lapics[i] = ask(monitor, log, question);
	}
	understood = stall_read(look, registers, lapics, count);
	free(registers);
	for (int i = 0; i < count; i++)
		free(lapics[i]);
	return !monitor_run_machine(monitor, true) && understood;
}

static void tell(struct run *run, FILE *log, const struct look *looks)
{
	int processor = stall_find(&looks[0], &looks[1]);

	if (processor < 0) {
		fprintf(log, "no processor sleeps with an interrupt of its own in service\n");
		return;
	}
	snprintf(run->stall, sizeof(run->stall),
		 "the emulator stands still: processor %d sleeps with interrupt %d in service",
		 processor, looks[1].processors[processor].in_service);
	run_problem(run, "%s", run->stall);
	fprintf(log, "%s\n", run->stall);
}

void stall_look(struct run *run)
{
	struct monitor *monitor;
	struct look looks[2];
	char path[512];
	FILE *log;

	if (run->options.cpus < 2)
		return;
	run_path(run, "processors.log", path, sizeof(path));
	log = fopen(path, "w");
	if (!log)
		return;
	monitor = monitor_open(run);
	if (monitor && look_at(monitor, log, run->options.cpus, &looks[0]) &&
	    !usleep(BETWEEN_LOOKS_US) && look_at(monitor, log, run->options.cpus, &looks[1]))
		tell(run, log, looks);
	else
		fprintf(log, "the emulator did not say how its processors are\n");
	monitor_close(monitor);
	fclose(log);
}
