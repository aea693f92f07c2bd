// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define PATIENCE_MS	5000

/*
 * Options of a program that was compiled against another header: what it does not
 * know is 0, what is not known here must be. Returns 0 if it is not.
 */
size_t ilu_opts_copy(void *opts, size_t size, const void *given)
{
	const unsigned char *bytes = given;
	size_t length;

	memset(opts, 0, size);
	if (!given)
		return size;
	memcpy(&length, given, sizeof(length));
	for (size_t i = size; i < length; i++)
		if (bytes[i])
			return 0;
	memcpy(opts, given, length < size ? length : size);
	return size;
}

struct ilu *ilu_new(const struct ilu_new_opts *given)
{
	struct ilu_new_opts opts;
	struct ilu_ops ops;
	struct ilu *ilu;

	if (!ilu_opts_copy(&opts, sizeof(opts), given) ||
	    !ilu_opts_copy(&ops, sizeof(ops), opts.ops)) {
		errno = E2BIG;
		return NULL;
	}
	ilu = calloc(1, sizeof(*ilu));
	if (!ilu)
		return NULL;
	ilu_ops_init(ilu, &ops);
	ilu->arg = opts.ops_arg;
	ilu->progress = opts.progress;
	ilu->progress_arg = opts.progress_arg;
	ilu->patience_ms = opts.patience_ms ? opts.patience_ms : PATIENCE_MS;
	ilu->error.public = (struct ilu_error) { .call = "", .object = "", .text = "", .hint = "",
						.reason = "" };
	ilu->session = -1;
	ilu->iommufd = -1;
	ilu->manifest_fd = -1;
	return ilu;
}

/* The users of a thing before the thing. */
void ilu_drop_objects(struct ilu *ilu)
{
	while (ilu->devices)
		ilu_device_close((struct ilu_device *)ilu->devices);
	while (ilu->spaces)
		ilu_space_close((struct ilu_space *)ilu->spaces);
	while (ilu->memories)
		ilu_memory_close((struct ilu_memory *)ilu->memories);
	ilu_close(ilu, &ilu->iommufd);
	ilu->foreign = false;
	ilu->iommufd_token = 0;
	ilu->built = false;
	ilu->swept = false;
	ilu->restored = false;
}

/* All of it is tried. What failed first is said. */
static int give_back(struct ilu *ilu)
{
	struct ilu_stored_error first;
	int error;

	if (ilu->role == ILU_ROLE_OUTGOING)
		ilu_session_close(ilu);
	ilu_record_close(ilu);
	error = ilu_irqs_again(ilu);
	first = ilu->error;
	if (!error)
		return ilu_originals_again(ilu);
	ilu_originals_again(ilu);
	ilu_error_restore(ilu, &first);
	return error;
}

int ilu_release(struct ilu *ilu)
{
	int error;

	if (!ilu)
		return -EINVAL;
	if (ilu->role == ILU_ROLE_INCOMING)
		return ilu_refuse(ilu, ILU_OWN_NOT_RESTORED, ilu->session_name);
	if (ilu->role == ILU_ROLE_FOREIGN)
		return ilu_refuse(ilu, ILU_OWN_IS_FOREIGN, ilu->session_name);
	error = give_back(ilu);
	if (error)
		return error;
	/* From here on they are, whoever has made them. */
	ilu->foreign = true;
	ilu_drop_objects(ilu);
	return 0;
}

/*
 * An outgoing session first: what is preserved cannot be taken apart. One that came
 * in last, so that whoever finds it can have the files.
 */
void ilu_free(struct ilu *ilu)
{
	if (!ilu)
		return;
	if (ilu->role == ILU_ROLE_OUTGOING)
		ilu_session_close(ilu);
	if (ilu->foreign)
		give_back(ilu);
	ilu_drop_objects(ilu);
	ilu_blob_drop_all(ilu);
	ilu_record_close(ilu);
	ilu_record_forget(ilu);
	ilu_session_close(ilu);
	free(ilu);
}

bool ilu_name_is_valid(const char *name)
{
	return name && name[0] && strnlen(name, ILU_NAME_MAX + 1) <= ILU_NAME_MAX;
}

struct ilu_object *ilu_find(struct ilu_object *list, const char *name)
{
	while (list && (list->hidden || strcmp(list->name, name)))
		list = list->next;
	return list;
}

void ilu_append(struct ilu_object **list, struct ilu_object *object)
{
	while (*list)
		list = &(*list)->next;
	*list = object;
}

void ilu_remove(struct ilu_object **list, struct ilu_object *object)
{
	while (*list && *list != object)
		list = &(*list)->next;
	if (*list)
		*list = object->next;
}

void *ilu_new_object(struct ilu *ilu, size_t size, struct ilu_object *list, const char *name)
{
	struct ilu_object *object;

	if (!ilu_name_is_valid(name)) {
		ilu_refuse(ilu, ILU_OWN_BAD_NAME, NULL);
		return NULL;
	}
	if (ilu_find(list, name)) {
		ilu_refuse(ilu, ILU_OWN_NAME_TAKEN, name);
		return NULL;
	}
	object = calloc(1, size);
	if (!object) {
		ilu_refuse(ilu, ILU_OWN_NO_MEMORY, name);
		return NULL;
	}
	object->ilu = ilu;
	strcpy(object->name, name);
	return object;
}

int ilu_may_change(struct ilu *ilu, const char *object)
{
	if (ilu->preserved)
		return ilu_refuse(ilu, ILU_OWN_IS_PRESERVED, object);
	if (ilu->role == ILU_ROLE_INCOMING)
		return ilu_refuse(ilu, ILU_OWN_NOT_RESTORED, object);
	return 0;
}

int ilu_may_make(struct ilu *ilu, const char *object)
{
	if (ilu->foreign)
		return ilu_refuse(ilu, ILU_OWN_NOT_OURS, object);
	return ilu_may_change(ilu, object);
}

void ilu_progress(struct ilu *ilu, unsigned int done, unsigned int of, const char *what)
{
	if (ilu->progress)
		ilu->progress(ilu->progress_arg, done, of, what);
}
