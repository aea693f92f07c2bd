// SPDX-License-Identifier: GPL-2.0
/* Which command it is, with which options. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

const struct object objects[] = {
	{ "check", check_commands, "what a live update would be refused for now" },
	{ "device", device_commands, "devices that could go along" },
	{ "session", session_commands, "sessions that go out or came in" },
	{ "kexec", kexec_commands, "load the next kernel, try, and jump" },
	{ "status", status_commands, "is the last live update finished?" },
	{ "timing", timing_commands, "how long the last live update took" },
	{ "record", record_commands, "what is in a manifest" },
	{ "version", version_commands, "of the command and of this kernel's records" },
	{ NULL, NULL, NULL },
};

int usage_error(const char *format, ...)
{
	va_list args;

	fputs(TOOL_NAME ": ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputs(" (see " TOOL_NAME " help)\n", stderr);
	return EXIT_USAGE;
}

static int help_object(const struct object *object)
{
	printf("Usage: " TOOL_NAME " [-j|-p] [-q] %s ...\n\n%s\n\n", object->name, object->about);
	for (const struct command *command = object->commands; command->name; command++)
		printf("  %s %s\n", object->name, command->usage);
	puts("\nExit: 0 fine, 1 would fail, 2 usage, 3 cannot be told, 4 no support, 5 busy");
	return EXIT_FINE;
}

static int help(void)
{
	puts("Usage: " TOOL_NAME " [-j|-p] [-q] [-V] OBJECT { COMMAND | help }\n\n"
	     "  -j, --json     JSON, in one line; its schema is schema.json\n"
	     "  -p, --pretty   JSON, for people\n"
	     "  -q, --quiet    nothing that is fine, and no progress\n"
	     "  -V, --version  like version\n\nOBJECT:");
	for (const struct object *object = objects; object->name; object++)
		printf("  %-8s  %s\n", object->name, object->about);
	puts("\nOne line an item: PASS|FAIL|WARN|UNKNOWN  id  object  reason  -> what to do\n"
	     "Exit: 0 fine, 1 would fail, 2 usage, 3 cannot be told, 4 no support, 5 busy");
	return EXIT_FINE;
}

static bool is_help(const char *word)
{
	return !strcmp(word, "help") || !strcmp(word, "--help") || !strcmp(word, "-h");
}

/* ---- options ---- */

/* 1: it is one; a negative one: usage */
static int global_option(struct tool *tool, const char *word)
{
	if (!strcmp(word, "-j") || !strcmp(word, "--json"))
		tool->json = true;
	else if (!strcmp(word, "-p") || !strcmp(word, "--pretty"))
		tool->json = tool->pretty = true;
	else if (!strcmp(word, "-q") || !strcmp(word, "--quiet"))
		tool->quiet = true;
	else
		return 0;
	return 1;
}

static const char **value_of(struct options *options, const char *word)
{
	if (!strcmp(word, "--kernel"))
		return &options->kernel;
	if (!strcmp(word, "--initrd"))
		return &options->initrd;
	if (!strcmp(word, "--cmdline"))
		return &options->cmdline;
	return NULL;
}

static unsigned int kind_of(const char *word)
{
	if (value_of(&(struct options) { 0 }, word))
		return TAKES_NEXT;
	if (!strcmp(word, "--yes"))
		return TAKES_YES;
	return !strcmp(word, "--wait") || !strncmp(word, "--wait=", 7) ? TAKES_WAIT : 0;
}

/* Takes the options out of the words that follow the object. Returns how many are left. */
static int take_options(struct tool *tool, int argc, char **argv, struct options *options)
{
	int left = 0;

	for (int i = 0; i < argc; i++) {
		const char **value = value_of(options, argv[i]);

		options->given |= kind_of(argv[i]);
		if (value && i + 1 == argc)
			return -usage_error("%s wants a value", argv[i]);
		if (value)
			*value = argv[++i];
		else if (!strcmp(argv[i], "--yes"))
			options->yes = true;
		else if (!strcmp(argv[i], "--wait"))
			options->waits = true;
		else if (!strncmp(argv[i], "--wait=", 7))
			options->waits = true, options->wait = argv[i] + 7;
		else if (global_option(tool, argv[i]))
			continue;
		else if (argv[i][0] == '-' && is_help(argv[i]))
			options->help = true;
		else if (argv[i][0] == '-')
			return -usage_error("there is no option %s", argv[i]);
		else
			argv[left++] = argv[i];
	}
	return left;
}

/* ---- commands ---- */

static const struct command *find_command(const struct object *object, int argc, char **argv)
{
	const struct command *command = object->commands;

	if (!argc)
		return command;
	while (command->name && strcmp(command->name, argv[0]))
		command++;
	return command->name ? command : NULL;
}

static int run(struct tool *tool, const struct object *object, int argc, char **argv,
	       const struct options *options)
{
	const struct command *command = find_command(object, argc, argv);

	if (!command)
		return usage_error("there is no command %s %s", object->name, argv[0]);
	argc -= !!argc;
	if (argc < command->least || argc > command->most)
		return usage_error("usage: %s %.*s", object->name,
				   (int)strcspn(command->usage, "\n"), command->usage);
	if (options->given & ~command->takes)
		return usage_error("usage: %s %.*s", object->name,
				   (int)strcspn(command->usage, "\n"), command->usage);
	snprintf(tool->command, sizeof(tool->command), "%s%s%s", object->name,
		 command->name[0] ? " " : "", command->name);
	return command->run(tool, argc, argv + 1, options);
}

static const struct object *find_object(const char *name)
{
	const struct object *object = objects;

	while (object->name && strcmp(object->name, name))
		object++;
	return object->name ? object : NULL;
}

/* ---- the context ---- */

/* The library waits for what is busy; somebody may be looking. */
static void patient_sleep(void *arg, int64_t milliseconds)
{
	struct tool *tool = arg;

	tool->waiting += milliseconds;
	if (tool->waiting >= 500 && !tool->waited && !tool->quiet) {
		fprintf(stderr, TOOL_NAME ": busy, waiting for up to 5 s ...\n");
		tool->waited = true;
	}
	tool->ops->ilu.sleep(tool->arg, milliseconds);
}

/* Each op of the library has the context of the command, but ops their own. */
#define PASS_ON(type, name, declared, ...) \
	static type pass_##name declared { struct tool *tool = arg; return tool->ops->ilu.name(tool->arg, __VA_ARGS__); }
PASS_ON(int, open, (void *arg, const char *path, int flags), path, flags)
PASS_ON(int, close, (void *arg, int fd), fd)
PASS_ON(int, ioctl, (void *arg, int fd, unsigned long request, void *data), fd, request, data)
PASS_ON(void *, mmap, (void *arg, size_t length, int prot, int flags, int fd, off_t offset), length, prot, flags, fd, offset)
PASS_ON(int, munmap, (void *arg, void *address, size_t length), address, length)
PASS_ON(ssize_t, pread, (void *arg, int fd, void *data, size_t length, off_t offset), fd, data, length, offset)
PASS_ON(ssize_t, pwrite, (void *arg, int fd, const void *data, size_t length, off_t offset), fd, data, length, offset)
PASS_ON(int, memfd_create, (void *arg, const char *name, unsigned int flags), name, flags)
PASS_ON(int, ftruncate, (void *arg, int fd, off_t length), fd, length)
PASS_ON(int, fcntl, (void *arg, int fd, int command, int value), fd, command, value)
PASS_ON(int, fstat_size, (void *arg, int fd, uint64_t *length), fd, length)
PASS_ON(int, dup, (void *arg, int fd), fd)
PASS_ON(int, kexec_file_load, (void *arg, int kernel, int initrd, const char *line), kernel, initrd, line)
PASS_ON(int, device_name, (void *arg, const char *bdf, char *name, size_t length), bdf, name, length)

static int pass_reboot_kexec(void *arg)
{
	struct tool *tool = arg;

	return tool->ops->ilu.reboot_kexec(tool->arg);
}

static int64_t pass_now(void *arg)
{
	struct tool *tool = arg;

	return tool->ops->ilu.now(tool->arg);
}

static const struct ilu_ops passing_ops = {
	.size = sizeof(passing_ops),
	.open = pass_open,
	.close = pass_close,
	.ioctl = pass_ioctl,
	.mmap = pass_mmap,
	.munmap = pass_munmap,
	.pread = pass_pread,
	.pwrite = pass_pwrite,
	.memfd_create = pass_memfd_create,
	.ftruncate = pass_ftruncate,
	.fcntl = pass_fcntl,
	.fstat_size = pass_fstat_size,
	.dup = pass_dup,
	.kexec_file_load = pass_kexec_file_load,
	.reboot_kexec = pass_reboot_kexec,
	.device_name = pass_device_name,
	.now = pass_now,
	.sleep = patient_sleep,
};

static int start(struct tool *tool)
{
	const char *root = getenv("ILU_SYSROOT");

	tool->root = root ? root : "";
	tool->ilu = ilu_new(&ILU_OPTS(ilu_new_opts, .ops = &passing_ops, .ops_arg = tool));
	tool->document = json_object_new_object();
	tool->items = json_object_new_array();
	if (!tool->ilu || !tool->document || !tool->items) {
		fputs(TOOL_NAME ": out of memory\n", stderr);
		return -ENOMEM;
	}
	return 0;
}

static int run_object(struct tool *tool, int argc, char **argv)
{
	const struct object *object = find_object(argv[0]);
	struct options options = { 0 };
	int code;

	if (!object)
		return usage_error("there is no object %s", argv[0]);
	argc = take_options(tool, argc - 1, argv + 1, &options);
	if (argc < 0)
		return -argc;
	if (options.help || (argc && is_help(argv[1])))
		return help_object(object);
	code = run(tool, object, argc, argv + 1, &options);
	if (code != EXIT_USAGE)
		output_end(tool, code);
	return code;
}

int tool_main(const struct tool_ops *ops, void *arg, int argc, char **argv)
{
	struct tool tool = { .ops = ops, .arg = arg };
	static char version[] = "version";
	int code, first = 1;

	while (first < argc && global_option(&tool, argv[first]))
		first++;
	if (first < argc && (!strcmp(argv[first], "-V") || !strcmp(argv[first], "--version")))
		argv[first] = version;
	if (first == argc)
		return usage_error("which object?");
	if (is_help(argv[first]))
		return output_written(help());
	if (argv[first][0] == '-')
		return usage_error("there is no option %s", argv[first]);
	code = start(&tool) ? EXIT_NOT_KNOWN : run_object(&tool, argc - first, argv + first);
	code = output_written(code);
	ilu_free(tool.ilu);
	json_object_put(tool.document);
	json_object_put(tool.items);
	return code;
}
