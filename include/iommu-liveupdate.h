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
#define ILU_VERSION_MINOR	2

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
	/* which file it is, as stat(2) says */
	int (*fstat_inode)(void *arg, int fd, uint64_t *ino, uint32_t *dev_major,
			   uint32_t *dev_minor);
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

/* ---- reasons ---- */

/*
 * Why something is refused. Numbers and names stay; there may be more in a later version.
 * docs/reasons.md is their catalogue.
 */
/* made by scripts/reasons.sh header */
enum ilu_id {
	ILU_ID_NONE = 0,
	ILU_ID_HOST_NO_SUPPORT = 1,	/* host.no-support */
	ILU_ID_HOST_NOT_SET_UP = 2,	/* host.not-set-up */
	ILU_ID_HOST_KHO_OFF = 3,	/* host.kho-off */
	ILU_ID_HOST_BUSY = 4,	/* host.busy */
	ILU_ID_HOST_PERMISSION = 5,	/* host.permission */
	ILU_ID_HOST_CANNOT_ANSWER = 6,	/* host.cannot-answer */
	ILU_ID_HOST_NO_IOMMU = 7,	/* host.no-iommu */
	ILU_ID_HOST_IOMMU_KIND = 8,	/* host.iommu-kind */
	ILU_ID_HOST_SYSTEMD = 9,	/* host.systemd */
	ILU_ID_HOST_UNIT = 10,	/* host.unit */
	ILU_ID_SESSION_UNFINISHED = 11,	/* session.unfinished */
	ILU_ID_SESSION_UNREADABLE = 12,	/* session.unreadable */
	ILU_ID_SESSION_HANGS = 13,	/* session.hangs */
	ILU_ID_SESSION_TAKEN = 14,	/* session.taken */
	ILU_ID_SESSION_NONE = 15,	/* session.none */
	ILU_ID_SESSION_EXISTS = 16,	/* session.exists */
	ILU_ID_SESSION_NAME = 17,	/* session.name */
	ILU_ID_SESSION_WRONG_FILE = 18,	/* session.wrong-file */
	ILU_ID_SESSION_FOREIGN = 19,	/* session.foreign */
	ILU_ID_SESSION_TOKEN = 20,	/* session.token */
	ILU_ID_SESSION_MODULE = 21,	/* session.module */
	ILU_ID_SESSION_ORDER = 22,	/* session.order */
	ILU_ID_SESSION_HAS_DEVICES = 23,	/* session.has-devices */
	ILU_ID_IMAGE_NONE = 24,	/* image.none */
	ILU_ID_IMAGE_SEGMENTS = 25,	/* image.segments */
	ILU_ID_IMAGE_NO_DATA = 26,	/* image.no-data */
	ILU_ID_IMAGE_INVALID = 27,	/* image.invalid */
	ILU_ID_IMAGE_SIGNATURE = 28,	/* image.signature */
	ILU_ID_IMAGE_NOT_ALLOWED = 29,	/* image.not-allowed */
	ILU_ID_IMAGE_BUSY = 30,	/* image.busy */
	ILU_ID_MEM_UNSEALED = 31,	/* mem.unsealed */
	ILU_ID_MEM_SEALS = 32,	/* mem.seals */
	ILU_ID_MEM_POISONED = 33,	/* mem.poisoned */
	ILU_ID_MEM_ADDED = 34,	/* mem.added */
	ILU_ID_MEM_HOLES = 35,	/* mem.holes */
	ILU_ID_MEM_WRITER = 36,	/* mem.writer */
	ILU_ID_MEM_SIZE = 37,	/* mem.size */
	ILU_ID_MEM_NOT_FILE = 38,	/* mem.not-file */
	ILU_ID_MEM_DMABUF = 39,	/* mem.dmabuf */
	ILU_ID_MEM_HUGETLB = 40,	/* mem.hugetlb */
	ILU_ID_MEM_CHANGED = 41,	/* mem.changed */
	ILU_ID_MEM_NOT_PRESERVED = 42,	/* mem.not-preserved */
	ILU_ID_MEM_NO_SUPPORT = 43,	/* mem.no-support */
	ILU_ID_MEM_RECORD = 44,	/* mem.record */
	ILU_ID_MEM_NOT_MEMFD = 45,	/* mem.not-memfd */
	ILU_ID_MEM_LIMIT = 46,	/* mem.limit */
	ILU_ID_SPACE_CHANGING = 47,	/* space.changing */
	ILU_ID_SPACE_HANGS = 48,	/* space.hangs */
	ILU_ID_SPACE_PRESERVED = 49,	/* space.preserved */
	ILU_ID_SPACE_IOVA = 50,	/* space.iova */
	ILU_ID_HWPT_UNMARKED = 51,	/* hwpt.unmarked */
	ILU_ID_HWPT_KIND = 52,	/* hwpt.kind */
	ILU_ID_HWPT_DIRTY = 53,	/* hwpt.dirty */
	ILU_ID_HWPT_TOKEN = 54,	/* hwpt.token */
	ILU_ID_HWPT_MARKED = 55,	/* hwpt.marked */
	ILU_ID_HWPT_MSI = 56,	/* hwpt.msi */
	ILU_ID_HWPT_DOMAIN = 57,	/* hwpt.domain */
	ILU_ID_HWPT_SWITCH = 58,	/* hwpt.switch */
	ILU_ID_HWPT_RESTORED = 59,	/* hwpt.restored */
	ILU_ID_IOMMUFD_NONE = 60,	/* iommufd.none */
	ILU_ID_IOMMUFD_NO_SUPPORT = 61,	/* iommufd.no-support */
	ILU_ID_IOMMUFD_NOT_PRESERVED = 62,	/* iommufd.not-preserved */
	ILU_ID_IOMMUFD_PRESERVED = 63,	/* iommufd.preserved */
	ILU_ID_IOMMUFD_RECORD = 64,	/* iommufd.record */
	ILU_ID_DEV_NONE = 65,	/* dev.none */
	ILU_ID_DEV_DRIVER = 66,	/* dev.driver */
	ILU_ID_DEV_VARIANT = 67,	/* dev.variant */
	ILU_ID_DEV_NO_CDEV = 68,	/* dev.no-cdev */
	ILU_ID_DEV_GROUP_FILE = 69,	/* dev.group-file */
	ILU_ID_DEV_GROUP_SHARED = 70,	/* dev.group-shared */
	ILU_ID_DEV_GROUP_PART = 71,	/* dev.group-part */
	ILU_ID_DEV_ACS = 72,	/* dev.acs */
	ILU_ID_DEV_CARDBUS = 73,	/* dev.cardbus */
	ILU_ID_DEV_SHARED_ID = 74,	/* dev.shared-id */
	ILU_ID_DEV_RMRR = 75,	/* dev.rmrr */
	ILU_ID_DEV_ATS = 76,	/* dev.ats */
	ILU_ID_DEV_PRI = 77,	/* dev.pri */
	ILU_ID_DEV_PASID = 78,	/* dev.pasid */
	ILU_ID_DEV_VF = 79,	/* dev.vf */
	ILU_ID_DEV_PF = 80,	/* dev.pf */
	ILU_ID_DEV_DISPLAY = 81,	/* dev.display */
	ILU_ID_DEV_KIND = 82,	/* dev.kind */
	ILU_ID_DEV_BRIDGE = 83,	/* dev.bridge */
	ILU_ID_DEV_POWER = 84,	/* dev.power */
	ILU_ID_DEV_NO_RESET = 85,	/* dev.no-reset */
	ILU_ID_DEV_IRQS = 86,	/* dev.irqs */
	ILU_ID_DEV_BUSY = 87,	/* dev.busy */
	ILU_ID_DEV_OPEN = 88,	/* dev.open */
	ILU_ID_DEV_NOT_BOUND = 89,	/* dev.not-bound */
	ILU_ID_DEV_NOT_ATTACHED = 90,	/* dev.not-attached */
	ILU_ID_DEV_VDEVICE = 91,	/* dev.vdevice */
	ILU_ID_DEV_PRESERVED = 92,	/* dev.preserved */
	ILU_ID_DEV_UNFINISHED = 93,	/* dev.unfinished */
	ILU_ID_DEV_BLOCKED = 94,	/* dev.blocked */
	ILU_ID_DEV_BARS = 95,	/* dev.bars */
	ILU_ID_DEV_OTHER_CARD = 96,	/* dev.other-card */
	ILU_ID_DEV_RECORD = 97,	/* dev.record */
	ILU_ID_DEV_RECORD_SPACE = 98,	/* dev.record-space */
	ILU_ID_DEV_LATE = 99,	/* dev.late */
	ILU_ID_DEV_TABLE_ENTRY = 100,	/* dev.table-entry */
	ILU_ID_DEV_NO_IOMMU = 101,	/* dev.no-iommu */
	ILU_ID_DEV_OWNER = 102,	/* dev.owner */
	ILU_ID_DEV_HANGS = 103,	/* dev.hangs */
	ILU_ID_DEV_OTHER_IOMMUFD = 104,	/* dev.other-iommufd */
	ILU_ID_DEV_CANNOT_STOP = 105,	/* dev.cannot-stop */
	ILU_ID_DEV_ABANDONED = 106,	/* dev.abandoned */
	ILU_ID_DEV_NO_DMA = 107,	/* dev.no-dma */
	ILU_ID_DEV_IRQ_KIND = 108,	/* dev.irq-kind */
	ILU_ID_DEV_REGION = 109,	/* dev.region */
	ILU_ID_UNIT_UNSUPPORTED = 110,	/* unit.unsupported */
	ILU_ID_UNIT_CHANGED = 111,	/* unit.changed */
	ILU_ID_UNIT_INTERRUPTS = 112,	/* unit.interrupts */
	ILU_ID_UNIT_REFUSES = 113,	/* unit.refuses */
	ILU_ID_UNIT_RECORD = 114,	/* unit.record */
	ILU_ID_UNIT_BLOCKED = 115,	/* unit.blocked */
	ILU_ID_UNIT_IN_USE = 116,	/* unit.in-use */
	ILU_ID_UNIT_UNUSED = 117,	/* unit.unused */
	ILU_ID_UNIT_BROKEN = 118,	/* unit.broken */
	ILU_ID_PAGES_LOST = 119,	/* pages.lost */
	ILU_ID_KHO_DATA = 120,	/* kho.data */
	ILU_ID_KHO_MEMORY = 121,	/* kho.memory */
	ILU_ID_RECORD_DAMAGED = 122,	/* record.damaged */
	ILU_ID_RECORD_NEWER = 123,	/* record.newer */
	ILU_ID_RECORD_FULL = 124,	/* record.full */
	ILU_ID_NEXT_UNKNOWN = 125,	/* next.unknown */
	ILU_ID_NEXT_IMAGE = 126,	/* next.image */
	ILU_ID_NEXT_NO_CONFIG = 127,	/* next.no-config */
	ILU_ID_NEXT_CONFIG = 128,	/* next.config */
	ILU_ID_NEXT_KHO = 129,	/* next.kho */
	ILU_ID_NEXT_LIVEUPDATE = 130,	/* next.liveupdate */
	ILU_ID_NEXT_IOMMU = 131,	/* next.iommu */
	ILU_ID_NEXT_MODE = 132,	/* next.mode */
	ILU_ID_NEXT_VERSIONS = 133,	/* next.versions */
	ILU_ID_NEXT_SCRATCH = 134,	/* next.scratch */
	ILU_ID_NEXT_VFIO = 135,	/* next.vfio */
	ILU_ID_CALL_MEMORY = 136,	/* call.memory */
	ILU_ID_CALL_FILES = 137,	/* call.files */
	ILU_ID_CALL_ARGUMENT = 138,	/* call.argument */
	ILU_ID_CALL_ORDER = 139,	/* call.order */
	ILU_ID_CALL_AGAIN = 140,	/* call.again */
	ILU_ID_CALL_IO = 141,	/* call.io */
	ILU_ID_CALL_REFUSED = 142,	/* call.refused */
	ILU_ID_KEXEC_REFUSED = 143,	/* kexec.refused */
	ILU_ID_TIMING_UNKNOWN = 144,	/* timing.unknown */
	ILU_ID_FILE_NO_HANDLER = 145,	/* file.no-handler */
	ILU_ID_FILE_NONE = 146,	/* file.none */
	ILU_ID_FILE_LOST = 147,	/* file.lost */
	ILU_ID_DEV_IRQS_OFF = 148,	/* dev.irqs-off */
	ILU_ID_SPACE_GAP = 149,	/* space.gap */
	ILU_ID_CALL_FOREIGN = 150,	/* call.foreign */
};
/* end of what is made */

/* "dev.ats"; what it means; what to do. "" if there is no such reason. */
const char *ilu_id_name(enum ilu_id id);
const char *ilu_id_text(enum ilu_id id);
const char *ilu_id_hint(enum ilu_id id);
/* By its name, or by a line of the kernel's log; ILU_ID_NONE */
enum ilu_id ilu_id_by_name(const char *name);
enum ilu_id ilu_id_by_line(const char *line);

struct ilu_error {
	int err;		/* negative errno; 0: nothing has failed so far */
	const char *call;	/* the ioctl or function of the system, "" if none */
	const char *object;	/* the name of what it was about, "" if nothing */
	const char *text;	/* what is wrong, a sentence without its full stop */
	const char *hint;	/* what to do about it, "" if it is not known */
	enum ilu_id id;		/* the same for programs */
	/* the kernel's own words, or where in a space; "" if there is no more to say */
	const char *reason;
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
/*
 * How many live updates this set of objects has been through, as far as it was one context
 * or its manifest that went on: what a new process adopts begins at 0.
 */
uint64_t ilu_generation(const struct ilu *ilu);

struct ilu_session_info {
	size_t size;
	const char *name;
	bool incoming;		/* of the previous kernel */
	bool open;		/* somebody has its file */
	bool needs_finish;	/* it is in the way of the next kexec */
	unsigned int files;
};

/*
 * All sessions of the machine, in the order in which they were made. None is touched.
 * /dev/liveupdate is closed before the callback is called for the first of them; its
 * strings are valid until it returns. What it returns other than 0 ends the list and is
 * returned, else 0. A kernel that cannot be asked is ILU_ID_HOST_CANNOT_ANSWER.
 */
int ilu_sessions(struct ilu *ilu,
		 int (*found)(void *arg, const struct ilu_session_info *session), void *arg);

/* ---- memory ---- */

struct ilu_memory_opts {
	size_t size;
	bool untouched;		/* do not map it and allocate all pages at once */
};

/* A memfd of this size, sealed as it has to be. */
struct ilu_memory *ilu_memory_create(struct ilu *ilu, const char *name, uint64_t length,
				     const struct ilu_memory_opts *opts);
/*
 * One of the program, which is duplicated and sealed; -EINVAL if it cannot be preserved. Seals
 * stay: also one of another program keeps its size for good, whoever has it.
 */
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
/* Its id in the iommufd: of an IOAS. 0: none. */
uint32_t ilu_space_id(const struct ilu_space *space);
/*
 * The iommufd of the context, -EBADF while there is none. It stays the library's; who is
 * given a copy of it may make objects there, which nobody but he destroys. Before
 * ilu_finish() they are not safe: another ilu_restore() destroys all that no device is on.
 */
int ilu_iommufd(const struct ilu *ilu);

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
/* Its id in the iommufd, and that of the page table that it is attached to; either may be NULL. */
int ilu_device_pt(const struct ilu_device *device, uint32_t *id, uint32_t *hwpt);
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

/* ---- objects of another program ---- */

/*
 * What another program has made and owns, say a virtual machine, goes along by its
 * descriptors: an iommufd, I/O address spaces in it, devices that are attached there, their
 * interrupts. That program knows nothing of it and must stand still from here to
 * ilu_release(), or to the kexec: whatever it maps, attaches or arms meanwhile is refused
 * by the kernel, or not known in here.
 *
 * Only looked at is what is adopted. Nothing of it is made, changed or destroyed, but by
 * ilu_map_instead(), ilu_quiesce() and ilu_kexec(), whose work ilu_release() takes back; and
 * page tables are marked by ilu_preserve(), which stays and does no harm. Calls that would
 * change it (ilu_map(), ilu_unmap(), ilu_device_irqs(), ilu_device_reset(), a write to config
 * space) are refused with -EPERM, and there are no objects of the library's own in an iommufd
 * that is adopted.
 *
 * The next kernel's objects are the library's own. Their descriptors and ids are for the
 * program that goes on with them; ilu_release() lets go of them then.
 */

/*
 * Duplicated. Before there is a space; -ENOTTY if it is no iommufd, or one of a kernel that
 * has no list of areas.
 */
int ilu_iommufd_adopt(struct ilu *ilu, int iommufd);
/* By its id. -ENOENT if the iommufd has no IOAS of it, -EEXIST if it is adopted already. */
struct ilu_space *ilu_space_adopt(struct ilu *ilu, const char *name, uint32_t ioas);

enum ilu_area_type {
	ILU_AREA_USER,		/* memory of a process */
	ILU_AREA_FILE,
	ILU_AREA_DMABUF,
};

struct ilu_area {
	size_t size;
	uint64_t iova, length;
	uint64_t start;		/* in the file, or address in the process */
	uint64_t ino;		/* of the file, as stat(2) says; 0 if there is none */
	uint32_t dev_major, dev_minor;
	unsigned int flags;	/* ILU_MAP_READ, ILU_MAP_WRITE */
	enum ilu_area_type type;
	unsigned int seals;	/* F_SEAL_..., when it was mapped */
	enum ilu_id id;		/* why it cannot go along */
};

/*
 * What is mapped in an adopted space is read when it is needed, the last time by
 * ilu_preserve(). Each area of a file that is a memory of the context by then, and had its
 * seals when it was mapped, goes along. The others are strangers, which ilu_preserve()
 * refuses: this tells which there are, by what is mapped now. Returns how many, or what the
 * callback returns other than 0, or a negative errno. The callback may be NULL, and must
 * not use the context.
 */
int ilu_space_strangers(struct ilu_space *space,
			int (*found)(void *arg, const struct ilu_area *area), void *arg);

/*
 * Maps part of a memory where something else is mapped: a copy of a file that cannot be
 * sealed, say. The bytes are the program's to copy. Only an area as a whole (iova is where
 * it begins) that the device can read and not write: it is gone for a moment, and a
 * read in between is a fault. original is the file that is mapped there now, by which
 * ilu_release() maps it again: -EINVAL if it is another. It is duplicated. On failure the
 * original is mapped; if that fails as well, ILU_ID_SPACE_GAP is said, and ilu_release()
 * tries again. -EPERM where the device can write, -EEXIST where this was done before.
 * The pages are charged to who calls: -ENOMEM without CAP_IPC_LOCK, or room below
 * RLIMIT_MEMLOCK. offset has to begin at the same byte of a page as iova does.
 */
int ilu_map_instead(struct ilu_space *space, uint64_t iova, struct ilu_memory *memory,
		    uint64_t offset, int original);

struct ilu_device_adopt_opts {
	size_t size;
	int fd;			/* bound to the iommufd by its owner; duplicated */
	uint32_t id;		/* in the iommufd; only told again, by ilu_device_pt() */
	uint32_t hwpt;		/* that it is attached to: no automatic one */
	const char *bdf;	/* for people; NULL if it is not known */
};

/*
 * That it is attached to this page table, and that one is of this space, is the owner's
 * word. ilu_preserve() refuses a device of another iommufd, or on a page table that nobody
 * has marked; which of the marked ones it is on nobody can tell. A marked one of an address
 * space that is not adopted has that space preserved, too, so what is mapped there is refused
 * unless it is of memories of the context.
 */
struct ilu_device *ilu_device_adopt(struct ilu *ilu, const char *name,
				    const struct ilu_device_adopt_opts *opts,
				    struct ilu_space *space);
/*
 * Interrupts of one kind as the owner has armed them, -1 for a vector without: no call is
 * made. The eventfds are duplicated and remembered as those of ilu_device_irqs(). Kinds that
 * are not adopted are never switched off: who armed them has to, or the kexec is refused.
 * -EBUSY while this kind is off for a kexec. -EOPNOTSUPP for INTx: what its owner has set to
 * unmask it goes when it is switched off, so only the owner can do that. Vectors that are
 * armed again and cannot be fired are ILU_ID_DEV_IRQS_OFF as well, but stay on.
 */
int ilu_device_irqs_adopt(struct ilu_device *device, unsigned int index, unsigned int count,
			  const int *eventfds);

/*
 * Lets go of all memories, spaces and devices and of the iommufd. Descriptors are closed,
 * nothing is destroyed: somebody else has them. Before the kexec, in this order, as far as
 * there is something to take back: the session is closed, interrupts are on again, what
 * ilu_map_instead() has replaced is mapped again. If one of these fails the error is
 * returned, what could be done is done, and the objects stay for another call; ilu_free()
 * tries all of it once more and says nothing. What the owner has mapped, unmapped or destroyed
 * where something was replaced is his, and stays. Blobs stay, too: they go with the context.
 *
 * After the kexec only when it is finished. A program that had the descriptors and ended
 * before the finish may have changed what is mapped: then ilu_free(), and open and restore
 * with a new context, which maps all anew.
 */
int ilu_release(struct ilu *ilu);

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
/*
 * The memories so far, which can take long: the program goes on, and ilu_preserve() does the
 * rest. They keep their size from here on. Can be called again for those that were added
 * since. ilu_unpreserve() takes it back, and so does a failure of this or of ilu_preserve(),
 * but for what is refused before the kernel is asked (call.order, strangers in an adopted
 * space): they stay preserved then. There is no ilu_check() in between.
 */
int ilu_preserve_memory(struct ilu *ilu);
/* Takes that back; interrupts that ilu_quiesce() has switched off are on again. */
int ilu_unpreserve(struct ilu *ilu);
/* Interrupts off: the kexec is refused otherwise. On failure they are on, as before. */
int ilu_quiesce(struct ilu *ilu);
/*
 * Loads the next kernel. Do it early, it takes long and can fail. Descriptors, or
 * -1 for no initrd.
 */
int ilu_kexec_load(struct ilu *ilu, int kernel, int initrd, const char *command_line);
/*
 * Quiesces and jumps. Returns only if that was refused: interrupts are armed again
 * and all is preserved as before. Those that could not be are worse than the refusal, and
 * what is told: ILU_ID_DEV_IRQS_OFF.
 */
int ilu_kexec(struct ilu *ilu);

enum ilu_verdict {
	ILU_PASS,
	ILU_WARN,	/* it would work, but look at it */
	ILU_FAIL,	/* it would be refused */
	ILU_UNKNOWN,	/* it cannot be told, or not now; this is not fine */
};

struct ilu_finding {
	size_t size;
	enum ilu_verdict verdict;
	enum ilu_id id;		/* ILU_ID_NONE with ILU_PASS */
	int err;		/* negative errno of ILU_FAIL and ILU_UNKNOWN */
	const char *object;	/* the name of what it is about */
	const char *text;	/* what was found, a sentence without its full stop */
	const char *hint;	/* what to do about it, "" if there is nothing */
};

/*
 * All that would be refused if the program called ilu_preserve() and ilu_kexec() now, by
 * the very code of the kernel; nothing has changed afterwards. What is not preserved is so
 * for the moment, and interrupts are off for it: each is fired once then, as after a kexec
 * that was refused. The callback is called for each thing that was looked at; its
 * strings are valid until it returns, and it must not use the context. Returns the worst
 * of the verdicts (ILU_FAIL before ILU_UNKNOWN), or a negative errno if interrupts could not
 * be switched on again: ILU_ID_DEV_IRQS_OFF with the device is what was found last then, and
 * what ilu_error() says. ilu_device_irqs() arms them anew.
 */
int ilu_check(struct ilu *ilu, void (*found)(void *arg, const struct ilu_finding *finding),
	      void *arg);

/* ---- from the previous kernel ---- */

/*
 * One step: 1 if there is more to do, 0 when all devices have changed over to page
 * tables of this kernel. What it has restored is found by its name. The devices change
 * over last, a step each, so the progress tells when. -EAGAIN or -ENOMEM: the same step
 * can be tried again.
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
