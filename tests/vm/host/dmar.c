// SPDX-License-Identifier: GPL-2.0
/*
 * QEMU's table of the IOMMU with one thing more: the second card has reserved memory,
 * as firmware gives it to cards that work without a driver. A kernel with
 * ACPI_TABLE_UPGRADE takes it from the initrd, for its revision is higher.
 */
#include <string.h>

#include "run.h"

#define PACKED __attribute__((packed))

#define UNIT			0xfed90000ull
/* Of the firmware's map, where nobody needs it. */
#define RESERVED_START		0xfffc0000ull
#define RESERVED_END		0xfffcffffull

#define INTERRUPT_REMAPPING	1
#define ALL_OF_THE_SEGMENT	1
#define PLATFORM_BUS		0xff

enum { STRUCTURE_UNIT, STRUCTURE_RESERVED };
enum { SCOPE_ENDPOINT = 1, SCOPE_IOAPIC = 3 };

struct path {
	uint8_t device, function;
} PACKED;

struct scope {
	uint8_t type, length;
	uint16_t reserved;
	uint8_t id, bus;
	struct path path[];
} PACKED;

struct ioapic_scope {
	struct scope scope;
	struct path path[1];
} PACKED;

struct endpoint_scope {
	struct scope scope;
	struct path path[2];
} PACKED;

struct dmar {
	char signature[4];
	uint32_t length;
	uint8_t revision, checksum;
	char oem[6], oem_table[8];
	uint32_t oem_revision;
	char creator[4];
	uint32_t creator_revision;
	uint8_t address_width, flags, reserved[10];
	struct {
		uint16_t type, length;
		uint8_t flags, reserved;
		uint16_t segment;
		uint64_t base;
		struct ioapic_scope ioapic;
	} PACKED unit;
	struct {
		uint16_t type, length, reserved, segment;
		uint64_t start, end;
		struct endpoint_scope card;
	} PACKED memory;
} PACKED;

_Static_assert(sizeof(struct dmar) == 48 + 24 + 34, "as the specification of VT-d has it");

size_t dmar_with_reserved_memory(void *table)
{
	struct dmar dmar = {
		.signature = "DMAR", .length = sizeof(dmar), .revision = 1,
		.oem = "BOCHS ", .oem_table = "BXPC    ", .oem_revision = 2,
		.creator = "BXPC", .creator_revision = 1,
		.address_width = 48 - 1, .flags = INTERRUPT_REMAPPING,
		.unit = {
			.type = STRUCTURE_UNIT, .length = sizeof(dmar.unit),
			.flags = ALL_OF_THE_SEGMENT, .base = UNIT,
			.ioapic.scope = { .type = SCOPE_IOAPIC, .length = sizeof(dmar.unit.ioapic),
					  .bus = PLATFORM_BUS },
		},
		.memory = {
			.type = STRUCTURE_RESERVED, .length = sizeof(dmar.memory),
			.start = RESERVED_START, .end = RESERVED_END,
			.card.scope = { .type = SCOPE_ENDPOINT,
					.length = sizeof(dmar.memory.card) },
			.card.path = { { SECOND_CARD_PORT, 0 }, { 0, 0 } },
		},
	};
	const uint8_t *bytes = (const uint8_t *)&dmar;
	uint8_t sum = 0;

	for (size_t i = 0; i < sizeof(dmar); i++)
		sum += bytes[i];
	dmar.checksum = -sum;
	memcpy(table, &dmar, sizeof(dmar));
	return sizeof(dmar);
}
