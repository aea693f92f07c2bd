// SPDX-License-Identifier: GPL-2.0
/* What sysfs says of a device; nothing here opens it. */
#include <errno.h>
#include <linux/pci_regs.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

#define DEVICES		"/sys/bus/pci/devices"
#define VFIO_PCI	"/sys/bus/pci/drivers/vfio-pci"
#define DISPLAY		0x03
#define CLASS_BRIDGE	0x0604
#define CLASS_CARDBUS	0x0607

/* What is found out once, of one device */
struct device {
	const char *bdf;
	char driver[64], path[PATH_SIZE];
	char power[32];
	unsigned int class, group_size, vfs, irqs;
	bool vfio_file, is_vf, has_reset, reserved;
	int group;			/* -1: none */
	unsigned char *config;
	size_t config_length;
};

static unsigned long number(const struct tool *tool, const char *bdf, const char *name)
{
	char text[64];

	if (file_textf(tool, text, sizeof(text), DEVICES "/%s/%s", bdf, name))
		return 0;
	return strtoul(text, NULL, 0);
}

bool device_ids(const struct tool *tool, const char *bdf, unsigned int *vendor,
		unsigned int *device)
{
	*vendor = number(tool, bdf, "vendor");
	*device = number(tool, bdf, "device");
	return *vendor;
}

static bool is_device(const char *name)
{
	return strlen(name) == 12 && name[4] == ':' && name[7] == ':' && name[10] == '.';
}

char **vfio_devices(const struct tool *tool)
{
	char **names = file_names(tool, VFIO_PCI), **kept = names;

	for (char **name = names; name && *name; name++) {
		if (is_device(*name))
			*kept++ = *name;
		else
			free(*name);
	}
	if (names)
		*kept = NULL;
	return names;
}

/* ---- what there is ---- */

static unsigned int count(const struct tool *tool, const char *bdf, const char *directory)
{
	char **names = file_names(tool, DEVICES "/%s/%s", bdf, directory);
	unsigned int nr = names_count(names);

	names_free(names);
	return nr;
}

/* INTx, of which sysfs says nothing: its line has the address at its end. */
static unsigned int count_intx(const struct tool *tool, const char *bdf)
{
	FILE *file = file_open(tool, "/proc/interrupts");
	char wanted[64], line[4096];
	unsigned int nr = 0;

	snprintf(wanted, sizeof(wanted), "vfio-intx(%s)", bdf);
	while (file && fgets(line, sizeof(line), file))
		nr += strstr(line, wanted) != NULL;
	if (file)
		fclose(file);
	return nr;
}

/* A mapping that the device has to have, whoever it belongs to */
static bool has_reserved(const struct tool *tool, const char *bdf)
{
	char path[PATH_SIZE], line[128];
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), DEVICES "/%s/iommu_group/reserved_regions", bdf);
	file = file_open(tool, path);
	while (file && !found && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = 0;
		found = strlen(line) > 7 && !strcmp(line + strlen(line) - 7, " direct");
	}
	if (file)
		fclose(file);
	return found;
}

static void look(const struct tool *tool, const char *bdf, struct device *device)
{
	char text[64], path[PATH_SIZE];

	*device = (struct device) { .bdf = bdf, .group = -1 };
	file_link_name(tool, device->driver, sizeof(device->driver), DEVICES "/%s/driver", bdf);
	file_link(tool, device->path, sizeof(device->path), DEVICES "/%s", bdf);
	file_textf(tool, device->power, sizeof(device->power), DEVICES "/%s/power_state", bdf);
	if (!file_link_name(tool, text, sizeof(text), DEVICES "/%s/iommu_group", bdf))
		device->group = atoi(text);
	device->class = number(tool, bdf, "class");
	device->group_size = count(tool, bdf, "iommu_group/devices");
	device->vfs = number(tool, bdf, "sriov_numvfs");
	device->irqs = count(tool, bdf, "msi_irqs") + count_intx(tool, bdf);
	device->vfio_file = count(tool, bdf, "vfio-dev");
	device->is_vf = file_existsf(tool, DEVICES "/%s/physfn", bdf);
	device->reserved = has_reserved(tool, bdf);
	device->has_reset = !file_textf(tool, text, sizeof(text), DEVICES "/%s/reset_method", bdf) &&
			    text[0];
	snprintf(path, sizeof(path), DEVICES "/%s/config", bdf);
	device->config = file_bytes(tool, path, &device->config_length);
}

static void look_away(struct device *device)
{
	free(device->config);
}

static uint32_t config(const struct device *device, unsigned int offset)
{
	const unsigned char *at = device->config + offset;

	if (!device->config || offset + 4 > device->config_length)
		return 0;
	return at[0] | at[1] << 8 | at[2] << 16 | (uint32_t)at[3] << 24;
}

/* As long as the chain can be, so that it ends. */
static bool has_capability(const struct device *device, unsigned int wanted)
{
	unsigned int offset = PCI_CFG_SPACE_SIZE;

	for (int i = 0; i < (PCI_CFG_SPACE_EXP_SIZE - PCI_CFG_SPACE_SIZE) / 8 && offset; i++) {
		uint32_t header = config(device, offset);

		if (header && PCI_EXT_CAP_ID(header) == wanted)
			return true;
		offset = PCI_EXT_CAP_NEXT(header);
		if (offset < PCI_CFG_SPACE_SIZE)
			break;
	}
	return false;
}

/* ---- rules: each says an item ---- */

/* bad: it is a reason to refuse; good: what is said if not */
static void rule(struct tool *tool, const struct device *device, bool bad, enum ilu_id id,
		 const char *good)
{
	item(tool, bad ? ILU_FAIL : ILU_PASS, id, device->bdf, "%s", bad ? ilu_id_text(id) : good);
}

static void check_driver(struct tool *tool, const struct device *device)
{
	bool variant = strstr(device->driver, "vfio") && strcmp(device->driver, "vfio-pci");

	if (variant)
		item(tool, ILU_FAIL, ILU_ID_DEV_VARIANT, device->bdf, "its driver is %s",
		     device->driver);
	else if (strcmp(device->driver, "vfio-pci"))
		item(tool, ILU_FAIL, ILU_ID_DEV_DRIVER, device->bdf, "its driver is %s",
		     device->driver[0] ? device->driver : "none");
	else
		item(tool, ILU_PASS, ILU_ID_DEV_DRIVER, device->bdf, "its driver is vfio-pci");
	if (!strcmp(device->driver, "vfio-pci"))
		rule(tool, device, !device->vfio_file, ILU_ID_DEV_NO_CDEV,
		     "it has a character device");
}

static void check_group(struct tool *tool, const struct device *device)
{
	rule(tool, device, device->group < 0, ILU_ID_DEV_NO_IOMMU, "it is behind an IOMMU");
	if (device->group < 0)
		return;
	if (device->group_size > 1)
		item(tool, ILU_FAIL, ILU_ID_DEV_GROUP_SHARED, device->bdf,
		     "%u other devices are in its IOMMU group %d", device->group_size - 1,
		     device->group);
	else
		item(tool, ILU_PASS, ILU_ID_DEV_GROUP_SHARED, device->bdf,
		     "it is alone in its IOMMU group");
	rule(tool, device, device->reserved, ILU_ID_DEV_RMRR,
	     "the firmware reserves no memory for it");
}

static void check_capabilities(struct tool *tool, const struct device *device)
{
	char cmdline[4096], value[128];
	bool noats;

	if (device->config_length <= PCI_STD_HEADER_SIZEOF) {
		item(tool, ILU_UNKNOWN, ILU_ID_HOST_PERMISSION, device->bdf,
		     "its capabilities (ATS, page requests) are for root to see");
		return;
	}
	file_text(tool, "/proc/cmdline", cmdline, sizeof(cmdline));
	noats = cmdline_value(cmdline, "pci", value, sizeof(value)) && strstr(value, "noats");
	rule(tool, device, has_capability(device, PCI_EXT_CAP_ID_ATS) && !noats, ILU_ID_DEV_ATS,
	     noats ? "ATS is off (pci=noats)" : "it has no ATS");
	rule(tool, device, has_capability(device, PCI_EXT_CAP_ID_PRI), ILU_ID_DEV_PRI,
	     "it makes no page requests");
}

static void check_kind(struct tool *tool, const struct device *device)
{
	rule(tool, device, device->is_vf, ILU_ID_DEV_VF, "it is not a VF");
	rule(tool, device, device->vfs, ILU_ID_DEV_PF, "it has no VFs");
	rule(tool, device, device->class >> 16 == DISPLAY, ILU_ID_DEV_DISPLAY,
	     "it is no display device");
	rule(tool, device, device->class >> 8 == CLASS_BRIDGE, ILU_ID_DEV_BRIDGE,
	     "it is no bridge");
}

/* Has this bridge a capability of PCI Express? */
static bool is_express(const struct tool *tool, const char *bdf)
{
	return file_existsf(tool, DEVICES "/%s/max_link_speed", bdf) ||
	       file_existsf(tool, DEVICES "/%s/current_link_speed", bdf);
}

/* Its place is in the link: /devices/pci0000:00/0000:00:1c.0/0000:01:00.0 */
static void check_place(struct tool *tool, const struct device *device)
{
	char path[PATH_SIZE], *save = NULL;
	bool cardbus = false, shared = false;

	snprintf(path, sizeof(path), "%s", device->path);
	for (char *part = strtok_r(path, "/", &save); part; part = strtok_r(NULL, "/", &save)) {
		unsigned int class;

		if (!is_device(part) || !strcmp(part, device->bdf))
			continue;
		class = number(tool, part, "class") >> 8;
		cardbus |= class == CLASS_CARDBUS;
		shared |= class == CLASS_BRIDGE && !is_express(tool, part);
	}
	rule(tool, device, cardbus, ILU_ID_DEV_CARDBUS, "it is not below a CardBus bridge");
	rule(tool, device, shared, ILU_ID_DEV_SHARED_ID, "its requester id is its own");
}

/* vfio-pci wakes it up for who opens it; then it sleeps only if that one wants it to. */
static void check_power(struct tool *tool, const struct device *device)
{
	if (!device->power[0])
		item(tool, ILU_UNKNOWN, ILU_ID_DEV_POWER, device->bdf,
		     "whether it is awake is not known");
	else if (!strcmp(device->power, "D0"))
		item(tool, ILU_PASS, ILU_ID_DEV_POWER, device->bdf, "it is awake");
	else if (!strcmp(device->driver, "vfio-pci") && !device_is_open(tool, device->bdf))
		item(tool, ILU_PASS, ILU_ID_DEV_POWER, device->bdf, "it sleeps until it is opened");
	else
		item(tool, ILU_FAIL, ILU_ID_DEV_POWER, device->bdf, "it is in %s", device->power);
}

static void check_state(struct tool *tool, const struct device *device)
{
	check_power(tool, device);
	if (device->has_reset)
		item(tool, ILU_PASS, ILU_ID_DEV_NO_RESET, device->bdf, "it can be reset");
	else
		item(tool, ILU_WARN, ILU_ID_DEV_NO_RESET, device->bdf, "%s",
		     ilu_id_text(ILU_ID_DEV_NO_RESET));
	if (device->irqs && !strcmp(device->driver, "vfio-pci"))
		item(tool, ILU_WARN, ILU_ID_DEV_IRQS, device->bdf,
		     "%u of its interrupts are on: a kexec would be refused just now",
		     device->irqs);
	else
		item(tool, ILU_PASS, ILU_ID_DEV_IRQS, device->bdf, "its interrupts are off");
}

static void check_looked(struct tool *tool, const struct device *device)
{
	check_driver(tool, device);
	check_group(tool, device);
	check_kind(tool, device);
	check_place(tool, device);
	check_capabilities(tool, device);
	check_state(tool, device);
}

/* "1:0.0" is not taken: what is meant should be clear. */
static bool is_there(struct tool *tool, const char *bdf)
{
	if (is_device(bdf) && file_existsf(tool, DEVICES "/%s/vendor", bdf))
		return true;
	item(tool, ILU_FAIL, ILU_ID_DEV_NONE, bdf, is_device(bdf) ? "there is no such device" :
	     "a device is named by segment, bus, device and function, as 0000:01:00.0");
	return false;
}

void check_device(struct tool *tool, const char *bdf)
{
	struct device device;

	if (!is_there(tool, bdf))
		return;
	look(tool, bdf, &device);
	check_looked(tool, &device);
	look_away(&device);
}

/* ---- the commands ---- */

static struct json_object *describe(const struct tool *tool, const struct device *device)
{
	struct json_object *object = json_object_new_object();
	char **files = file_names(tool, DEVICES "/%s/vfio-dev", device->bdf), text[64];
	unsigned int vendor, id;

	device_ids(tool, device->bdf, &vendor, &id);
	snprintf(text, sizeof(text), "%04x:%04x", vendor, id);
	json_text(object, "address", device->bdf);
	json_text(object, "ids", text);
	snprintf(text, sizeof(text), "%06x", device->class);
	json_text(object, "class", text);
	json_text(object, "driver", device->driver);
	json_number(object, "group", device->group);
	json_text(object, "file", files && *files ? *files : "");
	json_text(object, "power", device->power);
	json_number(object, "interrupts", device->irqs);
	names_free(files);
	return object;
}

static const char *text_of(struct json_object *object, const char *key)
{
	struct json_object *value = NULL;

	json_object_object_get_ex(object, key, &value);
	return value ? json_object_get_string(value) : "";
}

static void list_one(struct tool *tool, const char *bdf, struct json_object *list)
{
	struct json_object *object;
	struct device device;

	look(tool, bdf, &device);
	object = describe(tool, &device);
	line(tool, "%-12s  %s  %s  group %-3s  %-8s  %s", bdf, text_of(object, "ids"),
	     text_of(object, "class"), text_of(object, "group"),
	     text_of(object, "file")[0] ? text_of(object, "file") : "-", device.power);
	json_object_array_add(list, object);
	look_away(&device);
}

static int device_list(struct tool *tool, int argc, char **argv, const struct options *options)
{
	char **names = vfio_devices(tool);
	struct json_object *list = json_object_new_array();

	(void)argc, (void)argv, (void)options;
	for (char **name = names; name && *name; name++)
		list_one(tool, *name, list);
	if (!names_count(names))
		line(tool, "no device is bound to vfio-pci");
	names_free(names);
	json_object_object_add(tool->document, "devices", list);
	return EXIT_FINE;
}

static int device_show(struct tool *tool, int argc, char **argv, const struct options *options)
{
	struct json_object *object;
	struct device device;

	(void)argc, (void)options;
	if (!is_there(tool, argv[0]))
		return exit_code(tool);
	look(tool, argv[0], &device);
	object = describe(tool, &device);
	json_object_object_foreach(object, key, value)
		line(tool, "%-10s  %s", key, json_object_get_string(value));
	json_object_object_add(tool->document, "device", object);
	look_away(&device);
	return exit_code(tool);
}

/* Each rule that is broken, with what it means */
static int device_explain(struct tool *tool, int argc, char **argv, const struct options *options)
{
	(void)argc, (void)options;
	check_device(tool, argv[0]);
	if (!tool->failed && !tool->unknown && !tool->warned)
		line(tool, "%s could go along", argv[0]);
	for (size_t i = 0; i < json_object_array_length(tool->items); i++) {
		struct json_object *entry = json_object_array_get_idx(tool->items, i);
		enum ilu_id id = ilu_id_by_name(text_of(entry, "id"));

		if (!strcmp(text_of(entry, "verdict"), "PASS"))
			continue;
		line(tool, "%s: %s.", ilu_id_name(id), ilu_id_text(id));
		line(tool, "  What to do: %s.", ilu_id_hint(id));
	}
	return exit_code(tool);
}

const struct command device_commands[] = {
	{ "list", device_list, 0, 0, 0, "list\n      those that are bound to vfio-pci" },
	{ "show", device_show, 1, 1, 0, "show BDF\n      what there is to know about one" },
	{ "explain", device_explain, 1, 1, 0, "explain BDF\n      why it could not go along, and what to do" },
	{ NULL, NULL, 0, 0, 0, NULL },
};
