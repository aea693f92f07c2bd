// SPDX-License-Identifier: GPL-2.0
/*
 * Binary files of prepared situations, to standard output:
 *
 *   make config [CAPABILITY...]       config space with extended capabilities
 *   make notes [RECORD...]            notes as in sysfs
 *   make elf CONFIG.GZ|- [RECORD...]  a kernel
 *   make bzimage PAYLOAD              around one that is packed
 *   make manifest [newer|damaged|memory]
 */
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

static unsigned char out[1 << 20];
static size_t length;

static void put(const void *bytes, size_t nr)
{
	memcpy(out + length, bytes, nr);
	length += nr;
}

static void put32(size_t at, uint32_t value)
{
	memcpy(out + at, &value, sizeof(value));
}

static void make_config(int argc, char **argv)
{
	length = 4096;
	put32(0, 0x10c98086);
	for (int i = 0; i < argc; i++)
		put32(0x100 + 0x10 * i, strtoul(argv[i], NULL, 0) | 1 << 16 |
		      (i + 1 < argc ? 0x110u + 0x10u * i : 0u) << 20);
}

static void add_note(const char *record)
{
	static const char name[] = "liveupdate";
	Elf64_Nhdr note = { sizeof(name), strlen(record) + 1, 1 };

	put(&note, sizeof(note));
	put(name, sizeof(name));
	length = (length + 3) & ~3ul;
	put(record, strlen(record) + 1);
	length = (length + 3) & ~3ul;
}

static void add_notes(int argc, char **argv)
{
	Elf64_Nhdr other = { 4, 8, 3 };

	put(&other, sizeof(other));
	put("GNU\0abcdefgh", 12);
	for (int i = 0; i < argc; i++)
		add_note(argv[i]);
}

static void add_file(const char *path)
{
	FILE *file = fopen(path, "r");

	if (!file)
		exit(1);
	length += fread(out + length, 1, sizeof(out) - length, file);
	fclose(file);
}

static void make_elf(int argc, char **argv)
{
	Elf64_Ehdr header = { .e_phoff = sizeof(header), .e_phnum = 1, .e_phentsize = sizeof(Elf64_Phdr) };
	Elf64_Phdr segment = { .p_type = PT_NOTE, .p_offset = sizeof(header) + sizeof(segment) };

	memcpy(header.e_ident, ELFMAG, SELFMAG);
	header.e_ident[EI_CLASS] = ELFCLASS64;
	length = segment.p_offset;
	add_notes(argc - 1, argv + 1);
	segment.p_filesz = length - segment.p_offset;
	memcpy(out, &header, sizeof(header));
	memcpy(out + sizeof(header), &segment, sizeof(segment));
	if (!strcmp(argv[0], "-"))
		return;
	put("IKCFG_ST", 8);
	add_file(argv[0]);
	put("IKCFG_ED", 8);
}

static void make_bzimage(const char *payload)
{
	length = 1024;
	out[0x1f1] = 1;
	memcpy(out + 0x202, "HdrS", 4);
	out[0x206] = 0x0f, out[0x207] = 0x02;
	out[0x20e] = 0x00, out[0x20f] = 0x01;	/* 0x200 before its version */
	strcpy((char *)out + 0x300, "7.3.4-next (user@host) #1 SMP");
	put32(0x260, 40 << 20);
	add_file(payload);
	put32(0x248, 0);
	put32(0x24c, length - 1024);
}

static void make_manifest(const char *how)
{
	bool memory = !strcmp(how, "memory");
	struct ilu_manifest manifest = {
		.generation = 3,
		.nr = { .memories = 1, .spaces = !memory, .maps = !memory, .devices = !memory,
			.blobs = 1 },
		.bytes = out,
	};

	length = ilu_manifest_size(&manifest.nr);
	ilu_manifest_put_memory(&manifest, 0, &(struct ilu_memory_record) {
		"ram", ILU_TOKEN_FIRST, 64 << 20 });
	ilu_manifest_put_blob(&manifest, 0, &(struct ilu_blob_record) {
		"state", ILU_TOKEN_FIRST + 1, 4096 });
	if (!memory) {
		ilu_manifest_put_space(&manifest, 0, &(struct ilu_space_record) {
			"dma", ILU_TOKEN_FIRST + 2 });
		ilu_manifest_put_map(&manifest, 0, &(struct ilu_map_record) {
			.iova = 0x1000000, .length = 64 << 20, .flags = ILU_MAP_RW });
		ilu_manifest_put_device(&manifest, 0, &(struct ilu_device_record) {
			"nic", "0000:01:00.0", { .vendor = 0x8086, .device = 0x10c9 }, 0,
			ILU_TOKEN_FIRST + 3 });
	}
	ilu_manifest_seal(&manifest);
	if (!strcmp(how, "newer"))
		out[8]++;
	if (!strcmp(how, "damaged"))
		out[length - 1] ^= 1;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (!strcmp(what, "config"))
		make_config(argc - 2, argv + 2);
	else if (!strcmp(what, "notes"))
		add_notes(argc - 2, argv + 2);
	else if (!strcmp(what, "elf") && argc > 2)
		make_elf(argc - 2, argv + 2);
	else if (!strcmp(what, "bzimage") && argc > 2)
		make_bzimage(argv[2]);
	else if (!strcmp(what, "manifest"))
		make_manifest(argc > 2 ? argv[2] : "");
	else
		return 2;
	return fwrite(out, 1, length, stdout) != length;
}
