// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <linux/crc32.h>
#include "record.h"

size_t record_size(u32 nr_hwpts)
{
	return sizeof(struct iommufd_ser) + (size_t)nr_hwpts * sizeof(struct iommufd_hwpt_ser);
}

unsigned int record_order(size_t size)
{
	unsigned int order = 0;

	while (PAGE_SIZE << order < size)
		order++;
	return order;
}

void record_seal(struct iommufd_ser *ser)
{
	ser->crc = 0;
	ser->crc = crc32_le(~0, ser, ser->length);
}

struct iommufd_ser *record_new(u32 nr_hwpts)
{
	size_t size = record_size(nr_hwpts);
	struct iommufd_ser *ser = calloc(1, PAGE_SIZE << record_order(size));

	ser->version = IOMMUFD_SER_VERSION;
	ser->length = size;
	ser->nr_hwpts = nr_hwpts;
	for (u32 i = 0; i < nr_hwpts; i++) {
		ser->hwpts[i].token = i;
		ser->hwpts[i].domain_pa = 0x100000ull + i * 0x50;
	}
	record_seal(ser);
	return ser;
}
