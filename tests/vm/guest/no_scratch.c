// SPDX-License-Identifier: GPL-2.0
/*
 * Live update was asked for and cannot be had, because KHO got no scratch memory or
 * is off: who opens the device learns that, and the log says what to do.
 */
#include <errno.h>

#include "events.h"
#include "liveupdate.h"
#include "machine.h"
#include "scenarios.h"

void no_scratch_old_kernel(void)
{
	const char *hint = option_text("hint", "kho_scratch=");

	check_errno(session_create("nobody"), ENODEV, "create a session");
	check(log_says(hint), "the log says: %s", hint);
}
