// SPDX-License-Identifier: GPL-2.0
/* What is found, in a line for people or in one document for programs. */
#include <errno.h>
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

/* ---- texts that others have made ---- */

/* How many bytes the character has, 0 if they are no UTF-8 */
static size_t character(const unsigned char *at)
{
	size_t length = at[0] < 0x80 ? 1 : at[0] < 0xc2 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 :
		at[0] < 0xf5 ? 4 : 0;

	for (size_t i = 1; i < length; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	/* too long, of a surrogate, or beyond the last one */
	if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) ||
	    (at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f))
		return 0;
	return length;
}

/* A terminal might obey it. */
static bool is_control(const unsigned char *at)
{
	return at[0] < 0x20 || at[0] == 0x7f || (at[0] == 0xc2 && at[1] < 0xa0);
}

/* With \xNN for what is no UTF-8, and for control characters if it is for people; to be freed */
static char *escaped(const char *text, bool for_people)
{
	const unsigned char *at = (const unsigned char *)text;
	char *all = malloc(4 * strlen(text) + 1), *to = all;

	while (all && *at) {
		size_t length = character(at);

		if (!length || (for_people && is_control(at))) {
			to += sprintf(to, "\\x%02x", *at++);
			continue;
		}
		memcpy(to, at, length);
		to += length;
		at += length;
	}
	if (all)
		*to = 0;
	return all;
}

struct json_object *json_string(const char *text)
{
	char *sound = escaped(text, false);
	struct json_object *string = json_object_new_string(sound ? sound : "");

	free(sound);
	return string;
}

void json_text(struct json_object *object, const char *key, const char *value)
{
	json_object_object_add(object, key, json_string(value));
}

void json_number(struct json_object *object, const char *key, int64_t value)
{
	json_object_object_add(object, key, json_object_new_int64(value));
}

static void print(FILE *file, const char *format, va_list args)
{
	char *text = NULL, *sound = NULL;

	if (vasprintf(&text, format, args) >= 0)
		sound = escaped(text, true);
	fprintf(file, "%s\n", sound ? sound : "out of memory");
	free(sound);
	free(text);
}

void line(struct tool *tool, const char *format, ...)
{
	va_list args;

	if (tool->json)
		return;
	va_start(args, format);
	print(stdout, format, args);
	va_end(args);
}

void progress(const struct tool *tool, const char *format, ...)
{
	va_list args;

	if (tool->quiet)
		return;
	va_start(args, format);
	print(stderr, format, args);
	va_end(args);
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

void item_error(struct tool *tool, const char *object)
{
	const struct ilu_error *error = ilu_error(tool->ilu);

	item(tool, ilu_id_verdict(error->id), error->id, object ? object : error->object, "%s",
	     error->reason[0] ? error->reason : error->text);
}

/* ---- the end ---- */

/* What is not written was not said. */
int output_written(int code)
{
	if (!fflush(stdout) && !ferror(stdout))
		return code;
	fprintf(stderr, TOOL_NAME ": cannot write: %s\n", strerror(errno));
	return EXIT_NOT_KNOWN;
}

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
