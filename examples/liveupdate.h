/* SPDX-License-Identifier: GPL-2.0 */
/* Live update sessions and the kexec.  0 or a descriptor, or a negative errno. */
#ifndef EXAMPLES_LIVEUPDATE_H
#define EXAMPLES_LIVEUPDATE_H

#include <linux/types.h>

int session_create(const char *name);
int session_retrieve(const char *name);
int session_preserve_fd(int session, int fd, __u64 token);
int session_retrieve_fd(int session, __u64 token);
/*
 * -EBUSY while a device of the session is still on the page table that was
 * carried along, and its file is open.
 */
int session_finish(int session);

/*
 * Memory that can be preserved while a device writes to it: sealed against
 * growing, shrinking and further seals before anybody maps it.
 */
int memory_create(const char *name, __u64 size);
int memory_seal(int memfd);

/* Load first, before anything is stopped: it takes long and it can fail. */
int kexec_prepare(const char *kernel, const char *initrd, const char *command_line);
int kexec_prepare_files(int kernel, int initrd, const char *command_line);
/* Returns only when the kexec was refused. */
int kexec_jump(void);

#endif
