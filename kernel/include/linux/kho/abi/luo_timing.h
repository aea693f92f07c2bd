/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */

/**
 * DOC: Live Update Timing ABI
 *
 * What one kernel tells the next one about the time that it spent on a live
 * update, and how their clocks are related. It is for operators: a kernel that
 * cannot read it goes on without.
 *
 * The record is registered under a KHO entry of its own, so that its layout can
 * change without that of LUO's state. Every field has a fixed width and a natural
 * alignment, numbers are little endian. A change of layout or meaning needs a new
 * LUO_TIMING_COMPATIBLE.
 */

#ifndef _LINUX_KHO_ABI_LUO_TIMING_H
#define _LINUX_KHO_ABI_LUO_TIMING_H

#include <linux/bits.h>
#include <linux/build_bug.h>
#include <linux/stddef.h>
#include <linux/types.h>

#define LUO_TIMING_KHO_ENTRY_NAME	"LUO-timing"
#define LUO_TIMING_COMPATIBLE		"luo-timing-v1"
#define LUO_TIMING_COMPAT_LEN		16

/* struct luo_timing_ser.clock: a counter that goes on across a kexec */
#define LUO_TIMING_CLOCK_NONE		0	/* what follows is 0 */
#define LUO_TIMING_CLOCK_TSC		1
#define LUO_TIMING_CLOCK_KVM		2
#define LUO_TIMING_CLOCK_ARM_ARCH	3
#define LUO_TIMING_CLOCK_S390_TOD	4
#define LUO_TIMING_NR_CLOCKS		5

/* Index of struct luo_timing_ser.phases, and bit of struct luo_timing_ser.done */
#define LUO_TIMING_FREEZE		0
#define LUO_TIMING_SHUTDOWN		1
#define LUO_TIMING_HANDOVER		2
#define LUO_TIMING_NR_PHASES		3

/**
 * struct luo_timing_phase_ser - One phase
 * @start_ns: When it began, in ns since the freeze began
 * @duration_ns: How long it took
 */
struct luo_timing_phase_ser {
	u64 start_ns;
	u64 duration_ns;
};

/**
 * struct luo_timing_ser - The phases of the old kernel
 * @compatible: LUO_TIMING_COMPATIBLE, filled up with 0
 * @length: Bytes of this struct
 * @crc: CRC-32 (little endian, seed ~0) over this struct with @crc taken as 0
 * @done: Bit for each phase that is over. 0 if there was no kexec so far.
 * @clock: LUO_TIMING_CLOCK_*
 * @clock_hz: Its frequency
 * @clock_cycles: What it counted when the last phase was over
 * @phases: The phases that are over
 *
 * Complete after each phase.
 */
struct luo_timing_ser {
	char compatible[LUO_TIMING_COMPAT_LEN];
	u32 length;
	u32 crc;
	u32 done;
	u32 clock;
	u64 clock_hz;
	u64 clock_cycles;
	struct luo_timing_phase_ser phases[LUO_TIMING_NR_PHASES];
};

static_assert(sizeof(LUO_TIMING_COMPATIBLE) <= LUO_TIMING_COMPAT_LEN);
static_assert(sizeof(struct luo_timing_ser) == 96);
static_assert(offsetof(struct luo_timing_ser, crc) == 20);
static_assert(offsetof(struct luo_timing_ser, clock_hz) == 32);
static_assert(offsetof(struct luo_timing_ser, phases) == 48);

#endif /* _LINUX_KHO_ABI_LUO_TIMING_H */
