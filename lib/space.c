// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "uapi.h"

/* ---- the iommufd: one for all spaces of a context ---- */

int ilu_iommufd_open(struct ilu *ilu)
{
	int fd;

	if (ilu->iommufd >= 0)
		return 0;
	fd = ilu_open(ilu, ILU_CALL_OPEN_IOMMU, "/dev/iommu", NULL);
	if (fd < 0)
		return fd;
	ilu->iommufd = fd;
	return 0;
}

int ilu_iommufd(const struct ilu *ilu)
{
	return ilu && ilu->iommufd >= 0 ? ilu->iommufd : -EBADF;
}

int ilu_iommufd_destroy(struct ilu *ilu, uint32_t id)
{
	struct iommu_destroy destroy = { .size = sizeof(destroy), .id = id };

	return ilu_try_ioctl(ilu, ilu->iommufd, IOMMU_DESTROY, &destroy);
}

/* ---- spaces ---- */

int ilu_space_alloc(struct ilu_space *space)
{
	struct ilu *ilu = space->object.ilu;
	struct iommu_ioas_alloc alloc = { .size = sizeof(alloc) };
	int error = ilu_ioctl(ilu, ILU_CALL_IOAS_ALLOC, ilu->iommufd, IOMMU_IOAS_ALLOC, &alloc,
			      space->object.name);

	if (!error)
		space->ioas = alloc.out_ioas_id;
	return error;
}

static void hwpt_destroy(struct ilu_space *space, struct ilu_hwpt *hwpt)
{
	struct ilu_hwpt **at = &space->hwpts;

	if (!space->object.ilu->foreign)
		ilu_iommufd_destroy(space->object.ilu, hwpt->id);
	while (*at != hwpt)
		at = &(*at)->next;
	*at = hwpt->next;
	free(hwpt);
}

void ilu_maps_forget(struct ilu_space *space)
{
	while (space->maps) {
		struct ilu_map *map = space->maps;

		space->maps = map->next;
		free(map);
	}
}

/* Its devices are closed before. What is in the way of IOMMU_DESTROY goes with the file. */
void ilu_space_close(struct ilu_space *space)
{
	struct ilu *ilu = space->object.ilu;

	while (space->hwpts)
		hwpt_destroy(space, space->hwpts);
	if (space->ioas && !ilu->foreign)
		ilu_iommufd_destroy(ilu, space->ioas);
	ilu_maps_forget(space);
	ilu_originals_forget(space);
	ilu_remove(&ilu->spaces, &space->object);
	free(space);
}

struct ilu_space *ilu_space_create(struct ilu *ilu, const char *name)
{
	struct ilu_space *space;
	bool first;

	if (!ilu || ilu_may_make(ilu, name))
		return NULL;
	space = ilu_new_object(ilu, sizeof(*space), ilu->spaces, name);
	if (!space)
		return NULL;
	first = ilu->iommufd < 0;
	if (ilu_iommufd_open(ilu) || ilu_space_alloc(space)) {
		if (first)
			ilu_close(ilu, &ilu->iommufd);
		free(space);
		return NULL;
	}
	ilu_append(&ilu->spaces, &space->object);
	return space;
}

struct ilu_space *ilu_space_build(struct ilu *ilu, const struct ilu_space_record *record)
{
	struct ilu_space *space = ilu_new_object(ilu, sizeof(*space), NULL, record->name);

	if (!space)
		return NULL;
	space->object.hidden = true;
	ilu_append(&ilu->spaces, &space->object);
	return space;
}

struct ilu_space *ilu_space(struct ilu *ilu, const char *name)
{
	struct ilu_object *object;

	if (!ilu)
		return NULL;
	object = name ? ilu_find(ilu->spaces, name) : NULL;
	if (!object)
		ilu_refuse(ilu, ILU_OWN_NO_OBJECT, name);
	return (struct ilu_space *)object;
}

uint32_t ilu_space_id(const struct ilu_space *space)
{
	return space ? space->ioas : 0;
}

bool ilu_space_owns(const struct ilu_space *space, uint32_t id)
{
	if (space->ioas == id)
		return true;
	for (const struct ilu_hwpt *hwpt = space->hwpts; hwpt; hwpt = hwpt->next)
		if (hwpt->id == id)
			return true;
	return false;
}

/* ---- maps ---- */

int ilu_map_make(struct ilu_space *space, struct ilu_map *map)
{
	struct ilu *ilu = space->object.ilu;
	struct iommu_ioas_map_file make = {
		.size = sizeof(make),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA,
		.ioas_id = space->ioas,
		.fd = map->memory->fd,
		.start = map->offset,
		.length = map->length,
		.iova = map->iova,
	};
	int error;

	if (map->flags & ILU_MAP_READ)
		make.flags |= IOMMU_IOAS_MAP_READABLE;
	if (map->flags & ILU_MAP_WRITE)
		make.flags |= IOMMU_IOAS_MAP_WRITEABLE;
	error = ilu_ioctl(ilu, ILU_CALL_MAP, ilu->iommufd, IOMMU_IOAS_MAP_FILE, &make,
			  map->memory->object.name);
	if (!error)
		map->made = true;
	return error;
}

static void map_append(struct ilu_space *space, struct ilu_map *map)
{
	struct ilu_map **at = &space->maps;

	while (*at)
		at = &(*at)->next;
	*at = map;
}

static struct ilu_map *map_new(struct ilu_space *space, struct ilu_memory *memory)
{
	struct ilu_map *map = calloc(1, sizeof(*map));

	if (map)
		map->memory = memory;
	else
		ilu_refuse(space->object.ilu, ILU_OWN_NO_MEMORY, space->object.name);
	return map;
}

struct ilu_map *ilu_map_build(struct ilu_space *space, struct ilu_memory *memory,
			      const struct ilu_map_record *record)
{
	struct ilu_map *map = map_new(space, memory);

	if (!map)
		return NULL;
	map->iova = record->iova;
	map->offset = record->offset;
	map->length = record->length;
	map->flags = record->flags;
	map_append(space, map);
	return map;
}

static int check_map(struct ilu_space *space, uint64_t iova, struct ilu_memory *memory,
		     uint64_t offset, uint64_t length, unsigned int flags)
{
	struct ilu *ilu = space->object.ilu;

	if (!memory || !length || offset > memory->length || length > memory->length - offset ||
	    length > UINT64_MAX - iova || !flags || flags & ~ILU_MAP_RW)
		return ilu_refuse(ilu, ILU_OWN_BAD_ARGUMENT, space->object.name);
	if (memory->object.ilu != ilu)
		return ilu_refuse(ilu, ILU_OWN_OTHER_CONTEXT, memory->object.name);
	return ilu_may_make(ilu, space->object.name);
}

int ilu_map(struct ilu_space *space, uint64_t iova, struct ilu_memory *memory, uint64_t offset,
	    uint64_t length, unsigned int flags)
{
	struct ilu_map *map;
	int error;

	if (!space)
		return -EINVAL;
	error = check_map(space, iova, memory, offset, length, flags);
	if (error)
		return error;
	map = map_new(space, memory);
	if (!map)
		return -ENOMEM;
	map->iova = iova;
	map->offset = offset;
	map->length = length;
	map->flags = flags;
	error = ilu_map_make(space, map);
	if (error)
		free(map);
	else
		map_append(space, map);
	return error;
}

static int unmap(struct ilu_space *space, struct ilu_map **at)
{
	struct ilu *ilu = space->object.ilu;
	struct ilu_map *map = *at;
	struct iommu_ioas_unmap unmap = {
		.size = sizeof(unmap),
		.ioas_id = space->ioas,
		.iova = map->iova,
		.length = map->length,
	};
	int error = ilu_ioctl(ilu, ILU_CALL_UNMAP, ilu->iommufd, IOMMU_IOAS_UNMAP, &unmap,
			      space->object.name);

	if (error)
		return error;
	*at = map->next;
	free(map);
	return 0;
}

int ilu_unmap(struct ilu_space *space, uint64_t iova)
{
	struct ilu_map **at;
	int error;

	if (!space)
		return -EINVAL;
	error = ilu_may_make(space->object.ilu, space->object.name);
	if (error)
		return error;
	for (at = &space->maps; *at; at = &(*at)->next)
		if ((*at)->iova == iova)
			return unmap(space, at);
	return ilu_refuse(space->object.ilu, ILU_OWN_NO_SUCH_MAP, space->object.name);
}

/* ---- page tables ---- */

static int attach_to(struct ilu_device *device, const struct ilu_hwpt *hwpt)
{
	struct vfio_device_attach_iommufd_pt attach = {
		.argsz = sizeof(attach),
		.pt_id = hwpt->id,
	};
	int error = ilu_try_ioctl(device->object.ilu, device->fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT,
				  &attach);

	if (!error)
		device->hwpt = hwpt->id;
	return error;
}

static void hwpt_append(struct ilu_space *space, struct ilu_hwpt *hwpt, uint32_t id)
{
	hwpt->id = id;
	hwpt->next = space->hwpts;
	space->hwpts = hwpt;
}

/* For the IOMMU that this device is behind */
static struct ilu_hwpt *hwpt_alloc(struct ilu_device *device)
{
	struct ilu *ilu = device->object.ilu;
	struct ilu_space *space = device->space;
	struct iommu_hwpt_alloc alloc = {
		.size = sizeof(alloc),
		.dev_id = device->id,
		.pt_id = space->ioas,
	};
	struct ilu_hwpt *hwpt = calloc(1, sizeof(*hwpt));

	if (!hwpt) {
		ilu_refuse(ilu, ILU_OWN_NO_MEMORY, device->object.name);
		return NULL;
	}
	if (ilu_ioctl(ilu, ILU_CALL_HWPT_ALLOC, ilu->iommufd, IOMMU_HWPT_ALLOC, &alloc,
		      device->object.name)) {
		free(hwpt);
		return NULL;
	}
	hwpt_append(space, hwpt, alloc.out_hwpt_id);
	return hwpt;
}

static int attach_to_new(struct ilu_device *device)
{
	struct ilu *ilu = device->object.ilu;
	struct ilu_hwpt *hwpt = hwpt_alloc(device);
	int error;

	if (!hwpt)
		return ilu->error.public.err;
	error = attach_to(device, hwpt);
	if (!error)
		return 0;
	hwpt_destroy(device->space, hwpt);
	return ilu_fail(ilu, error, ILU_CALL_ATTACH, device->object.name);
}

/* 1: none of them is for the IOMMU that the device is behind, which is EINVAL. */
static int attach_to_given(struct ilu_device *device)
{
	for (struct ilu_hwpt *hwpt = device->space->hwpts; hwpt; hwpt = hwpt->next) {
		int error = attach_to(device, hwpt);

		if (!error)
			return 0;
		if (error != -EINVAL)
			return ilu_fail(device->object.ilu, error, ILU_CALL_ATTACH,
					device->object.name);
	}
	return 1;
}

int ilu_attach(struct ilu_device *device)
{
	int error = attach_to_given(device);

	if (error > 0)
		error = attach_to_new(device);
	if (!error)
		device->attached = true;
	return error;
}

/* An id is that of one thing. */
static bool is_taken(const struct ilu *ilu, const struct ilu_space *space, uint32_t id)
{
	for (const struct ilu_object *object = ilu->spaces; object; object = object->next) {
		const struct ilu_space *other = (const struct ilu_space *)object;

		if (other->ioas == id || (other != space && ilu_space_owns(other, id)))
			return true;
	}
	return false;
}

int ilu_hwpt_adopt(struct ilu_space *space, uint32_t id)
{
	struct ilu *ilu = space->object.ilu;
	struct ilu_hwpt *hwpt;

	if (is_taken(ilu, space, id))
		return ilu_refuse(ilu, ILU_OWN_OTHER_SPACE, space->object.name);
	if (ilu_space_owns(space, id))
		return 0;
	hwpt = calloc(1, sizeof(*hwpt));
	if (!hwpt)
		return ilu_refuse(ilu, ILU_OWN_NO_MEMORY, space->object.name);
	hwpt_append(space, hwpt, id);
	return 0;
}
