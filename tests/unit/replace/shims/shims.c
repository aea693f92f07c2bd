// SPDX-License-Identifier: GPL-2.0
/* What the kernel has and a test wants to turn */
#include <linux/atomic.h>
#include <linux/bug.h>

bool shim_has_cx16 = true;
unsigned int shim_warnings;
void (*shim_before_cmpxchg)(u128 *ptr);
