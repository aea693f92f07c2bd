// SPDX-License-Identifier: GPL-2.0
/*
 * The form in which a saved config space is handed over: pci_export_saved_state()
 * and pci_import_saved_state(), as cut out of drivers/pci by the Makefile.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "shims.h"

struct pci_cap_saved_state {
	struct pci_cap_saved_data cap;
};

/* What this kernel saves of the device under test */
struct pci_dev {
	struct pci_cap_saved_state caps[4];
};

unsigned int kzalloc_fails;

static struct pci_cap_saved_state *find(struct pci_dev *dev, u16 cap, bool extended)
{
	for (int i = 0; i < 4; i++)
		if (dev->caps[i].cap.size && dev->caps[i].cap.cap_nr == cap &&
		    dev->caps[i].cap.cap_extended == extended)
			return &dev->caps[i];
	return NULL;
}

struct pci_cap_saved_state *pci_find_saved_cap(struct pci_dev *dev, char cap)
{
	return find(dev, cap, false);
}

struct pci_cap_saved_state *pci_find_saved_ext_cap(struct pci_dev *dev, u16 cap)
{
	return find(dev, cap, true);
}

#include "cut/state.c"

/* PCI Express with its odd length, MSI-X, and two extended ones of one number */
static struct pci_dev device = { .caps = {
	{ .cap = { .cap_nr = 0x10, .size = 14 } },
	{ .cap = { .cap_nr = 0x11, .size = 2 } },
	{ .cap = { .cap_nr = 0x10, .cap_extended = true, .size = 16 } },
} };

static struct pci_saved_state *state_new(void)
{
	size_t size = sizeof(struct pci_saved_state) + 4 * sizeof(struct pci_cap_saved_data) + 32;
	struct pci_saved_state *state = calloc(1, size);
	struct pci_cap_saved_data *cap = state->cap;

	for (int i = 0; i < 16; i++)
		state->config_space[i] = 0x01010101 * (i + 1);
	for (int i = 0; i < 3; i++) {
		*cap = device.caps[i].cap;
		memset(cap->data, 0xa0 + i, cap->size);
		cap = (void *)cap + sizeof(*cap) + cap->size;
	}
	return state;
}

static size_t state_len(const struct pci_saved_state *state)
{
	const struct pci_cap_saved_data *cap = state->cap;

	while (cap->size)
		cap = (const void *)cap + sizeof(*cap) + cap->size;
	return (const char *)(cap + 1) - (const char *)state;
}

static struct pci_saved_state_ser *export_new(size_t *len)
{
	struct pci_saved_state *state = state_new();
	struct pci_saved_state_ser *ser;

	*len = pci_export_saved_state(state, NULL);
	ser = calloc(1, *len);
	assert_int_equal(pci_export_saved_state(state, ser), *len);
	free(state);
	return ser;
}

static void test_there_and_back(void **unused)
{
	struct pci_saved_state *before = state_new(), *after;
	struct pci_saved_state_ser *ser;
	size_t len;

	ser = export_new(&len);
	assert_int_equal(len, 72 + 8 + 16 + 8 + 4 + 8 + 16);
	assert_int_equal(ser->length, len);
	assert_int_equal(ser->nr_caps, 3);
	after = pci_import_saved_state(&device, ser, len);
	assert_false(IS_ERR(after) || !after);
	assert_int_equal(state_len(after), state_len(before));
	assert_memory_equal(after, before, state_len(before));
	free(after);
	free(before);
	free(ser);
}

static void test_no_caps(void **unused)
{
	struct pci_saved_state_ser ser = { .length = sizeof(ser) };
	struct pci_saved_state *state;

	state = pci_import_saved_state(&device, &ser, sizeof(ser));
	assert_false(IS_ERR(state) || !state);
	assert_int_equal(state->cap[0].size, 0);
	free(state);
}

/* Cut off anywhere, whether or not it says so itself */
static void test_cut_off(void **unused)
{
	struct pci_saved_state_ser *ser, *part;
	size_t len;

	ser = export_new(&len);
	for (size_t i = 0; i < len; i++) {
		part = malloc(i ?: 1);
		memcpy(part, ser, i);
		assert_int_equal(PTR_ERR(pci_import_saved_state(&device, part, i)), -EINVAL);
		if (i >= sizeof(*ser)) {
			part->length = i;
			assert_int_equal(PTR_ERR(pci_import_saved_state(&device, part, i)), -EINVAL);
		}
		free(part);
	}
	free(ser);
}

static struct pci_saved_cap_ser *first_cap(struct pci_saved_state_ser *ser)
{
	return (struct pci_saved_cap_ser *)ser->caps;
}

/* X(name, what is altered, what import gives; 0: no use to this kernel) */
#define ALTERATIONS(X) \
X(length_more, ser->length += 4, -EINVAL) \
X(length_less, ser->length -= 4, -EINVAL) \
X(length_0, ser->length = 0, -EINVAL) \
X(length_huge, ser->length = ~0u, -EINVAL) \
X(nr_more, ser->nr_caps++, -EINVAL) \
X(nr_less, ser->nr_caps--, -EINVAL) \
X(nr_0, ser->nr_caps = 0, -EINVAL) \
X(nr_huge, ser->nr_caps = ~0u, -EINVAL) \
X(cap_length_0, first_cap(ser)->length = 0, -EINVAL) \
X(cap_length_more, first_cap(ser)->length = 16, 0) \
X(cap_length_less, first_cap(ser)->length = 12, 0) \
X(cap_length_end, first_cap(ser)->length = ser->length - 72 - 8 + 1, -EINVAL) \
X(cap_length_huge, first_cap(ser)->length = ~0u, -EINVAL) \
X(cap_length_wraps, first_cap(ser)->length = ~0u - 7, -EINVAL) \
X(cap_unknown, first_cap(ser)->cap = 0x99, 0) \
X(cap_kind, first_cap(ser)->extended = 1, 0) \
X(cap_high, first_cap(ser)->cap = 0x110, -EINVAL) \
X(cap_filled, first_cap(ser)->data[15] = 1, -EINVAL) \
X(cap_extended_2, first_cap(ser)->extended = 2, -EINVAL)

#define ALTER_FUNCTION(name, what, result) \
static void alter_##name(struct pci_saved_state_ser *ser) { what; }
ALTERATIONS(ALTER_FUNCTION)

struct alteration {
	const char *name;
	void (*alter)(struct pci_saved_state_ser *ser);
	int result;
};

#define ALTER_ENTRY(name, what, result) { #name, alter_##name, result },
static const struct alteration alterations[] = { ALTERATIONS(ALTER_ENTRY) };
#define NR_ALTERATIONS (sizeof(alterations) / sizeof(alterations[0]))

static void test_alteration(void **state)
{
	const struct alteration *a = *state;
	struct pci_saved_state_ser *ser;
	size_t len;

	ser = export_new(&len);
	a->alter(ser);
	assert_int_equal(PTR_ERR(pci_import_saved_state(&device, ser, len)), a->result);
	free(ser);
}

static void test_no_memory(void **unused)
{
	struct pci_saved_state_ser *ser;
	size_t len;

	ser = export_new(&len);
	kzalloc_fails = 1;
	assert_int_equal(PTR_ERR(pci_import_saved_state(&device, ser, len)), -ENOMEM);
	free(ser);
}

/* Refused, no use, or a list that ends where its memory does */
static bool import_is_sound(const struct pci_saved_state_ser *ser, size_t len)
{
	struct pci_saved_state *state = pci_import_saved_state(&device, ser, len);

	if (IS_ERR(state) || !state)
		return false;
	assert_true(state_len(state) <= len + 4 * sizeof(struct pci_cap_saved_data));
	free(state);
	return true;
}

static void test_every_byte_flipped(void **unused)
{
	static const unsigned char masks[] = { 0x01, 0x80, 0xff };
	struct pci_saved_state_ser *ser;
	unsigned int sound = 0;
	unsigned char *bytes;
	size_t len;

	ser = export_new(&len);
	bytes = (unsigned char *)ser;
	for (size_t i = 0; i < len; i++) {
		for (size_t j = 0; j < sizeof(masks); j++) {
			bytes[i] ^= masks[j];
			sound += import_is_sound(ser, len);
			bytes[i] ^= masks[j];
		}
	}
	/* The header's bytes, and those of the capabilities */
	assert_int_equal(sound, 3 * (64 + 14 + 2 + 16));
	free(ser);
}

static void test_random_bytes(void **unused)
{
	unsigned int sound = 0;

	srandom(1);
	for (int i = 0; i < 100000; i++) {
		struct pci_saved_state_ser *ser;
		size_t len;

		ser = export_new(&len);
		for (int edits = random() % 4; edits >= 0; edits--) {
			/* what has a meaning more often than what has none */
			size_t at = random() % 2 ? random() % 8 : 72 + random() % (len - 72);

			((unsigned char *)ser)[at] = random() % 2 ? random() : random() % 20;
		}
		if (random() % 4)
			ser->length = len;
		sound += import_is_sound(ser, len);
		free(ser);
	}
	assert_in_range(sound, 1000, 90000);
}

int main(void)
{
	static const struct CMUnitTest fixed[] = {
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_no_caps),
		cmocka_unit_test(test_cut_off),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_every_byte_flipped),
		cmocka_unit_test(test_random_bytes),
	};
	static struct CMUnitTest all[sizeof(fixed) / sizeof(fixed[0]) + NR_ALTERATIONS];
	size_t nr = sizeof(fixed) / sizeof(fixed[0]);

	memcpy(all, fixed, sizeof(fixed));
	for (size_t i = 0; i < NR_ALTERATIONS; i++)
		all[nr + i] = (struct CMUnitTest){
			.name = alterations[i].name,
			.test_func = test_alteration,
			.initial_state = (void *)&alterations[i],
		};
	return _cmocka_run_group_tests("pci-state", all, nr + NR_ALTERATIONS, NULL, NULL);
}
