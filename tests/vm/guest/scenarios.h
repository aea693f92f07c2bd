/* SPDX-License-Identifier: GPL-2.0 */
#ifndef TESTS_VM_GUEST_SCENARIOS_H
#define TESTS_VM_GUEST_SCENARIOS_H

struct scenario {
	const char *name;
	void (*old_kernel)(void);
	/* NULL when the scenario must never get past the kexec. */
	void (*new_kernel)(void);
};

void control_old_kernel(void);
void unmap_old_kernel(void);

void update_old_kernel(void);
void update_new_kernel(void);
void plain_update_old_kernel(void);
void plain_update_new_kernel(void);

void rehearsal_old_kernel(void);
void example_old_kernel(void);
void example_new_kernel(void);
void guide_old_kernel(void);
void guide_new_kernel(void);
void disk_old_kernel(void);
void disk_new_kernel(void);
void interrupts_old_kernel(void);
void interrupts_new_kernel(void);
void carried_old_kernel(void);
void carried_new_kernel(void);
void manager_old_kernel(void);
void manager_new_kernel(void);

void systemd_old_kernel(void);
void systemd_new_kernel(void);

void neighbour_old_kernel(void);
void blocked_new_kernel(void);
void fallocated_old_kernel(void);
void refusals_old_kernel(void);
void shared_group_old_kernel(void);
void ats_old_kernel(void);
void ats_off_old_kernel(void);
void ats_off_new_kernel(void);
void frozen_old_kernel(void);
void sibling_old_kernel(void);
void sysfs_old_kernel(void);
void sysfs_new_kernel(void);
void replace_old_kernel(void);
void images_old_kernel(void);
void images_new_kernel(void);
void chain_old_kernel(void);
void chain_new_kernel(void);
void unmapped_old_kernel(void);
void unmapped_new_kernel(void);
void killed_new_kernel(void);
void killed_calls_old_kernel(void);
void killed_calls_new_kernel(void);
void loose_new_kernel(void);
void hostile_old_kernel(void);
void hostile_new_kernel(void);
void two_devices_old_kernel(void);
void two_devices_new_kernel(void);
void many_old_kernel(void);
void many_new_kernel(void);
void pulled_old_kernel(void);
void pulled_new_kernel(void);
void plugged_old_kernel(void);
void plugged_new_kernel(void);
void bridge_reset_old_kernel(void);
void bridge_reset_new_kernel(void);
void corrupt_old_kernel(void);
void corrupt_new_kernel(void);
void limited_new_kernel(void);
void restored_new_kernel(void);
void timing_old_kernel(void);
void timing_new_kernel(void);
void switch_trace_new_kernel(void);
void domain_ids_new_kernel(void);
void no_replace_id_new_kernel(void);
void unfinished_old_kernel(void);
void unfinished_new_kernel(void);
void retrieve_orders_new_kernel(void);
void finish_orders_new_kernel(void);
void fail_nth_old_kernel(void);
void fail_nth_new_kernel(void);
void held_up_old_kernel(void);
void held_up_new_kernel(void);
void crash_old_kernel(void);
void crash_new_kernel(void);
void held_attach_old_kernel(void);
void held_neighbour_old_kernel(void);
void held_attach_new_kernel(void);
void frozen_fault_old_kernel(void);
void command_old_kernel(void);
void command_new_kernel(void);
void command_library_new_kernel(void);
void command_refused_old_kernel(void);
void command_place_old_kernel(void);
void command_unsupported_old_kernel(void);
void test_kexec_old_kernel(void);
void test_kexec_new_kernel(void);
void stress_old_kernel(void);
void stress_new_kernel(void);
void contended_old_kernel(void);
void contended_new_kernel(void);
void owner_reset_old_kernel(void);
void owner_reset_new_kernel(void);
void refused_old_kernel(void);
void descriptors_old_kernel(void);
void descriptors_new_kernel(void);
void same_device_new_kernel(void);
void two_hwpts_old_kernel(void);
void two_hwpts_new_kernel(void);
void ordinary_old_kernel(void);
void ordinary_new_kernel(void);
/* left_on.c: VT-d translates when the next kernel comes. */
void leave_translation_on(void);
void group_files_old_kernel(void);
void group_files_new_kernel(void);
void noexec_old_kernel(void);
void noexec_new_kernel(void);
void pinned_again_old_kernel(void);
void pinned_again_new_kernel(void);
void sparse_old_kernel(void);
void poisoned_old_kernel(void);
void reserved_memory_old_kernel(void);
void hot_added_old_kernel(void);
void kho_data_old_kernel(void);
void kho_data_new_kernel(void);
void no_scratch_old_kernel(void);
void kernel_tests_old_kernel(void);
void kernel_tests_new_kernel(void);
void mock_old_kernel(void);
void mock_new_kernel(void);
void inner_control_old_kernel(void);
void modules_old_kernel(void);
void modules_new_kernel(void);

#endif
