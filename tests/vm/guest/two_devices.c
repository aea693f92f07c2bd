// SPDX-License-Identifier: GPL-2.0
/*
 * Two cards on one page table, both preserved.  They change over one after the
 * other, and after each change the mapping of that card is taken away: it has to
 * fault then, whatever the IOMMU remembers of the other one or of the old table.
 *
 * Before that both rings go round, so that the old table's translations of all
 * their pages are cached.  What the change leaves behind the card will use.
 */
#include <errno.h>
#include <string.h>

#include "events.h"
#include "liveupdate.h"
#include "machine.h"
#include "preserve.h"
#include "scenarios.h"
#include "wayback.h"

#define SECOND_IOVA		0x40000000ull
#define TOKEN_SECOND_MEMORY	4
#define TOKEN_SECOND_DEVICE	5

static void choose_second(struct receiver *second)
{
	receiver_choose(second);
	/* Half as many frames as for the first card come in the same time. */
	receiver_choose_slots(second, second->ring.slots / 2);
	second->ring.iova = SECOND_IOVA;
	second->stream = 1;
	second->rearm = true;
}

static void map_second(const struct receiver *first, const struct receiver *second)
{
	must(ioas_map_file(first->device.iommufd, first->ioas_id, second->memfd, 0, second->size,
			   SECOND_IOVA), "map the second memfd");
}

static void set_up_second(const struct receiver *first, struct receiver *second)
{
	char bdf[BDF_LENGTH];

	choose_second(second);
	receiver_find_device(second, 1, bdf);
	receiver_create_memory(second);
	map_second(first, second);
	must(device_open(&second->device, bdf, first->device.iommufd), "open the second card");
	must(device_attach(&second->device, first->hwpt_id), "attach the second card");
	receiver_start(second);
}

static void preserve_both(const struct receiver *first, const struct receiver *second)
{
	int iommufd = first->device.iommufd, session;

	must(hwpt_mark_preserve(iommufd, first->hwpt_id, TOKEN_HWPT), "mark HWPT");
	session = preserve_memory_only(first);
	must(session_preserve_fd(session, second->memfd, TOKEN_SECOND_MEMORY),
	     "preserve the second memfd");
	must(session_preserve_fd(session, iommufd, TOKEN_IOMMUFD), "preserve iommufd");
	must(session_preserve_fd(session, first->device.fd, TOKEN_DEVICE), "preserve device");
	must(session_preserve_fd(session, second->device.fd, TOKEN_SECOND_DEVICE),
	     "preserve the second device");
}

static void receive_both(struct receiver *first, struct receiver *second, int milliseconds)
{
	for (; milliseconds > 0; milliseconds -= 100) {
		receiver_receive(first, 50);
		receiver_receive(second, 50);
	}
}

static bool went_round(const struct receiver *receiver)
{
	return receiver->taken.landed >= receiver->ring.slots;
}

static void go_round(struct receiver *first, struct receiver *second)
{
	while (!went_round(first) || !went_round(second))
		receive_both(first, second, 100);
}

void two_devices_old_kernel(void)
{
	struct receiver first, second;

	prepare_kexec();
	receiver_set_up(&first);
	first.rearm = true;
	set_up_second(&first, &second);
	traffic_start(&first);
	receive_both(&first, &second, 500);
	preserve_both(&first, &second);
	receive_both(&first, &second, 500);
	must(announce_and_jump(), "kexec");
}

static void reclaim_second(const struct way_back *back, struct receiver *second)
{
	char bdf[BDF_LENGTH];
	int fd;

	choose_second(second);
	must(pci_find(second->model->vendor, second->model->device, 1, bdf),
	     "find the second card");
	must(pci_bind_vfio(bdf), "bind vfio-pci to the second card");
	receiver_adopt_memory(second, must(session_retrieve_fd(back->session,
							       TOKEN_SECOND_MEMORY),
					   "retrieve the second memfd"));
	fd = must(session_retrieve_fd(back->session, TOKEN_SECOND_DEVICE),
		  "retrieve the second device");
	must(device_reclaim(&second->device, bdf, fd, back->iommufd), "reclaim the second card");
	receiver_resume(second);
}

static void unmap_ring(const struct receiver *first, const struct receiver *receiver,
		       unsigned int stream)
{
	release(stream);
	event_ask("unmapping stream=%u", stream);
	must(ioas_unmap(first->device.iommufd, first->ioas_id, receiver->ring.iova,
			receiver->size), "unmap a ring");
	event_ask("unmapped stream=%u", stream);
}

static void expect_second_goes_on(struct receiver *second, const char *when)
{
	__u32 before = second->taken.landed;

	receiver_receive(second, 500);
	check(second->taken.landed > before, "the second card goes on, %s: %u, then %u", when,
	      before, second->taken.landed);
}

void two_devices_new_kernel(void)
{
	struct receiver first, second;
	struct way_back back;

	back_begin(&back, &first);
	back_go_to(&back, BACK_TABLES);
	reclaim_second(&back, &second);
	back_take(&back, BACK_TABLES);
	map_second(&first, &second);

	go_round(&first, &second);
	back_take(&back, BACK_SWITCH);
	receive_both(&first, &second, 200);
	check_errno(iommufd_destroy(back.iommufd, back.restored_hwpt), EBUSY,
		    "destroy the old HWPT while the second card is on it");
	check_errno(session_finish(back.session), EBUSY,
		    "finish while the second card is on the old HWPT");
	unmap_ring(&first, &first, 0);
	expect_second_goes_on(&second, "on the old page table");

	must(device_attach(&second.device, first.hwpt_id), "switch the second card");
	expect_second_goes_on(&second, "on the new page table");
	unmap_ring(&first, &second, 1);
	sleep_ms(500);
	back_take(&back, BACK_FINISH);
	check_errno(iommufd_destroy(back.iommufd, back.restored_hwpt), 0,
		    "destroy what is left of the old HWPT");
	traffic_stop();
	receiver_report_landed(&first);
	receiver_report_landed(&second);
}
