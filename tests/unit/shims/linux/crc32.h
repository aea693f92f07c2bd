/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _SHIM_LINUX_CRC32_H
#define _SHIM_LINUX_CRC32_H

#include <linux/types.h>

/* in shims.c */
u32 crc32_le(u32 crc, const void *p, size_t len);

#endif
