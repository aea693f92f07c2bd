// SPDX-License-Identifier: LGPL-2.1-or-later
#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "manifest.h"

#define MAGIC		0x747365666e616d49ull	/* "Imanfest" */

/* Offsets in the header */
#define AT_MAGIC	0
#define AT_VERSION	8
#define AT_CHECKSUM	16
#define AT_SIZE		24
#define AT_GENERATION	32
#define AT_COUNTS	40
#define AT_RESERVED	60

#define NAME_SIZE	(ILU_NAME_MAX + 1)

_Static_assert(AT_RESERVED + 4 == ILU_HEADER_SIZE, "header");
_Static_assert(NAME_SIZE + 8 + 8 == ILU_MEMORY_SIZE, "memory");
_Static_assert(NAME_SIZE + 8 == ILU_SPACE_SIZE, "space");
_Static_assert(3 * 8 + 4 * 4 == ILU_MAP_SIZE, "map");
_Static_assert(NAME_SIZE + ILU_BDF_SIZE + 4 * 2 + 2 * 4 + 2 * 8 == ILU_DEVICE_SIZE, "device");
_Static_assert(NAME_SIZE + 8 + 8 == ILU_BLOB_SIZE, "blob");

/* ---- numbers and names; the place moves on ---- */

static uint16_t get16(const uint8_t **at)
{
	uint16_t value;

	memcpy(&value, *at, sizeof(value));
	*at += sizeof(value);
	return le16toh(value);
}

static uint32_t get32(const uint8_t **at)
{
	uint32_t value;

	memcpy(&value, *at, sizeof(value));
	*at += sizeof(value);
	return le32toh(value);
}

static uint64_t get64(const uint8_t **at)
{
	uint64_t value;

	memcpy(&value, *at, sizeof(value));
	*at += sizeof(value);
	return le64toh(value);
}

static void get_text(const uint8_t **at, char *text, size_t size)
{
	memcpy(text, *at, size);
	*at += size;
}

static void put16(uint8_t **at, uint16_t value)
{
	value = htole16(value);
	memcpy(*at, &value, sizeof(value));
	*at += sizeof(value);
}

static void put32(uint8_t **at, uint32_t value)
{
	value = htole32(value);
	memcpy(*at, &value, sizeof(value));
	*at += sizeof(value);
}

static void put64(uint8_t **at, uint64_t value)
{
	value = htole64(value);
	memcpy(*at, &value, sizeof(value));
	*at += sizeof(value);
}

/* The rest is zero, so that the same objects make the same bytes. */
static void put_text(uint8_t **at, const char *text, size_t size)
{
	memset(*at, 0, size);
	memcpy(*at, text, strnlen(text, size - 1));
	*at += size;
}

/* FNV-1a: it tells any one byte that was changed. The field itself counts as zero. */
static uint64_t checksum_of(const uint8_t *bytes, size_t size)
{
	uint64_t sum = 0xcbf29ce484222325ull;

	for (size_t i = 0; i < size; i++) {
		if (i < AT_CHECKSUM || i >= AT_CHECKSUM + sizeof(sum))
			sum ^= bytes[i];
		sum *= 0x100000001b3ull;
	}
	return sum;
}

/* ---- where what is ---- */

/* Counts are 32 bits wide and records short: this does not overflow. */
static uint64_t size_of(const struct ilu_counts *nr)
{
	return ILU_HEADER_SIZE + (uint64_t)nr->memories * ILU_MEMORY_SIZE +
	       (uint64_t)nr->spaces * ILU_SPACE_SIZE + (uint64_t)nr->maps * ILU_MAP_SIZE +
	       (uint64_t)nr->devices * ILU_DEVICE_SIZE + (uint64_t)nr->blobs * ILU_BLOB_SIZE;
}

size_t ilu_manifest_size(const struct ilu_counts *nr)
{
	return size_of(nr);
}

static uint8_t *memory_at(const struct ilu_manifest *manifest, uint32_t number)
{
	return manifest->bytes + ILU_HEADER_SIZE + (size_t)number * ILU_MEMORY_SIZE;
}

static uint8_t *space_at(const struct ilu_manifest *manifest, uint32_t number)
{
	return memory_at(manifest, manifest->nr.memories) + (size_t)number * ILU_SPACE_SIZE;
}

static uint8_t *map_at(const struct ilu_manifest *manifest, uint32_t number)
{
	return space_at(manifest, manifest->nr.spaces) + (size_t)number * ILU_MAP_SIZE;
}

static uint8_t *device_at(const struct ilu_manifest *manifest, uint32_t number)
{
	return map_at(manifest, manifest->nr.maps) + (size_t)number * ILU_DEVICE_SIZE;
}

static uint8_t *blob_at(const struct ilu_manifest *manifest, uint32_t number)
{
	return device_at(manifest, manifest->nr.devices) + (size_t)number * ILU_BLOB_SIZE;
}

/* ---- records ---- */

void ilu_manifest_memory(const struct ilu_manifest *manifest, uint32_t number,
			 struct ilu_memory_record *record)
{
	const uint8_t *at = memory_at(manifest, number);

	get_text(&at, record->name, sizeof(record->name));
	record->token = get64(&at);
	record->length = get64(&at);
}

void ilu_manifest_put_memory(struct ilu_manifest *manifest, uint32_t number,
			     const struct ilu_memory_record *record)
{
	uint8_t *at = memory_at(manifest, number);

	put_text(&at, record->name, sizeof(record->name));
	put64(&at, record->token);
	put64(&at, record->length);
}

void ilu_manifest_space(const struct ilu_manifest *manifest, uint32_t number,
			struct ilu_space_record *record)
{
	const uint8_t *at = space_at(manifest, number);

	get_text(&at, record->name, sizeof(record->name));
	record->iommufd_token = get64(&at);
}

void ilu_manifest_put_space(struct ilu_manifest *manifest, uint32_t number,
			    const struct ilu_space_record *record)
{
	uint8_t *at = space_at(manifest, number);

	put_text(&at, record->name, sizeof(record->name));
	put64(&at, record->iommufd_token);
}

void ilu_manifest_map(const struct ilu_manifest *manifest, uint32_t number,
		      struct ilu_map_record *record)
{
	const uint8_t *at = map_at(manifest, number);

	record->iova = get64(&at);
	record->offset = get64(&at);
	record->length = get64(&at);
	record->space = get32(&at);
	record->memory = get32(&at);
	record->flags = get32(&at);
}

void ilu_manifest_put_map(struct ilu_manifest *manifest, uint32_t number,
			  const struct ilu_map_record *record)
{
	uint8_t *at = map_at(manifest, number);

	put64(&at, record->iova);
	put64(&at, record->offset);
	put64(&at, record->length);
	put32(&at, record->space);
	put32(&at, record->memory);
	put32(&at, record->flags);
	put32(&at, 0);
}

void ilu_manifest_device(const struct ilu_manifest *manifest, uint32_t number,
			 struct ilu_device_record *record)
{
	const uint8_t *at = device_at(manifest, number);

	get_text(&at, record->name, sizeof(record->name));
	get_text(&at, record->bdf, sizeof(record->bdf));
	record->ids.vendor = get16(&at);
	record->ids.device = get16(&at);
	record->ids.subsystem_vendor = get16(&at);
	record->ids.subsystem = get16(&at);
	record->ids.flags = get32(&at);
	record->space = get32(&at);
	record->ids.serial = get64(&at);
	record->token = get64(&at);
}

void ilu_manifest_put_device(struct ilu_manifest *manifest, uint32_t number,
			     const struct ilu_device_record *record)
{
	uint8_t *at = device_at(manifest, number);

	put_text(&at, record->name, sizeof(record->name));
	put_text(&at, record->bdf, sizeof(record->bdf));
	put16(&at, record->ids.vendor);
	put16(&at, record->ids.device);
	put16(&at, record->ids.subsystem_vendor);
	put16(&at, record->ids.subsystem);
	put32(&at, record->ids.flags);
	put32(&at, record->space);
	put64(&at, record->ids.serial);
	put64(&at, record->token);
}

void ilu_manifest_blob(const struct ilu_manifest *manifest, uint32_t number,
		       struct ilu_blob_record *record)
{
	const uint8_t *at = blob_at(manifest, number);

	get_text(&at, record->name, sizeof(record->name));
	record->token = get64(&at);
	record->length = get64(&at);
}

void ilu_manifest_put_blob(struct ilu_manifest *manifest, uint32_t number,
			   const struct ilu_blob_record *record)
{
	uint8_t *at = blob_at(manifest, number);

	put_text(&at, record->name, sizeof(record->name));
	put64(&at, record->token);
	put64(&at, record->length);
}

void ilu_manifest_seal(struct ilu_manifest *manifest)
{
	uint8_t *at = manifest->bytes;

	manifest->size = size_of(&manifest->nr);
	put64(&at, MAGIC);
	put32(&at, ILU_MANIFEST_VERSION);
	put32(&at, 0);
	put64(&at, 0);
	put64(&at, manifest->size);
	put64(&at, manifest->generation);
	put32(&at, manifest->nr.memories);
	put32(&at, manifest->nr.spaces);
	put32(&at, manifest->nr.maps);
	put32(&at, manifest->nr.devices);
	put32(&at, manifest->nr.blobs);
	put32(&at, 0);
	at = manifest->bytes + AT_CHECKSUM;
	put64(&at, checksum_of(manifest->bytes, manifest->size));
}

/* ---- the check ---- */

int ilu_manifest_header(const uint8_t header[ILU_HEADER_SIZE], size_t *length)
{
	const uint8_t *at = header;
	uint32_t version;
	uint64_t size;

	if (get64(&at) != MAGIC)
		return -EBADMSG;
	/* What follows the version may be anything in a newer one. */
	version = get32(&at);
	if (version > ILU_MANIFEST_VERSION)
		return -EPROTONOSUPPORT;
	at = header + AT_SIZE;
	size = get64(&at);
	if (version != ILU_MANIFEST_VERSION || size < ILU_HEADER_SIZE || size > ILU_MANIFEST_LONGEST)
		return -EBADMSG;
	*length = size;
	return 0;
}

static bool header_is_sound(struct ilu_manifest *manifest)
{
	const uint8_t *at = manifest->bytes + AT_VERSION + 4;
	uint64_t checksum;

	if (get32(&at))
		return false;
	checksum = get64(&at);
	at = manifest->bytes + AT_GENERATION;
	manifest->generation = get64(&at);
	manifest->nr.memories = get32(&at);
	manifest->nr.spaces = get32(&at);
	manifest->nr.maps = get32(&at);
	manifest->nr.devices = get32(&at);
	manifest->nr.blobs = get32(&at);
	return !get32(&at) && size_of(&manifest->nr) == manifest->size &&
	       checksum_of(manifest->bytes, manifest->size) == checksum;
}

/* Ends, and nothing is behind its end. */
static bool text_is_sound(const char *text, size_t size)
{
	size_t length = strnlen(text, size);

	if (length == size)
		return false;
	while (length < size)
		if (text[length++])
			return false;
	return true;
}

static bool name_is_sound(const char *name)
{
	return name[0] && text_is_sound(name, NAME_SIZE);
}

/* All records of a kind begin with the name. */
static bool name_is_new(const uint8_t *first, size_t size, uint32_t number)
{
	for (uint32_t i = 0; i < number; i++)
		if (!memcmp(first + i * size, first + number * size, NAME_SIZE))
			return false;
	return true;
}

static bool memory_is_sound(const struct ilu_manifest *manifest, uint32_t number)
{
	struct ilu_memory_record memory;

	ilu_manifest_memory(manifest, number, &memory);
	return name_is_sound(memory.name) && memory.length &&
	       name_is_new(memory_at(manifest, 0), ILU_MEMORY_SIZE, number);
}

static uint64_t iommufd_token(const struct ilu_manifest *manifest)
{
	struct ilu_space_record space;

	if (!manifest->nr.spaces)
		return 0;
	ilu_manifest_space(manifest, 0, &space);
	return space.iommufd_token;
}

static bool space_is_sound(const struct ilu_manifest *manifest, uint32_t number)
{
	struct ilu_space_record space;

	ilu_manifest_space(manifest, number, &space);
	return name_is_sound(space.name) && space.iommufd_token == iommufd_token(manifest) &&
	       name_is_new(space_at(manifest, 0), ILU_SPACE_SIZE, number);
}

static bool maps_overlap(const struct ilu_map_record *one, const struct ilu_map_record *other)
{
	return one->space == other->space && one->iova < other->iova + other->length &&
	       other->iova < one->iova + one->length;
}

static bool map_is_new(const struct ilu_manifest *manifest, uint32_t number,
		       const struct ilu_map_record *map)
{
	for (uint32_t i = 0; i < number; i++) {
		struct ilu_map_record before;

		ilu_manifest_map(manifest, i, &before);
		if (maps_overlap(&before, map))
			return false;
	}
	return true;
}

static bool map_is_sound(const struct ilu_manifest *manifest, uint32_t number)
{
	const uint8_t *reserved = map_at(manifest, number) + ILU_MAP_SIZE - 4;
	struct ilu_memory_record memory;
	struct ilu_map_record map;

	ilu_manifest_map(manifest, number, &map);
	if (map.space >= manifest->nr.spaces || map.memory >= manifest->nr.memories ||
	    !map.flags || map.flags & ~ILU_MAP_RW || get32(&reserved))
		return false;
	ilu_manifest_memory(manifest, map.memory, &memory);
	return map.length && map.offset <= memory.length &&
	       map.length <= memory.length - map.offset && map.length <= UINT64_MAX - map.iova &&
	       map_is_new(manifest, number, &map);
}

static bool device_is_sound(const struct ilu_manifest *manifest, uint32_t number)
{
	struct ilu_device_record device;

	ilu_manifest_device(manifest, number, &device);
	return name_is_sound(device.name) && text_is_sound(device.bdf, sizeof(device.bdf)) &&
	       device.space < manifest->nr.spaces && !(device.ids.flags & ~ILU_HAS_SERIAL) &&
	       (device.ids.flags || !device.ids.serial) && iommufd_token(manifest) &&
	       name_is_new(device_at(manifest, 0), ILU_DEVICE_SIZE, number);
}

static bool blob_is_sound(const struct ilu_manifest *manifest, uint32_t number)
{
	struct ilu_blob_record blob;

	ilu_manifest_blob(manifest, number, &blob);
	return name_is_sound(blob.name) && blob.length <= SIZE_MAX / 2;
}

static bool all_sound(const struct ilu_manifest *manifest, uint32_t count,
		      bool (*sound)(const struct ilu_manifest *manifest, uint32_t number))
{
	for (uint32_t i = 0; i < count; i++)
		if (!sound(manifest, i))
			return false;
	return true;
}

/* Memories, devices, blobs, the iommufd: one after the other */
static uint64_t token_at(const struct ilu_manifest *manifest, uint32_t number)
{
	const uint8_t *at;

	if (number < manifest->nr.memories) {
		at = memory_at(manifest, number) + NAME_SIZE;
		return get64(&at);
	}
	number -= manifest->nr.memories;
	if (number < manifest->nr.devices) {
		at = device_at(manifest, number) + ILU_DEVICE_SIZE - 8;
		return get64(&at);
	}
	number -= manifest->nr.devices;
	if (number < manifest->nr.blobs) {
		at = blob_at(manifest, number) + NAME_SIZE;
		return get64(&at);
	}
	return iommufd_token(manifest);
}

/* Zero is no token. The iommufd may have none. */
static bool tokens_are_sound(const struct ilu_manifest *manifest)
{
	uint32_t count = manifest->nr.memories + manifest->nr.devices + manifest->nr.blobs;

	for (uint32_t i = 0; i <= count; i++) {
		uint64_t token = token_at(manifest, i);

		if ((!token && i < count) || token == ILU_TOKEN_MANIFEST)
			return false;
		for (uint32_t j = 0; token && j < i; j++)
			if (token_at(manifest, j) == token)
				return false;
	}
	return true;
}

int ilu_manifest_check(struct ilu_manifest *manifest, const void *bytes, size_t length)
{
	struct ilu_manifest m = { .bytes = (uint8_t *)(uintptr_t)bytes };
	int error;

	if (length < ILU_HEADER_SIZE)
		return -EBADMSG;
	error = ilu_manifest_header(bytes, &m.size);
	if (error)
		return error;
	if (m.size > length || !header_is_sound(&m) ||
	    !all_sound(&m, m.nr.memories, memory_is_sound) ||
	    !all_sound(&m, m.nr.spaces, space_is_sound) ||
	    !all_sound(&m, m.nr.maps, map_is_sound) ||
	    !all_sound(&m, m.nr.devices, device_is_sound) ||
	    !all_sound(&m, m.nr.blobs, blob_is_sound) || !tokens_are_sound(&m))
		return -EBADMSG;
	*manifest = m;
	return 0;
}
