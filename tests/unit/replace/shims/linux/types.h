/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _SHIM_REPLACE_LINUX_TYPES_H
#define _SHIM_REPLACE_LINUX_TYPES_H

#include_next <linux/types.h>

typedef unsigned __int128 u128 __attribute__((aligned(16)));

#endif
