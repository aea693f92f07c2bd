// SPDX-License-Identifier: GPL-2.0
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "events.h"
#include "machine.h"
#include "operator.h"

#define SAID		"/operator-said"
#define COMPLAINED	"/operator-complained"
#define WORDS_MAX	16
#define ITEMS_SIZE	4096
#define STEP_MS		5

struct operator *operator_create(void)
{
	struct operator *operator = calloc(1, sizeof(*operator));

	if (!operator)
		give_up("memory");
	return operator;
}

/* ---- running it ---- */

/* What comes after a word; words are cut where they are. */
static char *next_word(char **rest)
{
	char *word = *rest + strspn(*rest, " ");
	bool quoted = *word == '\'';

	if (!*word)
		return NULL;
	word += quoted;
	*rest = word + strcspn(word, quoted ? "'" : " ");
	if (**rest)
		*(*rest)++ = '\0';
	return word;
}

/* Those of another user may not open these files. */
static int new_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0)
		give_up("%s: %m", path);
	return fd;
}

static void run_in_child(const struct operator *operator, char **arguments, int said,
			 int complained)
{
	dup2(said, STDOUT_FILENO);
	dup2(complained, STDERR_FILENO);
	if (operator->user && (setgid(operator->user) || setuid(operator->user)))
		_exit(126);
	execv(arguments[0], arguments);
	_exit(127);
}

static void start(struct operator *operator, const char *option)
{
	char *arguments[WORDS_MAX + 3] = { OPERATOR_COMMAND }, words[sizeof(operator->words)];
	int said = new_file(SAID), complained = new_file(COMPLAINED), count = 1;
	char *rest = words;

	memcpy(words, operator->words, sizeof(words));
	if (*option)
		arguments[count++] = (char *)option;
	while (count < WORDS_MAX && (arguments[count] = next_word(&rest)))
		count++;
	operator->child = must(fork(), "fork");
	if (!operator->child)
		run_in_child(operator, arguments, said, complained);
	close(said);
	close(complained);
}

static void take_file(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? -1 : read(fd, text, size - 1);

	if (length < 0 || length == (ssize_t)size - 1)
		give_up("%s: %zd bytes: %m", path, length);
	text[length] = '\0';
	close(fd);
}

static void end(struct operator *operator, char *said, size_t size)
{
	int status;

	while (!waitpid(operator->child, &status, WNOHANG))
		if (operator->receiver)
			receiver_receive(operator->receiver, STEP_MS);
		else
			sleep_ms(STEP_MS);
	operator->child = 0;
	operator->code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	take_file(SAID, said, size);
	take_file(COMPLAINED, operator->complaints, sizeof(operator->complaints));
	/* told to the host in one line */
	for (char *at = operator->complaints; (at = strchr(at, '\n')); )
		*at = ';';
}

/* ---- items ---- */

static void add_item(char *items, const char *verdict, int verdict_length, const char *id,
		     int id_length)
{
	size_t used = strlen(items);

	snprintf(items + used, ITEMS_SIZE - used, "%s%.*s %.*s", used ? ", " : "", verdict_length,
		 verdict, id_length, id);
}

static bool begins(const char *line, const char *with)
{
	return !strncmp(line, with, strlen(with));
}

static bool is_fine(const char *line)
{
	return begins(line, "PASS ");
}

static bool is_item(const char *line)
{
	return is_fine(line) || begins(line, "FAIL ") || begins(line, "WARN ") ||
	       begins(line, "UNKNOWN ");
}

static void items_of_lines(const char *text, char *items, bool also_fine)
{
	*items = '\0';
	for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		int verdict = strcspn(line, " ");
		const char *id = line + verdict + strspn(line + verdict, " ");

		if (is_item(line) && (also_fine || !is_fine(line)))
			add_item(items, line, verdict, id, strcspn(id, " "));
	}
}

static void items_of_document(const char *document, char *items)
{
	static const char verdict[] = "{\"verdict\":\"", id[] = "\"id\":\"";

	*items = '\0';
	for (const char *at = document; (at = strstr(at, verdict)); ) {
		const char *named;

		at += strlen(verdict);
		named = strstr(at, id);
		if (!named)
			return;
		named += strlen(id);
		add_item(items, at, strcspn(at, "\""), named, strcspn(named, "\""));
	}
}

static void expect_same_items(const struct operator *operator)
{
	char lines[ITEMS_SIZE], document[ITEMS_SIZE];

	items_of_lines(operator->text, lines, true);
	items_of_document(operator->document, document);
	check(!strcmp(lines, document), "%s: text names '%s', JSON '%s'", operator->words, lines,
	      document);
}

/* ---- */

/* What is fine there is much of. */
static void tell_lines(const struct operator *operator)
{
	const char *line = operator->text;

	for (; *line; line += strcspn(line, "\n"), line += *line == '\n')
		if (!is_fine(line))
			event("note said %.*s", (int)strcspn(line, "\n"), line);
}

void operator_types(struct operator *operator, const char *format, ...)
{
	va_list args;
	int code;

	va_start(args, format);
	vsnprintf(operator->words, sizeof(operator->words), format, args);
	va_end(args);
	start(operator, "-j");
	end(operator, operator->document, sizeof(operator->document));
	code = operator->code;
	start(operator, "");
	end(operator, operator->text, sizeof(operator->text));
	event("note %s: exit %d", operator->words, operator->code);
	check(operator->code == code, "%s: exit %d, with JSON %d", operator->words, operator->code,
	      code);
	expect_same_items(operator);
}

void operator_begins(struct operator *operator, const char *command)
{
	snprintf(operator->words, sizeof(operator->words), "%s", command);
	start(operator, "");
}

void operator_waits(struct operator *operator)
{
	end(operator, operator->text, sizeof(operator->text));
	event("note %s: exit %d", operator->words, operator->code);
}

void operator_expects(const struct operator *operator, int code, const char *items)
{
	char found[ITEMS_SIZE];
	bool right = operator->code == code;

	items_of_lines(operator->text, found, false);
	right &= check(right, "%s: exit %d, wanted %d: %s", operator->words, operator->code, code,
		       operator->complaints);
	right &= check(!strcmp(found, items), "%s: names '%s', wanted '%s'", operator->words, found,
		       items);
	if (!right)
		tell_lines(operator);
}

void operator_sees(const struct operator *operator, const char *words)
{
	if (!check(strstr(operator->text, words), "%s: says '%s'", operator->words, words))
		tell_lines(operator);
}

void operator_sees_not(const struct operator *operator, const char *words)
{
	if (!check(!strstr(operator->text, words), "%s: does not say '%s'", operator->words, words))
		tell_lines(operator);
}
