/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libiommu-liveupdate: PCI devices that keep their DMA while the kernel is
 * replaced by kexec.
 *
 * One program, one code path for both kernels:
 *
 *	ilu = ilu_new(NULL);
 *	ilu_session_open(ilu, "vm1");
 *	if (ilu_role(ilu) == ILU_ROLE_INCOMING) {
 *		ilu_restore(ilu);
 *		ilu_finish(ilu);
 *	} else {
 *		ram = ilu_memory_create(ilu, "ram", size, NULL);
 *		dma = ilu_space_create(ilu, "dma");
 *		ilu_map(dma, iova, ram, 0, size, ILU_MAP_RW);
 *		nic = ilu_device_open(ilu, "nic", "0000:01:00.0", dma);
 *	}
 *	ram = ilu_memory(ilu, "ram"), nic = ilu_device(ilu, "nic");
 *	... work ...
 *	ilu_preserve(ilu);
 *	ilu_kexec(ilu);
 *
 * Every function returns a pointer, or 0 or another number that says so, and on
 * failure NULL or a negative errno; ilu_error() then says more. Nothing prints, ends
 * the program, starts a thread or holds /dev/liveupdate for longer than one ioctl.
 * All descriptors are close-on-exec. A context is for one thread at a time; two
 * contexts know nothing of each other.
 */
#ifndef IOMMU_LIVEUPDATE_H
#define IOMMU_LIVEUPDATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ILU_VERSION_MAJOR	0
#define ILU_VERSION_MINOR	1

#define ILU_NAME_MAX		63	/* of an object, without its NUL */
#define ILU_SESSION_NAME_MAX	63

struct ilu;
struct ilu_memory;
struct ilu_space;
struct ilu_device;

/*
 * Structures of options begin with their size, so that a program that was compiled
 * against an older header goes on to work: &ILU_OPTS(ilu_new_opts, .patience_ms = 100).
 * NULL stands for all of them 0. In C++: struct ilu_new_opts opts = {}, and its size.
 */
#define ILU_OPTS(type, ...)	((struct type){ .size = sizeof(struct type), __VA_ARGS__ })

/*
 * What the library calls. A program that is not allowed to open the files itself
 * has somebody else open them; tests have a kernel of their own. All return -1 (mmap:
 * MAP_FAILED) and set errno on failure, as those of the C library, which stand for
 * each that is NULL. Only a test's reboot_kexec returns 0; ilu_kexec() does then, too.
 */
struct ilu_ops {
	size_t size;
	int (*open)(void *arg, const char *path, int flags);
	int (*close)(void *arg, int fd);
	int (*ioctl)(void *arg, int fd, unsigned long request, void *data);
	void *(*mmap)(void *arg, size_t length, int prot, int flags, int fd, off_t offset);
	int (*munmap)(void *arg, void *address, size_t length);
	ssize_t (*pread)(void *arg, int fd, void *data, size_t length, off_t offset);
	ssize_t (*pwrite)(void *arg, int fd, const void *data, size_t length, off_t offset);
	int (*memfd_create)(void *arg, const char *name, unsigned int flags);
	int (*ftruncate)(void *arg, int fd, off_t length);
	int (*fcntl)(void *arg, int fd, int command, int value);
	int (*fstat_size)(void *arg, int fd, uint64_t *length);
	int (*dup)(void *arg, int fd);	/* close-on-exec */
	int (*kexec_file_load)(void *arg, int kernel, int initrd, const char *command_line);
	int (*reboot_kexec)(void *arg);
	/* the name of the character device of a function, "vfio3" */
	int (*device_name)(void *arg, const char *bdf, char *name, size_t length);
	/* milliseconds that do not go back; and wait for some */
	int64_t (*now)(void *arg);
	void (*sleep)(void *arg, int64_t milliseconds);
};

struct ilu_new_opts {
	size_t size;
	const struct ilu_ops *ops;
	void *ops_arg;
	/* of what takes long: how far it is, in words for a person */
	void (*progress)(void *arg, unsigned int done, unsigned int of, const char *what);
	void *progress_arg;
	/* how long to try again what is only not possible now; 0: 5 seconds */
	unsigned int patience_ms;
};

/* NULL with errno: E2BIG if an option is set that this library does not know. */
struct ilu *ilu_new(const struct ilu_new_opts *opts);

/*
 * Closes all. Before the kexec this undoes the preservation: the devices are reset
 * when their files are closed. In the next kernel what was not finished is left as it
 * is, devices running, for another try by anybody. (Of memory alone the kernel keeps
 * nothing: such a session is finished by closing it.)
 */
void ilu_free(struct ilu *ilu);

struct ilu_error {
	int err;		/* negative errno; 0: nothing has failed so far */
	const char *call;	/* the ioctl or function of the system, "" if none */
	const char *object;	/* the name of what it was about, "" if nothing */
	const char *text;	/* what is wrong, a sentence without its full stop */
	const char *hint;	/* what to do about it, "" if it is not known */
};

/* Of the last call that failed. Valid until the next call with this context. */
const struct ilu_error *ilu_error(const struct ilu *ilu);

/* ---- the session ---- */

enum ilu_role {
	ILU_ROLE_NONE,		/* no session: nothing came in */
	ILU_ROLE_OUTGOING,	/* goes to the next kernel */
	ILU_ROLE_INCOMING,	/* came in with a manifest of this library */
	ILU_ROLE_FOREIGN,	/* came in, and another program made it */
	ILU_ROLE_FINISHED,	/* came in, and is done with: like NONE */
};

/*
 * The session of this name if it came in, else none as yet: ilu_preserve() makes it.
 * What programs call that run the same way in both kernels, before they make anything.
 *
 * This and the other ways to a session that came in: -EBADMSG and -EPROTONOSUPPORT if
 * its manifest is damaged or of a newer library. Nothing was touched then, and the
 * context has the session as one of ILU_ROLE_FOREIGN, so that it can be abandoned.
 * -ENODEV without live update in the kernel; -EBUSY while somebody else has it.
 */
int ilu_session_open(struct ilu *ilu, const char *name);
/* Only the one or the other: -EEXIST, -ENOENT */
int ilu_session_create(struct ilu *ilu, const char *name);
int ilu_session_retrieve(struct ilu *ilu, const char *name);
/*
 * A session that somebody else has made or retrieved. The descriptor is the library's,
 * but not after an error without a session. Nobody else's copy of it is closed: as long
 * as there is one, what was preserved stays so, whatever is undone here.
 */
int ilu_session_from_fd(struct ilu *ilu, int fd);
/* Likewise, handed over by systemd: LISTEN_FDS, LISTEN_FDNAMES. -ENOENT */
int ilu_session_from_env(struct ilu *ilu, const char *name);

enum ilu_role ilu_role(const struct ilu *ilu);
/*
 * -EBADF while there is none. It stays the library's. A program can preserve files of
 * its own in there: the tokens below 2^32 are free.
 */
int ilu_session_fd(const struct ilu *ilu);
/* How many live updates this set of objects has been through. */
uint64_t ilu_generation(const struct ilu *ilu);

/* ---- memory ---- */

struct ilu_memory_opts {
	size_t size;
	bool untouched;		/* do not map it and allocate all pages at once */
};

/* A memfd of this size, sealed as it has to be. */
struct ilu_memory *ilu_memory_create(struct ilu *ilu, const char *name, uint64_t length,
				     const struct ilu_memory_opts *opts);
/* One of the program, which is duplicated and sealed; -EINVAL if it cannot be preserved. */
struct ilu_memory *ilu_memory_add(struct ilu *ilu, const char *name, int memfd);
struct ilu_memory *ilu_memory(struct ilu *ilu, const char *name);
int ilu_memory_fd(const struct ilu_memory *memory);
uint64_t ilu_memory_length(const struct ilu_memory *memory);
/* All of it, mapped when it is first asked for. NULL if that cannot be done. */
void *ilu_memory_address(struct ilu_memory *memory);

/* ---- I/O address spaces ---- */

#define ILU_MAP_READ	(1u << 0)	/* by the device */
#define ILU_MAP_WRITE	(1u << 1)
#define ILU_MAP_RW	(ILU_MAP_READ | ILU_MAP_WRITE)

struct ilu_space *ilu_space_create(struct ilu *ilu, const char *name);
struct ilu_space *ilu_space(struct ilu *ilu, const char *name);
int ilu_map(struct ilu_space *space, uint64_t iova, struct ilu_memory *memory,
	    uint64_t offset, uint64_t length, unsigned int flags);
/* What was mapped by one call there, as a whole. */
int ilu_unmap(struct ilu_space *space, uint64_t iova);

/* ---- devices ---- */

/*
 * A function bound to vfio-pci, opened by its character device, bound to the iommufd
 * of the context and attached to a page table of its own kind in the space.
 */
struct ilu_device *ilu_device_open(struct ilu *ilu, const char *name, const char *bdf,
				   struct ilu_space *space);
/* Its file was opened by somebody else, and is bound to nothing. It is duplicated. */
struct ilu_device *ilu_device_add(struct ilu *ilu, const char *name, int fd,
				  struct ilu_space *space);
struct ilu_device *ilu_device(struct ilu *ilu, const char *name);
int ilu_device_fd(const struct ilu_device *device);
/* Of PCI: vendor and device, as they are in config space */
int ilu_device_ids(const struct ilu_device *device, uint16_t *vendor, uint16_t *id);
/* A region of VFIO that can be mapped, mapped when it is first asked for. */
volatile void *ilu_device_bar(struct ilu_device *device, unsigned int bar, size_t *length);
int ilu_device_config_read(const struct ilu_device *device, unsigned int offset, void *data,
			   size_t length);
int ilu_device_config_write(const struct ilu_device *device, unsigned int offset,
			    const void *data, size_t length);
/*
 * Bus mastering, which is off in a device that was just opened: its owner brings it into
 * a known state first. A virtual machine does that by config space.
 */
int ilu_device_allow_dma(const struct ilu_device *device);
/* Ends its DMA: VFIO_DEVICE_RESET. */
int ilu_device_reset(const struct ilu_device *device);

#define ILU_IRQ_INJECT	(1u << 0)	/* fire each once: what was raised while they were off is lost */

/*
 * Interrupts of one kind (VFIO_PCI_MSIX_IRQ_INDEX and so on) to eventfds, which are
 * duplicated, -1 for none; count 0 switches them off. They are off at a kexec, so the
 * library remembers them: those of this context are armed again, and each is fired once,
 * if the kexec is refused. In the next kernel the program arms them anew, by eventfds of
 * its own. Errors and requests (VFIO_PCI_ERR_IRQ_INDEX and after) are never fired.
 */
int ilu_device_irqs(struct ilu_device *device, unsigned int index, unsigned int count,
		    const int *eventfds, unsigned int flags);

/* ---- state of the program ---- */

/*
 * Bytes under a name; what is set last counts. Also after ilu_preserve(): what the
 * program knows last, when its vCPUs have stopped; -ENOSPC after 64 of these. In the next
 * kernel from the session on until it is finished. Those that the program has set itself
 * stay, and come first.
 */
int ilu_blob_set(struct ilu *ilu, const char *name, const void *data, size_t length);
/* The length of all of it; up to length bytes of it are copied. -ENOENT */
ssize_t ilu_blob_get(struct ilu *ilu, const char *name, void *data, size_t length);

/* ---- to the next kernel ---- */

/* All goes along, or nothing does. Until the kexec maps, attachments and sizes stay. */
int ilu_preserve(struct ilu *ilu);
/* Takes that back; interrupts that ilu_quiesce() has switched off are on again. */
int ilu_unpreserve(struct ilu *ilu);
/* Interrupts off: the kexec is refused otherwise. */
int ilu_quiesce(struct ilu *ilu);
/*
 * Loads the next kernel. Do it early, it takes long and can fail. Descriptors, or
 * -1 for no initrd.
 */
int ilu_kexec_load(struct ilu *ilu, int kernel, int initrd, const char *command_line);
/*
 * Quiesces and jumps. Returns only if that was refused: interrupts are armed again
 * and all is preserved as before.
 */
int ilu_kexec(struct ilu *ilu);

/* ---- from the previous kernel ---- */

/*
 * One step: 1 if there is more to do, 0 when all devices have changed over to page
 * tables of this kernel. -EAGAIN or -ENOMEM: the same step can be tried again.
 */
int ilu_restore_step(struct ilu *ilu);
/* All of them, patiently. Can be called again, also by another program, after any failure. */
int ilu_restore(struct ilu *ilu);
/* The session is over, the objects are like any others and can be preserved again. */
int ilu_finish(struct ilu *ilu);
/* The session is over, and what nobody has taken is stopped and reset. */
int ilu_abandon(struct ilu *ilu);

#ifdef __cplusplus
}
#endif

#endif
