// SPDX-License-Identifier: GPL-2.0
/* Reads what the machine says, gives every line a time, and answers. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run.h"

struct line_buffer {
	char text[4096];
	size_t length;
};

static const char *const warning_signs[] = {
	"WARNING:", "BUG:", "Oops", "refcount_t:", "possible circular", "possible recursive",
	"KASAN", "UBSAN", "kmemleak:", "bad page", "rcu: INFO:", "Kernel panic",
	"pagealloc:", "INFO: task", "INFO: trying to register",
	/* A statistic below zero, when it is asked for. */
	"vmstat_refresh:",
};

/* Lines that hold such a word but only tell that a checker is there. */
static const char *const harmless_signs[] = {
	"kmemleak: Kernel memory leak detector initialized",
	"kmemleak: Automatic memory scanning thread",
	/* It had no memory for itself, while a scenario lets allocations fail. */
	"kmemleak: Cannot allocate a scan area",
	"KASAN init", "KernelAddressSanitizer initialized",
};

static bool contains_any(const char *line, const char *const *signs, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strstr(line, signs[i]))
			return true;
	return false;
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The two in turn; a crash kernel is the new one. */
static void set_running_kernel(struct run *run, uint64_t at)
{
	run->kernel = run->crash_ns || run->update_count % 2 ? run->options.new_kernel :
		run->options.old_kernel;
	run->kernel_at = at;
}

static void note_console_times(struct run *run, const char *line, int64_t now)
{
	struct update *update = run_update(run);

	if (!run->first_kernel_ns && strstr(line, "Linux version"))
		run->first_kernel_ns = now;
	if (!update->kexec_ns)
		return;
	if (!update->handed_over_ns && strstr(line, "handed over, translation stays on")) {
		update->handed_over_ns = now;
		/* The third kernel is loaded over the second. */
		if (run->update_count > 1)
			memory_count(run);
	}
	if (!update->new_kernel_ns && strstr(line, "Linux version")) {
		update->new_kernel_ns = now;
		/* The first one is where it was, and what comes has not touched it. */
		if (run->update_count == 1)
			memory_count(run);
		set_running_kernel(run, 0);
	}
	if (update->new_kernel_ns && !update->vtd_ns &&
	    strstr(line, "DMAR: Intel(R) Virtualization"))
		update->vtd_ns = now;
}

/* A neighbour that is not preserved may fault; refused interrupts may be wanted. */
static bool is_fault_of_device(const struct run *run, const char *line, int64_t now)
{
	const char *device = strstr(line, "evice [");

	if (strstr(line, "DMAR: [INTR-REMAP]"))
		return !run->options.interrupt_buffers;
	if (!strstr(line, "DMAR: [DMA ") || !device)
		return false;
	for (int i = 0; i < run->function_count; i++) {
		int stream = run_stream_of(run, i);

		if (stream >= 0 && strstr(device, run->functions[i].bdf + 5))
			return run_fault_counts(run, stream, now);
	}
	return !run->function_count;
}

/* The panic that was asked for, and not a second one. */
static bool is_wanted_panic(const struct run *run, const char *line)
{
	return run->crash_ns && !run->crash_user_ns && strstr(line, "sysrq triggered crash");
}

static void console_line(struct run *run, const char *line, int64_t now)
{
	note_console_times(run, line, now);
	if (contains_any(line, warning_signs, COUNT(warning_signs)) &&
	    !is_wanted_panic(run, line) &&
	    !contains_any(line, harmless_signs, COUNT(harmless_signs))) {
		run->warnings++;
		run_problem(run, "log: %s", line);
	}
	if (is_fault_of_device(run, line, now))
		run->console_faults++;
}

static unsigned long long value_of(const char *line, const char *key)
{
	char pattern[32];
	const char *found;

	snprintf(pattern, sizeof(pattern), " %s=", key);
	found = strstr(line, pattern);
	return found ? strtoull(found + strlen(pattern), NULL, 0) : 0;
}

static void text_of(const char *line, const char *key, char *text, size_t size)
{
	char pattern[32];
	const char *found;

	snprintf(pattern, sizeof(pattern), " %s=", key);
	found = strstr(line, pattern);
	snprintf(text, size, "%s", found ? found + strlen(pattern) : "");
	text[strcspn(text, " ")] = '\0';
}

static bool is(const char *word, const char *name)
{
	size_t length = strlen(name);

	return !strncmp(word, name, length) && (!word[length] || word[length] == ' ');
}

static void event_user_space(struct run *run, const char *line, int64_t now)
{
	if (value_of(line, "stage") == 1) {
		text_of(line, "build", run->old_build, sizeof(run->old_build));
	} else if (run->crash_ns) {
		/* It leaves what crashed as it was. */
		memory_count(run);
		run->crash_user_ns = now;
	} else {
		text_of(line, "build", run->new_build, sizeof(run->new_build));
		run_update(run)->user_space_ns = now;
	}
	set_running_kernel(run, value_of(line, "at"));
}

static void event_function(struct run *run, const char *line, int64_t now)
{
	struct function *function = &run->functions[run->function_count];

	/* Once is enough: the next kernel has to keep the numbers. */
	if (run->update_count || run->function_count == FUNCTIONS)
		return;
	text_of(line, "bdf", function->bdf, sizeof(function->bdf));
	text_of(line, "role", function->role, sizeof(function->role));
	function->pcie = value_of(line, "pcie");
	function->pm = value_of(line, "pm");
	function->bridge = !strcmp(function->role, "bridge");
	function->told_ns = now;
	for (int i = 0; i < 3; i++)
		function->buses[i] = value_of(line, "buses") >> 8 * i;
	function->ats = value_of(line, "ats");
	function->pri = value_of(line, "pri");
	function->pasid = value_of(line, "pasid");
	run->function_count++;
}

static void event_registers(struct run *run, const char *line)
{
	struct registers *registers;
	char when[16];

	text_of(line, "when", when, sizeof(when));
	if (!strcmp(when, "armed") && !run->update_count)
		registers = &run->armed;
	else if (!strcmp(when, "after"))
		registers = &run->after;
	else if (!strcmp(when, "end"))
		registers = &run->end;
	else
		return;
	registers->seen = true;
	registers->known = strstr(line, "rctl=");
	registers->command = value_of(line, "command");
	registers->rctl = value_of(line, "rctl");
	registers->rdbal = value_of(line, "rdbal");
	registers->rdlen = value_of(line, "rdlen");
}

static void note_landed(struct run *run, unsigned int stream, unsigned int sequence,
			unsigned int slot)
{
	struct frame_record *record = NULL;

	if (stream < STREAMS && run->senders[stream])
		record = sender_record(run->senders[stream], sequence);
	if (!record) {
		run->unknown++;
		return;
	}
	if (record->landed)
		run->twice++;
	record->landed = 1;
	record->slot = slot;
}

static void event_landed(struct run *run, const char *line)
{
	unsigned int slot = value_of(line, "slot"), stream = value_of(line, "stream");
	unsigned int last = value_of(line, "last");

	for (unsigned int sequence = value_of(line, "first"); sequence <= last; sequence++)
		note_landed(run, stream, sequence, slot++);
}

static void event_memory(struct run *run, const char *line)
{
	unsigned int stream = value_of(line, "stream");

	run->corrupted += value_of(line, "corrupted");
	run->hollow[stream < STREAMS ? stream : 0] += value_of(line, "hollow");
	if (value_of(line, "fullest") + 2 >= run->slots)
		run_problem(run, "the ring of %u slots ran full: not a verdict on the kernel",
			    run->slots);
}

/* It went where its descriptor said, which is not memory. */
static void event_diverted(struct run *run, const char *line)
{
	struct frame_record *record = sender_record(run->senders[0], value_of(line, "sequence"));

	if (!record || record->landed)
		run->unknown++;
	else
		record->landed = 1;
	run->diverted++;
}

/* The old kernel says that it has handed over when the tables are scrubbed and flushed. */
static void event_scan_memory(struct run *run, const char *line)
{
	unsigned int stream = value_of(line, "stream");
	const struct update *update = run_update(run);
	int64_t after = stream ? update->handed_over_ns : update->vtd_ns;

	/* Where the IOMMU's driver says nothing the device is cut off all the same. */
	if (!after)
		after = update->user_space_ns;
	run->scanned = true;
	run->found = memory_count_frames(run, stream, 0);
	/* What is not to be found: what was sent when the device was cut off. */
	if (!stream && run->parting[0].unmapped_ns)
		after = run->parting[0].unmapped_ns;
	/* Those of a neighbour may be overwritten; the preserved ones are there. */
	if (stream)
		run->found += memory_count_frames(run, 0, 0);
	run->stray += memory_count_frames(run, stream, after);
	if (!stream)
		run->raw += memory_count_untranslated(run, stream);
}

/* What was sent to the crash kernel's machine went where its devices were told before. */
static void event_scan_crash(struct run *run, int64_t now)
{
	run->crash_end_ns = now;
	run->crash_landed = memory_count_frames(run, 0, run->crash_user_ns);
	run->raw += memory_count_untranslated(run, 0);
}

static void event_kexec_call(struct run *run, int64_t now)
{
	if (run->update_count == UPDATES) {
		run_problem(run, "more than %d kexecs", UPDATES);
		return;
	}
	run->updates[run->update_count++].kexec_ns = now;
	run->disk.right_before = run->disk.right;
}

static void event_parting(struct run *run, const char *line, int64_t now)
{
	unsigned int stream = value_of(line, "stream");
	struct parting *parting = &run->parting[stream < STREAMS ? stream : 0];

	if (is(line, "released"))
		parting->released_ns = now;
	else if (is(line, "unmapping"))
		parting->unmapping_ns = now;
	else
		parting->unmapped_ns = now;
}

static unsigned long difference(unsigned long a, unsigned long b)
{
	return a > b ? a - b : b - a;
}

static unsigned long larger(unsigned long a, unsigned long b)
{
	return a > b ? a : b;
}

/*
 * The first are those of a program that has only been set up.  Most pages count
 * in both statistics, and a page that is missing is as wrong as one too many.
 */
static void event_pages(struct run *run, const char *line)
{
	struct pages pages = {
		.iommu = value_of(line, "iommu"),
		.secondary = value_of(line, "secondary"),
	};

	if (!run->base_pages.iommu) {
		run->base_pages = pages;
		return;
	}
	run->pages_leaked += larger(difference(pages.iommu, run->base_pages.iommu),
				    difference(pages.secondary, run->base_pages.secondary)) +
			     value_of(line, "unclaimed");
}

static void event_last_attach(struct run *run, const char *line, int64_t now)
{
	run->last_attach_ns = now;
	run->last_attach_refused = value_of(line, "refused");
}

static void event_check(struct run *run, const char *line)
{
	if (strstr(line, " FAILED ")) {
		run->checks_failed++;
		run_problem(run, "guest: %s", strstr(line, "check"));
	} else {
		run->checks_ok++;
	}
}

/* The last one, as run_update() has it */
static struct disk_jump *disk_jump(struct run *run)
{
	return &run->disk.jumps[run->update_count ? run->update_count - 1 : 0];
}

static void event_under_way(struct run *run, const char *line)
{
	if (run->update_count < UPDATES)
		run->disk.jumps[run->update_count].under_way = value_of(line, "count");
}

/* Where its controller stands. What counts is where it stood at the first kexec. */
static void event_controller(struct run *run, const char *line)
{
	struct controller *controller;
	char when[16];

	text_of(line, "when", when, sizeof(when));
	if (!strcmp(when, "armed") && run->disk.armed.seen)
		return;
	if (!strcmp(when, "armed"))
		controller = &run->disk.armed;
	else if (!strcmp(when, "after"))
		controller = &disk_jump(run)->after;
	else
		controller = &run->disk.end;
	memset(controller, 0, sizeof(*controller));
	controller->seen = true;
	controller->cc = value_of(line, "cc");
	controller->csts = value_of(line, "csts");
	controller->aqa = value_of(line, "aqa");
	controller->asq = value_of(line, "asq");
	controller->acq = value_of(line, "acq");
}

static void event_written(struct run *run, const char *line)
{
	struct disk *disk = &run->disk;

	if (disk->written_count == UPDATES + 1) {
		run_problem(run, "more programs have written than there can be");
		return;
	}
	disk->written[disk->written_count++] = (struct written) {
		.first = value_of(line, "first"),
		.count = value_of(line, "count"),
		.version = value_of(line, "version"),
	};
}

static void event_checked(struct run *run, const char *line)
{
	run->disk.right = value_of(line, "right");
	run->disk.wrong = value_of(line, "wrong");
}

static void event_done(struct run *run)
{
	run->done = true;
	memory_count(run);
	run->done_ns = wall_clock_ns();
}

static void start_traffic(struct run *run, const char *line, int64_t now)
{
	run->traffic_ns = now;
	run->buffers_iova = value_of(line, "buffers");
	run->slots = value_of(line, "slots");
	run->slot_stride = value_of(line, "stride");
	for (int i = 0; i < STREAMS; i++)
		if (run->senders[i])
			sender_start(run->senders[i]);
}

/* A host that gives the emulator no processor for a while. */
static void stop_emulator(const struct run *run, const char *line)
{
	kill(run->child, SIGSTOP);
	usleep(value_of(line, "ms") * 1000);
	kill(run->child, SIGCONT);
}

static void add_card(struct run *run, const char *line)
{
	char card[32], slot[32], netdev[32];
	int error;

	text_of(line, "card", card, sizeof(card));
	text_of(line, "slot", slot, sizeof(slot));
	text_of(line, "netdev", netdev, sizeof(netdev));
	error = monitor_add_card(run, card, slot, netdev);
	if (error)
		run_problem(run, "no %s could be added: %s", card, strerror(-error));
}

static void stop_traffic(struct run *run)
{
	if (run->traffic_ns && !run->traffic_end_ns)
		run->traffic_end_ns = wall_clock_ns();
	for (int i = 0; i < STREAMS; i++)
		sender_stop(run->senders[i]);
}

static void handle_event(struct run *run, const char *word, int64_t now)
{
	if (is(word, "user-space"))
		event_user_space(run, word, now);
	else if (is(word, "function"))
		event_function(run, word, now);
	else if (is(word, "registers"))
		event_registers(run, word);
	else if (is(word, "traffic-start"))
		start_traffic(run, word, now);
	else if (is(word, "traffic-stop"))
		stop_traffic(run);
	else if (is(word, "stop-emulator"))
		stop_emulator(run, word);
	else if (is(word, "add-card"))
		add_card(run, word);
	else if (is(word, "kexec-call"))
		event_kexec_call(run, now);
	else if (is(word, "memory-retrieved"))
		run_update(run)->memory_ns = now;
	else if (is(word, "reclaimed"))
		run_update(run)->reclaimed_ns = now;
	else if (is(word, "switching"))
		run_update(run)->switching_ns = now;
	else if (is(word, "switched"))
		run_update(run)->switched_ns = now;
	else if (is(word, "finished"))
		run_update(run)->finished_ns = now;
	else if (is(word, "released") || is(word, "unmapping") || is(word, "unmapped"))
		event_parting(run, word, now);
	else if (is(word, "pages"))
		event_pages(run, word);
	else if (is(word, "neighbour-last-attach"))
		event_last_attach(run, word, now);
	else if (is(word, "reopened"))
		run->reopened_ns = now;
	else if (is(word, "landed"))
		event_landed(run, word);
	else if (is(word, "memory"))
		event_memory(run, word);
	else if (is(word, "scan-memory"))
		event_scan_memory(run, word);
	else if (is(word, "crash-call"))
		run->crash_ns = now;
	else if (is(word, "scan-crash"))
		event_scan_crash(run, now);
	else if (is(word, "diverted"))
		event_diverted(run, word);
	else if (is(word, "controller"))
		event_controller(run, word);
	else if (is(word, "disk-under-way"))
		event_under_way(run, word);
	else if (is(word, "disk-found"))
		disk_jump(run)->found = value_of(word, "count");
	else if (is(word, "disk-read-only"))
		run->disk.read_only = true;
	else if (is(word, "disk-written"))
		event_written(run, word);
	else if (is(word, "disk-checked"))
		event_checked(run, word);
	else if (is(word, "check"))
		event_check(run, word);
	else if (is(word, "done"))
		event_done(run);
	else if (is(word, "note"))
		snprintf(run->last_note, sizeof(run->last_note), "%s", word);
}

static void note_end(struct run *run, const char *word)
{
	if (is(word, "gave-up")) {
		run->gave_up = true;
		run_problem(run, "guest %s", word);
	} else if (is(word, "skipped")) {
		run->skipped = true;
		snprintf(run->skip_reason, sizeof(run->skip_reason), "%s", word);
	}
}

static void event_line(struct run *run, const char *line, int64_t now)
{
	bool answer = !strncmp(line, "LU? ", 4);
	const char *word;

	word = strchr(line, ' ');
	word = word ? strchr(word + 1, ' ') : NULL;
	if (strncmp(line, "LU", 2) || !word) {
		run_problem(run, "events: a line is not understood: %s", line);
		return;
	}
	word++;
	handle_event(run, word, now);
	note_end(run, word);
	if (answer && send(run->events, "ok\n", 3, MSG_NOSIGNAL) != 3)
		run_problem(run, "the guest does not take the answer");
}

typedef void (*line_handler)(struct run *run, const char *line, int64_t now);

/* False at the end of the stream. */
static bool read_lines(struct run *run, int fd, struct line_buffer *buffer, FILE *log,
		       line_handler handler)
{
	char chunk[4096];
	ssize_t got = read(fd, chunk, sizeof(chunk));
	int64_t now = wall_clock_ns();

	if (got <= 0)
		return false;
	for (ssize_t i = 0; i < got; i++) {
		if (chunk[i] == '\r')
			continue;
		if (chunk[i] != '\n' && buffer->length < sizeof(buffer->text) - 1) {
			buffer->text[buffer->length++] = chunk[i];
			continue;
		}
		buffer->text[buffer->length] = '\0';
		buffer->length = 0;
		fprintf(log, "%9.4f %s\n", (now - run->start_ns) / 1e9, buffer->text);
		handler(run, buffer->text, now);
	}
	return true;
}

static FILE *open_log(struct run *run, const char *name)
{
	char path[512];
	FILE *file;

	run_path(run, name, path, sizeof(path));
	file = fopen(path, "w");
	if (!file) {
		perror(path);
		exit(2);
	}
	return file;
}

static int milliseconds_left(const struct run *run)
{
	int64_t left = (run_deadline_ns(run) - wall_clock_ns()) / NS_PER_MS;
	return left > 0 ? (int)left : 0;
}

static void accept_events(struct run *run)
{
	run->events = accept(run->listener, NULL, NULL);
	close(run->listener);
	run->listener = -1;
}

static void watch_lines(struct run *run, FILE *console_log, FILE *event_log)
{
	static struct line_buffer console, events;

	memset(&console, 0, sizeof(console));
	memset(&events, 0, sizeof(events));
	while (run->console >= 0) {
		struct pollfd fds[] = {
			{ .fd = run->console, .events = POLLIN },
			{ .fd = run->events, .events = POLLIN },
			{ .fd = run->listener, .events = POLLIN },
		};
		int ready = poll(fds, COUNT(fds), milliseconds_left(run));

		if (ready < 0 && errno == EINTR)
			continue;
		if (ready <= 0) {
			run->timed_out = true;
			return;
		}
		if (fds[2].revents)
			accept_events(run);
		/* Events first: what they announce comes before what follows on the console. */
		if (fds[1].revents &&
		    !read_lines(run, run->events, &events, event_log, event_line)) {
			close(run->events);
			run->events = -1;
		}
		if (fds[0].revents &&
		    !read_lines(run, run->console, &console, console_log, console_line)) {
			close(run->console);
			run->console = -1;
		}
	}
	while (run->events >= 0 &&
	       read_lines(run, run->events, &events, event_log, event_line))
		;
}

void watch(struct run *run)
{
	FILE *console_log = open_log(run, "console.log");
	FILE *event_log = open_log(run, "events.log");
	int status;

	watch_lines(run, console_log, event_log);
	if (run->timed_out) {
		run_problem(run, "no end after %d s%s",
			    (int)((wall_clock_ns() - run->start_ns) / NS_PER_S),
			    run->done ? ", and the guest was done" : "");
		stall_look(run);
		kill(run->child, SIGKILL);
	}
	stop_traffic(run);
	waitpid(run->child, &status, 0);
	/* A kernel that has panicked, say. */
	if (!run->done)
		memory_count(run);
	if (!run->timed_out && (!WIFEXITED(status) || WEXITSTATUS(status)))
		run_problem(run, "QEMU ended with status 0x%x, see qemu.log", status);
	fclose(console_log);
	fclose(event_log);
}
