// SPDX-License-Identifier: GPL-2.0
/*
 * A kernel loaded by kexec_load(2), the way kexec-tools does it without
 * kexec_file_load(2): the running kernel copies what it is given, and it is this
 * program that makes out what the next one finds.  Nothing of KHO goes along.
 */
#include <asm/bootparam.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kexec.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "events.h"
#include "machine.h"
#include "old_image.h"

/* Far from where the kernel goes, and in the memory of the smallest machine */
#define PLACE_OF_PARAMETERS	0x6000000ul
#define PLACE_OF_LINE		(PLACE_OF_PARAMETERS + PAGE)
#define PLACE_OF_JUMP		(PLACE_OF_PARAMETERS + 2 * PAGE)
#define PLACE_OF_INITRD		0x8000000ul

#define SECTOR			512
#define ENTRY_64		0x200
#define LOADER_KEXEC		0xd0
#define OWN_PARAMETERS		"/sys/kernel/boot_params/data"

struct file {
	const void *data;
	size_t size;
};

static struct file map_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat status;
	void *data;

	if (fd < 0 || fstat(fd, &status))
		give_up("%s: %m", path);
	data = mmap(NULL, status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		give_up("map %s: %m", path);
	close(fd);
	return (struct file){ .data = data, .size = status.st_size };
}

static size_t whole_pages(size_t size)
{
	return (size + PAGE - 1) & ~(PAGE - 1ul);
}

/* The map of memory and the tables of ACPI are those that this kernel was given. */
static void fill_parameters(struct boot_params *parameters, const struct setup_header *header,
			    size_t initrd_size)
{
	int fd = open(OWN_PARAMETERS, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, parameters, sizeof(*parameters)) != sizeof(*parameters))
		give_up(OWN_PARAMETERS ": %m");
	close(fd);
	parameters->hdr = *header;
	parameters->hdr.type_of_loader = LOADER_KEXEC;
	parameters->hdr.cmd_line_ptr = PLACE_OF_LINE;
	parameters->hdr.ramdisk_image = PLACE_OF_INITRD;
	parameters->hdr.ramdisk_size = initrd_size;
	parameters->hdr.setup_data = 0;
	parameters->ext_ramdisk_image = parameters->ext_ramdisk_size = 0;
	parameters->ext_cmd_line_ptr = 0;
}

/* mov $parameters,%rsi; mov $entry,%rax; jmp *%rax */
static void fill_jump(unsigned char *code, uint64_t entry)
{
	const uint64_t parameters = PLACE_OF_PARAMETERS;

	memcpy(code, "\x48\xbe", 2);
	memcpy(code + 2, &parameters, sizeof(parameters));
	memcpy(code + 10, "\x48\xb8", 2);
	memcpy(code + 12, &entry, sizeof(entry));
	memcpy(code + 20, "\xff\xe0", 2);
}

static struct kexec_segment segment_at(uint64_t place, const void *data, size_t size)
{
	return (struct kexec_segment) {
		.buf = data, .bufsz = size,
		.mem = (void *)place, .memsz = whole_pages(size),
	};
}

void prepare_old_image(void)
{
	static unsigned char low[3 * PAGE] __attribute__((aligned(PAGE)));
	struct file kernel = map_file("/bzImage"), initrd = map_file("/initrd");
	const struct boot_params *image = kernel.data;
	const struct setup_header *header = &image->hdr;
	size_t setup = (header->setup_sects + 1) * SECTOR;
	struct kexec_segment segments[3];

	if (!(header->xloadflags & XLF_KERNEL_64))
		give_up("no kernel with an entry for 64 bits");
	fill_parameters((void *)low, header, initrd.size);
	read_file("/next-cmdline", (char *)low + PAGE, PAGE);
	fill_jump(low + 2 * PAGE, header->pref_address + ENTRY_64);

	segments[0] = segment_at(header->pref_address, kernel.data + setup, kernel.size - setup);
	/* What it needs to unpack itself as well */
	segments[0].memsz = whole_pages(header->init_size);
	segments[1] = segment_at(PLACE_OF_PARAMETERS, low, sizeof(low));
	segments[2] = segment_at(PLACE_OF_INITRD, initrd.data, initrd.size);
	if (header->pref_address + segments[0].memsz > PLACE_OF_PARAMETERS)
		give_up("the kernel is too large");
	must(syscall(SYS_kexec_load, PLACE_OF_JUMP, 3ul, segments, KEXEC_ARCH_DEFAULT) ?
	     -errno : 0, "kexec_load");
}

int load_image_without_data(void)
{
	static char page[4096] __attribute__((aligned(4096)));
	struct kexec_segment segment = {
		.buf = page,
		.bufsz = sizeof(page),
		.mem = (void *)0x8000000,
		.memsz = sizeof(page),
	};

	page[0] = 0x0f;
	page[1] = 0x0b;
	return syscall(SYS_kexec_load, 0x8000000ul, 1ul, &segment, KEXEC_ARCH_DEFAULT) ?
	       -errno : 0;
}
