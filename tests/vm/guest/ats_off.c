// SPDX-License-Identifier: GPL-2.0
/*
 * A card that has ATS goes through a live update with ATS off: the old kernel is
 * told not to use it (pci=noats), the next one is not.  The running card must not
 * get another set of rules under its feet, so nobody writes to its ATS, PRI and
 * PASID capabilities until it is found anew.  The host sees that in the trace,
 * this looks at the control word.
 */
#include "events.h"
#include "function.h"
#include "liveupdate.h"
#include "machine.h"
#include "preserve.h"
#include "scenarios.h"
#include "situations.h"

#define ATS_CONTROL		6	/* from the capability on */
#define ATS_CONTROL_ENABLE	0x8000

static void find_card(char *bdf)
{
	ats_card_find(bdf);
	check(pci_find_extended(bdf, PCI_EXTENDED_ATS), "the card has ATS");
}

static __u16 ats_control(const char *bdf)
{
	__u16 control = 0;

	must(pci_config_read(bdf, pci_find_extended(bdf, PCI_EXTENDED_ATS) + ATS_CONTROL,
			     &control, sizeof(control)), "read the ATS control word");
	return control;
}

static void expect_untouched(const char *bdf, const char *when)
{
	check(!ats_control(bdf), "ATS control word %s: 0x%04x, wanted 0", when, ats_control(bdf));
}

void ats_off_old_kernel(void)
{
	struct receiver receiver;
	char bdf[BDF_LENGTH];

	prepare_kexec();
	receiver_choose(&receiver);
	receiver_choose_slots(&receiver, 1024);
	find_card(bdf);
	must(pci_bind_vfio(bdf), "bind vfio-pci to the virtio card");
	report_preserved_function(bdf, "device");
	receiver_create_memory(&receiver);
	receiver_open_device(&receiver, bdf);
	receiver_attach(&receiver);
	must(device_set_bus_master(&receiver.device), "let the card master the bus");
	preserve_everything(&receiver);
	expect_untouched(bdf, "when preserved");
	must(announce_and_jump(), "kexec");
}

static void take_back(struct receiver *receiver, const char *bdf, int session)
{
	int iommufd = must(session_retrieve_fd(session, TOKEN_IOMMUFD), "retrieve iommufd");
	int fd = must(session_retrieve_fd(session, TOKEN_DEVICE), "retrieve device");
	struct device *device = &receiver->device;

	must(device_reclaim(device, bdf, fd, iommufd), "reclaim device");
	event("reclaimed devid=%u", device->id);
	expect_untouched(bdf, "when reclaimed");
	must(ioas_create(iommufd, true, &receiver->ioas_id), "create IOAS");
	must(ioas_map_file(iommufd, receiver->ioas_id, receiver->memfd, 0, receiver->size,
			   receiver->ring.iova), "map memfd");
	must(hwpt_create(device, receiver->ioas_id, &receiver->hwpt_id), "create HWPT");
	event_ask("switching");
	must(device_attach(device, receiver->hwpt_id), "switch");
	event_ask("switched");
	expect_untouched(bdf, "after the switch");
}

/* What is found now has not gone on with anything.  In scalable mode ATS comes on at once. */
static void find_anew(const char *bdf)
{
	function_write(bdf, "remove", "1");
	must(write_file("/sys/bus/pci/rescan", "1"), "rescan");
	if (option_number("ats", 0))
		check(ats_control(bdf) & ATS_CONTROL_ENABLE, "ATS is used by the card found anew");
}

void ats_off_new_kernel(void)
{
	struct receiver receiver;
	char bdf[BDF_LENGTH];
	int session;

	receiver_choose(&receiver);
	receiver_choose_slots(&receiver, 1024);
	find_card(bdf);
	expect_untouched(bdf, "at the start");
	must(pci_bind_vfio(bdf), "bind vfio-pci");
	expect_untouched(bdf, "with a driver");
	session = must(session_retrieve(SESSION_NAME), "retrieve session");
	receiver_adopt_memory(&receiver, must(session_retrieve_fd(session, TOKEN_MEMORY),
					      "retrieve memfd"));
	take_back(&receiver, bdf, session);
	must(session_finish(session), "finish");
	event_ask("finished");
	expect_untouched(bdf, "after the finish");
	device_close(&receiver.device);
	find_anew(bdf);
}
