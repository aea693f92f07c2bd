// SPDX-License-Identifier: GPL-2.0
/* Guest RAM is a memfd: the host can look where no frame should be. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frame.h"
#include "run.h"

/* Descriptors and buffers are aligned, so frames begin at multiples of 16. */
#define FRAME_ALIGNMENT	16

typedef bool (*frame_test)(const struct run *run, const struct frame *frame, size_t at,
			   int64_t after_ns);

static bool was_sent_after(const struct run *run, const struct frame *frame, size_t at,
			   int64_t after_ns)
{
	(void)run;
	(void)at;
	return (int64_t)frame->sent_ns > after_ns;
}

/* Sequence numbers and slots agree as long as nothing is lost. */
static bool lies_at_its_iova(const struct run *run, const struct frame *frame, size_t at,
			     int64_t after_ns)
{
	(void)after_ns;
	return at == run->buffers_iova + (uint64_t)frame->sequence * run->slot_stride;
}

static unsigned int count_matches(const struct run *run, unsigned int stream, int64_t after_ns,
				  frame_test test, const char *memory, size_t size)
{
	unsigned int count = 0;

	for (size_t at = 0; at + sizeof(struct frame) <= size; at += FRAME_ALIGNMENT) {
		const struct frame *frame = (const void *)(memory + at);

		if (frame->magic == FRAME_MAGIC && frame->stream == stream &&
		    test(run, frame, at, after_ns))
			count++;
	}
	return count;
}

static unsigned int count_frames(const struct run *run, unsigned int stream, int64_t after_ns,
				 frame_test test)
{
	unsigned int count;
	struct stat status;
	void *memory;

	if (run->memory < 0 || fstat(run->memory, &status))
		return ~0u;
	memory = mmap(NULL, status.st_size, PROT_READ, MAP_SHARED, run->memory, 0);
	if (memory == MAP_FAILED)
		return ~0u;
	count = count_matches(run, stream, after_ns, test, memory, status.st_size);
	munmap(memory, status.st_size);
	return count;
}

static bool is_zero(const char *page)
{
	static const char zeroes[4096];

	return !memcmp(page, zeroes, sizeof(zeroes));
}

static void copy_pages(int from, int to, off_t size)
{
	char page[4096];

	for (off_t at = 0; at < size; at += sizeof(page))
		if (pread(from, page, sizeof(page), at) == sizeof(page) && !is_zero(page) &&
		    pwrite(to, page, sizeof(page), at) != sizeof(page))
			return;
}

/* The machine stands still meanwhile; the judge's clock knows that. */
void memory_keep(const struct run *run, int kernel)
{
	char name[32], path[512];
	int fd;

	if (!run->options.keep_memory)
		return;
	snprintf(name, sizeof(name), "memory-%d", kernel);
	run_path(run, name, path, sizeof(path));
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0) {
		perror(path);
		return;
	}
	kill(run->child, SIGSTOP);
	copy_pages(run->memory, fd, (off_t)run->options.memory_mb << 20);
	kill(run->child, SIGCONT);
	close(fd);
}

unsigned int memory_count_frames(const struct run *run, unsigned int stream, int64_t after_ns)
{
	return count_frames(run, stream, after_ns, was_sent_after);
}

unsigned int memory_count_untranslated(const struct run *run, unsigned int stream)
{
	return count_frames(run, stream, 0, lies_at_its_iova);
}
