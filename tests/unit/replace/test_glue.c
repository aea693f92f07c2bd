// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of drivers/iommu/intel/replace.c: what surrounds a plan, in which order,
 * and that a failure anywhere leaves everything as it was. Each call into the
 * rest of the driver is a word of a log.
 */
#include "test.h"
#include "iommu.h"
#include "liveupdate.h"
#include "pasid.h"
#include "replace.h"
#include "trace.h"

#define RID	0x0310
#define ALIAS	0x0318

static char calls[4096];
/* the nth call that can fail does, 0: none */
static unsigned int fail_at, nr_failable;
static bool came_in;

static struct context_entry table[65536];
static struct pasid_entry leaf[64] __attribute__((aligned(64)));
static struct pasid_dir_entry directory[8];
static struct pasid_table pasid_table = { directory, 512 };
static struct dmar_domain old_domain, new_domain;
static struct intel_iommu unit;
static struct device_domain_info info;
static struct pci_dev pdev;

__attribute__((format(printf, 1, 2)))
static void say(const char *format, ...)
{
	size_t len = strlen(calls);
	va_list args;

	va_start(args, format);
	vsnprintf(calls + len, sizeof(calls) - len, format, args);
	va_end(args);
}

static bool may_fail(void)
{
	return ++nr_failable == fail_at;
}

static const char *name_of(u16 did)
{
	return did == old_domain.id.did ? "old" : did == new_domain.id.did ? "new" : "?";
}

struct shim_lock *shim_lock(struct shim_lock *lock)
{
	assert_int_equal(lock->held++, 0);
	return lock;
}

void shim_unlock(struct shim_lock **lock)
{
	assert_int_equal((*lock)->held--, 1);
}

void shim_assert_held(struct shim_lock *lock)
{
	assert_int_equal(lock->held, 1);
}

int pci_for_each_dma_alias(struct pci_dev *pci, int (*fn)(struct pci_dev *, u16, void *),
			   void *data)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < pci->dev.nr_aliases && !ret; i++)
		ret = fn(pci, pci->dev.aliases[i], data);
	return ret;
}

void dev_warn_ratelimited(struct device *dev, const char *format, ...)
{
	say("warn ");
}

void list_add(struct list_head *link, struct list_head *head)
{
	struct dmar_domain *domain = head == &old_domain.devices ? &old_domain : &new_domain;

	shim_assert_held(&domain->lock);
	assert_null(link->on);
	link->on = domain;
	say("link(%s) ", domain->name);
}

void list_del(struct list_head *link)
{
	assert_non_null(link->on);
	shim_assert_held(&link->on->lock);
	say("unlink(%s) ", link->on->name);
	link->on = NULL;
}

struct context_entry *iommu_context_addr(struct intel_iommu *iommu, u8 bus, u8 devfn,
					 int alloc)
{
	shim_assert_held(&iommu->lock);
	assert_int_equal(alloc, 0);
	return &table[bus << 8 | devfn];
}

void __iommu_flush_cache(struct intel_iommu *iommu, void *addr, int size)
{
	assert_int_equal(size, iommu->sm ? 64 : 16);
	say("line ");
}

static void flush_context(struct intel_iommu *iommu, u16 did, u16 sid, u8 fm, u64 type)
{
	assert_int_equal(type, DMA_CCMD_DEVICE_INVL);
	shim_assert_held(&iommu->lock);
	say("context(%s,%x) ", name_of(did), sid);
}

static void flush_iotlb(struct intel_iommu *iommu, u16 did, u64 addr,
			unsigned int size_order, u64 type)
{
	assert_int_equal(type, DMA_TLB_DSI_FLUSH);
	say("iotlb(%s) ", name_of(did));
}

void qi_flush_pasid_cache(struct intel_iommu *iommu, u16 did, u64 granu, u32 pasid)
{
	assert_int_equal(granu, QI_PC_PASID_SEL);
	shim_assert_held(&iommu->lock);
	say("pasid(%s,%u) ", name_of(did), pasid);
}

void qi_flush_piotlb_all(struct intel_iommu *iommu, u16 did, u32 pasid)
{
	shim_assert_held(&iommu->did_lock);
	say("piotlb(%s,%u) ", name_of(did), pasid);
}

void quirk_extra_dev_tlb_flush(struct device_domain_info *info, unsigned long address,
			       unsigned long pages, u32 pasid, u16 qdep)
{
	say("devtlb2 ");
}

void devtlb_invalidation_with_pasid(struct intel_iommu *iommu, struct device *dev,
				    u32 pasid)
{
	assert_int_equal(iommu->lock.held, 0);
	say("devtlb ");
}

int paging_domain_compatible(struct iommu_domain *domain, struct device *dev)
{
	return may_fail() ? -EINVAL : 0;
}

int domain_attach_iommu(struct dmar_domain *domain, struct intel_iommu *iommu)
{
	if (may_fail())
		return -ENOSPC;
	domain->id.refcnt++;
	say("attach(%s) ", domain->name);
	return 0;
}

void domain_detach_iommu(struct dmar_domain *domain, struct intel_iommu *iommu)
{
	assert_int_equal(iommu->did_lock.held, 0);
	assert_true(domain->id.refcnt-- > 0);
	say("detach(%s) ", domain->name);
}

int cache_tag_assign(struct dmar_domain *domain, u16 did, struct device *dev,
		     ioasid_t pasid, enum cache_tag_type type)
{
	if (may_fail())
		return -ENOMEM;
	say("tag(%s,%s) ", domain->name, name_of(did));
	return 0;
}

void cache_tag_unassign(struct dmar_domain *domain, u16 did, struct device *dev,
			ioasid_t pasid, enum cache_tag_type type)
{
	say("untag(%s,%s) ", domain->name, name_of(did));
}

int cache_tag_assign_domain(struct dmar_domain *domain, struct device *dev,
			    ioasid_t pasid)
{
	return cache_tag_assign(domain, domain->id.did, dev, pasid, CACHE_TAG_IOTLB);
}

void cache_tag_unassign_domain(struct dmar_domain *domain, struct device *dev,
			       ioasid_t pasid)
{
	cache_tag_unassign(domain, domain->id.did, dev, pasid, CACHE_TAG_IOTLB);
}

int intel_pasid_config_paging(struct intel_iommu *iommu, struct pasid_entry *pte,
			     struct dmar_domain *domain)
{
	shim_assert_held(&iommu->lock);
	if (may_fail())
		return -EINVAL;
	memcpy(pte->val, domain->words, sizeof(pte->val));
	return 0;
}

int intel_pasid_setup_dirty_tracking(struct intel_iommu *iommu, struct device *dev,
				     u32 pasid, bool enabled)
{
	assert_int_equal(iommu->lock.held, 0);
	if (!!(leaf[0].val[0] & BIT_ULL(9)) != enabled)
		say("dirty(%d) ", enabled);
	return 0;
}

void intel_pasid_setup_page_snoop_control(struct intel_iommu *iommu, struct device *dev,
					  u32 pasid)
{
	assert_int_equal(iommu->lock.held, 0);
	say("snoop ");
}

bool intel_liveupdate_device_incoming(struct device_domain_info *info)
{
	return came_in;
}

void trace_entry_replace(struct intel_iommu *iommu, struct device *dev, u16 rid,
			 u32 pasid, u8 chunk, u64 old_lo, u64 old_hi, u64 new_lo,
			 u64 new_hi)
{
	say("write(%x,%u,%u) ", rid, pasid, chunk);
}

/* --- a device on a domain, and another domain --- */

static void domain_set_up(struct dmar_domain *domain, const char *name, const char *stage,
			  u64 root, u16 did)
{
	memset(domain, 0, sizeof(*domain));
	domain->name = name;
	domain->domain.ops = stage;
	domain->sspt.ssptptr = root;
	domain->sspt.aw = 2;
	domain->id.did = did;
	domain->iommu_array.entry = &domain->id;
	domain->words[0] = !strcmp(stage, "first") ? 0x49 : root | 0x89;
	domain->words[1] = did;
	domain->words[2] = !strcmp(stage, "first") ? root : 0;
}

static void set_up(bool sm, const char *old_stage, const char *new_stage)
{
	unsigned int i;

	memset(table, 0, sizeof(table));
	memset(leaf, 0, sizeof(leaf));
	memset(&unit, 0, sizeof(unit));
	memset(&info, 0, sizeof(info));
	domain_set_up(&old_domain, "old", old_stage, 0x1000, 5);
	domain_set_up(&new_domain, "new", new_stage, 0x2000, 6);
	old_domain.id.refcnt = 1;
	unit.sm = sm;
	unit.flush.flush_context = flush_context;
	unit.flush.flush_iotlb = flush_iotlb;
	info.bus = RID >> 8;
	info.devfn = RID & 0xff;
	info.dev = &pdev.dev;
	info.iommu = &unit;
	info.domain = &old_domain;
	info.domain_attached = 1;
	info.link.on = &old_domain;
	info.pasid_table = sm ? &pasid_table : NULL;
	pdev.dev = (struct device){ .info = &info, .is_pci = true,
				    .aliases = { RID, ALIAS }, .nr_aliases = 1 };
	memset(directory, 0, sizeof(directory));
	directory[0].val = (uintptr_t)leaf;
	for (i = 0; i < 2; i++)
		memcpy(leaf[i].val, old_domain.words, sizeof(leaf[i].val));
	table[RID] = table[ALIAS] = (struct context_entry){ 0x1001, 5 << 8 | 2 };
	calls[0] = '\0';
	fail_at = 0;
	came_in = true;
	nr_failable = 0;
}

static void assert_moved(void)
{
	assert_ptr_equal(info.domain, &new_domain);
	assert_ptr_equal(info.link.on, &new_domain);
	assert_int_equal(old_domain.id.refcnt, 0);
	assert_true(new_domain.id.refcnt >= 1);
	if (unit.sm)
		assert_memory_equal(leaf[0].val, new_domain.words, 64);
	else
		assert_true(table[RID].lo == 0x2001 && table[RID].hi == (6 << 8 | 2));
}

/* As set_up() has made it; the log shows that what was done was undone. */
static void assert_unmoved(const struct context_entry *alias)
{
	assert_ptr_equal(info.domain, &old_domain);
	assert_ptr_equal(info.link.on, &old_domain);
	assert_int_equal(old_domain.id.refcnt, 1);
	assert_int_equal(new_domain.id.refcnt, 0);
	assert_memory_equal(leaf[1].val, old_domain.words, 64);
	assert_true(table[RID].lo == 0x1001);
	assert_memory_equal(&table[ALIAS], alias, sizeof(*alias));
	assert_null(strstr(calls, "write("));
	assert_false(unit.lock.held || unit.did_lock.held);
}

/* Both requester ids are written, and the caches invalidated once for both. */
static void test_legacy(void **state)
{
	set_up(false, "second", "second");
	pdev.dev.nr_aliases = 2;
	info.ats_enabled = 1;
	assert_int_equal(intel_replace_domain(&new_domain, &pdev.dev), 0);
	assert_string_equal(calls, "attach(new) tag(new,new) unlink(old) "
			    "write(310,0,0) line context(old,310) "
			    "write(318,0,0) line context(old,318) "
			    "iotlb(old) devtlb devtlb2 "
			    "link(new) untag(old,old) detach(old) ");
	assert_moved();
	assert_true(table[ALIAS].lo == 0x2001);
}

/* The device TLB stays on or off in the entry, whatever the domain says. */
static void test_legacy_type(void **state)
{
	set_up(false, "second", "second");
	table[RID].lo |= 1 << 2;
	assert_int_equal(intel_replace_domain(&new_domain, &pdev.dev), 0);
	assert_true(table[RID].lo == (0x2001 | 1 << 2));
}

/* A requester id that cannot be replaced keeps the first from being written. */
static void test_legacy_second_refused(void **state)
{
	struct context_entry alias;

	set_up(false, "second", "second");
	pdev.dev.nr_aliases = 2;
	table[ALIAS].lo |= 2 << 2; /* pass-through */
	alias = table[ALIAS];
	assert_int_equal(intel_replace_domain(&new_domain, &pdev.dev), -EOPNOTSUPP);
	assert_unmoved(&alias);
	assert_string_equal(calls, "attach(new) tag(new,new) unlink(old) warn link(old) "
			    "untag(new,new) detach(new) ");

	/* An ordinary device is blocked and attached then: nothing to tell */
	calls[0] = '\0';
	came_in = false;
	assert_int_equal(intel_replace_domain(&new_domain, &pdev.dev), -EOPNOTSUPP);
	assert_unmoved(&alias);
	assert_string_equal(calls, "attach(new) tag(new,new) unlink(old) link(old) "
			    "untag(new,new) detach(new) ");

	set_up(false, "second", "second");
	pdev.dev.nr_aliases = 2;
	table[ALIAS].hi = 7 << 8 | 2;
	alias = table[ALIAS];
	assert_int_equal(intel_replace_domain(&new_domain, &pdev.dev), -EOPNOTSUPP);
	assert_unmoved(&alias);
}

/* Below some bridges a device's own requester id comes again as an alias. */
static void test_legacy_id_again(void **state)
{
	set_up(false, "second", "second");
	pdev.dev.aliases[1] = RID;
	pdev.dev.aliases[2] = ALIAS;
	pdev.dev.nr_aliases = 3;
	assert_int_equal(intel_replace_domain(&new_domain, &pdev.dev), 0);
	assert_string_equal(calls, "attach(new) tag(new,new) unlink(old) "
			    "write(310,0,0) line context(old,310) "
			    "write(318,0,0) line context(old,318) "
			    "iotlb(old) devtlb "
			    "link(new) untag(old,old) detach(old) ");
	assert_moved();
	assert_true(table[ALIAS].lo == 0x2001);

	/* the last one */
	set_up(false, "second", "second");
	pdev.dev.aliases[1] = RID;
	pdev.dev.nr_aliases = 2;
	assert_int_equal(intel_replace_domain(&new_domain, &pdev.dev), 0);
	assert_string_equal(calls, "attach(new) tag(new,new) unlink(old) "
			    "write(310,0,0) line context(old,310) iotlb(old) devtlb "
			    "link(new) untag(old,old) detach(old) ");
	assert_moved();
}

/* A device of the same group that shares a requester id was moved before. */
static void test_legacy_id_shared(void **state)
{
	set_up(false, "second", "second");
	pdev.dev.nr_aliases = 2;
	table[ALIAS] = (struct context_entry){ 0x2001, 6 << 8 | 2 };
	assert_int_equal(intel_replace_domain(&new_domain, &pdev.dev), 0);
	assert_string_equal(calls, "attach(new) tag(new,new) unlink(old) "
			    "write(310,0,0) line context(old,310) iotlb(old) devtlb "
			    "link(new) untag(old,old) detach(old) ");
	assert_moved();

	/* nothing else: there is nothing to write and nothing cached */
	set_up(false, "second", "second");
	table[RID] = (struct context_entry){ 0x2001, 6 << 8 | 2 };
	assert_int_equal(intel_replace_domain(&new_domain, &pdev.dev), 0);
	assert_string_equal(calls, "attach(new) tag(new,new) unlink(old) "
			    "link(new) untag(old,old) detach(old) ");
	assert_moved();
}

static void test_first_to_first(void **state)
{
	set_up(true, "first", "first");
	assert_int_equal(intel_replace_domain(&new_domain, &pdev.dev), 0);
	assert_string_equal(calls, "attach(new) tag(new,new) unlink(old) tag(old,new) "
			    "write(310,0,0) line pasid(old,0) "
			    "write(310,0,1) line pasid(old,0) pasid(new,0) "
			    "piotlb(old,0) piotlb(new,0) devtlb untag(old,new) "
			    "link(new) untag(old,old) detach(old) ");
	assert_moved();

	/* another device of the new domain is there already */
	set_up(true, "first", "first");
	new_domain.id.refcnt = 1;
	assert_int_equal(intel_replace_domain(&new_domain, &pdev.dev), 0);
	assert_string_equal(calls, "attach(new) tag(new,new) unlink(old) tag(new,old) "
			    "write(310,0,1) line pasid(old,0) "
			    "write(310,0,0) line pasid(old,0) "
			    "piotlb(old,0) devtlb untag(new,old) "
			    "link(new) untag(old,old) detach(old) ");
	assert_moved();
}

static void test_stages(void **state)
{
	set_up(true, "second", "second");
	assert_int_equal(intel_replace_domain(&new_domain, &pdev.dev), 0);
	assert_string_equal(calls, "attach(new) tag(new,new) unlink(old) "
			    "write(310,0,0) line pasid(old,0) iotlb(old) devtlb "
			    "link(new) untag(old,old) detach(old) ");
	assert_moved();

	set_up(true, "second", "first");
	assert_int_equal(intel_replace_domain(&new_domain, &pdev.dev), 0);
	assert_string_equal(calls, "attach(new) tag(new,new) unlink(old) "
			    "write(310,0,1) line pasid(old,0) "
			    "write(310,0,0) line pasid(old,0) iotlb(old) devtlb "
			    "link(new) untag(old,old) detach(old) ");
	assert_moved();

	set_up(true, "first", "second");
	assert_int_equal(intel_replace_domain(&new_domain, &pdev.dev), 0);
	assert_string_equal(calls, "attach(new) tag(new,new) unlink(old) "
			    "write(310,0,0) line pasid(old,0) "
			    "write(310,0,1) line pasid(old,0) pasid(new,0) "
			    "piotlb(old,0) devtlb "
			    "link(new) untag(old,old) detach(old) ");
	assert_moved();
}

/* Of a PASID only the entry is replaced, with its cache tag in between. */
static void test_pasid(void **state)
{
	set_up(true, "first", "first");
	new_domain.id.refcnt = 1;
	assert_int_equal(intel_pasid_replace(&new_domain, &old_domain, &pdev.dev, 1), 0);
	assert_string_equal(calls, "tag(old,new) write(310,1,0) line pasid(old,1) "
			    "write(310,1,1) line pasid(old,1) pasid(new,1) "
			    "piotlb(old,1) piotlb(new,1) devtlb untag(old,new) ");
	assert_memory_equal(leaf[1].val, new_domain.words, 64);
	assert_memory_equal(leaf[0].val, old_domain.words, 64);

	/* no leaf table, no entry, beyond the directory */
	set_up(true, "first", "first");
	assert_int_equal(intel_pasid_replace(&new_domain, &old_domain, &pdev.dev, 64),
			 -EOPNOTSUPP);
	assert_int_equal(intel_pasid_replace(&new_domain, &old_domain, &pdev.dev, 2),
			 -EOPNOTSUPP);
	assert_int_equal(intel_pasid_replace(&new_domain, &old_domain, &pdev.dev, 512),
			 -EOPNOTSUPP);
	assert_null(strstr(calls, "write("));
}

/* Whatever fails, in whichever mode: everything is as before. */
static void test_failures(void **state)
{
	const char * const stages[] = { "first", "second" };
	struct context_entry alias;
	unsigned int mode, n, nr = 0;
	int ret;

	for (mode = 0; mode < 5; mode++) {
		for (n = 1; ; n++) {
			if (mode == 4)
				set_up(false, "second", "second");
			else
				set_up(true, stages[mode & 1], stages[mode >> 1]);
			alias = table[ALIAS];
			fail_at = n;
			ret = intel_replace_domain(&new_domain, &pdev.dev);
			if (nr_failable < n) {
				assert_int_equal(ret, 0);
				break;
			}
			assert_true(ret < 0 && ret != -EOPNOTSUPP);
			assert_unmoved(&alias);
			nr++;
		}
	}
	assert_int_equal(nr, 5 + 4 + 4 + 4 + 3);
}

static void test_refused(void **state)
{
	const struct context_entry alias = { 0x1001, 5 << 8 | 2 };
	unsigned int sm;

	for (sm = 0; sm < 2; sm++) {
		set_up(sm, "second", "second");
		unit.handed_over = true;
		assert_int_equal(intel_replace_domain(&new_domain, &pdev.dev), -EBUSY);
		assert_unmoved(&alias);

		set_up(sm, "second", "second");
		shim_has_cx16 = false;
		assert_int_equal(intel_replace_domain(&new_domain, &pdev.dev), -EOPNOTSUPP);
		shim_has_cx16 = true;
		assert_unmoved(&alias);
		assert_string_equal(calls, "");

		/* a fault handler, another kind of domain, blocked, the same one */
		set_up(sm, "second", "second");
		old_domain.domain.iopf_handler = &old_domain;
		assert_int_equal(intel_replace_domain(&new_domain, &pdev.dev), -EOPNOTSUPP);
		set_up(sm, "second", "second");
		new_domain.domain.iopf_handler = &old_domain;
		assert_int_equal(intel_replace_domain(&new_domain, &pdev.dev), -EOPNOTSUPP);
		set_up(sm, "nested", "second");
		assert_int_equal(intel_replace_domain(&new_domain, &pdev.dev), -EOPNOTSUPP);
		set_up(sm, "second", "nested");
		assert_int_equal(intel_replace_domain(&new_domain, &pdev.dev), -EOPNOTSUPP);
		set_up(sm, "second", "second");
		info.domain_attached = 0;
		assert_int_equal(intel_replace_domain(&new_domain, &pdev.dev), -EOPNOTSUPP);
		info.domain = NULL;
		assert_int_equal(intel_replace_domain(&new_domain, &pdev.dev), -EOPNOTSUPP);
		set_up(sm, "second", "second");
		assert_int_equal(intel_replace_domain(&old_domain, &pdev.dev), -EOPNOTSUPP);
		assert_string_equal(calls, "");
	}
	/* no first stage in legacy mode */
	set_up(false, "second", "first");
	assert_int_equal(intel_replace_domain(&new_domain, &pdev.dev), -EOPNOTSUPP);
	assert_unmoved(&alias);
}

/* What was changed for all devices of a domain while this was on no list */
static void test_catch_up(void **state)
{
	set_up(true, "second", "second");
	new_domain.dirty_tracking = 1;
	assert_int_equal(intel_replace_domain(&new_domain, &pdev.dev), 0);
	assert_non_null(strstr(calls, "link(new) dirty(1) "));

	set_up(true, "first", "first");
	new_domain.force_snooping = 1;
	assert_int_equal(intel_replace_domain(&new_domain, &pdev.dev), 0);
	assert_non_null(strstr(calls, "link(new) snoop "));

	set_up(true, "first", "first");
	new_domain.force_snooping = 1;
	new_domain.words[1] |= BIT_ULL(24);
	assert_int_equal(intel_replace_domain(&new_domain, &pdev.dev), 0);
	assert_null(strstr(calls, "snoop"));

	/* on the way back as well */
	set_up(true, "second", "second");
	old_domain.dirty_tracking = 1;
	unit.handed_over = true;
	assert_int_equal(intel_replace_domain(&new_domain, &pdev.dev), -EBUSY);
	assert_non_null(strstr(calls, "link(old) dirty(1) "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_legacy),
		cmocka_unit_test(test_legacy_type),
		cmocka_unit_test(test_legacy_second_refused),
		cmocka_unit_test(test_legacy_id_again),
		cmocka_unit_test(test_legacy_id_shared),
		cmocka_unit_test(test_first_to_first),
		cmocka_unit_test(test_stages),
		cmocka_unit_test(test_pasid),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_catch_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
