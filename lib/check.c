// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What would be refused now. Nobody knows that but the kernel, so it is asked: all is
 * preserved for the moment, interrupts are off for the moment, and a test does what a
 * kexec would do, up to where there is no way back. Then all is as it was.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"
#include "uapi.h"

struct check {
	struct ilu *ilu;
	void (*found)(void *arg, const struct ilu_finding *finding);
	void *arg;
	const char *session;	/* the one that it is done in */
	char own[32];		/* its name, if it is made for this */
	bool failed, unknown;
};

/* What the context was before */
struct kept {
	enum ilu_role role;
	bool preserved, session_used;
	int session;
};

static void found(struct check *check, enum ilu_verdict verdict, const struct ilu_error *error)
{
	const struct ilu_finding finding = {
		.size = sizeof(finding),
		.verdict = verdict,
		.id = error->id,
		.err = error->err,
		.object = error->object,
		.text = error->reason[0] ? error->reason : error->text,
		.hint = error->hint,
	};

	check->failed |= verdict == ILU_FAIL;
	check->unknown |= verdict == ILU_UNKNOWN;
	if (check->found)
		check->found(check->arg, &finding);
}

static void passed(struct check *check, const char *object, const char *text)
{
	const struct ilu_error nothing = {
		.object = object, .text = text, .hint = "", .reason = "",
	};

	found(check, ILU_PASS, &nothing);
}

static void failed(struct check *check, enum ilu_id id, int err, const char *object)
{
	const struct ilu_error error = {
		.err = err, .object = object, .text = ilu_id_text(id), .hint = ilu_id_hint(id),
		.id = id, .reason = "",
	};

	found(check, ILU_FAIL, &error);
}

static void say_error(struct check *check)
{
	const struct ilu_error *error = &check->ilu->error.public;

	found(check, ilu_id_verdict(error->id), error);
}

/* The kernel has done what was asked for, and this is what it has found. */
static void say_answer(struct check *check)
{
	found(check, ILU_FAIL, &check->ilu->error.public);
}

/* ---- what the kernel says ---- */

static void test_session(struct check *check)
{
	int result = ilu_session_test(check->ilu);

	if (!result)
		passed(check, check->ilu->session_name, "all that is preserved in it could go");
	else if (result > 0)
		say_answer(check);
	else
		say_error(check);
}

static int test_kexec(struct ilu *ilu, struct liveupdate_ioctl_test_kexec *test)
{
	int error, fd = ilu_liveupdate_open(ilu);

	if (fd < 0)
		return fd;
	error = ilu_ioctl(ilu, ILU_CALL_TEST_KEXEC, fd, LIVEUPDATE_IOCTL_TEST_KEXEC, test, NULL);
	ilu_close(ilu, &fd);
	test->name[sizeof(test->name) - 1] = 0;
	test->reason[sizeof(test->reason) - 1] = 0;
	return error;
}

static void test_image(struct check *check, __u32 image)
{
	switch (image) {
	case LIVEUPDATE_IMAGE_HANDOVER:
		passed(check, "", "a kernel is loaded that takes all along");
		break;
	case LIVEUPDATE_IMAGE_NONE:
		failed(check, ILU_ID_IMAGE_NONE, -EINVAL, "");
		break;
	case LIVEUPDATE_IMAGE_SEGMENTS:
		failed(check, ILU_ID_IMAGE_SEGMENTS, -EINVAL, "");
		break;
	default:
		failed(check, ILU_ID_IMAGE_NO_DATA, -EINVAL, "");
	}
}

/* Own files were looked at before; this is about others, and the image. */
static void test_machine(struct check *check)
{
	struct liveupdate_ioctl_test_kexec test = { .size = sizeof(test) };
	struct ilu *ilu = check->ilu;

	if (test_kexec(ilu, &test)) {
		say_error(check);
		return;
	}
	test_image(check, test.image);
	if (!test.error) {
		passed(check, "", "no other session is in the way");
		return;
	}
	if (!strcmp((char *)test.name, check->session))
		return;
	ilu_fail(ilu, test.error, ILU_CALL_REBOOT, (char *)test.name);
	ilu_explain(ilu, (char *)test.reason);
	if (ilu->error.public.id != ILU_ID_IMAGE_NO_DATA)
		say_answer(check);
}

/* ---- for the moment ---- */

static bool is_quiet(const struct ilu *ilu)
{
	for (const struct ilu_object *object = ilu->devices; object; object = object->next)
		for (int i = 0; i < ILU_NR_IRQS; i++)
			if (!((const struct ilu_device *)object)->irqs[i].off)
				return false;
	return true;
}

/* What fails may do so for the moment: they are tried twice. */
static int irqs_again(struct check *check)
{
	struct ilu *ilu = check->ilu;

	if (!ilu_irqs_again(ilu) || !ilu_irqs_again(ilu))
		return 0;
	say_error(check);
	return ilu->error.public.err;
}

static int test_all(struct check *check)
{
	bool quiet = is_quiet(check->ilu);

	if (ilu_irqs_try_off(check->ilu)) {
		say_error(check);
	} else {
		test_session(check);
		test_machine(check);
	}
	return quiet ? 0 : irqs_again(check);
}

/* In a session of its own: one that somebody else holds, too, could not be emptied again. */
static void set_aside(struct ilu *ilu, struct kept *kept)
{
	*kept = (struct kept) { ilu->role, ilu->preserved, ilu->session_used, ilu->session };
	if (ilu->preserved)
		return;
	ilu->session = -1;
	ilu->role = ILU_ROLE_NONE;
	ilu->session_used = false;
}

static void put_back(struct ilu *ilu, const struct kept *kept)
{
	if (kept->preserved)
		return;
	if (ilu->preserved)
		ilu_session_close(ilu);
	ilu_record_close(ilu);
	ilu->session = kept->session;
	ilu->role = kept->role;
	ilu->session_used = kept->session_used;
}

/* The session has its name already when somebody has handed it over. */
static int preserve(struct check *check, bool has_session)
{
	struct ilu *ilu = check->ilu;
	char name[sizeof(ilu->session_name)];
	int error;

	memcpy(name, ilu->session_name, sizeof(name));
	if (has_session) {
		/* with the process: others may check at the same time */
		snprintf(check->own, sizeof(check->own), "ilu-check-%d", (int)getpid());
		check->session = check->own;
		strcpy(ilu->session_name, check->own);
	}
	error = ilu_preserve(ilu);
	memcpy(ilu->session_name, name, sizeof(name));
	return error;
}

static int check_all(struct check *check)
{
	struct ilu *ilu = check->ilu;
	struct kept kept;
	int error = 0;

	set_aside(ilu, &kept);
	if (!kept.preserved && preserve(check, kept.session >= 0)) {
		say_error(check);
	} else {
		passed(check, ilu->session_name, "all can be preserved");
		error = test_all(check);
	}
	put_back(ilu, &kept);
	return error;
}

static bool can_be_preserved(struct check *check)
{
	struct ilu *ilu = check->ilu;

	if (ilu->role == ILU_ROLE_INCOMING) {
		failed(check, ILU_ID_SESSION_UNFINISHED, -EBUSY, ilu->session_name);
	} else if (ilu->role == ILU_ROLE_FOREIGN) {
		failed(check, ILU_ID_SESSION_FOREIGN, -EBUSY, ilu->session_name);
	} else if (!ilu->preserved && ilu_has_early_memory(ilu)) {
		/* In another session it could not be, and not out of this one. */
		ilu_refuse(ilu, ILU_OWN_EARLY_MEMORY, ilu->session_name);
		found(check, ILU_UNKNOWN, &ilu->error.public);
	} else {
		return true;
	}
	return false;
}

int ilu_check(struct ilu *ilu, void (*callback)(void *arg, const struct ilu_finding *finding),
	      void *arg)
{
	struct check check = { .ilu = ilu, .found = callback, .arg = arg };
	int error = 0;

	if (!ilu)
		return -EINVAL;
	check.session = ilu->session_name;
	if (can_be_preserved(&check))
		error = check_all(&check);
	if (error)
		return error;
	if (check.failed)
		return ILU_FAIL;
	return check.unknown ? ILU_UNKNOWN : ILU_PASS;
}
