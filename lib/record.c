// SPDX-License-Identifier: LGPL-2.1-or-later
/* The manifest as a file of the session: read when it comes in, written when all goes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define FILE_NAME	"ilu-manifest"

/* ---- the one that came in ---- */

static int damaged(struct ilu *ilu, int error)
{
	return ilu_refuse(ilu, error == -EPROTONOSUPPORT ? ILU_OWN_NEWER : ILU_OWN_DAMAGED,
			  ilu->session_name);
}

/* Believed is no more of it than that it is not longer than the file. */
static int read_length(struct ilu *ilu, int fd, size_t *length)
{
	uint8_t header[ILU_HEADER_SIZE];
	uint64_t file_length;
	int error = ilu_length(ilu, fd, &file_length, FILE_NAME);

	if (error)
		return error;
	if (file_length < sizeof(header))
		return damaged(ilu, -EBADMSG);
	error = ilu_read(ilu, ILU_CALL_READ, fd, header, sizeof(header), 0, FILE_NAME);
	if (error)
		return error;
	error = ilu_manifest_header(header, length);
	if (!error && *length > file_length)
		error = -EBADMSG;
	return error ? damaged(ilu, error) : 0;
}

static int read_all(struct ilu *ilu, int fd)
{
	size_t length;
	int error = read_length(ilu, fd, &length);
	uint8_t *bytes;

	if (error)
		return error;
	bytes = malloc(length);
	if (!bytes)
		return ilu_refuse(ilu, ILU_OWN_NO_MEMORY, FILE_NAME);
	error = ilu_read(ilu, ILU_CALL_READ, fd, bytes, length, 0, FILE_NAME);
	if (!error) {
		error = ilu_manifest_check(&ilu->incoming, bytes, length);
		error = error ? damaged(ilu, error) : 0;
	}
	if (error)
		free(bytes);
	return error;
}

/* 1: there is none in the session. */
int ilu_record_retrieve(struct ilu *ilu)
{
	int fd = ilu_session_retrieve_fd(ilu, ILU_CALL_RETRIEVE_MANIFEST, ILU_TOKEN_MANIFEST,
					 ilu->session_name);
	int error;

	if (fd < 0)
		return fd == -ENOENT ? 1 : fd;
	error = read_all(ilu, fd);
	ilu_close(ilu, &fd);
	if (!error)
		ilu->generation = ilu->incoming.generation;
	return error;
}

void ilu_record_forget(struct ilu *ilu)
{
	free(ilu->incoming.bytes);
	ilu->incoming = (struct ilu_manifest) { 0 };
}

/* ---- the one that goes ---- */

static uint32_t count(const struct ilu_object *list)
{
	uint32_t nr = 0;

	for (; list; list = list->next)
		nr++;
	return nr;
}

static void count_all(const struct ilu *ilu, struct ilu_counts *nr)
{
	*nr = (struct ilu_counts) {
		.memories = count(ilu->memories),
		.spaces = count(ilu->spaces),
		.devices = count(ilu->devices),
		.blobs = count(ilu->blobs),
	};
	for (struct ilu_object *object = ilu->spaces; object; object = object->next)
		for (struct ilu_map *map = ((struct ilu_space *)object)->maps; map; map = map->next)
			nr->maps++;
}

static void put_memories(struct ilu *ilu)
{
	uint32_t number = 0;

	for (struct ilu_object *object = ilu->memories; object; object = object->next) {
		struct ilu_memory *memory = (struct ilu_memory *)object;
		struct ilu_memory_record record = {
			.token = memory->token,
			.length = memory->length,
		};

		strcpy(record.name, object->name);
		memory->number = number;
		ilu_manifest_put_memory(&ilu->outgoing, number++, &record);
	}
}

static uint32_t put_maps(struct ilu *ilu, const struct ilu_space *space, uint32_t number)
{
	for (const struct ilu_map *map = space->maps; map; map = map->next) {
		struct ilu_map_record record = {
			.iova = map->iova,
			.offset = map->offset,
			.length = map->length,
			.space = space->number,
			.memory = map->memory->number,
			.flags = map->flags,
		};

		ilu_manifest_put_map(&ilu->outgoing, number++, &record);
	}
	return number;
}

static void put_spaces(struct ilu *ilu)
{
	uint32_t number = 0, map_number = 0;

	for (struct ilu_object *object = ilu->spaces; object; object = object->next) {
		struct ilu_space *space = (struct ilu_space *)object;
		struct ilu_space_record record = { .iommufd_token = ilu->iommufd_token };

		strcpy(record.name, object->name);
		space->number = number;
		ilu_manifest_put_space(&ilu->outgoing, number++, &record);
		map_number = put_maps(ilu, space, map_number);
	}
}

static void put_devices(struct ilu *ilu)
{
	uint32_t number = 0;

	for (struct ilu_object *object = ilu->devices; object; object = object->next) {
		struct ilu_device *device = (struct ilu_device *)object;
		struct ilu_device_record record = {
			.ids = device->ids,
			.space = device->space->number,
			.token = device->token,
		};

		strcpy(record.name, object->name);
		strcpy(record.bdf, device->bdf);
		ilu_manifest_put_device(&ilu->outgoing, number++, &record);
	}
}

static void put_blob(struct ilu_manifest *manifest, uint32_t number, const struct ilu_blob *blob)
{
	struct ilu_blob_record record = { .token = blob->token, .length = blob->length };

	strcpy(record.name, blob->object.name);
	ilu_manifest_put_blob(manifest, number, &record);
}

static void put_blobs(struct ilu *ilu)
{
	uint32_t number = 0;

	for (struct ilu_object *object = ilu->blobs; object; object = object->next)
		put_blob(&ilu->outgoing, number++, (struct ilu_blob *)object);
}

/* The file is longer than what is in it: more blobs may come, and it cannot grow then. */
static size_t room(const struct ilu_manifest *manifest)
{
	return ilu_manifest_size(&manifest->nr) + ILU_BLOB_ROOM * ILU_BLOB_SIZE;
}

static int build(struct ilu *ilu)
{
	count_all(ilu, &ilu->outgoing.nr);
	if (room(&ilu->outgoing) > ILU_MANIFEST_LONGEST)
		return ilu_refuse(ilu, ILU_OWN_TOO_MUCH, ilu->session_name);
	ilu->outgoing.bytes = calloc(1, room(&ilu->outgoing));
	if (!ilu->outgoing.bytes)
		return ilu_refuse(ilu, ILU_OWN_NO_MEMORY, FILE_NAME);
	/* It is read by the next kernel's program: one live update more. */
	ilu->outgoing.generation = ilu->generation + 1;
	put_memories(ilu);
	put_spaces(ilu);
	put_devices(ilu);
	put_blobs(ilu);
	ilu_manifest_seal(&ilu->outgoing);
	return 0;
}

static int write_file(struct ilu *ilu)
{
	int fd = ilu_memfd(ilu, FILE_NAME, room(&ilu->outgoing));

	if (fd < 0)
		return fd;
	ilu->manifest_fd = fd;
	return ilu_write(ilu, ILU_CALL_WRITE, fd, ilu->outgoing.bytes, ilu->outgoing.size, 0,
			 FILE_NAME);
}

/* All tokens are given out before. */
int ilu_record_preserve(struct ilu *ilu)
{
	int error;

	ilu_record_close(ilu);
	error = build(ilu);
	if (!error)
		error = write_file(ilu);
	if (!error)
		error = ilu_session_preserve(ilu, ILU_CALL_PRESERVE_MEMORY, ilu->manifest_fd,
					     ILU_TOKEN_MANIFEST, FILE_NAME);
	if (error)
		ilu_record_close(ilu);
	return error;
}

void ilu_record_close(struct ilu *ilu)
{
	ilu_close(ilu, &ilu->manifest_fd);
	free(ilu->outgoing.bytes);
	ilu->outgoing = (struct ilu_manifest) { 0 };
}

/* First the record, where nothing counts so far; the header makes it count. */
static int append(struct ilu *ilu, struct ilu_manifest *longer)
{
	size_t end = ilu->outgoing.size;
	int error = ilu_write(ilu, ILU_CALL_WRITE, ilu->manifest_fd, longer->bytes + end,
			      longer->size - end, end, FILE_NAME);

	return error ? error : ilu_write(ilu, ILU_CALL_WRITE, ilu->manifest_fd, longer->bytes,
					 ILU_HEADER_SIZE, 0, FILE_NAME);
}

int ilu_record_add_blob(struct ilu *ilu, const struct ilu_blob *blob)
{
	struct ilu_manifest longer = ilu->outgoing;
	uint64_t file_length;
	int error = ilu_length(ilu, ilu->manifest_fd, &file_length, FILE_NAME);

	if (error)
		return error;
	longer.nr.blobs++;
	if (ilu_manifest_size(&longer.nr) > file_length)
		return ilu_refuse(ilu, ILU_OWN_MANIFEST_FULL, blob->object.name);
	put_blob(&longer, ilu->outgoing.nr.blobs, blob);
	ilu_manifest_seal(&longer);
	error = append(ilu, &longer);
	if (error) {
		ilu_manifest_seal(&ilu->outgoing);
		return error;
	}
	ilu->outgoing = longer;
	return 0;
}
