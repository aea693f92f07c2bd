// SPDX-License-Identifier: GPL-2.0
/*
 * What software wrote to the IOMMU and to config space between the kexec call
 * and the finish, or the first line of user space if the device is not taken
 * back.  Continuity is claimed only if none of these writes could have stopped
 * the device or its translation.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run.h"

#define GCMD_TE			(1u << 31)
#define GCMD_SRTP		(1u << 30)
#define GCMD_IRE		(1u << 25)

#define FAULT_INTERRUPT_FIRST	0x20
/* tests/vm/guest/interrupt_buffer.c */
#define INTERRUPT_IOVA		0xfee5a010ull
#define REMAPPABLE_FORMAT	(1ul << 4)

#define PCI_COMMAND		0x04
#define PCI_COMMAND_MASTER	(1u << 2)
#define PCI_PRIMARY_BUS		0x18
#define PCI_BRIDGE_CONTROL	0x3e
#define PCI_BRIDGE_RESET	(1u << 6)
#define PCI_EXP_DEVCTL		0x08
#define PCI_EXP_DEVCTL_FLR	(1u << 15)
#define PCI_PM_CTRL		0x04
#define PCI_PM_CTRL_STATE	3u

struct trace {
	struct run *run;
	bool remapping_on;
	unsigned int bus_numbers[FUNCTIONS];
	int64_t *first_use_ns;		/* of each slot's page, for the cold check */
};

/* A device that cannot be taken over may be stopped, but never be let through. */
static bool must_only_stay_translated(const struct run *run)
{
	return !strcmp(run->options.expect, "blocked");
}

static void check_global_command(struct trace *trace, int64_t when, const char *text)
{
	const char *value = strstr(text, "value ");
	uint32_t command = value ? strtoul(value + 6, NULL, 0) : 0;

	if (run_is_judged(trace->run, when)) {
		if (!(command & GCMD_TE))
			run_problem(trace->run, "trace: translation off: %s", text);
		if (command & GCMD_SRTP && !must_only_stay_translated(trace->run))
			run_problem(trace->run, "trace: root pointer write: %s", text);
		if (trace->remapping_on && !(command & GCMD_IRE) &&
		    !must_only_stay_translated(trace->run))
			run_problem(trace->run, "trace: interrupt remapping off: %s", text);
	}
	trace->remapping_on = command & GCMD_IRE;
}

static int find_function(const struct run *run, const char *bdf)
{
	for (int i = 0; i < run->function_count; i++)
		if (strcmp(run->functions[i].role, "other") &&
		    !strncmp(run->functions[i].bdf + 5, bdf, 7))
			return i;
	return -1;
}

static void check_config_value(struct trace *trace, int index, unsigned int offset,
			       unsigned int value, const char *text)
{
	struct run *run = trace->run;
	const struct function *function = &run->functions[index];
	bool bridge = !strcmp(function->role, "bridge");

	if (offset == PCI_COMMAND && !(value & PCI_COMMAND_MASTER))
		run_problem(run, "trace: bus master off: %s", text);
	if (function->pcie && offset == function->pcie + PCI_EXP_DEVCTL &&
	    value & PCI_EXP_DEVCTL_FLR)
		run_problem(run, "trace: function level reset: %s", text);
	if (function->pm && offset == function->pm + PCI_PM_CTRL && value & PCI_PM_CTRL_STATE)
		run_problem(run, "trace: low power state: %s", text);
	if (bridge && offset == PCI_BRIDGE_CONTROL && value & PCI_BRIDGE_RESET)
		run_problem(run, "trace: secondary bus reset: %s", text);
	if (bridge && offset == PCI_PRIMARY_BUS && trace->bus_numbers[index] &&
	    (value & 0xffffff) != trace->bus_numbers[index])
		run_problem(run, "trace: other bus numbers: %s", text);
}

/* pci_cfg_write NAME BUS:SLOT.FN @OFFSET <- VALUE */
static void check_config_write(struct trace *trace, int64_t when, const char *text)
{
	char bdf[16];
	unsigned int offset, value;
	int index;

	if (sscanf(text, "pci_cfg_write %*s %15s @%x <- %x", bdf, &offset, &value) != 3)
		return;
	index = find_function(trace->run, bdf);
	if (index < 0 || must_only_stay_translated(trace->run))
		return;
	if (run_is_judged(trace->run, when))
		check_config_value(trace, index, offset, value, text);
	else if (offset == PCI_PRIMARY_BUS)
		trace->bus_numbers[index] = value & 0xffffff;
}

int run_stream_of(const struct run *run, int function)
{
	const char *role = run->functions[function].role;

	if (!strcmp(role, "device"))
		return 0;
	return strcmp(role, "second") ? -1 : 1;
}

static int stream_of_requester(const struct run *run, unsigned int id)
{
	for (int i = 0; i < run->function_count; i++) {
		unsigned int bus, slot, function;

		if (run_stream_of(run, i) >= 0 &&
		    sscanf(run->functions[i].bdf + 5, "%x:%x.%x", &bus, &slot, &function) == 3 &&
		    id == (bus << 8 | slot << 3 | function))
			return run_stream_of(run, i);
	}
	return -1;
}

static void count_fault(struct trace *trace, int64_t when, const char *text)
{
	struct run *run = trace->run;
	unsigned int id, reason;
	int stream;

	if (sscanf(text, "vtd_dmar_fault sid %x fault %u", &id, &reason) != 2 ||
	    !run->traffic_ns || when < run->traffic_ns)
		return;
	stream = stream_of_requester(run, id);
	if (stream < 0 || !run_fault_counts(run, stream, when))
		return;
	/* Refused interrupts are what a diverted buffer is for. */
	if (run->options.interrupt_buffers && reason >= FAULT_INTERRUPT_FIRST)
		return;
	if (!run->trace_faults[stream]++)
		run->first_fault_ns[stream] = when;
}

/*
 * This event comes only when a vector is really raised.  Half of a frame's
 * words have an address in the old format, which QEMU lets through at any
 * time: these go to a processor that does not exist and prove nothing.
 */
static void count_raised_vector(struct trace *trace, const char *text)
{
	unsigned long address;

	if (sscanf(text, "vtd_ir_remap_msi (addr %lx", &address) == 1 &&
	    address >> 12 == INTERRUPT_IOVA >> 12 && address & REMAPPABLE_FORMAT)
		trace->run->raised++;
}

static void note_first_use(struct trace *trace, int64_t when, const char *text)
{
	struct run *run = trace->run;
	uint64_t iova, slot;

	if (!trace->first_use_ns ||
	    sscanf(text, "vtd_iotlb_page_update IOTLB page update sid %*s iova 0x%" SCNx64,
		   &iova) != 1)
		return;
	slot = (iova - run->buffers_iova) / run->slot_stride;
	if (iova >= run->buffers_iova && slot < run->slots && !trace->first_use_ns[slot])
		trace->first_use_ns[slot] = when;
}

static void handle(struct trace *trace, int64_t when, const char *text)
{
	if (!strncmp(text, "pci_cfg_write ", 14))
		check_config_write(trace, when, text);
	else if (!strncmp(text, "vtd_reg_write_gcmd ", 19))
		check_global_command(trace, when, text);
	else if (!strncmp(text, "vtd_reg_dmar_root ", 18) && run_is_judged(trace->run, when) &&
		 !must_only_stay_translated(trace->run))
		run_problem(trace->run, "trace: new root: %s", text);
	else if (!strncmp(text, "vtd_dmar_enable enable 0", 24) && run_is_judged(trace->run, when))
		run_problem(trace->run, "trace: translation disabled: %s", text);
	else if (!strncmp(text, "vtd_ir_enable enable 0", 22) && run_is_judged(trace->run, when) &&
		 !must_only_stay_translated(trace->run))
		run_problem(trace->run, "trace: interrupt remapping disabled: %s", text);
	else if (!strncmp(text, "vtd_dmar_fault ", 15))
		count_fault(trace, when, text);
	else if (!strncmp(text, "vtd_ir_remap_msi ", 17))
		count_raised_vector(trace, text);
	else if (!strncmp(text, "vtd_iotlb_page_update ", 22))
		note_first_use(trace, when, text);
}

/*
 * A frame that went out after this moment must be in a page that the device had
 * not used before it: then it was translated by walking the tables of now.
 */
static unsigned int check_cold_pages(struct trace *trace, int64_t moment_ns, int64_t until_ns,
				     const char *moment)
{
	struct run *run = trace->run;
	unsigned int cold = 0, warm = 0, count = sender_count(run->senders[0]);

	for (unsigned int i = 0; i < count; i++) {
		const struct frame_record *record = sender_record(run->senders[0], i);

		if (!record->landed || record->taken_ns < moment_ns ||
		    (until_ns && record->taken_ns > until_ns))
			continue;
		/* The last of them may be written after that time is over. */
		if (trace->first_use_ns[record->slot] >= moment_ns)
			cold++;
		else
			warm++;
	}
	if (!cold || warm > 1)
		run_problem(run, "cold pages: %u frames into pages first used after the %s, "
			    "%u into others", cold, moment, warm);
	return cold;
}

static void check_cold(struct trace *trace)
{
	struct run *run = trace->run;
	const struct update *update = &run->updates[0];

	run->cold = check_cold_pages(trace, update->kexec_ns, update->user_space_ns, "kexec");
	if (update->switched_ns)
		run->cold_switched = check_cold_pages(trace, update->switched_ns, 0, "switch");
}

static void read_trace(struct trace *trace)
{
	char path[512], line[512];
	FILE *file;

	run_path(trace->run, "trace.log", path, sizeof(path));
	file = fopen(path, "r");
	if (!file) {
		run_problem(trace->run, "no trace");
		return;
	}
	while (fgets(line, sizeof(line), file)) {
		long long seconds, microseconds;
		int text;

		line[strcspn(line, "\n")] = '\0';
		if (sscanf(line, "%*d@%lld.%lld:%n", &seconds, &microseconds, &text) == 2)
			handle(trace, seconds * NS_PER_S + microseconds * 1000, line + text);
		trace->run->trace_lines++;
	}
	fclose(file);
}

void trace_check(struct run *run)
{
	struct trace trace = { .run = run };

	if (run->options.cold && run->slots)
		trace.first_use_ns = calloc(run->slots, sizeof(*trace.first_use_ns));
	read_trace(&trace);
	if (!run->trace_lines)
		run_problem(run, "the trace is empty: nothing was checked");
	if (trace.first_use_ns)
		check_cold(&trace);
	free(trace.first_use_ns);
}
