// SPDX-License-Identifier: GPL-2.0
#include "state.h"

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

#include "cut/state.h"

struct pci_dev device = { .caps = {
	{ .cap = { .cap_nr = 0x10, .size = 14 } },
	{ .cap = { .cap_nr = 0x11, .size = 2 } },
	{ .cap = { .cap_nr = 0x10, .cap_extended = true, .size = 16 } },
} };

struct pci_saved_state *state_new(void)
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

size_t state_len(const struct pci_saved_state *state)
{
	const struct pci_cap_saved_data *cap = state->cap;

	while (cap->size)
		cap = (const void *)cap + sizeof(*cap) + cap->size;
	return (const char *)(cap + 1) - (const char *)state;
}

struct pci_saved_state_ser *state_export(size_t *len)
{
	struct pci_saved_state *state = state_new();
	struct pci_saved_state_ser *ser;

	*len = pci_export_saved_state(state, NULL);
	ser = calloc(1, *len);
	if (pci_export_saved_state(state, ser) != *len)
		abort();
	free(state);
	return ser;
}

struct pci_saved_state *state_import(struct pci_dev *dev, const struct pci_saved_state_ser *ser, size_t len)
{
	return pci_import_saved_state(dev, ser, len);
}
