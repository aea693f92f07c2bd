/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of the library have in common. */
#ifndef ILU_INTERNAL_H
#define ILU_INTERNAL_H

#pragma GCC visibility push(default)
#include "iommu-liveupdate.h"
#pragma GCC visibility pop

#include "manifest.h"

/* ---- reasons.def ---- */

enum ilu_call {
#define ILU_CALL(id, name)			ILU_CALL_##id,
#include "reasons.def"
};

enum ilu_own {
#define ILU_OWN(own, err, id, text, hint)	ILU_OWN_##own,
#include "reasons.def"
};

/* ---- objects ---- */

/* The beginning of everything that has a name. */
struct ilu_object {
	struct ilu_object *next;
	struct ilu *ilu;
	bool hidden;		/* came in, and is not restored so far */
	char name[ILU_NAME_MAX + 1];
};

/* Which file it is. Device and number tell memfds apart as long as they are open. */
struct ilu_inode {
	bool known;
	uint64_t ino;
	uint32_t dev_major, dev_minor;
};

struct ilu_memory {
	struct ilu_object object;
	int fd;
	uint64_t length;
	void *address;		/* NULL: not mapped */
	uint64_t token;
	bool preserved;		/* already, by ilu_preserve_memory() */
	uint32_t number;	/* in the manifest */
	struct ilu_inode inode;	/* known as soon as something is adopted */
};

struct ilu_map {
	struct ilu_map *next;
	uint64_t iova, offset, length;
	struct ilu_memory *memory;
	unsigned int flags;
	bool made;
};

/* A page table. Devices of one kind share it. */
struct ilu_hwpt {
	struct ilu_hwpt *next;
	uint32_t id;
	bool marked;
};

/* What ilu_map_instead() has replaced, and with what. */
struct ilu_instead {
	struct ilu_instead *next;	/* the one before */
	uint64_t iova, length;
	uint64_t start;		/* in the original */
	uint32_t flags;		/* of the kernel */
	int original;
	struct ilu_inode copy;
	uint64_t copy_start;
	bool gap;		/* neither of them is mapped */
};

struct ilu_space {
	struct ilu_object object;
	uint32_t ioas;		/* 0: none so far */
	struct ilu_map *maps;
	struct ilu_hwpt *hwpts;
	struct ilu_instead *insteads;
	uint32_t number;
};

#define ILU_NR_BARS	6
#define ILU_NR_IRQS	5	/* kinds of interrupts: VFIO_PCI_NUM_IRQS */

struct ilu_bar {
	void *address;		/* NULL: not mapped */
	size_t length;
};

struct ilu_irqs {
	unsigned int count;	/* 0: not armed by this context */
	int *eventfds;		/* duplicates; -1: no interrupt of this number */
	bool off;		/* for a kexec */
};

struct ilu_device {
	struct ilu_object object;
	struct ilu_space *space;
	int fd;
	bool bound, attached;
	uint32_t id;		/* in the iommufd */
	uint32_t hwpt;		/* that it is attached to */
	char bdf[ILU_BDF_SIZE];
	struct ilu_ids ids;
	uint64_t config_offset, config_length;
	struct ilu_bar bars[ILU_NR_BARS];
	struct ilu_irqs irqs[ILU_NR_IRQS];
	uint64_t token;
};

struct ilu_blob {
	struct ilu_object object;
	int fd;
	uint64_t length;
	uint64_t token;		/* 0: not preserved */
};

/* ---- context ---- */

#define ILU_REASON_SIZE	256

struct ilu_stored_error {
	struct ilu_error public;
	char object[ILU_NAME_MAX + 1];
	char reason[ILU_REASON_SIZE];	/* in the words of the kernel */
};

struct ilu {
	struct ilu_ops ops;
	void *arg;
	void (*progress)(void *arg, unsigned int done, unsigned int of, const char *what);
	void *progress_arg;
	unsigned int patience_ms;
	struct ilu_stored_error error;

	char session_name[ILU_SESSION_NAME_MAX + 1];
	int session;
	enum ilu_role role;
	bool preserved;
	/* Something was preserved in the session: only closing it takes that back. */
	bool session_used;
	uint64_t generation;

	int iommufd;
	/* It is another program's, and so is all in there: none of it is destroyed. */
	bool foreign;
	struct ilu_object *memories, *spaces, *devices, *blobs;

	/* The manifest that is in the session, and tokens given out for it */
	int manifest_fd;
	struct ilu_manifest outgoing;
	uint64_t next_token;

	/* The one that came in, and how far its objects are restored */
	struct ilu_manifest incoming;
	uint64_t iommufd_token;
	bool built, swept, restored;
};

/* context.c */
size_t ilu_opts_copy(void *opts, size_t size, const void *given);
bool ilu_name_is_valid(const char *name);
struct ilu_object *ilu_find(struct ilu_object *list, const char *name);
void ilu_append(struct ilu_object **list, struct ilu_object *object);
void ilu_remove(struct ilu_object **list, struct ilu_object *object);
/* A named object of this size that is in no list so far, or NULL with the error said. */
void *ilu_new_object(struct ilu *ilu, size_t size, struct ilu_object *list, const char *name);
/* 0 if objects can be made or changed now. */
int ilu_may_change(struct ilu *ilu, const char *object);
/* Likewise, of those that must not be another program's. */
int ilu_may_make(struct ilu *ilu, const char *object);
/* Closes all of them. */
void ilu_drop_objects(struct ilu *ilu);
void ilu_progress(struct ilu *ilu, unsigned int done, unsigned int of, const char *what);

/* ids.c: is there something like the pattern in the line? */
bool ilu_line_fits(const char *line, const char *pattern);
/*
 * Of something that failed: who is not allowed to ask, asks when somebody else does, or has
 * nothing left to ask with has no answer.
 */
enum ilu_verdict ilu_id_verdict(enum ilu_id id);

/* error.c: both return the errno */
int ilu_fail(struct ilu *ilu, int error, enum ilu_call call, const char *object);
int ilu_refuse(struct ilu *ilu, enum ilu_own reason, const char *object);
enum ilu_id ilu_own_id(enum ilu_own reason);
/* What failed last, in words of the kernel: they say more than an errno. */
void ilu_explain(struct ilu *ilu, const char *reason);
/* Where in a space it is that was refused last */
void ilu_locate(struct ilu *ilu, uint64_t iova);
/* What failed before, again; its strings are those of the context. */
void ilu_error_restore(struct ilu *ilu, const struct ilu_stored_error *stored);

/* ops.c: negative errno; what fails is said, unless it is called try */
void ilu_ops_init(struct ilu *ilu, const struct ilu_ops *given);
int ilu_try_open(struct ilu *ilu, const char *path);
int ilu_open(struct ilu *ilu, enum ilu_call call, const char *path, const char *object);
void ilu_close(struct ilu *ilu, int *fd);
int ilu_try_ioctl(struct ilu *ilu, int fd, unsigned long request, void *data);
int ilu_ioctl(struct ilu *ilu, enum ilu_call call, int fd, unsigned long request, void *data,
	      const char *object);
int ilu_dup(struct ilu *ilu, int fd, const char *object);
void *ilu_mmap(struct ilu *ilu, size_t length, int flags, int fd, uint64_t offset,
	       const char *object);
int ilu_read(struct ilu *ilu, enum ilu_call call, int fd, void *data, size_t length,
	     uint64_t offset, const char *object);
int ilu_write(struct ilu *ilu, enum ilu_call call, int fd, const void *data, size_t length,
	      uint64_t offset, const char *object);
int ilu_length(struct ilu *ilu, int fd, uint64_t *length, const char *object);
int ilu_inode(struct ilu *ilu, int fd, struct ilu_inode *inode, const char *object);
bool ilu_same_inode(const struct ilu_inode *one, const struct ilu_inode *other);
/* A new memfd of this length, sealed. */
int ilu_memfd(struct ilu *ilu, const char *name, uint64_t length);
int ilu_seal(struct ilu *ilu, int fd, const char *object);
/* Waits a little; false when it has been long enough. *until is 0 at first. */
bool ilu_again(struct ilu *ilu, int64_t *until);

/* session.c */
int ilu_liveupdate_open(struct ilu *ilu);
/* After a call of the session that failed with this: does the kernel say why? */
void ilu_session_explain(struct ilu *ilu, int error);
/*
 * Would a kexec be refused because of this session? 0 or 1, with the reason as the error
 * of the context; a negative errno if it cannot be told.
 */
int ilu_session_test(struct ilu *ilu);
/* The name of what was preserved under this token */
const char *ilu_token_name(const struct ilu *ilu, uint64_t token);
int ilu_session_make(struct ilu *ilu);
void ilu_session_close(struct ilu *ilu);
int ilu_session_preserve(struct ilu *ilu, enum ilu_call call, int fd, uint64_t token,
			 const char *object);
int ilu_session_retrieve_fd(struct ilu *ilu, enum ilu_call call, uint64_t token,
			    const char *object);
int ilu_session_finish(struct ilu *ilu);

/* memory.c */
void ilu_memory_close(struct ilu_memory *memory);
/* Which files they are: those that it is not known of so far. */
int ilu_memories_identify(struct ilu *ilu);
struct ilu_memory *ilu_memory_by_inode(struct ilu *ilu, const struct ilu_inode *inode);
struct ilu_memory *ilu_memory_build(struct ilu *ilu, const struct ilu_memory_record *record);

/* space.c */
int ilu_iommufd_open(struct ilu *ilu);
int ilu_iommufd_destroy(struct ilu *ilu, uint32_t id);
int ilu_space_alloc(struct ilu_space *space);
struct ilu_space *ilu_space_build(struct ilu *ilu, const struct ilu_space_record *record);
struct ilu_map *ilu_map_build(struct ilu_space *space, struct ilu_memory *memory,
			      const struct ilu_map_record *record);
int ilu_map_make(struct ilu_space *space, struct ilu_map *map);
void ilu_maps_forget(struct ilu_space *space);
bool ilu_space_owns(const struct ilu_space *space, uint32_t id);
/* It becomes one of those that go along, if it is none already. */
int ilu_hwpt_adopt(struct ilu_space *space, uint32_t id);
void ilu_space_close(struct ilu_space *space);
/* To one of the page tables of its space, or to a new one */
int ilu_attach(struct ilu_device *device);

/* adopt.c: what another program has mapped */
int ilu_spaces_read(struct ilu *ilu);
/* After that: is it still so? */
int ilu_spaces_compare(struct ilu *ilu);
/* What ilu_map_instead() has replaced, as far as that can be */
int ilu_originals_again(struct ilu *ilu);
void ilu_originals_forget(struct ilu_space *space);

/* device.c */
struct ilu_device *ilu_device_build(struct ilu *ilu, struct ilu_space *space,
				    const struct ilu_device_record *record);
int ilu_device_take(struct ilu_device *device);
int ilu_device_identify(struct ilu_device *device, struct ilu_ids *ids);
void ilu_device_close(struct ilu_device *device);

/* irq.c: off is for all of them, or for none; for those of another program if they are known */
int ilu_irqs_off(struct ilu *ilu);
/* Likewise, but those that are off by then stay so if one fails. */
int ilu_irqs_try_off(struct ilu *ilu);
/* All that can be; what stays off is ILU_ID_DEV_IRQS_OFF. */
int ilu_irqs_again(struct ilu *ilu);
/* After what failed last. It stays the error, unless interrupts stay off: that is worse. */
int ilu_irqs_again_after(struct ilu *ilu);
void ilu_irqs_forget(struct ilu_device *device);

/* preserve.c: is there any that ilu_preserve_memory() has preserved? */
bool ilu_has_early_memory(const struct ilu *ilu);

/* blob.c */
int ilu_blob_preserve(struct ilu_blob *blob);
void ilu_blob_drop_all(struct ilu *ilu);

/* record.c: the manifest as a file */
int ilu_record_retrieve(struct ilu *ilu);
void ilu_record_forget(struct ilu *ilu);
int ilu_record_preserve(struct ilu *ilu);
int ilu_record_add_blob(struct ilu *ilu, const struct ilu_blob *blob);
void ilu_record_close(struct ilu *ilu);

/* restore.c */
int ilu_sweep(struct ilu *ilu);

#endif
