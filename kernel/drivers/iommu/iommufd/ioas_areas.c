// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */

/**
 * DOC: Listing what an IOAS maps
 *
 * IOMMU_IOAS_LIST_AREAS tells the areas of an IOAS in the order of their IOVAs:
 *
 * 1. As many entries as fit a kernel buffer, whose size is bounded, are filled under
 *    io_pagetable::iova_rwsem.
 *
 * 2. Lock and IOAS are let go of, and the entries are copied to user space. The
 *    owner of that memory may hold the copy up for as long as he likes; nobody
 *    else waits for him.
 *
 * 3. If there is more, user space is told the IOVA at which to go on.
 *
 * So each entry is true when it is read. An entry never starts before the IOVA that
 * was asked for, so whatever is mapped and unmapped in between, the entries of calls
 * that follow each other ascend and do not overlap, and come to an end.
 */
#include <linux/fs.h>
#include <linux/iommu.h>
#include <linux/kdev_t.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/uaccess.h>
#include <uapi/linux/iommufd.h>

#include "io_pagetable.h"
#include "iommufd_private.h"

/* In one call. Bounds the buffer, and the time for which iova_rwsem is held. */
#define IOAS_AREAS_MAX (SZ_32K / sizeof(struct iommu_ioas_area))

static void ioas_area_set_file(struct iommu_ioas_area *entry, struct file *file)
{
	struct inode *inode = file_inode(file);

	entry->ino = inode->i_ino;
	entry->dev_major = MAJOR(inode->i_sb->s_dev);
	entry->dev_minor = MINOR(inode->i_sb->s_dev);
}

/* The part of an area from @iova on */
static void ioas_area_fill(struct iommu_ioas_area *entry,
			   struct iopt_area *area, unsigned long iova)
{
	struct iopt_pages *pages = area->pages;
	unsigned long start_byte = iopt_area_start_byte(area, iova);

	entry->iova = iova;
	entry->length = iopt_area_last_iova(area) - iova + 1;
	if (area->iommu_prot & IOMMU_READ)
		entry->flags |= IOMMU_IOAS_MAP_READABLE;
	if (area->iommu_prot & IOMMU_WRITE)
		entry->flags |= IOMMU_IOAS_MAP_WRITEABLE;

	switch (pages->type) {
	case IOPT_ADDRESS_USER:
		entry->type = IOMMU_IOAS_AREA_USER;
		entry->start = (uintptr_t)pages->uptr + start_byte;
		break;
	case IOPT_ADDRESS_FILE:
		entry->type = IOMMU_IOAS_AREA_FILE;
		entry->start = pages->start + start_byte;
		ioas_area_set_file(entry, pages->file);
		entry->seals = max(pages->seals, 0);
		break;
	case IOPT_ADDRESS_DMABUF:
		entry->type = IOMMU_IOAS_AREA_DMABUF;
		entry->start = pages->dmabuf.start + start_byte;
		if (IS_ENABLED(CONFIG_DMA_SHARED_BUFFER))
			ioas_area_set_file(entry,
					   pages->dmabuf.attach->dmabuf->file);
		break;
	}
}

/* Fills entries for what is mapped from cmd->iova on, and what @cmd answers */
static void ioas_fill_areas(struct io_pagetable *iopt,
			    struct iommu_ioas_list_areas *cmd,
			    struct iommu_ioas_area *entries, u32 max)
{
	unsigned long iova = cmd->iova;
	struct iopt_area *area;

	cmd->nr = 0;
	cmd->out_flags = 0;

	guard(rwsem_read)(&iopt->iova_rwsem);
	for (area = iopt_area_iter_first(iopt, iova, ULONG_MAX); area;
	     area = iopt_area_iter_next(area, iova, ULONG_MAX)) {
		unsigned long from = max(iova, iopt_area_iova(area));

		/* It is just being mapped or unmapped, and so is not mapped */
		if (!area->pages)
			continue;

		if (cmd->nr == max) {
			cmd->out_flags = IOMMU_IOAS_AREAS_MORE;
			cmd->iova = from;
			return;
		}
		ioas_area_fill(&entries[cmd->nr++], area, from);
	}
}

/**
 * iommufd_ioas_list_areas() - ioctl(IOMMU_IOAS_LIST_AREAS)
 * @ucmd: The command, a struct iommu_ioas_list_areas
 *
 * Context: May sleep. No lock is held while user memory is written.
 * Return: 0, or
 *	   -EOPNOTSUPP if a flag or a reserved field is set,
 *	   -EOVERFLOW if there can be no such IOVA,
 *	   -ENOENT if there is no such IOAS,
 *	   -ENOMEM, -EFAULT.
 */
int iommufd_ioas_list_areas(struct iommufd_ucmd *ucmd)
{
	struct iommu_ioas_list_areas *cmd = ucmd->cmd;
	struct iommu_ioas_area *entries __free(kvfree) = NULL;
	struct iommufd_ioas *ioas;
	u32 max;

	if (cmd->flags || cmd->reserved)
		return -EOPNOTSUPP;
	if (cmd->iova >= ULONG_MAX)
		return -EOVERFLOW;

	max = min(cmd->nr, IOAS_AREAS_MAX);
	if (max) {
		entries = kvcalloc(max, sizeof(*entries), GFP_KERNEL_ACCOUNT);
		if (!entries)
			return -ENOMEM;
	}

	ioas = iommufd_get_ioas(ucmd->ictx, cmd->ioas_id);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	ioas_fill_areas(&ioas->iopt, cmd, entries, max);
	iommufd_put_object(ucmd->ictx, &ioas->obj);

	if (copy_to_user(u64_to_user_ptr(cmd->areas), entries,
			 cmd->nr * sizeof(*entries)))
		return -EFAULT;
	return iommufd_ucmd_respond(ucmd, sizeof(*cmd));
}
