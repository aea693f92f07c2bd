/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _SHIM_LINUX_CPUFEATURE_H
#define _SHIM_LINUX_CPUFEATURE_H

#include <stdbool.h>

/* in shims.c; a test can take CX16 away */
extern bool shim_has_cx16;

#endif
