// SPDX-License-Identifier: GPL-2.0
/*
 * The program that takes the device back is killed before a step of its way, or
 * before each of them in turn.  Then either another instance goes the whole way,
 * or a reaper, which needs nothing but the session, puts an end to it.
 *
 *	at=STEP		only before this step
 *	then=again	another instance goes on
 *	then=reap	FINISH, and afterwards the card is set up afresh
 *	then=gone	the slot has lost its power before the FINISH
 *	then=unreset	FINISH while somebody unbinds the driver: it holds what a reset
 *			needs, so the card goes on and has to stay blocked
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "events.h"
#include "function.h"
#include "images.h"
#include "liveupdate.h"
#include "machine.h"
#include "preserve.h"
#include "scenarios.h"
#include "slot.h"
#include "wayback.h"

/* The smallest that the card takes. */
#define SMALL_RING	8

#define VENDOR_ID	0x00
#define NO_VENDOR	0xffff

static void go_and_wait_for_death(enum back_step at, int ready)
{
	struct receiver receiver;
	struct way_back back;

	back_begin(&back, &receiver);
	back_go_to(&back, at);
	if (write(ready, "", 1) != 1)
		give_up("pipe: %m");
	for (;;)
		pause();
}

static void kill_an_instance(enum back_step at)
{
	int ends[2];
	pid_t child;
	char byte;

	if (pipe(ends))
		give_up("pipe: %m");
	child = fork();
	if (child < 0)
		give_up("fork: %m");
	if (!child)
		go_and_wait_for_death(at, ends[1]);
	close(ends[1]);
	if (read(ends[0], &byte, 1) != 1)
		give_up("the instance ended by itself");
	kill(child, SIGKILL);
	/* Its files are closed when it can be waited for. */
	waitpid(child, NULL, 0);
	close(ends[0]);
	event("killed before=%s", back_step_name(at));
}

static bool is_asked_for(enum back_step at)
{
	const char *only = option_text("at", "");

	return !*only || !strcmp(only, back_step_name(at));
}

static void kill_instances(void)
{
	bool found = false;

	for (enum back_step at = BACK_DRIVER; at < BACK_STEPS; at++) {
		if (!is_asked_for(at))
			continue;
		kill_an_instance(at);
		found = true;
	}
	if (!found)
		give_up("no such step");
}

/* What the dead instances left in the iommufd goes with it: the pages are counted afterwards. */
static void go_on(void)
{
	struct receiver receiver;
	struct way_back back;

	back_begin(&back, &receiver);
	back_go_to(&back, BACK_STEPS);
	expect_growth(&receiver);
	back_let_go(&back);
	back_close_files(&back);
	use_afresh();
}

/* The memory is retrieved to be judged; the end itself does not need it. */
static void prepare_to_reap(struct way_back *back)
{
	back_take(back, BACK_SESSION);
	back_take(back, BACK_MEMORY);
	release(0);
}

static void reap(void)
{
	struct receiver receiver;
	struct way_back back;

	back_begin(&back, &receiver);
	prepare_to_reap(&back);
	back_take(&back, BACK_FINISH);
	close(back.session);
	expect_stopped(&back);
	use_afresh();
}

static void expect_gone(const char *bdf)
{
	__u16 vendor = 0;

	must(pci_config_read(bdf, VENDOR_ID, &vendor, sizeof(vendor)), "config");
	check(vendor == NO_VENDOR, "the card is gone: vendor 0x%x", vendor);
}

static void expect_no_page_left(void)
{
	struct page_counts counts;

	count_pages(&counts);
	check(!counts.unclaimed, "pages not claimed: %lu", counts.unclaimed);
}

static void reap_without_card(void)
{
	struct receiver receiver;
	struct way_back back;

	back_begin(&back, &receiver);
	prepare_to_reap(&back);
	slot_switch_off(back.bdf);
	expect_gone(back.bdf);
	back_take(&back, BACK_FINISH);
	close(back.session);
	expect_silence(&receiver);
	expect_no_page_left();
	function_write(back.bdf, "remove", "1");
	must(write_file("/sys/bus/pci/rescan", "1"), "rescan");
	traffic_stop();
	receiver_report_landed(&receiver);
}

/* Waits for the device file with the lock that a reset would need. */
static pid_t unbind_meanwhile(const char *bdf)
{
	pid_t child = fork();

	if (child < 0)
		give_up("fork: %m");
	if (!child)
		_exit(write_file("/sys/bus/pci/drivers/vfio-pci/unbind", bdf) ? 1 : 0);
	sleep_ms(300);
	check(!waitpid(child, NULL, WNOHANG), "the unbind waits for the device file");
	return child;
}

/* One page: descriptors, and one buffer for all of them at its half. */
static __u64 *make_small_ring(struct rx_ring *ring)
{
	__u64 *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (page == MAP_FAILED || mlock(page, PAGE))
		give_up("a page for the ring: %m");
	ring->iova = physical_address(page);
	ring->slots = SMALL_RING;
	for (int slot = 0; slot < SMALL_RING; slot++)
		page[2 * slot] = ring->iova + PAGE / 2;
	return page;
}

/*
 * The card gets a ring without any driver. Its addresses are physical ones: with
 * the identity domain frames would land in the page.
 */
static void let_loose(struct receiver *receiver, const char *bdf)
{
	int resource = function_open(bdf, "resource0");
	struct device device = { .fd = function_open(bdf, "config") };
	struct rx_ring ring = receiver->ring;
	__u64 *page = make_small_ring(&ring);
	struct nic_state state;
	struct stat status;

	function_set_command(bdf, PCI_COMMAND_MEMORY);
	fstat(resource, &status);
	device.registers = mmap(NULL, status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED,
				resource, 0);
	if (device.registers == MAP_FAILED)
		give_up("map registers: %m");
	event_ask("unmapped stream=0");
	must(device_set_bus_master(&device), "let it loose");
	nic_start_receive(receiver->model, device.registers, &ring);
	expect_silence(receiver);
	nic_read_state(receiver->model, device.registers, &state);
	check(state.rdh, "the card has tried: rdh=%u", state.rdh);
	check(!page[1] && !page[PAGE / 2 / sizeof(*page)], "nothing lands at a physical address");
	munmap((void *)device.registers, status.st_size);
	close(device.fd);
	close(resource);
}

/* The host looks as well: whatever was sent since may be nowhere in memory. */
static void expect_blocked(struct receiver *receiver, const char *bdf)
{
	let_loose(receiver, bdf);
	traffic_stop();
	receiver_report_landed(receiver);
	event_ask("scan-memory stream=0");
	function_set_command(bdf, 0);
}

/* Of a driver that wants the default domain; it has no use for the card. */
static int bind_serial(const char *bdf)
{
	function_write(bdf, "driver_override", "serial");
	return write_file("/sys/bus/pci/drivers/serial/bind", bdf);
}

static void expect_nobody_gets_it(const char *bdf)
{
	int iommufd = must(iommufd_open(), "open iommufd");
	struct device device;
	int error;

	check_errno(bind_serial(bdf), EBUSY, "bind a driver");
	check_errno(pci_bind_vfio(bdf), 0, "bind vfio-pci");
	error = device_open(&device, bdf, iommufd);
	check_errno(error, EPERM, "open by vfio-pci");
	if (!error)
		device_close(&device);
	close(iommufd);
}

static void expect_free_after_removal(const char *bdf)
{
	int error;

	function_write(bdf, "remove", "1");
	must(write_file("/sys/bus/pci/rescan", "1"), "rescan");
	error = bind_serial(bdf);
	check(error != -EBUSY, "it is asked for after removal: %d", error);
}

static void finish_without_reset(struct way_back *back)
{
	pid_t unbinding = unbind_meanwhile(back->bdf);
	int status;

	prepare_to_reap(back);
	event_ask("unmapping stream=0");
	back_take(back, BACK_FINISH);
	close(back->session);
	waitpid(unbinding, &status, 0);
	check(!status, "the unbind came through: status 0x%x", status);
	expect_silence(back->receiver);
}

static void reap_without_reset(void)
{
	struct receiver receiver;
	struct way_back back;

	back_begin(&back, &receiver);
	finish_without_reset(&back);
	expect_blocked(&receiver, back.bdf);
	expect_nobody_gets_it(back.bdf);
	expect_free_after_removal(back.bdf);
}

static void expect_bus_master(const char *bdf)
{
	__u16 command = 0;

	must(pci_config_read(bdf, PCI_COMMAND, &command, sizeof(command)), "config");
	check(command & PCI_COMMAND_MASTER, "the card masters the bus: command 0x%x", command);
}

static void jump_without_files(struct images *images)
{
	images_prepare_kexec(images);
	images_finish(images);
	must(announce_and_jump(), "kexec");
}

static void let_loose_and_jump(void)
{
	struct receiver receiver;
	struct way_back back;
	struct images images;

	images_retrieve(&images);
	kill_instances();
	back_begin(&back, &receiver);
	finish_without_reset(&back);
	let_loose(&receiver, back.bdf);
	receiver_report_landed(&receiver);
	expect_bus_master(back.bdf);
	jump_without_files(&images);
}

/* It knows of no live update. Whatever was sent since the card was given up is nowhere. */
static void look_for_frames(void)
{
	sleep_ms(1000);
	traffic_stop();
	event_ask("scan-memory stream=0");
}

void loose_new_kernel(void)
{
	if (option_number("stage", 1) == 2)
		let_loose_and_jump();
	else
		look_for_frames();
}

void killed_new_kernel(void)
{
	const char *then = option_text("then", "again");

	kill_instances();
	if (!strcmp(then, "reap"))
		reap();
	else if (!strcmp(then, "gone"))
		reap_without_card();
	else if (!strcmp(then, "unreset"))
		reap_without_reset();
	else
		go_on();
}
