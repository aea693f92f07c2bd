// SPDX-License-Identifier: GPL-2.0
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "events.h"
#include "userfault.h"

#define WAIT_MS		2000

void userfault_create(struct userfault *userfault, size_t size)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register area = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	userfault->size = size;
	userfault->fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (userfault->fd < 0)
		skip("this kernel has no userfaultfd: %m");
	userfault->memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	area.range.start = (unsigned long)userfault->memory;
	area.range.len = size;
	if (userfault->memory == MAP_FAILED || ioctl(userfault->fd, UFFDIO_API, &api) ||
	    ioctl(userfault->fd, UFFDIO_REGISTER, &area))
		give_up("userfaultfd: %m");
}

bool userfault_wait(const struct userfault *userfault)
{
	struct pollfd pollfd = { .fd = userfault->fd, .events = POLLIN };

	return poll(&pollfd, 1, WAIT_MS) == 1;
}

void userfault_release(struct userfault *userfault)
{
	struct uffdio_range range = {
		.start = (unsigned long)userfault->memory,
		.len = userfault->size,
	};

	if (ioctl(userfault->fd, UFFDIO_UNREGISTER, &range))
		give_up("end of userfaultfd: %m");
	close(userfault->fd);
}
