/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The record of an iommufd, in memory as large as KHO says, so that the address
 * sanitizer sees every byte that is read beyond it.
 */
#ifndef IOMMUFD_RECORD_H
#define IOMMUFD_RECORD_H

#include <asm/page.h>
#include <linux/types.h>
#include <linux/kho/abi/iommufd.h>
#include "iommufd/liveupdate-check.h"

size_t record_size(u32 nr_hwpts);
unsigned int record_order(size_t size);
struct iommufd_ser *record_new(u32 nr_hwpts);
/* Makes the checksum right; the length is one that can be read. */
void record_seal(struct iommufd_ser *ser);

#endif
