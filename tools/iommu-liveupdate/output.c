// SPDX-License-Identifier: GPL-2.0
/* What is found, in a line for people or in one document for programs. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

#define FORMAT	1	/* of the document: schema.json */

static const char *const verdicts[] = {
	[ILU_PASS] = "PASS",
	[ILU_WARN] = "WARN",
	[ILU_FAIL] = "FAIL",
	[ILU_UNKNOWN] = "UNKNOWN",
};

void json_text(struct json_object *object, const char *key, const char *value)
{
	json_object_object_add(object, key, json_object_new_string(value));
}

void json_number(struct json_object *object, const char *key, int64_t value)
{
	json_object_object_add(object, key, json_object_new_int64(value));
}

void line(struct tool *tool, const char *format, ...)
{
	va_list args;

	if (tool->json)
		return;
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

/* ---- items ---- */

static void count(struct tool *tool, enum ilu_verdict verdict, enum ilu_id id)
{
	tool->passed += verdict == ILU_PASS;
	tool->warned += verdict == ILU_WARN;
	tool->failed += verdict == ILU_FAIL;
	tool->unknown += verdict == ILU_UNKNOWN;
	if (verdict == ILU_PASS)
		return;
	tool->no_support |= id == ILU_ID_HOST_NO_SUPPORT || id == ILU_ID_HOST_NOT_SET_UP ||
			    (id == ILU_ID_IOMMUFD_NO_SUPPORT && verdict == ILU_FAIL);
	tool->busy |= id == ILU_ID_HOST_BUSY || id == ILU_ID_IMAGE_BUSY || id == ILU_ID_SESSION_TAKEN;
}

static void show(struct tool *tool, enum ilu_verdict verdict, enum ilu_id id, const char *object,
		 const char *text)
{
	const char *hint = verdict == ILU_PASS ? "" : ilu_id_hint(id);

	if (tool->quiet && verdict == ILU_PASS)
		return;
	line(tool, "%-7s  %-20s  %-12s  %s%s%s", verdicts[verdict], ilu_id_name(id),
	     object[0] ? object : "-", text, hint[0] ? "  -> " : "", hint);
}

static void add(struct tool *tool, enum ilu_verdict verdict, enum ilu_id id, const char *object,
		const char *text)
{
	struct json_object *entry = json_object_new_object();

	json_text(entry, "verdict", verdicts[verdict]);
	json_text(entry, "id", ilu_id_name(id));
	json_text(entry, "object", object);
	json_text(entry, "reason", text);
	json_text(entry, "hint", verdict == ILU_PASS ? "" : ilu_id_hint(id));
	json_object_array_add(tool->items, entry);
}

void item(struct tool *tool, enum ilu_verdict verdict, enum ilu_id id, const char *object,
	  const char *format, ...)
{
	char text[TEXT_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	count(tool, verdict, id);
	show(tool, verdict, id, object, text);
	add(tool, verdict, id, object, text);
}

/* Who is not allowed to ask, or asks when somebody else does, has no answer. */
static enum ilu_verdict verdict_of(enum ilu_id id)
{
	switch (id) {
	case ILU_ID_HOST_PERMISSION:
	case ILU_ID_HOST_CANNOT_ANSWER:
	case ILU_ID_HOST_BUSY:
	case ILU_ID_IMAGE_BUSY:
	case ILU_ID_CALL_MEMORY:
	case ILU_ID_CALL_FILES:
		return ILU_UNKNOWN;
	default:
		return ILU_FAIL;
	}
}

void item_error(struct tool *tool, const char *object)
{
	const struct ilu_error *error = ilu_error(tool->ilu);

	item(tool, verdict_of(error->id), error->id, object ? object : error->object, "%s",
	     error->reason[0] ? error->reason : error->text);
}

/* ---- the end ---- */

int exit_code(const struct tool *tool)
{
	if (tool->no_support)
		return EXIT_NO_SUPPORT;
	if (tool->failed)
		return tool->busy && tool->failed == 1 && !tool->unknown ? EXIT_IS_BUSY : EXIT_WOULD_FAIL;
	if (tool->busy)
		return EXIT_IS_BUSY;
	return tool->unknown ? EXIT_NOT_KNOWN : EXIT_FINE;
}

void output_end(struct tool *tool, int code)
{
	if (!tool->json)
		return;
	json_number(tool->document, "format", FORMAT);
	json_text(tool->document, "command", tool->command);
	json_number(tool->document, "exit", code);
	json_object_object_add(tool->document, "items", json_object_get(tool->items));
	puts(json_object_to_json_string_ext(tool->document, tool->pretty ?
		JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE :
		JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
}
