// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>

#include "internal.h"

int ilu_sessions(struct ilu *ilu,
		 int (*found)(void *arg, const struct ilu_session_info *session), void *arg)
{
	(void)ilu, (void)found, (void)arg;
	return -ENOSYS;
}

uint32_t ilu_space_id(const struct ilu_space *space)
{
	return space ? space->ioas : 0;
}

int ilu_iommufd(const struct ilu *ilu)
{
	return ilu && ilu->iommufd >= 0 ? ilu->iommufd : -EBADF;
}

int ilu_device_pt(const struct ilu_device *device, uint32_t *id, uint32_t *hwpt)
{
	(void)device, (void)id, (void)hwpt;
	return -ENOSYS;
}

int ilu_iommufd_adopt(struct ilu *ilu, int iommufd)
{
	(void)ilu, (void)iommufd;
	return -ENOSYS;
}

struct ilu_space *ilu_space_adopt(struct ilu *ilu, const char *name, uint32_t ioas)
{
	(void)ilu, (void)name, (void)ioas;
	errno = ENOSYS;
	return NULL;
}

int ilu_space_strangers(struct ilu_space *space,
			int (*found)(void *arg, const struct ilu_area *area), void *arg)
{
	(void)space, (void)found, (void)arg;
	return -ENOSYS;
}

int ilu_map_instead(struct ilu_space *space, uint64_t iova, struct ilu_memory *memory,
		    uint64_t offset, int original)
{
	(void)space, (void)iova, (void)memory, (void)offset, (void)original;
	return -ENOSYS;
}

struct ilu_device *ilu_device_adopt(struct ilu *ilu, const char *name,
				    const struct ilu_device_adopt_opts *opts,
				    struct ilu_space *space)
{
	(void)ilu, (void)name, (void)opts, (void)space;
	errno = ENOSYS;
	return NULL;
}

int ilu_device_irqs_adopt(struct ilu_device *device, unsigned int index, unsigned int count,
			  const int *eventfds)
{
	(void)device, (void)index, (void)count, (void)eventfds;
	return -ENOSYS;
}

int ilu_release(struct ilu *ilu)
{
	(void)ilu;
	return -ENOSYS;
}

int ilu_preserve_memory(struct ilu *ilu)
{
	(void)ilu;
	return -ENOSYS;
}
