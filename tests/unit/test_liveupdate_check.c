// SPDX-License-Identifier: GPL-2.0
/* Tests of drivers/iommu/liveupdate-check.c */
#include "test.h"
#include "image.h"

static const char *golden_path;

static void assert_accepted(struct image *image)
{
	const char *reason = "not set";
	int ret = image_check(image, &reason);

	if (ret)
		fail_msg("refused with %d: %s", ret, reason);
	assert_null(reason);
}

static void assert_refused(struct image *image, int err, const char *wanted)
{
	const char *reason = NULL;
	int ret = image_check(image, &reason);

	if (ret != err || !reason || strcmp(reason, wanted))
		fail_msg("%d: %s, wanted %d: %s", ret, reason, err, wanted);
}

static void print_standard(FILE *file)
{
	struct standard s = image_standard();

	image_print(s.image, file);
	image_free(s.image);
}

/* The bytes of the standard records are those of every kernel before. */
static void test_golden(void **state)
{
	struct standard s;

	assert_golden(golden_path, print_standard);
	s = image_standard();
	assert_accepted(s.image);
	image_free(s.image);
}

/* No records at all is what an iommufd without marked HWPT leaves. */
static void test_empty(void **state)
{
	struct image *image = image_new();

	image_seal(image);
	assert_accepted(image);
	image_free(image);
}

/* As long as an earlier kernel's blocks are, several of each kind, some deleted */
static struct image *large_image(unsigned int nr)
{
	struct image *image = image_new();
	struct iommu_domain_ser *dser = NULL;
	struct iommu_unit_ser *unit = NULL;
	unsigned int i, hw_id = 0;
	u32 *flags;

	for (i = 0; i < nr; i++) {
		if (i % 16 == 0) {
			unit = image_add_vtd(image, 0xfed90000 + i * 0x1000ULL, false);
			unit->segment = i >> 12;
			hw_id = 0;
		}
		if (i % 5 == 3) {
			flags = image_add(image, UNITS + i % IMAGE_KINDS);
			*flags = IOMMU_SER_DELETED;
			continue;
		}
		if (!dser || i % 2) {
			dser = image_add_domain(image, IOMMU_DOMAIN_SER_VTDSS);
			hw_id++;
		}
		image_attach(image, image_add_device(image, unit, i << 3), dser, hw_id);
		/* the next domain has the same unit, unless the unit changes */
		if (i % 16 == 15)
			dser = NULL;
	}
	image_seal(image);
	return image;
}

static void test_several_blocks(void **state)
{
	struct image *image = large_image(1500);

	assert_true(image->ser->nr_units > 3 * 12);
	assert_true(image->ser->nr_domains > 3 * 42);
	assert_true(image->ser->nr_devices > 3 * 31);
	assert_true(image->ser->nr_attachments > 3 * 102);
	assert_accepted(image);
	image_free(image);
}

/* The limit itself is accepted, in bearable time, and one more is not. */
static void test_limit(void **state)
{
	struct image *image = image_new();
	struct iommu_domain_ser *dser;
	struct iommu_unit_ser *unit;
	unsigned int i;

	unit = image_add_unit(image, IOMMU_UNIT_SER_MOCK, 1);
	dser = image_add_domain(image, IOMMU_DOMAIN_SER_X86_64);
	for (i = 0; i < IOMMU_LIVEUPDATE_MAX_RECORDS; i++)
		image_attach(image, image_add_device(image, unit, i), dser, 1);
	image_seal(image);
	assert_accepted(image);
	image_attach(image, image_add_device(image, unit, i), dser, 1);
	image_seal(image);
	assert_refused(image, -EINVAL, "too many records");
	image_free(image);
}

#define BAD_PA	(IMAGE_BASE + (IMAGE_PAGES - 1) * PAGE_SIZE)

#define VTD(unit)	iommu_unit_vtd(s->unit)
#define ROOT(unit)	s->unit->tables[IOMMU_UNIT_VTD_ROOT]
#define IRT(unit)	s->unit->tables[IOMMU_UNIT_VTD_IRT]

/* X(name, what is altered in the standard records, errno, reason) */
#define ALTERATIONS(X) \
X(version_next, s->ser->version++, -EPROTONOSUPPORT, "unknown version") \
X(version_before, s->ser->version--, -EPROTONOSUPPORT, "unknown version") \
X(length, s->ser->length += 8, -EINVAL, "length does not fit the version") \
X(page_shift, s->ser->page_shift = 16, -EINVAL, "pages of another size") \
X(units_none, s->ser->units_pa = 0, -EINVAL, "chain has too few records") \
X(units_stray, s->ser->units_pa = BAD_PA, -EINVAL, "block is not in preserved memory") \
X(units_unaligned, s->ser->units_pa += 8, -EINVAL, "block is not in preserved memory") \
X(domains_stray, s->ser->domains_pa = BAD_PA, -EINVAL, "block is not in preserved memory") \
X(domains_low, s->ser->domains_pa = 0x1000, -EINVAL, "block is not in preserved memory") \
X(devices_stray, s->ser->devices_pa = BAD_PA, -EINVAL, "block is not in preserved memory") \
X(attachments_high, s->ser->attachments_pa = ~0xfffULL, -EINVAL, "block is not in preserved memory") \
X(attachments_order, s->ser->attachments_pa = IRT(legacy).pa, -EINVAL, "block is not in preserved memory") \
X(nr_units_more, s->ser->nr_units++, -EINVAL, "chain has too few records") \
X(nr_units_less, s->ser->nr_units--, -EINVAL, "chain is cyclic or has too many records") \
X(nr_domains_none, s->ser->nr_domains = 0, -EINVAL, "chain is cyclic or has too many records") \
X(nr_domains_huge, s->ser->nr_domains = ~0u, -EINVAL, "too many records") \
X(nr_devices_less, s->ser->nr_devices--, -EINVAL, "chain is cyclic or has too many records") \
X(nr_attachments_more, s->ser->nr_attachments++, -EINVAL, "chain has too few records") \
X(shared_block, (s->ser->attachments_pa = s->ser->domains_pa, s->ser->nr_attachments = s->ser->nr_domains), \
  -EINVAL, "block belongs to two chains") \
X(shared_block_devices, (s->ser->devices_pa = s->ser->domains_pa, s->ser->nr_devices = s->ser->nr_domains), \
  -EINVAL, "block belongs to two chains") \
X(count_0, block(s, UNITS)->count = 0, -EINVAL, "block with a bad number of records") \
X(count_huge, block(s, UNITS)->count = ~0ULL, -EINVAL, "block with a bad number of records") \
X(count_capacity, block(s, DOMAINS)->count = 43, -EINVAL, "block with a bad number of records") \
X(next_self, block(s, UNITS)->next = s->ser->units_pa, -EINVAL, "chain is cyclic or has too many records") \
X(next_other, block(s, UNITS)->next = s->ser->domains_pa, -EINVAL, "chain is cyclic or has too many records") \
X(next_stray, block(s, ATTACHMENTS)->next = BAD_PA, -EINVAL, "block is not in preserved memory") \
\
X(unit_flags, s->legacy->flags = 2, -EINVAL, "record with unknown flags") \
X(unit_deleted_flags, s->old_unit->flags |= 0x80000000, -EINVAL, "record with unknown flags") \
X(unit_deleted, s->legacy->flags = IOMMU_SER_DELETED, -EINVAL, "device behind a unit without a record") \
X(unit_revived, s->old_unit->flags = 0, -EINVAL, "unit without an address") \
X(unit_type_0, s->mock->type = 0, -EINVAL, "unit without a type") \
X(unit_base_0, s->legacy->base = 0, -EINVAL, "unit without an address") \
X(unit_base_kind_0, s->legacy->base_kind = 0, -EINVAL, "unit with an address of an unknown kind") \
X(unit_base_kind_new, s->mock->base_kind = 3, -EINVAL, "unit with an address of an unknown kind") \
X(unit_base_kind_same, s->mock_peer->base_kind = IOMMU_UNIT_SER_BASE_MMIO, -EINVAL, "two units at the same address") \
X(unit_base_twice, s->legacy->base = s->scalable->base, -EINVAL, "two units at the same address") \
X(unit_nr_devices, s->legacy->nr_devices = 3, -EINVAL, "unit with a wrong number of devices") \
X(unit_part_behind, s->mock->driver_data[1] |= 1ULL << 8, -EINVAL, "driver's part of a unit is too long") \
X(unit_part_end, s->scalable->driver_data[19] = 1ULL << 63, -EINVAL, "driver's part of a unit is too long") \
X(unit_part_long, s->mock->driver_length = 161, -EINVAL, "driver's part of a unit is too long") \
X(unit_part_huge, s->mock->driver_length = ~0u, -EINVAL, "driver's part of a unit is too long") \
X(table_stray, ROOT(legacy).pa = BAD_PA, -EINVAL, "table is not preserved") \
X(table_unaligned, ROOT(legacy).pa += 16, -EINVAL, "table is not preserved") \
X(table_order, ROOT(legacy).pa = s->gpu->table.pa, -EINVAL, "table is not preserved") \
X(table_order_less, IRT(legacy).order = 7, -EINVAL, "table is not preserved") \
X(table_order_huge, IRT(legacy).order = 0xffffffff, -EINVAL, "table is not preserved") \
X(table_kind_0, s->mock->tables[0].kind = 0, -EINVAL, "table of an unknown kind") \
X(table_flags, s->mock->tables[0].flags |= 2, -EINVAL, "table of an unknown kind") \
X(table_no_address, s->mock->tables[0].pa = 0, -EINVAL, "table without an address") \
X(table_order_alone, s->mock->tables[3].order = 1, -EINVAL, "table without an address") \
X(table_kind_alone, s->mock->tables[7].kind = 1, -EINVAL, "table without an address") \
X(table_flags_alone, s->mock->tables[1].flags = 1, -EINVAL, "table without an address") \
X(table_gap, (s->mock->tables[2] = s->mock->tables[0], s->mock->tables[2].pa = s->ss->top_pa, \
  s->mock->tables[2].order = 0), -EINVAL, "unit with a gap in its tables") \
X(table_twice, s->mock->tables[1] = s->mock->tables[0], -EINVAL, "table occurs twice") \
X(table_not_shared, s->mock_peer->tables[0].flags = 0, -EINVAL, "two units with the same table") \
X(table_shared_kind, s->mock_peer->tables[0].kind++, -EINVAL, "two units with the same table") \
X(table_shared_type, s->mock_peer->type = 77, -EINVAL, "two units with the same table") \
X(table_of_others, (ROOT(scalable).pa = ROOT(legacy).pa, VTD(scalable)->rtaddr = ROOT(legacy).pa | 1 << 10), \
  -EINVAL, "two units with the same table") \
\
X(vtd_segment, s->legacy->segment = 0x10000, -EINVAL, "unit at an impossible place") \
X(vtd_base_kind, s->legacy->base_kind = IOMMU_UNIT_SER_BASE_RID, -EINVAL, "unit at an impossible place") \
X(vtd_segment_other, s->legacy->segment = 7, -EINVAL, "device and its unit are on different segments") \
X(vtd_length, s->scalable->driver_length++, -EINVAL, "part of a unit has another length") \
X(vtd_length_0, (memset(s->legacy->driver_data, 0, 160), s->legacy->driver_length = 0), -EINVAL, \
  "part of a unit has another length") \
X(vtd_flags, VTD(legacy)->flags |= 4, -EINVAL, "unit with unknown flags") \
X(vtd_reserved, VTD(legacy)->reserved = 1, -EINVAL, "unit with unknown flags") \
X(vtd_mode, VTD(legacy)->flags |= IOMMU_UNIT_VTD_SCALABLE, -EINVAL, "root table and its register differ") \
X(vtd_rtaddr_mode, VTD(scalable)->rtaddr ^= 1 << 11, -EINVAL, "root table and its register differ") \
X(vtd_rtaddr_low, VTD(legacy)->rtaddr |= 1, -EINVAL, "root table and its register differ") \
X(vtd_root_other, ROOT(legacy).pa = s->ss->top_pa, -EINVAL, "root table and its register differ") \
X(vtd_root_none, (memset(s->scalable->tables, 0, sizeof(s->scalable->tables))), -EINVAL, "unit without a root table") \
X(vtd_root_kind, ROOT(scalable).kind = IOMMU_TABLE_VTD_IRT, -EINVAL, "unit without a root table") \
X(vtd_root_shared, ROOT(scalable).flags = IOMMU_TABLE_SER_SHARED, -EINVAL, "unit without a root table") \
X(vtd_root_order, (ROOT(scalable).pa = s->disk->table.pa, ROOT(scalable).order = 1), -EINVAL, \
  "unit without a root table") \
X(vtd_third_table, (s->legacy->tables[2] = IRT(legacy), s->legacy->tables[2].pa = s->ss->top_pa, \
  s->legacy->tables[2].order = 0), -EINVAL, "unit with an unknown table") \
X(vtd_irt_kind, IRT(legacy).kind = 3, -EINVAL, "unit with an unknown table") \
X(vtd_irt_shared, IRT(legacy).flags = IOMMU_TABLE_SER_SHARED, -EINVAL, "unit with an unknown table") \
X(vtd_irt_none, memset(&IRT(legacy), 0, sizeof(IRT(legacy))), -EINVAL, "interrupt remapping without a table") \
X(vtd_irta, VTD(legacy)->irta += PAGE_SIZE, -EINVAL, "interrupt remapping table and its register differ") \
X(vtd_irt_small, (image_page(s->image, IRT(legacy).pa)->order = 7, IRT(legacy).order = 7), \
  -EINVAL, "interrupt remapping table and its register differ") \
X(vtd_context_none, VTD(legacy)->context_tables[0] = 0, -EINVAL, "requester id without a context table") \
X(vtd_context_alias, VTD(legacy)->context_tables[0] &= ~8ULL, -EINVAL, "requester id without a context table") \
X(vtd_context_half, VTD(scalable)->context_tables[4] ^= 3ULL << 4, -EINVAL, "requester id without a context table") \
X(vtd_context_upper, VTD(legacy)->context_tables[4] = 1, -EINVAL, "impossible context table") \
X(vtd_dev_segment, s->nic->segment = 5, -EINVAL, "device and its unit are on different segments") \
X(vtd_dev_id, s->nic->ids[0] = 0x0018, -EINVAL, "first requester id is not the device's own") \
X(vtd_dev_id_wide, s->alias->ids[1] = 0x10300, -EINVAL, "requester id without a context table") \
X(vtd_dev_ats, (s->nic->ats.enabled = 1, s->nic->ats.qdep = 1), -EINVAL, "device with ATS") \
X(vtd_dev_part, s->nic->driver_data[3] = 1, -EINVAL, "part of a device is not 0") \
X(vtd_dir_none, (memset(&s->gpu->table, 0, sizeof(s->gpu->table)), s->gpu->max_pasid = 0), \
  -EINVAL, "PASID directory does not fit the unit's mode") \
X(vtd_dir_kind, s->gpu->table.kind = 1, -EINVAL, "PASID directory does not fit the unit's mode") \
X(vtd_dir_legacy, (s->nic->table = s->gpu->table, s->nic->table.pa = s->fs->top_pa, s->nic->table.order = 0), \
  -EINVAL, "PASID directory does not fit the unit's mode") \
X(vtd_max_pasid_0, s->gpu->max_pasid = 0, -EINVAL, "PASID directory is too small") \
X(vtd_max_pasid_small, s->gpu->max_pasid = 1 << 17, -EINVAL, "PASID directory is too small") \
X(vtd_pasid, image_attach(s->image, s->disk, s->nested, 3)->pasid = 5, -EINVAL, "attachment of a PASID") \
X(vtd_did, s->nic_att->hw_id = s->alias_att->hw_id = 0x10000, -EINVAL, "impossible domain id") \
X(vtd_format_fs, (s->ss->pt_format = IOMMU_DOMAIN_SER_X86_64), -EINVAL, "domain format does not fit the unit") \
X(vtd_format_amd, (s->fs->pt_format = IOMMU_DOMAIN_SER_AMDV1, s->fs->pt_features = IOMMU_DOMAIN_SER_DYNAMIC_TOP), \
  -EINVAL, "domain format does not fit the unit") \
X(vtd_domain_swapped, swap_u64(&s->nic_att->domain_pa, &s->gpu_att->domain_pa), -EINVAL, \
  "two domains with the same hardware id") \
\
X(domain_flags, s->ss->flags = 4, -EINVAL, "record with unknown flags") \
X(domain_deleted, s->ss->flags = IOMMU_SER_DELETED, -EINVAL, "attachment to a domain without a record") \
X(domain_format_0, s->ss->pt_format = 0, -EINVAL, "domain of unknown format") \
X(domain_format_new, s->ss->pt_format = 5, -EINVAL, "domain of unknown format") \
X(domain_granule, s->ss->granule_lg2 = 14, -EINVAL, "domain of unknown format") \
X(domain_granule_mock, s->mock_domain->granule_lg2 = 12, -EINVAL, "domain of unknown format") \
X(domain_features, s->ss->pt_features |= 0x80, -EINVAL, "domain with features its format lacks") \
X(domain_sign, s->ss->pt_features |= IOMMU_DOMAIN_SER_SIGN_EXTEND, -EINVAL, "domain with features its format lacks") \
X(domain_dynamic, s->fs->pt_features |= IOMMU_DOMAIN_SER_DYNAMIC_TOP, -EINVAL, \
  "domain with features its format lacks") \
X(domain_level_low, s->fs->top_level = 2, -EINVAL, "domain with an impossible top level") \
X(domain_level_high, s->nested->top_level = 5, -EINVAL, "domain with an impossible top level") \
X(domain_level_lower, s->ss->top_level = 2, -EINVAL, "domain with an impossible input size") \
X(domain_vasz_0, s->ss->vasz_lg2 = 0, -EINVAL, "domain with an impossible input size") \
X(domain_vasz_low, s->ss->vasz_lg2 = 38, -EINVAL, "domain with an impossible input size") \
X(domain_vasz_high, s->ss->vasz_lg2 = 49, -EINVAL, "domain with an impossible input size") \
X(domain_vasz_max, s->nested->vasz_lg2 = 58, -EINVAL, "domain with an impossible input size") \
X(domain_oasz_low, s->ss->oasz_lg2 = 12, -EINVAL, "domain with an impossible output size") \
X(domain_oasz_high, s->ss->oasz_lg2 = 53, -EINVAL, "domain with an impossible output size") \
X(domain_reserved, s->ss->reserved[2] = 1, -EINVAL, "reserved field of a domain is not 0") \
X(domain_reserved2, s->ss->reserved2 = 1, -EINVAL, "reserved field of a domain is not 0") \
X(domain_format_data, s->ss->format_data[3] = 1ULL << 63, -EINVAL, "reserved field of a domain is not 0") \
X(domain_pgsize_0, s->ss->pgsize_bitmap = 0, -EINVAL, "domain with impossible page sizes") \
X(domain_pgsize_small, s->ss->pgsize_bitmap |= 0x800, -EINVAL, "domain with impossible page sizes") \
X(domain_top_0, s->ss->top_pa = 0, -EINVAL, "top table is not preserved") \
X(domain_top_stray, s->ss->top_pa = BAD_PA, -EINVAL, "top table is not preserved") \
X(domain_top_unaligned, s->ss->top_pa += 8, -EINVAL, "top table is not preserved") \
X(domain_top_order, s->ss->top_order = 1, -EINVAL, "top table is not preserved") \
X(domain_top_larger, s->ss->top_pa = s->gpu->table.pa, -EINVAL, "top table is not preserved") \
X(domain_top_twice, s->ss->top_pa = s->fs->top_pa, -EINVAL, "two domains with the same top table") \
X(domain_nr_tables, s->ss->nr_tables = 0, -EINVAL, "domain without tables") \
X(domain_digest, s->fs->digest++, -EINVAL, "digest does not fit the only table") \
X(domain_settings, s->ss->domain_flags |= 2, -EINVAL, "domain with unknown settings") \
X(domain_nr_attachments, s->ss->nr_attachments--, -EINVAL, "domain with a wrong number of attachments") \
\
X(dev_flags, s->nic->flags = 0x100, -EINVAL, "record with unknown flags") \
X(dev_deleted, s->nic->flags = IOMMU_SER_DELETED, -EINVAL, "attachment of a device without a record") \
X(dev_rid_wide, s->mock_dev->rid = 0x10008, -EINVAL, "impossible requester id") \
X(dev_rid_twice, s->sibling->rid = s->mock_dev->rid, -EINVAL, "device occurs twice") \
X(dev_unit_0, s->nic->unit_pa = 0, -EINVAL, "device behind a unit without a record") \
X(dev_unit_header, s->nic->unit_pa = s->ser->units_pa, -EINVAL, "device behind a unit without a record") \
X(dev_unit_old, s->nic->unit_pa = image_pa(s->image, s->old_unit), -EINVAL, "device behind a unit without a record") \
X(dev_unit_swapped, swap_u64(&s->nic->unit_pa, &s->gpu->unit_pa), -EINVAL, \
  "two domains with the same hardware id") \
X(dev_id_unused, s->nic->ids[7] = 1, -EINVAL, "unused id is not 0") \
X(dev_id_less, s->alias->nr_ids = 1, -EINVAL, "unused id is not 0") \
X(dev_id_twice, s->alias->ids[1] = s->alias->ids[0], -EINVAL, "id occurs twice") \
X(dev_id_taken, s->alias->ids[1] = s->nic->ids[0], -EINVAL, "id occurs twice") \
X(dev_nr_ids_0, s->nic->nr_ids = 0, -EINVAL, "device with a bad number of ids") \
X(dev_nr_ids_9, s->nic->nr_ids = 9, -EINVAL, "device with a bad number of ids") \
X(dev_nr_ids_next, s->alias->nr_ids = ~0u, -EINVAL, "device with a bad number of ids") \
X(dev_group_above, s->mock_dev->group_key = 9, -EINVAL, "group is named after another than its first device") \
X(dev_group_none, s->alias->group_key = 0x0300, -EINVAL, "group without its first device") \
X(dev_group_segment, s->gpu->group_key = 0x0008, -EINVAL, "group without its first device") \
X(dev_group_chain, (s->mock_dev->group_key = 3, s->sibling->group_key = 3), -EINVAL, "group without its first device") \
X(dev_group_apart, s->sibling->group_key = s->sibling->rid, -EINVAL, "id occurs twice") \
X(dev_table_0, s->gpu->table.pa = 0, -EINVAL, "table without an address") \
X(dev_table_stray, s->gpu->table.pa = BAD_PA, -EINVAL, "table is not preserved") \
X(dev_table_order, s->gpu->table.order = 0, -EINVAL, "table is not preserved") \
X(dev_table_shared, s->mock_dev->table.flags = IOMMU_TABLE_SER_SHARED, -EINVAL, "table of a device is shared") \
X(dev_table_twice, s->gpu->table.pa = s->disk->table.pa, -EINVAL, "two devices with the same table") \
X(dev_pasids_alone, s->nic->max_pasid = 1, -EINVAL, "PASIDs without a table") \
X(dev_pasids_huge, s->mock_dev->max_pasid = (1 << 20) + 1, -EINVAL, "impossible number of PASIDs") \
X(dev_ats_reserved, s->mock_dev->ats.reserved = 1, -EINVAL, "reserved field of a device is not 0") \
X(dev_ats_off, s->mock_dev->ats.enabled = 0, -EINVAL, "settings of ATS, which is off") \
X(dev_ats_2, s->mock_dev->ats.enabled = 2, -EINVAL, "impossible settings of ATS") \
X(dev_ats_stu, s->mock_dev->ats.stu = 32, -EINVAL, "impossible settings of ATS") \
X(dev_ats_qdep_0, s->mock_dev->ats.qdep = 0, -EINVAL, "impossible settings of ATS") \
X(dev_ats_qdep, s->mock_dev->ats.qdep = 33, -EINVAL, "impossible settings of ATS") \
X(dev_ats_pfsid, s->mock_dev->ats.pfsid = 0x10000, -EINVAL, "impossible settings of ATS") \
X(dev_nr_attachments, s->nic->nr_attachments = 2, -EINVAL, "device with a wrong number of attachments") \
X(dev_no_attachment, (s->nic_att->flags = IOMMU_SER_DELETED, s->nic->nr_attachments = 0, s->ss->nr_attachments--), \
  -EINVAL, "device with a wrong number of attachments") \
\
X(att_flags, s->nic_att->flags = 0x100, -EINVAL, "record with unknown flags") \
X(att_deleted, s->nic_att->flags = IOMMU_SER_DELETED, -EINVAL, "domain with a wrong number of attachments") \
X(att_reserved, s->nic_att->reserved = 1, -EINVAL, "reserved field of an attachment is not 0") \
X(att_hw_id_taken, s->disk_att->hw_id = s->gpu_att->hw_id, -EINVAL, "two domains with the same hardware id") \
X(att_pasid_twice, s->pasid_att->pasid = 0, -EINVAL, "device or PASID on two domains") \
X(att_pasid_high, s->pasid_att->pasid = 16, -EINVAL, "attachment of an impossible PASID") \
X(att_pasid_none, s->sibling_att->pasid = 1, -EINVAL, "attachment of an impossible PASID") \
X(att_pasid_group, image_attach(s->image, s->mock_dev, s->mock_domain, 0x10000)->pasid = 5, -EINVAL, \
  "attachment of a PASID in a group of several") \
X(att_pasids_only, s->svm_att->pasid = 3, -EINVAL, "device with PASIDs only") \
X(att_device_0, s->nic_att->device_pa = 0, -EINVAL, "attachment of a device without a record") \
X(att_device_inside, s->nic_att->device_pa += 8, -EINVAL, "attachment of a device without a record") \
X(att_device_old, s->nic_att->device_pa = image_pa(s->image, s->old_dev), -EINVAL, \
  "attachment of a device without a record") \
X(att_device_unit, s->nic_att->device_pa = s->nic->unit_pa, -EINVAL, "attachment of a device without a record") \
X(att_device_other, s->nic_att->device_pa = s->alias_att->device_pa, -EINVAL, "device or PASID on two domains") \
X(att_domain_0, s->nic_att->domain_pa = 0, -EINVAL, "attachment to a domain without a record") \
X(att_domain_inside, s->nic_att->domain_pa += 8, -EINVAL, "attachment to a domain without a record") \
X(att_domain_old, s->nic_att->domain_pa = image_pa(s->image, s->old_domain), -EINVAL, \
  "attachment to a domain without a record") \
X(att_domain_end, s->nic_att->domain_pa = image_pa(s->image, s->mock_domain + 1), -EINVAL, \
  "attachment to a domain without a record") \
X(att_domain_device, s->nic_att->domain_pa = s->nic_att->device_pa, -EINVAL, \
  "attachment to a domain without a record") \
X(att_domain_other, (s->disk_att->domain_pa = s->gpu_att->domain_pa, s->disk_att->hw_id = s->gpu_att->hw_id), \
  -EINVAL, "domain with a wrong number of attachments") \
X(att_two_ids, s->disk_att->domain_pa = s->gpu_att->domain_pa, -EINVAL, "domain with two hardware ids on a unit")

static struct kho_block_header_ser *block(struct standard *s, enum image_kind kind)
{
	u64 heads[] = { s->ser->units_pa, s->ser->domains_pa, s->ser->devices_pa, s->ser->attachments_pa };

	return image_ptr(s->image, heads[kind]);
}

static void swap_u64(u64 *a, u64 *b)
{
	u64 c = *a;

	*a = *b;
	*b = c;
}

#define ALTERED struct standard *s
DEFINE_ALTERATIONS(int err; const char *reason;);

/* One wrong field under a right checksum is refused, for the right reason. */
static void test_alteration(void **state)
{
	const struct alteration *a = *state;
	struct standard s = image_standard();

	a->alter(&s);
	image_seal(s.image);
	assert_refused(s.image, a->err, a->reason);
	image_free(s.image);
}

/* The same without a new checksum: refused before the record is looked at. */
static void test_alterations_unsealed(void **state)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(alterations); i++) {
		struct standard s = image_standard();
		const char *reason;
		int ret;

		alterations[i].alter(&s);
		ret = image_check(s.image, &reason);
		if (!ret || !reason)
			fail_msg("%s is accepted", alterations[i].name);
		image_free(s.image);
	}
}

/* Unsealed */
static void is_noticed(void *arg, unsigned char *byte)
{
	struct standard *s = arg;
	const char *reason;

	if (!image_check(s->image, &reason))
		fail_msg("%02x at %llx is not noticed", *byte, (unsigned long long)image_pa(s->image, byte));
}

static void test_every_byte_flipped(void **state)
{
	struct standard s = image_standard();
	struct bytes areas[STANDARD_AREAS];

	standard_areas(&s, areas);
	assert_int_equal(bytes_flip_each(areas, STANDARD_AREAS, is_noticed, &s),
			 3 * (64 + 4 * 16 + 5 * 320 + 5 * 96 + 8 * 128 + 9 * 40));
	assert_accepted(s.image);
	image_free(s.image);
}

#define IS(lvalue, byte) \
	((byte) >= (unsigned char *)&(lvalue) && (byte) < (unsigned char *)(&(lvalue) + 1))
/* What a deleted record holds does not matter, nor does its being alive, if it fits. */
#define DELETED(record, byte)	(IS(*(record), byte) && !IS((record)->flags, byte))

/* Fields of which any value, or at least another one, can be true */

static bool is_free_of_vtd(struct iommu_unit_ser *unit, unsigned char *byte)
{
	struct iommu_unit_vtd_ser *vtd = iommu_unit_vtd(unit);

	/* Of another type it is one without a driver */
	return IS(unit->type, byte) || IS(unit->base, byte) || IS(vtd->cap, byte) || IS(vtd->ecap, byte) || IS(vtd->irta, byte) ||
	       IS(vtd->context_tables, byte);
}

/* The drivers of these are not there */
static bool is_free_of_mock(struct iommu_unit_ser *unit, unsigned char *byte)
{
	return IS(unit->type, byte) || IS(unit->base, byte) || IS(unit->base_kind, byte) || IS(unit->segment, byte) ||
	       IS(unit->driver_length, byte) || IS(unit->driver_data, byte);
}

static bool is_free_of_domain(struct iommu_domain_ser *dser, unsigned char *byte)
{
	return IS(dser->oasz_lg2, byte) || IS(dser->vasz_lg2, byte) || IS(dser->pt_features, byte) ||
	       IS(dser->pgsize_bitmap, byte) || IS(dser->nr_tables, byte) || IS(dser->domain_flags, byte);
}

static bool is_free_of_device(struct iommu_device_ser *dev, unsigned char *byte)
{
	return IS(dev->vendor, byte) || IS(dev->device, byte) || IS(dev->max_pasid, byte);
}

static bool is_free_of_mock_device(struct iommu_device_ser *dev, unsigned char *byte)
{
	return IS(dev->rid, byte) || IS(dev->nr_ids, byte) || IS(dev->ids, byte) || IS(dev->table.kind, byte) ||
	       IS(dev->ats, byte) || IS(dev->driver_data, byte);
}

static bool is_free_of_attachment(struct iommu_attachment_ser *att, unsigned char *byte)
{
	return IS(att->hw_id, byte) || IS(att->iommufd_token, byte);
}

static bool is_free(struct standard *s, unsigned char *byte)
{
	struct iommu_domain_ser *domains[] = { s->ss, s->fs, s->nested, s->mock_domain };
	struct iommu_device_ser *devices[] = { s->nic, s->alias, s->gpu, s->disk, s->mock_dev, s->sibling, s->svm };
	struct iommu_attachment_ser *atts[] = {
		s->nic_att, s->alias_att, s->gpu_att, s->disk_att, s->mock_att, s->sibling_att,
		s->svm_att, s->pasid_att,
	};
	bool free = false;

	for (size_t i = 0; i < ARRAY_SIZE(domains); i++)
		free |= is_free_of_domain(domains[i], byte);
	for (size_t i = 0; i < ARRAY_SIZE(devices); i++)
		free |= is_free_of_device(devices[i], byte);
	for (size_t i = 0; i < ARRAY_SIZE(atts); i++)
		free |= is_free_of_attachment(atts[i], byte);
	return free || is_free_of_vtd(s->legacy, byte) || is_free_of_vtd(s->scalable, byte) ||
	       is_free_of_mock(s->mock, byte) || is_free_of_mock(s->mock_peer, byte) ||
	       is_free_of_mock_device(s->mock_dev, byte) || is_free_of_mock_device(s->sibling, byte) ||
	       is_free_of_mock_device(s->svm, byte) ||
	       DELETED(s->old_unit, byte) || DELETED(s->old_domain, byte) || DELETED(s->old_dev, byte) ||
	       DELETED(s->old_att, byte) ||
	       /* of one with seven tables nobody knows the sum */
	       IS(s->ss->digest, byte) ||
	       /* alone in its group, and its driver has no segments */
	       IS(s->svm->segment, byte) ||
	       /* either stage has such a table */
	       IS(s->nested->pt_format, byte) ||
	       /* another function on the bus, and 00:00.0 as a third one */
	       IS(s->alias->nr_ids, byte) || IS(s->alias->ids, byte) || IS(s->pasid_att->pasid, byte) ||
	       /* nobody is behind it */
	       IS(s->mock_peer->flags, byte);
}

static void is_noticed_sealed(void *arg, unsigned char *byte)
{
	struct standard *s = arg;
	const char *reason;

	if (IS(s->ser->crc, byte))
		return;
	image_seal(s->image);
	if (is_free(s, byte))
		image_check(s->image, &reason);
	else
		is_noticed(s, byte);
}

/* Also with a right checksum most changes are noticed; all others are listed. */
static void test_every_byte_flipped_sealed(void **state)
{
	struct standard s = image_standard();
	struct bytes areas[STANDARD_AREAS];

	standard_areas(&s, areas);
	assert_int_equal(bytes_flip_each(areas, STANDARD_AREAS, is_noticed_sealed, &s),
			 3 * (64 + 4 * 16 + 5 * 320 + 5 * 96 + 8 * 128 + 9 * 40));
	image_seal(s.image);
	assert_accepted(s.image);
	image_free(s.image);
}

/* Chains that bite their tail: a block later, or at the very end */
static void test_cycles(void **state)
{
	struct image *image = large_image(1500);
	struct kho_block_header_ser *first, *second, *last;

	first = image_ptr(image, image->ser->units_pa);
	second = image_ptr(image, first->next);
	last = image->chains[UNITS].last;
	last->next = image->ser->units_pa;
	image_seal(image);
	assert_refused(image, -EINVAL, "chain is cyclic or has too many records");
	last->next = first->next;
	image_seal(image);
	assert_refused(image, -EINVAL, "chain is cyclic or has too many records");
	last->next = 0;
	second->next = image->ser->units_pa;
	image_seal(image);
	assert_refused(image, -EINVAL, "chain is cyclic or has too many records");
	image_free(image);
}

/* Two domains of one kind change places: only the checksum can tell. */
static void test_swapped_domains(void **state)
{
	struct standard s = image_standard();
	struct iommu_domain_ser tmp;

	tmp = *s.ss;
	*s.ss = *s.nested;
	*s.nested = tmp;
	assert_refused(s.image, -EBADMSG, "checksum is wrong");
	image_free(s.image);

	s = image_standard();
	swap_u64(&s.gpu_att->domain_pa, &s.disk_att->domain_pa);
	assert_refused(s.image, -EBADMSG, "checksum is wrong");
	image_free(s.image);
}

/* Two devices share a hardware id if they share domain and unit, and may if the units differ. */
static void test_shared_hw_id(void **state)
{
	struct standard s = image_standard();

	assert_int_equal(s.nic_att->hw_id, s.alias_att->hw_id);
	assert_int_equal(s.nic_att->hw_id, s.gpu_att->hw_id);
	image_seal(s.image);
	assert_accepted(s.image);
	s.alias_att->hw_id = 9;
	image_seal(s.image);
	assert_refused(s.image, -EINVAL, "domain with two hardware ids on a unit");
	image_free(s.image);
}

/* The same requester id on two segments */
static void test_rid_on_two_segments(void **state)
{
	struct standard s = image_standard();

	assert_int_equal(s.nic->rid, s.mock_dev->rid);
	s.mock_dev->segment = s.sibling->segment = s.nic->segment;
	image_seal(s.image);
	assert_refused(s.image, -EINVAL, "device occurs twice");
	image_free(s.image);
}

/* A page that the previous kernel forgot, each in turn */
static void test_unpreserved_page(void **state)
{
	struct standard s = image_standard();
	const char *reason;
	unsigned int i, nr = 0;

	for (i = 1; i < s.image->nr_pages; i++) {
		if (!s.image->pages[i].preserved)
			continue;
		s.image->pages[i].preserved = false;
		assert_int_equal(image_check(s.image, &reason), -EINVAL);
		assert_non_null(strstr(reason, "preserved"));
		s.image->pages[i].preserved = true;
		nr++;
	}
	/* 4 blocks, 2 roots, remap table, shared table, 4 tops, 4 tables of devices */
	assert_int_equal(nr, 16);
	assert_accepted(s.image);
	image_free(s.image);
}

/* A unit whose driver is not there is no reason to refuse the others. */
static void test_unknown_type(void **state)
{
	struct standard s = image_standard();

	s.mock->type = s.mock_peer->type = 0x1234;
	image_seal(s.image);
	assert_accepted(s.image);
	/* Its part is not looked at, that of others is. */
	memset(s.mock->driver_data, 0xff, s.mock->driver_length);
	image_seal(s.image);
	assert_accepted(s.image);
	s.legacy->type = 0x1234;
	iommu_unit_vtd(s.legacy)->flags = ~0u;
	image_seal(s.image);
	assert_accepted(s.image);
	image_free(s.image);
}

/* A map that fails, each call in turn, is survived and never overlooked. */
static void test_map_fails(void **state)
{
	struct image *image = large_image(120);
	unsigned long nr = 0;
	const char *reason;
	int ret;

	do {
		image->maps = 0;
		image->failing_map = ++nr;
		ret = image_check(image, &reason);
		if (!ret && image->maps >= nr && reason)
			fail_msg("map %lu", nr);
	} while (image->maps >= nr);
	assert_int_equal(ret, 0);
	image_free(image);
}

/* The checksum does not depend on the value that it replaces. */
static void test_crc_of_itself(void **state)
{
	struct standard s = image_standard();
	u32 crc = s.ser->crc;

	image_seal(s.image);
	assert_int_equal(s.ser->crc, crc);
	s.ser->crc = ~crc;
	assert_refused(s.image, -EBADMSG, "checksum is wrong");
	image_free(s.image);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest fixed[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_several_blocks),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_alterations_unsealed),
		cmocka_unit_test(test_every_byte_flipped),
		cmocka_unit_test(test_every_byte_flipped_sealed),
		cmocka_unit_test(test_cycles),
		cmocka_unit_test(test_swapped_domains),
		cmocka_unit_test(test_shared_hw_id),
		cmocka_unit_test(test_rid_on_two_segments),
		cmocka_unit_test(test_unpreserved_page),
		cmocka_unit_test(test_unknown_type),
		cmocka_unit_test(test_map_fails),
		cmocka_unit_test(test_crc_of_itself),
	};

	golden_path = golden_path_of(argc, argv, "golden/iommu-v1.txt", print_standard);
	return RUN_TESTS_AND_TABLE("liveupdate-check", fixed, test_alteration, alterations);
}
