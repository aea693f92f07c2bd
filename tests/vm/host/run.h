/* SPDX-License-Identifier: GPL-2.0 */
/* One run of one scenario: what was asked for, and everything that was seen. */
#ifndef TESTS_VM_HOST_RUN_H
#define TESTS_VM_HOST_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NS_PER_MS	1000000LL
#define NS_PER_S	1000000000LL
#define STREAMS		2
#define FUNCTIONS	24
#define UPDATES		64
#define PROBLEMS	64
#define WORDS		8
#define PROCESSORS	16
#define VTD_REGISTERS	0xfed90000ul
#define VTD_COMMAND	0x18
#define VTD_STATUS	0x1c
#define VTD_ROOT_ADDRESS 0x20
#define GCMD_TE		(1u << 31)
#define GCMD_SRTP	(1u << 30)
#define SECOND_CARD_PORT 6	/* on the root bus */
#define STAGE_CRASHED	3	/* of a crash kernel; tests/vm/guest/crash.c */

struct options {
	const char *name;
	const char *script;
	const char *qemu;
	const char *old_kernel;
	const char *new_kernel;
	const char *init;
	const char *examples;
	const char *tool;
	const char *tests;
	const char *root;
	const char *usr;
	const char *output;
	const char *mode;
	const char *nic;
	const char *topology;
	const char *preserve;
	const char *expect;
	const char *second_use;
	const char *must_find[WORDS];
	int must_find_count;
	const char *may_find[WORDS];
	int may_find_count;
	const char *guest;
	const char *append;
	const char *old_append;
	const char *new_append;
	const char *crash;
	const char *counters;
	const char *old_modules;
	const char *new_modules;
	int cpus;
	int memory_mb;
	int rate;
	int second_nic;
	int updates;
	int nodes;
	int added_mb;
	int more_nics;
	int timeout_s;
	bool shared_memory;
	bool ats_device;
	bool no_iommu;
	bool cold;
	bool interrupt_buffers;
	bool x2apic;
	bool hotplug;
	bool keep_freed;
	bool ordinary;
	bool firmware_protects;
	bool reserved_memory;
	bool nested;
};

enum frame_fate { FRAME_WAITING, FRAME_TAKEN, FRAME_REFUSED };

struct frame_record {
	int64_t due_ns;		/* monotonic */
	int64_t due_running_ns;	/* of the emulator's clock */
	int64_t sent_ns;	/* wall clock: put into QEMU's socket, or given up */
	uint8_t fate;
	uint8_t late;
	uint8_t landed;		/* how often it was found */
	uint32_t slot;
};

/* A PCI function that the trace check watches. */
struct function {
	char bdf[16];
	char role[8];
	unsigned int pcie, pm, ats, pri, pasid;
	bool bridge;			/* above the card */
	uint8_t buses[3];		/* config space from 0x18 on: of all writes */
	/* As last written; devices and ports have 0 there at first */
	unsigned int command, control, rom;
	int64_t told_ns;
};

struct registers {
	bool seen;		/* the guest has told something */
	bool known;		/* and could read all of it */
	unsigned int command, rctl, rdbal, rdlen;
};

/* One kexec and what follows, by the wall clock; 0 when it did not happen. */
struct update {
	int64_t kexec_ns, handed_over_ns, new_kernel_ns, vtd_ns, user_space_ns, memory_ns;
	int64_t reclaimed_ns, switching_ns, switched_ns, finished_ns;
	bool masked;		/* are the unit's own interrupts off, before the next kernel */
};

/* The end of a device, when a scenario brings it about. */
struct parting {
	int64_t released_ns;	/* from here on nothing is due */
	int64_t unmapping_ns;	/* from here on its accesses may fault */
	int64_t unmapped_ns;	/* from here on nothing may land */
};

/* What an NVMe controller would have forgotten after a reset; see disk.c */
struct controller {
	bool seen;
	unsigned int cc, csts, aqa;
	unsigned long long asq, acq;
};

struct written {
	unsigned long long first, count, version;	/* in blocks */
};

/* One kexec */
struct disk_jump {
	struct controller after;
	unsigned int under_way, found;		/* told by the programs */
	unsigned int fetched, completed;	/* in the blackout, of the emulator's trace */
};

struct disk {
	struct controller armed, end;
	struct disk_jump jumps[UPDATES];
	unsigned int trouble, blocks_written;
	bool read_only;
	unsigned long long right, right_before, wrong;	/* before: the last kexec */
	struct written written[UPDATES + 1];
	int written_count;
};

struct pages {
	unsigned long iommu, secondary;
};

/* The emulator's clock against the wall's, at the end of each of its rounds. */
struct clock_tick {
	int64_t wall_ns, running_ns;
};

struct clock_history {
	struct clock_tick *ticks;
	size_t count, room;
};

struct sender;
struct sockaddr_un;

struct run {
	struct options options;
	char socket_dir[64];
	int memory;		/* of the guest, if it is shared */
	const char *kernel;	/* the running one, and where it is in there, if it has said so */
	uint64_t kernel_at;
	int child;
	int console;
	int listener, events;
	struct sender *senders[STREAMS];

	char old_build[200], new_build[200];
	int64_t start_ns, first_kernel_ns, traffic_ns, traffic_end_ns, reopened_ns;
	int64_t last_attach_ns;		/* of a neighbour, refused or not */
	bool last_attach_refused;
	struct update updates[UPDATES];
	int update_count;
	struct parting parting[STREAMS];
	struct pages base_pages;
	unsigned long pages_leaked;
	struct function functions[FUNCTIONS];
	int function_count;
	struct registers armed, after, end;
	/* The call; the crash kernel's user space; its last look, before it powers off. */
	int64_t crash_ns, crash_user_ns, crash_end_ns;

	uint64_t buffers_iova;	/* of slot 0 */
	unsigned int slot_stride, slots;
	bool done, gave_up, skipped, timed_out;
	int64_t done_ns;
	char stall[96];		/* why the emulator is to blame that there was no end */
	unsigned int checks_ok, checks_failed;
	unsigned int corrupted, hollow[STREAMS], twice, unknown;
	unsigned int warnings, console_faults, trace_faults[STREAMS];
	unsigned int found, stray, raw, cold, cold_switched, diverted, raised;
	unsigned int crash_landed;	/* sent since the crash kernel is up */
	unsigned int decoding_writes;	/* see decoding.c */
	bool scanned;
	unsigned long trace_lines;
	struct disk disk;
	int64_t first_fault_ns[STREAMS];

	char problems[PROBLEMS][256];
	int problem_count;
	char skip_reason[256];
	char last_note[128];
};

/* Everything that makes the run a failure ends up here. */
void run_problem(struct run *run, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void run_path(const struct run *run, const char *file, char *path, size_t size);
int64_t wall_clock_ns(void);

/* decoding.c: a write to config space that is judged, and any */
void decoding_check(struct run *run, const struct function *function, int64_t when,
		    unsigned int offset, unsigned int value, const char *text);
void decoding_note(struct function *function, unsigned int offset, unsigned int value);

/* updates.c: the last one, without times when there was none. */
struct update *run_update(struct run *run);
/* When a machine that runs is given up. */
int64_t run_deadline_ns(const struct run *run);
/* The first kexec call. */
int64_t run_begin_ns(const struct run *run);
bool run_had_kexec(const struct run *run);
/*
 * From the first kexec call until the device is finished, or until user space
 * is up, if it does not go the whole way: nothing may stop the device.
 */
bool run_is_judged(const struct run *run, int64_t when);
/* Has its program taken the device back, in the kernel that runs at this time? */
bool run_is_reclaimed(const struct run *run, int64_t when);
/* Not once a device was let go; but when its mapping was taken away. */
bool run_fault_counts(const struct run *run, unsigned int stream, int64_t when);
/* The last finish, or the last first line of user space; 0 when it never came. */
int64_t run_judged_until(const struct run *run);
/* From a kexec call to the first line of the new user space: of which, or -1. */
int run_blackout_of(const struct run *run, int64_t when);

/* dmar.c: a table of ACPI, returns its size, which DMAR_SIZE_MAX is enough for. */
#define DMAR_SIZE_MAX	128
size_t dmar_with_reserved_memory(void *table);

/* initramfs.c */
int initramfs_build(const struct run *run, const char *path);

/* qemu.c */
int qemu_start(struct run *run);
void next_command_line(const struct run *run, char *line, size_t size);
void crash_command_line(const struct run *run, char *line, size_t size);

/* monitor.c: only one at a time; NULL without an answer. */
struct monitor;
struct monitor *monitor_open(const struct run *run);
void monitor_close(struct monitor *monitor);
int monitor_run_machine(struct monitor *monitor, bool on);
/* What the monitor for humans says, to be freed; NULL without an answer. */
char *monitor_ask(struct monitor *monitor, const char *question);
/* A card for a slot of --hotplug, while the machine runs; netdev may be "". */
int monitor_add_card(const struct run *run, const char *card, const char *slot,
		     const char *netdev);
/* firmware.c: before the machine runs, and then it does; afterwards whether it held. */
int firmware_protect(struct run *run);
void firmware_judge(struct run *run);

/* stall.c: what a processor did, at one moment. */
struct processor_look {
	bool sleeps;		/* until there is an interrupt, and takes it */
	int in_service;		/* the highest vector, or -1 */
};
struct look {
	struct processor_look processors[PROCESSORS];
	int count;
};
/* Of what the monitor says; false when not all of it is understood. */
bool stall_read(struct look *look, const char *registers, char *const *lapics, int count);
/* The processor that the emulator has lost, or -1. */
int stall_find(const struct look *first, const struct look *second);
/* Of a machine without an end, which runs: fills processors.log and run->stall. */
void stall_look(struct run *run);

/* emulator_clock.c: for one thread; read it often, for it also asks. */
struct emulator_clock;
struct emulator_clock *emulator_clock_create(const char *ask, const char *answer,
					     const char *remote);
int64_t emulator_clock_read(struct emulator_clock *clock);
const struct clock_history *emulator_clock_history(const struct emulator_clock *clock);
void clock_history_add(struct clock_history *history, int64_t wall_ns, int64_t running_ns);
/* How long it ran between two moments of the wall clock. */
int64_t clock_history_ran(const struct clock_history *history, int64_t from_ns, int64_t until_ns);
/* How long, at most, one had to wait until it had run for running_ns. */
int64_t clock_history_longest_wait(const struct clock_history *history, int64_t running_ns,
				   int64_t from_ns, int64_t until_ns);
int64_t monotonic_ns(void);

/* sender.c: stream numbers a sender's frames; nothing is sent before start. */
struct sockaddr_un unix_address(const char *path);
struct sender *sender_create(const char *local, const char *remote,
			     struct emulator_clock *clock, unsigned int stream, int rate,
			     int limit_s);
const struct clock_history *sender_clock(const struct sender *sender);
/* A stop of the card that is not longer than this might not have been noticed. */
int64_t sender_blind_ns(const struct sender *sender, int64_t from_ns, int64_t until_ns);
int sender_start(struct sender *sender);
void sender_stop(struct sender *sender);
unsigned int sender_count(const struct sender *sender);
struct frame_record *sender_record(struct sender *sender, unsigned int sequence);

/* watch.c: reads console and events until the machine is off. */
void watch(struct run *run);

/* trace.c: the stream that a function receives, negative when its faults do not count. */
int run_stream_of(const struct run *run, int function);
void trace_check(struct run *run);
/* Each line of the trace; of one that has no time when is 0.  Returns 0 or -errno. */
typedef void (*trace_handler)(void *data, int64_t when, const char *text);
int trace_read(struct run *run, trace_handler handler, void *data);

/* judge.c: prints the result line; true when the run passed. */
bool judge(struct run *run);
/* Has it seen anything that a machine which stands still does not explain? */
bool judge_saw_harm(const struct run *run);

/* disk.c: a drive instead of a network card, by --nic nvme? */
bool run_has_disk(const struct run *run);
void disk_path(const struct run *run, char *path, size_t size);
int disk_make(const struct run *run);
/* The events of QEMU that it wants to hear of, from 0 on; NULL after the last one. */
const char *disk_event(size_t number);
/* A line pci_nvme_...: false if it is not understood. */
bool disk_trace(struct run *run, int64_t when, const char *text);
void disk_judge(struct run *run);

/* memory.c: frames of a stream sent after a time, anywhere in guest memory. */
unsigned int memory_count_frames(const struct run *run, unsigned int stream, int64_t after_ns);
/* Hands what the running kernel has left in memory to --counters. */
void memory_count(struct run *run);
/* Frames of the ring that lie at their IOVA, as if it were an address of memory. */
unsigned int memory_count_untranslated(const struct run *run, unsigned int stream);

#endif
