// SPDX-License-Identifier: GPL-2.0
/*
 * Bits of a record are turned when it is final, between the hand-over and the jump.
 * The next kernel has to notice: it blocks the device or refuses the file, says why,
 * and goes on; nothing is written where the device's memory was.
 *
 *	record=NAME	see records.h
 *	offset=N	in it
 *	flip=MASK	what is turned there, 64 bits, or 32 with width=4
 *	renew=1		the checksum is made right again
 *	says=WORD	what the next kernel's log must have
 *	finish=0	FINISH is refused as well, and so is a kexec, so that the device's
 *			memory is still its own: a reboot is what is left
 *	kept=1		pages are not given back, as nobody knows any more whose they are
 *	late=1		what is damaged is only needed in the end, or by people
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "events.h"
#include "liveupdate.h"
#include "machine.h"
#include "preserve.h"
#include "records.h"
#include "scenarios.h"
#include "wayback.h"

#define HANDED_OVER	"handed over, translation stays on"
#define LOOK_EVERY_MS	2

struct damage {
	__u64 at, value;
	unsigned int width;
	/* 0 when the checksum is left as it is. */
	__u64 checksum_at;
	__u32 checksum;
};

static void do_damage(const struct damage *damage)
{
	physical_write(damage->at, &damage->value, damage->width);
	if (damage->checksum_at)
		physical_write(damage->checksum_at, &damage->checksum, sizeof(damage->checksum));
}

static struct damage choose_damage(void)
{
	const char *record = option_text("record", "iommu");
	struct damage damage = { .width = option_number("width", 8) };

	damage.at = records_find(record);
	if (!damage.at)
		give_up("no record %s", record);
	damage.at += option_number("offset", 0);
	physical_read(damage.at, &damage.value, damage.width);
	damage.value ^= strtoull(option_text("flip", "1"), NULL, 0);
	do_damage(&damage);
	if (option_number("renew", 0))
		records_checksum(record, &damage.checksum_at, &damage.checksum);
	event("turned record=%s at=0x%llx now=0x%llx", record, damage.at, damage.value);
	return damage;
}

/*
 * On the processor that the reboot does not run on. The kernel writes its checksums
 * once more when the units are handed over, so the damage is done again and again,
 * until this processor is stopped.
 */
static void *turn_bits_once_handed_over(void *unused)
{
	struct damage damage;
	cpu_set_t other;

	CPU_ZERO(&other);
	CPU_SET(1, &other);
	if (sched_setaffinity(0, sizeof(other), &other))
		give_up("no other processor: %m");
	while (!log_says(HANDED_OVER))
		sleep_ms(LOOK_EVERY_MS);
	damage = choose_damage();
	for (;;)
		do_damage(&damage);
	return unused;
}

void corrupt_old_kernel(void)
{
	struct receiver receiver;
	pthread_t thread;

	prepare_kexec();
	receiver_set_up(&receiver);
	traffic_start(&receiver);
	receiver_receive(&receiver, 300);
	report_pages("base");
	preserve_everything(&receiver);
	receiver_receive(&receiver, 200);
	if (pthread_create(&thread, NULL, turn_bits_once_handed_over, NULL))
		give_up("no thread");
	must(announce_and_jump(), "kexec");
}

static int retrieve(int session, __u64 token, const char *what)
{
	int fd = session_retrieve_fd(session, token);

	event("note retrieve %s: %s", what, fd < 0 ? strerrorname_np(-fd) : "ok");
	return fd;
}

/* Closes the file, too. */
static bool binds(struct receiver *receiver, const char *bdf, int fd, int iommufd)
{
	int error = device_reclaim(&receiver->device, bdf, fd, iommufd);

	event("note bind: %s", error ? strerrorname_np(-error) : "ok");
	if (!error)
		device_close(&receiver->device);
	return !error;
}

/* Whether somebody could have believed that all is well. */
static bool reclaims(struct receiver *receiver, int session, const char *bdf)
{
	int memory = retrieve(session, TOKEN_MEMORY, "memfd");
	int iommufd = retrieve(session, TOKEN_IOMMUFD, "iommufd");
	int fd = retrieve(session, TOKEN_DEVICE, "device");
	bool all = memory >= 0;

	if (fd >= 0 && iommufd >= 0)
		all = binds(receiver, bdf, fd, iommufd) && all;
	else
		all = false;
	if (fd >= 0 && iommufd < 0)
		close(fd);
	close(iommufd);
	close(memory);
	return all;
}

static void end_session(int session)
{
	int error = session_finish(session);
	struct page_counts counts;
	bool kept = option_number("kept", 0);

	event("note finish: %s", error ? strerrorname_np(-error) : "ok");
	check(!error == !!option_number("finish", 1), "FINISH: %s",
	      error ? strerrorname_np(-error) : "done");
	if (error)
		return;
	event_ask("unmapped stream=0");
	count_pages(&counts);
	check(kept == !!counts.unclaimed, "pages not claimed: %lu", counts.unclaimed);
}

static void try_to_reclaim(struct receiver *receiver, const char *bdf)
{
	int session = session_retrieve(SESSION_NAME);
	bool all = false;

	event("note session: %s", session < 0 ? strerrorname_np(-session) : "ok");
	if (session >= 0) {
		all = reclaims(receiver, session, bdf);
		end_session(session);
		close(session);
	}
	check(all == !!option_number("late", 0), "the damage is %s",
	      all ? "not noticed" : "noticed");
}

static void expect_reason(void)
{
	const char *says = option_text("says", "");
	char words[64];

	/* No blanks in options. */
	snprintf(words, sizeof(words), "%s", says);
	for (char *at = words; *at; at++)
		if (*at == '.')
			*at = ' ';
	check(log_says(words), "the log says: %s", words);
}

/* This image would be started if no data had to go with it. */
static void expect_no_kexec(void)
{
	must(load_image_without_data(), "load an image");
	check_errno(kexec_jump(), EBUSY, "kexec while the session cannot be finished");
}

void corrupt_new_kernel(void)
{
	struct receiver receiver;
	char bdf[BDF_LENGTH];

	receiver_choose(&receiver);
	must(pci_find(receiver.model->vendor, receiver.model->device, 0, bdf),
	     "find the network card");
	/* A function that the IOMMU has blocked may be no use to a driver. */
	event("note driver: %d", pci_bind_vfio(bdf));
	receiver_report_registers(&receiver, bdf, "after");
	sleep_ms(300);
	try_to_reclaim(&receiver, bdf);
	sleep_ms(500);
	expect_reason();
	traffic_stop();
	if (option_number("finish", 1))
		event_ask("scan-memory stream=0");
	else
		expect_no_kexec();
}
