// SPDX-License-Identifier: GPL-2.0
/* Could the next kernel take over what this one hands over? */
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

enum state { OFF, ON, NOT_KNOWN };

static void check_switch(struct tool *tool, enum ilu_id id, enum state state, const char *what)
{
	if (state == NOT_KNOWN)
		item(tool, ILU_UNKNOWN, id, "",
		     "whether %s would be on in the next kernel is up to its configuration", what);
	else
		item(tool, state == ON ? ILU_PASS : ILU_FAIL, id, "", "%s would be %s in the next kernel",
		     what, state == ON ? "on" : "off");
}

/* What holds if the command line does not say */
static enum state by_default(const char *config, const char *name)
{
	if (!config)
		return NOT_KNOWN;
	return option(config, name) == 'y' ? ON : OFF;
}

static enum state kho_state(const char *config, const char *cmdline)
{
	char value[64];

	if (!cmdline_value(cmdline, "kho", value, sizeof(value)))
		return by_default(config, "CONFIG_KEXEC_HANDOVER_ENABLE_DEFAULT");
	return cmdline_is_on(cmdline, "kho") ? ON : OFF;
}

static enum state iommu_state(const char *config, const char *cmdline)
{
	const char *word = cmdline_last(cmdline, "intel_iommu", "on", "off");

	if (cmdline_last(cmdline, "iommu", "off", "off")[0])
		return OFF;
	if (!word[0])
		return by_default(config, "CONFIG_INTEL_IOMMU_DEFAULT_ON");
	return strcmp(word, "on") ? OFF : ON;
}

/* "sm_on", "sm_off", or "" if the kernel decides by itself */
static const char *table_mode(const char *cmdline)
{
	return cmdline_last(cmdline, "intel_iommu", "sm_on", "sm_off");
}

static void check_cmdline(struct tool *tool, const char *config, const char *cmdline)
{
	char own[4096];

	check_switch(tool, ILU_ID_NEXT_KHO, kho_state(config, cmdline), "KHO");
	check_switch(tool, ILU_ID_NEXT_LIVEUPDATE, cmdline_is_on(cmdline, "liveupdate") ? ON : OFF,
		     "live update");
	check_switch(tool, ILU_ID_NEXT_IOMMU, iommu_state(config, cmdline), "VT-d");
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

static bool is_record(const char *record, const char *kind)
{
	return !strncmp(record, kind, strlen(kind));
}

/* of reserve_mem= in the command line, as for what the last kernel said before it died */
static bool is_of_reserved_memory(const char *record)
{
	return is_record(record, "memblock-") || is_record(record, "reserve-mem-");
}

static void record_missing(struct tool *tool, const char *kernel, const char *record, int length)
{
	/* no device and no session depends on these */
	if (is_record(record, "luo-timing-"))
		item(tool, ILU_WARN, ILU_ID_TIMING_UNKNOWN, kernel,
		     "it does not know %.*s: how long the update took will not be known", length, record);
	else if (is_of_reserved_memory(record))
		item(tool, ILU_WARN, ILU_ID_NEXT_VERSIONS, kernel,
		     "it does not know %.*s: what is in memory of reserve_mem= will be lost", length, record);
	else
		item(tool, ILU_FAIL, ILU_ID_NEXT_VERSIONS, kernel,
		     "it does not know the record %.*s", length, record);
}

static void check_records(struct tool *tool, const char *kernel, const char *next)
{
	char *own = own_records(tool);
	bool all = true;

	if (!own) {
		item(tool, ILU_UNKNOWN, ILU_ID_NEXT_VERSIONS, kernel,
		     "this kernel does not say which records it writes");
		return;
	}
	for (const char *line = own; *line; line += strcspn(line, "\n") + 1) {
		if (has_line(next, line, strcspn(line, "\n")))
			continue;
		record_missing(tool, kernel, line, strcspn(line, "\n"));
		all &= is_record(line, "luo-timing-");
	}
	if (all)
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

struct card {
	const char *bdf;
	unsigned int vendor, device;
};

/* What is in files that somebody has put there for it; NULL: nothing */
struct bindings {
	char *list;		/* of the package, as the initrd has it */
	char *options;		/* of modules: of this machine, and of the initrd */
	char *initrd_options;
	bool rules;
};

/* As the kernel reads it: VENDOR:DEVICE, more may follow; ffffffff is any */
static bool is_of_kind(const char *text, const struct card *card)
{
	unsigned int vendor, device;

	return sscanf(text, "%x:%x", &vendor, &device) == 2 &&
	       (vendor == card->vendor || vendor == UINT32_MAX) &&
	       (device == card->device || device == UINT32_MAX);
}

static bool kinds_have(const char *kinds, const struct card *card)
{
	for (; *kinds; kinds += strcspn(kinds, ","), kinds += *kinds == ',')
		if (is_of_kind(kinds, card))
			return true;
	return false;
}

/* An address or a kind, as the hook of the initrd has left it */
static bool list_has(const char *line, const struct card *card)
{
	size_t length = strcspn(line, " \t#");

	if (length == strlen(card->bdf))
		return !strncasecmp(line, card->bdf, length);
	return length == strlen("8086:10c9") && is_of_kind(line, card);
}

/* options vfio-pci ids=KIND,... */
static bool options_have(const char *line, const struct card *card)
{
	char copy[1024], *save = NULL, *word;

	snprintf(copy, sizeof(copy), "%s", line);
	word = strtok_r(copy, " \t", &save);
	if (!word || strcmp(word, "options"))
		return false;
	word = strtok_r(NULL, " \t", &save);
	if (!word || (strcmp(word, "vfio-pci") && strcmp(word, "vfio_pci")))
		return false;
	while ((word = strtok_r(NULL, " \t", &save)))
		if (!strncmp(word, "ids=", 4) && kinds_have(word + 4, card))
			return true;
	return false;
}

/* Which devices a rule is for is not looked at. */
static bool rule_has(const char *line, const struct card *card)
{
	(void)card;
	return strstr(line, "vfio-pci");
}

/* In a line of the text that is no comment */
static bool text_has(const char *text, bool (*has)(const char *line, const struct card *card),
		     const struct card *card)
{
	char line[1024];
	bool found = false;

	for (; text && *text && !found; text += strcspn(text, "\n"), text += *text == '\n') {
		const char *start = text + strspn(text, " \t");

		snprintf(line, sizeof(line), "%.*s", (int)strcspn(start, "\n"), start);
		found = line[0] != '#' && has(line, card);
	}
	return found;
}

static void bindings_read(const struct tool *tool, const char *initrd, struct bindings *bindings)
{
	char *rules;

	*bindings = (struct bindings) {
		.options = directory_text(tool, "/etc/modprobe.d"),
		.rules = file_mentions(tool, "/etc/udev/rules.d", "vfio-pci"),
	};
	if (!initrd)
		return;
	bindings->list = initrd_text(tool, initrd, "etc/iommu-liveupdate/vfio-pci.conf");
	bindings->initrd_options = initrd_text(tool, initrd, "etc/modprobe.d/");
	rules = initrd_text(tool, initrd, "rules.d/");
	bindings->rules |= text_has(rules, rule_has, NULL);
	free(rules);
}

static void bindings_free(struct bindings *bindings)
{
	free(bindings->list);
	free(bindings->options);
	free(bindings->initrd_options);
}

static bool cmdline_has(const char *cmdline, const char *name, const struct card *card)
{
	char value[512];

	return cmdline_value(cmdline, name, value, sizeof(value)) && kinds_have(value, card);
}

static bool is_bound(const struct bindings *bindings, const char *cmdline, const struct card *card)
{
	return bindings->rules || text_has(bindings->list, list_has, card) ||
	       text_has(bindings->options, options_have, card) ||
	       text_has(bindings->initrd_options, options_have, card) ||
	       cmdline_has(cmdline, "vfio-pci.ids", card) || cmdline_has(cmdline, "vfio_pci.ids", card);
}

static void check_binding(struct tool *tool, const struct options *options)
{
	char **devices = vfio_devices(tool);
	struct bindings bindings;

	bindings_read(tool, options->initrd, &bindings);
	for (char **bdf = devices; bdf && *bdf; bdf++) {
		struct card card = { .bdf = *bdf };

		device_ids(tool, *bdf, &card.vendor, &card.device);
		if (is_bound(&bindings, options->cmdline, &card))
			item(tool, ILU_PASS, ILU_ID_NEXT_VFIO, *bdf, "vfio-pci will be bound to it");
		else
			item(tool, ILU_WARN, ILU_ID_NEXT_VFIO, *bdf,
			     "it goes on, but nobody can have it until vfio-pci is bound to it");
	}
	bindings_free(&bindings);
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
