// SPDX-License-Identifier: GPL-2.0
#include <stdint.h>
#include <string.h>

#include "judge.h"

#define MANIFEST_TOKEN	0x494c550000000000ull

struct header {
	uint64_t magic;
	uint32_t version, zero;
	uint64_t checksum, size, generation;
	uint32_t memories, spaces, maps, devices, blobs, zero2;
};

struct memory {
	char name[64];
	uint64_t token, length;
};

struct space {
	char name[64];
	uint64_t token;
};

struct map {
	uint64_t iova, offset, length;
	uint32_t space, memory, flags, zero;
};

struct device {
	char name[64], bdf[16];
	uint16_t ids[4];
	uint32_t flags, space;
	uint64_t serial, token;
};

struct blob {
	char name[64];
	uint64_t token, length;
};

struct all {
	const struct header *header;
	const struct memory *memories;
	const struct space *spaces;
	const struct map *maps;
	const struct device *devices;
	const struct blob *blobs;
};

static uint64_t sum(const unsigned char *bytes, size_t length)
{
	uint64_t value = 14695981039346656037ull;

	for (size_t i = 0; i < length; i++)
		value = (value ^ (i >= 16 && i < 24 ? 0 : bytes[i])) * 1099511628211ull;
	return value;
}

void judge_seal(unsigned char *bytes, size_t length)
{
	struct header *header = (struct header *)bytes;

	if (length >= sizeof(*header) && header->size <= length)
		header->checksum = sum(bytes, header->size);
}

static size_t end(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (!text[i])
			return i;
	return size;
}

static int is_text(const char *text, size_t size, size_t least)
{
	size_t at = end(text, size);

	if (at == size || at < least)
		return 0;
	for (; at < size; at++)
		if (text[at])
			return 0;
	return 1;
}

#define NR_TOKENS(all) \
	((all)->header->memories + (all)->header->devices + (all)->header->blobs + (all)->header->spaces)

static uint64_t token(const struct all *all, uint32_t i)
{
	const struct header *header = all->header;

	if (i < header->memories)
		return all->memories[i].token;
	i -= header->memories;
	if (i < header->devices)
		return all->devices[i].token;
	i -= header->devices;
	return i < header->blobs ? all->blobs[i].token : all->spaces[i - header->blobs].token;
}

/* Those of spaces are one and the same file. */
static const char *judge_tokens(const struct all *all)
{
	uint32_t files = NR_TOKENS(all) - all->header->spaces;

	for (uint32_t i = 0; i < NR_TOKENS(all); i++) {
		if (token(all, i) == MANIFEST_TOKEN)
			return "a token is the manifest's";
		if (!token(all, i) && (i < files || all->header->devices))
			return "a token is none";
		for (uint32_t j = 0; j < i && j < files; j++)
			if (token(all, j) == token(all, i))
				return "a token is there twice";
	}
	return NULL;
}

static const char *judge_map(const struct all *all, const struct map *map)
{
	const struct memory *memory = &all->memories[map->memory];

	if (map->space >= all->header->spaces || map->memory >= all->header->memories)
		return "a map of nothing";
	if (!map->length || map->offset + map->length < map->offset ||
	    map->offset + map->length > memory->length)
		return "a map outside of its memory";
	if (map->iova + map->length < map->iova)
		return "a map goes round";
	if (map->flags < 1 || map->flags > 3 || map->zero)
		return "flags of a map";
	for (const struct map *other = all->maps; other < map; other++)
		if (other->space == map->space && map->iova <= other->iova + (other->length - 1) &&
		    other->iova <= map->iova + (map->length - 1))
			return "two maps at one place";
	return NULL;
}

static const char *judge_names(const struct all *all)
{
	const struct header *header = all->header;

	for (uint32_t i = 0; i < header->memories; i++) {
		if (!is_text(all->memories[i].name, 64, 1))
			return "name of a memory";
		if (!all->memories[i].length)
			return "a memory without bytes";
		for (uint32_t j = 0; j < i; j++)
			if (!strcmp(all->memories[i].name, all->memories[j].name))
				return "two memories of a name";
	}
	for (uint32_t i = 0; i < header->spaces; i++) {
		if (!is_text(all->spaces[i].name, 64, 1))
			return "name of a space";
		if (all->spaces[i].token != all->spaces[0].token)
			return "two iommufds";
		for (uint32_t j = 0; j < i; j++)
			if (!strcmp(all->spaces[i].name, all->spaces[j].name))
				return "two spaces of a name";
	}
	for (uint32_t i = 0; i < header->devices; i++) {
		const struct device *device = &all->devices[i];

		if (!is_text(device->name, 64, 1) || !is_text(device->bdf, 16, 0))
			return "name of a device";
		if (device->space >= header->spaces)
			return "a device without a space";
		if (device->flags > 1 || (!device->flags && device->serial))
			return "flags of a device";
		for (uint32_t j = 0; j < i; j++)
			if (!strcmp(device->name, all->devices[j].name))
				return "two devices of a name";
	}
	for (uint32_t i = 0; i < header->blobs; i++) {
		if (!is_text(all->blobs[i].name, 64, 1))
			return "name of a blob";
		if (all->blobs[i].length > (uint64_t)INT64_MAX)
			return "a blob that is too long";
	}
	return NULL;
}

const char *judge(const unsigned char *bytes, size_t length)
{
	const struct header *header = (const struct header *)bytes;
	const char *wrong;
	struct all all;

	if (length < sizeof(*header) || header->size > length || header->size > 256 << 10)
		return "its size";
	if (header->magic != 0x747365666e616d49ull || header->version != 1 || header->zero ||
	    header->zero2)
		return "its header";
	if (header->checksum != sum(bytes, header->size))
		return "its checksum";
	all.header = header;
	all.memories = (const void *)(header + 1);
	all.spaces = (const void *)(all.memories + header->memories);
	all.maps = (const void *)(all.spaces + header->spaces);
	all.devices = (const void *)(all.maps + header->maps);
	all.blobs = (const void *)(all.devices + header->devices);
	if ((const unsigned char *)(all.blobs + header->blobs) != bytes + header->size)
		return "its counts";
	wrong = judge_names(&all);
	if (!wrong)
		wrong = judge_tokens(&all);
	for (uint32_t i = 0; i < header->maps && !wrong; i++)
		wrong = judge_map(&all, &all.maps[i]);
	return wrong;
}
