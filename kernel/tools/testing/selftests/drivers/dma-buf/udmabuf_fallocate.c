// SPDX-License-Identifier: GPL-2.0
/*
 * A memfd that was fallocated and never used, behind a udmabuf. The mapping of
 * the udmabuf stands for a device here: it reaches the pages behind the back of
 * the memfd. They must read as zero there, and what is written must not be lost
 * on the first use of the memfd.
 */
#define _GNU_SOURCE
#define __EXPORTED_HEADERS__

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include <sys/ioctl.h>
#include <sys/mman.h>
#include <linux/memfd.h>
#include <linux/udmabuf.h>
#include "kselftest.h"

#define NUM_PAGES	1024

static bool is_filled_with(const char *addr, off_t size, char chr)
{
	for (off_t i = 0; i < size; i++) {
		if (addr[i] != chr)
			return false;
	}

	return true;
}

static char *map(int fd, off_t size)
{
	char *addr = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (addr == MAP_FAILED)
		ksft_exit_fail_perror("mmap");

	return addr;
}

int main(int argc, char *argv[])
{
	off_t size = (off_t)NUM_PAGES * getpagesize();
	struct udmabuf_create create = { .size = size };
	int devfd, memfd, buf;
	char *device, *cpu;

	ksft_print_header();
	ksft_set_plan(2);

	devfd = open("/dev/udmabuf", O_RDWR);
	if (devfd < 0)
		ksft_exit_skip("no /dev/udmabuf\n");

	memfd = memfd_create("udmabuf-test", MFD_ALLOW_SEALING);
	if (memfd < 0)
		ksft_exit_skip("no memfd\n");
	if (fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK) < 0)
		ksft_exit_skip("no seals\n");
	if (fallocate(memfd, 0, 0, size) < 0)
		ksft_exit_fail_perror("fallocate");

	create.memfd = memfd;
	buf = ioctl(devfd, UDMABUF_CREATE, &create);
	if (buf < 0)
		ksft_exit_fail_perror("UDMABUF_CREATE");

	device = map(buf, size);
	ksft_test_result(is_filled_with(device, size, 0),
			 "unused memory reads as zero\n");

	memset(device, 'a', size);
	cpu = map(memfd, size);
	ksft_test_result(is_filled_with(cpu, size, 'a'),
			 "what is written lasts\n");

	munmap(cpu, size);
	munmap(device, size);
	close(buf);
	close(memfd);
	close(devfd);

	ksft_finished();
}
