/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _MM_MEMFD_LUO_HOLD_H
#define _MM_MEMFD_LUO_HOLD_H

#include <linux/types.h>

struct file;
struct inode;
struct memfd_luo_folio_ser;
struct memfd_luo_ser;

int memfd_luo_hold(const struct memfd_luo_ser *ser, void **folios_serp);
void memfd_luo_release(const struct memfd_luo_ser *ser,
		       struct memfd_luo_folio_ser *folios_ser);
int memfd_luo_add_folios(struct file *file,
			 const struct memfd_luo_folio_ser *folios_ser,
			 u64 nr_folios);
bool memfd_luo_inode_lock(struct inode *inode);
void memfd_luo_set_frozen(struct file *file, bool frozen);

#endif /* _MM_MEMFD_LUO_HOLD_H */
