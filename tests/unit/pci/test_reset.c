// SPDX-License-Identifier: GPL-2.0
/*
 * The reset of a function that goes on with DMA, as cut out of
 * drivers/pci/liveupdate_finish.c by the Makefile: what it is refused for, and that
 * locks and config space are what they were, whatever happens.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <linux/types.h>

#define PCI_D0				0
#define PCI_COMMAND			4
#define PCI_COMMAND_MASTER		4
#define PCI_COMMAND_INTX_DISABLE	0x400

struct device {
	bool locked;
};

struct pci_dev {
	struct device dev;
	struct pci_dev *above;
	bool held;		/* somebody else has the lock */
	bool ats, incoming;
	int power, resets;
	u16 command, saved;
};

static struct {
	bool reset_supported, found;
	int reset_error;
	u16 command_at_reset;
	char said[128];
} kernel;

static struct pci_dev port, card;

/* For __free(pci_dev_put): the reference that abandon takes. */
static int references;

static void put_reference(struct pci_dev **dev)
{
	if (*dev)
		references--;
}

#define __free(how)			__attribute__((cleanup(put_reference)))
#define device_lock_assert(device)	assert_true((device)->locked)
#define EXPORT_SYMBOL_GPL(symbol)
#define PCI_BUS_NUM(rid)		((rid) >> 8)
#define EXPORT_SYMBOL_GPL(symbol)
#define pci_liveupdate_say(pdev, ...)	\
	snprintf(kernel.said, sizeof(kernel.said), __VA_ARGS__)

static struct pci_dev *pci_upstream_bridge(struct pci_dev *dev)
{
	return dev->above;
}

static bool pci_reset_supported(struct pci_dev *dev)
{
	return kernel.reset_supported;
}

static bool pci_ats_supported(struct pci_dev *dev)
{
	return dev->ats;
}

static bool pci_liveupdate_incoming(struct pci_dev *dev)
{
	return dev->incoming;
}

static bool pci_liveupdate_trylock_reset(struct pci_dev *dev)
{
	if (dev->held)
		return false;
	assert_false(dev->dev.locked);
	dev->dev.locked = true;
	return true;
}

static void pci_dev_unlock(struct pci_dev *dev)
{
	assert_true(dev->dev.locked);
	dev->dev.locked = false;
}

static void pci_set_power_state(struct pci_dev *dev, int state)
{
	dev->power = state;
}

static void pci_save_state(struct pci_dev *dev)
{
	dev->saved = dev->command;
}

static void pci_restore_state(struct pci_dev *dev)
{
	dev->command = dev->saved;
}

static void pci_write_config_word(struct pci_dev *dev, int where, u16 value)
{
	assert_int_equal(where, PCI_COMMAND);
	dev->command = value;
}

static int __pci_reset_function_locked(struct pci_dev *dev)
{
	assert_true(dev->dev.locked && (!dev->above || dev->above->dev.locked));
	assert_int_equal(dev->power, PCI_D0);
	kernel.command_at_reset = dev->command;
	if (!kernel.reset_error) {
		dev->resets++;
		dev->command = 0;
	}
	return kernel.reset_error;
}

static void pci_liveupdate_silence(struct pci_dev *dev)
{
	dev->command &= ~PCI_COMMAND_MASTER;
}

static struct pci_dev *pci_get_domain_bus_and_slot(u32 segment, unsigned int bus,
						   unsigned int devfn)
{
	assert_true(bus == 2 && devfn == 8);
	if (!kernel.found)
		return NULL;
	references++;
	return &card;
}

#include "cut/reset.h"

static int set_up(void **state)
{
	memset(&kernel, 0, sizeof(kernel));
	kernel.reset_supported = kernel.found = true;
	references = 0;
	port = (struct pci_dev){ .command = PCI_COMMAND_MASTER };
	card = (struct pci_dev){
		.above = &port, .power = 3, .command = PCI_COMMAND_MASTER, .incoming = true,
	};
	return 0;
}

static void expect_unlocked(void)
{
	assert_false(port.dev.locked || card.dev.locked);
	assert_int_equal(references, 0);
}

static void expect_refused(int error, const char *word)
{
	assert_int_equal(pci_liveupdate_reset(&card), error);
	assert_non_null(strstr(kernel.said, word));
	assert_int_equal(card.resets, 0);
	assert_int_equal(card.command, PCI_COMMAND_MASTER);
	expect_unlocked();
}

/* Reset with bus mastering off; afterwards all is as its owner had it. */
static void test_reset(void **state)
{
	assert_int_equal(pci_liveupdate_reset(&card), 0);
	assert_int_equal(card.resets, 1);
	assert_int_equal(kernel.command_at_reset, PCI_COMMAND_INTX_DISABLE);
	assert_int_equal(card.command, PCI_COMMAND_MASTER);
	expect_unlocked();
}

static void test_on_the_root_bus(void **state)
{
	card.above = NULL;
	assert_int_equal(pci_liveupdate_reset(&card), 0);
	expect_unlocked();
	card.held = true;
	card.resets = 0;
	expect_refused(-EBUSY, "being removed");
}

static void test_refused(void **state)
{
	card.ats = true;
	expect_refused(-EBUSY, "its translation would stop");
	card.ats = false;
	kernel.reset_supported = false;
	expect_refused(-ENOTTY, "no way to reset it");
	kernel.reset_supported = true;
	port.held = true;
	expect_refused(-EBUSY, "being removed");
	port.held = false;
	card.held = true;
	expect_refused(-EBUSY, "being removed");
	card.held = false;
	kernel.reset_error = -EIO;
	expect_refused(-EIO, "reset failed");
}

/* Silenced in any case; told apart is only whether it was reset. */
static void test_abandon(void **state)
{
	assert_true(pci_liveupdate_abandon(0, 0x208));
	assert_int_equal(card.resets, 1);
	assert_int_equal(card.command, 0);
	expect_unlocked();

	set_up(NULL);
	card.held = true;
	assert_false(pci_liveupdate_abandon(0, 0x208));
	assert_int_equal(card.command, 0);
	expect_unlocked();
}

static void test_abandon_nothing(void **state)
{
	card.incoming = false;
	assert_false(pci_liveupdate_abandon(0, 0x208));
	assert_int_equal(card.command, PCI_COMMAND_MASTER);
	expect_unlocked();
	kernel.found = false;
	assert_false(pci_liveupdate_abandon(0, 0x208));
	expect_unlocked();
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_reset, set_up),
		cmocka_unit_test_setup(test_on_the_root_bus, set_up),
		cmocka_unit_test_setup(test_refused, set_up),
		cmocka_unit_test_setup(test_abandon, set_up),
		cmocka_unit_test_setup(test_abandon_nothing, set_up),
	};

	return cmocka_run_group_tests_name("pci-reset", tests, NULL, NULL);
}
