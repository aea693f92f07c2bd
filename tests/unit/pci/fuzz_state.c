// SPDX-License-Identifier: GPL-2.0
/* Fuzzer of pci_import_saved_state(): refused, no use, or a list that ends where its memory does. */
#include "fuzz.h"
#include "state.h"

/* What has a meaning more often than what has none */
static void edit(struct pci_saved_state_ser *ser, size_t len)
{
	const struct bytes areas[] = {
		{ ser, offsetof(struct pci_saved_state_ser, config_space) },
		{ ser->caps, len - sizeof(*ser) },
		{ ser->config_space, sizeof(ser->config_space) },
	};

	fuzz_edit(areas, fuzz_u32() % 8 ? 2 : 3, 0);
}

static const struct pci_cap_saved_data *known(const struct pci_cap_saved_data *cap)
{
	struct pci_cap_saved_state *state = cap->cap_extended ?
		pci_find_saved_ext_cap(&device, cap->cap_nr) : pci_find_saved_cap(&device, cap->cap_nr);

	return state ? &state->cap : NULL;
}

/* A list of what this kernel knows, which accounts for every byte that was handed over */
static void require_sound(const struct pci_saved_state *state, const struct pci_saved_state_ser *ser, size_t len)
{
	const struct pci_cap_saved_data *cap = state->cap;
	const u8 *from = ser->caps;
	u32 nr = 0;

	require(ser->length == len);
	require(!memcmp(state->config_space, ser->config_space, sizeof(ser->config_space)));
	for (; cap->size; nr++) {
		const struct pci_saved_cap_ser *saved = (const void *)from;
		u32 filled = (cap->size + 3) / 4 * 4;

		require(known(cap) && known(cap)->size == cap->size);
		require(saved->cap == cap->cap_nr && saved->extended == cap->cap_extended);
		require(saved->length == cap->size && !memcmp(saved->data, cap->data, cap->size));
		for (u32 i = cap->size; i < filled; i++)
			require(!saved->data[i]);
		from += sizeof(*saved) + filled;
		cap = (const void *)cap + sizeof(*cap) + cap->size;
	}
	require(nr == ser->nr_caps && from == (const u8 *)ser + len);
}

static bool fuzz_state(void)
{
	struct pci_saved_state *state;
	struct pci_saved_state_ser *ser;
	size_t whole, len;

	ser = state_export(&whole);
	len = fuzz_u32() % 8 ? whole : fuzz_u32() % whole;
	for (unsigned int edits = fuzz_edits(4); edits; edits--)
		edit(ser, whole);
	if (fuzz_seals())
		ser->length = len;
	/* Memory that ends there */
	ser = realloc(ser, len ?: 1);

	state = state_import(&device, ser, len);
	if (!IS_ERR(state) && state)
		require_sound(state, ser, len);
	free(ser);
	if (IS_ERR(state) || !state)
		return false;
	free(state);
	return true;
}

const struct fuzz_target fuzz_targets[] = {
	{ "saved state", fuzz_state, 100000, 90 },
	{}
};
