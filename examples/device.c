// SPDX-License-Identifier: GPL-2.0
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <linux/iommufd.h>
#include <linux/vfio.h>

#include "device.h"

/* So that this also compiles against headers of Linux 6.12, and without the series. */
#ifndef IOMMU_IOAS_MAP_FILE
struct iommu_ioas_map_file {
	__u32 size;
	__u32 flags;
	__u32 ioas_id;
	__s32 fd;
	__aligned_u64 start;
	__aligned_u64 length;
	__aligned_u64 iova;
};
#define IOMMU_IOAS_MAP_FILE _IO(IOMMUFD_TYPE, 0x8f)
#endif

#ifndef IOMMU_HWPT_LIVEUPDATE_MARK_PRESERVE
struct iommu_hwpt_liveupdate_mark_preserve {
	__u32 size;
	__u32 hwpt_id;
	__aligned_u64 hwpt_token;
};
#define IOMMU_HWPT_LIVEUPDATE_MARK_PRESERVE _IO(IOMMUFD_TYPE, 0x96)
#endif

#define SYSFS_DEVICES	"/sys/bus/pci/devices"
#define PATH_LENGTH	256

static int call(int fd, unsigned long request, void *argument)
{
	int result = ioctl(fd, request, argument);

	return result < 0 ? -errno : result;
}

static int read_id(const char *bdf, const char *attribute, unsigned int *id)
{
	char path[PATH_LENGTH];
	FILE *file;
	int found;

	snprintf(path, sizeof(path), SYSFS_DEVICES "/%.15s/%s", bdf, attribute);
	file = fopen(path, "r");
	if (!file)
		return -errno;
	found = fscanf(file, "%x", id);
	fclose(file);
	return found == 1 ? 0 : -EINVAL;
}

static int pci_ids_match(const char *bdf, unsigned int vendor, unsigned int device)
{
	unsigned int has_vendor, has_device;

	return !read_id(bdf, "vendor", &has_vendor) && !read_id(bdf, "device", &has_device) &&
	       has_vendor == vendor && has_device == device;
}

int pci_find(unsigned int vendor, unsigned int device, int nth, char *bdf)
{
	struct dirent **entries;
	int count = scandir(SYSFS_DEVICES, &entries, NULL, alphasort);
	int result = -ENODEV;

	if (count < 0)
		return -errno;
	for (int i = 0; i < count; i++) {
		const char *name = entries[i]->d_name;

		if (result && name[0] != '.' && pci_ids_match(name, vendor, device) && !nth--) {
			snprintf(bdf, BDF_LENGTH, "%.15s", name);
			result = 0;
		}
		free(entries[i]);
	}
	free(entries);
	return result;
}

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t written;

	if (fd < 0)
		return -errno;
	written = write(fd, text, strlen(text));
	if (written < 0)
		written = -errno;
	close(fd);
	return written < 0 ? (int)written : 0;
}

int pci_bind_vfio(const char *bdf)
{
	char path[PATH_LENGTH];
	int error;

	snprintf(path, sizeof(path), SYSFS_DEVICES "/%s/driver_override", bdf);
	error = write_text(path, "vfio-pci");
	if (error)
		return error;
	return write_text("/sys/bus/pci/drivers_probe", bdf);
}

int pci_config_read(const char *bdf, unsigned int offset, void *data, size_t size)
{
	char path[PATH_LENGTH];
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), SYSFS_DEVICES "/%s/config", bdf);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	got = pread(fd, data, size, offset);
	close(fd);
	return got == (ssize_t)size ? 0 : -EIO;
}

unsigned int pci_find_capability(const char *bdf, unsigned int capability)
{
	__u8 offset = 0, header[2];
	int limit = 48;

	if (pci_config_read(bdf, PCI_CAP_POINTER, &offset, sizeof(offset)))
		return 0;
	while (offset >= 0x40 && limit--) {
		if (pci_config_read(bdf, offset, header, sizeof(header)))
			return 0;
		if (header[0] == capability)
			return offset;
		offset = header[1];
	}
	return 0;
}

volatile void *pci_peek_registers(const char *bdf, size_t *size)
{
	char path[PATH_LENGTH];
	struct stat status;
	void *memory;
	int fd;

	snprintf(path, sizeof(path), SYSFS_DEVICES "/%s/resource0", bdf);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	if (fstat(fd, &status)) {
		close(fd);
		return NULL;
	}
	*size = status.st_size;
	memory = mmap(NULL, *size, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	return memory == MAP_FAILED ? NULL : memory;
}

int iommufd_open(void)
{
	int fd = open("/dev/iommu", O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int iommufd_destroy(int iommufd, __u32 id)
{
	struct iommu_destroy destroy = { .size = sizeof(destroy), .id = id };

	return call(iommufd, IOMMU_DESTROY, &destroy);
}

static int ioas_use_small_pages(int iommufd, __u32 ioas_id)
{
	struct iommu_option option = {
		.size = sizeof(option),
		.option_id = IOMMU_OPTION_HUGE_PAGES,
		.op = IOMMU_OPTION_OP_SET,
		.object_id = ioas_id,
		.val64 = 0,
	};

	return call(iommufd, IOMMU_OPTION, &option);
}

int ioas_create(int iommufd, int small_pages, __u32 *ioas_id)
{
	struct iommu_ioas_alloc alloc = { .size = sizeof(alloc) };
	int error = call(iommufd, IOMMU_IOAS_ALLOC, &alloc);

	if (error)
		return error;
	*ioas_id = alloc.out_ioas_id;
	return small_pages ? ioas_use_small_pages(iommufd, *ioas_id) : 0;
}

#define MAP_FLAGS (IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE)

int ioas_map_file(int iommufd, __u32 ioas_id, int file, __u64 start, __u64 length, __u64 iova)
{
	struct iommu_ioas_map_file map = {
		.size = sizeof(map),
		.flags = MAP_FLAGS,
		.ioas_id = ioas_id,
		.fd = file,
		.start = start,
		.length = length,
		.iova = iova,
	};

	return call(iommufd, IOMMU_IOAS_MAP_FILE, &map);
}

int ioas_map_memory(int iommufd, __u32 ioas_id, void *memory, __u64 length, __u64 iova)
{
	struct iommu_ioas_map map = {
		.size = sizeof(map),
		.flags = MAP_FLAGS,
		.ioas_id = ioas_id,
		.user_va = (unsigned long)memory,
		.length = length,
		.iova = iova,
	};

	return call(iommufd, IOMMU_IOAS_MAP, &map);
}

int ioas_unmap(int iommufd, __u32 ioas_id, __u64 iova, __u64 length)
{
	struct iommu_ioas_unmap unmap = {
		.size = sizeof(unmap),
		.ioas_id = ioas_id,
		.iova = iova,
		.length = length,
	};

	return call(iommufd, IOMMU_IOAS_UNMAP, &unmap);
}

int hwpt_create(const struct device *device, __u32 ioas_id, __u32 *hwpt_id)
{
	struct iommu_hwpt_alloc alloc = {
		.size = sizeof(alloc),
		.dev_id = device->id,
		.pt_id = ioas_id,
	};
	int error = call(device->iommufd, IOMMU_HWPT_ALLOC, &alloc);

	if (!error)
		*hwpt_id = alloc.out_hwpt_id;
	return error;
}

int hwpt_mark_preserve(int iommufd, __u32 hwpt_id, __u64 token)
{
	struct iommu_hwpt_liveupdate_mark_preserve mark = {
		.size = sizeof(mark),
		.hwpt_id = hwpt_id,
		.hwpt_token = token,
	};

	return call(iommufd, IOMMU_HWPT_LIVEUPDATE_MARK_PRESERVE, &mark);
}

/* The character device's name is the one entry of the vfio-dev directory. */
int device_open_file(const char *bdf)
{
	char path[PATH_LENGTH];
	struct dirent *entry;
	int fd = -ENODEV;
	DIR *dir;

	snprintf(path, sizeof(path), SYSFS_DEVICES "/%s/vfio-dev", bdf);
	dir = opendir(path);
	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) {
		if (strncmp(entry->d_name, "vfio", 4))
			continue;
		snprintf(path, sizeof(path), "/dev/vfio/devices/%.32s", entry->d_name);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			fd = -errno;
		break;
	}
	closedir(dir);
	return fd;
}

static int bind_iommufd(struct device *device)
{
	struct vfio_device_bind_iommufd bind = {
		.argsz = sizeof(bind),
		.iommufd = device->iommufd,
	};
	int error = call(device->fd, VFIO_DEVICE_BIND_IOMMUFD, &bind);

	if (!error)
		device->id = bind.out_devid;
	return error;
}

static int region_info(const struct device *device, unsigned int index,
		       struct vfio_region_info *info)
{
	memset(info, 0, sizeof(*info));
	info->argsz = sizeof(*info);
	info->index = index;
	return call(device->fd, VFIO_DEVICE_GET_REGION_INFO, info);
}

static int map_regions(struct device *device)
{
	struct vfio_region_info info;
	int error = region_info(device, VFIO_PCI_CONFIG_REGION_INDEX, &info);
	void *memory;

	if (error)
		return error;
	device->config_offset = info.offset;

	error = region_info(device, VFIO_PCI_BAR0_REGION_INDEX, &info);
	if (error)
		return error;
	/* virtio has nothing in BAR 0: such a device can still be attached. */
	if (!info.size || !(info.flags & VFIO_REGION_INFO_FLAG_MMAP))
		return 0;
	memory = mmap(NULL, info.size, PROT_READ | PROT_WRITE, MAP_SHARED, device->fd,
		      info.offset);
	if (memory == MAP_FAILED)
		return -errno;
	device->registers = memory;
	device->registers_size = info.size;
	return 0;
}

/* The same for a new device and for one that is running. */
int device_reclaim(struct device *device, const char *bdf, int fd, int iommufd)
{
	int error;

	memset(device, 0, sizeof(*device));
	snprintf(device->bdf, sizeof(device->bdf), "%s", bdf);
	device->iommufd = iommufd;
	device->fd = fd;
	error = bind_iommufd(device);
	if (!error)
		error = map_regions(device);
	if (error)
		device_close(device);
	return error;
}

int device_open(struct device *device, const char *bdf, int iommufd)
{
	int fd = device_open_file(bdf);

	return fd < 0 ? fd : device_reclaim(device, bdf, fd, iommufd);
}

void device_close(struct device *device)
{
	if (device->registers)
		munmap((void *)device->registers, device->registers_size);
	close(device->fd);
	device->registers = NULL;
	device->fd = -1;
}

int device_attach(const struct device *device, __u32 pt_id)
{
	struct vfio_device_attach_iommufd_pt attach = {
		.argsz = sizeof(attach),
		.pt_id = pt_id,
	};

	return call(device->fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach);
}

int device_detach(const struct device *device)
{
	struct vfio_device_detach_iommufd_pt detach = { .argsz = sizeof(detach) };

	return call(device->fd, VFIO_DEVICE_DETACH_IOMMUFD_PT, &detach);
}

int device_set_bus_master(const struct device *device)
{
	__u64 offset = device->config_offset + PCI_COMMAND;
	__u16 command;

	if (pread(device->fd, &command, sizeof(command), offset) != sizeof(command))
		return -EIO;
	command |= PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	if (pwrite(device->fd, &command, sizeof(command), offset) != sizeof(command))
		return -EIO;
	return 0;
}

int device_set_interrupts(const struct device *device, unsigned int index, int count,
			  const int *eventfds)
{
	size_t data_size = count * sizeof(*eventfds);
	struct vfio_irq_set *set = calloc(1, sizeof(*set) + data_size);
	int error;

	if (!set)
		return -ENOMEM;
	set->argsz = sizeof(*set) + data_size;
	set->flags = VFIO_IRQ_SET_ACTION_TRIGGER |
		     (count ? VFIO_IRQ_SET_DATA_EVENTFD : VFIO_IRQ_SET_DATA_NONE);
	set->index = index;
	set->count = count;
	if (count)
		memcpy(set->data, eventfds, data_size);
	error = call(device->fd, VFIO_DEVICE_SET_IRQS, set);
	free(set);
	return error;
}
