// SPDX-License-Identifier: GPL-2.0
/*
 * The owner of an iommufd can make his own calls last as long as he likes: they
 * touch his memory, and he serves the page faults of it.  Calls of the live update
 * may meet them, in PRESERVE_FD, at the kexec call, in FINISH; each has to come
 * back in time all the same, other sessions are not disturbed, and when he lets go
 * everything works.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "events.h"
#include "liveupdate.h"
#include "machine.h"
#include "preserve.h"
#include "scenarios.h"
#include "userfault.h"
#include "wayback.h"

#define EXTRA_IOVA	0x30000000ull
#define EXTRA_SIZE	(2ull << 20)
#define HELD_SESSION	"held"
#define IN_TIME_MS	5000
/* So that a call that waits for ever is a failure and not the end of the run. */
#define GIVE_WAY_MS	8000
/* For another thread to be in the call that it was made for. */
#define BEGUN_MS	300

/* A call that is made by a thread of its own. */
struct call {
	int (*make)(void *argument);
	void *argument;
	int result;
	int took_ms;
	pthread_t thread;
};

static void *make_call(void *argument)
{
	struct call *call = argument;
	long long begin = monotonic_ns();

	call->result = call->make(call->argument);
	call->took_ms = (monotonic_ns() - begin) / 1000000;
	return NULL;
}

static void call_begin(struct call *call, int (*make)(void *argument), void *argument)
{
	call->make = make;
	call->argument = argument;
	if (pthread_create(&call->thread, NULL, make_call, call))
		give_up("thread: %m");
}

static int call_end(struct call *call)
{
	pthread_join(call->thread, NULL);
	return call->result;
}

static void expect_in_time(const struct call *call, const char *what)
{
	event("note %s took %d ms: %d", what, call->took_ms, call->result);
	check(call->took_ms < IN_TIME_MS, "%s comes back in time", what);
}

/* What the owner does to hold others up, and how it is ended in any case. */
struct holder {
	struct userfault fault;
	int iommufd;
	__u32 ioas_id;
	int memfd;
	struct call call, give_way;
	pthread_mutex_t lock;
	bool let_go;
};

static int map_held_memory(void *argument)
{
	struct holder *holder = argument;

	return ioas_map_memory(holder->iommufd, holder->ioas_id, holder->fault.memory,
			       holder->fault.size, EXTRA_IOVA);
}

/* The lock of the file is held meanwhile. */
static int write_held_memory(void *argument)
{
	struct holder *holder = argument;

	return pwrite(holder->memfd, holder->fault.memory, PAGE, 0) == PAGE ? 0 : -errno;
}

static void let_go(struct holder *holder)
{
	pthread_mutex_lock(&holder->lock);
	if (!holder->let_go)
		userfault_release(&holder->fault);
	holder->let_go = true;
	pthread_mutex_unlock(&holder->lock);
}

static int let_go_at_last(void *argument)
{
	struct holder *holder = argument;

	for (int waited = 0; waited < GIVE_WAY_MS && !holder->let_go; waited += 50)
		sleep_ms(50);
	let_go(holder);
	return 0;
}

static void hold(struct holder *holder, int (*make)(void *argument))
{
	userfault_create(&holder->fault, EXTRA_SIZE);
	pthread_mutex_init(&holder->lock, NULL);
	holder->let_go = false;
	call_begin(&holder->call, make, holder);
	if (!userfault_wait(&holder->fault))
		give_up("nobody is held up");
	call_begin(&holder->give_way, let_go_at_last, holder);
}

static void end_hold(struct holder *holder)
{
	let_go(holder);
	call_end(&holder->give_way);
	check_errno(call_end(&holder->call), 0, "what was held up, in the end");
	munmap(holder->fault.memory, holder->fault.size);
}

struct preserve {
	int session, fd;
	__u64 token;
};

static int preserve(void *argument)
{
	const struct preserve *what = argument;

	return session_preserve_fd(what->session, what->fd, what->token);
}

static int jump(void *argument)
{
	(void)argument;
	return kexec_jump();
}

static int use_another_session(void *argument)
{
	const struct receiver *receiver = argument;
	int memfd = must(memory_create("other", EXTRA_SIZE), "create memfd");
	int session = session_create("other"), error;

	(void)receiver;
	if (session < 0)
		return session;
	error = session_preserve_fd(session, memfd, TOKEN_MEMORY);
	close(session);
	close(memfd);
	return error;
}

static void map_is_held(struct receiver *receiver, int session)
{
	struct preserve what = { session, receiver->device.iommufd, TOKEN_IOMMUFD };
	struct holder holder = {
		.iommufd = receiver->device.iommufd,
		.ioas_id = receiver->ioas_id,
	};
	struct call call, kexec;

	hold(&holder, map_held_memory);
	call_begin(&call, preserve, &what);
	sleep_ms(BEGUN_MS);
	/* It is refused for its image, and not before it has had its turn. */
	call_begin(&kexec, jump, NULL);
	check_errno(call_end(&kexec), EINVAL, "kexec while PRESERVE_FD waits for a map");
	expect_in_time(&kexec, "kexec while PRESERVE_FD waits for a map");
	check_errno(call_end(&call), EBUSY, "iommufd while a map is held up");
	expect_in_time(&call, "PRESERVE_FD of an iommufd");
	end_hold(&holder);
	check_errno(ioas_unmap(holder.iommufd, holder.ioas_id, EXTRA_IOVA, EXTRA_SIZE), 0,
		    "unmap what was held up");
}

static void expect_line(int log, const char *text)
{
	char record[1024];
	ssize_t length;

	while ((length = read(log, record, sizeof(record) - 1)) > 0) {
		record[length] = '\0';
		if (strstr(record, text))
			return;
	}
	check(false, "the log names %s", text);
}

/* Should one day nothing be able to hold PRESERVE_FD up, the image is refused. */
static void call_is_held(struct receiver *receiver)
{
	int log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct holder holder = { .memfd = must(memory_create("held", EXTRA_SIZE), "memfd") };
	struct preserve what = { must(session_create(HELD_SESSION), "create session"),
				 holder.memfd, TOKEN_MEMORY };
	struct call call, kexec, other;

	if (log < 0 || lseek(log, 0, SEEK_END))
		give_up("kernel log: %m");
	hold(&holder, write_held_memory);
	call_begin(&call, preserve, &what);
	sleep_ms(BEGUN_MS);
	call_begin(&kexec, jump, NULL);
	sleep_ms(BEGUN_MS);
	call_begin(&other, use_another_session, receiver);
	check_errno(call_end(&other), 0, "another session while one is held up");
	expect_in_time(&other, "another session");
	call_end(&kexec);
	expect_in_time(&kexec, "kexec while a session is held up");
	check(kexec.result == -EBUSY || kexec.result == -EINVAL,
	      "kexec while a session is held up: %d", kexec.result);
	if (kexec.result == -EBUSY)
		expect_line(log, "[" HELD_SESSION "]");
	end_hold(&holder);
	call_end(&call);
	close(what.session);
	close(holder.memfd);
	close(log);
}

void held_up_old_kernel(void)
{
	struct receiver receiver;
	int session;

	receiver_set_up(&receiver);
	receiver.rearm = true;
	must(hwpt_mark_preserve(receiver.device.iommufd, receiver.hwpt_id, TOKEN_HWPT), "mark");
	must(load_image_without_data(), "kexec_load");
	session = preserve_memory_only(&receiver);
	map_is_held(&receiver, session);
	call_is_held(&receiver);
	close(session);

	prepare_kexec();
	traffic_start(&receiver);
	preserve_again(&receiver);
	receiver_receive(&receiver, 500);
	must(announce_and_jump(), "kexec");
}

static int finish(void *argument)
{
	return session_finish(((struct way_back *)argument)->session);
}

void held_up_new_kernel(void)
{
	struct receiver receiver;
	struct holder holder = { .iommufd = -1 };
	struct way_back back;
	struct call call;

	back_begin(&back, &receiver);
	back_go_to(&back, BACK_SWITCH);
	holder.iommufd = back.iommufd;
	holder.ioas_id = receiver.ioas_id;
	hold(&holder, map_held_memory);
	call_begin(&call, finish, &back);
	check_errno(call_end(&call), EBUSY, "FINISH before the switch, while a map is held up");
	expect_in_time(&call, "FINISH that is refused");
	back_take(&back, BACK_SWITCH);
	call_begin(&call, finish, &back);
	check_errno(call_end(&call), 0, "FINISH while a map is held up");
	expect_in_time(&call, "FINISH");
	event_ask("finished");
	end_hold(&holder);
	check_errno(ioas_unmap(holder.iommufd, holder.ioas_id, EXTRA_IOVA, EXTRA_SIZE), 0,
		    "unmap what was held up");
	back_end(&back);
}
