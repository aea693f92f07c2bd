/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 *
 * What the mock IOMMU of liveupdate_mock.c and its selftest share. No ABI.
 */
#ifndef __IOMMUFD_LIVEUPDATE_MOCK_UAPI_H
#define __IOMMUFD_LIVEUPDATE_MOCK_UAPI_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define MOCK_DEVICE_FILE	"iommu_liveupdate_mock"

/* Units, and devices: those of a unit follow one another */
#define MOCK_UNITS		2
#define MOCK_DEVICES		64
#define MOCK_PER_UNIT		(MOCK_DEVICES / MOCK_UNITS)
/* Of a device; 0 stands for requests without one */
#define MOCK_PASIDS		16

/**
 * struct mock_cmd - Argument of all ioctls
 * @nr: The unit or the device; for MOCK_BIND the iommufd, then the id of the device
 *	object; for MOCK_ATTACH the id of a page table or IOAS
 * @on: 1 to add or to switch on, 0 to remove or to switch off; for MOCK_DMA 1 if
 *	the device writes
 * @pasid: Of MOCK_DMA, MOCK_ATTACH and MOCK_DETACH, or 0
 * @reserved: Not looked at
 * @iova: Of MOCK_DMA
 * @value: Of MOCK_DMA, what is written, or was read
 */
struct mock_cmd {
	__u32 nr;
	__u32 on;
	__u32 pasid;
	__u32 reserved;
	__u64 iova;
	__u64 value;
};

#define MOCK_IOCTL_TYPE		0xbb

/* On the character device */
#define MOCK_UNIT	_IOWR(MOCK_IOCTL_TYPE, 0, struct mock_cmd)
#define MOCK_DEVICE	_IOWR(MOCK_IOCTL_TYPE, 1, struct mock_cmd)
#define MOCK_MASTER	_IOWR(MOCK_IOCTL_TYPE, 2, struct mock_cmd)
#define MOCK_DMA	_IOWR(MOCK_IOCTL_TYPE, 3, struct mock_cmd)
/* Returns the file of a device */
#define MOCK_OPEN	_IOWR(MOCK_IOCTL_TYPE, 4, struct mock_cmd)

/* On the file of a device */
#define MOCK_BIND	_IOWR(MOCK_IOCTL_TYPE, 5, struct mock_cmd)
#define MOCK_ATTACH	_IOWR(MOCK_IOCTL_TYPE, 6, struct mock_cmd)
#define MOCK_DETACH	_IOWR(MOCK_IOCTL_TYPE, 7, struct mock_cmd)

#endif /* __IOMMUFD_LIVEUPDATE_MOCK_UAPI_H */
