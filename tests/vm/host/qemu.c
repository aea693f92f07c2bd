// SPDX-License-Identifier: GPL-2.0
/* The machine: command lines of QEMU and of both kernels. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "run.h"

#define ARGUMENTS_MAX	128
#define DISK_BYTES	(16 << 20)
#define COMMANDS_A_SECOND	10

/* For a crash kernel and for KHO, which would not find room for what it chooses itself. */
#define CRASH_MEMORY	"crashkernel=128M kho_scratch=512M,256M,64M "

struct arguments {
	char *list[ARGUMENTS_MAX];
	int count;
};

static void __attribute__((format(printf, 2, 3)))
add(struct arguments *arguments, const char *format, ...)
{
	va_list values;

	va_start(values, format);
	if (arguments->count == ARGUMENTS_MAX - 1 ||
	    vasprintf(&arguments->list[arguments->count++], format, values) < 0)
		abort();
	va_end(values);
}

static void add_option(struct arguments *arguments, const char *option, const char *value)
{
	add(arguments, "%s", option);
	add(arguments, "%s", value);
}

/* One word on the command line here, several there. */
static void as_words(const char *list, char separator, char *words, size_t size)
{
	snprintf(words, size, "%s", list);
	for (char *found = words; (found = strchr(found, separator)); )
		*found = ' ';
}

static void common_command_line(const struct run *run, int stage, const char *append,
				char *line, size_t size)
{
	const struct options *options = &run->options;
	char guest[512], both[512], one[512];

	as_words(options->guest, ',', guest, sizeof(guest));
	as_words(options->append, ';', both, sizeof(both));
	as_words(append, ';', one, sizeof(one));
	/*
	 * On a busy host the emulated timer is late, and the kernel's check of it fails.
	 * The counters are looked for where System.map has them.
	 */
	snprintf(line, size, "console=ttyS0 panic=-1 no_timer_check %s%s%s "
		 "lu_stage=%d lu_script=%s lu_nic=%s lu_preserve=%s lu_rate=%d lu_second=%s "
		 "lu_updates=%d %s%s%s %s %s",
		 options->counters && !options->ordinary ? "nokaslr " : "",
		 options->ordinary ? "nokaslr ignore_loglevel" : "kho=on liveupdate=on intel_iommu=",
		 options->ordinary ? "" : strcmp(options->mode, "legacy") ? "on,sm_on" : "on",
		 stage, options->script,
		 options->nic, options->preserve, options->rate, options->second_use,
		 options->updates,
		 options->crash && stage != STAGE_CRASHED ? CRASH_MEMORY : "",
		 options->interrupt_buffers ? "lu_divert=1 " : "", guest, both, one);
}

void next_command_line(const struct run *run, char *line, size_t size)
{
	common_command_line(run, 2, run->options.new_append, line, size);
}

/* All nodes in one file, one behind the other, as the host looks through one. */
static void add_memory_of(const struct run *run, struct arguments *arguments, int node)
{
	const struct options *options = &run->options;
	int share = options->memory_mb / options->nodes;

	add(arguments, "-object");
	if (options->shared_memory)
		add(arguments, "memory-backend-file,id=ram%d,size=%dM,offset=%dM,"
		    "mem-path=/proc/self/fd/%d,share=on", node, share, node * share, run->memory);
	else
		add(arguments, "memory-backend-ram,id=ram%d,size=%dM", node, share);
}

/* QEMU makes a file as large as its first part, and finds it too small for the next. */
static void make_memory_file(const struct run *run)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/memory", run->socket_dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, (off_t)run->options.memory_mb << 20))
		perror(path);
	close(fd);
}

/* The processors of a machine with several nodes are dealt out one by one. */
static void add_nodes(const struct run *run, struct arguments *arguments)
{
	const struct options *options = &run->options;

	if (options->shared_memory)
		make_memory_file(run);
	for (int node = 0; node < options->nodes; node++) {
		add_memory_of(run, arguments, node);
		add(arguments, "-numa");
		add(arguments, "node,nodeid=%d,memdev=ram%d", node, node);
	}
	for (int cpu = 0; cpu < options->cpus; cpu++) {
		add(arguments, "-numa");
		add(arguments, "cpu,node-id=%d,socket-id=%d", cpu % options->nodes, cpu);
	}
}

/* Without this the firmware's ACPI methods have the slots. */
static void add_hotplug(struct arguments *arguments)
{
	add_option(arguments, "-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off");
}

/* For slots, for a machine that has to wait, and for stall.c. */
static void add_monitor(const struct run *run, struct arguments *arguments)
{
	const struct options *options = &run->options;

	if (!options->hotplug && !options->firmware_protects && options->cpus < 2)
		return;
	add(arguments, "-qmp");
	add(arguments, "unix:%s/monitor,server=on,wait=off", run->socket_dir);
}

void crash_command_line(const struct run *run, char *line, size_t size)
{
	common_command_line(run, STAGE_CRASHED, run->options.crash, line, size);
}

/* Memory that the firmware's map lacks: ACPI tells of it, and the kernel adds it. */
static void add_dimm(const struct options *options, struct arguments *arguments)
{
	add(arguments, "%d,slots=1,maxmem=%dM", options->memory_mb,
	    options->memory_mb + options->added_mb);
	add(arguments, "-object");
	add(arguments, "memory-backend-ram,id=added,size=%dM", options->added_mb);
	add_option(arguments, "-device", "pc-dimm,memdev=added");
}

/*
 * AMD's extension for virtual machines is the one that can be emulated. What is off makes
 * an emulated processor slow.
 */
static const char *processor_model(const struct options *options)
{
	if (options->nested)
		return "max,+svm,+npt,-erms,-fsrm,-fzrm,-fsrs,-fsrc,-la57";
	return options->x2apic ? "qemu64,+x2apic" : "qemu64";
}

static void add_machine(const struct run *run, struct arguments *arguments)
{
	const struct options *options = &run->options;

	add_option(arguments, "-accel", "tcg");
	add_option(arguments, "-cpu", processor_model(options));
	add(arguments, "-smp");
	add(arguments, "%d,sockets=%d", options->cpus, options->cpus);
	add(arguments, "-m");
	if (options->added_mb)
		add_dimm(options, arguments);
	else
		add(arguments, "%d", options->memory_mb);
	add(arguments, "-M");
	if (options->nodes > 1) {
		add(arguments, "q35,kernel-irqchip=split");
		add_nodes(run, arguments);
	} else if (options->shared_memory) {
		add(arguments, "q35,kernel-irqchip=split,memory-backend=ram");
		add(arguments, "-object");
		add(arguments,
		    "memory-backend-file,id=ram,size=%dM,mem-path=/proc/self/fd/%d,share=on",
		    options->memory_mb, run->memory);
	} else {
		add(arguments, "q35,kernel-irqchip=split");
	}
	add(arguments, "-nodefaults");
	add(arguments, "-no-reboot");
	if (options->hotplug)
		add_hotplug(arguments);
	add_monitor(run, arguments);
	add_option(arguments, "-display", "none");
}

static void add_kernel(const struct run *run, struct arguments *arguments)
{
	char path[512], line[2048];

	common_command_line(run, 1, run->options.old_append, line, sizeof(line));
	add_option(arguments, "-kernel", run->options.old_kernel);
	run_path(run, "initramfs", path, sizeof(path));
	add_option(arguments, "-initrd", path);
	add_option(arguments, "-append", line);
}

static void add_ports(const struct run *run, struct arguments *arguments)
{
	add_option(arguments, "-serial", "stdio");
	add(arguments, "-chardev");
	add(arguments, "socket,id=events,path=%s/events", run->socket_dir);
	add_option(arguments, "-serial", "chardev:events");
}

static void add_disk_traces(struct arguments *arguments)
{
	for (size_t i = 0; disk_event(i); i++)
		add_option(arguments, "-trace", disk_event(i));
}

static void add_traces(const struct run *run, struct arguments *arguments)
{
	static const char *const events[] = {
		"pci_cfg_write", "vtd_reg_write_gcmd", "vtd_reg_dmar_root", "vtd_dmar_enable",
		"vtd_ir_enable", "vtd_dmar_fault", "vtd_reg_write_fectl",
	};
	char path[512];

	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		add_option(arguments, "-trace", events[i]);
	if (run_has_disk(run))
		add_disk_traces(arguments);
	if (run->options.cold)
		add_option(arguments, "-trace", "vtd_iotlb_page_update");
	if (run->options.interrupt_buffers)
		add_option(arguments, "-trace", "vtd_ir_remap_msi");
	run_path(run, "trace.log", path, sizeof(path));
	add_option(arguments, "-D", path);
	add_option(arguments, "-msg", "timestamp=on");
}

/* Must stand before the devices that it translates for. */
static void add_iommu(const struct run *run, struct arguments *arguments)
{
	const char *mode = run->options.mode;

	if (run->options.no_iommu)
		return;
	add(arguments, "-device");
	add(arguments, "intel-iommu,intremap=on,aw-bits=48,caching-mode=on%s%s%s%s",
	    strcmp(mode, "legacy") ? ",x-scalable-mode=on" : "",
	    strcmp(mode, "sm-fs") ? "" : ",x-flts=on",
	    run->options.ats_device ? ",device-iotlb=on" : "",
	    run->options.x2apic ? ",eim=on" : "");
}

/* What goes in at one socket comes out at the other: see emulator_clock.c. */
static void add_echo(const struct run *run, struct arguments *arguments, int number)
{
	const char *dir = run->socket_dir;

	add(arguments, "-netdev");
	add(arguments, "dgram,id=ask%d,local.type=unix,local.path=%s/echo%d,remote.type=unix,"
	    "remote.path=%s/ask%d", number, dir, number, dir, number);
	add(arguments, "-netdev");
	add(arguments, "dgram,id=answer%d,local.type=unix,local.path=%s/back%d,remote.type=unix,"
	    "remote.path=%s/answer%d", number, dir, number, dir, number);
	add(arguments, "-netdev");
	add(arguments, "hubport,id=in%d,hubid=%d,netdev=ask%d", number, number, number);
	add(arguments, "-netdev");
	add(arguments, "hubport,id=out%d,hubid=%d,netdev=answer%d", number, number, number);
}

static void add_nic(const struct run *run, struct arguments *arguments, int number,
		    const char *place)
{
	const char *dir = run->socket_dir;

	add(arguments, "-netdev");
	add(arguments, "dgram,id=n%d,local.type=unix,local.path=%s/nic%d,remote.type=unix,"
	    "remote.path=%s/host%d", number, dir, number, dir, number);
	add(arguments, "-device");
	add(arguments, "%s,netdev=n%d,mac=52:54:00:00:00:%02x,%s", run->options.nic, number,
	    number + 1, place);
	add_echo(run, arguments, number);
}

/* Slow, so that a command takes longer than a kernel has until it is gone. */
static void add_slow_disk(const struct run *run, struct arguments *arguments, const char *place)
{
	char path[128];

	disk_path(run, path, sizeof(path));
	add(arguments, "-drive");
	add(arguments, "if=none,id=disk,format=raw,file=%s,throttling.iops-total=%d", path,
	    COMMANDS_A_SECOND);
	add(arguments, "-device");
	add(arguments, "nvme,drive=disk,serial=1,%s", place);
}

/* The device that the run is about */
static void add_main_device(const struct run *run, struct arguments *arguments, const char *place)
{
	if (run_has_disk(run))
		add_slow_disk(run, arguments, place);
	else
		add_nic(run, arguments, 0, place);
}

static void add_main_nic(const struct run *run, struct arguments *arguments)
{
	const char *topology = run->options.topology;

	if (!strcmp(topology, "root")) {
		add_main_device(run, arguments, "addr=5");
		return;
	}
	add_option(arguments, "-device", "pcie-root-port,id=rp1,chassis=1,slot=1,addr=4");
	if (!strcmp(topology, "switch")) {
		/* No ACS: the card shares its group with the ports. */
		add_option(arguments, "-device", "x3130-upstream,id=up,bus=rp1");
		add_option(arguments, "-device", "xio3130-downstream,id=rp2,bus=up,chassis=2,slot=2");
	} else if (!strcmp(topology, "crowd")) {
		/* Function 1 beside the port wants 1 MiB of the window that is above both. */
		add_option(arguments, "-device",
			   "pcie-root-port,id=rp2,chassis=2,slot=2,bus=rp1,addr=0.0,multifunction=on");
		add_option(arguments, "-device", "edu,bus=rp1,addr=0.1");
	} else {
		/* With the empty slot beside it, so that both are below a port that goes on. */
		if (run->options.hotplug)
			add_option(arguments, "-device",
				   "pcie-root-port,id=empty,chassis=9,slot=9,bus=rp1,addr=0.1,"
				   "mem-reserve=8M,io-reserve=4K");
		add(arguments, "-device");
		add(arguments, "pcie-root-port,id=rp2,chassis=2,slot=2,bus=rp1%s",
		    run->options.hotplug ? ",addr=0.0,multifunction=on" : "");
	}
	add_main_device(run, arguments, "bus=rp2");
}

/* Cards of the main one's kind that nobody sends anything. */
static void add_more_nics(const struct run *run, struct arguments *arguments)
{
	for (int i = 0; i < run->options.more_nics; i++) {
		add(arguments, "-device");
		add(arguments, "pcie-root-port,id=more%d,chassis=%d,slot=%d,addr=%x", i, 20 + i,
		    20 + i, 0x10 + i);
		add(arguments, "-device");
		add(arguments, "%s,mac=52:54:00:00:01:%02x,bus=more%d", run->options.nic, i, i);
	}
}

/* The emulator's own network answers by itself, and leads nowhere else. */
static void add_disk_and_network(const struct run *run, struct arguments *arguments)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/disk", run->socket_dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, DISK_BYTES))
		abort();
	close(fd);
	add(arguments, "-drive");
	add(arguments, "if=none,id=disk,format=raw,file=%s", path);
	add_option(arguments, "-device", "nvme,drive=disk,serial=1,addr=4");
	add_option(arguments, "-netdev", "user,id=net,restrict=on");
	add_option(arguments, "-device", "e1000e,netdev=net,addr=5");
}

static void add_firmware_ports(const struct run *run, struct arguments *arguments)
{
	add(arguments, "-S");
	add_option(arguments, "-qtest-log", "none");
	add(arguments, "-qtest");
	add(arguments, "unix:%s/qtest,server=on,wait=off", run->socket_dir);
}

/* It is the same in both kernels, and is not translated for. */
static void add_usr(const struct run *run, struct arguments *arguments)
{
	add(arguments, "-drive");
	add(arguments, "if=none,id=usr,format=raw,readonly=on,file=%s", run->options.usr);
	add_option(arguments, "-device", "virtio-blk-pci,drive=usr,addr=8");
}

static void add_devices(const struct run *run, struct arguments *arguments)
{
	add_iommu(run, arguments);
	if (run->options.firmware_protects)
		add_firmware_ports(run, arguments);
	if (run->options.ordinary) {
		add_disk_and_network(run, arguments);
		return;
	}
	add_main_nic(run, arguments);
	if (run->options.second_nic) {
		/* QEMU wants a root port for each igb. */
		add(arguments, "-device");
		add(arguments, "pcie-root-port,id=rp3,chassis=3,slot=3,addr=%x", SECOND_CARD_PORT);
		add_nic(run, arguments, 1, "bus=rp3");
	}
	add_more_nics(run, arguments);
	if (run->options.usr)
		add_usr(run, arguments);
	if (run->options.ats_device) {
		add_option(arguments, "-device",
			   "pcie-root-port,id=rp4,chassis=4,slot=4,addr=7");
		add_option(arguments, "-device",
			   "virtio-net-pci,iommu_platform=on,ats=on,disable-legacy=on,bus=rp4");
	}
}

static int listen_for_events(struct run *run)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/events", run->socket_dir);
	run->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (run->listener < 0 ||
	    bind(run->listener, (struct sockaddr *)&address, sizeof(address)) ||
	    listen(run->listener, 1))
		return -errno;
	return 0;
}

static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, text, strlen(text)) < 0)
		perror(path);
	close(fd);
}

/*
 * Where it is allowed: a machine that waits for the processor refuses frames
 * as a stopped card does.  The thread that serves the card goes before all
 * others; the virtual processors, which never sleep, must not.  The session of
 * its own is for hosts that schedule by session.
 */
static void go_before_other_programs(void)
{
	struct sched_param first = { .sched_priority = 1 };

	setsid();
	write_text("/proc/self/autogroup", "-10");
	setpriority(PRIO_PROCESS, 0, -10);
	sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &first);
}

/* See preload/keep_freed.c; it lies beside this program. */
static void keep_what_is_freed(void)
{
	char path[512];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - sizeof("keep-freed.so"));
	char *name;

	path[length > 0 ? length : 0] = '\0';
	name = strrchr(path, '/');
	if (!name)
		_exit(127);
	strcpy(name + 1, "keep-freed.so");
	setenv("LD_PRELOAD", path, 1);
}

static void exec_qemu(struct run *run, struct arguments *arguments, int console, pid_t parent)
{
	char path[512];
	int log;

	/* In a session of its own it hears of no interrupt; it has to end all the same. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	run_path(run, "qemu.log", path, sizeof(path));
	log = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	dup2(console, STDOUT_FILENO);
	dup2(log, STDERR_FILENO);
	close(STDIN_FILENO);
	open("/dev/null", O_RDONLY);
	go_before_other_programs();
	if (run->options.keep_freed)
		keep_what_is_freed();
	execv(run->options.qemu, arguments->list);
	_exit(127);
}

static void log_command(struct run *run, const struct arguments *arguments)
{
	char path[512];
	FILE *file;

	run_path(run, "command", path, sizeof(path));
	file = fopen(path, "w");
	if (!file)
		return;
	for (int i = 0; i < arguments->count; i++)
		fprintf(file, "'%s' ", arguments->list[i]);
	fputc('\n', file);
	fclose(file);
}

int qemu_start(struct run *run)
{
	struct arguments arguments = { 0 };
	int ends[2], error = listen_for_events(run);
	pid_t parent = getpid();

	if (error)
		return error;
	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	add(&arguments, "%s", run->options.qemu);
	add_machine(run, &arguments);
	add_kernel(run, &arguments);
	add_ports(run, &arguments);
	add_traces(run, &arguments);
	add_devices(run, &arguments);
	log_command(run, &arguments);

	run->child = fork();
	if (run->child < 0)
		return -errno;
	if (!run->child)
		exec_qemu(run, &arguments, ends[1], parent);
	close(ends[1]);
	run->console = ends[0];
	return 0;
}
