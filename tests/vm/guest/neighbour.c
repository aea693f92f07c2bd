// SPDX-License-Identifier: GPL-2.0
/*
 * A second card that is not preserved, kept mastering through the shutdown by
 * a test option of the kernel and attached and detached all the time on the
 * other CPU.  From the hand-over on none of its frames may land anywhere; in
 * the new kernel it works like any other.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "events.h"
#include "machine.h"
#include "neighbour.h"
#include "preserve.h"
#include "scenarios.h"

#define ATTACHED_MS	5
#define DETACHED_MS	1
/*
 * After one fault the model runs through the whole ring, with a fault for each
 * descriptor and the machine standing still, so there are few of them.  But some
 * must be left after the hand-over, or a card that is not blocked would not show.
 */
#define SLOTS		512

static void set_up_neighbour(struct receiver *receiver)
{
	char bdf[BDF_LENGTH];

	receiver_choose(receiver);
	receiver_choose_slots(receiver, SLOTS);
	receiver_find_device(receiver, 1, bdf);
	receiver_create_memory(receiver);
	receiver_open_device(receiver, bdf);
	receiver_attach(receiver);
	receiver_start(receiver);
}

/* Used descriptors hold no address any more; the card would drop the frames. */
static void arm_again(struct receiver *receiver)
{
	rx_ring_fill_descriptors(&receiver->ring);
	nic_start_receive(receiver->model, receiver->device.registers, &receiver->ring);
}

/* The first one calls the kexec, and has no time for anybody from then on. */
static void run_on_other_processor(void)
{
	cpu_set_t other;

	CPU_ZERO(&other);
	CPU_SET(1, &other);
	if (sched_setaffinity(0, sizeof(other), &other))
		give_up("second processor: %m");
}

/* From here on only. */
static int open_kernel_log(void)
{
	int log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (log < 0 || lseek(log, 0, SEEK_END))
		give_up("kernel log: %m");
	return log;
}

static bool is_handed_over(int log)
{
	char record[1024];
	ssize_t length;

	while ((length = read(log, record, sizeof(record) - 1)) > 0 || errno == EPIPE) {
		record[length > 0 ? length : 0] = '\0';
		if (strstr(record, "handed over, translation stays on"))
			return true;
	}
	return false;
}

/*
 * A card whose descriptors could not be read must be armed again.  From the
 * hand-over on an attach gets EBUSY, which ends the loop.  Where that rule is
 * left out, the first attach that is begun after it is also the last: the card
 * has to be attached when this processor is stopped.
 */
static void *attach_and_detach(void *argument)
{
	struct receiver *receiver = argument;
	int log = open_kernel_log(), error = 0, rounds = 0;
	bool last = false;

	run_on_other_processor();
	for (; !error && !last; rounds++) {
		sleep_ms(ATTACHED_MS);
		last = is_handed_over(log);
		must(device_detach(&receiver->device), "detach the neighbour");
		sleep_ms(DETACHED_MS);
		error = device_attach(&receiver->device, receiver->hwpt_id);
		if (error != -EBUSY) {
			must(error, "attach the neighbour");
			arm_again(receiver);
		}
	}
	event("neighbour-last-attach refused=%d rounds=%d", !!error, rounds);
	return NULL;
}

void neighbour_old_kernel(void)
{
	int before_ms = option_number("before_ms", 1000);
	struct receiver receiver, neighbour;
	pthread_t thread;

	prepare_kexec();
	receiver_set_up(&receiver);
	set_up_neighbour(&neighbour);
	traffic_start(&receiver);
	sleep_ms(before_ms / 2);
	check(receiver_scan(&neighbour).landed, "the neighbour receives");
	preserve_as_asked(&receiver);
	if (!option_number("still", 0) &&
	    pthread_create(&thread, NULL, attach_and_detach, &neighbour))
		give_up("no thread");
	sleep_ms(before_ms / 2);
	receiver_report_registers(&neighbour, neighbour.device.bdf, "neighbour");
	/* What is in the ring has to last beyond the hand-over. */
	if (option_number("still", 0))
		arm_again(&neighbour);
	must(announce_and_jump(), "kexec");
}

/*
 * It was running when the new kernel came, and its old addresses mean something
 * else there. Frames need not show that: the model looks for descriptors first.
 */
static void check_stopped(void)
{
	__u16 command = PCI_COMMAND_MASTER;
	struct receiver neighbour;
	char bdf[BDF_LENGTH];

	receiver_choose(&neighbour);
	must(pci_find(neighbour.model->vendor, neighbour.model->device, 1, bdf),
	     "find the neighbour");
	must(pci_config_read(bdf, PCI_COMMAND, &command, sizeof(command)), "config");
	check(!(command & PCI_COMMAND_MASTER),
	      "the new kernel has stopped the neighbour: command 0x%x", command);
}

/* The host looks first: what the card receives from here on is allowed. */
void neighbour_works_again(void)
{
	struct receiver neighbour;

	check_stopped();
	event_ask("scan-memory stream=1");
	set_up_neighbour(&neighbour);
	sleep_ms(500);
	check(receiver_scan(&neighbour).landed, "the neighbour receives in the new kernel");
}
