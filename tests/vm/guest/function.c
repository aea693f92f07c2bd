// SPDX-License-Identifier: GPL-2.0
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "device.h"
#include "events.h"
#include "function.h"
#include "machine.h"

static void make_path(char *path, size_t size, const char *bdf, const char *attribute)
{
	snprintf(path, size, "/sys/bus/pci/devices/%s/%s", bdf, attribute);
}

void function_write(const char *bdf, const char *attribute, const char *value)
{
	char path[128];

	make_path(path, sizeof(path), bdf, attribute);
	must(write_file(path, value), attribute);
}

int function_open(const char *bdf, const char *attribute)
{
	char path[128];
	int fd;

	make_path(path, sizeof(path), bdf, attribute);
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
