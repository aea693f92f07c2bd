// SPDX-License-Identifier: GPL-2.0
/* What the machine and the kernel that runs have to have. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

#define UNITS		"/sys/class/iommu"
#define ECAP_QI		(1ull << 1)
#define SYSTEMD_GOOD	262
#define IOMMU_RECORD	"ilu-iommu-v"	/* how the record of the IOMMUs is called */

/* ---- live update itself ---- */

/* It may be that nobody has asked for it. */
static void say_no_support(struct tool *tool)
{
	char cmdline[4096];

	file_text(tool, "/proc/cmdline", cmdline, sizeof(cmdline));
	if (!cmdline_is_on(cmdline, "liveupdate"))
		item(tool, ILU_FAIL, ILU_ID_HOST_NO_SUPPORT, "",
		     "this kernel has no live update: liveupdate=on is not on its command line");
	else
		item_error(tool, "");
}

static int check_session(void *arg, const struct liveupdate_ioctl_list_sessions *session)
{
	if (session->flags & LIVEUPDATE_SESSION_FLAG_NEEDS_FINISH)
		item(arg, ILU_FAIL, ILU_ID_SESSION_UNFINISHED, (const char *)session->name,
		     "it came in by the last live update and is not finished%s",
		     session->flags & LIVEUPDATE_SESSION_FLAG_OPEN ? ", somebody has it" : "");
	return 0;
}

/* False: there is nothing more to ask. */
static bool check_sessions(struct tool *tool)
{
	unsigned int failed = tool->failed;
	int error = luo_each_session(tool, check_session, tool);

	if (error == -ENODEV && ilu_error(tool->ilu)->id == ILU_ID_HOST_NO_SUPPORT) {
		say_no_support(tool);
		return false;
	}
	if (error && ilu_error(tool->ilu)->id != ILU_ID_HOST_CANNOT_ANSWER) {
		item_error(tool, "");
		return false;
	}
	item(tool, ILU_PASS, ILU_ID_HOST_NO_SUPPORT, "", "this kernel has live update");
	if (error)
		item_error(tool, "sessions");
	else if (tool->failed == failed)
		item(tool, ILU_PASS, ILU_ID_SESSION_UNFINISHED, "",
		     "no session of the last live update is left");
	return true;
}

/* Sessions there are in every kernel of these days; what they can hold is said by notes. */
static void check_support(struct tool *tool)
{
	char *records = own_records(tool);

	if (!file_exists(tool, "/sys/kernel/notes"))
		item(tool, ILU_UNKNOWN, ILU_ID_IOMMUFD_NO_SUPPORT, "",
		     "this kernel does not say what it can preserve");
	else if (!records || !strstr(records, IOMMU_RECORD))
		item(tool, ILU_FAIL, ILU_ID_IOMMUFD_NO_SUPPORT, "", "%s",
		     ilu_id_text(ILU_ID_IOMMUFD_NO_SUPPORT));
	else
		item(tool, ILU_PASS, ILU_ID_IOMMUFD_NO_SUPPORT, "",
		     "this kernel can preserve page tables");
	free(records);
}

/* ---- the kexec ---- */

/* What takes nothing along does no harm where nothing is preserved. */
static void say_image(struct tool *tool, unsigned int image, bool refused)
{
	static const enum ilu_id ids[] = {
		ILU_ID_IMAGE_NONE, ILU_ID_IMAGE_SEGMENTS, ILU_ID_IMAGE_NO_DATA,
	};

	if (image < LIVEUPDATE_IMAGE_HANDOVER)
		item(tool, refused || image == LIVEUPDATE_IMAGE_NONE ? ILU_FAIL : ILU_WARN, ids[image], "", "%s", ilu_id_text(ids[image]));
	else
		item(tool, ILU_PASS, ILU_ID_IMAGE_NONE, "",
		     "a kernel is loaded that takes all along");
}

/* Without the ioctl: by sysfs, where it is */
static void say_loaded(struct tool *tool)
{
	static const char *const kinds[] = { "none", "segments", "file", "handover" };
	char text[32];

	if (!file_text(tool, "/sys/kernel/kexec/loaded_kind", text, sizeof(text))) {
		for (unsigned int i = 0; i < 4; i++)
			if (!strcmp(text, kinds[i]))
				say_image(tool, i, true);
		return;
	}
	if (file_text(tool, "/sys/kernel/kexec/loaded", text, sizeof(text)) &&
	    file_text(tool, "/sys/kernel/kexec_loaded", text, sizeof(text)))
		return;
	if (!strcmp(text, "0"))
		say_image(tool, LIVEUPDATE_IMAGE_NONE, true);
}

static void say_refusal(struct tool *tool, const struct liveupdate_ioctl_test_kexec *test)
{
	const char *reason = (const char *)test->reason;
	enum ilu_id id = ilu_id_by_line(reason);

	/* The image was told of before. */
	if (id == ILU_ID_IMAGE_NO_DATA)
		return;
	if (id == ILU_ID_NONE)
		id = ILU_ID_KEXEC_REFUSED;
	item(tool, ILU_FAIL, id, (const char *)test->name, "%s",
	     reason[0] ? reason : strerror(-test->error));
}

void check_kexec(struct tool *tool)
{
	struct liveupdate_ioctl_test_kexec test;

	if (luo_test(tool, &test)) {
		item_error(tool, "kexec");
		say_loaded(tool);
		return;
	}
	say_image(tool, test.image, test.error);
	if (test.error)
		say_refusal(tool, &test);
	else
		item(tool, ILU_PASS, ILU_ID_KEXEC_REFUSED, "", "a test of the kexec is not refused");
}

/* ---- IOMMUs ---- */

static void check_unit(struct tool *tool, const char *unit)
{
	char text[64];

	if (strncmp(unit, "dmar", 4)) {
		item(tool, ILU_FAIL, ILU_ID_HOST_IOMMU_KIND, unit, "%s",
		     ilu_id_text(ILU_ID_HOST_IOMMU_KIND));
		return;
	}
	if (file_textf(tool, text, sizeof(text), UNITS "/%s/intel-iommu/ecap", unit))
		item(tool, ILU_UNKNOWN, ILU_ID_UNIT_UNSUPPORTED, unit,
		     "what it can do is not known");
	else if (!(strtoull(text, NULL, 16) & ECAP_QI))
		item(tool, ILU_FAIL, ILU_ID_UNIT_UNSUPPORTED, unit, "no queued invalidation");
	else
		item(tool, ILU_PASS, ILU_ID_UNIT_UNSUPPORTED, unit, "it can be kept translating");
}

static void check_units(struct tool *tool)
{
	char **units = file_names(tool, UNITS);

	if (!names_count(units))
		item(tool, ILU_FAIL, ILU_ID_HOST_NO_IOMMU, "", "%s",
		     ilu_id_text(ILU_ID_HOST_NO_IOMMU));
	for (char **unit = units; unit && *unit; unit++)
		check_unit(tool, *unit);
	names_free(units);
}

/* ---- systemd ---- */

static int version_in(const struct tool *tool, const char *directory)
{
	static const char prefix[] = "libsystemd-shared-";
	char **names = file_names(tool, "%s", directory);
	int version = 0;

	for (char **name = names; name && *name && !version; name++)
		if (!strncmp(*name, prefix, strlen(prefix)))
			version = atoi(*name + strlen(prefix));
	names_free(names);
	return version;
}

/* By the name of its library; 0: it does not run here, -1: it is not known which */
int systemd_version(const struct tool *tool)
{
	static const char *const directories[] = {
		"/usr/lib/x86_64-linux-gnu/systemd", "/usr/lib/systemd", "/lib/systemd",
	};

	if (!file_exists(tool, "/run/systemd/system"))
		return 0;
	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
		int version = version_in(tool, directories[i]);

		if (version)
			return version;
	}
	return -1;
}

static void check_systemd(struct tool *tool)
{
	int version = systemd_version(tool);

	if (version < 0)
		item(tool, ILU_UNKNOWN, ILU_ID_HOST_SYSTEMD, "systemd", "its version is not known");
	else if (version && version < SYSTEMD_GOOD)
		item(tool, ILU_WARN, ILU_ID_HOST_SYSTEMD, "systemd",
		     "systemd %d does not hand sessions over a kexec", version);
	else if (version)
		item(tool, ILU_PASS, ILU_ID_HOST_SYSTEMD, "systemd",
		     "systemd %d hands sessions over a kexec", version);
}

void check_host(struct tool *tool)
{
	if (check_sessions(tool)) {
		check_support(tool);
		check_kexec(tool);
	}
	check_units(tool);
	check_systemd(tool);
}
