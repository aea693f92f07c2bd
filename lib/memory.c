// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "internal.h"

static struct ilu_memory *memory_new(struct ilu *ilu, const char *name)
{
	struct ilu_memory *memory;

	if (ilu_may_change(ilu, name))
		return NULL;
	memory = ilu_new_object(ilu, sizeof(*memory), ilu->memories, name);
	if (memory)
		memory->fd = -1;
	return memory;
}

/* Also of one that is in no list so far */
void ilu_memory_close(struct ilu_memory *memory)
{
	struct ilu *ilu = memory->object.ilu;

	if (memory->address)
		ilu->ops.munmap(ilu->arg, memory->address, memory->length);
	ilu_close(ilu, &memory->fd);
	ilu_remove(&ilu->memories, &memory->object);
	free(memory);
}

static int map(struct ilu_memory *memory, int flags)
{
	struct ilu *ilu = memory->object.ilu;

	if (memory->length > SIZE_MAX)
		return ilu_refuse(ilu, ILU_OWN_NOT_MAPPABLE, memory->object.name);
	memory->address = ilu_mmap(ilu, memory->length, flags, memory->fd, 0, memory->object.name);
	return memory->address ? 0 : ilu->error.public.err;
}

/* The device must not be the first to write to a page, and nobody late in need of one. */
static int create(struct ilu_memory *memory, uint64_t length, bool untouched)
{
	int fd = ilu_memfd(memory->object.ilu, memory->object.name, length);

	if (fd < 0)
		return fd;
	memory->fd = fd;
	memory->length = length;
	return untouched ? 0 : map(memory, MAP_POPULATE);
}

struct ilu_memory *ilu_memory_create(struct ilu *ilu, const char *name, uint64_t length,
				     const struct ilu_memory_opts *given)
{
	struct ilu_memory_opts opts;
	struct ilu_memory *memory;

	if (!ilu)
		return NULL;
	if (!ilu_opts_copy(&opts, sizeof(opts), given)) {
		ilu_refuse(ilu, ILU_OWN_OPTIONS_TOO_NEW, name);
		return NULL;
	}
	if (!length || length > INT64_MAX) {
		ilu_refuse(ilu, ILU_OWN_BAD_ARGUMENT, name);
		return NULL;
	}
	memory = memory_new(ilu, name);
	if (!memory)
		return NULL;
	if (create(memory, length, opts.untouched)) {
		ilu_memory_close(memory);
		return NULL;
	}
	ilu_append(&ilu->memories, &memory->object);
	return memory;
}

static int add(struct ilu_memory *memory, int memfd)
{
	struct ilu *ilu = memory->object.ilu;
	const char *name = memory->object.name;
	int fd = ilu_dup(ilu, memfd, name);
	int error;

	if (fd < 0)
		return fd;
	memory->fd = fd;
	/* Sealed first, so that its length is what it will be. */
	error = ilu_seal(ilu, fd, name);
	if (!error)
		error = ilu_length(ilu, fd, &memory->length, name);
	if (!error && !memory->length)
		error = ilu_refuse(ilu, ILU_OWN_EMPTY, name);
	return error;
}

struct ilu_memory *ilu_memory_add(struct ilu *ilu, const char *name, int memfd)
{
	struct ilu_memory *memory;

	if (!ilu)
		return NULL;
	memory = memory_new(ilu, name);
	if (!memory)
		return NULL;
	if (add(memory, memfd)) {
		ilu_memory_close(memory);
		return NULL;
	}
	ilu_append(&ilu->memories, &memory->object);
	return memory;
}

int ilu_memories_identify(struct ilu *ilu)
{
	for (struct ilu_object *object = ilu->memories; object; object = object->next) {
		struct ilu_memory *memory = (struct ilu_memory *)object;
		int error = 0;

		if (!memory->inode.known)
			error = ilu_inode(ilu, memory->fd, &memory->inode, object->name);
		if (error)
			return error;
	}
	return 0;
}

struct ilu_memory *ilu_memory_by_inode(struct ilu *ilu, const struct ilu_inode *inode)
{
	for (struct ilu_object *object = ilu->memories; object; object = object->next) {
		struct ilu_memory *memory = (struct ilu_memory *)object;

		if (ilu_same_inode(&memory->inode, inode))
			return memory;
	}
	return NULL;
}

/* One that came in, and is to be retrieved */
struct ilu_memory *ilu_memory_build(struct ilu *ilu, const struct ilu_memory_record *record)
{
	struct ilu_memory *memory = ilu_new_object(ilu, sizeof(*memory), NULL, record->name);

	if (!memory)
		return NULL;
	memory->fd = -1;
	memory->object.hidden = true;
	memory->length = record->length;
	memory->token = record->token;
	ilu_append(&ilu->memories, &memory->object);
	return memory;
}

struct ilu_memory *ilu_memory(struct ilu *ilu, const char *name)
{
	struct ilu_object *object;

	if (!ilu)
		return NULL;
	object = name ? ilu_find(ilu->memories, name) : NULL;
	if (!object)
		ilu_refuse(ilu, ILU_OWN_NO_OBJECT, name);
	return (struct ilu_memory *)object;
}

int ilu_memory_fd(const struct ilu_memory *memory)
{
	return memory ? memory->fd : -EBADF;
}

uint64_t ilu_memory_length(const struct ilu_memory *memory)
{
	return memory ? memory->length : 0;
}

void *ilu_memory_address(struct ilu_memory *memory)
{
	if (!memory || (!memory->address && map(memory, 0)))
		return NULL;
	return memory->address;
}
