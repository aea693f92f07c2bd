// SPDX-License-Identifier: GPL-2.0
/* iommufd: ids are the lowest ones that are free, and what is in use is not destroyed. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "fake.h"
#include "uapi.h"

#define SEALS	(F_SEAL_SEAL | F_SEAL_GROW | F_SEAL_SHRINK)

/* ---- maps ---- */

void maps_free(struct fake_map *maps)
{
	while (maps) {
		struct fake_map *map = maps;

		maps = map->next;
		if (map->content)
			content_put(map->content);
		free(map);
	}
}

struct fake_map *maps_copy(const struct fake_map *maps)
{
	struct fake_map *copy = NULL, **at = &copy;

	for (; maps; maps = maps->next) {
		*at = calloc(1, sizeof(**at));
		**at = *maps;
		(*at)->next = NULL;
		if (maps->content)
			content_get(maps->content);
		at = &(*at)->next;
	}
	return copy;
}

struct fake_map *maps_of(const struct card *card)
{
	const struct object *hwpt;

	if (card->on_old)
		return card->old;
	if (!card->hwpt)
		return NULL;
	hwpt = &card->iommufd->objects[card->hwpt];
	return card->iommufd->objects[hwpt->ioas].maps;
}

unsigned char *fake_dma(const struct card *card, uint64_t iova, uint32_t flags)
{
	uint32_t wanted = (flags & ILU_MAP_READ ? IOMMU_IOAS_MAP_READABLE : 0) |
			  (flags & ILU_MAP_WRITE ? IOMMU_IOAS_MAP_WRITEABLE : 0);

	for (const struct fake_map *map = maps_of(card); map; map = map->next)
		if (iova >= map->iova && iova - map->iova < map->length &&
		    (map->flags & wanted) == wanted && map->content)
			return map->content->bytes + map->start + (iova - map->iova);
	return NULL;
}

static bool has_map(const struct fake_map *maps, const struct fake_map *map)
{
	for (; maps; maps = maps->next)
		if (maps->iova == map->iova && maps->length == map->length &&
		    maps->start == map->start && maps->flags == map->flags &&
		    maps->content == map->content)
			return true;
	return false;
}

/* ---- objects ---- */

uint32_t object_alloc(struct file *iommufd, enum object_type type, uint32_t wanted)
{
	uint32_t id = wanted ? wanted : 1;

	while (!wanted && iommufd->objects[id].type != OBJECT_FREE)
		if (++id == FAKE_OBJECTS)
			abort();
	iommufd->objects[id] = (struct object) { .type = type };
	return id;
}

static struct object *object(struct file *iommufd, uint32_t id, enum object_type type)
{
	if (!id || id >= FAKE_OBJECTS || iommufd->objects[id].type != type)
		return NULL;
	return &iommufd->objects[id];
}

static bool hwpt_in_use(struct fake *fake, struct file *iommufd, uint32_t id)
{
	for (int i = 0; i < FAKE_CARDS; i++)
		if (fake->cards[i].iommufd == iommufd && fake->cards[i].hwpt == id)
			return true;
	return false;
}

static bool ioas_in_use(struct file *iommufd, uint32_t id)
{
	for (uint32_t i = 1; i < FAKE_OBJECTS; i++)
		if (iommufd->objects[i].type == OBJECT_HWPT && iommufd->objects[i].ioas == id)
			return true;
	return false;
}

static int destroy(struct fake *fake, struct file *file, struct iommu_destroy *call)
{
	struct object *object;

	if (!call->id || call->id >= FAKE_OBJECTS)
		return -ENOENT;
	object = &file->objects[call->id];
	switch (object->type) {
	case OBJECT_FREE:
	case OBJECT_RESERVED:
		return -ENOENT;
	case OBJECT_DEVICE:
		return -EBUSY;
	case OBJECT_IOAS:
		if (file->preserved || ioas_in_use(file, call->id))
			return -EBUSY;
		break;
	case OBJECT_HWPT:
		if (file->preserved || hwpt_in_use(fake, file, call->id))
			return -EBUSY;
		break;
	}
	maps_free(object->maps);
	*object = (struct object) { .type = OBJECT_FREE };
	return 0;
}

static int map_file(struct fake *fake, struct file *file, struct iommu_ioas_map_file *call)
{
	struct object *ioas = object(file, call->ioas_id, OBJECT_IOAS);
	struct file *memfd = fd_file(fake, call->fd, FILE_MEMFD);
	struct fake_map *map, **at;

	if (!ioas)
		return -ENOENT;
	if (!memfd)
		return -EBADF;
	if (file->preserved)
		return -EBUSY;
	if ((call->iova | call->start | call->length) % FAKE_PAGE || !call->length ||
	    !(call->flags & IOMMU_IOAS_MAP_FIXED_IOVA) ||
	    call->start + call->length > memfd->content->length)
		return -EINVAL;
	for (map = ioas->maps; map; map = map->next)
		if (call->iova < map->iova + map->length && map->iova < call->iova + call->length)
			return -EEXIST;
	if (fake->map_fails && fake->map_errno) {
		fake->map_fails--;
		return -fake->map_errno;
	}
	/* Later it could not be preserved. One that cannot be sealed is another program's. */
	if ((memfd->content->seals & SEALS) != SEALS && !(memfd->content->seals & F_SEAL_SEAL) &&
	    !fake->careless)
		fake_broken(fake, "mapped before it was sealed");
	at = &ioas->maps;
	while (*at && (*at)->iova < call->iova)
		at = &(*at)->next;
	map = calloc(1, sizeof(*map));
	*map = (struct fake_map) {
		.next = *at,
		.iova = call->iova,
		.start = call->start,
		.length = call->length,
		.flags = call->flags,
		.type = IOMMU_IOAS_AREA_FILE,
		.seals = memfd->content->seals,
		.content = content_get(memfd->content),
	};
	*at = map;
	return 0;
}

static struct iommu_ioas_area area_from(const struct fake_map *map, uint64_t iova)
{
	struct iommu_ioas_area area = {
		.iova = iova > map->iova ? iova : map->iova,
		.flags = map->flags & ~IOMMU_IOAS_MAP_FIXED_IOVA,
		.type = map->type,
		.seals = map->seals,
	};

	area.length = map->iova + map->length - area.iova;
	area.start = map->start + (area.iova - map->iova);
	if (!map->content)
		return area;
	area.ino = map->content->ino;
	area.dev_minor = FAKE_SHMEM;
	return area;
}

/* Never more than two by one call, which is less than there is room for. */
static int list_areas(struct file *file, struct iommu_ioas_list_areas *call)
{
	struct iommu_ioas_area *areas = (void *)(uintptr_t)call->areas;
	uint32_t room = call->nr < 2 ? call->nr : 2;
	const struct object *ioas;
	const struct fake_map *map;

	if (call->flags || call->reserved)
		return -EOPNOTSUPP;
	ioas = object(file, call->ioas_id, OBJECT_IOAS);
	if (!ioas)
		return -ENOENT;
	call->nr = 0;
	call->out_flags = 0;
	for (map = ioas->maps; map; map = map->next) {
		if (call->iova && map->iova + map->length - 1 < call->iova)
			continue;
		if (call->nr == room) {
			call->out_flags = IOMMU_IOAS_AREAS_MORE;
			call->iova = area_from(map, call->iova).iova;
			return 0;
		}
		areas[call->nr++] = area_from(map, call->iova);
	}
	return 0;
}

static int list(struct fake *fake, struct file *file, struct iommu_ioas_list_areas *call)
{
	int error = list_areas(file, call);

	if (!error && fake->listed)
		fake->listed(call);
	return error;
}

static int unmap(struct file *file, struct iommu_ioas_unmap *call)
{
	struct object *ioas = object(file, call->ioas_id, OBJECT_IOAS);

	if (!ioas)
		return -ENOENT;
	if (file->preserved)
		return -EBUSY;
	for (struct fake_map **at = &ioas->maps; *at; at = &(*at)->next) {
		struct fake_map *map = *at;

		if (map->iova != call->iova || map->length != call->length)
			continue;
		*at = map->next;
		map->next = NULL;
		maps_free(map);
		return 0;
	}
	return -ENOENT;
}

static struct card *card_of(struct fake *fake, struct file *iommufd, uint32_t id)
{
	for (int i = 0; i < FAKE_CARDS; i++)
		if (fake->cards[i].iommufd == iommufd && fake->cards[i].id == id)
			return &fake->cards[i];
	return NULL;
}

static int hwpt_alloc(struct fake *fake, struct file *file, struct iommu_hwpt_alloc *call)
{
	struct card *card = card_of(fake, file, call->dev_id);

	if (!card || !object(file, call->pt_id, OBJECT_IOAS))
		return -ENOENT;
	call->out_hwpt_id = object_alloc(file, OBJECT_HWPT, 0);
	file->objects[call->out_hwpt_id].ioas = call->pt_id;
	file->objects[call->out_hwpt_id].kind = card->kind;
	return 0;
}

static int mark(struct file *file, struct iommu_hwpt_liveupdate_mark_preserve *call)
{
	struct object *hwpt = object(file, call->hwpt_id, OBJECT_HWPT);

	if (!hwpt)
		return -ENOENT;
	if (file->preserved)
		return -EBUSY;
	if (hwpt->automatic)
		return -EOPNOTSUPP;
	if (hwpt->marked)
		return -EEXIST;
	for (uint32_t i = 1; i < FAKE_OBJECTS; i++)
		if (file->objects[i].marked && file->objects[i].token == call->hwpt_token)
			return -EADDRINUSE;
	hwpt->marked = true;
	hwpt->token = call->hwpt_token;
	return 0;
}

long iommufd_ioctl(struct fake *fake, struct file *file, unsigned long request, void *data)
{
	struct iommu_ioas_alloc *alloc = data;

	switch (request) {
	case IOMMU_DESTROY:
		return destroy(fake, file, data);
	case IOMMU_IOAS_ALLOC:
		alloc->out_ioas_id = object_alloc(file, OBJECT_IOAS, 0);
		return 0;
	case IOMMU_IOAS_MAP_FILE:
		return map_file(fake, file, data);
	case IOMMU_IOAS_UNMAP:
		return unmap(file, data);
	case IOMMU_IOAS_LIST_AREAS:
		return fake->old_kernel ? -ENOTTY : list(fake, file, data);
	case IOMMU_HWPT_ALLOC:
		return hwpt_alloc(fake, file, data);
	case IOMMU_HWPT_LIVEUPDATE_MARK_PRESERVE:
		return mark(file, data);
	}
	return -ENOTTY;
}

void iommufd_release(struct fake *fake, struct file *file)
{
	(void)fake;
	for (uint32_t id = 1; id < FAKE_OBJECTS; id++)
		maps_free(file->objects[id].maps);
	free(file->objects);
}

/* All that marked page tables map must be in the session before. */
int iommufd_check_preserve(struct fake *fake, struct file *file, struct session *session)
{
	for (uint32_t id = 1; id < FAKE_OBJECTS; id++) {
		struct object *hwpt = &file->objects[id];

		if (hwpt->type != OBJECT_HWPT || !hwpt->marked)
			continue;
		for (struct fake_map *map = file->objects[hwpt->ioas].maps; map; map = map->next) {
			if (map->type != IOMMU_IOAS_AREA_FILE)
				return fake_say(fake, -EOPNOTSUPP, "iommufd: liveupdate: IOAS %u: the mapping at IOVA %#llx is not of a file, but of a process",
						hwpt->ioas, (unsigned long long)map->iova);
			if ((map->seals & SEALS) != SEALS)
				return fake_say(fake, -EINVAL, "iommufd: liveupdate: IOAS %u: the file at IOVA %#llx was not sealed against seal, grow and shrink when it was mapped",
						hwpt->ioas, (unsigned long long)map->iova);
			if (!session_has(session, map->content))
				return fake_say(fake, -ENOENT, "iommufd: liveupdate: IOAS %u: the file at IOVA %#llx is not preserved in this session: -ENOENT",
						hwpt->ioas, (unsigned long long)map->iova);
		}
	}
	return 0;
}

/* ---- what of a device is about iommufd ---- */

static int bind(struct fake *fake, struct file *file, struct vfio_device_bind_iommufd *call)
{
	struct file *iommufd = fd_file(fake, call->iommufd, FILE_IOMMUFD);
	struct card *card = file->card;

	if (!iommufd)
		return -EBADF;
	if (card->incoming && iommufd->incoming != card->incoming)
		return -EPERM;
	if (card->iommufd && !card->incoming)
		return -EINVAL;
	if (!card->iommufd) {
		/* One that came in has the id that it had. */
		card->id = object_alloc(iommufd, OBJECT_DEVICE, card->incoming ? card->id : 0);
		card->iommufd = file_get(iommufd);
	}
	call->out_devid = card->id;
	return 0;
}

/* The switch: what the device had before it must have afterwards. */
static void leave_old(struct fake *fake, struct card *card, const struct fake_map *maps)
{
	for (const struct fake_map *map = card->old; map; map = map->next)
		if (!has_map(maps, map))
			fake_broken(fake, "a device changed over and lost a map");
	maps_free(card->old);
	card->old = NULL;
	card->on_old = false;
}

static int attach(struct fake *fake, struct file *file, struct vfio_device_attach_iommufd_pt *call)
{
	struct card *card = file->card;
	struct object *hwpt;

	if (!card->iommufd)
		return -EINVAL;
	if (card->preserved)
		return -EBUSY;
	if (fake->attach_errno)
		return -fake->attach_errno;
	hwpt = object(card->iommufd, call->pt_id, OBJECT_HWPT);
	if (!hwpt)
		return -ENOENT;
	if (hwpt->kind != card->kind)
		return -EINVAL;
	if (hwpt->marked && card->iommufd->preserved)
		return -EBUSY;
	if (card->on_old)
		leave_old(fake, card, card->iommufd->objects[hwpt->ioas].maps);
	card->hwpt = call->pt_id;
	return 0;
}

/* ---- the rest of a device ---- */

void card_reset(struct card *card)
{
	memset(card->bar, 0, sizeof(card->bar));
	card->resets++;
}

static int region_info(const struct card *card, struct vfio_region_info *info)
{
	if (info->argsz < sizeof(*info) || !card->iommufd)
		return -EINVAL;
	info->size = 0;
	info->flags = 0;
	info->offset = 0;
	if (info->index == VFIO_PCI_CONFIG_REGION_INDEX) {
		info->size = card->config_length;
	} else if (info->index == VFIO_PCI_BAR0_REGION_INDEX) {
		info->size = FAKE_BAR;
		info->flags = VFIO_REGION_INFO_FLAG_MMAP;
		info->offset = FAKE_PAGE;
	} else if (info->index >= VFIO_PCI_NUM_REGIONS) {
		return -EINVAL;
	}
	return 0;
}

static bool is_vector(unsigned int index)
{
	return index <= VFIO_PCI_MSIX_IRQ_INDEX;
}

static int fire(struct card *card, const struct vfio_irq_set *set)
{
	if (!card->irqs[set->index] || set->count > card->irqs[set->index])
		return -EINVAL;
	if (card->fire_errno)
		return -card->fire_errno;
	card->fired += set->count;
	return 0;
}

static int set_irqs(struct fake *fake, struct card *card, struct vfio_irq_set *set)
{
	const int *eventfds = (const int *)set->data;
	bool none = set->flags & VFIO_IRQ_SET_DATA_NONE;

	if (!card->iommufd || set->index >= FAKE_IRQS || set->start ||
	    !(set->flags & VFIO_IRQ_SET_ACTION_TRIGGER))
		return -EINVAL;
	/* One kind of INTx, MSI and MSI-X at a time */
	for (unsigned int i = 0; is_vector(set->index) && is_vector(i); i++)
		if (i != set->index && card->irqs[i])
			return -EINVAL;
	if (none && set->count)
		return fire(card, set);
	if (none) {
		if (!card->irqs[set->index])
			return -EINVAL;
		if (card->off_errno)
			return -card->off_errno;
		card->irqs[set->index] = 0;
		return 0;
	}
	/* The number of vectors is what it was when they were switched on. */
	if (card->irqs[set->index] && card->irqs[set->index] != set->count)
		return -EINVAL;
	for (unsigned int i = 0; i < set->count; i++)
		if (eventfds[i] >= 0 && !fd_file(fake, eventfds[i], FILE_OTHER))
			return -EBADF;
	if (card->on_errno && is_vector(set->index))
		return -card->on_errno;
	card->irqs[set->index] = set->count;
	for (unsigned int i = 0; i < set->count && i < FAKE_VECTORS; i++)
		card->eventfds[set->index][i] = fd_file(fake, eventfds[i], FILE_OTHER);
	return 0;
}

long device_ioctl(struct fake *fake, struct file *file, unsigned long request, void *data)
{
	switch (request) {
	case VFIO_DEVICE_BIND_IOMMUFD:
		return bind(fake, file, data);
	case VFIO_DEVICE_ATTACH_IOMMUFD_PT:
		return attach(fake, file, data);
	case VFIO_DEVICE_GET_REGION_INFO:
		return region_info(file->card, data);
	case VFIO_DEVICE_SET_IRQS:
		return set_irqs(fake, file->card, data);
	case VFIO_DEVICE_RESET:
		card_reset(file->card);
		return 0;
	}
	return -ENOTTY;
}

/* The last one closes it: the device is stopped, unless it goes to the next kernel. */
void device_release(struct fake *fake, struct file *file)
{
	struct card *card = file->card;
	struct file *iommufd = card->iommufd;

	card->file = NULL;
	card->hwpt = 0;
	memset(card->irqs, 0, sizeof(card->irqs));
	if (!card->kept) {
		card_reset(card);
		card->config[PCI_COMMAND] = 0;
	}
	card->iommufd = NULL;
	if (!iommufd)
		return;
	iommufd->objects[card->id].type = OBJECT_FREE;
	if (!card->kept)
		card->id = 0;
	file_put(fake, iommufd);
}

int device_check_preserve(struct fake *fake, struct file *file, struct session *session)
{
	struct card *card = file->card;

	if (!card->iommufd)
		return fake_say(fake, -EINVAL, "live update: file is not bound to an iommufd");
	if (card->refusal)
		return fake_say(fake, -EOPNOTSUPP, "cannot be preserved: %s", card->refusal);
	if (card->iommufd->preserved != session || !card->hwpt ||
	    !card->iommufd->objects[card->hwpt].marked)
		return -ENOENT;
	return 0;
}
