// SPDX-License-Identifier: GPL-2.0
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "events.h"
#include "machine.h"
#include "measure.h"

#define OUTGOING		"/sys/kernel/debug/iommu/liveupdate/outgoing"
#define HANDED_OVER		"/sys/kernel/debug/kho/out/fdt"

static ssize_t read_all(const char *path, char *buffer, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t length = 0;
	ssize_t got = -1;

	while (fd >= 0 && length < size && (got = read(fd, buffer + length, size - length)) > 0)
		length += got;
	if (fd >= 0)
		close(fd);
	return got < 0 ? -1 : (ssize_t)length;
}

void take_measure(struct measure *measure, const struct receiver *receiver)
{
	measure->outgoing_length = read_all(OUTGOING, measure->outgoing,
					    sizeof(measure->outgoing));
	measure->handed_over_length = read_all(HANDED_OVER, measure->handed_over,
					       sizeof(measure->handed_over));
	must(pci_config_read(receiver->device.bdf, PCI_COMMAND, &measure->command,
			     sizeof(measure->command)), "config");
	count_pages(&measure->pages);
}

void expect_same(const struct measure *before, const struct receiver *receiver)
{
	struct measure *now = malloc(sizeof(*now));

	if (!now)
		give_up("memory");
	take_measure(now, receiver);
	check(before->outgoing_length > 0 && now->outgoing_length == before->outgoing_length &&
	      !memcmp(now->outgoing, before->outgoing, now->outgoing_length),
	      "debugfs shows the same records: %zd and %zd bytes", before->outgoing_length,
	      now->outgoing_length);
	check(before->handed_over_length > 0 &&
	      now->handed_over_length == before->handed_over_length &&
	      !memcmp(now->handed_over, before->handed_over, now->handed_over_length),
	      "what KHO hands over is the same: %zd and %zd bytes", before->handed_over_length,
	      now->handed_over_length);
	check(now->pages.iommu == before->pages.iommu &&
	      now->pages.secondary == before->pages.secondary,
	      "pages of the IOMMU: %lu and %lu, before %lu and %lu", now->pages.iommu,
	      now->pages.secondary, before->pages.iommu, before->pages.secondary);
	check(now->command == before->command, "command 0x%x, before 0x%x", now->command,
	      before->command);
	free(now);
}
