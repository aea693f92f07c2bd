// SPDX-License-Identifier: GPL-2.0
/* Around each half of the way by plain calls, as docs/uapi.md shows it. */
#include <linux/vfio.h>
#include "device.h"
#include "liveupdate.h"

enum { TOKEN_MEMORY = 1, TOKEN_IOMMUFD, TOKEN_DEVICE, TOKEN_PAGE_TABLE };

struct device device;
const char *bdf;
__u64 size, iova;
__u32 ioas_id, hwpt_id;

void half(void);
void half(void)
{
#include LISTING
}
