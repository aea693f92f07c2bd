// SPDX-License-Identifier: GPL-2.0
/*
 * A kernel that leaves VT-d translating when it starts the next one, without any live
 * update: it did not use the unit, or must not switch it off, as that of integrated
 * graphics.  This program does it in its place, with a root table that is empty.
 */
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "events.h"
#include "machine.h"
#include "scenarios.h"

#define REGISTERS	0xfed90000ul
#define COMMAND		0x18
#define STATUS		0x1c
#define ROOT_ADDRESS	0x20
#define TRANSLATION	(1u << 31)
#define SET_ROOT	(1u << 30)
/* Bits of the status that a command repeats; the others are done once. */
#define LASTING		0x96ffffffu
#define TRIES		100

/* Where qemu.c has put them; their drivers would wait for answers. */
static const struct {
	const char *driver, *function;
} devices[] = {
	{ "/sys/bus/pci/drivers/nvme/unbind", "0000:00:04.0" },
	{ "/sys/bus/pci/drivers/e1000e/unbind", "0000:00:05.0" },
};

static volatile uint32_t *map_registers(void)
{
	int fd = open("/dev/mem", O_RDWR | O_SYNC | O_CLOEXEC);
	void *registers = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, REGISTERS);

	if (fd < 0 || registers == MAP_FAILED)
		give_up("registers of VT-d: %m");
	close(fd);
	return registers;
}

static bool command(volatile uint32_t *registers, uint32_t bit)
{
	registers[COMMAND / 4] = (registers[STATUS / 4] & LASTING) | bit;
	for (int i = 0; i < TRIES; i++) {
		if (registers[STATUS / 4] & bit)
			return true;
		sleep_ms(1);
	}
	return false;
}

void leave_translation_on(void)
{
	static unsigned char root[PAGE] __attribute__((aligned(PAGE)));
	volatile uint32_t *registers = map_registers();

	for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++)
		check_errno(write_file(devices[i].driver, devices[i].function), 0,
			    "let the device go");
	memset(root, 0, sizeof(root));
	*(volatile uint64_t *)(registers + ROOT_ADDRESS / 4) = physical_address(root);
	check(command(registers, SET_ROOT) && command(registers, TRANSLATION),
	      "translation is on: %#x", registers[STATUS / 4]);
}
