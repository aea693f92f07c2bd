// SPDX-License-Identifier: GPL-2.0
/* The check of the manifest: see ../unit/fuzz.h. */
#include <string.h>

#include "fuzz.h"
#include "judge.h"
#include "manifest.h"

#define MOST	4	/* records of a kind */
#define IOVA	0x10000000ull

static void name(char *text, const char *kind, u32 number)
{
	snprintf(text, ILU_NAME_MAX + 1, "%s%u", kind, number);
}

static u64 a_token(u32 kind, u32 number)
{
	return ILU_TOKEN_FIRST + kind * MOST + number;
}

static void put_records(struct ilu_manifest *manifest)
{
	for (u32 i = 0; i < manifest->nr.memories; i++) {
		struct ilu_memory_record memory = { .token = a_token(0, i), .length = 0x10000 };

		name(memory.name, "memory", i);
		ilu_manifest_put_memory(manifest, i, &memory);
	}
	for (u32 i = 0; i < manifest->nr.spaces; i++) {
		struct ilu_space_record space = { .iommufd_token = a_token(1, 0) };

		name(space.name, "space", i);
		ilu_manifest_put_space(manifest, i, &space);
	}
	for (u32 i = 0; i < manifest->nr.maps; i++) {
		struct ilu_map_record map = {
			.iova = IOVA + i * 0x4000,
			.offset = i * 0x4000,
			.length = 0x4000,
			.space = i % manifest->nr.spaces,
			.memory = i % manifest->nr.memories,
			.flags = 1 + i % 3,
		};

		ilu_manifest_put_map(manifest, i, &map);
	}
	for (u32 i = 0; i < manifest->nr.devices; i++) {
		struct ilu_device_record device = {
			.bdf = "0000:01:00.0",
			.ids = { 0x8086, 0x10c9, 1, 2, i % 2, i % 2 ? ~0ull : 0 },
			.space = i % manifest->nr.spaces,
			.token = a_token(2, i),
		};

		name(device.name, "device", i);
		ilu_manifest_put_device(manifest, i, &device);
	}
	for (u32 i = 0; i < manifest->nr.blobs; i++) {
		struct ilu_blob_record blob = { .token = a_token(3, i), .length = i };

		name(blob.name, "blob", i % 2);
		ilu_manifest_put_blob(manifest, i, &blob);
	}
}

/* So many of each kind as make sense */
static void make(struct ilu_manifest *manifest)
{
	*manifest = (struct ilu_manifest) {
		.generation = fuzz_u32(),
		.nr = {
			.memories = fuzz_u32() % (MOST + 1),
			.spaces = fuzz_u32() % (MOST + 1),
			.maps = fuzz_u32() % (MOST + 1),
			.devices = fuzz_u32() % (MOST + 1),
			.blobs = fuzz_u32() % (MOST + 1),
		},
	};
	if (!manifest->nr.spaces)
		manifest->nr.devices = 0;
	if (!manifest->nr.spaces || !manifest->nr.memories)
		manifest->nr.maps = 0;
	manifest->bytes = calloc(1, ilu_manifest_size(&manifest->nr));
	put_records(manifest);
	ilu_manifest_seal(manifest);
}

/* Everything is read of what was accepted. */
static u64 read_all(const struct ilu_manifest *manifest)
{
	struct ilu_memory_record memory;
	struct ilu_space_record space;
	struct ilu_map_record map;
	struct ilu_device_record device;
	struct ilu_blob_record blob;
	u64 read = 0;

	for (u32 i = 0; i < manifest->nr.memories; i++, read += strlen(memory.name))
		ilu_manifest_memory(manifest, i, &memory);
	for (u32 i = 0; i < manifest->nr.spaces; i++, read += strlen(space.name))
		ilu_manifest_space(manifest, i, &space);
	for (u32 i = 0; i < manifest->nr.maps; i++, read += map.length)
		ilu_manifest_map(manifest, i, &map);
	for (u32 i = 0; i < manifest->nr.devices; i++, read += strlen(device.name) + strlen(device.bdf))
		ilu_manifest_device(manifest, i, &device);
	for (u32 i = 0; i < manifest->nr.blobs; i++, read += strlen(blob.name))
		ilu_manifest_blob(manifest, i, &blob);
	return read;
}

static bool check(const unsigned char *bytes, size_t length)
{
	struct ilu_manifest manifest;
	const char *wrong;

	if (ilu_manifest_check(&manifest, bytes, length))
		return false;
	wrong = judge(bytes, length);
	if (wrong) {
		fprintf(stderr, "accepted, but not true: %s\n", wrong);
		abort();
	}
	require(manifest.size <= length);
	return read_all(&manifest) || true;
}

/* In memory of exactly this length, so that a read beyond it is seen */
static bool one(void)
{
	struct ilu_manifest manifest;
	unsigned char *bytes;
	struct bytes area;
	bool accepted;

	make(&manifest);
	area = (struct bytes) { manifest.bytes, manifest.size };
	for (unsigned int i = fuzz_edits(3); i; i--)
		fuzz_edit(&area, 1, fuzz_u32() % 2 ? IOVA : ILU_TOKEN_FIRST);
	if (!(fuzz_u32() % 8))
		area.len = fuzz_u32() % (area.len + 1);
	if (fuzz_seals())
		judge_seal(area.start, area.len);
	bytes = malloc(area.len);
	memcpy(bytes, area.start, area.len);
	free(manifest.bytes);
	accepted = check(bytes, area.len);
	free(bytes);
	return accepted;
}

const struct fuzz_target fuzz_targets[] = {
	{ "manifest", one, 200000, 60 },
	{ NULL, NULL, 0, 0 },
};
