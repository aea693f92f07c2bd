// SPDX-License-Identifier: GPL-2.0
/*
 * Two cards on two page tables of one IOAS: each table is carried along with its
 * own token and its own card, and each card changes over by itself.
 */
#include <errno.h>

#include "events.h"
#include "liveupdate.h"
#include "machine.h"
#include "preserve.h"
#include "scenarios.h"
#include "wayback.h"

#define SECOND_IOVA		0x40000000ull
#define TOKEN_SECOND_MEMORY	4
#define TOKEN_SECOND_DEVICE	5
#define TOKEN_SECOND_HWPT	7

static void choose_second(struct receiver *second)
{
	receiver_choose(second);
	second->ring.iova = SECOND_IOVA;
	second->stream = 1;
	second->rearm = true;
}

static void attach_second(const struct receiver *first, struct receiver *second)
{
	second->ioas_id = first->ioas_id;
	must(ioas_map_file(first->device.iommufd, first->ioas_id, second->memfd, 0, second->size,
			   SECOND_IOVA), "map the second memfd");
	must(hwpt_create(&second->device, first->ioas_id, &second->hwpt_id),
	     "create the second HWPT");
	must(device_attach(&second->device, second->hwpt_id), "attach the second card");
}

static void receive_both(struct receiver *first, struct receiver *second, int milliseconds)
{
	for (; milliseconds > 0; milliseconds -= 100) {
		receiver_receive(first, 50);
		receiver_receive(second, 50);
	}
}

void two_hwpts_old_kernel(void)
{
	struct receiver first, second;
	char bdf[BDF_LENGTH];
	int iommufd, session;

	prepare_kexec();
	receiver_set_up(&first);
	first.rearm = true;
	choose_second(&second);
	receiver_find_device(&second, 1, bdf);
	receiver_create_memory(&second);
	iommufd = first.device.iommufd;
	must(device_open(&second.device, bdf, iommufd), "open the second card");
	attach_second(&first, &second);
	receiver_start(&second);
	traffic_start(&first);
	receive_both(&first, &second, 500);

	must(hwpt_mark_preserve(iommufd, first.hwpt_id, TOKEN_HWPT), "mark HWPT");
	must(hwpt_mark_preserve(iommufd, second.hwpt_id, TOKEN_SECOND_HWPT), "mark HWPT");
	session = preserve_memory_only(&first);
	must(session_preserve_fd(session, second.memfd, TOKEN_SECOND_MEMORY), "preserve memfd");
	must(session_preserve_fd(session, iommufd, TOKEN_IOMMUFD), "preserve iommufd");
	must(session_preserve_fd(session, second.device.fd, TOKEN_SECOND_DEVICE),
	     "preserve the second card");
	must(session_preserve_fd(session, first.device.fd, TOKEN_DEVICE), "preserve device");
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

void two_hwpts_new_kernel(void)
{
	struct receiver first, second;
	struct way_back back;
	__u32 restored;

	back_begin(&back, &first);
	back_go_to(&back, BACK_RESTORE);
	reclaim_second(&back, &second);
	back_take(&back, BACK_RESTORE);
	check_errno(hwpt_find_restored(back.iommufd, TOKEN_SECOND_HWPT, &restored), 0,
		    "look up the second restored HWPT");
	check(restored != back.restored_hwpt, "the two are not the same");
	back_take(&back, BACK_TABLES);
	back_take(&back, BACK_SWITCH);
	check_errno(hwpt_find_restored(back.iommufd, TOKEN_HWPT, &restored), ENOENT,
		    "the first is empty");
	check_errno(session_finish(back.session), EBUSY, "finish while the second is in use");
	receive_both(&first, &second, 300);
	attach_second(&first, &second);
	back_take(&back, BACK_FINISH);
	receive_both(&first, &second, 500);
	receiver_report_registers(&first, back.bdf, "end");
	traffic_stop();
	receiver_report_landed(&first);
	receiver_report_landed(&second);
}
