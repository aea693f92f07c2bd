// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */

/**
 * DOC: What a preserved iommufd maps
 *
 * The next kernel keeps memory that a file of the session stands for, and nothing
 * else. So before a HWPT is preserved all areas of its IOAS are looked at:
 *
 * 1. When a file is mapped, iopt_pages_note_seals() notes how it is sealed. A file
 *    with the three seals never loses a page but by a punched hole.
 *
 * 2. iopt_check_areas(), called by liveupdate.c: each area must be of a file that was
 *    sealed then and is preserved in this session, and must map the very pages that
 *    the file has now. The domain is asked in large pieces, the file by folios.
 *
 * Afterwards the IOAS is immutable and the file frozen, so it is enough to look once.
 *
 * Locking: who calls iopt_check_areas() holds io_pagetable::domains_rwsem and
 * iova_rwsem. The note is made before anybody else knows the pages.
 */
#define pr_fmt(fmt) "iommufd: liveupdate: " fmt

#include <linux/err.h>
#include <linux/iommu.h>
#include <linux/iommu-liveupdate.h>
#include <linux/liveupdate.h>
#include <linux/lockdep.h>
#include <linux/memfd.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/printk.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <uapi/linux/fcntl.h>

#include "io_pagetable.h"
#include "iommufd_private.h"

/* A file that has these never loses a page but by a punched hole */
#define IOMMUFD_LIVEUPDATE_SEALS (F_SEAL_SEAL | F_SEAL_GROW | F_SEAL_SHRINK)

/* Mappings are looked up in pieces of this size at most, to come up for air */
#define IOMMUFD_LIVEUPDATE_RUN SZ_1G

/**
 * iopt_pages_note_seals() - Note how the file of new pages is sealed
 * @pages: Of a file, nothing is pinned yet
 *
 * Seals can be added later, which does not count, but never be removed.
 *
 * Context: May sleep.
 */
void iopt_pages_note_seals(struct iopt_pages *pages)
{
	pages->seals = memfd_get_seals(pages->file);
}

/**
 * struct mapped_run - What a domain maps in one piece
 * @domain: The domain
 * @last_iova: Where the area ends that is looked at
 * @iova: Where the piece starts
 * @length: Its length, 0 if @iova is not mapped
 * @phys: What it is mapped to
 */
struct mapped_run {
	struct iommu_domain *domain;
	unsigned long last_iova;
	unsigned long iova;
	size_t length;
	phys_addr_t phys;
};

/* How much from @iova on is mapped to @phys and what follows, 0 if none is */
static size_t run_matches(struct mapped_run *run, unsigned long iova,
			  phys_addr_t phys)
{
	if (iova - run->iova >= run->length) {
		size_t rest = run->last_iova - iova;

		run->iova = iova;
		run->length = iommu_domain_mapped_run(run->domain, iova,
						      min(rest, IOMMUFD_LIVEUPDATE_RUN - 1) + 1,
						      &run->phys);
	}
	if (!run->length || run->phys + (iova - run->iova) != phys)
		return 0;
	return run->length - (iova - run->iova);
}

/*
 * Whether the domain maps @iova and what follows to @folio, from @offset on.
 * Nothing is known about how the folio came to be mapped: it may be in many
 * pieces, or only part of one.
 */
static bool folio_is_mapped(struct folio *folio, size_t offset, size_t length,
			    struct mapped_run *run, unsigned long iova)
{
	phys_addr_t phys = PFN_PHYS(folio_pfn(folio)) + offset;

	while (length) {
		size_t step = min(length, run_matches(run, iova, phys));

		if (!step)
			return false;
		iova += step;
		phys += step;
		length -= step;
	}
	return true;
}

/*
 * Seals do not forbid to punch holes. The file has other pages there now than
 * those which were pinned when it was mapped, or none. As the file is preserved,
 * which fixes its pages, it is enough to look once.
 */
static int area_check_frames(struct iopt_area *area, struct iommu_domain *domain)
{
	struct address_space *mapping = area->pages->file->f_mapping;
	unsigned long last_iova = iopt_area_last_iova(area);
	unsigned long iova = iopt_area_iova(area);
	struct mapped_run run = { .domain = domain, .last_iova = last_iova };

	for (;;) {
		u64 pos = area->pages->start + iopt_area_start_byte(area, iova);
		struct folio *folio;
		size_t length = 0;

		folio = filemap_get_folio(mapping, pos >> PAGE_SHIFT);
		if (!IS_ERR(folio)) {
			size_t offset = offset_in_folio(folio, pos);

			length = min(folio_size(folio) - offset,
				     last_iova - iova + 1);
			if (!folio_is_mapped(folio, offset, length, &run, iova))
				length = 0;
			folio_put(folio);
		}
		if (!length) {
			liveupdate_refuse_warn("IOAS %u: file offset %#llx has other memory now than is mapped at IOVA %#lx\n",
					       iopt_ioas_id(area->iopt), pos, iova);
			return -EINVAL;
		}

		if (last_iova - iova < length)
			return 0;
		iova += length;
		cond_resched();
	}
}

static int area_check(struct iopt_area *area, struct iommu_domain *domain,
		      struct liveupdate_session *session)
{
	struct iopt_pages *pages = area->pages;
	unsigned long iova = iopt_area_iova(area);
	u64 token;
	int rc;

	/*
	 * Without pages this is a map that has not come to the domains yet. An
	 * unmap that waits for accesses has set prevent_access.
	 */
	if (!pages || area->prevent_access) {
		liveupdate_refuse_warn("IOAS %u: the mapping at IOVA %#lx is just being changed\n",
				       iopt_ioas_id(area->iopt), iova);
		return -EBUSY;
	}
	if (pages->type != IOPT_ADDRESS_FILE) {
		liveupdate_refuse_warn("IOAS %u: the mapping at IOVA %#lx is not of a file, but of %s\n",
				       iopt_ioas_id(area->iopt), iova,
				       pages->type == IOPT_ADDRESS_DMABUF ?
				       "a dma-buf" : "memory of a process");
		return -EOPNOTSUPP;
	}
	if (pages->seals < 0 ||
	    (pages->seals & IOMMUFD_LIVEUPDATE_SEALS) != IOMMUFD_LIVEUPDATE_SEALS) {
		liveupdate_refuse_warn("IOAS %u: the file at IOVA %#lx was not sealed against seal, grow and shrink when it was mapped\n",
				       iopt_ioas_id(area->iopt), iova);
		return -EINVAL;
	}

	rc = liveupdate_get_token_outgoing(session, pages->file, &token);
	if (rc) {
		liveupdate_refuse_warn("IOAS %u: the file at IOVA %#lx is not preserved in this session: %pe\n",
				       iopt_ioas_id(area->iopt), iova, ERR_PTR(rc));
		return rc;
	}

	return area_check_frames(area, domain);
}

/**
 * iopt_check_areas() - Is all that an IOAS maps handed over as it is mapped?
 * @iopt: Its page table
 * @domain: A domain of it, they all map the same
 * @session: In which the files have to be preserved
 *
 * Context: May sleep. domains_rwsem and iova_rwsem are held for writing.
 * Return: 0, or
 *	   -EBUSY if a mapping is just being changed,
 *	   -EOPNOTSUPP if one is not of a file,
 *	   -EINVAL if a file was not sealed when it was mapped, or has other pages now,
 *	   -ENOENT if a file is not preserved in @session.
 */
int iopt_check_areas(struct io_pagetable *iopt, struct iommu_domain *domain,
		     struct liveupdate_session *session)
{
	struct iopt_area *area;
	int rc;

	lockdep_assert_held_write(&iopt->domains_rwsem);
	lockdep_assert_held_write(&iopt->iova_rwsem);

	for (area = iopt_area_iter_first(iopt, 0, ULONG_MAX); area;
	     area = iopt_area_iter_next(area, 0, ULONG_MAX)) {
		rc = area_check(area, domain, session);
		if (rc)
			return rc;
	}
	return 0;
}
