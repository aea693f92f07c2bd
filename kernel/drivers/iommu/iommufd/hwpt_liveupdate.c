// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */

/**
 * DOC: Marking HWPTs for live update
 *
 * User space chooses which page tables of an iommufd live on in the next kernel by
 * marking their HWPTs, and gives each a token, a number that tells them apart in
 * records and logs, because object IDs are no ABI. A mark is no more than a note in
 * the HWPT:
 *
 * 1. iommufd_hwpt_liveupdate_mark_preserve() sets it.
 * 2. It takes effect when the iommufd is preserved.
 * 3. It goes with the HWPT. It holds no reference, so the HWPT can be destroyed
 *    at any time before that, and the token may then be used again. It stays
 *    when the preserved iommufd is given up.
 *
 * Locking: iommufd_ctx_liveupdate::lock makes one step of the tests and of the
 * mark, also against an iommufd being preserved. Inside it the lock of
 * iommufd_ctx::objects keeps the other HWPTs from being freed while their
 * tokens are read.
 *
 * Any owner of an iommufd gets here as often as he likes, so that refusals are
 * told to him by errno and to the log for debugging only.
 */
#define pr_fmt(fmt) "iommufd: liveupdate: " fmt

#include <linux/iommufd.h>
#include <linux/mutex.h>
#include <linux/printk.h>
#include <linux/xarray.h>
#include <uapi/linux/iommufd.h>

#include "iommufd_private.h"

/* What will never change about this HWPT */
static int hwpt_check_markable(struct iommufd_object *obj)
{
	struct iommufd_hwpt_paging *hwpt_paging;
	const char *reason;

	switch (obj->type) {
	case IOMMUFD_OBJ_HWPT_NESTED:
		reason = "is nested";
		break;
	case IOMMUFD_OBJ_HWPT_PAGING:
		hwpt_paging = container_of(obj, struct iommufd_hwpt_paging,
					   common.obj);
		if (hwpt_paging->auto_domain)
			reason = "was created automatically";
		else if (hwpt_paging->common.fault)
			reason = "can fault";
		else
			return 0;
		break;
	default:
		pr_debug("cannot mark object %u: not a HWPT\n",
			 obj->id);
		return -ENOENT;
	}

	pr_debug("cannot mark HWPT %u: it %s\n", obj->id, reason);
	return -EOPNOTSUPP;
}

static bool token_in_use(struct iommufd_ctx *ictx, u64 token)
{
	struct iommufd_hwpt_paging *hwpt_paging;
	struct iommufd_object *obj;
	unsigned long index;
	bool found = false;

	lockdep_assert_held(&ictx->liveupdate.lock);

	xa_lock(&ictx->objects);
	xa_for_each(&ictx->objects, index, obj) {
		if (obj->type != IOMMUFD_OBJ_HWPT_PAGING)
			continue;
		hwpt_paging = container_of(obj, struct iommufd_hwpt_paging,
					   common.obj);
		if (hwpt_paging->liveupdate.marked &&
		    hwpt_paging->liveupdate.token == token) {
			found = true;
			break;
		}
	}
	xa_unlock(&ictx->objects);
	return found;
}

static int hwpt_mark(struct iommufd_ctx *ictx,
		     struct iommufd_hwpt_paging *hwpt_paging, u64 token)
{
	u32 id = hwpt_paging->common.obj.id;

	guard(mutex)(&ictx->liveupdate.lock);

	if (ictx->liveupdate.preserved) {
		pr_debug("cannot mark HWPT %u: the iommufd is preserved\n",
			 id);
		return -EBUSY;
	}
	if (hwpt_paging->liveupdate.marked) {
		pr_debug("cannot mark HWPT %u: it is marked with token %#llx\n",
			 id, hwpt_paging->liveupdate.token);
		return -EEXIST;
	}
	if (token_in_use(ictx, token)) {
		pr_debug("cannot mark HWPT %u: token %#llx is in use\n",
			 id, token);
		return -EADDRINUSE;
	}

	hwpt_paging->liveupdate.token = token;
	hwpt_paging->liveupdate.marked = true;
	return 0;
}

/**
 * iommufd_hwpt_liveupdate_mark_preserve() - Mark a HWPT to be preserved
 * @ucmd: The command, a struct iommu_hwpt_liveupdate_mark_preserve
 *
 * Does not preserve anything and takes no reference that outlives the call.
 *
 * Context: ioctl of the iommufd. May sleep, also for as long as the iommufd is
 *	    just being preserved.
 * Return: 0, -ENOENT if the ID is not that of a HWPT, -EOPNOTSUPP if such a
 *	   HWPT can never be preserved, -EBUSY if the iommufd is preserved,
 *	   -EEXIST if the HWPT is marked already, -EADDRINUSE if another HWPT
 *	   has the token.
 */
int iommufd_hwpt_liveupdate_mark_preserve(struct iommufd_ucmd *ucmd)
{
	struct iommu_hwpt_liveupdate_mark_preserve *cmd = ucmd->cmd;
	struct iommufd_object *obj;
	int rc;

	obj = iommufd_get_object(ucmd->ictx, cmd->hwpt_id, IOMMUFD_OBJ_ANY);
	if (IS_ERR(obj)) {
		pr_debug("cannot mark object %u: there is none\n",
			 cmd->hwpt_id);
		return PTR_ERR(obj);
	}

	rc = hwpt_check_markable(obj);
	if (!rc)
		rc = hwpt_mark(ucmd->ictx,
			       container_of(obj, struct iommufd_hwpt_paging,
					    common.obj),
			       cmd->hwpt_token);

	iommufd_put_object(ucmd->ictx, obj);
	return rc;
}
