// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <string.h>

#include "tool.h"

/* ---- list ---- */

struct list {
	struct tool *tool;
	struct json_object *sessions;
	const char *wanted;		/* NULL: all */
	struct liveupdate_ioctl_list_sessions found;
};

static int list_one(void *arg, const struct liveupdate_ioctl_list_sessions *session)
{
	struct list *list = arg;
	struct json_object *object;
	bool incoming = session->flags & LIVEUPDATE_SESSION_FLAG_INCOMING;
	bool open = session->flags & LIVEUPDATE_SESSION_FLAG_OPEN;
	bool unfinished = session->flags & LIVEUPDATE_SESSION_FLAG_NEEDS_FINISH;

	if (list->wanted && strcmp(list->wanted, (const char *)session->name))
		return 0;
	/* An outgoing and an incoming one may have this name, in any order: the incoming one counts. */
	if (incoming || !list->found.size)
		list->found = *session;
	object = json_object_new_object();
	json_text(object, "name", (const char *)session->name);
	json_text(object, "role", incoming ? "incoming" : "outgoing");
	json_object_object_add(object, "open", json_object_new_boolean(open));
	json_object_object_add(object, "unfinished", json_object_new_boolean(unfinished));
	json_number(object, "files", session->nr_files);
	json_object_array_add(list->sessions, object);
	line(list->tool, "%-20s  %s  %-6s  %u files%s", (const char *)session->name,
	     incoming ? "incoming" : "outgoing", open ? "open" : "closed", session->nr_files,
	     unfinished ? ", to be finished" : "");
	return 0;
}

static int list_sessions(struct tool *tool, struct list *list)
{
	int error;

	list->tool = tool;
	list->sessions = json_object_new_array();
	error = luo_each_session(tool, list_one, list);
	json_object_object_add(tool->document, "sessions", list->sessions);
	if (error)
		item_error(tool, "");
	return error;
}

static int session_list(struct tool *tool, int argc, char **argv, const struct options *options)
{
	struct list list = { 0 };

	(void)argc, (void)argv, (void)options;
	if (!list_sessions(tool, &list) && !json_object_array_length(list.sessions))
		line(tool, "there is no session");
	return exit_code(tool);
}

/* ---- show ---- */

/* Is the card in its place the one that the manifest names? */
static void check_card(struct tool *tool, const struct ilu_device_record *record)
{
	unsigned int vendor, device;

	if (!device_ids(tool, record->bdf, &vendor, &device))
		item(tool, ILU_FAIL, ILU_ID_DEV_OTHER_CARD, record->name, "there is no device at %s",
		     record->bdf);
	else if (vendor != record->ids.vendor || device != record->ids.device)
		item(tool, ILU_FAIL, ILU_ID_DEV_OTHER_CARD, record->name,
		     "at %s is %04x:%04x, it was %04x:%04x", record->bdf, vendor, device,
		     record->ids.vendor, record->ids.device);
	else
		item(tool, ILU_PASS, ILU_ID_DEV_OTHER_CARD, record->name, "it is at %s", record->bdf);
}

/* Closing it again finishes nothing, for it is one that wants to be finished. */
static void show_manifest(struct tool *tool, const char *name)
{
	struct ilu *ilu = tool->ilu;
	struct ilu_device_record record;

	if (ilu_session_retrieve(ilu, name)) {
		item_error(tool, name);
	} else if (ilu_role(ilu) == ILU_ROLE_FOREIGN) {
		item(tool, ILU_WARN, ILU_ID_SESSION_FOREIGN, name, "%s",
		     ilu_id_text(ILU_ID_SESSION_FOREIGN));
	} else {
		for (uint32_t i = 0; i < ilu->incoming.nr.devices; i++) {
			ilu_manifest_device(&ilu->incoming, i, &record);
			check_card(tool, &record);
		}
	}
}

static int session_show(struct tool *tool, int argc, char **argv, const struct options *options)
{
	struct list list = { .wanted = argv[0] };
	int error = list_sessions(tool, &list);

	(void)argc, (void)options;
	if (!error && !list.found.size)
		item(tool, ILU_FAIL, ILU_ID_SESSION_NONE, argv[0], "%s",
		     ilu_id_text(ILU_ID_SESSION_NONE));
	else if (list.found.flags & LIVEUPDATE_SESSION_FLAG_NEEDS_FINISH &&
		 !(list.found.flags & LIVEUPDATE_SESSION_FLAG_OPEN))
		show_manifest(tool, argv[0]);
	return exit_code(tool);
}

/* ---- finish, abandon ---- */

static void finish(struct tool *tool, const char *name, const char *done)
{
	if (ilu_abandon(tool->ilu))
		item_error(tool, name);
	else
		item(tool, ILU_PASS, ILU_ID_SESSION_UNFINISHED, name, "%s", done);
}

/* Only what stops no device */
static int session_finish(struct tool *tool, int argc, char **argv, const struct options *options)
{
	struct ilu *ilu = tool->ilu;

	(void)argc, (void)options;
	if (ilu_session_retrieve(ilu, argv[0]))
		item_error(tool, argv[0]);
	else if (ilu_role(ilu) == ILU_ROLE_FOREIGN)
		item(tool, ILU_FAIL, ILU_ID_SESSION_FOREIGN, argv[0], "%s",
		     ilu_id_text(ILU_ID_SESSION_FOREIGN));
	else if (ilu->incoming.nr.devices)
		item(tool, ILU_FAIL, ILU_ID_SESSION_HAS_DEVICES, argv[0],
		     "%u devices of it would be stopped", ilu->incoming.nr.devices);
	else
		finish(tool, argv[0], "it is finished");
	return exit_code(tool);
}

/* Also what cannot be read: then it is the only way */
static bool is_there(int error)
{
	return !error || error == -EBADMSG || error == -EPROTONOSUPPORT;
}

static int session_abandon(struct tool *tool, int argc, char **argv, const struct options *options)
{
	(void)argc;
	if (!options->yes)
		return usage_error("session abandon stops the devices of the session: say --yes");
	if (!is_there(ilu_session_retrieve(tool->ilu, argv[0])))
		item_error(tool, argv[0]);
	else
		finish(tool, argv[0], "it is over, its devices are stopped");
	return exit_code(tool);
}

const struct command session_commands[] = {
	{ "list", session_list, 0, 0, 0, "list\n      all, in both directions" },
	{ "show", session_show, 1, 1, 0, "show NAME\n      one; of what came in, if its devices are in their places" },
	{ "finish", session_finish, 1, 1, 0, "finish NAME\n      one that came in and has no devices" },
	{ "abandon", session_abandon, 1, 1, TAKES_YES, "abandon NAME --yes\n      one that came in: its devices are stopped and reset" },
	{ NULL, NULL, 0, 0, 0, NULL },
};
