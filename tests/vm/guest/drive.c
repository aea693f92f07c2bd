// SPDX-License-Identifier: GPL-2.0
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "device.h"
#include "drive.h"
#include "events.h"
#include "machine.h"

#define VENDOR		0x1b36
#define DEVICE		0x0010

bool drive_is_asked_for(void)
{
	return !strcmp(option_text("nic", "igb"), "nvme");
}

void drive_find(char *bdf)
{
	must(pci_find(VENDOR, DEVICE, 0, bdf), "find the disk");
}

/* Through sysfs: nothing is opened and nothing is written. */
void drive_report(const char *bdf, const char *when)
{
	struct nvme_registers now;
	volatile void *registers;
	size_t size;

	registers = pci_peek_registers(bdf, &size);
	if (!registers)
		give_up("registers of the controller: %m");
	nvme_read_registers(registers, &now);
	munmap((void *)registers, size);
	event("controller when=%s cc=0x%x csts=0x%x aqa=0x%x asq=0x%llx acq=0x%llx", when,
	      now.configuration, now.status, now.admin_sizes, now.submission, now.completion);
}

/* The one mapping that has this size */
static unsigned long address_of_memory(pid_t program, size_t size)
{
	unsigned long from, until, found = 0;
	char path[32], line[512];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/maps", program);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "%lx-%lx", &from, &until) == 2 && until - from == size)
			found = from;
	if (file)
		fclose(file);
	if (!found)
		give_up("the program has no memory of %zu bytes", size);
	return found;
}

void drive_look(pid_t program, size_t memory_size, struct nvme *copy)
{
	static char queues[NVME_QUEUES_SIZE] __attribute__((aligned(NVME_PAGE)));
	unsigned long address = address_of_memory(program, memory_size);
	char path[32];
	int memory;

	snprintf(path, sizeof(path), "/proc/%d/mem", program);
	memory = open(path, O_RDONLY | O_CLOEXEC);
	if (memory < 0 || pread(memory, queues, sizeof(queues), address) != sizeof(queues))
		give_up("memory of the program: %m");
	close(memory);
	nvme_init(copy, NULL, (struct nvme_memory) { .address = queues }, (struct nvme_memory) { 0 });
}
