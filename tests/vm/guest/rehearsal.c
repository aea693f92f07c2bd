// SPDX-License-Identifier: GPL-2.0
/*
 * A live update without one: the host is told of a kexec that does not happen,
 * and must be content; or one thing is done that would stop the DMA, and the
 * host must find it.  This is the test of the judge.  With late=1 the way back
 * is pretended as well, and the harm is done on it; with afresh=1 the card is
 * then let go and set up a second time.
 */
#include <fcntl.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "events.h"
#include "frame.h"
#include "function.h"
#include "machine.h"
#include "receiver.h"
#include "scenarios.h"
#include "wayback.h"

#define PCI_BASE_ADDRESS_0	0x10
#define PCI_MEMORY_BASE		0x20

#define IOMMU_REGISTERS	0xfed90000
#define GCMD		(0x18 / 4)
#define GSTS		(0x1c / 4)
#define GCMD_ONE_SHOT	(~0x96ffffffu)
#define GCMD_TE		(1u << 31)
#define GCMD_SRTP	(1u << 30)
#define GCMD_IRE	(1u << 25)

#define BUS_NUMBERS	0x18
#define LAST_BUS	0x1a
/* From the PCI Express capability on */
#define LINK_CONTROL	0x10
#define LINK_DISABLE	(1u << 4)
#define SLOT_CONTROL	0x18
#define SLOT_POWER_OFF	(1u << 10)

/* Long enough that frames are given up, short enough that most are not. */
#define PAUSE_MS	60

#define OTHER_PAGES	256

static void write_global_command(__u32 set, __u32 clear)
{
	int fd = open("/dev/mem", O_RDWR | O_SYNC | O_CLOEXEC);
	volatile __u32 *registers = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
					 IOMMU_REGISTERS);
	__u32 status;

	if (registers == MAP_FAILED)
		give_up("IOMMU registers: %m");
	status = registers[GSTS] & ~GCMD_ONE_SHOT;
	registers[GCMD] = (status | set) & ~clear;
	registers[GCMD] = status;
	close(fd);
}

static void clear_bus_master(const struct device *device, unsigned int for_ms)
{
	__u64 offset = device->config_offset + PCI_COMMAND;
	__u16 command, without;

	if (pread(device->fd, &command, sizeof(command), offset) != sizeof(command))
		give_up("config read: %m");
	without = command & ~PCI_COMMAND_MASTER;
	if (pwrite(device->fd, &without, sizeof(without), offset) != sizeof(without))
		give_up("config write: %m");
	sleep_ms(for_ms);
	if (pwrite(device->fd, &command, sizeof(command), offset) != sizeof(command))
		give_up("config write: %m");
}

/* The port right above the card. */
static void clear_bus_master_above(const struct device *device)
{
	int fd = function_open(device->bdf, "../config");
	__u16 command, without;

	if (pread(fd, &command, sizeof(command), PCI_COMMAND) != sizeof(command))
		give_up("config of the port: %m");
	without = command & ~PCI_COMMAND_MASTER;
	if (pwrite(fd, &without, sizeof(without), PCI_COMMAND) != sizeof(without) ||
	    pwrite(fd, &command, sizeof(command), PCI_COMMAND) != sizeof(command))
		give_up("config of the port: %m");
	close(fd);
}

static void config_write(int fd, unsigned int place, unsigned int value, size_t size)
{
	if (pwrite(fd, &value, size, place) != (ssize_t)size)
		give_up("config of a port: %m");
}

static unsigned int config_read(int fd, unsigned int place, size_t size)
{
	unsigned int value = 0;

	if (pread(fd, &value, size, place) != (ssize_t)size)
		give_up("config of a port: %m");
	return value;
}

/* One more bus than there are: by a byte here, by all four bytes there. */
static void change_bus_numbers(const char *bdf, const char *port, unsigned int place, size_t size)
{
	int fd = function_open(bdf, port);
	unsigned int value = config_read(fd, place, size);

	config_write(fd, place, value + (size == 1 ? 1 : 1 << 16), size);
	config_write(fd, place, value, size);
	close(fd);
}

static void set_for_a_moment(const char *bdf, unsigned int register_, unsigned int bit)
{
	char port[BDF_LENGTH + 4];
	unsigned int place, value;
	int fd;

	snprintf(port, sizeof(port), "%s/..", bdf);
	place = pci_find_capability(port, PCI_CAP_EXPRESS) + register_;
	fd = function_open(port, "config");
	value = config_read(fd, place, 2);
	config_write(fd, place, value | bit, 2);
	config_write(fd, place, value, 2);
	close(fd);
}

/* What the model may not even notice: the card goes on, mostly. */
static void disturb_ports(const char *bdf)
{
	change_bus_numbers(bdf, "../../config", BUS_NUMBERS, 4);
	change_bus_numbers(bdf, "../config", LAST_BUS, 1);
	set_for_a_moment(bdf, LINK_CONTROL, LINK_DISABLE);
	set_for_a_moment(bdf, SLOT_CONTROL, SLOT_POWER_OFF);
}

/* What is there already, as enumeration does: nothing moves. */
static void write_again(const struct device *device, const char *config, int offset)
{
	int fd = function_open(device->bdf, config);
	__u32 value;

	if (pread(fd, &value, sizeof(value), offset) != sizeof(value) ||
	    pwrite(fd, &value, sizeof(value), offset) != sizeof(value))
		give_up("%s: %m", config);
	close(fd);
}

static void reset(const struct device *device)
{
	if (ioctl(device->fd, VFIO_DEVICE_RESET))
		give_up("reset: %m");
}

/* The card is stopped first: without translation it would write anywhere. */
static void switch_translation_off(const struct receiver *receiver)
{
	nic_stop_receive(receiver->model, receiver->device.registers);
	sleep_ms(20);
	write_global_command(0, GCMD_TE);
}

static void unmap(const struct receiver *receiver)
{
	must(ioas_unmap(receiver->device.iommufd, receiver->ioas_id, receiver->ring.iova,
			receiver->size), "unmap");
}

static void corrupt_memory(const struct receiver *receiver)
{
	char *memory = receiver->ring.memory;

	memory[rx_slot_offset(&receiver->ring, receiver->ring.slots - 5) + 700] ^= 1;
}

/* As if the card had filled in the descriptor only. */
static void take_frame_away(const struct receiver *receiver)
{
	const struct rx_ring *ring = &receiver->ring;
	size_t from = rx_slot_offset(ring, receiver->next_slot);
	__u64 *words = ring->memory;

	while (!nic_slot_is_full(receiver->model, ring, receiver->next_slot))
		sleep_ms(1);
	for (size_t offset = from; offset < from + ring->slot_stride; offset += sizeof(*words))
		words[offset / sizeof(*words)] = pattern_word(offset);
}

/*
 * The page is mapped a second time before it is freed: a page table for that could
 * be the page itself.
 */
static void write_to_free_page(void)
{
	char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	int fd = open("/dev/mem", O_RDWR | O_CLOEXEC);
	volatile char *alias;
	void *others;

	if (page == MAP_FAILED)
		give_up("a page: %m");
	alias = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd,
		     physical_address(page));
	if (alias == MAP_FAILED)
		give_up("memory: %m");
	munmap(page, PAGE);
	alias[PAGE / 2] ^= 1;

	/* It is looked at when somebody gets it. */
	others = mmap(NULL, OTHER_PAGES * PAGE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (others == MAP_FAILED)
		give_up("other pages: %m");
	munmap(others, OTHER_PAGES * PAGE);
	munmap((void *)alias, PAGE);
	close(fd);
}

/* The host is told when: what faults and is lost from here on is wanted. */
static void unmap_announced(const struct receiver *receiver)
{
	release(0);
	event_ask("unmapping stream=0");
	unmap(receiver);
	event_ask("unmapped stream=0");
}

/* Too early for what the host is told. */
static void unmap_secretly(const struct receiver *receiver)
{
	unmap(receiver);
	sleep_ms(PAUSE_MS);
	event_ask("released stream=0");
	event_ask("unmapping stream=0");
	event_ask("unmapped stream=0");
}

static void do_harm(const struct receiver *receiver, const char *harm)
{
	if (!strcmp(harm, "bus-master"))
		clear_bus_master(&receiver->device, 0);
	else if (!strcmp(harm, "port"))
		clear_bus_master_above(&receiver->device);
	else if (!strcmp(harm, "ports"))
		disturb_ports(receiver->device.bdf);
	else if (!strcmp(harm, "panic"))
		must(write_file("/proc/sysrq-trigger", "c"), "crash");
	else if (!strcmp(harm, "bar"))
		write_again(&receiver->device, "config", PCI_BASE_ADDRESS_0);
	else if (!strcmp(harm, "window"))
		write_again(&receiver->device, "../config", PCI_MEMORY_BASE);
	else if (!strcmp(harm, "reset"))
		reset(&receiver->device);
	else if (!strcmp(harm, "translation"))
		switch_translation_off(receiver);
	else if (!strcmp(harm, "root"))
		write_global_command(GCMD_SRTP, 0);
	else if (!strcmp(harm, "remapping"))
		write_global_command(0, GCMD_IRE);
	else if (!strcmp(harm, "corruption"))
		corrupt_memory(receiver);
	else if (!strcmp(harm, "free-page"))
		write_to_free_page();
	else if (!strcmp(harm, "hollow"))
		take_frame_away(receiver);
	else if (!strcmp(harm, "stop"))
		nic_stop_receive(receiver->model, receiver->device.registers);
	else if (!strcmp(harm, "pause"))
		clear_bus_master(&receiver->device, PAUSE_MS);
	else if (!strcmp(harm, "unmap"))
		unmap_announced(receiver);
	else if (!strcmp(harm, "unmap-early"))
		unmap_secretly(receiver);
	else if (!strcmp(harm, "emulator"))
		event("stop-emulator ms=%ld", option_number("ms", 300));
	else if (strcmp(harm, "none"))
		give_up("no such harm");
}

static void pretend_way_back(const struct receiver *receiver)
{
	event("reclaimed devid=%u", receiver->device.id);
	event_ask("switching");
	do_harm(receiver, option_text("harm", "none"));
	event_ask("switched");
	event_ask("finished");
}

static void set_up_a_second_time(struct receiver *receiver)
{
	struct way_back back = {
		.receiver = receiver,
		.session = -1,
		.iommufd = receiver->device.iommufd,
	};

	report_pages("base");
	back_let_go(&back);
	back_close_files(&back);
	use_afresh();
}

void rehearsal_old_kernel(void)
{
	bool late = option_number("late", 0);
	struct receiver receiver;

	receiver_set_up(&receiver);
	receiver.rearm = option_number("rearm", 0);
	traffic_start(&receiver);
	receiver_receive(&receiver, 500);
	event_ask("kexec-call");
	if (!late)
		do_harm(&receiver, option_text("harm", "none"));
	receiver_receive(&receiver, 500);
	event_ask("user-space stage=2 build=%s", kernel_build());
	receiver_report_registers(&receiver, receiver.device.bdf, "after");
	if (late)
		pretend_way_back(&receiver);
	receiver_receive(&receiver, 500);
	if (option_number("afresh", 0)) {
		set_up_a_second_time(&receiver);
		return;
	}
	traffic_stop();
	receiver_report_landed(&receiver);
}
