/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 *
 * The parts of luo_timing.c that need no live update, for its tests.
 */
#ifndef _LINUX_LUO_TIMING_H
#define _LINUX_LUO_TIMING_H

#include <linux/types.h>

struct luo_timing_ser;

/**
 * struct luo_counter - A counter, read together with two clocks
 * @clock: Which one, LUO_TIMING_CLOCK_*
 * @cycles: What it counted
 * @raw_ns: The monotonic raw time
 * @local_ns: The local clock, that of the log's time stamps
 */
struct luo_counter {
	u32 clock;
	u64 cycles;
	u64 raw_ns;
	u64 local_ns;
};

u32 luo_timing_crc(const struct luo_timing_ser *ser);
const char *luo_timing_check(const struct luo_timing_ser *ser, size_t length);
u64 luo_counter_hz(const struct luo_counter *first,
		   const struct luo_counter *last);
s64 luo_timing_jump(const struct luo_timing_ser *ser,
		    const struct luo_counter *first,
		    const struct luo_counter *last);

#endif /* _LINUX_LUO_TIMING_H */
