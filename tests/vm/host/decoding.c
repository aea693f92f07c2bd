// SPDX-License-Identifier: GPL-2.0
/*
 * Where a card that goes on is found, and what its requests look like: BARs, the
 * windows of the ports above, decoding, and the controls of requests. A write of
 * what is there already counts as well, since it takes the card away from others
 * for a moment; and here the sizes of payloads cannot be changed at all, so that
 * only the attempt shows.
 */
#include <string.h>

#include "run.h"

#define COMMAND			0x04
#define COMMAND_MEMORY		(1u << 1)
#define BARS			0x10
#define BARS_END		0x28
#define ROM			0x30
#define ROM_ENABLE		1u
#define BRIDGE_BARS_END		0x18
#define BRIDGE_IO		0x1c
#define BRIDGE_IO_END		0x1e	/* the status word follows */
#define BRIDGE_WINDOWS		0x20
#define BRIDGE_WINDOWS_END	0x34
#define DEVICE_CONTROL		0x08	/* from the PCI Express capability */
#define CONTROL_ERRORS		0xfu
#define CONTROL_RESET		(1u << 15)
#define TOLD			24

static bool within(unsigned int offset, unsigned int from, unsigned int end)
{
	return offset >= from && offset < end;
}

static const char *address_at(const struct function *function, unsigned int offset)
{
	if (strcmp(function->role, "bridge")) {
		if (within(offset, BARS, BARS_END))
			return "BAR";
		return within(offset, ROM, ROM + 4) ? "ROM BAR" : NULL;
	}
	if (within(offset, BARS, BRIDGE_BARS_END))
		return "BAR of a port";
	if (within(offset, BRIDGE_IO, BRIDGE_IO_END) ||
	    within(offset, BRIDGE_WINDOWS, BRIDGE_WINDOWS_END))
		return "window";
	return NULL;
}

/* Reports of errors may be switched on at any time, and a reset is told elsewhere. */
static bool is_about_requests(const struct function *function, unsigned int value)
{
	unsigned int changed = value ^ function->control;

	if (value & CONTROL_RESET)
		return false;
	return (value & CONTROL_ERRORS) != CONTROL_ERRORS || changed & ~CONTROL_ERRORS & 0xffff;
}

/* To tell how large a ROM is VFIO switches it on for a moment; who has the card asks for it. */
static bool is_owner_switching_rom(const struct run *run, const struct function *function,
				   int64_t when, unsigned int offset, unsigned int value)
{
	return offset == ROM && !function->bridge && run_is_reclaimed(run, when) &&
	       !((value ^ function->rom) & ~ROM_ENABLE);
}

void decoding_check(struct run *run, const struct function *function, int64_t when,
		    unsigned int offset, unsigned int value, const char *text)
{
	const char *what = address_at(function, offset);

	if (is_owner_switching_rom(run, function, when, offset, value))
		return;
	if (offset == COMMAND && function->command & COMMAND_MEMORY && !(value & COMMAND_MEMORY))
		what = "decoding switched off, COMMAND";
	if (function->pcie && offset == function->pcie + DEVICE_CONTROL &&
	    is_about_requests(function, value))
		what = "controls of requests";
	/* One that is sized or placed anew would fill the list. */
	if (what && run->decoding_writes++ < TOLD)
		run_problem(run, "trace: %s written: %s", what, text);
}

void decoding_note(struct function *function, unsigned int offset, unsigned int value)
{
	if (offset == COMMAND)
		function->command = value;
	if (offset == ROM)
		function->rom = value;
	if (function->pcie && offset == function->pcie + DEVICE_CONTROL)
		function->control = value;
}
