// SPDX-License-Identifier: GPL-2.0
/*
 * A device that was retrieved is for its user what one is that was opened afresh:
 * the same information, regions, interrupts, BARs and config space, but for what
 * the user has set.  And its interrupts arrive: MSI-X, MSI and INTx.
 */
#include <errno.h>
#include <linux/vfio.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "events.h"
#include "liveupdate.h"
#include "machine.h"
#include "preserve.h"
#include "scenarios.h"
#include "wayback.h"

#define CONFIG_SIZE	256
#define COMMAND_STATUS	0x04
#define BARS		0x10
#define CAPABILITIES	0x34
#define INTERRUPT_PIN	0x3d

struct view {
	struct vfio_device_info info;
	struct vfio_region_info regions[VFIO_PCI_NUM_REGIONS];
	struct vfio_irq_info irqs[VFIO_PCI_NUM_IRQS];
	__u8 config[CONFIG_SIZE];
};

static void look(const struct device *device, struct view *view)
{
	memset(view, 0, sizeof(*view));
	view->info.argsz = sizeof(view->info);
	if (ioctl(device->fd, VFIO_DEVICE_GET_INFO, &view->info))
		give_up("device info: %m");
	for (int i = 0; i < VFIO_PCI_NUM_REGIONS; i++) {
		view->regions[i].argsz = sizeof(view->regions[i]);
		view->regions[i].index = i;
		/* Of some there is none; then it is so each time. */
		if (ioctl(device->fd, VFIO_DEVICE_GET_REGION_INFO, &view->regions[i]))
			view->regions[i].flags = ~0u;
	}
	for (int i = 0; i < VFIO_PCI_NUM_IRQS; i++) {
		view->irqs[i].argsz = sizeof(view->irqs[i]);
		view->irqs[i].index = i;
		if (ioctl(device->fd, VFIO_DEVICE_GET_IRQ_INFO, &view->irqs[i]))
			view->irqs[i].flags = ~0u;
	}
	if (pread(device->fd, view->config, CONFIG_SIZE, device->config_offset) != CONFIG_SIZE)
		give_up("config space: %m");
}

/* Identity, BARs and where the capabilities are; COMMAND is the user's. */
static void expect_same_config(const __u8 *now, const __u8 *afresh)
{
	check(!memcmp(now, afresh, COMMAND_STATUS), "vendor and device are the same");
	check(!memcmp(now + 8, afresh + 8, BARS - 8), "class and header are the same");
	check(!memcmp(now + BARS, afresh + BARS, CAPABILITIES + 1 - BARS),
	      "BARs and capability pointer are the same");
	check(now[INTERRUPT_PIN] == afresh[INTERRUPT_PIN], "the interrupt pin is the same");
	for (int at = now[CAPABILITIES], left = 48; at >= 0x40 && left; at = now[at + 1], left--)
		check(now[at] == afresh[at] && now[at + 1] == afresh[at + 1],
		      "capability 0x%x at 0x%x is the same: 0x%x", now[at], at, afresh[at]);
}

static void expect_same(const struct view *now, const struct view *afresh)
{
	check(!memcmp(&now->info, &afresh->info, sizeof(now->info)), "device info is the same");
	check(!memcmp(now->regions, afresh->regions, sizeof(now->regions)),
	      "region info is the same");
	check(!memcmp(now->irqs, afresh->irqs, sizeof(now->irqs)), "irq info is the same");
	expect_same_config(now->config, afresh->config);
}

/* Interrupts are raised by hand: by vector of igb, by cause of e1000e. */
#define IGB_GPIE	0x1514
#define IGB_EICS	0x1520
#define IGB_EIMS	0x1524
#define IGB_EIMC	0x1528
#define IGB_EICR	0x1580
#define GPIE_MSIX	0x10
#define VECTOR		0x1
#define E1000E_ICR	0xc0
#define E1000E_ICS	0xc8
#define E1000E_IMS	0xd0
#define E1000E_IMC	0xd8
#define CAUSE		0x4	/* link status change: nobody else asks for it */

static void put(const struct device *device, unsigned int offset, __u32 value)
{
	*(volatile __u32 *)((volatile char *)device->registers + offset) = value;
}

static void raise_vector(const struct device *device)
{
	put(device, IGB_GPIE, GPIE_MSIX);
	put(device, IGB_EIMS, VECTOR);
	put(device, IGB_EICS, VECTOR);
}

static void quiet_vector(const struct device *device)
{
	put(device, IGB_EIMC, ~0u);
	put(device, IGB_EICR, ~0u);
	put(device, IGB_GPIE, 0);
}

static void raise_cause(const struct device *device)
{
	put(device, E1000E_ICR, ~0u);
	put(device, E1000E_IMS, CAUSE);
	put(device, E1000E_ICS, CAUSE);
}

static void quiet_cause(const struct device *device)
{
	put(device, E1000E_IMC, ~0u);
	put(device, E1000E_ICR, ~0u);
}

static void expect_interrupt(const struct device *device, unsigned int index, const char *what,
			     void (*raise)(const struct device *device),
			     void (*quiet)(const struct device *device))
{
	struct pollfd fired = { .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), .events = POLLIN };

	check_errno(device_set_interrupts(device, index, 1, &fired.fd), 0, what);
	raise(device);
	check(poll(&fired, 1, 1000) == 1, "%s arrives", what);
	quiet(device);
	check_errno(device_set_interrupts(device, index, 0, NULL), 0, what);
	close(fired.fd);
}

static void expect_interrupts(const struct device *device)
{
	if (!strcmp(option_text("nic", "igb"), "igb")) {
		expect_interrupt(device, VFIO_PCI_MSIX_IRQ_INDEX, "MSI-X", raise_vector,
				 quiet_vector);
		return;
	}
	expect_interrupt(device, VFIO_PCI_MSI_IRQ_INDEX, "MSI", raise_cause, quiet_cause);
	expect_interrupt(device, VFIO_PCI_INTX_IRQ_INDEX, "INTx", raise_cause, quiet_cause);
}

static void look_afresh(const char *bdf, struct view *view)
{
	int iommufd = must(iommufd_open(), "open iommufd");
	struct device device;

	must(device_open(&device, bdf, iommufd), "open the device afresh");
	look(&device, view);
	device_close(&device);
	close(iommufd);
}

void same_device_new_kernel(void)
{
	struct view bound, switched, afresh;
	struct receiver receiver;
	struct way_back back;

	back_begin(&back, &receiver);
	back_go_to(&back, BACK_TABLES);
	look(&receiver.device, &bound);
	expect_interrupts(&receiver.device);
	back_take(&back, BACK_TABLES);
	back_take(&back, BACK_SWITCH);
	look(&receiver.device, &switched);
	expect_interrupts(&receiver.device);
	back_take(&back, BACK_FINISH);
	report_pages("finished");
	expect_growth(&receiver);
	receiver_report_registers(&receiver, back.bdf, "end");
	traffic_stop();
	receiver_report_landed(&receiver);
	back_close_files(&back);
	look_afresh(back.bdf, &afresh);
	expect_same(&bound, &afresh);
	expect_same(&switched, &afresh);
}
