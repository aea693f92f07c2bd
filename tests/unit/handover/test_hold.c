// SPDX-License-Identifier: GPL-2.0
/*
 * The memory of a memfd from retrieve to finish, as cut out of mm/memfd_luo_hold.c by
 * the Makefile. Each folio of the model knows who has what of it, and any step can be
 * made to fail: what is left behind then must be as it was, or be released.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <asm/page.h>
#include <linux/kho/abi/memfd.h>
#include <linux/types.h>

#include "mm/memfd_luo_check.h"

#define FIRST_PFN	16
#define FOLIOS		5
#define LARGE		3	/* the first one is that large, by its order */

struct folio {
	int order;
	int references, pins;
	bool preserved, locked, charged, cached, accounted, on_lru;
};

struct inode {
	void *i_mapping;
	long pages;	/* as shmem counts them */
};

struct file {
	struct inode inode;
};

/* What is to fail, and how many of its kind pass before. */
enum step { NOTHING, LIST, RESTORE, GRAB, CHARGE, CACHE, ACCOUNT };

static struct folio folios[FOLIOS];
static struct memfd_luo_folio_ser list[FOLIOS];
static bool list_taken;
static enum step failing;
static unsigned int passing;

typedef u64 phys_addr_t;

#define MAX_PAGECACHE_ORDER	9
#define FOLL_PIN		1
#define ERR_PTR(err)		((void *)(long)(err))
#define PTR_ERR(ptr)		((long)(ptr))
#define IS_ERR(ptr)		((unsigned long)(ptr) >= -4095UL)
#define PFN_PHYS(pfn)		((u64)(pfn) << PAGE_SHIFT)
#define liveupdate_refuse_err(...)	((void)0)
#define pr_err_ratelimited(...)	((void)0)
#define liveupdate_note_reason(...)	((void)0)
#define address_space		inode
#define mapping_gfp_mask(mapping)	0
#define __folio_set_swapbacked(folio)	((void)(folio))
#define folio_mark_uptodate(folio)	((void)(folio))
#define folio_mark_dirty(folio)		((void)(folio))

static bool fails(enum step step)
{
	return step == failing && !passing--;
}

static struct folio *pfn_folio(u64 pfn)
{
	for (u64 i = 0, at = FIRST_PFN; i < FOLIOS; at += 1u << folios[i++].order)
		if (at == pfn)
			return &folios[i];
	fail_msg("there is no such folio");
	return NULL;
}

static int kho_preserved_order(phys_addr_t phys)
{
	struct folio *folio = pfn_folio(phys >> PAGE_SHIFT);

	return folio->preserved ? folio->order : -ENOENT;
}

static struct folio *kho_restore_folio(phys_addr_t phys)
{
	struct folio *folio = pfn_folio(phys >> PAGE_SHIFT);

	assert_true(folio->preserved);
	if (fails(RESTORE))
		return NULL;
	folio->preserved = false;
	folio->references = 1;
	return folio;
}

static void *kho_restore_vmalloc(const struct kho_vmalloc *area)
{
	if (fails(LIST))
		return ERR_PTR(-ENOMEM);
	assert_false(list_taken);
	list_taken = true;
	return list;
}

static void vfree(const void *area)
{
	assert_true(list_taken && area == list);
	list_taken = false;
}

static int try_grab_folio(struct folio *folio, int count, int flags)
{
	if (fails(GRAB))
		return -ENOMEM;
	folio->references++;
	folio->pins++;
	return 0;
}

static void folio_put(struct folio *folio)
{
	folio->references--;
	assert_true(folio->references > 0);
}

static void unpin_folio(struct folio *folio)
{
	folio->references--;
	folio->pins--;
}

static struct inode *file_inode(struct file *file)
{
	return &file->inode;
}

static long folio_nr_pages(const struct folio *folio)
{
	return 1l << folio->order;
}

static void __folio_set_locked(struct folio *folio)
{
	assert_false(folio->locked);
	folio->locked = true;
}

#define folio_lock __folio_set_locked

static void folio_unlock(struct folio *folio)
{
	assert_true(folio->locked);
	folio->locked = false;
}

static int mem_cgroup_charge(struct folio *folio, void *mm, int gfp)
{
	assert_false(folio->charged);
	if (fails(CHARGE))
		return -ENOMEM;
	folio->charged = true;
	return 0;
}

static void mem_cgroup_uncharge(struct folio *folio)
{
	assert_true(folio->charged && !folio->cached);
	folio->charged = false;
}

static int shmem_add_to_page_cache(struct folio *folio, void *mapping, u64 index, void *expected,
				   int gfp)
{
	assert_true(folio->locked && folio->charged);
	if (fails(CACHE))
		return -ENOMEM;
	folio->cached = true;
	folio->references++;
	return 0;
}

static void filemap_remove_folio(struct folio *folio)
{
	assert_true(folio->locked && folio->cached);
	folio->cached = false;
	folio_put(folio);
}

static int shmem_inode_acct_blocks(struct inode *inode, long pages)
{
	if (fails(ACCOUNT))
		return -ENOSPC;
	inode->pages += pages;
	return 0;
}

/* With none of its pages in the file it gives back what was accounted. */
static void shmem_recalc_inode(struct inode *inode, long added, long swapped)
{
	assert_int_equal(inode->pages, added);
	if (!folios[0].cached)
		inode->pages = 0;
}

static void folio_add_lru(struct folio *folio)
{
	assert_true(folio->cached && !folio->locked);
	folio->on_lru = true;
}

#include "cut/hold.h"

static struct memfd_luo_ser ser;
static void *taken;

static int set_up(void **state)
{
	u64 pfn = FIRST_PFN, index = 0;

	memset(folios, 0, sizeof(folios));
	folios[0].order = LARGE;
	for (unsigned int i = 0; i < FOLIOS; i++) {
		folios[i].preserved = true;
		list[i] = (struct memfd_luo_folio_ser){
			.pfn = pfn,
			.index = index,
			.flags = MEMFD_LUO_FOLIO_DIRTY | MEMFD_LUO_FOLIO_UPTODATE,
		};
		pfn += 1u << folios[i].order;
		index += 1u << folios[i].order;
	}
	ser = (struct memfd_luo_ser){
		.size = index * PAGE_SIZE,
		.nr_folios = FOLIOS,
		.folios.total_pages = 1,
	};
	list_taken = false;
	taken = NULL;
	failing = NOTHING;
	passing = 0;
	return 0;
}

static void expect_held(const struct folio *folio)
{
	assert_int_equal(folio->pins, 1);
	assert_int_equal(folio->references, 1);
	assert_false(folio->locked || folio->charged || folio->cached || folio->on_lru);
}

static void expect_all_held(void)
{
	for (unsigned int i = 0; i < FOLIOS; i++)
		expect_held(&folios[i]);
}

/* Nothing of it is anybody's, so it is free. */
static void expect_free(const struct folio *folio)
{
	assert_int_equal(folio->pins, 0);
	assert_int_equal(folio->references, 0);
}

static void test_whole_way(void **state)
{
	struct file file = { 0 };

	assert_int_equal(memfd_luo_hold(&ser, &taken), 0);
	expect_all_held();
	/* Once more, as can_finish() does after a retrieve. */
	assert_int_equal(memfd_luo_hold(&ser, &taken), 0);
	expect_all_held();

	assert_int_equal(memfd_luo_add_folios(&file, taken, FOLIOS), 0);
	assert_int_equal(file.inode.pages, (1 << LARGE) + FOLIOS - 1);
	memfd_luo_release(&ser, taken);
	assert_false(list_taken);
	for (unsigned int i = 0; i < FOLIOS; i++) {
		assert_int_equal(folios[i].pins, 0);
		assert_int_equal(folios[i].references, 1);
		assert_true(folios[i].cached && folios[i].on_lru && !folios[i].locked);
	}
}

static void test_empty(void **state)
{
	ser.size = 0;
	ser.nr_folios = 0;
	assert_int_equal(memfd_luo_hold(&ser, &taken), 0);
	assert_null(taken);
	memfd_luo_release(&ser, taken);
}

/* Nothing was done, so that it can be tried again. */
static void test_no_memory_for_the_list(void **state)
{
	failing = LIST;
	assert_int_equal(memfd_luo_hold(&ser, &taken), -ENOMEM);
	assert_null(taken);
	failing = NOTHING;
	assert_int_equal(memfd_luo_hold(&ser, &taken), 0);
	expect_all_held();
}

static void test_damaged_record(void **state)
{
	ser.seals = ~0u;
	assert_int_equal(memfd_luo_hold(&ser, &taken), -EOPNOTSUPP);
	assert_null(taken);
	assert_false(list_taken);
}

/* Whatever it names stays reserved: none of it is touched, not even by release. */
static void test_damaged_list(void **state)
{
	list[FOLIOS - 1].index++;
	assert_int_equal(memfd_luo_hold(&ser, &taken), -EINVAL);
	assert_ptr_equal(taken, list);
	assert_int_equal(memfd_luo_hold(&ser, &taken), -EIO);
	memfd_luo_release(&ser, taken);
	assert_false(list_taken);
	for (unsigned int i = 0; i < FOLIOS; i++) {
		assert_true(folios[i].preserved);
		expect_free(&folios[i]);
	}
}

/* A folio named twice is restored once; the others are held, and all are released. */
static void test_named_twice(void **state)
{
	list[FOLIOS - 1].pfn = list[FOLIOS - 2].pfn;
	assert_int_equal(memfd_luo_hold(&ser, &taken), -EIO);
	assert_int_equal(memfd_luo_hold(&ser, &taken), -EIO);
	for (unsigned int i = 0; i < FOLIOS - 1; i++)
		expect_held(&folios[i]);
	memfd_luo_release(&ser, taken);
	for (unsigned int i = 0; i < FOLIOS - 1; i++)
		expect_free(&folios[i]);
	assert_true(folios[FOLIOS - 1].preserved);
}

/* It has a reference that nobody drops: rather lost than given to somebody else. */
static void test_folio_not_pinned(void **state)
{
	for (unsigned int bad = 0; bad < FOLIOS; bad++) {
		set_up(NULL);
		failing = GRAB;
		passing = bad;
		assert_int_equal(memfd_luo_hold(&ser, &taken), -EIO);
		failing = NOTHING;
		assert_int_equal(memfd_luo_hold(&ser, &taken), -EIO);
		memfd_luo_release(&ser, taken);
		for (unsigned int i = 0; i < FOLIOS; i++) {
			assert_int_equal(folios[i].pins, 0);
			assert_int_equal(folios[i].references, i == bad);
		}
	}
}

static void test_folio_not_restored(void **state)
{
	for (passing = 0; passing < FOLIOS; ) {
		unsigned int bad = passing;

		set_up(NULL);
		failing = RESTORE;
		passing = bad;
		assert_int_equal(memfd_luo_hold(&ser, &taken), -EIO);
		failing = NOTHING;
		assert_int_equal(memfd_luo_hold(&ser, &taken), -EIO);
		memfd_luo_release(&ser, taken);
		for (unsigned int i = 0; i < FOLIOS; i++)
			expect_free(&folios[i]);
		assert_true(folios[bad].preserved);
		passing = bad + 1;
	}
}

/* All or nothing, each step for each folio; another attempt works. */
static void test_folio_not_added(void **state)
{
	static const enum step steps[] = { CHARGE, CACHE, ACCOUNT };

	for (unsigned int i = 0; i < 3 * FOLIOS; i++) {
		struct file file = { 0 }, again = { 0 };

		set_up(NULL);
		assert_int_equal(memfd_luo_hold(&ser, &taken), 0);
		failing = steps[i / FOLIOS];
		passing = i % FOLIOS;
		assert_int_equal(memfd_luo_add_folios(&file, taken, FOLIOS), -ENOMEM);
		assert_int_equal(file.inode.pages, 0);
		expect_all_held();

		failing = NOTHING;
		assert_int_equal(memfd_luo_add_folios(&again, taken, FOLIOS), 0);
		memfd_luo_release(&ser, taken);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_whole_way, set_up),
		cmocka_unit_test_setup(test_empty, set_up),
		cmocka_unit_test_setup(test_no_memory_for_the_list, set_up),
		cmocka_unit_test_setup(test_damaged_record, set_up),
		cmocka_unit_test_setup(test_damaged_list, set_up),
		cmocka_unit_test_setup(test_named_twice, set_up),
		cmocka_unit_test_setup(test_folio_not_restored, set_up),
		cmocka_unit_test_setup(test_folio_not_pinned, set_up),
		cmocka_unit_test_setup(test_folio_not_added, set_up),
	};

	return cmocka_run_group_tests_name("memfd-hold", tests, NULL, NULL);
}
