// SPDX-License-Identifier: GPL-2.0
/*
 * What the file of a kernel says about it: a bzImage has an ELF file in it, which has
 * notes and perhaps its configuration. All bytes may be anything.
 */
#include <archive.h>
#include <archive_entry.h>
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

#define LONGEST		(1u << 30)	/* of what is unpacked */
#define LONGEST_ENTRY	(1u << 20)	/* of a file of an initrd */
#define NOTE_NAME	"liveupdate"
#define ALIAS		"alias liveupdate-"
#define NOTE_RECORD	1

/* Of the header of a bzImage, see Documentation/arch/x86/boot.rst */
#define SETUP_SECTS	0x1f1
#define HEADER_MAGIC	0x202
#define PROTOCOL	0x206
#define KERNEL_VERSION	0x20e
#define PAYLOAD_OFFSET	0x248
#define PAYLOAD_LENGTH	0x24c
#define INIT_SIZE	0x260
#define HEADER_END	0x264

static uint32_t get32(const unsigned char *at)
{
	return at[0] | at[1] << 8 | at[2] << 16 | (uint32_t)at[3] << 24;
}

/* ---- unpacking ---- */

static bool append(unsigned char **bytes, size_t *length, const void *more, size_t nr)
{
	unsigned char *grown;

	if (nr > LONGEST - *length)
		return false;
	grown = realloc(*bytes, *length + nr + 1);
	if (!grown)
		return false;
	memcpy(grown + *length, more, nr);
	*bytes = grown;
	*length += nr;
	return true;
}

/* Not all that there are: some of them start a program. */
static void support_filters(struct archive *archive)
{
	archive_read_support_filter_none(archive);
	archive_read_support_filter_gzip(archive);
	archive_read_support_filter_bzip2(archive);
	archive_read_support_filter_xz(archive);
	archive_read_support_filter_lzma(archive);
	archive_read_support_filter_lz4(archive);
	archive_read_support_filter_zstd(archive);
}

/* What follows the packed data is for others, and no error. */
unsigned char *unpack(const unsigned char *bytes, size_t length, size_t *unpacked)
{
	struct archive *archive = archive_read_new();
	unsigned char *all = NULL, piece[1 << 16];
	struct archive_entry *entry;
	la_ssize_t got;

	*unpacked = 0;
	support_filters(archive);
	archive_read_support_format_raw(archive);
	if (archive_read_open_memory(archive, bytes, length) == ARCHIVE_OK &&
	    archive_read_next_header(archive, &entry) == ARCHIVE_OK)
		while ((got = archive_read_data(archive, piece, sizeof(piece))) > 0)
			if (!append(&all, unpacked, piece, got))
				break;
	archive_read_free(archive);
	return all;
}

/* ---- notes ---- */

static void collect_record(const char *text, size_t length, char **found)
{
	size_t before = *found ? strlen(*found) : 0;
	char *more;

	if (!length || text[length - 1] || strlen(text) != length - 1)
		return;
	more = realloc(*found, before + length + 1);
	if (!more)
		return;
	memcpy(more + before, text, length - 1);
	strcpy(more + before + length - 1, "\n");
	*found = more;
}

static size_t aligned(size_t length)
{
	return (length + 3) & ~(size_t)3;
}

static void notes_collect(const unsigned char *bytes, size_t length, char **found)
{
	size_t at = 0;

	while (length - at >= sizeof(Elf64_Nhdr) && at <= length) {
		size_t name = get32(bytes + at), text = get32(bytes + at + 4);
		uint32_t type = get32(bytes + at + 8);
		const unsigned char *data;

		at += sizeof(Elf64_Nhdr);
		if (name > length - at || aligned(name) > length - at ||
		    text > length - at - aligned(name))
			return;
		data = bytes + at + aligned(name);
		if (type == NOTE_RECORD && name == sizeof(NOTE_NAME) &&
		    !memcmp(bytes + at, NOTE_NAME, name))
			collect_record((const char *)data, text, found);
		at += aligned(name) + aligned(text);
	}
}

/* A module has no note in the kernel's file, but an alias. */
static void collect_aliases(const struct tool *tool, const char *release, char **found)
{
	char path[PATH_SIZE], line[512];
	FILE *file;

	snprintf(path, sizeof(path), "/lib/modules/%.*s/modules.alias", (int)strcspn(release, " \n"),
		 release);
	file = file_open(tool, path);
	while (file && fgets(line, sizeof(line), file)) {
		size_t length = strlen(ALIAS);

		if (strncmp(line, ALIAS, length))
			continue;
		line[length + strcspn(line + length, " \n")] = '\0';
		collect_record(line + length, strlen(line + length) + 1, found);
	}
	if (file)
		fclose(file);
}

char *own_records(const struct tool *tool)
{
	char release[128], *found = NULL;
	size_t length;
	unsigned char *notes = file_bytes(tool, "/sys/kernel/notes", &length);

	if (!notes)
		return NULL;
	notes_collect(notes, length, &found);
	free(notes);
	file_text(tool, "/proc/sys/kernel/osrelease", release, sizeof(release));
	if (found)
		collect_aliases(tool, release, &found);
	return found;
}

/* Of all segments of notes */
static int elf_notes(const unsigned char *bytes, size_t length, char **found)
{
	Elf64_Ehdr header;

	if (length < sizeof(header) || memcmp(bytes, ELFMAG, SELFMAG) ||
	    bytes[EI_CLASS] != ELFCLASS64)
		return -1;
	memcpy(&header, bytes, sizeof(header));
	for (unsigned int i = 0; i < header.e_phnum; i++) {
		size_t at = header.e_phoff + i * sizeof(Elf64_Phdr);
		Elf64_Phdr segment;

		if (at > length || length - at < sizeof(segment))
			return -1;
		memcpy(&segment, bytes + at, sizeof(segment));
		if (segment.p_type != PT_NOTE || segment.p_offset > length ||
		    segment.p_filesz > length - segment.p_offset)
			continue;
		notes_collect(bytes + segment.p_offset, segment.p_filesz, found);
	}
	return 0;
}

/* ---- the configuration: gzip between two marks ---- */

static char *find_config(const unsigned char *bytes, size_t length)
{
	const unsigned char *start = memmem(bytes, length, "IKCFG_ST", 8), *end;
	size_t unpacked;
	unsigned char *text;

	if (!start)
		return NULL;
	start += 8;
	end = memmem(start, length - (start - bytes), "IKCFG_ED", 8);
	text = end ? unpack(start, end - start, &unpacked) : NULL;
	if (text)
		text[unpacked] = 0;
	return (char *)text;
}

/* One that is beside it: vmlinuz-VERSION and config-VERSION */
static char *config_beside(const struct tool *tool, const char *path, const char *version)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	char other[PATH_SIZE];
	size_t length;
	char *text;

	if (!strncmp(name, "vmlinuz-", 8))
		version = name + 8;
	snprintf(other, sizeof(other), "%.*sconfig-%.*s", (int)(name - path), path,
		 (int)strcspn(version, " "), version);
	text = (char *)file_bytes(tool, other, &length);
	if (text)
		text = realloc(text, length + 1);
	if (text)
		text[length] = 0;
	return text;
}

/* ---- the file ---- */

static bool is_bzimage(const unsigned char *bytes, size_t length)
{
	return length > HEADER_END && !memcmp(bytes + HEADER_MAGIC, "HdrS", 4) &&
	       (bytes[PROTOCOL] | bytes[PROTOCOL + 1] << 8) >= 0x208;
}

static unsigned char *payload(const unsigned char *bytes, size_t length, size_t *unpacked)
{
	size_t setup = ((bytes[SETUP_SECTS] ? bytes[SETUP_SECTS] : 4) + 1) * (size_t)512;
	size_t offset = setup + get32(bytes + PAYLOAD_OFFSET);
	size_t packed = get32(bytes + PAYLOAD_LENGTH);

	if (offset > length || packed > length - offset)
		return NULL;
	return unpack(bytes + offset, packed, unpacked);
}

static void header_fields(const unsigned char *bytes, size_t length, struct image *image)
{
	size_t at = (bytes[KERNEL_VERSION] | bytes[KERNEL_VERSION + 1] << 8) + 0x200;

	image->memory = get32(bytes + INIT_SIZE);
	if (at + sizeof(image->version) < length)
		snprintf(image->version, sizeof(image->version), "%.*s",
			 (int)sizeof(image->version) - 1, (const char *)bytes + at);
}

static const char *read_elf(const unsigned char *bytes, size_t length, struct image *image)
{
	if (elf_notes(bytes, length, &image->notes))
		return "the kernel in it cannot be read";
	image->config = find_config(bytes, length);
	return NULL;
}

static const char *read_bytes(const unsigned char *bytes, size_t length, struct image *image)
{
	unsigned char *kernel;
	const char *wrong;
	size_t unpacked;

	if (length > SELFMAG && !memcmp(bytes, ELFMAG, SELFMAG)) {
		image->memory = length;
		return read_elf(bytes, length, image);
	}
	if (!is_bzimage(bytes, length))
		return "it is no bzImage";
	header_fields(bytes, length, image);
	kernel = payload(bytes, length, &unpacked);
	if (!kernel)
		return "the kernel in it cannot be unpacked";
	wrong = read_elf(kernel, unpacked, image);
	free(kernel);
	return wrong;
}

void image_free(struct image *image)
{
	free(image->config);
	free(image->notes);
}

int image_read(const struct tool *tool, const char *path, struct image *image, const char **wrong)
{
	size_t length;
	unsigned char *bytes = file_bytes(tool, path, &length);

	*image = (struct image) { 0 };
	*wrong = bytes ? read_bytes(bytes, length, image) : "it cannot be read";
	free(bytes);
	if (*wrong) {
		image_free(image);
		return -1;
	}
	if (!image->config)
		image->config = config_beside(tool, path, image->version);
	collect_aliases(tool, image->version, &image->notes);
	return 0;
}

/* ---- an initrd: archives one after another, packed or not ---- */

static void entry_text(struct archive *archive, char **text, size_t *length)
{
	unsigned char *bytes = malloc(LONGEST_ENTRY);
	la_ssize_t got = bytes ? archive_read_data(archive, bytes, LONGEST_ENTRY) : -1;

	if (got > 0)
		text_append(text, length, bytes, got);
	free(bytes);
}

static void archive_text(const unsigned char *bytes, size_t length, const char *name, char **text,
			 size_t *text_length)
{
	struct archive *archive = archive_read_new();
	struct archive_entry *entry;

	support_filters(archive);
	archive_read_support_format_cpio(archive);
	if (archive_read_open_memory(archive, bytes, length) == ARCHIVE_OK)
		while (archive_read_next_header(archive, &entry) == ARCHIVE_OK) {
			const char *path = archive_entry_pathname(entry);

			if (path && strstr(path, name))
				entry_text(archive, text, text_length);
		}
	archive_read_free(archive);
}

/* Behind the first archive, which is not packed if it is of microcode */
static size_t next_archive(const unsigned char *bytes, size_t length)
{
	static const char end[] = "TRAILER!!!";
	const unsigned char *at;

	if (length < 6 || memcmp(bytes, "0707", 4))
		return length;
	at = memmem(bytes, length, end, sizeof(end));
	if (!at)
		return length;
	for (at += sizeof(end); at < bytes + length && !*at; at++)
		;
	return at - bytes;
}

char *initrd_text(const struct tool *tool, const char *path, const char *name)
{
	size_t length, at = 0, text_length = 0;
	unsigned char *bytes = file_bytes(tool, path, &length);
	char *text = NULL;

	while (bytes && at < length) {
		archive_text(bytes + at, length - at, name, &text, &text_length);
		at += next_archive(bytes + at, length - at);
	}
	free(bytes);
	return text;
}
