// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

/* ---- load ---- */

static int open_file(struct tool *tool, const char *path)
{
	int fd = tool->ops->ilu.open(tool->arg, path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		item(tool, ILU_FAIL, ILU_ID_NEXT_IMAGE, path, "it cannot be opened: %s",
		     strerror(errno));
	return fd;
}

static void load(struct tool *tool, int kernel, int initrd, const char *cmdline)
{
	if (!tool->quiet)
		fputs(TOOL_NAME ": loading, that takes some seconds ...\n", stderr);
	if (ilu_kexec_load(tool->ilu, kernel, initrd, cmdline))
		item_error(tool, "");
	else
		item(tool, ILU_PASS, ILU_ID_IMAGE_NONE, "", "the kernel is loaded");
}

static int kexec_load(struct tool *tool, int argc, char **argv, const struct options *options)
{
	int kernel, initrd = -1;

	(void)argc, (void)argv;
	if (!options->kernel || !options->cmdline)
		return usage_error("kexec load wants --kernel and --cmdline");
	kernel = open_file(tool, options->kernel);
	if (options->initrd && kernel >= 0)
		initrd = open_file(tool, options->initrd);
	if (kernel >= 0 && (!options->initrd || initrd >= 0))
		load(tool, kernel, initrd, options->cmdline);
	ilu_close(tool->ilu, &initrd);
	ilu_close(tool->ilu, &kernel);
	return exit_code(tool);
}

static int kexec_test(struct tool *tool, int argc, char **argv, const struct options *options)
{
	(void)argc, (void)argv, (void)options;
	check_kexec(tool);
	return exit_code(tool);
}

/* What would be refused is not tried: it would be after all programs have stopped. */
static int kexec_exec(struct tool *tool, int argc, char **argv, const struct options *options)
{
	(void)argc, (void)argv;
	check_kexec(tool);
	if (tool->failed || tool->no_support || (tool->unknown && !options->yes))
		return exit_code(tool);
	fflush(stdout);
	sync();
	if (tool->ops->ilu.reboot_kexec(tool->arg)) {
		ilu_fail(tool->ilu, -errno, ILU_CALL_REBOOT, NULL);
		item_error(tool, "");
	}
	return exit_code(tool);
}

const struct command kexec_commands[] = {
	{ "test", kexec_test, 0, 0, 0, "test\n      what the kernel would refuse it for now" },
	{ "load", kexec_load, 0, 0, TAKES_NEXT, "load --kernel FILE [--initrd FILE] --cmdline TEXT\n      the next kernel" },
	{ "exec", kexec_exec, 0, 0, TAKES_YES, "exec [--yes]\n      jump, if the test is passed; with --yes also if there can be none.\n      Stops no service: on a host with systemd call systemctl kexec" },
	{ NULL, NULL, 0, 0, 0, NULL },
};
