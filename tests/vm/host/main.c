// SPDX-License-Identifier: GPL-2.0
/* Boots one virtual machine, runs one scenario in it, judges it. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "run.h"

#define EXIT_PASSED	0
#define EXIT_FAILED	1
#define EXIT_USAGE	2
#define EXIT_SKIPPED	4
#define EXIT_NO_START	5	/* not even the first kernel came up */
#define EXIT_STANDS_STILL 6	/* the emulator, see stall.c */

/* For QEMU itself and the judge */
#define MEMORY_BESIDES_MB	200

static void usage(void)
{
	fprintf(stderr,
		"usage: vm-run --qemu PATH --old-kernel BZIMAGE --init PATH --output DIR [options]\n"
		"  --new-kernel BZIMAGE  the kernel that is jumped into, else the old one again\n"
		"  --name NAME           of the scenario, for the result line\n"
		"  --script NAME         what the guest does (control, unmap, update, ...)\n"
		"  --expect WHAT         continuity, undisturbed, disk, unmapped, loss, fault, blocked,\n"
		"                        nothing-lost or checks\n"
		"  --must-find TEXT      passes only if the judge finds a problem with this word\n"
		"                        and no other; may be given several times\n"
		"  --may-find TEXT       what comes with it by its nature; several times\n"
		"  --examples DIR        the example programs, for their script\n"
		"  --tool FILE           the operator's command, for its scripts\n"
		"  --root ARCHIVE        of cpio: what there is in the root file system besides\n"
		"  --usr IMAGE           a disk with the file system for /usr\n"
		"  --tests DIR           programs for the scripts kernel-tests and mock\n"
		"  --old-modules DIR, --new-modules DIR   of each kernel, DIR/RELEASE/NAME.ko\n"
		"  --mode MODE           legacy, sm-ss or sm-fs\n"
		"  --nic NIC             igb or e1000e; or nvme, a slow drive and no network\n"
		"  --topology WHERE      ports, root, switch or crowd\n"
		"  --preserve WHAT       yes, no or refused\n"
		"  --cpus N --memory MB --rate N --timeout S\n"
		"  --second-nic N        another card, with N frames for a thousand of the first\n"
		"  --second-use WHAT     stray (its frames may land nowhere), preserved or spare\n"
		"  --nodes N             memory and processors over so many NUMA nodes\n"
		"  --added-memory MB     memory that is not in the firmware's map\n"
		"  --more-nics N         so many cards besides, without traffic\n"
		"  --x2apic              with interrupt remapping for more than 255 processors\n"
		"  --hotplug             slots are the kernel's; one more is empty\n"
		"  --keep-freed          QEMU may go on using ports that were pulled out\n"
		"  --updates N           how many kexecs in a row; both kernels go along\n"
		"  --ats-device          a virtio card with ATS\n"
		"  --no-iommu            a machine without VT-d\n"
		"  --shared-memory       lets the host look into guest memory\n"
		"  --counters COMMAND    run with kernel, memory and place in it when a kernel ends\n"
		"  --cold                frames in the blackout must hit untouched pages\n"
		"  --interrupt-buffers   some receive buffers where writes are interrupts\n"
		"  --crash OPTION;...    a crash kernel goes along, the new one with these options\n"
		"  --ordinary            disk and network, nothing for live updates\n"
		"  --firmware-protects   VT-d is on before the first kernel, and blocks\n"
		"  --reserved-memory     the second card has some of the firmware's (RMRR)\n"
		"  --nested              a machine that can have virtual machines by KVM\n"
		"  --guest OPTIONS       lu_NAME=VALUE,... for the guest\n"
		"  --append, --old-append, --new-append OPTION;...   for both kernels or one;\n"
		"                         given more than once they add up\n");
	exit(EXIT_USAGE);
}

static void set_defaults(struct options *options)
{
	*options = (struct options) {
		.name = "update",
		.script = "update",
		.mode = "legacy",
		.nic = "igb",
		.topology = "ports",
		.preserve = "yes",
		.expect = "continuity",
		.second_use = "stray",
		.guest = "",
		.append = "",
		.old_append = "",
		.new_append = "",
		.cpus = 1,
		.memory_mb = 512,
		.rate = 1000,
		.updates = 1,
		.nodes = 1,
		.timeout_s = 180,
	};
}

enum option_id {
	OPT_NAME = 1, OPT_SCRIPT, OPT_QEMU, OPT_OLD_KERNEL, OPT_NEW_KERNEL, OPT_INIT, OPT_OUTPUT,
	OPT_MODE, OPT_NIC, OPT_TOPOLOGY, OPT_PRESERVE, OPT_EXPECT, OPT_GUEST, OPT_APPEND,
	OPT_OLD_APPEND, OPT_NEW_APPEND, OPT_MUST_FIND, OPT_MAY_FIND, OPT_EXAMPLES, OPT_TOOL, OPT_TESTS,
	OPT_ROOT, OPT_USR, OPT_SECOND_USE, OPT_CRASH, OPT_COUNTERS, OPT_OLD_MODULES, OPT_NEW_MODULES,
	OPT_CPUS, OPT_MEMORY, OPT_RATE, OPT_TIMEOUT, OPT_UPDATES, OPT_NODES, OPT_ADDED_MEMORY,
	OPT_MORE_NICS,
	OPT_SECOND_NIC, OPT_X2APIC, OPT_HOTPLUG, OPT_KEEP_FREED, OPT_ATS_DEVICE, OPT_NO_IOMMU,
	OPT_SHARED_MEMORY,
	OPT_COLD, OPT_INTERRUPT_BUFFERS, OPT_ORDINARY, OPT_FIRMWARE_PROTECTS,
	OPT_RESERVED_MEMORY, OPT_NESTED,
};

static const struct option long_options[] = {
	{ "name", required_argument, NULL, OPT_NAME },
	{ "script", required_argument, NULL, OPT_SCRIPT },
	{ "qemu", required_argument, NULL, OPT_QEMU },
	{ "old-kernel", required_argument, NULL, OPT_OLD_KERNEL },
	{ "new-kernel", required_argument, NULL, OPT_NEW_KERNEL },
	{ "init", required_argument, NULL, OPT_INIT },
	{ "examples", required_argument, NULL, OPT_EXAMPLES },
	{ "tool", required_argument, NULL, OPT_TOOL },
	{ "tests", required_argument, NULL, OPT_TESTS },
	{ "root", required_argument, NULL, OPT_ROOT },
	{ "usr", required_argument, NULL, OPT_USR },
	{ "old-modules", required_argument, NULL, OPT_OLD_MODULES },
	{ "new-modules", required_argument, NULL, OPT_NEW_MODULES },
	{ "output", required_argument, NULL, OPT_OUTPUT },
	{ "mode", required_argument, NULL, OPT_MODE },
	{ "nic", required_argument, NULL, OPT_NIC },
	{ "topology", required_argument, NULL, OPT_TOPOLOGY },
	{ "preserve", required_argument, NULL, OPT_PRESERVE },
	{ "expect", required_argument, NULL, OPT_EXPECT },
	{ "crash", required_argument, NULL, OPT_CRASH },
	{ "must-find", required_argument, NULL, OPT_MUST_FIND },
	{ "may-find", required_argument, NULL, OPT_MAY_FIND },
	{ "guest", required_argument, NULL, OPT_GUEST },
	{ "append", required_argument, NULL, OPT_APPEND },
	{ "old-append", required_argument, NULL, OPT_OLD_APPEND },
	{ "new-append", required_argument, NULL, OPT_NEW_APPEND },
	{ "cpus", required_argument, NULL, OPT_CPUS },
	{ "memory", required_argument, NULL, OPT_MEMORY },
	{ "rate", required_argument, NULL, OPT_RATE },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "second-nic", required_argument, NULL, OPT_SECOND_NIC },
	{ "second-use", required_argument, NULL, OPT_SECOND_USE },
	{ "updates", required_argument, NULL, OPT_UPDATES },
	{ "nodes", required_argument, NULL, OPT_NODES },
	{ "added-memory", required_argument, NULL, OPT_ADDED_MEMORY },
	{ "more-nics", required_argument, NULL, OPT_MORE_NICS },
	{ "hotplug", no_argument, NULL, OPT_HOTPLUG },
	{ "keep-freed", no_argument, NULL, OPT_KEEP_FREED },
	{ "ats-device", no_argument, NULL, OPT_ATS_DEVICE },
	{ "no-iommu", no_argument, NULL, OPT_NO_IOMMU },
	{ "shared-memory", no_argument, NULL, OPT_SHARED_MEMORY },
	{ "counters", required_argument, NULL, OPT_COUNTERS },
	{ "cold", no_argument, NULL, OPT_COLD },
	{ "interrupt-buffers", no_argument, NULL, OPT_INTERRUPT_BUFFERS },
	{ "x2apic", no_argument, NULL, OPT_X2APIC },
	{ "ordinary", no_argument, NULL, OPT_ORDINARY },
	{ "firmware-protects", no_argument, NULL, OPT_FIRMWARE_PROTECTS },
	{ "reserved-memory", no_argument, NULL, OPT_RESERVED_MEMORY },
	{ "nested", no_argument, NULL, OPT_NESTED },
	{ NULL, 0, NULL, 0 },
};

static void set_number(struct options *options, int id, const char *text)
{
	int number = atoi(text);

	if (number <= 0)
		usage();
	if (id == OPT_CPUS)
		options->cpus = number;
	else if (id == OPT_MEMORY)
		options->memory_mb = number;
	else if (id == OPT_RATE)
		options->rate = number;
	else if (id == OPT_TIMEOUT)
		options->timeout_s = number;
	else if (id == OPT_UPDATES)
		options->updates = number;
	else if (id == OPT_NODES)
		options->nodes = number;
	else if (id == OPT_ADDED_MEMORY)
		options->added_mb = number;
	else if (id == OPT_MORE_NICS)
		options->more_nics = number;
	else
		options->second_nic = number;
}

static void add_word(const char **words, int *count, const char *word)
{
	if (*count == WORDS)
		usage();
	words[(*count)++] = word;
}

static bool is_for_kernel(int id)
{
	return id == OPT_APPEND || id == OPT_OLD_APPEND || id == OPT_NEW_APPEND;
}

/* What a scenario wants of its kernels comes on top of what the rig wants of all. */
static const char *both_texts(const char *first, const char *second)
{
	char *both;

	if (!*first)
		return second;
	if (asprintf(&both, "%s;%s", first, second) < 0)
		abort();
	return both;
}

static void set_text(struct options *options, int id, const char *text)
{
	const char **const places[] = {
		[OPT_NAME] = &options->name,
		[OPT_SCRIPT] = &options->script,
		[OPT_QEMU] = &options->qemu,
		[OPT_OLD_KERNEL] = &options->old_kernel,
		[OPT_NEW_KERNEL] = &options->new_kernel,
		[OPT_INIT] = &options->init,
		[OPT_OUTPUT] = &options->output,
		[OPT_MODE] = &options->mode,
		[OPT_NIC] = &options->nic,
		[OPT_TOPOLOGY] = &options->topology,
		[OPT_PRESERVE] = &options->preserve,
		[OPT_EXPECT] = &options->expect,
		[OPT_EXAMPLES] = &options->examples,
		[OPT_TOOL] = &options->tool,
		[OPT_TESTS] = &options->tests,
		[OPT_ROOT] = &options->root,
		[OPT_USR] = &options->usr,
		[OPT_CRASH] = &options->crash,
		[OPT_SECOND_USE] = &options->second_use,
		[OPT_GUEST] = &options->guest,
		[OPT_APPEND] = &options->append,
		[OPT_OLD_APPEND] = &options->old_append,
		[OPT_NEW_APPEND] = &options->new_append,
		[OPT_COUNTERS] = &options->counters,
		[OPT_OLD_MODULES] = &options->old_modules,
		[OPT_NEW_MODULES] = &options->new_modules,
	};

	*places[id] = is_for_kernel(id) ? both_texts(*places[id], text) : text;
}

static void parse(struct options *options, int argc, char **argv)
{
	int id;

	set_defaults(options);
	while ((id = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (id == '?')
			usage();
		else if (id == OPT_ATS_DEVICE)
			options->ats_device = true;
		else if (id == OPT_NO_IOMMU)
			options->no_iommu = true;
		else if (id == OPT_X2APIC)
			options->x2apic = true;
		else if (id == OPT_HOTPLUG)
			options->hotplug = true;
		else if (id == OPT_KEEP_FREED)
			options->keep_freed = true;
		else if (id == OPT_SHARED_MEMORY)
			options->shared_memory = true;
		else if (id == OPT_COLD)
			options->cold = true;
		else if (id == OPT_INTERRUPT_BUFFERS)
			options->interrupt_buffers = true;
		else if (id == OPT_MAY_FIND)
			add_word(options->may_find, &options->may_find_count, optarg);
		else if (id == OPT_MUST_FIND)
			add_word(options->must_find, &options->must_find_count, optarg);
		else if (id == OPT_ORDINARY)
			options->ordinary = true;
		else if (id == OPT_FIRMWARE_PROTECTS)
			options->firmware_protects = true;
		else if (id == OPT_RESERVED_MEMORY)
			options->reserved_memory = true;
		else if (id == OPT_NESTED)
			options->nested = true;
		else if (id >= OPT_CPUS)
			set_number(options, id, optarg);
		else
			set_text(options, id, optarg);
	}
	if (options->may_find_count && !options->must_find_count)
		usage();
	if (optind != argc || !options->qemu || !options->old_kernel || !options->init ||
	    !options->output)
		usage();
	if (!options->new_kernel)
		options->new_kernel = options->old_kernel;
	if (options->counters)
		options->shared_memory = true;
}

static void socket_path(const struct run *run, const char *name, int number, char *path,
			size_t size)
{
	snprintf(path, size, "%s/%s%d", run->socket_dir, name, number);
}

static struct emulator_clock *make_clock(const struct run *run, int number)
{
	char ask[128], answer[128], remote[128];

	socket_path(run, "ask", number, ask, sizeof(ask));
	socket_path(run, "answer", number, answer, sizeof(answer));
	socket_path(run, "echo", number, remote, sizeof(remote));
	return emulator_clock_create(ask, answer, remote);
}

static int make_sender(struct run *run, int number, int rate)
{
	struct emulator_clock *clock = make_clock(run, number);
	char local[128], remote[128];

	if (!clock)
		return -EIO;
	socket_path(run, "host", number, local, sizeof(local));
	socket_path(run, "nic", number, remote, sizeof(remote));
	run->senders[number] = sender_create(local, remote, clock, number, rate,
					     run->options.timeout_s);
	return run->senders[number] ? 0 : -EIO;
}

/* At least one frame each second */
static int second_rate(const struct options *options)
{
	int rate = options->rate * options->second_nic / 1000;

	return rate ? rate : 1;
}

/* Socket paths must be short, so these are not in the output directory. */
static int make_socket_directory(struct run *run)
{
	const char *place = getenv("TMPDIR");

	if (!place || strlen(place) + sizeof("/vm-run.XXXXXX") > sizeof(run->socket_dir))
		place = "/tmp";
	snprintf(run->socket_dir, sizeof(run->socket_dir), "%s/vm-run.XXXXXX", place);
	return mkdtemp(run->socket_dir) ? 0 : -errno;
}

/* In MB; without an answer of the kernel there is no reason to refuse. */
static long available_memory(void)
{
	FILE *file = fopen("/proc/meminfo", "r");
	char line[128];
	long kilobytes, megabytes = LONG_MAX;

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "MemAvailable: %ld", &kilobytes) == 1)
			megabytes = kilobytes / 1024;
	if (file)
		fclose(file);
	return megabytes;
}

static int check_memory(const struct run *run)
{
	long available = available_memory(), needed = run->options.memory_mb + MEMORY_BESIDES_MB;

	if (available >= needed)
		return 0;
	fprintf(stderr, "%ld MB of memory are needed for the machine, %ld MB are available\n",
		needed, available);
	return -ENOMEM;
}

/*
 * Guest memory that the host looks into.  It has no name, so it goes when the
 * last process that has it ends, and takes no room in /dev/shm.
 */
static int make_memory(struct run *run)
{
	run->memory = -1;
	if (!run->options.shared_memory)
		return 0;
	/* QEMU inherits it. */
	run->memory = memfd_create("guest", 0);
	if (run->memory < 0 ||
	    ftruncate(run->memory, (off_t)run->options.memory_mb << 20))
		return -errno;
	return 0;
}

static void remove_file(const char *directory, const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	unlink(path);
}

static int prepare(struct run *run)
{
	char path[512];
	int error;

	run->events = -1;
	run->listener = -1;
	mkdir(run->options.output, 0755);
	/* Of an earlier run */
	remove_file(run->options.output, "processors.log");
	error = check_memory(run);
	if (!error)
		error = make_memory(run);
	if (!error)
		error = make_socket_directory(run);
	if (error)
		return error;
	run_path(run, "initramfs", path, sizeof(path));
	error = initramfs_build(run, path);
	if (!error && run_has_disk(run))
		error = disk_make(run);
	if (!error)
		error = make_sender(run, 0, run->options.rate);
	if (!error && run->options.second_nic)
		error = make_sender(run, 1, second_rate(&run->options));
	return error;
}

static void clean_up(const struct run *run)
{
	static const char *const numbered[] = { "host", "nic", "ask", "echo", "back", "answer" };
	char path[128];

	for (size_t i = 0; i < sizeof(numbered) / sizeof(numbered[0]); i++)
		for (int number = 0; number < STREAMS; number++) {
			socket_path(run, numbered[i], number, path, sizeof(path));
			unlink(path);
		}
	remove_file(run->socket_dir, "events");
	remove_file(run->socket_dir, "disk");
	remove_file(run->socket_dir, "qtest");
	remove_file(run->socket_dir, "monitor");
	rmdir(run->socket_dir);
	remove_file(run->options.output, "initramfs");
}

static struct run run;

/* An interrupt must not leave the machine behind, nor what belongs to it. */
static void end_early(int signal)
{
	if (run.child > 0)
		kill(run.child, SIGKILL);
	if (*run.socket_dir)
		clean_up(&run);
	_exit(128 + signal);
}

static void watch_for_signals(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	struct sigaction action = { .sa_handler = end_early };

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &action, NULL);
}

int main(int argc, char **argv)
{
	bool passed;
	int error;

	setvbuf(stdout, NULL, _IOLBF, 0);
	parse(&run.options, argc, argv);
	/* It ends with who started it. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	watch_for_signals();
	error = prepare(&run);
	run.start_ns = wall_clock_ns();
	if (!error)
		error = qemu_start(&run);
	if (!error && run.options.firmware_protects)
		error = firmware_protect(&run);
	if (error) {
		fprintf(stderr, "cannot start the machine: %s\n", strerror(-error));
		if (*run.socket_dir)
			clean_up(&run);
		return EXIT_FAILED;
	}
	watch(&run);
	if (run.skipped) {
		printf("%s\n", run.skip_reason);
		clean_up(&run);
		return EXIT_SKIPPED;
	}
	passed = judge(&run);
	clean_up(&run);
	if (*run.stall && !judge_saw_harm(&run)) {
		printf("%s\n", run.stall);
		return EXIT_STANDS_STILL;
	}
	if (*run.stall)
		printf("  not a reason to start it again: something else is wrong\n");
	if (run.timed_out && !*run.old_build)
		return EXIT_NO_START;
	return passed ? EXIT_PASSED : EXIT_FAILED;
}
