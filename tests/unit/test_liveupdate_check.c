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
		image_add_attachment(image, unit, dser, i << 3, hw_id);
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

	assert_true(image->ser->nr_units > 3 * 21);
	assert_true(image->ser->nr_domains > 3 * 72);
	assert_true(image->ser->nr_attachments > 3 * 51);
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

	unit = image_add(image, UNITS);
	unit->type = IOMMU_UNIT_SER_MOCK;
	unit->base = 1;
	dser = image_add_domain(image, IOMMU_DOMAIN_SER_X86_64);
	for (i = 0; i < IOMMU_LIVEUPDATE_MAX_RECORDS; i++)
		image_add_attachment(image, unit, dser, i, 1);
	image_seal(image);
	assert_accepted(image);
	image_add_attachment(image, unit, dser, i, 1);
	image_seal(image);
	assert_refused(image, -EINVAL, "too many records");
	image_free(image);
}

#define BAD_PA	(IMAGE_BASE + (IMAGE_PAGES - 1) * PAGE_SIZE)

/* X(name, what is altered in the standard records, errno, reason) */
#define ALTERATIONS(X) \
X(version_next, s->ser->version++, -EPROTONOSUPPORT, "unknown version") \
X(version_before, s->ser->version--, -EPROTONOSUPPORT, "unknown version") \
X(length, s->ser->length += 8, -EINVAL, "length does not fit the version") \
X(reserved, s->ser->reserved = 1, -EINVAL, "reserved field of the top object is not 0") \
X(reserved2, s->ser->reserved2 = 1, -EINVAL, "reserved field of the top object is not 0") \
X(units_none, s->ser->units_pa = 0, -EINVAL, "chain has too few records") \
X(units_stray, s->ser->units_pa = BAD_PA, -EINVAL, "block is not in preserved memory") \
X(units_unaligned, s->ser->units_pa += 8, -EINVAL, "block is not in preserved memory") \
X(domains_stray, s->ser->domains_pa = BAD_PA, -EINVAL, "block is not in preserved memory") \
X(domains_low, s->ser->domains_pa = 0x1000, -EINVAL, "block is not in preserved memory") \
X(attachments_high, s->ser->attachments_pa = ~0xfffULL, -EINVAL, "block is not in preserved memory") \
X(attachments_order, s->ser->attachments_pa = s->legacy->vtd.irt_pa, -EINVAL, \
  "block is not in preserved memory") \
X(nr_units_more, s->ser->nr_units++, -EINVAL, "chain has too few records") \
X(nr_units_less, s->ser->nr_units--, -EINVAL, "chain is cyclic or has too many records") \
X(nr_domains_none, s->ser->nr_domains = 0, -EINVAL, "chain is cyclic or has too many records") \
X(nr_domains_huge, s->ser->nr_domains = ~0u, -EINVAL, "too many records") \
X(nr_attachments_more, s->ser->nr_attachments++, -EINVAL, "chain has too few records") \
X(shared_block, (s->ser->attachments_pa = s->ser->domains_pa, s->ser->nr_attachments = s->ser->nr_domains), \
  -EINVAL, "block belongs to two chains") \
X(count_0, block(s, UNITS)->count = 0, -EINVAL, "block with a bad number of records") \
X(count_huge, block(s, UNITS)->count = ~0ULL, -EINVAL, "block with a bad number of records") \
X(count_capacity, block(s, DOMAINS)->count = 73, -EINVAL, "block with a bad number of records") \
X(next_self, block(s, UNITS)->next = s->ser->units_pa, -EINVAL, "chain is cyclic or has too many records") \
X(next_other, block(s, UNITS)->next = s->ser->domains_pa, -EINVAL, "chain is cyclic or has too many records") \
X(next_stray, block(s, ATTACHMENTS)->next = BAD_PA, -EINVAL, "block is not in preserved memory") \
\
X(unit_flags, s->legacy->flags = 2, -EINVAL, "record with unknown flags") \
X(unit_deleted_flags, s->old_unit->flags |= 0x80000000, -EINVAL, "record with unknown flags") \
X(unit_deleted, s->legacy->flags = IOMMU_SER_DELETED, -EINVAL, "attachment to a unit without a record") \
X(unit_revived, s->old_unit->flags = 0, -EINVAL, "unit without registers") \
X(unit_type, s->legacy->type = 3, -EINVAL, "unit of unknown type") \
X(unit_base_0, s->legacy->base = 0, -EINVAL, "unit without registers") \
X(unit_base_twice, s->legacy->base = s->scalable->base, -EINVAL, "two units with the same registers") \
X(unit_segment, s->legacy->segment = 0x10000, -EINVAL, "unit with an impossible segment") \
X(unit_segment_other, s->legacy->segment = 7, -EINVAL, "device and its unit are on different segments") \
X(unit_nr_devices, s->legacy->nr_devices = 3, -EINVAL, "unit with a wrong number of devices") \
X(unit_root_0, s->legacy->root_pa = 0, -EINVAL, "root table is not preserved") \
X(unit_root_stray, s->legacy->root_pa = BAD_PA, -EINVAL, "root table is not preserved") \
X(unit_root_unaligned, s->legacy->root_pa += 16, -EINVAL, "root table is not preserved") \
X(unit_root_order, s->legacy->root_pa = s->gpu->pasid_dir_pa, -EINVAL, "root table is not preserved") \
X(unit_root_other, s->legacy->root_pa = s->ss->top_pa, -EINVAL, "root table and its register differ") \
X(unit_root_twice, (s->scalable->root_pa = s->legacy->root_pa, s->scalable->vtd.rtaddr = s->legacy->root_pa | 1 << 10), \
  -EINVAL, "two units with the same root table") \
X(unit_mock_root, s->mock->root_pa = BAD_PA, -EINVAL, "root table is not preserved") \
X(vtd_flags, s->legacy->vtd.flags |= 4, -EINVAL, "unit with unknown VT-d flags") \
X(vtd_mode, s->legacy->vtd.flags |= IOMMU_UNIT_VTD_SCALABLE, -EINVAL, "root table and its register differ") \
X(vtd_rtaddr_mode, s->scalable->vtd.rtaddr ^= 1 << 11, -EINVAL, "root table and its register differ") \
X(vtd_rtaddr_low, s->legacy->vtd.rtaddr |= 1, -EINVAL, "root table and its register differ") \
X(vtd_no_intremap, s->legacy->vtd.flags = 0, -EINVAL, "unit without interrupt remapping has a table") \
X(vtd_irt_order, s->legacy->vtd.irt_order = 7, -EINVAL, "interrupt remapping table is not preserved") \
X(vtd_irt_order_huge, s->legacy->vtd.irt_order = 0xffffffff, -EINVAL, "interrupt remapping table is not preserved") \
X(vtd_irt_pa, s->legacy->vtd.irt_pa = 0, -EINVAL, "interrupt remapping table is not preserved") \
X(vtd_irta, s->legacy->vtd.irta += PAGE_SIZE, -EINVAL, "interrupt remapping table and its register differ") \
X(vtd_irt_small, (image_page(s->image, s->legacy->vtd.irt_pa)->order = 7, s->legacy->vtd.irt_order = 7), \
  -EINVAL, "interrupt remapping table and its register differ") \
X(vtd_context_none, s->legacy->vtd.context_tables[0] = 0, -EINVAL, "requester id without a context table") \
X(vtd_context_alias, s->legacy->vtd.context_tables[0] &= ~8ULL, -EINVAL, "requester id without a context table") \
X(vtd_context_half, s->scalable->vtd.context_tables[4] ^= 3ULL << 4, -EINVAL, "requester id without a context table") \
X(vtd_context_upper, s->legacy->vtd.context_tables[4] = 1, -EINVAL, "impossible context table") \
X(vtd_padding, s->scalable->driver_data[19] = 1, -EINVAL, "padding of a unit is not 0") \
\
X(domain_flags, s->ss->flags = 4, -EINVAL, "record with unknown flags") \
X(domain_deleted, s->ss->flags = IOMMU_SER_DELETED, -EINVAL, "attachment to a domain without a record") \
X(domain_format_0, s->ss->pt_format = 0, -EINVAL, "domain of unknown format") \
X(domain_format_new, s->ss->pt_format = 5, -EINVAL, "domain of unknown format") \
X(domain_format_fs, (s->ss->pt_format = IOMMU_DOMAIN_SER_X86_64), -EINVAL, "domain format does not fit the unit") \
X(domain_format_amd, (s->fs->pt_format = IOMMU_DOMAIN_SER_AMDV1, s->fs->pt_features = IOMMU_DOMAIN_SER_DYNAMIC_TOP), \
  -EINVAL, "domain format does not fit the unit") \
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
X(domain_reserved, s->ss->reserved = 1, -EINVAL, "reserved field of a domain is not 0") \
X(domain_pgsize_0, s->ss->pgsize_bitmap = 0, -EINVAL, "domain with impossible page sizes") \
X(domain_pgsize_small, s->ss->pgsize_bitmap |= 0x800, -EINVAL, "domain with impossible page sizes") \
X(domain_top_0, s->ss->top_pa = 0, -EINVAL, "top table is not preserved") \
X(domain_top_stray, s->ss->top_pa = BAD_PA, -EINVAL, "top table is not preserved") \
X(domain_top_unaligned, s->ss->top_pa += 8, -EINVAL, "top table is not preserved") \
X(domain_top_order, s->ss->top_pa = s->gpu->pasid_dir_pa, -EINVAL, "top table is not preserved") \
X(domain_top_twice, s->ss->top_pa = s->fs->top_pa, -EINVAL, "two domains with the same top table") \
X(domain_nr_tables, s->ss->nr_tables = 0, -EINVAL, "domain without tables") \
X(domain_digest, s->fs->digest++, -EINVAL, "digest does not fit the only table") \
X(domain_settings, s->ss->domain_flags |= 2, -EINVAL, "domain with unknown settings") \
X(domain_nr_attachments, s->ss->nr_attachments--, -EINVAL, "domain with a wrong number of attachments") \
\
X(att_flags, s->nic->flags = 0x100, -EINVAL, "record with unknown flags") \
X(att_deleted, s->nic->flags = IOMMU_SER_DELETED, -EINVAL, "unit with a wrong number of devices") \
X(att_segment, s->nic->segment = 5, -EINVAL, "device and its unit are on different segments") \
X(att_rid, s->nic->rid ^= 1, -EINVAL, "first requester id is not the device's own") \
X(att_rid_0, s->nic->rids[0] ^= 1, -EINVAL, "first requester id is not the device's own") \
X(att_rid_unused, s->nic->rids[7] = 1, -EINVAL, "unused requester id is not 0") \
X(att_rid_less, s->alias->nr_rids = 1, -EINVAL, "unused requester id is not 0") \
X(att_rid_twice, s->alias->rids[1] = s->alias->rid, -EINVAL, "requester id occurs twice") \
X(att_rid_taken, s->alias->rids[1] = s->nic->rid, -EINVAL, "requester id occurs twice") \
X(att_nr_rids_0, s->nic->nr_rids = 0, -EINVAL, "attachment with a bad number of requester ids") \
X(att_nr_rids_9, s->nic->nr_rids = 9, -EINVAL, "attachment with a bad number of requester ids") \
X(att_nr_rids_next, s->alias->nr_rids = 0xffff, -EINVAL, "attachment with a bad number of requester ids") \
X(att_hw_id, s->nic->hw_id = 0x10000, -EINVAL, "impossible hardware id") \
X(att_hw_id_taken, s->disk->hw_id = s->gpu->hw_id, -EINVAL, "two domains with the same hardware id") \
X(att_domain_0, s->nic->domain_pa = 0, -EINVAL, "attachment to a domain without a record") \
X(att_domain_inside, s->nic->domain_pa += 8, -EINVAL, "attachment to a domain without a record") \
X(att_domain_old, s->nic->domain_pa = image_pa(s->image, s->old_domain), -EINVAL, \
  "attachment to a domain without a record") \
X(att_domain_end, s->nic->domain_pa = image_pa(s->image, s->mock_domain + 1), -EINVAL, \
  "attachment to a domain without a record") \
X(att_domain_unit, s->nic->domain_pa = s->nic->unit_pa, -EINVAL, "attachment to a domain without a record") \
X(att_domain_other, (s->disk->domain_pa = s->gpu->domain_pa, s->disk->hw_id = s->gpu->hw_id), -EINVAL, \
  "domain with a wrong number of attachments") \
X(att_two_ids, s->disk->domain_pa = s->gpu->domain_pa, -EINVAL, "domain with two hardware ids on a unit") \
X(att_unit_0, s->nic->unit_pa = 0, -EINVAL, "attachment to a unit without a record") \
X(att_unit_header, s->nic->unit_pa = s->ser->units_pa, -EINVAL, "attachment to a unit without a record") \
X(att_unit_old, s->nic->unit_pa = image_pa(s->image, s->old_unit), -EINVAL, \
  "attachment to a unit without a record") \
X(att_unit_swapped, swap_u64(&s->nic->unit_pa, &s->gpu->unit_pa), -EINVAL, \
  "device and its unit are on different segments") \
X(att_domain_swapped, swap_u64(&s->nic->domain_pa, &s->gpu->domain_pa), -EINVAL, \
  "domain format does not fit the unit") \
X(att_pasid_none, (s->gpu->pasid_dir_pa = 0, s->gpu->pasid_dir_order = 0, s->gpu->max_pasid = 0), \
  -EINVAL, "PASID directory does not fit the unit's mode") \
X(att_pasid_pa_0, s->gpu->pasid_dir_pa = 0, -EINVAL, "PASIDs without a directory") \
X(att_pasid_pa, s->gpu->pasid_dir_pa = BAD_PA, -EINVAL, "PASID directory is not preserved") \
X(att_pasid_order, s->gpu->pasid_dir_order = 0, -EINVAL, "PASID directory is not preserved") \
X(att_pasid_twice, s->gpu->pasid_dir_pa = s->disk->pasid_dir_pa, -EINVAL, \
  "two devices with the same PASID directory") \
X(att_pasid_legacy, (s->nic->pasid_dir_pa = s->gpu->pasid_dir_pa, s->nic->pasid_dir_order = 1, s->nic->max_pasid = 64), \
  -EINVAL, "PASID directory does not fit the unit's mode") \
X(att_max_pasid_0, s->gpu->max_pasid = 0, -EINVAL, "impossible number of PASIDs") \
X(att_max_pasid_huge, s->gpu->max_pasid = 1 << 21, -EINVAL, "impossible number of PASIDs") \
X(att_max_pasid_small, s->gpu->max_pasid = 1 << 17, -EINVAL, "PASID directory is too small") \
X(att_max_pasid_alone, s->nic->max_pasid = 1, -EINVAL, "PASIDs without a directory") \
X(att_order_alone, s->nic->pasid_dir_order = 1, -EINVAL, "PASIDs without a directory") \
X(att_reserved, s->nic->reserved = 1, -EINVAL, "reserved field of an attachment is not 0")

static struct kho_block_header_ser *block(struct standard *s, enum image_kind kind)
{
	u64 heads[] = { s->ser->units_pa, s->ser->domains_pa, s->ser->attachments_pa };

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
			 3 * (56 + 3 * 16 + 4 * 192 + 5 * 56 + 6 * 80));
	assert_accepted(s.image);
	image_free(s.image);
}

#define IN(s, record, field, byte) \
	((byte) >= (unsigned char *)&(s)->record->field && \
	 (byte) < (unsigned char *)&(s)->record->field + sizeof((s)->record->field))

/* Fields of which any value, or at least another one, can be true */
static bool is_free(struct standard *s, unsigned char *byte)
{
	return IN(s, legacy, base, byte) || IN(s, scalable, base, byte) || IN(s, mock, base, byte) ||
	       IN(s, mock, segment, byte) || IN(s, mock, driver_data, byte) ||
	       /* any page that is preserved */
	       IN(s, mock, root_pa, byte) ||
	       IN(s, legacy, vtd.cap, byte) || IN(s, legacy, vtd.ecap, byte) ||
	       IN(s, scalable, vtd.cap, byte) || IN(s, scalable, vtd.ecap, byte) ||
	       IN(s, legacy, vtd.irta, byte) ||
	       IN(s, legacy, vtd.context_tables, byte) || IN(s, scalable, vtd.context_tables, byte) ||
	       /* what a deleted record holds does not matter, nor does its being alive, if it fits */
	       (byte > (unsigned char *)s->old_unit + 3 && byte < (unsigned char *)(s->old_unit + 1)) ||
	       (byte > (unsigned char *)s->old_domain + 3 && byte < (unsigned char *)(s->old_domain + 1)) ||
	       (byte > (unsigned char *)s->old_att + 3 && byte < (unsigned char *)(s->old_att + 1)) ||
	       IN(s, ss, oasz_lg2, byte) || IN(s, fs, oasz_lg2, byte) || IN(s, nested, oasz_lg2, byte) ||
	       IN(s, mock_domain, oasz_lg2, byte) ||
	       /* either stage has such a table */
	       IN(s, nested, pt_format, byte) ||
	       IN(s, mock_domain, pt_format, byte) || IN(s, mock_domain, pt_features, byte) ||
	       IN(s, ss, pt_features, byte) || IN(s, fs, pt_features, byte) || IN(s, nested, pt_features, byte) ||
	       IN(s, fs, vasz_lg2, byte) || IN(s, nested, vasz_lg2, byte) ||
	       IN(s, mock_domain, vasz_lg2, byte) ||
	       IN(s, ss, pgsize_bitmap, byte) || IN(s, fs, pgsize_bitmap, byte) ||
	       IN(s, nested, pgsize_bitmap, byte) || IN(s, mock_domain, pgsize_bitmap, byte) ||
	       IN(s, ss, nr_tables, byte) || IN(s, ss, digest, byte) ||
	       IN(s, fs, nr_tables, byte) || IN(s, nested, nr_tables, byte) ||
	       IN(s, mock_domain, nr_tables, byte) ||
	       IN(s, ss, domain_flags, byte) || IN(s, fs, domain_flags, byte) ||
	       IN(s, nested, domain_flags, byte) || IN(s, mock_domain, domain_flags, byte) ||
	       IN(s, mock_dev, segment, byte) ||
	       IN(s, nic, vendor, byte) || IN(s, nic, device, byte) ||
	       IN(s, alias, vendor, byte) || IN(s, alias, device, byte) ||
	       IN(s, gpu, vendor, byte) || IN(s, gpu, device, byte) ||
	       IN(s, disk, vendor, byte) || IN(s, disk, device, byte) ||
	       IN(s, mock_dev, vendor, byte) || IN(s, mock_dev, device, byte) ||
	       /* another function on the bus, and 00:00.0 as a third one */
	       IN(s, alias, nr_rids, byte) ||
	       IN(s, alias, rids[1], byte) ||
	       IN(s, nic, hw_id, byte) || IN(s, alias, hw_id, byte) || IN(s, gpu, hw_id, byte) ||
	       IN(s, disk, hw_id, byte) || IN(s, mock_dev, hw_id, byte) ||
	       IN(s, gpu, max_pasid, byte) || IN(s, disk, max_pasid, byte) ||
	       IN(s, nic, iommufd_token, byte) || IN(s, alias, iommufd_token, byte) ||
	       IN(s, gpu, iommufd_token, byte) || IN(s, disk, iommufd_token, byte) ||
	       IN(s, mock_dev, iommufd_token, byte);
}

static void is_noticed_sealed(void *arg, unsigned char *byte)
{
	struct standard *s = arg;
	const char *reason;

	if (IN(s, ser, crc, byte))
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
			 3 * (56 + 3 * 16 + 4 * 192 + 5 * 56 + 6 * 80));
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
	swap_u64(&s.gpu->domain_pa, &s.disk->domain_pa);
	assert_refused(s.image, -EBADMSG, "checksum is wrong");
	image_free(s.image);
}

/* Two devices share a hardware id if they share domain and unit, and may if the units differ. */
static void test_shared_hw_id(void **state)
{
	struct standard s = image_standard();

	assert_int_equal(s.nic->hw_id, s.alias->hw_id);
	assert_int_equal(s.nic->hw_id, s.gpu->hw_id);
	image_seal(s.image);
	assert_accepted(s.image);
	s.alias->hw_id = 9;
	image_seal(s.image);
	assert_refused(s.image, -EINVAL, "domain with two hardware ids on a unit");
	image_free(s.image);
}

/* The same requester id on two segments */
static void test_rid_on_two_segments(void **state)
{
	struct standard s = image_standard();

	assert_int_equal(s.nic->rid, s.mock_dev->rid);
	s.mock_dev->segment = s.nic->segment;
	image_seal(s.image);
	assert_refused(s.image, -EINVAL, "requester id occurs twice");
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
	/* 3 blocks, 2 roots, remap table, 4 tops, 2 directories */
	assert_int_equal(nr, 12);
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
		cmocka_unit_test(test_map_fails),
		cmocka_unit_test(test_crc_of_itself),
	};

	golden_path = golden_path_of(argc, argv, "golden/iommu-v1.txt", print_standard);
	return RUN_TESTS_AND_TABLE("liveupdate-check", fixed, test_alteration, alterations);
}
