/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The calls of the kernel that the library makes. Headers of an older kernel lack
 * some of them: Debian 12 has neither iommufd nor the character devices of VFIO, and
 * only the series has the mark. What a header has is taken from there.
 */
#ifndef ILU_UAPI_H
#define ILU_UAPI_H

#include <linux/ioctl.h>
#include <linux/pci_regs.h>
#include <linux/types.h>
#include <linux/vfio.h>

/* ---- /dev/liveupdate and its sessions: Linux 6.19 ---- */

#if __has_include(<linux/liveupdate.h>)
#include <linux/liveupdate.h>
#endif

#ifndef LIVEUPDATE_IOCTL_TYPE
#define LIVEUPDATE_IOCTL_TYPE		0xBA
#endif

#ifndef LIVEUPDATE_SESSION_NAME_LENGTH
#define LIVEUPDATE_SESSION_NAME_LENGTH	64
#endif

#ifndef LIVEUPDATE_IOCTL_CREATE_SESSION
struct liveupdate_ioctl_create_session {
	__u32 size;
	__s32 fd;
	__u8 name[LIVEUPDATE_SESSION_NAME_LENGTH];
};
#define LIVEUPDATE_IOCTL_CREATE_SESSION	_IO(LIVEUPDATE_IOCTL_TYPE, 0x00)
#endif

#ifndef LIVEUPDATE_IOCTL_RETRIEVE_SESSION
struct liveupdate_ioctl_retrieve_session {
	__u32 size;
	__s32 fd;
	__u8 name[LIVEUPDATE_SESSION_NAME_LENGTH];
};
#define LIVEUPDATE_IOCTL_RETRIEVE_SESSION _IO(LIVEUPDATE_IOCTL_TYPE, 0x01)
#endif

/* What is refused in words: only the series has this and what follows it. */
#ifndef LIVEUPDATE_REASON_LENGTH
#define LIVEUPDATE_REASON_LENGTH	256
#endif

#ifndef LIVEUPDATE_IOCTL_LIST_SESSIONS
struct liveupdate_ioctl_list_sessions {
	__u32 size;
	__u32 flags;
	__aligned_u64 id;
	__u32 nr_files;
	__u32 reserved;
	__u8 name[LIVEUPDATE_SESSION_NAME_LENGTH];
};
#define LIVEUPDATE_SESSION_FLAG_INCOMING	(1 << 0)
#define LIVEUPDATE_SESSION_FLAG_OPEN		(1 << 1)
#define LIVEUPDATE_SESSION_FLAG_NEEDS_FINISH	(1 << 2)
#define LIVEUPDATE_IOCTL_LIST_SESSIONS	_IO(LIVEUPDATE_IOCTL_TYPE, 0x03)
#endif

#ifndef LIVEUPDATE_IOCTL_TEST_KEXEC
struct liveupdate_ioctl_test_kexec {
	__u32 size;
	__u32 flags;
	__s32 error;
	__u32 image;
	__aligned_u64 token;
	__u8 name[LIVEUPDATE_SESSION_NAME_LENGTH];
	__u8 reason[LIVEUPDATE_REASON_LENGTH];
};
#define LIVEUPDATE_IMAGE_NONE		0
#define LIVEUPDATE_IMAGE_SEGMENTS	1
#define LIVEUPDATE_IMAGE_FILE		2
#define LIVEUPDATE_IMAGE_HANDOVER	3
#define LIVEUPDATE_IOCTL_TEST_KEXEC	_IO(LIVEUPDATE_IOCTL_TYPE, 0x02)
#endif

#ifndef LIVEUPDATE_SESSION_PRESERVE_FD
struct liveupdate_session_preserve_fd {
	__u32 size;
	__s32 fd;
	__aligned_u64 token;
};
#define LIVEUPDATE_SESSION_PRESERVE_FD	_IO(LIVEUPDATE_IOCTL_TYPE, 0x40)
#endif

#ifndef LIVEUPDATE_SESSION_RETRIEVE_FD
struct liveupdate_session_retrieve_fd {
	__u32 size;
	__s32 fd;
	__aligned_u64 token;
};
#define LIVEUPDATE_SESSION_RETRIEVE_FD	_IO(LIVEUPDATE_IOCTL_TYPE, 0x41)
#endif

#ifndef LIVEUPDATE_SESSION_FINISH
struct liveupdate_session_finish {
	__u32 size;
	__u32 reserved;
};
#define LIVEUPDATE_SESSION_FINISH	_IO(LIVEUPDATE_IOCTL_TYPE, 0x42)
#endif

#ifndef LIVEUPDATE_SESSION_GET_NAME
struct liveupdate_session_get_name {
	__u32 size;
	__u32 reserved;
	__u8 name[LIVEUPDATE_SESSION_NAME_LENGTH];
};
#define LIVEUPDATE_SESSION_GET_NAME	_IO(LIVEUPDATE_IOCTL_TYPE, 0x43)
#endif

#ifndef LIVEUPDATE_SESSION_TEST
struct liveupdate_session_test {
	__u32 size;
	__u32 flags;
	__s32 error;
	__u32 reserved;
	__aligned_u64 token;
	__u8 reason[LIVEUPDATE_REASON_LENGTH];
};
#define LIVEUPDATE_SESSION_TEST		_IO(LIVEUPDATE_IOCTL_TYPE, 0x45)
#endif

#ifndef LIVEUPDATE_SESSION_GET_REASON
struct liveupdate_session_get_reason {
	__u32 size;
	__s32 error;
	__aligned_u64 token;
	__u8 reason[LIVEUPDATE_REASON_LENGTH];
};
#define LIVEUPDATE_SESSION_GET_REASON	_IO(LIVEUPDATE_IOCTL_TYPE, 0x44)
#endif

/* ---- iommufd: Linux 6.2 ---- */

#if __has_include(<linux/iommufd.h>)
#include <linux/iommufd.h>
#endif

#ifndef IOMMUFD_TYPE
#define IOMMUFD_TYPE			(';')
#endif

#ifndef IOMMU_DESTROY
struct iommu_destroy {
	__u32 size;
	__u32 id;
};
#define IOMMU_DESTROY			_IO(IOMMUFD_TYPE, 0x80)
#endif

#ifndef IOMMU_IOAS_ALLOC
struct iommu_ioas_alloc {
	__u32 size;
	__u32 flags;
	__u32 out_ioas_id;
};
#define IOMMU_IOAS_ALLOC		_IO(IOMMUFD_TYPE, 0x81)
#endif

/* With this one come the flags of a map, which are an enum. */
#ifndef IOMMU_IOAS_MAP
enum iommufd_ioas_map_flags {
	IOMMU_IOAS_MAP_FIXED_IOVA = 1 << 0,
	IOMMU_IOAS_MAP_WRITEABLE = 1 << 1,
	IOMMU_IOAS_MAP_READABLE = 1 << 2,
};
#endif

#ifndef IOMMU_IOAS_UNMAP
struct iommu_ioas_unmap {
	__u32 size;
	__u32 ioas_id;
	__aligned_u64 iova;
	__aligned_u64 length;
};
#define IOMMU_IOAS_UNMAP		_IO(IOMMUFD_TYPE, 0x86)
#endif

/* Linux 6.7 */
#ifndef IOMMU_HWPT_ALLOC
struct iommu_hwpt_alloc {
	__u32 size;
	__u32 flags;
	__u32 dev_id;
	__u32 pt_id;
	__u32 out_hwpt_id;
	__u32 __reserved;
};
#define IOMMU_HWPT_ALLOC		_IO(IOMMUFD_TYPE, 0x89)
#endif

/* Linux 6.13 */
#ifndef IOMMU_IOAS_MAP_FILE
struct iommu_ioas_map_file {
	__u32 size;
	__u32 flags;
	__u32 ioas_id;
	__s32 fd;
	__aligned_u64 start;
	__aligned_u64 length;
	__aligned_u64 iova;
};
#define IOMMU_IOAS_MAP_FILE		_IO(IOMMUFD_TYPE, 0x8f)
#endif

#ifndef IOMMU_HWPT_LIVEUPDATE_MARK_PRESERVE
struct iommu_hwpt_liveupdate_mark_preserve {
	__u32 size;
	__u32 hwpt_id;
	__aligned_u64 hwpt_token;
};
#define IOMMU_HWPT_LIVEUPDATE_MARK_PRESERVE _IO(IOMMUFD_TYPE, 0x96)
#endif

#ifndef IOMMU_IOAS_LIST_AREAS
struct iommu_ioas_area {
	__aligned_u64 iova;
	__aligned_u64 length;
	__aligned_u64 start;
	__u32 flags;
	__u32 type;
	__aligned_u64 ino;
	__u32 dev_major;
	__u32 dev_minor;
	__u32 seals;
	__u32 reserved;
};
struct iommu_ioas_list_areas {
	__u32 size;
	__u32 flags;
	__u32 ioas_id;
	__u32 nr;
	__aligned_u64 iova;
	__aligned_u64 areas;
	__u32 out_flags;
	__u32 reserved;
};
#define IOMMU_IOAS_AREA_USER		0
#define IOMMU_IOAS_AREA_FILE		1
#define IOMMU_IOAS_AREA_DMABUF		2
#define IOMMU_IOAS_AREAS_MORE		1
#define IOMMU_IOAS_LIST_AREAS		_IO(IOMMUFD_TYPE, 0x97)
#endif

/* ---- character devices of VFIO: Linux 6.6 ---- */

#ifndef VFIO_DEVICE_BIND_IOMMUFD
struct vfio_device_bind_iommufd {
	__u32 argsz;
	__u32 flags;
	__s32 iommufd;
	__u32 out_devid;
};
#define VFIO_DEVICE_BIND_IOMMUFD	_IO(VFIO_TYPE, VFIO_BASE + 18)
#endif

#ifndef VFIO_DEVICE_ATTACH_IOMMUFD_PT
struct vfio_device_attach_iommufd_pt {
	__u32 argsz;
	__u32 flags;
	__u32 pt_id;
};
#define VFIO_DEVICE_ATTACH_IOMMUFD_PT	_IO(VFIO_TYPE, VFIO_BASE + 19)
#endif

#endif
