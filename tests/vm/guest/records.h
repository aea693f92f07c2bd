/* SPDX-License-Identifier: GPL-2.0 */
/* What one kernel hands over to the next one, found in memory as that will find it. */
#ifndef TESTS_VM_GUEST_RECORDS_H
#define TESTS_VM_GUEST_RECORDS_H

#include <linux/types.h>
#include <stdbool.h>

/*
 * Where the record of this name is, once LUO has written its lists: luo, session,
 * file, flb; iommu, unit, domain, device, attachment; pci, function; vfio, iommufd,
 * memfd, folios. Of several the first. 0 if there is none.
 */
__u64 records_find(const char *name);
/* What the checksum over it ought to be, and where that belongs; false if it has none. */
bool records_checksum(const char *name, __u64 *at, __u32 *checksum);

void physical_read(__u64 at, void *data, unsigned int size);
void physical_write(__u64 at, const void *data, unsigned int size);

#endif
