// SPDX-License-Identifier: GPL-2.0
/* The whole user space of the guest, before and after the kexec; or what comes before systemd. */
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "events.h"
#include "machine.h"
#include "module.h"
#include "scenarios.h"
#include "systemd.h"

static const struct scenario scenarios[] = {
	{ "control", control_old_kernel, NULL },
	{ "unmap", unmap_old_kernel, NULL },
	{ "rehearsal", rehearsal_old_kernel, NULL },
	{ "update", update_old_kernel, update_new_kernel },
	{ "plain-update", plain_update_old_kernel, plain_update_new_kernel },
	{ "example", example_old_kernel, example_new_kernel },
	{ "guide", guide_old_kernel, guide_new_kernel },
	{ "disk", disk_old_kernel, disk_new_kernel },
	{ "interrupts", interrupts_old_kernel, interrupts_new_kernel },
	{ "carried", carried_old_kernel, carried_new_kernel },
	{ "neighbour", neighbour_old_kernel, plain_update_new_kernel },
	{ "blocked", update_old_kernel, blocked_new_kernel },
	{ "fallocated", fallocated_old_kernel, NULL },
	{ "refusals", refusals_old_kernel, NULL },
	{ "shared-group", shared_group_old_kernel, NULL },
	{ "ats", ats_old_kernel, NULL },
	{ "ats-off", ats_off_old_kernel, ats_off_new_kernel },
	{ "frozen", frozen_old_kernel, NULL },
	{ "sibling", sibling_old_kernel, NULL },
	{ "sysfs", sysfs_old_kernel, sysfs_new_kernel },
	{ "replace", replace_old_kernel, NULL },
	{ "images", images_old_kernel, images_new_kernel },
	{ "chain", chain_old_kernel, chain_new_kernel },
	{ "unmapped", unmapped_old_kernel, unmapped_new_kernel },
	{ "killed", plain_update_old_kernel, killed_new_kernel },
	{ "killed-calls", killed_calls_old_kernel, killed_calls_new_kernel },
	{ "loose", unfinished_old_kernel, loose_new_kernel },
	{ "hostile", hostile_old_kernel, hostile_new_kernel },
	{ "two-devices", two_devices_old_kernel, two_devices_new_kernel },
	{ "many", many_old_kernel, many_new_kernel },
	{ "pulled", pulled_old_kernel, pulled_new_kernel },
	{ "plugged", plugged_old_kernel, plugged_new_kernel },
	{ "bridge-reset", bridge_reset_old_kernel, bridge_reset_new_kernel },
	{ "corrupt", corrupt_old_kernel, corrupt_new_kernel },
	{ "limited", update_old_kernel, limited_new_kernel },
	{ "restored", plain_update_old_kernel, restored_new_kernel },
	{ "timing", timing_old_kernel, timing_new_kernel },
	{ "switch-trace", plain_update_old_kernel, switch_trace_new_kernel },
	{ "domain-ids", plain_update_old_kernel, domain_ids_new_kernel },
	{ "no-replace-id", plain_update_old_kernel, no_replace_id_new_kernel },
	{ "unfinished", unfinished_old_kernel, unfinished_new_kernel },
	{ "retrieve-orders", plain_update_old_kernel, retrieve_orders_new_kernel },
	{ "finish-orders", plain_update_old_kernel, finish_orders_new_kernel },
	{ "fail-nth", fail_nth_old_kernel, fail_nth_new_kernel },
	{ "held-up", held_up_old_kernel, held_up_new_kernel },
	{ "crash", crash_old_kernel, crash_new_kernel },
	{ "held-attach", held_attach_old_kernel, held_attach_new_kernel },
	{ "held-neighbour", held_neighbour_old_kernel, plain_update_new_kernel },
	{ "frozen-fault", frozen_fault_old_kernel, NULL },
	{ "test-kexec", test_kexec_old_kernel, test_kexec_new_kernel },
	{ "command", command_old_kernel, command_new_kernel },
	{ "command-library", interrupts_old_kernel, command_library_new_kernel },
	{ "command-refused", command_refused_old_kernel, NULL },
	{ "command-place", command_place_old_kernel, NULL },
	{ "command-unsupported", command_unsupported_old_kernel, NULL },
	{ "contended", contended_old_kernel, contended_new_kernel },
	{ "owner-reset", owner_reset_old_kernel, owner_reset_new_kernel },
	{ "descriptors", descriptors_old_kernel, descriptors_new_kernel },
	{ "same-device", plain_update_old_kernel, same_device_new_kernel },
	{ "two-hwpts", two_hwpts_old_kernel, two_hwpts_new_kernel },
	{ "refused", refused_old_kernel, plain_update_new_kernel },
	{ "ordinary", ordinary_old_kernel, ordinary_new_kernel },
	{ "group-files", group_files_old_kernel, group_files_new_kernel },
	{ "noexec", noexec_old_kernel, noexec_new_kernel },
	{ "pinned-again", pinned_again_old_kernel, pinned_again_new_kernel },
	{ "sparse", sparse_old_kernel, NULL },
	{ "reserved-memory", reserved_memory_old_kernel, update_new_kernel },
	{ "poisoned", poisoned_old_kernel, plain_update_new_kernel },
	{ "hot-added", hot_added_old_kernel, plain_update_new_kernel },
	{ "kho-data", kho_data_old_kernel, kho_data_new_kernel },
	{ "stress", stress_old_kernel, stress_new_kernel },
	{ "no-scratch", no_scratch_old_kernel, NULL },
	{ "kernel-tests", kernel_tests_old_kernel, kernel_tests_new_kernel },
	{ "mock", mock_old_kernel, mock_new_kernel },
	{ "manager", manager_old_kernel, manager_new_kernel },
	{ "systemd", systemd_old_kernel, systemd_new_kernel },
	{ "modules", modules_old_kernel, modules_new_kernel },
	{ "inner-control", inner_control_old_kernel, NULL },
};

static const struct scenario *find_scenario(const char *name)
{
	for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++)
		if (!strcmp(scenarios[i].name, name))
			return &scenarios[i];
	return NULL;
}

/* All that there are, unless the next kernel is to go without. */
static void load_modules(long stage)
{
	if (stage == 1 || !strcmp(option_text("modules", ""), ""))
		modules_load_all();
}

int main(int argc, char **argv)
{
	const struct scenario *scenario;
	long stage;

	if (getpid() != 1)
		return systemd_unit(argc, argv);
	machine_mount_filesystems();
	if (events_open())
		power_off();
	stage = option_number("stage", 1);
	event("user-space stage=%ld build=%s at=%s", stage, kernel_build(), kernel_place());

	load_modules(stage);
	scenario = find_scenario(option_text("script", "update"));
	if (!scenario)
		give_up("no such script");
	if (stage == 1)
		scenario->old_kernel();
	else if (scenario->new_kernel)
		scenario->new_kernel();
	else
		give_up("this scenario should not have come through a kexec");

	check_for_leaks();
	event_ask("done");
	power_off();
}
