/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */
#ifndef _LINUX_LIVEUPDATE_NOTE_H
#define _LINUX_LIVEUPDATE_NOTE_H

#include <linux/build_bug.h>
#include <linux/elfnote.h>

/* The type of the ELF notes of LIVEUPDATE_NOTE() */
#define LIVEUPDATE_NOTE_COMPATIBLE	1

/*
 * For whoever writes records that the next kernel has to read, once for each
 * compatible string: tells which records this kernel knows by an ELF note of the
 * image, and of /sys/kernel/notes. So the next kernel can be compared with the
 * running one before anything is preserved. A record of a module is not known
 * before the module is there, and what is there, its alias tells.
 */
#ifdef MODULE
#define LIVEUPDATE_NOTE(compatible)	static_assert(sizeof(compatible) > 1)
#else
#define LIVEUPDATE_NOTE(compatible) \
	ELFNOTE32("liveupdate", LIVEUPDATE_NOTE_COMPATIBLE, compatible)
#endif

#endif /* _LINUX_LIVEUPDATE_NOTE_H */
