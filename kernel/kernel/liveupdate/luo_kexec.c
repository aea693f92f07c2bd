// SPDX-License-Identifier: GPL-2.0

/**
 * DOC: When LUO Refuses a Kexec
 *
 * Preserved files may stand for devices that go on running. A kernel that does
 * not hear of them gives the memory that they use to somebody else. So before the
 * first freeze callback, while a refusal costs nothing, luo_kexec_check() looks
 * for what the next kernel would not be told:
 *
 * 1. The image takes no KHO data along. Then it must not be started while a
 *    session holds preserved files.
 *
 * 2. A session of the previous kernel holds files that want an explicit finish,
 *    and was not finished. What came from the previous kernel is not passed on
 *    to the next one. A file for which there was no handler when the session was
 *    read may be one of these. If that comes with a module, it can be finished.
 *
 * 3. A session of the previous kernel could not be read completely. It is in the
 *    way if one of its files wants an explicit finish, and also if that is not
 *    known, because the list of files is damaged. If all of its files are known
 *    to need no such care, as memfds, nothing but their content is lost.
 *    As /dev/liveupdate cannot be opened after that, the same goes for complete
 *    sessions: nobody can finish them any more.
 *
 * 4. A page of the memory that is handed over is poisoned, and files are preserved.
 *    The next kernel would use it as a sound one.
 *
 * An ordinary reboot is always possible. It resets the devices, and is what is
 * left to do in case 3.
 *
 * Locking: luo_session_serialize() calls this with luo_session_gate closed,
 * which keeps all sessions from being added, removed, retrieved or finished.
 * luo_kexec_session_lost() is called once by deserialization, which
 * luo_session_serialize() has been through by then.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cleanup.h>
#include <linux/errno.h>
#include <linux/kho/abi/luo.h>
#include <linux/list.h>
#include <linux/liveupdate.h>
#include <linux/mutex.h>
#include <linux/printk.h>
#include <linux/string.h>
#include "kexec_handover_internal.h"
#include "luo_file.h"
#include "luo_internal.h"

/* The last session of which nothing could be read, if it had files. */
static char luo_kexec_lost[LIVEUPDATE_SESSION_NAME_LENGTH];

/**
 * liveupdate_session_explicit_finish - May files of a session be in use all along?
 * @session: The session that the caller's callback was given.
 *
 * Context: Process context, from a callback of a file in an incoming session.
 * Return: true if the session holds a file whose handler wants an explicit
 *         finish, such as that of a device, which may be using the memory of the
 *         session's other files already.
 */
bool liveupdate_session_explicit_finish(struct liveupdate_session *session)
{
	return luo_session_from_handle(session)->file_set.explicit_finish;
}

/**
 * luo_kexec_session_lost - Note that a session could not be read at all.
 * @ser: What the previous kernel handed over.
 *
 * Only for sessions that did not make it into the list of incoming ones. Without
 * files a session has nothing to lose.
 *
 * Context: Called by session deserialization.
 */
void luo_kexec_session_lost(const struct luo_session_ser *ser)
{
	if (!ser->file_set_ser.count && !ser->file_set_ser.files)
		return;

	strscpy(luo_kexec_lost, ser->name);
	/* The name is what says that there is one. */
	if (!luo_kexec_lost[0])
		strscpy(luo_kexec_lost, "?");
}

static int luo_kexec_refuse_unreadable(const char *name,
				       struct luo_refusal *refusal)
{
	strscpy(refusal->name, name);
	liveupdate_refuse_warn("Session [%s] of the previous kernel may hold files of running devices and cannot be finished, because not all sessions could be read: kexec refused, reboot without kexec\n",
			       name);

	return -EBUSY;
}

static int luo_kexec_check_incoming(struct list_head *sessions, int read_err,
				    struct luo_refusal *refusal)
{
	struct luo_session *session;

	if (luo_kexec_lost[0])
		return luo_kexec_refuse_unreadable(luo_kexec_lost, refusal);

	list_for_each_entry(session, sessions, list) {
		guard(mutex)(&session->mutex);
		if (!session->file_set.explicit_finish)
			continue;

		if (read_err)
			return luo_kexec_refuse_unreadable(session->name, refusal);

		strscpy(refusal->name, session->name);
		liveupdate_refuse_warn("Session [%s] of the previous kernel must be finished before the next kexec\n",
				       session->name);
		return -EBUSY;
	}

	return 0;
}

static int luo_kexec_check_poison(u64 nr_files)
{
	phys_addr_t phys;

	if (!nr_files || !kho_preserved_poison(&phys))
		return 0;

	/* Told to nobody but who may ask for the whole machine */
	liveupdate_refuse_warn("Preserved memory at %pa is poisoned: kexec refused, close the session that it belongs to\n",
			       &phys);
	return -EHWPOISON;
}

static u64 luo_kexec_nr_files(struct list_head *sessions)
{
	struct luo_session *session;
	u64 nr_files = 0;

	list_for_each_entry(session, sessions, list) {
		guard(mutex)(&session->mutex);
		nr_files += session->file_set.count;
	}

	return nr_files;
}

static int luo_kexec_check_image(struct list_head *sessions, bool takes_kho,
				 struct luo_refusal *refusal)
{
	struct luo_session *session;

	/* Only kexec_file_load(2) gives an image the KHO data. */
	if (takes_kho)
		return 0;

	list_for_each_entry(session, sessions, list) {
		guard(mutex)(&session->mutex);
		if (!session->file_set.count)
			continue;

		strscpy(refusal->name, session->name);
		liveupdate_refuse_warn("Session [%s] holds preserved files, but the image has no KHO data: load it by kexec_file_load(2)\n",
				       session->name);
		return -EINVAL;
	}

	return 0;
}

/**
 * luo_kexec_check - May the next kernel be started?
 * @incoming:     The sessions of the previous kernel.
 * @incoming_err: The error that reading them has ended with, or 0.
 * @outgoing:     The sessions that are to be handed over.
 * @takes_kho:    Does the image that is to be started take KHO data along?
 * @refusal:      Set to who is in the way, if there is somebody.
 *
 * Undone by luo_kexec_uncheck().
 *
 * Context: See DOC above.
 * Return: 0 if so, or a negative errno, with a message that names the session:
 *         -EBUSY if a session of the previous kernel has to be finished first,
 *         or should be but cannot.
 *         -EINVAL if files are preserved, but the image takes no KHO data along.
 *         -EHWPOISON if files are preserved, and a page of preserved memory is
 *         poisoned.
 *         -EIO if the next kernel cannot be told how many files there are.
 */
int luo_kexec_check(struct list_head *incoming, int incoming_err,
		    struct list_head *outgoing, bool takes_kho,
		    struct luo_refusal *refusal)
{
	u64 nr_files;
	int err;

	err = luo_kexec_check_incoming(incoming, incoming_err, refusal);
	if (err)
		return err;

	err = luo_kexec_check_image(outgoing, takes_kho, refusal);
	if (err)
		return err;

	nr_files = luo_kexec_nr_files(outgoing);
	err = luo_kexec_check_poison(nr_files);
	if (err)
		return err;

	/* One that cannot use what it is told needs to know whether it has to. */
	return kho_set_preserved_files(nr_files);
}

/**
 * luo_kexec_uncheck - The next kernel is not started.
 *
 * Takes back what it would have been told.
 *
 * Context: As luo_kexec_check().
 */
void luo_kexec_uncheck(void)
{
	kho_set_preserved_files(0);
}
