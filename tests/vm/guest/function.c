// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "device.h"
#include "events.h"
#include "function.h"
#include "machine.h"

#define PCI_EXTENDED_START	0x100

#define VIRTIO_VENDOR		0x1af4
#define VIRTIO_NET_MODERN	0x1041

void ats_card_find(char *bdf)
{
	must(pci_find(VIRTIO_VENDOR, VIRTIO_NET_MODERN, 0, bdf), "find the virtio card");
}

unsigned int pci_find_extended(const char *bdf, unsigned int capability)
{
	unsigned int at = PCI_EXTENDED_START;
	int limit = 64;
	__u32 header;

	while (at >= PCI_EXTENDED_START && limit--) {
		if (pci_config_read(bdf, at, &header, sizeof(header)) || !header)
			return 0;
		if ((header & 0xffff) == capability)
			return at;
		at = header >> 20;
	}
	return 0;
}

void function_path(char *path, size_t size, const char *bdf, const char *attribute)
{
	snprintf(path, size, "/sys/bus/pci/devices/%s/%s", bdf, attribute);
}

void function_write(const char *bdf, const char *attribute, const char *value)
{
	char path[128];

	function_path(path, sizeof(path), bdf, attribute);
	must(write_file(path, value), attribute);
}

void function_expect_busy(const char *bdf, const char *attribute, const char *value)
{
	char path[128], what[160];

	function_path(path, sizeof(path), bdf, attribute);
	snprintf(what, sizeof(what), "%s of %s", attribute, bdf);
	check_errno(write_file(path, value), EBUSY, what);
}

int function_open(const char *bdf, const char *attribute)
{
	char path[128];
	int fd;

	function_path(path, sizeof(path), bdf, attribute);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		give_up("%s: %m", attribute);
	return fd;
}

void function_set_command(const char *bdf, __u16 command)
{
	int fd = function_open(bdf, "config");

	if (pwrite(fd, &command, sizeof(command), PCI_COMMAND) != sizeof(command))
		give_up("config: %m");
	close(fd);
}
