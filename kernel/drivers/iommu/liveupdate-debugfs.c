// SPDX-License-Identifier: GPL-2.0
/*
 * Copyright (c) 2026, the iommu-liveupdate authors
 */

/**
 * DOC: IOMMU live update in debugfs
 *
 * /sys/kernel/debug/iommu/liveupdate/outgoing and incoming list the records of
 * either side as lines "key: value", for tests and for people. "status" comes
 * first. Each record begins with the line "unit", "domain", "device" or
 * "attachment". Its value is a running number, that of a device the address of
 * the function, that of an attachment the PASID, 0 for none. A device refers to
 * its unit, an attachment to its domain by number, and the attachments of a device
 * follow it. Numbers mean nothing beyond one reading of the file. States are words
 * of liveupdate.c: outgoing, frozen, incoming, restored, blocked, failed (not
 * blocked as yet), replaced, abandoned, and of a domain: freed.
 *
 * freeing_pages is a number: pages of page tables that are done with, which a work
 * item is giving back. Only when it is 0 do the statistics say how it ends.
 *
 * No memory addresses are shown.
 *
 * Locking: outgoing is shown under iommu_liveupdate_outgoing_lock, incoming under
 * iommu_liveupdate_incoming_lock.
 */

#include <linux/debugfs.h>
#include <linux/init.h>
#include <linux/iommu.h>
#include <linux/iommu-liveupdate.h>
#include <linux/kho/abi/iommu.h>
#include <linux/pci.h>
#include <linux/seq_file.h>

#include "liveupdate.h"
#include "liveupdate-check.h"

static const char *const pt_formats[] = {
	[IOMMU_DOMAIN_SER_AMDV1] = "amdv1",
	[IOMMU_DOMAIN_SER_X86_64] = "x86_64",
	[IOMMU_DOMAIN_SER_VTDSS] = "vtdss",
	[IOMMU_DOMAIN_SER_RISCV_64] = "riscv_64",
};

static unsigned int nr_of(const struct list_head *entry,
			  const struct list_head *head)
{
	const struct list_head *pos;
	unsigned int nr = 0;

	for (pos = head->next; pos != entry && pos != head; pos = pos->next)
		nr++;
	return nr;
}

static void show_unit(struct seq_file *m, unsigned int nr,
		      const struct iommu_unit_ser *unit,
		      const struct iommu_liveupdate_type *type, const char *state)
{
	seq_printf(m,
		   "\nunit: %u\nstate: %s\n"
		   "type: %s\n"
		   "base: 0x%llx\n"
		   "segment: 0x%04x\n"
		   "devices: %u\n",
		   nr, state, type ? type->name : "unknown",
		   unit->base, unit->segment, unit->nr_devices);
}

static void show_domain(struct seq_file *m, unsigned int nr,
			const struct iommu_domain_ser *dser, const char *state)
{
	const char *format = "unknown";

	if (dser->pt_format < ARRAY_SIZE(pt_formats) &&
	    pt_formats[dser->pt_format])
		format = pt_formats[dser->pt_format];

	seq_printf(m,
		   "\ndomain: %u\nstate: %s\n"
		   "format: %s\n"
		   "top_level: %u\n"
		   "vasz_lg2: %u\n"
		   "oasz_lg2: %u\n"
		   "pt_features: 0x%x\n"
		   "pgsize_bitmap: 0x%llx\n"
		   "domain_flags: 0x%x\n"
		   "tables: %llu\n"
		   "attachments: %u\n",
		   nr, state, format, dser->top_level, dser->vasz_lg2,
		   dser->oasz_lg2, dser->pt_features, dser->pgsize_bitmap,
		   dser->domain_flags, dser->nr_tables, dser->nr_attachments);
}

static void show_device(struct seq_file *m, unsigned int unit,
			const struct iommu_device_ser *devrec, const char *state)
{
	unsigned int i;

	seq_printf(m,
		   "\ndevice: %04x:%02x:%02x.%u\nstate: %s\n"
		   "unit_nr: %u\n"
		   "id: %04x:%04x\n"
		   "ids:",
		   devrec->segment, PCI_BUS_NUM(devrec->rid),
		   PCI_SLOT(devrec->rid & 0xff), PCI_FUNC(devrec->rid & 0xff),
		   state, unit, devrec->vendor,
		   devrec->device);
	for (i = 0; i < devrec->nr_ids; i++)
		seq_printf(m, " 0x%04x", devrec->ids[i]);
	seq_printf(m,
		   "\nmax_pasid: %u\n"
		   "group: 0x%04x\n",
		   devrec->max_pasid, devrec->group_key);
}

static void show_attachment(struct seq_file *m, unsigned int domain,
			    const struct iommu_attachment_ser *att)
{
	seq_printf(m,
		   "\nattachment: %u\n"
		   "domain_nr: %u\n"
		   "hw_id: %u\n"
		   "iommufd_token: 0x%llx\n",
		   att->pasid, domain, att->hw_id, att->iommufd_token);
}

static void show_out_device(struct seq_file *m,
			    struct iommu_liveupdate_outgoing *out,
			    struct iommu_liveupdate_out_device *pdev,
			    const char *state)
{
	struct iommu_liveupdate_out_attachment *patt;

	show_device(m, nr_of(&pdev->unit->list, &out->units), pdev->ser, state);
	list_for_each_entry(patt, &pdev->attachments, list)
		show_attachment(m, nr_of(&patt->domain->list, &out->domains),
				patt->ser);
}

static int outgoing_show(struct seq_file *m, void *unused)
{
	struct iommu_liveupdate_outgoing *out;
	struct iommu_liveupdate_out_domain *pdom;
	struct iommu_liveupdate_out_device *pdev;
	struct iommu_liveupdate_out_unit *unit;
	const char *state = "none";

	guard(mutex)(&iommu_liveupdate_outgoing_lock);
	out = iommu_liveupdate_outgoing;
	if (out)
		state = out->frozen ? "frozen" : "outgoing";
	seq_printf(m, "status: %s\n", state);
	if (!out)
		return 0;

	list_for_each_entry(unit, &out->units, list)
		show_unit(m, nr_of(&unit->list, &out->units), unit->ser,
			  iommu_liveupdate_unit_ops(unit)->type, state);
	list_for_each_entry(pdom, &out->domains, list)
		show_domain(m, nr_of(&pdom->list, &out->domains), pdom->ser,
			    state);
	list_for_each_entry(pdev, &out->devices, list)
		show_out_device(m, out, pdev, state);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(outgoing);

static const char *device_state(const struct iommu_liveupdate_in_device *in_dev)
{
	switch (in_dev->state) {
	case IOMMU_LIVEUPDATE_DEV_RESTORED:
		return "restored";
	case IOMMU_LIVEUPDATE_DEV_LEFT:
		return "left";
	case IOMMU_LIVEUPDATE_DEV_BLOCKED:
		return "blocked";
	case IOMMU_LIVEUPDATE_DEV_REPLACED:
		return "replaced";
	case IOMMU_LIVEUPDATE_DEV_ABANDONED:
	case IOMMU_LIVEUPDATE_DEV_RETURNED:
		return "abandoned";
	default:
		return in_dev->err ? "failed" : "incoming";
	}
}

static void show_in_device(struct seq_file *m,
			   struct iommu_liveupdate_incoming *in,
			   struct iommu_liveupdate_in_device *in_dev)
{
	struct iommu_liveupdate_in_attachment *att;

	show_device(m, nr_of(&in_dev->unit->list, &in->units), &in_dev->ser,
		    device_state(in_dev));
	list_for_each_entry(att, &in_dev->attachments, device_entry)
		show_attachment(m, nr_of(&att->domain->list, &in->domains),
				&att->ser);
}

static const char *domain_state(const struct iommu_liveupdate_in_domain *dom)
{
	/* Written under iommu_probe_device_lock, only looked at here */
	if (data_race(dom->freed))
		return "freed";
	/* Likewise */
	if (data_race(dom->err))
		return "failed";
	/* Likewise */
	return data_race(dom->domain) ? "restored" : "incoming";
}

static int incoming_show(struct seq_file *m, void *unused)
{
	struct iommu_liveupdate_in_device *in_dev;
	struct iommu_liveupdate_incoming *in;
	struct iommu_liveupdate_in_domain *dom;
	struct iommu_liveupdate_in_unit *unit;

	guard(mutex)(&iommu_liveupdate_incoming_lock);
	in = iommu_liveupdate_incoming;
	seq_printf(m, "status: %s\n", in ? "incoming" :
		   iommu_liveupdate_unusable ? "unusable" : "none");
	if (!in)
		return 0;

	list_for_each_entry(unit, &in->units, list)
		show_unit(m, nr_of(&unit->list, &in->units), &unit->ser,
			  unit->type, unit->err ? "failed" : "incoming");
	list_for_each_entry(dom, &in->domains, list)
		show_domain(m, nr_of(&dom->list, &in->domains), &dom->ser,
			    domain_state(dom));
	list_for_each_entry(in_dev, &in->devices, list)
		show_in_device(m, in, in_dev);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(incoming);

static int freeing_pages_show(struct seq_file *m, void *unused)
{
	seq_printf(m, "%ld\n", iommu_liveupdate_freeing_pages());
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(freeing_pages);

static int __init iommu_liveupdate_debugfs_init(void)
{
	struct dentry *dir;

	dir = debugfs_create_dir("liveupdate", iommu_debugfs_dir);
	debugfs_create_file("outgoing", 0400, dir, NULL, &outgoing_fops);
	debugfs_create_file("incoming", 0400, dir, NULL, &incoming_fops);
	debugfs_create_file("freeing_pages", 0400, dir, NULL,
			    &freeing_pages_fops);
	return 0;
}
late_initcall(iommu_liveupdate_debugfs_init);
