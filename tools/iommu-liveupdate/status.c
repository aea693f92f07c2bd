// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <string.h>

#include "tool.h"

#define POLL_MS		100
#define WAIT_SECONDS	60
#define WAIT_LONGEST	(24 * 60 * 60)

struct status {
	unsigned int outgoing, incoming, unfinished;
	char first[LIVEUPDATE_SESSION_NAME_LENGTH];	/* of the unfinished ones */
};

static int count(void *arg, const struct liveupdate_ioctl_list_sessions *session)
{
	struct status *status = arg;

	if (session->flags & LIVEUPDATE_SESSION_FLAG_NEEDS_FINISH && !status->unfinished++)
		snprintf(status->first, sizeof(status->first), "%s", (const char *)session->name);
	if (session->flags & LIVEUPDATE_SESSION_FLAG_INCOMING)
		status->incoming++;
	else
		status->outgoing++;
	return 0;
}

static int ask(struct tool *tool, struct status *status)
{
	*status = (struct status) { 0 };
	return luo_each_session(tool, count, status);
}

/* Others finish what is theirs. */
static int wait_for_others(struct tool *tool, struct status *status, int64_t seconds)
{
	int64_t until = tool->ops->ilu.now(tool->arg) + seconds * 1000;
	unsigned int told = 0;
	int error = 0;

	while (!error && status->unfinished && tool->ops->ilu.now(tool->arg) < until) {
		if (told != status->unfinished)
			progress(tool, TOOL_NAME ": %u to be finished, the first is %s ...",
				 status->unfinished, status->first);
		told = status->unfinished;
		tool->ops->ilu.sleep(tool->arg, POLL_MS);
		error = ask(tool, status);
	}
	return error;
}

static void say(struct tool *tool, const struct status *status)
{
	struct json_object *object = json_object_new_object();

	json_number(object, "outgoing", status->outgoing);
	json_number(object, "incoming", status->incoming);
	json_number(object, "unfinished", status->unfinished);
	json_object_object_add(tool->document, "status", object);
	if (status->unfinished)
		item(tool, ILU_FAIL, ILU_ID_SESSION_UNFINISHED, status->first,
		     "%u of %u sessions that came in are not finished", status->unfinished,
		     status->incoming);
	else
		item(tool, ILU_PASS, ILU_ID_SESSION_UNFINISHED, "",
		     "nothing is to be finished, %u sessions go out", status->outgoing);
}

/* 0: it is no number of seconds */
static int64_t seconds_of(const char *text)
{
	char *end;
	long seconds = strtol(text, &end, 10);

	return end == text || *end || seconds < 0 || seconds > WAIT_LONGEST ? 0 : seconds;
}

static int run_status(struct tool *tool, int argc, char **argv, const struct options *options)
{
	int64_t seconds = options->wait ? seconds_of(options->wait) : WAIT_SECONDS;
	struct status status;
	int error;

	(void)argc, (void)argv;
	if (!seconds)
		return usage_error("--wait=%s is no number of seconds up to %d", options->wait, WAIT_LONGEST);
	error = ask(tool, &status);
	if (!error && options->waits)
		error = wait_for_others(tool, &status, seconds);
	if (error)
		item_error(tool, "");
	else
		say(tool, &status);
	return exit_code(tool);
}

const struct command status_commands[] = {
	{ "", run_status, 0, 0, TAKES_WAIT, "[--wait[=SECONDS]]\n      is all of the last live update finished? Wait until it is, for 60 s" },
	{ NULL, NULL, 0, 0, 0, NULL },
};
