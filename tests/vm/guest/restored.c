// SPDX-License-Identifier: GPL-2.0
/* A device that came in, as debugfs and a second BIND show it, on each step of its way. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "events.h"
#include "machine.h"
#include "scenarios.h"
#include "shown.h"
#include "wayback.h"

static void bind_again(const struct way_back *back)
{
	struct device again;

	must(device_reclaim(&again, back->bdf, back->device_fd, back->iommufd), "bind again");
	check(again.id == back->receiver->device.id, "the same device id: %u, then %u",
	      back->receiver->device.id, again.id);
	munmap((void *)again.registers, again.registers_size);
}

/* Nobody has checked where the tables of another kernel lead, so the kernel walks none. */
static void expect_table_shown(const struct way_back *back, bool shown)
{
	char path[128], text[256];

	snprintf(path, sizeof(path), "/sys/kernel/debug/iommu/intel/%s/domain_translation_struct",
		 back->bdf);
	read_file(path, text, sizeof(text));
	check(!strstr(text, "came in by live update") == shown && strstr(text, back->bdf),
	      "debugfs shows %s page table: %s", shown ? "the new" : "no", text);
}

void restored_new_kernel(void)
{
	struct receiver receiver;
	struct way_back back;

	back_begin(&back, &receiver);
	back_go_to(&back, BACK_DEVICE);
	expect_records_shown("incoming", back.bdf, "restored");
	expect_table_shown(&back, false);
	back_take(&back, BACK_DEVICE);
	back_take(&back, BACK_BIND);
	expect_table_shown(&back, false);
	bind_again(&back);

	back_take(&back, BACK_TABLES);
	back_take(&back, BACK_SWITCH);
	expect_records_shown("incoming", back.bdf, "replaced");
	expect_table_shown(&back, true);
	bind_again(&back);
	back_take(&back, BACK_FINISH);
	expect_none_shown("incoming");
	back_end(&back);
}
