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
#define FUNCTIONS	8
#define PROBLEMS	64

struct options {
	const char *name;
	const char *script;
	const char *qemu;
	const char *old_kernel;
	const char *new_kernel;
	const char *init;
	const char *example;
	const char *tests;
	const char *output;
	const char *mode;
	const char *nic;
	const char *topology;
	const char *preserve;
	const char *expect;
	const char *must_find;
	const char *guest;
	const char *append;
	const char *old_append;
	const char *new_append;
	int cpus;
	int memory_mb;
	int rate;
	int second_rate;
	int timeout_s;
	bool second_nic;
	bool shared_memory;
	bool ats_device;
	bool cold;
	bool interrupt_buffers;
};

enum frame_fate { FRAME_WAITING, FRAME_TAKEN, FRAME_REFUSED };

struct frame_record {
	int64_t due_ns;		/* monotonic */
	int64_t due_running_ns;	/* of the emulator's clock */
	int64_t taken_ns;	/* wall clock; the last offer when refused */
	uint8_t fate;
	uint8_t late;
	uint8_t landed;		/* how often it was found */
	uint32_t slot;
};

/* A PCI function that the trace check watches. */
struct function {
	char bdf[16];
	char role[8];
	unsigned int pcie, pm;
};

struct registers {
	bool known;
	unsigned int command, rctl, rdbal, rdlen, rdh;
};

struct sender;
struct sockaddr_un;

struct run {
	struct options options;
	char socket_dir[64];
	int child;
	int console;
	int listener, events;
	struct sender *senders[STREAMS];

	char old_build[200], new_build[200];
	int64_t start_ns, kexec_ns, new_kernel_ns, vtd_ns, user_space_ns, traffic_ns;
	int64_t reopened_ns, memory_ns;
	struct function functions[FUNCTIONS];
	int function_count;
	struct registers armed, after, end;

	uint64_t buffers_iova;	/* of slot 0 */
	unsigned int slot_stride, slots;
	bool done, gave_up, skipped, timed_out;
	unsigned int checks_ok, checks_failed;
	unsigned int corrupted, twice, unknown;
	unsigned int warnings, console_faults, trace_faults;
	unsigned int found, stray, raw, cold, diverted, raised;
	bool scanned;
	unsigned long trace_lines;
	int64_t first_fault_ns;

	char problems[PROBLEMS][256];
	int problem_count;
	char skip_reason[256];
};

/* Everything that makes the run a failure ends up here. */
void run_problem(struct run *run, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void run_path(const struct run *run, const char *file, char *path, size_t size);
int64_t wall_clock_ns(void);

/* initramfs.c */
int initramfs_build(const struct run *run, const char *path);

/* qemu.c */
int qemu_start(struct run *run);
void next_command_line(const struct run *run, char *line, size_t size);

/* emulator_clock.c: for one thread; read it often, for it also asks. */
struct emulator_clock;
struct emulator_clock *emulator_clock_create(const char *ask, const char *answer,
					     const char *remote);
int64_t emulator_clock_read(struct emulator_clock *clock);
void emulator_clock_stalls(const struct emulator_clock *clock, int64_t *sum_ns,
			   int64_t *longest_ns);
int64_t monotonic_ns(void);

/* sender.c: stream numbers a sender's frames; nothing is sent before start. */
struct sockaddr_un unix_address(const char *path);
struct sender *sender_create(const char *local, const char *remote,
			     struct emulator_clock *clock, unsigned int stream, int rate,
			     int limit_s);
void sender_stalls(const struct sender *sender, int64_t *sum_ns, int64_t *longest_ns);
int sender_start(struct sender *sender);
void sender_stop(struct sender *sender);
unsigned int sender_count(const struct sender *sender);
struct frame_record *sender_record(struct sender *sender, unsigned int sequence);

/* watch.c: reads console and events until the machine is off. */
void watch(struct run *run);

/* trace.c */
void trace_check(struct run *run);

/* judge.c: prints the result line; true when the run passed. */
bool judge(struct run *run);

/* memory.c: frames of a stream sent after a time, anywhere in guest memory. */
unsigned int memory_count_frames(const struct run *run, unsigned int stream, int64_t after_ns);
/* Frames of the ring that lie at their IOVA, as if it were an address of memory. */
unsigned int memory_count_untranslated(const struct run *run, unsigned int stream);

#endif
