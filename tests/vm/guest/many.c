// SPDX-License-Identifier: GPL-2.0
/*
 * Several cards, preserved together.  The first two receive and are judged by the
 * host; of the others the registers have to stay what they were.
 *
 *	cards=N		how many
 *	each=1		each with an iommufd and a session of its own; else all on one
 *			IOAS, with an HWPT each
 *	mixed=1		with each=1: in one session, the files of the cards in turn
 *	dup=1		duplicates of the files are preserved, and the originals closed
 *	child=1		a child that has inherited all files closes them
 *	elsewhere=1	a process that is given only the session ends it
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "events.h"
#include "liveupdate.h"
#include "machine.h"
#include "preserve.h"
#include "scenarios.h"
#include "wayback.h"

#define CARDS_MAX	8
#define JUDGED		2	/* so many streams has the host */
#define IOVA_STEP	0x10000000ull
#define FILES_MAX	256

/* Each card's own, by its number. */
#define MANY_MEMORY	10
#define MANY_IOMMUFD	20
#define MANY_DEVICE	30
#define MANY_HWPT	0x1000

struct card {
	struct receiver receiver;
	char bdf[BDF_LENGTH];
	int session;
};

static struct card cards[CARDS_MAX];
static int count;

static bool has_own_iommufd(void)
{
	return option_number("each", 0);
}

static bool has_own_session(void)
{
	return has_own_iommufd() && !option_number("mixed", 0);
}

/* The one whose iommufd or session this card uses. */
static struct card *with_iommufd(int nth)
{
	return &cards[has_own_iommufd() ? nth : 0];
}

static struct card *with_session(int nth)
{
	return &cards[has_own_session() ? nth : 0];
}

static void choose(int nth)
{
	struct receiver *receiver = &cards[nth].receiver;

	receiver_choose(receiver);
	receiver->stream = nth;
	receiver->rearm = nth < JUDGED;
	if (!nth)
		return;
	receiver_choose_slots(receiver, nth < JUDGED ? receiver->ring.slots / 2 : 1024);
	receiver->ring.iova = RING_IOVA + nth * IOVA_STEP;
}

static void receive_all(int milliseconds)
{
	for (; milliseconds > 0; milliseconds -= 50)
		for (int nth = 0; nth < count && nth < JUDGED; nth++)
			receiver_receive(&cards[nth].receiver, 50 / JUDGED);
}

static void join_ioas(struct receiver *receiver, const struct receiver *first, const char *bdf)
{
	int iommufd = first->device.iommufd;

	must(device_open(&receiver->device, bdf, iommufd), "open another card");
	receiver->ioas_id = first->ioas_id;
	must(ioas_map_file(iommufd, first->ioas_id, receiver->memfd, 0, receiver->size,
			   receiver->ring.iova), "map another memfd");
	must(hwpt_create(&receiver->device, first->ioas_id, &receiver->hwpt_id),
	     "create another HWPT");
	must(device_attach(&receiver->device, receiver->hwpt_id), "attach another card");
}

static void set_up(int nth)
{
	struct receiver *receiver = &cards[nth].receiver;
	char *bdf = cards[nth].bdf;

	choose(nth);
	receiver_find_device(receiver, nth, bdf);
	receiver_create_memory(receiver);
	if (with_iommufd(nth) == &cards[nth]) {
		receiver_open_device(receiver, bdf);
		receiver_attach(receiver);
	} else {
		join_ioas(receiver, &cards[0].receiver, bdf);
	}
	receiver_start(receiver);
	if (!nth)
		receiver_report_registers(receiver, bdf, "armed");
}

static void session_name(int nth, char *name, size_t size)
{
	snprintf(name, size, "%s%d", SESSION_NAME, nth);
}

static void preserve_one(int nth, int fd, __u64 token, const char *what)
{
	int error = fd;

	if (option_number("dup", 0))
		fd = must(dup(fd), "dup");
	error = session_preserve_fd(with_session(nth)->session, fd, token + nth);
	check_errno(error, 0, what);
}

static void preserve_memory(int nth)
{
	preserve_one(nth, cards[nth].receiver.memfd, MANY_MEMORY, "preserve memfd");
}

static void preserve_iommufd(int nth)
{
	if (with_iommufd(nth) == &cards[nth])
		preserve_one(nth, cards[nth].receiver.device.iommufd, MANY_IOMMUFD,
			     "preserve iommufd");
}

static void preserve_device(int nth)
{
	preserve_one(nth, cards[nth].receiver.device.fd, MANY_DEVICE, "preserve device");
}

/* An iommufd wants its memory before it, a device its iommufd; no more than that. */
static void preserve_in_turn(void)
{
	for (int nth = count - 1; nth >= 0; nth--) {
		preserve_memory(nth);
		preserve_iommufd(nth);
		if (nth + 1 < count)
			preserve_device(nth + 1);
	}
	preserve_device(0);
}

static void preserve_by_kind(void)
{
	for (int nth = 0; nth < count; nth++)
		preserve_memory(nth);
	for (int nth = 0; nth < count; nth++)
		preserve_iommufd(nth);
	for (int nth = count - 1; nth >= 0; nth--)
		preserve_device(nth);
}

static void create_session(int nth)
{
	char name[32];

	session_name(nth, name, sizeof(name));
	cards[nth].session = must(session_create(name), "create session");
}

static void preserve_all(void)
{
	for (int nth = 0; nth < count; nth++) {
		const struct receiver *receiver = &cards[nth].receiver;

		must(hwpt_mark_preserve(receiver->device.iommufd, receiver->hwpt_id,
					MANY_HWPT + nth), "mark HWPT");
		if (with_session(nth) == &cards[nth])
			create_session(nth);
	}
	if (option_number("mixed", 0))
		preserve_in_turn();
	else
		preserve_by_kind();
}

/* What is in a session already cannot get into one again, under whatever name. */
static void expect_each_only_once(void)
{
	const struct receiver *receiver = &cards[0].receiver;
	int files[] = { receiver->memfd, receiver->device.iommufd, receiver->device.fd };
	static const char *const names[] = { "memfd", "iommufd", "device" };
	int other = must(session_create("other"), "create session");
	char what[64];

	for (int i = 0; i < 3; i++) {
		snprintf(what, sizeof(what), "%s again, under another token", names[i]);
		check_errno(session_preserve_fd(cards[0].session, files[i], 90), EBUSY, what);
		snprintf(what, sizeof(what), "%s again, in another session", names[i]);
		check_errno(session_preserve_fd(other, files[i], 90), EBUSY, what);
	}
	close(other);
}

static void let_a_child_close_all(void)
{
	pid_t child = fork();
	int status;

	if (child < 0)
		give_up("fork: %m");
	if (!child) {
		for (int fd = 3; fd < FILES_MAX; fd++)
			close(fd);
		_exit(0);
	}
	waitpid(child, &status, 0);
	check(!status, "a child has closed what it inherited: status 0x%x", status);
}

/* The duplicates stay, and the session has its own hold on the files. */
static void close_originals(void)
{
	for (int nth = 0; nth < count; nth++) {
		close(cards[nth].receiver.device.fd);
		if (with_iommufd(nth) == &cards[nth])
			close(cards[nth].receiver.device.iommufd);
		close(cards[nth].receiver.memfd);
	}
}

void many_old_kernel(void)
{
	count = option_number("cards", 2);
	prepare_kexec();
	for (int nth = 0; nth < count; nth++)
		set_up(nth);
	traffic_start(&cards[0].receiver);
	receive_all(500);
	preserve_all();
	expect_each_only_once();
	if (option_number("child", 0))
		let_a_child_close_all();
	receive_all(500);
	if (option_number("dup", 0))
		close_originals();
	must(announce_and_jump(), "kexec");
}

/* Nobody reads the others' frames: it is enough that nothing has touched them. */
static void expect_still_armed(int nth, const char *when)
{
	struct receiver *receiver = &cards[nth].receiver;
	volatile void *registers;
	struct nic_state state;
	size_t size;

	registers = pci_peek_registers(cards[nth].bdf, &size);
	if (!registers)
		give_up("map registers: %m");
	nic_read_state(receiver->model, registers, &state);
	munmap((void *)registers, size);
	check(state.rctl && state.rdbal == (__u32)receiver->ring.iova && state.rdlen,
	      "card %d is armed as it was, %s: rctl=0x%x rdbal=0x%x rdlen=0x%x", nth, when,
	      state.rctl, state.rdbal, state.rdlen);
}

static void retrieve(int nth)
{
	struct receiver *receiver = &cards[nth].receiver;
	struct card *owner = with_iommufd(nth);
	char name[32];
	int session, fd;

	session_name(nth, name, sizeof(name));
	if (with_session(nth) == &cards[nth])
		cards[nth].session = must(session_retrieve(name), "retrieve session");
	session = with_session(nth)->session;
	receiver_adopt_memory(receiver, must(session_retrieve_fd(session, MANY_MEMORY + nth),
					     "retrieve memfd"));
	if (owner == &cards[nth])
		receiver->device.iommufd = must(session_retrieve_fd(session, MANY_IOMMUFD + nth),
						"retrieve iommufd");
	fd = must(session_retrieve_fd(session, MANY_DEVICE + nth), "retrieve device");
	must(device_reclaim(&receiver->device, cards[nth].bdf, fd,
			    owner->receiver.device.iommufd), "reclaim device");
	if (!nth)
		event("reclaimed devid=%u", receiver->device.id);
	if (nth < JUDGED)
		receiver_resume(receiver);
}

static void find(int nth)
{
	struct receiver *receiver = &cards[nth].receiver;

	choose(nth);
	must(pci_find(receiver->model->vendor, receiver->model->device, nth, cards[nth].bdf),
	     "find a network card");
	if (!nth)
		receiver_report_registers(receiver, cards[nth].bdf, "after");
	must(pci_bind_vfio(cards[nth].bdf), "bind vfio-pci");
}

static void make_tables(int nth)
{
	struct receiver *receiver = &cards[nth].receiver;
	int iommufd = receiver->device.iommufd;

	if (with_iommufd(nth) == &cards[nth])
		must(ioas_create(iommufd, 1, &receiver->ioas_id), "create IOAS");
	else
		receiver->ioas_id = cards[0].receiver.ioas_id;
	must(ioas_map_file(iommufd, receiver->ioas_id, receiver->memfd, 0, receiver->size,
			   receiver->ring.iova), "map memfd");
	must(hwpt_create(&receiver->device, receiver->ioas_id, &receiver->hwpt_id),
	     "create HWPT");
}

/* It holds nothing but the session, which it takes from its parent. */
static int finish_as_stranger(pid_t parent, int session)
{
	int process = syscall(SYS_pidfd_open, parent, 0), taken;

	for (int fd = 3; fd < FILES_MAX; fd++)
		if (fd != process)
			close(fd);
	taken = syscall(SYS_pidfd_getfd, process, session, 0);
	return taken < 0 ? -errno : session_finish(taken);
}

static void finish_elsewhere(int session)
{
	pid_t parent = getpid(), child = fork();
	int status;

	if (child < 0)
		give_up("fork: %m");
	if (!child)
		_exit(-finish_as_stranger(parent, session));
	waitpid(child, &status, 0);
	check(!status, "FINISH by another process: status 0x%x", status);
}

static void finish_all(void)
{
	for (int nth = 0; nth < count; nth++) {
		if (with_session(nth) != &cards[nth])
			continue;
		if (option_number("elsewhere", 0))
			finish_elsewhere(cards[nth].session);
		else
			check_errno(session_finish(cards[nth].session), 0, "finish");
	}
	event_ask("finished");
}

static void switch_all(void)
{
	event_ask("switching");
	for (int nth = 0; nth < count; nth++) {
		const struct receiver *receiver = &cards[nth].receiver;

		must(device_attach(&receiver->device, receiver->hwpt_id), "switch");
		receive_all(100);
	}
	event_ask("switched");
}

static void expect_no_page_left(void)
{
	struct page_counts counts;

	count_pages(&counts);
	check(!counts.unclaimed, "pages not claimed: %lu", counts.unclaimed);
}

void many_new_kernel(void)
{
	count = option_number("cards", 2);
	for (int nth = 0; nth < count; nth++)
		find(nth);
	for (int nth = JUDGED; nth < count; nth++)
		expect_still_armed(nth, "before anybody has it");
	for (int nth = 0; nth < count; nth++)
		retrieve(nth);
	for (int nth = 0; nth < count; nth++)
		make_tables(nth);
	receive_all(300);
	switch_all();
	finish_all();
	receive_all(500);
	for (int nth = JUDGED; nth < count; nth++)
		expect_still_armed(nth, "in the end");
	expect_no_page_left();
	traffic_stop();
	for (int nth = 0; nth < count && nth < JUDGED; nth++)
		receiver_report_landed(&cards[nth].receiver);
}
