// SPDX-License-Identifier: GPL-2.0
/*
 * A program touches registers of its card while that is frozen, for a kexec that is
 * refused two seconds later because of another card.  The program sleeps meanwhile,
 * and a signal reaches it; afterwards it goes on, and the card is as it was.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "events.h"
#include "liveupdate.h"
#include "machine.h"
#include "preserve.h"
#include "scenarios.h"
#include "tenant.h"

#define SECOND_SLOTS		64
#define SECOND_IOVA		0x40000000ull
#define TOUCH_EVERY_MS		5
#define INTX_DISABLE		0x400
/* Of two seconds. One who asks again and again takes nearly all of them. */
#define PROCESSOR_MS_MAX	300

struct toucher {
	const struct receiver *receiver;
	pthread_t thread;
	bool end;
	unsigned int touched;
};

static volatile sig_atomic_t signalled;

static void note_signal(int number)
{
	(void)number;
	signalled = 1;
}

static void *touch(void *argument)
{
	struct toucher *toucher = argument;
	struct nic_state state;

	while (!__atomic_load_n(&toucher->end, __ATOMIC_ACQUIRE)) {
		nic_read_state(toucher->receiver->model, toucher->receiver->device.registers,
			       &state);
		__atomic_add_fetch(&toucher->touched, 1, __ATOMIC_RELEASE);
		sleep_ms(TOUCH_EVERY_MS);
	}
	return NULL;
}

static unsigned int touched(const struct toucher *toucher)
{
	return __atomic_load_n(&toucher->touched, __ATOMIC_ACQUIRE);
}

static int processor_ms(const struct toucher *toucher)
{
	struct timespec used;
	clockid_t clock;

	if (pthread_getcpuclockid(toucher->thread, &clock) || clock_gettime(clock, &used))
		give_up("time of a thread: %m");
	return used.tv_sec * 1000 + used.tv_nsec / 1000000;
}

static int jump(void *argument)
{
	(void)argument;
	return kexec_jump();
}

/* A read of its config space that ends when its user lets it. */
struct held_read {
	int fd;
	__u64 offset;
	struct late_memory late;
};

static int read_config(void *argument)
{
	struct held_read *held = argument;

	return pread(held->fd, held->late.memory, 4, held->offset) == 4 ? 0 : -errno;
}

static void set_up_second(struct receiver *second)
{
	char bdf[BDF_LENGTH];

	receiver_choose(second);
	receiver_choose_slots(second, SECOND_SLOTS);
	second->ring.iova = SECOND_IOVA;
	receiver_find_device(second, 1, bdf);
	receiver_create_memory(second);
	receiver_open_device(second, bdf);
	receiver_attach(second);
}

static void preserve_second(const struct receiver *second)
{
	const struct device *device = &second->device;
	int session = must(session_create("second"), "create session");

	must(hwpt_mark_preserve(device->iommufd, second->hwpt_id, TOKEN_HWPT), "mark");
	must(session_preserve_fd(session, second->memfd, TOKEN_MEMORY), "preserve memfd");
	must(session_preserve_fd(session, device->iommufd, TOKEN_IOMMUFD), "preserve iommufd");
	must(session_preserve_fd(session, device->fd, TOKEN_DEVICE), "preserve device");
}

/* INTx is off while the card is frozen, which only the next kernel could see. */
static void expect_intx_as_before(const struct receiver *receiver, __u16 before)
{
	__u16 command = 0;

	must(pci_config_read(receiver->device.bdf, PCI_COMMAND, &command, sizeof(command)),
	     "config");
	check((command & INTX_DISABLE) == (before & INTX_DISABLE),
	      "INTx disable is as before: command 0x%x, now 0x%x", before, command);
}

static void refuse_kexec_late(struct toucher *toucher)
{
	struct background_call kexec;
	unsigned int before;
	int used;

	call_in_background(&kexec, jump, NULL);
	sleep_ms(300);
	before = touched(toucher);
	used = processor_ms(toucher);
	sleep_ms(1000);
	check(touched(toucher) == before, "the access waits: %u, then %u", before,
	      touched(toucher));
	used = processor_ms(toucher) - used;
	check(used < PROCESSOR_MS_MAX, "and takes %d ms of the processor in a second", used);
	pthread_kill(toucher->thread, SIGUSR1);
	sleep_ms(200);
	check(signalled, "a signal reaches it");
	check(!call_returns_within(&kexec, 20), "the kexec call is not over yet");
	check_errno(call_result(&kexec), EBUSY, "kexec while a file operation does not end");
	sleep_ms(100);
	check(touched(toucher) > before, "the access goes on: %u, then %u", before,
	      touched(toucher));
}

void frozen_fault_old_kernel(void)
{
	struct sigaction action = { .sa_handler = note_signal };
	struct background_call reading;
	struct receiver first, second;
	struct held_read held;
	struct toucher toucher = { .receiver = &first };
	__u16 command = 0;

	prepare_kexec();
	receiver_set_up(&first);
	set_up_second(&second);
	traffic_start(&first);
	must(pci_config_read(first.device.bdf, PCI_COMMAND, &command, sizeof(command)), "config");
	preserve_everything(&first);
	preserve_second(&second);

	late_memory_create(&held.late, PAGE, LATE_TOUCH);
	held.fd = second.device.fd;
	held.offset = second.device.config_offset;
	call_in_background(&reading, read_config, &held);
	late_memory_expect_waiter(&held.late);

	sigaction(SIGUSR1, &action, NULL);
	if (pthread_create(&toucher.thread, NULL, touch, &toucher))
		give_up("thread: %m");
	refuse_kexec_late(&toucher);
	expect_intx_as_before(&first, command);
	__atomic_store_n(&toucher.end, true, __ATOMIC_RELEASE);
	pthread_join(toucher.thread, NULL);

	late_memory_let_go(&held.late);
	check_errno(call_result(&reading), 0, "the file operation, in the end");
	sleep_ms(300);
	traffic_stop();
	receiver_report_landed(&first);
}
