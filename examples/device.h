/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A PCI device driven from user space: vfio-pci for the device, iommufd for
 * its page tables.  Every function returns 0 or a file descriptor, or a
 * negative errno; nothing prints.
 */
#ifndef EXAMPLES_DEVICE_H
#define EXAMPLES_DEVICE_H

#include <linux/types.h>
#include <stddef.h>

#define PCI_COMMAND		0x04
#define PCI_COMMAND_MEMORY	(1 << 1)
#define PCI_COMMAND_MASTER	(1 << 2)
#define PCI_CAP_POINTER		0x34
#define PCI_CAP_POWER		0x01
#define PCI_CAP_EXPRESS		0x10

#define BDF_LENGTH		16

struct device {
	char bdf[BDF_LENGTH];
	int fd;
	int iommufd;
	__u32 id;		/* of the device within the iommufd */
	__u64 config_offset;	/* of config space within fd */
	volatile void *registers;	/* BAR 0 */
	size_t registers_size;
};

/* The nth function with these ids; -ENODEV when there is none. */
int pci_find(unsigned int vendor, unsigned int device, int nth, char *bdf);
int pci_bind_vfio(const char *bdf);
/* Read from sysfs, which does not disturb the device. */
int pci_config_read(const char *bdf, unsigned int offset, void *data, size_t size);
/* 0 when the function has no such capability. */
unsigned int pci_find_capability(const char *bdf, unsigned int capability);
/* BAR 0 read-only through sysfs, for looking without opening the device. */
volatile void *pci_peek_registers(const char *bdf, size_t *size);

int iommufd_open(void);
int iommufd_destroy(int iommufd, __u32 id);

/*
 * With small_pages every 4 KiB gets an entry of its own.  Any device may be
 * attached before or after the mappings are made.
 */
int ioas_create(int iommufd, int small_pages, __u32 *ioas_id);
int ioas_map_file(int iommufd, __u32 ioas_id, int file, __u64 start, __u64 length, __u64 iova);
int ioas_map_memory(int iommufd, __u32 ioas_id, void *memory, __u64 length, __u64 iova);
int ioas_unmap(int iommufd, __u32 ioas_id, __u64 iova, __u64 length);

int hwpt_create(const struct device *device, __u32 ioas_id, __u32 *hwpt_id);
/* The page table is to be carried along by PRESERVE_FD of the iommufd. */
int hwpt_mark_preserve(int iommufd, __u32 hwpt_id, __u64 token);
/* The character device alone, bound to nothing: a file descriptor. */
int device_open_file(const char *bdf);
int device_open(struct device *device, const char *bdf, int iommufd);
/*
 * In the next kernel: device file and iommufd come from the same session.  The
 * device goes on as it is, on the page table that was carried along, until it
 * is attached to another one.  May be called again, until the session is
 * finished.
 */
int device_reclaim(struct device *device, const char *bdf, int fd, int iommufd);
void device_close(struct device *device);
/* Of an attached device: changes over to the other page table. */
int device_attach(const struct device *device, __u32 pt_id);
int device_detach(const struct device *device);
int device_set_bus_master(const struct device *device);
/* MSI or INTx vectors signalled to an eventfd; count 0 switches all off. */
int device_set_interrupts(const struct device *device, unsigned int index, int count,
			  const int *eventfds);

#endif
