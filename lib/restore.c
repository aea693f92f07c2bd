// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The next kernel's half. It may be gone through any number of times: by this program
 * after a failure, by another one after this has died at any point. So it relies on
 * nothing that was done before, but on what the kernel keeps:
 *
 *  - the session gives its files to whoever retrieves it, as they were;
 *  - a device that is bound again has the same id in the iommufd;
 *  - an attach replaces whatever the device is on, without a gap.
 *
 * Spaces and page tables are made anew each time. Those of somebody who has died stay
 * in the iommufd, as the session holds it, and nobody tells their ids: they are swept.
 * Once at the beginning, but for what a device is on; again at the end, when no device is
 * on any of them.
 */
#include <errno.h>

#include "internal.h"
#include "uapi.h"

/* Ids are the lowest ones that are free, so there are no wide gaps. */
#define SWEEP_GAP	64

/* ---- sweep ---- */

static bool is_own(const struct ilu *ilu, uint32_t id)
{
	for (struct ilu_object *object = ilu->spaces; object; object = object->next)
		if (ilu_space_owns((struct ilu_space *)object, id))
			return true;
	for (struct ilu_object *object = ilu->devices; object; object = object->next) {
		struct ilu_device *device = (struct ilu_device *)object;

		if (device->bound && device->id == id)
			return true;
	}
	return false;
}

/* 1: there is something that stays. EBUSY: something else needs it. */
static int sweep_one(struct ilu *ilu, uint32_t id)
{
	int error;

	if (is_own(ilu, id))
		return 1;
	error = ilu_iommufd_destroy(ilu, id);
	if (error == -ENOENT)
		return 0;
	if (!error || error == -EBUSY)
		return 1;
	return ilu_fail(ilu, error, ILU_CALL_DESTROY, NULL);
}

/* Upwards to find the last one, then downwards: a page table goes before its space. */
int ilu_sweep(struct ilu *ilu)
{
	uint32_t id, last = 0;

	for (id = 1; id <= last + SWEEP_GAP; id++) {
		int there = sweep_one(ilu, id);

		if (there < 0)
			return there;
		if (there)
			last = id;
	}
	for (id = last; id; id--) {
		int there = sweep_one(ilu, id);

		if (there < 0)
			return there;
	}
	return 0;
}

/* ---- what there is to restore ---- */

static struct ilu_object *number(struct ilu_object *list, uint32_t number)
{
	while (number--)
		list = list->next;
	return list;
}

static bool build_memories(struct ilu *ilu)
{
	for (uint32_t i = 0; i < ilu->incoming.nr.memories; i++) {
		struct ilu_memory_record record;

		ilu_manifest_memory(&ilu->incoming, i, &record);
		if (!ilu_memory_build(ilu, &record))
			return false;
	}
	return true;
}

static bool build_spaces(struct ilu *ilu)
{
	for (uint32_t i = 0; i < ilu->incoming.nr.spaces; i++) {
		struct ilu_space_record record;

		ilu_manifest_space(&ilu->incoming, i, &record);
		ilu->iommufd_token = record.iommufd_token;
		if (!ilu_space_build(ilu, &record))
			return false;
	}
	return true;
}

static bool build_maps(struct ilu *ilu)
{
	for (uint32_t i = 0; i < ilu->incoming.nr.maps; i++) {
		struct ilu_map_record record;

		ilu_manifest_map(&ilu->incoming, i, &record);
		if (!ilu_map_build((struct ilu_space *)number(ilu->spaces, record.space),
				   (struct ilu_memory *)number(ilu->memories, record.memory),
				   &record))
			return false;
	}
	return true;
}

static bool build_devices(struct ilu *ilu)
{
	for (uint32_t i = 0; i < ilu->incoming.nr.devices; i++) {
		struct ilu_device_record record;

		ilu_manifest_device(&ilu->incoming, i, &record);
		if (!ilu_device_build(ilu, (struct ilu_space *)number(ilu->spaces, record.space),
				      &record))
			return false;
	}
	return true;
}

/* ---- the steps: each does one thing that is not done, 1, or finds that all is, 0 ---- */

static int build(struct ilu *ilu)
{
	if (ilu->built)
		return 0;
	ilu_drop_objects(ilu);
	if (!build_memories(ilu) || !build_spaces(ilu) || !build_maps(ilu) || !build_devices(ilu)) {
		ilu_drop_objects(ilu);
		return -ENOMEM;
	}
	ilu->built = true;
	return 1;
}

static int retrieve_memory(struct ilu_memory *memory)
{
	struct ilu *ilu = memory->object.ilu;
	const char *name = memory->object.name;
	uint64_t length;
	int fd = ilu_session_retrieve_fd(ilu, ILU_CALL_RETRIEVE_MEMORY, memory->token, name);
	int error;

	if (fd < 0)
		return fd;
	error = ilu_length(ilu, fd, &length, name);
	if (!error && length != memory->length)
		error = ilu_refuse(ilu, ILU_OWN_OTHER_LENGTH, name);
	if (error) {
		ilu_close(ilu, &fd);
		return error;
	}
	memory->fd = fd;
	memory->object.hidden = false;
	return 1;
}

static int restore_memory(struct ilu *ilu)
{
	for (struct ilu_object *object = ilu->memories; object; object = object->next)
		if (object->hidden)
			return retrieve_memory((struct ilu_memory *)object);
	return 0;
}

static int restore_iommufd(struct ilu *ilu)
{
	int fd;

	if (ilu->iommufd >= 0 || !ilu->spaces)
		return 0;
	if (!ilu->iommufd_token) {
		int error = ilu_iommufd_open(ilu);

		ilu->swept = true;
		return error ? error : 1;
	}
	fd = ilu_session_retrieve_fd(ilu, ILU_CALL_RETRIEVE_IOMMUFD, ilu->iommufd_token, NULL);
	if (fd < 0)
		return fd;
	ilu->iommufd = fd;
	return 1;
}

static int sweep(struct ilu *ilu)
{
	int error;

	if (ilu->swept || ilu->iommufd < 0)
		return 0;
	error = ilu_sweep(ilu);
	if (error)
		return error;
	ilu->swept = true;
	return 1;
}

static bool same_ids(const struct ilu_ids *one, const struct ilu_ids *other)
{
	return one->vendor == other->vendor && one->device == other->device &&
	       one->subsystem_vendor == other->subsystem_vendor &&
	       one->subsystem == other->subsystem && one->flags == other->flags &&
	       one->serial == other->serial;
}

/* It answers only when it is bound. Bound to what it came in with, nothing is changed. */
static int take_device(struct ilu_device *device)
{
	struct ilu *ilu = device->object.ilu;
	struct ilu_ids ids;
	int error = ilu_device_take(device);

	if (!error)
		error = ilu_device_identify(device, &ids);
	if (error)
		return error;
	if (!same_ids(&ids, &device->ids))
		return ilu_refuse(ilu, ILU_OWN_OTHER_CARD, device->object.name);
	device->object.hidden = false;
	return 1;
}

static int retrieve_device(struct ilu_device *device)
{
	int fd = ilu_session_retrieve_fd(device->object.ilu, ILU_CALL_RETRIEVE_DEVICE,
					 device->token, device->object.name);

	if (fd < 0)
		return fd;
	device->fd = fd;
	return 1;
}

static int restore_device(struct ilu *ilu)
{
	for (struct ilu_object *object = ilu->devices; object; object = object->next) {
		struct ilu_device *device = (struct ilu_device *)object;

		if (device->fd < 0)
			return retrieve_device(device);
		if (object->hidden)
			return take_device(device);
	}
	return 0;
}

static int restore_space(struct ilu *ilu)
{
	for (struct ilu_object *object = ilu->spaces; object; object = object->next) {
		int error;

		if (!object->hidden)
			continue;
		error = ilu_space_alloc((struct ilu_space *)object);
		if (error)
			return error;
		object->hidden = false;
		return 1;
	}
	return 0;
}

static int restore_map(struct ilu *ilu)
{
	for (struct ilu_object *object = ilu->spaces; object; object = object->next) {
		struct ilu_space *space = (struct ilu_space *)object;

		for (struct ilu_map *map = space->maps; map; map = map->next)
			if (!map->made) {
				int error = ilu_map_make(space, map);

				return error ? error : 1;
			}
	}
	return 0;
}

/* The switch: all is mapped that the device had before. */
static int restore_attachment(struct ilu *ilu)
{
	for (struct ilu_object *object = ilu->devices; object; object = object->next) {
		struct ilu_device *device = (struct ilu_device *)object;
		int error;

		if (device->attached)
			continue;
		error = ilu_attach(device);
		return error ? error : 1;
	}
	return 0;
}

static const struct {
	int (*run)(struct ilu *ilu);
	const char *what;
} steps[] = {
	{ build, "manifest" },
	{ restore_memory, "memory" },
	{ restore_iommufd, "iommufd" },
	{ sweep, "leftovers" },
	{ restore_device, "devices" },
	{ restore_space, "spaces" },
	{ restore_map, "maps" },
	{ restore_attachment, "page tables" },
};

#define NR_STEPS	(sizeof(steps) / sizeof(steps[0]))

static int may_restore(struct ilu *ilu)
{
	if (ilu->role == ILU_ROLE_FOREIGN)
		return ilu_refuse(ilu, ILU_OWN_IS_FOREIGN, ilu->session_name);
	if (ilu->role != ILU_ROLE_INCOMING)
		return ilu_refuse(ilu, ILU_OWN_NOT_INCOMING, ilu->session_name);
	return 0;
}

static unsigned int count_done(const struct ilu *ilu)
{
	unsigned int done = ilu->built + (ilu->iommufd >= 0) + ilu->swept;

	for (const struct ilu_object *object = ilu->memories; object; object = object->next)
		done += !object->hidden;
	for (const struct ilu_object *object = ilu->devices; object; object = object->next) {
		const struct ilu_device *device = (const struct ilu_device *)object;

		done += (device->fd >= 0) + !object->hidden + device->attached;
	}
	for (const struct ilu_object *object = ilu->spaces; object; object = object->next) {
		const struct ilu_space *space = (const struct ilu_space *)object;

		done += !object->hidden;
		for (const struct ilu_map *map = space->maps; map; map = map->next)
			done += map->made;
	}
	return done;
}

static unsigned int count_all(const struct ilu *ilu)
{
	const struct ilu_counts *nr = &ilu->incoming.nr;

	return 1 + 2 * !!nr->spaces + nr->memories + nr->spaces + nr->maps + 3 * nr->devices;
}

/*
 * Not by the finish: by then somebody else may have the iommufd, and what he makes there
 * looks like leftovers.
 */
static int leave_clean(struct ilu *ilu)
{
	int error = ilu->iommufd >= 0 ? ilu_sweep(ilu) : 0;

	if (!error)
		ilu->restored = true;
	return error;
}

int ilu_restore_step(struct ilu *ilu)
{
	int result;

	if (!ilu)
		return -EINVAL;
	result = may_restore(ilu);
	for (size_t i = 0; i < NR_STEPS && !result; i++) {
		result = steps[i].run(ilu);
		if (result > 0)
			ilu_progress(ilu, count_done(ilu), count_all(ilu), steps[i].what);
	}
	if (!result && !ilu->restored)
		result = leave_clean(ilu);
	return result;
}

/* EBUSY: who had a file open, or a lock, may be just dying. */
static bool may_pass(int error)
{
	return error == -EAGAIN || error == -ENOMEM || error == -EBUSY;
}

int ilu_restore(struct ilu *ilu)
{
	int64_t until = 0;
	int result;

	if (!ilu)
		return -EINVAL;
	result = may_restore(ilu);
	if (result)
		return result;
	for (;;) {
		result = ilu_restore_step(ilu);
		if (!result)
			return 0;
		if (result > 0)
			until = 0;
		else if (!may_pass(result) || !ilu_again(ilu, &until))
			return result;
	}
}

/* ---- the end ---- */

static void finished(struct ilu *ilu)
{
	ilu_session_close(ilu);
	ilu_record_forget(ilu);
	ilu->iommufd_token = 0;
	ilu->role = ILU_ROLE_FINISHED;
}

int ilu_finish(struct ilu *ilu)
{
	int error;

	if (!ilu)
		return -EINVAL;
	error = may_restore(ilu);
	if (error)
		return error;
	if (!ilu->restored)
		return ilu_refuse(ilu, ILU_OWN_NOT_RESTORED, ilu->session_name);
	error = ilu_session_finish(ilu);
	if (!error)
		finished(ilu);
	return error;
}

/* Nobody may hold a file of a device that is to be stopped. */
int ilu_abandon(struct ilu *ilu)
{
	int error;

	if (!ilu)
		return -EINVAL;
	if (ilu->role != ILU_ROLE_INCOMING && ilu->role != ILU_ROLE_FOREIGN)
		return ilu_refuse(ilu, ILU_OWN_NOT_INCOMING, ilu->session_name);
	if (ilu->role == ILU_ROLE_INCOMING)
		ilu_drop_objects(ilu);
	error = ilu_session_finish(ilu);
	if (error)
		return error;
	finished(ilu);
	ilu->generation = 0;
	return 0;
}
