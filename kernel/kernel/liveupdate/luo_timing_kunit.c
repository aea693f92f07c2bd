// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 *
 * KUnit tests of luo_timing.c: which records of the previous kernel are refused, and
 * when two clocks can be related.
 */
#include <kunit/test.h>
#include <linux/bits.h>
#include <linux/kho/abi/luo_timing.h>
#include <linux/string.h>
#include <linux/time64.h>

#include "luo_timing.h"

#define HZ_OLD	(2ULL * NSEC_PER_SEC)

static void fill(struct luo_timing_ser *ser)
{
	memset(ser, 0, sizeof(*ser));
	strscpy_pad(ser->compatible, LUO_TIMING_COMPATIBLE);
	ser->length = sizeof(*ser);
	ser->done = BIT(LUO_TIMING_FREEZE) | BIT(LUO_TIMING_SHUTDOWN) |
		    BIT(LUO_TIMING_HANDOVER);
	ser->clock = LUO_TIMING_CLOCK_TSC;
	ser->clock_hz = HZ_OLD;
	ser->clock_cycles = 5 * HZ_OLD;
	ser->phases[LUO_TIMING_FREEZE].duration_ns = NSEC_PER_MSEC;
	ser->phases[LUO_TIMING_SHUTDOWN].start_ns = 2 * NSEC_PER_MSEC;
	ser->crc = luo_timing_crc(ser);
}

static void intact_record(struct kunit *test)
{
	struct luo_timing_ser ser;

	fill(&ser);
	KUNIT_EXPECT_NULL(test, luo_timing_check(&ser, sizeof(ser)));

	/* No kexec so far, no counter: both are no damage */
	ser.done = 0;
	ser.clock = LUO_TIMING_CLOCK_NONE;
	ser.clock_hz = 0;
	ser.clock_cycles = 0;
	ser.crc = luo_timing_crc(&ser);
	KUNIT_EXPECT_NULL(test, luo_timing_check(&ser, sizeof(ser)));
}

static void every_damaged_byte(struct kunit *test)
{
	struct luo_timing_ser ser;
	u8 *bytes = (u8 *)&ser;

	for (size_t i = 0; i < sizeof(ser); i++) {
		fill(&ser);
		bytes[i] ^= 0x40;
		KUNIT_EXPECT_NOT_NULL_MSG(test,
					  luo_timing_check(&ser, sizeof(ser)),
					  "byte %zu", i);
	}
}

static void wrong_length(struct kunit *test)
{
	struct luo_timing_ser ser;

	fill(&ser);
	KUNIT_EXPECT_NOT_NULL(test, luo_timing_check(&ser, sizeof(ser) - 1));
	KUNIT_EXPECT_NOT_NULL(test, luo_timing_check(&ser, sizeof(ser) + 8));
}

#define expect_refused(test, field, value)				\
do {									\
	struct luo_timing_ser ser;					\
									\
	fill(&ser);							\
	ser.field = value;						\
	ser.crc = luo_timing_crc(&ser);					\
	KUNIT_EXPECT_NOT_NULL_MSG(test,					\
				  luo_timing_check(&ser, sizeof(ser)),	\
				  #field);				\
} while (0)

/* Of a kernel that was wrong, or wanted to harm: the checksum is right */
static void impossible_values(struct kunit *test)
{
	expect_refused(test, length, sizeof(struct luo_timing_ser) - 8);
	expect_refused(test, done, BIT(LUO_TIMING_NR_PHASES));
	expect_refused(test, done, BIT(LUO_TIMING_HANDOVER));
	expect_refused(test, clock, LUO_TIMING_NR_CLOCKS);
	expect_refused(test, clock, LUO_TIMING_CLOCK_NONE);
	expect_refused(test, clock_hz, 0);
	expect_refused(test, clock_hz, U64_MAX);
	expect_refused(test, phases[LUO_TIMING_HANDOVER].start_ns, U64_MAX);
	expect_refused(test, phases[LUO_TIMING_FREEZE].duration_ns, U64_MAX);
}

/* A kernel that starts 3 s after the record was written, and reads 1 s later */
static void read_counter(struct luo_counter *first, struct luo_counter *last,
			 u64 hz)
{
	*first = (struct luo_counter) {
		.clock = LUO_TIMING_CLOCK_TSC,
		.cycles = 5 * HZ_OLD + 3 * hz,
	};
	*last = (struct luo_counter) {
		.clock = LUO_TIMING_CLOCK_TSC,
		.cycles = 5 * HZ_OLD + 4 * hz,
		.raw_ns = NSEC_PER_SEC,
		.local_ns = NSEC_PER_SEC,
	};
}

static void jump_known(struct kunit *test)
{
	struct luo_counter first, last;
	struct luo_timing_ser ser;

	fill(&ser);
	read_counter(&first, &last, HZ_OLD);
	KUNIT_EXPECT_EQ(test, luo_counter_hz(&first, &last), HZ_OLD);
	KUNIT_EXPECT_EQ(test, luo_timing_jump(&ser, &first, &last),
			3LL * NSEC_PER_SEC);

	/* Measured a bit differently, which is nothing */
	read_counter(&first, &last, HZ_OLD + HZ_OLD / 1000);
	KUNIT_EXPECT_GT(test, luo_timing_jump(&ser, &first, &last),
			3LL * NSEC_PER_SEC);
}

static void jump_unknown(struct kunit *test)
{
	struct luo_counter first, last;
	struct luo_timing_ser ser;

	fill(&ser);
	read_counter(&first, &last, HZ_OLD * 2);
	KUNIT_EXPECT_EQ_MSG(test, luo_timing_jump(&ser, &first, &last), -1,
			    "other frequency");

	read_counter(&first, &last, HZ_OLD);
	last.clock = LUO_TIMING_CLOCK_KVM;
	KUNIT_EXPECT_EQ_MSG(test, luo_timing_jump(&ser, &first, &last), -1,
			    "the counter was changed meanwhile");
	first.clock = LUO_TIMING_CLOCK_KVM;
	KUNIT_EXPECT_EQ_MSG(test, luo_timing_jump(&ser, &first, &last), -1,
			    "other counter");
	first.clock = LUO_TIMING_CLOCK_NONE;
	last.clock = LUO_TIMING_CLOCK_NONE;
	ser.clock = LUO_TIMING_CLOCK_NONE;
	KUNIT_EXPECT_EQ_MSG(test, luo_timing_jump(&ser, &first, &last), -1,
			    "no counter");

	fill(&ser);
	read_counter(&first, &last, HZ_OLD);
	ser.clock_cycles = last.cycles + 1;
	KUNIT_EXPECT_EQ_MSG(test, luo_timing_jump(&ser, &first, &last), -1,
			    "the counter was reset");
	ser.clock_cycles = last.cycles - 1;
	KUNIT_EXPECT_EQ_MSG(test, luo_timing_jump(&ser, &first, &last), -1,
			    "this kernel started before");
}

static struct kunit_case luo_timing_cases[] = {
	KUNIT_CASE(intact_record),
	KUNIT_CASE(every_damaged_byte),
	KUNIT_CASE(wrong_length),
	KUNIT_CASE(impossible_values),
	KUNIT_CASE(jump_known),
	KUNIT_CASE(jump_unknown),
	{}
};

static struct kunit_suite luo_timing_suite = {
	.name = "liveupdate-timing",
	.test_cases = luo_timing_cases,
};

kunit_test_suite(luo_timing_suite);

MODULE_DESCRIPTION("KUnit tests of the timing of a live update");
MODULE_LICENSE("GPL");
