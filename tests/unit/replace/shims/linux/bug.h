/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _SHIM_LINUX_BUG_H
#define _SHIM_LINUX_BUG_H

#include <stdbool.h>

/* in shims.c; unlike in the kernel each time counts */
extern unsigned int shim_warnings;

#define WARN_ON_ONCE(condition) ({		\
	bool _warn = (condition);		\
						\
	shim_warnings += _warn;			\
	_warn;					\
})

#endif
