/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM liveupdate

#if !defined(_TRACE_LIVEUPDATE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_LIVEUPDATE_H

#include <linux/tracepoint.h>

/* In the words and numbers of /sys/kernel/debug/liveupdate/timing */
TRACE_EVENT(liveupdate_phase,

	TP_PROTO(bool old, const char *phase, u64 start_us, u64 duration_us),

	TP_ARGS(old, phase, start_us, duration_us),

	TP_STRUCT__entry(
		__field(bool, old)
		__string(phase, phase)
		__field(u64, start_us)
		__field(u64, duration_us)
	),

	TP_fast_assign(
		__entry->old = old;
		__assign_str(phase);
		__entry->start_us = start_us;
		__entry->duration_us = duration_us;
	),

	TP_printk("%s %s %llu %llu", __entry->old ? "old" : "new",
		  __get_str(phase), __entry->start_us, __entry->duration_us)
);

#endif /* _TRACE_LIVEUPDATE_H */

/* This part must be outside protection */
#include <trace/define_trace.h>
