/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _SHIM_LINUX_ATOMIC_H
#define _SHIM_LINUX_ATOMIC_H

#include <linux/cpufeature.h>
#include <linux/types.h>

#define system_has_cmpxchg128()	shim_has_cx16

/* in shims.c; a test can make the nth comparison fail */
extern void (*shim_before_cmpxchg)(u128 *ptr);

static inline bool try_cmpxchg128(u128 *ptr, u128 *old, u128 val)
{
	u64 lo = (u64)*old, hi = (u64)(*old >> 64);
	bool done;

	if (shim_before_cmpxchg)
		shim_before_cmpxchg(ptr);
	asm volatile("lock cmpxchg16b %1"
		     : "=@ccz" (done), "+m" (*ptr), "+a" (lo), "+d" (hi)
		     : "b" ((u64)val), "c" ((u64)(val >> 64))
		     : "memory");
	if (!done)
		*old = (u128)hi << 64 | lo;
	return done;
}

#endif
