// SPDX-License-Identifier: GPL-2.0
/* Could the next kernel take over what this one hands over? */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tool.h"

#define SCRATCH	"/sys/kernel/debug/kho/out/scratch_len"

/* ---- configuration ---- */

/* 'y', 'm', or 0 */
static char option(const char *config, const char *name)
{
	size_t length = strlen(name);

	for (const char *at = config; (at = strstr(at, name)); at += length)
		if ((at == config || at[-1] == '\n') && at[length] == '=')
			return at[length + 1];
	return 0;
}

static void check_options(struct tool *tool, const char *kernel, const char *config)
{
	static const struct {
		const char *name;
		bool module;	/* will do */
	} options[] = {
		{ "CONFIG_KEXEC_FILE", false }, { "CONFIG_KEXEC_HANDOVER", false },
		{ "CONFIG_LIVEUPDATE", false }, { "CONFIG_LIVEUPDATE_MEMFD", false },
		{ "CONFIG_INTEL_IOMMU", false }, { "CONFIG_IOMMU_LIVEUPDATE", false },
		{ "CONFIG_IOMMUFD", true }, { "CONFIG_VFIO_PCI", true },
		{ "CONFIG_VFIO_DEVICE_CDEV", false },
	};
	unsigned int failed = tool->failed;

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		char value = option(config, options[i].name);

		if (value != 'y' && !(value == 'm' && options[i].module))
			item(tool, ILU_FAIL, ILU_ID_NEXT_CONFIG, kernel, "it is built without %s",
			     options[i].name);
	}
	if (tool->failed == failed)
		item(tool, ILU_PASS, ILU_ID_NEXT_CONFIG, kernel, "it is built with all options");
}

/* ---- command line ---- */

static void check_switch(struct tool *tool, enum ilu_id id, bool on, const char *what)
{
	item(tool, on ? ILU_PASS : ILU_FAIL, id, "", "%s would be %s in the next kernel", what,
	     on ? "on" : "off");
}

static bool iommu_is_on(const char *config, const char *cmdline)
{
	char value[64];

	if (cmdline_value(cmdline, "iommu", value, sizeof(value)) && !strcmp(value, "off"))
		return false;
	if (!cmdline_value(cmdline, "intel_iommu", value, sizeof(value)))
		return config && option(config, "CONFIG_INTEL_IOMMU_DEFAULT_ON") == 'y';
	if (strstr(value, "off") && !strstr(value, "sm_off"))
		return false;
	return strstr(value, "on") || (config && option(config, "CONFIG_INTEL_IOMMU_DEFAULT_ON") == 'y');
}

/* "sm_on", "sm_off", or "" if the kernel decides by itself */
static const char *table_mode(const char *cmdline)
{
	char value[64];

	if (!cmdline_value(cmdline, "intel_iommu", value, sizeof(value)))
		return "";
	return strstr(value, "sm_on") ? "sm_on" : strstr(value, "sm_off") ? "sm_off" : "";
}

static void check_cmdline(struct tool *tool, const char *config, const char *cmdline)
{
	char own[4096], value[64];
	bool kho = cmdline_is_on(cmdline, "kho");

	if (!cmdline_value(cmdline, "kho", value, sizeof(value)))
		kho = config && option(config, "CONFIG_KEXEC_HANDOVER_ENABLE_DEFAULT") == 'y';
	check_switch(tool, ILU_ID_NEXT_KHO, kho, "KHO");
	check_switch(tool, ILU_ID_NEXT_LIVEUPDATE, cmdline_is_on(cmdline, "liveupdate"),
		     "live update");
	check_switch(tool, ILU_ID_NEXT_IOMMU, iommu_is_on(config, cmdline), "VT-d");
	file_text(tool, "/proc/cmdline", own, sizeof(own));
	if (strcmp(table_mode(own), table_mode(cmdline)))
		item(tool, ILU_WARN, ILU_ID_NEXT_MODE, "", "intel_iommu= asks for another table mode");
}

/* ---- records ---- */

static bool has_line(const char *lines, const char *line, size_t length)
{
	for (; lines && *lines; lines += strcspn(lines, "\n") + 1)
		if (strcspn(lines, "\n") == length && !memcmp(lines, line, length))
			return true;
	return false;
}

static void record_missing(struct tool *tool, const char *kernel, const char *record, int length)
{
	/* the only one that nothing depends on */
	if (!strncmp(record, "luo-timing-", strlen("luo-timing-")))
		item(tool, ILU_WARN, ILU_ID_TIMING_UNKNOWN, kernel,
		     "it does not know %.*s: how long the update took will not be known", length, record);
	else
		item(tool, ILU_FAIL, ILU_ID_NEXT_VERSIONS, kernel,
		     "it does not know the record %.*s", length, record);
}

static void check_records(struct tool *tool, const char *kernel, const char *next)
{
	size_t failed = tool->failed;
	char *own = own_records(tool);

	if (!own) {
		item(tool, ILU_UNKNOWN, ILU_ID_NEXT_VERSIONS, kernel,
		     "this kernel does not say which records it writes");
		return;
	}
	for (const char *line = own; *line; line += strcspn(line, "\n") + 1)
		if (!has_line(next, line, strcspn(line, "\n")))
			record_missing(tool, kernel, line, strcspn(line, "\n"));
	if (tool->failed == failed)
		item(tool, ILU_PASS, ILU_ID_NEXT_VERSIONS, kernel,
		     "it knows all records that this kernel writes");
	free(own);
}

/* ---- memory ---- */

static uint64_t largest_scratch(const struct tool *tool)
{
	FILE *file = file_open(tool, SCRATCH);
	uint64_t largest = 0;
	char text[64];

	while (file && fgets(text, sizeof(text), file)) {
		uint64_t length = strtoull(text, NULL, 0);

		largest = length > largest ? length : largest;
	}
	if (file)
		fclose(file);
	return largest;
}

static uint64_t file_length(const struct tool *tool, const char *path)
{
	FILE *file = path ? file_open(tool, path) : NULL;
	struct stat status = { 0 };

	if (file) {
		fstat(fileno(file), &status);
		fclose(file);
	}
	return status.st_size;
}

/* A segment lies in one area. The areas are a file of debugfs, or an image is loaded already. */
static void check_scratch(struct tool *tool, const struct options *options, uint64_t memory)
{
	uint64_t scratch = largest_scratch(tool), initrd = file_length(tool, options->initrd);
	char kind[32];

	if (!scratch && !file_text(tool, "/sys/kernel/kexec/loaded_kind", kind, sizeof(kind)) &&
	    !strcmp(kind, "handover"))
		item(tool, ILU_PASS, ILU_ID_NEXT_SCRATCH, "", "a kernel was loaded already");
	else if (!scratch)
		item(tool, ILU_UNKNOWN, ILU_ID_NEXT_SCRATCH, "",
		     "how large the scratch memory is is for root to see, in debugfs; kexec load tells");
	else if (memory > scratch || initrd > scratch)
		item(tool, ILU_FAIL, ILU_ID_NEXT_SCRATCH, "",
		     "the kernel wants %llu KiB, the initrd %llu KiB, the largest area has %llu KiB",
		     (unsigned long long)memory >> 10, (unsigned long long)initrd >> 10,
		     (unsigned long long)scratch >> 10);
	else
		item(tool, ILU_PASS, ILU_ID_NEXT_SCRATCH, "",
		     "kernel and initrd fit into the scratch memory");
}

/* ---- who binds vfio-pci ---- */

static bool bound_by_cmdline(const char *cmdline, unsigned int vendor, unsigned int device)
{
	char value[512], ids[32];

	if (!cmdline || !cmdline_value(cmdline, "vfio-pci.ids", value, sizeof(value)))
		return false;
	snprintf(ids, sizeof(ids), "%04x:%04x", vendor, device);
	return strcasestr(value, ids);
}

/* By a file that somebody has put there for it */
static bool bound_by_files(const struct tool *tool, const char *initrd)
{
	return file_mentions(tool, "/etc/udev/rules.d", "vfio-pci") ||
	       file_mentions(tool, "/etc/modprobe.d", "vfio-pci ids=") ||
	       (initrd && (initrd_mentions(tool, initrd, "etc/modprobe.d/", "vfio-pci ids=") > 0 ||
			   initrd_mentions(tool, initrd, "iommu-liveupdate", NULL) > 0 ||
			   initrd_mentions(tool, initrd, "rules.d/", "vfio-pci") > 0));
}

static void check_binding(struct tool *tool, const struct options *options)
{
	char **devices = vfio_devices(tool);
	bool by_files = bound_by_files(tool, options->initrd);

	for (char **bdf = devices; bdf && *bdf; bdf++) {
		unsigned int vendor, device;

		device_ids(tool, *bdf, &vendor, &device);
		if (by_files || bound_by_cmdline(options->cmdline, vendor, device))
			item(tool, ILU_PASS, ILU_ID_NEXT_VFIO, *bdf, "vfio-pci will be bound to it");
		else
			item(tool, ILU_WARN, ILU_ID_NEXT_VFIO, *bdf,
			     "it goes on, but nobody can have it until vfio-pci is bound to it");
	}
	names_free(devices);
}

/* ---- all ---- */

static void check_image(struct tool *tool, const struct options *options)
{
	struct image image;
	const char *wrong;

	if (image_read(tool, options->kernel, &image, &wrong)) {
		item(tool, ILU_FAIL, ILU_ID_NEXT_IMAGE, options->kernel, "%s", wrong);
		return;
	}
	item(tool, ILU_PASS, ILU_ID_NEXT_IMAGE, options->kernel, "Linux %s",
	     image.version[0] ? image.version : "of a version that it does not say");
	if (image.config)
		check_options(tool, options->kernel, image.config);
	else
		item(tool, ILU_UNKNOWN, ILU_ID_NEXT_NO_CONFIG, options->kernel, "%s",
		     ilu_id_text(ILU_ID_NEXT_NO_CONFIG));
	check_records(tool, options->kernel, image.notes);
	check_scratch(tool, options, image.memory);
	if (options->cmdline)
		check_cmdline(tool, image.config, options->cmdline);
	image_free(&image);
}

void check_kernel(struct tool *tool, const struct options *options)
{
	if (!options->kernel)
		item(tool, ILU_UNKNOWN, ILU_ID_NEXT_UNKNOWN, "", "which kernel comes next was not said");
	else
		check_image(tool, options);
	if (options->initrd && !file_exists(tool, options->initrd))
		item(tool, ILU_FAIL, ILU_ID_NEXT_IMAGE, options->initrd, "it cannot be read");
	if (options->kernel && options->cmdline)
		check_binding(tool, options);
	else if (options->kernel)
		item(tool, ILU_UNKNOWN, ILU_ID_NEXT_UNKNOWN, "", "its command line was not said");
}
