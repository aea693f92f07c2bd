/* SPDX-License-Identifier: GPL-2.0 */

/*
 * Copyright (c) 2025, Google LLC.
 * Pasha Tatashin <pasha.tatashin@soleen.com>
 */

#ifndef _LINUX_LUO_FILE_H
#define _LINUX_LUO_FILE_H

#include <linux/cleanup.h>
#include <linux/container_of.h>
#include <linux/list.h>
#include <linux/liveupdate.h>
#include <linux/mutex.h>
#include <linux/types.h>
#include "luo_internal.h"

/**
 * struct luo_file - Represents a single preserved file instance.
 * @fh:            Pointer to the &struct liveupdate_file_handler that manages
 *                 this type of file. In the new kernel NULL until a handler was
 *                 found, under the session mutex.
 * @compatible:    In the new kernel, the handler that is needed.
 * @session:       The session the file belongs to.
 * @file:          Pointer to the kernel's &struct file that is being preserved.
 *                 This is NULL in the new kernel until the file is successfully
 *                 retrieved.
 * @serialized_data: The opaque u64 handle to the serialized state of the file.
 *                 This handle is passed back to the handler's .freeze(),
 *                 .retrieve(), and .finish() callbacks, allowing it to track
 *                 and update its serialized state across phases.
 * @private_data:  Pointer to the private data for the file used to hold runtime
 *                 state that is not preserved. Set by the handler's .preserve()
 *                 callback, and must be freed in the handler's .unpreserve()
 *                 callback. In the new kernel, set by the handler's .retrieve()
 *                 callback, and must be freed in its .finish() callback.
 * @retrieve_status: Status code indicating whether a user/kernel in the new kernel has
 *                 successfully called retrieve() on this file. This prevents
 *                 multiple retrieval attempts. A value of 0 means a retrieve()
 *                 has not been attempted, a positive value means the retrieve()
 *                 was successful, and a negative value means the retrieve()
 *                 failed, and the value is the error code of the call. Failures
 *                 by -EAGAIN and -ENOMEM do not count as attempts, nor does the
 *                 lack of a handler.
 * @mutex:         A mutex that protects the fields of this specific instance
 *                 (e.g., @retrieved, @file), ensuring that operations like
 *                 retrieving or finishing a file are atomic.
 * @list:          The list_head linking this instance into its parent
 *                 file_set's list of preserved files.
 * @token:         The user-provided unique token used to identify this file.
 *
 * This structure is the core in-kernel representation of a single file being
 * managed through a live update. An instance is created by luo_preserve_file()
 * to link a 'struct file' to its corresponding handler, a user-provided token,
 * and the serialized state handle returned by the handler's .preserve()
 * operation.
 *
 * These instances are tracked in a per-file_set list. The @serialized_data
 * field, which holds a handle to the file's serialized state, may be updated
 * during the .freeze() callback before being serialized for the next kernel.
 * After reboot, these structures are recreated by luo_file_deserialize() and
 * are finally cleaned up by luo_file_finish().
 */
struct luo_file {
	struct liveupdate_file_handler *fh;
	char compatible[LIVEUPDATE_HNDL_COMPAT_LENGTH];
	struct luo_session *session;
	struct file *file;
	u64 serialized_data;
	void *private_data;
	int retrieve_status;
	struct mutex mutex;
	struct list_head list;
	u64 token;
};

/*
 * The session mutex is held in every callback and protects the list of files.
 * In all callbacks but preserve() and unpreserve() the mutex of the file is
 * held as well. A nested retrieve takes it for one file after the other, always
 * from later to earlier ones, and always below the session mutex.
 */
static inline void luo_file_lock(struct luo_file *luo_file)
{
	mutex_lock_nest_lock(&luo_file->mutex, &luo_file->session->mutex);
}

static inline void luo_file_unlock(struct luo_file *luo_file)
{
	mutex_unlock(&luo_file->mutex);
}

DEFINE_GUARD(luo_file, struct luo_file *, luo_file_lock(_T), luo_file_unlock(_T))

/* Every file set is part of a session. */
static inline struct luo_session *
luo_session_of_file_set(struct luo_file_set *file_set)
{
	return container_of(file_set, struct luo_session, file_set);
}

/*
 * File handlers know their session as struct liveupdate_session. That type is
 * never defined, so all they can do with it is hand it back.
 */
static inline struct liveupdate_session *
luo_session_to_handle(struct luo_session *session)
{
	return (struct liveupdate_session *)session;
}

static inline struct luo_session *
luo_session_from_handle(struct liveupdate_session *handle)
{
	return (struct luo_session *)handle;
}

/* What every callback of the file's handler is told. */
static inline struct liveupdate_file_op_args
luo_file_op_args(const struct luo_file *luo_file)
{
	return (struct liveupdate_file_op_args) {
		.handler = luo_file->fh,
		.session = luo_session_to_handle(luo_file->session),
		.retrieve_status = luo_file->retrieve_status,
		.file = luo_file->file,
		.serialized_data = luo_file->serialized_data,
		.private_data = luo_file->private_data,
	};
}

static inline unsigned long luo_get_id(struct liveupdate_file_handler *fh,
				       struct file *file)
{
	return fh->ops->get_id ? fh->ops->get_id(file) : (unsigned long)file;
}

static inline struct luo_file *luo_file_find(struct luo_file_set *file_set,
					     u64 token)
{
	struct luo_file *iter;

	list_for_each_entry(iter, &file_set->files_list, list) {
		if (iter->token == token)
			return iter;
	}

	return NULL;
}

#endif /* _LINUX_LUO_FILE_H */
