// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */

/**
 * DOC: Timing of a Live Update
 *
 * What a live update costs is known to the guests that stand still meanwhile, but
 * not where the time goes. So both kernels measure their phases, see &enum
 * liveupdate_phase, and the new one shows them all:
 *
 * 1. At boot a kernel makes a record, &struct luo_timing_ser, for the next one, and
 *    reads a counter that goes on across a kexec, if there is one.
 *
 * 2. Old kernel: after each phase the record is complete, with the times since the
 *    kexec call so far, and the counter. Nobody needs to know which is the last.
 *
 * 3. New kernel: the record is checked and copied. Its own times are those of the
 *    local clock, like those of the log, as some phases come before there is any
 *    other clock. Where even this one starts later, or ticks only with the timer
 *    at first, as long as the frequency of a TSC has to be measured, memory is
 *    reserved at 0 and in no time, and the jump is longer by what it took.
 *
 * 4. Before the first process is started the counter is read again. Together with
 *    the record this tells how long it was from the last phase of the old kernel
 *    to the start of the new one: the jump. This needs the same counter with the
 *    same frequency. It is not read later, because what its frequency is off by
 *    would add up. The time of day is not used: somebody may set it.
 *
 * A phase of which there are several, as each file is retrieved by a call of its
 * own, is taken from the first that went well to the last. If the first two are under
 * way at the same time, it begins with the second. What comes again after the boot, as
 * when a device is removed and found again, does not count.
 *
 * Locking: none. The old kernel is in the kexec call, which there is one of. In the
 * new one two that end the same phase at the same time both end it now.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bits.h>
#include <linux/clocksource_ids.h>
#include <linux/crc32.h>
#include <linux/debugfs.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/init.h>
#include <linux/io.h>
#include <linux/irqflags.h>
#include <linux/kernel.h>
#include <linux/kexec_handover.h>
#include <linux/kho/abi/luo_timing.h>
#include <linux/liveupdate.h>
#include <linux/liveupdate_timing.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/printk.h>
#include <linux/sched/clock.h>
#include <linux/seq_file.h>
#include <linux/string.h>
#include <linux/time64.h>
#include <linux/timekeeping.h>

#include "luo_timing.h"

#define CREATE_TRACE_POINTS
#include <trace/events/liveupdate.h>

static_assert(LIVEUPDATE_PHASE_FREEZE == LUO_TIMING_FREEZE);
static_assert(LIVEUPDATE_PHASE_SHUTDOWN == LUO_TIMING_SHUTDOWN);
static_assert(LIVEUPDATE_PHASE_HANDOVER == LUO_TIMING_HANDOVER);
static_assert(LIVEUPDATE_PHASE_RESERVE == LUO_TIMING_NR_PHASES);

LIVEUPDATE_NOTE(LUO_TIMING_COMPATIBLE);

/* More than a live update takes, less than what overflows when it is added up */
#define LUO_TIMING_MAX_NS	(24ULL * 3600 * NSEC_PER_SEC)

/* No counter is slower or faster */
#define LUO_TIMING_MIN_HZ	1000ULL
#define LUO_TIMING_MAX_HZ	(1000ULL * NSEC_PER_SEC)

/* By the local clock. 0: has not begun, is not over. */
struct luo_phase {
	u64 start;
	u64 end;
};

/**
 * struct luo_timing - What is known of the last live update and the next one
 * @phases: As measured by this kernel
 * @out: The record for the next kernel, NULL without live update
 * @in: The record of the previous kernel
 * @came_in: Whether @in is to be used
 * @first: The counter when @out was made
 * @last: The counter when user space was started
 */
struct luo_timing {
	struct luo_phase phases[LIVEUPDATE_NR_PHASES];
	struct luo_timing_ser *out;
	struct luo_timing_ser in;
	bool came_in;
	struct luo_counter first;
	struct luo_counter last;
};

static struct luo_timing luo_timing;

static const char * const luo_phase_names[] = {
	[LIVEUPDATE_PHASE_FREEZE] = "freeze",
	[LIVEUPDATE_PHASE_SHUTDOWN] = "shutdown",
	[LIVEUPDATE_PHASE_HANDOVER] = "handover",
	[LIVEUPDATE_PHASE_RESERVE] = "reserve",
	[LIVEUPDATE_PHASE_RECORDS] = "records",
	[LIVEUPDATE_PHASE_IOMMU] = "iommu",
	[LIVEUPDATE_PHASE_PCI] = "pci",
	[LIVEUPDATE_PHASE_USERSPACE] = "userspace",
	[LIVEUPDATE_PHASE_RETRIEVE] = "retrieve",
	[LIVEUPDATE_PHASE_ATTACH] = "attach",
	[LIVEUPDATE_PHASE_FINISH] = "finish",
};

static_assert(ARRAY_SIZE(luo_phase_names) == LIVEUPDATE_NR_PHASES);

/* The counter */

/* The kernel's own numbers may be others in the next one */
static u32 luo_counter_clock(enum clocksource_ids id)
{
	switch (id) {
	/* The same counter, before its frequency is known for good */
	case CSID_X86_TSC_EARLY:
	case CSID_X86_TSC:
		return LUO_TIMING_CLOCK_TSC;
	case CSID_X86_KVM_CLK:
		return LUO_TIMING_CLOCK_KVM;
	case CSID_ARM_ARCH_COUNTER:
		return LUO_TIMING_CLOCK_ARM_ARCH;
	case CSID_S390_TOD:
		return LUO_TIMING_CLOCK_S390_TOD;
	default:
		return LUO_TIMING_CLOCK_NONE;
	}
}

static void luo_counter_read(struct luo_counter *counter)
{
	struct system_time_snapshot snapshot;
	unsigned long flags;

	local_irq_save(flags);
	ktime_get_snapshot_id(CLOCK_MONOTONIC_RAW, &snapshot);
	counter->local_ns = local_clock();
	local_irq_restore(flags);

	counter->clock = LUO_TIMING_CLOCK_NONE;
	if (!snapshot.valid)
		return;
	counter->clock = luo_counter_clock(snapshot.cs_id);
	counter->cycles = snapshot.cycles;
	counter->raw_ns = ktime_to_ns(snapshot.monoraw);
}

/**
 * luo_counter_hz - The frequency of a counter
 * @first: The counter
 * @last: The same, later
 *
 * Return: The frequency, 0 if it is not known.
 */
u64 luo_counter_hz(const struct luo_counter *first,
		   const struct luo_counter *last)
{
	if (!last->clock || last->clock != first->clock ||
	    last->cycles <= first->cycles || last->raw_ns <= first->raw_ns)
		return 0;
	return mul_u64_u64_div_u64(last->cycles - first->cycles, NSEC_PER_SEC,
				   last->raw_ns - first->raw_ns);
}

/* The record */

/**
 * luo_timing_crc - Checksum over a record
 * @ser: The record
 *
 * Return: What belongs into @ser->crc.
 */
u32 luo_timing_crc(const struct luo_timing_ser *ser)
{
	struct luo_timing_ser copy = *ser;

	copy.crc = 0;
	return crc32_le(~0u, (const void *)&copy, sizeof(copy));
}

static bool luo_timing_clock_ok(const struct luo_timing_ser *ser)
{
	if (ser->clock == LUO_TIMING_CLOCK_NONE)
		return !ser->clock_hz && !ser->clock_cycles;
	return ser->clock < LUO_TIMING_NR_CLOCKS &&
	       ser->clock_hz >= LUO_TIMING_MIN_HZ &&
	       ser->clock_hz <= LUO_TIMING_MAX_HZ;
}

/**
 * luo_timing_check - Can this record be used?
 * @ser: The record
 * @length: How many bytes of it there are
 *
 * Return: NULL if so, or why not.
 */
const char *luo_timing_check(const struct luo_timing_ser *ser, size_t length)
{
	if (length != sizeof(*ser))
		return "wrong length";
	if (strncmp(ser->compatible, LUO_TIMING_COMPATIBLE,
		    sizeof(ser->compatible)))
		return "other version";
	if (ser->length != sizeof(*ser))
		return "wrong length inside";
	if (ser->crc != luo_timing_crc(ser))
		return "wrong checksum";
	if (ser->done >= BIT(LUO_TIMING_NR_PHASES) ||
	    (ser->done && !(ser->done & BIT(LUO_TIMING_FREEZE))))
		return "impossible phases";
	if (!luo_timing_clock_ok(ser))
		return "impossible clock";
	for (int i = 0; i < LUO_TIMING_NR_PHASES; i++)
		if (ser->phases[i].start_ns > LUO_TIMING_MAX_NS ||
		    ser->phases[i].duration_ns > LUO_TIMING_MAX_NS)
			return "impossible time";
	return NULL;
}

/**
 * luo_timing_jump - How long did the jump take?
 * @ser: The record of the previous kernel, checked
 * @first: A counter of this kernel
 * @last: The same, later
 *
 * Return: The time between the last phase of the previous kernel and the start of
 * this one in ns, or -1 if that cannot be known.
 */
s64 luo_timing_jump(const struct luo_timing_ser *ser,
		    const struct luo_counter *first,
		    const struct luo_counter *last)
{
	u64 hz = luo_counter_hz(first, last);
	u64 ns;

	if (!hz || ser->clock != last->clock ||
	    last->cycles < ser->clock_cycles)
		return -1;
	/* Two kernels never measure exactly the same */
	if (abs_diff(hz, ser->clock_hz) > ser->clock_hz / 100)
		return -1;

	ns = mul_u64_u64_div_u64(last->cycles - ser->clock_cycles, NSEC_PER_SEC,
				 ser->clock_hz);
	if (ns < last->local_ns || ns - last->local_ns > LUO_TIMING_MAX_NS)
		return -1;
	return ns - last->local_ns;
}

/* Both kernels: phases */

static bool luo_phase_is_old(enum liveupdate_phase phase)
{
	return phase < LIVEUPDATE_PHASE_RESERVE;
}

static bool luo_phase_counts(enum liveupdate_phase phase)
{
	if (luo_phase_is_old(phase))
		return luo_timing.out;
	if (!kho_files_came_in())
		return false;
	return phase > LIVEUPDATE_PHASE_USERSPACE ||
	       !READ_ONCE(luo_timing.phases[LIVEUPDATE_PHASE_USERSPACE].end);
}

static u64 luo_phase_duration(const struct luo_phase *phase)
{
	u64 start = READ_ONCE(phase->start);
	u64 end = READ_ONCE(phase->end);

	/* The local clock of another CPU may be somewhat behind */
	return end > start ? end - start : 0;
}

static void luo_phase_trace(enum liveupdate_phase phase, u64 start, u64 duration)
{
	trace_liveupdate_phase(luo_phase_is_old(phase), luo_phase_names[phase],
			       start / NSEC_PER_USEC, duration / NSEC_PER_USEC);
}

/* Old kernel: one more phase is over */
static void luo_timing_write(enum liveupdate_phase phase)
{
	u64 origin = luo_timing.phases[LIVEUPDATE_PHASE_FREEZE].start;
	const struct luo_phase *measured = &luo_timing.phases[phase];
	struct luo_timing_ser *ser = luo_timing.out;
	struct luo_counter now;

	if (phase == LIVEUPDATE_PHASE_FREEZE)
		ser->done = 0;
	ser->done |= BIT(phase);
	ser->phases[phase].start_ns = measured->start > origin ?
				      measured->start - origin : 0;
	ser->phases[phase].duration_ns = luo_phase_duration(measured);

	luo_counter_read(&now);
	ser->clock_hz = luo_counter_hz(&luo_timing.first, &now);
	ser->clock = ser->clock_hz ? now.clock : LUO_TIMING_CLOCK_NONE;
	ser->clock_cycles = ser->clock_hz ? now.cycles : 0;
	ser->crc = luo_timing_crc(ser);

	luo_phase_trace(phase, ser->phases[phase].start_ns,
			ser->phases[phase].duration_ns);
}

/**
 * liveupdate_phase_begin - A phase begins, or another part of it
 * @phase: The phase
 *
 * What does not come to an end may begin again.
 *
 * Context: Any but NMI.
 */
void liveupdate_phase_begin(enum liveupdate_phase phase)
{
	struct luo_phase *measured = &luo_timing.phases[phase];

	if (!luo_phase_counts(phase))
		return;
	if (luo_phase_is_old(phase))
		measured->end = 0;
	if (!READ_ONCE(measured->end))
		WRITE_ONCE(measured->start, max(local_clock(), 1ULL));
}
EXPORT_SYMBOL_GPL(liveupdate_phase_begin);

/**
 * liveupdate_phase_end - A phase is over, or a part of it
 * @phase: The phase
 *
 * LIVEUPDATE_PHASE_USERSPACE has begun with the kernel.
 *
 * Context: Any but NMI.
 */
void liveupdate_phase_end(enum liveupdate_phase phase)
{
	struct luo_phase *measured = &luo_timing.phases[phase];

	if (!luo_phase_counts(phase))
		return;
	if (!READ_ONCE(measured->start) && phase != LIVEUPDATE_PHASE_USERSPACE)
		return;
	WRITE_ONCE(measured->end, max(local_clock(), 1ULL));

	if (luo_phase_is_old(phase)) {
		luo_timing_write(phase);
		return;
	}
	if (phase == LIVEUPDATE_PHASE_USERSPACE)
		luo_counter_read(&luo_timing.last);
	luo_phase_trace(phase, READ_ONCE(measured->start),
			luo_phase_duration(measured));
}
EXPORT_SYMBOL_GPL(liveupdate_phase_end);

/* New kernel: the record of the previous one */

static const char *__init luo_timing_take(phys_addr_t phys, size_t length)
{
	struct luo_timing_ser *ser;
	const char *reason;

	if (length > PAGE_SIZE || !kho_is_preserved(phys, 0))
		return "not in preserved memory";

	ser = phys_to_virt(phys);
	reason = luo_timing_check(ser, length);
	if (!reason)
		luo_timing.in = *ser;
	kho_restore_free(ser);
	return reason;
}

/* They could not be traced before: there was no record, or no tracing */
static void __init luo_timing_trace_early(void)
{
	const struct luo_phase *reserve =
		&luo_timing.phases[LIVEUPDATE_PHASE_RESERVE];

	for (int i = 0; i < LUO_TIMING_NR_PHASES; i++)
		if (luo_timing.in.done & BIT(i))
			luo_phase_trace(i, luo_timing.in.phases[i].start_ns,
					luo_timing.in.phases[i].duration_ns);
	if (reserve->end)
		luo_phase_trace(LIVEUPDATE_PHASE_RESERVE, reserve->start,
				luo_phase_duration(reserve));
}

static int __init luo_timing_read(void)
{
	const char *reason;
	phys_addr_t phys;
	size_t length;

	if (kho_retrieve_subtree(LUO_TIMING_KHO_ENTRY_NAME, &phys, &length))
		return 0;

	reason = luo_timing_take(phys, length);
	if (reason) {
		pr_warn("times of the previous kernel are not known: %s\n",
			reason);
		return 0;
	}

	luo_timing.came_in = luo_timing.in.done && kho_files_came_in();
	if (luo_timing.came_in)
		luo_timing_trace_early();
	return 0;
}
core_initcall(luo_timing_read);

/* New kernel: what is shown */

static void luo_timing_show_line(struct seq_file *s, enum liveupdate_phase phase,
				 u64 start, u64 duration)
{
	seq_printf(s, "%s %s %llu %llu\n",
		   luo_phase_is_old(phase) ? "old" : "new",
		   luo_phase_names[phase], start / NSEC_PER_USEC,
		   duration / NSEC_PER_USEC);
}

static void luo_timing_show_jump(struct seq_file *s)
{
	s64 jump = luo_timing_jump(&luo_timing.in, &luo_timing.first,
				   &luo_timing.last);

	if (jump < 0)
		seq_puts(s, "new jump - -\n");
	else
		seq_printf(s, "new jump - %llu\n", (u64)jump / NSEC_PER_USEC);
}

static int luo_timing_show(struct seq_file *s, void *unused)
{
	if (!luo_timing.came_in)
		return 0;

	for (int i = 0; i < LUO_TIMING_NR_PHASES; i++)
		if (luo_timing.in.done & BIT(i))
			luo_timing_show_line(s, i,
					     luo_timing.in.phases[i].start_ns,
					     luo_timing.in.phases[i].duration_ns);
	luo_timing_show_jump(s);
	for (int i = LIVEUPDATE_PHASE_RESERVE; i < LIVEUPDATE_NR_PHASES; i++) {
		const struct luo_phase *phase = &luo_timing.phases[i];

		if (READ_ONCE(phase->end))
			luo_timing_show_line(s, i, READ_ONCE(phase->start),
					     luo_phase_duration(phase));
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(luo_timing);

/*
 * Nothing depends on it: without memory for it, or without debugfs, it is not there. As
 * nobody can write it, it can be read in a kernel that is locked down as well.
 */
static void __init luo_timing_make_file(void)
{
	debugfs_create_file("timing", 0444,
			    debugfs_create_dir("liveupdate", NULL), NULL,
			    &luo_timing_fops);
}

/* Old kernel: the record for the next one. Both do without if need be. */

static int __init luo_timing_make_record(void)
{
	struct luo_timing_ser *ser;
	int err;

	ser = kho_alloc_preserve(sizeof(*ser));
	if (IS_ERR(ser))
		return PTR_ERR(ser);

	strscpy_pad(ser->compatible, LUO_TIMING_COMPATIBLE);
	ser->length = sizeof(*ser);
	ser->crc = luo_timing_crc(ser);

	err = kho_add_subtree(LUO_TIMING_KHO_ENTRY_NAME, ser, sizeof(*ser));
	if (err) {
		kho_unpreserve_free(ser);
		return err;
	}
	luo_timing.out = ser;
	return 0;
}

static int __init luo_timing_init(void)
{
	int err;

	if (!liveupdate_enabled())
		return 0;

	luo_counter_read(&luo_timing.first);
	luo_timing_make_file();
	err = luo_timing_make_record();
	if (err)
		pr_warn("the next kernel will not know the times of this one: %pe\n",
			ERR_PTR(err));
	return 0;
}
late_initcall(luo_timing_init);
