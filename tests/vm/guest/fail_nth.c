// SPDX-License-Identifier: GPL-2.0
/*
 * Each call of a live update is made over and over: its first allocation fails,
 * its second one, and so on, until a call passes that no fault has met.  After a
 * failed call everything is as before, and frames arrive all the time.
 *
 * Where a success can be taken back, a single allocation fails at first, and then
 * one and all that follow.  What happens only once in a kernel is tried with the
 * latter alone: a fault that is made up for would end it before all was seen.
 *
 *	then=back	the whole way
 *	then=reap	FINISH right after the memory, so that the card is abandoned
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "events.h"
#include "faults.h"
#include "liveupdate.h"
#include "machine.h"
#include "preserve.h"
#include "scenarios.h"
#include "wayback.h"

#define EXTRA_IOVA	0x30000000ull
#define EXTRA_SIZE	(2ull << 20)
#define TOKEN_SPARE	9
#define TOKEN_UNWANTED	10
#define UNWANTED_SIZE	(64ul << 10)
/* A few frames between one call and the next. */
#define PAUSE_MS	4

struct course {
	struct receiver *receiver;
	struct way_back *back;		/* in the next kernel */
	int session;
	void *memory;			/* anonymous */
	int unwanted;			/* a memfd that nobody retrieves */
	__u32 spare;			/* a HWPT */
};

struct walk {
	const char *name;
	int (*call)(struct course *course);
	/* As if it had not been called.  Without it it passes only once. */
	void (*undo)(struct course *course);
	/* What must hold after a failed call. */
	void (*look)(struct course *course);
	/* What it fails by, if not by ENOMEM. */
	int error;
	/* Empty tables may stay in a page table, as long as it is there. */
	bool keeps_tables;
};

static const char *extent_name(enum fault_extent extent)
{
	return extent == FAULT_ONE ? "one" : "rest";
}

static void expect_pages(const struct page_counts *before, const char *what, unsigned int nth)
{
	struct page_counts now;

	count_pages(&now);
	if (!memcmp(&now, before, sizeof(now)))
		return;
	check(false, "pages after fault %u of %s: %lu %lu %lu, before %lu %lu %lu", nth, what,
	      now.iommu, now.secondary, now.unclaimed, before->iommu, before->secondary,
	      before->unclaimed);
}

/* Returns whether there is anything left to be tried. */
static bool take_turn(struct course *course, const struct walk *walk, unsigned int nth,
		      enum fault_extent extent, unsigned int *failed)
{
	int error = walk->error ? walk->error : ENOMEM, result;
	struct page_counts before;
	bool injected;

	count_pages(&before);
	event("turn what=%s extent=%s nth=%u", walk->name, extent_name(extent), nth);
	faults_begin(nth, extent);
	result = walk->call(course);
	injected = faults_end();
	receiver_receive(course->receiver, PAUSE_MS);
	if (result >= 0) {
		if (injected && walk->undo)
			walk->undo(course);
		return injected && walk->undo;
	}

	(*failed)++;
	check(injected && result == -error, "%s, fault %u (%s): %s", walk->name, nth,
	      extent_name(extent), strerrorname_np(-result));
	if (!injected)
		give_up("%s fails without a fault", walk->name);
	if (!walk->keeps_tables)
		expect_pages(&before, walk->name, nth);
	if (walk->look)
		walk->look(course);
	return true;
}

/* Returns how many calls have failed. */
static unsigned int take_turns(struct course *course, const struct walk *walk,
			       enum fault_extent extent)
{
	unsigned int nth = 1, failed = 0;

	while (take_turn(course, walk, nth, extent, &failed))
		nth++;
	event("walked what=%s extent=%s turns=%u failed=%u", walk->name, extent_name(extent), nth,
	      failed);
	return failed;
}

/* In the end the call has passed.  Returns how many have failed without any memory. */
static unsigned int take(struct course *course, const struct walk *walk)
{
	if (walk->undo) {
		take_turns(course, walk, FAULT_ONE);
		walk->undo(course);
	}
	return take_turns(course, walk, FAULT_REST);
}

/* The old kernel */

static void map_and_unmap(const struct course *course, int error)
{
	const struct receiver *receiver = course->receiver;
	int iommufd = receiver->device.iommufd, result;

	result = ioas_map_memory(iommufd, receiver->ioas_id, course->memory, EXTRA_SIZE,
				 EXTRA_IOVA);
	if (!result)
		must(ioas_unmap(iommufd, receiver->ioas_id, EXTRA_IOVA, EXTRA_SIZE), "unmap");
	if (result != -error)
		check_errno(result, error, "map");
}

static void look_free(struct course *course)
{
	map_and_unmap(course, 0);
}

static void look_fixed(struct course *course)
{
	map_and_unmap(course, EBUSY);
}

static int create_session(struct course *course)
{
	course->session = session_create(SESSION_NAME);
	return course->session;
}

static void close_session(struct course *course)
{
	close(course->session);
}

static int mark_spare(struct course *course)
{
	return hwpt_mark_preserve(course->receiver->device.iommufd, course->spare, TOKEN_SPARE);
}

static void create_spare(struct course *course)
{
	must(hwpt_create(&course->receiver->device, course->receiver->ioas_id, &course->spare),
	     "create a spare HWPT");
}

static void destroy_spare(struct course *course)
{
	must(iommufd_destroy(course->receiver->device.iommufd, course->spare),
	     "destroy the spare HWPT");
}

static void renew_spare(struct course *course)
{
	destroy_spare(course);
	create_spare(course);
}

static int preserve_memory(struct course *course)
{
	return session_preserve_fd(course->session, course->receiver->memfd, TOKEN_MEMORY);
}

static int preserve_iommufd(struct course *course)
{
	return session_preserve_fd(course->session, course->receiver->device.iommufd,
				   TOKEN_IOMMUFD);
}

static int preserve_device(struct course *course)
{
	return session_preserve_fd(course->session, course->receiver->device.fd, TOKEN_DEVICE);
}

static void renew_session(struct course *course)
{
	close(course->session);
	map_and_unmap(course, 0);
	must(create_session(course), "create session");
}

static void back_to_memory(struct course *course)
{
	renew_session(course);
	must(preserve_memory(course), "preserve memfd");
}

static void back_to_iommufd(struct course *course)
{
	back_to_memory(course);
	must(preserve_iommufd(course), "preserve iommufd");
}

static void back_to_all(struct course *course)
{
	back_to_iommufd(course);
	must(preserve_device(course), "preserve device");
	must(session_preserve_fd(course->session, course->unwanted, TOKEN_UNWANTED),
	     "preserve another memfd");
}

static int end_session(struct course *course)
{
	return close(course->session) ? -errno : 0;
}

/* It is closed, and none of it may be left. */
static void preserve_anew(struct course *course)
{
	map_and_unmap(course, 0);
	course->session = preserve_again(course->receiver);
	map_and_unmap(course, EBUSY);
}

static int jump(struct course *course)
{
	(void)course;
	return kexec_jump();
}

static const struct walk mark_walk = {
	.name = "mark",
	.call = mark_spare,
	.undo = renew_spare,
	.look = look_free,
};
static const struct walk create_walk = {
	.name = "create-session",
	.call = create_session,
	.undo = close_session,
	.look = look_free,
};
static const struct walk preserve_walks[] = {
	{
		.name = "preserve-memory",
		.call = preserve_memory,
		.undo = renew_session,
		.look = look_free,
	},
	{
		.name = "preserve-iommufd",
		.call = preserve_iommufd,
		.undo = back_to_memory,
		.look = look_free,
	},
	{
		.name = "preserve-device",
		.call = preserve_device,
		.undo = back_to_iommufd,
		.look = look_fixed,
	},
};
static const struct walk close_walk = {
	.name = "close-session",
	.call = end_session,
	.undo = preserve_anew,
};
/* The session is closed and filled again after each refusal. */
static const struct walk jump_walk = {
	.name = "kexec",
	.call = jump,
	.look = back_to_all,
};

static void fail_in_preserve(struct course *course)
{
	const struct receiver *receiver = course->receiver;
	struct page_counts before;

	create_spare(course);
	take(course, &mark_walk);
	destroy_spare(course);
	must(hwpt_mark_preserve(receiver->device.iommufd, receiver->hwpt_id, TOKEN_HWPT),
	     "mark HWPT");

	count_pages(&before);
	take(course, &create_walk);
	for (size_t i = 0; i < sizeof(preserve_walks) / sizeof(preserve_walks[0]); i++)
		take(course, &preserve_walks[i]);
	take(course, &close_walk);
	map_and_unmap(course, 0);
	expect_pages(&before, "all of it", 0);
}

void fail_nth_old_kernel(void)
{
	struct receiver receiver;
	struct course course = { .receiver = &receiver };

	prepare_kexec();
	receiver_set_up(&receiver);
	receiver.rearm = true;
	course.memory = mmap(NULL, EXTRA_SIZE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	course.unwanted = must(memory_create("unwanted", UNWANTED_SIZE), "create memfd");
	traffic_start(&receiver);
	receiver_receive(&receiver, 200);
	report_pages("base");
	faults_prepare();
	fail_in_preserve(&course);
	check_for_leaks();

	must(create_session(&course), "create session");
	back_to_all(&course);
	receiver_receive(&receiver, 200);
	/* Once: only the last call is the one that the host waits for. */
	event_ask("kexec-call");
	take(&course, &jump_walk);
}

/* The next kernel */

static int retrieve_session(struct course *course)
{
	course->back->session = session_retrieve(SESSION_NAME);
	return course->back->session;
}

static void close_retrieved(struct course *course)
{
	close(course->back->session);
}

static int retrieve_memory(struct course *course)
{
	int memfd = session_retrieve_fd(course->back->session, TOKEN_MEMORY);

	if (memfd >= 0)
		course->receiver->memfd = memfd;
	return memfd;
}

static int retrieve_iommufd(struct course *course)
{
	course->back->iommufd = session_retrieve_fd(course->back->session, TOKEN_IOMMUFD);
	return course->back->iommufd;
}

static int retrieve_device(struct course *course)
{
	course->back->device_fd = session_retrieve_fd(course->back->session, TOKEN_DEVICE);
	return course->back->device_fd;
}

/* It closes the file when it fails. */
static int bind_device(struct course *course)
{
	struct way_back *back = course->back;

	return device_reclaim(&course->receiver->device, back->bdf, back->device_fd,
			      back->iommufd);
}

static void retrieve_device_again(struct course *course)
{
	must(retrieve_device(course), "retrieve the device again");
}

static void unbind_device(struct course *course)
{
	device_close(&course->receiver->device);
	retrieve_device_again(course);
}

/*
 * To find an interrupt that nobody wants ACPI makes more than two thousand
 * allocations, which are not of interest; but only at the first time.
 */
static void let_acpi_find_interrupt(struct course *course)
{
	must(bind_device(course), "bind");
	unbind_device(course);
}

static int create_ioas(struct course *course)
{
	return ioas_create(course->back->iommufd, 1, &course->receiver->ioas_id);
}

static void destroy_ioas(struct course *course)
{
	must(iommufd_destroy(course->back->iommufd, course->receiver->ioas_id), "destroy IOAS");
}

static int map_ring(struct course *course)
{
	const struct receiver *receiver = course->receiver;

	return ioas_map_file(course->back->iommufd, receiver->ioas_id, receiver->memfd, 0,
			     receiver->size, receiver->ring.iova);
}

static void unmap_ring(struct course *course)
{
	const struct receiver *receiver = course->receiver;

	must(ioas_unmap(course->back->iommufd, receiver->ioas_id, receiver->ring.iova,
			receiver->size), "unmap the ring");
}

static int create_hwpt(struct course *course)
{
	return hwpt_create(&course->receiver->device, course->receiver->ioas_id,
			   &course->receiver->hwpt_id);
}

static void destroy_hwpt(struct course *course)
{
	must(iommufd_destroy(course->back->iommufd, course->receiver->hwpt_id), "destroy HWPT");
}

static int switch_over(struct course *course)
{
	return device_attach(&course->receiver->device, course->receiver->hwpt_id);
}

static int finish(struct course *course)
{
	return session_finish(course->back->session);
}

static const struct walk session_walk = {
	.name = "retrieve-session",
	.call = retrieve_session,
	.undo = close_retrieved,
};
static const struct walk memory_walk = {
	.name = "retrieve-memory",
	.call = retrieve_memory,
};
static const struct walk iommufd_walk = {
	.name = "retrieve-iommufd",
	.call = retrieve_iommufd,
};
static const struct walk device_walk = {
	.name = "retrieve-device",
	.call = retrieve_device,
};
static const struct walk bind_walk = {
	.name = "bind",
	.call = bind_device,
	.undo = unbind_device,
	.look = retrieve_device_again,
};
static const struct walk ioas_walk = {
	.name = "create-ioas",
	.call = create_ioas,
	.undo = destroy_ioas,
};
static const struct walk hwpt_walk = {
	.name = "create-hwpt",
	.call = create_hwpt,
	.undo = destroy_hwpt,
};
static const struct walk map_walk = {
	.name = "map",
	.call = map_ring,
	.undo = unmap_ring,
	.keeps_tables = true,
};
static const struct walk switch_walk = {
	.name = "switch",
	.call = switch_over,
};
/* It is asked whether it can be done before anything is done. */
static const struct walk finish_walk = {
	.name = "finish",
	.call = finish,
	.error = EBUSY,
};

/* Giving back the memfd that nobody retrieved takes memory. */
static void fail_to_finish(struct course *course)
{
	check(take(course, &finish_walk), "FINISH is refused without memory");
	event_ask("finished");
}

/* The page table is filled by the map, and by its creation. */
static void fail_to_make_tables(struct course *course)
{
	struct page_counts before;

	take(course, &ioas_walk);
	count_pages(&before);
	take(course, &hwpt_walk);
	take(course, &map_walk);
	destroy_hwpt(course);
	expect_pages(&before, "map", 0);
	take(course, &hwpt_walk);
}

static void fail_on_the_way_back(struct course *course)
{
	struct receiver *receiver = course->receiver;
	struct way_back *back = course->back;

	take(course, &iommufd_walk);
	take(course, &device_walk);
	let_acpi_find_interrupt(course);
	take(course, &bind_walk);
	event("reclaimed devid=%u", receiver->device.id);
	receiver_resume(receiver);

	fail_to_make_tables(course);
	event_ask("switching");
	take(course, &switch_walk);
	event_ask("switched");
	expect_growth(receiver);
	fail_to_finish(course);
	report_pages("finished");
	back_end(back);
}

/*
 * What has no domain to go to stays blocked, until the next reboot: without memory
 * there is none.
 */
static void fail_to_abandon(struct course *course)
{
	struct way_back *back = course->back;

	release(0);
	fail_to_finish(course);
	close(back->session);
	expect_stopped(back);
	traffic_stop();
}

void fail_nth_new_kernel(void)
{
	struct receiver receiver;
	struct way_back back;
	struct course course = { .receiver = &receiver, .back = &back };

	back_begin(&back, &receiver);
	back_take(&back, BACK_DRIVER);
	faults_prepare();
	/* The first one reads all that was handed over, and cannot be repeated. */
	back_take(&back, BACK_SESSION);
	close(back.session);
	take(&course, &session_walk);
	take(&course, &memory_walk);
	receiver_map_memory(&receiver);
	event("memory-retrieved");
	if (strcmp(option_text("then", "back"), "reap"))
		fail_on_the_way_back(&course);
	else
		fail_to_abandon(&course);
}
