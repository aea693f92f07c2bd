// SPDX-License-Identifier: GPL-2.0
/* Fuzzer of drivers/iommu/iommufd/liveupdate-check.c */
#include "fuzz.h"
#include "record.h"

#define MOST_HWPTS	12
#define MOST_ORDER	2

/* Another number, with the length that goes with it, and perhaps too long for its memory */
static void edit_number(struct iommufd_ser *ser, size_t size)
{
	ser->nr_hwpts = fuzz_u32() % (3 * size / sizeof(ser->hwpts[0]) / 2);
	/* One whose length overflows 32 bits, with what is left of it */
	if (fuzz_u32() % 4 == 0)
		ser->nr_hwpts += 1u << (27 + fuzz_u32() % 5);
	ser->length = record_size(ser->nr_hwpts);
	for (u32 i = 0; i < ser->nr_hwpts && record_size(i + 1) <= size; i++)
		ser->hwpts[i].domain_pa = fuzz_u32() % 4096;
}

static void require_usable(struct iommufd_ser *ser, unsigned int order)
{
	u32 crc = ser->crc;

	require(ser->version == IOMMUFD_SER_VERSION);
	require(ser->length == record_size(ser->nr_hwpts) && record_order(ser->length) == order);
	require(!ser->reserved[0] && !ser->reserved[1]);
	for (u32 i = 0; i < ser->nr_hwpts; i++)
		require(ser->hwpts[i].domain_pa && !ser->hwpts[i].reserved[0] && !ser->hwpts[i].reserved[1]);
	record_seal(ser);
	require(ser->crc == crc);
}

static bool fuzz_record(void)
{
	u32 nr = fuzz_u32() % (MOST_HWPTS + 1);
	unsigned int order = fuzz_u32() % 64 ? 0 : fuzz_u32() % (MOST_ORDER + 1);
	size_t size = PAGE_SIZE << order;
	struct iommufd_ser *ser;
	struct bytes record;
	bool accepted;

	/* As many as KHO needs so much memory for */
	if (order)
		nr += size / 2 / sizeof(ser->hwpts[0]);
	ser = record_new(nr);
	record = (struct bytes){ ser, record_size(nr) };

	for (unsigned int edits = fuzz_edits(3); edits; edits--) {
		if (fuzz_u32() % 8)
			fuzz_edit(&record, 1, 0x100000);
		else
			edit_number(ser, size);
	}
	if (fuzz_seals() && ser->length >= sizeof(*ser) && ser->length <= size)
		record_seal(ser);

	accepted = !iommufd_ser_check(ser, order);
	if (accepted)
		require_usable(ser, order);
	free(ser);
	return accepted;
}

const struct fuzz_target fuzz_targets[] = {
	{ "record", fuzz_record, 200000, 75 },
	{}
};
