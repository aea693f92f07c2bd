// SPDX-License-Identifier: GPL-2.0
#include "events.h"
#include "liveupdate.h"
#include "preserve.h"
#include "two_cards.h"

#define SECOND_IOVA		0x40000000ull
#define TOKEN_SECOND_MEMORY	4
#define TOKEN_SECOND_DEVICE	5

void two_cards_choose_second(struct receiver *second)
{
	receiver_choose(second);
	/* Half as many frames as for the first card come in the same time. */
	receiver_choose_slots(second, second->ring.slots / 2);
	second->ring.iova = SECOND_IOVA;
	second->stream = 1;
	second->rearm = true;
}

void two_cards_map_second(const struct receiver *first, struct receiver *second)
{
	second->ioas_id = first->ioas_id;
	must(ioas_map_file(first->device.iommufd, first->ioas_id, second->memfd, 0, second->size,
			   SECOND_IOVA), "map the second memfd");
}

void two_cards_set_up(struct receiver *first, struct receiver *second)
{
	char bdf[BDF_LENGTH];

	receiver_set_up(first);
	first->rearm = true;
	two_cards_choose_second(second);
	receiver_find_device(second, 1, bdf);
	receiver_create_memory(second);
	two_cards_map_second(first, second);
	must(device_open(&second->device, bdf, first->device.iommufd), "open the second card");
}

void two_cards_receive(struct receiver *first, struct receiver *second, int milliseconds)
{
	for (; milliseconds > 0; milliseconds -= 100) {
		receiver_receive(first, 50);
		receiver_receive(second, 50);
	}
}

int two_cards_session(const struct receiver *first, const struct receiver *second)
{
	int session = preserve_memory_only(first);

	must(session_preserve_fd(session, second->memfd, TOKEN_SECOND_MEMORY),
	     "preserve the second memfd");
	must(session_preserve_fd(session, first->device.iommufd, TOKEN_IOMMUFD),
	     "preserve iommufd");
	return session;
}

void two_cards_preserve_second(int session, const struct receiver *second)
{
	must(session_preserve_fd(session, second->device.fd, TOKEN_SECOND_DEVICE),
	     "preserve the second card");
}

void two_cards_reclaim_second(const struct way_back *back, struct receiver *second)
{
	char bdf[BDF_LENGTH];
	int fd;

	two_cards_choose_second(second);
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
