// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzzer of drivers/pci/liveupdate_check.c: whatever the bytes are, the check ends,
 * stays within bounds, and what it accepts can be used without looking.
 */
#include <string.h>
#include "fuzz.h"
#include "image.h"

static void require_record(const struct pci_dev_ser *record)
{
	static const struct pci_dev_ser nothing;

	if (!record->refcount) {
		require(!memcmp(record, &nothing, sizeof(nothing)));
		return;
	}
	require(!record->reserved && record->flags < 16 && record->rid < 0x10000);
	for (int i = 0; i < 8; i++)
		require(!record->reserved2[i]);
	/* They are shifted by */
	for (int i = 0; i < PCI_DEV_SER_NR_BARS; i++)
		require(record->bar_lg2[i] < 64);
	require(record->rom_lg2 < 32);
	if (!(record->flags & PCI_DEV_SER_SIZES)) {
		require(!record->rom_lg2);
		require(!memcmp(record->bar_lg2, nothing.bar_lg2, sizeof(nothing.bar_lg2)));
	}
}

/* What the kernel relies on after the check, written without its help */
static void require_usable(struct image *image)
{
	unsigned int nr = 0, blocks = 0;
	u64 pa = image->ser->devices_pa;
	u32 crc = image->ser->crc;

	require(image->ser->version == PCI_SER_VERSION && image->ser->length == sizeof(*image->ser));
	while (pa) {
		struct kho_block_header_ser *block = image_ptr(image, pa);
		struct pci_dev_ser *record;

		require(block && pa % PAGE_SIZE == 0 && ++blocks <= 10000);
		require(block->count && block->count <= 170);
		record = (struct pci_dev_ser *)(block + 1);
		for (u64 i = 0; i < block->count; i++, nr++)
			require_record(&record[i]);
		pa = block->next;
	}
	require(nr == image->ser->nr_devices);
	image_seal(image);
	require(image->ser->crc == crc);
}

/* That of some page, or not, or of something right behind its beginning */
static u64 some_address(void)
{
	return IMAGE_BASE + fuzz_u32() % 8 * PAGE_SIZE + fuzz_u32() % 2 * 8;
}

static bool fuzz_records(void)
{
	static struct bytes areas[STANDARD_AREAS];
	static struct standard s;
	static void *sound;
	bool accepted;

	/* To make them anew each time would take longer than the check. */
	if (!sound) {
		s = image_standard();
		standard_areas(&s, areas);
		sound = bytes_copy(areas, STANDARD_AREAS);
	}
	bytes_restore(areas, STANDARD_AREAS, sound);
	s.image->maps = 0;

	for (unsigned int edits = fuzz_edits(4); edits; edits--)
		fuzz_edit(areas, STANDARD_AREAS, some_address());
	if (fuzz_seals())
		image_seal(s.image);

	accepted = !image_check(s.image);
	if (accepted)
		require_usable(s.image);
	require(s.image->maps < 2000000);
	return accepted;
}

const struct fuzz_target fuzz_targets[] = {
	{ "records", fuzz_records, 20000, 50 },
	{}
};
