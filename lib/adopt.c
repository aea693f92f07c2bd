// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What another program has mapped. It may change that as long as the kernel lets it, so
 * nothing of it is kept longer than for the call that has read it, but for what goes into
 * the manifest: that is read before it is written, and compared when all is preserved. Only
 * spaces with page tables of devices that go along are frozen by then.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"
#include "uapi.h"

/* How many areas are read by one call */
#define BATCH	64

#define SEALS	(F_SEAL_SEAL | F_SEAL_GROW | F_SEAL_SHRINK)

_Static_assert((int)ILU_AREA_USER == (int)IOMMU_IOAS_AREA_USER, "area");
_Static_assert((int)ILU_AREA_FILE == (int)IOMMU_IOAS_AREA_FILE, "area");
_Static_assert((int)ILU_AREA_DMABUF == (int)IOMMU_IOAS_AREA_DMABUF, "area");

/* ---- the iommufd ---- */

/* No IOAS has the id 0. ENOENT: it has looked. */
static int check_iommufd(struct ilu *ilu, int fd)
{
	struct iommu_ioas_list_areas list = { .size = sizeof(list) };
	int error = ilu_try_ioctl(ilu, fd, IOMMU_IOAS_LIST_AREAS, &list);

	return error && error != -ENOENT ? ilu_fail(ilu, error, ILU_CALL_LIST_AREAS, NULL) : 0;
}

int ilu_iommufd_adopt(struct ilu *ilu, int iommufd)
{
	int fd, error;

	if (!ilu)
		return -EINVAL;
	error = ilu_may_change(ilu, NULL);
	if (!error && ilu->iommufd >= 0)
		error = ilu_refuse(ilu, ILU_OWN_HAS_IOMMUFD, NULL);
	if (error)
		return error;
	fd = ilu_dup(ilu, iommufd, NULL);
	if (fd < 0)
		return fd;
	error = check_iommufd(ilu, fd);
	if (error) {
		ilu_close(ilu, &fd);
		return error;
	}
	ilu->iommufd = fd;
	ilu->foreign = true;
	return 0;
}

/* ---- areas ---- */

/*
 * The file was given by somebody, and what answers like an iommufd need not be one: no more
 * than there is room for, and each list begins behind the one before.
 */
static bool is_sound(const struct iommu_ioas_list_areas *list, uint64_t from)
{
	return list->nr <= BATCH && (!(list->out_flags & IOMMU_IOAS_AREAS_MORE) ||
				     (list->nr && list->iova > from));
}

static int list_areas(struct ilu_space *space, struct iommu_ioas_list_areas *list)
{
	const uint64_t from = list->iova;
	struct ilu *ilu = space->object.ilu;
	int error;

	list->nr = BATCH;
	error = ilu_ioctl(ilu, ILU_CALL_LIST_AREAS, ilu->iommufd, IOMMU_IOAS_LIST_AREAS, list,
			  space->object.name);
	if (error)
		return error;
	return is_sound(list, from) ? 0 : ilu_refuse(ilu, ILU_OWN_AREAS_ODD, space->object.name);
}

/* Other than 0 from the function ends it, and is returned. */
static int for_each_area(struct ilu_space *space,
			 int (*each)(struct ilu_space *space, const struct iommu_ioas_area *area,
				     void *arg), void *arg)
{
	struct iommu_ioas_area areas[BATCH] = { 0 };
	struct iommu_ioas_list_areas list = {
		.size = sizeof(list),
		.ioas_id = space->ioas,
		.areas = (uintptr_t)areas,
	};
	int result;

	do {
		result = list_areas(space, &list);
		for (uint32_t i = 0; !result && i < list.nr; i++)
			result = each(space, &areas[i], arg);
	} while (!result && list.out_flags & IOMMU_IOAS_AREAS_MORE);
	return result;
}

static struct ilu_inode inode_of(const struct iommu_ioas_area *area)
{
	return (struct ilu_inode) {
		.known = area->type == IOMMU_IOAS_AREA_FILE,
		.ino = area->ino,
		.dev_major = area->dev_major,
		.dev_minor = area->dev_minor,
	};
}

static struct ilu_memory *memory_of(struct ilu *ilu, const struct iommu_ioas_area *area)
{
	const struct ilu_inode inode = inode_of(area);

	return ilu_memory_by_inode(ilu, &inode);
}

static unsigned int map_flags(uint32_t flags)
{
	return (flags & IOMMU_IOAS_MAP_READABLE ? ILU_MAP_READ : 0) |
	       (flags & IOMMU_IOAS_MAP_WRITEABLE ? ILU_MAP_WRITE : 0);
}

/* What no manifest can say, and the next kernel's instance would take for damage */
static bool is_odd(const struct iommu_ioas_area *area, const struct ilu_memory *memory)
{
	return !area->length || area->length > UINT64_MAX - area->iova || !map_flags(area->flags) ||
	       area->start > memory->length || area->length > memory->length - area->start;
}

/* Can it go along, and why not? */
static bool goes_along(struct ilu *ilu, const struct iommu_ioas_area *area, enum ilu_own *why)
{
	const struct ilu_memory *memory = memory_of(ilu, area);

	if (area->type == IOMMU_IOAS_AREA_DMABUF)
		*why = ILU_OWN_AREA_DMABUF;
	else if (area->type != IOMMU_IOAS_AREA_FILE)
		*why = ILU_OWN_AREA_USER;
	else if (!memory)
		*why = ILU_OWN_AREA_FILE;
	else if ((area->seals & SEALS) != SEALS)
		*why = ILU_OWN_AREA_UNSEALED;
	else if (is_odd(area, memory))
		*why = ILU_OWN_AREA_ODD;
	else
		return true;
	return false;
}

/* ---- spaces ---- */

static bool has_ioas(const struct ilu *ilu, uint32_t ioas)
{
	for (const struct ilu_object *object = ilu->spaces; object; object = object->next)
		if (ilu_space_owns((const struct ilu_space *)object, ioas))
			return true;
	return false;
}

static int check_space(struct ilu *ilu, const char *name, uint32_t ioas)
{
	int error = ilu_may_change(ilu, name);

	if (error)
		return error;
	if (!ilu->foreign)
		return ilu_refuse(ilu, ILU_OWN_NOT_ADOPTED, name);
	return has_ioas(ilu, ioas) ? ilu_refuse(ilu, ILU_OWN_OTHER_SPACE, name) : 0;
}

static int check_ioas(struct ilu *ilu, const char *name, uint32_t ioas)
{
	struct iommu_ioas_list_areas list = { .size = sizeof(list), .ioas_id = ioas };

	return ilu_ioctl(ilu, ILU_CALL_LIST_AREAS, ilu->iommufd, IOMMU_IOAS_LIST_AREAS, &list, name);
}

struct ilu_space *ilu_space_adopt(struct ilu *ilu, const char *name, uint32_t ioas)
{
	struct ilu_space *space;

	if (!ilu || check_space(ilu, name, ioas))
		return NULL;
	space = ilu_new_object(ilu, sizeof(*space), ilu->spaces, name);
	if (!space)
		return NULL;
	if (check_ioas(ilu, name, ioas)) {
		free(space);
		return NULL;
	}
	space->ioas = ioas;
	ilu_append(&ilu->spaces, &space->object);
	return space;
}

struct strangers {
	int (*found)(void *arg, const struct ilu_area *area);
	void *arg;
	int count;
};

static int tell_stranger(struct ilu_space *space, const struct iommu_ioas_area *area, void *arg)
{
	struct strangers *strangers = arg;
	struct ilu_area stranger = {
		.size = sizeof(stranger),
		.iova = area->iova,
		.length = area->length,
		.start = area->start,
		.ino = area->ino,
		.dev_major = area->dev_major,
		.dev_minor = area->dev_minor,
		.flags = map_flags(area->flags),
		.type = (enum ilu_area_type)area->type,
		.seals = area->seals,
	};
	enum ilu_own why;

	if (goes_along(space->object.ilu, area, &why))
		return 0;
	stranger.id = ilu_own_id(why);
	strangers->count++;
	return strangers->found ? strangers->found(strangers->arg, &stranger) : 0;
}

/* 0 if what is mapped there is another program's. */
static int check_adopted(struct ilu_space *space)
{
	struct ilu *ilu = space->object.ilu;

	return ilu->foreign ? 0 : ilu_refuse(ilu, ILU_OWN_NOT_ADOPTED, space->object.name);
}

int ilu_space_strangers(struct ilu_space *space,
			int (*found)(void *arg, const struct ilu_area *area), void *arg)
{
	struct strangers strangers = { .found = found, .arg = arg };
	int error;

	if (!space)
		return -EINVAL;
	error = check_adopted(space);
	if (!error)
		error = ilu_memories_identify(space->object.ilu);
	if (!error)
		error = for_each_area(space, tell_stranger, &strangers);
	return error ? error : strangers.count;
}

/* ---- for the manifest ---- */

static int read_area(struct ilu_space *space, const struct iommu_ioas_area *area, void *arg)
{
	struct ilu *ilu = space->object.ilu;
	struct ilu_map ***end = arg, *map;
	enum ilu_own why;

	if (!goes_along(ilu, area, &why)) {
		ilu_refuse(ilu, why, space->object.name);
		ilu_locate(ilu, area->iova);
		return ilu->error.public.err;
	}
	map = calloc(1, sizeof(*map));
	if (!map)
		return ilu_refuse(ilu, ILU_OWN_NO_MEMORY, space->object.name);
	*map = (struct ilu_map) {
		.iova = area->iova,
		.offset = area->start,
		.length = area->length,
		.memory = memory_of(ilu, area),
		.flags = map_flags(area->flags),
		.made = true,
	};
	**end = map;
	*end = &map->next;
	return 0;
}

int ilu_spaces_read(struct ilu *ilu)
{
	int error = ilu_memories_identify(ilu);

	for (struct ilu_object *object = ilu->spaces; object && !error; object = object->next) {
		struct ilu_space *space = (struct ilu_space *)object;
		struct ilu_map **end = &space->maps;

		ilu_maps_forget(space);
		error = for_each_area(space, read_area, &end);
	}
	return error;
}

static bool is_area(struct ilu *ilu, const struct ilu_map *map,
		    const struct iommu_ioas_area *area)
{
	return map && map->iova == area->iova && map->length == area->length &&
	       map->offset == area->start && map->flags == map_flags(area->flags) &&
	       map->memory == memory_of(ilu, area);
}

static int refuse_change(struct ilu_space *space, uint64_t iova)
{
	struct ilu *ilu = space->object.ilu;

	ilu_refuse(ilu, ILU_OWN_SPACE_CHANGED, space->object.name);
	ilu_locate(ilu, iova);
	return ilu->error.public.err;
}

static int compare_area(struct ilu_space *space, const struct iommu_ioas_area *area, void *arg)
{
	const struct ilu_map **next = arg;

	if (!is_area(space->object.ilu, *next, area))
		return refuse_change(space, area->iova);
	*next = (*next)->next;
	return 0;
}

int ilu_spaces_compare(struct ilu *ilu)
{
	for (struct ilu_object *object = ilu->spaces; object; object = object->next) {
		struct ilu_space *space = (struct ilu_space *)object;
		const struct ilu_map *next = space->maps;
		int error = for_each_area(space, compare_area, &next);

		if (!error && next)
			error = refuse_change(space, next->iova);
		if (error)
			return error;
	}
	return 0;
}

/* ---- something else where something was ---- */

struct wanted {
	uint64_t iova;
	struct iommu_ioas_area area;
};

/* As a whole, by where it begins: a list from the middle of one would look like that, too. */
static int pick_area(struct ilu_space *space, const struct iommu_ioas_area *area, void *arg)
{
	struct wanted *wanted = arg;

	(void)space;
	if (area->iova != wanted->iova)
		return 0;
	wanted->area = *area;
	return 1;
}

/* 1, 0 if there is none, or a negative errno */
static int find_area(struct ilu_space *space, uint64_t iova, struct iommu_ioas_area *area)
{
	struct wanted wanted = { .iova = iova };
	int result = for_each_area(space, pick_area, &wanted);

	*area = wanted.area;
	return result;
}

static int map_file(struct ilu_space *space, const struct ilu_instead *instead, int fd,
		    uint64_t start)
{
	struct ilu *ilu = space->object.ilu;
	struct iommu_ioas_map_file map = {
		.size = sizeof(map),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | instead->flags,
		.ioas_id = space->ioas,
		.fd = fd,
		.start = start,
		.length = instead->length,
		.iova = instead->iova,
	};

	return ilu_try_ioctl(ilu, ilu->iommufd, IOMMU_IOAS_MAP_FILE, &map);
}

static int unmap(struct ilu_space *space, const struct ilu_instead *instead)
{
	struct ilu *ilu = space->object.ilu;
	struct iommu_ioas_unmap unmap = {
		.size = sizeof(unmap),
		.ioas_id = space->ioas,
		.iova = instead->iova,
		.length = instead->length,
	};
	int result = ilu_ioctl(ilu, ILU_CALL_UNMAP, ilu->iommufd, IOMMU_IOAS_UNMAP, &unmap,
			       space->object.name);

	return result < 0 ? result : 0;
}

static void drop(struct ilu_space *space, struct ilu_instead *instead)
{
	struct ilu_instead **at = &space->insteads;

	while (*at != instead)
		at = &(*at)->next;
	*at = instead->next;
	ilu_close(space->object.ilu, &instead->original);
	free(instead);
}

void ilu_originals_forget(struct ilu_space *space)
{
	while (space->insteads)
		drop(space, space->insteads);
}

static int original_again(struct ilu_space *space, struct ilu_instead *instead)
{
	struct ilu *ilu = space->object.ilu;
	int error = map_file(space, instead, instead->original, instead->start);

	if (error) {
		instead->gap = true;
		ilu_fail(ilu, error, ILU_CALL_MAP_AGAIN, space->object.name);
		ilu_locate(ilu, instead->iova);
		return error;
	}
	drop(space, instead);
	return 0;
}

static bool is_replaced(const struct ilu_space *space, uint64_t iova)
{
	for (const struct ilu_instead *instead = space->insteads; instead; instead = instead->next)
		if (instead->iova == iova)
			return true;
	return false;
}

static int check_instead(struct ilu_space *space, uint64_t iova, struct ilu_memory *memory,
			 uint64_t offset)
{
	struct ilu *ilu = space->object.ilu;
	int error = check_adopted(space);

	if (error)
		return error;
	if (is_replaced(space, iova))
		return ilu_refuse(ilu, ILU_OWN_REPLACED, space->object.name);
	if (!memory || offset > memory->length)
		return ilu_refuse(ilu, ILU_OWN_BAD_ARGUMENT, space->object.name);
	if (memory->object.ilu != ilu)
		return ilu_refuse(ilu, ILU_OWN_OTHER_CONTEXT, memory->object.name);
	return ilu_may_change(ilu, space->object.name);
}

/* Within a page both have to begin at the same byte. The kernel would say so after the gap. */
static bool fits_page(uint64_t iova, uint64_t offset)
{
	return !((iova ^ offset) & ((uint64_t)sysconf(_SC_PAGESIZE) - 1));
}

/* Is it one that can be replaced, and is the original what is there? */
static int check_area(struct ilu_space *space, const struct iommu_ioas_area *area,
		      const struct ilu_memory *memory, uint64_t offset, int original)
{
	const struct ilu_inode there = inode_of(area);
	const char *name = space->object.name;
	struct ilu *ilu = space->object.ilu;
	struct ilu_inode given = { 0 };
	int error;

	if (area->flags & IOMMU_IOAS_MAP_WRITEABLE)
		return ilu_refuse(ilu, ILU_OWN_WRITABLE, name);
	if (area->length > memory->length - offset || !fits_page(area->iova, offset))
		return ilu_refuse(ilu, ILU_OWN_BAD_ARGUMENT, name);
	error = ilu_inode(ilu, original, &given, name);
	if (!error && !ilu_same_inode(&there, &given))
		error = ilu_refuse(ilu, ILU_OWN_OTHER_ORIGINAL, name);
	return error;
}

static struct ilu_instead *instead_new(struct ilu_space *space,
				       const struct iommu_ioas_area *area,
				       const struct ilu_memory *memory, uint64_t offset,
				       int original)
{
	struct ilu *ilu = space->object.ilu;
	struct ilu_instead *instead = calloc(1, sizeof(*instead));

	if (!instead) {
		ilu_refuse(ilu, ILU_OWN_NO_MEMORY, space->object.name);
		return NULL;
	}
	*instead = (struct ilu_instead) {
		.next = space->insteads,
		.iova = area->iova,
		.length = area->length,
		.start = area->start,
		.flags = area->flags,
		.original = ilu_dup(ilu, original, space->object.name),
		.copy = memory->inode,
		.copy_start = offset,
	};
	if (instead->original < 0) {
		free(instead);
		return NULL;
	}
	space->insteads = instead;
	return instead;
}

/* As before, if that cannot be. What fails then is worse than what has failed. */
static int replace(struct ilu_space *space, struct ilu_instead *instead,
		   const struct ilu_memory *memory)
{
	struct ilu *ilu = space->object.ilu;
	struct ilu_stored_error refusal;
	int error = unmap(space, instead);

	if (error) {
		drop(space, instead);
		return error;
	}
	error = map_file(space, instead, memory->fd, instead->copy_start);
	if (!error)
		return 0;
	ilu_fail(ilu, error, ILU_CALL_MAP, memory->object.name);
	refusal = ilu->error;
	error = original_again(space, instead);
	if (error)
		return error;
	ilu_error_restore(ilu, &refusal);
	return refusal.public.err;
}

int ilu_map_instead(struct ilu_space *space, uint64_t iova, struct ilu_memory *memory,
		    uint64_t offset, int original)
{
	struct iommu_ioas_area area;
	struct ilu_instead *instead;
	struct ilu *ilu;
	int result;

	if (!space)
		return -EINVAL;
	ilu = space->object.ilu;
	result = check_instead(space, iova, memory, offset);
	if (!result)
		result = ilu_memories_identify(ilu);
	if (result)
		return result;
	result = find_area(space, iova, &area);
	if (result <= 0)
		return result ? result : ilu_refuse(ilu, ILU_OWN_NO_SUCH_MAP, space->object.name);
	result = check_area(space, &area, memory, offset, original);
	if (result)
		return result;
	instead = instead_new(space, &area, memory, offset, original);
	return instead ? replace(space, instead, memory) : ilu->error.public.err;
}

static bool is_copy(const struct iommu_ioas_area *area, const struct ilu_instead *instead)
{
	const struct ilu_inode inode = inode_of(area);

	return area->length == instead->length && area->start == instead->copy_start &&
	       area->flags == instead->flags && ilu_same_inode(&inode, &instead->copy);
}

static int try_back(struct ilu_space *space, struct ilu_instead *instead)
{
	struct iommu_ioas_area area;
	int there, error;

	there = find_area(space, instead->iova, &area);
	if (there < 0)
		return there;
	if (there && is_copy(&area, instead)) {
		error = unmap(space, instead);
		return error ? error : original_again(space, instead);
	}
	if (!there && instead->gap)
		return original_again(space, instead);
	drop(space, instead);
	return 0;
}

static bool is_gone(const struct ilu_space *space)
{
	struct ilu *ilu = space->object.ilu;
	struct iommu_ioas_list_areas list = { .size = sizeof(list), .ioas_id = space->ioas };

	return ilu_try_ioctl(ilu, ilu->iommufd, IOMMU_IOAS_LIST_AREAS, &list) == -ENOENT;
}

/* The owner has mapped something else in the gap, or has no such space any more. */
static bool is_changed(const struct ilu_space *space, int error)
{
	return error == -EEXIST || error == -EADDRINUSE || (error == -ENOENT && is_gone(space));
}

/* What its owner has changed since then is his, and nothing to try again. */
static int put_back(struct ilu_space *space, struct ilu_instead *instead)
{
	int error = try_back(space, instead);

	if (!error || !is_changed(space, error))
		return error;
	drop(space, instead);
	return 0;
}

/* One that fails is in the way of no other one. */
static void put_all_back(struct ilu_space *space, int *first, struct ilu_stored_error *said)
{
	struct ilu_instead *instead = space->insteads, *next;

	for (; instead; instead = next) {
		int error;

		next = instead->next;
		error = put_back(space, instead);
		if (*first || !error)
			continue;
		*first = error;
		*said = space->object.ilu->error;
	}
}

int ilu_originals_again(struct ilu *ilu)
{
	struct ilu_stored_error said;
	int first = 0;

	for (struct ilu_object *object = ilu->spaces; object; object = object->next)
		put_all_back((struct ilu_space *)object, &first, &said);
	if (first)
		ilu_error_restore(ilu, &said);
	return first;
}
