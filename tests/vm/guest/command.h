/* SPDX-License-Identifier: GPL-2.0 */
/* Questions of the operator's command, and what they are compared with. */
#ifndef TESTS_VM_GUEST_COMMAND_H
#define TESTS_VM_GUEST_COMMAND_H

#include "operator.h"

/* Of this program, of the kexec, of a device: the exit code, and what is not fine. */
void check_program(struct operator *operator, int code, const char *items);
void check_kexec(struct operator *operator, int code, const char *items);
void check_device(struct operator *operator, const char *bdf, int code, const char *items);

/* Memory, iommufd, device: 0, or the negative errno of the first that is refused. */
int preserve_all(const struct receiver *receiver, int session);
/*
 * The same in a session that is closed again, with another memfd if there is one; error is
 * what it has to be refused with, a positive errno, or 0.
 */
void try_to_preserve(const struct receiver *receiver, int memfd, int error, const char *what);

#endif
