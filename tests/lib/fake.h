/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A kernel, as far as the library can tell: sessions, memfds, iommufd and devices of
 * VFIO with the rules of docs/uapi.md, through struct ilu_ops. It has one process at a
 * time that calls, which can be killed, and may have another one that only holds
 * descriptors; and a kexec, which only what is preserved gets through.
 *
 * Any one call can be made to fail, and the process to die before any one call. What
 * the library must never do is noted in broken, as is a device that loses what it had
 * mapped.
 */
#ifndef TESTS_LIB_FAKE_H
#define TESTS_LIB_FAKE_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "iommu-liveupdate.h"
#include "uapi.h"

#define FAKE_FDS	128
#define FAKE_OBJECTS	256
#define FAKE_CARDS	3
#define FAKE_IRQS	5
#define FAKE_VECTORS	8
#define FAKE_BAR	4096
#define FAKE_CONFIG	512
#define FAKE_PAGE	4096
#define FAKE_SHMEM	1	/* the device that memfds are on: 0:1 */

/* What a memfd holds, and what is mapped: it outlives files. */
struct content {
	int refs;
	unsigned char *bytes;
	uint64_t length;
	uint64_t ino;
	int seals;
	int frozen;		/* sessions that it is preserved in, or came in by */
};

struct fake_map {
	struct fake_map *next;
	uint64_t iova, start, length;
	uint32_t flags, type;	/* IOMMU_IOAS_AREA_FILE */
	int seals;		/* when it was mapped */
	struct content *content;	/* of a file */
};

enum object_type { OBJECT_FREE, OBJECT_RESERVED, OBJECT_IOAS, OBJECT_HWPT, OBJECT_DEVICE };

struct object {
	enum object_type type;
	struct fake_map *maps;	/* of an IOAS */
	uint32_t ioas;		/* of a HWPT */
	int kind;
	bool marked, automatic;
	uint64_t token;
};

enum file_kind { FILE_LIVEUPDATE, FILE_SESSION, FILE_MEMFD, FILE_IOMMUFD, FILE_DEVICE, FILE_OTHER };

struct session;
struct card;

struct file {
	enum file_kind kind;
	int refs;
	struct session *preserved, *incoming;	/* of an iommufd, a device or a session */
	struct session *session;
	struct content *content;
	struct object *objects;
	struct card *card;
};

struct card {
	const char *bdf, *name;
	int kind;		/* of its IOMMU */
	unsigned char config[FAKE_CONFIG];
	unsigned int config_length;
	uint32_t bar[FAKE_BAR / 4];	/* the first word: it runs */
	unsigned int resets, fired;
	unsigned int irqs[FAKE_IRQS];	/* how many are on */
	const struct file *eventfds[FAKE_IRQS][FAKE_VECTORS];	/* and where they go */

	struct file *file, *iommufd;
	uint32_t id, hwpt;	/* 0: none */
	struct session *preserved, *incoming;
	struct fake_map *old;	/* the page table that it came in on */
	bool on_old, kept;
	const char *refusal;	/* why it cannot be preserved */
	/* of switching vectors on, all off, and of firing them, as long as they are set */
	int on_errno, off_errno, fire_errno;
};

struct entry {
	struct entry *next;
	uint64_t token;
	enum file_kind kind;
	struct file *file;	/* held; NULL: came in and not retrieved */
	struct content *content;
	struct card *card;
	uint32_t reserved[FAKE_CARDS];	/* ids of the devices of an iommufd */
};

struct session {
	struct session *next;
	uint64_t id;
	char name[64];
	bool incoming, taken, kept;
	/* of its last call that failed */
	long error;
	uint64_t failed_token;
	char reason[LIVEUPDATE_REASON_LENGTH];
	struct entry *entries;	/* the last one that was preserved first */
};

struct mapping {
	struct mapping *next;
	void *address;
	size_t length;
	struct file *file;
};

struct fake {
	/* the process */
	struct file *fds[FAKE_FDS];
	struct mapping *mappings;
	/* another one */
	struct file *others[FAKE_FDS];

	/* what is planned for it */
	unsigned long calls, fail_at;
	int fail_errno;
	const char *failed;		/* the call that did */
	unsigned long allocations, allocation_fails_at;
	unsigned long points, die_at;
	jmp_buf *death;
	int64_t liveupdate_late, driver_late, finish_late;	/* EBUSY, EAGAIN until then */
	int kexec_errno, attach_errno;	/* as long as they are set */
	int map_errno;			/* so often */
	unsigned int map_fails;
	bool careless;			/* maps what is not sealed, and may */
	void (*frozen)(struct fake *fake);	/* before an iommufd is preserved */
	/* what is mapped was listed: another answer */
	void (*listed)(struct iommu_ioas_list_areas *list);

	/* the machine */
	int64_t time;
	struct session *sessions;
	bool old_kernel;		/* without tests and reasons */
	unsigned int image_kind;	/* LIVEUPDATE_IMAGE_HANDOVER */
	char reason[LIVEUPDATE_REASON_LENGTH];		/* what the call under way has logged */
	unsigned long tests;
	struct card cards[FAKE_CARDS];
	bool image, jumped;
	unsigned long ioctls, opens;
	uint64_t inodes;
	char broken[128];
};

extern const struct ilu_ops fake_ops;

/* Instead of those of the C library, in the library */
void *fake_calloc(size_t number, size_t size);
void *fake_malloc(size_t size);

struct fake *fake_new(void);
void fake_free(struct fake *fake);
/* The process is killed: all that it has is closed. */
void fake_kill(struct fake *fake);
/* The other one is given a copy, which is its own; and gives one. Both are descriptors there. */
int fake_give(struct fake *fake, int fd);
int fake_take(struct fake *fake, int other);
/* All that the process has is the other one's, and the process has nothing. */
void fake_become_other(struct fake *fake);
void fake_kill_other(struct fake *fake);
/* A context of this machine's process */
struct ilu *fake_context(struct fake *fake);
/* In the process of an update that took place: its memory goes, no call is made. */
void fake_lose(struct fake *fake, struct ilu *ilu);

/* Without the library */
int fake_open(struct fake *fake, const char *path);
int fake_memfd(struct fake *fake, uint64_t length, bool sealable);
int fake_eventfd(struct fake *fake);
void fake_close(struct fake *fake, int fd);
int fake_session(struct fake *fake, const char *name, bool retrieve);
int fake_session_close(struct fake *fake, const char *name);

/* The byte that the card finds there, or NULL */
unsigned char *fake_dma(const struct card *card, uint64_t iova, uint32_t flags);
/* The manifest that is on its way, or NULL */
struct content *fake_manifest(struct fake *fake);
/* All of the machine in words, but for marks and time; to be freed */
char *fake_text(const struct fake *fake);
unsigned int fake_count(const struct fake *fake, enum object_type type);
/* Likewise of the other one */
unsigned int fake_count_other(const struct fake *fake, enum object_type type);
/* Likewise in those that came in, whoever has retrieved them */
unsigned int fake_count_incoming(const struct fake *fake, enum object_type type);

/* ---- between the files of the fake ---- */

int fake_error(int error);
void fake_broken(struct fake *fake, const char *what);
/* A line of the log; returns the error. */
long fake_say(struct fake *fake, long error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
struct file *file_new(enum file_kind kind);
struct file *file_get(struct file *file);
void file_put(struct fake *fake, struct file *file);
int fd_install(struct fake *fake, struct file *file);
struct file *fd_file(struct fake *fake, int fd, enum file_kind kind);
struct content *content_get(struct content *content);
void content_put(struct content *content);
void maps_free(struct fake_map *maps);

long iommufd_ioctl(struct fake *fake, struct file *file, unsigned long request, void *data);
void iommufd_release(struct fake *fake, struct file *file);
uint32_t object_alloc(struct file *iommufd, enum object_type type, uint32_t wanted);
struct fake_map *maps_of(const struct card *card);
struct fake_map *maps_copy(const struct fake_map *maps);
int iommufd_check_preserve(struct fake *fake, struct file *file, struct session *session);

long device_ioctl(struct fake *fake, struct file *file, unsigned long request, void *data);
void device_release(struct fake *fake, struct file *file);
void card_reset(struct card *card);
int device_check_preserve(struct fake *fake, struct file *file, struct session *session);

long liveupdate_ioctl(struct fake *fake, struct file *file, unsigned long request, void *data);
long session_ioctl(struct fake *fake, struct file *file, unsigned long request, void *data);
void session_release(struct fake *fake, struct file *file);
bool session_has(const struct session *session, const struct content *content);
int machine_kexec(struct fake *fake);
void machine_free(struct fake *fake);

#endif
