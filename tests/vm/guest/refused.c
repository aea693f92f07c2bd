// SPDX-License-Identifier: GPL-2.0
/*
 * The live tables seem to differ when they are looked at for the last time, by a
 * test option: the kexec is refused, twice, frames go on, and without the option
 * the same kexec works.
 */
#include <errno.h>

#include "events.h"
#include "liveupdate.h"
#include "machine.h"
#include "preserve.h"
#include "scenarios.h"
#include "wayback.h"

#define OPTION	"/sys/module/iommu_liveupdate_test/parameters/freeze_fails"

void refused_old_kernel(void)
{
	struct receiver receiver;

	start_receiving(&receiver, 300);
	report_pages("base");
	preserve_everything(&receiver);
	must(write_file(OPTION, "Y"), OPTION);
	for (int i = 0; i < 2; i++) {
		check_errno(kexec_jump(), EINVAL, "kexec with other live entries");
		receiver_receive(&receiver, 300);
	}
	must(write_file(OPTION, "N"), OPTION);
	must(announce_and_jump(), "kexec");
}
