/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _MM_MEMFD_LUO_CHECK_H
#define _MM_MEMFD_LUO_CHECK_H

#include <linux/types.h>

struct memfd_luo_folio_ser;
struct memfd_luo_ser;

/* The order of the preserved folio at @phys, or a negative errno if there is none. */
typedef int (*memfd_luo_order_fn)(u64 phys);

int memfd_luo_check(const struct memfd_luo_ser *ser);
int memfd_luo_check_list(const struct memfd_luo_ser *ser,
			 const struct memfd_luo_folio_ser *folios_ser,
			 memfd_luo_order_fn order_of);

#endif /* _MM_MEMFD_LUO_CHECK_H */
