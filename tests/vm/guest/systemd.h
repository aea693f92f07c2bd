/* SPDX-License-Identifier: GPL-2.0 */
/* What runs below systemd as PID 1: the rig's units, and the hook of systemd-shutdown. */
#ifndef TESTS_VM_GUEST_SYSTEMD_H
#define TESTS_VM_GUEST_SYSTEMD_H

#define RIG_END		"/rig-end"		/* the service ends the run */
#define RIG_DIED	"/rig-died"		/* it has died once, as it was asked to */

/* Of a process that is not the first. */
int systemd_unit(int argc, char **argv);

#endif
