// SPDX-License-Identifier: GPL-2.0
/* From what was seen to one line of figures and one verdict. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run.h"

/* The part of the judged time for which the emulator has to have run. */
#define RAN_AT_LEAST	3

struct share {
	unsigned int sent, landed;
};

struct figures {
	unsigned int sent, landed, late, lost, refused;
	struct share before;		/* the first kexec call */
	struct share blackout;		/* of all updates */
	struct share blackouts[UPDATES];
	struct share unmapped;		/* sent when they had no mapping any more */
	int64_t gap_ns, blackout_ns;
};

/* A dot stands for any character: scenario options hold no blanks. */
static bool contains(const char *text, const char *pattern)
{
	for (; *text; text++) {
		size_t i = 0;

		while (pattern[i] && (pattern[i] == text[i] || (pattern[i] == '.' && text[i])))
			i++;
		if (!pattern[i])
			return true;
	}
	return false;
}

static bool contains_one(const char *problem, const char *const *words, int count)
{
	for (int i = 0; i < count; i++)
		if (contains(problem, words[i]))
			return true;
	return false;
}

static bool is_named(const struct options *options, const char *problem)
{
	return contains_one(problem, options->must_find, options->must_find_count) ||
	       contains_one(problem, options->may_find, options->may_find_count);
}

/* What was named may come a thousand times, and must not hide anything else. */
void run_problem(struct run *run, const char *format, ...)
{
	char problem[sizeof(run->problems[0])];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(problem, sizeof(problem), format, arguments);
	va_end(arguments);
	if (run->problem_count < PROBLEMS)
		run->problem_count++;
	else if (is_named(&run->options, problem))
		return;
	memcpy(run->problems[run->problem_count - 1], problem, sizeof(problem));
}

/* What lands of a device that was let go or unmapped is no loss and no gain. */
static bool is_due(const struct run *run, unsigned int stream, const struct frame_record *record)
{
	int64_t released = run->parting[stream].released_ns;

	return !released || record->sent_ns < released;
}

/* Longer than a frame is on its way to memory: RELEASE_MS in guest/wayback.c. */
#define ON_ITS_WAY_NS	(100 * NS_PER_MS)

static void count_in(struct share *share, bool landed)
{
	share->sent++;
	share->landed += landed;
}

/* A frame that was refused may have landed all the same, but too late. */
static bool landed_in_time(const struct frame_record *record)
{
	return record->landed && record->fate == FRAME_TAKEN;
}

static void count_frame(const struct run *run, unsigned int stream,
			const struct frame_record *record, struct figures *figures)
{
	int64_t unmapped = run->parting[stream].unmapped_ns;
	bool landed = landed_in_time(record);
	int update;

	if (unmapped && record->sent_ns > unmapped)
		count_in(&figures->unmapped, record->landed);
	if (!is_due(run, stream, record))
		return;
	figures->sent++;
	figures->late += record->late;
	figures->refused += record->fate == FRAME_REFUSED;
	figures->landed += landed;
	if (!run_had_kexec(run))
		return;
	if (record->sent_ns < run_begin_ns(run) - ON_ITS_WAY_NS)
		count_in(&figures->before, landed);
	update = run_blackout_of(run, record->sent_ns);
	if (update < 0)
		return;
	count_in(&figures->blackout, landed);
	count_in(&figures->blackouts[update], landed);
}

/* Between neighbours that landed, and up to the last frame that was due. */
static int64_t longest_gap(const struct run *run, struct sender *sender, unsigned int count)
{
	const struct frame_record *record = NULL;
	int64_t longest = 0, before = 0;

	for (unsigned int i = 0; i < count; i++) {
		record = sender_record(sender, i);
		if (!is_due(run, 0, record))
			break;
		if (!before)
			before = record->sent_ns;
		if (!record->landed && i + 1 < count)
			continue;
		if (record->sent_ns - before > longest)
			longest = record->sent_ns - before;
		before = record->sent_ns;
	}
	return longest;
}

static bool second_is_preserved(const struct run *run)
{
	return run->options.second_nic && !strcmp(run->options.second_use, "preserved");
}

static void count_stream(const struct run *run, unsigned int stream, struct figures *figures)
{
	struct sender *sender = run->senders[stream];
	unsigned int count = sender_count(sender);

	for (unsigned int i = 0; i < count; i++)
		count_frame(run, stream, sender_record(sender, i), figures);
}

static int64_t longest_blackout(const struct run *run)
{
	int64_t longest = 0;

	for (int i = 0; i < run->update_count; i++) {
		const struct update *update = &run->updates[i];

		if (update->user_space_ns - update->kexec_ns > longest)
			longest = update->user_space_ns - update->kexec_ns;
	}
	return longest;
}

static void compute(const struct run *run, struct figures *figures)
{
	memset(figures, 0, sizeof(*figures));
	count_stream(run, 0, figures);
	if (second_is_preserved(run))
		count_stream(run, 1, figures);
	figures->lost = figures->sent - figures->landed;
	figures->gap_ns = longest_gap(run, run->senders[0], sender_count(run->senders[0]));
	figures->blackout_ns = longest_blackout(run);
}

static unsigned int faults(const struct run *run)
{
	unsigned int seen = 0;

	for (int i = 0; i < STREAMS; i++)
		seen += run->trace_faults[i];
	return seen ? seen : run->console_faults;
}

static void write_frames(const struct run *run)
{
	char path[512];
	FILE *file;

	run_path(run, "frames.dat", path, sizeof(path));
	file = fopen(path, "w");
	if (!file)
		return;
	fprintf(file, "# sequence  sent at ms after the kexec call  landed  late  slot\n");
	for (unsigned int i = 0; i < sender_count(run->senders[0]); i++) {
		const struct frame_record *record = sender_record(run->senders[0], i);

		fprintf(file, "%u %.3f %u %u %u\n", i,
			(record->sent_ns - run_begin_ns(run)) / 1e6, record->landed, record->late,
			record->slot);
	}
	fclose(file);
}

static void write_phase(FILE *file, const char *name, int64_t when, int64_t kexec)
{
	if (when)
		fprintf(file, "%s %.1f\n", name, (when - kexec) / 1e6);
}

/* Of the first update, when there are several. */
static void write_phases(const struct run *run)
{
	const struct update *update = &run->updates[0];
	int64_t kexec = update->kexec_ns;
	char path[512];
	FILE *file;

	if (!kexec)
		return;
	run_path(run, "phases.dat", path, sizeof(path));
	file = fopen(path, "w");
	if (!file)
		return;
	write_phase(file, "kexec", kexec, kexec);
	write_phase(file, "kernel", update->new_kernel_ns, kexec);
	write_phase(file, "iommu", update->vtd_ns, kexec);
	write_phase(file, "user", update->user_space_ns, kexec);
	write_phase(file, "memory", update->memory_ns, kexec);
	write_phase(file, "reclaimed", update->reclaimed_ns, kexec);
	write_phase(file, "switched", update->switched_ns, kexec);
	write_phase(file, "finished", update->finished_ns, kexec);
	write_phase(file, "reopened", run->reopened_ns, kexec);
	fclose(file);
}

/* Whether the interrupt line is enabled is the kernel's, and nothing to DMA. */
#define INTX_DISABLE	(1u << 10)

static bool same_ring(const struct registers *a, const struct registers *b)
{
	return a->known && b->known && !((a->command ^ b->command) & ~INTX_DISABLE) &&
	       a->rctl == b->rctl && a->rdbal == b->rdbal && a->rdlen == b->rdlen;
}

static void expect_same_ring(struct run *run, const struct registers *now, const char *when)
{
	const struct registers *armed = &run->armed;

	if (!same_ring(armed, now))
		run_problem(run, "registers of the card are not what they were %s: command=0x%x "
			    "rctl=0x%x rdbal=0x%x rdlen=0x%x, armed with 0x%x 0x%x 0x%x 0x%x",
			    when, now->command, now->rctl, now->rdbal, now->rdlen,
			    armed->command, armed->rctl, armed->rdbal, armed->rdlen);
}

static void expect_nothing_due_lost(struct run *run, const struct figures *figures)
{
	if (!figures->sent)
		run_problem(run, "no frame was sent");
	if (figures->lost)
		run_problem(run, "%u of %u frames lost, %u of them not even taken by the card",
			    figures->lost, figures->sent, figures->refused);
}

static void expect_nothing_lost(struct run *run, const struct figures *figures)
{
	expect_nothing_due_lost(run, figures);
	if (faults(run))
		run_problem(run, "%u DMAR faults", faults(run));
	if (run->raised)
		run_problem(run, "%u interrupts raised by receive buffers", run->raised);
	if (run->options.interrupt_buffers && !run->diverted)
		run_problem(run, "no frame was received as an interrupt");
}

/* One kernel from beginning to end. */
static void expect_no_disturbance(struct run *run, const struct figures *figures)
{
	trace_check(run);
	expect_nothing_lost(run, figures);
	if (run_had_kexec(run))
		run_problem(run, "there was a kexec");
}

/*
 * That nothing was lost says little if little was sent.  A busy host sends late, but
 * then all that is due; what was sent before user space is in memory.
 */
static void expect_frames_of_blackout(struct run *run, int index, const struct share *blackout)
{
	const struct update *update = &run->updates[index];
	int64_t length = update->user_space_ns - update->kexec_ns;
	int64_t due = length * run->options.rate / NS_PER_S;

	if (!update->user_space_ns)
		return;
	if (blackout->landed < due / 2 || !blackout->landed)
		run_problem(run, "only %u frames landed of the blackout of kexec %d, %u were sent and %"
			    PRId64 " due", blackout->landed, index + 1, blackout->sent, due);
}

static void expect_kexecs(struct run *run, const struct figures *figures)
{
	if (!run_had_kexec(run))
		run_problem(run, "there was no kexec");
	if (run->update_count != run->options.updates || !run_update(run)->user_space_ns)
		run_problem(run, "%d kexecs, wanted %d", run->update_count,
			    run->options.updates);
	for (int i = 0; i < run->update_count; i++)
		expect_frames_of_blackout(run, i, &figures->blackouts[i]);
	expect_same_ring(run, &run->after, "after the kexec");
	if (run->end.seen)
		expect_same_ring(run, &run->end, "at the end");
	if (run->pages_leaked)
		run_problem(run, "%lu pages of the IOMMU leaked or missing", run->pages_leaked);
}

static void expect_continuity(struct run *run, const struct figures *figures)
{
	trace_check(run);
	expect_nothing_lost(run, figures);
	expect_kexecs(run, figures);
}

/* After a stall of the emulator the next frame may take its time. */
#define FAULT_WITHIN_NS	NS_PER_S

/* A card without traffic: what was written to it and to the IOMMU is all there is to see. */
static void expect_undisturbed(struct run *run)
{
	trace_check(run);
	if (!run_had_kexec(run))
		run_problem(run, "there was no kexec");
}

/* The same, and a disk that goes on all the time. */
static void expect_disk(struct run *run)
{
	expect_undisturbed(run);
	if (run->update_count != run->options.updates || !run_update(run)->user_space_ns)
		run_problem(run, "%d kexecs, wanted %d", run->update_count,
			    run->options.updates);
	if (faults(run))
		run_problem(run, "%u DMAR faults", faults(run));
	if (run->pages_leaked)
		run_problem(run, "%lu pages of the IOMMU leaked or missing", run->pages_leaked);
	disk_judge(run);
}

static void expect_fault_of_unmapped(struct run *run, unsigned int stream)
{
	const struct parting *parting = &run->parting[stream];
	int64_t first = run->first_fault_ns[stream];

	if (!parting->unmapping_ns || !parting->unmapped_ns)
		run_problem(run, "card %u was never without its mapping", stream);
	else if (!run->trace_faults[stream])
		run_problem(run, "card %u without its mapping did not fault", stream);
	else if (first < parting->unmapping_ns)
		run_problem(run, "card %u faulted %.1f ms before its mapping was gone", stream,
			    (parting->unmapping_ns - first) / 1e6);
	else if (first > parting->unmapped_ns + FAULT_WITHIN_NS)
		run_problem(run, "card %u faulted only %.1f ms after its mapping was gone", stream,
			    (first - parting->unmapped_ns) / 1e6);
}

/* All goes on until a mapping is taken away; then each access faults at once. */
static void expect_unmapped(struct run *run, const struct figures *figures)
{
	trace_check(run);
	expect_nothing_due_lost(run, figures);
	expect_kexecs(run, figures);
	expect_fault_of_unmapped(run, 0);
	if (second_is_preserved(run))
		expect_fault_of_unmapped(run, 1);
	if (figures->unmapped.landed)
		run_problem(run, "%u frames landed without a mapping", figures->unmapped.landed);
}

/* Nothing is lost before the kexec, and then at least half of what comes in the blackout. */
static void expect_loss(struct run *run, const struct figures *figures)
{
	unsigned int lost = figures->blackout.sent - figures->blackout.landed;

	if (!run_had_kexec(run))
		run_problem(run, "there was no kexec");
	if (!figures->before.landed)
		run_problem(run, "no frame landed even before the kexec");
	if (figures->before.landed != figures->before.sent)
		run_problem(run, "%u of %u frames lost before the kexec",
			    figures->before.sent - figures->before.landed, figures->before.sent);
	if (!figures->blackout.sent || lost < figures->blackout.sent / 2)
		run_problem(run, "only %u of %u frames sent in the blackout were lost", lost,
			    figures->blackout.sent);
}

/* All lands until the mapping is gone, nothing afterwards, and each access faults. */
static void expect_fault(struct run *run, const struct figures *figures)
{
	unsigned int with_mapping = figures->sent - figures->unmapped.sent;

	trace_check(run);
	if (!run->trace_faults[0] || !run->console_faults)
		run_problem(run, "no fault was seen: trace %u, log %u", run->trace_faults[0],
			    run->console_faults);
	expect_fault_of_unmapped(run, 0);
	if (!figures->unmapped.sent)
		run_problem(run, "no frame was sent without a mapping");
	if (figures->unmapped.landed)
		run_problem(run, "%u of %u frames landed without a mapping",
			    figures->unmapped.landed, figures->unmapped.sent);
	if (figures->landed < with_mapping / 2)
		run_problem(run, "only %u of %u frames landed while they had a mapping",
			    figures->landed, with_mapping);
}

/*
 * After the hand-over the device is cut off: nothing lands, nowhere.  The session
 * may be unreadable, so all of guest memory is searched: judge_always().
 */
static void expect_blocked(struct run *run, const struct figures *figures)
{
	if (!run_had_kexec(run))
		run_problem(run, "there was no kexec");
	if (figures->refused == figures->sent)
		run_problem(run, "no frame was taken even before the kexec");
	if (!run->scanned)
		run_problem(run, "guest memory was not searched");
	if (run->raw)
		run_problem(run, "%u frames at their IOVA: written without translation",
			    run->raw);
	trace_check(run);
}

#define BUSY_BEFORE_NS	(100 * NS_PER_MS)

/* A loop that was over before, or did not come so far, tests no rule of the hand-over. */
static void judge_last_attach(struct run *run)
{
	if (strstr(run->options.guest, "lu_still=1"))
		return;
	if (!run->last_attach_ns)
		run_problem(run, "the neighbour was not attached after the hand-over");
	else if (run->last_attach_ns < run_begin_ns(run))
		run_problem(run, "the neighbour was not attached until the kexec call");
	else if (!run->last_attach_refused)
		run_problem(run, "the neighbour could be attached after the hand-over");
}

/* Whether the neighbour's card still took frames when the kexec was called. */
static void judge_neighbour(struct run *run)
{
	struct sender *sender = run->senders[1];
	unsigned int before = 0, after = 0;

	for (unsigned int i = 0; i < sender_count(sender); i++) {
		const struct frame_record *record = sender_record(sender, i);

		if (record->fate != FRAME_TAKEN)
			continue;
		if (record->sent_ns > run_begin_ns(run))
			after++;
		else if (record->sent_ns > run_begin_ns(run) - BUSY_BEFORE_NS)
			before++;
	}
	printf("  the neighbour took %u frames in the 100 ms before the kexec call, %u after\n",
	       before, after);
	if (!before)
		run_problem(run, "the neighbour was idle before the kexec: nothing is proven");
	judge_last_attach(run);
	if (!run_update(run)->handed_over_ns)
		run_problem(run, "the hand-over was not seen");
	if (!run->scanned)
		run_problem(run, "guest memory was not searched");
}

static unsigned int frames_while_unmapping(const struct run *run, unsigned int stream)
{
	const struct parting *parting = &run->parting[stream];
	struct sender *sender = run->senders[stream];
	unsigned int count = 0;

	if (!parting->unmapping_ns || !parting->unmapped_ns)
		return 0;
	for (unsigned int i = 0; i < sender_count(sender); i++) {
		const struct frame_record *record = sender_record(sender, i);

		count += record->fate == FRAME_TAKEN &&
			 record->sent_ns >= parting->unmapping_ns - ON_ITS_WAY_NS &&
			 record->sent_ns <= parting->unmapped_ns;
	}
	return count;
}

/*
 * While a mapping is taken away its entries are gone from memory and still in the
 * cache, some of them: a card may be refused the buffer and not the descriptor.
 * Writes are not answered, so it reports a frame that is nowhere.  That happens at
 * no other time, so there are no more of these than frames came in it.
 */
static void judge_hollow(struct run *run)
{
	for (unsigned int i = 0; i < STREAMS; i++) {
		unsigned int allowed = frames_while_unmapping(run, i);

		if (run->hollow[i] > allowed)
			run_problem(run, "%u full slots of card %u without a frame, %u could be",
				    run->hollow[i], i, allowed);
		else if (run->hollow[i])
			printf("  card %u: %u of %u frames found no buffer, but a descriptor\n",
			       i, run->hollow[i], allowed);
	}
}

/* Translation goes on from the crash to the end, which the trace shows, and serves. */
static void judge_crash(struct run *run)
{
	if (!run->crash_ns)
		run_problem(run, "there was no crash");
	if (!run->crash_user_ns)
		run_problem(run, "the crash kernel did not come up");
	if (run->options.ordinary)
		return;
	trace_check(run);
	if (run->console_faults)
		run_problem(run, "%u DMAR faults", run->console_faults);
	if (!run->crash_end_ns)
		run_problem(run, "guest memory was not searched");
	if (!run->crash_landed)
		run_problem(run, "no frame landed after the crash");
	if (run->raw)
		run_problem(run, "%u frames at their IOVA: written without translation",
			    run->raw);
	printf("  %u frames landed with the crash kernel up\n", run->crash_landed);
}

static void judge_always(struct run *run)
{
	if (!run->done)
		run_problem(run, "the guest did not come to its end%s%s",
			    *run->last_note ? ", last it told: " : "", run->last_note);
	if (run->options.crash)
		judge_crash(run);
	if (run->options.firmware_protects)
		firmware_judge(run);
	if (run->corrupted)
		run_problem(run, "%u slots corrupted", run->corrupted);
	judge_hollow(run);
	if (run->options.second_nic && run_begin_ns(run) &&
	    !strcmp(run->options.second_use, "stray"))
		judge_neighbour(run);
	/* Old frames are still there: a search that misses them proves nothing. */
	if (run->scanned && !run->found)
		run_problem(run, "the search of guest memory found not one frame");
	if (run->stray)
		run_problem(run, "%u frames in guest memory that should not be there",
			    run->stray);
	if (run->twice || run->unknown)
		run_problem(run, "%u numbers found twice, %u never sent", run->twice,
			    run->unknown);
}

static void judge_expectation(struct run *run, const struct figures *figures)
{
	const char *expect = run->options.expect;

	if (!strcmp(expect, "continuity"))
		expect_continuity(run, figures);
	else if (!strcmp(expect, "loss"))
		expect_loss(run, figures);
	else if (!strcmp(expect, "fault"))
		expect_fault(run, figures);
	else if (!strcmp(expect, "blocked"))
		expect_blocked(run, figures);
	else if (!strcmp(expect, "unmapped"))
		expect_unmapped(run, figures);
	else if (!strcmp(expect, "nothing-lost"))
		expect_no_disturbance(run, figures);
	else if (!strcmp(expect, "undisturbed"))
		expect_undisturbed(run);
	else if (!strcmp(expect, "disk"))
		expect_disk(run);
	else if (strcmp(expect, "checks"))
		run_problem(run, "unknown expectation %s", expect);
}

/* The time that is judged; the traffic as a whole where there was no kexec. */
static void judged_span(const struct run *run, int64_t *from, int64_t *until)
{
	*from = run->traffic_ns;
	*until = run->traffic_end_ns;
	if (run_had_kexec(run)) {
		*from = run_begin_ns(run);
		*until = run_judged_until(run);
	}
}

/*
 * Where the emulator did not run, a stopped card would not be seen.  A stop of its
 * own is left out of each frame's time, so only the sum tells how much was looked at.
 */
static void judge_clock(struct run *run)
{
	int64_t from, until, ran;

	judged_span(run, &from, &until);
	if (!run->traffic_ns || until <= from)
		return;
	ran = clock_history_ran(sender_clock(run->senders[0]), from, until);
	printf("  the emulator ran for %" PRId64 " of %" PRId64 " ms; a stop of the card is noticed "
	       "from %" PRId64 " ms on\n", (int64_t)(ran / NS_PER_MS),
	       (int64_t)((until - from) / NS_PER_MS),
	       (int64_t)(sender_blind_ns(run->senders[0], from, until) / NS_PER_MS));
	if (ran < (until - from) / RAN_AT_LEAST)
		run_problem(run, "not to be judged: the host is too busy, the emulator ran for %"
			    PRId64 " of %" PRId64 " ms", (int64_t)(ran / NS_PER_MS),
			    (int64_t)((until - from) / NS_PER_MS));
}

static const char *build_name(const char *build)
{
	return *build ? build : "-";
}

static bool switch_was_hitless(const struct run *run, const struct figures *figures)
{
	return run->updates[0].switched_ns && !figures->lost && !faults(run) && !run->corrupted;
}

static bool all_finished(const struct run *run)
{
	for (int i = 0; i < run->update_count; i++)
		if (!run->updates[i].finished_ns)
			return false;
	return run->update_count;
}

static void print_result(const struct run *run, const struct figures *figures)
{
	const struct options *options = &run->options;

	printf("result: scenario=%s nic=%s mode=%s preserve=%s switch=%s finish=%s sent=%u "
	       "landed=%u late=%u lost=%u corrupted=%u faults=%u warnings=%u gap_ms=%" PRId64
	       " blackout_ms=%" PRId64 " old=%s new=%s\n",
	       options->name, options->nic, options->mode,
	       strcmp(options->preserve, "yes") ? "no" : "yes",
	       switch_was_hitless(run, figures) ? "hitless" : "none",
	       all_finished(run) ? "yes" : "no", figures->sent, figures->landed,
	       figures->late, figures->lost, run->corrupted, faults(run), run->warnings,
	       (int64_t)(figures->gap_ns / NS_PER_MS),
	       (int64_t)(figures->blackout_ns / NS_PER_MS),
	       build_name(run->old_build), build_name(run->new_build));
}

static void print_chain(const struct run *run, const struct figures *figures)
{
	int finished = 0;

	for (int i = 0; i < run->update_count; i++)
		finished += !!run->updates[i].finished_ns;
	printf("chain: updates=%d lost=%u faults=%u warnings=%u pages_leaked=%lu\n", finished,
	       figures->lost, faults(run), run->warnings, run->pages_leaked);
}

static bool has_problem_with(const struct run *run, const char *word)
{
	for (int i = 0; i < run->problem_count; i++)
		if (contains(run->problems[i], word))
			return true;
	printf("  the judge found no problem with '%s'\n", word);
	return false;
}

/* All that was asked for, and what comes with it and was named: nothing else. */
static bool verdict(const struct run *run)
{
	const struct options *options = &run->options;
	bool passed = true;

	for (int i = 0; i < options->must_find_count; i++)
		passed = has_problem_with(run, options->must_find[i]) && passed;
	for (int i = 0; i < run->problem_count; i++) {
		const char *problem = run->problems[i];

		if (is_named(options, problem))
			continue;
		if (options->must_find_count)
			printf("  not what was to be found: %s\n", problem);
		passed = false;
	}
	return passed;
}

/* What the other processors' kernel says of one that does not answer. */
static bool tells_of_waiting(const char *problem)
{
	return !strncmp(problem, "log: ", 5) &&
	       (strstr(problem, "rcu: INFO:") || strstr(problem, "INFO: task"));
}

/*
 * What has been seen so far, and what the trace has; not what is missing, which would
 * have come later.
 */
bool judge_saw_harm(const struct run *run)
{
	unsigned int waiting = 0;

	for (int i = 0; i < run->problem_count; i++) {
		if (!strncmp(run->problems[i], "trace: ", 7))
			return true;
		waiting += tells_of_waiting(run->problems[i]);
	}
	return run->warnings > waiting || run->checks_failed || run->gave_up || faults(run) ||
	       run->corrupted || run->stray || run->raw || run->twice || run->unknown;
}

bool judge(struct run *run)
{
	struct figures figures;

	compute(run, &figures);
	judge_clock(run);
	judge_always(run);
	judge_expectation(run, &figures);
	write_frames(run);
	write_phases(run);
	for (int i = 0; i < run->problem_count; i++)
		printf("  %s\n", run->problems[i]);
	if (run_had_kexec(run) && figures.sent)
		printf("  %u of %u frames sent in the blackout landed\n",
		       figures.blackout.landed, figures.blackout.sent);
	if (run->scanned)
		printf("  %u frames found in all of guest memory, %u of them stray\n", run->found,
		       run->stray);
	if (run->options.interrupt_buffers)
		printf("  %u frames received as interrupts, %u vectors raised\n", run->diverted,
		       run->raised);
	if (run->options.cold)
		printf("  %u frames landed in pages first used after the kexec, "
		       "%u after the switch\n", run->cold, run->cold_switched);
	print_result(run, &figures);
	if (run->options.updates > 1 && figures.sent)
		print_chain(run, &figures);
	return verdict(run);
}
