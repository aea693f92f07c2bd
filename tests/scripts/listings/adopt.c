// SPDX-License-Identifier: GPL-2.0
/* Around a broker of another program's objects, as docs/library.md shows it. */
#include <iommu-liveupdate.h>
#include <linux/vfio.h>

struct ilu_memory *ram;
struct ilu_space *space;
struct ilu_device *nic;
struct ilu *ilu;
int ram_fd, iommufd, device_fd, broker;
uint32_t ioas_id, device_id, hwpt_id;
unsigned int nr;
const int *eventfds;

int note_it(void *arg, const struct ilu_area *area);
void replace_noted(const int *broker);
void carry(void);
void carry(void)
{
#include LISTING
}
