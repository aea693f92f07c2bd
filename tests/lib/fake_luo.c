// SPDX-License-Identifier: GPL-2.0
/* /dev/liveupdate, sessions, and the kexec */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake.h"
#include "uapi.h"

static struct session *find(struct fake *fake, const char *name, bool incoming)
{
	struct session *session = fake->sessions;

	while (session && (session->incoming != incoming || strcmp(session->name, name)))
		session = session->next;
	return session;
}

static struct session *session_new(struct fake *fake, const char *name, bool incoming)
{
	struct session *session = calloc(1, sizeof(*session));

	snprintf(session->name, sizeof(session->name), "%s", name);
	session->incoming = incoming;
	session->next = fake->sessions;
	session->id = session->next ? session->next->id + 1 : 1;
	fake->sessions = session;
	return session;
}

static int session_fd(struct fake *fake, struct session *session)
{
	struct file *file = file_new(FILE_SESSION);

	file->session = session;
	session->taken = true;
	return fd_install(fake, file);
}

static bool wants_finish(const struct session *session);

/* The first with a greater id: they have those of the order in which they were made */
static struct session *session_after(struct fake *fake, uint64_t id)
{
	struct session *found = NULL;

	for (struct session *session = fake->sessions; session; session = session->next)
		if (session->id > id && (!found || session->id < found->id))
			found = session;
	return found;
}

static long list_sessions(struct fake *fake, struct liveupdate_ioctl_list_sessions *call)
{
	struct session *session = session_after(fake, call->id);

	if (!session)
		return -ENOENT;
	call->id = session->id;
	call->flags = session->incoming ? LIVEUPDATE_SESSION_FLAG_INCOMING : 0;
	call->flags |= session->taken ? LIVEUPDATE_SESSION_FLAG_OPEN : 0;
	if (session->incoming && wants_finish(session))
		call->flags |= LIVEUPDATE_SESSION_FLAG_NEEDS_FINISH;
	call->nr_files = 0;
	for (struct entry *entry = session->entries; entry; entry = entry->next)
		call->nr_files++;
	memcpy(call->name, session->name, sizeof(call->name));
	return 0;
}

static int check_sessions(struct fake *fake, const char **name, uint64_t *token);

static void test_kexec(struct fake *fake, struct liveupdate_ioctl_test_kexec *call)
{
	const char *name = "";

	fake->tests++;
	call->token = 0;
	call->error = fake->kexec_errno ? -fake->kexec_errno :
		      check_sessions(fake, &name, (uint64_t *)&call->token);
	call->image = fake->image ? fake->image_kind : LIVEUPDATE_IMAGE_NONE;
	snprintf((char *)call->name, sizeof(call->name), "%s", name);
	snprintf((char *)call->reason, sizeof(call->reason), "%s", fake->reason);
}

long liveupdate_ioctl(struct fake *fake, struct file *file, unsigned long request, void *data)
{
	struct liveupdate_ioctl_create_session *call = data;
	const char *name = (const char *)call->name;
	struct session *session;

	(void)file;
	fake->reason[0] = 0;
	if (request == LIVEUPDATE_IOCTL_LIST_SESSIONS && !fake->old_kernel)
		return list_sessions(fake, data);
	if (request == LIVEUPDATE_IOCTL_TEST_KEXEC && !fake->old_kernel) {
		test_kexec(fake, data);
		return 0;
	}
	if (request != LIVEUPDATE_IOCTL_CREATE_SESSION &&
	    request != LIVEUPDATE_IOCTL_RETRIEVE_SESSION)
		return -ENOTTY;
	if (!name[0] || strnlen(name, sizeof(call->name)) == sizeof(call->name))
		return -EINVAL;
	if (request == LIVEUPDATE_IOCTL_CREATE_SESSION) {
		if (find(fake, name, false))
			return -EEXIST;
		call->fd = session_fd(fake, session_new(fake, name, false));
		return 0;
	}
	session = find(fake, name, true);
	if (!session)
		return -ENOENT;
	if (session->taken)
		return -EINVAL;
	call->fd = session_fd(fake, session);
	return 0;
}

/* ---- the old kernel ---- */

bool session_has(const struct session *session, const struct content *content)
{
	for (const struct entry *entry = session->entries; entry; entry = entry->next)
		if (entry->content == content)
			return true;
	return false;
}

static int check_preserve(struct fake *fake, struct session *session, struct file *file)
{
	if (file->preserved || file->incoming)
		return -EBUSY;
	switch (file->kind) {
	case FILE_MEMFD:
		return 0;
	case FILE_IOMMUFD:
		return iommufd_check_preserve(fake, file, session);
	case FILE_DEVICE:
		return device_check_preserve(fake, file, session);
	default:
		return -ENOENT;
	}
}

static int preserve(struct fake *fake, struct session *session,
		    struct liveupdate_session_preserve_fd *call)
{
	struct file *file = call->fd < 0 || call->fd >= FAKE_FDS ? NULL : fake->fds[call->fd];
	struct entry *entry;
	int error;

	for (entry = session->entries; entry; entry = entry->next)
		if (entry->token == call->token)
			return -EEXIST;
	if (!file)
		return -EBADF;
	if (file->kind == FILE_IOMMUFD && fake->frozen)
		fake->frozen(fake);
	error = check_preserve(fake, session, file);
	if (error)
		return error;
	entry = calloc(1, sizeof(*entry));
	*entry = (struct entry) {
		.next = session->entries,
		.token = call->token,
		.kind = file->kind,
		.file = file_get(file),
		.card = file->card,
	};
	session->entries = entry;
	file->preserved = session;
	if (file->card)
		file->card->preserved = session;
	if (file->content) {
		entry->content = content_get(file->content);
		entry->content->frozen++;
	}
	return 0;
}

static void entry_free(struct fake *fake, struct session *session)
{
	struct entry *entry = session->entries;

	session->entries = entry->next;
	if (entry->content) {
		entry->content->frozen--;
		content_put(entry->content);
	}
	if (entry->card)
		entry->card->preserved = entry->card->incoming = NULL;
	if (entry->file) {
		entry->file->preserved = entry->file->incoming = NULL;
		file_put(fake, entry->file);
	}
	free(entry);
}

static void session_free(struct fake *fake, struct session *session)
{
	struct session **at = &fake->sessions;

	while (session->entries)
		entry_free(fake, session);
	while (*at != session)
		at = &(*at)->next;
	*at = session->next;
	free(session);
}

/* ---- the next kernel ---- */

static struct file *make_file(struct session *session, struct entry *entry)
{
	struct file *file = file_new(entry->kind);

	file->incoming = session;
	if (entry->kind == FILE_MEMFD)
		file->content = content_get(entry->content);
	if (entry->kind == FILE_DEVICE) {
		file->card = entry->card;
		entry->card->file = file;
	}
	if (entry->kind != FILE_IOMMUFD)
		return file;
	file->objects = calloc(FAKE_OBJECTS, sizeof(*file->objects));
	for (int i = 0; i < FAKE_CARDS; i++)
		if (entry->reserved[i])
			file->objects[entry->reserved[i]].type = OBJECT_RESERVED;
	return file;
}

static int retrieve(struct fake *fake, struct session *session,
		    struct liveupdate_session_retrieve_fd *call)
{
	for (struct entry *entry = session->entries; entry; entry = entry->next) {
		if (entry->token != call->token)
			continue;
		if (entry->kind == FILE_DEVICE && fake->time < fake->driver_late)
			return -EAGAIN;
		if (!entry->file)
			entry->file = make_file(session, entry);
		call->fd = fd_install(fake, file_get(entry->file));
		return 0;
	}
	return -ENOENT;
}

static bool is_held(const struct entry *entry)
{
	return entry->kind == FILE_DEVICE && entry->card->on_old && entry->file &&
	       entry->file->refs > 1;
}

static void abandon(struct card *card)
{
	card_reset(card);
	maps_free(card->old);
	card->old = NULL;
	card->on_old = false;
}

static int finish(struct fake *fake, struct session *session)
{
	if (fake->time < fake->finish_late)
		return -EBUSY;
	for (struct entry *entry = session->entries; entry; entry = entry->next)
		if (is_held(entry))
			return fake_say(fake, -EBUSY, "live update: finish refused, it is still on the old page table, and its file is open");
	for (struct entry *entry = session->entries; entry; entry = entry->next)
		if (entry->kind == FILE_DEVICE && entry->card->on_old)
			abandon(entry->card);
	/* devices before the iommufd that they are bound to */
	while (session->entries)
		entry_free(fake, session);
	return 0;
}

static bool wants_finish(const struct session *session)
{
	for (const struct entry *entry = session->entries; entry; entry = entry->next)
		if (entry->kind != FILE_MEMFD)
			return true;
	return false;
}

void session_release(struct fake *fake, struct file *file)
{
	struct session *session = file->session;

	session->taken = false;
	if (session->kept)
		return;
	if (!session->incoming || !wants_finish(session))
		session_free(fake, session);
}

static int check_session(struct fake *fake, const struct session *session, uint64_t *token);

static void test_session(struct fake *fake, const struct session *session,
			 struct liveupdate_session_test *call)
{
	fake->tests++;
	call->error = check_session(fake, session, (uint64_t *)&call->token);
	snprintf((char *)call->reason, sizeof(call->reason), "%s", fake->reason);
}

static void get_reason(const struct session *session, struct liveupdate_session_get_reason *call)
{
	call->error = session->error;
	call->token = session->failed_token;
	memcpy(call->reason, session->reason, sizeof(call->reason));
}

/* What was asked of it last, if that is among what it remembers */
static void remember(struct fake *fake, struct session *session, unsigned long request,
		     const void *data, long result)
{
	const struct liveupdate_session_preserve_fd *preserved = data;
	const struct liveupdate_session_retrieve_fd *retrieved = data;

	session->error = result;
	session->failed_token = 0;
	if (result && request == LIVEUPDATE_SESSION_PRESERVE_FD)
		session->failed_token = preserved->token;
	if (result && request == LIVEUPDATE_SESSION_RETRIEVE_FD)
		session->failed_token = retrieved->token;
	memcpy(session->reason, result ? fake->reason : "", result ? sizeof(session->reason) : 1);
}

static long session_call(struct fake *fake, struct file *file, unsigned long request, void *data)
{
	struct session *session = file->session;
	struct liveupdate_session_get_name *name = data;

	switch (request) {
	case LIVEUPDATE_SESSION_PRESERVE_FD:
		return session->incoming ? -EINVAL : preserve(fake, session, data);
	case LIVEUPDATE_SESSION_RETRIEVE_FD:
		return session->incoming ? retrieve(fake, session, data) : -EINVAL;
	case LIVEUPDATE_SESSION_FINISH:
		return session->incoming ? finish(fake, session) : -EINVAL;
	case LIVEUPDATE_SESSION_GET_NAME:
		memcpy(name->name, session->name, sizeof(name->name));
		return 0;
	}
	return -ENOTTY;
}

long session_ioctl(struct fake *fake, struct file *file, unsigned long request, void *data)
{
	struct session *session = file->session;
	long result;

	if (request == LIVEUPDATE_SESSION_GET_REASON && !fake->old_kernel) {
		get_reason(session, data);
		return 0;
	}
	fake->reason[0] = 0;
	if (request == LIVEUPDATE_SESSION_TEST && !fake->old_kernel) {
		if (session->incoming)
			return -EINVAL;
		test_session(fake, session, data);
		return 0;
	}
	result = session_call(fake, file, request, data);
	if (request == LIVEUPDATE_SESSION_PRESERVE_FD || request == LIVEUPDATE_SESSION_RETRIEVE_FD ||
	    request == LIVEUPDATE_SESSION_FINISH)
		remember(fake, session, request, data, result);
	return result;
}

/* ---- the kexec ---- */

static bool has_irqs(const struct card *card)
{
	for (int i = 0; i < FAKE_IRQS; i++)
		if (card->irqs[i])
			return true;
	return false;
}

static int check_session(struct fake *fake, const struct session *session, uint64_t *token)
{
	for (const struct entry *entry = session->entries; entry; entry = entry->next)
		if (entry->card && has_irqs(entry->card)) {
			*token = entry->token;
			return fake_say(fake, -EINVAL, "live update: kexec refused, interrupts are configured");
		}
	return 0;
}

static int check_sessions(struct fake *fake, const char **name, uint64_t *token)
{
	for (struct session *session = fake->sessions; session; session = session->next) {
		int error = 0;

		*name = session->name;
		if (session->incoming && wants_finish(session))
			error = fake_say(fake, -EBUSY, "Session [%s] of the previous kernel must be finished before the next kexec",
					 session->name);
		else if (!session->incoming)
			error = check_session(fake, session, token);
		if (error)
			return error;
	}
	*name = "";
	return 0;
}

static int check_kexec(struct fake *fake)
{
	const char *name;
	uint64_t token;

	return fake->image ? check_sessions(fake, &name, &token) : -EINVAL;
}

/* What the card is translated by stays, the file does not. */
static void keep_card(struct card *card)
{
	card->old = maps_copy(maps_of(card));
	card->on_old = true;
	card->kept = true;
}

static void keep_ids(struct fake *fake, struct entry *entry)
{
	for (int i = 0; i < FAKE_CARDS; i++)
		if (fake->cards[i].preserved && fake->cards[i].iommufd == entry->file)
			entry->reserved[i] = fake->cards[i].id;
}

static void keep(struct fake *fake, struct session *session)
{
	for (struct entry *entry = session->entries; entry; entry = entry->next) {
		if (entry->kind == FILE_DEVICE)
			keep_card(entry->card);
		if (entry->kind == FILE_IOMMUFD)
			keep_ids(fake, entry);
	}
	session->incoming = true;
	session->kept = true;
}

static void drop_files(struct fake *fake, struct session *session)
{
	for (struct entry *entry = session->entries; entry; entry = entry->next) {
		entry->file->preserved = NULL;
		file_put(fake, entry->file);
		entry->file = NULL;
	}
}

static void arrive(struct session *session)
{
	session->kept = false;
	for (struct entry *entry = session->entries; entry; entry = entry->next) {
		if (!entry->card)
			continue;
		entry->card->kept = false;
		entry->card->preserved = NULL;
		entry->card->incoming = session;
	}
}

/* The process is no more, but nobody has closed anything for it. */
int machine_kexec(struct fake *fake)
{
	struct session *session;
	int error = check_kexec(fake);

	if (error)
		return error;
	for (session = fake->sessions; session; session = session->next)
		if (!session->incoming)
			keep(fake, session);
	for (session = fake->sessions; session; session = session->next)
		if (session->kept)
			drop_files(fake, session);
	fake_kill(fake);
	fake_kill_other(fake);
	for (session = fake->sessions; session; session = session->next)
		if (session->kept)
			arrive(session);
	fake->image = false;
	fake->jumped = true;
	return 0;
}

void machine_free(struct fake *fake)
{
	for (int i = 0; i < FAKE_CARDS; i++)
		maps_free(fake->cards[i].old);
	while (fake->sessions)
		session_free(fake, fake->sessions);
}
