/* SPDX-License-Identifier: GPL-2.0 */
/* What the kernel tells of its records in debugfs, "outgoing" or "incoming". */
#ifndef TESTS_VM_GUEST_SHOWN_H
#define TESTS_VM_GUEST_SHOWN_H

/* One unit, one domain, and the attachment of this card, which is in this state. */
void expect_records_shown(const char *side, const char *bdf, const char *state);
void expect_none_shown(const char *side);

#endif
