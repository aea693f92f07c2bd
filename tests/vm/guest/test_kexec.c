// SPDX-License-Identifier: GPL-2.0
/*
 * Whether a kexec would be refused can be asked, and why: before anything, with each
 * thing in the way, and without any.  The question changes nothing: under traffic, with
 * programs at the card all the time, no frame is lost and no access fails, records and
 * pages are the same after a hundred of them, also if one who asks is killed.  Then the
 * kexec goes the whole way.  Calls that are refused tell the reason as well.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "asked.h"
#include "doorbell.h"
#include "events.h"
#include "liveupdate.h"
#include "machine.h"
#include "measure.h"
#include "preserve.h"
#include "scenarios.h"
#include "spare.h"
#include "tenant.h"
#include "wayback.h"

#define TESTS			100
#define CROWD			16
#define OTHERS			50
#define IN_TIME_NS		1000000000ll
#define EXTRA_IOVA		0x30000000ull
#define EXTRA_SIZE		(2ull << 20)
#define TOKEN_EXTRA		9

/* Programs at the card: its file, its registers, and these on behalf of a program. */
struct user {
	const struct receiver *receiver;
	pthread_t thread;
	int ends[2];
	bool end;
	unsigned int rounds, failures;
	const char *failed;
	int error;
};

static void note_failure(struct user *user, const char *what)
{
	user->failures++;
	user->failed = what;
	user->error = errno;
}

static void use_card(struct user *user)
{
	const struct device *device = &user->receiver->device;
	struct vfio_device_info info = { .argsz = sizeof(info) };
	struct nic_state state;
	__u32 word;

	errno = 0;
	if (pread(device->fd, &word, sizeof(word), device->config_offset) != sizeof(word))
		note_failure(user, "read of config space");
	else if (word == ~0u)
		note_failure(user, "ids of the card");
	if (ioctl(device->fd, VFIO_DEVICE_GET_INFO, &info))
		note_failure(user, "question about the device");
	nic_read_state(user->receiver->model, device->registers, &state);
	if (write(user->ends[1], (const void *)device->registers, sizeof(word)) != sizeof(word) ||
	    read(user->ends[0], &word, sizeof(word)) != sizeof(word))
		note_failure(user, "register read by the kernel");
}

static void *use(void *argument)
{
	struct user *user = argument;

	while (!__atomic_load_n(&user->end, __ATOMIC_ACQUIRE)) {
		use_card(user);
		__atomic_add_fetch(&user->rounds, 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

static void user_start(struct user *user, const struct receiver *receiver)
{
	*user = (struct user){ .receiver = receiver };
	if (pipe(user->ends))
		give_up("pipe: %m");
	errno = pthread_create(&user->thread, NULL, use, user);
	if (errno)
		give_up("thread: %m");
}

static unsigned int rounds(const struct user *user)
{
	return __atomic_load_n(&user->rounds, __ATOMIC_ACQUIRE);
}

static void user_stop(struct user *user)
{
	__atomic_store_n(&user->end, true, __ATOMIC_RELEASE);
	pthread_join(user->thread, NULL);
	check(user->rounds && !user->failures, "%u rounds at the card, %u failures, last %s: %s",
	      user->rounds, user->failures, user->failed ? user->failed : "none",
	      strerror(user->error));
	close(user->ends[0]);
	close(user->ends[1]);
}

static void ask_wrongly(void)
{
	struct liveupdate_ioctl_test_kexec answer = { .size = sizeof(answer), .flags = 1 };
	int fd = open("/dev/liveupdate", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		give_up("/dev/liveupdate: %m");
	check_errno(ioctl(fd, LIVEUPDATE_IOCTL_TEST_KEXEC, &answer) ? -errno : 0, EINVAL,
		    "test with a flag");
	answer = (struct liveupdate_ioctl_test_kexec){ .size = 8 };
	check_errno(ioctl(fd, LIVEUPDATE_IOCTL_TEST_KEXEC, &answer) ? -errno : 0, EINVAL,
		    "test with little room");
	close(fd);
}

static void expect_image(const char *kind, __u32 number)
{
	struct liveupdate_ioctl_test_kexec answer;

	check(!strcmp(loaded_kind(), kind), "loaded is '%s', wanted '%s'", loaded_kind(), kind);
	check_errno(ask_kexec(&answer), 0, "test of the kexec");
	check(answer.image == number, "the test says %u, wanted %u", answer.image, number);
}

/* That which is listed after the one of this id. Returns its own. */
static __u64 expect_session(__u64 after, const char *name, __u32 flags, __u32 nr_files)
{
	struct liveupdate_ioctl_list_sessions answer;

	check_errno(ask_for_session(after, &answer), 0, "question for a session");
	check(!strcmp((const char *)answer.name, name) && answer.flags == flags &&
	      answer.nr_files == nr_files, "session %llu is '%s', flags 0x%x, %u files",
	      (unsigned long long)answer.id, answer.name, answer.flags, answer.nr_files);
	return answer.id;
}

static void expect_no_session(__u64 after)
{
	struct liveupdate_ioctl_list_sessions answer;

	check_errno(ask_for_session(after, &answer), ENOENT, "question for no session");
}

static void expect_one_session(__u32 flags, __u32 nr_files)
{
	expect_no_session(expect_session(0, SESSION_NAME, flags, nr_files));
}

/* Others go and come meanwhile. */
static void list_what_changes(void)
{
	int first = must(session_create("first"), "create session");
	int second = must(session_create("second"), "create session");
	int third;
	__u64 id = expect_session(0, "first", LIVEUPDATE_SESSION_FLAG_OPEN, 0);

	close(first);
	id = expect_session(id, "second", LIVEUPDATE_SESSION_FLAG_OPEN, 0);
	close(second);
	third = must(session_create("first"), "create session");
	expect_no_session(expect_session(id, "first", LIVEUPDATE_SESSION_FLAG_OPEN, 0));
	close(third);
	expect_no_session(0);
}

static void list_what_is_asked_wrongly(void)
{
	struct liveupdate_ioctl_list_sessions list = { .size = sizeof(list), .reserved = 1 };
	int fd = must(open("/dev/liveupdate", O_RDWR | O_CLOEXEC), "open /dev/liveupdate");

	check_errno(ioctl(fd, LIVEUPDATE_IOCTL_LIST_SESSIONS, &list) ? -errno : 0, EINVAL,
		    "list with a reserved field");
	close(fd);
}

/* The reasons of calls that preserve. */

static void refuse_unsealed_memory(const struct receiver *receiver)
{
	const struct device *device = &receiver->device;
	int memory = memfd_create("unsealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int session = must(session_create("unsealed"), "create session");

	if (memory < 0 || ftruncate(memory, EXTRA_SIZE))
		give_up("memfd: %m");
	must(ioas_map_file(device->iommufd, receiver->ioas_id, memory, 0, EXTRA_SIZE, EXTRA_IOVA),
	     "map");
	expect_reason(session, 0, 0, "");
	check_errno(session_preserve_fd(session, receiver->memfd, TOKEN_MEMORY), 0, "memfd");
	check_errno(session_preserve_fd(session, memory, TOKEN_EXTRA), 0, "unsealed memfd");
	check_errno(session_preserve_fd(session, device->iommufd, TOKEN_IOMMUFD), EINVAL,
		    "iommufd that maps unsealed memory");
	expect_reason(session, EINVAL, TOKEN_IOMMUFD,
		      "the file at IOVA 0x30000000 was not sealed");
	must(ioas_unmap(device->iommufd, receiver->ioas_id, EXTRA_IOVA, EXTRA_SIZE), "unmap");
	check_errno(session_preserve_fd(session, device->iommufd, TOKEN_IOMMUFD), 0,
		    "iommufd without it");
	expect_reason(session, 0, 0, "");
	close(session);
	close(memory);
}

static void refuse_what_is_asked_wrongly(const struct receiver *receiver)
{
	int session = must(session_create("wrong"), "create session");
	int ends[2];

	if (pipe(ends))
		give_up("pipe: %m");
	check_errno(session_preserve_fd(session, ends[0], 7), ENOENT, "a pipe");
	expect_reason(session, ENOENT, 7, "there is no handler for such a file");
	check_errno(session_preserve_fd(session, receiver->memfd, TOKEN_MEMORY), 0, "memfd");
	check_errno(session_preserve_fd(session, receiver->memfd, TOKEN_MEMORY), EEXIST,
		    "token in use");
	expect_reason(session, EEXIST, TOKEN_MEMORY, "the session has a file of this token");
	check_errno(session_preserve_fd(session, receiver->memfd, 8), EBUSY, "file in use");
	expect_reason(session, EBUSY, 8, "the file is preserved already");
	close(session);
	close(ends[0]);
	close(ends[1]);
}

/* An attach to the IOAS itself makes a page table that nobody can mark. */
static void refuse_automatic_page_table(struct receiver *second)
{
	int session = must(session_create("automatic"), "create session");

	must(device_attach(&second->device, second->ioas_id), "attach to the IOAS");
	check_errno(session_preserve_fd(session, second->memfd, TOKEN_MEMORY), 0, "memfd");
	check_errno(session_preserve_fd(session, second->device.iommufd, TOKEN_IOMMUFD), 0,
		    "iommufd");
	check_errno(session_preserve_fd(session, second->device.fd, TOKEN_DEVICE), ENOENT,
		    "device on an automatic page table");
	expect_reason(session, ENOENT, TOKEN_DEVICE, "is not preserved");
	close(session);
	must(device_attach(&second->device, second->hwpt_id), "attach to the HWPT");
}

static void refuse_device_not_bound(void)
{
	int session = must(session_create("unbound"), "create session"), device;
	struct receiver second;
	char bdf[BDF_LENGTH];

	receiver_choose(&second);
	receiver_find_device(&second, 1, bdf);
	must(pci_bind_vfio(bdf), "vfio-pci");
	device = must(device_open_file(bdf), "open the device");
	check_errno(session_preserve_fd(session, device, TOKEN_DEVICE), EINVAL,
		    "device that is not bound");
	expect_reason(session, EINVAL, TOKEN_DEVICE, "file is not bound to an iommufd");
	close(device);
	close(session);
}

/* What is in the way of a kexec. */

static void expect_session_test(int session, int error, __u64 token, const char *words)
{
	struct liveupdate_session_test answer;

	check_errno(ask_session(session, &answer), 0, "test of the session");
	check_errno(answer.error, error, "what the test of the session says");
	check(answer.token == token && (*words ? strstr((const char *)answer.reason, words) != NULL :
					!answer.reason[0]),
	      "token %llu, reason '%s'", (unsigned long long)answer.token, answer.reason);
	expect_reason(session, error, token, words);
}

static void test_with_interrupts(const struct receiver *receiver, int session,
				 unsigned int index, __u64 token, const char *words)
{
	int vector = eventfd(0, EFD_CLOEXEC);

	must(device_set_interrupts(&receiver->device, index, 1, &vector), "switch interrupts on");
	expect_kexec(EINVAL, SESSION_NAME, token, words);
	expect_session_test(session, EINVAL, token, words);
	must(device_set_interrupts(&receiver->device, index, 0, NULL), "switch interrupts off");
	expect_session_test(session, 0, 0, "");
	close(vector);
}

static void test_with_image_without_data(int session)
{
	must(load_image_without_data(), "load an image by kexec_load(2)");
	expect_image("segments", LIVEUPDATE_IMAGE_SEGMENTS);
	expect_kexec(EINVAL, SESSION_NAME, 0, "but the image has no KHO data");
	expect_session_test(session, 0, 0, "");
	prepare_kexec();
	expect_image("handover", LIVEUPDATE_IMAGE_HANDOVER);
}

/* Nothing is in the way. */

static void test_many_times(struct receiver *receiver, struct user *user, int session)
{
	unsigned int before = rounds(user);
	struct liveupdate_session_test one;
	struct liveupdate_ioctl_test_kexec all;
	int failures = 0;
	long long ns;

	ns = monotonic_ns();
	for (int test = 0; test < TESTS; test++) {
		if (ask_kexec(&all) || all.error || all.token || all.name[0] || all.reason[0])
			failures++;
		if (ask_session(session, &one) || one.error || one.token || one.reason[0])
			failures++;
		receiver_receive(receiver, 1);
	}
	ns = monotonic_ns() - ns;
	event("note %d tests of each kind in %lld ms", TESTS, ns / 1000000);
	check(!failures, "%d of %d tests have failed", failures, 2 * TESTS);
	receiver_receive(receiver, 300);
	check(rounds(user) > before + TESTS / 10, "rounds at the card meanwhile: %u",
	      rounds(user) - before);
}

static pid_t ask_in_child(void)
{
	struct liveupdate_ioctl_test_kexec answer;
	pid_t child = must(fork(), "fork");

	if (!child) {
		ask_kexec(&answer);
		_exit(0);
	}
	return child;
}

/*
 * The first card is frozen for two seconds then, and has to be given back. Nothing is
 * received meanwhile, for that takes its registers.
 */
static void kill_who_asks(struct user *user)
{
	unsigned int before, later;
	int status = 0;
	pid_t child = ask_in_child();

	sleep_ms(500);
	before = rounds(user);
	sleep_ms(300);
	later = rounds(user);
	check(later == before, "who uses the card waits: %u rounds, then %u", before, later);
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	check(WIFSIGNALED(status), "who asks was killed: status 0x%x", status);
	sleep_ms(300);
	check(rounds(user) > later, "then the card is used again: %u rounds, then %u", later,
	      rounds(user));
}

/* Likewise, and what came meanwhile is written in the end. */
static void ring_while_asked(const struct doorbell *doorbell)
{
	pid_t child = ask_in_child();

	sleep_ms(500);
	doorbell_ring(doorbell);
	if (waitpid(child, NULL, 0) != child)
		give_up("wait: %m");
	check(doorbell_has_rung(doorbell), "a doorbell of the time of the test has rung");
}

static void test_with_endless_read(struct user *user, const struct receiver *second)
{
	int session = spare_preserve(second);
	struct endless_read read;
	struct doorbell doorbell;

	doorbell_make(&doorbell, &user->receiver->device);
	endless_read_begin(&read, &second->device);
	kill_who_asks(user);
	ring_while_asked(&doorbell);
	doorbell_end(&doorbell);
	expect_kexec(EBUSY, "second", TOKEN_DEVICE, "kexec refused, a file operation does not end");
	endless_read_end(&read);
	expect_kexec(0, "", 0, "");
	close(session);
}

static void test_under_traffic(struct receiver *receiver, struct receiver *second, int session,
			       const struct measure *before)
{
	struct user user;

	user_start(&user, receiver);
	test_many_times(receiver, &user, session);
	expect_same(before, receiver);
	test_with_endless_read(&user, second);
	test_many_times(receiver, &user, session);
	expect_same(before, receiver);
	user_stop(&user);
}

/* Some who do nothing but test, and one who has other things to do. */
static void test_without_end(int session)
{
	pid_t children[CROWD];
	long long longest = 0;

	for (int i = 0; i < CROWD; i++) {
		struct liveupdate_session_test one;

		children[i] = must(fork(), "fork");
		while (!children[i])
			ask_session(session, &one);
	}
	for (int i = 0; i < OTHERS; i++) {
		long long ns = monotonic_ns();

		close(must(session_create("other"), "create session"));
		ns = monotonic_ns() - ns;
		if (ns > longest)
			longest = ns;
	}
	for (int i = 0; i < CROWD; i++) {
		kill(children[i], SIGKILL);
		waitpid(children[i], NULL, 0);
	}
	event("note the longest of %d calls while %d test took %lld ms", OTHERS, CROWD,
	      longest / 1000000);
	check(longest < IN_TIME_NS, "who tests without end keeps nobody out");
}

/* Until the kexec, which is not refused because of it, comes upon one of its tests. */
static void ask_all_the_time(int session)
{
	struct liveupdate_ioctl_test_kexec all;
	struct liveupdate_session_test one;

	if (must(fork(), "fork"))
		return;
	for (;;) {
		ask_kexec(&all);
		ask_session(session, &one);
	}
}

void test_kexec_old_kernel(void)
{
	/* Before the first test of what is preserved: that must change nothing, too. */
	static struct measure before;
	struct receiver receiver, second;
	int session;

	expect_image("none", LIVEUPDATE_IMAGE_NONE);
	expect_kexec(0, "", 0, "");
	expect_no_session(0);
	ask_wrongly();

	refuse_device_not_bound();
	start_receiving(&receiver, 300);
	expect_image("handover", LIVEUPDATE_IMAGE_HANDOVER);
	report_pages("base");
	spare_set_up(&second);
	must(hwpt_mark_preserve(second.device.iommufd, second.hwpt_id, TOKEN_HWPT), "mark");
	refuse_automatic_page_table(&second);
	refuse_what_is_asked_wrongly(&receiver);
	list_what_is_asked_wrongly();
	list_what_changes();
	must(hwpt_mark_preserve(receiver.device.iommufd, receiver.hwpt_id, TOKEN_HWPT), "mark");
	refuse_unsealed_memory(&receiver);

	session = preserve_again(&receiver);
	take_measure(&before, &receiver);
	expect_one_session(LIVEUPDATE_SESSION_FLAG_OPEN, 3);
	/* The iommufd is asked first: of MSI-X the driver of the IOMMU finds an entry. */
	test_with_interrupts(&receiver, session, VFIO_PCI_MSIX_IRQ_INDEX, TOKEN_IOMMUFD,
			     "a preserved device can still raise interrupt entry");
	test_with_interrupts(&receiver, session, VFIO_PCI_INTX_IRQ_INDEX, TOKEN_DEVICE,
			     "kexec refused, interrupts are configured");
	test_with_image_without_data(session);
	test_under_traffic(&receiver, &second, session, &before);
	device_close(&second.device);
	test_without_end(session);
	ask_all_the_time(session);
	must(announce_and_jump(), "kexec");
}

#define UNFINISHED	"of the previous kernel must be finished before the next kexec"

/* The driver is not there yet. */
static void refuse_early_retrieve(void)
{
	int session = must(session_retrieve(SESSION_NAME), "retrieve the session");
	struct liveupdate_session_test answer;

	expect_one_session(LIVEUPDATE_SESSION_FLAG_INCOMING | LIVEUPDATE_SESSION_FLAG_OPEN |
			   LIVEUPDATE_SESSION_FLAG_NEEDS_FINISH, 3);
	check_errno(session_retrieve_fd(session, TOKEN_DEVICE), EAGAIN, "device without driver");
	expect_reason(session, EAGAIN, TOKEN_DEVICE, "cannot be retrieved before vfio-pci is bound");
	check_errno(session_retrieve_fd(session, TOKEN_EXTRA), ENOENT, "unknown token");
	expect_reason(session, ENOENT, TOKEN_EXTRA, "the session has no file of this token");
	check_errno(ask_session(session, &answer), EINVAL, "test of an incoming session");
	close(session);
}

void test_kexec_new_kernel(void)
{
	struct receiver receiver;
	struct way_back back;

	expect_one_session(LIVEUPDATE_SESSION_FLAG_INCOMING | LIVEUPDATE_SESSION_FLAG_NEEDS_FINISH, 3);
	expect_kexec(EBUSY, SESSION_NAME, 0, UNFINISHED);
	refuse_early_retrieve();

	back_begin(&back, &receiver);
	back_go_to(&back, BACK_SWITCH);
	check_errno(session_finish(back.session), EBUSY, "finish before the switch");
	expect_reason(back.session, EBUSY, TOKEN_DEVICE, "still on the old page table");
	expect_kexec(EBUSY, SESSION_NAME, 0, UNFINISHED);
	back_complete(&back, BACK_SWITCH);
	expect_reason(back.session, 0, 0, "");
	expect_kexec(0, "", 0, "");
	report_pages("finished");
	back_end(&back);
}
