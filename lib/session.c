// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"
#include "uapi.h"

#define LIVEUPDATE		"/dev/liveupdate"
#define LISTEN_FDS_START	3

_Static_assert(ILU_SESSION_NAME_MAX + 1 == LIVEUPDATE_SESSION_NAME_LENGTH, "name");

/* ---- /dev/liveupdate: for one ioctl, as it is for one opener at a time ---- */

int ilu_liveupdate_open(struct ilu *ilu)
{
	int64_t until = 0;
	int fd;

	do
		fd = ilu_try_open(ilu, LIVEUPDATE);
	while (fd == -EBUSY && ilu_again(ilu, &until));
	if (fd >= 0)
		return fd;
	ilu_fail(ilu, fd, ILU_CALL_OPEN_LIVEUPDATE, NULL);
	/* -ENOENT is for a session that is not there. */
	if (fd == -ENOENT)
		ilu->error.public.err = -ENODEV;
	return ilu->error.public.err;
}

static int session_create(struct ilu *ilu, const char *name)
{
	struct liveupdate_ioctl_create_session create = { .size = sizeof(create) };
	int fd = ilu_liveupdate_open(ilu);
	int error;

	if (fd < 0)
		return fd;
	memcpy(create.name, name, strlen(name));
	error = ilu_ioctl(ilu, ILU_CALL_CREATE_SESSION, fd, LIVEUPDATE_IOCTL_CREATE_SESSION, &create,
			  name);
	ilu_close(ilu, &fd);
	return error ? error : create.fd;
}

static int session_retrieve_once(struct ilu *ilu, const char *name)
{
	struct liveupdate_ioctl_retrieve_session retrieve = { .size = sizeof(retrieve) };
	int fd = ilu_liveupdate_open(ilu);
	int error;

	if (fd < 0)
		return fd;
	memcpy(retrieve.name, name, strlen(name));
	error = ilu_ioctl(ilu, ILU_CALL_RETRIEVE_SESSION, fd, LIVEUPDATE_IOCTL_RETRIEVE_SESSION,
			  &retrieve, name);
	ilu_close(ilu, &fd);
	return error ? error : retrieve.fd;
}

/* A program that was killed may take a moment to let go of it. */
static int session_retrieve(struct ilu *ilu, const char *name)
{
	int64_t until = 0;
	int fd;

	do
		fd = session_retrieve_once(ilu, name);
	while (fd == -EINVAL && ilu_again(ilu, &until));
	if (fd == -EINVAL)
		ilu->error.public.err = fd = -EBUSY;
	return fd;
}

/* ---- calls of a session ---- */

/* An older kernel cannot be asked, and says it in its log only. */
void ilu_session_explain(struct ilu *ilu, int error)
{
	struct liveupdate_session_get_reason get = { .size = sizeof(get) };

	if (ilu_try_ioctl(ilu, ilu->session, LIVEUPDATE_SESSION_GET_REASON, &get) ||
	    get.error != error || !get.reason[0])
		return;
	get.reason[sizeof(get.reason) - 1] = 0;
	ilu_explain(ilu, (char *)get.reason);
}

static int session_fail(struct ilu *ilu, int error, enum ilu_call call, const char *object)
{
	ilu_fail(ilu, error, call, object);
	ilu_session_explain(ilu, error);
	return error;
}

int ilu_session_preserve(struct ilu *ilu, enum ilu_call call, int fd, uint64_t token,
			 const char *object)
{
	struct liveupdate_session_preserve_fd preserve = {
		.size = sizeof(preserve),
		.fd = fd,
		.token = token,
	};
	int error = ilu_try_ioctl(ilu, ilu->session, LIVEUPDATE_SESSION_PRESERVE_FD, &preserve);

	if (error == -EEXIST)
		return ilu_refuse(ilu, ILU_OWN_LEFT_BEHIND, object);
	if (error)
		return session_fail(ilu, error, call, object);
	ilu->session_used = true;
	return 0;
}

static int try_retrieve_fd(struct ilu *ilu, uint64_t token)
{
	struct liveupdate_session_retrieve_fd retrieve = {
		.size = sizeof(retrieve),
		.token = token,
	};
	int error = ilu_try_ioctl(ilu, ilu->session, LIVEUPDATE_SESSION_RETRIEVE_FD, &retrieve);

	return error ? error : retrieve.fd;
}

int ilu_session_retrieve_fd(struct ilu *ilu, enum ilu_call call, uint64_t token,
			    const char *object)
{
	int fd = try_retrieve_fd(ilu, token);

	return fd < 0 ? session_fail(ilu, fd, call, object) : fd;
}

int ilu_session_finish(struct ilu *ilu)
{
	struct liveupdate_session_finish finish = { .size = sizeof(finish) };
	int64_t until = 0;
	int error;

	do
		error = ilu_try_ioctl(ilu, ilu->session, LIVEUPDATE_SESSION_FINISH, &finish);
	while ((error == -EBUSY || error == -EAGAIN) && ilu_again(ilu, &until));
	return error ? session_fail(ilu, error, ILU_CALL_FINISH, ilu->session_name) : 0;
}

static const char *token_name(const struct ilu_object *list, size_t offset, uint64_t token)
{
	for (; list; list = list->next)
		if (*(const uint64_t *)((const char *)list + offset) == token)
			return list->name;
	return NULL;
}

const char *ilu_token_name(const struct ilu *ilu, uint64_t token)
{
	const char *name = token_name(ilu->memories, offsetof(struct ilu_memory, token), token);

	if (!name)
		name = token_name(ilu->devices, offsetof(struct ilu_device, token), token);
	if (!name)
		name = token_name(ilu->blobs, offsetof(struct ilu_blob, token), token);
	if (!name && token == ilu->iommufd_token)
		name = "page tables";
	return name && token ? name : ilu->session_name;
}

int ilu_session_test(struct ilu *ilu)
{
	struct liveupdate_session_test test = { .size = sizeof(test) };
	int error = ilu_try_ioctl(ilu, ilu->session, LIVEUPDATE_SESSION_TEST, &test);

	if (error)
		return ilu_fail(ilu, error, ILU_CALL_TEST, ilu->session_name);
	if (!test.error)
		return 0;
	test.reason[sizeof(test.reason) - 1] = 0;
	ilu_fail(ilu, test.error, ILU_CALL_REBOOT, ilu_token_name(ilu, test.token));
	ilu_explain(ilu, (char *)test.reason);
	return 1;
}

void ilu_session_close(struct ilu *ilu)
{
	ilu_close(ilu, &ilu->session);
	ilu->role = ILU_ROLE_NONE;
	ilu->preserved = false;
	ilu->session_used = false;
	for (struct ilu_object *object = ilu->memories; object; object = object->next)
		((struct ilu_memory *)object)->preserved = false;
}

/* ---- what the program calls ---- */

static int may_have_session(struct ilu *ilu)
{
	if (ilu->session >= 0)
		return ilu_refuse(ilu, ILU_OWN_HAS_SESSION, ilu->session_name);
	return 0;
}

static bool has_objects(const struct ilu *ilu)
{
	return ilu->memories || ilu->spaces || ilu->devices || ilu->foreign;
}

static int may_open(struct ilu *ilu, const char *name)
{
	if (!ilu_name_is_valid(name))
		return ilu_refuse(ilu, ILU_OWN_BAD_NAME, NULL);
	return may_have_session(ilu);
}

/*
 * Whose session it is, by its manifest. One that cannot be used is left in the
 * program's hands, so that it can be abandoned; what is not known for lack of
 * memory or the like is let go of.
 */
static int take_up_incoming(struct ilu *ilu)
{
	int error = ilu_record_retrieve(ilu);

	ilu->role = error ? ILU_ROLE_FOREIGN : ILU_ROLE_INCOMING;
	return error > 0 ? 0 : error;
}

static bool is_final(int error)
{
	return !error || error == -EBADMSG || error == -EPROTONOSUPPORT;
}

/* 1: no session of this name came in. */
static int retrieve(struct ilu *ilu, const char *name)
{
	int fd, error = may_open(ilu, name);

	if (error)
		return error;
	/* Names of what comes in could be taken. */
	if (has_objects(ilu))
		return ilu_refuse(ilu, ILU_OWN_HAS_OBJECTS, name);
	fd = session_retrieve(ilu, name);
	if (fd < 0)
		return fd == -ENOENT ? 1 : fd;
	ilu->session = fd;
	strcpy(ilu->session_name, name);
	error = take_up_incoming(ilu);
	if (!is_final(error))
		ilu_session_close(ilu);
	return error;
}

int ilu_session_retrieve(struct ilu *ilu, const char *name)
{
	int error;

	if (!ilu)
		return -EINVAL;
	error = retrieve(ilu, name);
	return error > 0 ? -ENOENT : error;
}

int ilu_session_open(struct ilu *ilu, const char *name)
{
	int error;

	if (!ilu)
		return -EINVAL;
	error = retrieve(ilu, name);
	if (error <= 0)
		return error;
	strcpy(ilu->session_name, name);
	ilu->role = ILU_ROLE_NONE;
	return 0;
}

/* Under the name that it was given. */
int ilu_session_make(struct ilu *ilu)
{
	int fd = session_create(ilu, ilu->session_name);

	if (fd < 0)
		return fd;
	ilu->session = fd;
	ilu->role = ILU_ROLE_OUTGOING;
	return 0;
}

int ilu_session_create(struct ilu *ilu, const char *name)
{
	int error;

	if (!ilu)
		return -EINVAL;
	error = may_open(ilu, name);
	if (error)
		return error;
	strcpy(ilu->session_name, name);
	return ilu_session_make(ilu);
}

static int ask_name(struct ilu *ilu)
{
	struct liveupdate_session_get_name name = { .size = sizeof(name) };
	int error = ilu_ioctl(ilu, ILU_CALL_GET_NAME, ilu->session, LIVEUPDATE_SESSION_GET_NAME,
			      &name, NULL);

	if (error)
		return error;
	name.name[sizeof(name.name) - 1] = 0;
	strcpy(ilu->session_name, (char *)name.name);
	return 0;
}

/*
 * Only a session that came in can be asked for files, and only an outgoing one takes
 * some: to be asked wrongly is EINVAL. A record that is damaged is EINVAL as well, so
 * both are asked, with a file that is none.
 */
static int take_up(struct ilu *ilu)
{
	int fd = try_retrieve_fd(ilu, ILU_TOKEN_MANIFEST);
	struct liveupdate_session_preserve_fd preserve = {
		.size = sizeof(preserve),
		.fd = -1,
		.token = ILU_TOKEN_MANIFEST,
	};

	if (fd != -EINVAL) {
		ilu_close(ilu, &fd);
		return take_up_incoming(ilu);
	}
	if (ilu_try_ioctl(ilu, ilu->session, LIVEUPDATE_SESSION_PRESERVE_FD, &preserve) == -EINVAL)
		return ilu_fail(ilu, -EINVAL, ILU_CALL_RETRIEVE_MANIFEST, ilu->session_name);
	ilu->role = ILU_ROLE_OUTGOING;
	return 0;
}

int ilu_session_from_fd(struct ilu *ilu, int fd)
{
	int error;

	if (!ilu)
		return -EINVAL;
	error = may_have_session(ilu);
	if (error)
		return error;
	if (has_objects(ilu))
		return ilu_refuse(ilu, ILU_OWN_HAS_OBJECTS, NULL);
	if (fd < 0)
		return ilu_refuse(ilu, ILU_OWN_BAD_ARGUMENT, NULL);
	if (ilu->ops.fcntl(ilu->arg, fd, F_SETFD, FD_CLOEXEC))
		return ilu_fail(ilu, -errno, ILU_CALL_CLOEXEC, NULL);
	ilu->session = fd;
	error = ask_name(ilu);
	if (!error)
		error = take_up(ilu);
	if (!is_final(error)) {
		/* It stays the caller's then. */
		ilu->session = -1;
		ilu_session_close(ilu);
	}
	return error;
}

/* The place of the name among names with colons in between, or -1 */
static int place_of(const char *names, const char *name)
{
	size_t length = strlen(name);

	for (int place = 0; names; place++) {
		size_t this = strcspn(names, ":");

		if (this == length && !memcmp(names, name, length))
			return place;
		names = names[this] ? names + this + 1 : NULL;
	}
	return -1;
}

static long environment_number(const char *name)
{
	const char *value = getenv(name);

	return value ? strtol(value, NULL, 10) : 0;
}

int ilu_session_from_env(struct ilu *ilu, const char *name)
{
	int place;

	if (!ilu)
		return -EINVAL;
	if (!ilu_name_is_valid(name))
		return ilu_refuse(ilu, ILU_OWN_BAD_NAME, NULL);
	place = place_of(getenv("LISTEN_FDNAMES"), name);
	if (place < 0 || place >= environment_number("LISTEN_FDS") ||
	    environment_number("LISTEN_PID") != getpid())
		return ilu_refuse(ilu, ILU_OWN_NOT_HANDED_OVER, name);
	return ilu_session_from_fd(ilu, LISTEN_FDS_START + place);
}

enum ilu_role ilu_role(const struct ilu *ilu)
{
	return ilu ? ilu->role : ILU_ROLE_NONE;
}

int ilu_session_fd(const struct ilu *ilu)
{
	return ilu && ilu->session >= 0 ? ilu->session : -EBADF;
}

uint64_t ilu_generation(const struct ilu *ilu)
{
	return ilu ? ilu->generation : 0;
}

/* ---- all of the machine ---- */

struct listed {
	struct listed *next;
	struct liveupdate_ioctl_list_sessions session;
};

static void forget_list(struct listed *list)
{
	while (list) {
		struct listed *first = list;

		list = first->next;
		free(first);
	}
}

/* One after the other, until there is none with a greater id. */
static int read_list(struct ilu *ilu, int fd, struct listed **at)
{
	struct liveupdate_ioctl_list_sessions session = { .size = sizeof(session) };
	int error;

	while (!(error = ilu_try_ioctl(ilu, fd, LIVEUPDATE_IOCTL_LIST_SESSIONS, &session))) {
		*at = calloc(1, sizeof(**at));
		if (!*at)
			return ilu_refuse(ilu, ILU_OWN_NO_MEMORY, NULL);
		(*at)->session = session;
		at = &(*at)->next;
	}
	return error == -ENOENT ? 0 : ilu_fail(ilu, error, ILU_CALL_LIST_SESSIONS, NULL);
}

static int tell(struct listed *listed,
		int (*found)(void *arg, const struct ilu_session_info *session), void *arg)
{
	struct liveupdate_ioctl_list_sessions *session = &listed->session;
	const struct ilu_session_info info = {
		.size = sizeof(info),
		.name = (char *)session->name,
		.incoming = session->flags & LIVEUPDATE_SESSION_FLAG_INCOMING,
		.open = session->flags & LIVEUPDATE_SESSION_FLAG_OPEN,
		.needs_finish = session->flags & LIVEUPDATE_SESSION_FLAG_NEEDS_FINISH,
		.files = session->nr_files,
	};

	session->name[sizeof(session->name) - 1] = 0;
	return found(arg, &info);
}

/* What is told may use /dev/liveupdate itself, so all is read before. */
int ilu_sessions(struct ilu *ilu,
		 int (*found)(void *arg, const struct ilu_session_info *session), void *arg)
{
	struct listed *list = NULL;
	int fd, result;

	if (!ilu)
		return -EINVAL;
	if (!found)
		return ilu_refuse(ilu, ILU_OWN_BAD_ARGUMENT, NULL);
	fd = ilu_liveupdate_open(ilu);
	if (fd < 0)
		return fd;
	result = read_list(ilu, fd, &list);
	ilu_close(ilu, &fd);
	for (struct listed *at = list; at && !result; at = at->next)
		result = tell(at, found, arg);
	forget_list(list);
	return result;
}
