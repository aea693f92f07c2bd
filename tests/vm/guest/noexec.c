// SPDX-License-Identifier: GPL-2.0
/*
 * Memfds of every kind of executability come back with the mode and the seals that
 * they had, and can be written to if they could before.  The ring is in such memory, too.
 */
#include <fcntl.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "events.h"
#include "liveupdate.h"
#include "machine.h"
#include "preserve.h"
#include "scenarios.h"
#include "wayback.h"

#ifndef F_SEAL_EXEC	/* the C library may be older */
#define F_SEAL_EXEC	0x0020
#endif

#define TOKEN_KINDS	50
#define SEALS_WRITE	(F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)

static const struct kind {
	const char *name;
	unsigned int flags, seals;
	/* What is seen of it. */
	unsigned int all_seals, mode;
} kinds[] = {
	{ "executable", MFD_EXEC | MFD_ALLOW_SEALING, F_SEAL_GROW, 0x04, 0777 },
	{ "noexec", MFD_NOEXEC_SEAL, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL, 0x27, 0666 },
	{ "noexec, not for writing", MFD_NOEXEC_SEAL,
	  F_SEAL_GROW | F_SEAL_SHRINK | SEALS_WRITE, 0x3e, 0666 },
	/* The other four are implied. */
	{ "executable for ever", MFD_EXEC | MFD_ALLOW_SEALING, F_SEAL_EXEC, 0x3e, 0777 },
};

#define KINDS	(int)(sizeof(kinds) / sizeof(kinds[0]))

static bool can_be_mapped_for_writing(int memfd)
{
	void *memory = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);

	if (memory == MAP_FAILED)
		return false;
	munmap(memory, PAGE);
	return true;
}

static void expect_kind(const struct kind *kind, int memfd, const char *when)
{
	unsigned int seals = fcntl(memfd, F_GET_SEALS);
	struct stat status = { 0 };

	fstat(memfd, &status);
	check(seals == kind->all_seals, "%s, %s: seals 0x%x, should be 0x%x", kind->name, when,
	      seals, kind->all_seals);
	check((status.st_mode & 0777) == kind->mode, "%s, %s: mode 0%o, should be 0%o", kind->name,
	      when, status.st_mode & 0777, kind->mode);
	check(can_be_mapped_for_writing(memfd) == !(kind->all_seals & F_SEAL_WRITE),
	      "%s, %s: a mapping for writing", kind->name, when);
}

static void preserve_kind(int nr, int session)
{
	const struct kind *kind = &kinds[nr];
	int memfd = must(memfd_create(kind->name, MFD_CLOEXEC | kind->flags), "create a memfd");

	if (ftruncate(memfd, 2 * PAGE) || fcntl(memfd, F_ADD_SEALS, kind->seals))
		give_up("size and seals of a memfd: %m");
	expect_kind(kind, memfd, "old");
	check_errno(session_preserve_fd(session, memfd, TOKEN_KINDS + nr), 0, kind->name);
}

/* What receiver_set_up() does, with other memory. */
static void set_up(struct receiver *receiver)
{
	char bdf[BDF_LENGTH];

	receiver_choose(receiver);
	receiver_find_device(receiver, 0, bdf);
	receiver->memfd = must(memfd_create("ring", MFD_CLOEXEC | MFD_NOEXEC_SEAL), "create memfd");
	if (ftruncate(receiver->memfd, receiver->size))
		give_up("size of the ring: %m");
	must(memory_seal(receiver->memfd), "seal memfd");
	receiver_map_memory(receiver);
	receiver_fill_pattern(receiver);
	receiver_open_device(receiver, bdf);
	receiver_attach(receiver);
	receiver_start(receiver);
	receiver_report_registers(receiver, bdf, "armed");
}

void noexec_old_kernel(void)
{
	struct receiver receiver;
	int session;

	prepare_kexec();
	set_up(&receiver);
	receiver.rearm = true;
	traffic_start(&receiver);
	session = preserve_everything(&receiver);
	for (int nr = 0; nr < KINDS; nr++)
		preserve_kind(nr, session);
	receiver_receive(&receiver, 500);
	must(announce_and_jump(), "kexec");
}

static void expect_kinds_back(int session)
{
	for (int nr = 0; nr < KINDS; nr++)
		expect_kind(&kinds[nr], must(session_retrieve_fd(session, TOKEN_KINDS + nr),
					     kinds[nr].name), "new");
}

void noexec_new_kernel(void)
{
	struct receiver receiver;
	struct way_back back;

	back_begin(&back, &receiver);
	back_take(&back, BACK_DRIVER);
	back_take(&back, BACK_SESSION);
	expect_kinds_back(back.session);
	back_complete(&back, BACK_MEMORY);
	back_end(&back);
}
