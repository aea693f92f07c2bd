/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */
#ifndef __IOMMUFD_LIVEUPDATE_CHECK_H
#define __IOMMUFD_LIVEUPDATE_CHECK_H

struct iommufd_ser;

const char *iommufd_ser_check(const struct iommufd_ser *ser,
			      unsigned int order);

#endif /* __IOMMUFD_LIVEUPDATE_CHECK_H */
