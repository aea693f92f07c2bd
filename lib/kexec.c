// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>

#include "internal.h"

int ilu_quiesce(struct ilu *ilu)
{
	return ilu ? ilu_irqs_off(ilu) : -EINVAL;
}

int ilu_kexec_load(struct ilu *ilu, int kernel, int initrd, const char *command_line)
{
	if (!ilu)
		return -EINVAL;
	if (kernel < 0 || !command_line)
		return ilu_refuse(ilu, ILU_OWN_BAD_ARGUMENT, NULL);
	if (ilu->ops.kexec_file_load(ilu->arg, kernel, initrd, command_line))
		return ilu_fail(ilu, -errno, ILU_CALL_KEXEC_LOAD, NULL);
	return 0;
}

/*
 * reboot(2) gives an errno, and nothing else. What is in the way may still be, and then
 * a test finds it.
 */
static void explain(struct ilu *ilu, int error)
{
	if (ilu_session_test(ilu) <= 0 || ilu->error.public.err != error)
		ilu_fail(ilu, error, ILU_CALL_REBOOT, ilu->session_name);
}

/* That it comes back without an error is for a kernel of a test. */
int ilu_kexec(struct ilu *ilu)
{
	int error;

	if (!ilu)
		return -EINVAL;
	if (!ilu->preserved)
		return ilu_refuse(ilu, ILU_OWN_NOT_PRESERVED, ilu->session_name);
	error = ilu_irqs_off(ilu);
	if (error)
		return error;
	if (!ilu->ops.reboot_kexec(ilu->arg))
		return 0;
	explain(ilu, -errno);
	return ilu_irqs_again_after(ilu);
}
