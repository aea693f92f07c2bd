// SPDX-License-Identifier: GPL-2.0
/* The restored HWPT as a program sees it: there from the iommufd on, and fixed. */
#include <errno.h>
#include <linux/iommufd.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "events.h"
#include "machine.h"
#include "preserve.h"
#include "scenarios.h"
#include "shown.h"
#include "wayback.h"

#define EXTRA_IOVA	0x50000000ull
#define EXTRA_SIZE	(2ull << 20)

/* What names an IOAS may also say that this is none. */
static void check_not_an_ioas(int result, const char *what)
{
	check(result == -EOPNOTSUPP || result == -ENOENT, "%s: %d, wanted EOPNOTSUPP or ENOENT",
	      what, result);
}

static int track_dirty(int iommufd, __u32 hwpt_id)
{
	struct iommu_hwpt_set_dirty_tracking track = {
		.size = sizeof(track),
		.flags = IOMMU_HWPT_DIRTY_TRACKING_ENABLE,
		.hwpt_id = hwpt_id,
	};

	return ioctl(iommufd, IOMMU_HWPT_SET_DIRTY_TRACKING, &track) ? -errno : 0;
}

static int invalidate(int iommufd, __u32 hwpt_id)
{
	struct iommu_hwpt_invalidate nothing = { .size = sizeof(nothing), .hwpt_id = hwpt_id };

	return ioctl(iommufd, IOMMU_HWPT_INVALIDATE, &nothing) ? -errno : 0;
}

static void expect_fixed(const struct way_back *back, __u32 id)
{
	int iommufd = back->iommufd;
	void *memory = mmap(NULL, EXTRA_SIZE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check_not_an_ioas(ioas_map_memory(iommufd, id, memory, EXTRA_SIZE, EXTRA_IOVA), "map");
	check_not_an_ioas(ioas_map_file(iommufd, id, back->receiver->memfd, 0, EXTRA_SIZE,
					EXTRA_IOVA), "map a file");
	check_not_an_ioas(ioas_unmap(iommufd, id, RING_IOVA, EXTRA_SIZE), "unmap");
	check_errno(hwpt_mark_preserve(iommufd, id, TOKEN_HWPT), EOPNOTSUPP, "mark");
	check_errno(track_dirty(iommufd, id), EOPNOTSUPP, "track dirty pages");
	check_errno(invalidate(iommufd, id), EOPNOTSUPP, "invalidate");
	check_errno(iommufd_destroy(iommufd, id), EBUSY, "destroy");
	munmap(memory, EXTRA_SIZE);
}

static void expect_found(const struct way_back *back, __u32 *id)
{
	__u32 again = 0;

	check_errno(hwpt_find_restored(back->iommufd, TOKEN_HWPT, id), 0, "look it up");
	check_errno(hwpt_find_restored(back->iommufd, TOKEN_HWPT, &again), 0, "look it up again");
	check(again == *id, "the same id: %u, then %u", *id, again);
	check_errno(hwpt_find_restored(back->iommufd, TOKEN_HWPT + 1, &again), ENOENT,
		    "look up an unknown token");
}

static void expect_no_guest(const struct way_back *back, __u32 id)
{
	struct receiver spare;
	struct device device;
	char bdf[BDF_LENGTH];

	receiver_choose(&spare);
	receiver_find_device(&spare, 1, bdf);
	must(device_open(&device, bdf, back->iommufd), "open the spare card");
	check_errno(device_attach(&device, id), EOPNOTSUPP, "attach another card");
	device_close(&device);
}

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
	__u32 before, after, gone;

	back_begin(&back, &receiver);
	back_go_to(&back, BACK_DEVICE);
	expect_records_shown("incoming", back.bdf, "restored");
	expect_table_shown(&back, false);
	expect_found(&back, &before);
	expect_fixed(&back, before);
	back_take(&back, BACK_DEVICE);
	back_take(&back, BACK_BIND);
	expect_found(&back, &after);
	check(before == after, "the id of before: %u, now %u", before, after);
	expect_fixed(&back, after);
	expect_table_shown(&back, false);
	expect_no_guest(&back, after);
	bind_again(&back);

	back_take(&back, BACK_TABLES);
	back_take(&back, BACK_SWITCH);
	expect_records_shown("incoming", back.bdf, "replaced");
	expect_table_shown(&back, true);
	check_errno(hwpt_find_restored(back.iommufd, TOKEN_HWPT, &gone), ENOENT,
		    "look it up when nothing is on it any more");
	check_errno(device_attach(&receiver.device, after), EOPNOTSUPP, "change back to it");
	check_errno(iommufd_destroy(back.iommufd, after), 0, "destroy it");
	check_errno(iommufd_destroy(back.iommufd, after), ENOENT, "destroy it again");
	bind_again(&back);
	back_take(&back, BACK_FINISH);
	expect_none_shown("incoming");
	back_end(&back);
}
