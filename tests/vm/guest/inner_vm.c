// SPDX-License-Identifier: GPL-2.0
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "events.h"
#include "frame.h"
#include "inner_vm.h"
#include "machine.h"

#define QEMU		"/usr/bin/qemu-system-x86_64"
#define MONITORS	"/run/qemu"
#define ARGUMENTS_MAX	64
#define MEMORY_MB	128
#define LISTEN_MS	20
/* The time it does not run is time that it does not have, by a clock that QEMU emulates. */
#define LEAP_MS		1500
#define FILES_MAX	256
#define SPOILED		0x12340
#define BOOT_MS		90000

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
		give_up("memory");
	va_end(values);
}

static void file_of(const struct inner_vm *vm, const char *kind, char *path, size_t size)
{
	snprintf(path, size, "/run/%s.%s", vm->name, kind);
}

void inner_vm_init(struct inner_vm *vm, int number)
{
	memset(vm, 0, sizeof(*vm));
	snprintf(vm->name, sizeof(vm->name), "vm%d", number);
	vm->cpus = option_number("cpus", 1);
}

void inner_vm_add_card(struct inner_vm *vm, const char *bdf)
{
	snprintf(vm->cards[vm->card_count++], BDF_LENGTH, "%s", bdf);
}

/* ---- its QEMU ---- */

static void add_machine(const struct inner_vm *vm, struct arguments *arguments)
{
	add(arguments, QEMU);
	add(arguments, "-name");
	add(arguments, "%s", vm->name);
	add(arguments, "-nodefaults");
	add(arguments, "-no-user-config");
	add(arguments, "-display");
	add(arguments, "none");
	add(arguments, "-M");
	add(arguments, "pc-q35-10.1,memory-backend=ram0,aux-ram-share=on");
	add(arguments, "-object");
	add(arguments, "memory-backend-memfd,id=ram0,size=%dM,share=on", MEMORY_MB);
	add(arguments, "-m");
	add(arguments, "%d", MEMORY_MB);
	add(arguments, "-accel");
	add(arguments, "kvm");
	/* With the deadline timer a sleeping processor is not always woken up, under emulation. */
	add(arguments, "-cpu");
	add(arguments, "host,-tsc-deadline");
	add(arguments, "-smp");
	add(arguments, "%d", vm->cpus);
}

/*
 * The emulator of the machine gives a guest the machine's own time stamp counter: so it does
 * not stand still with the guest, and what KVM's clock makes of it is wrong.
 */
static const char *clock_of_guest(void)
{
	return option_text("clock", "tsc");
}

static void add_kernel(struct arguments *arguments)
{
	add(arguments, "-kernel");
	add(arguments, "/usr/inner/bzImage");
	add(arguments, "-initrd");
	add(arguments, "/usr/inner/initrd");
	add(arguments, "-append");
	add(arguments, "console=ttyS0 quiet panic=-1 no_timer_check no-kvmclock tsc=reliable "
	    "clocksource=%s in_memory=%s", clock_of_guest(), option_text("pattern_mb", "8"));
}

static void add_ports(const struct inner_vm *vm, struct arguments *arguments)
{
	char path[64];

	file_of(vm, "says", path, sizeof(path));
	add(arguments, "-chardev");
	add(arguments, "file,id=says,path=%s,append=on", path);
	add(arguments, "-serial");
	add(arguments, "chardev:says");
	add(arguments, "-qmp");
	add(arguments, "unix:" MONITORS "/%s,server=on,wait=off", vm->name);
}

/* For who looks for what went wrong: vfio_pci_*, say */
static void add_trace(struct arguments *arguments)
{
	const char *what = option_text("trace", "");

	if (!*what)
		return;
	add(arguments, "-trace");
	add(arguments, "enable=%s", what);
	add(arguments, "-msg");
	add(arguments, "timestamp=on");
}

static void add_cards(const struct inner_vm *vm, struct arguments *arguments)
{
	add(arguments, "-object");
	add(arguments, "iommufd,id=iommufd0");
	for (int i = 0; i < vm->card_count; i++) {
		add(arguments, "-device");
		add(arguments, "pcie-root-port,id=port%d,chassis=%d,slot=%d", i, i + 1, i + 1);
		add(arguments, "-device");
		add(arguments, "vfio-pci,id=card%d,bus=port%d,host=%s,iommufd=iommufd0", i, i,
		    vm->cards[i]);
	}
}

static void run_qemu(const struct inner_vm *vm, char **arguments)
{
	char path[64];
	int log;

	file_of(vm, "qemu", path, sizeof(path));
	log = open(path, O_WRONLY | O_CREAT | O_APPEND, 0644);
	dup2(log, STDOUT_FILENO);
	dup2(log, STDERR_FILENO);
	close(log);
	close(STDIN_FILENO);
	open("/dev/null", O_RDONLY);
	execv(arguments[0], arguments);
	_exit(127);
}

void inner_vm_start(struct inner_vm *vm)
{
	struct arguments arguments = { 0 };

	mkdir(MONITORS, 0755);
	add_machine(vm, &arguments);
	add_kernel(&arguments);
	add_ports(vm, &arguments);
	add_cards(vm, &arguments);
	add_trace(&arguments);
	vm->qemu = must(fork(), "fork");
	if (!vm->qemu)
		run_qemu(vm, arguments.list);
}

void inner_vm_kill(struct inner_vm *vm)
{
	if (vm->qemu > 0) {
		kill(vm->qemu, SIGKILL);
		waitpid(vm->qemu, NULL, 0);
	}
	vm->qemu = 0;
}

/* ---- what it says ---- */

static unsigned long long number_of(const char *line, const char *key)
{
	char pattern[32];
	const char *found;

	snprintf(pattern, sizeof(pattern), " %s=", key);
	found = strstr(line, pattern);
	return found ? strtoull(found + strlen(pattern), NULL, 10) : 0;
}

static void text_of(const char *line, const char *key, char *text, size_t size)
{
	char pattern[32];
	const char *found;

	snprintf(pattern, sizeof(pattern), " %s=", key);
	found = strstr(line, pattern);
	snprintf(text, size, "%s", found ? found + strlen(pattern) : "");
	text[strcspn(text, " ")] = '\0';
}

static void note_tick(struct inner_vm *vm, const char *line)
{
	struct inner_tick *tick = &vm->tick;
	char counts[80];

	*tick = (struct inner_tick){
		.number = number_of(line, "n") + 1,
		.leap_ms = number_of(line, "leap_ms"),
		.backwards = number_of(line, "back"),
		.rounds = number_of(line, "rounds"),
		.wrong = number_of(line, "wrong"),
		.again = number_of(line, "again0") + number_of(line, "again1"),
	};
	text_of(line, "came0", tick->came[0], sizeof(tick->came[0]));
	text_of(line, "came1", tick->came[1], sizeof(tick->came[1]));
	text_of(line, "cpus", counts, sizeof(counts));
	for (char *count = strtok(counts, ","); count && tick->cpus < INNER_CPUS;
	     count = strtok(NULL, ","))
		tick->counts[tick->cpus++] = strtoul(count, NULL, 10);
}

static bool begins(const char *line, const char *with)
{
	return !strncmp(line, with, strlen(with));
}

static void take_line(struct inner_vm *vm, const char *line)
{
	if (begins(line, "IN tick "))
		note_tick(vm, line);
	else if (begins(line, "IN ready "))
		vm->ready = check(number_of(line, "cards") == (unsigned long)vm->card_count &&
				  number_of(line, "cpus") == (unsigned long)vm->cpus, "%s: %s",
				  vm->name, line);
	else
		vm->trouble |= !check(false, "%s: %s", vm->name, line);
}

static void open_port(struct inner_vm *vm)
{
	char path[64];

	file_of(vm, "says", path, sizeof(path));
	vm->says = fopen(path, "re");
}

/* The file grows; a line may come in pieces. */
void inner_vm_listen(struct inner_vm *vm)
{
	int byte;

	if (!vm->says)
		open_port(vm);
	if (!vm->says)
		return;
	clearerr(vm->says);
	while ((byte = getc(vm->says)) != EOF) {
		if (byte == '\r')
			continue;
		if (byte != '\n' && vm->length < sizeof(vm->line) - 1) {
			vm->line[vm->length++] = byte;
			continue;
		}
		vm->line[vm->length] = '\0';
		if (vm->length)
			take_line(vm, vm->line);
		vm->length = 0;
	}
}

void inner_vms_listen(struct inner_vm *vms, int count, int milliseconds)
{
	long long end = monotonic_ns() + milliseconds * 1000000ll;

	do {
		for (int i = 0; i < count; i++)
			inner_vm_listen(&vms[i]);
		sleep_ms(LISTEN_MS);
	} while (monotonic_ns() < end);
}

static bool has_ended(struct inner_vm *vm)
{
	int status;

	if (vm->qemu <= 0 || waitpid(vm->qemu, &status, WNOHANG) != vm->qemu)
		return false;
	event("note %s: QEMU has ended with status 0x%x", vm->name, status);
	vm->qemu = 0;
	return true;
}

void inner_vm_tell_complaints(struct inner_vm *vm)
{
	char path[64], line[256];
	FILE *file;

	has_ended(vm);
	file_of(vm, "qemu", path, sizeof(path));
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		event("note %s: QEMU says %s", vm->name, line);
	}
	if (file)
		fclose(file);
}

static void wait_until_ready(struct inner_vm *vm)
{
	for (int waited = 0; !vm->ready; waited += LISTEN_MS) {
		inner_vms_listen(vm, 1, LISTEN_MS);
		if (vm->trouble || has_ended(vm) || waited > BOOT_MS) {
			inner_vm_tell_complaints(vm);
			give_up("%s does not come up", vm->name);
		}
	}
}

void inner_vms_wait_until_ready(struct inner_vm *vms, int count)
{
	for (int i = 0; i < count; i++)
		wait_until_ready(&vms[i]);
}

/* The slot is what a ring of the rig's own programs would have. */
static void tell_stretches(unsigned int stream, const char *came)
{
	unsigned int first, last;

	for (; *came && sscanf(came, "%u-%u", &first, &last) == 2; came += *came == ',') {
		event("landed stream=%u first=%u last=%u slot=0", stream, first, last);
		came += strcspn(came, ",");
	}
}

void inner_vm_tell_frames(const struct inner_vm *vm)
{
	for (unsigned int i = 0; i < INNER_STREAMS; i++)
		tell_stretches(i, vm->tick.came[i]);
}

void inner_vm_judge(struct inner_vm *vm, const struct inner_tick *before)
{
	const struct inner_tick *now = &vm->tick;

	check(now->number > before->number, "%s goes on: tick %lu, before %lu", vm->name,
	      now->number, before->number);
	check(now->rounds > before->rounds + 1, "%s has looked at all of its memory: %lu, before %lu",
	      vm->name, now->rounds, before->rounds);
	check(!now->wrong, "%s: %lu words of memory are wrong", vm->name, now->wrong);
	check(!now->again, "%s: %lu frames came a second time", vm->name, now->again);
	check(!now->backwards, "%s: clocks went back %lu times", vm->name, now->backwards);
	check(!strcmp(clock_of_guest(), "tsc") || now->leap_ms < LEAP_MS, "%s: its clock made a leap of %lld ms", vm->name, now->leap_ms);
	check(now->cpus == vm->cpus, "%s tells of %d processors", vm->name, now->cpus);
	for (int i = 0; i < now->cpus; i++)
		check(now->counts[i] > before->counts[i], "%s: processor %d counts %lu, before %lu",
		      vm->name, i, now->counts[i], before->counts[i]);
	inner_vm_tell_complaints(vm);
}

/* ---- harms ---- */

static bool is_its_memory(const char *link)
{
	return strstr(link, "memory-backend-memfd") || strstr(link, "/memfd:ram0");
}

static int open_memory(const struct inner_vm *vm)
{
	char path[64], link[128];

	for (int fd = 3; fd < FILES_MAX; fd++) {
		ssize_t length;

		snprintf(path, sizeof(path), "/proc/%d/fd/%d", vm->qemu, fd);
		length = readlink(path, link, sizeof(link) - 1);
		if (length < 0)
			continue;
		link[length] = '\0';
		if (is_its_memory(link))
			return open(path, O_RDWR | O_CLOEXEC);
	}
	return -1;
}

void inner_vm_spoil_memory(const struct inner_vm *vm)
{
	int memory = open_memory(vm);
	uint64_t *words = mmap(NULL, MEMORY_MB << 20, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);

	if (words == MAP_FAILED)
		give_up("memory of %s: %m", vm->name);
	for (size_t i = 0; i < (MEMORY_MB << 20) / sizeof(*words); i++)
		if (words[i] == pattern_word(SPOILED)) {
			words[i]++;
			close(memory);
			munmap(words, MEMORY_MB << 20);
			return;
		}
	give_up("%s has no pattern in its memory", vm->name);
}
