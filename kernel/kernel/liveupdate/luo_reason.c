// SPDX-License-Identifier: GPL-2.0

/**
 * DOC: Why LUO Refuses
 *
 * An errno tells a program that a call has failed, but not what the one who runs
 * it has to change. The log does, for whoever may read it and finds the line. So a
 * call keeps the first line that is written because of it:
 *
 * 1. luo_reason_begin() starts to listen to what the current task says.
 *
 * 2. LUO, a file handler, or whoever is called by one, refuses something by
 *    liveupdate_refuse(). That writes the line to the log, and by
 *    liveupdate_note_reason() into the &struct luo_reason of the task. What comes
 *    later in the same call says that it failed because of that, and is left out.
 *    A task that is in no call has none: who refuses need not know.
 *
 * 3. luo_reason_end() stops it. If the call has failed, luo_failure_set() leaves the
 *    text with the session, where user space asks for it.
 *
 * Nothing is allocated: the text is on the stack of the call, and in the session.
 *
 * Locking: luo_reason_lock protects the list. It is taken when something is refused,
 * with whatever locks are held, and nothing is called under it. A &struct luo_reason
 * is written by its own task only, so reading it takes no lock.
 */

#include <linux/cleanup.h>
#include <linux/list.h>
#include <linux/liveupdate.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/sprintf.h>
#include <linux/stdarg.h>
#include <linux/string.h>
#include "luo_internal.h"

static DEFINE_RAW_SPINLOCK(luo_reason_lock);
static LIST_HEAD(luo_reasons);

/**
 * luo_reason_begin - Keep what the current task says when it refuses something.
 * @reason: Where to, usually on its stack. Undone by luo_reason_end().
 *
 * Context: Process context.
 */
void luo_reason_begin(struct luo_reason *reason)
{
	reason->task = current;
	reason->text[0] = '\0';

	guard(raw_spinlock_irqsave)(&luo_reason_lock);
	list_add(&reason->list, &luo_reasons);
}

/**
 * luo_reason_end - The call is over.
 * @reason: That of luo_reason_begin(). Its text stays.
 *
 * Context: Process context, the task of luo_reason_begin().
 */
void luo_reason_end(struct luo_reason *reason)
{
	guard(raw_spinlock_irqsave)(&luo_reason_lock);
	list_del(&reason->list);
}

/* One of the current task stays what it is when the lock is dropped. */
static struct luo_reason *luo_reason_current(void)
{
	struct luo_reason *reason;

	guard(raw_spinlock_irqsave)(&luo_reason_lock);
	list_for_each_entry(reason, &luo_reasons, list)
		if (reason->task == current)
			return reason;
	return NULL;
}

/**
 * liveupdate_note_reason - Keep a refusal for who has made the call.
 * @fmt: The sentence, with or without a newline at its end.
 *
 * Part of liveupdate_refuse(), which writes it to the log as well.
 *
 * Context: Any. Does nothing in an interrupt, in a task that is in no call, or if
 *          something was refused in this call before.
 */
void liveupdate_note_reason(const char *fmt, ...)
{
	struct luo_reason *reason;
	va_list args;

	reason = in_task() ? luo_reason_current() : NULL;
	if (!reason || reason->text[0])
		return;

	va_start(args, fmt);
	vscnprintf(reason->text, sizeof(reason->text), fmt, args);
	va_end(args);
	strreplace(reason->text, '\n', '\0');
}
EXPORT_SYMBOL_GPL(liveupdate_note_reason);

/**
 * luo_failure_set - Note how a call on a session has ended.
 * @failure: That of the session, whose mutex is held.
 * @err:     What the call returns.
 * @token:   The file that it was about, or that has refused it; or 0.
 * @reason:  What was said meanwhile.
 *
 * Context: Process context.
 */
void luo_failure_set(struct luo_failure *failure, int err, u64 token,
		     const struct luo_reason *reason)
{
	memset(failure, 0, sizeof(*failure));
	if (!err)
		return;

	failure->error = err;
	failure->token = token;
	strscpy(failure->reason, reason->text);
}
