// SPDX-License-Identifier: GPL-2.0
/*
 * A page that is poisoned, before it is preserved or mapped, and after: it would be
 * an ordinary page in the next kernel.  The calls fail, and do not hang, wherever it
 * is: memory of a fresh memfd may be in the scratch areas of KHO, which are CMA, and
 * leaves them when it is mapped for a device.  Without the session that has a poisoned
 * page all goes well.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "events.h"
#include "liveupdate.h"
#include "machine.h"
#include "preserve.h"
#include "scenarios.h"

#define SIZE		(4ul << 20)
/* More than there is outside of the scratch areas before those are used as well. */
#define LARGE_SIZE	(220ul << 20)
#define EXTRA_IOVA	0x40000000ull
#define SCRATCH		"/sys/kernel/debug/kho/out/scratch_"
#define FIRST_TOKEN	50
#define HANGS		ETIMEDOUT

struct victim {
	const struct receiver *receiver;
	int memfd, session, token;
	size_t size;
	char *memory;
};

static void create(struct victim *victim, size_t size)
{
	victim->memfd = must(memory_create("poisoned", size), "create memfd");
	must(memory_seal(victim->memfd), "seal memfd");
	victim->size = size;
	victim->memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, victim->memfd, 0);
	memset(victim->memory, 0x77, size);
}

/* The kernel kills who has the page; that is a child here. */
static void poison(struct victim *victim, int page)
{
	pid_t child = fork();
	int status;

	if (!child) {
		madvise(victim->memory + page * PAGE, PAGE, MADV_HWPOISON);
		_exit(errno);
	}
	must(child, "fork");
	waitpid(child, &status, 0);
	if (WIFEXITED(status) && (WEXITSTATUS(status) == EINVAL || WEXITSTATUS(status) == EPERM))
		skip("this kernel poisons no pages");
}

static int preserve(struct victim *victim)
{
	return session_preserve_fd(victim->session, victim->memfd, victim->token);
}

static int map(struct victim *victim)
{
	return ioas_map_file(victim->receiver->device.iommufd, victim->receiver->ioas_id,
			     victim->memfd, 0, victim->size, EXTRA_IOVA);
}

static void unmap(struct victim *victim)
{
	ioas_unmap(victim->receiver->device.iommufd, victim->receiver->ioas_id, EXTRA_IOVA,
		   victim->size);
}

/* A child, as it may never come back. */
static int within_a_while(int (*call)(struct victim *), struct victim *victim)
{
	pid_t child = fork();
	int status;

	if (!child)
		_exit(-call(victim));
	must(child, "fork");
	for (int i = 0; i < 50; i++) {
		if (waitpid(child, &status, WNOHANG) == child)
			return -WEXITSTATUS(status);
		sleep_ms(100);
	}
	return -HANGS;
}

static void read_lines(const char *path, char *lines, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = read(fd, lines, size - 1);

	if (length <= 0)
		give_up("%s: %m", path);
	lines[length] = '\0';
	close(fd);
}

/* Each area is one line of hexadecimal in both files. */
static bool is_in_scratch(__u64 address)
{
	static char starts[512], lengths[512];
	char *start = starts, *length = lengths;
	__u64 from, size;

	if (!*starts) {
		read_lines(SCRATCH "phys", starts, sizeof(starts));
		read_lines(SCRATCH "len", lengths, sizeof(lengths));
	}
	while (*start && *length) {
		from = strtoull(start, &start, 16);
		size = strtoull(length, &length, 16);
		if (address >= from && address < from + size)
			return true;
		start += strspn(start, "\n");
		length += strspn(length, "\n");
	}
	return false;
}

static int find_page(const struct victim *victim, bool in_scratch)
{
	int count = victim->size / PAGE;

	for (int page = 0; page < count; page++)
		if (is_in_scratch(physical_address(victim->memory + page * PAGE)) == in_scratch)
			return page;
	give_up("no page is where it should be");
	return -1;
}

static void poison_before(struct victim *victim, bool in_scratch)
{
	int page = find_page(victim, in_scratch);

	event("note page %d is poisoned, which is in %s scratch area", page,
	      in_scratch ? "a" : "no");
	poison(victim, page);
	check_errno(within_a_while(preserve, victim), EHWPOISON, "preserve a poisoned page");
	check_errno(within_a_while(map, victim), EHWPOISON, "map a poisoned page");
}

static void poison_after(struct victim *victim)
{
	check_errno(preserve(victim), 0, "preserve what is sound");
	poison(victim, 9);
	check_errno(kexec_jump(), EHWPOISON, "kexec with a page poisoned after PRESERVE_FD");
}

void poisoned_old_kernel(void)
{
	struct receiver receiver;
	struct victim late = { .receiver = &receiver, .token = FIRST_TOKEN };
	struct victim moved = { .receiver = &receiver, .token = FIRST_TOKEN + 1 };
	struct victim fresh = { .receiver = &receiver, .token = FIRST_TOKEN + 2 };
	__u32 hwpt;

	prepare_kexec();
	receiver_set_up(&receiver);
	receiver.rearm = true;
	traffic_start(&receiver);
	fresh.session = moved.session = preserve_everything(&receiver);
	late.session = must(session_create("poisoned"), "create session");
	/* Only the ring's IOAS is fixed by that. Without an HWPT nothing is pinned. */
	must(ioas_create(receiver.device.iommufd, 0, &receiver.ioas_id), "create IOAS");
	must(hwpt_create(&receiver.device, receiver.ioas_id, &hwpt), "create HWPT");

	create(&late, SIZE);
	poison_after(&late);
	create(&moved, SIZE);
	must(map(&moved), "map, so that it moves");
	unmap(&moved);
	poison_before(&moved, false);
	create(&fresh, LARGE_SIZE);
	poison_before(&fresh, true);
	receiver_receive(&receiver, 200);
	close(late.session);
	must(announce_and_jump(), "kexec");
}
