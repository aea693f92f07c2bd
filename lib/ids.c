// SPDX-License-Identifier: LGPL-2.1-or-later
/* Reasons by number, by name, and by what the kernel says. */
#include <string.h>

#include "internal.h"

struct id {
	const char *name, *text, *hint;
};

static const struct id ids[] = {
	[ILU_ID_NONE] = { "", "", "" },
#define ILU_ID(id, number, name, text, hint)	[number] = { name, text, hint },
#include "reasons.def"
};

struct line {
	enum ilu_id id;
	const char *pattern;
};

static const struct line lines[] = {
#define ILU_LINE(id, pattern)			{ ILU_ID_##id, pattern },
#include "reasons.def"
};

#define COUNT(array)	(sizeof(array) / sizeof((array)[0]))

/* Numbers are left out where a reason is no more. */
static const struct id *id_of(enum ilu_id id)
{
	if ((size_t)id >= COUNT(ids) || !ids[id].name)
		return &ids[ILU_ID_NONE];
	return &ids[id];
}

const char *ilu_id_name(enum ilu_id id)
{
	return id_of(id)->name;
}

const char *ilu_id_text(enum ilu_id id)
{
	return id_of(id)->text;
}

const char *ilu_id_hint(enum ilu_id id)
{
	return id_of(id)->hint;
}

enum ilu_id ilu_id_by_name(const char *name)
{
	if (!name || !name[0])
		return ILU_ID_NONE;
	for (size_t i = 0; i < COUNT(ids); i++)
		if (ids[i].name && !strcmp(ids[i].name, name))
			return (enum ilu_id)i;
	return ILU_ID_NONE;
}

enum ilu_verdict ilu_id_verdict(enum ilu_id id)
{
	switch (id) {
	case ILU_ID_HOST_BUSY:
	case ILU_ID_HOST_PERMISSION:
	case ILU_ID_HOST_CANNOT_ANSWER:
	case ILU_ID_IMAGE_BUSY:
	case ILU_ID_CALL_MEMORY:
	case ILU_ID_CALL_FILES:
		return ILU_UNKNOWN;
	default:
		return ILU_FAIL;
	}
}

/* Does the line go on so, here? */
static bool fits_here(const char *line, const char *pattern)
{
	for (; *pattern; pattern++, line++) {
		if (*pattern == '*')
			return ilu_line_fits(line, pattern + 1);
		if (*pattern != *line)
			return false;
	}
	return true;
}

bool ilu_line_fits(const char *line, const char *pattern)
{
	do
		if (fits_here(line, pattern))
			return true;
	while (*line++);
	return false;
}

enum ilu_id ilu_id_by_line(const char *line)
{
	for (size_t i = 0; line && i < COUNT(lines); i++)
		if (ilu_line_fits(line, lines[i].pattern))
			return lines[i].id;
	return ILU_ID_NONE;
}
