// SPDX-License-Identifier: GPL-2.0
/*
 * What both kernels say of the time that a live update took, against a counter that
 * this program reads itself, and which records the kernel says that it knows.
 */
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include "events.h"
#include "machine.h"
#include "scenarios.h"
#include "vmm.h"

#define STAMP		"stamp"	/* a page in which the old kernel's program notes the counter */
#define TIMING		"/sys/kernel/debug/liveupdate/timing"

/* What a program does between two readings */
#define TOLERANCE_US	250000

enum phase {
	FREEZE, SHUTDOWN, HANDOVER, JUMP, RESERVE, RECORDS, IOMMU, PCI, USERSPACE, RETRIEVE,
	ATTACH, FINISH, PHASES
};

static const char *const phases[PHASES] = {
	"old freeze", "old shutdown", "old handover", "new jump", "new reserve", "new records",
	"new iommu", "new pci", "new userspace", "new retrieve", "new attach", "new finish",
};

struct timing {
	bool there[PHASES];
	long long start[PHASES], duration[PHASES];
};

static long long end_of(const struct timing *timing, enum phase phase)
{
	return timing->start[phase] + timing->duration[phase];
}

/* "KERNEL PHASE START DURATION", in the order of enum phase; both are "-" where unknown. */
static void take_line(struct timing *timing, const char *line, int *last)
{
	char kernel[8], name[16], start[24], duration[24], key[32];
	int phase = 0;

	check(sscanf(line, "%7s %15s %23s %23s", kernel, name, start, duration) == 4,
	      "a line of four words: %s", line);
	snprintf(key, sizeof(key), "%s %s", kernel, name);
	while (phase < PHASES && strcmp(phases[phase], key))
		phase++;
	if (!check(phase < PHASES && phase > *last, "%s is a phase, and in its place", key))
		return;
	*last = phase;
	timing->there[phase] = sscanf(duration, "%lld", &timing->duration[phase]) == 1;
	check(sscanf(start, "%lld", &timing->start[phase]) == 1 || phase == JUMP,
	      "%s has a start: %s", key, start);
}

static void read_timing(struct timing *timing)
{
	FILE *file = fopen(TIMING, "re");
	char line[128];
	int last = -1;

	memset(timing, 0, sizeof(*timing));
	check(file, "there is " TIMING);
	while (file && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = 0;
		event("timing line=%s", line);
		take_line(timing, line, &last);
	}
	if (file)
		fclose(file);
}

static void expect_there(const struct timing *timing, enum phase from, enum phase to, bool there)
{
	for (enum phase phase = from; phase <= to; phase++)
		check(timing->there[phase] == there, "the time of %s is %stold", phases[phase],
		      there ? "" : "not ");
}

static long long now_us(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1000000ll + now.tv_nsec / 1000;
}

static unsigned long long cycles_per_ms(void)
{
	long long before = now_us(CLOCK_MONOTONIC_RAW);
	unsigned long long cycles = __rdtsc();

	sleep_ms(100);
	cycles = __rdtsc() - cycles;
	return cycles * 1000 / (now_us(CLOCK_MONOTONIC_RAW) - before);
}

#define QUESTION	"what is the time?"

/*
 * The clock of the kernel's times is that of the log. CLOCK_MONOTONIC begins later, by a
 * second if the kernel is slow.
 */
static long long log_clock_us(void)
{
	int log = open("/dev/kmsg", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	char record[1024];
	long long us = 0;
	ssize_t length;

	if (log < 0 || lseek(log, 0, SEEK_END) || write(log, QUESTION "\n", sizeof(QUESTION)) != sizeof(QUESTION))
		give_up("kernel log: %m");
	while ((length = read(log, record, sizeof(record) - 1)) > 0) {
		record[length] = '\0';
		if (strstr(record, QUESTION) && sscanf(record, "%*u,%*u,%lld,", &us) == 1)
			break;
	}
	close(log);
	check(us > 0, "the log has a time: %lld", us);
	return us;
}

/* No file is preserved by a plain boot */
static void expect_nothing_told(void)
{
	char text[64];

	read_file(TIMING, text, sizeof(text));
	check(!*text, "no live update came in, and nothing is told: %s", text);
}

static volatile unsigned long long *find_stamp(const struct vmm *vmm)
{
	struct ilu_memory *memory = ilu_memory(vmm->ilu, STAMP);
	void *stamp = ilu_memory_address(memory);

	must_ilu(vmm->ilu, !stamp, "find the stamp");
	return stamp;
}

void timing_old_kernel(void)
{
	volatile unsigned long long *stamp;
	struct vmm vmm;

	expect_nothing_told();
	vmm_start_receiving(&vmm, 500);
	must_ilu(vmm.ilu, !ilu_memory_create(vmm.ilu, STAMP, PAGE, NULL), "memory of the stamp");
	stamp = find_stamp(&vmm);
	vmm_preserve(&vmm);
	receiver_receive(&vmm.receiver, 500);
	event_ask("kexec-call");
	*stamp = __rdtsc();
	must_ilu(vmm.ilu, ilu_kexec(vmm.ilu), "kexec");
}

/* From the kexec call to the start of this kernel, by the counter and a clock of ours. */
static long long measured_gap_us(const struct vmm *vmm)
{
	const volatile unsigned long long *stamp = find_stamp(vmm);
	long long uptime = log_clock_us();
	unsigned long long cycles = __rdtsc() - *stamp;

	return cycles * 1000 / cycles_per_ms() - uptime;
}

static void expect_old_in_order(const struct timing *timing)
{
	check(!timing->start[FREEZE], "times of the old kernel begin with the freeze: %lld",
	      timing->start[FREEZE]);
	check(timing->start[SHUTDOWN] >= end_of(timing, FREEZE), "devices are shut down after it");
	check(timing->start[HANDOVER] >= end_of(timing, SHUTDOWN), "units are handed over last");
	check(timing->duration[SHUTDOWN] > 0, "the shutdown took time");
}

static void expect_new_in_order(const struct timing *timing)
{
	for (enum phase phase = RECORDS; phase < USERSPACE; phase++)
		check(end_of(timing, phase) <= timing->duration[USERSPACE],
		      "%s was over before user space: %lld, %lld", phases[phase],
		      end_of(timing, phase), timing->duration[USERSPACE]);
	check(!timing->start[USERSPACE] && timing->duration[USERSPACE] > 0,
	      "user space is counted from the start of the kernel");
	check(timing->start[RETRIEVE] >= timing->duration[USERSPACE], "files are retrieved there");
	check(timing->start[ATTACH] >= end_of(timing, RETRIEVE), "then the device changes over");
	check(timing->start[FINISH] >= end_of(timing, ATTACH), "then the session is finished");
	check(end_of(timing, FINISH) <= log_clock_us() + TOLERANCE_US,
	      "no time is yet to come: %lld", end_of(timing, FINISH));
}

static void expect_gap(const struct timing *timing, long long gap_us)
{
	long long told = end_of(timing, HANDOVER) + timing->duration[JUMP];

	check(told > gap_us - TOLERANCE_US && told < gap_us + TOLERANCE_US,
	      "from the call to the start of the kernel: told %lld us, measured %lld us", told, gap_us);
}

static const char *const known_records[] = {
	"ilu-iommu-v1", "ilu-iommufd-v1", "ilu-pci-v1", "ilu-vfio-pci-v1", "kho-v4",
	"luo-timing-v1", "luo-v5", "memblock-v1", "memfd-v2", "reserve-mem-v1",
};

#define NR_KNOWN (sizeof(known_records) / sizeof(*known_records))

static size_t padded(size_t length)
{
	return (length + 3) & ~3ul;
}

/* /sys/kernel/notes: each of the records once, and no other */
static void expect_notes(void)
{
	static char notes[65536];
	unsigned int found[NR_KNOWN] = { 0 }, others = 0;
	FILE *file = fopen("/sys/kernel/notes", "re");
	size_t length = file ? fread(notes, 1, sizeof(notes), file) : 0;

	for (size_t at = 0; at + sizeof(Elf32_Nhdr) <= length;) {
		const Elf32_Nhdr *note = (const void *)&notes[at];
		const char *name = (const char *)(note + 1);
		const char *text = name + padded(note->n_namesz);
		size_t known = 0;

		at += sizeof(*note) + padded(note->n_namesz) + padded(note->n_descsz);
		if (at > length || strcmp(name, "liveupdate"))
			continue;
		event("note type=%u text=%s", note->n_type, text);
		while (known < NR_KNOWN && strcmp(known_records[known], text))
			known++;
		if (known < NR_KNOWN && note->n_type == 1 && note->n_descsz == strlen(text) + 1)
			found[known]++;
		else
			others++;
	}
	if (file)
		fclose(file);
	for (size_t known = 0; known < NR_KNOWN; known++)
		check(found[known] == 1, "%u notes of the kernel say %s", found[known],
		      known_records[known]);
	check(!others, "%u other notes", others);
}

void timing_new_kernel(void)
{
	struct timing timing;
	long long gap_us;
	struct vmm vmm;

	vmm_begin_again(&vmm);
	expect_notes();
	read_timing(&timing);
	expect_there(&timing, FREEZE, USERSPACE, true);
	expect_there(&timing, RETRIEVE, FINISH, false);

	vmm_take_memory(&vmm);
	vmm_take_card(&vmm);
	gap_us = measured_gap_us(&vmm);
	vmm_switch(&vmm);
	vmm_finish(&vmm);

	read_timing(&timing);
	expect_there(&timing, FREEZE, FINISH, true);
	expect_old_in_order(&timing);
	expect_new_in_order(&timing);
	expect_gap(&timing, gap_us);
	vmm_end(&vmm);
}
