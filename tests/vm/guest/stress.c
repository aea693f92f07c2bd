// SPDX-License-Identifier: GPL-2.0
/*
 * Everything at the same time, for lu_seconds: processes map, unmap, attach, mark,
 * preserve, close and try to retrieve, hold calls up, read sysfs, ask for a kexec
 * that is refused, and are killed in the middle; all on the card whose ring must
 * lose nothing meanwhile, and on a spare one.  Then all is given back, the kexec
 * is taken, and the whole way back, with the processes at it once more.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "events.h"
#include "liveupdate.h"
#include "machine.h"
#include "preserve.h"
#include "scenarios.h"
#include "stress.h"
#include "tenant.h"
#include "wayback.h"

#define TOKEN_OTHER	0x77ull
#define KEPT_SIZE	(64ul << 10)
/* Each of them begins and ends once; what it needs for ever is there then. */
#define REHEARSAL_MS	2000
#define REPORT_S	10
/* Between one kill and the next. */
#define KILL_MS		100

static void run_for(struct receiver *receiver, int milliseconds)
{
	long long begin = monotonic_ns(), end = begin + milliseconds * 1000000LL;
	int reported = 0, second;

	while (monotonic_ns() < end) {
		receiver_receive(receiver, KILL_MS);
		stress_kill_one();
		second = (monotonic_ns() - begin) / 1000000000;
		if (second >= reported + REPORT_S) {
			stress_report(second);
			reported = second;
		}
	}
}

/* No image of kexec_load(2) can serve it.  It is open as long as this kernel runs. */
static void keep_a_session(void)
{
	int session = must(session_create(STRESS_SESSION), "create the session that is kept");
	int memfd = must(memory_create("kept", KEPT_SIZE), "memfd");

	must(session_preserve_fd(session, memfd, TOKEN_MEMORY), "preserve memfd");
	close(memfd);
}

static void skip_without_userfaultfd(void)
{
	struct late_memory late;

	late_memory_create(&late, PAGE, LATE_WRITE);
	late_memory_let_go(&late);
	munmap(late.memory, late.size);
}

static void expect_same_pages(const struct page_counts *before)
{
	struct page_counts now;

	count_pages(&now);
	check(!memcmp(&now, before, sizeof(now)),
	      "pages of the IOMMU: %lu %lu %lu, before %lu %lu %lu", now.iommu, now.secondary,
	      now.unclaimed, before->iommu, before->secondary, before->unclaimed);
}

static void find_spare(struct stress *stress)
{
	must(pci_find(stress->receiver->model->vendor, stress->receiver->model->device, 1,
		      stress->spare), "find the spare card");
	must(pci_bind_vfio(stress->spare), "bind the spare card");
}

static void go_through(struct stress *stress, int milliseconds)
{
	struct receiver *receiver = stress->receiver;

	must(hwpt_create(&receiver->device, receiver->ioas_id, &stress->other_hwpt),
	     "create another HWPT");
	must(hwpt_mark_preserve(receiver->device.iommufd, stress->other_hwpt, TOKEN_OTHER),
	     "mark the other HWPT");
	stress_begin(stress);
	run_for(receiver, milliseconds);
	stress_end();
	check_errno(device_attach(&receiver->device, receiver->hwpt_id), 0, "attach back");
	check_errno(iommufd_destroy(receiver->device.iommufd, stress->other_hwpt), 0,
		    "destroy the other HWPT");
}

void stress_old_kernel(void)
{
	struct receiver receiver;
	struct stress stress = { .receiver = &receiver, .bdf = receiver.device.bdf,
				 .patience = option_number("patience", 1) };
	struct page_counts before;

	skip_without_userfaultfd();
	receiver_set_up(&receiver);
	receiver.rearm = true;
	find_spare(&stress);
	must(hwpt_mark_preserve(receiver.device.iommufd, receiver.hwpt_id, TOKEN_HWPT), "mark");
	must(load_image_without_data(), "kexec_load");
	keep_a_session();
	stress_map_once(&receiver);
	traffic_start(&receiver);

	stress.rehearsal = true;
	go_through(&stress, REHEARSAL_MS);
	stress.rehearsal = false;
	report_pages("base");
	count_pages(&before);
	go_through(&stress, option_number("seconds", 60) * 1000);
	expect_same_pages(&before);

	prepare_kexec();
	preserve_again(&receiver);
	receiver_receive(&receiver, 500);
	must(announce_and_jump(), "kexec");
}

/* A part of the time before each step; what has landed is taken from the bind on. */
static void take_step(struct way_back *back, enum back_step step, int milliseconds)
{
	if (step <= BACK_BIND) {
		sleep_ms(milliseconds);
		stress_kill_one();
	} else {
		run_for(back->receiver, milliseconds);
	}
	back_take(back, step);
}

void stress_new_kernel(void)
{
	int milliseconds = option_number("back_ms", 6000) / BACK_STEPS;
	struct stress stress = { .next_kernel = true,
				 .patience = option_number("patience", 1) };
	struct receiver receiver;
	struct way_back back;

	back_begin(&back, &receiver);
	stress.receiver = &receiver;
	stress.bdf = back.bdf;
	find_spare(&stress);
	stress_begin(&stress);
	for (enum back_step step = BACK_DRIVER; step < BACK_STEPS; step++)
		take_step(&back, step, milliseconds);
	run_for(&receiver, milliseconds);
	stress_end();
	/* Whoever had it has closed it, which is its end. */
	check_errno(session_retrieve(STRESS_SESSION), ENOENT, "retrieve the kept session");
	stress_map_once(&receiver);
	report_pages("finished");
	back_end(&back);
}
