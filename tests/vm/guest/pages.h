/* SPDX-License-Identifier: GPL-2.0 */
/* The pages of the IOMMU. */
#ifndef TESTS_VM_GUEST_PAGES_H
#define TESTS_VM_GUEST_PAGES_H

struct page_counts {
	unsigned long iommu, secondary, unclaimed;
};

void count_pages(struct page_counts *counts);
/* Tells the host how many there are; the first time sets the measure. */
void report_pages(const char *when);

#endif
