// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

static struct json_object *list_of(struct json_object *record, const char *key)
{
	struct json_object *list = json_object_new_array();

	json_object_object_add(record, key, list);
	return list;
}

static struct json_object *entry_in(struct json_object *list, const char *name)
{
	struct json_object *entry = json_object_new_object();

	json_text(entry, "name", name);
	json_object_array_add(list, entry);
	return entry;
}

static void show_memories(struct tool *tool, const struct ilu_manifest *manifest,
			  struct json_object *list)
{
	struct ilu_memory_record memory;

	for (uint32_t i = 0; i < manifest->nr.memories; i++) {
		struct json_object *entry;

		ilu_manifest_memory(manifest, i, &memory);
		entry = entry_in(list, memory.name);
		json_number(entry, "length", memory.length);
		line(tool, "memory  %-12s  %llu bytes", memory.name, (unsigned long long)memory.length);
	}
}

static void show_spaces(struct tool *tool, const struct ilu_manifest *manifest,
			struct json_object *list)
{
	struct ilu_space_record space;

	for (uint32_t i = 0; i < manifest->nr.spaces; i++) {
		ilu_manifest_space(manifest, i, &space);
		entry_in(list, space.name);
		line(tool, "space   %s", space.name);
	}
}

static void show_maps(struct tool *tool, const struct ilu_manifest *manifest,
		      struct json_object *list)
{
	struct ilu_memory_record memory;
	struct ilu_space_record space;
	struct ilu_map_record map;

	for (uint32_t i = 0; i < manifest->nr.maps; i++) {
		struct json_object *entry = json_object_new_object();

		ilu_manifest_map(manifest, i, &map);
		ilu_manifest_space(manifest, map.space, &space);
		ilu_manifest_memory(manifest, map.memory, &memory);
		json_text(entry, "space", space.name);
		json_text(entry, "memory", memory.name);
		json_number(entry, "iova", map.iova);
		json_number(entry, "offset", map.offset);
		json_number(entry, "length", map.length);
		json_number(entry, "flags", map.flags);
		json_object_array_add(list, entry);
		line(tool, "map     %-12s  %#llx + %#llx: %s at %#llx", space.name,
		     (unsigned long long)map.iova, (unsigned long long)map.length, memory.name,
		     (unsigned long long)map.offset);
	}
}

static void show_devices(struct tool *tool, const struct ilu_manifest *manifest,
			 struct json_object *list)
{
	struct ilu_device_record device;
	char ids[32];

	for (uint32_t i = 0; i < manifest->nr.devices; i++) {
		struct json_object *entry;

		ilu_manifest_device(manifest, i, &device);
		snprintf(ids, sizeof(ids), "%04x:%04x", device.ids.vendor, device.ids.device);
		entry = entry_in(list, device.name);
		json_text(entry, "address", device.bdf);
		json_text(entry, "ids", ids);
		line(tool, "device  %-12s  %s at %s", device.name, ids, device.bdf);
	}
}

static void show_blobs(struct tool *tool, const struct ilu_manifest *manifest,
		       struct json_object *list)
{
	struct ilu_blob_record blob;

	for (uint32_t i = 0; i < manifest->nr.blobs; i++) {
		ilu_manifest_blob(manifest, i, &blob);
		json_number(entry_in(list, blob.name), "length", blob.length);
		line(tool, "blob    %-12s  %llu bytes", blob.name, (unsigned long long)blob.length);
	}
}

static void show(struct tool *tool, const struct ilu_manifest *manifest)
{
	struct json_object *record = json_object_new_object();

	json_object_object_add(tool->document, "record", record);
	json_number(record, "version", ILU_MANIFEST_VERSION);
	json_number(record, "generation", manifest->generation);
	line(tool, "manifest of version %u, after %llu live updates", ILU_MANIFEST_VERSION,
	     (unsigned long long)manifest->generation);
	show_memories(tool, manifest, list_of(record, "memories"));
	show_spaces(tool, manifest, list_of(record, "spaces"));
	show_maps(tool, manifest, list_of(record, "maps"));
	show_devices(tool, manifest, list_of(record, "devices"));
	show_blobs(tool, manifest, list_of(record, "blobs"));
}

/* The file is longer than what counts of it. */
static int read_manifest(struct ilu_manifest *manifest, const unsigned char *bytes, size_t length)
{
	size_t counts;
	int error = length < ILU_HEADER_SIZE ? -EBADMSG : ilu_manifest_header(bytes, &counts);

	if (!error && counts > length)
		error = -EBADMSG;
	return error ? error : ilu_manifest_check(manifest, bytes, counts);
}

static int record_show(struct tool *tool, int argc, char **argv, const struct options *options)
{
	struct ilu_manifest manifest = { 0 };
	enum ilu_id id = ILU_ID_RECORD_DAMAGED;
	size_t length;
	unsigned char *bytes = file_bytes(tool, argv[0], &length);
	int error = bytes ? read_manifest(&manifest, bytes, length) : -ENOENT;

	(void)argc, (void)options;
	if (error == -EPROTONOSUPPORT)
		id = ILU_ID_RECORD_NEWER;
	if (!bytes)
		item(tool, ILU_FAIL, ILU_ID_CALL_ARGUMENT, argv[0], "the file cannot be read");
	else if (error)
		item(tool, ILU_FAIL, id, argv[0], "%s", ilu_id_text(id));
	else
		show(tool, &manifest);
	free(bytes);
	return exit_code(tool);
}

const struct command record_commands[] = {
	{ "show", record_show, 1, 1, 0, "show FILE\n      a manifest, as it is in the memfd of a session" },
	{ NULL, NULL, 0, 0, 0, NULL },
};
