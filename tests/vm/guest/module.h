/* SPDX-License-Identifier: GPL-2.0 */
/* Modules of the running kernel, which the initrd has in /modules/RELEASE. */
#ifndef TESTS_VM_GUEST_MODULE_H
#define TESTS_VM_GUEST_MODULE_H

#include <stdbool.h>

/* Whether this kernel has any: one that has all built in has none. */
bool modules_exist(void);
/* By its name or by one of its aliases, after those that it needs; 0 or -errno. */
int module_load(const char *name);
void modules_load_all(void);
/* -EAGAIN while somebody uses it, -ENOENT if it is not loaded. */
int module_unload(const char *name);

#endif
