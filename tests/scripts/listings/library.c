// SPDX-License-Identifier: GPL-2.0
/* Around the way through both kernels, as README.md and docs/library.md show it. */
#include <iommu-liveupdate.h>

struct ilu_memory *ram;
struct ilu_space *dma;
struct ilu_device *nic;
struct ilu *ilu;
uint64_t iova, size;
int kernel, initrd;
const char *command_line, *data;
size_t length;

void way(void);
void way(void)
{
#include LISTING
}
