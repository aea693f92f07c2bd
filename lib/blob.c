// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Blobs: each a memfd of its own. Those of the program are in the list; those that
 * came in are in the manifest, until it is finished.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

static void blob_free(struct ilu *ilu, struct ilu_blob *blob)
{
	ilu_close(ilu, &blob->fd);
	free(blob);
}

void ilu_blob_drop_all(struct ilu *ilu)
{
	while (ilu->blobs) {
		struct ilu_object *blob = ilu->blobs;

		ilu_remove(&ilu->blobs, blob);
		blob_free(ilu, (struct ilu_blob *)blob);
	}
}

/* A memfd without a byte is no file worth preserving. */
static int fill(struct ilu *ilu, struct ilu_blob *blob, const void *data, size_t length)
{
	int fd = ilu_memfd(ilu, blob->object.name, length ? length : 1);
	int error;

	if (fd < 0)
		return fd;
	blob->fd = fd;
	blob->length = length;
	error = ilu_write(ilu, ILU_CALL_WRITE, fd, data, length, 0, blob->object.name);
	if (error)
		ilu_close(ilu, &blob->fd);
	return error;
}

int ilu_blob_preserve(struct ilu_blob *blob)
{
	struct ilu *ilu = blob->object.ilu;
	uint64_t token = ilu->next_token++;
	int error = ilu_session_preserve(ilu, ILU_CALL_PRESERVE_MEMORY, blob->fd, token,
					 blob->object.name);

	if (!error)
		blob->token = token;
	return error;
}

static int hand_over(struct ilu *ilu, struct ilu_blob *blob)
{
	int error = ilu_blob_preserve(blob);

	return error ? error : ilu_record_add_blob(ilu, blob);
}

/* Made, and handed over, before it takes the place of the old one. */
int ilu_blob_set(struct ilu *ilu, const char *name, const void *data, size_t length)
{
	struct ilu_object *old;
	struct ilu_blob *blob;
	int error;

	if (!ilu)
		return -EINVAL;
	if ((length && !data) || length > SIZE_MAX / 2)
		return ilu_refuse(ilu, ILU_OWN_BAD_ARGUMENT, name);
	blob = ilu_new_object(ilu, sizeof(*blob), NULL, name);
	if (!blob)
		return ilu->error.public.err;
	blob->fd = -1;
	error = fill(ilu, blob, data, length);
	if (!error && ilu->preserved)
		error = hand_over(ilu, blob);
	if (error) {
		blob_free(ilu, blob);
		return error;
	}
	old = ilu_find(ilu->blobs, name);
	ilu_append(&ilu->blobs, &blob->object);
	if (old) {
		ilu_remove(&ilu->blobs, old);
		blob_free(ilu, (struct ilu_blob *)old);
	}
	return 0;
}

static ssize_t read_blob(struct ilu *ilu, int fd, const char *name, uint64_t blob_length,
			 void *data, size_t length)
{
	int error;

	if (length > blob_length)
		length = blob_length;
	error = ilu_read(ilu, ILU_CALL_READ, fd, data, length, 0, name);
	return error ? error : (ssize_t)blob_length;
}

static ssize_t read_incoming(struct ilu *ilu, const struct ilu_blob_record *record, void *data,
			     size_t length)
{
	uint64_t file_length;
	ssize_t result;
	int fd = ilu_session_retrieve_fd(ilu, ILU_CALL_RETRIEVE_MEMORY, record->token,
					 record->name);

	if (fd < 0)
		return fd;
	result = ilu_length(ilu, fd, &file_length, record->name);
	if (!result && file_length < record->length)
		result = ilu_refuse(ilu, ILU_OWN_OTHER_LENGTH, record->name);
	if (!result)
		result = read_blob(ilu, fd, record->name, record->length, data, length);
	ilu_close(ilu, &fd);
	return result;
}

/* Of two of a name the last one was set last. */
static bool find_incoming(struct ilu *ilu, const char *name, struct ilu_blob_record *record)
{
	for (uint32_t i = ilu->incoming.nr.blobs; i--; ) {
		ilu_manifest_blob(&ilu->incoming, i, record);
		if (!strcmp(record->name, name))
			return true;
	}
	return false;
}

ssize_t ilu_blob_get(struct ilu *ilu, const char *name, void *data, size_t length)
{
	struct ilu_blob_record record;
	struct ilu_blob *blob;

	if (!ilu)
		return -EINVAL;
	if (!ilu_name_is_valid(name))
		return ilu_refuse(ilu, ILU_OWN_BAD_NAME, NULL);
	if (length && !data)
		return ilu_refuse(ilu, ILU_OWN_BAD_ARGUMENT, name);
	blob = (struct ilu_blob *)ilu_find(ilu->blobs, name);
	if (blob)
		return read_blob(ilu, blob->fd, name, blob->length, data, length);
	if (find_incoming(ilu, name, &record))
		return read_incoming(ilu, &record, data, length);
	return ilu_refuse(ilu, ILU_OWN_NO_OBJECT, name);
}
