// SPDX-License-Identifier: GPL-2.0
/* Guest RAM is a memfd: the host can look where no frame should be. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
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

static void count_in(const struct run *run)
{
	char memory[64], place[32];

	/* QEMU inherits the memory, so it is open here as well. */
	snprintf(memory, sizeof(memory), "/proc/self/fd/%d", run->memory);
	snprintf(place, sizeof(place), "%#llx", (unsigned long long)run->kernel_at);
	execl(run->options.counters, run->options.counters, run->kernel, memory,
	      run->kernel_at ? place : NULL, NULL);
	_exit(127);
}

/*
 * The machine stands still meanwhile; the judge's clock knows that. A kernel that has
 * panicked before it came to its constructors has none.
 */
void memory_count(struct run *run)
{
	int status = -1;
	pid_t child;

	if (!run->options.counters || !run->kernel)
		return;
	kill(run->child, SIGSTOP);
	child = fork();
	if (!child)
		count_in(run);
	if ((child < 0 || waitpid(child, &status, 0) != child || status) && run->kernel_at)
		run_problem(run, "the counters of %s could not be had", run->kernel);
	kill(run->child, SIGCONT);
}

unsigned int memory_count_frames(const struct run *run, unsigned int stream, int64_t after_ns)
{
	return count_frames(run, stream, after_ns, was_sent_after);
}

unsigned int memory_count_untranslated(const struct run *run, unsigned int stream)
{
	return count_frames(run, stream, 0, lies_at_its_iova);
}
