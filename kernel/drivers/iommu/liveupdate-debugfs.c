// SPDX-License-Identifier: GPL-2.0
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */

/**
 * DOC: IOMMU live update in debugfs
 *
 * /sys/kernel/debug/iommu/liveupdate/outgoing and incoming list the records of
 * either side as lines "key: value", for tests and for people. "status" comes
 * first. Each record begins with the line "unit", "domain" or "attachment". Its
 * value is a running number, that of an attachment the address of the function;
 * an attachment refers to unit and domain by number. Numbers mean nothing
 * beyond one reading of the file. States are words of liveupdate.c: outgoing,
 * frozen, incoming, restored, blocked, failed (not blocked as yet).
 *
 * No memory addresses are shown. Locking is that of the two show functions.
 */

#include <linux/debugfs.h>
#include <linux/init.h>
#include <linux/iommu.h>
#include <linux/kho/abi/iommu.h>
#include <linux/pci.h>
#include <linux/seq_file.h>

#include "liveupdate.h"

static const char *iommu_liveupdate_unit_type(u32 type)
{
	switch (type) {
	case IOMMU_UNIT_SER_VTD:
		return "vtd";
	case IOMMU_UNIT_SER_MOCK:
		return "mock";
	default:
		return "unknown";
	}
}

static const char *iommu_liveupdate_pt_format(u32 format)
{
	switch (format) {
	case IOMMU_DOMAIN_SER_AMDV1:
		return "amdv1";
	case IOMMU_DOMAIN_SER_X86_64:
		return "x86_64";
	case IOMMU_DOMAIN_SER_VTDSS:
		return "vtdss";
	case IOMMU_DOMAIN_SER_RISCV_64:
		return "riscv_64";
	default:
		return "unknown";
	}
}

/**
 * iommu_liveupdate_show_unit - Write one unit record as text
 * @m: Where to
 * @nr: Running number
 * @unit: The record
 * @state: What became of it
 */
void iommu_liveupdate_show_unit(struct seq_file *m, unsigned int nr,
				const struct iommu_unit_ser *unit,
				const char *state)
{
	seq_printf(m, "\nunit: %u\n", nr);
	seq_printf(m, "state: %s\n", state);
	seq_printf(m, "type: %s\n", iommu_liveupdate_unit_type(unit->type));
	seq_printf(m, "base: 0x%llx\n", unit->base);
	seq_printf(m, "segment: 0x%04x\n", unit->segment);
	seq_printf(m, "devices: %u\n", unit->nr_devices);
	if (unit->type == IOMMU_UNIT_SER_VTD)
		seq_printf(m, "flags: 0x%x\n", unit->vtd.flags);
}

/**
 * iommu_liveupdate_show_domain - Write one domain record as text
 * @m: Where to
 * @nr: Running number
 * @dser: The record
 * @state: What became of it
 */
void iommu_liveupdate_show_domain(struct seq_file *m, unsigned int nr,
				  const struct iommu_domain_ser *dser,
				  const char *state)
{
	seq_printf(m, "\ndomain: %u\n", nr);
	seq_printf(m, "state: %s\n", state);
	seq_printf(m, "format: %s\n", iommu_liveupdate_pt_format(dser->pt_format));
	seq_printf(m, "top_level: %u\n", dser->top_level);
	seq_printf(m, "vasz_lg2: %u\n", dser->vasz_lg2);
	seq_printf(m, "oasz_lg2: %u\n", dser->oasz_lg2);
	seq_printf(m, "pt_features: 0x%x\n", dser->pt_features);
	seq_printf(m, "pgsize_bitmap: 0x%llx\n", dser->pgsize_bitmap);
	seq_printf(m, "domain_flags: 0x%x\n", dser->domain_flags);
	seq_printf(m, "tables: %llu\n", dser->nr_tables);
	seq_printf(m, "attachments: %u\n", dser->nr_attachments);
}

/**
 * iommu_liveupdate_show_attachment - Write one attachment record as text
 * @m: Where to
 * @unit: Running number of its unit
 * @domain: Running number of its domain
 * @att: The record
 * @state: What became of it
 */
void iommu_liveupdate_show_attachment(struct seq_file *m, unsigned int unit,
				      unsigned int domain,
				      const struct iommu_attachment_ser *att,
				      const char *state)
{
	unsigned int i;

	seq_printf(m, "\nattachment: %04x:%02x:%02x.%u\n", att->segment,
		   PCI_BUS_NUM(att->rid), PCI_SLOT(att->rid & 0xff),
		   PCI_FUNC(att->rid & 0xff));
	seq_printf(m, "state: %s\n", state);
	seq_printf(m, "unit_nr: %u\n", unit);
	seq_printf(m, "domain_nr: %u\n", domain);
	seq_printf(m, "id: %04x:%04x\n", att->vendor, att->device);
	seq_puts(m, "rids:");
	for (i = 0; i < att->nr_rids && i < ARRAY_SIZE(att->rids); i++)
		seq_printf(m, " 0x%04x", att->rids[i]);
	seq_puts(m, "\n");
	seq_printf(m, "hw_id: %u\n", att->hw_id);
	seq_printf(m, "max_pasid: %u\n", att->max_pasid);
	seq_printf(m, "iommufd_token: 0x%llx\n", att->iommufd_token);
}

static int outgoing_show(struct seq_file *m, void *unused)
{
	iommu_liveupdate_outgoing_show(m);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(outgoing);

static int incoming_show(struct seq_file *m, void *unused)
{
	iommu_liveupdate_incoming_show(m);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(incoming);

static int __init iommu_liveupdate_debugfs_init(void)
{
	struct dentry *dir;

	dir = debugfs_create_dir("liveupdate", iommu_debugfs_dir);
	debugfs_create_file("outgoing", 0400, dir, NULL, &outgoing_fops);
	debugfs_create_file("incoming", 0400, dir, NULL, &incoming_fops);
	return 0;
}
late_initcall(iommu_liveupdate_debugfs_init);
