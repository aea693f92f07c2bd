// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "uapi.h"

#define EXTENDED_CONFIG	0x100
/* Each capability is 4 bytes at least, so a list that is longer bites its tail. */
#define MOST_CAPABILITIES ((4096 - EXTENDED_CONFIG) / 4)

/* ---- regions ---- */

static int region_info(const struct ilu_device *device, enum ilu_call call, unsigned int index,
		       struct vfio_region_info *info)
{
	*info = (struct vfio_region_info) { .argsz = sizeof(*info), .index = index };
	return ilu_ioctl(device->object.ilu, call, device->fd, VFIO_DEVICE_GET_REGION_INFO, info,
			 device->object.name);
}

static int check_config(const struct ilu_device *device, unsigned int offset, size_t length)
{
	if (!device)
		return -EINVAL;
	if (offset > device->config_length || length > device->config_length - offset)
		return ilu_refuse(device->object.ilu, ILU_OWN_BAD_ARGUMENT, device->object.name);
	return 0;
}

int ilu_device_config_read(const struct ilu_device *device, unsigned int offset, void *data,
			   size_t length)
{
	int error = check_config(device, offset, length);

	return error ? error : ilu_read(device->object.ilu, ILU_CALL_CONFIG, device->fd, data, length,
					device->config_offset + offset, device->object.name);
}

/* Another program's is only looked at. */
static int check_ours(const struct ilu_device *device)
{
	struct ilu *ilu = device->object.ilu;

	return ilu->foreign ? ilu_refuse(ilu, ILU_OWN_NOT_OURS, device->object.name) : 0;
}

int ilu_device_config_write(const struct ilu_device *device, unsigned int offset, const void *data,
			    size_t length)
{
	int error = check_config(device, offset, length);

	if (!error)
		error = check_ours(device);
	return error ? error : ilu_write(device->object.ilu, ILU_CALL_CONFIG, device->fd, data, length,
					 device->config_offset + offset, device->object.name);
}

static int map_bar(struct ilu_device *device, unsigned int bar)
{
	struct ilu *ilu = device->object.ilu;
	struct vfio_region_info info;
	int error = region_info(device, ILU_CALL_REGION_INFO, VFIO_PCI_BAR0_REGION_INDEX + bar,
				&info);
	void *address;

	if (error)
		return error;
	if (!info.size || info.size > SIZE_MAX || !(info.flags & VFIO_REGION_INFO_FLAG_MMAP))
		return ilu_refuse(ilu, ILU_OWN_NOT_MAPPABLE, device->object.name);
	address = ilu_mmap(ilu, info.size, 0, device->fd, info.offset, device->object.name);
	if (!address)
		return ilu->error.public.err;
	device->bars[bar] = (struct ilu_bar) { .address = address, .length = info.size };
	return 0;
}

volatile void *ilu_device_bar(struct ilu_device *device, unsigned int bar, size_t *length)
{
	if (!device)
		return NULL;
	if (bar >= ILU_NR_BARS) {
		ilu_refuse(device->object.ilu, ILU_OWN_BAD_ARGUMENT, device->object.name);
		return NULL;
	}
	if (!device->bars[bar].address && map_bar(device, bar))
		return NULL;
	if (length)
		*length = device->bars[bar].length;
	return device->bars[bar].address;
}

/* ---- which device it is ---- */

static int read16(const struct ilu_device *device, unsigned int offset, uint16_t *value)
{
	int error = ilu_device_config_read(device, offset, value, sizeof(*value));

	*value = le16toh(*value);
	return error;
}

static int read32(const struct ilu_device *device, unsigned int offset, uint32_t *value)
{
	int error = ilu_device_config_read(device, offset, value, sizeof(*value));

	*value = le32toh(*value);
	return error;
}

static int read_serial(const struct ilu_device *device, unsigned int offset, struct ilu_ids *ids)
{
	uint32_t low = 0, high = 0;
	int error = read32(device, offset + 4, &low);

	if (!error)
		error = read32(device, offset + 8, &high);
	if (error)
		return error;
	ids->serial = (uint64_t)high << 32 | low;
	ids->flags |= ILU_HAS_SERIAL;
	return 0;
}

/* A device without extended config space, or without the capability, has none. */
static int find_serial(const struct ilu_device *device, struct ilu_ids *ids)
{
	unsigned int offset = EXTENDED_CONFIG;

	for (int i = 0; i < MOST_CAPABILITIES; i++) {
		uint32_t header = 0;
		int error;

		if (offset < EXTENDED_CONFIG || offset + 12 > device->config_length)
			return 0;
		error = read32(device, offset, &header);
		if (error)
			return error;
		if (PCI_EXT_CAP_ID(header) == PCI_EXT_CAP_ID_DSN)
			return read_serial(device, offset, ids);
		offset = PCI_EXT_CAP_NEXT(header);
	}
	return 0;
}

int ilu_device_identify(struct ilu_device *device, struct ilu_ids *ids)
{
	int error;

	*ids = (struct ilu_ids) { 0 };
	error = read16(device, PCI_VENDOR_ID, &ids->vendor);
	if (!error)
		error = read16(device, PCI_DEVICE_ID, &ids->device);
	if (!error)
		error = read16(device, PCI_SUBSYSTEM_VENDOR_ID, &ids->subsystem_vendor);
	if (!error)
		error = read16(device, PCI_SUBSYSTEM_ID, &ids->subsystem);
	return error ? error : find_serial(device, ids);
}

/* ---- taking one, new or restored ---- */

static int bind_iommufd(struct ilu_device *device)
{
	struct ilu *ilu = device->object.ilu;
	struct vfio_device_bind_iommufd bind = {
		.argsz = sizeof(bind),
		.iommufd = ilu->iommufd,
	};
	int error = ilu_ioctl(ilu, ILU_CALL_BIND, device->fd, VFIO_DEVICE_BIND_IOMMUFD, &bind,
			      device->object.name);

	if (error)
		return error;
	device->id = bind.out_devid;
	device->bound = true;
	return 0;
}

/* From here on the device answers. */
static int find_config(struct ilu_device *device, enum ilu_call call)
{
	struct vfio_region_info info;
	int error = region_info(device, call, VFIO_PCI_CONFIG_REGION_INDEX, &info);

	if (error)
		return error;
	device->config_offset = info.offset;
	device->config_length = info.size;
	return 0;
}

int ilu_device_take(struct ilu_device *device)
{
	int error = device->bound ? 0 : bind_iommufd(device);

	return error ? error : find_config(device, ILU_CALL_REGION_INFO);
}

/* The attach comes last: it undoes itself, so a device that fails is only closed. */
static int set_up(struct ilu_device *device)
{
	int error = ilu_device_take(device);

	if (!error)
		error = ilu_device_identify(device, &device->ids);
	if (!error)
		error = ilu_attach(device);
	return error;
}

/* ---- the end of one ---- */

static void unmap_bars(struct ilu_device *device)
{
	struct ilu *ilu = device->object.ilu;

	for (int i = 0; i < ILU_NR_BARS; i++)
		if (device->bars[i].address)
			ilu->ops.munmap(ilu->arg, device->bars[i].address, device->bars[i].length);
}

/* Also of one that is in no list so far */
void ilu_device_close(struct ilu_device *device)
{
	struct ilu *ilu = device->object.ilu;

	ilu_irqs_forget(device);
	unmap_bars(device);
	ilu_close(ilu, &device->fd);
	ilu_remove(&ilu->devices, &device->object);
	free(device);
}

/* ---- what the program calls ---- */

static struct ilu_device *device_new(struct ilu *ilu, const char *name, struct ilu_space *space)
{
	struct ilu_device *device;

	if (!space) {
		ilu_refuse(ilu, ILU_OWN_BAD_ARGUMENT, name);
		return NULL;
	}
	if (space->object.ilu != ilu) {
		ilu_refuse(ilu, ILU_OWN_OTHER_CONTEXT, space->object.name);
		return NULL;
	}
	device = ilu_new_object(ilu, sizeof(*device), ilu->devices, name);
	if (!device)
		return NULL;
	device->fd = -1;
	device->space = space;
	return device;
}

static struct ilu_device *device_finish(struct ilu_device *device)
{
	if (set_up(device)) {
		ilu_device_close(device);
		return NULL;
	}
	ilu_append(&device->object.ilu->devices, &device->object);
	return device;
}

/* "0000:01:00.0" and nothing that leads elsewhere */
static bool bdf_is_valid(const char *bdf)
{
	return bdf && bdf[0] && strlen(bdf) < ILU_BDF_SIZE &&
	       strspn(bdf, "0123456789abcdefABCDEF:.") == strlen(bdf) && !strstr(bdf, "..");
}

static int open_file(struct ilu *ilu, const char *bdf, const char *object)
{
	char path[64], name[32];

	if (ilu->ops.device_name(ilu->arg, bdf, name, sizeof(name)))
		return ilu_fail(ilu, -errno, ILU_CALL_DEVICE_NAME, object);
	snprintf(path, sizeof(path), "/dev/vfio/devices/%.31s", name);
	return ilu_open(ilu, ILU_CALL_OPEN_DEVICE, path, object);
}

struct ilu_device *ilu_device_open(struct ilu *ilu, const char *name, const char *bdf,
				   struct ilu_space *space)
{
	struct ilu_device *device;

	if (!ilu || ilu_may_make(ilu, name))
		return NULL;
	if (!bdf_is_valid(bdf)) {
		ilu_refuse(ilu, ILU_OWN_BAD_ARGUMENT, name);
		return NULL;
	}
	device = device_new(ilu, name, space);
	if (!device)
		return NULL;
	strcpy(device->bdf, bdf);
	device->fd = open_file(ilu, bdf, name);
	if (device->fd < 0) {
		device->fd = -1;
		ilu_device_close(device);
		return NULL;
	}
	return device_finish(device);
}

struct ilu_device *ilu_device_add(struct ilu *ilu, const char *name, int fd,
				  struct ilu_space *space)
{
	struct ilu_device *device;

	if (!ilu || ilu_may_make(ilu, name))
		return NULL;
	device = device_new(ilu, name, space);
	if (!device)
		return NULL;
	device->fd = ilu_dup(ilu, fd, name);
	if (device->fd < 0) {
		device->fd = -1;
		ilu_device_close(device);
		return NULL;
	}
	return device_finish(device);
}

static int check_adopt(struct ilu *ilu, const char *name, const struct ilu_device_adopt_opts *opts)
{
	int error = ilu_may_change(ilu, name);

	if (error)
		return error;
	if (!ilu->foreign)
		return ilu_refuse(ilu, ILU_OWN_NOT_ADOPTED, name);
	if (opts->bdf && !bdf_is_valid(opts->bdf))
		return ilu_refuse(ilu, ILU_OWN_BAD_ARGUMENT, name);
	if (!opts->hwpt)
		return ilu_refuse(ilu, ILU_OWN_AUTOMATIC, name);
	return 0;
}

/* It is only looked at. */
static int adopt(struct ilu_device *device, const struct ilu_device_adopt_opts *opts)
{
	int fd = ilu_dup(device->object.ilu, opts->fd, device->object.name);
	int error;

	if (fd < 0)
		return fd;
	device->fd = fd;
	error = find_config(device, ILU_CALL_ADOPT_DEVICE);
	if (!error)
		error = ilu_device_identify(device, &device->ids);
	if (!error)
		error = ilu_hwpt_adopt(device->space, opts->hwpt);
	if (error)
		return error;
	strcpy(device->bdf, opts->bdf ? opts->bdf : "");
	device->id = opts->id;
	device->hwpt = opts->hwpt;
	device->bound = device->attached = true;
	return 0;
}

struct ilu_device *ilu_device_adopt(struct ilu *ilu, const char *name,
				    const struct ilu_device_adopt_opts *given,
				    struct ilu_space *space)
{
	struct ilu_device_adopt_opts opts;
	struct ilu_device *device;

	if (!ilu)
		return NULL;
	if (!given) {
		ilu_refuse(ilu, ILU_OWN_BAD_ARGUMENT, name);
		return NULL;
	}
	if (!ilu_opts_copy(&opts, sizeof(opts), given)) {
		ilu_refuse(ilu, ILU_OWN_OPTIONS_TOO_NEW, name);
		return NULL;
	}
	if (check_adopt(ilu, name, &opts))
		return NULL;
	device = device_new(ilu, name, space);
	if (!device)
		return NULL;
	if (adopt(device, &opts)) {
		ilu_device_close(device);
		return NULL;
	}
	ilu_append(&ilu->devices, &device->object);
	return device;
}

struct ilu_device *ilu_device_build(struct ilu *ilu, struct ilu_space *space,
				    const struct ilu_device_record *record)
{
	struct ilu_device *device = ilu_new_object(ilu, sizeof(*device), NULL, record->name);

	if (!device)
		return NULL;
	device->fd = -1;
	device->object.hidden = true;
	device->space = space;
	device->ids = record->ids;
	device->token = record->token;
	strcpy(device->bdf, record->bdf);
	ilu_append(&ilu->devices, &device->object);
	return device;
}

struct ilu_device *ilu_device(struct ilu *ilu, const char *name)
{
	struct ilu_object *object;

	if (!ilu)
		return NULL;
	object = name ? ilu_find(ilu->devices, name) : NULL;
	if (!object)
		ilu_refuse(ilu, ILU_OWN_NO_OBJECT, name);
	return (struct ilu_device *)object;
}

int ilu_device_fd(const struct ilu_device *device)
{
	return device ? device->fd : -EBADF;
}

int ilu_device_pt(const struct ilu_device *device, uint32_t *id, uint32_t *hwpt)
{
	if (!device)
		return -EINVAL;
	if (!device->attached)
		return ilu_refuse(device->object.ilu, ILU_OWN_NOT_RESTORED, device->object.name);
	if (id)
		*id = device->id;
	if (hwpt)
		*hwpt = device->hwpt;
	return 0;
}

int ilu_device_ids(const struct ilu_device *device, uint16_t *vendor, uint16_t *id)
{
	if (!device)
		return -EINVAL;
	if (vendor)
		*vendor = device->ids.vendor;
	if (id)
		*id = device->ids.device;
	return 0;
}

int ilu_device_allow_dma(const struct ilu_device *device)
{
	uint16_t command;
	int error;

	if (!device)
		return -EINVAL;
	error = read16(device, PCI_COMMAND, &command);
	if (error)
		return error;
	command = htole16(command | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	return ilu_device_config_write(device, PCI_COMMAND, &command, sizeof(command));
}

int ilu_device_reset(const struct ilu_device *device)
{
	int error;

	if (!device)
		return -EINVAL;
	error = check_ours(device);
	return error ? error : ilu_ioctl(device->object.ilu, ILU_CALL_DEVICE_RESET, device->fd,
					 VFIO_DEVICE_RESET, NULL, device->object.name);
}
