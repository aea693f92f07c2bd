/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 *
 * Test hooks: what VT-d leaves out, or does too much, on demand. For the list
 * see liveupdate-test.c.
 */
#ifndef __INTEL_IOMMU_LIVEUPDATE_TEST_H
#define __INTEL_IOMMU_LIVEUPDATE_TEST_H

struct intel_iommu;

#ifdef CONFIG_IOMMU_LIVEUPDATE_TEST

extern bool intel_liveupdate_test_no_scrub;
extern bool intel_liveupdate_test_no_flush;
extern bool intel_liveupdate_test_no_flag;
extern bool intel_liveupdate_test_no_keep;
extern bool intel_liveupdate_test_no_mask;
extern bool intel_liveupdate_test_no_reserve;
extern bool intel_liveupdate_test_no_block;
extern bool intel_liveupdate_test_ir_off;
extern bool intel_liveupdate_test_freeze_fails;
extern bool intel_liveupdate_test_probe_fails;
extern bool intel_liveupdate_test_replace_gap;
extern bool intel_liveupdate_test_no_replace_sync;
extern bool intel_liveupdate_test_no_replace_flush;
extern bool intel_liveupdate_test_no_replace_id;

bool intel_liveupdate_test_warn(const char *name);
void intel_liveupdate_test_handover(struct intel_iommu *iommu);
void intel_liveupdate_test_linger(void);
void intel_liveupdate_test_adopted(struct intel_iommu *iommu);

#define intel_liveupdate_test(name)				\
	(READ_ONCE(intel_liveupdate_test_##name) &&		\
	 intel_liveupdate_test_warn(#name))

#else

#define intel_liveupdate_test(name)	((void)#name, false)

static inline void intel_liveupdate_test_handover(struct intel_iommu *iommu)
{
}

static inline void intel_liveupdate_test_linger(void)
{
}

static inline void intel_liveupdate_test_adopted(struct intel_iommu *iommu)
{
}

#endif /* CONFIG_IOMMU_LIVEUPDATE_TEST */
#endif /* __INTEL_IOMMU_LIVEUPDATE_TEST_H */
