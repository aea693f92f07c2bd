// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The old kernel's half: all goes into the session, in the order in which one thing
 * needs the other. What is in a session cannot be taken out singly; when something
 * fails the session is closed, which takes it all back.
 */
#include <errno.h>

#include "internal.h"
#include "uapi.h"

static unsigned int count_memories(const struct ilu *ilu)
{
	unsigned int nr = 0;

	for (const struct ilu_object *object = ilu->memories; object; object = object->next)
		nr += !((const struct ilu_memory *)object)->preserved;
	return nr;
}

static unsigned int count_steps(const struct ilu *ilu)
{
	unsigned int nr = 1 + !!ilu->devices + count_memories(ilu);

	for (const struct ilu_object *object = ilu->blobs; object; object = object->next)
		nr++;
	for (const struct ilu_object *object = ilu->devices; object; object = object->next)
		nr++;
	return nr;
}

struct steps {
	unsigned int done, of;
};

static void step_done(struct ilu *ilu, struct steps *steps, const char *what)
{
	ilu_progress(ilu, ++steps->done, steps->of, what);
}

bool ilu_has_early_memory(const struct ilu *ilu)
{
	for (const struct ilu_object *object = ilu->memories; object; object = object->next)
		if (((const struct ilu_memory *)object)->preserved)
			return true;
	return false;
}

static void give_memory_tokens(struct ilu *ilu)
{
	if (!ilu_has_early_memory(ilu))
		ilu->next_token = ILU_TOKEN_FIRST;
	for (struct ilu_object *object = ilu->memories; object; object = object->next) {
		struct ilu_memory *memory = (struct ilu_memory *)object;

		if (!memory->preserved)
			memory->token = ilu->next_token++;
	}
}

/* The manifest names them all, so they are known before it is written. */
static void give_tokens(struct ilu *ilu)
{
	give_memory_tokens(ilu);
	for (struct ilu_object *object = ilu->blobs; object; object = object->next)
		((struct ilu_blob *)object)->token = ilu->next_token++;
	/* Page tables without a device are made anew, and so is their iommufd. */
	ilu->iommufd_token = ilu->devices ? ilu->next_token++ : 0;
	for (struct ilu_object *object = ilu->devices; object; object = object->next)
		((struct ilu_device *)object)->token = ilu->next_token++;
}

static int preserve_memories(struct ilu *ilu, struct steps *steps)
{
	for (struct ilu_object *object = ilu->memories; object; object = object->next) {
		struct ilu_memory *memory = (struct ilu_memory *)object;
		int error;

		if (memory->preserved)
			continue;
		error = ilu_session_preserve(ilu, ILU_CALL_PRESERVE_MEMORY, memory->fd,
					     memory->token, object->name);
		if (error)
			return error;
		memory->preserved = true;
		step_done(ilu, steps, object->name);
	}
	return 0;
}

static int preserve_manifest(struct ilu *ilu, struct steps *steps)
{
	int error = ilu_record_preserve(ilu);

	if (!error)
		step_done(ilu, steps, "manifest");
	return error;
}

static int preserve_blobs(struct ilu *ilu, struct steps *steps)
{
	for (struct ilu_object *object = ilu->blobs; object; object = object->next) {
		struct ilu_blob *blob = (struct ilu_blob *)object;
		int error = ilu_session_preserve(ilu, ILU_CALL_PRESERVE_MEMORY, blob->fd,
						 blob->token, object->name);

		if (error)
			return error;
		step_done(ilu, steps, object->name);
	}
	return 0;
}

/* Marks are not taken back with the session, and an id is a token that no other one has. */
static int mark(struct ilu_space *space, struct ilu_hwpt *hwpt)
{
	struct ilu *ilu = space->object.ilu;
	struct iommu_hwpt_liveupdate_mark_preserve mark = {
		.size = sizeof(mark),
		.hwpt_id = hwpt->id,
		.hwpt_token = hwpt->id,
	};
	int error;

	if (hwpt->marked)
		return 0;
	error = ilu_try_ioctl(ilu, ilu->iommufd, IOMMU_HWPT_LIVEUPDATE_MARK_PRESERVE, &mark);
	/* By this context before, or by whoever owns it: any token will do. */
	if (error && error != -EEXIST)
		return ilu_fail(ilu, error, ILU_CALL_MARK, space->object.name);
	/* Another program's may be another one of this id the next time. */
	hwpt->marked = !ilu->foreign;
	return 0;
}

static int mark_all(struct ilu *ilu)
{
	for (struct ilu_object *object = ilu->spaces; object; object = object->next) {
		struct ilu_space *space = (struct ilu_space *)object;

		for (struct ilu_hwpt *hwpt = space->hwpts; hwpt; hwpt = hwpt->next) {
			int error = mark(space, hwpt);

			if (error)
				return error;
		}
	}
	return 0;
}

static int preserve_iommufd(struct ilu *ilu, struct steps *steps)
{
	int error;

	if (!ilu->iommufd_token)
		return 0;
	error = mark_all(ilu);
	if (!error)
		error = ilu_session_preserve(ilu, ILU_CALL_PRESERVE_IOMMUFD, ilu->iommufd,
					     ilu->iommufd_token, NULL);
	/* Now it cannot change any more. */
	if (!error && ilu->foreign)
		error = ilu_spaces_compare(ilu);
	if (!error)
		step_done(ilu, steps, "page tables");
	return error;
}

static int preserve_devices(struct ilu *ilu, struct steps *steps)
{
	for (struct ilu_object *object = ilu->devices; object; object = object->next) {
		struct ilu_device *device = (struct ilu_device *)object;
		int error = ilu_session_preserve(ilu, ILU_CALL_PRESERVE_DEVICE, device->fd,
						 device->token, object->name);

		if (error)
			return error;
		step_done(ilu, steps, object->name);
	}
	return 0;
}

static int preserve_all(struct ilu *ilu)
{
	struct steps steps = { .of = count_steps(ilu) };
	int error;

	give_tokens(ilu);
	error = preserve_memories(ilu, &steps);
	if (!error)
		error = preserve_manifest(ilu, &steps);
	if (!error)
		error = preserve_blobs(ilu, &steps);
	if (!error)
		error = preserve_iommufd(ilu, &steps);
	if (!error)
		error = preserve_devices(ilu, &steps);
	return error;
}

static int may_preserve(struct ilu *ilu)
{
	if (ilu->preserved)
		return ilu_refuse(ilu, ILU_OWN_IS_PRESERVED, ilu->session_name);
	if (ilu->role == ILU_ROLE_INCOMING)
		return ilu_refuse(ilu, ILU_OWN_NOT_RESTORED, ilu->session_name);
	if (ilu->role == ILU_ROLE_FOREIGN)
		return ilu_refuse(ilu, ILU_OWN_IS_FOREIGN, ilu->session_name);
	if (!ilu->session_name[0])
		return ilu_refuse(ilu, ILU_OWN_NO_SESSION_NAME, NULL);
	return 0;
}

/* A session that somebody has handed over, and that is empty, is kept for another try. */
static void undo(struct ilu *ilu, enum ilu_role role)
{
	ilu_record_close(ilu);
	if (role == ILU_ROLE_OUTGOING && !ilu->session_used)
		return;
	ilu_session_close(ilu);
	if (role == ILU_ROLE_FINISHED)
		ilu->role = role;
}

/* All of what, or nothing */
static int run(struct ilu *ilu, int (*what)(struct ilu *ilu))
{
	enum ilu_role role = ilu->role;
	int error = 0;

	if (role != ILU_ROLE_OUTGOING)
		error = ilu_session_make(ilu);
	if (error)
		return error;
	error = what(ilu);
	if (error)
		undo(ilu, role);
	return error;
}

static int preserve_early(struct ilu *ilu)
{
	struct steps steps = { .of = count_memories(ilu) };

	give_memory_tokens(ilu);
	return preserve_memories(ilu, &steps);
}

int ilu_preserve_memory(struct ilu *ilu)
{
	int error;

	if (!ilu)
		return -EINVAL;
	error = may_preserve(ilu);
	return error ? error : run(ilu, preserve_early);
}

int ilu_preserve(struct ilu *ilu)
{
	int error;

	if (!ilu)
		return -EINVAL;
	error = may_preserve(ilu);
	if (!error && ilu->foreign)
		error = ilu_spaces_read(ilu);
	if (!error)
		error = run(ilu, preserve_all);
	if (!error)
		ilu->preserved = true;
	return error;
}

int ilu_unpreserve(struct ilu *ilu)
{
	if (!ilu)
		return -EINVAL;
	if (!ilu->preserved && !ilu_has_early_memory(ilu))
		return ilu_refuse(ilu, ILU_OWN_NOT_PRESERVED, ilu->session_name);
	ilu_session_close(ilu);
	ilu_record_close(ilu);
	return ilu_irqs_again(ilu);
}
