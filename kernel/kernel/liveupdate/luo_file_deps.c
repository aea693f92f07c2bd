// SPDX-License-Identifier: GPL-2.0

/**
 * DOC: Dependencies Between Preserved Files
 *
 * A file may need another one of the same session, as a VFIO device file needs
 * the iommufd it is bound to. Every callback of a file handler is told its
 * session, and there are two look-ups:
 *
 * 1. In the old kernel, preserve() asks liveupdate_get_token_outgoing() under
 *    which token the other file was preserved, and hands the token over. Only
 *    files that were preserved before are found, which makes the order of
 *    preservation the order of dependency.
 *
 * 2. In the new kernel, retrieve() gets the file of that token from
 *    liveupdate_get_file_incoming(), which retrieves it if nobody has done that
 *    yet. It only returns files that were preserved before the one that asks,
 *    so that dependencies cannot form a cycle.
 *
 * 3. Files are unpreserved, asked by can_finish(), and finished in the reverse
 *    order of their preservation, so each comes before those that it depends on.
 *
 * Locking: the look-ups are called below the session mutex, which every callback
 * has. The mutex of a file is only ever taken below it, so several of them can be
 * held by a nested retrieve: session mutex, then files from later to earlier.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/list.h>
#include <linux/liveupdate.h>
#include <linux/lockdep.h>
#include <linux/mutex.h>
#include <linux/printk.h>
#include "luo_file.h"
#include "luo_internal.h"

/* Is @file the one that @luo_file stands for, or another open of the same? */
static bool luo_file_matches(struct luo_file *luo_file, struct file *file)
{
	struct liveupdate_file_handler *fh = luo_file->fh;

	if (luo_file->file == file)
		return true;

	/* Only the handler knows whether its get_id() understands the file. */
	if (!fh->ops->get_id || !fh->ops->can_preserve(fh, file))
		return false;

	return luo_get_id(fh, luo_file->file) == luo_get_id(fh, file);
}

/**
 * liveupdate_get_token_outgoing - Find the token of a file in a session.
 * @session: The session that the caller's callback was given.
 * @file:    The file to look for.
 * @tokenp:  Output parameter; on success, the token under which @file is
 *           preserved in @session.
 *
 * Only files whose preservation is complete are found. A handler that needs
 * another file calls this from its preserve() callback; what it gets then is a
 * file that will be retrievable before its own, and that is unpreserved and
 * finished after its own.
 *
 * Files are compared the way their handler identifies them, not by &struct
 * file: another open file of a preserved memfd has the memfd's token.
 *
 * This does not take a reference to @file and does not look into other
 * sessions.
 *
 * Context: Process context, from a callback of a file in an outgoing session,
 *          which is called with the session mutex held. Calls can_preserve() and
 *          get_id() of other handlers.
 * Return: 0 on success, or a negative errno on failure:
 *         -ENOENT if the file is not preserved in this session.
 *         -EINVAL if the session is an incoming one.
 */
int liveupdate_get_token_outgoing(struct liveupdate_session *session,
				  struct file *file, u64 *tokenp)
{
	struct luo_session *luo_session = luo_session_from_handle(session);
	struct luo_file *luo_file;

	lockdep_assert_held(&luo_session->mutex);

	if (luo_session->retrieved)
		return -EINVAL;

	list_for_each_entry(luo_file, &luo_session->file_set.files_list, list) {
		if (luo_file_matches(luo_file, file)) {
			*tokenp = luo_file->token;
			return 0;
		}
	}

	return -ENOENT;
}
EXPORT_SYMBOL_GPL(liveupdate_get_token_outgoing);

/**
 * liveupdate_get_file_incoming - Get the file of a token in a session.
 * @session: The session that the caller's callback was given.
 * @token:   The token of the file, as liveupdate_get_token_outgoing() gave it in
 *           the previous kernel.
 * @filep:   Output parameter; on success, the file with a reference that the
 *           caller drops with fput().
 *
 * If user space has not retrieved the file yet, this does it, by the retrieve()
 * callback of the file's handler. User space then gets the same file when it
 * asks for the token.
 *
 * Only a file that was preserved before the calling one is returned. A valid
 * handler never needs another one, and with broken data of the previous kernel
 * the files would wait for each other.
 *
 * Context: Process context, from a retrieve(), can_finish() or finish() callback
 *          of a file in an incoming session, which is called with the session
 *          mutex and the mutex of that file held. May sleep.
 * Return: 0 on success, or a negative errno on failure:
 *         -ENOENT if the session has no file with this token.
 *         -ELOOP if the file is the calling one or was preserved after it.
 *         Any error code returned by the handler's .retrieve() op.
 */
int liveupdate_get_file_incoming(struct liveupdate_session *session,
				 u64 token, struct file **filep)
{
	struct luo_session *luo_session = luo_session_from_handle(session);
	struct luo_file_set *file_set = &luo_session->file_set;
	struct luo_file *luo_file, *iter;

	lockdep_assert_held(&luo_session->mutex);

	luo_file = luo_file_find(file_set, token);
	if (!luo_file)
		return -ENOENT;

	/*
	 * Files are only locked below the session mutex, which is held here. So
	 * a locked one is one whose callback has led to this call, and the first
	 * of them in the list is the one that asks.
	 */
	list_for_each_entry(iter, &file_set->files_list, list) {
		if (mutex_is_locked(&iter->mutex)) {
			liveupdate_refuse_warn("Session [%s]: file of token[%#0llx] must not depend on token[%#0llx]\n",
					       luo_session->name, iter->token,
					       token);
			return -ELOOP;
		}
		if (iter == luo_file)
			break;
	}

	return luo_retrieve_file(file_set, token, filep);
}
EXPORT_SYMBOL_GPL(liveupdate_get_file_incoming);
