// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "events.h"
#include "machine.h"
#include "tenant.h"

#define WAITER_MS	3000

void late_memory_create(struct late_memory *late, size_t size, enum late_access access)
{
	bool write = access == LATE_WRITE;
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = write ? UFFD_FEATURE_PAGEFAULT_FLAG_WP : 0,
	};
	struct uffdio_register area = {
		.mode = write ? UFFDIO_REGISTER_MODE_WP : UFFDIO_REGISTER_MODE_MISSING,
	};

	late->size = size;
	late->fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (late->fd < 0 && errno == ENOSYS)
		skip("this kernel has no userfaultfd");
	late->memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | (write ? MAP_POPULATE : 0), -1, 0);
	area.range.start = (unsigned long)late->memory;
	area.range.len = size;
	if (late->fd < 0 || late->memory == MAP_FAILED || ioctl(late->fd, UFFDIO_API, &api) ||
	    ioctl(late->fd, UFFDIO_REGISTER, &area))
		give_up("userfaultfd: %m");
}

void late_memory_protect(const struct late_memory *late)
{
	struct uffdio_writeprotect protect = {
		.range = { .start = (unsigned long)late->memory, .len = late->size },
		.mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};

	if (ioctl(late->fd, UFFDIO_WRITEPROTECT, &protect))
		give_up("write-protect by userfaultfd: %m");
}

void late_memory_expect_waiter(const struct late_memory *late)
{
	struct pollfd pollfd = { .fd = late->fd, .events = POLLIN };

	if (poll(&pollfd, 1, WAITER_MS) != 1)
		give_up("nobody waits for the memory");
}

void late_memory_let_go(struct late_memory *late)
{
	struct uffdio_range range = {
		.start = (unsigned long)late->memory,
		.len = late->size,
	};

	if (ioctl(late->fd, UFFDIO_UNREGISTER, &range))
		give_up("end of userfaultfd: %m");
	close(late->fd);
}

static void *run_call(void *argument)
{
	struct background_call *call = argument;
	long long begin = monotonic_ns();

	call->result = call->function(call->argument);
	call->milliseconds = (monotonic_ns() - begin) / 1000000;
	__atomic_store_n(&call->ended, true, __ATOMIC_RELEASE);
	return NULL;
}

void call_in_background(struct background_call *call, int (*function)(void *argument),
			void *argument)
{
	memset(call, 0, sizeof(*call));
	call->function = function;
	call->argument = argument;
	errno = pthread_create(&call->thread, NULL, run_call, call);
	if (errno)
		give_up("thread: %m");
}

bool call_returns_within(struct background_call *call, int milliseconds)
{
	for (int waited = 0; waited < milliseconds; waited += 20) {
		if (__atomic_load_n(&call->ended, __ATOMIC_ACQUIRE))
			return true;
		sleep_ms(20);
	}
	return false;
}

int call_result(struct background_call *call)
{
	pthread_join(call->thread, NULL);
	return call->result;
}

int kernel_log_open(void)
{
	int log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (log < 0 || lseek(log, 0, SEEK_END))
		give_up("kernel log: %m");
	return log;
}

bool kernel_log_has(int log, const char *text)
{
	char record[2048];
	ssize_t length;

	while ((length = read(log, record, sizeof(record) - 1)) > 0 || errno == EPIPE) {
		record[length > 0 ? length : 0] = '\0';
		if (strstr(record, text))
			return true;
	}
	return false;
}
