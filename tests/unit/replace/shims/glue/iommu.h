/* SPDX-License-Identifier: GPL-2.0 */
/* As much of the driver, and of the kernel below it, as replace.c looks at */
#ifndef _SHIM_GLUE_IOMMU_H
#define _SHIM_GLUE_IOMMU_H

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/bug.h>
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/string.h>
#include <linux/types.h>

#undef static_assert
#define static_assert(expr) _Static_assert(expr, #expr)

/* --- locks: counted, and released at the end of the scope --- */

struct shim_lock {
	int held;
};

struct shim_lock *shim_lock(struct shim_lock *lock);
void shim_unlock(struct shim_lock **lock);
void shim_assert_held(struct shim_lock *lock);

#define __SHIM_GUARD(name, lock) \
	struct shim_lock *name __attribute__((cleanup(shim_unlock), unused)) = shim_lock(lock)
#define __SHIM_GUARD_N(n, lock)		__SHIM_GUARD(shim_guard_##n, lock)
#define __SHIM_GUARD_C(n, lock)		__SHIM_GUARD_N(n, lock)
#define __shim_guard(lock)		__SHIM_GUARD_C(__COUNTER__, lock)
#define guard(type)			__shim_guard
#define scoped_guard(type, lock)						\
	for (struct shim_lock *shim_scope __attribute__((cleanup(shim_unlock))) =	\
	     shim_lock(lock), *shim_done = NULL; !shim_done; shim_done = shim_scope)
#define lockdep_assert_held(lock)	shim_assert_held(lock)

/* --- the core and PCI --- */

#define IOMMU_NO_PASID		0
#define PCI_DEVID(bus, devfn)	((u16)((bus) << 8 | (devfn)))
#define PCI_BUS_NUM(rid)	((rid) >> 8 & 0xff)
#define PCI_SLOT(devfn)		((devfn) >> 3 & 0x1f)
#define PCI_FUNC(devfn)		((devfn) & 7)

typedef u32 ioasid_t;

struct iommu_domain {
	const char *ops;
	void *iopf_handler;
};

struct device {
	struct device_domain_info *info;
	bool is_pci;
	u16 aliases[3];
	unsigned int nr_aliases;
};

struct pci_dev {
	struct device dev;
};

#define dev_iommu_priv_get(dev)	((dev)->info)
#define dev_is_pci(dev)		((dev)->is_pci)
#define to_pci_dev(pci)		((struct pci_dev *)(pci))

int pci_for_each_dma_alias(struct pci_dev *pdev,
			   int (*fn)(struct pci_dev *pdev, u16 alias, void *data),
			   void *data);
__attribute__((format(printf, 2, 3)))
void dev_warn_ratelimited(struct device *dev, const char *format, ...);

struct list_head {
	struct dmar_domain *on;
};

void list_add(struct list_head *link, struct list_head *head);
void list_del(struct list_head *link);

struct iommu_domain_info {
	unsigned int refcnt;
	u16 did;
};

struct xarray {
	struct iommu_domain_info *entry;
};

#define xa_load(xa, index)	((void)(index), (xa)->entry)

/* --- the driver --- */

#define IDA_START_DID		2
#define VTD_PAGE_MASK		(~0ULL << 12)
#define MAX_AGAW_PFN_WIDTH	52
#define DMA_CCMD_MASK_NOBIT	0
#define DMA_CCMD_DEVICE_INVL	3
#define DMA_TLB_DSI_FLUSH	2
#define QI_PC_PASID_SEL		1

enum cache_tag_type { CACHE_TAG_IOTLB };

struct context_entry {
	u64 lo, hi;
};

struct pt_iommu_vtdss_hw_info {
	u64 ssptptr;
	u8 aw;
};

struct dmar_domain {
	struct iommu_domain domain;
	struct pt_iommu_vtdss_hw_info sspt;
	u64 words[8];
	struct xarray iommu_array;
	struct iommu_domain_info id;
	u8 force_snooping;
	u8 dirty_tracking;
	struct shim_lock lock;
	struct list_head devices;
	const char *name;
};

struct intel_iommu {
	int seq_id;
	bool sm, handed_over;
	struct shim_lock did_lock;
	struct shim_lock lock;
	struct context_entry *context;
	struct {
		void (*flush_context)(struct intel_iommu *iommu, u16 did, u16 sid,
				      u8 fm, u64 type);
		void (*flush_iotlb)(struct intel_iommu *iommu, u16 did, u64 addr,
				    unsigned int size_order, u64 type);
	} flush;
};

struct device_domain_info {
	struct list_head link;
	u8 bus, devfn;
	u8 ats_enabled, domain_attached, ats_qdep;
	struct device *dev;
	struct intel_iommu *iommu;
	struct dmar_domain *domain;
	struct pasid_table *pasid_table;
};

#define sm_supported(iommu)		((iommu)->sm)
#define context_copied(iommu, bus, devfn) false
#define dev_is_real_dma_subdevice(dev)	false
#define pt_iommu_vtdss_hw_info(pt, info) (*(info) = *(pt))

static inline u16 domain_id_iommu(struct dmar_domain *domain, struct intel_iommu *iommu)
{
	return domain->iommu_array.entry->did;
}

static inline bool intel_domain_is_fs_paging(struct dmar_domain *domain)
{
	return !strcmp(domain->domain.ops, "first");
}

static inline bool intel_domain_is_ss_paging(struct dmar_domain *domain)
{
	return !strcmp(domain->domain.ops, "second");
}

static inline bool intel_liveupdate_handed_over(struct intel_iommu *iommu)
{
	lockdep_assert_held(&iommu->lock);
	return iommu->handed_over;
}

static inline void context_set_present(struct context_entry *context)
{
	context->lo |= 1;
}

static inline void context_set_translation_type(struct context_entry *context,
						unsigned long value)
{
	context->lo &= (((u64)-1) << 4) | 3;
	context->lo |= (value & 3) << 2;
}

static inline void context_set_address_root(struct context_entry *context,
					    unsigned long value)
{
	context->lo &= ~VTD_PAGE_MASK;
	context->lo |= value & VTD_PAGE_MASK;
}

static inline void context_set_address_width(struct context_entry *context,
					     unsigned long value)
{
	context->hi |= value & 7;
}

static inline void context_set_domain_id(struct context_entry *context,
					 unsigned long value)
{
	context->hi |= (value & 0xffff) << 8;
}

struct context_entry *iommu_context_addr(struct intel_iommu *iommu, u8 bus, u8 devfn,
					 int alloc);
void __iommu_flush_cache(struct intel_iommu *iommu, void *addr, int size);
void qi_flush_pasid_cache(struct intel_iommu *iommu, u16 did, u64 granu, u32 pasid);
void qi_flush_piotlb_all(struct intel_iommu *iommu, u16 did, u32 pasid);
void quirk_extra_dev_tlb_flush(struct device_domain_info *info, unsigned long address,
			       unsigned long pages, u32 pasid, u16 qdep);
int paging_domain_compatible(struct iommu_domain *domain, struct device *dev);
int domain_attach_iommu(struct dmar_domain *domain, struct intel_iommu *iommu);
void domain_detach_iommu(struct dmar_domain *domain, struct intel_iommu *iommu);
int cache_tag_assign(struct dmar_domain *domain, u16 did, struct device *dev,
		     ioasid_t pasid, enum cache_tag_type type);
void cache_tag_unassign(struct dmar_domain *domain, u16 did, struct device *dev,
			ioasid_t pasid, enum cache_tag_type type);
int cache_tag_assign_domain(struct dmar_domain *domain, struct device *dev,
			    ioasid_t pasid);
void cache_tag_unassign_domain(struct dmar_domain *domain, struct device *dev,
			       ioasid_t pasid);

#endif
