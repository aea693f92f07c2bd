// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that is added to the running machine is not in the map that the next kernel
 * starts with, so what is in it cannot be handed over.  Online for the kernel's use
 * (the default here) it is refused where it is preserved.  Online as movable
 * (movable=1) nothing stays there that is preserved, and all goes well.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "events.h"
#include "liveupdate.h"
#include "machine.h"
#include "preserve.h"
#include "scenarios.h"

#define BLOCKS		256
#define ADDED_AT	(4ull << 30)
#define TOKEN_ADDED	50

static int set_online(const char *how)
{
	char path[96], state[32];
	int count = 0;

	for (int block = 0; block < BLOCKS; block++) {
		snprintf(path, sizeof(path), "/sys/devices/system/memory/memory%d/state", block);
		if (access(path, F_OK) || strcmp(read_file(path, state, sizeof(state)), "offline"))
			continue;
		must(write_file(path, how), "online memory");
		count++;
	}
	return count;
}

/* Larger than what the machine had before, so some of it must be in the added memory. */
static int fill_memfd(unsigned long megabytes)
{
	int memfd = must(memory_create("added", (__u64)megabytes << 20), "create memfd");
	size_t size = megabytes << 20;
	char *memory;

	must(memory_seal(memfd), "seal memfd");
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
	for (size_t at = 0; at < size; at += PAGE)
		memory[at] = 1;
	check(physical_address(memory + size - PAGE) >= ADDED_AT, "the memfd is in added memory");
	munmap(memory, size);
	return memfd;
}

static void expect_refusal(const struct receiver *receiver, int session)
{
	int memfd = fill_memfd(option_number("extra_mb", 700));

	check_errno(session_preserve_fd(session, memfd, TOKEN_ADDED), EADDRNOTAVAIL,
		    "preserve memory that was added");
	close(session);
	close(memfd);
	sleep_ms(200);
	traffic_stop();
	receiver_report_landed((struct receiver *)receiver);
}

void hot_added_old_kernel(void)
{
	bool movable = option_number("movable", 0);
	struct receiver receiver;
	int session = -1;

	/* Before, as its own record might be in added memory, too. */
	if (!movable)
		session = must(session_create("added"), "create session");
	if (!set_online(movable ? "online_movable" : "online_kernel"))
		skip("no memory was added to the machine");
	prepare_kexec();
	receiver_set_up(&receiver);
	receiver.rearm = true;
	traffic_start(&receiver);
	receiver_receive(&receiver, 300);
	if (!movable) {
		expect_refusal(&receiver, session);
		return;
	}
	session = preserve_everything(&receiver);
	check_errno(session_preserve_fd(session, fill_memfd(64), TOKEN_ADDED), 0,
		    "preserve memory that can move");
	receiver_receive(&receiver, 300);
	must(announce_and_jump(), "kexec");
}
