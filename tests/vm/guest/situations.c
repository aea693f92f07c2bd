// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include "events.h"
#include "function.h"
#include "liveupdate.h"
#include "machine.h"
#include "plain.h"
#include "situations.h"

#define HOLE_SIZE		65536

/* ---- memory ---- */

void extra_map(const struct receiver *receiver, int memfd)
{
	must(ioas_map_file(receiver->device.iommufd, receiver->ioas_id, memfd, 0, EXTRA_SIZE,
			   EXTRA_IOVA), "map extra memory");
}

void extra_unmap(const struct receiver *receiver)
{
	check_errno(ioas_unmap(receiver->device.iommufd, receiver->ioas_id, EXTRA_IOVA, EXTRA_SIZE),
		    0, "unmap extra memory");
}

void *extra_anonymous(const struct receiver *receiver)
{
	void *memory = mmap(NULL, EXTRA_SIZE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	must(ioas_map_memory(receiver->device.iommufd, receiver->ioas_id, memory, EXTRA_SIZE,
			     EXTRA_IOVA), "map anonymous memory");
	return memory;
}

void extra_anonymous_end(const struct receiver *receiver, void *memory)
{
	extra_unmap(receiver);
	munmap(memory, EXTRA_SIZE);
}

int extra_huge_pages(const struct receiver *receiver)
{
	int memfd = memfd_create("pool", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB);

	if (memfd < 0) {
		event("note this kernel has no pool of huge pages: %m");
		return -1;
	}
	if (ftruncate(memfd, EXTRA_SIZE))
		give_up("size of a memfd: %m");
	must(memory_seal(memfd), "seal");
	extra_map(receiver, memfd);
	return memfd;
}

void extra_punch_hole(int memfd)
{
	if (fallocate(memfd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, HOLE_SIZE))
		give_up("punch hole: %m");
}

/* ---- a card ---- */

void ats_card_set_up(struct receiver *card)
{
	char bdf[BDF_LENGTH];

	receiver_choose(card);
	ats_card_find(bdf);
	must(pci_bind_vfio(bdf), "bind vfio-pci to the virtio card");
	receiver_create_memory(card);
	receiver_open_device(card, bdf);
	receiver_attach(card);
	must(hwpt_mark_preserve(card->device.iommufd, card->hwpt_id, TOKEN_HWPT), "mark");
}
