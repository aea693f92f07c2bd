// SPDX-License-Identifier: GPL-2.0
/*
 * A kernel crashes with its card running, and the crash kernel comes up: it copies
 * the tables that it finds, whatever mode its command line asks for, and frames go
 * on to where the kernel that crashed wanted them.  What that one was about to hand
 * over, or has adopted, is nothing to it.
 *
 *	at=preserved	the old kernel crashes, when all is preserved
 *	at=session	the next one does, before its program asks for the session
 *	at=switch	when the card is ours again, and before it changes over
 *	at=end		after the finish
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kexec.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "crash.h"
#include "events.h"
#include "machine.h"
#include "scenarios.h"
#include "vmm.h"

/* How long frames are watched once the crash kernel is up. */
#define WATCH_MS	500

void crash_load_kernel(void)
{
	int kernel = open("/bzImage", O_RDONLY | O_CLOEXEC);
	int initrd = open("/crash-initrd", O_RDONLY | O_CLOEXEC);
	char line[2048];

	read_file("/crash-cmdline", line, sizeof(line));
	if (kernel < 0 || initrd < 0 || !*line)
		give_up("no crash kernel goes along: %m");
	if (syscall(SYS_kexec_file_load, kernel, initrd, strlen(line) + 1, line,
		    KEXEC_FILE_ON_CRASH))
		give_up("load the crash kernel: %m");
	close(kernel);
	close(initrd);
}

void crash_now(void)
{
	must(write_file("/proc/sys/kernel/sysrq", "1"), "sysrq");
	event_ask("crash-call");
	write_file("/proc/sysrq-trigger", "c");
	give_up("the kernel did not crash");
}

static bool crashes_at(const char *moment)
{
	return !strcmp(option_text("at", ""), moment);
}

void crash_old_kernel(void)
{
	struct vmm vmm;

	if (!crashes_at("preserved")) {
		update_old_kernel();
		return;
	}
	crash_load_kernel();
	vmm_begin(&vmm);
	vmm_set_up(&vmm);
	traffic_start(&vmm.receiver);
	vmm_preserve(&vmm);
	receiver_receive(&vmm.receiver, WATCH_MS);
	crash_now();
}

static void go_as_far_as_asked(struct vmm *vmm)
{
	if (crashes_at("session")) {
		must(pci_bind_vfio(vmm->bdf), "bind vfio-pci");
	} else if (crashes_at("switch")) {
		vmm_take_memory(vmm);
		vmm_take_card(vmm);
	} else if (crashes_at("end")) {
		vmm_take_back(vmm);
	} else {
		give_up("no such moment");
	}
}

static void go_and_crash(void)
{
	struct vmm vmm;

	vmm_begin_again(&vmm);
	crash_load_kernel();
	go_as_far_as_asked(&vmm);
	receiver_receive(&vmm.receiver, WATCH_MS);
	crash_now();
}

static bool holds(const char *data, size_t size, const char *text)
{
	return memmem(data, size, text, strlen(text));
}

void crash_expect_dump(void)
{
	static char notes[1 << 16];
	Elf64_Phdr segments[2];
	Elf64_Ehdr header;
	int dump = open("/proc/vmcore", O_RDONLY | O_CLOEXEC);
	ssize_t got;

	check(dump >= 0, "there is a dump: %m");
	got = pread(dump, &header, sizeof(header), 0);
	if (!check(got == sizeof(header) && !memcmp(header.e_ident, ELFMAG, SELFMAG) &&
		   header.e_phnum >= 2, "the dump has headers"))
		return;
	got = pread(dump, segments, sizeof(segments), header.e_phoff);
	if (!check(got == sizeof(segments) && segments[0].p_type == PT_NOTE &&
		   segments[1].p_type == PT_LOAD, "the dump has notes and memory"))
		return;
	got = pread(dump, notes, sizeof(notes), segments[0].p_offset);
	check(got > 0 && holds(notes, got, "OSRELEASE="), "the notes can be read");
	got = pread(dump, notes, sizeof(notes), segments[1].p_offset);
	check(got == sizeof(notes), "memory can be read: %zd", got);
	close(dump);
}

static void crash_kernel(void)
{
	crash_expect_dump();
	sleep_ms(WATCH_MS);
	traffic_stop();
	event_ask("scan-crash");
}

void crash_new_kernel(void)
{
	if (option_number("stage", 1) == STAGE_CRASHED)
		crash_kernel();
	else
		go_and_crash();
}
