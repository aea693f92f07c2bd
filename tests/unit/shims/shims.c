// SPDX-License-Identifier: GPL-2.0
/* What the kernel has as library functions */
#include <linux/crc32.h>

/* As in the kernel: neither the seed nor the result is inverted. */
u32 crc32_le(u32 crc, const void *p, size_t len)
{
	static u32 table[256];
	const u8 *byte = p;
	unsigned int i, bit;

	if (!table[1]) {
		for (i = 0; i < 256; i++) {
			table[i] = i;
			for (bit = 0; bit < 8; bit++)
				table[i] = (table[i] >> 1) ^ (table[i] & 1 ? 0xedb88320u : 0);
		}
	}
	while (len--)
		crc = (crc >> 8) ^ table[(u8)(crc ^ *byte++)];
	return crc;
}
