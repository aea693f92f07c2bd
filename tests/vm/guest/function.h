/* SPDX-License-Identifier: GPL-2.0 */
/* A PCI function through sysfs, without its driver; a write or an open that fails ends the run. */
#ifndef TESTS_VM_GUEST_FUNCTION_H
#define TESTS_VM_GUEST_FUNCTION_H

#include <linux/types.h>
#include <stddef.h>

#define PCI_EXTENDED_ATS	0x0f
#define PCI_EXTENDED_PRI	0x13
#define PCI_EXTENDED_PASID	0x1b

/* The virtio card, which has a cache of its own for translations */
void ats_card_find(char *bdf);

/* 0 when the function has no such extended capability. */
unsigned int pci_find_extended(const char *bdf, unsigned int capability);

void function_path(char *path, size_t size, const char *bdf, const char *attribute);
void function_write(const char *bdf, const char *attribute, const char *value);
/* The attribute has to be there: what is tried on nothing proves nothing. */
void function_expect_busy(const char *bdf, const char *attribute, const char *value);
/* For reading and writing; the caller closes it. */
int function_open(const char *bdf, const char *attribute);
void function_set_command(const char *bdf, __u16 command);

#endif
