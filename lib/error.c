// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

struct reason {
	int call, err;
	enum ilu_id id;
	const char *text, *hint;
};

static const char *const call_names[] = {
#define ILU_CALL(id, name)			[ILU_CALL_##id] = name,
#include "reasons.def"
};

static const struct reason reasons[] = {
#define ILU_REASON(call, err, id, text, hint) \
	{ ILU_CALL_##call, err, ILU_ID_##id, text, hint },
#include "reasons.def"
};

static const struct reason own_reasons[] = {
#define ILU_OWN(own, err, id, text, hint) \
	[ILU_OWN_##own] = { ILU_CALL_ANY, err, ILU_ID_##id, text, hint },
#include "reasons.def"
};

/* The last row fits everything. */
static const struct reason *reason_of(enum ilu_call call, int err)
{
	const struct reason *reason = reasons;

	for (;; reason++) {
		if (reason->call != (int)call && reason->call != ILU_CALL_ANY)
			continue;
		if (reason->err == err || !reason->err)
			return reason;
	}
}

static int store(struct ilu *ilu, int error, const char *call, const char *object,
		 const struct reason *reason)
{
	struct ilu_stored_error *stored = &ilu->error;

	snprintf(stored->object, sizeof(stored->object), "%s", object ? object : "");
	stored->reason[0] = 0;
	stored->public = (struct ilu_error) {
		.err = error,
		.call = call,
		.object = stored->object,
		.text = reason->text,
		.hint = reason->hint,
		.id = reason->id,
		.reason = stored->reason,
	};
	return error;
}

int ilu_fail(struct ilu *ilu, int error, enum ilu_call call, const char *object)
{
	return store(ilu, error, call_names[call], object, reason_of(call, -error));
}

int ilu_refuse(struct ilu *ilu, enum ilu_own reason, const char *object)
{
	return store(ilu, -own_reasons[reason].err, "", object, &own_reasons[reason]);
}

void ilu_explain(struct ilu *ilu, const char *reason)
{
	struct ilu_stored_error *stored = &ilu->error;
	enum ilu_id id = ilu_id_by_line(reason);

	snprintf(stored->reason, sizeof(stored->reason), "%s", reason);
	if (id == ILU_ID_NONE)
		return;
	stored->public.id = id;
	stored->public.text = ilu_id_text(id);
	stored->public.hint = ilu_id_hint(id);
}

enum ilu_id ilu_own_id(enum ilu_own reason)
{
	return own_reasons[reason].id;
}

void ilu_locate(struct ilu *ilu, uint64_t iova)
{
	struct ilu_stored_error *stored = &ilu->error;

	snprintf(stored->reason, sizeof(stored->reason), "at IOVA %#llx: %s",
		 (unsigned long long)iova, stored->public.text);
}

void ilu_error_restore(struct ilu *ilu, const struct ilu_stored_error *stored)
{
	ilu->error = *stored;
}

const struct ilu_error *ilu_error(const struct ilu *ilu)
{
	static const struct ilu_error no_context = {
		.err = -EINVAL, .call = "", .object = "", .text = "there is no context", .hint = "",
		.id = ILU_ID_CALL_ARGUMENT, .reason = "",
	};

	return ilu ? &ilu->error.public : &no_context;
}
