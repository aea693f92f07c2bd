// SPDX-License-Identifier: GPL-2.0
/*
 * The layouts are those of include/linux/kho/abi, but for what nobody needs here.
 * They are written down once more on purpose: a test that includes them would follow
 * every change of them without a word.
 */
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "events.h"
#include "machine.h"
#include "records.h"

#define LUO		"/sys/kernel/debug/kho/out/sub_fdts/LUO"
#define CRC_AT		8	/* in each record that has one */
#define BLOCK_HEADER	16

struct block {
	__u64 next, count;
};

struct luo {
	char compatible[8];
	__u64 number, sessions, flbs;
};

struct luo_session {
	char name[64];
	__u64 files, count;
};

struct luo_file {
	char compatible[48];
	__u64 data, token;
};

struct luo_flb {
	char name[48];
	__u64 data, count;
};

struct iommu_top {
	__u32 version, length, crc, page_shift;
	__u64 units, domains, devices, attachments;
	__u32 counts[4];
};

struct pci_top {
	__u32 version, length, crc, count;
	__u64 functions;
};

struct memfd {
	__u64 pos, size;
	__u32 seals, flags;
	__u64 count, chunk;
};

#define UNIT_SIZE	320
#define DOMAIN_SIZE	96
#define DEVICE_SIZE	128
#define ATTACHMENT_SIZE	40
#define FUNCTION_SIZE	56

static int memory(void)
{
	static int fd = -1;

	if (fd < 0)
		fd = open("/dev/mem", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		give_up("/dev/mem: %m");
	return fd;
}

void physical_read(__u64 at, void *data, unsigned int size)
{
	if (pread(memory(), data, size, at) != size)
		give_up("read physical memory at 0x%llx: %m", at);
}

void physical_write(__u64 at, const void *data, unsigned int size)
{
	if (pwrite(memory(), data, size, at) != size)
		give_up("write physical memory at 0x%llx: %m", at);
}

static struct luo read_luo(void)
{
	struct luo luo;
	int fd = open(LUO, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, &luo, sizeof(luo)) != sizeof(luo))
		give_up("what LUO hands over: %m");
	close(fd);
	return luo;
}

static __u64 find_luo(const struct luo *luo, __u64 from, __u64 to)
{
	struct luo found;

	for (__u64 at = from; at + PAGE - 1 <= to; at += PAGE)
		if (pread(memory(), &found, sizeof(found), at) == sizeof(found) &&
		    !memcmp(&found, luo, sizeof(found)))
			return at;
	return 0;
}

/* Nothing tells where it is, but it begins a page, and its content is known. */
static __u64 luo_address(void)
{
	FILE *ranges = fopen("/proc/iomem", "r");
	unsigned long long from, to;
	struct luo luo = read_luo();
	__u64 at = 0;
	char line[128];

	while (ranges && !at && fgets(line, sizeof(line), ranges))
		if (strstr(line, " : System RAM") && *line != ' ' &&
		    sscanf(line, "%llx-%llx", &from, &to) == 2)
			at = find_luo(&luo, (from + PAGE - 1) & ~(PAGE - 1ull), to);
	if (ranges)
		fclose(ranges);
	return at;
}

static __u64 session_address(void)
{
	return read_luo().sessions + BLOCK_HEADER;
}

static __u64 files_address(void)
{
	struct luo_session session;

	physical_read(session_address(), &session, sizeof(session));
	return session.files + BLOCK_HEADER;
}

/* The list that its name ends with has its own: "iommufd" is no "iommu". */
static __u64 file_address(const char *kind)
{
	struct luo_session session;
	struct luo_file file;
	__u64 at = files_address();

	physical_read(session_address(), &session, sizeof(session));
	for (__u64 i = 0; i < session.count; i++, at += sizeof(file)) {
		physical_read(at, &file, sizeof(file));
		if (strstr(file.compatible, kind))
			return at;
	}
	return 0;
}

static __u64 file_record(const char *kind)
{
	__u64 at = file_address(kind);
	struct luo_file file = { .data = 0 };

	if (at)
		physical_read(at, &file, sizeof(file));
	return file.data;
}

/* "iommu" is in the names of both, should they come to have a prefix. */
static __u64 flb_address(bool pci)
{
	__u64 at = read_luo().flbs;
	struct block header;
	struct luo_flb flb;

	physical_read(at, &header, sizeof(header));
	at += sizeof(header);
	for (__u64 i = 0; i < header.count; i++, at += sizeof(flb)) {
		physical_read(at, &flb, sizeof(flb));
		if (pci == !!strstr(flb.name, "pci") && (pci || strstr(flb.name, "iommu")))
			return at;
	}
	return 0;
}

static __u64 flb_record(bool pci)
{
	__u64 at = flb_address(pci);
	struct luo_flb flb = { .data = 0 };

	if (at)
		physical_read(at, &flb, sizeof(flb));
	return flb.data;
}

/* The first record of the chain whose head is there in the top object. */
static __u64 in_iommu(size_t head)
{
	__u64 block;

	physical_read(flb_record(false) + head, &block, sizeof(block));
	return block + BLOCK_HEADER;
}

static __u64 first_function(void)
{
	struct pci_top top;

	physical_read(flb_record(true), &top, sizeof(top));
	return top.functions + BLOCK_HEADER;
}

/* The array of folios, by its first page. */
static __u64 first_folio(void)
{
	__u64 chunk[2];
	struct memfd memfd;

	physical_read(file_record("memfd"), &memfd, sizeof(memfd));
	physical_read(memfd.chunk, chunk, sizeof(chunk));
	return chunk[1];
}

static __u64 chunk_of_folios(void)
{
	struct memfd memfd;

	physical_read(file_record("memfd"), &memfd, sizeof(memfd));
	return memfd.chunk;
}

__u64 records_find(const char *name)
{
	if (!strcmp(name, "luo"))
		return luo_address();
	if (!strcmp(name, "session"))
		return session_address();
	if (!strcmp(name, "sessions"))
		return session_address() - BLOCK_HEADER;
	if (!strcmp(name, "file"))
		return files_address();
	if (!strcmp(name, "files"))
		return files_address() - BLOCK_HEADER;
	if (!strcmp(name, "flbs"))
		return read_luo().flbs;
	if (!strcmp(name, "flb"))
		return flb_address(false);
	if (!strcmp(name, "pciflb"))
		return flb_address(true);
	if (!strcmp(name, "iommu"))
		return flb_record(false);
	if (!strcmp(name, "unit"))
		return in_iommu(offsetof(struct iommu_top, units));
	if (!strcmp(name, "domain"))
		return in_iommu(offsetof(struct iommu_top, domains));
	if (!strcmp(name, "device"))
		return in_iommu(offsetof(struct iommu_top, devices));
	if (!strcmp(name, "attachment"))
		return in_iommu(offsetof(struct iommu_top, attachments));
	if (!strcmp(name, "pci"))
		return flb_record(true);
	if (!strcmp(name, "function"))
		return first_function();
	if (!strcmp(name, "folios"))
		return first_folio();
	if (!strcmp(name, "chunk"))
		return chunk_of_folios();
	return file_record(name);
}

static __u32 crc32_of(__u32 crc, const void *data, size_t size)
{
	const unsigned char *byte = data;

	while (size--) {
		crc ^= *byte++;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return crc;
}

static __u32 crc32_of_memory(__u32 crc, __u64 at, __u32 size)
{
	char *copy = malloc(size);

	if (!copy)
		give_up("out of memory");
	physical_read(at, copy, size);
	crc = crc32_of(crc, copy, size);
	free(copy);
	return crc;
}

/*
 * Of a chain: header and entries of each block.  Where damage leads to anything but a
 * block it ends: the kernel refuses that before it asks for a checksum.
 */
static __u32 crc32_of_chain(__u32 crc, __u64 at, __u32 entry)
{
	struct block block;

	for (; at; at = block.next) {
		physical_read(at, &block, sizeof(block));
		if (block.count > (PAGE - sizeof(block)) / entry)
			break;
		crc = crc32_of_memory(crc, at, sizeof(block) + block.count * entry);
	}
	return crc;
}

static __u32 crc32_of_iommu(__u64 at)
{
	struct iommu_top top;
	__u32 crc;

	physical_read(at, &top, sizeof(top));
	top.crc = 0;
	crc = crc32_of(~0u, &top, sizeof(top));
	crc = crc32_of_chain(crc, top.units, UNIT_SIZE);
	crc = crc32_of_chain(crc, top.domains, DOMAIN_SIZE);
	crc = crc32_of_chain(crc, top.devices, DEVICE_SIZE);
	return crc32_of_chain(crc, top.attachments, ATTACHMENT_SIZE);
}

static __u32 crc32_of_pci(__u64 at)
{
	struct pci_top top;

	physical_read(at, &top, sizeof(top));
	top.crc = 0;
	return crc32_of_chain(crc32_of(~0u, &top, sizeof(top)), top.functions, FUNCTION_SIZE);
}

/* Version, length, checksum, and the rest. */
static __u32 crc32_of_file(__u64 at)
{
	__u32 head[3];

	physical_read(at, head, sizeof(head));
	head[2] = 0;
	return crc32_of_memory(crc32_of(~0u, head, sizeof(head)), at + sizeof(head),
			       head[1] - sizeof(head));
}

static bool is_one_of(const char *name, const char *list)
{
	const char *found = strstr(list, name);

	return found && (found == list || found[-1] == ' ') && strchr(" ", found[strlen(name)]);
}

bool records_checksum(const char *name, __u64 *at, __u32 *checksum)
{
	if (is_one_of(name, "iommu unit domain device attachment")) {
		*at = flb_record(false);
		*checksum = crc32_of_iommu(*at);
	} else if (is_one_of(name, "pci function")) {
		*at = flb_record(true);
		*checksum = crc32_of_pci(*at);
	} else if (is_one_of(name, "vfio iommufd")) {
		*at = file_record(name);
		*checksum = crc32_of_file(*at);
	} else {
		return false;
	}
	*at += CRC_AT;
	return true;
}
