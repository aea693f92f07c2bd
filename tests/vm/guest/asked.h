/* SPDX-License-Identifier: GPL-2.0 */
/* What LUO can be asked: whether a kexec would be refused, why a call was, which sessions there are. */
#ifndef TESTS_VM_GUEST_ASKED_H
#define TESTS_VM_GUEST_ASKED_H

#include <linux/liveupdate.h>

/* 0, or a negative errno if the question could not be asked. */
int ask_kexec(struct liveupdate_ioctl_test_kexec *answer);
int ask_session(int session, struct liveupdate_session_test *answer);
int ask_reason(int session, struct liveupdate_session_get_reason *answer);
int ask_for_session(__u64 after, struct liveupdate_ioctl_list_sessions *answer);

/* What /sys/kernel/kexec/loaded_kind says. */
const char *loaded_kind(void);

/*
 * A kexec would fail with this error, a positive errno or 0, because of this session
 * ("" for none) and file (0 for none), and the reason has these words, as the log has.
 */
void expect_kexec(int error, const char *session, __u64 token, const char *words);
/* Of the last call on the session. */
void expect_reason(int session, int error, __u64 token, const char *words);

#endif
