// SPDX-License-Identifier: GPL-2.0
/*
 * Whoever has the device may reset it, by ioctl or by writing the FLR bit in config
 * space, while it is preserved, before it is finished, and after: the card's
 * registers are then those after a reset, config space is as before, and it can be
 * started again on the same page table.  A guest that has reset its device relies
 * on it.
 */
#include <errno.h>
#include <linux/vfio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "events.h"
#include "liveupdate.h"
#include "machine.h"
#include "preserve.h"
#include "scenarios.h"
#include "wayback.h"

#define CONFIG_COMPARED	64
#define STATUS		0x06
#define INTX_DISABLE	0x400
#define DEVICE_CONTROL	0x08	/* from the PCI Express capability on */
#define FUNCTION_RESET	0x8000

static int reset_by_ioctl(const struct device *device)
{
	return ioctl(device->fd, VFIO_DEVICE_RESET) ? -errno : 0;
}

static int reset_by_config(const struct device *device)
{
	__u64 offset = device->config_offset + DEVICE_CONTROL +
		       pci_find_capability(device->bdf, PCI_CAP_EXPRESS);
	__u16 control;

	if (pread(device->fd, &control, sizeof(control), offset) != sizeof(control))
		return -EIO;
	control |= FUNCTION_RESET;
	return pwrite(device->fd, &control, sizeof(control), offset) == sizeof(control) ? 0 :
	       -errno;
}

static void expect_reset(const struct receiver *receiver, int error, const char *how,
			 const char *when, const __u8 *config)
{
	const struct device *device = &receiver->device;
	__u8 now[CONFIG_COMPARED];
	struct nic_state state;

	nic_read_state(receiver->model, device->registers, &state);
	check(!error && !state.rctl && !state.rdbal && !state.rdlen,
	      "reset by %s, %s: %d, rctl=0x%x rdbal=0x%x rdlen=0x%x", how, when, error, state.rctl,
	      state.rdbal, state.rdlen);
	must(pci_config_read(device->bdf, 0, now, sizeof(now)), "config");
	/* STATUS may have other error bits. */
	memcpy(now + STATUS, config + STATUS, 2);
	check(!memcmp(now, config, sizeof(now)), "config space is as before, %s", when);
}

static __u32 landed(struct receiver *receiver)
{
	return receiver_scan(receiver).landed;
}

static void start_again(struct receiver *receiver, const char *when)
{
	__u32 before;

	/* What is on its way belongs to the ring of before. */
	receiver_fill_pattern(receiver);
	receiver_start(receiver);
	before = landed(receiver);
	sleep_ms(500);
	check(landed(receiver) > before, "frames land again, %s: %u, then %u", when, before,
	      landed(receiver));
}

static void reset_both_ways(struct receiver *receiver, const char *when)
{
	const struct device *device = &receiver->device;
	__u8 config[CONFIG_COMPARED];

	must(pci_config_read(device->bdf, 0, config, sizeof(config)), "config");
	expect_reset(receiver, reset_by_config(device), "config space", when, config);
	start_again(receiver, when);
	expect_reset(receiver, reset_by_ioctl(device), "ioctl", when, config);
	start_again(receiver, when);
}

void owner_reset_old_kernel(void)
{
	struct receiver receiver;

	prepare_kexec();
	receiver_set_up(&receiver);
	traffic_start(&receiver);
	preserve_everything(&receiver);
	reset_both_ways(&receiver, "preserved");
	must(announce_and_jump(), "kexec");
}

/* Nobody listened to the card since it was frozen. */
static void expect_no_intx(const char *bdf)
{
	__u16 command = 0;

	must(pci_config_read(bdf, PCI_COMMAND, &command, sizeof(command)), "config");
	check(command & INTX_DISABLE, "INTx is disabled: command 0x%x", command);
	check(command & PCI_COMMAND_MASTER, "bus mastering is on: command 0x%x", command);
}

void owner_reset_new_kernel(void)
{
	struct receiver receiver;
	struct way_back back;
	__u32 before;

	back_begin(&back, &receiver);
	expect_no_intx(back.bdf);
	back_go_to(&back, BACK_BIND);
	before = landed(&receiver);
	sleep_ms(300);
	check(landed(&receiver) > before, "frames land after the kexec: %u, then %u", before,
	      landed(&receiver));
	back_take(&back, BACK_BIND);
	reset_both_ways(&receiver, "bound");
	back_take(&back, BACK_TABLES);
	back_take(&back, BACK_SWITCH);
	reset_both_ways(&receiver, "on the new page table");
	back_take(&back, BACK_FINISH);
	reset_both_ways(&receiver, "finished");
	traffic_stop();
	back_close_files(&back);
}
