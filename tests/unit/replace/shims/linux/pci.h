/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _SHIM_LINUX_PCI_H
#define _SHIM_LINUX_PCI_H

/* empty: see glue/iommu.h */

#endif
