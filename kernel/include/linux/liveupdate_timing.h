/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 *
 * How long the phases of a live update take. Described in
 * kernel/liveupdate/luo_timing.c.
 */
#ifndef _LINUX_LIVEUPDATE_TIMING_H
#define _LINUX_LIVEUPDATE_TIMING_H

/**
 * enum liveupdate_phase - A phase of a live update
 * @LIVEUPDATE_PHASE_FREEZE: Old kernel: files are frozen, the kexec can be refused
 * @LIVEUPDATE_PHASE_SHUTDOWN: Devices are shut down
 * @LIVEUPDATE_PHASE_HANDOVER: IOMMU units are handed over
 * @LIVEUPDATE_PHASE_RESERVE: New kernel: preserved memory is reserved
 * @LIVEUPDATE_PHASE_RECORDS: The records of the IOMMUs are checked and copied
 * @LIVEUPDATE_PHASE_IOMMU: From the first unit that came in to the last device that
 *	is on what it came in on
 * @LIVEUPDATE_PHASE_PCI: From the first function that came in to the last whose BARs
 *	are claimed
 * @LIVEUPDATE_PHASE_USERSPACE: From the start of the kernel to the first process
 * @LIVEUPDATE_PHASE_RETRIEVE: From the first file that was retrieved to the last
 * @LIVEUPDATE_PHASE_ATTACH: From the first device that has left what it came in on to
 *	the last
 * @LIVEUPDATE_PHASE_FINISH: From the first session that was finished to the last
 * @LIVEUPDATE_NR_PHASES: Number of phases
 */
enum liveupdate_phase {
	LIVEUPDATE_PHASE_FREEZE,
	LIVEUPDATE_PHASE_SHUTDOWN,
	LIVEUPDATE_PHASE_HANDOVER,
	LIVEUPDATE_PHASE_RESERVE,
	LIVEUPDATE_PHASE_RECORDS,
	LIVEUPDATE_PHASE_IOMMU,
	LIVEUPDATE_PHASE_PCI,
	LIVEUPDATE_PHASE_USERSPACE,
	LIVEUPDATE_PHASE_RETRIEVE,
	LIVEUPDATE_PHASE_ATTACH,
	LIVEUPDATE_PHASE_FINISH,
	LIVEUPDATE_NR_PHASES
};

#ifdef CONFIG_LIVEUPDATE
void liveupdate_phase_begin(enum liveupdate_phase phase);
void liveupdate_phase_end(enum liveupdate_phase phase);
#else
static inline void liveupdate_phase_begin(enum liveupdate_phase phase)
{
}

static inline void liveupdate_phase_end(enum liveupdate_phase phase)
{
}
#endif

#endif /* _LINUX_LIVEUPDATE_TIMING_H */
