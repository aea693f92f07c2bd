// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <unistd.h>

#include "device.h"
#include "events.h"
#include "function.h"
#include "machine.h"
#include "slot.h"

#define SLOT_CONTROL	0x18	/* from the PCI Express capability on */
#define SLOT_INTERRUPT	0x0020
#define SLOT_POWER_OFF	0x0700	/* and its indicator */
#define PATIENCE_MS	10000
#define LOOK_EVERY_MS	50

static void write_control(int fd, unsigned int at, __u16 control)
{
	if (pwrite(fd, &control, sizeof(control), at) != sizeof(control))
		give_up("slot control: %m");
}

static int open_control(const char *port, unsigned int *at, __u16 *control)
{
	int fd = function_open(port, "config");

	*at = pci_find_capability(port, PCI_CAP_EXPRESS) + SLOT_CONTROL;
	if (pread(fd, control, sizeof(*control), *at) != sizeof(*control))
		give_up("slot control: %m");
	return fd;
}

/*
 * Without power the emulator throws out what is in a slot of the kernel's.  The power is
 * back before the kernel hears of it: a slot that it finds switched off it takes for
 * empty already.
 */
static void empty_slot(const char *port)
{
	unsigned int at;
	__u16 control;
	int fd = open_control(port, &at, &control);

	write_control(fd, at, (control | SLOT_POWER_OFF) & ~SLOT_INTERRUPT);
	write_control(fd, at, control);
	close(fd);
}

void slot_switch_off(const char *bdf)
{
	char port[BDF_LENGTH + 4];
	unsigned int at;
	__u16 control;
	int fd;

	snprintf(port, sizeof(port), "%s/..", bdf);
	fd = open_control(port, &at, &control);
	write_control(fd, at, control | SLOT_POWER_OFF);
	close(fd);
}

void slot_pull(const char *bdf)
{
	char port[BDF_LENGTH + 4];

	snprintf(port, sizeof(port), "%s/..", bdf);
	empty_slot(port);
}

void slot_pull_above(const char *bdf)
{
	char port[BDF_LENGTH + 8];

	snprintf(port, sizeof(port), "%s/../..", bdf);
	empty_slot(port);
}

void slot_plug(const char *card, const char *slot, const char *netdev)
{
	event_ask("add-card card=%s slot=%s netdev=%s", card, slot, netdev);
}

bool function_is_there(const char *bdf)
{
	char path[128];

	function_path(path, sizeof(path), bdf, "config");
	return !access(path, F_OK);
}

bool function_comes(unsigned int vendor, unsigned int device, char *bdf)
{
	for (int waited = 0; waited < PATIENCE_MS; waited += LOOK_EVERY_MS) {
		if (!pci_find(vendor, device, 0, bdf))
			return true;
		sleep_ms(LOOK_EVERY_MS);
	}
	return false;
}

bool function_goes(const char *bdf)
{
	for (int waited = 0; waited < PATIENCE_MS; waited += LOOK_EVERY_MS) {
		if (!function_is_there(bdf))
			return true;
		sleep_ms(LOOK_EVERY_MS);
	}
	return false;
}
