/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 *
 * What iommufd keeps in its structures for a live update, and whom it asks
 * before it changes something. Described in liveupdate.c. Without
 * CONFIG_IOMMU_LIVEUPDATE the structures are empty and nothing is refused.
 */
#ifndef __IOMMUFD_LIVEUPDATE_H
#define __IOMMUFD_LIVEUPDATE_H

#include <linux/iommufd.h>
#include <linux/jiffies.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/types.h>

struct file;
struct iommu_domain;
struct io_pagetable;
struct iommufd_ctx;
struct iommufd_device;
struct iommufd_hw_pagetable;
struct iommufd_hwpt_paging;
struct iommufd_hwpt_ser;
struct iommufd_liveupdate;
struct iommufd_ser;
struct iommufd_ucmd;
struct iopt_pages;
struct liveupdate_file_op_args;
struct liveupdate_session;

#ifdef CONFIG_IOMMU_LIVEUPDATE

/**
 * struct iommufd_ctx_liveupdate - Part of struct iommufd_ctx
 * @lock: Protects @preserved and struct iommufd_hwpt_liveupdate
 * @preserved: Set as long as the iommufd is preserved
 * @incoming: Copy of the record it came in by, NULL if it was opened here
 */
struct iommufd_ctx_liveupdate {
	struct mutex lock;
	struct iommufd_liveupdate *preserved;
	const struct iommufd_ser *incoming;
};

/**
 * struct iopt_liveupdate - Part of struct io_pagetable
 * @nr_preserved: How many HWPTs are preserved. Written under
 *	iommufd_ctx_liveupdate::lock, and raised under both rwsems.
 */
struct iopt_liveupdate {
	unsigned int nr_preserved;
};

/**
 * struct iommufd_hwpt_liveupdate - Part of struct iommufd_hwpt_paging
 * @token: What user space calls it, if @marked
 * @marked: User space wants it to be preserved
 * @preserved: Its domain is preserved
 * @dirty_tracking: Dirty tracking is on. Under iommufd_ioas::mutex.
 */
struct iommufd_hwpt_liveupdate {
	u64 token;
	bool marked;
	bool preserved;
	bool dirty_tracking;
};

/**
 * struct iommufd_group_liveupdate - Part of struct iommufd_group
 * @nr_preserved: How many devices are preserved. Under iommufd_group::lock.
 */
struct iommufd_group_liveupdate {
	unsigned int nr_preserved;
};

/**
 * struct iommufd_device_liveupdate - Part of struct iommufd_device
 * @preserved: Its attachment is preserved. Under iommufd_group::lock.
 */
struct iommufd_device_liveupdate {
	bool preserved;
};

/* hwpt_liveupdate.c */
int iommufd_hwpt_liveupdate_mark_preserve(struct iommufd_ucmd *ucmd);

static inline void
iommufd_ctx_liveupdate_init(struct iommufd_ctx_liveupdate *liveupdate)
{
	mutex_init(&liveupdate->lock);
}

static inline void
iommufd_ctx_liveupdate_destroy(struct iommufd_ctx_liveupdate *liveupdate)
{
	mutex_destroy(&liveupdate->lock);
	kvfree(liveupdate->incoming);
}

/* How long a call of LUO waits for what user space may hold up */
#define IOMMUFD_LIVEUPDATE_WAIT (2 * HZ)

/* liveupdate.c */
bool mutex_lock_until(struct mutex *lock, unsigned long deadline);
u32 iopt_ioas_id(struct io_pagetable *iopt);
int iopt_check_mutable(struct io_pagetable *iopt);
void iommufd_hwpt_lock_dirty_tracking(struct iommufd_hwpt_paging *hwpt_paging);
void iommufd_hwpt_unlock_dirty_tracking(struct iommufd_hwpt_paging *hwpt_paging,
					bool enable, int rc);
int iommufd_device_check_mutable(struct iommufd_device *idev,
				 struct iommufd_hwpt_paging *hwpt_paging,
				 const char *what);
bool iommufd_device_is_preserved(struct iommufd_device *idev);
void iommufd_liveupdate_init(void);
void iommufd_liveupdate_exit(void);

/* liveupdate-areas.c */
void iopt_pages_note_seals(struct iopt_pages *pages);
int iopt_check_areas(struct io_pagetable *iopt, struct iommu_domain *domain,
		     struct liveupdate_session *session);

/* liveupdate-incoming.c */
bool iommufd_hwpt_is_restored(const struct iommufd_hw_pagetable *hwpt);
int iommufd_liveupdate_retrieve(struct liveupdate_file_op_args *args);
bool iommufd_liveupdate_can_finish(struct liveupdate_file_op_args *args);
void iommufd_liveupdate_finish(struct liveupdate_file_op_args *args);
int iommufd_device_check_replace(struct iommufd_device *idev,
				 struct iommufd_hw_pagetable *old,
				 struct iommufd_hw_pagetable *hwpt);
int iommufd_device_check_attach(struct iommufd_device *idev, u32 pasid);
void iommufd_device_left_restored(struct iommufd_device *idev, u32 pasid,
				  struct iommufd_hw_pagetable *old);

/* For liveupdate_kunit.c and liveupdate-incoming-kunit.c */
struct iommufd_hwpt_paging *
iommufd_device_preserved_hwpt(struct iommufd_device *idev);
#if IS_ENABLED(CONFIG_KUNIT)
extern struct iommufd_hw_pagetable iommufd_hwpt_restored;
bool iommufd_ctx_has_domain(struct iommufd_ctx *ictx, u64 domain_pa);
#endif

#else /* CONFIG_IOMMU_LIVEUPDATE */

struct iommufd_ctx_liveupdate { };
struct iopt_liveupdate { };
struct iommufd_hwpt_liveupdate { };
struct iommufd_group_liveupdate { };
struct iommufd_device_liveupdate { };

static inline void
iommufd_ctx_liveupdate_init(struct iommufd_ctx_liveupdate *liveupdate)
{
}

static inline void
iommufd_ctx_liveupdate_destroy(struct iommufd_ctx_liveupdate *liveupdate)
{
}

static inline void iopt_pages_note_seals(struct iopt_pages *pages)
{
}

static inline int iopt_check_mutable(struct io_pagetable *iopt)
{
	return 0;
}

static inline void
iommufd_hwpt_lock_dirty_tracking(struct iommufd_hwpt_paging *hwpt_paging)
{
}

static inline void
iommufd_hwpt_unlock_dirty_tracking(struct iommufd_hwpt_paging *hwpt_paging,
				   bool enable, int rc)
{
}

static inline int
iommufd_device_check_mutable(struct iommufd_device *idev,
			     struct iommufd_hwpt_paging *hwpt_paging,
			     const char *what)
{
	return 0;
}

static inline bool iommufd_device_is_preserved(struct iommufd_device *idev)
{
	return false;
}

static inline void iommufd_liveupdate_init(void)
{
}

static inline void iommufd_liveupdate_exit(void)
{
}

static inline bool
iommufd_hwpt_is_restored(const struct iommufd_hw_pagetable *hwpt)
{
	return false;
}

static inline int
iommufd_device_check_replace(struct iommufd_device *idev,
			     struct iommufd_hw_pagetable *old,
			     struct iommufd_hw_pagetable *hwpt)
{
	return 0;
}

static inline int iommufd_device_check_attach(struct iommufd_device *idev,
					      u32 pasid)
{
	return 0;
}

static inline void
iommufd_device_left_restored(struct iommufd_device *idev, u32 pasid,
			     struct iommufd_hw_pagetable *old)
{
}

#endif /* CONFIG_IOMMU_LIVEUPDATE */
#endif /* __IOMMUFD_LIVEUPDATE_H */
