// SPDX-License-Identifier: GPL-2.0
/*
 * What PCI refuses to preserve, and how it is undone half way, as cut out of
 * drivers/pci/liveupdate.c by the Makefile. Around it is a model: a card below two
 * ports, whose locks and counts can be looked at, and whatever is asked of the rest of
 * the kernel can be made to fail.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define PCI_HEADER_TYPE_NORMAL	0
#define PCI_HEADER_TYPE_BRIDGE	1
#define PCI_HEADER_TYPE_CARDBUS	2

struct device {
	const void *driver;
	bool locked;
	/* somebody else has the lock */
	bool held;
};

struct pci_dev {
	struct device dev;
	struct pci_dev *above;
	int hdr_type, vfs;
	bool is_virtfn, quirk;
	int resumed;
	struct {
		unsigned int outgoing, incoming;
	} liveupdate;
};

struct pci_liveupdate_outgoing {
	unsigned int records, renewed;
};

static struct {
	struct pci_liveupdate_outgoing out;
	int flb_error, resume_error, flb_references;
	/* how many records there is room for */
	unsigned int room;
	char said[128];
} kernel;

static bool pci_liveupdate_sealed;
static unsigned int pci_liveupdate_nr_preserved;
static int pci_liveupdate_flb;
static int pci_liveupdate_lock;

#define READ_ONCE(x)			(x)
#define WRITE_ONCE(x, value)		((x) = (value))
#define guard(type)			(void)
#define device_lock_assert(device)	assert_true((device)->locked)
#define EXPORT_SYMBOL_GPL(symbol)
#define pci_name(pdev)			((pdev)->above ? "port" : "root port")
#define pci_liveupdate_say(pdev, ...)	\
	snprintf(kernel.said, sizeof(kernel.said), __VA_ARGS__)

static struct pci_dev *pci_upstream_bridge(struct pci_dev *dev)
{
	return dev->above;
}

static int pci_num_vf(struct pci_dev *dev)
{
	return dev->vfs;
}

static bool pci_dev_acs_by_quirk(struct pci_dev *dev)
{
	return dev->quirk;
}

static bool pci_liveupdate_trylock(struct pci_dev *dev)
{
	if (dev->dev.held)
		return false;
	assert_false(dev->dev.locked);
	dev->dev.locked = true;
	return true;
}

static void device_unlock(struct device *device)
{
	assert_true(device->locked);
	device->locked = false;
}

static int pm_runtime_resume_and_get(struct device *device)
{
	if (!kernel.resume_error)
		((struct pci_dev *)device)->resumed++;
	return kernel.resume_error;
}

static void pm_runtime_put(struct device *device)
{
	((struct pci_dev *)device)->resumed--;
}

static int liveupdate_flb_get_outgoing(int *flb, void **out)
{
	if (kernel.flb_error)
		return kernel.flb_error;
	kernel.flb_references++;
	*out = &kernel.out;
	return 0;
}

static void liveupdate_flb_put_outgoing(int *flb)
{
	kernel.flb_references--;
}

static int pci_liveupdate_get_outgoing(struct pci_liveupdate_outgoing *out,
				       struct pci_dev *dev)
{
	assert_true(dev->dev.locked);
	if (out->records == kernel.room)
		return -ENOMEM;
	out->records++;
	dev->liveupdate.outgoing++;
	return 0;
}

static void pci_liveupdate_put_outgoing(struct pci_liveupdate_outgoing *out,
					struct pci_dev *dev)
{
	assert_true(dev->liveupdate.outgoing);
	out->records--;
	dev->liveupdate.outgoing--;
}

static void pci_liveupdate_renew_crc(struct pci_liveupdate_outgoing *out)
{
	out->renewed++;
}

#include "cut/preserve.h"

static struct pci_dev root, port, card;

static int set_up(void **state)
{
	memset(&kernel, 0, sizeof(kernel));
	kernel.room = 3;
	pci_liveupdate_sealed = false;
	pci_liveupdate_nr_preserved = 0;
	root = (struct pci_dev){ .hdr_type = PCI_HEADER_TYPE_BRIDGE };
	port = (struct pci_dev){ .hdr_type = PCI_HEADER_TYPE_BRIDGE, .above = &root };
	card = (struct pci_dev){ .dev.driver = "driver", .above = &port };
	return 0;
}

static void expect_at_rest(void)
{
	assert_false(root.dev.locked || port.dev.locked || card.dev.locked);
	assert_int_equal(card.resumed, 0);
	assert_int_equal(kernel.flb_references, 0);
}

/* Refused with this errno and this word in the log, and nothing has changed. */
static void expect_refused(int error, const char *word)
{
	kernel.said[0] = '\0';
	assert_int_equal(pci_liveupdate_preserve(&card), error);
	assert_non_null(strstr(kernel.said, word));
	expect_at_rest();
	assert_int_equal(kernel.out.records, 0);
	assert_int_equal(pci_liveupdate_nr_preserved, 0);
}

static void test_card_and_ports(void **state)
{
	assert_int_equal(pci_liveupdate_preserve(&card), 0);
	expect_at_rest();
	assert_int_equal(card.liveupdate.outgoing, 1);
	assert_int_equal(port.liveupdate.outgoing, 1);
	assert_int_equal(root.liveupdate.outgoing, 1);
	assert_int_equal(pci_liveupdate_nr_preserved, 1);
	assert_int_equal(kernel.out.renewed, 1);
}

/* What never changes is asked first, so that no lock is waited for in vain. */
static void test_kind(void **state)
{
	card.dev.held = true;
	card.is_virtfn = true;
	expect_refused(-EOPNOTSUPP, "VF");
	card.is_virtfn = false;
	card.hdr_type = PCI_HEADER_TYPE_BRIDGE;
	expect_refused(-EOPNOTSUPP, "bridge");
	card.hdr_type = PCI_HEADER_TYPE_NORMAL;
	root.hdr_type = PCI_HEADER_TYPE_CARDBUS;
	expect_refused(-EOPNOTSUPP, "root port above it is a CardBus bridge");
	root.hdr_type = PCI_HEADER_TYPE_BRIDGE;
	for (struct pci_dev *dev = &card; dev; dev = dev->above) {
		dev->quirk = true;
		expect_refused(-EOPNOTSUPP, "quirk");
		dev->quirk = false;
	}
}

static void test_moment(void **state)
{
	card.dev.driver = NULL;
	expect_refused(-ENODEV, "no driver");
	card.dev.driver = "driver";
	pci_liveupdate_sealed = true;
	expect_refused(-EBUSY, "shutdown has begun");
	pci_liveupdate_sealed = false;
	card.liveupdate.outgoing = 1;
	expect_refused(-EBUSY, "preserved already");
	card.liveupdate.outgoing = 0;
	card.liveupdate.incoming = 1;
	expect_refused(-EBUSY, "not finished");
	card.liveupdate.incoming = 0;
	card.vfs = 1;
	expect_refused(-EOPNOTSUPP, "VFs are enabled");
	card.vfs = 0;
	kernel.flb_error = -ENOENT;
	expect_refused(-ENOENT, "no file carries");
	kernel.flb_error = 0;
	kernel.resume_error = -EIO;
	expect_refused(-EIO, "does not resume");
}

/* Each lock that is held by somebody, and those below it are given back. */
static void test_locks(void **state)
{
	card.dev.held = true;
	expect_refused(-EBUSY, "is being reset");
	card.dev.held = false;
	port.dev.held = true;
	expect_refused(-EBUSY, "port is being reset");
	port.dev.held = false;
	root.dev.held = true;
	expect_refused(-EBUSY, "root port is being reset");
}

/* A record too few, for each function on the way. */
static void test_no_room(void **state)
{
	for (kernel.room = 0; kernel.room < 3; kernel.room++) {
		expect_refused(-ENOMEM, "no room");
		assert_int_equal(card.liveupdate.outgoing, 0);
		assert_int_equal(port.liveupdate.outgoing, 0);
		assert_int_equal(root.liveupdate.outgoing, 0);
	}
	/* The records are as they were, but a new one may be among them. */
	assert_int_equal(kernel.out.renewed, 3);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_card_and_ports, set_up),
		cmocka_unit_test_setup(test_kind, set_up),
		cmocka_unit_test_setup(test_moment, set_up),
		cmocka_unit_test_setup(test_locks, set_up),
		cmocka_unit_test_setup(test_no_room, set_up),
	};

	return cmocka_run_group_tests_name("pci-preserve", tests, NULL, NULL);
}
