// SPDX-License-Identifier: GPL-2.0
/*
 * The judge without a machine: a thread plays QEMU's socket and its echo, traces
 * and fates of frames are made up, and the verdict has to be the right one.
 */
#include <poll.h>
#include <stdarg.h>

#include "disk.h"

/* For the records of frames that were never sent. */
#include "../emulator_clock.c"
#include "../sender.c"

static unsigned int passed, failed;
static char directory[] = "/tmp/test-rig.XXXXXX";

static void expect(bool holds, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void expect(bool holds, const char *format, ...)
{
	va_list arguments;

	if (holds) {
		passed++;
		return;
	}
	failed++;
	va_start(arguments, format);
	fputs("FAIL: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
}

static const char *in_directory(const char *name)
{
	static char paths[8][128];
	static int next;
	char *path = paths[next++ % 8];

	snprintf(path, sizeof(paths[0]), "%s/%s", directory, name);
	return path;
}

/* ---------------------------------------------------------------- the clock */

static void test_history(void)
{
	struct clock_history history = { 0 };
	int64_t ms = NS_PER_MS;

	/* It runs for 100 ms, stands for 300, and runs for 100 again. */
	for (int tick = 1; tick <= 200; tick++)
		clock_history_add(&history, (tick <= 100 ? tick : tick + 300) * ms, tick * ms);
	expect(clock_history_ran(&history, 0, 500 * ms) == 200 * ms, "it ran for 200 ms");
	expect(clock_history_ran(&history, 100 * ms, 400 * ms) == 0, "it stood for 300 ms");
	expect(clock_history_ran(&history, 50 * ms, 450 * ms) == 100 * ms, "a part of it");
	expect(clock_history_longest_wait(&history, 20 * ms, 0, 500 * ms) == 320 * ms,
	       "20 ms took 320 ms at worst");
	expect(clock_history_longest_wait(&history, 20 * ms, 0, 70 * ms) == 20 * ms,
	       "20 ms took 20 ms before");
	/* After it has ended nothing runs any more. */
	expect(clock_history_longest_wait(&history, 20 * ms, 450 * ms, 900 * ms) >= 400 * ms,
	       "a clock that has ended stands");
	free(history.ticks);
}

/* ---------------------------------------------------------------- the sender */

struct emulator {
	int nic, echo, answers;
	struct sockaddr_un answer;
	atomic_bool card_stopped, stopped, end;
	unsigned int held;	/* frames that a stopped card has QEMU keep */
	pthread_t thread;
};

static int socket_at(const char *path)
{
	struct sockaddr_un address = unix_address(path);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)))
		abort();
	return fd;
}

/* As QEMU does: of a card that takes nothing it keeps one frame, and reads no more. */
static void *emulate(void *argument)
{
	struct emulator *emulator = argument;
	char datagram[256];

	while (!emulator->end) {
		bool full = emulator->card_stopped && emulator->held;
		struct pollfd fds[] = {
			{ .fd = emulator->echo, .events = POLLIN },
			{ .fd = full ? -1 : emulator->nic, .events = POLLIN },
		};

		if (emulator->stopped) {
			usleep(200);
			continue;
		}
		if (!emulator->card_stopped)
			emulator->held = 0;
		if (poll(fds, 2, 1) <= 0)
			continue;
		if (fds[0].revents && recv(emulator->echo, datagram, sizeof(datagram), 0) > 0 &&
		    sendto(emulator->answers, datagram, 64, 0,
			   (struct sockaddr *)&emulator->answer, sizeof(emulator->answer)) != 64)
			abort();
		if (fds[1].revents && recv(emulator->nic, datagram, sizeof(datagram), 0) > 0)
			emulator->held = emulator->card_stopped;
	}
	return NULL;
}

static void start_emulator(struct emulator *emulator)
{
	memset(emulator, 0, sizeof(*emulator));
	emulator->nic = socket_at(in_directory("nic"));
	emulator->echo = socket_at(in_directory("echo"));
	emulator->answers = socket_at(in_directory("back"));
	emulator->answer = unix_address(in_directory("answer"));
	if (pthread_create(&emulator->thread, NULL, emulate, emulator))
		abort();
}

static void remove_sockets(void)
{
	static const char *const names[] = { "nic", "echo", "back", "answer", "ask", "host" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlink(in_directory(names[i]));
}

static void stop_emulator(struct emulator *emulator)
{
	emulator->end = true;
	pthread_join(emulator->thread, NULL);
	close(emulator->nic);
	close(emulator->echo);
	close(emulator->answers);
	remove_sockets();
}

static struct sender *make_sender(int rate)
{
	struct emulator_clock *clock = emulator_clock_create(in_directory("ask"),
							     in_directory("answer"),
							     in_directory("echo"));

	return sender_create(in_directory("host"), in_directory("nic"), clock, 0, rate, 10);
}

static unsigned int count_fate(struct sender *sender, enum frame_fate fate)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < sender_count(sender); i++)
		count += sender_record(sender, i)->fate == fate;
	return count;
}

struct stop {
	int rate, card_ms, emulator_ms;
	unsigned int refused_at_least, refused_at_most;
};

static void test_sender(const struct stop *stop)
{
	struct emulator emulator;
	struct sender *sender;
	unsigned int refused;

	start_emulator(&emulator);
	sender = make_sender(stop->rate);
	sender_start(sender);
	usleep(200 * 1000);
	emulator.card_stopped = stop->card_ms;
	usleep(stop->card_ms * 1000);
	emulator.card_stopped = false;
	emulator.stopped = stop->emulator_ms;
	usleep(stop->emulator_ms * 1000);
	emulator.stopped = false;
	usleep(200 * 1000);
	sender_stop(sender);
	refused = count_fate(sender, FRAME_REFUSED);
	expect(refused >= stop->refused_at_least && refused <= stop->refused_at_most,
	       "card stopped for %d ms, emulator for %d ms, %d frames/s: %u refused, wanted %u to %u",
	       stop->card_ms, stop->emulator_ms, stop->rate, refused, stop->refused_at_least,
	       stop->refused_at_most);
	expect(!count_fate(sender, FRAME_WAITING), "the fate of each frame is decided");
	stop_emulator(&emulator);
	close(sender->socket);
}

/* On a busy host this program sleeps longer than it wants to. */
#define ANY	~0u

static void test_senders(void)
{
	static const struct stop stops[] = {
		{ 1000, 0, 0, 0, 0 },
		{ 1000, 60, 0, 25, ANY },
		{ 100, 60, 0, 1, ANY },
		{ 100, 0, 0, 0, 0 },
		{ 1000, 0, 300, 0, 0 },
		{ 100, 0, 300, 0, 0 },
	};

	for (size_t i = 0; i < sizeof(stops) / sizeof(stops[0]); i++)
		test_sender(&stops[i]);
}

/* ---------------------------------------------------------------- the judge */

#define BEGIN_S		1000
#define SENT		3000
#define RATE		1000

/* Three seconds of traffic, a blackout in the second one, all landed. */
static void make_run(struct run *run)
{
	static struct function card = { .bdf = "0000:02:00.0", .role = "device", .pcie = 0xa0, .pm = 0x40 };
	static struct function port = { .bdf = "0000:01:00.0", .role = "bridge", .pcie = 0x54,
					.bridge = true, .buses = { 1, 2, 2 } };
	static struct function root = { .bdf = "0000:00:04.0", .role = "bridge", .pcie = 0x54,
					.bridge = true, .buses = { 0, 1, 2 } };
	struct sender *sender = make_sender(RATE);
	int64_t begin = BEGIN_S * NS_PER_S;

	memset(run, 0, sizeof(*run));
	run->options = (struct options) {
		.name = "test", .nic = "igb", .mode = "legacy", .preserve = "yes", .guest = "",
		.expect = "continuity", .second_use = "stray", .output = directory,
		.rate = RATE, .updates = 1,
	};
	run->memory = -1;
	run->senders[0] = sender;
	sender->scheduled = SENT;
	for (unsigned int i = 0; i < SENT; i++)
		sender->records[i] = (struct frame_record) {
			.sent_ns = begin + i * NS_PER_MS, .fate = FRAME_TAKEN, .landed = 1,
		};
	for (int tick = 0; tick <= SENT; tick++)
		clock_history_add(&sender->clock->history, begin + tick * NS_PER_MS,
				  tick * NS_PER_MS);
	run->traffic_ns = begin;
	run->traffic_end_ns = begin + 3 * NS_PER_S;
	run->update_count = 1;
	run->updates[0].kexec_ns = begin + NS_PER_S;
	run->updates[0].user_space_ns = begin + 2 * NS_PER_S;
	run->functions[0] = card;
	run->functions[1] = port;
	run->functions[2] = root;
	run->function_count = 3;
	run->armed = (struct registers) { .seen = true, .known = true, .command = 0x107, .rctl = 1 };
	run->after = run->armed;
	run->done = true;
}

static void end_run(struct run *run)
{
	struct emulator_clock *clock = run->senders[0]->clock;

	free(clock->history.ticks);
	close(clock->out);
	close(clock->in);
	close(run->senders[0]->socket);
	free(run->senders[0]->records);
	remove_sockets();
}

/* In the middle of the blackout unless it says otherwise. */
static void write_trace(const char *line, int64_t after_ms)
{
	FILE *file = fopen(in_directory("trace.log"), "w");

	fprintf(file, "1@%d.000000:pci_cfg_write igb 02:00.0 @0x4 <- 0x107\n", BEGIN_S);
	if (line)
		fprintf(file, "1@%lld.%06lld:%s\n", (long long)(BEGIN_S + after_ms / 1000),
			(long long)(after_ms % 1000 * 1000), line);
	fclose(file);
}

static bool found(const struct run *run, const char *word)
{
	for (int i = 0; i < run->problem_count; i++)
		if (strstr(run->problems[i], word))
			return true;
	return false;
}

static bool judge_quietly(struct run *run)
{
	int out = dup(STDOUT_FILENO);
	bool good;

	fflush(stdout);
	if (!freopen("/dev/null", "w", stdout))
		abort();
	good = judge(run);
	fflush(stdout);
	dup2(out, STDOUT_FILENO);
	close(out);
	return good;
}

struct traced {
	const char *line, *problem;	/* none: it is harmless */
};

static void test_trace(void)
{
	static const struct traced lines[] = {
		{ NULL, NULL },
		{ "pci_cfg_write igb 02:00.0 @0x4 <- 0x107", NULL },
		{ "pci_cfg_write igb 02:00.0 @0x4 <- 0x103", "bus master off" },
		{ "pci_cfg_write igb 02:00.0 @0x5 <- 0x1", NULL },
		{ "pci_cfg_write igb 02:00.0 @0xa8 <- 0x8000", "function level reset" },
		{ "pci_cfg_write igb 02:00.0 @0xa9 <- 0x80", "function level reset" },
		{ "pci_cfg_write igb 02:00.0 @0x44 <- 0x3", "low power" },
		{ "pci_cfg_write igb 02:00.0 @0x18 <- 0xc001", "BAR written" },
		{ "pci_cfg_write igb 02:00.0 @0x3c <- 0xff", NULL },
		{ "pci_cfg_write pcie-root-port 00:04.0 @0x4 <- 0x3", "bus master off" },
		/* a byte, two bytes, all of them; the root port and the one below */
		{ "pci_cfg_write pcie-root-port 00:04.0 @0x1a <- 0x2", NULL },
		{ "pci_cfg_write pcie-root-port 00:04.0 @0x1a <- 0x3", "other bus numbers" },
		{ "pci_cfg_write pcie-root-port 00:04.0 @0x18 <- 0x20100", NULL },
		{ "pci_cfg_write pcie-root-port 00:04.0 @0x18 <- 0xff0100", "other bus numbers" },
		{ "pci_cfg_write pcie-root-port 01:00.0 @0x19 <- 0x3", "other bus numbers" },
		{ "pci_cfg_write pcie-root-port 01:00.0 @0x18 <- 0x20201", NULL },
		{ "pci_cfg_write pcie-root-port 01:00.0 @0x18 <- 0x0", "other bus numbers" },
		{ "pci_cfg_write pcie-root-port 01:00.0 @0x3e <- 0x40", "secondary bus reset" },
		{ "pci_cfg_write pcie-root-port 01:00.0 @0x3c <- 0x40010b", "secondary bus reset" },
		{ "pci_cfg_write pcie-root-port 01:00.0 @0x64 <- 0x10", "link disabled" },
		{ "pci_cfg_write igb 02:00.0 @0xb0 <- 0x10", NULL },
		{ "pci_cfg_write pcie-root-port 01:00.0 @0x6c <- 0x400", "slot power off" },
		{ "pci_cfg_write pcie-root-port 01:00.0 @0x6d <- 0x4", "slot power off" },
		{ "vtd_reg_write_gcmd value 0x0", "translation off" },
		{ "vtd_reg_write_gcmd value 0xc0000000", "root pointer" },
		{ "vtd_dmar_enable enable 0", "translation disabled" },
		{ "vtd_dmar_enable enable", "not understood" },
		{ "vtd_dmar_fault sid 0x200 fault 5 addr 0x0 write 1", "DMAR faults" },
		{ "vtd_dmar_fault of another form", "not understood" },
		{ "vtd_reg_write_fectl value 0x0", NULL },
		{ "vtd_reg_write_fectl of another form", "not understood" },
		{ "something new", "not understood" },
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		const char *problem = lines[i].problem;
		static struct run run;
		bool good;

		make_run(&run);
		write_trace(lines[i].line, 1500);
		good = judge_quietly(&run);
		expect(good == !problem && (!problem || found(&run, problem)),
		       "'%s' means '%s', found '%s'", lines[i].line ? lines[i].line : "nothing",
		       problem ? problem : "no harm", run.problems[0]);
		end_run(&run);
	}
}

/* Numbers that were written before the kexec call are those that have to stay. */
static void test_shadow(void)
{
	static struct run run;

	make_run(&run);
	write_trace("pci_cfg_write pcie-root-port 00:04.0 @0x1a <- 0x3", 500);
	expect(judge_quietly(&run), "a new number before the kexec: %s", run.problems[0]);
	expect(run.functions[2].buses[2] == 3, "and it is kept");
	end_run(&run);
	make_run(&run);
	memset(run.functions[1].buses, 0, sizeof(run.functions[1].buses));
	write_trace(NULL, 0);
	expect(!judge_quietly(&run) && found(&run, "has not told"), "numbers that nobody has told");
	end_run(&run);
}

/* The ROM is its program's to switch, and stays where it is; before that nobody touches it. */
static void test_rom(void)
{
	static const struct {
		int reclaimed_ms;
		const char *line;
		bool good;
	} cases[] = {
		{ 1400, "pci_cfg_write e1000e 02:00.0 @0x30 <- 0xfe400001", true },
		{ 1400, "pci_cfg_write e1000e 02:00.0 @0x30 <- 0xfe400000", true },
		{ 1400, "pci_cfg_write e1000e 02:00.0 @0x30 <- 0xfffff800", false },
		{ 1600, "pci_cfg_write e1000e 02:00.0 @0x30 <- 0xfe400001", false },
		{ 0, "pci_cfg_write e1000e 02:00.0 @0x30 <- 0xfe400001", false },
		{ 1400, "pci_cfg_write pcie-root-port 01:00.0 @0x30 <- 0xfe400001", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		static struct run run;

		make_run(&run);
		run.functions[0].rom = run.functions[1].rom = 0xfe400000;
		if (cases[i].reclaimed_ms)
			run.updates[0].reclaimed_ns = run.traffic_ns + cases[i].reclaimed_ms * NS_PER_MS;
		write_trace(cases[i].line, 1500);
		expect(judge_quietly(&run) == cases[i].good, "taken back after %d ms, '%s' after 1500: %s",
		       cases[i].reclaimed_ms, cases[i].line, run.problems[0]);
		end_run(&run);
	}
}

typedef void (*change)(struct run *run);

static void lose_one(struct run *run) { run->senders[0]->records[1500].landed = 0; }
static void one_too_late(struct run *run) { run->senders[0]->records[1500].fate = FRAME_REFUSED; }
static void leak(struct run *run) { run->pages_leaked = 1; }
static void other_command(struct run *run) { run->after.command = 0x103; }
static void interrupt_line_off(struct run *run) { run->after.command = 0x507; }
static void other_end(struct run *run) { run->end = run->armed; run->end.rctl = 0; }
static void same_end(struct run *run) { run->end = run->armed; }
static void nothing(struct run *run) { (void)run; }

/* All frames of the blackout but one come after it. */
static void nearly_no_blackout(struct run *run)
{
	for (int i = 1001; i < 2000; i++)
		run->senders[0]->records[i].sent_ns = run->updates[0].user_space_ns + NS_PER_MS;
}

static void stand_still(struct run *run)
{
	struct clock_history *history = &run->senders[0]->clock->history;

	for (size_t i = 1000; i < history->count; i++)
		history->ticks[i].running_ns = 1000 * NS_PER_MS + (i > 1800 ? (i - 1800) * NS_PER_MS : 0);
}

static void lose(struct run *run, int from, int until)
{
	for (int i = from; i < until; i++)
		run->senders[0]->records[i].landed = 0;
	run->options.expect = "loss";
}

static void lose_blackout(struct run *run) { lose(run, 1000, 2000); }
static void lose_after_it(struct run *run) { lose(run, 2000, 3000); }
static void lose_before_it(struct run *run) { lose(run, 500, 2000); }

static void test_figures(void)
{
	static const struct {
		change change;
		const char *problem;
	} cases[] = {
		{ nothing, NULL },
		{ same_end, NULL },
		{ interrupt_line_off, NULL },
		{ lose_one, "1 of 3000 frames lost" },
		{ one_too_late, "1 of 3000 frames lost" },
		{ leak, "1 pages of the IOMMU" },
		{ other_command, "registers of the card" },
		{ other_end, "registers of the card" },
		{ nearly_no_blackout, "of the blackout of kexec 1" },
		{ stand_still, "the host is too busy" },
		{ lose_blackout, NULL },
		{ lose_after_it, "only 1 of 1001" },
		{ lose_before_it, "lost before the kexec" },
	};

	write_trace(NULL, 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *problem = cases[i].problem;
		static struct run run;
		bool good;

		make_run(&run);
		cases[i].change(&run);
		good = judge_quietly(&run);
		expect(good == !problem && (!problem || found(&run, problem)),
		       "case %zu: wanted '%s', found '%s'", i, problem ? problem : "no problem",
		       run.problems[0]);
		end_run(&run);
	}
}

static void test_must_find(void)
{
	static struct run run;

	write_trace("pci_cfg_write igb 02:00.0 @0x4 <- 0x103", 1500);
	make_run(&run);
	run.options.must_find[run.options.must_find_count++] = "bus.master.off";
	expect(judge_quietly(&run), "what was to be found is found");
	end_run(&run);

	make_run(&run);
	run.options.must_find[run.options.must_find_count++] = "bus.master.off";
	run_problem(&run, "log: Kernel panic - not syncing");
	expect(!judge_quietly(&run), "a panic besides is a failure");
	run.problem_count = 0;
	run.options.may_find[run.options.may_find_count++] = "Kernel.panic";
	run_problem(&run, "log: Kernel panic - not syncing");
	expect(judge_quietly(&run), "unless it is named");
	end_run(&run);

	make_run(&run);
	run.options.must_find[run.options.must_find_count++] = "bus.master.off";
	run.options.must_find[run.options.must_find_count++] = "level.reset";
	expect(!judge_quietly(&run), "all that was to be found has to be found");
	end_run(&run);

	make_run(&run);
	run.options.must_find[run.options.must_find_count++] = "bus.master.off";
	for (int i = 0; i < 2 * PROBLEMS; i++)
		run_problem(&run, "bus master off");
	run_problem(&run, "log: Kernel panic - not syncing");
	expect(!judge_quietly(&run), "a panic is not hidden by many others");
	end_run(&run);
}

/* ---------------------------------------------------------------- firmware */

static void write_switches(const char *before, const char *between, const char *after)
{
	FILE *file = fopen(in_directory("trace.log"), "w");

	fprintf(file, "1@%d.000000:%s\n", BEGIN_S, before);
	fprintf(file, "1@%d.500000:%s\n", BEGIN_S, between);
	fprintf(file, "1@%d.000000:%s\n", BEGIN_S + 2, after);
	fclose(file);
}

/* The kernel comes after the second of the three. */
static void test_firmware(void)
{
	static const char on[] = "vtd_dmar_enable enable 1", off[] = "vtd_dmar_enable enable 0";
	static const char fault[] = "vtd_dmar_fault sid 0x20 fault 1 addr 0x0 write 0";
	static const struct {
		const char *before, *between, *after, *problem;
	} cases[] = {
		{ on, fault, off, NULL },
		{ fault, fault, off, "not on when" },
		{ fault, off, off, "not on when" },
		{ fault, off, on, "not on when" },
		{ on, on, off, "no device was refused" },
		{ on, on, fault, "no device was refused" },
		{ on, fault, fault, "no kernel has switched" },
		{ on, fault, on, "no kernel has switched" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		static struct run run;

		memset(&run, 0, sizeof(run));
		run.options.output = directory;
		run.first_kernel_ns = (BEGIN_S + 1) * NS_PER_S;
		write_switches(cases[i].before, cases[i].between, cases[i].after);
		firmware_judge(&run);
		expect(cases[i].problem ? found(&run, cases[i].problem) : !run.problem_count,
		       "case %zu of firmware means '%s', found '%s'", i,
		       cases[i].problem ? cases[i].problem : "no harm", run.problems[0]);
	}
}

/* ---------------------------------------------------------------- machines without an end */

#define REGISTERS(number, flags, halted) \
	"\nCPU#" #number "\nRAX=0000000000000000 RBX=0000000000000000\n" \
	"RIP=ffffffff84b90993 RFL=" flags " [---Z-P-] CPL=0 II=0 A20=1 SMM=0 HLT=" halted "\n" \
	"ES =0000 0000000000000000 00000000 00000000\n"
#define LAPIC(number, apic, in_service) \
	"dumping local APIC state for CPU " #number " \n\nLVT0\t 0x00010700 active-hi edge\n" \
	"SPIV\t 0x000001ff APIC " apic ", focus=off, spurious vec 255\nESR\t 0x00000000\n" \
	"ISR\t " in_service "\nIRR\t 35 236 \n\nAPR 0x01 TPR 0x10 DFR 0x0f LDR 0x00 PPR 0xe0\n"

#define ASLEEP		REGISTERS(0, "00000246", "1") REGISTERS(1, "00000246", "1")
#define NOTHING		LAPIC(0, "enabled", "(none)")
#define ITS_TIMER	LAPIC(1, "enabled", "236 ")

struct answers {
	const char *registers, *lapics[2];
};

static bool read_answers(struct look *look, const struct answers *answers)
{
	char *lapics[2];

	for (int i = 0; i < 2; i++)
		lapics[i] = (char *)answers->lapics[i];
	return stall_read(look, answers->registers, lapics, 2);
}

static void test_stall(void)
{
	static const struct answers lost = { ASLEEP, { NOTHING, ITS_TIMER } };
	static const struct {
		const char *what;
		struct answers first, second;
		int processor;
	} cases[] = {
		{ "halted with its timer in service", lost, lost, 1 },
		{ "and one below it", lost, { ASLEEP, { NOTHING, LAPIC(1, "enabled", "49(level) 236 ") } }, 1 },
		{ "nothing in service", { ASLEEP, { NOTHING, LAPIC(1, "enabled", "(none)") } },
		  { ASLEEP, { NOTHING, LAPIC(1, "enabled", "(none)") } }, -1 },
		{ "nothing in the second look", lost,
		  { ASLEEP, { NOTHING, LAPIC(1, "enabled", "(none)") } }, -1 },
		{ "awake", { REGISTERS(0, "00000246", "1") REGISTERS(1, "00000246", "0"),
			     { NOTHING, ITS_TIMER } },
		  { REGISTERS(0, "00000246", "1") REGISTERS(1, "00000246", "0"),
		    { NOTHING, ITS_TIMER } }, -1 },
		{ "awake in the first look",
		  { REGISTERS(0, "00000246", "1") REGISTERS(1, "00000246", "0"),
		    { NOTHING, ITS_TIMER } }, lost, -1 },
		{ "interrupts off", { REGISTERS(0, "00000246", "1") REGISTERS(1, "00000046", "1"),
				      { NOTHING, ITS_TIMER } },
		  { REGISTERS(0, "00000246", "1") REGISTERS(1, "00000046", "1"),
		    { NOTHING, ITS_TIMER } }, -1 },
		{ "another interrupt in the second look", lost,
		  { ASLEEP, { NOTHING, LAPIC(1, "enabled", "251 ") } }, -1 },
		{ "one above it in the second look", lost,
		  { ASLEEP, { NOTHING, LAPIC(1, "enabled", "236 251 ") } }, -1 },
		{ "another processor in the second look", lost,
		  { ASLEEP, { LAPIC(0, "enabled", "236 "), LAPIC(1, "enabled", "(none)") } }, -1 },
		{ "an interrupt of a device", { ASLEEP, { NOTHING, LAPIC(1, "enabled", "235 ") } },
		  { ASLEEP, { NOTHING, LAPIC(1, "enabled", "235 ") } }, -1 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct look first, second;
		bool understood = read_answers(&first, &cases[i].first) &&
				  read_answers(&second, &cases[i].second);

		expect(understood, "stall, %s: it is understood", cases[i].what);
		expect(understood && stall_find(&first, &second) == cases[i].processor,
		       "stall, %s: wanted %d, found %d", cases[i].what, cases[i].processor,
		       stall_find(&first, &second));
	}
}

static void test_not_understood(void)
{
	static const struct answers cases[] = {
		{ NULL, { NOTHING, ITS_TIMER } },
		{ ASLEEP, { NOTHING, NULL } },
		{ "", { NOTHING, ITS_TIMER } },
		{ REGISTERS(1, "00000246", "1"), { NOTHING, ITS_TIMER } },
		{ REGISTERS(0, "00000246", "1"), { NOTHING, ITS_TIMER } },
		{ REGISTERS(0, "00000246", "1") "\nCPU#1\nRAX=0\n", { NOTHING, ITS_TIMER } },
		{ "\nCPU#0\nRAX=0\n" REGISTERS(1, "00000246", "1"), { NOTHING, ITS_TIMER } },
		{ REGISTERS(0, "00000246", "1") REGISTERS(1, "", "1"), { NOTHING, ITS_TIMER } },
		{ REGISTERS(0, "00000246", "1") REGISTERS(1, "246", "1"), { NOTHING, ITS_TIMER } },
		{ REGISTERS(0, "00000246", "1") REGISTERS(1, "00000246", "?"),
		  { NOTHING, ITS_TIMER } },
		{ ASLEEP, { ITS_TIMER, NOTHING } },
		{ ASLEEP, { NOTHING, "" } },
		{ ASLEEP, { NOTHING, "No local APIC\n" } },
		{ ASLEEP, { NOTHING, LAPIC(1, "disabled", "236 ") } },
		{ ASLEEP, { NOTHING, LAPIC(1, "enabled", "") } },
		{ ASLEEP, { NOTHING, LAPIC(1, "enabled", "0xec ") } },
		{ ASLEEP, { NOTHING, LAPIC(1, "enabled", "236 none") } },
		{ ASLEEP, { NOTHING, LAPIC(1, "enabled", "236") } },
		{ ASLEEP, { NOTHING, LAPIC(1, "enabled", "236 35 ") } },
		{ ASLEEP, { NOTHING, LAPIC(1, "enabled", "256 ") } },
		{ ASLEEP, { NOTHING, LAPIC(1, "enabled", "(none) 236 ") } },
		{ ASLEEP, { NOTHING, "dumping local APIC state for CPU 1 \n\n"
				     "SPIV\t 0x000001ff APIC enabled, focus=off\nIRR\t 236 \n" } },
		{ ASLEEP, { NOTHING, "dumping local APIC state for CPU 1 \n\n"
				     "SPIV\t 0x000001ff APIC enabled, focus=off\nISR\t 236 " } },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct look look;

		expect(!read_answers(&look, &cases[i]), "text %zu is not understood", i);
		expect(stall_find(&look, &look) == -1, "text %zu is no stall", i);
	}
}

/* What a monitor says to each line, after events; it ends when nobody asks. */
static void *play_monitor(void *argument)
{
	static const char *const said[][2] = {
		{ "qmp_capabilities", "{\"return\": {}}\r\n" },
		{ "\"stop\"", "{\"timestamp\": {}, \"event\": \"STOP\"}\r\n{\"return\": {}}\r\n" },
		{ "info registers", "{\"return\": \"\\r\\nCPU#0\\r\\nRAX=\\t\\\"1\\\\\\u0001\\r\\n\"}\r\n" },
		{ "info lapic", "{\"error\": {\"class\": \"GenericError\"}}\r\n" },
	};
	int fd = accept(*(int *)argument, NULL, NULL);
	FILE *lines = fdopen(fd, "r");
	char line[256];

	if (write(fd, "{\"QMP\": {}}\r\n", 13) != 13)
		abort();
	while (fgets(line, sizeof(line), lines))
		for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++)
			if (strstr(line, said[i][0]) && write(fd, said[i][1], strlen(said[i][1])) < 0)
				abort();
	fclose(lines);
	return NULL;
}

static void test_monitor(void)
{
	struct sockaddr_un address = unix_address(in_directory("monitor"));
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	static struct run run;
	struct monitor *monitor;
	pthread_t thread;
	char *text;

	memset(&run, 0, sizeof(run));
	snprintf(run.socket_dir, sizeof(run.socket_dir), "%s", directory);
	expect(!monitor_open(&run), "nobody listens");
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) || listen(listener, 1) ||
	    pthread_create(&thread, NULL, play_monitor, &listener))
		abort();
	monitor = monitor_open(&run);
	expect(monitor, "the monitor answers");
	expect(!monitor_run_machine(monitor, false), "the machine is stopped");
	text = monitor_ask(monitor, "info registers -a");
	expect(text && !strcmp(text, "\nCPU#0\nRAX=\t\"1\\?0001\n"), "the text is unpacked: %s", text);
	free(text);
	expect(!monitor_ask(monitor, "info lapic 0"), "an error is no text");
	monitor_close(monitor);
	pthread_join(thread, NULL);
	close(listener);
	unlink(in_directory("monitor"));
}

/* ---------------------------------------------------------------- a disk */

#define WRITTEN_FROM	32768
#define WRITTEN_END	33024

static void damage(uint64_t block, uint64_t version)
{
	FILE *file = fopen(in_directory("disk"), "r+");
	uint64_t words[DISK_WORDS];

	disk_fill(words, block, version, 1);
	if (!file || fseek(file, block * DISK_BLOCK, SEEK_SET) ||
	    fwrite(words, sizeof(words), 1, file) != 1 || fclose(file))
		abort();
}

/* Ten were under way, of which the drive fetched two and completed three. */
static void make_disk_run(struct run *run)
{
	struct disk *disk = &run->disk;

	make_run(run);
	run->options.nic = "nvme";
	run->options.expect = "disk";
	strcpy(run->socket_dir, directory);
	if (disk_make(run))
		abort();
	for (uint64_t block = WRITTEN_FROM; block < WRITTEN_END; block++)
		damage(block, block < WRITTEN_FROM + 128 ? 1 : 2);
	disk->written[0] = (struct written) { WRITTEN_FROM, 128, 1 };
	disk->written[1] = (struct written) { WRITTEN_FROM + 128, 128, 2 };
	disk->written_count = 2;
	disk->armed = (struct controller) { .seen = true, .cc = 0x460001, .csts = 1,
					    .aqa = 0xf000f, .asq = 0x10001000, .acq = 0x10002000 };
	disk->jumps[0] = (struct disk_jump) { .after = disk->armed, .under_way = 10, .found = 3 };
	disk->end = disk->armed;
	disk->right_before = 128;
	disk->right = 256;
	run->updates[0].finished_ns = run->updates[0].user_space_ns + NS_PER_S / 2;
}

static void write_disk_trace(const char *line, int64_t after_ms)
{
	FILE *file;

	write_trace(line, after_ms);
	file = fopen(in_directory("trace.log"), "a");
	for (int i = 0; i < 5; i++)
		fprintf(file, i < 2 ? "1@%d.4%05d:pci_nvme_io_cmd cid %d nsid 0x1 sqid 1 opc 0x2\n" :
			"1@%d.4%05d:pci_nvme_enqueue_req_completion cid %d cqid 1 dw0 0x0 dw1 0x0 status 0x0\n",
			BEGIN_S + 1, i, i);
	fclose(file);
}

static void test_disk_trace(void)
{
	static const struct {
		const char *line;
		int after_ms;
		const char *problem;
	} cases[] = {
		{ NULL, 0, NULL },
		/* before the kexec it is its program's, and after the finish */
		{ "pci_nvme_mmio_cfg wrote MMIO, config controller config=0x0", 500, NULL },
		{ "pci_nvme_pci_reset PCI Function Level Reset", 2700, NULL },
		{ "pci_nvme_mmio_cfg wrote MMIO, config controller config=0x460001", 1500, "set up anew" },
		{ "pci_nvme_mmio_cfg wrote MMIO, config controller config=0x0", 2400, "set up anew" },
		{ "pci_nvme_mmio_stopped cleared controller enable bit", 1500, "set up anew" },
		{ "pci_nvme_mmio_start_success setting controller enable bit succeeded", 2400, "set up anew" },
		{ "pci_nvme_mmio_acqaddr_hi wrote MMIO, admin completion queue", 2400, "set up anew" },
		{ "pci_nvme_mmio_shutdown_set shutdown bit set", 1500, "set up anew" },
		{ "pci_nvme_pci_reset PCI Function Level Reset", 1500, "set up anew" },
		{ "pci_nvme_create_cq create completion queue, addr=0x10004000", 2400, "set up anew" },
		{ "pci_nvme_mmio_doorbell_sq sqid 1 new_tail 7", 2400, NULL },
		{ "pci_nvme_mmio_doorbell_sq sqid 1 new_tail 7", 1500, "rings in the blackout" },
		{ "pci_nvme_mmio_doorbell_cq cqid 1 new_head 7", 1500, "rings in the blackout" },
		{ "pci_nvme_err_addr_read addr 0x10004000", 1500, "the controller complains" },
		{ "pci_nvme_ub_mmiowr_ro_csts attempted to set a read only bit", 2400, "the controller complains" },
		{ "pci_nvme_io_cmd cid 1 nsid 0x1 sqid 1 opc 0x2", 1500, NULL },
		{ "pci_nvme_io_cmd of another form", 1500, "not understood" },
		{ "pci_nvme_something_new", 1500, "not understood" },
		{ "vtd_dmar_fault sid 0x200 fault 5 addr 0x0 write 1", 1500, "DMAR faults" },
		{ "vtd_dmar_fault sid 0x200 fault 5 addr 0x0 write 1", 500, NULL },
		{ "pci_cfg_write nvme 02:00.0 @0x4 <- 0x103", 1500, "bus master off" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *problem = cases[i].problem;
		static struct run run;
		bool good;

		make_disk_run(&run);
		write_disk_trace(cases[i].line, cases[i].after_ms);
		good = judge_quietly(&run);
		expect(good == !problem && (!problem || found(&run, problem)),
		       "disk: '%s' after %d ms means '%s', found '%s'",
		       cases[i].line ? cases[i].line : "nothing", cases[i].after_ms,
		       problem ? problem : "no harm", run.problems[0]);
		end_run(&run);
	}
}

static void not_under_way(struct run *run) { run->disk.jumps[0].under_way = 0; }
static void found_less(struct run *run) { run->disk.jumps[0].found = 2; }
static void found_more(struct run *run) { run->disk.jumps[0].found = 11; }
static void found_all(struct run *run) { run->disk.jumps[0].found = 10; }
static void other_queue(struct run *run) { run->disk.jumps[0].after.acq = 0; }
static void fatal_status(struct run *run) { run->disk.end.csts = 3; }
static void unread_registers(struct run *run) { run->disk.end.seen = false; }
static void one_wrong(struct run *run) { run->disk.wrong = 1; }
static void nothing_since(struct run *run) { run->disk.right = 128; }
static void nothing_written(struct run *run) { run->disk.written_count = 0; }
static void only_read(struct run *run)
{
	run->disk.read_only = true;
	run->disk.written_count = 0;
	disk_make(run);
}

/* Of the second one the trace does not tell. */
static void second_kexec(struct run *run)
{
	run->options.updates = run->update_count = 2;
	run->updates[1] = run->updates[0];
	run->updates[1].kexec_ns += NS_PER_S * 2;
	run->updates[1].user_space_ns += NS_PER_S * 2;
	run->updates[1].finished_ns += NS_PER_S * 2;
	run->disk.jumps[1] = run->disk.jumps[0];
	run->disk.jumps[1].after.acq = 0;
}

static void no_image(struct run *run) { (void)run; unlink(in_directory("disk")); }
static void block_of_another(struct run *run) { (void)run; damage(17, 3); }
static void block_unwritten(struct run *run) { (void)run; damage(WRITTEN_END - 1, 0); }
static void older_block(struct run *run) { (void)run; damage(WRITTEN_END - 1, 1); }
static void block_too_many(struct run *run) { (void)run; damage(WRITTEN_END, 2); }
static void never_finished(struct run *run) { run->updates[0].finished_ns = 0; }
static void more_kexecs(struct run *run) { run->options.updates = 2; }

static void test_disk_figures(void)
{
	static const struct {
		change change;
		const char *problem;
	} cases[] = {
		{ nothing, NULL },
		{ found_all, NULL },
		{ not_under_way, "no command was under way" },
		{ found_less, "found 2 completions" },
		{ found_more, "found 11 completions" },
		{ other_queue, "registers of the controller are not what they were after the kexec" },
		{ fatal_status, "registers of the controller are not what they were at the end" },
		{ unread_registers, "were not read at the end" },
		{ one_wrong, "1 pieces wrong" },
		{ nothing_since, "0 blocks are right since" },
		{ nothing_written, "no block was written" },
		{ only_read, NULL },
		{ second_kexec, "the drive did nothing in the blackout" },
		{ second_kexec, "registers of the controller are not what they were after the kexec" },
		{ no_image, "the image cannot be read" },
		{ block_of_another, "block 17 of the image is not that of version 0" },
		{ block_unwritten, "1 blocks of the image are wrong" },
		{ older_block, "is not that of version 2" },
		{ block_too_many, "is not that of version 0" },
		{ leak, "1 pages of the IOMMU" },
		{ more_kexecs, "1 kexecs, wanted 2" },
	};
	static struct run run;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *problem = cases[i].problem;
		bool good;

		make_disk_run(&run);
		write_disk_trace(NULL, 0);
		cases[i].change(&run);
		good = judge_quietly(&run);
		expect(good == !problem && (!problem || found(&run, problem)),
		       "disk, case %zu: wanted '%s', found '%s'", i,
		       problem ? problem : "no problem", run.problems[0]);
		end_run(&run);
	}
	make_disk_run(&run);
	never_finished(&run);
	write_disk_trace("pci_nvme_pci_reset PCI Function Level Reset", 2700);
	expect(!judge_quietly(&run) && found(&run, "set up anew"), "a reset where nobody finishes");
	end_run(&run);
	make_disk_run(&run);
	write_trace(NULL, 0);
	expect(!judge_quietly(&run) && found(&run, "the drive did nothing"), "a drive that stands still");
	end_run(&run);
	unlink(in_directory("disk"));
}

/* A machine is started again only if nothing but the end is missing. */
static void test_harm(void)
{
	static struct run run;
	const struct { unsigned int *count; const char *what; } counts[] = {
		{ &run.checks_failed, "a check" }, { &run.trace_faults[0], "a fault" },
		{ &run.console_faults, "a fault in the log" }, { &run.corrupted, "a slot" },
		{ &run.stray, "a stray frame" }, { &run.raw, "a frame at its IOVA" },
		{ &run.twice, "a frame found twice" }, { &run.unknown, "an unknown frame" },
	};
	static const struct { const char *problem; bool warning, harm; } problems[] = {
		{ "no end after 180 s", false, false },
		{ "11 frames lost, the first was number 7", false, false },
		{ "log: [ 9.1] rcu: INFO: rcu_sched detected stalls on CPUs/tasks:", true, false },
		{ "log: [ 9.1] INFO: task init:1 blocked for more than 122 seconds", true, false },
		{ "log: [ 9.1] WARNING: mm/page_alloc.c:1", true, true },
		{ "log: [ 9.1] BUG: unable to handle page fault", true, true },
		{ "trace: bus master off: pci_cfg_write", false, true },
	};

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		memset(&run, 0, sizeof(run));
		expect(!judge_saw_harm(&run), "nothing is no harm");
		*counts[i].count = 1;
		expect(judge_saw_harm(&run), "%s is harm", counts[i].what);
	}
	for (size_t i = 0; i < sizeof(problems) / sizeof(problems[0]); i++) {
		memset(&run, 0, sizeof(run));
		run.warnings = problems[i].warning;
		run_problem(&run, "%s", problems[i].problem);
		expect(judge_saw_harm(&run) == problems[i].harm, "'%s' is %sharm",
		       problems[i].problem, problems[i].harm ? "" : "no ");
	}
	memset(&run, 0, sizeof(run));
	run.gave_up = true;
	expect(judge_saw_harm(&run), "a guest that gave up is harm");
}

static void test_deadline(void)
{
	static const struct {
		int timeout_s;
		bool up;
		int done_s, deadline_s;
	} cases[] = {
		{ 180, false, 0, 60 }, { 180, true, 0, 180 }, { 180, true, 10, 30 },
		{ 180, true, 170, 180 }, { 900, true, 100, 200 }, { 60, true, 10, 30 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		static struct run run;
		int64_t deadline;

		memset(&run, 0, sizeof(run));
		run.options.timeout_s = cases[i].timeout_s;
		run.start_ns = NS_PER_S;
		strcpy(run.old_build, cases[i].up ? "up" : "");
		run.done_ns = cases[i].done_s ? (1 + cases[i].done_s) * NS_PER_S : 0;
		deadline = run_deadline_ns(&run) / NS_PER_S - 1;
		expect(deadline == cases[i].deadline_s, "case %zu is given up after %d s, not %d s",
		       i, cases[i].deadline_s, (int)deadline);
	}
}

int main(void)
{
	if (!mkdtemp(directory))
		return 2;
	test_history();
	test_senders();
	test_trace();
	test_shadow();
	test_rom();
	test_figures();
	test_must_find();
	test_firmware();
	test_stall();
	test_not_understood();
	test_monitor();
	test_harm();
	test_deadline();
	test_disk_trace();
	test_disk_figures();
	unlink(in_directory("trace.log"));
	unlink(in_directory("frames.dat"));
	unlink(in_directory("phases.dat"));
	rmdir(directory);
	printf("%u passed, %u failed, 0 skipped\n", passed, failed);
	return failed ? 1 : 0;
}
