// SPDX-License-Identifier: GPL-2.0
/*
 * An instance in a cgroup that is too small for the memory of the device: retrieving
 * it fails, or the instance is killed for it. Another one, that has room, goes the
 * whole way, and the card has not noticed.
 *
 *	limit=N		of the first instance, in MB
 */
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "events.h"
#include "machine.h"
#include "pages.h"
#include "scenarios.h"
#include "vmm.h"

#define CGROUPS		"/sys/fs/cgroup"
#define SMALL		CGROUPS "/small"

static void make_small_cgroup(void)
{
	char limit[32];

	if (mount("cgroup2", CGROUPS, "cgroup2", 0, NULL))
		give_up("mount cgroups: %m");
	must(write_file(CGROUPS "/cgroup.subtree_control", "+memory"), "account memory");
	if (mkdir(SMALL, 0755))
		give_up("make a cgroup: %m");
	snprintf(limit, sizeof(limit), "%ldM", option_number("limit", 16));
	must(write_file(SMALL "/memory.max", limit), "limit memory");
}

/* Exits with what it got; the kernel may kill it first. */
static void retrieve_memory(void)
{
	struct ilu *ilu = ilu_new(NULL);
	int more = 1;

	must(write_file(SMALL "/cgroup.procs", "0"), "join the cgroup");
	must_ilu(ilu, ilu_session_open(ilu, SESSION_NAME), "open the session");
	while (more > 0 && !ilu_memory(ilu, "ring"))
		more = ilu_restore_step(ilu);
	_exit(more < 0 ? -more : 0);
}

static void let_small_instance_fail(void)
{
	pid_t child = fork();
	int status;

	if (child < 0)
		give_up("fork: %m");
	if (!child)
		retrieve_memory();
	waitpid(child, &status, 0);
	event("note the small instance ended with status 0x%x", status);
	check(status, "there is no memory beyond the limit");
}

void limited_new_kernel(void)
{
	struct vmm vmm;

	make_small_cgroup();
	vmm_begin_again(&vmm);
	let_small_instance_fail();
	vmm_take_back(&vmm);
	report_pages("finished");
	vmm_end(&vmm);
}
