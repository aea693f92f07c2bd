// SPDX-License-Identifier: GPL-2.0
/*
 * A program touches registers of its card while that is frozen, for a kexec that is
 * refused two seconds later because of another card, a read of which does not end.  The
 * program sleeps meanwhile, and a signal reaches it; afterwards it goes on, and the
 * card is as it was.  What could not be ended by a signal does not wait: calls on the
 * device file, and the kernel's own access to the registers on behalf of a program.
 *
 *	peer=1		a third card reaches the registers of the first, before and after
 */
#include <errno.h>
#include <linux/vfio.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "events.h"
#include "liveupdate.h"
#include "machine.h"
#include "peer.h"
#include "preserve.h"
#include "scenarios.h"
#include "spare.h"

#define TOUCH_EVERY_MS		5
#define INTX_DISABLE		0x400
/* One who asks again and again takes nearly all of the time that is looked at. */
#define LOOK_MS			400
#define PROCESSOR_MS_MAX	100

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

/* INTx is off while the card is frozen, which only the next kernel could see. */
static void expect_intx_as_before(const struct receiver *receiver, __u16 before)
{
	__u16 command = 0;

	must(pci_config_read(receiver->device.bdf, PCI_COMMAND, &command, sizeof(command)),
	     "config");
	check((command & INTX_DISABLE) == (before & INTX_DISABLE),
	      "INTx disable is as before: command 0x%x, now 0x%x", before, command);
}

static void expect_no_wait(const struct device *device)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };
	int ends[2], error;

	error = ioctl(device->fd, VFIO_DEVICE_GET_INFO, &info) ? -errno : 0;
	check_errno(error, EBUSY, "a call on the frozen file");
	if (pipe(ends))
		give_up("pipe: %m");
	error = write(ends[1], (const void *)device->registers, sizeof(__u32)) < 0 ? -errno : 0;
	check_errno(error, EFAULT, "the kernel reads a register for a program");
	close(ends[0]);
	close(ends[1]);
}

static void refuse_kexec_late(struct toucher *toucher)
{
	struct background_call kexec;
	unsigned int before;
	int used;

	call_in_background(&kexec, jump, NULL);
	sleep_ms(200);
	before = touched(toucher);
	used = processor_ms(toucher);
	sleep_ms(LOOK_MS);
	check(touched(toucher) == before, "the access waits: %u, then %u", before,
	      touched(toucher));
	used = processor_ms(toucher) - used;
	check(used < PROCESSOR_MS_MAX, "and takes %d ms of the processor in %d", used, LOOK_MS);
	expect_no_wait(&toucher->receiver->device);
	pthread_kill(toucher->thread, SIGUSR1);
	sleep_ms(50);
	check(signalled, "a signal reaches it");
	check(!kexec.ended, "the kexec call is not over yet");
	check_errno(call_result(&kexec), EBUSY, "kexec while a read does not end");
	sleep_ms(100);
	check(touched(toucher) > before, "the access goes on: %u, then %u", before,
	      touched(toucher));
}

void frozen_fault_old_kernel(void)
{
	struct sigaction action = { .sa_handler = note_signal };
	struct receiver first, second;
	struct toucher toucher = { .receiver = &first };
	__u16 command = 0;
	bool has_peer = option_number("peer", 0);
	struct endless_read read;
	struct peer peer;
	int session;

	prepare_kexec();
	receiver_set_up(&first);
	spare_set_up(&second);
	if (has_peer) {
		peer_set_up(&peer, &first, 2);
		check(peer_reaches(&peer), "the peer reaches the registers");
	}
	traffic_start(&first);
	must(pci_config_read(first.device.bdf, PCI_COMMAND, &command, sizeof(command)), "config");
	preserve_everything(&first);
	must(hwpt_mark_preserve(second.device.iommufd, second.hwpt_id, TOKEN_HWPT), "mark");
	session = spare_preserve(&second);
	endless_read_begin(&read, &second.device);

	sigaction(SIGUSR1, &action, NULL);
	errno = pthread_create(&toucher.thread, NULL, touch, &toucher);
	if (errno)
		give_up("thread: %m");
	refuse_kexec_late(&toucher);
	expect_intx_as_before(&first, command);
	if (has_peer) {
		check(peer_reaches(&peer), "the peer reaches the registers as before");
		peer_close(&peer);
	}
	__atomic_store_n(&toucher.end, true, __ATOMIC_RELEASE);
	pthread_join(toucher.thread, NULL);

	endless_read_end(&read);
	close(session);
	device_close(&second.device);
	sleep_ms(300);
	traffic_stop();
	receiver_report_landed(&first);
}
