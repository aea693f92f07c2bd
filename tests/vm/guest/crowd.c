// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "crowd.h"
#include "device.h"
#include "events.h"
#include "function.h"
#include "machine.h"
#include "nic.h"

#define PCI_BASE_ADDRESS_0	0x10
#define PCI_MEMORY_BASE		0x20

#define NEIGHBOUR_VENDOR	0x1234
#define NEIGHBOUR_DEVICE	0x11e8
#define NO_ROOM			2

static __u32 read_config(const char *bdf, int offset)
{
	int fd = function_open(bdf, "config");
	__u32 value = 0;

	if (pread(fd, &value, sizeof(value), offset) != sizeof(value))
		give_up("config: %m");
	close(fd);
	return value;
}

static void write_config(const char *bdf, int offset, __u32 value)
{
	int fd = function_open(bdf, "config");

	if (pwrite(fd, &value, sizeof(value), offset) != sizeof(value))
		give_up("config: %m");
	close(fd);
}

/* The two functions above this one, nearest first */
static void find_ports_above(const char *bdf, char ports[2][16])
{
	char link[128], path[512] = "", *at;
	ssize_t length;

	function_path(link, sizeof(link), bdf, "");
	link[strlen(link) - 1] = '\0';
	length = readlink(link, path, sizeof(path) - 1);
	if (length < 0)
		give_up("%s: %m", link);
	path[length] = '\0';
	for (at = strtok(path, "/"); at; at = strtok(NULL, "/")) {
		if (strlen(at) != 12 || at[4] != ':' || !strcmp(at, bdf))
			continue;
		memcpy(ports[1], ports[0], sizeof(ports[1]));
		snprintf(ports[0], sizeof(ports[0]), "%s", at);
	}
}

static void find_neighbour(char *bdf)
{
	must(pci_find(NEIGHBOUR_VENDOR, NEIGHBOUR_DEVICE, 0, bdf), "find the neighbour");
}

void crowd_the_port(const struct nic_model *model)
{
	char card[16], neighbour[16], ports[2][16] = { "", "" };

	must(pci_find(model->vendor, model->device, 0, card), "find the network card");
	find_neighbour(neighbour);
	find_ports_above(card, ports);

	function_set_command(neighbour, 0);
	write_config(neighbour, PCI_BASE_ADDRESS_0, 0);
	if (option_number("crowd", 0) == NO_ROOM)
		write_config(ports[1], PCI_MEMORY_BASE,
			     read_config(ports[0], PCI_MEMORY_BASE));
	event("crowded neighbour=%s port=%s window=0x%x", neighbour, ports[1],
	      read_config(ports[1], PCI_MEMORY_BASE));
}

void crowd_is_served(void)
{
	char neighbour[16];
	__u32 address;

	find_neighbour(neighbour);
	address = read_config(neighbour, PCI_BASE_ADDRESS_0);
	if (option_number("crowd", 0) == NO_ROOM)
		check(!address, "a neighbour for which there is no room has address 0x%x", address);
	else
		check(address, "a neighbour for which there is room has an address");
}
