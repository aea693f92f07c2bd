// SPDX-License-Identifier: GPL-2.0
/* The form in which a saved config space is handed over, there and back. */
#include "test.h"
#include "state.h"

static void test_there_and_back(void **unused)
{
	struct pci_saved_state *before = state_new(), *after;
	struct pci_saved_state_ser *ser;
	size_t len;

	ser = state_export(&len);
	assert_int_equal(len, 72 + 8 + 16 + 8 + 4 + 8 + 16);
	assert_int_equal(ser->length, len);
	assert_int_equal(ser->nr_caps, 3);
	after = state_import(&device, ser, len);
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

	state = state_import(&device, &ser, sizeof(ser));
	assert_false(IS_ERR(state) || !state);
	assert_int_equal(state->cap[0].size, 0);
	free(state);
}

/* Cut off anywhere, whether or not it says so itself */
static void test_cut_off(void **unused)
{
	struct pci_saved_state_ser *ser, *part;
	size_t len;

	ser = state_export(&len);
	for (size_t i = 0; i < len; i++) {
		part = malloc(i ?: 1);
		memcpy(part, ser, i);
		assert_int_equal(PTR_ERR(state_import(&device, part, i)), -EINVAL);
		if (i >= sizeof(*ser)) {
			part->length = i;
			assert_int_equal(PTR_ERR(state_import(&device, part, i)), -EINVAL);
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

#define ALTERED struct pci_saved_state_ser *ser
DEFINE_ALTERATIONS(int result;);

static void test_alteration(void **state)
{
	const struct alteration *a = *state;
	struct pci_saved_state_ser *ser;
	size_t len;

	ser = state_export(&len);
	a->alter(ser);
	assert_int_equal(PTR_ERR(state_import(&device, ser, len)), a->result);
	free(ser);
}

static void test_no_memory(void **unused)
{
	struct pci_saved_state_ser *ser;
	size_t len;

	ser = state_export(&len);
	kzalloc_fails = 1;
	assert_int_equal(PTR_ERR(state_import(&device, ser, len)), -ENOMEM);
	free(ser);
}

struct flipped {
	struct pci_saved_state_ser *ser;
	size_t len;
	unsigned int sound;
};

/* Refused, no use, or a list that ends where its memory does */
static void count_sound(void *arg, unsigned char *byte)
{
	struct flipped *flipped = arg;
	struct pci_saved_state *state = state_import(&device, flipped->ser, flipped->len);

	if (IS_ERR(state) || !state)
		return;
	assert_true(state_len(state) <= flipped->len + 4 * sizeof(struct pci_cap_saved_data));
	flipped->sound++;
	free(state);
}

static void test_every_byte_flipped(void **unused)
{
	struct flipped flipped = {};
	struct bytes all;

	flipped.ser = state_export(&flipped.len);
	all = (struct bytes){ flipped.ser, flipped.len };
	assert_int_equal(bytes_flip_each(&all, 1, count_sound, &flipped), 3 * flipped.len);
	/* The header's bytes, and those of the capabilities */
	assert_int_equal(flipped.sound, 3 * (64 + 14 + 2 + 16));
	free(flipped.ser);
}

int main(void)
{
	static const struct CMUnitTest fixed[] = {
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_no_caps),
		cmocka_unit_test(test_cut_off),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_every_byte_flipped),
	};

	return RUN_TESTS_AND_TABLE("pci-state", fixed, test_alteration, alterations);
}
