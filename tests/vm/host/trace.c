// SPDX-License-Identifier: GPL-2.0
/*
 * What software wrote to the IOMMU and to config space between the kexec call
 * and the finish, or the first line of user space if the device is not taken
 * back.  Continuity is claimed only if none of these writes could have stopped
 * the device or its translation.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run.h"

#define GCMD_IRE		(1u << 25)

#define FAULT_INTERRUPT_FIRST	0x20
/* tests/vm/guest/interrupt_buffer.c */
#define INTERRUPT_IOVA		0xfee5a010ull
#define REMAPPABLE_FORMAT	(1ul << 4)

#define PCI_COMMAND		0x04
#define PCI_COMMAND_MASTER	(1u << 2)
#define PCI_PRIMARY_BUS		0x18	/* then the secondary and the last one below */
#define PCI_BUS_NUMBERS		3
#define PCI_BRIDGE_CONTROL	0x3e
#define PCI_BRIDGE_RESET	(1u << 6)
#define PCI_EXP_DEVCTL		0x08
#define PCI_EXP_DEVCTL_FLR	(1u << 15)
#define PCI_EXP_LNKCTL		0x10
#define PCI_EXP_LNKCTL_LD	(1u << 4)
#define PCI_EXP_SLTCTL		0x18
#define PCI_EXP_SLTCTL_PCC	(1u << 10)
#define PCI_PM_CTRL		0x04
#define PCI_PM_CTRL_STATE	3u
#define PCI_EXT_ATS_SIZE	8
#define PCI_EXT_PRI_SIZE	16
#define PCI_EXT_PASID_SIZE	8

/* A register of two bytes in which a bit that is set stops the device. */
struct stopping_bit {
	unsigned int place;	/* 0: this function does not have it */
	unsigned int bits;
	bool of_bridge;
	const char *what;
};

struct trace {
	struct run *run;
	bool remapping_on;
	unsigned int not_understood;
	int64_t *first_use_ns;		/* of each slot's page, for the cold check */
};

/* A device that cannot be taken over may be stopped, but never be let through. */
static bool must_only_stay_translated(const struct run *run)
{
	return !strcmp(run->options.expect, "blocked");
}

/* What the judge cannot read it has not judged. */
static void note_line(struct trace *trace, const char *text)
{
	if (!trace->not_understood++)
		run_problem(trace->run, "trace: a line is not understood: %s", text);
}

/* A crash kernel may put other tables in force; without any it must never be. */
static bool is_after_crash(const struct trace *trace, int64_t when)
{
	const struct run *run = trace->run;

	return run->crash_ns && when > run->crash_ns &&
	       (!run->crash_end_ns || when < run->crash_end_ns);
}

static void check_global_command(struct trace *trace, int64_t when, const char *text)
{
	const char *value = strstr(text, "value ");
	uint32_t command = value ? strtoul(value + 6, NULL, 0) : 0;

	if (!value) {
		note_line(trace, text);
		return;
	}
	if (is_after_crash(trace, when) && !(command & GCMD_TE))
		run_problem(trace->run, "trace: translation off after the crash: %s", text);
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

/*
 * QEMU does not tell how wide a write was: as wide as its place and its value allow.
 * What it may have covered without changing the value are zeroes, and counts as well.
 */
struct config_write {
	unsigned int offset, value, width;
	const char *text;
};

static bool covers(const struct config_write *write, unsigned int place)
{
	return place >= write->offset && place < write->offset + write->width;
}

static unsigned int byte_at(const struct config_write *write, unsigned int place)
{
	return write->value >> 8 * (place - write->offset) & 0xff;
}

static void check_bus_numbers(struct run *run, const struct function *function,
			      const struct config_write *write)
{
	for (unsigned int i = 0; i < PCI_BUS_NUMBERS; i++) {
		unsigned int place = PCI_PRIMARY_BUS + i;

		if (covers(write, place) && byte_at(write, place) != function->buses[i]) {
			run_problem(run, "trace: other bus numbers: %s", write->text);
			return;
		}
	}
}

static void check_stopping_bits(struct run *run, const struct function *function,
				const struct config_write *write)
{
	unsigned int pcie = function->pcie, pm = function->pm;
	const struct stopping_bit all[] = {
		{ pcie ? pcie + PCI_EXP_DEVCTL : 0, PCI_EXP_DEVCTL_FLR, false, "function level reset" },
		{ pm ? pm + PCI_PM_CTRL : 0, PCI_PM_CTRL_STATE, false, "low power state" },
		{ PCI_BRIDGE_CONTROL, PCI_BRIDGE_RESET, true, "secondary bus reset" },
		{ pcie ? pcie + PCI_EXP_LNKCTL : 0, PCI_EXP_LNKCTL_LD, true, "link disabled" },
		{ pcie ? pcie + PCI_EXP_SLTCTL : 0, PCI_EXP_SLTCTL_PCC, true, "slot power off" },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		unsigned int bits = 0;

		if (!all[i].place || (all[i].of_bridge && !function->bridge))
			continue;
		for (unsigned int byte = 0; byte < 2; byte++)
			if (covers(write, all[i].place + byte))
				bits |= byte_at(write, all[i].place + byte) << 8 * byte;
		if (bits & all[i].bits)
			run_problem(run, "trace: %s: %s", all[i].what, write->text);
	}
}

/* What follows the header of an extended capability, if the function has it */
static void check_extended(struct run *run, const struct function *function,
			   const struct config_write *write)
{
	const struct { unsigned int place, size; } all[] = {
		{ function->ats, PCI_EXT_ATS_SIZE },
		{ function->pri, PCI_EXT_PRI_SIZE },
		{ function->pasid, PCI_EXT_PASID_SIZE },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i].place && write->offset < all[i].place + all[i].size &&
		    write->offset + write->width > all[i].place + 4)
			run_problem(run, "trace: ATS, PRI or PASID written: %s", write->text);
}

static void check_config_value(struct run *run, const struct function *function,
			       const struct config_write *write)
{
	if (covers(write, PCI_COMMAND) && !(byte_at(write, PCI_COMMAND) & PCI_COMMAND_MASTER))
		run_problem(run, "trace: bus master off: %s", write->text);
	check_stopping_bits(run, function, write);
	check_extended(run, function, write);
	if (function->bridge)
		check_bus_numbers(run, function, write);
}

/* Until it is judged a kernel may number as it likes; zeroes that may not be there do not count. */
static void note_bus_numbers(struct function *function, int64_t when,
			     const struct config_write *write)
{
	if (when < function->told_ns)
		return;
	for (unsigned int i = 0; i < PCI_BUS_NUMBERS; i++) {
		unsigned int place = PCI_PRIMARY_BUS + i;

		if (covers(write, place) && (place == write->offset || byte_at(write, place)))
			function->buses[i] = byte_at(write, place);
	}
}

static unsigned int width_of(unsigned int offset, unsigned int value)
{
	if (offset % 2 || (offset % 4 && value > 0xffff))
		return 1;
	return offset % 4 ? 2 : 4;
}

/* pci_cfg_write NAME BUS:SLOT.FN @OFFSET <- VALUE */
static void check_config_write(struct trace *trace, int64_t when, const char *text)
{
	struct config_write write = { .text = text };
	struct run *run = trace->run;
	char bdf[16];
	int index;

	if (sscanf(text, "pci_cfg_write %*s %15s @%x <- %x", bdf, &write.offset,
		   &write.value) != 3) {
		note_line(trace, text);
		return;
	}
	write.width = width_of(write.offset, write.value);
	index = find_function(run, bdf);
	if (index < 0 || must_only_stay_translated(run))
		return;
	if (run_is_judged(run, when)) {
		check_config_value(run, &run->functions[index], &write);
		decoding_check(run, &run->functions[index], when, write.offset, write.value,
			       text);
	} else if (run->functions[index].bridge) {
		note_bus_numbers(&run->functions[index], when, &write);
	}
	decoding_note(&run->functions[index], write.offset, write.value);
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
	int64_t from = run_has_disk(run) ? run_begin_ns(run) : run->traffic_ns;
	unsigned int id, reason;
	int stream;

	if (sscanf(text, "vtd_dmar_fault sid %x fault %u", &id, &reason) != 2) {
		note_line(trace, text);
		return;
	}
	if (!from || when < from)
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

	if (sscanf(text, "vtd_ir_remap_msi (addr %lx", &address) != 1)
		note_line(trace, text);
	else if (address >> 12 == INTERRUPT_IOVA >> 12 && address & REMAPPABLE_FORMAT)
		trace->run->raised++;
}

static void note_first_use(struct trace *trace, int64_t when, const char *text)
{
	struct run *run = trace->run;
	uint64_t iova, slot;

	if (sscanf(text, "vtd_iotlb_page_update IOTLB page update sid %*s iova 0x%" SCNx64,
		   &iova) != 1) {
		note_line(trace, text);
		return;
	}
	if (!trace->first_use_ns)
		return;
	slot = (iova - run->buffers_iova) / run->slot_stride;
	if (iova >= run->buffers_iova && slot < run->slots && !trace->first_use_ns[slot])
		trace->first_use_ns[slot] = when;
}

static bool is_event(const char *text, const char *name)
{
	size_t length = strlen(name);

	return !strncmp(text, name, length) && text[length] == ' ';
}

static void check_switch(struct trace *trace, int64_t when, const char *text, const char *name,
			 bool for_all, const char *what)
{
	int enabled;

	if (sscanf(text + strlen(name), " enable %d", &enabled) != 1)
		note_line(trace, text);
	else if (!enabled && ((run_is_judged(trace->run, when) &&
			       (for_all || !must_only_stay_translated(trace->run))) ||
			      (for_all && is_after_crash(trace, when))))
		run_problem(trace->run, "trace: %s disabled: %s", what, text);
}

#define FAULT_MASK	0x80000000u

/* An interrupt of the unit would go by the table of a kernel that is no more. */
static void note_mask(struct trace *trace, int64_t when, const char *text)
{
	struct run *run = trace->run;
	unsigned int value;

	if (sscanf(text, "vtd_reg_write_fectl value 0x%x", &value) != 1) {
		note_line(trace, text);
		return;
	}
	for (int i = 0; i < run->update_count; i++)
		if (when >= run->updates[i].kexec_ns && when < run->updates[i].new_kernel_ns)
			run->updates[i].masked = value & FAULT_MASK;
}

static void check_masks(struct run *run)
{
	for (int i = 0; i < run->update_count; i++)
		if (run->updates[i].handed_over_ns && run->updates[i].new_kernel_ns &&
		    !run->updates[i].masked)
			run_problem(run, "trace: the unit's interrupts are not masked when it is handed over");
}

static void handle(struct trace *trace, int64_t when, const char *text)
{
	if (is_event(text, "pci_cfg_write"))
		check_config_write(trace, when, text);
	else if (is_event(text, "vtd_reg_write_gcmd"))
		check_global_command(trace, when, text);
	else if (is_event(text, "vtd_dmar_enable"))
		check_switch(trace, when, text, "vtd_dmar_enable", true, "translation");
	else if (is_event(text, "vtd_ir_enable"))
		check_switch(trace, when, text, "vtd_ir_enable", false, "interrupt remapping");
	else if (is_event(text, "vtd_reg_write_fectl"))
		note_mask(trace, when, text);
	else if (is_event(text, "vtd_dmar_fault"))
		count_fault(trace, when, text);
	else if (is_event(text, "vtd_ir_remap_msi"))
		count_raised_vector(trace, text);
	else if (!strncmp(text, "pci_nvme_", 9)) {
		if (!disk_trace(trace->run, when, text))
			note_line(trace, text);
	} else if (is_event(text, "vtd_iotlb_page_update"))
		note_first_use(trace, when, text);
	else if (!is_event(text, "vtd_reg_dmar_root"))
		note_line(trace, text);
	else if (run_is_judged(trace->run, when) && !must_only_stay_translated(trace->run))
		run_problem(trace->run, "trace: new root: %s", text);
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

		if (!record->landed || record->sent_ns < moment_ns ||
		    (until_ns && record->sent_ns > until_ns))
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

int trace_read(struct run *run, trace_handler handler, void *data)
{
	char path[512], line[512];
	FILE *file;

	run_path(run, "trace.log", path, sizeof(path));
	file = fopen(path, "r");
	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file)) {
		long long seconds, microseconds;
		int text;

		line[strcspn(line, "\n")] = '\0';
		if (sscanf(line, "%*d@%lld.%lld:%n", &seconds, &microseconds, &text) == 2)
			handler(data, seconds * NS_PER_S + microseconds * 1000, line + text);
		else
			handler(data, 0, line);
	}
	fclose(file);
	return 0;
}

static void handle_line(void *data, int64_t when, const char *text)
{
	struct trace *trace = data;

	if (!when) {
		note_line(trace, text);
		return;
	}
	handle(trace, when, text);
	trace->run->trace_lines++;
}

/* Without the numbers that a bridge had, other ones would not show. */
static void check_functions(struct run *run)
{
	for (int i = 0; i < run->function_count; i++) {
		const struct function *function = &run->functions[i];

		if (function->bridge && !function->buses[1])
			run_problem(run, "the guest has not told the bus numbers of %s",
				    function->bdf);
	}
}

void trace_check(struct run *run)
{
	struct trace trace = { .run = run };

	if (run->options.cold && run->slots)
		trace.first_use_ns = calloc(run->slots, sizeof(*trace.first_use_ns));
	check_functions(run);
	if (trace_read(run, handle_line, &trace))
		run_problem(run, "no trace");
	if (!run->trace_lines)
		run_problem(run, "the trace is empty: nothing was checked");
	if (trace.not_understood > 1)
		run_problem(run, "trace: %u lines are not understood", trace.not_understood);
	check_masks(run);
	if (trace.first_use_ns)
		check_cold(&trace);
	free(trace.first_use_ns);
}
