// SPDX-License-Identifier: GPL-2.0
#include <string.h>

#include "tool.h"

static int all(struct tool *tool, int argc, char **argv, const struct options *options)
{
	char **devices = vfio_devices(tool), **processes = vfio_processes(tool);

	(void)argc, (void)argv;
	check_host(tool);
	check_kernel(tool, options);
	if (!names_count(devices))
		item(tool, ILU_WARN, ILU_ID_DEV_NONE, "", "no device is bound to vfio-pci");
	/* Those of a process are looked at with it. */
	for (char **bdf = devices; bdf && *bdf; bdf++)
		if (!device_is_open(tool, *bdf))
			check_device(tool, *bdf);
	for (char **pid = processes; pid && *pid; pid++)
		check_process(tool, *pid);
	names_free(devices);
	names_free(processes);
	return exit_code(tool);
}

static int host(struct tool *tool, int argc, char **argv, const struct options *options)
{
	(void)argc, (void)argv, (void)options;
	check_host(tool);
	return exit_code(tool);
}

static int kernel(struct tool *tool, int argc, char **argv, const struct options *options)
{
	(void)argc, (void)argv;
	check_kernel(tool, options);
	return exit_code(tool);
}

static int device(struct tool *tool, int argc, char **argv, const struct options *options)
{
	(void)argc, (void)options;
	check_device(tool, argv[0]);
	return exit_code(tool);
}

static int pid(struct tool *tool, int argc, char **argv, const struct options *options)
{
	(void)argc, (void)options;
	if (!argv[0][0] || argv[0][strspn(argv[0], "0123456789")])
		return usage_error("%s is no process id", argv[0]);
	check_process(tool, argv[0]);
	return exit_code(tool);
}

const struct command check_commands[] = {
	{ "all", all, 0, 0, TAKES_NEXT, "[all] [--kernel FILE --initrd FILE --cmdline TEXT]\n      all of these" },
	{ "host", host, 0, 0, 0, "host\n      this kernel, its sessions, a test of the kexec, IOMMUs, systemd" },
	{ "kernel", kernel, 0, 0, TAKES_NEXT, "kernel --kernel FILE [--initrd FILE] --cmdline TEXT\n      the next kernel" },
	{ "device", device, 1, 1, 0, "device BDF\n      one device, as 0000:01:00.0" },
	{ "pid", pid, 1, 1, 0, "pid PID\n      devices, memory and maps of a process, and its unit" },
	{ NULL, NULL, 0, 0, 0, NULL },
};
