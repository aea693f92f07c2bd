// SPDX-License-Identifier: GPL-2.0
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */

/**
 * DOC: Check of the PCI live update records
 *
 * The next kernel believes nothing that it finds behind the FLB's address. One
 * function walks the records of include/linux/kho/abi/pci.h and says whether
 * they can be used: versions, lengths, counts, sizes, reserved fields and the
 * checksum are right, and every address lies in memory that was preserved,
 * which is asked before the address is read. A chain cannot run in a circle,
 * because each block takes at least one from the number of records that the
 * top object promises.
 *
 * Nothing here allocates, locks, prints or writes, and nothing but the two
 * functions of struct pci_liveupdate_mem belongs to the kernel: unit tests and
 * fuzzers compile this file as it is.
 *
 * Not checked: that no two records name the same function. The one who puts
 * them into an index sees that.
 */

#include <linux/crc32.h>
#include <linux/errno.h>
#include <linux/kho/abi/block.h>
#include <linux/kho/abi/pci.h>
#include <linux/string.h>

#include "liveupdate_check.h"

#define PCI_SER_PER_BLOCK						\
	((KHO_BLOCK_SIZE - sizeof(struct kho_block_header_ser)) /	\
	 sizeof(struct pci_dev_ser))

/* kho_block takes no longer chain than this */
#define PCI_SER_MAX_DEVICES	(10000 * PCI_SER_PER_BLOCK)

/* Bus, device and function */
#define PCI_SER_MAX_RID		0xffffu

static u32 pci_liveupdate_crc_top(const struct pci_ser *ser)
{
	struct pci_ser top = *ser;

	top.crc = 0;
	return crc32_le(~0, (const u8 *)&top, sizeof(top));
}

static u32 pci_liveupdate_crc_block(u32 crc,
				    const struct kho_block_header_ser *block)
{
	return crc32_le(crc, (const u8 *)block,
			sizeof(*block) +
			block->count * sizeof(struct pci_dev_ser));
}

static bool pci_liveupdate_sizes_ok(const struct pci_dev_ser *rec)
{
	bool known = rec->flags & PCI_DEV_SER_SIZES;

	for (int i = 0; i < PCI_DEV_SER_NR_BARS; i++)
		if (rec->bar_lg2[i] && (!known || rec->bar_lg2[i] > 63))
			return false;
	return !rec->rom_lg2 || (known && rec->rom_lg2 < 32);
}

static bool pci_liveupdate_record_ok(const struct pci_dev_ser *rec)
{
	static const struct pci_dev_ser given_up;

	if (!rec->refcount)
		return !memcmp(rec, &given_up, sizeof(*rec));

	if (rec->rid > PCI_SER_MAX_RID || rec->flags & ~PCI_DEV_SER_FLAGS)
		return false;
	if (rec->reserved || memcmp(rec->reserved2, given_up.reserved2,
				    sizeof(rec->reserved2)))
		return false;
	return pci_liveupdate_sizes_ok(rec);
}

/**
 * pci_liveupdate_crc - Checksum over records that are known to be sound
 * @ser: Top object; its own crc field counts as 0
 * @mem: How to get at the blocks; only @mem->map is used
 *
 * Context: Any. The caller keeps the records from changing.
 * Return: The value for struct pci_ser.crc.
 */
u32 pci_liveupdate_crc(const struct pci_ser *ser,
		       const struct pci_liveupdate_mem *mem)
{
	const struct kho_block_header_ser *block;
	u32 crc = pci_liveupdate_crc_top(ser);
	u64 pa;

	for (pa = ser->devices_pa; pa; pa = block->next) {
		block = mem->map(pa);
		crc = pci_liveupdate_crc_block(crc, block);
	}
	return crc;
}

/**
 * pci_liveupdate_check - Can these records be used?
 * @pa: Physical address of the top object, from the other kernel
 * @mem: How to ask about memory and how to read it
 *
 * Context: Any.
 * Return: 0, or
 * * -EFAULT: an address is not aligned or not in preserved memory
 * * -EPROTONOSUPPORT: another version or another length
 * * -EINVAL: a count or a reserved field is wrong
 * * -EBADMSG: the checksum is wrong
 */
int pci_liveupdate_check(u64 pa, const struct pci_liveupdate_mem *mem)
{
	const struct kho_block_header_ser *block;
	const struct pci_dev_ser *rec;
	const struct pci_ser *ser;
	u32 crc, left;

	if (!pa || pa % KHO_BLOCK_SIZE || !mem->preserved(pa))
		return -EFAULT;

	ser = mem->map(pa);
	if (ser->version != PCI_SER_VERSION || ser->length != sizeof(*ser))
		return -EPROTONOSUPPORT;
	if (ser->nr_devices > PCI_SER_MAX_DEVICES)
		return -EINVAL;

	left = ser->nr_devices;
	crc = pci_liveupdate_crc_top(ser);
	for (pa = ser->devices_pa; pa; pa = block->next) {
		if (pa % KHO_BLOCK_SIZE || !mem->preserved(pa))
			return -EFAULT;

		block = mem->map(pa);
		if (!block->count || block->count > PCI_SER_PER_BLOCK ||
		    block->count > left)
			return -EINVAL;

		rec = (const struct pci_dev_ser *)(block + 1);
		for (u64 i = 0; i < block->count; i++)
			if (!pci_liveupdate_record_ok(&rec[i]))
				return -EINVAL;

		crc = pci_liveupdate_crc_block(crc, block);
		left -= block->count;
	}
	if (left)
		return -EINVAL;

	return crc == ser->crc ? 0 : -EBADMSG;
}
